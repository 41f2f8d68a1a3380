/* SPDX-License-Identifier: Apache-2.0 */
/* What several resources share: leases, arguments, and facts of a host's newest state. */
#ifndef SERVER_API_API_COMMON_H
#define SERVER_API_API_COMMON_H

#include "common/limits.h"
#include "common/tag.h"
#include "server/app.h"
#include "server/http/http.h"
#include "server/state/view.h"
#include "server/store/store_audit.h"

#define API_LEASE_WAIT_US (2 * US_PER_SECOND)

/* ST_BUSY when no connection is free in time. */
enum status api_lease(const struct req *rq, struct db **ret_db, struct err *err) MUST_CHECK;
enum status api_view(const struct req *rq, struct fleet_view **ret_view,
                     struct err *err) MUST_CHECK;
/* The host of argument 0; ST_NOT_FOUND. */
enum status api_host_arg(const struct req *rq, const struct host_state **ret_host,
                         struct err *err) MUST_CHECK;

/* A tag in a path or query: the contract's text form, four plain bytes, or fewer padded with
 * blanks. ST_INVALID with field "tag". */
enum status api_tag_parse(const char *text, uint32_t *ret_tag, struct err *err) MUST_CHECK;
/* Parameter "pool"; POOL_UNKNOWN when absent. */
enum status api_query_pool(const struct req *rq, enum pool *ret_pool, struct err *err) MUST_CHECK;
/* "yes" or "no"; -1 when absent. */
enum status api_query_flag(const struct req *rq, const char *name, int *ret_flag,
                           struct err *err) MUST_CHECK;

extern const char *const api_pool_names[POOL_COUNT]; /* for LIST_ENUM columns */
extern const char *const api_severity_names[];

/* Nothing for three times its usual interval, at least 30 minutes, measured against `now_us`. */
bool api_host_silent(const struct host_state *host, int64_t now_us);
bool api_host_simulated(const struct host_state *host);
/* NUMBER_ABSENT when unknown. */
int64_t api_host_total(const struct host_state *host, enum total total);
int64_t api_host_ram(const struct host_state *host);
int64_t api_host_uptime_seconds(const struct host_state *host);
int64_t api_number(uint64_t value); /* at most INT64_MAX */

/* Whether `text` holds `part`, letters folded; NULL text holds nothing, NULL part is held. */
bool api_text_has(const char *text, const char *part);

/* An entry for the log of changes, by the one who asks; texts borrowed from rq. */
struct audit_entry api_audit(const struct req *rq, const char *action, const char *object);
/* A key in a path: 1 to 2^63 - 1 in digits; ST_NOT_FOUND for anything else. */
enum status api_key_arg(const struct req *rq, const char *what, int64_t *ret_key,
                        struct err *err) MUST_CHECK;

/* The version the caller has seen, from If-Match with "v7.5f3a" of our own ETags (the part after
 * the dot moves without anybody's change); -1: no If-Match or "*", any version; 0: matches nothing.
 */
int64_t api_if_match(const struct req *rq);

/* Ends a JSON reply: checks the buffer, adds the ETag. */
enum status api_reply_json(struct resp *rs, struct err *err) MUST_CHECK;

#endif
