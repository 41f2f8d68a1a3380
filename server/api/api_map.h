/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every host of the fleet in one small answer: columns of one length, repeated texts as numbers
 * into dictionaries. What the fleet map and the list of hosts draw from.
 */
#ifndef SERVER_API_API_MAP_H
#define SERVER_API_API_MAP_H

#include "server/http/http.h"

enum status api_map_get(struct req *rq, struct resp *rs, struct err *err);

#define API_MAP_ROUTES                                                                             \
    ROUTE(METHOD_GET, "/api/v1/fleet-map", ROLE_VIEWER, 0, 0, MEDIA_JSON, api_map_get,             \
          "getFleetMap")

#endif
