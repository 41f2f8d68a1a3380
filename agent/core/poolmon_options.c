/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of the table: poolmon's own options and ours. */
#include "agent/core/poolmon.h"
#include "common/limits.h"

#include <string.h>

#define ROWS_MAX ((size_t)2 * LIMIT_TABLE_ROWS) /* both pools */

static enum status add_pattern(const char **patterns, size_t *count, const char *pattern,
                               struct err *err)
{
    if (*pattern == '\0')
        return err_set(err, ST_INVALID, "could not filter by tag: no tag is given");
    if (*count == POOLMON_FILTERS_MAX)
        return err_set(err, ST_INVALID, "could not filter by tag \"%s\": more than %d filters",
                       pattern, POOLMON_FILTERS_MAX);
    patterns[(*count)++] = pattern;
    return ST_OK;
}

static const struct {
    const char *name;
    enum poolmon_sort sort;
    char key; /* poolmon's */
} sorts[] = {
    {"tag", POOLMON_BY_TAG, 't'},     {"allocs", POOLMON_BY_ALLOCS, 'a'},
    {"frees", POOLMON_BY_FREES, 'f'}, {"diff", POOLMON_BY_DIFF, 'd'},
    {"bytes", POOLMON_BY_BYTES, 'b'}, {"per-alloc", POOLMON_BY_PER_ALLOC, 'm'},
};

static const struct {
    char key;
    const char *reason;
} missing[] = {
    {'s', "session pools are not in this table"},
    {'c', "driver names come from scanning, see scan-drivers"},
    {'n', "redirect the output to a file instead"},
};

/* The first /p shows nonpaged pool, the second paged, the third both again. */
static void next_pool(struct poolmon_options *options)
{
    bool none = !options->nonpaged && !options->paged;
    options->paged = options->nonpaged && !options->paged;
    options->nonpaged = none;
}

/* A letter behind '/' or '-'. */
static enum status short_option(struct poolmon_options *options, const char *letter,
                                const char *argument, struct err *err)
{
    if (*letter == 'i')
        return add_pattern(options->include, &options->include_count, letter + 1, err);
    if (*letter == 'x')
        return add_pattern(options->exclude, &options->exclude_count, letter + 1, err);
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        if (missing[i].key == *letter)
            return err_set(err, ST_INVALID, "could not use option \"%s\": %s", argument,
                           missing[i].reason);
    }
    if (letter[0] == '\0' || letter[1] != '\0')
        return err_set(err, ST_NOT_FOUND, "unknown option \"%s\"", argument);
    for (size_t i = 0; i < sizeof sorts / sizeof *sorts; i++) {
        if (sorts[i].key == *letter) {
            options->sort = sorts[i].sort;
            return ST_OK;
        }
    }
    switch (*letter) {
    case 'p':
        next_pool(options);
        return ST_OK;
    case 'e':
        options->totals = true;
        return ST_OK;
    case '(':
    case ')':
        options->by_change = true;
        return ST_OK;
    case 'l': /* highlighting, and drivers by tag: the first we do not do, the second always */
    case 'g':
        return ST_OK;
    default:
        return err_set(err, ST_NOT_FOUND, "unknown option \"%s\"", argument);
    }
}

static enum status set_sort(struct poolmon_options *options, const char *value, struct err *err)
{
    for (size_t i = 0; i < sizeof sorts / sizeof *sorts; i++) {
        if (strcmp(sorts[i].name, value) == 0) {
            options->sort = sorts[i].sort;
            return ST_OK;
        }
    }
    return err_set(
        err, ST_INVALID,
        "could not sort by \"%s\": not one of tag, allocs, frees, diff, bytes, per-alloc", value);
}

static enum status set_pool(struct poolmon_options *options, const char *value, struct err *err)
{
    enum pool pool = POOL_UNKNOWN;
    if (strcmp(value, "both") != 0 && !pool_parse(value, &pool))
        return err_set(err, ST_INVALID,
                       "could not show pool \"%s\": not one of nonpaged, paged, both", value);
    options->nonpaged = pool == POOL_NONPAGED;
    options->paged = pool == POOL_PAGED;
    return ST_OK;
}

static enum status set_rows(struct poolmon_options *options, const char *value, struct err *err)
{
    size_t rows = 0;
    const char *at = value;
    for (; *at >= '0' && *at <= '9' && rows <= ROWS_MAX; at++)
        rows = rows * 10 + (size_t)(*at - '0');
    if (at == value || *at != '\0')
        return err_set(err, ST_INVALID, "could not limit rows to \"%s\": not a number up to %u",
                       value, (unsigned)ROWS_MAX);
    options->rows = rows;
    return ST_OK;
}

static enum status add_include(struct poolmon_options *options, const char *value, struct err *err)
{
    return add_pattern(options->include, &options->include_count, value, err);
}

static enum status add_exclude(struct poolmon_options *options, const char *value, struct err *err)
{
    return add_pattern(options->exclude, &options->exclude_count, value, err);
}

enum status poolmon_option(struct poolmon_options *options, const char *argument, struct err *err)
{
    static const struct {
        const char *prefix;
        enum status (*set)(struct poolmon_options *options, const char *value, struct err *err);
    } valued[] = {{"--include=", add_include},
                  {"--exclude=", add_exclude},
                  {"--pool=", set_pool},
                  {"--sort=", set_sort},
                  {"--rows=", set_rows}};
    for (size_t i = 0; i < sizeof valued / sizeof *valued; i++) {
        size_t length = strlen(valued[i].prefix);
        if (strncmp(argument, valued[i].prefix, length) == 0)
            return valued[i].set(options, argument + length, err);
    }
    if (strcmp(argument, "--by-change") == 0) {
        options->by_change = true;
        return ST_OK;
    }
    if (strcmp(argument, "--totals") == 0) {
        options->totals = true;
        return ST_OK;
    }
    if ((argument[0] == '/' || argument[0] == '-') && argument[1] != '-')
        return short_option(options, argument + 1, argument, err);
    return err_set(err, ST_NOT_FOUND, "unknown option \"%s\"", argument);
}
