/* SPDX-License-Identifier: Apache-2.0 */
/*
 * !poolused, old and new. The title line tells the columns; the group line above it (or the sort
 * line) tells the pools. A tag is taken by its column while the layout is intact; where blanks were
 * lost, by the first word, and repaired from the quoted copy in the description. The description
 * may touch the last number ("01394 OHCI" is 0 and "1394 OHCI").
 */
#include "server/diagnose/parse.h"
#include "server/diagnose/scan.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define COLUMNS_MAX 8
#define JUNK_MAX    12 /* lines of remarks or dots between two rows; chosen */
#define HEAD_MAX    40 /* lines from the first mark to the titles: bounds hostile texts */

enum column { COLUMN_ALLOCS, COLUMN_FREES, COLUMN_DIFF, COLUMN_USED };

struct layout {
    size_t count; /* number columns */
    enum column column[COLUMNS_MAX];
    enum pool pool[COLUMNS_MAX];
    size_t tag_at;           /* where tags begin in an intact row */
    size_t title_at;         /* where the word Tag begins */
    size_t end[COLUMNS_MAX]; /* where each title ends; 0: unknown */
};

struct used_row {
    uint32_t tag;
    int64_t number[COLUMNS_MAX];
    size_t numbers;
    const char *description;
    size_t description_length;
};

/* ---- titles ---------------------------------------------------------------------------------- */

static bool title_columns(const char *line, struct layout *ret_layout)
{
    static const char *const names[] = {"Allocs", "Frees", "Diff", "Used"};
    const char *at = scan_blanks(line);
    struct layout layout = {.title_at = (size_t)(at - line)};
    if (!scan_prefix(&at, "Tag") || (*at != ' ' && *at != '\t'))
        return false;
    for (at = scan_blanks(at); *at != '\0'; at = scan_blanks(at)) {
        size_t i = 0;
        while (i < 4 && !scan_prefix(&at, names[i]))
            i++;
        if (i == 4 || layout.count == COLUMNS_MAX)
            return false;
        layout.end[layout.count] = (size_t)(at - line);
        layout.column[layout.count++] = (enum column)i;
    }
    if (layout.count < 2 || layout.column[0] != COLUMN_ALLOCS)
        return false;
    *ret_layout = layout;
    return true;
}

static bool group_line(const char *line, bool ret_seen[POOL_COUNT])
{
    const char *at = scan_blanks(line);
    bool seen[POOL_COUNT] = {false, false};
    if (scan_prefix(&at, "NonPaged"))
        seen[POOL_NONPAGED] = true;
    at = scan_blanks(at);
    if (scan_prefix(&at, "Paged"))
        seen[POOL_PAGED] = true;
    if (*scan_blanks(at) != '\0' || (!seen[POOL_NONPAGED] && !seen[POOL_PAGED]))
        return false;
    memcpy(ret_seen, seen, sizeof seen);
    return true;
}

static bool sort_line(const char *line, enum pool *ret_pool)
{
    const char *by = scan_find(line, "Sorting by");
    if (by == NULL)
        return false;
    *ret_pool = strcasestr(by, "Consumed") == NULL ? POOL_UNKNOWN : scan_pool_in(by);
    return true;
}

static void set_pools(struct layout *layout, const bool seen[POOL_COUNT], enum pool sorted)
{
    size_t half = 0;
    for (size_t i = 1; i < layout->count; i++)
        if (layout->column[i] == COLUMN_ALLOCS)
            half = i;
    enum pool single = sorted;
    if (seen[POOL_NONPAGED] != seen[POOL_PAGED])
        single = seen[POOL_NONPAGED] ? POOL_NONPAGED : POOL_PAGED;
    for (size_t i = 0; i < layout->count; i++)
        layout->pool[i] = half == 0 ? single : i < half ? POOL_NONPAGED : POOL_PAGED;
}

/* Rows without any title: the usual four columns, or the eight of the detailed form. */
static struct layout bare_layout(size_t numbers)
{
    struct layout layout = {.count = numbers >= 8 ? 8 : 4};
    for (size_t i = 0; i < layout.count; i++) {
        layout.column[i] = layout.count == 8 ? (enum column)(i % 4)
                           : i % 2 == 0      ? COLUMN_ALLOCS
                                             : COLUMN_USED;
        layout.pool[i] = i < layout.count / 2 ? POOL_NONPAGED : POOL_PAGED;
    }
    return layout;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* Splits the last number from a description that touches it. Numbers end where their titles end; a
 * number that is too wide pushes the rest of its line to the right, so `before`, the end of the
 * number in front, tells by how much. */
static const char *last_number(const char *before, const char *at, const struct layout *layout,
                               int64_t *ret_value)
{
    const char *end = at;
    while (isdigit((unsigned char)*end))
        end++;
    bool apart = *end == '\0' || *end == ' ' || *end == '\t';
    size_t last = layout->count - 1;
    const char *cut = last > 0 ? before + (layout->end[last] - layout->end[last - 1]) : end;
    bool padded = at - before >= 2;
    if (last > 0 && layout->end[last] > 0 && cut > at && cut < end && padded)
        end = cut; /* "512" and "1394 OHCI": the title tells where the number ends */
    else if (*at == '0' && end > at + 1)
        end = at + 1; /* a number has no leading zero */
    else if (!apart && end == at)
        return NULL;
    char digits[24];
    size_t length = (size_t)(end - at);
    if (length >= sizeof digits)
        return NULL;
    memcpy(digits, at, length);
    digits[length] = '\0';
    const char *digit = digits;
    return scan_digits(&digit, ret_value) ? end : NULL;
}

/* Numbers behind the tag; false when the line has fewer and goes on with something else. */
static bool row_numbers(const char *at, const struct layout *layout, struct used_row *row)
{
    const char *before = at;
    row->numbers = 0;
    while (row->numbers < layout->count) {
        at = scan_blanks(at);
        if (*at == '\0')
            return row->numbers >= 2; /* cut off */
        const char *end = at;
        if (row->numbers + 1 == layout->count) {
            end = last_number(before, at, layout, &row->number[row->numbers]);
            if (end == NULL)
                return false;
        } else if (!scan_digits(&end, &row->number[row->numbers]) ||
                   (*end != ' ' && *end != '\t' && *end != '\0')) {
            return false;
        }
        row->numbers++;
        at = end;
        before = end;
    }
    row->description = scan_blanks(at);
    row->description_length = strlen(row->description);
    return true;
}

/* The copy of the tag in "UNKNOWN pooltag ' MPP', please update"; its length, or 0. */
static size_t quoted_tag(const char *description, const char **ret_tag)
{
    const char *at = scan_find(description, "pooltag '");
    if (at == NULL)
        return 0;
    *ret_tag = at;
    const char *end = strstr(at, "', ");
    size_t length = end != NULL ? (size_t)(end - at) : strcspn(at, "'");
    return length <= 4 ? length : 0;
}

/* The debugger prints a byte that it cannot show as a dot, at the wrong end ("MPP." for " MPP");
 * the quoted copy keeps its blanks, unless the page collapsed them. */
static void repair_tag(const char *shown, size_t shown_length, struct used_row *row)
{
    const char *quoted = NULL;
    size_t length = row->description == NULL ? 0 : quoted_tag(row->description, &quoted);
    if (length == 0)
        return;
    char tag[4] = {' ', ' ', ' ', ' '};
    size_t dots = 0;
    while (dots < shown_length && shown[shown_length - 1 - dots] == '.')
        dots++;
    bool leading = length < 4 && (quoted[0] == ' ' || (dots > 0 && dots == 4 - length));
    memcpy(tag + (leading ? 4 - length : 0), quoted, length);
    scan_tag(tag, 4, &row->tag);
}

static bool row_by_column(const char *line, const struct layout *layout, struct used_row *row)
{
    size_t at = layout->tag_at;
    if (strspn(line, " \t") < at)
        return false;
    size_t width = scan_characters(line + at, 4);
    if (width == 0 || (line[at + width] != ' ' && line[at + width] != '\t'))
        return false;
    if (line[at] == ' ' && strstr(line, "  ") == NULL)
        return false;
    return scan_tag(line + at, width, &row->tag) && row_numbers(line + at + width, layout, row);
}

static bool row_by_word(const char *line, const struct layout *layout, struct used_row *row)
{
    const char *at = scan_blanks(line);
    size_t length = scan_word(at);
    struct used_row word = *row;
    bool plain =
        length > 0 && scan_tag(at, length, &word.tag) && row_numbers(at + length, layout, &word);
    if (plain && !isdigit((unsigned char)(word.description == NULL ? 0 : *word.description))) {
        *row = word;
        return true;
    }
    /* a tag with a blank inside: "Dh 1 24 ..." */
    size_t four = scan_characters(at, 4);
    struct used_row inner = *row;
    if (four > length && length > 0 && at[four] == ' ' && scan_tag(at, four, &inner.tag) &&
        row_numbers(at + four, layout, &inner) &&
        (!plain || !isdigit((unsigned char)(inner.description == NULL ? 0 : *inner.description)))) {
        *row = inner;
        return true;
    }
    *row = word;
    return plain;
}

static bool is_total(const char *line)
{
    const char *at = scan_blanks(line);
    return scan_prefix(&at, "TOTAL") && (*at == ' ' || *at == '\t');
}

static bool row_read(const char *line, const struct layout *layout, struct used_row *ret_row)
{
    struct used_row row = {0};
    if (is_total(line))
        return false;
    if (!row_by_column(line, layout, &row) && !row_by_word(line, layout, &row))
        return false;
    const char *shown = scan_blanks(line);
    repair_tag(shown, scan_word(shown), &row);
    *ret_row = row;
    return true;
}

/* A row that is known without a title, by the words of its description. */
static bool bare_row(const char *line)
{
    if (strstr(line, ", Binary") == NULL && strstr(line, "UNKNOWN pooltag '") == NULL)
        return false;
    struct layout layout = bare_layout(4);
    struct used_row row = {0};
    return row_read(line, &layout, &row) && row.numbers == 4;
}

/* ---- block ----------------------------------------------------------------------------------- */

static void keep_row(struct parse *parse, struct report *report, const struct layout *layout,
                     const struct used_row *row)
{
    const char *description = row->description == NULL
                                  ? NULL
                                  : parse_text(parse, row->description, row->description_length);
    bool kept = false;
    for (size_t from = 0; from < layout->count;) {
        size_t to = from + 1;
        while (to < layout->count && layout->column[to] != COLUMN_ALLOCS)
            to++;
        bool holds = false;
        for (size_t i = from; i < to && i < row->numbers; i++)
            holds = holds || row->number[i] != 0;
        bool last = to == layout->count;
        if (holds || (last && !kept)) {
            struct diagnose_row *out = report_row(parse, report, row->tag, layout->pool[from]);
            out->description = description;
            for (size_t i = from; i < to && i < row->numbers; i++) {
                int64_t *places[] = {&out->allocs, &out->frees, &out->outstanding, &out->bytes};
                *places[layout->column[i]] = row->number[i];
            }
            if (report->counts)
                out->outstanding = out->allocs;
            kept = true;
        }
        from = to;
    }
}

static void keep_total(struct parse *parse, struct report *report, const struct layout *layout,
                       const char *line)
{
    static const char *const names[POOL_COUNT][4] = {
        {"nonpaged_allocs", "nonpaged_frees", "nonpaged_diff", "nonpaged_used"},
        {"paged_allocs", "paged_frees", "paged_diff", "paged_used"}};
    const char *at = scan_find(line, "TOTAL");
    int64_t number[COLUMNS_MAX];
    bool bytes[COLUMNS_MAX] = {false};
    size_t count = 0;
    for (at = scan_blanks(at); count < COLUMNS_MAX && scan_digits(&at, &number[count]);
         at = scan_blanks(at)) {
        double factor = 0;
        bytes[count++] = scan_unit(&at, &factor);
    }
    if (count == 2 && bytes[0] && bytes[1]) {
        report_total(parse, report, names[POOL_NONPAGED][3], number[0]);
        report_total(parse, report, names[POOL_PAGED][3], number[1]);
        return;
    }
    for (size_t i = 0; i < count && i < layout->count; i++)
        if (count == layout->count && layout->pool[i] != POOL_UNKNOWN)
            report_total(parse, report, names[layout->pool[i]][layout->column[i]], number[i]);
}

static bool poolused_starts(const struct parse *parse, size_t at)
{
    enum pool sorted = POOL_UNKNOWN;
    struct layout layout;
    const char *line = parse->lines[at];
    const char *first = scan_blanks(line);
    return sort_line(line, &sorted) || scan_starts(first, "Pool Used:") ||
           title_columns(line, &layout) || bare_row(line);
}

/* The column at which most rows begin. Rows with a short tag on the right are the few. */
static size_t tag_column(const struct parse *parse, size_t at, const struct layout *layout)
{
    size_t seen[16] = {0};
    size_t best = layout->title_at < 16 ? layout->title_at : 0;
    for (size_t i = at; i < parse->count && i < at + 200; i++) {
        size_t indent = strspn(parse->lines[i], " \t");
        struct used_row row = {0};
        struct layout other;
        if (title_columns(parse->lines[i], &other))
            break;
        if (indent < 16 && !is_total(parse->lines[i]) && row_by_word(parse->lines[i], layout, &row))
            seen[indent]++;
    }
    size_t most = 0;
    for (size_t i = 0; i < 16; i++)
        if (seen[i] > most || (seen[i] == most && most > 0 && i == layout->title_at)) {
            most = seen[i];
            best = i;
        }
    return best;
}

static size_t bare_numbers(const char *line)
{
    struct layout layout = bare_layout(8);
    struct used_row row = {0};
    return row_read(line, &layout, &row) ? row.numbers : 4;
}

struct head {
    bool pools[POOL_COUNT];
    enum pool sorted;
    struct layout layout;
    bool titled;
};

/* Lines in front of the rows; the first line that is a row or none of them. */
static size_t read_head(const struct parse *parse, size_t at, struct head *head)
{
    size_t junk = 0;
    size_t end = at + HEAD_MAX < parse->count ? at + HEAD_MAX : parse->count;
    for (; at < end && junk <= JUNK_MAX; at++) {
        const char *line = parse->lines[at];
        if (title_columns(line, &head->layout)) {
            head->titled = true;
            return at + 1;
        }
        if (bare_row(line))
            return at;
        if (!sort_line(line, &head->sorted) && !group_line(line, head->pools) &&
            !parse_is_blank(parse, at) && strstr(line, "Pool Used:") == NULL) {
            if (parse_prompt(line) != NULL)
                return at;
            junk++;
        }
    }
    return at;
}

/* The first line behind `at` that cannot belong to the same head. */
static size_t past_head(const struct parse *parse, size_t at)
{
    enum pool sorted = POOL_UNKNOWN;
    bool pools[POOL_COUNT];
    for (at++; at < parse->count; at++) {
        const char *line = parse->lines[at];
        if (!sort_line(line, &sorted) && !group_line(line, pools) &&
            strstr(line, "Pool Used:") == NULL)
            return at;
    }
    return at;
}

static void look_back(const struct parse *parse, size_t at, struct head *head)
{
    for (size_t back = 1; back <= 6 && back <= at; back++) {
        const char *line = parse->lines[at - back];
        bool known = group_line(line, head->pools) || sort_line(line, &head->sorted);
        if (!known && *scan_blanks(line) != '\0')
            return;
    }
}

static size_t read_rows(struct parse *parse, size_t at, struct report *report,
                        const struct layout *layout)
{
    size_t junk = 0;
    size_t end = at;
    for (; at < parse->count && junk <= JUNK_MAX; at++) {
        const char *line = parse->lines[at];
        struct used_row row;
        if (row_read(line, layout, &row)) {
            keep_row(parse, report, layout, &row);
        } else if (is_total(line)) {
            keep_total(parse, report, layout, line);
            return at + 1;
        } else {
            if (!parse_is_blank(parse, at)) {
                if (poolused_starts(parse, at) || parse_other_starts(parse, at, &reader_poolused))
                    return at;
                junk++;
            }
            continue;
        }
        junk = 0;
        end = at + 1;
    }
    return end;
}

static size_t poolused_read(struct parse *parse, size_t at)
{
    struct head head = {.sorted = POOL_UNKNOWN};
    size_t from = at;
    look_back(parse, at, &head);
    at = read_head(parse, at, &head);
    if (!head.titled) {
        if (at >= parse->count || !bare_row(parse->lines[at]))
            return past_head(parse, from);
        head.layout = bare_layout(bare_numbers(parse->lines[at]));
    } else {
        set_pools(&head.layout, head.pools, head.sorted);
    }
    head.layout.tag_at = tag_column(parse, at, &head.layout);
    struct report *report = report_new(parse, "poolused");
    report->sorted = head.sorted;
    report->counts = true;
    for (size_t i = 0; i < head.layout.count; i++)
        report->counts = report->counts && head.layout.column[i] != COLUMN_FREES;
    report->session = parse->command != NULL && strstr(parse->command, "poolused 8") != NULL;
    at = read_rows(parse, at, report, &head.layout);
    if (report->out.row_count == 0 && report->out.total_count == 0)
        parse->report_count -= parse->report_count > 0;
    return at > from ? at : from + 1;
}

const struct reader reader_poolused = {"poolused", poolused_starts, poolused_read};
