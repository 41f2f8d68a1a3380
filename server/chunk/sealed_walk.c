/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables and series of an opened chunk, whatever its version. Tables are read a run at a time when
 * they are asked for: all series are decoded into events, sorted by snapshot, and applied one
 * snapshot after the other.
 */
#include "server/chunk/sealed_read.h"

#include "common/limits.h"
#include "server/chunk/order.h"

#include <string.h>

/* ---- tables ---------------------------------------------------------------- */

struct collect {
    struct event *events;
    uint32_t *at; /* of each event */
    size_t count;
    size_t capacity;
    size_t expected;
    bool no_memory;
};

static void collect_done(struct collect *to)
{
    free(to->events);
    free(to->at);
}

static bool collect_grow(struct collect *to)
{
    size_t capacity = to->capacity == 0 ? to->expected + 256 : to->capacity * 2;
    struct event *events = reallocarray(to->events, capacity, sizeof *events);
    to->events = events == NULL ? to->events : events;
    uint32_t *at = reallocarray(to->at, capacity, sizeof *at);
    to->at = at == NULL ? to->at : at;
    to->no_memory = events == NULL || at == NULL;
    to->capacity = to->no_memory ? to->capacity : capacity;
    return !to->no_memory;
}

static bool collect(size_t at, const struct event *event, void *arg)
{
    struct collect *to = arg;
    if (to->count == SEALED_CHANGES_MAX || (to->count == to->capacity && !collect_grow(to)))
        return false;
    to->at[to->count] = (uint32_t)at;
    to->events[to->count++] = *event;
    return true;
}

static bool by_snapshot(const struct collect *from, size_t snapshots, struct arena *arena,
                        struct walk *walk)
{
    walk->events = arena_alloc(arena, from->count, sizeof *walk->events);
    walk->starts = arena_alloc(arena, snapshots + 2, sizeof *walk->starts);
    if (walk->events == NULL || walk->starts == NULL)
        return false;
    /* Counted two places on, so that after placing, each start has moved to its own place. */
    for (size_t i = 0; i < from->count; i++)
        walk->starts[from->at[i] + 2]++;
    for (size_t i = 2; i < snapshots + 2; i++)
        walk->starts[i] += walk->starts[i - 1];
    for (size_t i = 0; i < from->count; i++)
        walk->events[walk->starts[from->at[i] + 1]++] = from->events[i];
    return true;
}

/* Tables are sorted by tag; a form may have another order. */
static enum status sort_series(const struct part *part, struct collect *of, uint32_t *tags,
                               struct err *err)
{
    bool sorted = true;
    for (size_t i = 1; i < part->series; i++)
        sorted = sorted && tags[i - 1] < tags[i];
    if (sorted)
        return ST_OK;
    AUTO_FREE uint64_t *order = calloc(part->series, sizeof *order);
    AUTO_FREE uint32_t *place = calloc(part->series, sizeof *place);
    if (order == NULL || place == NULL)
        return sealed_no_memory(err);
    for (size_t i = 0; i < part->series; i++)
        order[i] = (uint64_t)tags[i] << 32 | i;
    if (!order_by_high(order, part->series))
        return sealed_no_memory(err);
    for (size_t i = 0; i < part->series; i++) {
        tags[i] = (uint32_t)(order[i] >> 32);
        place[(uint32_t)order[i]] = (uint32_t)i;
        if (i > 0 && tags[i] == tags[i - 1])
            return sealed_malformed(err, "bad tags");
    }
    for (size_t i = 0; i < of->count; i++)
        of->events[i].series = place[of->events[i].series];
    return ST_OK;
}

static enum status walk_load(const struct sealed *sealed, const struct run *run,
                             const struct part *part, struct arena *arena, struct walk *walk,
                             struct err *err)
{
    CLEANUP(collect_done) struct collect to = {.expected = part->series};
    /* A change takes some two bytes. */
    for (size_t i = 0; i < part->group_count; i++)
        to.expected += part->groups[i].length / 2;
    walk->tag = arena_alloc(arena, part->series, sizeof *walk->tag);
    walk->now = arena_alloc(arena, part->series, sizeof *walk->now);
    if (walk->tag == NULL || walk->now == NULL)
        return sealed_no_memory(err);
    if (!sealed->form->walk(run, part, walk->tag, collect, &to))
        return to.no_memory ? sealed_no_memory(err) : sealed_malformed(err, "bad series");
    for (size_t i = 0; i < part->series; i++)
        walk->now[i].gone = true;
    enum status status = sort_series(part, &to, walk->tag, err);
    if (status != ST_OK)
        return status;
    return by_snapshot(&to, run->count, arena, walk) ? ST_OK : sealed_no_memory(err);
}

static enum status run_load(struct sealed *sealed, size_t index, struct err *err)
{
    const struct run *run = &sealed->runs[index];
    enum status status = ST_OK;
    arena_done(&sealed->walk_arena);
    memset(sealed->walks, 0, sizeof sealed->walks);
    sealed->walked_run = SIZE_MAX;
    for (int pool = 0; status == ST_OK && pool < POOL_COUNT; pool++) {
        if (run->parts[pool].present)
            status = walk_load(sealed, run, &run->parts[pool], &sealed->walk_arena,
                               &sealed->walks[pool], err);
    }
    if (status == ST_OK) {
        sealed->walked_run = index;
        sealed->walked_next = 0;
    }
    return status;
}

static void apply(struct walk *walk, size_t snapshot)
{
    for (size_t i = walk->starts[snapshot]; i < walk->starts[snapshot + 1]; i++)
        walk->now[walk->events[i].series] = walk->events[i];
}

static enum status build(const struct part *part, const struct walk *walk, struct arena *arena,
                         struct snapshot_table *ret_table, struct err *err)
{
    size_t rows = 0, row = 0;
    *ret_table = (struct snapshot_table){0};
    if (!part->present)
        return ST_OK;
    for (size_t i = 0; i < part->series; i++)
        rows += !walk->now[i].gone;
    if (rows > LIMIT_TABLE_ROWS)
        return sealed_malformed(err, "too many rows");
    if (snapshot_table_alloc(arena, ret_table, rows, part->columns) != ST_OK)
        return sealed_no_memory(err);
    for (size_t i = 0; i < part->series; i++) {
        const struct event *now = &walk->now[i];
        if (now->gone)
            continue;
        ret_table->tag[row] = walk->tag[i];
        if (ret_table->allocs != NULL)
            ret_table->allocs[row] = now->allocs;
        if (ret_table->frees != NULL)
            ret_table->frees[row] = now->frees;
        if (ret_table->bytes != NULL)
            ret_table->bytes[row] = now->bytes;
        row++;
    }
    return ST_OK;
}

static size_t run_of(const struct sealed *sealed, size_t whole)
{
    size_t run = 0;
    while (whole >= sealed->runs[run].first + sealed->runs[run].count)
        run++;
    return run;
}

enum status sealed_tables(struct sealed *sealed, size_t index, struct arena *arena,
                          struct snapshot_table ret_table[POOL_COUNT], struct err *err)
{
    size_t whole = index < sealed->count ? sealed->whole[index] : SIZE_MAX;
    if (whole == SIZE_MAX)
        return err_set(err, ST_NOT_FOUND, "the chunk has no tables of that snapshot");
    size_t r = run_of(sealed, whole);
    const struct run *run = &sealed->runs[r];
    size_t at = whole - run->first;
    enum status status = ST_OK;
    if (sealed->walked_run != r || sealed->walked_next > at + 1)
        status = run_load(sealed, r, err);
    for (; status == ST_OK && sealed->walked_next <= at; sealed->walked_next++) {
        for (int pool = 0; pool < POOL_COUNT; pool++) {
            if (run->parts[pool].present)
                apply(&sealed->walks[pool], sealed->walked_next);
        }
    }
    struct snapshot_table table[POOL_COUNT];
    for (int pool = 0; status == ST_OK && pool < POOL_COUNT; pool++)
        status = build(&run->parts[pool], &sealed->walks[pool], arena, &table[pool], err);
    if (status == ST_OK)
        memcpy(ret_table, table, sizeof table);
    return status;
}

/* ---- one row over time ----------------------------------------------------- */

struct track {
    struct sealed_value *values; /* one per snapshot of the run */
    size_t next;
    unsigned columns;
    struct sealed_value now;
};

static void track_until(struct track *track, size_t at)
{
    while (track->next < at)
        track->values[track->next++] = track->now;
}

static bool track_event(size_t at, const struct event *event, void *arg)
{
    struct track *track = arg;
    track_until(track, at);
    track->now = event->gone ? (struct sealed_value){0}
                             : (struct sealed_value){.known = track->columns,
                                                     .allocs = event->allocs,
                                                     .frees = event->frees,
                                                     .bytes = event->bytes};
    if ((track->columns & COLUMN_ALLOCS) == 0)
        track->now.allocs = 0;
    if ((track->columns & COLUMN_FREES) == 0)
        track->now.frees = 0;
    return true;
}

static enum status run_series(const struct sealed *sealed, const struct run *run, enum pool pool,
                              uint32_t tag, struct sealed_value *values, struct err *err)
{
    const struct part *part = &run->parts[pool];
    struct track track = {.values = values, .columns = part->columns};
    if (part->present && !sealed->form->series(run, part, tag, track_event, &track))
        return sealed_malformed(err, "bad series");
    track_until(&track, run->count);
    return ST_OK;
}

enum status sealed_series(const struct sealed *sealed, enum pool pool, uint32_t tag,
                          struct sealed_value *ret_values, struct err *err)
{
    AUTO_FREE struct sealed_value *whole = calloc(sealed->count + 1, sizeof *whole);
    enum status status = ST_OK;
    if (whole == NULL)
        return sealed_no_memory(err);
    if ((unsigned)pool >= POOL_COUNT)
        return err_set(err, ST_BUG, "there is no such pool");
    for (size_t i = 0; status == ST_OK && i < sealed->run_count; i++)
        status =
            run_series(sealed, &sealed->runs[i], pool, tag, whole + sealed->runs[i].first, err);
    for (size_t i = 0; status == ST_OK && i < sealed->count; i++)
        ret_values[i] =
            sealed->whole[i] == SIZE_MAX ? (struct sealed_value){0} : whole[sealed->whole[i]];
    return status;
}
