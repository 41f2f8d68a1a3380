/* SPDX-License-Identifier: Apache-2.0 */
/* What the first screen needs, in one call. */
#ifndef SERVER_API_API_OVERVIEW_H
#define SERVER_API_API_OVERVIEW_H

#include "server/http/http.h"

enum status api_overview_get(struct req *rq, struct resp *rs, struct err *err);

#define API_OVERVIEW_ROUTES                                                                        \
    ROUTE(METHOD_GET, "/api/v1/overview", ROLE_VIEWER, 0, 0, MEDIA_JSON, api_overview_get,         \
          "getOverview")

#endif
