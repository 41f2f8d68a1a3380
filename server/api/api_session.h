/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in on the page: a token is exchanged for a session cookie. */
#ifndef SERVER_API_API_SESSION_H
#define SERVER_API_API_SESSION_H

#include "server/http/http.h"

#define API_SESSION_BODY_MAX 1024u

/* Rows: role ROLE_NONE each, they look at the credential themselves. The body of POST is
 * MEDIA_JSON with at most API_SESSION_BODY_MAX bytes. */
enum status api_session_post(struct req *rq, struct resp *rs, struct err *err);
enum status api_session_get(struct req *rq, struct resp *rs, struct err *err);
enum status api_session_delete(struct req *rq, struct resp *rs, struct err *err);

#define API_SESSION_ROUTES                                                                         \
    ROUTE(METHOD_POST, "/api/v1/session", ROLE_NONE, API_SESSION_BODY_MAX, MEDIA_JSON, MEDIA_JSON, \
          api_session_post, "createSession"),                                                      \
        ROUTE(METHOD_GET, "/api/v1/session", ROLE_NONE, 0, 0, MEDIA_JSON, api_session_get,         \
              "getSession"),                                                                       \
        ROUTE(METHOD_DELETE, "/api/v1/session", ROLE_NONE, 0, 0, MEDIA_JSON, api_session_delete,   \
              "deleteSession")

#endif
