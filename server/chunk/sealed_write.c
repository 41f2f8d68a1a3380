/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a sealed chunk. While snapshots are added, only what changed is kept, as records in the
 * order of time; at the end they are sorted by series and written stream by stream.
 */
#include "server/chunk/sealed.h"
#include "server/chunk/sealed_form.h"
#include "server/chunk/varint.h"

#include "common/limits.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* Deltas are noise to zstd: level 9 saves 1 % against 5, a dictionary made of another host's chunk
 * 4 to 7 %; not worth tying every chunk to a dictionary that must be kept for ever. */
#define ZSTD_LEVEL  5
#define RECORDS_MAX ((size_t)1500000)   /* 25 bytes each at most: below SEALED_PLAIN_MAX */
#define TEXTS_MAX   ((size_t)8 << 20)   /* details and raws, before the last one */
#define BITS_MAX    ((size_t)128 << 20) /* of STREAM_CHANGED: 16 MiB */

struct record {
    uint64_t bytes;
    uint32_t tag;
    uint32_t at; /* place among the snapshots with tables */
    uint32_t allocs;
    uint32_t frees;
    bool gone;
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
        .at = at,
        .allocs = table->allocs == NULL ? 0 : table->allocs[row],
        .frees = table->frees == NULL ? 0 : table->frees[row],
        .bytes = table->bytes == NULL ? 0 : table->bytes[row],
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
            record = (struct record){.tag = before->tag[i++], .at = at, .gone = true};
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

/* ---- streams --------------------------------------------------------------- */

static void add_number(struct strbuf *out, uint64_t value)
{
    unsigned char bytes[VARINT_MAX];
    strbuf_add(out, bytes, (size_t)(put_varint(bytes, value) - bytes));
}

static void set_bit(struct strbuf *bits, size_t bit)
{
    bits->data[bit / 8] = (char)(bits->data[bit / 8] | 1 << bit % 8);
}

struct streams {
    struct strbuf at[STREAM_COUNT];
    struct strbuf increases; /* allocs of one series, each of the two ways */
    struct strbuf changes;
};

static void streams_done(struct streams *streams)
{
    for (int i = 0; i < STREAM_COUNT; i++)
        strbuf_done(&streams->at[i]);
    strbuf_done(&streams->increases);
    strbuf_done(&streams->changes);
}

/* allocs - frees where both are known; else what stands in the frees column. */
static uint32_t coded_frees(const struct record *record, unsigned columns)
{
    return (columns & COLUMN_ALLOCS) != 0 ? counter_delta(record->allocs, record->frees)
                                          : record->frees;
}

#define HAS_SIZE(columns) ((columns) == COLUMN_ALL)

static void write_first(struct streams *to, const struct record *record, unsigned columns,
                        struct series_state *state)
{
    *state = (struct series_state){
        .allocs = record->allocs, .frees = coded_frees(record, columns), .bytes = record->bytes};
    if ((columns & COLUMN_ALLOCS) != 0)
        add_number(&to->at[STREAM_ALLOCS_0], state->allocs);
    if ((columns & COLUMN_FREES) != 0)
        add_number(&to->at[STREAM_FREES_0], state->frees);
    if (HAS_SIZE(columns)) {
        series_learn(state);
        add_number(&to->at[STREAM_SIZE_0], state->size);
        add_number(&to->at[STREAM_BYTES_0], state->bytes - state->size * state->frees);
    } else if ((columns & COLUMN_BYTES) != 0) {
        add_number(&to->at[STREAM_BYTES_0], state->bytes);
    }
}

static void write_change(struct streams *to, const struct record *record, unsigned columns,
                         struct series_state *state)
{
    uint32_t frees = coded_frees(record, columns);
    if ((columns & COLUMN_ALLOCS) != 0) {
        uint32_t increase = record->allocs - state->allocs;
        add_number(&to->increases, increase);
        add_number(&to->changes, zigzag32(increase - state->increase));
        state->increase = increase;
        state->allocs = record->allocs;
    }
    uint64_t predicted = HAS_SIZE(columns) ? series_predict(state, frees) : state->bytes;
    if ((columns & COLUMN_FREES) != 0) {
        add_number(&to->at[STREAM_FREES], zigzag32(frees - state->frees));
        state->frees = frees;
    }
    if ((columns & COLUMN_BYTES) != 0) {
        add_number(&to->at[STREAM_BYTES], zigzag64(record->bytes - predicted));
        state->bytes = record->bytes;
        if (HAS_SIZE(columns))
            series_learn(state);
    }
}

/* The records of one tag. `series`: its place; gone_at: place of the last one that vanished. */
static void write_series(struct streams *to, const struct run *run, unsigned columns,
                         const struct record *records, size_t count, size_t series, size_t *gone_at)
{
    struct series_state state;
    strbuf_clear(&to->increases);
    strbuf_clear(&to->changes);
    add_number(&to->at[STREAM_FIRST], records[0].at - run->first);
    write_first(to, &records[0], columns, &state);
    for (size_t i = 1; i < count; i++) {
        size_t at = records[i].at - run->first;
        if (records[i].gone) {
            add_number(&to->at[STREAM_GONE], series - *gone_at);
            add_number(&to->at[STREAM_GONE], at);
            *gone_at = series;
            continue;
        }
        set_bit(&to->at[STREAM_CHANGED], series * (run->count - 1) + at - 1);
        write_change(to, &records[i], columns, &state);
    }
    bool shorter = to->changes.length < to->increases.length;
    const struct strbuf *allocs = shorter ? &to->changes : &to->increases;
    if (shorter)
        set_bit(&to->at[STREAM_MODES], series);
    if (allocs->length > 0)
        strbuf_add(&to->at[STREAM_ALLOCS], allocs->data, allocs->length);
}

static int by_series(const void *left, const void *right)
{
    const struct record *a = left, *b = right;
    if (a->tag != b->tag)
        return a->tag < b->tag ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

static size_t count_series(const struct records *records)
{
    size_t series = 0;
    for (size_t i = 0; i < records->count; i++)
        series += i == 0 || records->items[i].tag != records->items[i - 1].tag;
    return series;
}

static void add_zeros(struct strbuf *out, size_t count)
{
    static const char zeros[256];
    for (; count > 0; count -= count < sizeof zeros ? count : sizeof zeros)
        strbuf_add(out, zeros, count < sizeof zeros ? count : sizeof zeros);
}

static void add_section(struct strbuf *out, const struct strbuf *section)
{
    add_number(out, section->length);
    if (section->length > 0)
        strbuf_add(out, section->data, section->length);
}

/* One table of one run; its records are sorted. */
static bool write_table(struct strbuf *out, const struct run *run, int pool)
{
    CLEANUP(streams_done) struct streams to = {0};
    const struct records *records = &run->records[pool];
    size_t series = count_series(records), gone_at = 0;
    uint32_t tag = 0;
    add_zeros(&to.at[STREAM_MODES], (series + 7) / 8);
    add_zeros(&to.at[STREAM_CHANGED], (series * (run->count - 1) + 7) / 8);
    if (strbuf_failed(&to.at[STREAM_MODES]) || strbuf_failed(&to.at[STREAM_CHANGED]))
        return false;
    for (size_t i = 0, place = 0; i < records->count; place++) {
        const struct record *first = &records->items[i];
        size_t count = 1;
        while (i + count < records->count && first[count].tag == first->tag)
            count++;
        add_number(&to.at[STREAM_TAGS], first->tag - tag);
        tag = first->tag;
        write_series(&to, run, run->columns[pool], first, count, place, &gone_at);
        i += count;
    }
    bool ok = !strbuf_failed(&to.increases) && !strbuf_failed(&to.changes);
    for (int i = 0; i < STREAM_COUNT; i++) {
        ok = ok && !strbuf_failed(&to.at[i]);
        add_section(out, &to.at[i]);
    }
    return ok && !strbuf_failed(out);
}

/* ---- keys ------------------------------------------------------------------ */

static unsigned key_flags(const struct sealed_snapshot *snapshot)
{
    return (snapshot->raw != NULL ? KEY_RAW : 0) | (snapshot->detail != NULL ? KEY_DETAIL : 0) |
           (snapshot->sequence != SEQUENCE_UNKNOWN ? KEY_SEQUENCE : 0) |
           (snapshot->base != SEQUENCE_UNKNOWN ? KEY_BASE : 0) |
           (snapshot->totals.known != 0 ? KEY_TOTALS : 0);
}

static void write_totals(struct strbuf *out, const struct sealed_builder *builder)
{
    for (size_t i = 0; i < builder->count; i++) {
        if (builder->snapshots[i].totals.known != 0)
            add_number(out, builder->snapshots[i].totals.known);
    }
    for (int total = 0; total < TOTAL_COUNT; total++) {
        uint64_t before = 0;
        for (size_t i = 0; i < builder->count; i++) {
            const struct snapshot_totals *totals = &builder->snapshots[i].totals;
            if (!totals_has(totals, (enum total)total))
                continue;
            add_number(out, zigzag64(totals->value[total] - before));
            before = totals->value[total];
        }
    }
}

static void write_keys(struct strbuf *out, const struct sealed_builder *builder)
{
    const struct sealed_snapshot *s = builder->snapshots;
    uint64_t step = 0, sequence = 0;
    add_number(out, zigzag64((uint64_t)builder->boot_at_us));
    add_number(out, builder->count);
    for (size_t i = 0; i < builder->count; i++)
        strbuf_putc(out, (char)key_flags(&s[i]));
    for (size_t i = 0; i < builder->count; i++) {
        uint64_t next = (uint64_t)s[i].taken_at_us - (i == 0 ? 0 : (uint64_t)s[i - 1].taken_at_us);
        add_number(out, zigzag64(i < 2 ? next : next - step));
        step = next;
    }
    for (size_t i = 0; i < builder->count; i++) {
        if (s[i].sequence == SEQUENCE_UNKNOWN)
            continue;
        add_number(out, zigzag64((uint64_t)s[i].sequence - sequence));
        sequence = (uint64_t)s[i].sequence;
    }
    for (size_t i = 0; i < builder->count; i++) {
        if (s[i].base != SEQUENCE_UNKNOWN)
            add_number(out, zigzag64((uint64_t)s[i].sequence - (uint64_t)s[i].base));
    }
    write_totals(out, builder);
}

static void write_texts(struct strbuf *details, struct strbuf *raws,
                        const struct sealed_builder *builder)
{
    for (size_t i = 0; i < builder->count; i++) {
        const struct sealed_snapshot *s = &builder->snapshots[i];
        if (s->detail != NULL) {
            add_number(details, strlen(s->detail));
            strbuf_puts(details, s->detail);
        }
        if (s->raw != NULL) {
            add_number(raws, s->raw_length);
            strbuf_add(raws, s->raw, s->raw_length);
        }
    }
}

static void write_runs(struct strbuf *out, const struct sealed_builder *builder)
{
    add_number(out, builder->run_count);
    for (size_t i = 0; i < builder->run_count; i++) {
        const struct run *run = &builder->runs[i];
        add_number(out, run->count);
        for (int pool = 0; pool < POOL_COUNT; pool++) {
            add_number(out,
                       run->present[pool] ? PART_PRESENT | run->columns[pool] << PART_COLUMNS : 0);
            if (run->present[pool])
                add_number(out, count_series(&run->records[pool]));
        }
    }
}

/* ---- the chunk ------------------------------------------------------------- */

static bool write_payload(struct strbuf *out, struct sealed_builder *builder)
{
    AUTO_STRBUF struct strbuf keys = STRBUF_INIT;
    AUTO_STRBUF struct strbuf details = STRBUF_INIT;
    AUTO_STRBUF struct strbuf raws = STRBUF_INIT;
    AUTO_STRBUF struct strbuf runs = STRBUF_INIT;
    for (size_t i = 0; i < builder->run_count; i++) {
        for (int pool = 0; pool < POOL_COUNT; pool++) {
            struct records *records = &builder->runs[i].records[pool];
            if (records->count > 1)
                qsort(records->items, records->count, sizeof *records->items, by_series);
        }
    }
    write_keys(&keys, builder);
    write_texts(&details, &raws, builder);
    write_runs(&runs, builder);
    const struct strbuf *const sections[SECTION_COUNT] = {&keys, &details, &raws, &runs};
    bool ok = true;
    for (int i = 0; i < SECTION_COUNT; i++) {
        ok = ok && !strbuf_failed(sections[i]);
        add_section(out, sections[i]);
    }
    for (size_t i = 0; ok && i < builder->run_count; i++) {
        for (int pool = 0; ok && pool < POOL_COUNT; pool++) {
            if (builder->runs[i].present[pool])
                ok = write_table(out, &builder->runs[i], pool);
        }
    }
    return ok && !strbuf_failed(out);
}

static bool pack(struct strbuf *out, const struct strbuf *plain)
{
    size_t bound = ZSTD_compressBound(plain->length);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    size_t packed = 0;
    bool ok = context != NULL && strbuf_reserve(out, bound + SEALED_CRC_BYTES);
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

enum status sealed_finish(struct sealed_builder *builder, struct strbuf *out, struct err *err)
{
    AUTO_STRBUF struct strbuf plain = STRBUF_INIT;
    size_t start = out->length;
    if (!write_payload(&plain, builder))
        return no_memory(err);
    if (plain.length > SEALED_PLAIN_MAX)
        return err_set(err, ST_TOO_LARGE, "could not seal snapshots: over %zu bytes",
                       SEALED_PLAIN_MAX);
    strbuf_add(out, SEALED_MAGIC, 4);
    add_number(out, plain.length);
    if (strbuf_failed(out) || !pack(out, &plain))
        return no_memory(err);
    uint32_t crc =
        (uint32_t)crc32(0, (const unsigned char *)out->data + start, (uInt)(out->length - start));
    unsigned char tail[SEALED_CRC_BYTES] = {(unsigned char)crc, (unsigned char)(crc >> 8),
                                            (unsigned char)(crc >> 16), (unsigned char)(crc >> 24)};
    strbuf_add(out, tail, sizeof tail);
    return strbuf_failed(out) ? no_memory(err) : ST_OK;
}
