/* SPDX-License-Identifier: Apache-2.0 */
/* What separates some hosts from the others: every attribute and driver version, ranked. */
#ifndef SERVER_API_API_EXPLAIN_H
#define SERVER_API_API_EXPLAIN_H

#include "server/http/http.h"

enum status api_explain(struct req *rq, struct resp *rs, struct err *err);
enum status api_explain_hosts(struct req *rq, struct resp *rs, struct err *err);

#define API_EXPLAIN_ROUTES                                                                         \
    ROUTE(METHOD_GET, "/api/v1/explain", ROLE_VIEWER, 0, 0, MEDIA_JSON | MEDIA_NDJSON | MEDIA_CSV, \
          api_explain, "explain"),                                                                 \
        ROUTE(METHOD_GET, "/api/v1/explain/hosts", ROLE_VIEWER, 0, 0,                              \
              MEDIA_JSON | MEDIA_NDJSON | MEDIA_CSV, api_explain_hosts, "listExplainHosts")

#endif
