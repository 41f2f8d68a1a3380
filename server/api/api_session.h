/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing in on the page: a name and password, or a token, is exchanged for a session cookie. The
 * first administrator is made here too, by the link that the server prints at its first start.
 */
#ifndef SERVER_API_API_SESSION_H
#define SERVER_API_API_SESSION_H

#include "server/http/http.h"

/* A name of 256 bytes and two passwords of 256, each byte escaped as six. */
#define API_SESSION_BODY_MAX 5120u

/* Rows with ROLE_NONE look at the credential themselves. */
enum status api_session_post(struct req *rq, struct resp *rs, struct err *err);
enum status api_session_get(struct req *rq, struct resp *rs, struct err *err);
enum status api_session_delete(struct req *rq, struct resp *rs, struct err *err);
enum status api_session_password(struct req *rq, struct resp *rs, struct err *err);
enum status api_sessions_delete(struct req *rq, struct resp *rs, struct err *err);
enum status api_setup_post(struct req *rq, struct resp *rs, struct err *err);

#define API_SESSION_ROUTES                                                                         \
    ROUTE_LIMITED(METHOD_POST, "/api/v1/session", ROLE_NONE, API_SESSION_BODY_MAX, MEDIA_JSON,     \
                  MEDIA_JSON, api_session_post, "createSession"),                                  \
        ROUTE(METHOD_GET, "/api/v1/session", ROLE_NONE, 0, 0, MEDIA_JSON, api_session_get,         \
              "getSession"),                                                                       \
        ROUTE(METHOD_DELETE, "/api/v1/session", ROLE_NONE, 0, 0, MEDIA_JSON, api_session_delete,   \
              "deleteSession"),                                                                    \
        ROUTE_LIMITED(METHOD_POST, "/api/v1/session/password", ROLE_VIEWER, API_SESSION_BODY_MAX,  \
                      MEDIA_JSON, MEDIA_JSON, api_session_password, "changePassword"),             \
        ROUTE(METHOD_DELETE, "/api/v1/sessions", ROLE_VIEWER, 0, 0, MEDIA_JSON,                    \
              api_sessions_delete, "deleteSessions"),                                              \
        ROUTE_LIMITED(METHOD_POST, "/api/v1/setup", ROLE_NONE, API_SESSION_BODY_MAX, MEDIA_JSON,   \
                      MEDIA_JSON, api_setup_post, "setup")

#endif
