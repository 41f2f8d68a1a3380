/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_drivers.h"

#include <string.h>

/* Whether finding f is one of the driver NAME whose tags are TAGS. */
#define FINDING_OF(name, tags)                                                                     \
    "f.status IN ('open', 'acknowledged') AND (f.doc ->> 'owner_driver' = " name                   \
    " OR f.tag = ANY (" tags ")"                                                                   \
    " OR f.doc -> 'causes' @> jsonb_build_array(jsonb_build_object('attribute', 'driver/' "        \
    "|| " name ")))"

/* Tags of a row d of host_driver with its file f. */
#define TAGS_OF "CASE WHEN d.tags = '{}' THEN coalesce(f.tags, '{}') ELSE d.tags END"

/* One row per driver; WHERE chooses among the rows d of host_driver. Three statements rather than
 * one with optional parameters, so that each has its index. */
#define DRIVERS(where)                                                                             \
    "WITH loaded AS (SELECT name, max(company) AS company,"                                        \
    "   count(DISTINCT version) FILTER (WHERE valid_to IS NULL) AS versions,"                      \
    "   count(*) FILTER (WHERE valid_to IS NULL) AS hosts FROM host_driver d WHERE " where         \
    "   GROUP BY name),"                                                                           \
    " builds AS (SELECT DISTINCT d.name, d.sha256, d.tags, d.valid_to IS NULL AS now"              \
    "   FROM host_driver d WHERE " where "),"                                                      \
    " tagged AS (SELECT d.name, array_agg(DISTINCT tag ORDER BY tag) AS tags"                      \
    "   FROM builds d LEFT JOIN driver_file f USING (sha256),"                                     \
    "   unnest(" TAGS_OF ") AS tag GROUP BY d.name),"                                              \
    " filed AS (SELECT d.name, max(f.product) AS product,"                                         \
    "   count(DISTINCT sha256) FILTER (WHERE d.now) AS files,"                                     \
    "   count(DISTINCT sha256) FILTER (WHERE d.now AND f.tags IS NOT NULL) AS scanned"             \
    "   FROM builds d JOIN driver_file f USING (sha256) GROUP BY d.name)"                          \
    " SELECT l.name, l.company, l.versions, l.hosts, coalesce(t.tags, '{}'),"                      \
    " (SELECT count(*) FROM finding f WHERE " FINDING_OF(                                          \
        "l.name",                                                                                  \
        "coalesce(t.tags, '{}')") "),"                                                             \
                                  " b.product, coalesce(b.files, 0), coalesce(b.scanned, 0)"       \
                                  " FROM loaded l LEFT JOIN tagged t USING (name) LEFT JOIN "      \
                                  "filed b USING (name)"                                           \
                                  " ORDER BY l.name COLLATE \"C\""
#define DRIVERS_TYPES "ttiiTitii"
#define HOLDS_TAG                                                                                  \
    "(d.tags @> ARRAY[$1] OR (d.tags = '{}' AND d.sha256 = ANY (ARRAY("                            \
    "SELECT sha256 FROM driver_file WHERE tags @> ARRAY[$1]))))"

static const struct stmt statements[] = {
    STMT("drivers_list", DRIVERS("d.valid_to IS NULL"), "", DRIVERS_TYPES),
    STMT("drivers_one", DRIVERS("d.name = $1"), "t", DRIVERS_TYPES),
    STMT("drivers_of_tag", DRIVERS(HOLDS_TAG), "t", DRIVERS_TYPES),
    STMT("driver_versions",
         "WITH touched AS (SELECT DISTINCT h.host_id, h.rate_bytes_per_hour"
         "   FROM finding f JOIN finding_host h USING (finding_id) "
         "WHERE " FINDING_OF("$1",
                             "ARRAY(SELECT unnest(" TAGS_OF ") FROM host_driver d "
                             "LEFT JOIN driver_file f USING (sha256) "
                             "WHERE d.name = $1)") "),"
                                                   " rates AS (SELECT host_id, "
                                                   "max(rate_bytes_per_hour) AS rate FROM touched"
                                                   "   GROUP BY host_id)"
                                                   " SELECT d.version, count(DISTINCT d.host_id) "
                                                   "FILTER (WHERE d.valid_to IS NULL),"
                                                   " min(d.valid_from), max(coalesce(d.valid_to, "
                                                   "host.last_seen_at)),"
                                                   " count(DISTINCT r.host_id),"
                                                   " percentile_cont(0.5) WITHIN GROUP (ORDER BY "
                                                   "r.rate)"
                                                   " FROM host_driver d JOIN host USING (host_id)"
                                                   " LEFT JOIN rates r ON r.host_id = d.host_id "
                                                   "AND d.valid_to IS NULL"
                                                   " WHERE d.name = $1 GROUP BY d.version ORDER "
                                                   "BY 2 DESC, 1",
         "t", "tizzif"),
    /* Validities by the days they cover, not by day: one row for all hosts that moved together. A
     * version counts on the days at whose end a host had it, and on the host's last one. */
    STMT("driver_spans",
         "SELECT d.version, date_trunc('day', greatest(d.valid_from, $2), 'UTC'),"
         " CASE WHEN d.valid_to <= host.last_seen_at"
         " THEN date_trunc('day', d.valid_to, 'UTC') - interval '1 day'"
         " ELSE date_trunc('day', host.last_seen_at, 'UTC') END, count(*)"
         " FROM host_driver d JOIN host USING (host_id) WHERE d.name = $1"
         " AND (d.valid_to IS NULL OR d.valid_to > $2) AND d.valid_from <= $3"
         " GROUP BY 1, 2, 3",
         "tzz", "tzzi"),
};

enum { DRIVERS_LIST, DRIVERS_ONE, DRIVERS_OF_TAG, DRIVER_VERSIONS, DRIVER_SPANS };

const struct stmt_table store_drivers_statements = {statements,
                                                    sizeof statements / sizeof statements[0]};

static const char *keep(struct arena *arena, const char *text, bool *failed)
{
    if (text == NULL)
        return NULL;
    const char *copy = arena_strdup(arena, text);
    *failed = *failed || copy == NULL;
    return copy;
}

static void read_item(const struct db_result *result, size_t row, struct arena *arena,
                      struct driver_item *item, bool *failed)
{
    item->name = keep(arena, db_text(result, row, 0), failed);
    item->company = keep(arena, db_text(result, row, 1), failed);
    item->versions = db_i64(result, row, 2);
    item->hosts = db_i64(result, row, 3);
    item->findings = db_i64(result, row, 5);
    item->product = keep(arena, db_text(result, row, 6), failed);
    item->files = db_i64(result, row, 7);
    item->files_scanned = db_i64(result, row, 8);
    item->tag_count = db_array_count(result, row, 4);
    item->tags = arena_alloc(arena, item->tag_count, sizeof *item->tags);
    for (size_t i = 0; item->tags != NULL && i < item->tag_count; i++) {
        size_t length = 0;
        const char *text = db_array_text(result, row, 4, i, &length);
        item->tags[i] = arena_strndup(arena, text == NULL ? "" : text, length);
        *failed = *failed || item->tags[i] == NULL;
    }
    *failed = *failed || item->tags == NULL;
}

enum status store_drivers_list(struct db *db, const char *name, const char *tag,
                               struct driver_items *ret_items, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct driver_items items = {0};
    struct db_params params = {0};

    size_t which = name != NULL ? DRIVERS_ONE : tag != NULL ? DRIVERS_OF_TAG : DRIVERS_LIST;

    if (which != DRIVERS_LIST)
        db_p_text(&params, name != NULL ? name : tag);
    enum status status = db_exec(db, &statements[which], &params, &result, err);
    if (status != ST_OK)
        return status;
    items.items = arena_alloc(&items.arena, db_rows(result), sizeof *items.items);
    bool failed = items.items == NULL;
    for (size_t row = 0; !failed && row < db_rows(result); row++)
        read_item(result, row, &items.arena, &items.items[items.count++], &failed);
    if (failed) {
        driver_items_done(&items);
        return err_set(err, ST_NOMEM, "could not list drivers: out of memory");
    }
    *ret_items = items;
    return ST_OK;
}

static enum status read_versions(struct db *db, const char *name, struct driver_history *history,
                                 struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    bool failed = false;

    db_p_text(&params, name);
    enum status status = db_exec(db, &statements[DRIVER_VERSIONS], &params, &result, err);
    if (status != ST_OK)
        return status;
    size_t count = db_rows(result);
    history->versions = arena_alloc(&history->arena, count, sizeof *history->versions);
    for (size_t row = 0; history->versions != NULL && row < count; row++) {
        history->versions[row] = (struct driver_version){
            .version = keep(&history->arena, db_text(result, row, 0), &failed),
            .hosts = db_i64(result, row, 1),
            .first_seen_us = db_time(result, row, 2),
            .last_seen_us = db_time(result, row, 3),
            .hosts_in_findings = db_i64(result, row, 4),
            .leak_bytes_per_hour = db_f64(result, row, 5),
        };
    }
    history->version_count = count;
    if (history->versions == NULL || failed)
        return err_set(err, ST_NOMEM, "could not read a driver: out of memory");
    if (count == 0)
        return err_set(err, ST_NOT_FOUND, "driver \"%s\" is not known", name);
    return ST_OK;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Place of a version in the history; every version with a span is there. */
static size_t version_place(const struct driver_history *history, const char *version)
{
    size_t i = 0;
    while (i < history->version_count && !same_text(history->versions[i].version, version))
        i++;
    return i;
}

static enum status read_spans(struct db *db, const char *name, int64_t from_us, int64_t to_us,
                              struct driver_history *history, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    int64_t first = from_us - from_us % US_PER_DAY;

    db_p_text(&params, name);
    db_p_time(&params, first);
    db_p_time(&params, to_us);
    enum status status = db_exec(db, &statements[DRIVER_SPANS], &params, &result, err);
    if (status != ST_OK)
        return status;
    history->first_day_us = first;
    history->day_count = (size_t)((to_us - first) / US_PER_DAY) + 1;
    for (size_t i = 0; i < history->version_count; i++) {
        history->versions[i].days =
            arena_alloc(&history->arena, history->day_count, sizeof *history->versions[i].days);
        if (history->versions[i].days == NULL)
            return err_set(err, ST_NOMEM, "could not read a driver: out of memory");
    }
    for (size_t row = 0; row < db_rows(result); row++) {
        size_t place = version_place(history, db_text(result, row, 0));
        int64_t from = (db_time(result, row, 1) - first) / US_PER_DAY;
        int64_t to = (db_time(result, row, 2) - first) / US_PER_DAY;
        for (int64_t day = from; place < history->version_count && day >= 0 && day <= to &&
                                 day < (int64_t)history->day_count;
             day++)
            history->versions[place].days[day] += db_i64(result, row, 3);
    }
    return ST_OK;
}

enum status store_driver_history(struct db *db, const char *name, int64_t from_us, int64_t to_us,
                                 struct driver_history *ret_history, struct err *err)
{
    struct driver_history history = {0};
    enum status status = read_versions(db, name, &history, err);

    if (status == ST_OK)
        status = read_spans(db, name, from_us, to_us, &history, err);
    if (status != ST_OK) {
        driver_history_done(&history);
        return status;
    }
    *ret_history = history;
    return ST_OK;
}
