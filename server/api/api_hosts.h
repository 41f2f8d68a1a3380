/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts: the list, one host with its history, its table of tags at any moment, and series. */
#ifndef SERVER_API_API_HOSTS_H
#define SERVER_API_API_HOSTS_H

#include "common/strbuf.h"
#include "server/http/http.h"
#include "server/state/fleet.h"
#include "server/store/store_faults.h"
#include "server/store/store_findings.h"
#include "server/store/store_hosts.h"

enum status api_hosts_list(struct req *rq, struct resp *rs, struct err *err);
enum status api_hosts_get(struct req *rq, struct resp *rs, struct err *err);
enum status api_hosts_tags(struct req *rq, struct resp *rs, struct err *err);
enum status api_hosts_tag_table(struct req *rq, struct resp *rs, struct err *err);
enum status api_hosts_series(struct req *rq, struct resp *rs, struct err *err);
enum status api_hosts_totals(struct req *rq, struct resp *rs, struct err *err);
enum status api_hosts_state(struct req *rq, struct resp *rs, struct err *err);
enum status api_hosts_history(struct req *rq, struct resp *rs, struct err *err);
enum status api_hosts_compare(struct req *rq, struct resp *rs, struct err *err);

/* Members of one host as in the list, without braces. counts: how many findings touch a host. */
void api_host_write(const struct host_state *host, const struct finding_host_counts *counts,
                    const struct store_faults *faults, struct strbuf *out);
/* The same of one that has sent nothing yet. */
void api_host_write_awaiting(const struct store_awaiting *awaiting, struct strbuf *out);

/* The member "drivers" as of a moment (TIME_UNKNOWN: now). */
enum status api_host_write_drivers(struct db *db, int64_t key, int64_t at_us, struct strbuf *out,
                                   struct err *err) MUST_CHECK;
/* The members objects, processes, sessions and events of one document. */
void api_host_write_lists(const struct snapshot *snapshot, struct strbuf *out);

#define API_HOSTS_ROUTES                                                                           \
    ROUTE(METHOD_GET, "/api/v1/hosts", ROLE_VIEWER, 0, 0, MEDIA_JSON | MEDIA_NDJSON | MEDIA_CSV,   \
          api_hosts_list, "listHosts"),                                                            \
        ROUTE(METHOD_GET, "/api/v1/hosts/{host_id}", ROLE_VIEWER, 0, 0, MEDIA_JSON, api_hosts_get, \
              "getHost"),                                                                          \
        ROUTE(METHOD_GET, "/api/v1/hosts/{host_id}/tags", ROLE_VIEWER, 0, 0,                       \
              MEDIA_JSON | MEDIA_NDJSON | MEDIA_CSV, api_hosts_tags, "listHostTags"),              \
        ROUTE(METHOD_GET, "/api/v1/hosts/{host_id}/tag-table", ROLE_VIEWER, 0, 0, MEDIA_JSON,      \
              api_hosts_tag_table, "getHostTagTable"),                                             \
        ROUTE(METHOD_GET, "/api/v1/hosts/{host_id}/tags/{tag}/series", ROLE_VIEWER, 0, 0,          \
              MEDIA_JSON, api_hosts_series, "getHostTagSeries"),                                   \
        ROUTE(METHOD_GET, "/api/v1/hosts/{host_id}/series", ROLE_VIEWER, 0, 0,                     \
              MEDIA_JSON | MEDIA_NDJSON | MEDIA_CSV, api_hosts_totals, "getHostSeries"),           \
        ROUTE(METHOD_GET, "/api/v1/hosts/{host_id}/state", ROLE_VIEWER, 0, 0, MEDIA_JSON,          \
              api_hosts_state, "getHostState"),                                                    \
        ROUTE(METHOD_GET, "/api/v1/hosts/{host_id}/history", ROLE_VIEWER, 0, 0,                    \
              MEDIA_JSON | MEDIA_NDJSON | MEDIA_CSV, api_hosts_history, "listHostHistory"),        \
        ROUTE(METHOD_GET, "/api/v1/hosts/{host_id}/compare", ROLE_VIEWER, 0, 0,                    \
              MEDIA_JSON | MEDIA_NDJSON | MEDIA_CSV, api_hosts_compare, "compareHosts")

#endif
