/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_known.h"

#include <string.h>

enum { STAMP, LOAD, PUT, REMOVE };

static const struct stmt statements[] = {
    [STAMP] = STMT("known_stamp",
                   "SELECT count(*), coalesce(sum(revision), 0)::int8 FROM known_leak", "", "ii"),
    [LOAD] = STMT("known_load", "SELECT known_id, doc FROM known_leak ORDER BY known_id", "", "tt"),
    [PUT] = STMT("known_put",
                 "INSERT INTO known_leak (known_id, doc, changed_at, changed_by) "
                 "SELECT e.known_id, e.doc, $3, $4 FROM unnest($1::text[], $2::text[]) "
                 "AS e (known_id, doc) "
                 "ON CONFLICT (known_id) DO UPDATE SET doc = excluded.doc, "
                 "revision = nextval('known_leak_revision_seq'), "
                 "changed_at = excluded.changed_at, changed_by = excluded.changed_by",
                 "TTzt", ""),
    [REMOVE] = STMT("known_remove", "DELETE FROM known_leak WHERE known_id = $1", "t", ""),
};

const struct stmt_table store_known_statements = {statements,
                                                  sizeof statements / sizeof statements[0]};

enum status store_known_stamp(struct db *db, struct store_known_stamp *ret_stamp, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params none = {0};
    enum status status = db_exec(db, &statements[STAMP], &none, &result, err);

    if (status == ST_OK)
        *ret_stamp = (struct store_known_stamp){db_i64(result, 0, 0), db_i64(result, 0, 1)};
    return status;
}

enum status store_known_load(struct db *db, struct known_list *list, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params none = {0};
    enum status status = db_exec(db, &statements[LOAD], &none, &result, err);

    for (size_t row = 0; status == ST_OK && row < db_rows(result); row++) {
        const char *doc = db_text(result, row, 1);
        status = known_add_entry(list, doc, strlen(doc), db_text(result, row, 0), true, err);
        if (status != ST_NOMEM)
            status = ST_OK;
    }
    return status == ST_OK ? known_add_builtin(list, err) : status;
}

struct put {
    const char **ids;
    const char **docs;
    size_t count;
    const struct audit_entry *audit;
};

static enum status put_tx(struct db *db, void *arg, struct err *err)
{
    const struct put *put = arg;
    struct store_known_stamp stamp;
    struct db_params params = {0};

    db_p_text_array(&params, put->ids, put->count);
    db_p_text_array(&params, put->docs, put->count);
    db_p_time(&params, clock_wall_us());
    db_p_text(&params, put->audit->actor.name);
    enum status status = db_exec(db, &statements[PUT], &params, NULL, err);
    if (status == ST_OK)
        status = store_known_stamp(db, &stamp, err);
    if (status == ST_OK && stamp.rows > (int64_t)STORE_KNOWN_MAX)
        return err_set(err, ST_TOO_LARGE, "more than %u imported known leaks", STORE_KNOWN_MAX);
    return status == ST_OK ? store_audit_add(db, put->audit, err) : status;
}

enum status store_known_put(struct db *db, const struct known_list *list,
                            const struct audit_entry *audit, struct err *err)
{
    AUTO_FREE const char **ids = calloc(list->count + 1, sizeof *ids);
    AUTO_FREE const char **docs = calloc(list->count + 1, sizeof *docs);
    struct put put = {ids, docs, list->count, audit};

    if (ids == NULL || docs == NULL)
        return err_set(err, ST_NOMEM, "could not keep the known leaks: out of memory");
    for (size_t i = 0; i < list->count; i++) {
        ids[i] = list->items[i].id;
        docs[i] = list->items[i].json;
    }
    return db_tx(db, "known_put", put_tx, &put, err);
}

struct removal {
    const char *id;
    const struct audit_entry *audit;
};

static enum status remove_tx(struct db *db, void *arg, struct err *err)
{
    const struct removal *removal = arg;
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};

    db_p_text(&params, removal->id);
    enum status status = db_exec(db, &statements[REMOVE], &params, &result, err);
    if (status == ST_OK && db_affected(result) == 0)
        return err_set(err, ST_NOT_FOUND, "no imported known leak \"%s\"", removal->id);
    return status == ST_OK ? store_audit_add(db, removal->audit, err) : status;
}

enum status store_known_remove(struct db *db, const char *id, const struct audit_entry *audit,
                               struct err *err)
{
    struct removal removal = {id, audit};

    return db_tx(db, "known_remove", remove_tx, &removal, err);
}
