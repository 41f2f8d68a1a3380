/* SPDX-License-Identifier: Apache-2.0 */
/* A sealed chunk from a hostile disk. The input is the plain payload: it is packed and checksummed
 * here, else nothing would get behind that. What can be read must read the same by table and by
 * series, and the same again after it was written anew. */
#include "server/chunk/sealed.h"
#include "server/chunk/sealed_form.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned char *wrap(const uint8_t *data, size_t size, size_t *ret_length)
{
    size_t bound = ZSTD_compressBound(size) + 32;
    unsigned char *chunk = malloc(bound);
    if (chunk == NULL)
        return NULL;
    memcpy(chunk, SEALED_MAGIC, 4);
    size_t at = 4;
    for (size_t left = size; at == 4 || left > 0; left >>= 7)
        chunk[at++] = (unsigned char)((left & 0x7f) | (left >= 0x80 ? 0x80 : 0));
    at += ZSTD_compress(chunk + at, bound - at - 4, data, size, 1);
    uint32_t crc = (uint32_t)crc32(0, chunk, (uInt)at);
    for (int i = 0; i < 4; i++)
        chunk[at++] = (unsigned char)(crc >> 8 * i);
    *ret_length = at;
    return chunk;
}

static bool same_tables(const struct snapshot_table a[POOL_COUNT],
                        const struct snapshot_table b[POOL_COUNT])
{
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (a[pool].present != b[pool].present || a[pool].count != b[pool].count)
            return false;
        for (size_t i = 0; a[pool].present && i < a[pool].count; i++) {
            if (a[pool].tag[i] != b[pool].tag[i] ||
                (a[pool].allocs != NULL && a[pool].allocs[i] != b[pool].allocs[i]) ||
                (a[pool].frees != NULL && a[pool].frees[i] != b[pool].frees[i]) ||
                (a[pool].bytes != NULL && a[pool].bytes[i] != b[pool].bytes[i]))
                return false;
        }
    }
    return true;
}

/* The last row of a table, read as a series, is what the table says. */
static void check_series(const struct sealed *sealed, size_t index,
                         const struct snapshot_table table[POOL_COUNT])
{
    struct sealed_value values[SEALED_SNAPSHOTS_MAX];
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (!table[pool].present || table[pool].count == 0)
            continue;
        size_t row = table[pool].count - 1;
        if (sealed_series(sealed, (enum pool)pool, table[pool].tag[row], values, NULL) != ST_OK ||
            values[index].known != snapshot_table_columns(&table[pool]) ||
            (table[pool].bytes != NULL && values[index].bytes != table[pool].bytes[row]) ||
            (table[pool].allocs != NULL && values[index].allocs != table[pool].allocs[row]) ||
            (table[pool].frees != NULL && values[index].frees != table[pool].frees[row]))
            abort();
    }
}

static struct sealed *write_again(struct sealed *sealed, struct strbuf *out)
{
    struct sealed_builder *builder = sealed_builder_new(sealed_boot_at_us(sealed));
    struct sealed *again = NULL;
    bool whole = builder != NULL;
    for (size_t i = 0; whole && i < sealed_count(sealed); i++) {
        struct arena arena = {0};
        struct snapshot_table table[POOL_COUNT];
        const struct sealed_snapshot *s = sealed_at(sealed, i);
        whole = !sealed_builder_full(builder);
        if (whole && s->raw == NULL)
            whole = sealed_tables(sealed, i, &arena, table, NULL) == ST_OK;
        if (whole)
            whole = sealed_add(builder, s, s->raw == NULL ? table : NULL, NULL) == ST_OK;
        arena_done(&arena);
    }
    if (whole && (sealed_finish(builder, out, NULL) != ST_OK ||
                  sealed_open(out->data, out->length, &again, NULL) != ST_OK))
        abort();
    sealed_builder_free(builder);
    return again;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t length = 0;
    struct sealed *sealed = NULL;
    struct strbuf out = STRBUF_INIT;
    if (size > 1 << 20)
        return 0;
    unsigned char *chunk = wrap(data, size, &length);
    if (chunk != NULL && sealed_open(chunk, length, &sealed, NULL) == ST_OK) {
        struct sealed *again = write_again(sealed, &out);
        for (size_t i = 0; again != NULL && i < sealed_count(sealed); i++) {
            struct arena arena = {0};
            struct snapshot_table a[POOL_COUNT], b[POOL_COUNT];
            enum status status = sealed_tables(sealed, i, &arena, a, NULL);
            if (sealed_tables(again, i, &arena, b, NULL) != status ||
                (status == ST_OK && !same_tables(a, b)))
                abort();
            if (status == ST_OK) /* and so are all the others: nothing of it is bad */
                check_series(sealed, i, a);
            arena_done(&arena);
        }
        sealed_free(again);
    }
    sealed_free(sealed);
    strbuf_done(&out);
    free(chunk);
    return 0;
}
