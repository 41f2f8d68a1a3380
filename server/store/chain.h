/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Following bases: stored rows of one host, in time order, into complete tables. The walker keeps
 * the tables it built last, so a run of snapshots costs one merge each. Not shared between threads.
 */
#ifndef SERVER_STORE_CHAIN_H
#define SERVER_STORE_CHAIN_H

#include "common/snapshot.h"
#include "server/chunk/sealed.h"

/* One stored row; block and chunk are borrowed. */
struct chain_row {
    int64_t taken_at_us;
    int64_t boot_at_us;
    int64_t sequence;
    int64_t base;
    bool keyframe; /* complete by itself */
    bool damaged;  /* its chunk could not be read: it has neither of the two */
    const void *block;
    size_t block_length;
    struct sealed
        *sealed; /* where it is sealed; block is then NULL, unless it is there as a block */
    size_t sealed_index;
};

struct chain {
    struct arena arena[2]; /* the present tables and room for the next ones, in turns */
    int turn;
    bool valid; /* table is the complete table of the row below */
    int64_t boot_at_us;
    int64_t sequence;
    struct snapshot_table table[POOL_COUNT];
};

void chain_done(struct chain *chain);
#define AUTO_CHAIN CLEANUP(chain_done)
/* True when `row` can be put on what the chain holds: a keyframe, or based on the present row. */
bool chain_fits(const struct chain *chain, const struct chain_row *row);
/* Puts it on; chain->table is then complete for that row (borrowed until the next call). */
enum status chain_put(struct chain *chain, const struct chain_row *row, struct err *err) MUST_CHECK;

#endif
