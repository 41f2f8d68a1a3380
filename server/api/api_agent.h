/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots of one agent, under its own token: as POST /snapshots, and the answer also says up to
 * where the server holds them, how often to take them and what it would like to know.
 *
 *   -> {"accepted", "duplicates", "rejected", "acked_sequence"?, "config": {"interval_seconds"},
 *       "want": {"drivers"?, "processes"?, "scan"?, "blocks"?}}
 *
 * A boot of another machine with the same identity is answered 401 identity_cloned.
 */
#ifndef SERVER_API_API_AGENT_H
#define SERVER_API_API_AGENT_H

#include "common/limits.h"
#include "server/http/http.h"

enum status api_agent_post(struct req *rq, struct resp *rs, struct err *err);

#define API_AGENT_ROUTES                                                                           \
    ROUTE_INLINE(METHOD_POST, "/api/v1/agent/snapshots", ROLE_HOST, LIMIT_BODY_BYTES,              \
                 MEDIA_JSON | MEDIA_NDJSON | MEDIA_CBOR | MEDIA_CBOR_SEQ, MEDIA_JSON | MEDIA_CBOR, \
                 api_agent_post, "postAgentSnapshots")

#endif
