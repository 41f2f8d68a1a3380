/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One snapshot as a table for the console, in the manner people know from poolmon: tag, type,
 * allocs, frees, diff, bytes, per alloc, driver; with its filters and sort keys. Also CSV. Pure.
 */
#ifndef AGENT_CORE_POOLMON_H
#define AGENT_CORE_POOLMON_H

#include "common/snapshot.h"

enum poolmon_sort {
    POOLMON_BY_TAG,
    POOLMON_BY_ALLOCS,
    POOLMON_BY_FREES,
    POOLMON_BY_DIFF,
    POOLMON_BY_BYTES,
    POOLMON_BY_PER_ALLOC
};

#define POOLMON_FILTERS_MAX 32

struct poolmon_options {
    enum poolmon_sort sort;
    bool by_change; /* sort by the change since `before` instead of the value */
    bool nonpaged;
    bool paged;  /* neither: both */
    bool totals; /* a line of totals per pool at the end */
    size_t rows; /* 0: all */
    size_t include_count, exclude_count;
    const char *include[POOLMON_FILTERS_MAX]; /* patterns: '*' any run, '?' one character */
    const char *exclude[POOLMON_FILTERS_MAX];
    const char *simulated; /* NULL, or a line that stands on top: where the data comes from */
};

/* poolmon's own options and ours: "/iTag", "-xTag", "/p", "/b", "--sort bytes", ... Takes one
 * argument; ST_NOT_FOUND: not one of poolmon's; ST_INVALID: bad value. */
enum status poolmon_option(struct poolmon_options *options, const char *argument,
                           struct err *err) MUST_CHECK;
/* before: NULL, or an earlier snapshot: changes are shown in parentheses. owner(): driver text of a
 * tag, or NULL. */
void poolmon_print(const struct snapshot *now, const struct snapshot *before,
                   const struct poolmon_options *options,
                   const char *(*owner)(void *arg, uint32_t tag), void *arg, struct strbuf *out);
/* tag,pool,allocs,frees,outstanding,bytes with a header line (RFC 4180). */
void poolmon_print_csv(const struct snapshot *now, const struct poolmon_options *options,
                       struct strbuf *out);

#endif
