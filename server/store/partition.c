/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/partition.h"

#include "server/store/registry.h"

enum { ENSURE, DROP };
static const struct stmt statements[] = {
    [ENSURE] = STMT("partition_ensure", "SELECT partition_ensure($1, $2)", "tZ", "d"),
    [DROP] = STMT("partition_drop", "SELECT partition_drop($1, $2)", "tz", "d"),
};
const struct stmt_table partition_statements = {statements, sizeof statements / sizeof *statements};

static const char *const names[PARTITION_TABLE_COUNT] = {
    [PARTITION_SNAPSHOT] = "snapshot",
    [PARTITION_SNAPSHOT_BLOCK] = "snapshot_block",
    [PARTITION_SNAPSHOT_CHUNK] = "snapshot_chunk",
    [PARTITION_TAG_HOUR] = "tag_hour",
    [PARTITION_HOST_HOUR] = "host_hour",
    [PARTITION_HOST_TAG_DAY] = "host_tag_day",
    [PARTITION_HOST_POOL_DAY] = "host_pool_day",
};

enum status partition_ensure(struct db *db, enum partition_table table, const int64_t *moments_us,
                             size_t count, struct err *err)
{
    struct db_params params = {0};
    db_p_text(&params, names[table]);
    db_p_time_array(&params, moments_us, count);
    return db_exec(db, &statements[ENSURE], &params, NULL, err);
}

enum status partition_drop(struct db *db, enum partition_table table, int64_t older_than_us,
                           size_t *ret_dropped, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_text(&params, names[table]);
    db_p_time(&params, older_than_us);
    enum status status = db_exec(db, &statements[DROP], &params, &result, err);
    if (status == ST_OK)
        *ret_dropped = (size_t)db_i64(result, 0, 0);
    return status;
}
