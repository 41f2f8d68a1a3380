/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layout of a sealed chunk, shared by its writer and its readers. Version 2, as written now, is
 * made so that one tag is read without the others:
 *
 *   head   0  "PFc" and the version, 2
 *          4  length of what follows up to the checksum: varint
 *          .  boot, snapshots, length of the keys: varints
 *          .  keys, as bits (sealed_keys.c): times, sequences, bases, totals
 *          .  plain and packed length of the texts: varints; their CRC-32
 *          .  runs: for each the snapshots, then for each pool what it has (PART_*) and its groups:
 *             series and length as varints, CRC-32
 *         -4  CRC-32 of the head before it, little-endian as all of them
 *   body   0  texts: details and raws, each section with its length in front, one zstd frame
 *          .  groups (sealed_group.h), some two kilobytes each, in the order of the runs and pools
 *
 * Head and body may lie apart; head and one group is all that a series needs. Nothing is in either
 * that no checksum covers, and the head tells which bytes belong to which part: a group in the
 * place of another is found. Series are sorted by their tag's text, which keeps a driver's tags
 * together.
 *
 * A run is a stretch of snapshots with the same tables and columns; mostly there is one.
 *
 * Version 1 is read for ever:
 *
 *   0  "PFc" and the version, 1
 *   4  plain length of the payload: varint
 *   .  payload: one zstd frame with its content checksum
 *  -4  CRC-32 of everything before it, little-endian
 *
 * Two checksums because they see different things: the CRC finds any flipped bit of what is stored,
 * the header included, before anything is unpacked; the frame's (XXH64, 32 bits of it) finds what
 * goes wrong in unpacking. Both are in libraries that are used anyway.
 *
 * The payload is a row of sections, each with its length in front (varint):
 *
 *   keys     boot, snapshots, then column by column: flags, taken_at (delta of delta), sequence,
 *            base, totals
 *   details  length and text of each
 *   raws     length and bytes of each block kept as it was
 *   runs     for each run: snapshots, then for each pool what it has (see PART_*) and its series
 *   then STREAM_COUNT sections for each table of each run
 *
 * Within a run, a series is one tag; all streams go series by series, which is what makes
 * neighbours alike.
 *
 * In both, allocs are coded as their increase (mod 2^32) or, where that is shorter for the series,
 * as the change of the increase. Of frees, what is outstanding is coded: allocs - frees. bytes are
 * predicted from outstanding and the mean size of a block so far, so that a tag with one block size
 * costs nothing but zeros.
 */
#ifndef SERVER_CHUNK_SEALED_FORM_H
#define SERVER_CHUNK_SEALED_FORM_H

#include "common/tag.h"

#include <stdint.h>

#define SEALED_MAGIC        "PFc\1"
#define SEALED_MAGIC_2      "PFc\2"
#define SEALED_CRC_BYTES    4u
#define SEALED_HEADER_LEAST 5u
#define SEALED_SERIES_MAX   2000000u /* a writer is full before that; see sealed_builder_full */
#define SEALED_CHANGES_MAX  1600000u /* of a run; the same. Bits alone would allow far more */

enum section { SECTION_KEYS, SECTION_DETAILS, SECTION_RAWS, SECTION_RUNS, SECTION_COUNT };

/* Flags of a snapshot. */
#define KEY_RAW      1u
#define KEY_DETAIL   2u
#define KEY_SEQUENCE 4u
#define KEY_BASE     8u
#define KEY_TOTALS   16u
#define KEY_ALL      31u

/* What a run says of a table: present, and its columns above that bit. */
#define PART_PRESENT 1u
#define PART_COLUMNS 1 /* shift */
#define PART_ALL     15u

enum stream {
    STREAM_TAGS,     /* difference to the tag before */
    STREAM_FIRST,    /* snapshot of the run that the series begins with */
    STREAM_ALLOCS_0, /* values there */
    STREAM_FREES_0,  /* outstanding; frees when allocs are unknown */
    STREAM_SIZE_0,   /* bytes / outstanding; none unless all columns are known */
    STREAM_BYTES_0,  /* what is left over by that; bytes when there is no STREAM_SIZE_0 */
    STREAM_MODES,    /* a bit a series: allocs are changes of the increase */
    STREAM_CHANGED,  /* a bit for each series and each snapshot but the first of the run */
    STREAM_ALLOCS,   /* for each such bit */
    STREAM_FREES,
    STREAM_BYTES,
    STREAM_GONE, /* pairs: series since the pair before, snapshot: the row vanished */
    STREAM_COUNT
};

/* Bytes are told by the size of a block. */
#define HAS_SIZE(columns) ((columns) == COLUMN_ALL)

/* One series on its way through time, the same for both sides. */
struct series_state {
    uint32_t allocs;
    uint32_t increase; /* last one; for STREAM_MODES */
    uint32_t frees;    /* outstanding, or frees when allocs are unknown */
    uint64_t bytes;
    uint64_t size; /* mean block size when something was outstanding last */
};

static inline uint64_t series_predict(const struct series_state *state, uint32_t outstanding)
{
    uint64_t change = (uint64_t)(int64_t)(int32_t)(outstanding - state->frees);
    return state->bytes + state->size * change;
}

/* After bytes and outstanding are new. */
static inline void series_learn(struct series_state *state)
{
    if (state->frees > 0)
        state->size = state->bytes / state->frees;
}

#endif
