/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The long history of hosts: tables host_hour and host_pool_day. A host's day is written once it is
 * over, and is known by its rows in host_hour; a late document takes these away, so that the day is
 * found and written again. Days are named by their start (UTC).
 */
#ifndef SERVER_STORE_STORE_HISTORY_H
#define SERVER_STORE_STORE_HISTORY_H

#include "common/tag.h"
#include "server/store/db.h"

/* Takes away the days from whole_us on and before done_us that snapshots arrived for after
 * received_us (a mark). The oldest of them (TIME_UNKNOWN: none) and the newest received_at there is. */
enum status store_history_forget(struct db *db, int64_t received_us, int64_t whole_us,
                                 int64_t done_us, int64_t *ret_oldest_us, int64_t *ret_received_us,
                                 struct err *err) MUST_CHECK;
/* The first day from from_us on and before until_us that has snapshots of a host but no history;
 * TIME_UNKNOWN: none. */
enum status store_history_next_day(struct db *db, int64_t from_us, int64_t until_us,
                                   int64_t *ret_day_us, struct err *err) MUST_CHECK;
/* Hosts with snapshots but no history that day, at most 200, by key. ret_keys owned by caller. */
enum status store_history_hosts(struct db *db, int64_t day_us, int64_t **ret_keys,
                                size_t *ret_count, struct err *err) MUST_CHECK;

#define HISTORY_HOURS 24
struct history_row {
    enum pool pool;
    uint32_t tag;
    int64_t bytes[HISTORY_HOURS]; /* -1: unknown */
};
/* Writes a host's day, totals and tags, in place of what was there. One transaction. */
enum status store_history_write(struct db *db, int64_t host_key, int64_t day_us,
                                const struct history_row *rows, size_t count,
                                struct err *err) MUST_CHECK;

#endif
