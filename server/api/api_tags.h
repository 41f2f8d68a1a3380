/* SPDX-License-Identifier: Apache-2.0 */
/* Tags over the fleet: totals, owners, the spread over hosts, and how it moved hour by hour. */
#ifndef SERVER_API_API_TAGS_H
#define SERVER_API_API_TAGS_H

#include "server/http/http.h"

enum status api_tags_list(struct req *rq, struct resp *rs, struct err *err);
enum status api_tags_get(struct req *rq, struct resp *rs, struct err *err);
enum status api_tags_hosts(struct req *rq, struct resp *rs, struct err *err);
enum status api_tags_series(struct req *rq, struct resp *rs, struct err *err);
enum status api_tags_table(struct req *rq, struct resp *rs, struct err *err);
enum status api_tags_distribution(struct req *rq, struct resp *rs, struct err *err);
enum status api_tags_versions(struct req *rq, struct resp *rs, struct err *err);
enum status api_tags_buckets(struct req *rq, struct resp *rs, struct err *err);
enum status api_tags_lockstep(struct req *rq, struct resp *rs, struct err *err);

#define API_TAGS_ROUTES                                                                            \
    ROUTE(METHOD_GET, "/api/v1/tags", ROLE_VIEWER, 0, 0, MEDIA_JSON | MEDIA_NDJSON | MEDIA_CSV,    \
          api_tags_list, "listTags"),                                                              \
        ROUTE(METHOD_GET, "/api/v1/tags/{tag}", ROLE_VIEWER, 0, 0, MEDIA_JSON, api_tags_get,       \
              "getTag"),                                                                           \
        ROUTE(METHOD_GET, "/api/v1/tags/{tag}/hosts", ROLE_VIEWER, 0, 0,                           \
              MEDIA_JSON | MEDIA_NDJSON | MEDIA_CSV, api_tags_hosts, "listTagHosts"),              \
        ROUTE(METHOD_GET, "/api/v1/tags/{tag}/series", ROLE_VIEWER, 0, 0, MEDIA_JSON,              \
              api_tags_series, "getTagSeries"),                                                    \
        ROUTE(METHOD_GET, "/api/v1/tag-table", ROLE_VIEWER, 0, 0, MEDIA_JSON, api_tags_table,      \
              "getTagTable"),                                                                      \
        ROUTE(METHOD_GET, "/api/v1/tags/{tag}/distribution", ROLE_VIEWER, 0, 0, MEDIA_JSON,        \
              api_tags_distribution, "getTagDistribution"),                                        \
        ROUTE(METHOD_GET, "/api/v1/tags/{tag}/versions", ROLE_VIEWER, 0, 0, MEDIA_JSON,            \
              api_tags_versions, "getTagVersions"),                                                \
        ROUTE(METHOD_GET, "/api/v1/tags/{tag}/buckets", ROLE_VIEWER, 0, 0, MEDIA_JSON,             \
              api_tags_buckets, "getTagBuckets"),                                                  \
        ROUTE(METHOD_GET, "/api/v1/tags/{tag}/lockstep", ROLE_VIEWER, 0, 0, MEDIA_JSON,            \
              api_tags_lockstep, "getTagLockstep")

#endif
