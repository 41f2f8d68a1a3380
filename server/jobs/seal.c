/* SPDX-License-Identifier: Apache-2.0 */
#include "server/jobs/seal.h"

#include "common/clock.h"
#include "server/chunk/sealed.h"
#include "server/store/blocks.h"
#include "server/store/partition.h"
#include "server/store/store_seal.h"
#include "server/store/store_snapshots.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static enum status no_memory(struct err *err)
{
    return err_set(err, ST_NOMEM, "could not seal snapshots: out of memory");
}

/* ---- one chunk ------------------------------------------------------------- */

/* Chunks of one host, span and boot on their way. */
struct writer {
    struct db *db;
    int64_t host_key;
    int64_t span_us;
    int64_t boot_at_us;
    int64_t now_us;
    int32_t part; /* the next one */
    struct sealed_builder *builder;
    uint32_t digest[SEALED_SNAPSHOTS_MAX]; /* of the tables that went in */
    struct seal_counts counts;
};

static void writer_done(struct writer *writer)
{
    sealed_builder_free(writer->builder);
}

static uint32_t column_digest(uint32_t digest, const void *column, size_t count, size_t size)
{
    return column == NULL || count == 0 ? (uint32_t)crc32(digest, (const unsigned char *)"-", 1)
                                        : (uint32_t)crc32_z(digest, column, count * size);
}

static uint32_t tables_digest(const struct snapshot_table table[POOL_COUNT])
{
    uint32_t digest = 0;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        const struct snapshot_table *t = &table[pool];
        uint32_t shape[] = {t->present, (uint32_t)t->count,
                            t->present ? snapshot_table_columns(t) : 0};
        digest = column_digest(digest, shape, 3, sizeof *shape);
        digest = column_digest(digest, t->tag, t->count, sizeof *t->tag);
        digest = column_digest(digest, t->allocs, t->count, sizeof *t->allocs);
        digest = column_digest(digest, t->frees, t->count, sizeof *t->frees);
        digest = column_digest(digest, t->bytes, t->count, sizeof *t->bytes);
    }
    return digest;
}

static void cleanup_sealed(struct sealed **sealed)
{
    sealed_free(*sealed);
}

/* Blocks are dropped on the strength of the chunk: it must read as what went in, here and now. */
static enum status verify(const struct writer *writer, const struct strbuf *chunk, struct err *err)
{
    CLEANUP(cleanup_sealed) struct sealed *sealed = NULL;
    enum status status = sealed_open(chunk->data, chunk->length, &sealed, err);
    for (size_t i = 0; status == ST_OK && i < sealed_builder_count(writer->builder); i++) {
        AUTO_ARENA struct arena arena = {0};
        struct snapshot_table table[POOL_COUNT];
        if (sealed_at(sealed, i)->raw != NULL)
            continue;
        status = sealed_tables(sealed, i, &arena, table, err);
        if (status == ST_OK && tables_digest(table) != writer->digest[i])
            status = err_set(err, ST_BUG, "could not seal snapshots: a chunk does not read back");
    }
    return status;
}

/* Writes what the builder has as the next part. */
static enum status writer_flush(struct writer *writer, struct err *err)
{
    AUTO_STRBUF struct strbuf chunk = STRBUF_INIT;
    size_t count = writer->builder == NULL ? 0 : sealed_builder_count(writer->builder);
    if (count == 0)
        return ST_OK;
    enum status status = sealed_finish(writer->builder, &chunk, err);
    if (status == ST_OK)
        status = verify(writer, &chunk, err);
    if (status == ST_OK)
        status = store_seal_write(writer->db, writer->host_key, writer->span_us, writer->boot_at_us,
                                  writer->part++, (int64_t)count, chunk.data, chunk.length,
                                  writer->now_us, err);
    sealed_builder_free(writer->builder);
    writer->builder = NULL;
    writer->counts.snapshots += count;
    writer->counts.chunks++;
    return status;
}

/* table NULL: the row's block is kept as it is. */
static enum status writer_add(struct writer *writer, const struct blocks *blocks, size_t i,
                              const struct snapshot_table *table, struct err *err)
{
    const struct chain_row *row = &blocks->rows[i];
    struct sealed_snapshot snapshot = {.taken_at_us = row->taken_at_us,
                                       .sequence = row->sequence,
                                       .base = row->base,
                                       .detail = blocks_block_detail(blocks, i),
                                       .raw = table == NULL ? row->block : NULL,
                                       .raw_length = table == NULL ? row->block_length : 0};
    if (writer->builder == NULL)
        writer->builder = sealed_builder_new(writer->boot_at_us);
    if (writer->builder == NULL)
        return no_memory(err);
    size_t place = sealed_builder_count(writer->builder);
    enum status status = sealed_add(writer->builder, &snapshot, table, err);
    if (status != ST_OK)
        return status;
    writer->digest[place] = table == NULL ? 0 : tables_digest(table);
    writer->counts.raw += table == NULL;
    return sealed_builder_full(writer->builder) ? writer_flush(writer, err) : ST_OK;
}

/* ---- one host, span and boot ----------------------------------------------- */

/* The snapshot can never become complete: its base is gone, or what is stored is damaged. */
static bool is_lost(enum status status)
{
    return status == ST_NOT_FOUND || status == ST_MALFORMED || status == ST_INVALID ||
           status == ST_BUG;
}

static enum status seal_row(struct writer *writer, const struct blocks *blocks, size_t i,
                            struct chain *chain, struct err *err)
{
    const struct chain_row *row = &blocks->rows[i];
    enum status status = ST_NOT_FOUND;
    struct err why = {0};
    if (chain_fits(chain, row))
        status = chain_put(chain, row, &why);
    if (status == ST_NOT_FOUND) {
        struct chain other = {0};
        status = store_chain_row(writer->db, writer->host_key, blocks, i, &other, &why);
        if (status == ST_OK) {
            chain_done(chain);
            *chain = other;
        } else {
            chain_done(&other);
        }
    }
    if (status == ST_OK)
        return writer_add(writer, blocks, i, chain->table, err);
    if (is_lost(status) && row->block != NULL)
        return writer_add(writer, blocks, i, NULL, err);
    if (err != NULL)
        *err = why;
    return status;
}

/* Parts after a damaged chunk, which is left as it is: somebody may be able to mend it. 0: none. */
static int32_t part_after_damage(const struct blocks *blocks, int64_t boot_at_us)
{
    int32_t after = 0, damaged = 0;
    for (size_t c = 0; c < blocks->chunk_count; c++) {
        if (blocks->chunks[c].boot_at_us != boot_at_us)
            continue;
        after = blocks->chunks[c].part + 1;
        damaged |= blocks->chunks[c].sealed == NULL;
    }
    return damaged != 0 ? after : 0;
}

static enum status seal_boot(struct writer *writer, const struct blocks *blocks, struct err *err)
{
    AUTO_CHAIN struct chain chain = {0};
    enum status status = ST_OK;
    writer->part = part_after_damage(blocks, writer->boot_at_us);
    bool beside = writer->part > 0;
    for (size_t i = 0; status == ST_OK && i < blocks->count; i++) {
        const struct chain_row *row = &blocks->rows[i];
        if (row->boot_at_us != writer->boot_at_us || row->damaged ||
            (beside && row->sealed != NULL))
            continue;
        status = seal_row(writer, blocks, i, &chain, err);
    }
    if (status == ST_OK)
        status = writer_flush(writer, err);
    if (status == ST_OK && !beside)
        status = store_seal_trim(writer->db, writer->host_key, writer->span_us, writer->boot_at_us,
                                 writer->part, err);
    return status;
}

/* The first row of its boot that is not sealed yet. */
static bool begins_work(const struct blocks *blocks, size_t i)
{
    const struct chain_row *row = &blocks->rows[i];
    if (row->sealed != NULL || row->damaged)
        return false;
    for (size_t k = 0; k < i; k++) {
        const struct chain_row *before = &blocks->rows[k];
        if (before->boot_at_us == row->boot_at_us && before->sealed == NULL && !before->damaged)
            return false;
    }
    return true;
}

static enum status seal_span(struct db *db, int64_t host_key, int64_t span_us, int64_t now_us,
                             struct seal_counts *counts, struct err *err)
{
    AUTO_BLOCKS struct blocks blocks = {0};
    enum status status = blocks_read(db, host_key, span_us, span_us + SPAN_US - 1, &blocks, err);
    for (size_t i = 0; status == ST_OK && i < blocks.count; i++) {
        if (!begins_work(&blocks, i))
            continue;
        CLEANUP(writer_done)
        struct writer writer = {.db = db,
                                .host_key = host_key,
                                .span_us = span_us,
                                .boot_at_us = blocks.rows[i].boot_at_us,
                                .now_us = now_us};
        status = seal_boot(&writer, &blocks, err);
        counts->snapshots += writer.counts.snapshots;
        counts->chunks += writer.counts.chunks;
        counts->raw += writer.counts.raw;
    }
    return status;
}

/* ---- one step -------------------------------------------------------------- */

struct step {
    const struct seal_options *options;
    const struct seal_partition *partition;
    const struct seal_work *work;
    size_t count;
    int64_t last;
    struct seal_counts counts;
};

static enum status after(const struct seal_options *options, const char *step)
{
    return options->after == NULL ? ST_OK : options->after(step, options->after_arg);
}

static enum status step_tx(struct db *db, void *arg, struct err *err)
{
    struct step *step = arg;
    int64_t rows = 0;
    enum status status = ST_OK;
    step->counts = (struct seal_counts){0};
    for (size_t i = 0; status == ST_OK && i < step->count; i++) {
        const struct seal_work *work = &step->work[i];
        if (!work->sealed)
            status = seal_span(db, work->host_key, work->span_us, step->options->now_us,
                               &step->counts, err);
        rows += work->rows;
        if (status == ST_OK)
            status = after(step->options, "span");
    }
    if (status == ST_OK)
        status = store_seal_note(db, step->partition, step->last, rows, err);
    if (status == ST_OK)
        status = after(step->options, "note");
    return status;
}

static enum status ensure_days(struct db *db, const struct seal_work *work, size_t count,
                               struct err *err)
{
    AUTO_FREE int64_t *moments = calloc(count + 1, sizeof *moments);
    size_t days = 0;
    if (moments == NULL)
        return no_memory(err);
    for (size_t i = 0; i < count; i++) {
        bool known = false;
        for (size_t k = 0; !known && k < days; k++)
            known = moments[k] == work[i].span_us;
        if (!known)
            moments[days++] = work[i].span_us;
    }
    return partition_ensure(db, PARTITION_SNAPSHOT_CHUNK, moments, days, err);
}

/* ---- a partition ----------------------------------------------------------- */

struct pass {
    struct db *db;
    const struct seal_options *options;
    const atomic_bool *stop;
    int64_t until_us; /* monotonic */
    struct seal_counts counts;
};

static bool pass_over(const struct pass *pass)
{
    return atomic_load(pass->stop) ||
           (pass->options->budget_us > 0 && clock_mono_us() >= pass->until_us);
}

/* Seals until the end of the partition; ret_rows: rows of it that are sealed by then. */
static enum status seal_partition(struct pass *pass, const struct seal_partition *partition,
                                  bool *ret_done, int64_t *ret_rows, struct err *err)
{
    *ret_done = false;
    while (!pass_over(pass)) {
        AUTO_FREE struct seal_work *work = NULL;
        size_t count = 0;
        int64_t done = 0, last = 0;
        enum status status = store_seal_progress(pass->db, partition, &done, ret_rows, err);
        if (status == ST_OK)
            status = store_seal_work(pass->db, partition, done, &work, &count, &last, err);
        if (status != ST_OK)
            return status;
        *ret_done = count == 0;
        if (count == 0)
            return ST_OK;
        struct step step = {pass->options, partition, work, count, last, {0}};
        status = ensure_days(pass->db, work, count, err);
        if (status == ST_OK)
            status = db_tx(pass->db, "seal snapshots", step_tx, &step, err);
        if (status == ST_OK)
            status = after(pass->options, "commit");
        if (status != ST_OK)
            return status;
        pass->counts.snapshots += step.counts.snapshots;
        pass->counts.chunks += step.counts.chunks;
        pass->counts.raw += step.counts.raw;
    }
    return ST_OK;
}

/* Busy readers keep a partition from being dropped (55P03 after lock_timeout): next time. */
static enum status retire(struct pass *pass, const struct seal_partition *partition, int64_t rows,
                          struct err *err)
{
    struct err why = {0};
    bool dropped = false;
    enum status status = store_seal_retire(pass->db, partition, rows, &dropped, &why);
    if (status != ST_OK && strcmp(why.sqlstate, "55P03") == 0)
        return ST_OK;
    if (status != ST_OK && err != NULL)
        *err = why;
    pass->counts.partitions += status == ST_OK && dropped;
    return status != ST_OK ? status : after(pass->options, "retire");
}

enum status seal_pass(struct db *db, const struct seal_options *options, const atomic_bool *stop,
                      struct seal_counts *ret_counts, struct err *err)
{
    AUTO_FREE struct seal_partition *partitions = NULL;
    struct pass pass = {.db = db,
                        .options = options,
                        .stop = stop,
                        .until_us = clock_mono_us() + options->budget_us};
    size_t count = 0;
    enum status status = store_seal_partitions(db, &partitions, &count, err);
    for (size_t i = 0; status == ST_OK && i < count; i++) {
        const struct seal_partition *partition = &partitions[i];
        /* The first half of a span waits for the second, and is sealed with it in one go. */
        int64_t end_us = span_start(partition->from_us) + SPAN_US;
        bool done = false;
        int64_t rows = 0;
        if (end_us + options->settle_us > options->now_us)
            continue;
        status = seal_partition(&pass, partition, &done, &rows, err);
        if (status == ST_OK && done && end_us + options->drop_us <= options->now_us)
            status = retire(&pass, partition, rows, err);
    }
    *ret_counts = pass.counts;
    return status;
}
