/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_checkpoint.h"

#include <stdlib.h>
#include <string.h>

enum { PUT, EXTEND, READ };
#define READ_BATCH "64" /* some megabytes; chosen */
static const struct stmt statements[] = {
    /* A host that was deleted meanwhile has none. */
    [PUT] = STMT("checkpoint_put",
                 "INSERT INTO analysis_checkpoint (host_id, received_at, attributes_digest,"
                 " drivers_digest, kept)"
                 " SELECT c.* FROM unnest($1::bigint[], $2::timestamptz[], $3::bytea[],"
                 " $4::bytea[], $5::bytea[]) AS c (host_id, received_at, attributes_digest,"
                 " drivers_digest, kept) JOIN host USING (host_id)"
                 " ON CONFLICT (host_id) DO UPDATE SET received_at = excluded.received_at,"
                 " attributes_digest = excluded.attributes_digest,"
                 " drivers_digest = excluded.drivers_digest, kept = excluded.kept",
                 "IZXXX", ""),
    [EXTEND] = STMT("checkpoint_extend",
                    "UPDATE analysis_checkpoint c SET received_at = $3 FROM"
                    " unnest($1::bigint[], $2::timestamptz[]) AS known (host_id, received_at)"
                    " WHERE c.host_id = known.host_id AND c.received_at = known.received_at",
                    "IZz", ""),
    [READ] = STMT("checkpoint_read",
                  "SELECT c.host_id, h.id, c.received_at, c.attributes_digest, c.drivers_digest,"
                  " c.kept FROM analysis_checkpoint c JOIN host h USING (host_id)"
                  " WHERE c.host_id > $1 ORDER BY c.host_id LIMIT " READ_BATCH,
                  "i", "itzxxx"),
};
const struct stmt_table store_checkpoint_statements = {statements,
                                                       sizeof statements / sizeof *statements};

/* Columns of the rows to be put: parameters are arrays. */
struct columns {
    int64_t *keys;
    int64_t *received;
    const void **data; /* attributes, then drivers, then kept */
    size_t *lengths;
};

static void columns_done(struct columns *columns)
{
    free(columns->keys);
    free(columns->received);
    free(columns->data);
    free(columns->lengths);
}

enum status store_checkpoints_put(struct db *db, const struct store_checkpoint *items, size_t count,
                                  struct err *err)
{
    CLEANUP(columns_done)
    struct columns columns = {calloc(count + 1, sizeof *columns.keys),
                              calloc(count + 1, sizeof *columns.received),
                              calloc(3 * count + 1, sizeof *columns.data),
                              calloc(3 * count + 1, sizeof *columns.lengths)};
    struct db_params params = {0};
    if (columns.keys == NULL || columns.received == NULL || columns.data == NULL ||
        columns.lengths == NULL)
        return err_set(err, ST_NOMEM, "could not store checkpoints: out of memory");
    for (size_t i = 0; i < count; i++) {
        const struct store_checkpoint *item = &items[i];
        columns.keys[i] = item->key;
        columns.received[i] = item->received_us;
        columns.data[i] = item->attributes;
        columns.data[count + i] = item->drivers;
        columns.data[2 * count + i] = item->kept;
        columns.lengths[i] = columns.lengths[count + i] = FACTS_DIGEST_BYTES;
        columns.lengths[2 * count + i] = item->length;
    }
    db_p_i64_array(&params, columns.keys, count);
    db_p_time_array(&params, columns.received, count);
    for (size_t c = 0; c < 3; c++)
        db_p_bytes_array(&params, columns.data + c * count, columns.lengths + c * count, count);
    return db_exec(db, &statements[PUT], &params, NULL, err);
}

enum status store_checkpoints_extend(struct db *db, const int64_t *keys, const int64_t *were_us,
                                     size_t count, int64_t received_us, size_t *ret_extended,
                                     struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_i64_array(&params, keys, count);
    db_p_time_array(&params, were_us, count);
    db_p_time(&params, received_us);
    enum status status = db_exec(db, &statements[EXTEND], &params, &result, err);
    *ret_extended = status == ST_OK ? (size_t)db_affected(result) : 0;
    return status;
}

enum status store_checkpoints_read(struct db *db, store_checkpoint_fn fn, void *arg,
                                   struct err *err)
{
    int64_t after = 0;
    size_t rows = 1;
    enum status status = ST_OK;
    while (status == ST_OK && rows > 0) {
        AUTO_DBRESULT struct db_result *result = NULL;
        struct db_params params = {0};
        db_p_i64(&params, after);
        status = db_exec(db, &statements[READ], &params, &result, err);
        rows = status == ST_OK ? db_rows(result) : 0;
        for (size_t i = 0; status == ST_OK && i < rows; i++) {
            struct store_checkpoint one = {.key = db_i64(result, i, 0),
                                           .host_id = db_text(result, i, 1),
                                           .received_us = db_time(result, i, 2)};
            facts_digest_read(result, i, 3, one.attributes);
            facts_digest_read(result, i, 4, one.drivers);
            one.kept = db_bytes(result, i, 5, &one.length);
            after = one.key;
            status = fn(&one, arg);
        }
    }
    return status;
}
