/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/sealed_model.h"

#include <string.h>

static void must(bool fine)
{
    if (!fine)
        abort();
}

/* The table without about one row in `one_in`. */
static void drop_rows(struct rng *rng, struct snapshot_table *table, uint64_t one_in)
{
    size_t kept = 0;
    for (size_t i = 0; i < table->count; i++) {
        if (rng_below(rng, one_in) == 0)
            continue;
        table->tag[kept] = table->tag[i];
        if (table->allocs != NULL)
            table->allocs[kept] = table->allocs[i];
        if (table->frees != NULL)
            table->frees[kept] = table->frees[i];
        if (table->bytes != NULL)
            table->bytes[kept] = table->bytes[i];
        kept++;
    }
    table->count = kept;
}

static unsigned random_columns(struct rng *rng)
{
    return rng_below(rng, 2) == 0 ? COLUMN_ALL : (unsigned)rng_below(rng, COLUMN_ALL + 1);
}

static void next_tables(struct sealed_model *model, struct rng *rng, size_t i, size_t rows)
{
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct snapshot_table *now = &model->tables[i][pool];
        if (i == 0 || rng_below(rng, 30) == 0) {
            if (rng_below(rng, 8) != 0)
                gen_table(rng, &model->arena, now, rows, random_columns(rng));
            continue;
        }
        /* Rows that vanished come back with what they had: from two tables before. */
        size_t from = i > 2 && rng_below(rng, 9) == 0 ? i - 2 : i - 1;
        gen_step(rng, &model->arena, &model->tables[from][pool], now, 2 + rng_below(rng, 8));
        if (rng_below(rng, 4) == 0)
            drop_rows(rng, now, 10);
    }
}

static struct sealed_snapshot next_key(struct sealed_model *model, struct rng *rng, size_t i)
{
    struct sealed_snapshot s = {
        .taken_at_us = (i == 0 ? 1700000000000000 : model->snapshots[i - 1].taken_at_us) +
                       300000000 + (int64_t)rng_below(rng, 2000) - 1000,
        .sequence = rng_below(rng, 9) == 0 ? SEQUENCE_UNKNOWN : (int64_t)(1000 + i),
        .base = rng_below(rng, 3) == 0 ? SEQUENCE_UNKNOWN : (int64_t)(999 + i),
    };
    if (rng_below(rng, 12) == 0)
        s.taken_at_us += (int64_t)rng_below(rng, 20000000000) - 10000000000;
    for (int t = 0; t < TOTAL_COUNT; t++) {
        if (rng_below(rng, 3) != 0)
            totals_set(&s.totals, (enum total)t, rng_next(rng) >> rng_below(rng, 64));
    }
    if (rng_below(rng, 3) == 0) {
        AUTO_STRBUF struct strbuf text = STRBUF_INIT;
        strbuf_printf(&text, "{\"processes\":[{\"pid\":%u,\"image\":\"\xc3\xa4.exe\"}]}",
                      (unsigned)rng_below(rng, 9999));
        s.detail = arena_strdup(&model->arena, text.data);
    }
    if (rng_below(rng, 15) == 0) {
        s.raw_length = rng_below(rng, 30);
        s.raw = arena_strndup(&model->arena, "PFb\1 a block, kept as it was. ", s.raw_length);
    }
    return s;
}

void sealed_model_random(struct sealed_model *ret_model, struct rng *rng, size_t count, size_t rows)
{
    must(count <= MODEL_SNAPSHOTS);
    *ret_model = (struct sealed_model){
        .boot_at_us = rng_below(rng, 4) == 0 ? TIME_UNKNOWN : 1690000000000001, .count = count};
    for (size_t i = 0; i < count; i++) {
        next_tables(ret_model, rng, i, rows);
        ret_model->snapshots[i] = next_key(ret_model, rng, i);
    }
}

void sealed_model_done(struct sealed_model *model)
{
    arena_done(&model->arena);
}

void sealed_model_write(const struct sealed_model *model, struct strbuf *out)
{
    struct sealed_builder *builder = sealed_builder_new(model->boot_at_us);
    must(builder != NULL);
    for (size_t i = 0; i < model->count; i++) {
        bool raw = model->snapshots[i].raw != NULL;
        must(sealed_add(builder, &model->snapshots[i], raw ? NULL : model->tables[i], NULL) ==
             ST_OK);
    }
    must(sealed_builder_count(builder) == model->count);
    must(sealed_finish(builder, out, NULL) == ST_OK);
    sealed_builder_free(builder);
}

static void dump_table(const struct snapshot_table *table, enum pool pool, struct strbuf *out)
{
    if (!table->present)
        return;
    strbuf_printf(out, " %s %zu rows\n", pool_name(pool), table->count);
    for (size_t i = 0; i < table->count; i++) {
        strbuf_printf(out, "  %08x", table->tag[i]);
        if (table->allocs != NULL)
            strbuf_printf(out, " allocs %u", table->allocs[i]);
        if (table->frees != NULL)
            strbuf_printf(out, " frees %u", table->frees[i]);
        if (table->bytes != NULL)
            strbuf_printf(out, " bytes %llu", (unsigned long long)table->bytes[i]);
        strbuf_putc(out, '\n');
    }
}

void sealed_model_dump(struct sealed *sealed, struct strbuf *out)
{
    strbuf_printf(out, "boot %lld\n", (long long)sealed_boot_at_us(sealed));
    for (size_t i = 0; i < sealed_count(sealed); i++) {
        AUTO_ARENA struct arena arena = {0};
        const struct sealed_snapshot *s = sealed_at(sealed, i);
        struct snapshot_table table[POOL_COUNT] = {{0}};
        strbuf_printf(out, "taken %lld sequence %lld base %lld\n", (long long)s->taken_at_us,
                      (long long)s->sequence, (long long)s->base);
        for (int t = 0; t < TOTAL_COUNT; t++) {
            if (totals_has(&s->totals, (enum total)t))
                strbuf_printf(out, " %s %llu\n", total_name((enum total)t),
                              (unsigned long long)s->totals.value[t]);
        }
        if (s->detail != NULL)
            strbuf_printf(out, " detail %s\n", s->detail);
        if (s->raw != NULL)
            strbuf_printf(out, " raw %.*s\n", (int)s->raw_length, (const char *)s->raw);
        else
            must(sealed_tables(sealed, i, &arena, table, NULL) == ST_OK);
        for (int pool = 0; pool < POOL_COUNT; pool++)
            dump_table(&table[pool], (enum pool)pool, out);
    }
}
