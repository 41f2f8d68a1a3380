/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One snapshot as a table for the console, in the manner people know from poolmon: tag, type,
 * allocs, frees, diff, bytes, per alloc, driver; with its filters and sort keys. Also CSV. Pure.
 * What reads poolmon's screens reads these.
 */
#ifndef AGENT_CORE_POOLMON_H
#define AGENT_CORE_POOLMON_H

#include "common/snapshot.h"
#include "common/strbuf.h"

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
    /* Sort by the change since `before` instead of the value, largest first; by tag: by the change
     * in bytes. Without `before`: by the value. */
    bool by_change;
    bool nonpaged;
    bool paged;  /* neither: both */
    bool totals; /* a line of totals per pool at the end, of the rows that pass the filters */
    size_t rows; /* 0: all */
    size_t include_count, exclude_count;
    /* Patterns over the four bytes: '*' any run, '?' one byte, \xNN a byte; case counts, and blanks
     * at the end may be left out. Borrowed. */
    const char *include[POOLMON_FILTERS_MAX];
    const char *exclude[POOLMON_FILTERS_MAX];
    const char *simulated; /* NULL, or a line that stands on top: where the data comes from */
};

/* poolmon's own options (with '/' or '-'): iTAG xTAG p ( ) t a f d m b e, and without effect l and
 * g; ours: --include=PATTERN --exclude=PATTERN --pool=nonpaged|paged|both
 * --sort=tag|allocs|frees|diff|bytes|per-alloc --by-change --totals --rows=N. Takes one argument,
 * which must outlive the options. ST_NOT_FOUND: not one of these; ST_INVALID: bad value, or an
 * option of poolmon's that we do not have, with the reason. */
enum status poolmon_option(struct poolmon_options *options, const char *argument,
                           struct err *err) MUST_CHECK;
/* before: NULL, or an earlier snapshot of the same boot: changes are shown in parentheses, counts
 * modulo 2^32, bytes with their sign. owner(): driver text of a tag, or NULL; the function may be
 * NULL. Check strbuf_failed. */
void poolmon_print(const struct snapshot *now, const struct snapshot *before,
                   const struct poolmon_options *options,
                   const char *(*owner)(void *arg, uint32_t tag), void *arg, struct strbuf *out);
/* tag,pool,allocs,frees,outstanding,bytes with a header line (RFC 4180: lines end in CR LF). Tags
 * are always quoted, since blanks count. Simulated data has a further column "simulated". */
void poolmon_print_csv(const struct snapshot *now, const struct poolmon_options *options,
                       struct strbuf *out);

#endif
