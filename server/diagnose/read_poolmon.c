/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poolmon screens and /n logs, memsnap /p logs: two header lines in kB, then rows of tag, Nonp or
 * Paged, and numbers with or without their changes in parentheses. The word of the pool anchors a
 * row; the tag is what stands in front of it, in four fixed columns while the blanks are intact.
 */
#include "server/diagnose/parse.h"
#include "server/diagnose/scan.h"

#include <ctype.h>
#include <string.h>

#define JUNK_MAX    10
#define NUMBERS_MAX 5 /* allocs, frees, diff, bytes, per alloc */

/* ---- header ---------------------------------------------------------------------------------- */

static const struct header_key {
    const char *key;
    const char *figure; /* NULL: known, not kept */
} memory_keys[] = {{"Memory:", "memory_kb"}, {"Avail:", "avail_kb"}, {"PageFlts:", NULL}},
  commit_keys[] = {{"Commit:", "commit_kb"},
                   {"Limit:", "limit_kb"},
                   {"Peak:", "peak_kb"},
                   {"Pool N:", "pool_n_kb"}};

static int64_t key_value(const char *line, const char *key)
{
    const char *at = scan_find(line, key);
    struct number number;
    if (at == NULL || !scan_number(&at, SCAN_INTEGER, &number) || !number.exact)
        return NUMBER_UNKNOWN;
    return number.integer;
}

static bool memory_line(const char *line)
{
    return key_value(line, "Memory:") != NUMBER_UNKNOWN &&
           key_value(line, "Avail:") != NUMBER_UNKNOWN;
}

static bool commit_line(const char *line)
{
    return key_value(line, "Commit:") != NUMBER_UNKNOWN &&
           key_value(line, "Limit:") != NUMBER_UNKNOWN;
}

static void keep_header(struct parse *parse, struct report *report, const char *line)
{
    if (memory_line(line))
        for (size_t i = 0; i < sizeof memory_keys / sizeof *memory_keys; i++)
            if (memory_keys[i].figure != NULL)
                report_total(parse, report, memory_keys[i].figure,
                             key_value(line, memory_keys[i].key));
    if (commit_line(line)) {
        for (size_t i = 0; i < sizeof commit_keys / sizeof *commit_keys; i++)
            report_total(parse, report, commit_keys[i].figure, key_value(line, commit_keys[i].key));
        const char *pool = scan_find(line, "Pool N:");
        if (pool != NULL)
            report_total(parse, report, "pool_p_kb", key_value(pool, "P:"));
    }
}

/* ---- rows ------------------------------------------------------------------------------------ */

struct pool_row {
    const char *tag; /* what stands in front of the pool, trimmed */
    size_t tag_length;
    size_t type_at;
    enum pool pool;
    struct number number[NUMBERS_MAX];
    size_t numbers;
    const char *rest;
};

/* The word Nonp or Paged with blanks around, behind at most a tag. */
static bool find_type(const char *line, struct pool_row *row)
{
    size_t indent = strspn(line, " \t");
    size_t end = strlen(line);
    for (size_t at = indent; at < end && at <= indent + 24; at++) {
        if (at == 0 || (line[at - 1] != ' ' && line[at - 1] != '\t'))
            continue;
        const char *word = line + at;
        size_t length = scan_word(word);
        bool nonpaged = length == 4 && scan_starts(word, "Nonp");
        nonpaged = nonpaged || (length == 8 && scan_starts(word, "NonPaged"));
        if (!nonpaged && !(length == 5 && scan_starts(word, "Paged")))
            continue;
        row->type_at = at;
        row->pool = nonpaged ? POOL_NONPAGED : POOL_PAGED;
        row->rest = word + length;
        row->tag = line + indent;
        row->tag_length = at - indent;
        while (row->tag_length > 0 && strchr(" \t", row->tag[row->tag_length - 1]) != NULL)
            row->tag_length--;
        return true;
    }
    return false;
}

static bool skip_change(const char **at)
{
    const char *c = scan_blanks(*at);
    if (*c != '(')
        return false;
    const char *end = strchr(c, ')');
    if (end == NULL || end - c > 24)
        return false;
    c++;
    if (c + strspn(c, " \t-+0123456789.,'") != end)
        return false;
    *at = end + 1;
    return true;
}

static bool pool_row(const char *line, struct pool_row *ret_row)
{
    struct pool_row row = {0};
    if (!find_type(line, &row))
        return false;
    const char *at = row.rest;
    while (row.numbers < NUMBERS_MAX) {
        const char *next = scan_blanks(at);
        if (*next != '-' && !isdigit((unsigned char)*next))
            break;
        if (!scan_number(&next, SCAN_INTEGER, &row.number[row.numbers]) ||
            !row.number[row.numbers].exact)
            break;
        if (*next != '\0' && strchr(" \t(", *next) == NULL)
            break;
        row.numbers++;
        skip_change(&next);
        at = next;
    }
    row.rest = scan_blanks(at);
    size_t characters = 0;
    for (size_t i = 0; i < row.tag_length; characters++) {
        size_t width = scan_characters(row.tag + i, 1);
        i += width > 0 ? width : 1;
    }
    uint32_t tag;
    /* More characters only where they are our own \xNN for bytes that cannot be shown. */
    if (row.numbers < 2 || (characters > 4 && !scan_tag(row.tag, row.tag_length, &tag)))
        return false;
    *ret_row = row;
    return true;
}

static bool poolmon_title(const char *line)
{
    const char *at = scan_blanks(line);
    return scan_prefix(&at, "Tag") && scan_starts(scan_blanks(at), "Type") &&
           strcasestr(at, "Per Alloc") != NULL && strchr(line, ',') == NULL &&
           strchr(line, '|') == NULL && strcasestr(at, "Alloc") != NULL && strstr(at, "\t") == NULL;
}

static bool poolmon_starts(const struct parse *parse, size_t at)
{
    struct pool_row row;
    const char *line = parse->lines[at];
    if (memory_line(line) || commit_line(line) || pool_row(line, &row))
        return true;
    if (!poolmon_title(line))
        return false;
    for (size_t i = at + 1; i < parse->count && i < at + 5; i++)
        if (pool_row(parse->lines[i], &row))
            return true;
    return false;
}

/* Whether the layout is intact: the word of the pool stands in one column, one blank behind the
 * four of the tag, and numbers are padded. */
static size_t type_column(const struct parse *parse, size_t at)
{
    size_t column = 0;
    for (size_t i = at; i < parse->count && i < at + 60; i++) {
        struct pool_row row;
        if (!pool_row(parse->lines[i], &row))
            continue;
        if (strstr(row.tag + row.tag_length + 1, "  ") == NULL || row.type_at < 5)
            return 0;
        if (column != 0 && column != row.type_at)
            return 0;
        if (row.tag_length == 4 && row.tag + 5 != parse->lines[i] + row.type_at)
            return 0; /* two blanks or more behind the tag: set by hand */
        column = row.type_at;
    }
    return column;
}

static bool row_tag(const char *line, const struct pool_row *row, size_t column, uint32_t *ret_tag)
{
    if (column >= 5 && row->type_at == column && strspn(line, " \t") + 4 >= column - 1 &&
        line[column - 1] == ' ' && strchr(line, '\t') == NULL &&
        scan_tag(line + column - 5, 4, ret_tag))
        return true;
    return scan_tag(row->tag, row->tag_length, ret_tag);
}

static void keep_row(struct parse *parse, struct report *report, const char *line,
                     const struct pool_row *row, size_t column)
{
    uint32_t tag = 0;
    if (!row_tag(line, row, column, &tag))
        return;
    struct diagnose_row *out = report_row(parse, report, tag, row->pool);
    int64_t *places[] = {&out->allocs, &out->frees, &out->outstanding, &out->bytes};
    for (size_t i = 0; i < row->numbers && i < 4; i++)
        *places[i] = row->number[i].integer;
    if (*row->rest != '\0' && strstr(row->rest, "Unknown Driver") == NULL)
        out->description = parse_text(parse, row->rest, strlen(row->rest));
}

/* ---- block ----------------------------------------------------------------------------------- */

static bool is_session_line(const char *line)
{
    return strcasestr(line, "pool information") != NULL;
}

static bool next_screen(const struct report *report, const char *line)
{
    if (memory_line(line))
        return report->out.row_count > 0 || report_figure(report, "memory_kb") != NUMBER_UNKNOWN;
    if (commit_line(line))
        return report_figure(report, "limit_kb") != NUMBER_UNKNOWN;
    return poolmon_title(line) && report->out.row_count > 0;
}

static size_t poolmon_read(struct parse *parse, size_t at)
{
    struct report *report = report_new(parse, "poolmon");
    size_t from = at;
    size_t end = at + 1;
    size_t junk = 0;
    size_t column = type_column(parse, at);
    for (; at < parse->count && junk <= JUNK_MAX; at++) {
        const char *line = parse->lines[at];
        struct pool_row row;
        if (pool_row(line, &row)) { /* first: nearly every line is one */
            keep_row(parse, report, line, &row, column);
        } else if (at > from && next_screen(report, line)) {
            return at;
        } else if (memory_line(line) || commit_line(line)) {
            keep_header(parse, report, line);
        } else if (is_session_line(line)) {
            report->session = strcasestr(line, "session") != NULL;
        } else if (!poolmon_title(line)) {
            if (!parse_is_blank(parse, at)) {
                if (parse_other_starts(parse, at, &reader_poolmon))
                    return at > from ? at : from + 1;
                junk++;
            }
            continue;
        }
        end = at + 1;
        junk = 0;
    }
    return end;
}

const struct reader reader_poolmon = {"poolmon", poolmon_starts, poolmon_read};

/* ---- the same header as comma-separated lines of a support script ----------- */

static bool summary_starts(const struct parse *parse, size_t at)
{
    const char *line = scan_blanks(parse->lines[at]);
    return scan_prefix(&line, "Summary") && (*line == '1' || *line == '2') &&
           (line[1] == ',' || line[1] == ';' || line[1] == '\t');
}

static size_t summary_read(struct parse *parse, size_t at)
{
    static const char *const names[2][5] = {
        {"memory_kb", "avail_kb", NULL, NULL, NULL},
        {"commit_kb", "limit_kb", "peak_kb", "pool_n_kb", "pool_p_kb"}};
    struct report *report = report_new(parse, "poolmon");
    size_t end = at;
    for (; end < parse->count && end < at + 2 && summary_starts(parse, end); end++) {
        const char *line = scan_blanks(parse->lines[end]) + strlen("Summary");
        const char *const *figures = names[*line == '1' ? 0 : 1];
        char delimiter = line[1];
        const char *cell = strchr(line + 2, delimiter); /* behind the time */
        for (size_t i = 0; i < 5 && cell != NULL; i++) {
            const char *value = cell + 1;
            int64_t kb = 0;
            if (scan_digits(&value, &kb) && figures[i] != NULL)
                report_total(parse, report, figures[i], kb);
            cell = strchr(cell + 1, delimiter);
        }
    }
    return end > at ? end : at + 1;
}

const struct reader reader_summary = {"summary", summary_starts, summary_read};
