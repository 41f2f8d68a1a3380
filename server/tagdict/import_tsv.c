/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a list of tags with columns parted by tabs: that of schema/pooltags.tsv (pattern, pool,
 * driver, look_at, description), or three columns (pattern, driver, description). "-" and nothing
 * stand for "not known", "#" begins a remark, a line that begins with "pattern" names the columns.
 */
#include "server/tagdict/tagdict.h"

#include "common/limits.h"
#include "common/strbuf.h"
#include "server/tagdict/pattern.h"

#include <string.h>

#define COLUMNS_MAX 5

bool tagdict_is_tsv(const char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        const char *end = memchr(text + at, '\n', length - at);
        size_t line = end == NULL ? length - at : (size_t)(end - text) - at;
        size_t tabs = 0;
        for (size_t i = 0; i < line; i++)
            tabs += text[at + i] == '\t';
        if (line > 1 && text[at] != '#')
            return tabs == 2 || tabs == 4;
        at += line + 1;
    }
    return false;
}

/* Cuts the line at its tabs; returns how many columns it has, more than COLUMNS_MAX included. */
static size_t cut(char *line, char *columns[COLUMNS_MAX])
{
    size_t count = 0;
    for (char *at = line; at != NULL; count++) {
        char *tab = strchr(at, '\t');
        if (tab != NULL)
            *tab = '\0';
        if (count < COLUMNS_MAX)
            columns[count] = at;
        at = tab == NULL ? NULL : tab + 1;
    }
    return count;
}

static const char *value_of(const char *column)
{
    return column[0] == '\0' || strcmp(column, "-") == 0 ? NULL : column;
}

/* NULL: added; else why not. *ret_status is a failure that no other line would escape. */
static const char *add_line(struct tagdict *dict, char *line, enum status *ret_status,
                            struct err *err)
{
    char *columns[COLUMNS_MAX];
    size_t count = cut(line, columns);
    struct tagdict_entry entry = {.source = "imported"};
    struct err unused;
    *ret_status = ST_OK;
    if (count != 3 && count != COLUMNS_MAX)
        return "three or five columns are wanted";
    if (!pattern_parse(columns[0], strlen(columns[0]), &entry.tag, &entry.any))
        return "not a tag";
    entry.driver = value_of(columns[count == 3 ? 1 : 2]);
    entry.description = value_of(columns[count - 1]);
    entry.pool = count == 3 ? NULL : value_of(columns[1]);
    entry.look_at = count == 3 ? NULL : value_of(columns[3]);
    if (entry.driver == NULL && entry.description == NULL)
        return "neither driver nor description";
    *ret_status = tagdict_add(dict, &entry, &unused);
    if (*ret_status != ST_INVALID) {
        if (*ret_status != ST_OK && err != NULL)
            *err = unused;
        return NULL;
    }
    *ret_status = ST_OK;
    return strcmp(unused.field, "pool") == 0      ? "no such pool"
           : strcmp(unused.field, "look_at") == 0 ? "no such place to look at"
                                                  : "not an entry";
}

static enum status import_line(struct tagdict *dict, const char *text, size_t length,
                               tagdict_complaint complain, void *arg, struct tagdict_import *counts,
                               struct err *err)
{
    AUTO_FREE char *line = strndup(text, length);
    enum status status = ST_OK;
    if (line == NULL)
        return err_set(err, ST_NOMEM, "could not read the tag list: out of memory");
    line[strcspn(line, "\r")] = '\0';
    counts->lines++;
    if (line[0] == '#' || line[0] == '\0' || strncmp(line, "pattern\t", 8) == 0) {
        counts->comments++;
        return ST_OK;
    }
    const char *why = add_line(dict, line, &status, err);
    if (status != ST_OK)
        return status;
    if (why == NULL) {
        counts->entries++;
        return ST_OK;
    }
    counts->refused++;
    if (complain != NULL)
        complain(arg, counts->lines, text, length, why);
    return ST_OK;
}

enum status tagdict_import_tsv(struct tagdict *dict, const char *text, size_t length,
                               tagdict_complaint complain, void *arg,
                               struct tagdict_import *ret_import, struct err *err)
{
    struct tagdict_import counts = {0};
    enum status status = ST_OK;
    if (length > LIMIT_BODY_BYTES)
        return err_set(err, ST_TOO_LARGE, "could not read the tag list: more than %u bytes",
                       (unsigned)LIMIT_BODY_BYTES);
    for (size_t at = 0; status == ST_OK && at < length;) {
        const char *end = memchr(text + at, '\n', length - at);
        size_t line = end == NULL ? length - at : (size_t)(end - text) - at;
        status = import_line(dict, text + at, line, complain, arg, &counts, err);
        at += line + 1;
    }
    if (status == ST_OK)
        *ret_import = counts;
    return status;
}
