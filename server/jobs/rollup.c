/* SPDX-License-Identifier: Apache-2.0 */
#include "server/jobs/rollup.h"

#include "server/store/partition.h"
#include "server/store/store_hosts.h"
#include "server/store/store_snapshots.h"

#include <stdlib.h>
#include <string.h>

/* ---- collecting ------------------------------------------------------------- */

struct values {
    uint64_t key; /* pool << 32 | tag */
    uint64_t *bytes;
    size_t count;
    size_t capacity;
    uint64_t outstanding;
    bool has_outstanding;
};

struct rollup_hour {
    struct values *items;
    size_t count;
    size_t capacity;
    uint32_t *slots; /* index + 1; 0 is free */
    size_t mask;
};

#define SLOTS_FIRST 8192

struct rollup_hour *rollup_hour_new(void)
{
    struct rollup_hour *hour = calloc(1, sizeof *hour);

    if (hour == NULL)
        return NULL;
    hour->slots = calloc(SLOTS_FIRST, sizeof *hour->slots);
    hour->mask = SLOTS_FIRST - 1;
    if (hour->slots == NULL) {
        free(hour);
        return NULL;
    }
    return hour;
}

void rollup_hour_free(struct rollup_hour *hour)
{
    if (hour == NULL)
        return;
    for (size_t i = 0; i < hour->count; i++)
        free(hour->items[i].bytes);
    free(hour->items);
    free(hour->slots);
    free(hour);
}

static size_t slot_of(const struct rollup_hour *hour, uint64_t key)
{
    size_t at = (size_t)(key * 0x9E3779B97F4A7C15ull >> 20) & hour->mask;
    while (hour->slots[at] != 0 && hour->items[hour->slots[at] - 1].key != key)
        at = (at + 1) & hour->mask;
    return at;
}

static bool grow_slots(struct rollup_hour *hour)
{
    size_t size = (hour->mask + 1) * 2;
    uint32_t *slots = calloc(size, sizeof *slots);

    if (slots == NULL)
        return false;
    free(hour->slots);
    hour->slots = slots;
    hour->mask = size - 1;
    for (size_t i = 0; i < hour->count; i++)
        hour->slots[slot_of(hour, hour->items[i].key)] = (uint32_t)(i + 1);
    return true;
}

static struct values *values_of(struct rollup_hour *hour, uint64_t key)
{
    size_t slot = slot_of(hour, key);

    if (hour->slots[slot] != 0)
        return &hour->items[hour->slots[slot] - 1];
    if (hour->count * 2 > hour->mask) {
        if (!grow_slots(hour))
            return NULL;
        slot = slot_of(hour, key);
    }
    if (hour->count == hour->capacity) {
        size_t capacity = hour->capacity == 0 ? 4096 : hour->capacity * 2;
        struct values *items = realloc(hour->items, capacity * sizeof *items);
        if (items == NULL)
            return NULL;
        hour->items = items;
        hour->capacity = capacity;
    }
    hour->items[hour->count] = (struct values){.key = key};
    hour->slots[slot] = (uint32_t)++hour->count;
    return &hour->items[hour->count - 1];
}

static bool values_add(struct values *values, uint64_t bytes)
{
    if (values->count == values->capacity) {
        size_t capacity = values->capacity == 0 ? 16 : values->capacity * 2;
        uint64_t *more = realloc(values->bytes, capacity * sizeof *more);
        if (more == NULL)
            return false;
        values->bytes = more;
        values->capacity = capacity;
    }
    values->bytes[values->count++] = bytes;
    return true;
}

enum status rollup_hour_add(struct rollup_hour *hour, const struct snapshot_table table[POOL_COUNT])
{
    for (size_t p = 0; p < POOL_COUNT; p++) {
        if (!table[p].present || table[p].bytes == NULL)
            continue;
        bool counted = table[p].allocs != NULL && table[p].frees != NULL;
        for (size_t i = 0; i < table[p].count; i++) {
            struct values *values = values_of(hour, (uint64_t)p << 32 | table[p].tag[i]);
            if (values == NULL || !values_add(values, table[p].bytes[i]))
                return ST_NOMEM;
            if (!counted)
                continue;
            values->has_outstanding = true;
            values->outstanding += counter_delta(table[p].allocs[i], table[p].frees[i]);
        }
    }
    return ST_OK;
}

static int compare_u64(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

static int compare_values(const void *left, const void *right)
{
    return compare_u64(&((const struct values *)left)->key, &((const struct values *)right)->key);
}

static int64_t whole(uint64_t value)
{
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

/* Nearest rank of sorted values: always one that some host had. */
static int64_t rank(const struct values *values, unsigned percent)
{
    return whole(values->bytes[(values->count * percent + 99) / 100 - 1]);
}

static void row_fill(struct values *values, struct rollup_row *row)
{
    uint64_t sum = 0;

    qsort(values->bytes, values->count, sizeof *values->bytes, compare_u64);
    *row = (struct rollup_row){.pool = (enum pool)(values->key >> 32),
                               .tag = (uint32_t)values->key,
                               .hosts = (int64_t)values->count,
                               .p50_bytes = rank(values, 50),
                               .p90_bytes = rank(values, 90),
                               .p99_bytes = rank(values, 99),
                               .max_bytes = rank(values, 100),
                               .outstanding = values->has_outstanding ? whole(values->outstanding)
                                                                      : INT64_MIN};
    for (size_t i = 0; i < values->count; i++) {
        uint64_t bytes = values->bytes[i];
        sum += bytes;
        row->buckets[bytes == 0 ? 0 : 64 - __builtin_clzll(bytes)]++;
    }
    row->sum_bytes = whole(sum);
}

enum status rollup_hour_rows(struct rollup_hour *hour, struct rollup_row **ret_rows,
                             size_t *ret_count, struct err *err)
{
    struct rollup_row *rows = calloc(hour->count + 1, sizeof *rows);

    if (rows == NULL)
        return err_set(err, ST_NOMEM, "could not roll up an hour: out of memory");
    /* Sorting moves the items, so the slots no longer fit: nothing can be added afterwards. */
    qsort(hour->items, hour->count, sizeof *hour->items, compare_values);
    memset(hour->slots, 0, (hour->mask + 1) * sizeof *hour->slots);
    for (size_t i = 0; i < hour->count; i++)
        row_fill(&hour->items[i], &rows[i]);
    *ret_rows = rows;
    *ret_count = hour->count;
    return ST_OK;
}

/* ---- one batch of hours ----------------------------------------------------- */

#define BATCH_MAX   24
#define BATCH_BYTES (192u << 20) /* of values at once; chosen */
#define ROWS_USUAL  2500u        /* a host's, both pools */

struct batch {
    int64_t hours[BATCH_MAX];
    struct rollup_hour *collected[BATCH_MAX];
    size_t count;
};

static void batch_done(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        rollup_hour_free(batch->collected[i]);
}

static enum status collect(const struct snapshot *snapshot, void *arg)
{
    struct batch *batch = arg;
    int64_t at = snapshot->taken_at_us;

    for (size_t i = 0; i < batch->count; i++)
        if (at >= batch->hours[i] && at < batch->hours[i] + US_PER_HOUR)
            return rollup_hour_add(batch->collected[i], snapshot->table);
    return ST_OK;
}

static enum status collect_hosts(struct db *db, const struct store_host_refs *refs,
                                 struct batch *batch, const atomic_bool *stop, struct err *err)
{
    int64_t grid[BATCH_MAX];
    int64_t from = batch->hours[0];
    int64_t to = batch->hours[batch->count - 1] + US_PER_HOUR - 1;
    enum status status = ST_OK;

    for (size_t i = 0; i < batch->count; i++)
        grid[i] = batch->hours[i] + US_PER_HOUR - 1;
    for (size_t i = 0; status == ST_OK && i < refs->count; i++) {
        if (atomic_load(stop))
            return err_set(err, ST_TIMEOUT, "the rollup was given up: the server stops");
        if (refs->items[i].last_seen_us < from || refs->items[i].first_seen_us > to)
            continue;
        status = store_snapshots_sample(db, refs->items[i].key, from, to, grid, batch->count,
                                        collect, batch, err);
    }
    return status;
}

static enum status batch_write(struct db *db, struct batch *batch, struct err *err)
{
    enum status status = partition_ensure(db, PARTITION_TAG_HOUR, batch->hours, batch->count, err);

    for (size_t i = 0; status == ST_OK && i < batch->count; i++) {
        AUTO_FREE struct rollup_row *rows = NULL;
        size_t count = 0;
        status = rollup_hour_rows(batch->collected[i], &rows, &count, err);
        if (status == ST_OK)
            status = store_rollup_write(db, batch->hours[i], rows, count, err);
    }
    return status;
}

static enum status batch_run(struct db *db, const struct store_host_refs *refs, struct batch *batch,
                             const atomic_bool *stop, struct err *err)
{
    enum status status = ST_OK;

    for (size_t i = 0; i < batch->count; i++)
        if ((batch->collected[i] = rollup_hour_new()) == NULL)
            status = err_set(err, ST_NOMEM, "could not roll up: out of memory");
    if (status == ST_OK)
        status = collect_hosts(db, refs, batch, stop, err);
    if (status == ST_OK)
        status = batch_write(db, batch, err);
    batch_done(batch);
    return status;
}

/* ---- the pass --------------------------------------------------------------- */

#define MARK "rollup"
/* A transaction may commit rows after others with a newer received_at were seen: look back. */
#define MARK_OVERLAP_US (2 * US_PER_MINUTE)

static size_t batch_size(size_t hosts)
{
    size_t an_hour = (hosts + 1) * ROWS_USUAL * sizeof(uint64_t) * 2; /* arrays grow by doubling */
    size_t fit = BATCH_BYTES / an_hour;
    return fit < 1 ? 1 : fit > BATCH_MAX ? BATCH_MAX : fit;
}

/* Hours close together go into one batch: a host's day is read once for all of them. */
static void batch_next(const int64_t *hours, size_t count, size_t *at, size_t size,
                       struct batch *ret_batch)
{
    *ret_batch = (struct batch){.count = 0};
    while (*at < count && ret_batch->count < size &&
           (ret_batch->count == 0 || hours[*at] - ret_batch->hours[0] < BATCH_MAX * US_PER_HOUR))
        ret_batch->hours[ret_batch->count++] = hours[(*at)++];
}

enum status rollup_pass(struct db *db, int64_t oldest_us, const atomic_bool *stop, struct err *err)
{
    AUTO_STORE_HOST_REFS struct store_host_refs refs = {0};
    AUTO_FREE int64_t *hours = NULL;
    size_t count = 0, at = 0;
    int64_t mark = TIME_UNKNOWN, newest = TIME_UNKNOWN;
    enum status status = store_mark_get(db, MARK, &mark, err);

    if (status == ST_OK)
        status =
            store_rollup_dirty(db, mark == TIME_UNKNOWN ? TIME_UNKNOWN : mark - MARK_OVERLAP_US,
                               &hours, &count, &newest, err);
    if (status == ST_OK && count > 0)
        status = store_hosts_keys(db, INT64_MAX / 2, &refs, err);
    while (at < count && hours[at] < oldest_us)
        at++;
    while (status == ST_OK && at < count) {
        struct batch batch;
        batch_next(hours, count, &at, batch_size(refs.count), &batch);
        status = batch_run(db, &refs, &batch, stop, err);
    }
    if (status == ST_OK && newest != TIME_UNKNOWN && newest > mark)
        status = store_mark_set(db, MARK, newest, err);
    return status;
}
