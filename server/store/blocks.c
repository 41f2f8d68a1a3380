/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/blocks.h"

#include "server/store/damage.h"
#include "server/store/partition.h"
#include "server/store/registry.h"
#include "server/store/snapshot_columns.h"
#include "server/store/store_snapshots.h"

#include <string.h>

enum { ROWS, ROWS_TABLES, APPENDED, CHUNKS };
#define ROW_COLUMNS "taken_at, boot_at, sequence, base, keyframe, block"
#define OF_HOST     " WHERE host_id = $1 AND taken_at BETWEEN $2 AND $3 ORDER BY taken_at, sequence"
static const struct stmt statements[] = {
    [ROWS] = STMT("blocks_rows",
                  "SELECT " ROW_COLUMNS ", detail, nonpaged_bytes, paged_bytes,"
                  " nonpaged_limit_bytes, paged_limit_bytes, commit_bytes, commit_limit_bytes,"
                  " physical_bytes, available_bytes, handles, processes, threads, alloc_failures"
                  " FROM snapshot" OF_HOST,
                  "izz", "zziibxjiiiiiiiiiiii"),
    [ROWS_TABLES] =
        STMT("blocks_rows_tables", "SELECT " ROW_COLUMNS " FROM snapshot" OF_HOST, "izz", "zziibx"),
    /* Not by a join: most rows are sealed, and a look for each of them costs more than the rest. */
    [APPENDED] =
        STMT("blocks_appended",
             "SELECT taken_at, boot_at, sequence, block, detail FROM snapshot_block" OF_HOST, "izz",
             "zzixj"),
    [CHUNKS] =
        STMT("blocks_chunks",
             "SELECT span_at, boot_at, part, chunk, head FROM snapshot_chunk WHERE host_id = $1"
             " AND span_at BETWEEN $2 AND $3 ORDER BY span_at, boot_at, part",
             "izz", "zzdxx"),
};
const struct stmt_table store_blocks_statements = {statements,
                                                   sizeof statements / sizeof *statements};

enum { COLUMN_BLOCK = 5, COLUMN_DETAIL, COLUMN_TOTALS };

void blocks_done(struct blocks *blocks)
{
    for (size_t i = 0; i < blocks->chunk_count; i++)
        sealed_free(blocks->chunks[i].sealed);
    free(blocks->chunks);
    free(blocks->rows);
    free(blocks->appended_at);
    db_result_free(blocks->result);
    db_result_free(blocks->appended);
    db_result_free(blocks->chunk_rows);
    *blocks = (struct blocks){0};
}

static struct chain_row row_read(const struct db_result *result, size_t row)
{
    struct chain_row out = column_chain_row(result, row, 0);
    out.block = db_bytes(result, row, COLUMN_BLOCK, &out.block_length);
    return out;
}

/* ---- appended blocks ------------------------------------------------------- */

/* Both are in the order of time and sequence. */
static void appended_join(struct blocks *blocks)
{
    size_t count = db_rows(blocks->appended), from = 0;
    for (size_t i = 0; i < blocks->count; i++) {
        struct chain_row *row = &blocks->rows[i];
        while (from < count && db_time(blocks->appended, from, 0) < row->taken_at_us)
            from++;
        for (size_t k = from;
             k < count && row->block == NULL && db_time(blocks->appended, k, 0) == row->taken_at_us;
             k++) {
            if (db_time(blocks->appended, k, 1) != row->boot_at_us ||
                column_sequence(blocks->appended, k, 2) != row->sequence)
                continue;
            row->block = db_bytes(blocks->appended, k, 3, &row->block_length);
            blocks->appended_at[i] = k;
        }
    }
}

static enum status appended_read(struct db *db, const struct db_params *params,
                                 struct blocks *blocks, struct err *err)
{
    enum status status = db_exec(db, &statements[APPENDED], params, &blocks->appended, err);
    if (status == ST_OK)
        appended_join(blocks);
    return status;
}

/* ---- chunks ---------------------------------------------------------------- */

static void note_damage(struct blocks *blocks, int64_t host_key, const struct blocks_chunk *chunk,
                        const struct err *why)
{
    char span[TIME_TEXT_MAX];
    damage_tell(host_key, chunk->span_us, chunk->boot_at_us, chunk->part, why->message);
    if (blocks->damage.code != ST_OK)
        return;
    time_format(chunk->span_us, span);
    err_set(&blocks->damage, ST_MALFORMED, "%s (host key %lld, hours from %s, part %d)",
            why->message, (long long)host_key, span, (int)chunk->part);
}

static enum status chunks_read(struct db *db, int64_t host_key, int64_t from_us, int64_t to_us,
                               struct blocks *blocks, struct err *err)
{
    struct db_params params = {0};
    db_p_i64(&params, host_key);
    db_p_time(&params, span_start(from_us));
    db_p_time(&params, to_us);
    enum status status = db_exec(db, &statements[CHUNKS], &params, &blocks->chunk_rows, err);
    if (status != ST_OK)
        return status;
    size_t count = db_rows(blocks->chunk_rows);
    blocks->chunks = calloc(count + 1, sizeof *blocks->chunks);
    if (blocks->chunks == NULL)
        return err_set(err, ST_NOMEM, "could not read snapshots: out of memory");
    for (size_t i = 0; i < count; i++) {
        struct err why = {0};
        size_t length, head_length;
        const void *data = db_bytes(blocks->chunk_rows, i, 3, &length);
        const void *head = db_bytes(blocks->chunk_rows, i, 4, &head_length);
        struct blocks_chunk *chunk = &blocks->chunks[blocks->chunk_count++];
        *chunk = (struct blocks_chunk){.span_us = db_time(blocks->chunk_rows, i, 0),
                                       .boot_at_us = db_time(blocks->chunk_rows, i, 1),
                                       .part = (int32_t)db_i64(blocks->chunk_rows, i, 2)};
        status = sealed_open_parts(head, head_length, data, length, &chunk->sealed, &why);
        if (status == ST_MALFORMED) {
            note_damage(blocks, host_key, chunk, &why);
        } else if (status != ST_OK) {
            return err_set(err, status, "%s", why.message);
        }
    }
    return ST_OK;
}

static bool chunk_find(struct blocks_chunk *chunk, struct chain_row *row)
{
    size_t count = sealed_count(chunk->sealed);
    for (size_t step = 0; step < count; step++) {
        size_t i = (chunk->next + step) % count; /* rows come in the order of the chunk */
        const struct sealed_snapshot *s = sealed_at(chunk->sealed, i);
        if (s->taken_at_us != row->taken_at_us || s->sequence != row->sequence)
            continue;
        chunk->next = i + 1;
        row->sealed = chunk->sealed;
        row->sealed_index = i;
        row->keyframe = s->raw == NULL;
        row->block = s->raw;
        row->block_length = s->raw_length;
        return true;
    }
    return false;
}

static void rows_join(struct blocks *blocks)
{
    for (size_t i = 0; i < blocks->count; i++) {
        struct chain_row *row = &blocks->rows[i];
        if (row->block != NULL)
            continue;
        bool found = false;
        for (size_t c = 0; !found && c < blocks->chunk_count; c++) {
            struct blocks_chunk *chunk = &blocks->chunks[c];
            if (chunk->sealed != NULL && chunk->boot_at_us == row->boot_at_us &&
                chunk->span_us <= row->taken_at_us && row->taken_at_us < chunk->span_us + SPAN_US)
                found = chunk_find(chunk, row);
        }
        row->damaged = !found;
    }
}

static bool any_without_block(const struct blocks *blocks)
{
    for (size_t i = 0; i < blocks->count; i++) {
        if (blocks->rows[i].block == NULL)
            return true;
    }
    return false;
}

static enum status rows_alloc(struct blocks *blocks, struct err *err)
{
    blocks->count = db_rows(blocks->result);
    blocks->rows = calloc(blocks->count + 1, sizeof *blocks->rows);
    blocks->appended_at = calloc(blocks->count + 1, sizeof *blocks->appended_at);
    if (blocks->rows == NULL || blocks->appended_at == NULL)
        return err_set(err, ST_NOMEM, "could not read snapshots: out of memory");
    for (size_t i = 0; i < blocks->count; i++) {
        blocks->rows[i] = row_read(blocks->result, i);
        blocks->appended_at[i] = SIZE_MAX;
    }
    return ST_OK;
}

/* In this order: a block that is gone when its row was there is in a chunk by then. */
static enum status read_rows(struct db *db, int which, int64_t host_key, int64_t from_us,
                             int64_t to_us, struct blocks *ret_blocks, struct err *err)
{
    AUTO_BLOCKS struct blocks blocks = {0};
    struct db_params params = {0};
    db_p_i64(&params, host_key);
    db_p_time(&params, from_us);
    db_p_time(&params, to_us);
    enum status status = db_exec(db, &statements[which], &params, &blocks.result, err);
    if (status == ST_OK)
        status = rows_alloc(&blocks, err);
    if (status == ST_OK && any_without_block(&blocks))
        status = appended_read(db, &params, &blocks, err);
    if (status == ST_OK && any_without_block(&blocks))
        status = chunks_read(db, host_key, from_us, to_us, &blocks, err);
    if (status != ST_OK)
        return status;
    rows_join(&blocks);
    *ret_blocks = blocks;
    blocks = (struct blocks){0};
    return ST_OK;
}

enum status blocks_read(struct db *db, int64_t host_key, int64_t from_us, int64_t to_us,
                        struct blocks *ret_blocks, struct err *err)
{
    return read_rows(db, ROWS, host_key, from_us, to_us, ret_blocks, err);
}

enum status blocks_read_tables(struct db *db, int64_t host_key, int64_t from_us, int64_t to_us,
                               struct blocks *ret_blocks, struct err *err)
{
    return read_rows(db, ROWS_TABLES, host_key, from_us, to_us, ret_blocks, err);
}

/* ---- what else a row has --------------------------------------------------- */

void blocks_totals(const struct blocks *blocks, size_t i, struct snapshot_totals *ret_totals)
{
    column_totals(blocks->result, i, COLUMN_TOTALS, ret_totals);
}

const char *blocks_block_detail(const struct blocks *blocks, size_t i)
{
    const struct chain_row *row = &blocks->rows[i];
    if (row->sealed != NULL)
        return sealed_at(row->sealed, row->sealed_index)->detail;
    return blocks->appended_at[i] == SIZE_MAX
               ? NULL
               : db_text(blocks->appended, blocks->appended_at[i], 4);
}

void blocks_detail(const struct blocks *blocks, size_t i, struct strbuf *out)
{
    store_detail_join(db_text(blocks->result, i, COLUMN_DETAIL), blocks_block_detail(blocks, i),
                      out);
}

size_t blocks_find(const struct blocks *blocks, int64_t taken_at_us, int64_t boot_at_us,
                   int64_t sequence)
{
    for (size_t i = blocks->count; i-- > 0;) {
        const struct chain_row *row = &blocks->rows[i];
        if (row->taken_at_us == taken_at_us && row->boot_at_us == boot_at_us &&
            row->sequence == sequence)
            return i;
    }
    return SIZE_MAX;
}
