/* SPDX-License-Identifier: Apache-2.0 */
/* For those who run the server: how it does, and what it keeps. The counters are those of /metrics.
 */
#ifndef SERVER_API_API_SERVER_H
#define SERVER_API_API_SERVER_H

#include "server/http/http.h"

enum status api_server_get(struct req *rq, struct resp *rs, struct err *err);
enum status api_storage_get(struct req *rq, struct resp *rs, struct err *err);

#define API_SERVER_ROUTES                                                                          \
    ROUTE(METHOD_GET, "/api/v1/server", ROLE_ADMIN, 0, 0, MEDIA_JSON, api_server_get,              \
          "getServer"),                                                                            \
        ROUTE(METHOD_GET, "/api/v1/storage", ROLE_ADMIN, 0, 0, MEDIA_JSON, api_storage_get,        \
              "getStorage")

#endif
