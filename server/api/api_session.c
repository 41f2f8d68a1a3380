/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_session.h"
#include "common/clock.h"
#include "common/log.h"
#include "server/api/api_common.h"
#include "server/api/json_in.h"
#include "server/api/json_out.h"
#include "server/http/exchange.h"
#include "server/store/store_users.h"

#include <sodium.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- replies ---------------------------------------------------------------- */

static enum status too_many(struct resp *rs, unsigned wait_seconds, struct err *err)
{
    rs->code = 429;
    rs->problem = "too_many_attempts";
    rs->retry_after_seconds = wait_seconds;
    return err_set(err, ST_BUSY, "too many failed attempts");
}

/* kind: how they are known, as in the log of changes. */
static void write_session(struct resp *rs, enum role role, const char *name, const char *kind,
                          int64_t expires_at_us)
{
    json_open(&rs->body, '{');
    json_text(&rs->body, "role", role_name(role));
    json_text(&rs->body, "name", name);
    json_text(&rs->body, "kind", kind);
    json_time(&rs->body, "expires_at", expires_at_us);
    json_close(&rs->body, '}');
}

static char *cookie(const struct req *rq, const char *secret, int64_t seconds)
{
    struct strbuf out = STRBUF_INIT;
    strbuf_puts(&out, SESSION_COOKIE "=");
    strbuf_puts(&out, secret);
    strbuf_puts(&out, "; Path=/; HttpOnly; SameSite=Strict; Max-Age=");
    strbuf_i64(&out, seconds);
    strbuf_puts(&out, rq->plain_http ? "" : "; Secure");
    return strbuf_take(&out);
}

/* ---- opening a session ------------------------------------------------------ */

struct opening {
    int64_t user_id;  /* or */
    int64_t token_id; /* the other is 0 */
    const char *password_hash;
    int64_t ends_us;
    char secret[SESSION_TEXT_MAX];
};

static enum status open_tx(struct db *db, void *arg, struct err *err)
{
    struct opening *opening = arg;
    return opening->user_id != 0 ? store_user_session(db, opening->user_id, opening->password_hash,
                                                      opening->ends_us, opening->secret, err)
                                 : store_session_create(db, opening->token_id, opening->ends_us,
                                                        opening->secret, err);
}

/* The cookie, the log of changes, and the reply. */
static enum status open_session(struct req *rq, struct resp *rs, struct opening *opening,
                                enum role role, const char *name, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    int64_t now = clock_wall_us();
    struct audit_entry entry = api_audit(rq, "session.create", name);
    entry.actor.kind = opening->user_id != 0 ? "user" : "token";
    entry.actor.name = name;
    if (opening->ends_us == TIME_UNKNOWN || opening->ends_us > now + rq->app->config->session_us)
        opening->ends_us = now + rq->app->config->session_us;
    enum status status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_audited(db, &entry, open_tx, opening, err);
    if (status != ST_OK)
        return status;
    rs->set_cookie = cookie(rq, opening->secret, (opening->ends_us - now) / US_PER_SECOND);
    sodium_memzero(opening->secret, sizeof opening->secret);
    write_session(rs, role, name, entry.actor.kind, opening->ends_us);
    return rs->set_cookie == NULL ? err_set(err, ST_NOMEM, "could not sign in: out of memory")
                                  : ST_OK;
}

/* ---- by token --------------------------------------------------------------- */

struct sign_in {
    const char *token; /* or */
    const char *name;
    const char *password;
};

static enum status read_sign_in(const struct req *rq, struct sign_in *fields, json_t **ret_json,
                                struct err *err)
{
    static const struct json_in members[] = {
        {"token", JSON_IN_TEXT, offsetof(struct sign_in, token), false},
        {"name", JSON_IN_TEXT, offsetof(struct sign_in, name), false},
        {"password", JSON_IN_TEXT, offsetof(struct sign_in, password), false},
    };
    enum status status = json_in_read(rq, members, COUNT(members), fields, ret_json, err);
    if (status != ST_OK)
        return status;
    if (fields->token != NULL && fields->name == NULL && fields->password == NULL)
        return ST_OK;
    if (fields->token == NULL && fields->name != NULL && fields->password != NULL)
        return ST_OK;
    json_decref(TAKE(*ret_json));
    return err_field(err, ST_INVALID,
                     fields->token != NULL  ? "token"
                     : fields->name == NULL ? "name"
                                            : "password",
                     "could not sign in: the body must be {\"name\": TEXT, \"password\": TEXT} or "
                     "{\"token\": TEXT}");
}

static enum status verify_token(const struct req *rq, const char *token, struct resp *rs,
                                struct identity *ret_identity, struct err *err)
{
    struct credential credential;
    unsigned wait = 0;
    if (!credential_make(token, strlen(token), false, req_peer_key(rq), &credential)) {
        wait = auth_fail(req_auth(rq), req_peer_key(rq));
        if (wait > 0)
            return too_many(rs, wait, err);
        return err_field(err, ST_UNAUTHORIZED, "token", "could not sign in: no token of ours");
    }
    enum status status = auth_look(req_auth(rq), &credential, ret_identity, &wait);
    if (status == ST_BUSY)
        return too_many(rs, wait, err);
    if (status == ST_NOT_FOUND)
        status = auth_verify(req_auth(rq), &credential, ret_identity, err);
    return status;
}

static enum status by_token(struct req *rq, struct resp *rs, const char *token, struct err *err)
{
    struct identity identity;
    enum status status = verify_token(rq, token, rs, &identity, err);
    if (status != ST_OK)
        return status;
    if (!role_allows(identity.role, ROLE_VIEWER))
        return err_set(err, ST_FORBIDDEN, "could not sign in: a token of role %s has no page",
                       role_name(identity.role));
    struct opening opening = {.token_id = identity.token_id, .ends_us = identity.expires_at_us};
    return open_session(rq, rs, &opening, identity.role, identity.name, err);
}

/* ---- by password ------------------------------------------------------------ */

/* The account whose password this is. Every failure costs one hash and says the same. No
 * connection is held while it is made. */
static enum status verify_password(const struct req *rq, const char *name, const char *password,
                                   struct store_user *ret_user, char ret_hash[PASSWORD_HASH_MAX],
                                   struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    enum status status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_user_find(db, name, ret_user, ret_hash, err);
    db_release(TAKE(db));
    if (status != ST_OK && status != ST_NOT_FOUND)
        return status;
    bool there = status == ST_OK && ret_hash[0] != '\0';
    bool fits = password_verify(there ? ret_hash : NULL, password, strlen(password));
    if (fits && ret_user->disabled_at_us == TIME_UNKNOWN)
        return ST_OK;
    log_warning("sign-in refused", "name", name, "peer", rq->peer, "reason",
                status == ST_NOT_FOUND ? "no such user"
                : fits                 ? "disabled"
                : there                ? "wrong password"
                                       : "no password");
    return err_field(err, ST_UNAUTHORIZED, "password", "the name or the password is wrong");
}

/* The account's password under today's limits: worth an attempt, not a failure. */
static void rehash(const struct req *rq, const struct store_user *user, const char *password,
                   char hash[PASSWORD_HASH_MAX])
{
    AUTO_DBLEASE struct db *db = NULL;
    char fresh[PASSWORD_HASH_MAX];
    struct err err = {0};
    enum status status = password_hash(password, strlen(password), fresh, &err);
    if (status == ST_OK)
        status = api_lease(rq, &db, &err);
    if (status == ST_OK)
        status = store_user_rehash(db, user->user_id, hash, fresh, &err);
    if (status == ST_OK)
        memcpy(hash, fresh, sizeof fresh);
    else
        log_err("could not renew a password's hash", &err);
}

static enum status by_password(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_JSON json_t *json = NULL;
    struct sign_in fields = {0};
    struct store_user user;
    char hash[PASSWORD_HASH_MAX];
    enum role role;
    enum status status = read_sign_in(rq, &fields, &json, err);
    if (status != ST_OK)
        return status;
    unsigned wait = auth_attempt(req_auth(rq), req_peer_key(rq), fields.name);
    if (wait > 0) {
        rs->quota = auth_quota(req_auth(rq), req_peer_key(rq), fields.name);
        return too_many(rs, wait, err);
    }
    status = verify_password(rq, fields.name, fields.password, &user, hash, err);
    if (status != ST_UNAUTHORIZED)
        auth_attempt_ok(req_auth(rq), req_peer_key(rq), fields.name);
    rs->quota = auth_quota(req_auth(rq), req_peer_key(rq), fields.name);
    if (status != ST_OK)
        return status;
    if (!role_parse(user.role, &role))
        return err_set(err, ST_UNAUTHORIZED, "the account has an unknown role");
    if (password_is_old(hash))
        rehash(rq, &user, fields.password, hash);
    struct opening opening = {
        .user_id = user.user_id, .password_hash = hash, .ends_us = TIME_UNKNOWN};
    return open_session(rq, rs, &opening, role, user.name, err);
}

enum status api_session_post(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_JSON json_t *json = NULL;
    struct sign_in fields = {0};
    enum status status = read_sign_in(rq, &fields, &json, err);
    if (status != ST_OK)
        return status;
    return fields.token != NULL ? by_token(rq, rs, fields.token, err)
                                : http_slow(rq, by_password, err);
}

/* ---- the session there is --------------------------------------------------- */

enum status api_session_get(struct req *rq, struct resp *rs, struct err *err)
{
    if (rq->role == ROLE_NONE && req_auth_status(rq) != ST_UNAUTHORIZED)
        return err_set(err, req_auth_status(rq), "could not verify the session");
    if (rq->role == ROLE_NONE)
        return err_set(err, ST_UNAUTHORIZED, "not signed in");
    write_session(rs, rq->role, rq->principal, rq->actor_kind, req_identity(rq)->expires_at_us);
    return ST_OK;
}

static bool has_session(const struct req *rq)
{
    const struct credential *credential = req_credential(rq);
    return credential != NULL && credential->kind == CREDENTIAL_SESSION;
}

enum status api_session_delete(struct req *rq, struct resp *rs, struct err *err)
{
    if (rq->role == ROLE_NONE && req_auth_status(rq) == ST_DB)
        return err_set(err, ST_DB, "could not sign out: database unavailable");
    if (has_session(rq)) {
        AUTO_DBLEASE struct db *db = NULL;
        enum status status = api_lease(rq, &db, err);
        if (status == ST_OK)
            status = store_session_delete(db, req_credential(rq)->hash, err);
        if (status != ST_OK)
            return status;
        auth_forget(req_auth(rq), req_credential(rq)->hash);
    }
    rs->code = 204;
    rs->set_cookie = cookie(rq, "", 0);
    return ST_OK;
}

static enum status end_all(struct db *db, void *arg, struct err *err)
{
    const struct req *rq = arg;
    int64_t ended;
    return store_sessions_end(db, rq->user_id, rq->token_id, &ended, err);
}

/* Everywhere: this one, and those on other machines. */
enum status api_sessions_delete(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    struct audit_entry entry = api_audit(rq, "session.delete", rq->principal);
    enum status status = req_query_only(rq, NULL, 0, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_audited(db, &entry, end_all, rq, err);
    if (status != ST_OK)
        return status;
    auth_forget_all(req_auth(rq), rq->user_id, rq->token_id);
    rs->code = 204;
    rs->set_cookie = cookie(rq, "", 0);
    return ST_OK;
}

/* ---- one's own password ----------------------------------------------------- */

struct new_password {
    const char *current;
    const char *password;
};

struct own_change {
    int64_t user_id;
    const char *old_hash;
    const char *new_hash;
    const unsigned char *session;
};

static enum status own_tx(struct db *db, void *arg, struct err *err)
{
    const struct own_change *change = arg;
    return store_user_own_password(db, change->user_id, change->old_hash, change->new_hash,
                                   change->session, err);
}

static enum status save_own(struct req *rq, const struct store_user *user, const char *old_hash,
                            const char *new_hash, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    struct own_change change = {user->user_id, old_hash, new_hash, req_credential(rq)->hash};
    struct audit_entry entry = api_audit(rq, "user.password", user->name);
    enum status status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_audited(db, &entry, own_tx, &change, err);
    if (status == ST_OK)
        auth_forget_all(req_auth(rq), user->user_id, 0);
    return status;
}

static enum status change_password(struct req *rq, struct resp *rs, struct err *err)
{
    static const struct json_in members[] = {
        {"current", JSON_IN_TEXT, offsetof(struct new_password, current), true},
        {"password", JSON_IN_TEXT, offsetof(struct new_password, password), true},
    };
    AUTO_JSON json_t *json = NULL;
    struct new_password fields = {"", ""};
    struct store_user user;
    char old_hash[PASSWORD_HASH_MAX];
    char new_hash[PASSWORD_HASH_MAX];
    enum status status = json_in_read(rq, members, COUNT(members), &fields, &json, err);
    if (status == ST_OK)
        status = password_check(rq->principal, fields.password, strlen(fields.password), err);
    if (status != ST_OK)
        return status;
    /* A stolen session must not be a place to guess at leisure. */
    unsigned wait = auth_attempt(req_auth(rq), req_peer_key(rq), rq->principal);
    if (wait > 0)
        return too_many(rs, wait, err);
    status = verify_password(rq, rq->principal, fields.current, &user, old_hash, err);
    if (status != ST_UNAUTHORIZED)
        auth_attempt_ok(req_auth(rq), req_peer_key(rq), rq->principal);
    /* Not 401: the session is good, and the page must not take it for lost. */
    if (status == ST_UNAUTHORIZED)
        return err_field(err, ST_INVALID, "current", "the current password is wrong");
    if (status == ST_OK)
        status = password_hash(fields.password, strlen(fields.password), new_hash, err);
    if (status == ST_OK)
        status = save_own(rq, &user, old_hash, new_hash, err);
    rs->code = 204;
    return status;
}

enum status api_session_password(struct req *rq, struct resp *rs, struct err *err)
{
    (void)rs;
    if (!has_session(rq) || rq->user_id == 0)
        return err_set(err, ST_FORBIDDEN,
                       "only who signed in by password has a password to change");
    return http_slow(rq, change_password, err);
}

/* ---- first start ------------------------------------------------------------ */

struct setup {
    const char *link;
    const char *name;
    const char *password;
    unsigned char link_hash[TOKEN_HASH_BYTES];
    char password_hash[PASSWORD_HASH_MAX];
    int64_t user_id;
};

static enum status check_link(struct req *rq, struct resp *rs, struct setup *setup, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    token_hash(setup->link, strlen(setup->link), setup->link_hash);
    enum status status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_setup_link_check(db, setup->link_hash, err);
    if (status != ST_UNAUTHORIZED)
        return status;
    unsigned wait = auth_fail(req_auth(rq), req_peer_key(rq));
    return wait > 0 ? too_many(rs, wait, err) : status;
}

static enum status setup_tx(struct db *db, void *arg, struct err *err)
{
    struct setup *setup = arg;
    return store_setup_use(db, setup->link_hash, setup->name, setup->password_hash, &setup->user_id,
                           err);
}

static enum status save_setup(struct req *rq, struct setup *setup, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    struct audit_entry entry = api_audit(rq, "user.create", setup->name);
    entry.actor = (struct audit_actor){"setup", setup->name, rq->peer};
    entry.detail = "{\"role\":\"admin\"}";
    enum status status = api_lease(rq, &db, err);
    return status == ST_OK ? store_audited(db, &entry, setup_tx, setup, err) : status;
}

static enum status set_up(struct req *rq, struct resp *rs, struct err *err)
{
    static const struct json_in members[] = {
        {"link", JSON_IN_TEXT, offsetof(struct setup, link), true},
        {"name", JSON_IN_TEXT, offsetof(struct setup, name), true},
        {"password", JSON_IN_TEXT, offsetof(struct setup, password), true},
    };
    AUTO_JSON json_t *json = NULL;
    struct setup setup = {.link = "", .name = "", .password = ""};
    enum status status = json_in_read(rq, members, COUNT(members), &setup, &json, err);
    if (status == ST_OK)
        status = check_link(rq, rs, &setup, err);
    if (status == ST_OK)
        status = password_check(setup.name, setup.password, strlen(setup.password), err);
    if (status == ST_OK)
        status = password_hash(setup.password, strlen(setup.password), setup.password_hash, err);
    if (status == ST_OK)
        status = save_setup(rq, &setup, err);
    if (status != ST_OK)
        return status;
    struct opening opening = {
        .user_id = setup.user_id, .password_hash = setup.password_hash, .ends_us = TIME_UNKNOWN};
    return open_session(rq, rs, &opening, ROLE_ADMIN, setup.name, err);
}

enum status api_setup_post(struct req *rq, struct resp *rs, struct err *err)
{
    (void)rs;
    return http_slow(rq, set_up, err);
}
