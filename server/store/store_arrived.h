/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has arrived since a moment, as it was stored: for who keeps hosts read
 * (jobs/analysis_live.h). Of snapshot_block, which holds all that arrived in the last three hours
 * at least. Times are us since 1970. A lease is used by one thread.
 */
#ifndef SERVER_STORE_STORE_ARRIVED_H
#define SERVER_STORE_STORE_ARRIVED_H

#include "common/snapshot.h"
#include "server/store/db.h"

struct store_arrival {
    int64_t host_key;
    int64_t received_us;
    bool complete;            /* its tables are whole; else they are changes to snapshot.base */
    bool details;             /* objects, processes and sessions were asked for */
    struct snapshot snapshot; /* no attributes and drivers, host_id NULL; events as they are */
};

/* Borrowed until it returns. Anything but ST_OK ends the walk with that status. */
typedef enum status (*store_arrival_fn)(const struct store_arrival *arrival, void *arg);

/* Documents received after one moment and up to another; of each host in the order of taken_at. All
 * are in memory at once. `keys`: hosts whose details are wanted. Damaged ones are left out. */
enum status store_arrived(struct db *db, int64_t after_us, int64_t until_us, const int64_t *keys,
                          size_t key_count, store_arrival_fn fn, void *arg,
                          struct err *err) MUST_CHECK;

/* The same without what is in them: taken_at, boot and sequence are all that is known. */
enum status store_arrived_keys(struct db *db, int64_t after_us, int64_t until_us,
                               store_arrival_fn fn, void *arg, struct err *err) MUST_CHECK;

/* What arrived from then on is all there. TIME_UNKNOWN: nothing is there. */
enum status store_arrived_since(struct db *db, int64_t *ret_us, struct err *err) MUST_CHECK;

extern const struct stmt_table store_arrived_statements;

#endif
