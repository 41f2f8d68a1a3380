/* SPDX-License-Identifier: Apache-2.0 */
/* The list of tags, one tag, and its hourly figures. The spread over hosts is api_tag_hosts.c. */
#include "server/api/api_tags.h"

#include "server/api/api_common.h"
#include "server/api/finding_json.h"
#include "server/api/json_out.h"
#include "server/api/list.h"
#include "server/store/store_drivers.h"
#include "server/store/store_findings.h"
#include "server/store/store_rollups.h"

#include <string.h>

#define SERIES_SPAN_US (7 * US_PER_DAY)

struct tag_item {
    int64_t id;
    uint32_t tag;
    int pool;
    int64_t hosts;
    int64_t bytes;
    int64_t median_bytes;
    int64_t p99_bytes;
    int64_t max_bytes;
    const char *max_host_id;
    const char *max_host_name;
    int64_t outstanding;
    const char *driver;
    const char *description;
    const char *source;
    int64_t findings;
    const char *worst_severity; /* of these findings; NULL: none */
    double max_score;           /* of the biggest host against its cohort */
    int64_t day_bytes;          /* change of the fleet's sum over the last day */
};

#define COLUMN(field, kind) LIST_COLUMN(struct tag_item, field, kind)
static const struct list_column columns[] = {
    COLUMN(tag, LIST_TAG),
    LIST_COLUMN_ENUM(struct tag_item, pool, api_pool_names),
    COLUMN(hosts, LIST_I64),
    COLUMN(bytes, LIST_I64),
    COLUMN(median_bytes, LIST_I64),
    COLUMN(p99_bytes, LIST_I64),
    COLUMN(max_bytes, LIST_I64),
    COLUMN(max_host_id, LIST_TEXT),
    COLUMN(max_host_name, LIST_TEXT),
    COLUMN(outstanding, LIST_I64),
    COLUMN(driver, LIST_TEXT),
    COLUMN(description, LIST_TEXT),
    COLUMN(source, LIST_TEXT),
    COLUMN(findings, LIST_I64),
    COLUMN(worst_severity, LIST_TEXT),
    COLUMN(max_score, LIST_REAL),
    COLUMN(day_bytes, LIST_I64),
};

static const struct list_spec spec = {
    .columns = columns,
    .column_count = sizeof columns / sizeof columns[0],
    .identity = COLUMN(id, LIST_I64),
    .default_sort = "-bytes",
    .default_limit = LIST_LIMIT_DEFAULT,
    .max_limit = LIST_LIMIT_MAX,
};

/* How many, and the worst of them. */
static size_t findings_of(const struct finding_records *records, enum pool pool, uint32_t tag,
                          enum finding_severity *ret_worst)
{
    size_t count = 0;

    *ret_worst = SEVERITY_INFO;

    for (size_t i = 0; i < records->count; i++) {
        const struct finding *finding = &records->items[i].finding;
        if (finding->pool != pool)
            continue;
        for (size_t j = 0; j < finding->tag_count; j++) {
            if (finding->tags[j] == tag) {
                count++;
                if (finding->severity > *ret_worst)
                    *ret_worst = finding->severity;
                break;
            }
        }
    }
    return count;
}

static void item_fill(const struct fleet_view *view, const struct view_tag *tag,
                      const struct tagdict *dict, const struct finding_records *records,
                      const struct trends *trends, struct tag_item *item)
{
    enum finding_severity worst;
    int64_t findings = (int64_t)findings_of(records, tag->pool, tag->tag, &worst);
    const struct view_peer *peer = tag->max_host == VIEW_NONE
                                       ? NULL
                                       : fleet_view_peer(view, tag->max_host, tag->pool, tag->tag);
    const struct tagdict_entry *entry = tagdict_find(dict, tag->tag);
    const struct host_state *max =
        tag->max_host == VIEW_NONE ? NULL : view->list.items[tag->max_host];

    *item = (struct tag_item){
        .id = (int64_t)((uint64_t)tag->tag << 1 | tag->pool),
        .tag = tag->tag,
        .pool = (int)tag->pool,
        .hosts = (int64_t)tag->hosts,
        .bytes = api_number(tag->bytes),
        .median_bytes = api_number(tag->median_bytes),
        .p99_bytes = api_number(tag->p99_bytes),
        .max_bytes = api_number(tag->max_bytes),
        .max_host_id = max == NULL ? NULL : max->id,
        .max_host_name = max == NULL ? NULL : max->name,
        .outstanding = tag->has_outstanding ? api_number(tag->outstanding) : NUMBER_ABSENT,
        .driver = entry == NULL ? NULL : entry->driver,
        .description = entry == NULL ? NULL : entry->description,
        .source = entry == NULL ? NULL : entry->source,
        .findings = findings,
        .worst_severity = findings == 0 ? NULL : api_severity_names[worst],
        .max_score = view_peer_score(peer, tag->max_bytes),
        .day_bytes = trend_day(trends_find(trends, tag->pool, tag->tag)),
    };
}

static bool item_matches(const struct tag_item *item, enum pool pool, const char *q)
{
    char text[TAG_TEXT_MAX];

    if (pool != POOL_UNKNOWN && item->pool != (int)pool)
        return false;
    tag_format(item->tag, text);
    return q == NULL || api_text_has(text, q) || api_text_has(item->driver, q) ||
           api_text_has(item->description, q);
}

static enum status read_trends(const struct req *rq, struct trends **ret_trends, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    enum status status = api_lease(rq, &db, err);
    return status == ST_OK ? trends_get(rq->app->trends, db, ret_trends, err) : status;
}

static enum status open_findings(const struct req *rq, const char *tag,
                                 struct finding_records *ret_records, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    struct finding_filter filter = {.statuses = 1u << FINDING_OPEN | 1u << FINDING_ACKNOWLEDGED,
                                    .tag = tag};
    enum status status = api_lease(rq, &db, err);
    return status == ST_OK ? store_findings_list(db, &filter, ret_records, err) : status;
}

enum status api_tags_list(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {LIST_PARAMETERS, "q", "pool"};
    AUTO_LIST_QUERY struct list_query query = {0};
    AUTO_FLEET_VIEW struct fleet_view *view = NULL;
    AUTO_FINDING_RECORDS struct finding_records records = {0};
    AUTO_TRENDS struct trends *trends = NULL;
    enum pool pool = POOL_UNKNOWN;
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK)
        status = list_query_read(rq, &spec, &query, err);
    if (status == ST_OK)
        status = api_query_pool(rq, &pool, err);
    if (status == ST_OK)
        status = open_findings(rq, NULL, &records, err);
    if (status == ST_OK)
        status = read_trends(rq, &trends, err);
    if (status == ST_OK)
        status = api_view(rq, &view, err);
    if (status != ST_OK)
        return status;

    AUTO_FREE struct tag_item *items = calloc(view->tag_count + 1, sizeof *items);
    size_t count = 0;
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not list tags: out of memory");
    for (size_t i = 0; i < view->tag_count; i++) {
        item_fill(view, &view->tags[i], rq->app->tagdict, &records, trends, &items[count]);
        count += item_matches(&items[count], pool, req_query(rq, "q"));
    }
    return list_reply(rq, rs, &spec, &query, NULL, items, sizeof *items, count, err);
}

/* ---- all of them, as columns ------------------------------------------------ */

/* A week as one character a point: 0..z of the tag's own highest, - where nothing is known. */
static void write_spark(const struct trend *trend, struct strbuf *out)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    char text[TREND_POINTS + 1];
    int64_t most = 1;

    for (size_t i = 0; trend != NULL && i < TREND_POINTS; i++)
        most = trend->sum[i] > most ? trend->sum[i] : most;
    for (size_t i = 0; i < TREND_POINTS; i++) {
        bool known = trend != NULL && trend->sum[i] != INT64_MIN;
        text[i] = known ? digits[(int)((double)trend->sum[i] / (double)most * 35 + 0.5)] : '-';
    }
    text[TREND_POINTS] = '\0';
    json_value_text(out, text);
}

/* One column of the list's own cells. */
static void write_cells(const struct tag_item *items, size_t count,
                        const struct list_column *column, struct strbuf *out)
{
    json_key_open(out, column->name, '[');
    for (size_t i = 0; i < count; i++) {
        const char *cell = (const char *)&items[i] + column->offset;
        json_comma(out);
        if (column->kind == LIST_I64)
            json_value_i64(out, *(const int64_t *)(const void *)cell);
        else if (column->kind == LIST_REAL)
            json_value_real(out, *(const double *)(const void *)cell);
        else if (column->kind == LIST_TAG)
            json_value_tag(out, *(const uint32_t *)(const void *)cell);
        else if (column->kind == LIST_ENUM)
            json_value_text(out, column->names[*(const int *)(const void *)cell]);
        else
            json_value_text(out, *(const char *const *)(const void *)cell);
    }
    json_close(out, ']');
}

enum status api_tags_table(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_FLEET_VIEW struct fleet_view *view = NULL;
    AUTO_FINDING_RECORDS struct finding_records records = {0};
    AUTO_TRENDS struct trends *trends = NULL;
    struct strbuf *out = &rs->body;
    enum status status = req_query_only(rq, NULL, 0, err);

    if (status == ST_OK)
        status = open_findings(rq, NULL, &records, err);
    if (status == ST_OK)
        status = read_trends(rq, &trends, err);
    if (status == ST_OK)
        status = api_view(rq, &view, err);
    if (status != ST_OK)
        return status;
    AUTO_FREE struct tag_item *items = calloc(view->tag_count + 1, sizeof *items);
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not list tags: out of memory");
    for (size_t i = 0; i < view->tag_count; i++)
        item_fill(view, &view->tags[i], rq->app->tagdict, &records, trends, &items[i]);
    json_open(out, '{');
    json_time(out, "as_of", view->as_of_us);
    json_i64(out, "hosts_total", (int64_t)view->list.count);
    json_time(out, "trend_newest", trends->newest_us);
    json_i64(out, "trend_step_seconds", TREND_STEP_US / US_PER_SECOND);
    json_key_open(out, "columns", '{');
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        write_cells(items, view->tag_count, &columns[i], out);
    json_key_open(out, "trend", '[');
    for (size_t i = 0; i < view->tag_count; i++) {
        json_comma(out);
        write_spark(trends_find(trends, view->tags[i].pool, view->tags[i].tag), out);
    }
    json_close(out, ']');
    json_close(out, '}');
    json_close(out, '}');
    return api_reply_json(rs, err);
}

/* ---- one tag ---------------------------------------------------------------- */

static bool entry_matches(const struct tagdict_entry *entry, uint32_t tag)
{
    unsigned char want[4], have[4];

    if ((entry->any & 0xf) == 0xf)
        return false; /* says nothing about this tag */
    tag_to_bytes(entry->tag, have);
    tag_to_bytes(tag, want);
    for (unsigned i = 0; i < 4; i++)
        if ((entry->any >> i & 1) == 0 && have[i] != want[i])
            return false;
    return true;
}

static bool dict_names(const struct tagdict *dict, uint32_t tag)
{
    const struct tagdict_entry *entry = tagdict_find(dict, tag);
    return entry != NULL && entry->any == 0;
}

static void write_owner(const char *driver, const char *description, const char *source,
                        struct strbuf *out)
{
    json_open(out, '{');
    json_text(out, "driver", driver);
    json_text(out, "description", description);
    json_text(out, "source", source);
    json_close(out, '}');
}

/* Every list that names the tag, best first, then the drivers whose file holds it. */
static void write_owners(const struct tagdict *dict, uint32_t tag,
                         const struct driver_items *drivers, struct strbuf *out)
{
    const struct tagdict_entry *best = tagdict_find(dict, tag);

    json_text(out, "driver", best == NULL ? NULL : best->driver);
    json_text(out, "description", best == NULL ? NULL : best->description);
    json_text(out, "look_at", best == NULL ? NULL : best->look_at);
    json_text(out, "source", best == NULL ? NULL : best->source);
    json_key_open(out, "owners", '[');
    if (best != NULL)
        write_owner(best->driver, best->description, best->source, out);
    for (size_t i = 0; i < tagdict_count(dict); i++) {
        const struct tagdict_entry *entry = tagdict_at(dict, i);
        if (entry != best && entry_matches(entry, tag))
            write_owner(entry->driver, entry->description, entry->source, out);
    }
    for (size_t i = 0; i < drivers->count; i++)
        write_owner(drivers->items[i].name, drivers->items[i].company, "driver_scan", out);
    json_close(out, ']');
}

static void write_pools(const struct fleet_view *view, const struct tagdict *dict, uint32_t tag,
                        const struct finding_records *records, const struct trends *trends,
                        struct strbuf *out)
{
    json_key_open(out, "pools", '[');
    for (unsigned p = 0; p < POOL_COUNT; p++) {
        size_t place = fleet_view_tag(view, (enum pool)p, tag);
        struct tag_item item;
        if (place == VIEW_NONE)
            continue;
        item_fill(view, &view->tags[place], dict, records, trends, &item);
        list_write_json(&spec, &item, out);
    }
    json_close(out, ']');
}

#define KNOWN_SHOWN 10 /* chosen: NtFC, the tag most often named, has six */

static void write_known(const struct known_list *known, uint32_t tag, struct strbuf *out)
{
    struct known_match matches[KNOWN_SHOWN];

    finding_json_matches(matches, known_of_tag(known, tag, KNOWN_SHOWN, matches), out);
}

static void write_tag(const struct req *rq, const struct fleet_view *view, uint32_t tag,
                      const struct finding_records *records, const struct driver_items *drivers,
                      const struct known_list *known, const struct trends *trends,
                      struct strbuf *out)
{
    unsigned char bytes[4];

    tag_to_bytes(tag, bytes);
    json_open(out, '{');
    json_tag(out, "tag", tag);
    json_key(out, "hex");
    strbuf_printf(out, "\"%02x %02x %02x %02x\"", bytes[0], bytes[1], bytes[2], bytes[3]);
    write_owners(rq->app->tagdict, tag, drivers, out);
    write_pools(view, rq->app->tagdict, tag, records, trends, out);
    json_key_open(out, "findings", '[');
    for (size_t i = 0; i < records->count; i++) {
        json_comma(out);
        json_value_text(out, records->items[i].finding.id);
    }
    json_close(out, ']');
    json_key_open(out, "drivers", '[');
    for (size_t i = 0; i < drivers->count; i++) {
        json_open(out, '{');
        json_text(out, "name", drivers->items[i].name);
        json_i64(out, "versions", drivers->items[i].versions);
        json_i64(out, "hosts", drivers->items[i].hosts);
        json_close(out, '}');
    }
    json_close(out, ']');
    write_known(known, tag, out);
    json_close(out, '}');
}

static enum status drivers_of(const struct req *rq, const char *tag,
                              struct driver_items *ret_drivers, struct known_view **ret_known,
                              struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    enum status status = api_lease(rq, &db, err);

    if (status == ST_OK)
        status = known_view_get(rq->app->known, db, ret_known, err);
    return status == ST_OK ? store_drivers_list(db, NULL, tag, ret_drivers, err) : status;
}

enum status api_tags_get(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_FLEET_VIEW struct fleet_view *view = NULL;
    AUTO_FINDING_RECORDS struct finding_records records = {0};
    AUTO_DRIVER_ITEMS struct driver_items drivers = {0};
    AUTO_KNOWN_VIEW struct known_view *leaks = NULL;
    AUTO_TRENDS struct trends *trends = NULL;
    char text[TAG_TEXT_MAX];
    uint32_t tag = 0;
    enum status status = req_query_only(rq, NULL, 0, err);

    if (status == ST_OK)
        status = api_tag_parse(rq->args[0], &tag, err);
    if (status != ST_OK)
        return status;
    tag_format(tag, text);
    status = open_findings(rq, text, &records, err);
    if (status == ST_OK)
        status = drivers_of(rq, text, &drivers, &leaks, err);
    if (status == ST_OK)
        status = read_trends(rq, &trends, err);
    if (status == ST_OK)
        status = api_view(rq, &view, err);
    if (status != ST_OK)
        return status;
    bool known = fleet_view_tag(view, POOL_NONPAGED, tag) != VIEW_NONE ||
                 fleet_view_tag(view, POOL_PAGED, tag) != VIEW_NONE || records.count > 0 ||
                 drivers.count > 0 || dict_names(rq->app->tagdict, tag);
    if (!known)
        return err_set(err, ST_NOT_FOUND, "tag \"%s\" is not known", text);
    write_tag(rq, view, tag, &records, &drivers, known_view_list(leaks), trends, &rs->body);
    return api_reply_json(rs, err);
}

/* ---- hourly figures --------------------------------------------------------- */

static void write_column(struct strbuf *out, const char *name, const int64_t *values, size_t count)
{
    json_key_open(out, name, '[');
    for (size_t i = 0; i < count; i++) {
        json_comma(out);
        json_value_i64(out, values[i]);
    }
    json_close(out, ']');
}

static void write_series(const struct rollup_series *series, uint32_t tag, enum pool pool,
                         struct strbuf *out)
{
    json_open(out, '{');
    json_tag(out, "tag", tag);
    json_text(out, "pool", pool_name(pool));
    json_key_open(out, "t", '[');
    for (size_t i = 0; i < series->count; i++) {
        json_comma(out);
        json_value_seconds(out, series->hour_us[i]);
    }
    json_close(out, ']');
    write_column(out, "hosts", series->hosts, series->count);
    write_column(out, "sum", series->sum, series->count);
    write_column(out, "p50", series->p50, series->count);
    write_column(out, "p90", series->p90, series->count);
    write_column(out, "p99", series->p99, series->count);
    write_column(out, "max", series->max, series->count);
    json_close(out, '}');
}

/* Without a parameter, the pool where the fleet holds most of the tag. */
static enum status series_pool(const struct req *rq, const struct fleet_view *view, uint32_t tag,
                               enum pool *ret_pool, struct err *err)
{
    size_t place[POOL_COUNT];
    enum status status = api_query_pool(rq, ret_pool, err);

    if (status != ST_OK || *ret_pool != POOL_UNKNOWN)
        return status;
    for (unsigned p = 0; p < POOL_COUNT; p++)
        place[p] = fleet_view_tag(view, (enum pool)p, tag);
    bool paged = place[POOL_PAGED] != VIEW_NONE &&
                 (place[POOL_NONPAGED] == VIEW_NONE ||
                  view->tags[place[POOL_PAGED]].bytes > view->tags[place[POOL_NONPAGED]].bytes);
    *ret_pool = paged ? POOL_PAGED : POOL_NONPAGED;
    return ST_OK;
}

static enum status read_series(const struct req *rq, const struct fleet_view *view, uint32_t tag,
                               enum pool pool, struct rollup_series *ret_series, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    int64_t newest = view->as_of_us == TIME_UNKNOWN ? clock_wall_us() : view->as_of_us;
    int64_t from = 0, to = 0;
    enum status status = req_query_time(rq, "to", newest, &to, err);

    if (status == ST_OK)
        status = req_query_time(rq, "from", to - SERIES_SPAN_US, &from, err);
    if (status == ST_OK && from > to)
        status = err_field(err, ST_INVALID, "from", "from must not be after to");
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    return status == ST_OK ? store_rollup_series(db, pool, tag, from, to, ret_series, err) : status;
}

enum status api_tags_series(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {"pool", "from", "to"};
    AUTO_FLEET_VIEW struct fleet_view *view = NULL;
    AUTO_ROLLUP_SERIES struct rollup_series series = {0};
    enum pool pool = POOL_UNKNOWN;
    uint32_t tag = 0;
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK)
        status = api_tag_parse(rq->args[0], &tag, err);
    if (status == ST_OK)
        status = api_view(rq, &view, err);
    if (status == ST_OK)
        status = series_pool(rq, view, tag, &pool, err);
    if (status == ST_OK)
        status = read_series(rq, view, tag, pool, &series, err);
    if (status != ST_OK)
        return status;
    if (series.count == 0 && fleet_view_tag(view, POOL_NONPAGED, tag) == VIEW_NONE &&
        fleet_view_tag(view, POOL_PAGED, tag) == VIEW_NONE)
        return err_set(err, ST_NOT_FOUND, "no host has this tag");
    write_series(&series, tag, pool, &rs->body);
    return api_reply_json(rs, err);
}
