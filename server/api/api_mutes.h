/* SPDX-License-Identifier: Apache-2.0 */
/* Mutes: what people do not want to hear of until a time. Ending one is DELETE; its record stays.
 */
#ifndef SERVER_API_API_MUTES_H
#define SERVER_API_API_MUTES_H

#include "server/http/http.h"
#include "server/store/mute.h"

#define API_MUTES_BODY_MAX  65536u /* 1,000 host ids and a reason, escaped */
#define API_MUTES_HOSTS_MAX 1000
#define API_MUTES_TAGS_MAX  64
#define API_MUTES_TEXT_MAX  2000 /* bytes of a reason; as a finding's note */

enum status api_mutes_list(struct req *rq, struct resp *rs, struct err *err);
enum status api_mutes_post(struct req *rq, struct resp *rs, struct err *err);
enum status api_mutes_get(struct req *rq, struct resp *rs, struct err *err);
enum status api_mutes_patch(struct req *rq, struct resp *rs, struct err *err);
enum status api_mutes_delete(struct req *rq, struct resp *rs, struct err *err);

/* One as a JSON element; wherever mutes are shown. */
void api_mute_write(const struct mute *mute, struct strbuf *out);

#define API_MUTES_ROUTES                                                                           \
    ROUTE(METHOD_GET, "/api/v1/mutes", ROLE_VIEWER, 0, 0, MEDIA_JSON | MEDIA_NDJSON | MEDIA_CSV,   \
          api_mutes_list, "listMutes"),                                                            \
        ROUTE(METHOD_POST, "/api/v1/mutes", ROLE_OPERATOR, API_MUTES_BODY_MAX, MEDIA_JSON,         \
              MEDIA_JSON, api_mutes_post, "createMute"),                                           \
        ROUTE(METHOD_GET, "/api/v1/mutes/{mute_id}", ROLE_VIEWER, 0, 0, MEDIA_JSON, api_mutes_get, \
              "getMute"),                                                                          \
        ROUTE(METHOD_PATCH, "/api/v1/mutes/{mute_id}", ROLE_OPERATOR, API_MUTES_BODY_MAX,          \
              MEDIA_JSON, MEDIA_JSON, api_mutes_patch, "patchMute"),                               \
        ROUTE(METHOD_DELETE, "/api/v1/mutes/{mute_id}", ROLE_OPERATOR, 0, 0, MEDIA_JSON,           \
              api_mutes_delete, "endMute")

#endif
