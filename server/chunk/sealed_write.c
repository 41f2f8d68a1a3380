/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a sealed chunk. While snapshots are added, only what changed is kept, as records in the
 * order of time; at the end they are sorted by series and written group by group.
 */
#include "server/chunk/order.h"
#include "server/chunk/sealed.h"
#include "server/chunk/sealed_form.h"
#include "server/chunk/sealed_group.h"
#include "server/chunk/sealed_keys.h"
#include "server/chunk/varint.h"

#include "common/limits.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* A group ends when it has so many bytes: two of PostgreSQL's pieces hold most. Measured, 2,500
 * rows: groups of 64 tags, about that, make a chunk 0.4 % larger than groups of 256. */
#define GROUP_BYTES ((size_t)2000)
#define ZSTD_LEVEL  5                   /* of texts */
#define RECORDS_MAX ((size_t)1500000)   /* 25 bytes each at most: below SEALED_PLAIN_MAX */
#define TEXTS_MAX   ((size_t)8 << 20)   /* details and raws, before the last one */
#define BITS_MAX    ((size_t)128 << 20) /* snapshots times series: what is gone over at most */

struct record {
    uint32_t tag;
    struct group_change change; /* at: place among the snapshots with tables */
};

struct records {
    struct record *items;
    size_t count;
    size_t capacity;
};

struct run {
    size_t first; /* place among the snapshots with tables */
    size_t count;
    struct records records[POOL_COUNT];
    bool present[POOL_COUNT];
    unsigned columns[POOL_COUNT];
};

struct sealed_builder {
    int64_t boot_at_us;
    struct arena arena; /* keys and texts */
    struct sealed_snapshot snapshots[SEALED_SNAPSHOTS_MAX];
    size_t count;
    size_t whole; /* of them with tables */
    size_t record_count;
    size_t begun; /* rows that were not in the table before: no fewer than series */
    size_t text_bytes;
    struct run *runs;
    size_t run_count;
    struct arena turns[2]; /* the newest tables and room for the next ones */
    int turn;
    struct snapshot_table table[POOL_COUNT];
};

static enum status no_memory(struct err *err)
{
    return err_set(err, ST_NOMEM, "could not seal snapshots: out of memory");
}

struct sealed_builder *sealed_builder_new(int64_t boot_at_us)
{
    struct sealed_builder *builder = calloc(1, sizeof *builder);
    if (builder != NULL)
        builder->boot_at_us = boot_at_us;
    return builder;
}

void sealed_builder_free(struct sealed_builder *builder)
{
    if (builder == NULL)
        return;
    for (size_t i = 0; i < builder->run_count; i++) {
        for (int pool = 0; pool < POOL_COUNT; pool++)
            free(builder->runs[i].records[pool].items);
    }
    free(builder->runs);
    arena_done(&builder->arena);
    arena_done(&builder->turns[0]);
    arena_done(&builder->turns[1]);
    free(builder);
}

bool sealed_builder_full(const struct sealed_builder *builder)
{
    return builder->count == SEALED_SNAPSHOTS_MAX || builder->record_count >= RECORDS_MAX ||
           builder->text_bytes >= TEXTS_MAX || builder->begun * builder->whole >= BITS_MAX;
}

size_t sealed_builder_count(const struct sealed_builder *builder)
{
    return builder->count;
}

/* ---- adding ---------------------------------------------------------------- */

static bool record_add(struct records *records, const struct record *record)
{
    if (records->count == records->capacity) {
        size_t capacity = records->capacity == 0 ? 4096 : records->capacity * 2;
        struct record *items = reallocarray(records->items, capacity, sizeof *items);
        if (items == NULL)
            return false;
        records->items = items;
        records->capacity = capacity;
    }
    records->items[records->count++] = *record;
    return true;
}

static struct record record_of(const struct snapshot_table *table, size_t row, uint32_t at)
{
    return (struct record){
        .tag = table->tag[row],
        .change = {.at = at,
                   .allocs = table->allocs == NULL ? 0 : table->allocs[row],
                   .frees = table->frees == NULL ? 0 : table->frees[row],
                   .bytes = table->bytes == NULL ? 0 : table->bytes[row]},
    };
}

static bool same_row(const struct snapshot_table *a, size_t i, const struct snapshot_table *b,
                     size_t k)
{
    return (a->allocs == NULL || a->allocs[i] == b->allocs[k]) &&
           (a->frees == NULL || a->frees[i] == b->frees[k]) &&
           (a->bytes == NULL || a->bytes[i] == b->bytes[k]);
}

/* What `now` has that `before` had not, and the other way round. Both have the same columns. */
static bool record_changes(struct sealed_builder *builder, struct records *records,
                           const struct snapshot_table *before, const struct snapshot_table *now)
{
    uint32_t at = (uint32_t)builder->whole;
    size_t i = 0, k = 0;
    while (i < before->count || k < now->count) {
        bool old = k == now->count || (i < before->count && before->tag[i] < now->tag[k]);
        bool fresh = !old && (i == before->count || now->tag[k] < before->tag[i]);
        struct record record;
        if (old) {
            record = (struct record){.tag = before->tag[i++], .change = {.at = at, .gone = true}};
        } else if (fresh) {
            record = record_of(now, k++, at);
            builder->begun++;
        } else if (same_row(before, i, now, k)) {
            i++;
            k++;
            continue;
        } else {
            record = record_of(now, k, at);
            i++;
            k++;
        }
        if (!record_add(records, &record))
            return false;
        builder->record_count++;
    }
    return true;
}

static bool same_run(const struct run *run, const struct snapshot_table table[POOL_COUNT])
{
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (run->present[pool] != table[pool].present ||
            (table[pool].present && run->columns[pool] != snapshot_table_columns(&table[pool])))
            return false;
    }
    return true;
}

static struct run *run_for(struct sealed_builder *builder,
                           const struct snapshot_table table[POOL_COUNT])
{
    if (builder->run_count > 0 && same_run(&builder->runs[builder->run_count - 1], table))
        return &builder->runs[builder->run_count - 1];
    struct run *runs = reallocarray(builder->runs, builder->run_count + 1, sizeof *runs);
    if (runs == NULL)
        return NULL;
    builder->runs = runs;
    struct run *run = &runs[builder->run_count++];
    *run = (struct run){.first = builder->whole};
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        run->present[pool] = table[pool].present;
        run->columns[pool] = table[pool].present ? snapshot_table_columns(&table[pool]) : 0;
    }
    memset(builder->table, 0, sizeof builder->table);
    return run;
}

static bool table_keep(struct arena *arena, const struct snapshot_table *from,
                       struct snapshot_table *to)
{
    size_t n = from->count;
    *to = (struct snapshot_table){0};
    if (!from->present)
        return true;
    if (snapshot_table_alloc(arena, to, n, snapshot_table_columns(from)) != ST_OK)
        return false;
    if (n == 0)
        return true;
    memcpy(to->tag, from->tag, n * sizeof *to->tag);
    if (from->allocs != NULL)
        memcpy(to->allocs, from->allocs, n * sizeof *to->allocs);
    if (from->frees != NULL)
        memcpy(to->frees, from->frees, n * sizeof *to->frees);
    if (from->bytes != NULL)
        memcpy(to->bytes, from->bytes, n * sizeof *to->bytes);
    return true;
}

static enum status add_tables(struct sealed_builder *builder,
                              const struct snapshot_table table[POOL_COUNT], struct err *err)
{
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (table[pool].present && table[pool].count > LIMIT_TABLE_ROWS)
            return err_field(err, ST_TOO_LARGE, pool_name(pool), "could not seal: over %u rows",
                             LIMIT_TABLE_ROWS);
    }
    struct run *run = run_for(builder, table);
    struct arena *arena = &builder->turns[!builder->turn];
    struct snapshot_table kept[POOL_COUNT];
    if (run == NULL)
        return no_memory(err);
    arena_done(arena);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (!record_changes(builder, &run->records[pool], &builder->table[pool], &table[pool]) ||
            !table_keep(arena, &table[pool], &kept[pool]))
            return no_memory(err);
    }
    memcpy(builder->table, kept, sizeof kept);
    builder->turn = !builder->turn;
    run->count++;
    builder->whole++;
    return ST_OK;
}

enum status sealed_add(struct sealed_builder *builder, const struct sealed_snapshot *snapshot,
                       const struct snapshot_table *table, struct err *err)
{
    struct sealed_snapshot kept = *snapshot;
    if (sealed_builder_full(builder) || (table == NULL) != (snapshot->raw != NULL))
        return err_set(err, ST_BUG, "could not seal a snapshot: full, or neither form");
    if (kept.detail != NULL) {
        kept.detail = arena_strdup(&builder->arena, kept.detail);
        builder->text_bytes += kept.detail == NULL ? 0 : strlen(kept.detail);
    }
    if (kept.raw != NULL) {
        kept.raw = arena_strndup(&builder->arena, kept.raw, kept.raw_length);
        builder->text_bytes += kept.raw_length;
    }
    if ((snapshot->detail != NULL && kept.detail == NULL) ||
        (snapshot->raw != NULL && kept.raw == NULL))
        return no_memory(err);
    enum status status = table == NULL ? ST_OK : add_tables(builder, table, err);
    if (status == ST_OK)
        builder->snapshots[builder->count++] = kept;
    return status;
}

/* ---- groups ---------------------------------------------------------------- */

static void add_number(struct strbuf *out, uint64_t value)
{
    unsigned char bytes[VARINT_MAX];
    strbuf_add(out, bytes, (size_t)(put_varint(bytes, value) - bytes));
}

static void add_crc(struct strbuf *out, const void *data, size_t length)
{
    uint32_t crc = htole32((uint32_t)crc32_z(0, data, length));
    strbuf_add(out, &crc, sizeof crc);
}

/* Places of the records, sorted by key and then by time. */
static uint64_t *sort_records(const struct records *records)
{
    uint64_t *order = calloc(records->count + 1, sizeof *order);
    for (size_t i = 0; order != NULL && i < records->count; i++)
        order[i] = (uint64_t)group_key(records->items[i].tag) << 32 | i;
    if (order != NULL && !order_by_high(order, records->count)) {
        free(order);
        return NULL;
    }
    return order;
}

/* The table of a run on its way into groups. */
struct part_writer {
    const struct run *run;
    const struct records *records;
    struct group_shape shape;
    struct strbuf *groups; /* all of the chunk */
    struct strbuf list;    /* what the head says of each group of this table */
    size_t count;
    struct group_series series;
};

static void part_done(struct part_writer *part)
{
    strbuf_done(&part->list);
}

static struct group_shape part_shape(const struct run *run, const struct records *records,
                                     unsigned columns, const uint64_t *order)
{
    struct group_shape shape = {.snapshots = run->count, .columns = columns, .all_first = true};
    for (size_t i = 0; i < records->count; i++) {
        const struct group_change *change = &records->items[(uint32_t)order[i]].change;
        bool begins = i == 0 || order[i] >> 32 != order[i - 1] >> 32;
        shape.all_first = shape.all_first && (!begins || change->at == run->first);
        shape.any_gone = shape.any_gone || change->gone;
    }
    return shape;
}

/* All records of one key from order[i] on; the place behind them. */
static size_t take_series(struct part_writer *part, const uint64_t *order, size_t i)
{
    struct group_series *series = &part->series;
    series->key = (uint32_t)(order[i] >> 32);
    series->count = 0;
    for (; i < part->records->count && (uint32_t)(order[i] >> 32) == series->key; i++) {
        struct group_change *change = &series->changes[series->count++];
        *change = part->records->items[(uint32_t)order[i]].change;
        change->at -= (uint32_t)part->run->first;
    }
    return i;
}

static size_t write_group(struct part_writer *part, const uint64_t *order, size_t i)
{
    struct group_writer writer;
    size_t start = part->groups->length;
    group_write_begin(&writer, &part->shape, part->groups);
    while (i < part->records->count && part->groups->length - start < GROUP_BYTES &&
           !strbuf_failed(part->groups)) {
        i = take_series(part, order, i);
        group_write(&writer, &part->series);
    }
    group_write_end(&writer);
    if (strbuf_failed(part->groups))
        return part->records->count;
    add_number(&part->list, writer.count);
    add_number(&part->list, part->groups->length - start);
    add_crc(&part->list, part->groups->data + start, part->groups->length - start);
    part->count++;
    return i;
}

static bool write_part(const struct run *run, int pool, struct strbuf *runs, struct strbuf *groups)
{
    AUTO_FREE uint64_t *order = sort_records(&run->records[pool]);
    AUTO_FREE struct part_writer *part = calloc(1, sizeof *part);
    if (part == NULL || order == NULL)
        return false;
    part->run = run;
    part->records = &run->records[pool];
    part->groups = groups;
    part->shape = part_shape(run, part->records, run->columns[pool], order);
    for (size_t i = 0; i < part->records->count;)
        i = write_group(part, order, i);
    bool ok = !strbuf_failed(&part->list);
    add_number(runs, part->count);
    if (part->list.length > 0)
        strbuf_add(runs, part->list.data, part->list.length);
    part_done(part);
    return ok && !strbuf_failed(runs) && !strbuf_failed(groups);
}

static bool write_runs(const struct sealed_builder *builder, struct strbuf *runs,
                       struct strbuf *groups)
{
    add_number(runs, builder->run_count);
    for (size_t i = 0; i < builder->run_count; i++) {
        const struct run *run = &builder->runs[i];
        add_number(runs, run->count);
        for (int pool = 0; pool < POOL_COUNT; pool++) {
            add_number(runs,
                       run->present[pool] ? PART_PRESENT | run->columns[pool] << PART_COLUMNS : 0);
            if (run->present[pool] && !write_part(run, pool, runs, groups))
                return false;
        }
    }
    return !strbuf_failed(runs);
}

/* ---- texts ----------------------------------------------------------------- */

static void add_section(struct strbuf *out, const struct strbuf *section)
{
    add_number(out, section->length);
    if (section->length > 0)
        strbuf_add(out, section->data, section->length);
}

static bool pack(struct strbuf *out, const struct strbuf *plain)
{
    size_t bound = ZSTD_compressBound(plain->length);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    size_t packed = 0;
    bool ok = context != NULL && strbuf_reserve(out, bound);
    if (ok) {
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, ZSTD_LEVEL);
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
        packed =
            ZSTD_compress2(context, out->data + out->length, bound, plain->data, plain->length);
        ok = !ZSTD_isError(packed);
    }
    ZSTD_freeCCtx(context);
    if (ok)
        out->length += packed;
    return ok;
}

/* Mostly there are none: nothing then. */
static bool write_texts(const struct sealed_builder *builder, struct strbuf *out, size_t *ret_plain)
{
    AUTO_STRBUF struct strbuf details = STRBUF_INIT;
    AUTO_STRBUF struct strbuf raws = STRBUF_INIT;
    AUTO_STRBUF struct strbuf plain = STRBUF_INIT;
    bool any = false;
    for (size_t i = 0; i < builder->count; i++) {
        const struct sealed_snapshot *s = &builder->snapshots[i];
        any = any || s->detail != NULL || s->raw != NULL;
        if (s->detail != NULL) {
            add_number(&details, strlen(s->detail));
            strbuf_puts(&details, s->detail);
        }
        if (s->raw != NULL) {
            add_number(&raws, s->raw_length);
            strbuf_add(&raws, s->raw, s->raw_length);
        }
    }
    *ret_plain = 0;
    if (!any)
        return true;
    bool ok = !strbuf_failed(&details) && !strbuf_failed(&raws);
    add_section(&plain, &details);
    add_section(&plain, &raws);
    *ret_plain = plain.length;
    return ok && !strbuf_failed(&plain) && pack(out, &plain);
}

/* ---- the chunk ------------------------------------------------------------- */

static void write_head(struct sealed_builder *builder, const struct strbuf *runs,
                       const struct strbuf *texts, size_t plain, struct strbuf *out)
{
    AUTO_STRBUF struct strbuf keys = STRBUF_INIT;
    AUTO_STRBUF struct strbuf payload = STRBUF_INIT;
    size_t start = out->length;
    sealed_keys_write(builder->snapshots, builder->count, &keys);
    add_number(&payload, zigzag64((uint64_t)builder->boot_at_us));
    add_number(&payload, builder->count);
    add_section(&payload, &keys);
    add_number(&payload, plain);
    add_number(&payload, texts->length);
    add_crc(&payload, texts->data, texts->length);
    strbuf_add(&payload, runs->data, runs->length);
    strbuf_add(out, SEALED_MAGIC_2, 4);
    add_section(out, &payload);
    out->failed = out->failed || strbuf_failed(&keys) || strbuf_failed(&payload);
    if (!strbuf_failed(out))
        add_crc(out, out->data + start, out->length - start);
}

enum status sealed_finish(struct sealed_builder *builder, struct strbuf *out, struct err *err)
{
    AUTO_STRBUF struct strbuf runs = STRBUF_INIT;
    AUTO_STRBUF struct strbuf groups = STRBUF_INIT;
    AUTO_STRBUF struct strbuf texts = STRBUF_INIT;
    size_t plain = 0;
    if (!write_runs(builder, &runs, &groups) || !write_texts(builder, &texts, &plain))
        return no_memory(err);
    if (plain > SEALED_PLAIN_MAX)
        return err_set(err, ST_TOO_LARGE, "could not seal snapshots: over %zu bytes",
                       SEALED_PLAIN_MAX);
    write_head(builder, &runs, &texts, plain, out);
    if (texts.length > 0)
        strbuf_add(out, texts.data, texts.length);
    if (groups.length > 0)
        strbuf_add(out, groups.data, groups.length);
    return strbuf_failed(out) ? no_memory(err) : ST_OK;
}
