/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_seal.h"

#include "server/chunk/sealed.h"
#include "server/store/registry.h"

#include <stdlib.h>

/* Hosts of one step; chosen: about 10 MB of blocks, a second of work. */
#define STEP_HOSTS "20"

enum { PARTITIONS, PROGRESS, NOTE, NEXT_HOST, WORK, UPDATE, INSERT, TRIM, RETIRE };
static const struct stmt statements[] = {
    [PARTITIONS] =
        STMT("seal_partitions", "SELECT from_at, to_at FROM snapshot_block_partitions() ORDER BY 1",
             "", "zz"),
    [PROGRESS] = STMT("seal_progress",
                      "SELECT coalesce(max(host_id), 0), coalesce(sum(block_count), 0)::bigint"
                      " FROM seal_progress WHERE block_from_at = $1",
                      "z", "ii"),
    [NOTE] = STMT("seal_note",
                  "INSERT INTO seal_progress (block_from_at, host_id, block_count)"
                  " VALUES ($1, $2, $3)",
                  "zii", ""),
    [NEXT_HOST] = STMT("seal_next_host",
                       "SELECT min(host_id) FROM snapshot_block WHERE received_at >= $1"
                       " AND received_at < $2 AND host_id > $3",
                       "zzi", "i"),
    [WORK] =
        STMT("seal_work",
             "SELECT host_id, span, rows, (SELECT count(*) FROM snapshot s"
             " WHERE s.host_id = w.host_id AND s.taken_at >= span"
             " AND s.taken_at < span + interval '12 hours') = (SELECT sum(c.snapshots)"
             " FROM snapshot_chunk c WHERE c.host_id = w.host_id AND c.span_at >= span"
             " AND c.span_at < span + interval '12 hours') IS TRUE FROM (SELECT host_id,"
             " date_bin('12 hours', taken_at, '2000-01-01 00:00:00+00') AS span, count(*) AS rows"
             " FROM snapshot_block WHERE received_at >= $1 AND received_at < $2"
             " AND host_id >= $3 AND host_id < $3 + " STEP_HOSTS " GROUP BY 1, 2) AS w"
             " ORDER BY 1, 2",
             "zzi", "izib"),
    [UPDATE] =
        STMT("seal_update",
             "UPDATE snapshot_chunk SET snapshots = $5, sealed_at = $6, head = $7, chunk = $8,"
             " group_keys = $9::bigint[]::integer[], group_ends = $10::bigint[]::integer[]"
             " WHERE host_id = $1 AND span_at = $2 AND boot_at IS NOT DISTINCT FROM $3"
             " AND part = $4",
             "izzddzxxII", ""),
    [INSERT] = STMT("seal_insert",
                    "INSERT INTO snapshot_chunk (host_id, span_at, boot_at, part, snapshots,"
                    " sealed_at, head, chunk, group_keys, group_ends) VALUES ($1, $2, $3, $4, $5,"
                    " $6, $7, $8, $9::bigint[]::integer[], $10::bigint[]::integer[])",
                    "izzddzxxII", ""),
    [TRIM] = STMT("seal_trim",
                  "DELETE FROM snapshot_chunk WHERE host_id = $1 AND span_at >= $2"
                  " AND span_at < $2 + interval '12 hours' AND boot_at IS NOT DISTINCT FROM $3"
                  " AND (part >= $4 OR span_at > $2)",
                  "izzd", ""),
    [RETIRE] = STMT("seal_retire", "SELECT snapshot_block_retire($1, $2)", "zi", "i"),
};
const struct stmt_table store_seal_statements = {statements,
                                                 sizeof statements / sizeof *statements};

enum status store_seal_partitions(struct db *db, struct seal_partition **ret_items,
                                  size_t *ret_count, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    enum status status = db_exec(db, &statements[PARTITIONS], &params, &result, err);
    if (status != ST_OK)
        return status;
    size_t count = db_rows(result);
    struct seal_partition *items = calloc(count + 1, sizeof *items);
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not seal snapshots: out of memory");
    for (size_t i = 0; i < count; i++)
        items[i] = (struct seal_partition){db_time(result, i, 0), db_time(result, i, 1)};
    *ret_items = items;
    *ret_count = count;
    return ST_OK;
}

enum status store_seal_progress(struct db *db, const struct seal_partition *partition,
                                int64_t *ret_host_key, int64_t *ret_rows, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_time(&params, partition->from_us);
    enum status status = db_exec(db, &statements[PROGRESS], &params, &result, err);
    if (status != ST_OK)
        return status;
    *ret_host_key = db_i64(result, 0, 0);
    *ret_rows = db_i64(result, 0, 1);
    return ST_OK;
}

enum status store_seal_note(struct db *db, const struct seal_partition *partition, int64_t host_key,
                            int64_t rows, struct err *err)
{
    struct db_params params = {0};
    db_p_time(&params, partition->from_us);
    db_p_i64(&params, host_key);
    db_p_i64(&params, rows);
    return db_exec(db, &statements[NOTE], &params, NULL, err);
}

enum status store_seal_work(struct db *db, const struct seal_partition *partition, int64_t after,
                            struct seal_work **ret_items, size_t *ret_count, int64_t *ret_last,
                            struct err *err)
{
    AUTO_DBRESULT struct db_result *next = NULL;
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0}, work = {0};
    db_p_time(&params, partition->from_us);
    db_p_time(&params, partition->to_us);
    db_p_i64(&params, after);
    *ret_items = NULL;
    *ret_count = 0;
    enum status status = db_exec(db, &statements[NEXT_HOST], &params, &next, err);
    if (status != ST_OK || db_rows(next) == 0 || db_null(next, 0, 0))
        return status;
    db_p_time(&work, partition->from_us);
    db_p_time(&work, partition->to_us);
    db_p_i64(&work, db_i64(next, 0, 0));
    status = db_exec(db, &statements[WORK], &work, &result, err);
    if (status != ST_OK)
        return status;
    size_t count = db_rows(result);
    struct seal_work *items = calloc(count + 1, sizeof *items);
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not seal snapshots: out of memory");
    for (size_t i = 0; i < count; i++)
        items[i] = (struct seal_work){db_i64(result, i, 0), db_time(result, i, 1),
                                      db_i64(result, i, 2), db_bool(result, i, 3)};
    *ret_items = items;
    *ret_count = count;
    *ret_last = count == 0 ? after : items[count - 1].host_key;
    return ST_OK;
}

enum status store_seal_write(struct db *db, int64_t host_key, int64_t span_us, int64_t boot_at_us,
                             int32_t part, int64_t snapshots, const void *chunk, size_t length,
                             int64_t now_us, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    CLEANUP(sealed_slices_done) struct sealed_slices slices = {0};
    struct db_params params = {0};
    enum status status = sealed_slices(chunk, length, &slices, err);
    if (status != ST_OK)
        return status;
    db_p_i64(&params, host_key);
    db_p_time(&params, span_us);
    db_p_time(&params, boot_at_us);
    db_p_i32(&params, part);
    db_p_i32(&params, (int32_t)snapshots);
    db_p_time(&params, now_us);
    db_p_bytes(&params, slices.head_length == 0 ? NULL : chunk, slices.head_length);
    db_p_bytes(&params, (const unsigned char *)chunk + slices.head_length,
               length - slices.head_length);
    if (slices.count == 0) {
        db_p_null(&params, 'I');
        db_p_null(&params, 'I');
    } else {
        db_p_i64_array(&params, slices.keys, slices.count);
        db_p_i64_array(&params, slices.ends, slices.count + 1);
    }
    status = db_exec(db, &statements[UPDATE], &params, &result, err);
    if (status == ST_OK && db_affected(result) == 0)
        status = db_exec(db, &statements[INSERT], &params, NULL, err);
    return status;
}

enum status store_seal_trim(struct db *db, int64_t host_key, int64_t span_us, int64_t boot_at_us,
                            int32_t part, struct err *err)
{
    struct db_params params = {0};
    db_p_i64(&params, host_key);
    db_p_time(&params, span_us);
    db_p_time(&params, boot_at_us);
    db_p_i32(&params, part);
    return db_exec(db, &statements[TRIM], &params, NULL, err);
}

enum status store_seal_retire(struct db *db, const struct seal_partition *partition, int64_t rows,
                              bool *ret_dropped, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_time(&params, partition->from_us);
    db_p_i64(&params, rows);
    enum status status = db_exec(db, &statements[RETIRE], &params, &result, err);
    if (status == ST_OK)
        *ret_dropped = db_i64(result, 0, 0) == rows;
    return status;
}
