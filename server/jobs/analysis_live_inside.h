/* SPDX-License-Identifier: Apache-2.0 */
/* What the live analysis knows of each host. Internal to analysis_live.c and analysis_checkpoint.c.
 */
#ifndef SERVER_JOBS_ANALYSIS_LIVE_INSIDE_H
#define SERVER_JOBS_ANALYSIS_LIVE_INSIDE_H

#include "server/analyze/kept.h"
#include "server/jobs/analysis_live.h"
#include "server/store/store_facts.h"

struct entry {
    int64_t key;
    struct kept *kept; /* NULL: never read */
    bool wanted;       /* to be read from cold */
    bool facts;        /* to be told again */
    bool news;         /* documents since it was stored */
    int64_t since_us;  /* when that became so, or when it was read last */
    int64_t stored_us; /* received_at of its checkpoint; TIME_UNKNOWN: it has none */
    unsigned char attributes[FACTS_DIGEST_BYTES];
    unsigned char drivers[FACTS_DIGEST_BYTES];
};

struct analysis_live {
    struct analysis *analysis; /* NULL until the first pass */
    struct entry *entries;     /* by key */
    size_t count;
    int64_t mark_us; /* what was received up to then was taken in; TIME_UNKNOWN: nothing */
    bool complete;
};

/* Of a pass that has nothing yet, with `mark_us` now: entries of the hosts that have a checkpoint
 * from which what has arrived since since_us leads on, and the mark from which on it is to be
 * taken in. Those refused are counted, and read from cold by whoever finds them missing. */
enum status checkpoint_load(struct analysis_live *live, struct db *db, int64_t since_us,
                            const atomic_bool *stop, struct analysis_live_pass *told,
                            struct err *err) MUST_CHECK;

#endif
