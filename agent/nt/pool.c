/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool-tag table. One pass over the rows makes sort keys and counts, one radix sort orders
 * them, one walk merges equal tags and fills both tables: some 4,000 rows, read every few minutes
 * on every machine of a fleet, must not be noticed.
 */
#include "agent/nt/query.h"
#include "common/limits.h"

#include <string.h>

/* A table of distinct tags this long was never seen (real ones hold 1.5 to 4 thousand): nonsense,
 * and memory we would rather not take. */
#define ROWS_MAX ((size_t)4 * LIMIT_TABLE_ROWS)

/* First build with class 255 ("26H1"). */
#define TAGS2_BUILD 28000u

static const struct nt_question ask_tags = {
    .information_class = NT_CLASS_POOL_TAGS,
    .what = "the pool tags",
    .start_bytes = 256u << 10,
    .most_bytes = 16u << 20,
};

static const struct nt_question ask_tags2 = {
    .information_class = NT_CLASS_POOL_TAGS_2,
    .what = "the pool tags (class 255)",
    .start_bytes = 256u << 10,
    .most_bytes = 16u << 20,
    .version = 1000,
    .build = TAGS2_BUILD,
};

struct rows {
    const struct nt_layout *layout;
    const struct nt_tags_layout *at;
    const unsigned char *first;
    size_t count;
};

struct counters {
    uint32_t allocs;
    uint32_t frees;
    uint64_t bytes;
};

/* A sample taken while a block moves can show a little less than nothing as a huge number: that is
 * 0. What remains above the contract's numbers is nonsense and cut there. */
static uint64_t used_bytes(const struct nt_layout *layout, const unsigned char *at)
{
    uint64_t used = nt_word(layout, at);
    if (used >> (8 * layout->pointer_bytes - 1) != 0)
        return 0;
    return used < LIMIT_NUMBER_MAX ? used : LIMIT_NUMBER_MAX;
}

static struct counters read_counters(const struct rows *rows, size_t row, enum pool pool)
{
    const unsigned char *at = rows->first + row * rows->at->stride;
    return (struct counters){nt_u32(at + rows->at->allocs[pool]),
                             nt_u32(at + rows->at->frees[pool]),
                             used_bytes(rows->layout, at + rows->at->used[pool])};
}

static bool all_zero(const struct counters *counters)
{
    return (counters->allocs | counters->frees) == 0 && counters->bytes == 0;
}

/* ---- sorting ---------------------------------------------------------------- */

/* Least significant digit first over the four bytes of the tag (above) and stable, so that places
 * (below) stay in order. `spare` has the same room. The result is in `keys`. */
static void sort_keys(uint64_t *keys, uint64_t *spare, size_t count)
{
    for (unsigned shift = 32; shift < 64; shift += 8) {
        size_t starts[257] = {0};
        for (size_t i = 0; i < count; i++)
            starts[(keys[i] >> shift & 255) + 1]++;
        for (size_t digit = 0; digit < 256; digit++)
            starts[digit + 1] += starts[digit];
        for (size_t i = 0; i < count; i++)
            spare[starts[keys[i] >> shift & 255]++] = keys[i];
        uint64_t *swap = keys; /* four passes: the result ends where it began */
        keys = spare;
        spare = swap;
    }
}

/* ---- one answer ------------------------------------------------------------- */

static enum status find_rows(const struct nt_reader *reader, const struct nt_tags_layout *at,
                             size_t length, struct rows *ret_rows, struct err *err)
{
    const unsigned char *data = reader->buffer.data;
    if (length < at->first)
        return nt_contradiction(err, ask_tags.what, "it is shorter than its own head");
    size_t count = nt_u32(data + at->count);
    if (count > (length - at->first) / at->stride)
        return nt_contradiction(err, ask_tags.what, "it holds fewer rows than it counts");
    if (count > ROWS_MAX)
        return err_set(err, ST_MALFORMED,
                       "could not read the pool tags: %u rows are more than a kernel has (%u)",
                       (unsigned)count, (unsigned)ROWS_MAX);
    *ret_rows = (struct rows){nt_reader_layout(reader), at, data + at->first, count};
    return ST_OK;
}

struct tables {
    struct snapshot_table *table;
    size_t used[POOL_COUNT];
};

static void put_row(struct tables *tables, enum pool pool, uint32_t tag,
                    const struct counters *counters)
{
    struct snapshot_table *table = &tables->table[pool];
    size_t last = tables->used[pool];
    if (last > 0 && table->tag[last - 1] == tag) {
        table->allocs[last - 1] += counters->allocs;
        table->frees[last - 1] += counters->frees;
        table->bytes[last - 1] += counters->bytes;
        if (table->bytes[last - 1] > LIMIT_NUMBER_MAX)
            table->bytes[last - 1] = LIMIT_NUMBER_MAX;
        return;
    }
    table->tag[last] = tag;
    table->allocs[last] = counters->allocs;
    table->frees[last] = counters->frees;
    table->bytes[last] = counters->bytes;
    tables->used[pool]++;
}

/* Sort keys of all rows; how many of each pool are not all zero. */
static void make_keys(const struct rows *rows, uint64_t *keys, size_t ret_used[POOL_COUNT])
{
    size_t used[POOL_COUNT] = {0};
    for (size_t i = 0; i < rows->count; i++) {
        uint32_t tag = nt_u32(rows->first + i * rows->at->stride + rows->at->tag) & ~TAG_PROTECTED;
        keys[i] = (uint64_t)tag << 32 | i;
        for (unsigned pool = 0; pool < POOL_COUNT; pool++) {
            struct counters counters = read_counters(rows, i, (enum pool)pool);
            used[pool] += !all_zero(&counters);
        }
    }
    memcpy(ret_used, used, sizeof used);
}

static enum status read_rows(struct nt_reader *reader, const struct nt_tags_layout *at,
                             size_t length, struct arena *arena,
                             struct snapshot_table ret_table[POOL_COUNT], struct err *err)
{
    struct rows rows = {0};
    struct snapshot_table made[POOL_COUNT] = {{0}};
    struct tables tables = {.table = made};
    size_t room[POOL_COUNT];
    enum status status = find_rows(reader, at, length, &rows, err);
    if (status != ST_OK)
        return status;
    /* A power of two above the need: not a new buffer for each tag that appears. */
    size_t keys_room = 1024;
    while (keys_room < rows.count)
        keys_room *= 2;
    if (nt_buffer_grow(&reader->scratch, 2 * keys_room * sizeof(uint64_t)) != ST_OK)
        return nt_out_of_memory(err, ask_tags.what);
    uint64_t *keys = (uint64_t *)(void *)reader->scratch.data;
    make_keys(&rows, keys, room);
    for (unsigned pool = 0; pool < POOL_COUNT; pool++) {
        if (snapshot_table_alloc(arena, &made[pool], room[pool], COLUMN_ALL) != ST_OK)
            return nt_out_of_memory(err, ask_tags.what);
    }
    sort_keys(keys, keys + rows.count, rows.count);
    for (size_t i = 0; i < rows.count; i++) {
        for (unsigned pool = 0; pool < POOL_COUNT; pool++) {
            struct counters counters =
                read_counters(&rows, (size_t)(keys[i] & 0xffffffffu), (enum pool)pool);
            if (!all_zero(&counters))
                put_row(&tables, (enum pool)pool, (uint32_t)(keys[i] >> 32), &counters);
        }
    }
    for (unsigned pool = 0; pool < POOL_COUNT; pool++) {
        made[pool].count = tables.used[pool];
        if (made[pool].count > LIMIT_TABLE_ROWS)
            return err_set(err, ST_TOO_LARGE,
                           "could not use the pool tags: %u tags of one pool are more than %u",
                           (unsigned)made[pool].count, LIMIT_TABLE_ROWS);
    }
    memcpy(ret_table, made, sizeof made);
    return ST_OK;
}

/* ---- class 255 -------------------------------------------------------------- */

/* Whether `newer` (class 255) can be the same table as `older` (class 22), read a moment before. A
 * wrong layout gives other tags, swapped pools or counters that are anything: each common row's
 * counters may only have moved on, by less than 2^30 (a moment is not a billion allocations; of
 * random numbers three in four fail), and tags may only be new (a few) or, where a tag was merged
 * or its row is all zero, missing (fewer). A pool's bytes do not halve or double in a moment. */
static bool agrees(const struct snapshot_table *older, const struct snapshot_table *newer)
{
    size_t common = 0;
    double old_bytes = 0;
    double new_bytes = 0;
    for (size_t i = 0, j = 0; i < older->count && j < newer->count;) {
        if (older->tag[i] != newer->tag[j]) {
            if (older->tag[i] < newer->tag[j])
                i++;
            else
                j++;
            continue;
        }
        if (counter_delta(newer->allocs[j], older->allocs[i]) >= 1u << 30 ||
            counter_delta(newer->frees[j], older->frees[i]) >= 1u << 30)
            return false;
        common++;
        i++;
        j++;
    }
    for (size_t i = 0; i < older->count; i++)
        old_bytes += (double)older->bytes[i];
    for (size_t i = 0; i < newer->count; i++)
        new_bytes += (double)newer->bytes[i];
    const double slack = 64.0 * 1024 * 1024; /* so that small pools may move */
    return older->count - common <= 8 + older->count / 100 &&
           newer->count - common <= 8 + older->count / 20 && new_bytes <= 2 * old_bytes + slack &&
           old_bytes <= 2 * new_bytes + slack;
}

/* Replaces the tables of class 22 by those of class 255 where that can be trusted. Never fails: the
 * tables of class 22 are good. */
static void try_tags2(struct nt_reader *reader, struct arena *arena,
                      struct snapshot_table table[POOL_COUNT])
{
    struct snapshot_table newer[POOL_COUNT] = {{0}};
    size_t length = 0;
    const struct nt_tags_layout *at = &nt_reader_layout(reader)->tags2;
    if (reader->tags2_refused || reader->calls->version.build < TAGS2_BUILD)
        return;
    enum status status = nt_ask(reader, &reader->buffer, &ask_tags2, &length, NULL);
    if (status == ST_OK)
        status = read_rows(reader, at, length, arena, newer, NULL);
    if (status == ST_NOMEM) /* of the moment: says nothing of the class */
        return;
    if (status == ST_OK && agrees(&table[POOL_NONPAGED], &newer[POOL_NONPAGED]) &&
        agrees(&table[POOL_PAGED], &newer[POOL_PAGED]))
        memcpy(table, newer, sizeof newer);
    else
        reader->tags2_refused = true;
}

/* ---- both ------------------------------------------------------------------- */

/* Before Server 2003 the kernel counts tags only when told to at boot. */
static enum status tagging_off(struct err *err)
{
    enum status status = err_set(
        err, ST_UNSUPPORTED, "could not read the pool tags: pool tagging is off on this system");
    if (err != NULL)
        snprintf(err->hint, sizeof err->hint,
                 "Switch it on with \"gflags /r +ptg\" as administrator, then restart Windows.");
    return status;
}

enum status nt_pool_tags(struct nt_reader *reader, struct arena *arena,
                         struct snapshot_table ret_table[POOL_COUNT], struct err *err)
{
    struct snapshot_table table[POOL_COUNT] = {{0}};
    size_t length = 0;
    const struct nt_version *version = &reader->calls->version;
    bool optional = version->major < 5 || (version->major == 5 && version->minor < 2);
    enum status status = nt_ask(reader, &reader->buffer, &ask_tags, &length, err);
    if (status == ST_UNSUPPORTED && optional)
        return tagging_off(err);
    if (status != ST_OK)
        return status;
    status = read_rows(reader, &nt_reader_layout(reader)->tags, length, arena, table, err);
    if (status != ST_OK)
        return status;
    if (table[POOL_NONPAGED].count + table[POOL_PAGED].count == 0)
        return tagging_off(err);
    try_tags2(reader, arena, table);
    memcpy(ret_table, table, sizeof table);
    return ST_OK;
}
