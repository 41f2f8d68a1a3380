/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of settings, its checks and the INI reader. A check tells what would be right, not only
 * what is wrong: the person who reads it sits at another machine than the one it happened on.
 */
#include "agent/core/settings.h"
#include "common/limits.h"
#include "common/utf8.h"

#include <stdio.h>
#include <string.h>

#define VALUE_MAX 4096u /* chosen: longer than any path, URL or list of tags that makes sense */

struct row {
    const char *name;
    const char *builtin;
    /* Says what is right ("a number 1 to 90") when the value is not; NULL: good. */
    const char *(*wrong)(const char *value);
    const char *help;
};

static const char *wrong_text(const char *value)
{
    (void)value;
    return NULL;
}

static size_t run_of(const char *text, const char *also)
{
    size_t length = 0;
    for (; text[length] != '\0'; length++) {
        char c = text[length];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!plain && strchr(also, c) == NULL)
            break;
    }
    return length;
}

/* "host", "host:port" or "[v6]:port" at the end of text. */
static bool is_authority(const char *text)
{
    size_t host;
    if (*text == '[') {
        host = 1 + run_of(text + 1, ":.%");
        if (host < 3 || text[host] != ']')
            return false;
        host++;
    } else {
        host = run_of(text, "-._");
    }
    if (host == 0 || host > 255)
        return false;
    if (text[host] == '\0')
        return true;
    if (text[host] != ':')
        return false;
    unsigned port = 0;
    const char *c = text + host + 1;
    for (; *c >= '0' && *c <= '9' && port <= 65535; c++)
        port = port * 10 + (unsigned)(*c - '0');
    return *c == '\0' && c != text + host + 1 && port >= 1 && port <= 65535;
}

static bool is_this_machine(const char *authority)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t length = strlen(names[i]);
        if (strncmp(authority, names[i], length) == 0 &&
            (authority[length] == '\0' || authority[length] == ':'))
            return true;
    }
    return false;
}

static const char *wrong_url(const char *value)
{
    static const char right[] = "https://host or https://host:port, without a path";
    if (*value == '\0')
        return NULL;
    if (strncmp(value, "https://", 8) == 0)
        return is_authority(value + 8) ? NULL : right;
    if (strncmp(value, "http://", 7) != 0 || !is_authority(value + 7))
        return right;
    return is_this_machine(value + 7) ? NULL
                                      : "https://host; plain http is only for this machine itself";
}

static const char *wrong_proxy(const char *value)
{
    if (*value == '\0' || strcmp(value, "none") == 0 ||
        (strncmp(value, "http://", 7) == 0 && is_authority(value + 7)))
        return NULL;
    return "empty (automatic), none, or http://host:port";
}

/* 32 bytes in base64 are 43 characters and one '='. */
static const char *wrong_pin(const char *value)
{
    static const char right[] = "sha256/ and 44 characters of base64, several parted by commas";
    if (*value == '\0')
        return NULL;
    for (;;) {
        if (strncmp(value, "sha256/", 7) != 0 || run_of(value + 7, "+/") != 43 || value[50] != '=')
            return right;
        value += 51;
        if (*value == '\0')
            return NULL;
        if (*value++ != ',')
            return right;
    }
}

bool settings_next_tag(const char **text, struct settings_tag *ret_tag)
{
    const char *at = *text;
    while (*at == ' ' || *at == ',')
        at++;
    size_t name = run_of(at, "._-/");
    if (name == 0 || name > LIMIT_TEXT_BYTES || at[name] != '=')
        return false;
    const char *value = at + name + 1;
    size_t length = strcspn(value, ",");
    *text = value + length;
    while (length > 0 && value[length - 1] == ' ')
        length--;
    if (length > LIMIT_TEXT_BYTES)
        return false;
    *ret_tag = (struct settings_tag){at, name, value, length};
    return true;
}

static const char *wrong_tags(const char *value)
{
    struct settings_tag tag;
    size_t count = 0;
    while (settings_next_tag(&value, &tag))
        count++;
    if (value[strspn(value, " ,")] != '\0')
        return "name=value, several parted by commas; names of letters, digits and . _ - /";
    return count <= LIMIT_ATTRIBUTES / 2 ? NULL : "at most 128 tags";
}

/* -1: not a number that any setting could have. */
static int64_t number_of(const char *value)
{
    int64_t number = 0;
    if (*value == '\0')
        return -1;
    for (; *value >= '0' && *value <= '9' && number < 1000000000; value++)
        number = number * 10 + (*value - '0');
    return *value == '\0' ? number : -1;
}

static bool outside(const char *value, int64_t low, int64_t high)
{
    int64_t number = number_of(value);
    return number < low || number > high;
}

static const char *wrong_interval(const char *value)
{
    return number_of(value) != 0 && outside(value, 10, 86400)
               ? "seconds, 10 to 86400, or 0 (the server decides)"
               : NULL;
}

static const char *wrong_processes(const char *value)
{
    return outside(value, 0, LIMIT_PROCESSES) ? "a number 0 to 4096" : NULL;
}

static const char *wrong_megabytes(const char *value)
{
    return outside(value, 1, 1024) ? "a number 1 to 1024" : NULL;
}

static const char *wrong_days(const char *value)
{
    return outside(value, 1, 90) ? "a number 1 to 90" : NULL;
}

static const char *wrong_switch(const char *value)
{
    return outside(value, 0, 1) ? "0 or 1" : NULL;
}

static const char *wrong_level(const char *value)
{
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (strcmp(value, levels[i]) == 0)
            return NULL;
    }
    return "error, warning, info or debug";
}

static const char *wrong_folder(const char *value)
{
    return *value == '\0' ? "a folder" : NULL;
}

static const struct row table[SETTING_COUNT] = {
    [SETTING_SERVER_URL] = {"ServerUrl", "", wrong_url, "address of the server, https://host:port"},
    [SETTING_ENROLL_FILE] = {"EnrollFile", "", wrong_text,
                             "file with an enroll secret, removed after use"},
    [SETTING_PROXY] = {"Proxy", "", wrong_proxy, "empty: automatic; none; or http://host:port"},
    [SETTING_CA_FILE] = {"CaFile", "", wrong_text,
                         "PEM file; only these authorities are trusted for the server"},
    [SETTING_PIN] = {"Pin", "", wrong_pin, "key of the server, sha256/base64, several by comma"},
    [SETTING_TAGS] = {"Tags", "", wrong_tags, "attributes of this host, role=file-server,..."},
    [SETTING_INTERVAL] = {"IntervalSeconds", "0", wrong_interval,
                          "seconds between snapshots; 0: the server decides"},
    [SETTING_TOP_PROCESSES] = {"TopProcesses", "20", wrong_processes,
                               "processes with most handles in each snapshot"},
    [SETTING_SPOOL_MEGABYTES] = {"SpoolMegabytes", "64", wrong_megabytes,
                                 "disk that waiting snapshots may take"},
    [SETTING_SPOOL_DAYS] = {"SpoolDays", "14", wrong_days, "age at which they are dropped"},
    [SETTING_SCAN_DRIVERS] = {"ScanDrivers", "1", wrong_switch,
                              "1: read driver files for pool tags when the server asks"},
    [SETTING_SESSION_POOL] = {"SessionPool", "0", wrong_switch, "1: also ask for session pool"},
    [SETTING_LOG_LEVEL] = {"LogLevel", "info", wrong_level, "error, warning, info or debug"},
    [SETTING_DATA_FOLDER] = {"DataFolder", "%ProgramData%\\Poolfleet\\Agent", wrong_folder,
                             "folder of spool, identity and log"},
    [SETTING_REPLAY] = {"Replay", "", wrong_text,
                        "folder of recorded kernel answers; everything is then simulated"},
};

const char *settings_layer_name(enum settings_layer layer)
{
    static const char *const names[LAYER_COUNT] = {"built-in", "file", "registry", "policy",
                                                   "flag"};
    return names[layer];
}

void settings_init(struct settings *settings)
{
    *settings = (struct settings){0};
}

void settings_done(struct settings *settings)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        free(settings->values[i].text);
    settings_init(settings);
}

static bool same_name(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++) {
        int x = *a >= 'A' && *a <= 'Z' ? *a - 'A' + 'a' : *a;
        int y = *b >= 'A' && *b <= 'Z' ? *b - 'A' + 'a' : *b;
        if (x != y)
            return false;
    }
    return *a == *b;
}

static bool printable(const char *value, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f)
            return false;
    }
    return utf8_valid(value, length);
}

enum status settings_set(struct settings *settings, enum settings_layer layer, const char *name,
                         const char *value, struct err *err)
{
    size_t which = 0;
    while (which < SETTING_COUNT && !same_name(table[which].name, name))
        which++;
    if (which == SETTING_COUNT)
        return err_set(err, ST_NOT_FOUND, "no setting is named \"%.64s\" (%s)", name,
                       settings_layer_name(layer));
    const struct row *row = &table[which];
    size_t length = strlen(value);
    if (length > VALUE_MAX || !printable(value, length))
        return err_set(err, ST_INVALID, "setting %s (%s) is not a line of text of at most %u bytes",
                       row->name, settings_layer_name(layer), VALUE_MAX);
    /* People copy the address from a browser. */
    if (which == SETTING_SERVER_URL && length > 0 && value[length - 1] == '/')
        length--;
    AUTO_FREE char *copy = malloc(length + 1);
    if (copy == NULL)
        return err_set(err, ST_NOMEM, "could not keep a setting: out of memory");
    memcpy(copy, value, length);
    copy[length] = '\0';
    const char *right = row->wrong(copy);
    if (right != NULL)
        return err_set(err, ST_INVALID, "setting %s (%s) has the value \"%.80s\", must be %s",
                       row->name, settings_layer_name(layer), value, right);
    if (layer < settings->values[which].layer)
        return ST_OK;
    free(settings->values[which].text);
    settings->values[which].text = TAKE(copy);
    settings->values[which].layer = layer;
    return ST_OK;
}

/* ---- INI */

struct ini {
    struct settings *settings;
    void (*fault)(void *arg, const struct err *err);
    void *arg;
    unsigned line;
    bool foreign; /* in a section that is not ours */
};

static void tell(const struct ini *ini, const struct err *why)
{
    struct err err = *why;
    snprintf(err.message, sizeof err.message, "line %u: %.200s", ini->line, why->message);
    if (ini->fault != NULL)
        ini->fault(ini->arg, &err);
}

static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]) != NULL)
        length--;
    text[length] = '\0';
    return text;
}

static void read_line(struct ini *ini, char *line)
{
    struct err err = {0};
    line = trim(line);
    if (*line == '\0' || *line == ';' || *line == '#')
        return;
    if (*line == '[') {
        ini->foreign = !same_name(line, "[agent]");
        if (ini->foreign) {
            err_set(&err, ST_INVALID, "section \"%.64s\" is not [agent] and is skipped", line);
            tell(ini, &err);
        }
        return;
    }
    if (ini->foreign)
        return;
    char *equals = strchr(line, '=');
    if (equals == NULL) {
        err_set(&err, ST_INVALID, "\"%.64s\" is not of the form name = value", line);
        tell(ini, &err);
        return;
    }
    *equals = '\0';
    char *value = trim(equals + 1);
    size_t length = strlen(value);
    if (length >= 2 && value[0] == '"' && value[length - 1] == '"') {
        value[length - 1] = '\0';
        value++;
    }
    if (settings_set(ini->settings, LAYER_FILE, trim(line), value, &err) != ST_OK)
        tell(ini, &err);
}

void settings_read_ini(struct settings *settings, const char *text, size_t length,
                       void (*fault)(void *arg, const struct err *err), void *arg)
{
    struct ini ini = {.settings = settings, .fault = fault, .arg = arg};
    AUTO_STRBUF struct strbuf line = STRBUF_INIT;
    const char *end = text + length;
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) /* Notepad's mark of UTF-8 */
        text += 3;
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t used = (size_t)((stop != NULL ? stop : end) - text);
        struct err err = {0};
        ini.line++;
        strbuf_clear(&line);
        strbuf_add(&line, text, used);
        if (memchr(text, '\0', used) != NULL) {
            err_set(&err, ST_INVALID, "not text (saved as UTF-16?)");
            tell(&ini, &err);
            return;
        }
        if (strbuf_failed(&line) || used > VALUE_MAX + 256u) {
            err_set(&err, ST_INVALID, "longer than a setting can be");
            tell(&ini, &err);
        } else if (line.length > 0) {
            read_line(&ini, line.data);
        }
        text += used + (stop != NULL ? 1 : 0);
    }
}

/* ---- reading */

const char *settings_text(const struct settings *settings, enum setting which)
{
    const char *text = settings->values[which].text;
    return text != NULL ? text : table[which].builtin;
}

int64_t settings_number(const struct settings *settings, enum setting which)
{
    int64_t number = number_of(settings_text(settings, which));
    return number >= 0 ? number : 0;
}

const char *setting_name(enum setting which)
{
    return table[which].name;
}

const char *setting_help(enum setting which)
{
    return table[which].help;
}

void settings_print(const struct settings *settings, struct strbuf *out)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *text = settings_text(settings, (enum setting)i);
        strbuf_printf(out, "%-16s %s  (%s)\n", table[i].name, *text != '\0' ? text : "-",
                      settings_layer_name(settings->values[i].layer));
    }
}
