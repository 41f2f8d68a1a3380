/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records: one "key: value" to a line, as Format-List, JSON and people's own scripts print them. A
 * tag begins the next record.
 */
#include "server/diagnose/table.h"

#include <string.h>

/* "Tag: NtFC", "Allocs : 12", "NonpagedBytes=3". The value, or NULL. */
static const char *key_value(const char *line, struct column *ret_column)
{
    const char *key = line + strspn(line, " \t*\"{,");
    size_t length = strcspn(key, ":=");
    if (length == 0 || length > 60 || key[length] == '\0')
        return NULL;
    const char *value = scan_blanks(key + length + 1);
    size_t name = length;
    while (name > 0 && strchr(" \t*\"", key[name - 1]) != NULL)
        name--;
    *ret_column = column_of(key, name);
    return ret_column->kind == COLUMN_UNKNOWN ? NULL : value;
}

static bool record_tag(const char *line, uint32_t *ret_tag)
{
    struct column column;
    const char *value = key_value(line, &column);
    if (value == NULL || column.kind != COLUMN_TAG)
        return false;
    const char *mark = value + strspn(value, "`'\"*");
    size_t length = strcspn(mark, "`'\"*\t,");
    if (mark == value) { /* no quotes around: blanks at the end were cut */
        length = strlen(value);
        while (length > 0 && strchr(" \t,", value[length - 1]) != NULL)
            length--;
    }
    return length > 0 && scan_tag(mark, length, ret_tag);
}

static bool record_starts(const struct parse *parse, size_t at)
{
    uint32_t tag = 0;
    if (!record_tag(parse->lines[at], &tag))
        return false;
    for (size_t i = at + 1; i < parse->count && i < at + 6; i++) {
        struct column column;
        if (key_value(parse->lines[i], &column) != NULL)
            return column.kind != COLUMN_TAG;
    }
    return false;
}

static void record_done(struct parse *parse, struct report *report, struct cells *cells,
                        struct table *table)
{
    if (table->count > 1)
        table_keep_row(parse, report, table, cells);
    table->count = 0;
    cells->count = 0;
}

static size_t record_read(struct parse *parse, size_t at)
{
    struct report *report = report_new(parse, "record");
    size_t left = parse->count - at;
    struct table table = {.delimiter = ':'};
    table.style = scan_style_of(parse->lines + at, left < STYLE_LINES ? left : STYLE_LINES);
    struct cells cells = {0};
    size_t junk = 0;
    size_t end = at + 1;
    for (; at < parse->count && junk <= 2; at++) {
        const char *line = parse->lines[at];
        struct column column;
        uint32_t tag = 0;
        const char *value = key_value(line, &column);
        if (parse_is_blank(parse, at))
            continue;
        if (value == NULL) {
            if (parse_other_starts(parse, at, &reader_record))
                break;
            junk++;
            continue;
        }
        if (record_tag(line, &tag)) {
            char text[TAG_TEXT_MAX];
            record_done(parse, report, &cells, &table);
            tag_format(tag, text);
            cells_put(&cells, text, strlen(text));
        } else if (cells.count == 0) {
            break;
        } else {
            cells_put(&cells, value, strlen(value));
        }
        if (table.count < CELLS_MAX)
            table.column[table.count++] = column;
        end = at + 1;
        junk = 0;
    }
    record_done(parse, report, &cells, &table);
    if (report->out.row_count == 0 && parse->report_count > 0)
        parse->report_count--;
    return end;
}

const struct reader reader_record = {"record", record_starts, record_read};
