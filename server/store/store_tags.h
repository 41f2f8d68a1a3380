/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Imported tag lists. A list is kept whole under its name; importing one of the same name replaces
 * it in one transaction. A lease belongs to one thread.
 */
#ifndef SERVER_STORE_STORE_TAGS_H
#define SERVER_STORE_STORE_TAGS_H

#include "common/arena.h"
#include "server/store/db.h"
#include "server/store/store_audit.h"
#include "server/tagdict/tagdict.h"

/* Keeps the imported entries of dict (those whose source is "imported") as list `name`. */
enum status store_tags_replace(struct db *db, const char *name, const struct tagdict *dict,
                               const struct tagdict_import *counts, const struct audit_entry *audit,
                               struct err *err) MUST_CHECK;
/* Adds all kept lists to dict, oldest first, as source "imported". */
enum status store_tags_load(struct db *db, struct tagdict *dict, struct err *err) MUST_CHECK;

struct store_tag_list {
    const char *name;
    int64_t imported_at_us;
    int64_t lines;
    int64_t entries;
    int64_t refused;
};
/* The kept lists, oldest first; borrowed from the result. */
enum status store_tags_lists(struct db *db, struct db_result **ret_result,
                             struct err *err) MUST_CHECK;
struct store_tag_list store_tags_list_at(const struct db_result *result, size_t row);

/* Changes whenever a list comes or goes. */
struct store_tags_stamp {
    int64_t lists;
    int64_t newest;
};
enum status store_tags_stamp(struct db *db, struct store_tags_stamp *ret_stamp,
                             struct err *err) MUST_CHECK;
/* As store_tags_load, but without the list of that name: what would be there if it were replaced.
 */
enum status store_tags_load_others(struct db *db, const char *name, struct tagdict *dict,
                                   struct err *err) MUST_CHECK;
/* ST_NOT_FOUND. */
enum status store_tags_remove(struct db *db, const char *name, const struct audit_entry *audit,
                              struct err *err) MUST_CHECK;

extern const struct stmt_table store_tags_statements;

#endif
