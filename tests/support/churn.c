/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/churn.h"

#include <math.h>
#include <string.h>

/* How a tag behaves. Rates are changes a second while it is active. */
struct habit {
    double busy;     /* changes in nearly every snapshot */
    double now_then; /* in about a third of them */
    double rare;     /* chance of any other tag in a snapshot */
};
static const struct habit habits[CHURN_MIXES] = {
    [CHURN_CALM] = {.busy = 0.09, .now_then = 0.12, .rare = 0.03},
    [CHURN_STORMY] = {.busy = 0.27, .now_then = 0.12, .rare = 0.03},
};

enum kind { KIND_BUSY, KIND_NOW_THEN, KIND_STILL };

struct churn_row {
    enum kind kind;
    double rate;        /* allocations a second */
    double level;       /* outstanding allocations it tends to */
    uint32_t allocs;    /* wraps */
    double outstanding; /* whole */
    uint32_t block;     /* bytes of one */
    bool varying;       /* blocks have many sizes */
    uint64_t bytes;
};

struct churn_host {
    struct rng rng;
    struct arena arena;
    struct habit habit;
    size_t rows[POOL_COUNT];
    struct churn_row *row[POOL_COUNT];
    struct snapshot_table table[POOL_COUNT];
};

const char *churn_mix_name(enum churn_mix mix)
{
    return mix == CHURN_CALM ? "calm" : "stormy";
}

static double uniform(struct rng *rng)
{
    return (double)(rng_next(rng) >> 11) / 9007199254740992.0;
}

static double normal(struct rng *rng)
{
    return sqrt(-2 * log(1 - uniform(rng))) * cos(2 * 3.14159265358979 * uniform(rng));
}

/* About `mean` things happened; whole, not negative. */
static double happened(struct rng *rng, double mean)
{
    if (mean < 30) {
        double limit = exp(-mean), product = uniform(rng), count = 0;
        for (; product > limit; count++)
            product *= uniform(rng);
        return count;
    }
    return fmax(0, round(mean + sqrt(mean) * normal(rng)));
}

static uint32_t tag_of(const char *text)
{
    return (uint32_t)text[0] | (uint32_t)text[1] << 8 | (uint32_t)text[2] << 16 |
           (uint32_t)text[3] << 24;
}

/* Tags look like tags: letters, mostly a prefix of their driver. The same for the whole fleet. */
static uint32_t fleet_tag(size_t i)
{
    struct rng rng = {i * 977 + 13};
    struct rng prefix = {i / 12};
    char text[4];
    text[0] = (char)('A' + rng_below(&prefix, 26));
    text[1] = (char)('a' + rng_below(&prefix, 26));
    text[2] = (char)('a' + rng_below(&rng, 26));
    text[3] = (char)((i % 3 == 0 ? '0' : i % 3 == 1 ? 'A' : 'a') + (char)rng_below(&rng, 10));
    return tag_of(text);
}

static void row_init(struct churn_row *row, struct rng *kind, struct rng *rng,
                     const struct habit *habit, uint32_t tag)
{
    /* What a tag is like is the same everywhere; how much of it there is, is the host's. */
    double which = uniform(kind);
    row->kind = which < habit->busy                     ? KIND_BUSY
                : which < habit->busy + habit->now_then ? KIND_NOW_THEN
                                                        : KIND_STILL;
    row->block = (uint32_t)(16 * (1 + floor(exp(uniform(kind) * 5.5))));
    row->varying = uniform(kind) < 0.3;
    row->rate = exp(normal(kind) * 2) * (row->kind == KIND_BUSY ? 0.5 : 0.01);
    row->level = ceil(exp(3 + normal(kind) * 2.2 + normal(rng) * 0.7));
    if (tag == tag_of("File") || tag == tag_of("Toke") || tag == tag_of("NtFC")) {
        row->kind = KIND_BUSY;
        row->rate = 1500 + 2500 * uniform(rng);
        row->level = 4e4;
    }
    row->outstanding = row->level;
    row->allocs = (uint32_t)(row->level + row->rate * 86400 * 20 * uniform(rng));
    row->bytes = (uint64_t)row->level * row->block;
    if (row->varying)
        row->bytes += (uint64_t)(row->level * row->block * uniform(rng)) / 16 * 16;
}

struct churn_host *churn_host_new(enum churn_mix mix, size_t index, size_t rows)
{
    struct churn_host *host = calloc(1, sizeof *host);
    if (host == NULL)
        abort();
    host->rng.state = index * 1000003 + (size_t)mix;
    host->habit = habits[mix];
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        size_t most = rows / 2 + 3;
        struct snapshot_table *table = &host->table[pool];
        if (snapshot_table_alloc(&host->arena, table, most, COLUMN_ALL) != ST_OK)
            abort();
        table->count = 0;
        for (size_t i = 0; table->count < rows / 2; i++) {
            /* One tag in ten is not on every host. */
            static const char *const storm[] = {"File", "Toke", "NtFC"};
            if (i >= 3 && i % 10 == 9 && rng_below(&host->rng, 2) == 0)
                continue;
            uint32_t tag = i < 3 ? tag_of(storm[i]) : fleet_tag(i * 2 + (size_t)pool);
            bool twice = false;
            for (size_t k = 0; k < table->count; k++)
                twice = twice || table->tag[k] == tag;
            if (!twice)
                table->tag[table->count++] = tag;
        }
        if (snapshot_table_sort(table, NULL) != ST_OK)
            abort();
        host->rows[pool] = table->count;
        host->row[pool] = arena_alloc(&host->arena, table->count, sizeof **host->row);
        if (host->row[pool] == NULL)
            abort();
        for (size_t i = 0; i < table->count; i++) {
            struct rng kind = {(uint64_t)table->tag[i] * 31 + (uint64_t)pool};
            row_init(&host->row[pool][i], &kind, &host->rng, &host->habit, table->tag[i]);
        }
    }
    churn_host_step(host, 0);
    return host;
}

void churn_host_free(struct churn_host *host)
{
    arena_done(&host->arena);
    free(host);
}

static void row_step(struct churn_row *row, struct rng *rng, const struct habit *habit,
                     double seconds)
{
    double chance = row->kind == KIND_BUSY ? 0.95 : row->kind == KIND_NOW_THEN ? 0.35 : habit->rare;
    if (seconds <= 0 || uniform(rng) >= chance)
        return;
    double allocs = fmax(1, happened(rng, row->rate * seconds));
    /* What is outstanding wanders around its level. */
    double pull = (row->level - row->outstanding) * 0.2;
    double change = round(pull + normal(rng) * sqrt(fmin(allocs, row->level)) * 0.7);
    change = fmax(change, -row->outstanding);
    change = fmin(change, allocs);
    row->allocs += (uint32_t)(uint64_t)allocs;
    row->outstanding += change;
    if (!row->varying) {
        row->bytes = (uint64_t)row->outstanding * row->block;
        return;
    }
    /* Blocks of 1 to 4 times the size come and go. */
    double moved = fmin(fabs(change) + sqrt(allocs), 4000);
    double sizes = change * 2.5 * row->block + normal(rng) * sqrt(moved) * row->block * 0.9;
    double bytes = fmax(row->outstanding * row->block, (double)row->bytes + sizes);
    row->bytes = (uint64_t)bytes / 16 * 16;
}

void churn_host_step(struct churn_host *host, double seconds)
{
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct snapshot_table *table = &host->table[pool];
        for (size_t i = 0; i < host->rows[pool]; i++) {
            struct churn_row *row = &host->row[pool][i];
            row_step(row, &host->rng, &host->habit, seconds);
            table->allocs[i] = row->allocs;
            table->frees[i] = row->allocs - (uint32_t)row->outstanding;
            table->bytes[i] = row->bytes;
        }
    }
}

const struct snapshot_table *churn_host_tables(const struct churn_host *host)
{
    return host->table;
}

void churn_host_totals(const struct churn_host *host, struct snapshot_totals *ret_totals)
{
    uint64_t bytes[POOL_COUNT] = {0};
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        for (size_t i = 0; i < host->rows[pool]; i++)
            bytes[pool] += host->table[pool].bytes[i];
    }
    *ret_totals = (struct snapshot_totals){0};
    totals_set(ret_totals, TOTAL_NONPAGED_BYTES, bytes[POOL_NONPAGED]);
    totals_set(ret_totals, TOTAL_PAGED_BYTES, bytes[POOL_PAGED]);
    totals_set(ret_totals, TOTAL_NONPAGED_LIMIT_BYTES, 12ull << 30);
    totals_set(ret_totals, TOTAL_PAGED_LIMIT_BYTES, 16ull << 40);
    totals_set(ret_totals, TOTAL_COMMIT_BYTES, (9ull << 30) + bytes[POOL_PAGED] * 7);
    totals_set(ret_totals, TOTAL_COMMIT_LIMIT_BYTES, 38ull << 30);
    totals_set(ret_totals, TOTAL_PHYSICAL_BYTES, 32ull << 30);
    totals_set(ret_totals, TOTAL_AVAILABLE_BYTES, (20ull << 30) - bytes[POOL_NONPAGED] * 3);
    totals_set(ret_totals, TOTAL_HANDLES, 70000 + bytes[POOL_NONPAGED] % 5000);
    totals_set(ret_totals, TOTAL_PROCESSES, 190);
    totals_set(ret_totals, TOTAL_THREADS, 2600 + bytes[POOL_PAGED] % 200);
}
