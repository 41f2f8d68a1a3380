/* SPDX-License-Identifier: Apache-2.0 */
/* The list of hosts: from memory, beside one small query for the findings that touch them. */
#include "server/api/api_hosts.h"

#include "server/api/api_common.h"
#include "server/api/host_item.h"
#include "server/api/json_out.h"
#include "server/api/list.h"

#include <string.h>

#define COLUMN(field, kind) LIST_COLUMN(struct host_item, field, kind)
static const struct list_column columns[] = {
    COLUMN(id, LIST_TEXT),
    COLUMN(name, LIST_TEXT),
    COLUMN(os_name, LIST_TEXT),
    COLUMN(os_build, LIST_TEXT),
    COLUMN(role, LIST_TEXT),
    COLUMN(model, LIST_TEXT),
    COLUMN(ram_bytes, LIST_I64),
    COLUMN(boot_at, LIST_TIME),
    COLUMN(uptime_seconds, LIST_I64),
    COLUMN(last_seen, LIST_TIME),
    COLUMN(nonpaged_bytes, LIST_I64),
    COLUMN(paged_bytes, LIST_I64),
    COLUMN(nonpaged_limit_bytes, LIST_I64),
    COLUMN(findings, LIST_I64),
    LIST_COLUMN_ENUM(struct host_item, worst_severity, api_severity_names),
    COLUMN(simulated, LIST_BOOL),
    COLUMN(silent, LIST_BOOL),
    COLUMN(faulty_since, LIST_TIME),
    COLUMN(faulty_reason, LIST_TEXT),
    COLUMN(awaiting_first_snapshot, LIST_BOOL),
    COLUMN(enrolled_at, LIST_TIME),
    COLUMN(agent, LIST_JSON),
};

static const struct list_spec spec = {
    .columns = columns,
    .column_count = sizeof columns / sizeof columns[0],
    .identity = COLUMN(id, LIST_TEXT),
    .default_sort = "name",
    .default_limit = LIST_LIMIT_DEFAULT,
    .max_limit = LIST_LIMIT_MAX,
};

static void write_members(const struct host_item *item, struct strbuf *out)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;

    list_write_json(&spec, item, &text);
    if (strbuf_failed(&text)) {
        out->failed = true;
        return;
    }
    json_comma(out);
    strbuf_add(out, text.data + 1, text.length - 2);
}

void api_host_write(const struct host_state *host, const struct finding_host_counts *counts,
                    const struct store_faults *faults, struct strbuf *out)
{
    AUTO_ARENA struct arena arena = {0};
    struct host_item item;

    host_item_fill(host, host_item_count(counts, host->id), store_fault_of(faults, host->id),
                   clock_wall_us(), &arena, &item);
    write_members(&item, out);
}

void api_host_write_awaiting(const struct store_awaiting *awaiting, struct strbuf *out)
{
    AUTO_ARENA struct arena arena = {0};
    struct host_item item;

    host_item_fill_awaiting(awaiting, &arena, &item);
    write_members(&item, out);
}

static enum status read_stored(const struct req *rq, struct finding_host_counts *ret_counts,
                               struct store_faults *ret_faults,
                               struct store_awaiting_list *ret_awaiting, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    enum status status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_findings_hosts(db, ret_counts, err);
    if (status == ST_OK)
        status = store_faults_list(db, ret_faults, err);
    return status == ST_OK ? store_hosts_awaiting(db, NULL, ret_awaiting, err) : status;
}

enum status api_hosts_list(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_LIST_QUERY struct list_query query = {0};
    AUTO_FLEET_LIST struct fleet_list list = {0};
    AUTO_FINDING_HOST_COUNTS struct finding_host_counts counts = {0};
    AUTO_AWAITING_LIST struct store_awaiting_list awaiting = {0};
    AUTO_STORE_FAULTS struct store_faults faults = {0};
    AUTO_ARENA struct arena arena = {0};
    static const char *const names[] = {LIST_PARAMETERS, HOST_FILTER_PARAMETERS};
    struct host_filter filter;
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK)
        status = host_filter_read(rq, &filter, err);

    if (status == ST_OK)
        status = list_query_read(rq, &spec, &query, err);
    if (status == ST_OK)
        status = read_stored(rq, &counts, &faults, &awaiting, err);
    if (status == ST_OK && (status = fleet_list(rq->app->fleet, &list)) != ST_OK)
        err_set(err, status, "could not list the hosts: out of memory");
    if (status != ST_OK)
        return status;

    AUTO_FREE struct host_item *items = calloc(list.count + awaiting.count + 1, sizeof *items);
    size_t count = 0;
    int64_t now = clock_wall_us();
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not list the hosts: out of memory");
    for (size_t i = 0; i < list.count; i++) {
        host_item_fill(list.items[i], host_item_count(&counts, list.items[i]->id),
                       store_fault_of(&faults, list.items[i]->id), now, &arena, &items[count]);
        count += host_filter_takes(&filter, &items[count]);
    }
    for (size_t i = 0; i < awaiting.count; i++) {
        host_item_fill_awaiting(&awaiting.items[i], &arena, &items[count]);
        count += host_filter_takes(&filter, &items[count]);
    }
    return list_reply(rq, rs, &spec, &query, NULL, items, sizeof *items, count, err);
}
