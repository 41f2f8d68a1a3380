/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_audit.h"

enum { S_ADD, S_LIST, S_FORGET };

static const struct stmt statements[] = {
    [S_ADD] = STMT("audit_add",
                   "INSERT INTO audit (at, actor, actor_kind, address, action, object, detail) "
                   "VALUES (now(), left($1, 256), $2, $3, $4, left($5, 256), $6)",
                   "tttttj", ""),
    [S_LIST] = STMT("audit_list",
                    "SELECT audit_id, at, actor, actor_kind, address, action, object, detail "
                    "FROM audit WHERE ($1::text IS NULL OR action = $1 "
                    "OR starts_with(action, $1 || '.')) "
                    "AND ($2::text IS NULL OR actor = $2) "
                    "AND ($3::timestamptz IS NULL OR at >= $3) "
                    "AND ($4::timestamptz IS NULL OR at < $4) "
                    "ORDER BY audit_id DESC LIMIT $5",
                    "ttzzi",
                    "izttttt"
                    "j"),
    [S_FORGET] = STMT("audit_forget", "DELETE FROM audit WHERE at < $1", "z", ""),
};

const struct stmt_table store_audit_statements = {statements,
                                                  sizeof statements / sizeof statements[0]};

enum status store_audit_add(struct db *db, const struct audit_entry *entry, struct err *err)
{
    struct db_params params = {.count = 0};
    db_p_text(&params, entry->actor.name);
    db_p_text(&params, entry->actor.kind);
    db_p_text(&params, entry->actor.address);
    db_p_text(&params, entry->action);
    db_p_text(&params, entry->object);
    db_p_json(&params, entry->detail);
    return db_exec(db, &statements[S_ADD], &params, NULL, err);
}

struct audited {
    struct audit_entry *entry;
    enum status (*fn)(struct db *db, void *arg, struct err *err);
    void *arg;
};

static enum status audited_tx(struct db *db, void *arg, struct err *err)
{
    const struct audited *call = arg;
    enum status status = call->fn(db, call->arg, err);
    return status == ST_OK ? store_audit_add(db, call->entry, err) : status;
}

enum status store_audited(struct db *db, struct audit_entry *entry,
                          enum status (*fn)(struct db *db, void *arg, struct err *err), void *arg,
                          struct err *err)
{
    struct audited call = {entry, fn, arg};
    return db_tx(db, entry->action, audited_tx, &call, err);
}

void store_audit_list_done(struct audit_list *list)
{
    arena_done(&list->arena);
    *list = (struct audit_list){0};
}

static const char *keep(struct arena *arena, const struct db_result *result, size_t row,
                        size_t column, bool *failed)
{
    const char *text = db_text(result, row, column);
    const char *copy = text == NULL ? NULL : arena_strdup(arena, text);
    *failed = *failed || (text != NULL && copy == NULL);
    return copy;
}

static bool read_entry(const struct db_result *result, size_t row, struct arena *arena,
                       struct audit_entry *ret_entry)
{
    bool failed = false;
    *ret_entry = (struct audit_entry){
        .audit_id = db_i64(result, row, 0),
        .at_us = db_time(result, row, 1),
        .actor = {.name = keep(arena, result, row, 2, &failed),
                  .kind = keep(arena, result, row, 3, &failed),
                  .address = keep(arena, result, row, 4, &failed)},
        .action = keep(arena, result, row, 5, &failed),
        .object = keep(arena, result, row, 6, &failed),
        .detail = keep(arena, result, row, 7, &failed),
    };
    return !failed;
}

enum status store_audit_list(struct db *db, const struct audit_filter *filter,
                             struct audit_list *ret_list, struct err *err)
{
    AUTO_AUDIT_LIST struct audit_list list = {0};
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {.count = 0};
    db_p_text(&params, filter->action);
    db_p_text(&params, filter->actor);
    db_p_time(&params, filter->from_us);
    db_p_time(&params, filter->to_us);
    db_p_i64(&params, AUDIT_LIST_MAX);
    enum status status = db_exec(db, &statements[S_LIST], &params, &result, err);
    if (status != ST_OK)
        return status;
    list.count = db_rows(result);
    list.items = arena_alloc(&list.arena, list.count + 1, sizeof *list.items);
    bool ok = list.items != NULL;
    for (size_t i = 0; ok && i < list.count; i++)
        ok = read_entry(result, i, &list.arena, &list.items[i]);
    if (!ok)
        return err_set(err, ST_NOMEM, "could not list changes: out of memory");
    *ret_list = list;
    list = (struct audit_list){0};
    return ST_OK;
}

enum status store_audit_forget(struct db *db, int64_t older_than_us, struct err *err)
{
    struct db_params params = {.count = 0};
    db_p_time(&params, older_than_us);
    return db_exec(db, &statements[S_FORGET], &params, NULL, err);
}
