/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The columnar at-rest encoding of one snapshot's tables: versioned, checksummed, lossless, zstd
 * inside. A block holds the rows it was given (complete, or only changed ones), with absolute
 * values. Pure; input to the decoder is not trusted (fuzzed): limits of limits.h hold.
 */
#ifndef SERVER_CHUNK_CHUNK_H
#define SERVER_CHUNK_CHUNK_H

#include "common/snapshot.h"
#include "common/strbuf.h"

/* Appends one block of both tables (each may be absent) to out. Tables are sorted by tag. */
enum status chunk_encode(const struct snapshot_table table[POOL_COUNT], struct strbuf *out,
                         struct err *err) MUST_CHECK;
/* ST_MALFORMED: not a block, cut off, wrong checksum or version. Memory from arena. */
enum status chunk_decode(const void *data, size_t length, struct arena *arena,
                         struct snapshot_table ret_table[POOL_COUNT], struct err *err) MUST_CHECK;
/* One row of a block without building tables: for series. ST_NOT_FOUND: the block has no such
 * row. ret_columns: which of the values are known (COLUMN_*). */
enum status chunk_find(const void *data, size_t length, enum pool pool, uint32_t tag,
                       uint32_t *ret_allocs, uint32_t *ret_frees, uint64_t *ret_bytes,
                       unsigned *ret_columns, struct err *err) MUST_CHECK;

#endif
