/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of changes: who changed what, when, from where. A change and its entry are one
 * transaction (store_audited), so neither is there without the other. Entries hold names and ids,
 * never a secret. Texts from outside are cut to what the column is meant for.
 */
#ifndef SERVER_STORE_STORE_AUDIT_H
#define SERVER_STORE_STORE_AUDIT_H

#include "common/arena.h"
#include "server/store/db.h"

/* Texts are borrowed. */
struct audit_actor {
    const char *kind; /* "user", "token", "proxy", "cli" or "setup" */
    const char *name;
    const char *address; /* NULL: the command line */
};

struct audit_entry {
    int64_t audit_id;
    int64_t at_us; /* when writing: now */
    struct audit_actor actor;
    const char *action; /* "user.create" */
    const char *object; /* name or id of what was changed */
    const char *detail; /* a JSON object, or NULL */
};

/* Within a transaction, or alone. */
enum status store_audit_add(struct db *db, const struct audit_entry *entry,
                            struct err *err) MUST_CHECK;

/* One transaction: fn, then the entry. fn may fill the entry's object and detail, and must be free
 * of side effects, as db_tx demands. */
enum status store_audited(struct db *db, struct audit_entry *entry,
                          enum status (*fn)(struct db *db, void *arg, struct err *err), void *arg,
                          struct err *err) MUST_CHECK;

#define AUDIT_LIST_MAX 10000 /* newest first; narrow from and to for what lies beyond */

/* NULL and TIME_UNKNOWN: any. */
struct audit_filter {
    const char *action; /* "user.create", or "user" for all that is done to users */
    const char *actor;
    int64_t from_us;
    int64_t to_us;
};
struct audit_list {
    struct arena arena;
    struct audit_entry *items; /* newest first */
    size_t count;
};
void store_audit_list_done(struct audit_list *list);
#define AUTO_AUDIT_LIST CLEANUP(store_audit_list_done)
enum status store_audit_list(struct db *db, const struct audit_filter *filter,
                             struct audit_list *ret_list, struct err *err) MUST_CHECK;

enum status store_audit_forget(struct db *db, int64_t older_than_us, struct err *err) MUST_CHECK;

extern const struct stmt_table store_audit_statements;

#endif
