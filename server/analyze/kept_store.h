/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kept host as bytes, so that a server that starts need not read it from cold. Only what cannot
 * be made again is in them: features, curves and the header are judged anew at the next pass, as of
 * then, so the host is what one read from cold is. Bytes of another format, of code that chooses or
 * thins rows otherwise, or damaged in any way are refused: reading from cold is always right.
 *
 *   4  "pfk" and the format's number
 *   4  CRC-32 of the constants by which rows and picks were chosen
 *   4  length of the plain bytes
 *   .  zstd frame: fields in the order of kept_store.c, numbers as varints
 *  -4  CRC-32 of everything before it, little-endian as all of them
 */
#ifndef SERVER_ANALYZE_KEPT_STORE_H
#define SERVER_ANALYZE_KEPT_STORE_H

#include "common/strbuf.h"
#include "server/analyze/kept.h"

/* Hosts that take more are read from cold: about ten times the largest of real ones. Chosen. */
#define KEPT_STORED_MAX (4u << 20) /* plain bytes */

/* Whether there is something that could be restored: a lost host has to be read again anyway. */
bool kept_storable(const struct kept *kept);

/* Appends the bytes of a storable host; what the grid has dropped is left out of both. ST_TOO_LARGE
 * and ST_NOMEM: nothing is appended. */
enum status analysis_store(struct analysis *analysis, struct kept *kept,
                           struct strbuf *out) MUST_CHECK;
/* Makes `kept` that host again, whatever it was. ST_MALFORMED, ST_NOMEM: it has nothing then. */
enum status analysis_restore(struct analysis *analysis, struct kept *kept, const void *data,
                             size_t length) MUST_CHECK;
/* NULL: it has nothing. */
const char *kept_id(const struct kept *kept);

/* For the two above and tests. */
struct fleet;
enum status fleet_store(struct fleet *fleet, struct kept *kept, struct strbuf *out) MUST_CHECK;
enum status fleet_restore(struct fleet *fleet, struct kept *kept, const void *data,
                          size_t length) MUST_CHECK;
/* The same of plain bytes, which a fuzzer reaches. */
enum status kept_read(struct fleet *fleet, struct kept *kept, const void *plain,
                      size_t length) MUST_CHECK;

#endif
