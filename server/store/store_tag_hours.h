/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Further reads of the hourly figures per tag: how the hosts of one tag spread over sizes, hour by
 * hour, and the sums of all tags at some hours. A lease belongs to one thread.
 */
#ifndef SERVER_STORE_STORE_TAG_HOURS_H
#define SERVER_STORE_STORE_TAG_HOURS_H

#include "common/arena.h"
#include "common/tag.h"
#include "server/store/db.h"

/* Hosts per power of two of bytes: bucket 0 counts 0 bytes, bucket b the range [2^(b-1), 2^b). */
struct tag_hour_buckets {
    int64_t hour_us;
    size_t count; /* buckets; those after hold nobody */
    int64_t *hosts;
};
struct tag_hours_buckets {
    struct arena arena;
    struct tag_hour_buckets *hours; /* rising */
    size_t count;
};
static inline void tag_hours_buckets_done(struct tag_hours_buckets *buckets)
{
    arena_done(&buckets->arena);
    *buckets = (struct tag_hours_buckets){0};
}
#define AUTO_TAG_HOURS_BUCKETS CLEANUP(tag_hours_buckets_done)
/* Both ends included; only the hours that are a whole number of steps before to_us (a full hour).
 */
enum status store_tag_buckets(struct db *db, enum pool pool, uint32_t tag, int64_t from_us,
                              int64_t to_us, int64_t step_us, struct tag_hours_buckets *ret_buckets,
                              struct err *err) MUST_CHECK;

/* Sums of all tags at the given hours: columns pool, tag, place of the hour (from 1), sum_bytes;
 * by pool and tag. Owned by caller. */
enum status store_tag_sums(struct db *db, const int64_t *hours_us, size_t count,
                           struct db_result **ret_rows, struct err *err) MUST_CHECK;

extern const struct stmt_table store_tag_hours_statements;

#endif
