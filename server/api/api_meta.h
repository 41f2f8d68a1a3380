/* SPDX-License-Identifier: Apache-2.0 */
/* What operators and their tools ask: alive, ready, figures. At the root, not under /api/v1. */
#ifndef SERVER_API_API_META_H
#define SERVER_API_API_META_H

#include "server/http/http.h"

enum status api_meta_healthz(struct req *rq, struct resp *rs, struct err *err);
enum status api_meta_readyz(struct req *rq, struct resp *rs, struct err *err);
/* Without a token for loopback peers, else role viewer; decided by the handler. */
enum status api_meta_metrics(struct req *rq, struct resp *rs, struct err *err);

#define API_META_ROUTES                                                                            \
    ROUTE_INLINE(METHOD_GET, "/healthz", ROLE_NONE, 0, 0, MEDIA_TEXT, api_meta_healthz,            \
                 "getHealth"),                                                                     \
        ROUTE(METHOD_GET, "/readyz", ROLE_NONE, 0, 0, MEDIA_TEXT, api_meta_readyz, "getReady"),    \
        ROUTE_INLINE(METHOD_GET, "/metrics", ROLE_NONE, 0, 0, MEDIA_PROMETHEUS, api_meta_metrics,  \
                     "getMetrics")

#endif
