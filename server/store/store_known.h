/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Known leaks that were imported, one row each. Entries were checked by server/known before they
 * come here; a row that somebody spoilt by hand is left out when read, rather than fatal. A lease
 * belongs to one thread.
 */
#ifndef SERVER_STORE_STORE_KNOWN_H
#define SERVER_STORE_STORE_KNOWN_H

#include "server/known/known.h"
#include "server/store/db.h"
#include "server/store/store_audit.h"

#define STORE_KNOWN_MAX (KNOWN_ENTRIES_MAX / 2) /* the other half is the built-in list's */

/* Changes whenever any row does. */
struct store_known_stamp {
    int64_t rows;
    int64_t revisions;
};
enum status store_known_stamp(struct db *db, struct store_known_stamp *ret_stamp,
                              struct err *err) MUST_CHECK;

/* Fills an empty list: imported entries, then the built-in ones that they do not replace. */
enum status store_known_load(struct db *db, struct known_list *list, struct err *err) MUST_CHECK;
/* Keeps all entries of the list, each new or in place of the one of its id, in one transaction
 * with its entry in the log of changes, whose actor is who wrote them.
 * ST_TOO_LARGE when there would be more than STORE_KNOWN_MAX. */
enum status store_known_put(struct db *db, const struct known_list *list,
                            const struct audit_entry *audit, struct err *err) MUST_CHECK;
enum status store_known_remove(struct db *db, const char *id, const struct audit_entry *audit,
                               struct err *err) MUST_CHECK;

extern const struct stmt_table store_known_statements;

#endif
