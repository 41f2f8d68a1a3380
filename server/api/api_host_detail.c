/* SPDX-License-Identifier: Apache-2.0 */
/* One host: what it is, what it carries, and how that changed. */
#include "server/api/api_common.h"
#include "server/api/api_hosts.h"
#include "server/api/host_moment.h"
#include "server/api/json_out.h"
#include "server/store/store_hosts.h"
#include "server/store/store_snapshots.h"

#define CHANGES_MAX    200
#define SERIES_SPAN_US (7 * US_PER_DAY)
#define SERIES_POINTS  500
#define BLOCKS_SPAN_US (2 * US_PER_DAY) /* they are asked for once a day */

static void write_attributes(const struct host_state *host, struct strbuf *out)
{
    json_key_open(out, "attributes", '{');
    for (size_t i = 0; i < host->attribute_count; i++)
        json_text(out, host->attributes[i].name, host->attributes[i].value);
    json_close(out, '}');
}

static void write_totals(const struct host_state *host, struct strbuf *out)
{
    json_key_open(out, "totals", '{');
    for (unsigned i = 0; i < TOTAL_COUNT; i++)
        json_i64(out, total_name((enum total)i), api_host_total(host, (enum total)i));
    json_close(out, '}');
}

enum status api_host_write_drivers(struct db *db, int64_t key, int64_t at_us, struct strbuf *out,
                                   struct err *err)
{
    AUTO_STORE_DRIVERS struct store_drivers drivers = {0};
    enum status status = store_host_drivers(db, key, at_us, &drivers, err);

    json_key_open(out, "drivers", '[');
    for (size_t i = 0; status == ST_OK && i < drivers.count; i++) {
        const struct store_driver *driver = &drivers.items[i];
        json_open(out, '{');
        json_text(out, "name", driver->name);
        json_text(out, "version", driver->version);
        json_text(out, "company", driver->company);
        json_text(out, "product", driver->product);
        json_text(out, "sha256", driver->sha256);
        json_text(out, "symbols", driver->symbols);
        json_bool(out, "scanned", driver->scanned);
        json_key_open(out, "tags", '[');
        for (size_t j = 0; j < driver->tag_count; j++) {
            json_comma(out);
            json_value_tag(out, driver->tags[j]);
        }
        json_close(out, ']');
        json_time(out, "since", driver->since_us);
        json_close(out, '}');
    }
    json_close(out, ']');
    return status;
}

static enum status write_changes(struct db *db, int64_t key, struct strbuf *out, struct err *err)
{
    AUTO_STORE_CHANGES struct store_changes changes = {0};
    enum status status = store_host_changes(db, key, CHANGES_MAX, &changes, err);

    json_key_open(out, "changes", '[');
    for (size_t i = 0; status == ST_OK && i < changes.count; i++) {
        json_open(out, '{');
        json_time(out, "at", changes.items[i].at_us);
        json_text(out, "kind", changes.items[i].driver ? "driver" : "attribute");
        json_text(out, "name", changes.items[i].name);
        json_text(out, "from", changes.items[i].from);
        json_text(out, "to", changes.items[i].to);
        json_close(out, '}');
    }
    json_close(out, ']');
    return status;
}

static enum status write_boots(struct db *db, const struct host_state *host, struct strbuf *out,
                               struct err *err)
{
    AUTO_STORE_BOOTS struct store_boots boots = {0};
    enum status status = host_boots(db, host, &boots, err);
    int64_t first = TIME_UNKNOWN, last = TIME_UNKNOWN;

    json_key_open(out, "boots", '[');
    for (size_t i = 0; status == ST_OK && i < boots.count; i++) {
        const struct store_boot *boot = &boots.items[i];
        json_open(out, '{');
        json_time(out, "boot_at", boot->boot_at_us);
        json_time(out, "first_seen", boot->first_seen_us);
        json_time(out, "last_seen", boot->last_seen_us);
        json_i64(out, "snapshots", boot->snapshots);
        json_close(out, '}');
        if (first == TIME_UNKNOWN || boot->first_seen_us < first)
            first = boot->first_seen_us;
        if (boot->last_seen_us > last)
            last = boot->last_seen_us;
    }
    json_close(out, ']');
    json_time(out, "first_snapshot_at", first);
    json_time(out, "last_snapshot_at", last);
    return status;
}

static void write_total_column(const struct totals_series *series, enum total total,
                               struct strbuf *out)
{
    json_key_open(out, total_name(total), '[');
    for (size_t i = 0; i < series->count; i++) {
        json_comma(out);
        json_value_i64(out, totals_has(&series->totals[i], total)
                                ? api_number(series->totals[i].value[total])
                                : NUMBER_ABSENT);
    }
    json_close(out, ']');
}

static enum status write_totals_series(struct db *db, const struct host_state *host,
                                       struct strbuf *out, struct err *err)
{
    AUTO_TOTALS_SERIES struct totals_series series = {0};
    enum status status = store_totals_series(db, host->key, host->taken_at_us - SERIES_SPAN_US,
                                             host->taken_at_us, SERIES_POINTS, &series, err);

    json_key_open(out, "totals_series", '{');
    json_key_open(out, "t", '[');
    for (size_t i = 0; i < series.count; i++) {
        json_comma(out);
        json_value_seconds(out, series.t_us[i]);
    }
    json_close(out, ']');
    write_total_column(&series, TOTAL_NONPAGED_BYTES, out);
    write_total_column(&series, TOTAL_PAGED_BYTES, out);
    json_close(out, '}');
    return status;
}

static int64_t unless_negative(int64_t value)
{
    return value < 0 ? NUMBER_ABSENT : value;
}

void api_host_write_lists(const struct snapshot *snapshot, struct strbuf *out)
{
    json_key_open(out, "objects", '[');
    for (size_t i = 0; i < snapshot->object_count; i++) {
        json_open(out, '{');
        json_text(out, "type", snapshot->objects[i].type);
        json_i64(out, "objects", unless_negative(snapshot->objects[i].objects));
        json_i64(out, "handles", unless_negative(snapshot->objects[i].handles));
        json_close(out, '}');
    }
    json_close(out, ']');
    json_key_open(out, "processes", '[');
    for (size_t i = 0; i < snapshot->process_count; i++) {
        json_open(out, '{');
        json_i64(out, "pid", snapshot->processes[i].pid);
        json_text(out, "image", snapshot->processes[i].image);
        json_i64(out, "handles", unless_negative(snapshot->processes[i].handles));
        json_close(out, '}');
    }
    json_close(out, ']');
    json_key_open(out, "sessions", '[');
    for (size_t i = 0; i < snapshot->session_count; i++) {
        json_open(out, '{');
        json_i64(out, "id", snapshot->sessions[i].id);
        json_i64(out, "paged_bytes", unless_negative(snapshot->sessions[i].paged_bytes));
        json_i64(out, "failures", unless_negative(snapshot->sessions[i].failures));
        json_close(out, '}');
    }
    json_close(out, ']');
    json_key_open(out, "events", '[');
    for (size_t i = 0; i < snapshot->event_count; i++) {
        json_open(out, '{');
        json_time(out, "at", snapshot->events[i].at_us);
        json_text(out, "provider", snapshot->events[i].provider);
        json_i64(out, "id", snapshot->events[i].id);
        json_close(out, '}');
    }
    json_close(out, ']');
}

/* Measured only now and then, when a finding asks for it: of the newest document that has them. */
static void write_big_blocks(const struct snapshot *snapshot, struct strbuf *out)
{
    json_key(out, "big_blocks");
    if (snapshot->block_count == 0) {
        json_value_text(out, NULL);
        return;
    }
    json_open(out, '{');
    json_time(out, "at", snapshot->taken_at_us);
    json_key_open(out, "tags", '[');
    for (size_t i = 0; i < snapshot->block_count; i++) {
        const struct snapshot_blocks *blocks = &snapshot->blocks[i];
        json_open(out, '{');
        json_tag(out, "tag", blocks->tag);
        json_key_open(out, "sizes", '[');
        for (size_t s = 0; s < blocks->count; s++) {
            json_open(out, '{');
            json_i64(out, "bytes", api_number(blocks->bytes[s]));
            json_i64(out, "blocks", api_number(blocks->blocks[s]));
            json_close(out, '}');
        }
        json_close(out, ']');
        json_close(out, '}');
    }
    json_close(out, ']');
    json_close(out, '}');
}

/* What the newest document said beside the tables. Its chain may have fallen to retention: then
 * nothing is known of it, and the rest of the host still is; the same when it is damaged. */
static enum status write_newest(struct db *db, const struct host_state *host, struct strbuf *out,
                                struct err *err)
{
    struct snapshot snapshot;
    enum status status = store_snapshot_at(db, host->key, host->taken_at_us, &snapshot, err);

    if (status == ST_NOT_FOUND || status == ST_MALFORMED) {
        snapshot_init(&snapshot);
        status = ST_OK;
    }
    if (status != ST_OK)
        return status;
    api_host_write_lists(&snapshot, out);
    snapshot_done(&snapshot);
    return ST_OK;
}

static enum status write_blocks(struct db *db, const struct host_state *host, struct strbuf *out,
                                struct err *err)
{
    AUTO_SNAPSHOT struct snapshot snapshot;
    snapshot_init(&snapshot);
    enum status status =
        store_big_blocks(db, host->key, host->taken_at_us - BLOCKS_SPAN_US, &snapshot, err);
    if (status == ST_OK)
        write_big_blocks(&snapshot, out);
    return status;
}

static enum status write_finding_ids(struct db *db, const struct host_state *host,
                                     struct strbuf *out, struct err *err)
{
    AUTO_FINDING_RECORDS struct finding_records records = {0};
    struct finding_filter filter = {.statuses = 1u << FINDING_OPEN | 1u << FINDING_ACKNOWLEDGED,
                                    .host_id = host->id};
    enum status status = store_findings_list(db, &filter, &records, err);

    json_key_open(out, "finding_ids", '[');
    for (size_t i = 0; i < records.count; i++) {
        json_comma(out);
        json_value_text(out, records.items[i].finding.id);
    }
    json_close(out, ']');
    return status;
}

static enum status write_stored(struct db *db, const struct host_state *host, struct strbuf *out,
                                struct err *err)
{
    enum status status = api_host_write_drivers(db, host->key, TIME_UNKNOWN, out, err);

    if (status == ST_OK)
        status = write_changes(db, host->key, out, err);
    if (status == ST_OK)
        status = write_boots(db, host, out, err);
    if (status == ST_OK)
        status = write_totals_series(db, host, out, err);
    if (status == ST_OK)
        status = write_newest(db, host, out, err);
    if (status == ST_OK)
        status = write_blocks(db, host, out, err);
    return status == ST_OK ? write_finding_ids(db, host, out, err) : status;
}

/* One that has enrolled and sent nothing: the same members, with nothing in them yet. */
static enum status reply_awaiting(struct db *db, const char *id, struct resp *rs, struct err *err)
{
    static const char *const lists[] = {"drivers",   "changes",  "boots",  "objects",
                                        "processes", "sessions", "events", "finding_ids"};
    AUTO_AWAITING_LIST struct store_awaiting_list list = {0};
    struct strbuf *out = &rs->body;
    enum status status = store_hosts_awaiting(db, id, &list, err);

    if (status == ST_OK && list.count == 0)
        status = err_set(err, ST_NOT_FOUND, "host \"%s\" is not known", id);
    if (status != ST_OK)
        return status;
    json_open(out, '{');
    api_host_write_awaiting(&list.items[0], out);
    json_raw(out, "attributes", list.items[0].attributes == NULL ? "{}" : list.items[0].attributes);
    json_key_open(out, "totals", '{');
    for (unsigned i = 0; i < TOTAL_COUNT; i++)
        json_i64(out, total_name((enum total)i), NUMBER_ABSENT);
    json_close(out, '}');
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        json_raw(out, lists[i], "[]");
    json_raw(out, "totals_series", "{\"t\":[],\"nonpaged_bytes\":[],\"paged_bytes\":[]}");
    json_raw(out, "big_blocks", NULL);
    json_raw(out, "first_snapshot_at", NULL);
    json_raw(out, "last_snapshot_at", NULL);
    json_close(out, '}');
    return api_reply_json(rs, err);
}

enum status api_hosts_get(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_HOST_STATE const struct host_state *host = NULL;
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_FINDING_HOST_COUNTS struct finding_host_counts counts = {0};
    AUTO_STORE_FAULTS struct store_faults faults = {0};
    enum status status = req_query_only(rq, NULL, 0, err);

    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status != ST_OK)
        return status;
    host = fleet_get(rq->app->fleet, rq->args[0]);
    if (host == NULL)
        return reply_awaiting(db, rq->args[0], rs, err);
    status = store_findings_hosts(db, &counts, err);
    if (status == ST_OK)
        status = store_faults_list(db, &faults, err);
    if (status != ST_OK)
        return status;
    json_open(&rs->body, '{');
    api_host_write(host, &counts, &faults, &rs->body);
    write_attributes(host, &rs->body);
    write_totals(host, &rs->body);
    status = write_stored(db, host, &rs->body, err);
    json_close(&rs->body, '}');
    return status == ST_OK ? api_reply_json(rs, err) : status;
}
