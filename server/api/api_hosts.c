/* SPDX-License-Identifier: Apache-2.0 */
/* The list of hosts: from memory, beside one small query for the findings that touch them. */
#include "server/api/api_hosts.h"

#include "server/api/api_common.h"
#include "server/api/json_out.h"
#include "server/api/list.h"

#include <string.h>

struct host_item {
    const char *id;
    const char *name;
    const char *os_name;
    const char *os_build;
    const char *role;
    const char *model;
    int64_t ram_bytes;
    int64_t boot_at;
    int64_t uptime_seconds;
    int64_t last_seen;
    int64_t nonpaged_bytes;
    int64_t paged_bytes;
    int64_t nonpaged_limit_bytes;
    int64_t findings;
    int worst_severity;
    bool simulated;
    bool silent;
    bool awaiting_first_snapshot; /* enrolled, nothing sent yet */
    int64_t enrolled_at;          /* of those only */
    const char *agent;            /* JSON */
};

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

static int count_compare(const void *key, const void *item)
{
    return strcmp(key, ((const struct finding_host_count *)item)->host_id);
}

/* NULL where nothing is known of the agent, or when memory is out. */
static const char *agent_text(const struct snapshot_agent *agent, struct arena *arena)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;

    if (!agent->present)
        return NULL;
    json_open(&text, '{');
    json_text(&text, "version", agent->version);
    json_i64(&text, "waiting", agent->waiting < 0 ? NUMBER_ABSENT : agent->waiting);
    json_i64(&text, "dropped", agent->dropped < 0 ? NUMBER_ABSENT : agent->dropped);
    json_bool(&text, "simulated", agent->simulated);
    json_close(&text, '}');
    return strbuf_failed(&text) ? NULL : arena_strdup(arena, text.data);
}

static void item_fill(const struct host_state *host, const struct finding_host_counts *counts,
                      int64_t now, struct arena *arena, struct host_item *item)
{
    const struct finding_host_count *count =
        counts->count == 0
            ? NULL
            : bsearch(host->id, counts->items, counts->count, sizeof *counts->items, count_compare);

    *item = (struct host_item){
        .id = host->id,
        .name = host->name,
        .os_name = host_state_attribute(host, "os.name"),
        .os_build = host_state_attribute(host, "os.build"),
        .role = host_state_attribute(host, "role"),
        .model = host_state_attribute(host, "hw.model"),
        .ram_bytes = api_host_ram(host),
        .boot_at = host->boot_at_us,
        .uptime_seconds = api_host_uptime_seconds(host),
        .last_seen = host->taken_at_us,
        .nonpaged_bytes = api_host_total(host, TOTAL_NONPAGED_BYTES),
        .paged_bytes = api_host_total(host, TOTAL_PAGED_BYTES),
        .nonpaged_limit_bytes = api_host_total(host, TOTAL_NONPAGED_LIMIT_BYTES),
        .findings = count == NULL ? 0 : count->findings,
        .worst_severity = count == NULL ? -1 : (int)count->worst,
        .simulated = api_host_simulated(host),
        .silent = api_host_silent(host, now),
        .enrolled_at = TIME_UNKNOWN,
        .agent = agent_text(&host->agent, arena),
    };
}

static void item_fill_awaiting(const struct store_awaiting *awaiting, struct arena *arena,
                               struct host_item *item)
{
    const struct snapshot_agent agent = {.present = awaiting->agent_version != NULL,
                                         .version = awaiting->agent_version,
                                         .waiting = -1,
                                         .dropped = -1};

    *item = (struct host_item){
        .id = awaiting->id,
        .name = awaiting->name,
        .os_name = awaiting->os_name,
        .os_build = awaiting->os_build,
        .role = awaiting->role,
        .model = awaiting->model,
        .ram_bytes = NUMBER_ABSENT,
        .boot_at = TIME_UNKNOWN,
        .uptime_seconds = NUMBER_ABSENT,
        .last_seen = TIME_UNKNOWN,
        .nonpaged_bytes = NUMBER_ABSENT,
        .paged_bytes = NUMBER_ABSENT,
        .nonpaged_limit_bytes = NUMBER_ABSENT,
        .worst_severity = -1,
        .awaiting_first_snapshot = true,
        .enrolled_at = awaiting->enrolled_at_us,
        .agent = agent_text(&agent, arena),
    };
}

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
                    struct strbuf *out)
{
    AUTO_ARENA struct arena arena = {0};
    struct host_item item;

    item_fill(host, counts, clock_wall_us(), &arena, &item);
    write_members(&item, out);
}

void api_host_write_awaiting(const struct store_awaiting *awaiting, struct strbuf *out)
{
    AUTO_ARENA struct arena arena = {0};
    struct host_item item;

    item_fill_awaiting(awaiting, &arena, &item);
    write_members(&item, out);
}

struct filter {
    const char *q;
    const char *os_build;
    const char *role;
    int finding;
    int silent;
};

static enum status filter_read(const struct req *rq, struct filter *ret_filter, struct err *err)
{
    static const char *const names[] = {LIST_PARAMETERS, "q",       "os.build",
                                        "role",          "finding", "silent"};
    struct filter filter = {req_query(rq, "q"), req_query(rq, "os.build"), req_query(rq, "role"),
                            -1, -1};
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK)
        status = api_query_flag(rq, "finding", &filter.finding, err);
    if (status == ST_OK)
        status = api_query_flag(rq, "silent", &filter.silent, err);
    if (status == ST_OK)
        *ret_filter = filter;
    return status;
}

static bool same_text(const char *have, const char *want)
{
    return want == NULL || (have != NULL && strcmp(have, want) == 0);
}

static bool filter_takes(const struct filter *filter, const struct host_item *item)
{
    if (!same_text(item->os_build, filter->os_build) || !same_text(item->role, filter->role))
        return false;
    if (filter->finding >= 0 && (item->findings > 0) != filter->finding)
        return false;
    if (filter->silent >= 0 && item->silent != filter->silent)
        return false;
    return filter->q == NULL || api_text_has(item->name, filter->q) ||
           api_text_has(item->id, filter->q) || api_text_has(item->os_name, filter->q) ||
           api_text_has(item->os_build, filter->q) || api_text_has(item->role, filter->q) ||
           api_text_has(item->model, filter->q);
}

static enum status read_stored(const struct req *rq, struct finding_host_counts *ret_counts,
                               struct store_awaiting_list *ret_awaiting, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    enum status status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_findings_hosts(db, ret_counts, err);
    return status == ST_OK ? store_hosts_awaiting(db, NULL, ret_awaiting, err) : status;
}

enum status api_hosts_list(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_LIST_QUERY struct list_query query = {0};
    AUTO_FLEET_LIST struct fleet_list list = {0};
    AUTO_FINDING_HOST_COUNTS struct finding_host_counts counts = {0};
    AUTO_AWAITING_LIST struct store_awaiting_list awaiting = {0};
    AUTO_ARENA struct arena arena = {0};
    struct filter filter;
    enum status status = filter_read(rq, &filter, err);

    if (status == ST_OK)
        status = list_query_read(rq, &spec, &query, err);
    if (status == ST_OK)
        status = read_stored(rq, &counts, &awaiting, err);
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
        item_fill(list.items[i], &counts, now, &arena, &items[count]);
        count += filter_takes(&filter, &items[count]);
    }
    for (size_t i = 0; i < awaiting.count; i++) {
        item_fill_awaiting(&awaiting.items[i], &arena, &items[count]);
        count += filter_takes(&filter, &items[count]);
    }
    return list_reply(rq, rs, &spec, &query, NULL, items, sizeof *items, count, err);
}
