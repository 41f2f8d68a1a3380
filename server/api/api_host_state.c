/* SPDX-License-Identifier: Apache-2.0 */
/* All of one host but its tables at one moment: totals, attributes, drivers, what its document
 * listed beside the tags. */
#include "server/api/api_hosts.h"
#include "server/api/host_moment.h"
#include "server/api/json_out.h"

#include <string.h>

/* Facts hold drivers too, as "driver/NAME"; those have a writer of their own. */
static enum status write_attributes(struct db *db, int64_t key, int64_t at_us, struct strbuf *out,
                                    struct err *err)
{
    AUTO_STORE_FACTS struct store_facts facts = {0};
    enum status status = store_host_facts(db, key, at_us, &facts, err);

    json_key_open(out, "attributes", '[');
    for (size_t i = 0; status == ST_OK && i < facts.count; i++) {
        const struct store_fact *fact = &facts.items[i];
        if (fact->valid_to_us != TIME_UNKNOWN || strncmp(fact->name, "driver/", 7) == 0)
            continue;
        json_open(out, '{');
        json_text(out, "name", fact->name);
        json_text(out, "value", fact->value);
        json_time(out, "since", fact->valid_from_us);
        json_close(out, '}');
    }
    json_close(out, ']');
    return status;
}

enum status api_hosts_state(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {"at"};
    AUTO_HOST_STATE const struct host_state *host = NULL;
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_HOST_MOMENT struct host_moment moment = {0};
    int64_t at_us = TIME_UNKNOWN;
    enum status status = req_query_only(rq, names, sizeof names / sizeof *names, err);

    if (status == ST_OK)
        status = req_query_time(rq, "at", TIME_UNKNOWN, &at_us, err);
    if (status == ST_OK)
        status = api_host_arg(rq, &host, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = host_moment_stored(db, host, at_us == TIME_UNKNOWN ? host->taken_at_us : at_us,
                                    "at", &moment, err);
    if (status != ST_OK)
        return status;
    json_open(&rs->body, '{');
    json_text(&rs->body, "host_id", host->id);
    json_time(&rs->body, "at", moment.taken_at_us);
    json_time(&rs->body, "boot_at", moment.boot_at_us);
    json_i64(&rs->body, "uptime_seconds", host_moment_uptime(&moment));
    host_moment_write_totals(moment.totals, &rs->body);
    status = write_attributes(db, host->key, moment.taken_at_us, &rs->body, err);
    if (status == ST_OK)
        status = api_host_write_drivers(db, host->key, moment.taken_at_us, &rs->body, err);
    if (status != ST_OK)
        return status;
    api_host_write_lists(&moment.snapshot, &rs->body);
    json_close(&rs->body, '}');
    return api_reply_json(rs, err);
}
