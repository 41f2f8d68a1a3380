/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots in: decoded on the network thread, answered after the commit. */
#ifndef SERVER_API_API_INGEST_H
#define SERVER_API_API_INGEST_H

#include "common/limits.h"
#include "server/http/http.h"

enum status api_ingest_post(struct req *rq, struct resp *rs, struct err *err);

#define API_INGEST_ROUTES                                                                          \
    ROUTE_INLINE(METHOD_POST, "/api/v1/snapshots", ROLE_INGEST, LIMIT_BODY_BYTES,                  \
                 MEDIA_JSON | MEDIA_NDJSON, MEDIA_JSON, api_ingest_post, "postSnapshots")

#endif
