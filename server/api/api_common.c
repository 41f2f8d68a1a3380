/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_common.h"

#include "server/api/json_out.h"
#include "server/api/list.h"

#include <errno.h>
#include <string.h>

#define SILENT_MIN_US    (30 * US_PER_MINUTE)
#define SILENT_INTERVALS 3

const char *const api_pool_names[POOL_COUNT] = {"nonpaged", "paged"};
const char *const api_severity_names[] = {"info", "warning", "critical"};

enum status api_lease(const struct req *rq, struct db **ret_db, struct err *err)
{
    return db_lease(rq->app->db, API_LEASE_WAIT_US, ret_db, err);
}

enum status api_view(const struct req *rq, struct fleet_view **ret_view, struct err *err)
{
    return fleet_view_get(rq->app->views, ret_view, err);
}

enum status api_host_arg(const struct req *rq, const struct host_state **ret_host, struct err *err)
{
    const struct host_state *host = fleet_get(rq->app->fleet, rq->args[0]);

    if (host == NULL)
        return err_set(err, ST_NOT_FOUND, "host \"%s\" is not known", rq->args[0]);
    *ret_host = host;
    return ST_OK;
}

enum status api_tag_parse(const char *text, uint32_t *ret_tag, struct err *err)
{
    size_t length = strlen(text);

    if (tag_parse(text, length, ret_tag))
        return ST_OK;
    if (length == 4) {
        unsigned char bytes[4];
        memcpy(bytes, text, sizeof bytes);
        *ret_tag = tag_from_bytes(bytes);
        return ST_OK;
    }
    if (length > 0 && tag_parse_padded(text, length, ret_tag))
        return ST_OK;
    return err_field(err, ST_INVALID, "tag",
                     "a tag is four bytes, other than printable ASCII as \\xNN");
}

enum status api_query_pool(const struct req *rq, enum pool *ret_pool, struct err *err)
{
    const char *text = req_query(rq, "pool");
    enum pool pool = POOL_UNKNOWN;

    if (text != NULL && !pool_parse(text, &pool))
        return err_field(err, ST_INVALID, "pool", "pool must be nonpaged or paged");
    *ret_pool = pool;
    return ST_OK;
}

enum status api_query_flag(const struct req *rq, const char *name, int *ret_flag, struct err *err)
{
    const char *text = req_query(rq, name);

    if (text != NULL && strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
        return err_field(err, ST_INVALID, name, "%s must be yes or no", name);
    *ret_flag = text == NULL ? -1 : strcmp(text, "yes") == 0;
    return ST_OK;
}

bool api_host_silent(const struct host_state *host, int64_t now_us)
{
    int64_t patience = SILENT_MIN_US;

    if (host->usual_interval_us != TIME_UNKNOWN &&
        host->usual_interval_us * SILENT_INTERVALS > patience)
        patience = host->usual_interval_us * SILENT_INTERVALS;
    return now_us - host->taken_at_us > patience;
}

bool api_host_simulated(const struct host_state *host)
{
    const char *value = host->shown[HOST_SIMULATED];
    return host->agent.simulated || (value != NULL && strcmp(value, "true") == 0);
}

int64_t api_number(uint64_t value)
{
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

int64_t api_host_total(const struct host_state *host, enum total total)
{
    return totals_has(&host->totals, total) ? api_number(host->totals.value[total]) : NUMBER_ABSENT;
}

int64_t api_host_ram(const struct host_state *host)
{
    const char *text = host->shown[HOST_RAM];
    char *end = NULL;

    if (text != NULL && *text >= '0' && *text <= '9') {
        unsigned long long value = strtoull(text, &end, 10);
        if (*end == '\0' && value > 0)
            return api_number(value);
    }
    return api_host_total(host, TOTAL_PHYSICAL_BYTES);
}

int64_t api_host_uptime_seconds(const struct host_state *host)
{
    if (host->boot_at_us == TIME_UNKNOWN || host->boot_at_us > host->taken_at_us)
        return NUMBER_ABSENT;
    return (host->taken_at_us - host->boot_at_us) / US_PER_SECOND;
}

bool api_text_has(const char *text, const char *part)
{
    if (part == NULL)
        return true;
    return text != NULL && strcasestr(text, part) != NULL;
}

struct audit_entry api_audit(const struct req *rq, const char *action, const char *object)
{
    return (struct audit_entry){
        .actor = {rq->actor_kind, rq->principal, rq->peer}, .action = action, .object = object};
}

enum status api_key_arg(const struct req *rq, const char *what, int64_t *ret_key, struct err *err)
{
    const char *text = rq->args[0];
    size_t length = strlen(text);
    errno = 0;
    long long key = strtoll(text, NULL, 10);
    if (length == 0 || strspn(text, "0123456789") != length || errno != 0 || key < 1)
        return err_set(err, ST_NOT_FOUND, "no such %s", what);
    *ret_key = key;
    return ST_OK;
}

int64_t api_if_match(const struct req *rq)
{
    const char *header = req_header(rq, "If-Match");
    const char *at = header == NULL ? NULL : strstr(header, "\"v");
    char *end = NULL;

    if (header == NULL || strcmp(header, "*") == 0)
        return -1;
    if (at == NULL || at[2] < '0' || at[2] > '9')
        return 0; /* versions begin with 1 */
    long long version = strtoll(at + 2, &end, 10);
    return *end == '.' ? version : 0;
}

enum status api_reply_json(struct resp *rs, struct err *err)
{
    rs->media = MEDIA_JSON;
    return resp_etag(rs, err);
}
