/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A group of series in a sealed chunk: the smallest part that is read alone. Its bits are told
 * series by series, each whole, by the sizes of the numbers before them in the group (bits.h);
 * nothing outside of the group is needed but its shape.
 */
#ifndef SERVER_CHUNK_SEALED_GROUP_H
#define SERVER_CHUNK_SEALED_GROUP_H

#include "common/tag.h"
#include "server/chunk/bits.h"
#include "server/chunk/sealed.h"

/* What happens to a series at a snapshot of its run. */
struct group_change {
    uint64_t bytes;
    uint32_t at;
    uint32_t allocs;
    uint32_t frees;
    bool gone;
};

struct group_series {
    uint32_t key;
    size_t count; /* of changes; the first is where it begins, and is never gone */
    struct group_change changes[SEALED_SNAPSHOTS_MAX];
};

struct group_shape {
    size_t snapshots; /* of the run, at least 1 */
    unsigned columns;
    bool all_first; /* each series begins at the first snapshot */
    bool any_gone;  /* some row vanishes */
};

/* What the series of a group share. */
struct learned {
    uint32_t key;
    unsigned shift;
    struct sizes prefix, letter, first, by_shift;
    struct lengths changes, allocs_0, frees_0, size_0, bytes_0;
    struct lengths allocs, frees, bytes; /* the first change of each series */
};

/* Bytes are told in units of at most 1 << SHIFT_MOST; a mask. */
#define SHIFT_MOST 7u

/* The order of series: tags as their text reads, so that those of one driver are neighbours. */
static inline uint32_t group_key(uint32_t tag)
{
    return __builtin_bswap32(tag);
}

static inline uint32_t group_tag(uint32_t key)
{
    return __builtin_bswap32(key);
}

struct group_writer {
    struct group_shape shape;
    struct bit_writer bits;
    struct learned learned;
    size_t count;
};

/* Appends to out, whose error is the caller's to see. Series come with rising keys. */
void group_write_begin(struct group_writer *writer, const struct group_shape *shape,
                       struct strbuf *out);
void group_write(struct group_writer *writer, struct group_series *series);
void group_write_end(struct group_writer *writer);

struct group_reader {
    struct group_shape shape;
    struct bit_reader bits;
    struct learned learned;
    size_t count;
};

/* Of shape, snapshots and columns are the caller's. Data are borrowed. */
void group_read_begin(struct group_reader *reader, const struct group_shape *shape,
                      const unsigned char *at, const unsigned char *end);
/* The key of the first series, without reading it. */
uint32_t group_first_key(const unsigned char *at, const unsigned char *end);
/* The next series; false when it cannot be one. The caller knows how many there are, and hands in
 * what was initialized once (zeros), then what the one before it left. */
bool group_read(struct group_reader *reader, struct group_series *ret_series);
/* After the last: nothing is left over. */
bool group_read_end(const struct group_reader *reader);

#endif
