/* SPDX-License-Identifier: Apache-2.0 */
/* A block from a hostile disk: the decoder must refuse or give tables that encode to the same. The
 * checksum is put right first, else nothing would get behind it. */
#include "server/chunk/chunk.h"

#include <string.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const struct snapshot_table a[POOL_COUNT],
                       const struct snapshot_table b[POOL_COUNT])
{
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (a[pool].present != b[pool].present || a[pool].count != b[pool].count)
            abort();
        for (size_t i = 0; a[pool].present && i < a[pool].count; i++) {
            if (a[pool].tag[i] != b[pool].tag[i] ||
                (a[pool].allocs != NULL && a[pool].allocs[i] != b[pool].allocs[i]) ||
                (a[pool].frees != NULL && a[pool].frees[i] != b[pool].frees[i]) ||
                (a[pool].bytes != NULL && a[pool].bytes[i] != b[pool].bytes[i]))
                abort();
        }
    }
}

static void check_find(const unsigned char *block, size_t size,
                       const struct snapshot_table table[POOL_COUNT])
{
    uint32_t allocs, frees;
    uint64_t bytes;
    unsigned columns;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        size_t last = table[pool].count;
        if (!table[pool].present || last == 0)
            continue;
        if (chunk_find(block, size, (enum pool)pool, table[pool].tag[last - 1], &allocs, &frees,
                       &bytes, &columns, NULL) != ST_OK)
            abort();
        if (table[pool].bytes != NULL && bytes != table[pool].bytes[last - 1])
            abort();
        if (table[pool].frees != NULL && frees != table[pool].frees[last - 1])
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char *block = malloc(size + 1);
    if (block == NULL)
        return 0;
    if (size > 0)
        memcpy(block, data, size);
    if (size >= 4) {
        uint32_t crc = (uint32_t)crc32(0, block, (uInt)(size - 4));
        for (int i = 0; i < 4; i++)
            block[size - 4 + (size_t)i] = (unsigned char)(crc >> 8 * i);
    }
    struct arena arena = {0}, again = {0};
    struct snapshot_table table[POOL_COUNT], back[POOL_COUNT];
    uint32_t allocs, frees;
    uint64_t bytes;
    unsigned columns;
    if (chunk_find(block, size, POOL_PAGED, 0x33314d43, &allocs, &frees, &bytes, &columns, NULL) ==
        ST_BUG)
        abort();
    if (chunk_decode(block, size, &arena, table, NULL) == ST_OK) {
        struct strbuf out = STRBUF_INIT;
        if (chunk_encode(table, &out, NULL) != ST_OK ||
            chunk_decode(out.data, out.length, &again, back, NULL) != ST_OK)
            abort();
        check_same(table, back);
        check_find(block, size, table);
        strbuf_done(&out);
    }
    arena_done(&arena);
    arena_done(&again);
    free(block);
    return 0;
}
