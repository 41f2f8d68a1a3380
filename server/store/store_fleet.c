/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_fleet.h"

#include <string.h>

enum { HOSTS, VERSIONS, CHANGES, FIRST, SINCE };

#define RANK "CASE f.severity WHEN 'critical' THEN 2 WHEN 'warning' THEN 1 ELSE 0 END"

static const struct stmt statements[] = {
    [HOSTS] = STMT("fleet_hosts",
                   "SELECT host.id, count(*), max(" RANK ")::bigint,"
                   " (array_agg(f.finding_id ORDER BY " RANK " DESC, f.confidence DESC,"
                   "   f.finding_id))[1],"
                   " max(h.rate_bytes_per_hour), min(h.exhausts_p50)"
                   " FROM finding f JOIN finding_host h USING (finding_id)"
                   " JOIN host USING (host_id) WHERE f.status IN ('open', 'acknowledged')"
                   " GROUP BY host.id ORDER BY host.id COLLATE \"C\"",
                   "", "tiitfz"),
    [VERSIONS] = STMT("fleet_versions",
                      "SELECT host.id, d.version FROM host_driver d JOIN host USING (host_id)"
                      " WHERE d.name = $1 AND d.valid_to IS NULL ORDER BY host.id COLLATE \"C\"",
                      "t", "tt"),
    /* "warning to critical" is worse, "critical to warning" is not. */
    [CHANGES] =
        STMT("fleet_changes",
             "SELECT f.finding_id, f.kind, f.severity, f.summary,"
             " CASE WHEN f.status = 'resolved' THEN 2"
             "   WHEN bool_or(c.change IN ('opened', 'reopened')) THEN 0 ELSE 1 END::bigint,"
             " max(c.at) FROM finding_change c JOIN finding f USING (finding_id)"
             " WHERE c.at >= $1 AND f.status <> 'muted' AND"
             " (CASE f.status WHEN 'resolved' THEN c.change = 'resolved'"
             "   ELSE c.change IN ('opened', 'reopened') OR (c.change = 'severity'"
             "     AND c.note IN ('info to warning', 'info to critical', 'warning to critical'))"
             "   END)"
             " GROUP BY f.finding_id ORDER BY " RANK " DESC, max(c.at) DESC, f.finding_id LIMIT $2",
             "zi", "ttttiz"),
    [FIRST] = STMT("fleet_first",
                   "SELECT host.id, host.name, f.finding_id, h.limit_name, h.exhausts_p10,"
                   " h.exhausts_p50, h.exhausts_p90"
                   " FROM finding f JOIN finding_host h USING (finding_id)"
                   " JOIN host USING (host_id) WHERE f.status IN ('open', 'acknowledged')"
                   " AND h.exhausts_p50 IS NOT NULL"
                   " ORDER BY h.exhausts_p50, host.id LIMIT 1",
                   "", "ttttzzz"),
    [SINCE] = STMT("fleet_since", "SELECT min(first_seen_at) FROM host", "", "z"),
};

const struct stmt_table store_fleet_statements = {statements,
                                                  sizeof statements / sizeof statements[0]};

/* A copy in arena; NULL stays NULL. */
static const char *keep(struct arena *arena, const char *text, bool *failed)
{
    const char *copy = text == NULL ? NULL : arena_strdup(arena, text);
    *failed = *failed || (text != NULL && copy == NULL);
    return copy;
}

enum status store_fleet_hosts(struct db *db, struct store_fleet_hosts *ret_hosts, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct store_fleet_hosts hosts = {0};
    bool failed = false;
    enum status status = db_exec(db, &statements[HOSTS], &(struct db_params){0}, &result, err);

    if (status != ST_OK)
        return status;
    hosts.count = db_rows(result);
    hosts.items = arena_alloc(&hosts.arena, hosts.count, sizeof *hosts.items);
    for (size_t row = 0; hosts.items != NULL && row < hosts.count; row++)
        hosts.items[row] = (struct store_fleet_host){
            .count = {keep(&hosts.arena, db_text(result, row, 0), &failed), db_i64(result, row, 1),
                      (enum finding_severity)db_i64(result, row, 2)},
            .finding_id = keep(&hosts.arena, db_text(result, row, 3), &failed),
            .rate_bytes_per_hour = db_f64(result, row, 4),
            .exhausts_us = db_time(result, row, 5),
        };
    if (hosts.items == NULL || failed) {
        store_fleet_hosts_done(&hosts);
        return err_set(err, ST_NOMEM, "could not read what findings say of hosts: out of memory");
    }
    *ret_hosts = hosts;
    return ST_OK;
}

static int host_compare(const void *key, const void *item)
{
    return strcmp(key, ((const struct store_fleet_host *)item)->count.host_id);
}

const struct store_fleet_host *store_fleet_host(const struct store_fleet_hosts *hosts,
                                                const char *host_id)
{
    return hosts->count == 0
               ? NULL
               : bsearch(host_id, hosts->items, hosts->count, sizeof *hosts->items, host_compare);
}

enum status store_fleet_versions(struct db *db, const char *driver,
                                 struct store_fleet_versions *ret_versions, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct store_fleet_versions versions = {0};
    struct db_params params = {0};
    bool failed = false;

    db_p_text(&params, driver);
    enum status status = db_exec(db, &statements[VERSIONS], &params, &result, err);
    if (status != ST_OK)
        return status;
    versions.count = db_rows(result);
    versions.items = arena_alloc(&versions.arena, versions.count, sizeof *versions.items);
    for (size_t row = 0; versions.items != NULL && row < versions.count; row++) {
        versions.items[row].host_id = keep(&versions.arena, db_text(result, row, 0), &failed);
        versions.items[row].version = keep(&versions.arena, db_text(result, row, 1), &failed);
    }
    if (versions.items == NULL || failed) {
        store_fleet_versions_done(&versions);
        return err_set(err, ST_NOMEM, "could not read a driver's versions: out of memory");
    }
    *ret_versions = versions;
    return ST_OK;
}

static enum status read_changes(struct db *db, int64_t since_us, struct store_fleet_news *news,
                                bool *failed, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};

    db_p_time(&params, since_us);
    db_p_i64(&params, STORE_FLEET_CHANGES_MAX);
    enum status status = db_exec(db, &statements[CHANGES], &params, &result, err);
    if (status != ST_OK)
        return status;
    news->changes = arena_alloc(&news->arena, db_rows(result), sizeof *news->changes);
    *failed = news->changes == NULL;
    news->change_count = *failed ? 0 : db_rows(result);
    for (size_t row = 0; row < news->change_count; row++)
        news->changes[row] = (struct store_fleet_change){
            .finding_id = keep(&news->arena, db_text(result, row, 0), failed),
            .kind = keep(&news->arena, db_text(result, row, 1), failed),
            .severity = keep(&news->arena, db_text(result, row, 2), failed),
            .summary = keep(&news->arena, db_text(result, row, 3), failed),
            .change = (enum store_fleet_change_kind)db_i64(result, row, 4),
            .at_us = db_time(result, row, 5),
        };
    return ST_OK;
}

static enum status read_first(struct db *db, struct store_fleet_news *news, bool *failed,
                              struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    enum status status = db_exec(db, &statements[FIRST], &(struct db_params){0}, &result, err);

    if (status == ST_OK && db_rows(result) > 0)
        news->first = (struct store_fleet_first){
            .host_id = keep(&news->arena, db_text(result, 0, 0), failed),
            .name = keep(&news->arena, db_text(result, 0, 1), failed),
            .finding_id = keep(&news->arena, db_text(result, 0, 2), failed),
            .limit = keep(&news->arena, db_text(result, 0, 3), failed),
            .p10_us = db_time(result, 0, 4),
            .p50_us = db_time(result, 0, 5),
            .p90_us = db_time(result, 0, 6),
        };
    return status;
}

enum status store_fleet_news(struct db *db, int64_t since_us, struct store_fleet_news *ret_news,
                             struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct store_fleet_news news = {0};
    bool failed = false;
    enum status status = read_changes(db, since_us, &news, &failed, err);

    if (status == ST_OK)
        status = read_first(db, &news, &failed, err);
    if (status == ST_OK)
        status = db_exec(db, &statements[SINCE], &(struct db_params){0}, &result, err);
    if (status == ST_OK && failed)
        status = err_set(err, ST_NOMEM, "could not read what is new: out of memory");
    if (status != ST_OK) {
        store_fleet_news_done(&news);
        return status;
    }
    news.since_us = db_time(result, 0, 0);
    *ret_news = news;
    return ST_OK;
}
