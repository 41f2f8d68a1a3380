/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON encoding of the snapshot document (RFC 8259; schema/snapshot.cddl). Strict: unknown
 * fields, wrong types, duplicate keys, columns of unequal length, duplicate tags, numbers out of
 * range and bad UTF-8 are refused with the path of the fault, and nothing is returned.
 */
#ifndef COMMON_SNAPSHOT_JSON_H
#define COMMON_SNAPSHOT_JSON_H

#include "common/snapshot.h"
#include "common/strbuf.h"

/* text need not end in NUL. ST_MALFORMED: not JSON; ST_INVALID: breaks the contract;
 * ST_TOO_LARGE: over a limit of limits.h; ST_NOMEM. ret is owned by caller (snapshot_done). */
enum status snapshot_json_decode(const char *text, size_t length, struct snapshot *ret_snapshot,
                                 struct err *err) MUST_CHECK;

/* Appends one document on one line, without a line end: fit for NDJSON. Check strbuf_failed. */
void snapshot_json_encode(const struct snapshot *snapshot, struct strbuf *out);

#endif
