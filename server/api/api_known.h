/* SPDX-License-Identifier: Apache-2.0 */
/* Known leaks: the list, and what an admin adds to it. */
#ifndef SERVER_API_API_KNOWN_H
#define SERVER_API_API_KNOWN_H

#include "common/limits.h"
#include "server/http/http.h"
#include "server/known/known.h"

enum status api_known_list(struct req *rq, struct resp *rs, struct err *err);
enum status api_known_import(struct req *rq, struct resp *rs, struct err *err);
enum status api_known_put(struct req *rq, struct resp *rs, struct err *err);
enum status api_known_delete(struct req *rq, struct resp *rs, struct err *err);

#define API_KNOWN_ROUTES                                                                           \
    ROUTE(METHOD_GET, "/api/v1/known-leaks", ROLE_VIEWER, 0, 0,                                    \
          MEDIA_JSON | MEDIA_NDJSON | MEDIA_CSV, api_known_list, "listKnownLeaks"),                \
        ROUTE(METHOD_POST, "/api/v1/known-leaks", ROLE_ADMIN, LIMIT_BODY_BYTES, MEDIA_JSON,        \
              MEDIA_JSON, api_known_import, "importKnownLeaks"),                                   \
        ROUTE(METHOD_PUT, "/api/v1/known-leaks/{known_id}", ROLE_ADMIN, KNOWN_ENTRY_BYTES,         \
              MEDIA_JSON, MEDIA_JSON, api_known_put, "putKnownLeak"),                              \
        ROUTE(METHOD_DELETE, "/api/v1/known-leaks/{known_id}", ROLE_ADMIN, 0, 0, MEDIA_JSON,       \
              api_known_delete, "deleteKnownLeak")

#endif
