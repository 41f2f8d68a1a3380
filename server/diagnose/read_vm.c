/* SPDX-License-Identifier: Apache-2.0 */
/*
 * !vm of every Windows, sessions included, and the page map of kdex2x86. A line is "name: pages
 * (kb Kb)"; the name alone decides, so lost columns and remarks behind the figure do no harm.
 * Figures beyond 63 bits are wrapped counters of mismatched symbols: not kept.
 */
#include "server/diagnose/parse.h"
#include "server/diagnose/scan.h"

#include <ctype.h>
#include <string.h>

#define JUNK_MAX    40 /* process tables and symbol errors stand between the lines; chosen */
#define KB_PER_PAGE 4  /* every Windows on x86, x64 and ARM64 */

/* Name as printed, without blanks and in lower case. `start`: only this line opens a block. */
static const struct vm_line {
    const char *name;
    const char *figure; /* NULL: known, not kept */
    bool start;
} vm_lines[] = {
    {"physicalmemory:", "physical_kb", true},
    {"availablepages:", "available_kb", true},
    {"resavailpages:", "resident_available_kb", true},
    {"nonpagedpoolusage:", "nonpaged_usage_kb", true},
    {"nonpagedpoolnxusage:", "nonpagednx_usage_kb", true},
    {"nonpagedpoolmax:", "nonpaged_max_kb", true},
    {"nonpagedpoolmaximum:", "nonpaged_max_kb", true},
    {"pagedpoolusage:", "paged_usage_kb", true},
    {"pagedpoolmaximum:", "paged_max_kb", true},
    {"pagedpoolmax:", "paged_max_kb", true},
    {"committedpages:", "commit_kb", true},
    {"commitlimit:", "commit_limit_kb", true},
    {"freesystemptes:", "free_system_ptes_kb", true},
    {"sessioncommit:", "session_commit_kb", true},
    {"sharedcommit:", "shared_commit_kb", true},
    {"drivercommit:", NULL, true},
    {"pagedpoolcommit:", NULL, true},
    {"nonpagedpoolcommit:", NULL, true},
    {"modifiedpages:", NULL, true},
    {"lockediopages:", NULL, true},
    {"kernelstacks:", NULL, true},
    {"specialpool:", NULL, true},
    {"totalprivate:", NULL, false},
    {"freenpptes:", NULL, false},
    {"pagefile:", NULL, false},
    {"current:", NULL, false},
    {"minimum:", NULL, false},
};

static size_t squeeze(const char *line, char *ret_name, size_t room)
{
    size_t used = 0;
    for (const char *c = line; *c != '\0' && used + 1 < room; c++) {
        if (*c == ' ' || *c == '\t')
            continue;
        ret_name[used++] = (char)tolower((unsigned char)*c);
    }
    ret_name[used] = '\0';
    return used;
}

static const struct vm_line *vm_line_of(const char *line)
{
    char name[40]; /* longer than any name of the table */
    if (scan_starts(scan_blanks(line), "Paged Pool Usage"))
        return NULL; /* of a session; the system's is written PagedPool */
    squeeze(line, name, sizeof name);
    for (size_t i = 0; i < sizeof vm_lines / sizeof *vm_lines; i++)
        if (strncmp(name, vm_lines[i].name, strlen(vm_lines[i].name)) == 0)
            return &vm_lines[i];
    return NULL;
}

/* "12345 ( 49380 Kb)", "12345", "9824K": in kB. */
static int64_t figure_kb(const char *line)
{
    const char *at = strchr(line, ':');
    if (at == NULL)
        return NUMBER_UNKNOWN;
    at = scan_blanks(at + 1);
    int64_t pages = 0;
    int64_t kb = 0;
    if (!scan_digits(&at, &pages))
        return NUMBER_UNKNOWN;
    const char *inner = scan_blanks(at);
    double factor = 0;
    if (*inner == '(') {
        inner = scan_blanks(inner + 1);
        return scan_digits(&inner, &kb) ? kb : NUMBER_UNKNOWN;
    }
    if (scan_unit(&inner, &factor))
        return factor > 1000 && factor < 1025 ? pages : NUMBER_UNKNOWN;
    return pages < INT64_MAX / KB_PER_PAGE ? pages * KB_PER_PAGE : NUMBER_UNKNOWN;
}

/* ---- banners --------------------------------------------------------------------------------- */

/* "******* 464832 kernel stack PTE allocations have failed ******" */
static bool failure_line(const char *line, int64_t *ret_count, const char **ret_what,
                         size_t *ret_length)
{
    const char *end = strstr(line, " have failed");
    const char *at = line + strspn(line, " \t*");
    if (end == NULL || !scan_digits(&at, ret_count) || at >= end)
        return false;
    at = scan_blanks(at);
    *ret_what = at;
    *ret_length = end > at ? (size_t)(end - at) : 0;
    return *ret_length > 0;
}

static bool excessive_line(const char *line, enum pool *ret_pool)
{
    const char *at = scan_find(line, "Excessive ");
    if (at == NULL || strcasestr(at, "Pool Usage") == NULL)
        return false;
    *ret_pool = scan_starts(scan_blanks(at), "NonPaged") ? POOL_NONPAGED
                : scan_starts(scan_blanks(at), "Paged")  ? POOL_PAGED
                                                         : POOL_UNKNOWN;
    return *ret_pool != POOL_UNKNOWN;
}

/* ---- sessions -------------------------------------------------------------------------------- */

struct session_reader {
    bool inside;
    bool summary;
    int64_t at;
};

static bool session_starts(const char *line)
{
    const char *first = scan_blanks(line);
    return strstr(line, "Terminal Server Memory Usage") != NULL ||
           scan_starts(first, "Session ID ") || scan_starts(first, "Session Paged Pool Max") ||
           scan_starts(first, "Session View Space Max");
}

static void session_maximum(struct parse *parse, struct report *report, const char *line)
{
    const char *at = scan_find(line, "Maximum");
    if (at == NULL)
        return;
    at += strcspn(at, "0123456789");
    int64_t kb = 0;
    if (scan_digits(&at, &kb))
        report_vm(parse, report,
                  strcasestr(line, "View") != NULL ? "session_view_max_kb" : "session_paged_max_kb",
                  kb);
}

/* "*** 7837 Pool Allocation Failures ***" */
static bool session_failures(const char *line, int64_t *ret_count)
{
    const char *at = line + strspn(line, " \t*");
    return scan_digits(&at, ret_count) && scan_starts(scan_blanks(at), "Pool Allocation Failure");
}

/* Lines below "Session ID n"; false when the line is none of them. */
static bool session_line(struct parse *parse, struct report *report, struct session_reader *state,
                         const char *line)
{
    const char *first = scan_blanks(line);
    struct diagnose_report *out = &report->out;
    struct diagnose_session *now =
        state->inside && out->session_count > 0 ? &out->sessions[out->session_count - 1] : NULL;
    int64_t count = 0;
    if (scan_starts(first, "Session Summary")) {
        state->inside = false;
        state->summary = true;
        return true;
    }
    if (scan_starts(first, "Session ID ")) {
        const char *at = scan_blanks(first + strlen("Session ID "));
        if (!scan_digits(&at, &count))
            return false;
        report_session(parse, report, count);
        state->inside = true;
        return true;
    }
    if (scan_starts(first, "Session Paged Pool Max") ||
        scan_starts(first, "Session View Space Max")) {
        session_maximum(parse, report, line);
        return true;
    }
    if (session_failures(line, &count)) {
        if (now != NULL)
            now->failures = count;
        return true;
    }
    if (!state->inside && !state->summary)
        return false;
    if (scan_starts(first, "Paged Pool Usage")) {
        if (now != NULL)
            now->paged_kb = figure_kb(line);
        return true;
    }
    return scan_starts(first, "NonPaged Usage") || scan_starts(first, "NonPaged Pool Usage") ||
           scan_starts(first, "Commit Usage");
}

/* ---- block ----------------------------------------------------------------------------------- */

static bool vm_starts(const struct parse *parse, size_t at)
{
    const char *line = parse->lines[at];
    const char *what = NULL;
    int64_t count = 0;
    size_t length = 0;
    enum pool pool = POOL_UNKNOWN;
    if (strstr(line, "*** Virtual Memory Usage") != NULL || session_starts(line) ||
        excessive_line(line, &pool) || failure_line(line, &count, &what, &length) ||
        session_failures(line, &count))
        return true;
    const struct vm_line *known = vm_line_of(line);
    if (known == NULL || !known->start)
        return false;
    const char *value = strchr(line, ':');
    return value != NULL && isdigit((unsigned char)*scan_blanks(value + 1)) &&
           (strchr(value, '(') != NULL || strcasestr(value, "kb") != NULL);
}

static void keep_failure(struct parse *parse, struct report *report, int64_t count,
                         const char *what, size_t length)
{
    const char *text = parse_text(parse, what, length);
    struct evidence *evidence = &parse->evidence;
    if (text == NULL)
        return;
    if (scan_starts(text, "pool allocation")) {
        report_vm(parse, report, "alloc_failures", count);
        return;
    }
    struct failure *grown = parse_more(parse, evidence->failures, &evidence->failure_count,
                                       &evidence->failure_room, sizeof *evidence->failures);
    if (grown == NULL)
        return;
    evidence->failures = grown;
    grown[evidence->failure_count++] = (struct failure){text, count};
}

static void keep_figure(struct parse *parse, struct report *report, const struct vm_line *known,
                        const char *line)
{
    int64_t kb = figure_kb(line);
    if (known->figure == NULL || kb == NUMBER_UNKNOWN)
        return;
    if (strcmp(known->figure, "free_system_ptes_kb") == 0)
        parse->evidence.free_ptes = kb / KB_PER_PAGE;
    report_vm(parse, report, known->figure, kb);
}

/* One line; false when it belongs to no block of !vm. */
static bool vm_line(struct parse *parse, struct report *report, struct session_reader *state,
                    const char *line)
{
    int64_t count = 0;
    const char *what = NULL;
    size_t length = 0;
    enum pool pool = POOL_UNKNOWN;
    if (excessive_line(line, &pool)) {
        report->out.excessive[pool] = true;
        return true;
    }
    if (failure_line(line, &count, &what, &length)) {
        keep_failure(parse, report, count, what, length);
        return true;
    }
    if (session_line(parse, report, state, line))
        return true;
    const struct vm_line *known = vm_line_of(line);
    if (known != NULL)
        keep_figure(parse, report, known, line);
    return known != NULL || strstr(line, "Virtual Memory Usage") != NULL || session_starts(line);
}

/* A second listing begins where a figure comes again, or the banner. */
static bool second_listing(const struct report *report, const char *line)
{
    const struct vm_line *known = vm_line_of(line);
    if (strstr(line, "*** Virtual Memory Usage") != NULL)
        return report->out.vm_count > 0;
    return known != NULL && known->figure != NULL && figure_kb(line) != NUMBER_UNKNOWN &&
           report_figure(report, known->figure) != NUMBER_UNKNOWN;
}

static size_t vm_read(struct parse *parse, size_t at)
{
    struct report *report = report_new(parse, "vm");
    struct session_reader state = {0};
    size_t end = at + 1;
    size_t junk = 0;
    size_t from = at;
    for (; at < parse->count && junk <= JUNK_MAX; at++) {
        const char *line = parse->lines[at];
        if (at > from && second_listing(report, line))
            return at;
        if (vm_line(parse, report, &state, line)) {
            end = at + 1;
            junk = 0;
        } else if (!parse_is_blank(parse, at)) {
            if (parse_other_starts(parse, at, &reader_vm))
                return at > from ? at : from + 1;
            junk++;
        }
    }
    return end;
}

const struct reader reader_vm = {"vm", vm_starts, vm_read};

/* ---- page map -------------------------------------------------------------------------------- */

static bool map_starts(const struct parse *parse, size_t at)
{
    const char *line = scan_blanks(parse->lines[at]);
    return strstr(line, "Pool Area Summary") != NULL &&
           (scan_starts(line, "Non-Paged") || scan_starts(line, "Paged") ||
            scan_starts(line, "NonPaged"));
}

static size_t map_read(struct parse *parse, size_t at)
{
    static const char *const names[POOL_COUNT][2] = {{"nonpaged_usage_kb", "nonpaged_max_kb"},
                                                     {"paged_usage_kb", "paged_max_kb"}};
    enum pool pool = scan_starts(scan_blanks(parse->lines[at]), "Non") ? POOL_NONPAGED : POOL_PAGED;
    struct report *report = report_new(parse, "page map");
    size_t end = at + 1;
    for (size_t i = at + 1; i < parse->count && i < at + 8; i++) {
        const char *line = parse->lines[i];
        const char *value = strchr(line, '=');
        bool used = strstr(line, "Pages In Use") != NULL;
        int64_t pages = 0;
        if (value == NULL || (!used && strstr(line, "Maximum Number of Pages") == NULL))
            continue;
        value = scan_blanks(value + 1);
        if (scan_digits(&value, &pages) && pages < INT64_MAX / KB_PER_PAGE)
            report_vm(parse, report, names[pool][used ? 0 : 1], pages * KB_PER_PAGE);
        end = i + 1;
    }
    return end;
}

const struct reader reader_page_map = {"page map", map_starts, map_read};
