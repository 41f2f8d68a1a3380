/* SPDX-License-Identifier: Apache-2.0 */
/* One driver, and its hosts. The list of drivers is api_driver_list.c. */
#include "server/api/api_drivers.h"

#include "server/api/api_common.h"
#include "server/api/driver_picture.h"
#include "server/api/finding_json.h"
#include "server/api/json_out.h"
#include "server/api/list.h"

#include <string.h>
#include <strings.h>

static void write_tags(const char *const *tags, size_t count, struct strbuf *out)
{
    json_open(out, '[');
    for (size_t i = 0; i < count; i++) {
        json_comma(out);
        json_value_text(out, tags[i]);
    }
    json_close(out, ']');
}

/* ---- one driver ------------------------------------------------------------- */

static bool same_version(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Usually one file; several under one name and version are different builds. */
static void write_files(const struct driver_file_items *files, const char *version,
                        struct strbuf *out)
{
    json_key_open(out, "files", '[');
    for (size_t i = 0; i < files->count; i++) {
        const struct driver_file_item *file = &files->items[i];
        char hash[2 * DRIVER_FILE_HASH_BYTES + 1];
        if (!same_version(file->version, version))
            continue;
        driver_file_hash_format(file->hash, hash);
        json_open(out, '{');
        json_text(out, "sha256", hash);
        json_text(out, "symbols", file->symbols);
        json_bool(out, "scanned", file->scanned);
        json_key(out, "tags");
        write_tags(file->tags, file->tag_count, out);
        json_i64(out, "hosts", file->hosts);
        json_time(out, "first_seen", file->first_seen_us);
        json_time(out, "scanned_at", file->scanned_at_us);
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void write_growth(const struct driver_version_values *values, struct strbuf *out)
{
    struct spread spread;

    spread_of(values == NULL ? NULL : values->values, values == NULL ? 0 : values->count, &spread);
    json_key_open(out, "growth", '{');
    spread_write(&spread, out);
    json_close(out, '}');
}

static void write_versions(const struct driver_picture *picture, struct strbuf *out)
{
    json_key_open(out, "versions", '[');
    for (size_t i = 0; i < picture->history.version_count; i++) {
        const struct driver_version *version = &picture->history.versions[i];
        const struct driver_judged *judged = &picture->judged[i];
        json_open(out, '{');
        json_text(out, "version", version->version);
        json_i64(out, "hosts", version->hosts);
        json_time(out, "first_seen", version->first_seen_us);
        json_time(out, "last_seen", version->last_seen_us);
        json_i64(out, "hosts_in_findings", version->hosts_in_findings);
        json_number(out, "leak_bytes_per_hour", version->leak_bytes_per_hour);
        json_i64(out, "hosts_blamed", (int64_t)judged->blamed);
        json_number(out, "blamed_low", judged->share.low);
        json_number(out, "blamed_high", judged->share.high);
        json_text(out, "verdict", driver_verdict_names[judged->verdict]);
        write_growth(judged->values, out);
        write_files(&picture->files, version->version, out);
        json_close(out, '}');
    }
    json_close(out, ']');
}

/* One column per version over all days of the range; a day without a row is 0 hosts. */
static void write_adoption(const struct driver_history *history, int64_t from_us,
                           struct strbuf *out)
{
    size_t skip = (size_t)((from_us - history->first_day_us) / US_PER_DAY);

    json_key_open(out, "adoption", '{');
    json_key_open(out, "t", '[');
    for (size_t day = skip; day < history->day_count; day++) {
        json_comma(out);
        json_value_seconds(out, history->first_day_us + (int64_t)day * US_PER_DAY);
    }
    json_close(out, ']');
    json_key_open(out, "versions", '{');
    for (size_t i = 0; i < history->version_count; i++) {
        const char *version = history->versions[i].version;
        json_key_open(out, version == NULL ? "unknown" : version, '[');
        for (size_t day = skip; day < history->day_count; day++) {
            json_comma(out);
            json_value_i64(out, history->versions[i].days[day]);
        }
        json_close(out, ']');
    }
    json_close(out, '}');
    json_close(out, '}');
}

static void write_tag_detail(const struct driver_picture *picture, const struct tagdict *dict,
                             struct strbuf *out)
{
    json_key_open(out, "tags_detail", '[');
    for (size_t i = 0; i < picture->tag_count; i++) {
        const struct driver_own_tag *tag = &picture->tags[i];
        const struct tagdict_entry *entry = tagdict_find(dict, tag->tag);
        json_open(out, '{');
        json_tag(out, "tag", tag->tag);
        json_bool(out, "listed", tag->listed);
        json_bool(out, "scanned", tag->scanned);
        json_i64(out, "drivers", (int64_t)tag->drivers);
        json_bool(out, "counted", tag->counted);
        json_text(out, "description", entry == NULL ? NULL : entry->description);
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void write_range(const struct driver_picture *picture, struct strbuf *out)
{
    const struct driver_bad_range *range = &picture->range;

    json_key_open(out, "range", '{');
    json_text(out, "last_good_before", range->last_good_before);
    json_text(out, "first_bad", range->first_bad);
    json_text(out, "last_bad", range->last_bad);
    json_text(out, "first_good", range->first_good);
    json_text(out, "note", range->note);
    json_close(out, '}');
}

#define KNOWN_SHOWN 10

static void write_known(const struct known_list *known, const char *driver, struct strbuf *out)
{
    struct known_match matches[KNOWN_SHOWN];
    size_t count = 0;

    for (size_t i = 0; i < known->count && count < KNOWN_SHOWN; i++) {
        const char *name = known->items[i].driver;
        if (name != NULL && strcasecmp(name, driver) == 0)
            matches[count++] =
                (struct known_match){.leak = &known->items[i], .fit = KNOWN_FIT_TAGS};
    }
    finding_json_matches(matches, count, out);
}

static void write_driver(const struct req *rq, const struct driver_picture *picture,
                         const struct known_list *known, struct strbuf *out)
{
    json_open(out, '{');
    json_text(out, "name", picture->item.name);
    json_text(out, "company", picture->item.company);
    json_key(out, "tags");
    write_tags(picture->item.tags, picture->item.tag_count, out);
    json_text(out, "product", picture->item.product);
    write_tag_detail(picture, rq->app->tagdict, out);
    json_text(out, "growth_measure", measure_names[MEASURE_RATE]);
    write_versions(picture, out);
    write_range(picture, out);
    json_key_open(out, "findings", '[');
    for (size_t i = 0; i < picture->finding_count; i++) {
        json_open(out, '{');
        const struct finding *finding = picture->findings[i].finding;
        json_text(out, "id", picture->findings[i].id);
        json_text(out, "kind", finding_kind_name(finding->kind));
        json_tag(out, "tag", finding->tag);
        json_text(out, "pool", api_pool_names[finding->pool]);
        json_bool(out, "cause", picture->findings[i].cause);
        json_bool(out, "owner", picture->findings[i].owner);
        json_close(out, '}');
    }
    json_close(out, ']');
    write_known(known, picture->item.name, out);
    write_adoption(&picture->history, picture->from_us, out);
    json_close(out, '}');
}

enum status api_drivers_get(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_FLEET_VIEW struct fleet_view *view = NULL;
    AUTO_KNOWN_VIEW struct known_view *known = NULL;
    AUTO_FACTS const struct facts *facts = NULL;
    AUTO_DRIVER_PICTURE struct driver_picture picture = {0};
    enum status status = req_query_only(rq, NULL, 0, err);

    if (status == ST_OK)
        status = api_view(rq, &view, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = driver_picture_read(db, rq->args[0], &picture, err);
    if (status == ST_OK)
        status = known_view_get(rq->app->known, db, &known, err);
    if (status == ST_OK)
        status = facts_get(rq->app->facts, db, &facts, err);
    if (status == ST_OK)
        status = driver_picture_judge(&picture, facts, view, rq->app->tagdict, err);
    if (status != ST_OK)
        return status;
    write_driver(rq, &picture, known_view_list(known), &rs->body);
    return api_reply_json(rs, err);
}

/* ---- its hosts -------------------------------------------------------------- */

struct host_item {
    const char *host_id;
    const char *name;
    const char *version;
    int64_t since;
    double bytes;
    double rate;
    int64_t uptime_seconds;
    const char *role;
    const char *os_build;
    const char *finding_id;
    bool simulated;
};

#define COLUMN(field, kind) LIST_COLUMN(struct host_item, field, kind)
static const struct list_column columns[] = {
    COLUMN(host_id, LIST_TEXT),       COLUMN(name, LIST_TEXT),      COLUMN(version, LIST_TEXT),
    COLUMN(since, LIST_TIME),         COLUMN(bytes, LIST_REAL),     COLUMN(rate, LIST_REAL),
    COLUMN(uptime_seconds, LIST_I64), COLUMN(role, LIST_TEXT),      COLUMN(os_build, LIST_TEXT),
    COLUMN(finding_id, LIST_TEXT),    COLUMN(simulated, LIST_BOOL),
};
static const struct list_spec spec = {
    .columns = columns,
    .column_count = sizeof columns / sizeof columns[0],
    .identity = COLUMN(host_id, LIST_TEXT),
    .default_sort = "-rate",
    .default_limit = LIST_LIMIT_DEFAULT,
    .max_limit = LIST_LIMIT_MAX,
};

static bool host_fill(const struct driver_picture *picture, const struct facts *facts,
                      const struct host_state *host, uint32_t name, struct host_item *item)
{
    const struct facts_host *known = facts_host(facts, host->key);
    size_t place = 0;
    uint32_t fact = known == NULL ? FACT_NONE : facts_of(facts, known, name, &place);

    if (fact == FACT_NONE)
        return false;
    *item = (struct host_item){
        .host_id = host->id,
        .name = host->name,
        .version = facts->pairs[facts->facts[fact].pair].value,
        .since = (int64_t)known->since[place] * US_PER_SECOND,
        .bytes = driver_host_value(host, picture->counted, picture->counted_count, MEASURE_BYTES),
        .rate = driver_host_value(host, picture->counted, picture->counted_count, MEASURE_RATE),
        .uptime_seconds = api_host_uptime_seconds(host),
        .role = host->shown[HOST_ROLE],
        .os_build = host->shown[HOST_OS_BUILD],
        .finding_id = driver_picture_finding(picture, host->id),
        .simulated = api_host_simulated(host),
    };
    return true;
}

enum status api_drivers_hosts(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {LIST_PARAMETERS, "version", "q"};
    AUTO_LIST_QUERY struct list_query query = {0};
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_FLEET_VIEW struct fleet_view *view = NULL;
    AUTO_FACTS const struct facts *facts = NULL;
    AUTO_DRIVER_PICTURE struct driver_picture picture = {0};
    const char *version = req_query(rq, "version"), *q = req_query(rq, "q");
    size_t count = 0;
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK)
        status = list_query_read(rq, &spec, &query, err);
    if (status == ST_OK)
        status = api_view(rq, &view, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = driver_picture_read_findings(db, rq->args[0], &picture, err);
    if (status == ST_OK)
        status = facts_get(rq->app->facts, db, &facts, err);
    if (status != ST_OK)
        return status;
    uint32_t name = facts_name(facts, rq->args[0], true);
    if (name == FACT_NONE)
        return err_set(err, ST_NOT_FOUND, "driver \"%s\" is not known", rq->args[0]);
    status = driver_picture_tags(&picture, facts, view, rq->app->tagdict, rq->args[0], err);
    if (status != ST_OK)
        return status;
    AUTO_FREE struct host_item *items = calloc(view->list.count + 1, sizeof *items);
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not list hosts: out of memory");
    for (size_t i = 0; i < view->list.count; i++) {
        struct host_item *item = &items[count];
        if (!host_fill(&picture, facts, view->list.items[i], name, item) ||
            (version != NULL && strcmp(item->version == NULL ? "" : item->version, version) != 0))
            continue;
        count += q == NULL || api_text_has(item->name, q) || api_text_has(item->host_id, q);
    }
    return list_reply(rq, rs, &spec, &query, NULL, items, sizeof *items, count, err);
}
