/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_rollups.h"

#include "common/strbuf.h"

#include <stdlib.h>
#include <string.h>

#define ANALYZER_LOCK STORE_ANALYZER_LOCK

static const struct stmt statements[] = {
    /* Nothing but this lock keeps two servers from writing an hour twice. */
    STMT("rollup_lock", "SELECT pg_advisory_xact_lock(hashtext('tag_hour'))::text", "", "t"),
    STMT("rollup_clear", "DELETE FROM tag_hour WHERE hour_at = $1", "z", ""),
    STMT("rollup_add",
         "INSERT INTO tag_hour (hour_at, pool, tag, hosts, sum_bytes, p50_bytes, p90_bytes,"
         " p99_bytes, max_bytes, outstanding, size_hosts)"
         " SELECT $1, r.pool, r.tag, r.hosts::integer, r.sum, r.p50, r.p90, r.p99, r.max,"
         " r.outstanding, r.size_hosts::integer[]"
         " FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],"
         " $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::text[])"
         " AS r (pool, tag, hosts, sum, p50, p90, p99, max, outstanding, size_hosts)",
         "zTTIIIIIIIT", ""),
    STMT("rollup_dirty",
         "SELECT date_trunc('hour', taken_at, 'UTC') AS hour, max(received_at)"
         " FROM snapshot_arrived($1) GROUP BY 1 ORDER BY 1",
         "z", "zz"),
    STMT("job_mark_get", "SELECT mark_at FROM job_mark WHERE name = $1", "t", "z"),
    STMT("job_mark_set",
         "INSERT INTO job_mark (name, mark_at) VALUES ($1, $2)"
         " ON CONFLICT (name) DO UPDATE SET mark_at = excluded.mark_at",
         "tz", ""),
    STMT("rollup_newest", "SELECT max(hour_at) FROM tag_hour", "", "z"),
    STMT("rollup_series",
         "SELECT hour_at, hosts::bigint, sum_bytes, p50_bytes, p90_bytes, p99_bytes, max_bytes"
         " FROM tag_hour WHERE pool = $1 AND tag = $2 AND hour_at BETWEEN $3 AND $4"
         " ORDER BY hour_at",
         "ttzz", "ziiiiii"),
    /* A host that has only enrolled has no snapshot, and no keyframe. */
    STMT("newest_taken_at", "SELECT max(last_seen_at) FROM host WHERE keyframe_at IS NOT NULL", "",
         "z"),
    STMT("newest_taken_until",
         "SELECT max(newest.taken_at) FROM host, LATERAL (SELECT taken_at FROM snapshot WHERE"
         " host_id = host.host_id AND taken_at <= $1 ORDER BY taken_at DESC LIMIT 1) newest"
         " WHERE host.first_seen_at <= $1",
         "z", "z"),
    STMT("analyzer_lock", "SELECT pg_try_advisory_lock(" ANALYZER_LOCK ")", "", "b"),
    STMT("analyzer_unlock", "SELECT pg_advisory_unlock(" ANALYZER_LOCK ")", "", "b"),
};

enum {
    ROLLUP_LOCK,
    ROLLUP_CLEAR,
    ROLLUP_ADD,
    ROLLUP_DIRTY,
    MARK_GET,
    MARK_SET,
    ROLLUP_NEWEST,
    ROLLUP_SERIES,
    NEWEST_TAKEN_AT,
    NEWEST_TAKEN_UNTIL,
    ANALYZER_LOCK_TAKE,
    ANALYZER_UNLOCK
};

const struct stmt_table store_rollups_statements = {statements,
                                                    sizeof statements / sizeof statements[0]};

/* ---- writing ---------------------------------------------------------------- */

struct write_call {
    int64_t hour_us;
    const struct rollup_row *rows;
    size_t count;
};

/* Numbers in the order of the statement's arrays. */
enum { HOSTS, SUM, P50, P90, P99, MAX, OUTSTANDING, NUMBERS };

struct write_columns {
    const char **pools, **tags, **size_hosts;
    int64_t *numbers[NUMBERS];
};

static bool columns_alloc(struct arena *arena, size_t count, struct write_columns *columns)
{
    columns->pools = arena_alloc(arena, count, sizeof *columns->pools);
    columns->tags = arena_alloc(arena, count, sizeof *columns->tags);
    columns->size_hosts = arena_alloc(arena, count, sizeof *columns->size_hosts);
    bool ok = columns->pools != NULL && columns->tags != NULL && columns->size_hosts != NULL;
    for (size_t i = 0; i < NUMBERS; i++) {
        columns->numbers[i] = arena_alloc(arena, count, sizeof *columns->numbers[i]);
        ok = ok && columns->numbers[i] != NULL;
    }
    return ok;
}

/* "[17:19]={1,0,3}": from the smallest size to the largest. */
static const char *size_hosts_text(struct arena *arena, const uint32_t *buckets)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    size_t first = 0, last = ROLLUP_BUCKETS - 1;

    while (first < last && buckets[first] == 0)
        first++;
    while (last > first && buckets[last] == 0)
        last--;
    strbuf_printf(&text, "[%zu:%zu]=", first, last);
    for (size_t i = first; i <= last; i++) {
        strbuf_putc(&text, i == first ? '{' : ',');
        strbuf_u64(&text, buckets[i]);
    }
    strbuf_putc(&text, '}');
    return strbuf_failed(&text) ? NULL : arena_strdup(arena, text.data);
}

static bool columns_fill(struct arena *arena, const struct write_call *call,
                         struct write_columns *to)
{
    for (size_t i = 0; i < call->count; i++) {
        const struct rollup_row *row = &call->rows[i];
        char tag[TAG_TEXT_MAX];
        tag_format(row->tag, tag);
        to->pools[i] = pool_name(row->pool);
        to->tags[i] = arena_strdup(arena, tag);
        to->size_hosts[i] = size_hosts_text(arena, row->buckets);
        to->numbers[HOSTS][i] = row->hosts;
        to->numbers[SUM][i] = row->sum_bytes;
        to->numbers[P50][i] = row->p50_bytes;
        to->numbers[P90][i] = row->p90_bytes;
        to->numbers[P99][i] = row->p99_bytes;
        to->numbers[MAX][i] = row->max_bytes;
        to->numbers[OUTSTANDING][i] = row->outstanding;
        if (to->tags[i] == NULL || to->size_hosts[i] == NULL)
            return false;
    }
    return true;
}

static enum status write_tx(struct db *db, void *arg, struct err *err)
{
    const struct write_call *call = arg;
    AUTO_ARENA struct arena arena = {0};
    struct write_columns columns;
    struct db_params params = {0};

    enum status status = db_exec(db, &statements[ROLLUP_LOCK], &params, NULL, err);
    if (status != ST_OK)
        return status;
    db_p_time(&params, call->hour_us);
    status = db_exec(db, &statements[ROLLUP_CLEAR], &params, NULL, err);
    if (status != ST_OK || call->count == 0)
        return status;
    if (!columns_alloc(&arena, call->count, &columns) || !columns_fill(&arena, call, &columns))
        return err_set(err, ST_NOMEM, "could not write a rollup: out of memory");
    db_p_text_array(&params, columns.pools, call->count);
    db_p_text_array(&params, columns.tags, call->count);
    for (size_t i = 0; i < NUMBERS; i++)
        db_p_i64_array(&params, columns.numbers[i], call->count);
    db_p_text_array(&params, columns.size_hosts, call->count);
    return db_exec(db, &statements[ROLLUP_ADD], &params, NULL, err);
}

enum status store_rollup_write(struct db *db, int64_t hour_us, const struct rollup_row *rows,
                               size_t count, struct err *err)
{
    struct write_call call = {hour_us, rows, count};
    return db_tx(db, "rollup_write", write_tx, &call, err);
}

enum status store_mark_set(struct db *db, const char *name, int64_t mark_us, struct err *err)
{
    struct db_params params = {0};

    db_p_text(&params, name);
    db_p_time(&params, mark_us);
    return db_exec(db, &statements[MARK_SET], &params, NULL, err);
}

/* ---- reading ---------------------------------------------------------------- */

static enum status read_time(struct db *db, const struct stmt *stmt, const struct db_params *params,
                             int64_t *ret_us, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    enum status status = db_exec(db, stmt, params, &result, err);

    if (status == ST_OK)
        *ret_us = db_rows(result) == 0 ? TIME_UNKNOWN : db_time(result, 0, 0);
    return status;
}

enum status store_mark_get(struct db *db, const char *name, int64_t *ret_mark_us, struct err *err)
{
    struct db_params params = {0};
    db_p_text(&params, name);
    return read_time(db, &statements[MARK_GET], &params, ret_mark_us, err);
}

enum status store_rollup_newest(struct db *db, int64_t *ret_hour_us, struct err *err)
{
    return read_time(db, &statements[ROLLUP_NEWEST], &(struct db_params){0}, ret_hour_us, err);
}

enum status store_newest_taken_at(struct db *db, int64_t *ret_taken_at_us, struct err *err)
{
    return read_time(db, &statements[NEWEST_TAKEN_AT], &(struct db_params){0}, ret_taken_at_us,
                     err);
}

enum status store_newest_taken_until(struct db *db, int64_t until_us, int64_t *ret_taken_at_us,
                                     struct err *err)
{
    struct db_params params = {0};
    db_p_time(&params, until_us);
    return read_time(db, &statements[NEWEST_TAKEN_UNTIL], &params, ret_taken_at_us, err);
}

enum status store_rollup_dirty(struct db *db, int64_t received_us, int64_t **ret_hours,
                               size_t *ret_count, int64_t *ret_received_us, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    int64_t newest = received_us;

    db_p_time(&params, received_us);
    enum status status = db_exec(db, &statements[ROLLUP_DIRTY], &params, &result, err);
    if (status != ST_OK)
        return status;
    int64_t *hours = calloc(db_rows(result) + 1, sizeof *hours);
    if (hours == NULL)
        return err_set(err, ST_NOMEM, "could not list hours: out of memory");
    for (size_t row = 0; row < db_rows(result); row++) {
        hours[row] = db_time(result, row, 0);
        if (db_time(result, row, 1) > newest)
            newest = db_time(result, row, 1);
    }
    *ret_hours = hours;
    *ret_count = db_rows(result);
    *ret_received_us = newest;
    return ST_OK;
}

enum status store_rollup_series(struct db *db, enum pool pool, uint32_t tag, int64_t from_us,
                                int64_t to_us, struct rollup_series *ret_series, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct rollup_series series = {0};
    int64_t **columns[] = {&series.hour_us, &series.hosts, &series.sum, &series.p50,
                           &series.p90,     &series.p99,   &series.max};
    char text[TAG_TEXT_MAX];
    struct db_params params = {0};

    tag_format(tag, text);
    db_p_text(&params, pool_name(pool));
    db_p_text(&params, text);
    db_p_time(&params, from_us);
    db_p_time(&params, to_us);
    enum status status = db_exec(db, &statements[ROLLUP_SERIES], &params, &result, err);
    if (status != ST_OK)
        return status;
    series.count = db_rows(result);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        *columns[i] = arena_alloc(&series.arena, series.count, sizeof **columns[i]);
        if (*columns[i] == NULL) {
            rollup_series_done(&series);
            return err_set(err, ST_NOMEM, "could not read a series: out of memory");
        }
        for (size_t row = 0; row < series.count; row++)
            (*columns[i])[row] = i == 0 ? db_time(result, row, 0) : db_i64(result, row, i);
    }
    *ret_series = series;
    return ST_OK;
}

static enum status read_bool(struct db *db, const struct stmt *stmt, bool *ret_value,
                             struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    enum status status = db_exec(db, stmt, &(struct db_params){0}, &result, err);

    if (status == ST_OK)
        *ret_value = db_rows(result) == 1 && db_bool(result, 0, 0);
    return status;
}

enum status store_analyzer_lock(struct db *db, bool *ret_locked, struct err *err)
{
    return read_bool(db, &statements[ANALYZER_LOCK_TAKE], ret_locked, err);
}

enum status store_analyzer_unlock(struct db *db, struct err *err)
{
    bool held;
    return read_bool(db, &statements[ANALYZER_UNLOCK], &held, err);
}
