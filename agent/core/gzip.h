/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip (RFC 1952) of whole pieces of memory, one member each. Snapshots are kept packed in the
 * spool: in an outage they hold most of a table each (all against the same old base), and packed
 * they need a quarter of the disk. Pure but for memory.
 */
#ifndef AGENT_CORE_GZIP_H
#define AGENT_CORE_GZIP_H

#include "common/status.h"
#include "common/strbuf.h"

/* Both append to `out`; on failure its content is unchanged. ST_NOMEM. */
enum status gzip_pack(const void *data, size_t length, struct strbuf *out,
                      struct err *err) MUST_CHECK;
/* ST_MALFORMED: not one whole member; ST_TOO_LARGE: more than `max` bytes come out. */
enum status gzip_unpack(const void *data, size_t length, size_t max, struct strbuf *out,
                        struct err *err) MUST_CHECK;

#endif
