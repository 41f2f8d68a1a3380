/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Big blocks (a page or more) of some tags by size, on demand. The table can have 10^5 rows: it is
 * read into a buffer of its own that is given back. The addresses in it are never looked at.
 */
#include "agent/nt/query.h"
#include "common/limits.h"

#include <string.h>

#define WHAT "the big blocks"

static const struct nt_question ask_big = {
    .information_class = NT_CLASS_BIG_POOL,
    .what = WHAT,
    .start_bytes = 1u << 20,
    .most_bytes = 64u << 20,
    .version = 502, /* below, the number is another class */
};

struct big {
    const struct nt_layout *layout;
    const unsigned char *first;
    size_t count;
};

static uint32_t row_tag(const struct big *big, size_t row)
{
    const unsigned char *at = big->first + row * big->layout->big.stride;
    return nt_u32(at + big->layout->big.tag) & ~TAG_PROTECTED;
}

static uint64_t row_bytes(const struct big *big, size_t row)
{
    const unsigned char *at = big->first + row * big->layout->big.stride;
    return nt_word(big->layout, at + big->layout->big.bytes);
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int compare_tags(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

struct size_count {
    uint64_t bytes;
    uint64_t blocks;
};

/* Largest total first; among equals the larger block. */
static int compare_totals(const void *a, const void *b)
{
    const struct size_count *x = a;
    const struct size_count *y = b;
    double left = (double)x->bytes * (double)x->blocks;
    double right = (double)y->bytes * (double)y->blocks;
    if (left != right)
        return left > right ? -1 : 1;
    return x->bytes > y->bytes ? -1 : x->bytes < y->bytes;
}

/* Sizes of one tag's blocks into `sizes`, which has room for every row; how many. */
static size_t collect(const struct big *big, uint32_t tag, uint64_t *sizes)
{
    size_t count = 0;
    for (size_t i = 0; i < big->count; i++) {
        uint64_t bytes = row_tag(big, i) == tag ? row_bytes(big, i) : 0;
        if (bytes > 0 && bytes <= LIMIT_NUMBER_MAX) /* free rows have none; more is nonsense */
            sizes[count++] = bytes;
    }
    return count;
}

static enum status histogram(struct arena *arena, uint64_t *sizes, size_t count,
                             struct size_count *groups, struct snapshot_blocks *blocks,
                             struct err *err)
{
    size_t used = 0;
    qsort(sizes, count, sizeof *sizes, compare_u64);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || sizes[i] != sizes[i - 1])
            groups[used++] = (struct size_count){sizes[i], 0};
        groups[used - 1].blocks++;
    }
    qsort(groups, used, sizeof *groups, compare_totals);
    blocks->count = used < LIMIT_BLOCK_SIZES ? used : LIMIT_BLOCK_SIZES;
    blocks->bytes = arena_alloc(arena, blocks->count, sizeof *blocks->bytes);
    blocks->blocks = arena_alloc(arena, blocks->count, sizeof *blocks->blocks);
    if (blocks->bytes == NULL || blocks->blocks == NULL)
        return nt_out_of_memory(err, WHAT);
    for (size_t i = 0; i < blocks->count; i++) {
        blocks->bytes[i] = groups[i].bytes;
        blocks->blocks[i] = groups[i].blocks;
    }
    return ST_OK;
}

/* The tags asked for, sorted and each once. */
static size_t sort_tags(const uint32_t *tags, size_t count, uint32_t ret_tags[LIMIT_BLOCK_TAGS])
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        ret_tags[i] = tags[i] & ~TAG_PROTECTED;
    qsort(ret_tags, count, sizeof *ret_tags, compare_tags);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || ret_tags[i] != ret_tags[used - 1])
            ret_tags[used++] = ret_tags[i];
    }
    return used;
}

enum status nt_big_blocks(struct nt_reader *reader, struct arena *arena, const uint32_t *tags,
                          size_t tag_count, struct snapshot_blocks **ret_blocks, size_t *ret_count,
                          struct err *err)
{
    AUTO_NT_BUFFER struct nt_buffer buffer = {0};
    AUTO_NT_BUFFER struct nt_buffer sizes = {0};
    AUTO_NT_BUFFER struct nt_buffer groups = {0};
    const struct nt_layout *layout = nt_reader_layout(reader);
    uint32_t wanted[LIMIT_BLOCK_TAGS];
    size_t length = 0;
    if (tag_count > LIMIT_BLOCK_TAGS)
        return err_set(err, ST_TOO_LARGE, "could not read the big blocks of %u tags: at most %u",
                       (unsigned)tag_count, LIMIT_BLOCK_TAGS);
    enum status status = nt_ask(reader, &buffer, &ask_big, &length, err);
    if (status != ST_OK)
        return status;
    if (length < layout->big.first)
        return nt_contradiction(err, WHAT, "it is shorter than its own head");
    struct big big = {layout, buffer.data + layout->big.first, nt_u32(buffer.data)};
    if (big.count > (length - layout->big.first) / layout->big.stride)
        return nt_contradiction(err, WHAT, "it holds fewer rows than it counts");
    size_t count = sort_tags(tags, tag_count, wanted);
    struct snapshot_blocks *blocks = arena_alloc(arena, count, sizeof *blocks);
    if (blocks == NULL || nt_buffer_grow(&sizes, (big.count + 1) * sizeof(uint64_t)) != ST_OK ||
        nt_buffer_grow(&groups, (big.count + 1) * sizeof(struct size_count)) != ST_OK)
        return nt_out_of_memory(err, WHAT);
    for (size_t i = 0; i < count && status == ST_OK; i++) {
        blocks[i].tag = wanted[i];
        size_t found = collect(&big, wanted[i], (uint64_t *)(void *)sizes.data);
        status = histogram(arena, (uint64_t *)(void *)sizes.data, found,
                           (struct size_count *)(void *)groups.data, &blocks[i], err);
    }
    if (status != ST_OK)
        return status;
    *ret_blocks = blocks;
    *ret_count = count;
    return ST_OK;
}
