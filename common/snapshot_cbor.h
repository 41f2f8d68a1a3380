/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CBOR encoding of the snapshot document (RFC 8949; schema/snapshot.cddl): the same names, the
 * same meaning and the same strictness as snapshot_json.h, so that a document says the same in
 * both. Rows are decoded straight into the columns: no allocation per value.
 */
#ifndef COMMON_SNAPSHOT_CBOR_H
#define COMMON_SNAPSHOT_CBOR_H

#include "common/snapshot.h"
#include "common/strbuf.h"

/* Decodes exactly one document. Statuses as snapshot_json_decode, and err->field is the same path;
 * only where a text is no UTF-8 or a member stands twice (ST_MALFORMED) CBOR has a path and JSON
 * has none. ret is owned by caller (snapshot_done). */
enum status snapshot_cbor_decode(const void *data, size_t length, struct snapshot *ret_snapshot,
                                 struct err *err) MUST_CHECK;
/* The same without the limit of a body: for what was JSON, whose text was held against it. */
enum status snapshot_cbor_read(const void *data, size_t length, struct snapshot *ret_snapshot,
                               struct err *err) MUST_CHECK;
/* The length of the first item of a sequence (RFC 8742) without decoding it. ST_MALFORMED. */
enum status snapshot_cbor_span(const void *data, size_t length, size_t *ret_length,
                               struct err *err) MUST_CHECK;

/* Appends one document. Rows stand in an order that packs well. Check strbuf_failed. */
void snapshot_cbor_encode(const struct snapshot *snapshot, struct strbuf *out);

#endif
