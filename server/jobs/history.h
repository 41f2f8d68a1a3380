/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The long history: when a day is over, each host's totals by the hour and its largest tags go into
 * plain tables (host_hour, host_pool_day), which outlive the snapshots and can be read with SQL
 * alone. Not every tag: the HISTORY_LARGEST of each pool and HISTORY_GROWN others that grew most,
 * which is what keeps it at a tenth of what the snapshots take.
 *
 * A pass can be broken off anywhere: what has no history yet is found again.
 */
#ifndef SERVER_JOBS_HISTORY_H
#define SERVER_JOBS_HISTORY_H

#include "common/snapshot.h"
#include "server/store/store_history.h"

#include <stdatomic.h>

#define HISTORY_LARGEST 48
#define HISTORY_GROWN   16
/* A day is taken so long after its end: documents of the last hour have come by then. */
#define HISTORY_SETTLE_US US_PER_HOUR

/* One day of one host. Zeroes are empty and valid. */
struct history_day {
    struct history_row *rows;
    size_t count;
    size_t capacity;
};
void history_day_done(struct history_day *day);
/* The complete tables of the newest snapshot of an hour (0 to 23). */
enum status history_day_add(struct history_day *day, size_t hour,
                            const struct snapshot_table table[POOL_COUNT]) MUST_CHECK;
/* Leaves the rows that are kept: by pool, largest first. Nothing can be added afterwards. */
void history_day_choose(struct history_day *day);

struct history_options {
    int64_t now_us;
    int64_t oldest_us; /* nothing before that; a retention */
    int64_t whole_us;  /* days that begin before it have lost snapshots to retention: they stay as
                          they are, whatever arrives for them */
    int64_t budget_us; /* no further host is begun after that; 0: to the end */
};
enum status history_pass(struct db *db, const struct history_options *options,
                         const atomic_bool *stop, struct err *err) MUST_CHECK;

#endif
