/* SPDX-License-Identifier: Apache-2.0 */
/* Imported lists of who owns which tag: what there is, importing one with a look beforehand. */
#ifndef SERVER_API_API_TAG_LISTS_H
#define SERVER_API_API_TAG_LISTS_H

#include "common/limits.h"
#include "server/http/http.h"

enum status api_tag_lists_list(struct req *rq, struct resp *rs, struct err *err);
enum status api_tag_lists_post(struct req *rq, struct resp *rs, struct err *err);
enum status api_tag_lists_delete(struct req *rq, struct resp *rs, struct err *err);

#define API_TAG_LISTS_ROUTES                                                                       \
    ROUTE(METHOD_GET, "/api/v1/tag-lists", ROLE_VIEWER, 0, 0,                                      \
          MEDIA_JSON | MEDIA_NDJSON | MEDIA_CSV, api_tag_lists_list, "listTagLists"),              \
        ROUTE(METHOD_POST, "/api/v1/tag-lists", ROLE_ADMIN, LIMIT_BODY_BYTES, MEDIA_TEXT,          \
              MEDIA_JSON, api_tag_lists_post, "importTagList"),                                    \
        ROUTE(METHOD_DELETE, "/api/v1/tag-lists/{list_name}", ROLE_ADMIN, 0, 0, MEDIA_JSON,        \
              api_tag_lists_delete, "deleteTagList")

#endif
