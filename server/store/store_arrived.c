/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_arrived.h"

#include "server/chunk/chunk.h"
#include "server/store/registry.h"
#include "server/store/snapshot_columns.h"
#include "server/store/store_snapshots.h"

#include <string.h>

enum { ARRIVED, KEYS, SINCE };
static const struct stmt statements[] = {
    /* One look into the index for each, whatever the planner thinks of joins. */
    [ARRIVED] = STMT(
        "arrived",
        "SELECT b.host_id, b.taken_at, b.boot_at, b.sequence, b.received_at, s.base,"
        " s.keyframe, b.block, b.host_id = ANY($3),"
        " CASE WHEN b.host_id = ANY($3) THEN b.detail END,"
        " CASE WHEN s.detail ? 'events' THEN jsonb_build_object('events', s.detail -> 'events')"
        " END, s.nonpaged_bytes, s.paged_bytes, s.nonpaged_limit_bytes, s.paged_limit_bytes,"
        " s.commit_bytes, s.commit_limit_bytes, s.physical_bytes, s.available_bytes,"
        " s.handles, s.processes, s.threads, s.alloc_failures"
        " FROM snapshot_block b CROSS JOIN LATERAL (SELECT * FROM snapshot"
        " WHERE snapshot.host_id = b.host_id AND snapshot.taken_at = b.taken_at"
        " AND snapshot.boot_at IS NOT DISTINCT FROM b.boot_at"
        " AND snapshot.sequence IS NOT DISTINCT FROM b.sequence LIMIT 1) AS s"
        " WHERE b.received_at > $1 AND b.received_at <= $2"
        " ORDER BY b.host_id, b.taken_at, b.sequence",
        "zzI", "izzizibxbjjiiiiiiiiiiii"),
    [KEYS] = STMT("arrived_keys",
                  "SELECT host_id, taken_at, boot_at, sequence, received_at FROM snapshot_block"
                  " WHERE received_at > $1 AND received_at <= $2"
                  " ORDER BY host_id, taken_at, sequence",
                  "zz", "izziz"),
    [SINCE] =
        STMT("arrived_since", "SELECT min(from_at) FROM snapshot_block_partitions()", "", "z"),
};
const struct stmt_table store_arrived_statements = {statements,
                                                    sizeof statements / sizeof *statements};

enum {
    COLUMN_BASE = 5,
    COLUMN_KEYFRAME,
    COLUMN_BLOCK,
    COLUMN_WANTED,
    COLUMN_DETAIL,
    COLUMN_EVENTS,
    COLUMN_TOTALS
};

static void read_keys(const struct db_result *result, size_t row, struct store_arrival *arrival)
{
    arrival->host_key = db_i64(result, row, 0);
    arrival->snapshot.taken_at_us = db_time(result, row, 1);
    arrival->snapshot.boot_at_us = db_time(result, row, 2);
    arrival->snapshot.sequence = column_sequence(result, row, 3);
    arrival->received_us = db_time(result, row, 4);
}

/* Both parts of a detail are JSON objects. */
static enum status read_detail(const struct db_result *result, size_t row,
                               struct snapshot *ret_snapshot, struct err *err)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    const char *detail = db_text(result, row, COLUMN_DETAIL);
    const char *events = db_text(result, row, COLUMN_EVENTS);
    store_detail_join(detail, events, &text);
    if (strbuf_failed(&text))
        return err_set(err, ST_NOMEM, "could not read a snapshot: out of memory");
    return store_detail_decode(text.data, ret_snapshot, err);
}

static enum status read_row(const struct db_result *result, size_t row, store_arrival_fn fn,
                            void *arg, struct err *err)
{
    struct store_arrival arrival;
    size_t length;
    enum status status = read_detail(result, row, &arrival.snapshot, err);
    if (status != ST_OK)
        return status;
    struct snapshot *snapshot = &arrival.snapshot;
    read_keys(result, row, &arrival);
    snapshot->base = column_sequence(result, row, COLUMN_BASE);
    arrival.complete = db_bool(result, row, COLUMN_KEYFRAME);
    arrival.details = db_bool(result, row, COLUMN_WANTED);
    column_totals(result, row, COLUMN_TOTALS, &snapshot->totals);
    const void *block = db_bytes(result, row, COLUMN_BLOCK, &length);
    status = chunk_decode(block, length, &snapshot->arena, snapshot->table, err);
    if (status == ST_OK)
        status = fn(&arrival, arg);
    snapshot_done(snapshot);
    return status == ST_MALFORMED ? ST_OK : status;
}

enum status store_arrived(struct db *db, int64_t after_us, int64_t until_us, const int64_t *keys,
                          size_t key_count, store_arrival_fn fn, void *arg, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_time(&params, after_us);
    db_p_time(&params, until_us);
    db_p_i64_array(&params, keys, key_count);
    enum status status = db_exec(db, &statements[ARRIVED], &params, &result, err);
    for (size_t i = 0; status == ST_OK && i < db_rows(result); i++)
        status = read_row(result, i, fn, arg, err);
    return status;
}

enum status store_arrived_keys(struct db *db, int64_t after_us, int64_t until_us,
                               store_arrival_fn fn, void *arg, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_time(&params, after_us);
    db_p_time(&params, until_us);
    enum status status = db_exec(db, &statements[KEYS], &params, &result, err);
    for (size_t i = 0; status == ST_OK && i < db_rows(result); i++) {
        struct store_arrival arrival = {0};
        snapshot_init(&arrival.snapshot);
        read_keys(result, i, &arrival);
        status = fn(&arrival, arg);
    }
    return status;
}

enum status store_arrived_since(struct db *db, int64_t *ret_us, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    enum status status = db_exec(db, &statements[SINCE], &params, &result, err);
    if (status == ST_OK)
        *ret_us = db_rows(result) == 0 ? TIME_UNKNOWN : db_time(result, 0, 0);
    return status;
}
