/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One row per host, by their keys in this database, whose steps are small; hosts that have sent
 * nothing yet stand last. The columns are a table: a name and how to get a row's value. Numbers are
 * cut to what a picture can show (MiB, tenths of a score), which is half of why the answer is
 * small; the exact ones are in GET /hosts.
 */
#include "server/api/api_map.h"

#include "server/api/api_common.h"
#include "server/api/host_item.h"
#include "server/api/json_out.h"
#include "server/api/text_dict.h"
#include "server/http/reply_cache.h"
#include "server/store/store_fleet.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MAP_PARAMETERS HOST_FILTER_PARAMETERS, "tag", "pool", "driver", "columns"
#define MIB            (1024 * 1024)
#define DRIVER_ABSENT  ""  /* the host does not have it */
#define DRIVER_UNKNOWN "?" /* it has, the version is unknown */

struct map_row {
    struct host_item item;
    int64_t key; /* NUMBER_ABSENT: nothing sent yet */
    int64_t age_seconds;
    const struct store_fleet_host *told; /* what findings say; NULL: none */
    const char *outlier;                 /* "nonpaged/Leak"; NULL: nothing stands out */
    double outlier_score;
    int64_t tag_bytes;
    double tag_score;
    const char *driver;
};

struct map {
    struct arena arena;
    struct fleet_list list;
    struct fleet_view *view;
    struct store_fleet_hosts told;
    struct store_fleet_versions versions;
    struct store_awaiting_list awaiting;
    struct store_faults faults;
    const char **tag_names; /* per tag of the view, made when first asked for */
    struct map_row *rows;
    size_t count;
    int64_t as_of_us;
    const char *driver; /* parameter; NULL: not asked for */
    uint32_t tag;       /* parameters; POOL_UNKNOWN: not asked for */
    enum pool pool;
};

static void map_done(struct map *map)
{
    free(map->rows);
    free(map->tag_names);
    fleet_view_release(map->view);
    fleet_list_done(&map->list);
    store_fleet_hosts_done(&map->told);
    store_fleet_versions_done(&map->versions);
    store_awaiting_list_done(&map->awaiting);
    store_faults_done(&map->faults);
    arena_done(&map->arena);
}
#define AUTO_MAP CLEANUP(map_done)

/* ---- columns ------------------------------------------------------------------------------- */

static int64_t mib(int64_t bytes)
{
    return bytes == NUMBER_ABSENT ? NUMBER_ABSENT : (bytes + MIB / 2) / MIB;
}

#define TEXT(name, value)                                                                          \
    static const char *text_##name(const struct map_row *row)                                      \
    {                                                                                              \
        return value;                                                                              \
    }
TEXT(id, row->item.id)
TEXT(name, row->item.name)
TEXT(os_name, row->item.os_name)
TEXT(os_build, row->item.os_build)
TEXT(role, row->item.role)
TEXT(model, row->item.model)
TEXT(agent, row->item.agent_version)
TEXT(finding, row->told == NULL ? NULL : row->told->finding_id)
TEXT(outlier, row->outlier)
TEXT(driver, row->driver)
TEXT(faulty, row->item.faulty_reason)

#define NUMBER(name, value)                                                                        \
    static int64_t number_##name(const struct map_row *row)                                        \
    {                                                                                              \
        return value;                                                                              \
    }
NUMBER(state, row->item.awaiting_first_snapshot ? 2 : row->item.silent)
NUMBER(severity, row->item.worst_severity < 0 ? NUMBER_ABSENT : row->item.worst_severity)
NUMBER(findings, row->item.findings)
NUMBER(band, row->item.band)
NUMBER(simulated, row->item.simulated)
NUMBER(age_seconds, row->age_seconds)
NUMBER(uptime_seconds, row->item.uptime_seconds)
NUMBER(ram_mib, mib(row->item.ram_bytes))
NUMBER(nonpaged_mib, mib(row->item.nonpaged_bytes))
NUMBER(paged_mib, mib(row->item.paged_bytes))
NUMBER(nonpaged_limit_mib, mib(row->item.nonpaged_limit_bytes))
NUMBER(tag_mib, mib(row->tag_bytes))

static int64_t number_growth(const struct map_row *row)
{
    double rate = row->told == NULL ? NAN : row->told->rate_bytes_per_hour;
    return isfinite(rate) && fabs(rate) < 1e15 ? (int64_t)rate : NUMBER_ABSENT;
}

static int64_t number_exhausts(const struct map_row *row)
{
    int64_t at = row->told == NULL ? TIME_UNKNOWN : row->told->exhausts_us;
    return at == TIME_UNKNOWN ? NUMBER_ABSENT : at / US_PER_SECOND;
}

static double score_outlier(const struct map_row *row)
{
    return row->outlier_score;
}
static double score_tag(const struct map_row *row)
{
    return row->tag_score;
}

struct map_column {
    const char *name;
    enum { MAP_TEXT, MAP_DICTIONARY, MAP_NUMBER, MAP_SCORE, MAP_KEY } kind;
    const char *(*text)(const struct map_row *row);
    int64_t (*number)(const struct map_row *row);
    double (*score)(const struct map_row *row);
};

static const struct map_column columns[] = {
    {"key", MAP_KEY, NULL, NULL, NULL},
    {"id", MAP_TEXT, text_id, NULL, NULL},
    {"name", MAP_TEXT, text_name, NULL, NULL},
    {"os_name", MAP_DICTIONARY, text_os_name, NULL, NULL},
    {"os_build", MAP_DICTIONARY, text_os_build, NULL, NULL},
    {"role", MAP_DICTIONARY, text_role, NULL, NULL},
    {"model", MAP_DICTIONARY, text_model, NULL, NULL},
    {"agent", MAP_DICTIONARY, text_agent, NULL, NULL},
    {"state", MAP_NUMBER, NULL, number_state, NULL},
    {"severity", MAP_NUMBER, NULL, number_severity, NULL},
    {"findings", MAP_NUMBER, NULL, number_findings, NULL},
    {"finding", MAP_DICTIONARY, text_finding, NULL, NULL},
    {"growth_bytes_per_hour", MAP_NUMBER, NULL, number_growth, NULL},
    {"exhausts_at", MAP_NUMBER, NULL, number_exhausts, NULL},
    {"outlier", MAP_DICTIONARY, text_outlier, NULL, NULL},
    {"outlier_score", MAP_SCORE, NULL, NULL, score_outlier},
    {"band", MAP_NUMBER, NULL, number_band, NULL},
    {"uptime_seconds", MAP_NUMBER, NULL, number_uptime_seconds, NULL},
    {"age_seconds", MAP_NUMBER, NULL, number_age_seconds, NULL},
    {"ram_mib", MAP_NUMBER, NULL, number_ram_mib, NULL},
    {"nonpaged_mib", MAP_NUMBER, NULL, number_nonpaged_mib, NULL},
    {"paged_mib", MAP_NUMBER, NULL, number_paged_mib, NULL},
    {"nonpaged_limit_mib", MAP_NUMBER, NULL, number_nonpaged_limit_mib, NULL},
    {"faulty", MAP_DICTIONARY, text_faulty, NULL, NULL},
    {"simulated", MAP_NUMBER, NULL, number_simulated, NULL},
    {"tag_mib", MAP_NUMBER, NULL, number_tag_mib, NULL},
    {"tag_score", MAP_SCORE, NULL, NULL, score_tag},
    {"driver", MAP_DICTIONARY, text_driver, NULL, NULL},
};
#define COLUMN_COUNT (sizeof columns / sizeof columns[0])

/* Bits of the columns asked for: all that can be known unless `columns` names some. */
static enum status columns_read(const struct req *rq, const struct map *map, uint32_t *ret_wanted,
                                struct err *err)
{
    const char *text = req_query(rq, "columns");
    uint32_t wanted = 0;

    for (size_t i = 0; text == NULL && i < COLUMN_COUNT; i++) {
        bool tag = strncmp(columns[i].name, "tag_", 4) == 0;
        bool driver = strcmp(columns[i].name, "driver") == 0;
        if ((!tag || map->pool != POOL_UNKNOWN) && (!driver || map->driver != NULL))
            wanted |= 1u << i;
    }
    while (text != NULL && *text != '\0') {
        size_t length = strcspn(text, ",");
        size_t i = 0;
        while (i < COLUMN_COUNT &&
               (strlen(columns[i].name) != length || memcmp(columns[i].name, text, length) != 0))
            i++;
        if (i == COLUMN_COUNT)
            return err_field(err, ST_INVALID, "columns", "there is no column \"%.*s\"",
                             (int)(length > 64 ? 64 : length), text);
        wanted |= 1u << i;
        text += length + (text[length] == ',');
    }
    *ret_wanted = wanted;
    return ST_OK;
}

static void put_number(struct strbuf *out, int64_t value)
{
    if (value == NUMBER_ABSENT)
        strbuf_add(out, "null", 4);
    else
        strbuf_i64(out, value);
}

static void put_text(struct strbuf *out, const char *text)
{
    if (text == NULL)
        strbuf_add(out, "null", 4);
    else
        strbuf_json(out, text);
}

static enum status put_column(const struct map_column *column, const struct map *map,
                              struct text_dict *dict, struct strbuf *out)
{
    int64_t before = 0;

    json_key_open(out, column->name, '[');
    for (size_t i = 0; i < map->count; i++) {
        const struct map_row *row = &map->rows[i];
        if (i > 0)
            strbuf_putc(out, ',');
        if (column->kind == MAP_TEXT) {
            put_text(out, column->text(row));
        } else if (column->kind == MAP_NUMBER) {
            put_number(out, column->number(row));
        } else if (column->kind == MAP_SCORE) {
            json_value_tenths(out, column->score(row));
        } else if (column->kind == MAP_KEY) {
            put_number(out, row->key == NUMBER_ABSENT ? NUMBER_ABSENT : row->key - before);
            before = row->key;
        } else {
            int64_t index = NUMBER_ABSENT;
            const char *text = column->text(row);
            if (text != NULL && (index = text_dict_add(dict, text)) < 0)
                return ST_NOMEM;
            put_number(out, index);
        }
    }
    json_close(out, ']');
    return ST_OK;
}

/* ---- rows ---------------------------------------------------------------------------------- */

static const char *tag_name(struct map *map, size_t tag)
{
    char text[TAG_TEXT_MAX];
    AUTO_STRBUF struct strbuf name = STRBUF_INIT;

    if (map->tag_names[tag] == NULL) {
        tag_format(map->view->tags[tag].tag, text);
        strbuf_printf(&name, "%s/%s", api_pool_names[map->view->tags[tag].pool], text);
        map->tag_names[tag] = strbuf_failed(&name) ? NULL : arena_strdup(&map->arena, name.data);
    }
    return map->tag_names[tag];
}

static int version_compare(const void *key, const void *item)
{
    return strcmp(key, ((const struct store_fleet_version *)item)->host_id);
}

static const char *driver_version(const struct map *map, const char *host_id)
{
    const struct store_fleet_version *found =
        map->versions.count == 0 ? NULL
                                 : bsearch(host_id, map->versions.items, map->versions.count,
                                           sizeof *map->versions.items, version_compare);

    if (map->driver == NULL)
        return NULL;
    return found == NULL ? DRIVER_ABSENT : found->version == NULL ? DRIVER_UNKNOWN : found->version;
}

/* What of one host stands out against its peers, as the statistics saw it. */
static void row_compare(struct map *map, const struct host_state *host, size_t place,
                        struct map_row *row)
{
    struct host_row held;

    row->outlier_score = NAN;
    row->tag_score = NAN;
    row->tag_bytes = NUMBER_ABSENT;
    if (place != VIEW_NONE && map->view->host_worst[place].tag != VIEW_NONE) {
        row->outlier_score = map->view->host_worst[place].score;
        row->outlier = tag_name(map, map->view->host_worst[place].tag);
    }
    if (map->pool == POOL_UNKNOWN || !host_state_find(host, map->pool, map->tag, &held) ||
        (held.columns & COLUMN_BYTES) == 0)
        return;
    row->tag_bytes = api_number(held.bytes);
    if (place != VIEW_NONE)
        row->tag_score =
            view_peer_score(fleet_view_peer(map->view, place, map->pool, map->tag), held.bytes);
}

static int by_key(const void *left, const void *right)
{
    const struct map_row *a = left, *b = right;
    if ((a->key == NUMBER_ABSENT) != (b->key == NUMBER_ABSENT))
        return a->key == NUMBER_ABSENT ? 1 : -1;
    return a->key < b->key ? -1 : a->key > b->key ? 1 : strcmp(a->item.id, b->item.id);
}

static enum status make_rows(struct map *map, const struct host_filter *filter)
{
    int64_t now = clock_wall_us();
    size_t place = 0; /* both lists are sorted by id */

    map->rows = calloc(map->list.count + map->awaiting.count + 1, sizeof *map->rows);
    map->tag_names = calloc(map->view->tag_count + 1, sizeof *map->tag_names);
    if (map->rows == NULL || map->tag_names == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < map->list.count; i++) {
        const struct host_state *host = map->list.items[i];
        struct map_row *row = &map->rows[map->count];
        row->told = store_fleet_host(&map->told, host->id);
        host_item_fill(host, row->told == NULL ? NULL : &row->told->count,
                       store_fault_of(&map->faults, host->id), now, NULL, &row->item);
        if (!host_filter_takes(filter, &row->item))
            continue;
        const struct fleet_list *seen = &map->view->list;
        while (place < seen->count && strcmp(seen->items[place]->id, host->id) < 0)
            place++;
        bool known = place < seen->count && strcmp(seen->items[place]->id, host->id) == 0;
        row_compare(map, host, known ? place : VIEW_NONE, row);
        row->key = host->key;
        row->age_seconds = (map->as_of_us - host->taken_at_us) / US_PER_SECOND;
        row->driver = driver_version(map, host->id);
        map->count++;
    }
    for (size_t i = 0; i < map->awaiting.count; i++) {
        struct map_row *row = &map->rows[map->count];
        *row = (struct map_row){.key = NUMBER_ABSENT,
                                .age_seconds = NUMBER_ABSENT,
                                .outlier_score = NAN,
                                .tag_score = NAN,
                                .tag_bytes = NUMBER_ABSENT};
        host_item_fill_awaiting(&map->awaiting.items[i], NULL, &row->item);
        map->count += host_filter_takes(filter, &row->item);
    }
    qsort(map->rows, map->count, sizeof *map->rows, by_key);
    return ST_OK;
}

/* ---- the call ------------------------------------------------------------------------------ */

static enum status parameters_read(const struct req *rq, struct map *map,
                                   struct host_filter *ret_filter, struct err *err)
{
    static const char *const names[] = {MAP_PARAMETERS};
    const char *tag = req_query(rq, "tag");
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK)
        status = host_filter_read(rq, ret_filter, err);
    if (status == ST_OK)
        status = api_query_pool(rq, &map->pool, err);
    if (status == ST_OK && tag != NULL)
        status = api_tag_parse(tag, &map->tag, err);
    if (status != ST_OK)
        return status;
    if (tag == NULL && map->pool != POOL_UNKNOWN)
        return err_field(err, ST_INVALID, "tag", "pool says which pool's tag; name the tag");
    if (tag != NULL && map->pool == POOL_UNKNOWN)
        map->pool = POOL_NONPAGED;
    map->driver = req_query(rq, "driver");
    return ST_OK;
}

static enum status read_database(const struct req *rq, struct map *map, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    enum status status = api_lease(rq, &db, err);

    if (status == ST_OK)
        status = store_fleet_hosts(db, &map->told, err);
    if (status == ST_OK)
        status = store_faults_list(db, &map->faults, err);
    if (status == ST_OK && map->driver != NULL)
        status = store_fleet_versions(db, map->driver, &map->versions, err);
    return status == ST_OK ? store_hosts_awaiting(db, NULL, &map->awaiting, err) : status;
}

static void write_bands(struct strbuf *out)
{
    json_key_open(out, "band", '[');
    for (size_t i = 0; i <= COHORT_BANDS; i++) {
        json_comma(out);
        json_value_text(out, host_band_names[i]);
    }
    json_close(out, ']');
}

static enum status write_map(const struct req *rq, const struct map *map, uint32_t wanted,
                             struct strbuf *out)
{
    AUTO_STRBUF struct strbuf dictionaries = STRBUF_INIT;
    enum status status = ST_OK;

    json_open(out, '{');
    json_time(out, "as_of", map->as_of_us);
    json_time(out, "analyzed_at", atomic_load(&rq->app->analyzed_at_us));
    json_i64(out, "total", (int64_t)(map->list.count + map->awaiting.count));
    json_i64(out, "count", (int64_t)map->count);
    json_open(&dictionaries, '{');
    write_bands(&dictionaries);
    json_key_open(out, "columns", '{');
    for (size_t i = 0; status == ST_OK && i < COLUMN_COUNT; i++) {
        AUTO_TEXT_DICT struct text_dict dict = {0};
        if ((wanted & 1u << i) == 0)
            continue;
        status = put_column(&columns[i], map, &dict, out);
        if (columns[i].kind != MAP_DICTIONARY)
            continue;
        json_key_open(&dictionaries, columns[i].name, '[');
        for (size_t k = 0; k < dict.count; k++) {
            json_comma(&dictionaries);
            json_value_text(&dictionaries, dict.texts[k]);
        }
        json_close(&dictionaries, ']');
    }
    json_close(out, '}');
    json_close(&dictionaries, '}');
    json_raw(out, "dictionaries", strbuf_failed(&dictionaries) ? NULL : dictionaries.data);
    /* Hosts without a key are told apart by their identities. */
    json_key_open(out, "awaiting", '[');
    for (size_t i = 0; i < map->count; i++) {
        if (map->rows[i].key != NUMBER_ABSENT)
            continue;
        json_comma(out);
        json_value_text(out, map->rows[i].item.id);
    }
    json_close(out, ']');
    json_close(out, '}');
    out->failed = out->failed || strbuf_failed(&dictionaries);
    return status;
}

static enum status make_map(struct req *rq, struct map *map, const struct host_filter *filter,
                            uint32_t wanted, struct resp *rs, struct err *err)
{
    enum status status = api_view(rq, &map->view, err);

    if (status == ST_OK)
        status = read_database(rq, map, err);
    if (status != ST_OK)
        return status;
    status = fleet_list(rq->app->fleet, &map->list);
    for (size_t i = 0; i < map->list.count; i++)
        if (map->list.items[i]->taken_at_us > map->as_of_us)
            map->as_of_us = map->list.items[i]->taken_at_us;
    if (status == ST_OK)
        status = make_rows(map, filter);
    if (status == ST_OK)
        status = write_map(rq, map, wanted, &rs->body);
    if (status != ST_OK)
        return err_set(err, status, "could not write the fleet map: out of memory");
    return api_reply_json(rs, err);
}

/* All that tells two answers apart, in one text; parameters hold no line ends of ours. */
static void cache_key(const struct req *rq, struct strbuf *out)
{
    static const char *const names[] = {MAP_PARAMETERS};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = req_query(rq, names[i]);
        if (value != NULL)
            strbuf_printf(out, "%s=%zu:%s\n", names[i], strlen(value), value);
    }
}

enum status api_map_get(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_MAP struct map map = {.pool = POOL_UNKNOWN, .as_of_us = TIME_UNKNOWN};
    AUTO_STRBUF struct strbuf key = STRBUF_INIT;
    struct host_filter filter;
    const char *encoding = req_header(rq, "Accept-Encoding");
    uint32_t wanted = 0;
    int64_t began = clock_mono_us();
    uint64_t stamp = atomic_load(&rq->app->analysis_passes);
    enum status status = parameters_read(rq, &map, &filter, err);

    if (status == ST_OK)
        status = columns_read(rq, &map, &wanted, err);
    if (status != ST_OK)
        return status;
    strbuf_puts(&key, "map\n");
    cache_key(rq, &key);
    if (strbuf_failed(&key))
        return err_set(err, ST_NOMEM, "could not write the fleet map: out of memory");
    if (reply_cache_get(rq->app->replies, encoding, key.data, stamp, rs))
        return ST_OK;
    status = make_map(rq, &map, &filter, wanted, rs, err);
    if (status == ST_OK)
        reply_cache_keep(rq->app->replies, encoding, key.data, stamp, began, rs);
    else
        reply_cache_drop(rq->app->replies, key.data);
    return status;
}
