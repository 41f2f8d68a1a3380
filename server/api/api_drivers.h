/* SPDX-License-Identifier: Apache-2.0 */
/* Drivers over the fleet: who has which version, since when, and what leaks with it. */
#ifndef SERVER_API_API_DRIVERS_H
#define SERVER_API_API_DRIVERS_H

#include "server/http/http.h"

enum status api_drivers_list(struct req *rq, struct resp *rs, struct err *err);
enum status api_drivers_get(struct req *rq, struct resp *rs, struct err *err);
enum status api_drivers_hosts(struct req *rq, struct resp *rs, struct err *err);

#define API_DRIVERS_ROUTES                                                                         \
    ROUTE(METHOD_GET, "/api/v1/drivers", ROLE_VIEWER, 0, 0, MEDIA_JSON | MEDIA_NDJSON | MEDIA_CSV, \
          api_drivers_list, "listDrivers"),                                                        \
        ROUTE(METHOD_GET, "/api/v1/drivers/{name}", ROLE_VIEWER, 0, 0, MEDIA_JSON,                 \
              api_drivers_get, "getDriver"),                                                       \
        ROUTE(METHOD_GET, "/api/v1/drivers/{name}/hosts", ROLE_VIEWER, 0, 0,                       \
              MEDIA_JSON | MEDIA_NDJSON | MEDIA_CSV, api_drivers_hosts, "listDriverHosts")

#endif
