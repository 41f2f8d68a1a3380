/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_server.h"

#include "server/store/store_rollups.h"

#include <math.h>
#include <string.h>

enum { DATABASE, ANALYZER, PARTS, FOLDER, HOST_ID };

static const struct stmt statements[] = {
    [DATABASE] = STMT("server_database",
                      "SELECT pg_database_size(current_database()), "
                      "current_setting('server_version'), "
                      "(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()), "
                      "current_setting('max_connections')::int8",
                      "", "itii"),
    /* A lock on one number is kept as its two halves. */
    [ANALYZER] =
        STMT("server_analyzer",
             "SELECT a.pid::int8, a.application_name, host(a.client_addr), a.backend_start "
             "FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) "
             "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
             "AND l.database = (SELECT oid FROM pg_database "
             "WHERE datname = current_database()) "
             "AND ((l.classid::int8 << 32) | l.objid::int8) = " STORE_ANALYZER_LOCK,
             "", "ittz"),
    [PARTS] = STMT("server_parts",
                   "SELECT coalesce(parent.relname, c.relname)::text, c.relname::text, "
                   "(regexp_match(b.bound, $$FROM \\('([^']+)'\\)$$))[1]::timestamptz, "
                   "(regexp_match(b.bound, $$TO \\('([^']+)'\\)$$))[1]::timestamptz, "
                   "pg_total_relation_size(c.oid), c.reltuples::int8 "
                   "FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
                   "LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid "
                   "LEFT JOIN pg_class AS parent ON parent.oid = i.inhparent "
                   "CROSS JOIN LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid) AS bound) AS b "
                   "WHERE n.nspname = 'public' AND c.relkind = 'r' ORDER BY 1, 3, 2",
                   "", "ttzzii"),
    [FOLDER] = STMT("server_folder",
                    "SELECT setting FROM pg_settings WHERE name = 'data_directory' "
                    "AND (inet_server_addr() IS NULL OR inet_server_addr() <<= '127.0.0.0/8' "
                    "OR inet_server_addr() = '::1')",
                    "", "t"),
    [HOST_ID] = STMT("server_host_id", "SELECT id FROM host WHERE host_id = $1", "i", "t"),
};

const struct stmt_table store_server_statements = {statements,
                                                   sizeof statements / sizeof statements[0]};

static void copy(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text == NULL ? "" : text);
}

enum status store_database_read(struct db *db, struct store_database *ret_database, struct err *err)
{
    AUTO_DBRESULT struct db_result *base = NULL;
    AUTO_DBRESULT struct db_result *holder = NULL;
    struct db_params none = {0};
    struct store_database database = {.analyzer_since_us = TIME_UNKNOWN};
    enum status status = db_exec(db, &statements[DATABASE], &none, &base, err);

    if (status == ST_OK)
        status = db_exec(db, &statements[ANALYZER], &none, &holder, err);
    if (status != ST_OK)
        return status;
    database.size_bytes = db_i64(base, 0, 0);
    copy(database.version, sizeof database.version, db_text(base, 0, 1));
    database.connections = db_i64(base, 0, 2);
    database.connections_max = db_i64(base, 0, 3);
    if (db_rows(holder) > 0) {
        database.analyzer_held = true;
        database.analyzer_pid = db_i64(holder, 0, 0);
        copy(database.analyzer_name, sizeof database.analyzer_name, db_text(holder, 0, 1));
        copy(database.analyzer_address, sizeof database.analyzer_address, db_text(holder, 0, 2));
        database.analyzer_since_us = db_time(holder, 0, 3);
    }
    *ret_database = database;
    return ST_OK;
}

void store_parts_done(struct store_parts *parts)
{
    arena_done(&parts->arena);
    *parts = (struct store_parts){0};
}

enum status store_parts_read(struct db *db, struct store_parts *ret_parts, struct err *err)
{
    AUTO_STORE_PARTS struct store_parts parts = {0};
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params none = {0};
    enum status status = db_exec(db, &statements[PARTS], &none, &result, err);

    if (status != ST_OK)
        return status;
    parts.count = db_rows(result);
    parts.items = arena_alloc(&parts.arena, parts.count + 1, sizeof *parts.items);
    bool ok = parts.items != NULL;
    for (size_t i = 0; ok && i < parts.count; i++) {
        parts.items[i] =
            (struct store_part){.table = arena_strdup(&parts.arena, db_text(result, i, 0)),
                                .name = arena_strdup(&parts.arena, db_text(result, i, 1)),
                                .from_us = db_time(result, i, 2),
                                .to_us = db_time(result, i, 3),
                                .bytes = db_i64(result, i, 4),
                                .rows = db_i64(result, i, 5)};
        ok = parts.items[i].table != NULL && parts.items[i].name != NULL;
    }
    if (!ok)
        return err_set(err, ST_NOMEM, "could not read the partitions: out of memory");
    *ret_parts = parts;
    parts = (struct store_parts){0};
    return ST_OK;
}

double store_parts_growth(const struct store_parts *parts, const char *table, int64_t now_us)
{
    double bytes = 0, days = 0;

    for (size_t i = 0; i < parts->count; i++) {
        const struct store_part *part = &parts->items[i];
        if (part->from_us == TIME_UNKNOWN || strcmp(part->table, table) != 0 ||
            part->to_us <= now_us - 7 * US_PER_DAY || part->from_us >= now_us)
            continue;
        int64_t end = part->to_us < now_us ? part->to_us : now_us;
        bytes += (double)part->bytes;
        days += (double)(end - part->from_us) / (double)US_PER_DAY;
    }
    return days < 0.25 ? NAN : bytes / days; /* chosen: a part of a day says little of a day */
}

enum status store_data_folder(struct db *db, char *ret_path, size_t size, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params none = {0};
    enum status status = db_exec(db, &statements[FOLDER], &none, &result, err);

    if (status == ST_OK)
        copy(ret_path, size, db_rows(result) == 0 ? NULL : db_text(result, 0, 0));
    return status;
}

enum status store_host_id_of(struct db *db, int64_t host_key, char ret_id[LIMIT_HOST_ID_BYTES + 1],
                             struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};

    db_p_i64(&params, host_key);
    enum status status = db_exec(db, &statements[HOST_ID], &params, &result, err);
    if (status == ST_OK)
        copy(ret_id, LIMIT_HOST_ID_BYTES + 1, db_rows(result) > 0 ? db_text(result, 0, 0) : NULL);
    return status;
}
