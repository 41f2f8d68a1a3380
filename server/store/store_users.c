/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_users.h"
#include "common/utf8.h"

#include <sodium.h>

enum {
    S_CREATE,
    S_LIST,
    S_GET,
    S_FIND,
    S_LOCK,
    S_CHANGE,
    S_DELETE,
    S_ADMINS,
    S_PASSWORD,
    S_END,
    S_END_BUT,
    S_OPEN,
    S_SETUP_NEEDED,
    S_LINK_CREATE,
    S_LINK_CHECK,
    S_LINK_USE
};

#define USER_COLUMNS                                                                               \
    "u.user_id, u.name, u.role, u.password_hash, u.created_at, u.password_changed_at, "            \
    "u.last_sign_in_at, u.disabled_at, u.version, "                                                \
    "(SELECT count(*) FROM session s WHERE s.user_id = u.user_id AND s.expires_at > now())"
#define USER_TYPES                                                                                 \
    "ittt"                                                                                         \
    "zzzz"                                                                                         \
    "ii"

static const struct stmt statements[] = {
    [S_CREATE] = STMT("users_create",
                      "INSERT INTO app_user (name, role, password_hash, created_at, "
                      "password_changed_at) VALUES ($1, $2, $3, now(), "
                      "CASE WHEN $3::text IS NOT NULL THEN now() END) RETURNING user_id",
                      "ttt", "i"),
    [S_LIST] = STMT("users_list", "SELECT " USER_COLUMNS " FROM app_user u ORDER BY lower(u.name)",
                    "", USER_TYPES),
    [S_GET] = STMT("users_get", "SELECT " USER_COLUMNS " FROM app_user u WHERE u.user_id = $1", "i",
                   USER_TYPES),
    [S_FIND] = STMT("users_find",
                    "SELECT " USER_COLUMNS " FROM app_user u WHERE lower(u.name) = lower($1)", "t",
                    USER_TYPES),
    /* One lock for all changes: counting admins under row locks alone would let two demotions
     * pass each other. */
    [S_LOCK] =
        STMT("users_lock", "SELECT pg_advisory_xact_lock(hashtext('app_user'))::text", "", "t"),
    [S_CHANGE] = STMT("users_change",
                      "UPDATE app_user SET role = coalesce($2, role), "
                      "password_hash = coalesce($3, password_hash), "
                      "password_changed_at = CASE WHEN $3::text IS NULL "
                      "THEN password_changed_at ELSE now() END, "
                      "disabled_at = CASE $4::bigint WHEN 0 THEN NULL "
                      "WHEN 1 THEN coalesce(disabled_at, now()) ELSE disabled_at END, "
                      "version = version + 1 WHERE user_id = $1",
                      "itti", ""),
    [S_DELETE] = STMT("users_delete", "DELETE FROM app_user WHERE user_id = $1", "i", ""),
    [S_ADMINS] =
        STMT("users_admins",
             "SELECT count(*) FROM app_user WHERE role = 'admin' AND disabled_at IS NULL", "", "i"),
    [S_PASSWORD] = STMT("users_password",
                        "UPDATE app_user SET password_hash = $3, password_changed_at = "
                        "CASE WHEN $4 THEN now() ELSE password_changed_at END "
                        "WHERE user_id = $1 AND password_hash = $2 AND disabled_at IS NULL "
                        "RETURNING user_id",
                        "ittb", "i"),
    [S_END] = STMT("sessions_end",
                   "WITH gone AS (DELETE FROM session WHERE user_id = $1 OR token_id = $2 "
                   "RETURNING 1) SELECT count(*) FROM gone",
                   "ii", "i"),
    [S_END_BUT] = STMT("sessions_end_but",
                       "DELETE FROM session WHERE user_id = $1 AND sha256 <> $2", "ix", ""),
    [S_OPEN] = STMT("sessions_open_user",
                    "WITH who AS (UPDATE app_user SET last_sign_in_at = now() WHERE user_id = $2 "
                    "AND password_hash = $3 AND disabled_at IS NULL RETURNING user_id), "
                    "ended AS (DELETE FROM session WHERE expires_at <= now()) "
                    "INSERT INTO session (sha256, user_id, created_at, expires_at) "
                    "SELECT $1, user_id, now(), $4 FROM who RETURNING user_id",
                    "xitz", "i"),
    [S_SETUP_NEEDED] =
        STMT("setup_needed",
             "SELECT NOT EXISTS (SELECT FROM app_user WHERE role = 'admin' AND disabled_at IS NULL)"
             " AND NOT EXISTS (SELECT FROM token WHERE role <> 'host' AND revoked_at IS NULL "
             "AND (expires_at IS NULL OR expires_at > now()))",
             "", "b"),
    [S_LINK_CREATE] = STMT("setup_link_create",
                           "WITH gone AS (DELETE FROM setup_link WHERE expires_at <= now()) "
                           "INSERT INTO setup_link (sha256, created_at, expires_at) "
                           "VALUES ($1, now(), $2)",
                           "xz", ""),
    [S_LINK_CHECK] =
        STMT("setup_link_check",
             "SELECT sha256 FROM setup_link WHERE sha256 = $1 AND expires_at > now()", "x", "x"),
    /* Of two at once the second waits here for the first, and then finds nothing to take away. */
    [S_LINK_USE] = STMT("setup_link_use",
                        "WITH gone AS (DELETE FROM setup_link RETURNING sha256, expires_at) "
                        "SELECT sha256 FROM gone WHERE sha256 = $1 AND expires_at > now()",
                        "x", "x"),
};

const struct stmt_table store_users_statements = {statements,
                                                  sizeof statements / sizeof statements[0]};

void store_users_done(struct store_users *users)
{
    free(users->items);
    *users = (struct store_users){NULL, 0};
}

static enum status check_name(const char *name, struct err *err)
{
    size_t length = strlen(name);
    bool ok = length > 0 && length <= LIMIT_TEXT_BYTES && utf8_valid(name, length) &&
              name[0] != ' ' && name[length - 1] != ' ';
    for (size_t i = 0; ok && i < length; i++)
        ok = (unsigned char)name[i] >= 0x20 && name[i] != 0x7f;
    return ok ? ST_OK
              : err_field(err, ST_INVALID, "name",
                          "the name must be 1 to 256 bytes of UTF-8 without control characters, "
                          "and without a blank at its ends");
}

static enum status check_role(const char *role, struct err *err)
{
    static const char *const roles[] = {"viewer", "operator", "admin"};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (strcmp(roles[i], role) == 0)
            return ST_OK;
    }
    return err_field(err, ST_INVALID, "role", "the role must be viewer, operator or admin");
}

enum status store_user_create(struct db *db, const char *name, const char *role,
                              const char *password_hash, int64_t *ret_user_id, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {.count = 0};
    enum status status = check_name(name, err);
    if (status == ST_OK)
        status = check_role(role, err);
    if (status != ST_OK)
        return status;
    db_p_text(&params, name);
    db_p_text(&params, role);
    db_p_text(&params, password_hash);
    status = db_exec(db, &statements[S_CREATE], &params, &result, err);
    if (status == ST_CONFLICT)
        return err_field(err, ST_CONFLICT, "name", "there is a user \"%.100s\" already", name);
    if (status == ST_OK && ret_user_id != NULL)
        *ret_user_id = db_i64(result, 0, 0);
    return status;
}

static void read_user(const struct db_result *result, size_t row, struct store_user *ret_user)
{
    *ret_user = (struct store_user){
        .user_id = db_i64(result, row, 0),
        .has_password = !db_null(result, row, 3),
        .created_at_us = db_time(result, row, 4),
        .password_changed_at_us = db_time(result, row, 5),
        .last_sign_in_at_us = db_time(result, row, 6),
        .disabled_at_us = db_time(result, row, 7),
        .version = db_i64(result, row, 8),
        .sessions = db_i64(result, row, 9),
    };
    snprintf(ret_user->name, sizeof ret_user->name, "%s", db_text(result, row, 1));
    snprintf(ret_user->role, sizeof ret_user->role, "%s", db_text(result, row, 2));
}

enum status store_user_list(struct db *db, struct store_users *ret_users, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    enum status status = db_exec(db, &statements[S_LIST], NULL, &result, err);
    if (status != ST_OK)
        return status;
    size_t count = db_rows(result);
    struct store_user *items = calloc(count + 1, sizeof *items);
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not list users: out of memory");
    for (size_t i = 0; i < count; i++)
        read_user(result, i, &items[i]);
    *ret_users = (struct store_users){items, count};
    return ST_OK;
}

enum status store_user_get(struct db *db, int64_t user_id, struct store_user *ret_user,
                           struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {.count = 0};
    db_p_i64(&params, user_id);
    enum status status = db_exec(db, &statements[S_GET], &params, &result, err);
    if (status != ST_OK)
        return status;
    if (db_rows(result) == 0)
        return err_set(err, ST_NOT_FOUND, "no such user");
    read_user(result, 0, ret_user);
    return ST_OK;
}

enum status store_user_find(struct db *db, const char *name, struct store_user *ret_user,
                            char ret_hash[PASSWORD_HASH_MAX], struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {.count = 0};
    db_p_text(&params, name);
    enum status status = db_exec(db, &statements[S_FIND], &params, &result, err);
    if (status != ST_OK)
        return status;
    if (db_rows(result) == 0)
        return err_set(err, ST_NOT_FOUND, "no user \"%.100s\"", name);
    read_user(result, 0, ret_user);
    const char *hash = db_text(result, 0, 3);
    snprintf(ret_hash, PASSWORD_HASH_MAX, "%s", hash == NULL ? "" : hash);
    return ST_OK;
}

static enum status check_admins(struct db *db, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    enum status status = db_exec(db, &statements[S_ADMINS], NULL, &result, err);
    if (status != ST_OK || db_i64(result, 0, 0) > 0)
        return status;
    return err_field(err, ST_CONFLICT, "role", "this is the last admin; make another one first");
}

static bool is_admin(const struct store_user *user)
{
    return strcmp(user->role, "admin") == 0 && user->disabled_at_us == TIME_UNKNOWN;
}

static enum status end_sessions_but(struct db *db, int64_t user_id, const unsigned char *keep,
                                    struct err *err)
{
    static const unsigned char none[TOKEN_HASH_BYTES];
    struct db_params params = {.count = 0};
    db_p_i64(&params, user_id);
    db_p_bytes(&params, keep == NULL ? none : keep, TOKEN_HASH_BYTES);
    return db_exec(db, &statements[S_END_BUT], &params, NULL, err);
}

/* Under the lock; what is read here stays true until the transaction ends. */
static enum status lock(struct db *db, int64_t user_id, struct store_user *ret_user,
                        struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    enum status status = db_exec(db, &statements[S_LOCK], NULL, &result, err);
    return status == ST_OK ? store_user_get(db, user_id, ret_user, err) : status;
}

enum status store_user_change(struct db *db, int64_t user_id, const struct user_change *change,
                              struct err *err)
{
    struct db_params params = {.count = 0};
    struct store_user user;
    enum status status = change->role == NULL ? ST_OK : check_role(change->role, err);
    if (status == ST_OK)
        status = lock(db, user_id, &user, err);
    if (status != ST_OK)
        return status;
    if (change->version != USER_VERSION_ANY && change->version != user.version)
        return err_field(err, ST_CONFLICT, "If-Match", "another changed this user meanwhile");
    db_p_i64(&params, user_id);
    db_p_text(&params, change->role);
    db_p_text(&params, change->password_hash);
    db_p_i64(&params, change->disabled);
    status = db_exec(db, &statements[S_CHANGE], &params, NULL, err);
    if (status == ST_OK && change->keep_admin && is_admin(&user))
        status = check_admins(db, err);
    if (status == ST_OK && (change->disabled == 1 || change->password_hash != NULL))
        status = end_sessions_but(db, user_id, NULL, err);
    return status;
}

enum status store_user_delete(struct db *db, int64_t user_id, bool keep_admin, struct err *err)
{
    struct db_params params = {.count = 0};
    struct store_user user;
    enum status status = lock(db, user_id, &user, err);
    if (status != ST_OK)
        return status;
    db_p_i64(&params, user_id);
    status = db_exec(db, &statements[S_DELETE], &params, NULL, err);
    return status == ST_OK && keep_admin && is_admin(&user) ? check_admins(db, err) : status;
}

static enum status set_password(struct db *db, int64_t user_id, const char *old_hash,
                                const char *new_hash, bool is_new, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {.count = 0};
    db_p_i64(&params, user_id);
    db_p_text(&params, old_hash);
    db_p_text(&params, new_hash);
    db_p_bool(&params, is_new);
    enum status status = db_exec(db, &statements[S_PASSWORD], &params, &result, err);
    if (status == ST_OK && db_rows(result) == 0)
        return err_set(err, ST_CONFLICT, "the password was changed meanwhile");
    return status;
}

enum status store_user_own_password(struct db *db, int64_t user_id, const char *old_hash,
                                    const char *new_hash,
                                    const unsigned char keep_session[TOKEN_HASH_BYTES],
                                    struct err *err)
{
    enum status status = set_password(db, user_id, old_hash, new_hash, true, err);
    return status == ST_OK ? end_sessions_but(db, user_id, keep_session, err) : status;
}

enum status store_user_rehash(struct db *db, int64_t user_id, const char *old_hash,
                              const char *new_hash, struct err *err)
{
    return set_password(db, user_id, old_hash, new_hash, false, err);
}

enum status store_user_session(struct db *db, int64_t user_id, const char *password_hash,
                               int64_t expires_at_us, char ret_secret[SESSION_TEXT_MAX],
                               struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {.count = 0};
    char secret[SESSION_TEXT_MAX];
    unsigned char hash[TOKEN_HASH_BYTES];
    enum status status = secret_new("", sizeof secret, secret, err);
    if (status != ST_OK)
        return status;
    token_hash(secret, strlen(secret), hash);
    db_p_bytes(&params, hash, sizeof hash);
    db_p_i64(&params, user_id);
    db_p_text(&params, password_hash);
    db_p_time(&params, expires_at_us);
    status = db_exec(db, &statements[S_OPEN], &params, &result, err);
    if (status == ST_OK && db_rows(result) == 0)
        status = err_set(err, ST_UNAUTHORIZED, "the account changed while signing in");
    if (status == ST_OK)
        memcpy(ret_secret, secret, sizeof secret);
    sodium_memzero(secret, sizeof secret);
    return status;
}

enum status store_sessions_end(struct db *db, int64_t user_id, int64_t token_id, int64_t *ret_ended,
                               struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {.count = 0};
    db_p_i64(&params, user_id);
    db_p_i64(&params, token_id);
    enum status status = db_exec(db, &statements[S_END], &params, &result, err);
    if (status == ST_OK)
        *ret_ended = db_i64(result, 0, 0);
    return status;
}

/* ---- first start ------------------------------------------------------------ */

enum status store_setup_needed(struct db *db, bool *ret_needed, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    enum status status = db_exec(db, &statements[S_SETUP_NEEDED], NULL, &result, err);
    if (status == ST_OK)
        *ret_needed = db_bool(result, 0, 0);
    return status;
}

enum status store_setup_link_create(struct db *db, int64_t expires_at_us,
                                    char ret_secret[SESSION_TEXT_MAX], struct err *err)
{
    struct db_params params = {.count = 0};
    unsigned char hash[TOKEN_HASH_BYTES];
    char secret[SESSION_TEXT_MAX];
    enum status status = secret_new("", sizeof secret, secret, err);
    if (status != ST_OK)
        return status;
    token_hash(secret, strlen(secret), hash);
    db_p_bytes(&params, hash, sizeof hash);
    db_p_time(&params, expires_at_us);
    status = db_exec(db, &statements[S_LINK_CREATE], &params, NULL, err);
    if (status == ST_OK)
        memcpy(ret_secret, secret, sizeof secret);
    sodium_memzero(secret, sizeof secret);
    return status;
}

static enum status link_ask(struct db *db, const struct stmt *stmt,
                            const unsigned char hash[TOKEN_HASH_BYTES], struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {.count = 0};
    size_t length = 0;
    db_p_bytes(&params, hash, TOKEN_HASH_BYTES);
    enum status status = db_exec(db, stmt, &params, &result, err);
    if (status != ST_OK)
        return status;
    const void *stored = db_rows(result) == 1 ? db_bytes(result, 0, 0, &length) : NULL;
    if (stored == NULL || length != TOKEN_HASH_BYTES ||
        sodium_memcmp(stored, hash, TOKEN_HASH_BYTES) != 0)
        return err_field(err, ST_UNAUTHORIZED, "link", "the link is used, expired or not ours");
    return ST_OK;
}

enum status store_setup_link_check(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES],
                                   struct err *err)
{
    return link_ask(db, &statements[S_LINK_CHECK], hash, err);
}

enum status store_setup_use(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES],
                            const char *name, const char *password_hash, int64_t *ret_user_id,
                            struct err *err)
{
    enum status status = link_ask(db, &statements[S_LINK_USE], hash, err);
    return status == ST_OK ? store_user_create(db, name, "admin", password_hash, ret_user_id, err)
                           : status;
}
