/* SPDX-License-Identifier: Apache-2.0 */
/*
 * People: accounts, what ends their sessions, and the link of the first start. Passwords arrive
 * here hashed (server/password.h); roles are texts, as with tokens.
 *
 * Whether an administrator is left is decided in the transaction of the change, under one lock for
 * all changes to accounts, so that two admins cannot shut each other out at the same moment.
 */
#ifndef SERVER_STORE_STORE_USERS_H
#define SERVER_STORE_STORE_USERS_H

#include "server/password.h"
#include "server/store/store_tokens.h"

struct store_user {
    int64_t user_id;
    char name[LIMIT_TEXT_BYTES + 1];
    char role[16];
    bool has_password;
    int64_t created_at_us;
    int64_t password_changed_at_us; /* TIME_UNKNOWN: never; so with the next two */
    int64_t last_sign_in_at_us;
    int64_t disabled_at_us;
    int64_t version;
    int64_t sessions; /* open now */
};

struct store_users {
    struct store_user *items; /* owned; by name */
    size_t count;
};
void store_users_done(struct store_users *users);
#define AUTO_USERS CLEANUP(store_users_done)

/* password_hash NULL: no sign-in by password. ST_INVALID with field "name" or "role"; ST_CONFLICT
 * with field "name": there is one of that name. */
enum status store_user_create(struct db *db, const char *name, const char *role,
                              const char *password_hash, int64_t *ret_user_id,
                              struct err *err) MUST_CHECK;
enum status store_user_list(struct db *db, struct store_users *ret_users,
                            struct err *err) MUST_CHECK;
/* ST_NOT_FOUND. */
enum status store_user_get(struct db *db, int64_t user_id, struct store_user *ret_user,
                           struct err *err) MUST_CHECK;
/* By name, whatever the case. ret_hash: "" when there is no password. ST_NOT_FOUND. */
enum status store_user_find(struct db *db, const char *name, struct store_user *ret_user,
                            char ret_hash[PASSWORD_HASH_MAX], struct err *err) MUST_CHECK;

#define USER_VERSION_ANY (-1)
struct user_change {
    int64_t version;           /* the one the caller has seen, or USER_VERSION_ANY */
    const char *role;          /* NULL: as it is */
    const char *password_hash; /* NULL: as it is */
    int disabled;              /* 0, 1; -1: as it is */
    bool keep_admin;           /* refuse what would leave no enabled admin */
};
/* Disabling and a new password end all sessions. Within a transaction. ST_NOT_FOUND; ST_CONFLICT
 * with field "If-Match" (another changed it) or "role" (the last admin). */
enum status store_user_change(struct db *db, int64_t user_id, const struct user_change *change,
                              struct err *err) MUST_CHECK;
/* With its sessions. Within a transaction. ST_NOT_FOUND; ST_CONFLICT as above. */
enum status store_user_delete(struct db *db, int64_t user_id, bool keep_admin,
                              struct err *err) MUST_CHECK;

/* One's own new password, in place of the one that old_hash is of; ends all sessions but
 * keep_session. ST_CONFLICT: another changed it meanwhile. */
enum status store_user_own_password(struct db *db, int64_t user_id, const char *old_hash,
                                    const char *new_hash,
                                    const unsigned char keep_session[TOKEN_HASH_BYTES],
                                    struct err *err) MUST_CHECK;
/* The same password under today's limits; no session ends. */
enum status store_user_rehash(struct db *db, int64_t user_id, const char *old_hash,
                              const char *new_hash, struct err *err) MUST_CHECK;
/* Opens a session and notes the sign-in, unless the account was disabled or its password changed
 * since password_hash was read: then ST_UNAUTHORIZED. */
enum status store_user_session(struct db *db, int64_t user_id, const char *password_hash,
                               int64_t expires_at_us, char ret_secret[SESSION_TEXT_MAX],
                               struct err *err) MUST_CHECK;
/* Every session of a person or of a token; the other is 0. */
enum status store_sessions_end(struct db *db, int64_t user_id, int64_t token_id, int64_t *ret_ended,
                               struct err *err) MUST_CHECK;

/* ---- first start ------------------------------------------------------------ */

/* Neither an enabled admin nor a token for people or collectors. */
enum status store_setup_needed(struct db *db, bool *ret_needed, struct err *err) MUST_CHECK;
enum status store_setup_link_create(struct db *db, int64_t expires_at_us,
                                    char ret_secret[SESSION_TEXT_MAX], struct err *err) MUST_CHECK;
/* Is it still good: asked before a password is hashed for it. ST_UNAUTHORIZED. */
enum status store_setup_link_check(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES],
                                   struct err *err) MUST_CHECK;
/* Makes the admin and takes every link away, once. Within a transaction. ST_UNAUTHORIZED: unknown,
 * expired, or used by another at this moment. */
enum status store_setup_use(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES],
                            const char *name, const char *password_hash, int64_t *ret_user_id,
                            struct err *err) MUST_CHECK;

extern const struct stmt_table store_users_statements;

#endif
