/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people paste beside a listing: lists of modules, searches for a tag, handles, processes,
 * locks. None of it is a report; it names drivers and causes for the suspects.
 */
#include "server/diagnose/parse.h"
#include "server/diagnose/scan.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define JUNK_MAX     6
#define EVIDENCE_MAX 4096 /* items of one kind that are kept */
#define MODULES_MAX  600  /* a system loads 150 to 300; bounds the search by name */

/* ---- modules --------------------------------------------------------------------------------- */

static bool address_pair(const char **at, uint64_t *ret_start, uint64_t *ret_end)
{
    const char *c = scan_blanks(*at);
    const char *begin = c;
    if (!scan_hex(&c, ret_start) || c - begin < 8 || *c != ' ')
        return false;
    c = scan_blanks(c);
    begin = c;
    if (!scan_hex(&c, ret_end) || c - begin < 8 || (*c != ' ' && *c != '\t'))
        return false;
    *at = scan_blanks(c);
    return *ret_end > *ret_start;
}

/* Names are the same with and without ".sys": lists of loaded modules leave it out. */
static bool same_module(const char *a, size_t length, const char *b)
{
    size_t other = strlen(b);
    if (length > 4 && strncasecmp(a + length - 4, ".sys", 4) == 0)
        length -= 4;
    if (other > 4 && strcasecmp(b + other - 4, ".sys") == 0)
        other -= 4;
    return length == other && strncasecmp(a, b, length) == 0;
}

static struct module *module_of(struct parse *parse, const char *name, size_t length)
{
    struct evidence *evidence = &parse->evidence;
    for (size_t i = 0; i < evidence->module_count; i++)
        if (same_module(name, length, evidence->modules[i].name))
            return &evidence->modules[i];
    if (length == 0 || length > 128 || evidence->module_count >= MODULES_MAX)
        return NULL;
    const char *copy = parse_text(parse, name, length);
    struct module *grown = parse_more(parse, evidence->modules, &evidence->module_count,
                                      &evidence->module_room, sizeof *grown);
    if (grown == NULL || copy == NULL)
        return NULL;
    evidence->modules = grown;
    grown[evidence->module_count] = (struct module){.name = copy};
    return &grown[evidence->module_count++];
}

static bool module_row(const char *line, uint64_t *ret_start, uint64_t *ret_end,
                       const char **ret_name)
{
    const char *at = line;
    if (!address_pair(&at, ret_start, ret_end))
        return false;
    size_t length = scan_word(at);
    if (length == 0 || length > 64 || !(isalpha((unsigned char)*at) || *at == '_'))
        return false;
    *ret_name = at;
    return true;
}

static bool modules_start(const struct parse *parse, size_t at)
{
    const char *line = parse->lines[at];
    uint64_t start = 0;
    uint64_t end = 0;
    const char *name = NULL;
    return (strstr(line, "start") != NULL && strstr(line, "module name") != NULL) ||
           module_row(line, &start, &end, &name);
}

static void module_detail(struct parse *parse, struct module *module, const char *line)
{
    const char *at = scan_blanks(line);
    if (scan_prefix(&at, "Timestamp:"))
        module->stamp = parse_text(parse, at, strlen(at));
    else if (scan_prefix(&at, "File version:"))
        module->version = parse_text(parse, at, strlen(at));
    else if (scan_prefix(&at, "Image name:"))
        module->name = parse_text(parse, at, strlen(at)) == NULL
                           ? module->name
                           : parse_text(parse, at, strlen(at));
}

static bool is_detail(const char *line)
{
    const char *colon = strchr(line, ':');
    const char *first = scan_blanks(line);
    return first > line && colon != NULL && colon - first < 40;
}

static size_t modules_read(struct parse *parse, size_t at)
{
    size_t end = at + 1;
    size_t now = SIZE_MAX; /* index of the module whose details follow */
    for (size_t junk = 0; at < parse->count && junk <= JUNK_MAX; at++) {
        const char *line = parse->lines[at];
        uint64_t start = 0;
        uint64_t stop = 0;
        const char *name = NULL;
        struct evidence *evidence = &parse->evidence;
        if (module_row(line, &start, &stop, &name)) {
            struct module *module = module_of(parse, name, scan_word(name));
            now = SIZE_MAX;
            if (module != NULL) {
                module->start = start;
                module->end = stop;
                module->loaded = true;
                now = (size_t)(module - evidence->modules);
            }
        } else if (now != SIZE_MAX && is_detail(line)) {
            module_detail(parse, &evidence->modules[now], line);
        } else if (strstr(line, "Unloaded modules") != NULL || parse_prompt(line) != NULL) {
            return end > at ? end : at;
        } else {
            junk++;
            continue;
        }
        end = at + 1;
        junk = 0;
    }
    return end;
}

const struct reader reader_modules = {"modules", modules_start, modules_read};

static bool unloaded_starts(const struct parse *parse, size_t at)
{
    return scan_starts(scan_blanks(parse->lines[at]), "Unloaded modules");
}

static size_t unloaded_read(struct parse *parse, size_t at)
{
    size_t end = at + 1;
    for (size_t i = at + 1; i < parse->count && i <= end + JUNK_MAX; i++) {
        uint64_t start = 0;
        uint64_t stop = 0;
        const char *name = NULL;
        if (module_row(parse->lines[i], &start, &stop, &name)) {
            struct module *module = module_of(parse, name, scan_word(name));
            if (module != NULL)
                module->unloaded++;
            end = i + 1;
        } else if (parse_prompt(parse->lines[i]) != NULL) {
            break;
        } else if (is_detail(parse->lines[i])) {
            end = i + 1; /* Timestamp, Checksum, ImageSize of the row above */
        }
    }
    return end;
}

const struct reader reader_unloaded = {"unloaded", unloaded_starts, unloaded_read};

/* ---- searches -------------------------------------------------------------------------------- */

static void add_candidate(struct parse *parse, uint32_t tag, const char *driver)
{
    struct evidence *evidence = &parse->evidence;
    for (size_t i = 0; i < evidence->candidate_count; i++)
        if (evidence->candidates[i].tag == tag &&
            strcasecmp(evidence->candidates[i].driver, driver) == 0)
            return;
    if (evidence->candidate_count >= 256)
        return; /* a text that is in so many files names nobody */
    struct candidate *grown = parse_more(parse, evidence->candidates, &evidence->candidate_count,
                                         &evidence->candidate_room, sizeof *grown);
    if (grown == NULL)
        return;
    evidence->candidates = grown;
    grown[evidence->candidate_count++] = (struct candidate){tag, driver};
}

/* The text that is looked for: `s -a a b "Leak"`, `findstr /m /l Leak *.sys`, /c:"Ddk ". */
static bool searched_tag(const char *command, uint32_t *ret_tag)
{
    const char *quote = strrchr(command, '"');
    if (quote != NULL) {
        const char *begin = quote;
        while (begin > command && begin[-1] != '"')
            begin--;
        if (begin > command && scan_tag(begin, (size_t)(quote - begin), ret_tag))
            return true;
    }
    const char *at = scan_find(command, "findstr ");
    for (at = at == NULL ? "" : scan_blanks(at); *at != '\0'; at = scan_blanks(at + scan_word(at)))
        if (*at != '/' && scan_word(at) <= 4)
            return scan_tag(at, scan_word(at), ret_tag);
    return false;
}

/* "fffff880`0123abcd  4c 65 61 6b 00 ...  Leak...." */
static bool search_hit(const char *line, uint64_t *ret_address, uint32_t *ret_tag)
{
    const char *at = scan_blanks(line);
    const char *begin = at;
    unsigned char bytes[4];
    if (!scan_hex(&at, ret_address) || at - begin < 8 || *at != ' ')
        return false;
    for (size_t i = 0; i < 8; i++) {
        at += strspn(at, " -");
        const char *byte = at;
        uint64_t value = 0;
        if (!scan_hex(&at, &value) || at - byte != 2)
            return false;
        if (i < 4)
            bytes[i] = (unsigned char)value;
    }
    *ret_tag = tag_from_bytes(bytes);
    return true;
}

static bool search_starts(const struct parse *parse, size_t at)
{
    uint64_t address = 0;
    uint32_t tag = 0;
    return search_hit(parse->lines[at], &address, &tag);
}

static size_t search_read(struct parse *parse, size_t at)
{
    struct evidence *evidence = &parse->evidence;
    uint64_t address = 0;
    uint32_t tag = 0;
    for (; at < parse->count && search_hit(parse->lines[at], &address, &tag); at++) {
        if (evidence->hit_count >= EVIDENCE_MAX)
            continue;
        struct hit *grown = parse_more(parse, evidence->hits, &evidence->hit_count,
                                       &evidence->hit_room, sizeof *grown);
        if (grown == NULL)
            break;
        evidence->hits = grown;
        grown[evidence->hit_count++] = (struct hit){tag, address};
    }
    return at;
}

const struct reader reader_search = {"search", search_starts, search_read};

static const struct module *module_at(const struct evidence *evidence, uint64_t address)
{
    for (size_t i = 0; i < evidence->module_count; i++)
        if (address >= evidence->modules[i].start && address < evidence->modules[i].end)
            return &evidence->modules[i];
    return NULL;
}

void evidence_resolve(struct parse *parse)
{
    const struct evidence *evidence = &parse->evidence;
    size_t looked = evidence->hit_count < 512 ? evidence->hit_count : 512;
    for (size_t i = 0; i < looked; i++) {
        const struct module *module = module_at(evidence, evidence->hits[i].address);
        if (module != NULL)
            add_candidate(parse, evidence->hits[i].tag, module->name);
    }
}

/* A driver's file name in a line of results: "C:\Windows\System32\drivers\myfault.sys: Leak". */
static const char *driver_file(struct parse *parse, const char *line)
{
    const char *end = scan_find(line, ".sys");
    if (end == NULL || (*end != '\0' && *end != ':' && *end != ' '))
        return NULL;
    const char *begin = end;
    while (begin > line && strchr("\\/ \t:\"", begin[-1]) == NULL)
        begin--;
    return end - begin > 4 && end - begin < 100 ? parse_text(parse, begin, (size_t)(end - begin))
                                                : NULL;
}

static bool findstr_starts(const struct parse *parse, size_t at)
{
    uint32_t tag = 0;
    const char *command = strcasestr(parse->lines[at], "findstr ");
    return command != NULL && searched_tag(command, &tag);
}

static size_t findstr_read(struct parse *parse, size_t at)
{
    uint32_t tag = 0;
    size_t end = at + 1;
    if (!searched_tag(strcasestr(parse->lines[at], "findstr "), &tag))
        return end;
    for (size_t i = at + 1; i < parse->count && i < at + 512; i++) {
        if (parse_is_blank(parse, i))
            continue;
        if (strcasestr(parse->lines[i], "findstr ") != NULL)
            break;
        const char *driver = driver_file(parse, parse->lines[i]);
        if (driver == NULL || strchr(parse->lines[i], '=') != NULL)
            break;
        add_candidate(parse, tag, driver);
        end = i + 1;
    }
    return end;
}

const struct reader reader_findstr = {"findstr", findstr_starts, findstr_read};

/* ---- events ---------------------------------------------------------------------------------- */

/* "... unable to allocate from the system nonpaged pool because the pool was empty." */
static enum pool empty_pool(const char *line)
{
    const char *at = scan_find(line, "unable to allocate from the system ");
    enum pool pool = POOL_UNKNOWN;
    if (at == NULL || !scan_pool_word(&at, &pool) || strcasestr(at, "empty") == NULL)
        return POOL_UNKNOWN;
    return pool;
}

static bool empty_starts(const struct parse *parse, size_t at)
{
    return empty_pool(parse->lines[at]) != POOL_UNKNOWN;
}

static size_t empty_read(struct parse *parse, size_t at)
{
    parse->evidence.empty[empty_pool(parse->lines[at])] = true;
    return at + 1;
}

const struct reader reader_empty = {"empty", empty_starts, empty_read};

/* ---- locks ----------------------------------------------------------------------------------- */

static bool locks_start(const struct parse *parse, size_t at)
{
    return scan_starts(scan_blanks(parse->lines[at]), "Resource @ ");
}

static size_t locks_read(struct parse *parse, size_t at)
{
    struct evidence *evidence = &parse->evidence;
    const char *name = scan_blanks(parse->lines[at]) + strlen("Resource @ ");
    size_t length = scan_word(name);
    int64_t contention = 0;
    int64_t waiters = 0;
    size_t end = at + 1;
    for (size_t i = at + 1; i < parse->count && i <= at + 4; i++) {
        static const char *const keys[] = {
            "Contention Count = ", "NumberOfSharedWaiters = ", "NumberOfExclusiveWaiters = "};
        if (locks_start(parse, i))
            break;
        for (size_t k = 0; k < 3; k++) {
            const char *value = scan_find(parse->lines[i], keys[k]);
            int64_t number = 0;
            if (value == NULL || !scan_digits(&value, &number) || number > INT32_MAX)
                continue;
            *(k == 0 ? &contention : &waiters) += number;
            end = i + 1;
        }
    }
    if (contention > evidence->lock_contention || waiters > evidence->lock_waiters) {
        evidence->lock = parse_text(parse, name, length);
        evidence->lock_contention = contention;
        evidence->lock_waiters = waiters;
    }
    return end;
}

const struct reader reader_locks = {"locks", locks_start, locks_read};

/* ---- handles and processes -------------------------------------------------- */

static struct process *add_process(struct parse *parse)
{
    struct evidence *evidence = &parse->evidence;
    if (evidence->process_count >= EVIDENCE_MAX)
        return NULL;
    struct process *grown = parse_more(parse, evidence->processes, &evidence->process_count,
                                       &evidence->process_room, sizeof *grown);
    if (grown == NULL)
        return NULL;
    evidence->processes = grown;
    grown[evidence->process_count] =
        (struct process){NULL, NUMBER_UNKNOWN, NUMBER_UNKNOWN, NUMBER_UNKNOWN, NUMBER_UNKNOWN};
    return &grown[evidence->process_count++];
}

static bool process_starts(const struct parse *parse, size_t at)
{
    const char *line = scan_blanks(parse->lines[at]);
    uint64_t address = 0;
    if (!scan_prefix(&line, "PROCESS "))
        return false;
    line = scan_blanks(line);
    return scan_hex(&line, &address);
}

static size_t process_read(struct parse *parse, size_t at)
{
    struct process *process = add_process(parse);
    size_t end = at + 1;
    for (size_t i = at; i < parse->count && i < at + 30; i++) {
        const char *line = parse->lines[i];
        if ((i > at && process_starts(parse, i)) || process == NULL)
            break;
        const char *cid = scan_find(line, "Cid: ");
        const char *handles = scan_find(line, "HandleCount:");
        const char *image = scan_find(line, "Image: ");
        uint64_t id = 0;
        if (cid != NULL && process->id == NUMBER_UNKNOWN && scan_hex(&cid, &id) && id < INT32_MAX)
            process->id = (int64_t)id;
        if (handles != NULL) {
            handles = scan_blanks(handles);
            scan_digits(&handles, &process->handles);
        }
        if (image != NULL) {
            process->name = parse_text(parse, image, strlen(image));
            return i + 1;
        }
        if (cid != NULL || handles != NULL)
            end = i + 1;
    }
    return end;
}

const struct reader reader_process = {"process", process_starts, process_read};

static void add_handles(struct parse *parse, const char *type, size_t length, int64_t count)
{
    struct evidence *evidence = &parse->evidence;
    for (size_t i = 0; i < evidence->handle_count; i++) {
        struct handle_type *known = &evidence->handles[i];
        if (strlen(known->type) == length && strncmp(known->type, type, length) == 0) {
            known->count += known->count < INT64_MAX / 2 && count < INT64_MAX / 2 ? count : 0;
            return;
        }
    }
    if (evidence->handle_count >= 256)
        return;
    const char *copy = parse_text(parse, type, length);
    struct handle_type *grown = parse_more(parse, evidence->handles, &evidence->handle_count,
                                           &evidence->handle_room, sizeof *grown);
    if (grown == NULL || copy == NULL)
        return;
    evidence->handles = grown;
    grown[evidence->handle_count++] = (struct handle_type){copy, count};
}

/* "Object: fffffa80... Type: (fffffa80...) Thread" */
static bool handle_line(const char *line, const char **ret_type, size_t *ret_length)
{
    const char *type = scan_find(line, "Type: (");
    if (type == NULL || strstr(line, "Object") == NULL)
        return false;
    type = strchr(type, ')');
    if (type == NULL)
        return false;
    type = scan_blanks(type + 1);
    *ret_type = type;
    *ret_length = scan_word(type);
    return *ret_length > 0 && *ret_length <= 40;
}

static bool count_title(const char *line)
{
    const char *at = scan_blanks(line);
    return scan_prefix(&at, "Type") && (*at == ' ' || *at == '\t') &&
           strcmp(scan_blanks(at), "Count") == 0;
}

static bool handles_start(const struct parse *parse, size_t at)
{
    const char *type = NULL;
    size_t length = 0;
    const char *line = parse->lines[at];
    return handle_line(line, &type, &length) || count_title(line);
}

static size_t handles_read(struct parse *parse, size_t at)
{
    const char *type = NULL;
    size_t length = 0;
    if (handle_line(parse->lines[at], &type, &length)) {
        add_handles(parse, type, length, 1);
        return at + 1;
    }
    size_t end = at + 1;
    for (; end < parse->count; end++) {
        const char *name = scan_blanks(parse->lines[end]);
        size_t word = strcspn(name, " \t");
        const char *value = scan_blanks(name + word);
        int64_t count = 0;
        if (word == 0 || word > 40 || !isalpha((unsigned char)*name) ||
            !scan_digits(&value, &count) || *scan_blanks(value) != '\0')
            break;
        add_handles(parse, name, word, count);
    }
    return end;
}

const struct reader reader_handles = {"handles", handles_start, handles_read};

/* ---- memsnap --------------------------------------------------------------------------------- */

static bool memsnap_starts(const struct parse *parse, size_t at)
{
    const char *line = parse->lines[at];
    return strstr(line, "Process ID") != NULL && strstr(line, "Proc.Name") != NULL;
}

/* "000001B4   services.exe   5763072  144696  10888  4149248  4149248  346  18  0  4" */
static bool memsnap_row(struct parse *parse, const char *line, struct process *ret_process)
{
    uint64_t id = 0;
    int64_t number[6];
    const char *at = scan_blanks(line);
    const char *begin = at;
    if (!scan_hex(&at, &id) || at - begin != 8 || id > UINT32_MAX || *at != ' ')
        return false;
    at = scan_blanks(at);
    const char *name = at;
    size_t length = scan_word(at);
    at += length;
    for (size_t i = 0; i < 6; i++) {
        at = scan_blanks(at);
        if (!scan_digits(&at, &number[i]))
            return false;
    }
    *ret_process = (struct process){parse_text(parse, name, length), (int64_t)id, number[5],
                                    number[1], number[2]};
    return true;
}

static size_t memsnap_read(struct parse *parse, size_t at)
{
    report_new(parse, "memsnap");
    size_t end = at + 1;
    for (; end < parse->count; end++) {
        struct process row;
        const char *line = scan_blanks(parse->lines[end]);
        if (*line == '!' || *line == '\0')
            continue;
        if (!memsnap_row(parse, line, &row))
            break;
        struct process *kept = add_process(parse);
        if (kept != NULL)
            *kept = row;
    }
    return end;
}

const struct reader reader_memsnap = {"memsnap", memsnap_starts, memsnap_read};
