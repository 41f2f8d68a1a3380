/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The snapshots of one host in a range of time, one picture of all the forms they are kept in: the
 * block in the row itself (rows from before 0010), appended in snapshot_block, or sealed in
 * snapshot_chunk. Rows are read first, then appended blocks, then chunks: a partition of blocks is
 * dropped only after its chunks were committed, so every snapshot is found in one or the other.
 *
 * What cannot be read (a damaged chunk) does not hide the rest: its rows are `damaged`.
 */
#ifndef SERVER_STORE_BLOCKS_H
#define SERVER_STORE_BLOCKS_H

#include "server/chunk/sealed.h"
#include "server/store/chain.h"
#include "server/store/db.h"

struct blocks_chunk {
    struct sealed *sealed; /* NULL: damaged */
    int64_t span_us;
    int64_t boot_at_us;
    int32_t part;
    size_t next; /* where a search begins */
};

struct blocks {
    struct db_result *result;
    struct db_result *appended; /* NULL: not looked at */
    size_t *appended_at;        /* row of it that belongs to rows[i]; SIZE_MAX: none */
    struct db_result *chunk_rows;
    struct blocks_chunk *chunks;
    size_t chunk_count;
    struct chain_row *rows; /* in the order of taken_at and sequence */
    size_t count;
    struct err damage; /* of the first chunk that could not be read */
};

void blocks_done(struct blocks *blocks);
#define AUTO_BLOCKS CLEANUP(blocks_done)

/* Both ends included. */
enum status blocks_read(struct db *db, int64_t host_key, int64_t from_us, int64_t to_us,
                        struct blocks *ret_blocks, struct err *err) MUST_CHECK;
/* Without totals and details: for series. */
enum status blocks_read_tables(struct db *db, int64_t host_key, int64_t from_us, int64_t to_us,
                               struct blocks *ret_blocks, struct err *err) MUST_CHECK;

/* Of row `i`, after blocks_read. */
void blocks_totals(const struct blocks *blocks, size_t i, struct snapshot_totals *ret_totals);
/* The members of the detail's JSON object, both parts together: "{...}"; nothing is added when
 * there is none. */
void blocks_detail(const struct blocks *blocks, size_t i, struct strbuf *out);
/* The part of it that goes with the block when it is sealed; NULL: none. Borrowed. */
const char *blocks_block_detail(const struct blocks *blocks, size_t i);

/* Index of the row with that key; SIZE_MAX: none. */
size_t blocks_find(const struct blocks *blocks, int64_t taken_at_us, int64_t boot_at_us,
                   int64_t sequence);

#endif
