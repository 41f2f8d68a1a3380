/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_drivers.h"

#include "server/api/api_common.h"
#include "server/api/json_out.h"
#include "server/api/list.h"
#include "server/store/store_driver_files.h"
#include "server/store/store_drivers.h"
#include "server/store/store_rollups.h"

#include <string.h>

#define ADOPTION_SPAN_US (90 * US_PER_DAY)

struct item {
    const char *name;
    const char *company;
    int64_t versions;
    int64_t hosts;
    const char *tags; /* JSON */
    int64_t findings;
    const char *product;
    int64_t files;
    int64_t files_scanned;
};

#define COLUMN(field, kind) LIST_COLUMN(struct item, field, kind)
static const struct list_column columns[] = {
    COLUMN(name, LIST_TEXT),    COLUMN(company, LIST_TEXT), COLUMN(versions, LIST_I64),
    COLUMN(hosts, LIST_I64),    COLUMN(tags, LIST_JSON),    COLUMN(findings, LIST_I64),
    COLUMN(product, LIST_TEXT), COLUMN(files, LIST_I64),    COLUMN(files_scanned, LIST_I64),
};

static const struct list_spec spec = {
    .columns = columns,
    .column_count = sizeof columns / sizeof columns[0],
    .identity = COLUMN(name, LIST_TEXT),
    .default_sort = "name",
    .default_limit = LIST_LIMIT_DEFAULT,
    .max_limit = LIST_LIMIT_MAX,
};

static void write_tags(const char *const *tags, size_t count, struct strbuf *out)
{
    json_open(out, '[');
    for (size_t i = 0; i < count; i++) {
        json_comma(out);
        json_value_text(out, tags[i]);
    }
    json_close(out, ']');
}

static const char *tags_text(const struct driver_item *driver, struct arena *arena)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;

    write_tags(driver->tags, driver->tag_count, &text);
    return strbuf_failed(&text) ? NULL : arena_strdup(arena, text.data);
}

static bool matches(const struct driver_item *driver, const char *q)
{
    if (q == NULL || api_text_has(driver->name, q) || api_text_has(driver->company, q))
        return true;
    for (size_t i = 0; i < driver->tag_count; i++)
        if (api_text_has(driver->tags[i], q))
            return true;
    return false;
}

static enum status read_drivers(const struct req *rq, struct driver_items *ret_drivers,
                                struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    enum status status = api_lease(rq, &db, err);
    return status == ST_OK ? store_drivers_list(db, NULL, NULL, ret_drivers, err) : status;
}

enum status api_drivers_list(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {LIST_PARAMETERS, "q"};
    AUTO_LIST_QUERY struct list_query query = {0};
    AUTO_DRIVER_ITEMS struct driver_items drivers = {0};
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK)
        status = list_query_read(rq, &spec, &query, err);
    if (status == ST_OK)
        status = read_drivers(rq, &drivers, err);
    if (status != ST_OK)
        return status;

    AUTO_FREE struct item *items = calloc(drivers.count + 1, sizeof *items);
    size_t count = 0;
    for (size_t i = 0; items != NULL && i < drivers.count; i++) {
        const struct driver_item *driver = &drivers.items[i];
        if (driver->hosts == 0 || !matches(driver, req_query(rq, "q")))
            continue;
        items[count] = (struct item){driver->name,
                                     driver->company,
                                     driver->versions,
                                     driver->hosts,
                                     tags_text(driver, &drivers.arena),
                                     driver->findings,
                                     driver->product,
                                     driver->files,
                                     driver->files_scanned};
        if (items[count++].tags == NULL)
            return err_set(err, ST_NOMEM, "could not list drivers: out of memory");
    }
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not list drivers: out of memory");
    return list_reply(rq, rs, &spec, &query, NULL, items, sizeof *items, count, err);
}

/* ---- one driver
 * --------------------------------------------------------------------------------------- */

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

static void write_versions(const struct driver_history *history,
                           const struct driver_file_items *files, struct strbuf *out)
{
    json_key_open(out, "versions", '[');
    for (size_t i = 0; i < history->version_count; i++) {
        const struct driver_version *version = &history->versions[i];
        json_open(out, '{');
        json_text(out, "version", version->version);
        json_i64(out, "hosts", version->hosts);
        json_time(out, "first_seen", version->first_seen_us);
        json_time(out, "last_seen", version->last_seen_us);
        json_i64(out, "hosts_in_findings", version->hosts_in_findings);
        json_number(out, "leak_bytes_per_hour", version->leak_bytes_per_hour);
        write_files(files, version->version, out);
        json_close(out, '}');
    }
    json_close(out, ']');
}

/* One column per version over all days of the range; a day without a row is 0 hosts. */
static void write_adoption(const struct driver_history *history, int64_t from_us, int64_t to_us,
                           struct strbuf *out)
{
    int64_t first = from_us / US_PER_DAY * US_PER_DAY;
    size_t row = 0;

    json_key_open(out, "adoption", '{');
    json_key_open(out, "t", '[');
    for (int64_t day = first; day <= to_us; day += US_PER_DAY) {
        json_comma(out);
        json_value_seconds(out, day);
    }
    json_close(out, ']');
    json_key_open(out, "versions", '{');
    while (row < history->day_count) {
        const char *version = history->days[row].version;
        json_key_open(out, version == NULL ? "unknown" : version, '[');
        for (int64_t day = first; day <= to_us; day += US_PER_DAY) {
            bool here = row < history->day_count && history->days[row].day_us == day &&
                        same_version(history->days[row].version, version);
            json_comma(out);
            json_value_i64(out, here ? history->days[row].hosts : 0);
            row += here;
        }
        json_close(out, ']');
        while (row < history->day_count && same_version(history->days[row].version, version))
            row++; /* never taken while days come in order; keeps the loop finite if not */
    }
    json_close(out, '}');
    json_close(out, '}');
}

struct span {
    int64_t from_us;
    int64_t to_us;
};

/* From the first version seen (at most 90 days back) to the newest snapshot. */
static enum status read_history(struct db *db, const char *name, struct span *ret_span,
                                struct driver_history *ret_history, struct err *err)
{
    int64_t newest = TIME_UNKNOWN;
    enum status status = store_newest_taken_at(db, &newest, err);

    if (status != ST_OK)
        return status;
    ret_span->to_us = newest == TIME_UNKNOWN ? clock_wall_us() : newest;
    ret_span->from_us = ret_span->to_us - ADOPTION_SPAN_US;
    status = store_driver_history(db, name, ret_span->from_us, ret_span->to_us, ret_history, err);
    if (status != ST_OK)
        return status;
    int64_t first = ret_span->to_us;
    for (size_t i = 0; i < ret_history->version_count; i++)
        if (ret_history->versions[i].first_seen_us < first)
            first = ret_history->versions[i].first_seen_us;
    if (first > ret_span->from_us)
        ret_span->from_us = first;
    return ST_OK;
}

enum status api_drivers_get(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_DRIVER_ITEMS struct driver_items drivers = {0};
    AUTO_DRIVER_HISTORY struct driver_history history = {0};
    AUTO_DRIVER_FILE_ITEMS struct driver_file_items files = {0};
    struct span span;
    enum status status = req_query_only(rq, NULL, 0, err);

    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_drivers_list(db, rq->args[0], NULL, &drivers, err);
    if (status == ST_OK && drivers.count == 0)
        status = err_set(err, ST_NOT_FOUND, "driver \"%s\" is not known", rq->args[0]);
    if (status == ST_OK)
        status = read_history(db, rq->args[0], &span, &history, err);
    if (status == ST_OK)
        status = store_driver_files_of(db, rq->args[0], &files, err);
    if (status != ST_OK)
        return status;
    json_open(&rs->body, '{');
    json_text(&rs->body, "name", drivers.items[0].name);
    json_text(&rs->body, "company", drivers.items[0].company);
    json_key(&rs->body, "tags");
    write_tags(drivers.items[0].tags, drivers.items[0].tag_count, &rs->body);
    json_text(&rs->body, "product", drivers.items[0].product);
    write_versions(&history, &files, &rs->body);
    write_adoption(&history, span.from_us, span.to_us, &rs->body);
    json_close(&rs->body, '}');
    return api_reply_json(rs, err);
}
