/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_tokens.h"
#include "common/utf8.h"

#include <sodium.h>

#define SECRET_BYTES       32
#define SECRET_TEXT_LENGTH 43
#define TOUCH_AFTER_US     US_PER_MINUTE /* last_used_at is worth no write per request */

enum {
    S_CREATE,
    S_LIST,
    S_REVOKE,
    S_REVOKE_NAME,
    S_FIND,
    S_TOUCH,
    S_OPEN,
    S_SESSION,
    S_CLOSE,
    S_PURGE,
    S_PING
};

#define TOKEN_COLUMNS "t.token_id, t.name, t.role, h.id, t.created_at, t.last_used_at, t.revoked_at"

static const struct stmt statements[] = {
    [S_CREATE] = STMT("tokens_create",
                      "INSERT INTO token (name, role, sha256, host_id, created_at, expires_at) "
                      "SELECT $1, $2, $3, h.host_id, now(), $5 "
                      "FROM (SELECT 1) one LEFT JOIN host h ON h.id = $4 "
                      "WHERE $4 IS NULL OR h.host_id IS NOT NULL RETURNING token_id",
                      "ttxtz", "i"),
    [S_LIST] = STMT("tokens_list",
                    "SELECT " TOKEN_COLUMNS ", t.expires_at, t.sha256 "
                    "FROM token t LEFT JOIN host h USING (host_id) ORDER BY t.token_id",
                    "", "itttzzzzx"),
    [S_REVOKE] = STMT("tokens_revoke",
                      "WITH gone AS (UPDATE token SET revoked_at = now() "
                      "WHERE token_id = $1 AND revoked_at IS NULL RETURNING token_id), "
                      "ended AS (DELETE FROM session s USING gone g WHERE s.token_id = g.token_id) "
                      "SELECT token_id FROM gone",
                      "i", "i"),
    [S_REVOKE_NAME] =
        STMT("tokens_revoke_name",
             "WITH gone AS (UPDATE token SET revoked_at = now() "
             "WHERE name = $1 AND revoked_at IS NULL RETURNING token_id), "
             "ended AS (DELETE FROM session s USING gone g WHERE s.token_id = g.token_id) "
             "SELECT token_id FROM gone",
             "t", "i"),
    [S_FIND] = STMT("tokens_find",
                    "SELECT " TOKEN_COLUMNS ", t.expires_at, t.sha256 "
                    "FROM token t LEFT JOIN host h USING (host_id) "
                    "WHERE t.sha256 = $1 AND t.revoked_at IS NULL "
                    "AND (t.expires_at IS NULL OR t.expires_at > now())",
                    "x", "itttzzzzx"),
    [S_TOUCH] =
        STMT("tokens_touch", "UPDATE token SET last_used_at = now() WHERE token_id = $1", "i", ""),
    [S_OPEN] = STMT("sessions_open",
                    "INSERT INTO session (sha256, token_id, created_at, expires_at) "
                    "VALUES ($1, $2, now(), $3)",
                    "xiz", ""),
    [S_SESSION] = STMT("sessions_find",
                       "SELECT coalesce(t.token_id, 0), coalesce(t.name, u.name), "
                       "coalesce(t.role, u.role), h.id, coalesce(t.created_at, u.created_at), "
                       "t.last_used_at, t.revoked_at, least(s.expires_at, t.expires_at), "
                       "s.sha256, coalesce(u.user_id, 0) "
                       "FROM session s LEFT JOIN token t USING (token_id) "
                       "LEFT JOIN app_user u USING (user_id) LEFT JOIN host h USING (host_id) "
                       "WHERE s.sha256 = $1 AND s.expires_at > now() AND t.revoked_at IS NULL "
                       "AND (t.expires_at IS NULL OR t.expires_at > now()) "
                       "AND u.disabled_at IS NULL",
                       "x", "itttzzzzxi"),
    [S_CLOSE] = STMT("sessions_close", "DELETE FROM session WHERE sha256 = $1", "x", ""),
    [S_PURGE] = STMT("sessions_purge", "DELETE FROM session WHERE expires_at <= now()", "", ""),
    [S_PING] = STMT("ping", "SELECT 1::bigint", "", "i"),
};

const struct stmt_table store_tokens_statements = {statements,
                                                   sizeof statements / sizeof statements[0]};

void store_token_list_done(struct store_token_list *list)
{
    free(list->items);
    *list = (struct store_token_list){NULL, 0};
}

void token_hash(const char *secret, size_t length, unsigned char ret_hash[TOKEN_HASH_BYTES])
{
    crypto_hash_sha256(ret_hash, (const unsigned char *)secret, length);
}

bool session_shape_ok(const char *secret, size_t length)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if (length != SECRET_TEXT_LENGTH)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (secret[i] == '\0' || strchr(alphabet, secret[i]) == NULL)
            return false;
    }
    return true;
}

bool secret_shape_ok(const char *prefix, const char *secret, size_t length)
{
    size_t used = strlen(prefix);
    return length == used + SECRET_TEXT_LENGTH && memcmp(secret, prefix, used) == 0 &&
           session_shape_ok(secret + used, length - used);
}

bool token_shape_ok(const char *secret, size_t length)
{
    return secret_shape_ok(TOKEN_PREFIX, secret, length);
}

enum status secret_new(const char *prefix, size_t size, char *ret_secret, struct err *err)
{
    unsigned char bytes[SECRET_BYTES];
    size_t used = strlen(prefix);
    if (sodium_init() < 0)
        return err_set(err, ST_IO, "could not make a secret: no random numbers");
    randombytes_buf(bytes, sizeof bytes);
    memcpy(ret_secret, prefix, used);
    sodium_bin2base64(ret_secret + used, size - used, bytes, sizeof bytes,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(bytes, sizeof bytes);
    return ST_OK;
}

static enum status check_new(const char *name, const char *role, const char *host_id,
                             struct err *err)
{
    static const char *const roles[] = {"host", "ingest", "viewer", "operator", "admin"};
    size_t length = strlen(name);
    bool known = false;
    if (length == 0 || length > LIMIT_TEXT_BYTES || !utf8_valid(name, length))
        return err_field(err, ST_INVALID, "name",
                         "could not create token: the name must be 1 to 256 bytes of UTF-8");
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return err_field(err, ST_INVALID, "name",
                             "could not create token: control character in the name");
    }
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        known = known || strcmp(roles[i], role) == 0;
    if (!known)
        return err_field(err, ST_INVALID, "role",
                         "could not create token: the role must be host, ingest, viewer, operator "
                         "or admin");
    if ((host_id != NULL) != (strcmp(role, "host") == 0))
        return err_field(err, ST_INVALID, "role",
                         "could not create token: role host, and only that, needs a host");
    return ST_OK;
}

enum status store_token_create(struct db *db, const char *name, const char *role,
                               const char *host_id, int64_t expires_at_us,
                               char ret_secret[TOKEN_TEXT_MAX], int64_t *ret_token_id,
                               struct err *err)
{
    char secret[TOKEN_TEXT_MAX];
    unsigned char hash[TOKEN_HASH_BYTES];
    struct db_params params = {.count = 0};
    AUTO_DBRESULT struct db_result *result = NULL;
    enum status status = check_new(name, role, host_id, err);
    if (status == ST_OK)
        status = secret_new(TOKEN_PREFIX, sizeof secret, secret, err);
    if (status != ST_OK)
        return status;
    token_hash(secret, strlen(secret), hash);
    db_p_text(&params, name);
    db_p_text(&params, role);
    db_p_bytes(&params, hash, sizeof hash);
    db_p_text(&params, host_id);
    db_p_time(&params, expires_at_us);
    status = db_exec(db, &statements[S_CREATE], &params, &result, err);
    if (status != ST_OK)
        return status;
    if (db_rows(result) == 0)
        return err_set(err, ST_NOT_FOUND, "could not create token: no host with id \"%s\"",
                       host_id);
    if (ret_token_id != NULL)
        *ret_token_id = db_i64(result, 0, 0);
    memcpy(ret_secret, secret, sizeof secret);
    sodium_memzero(secret, sizeof secret);
    return ST_OK;
}

static void copy_text(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text == NULL ? "" : text);
}

static void read_token(const struct db_result *result, size_t row, struct store_token *ret_token)
{
    ret_token->token_id = db_i64(result, row, 0);
    copy_text(ret_token->name, sizeof ret_token->name, db_text(result, row, 1));
    copy_text(ret_token->role, sizeof ret_token->role, db_text(result, row, 2));
    copy_text(ret_token->host_id, sizeof ret_token->host_id, db_text(result, row, 3));
    ret_token->created_at_us = db_time(result, row, 4);
    ret_token->last_used_at_us = db_time(result, row, 5);
    ret_token->revoked_at_us = db_time(result, row, 6);
    ret_token->expires_at_us = db_time(result, row, 7);
}

enum status store_token_list(struct db *db, struct store_token_list *ret_list, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    enum status status = db_exec(db, &statements[S_LIST], NULL, &result, err);
    if (status != ST_OK)
        return status;
    size_t count = db_rows(result);
    struct store_token *items = calloc(count == 0 ? 1 : count, sizeof *items);
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not list tokens: out of memory");
    for (size_t i = 0; i < count; i++)
        read_token(result, i, &items[i]);
    *ret_list = (struct store_token_list){items, count};
    return ST_OK;
}

static enum status revoke(struct db *db, const struct stmt *stmt, const struct db_params *params,
                          struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    enum status status = db_exec(db, stmt, params, &result, err);
    if (status == ST_OK && db_rows(result) == 0)
        return err_set(err, ST_NOT_FOUND,
                       "could not revoke token: no such token that is not yet "
                       "revoked");
    return status;
}

enum status store_token_revoke(struct db *db, int64_t token_id, struct err *err)
{
    struct db_params params = {.count = 0};
    db_p_i64(&params, token_id);
    return revoke(db, &statements[S_REVOKE], &params, err);
}

enum status store_token_revoke_name(struct db *db, const char *name, struct err *err)
{
    struct db_params params = {.count = 0};
    db_p_text(&params, name);
    return revoke(db, &statements[S_REVOKE_NAME], &params, err);
}

static enum status find(struct db *db, const struct stmt *stmt,
                        const unsigned char hash[TOKEN_HASH_BYTES], struct store_token *ret_token,
                        struct err *err)
{
    struct db_params params = {.count = 0};
    AUTO_DBRESULT struct db_result *result = NULL;
    size_t length = 0;
    db_p_bytes(&params, hash, TOKEN_HASH_BYTES);
    enum status status = db_exec(db, stmt, &params, &result, err);
    if (status != ST_OK)
        return status;
    const void *stored = db_rows(result) == 1 ? db_bytes(result, 0, 8, &length) : NULL;
    /* The index has found it by value; what is trusted is this comparison. */
    if (stored == NULL || length != TOKEN_HASH_BYTES ||
        sodium_memcmp(stored, hash, TOKEN_HASH_BYTES) != 0)
        return err_set(err, ST_UNAUTHORIZED, "unknown, revoked or expired token");
    read_token(result, 0, ret_token);
    ret_token->user_id = stmt == &statements[S_SESSION] ? db_i64(result, 0, 9) : 0;
    return ST_OK;
}

/* Not worth failing a request for: a replica that only reads may serve it too. */
static void touch(struct db *db, const struct store_token *token)
{
    struct db_params params = {.count = 0};
    struct err ignored;
    if (token->token_id == 0) /* a person's session; that sign-in was noted */
        return;
    if (token->last_used_at_us != TIME_UNKNOWN &&
        clock_wall_us() - token->last_used_at_us < TOUCH_AFTER_US)
        return;
    db_p_i64(&params, token->token_id);
    if (db_exec(db, &statements[S_TOUCH], &params, NULL, &ignored) != ST_OK)
        return;
}

enum status store_token_verify(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES],
                               struct store_token *ret_token, struct err *err)
{
    enum status status = find(db, &statements[S_FIND], hash, ret_token, err);
    if (status == ST_OK)
        touch(db, ret_token);
    return status;
}

enum status store_session_verify(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES],
                                 struct store_token *ret_token, struct err *err)
{
    enum status status = find(db, &statements[S_SESSION], hash, ret_token, err);
    if (status == ST_OK)
        touch(db, ret_token);
    return status;
}

enum status store_session_create(struct db *db, int64_t token_id, int64_t expires_at_us,
                                 char ret_secret[SESSION_TEXT_MAX], struct err *err)
{
    char secret[SESSION_TEXT_MAX];
    unsigned char hash[TOKEN_HASH_BYTES];
    struct db_params params = {.count = 0};
    enum status status = secret_new("", sizeof secret, secret, err);
    if (status == ST_OK)
        status = db_exec(db, &statements[S_PURGE], NULL, NULL, err);
    if (status != ST_OK)
        return status;
    token_hash(secret, strlen(secret), hash);
    db_p_bytes(&params, hash, sizeof hash);
    db_p_i64(&params, token_id);
    db_p_time(&params, expires_at_us);
    status = db_exec(db, &statements[S_OPEN], &params, NULL, err);
    if (status == ST_OK)
        memcpy(ret_secret, secret, sizeof secret);
    sodium_memzero(secret, sizeof secret);
    return status;
}

enum status store_session_delete(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES],
                                 struct err *err)
{
    struct db_params params = {.count = 0};
    db_p_bytes(&params, hash, TOKEN_HASH_BYTES);
    return db_exec(db, &statements[S_CLOSE], &params, NULL, err);
}

enum status store_ping(struct db *db, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    return db_exec(db, &statements[S_PING], NULL, &result, err);
}
