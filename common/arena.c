/* SPDX-License-Identifier: Apache-2.0 */
#include "common/arena.h"

#include <stdint.h>
#include <string.h>

/* Chosen: a typical snapshot of 2,500 rows is 50 KB, so it takes a handful of blocks. */
#define BLOCK_BYTES ((size_t)16 << 10)

struct arena_block {
    struct arena_block *next;
    size_t capacity;
    _Alignas(max_align_t) unsigned char data[];
};

void arena_done(struct arena *arena)
{
    struct arena_block *block = arena->blocks;
    while (block != NULL) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    *arena = (struct arena){0};
}

size_t arena_bytes(const struct arena *arena)
{
    size_t bytes = 0;
    for (const struct arena_block *block = arena->blocks; block != NULL; block = block->next)
        bytes += sizeof *block + block->capacity;
    return bytes;
}

void *arena_alloc(struct arena *arena, size_t count, size_t size)
{
    size_t wanted;
    if (__builtin_mul_overflow(count, size, &wanted) || wanted > SIZE_MAX / 2)
        return NULL;
    wanted = (wanted + _Alignof(max_align_t)) & ~(_Alignof(max_align_t) - 1);
    if (arena->blocks == NULL || arena->blocks->capacity - arena->used < wanted) {
        size_t usual = arena->block_bytes == 0 ? BLOCK_BYTES : arena->block_bytes;
        size_t capacity = wanted > usual ? wanted : usual;
        struct arena_block *block = calloc(1, sizeof *block + capacity);
        if (block == NULL)
            return NULL;
        block->next = arena->blocks;
        block->capacity = capacity;
        arena->blocks = block;
        arena->used = 0;
    }
    void *piece = arena->blocks->data + arena->used;
    arena->used += wanted;
    return piece;
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1, 1);
    if (copy != NULL && length > 0)
        memcpy(copy, text, length);
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}
