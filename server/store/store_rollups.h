/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hourly figures per (pool, tag) over the fleet: table tag_hour. Hours are named by their start, us
 * since 1970, whole UTC hours. Writing an hour replaces it, so a pass can be run again.
 */
#ifndef SERVER_STORE_STORE_ROLLUPS_H
#define SERVER_STORE_STORE_ROLLUPS_H

#include "common/arena.h"
#include "common/tag.h"
#include "server/store/db.h"

/* buckets[0] counts hosts with 0 bytes, buckets[n + 1] those in [2^n, 2^(n+1)). */
#define ROLLUP_BUCKETS 65

struct rollup_row {
    enum pool pool;
    uint32_t tag;
    int64_t hosts;
    int64_t sum_bytes;
    int64_t p50_bytes;
    int64_t p90_bytes;
    int64_t p99_bytes;
    int64_t max_bytes;
    int64_t outstanding; /* INT64_MIN: no host reports allocs and frees */
    uint32_t buckets[ROLLUP_BUCKETS];
};

/* Replaces one hour; its partition is there (partition_ensure). One transaction. */
enum status store_rollup_write(struct db *db, int64_t hour_us, const struct rollup_row *rows,
                               size_t count, struct err *err) MUST_CHECK;

/* The hours that snapshots belong to which arrived after received_us, rising; and the newest
 * received_at among these (received_us when there are none). TIME_UNKNOWN: all hours. ret_hours
 * owned by caller (free). */
enum status store_rollup_dirty(struct db *db, int64_t received_us, int64_t **ret_hours,
                               size_t *ret_count, int64_t *ret_received_us,
                               struct err *err) MUST_CHECK;

/* How far a job has come; TIME_UNKNOWN: never run. */
enum status store_mark_get(struct db *db, const char *name, int64_t *ret_mark_us,
                           struct err *err) MUST_CHECK;
enum status store_mark_set(struct db *db, const char *name, int64_t mark_us,
                           struct err *err) MUST_CHECK;

/* The newest hour that is rolled up; TIME_UNKNOWN: none. */
enum status store_rollup_newest(struct db *db, int64_t *ret_hour_us, struct err *err) MUST_CHECK;

/* One tag's hours in a range, both ends included, rising. */
struct rollup_series {
    struct arena arena;
    size_t count;
    int64_t *hour_us;
    int64_t *hosts, *sum, *p50, *p90, *p99, *max;
};
static inline void rollup_series_done(struct rollup_series *series)
{
    arena_done(&series->arena);
}
#define AUTO_ROLLUP_SERIES CLEANUP(rollup_series_done)
enum status store_rollup_series(struct db *db, enum pool pool, uint32_t tag, int64_t from_us,
                                int64_t to_us, struct rollup_series *ret_series,
                                struct err *err) MUST_CHECK;

/* Newest taken_at of any snapshot: the live analysis' "now". TIME_UNKNOWN: no snapshots. */
enum status store_newest_taken_at(struct db *db, int64_t *ret_taken_at_us,
                                  struct err *err) MUST_CHECK;
/* Of those up to a moment. */
enum status store_newest_taken_until(struct db *db, int64_t until_us, int64_t *ret_taken_at_us,
                                     struct err *err) MUST_CHECK;

/* One number for all servers on a database; any constant does ("pool" in ASCII, then 1). */
#define STORE_ANALYZER_LOCK "8101828123361"
/* The analyzer's advisory lock, held by the connection until it is released or lost. */
enum status store_analyzer_lock(struct db *db, bool *ret_locked, struct err *err) MUST_CHECK;
enum status store_analyzer_unlock(struct db *db, struct err *err) MUST_CHECK;

extern const struct stmt_table store_rollups_statements;

#endif
