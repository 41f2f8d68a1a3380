/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened to one host, as one list: its boots, changes of drivers, of its agent and of other
 * attributes, events it reported, and findings it was in. The page draws it beside every chart.
 */
#include "server/api/api_hosts.h"
#include "server/api/host_moment.h"
#include "server/api/json_out.h"
#include "server/api/list.h"
#include "server/store/store_host_reads.h"

#include <string.h>

#define CHANGES_MAX 1000
#define EVENTS_MAX  1000

enum kind {
    KIND_BOOT,
    KIND_DRIVER,
    KIND_AGENT,
    KIND_ATTRIBUTE,
    KIND_EVENT,
    KIND_FINDING,
    KIND_COUNT
};
static const char *const kind_names[KIND_COUNT] = {"boot",      "driver", "agent",
                                                   "attribute", "event",  "finding"};

struct history_item {
    int64_t id;
    int64_t at;
    int64_t until; /* of boots and findings: their last sign */
    int kind;
    const char *name;
    const char *from;
    const char *to;
    const char *finding_id;
    int severity;
};
#define COLUMN(field, kind) LIST_COLUMN(struct history_item, field, kind)
static const struct list_column columns[] = {
    COLUMN(at, LIST_TIME),
    COLUMN(until, LIST_TIME),
    LIST_COLUMN_ENUM(struct history_item, kind, kind_names),
    COLUMN(name, LIST_TEXT),
    COLUMN(from, LIST_TEXT),
    COLUMN(to, LIST_TEXT),
    COLUMN(finding_id, LIST_TEXT),
    LIST_COLUMN_ENUM(struct history_item, severity, api_severity_names),
};
static const struct list_spec spec = {
    .columns = columns,
    .column_count = sizeof columns / sizeof *columns,
    .identity = COLUMN(id, LIST_I64),
    .default_sort = "-at",
    .default_limit = LIST_LIMIT_MAX,
    .max_limit = LIST_LIMIT_MAX,
};

struct history {
    struct store_boots boots;
    struct store_changes changes;
    struct store_events events;
    struct finding_records findings;
    struct arena texts;
    struct history_item *items;
    size_t count;
    int64_t from_us;
    int64_t to_us;
    int only; /* a kind, or -1 */
};

static void history_done(struct history *history)
{
    store_boots_done(&history->boots);
    store_changes_done(&history->changes);
    store_events_done(&history->events);
    finding_records_done(&history->findings);
    arena_done(&history->texts);
    free(history->items);
}

static void add(struct history *history, struct history_item item)
{
    int64_t end = item.until == TIME_UNKNOWN ? item.at : item.until;

    if (history->only >= 0 && history->only != item.kind)
        return;
    if (end < history->from_us || item.at > history->to_us)
        return;
    item.id = (int64_t)history->count;
    history->items[history->count++] = item;
}

static enum kind change_kind(const struct store_change *change)
{
    if (change->driver)
        return KIND_DRIVER;
    return strncmp(change->name, "agent.", 6) == 0 ? KIND_AGENT : KIND_ATTRIBUTE;
}

static enum status add_events(struct history *history, struct err *err)
{
    for (size_t i = 0; i < history->events.count; i++) {
        const struct store_event *event = &history->events.items[i];
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)event->id);
        char *text = arena_strdup(&history->texts, number);
        if (text == NULL)
            return err_set(err, ST_NOMEM, "could not list history: out of memory");
        add(history, (struct history_item){.at = event->at_us,
                                           .until = TIME_UNKNOWN,
                                           .kind = KIND_EVENT,
                                           .name = event->provider,
                                           .to = text,
                                           .severity = -1});
    }
    return ST_OK;
}

static enum status add_findings(struct history *history, struct err *err)
{
    for (size_t i = 0; i < history->findings.count; i++) {
        const struct finding_record *record = &history->findings.items[i];
        char tag[TAG_TEXT_MAX];
        tag_format(record->finding.tag, tag);
        char *name = arena_strdup(&history->texts, tag);
        if (name == NULL)
            return err_set(err, ST_NOMEM, "could not list history: out of memory");
        add(history, (struct history_item){.at = record->finding.first_seen_us,
                                           .until = record->finding.last_seen_us,
                                           .kind = KIND_FINDING,
                                           .name = name,
                                           .to = record->finding.summary,
                                           .finding_id = record->finding.id,
                                           .severity = (int)record->finding.severity});
    }
    return ST_OK;
}

static enum status collect(struct history *history, struct err *err)
{
    history->items = calloc(history->boots.count + history->changes.count + history->events.count +
                                history->findings.count + 1,
                            sizeof *history->items);
    if (history->items == NULL)
        return err_set(err, ST_NOMEM, "could not list history: out of memory");
    for (size_t i = 0; i < history->boots.count; i++) {
        const struct store_boot *boot = &history->boots.items[i];
        bool known = boot->boot_at_us != TIME_UNKNOWN;
        add(history, (struct history_item){.at = known ? boot->boot_at_us : boot->first_seen_us,
                                           .until = boot->last_seen_us,
                                           .kind = KIND_BOOT,
                                           .severity = -1});
    }
    for (size_t i = 0; i < history->changes.count; i++) {
        const struct store_change *change = &history->changes.items[i];
        add(history, (struct history_item){.at = change->at_us,
                                           .until = TIME_UNKNOWN,
                                           .kind = (int)change_kind(change),
                                           .name = change->name,
                                           .from = change->from,
                                           .to = change->to,
                                           .severity = -1});
    }
    enum status status = add_events(history, err);
    return status == ST_OK ? add_findings(history, err) : status;
}

static enum status read_all(struct db *db, const struct host_state *host, struct history *history,
                            struct err *err)
{
    struct finding_filter filter = {.host_id = host->id};
    enum status status = host_boots(db, host, &history->boots, err);

    if (status == ST_OK)
        status = store_host_changes(db, host->key, CHANGES_MAX, &history->changes, err);
    if (status == ST_OK)
        status = store_host_events(db, host->key, history->from_us, history->to_us, EVENTS_MAX,
                                   &history->events, err);
    return status == ST_OK ? store_findings_list(db, &filter, &history->findings, err) : status;
}

static enum status read_params(const struct req *rq, const struct host_state *host,
                               struct history *history, struct err *err)
{
    static const char *const names[] = {LIST_PARAMETERS, "from", "to", "kind"};
    const char *kind = req_query(rq, "kind");
    enum status status = req_query_only(rq, names, sizeof names / sizeof *names, err);

    history->only = -1;
    for (int i = 0; kind != NULL && i < KIND_COUNT; i++)
        if (strcmp(kind, kind_names[i]) == 0)
            history->only = i;
    if (status == ST_OK && kind != NULL && history->only < 0)
        return err_field(err, ST_INVALID, "kind",
                         "kind must be boot, driver, agent, attribute, event or finding");
    if (status == ST_OK)
        status = req_query_time(rq, "from", 0, &history->from_us, err);
    if (status == ST_OK)
        status = req_query_time(rq, "to", host->taken_at_us, &history->to_us, err);
    if (status == ST_OK && history->from_us > history->to_us)
        return err_field(err, ST_INVALID, "from", "from must not be after to");
    return status;
}

enum status api_hosts_history(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_HOST_STATE const struct host_state *host = NULL;
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_LIST_QUERY struct list_query query = {0};
    CLEANUP(history_done) struct history history = {0};
    enum status status = api_host_arg(rq, &host, err);

    if (status == ST_OK)
        status = read_params(rq, host, &history, err);
    if (status == ST_OK)
        status = list_query_read(rq, &spec, &query, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = read_all(db, host, &history, err);
    if (status == ST_OK)
        status = collect(&history, err);
    if (status != ST_OK)
        return status;
    return list_reply(rq, rs, &spec, &query, NULL, history.items, sizeof *history.items,
                      history.count, err);
}
