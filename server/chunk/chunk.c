/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layout of a block:
 *
 *   0  "PFb" and the version, 1
 *   4  flags: bit 0 the payload is zstd, bits 1 and 2 a table is present (nonpaged, paged)
 *   5  columns of each present table, one byte each (COLUMN_*)
 *   .  rows of each present table, then the payload's plain length: varints
 *   .  payload
 *  -4  CRC-32 of everything before it, little-endian
 *
 * The payload holds, table by table, column by column: tags as the difference to the row before,
 * allocs as they are, frees as allocs - frees (mod 2^32; small when little is outstanding), bytes
 * as they are. All as LEB128 varints. Columns together compress better than rows: neighbours are
 * alike.
 */
#include "server/chunk/chunk.h"

#include "common/limits.h"
#include "server/chunk/varint.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define MAGIC            "PFb\1"
#define FLAG_ZSTD        1u
#define FLAG_TABLE(pool) (2u << (pool))
#define ZSTD_LEVEL       1 /* 26 us for a block of 2,500 tags; level 3 saves 3 % and doubles that */
/* A row has at most 5 + 5 + 5 + 10 bytes of varints. */
#define ROW_BYTES_MAX 25u
#define PAYLOAD_MAX   ((size_t)POOL_COUNT * LIMIT_TABLE_ROWS * ROW_BYTES_MAX)
#define HEADER_MAX    32u
#define CRC_BYTES     4u

/* ---- encode ---------------------------------------------------------------- */

static unsigned char *put_table(unsigned char *at, const struct snapshot_table *table)
{
    uint32_t previous = 0;
    for (size_t i = 0; i < table->count; i++) {
        at = put_varint(at, (uint32_t)(table->tag[i] - previous));
        previous = table->tag[i];
    }
    for (size_t i = 0; table->allocs != NULL && i < table->count; i++)
        at = put_varint(at, table->allocs[i]);
    for (size_t i = 0; table->frees != NULL && i < table->count; i++)
        at = put_varint(at, table->allocs == NULL
                                ? table->frees[i]
                                : counter_delta(table->allocs[i], table->frees[i]));
    for (size_t i = 0; table->bytes != NULL && i < table->count; i++)
        at = put_varint(at, table->bytes[i]);
    return at;
}

static unsigned char *put_header(unsigned char *at, const struct snapshot_table table[POOL_COUNT],
                                 size_t payload, unsigned flags)
{
    memcpy(at, MAGIC, 4);
    at += 4;
    for (int pool = 0; pool < POOL_COUNT; pool++)
        flags |= table[pool].present ? FLAG_TABLE(pool) : 0;
    *at++ = (unsigned char)flags;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (table[pool].present)
            *at++ = (unsigned char)snapshot_table_columns(&table[pool]);
    }
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (table[pool].present)
            at = put_varint(at, table[pool].count);
    }
    return put_varint(at, payload);
}

/* A context costs more to make than a block of changed rows to pack: one a thread, until it ends.
 */
static pthread_key_t context_key;
static pthread_once_t context_once = PTHREAD_ONCE_INIT;

static void context_free(void *context)
{
    ZSTD_freeCCtx(context);
}

static void context_make_key(void)
{
    if (pthread_key_create(&context_key, context_free) != 0)
        abort(); /* at the first block of all: no keys are left in a process that has just begun */
}

static size_t pack(void *out, size_t room, const void *in, size_t length)
{
    pthread_once(&context_once, context_make_key);
    ZSTD_CCtx *context = pthread_getspecific(context_key);
    if (context == NULL) {
        context = ZSTD_createCCtx();
        if (context == NULL || pthread_setspecific(context_key, context) != 0) {
            ZSTD_freeCCtx(context);
            return ZSTD_compress(out, room, in, length, ZSTD_LEVEL);
        }
    }
    return ZSTD_compressCCtx(context, out, room, in, length, ZSTD_LEVEL);
}

enum status chunk_encode(const struct snapshot_table table[POOL_COUNT], struct strbuf *out,
                         struct err *err)
{
    size_t rows = 0;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (table[pool].present && table[pool].count > LIMIT_TABLE_ROWS)
            return err_field(err, ST_TOO_LARGE, pool_name(pool), "could not encode: over %u rows",
                             LIMIT_TABLE_ROWS);
        rows += table[pool].present ? table[pool].count : 0;
    }
    size_t room = rows * ROW_BYTES_MAX + 1;
    AUTO_FREE unsigned char *payload = malloc(room);
    size_t bound = ZSTD_compressBound(room);
    if (payload == NULL || !strbuf_reserve(out, HEADER_MAX + bound + CRC_BYTES))
        return err_set(err, ST_NOMEM, "could not encode: out of memory");
    unsigned char *end = payload;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (table[pool].present)
            end = put_table(end, &table[pool]);
    }
    size_t plain = (size_t)(end - payload);
    /* Written behind the largest header, then the header in front of it, then moved together. */
    unsigned char header[HEADER_MAX];
    unsigned char *start = (unsigned char *)out->data + out->length;
    size_t packed = pack(start + HEADER_MAX, bound, payload, plain);
    bool zstd = !ZSTD_isError(packed) && packed < plain;
    size_t head = (size_t)(put_header(header, table, plain, zstd ? FLAG_ZSTD : 0) - header);
    memcpy(start, header, head);
    if (zstd)
        memmove(start + head, start + HEADER_MAX, packed);
    else if (plain > 0)
        memcpy(start + head, payload, plain);
    size_t length = head + (zstd ? packed : plain);
    uint32_t crc = (uint32_t)crc32(0, start, (uInt)length);
    unsigned char tail[CRC_BYTES] = {(unsigned char)crc, (unsigned char)(crc >> 8),
                                     (unsigned char)(crc >> 16), (unsigned char)(crc >> 24)};
    out->length += length;
    strbuf_add(out, tail, sizeof tail);
    return ST_OK;
}

/* ---- open ------------------------------------------------------------------ */

struct block {
    bool present[POOL_COUNT];
    unsigned columns[POOL_COUNT];
    size_t rows[POOL_COUNT];
    size_t plain; /* length of the payload, unpacked */
    const unsigned char *payload;
    const unsigned char *end;
    unsigned char *unpacked; /* owned; NULL: the payload was not packed */
};

static void block_done(struct block *block)
{
    free(block->unpacked);
}

static const unsigned char *open_header(struct block *block, const unsigned char *at,
                                        const unsigned char *end, unsigned flags)
{
    size_t least = 0; /* each row takes at least a byte a column */
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        block->present[pool] = (flags & FLAG_TABLE(pool)) != 0;
        if (!block->present[pool])
            continue;
        if (at >= end || *at > COLUMN_ALL)
            return NULL;
        block->columns[pool] = *at++;
    }
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (!block->present[pool])
            continue;
        uint64_t rows;
        at = get_varint(at, end, &rows);
        if (at == NULL || rows > LIMIT_TABLE_ROWS)
            return NULL;
        block->rows[pool] = (size_t)rows;
        least += (size_t)rows * (1 + (size_t)__builtin_popcount(block->columns[pool]));
    }
    uint64_t plain;
    at = get_varint(at, end, &plain);
    if (at == NULL || plain > PAYLOAD_MAX || plain < least)
        return NULL;
    block->plain = (size_t)plain;
    return at;
}

static enum status malformed(struct err *err, const char *why)
{
    return err_set(err, ST_MALFORMED, "could not read a block: %s", why);
}

static enum status block_open(const void *data, size_t length, struct block *ret_block,
                              struct err *err)
{
    const unsigned char *at = data;
    if (length < 4 + 1 + 1 + CRC_BYTES || memcmp(at, MAGIC, 3) != 0)
        return malformed(err, "not a block");
    if (at[3] != MAGIC[3])
        return err_set(err, ST_MALFORMED, "could not read a block: version %u is unknown", at[3]);
    const unsigned char *end = at + length - CRC_BYTES;
    uint32_t crc =
        (uint32_t)end[0] | (uint32_t)end[1] << 8 | (uint32_t)end[2] << 16 | (uint32_t)end[3] << 24;
    if (crc32(0, data, (uInt)(length - CRC_BYTES)) != crc)
        return malformed(err, "wrong checksum");
    unsigned flags = at[4];
    struct block block = {0};
    if (flags > (FLAG_ZSTD | FLAG_TABLE(POOL_NONPAGED) | FLAG_TABLE(POOL_PAGED)))
        return malformed(err, "unknown flags");
    at = open_header(&block, at + 5, end, flags);
    if (at == NULL)
        return malformed(err, "bad header");
    block.payload = at;
    block.end = end;
    if ((flags & FLAG_ZSTD) != 0) {
        block.unpacked = malloc(block.plain + 1);
        if (block.unpacked == NULL)
            return err_set(err, ST_NOMEM, "could not read a block: out of memory");
        size_t got = ZSTD_decompress(block.unpacked, block.plain, at, (size_t)(end - at));
        if (ZSTD_isError(got) || got != block.plain) {
            free(block.unpacked);
            return malformed(err, "bad compression");
        }
        block.payload = block.unpacked;
        block.end = block.unpacked + got;
    } else if ((size_t)(end - at) != block.plain) {
        return malformed(err, "wrong length");
    }
    *ret_block = block;
    return ST_OK;
}

/* ---- decode ---------------------------------------------------------------- */

/* Tags strictly rise, which also keeps a hostile block from repeating one. */
static const unsigned char *get_tags(const unsigned char *at, const unsigned char *end, size_t rows,
                                     uint32_t *tag)
{
    uint32_t previous = 0;
    for (size_t i = 0; at != NULL && i < rows; i++) {
        uint32_t step;
        at = get_u32(at, end, &step);
        if (at == NULL || (i > 0 && step == 0) || step > UINT32_MAX - previous)
            return NULL;
        previous += step;
        if ((previous & TAG_PROTECTED) != 0)
            return NULL;
        tag[i] = previous;
    }
    return at;
}

static const unsigned char *get_table(const unsigned char *at, const unsigned char *end,
                                      struct snapshot_table *table)
{
    at = get_tags(at, end, table->count, table->tag);
    for (size_t i = 0; at != NULL && table->allocs != NULL && i < table->count; i++)
        at = get_u32(at, end, &table->allocs[i]);
    for (size_t i = 0; at != NULL && table->frees != NULL && i < table->count; i++) {
        at = get_u32(at, end, &table->frees[i]);
        if (table->allocs != NULL)
            table->frees[i] = counter_delta(table->allocs[i], table->frees[i]);
    }
    for (size_t i = 0; at != NULL && table->bytes != NULL && i < table->count; i++)
        at = get_varint(at, end, &table->bytes[i]);
    return at;
}

enum status chunk_decode(const void *data, size_t length, struct arena *arena,
                         struct snapshot_table ret_table[POOL_COUNT], struct err *err)
{
    CLEANUP(block_done) struct block block = {0};
    struct snapshot_table table[POOL_COUNT] = {{0}};
    enum status status = block_open(data, length, &block, err);
    const unsigned char *at = block.payload;
    for (int pool = 0; status == ST_OK && pool < POOL_COUNT; pool++) {
        if (!block.present[pool])
            continue;
        status = snapshot_table_alloc(arena, &table[pool], block.rows[pool], block.columns[pool]);
        if (status != ST_OK)
            return err_set(err, status, "could not read a block: out of memory");
        at = get_table(at, block.end, &table[pool]);
        if (at == NULL)
            return malformed(err, "bad column");
    }
    if (status == ST_OK && at != block.end)
        return malformed(err, "bytes left over");
    if (status == ST_OK)
        memcpy(ret_table, table, sizeof table);
    return status;
}

/* ---- find ------------------------------------------------------------------ */

/* Place of the tag among the rows (SIZE_MAX: none); *at moves behind the tag column. */
static size_t find_tag(const unsigned char **at, const unsigned char *end, size_t rows,
                       uint32_t tag)
{
    uint64_t at_tag = 0;
    for (size_t i = 0; i < rows; i++) {
        uint32_t step;
        *at = get_u32(*at, end, &step);
        if (*at == NULL)
            return SIZE_MAX;
        at_tag += step;
        if (at_tag == tag) {
            *at = skip_varints(*at, end, rows - i - 1);
            return i;
        }
        if (at_tag > tag) {
            *at = skip_varints(*at, end, rows - i - 1);
            return SIZE_MAX;
        }
    }
    return SIZE_MAX;
}

/* Value `index` of a column of `rows`; the result stands behind the column. */
static const unsigned char *column_value(const unsigned char *at, const unsigned char *end,
                                         size_t rows, size_t index, uint64_t *ret_value)
{
    at = skip_varints(at, end, index);
    if (at != NULL)
        at = get_varint(at, end, ret_value);
    return at == NULL ? NULL : skip_varints(at, end, rows - index - 1);
}

enum status chunk_find(const void *data, size_t length, enum pool pool, uint32_t tag,
                       uint32_t *ret_allocs, uint32_t *ret_frees, uint64_t *ret_bytes,
                       unsigned *ret_columns, struct err *err)
{
    CLEANUP(block_done) struct block block = {0};
    enum status status = block_open(data, length, &block, err);
    if (status != ST_OK)
        return status;
    if ((unsigned)pool >= POOL_COUNT || !block.present[pool])
        return err_set(err, ST_NOT_FOUND, "the block has no such table");
    const unsigned char *at = block.payload;
    for (int before = 0; at != NULL && before < (int)pool; before++) {
        if (block.present[before])
            at = skip_varints(at, block.end,
                              block.rows[before] *
                                  (1 + (size_t)__builtin_popcount(block.columns[before])));
    }
    size_t rows = block.rows[pool];
    size_t index = at == NULL ? SIZE_MAX : find_tag(&at, block.end, rows, tag);
    if (at == NULL)
        return malformed(err, "bad column");
    if (index == SIZE_MAX)
        return err_set(err, ST_NOT_FOUND, "the block has no such row");
    uint64_t value[3] = {0};
    for (int i = 0; at != NULL && i < 3; i++) {
        if ((block.columns[pool] & 1u << i) != 0)
            at = column_value(at, block.end, rows, index, &value[i]);
    }
    if (at == NULL || value[0] > UINT32_MAX || value[1] > UINT32_MAX)
        return malformed(err, "bad column");
    bool both = (block.columns[pool] & COLUMN_ALLOCS) != 0;
    *ret_allocs = (uint32_t)value[0];
    *ret_frees = both && (block.columns[pool] & COLUMN_FREES) != 0
                     ? counter_delta((uint32_t)value[0], (uint32_t)value[1])
                     : (uint32_t)value[1];
    *ret_bytes = value[2];
    *ret_columns = block.columns[pool];
    return ST_OK;
}
