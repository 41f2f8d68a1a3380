/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_history.h"

#include "common/arena.h"
#include "common/strbuf.h"
#include "server/store/registry.h"

#include <stdlib.h>

enum {
    FORGET,
    NEWEST_RECEIVED,
    NEXT_DAY,
    HOSTS,
    CLEAR_TAGS,
    CLEAR_OLD_TAGS,
    CLEAR_HOURS,
    ADD_HOURS,
    ADD_TAGS
};
#define TOTALS                                                                                     \
    "nonpaged_bytes, paged_bytes, nonpaged_limit_bytes, paged_limit_bytes, commit_bytes,"          \
    " commit_limit_bytes, physical_bytes, available_bytes, handles, processes, threads,"           \
    " alloc_failures"
/* Of host h: it has snapshots of that day, and nothing in host_hour. */
#define WITHOUT_HISTORY(day)                                                                       \
    "EXISTS (SELECT FROM snapshot s WHERE s.host_id = h.host_id AND s.taken_at >= " day            \
    " AND s.taken_at < " day " + interval '1 day') AND NOT EXISTS (SELECT FROM host_hour o"        \
    " WHERE o.host_id = h.host_id AND o.hour_at >= " day " AND o.hour_at < " day                   \
    " + interval '1 day')"
static const struct stmt statements[] = {
    [FORGET] = STMT("history_forget",
                    "WITH late AS (SELECT DISTINCT host_id, date_trunc('day', taken_at, 'UTC') AS"
                    " day FROM snapshot_arrived($1) WHERE taken_at < $2 AND taken_at >= $3),"
                    " gone AS (DELETE FROM host_hour h USING late l WHERE h.host_id = l.host_id"
                    " AND h.hour_at >= l.day AND h.hour_at < l.day + interval '1 day')"
                    " SELECT min(day) FROM late",
                    "zzz", "z"),
    [NEWEST_RECEIVED] = STMT("history_newest_received",
                             "SELECT max(received_at) FROM snapshot_arrived($1)", "z", "z"),
    /* By host and not by snapshot: two looks into indexes each. */
    [NEXT_DAY] = STMT("history_next_day",
                      "SELECT d.day FROM generate_series($1, $2 - interval '1 day', '1 day')"
                      " AS d (day) WHERE EXISTS (SELECT FROM host h WHERE " WITHOUT_HISTORY(
                          "d.day") ") ORDER BY 1 LIMIT 1",
                      "zz", "z"),
    [HOSTS] = STMT("history_hosts",
                   "SELECT h.host_id FROM host h WHERE " WITHOUT_HISTORY(
                       "$1::timestamptz") " ORDER BY 1 LIMIT 200",
                   "z", "i"),
    [CLEAR_TAGS] = STMT("history_clear_tags",
                        "DELETE FROM host_pool_day WHERE host_id = $1 AND day_at = $2", "iz", ""),
    [CLEAR_OLD_TAGS] =
        STMT("history_clear_old_tags",
             "DELETE FROM host_tag_day WHERE host_id = $1 AND day_at = $2", "iz", ""),
    [CLEAR_HOURS] = STMT("history_clear_hours",
                         "DELETE FROM host_hour WHERE host_id = $1 AND hour_at >= $2"
                         " AND hour_at < $2 + interval '1 day'",
                         "iz", ""),
    [ADD_HOURS] =
        STMT("history_add_hours",
             "INSERT INTO host_hour (host_id, hour_at, boot_at, snapshots, " TOTALS ")"
             " SELECT DISTINCT ON (hour) $1, hour, boot_at, (count(*) OVER (PARTITION BY hour))"
             "::integer, " TOTALS " FROM (SELECT *, date_trunc('hour', taken_at, 'UTC') AS hour"
             " FROM snapshot WHERE host_id = $1 AND taken_at >= $2"
             " AND taken_at < $2 + interval '1 day') AS s"
             " ORDER BY hour, taken_at DESC, sequence DESC NULLS LAST",
             "iz", ""),
    [ADD_TAGS] = STMT("history_add_tags",
                      "INSERT INTO host_pool_day (host_id, day_at, pool, tags, bytes)"
                      " SELECT $1, $2, g.pool, array_agg(g.tag ORDER BY g.tag COLLATE \"C\"),"
                      " array_agg(g.bytes::bigint[] ORDER BY g.tag COLLATE \"C\")"
                      " FROM unnest($3::text[], $4::text[], $5::text[]) AS g (pool, tag, bytes)"
                      " GROUP BY g.pool",
                      "izTTT", ""),
};
const struct stmt_table store_history_statements = {statements,
                                                    sizeof statements / sizeof *statements};

static enum status read_time(struct db *db, int which, const struct db_params *params,
                             int64_t *ret_us, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    enum status status = db_exec(db, &statements[which], params, &result, err);
    if (status == ST_OK)
        *ret_us = db_rows(result) == 0 ? TIME_UNKNOWN : db_time(result, 0, 0);
    return status;
}

enum status store_history_forget(struct db *db, int64_t received_us, int64_t whole_us,
                                 int64_t done_us, int64_t *ret_oldest_us, int64_t *ret_received_us,
                                 struct err *err)
{
    struct db_params newest = {0}, forget = {0};
    db_p_time(&newest, received_us);
    /* The mark first: what comes while we look is found the next time. */
    enum status status = read_time(db, NEWEST_RECEIVED, &newest, ret_received_us, err);
    *ret_oldest_us = TIME_UNKNOWN;
    if (status != ST_OK || received_us == TIME_UNKNOWN || done_us == TIME_UNKNOWN)
        return status;
    db_p_time(&forget, received_us);
    db_p_time(&forget, done_us);
    db_p_time(&forget, whole_us);
    return read_time(db, FORGET, &forget, ret_oldest_us, err);
}

enum status store_history_next_day(struct db *db, int64_t from_us, int64_t until_us,
                                   int64_t *ret_day_us, struct err *err)
{
    struct db_params params = {0};
    db_p_time(&params, from_us);
    db_p_time(&params, until_us);
    return read_time(db, NEXT_DAY, &params, ret_day_us, err);
}

enum status store_history_hosts(struct db *db, int64_t day_us, int64_t **ret_keys,
                                size_t *ret_count, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_time(&params, day_us);
    enum status status = db_exec(db, &statements[HOSTS], &params, &result, err);
    if (status != ST_OK)
        return status;
    int64_t *keys = calloc(db_rows(result) + 1, sizeof *keys);
    if (keys == NULL)
        return err_set(err, ST_NOMEM, "could not list hosts: out of memory");
    for (size_t i = 0; i < db_rows(result); i++)
        keys[i] = db_i64(result, i, 0);
    *ret_keys = keys;
    *ret_count = db_rows(result);
    return ST_OK;
}

/* ---- writing --------------------------------------------------------------- */

struct write_call {
    int64_t host_key;
    int64_t day_us;
    const struct history_row *rows;
    size_t count;
};

/* "{12,NULL,...}" */
static const char *bytes_text(struct arena *arena, const int64_t bytes[HISTORY_HOURS])
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    for (int hour = 0; hour < HISTORY_HOURS; hour++) {
        strbuf_putc(&text, hour == 0 ? '{' : ',');
        if (bytes[hour] < 0)
            strbuf_puts(&text, "NULL");
        else
            strbuf_i64(&text, bytes[hour]);
    }
    strbuf_putc(&text, '}');
    return strbuf_failed(&text) ? NULL : arena_strdup(arena, text.data);
}

static enum status add_tags(struct db *db, const struct write_call *call, struct err *err)
{
    AUTO_ARENA struct arena arena = {0};
    const char **columns[3];
    bool room = true;
    for (int c = 0; c < 3; c++)
        room = (columns[c] = arena_alloc(&arena, call->count, sizeof *columns[c])) != NULL && room;
    for (size_t i = 0; room && i < call->count; i++) {
        char tag[TAG_TEXT_MAX];
        tag_format(call->rows[i].tag, tag);
        columns[0][i] = pool_name(call->rows[i].pool);
        columns[1][i] = arena_strdup(&arena, tag);
        columns[2][i] = bytes_text(&arena, call->rows[i].bytes);
        room = columns[1][i] != NULL && columns[2][i] != NULL;
    }
    if (!room)
        return err_set(err, ST_NOMEM, "could not write history: out of memory");
    struct db_params params = {0};
    db_p_i64(&params, call->host_key);
    db_p_time(&params, call->day_us);
    for (int c = 0; c < 3; c++)
        db_p_text_array(&params, columns[c], call->count);
    return db_exec(db, &statements[ADD_TAGS], &params, NULL, err);
}

static enum status write_tx(struct db *db, void *arg, struct err *err)
{
    static const int steps[] = {CLEAR_TAGS, CLEAR_OLD_TAGS, CLEAR_HOURS, ADD_HOURS};
    const struct write_call *call = arg;
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < sizeof steps / sizeof steps[0]; i++) {
        struct db_params params = {0};
        db_p_i64(&params, call->host_key);
        db_p_time(&params, call->day_us);
        status = db_exec(db, &statements[steps[i]], &params, NULL, err);
    }
    return status == ST_OK && call->count > 0 ? add_tags(db, call, err) : status;
}

enum status store_history_write(struct db *db, int64_t host_key, int64_t day_us,
                                const struct history_row *rows, size_t count, struct err *err)
{
    struct write_call call = {host_key, day_us, rows, count};
    return db_tx(db, "write history", write_tx, &call, err);
}
