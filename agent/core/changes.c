/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/changes.h"

/* Every tag of `before` is still in `now`. Both sorted. Rows never vanish within a boot on real
 * systems, but a merge of changed rows could not tell it if one did. */
static bool covers(const struct snapshot_table *now, const struct snapshot_table *before)
{
    size_t at = 0;
    for (size_t i = 0; i < before->count; i++) {
        while (at < now->count && now->tag[at] < before->tag[i])
            at++;
        if (at == now->count || now->tag[at] != before->tag[i])
            return false;
        at++;
    }
    return true;
}

static bool reducible(const struct changes_base *base, const struct snapshot *snapshot)
{
    if (!base->held || snapshot->boot_at_us == TIME_UNKNOWN ||
        snapshot->boot_at_us != base->boot_at_us || snapshot->sequence <= base->sequence)
        return false;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        const struct snapshot_table *now = &snapshot->table[pool];
        const struct snapshot_table *before = &base->table[pool];
        if (now->present != before->present)
            return false;
        if (now->present &&
            (snapshot_table_columns(now) != snapshot_table_columns(before) || !covers(now, before)))
            return false;
    }
    return true;
}

enum status changes_reduce(const struct changes_base *base, struct snapshot *snapshot)
{
    snapshot->base = SEQUENCE_UNKNOWN;
    if (!reducible(base, snapshot))
        return ST_OK;
    struct snapshot_table changed[POOL_COUNT];
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        changed[pool] = snapshot->table[pool];
        if (!changed[pool].present)
            continue;
        enum status st = snapshot_table_changed(&snapshot->arena, &base->table[pool],
                                                &snapshot->table[pool], &changed[pool]);
        if (st != ST_OK)
            return st;
    }
    for (int pool = 0; pool < POOL_COUNT; pool++)
        snapshot->table[pool] = changed[pool];
    snapshot->base = base->sequence;
    return ST_OK;
}

static enum status copy_table(struct arena *arena, const struct snapshot_table *from,
                              struct snapshot_table *ret_table)
{
    struct snapshot_table copy;
    enum status st = snapshot_table_alloc(arena, &copy, from->count, snapshot_table_columns(from));
    if (st != ST_OK)
        return st;
    if (from->count > 0) {
        memcpy(copy.tag, from->tag, from->count * sizeof *copy.tag);
        if (copy.allocs != NULL)
            memcpy(copy.allocs, from->allocs, from->count * sizeof *copy.allocs);
        if (copy.frees != NULL)
            memcpy(copy.frees, from->frees, from->count * sizeof *copy.frees);
        if (copy.bytes != NULL)
            memcpy(copy.bytes, from->bytes, from->count * sizeof *copy.bytes);
    }
    *ret_table = copy;
    return ST_OK;
}

enum status changes_acknowledge(struct changes_base *base, int64_t boot_at_us, int64_t sequence,
                                const struct snapshot_table table[POOL_COUNT])
{
    changes_forget(base);
    if (boot_at_us == TIME_UNKNOWN || sequence == SEQUENCE_UNKNOWN)
        return ST_OK;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (!table[pool].present)
            continue;
        enum status st = copy_table(&base->arena, &table[pool], &base->table[pool]);
        if (st != ST_OK) {
            changes_forget(base);
            return st;
        }
    }
    base->held = true;
    base->boot_at_us = boot_at_us;
    base->sequence = sequence;
    return ST_OK;
}

void changes_forget(struct changes_base *base)
{
    arena_done(&base->arena);
    *base = (struct changes_base){0};
}
