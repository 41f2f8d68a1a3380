/* SPDX-License-Identifier: Apache-2.0 */
/* Who is told of findings. Secrets go in and never come out, but for the one that POST makes. */
#ifndef SERVER_API_API_NOTIFY_H
#define SERVER_API_API_NOTIFY_H

#include "server/http/http.h"

#define API_NOTIFY_BODY_MAX 8192u

enum status api_notify_list(struct req *rq, struct resp *rs, struct err *err);
enum status api_notify_post(struct req *rq, struct resp *rs, struct err *err);
enum status api_notify_get(struct req *rq, struct resp *rs, struct err *err);
enum status api_notify_patch(struct req *rq, struct resp *rs, struct err *err);
enum status api_notify_delete(struct req *rq, struct resp *rs, struct err *err);
enum status api_notify_test(struct req *rq, struct resp *rs, struct err *err);

#define API_NOTIFY_ROUTES                                                                          \
    ROUTE(METHOD_GET, "/api/v1/notify-targets", ROLE_ADMIN, 0, 0,                                  \
          MEDIA_JSON | MEDIA_NDJSON | MEDIA_CSV, api_notify_list, "listNotifyTargets"),            \
        ROUTE(METHOD_POST, "/api/v1/notify-targets", ROLE_ADMIN, API_NOTIFY_BODY_MAX, MEDIA_JSON,  \
              MEDIA_JSON, api_notify_post, "createNotifyTarget"),                                  \
        ROUTE(METHOD_GET, "/api/v1/notify-targets/{target_id}", ROLE_ADMIN, 0, 0, MEDIA_JSON,      \
              api_notify_get, "getNotifyTarget"),                                                  \
        ROUTE(METHOD_PATCH, "/api/v1/notify-targets/{target_id}", ROLE_ADMIN, API_NOTIFY_BODY_MAX, \
              MEDIA_JSON, MEDIA_JSON, api_notify_patch, "patchNotifyTarget"),                      \
        ROUTE(METHOD_DELETE, "/api/v1/notify-targets/{target_id}", ROLE_ADMIN, 0, 0, MEDIA_JSON,   \
              api_notify_delete, "deleteNotifyTarget"),                                            \
        ROUTE(METHOD_POST, "/api/v1/notify-targets/{target_id}/test", ROLE_ADMIN, 0, 0,            \
              MEDIA_JSON, api_notify_test, "testNotifyTarget")

#endif
