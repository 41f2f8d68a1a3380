/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens and enroll secrets, for admins. A secret is in the answer that makes it, and never again.
 */
#ifndef SERVER_API_API_TOKENS_H
#define SERVER_API_API_TOKENS_H

#include "server/http/http.h"

#define API_TOKENS_BODY_MAX 4096u

enum status api_tokens_list(struct req *rq, struct resp *rs, struct err *err);
enum status api_tokens_post(struct req *rq, struct resp *rs, struct err *err);
enum status api_tokens_delete(struct req *rq, struct resp *rs, struct err *err);
enum status api_enroll_secrets_list(struct req *rq, struct resp *rs, struct err *err);
enum status api_enroll_secrets_post(struct req *rq, struct resp *rs, struct err *err);
enum status api_enroll_secrets_delete(struct req *rq, struct resp *rs, struct err *err);

#define API_TOKENS_ROUTES                                                                          \
    ROUTE(METHOD_GET, "/api/v1/tokens", ROLE_ADMIN, 0, 0, MEDIA_JSON | MEDIA_CSV | MEDIA_NDJSON,   \
          api_tokens_list, "listTokens"),                                                          \
        ROUTE(METHOD_POST, "/api/v1/tokens", ROLE_ADMIN, API_TOKENS_BODY_MAX, MEDIA_JSON,          \
              MEDIA_JSON, api_tokens_post, "createToken"),                                         \
        ROUTE(METHOD_DELETE, "/api/v1/tokens/{token_id}", ROLE_ADMIN, 0, 0, MEDIA_JSON,            \
              api_tokens_delete, "revokeToken"),                                                   \
        ROUTE(METHOD_GET, "/api/v1/enroll-secrets", ROLE_ADMIN, 0, 0,                              \
              MEDIA_JSON | MEDIA_CSV | MEDIA_NDJSON, api_enroll_secrets_list,                      \
              "listEnrollSecrets"),                                                                \
        ROUTE(METHOD_POST, "/api/v1/enroll-secrets", ROLE_ADMIN, API_TOKENS_BODY_MAX, MEDIA_JSON,  \
              MEDIA_JSON, api_enroll_secrets_post, "createEnrollSecret"),                          \
        ROUTE(METHOD_DELETE, "/api/v1/enroll-secrets/{secret_id}", ROLE_ADMIN, 0, 0, MEDIA_JSON,   \
              api_enroll_secrets_delete, "revokeEnrollSecret")

#endif
