/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_tag_hours.h"

#include <stdlib.h>

enum { BUCKETS, SUMS };
static const struct stmt statements[] = {
    [BUCKETS] = STMT("tag_hours_buckets",
                     "SELECT hour_at, coalesce(buckets, array_fill(0::bigint,"
                     " ARRAY[array_lower(size_hosts, 1)]) || size_hosts::bigint[])"
                     " FROM tag_hour WHERE pool = $1 AND tag = $2"
                     " AND hour_at BETWEEN $3 AND $4"
                     " AND extract(epoch FROM $4 - hour_at)::bigint % $5 = 0 ORDER BY hour_at",
                     "ttzzi", "zI"),
    [SUMS] = STMT("tag_hours_sums",
                  "SELECT t.pool, t.tag, g.place, t.sum_bytes FROM unnest($1::timestamptz[])"
                  " WITH ORDINALITY AS g (hour_at, place) JOIN tag_hour t USING (hour_at)"
                  " ORDER BY t.pool COLLATE \"C\", t.tag COLLATE \"C\"",
                  "Z", "ttii"),
};
const struct stmt_table store_tag_hours_statements = {statements,
                                                      sizeof statements / sizeof *statements};

enum status store_tag_buckets(struct db *db, enum pool pool, uint32_t tag, int64_t from_us,
                              int64_t to_us, int64_t step_us, struct tag_hours_buckets *ret_buckets,
                              struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct tag_hours_buckets buckets = {0};
    struct db_params params = {0};
    char text[TAG_TEXT_MAX];

    tag_format(tag, text);
    db_p_text(&params, pool_name(pool));
    db_p_text(&params, text);
    db_p_time(&params, from_us);
    db_p_time(&params, to_us);
    db_p_i64(&params, step_us / US_PER_SECOND);
    enum status status = db_exec(db, &statements[BUCKETS], &params, &result, err);
    if (status != ST_OK)
        return status;
    buckets.count = db_rows(result);
    buckets.hours = arena_alloc(&buckets.arena, buckets.count, sizeof *buckets.hours);
    bool ok = buckets.hours != NULL;
    for (size_t i = 0; ok && i < buckets.count; i++) {
        struct tag_hour_buckets *hour = &buckets.hours[i];
        hour->hour_us = db_time(result, i, 0);
        hour->count = db_array_count(result, i, 1);
        hour->hosts = arena_alloc(&buckets.arena, hour->count, sizeof *hour->hosts);
        ok = hour->hosts != NULL;
        for (size_t k = 0; ok && k < hour->count; k++)
            hour->hosts[k] = db_array_i64(result, i, 1, k);
    }
    if (!ok) {
        tag_hours_buckets_done(&buckets);
        return err_set(err, ST_NOMEM, "could not read the hours of a tag: out of memory");
    }
    *ret_buckets = buckets;
    return ST_OK;
}

enum status store_tag_sums(struct db *db, const int64_t *hours_us, size_t count,
                           struct db_result **ret_rows, struct err *err)
{
    struct db_params params = {0};

    db_p_time_array(&params, hours_us, count);
    return db_exec(db, &statements[SUMS], &params, ret_rows, err);
}
