/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts of people, for admins. */
#ifndef SERVER_API_API_USERS_H
#define SERVER_API_API_USERS_H

#include "server/http/http.h"

#define API_USERS_BODY_MAX 4096u /* a name and a password of 256 bytes, each byte escaped as six   \
                                  */

enum status api_users_list(struct req *rq, struct resp *rs, struct err *err);
enum status api_users_get(struct req *rq, struct resp *rs, struct err *err);
enum status api_users_post(struct req *rq, struct resp *rs, struct err *err);
enum status api_users_patch(struct req *rq, struct resp *rs, struct err *err);
enum status api_users_delete(struct req *rq, struct resp *rs, struct err *err);

#define API_USERS_ROUTES                                                                           \
    ROUTE(METHOD_GET, "/api/v1/users", ROLE_ADMIN, 0, 0, MEDIA_JSON | MEDIA_CSV | MEDIA_NDJSON,    \
          api_users_list, "listUsers"),                                                            \
        ROUTE(METHOD_POST, "/api/v1/users", ROLE_ADMIN, API_USERS_BODY_MAX, MEDIA_JSON,            \
              MEDIA_JSON, api_users_post, "createUser"),                                           \
        ROUTE(METHOD_GET, "/api/v1/users/{user_id}", ROLE_ADMIN, 0, 0, MEDIA_JSON, api_users_get,  \
              "getUser"),                                                                          \
        ROUTE(METHOD_PATCH, "/api/v1/users/{user_id}", ROLE_ADMIN, API_USERS_BODY_MAX, MEDIA_JSON, \
              MEDIA_JSON, api_users_patch, "patchUser"),                                           \
        ROUTE(METHOD_DELETE, "/api/v1/users/{user_id}", ROLE_ADMIN, 0, 0, MEDIA_JSON,              \
              api_users_delete, "deleteUser")

#endif
