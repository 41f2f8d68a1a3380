/* SPDX-License-Identifier: Apache-2.0 */
/* The log of changes, for admins. */
#ifndef SERVER_API_API_AUDIT_H
#define SERVER_API_API_AUDIT_H

#include "server/http/http.h"

enum status api_audit_list(struct req *rq, struct resp *rs, struct err *err);

#define API_AUDIT_ROUTES                                                                           \
    ROUTE(METHOD_GET, "/api/v1/audit", ROLE_ADMIN, 0, 0, MEDIA_JSON | MEDIA_CSV | MEDIA_NDJSON,    \
          api_audit_list, "listAudit")

#endif
