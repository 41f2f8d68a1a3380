/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_faults.h"

#include "server/store/registry.h"

#include <stdlib.h>
#include <string.h>

enum { APPLY, LIST };
static const struct stmt statements[] = {
    /* One statement sees the table as it was: what goes and what comes never meet. */
    [APPLY] = STMT("faults_apply",
                   "WITH seen AS (SELECT host.host_id, f.code"
                   " FROM unnest($1::text[], $2::text[]) AS f (id, code)"
                   " JOIN host ON host.id = f.id),"
                   " gone AS (DELETE FROM host_fault WHERE NOT EXISTS"
                   " (SELECT FROM seen WHERE seen.host_id = host_fault.host_id))"
                   " INSERT INTO host_fault AS kept (host_id, since_at, code)"
                   " SELECT host_id, $3, code FROM seen"
                   " ON CONFLICT (host_id) DO UPDATE SET code = excluded.code"
                   " WHERE kept.code <> excluded.code",
                   "TTz", ""),
    [LIST] = STMT("faults_list",
                  "SELECT host.id, f.code, f.since_at FROM host_fault f JOIN host USING (host_id)"
                  " ORDER BY host.id COLLATE \"C\"",
                  "", "ttz"),
};
const struct stmt_table store_faults_statements = {statements,
                                                   sizeof statements / sizeof *statements};

enum status store_faults_apply(struct db *db, const struct finding_list *list, int64_t as_of_us,
                               struct err *err)
{
    AUTO_FREE const char **ids = calloc(list->fault_count + 1, sizeof *ids);
    AUTO_FREE const char **codes = calloc(list->fault_count + 1, sizeof *codes);
    struct db_params params = {0};

    if (ids == NULL || codes == NULL)
        return err_set(err, ST_NOMEM, "could not store faulty hosts: out of memory");
    for (size_t i = 0; i < list->fault_count; i++) {
        ids[i] = list->faults[i].host_id;
        codes[i] = list->faults[i].code;
    }
    db_p_text_array(&params, ids, list->fault_count);
    db_p_text_array(&params, codes, list->fault_count);
    db_p_time(&params, as_of_us);
    return db_exec(db, &statements[APPLY], &params, NULL, err);
}

enum status store_faults_list(struct db *db, struct store_faults *ret_faults, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct store_faults faults = {0};
    enum status status = db_exec(db, &statements[LIST], &(struct db_params){0}, &result, err);

    if (status != ST_OK)
        return status;
    faults.count = db_rows(result);
    faults.items = arena_alloc(&faults.arena, faults.count, sizeof *faults.items);
    bool failed = faults.items == NULL;
    for (size_t row = 0; !failed && row < faults.count; row++) {
        struct store_fault *fault = &faults.items[row];
        fault->host_id = arena_strdup(&faults.arena, db_text(result, row, 0));
        fault->code = arena_strdup(&faults.arena, db_text(result, row, 1));
        fault->since_us = db_time(result, row, 2);
        failed = fault->host_id == NULL || fault->code == NULL;
    }
    if (failed) {
        store_faults_done(&faults);
        return err_set(err, ST_NOMEM, "could not read faulty hosts: out of memory");
    }
    *ret_faults = faults;
    return ST_OK;
}

static int fault_compare(const void *key, const void *item)
{
    return strcmp(key, ((const struct store_fault *)item)->host_id);
}

const struct store_fault *store_fault_of(const struct store_faults *faults, const char *host_id)
{
    return faults->count == 0 ? NULL
                              : bsearch(host_id, faults->items, faults->count,
                                        sizeof *faults->items, fault_compare);
}
