/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fleetgen.h"

#include <pthread.h>
#include <string.h>

uint64_t rng_next(struct rng *rng)
{
    rng->state += 0x9E3779B97F4A7C15ull; /* splitmix64 */
    uint64_t z = rng->state;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return z ^ z >> 31;
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    return bound == 0 ? 0 : rng_next(rng) % bound;
}

static void must(bool fine)
{
    if (!fine)
        abort();
}

struct snapshot *gen_snapshot(const char *host_id, int64_t boot_at_us, int64_t taken_at_us,
                              int64_t sequence, int64_t base)
{
    struct snapshot *s = calloc(1, sizeof *s);
    must(s != NULL);
    snapshot_init(s);
    s->host_id = host_id == NULL ? NULL : arena_strdup(&s->arena, host_id);
    s->boot_at_us = boot_at_us;
    s->taken_at_us = taken_at_us;
    s->sequence = sequence;
    s->base = base;
    return s;
}

void gen_free(struct snapshot *snapshot)
{
    if (snapshot != NULL)
        snapshot_done(snapshot);
    free(snapshot);
}

static uint32_t random_tag(struct rng *rng)
{
    return (uint32_t)rng_next(rng) & ~TAG_PROTECTED;
}

static void random_row(struct rng *rng, struct snapshot_table *table, size_t i)
{
    if (table->allocs != NULL)
        table->allocs[i] = (uint32_t)rng_next(rng);
    if (table->frees != NULL)
        table->frees[i] = (uint32_t)rng_next(rng);
    if (table->bytes != NULL) /* now and then beyond 32 bits, and at the edge */
        table->bytes[i] = rng_below(rng, 20) == 0   ? rng_below(rng, 1ull << 40)
                          : rng_below(rng, 30) == 0 ? UINT32_MAX - 1 + rng_below(rng, 3)
                                                    : rng_below(rng, 1ull << 24);
}

/* Sorts and drops rows whose tag stands twice. */
static void settle(struct snapshot_table *table)
{
    while (snapshot_table_sort(table, NULL) != ST_OK) {
        for (size_t i = 0; i < table->count; i++) {
            for (size_t k = i + 1; k < table->count; k++) {
                if (table->tag[i] == table->tag[k])
                    table->tag[k] = table->tag[k] * 2654435761u & ~TAG_PROTECTED;
            }
        }
    }
}

void gen_table(struct rng *rng, struct arena *arena, struct snapshot_table *ret_table, size_t rows,
               unsigned columns)
{
    must(snapshot_table_alloc(arena, ret_table, rows, columns) == ST_OK);
    for (size_t i = 0; i < rows; i++) {
        ret_table->tag[i] = random_tag(rng);
        random_row(rng, ret_table, i);
    }
    settle(ret_table);
}

static void copy_rows(struct snapshot_table *to, const struct snapshot_table *from)
{
    size_t n = from->count;
    if (n == 0)
        return;
    memcpy(to->tag, from->tag, n * sizeof *to->tag);
    if (from->allocs != NULL)
        memcpy(to->allocs, from->allocs, n * sizeof *to->allocs);
    if (from->frees != NULL)
        memcpy(to->frees, from->frees, n * sizeof *to->frees);
    if (from->bytes != NULL)
        memcpy(to->bytes, from->bytes, n * sizeof *to->bytes);
}

void gen_copy(struct arena *arena, const struct snapshot_table *table,
              struct snapshot_table *ret_table)
{
    *ret_table = (struct snapshot_table){0};
    if (!table->present)
        return;
    must(snapshot_table_alloc(arena, ret_table, table->count, snapshot_table_columns(table)) ==
         ST_OK);
    copy_rows(ret_table, table);
}

void gen_step(struct rng *rng, struct arena *arena, const struct snapshot_table *table,
              struct snapshot_table *ret_table, uint64_t one_in)
{
    *ret_table = (struct snapshot_table){0};
    if (!table->present)
        return;
    size_t more = rng_below(rng, 3);
    must(snapshot_table_alloc(arena, ret_table, table->count + more,
                              snapshot_table_columns(table)) == ST_OK);
    copy_rows(ret_table, table);
    for (size_t i = 0; i < table->count; i++) {
        if (rng_below(rng, one_in) != 0)
            continue;
        if (ret_table->allocs != NULL)
            ret_table->allocs[i] += (uint32_t)rng_below(rng, 1u << 30); /* wraps in a few steps */
        if (ret_table->bytes != NULL)
            ret_table->bytes[i] += rng_below(rng, 1u << 20);
    }
    for (size_t i = table->count; i < ret_table->count; i++) {
        ret_table->tag[i] = random_tag(rng);
        random_row(rng, ret_table, i);
    }
    settle(ret_table);
}

static bool same_column(const void *a, const void *b, size_t size)
{
    return (a == NULL) == (b == NULL) && (a == NULL || size == 0 || memcmp(a, b, size) == 0);
}

bool gen_same_tables(const struct snapshot_table a[POOL_COUNT],
                     const struct snapshot_table b[POOL_COUNT])
{
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        const struct snapshot_table *x = &a[pool], *y = &b[pool];
        if (x->present != y->present)
            return false;
        if (!x->present)
            continue;
        size_t n = x->count;
        if (n != y->count || !same_column(x->tag, y->tag, n * sizeof *x->tag) ||
            !same_column(x->allocs, y->allocs, n * sizeof *x->allocs) ||
            !same_column(x->frees, y->frees, n * sizeof *x->frees) ||
            !same_column(x->bytes, y->bytes, n * sizeof *x->bytes))
            return false;
    }
    return true;
}

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool finished;
    enum status status;
    struct outcome *outcomes;
};

static void finished(struct ingest_batch *batch, void *arg)
{
    struct waiter *waiter = arg;
    for (size_t i = 0; i < batch->count; i++)
        waiter->outcomes[i] = (struct outcome){batch->items[i].outcome, batch->items[i].err};
    pthread_mutex_lock(&waiter->lock);
    waiter->status = batch->status;
    ingest_batch_free(batch);
    waiter->finished = true;
    pthread_cond_signal(&waiter->done);
    pthread_mutex_unlock(&waiter->lock);
}

enum status gen_send(struct ingest *ingest, struct snapshot *const *snapshots, size_t count,
                     const char *only_host, struct outcome *ret_outcomes)
{
    struct waiter waiter = {.lock = PTHREAD_MUTEX_INITIALIZER,
                            .done = PTHREAD_COND_INITIALIZER,
                            .outcomes = ret_outcomes};
    struct ingest_batch *batch = ingest_batch_new(count);
    must(batch != NULL);
    for (size_t i = 0; i < count; i++)
        batch->items[batch->count++] =
            (struct ingest_item){.snapshot = snapshots[i], .index = i, .cost_bytes = 1000};
    batch->only_host = only_host;
    batch->done = finished;
    batch->arg = &waiter;
    struct err err = {0};
    enum status status = ingest_submit(ingest, batch, &err);
    if (status != ST_OK) {
        ingest_batch_free(batch);
        return status;
    }
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.finished)
        pthread_cond_wait(&waiter.done, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    return waiter.status;
}
