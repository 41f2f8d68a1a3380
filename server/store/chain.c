/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/chain.h"

#include "server/chunk/chunk.h"

#include <string.h>

void chain_done(struct chain *chain)
{
    arena_done(&chain->arena[0]);
    arena_done(&chain->arena[1]);
    *chain = (struct chain){0};
}

bool chain_fits(const struct chain *chain, const struct chain_row *row)
{
    if (row->damaged)
        return false;
    return row->keyframe ||
           (chain->valid && row->base == chain->sequence && row->boot_at_us == chain->boot_at_us);
}

enum status chain_put(struct chain *chain, const struct chain_row *row, struct err *err)
{
    struct arena *arena = &chain->arena[!chain->turn];
    struct snapshot_table table[POOL_COUNT];
    arena_done(arena);
    enum status status = row->block == NULL && row->sealed != NULL
                             ? sealed_tables(row->sealed, row->sealed_index, arena, table, err)
                             : chunk_decode(row->block, row->block_length, arena, table, err);
    for (int pool = 0; status == ST_OK && !row->keyframe && pool < POOL_COUNT; pool++) {
        struct snapshot_table changed = table[pool];
        /* Without rows there may be no columns to compare: nothing changed. */
        if (changed.count == 0)
            changed = (struct snapshot_table){0};
        status = snapshot_table_merge(arena, &chain->table[pool], &changed, &table[pool], err);
    }
    if (status != ST_OK)
        return status;
    memcpy(chain->table, table, sizeof table);
    chain->turn = !chain->turn;
    chain->valid = true;
    chain->boot_at_us = row->boot_at_us;
    chain->sequence = row->sequence;
    return ST_OK;
}
