/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of one document: many small pieces, freed together. Pieces are zeroed and aligned for any
 * type. An arena of zeroes is empty and valid. Not shared between threads.
 */
#ifndef COMMON_ARENA_H
#define COMMON_ARENA_H

#include "common/cleanup.h"

#include <stddef.h>

struct arena {
    struct arena_block *blocks;
    size_t used;        /* of the newest block */
    size_t block_bytes; /* 0: as for a document; less for an arena that is one of many */
};

void arena_done(struct arena *arena);
size_t arena_bytes(const struct arena *arena); /* of memory, about */
#define AUTO_ARENA CLEANUP(arena_done)

/* NULL when memory is out or count * size overflows. A size of 0 gives a unique pointer. */
void *arena_alloc(struct arena *arena, size_t count, size_t size);
char *arena_strndup(struct arena *arena, const char *text, size_t length);
char *arena_strdup(struct arena *arena, const char *text);

#endif
