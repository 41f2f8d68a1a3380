/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time partitions: days of `snapshot` and `snapshot_chunk`, six hours of arrival of
 * `snapshot_block`, months of the rollups. Made on demand, dropped by retention (blocks: once
 * sealed, see store_seal.h). Idempotent and safe from several servers at once (advisory lock inside
 * the SQL function).
 */
#ifndef SERVER_STORE_PARTITION_H
#define SERVER_STORE_PARTITION_H

#include "server/store/db.h"

enum partition_table {
    PARTITION_SNAPSHOT,
    PARTITION_SNAPSHOT_BLOCK,
    PARTITION_SNAPSHOT_CHUNK,
    PARTITION_TAG_HOUR, /* from here on: kept as long as rollups */
    PARTITION_HOST_HOUR,
    PARTITION_HOST_TAG_DAY,
    PARTITION_HOST_POOL_DAY,
    PARTITION_TABLE_COUNT
};

/* Of snapshot_block's partitions. */
#define ARRIVAL_US (6 * US_PER_HOUR)
/* What one sealed chunk covers: whole partitions. Chunks from before 0014 cover six hours. */
#define SPAN_US (12 * US_PER_HOUR)
static inline int64_t arrival_start(int64_t us)
{
    int64_t rest = us % ARRIVAL_US;
    return us - rest - (rest < 0 ? ARRIVAL_US : 0);
}
static inline int64_t span_start(int64_t us)
{
    int64_t arrival = arrival_start(us);
    return arrival % SPAN_US == 0 ? arrival : arrival - ARRIVAL_US;
}

/* Makes what is missing for these moments (us). Not inside a transaction that reads the table. */
enum status partition_ensure(struct db *db, enum partition_table table, const int64_t *moments_us,
                             size_t count, struct err *err) MUST_CHECK;
/* Drops partitions that hold nothing newer than older_than_us. */
enum status partition_drop(struct db *db, enum partition_table table, int64_t older_than_us,
                           size_t *ret_dropped, struct err *err) MUST_CHECK;

#endif
