/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine becomes a host: it shows an enroll secret and gets an id and a token of its own.
 *
 *   {"host": {"name"?, "attributes"?: {..}}, "machine_id"?, "boot_at"?, "agent"?: {"version"?},
 *    "previous_host_id"?, "previous_token"?}
 *   -> {"host_id", "token", "config": {"interval_seconds"}}
 *
 * Both as JSON or CBOR. The host has no snapshot yet, so nothing but the list of hosts shows it
 * until its first one.
 */
#ifndef SERVER_API_API_ENROLL_H
#define SERVER_API_API_ENROLL_H

#include "server/http/http.h"

/* 256 attributes of two texts of 256 bytes, each byte escaped at worst, would be 786 KB; no agent
 * sends a tenth of what this allows. */
#define API_ENROLL_BODY_MAX (256u << 10)

enum status api_enroll_post(struct req *rq, struct resp *rs, struct err *err);

#define API_ENROLL_ROUTES                                                                          \
    ROUTE(METHOD_POST, "/api/v1/agent/enroll", ROLE_ENROLL, API_ENROLL_BODY_MAX,                   \
          MEDIA_JSON | MEDIA_CBOR, MEDIA_JSON | MEDIA_CBOR, api_enroll_post, "enrollAgent")

#endif
