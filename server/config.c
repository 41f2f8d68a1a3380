/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config.h"
#include "common/cleanup.h"
#include "common/clock.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

enum kind { KIND_TEXT, KIND_BOOL, KIND_COUNT, KIND_BYTES, KIND_DURATION };

/* Where a value came from, for check-config. */
enum origin { FROM_DEFAULT, FROM_FILE, FROM_ENVIRONMENT, FROM_FLAG };
static const char *const origin_names[] = {"default", "file", "environment", "flag"};

static const struct setting {
    const char *key; /* flag: --database-url; environment: POOLFLEET_DATABASE_URL */
    enum kind kind;
    size_t offset;
    const char *fallback;
    int64_t min, max; /* of counts, bytes and microseconds */
    const char *help;
} settings[] = {
#define SETTING(key, kind, fallback, min, max, help)                                               \
    {                                                                                              \
#key, kind, offsetof(struct config, key), fallback, min, max, help                         \
    }
    SETTING(database_url, KIND_TEXT, "postgresql:///poolfleet", 0, 0,
            "PostgreSQL connection string or URI"),
    SETTING(listen, KIND_TEXT, "127.0.0.1:8080", 0, 0, "address and port; port 0 takes a free one"),
    SETTING(insecure_http, KIND_BOOL, "no", 0, 0,
            "allow plain HTTP on other addresses than loopback"),
    SETTING(
        tls_cert, KIND_TEXT, "", 0, 0,
        "PEM file with the certificate and its chain: HTTPS instead of HTTP; read again on SIGHUP"),
    SETTING(tls_key, KIND_TEXT, "", 0, 0, "PEM file with the private key of tls-cert"),
    SETTING(trusted_proxy, KIND_TEXT, "", 0, 0,
            "addresses or nets of proxies whose sign-on is believed: 127.0.0.1, 10.1.0.0/16"),
    SETTING(proxy_user_header, KIND_TEXT, "", 0, 0,
            "header in which trusted-proxy names the user, such as X-Remote-User"),
    SETTING(proxy_role_header, KIND_TEXT, "", 0, 0,
            "header in which trusted-proxy names the role; without it the account's role counts"),
    SETTING(web_root, KIND_TEXT, "", 0, 0, "serve the page from this folder, not from the program"),
    SETTING(ready_file, KIND_TEXT, "", 0, 0, "write ADDRESS:PORT here once the server listens"),
    SETTING(log_level, KIND_TEXT, "info", 0, 0, "error, warning, info or debug"),
    SETTING(http_threads, KIND_COUNT, "4", 1, 64, "threads that serve requests"),
    SETTING(http_connections, KIND_COUNT, "2048", 16, 60000, "open connections at most"),
    SETTING(database_connections, KIND_COUNT, "8", 3, 200, "connections to PostgreSQL at most"),
    SETTING(database_timeout_us, KIND_DURATION, "30s", US_PER_SECOND, 10 * US_PER_MINUTE,
            "a statement that takes longer is given up, and its request answered 503"),
    SETTING(queue_bytes, KIND_BYTES, "64MiB", 1 << 20, 1ll << 36,
            "documents waiting for a commit; beyond it 503"),
    SETTING(retention_us, KIND_DURATION, "30d", US_PER_DAY, 3650 * US_PER_DAY,
            "snapshots are kept this long; older ones are refused"),
    SETTING(rollup_retention_us, KIND_DURATION, "400d", US_PER_DAY, 36500 * US_PER_DAY,
            "hourly fleet figures are kept this long"),
    SETTING(keyframe_us, KIND_DURATION, "6h", US_PER_MINUTE, US_PER_DAY,
            "a complete block of each host at least this often"),
    SETTING(analyze_interval_us, KIND_DURATION, "5m", 0, US_PER_DAY,
            "time between analysis passes; 0 for none"),
    SETTING(session_us, KIND_DURATION, "12h", US_PER_MINUTE, 90 * US_PER_DAY,
            "a sign-in on the page lasts this long"),
    SETTING(agent_interval_us, KIND_DURATION, "5m", 10 * US_PER_SECOND, US_PER_DAY,
            "agents take a snapshot this often, unless they are set otherwise"),
    SETTING(enroll_cooldown_us, KIND_DURATION, "60s", 0, US_PER_DAY,
            "one machine may enroll again only after this long"),
    SETTING(public_url, KIND_TEXT, "", 0, 0,
            "the page's address as people see it, for links in notifications"),
    SETTING(notify_allow_http, KIND_BOOL, "no", 0, 0, "webhooks may go over plain HTTP"),
    SETTING(notify_allow_private, KIND_TEXT, "", 0, 0,
            "networks that webhooks may reach though they are not public: 10.0.0.0/8, fd00::/8"),
    SETTING(notify_ca, KIND_TEXT, "", 0, 0,
            "PEM file with the authorities trusted for webhooks and mail, instead of the system's"),
    SETTING(notify_timeout_us, KIND_DURATION, "15s", US_PER_SECOND, 5 * US_PER_MINUTE,
            "one attempt to notify takes no longer"),
    SETTING(notify_retry_us, KIND_DURATION, "10s", US_PER_SECOND, US_PER_HOUR,
            "a failed notification is tried again within this, then within twice that, ..."),
    SETTING(notify_give_up_us, KIND_DURATION, "24h", US_PER_SECOND, 30 * US_PER_DAY,
            "a notification that fails so long is given up"),
    SETTING(smtp_url, KIND_TEXT, "", 0, 0,
            "mail server, such as smtp://mail.example.com:587 or smtps://mail.example.com"),
    SETTING(smtp_from, KIND_TEXT, "", 0, 0, "address that mails come from"),
    SETTING(smtp_user, KIND_TEXT, "", 0, 0, "name to sign in with at the mail server"),
    SETTING(smtp_password_file, KIND_TEXT, "", 0, 0, "file with the password of smtp-user"),
    SETTING(smtp_plain, KIND_BOOL, "no", 0, 0, "mail may go without TLS"),
    SETTING(digest_at, KIND_TEXT, "", 0, 0,
            "daily digest to mail targets at this time, HH:MM in UTC"),
#undef SETTING
};
#define SETTING_COUNT (sizeof settings / sizeof settings[0])

/* Owns every text a config points to, and remembers where each setting came from. */
struct config_texts {
    char *text[SETTING_COUNT];
    enum origin origin[SETTING_COUNT];
};

/* ---- names ------------------------------------------------------------------ */

/* Settings that are times end in _us in the program; people see them without it. */
static void public_name(const struct setting *setting, char blank, bool upper, struct strbuf *out)
{
    size_t length = strlen(setting->key);
    if (setting->kind == KIND_DURATION)
        length -= strlen("_us");
    for (size_t i = 0; i < length; i++) {
        char c = setting->key[i] == '_' ? blank : setting->key[i];
        strbuf_putc(out, upper ? (char)toupper((unsigned char)c) : c);
    }
}

static const struct setting *find(const char *name, size_t length, char blank)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        AUTO_STRBUF struct strbuf candidate = STRBUF_INIT;
        public_name(&settings[i], blank, false, &candidate);
        if (candidate.length == length && memcmp(candidate.data, name, length) == 0)
            return &settings[i];
    }
    return NULL;
}

/* ---- values ----------------------------------------------------------------- */

struct unit {
    const char *name;
    int64_t factor;
};
static const struct unit duration_units[] = {
    {"s", US_PER_SECOND}, {"m", US_PER_MINUTE}, {"h", US_PER_HOUR}, {"d", US_PER_DAY}, {NULL, 0}};
static const struct unit byte_units[] = {
    {"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

static bool parse_number(const char *text, const struct unit *units, int64_t *ret_value)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || errno != 0 || value < 0 || isspace((unsigned char)text[0]))
        return false;
    if (value == 0 && *end == '\0') {
        *ret_value = 0;
        return true;
    }
    for (; units->name != NULL; units++) {
        if (strcmp(end, units->name) == 0)
            return !__builtin_mul_overflow(value, units->factor, ret_value);
    }
    return false;
}

bool config_duration(const char *text, int64_t *ret_us)
{
    return parse_number(text, duration_units, ret_us);
}

static enum status set_number(const struct setting *setting, const char *text, int64_t *ret_value,
                              struct err *err)
{
    static const struct {
        const struct unit *units;
        const char *wanted;
    } kinds[] = {
        [KIND_COUNT] = {no_units, "a number is wanted"},
        [KIND_BYTES] = {byte_units, "a size such as 64MiB is wanted"},
        [KIND_DURATION] = {duration_units, "a duration such as 90s, 5m, 1h or 30d is wanted"},
    };
    int64_t value;
    if (!parse_number(text, kinds[setting->kind].units, &value))
        return err_set(err, ST_USAGE, "\"%s\": %s", text, kinds[setting->kind].wanted);
    if (value < setting->min || value > setting->max)
        return err_set(err, ST_USAGE, "\"%s\" is out of range", text);
    *ret_value = value;
    return ST_OK;
}

static enum status set_bool(const char *text, bool *ret_value, struct err *err)
{
    static const char *const yes[] = {"yes", "true", "on", "1"};
    static const char *const no[] = {"no", "false", "off", "0"};
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *ret_value = strcmp(text, yes[i]) == 0;
            return ST_OK;
        }
    }
    return err_set(err, ST_USAGE, "\"%s\": yes or no is wanted", text);
}

static enum status set_value(struct config *config, const struct setting *setting, const char *text,
                             enum origin origin, struct err *err)
{
    size_t index = (size_t)(setting - settings);
    void *target = (char *)config + setting->offset;
    enum status status = ST_OK;
    if (setting->kind == KIND_BOOL)
        status = set_bool(text, target, err);
    else if (setting->kind != KIND_TEXT)
        status = set_number(setting, text, target, err);
    if (status != ST_OK) {
        AUTO_STRBUF struct strbuf name = STRBUF_INIT;
        public_name(setting, '_', false, &name);
        struct err inner = err != NULL ? *err : (struct err){0};
        return err_field(err, ST_USAGE, name.data, "%s (from the %s)", inner.message,
                         origin_names[origin]);
    }
    char *copy = strdup(text);
    if (copy == NULL)
        return err_set(err, ST_NOMEM, "could not read the settings: out of memory");
    free(config->texts->text[index]);
    config->texts->text[index] = copy;
    config->texts->origin[index] = origin;
    if (setting->kind == KIND_TEXT)
        *(const char **)target = copy;
    return ST_OK;
}

/* ---- sources ---------------------------------------------------------------- */

static enum status load_defaults(struct config *config, struct err *err)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        enum status status =
            set_value(config, &settings[i], settings[i].fallback, FROM_DEFAULT, err);
        if (status != ST_OK)
            return status;
    }
    return ST_OK;
}

static enum status load_environment(struct config *config, struct err *err)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        AUTO_STRBUF struct strbuf name = STRBUF_INIT;
        strbuf_puts(&name, "POOLFLEET_");
        public_name(&settings[i], '_', true, &name);
        const char *value = strbuf_failed(&name) ? NULL : getenv(name.data);
        enum status status =
            value == NULL ? ST_OK : set_value(config, &settings[i], value, FROM_ENVIRONMENT, err);
        if (status != ST_OK)
            return status;
    }
    return ST_OK;
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
    return text;
}

static enum status load_line(struct config *config, char *line, struct err *err)
{
    char *text = trim(line);
    if (*text == '\0' || *text == '#' || *text == ';')
        return ST_OK;
    char *equals = strchr(text, '=');
    if (equals == NULL)
        return err_set(err, ST_USAGE, "\"key = value\" is wanted");
    *equals = '\0';
    const char *key = trim(text);
    const struct setting *setting = find(key, strlen(key), '_');
    if (setting == NULL)
        return err_field(err, ST_USAGE, key, "unknown setting");
    return set_value(config, setting, trim(equals + 1), FROM_FILE, err);
}

static enum status load_file(struct config *config, const char *path, struct err *err)
{
    AUTO_FILE FILE *file = fopen(path, "r");
    AUTO_FREE char *line = NULL;
    size_t capacity = 0;
    unsigned number = 0;
    if (file == NULL)
        return err_set(err, ST_USAGE, "could not open the settings file \"%s\": %s", path,
                       strerror(errno));
    while (getline(&line, &capacity, file) >= 0) {
        struct err inner = {0};
        number++;
        enum status status = load_line(config, line, &inner);
        if (status != ST_OK)
            return err_field(err, status, inner.field, "%s, line %u: %s", path, number,
                             inner.message);
    }
    return ST_OK;
}

/* "--name value" or "--name=value"; a bool may stand alone. Returns how many of argv it took. */
static enum status load_flag(struct config *config, char **argv, int left, int *ret_taken,
                             struct err *err)
{
    const char *name = argv[0] + 2;
    size_t length = strcspn(name, "=");
    const struct setting *setting = find(name, length, '-');
    if (setting == NULL) {
        *ret_taken = 0;
        return ST_OK;
    }
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    *ret_taken = 1;
    if (value == NULL && setting->kind == KIND_BOOL)
        value = "yes";
    if (value == NULL && left > 1) {
        value = argv[1];
        *ret_taken = 2;
    }
    if (value == NULL)
        return err_set(err, ST_USAGE, "%s needs a value", argv[0]);
    return set_value(config, setting, value, FROM_FLAG, err);
}

static enum status load_flags(struct config *config, int argc, char **argv,
                              struct config_args *rest, struct err *err)
{
    rest->items = argv;
    rest->count = 0;
    for (int i = 0; i < argc;) {
        int taken = 0;
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
            i += 2;
            continue;
        }
        if (strncmp(argv[i], "--", 2) == 0) {
            enum status status = load_flag(config, argv + i, argc - i, &taken, err);
            if (status != ST_OK)
                return status;
        }
        if (taken == 0)
            argv[rest->count++] = argv[i++];
        else
            i += taken;
    }
    return ST_OK;
}

enum status config_load(int argc, char **argv, struct config *ret_config,
                        struct config_args *ret_rest, struct err *err)
{
    AUTO_CONFIG struct config config = {0};
    const char *path = getenv("POOLFLEET_CONFIG");
    config.texts = calloc(1, sizeof *config.texts);
    if (config.texts == NULL)
        return err_set(err, ST_NOMEM, "could not read the settings: out of memory");
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--config") != 0)
            continue;
        if (i + 1 == argc)
            return err_set(err, ST_USAGE, "--config needs a file");
        path = argv[i + 1];
    }
    enum status status = load_defaults(&config, err);
    if (status == ST_OK && path != NULL)
        status = load_file(&config, path, err);
    if (status == ST_OK)
        status = load_environment(&config, err);
    if (status == ST_OK)
        status = load_flags(&config, argc, argv, ret_rest, err);
    if (status != ST_OK)
        return status;
    *ret_config = config;
    config = (struct config){0};
    return ST_OK;
}

void config_done(struct config *config)
{
    if (config->texts == NULL)
        return;
    for (size_t i = 0; i < SETTING_COUNT; i++)
        free(config->texts->text[i]);
    free(config->texts);
    *config = (struct config){0};
}

/* ---- printing --------------------------------------------------------------- */

void config_print_help(struct strbuf *out)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        AUTO_STRBUF struct strbuf flag = STRBUF_INIT;
        strbuf_puts(&flag, "--");
        public_name(&settings[i], '-', false, &flag);
        strbuf_printf(out, "  %-24s %s", flag.data, settings[i].help);
        if (settings[i].fallback[0] != '\0')
            strbuf_printf(out, " [%s]", settings[i].fallback);
        strbuf_putc(out, '\n');
    }
}

void config_print_sample(struct strbuf *out)
{
    strbuf_puts(out, "# Poolfleet server settings. A flag wins over the environment, that over "
                     "this file.\n# Made by: poolfleetd check-config --sample\n");
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        strbuf_printf(out, "\n# %s\n# ", settings[i].help);
        public_name(&settings[i], '_', false, out);
        strbuf_printf(out, " = %s\n", settings[i].fallback);
    }
}

/* A password stands between ":" and "@" of a URI, or after password= in a connection string. */
static void put_url_without_secret(struct strbuf *out, const char *url)
{
    const char *scheme = strstr(url, "://");
    const char *at = scheme == NULL ? NULL : strchr(scheme + 3, '@');
    const char *colon = at == NULL ? NULL : memchr(scheme + 3, ':', (size_t)(at - scheme - 3));
    const char *password = strstr(url, "password=");
    if (colon != NULL) {
        strbuf_add(out, url, (size_t)(colon - url) + 1);
        strbuf_puts(out, "***");
        strbuf_puts(out, at);
    } else if (password != NULL) {
        strbuf_add(out, url, (size_t)(password - url) + strlen("password="));
        strbuf_puts(out, "***");
        strbuf_puts(out, password + strcspn(password, " &"));
    } else {
        strbuf_puts(out, url);
    }
}

void config_print_effective(const struct config *config, struct strbuf *out)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        AUTO_STRBUF struct strbuf name = STRBUF_INIT;
        AUTO_STRBUF struct strbuf value = STRBUF_INIT;
        public_name(&settings[i], '_', false, &name);
        put_url_without_secret(&value, config->texts->text[i]);
        strbuf_add(&value, "", 0);
        strbuf_printf(out, "%-22s %-40s %s\n", name.data, value.data,
                      origin_names[config->texts->origin[i]]);
    }
}
