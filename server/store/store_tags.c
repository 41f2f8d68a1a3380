/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_tags.h"
#include "server/tagdict/pattern.h"

#include <string.h>

enum { REMOVE, ADD, ADD_ENTRIES, LISTS, ENTRIES, STAMP };

static const struct stmt statements[] = {
    [REMOVE] = STMT("tags_remove", "DELETE FROM tag_import WHERE name = $1", "t", ""),
    [ADD] =
        STMT("tags_add",
             "INSERT INTO tag_import (name, imported_at, line_count, entry_count, refused_count) "
             "VALUES ($1, $2, $3::int8::int4, $4::int8::int4, $5::int8::int4) "
             "RETURNING import_id",
             "tziii", "i"),
    [ADD_ENTRIES] =
        STMT("tags_add_entries",
             "INSERT INTO tag_entry (import_id, position, pattern, driver, description) "
             "SELECT $1, e.position::int4, e.pattern, e.driver, e.description "
             "FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY "
             "AS e (pattern, driver, description, position)",
             "iTTT", ""),
    [LISTS] = STMT("tags_lists",
                   "SELECT name, imported_at, line_count::int8, entry_count::int8, "
                   "refused_count::int8 FROM tag_import ORDER BY import_id",
                   "", "tziii"),
    [ENTRIES] = STMT("tags_entries",
                     "SELECT e.pattern, e.driver, e.description FROM tag_entry AS e "
                     "JOIN tag_import AS i USING (import_id) "
                     "WHERE i.name IS DISTINCT FROM $1 ORDER BY e.import_id, e.position",
                     "t", "ttt"),
    [STAMP] = STMT("tags_stamp",
                   "SELECT count(*), coalesce(max(import_id), 0)::int8 FROM tag_import", "", "ii"),
};

const struct stmt_table store_tags_statements = {statements,
                                                 sizeof statements / sizeof statements[0]};

struct replace {
    const char *name;
    const struct tagdict_import *counts;
    const struct audit_entry *audit; /* NULL: not logged */
    size_t count;
    const char **pattern, **driver, **description;
};

static enum status replace_tx(struct db *db, void *arg, struct err *err)
{
    const struct replace *r = arg;
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params remove = {0};
    struct db_params add = {0};
    struct db_params entries = {0};
    db_p_text(&remove, r->name);
    enum status status = db_exec(db, &statements[REMOVE], &remove, NULL, err);
    if (status != ST_OK)
        return status;
    db_p_text(&add, r->name);
    db_p_time(&add, clock_wall_us());
    db_p_i64(&add, (int64_t)r->counts->lines);
    db_p_i64(&add, (int64_t)r->counts->entries);
    db_p_i64(&add, (int64_t)r->counts->refused);
    status = db_exec(db, &statements[ADD], &add, &result, err);
    if (status != ST_OK)
        return status;
    db_p_i64(&entries, db_i64(result, 0, 0));
    db_p_text_array(&entries, r->pattern, r->count);
    db_p_text_array(&entries, r->driver, r->count);
    db_p_text_array(&entries, r->description, r->count);
    status = db_exec(db, &statements[ADD_ENTRIES], &entries, NULL, err);
    return status == ST_OK && r->audit != NULL ? store_audit_add(db, r->audit, err) : status;
}

enum status store_tags_replace(struct db *db, const char *name, const struct tagdict *dict,
                               const struct tagdict_import *counts, const struct audit_entry *audit,
                               struct err *err)
{
    AUTO_ARENA struct arena arena = {0};
    size_t most = tagdict_count(dict);
    struct replace r = {.name = name, .counts = counts, .audit = audit};
    r.pattern = arena_alloc(&arena, most, sizeof *r.pattern);
    r.driver = arena_alloc(&arena, most, sizeof *r.driver);
    r.description = arena_alloc(&arena, most, sizeof *r.description);
    if (r.pattern == NULL || r.driver == NULL || r.description == NULL)
        return err_set(err, ST_NOMEM, "could not keep the tag list: out of memory");
    for (size_t i = 0; i < most; i++) {
        const struct tagdict_entry *entry = tagdict_at(dict, i);
        if (strcmp(entry->source, "imported") != 0)
            continue;
        r.pattern[r.count] = entry->pattern;
        r.driver[r.count] = entry->driver;
        r.description[r.count++] = entry->description;
    }
    return db_tx(db, "tags_replace", replace_tx, &r, err);
}

struct removal {
    const char *name;
    const struct audit_entry *audit;
};

static enum status remove_tx(struct db *db, void *arg, struct err *err)
{
    const struct removal *removal = arg;
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_text(&params, removal->name);
    enum status status = db_exec(db, &statements[REMOVE], &params, &result, err);
    if (status == ST_OK && db_affected(result) == 0)
        return err_set(err, ST_NOT_FOUND, "no tag list \"%.100s\"", removal->name);
    return status == ST_OK && removal->audit != NULL ? store_audit_add(db, removal->audit, err)
                                                     : status;
}

enum status store_tags_remove(struct db *db, const char *name, const struct audit_entry *audit,
                              struct err *err)
{
    struct removal removal = {name, audit};
    return db_tx(db, "tags_remove", remove_tx, &removal, err);
}

enum status store_tags_stamp(struct db *db, struct store_tags_stamp *ret_stamp, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params none = {0};
    enum status status = db_exec(db, &statements[STAMP], &none, &result, err);
    if (status == ST_OK)
        *ret_stamp = (struct store_tags_stamp){db_i64(result, 0, 0), db_i64(result, 0, 1)};
    return status;
}

enum status store_tags_load(struct db *db, struct tagdict *dict, struct err *err)
{
    return store_tags_load_others(db, NULL, dict, err);
}

enum status store_tags_load_others(struct db *db, const char *name, struct tagdict *dict,
                                   struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_text(&params, name);
    enum status status = db_exec(db, &statements[ENTRIES], &params, &result, err);
    for (size_t row = 0; status == ST_OK && row < db_rows(result); row++) {
        struct tagdict_entry entry = {
            .pattern = db_text(result, row, 0),
            .driver = db_text(result, row, 1),
            .description = db_text(result, row, 2),
            .source = "imported",
        };
        /* Written by us; a row that a person spoilt by hand is left out rather than fatal. */
        if (pattern_parse(entry.pattern, strlen(entry.pattern), &entry.tag, &entry.any))
            status = tagdict_add(dict, &entry, err);
    }
    return status;
}

enum status store_tags_lists(struct db *db, struct db_result **ret_result, struct err *err)
{
    struct db_params none = {0};
    return db_exec(db, &statements[LISTS], &none, ret_result, err);
}

struct store_tag_list store_tags_list_at(const struct db_result *result, size_t row)
{
    return (struct store_tag_list){
        .name = db_text(result, row, 0),
        .imported_at_us = db_time(result, row, 1),
        .lines = db_i64(result, row, 2),
        .entries = db_i64(result, row, 3),
        .refused = db_i64(result, row, 4),
    };
}
