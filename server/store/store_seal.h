/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQL of sealing; server/jobs/seal.c says how it goes. A partition of appended blocks is taken
 * in steps of some hosts, each a transaction that writes chunks and notes how many rows it covered;
 * when the notes add up to what the partition holds, it is dropped.
 */
#ifndef SERVER_STORE_STORE_SEAL_H
#define SERVER_STORE_STORE_SEAL_H

#include "server/store/db.h"

struct seal_partition {
    int64_t from_us; /* received_at */
    int64_t to_us;
};
/* Oldest first. ret_items owned by caller (free). */
enum status store_seal_partitions(struct db *db, struct seal_partition **ret_items,
                                  size_t *ret_count, struct err *err) MUST_CHECK;

/* How far a partition is: hosts up to ret_host_key (0: none), ret_rows rows. */
enum status store_seal_progress(struct db *db, const struct seal_partition *partition,
                                int64_t *ret_host_key, int64_t *ret_rows,
                                struct err *err) MUST_CHECK;
enum status store_seal_note(struct db *db, const struct seal_partition *partition, int64_t host_key,
                            int64_t rows, struct err *err) MUST_CHECK;

/* What a partition holds of the next hosts: a row for each host and span, by host. */
struct seal_work {
    int64_t host_key;
    int64_t span_us;
    int64_t rows;
    bool sealed; /* all of the span is: by the partition before */
};
/* The hosts after `after`; ret_last is the last host that the work covers. No work: the end. */
enum status store_seal_work(struct db *db, const struct seal_partition *partition, int64_t after,
                            struct seal_work **ret_items, size_t *ret_count, int64_t *ret_last,
                            struct err *err) MUST_CHECK;

/* Writes a chunk over the one in its place, or new. boot_at_us: TIME_UNKNOWN allowed. */
enum status store_seal_write(struct db *db, int64_t host_key, int64_t span_us, int64_t boot_at_us,
                             int32_t part, int64_t snapshots, const void *chunk, size_t length,
                             int64_t now_us, struct err *err) MUST_CHECK;
/* Forgets parts from `part` on, when a chunk written anew has fewer, and the chunk of six hours that
 * is in it by now. */
enum status store_seal_trim(struct db *db, int64_t host_key, int64_t span_us, int64_t boot_at_us,
                            int32_t part, struct err *err) MUST_CHECK;

/* Drops the partition if it has exactly `rows` rows; else its sealing begins anew. */
enum status store_seal_retire(struct db *db, const struct seal_partition *partition, int64_t rows,
                              bool *ret_dropped, struct err *err) MUST_CHECK;

#endif
