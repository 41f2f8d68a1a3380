/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots in: decoded on the network thread, answered after the commit. */
#ifndef SERVER_API_API_INGEST_H
#define SERVER_API_API_INGEST_H

#include "common/doc_out.h"
#include "common/limits.h"
#include "server/http/http.h"

struct ingest_batch;

enum status api_ingest_post(struct req *rq, struct resp *rs, struct err *err);

/* The same for another route that takes documents. `more` adds its members to the answer, once the
 * documents are durable; batch NULL: none could be read. It may run on the committer's thread. */
typedef void (*ingest_more)(const struct req *rq, const struct ingest_batch *batch,
                            struct doc *doc);
enum status api_ingest_take(struct req *rq, struct resp *rs, ingest_more more, struct err *err);

#define API_INGEST_ROUTES                                                                          \
    ROUTE_INLINE(METHOD_POST, "/api/v1/snapshots", ROLE_INGEST, LIMIT_BODY_BYTES,                  \
                 MEDIA_JSON | MEDIA_NDJSON | MEDIA_CBOR | MEDIA_CBOR_SEQ, MEDIA_JSON | MEDIA_CBOR, \
                 api_ingest_post, "postSnapshots")

#endif
