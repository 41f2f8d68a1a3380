/* SPDX-License-Identifier: Apache-2.0 */
/* A debugger or poolmon capture as text: reports, verdict, and how the fleet compares. */
#ifndef SERVER_API_API_DIAGNOSE_H
#define SERVER_API_API_DIAGNOSE_H

#include "common/limits.h"
#include "server/http/http.h"

enum status api_diagnose_post(struct req *rq, struct resp *rs, struct err *err);

#define API_DIAGNOSE_ROUTES                                                                        \
    ROUTE(METHOD_POST, "/api/v1/diagnose", ROLE_VIEWER, LIMIT_DIAGNOSE_BYTES, MEDIA_TEXT,          \
          MEDIA_JSON, api_diagnose_post, "diagnose")

#endif
