/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_facts.h"

#include <stdlib.h>
#include <string.h>

enum { MARKS, ATTRIBUTES, DRIVERS, FILES_STAMP, FILES };
static const struct stmt statements[] = {
    [MARKS] = STMT("facts_marks",
                   "SELECT host_id, first_seen_at, attributes_digest, drivers_digest FROM host"
                   " WHERE keyframe_at IS NOT NULL ORDER BY host_id",
                   "", "izxx"),
    [ATTRIBUTES] = STMT("facts_attributes",
                        "SELECT g.place, a.name, a.value, a.valid_from FROM unnest($1::bigint[])"
                        " WITH ORDINALITY AS g (host_id, place) JOIN host_attribute a"
                        " ON a.host_id = g.host_id AND a.valid_to IS NULL"
                        " ORDER BY g.place, a.name COLLATE \"C\"",
                        "I", "ittz"),
    [DRIVERS] = STMT("facts_drivers",
                     "SELECT g.place, d.name, d.version, d.company, d.tags, d.sha256, d.valid_from"
                     " FROM unnest($1::bigint[]) WITH ORDINALITY AS g (host_id, place)"
                     " JOIN host_driver d ON d.host_id = g.host_id AND d.valid_to IS NULL"
                     " ORDER BY g.place, d.name COLLATE \"C\"",
                     "I", "itttTxz"),
    [FILES_STAMP] = STMT("facts_files_stamp",
                         "SELECT count(*), count(scanned_at),"
                         " greatest(max(first_seen_at), max(scanned_at)) FROM driver_file",
                         "", "iiz"),
    [FILES] = STMT("facts_files", "SELECT sha256, tags, product FROM driver_file ORDER BY sha256",
                   "", "xTt"),
};
const struct stmt_table store_facts_statements = {statements,
                                                  sizeof statements / sizeof *statements};

enum status store_facts_marks(struct db *db, struct store_facts_mark **ret_marks, size_t *ret_count,
                              struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    enum status status = db_exec(db, &statements[MARKS], &params, &result, err);

    if (status != ST_OK)
        return status;
    size_t count = db_rows(result);
    struct store_facts_mark *marks = calloc(count + 1, sizeof *marks);
    if (marks == NULL)
        return err_set(err, ST_NOMEM, "could not read hosts: out of memory");
    for (size_t i = 0; i < count; i++) {
        marks[i].key = db_i64(result, i, 0);
        marks[i].first_seen_us = db_time(result, i, 1);
        facts_digest_read(result, i, 2, marks[i].attributes);
        facts_digest_read(result, i, 3, marks[i].drivers);
    }
    *ret_marks = marks;
    *ret_count = count;
    return ST_OK;
}

enum status store_facts_rows(struct db *db, const int64_t *keys, size_t count,
                             struct db_result **ret_attributes, struct db_result **ret_drivers,
                             struct err *err)
{
    AUTO_DBRESULT struct db_result *attributes = NULL;
    struct db_params params = {0};

    db_p_i64_array(&params, keys, count);
    enum status status = db_exec(db, &statements[ATTRIBUTES], &params, &attributes, err);
    if (status == ST_OK)
        status = db_exec(db, &statements[DRIVERS], &params, ret_drivers, err);
    if (status == ST_OK)
        *ret_attributes = TAKE(attributes);
    return status;
}

enum status store_files_stamp(struct db *db, struct store_files_stamp *ret_stamp, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    enum status status = db_exec(db, &statements[FILES_STAMP], &params, &result, err);

    if (status == ST_OK)
        *ret_stamp = (struct store_files_stamp){db_i64(result, 0, 0), db_i64(result, 0, 1),
                                                db_time(result, 0, 2)};
    return status;
}

enum status store_files_rows(struct db *db, struct db_result **ret_rows, struct err *err)
{
    struct db_params params = {0};
    return db_exec(db, &statements[FILES], &params, ret_rows, err);
}
