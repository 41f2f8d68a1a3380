/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables that no tool of Windows prints in one fixed form: CSV with comma or semicolon, tabs,
 * Markdown, Format-Table, a script's own columns. The titles tell what a column means; without
 * titles only rows of tag, pool and numbers in poolmon's order are read. Tables without tags but
 * with a pool in a title are figures over time.
 */
#include "server/diagnose/table.h"

#include <ctype.h>
#include <string.h>

#define JUNK_MAX 4

/* ---- titles ---------------------------------------------------------------------------------- */

static bool title_meaning(const struct cells *cells, struct table *table, bool *ret_tags)
{
    size_t tags = 0;
    size_t numbers = 0;
    size_t pools = 0;
    size_t times = 0;
    table->count = cells->count;
    for (size_t i = 0; i < cells->count; i++) {
        struct column column = column_of(cells->cell[i], strlen(cells->cell[i]));
        if (column.kind == COLUMN_TAG && tags++ > 0)
            column.kind = COLUMN_TEXT;
        numbers += column.kind == COLUMN_ALLOCS || column.kind == COLUMN_FREES ||
                   column.kind == COLUMN_OUTSTANDING || column.kind == COLUMN_BYTES ||
                   column.kind == COLUMN_SIZE;
        pools += column.kind == COLUMN_BYTES && column.pool != POOL_UNKNOWN;
        times += column.kind == COLUMN_TIME;
        table->column[i] = column;
    }
    *ret_tags = tags > 0;
    return tags > 0 ? numbers > 0 : times > 0 && pools > 0;
}

static size_t uses(const char *line, char c)
{
    size_t count = 0;
    for (; *line != '\0'; line++)
        count += *line == c;
    return count;
}

/* A title line holds one of these, whatever the language; most lines hold none, so this spares them
 * the rest. The words of columns.c for tags and times, or parts of them. */
static bool may_be_titles(const char *line)
{
    static const char *const words[] = {
        "tag",
        "etiq",
        "kennung",
        "time",
        "zeit",
        "dat",
        "when",
        "pdh-csv",
        "\xE3\x82\xBF\xE3\x82\xB0",
        "\xED\x83\x9C\xEA\xB7\xB8",
        "\xE6\xA0\x87\xE8\xAE\xB0",
        "\xD1\x82\xD0\xB5\xD0\xB3",
        "\xD0\xA2\xD0\xB5\xD0\xB3",
        "\xE6\x99\x82\xE5\x88\xBB",
        "\xEC\x8B\x9C\xEA\xB0\x84",
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(line, words[i]) != NULL)
            return true;
    return false;
}

/* Whether the line is a title line; by tab, bar, semicolon, comma, blanks in this order. */
static bool titles(const struct parse *parse, size_t at, struct table *ret_table, bool *ret_tags)
{
    static const char delimiters[] = {'\t', '|', ';', ',', 0};
    const char *line = parse->lines[at];
    const char *rule = at + 1 < parse->count ? parse->lines[at + 1] : NULL;
    const char *body = line + strspn(line, " \t");
    if (strlen(body) > 1000 || strpbrk(body, "\t|;, ") == NULL || !may_be_titles(body))
        return false;
    for (size_t i = 0; i < sizeof delimiters; i++) {
        struct cells cells;
        char delimiter = delimiters[i];
        if (delimiter != 0 && uses(body, delimiter) == 0)
            continue;
        if (delimiter == 0)
            cells_split_titles(line, rule, &cells);
        else
            cells_split(body, delimiter, &cells);
        struct table table = {.delimiter = delimiter};
        if (cells.count < 2 || !title_meaning(&cells, &table, ret_tags))
            continue;
        if (delimiter == 0 && (!*ret_tags || table.column[0].kind != COLUMN_TAG))
            continue;
        *ret_table = table;
        return true;
    }
    return false;
}

/* A row without titles: tag, pool, at least three whole numbers. */
static bool bare_row(const char *line, struct table *ret_table)
{
    static const char delimiters[] = {'\t', '|', ';', ','};
    for (size_t i = 0; i < sizeof delimiters; i++) {
        struct cells cells;
        if (uses(line, delimiters[i]) < 4)
            continue;
        cells_split(line, delimiters[i], &cells);
        const char *first = cells.count > 0 ? scan_blanks(cells.cell[0]) : "";
        const char *word = cells.count > 1 ? cells.cell[1] + strspn(cells.cell[1], " ") : "";
        enum pool pool = POOL_UNKNOWN;
        uint32_t tag = 0;
        size_t numbers = 0;
        for (size_t k = 2; k < cells.count && k < 6; k++) {
            const char *at = cells.cell[k];
            struct number number;
            numbers += scan_number(&at, SCAN_INTEGER, &number) && *scan_blanks(at) == '\0';
        }
        if (numbers < 3 || !scan_pool_word(&word, &pool) || *scan_blanks(word) != '\0' ||
            !scan_tag(first, strlen(first), &tag))
            continue;
        *ret_table = (struct table){
            .delimiter = delimiters[i],
            .count = 7,
            .column = {{COLUMN_TAG, POOL_UNKNOWN, 0},
                       {COLUMN_POOL, POOL_UNKNOWN, 0},
                       {COLUMN_ALLOCS, POOL_UNKNOWN, 0},
                       {COLUMN_FREES, POOL_UNKNOWN, 0},
                       {COLUMN_OUTSTANDING, POOL_UNKNOWN, 0},
                       {COLUMN_BYTES, POOL_UNKNOWN, 0},
                       {COLUMN_SHARE, POOL_UNKNOWN, 0}},
        };
        return true;
    }
    return false;
}

/* ---- rows between blanks ---------------------------------------------------- */

static bool next_number(const char **at, enum scan_style style, bool groups, char cell[CELL_BYTES])
{
    const char *begin = scan_blanks(*at);
    const char *end = begin;
    struct number number;
    if (!scan_number(&end, style, &number))
        return false;
    while (groups && end[0] == ' ' && isdigit((unsigned char)end[1]) &&
           isdigit((unsigned char)end[2]) && isdigit((unsigned char)end[3]) &&
           !isalnum((unsigned char)end[4]))
        end += 4;
    double factor = 0;
    const char *unit = end;
    if (scan_unit(&unit, &factor))
        end = unit;
    if (*end == '%')
        end++;
    if (*end != '\0' && *end != ' ' && *end != '\t')
        return false;
    size_t length = (size_t)(end - begin);
    if (length >= CELL_BYTES)
        return false;
    memcpy(cell, begin, length);
    cell[length] = '\0';
    *at = end;
    return true;
}

/* The tag in front: four characters by column where blanks still hold the columns. */
static size_t blank_tag(const char *line, uint32_t *ret_tag)
{
    const char *at = scan_blanks(line);
    size_t length = scan_word(at);
    size_t four = scan_characters(at, 4);
    bool wide = strstr(at, "  ") != NULL;
    if (wide && four > length && at[four] == ' ' && at[four - 1] != ' ' &&
        scan_tag(at, four, ret_tag))
        return (size_t)(at - line) + four;
    return length > 0 && scan_tag(at, length, ret_tag) ? (size_t)(at - line) + length : 0;
}

/* Cells of a line by the table's columns; false when the line is no row. */
static bool split_blanks(const struct table *table, const char *line, bool groups,
                         struct cells *cells)
{
    const char *at = line;
    cells->count = 0;
    for (size_t i = 0; i < table->count; i++) {
        const struct column *column = &table->column[i];
        at = i == 0 ? line : scan_blanks(at);
        const char *end = at;
        char number[CELL_BYTES];
        uint32_t tag = 0;
        enum pool pool = POOL_UNKNOWN;
        if (*scan_blanks(at) == '\0')
            return i >= 2;
        if (column->kind == COLUMN_TAG) {
            size_t length = blank_tag(at, &tag);
            if (length == 0 || i > 0)
                return false;
            size_t skip = (size_t)(scan_blanks(at) - at);
            cells_put(cells, at + skip, length - skip);
            at += length;
        } else if (column->kind == COLUMN_POOL) {
            if (!scan_pool_word(&end, &pool) || (*end != ' ' && *end != '\t'))
                return false;
            cells_put(cells, at, (size_t)(end - at));
            at = end;
        } else if (column_is_number(column->kind)) {
            if (next_number(&at, table->style, groups, number)) {
                cells_put(cells, number, strlen(number));
            } else if (scan_word(at) <= 3 && strchr("-n?", *at) != NULL) {
                cells_put(cells, "", 0); /* "-" and "n/a" */
                at += scan_word(at);
            } else {
                return false;
            }
        } else {
            const char *gap = strstr(at, "  ");
            size_t length = i + 1 == table->count ? strlen(at)
                            : gap != NULL         ? (size_t)(gap - at)
                                                  : scan_word(at);
            cells_put(cells, at, length);
            at += length;
        }
    }
    return true;
}

static bool row_cells(const struct table *table, const char *line, struct cells *ret_cells)
{
    if (table->delimiter != 0) {
        if (uses(line, table->delimiter) == 0)
            return false;
        const char *body = table->delimiter == '\t' ? line : line + strspn(line, "\t");
        cells_split(body, table->delimiter, ret_cells);
        return ret_cells->count >= 2;
    }
    bool plain = split_blanks(table, line, false, ret_cells);
    if (plain && ret_cells->count > 0 && ret_cells->count == table->count) {
        /* numbers left over at the end: blanks were separators of thousands */
        struct cells grouped;
        if (table->column[table->count - 1].kind == COLUMN_TEXT ||
            !split_blanks(table, line, true, &grouped))
            return true;
        const char *last = ret_cells->cell[ret_cells->count - 1];
        size_t length = strlen(line);
        size_t tail = strlen(last);
        if (length >= tail && strcmp(line + length - tail, last) != 0)
            *ret_cells = grouped;
        return true;
    }
    return plain || split_blanks(table, line, true, ret_cells);
}

/* ---- rows ---------------------------------------------------------------------------------- */

/* One line of figures over time. */
static bool keep_point(struct report *report, const struct table *table, const struct cells *cells)
{
    bool kept = false;
    for (size_t i = 0; i < cells->count && i < table->count; i++) {
        const struct column *column = &table->column[i];
        bool pool = column->kind == COLUMN_BYTES && column->pool != POOL_UNKNOWN;
        double bytes = 0;
        if ((pool || column->kind == COLUMN_AVAILABLE) &&
            column_bytes(column, cells->cell[i], table->style, &bytes)) {
            report_point(report, pool ? column->pool : POOL_COUNT, bytes);
            kept = true;
        }
    }
    return kept;
}

/* ---- tables turned round ---------------------------------------------------- */

/* "`Irp ` allocations | 10,862,955 | 3,913": rows are figures, columns are moments. */
static bool turned_line(const char *line, uint32_t *ret_tag, struct column *ret_column,
                        struct cells *cells)
{
    if (uses(line, '|') < 2)
        return false;
    cells_split(line, '|', cells);
    const char *cell = cells->count > 1 ? cells->cell[0] + strspn(cells->cell[0], "* ") : "";
    if (*cell != '`')
        return false;
    size_t length = strcspn(cell + 1, "`");
    if (cell[1 + length] != '`' || !scan_tag(cell + 1, length, ret_tag))
        return false;
    const char *rest = scan_blanks(cell + length + 2);
    *ret_column = column_of(rest, strlen(rest));
    if (ret_column->kind == COLUMN_ALLOCS && strcasestr(rest, "allocation") != NULL &&
        strcasestr(rest, "total") == NULL)
        ret_column->kind = COLUMN_OUTSTANDING;
    double bytes = 0;
    return column_is_number(ret_column->kind) && ret_column->kind != COLUMN_SHARE &&
           column_bytes(ret_column, cells->cell[1], SCAN_POINT, &bytes);
}

static struct diagnose_row *row_of(struct parse *parse, struct report *report, uint32_t tag)
{
    for (size_t i = 0; i < report->out.row_count && i < 64; i++)
        if (report->out.rows[i].tag == tag)
            return &report->out.rows[i];
    return report_row(parse, report, tag, POOL_UNKNOWN);
}

static size_t read_turned(struct parse *parse, size_t at)
{
    struct report *report = report_new(parse, "table");
    enum scan_style style = scan_style_of(parse->lines + at, 1);
    uint32_t tag = 0;
    struct column column;
    struct cells cells;
    for (; at < parse->count && turned_line(parse->lines[at], &tag, &column, &cells); at++) {
        struct diagnose_row *row = row_of(parse, report, tag);
        column_put(&column, cells.cell[1], style, row);
        if (column.pool != POOL_UNKNOWN)
            row->pool = column.pool;
    }
    return at;
}

/* ---- block ----------------------------------------------------------------------------------- */

static bool table_starts(const struct parse *parse, size_t at)
{
    struct table table;
    struct column column;
    struct cells cells;
    uint32_t tag = 0;
    bool tags = false;
    const char *line = parse->lines[at];
    return titles(parse, at, &table, &tags) || bare_row(line, &table) ||
           turned_line(line, &tag, &column, &cells);
}

/* "--- total tagged nonpaged = 21982 MB", "Total,,5,3,2,1234": the sum in bytes of one pool. */
static void keep_sum(struct parse *parse, struct report *report, const char *line)
{
    const char *total = scan_find(line, "total");
    enum pool pool = total == NULL ? POOL_UNKNOWN : scan_pool_in(line);
    if (pool == POOL_UNKNOWN)
        return;
    const char *at = total + strcspn(total, "0123456789");
    struct number number;
    double factor = 0;
    int64_t bytes = 0;
    if (scan_number(&at, SCAN_POINT, &number) && scan_unit(&at, &factor) &&
        number_scaled(&number, factor, &bytes))
        report_total(parse, report, pool == POOL_NONPAGED ? "nonpaged_used" : "paged_used", bytes);
}

static size_t read_lines(struct parse *parse, size_t at, struct report *report,
                         const struct table *table, bool tags)
{
    size_t end = at;
    size_t junk = 0;
    for (; at < parse->count && junk <= JUNK_MAX; at++) {
        const char *line = parse->lines[at];
        struct cells cells;
        bool kept = false;
        if (parse_is_blank(parse, at) || cells_is_rule(line))
            continue;
        if (row_cells(table, line, &cells))
            kept = tags ? table_keep_row(parse, report, table, &cells)
                        : keep_point(report, table, &cells);
        if (kept) {
            end = at + 1;
            junk = 0;
            continue;
        }
        if (table_starts(parse, at) || parse_other_starts(parse, at, &reader_table))
            return at;
        keep_sum(parse, report, line);
        junk++;
    }
    return end;
}

static size_t table_read(struct parse *parse, size_t at)
{
    struct table table;
    bool tags = false;
    size_t from = at;
    if (titles(parse, at, &table, &tags))
        at++;
    else if (bare_row(parse->lines[at], &table))
        tags = true;
    else
        return read_turned(parse, at);
    size_t left = parse->count - at;
    table.style = scan_style_of(parse->lines + at, left < STYLE_LINES ? left : STYLE_LINES);
    struct report *report = report_new(parse, table.delimiter == 0 ? "table" : "csv");
    at = read_lines(parse, at, report, &table, tags);
    if (report->out.row_count == 0 && report->series_count == 0 && parse->report_count > 0)
        parse->report_count--;
    return at > from ? at : from + 1;
}

const struct reader reader_table = {"table", table_starts, table_read};
