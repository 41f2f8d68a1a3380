/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sealed form: the snapshots of one host, one boot and one span of time as one chunk, column by
 * column over time. A tag's counters are written once and then only what they changed by, so a
 * chunk takes a fraction of its snapshots' blocks. It stands alone: no base outside of it is
 * needed, and nothing that was stored is lost. Versioned, checksummed twice, pure; input to the
 * reader is not trusted (fuzzed). One builder or reader is used by one thread.
 *
 * Snapshots stand in the order they were added in. One whose base is gone cannot become complete
 * tables: its block is kept as it was (`raw`).
 */
#ifndef SERVER_CHUNK_SEALED_H
#define SERVER_CHUNK_SEALED_H

#include "common/snapshot.h"
#include "common/strbuf.h"

/* Of one chunk; chosen: twelve hours at minute intervals fit. A builder is full earlier when its
 * content grows beyond what is unpacked in one piece. */
#define SEALED_SNAPSHOTS_MAX 1024u
#define SEALED_PLAIN_MAX     ((size_t)64 << 20)

struct sealed_snapshot {
    int64_t taken_at_us;
    int64_t sequence; /* SEQUENCE_UNKNOWN allowed */
    int64_t base;     /* as sent; SEQUENCE_UNKNOWN: it was complete */
    struct snapshot_totals totals;
    const char *detail; /* JSON; NULL: none */
    const void *raw;    /* its block, when there are no complete tables; NULL else */
    size_t raw_length;
};

/* ---- writing --------------------------------------------------------------- */

struct sealed_builder;

/* NULL when memory is out. boot_at_us: TIME_UNKNOWN allowed. */
struct sealed_builder *sealed_builder_new(int64_t boot_at_us);
void sealed_builder_free(struct sealed_builder *builder); /* NULL allowed */
/* Nothing more can be added; finish it and begin another. */
bool sealed_builder_full(const struct sealed_builder *builder);
size_t sealed_builder_count(const struct sealed_builder *builder);
/* `table` is complete and sorted; NULL with `raw`. All is copied. */
enum status sealed_add(struct sealed_builder *builder, const struct sealed_snapshot *snapshot,
                       const struct snapshot_table *table, struct err *err) MUST_CHECK;
/* Appends the chunk to out. The builder can only be freed afterwards. */
enum status sealed_finish(struct sealed_builder *builder, struct strbuf *out,
                          struct err *err) MUST_CHECK;

/* ---- reading --------------------------------------------------------------- */

struct sealed;

/* ST_MALFORMED with what is wrong: not a chunk, version, checksum, a part of it. The data are
 * borrowed only until it returns. ret_sealed owned by caller. */
enum status sealed_open(const void *data, size_t length, struct sealed **ret_sealed,
                        struct err *err) MUST_CHECK;
/* The same of a chunk that is kept in two pieces: see sealed_slices. Without a head the body is all
 * of it. */
enum status sealed_open_parts(const void *head, size_t head_length, const void *body,
                              size_t body_length, struct sealed **ret_sealed,
                              struct err *err) MUST_CHECK;
/* Its head and one group of its body: keys without details, and sealed_series of the tags in that
 * group; others are told as not there. */
enum status sealed_open_group(const void *head, size_t head_length, size_t group, const void *data,
                              size_t length, struct sealed **ret_sealed,
                              struct err *err) MUST_CHECK;
#define SEALED_NO_GROUP (SIZE_MAX - 1)   /* no row is wanted that there could be: keys alone */
void sealed_free(struct sealed *sealed); /* NULL allowed */
int64_t sealed_boot_at_us(const struct sealed *sealed);
size_t sealed_count(const struct sealed *sealed);
/* Borrowed from the reader. */
const struct sealed_snapshot *sealed_at(const struct sealed *sealed, size_t index);
/* The complete tables of one snapshot, into arena. Going forward through a chunk costs the changes
 * alone. ST_NOT_FOUND: it is raw. */
enum status sealed_tables(struct sealed *sealed, size_t index, struct arena *arena,
                          struct snapshot_table ret_table[POOL_COUNT], struct err *err) MUST_CHECK;

/* Where the groups of a chunk lie, so that one of them can be fetched alone. */
struct sealed_slices {
    size_t head_length; /* the body is what follows it; 0: a version without one */
    size_t first;       /* place in the body of the first group */
    size_t count;       /* 0: only as a whole */
    int64_t *keys;      /* lowest sealed_slice_key of each, rising */
    int64_t *ends;      /* place in the body where each begins, and one more: its end */
};
enum status sealed_slices(const void *data, size_t length, struct sealed_slices *ret_slices,
                          struct err *err) MUST_CHECK;
void sealed_slices_done(struct sealed_slices *slices);
/* The group that can hold a row is the last one whose key is not above this. */
int32_t sealed_slice_key(enum pool pool, uint32_t tag);

struct sealed_value {
    unsigned known; /* COLUMN_* or'ed; 0: the snapshot is raw, or has no such row */
    uint32_t allocs;
    uint32_t frees;
    uint64_t bytes;
};
/* One row over time without building tables: sealed_count() values. */
enum status sealed_series(const struct sealed *sealed, enum pool pool, uint32_t tag,
                          struct sealed_value *ret_values, struct err *err) MUST_CHECK;

#endif
