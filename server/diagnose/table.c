/* SPDX-License-Identifier: Apache-2.0 */
#include "server/diagnose/table.h"

#include <ctype.h>
#include <string.h>

/* ---- cells ----------------------------------------------------------------------------------- */

void cells_put(struct cells *cells, const char *text, size_t length)
{
    if (cells->count == CELLS_MAX)
        return;
    if (length >= CELL_BYTES)
        length = CELL_BYTES - 1;
    memcpy(cells->cell[cells->count], text, length);
    cells->cell[cells->count++][length] = '\0';
}

/* A cell in quotes, doubled quotes inside; where it goes on, or NULL when it never ends. */
static const char *quoted_cell(const char *at, char delimiter, struct cells *cells)
{
    char cell[CELL_BYTES];
    size_t used = 0;
    for (at++; *at != '\0'; at++) {
        if (*at == '"' && at[1] == '"')
            at++;
        else if (*at == '"')
            break;
        if (used + 1 < sizeof cell)
            cell[used++] = *at;
    }
    if (*at != '"' || (at[1] != delimiter && at[1] != '\0' && at[1] != ' '))
        return NULL;
    cells_put(cells, cell, used);
    return at + 1 + strspn(at + 1, " ");
}

static void split_delimited(const char *line, char delimiter, struct cells *ret_cells)
{
    ret_cells->count = 0;
    const char *at = line;
    while (ret_cells->count < CELLS_MAX) {
        const char *next = *at == '"' ? quoted_cell(at, delimiter, ret_cells) : NULL;
        if (next == NULL) {
            next = strchr(at, delimiter);
            next = next == NULL ? at + strlen(at) : next;
            cells_put(ret_cells, at, (size_t)(next - at));
        }
        if (*next != delimiter)
            return;
        at = next + 1;
    }
}

/* Markdown: the blanks around a cell and the bars at both ends are decoration. */
static void split_bars(const char *line, struct cells *ret_cells)
{
    ret_cells->count = 0;
    const char *at = scan_blanks(line);
    at += *at == '|';
    while (*at != '\0' && ret_cells->count < CELLS_MAX) {
        size_t length = strcspn(at, "|");
        const char *cell = at;
        size_t trimmed = length;
        while (trimmed > 0 && strchr(" \t", cell[0]) != NULL) {
            cell++;
            trimmed--;
        }
        while (trimmed > 0 && strchr(" \t", cell[trimmed - 1]) != NULL)
            trimmed--;
        cells_put(ret_cells, cell, trimmed);
        at += length + (at[length] == '|');
    }
}

void cells_split(const char *line, char delimiter, struct cells *ret_cells)
{
    if (delimiter == '|')
        split_bars(line, ret_cells);
    else
        split_delimited(line, delimiter, ret_cells);
}

/* Titles between blanks: two blanks or more part them; if the blanks were collapsed, every word is
 * one, and "Per Alloc" or "Source Description" are joined again. */
static void split_words(const char *line, struct cells *ret_cells)
{
    static const char *const pairs[][2] = {
        {"Per", "Alloc"}, {"Source", "Description"}, {"Pool", "Tag"},   {"Pool", "Type"},
        {"Non", "Paged"}, {"Per", "Allocation"},     {"Paged", "Pool"}, {"Pool", "Bytes"}};
    bool wide = strstr(scan_blanks(line), "  ") != NULL;
    ret_cells->count = 0;
    for (const char *at = scan_blanks(line); *at != '\0'; at = scan_blanks(at)) {
        size_t length = scan_word(at);
        while (wide && at[length] == ' ' && at[length + 1] != ' ' && at[length + 1] != '\0')
            length += 1 + scan_word(at + length + 1);
        /* one blank may part two titles too, where a column is full */
        struct column column = column_of(at, length);
        if (wide &&
            (column.kind == COLUMN_UNKNOWN || scan_starts(at, "Tag ") || scan_starts(at, "Type ")))
            length = scan_word(at);
        for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
            const char *second = scan_blanks(at + length);
            if (length == strlen(pairs[i][0]) && scan_starts(at, pairs[i][0]) &&
                scan_word(second) == strlen(pairs[i][1]) && scan_starts(second, pairs[i][1]))
                length = (size_t)(second - at) + scan_word(second);
        }
        cells_put(ret_cells, at, length);
        at += length;
    }
}

bool cells_is_rule(const char *line)
{
    return line[strspn(line, " \t|:-=+")] == '\0' && strstr(line, "--") != NULL;
}

/* Format-Table draws a line under each title: it tells where one title ends and the next begins.
 * Only for titles of one byte to a column. */
static bool split_ruled(const char *line, const char *rule, struct cells *ret_cells)
{
    size_t length = strlen(line);
    ret_cells->count = 0;
    if (rule == NULL || !cells_is_rule(rule) || strpbrk(rule, "|:+\t") != NULL)
        return false;
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)line[i] & 0x80u) != 0)
            return false;
    for (size_t at = strspn(rule, " "); rule[at] != '\0';) {
        size_t run = strspn(rule + at, "-=");
        size_t next = at + run + strspn(rule + at + run, " ");
        if (at >= length || run == 0 || (at > 0 && line[at - 1] != ' '))
            return false;
        size_t width = (rule[next] == '\0' ? length : next < length ? next : length) - at;
        while (width > 0 && line[at + width - 1] == ' ')
            width--;
        cells_put(ret_cells, line + at, width);
        at = next;
    }
    return ret_cells->count >= 2;
}

void cells_split_titles(const char *line, const char *rule, struct cells *ret_cells)
{
    if (!split_ruled(line, rule, ret_cells))
        split_words(line, ret_cells);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static bool cell_tag(const struct cells *cells, size_t i, uint32_t *ret_tag)
{
    const char *cell = cells->cell[i];
    size_t length = strlen(cell);
    const char *mark = strpbrk(cell, "`");
    if (mark != NULL && mark[1] != '\0') { /* `D2d ` keeps its blank */
        size_t inner = strcspn(mark + 1, "`");
        if (mark[1 + inner] == '`')
            return scan_tag(mark + 1, inner, ret_tag);
    }
    if (scan_characters(cell, 4) == length && length > 0)
        return scan_tag(cell, length, ret_tag);
    const char *begin = cell + strspn(cell, " *\t");
    length = strlen(begin);
    while (length > 0 && strchr(" *\t", begin[length - 1]) != NULL)
        length--;
    uint64_t hex = 0;
    const char *end = begin;
    if (length == 10 && begin[0] == '0' && begin[1] == 'x' && scan_hex(&end, &hex) &&
        end == begin + length) { /* the number that Windows holds: 0x6b61654c is "Leak" */
        *ret_tag = (uint32_t)hex & ~TAG_PROTECTED;
        return true;
    }
    return length > 0 && scan_tag(begin, length, ret_tag);
}

static void find_text(struct parse *parse, const struct table *table, const struct cells *cells,
                      const char **ret_text)
{
    char text[2 * CELL_BYTES + 8];
    size_t used = 0;
    for (size_t i = 0; i < cells->count && i < table->count; i++) {
        size_t length = strlen(cells->cell[i]);
        if (table->column[i].kind != COLUMN_TEXT || length == 0 || used + length + 4 >= sizeof text)
            continue;
        if (used > 0) {
            memcpy(text + used, " - ", 3);
            used += 3;
        }
        memcpy(text + used, cells->cell[i], length);
        used += length;
    }
    if (used > 0)
        *ret_text = parse_text(parse, text, used);
}

/* One line of a tag table: one row, or one for each pool that has columns of its own. */
bool table_keep_row(struct parse *parse, struct report *report, const struct table *table,
                    const struct cells *cells)
{
    uint32_t tag = 0;
    bool tagged = false;
    enum pool row_pool = POOL_UNKNOWN;
    struct diagnose_row made[POOL_COUNT + 1];
    size_t numbers[POOL_COUNT + 1] = {0};
    for (size_t i = 0; i <= POOL_COUNT; i++)
        made[i] = (struct diagnose_row){
            0, (enum pool)i, NUMBER_UNKNOWN, NUMBER_UNKNOWN, NUMBER_UNKNOWN, NUMBER_UNKNOWN, NULL};
    for (size_t i = 0; i < cells->count && i < table->count; i++) {
        const struct column *column = &table->column[i];
        if (column->kind == COLUMN_TAG)
            tagged = cell_tag(cells, i, &tag);
        else if (column->kind == COLUMN_POOL)
            row_pool = scan_pool_in(cells->cell[i]);
        else if (column->kind == COLUMN_ALLOCS || column->kind == COLUMN_FREES ||
                 column->kind == COLUMN_OUTSTANDING || column->kind == COLUMN_BYTES ||
                 column->kind == COLUMN_SIZE)
            numbers[column->pool] +=
                column_put(column, cells->cell[i], table->style, &made[column->pool]);
    }
    if (!tagged || numbers[0] + numbers[1] + numbers[2] == 0)
        return false;
    const char *text = NULL;
    find_text(parse, table, cells, &text);
    /* columns without a pool in their title belong to the one pool that is named, if it is one */
    bool both = numbers[POOL_NONPAGED] > 0 && numbers[POOL_PAGED] > 0;
    for (size_t i = 0; i <= POOL_COUNT; i++) {
        if (numbers[i] == 0 || (i == POOL_UNKNOWN && both))
            continue;
        struct diagnose_row whole = made[i];
        if (i == POOL_UNKNOWN && numbers[POOL_NONPAGED] + numbers[POOL_PAGED] > 0)
            continue;
        if (i != POOL_UNKNOWN && !both) {
            const struct diagnose_row *other = &made[POOL_UNKNOWN];
            whole.allocs = whole.allocs == NUMBER_UNKNOWN ? other->allocs : whole.allocs;
            whole.frees = whole.frees == NUMBER_UNKNOWN ? other->frees : whole.frees;
            whole.outstanding =
                whole.outstanding == NUMBER_UNKNOWN ? other->outstanding : whole.outstanding;
            whole.bytes = whole.bytes == NUMBER_UNKNOWN ? other->bytes : whole.bytes;
        }
        struct diagnose_row *row =
            report_row(parse, report, tag, i == POOL_UNKNOWN ? row_pool : (enum pool)i);
        whole.tag = tag;
        whole.pool = row->pool;
        whole.description = text;
        *row = whole;
    }
    return true;
}
