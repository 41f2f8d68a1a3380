/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_overview.h"

#include "server/api/api_common.h"
#include "server/api/finding_json.h"
#include "server/api/host_item.h"
#include "server/api/json_out.h"
#include "server/api/overview_fleet.h"
#include "server/state/recent.h"
#include "server/store/store_fleet.h"

#include <stdatomic.h>

#define TOP 10

struct overview {
    struct finding_summary summary;
    struct finding_records findings;
    struct known_view *known;
    struct store_fleet_hosts told; /* what findings say of hosts */
    struct store_fleet_news news;
    struct store_awaiting_list awaiting;
    struct store_faults faults;
    int64_t since_us;
    struct store_recent recent;
};

static enum status read_database(const struct req *rq, int64_t now, struct overview *ret,
                                 struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    struct finding_filter filter = {.statuses = 1u << FINDING_OPEN | 1u << FINDING_ACKNOWLEDGED,
                                    .hosts_max = FINDING_JSON_HOSTS_LIST};
    enum status status = api_lease(rq, &db, err);

    if (status == ST_OK)
        status = store_findings_summary(db, now - US_PER_DAY, &ret->summary, err);
    if (status == ST_OK)
        status = recent_get(rq->app->recent, db, &ret->recent, err);
    if (status == ST_OK)
        status = store_fleet_hosts(db, &ret->told, err);
    if (status == ST_OK)
        status = store_fleet_news(db, ret->since_us, &ret->news, err);
    if (status == ST_OK)
        status = store_hosts_awaiting(db, NULL, &ret->awaiting, err);
    if (status == ST_OK)
        status = store_faults_list(db, &ret->faults, err);
    if (status == ST_OK)
        status = known_view_get(rq->app->known, db, &ret->known, err);
    return status == ST_OK ? store_findings_list(db, &filter, &ret->findings, err) : status;
}

/* A sum of what is known; null when no host says. */
static int64_t fleet_sum(const struct fleet_list *list, enum total total)
{
    uint64_t sum = 0;
    bool known = false;

    for (size_t i = 0; i < list->count; i++) {
        if (!totals_has(&list->items[i]->totals, total))
            continue;
        known = true;
        sum += list->items[i]->totals.value[total];
    }
    return known ? api_number(sum) : NUMBER_ABSENT;
}

static void write_sums(const struct fleet_list *list, const struct overview *overview,
                       struct strbuf *out)
{
    json_key_open(out, "snapshots", '{');
    json_i64(out, "last_hour", overview->recent.hour);
    json_i64(out, "last_day", overview->recent.day);
    json_close(out, '}');
    json_key_open(out, "pools", '{');
    json_i64(out, "nonpaged_bytes", fleet_sum(list, TOTAL_NONPAGED_BYTES));
    json_i64(out, "paged_bytes", fleet_sum(list, TOTAL_PAGED_BYTES));
    json_close(out, '}');
}

static int worse_first(const void *left, const void *right)
{
    const struct finding *a = &(*(const struct finding_record *const *)left)->finding;
    const struct finding *b = &(*(const struct finding_record *const *)right)->finding;

    if (a->severity != b->severity)
        return a->severity > b->severity ? -1 : 1;
    if (a->confidence != b->confidence)
        return a->confidence > b->confidence ? -1 : 1;
    return strcmp(a->id, b->id);
}

static enum status write_findings(const struct overview *overview, struct strbuf *out)
{
    const struct finding_records *records = &overview->findings;
    const struct finding_summary *summary = &overview->summary;
    AUTO_FREE const struct finding_record **order = calloc(records->count + 1, sizeof *order);

    if (order == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < records->count; i++)
        order[i] = &records->items[i];
    qsort(order, records->count, sizeof *order, worse_first);
    json_key_open(out, "findings", '{');
    json_i64(out, "open", summary->open);
    json_i64(out, "critical", summary->by_severity[SEVERITY_CRITICAL]);
    json_i64(out, "warning", summary->by_severity[SEVERITY_WARNING]);
    json_i64(out, "info", summary->by_severity[SEVERITY_INFO]);
    json_i64(out, "new_since_yesterday", summary->new_since);
    json_close(out, '}');
    json_key_open(out, "top_findings", '[');
    for (size_t i = 0; i < records->count && i < TOP; i++) {
        finding_json_begin(&order[i]->finding, order[i], FINDING_JSON_HOSTS_LIST, out);
        finding_json_known(&order[i]->finding, known_view_list(overview->known), out);
        json_close(out, '}');
    }
    json_close(out, ']');
    return ST_OK;
}

/* The ten biggest, by insertion: no copy and no full sort of some thousand tags. */
static void write_top_tags(const struct fleet_view *view, const struct tagdict *dict,
                           struct strbuf *out)
{
    const struct view_tag *top[TOP];
    size_t count = 0;

    for (size_t i = 0; i < view->tag_count; i++) {
        const struct view_tag *tag = &view->tags[i];
        size_t at = count;
        while (at > 0 && tag->bytes > top[at - 1]->bytes)
            at--;
        if (at == TOP)
            continue;
        count += count < TOP;
        for (size_t j = count - 1; j > at; j--)
            top[j] = top[j - 1];
        top[at] = tag;
    }
    json_key_open(out, "top_tags", '[');
    for (size_t i = 0; i < count; i++) {
        const struct tagdict_entry *entry = tagdict_find(dict, top[i]->tag);
        json_open(out, '{');
        json_tag(out, "tag", top[i]->tag);
        json_text(out, "pool", pool_name(top[i]->pool));
        json_i64(out, "bytes", api_number(top[i]->bytes));
        json_i64(out, "hosts", (int64_t)top[i]->hosts);
        json_text(out, "driver", entry == NULL ? NULL : entry->driver);
        json_text(out, "description", entry == NULL ? NULL : entry->description);
        json_close(out, '}');
    }
    json_close(out, ']');
}

static enum status write_overview(const struct req *rq, const struct fleet_list *list,
                                  const struct fleet_view *view, const struct overview *overview,
                                  int64_t now, struct strbuf *out)
{
    int64_t as_of = TIME_UNKNOWN;
    bool simulated = false;

    for (size_t i = 0; i < list->count; i++) {
        as_of = list->items[i]->taken_at_us > as_of ? list->items[i]->taken_at_us : as_of;
        simulated = simulated || api_host_simulated(list->items[i]);
    }
    json_open(out, '{');
    json_time(out, "as_of", as_of);
    json_time(out, "analyzed_at", atomic_load(&rq->app->analyzed_at_us));
    json_time(out, "analyzed_as_of", atomic_load(&rq->app->analyzed_as_of_us));
    const struct overview_fleet fleet = {list, &overview->told, &overview->awaiting,
                                         &overview->faults, now};
    enum status status = overview_fleet_write(&fleet, overview->summary.hosts, out);
    overview_checked_write(view, list, overview->news.since_us, out);
    overview_news_write(&overview->news, out);
    write_sums(list, overview, out);
    if (status == ST_OK)
        status = write_findings(overview, out);
    write_top_tags(view, rq->app->tagdict, out);
    json_bool(out, "simulated", simulated);
    return status;
}

enum status api_overview_get(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_FLEET_VIEW struct fleet_view *view = NULL;
    AUTO_FLEET_LIST struct fleet_list list = {0};
    static const char *const names[] = {"since"};
    struct overview overview = {0};
    int64_t now = clock_wall_us();
    enum status status = req_query_only(rq, names, 1, err);

    if (status == ST_OK)
        status = req_query_time(rq, "since", now - US_PER_DAY, &overview.since_us, err);

    if (status == ST_OK)
        status = api_view(rq, &view, err);
    if (status == ST_OK && (status = fleet_list(rq->app->fleet, &list)) != ST_OK)
        err_set(err, status, "could not list the hosts: out of memory");
    if (status == ST_OK)
        status = read_database(rq, now, &overview, err);
    if (status == ST_OK)
        status = write_overview(rq, &list, view, &overview, now, &rs->body);
    finding_records_done(&overview.findings);
    known_view_release(overview.known);
    store_fleet_hosts_done(&overview.told);
    store_fleet_news_done(&overview.news);
    store_awaiting_list_done(&overview.awaiting);
    store_faults_done(&overview.faults);
    if (status != ST_OK)
        return status;
    /* The clock ticks, the overview does not: it stands behind what the ETag is made of. */
    status = api_reply_json(rs, err);
    json_time(&rs->body, "changes_since", overview.since_us);
    json_time(&rs->body, "server_time", now);
    json_close(&rs->body, '}');
    return status;
}
