/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_session.h"
#include "common/clock.h"
#include "server/app.h"
#include "server/http/exchange.h"
#include "server/store/store_tokens.h"

#include <jansson.h>
#include <sodium.h>

static void cleanup_json(json_t **json)
{
    json_decref(*json);
}
#define AUTO_JSON CLEANUP(cleanup_json)

/* {"token": "..."} and nothing else. */
static enum status read_body(const struct req *rq, json_t **ret_json, const char **ret_token,
                             size_t *ret_length, struct err *err)
{
    json_error_t fault;
    json_t *json = json_loadb(rq->body, rq->body_length, JSON_REJECT_DUPLICATES, &fault);
    if (json == NULL)
        return err_set(err, ST_MALFORMED, "could not read the body: not JSON");
    const json_t *token = json_object_get(json, "token");
    if (!json_is_string(token) || json_object_size(json) != 1) {
        json_decref(json);
        return err_field(err, ST_INVALID, "token",
                         "could not sign in: the body must be {\"token\": TEXT}");
    }
    *ret_token = json_string_value(token);
    *ret_length = json_string_length(token);
    *ret_json = json;
    return ST_OK;
}

static enum status too_many(struct resp *rs, unsigned wait_seconds, struct err *err)
{
    rs->code = 429;
    rs->problem = "too_many_attempts";
    rs->retry_after_seconds = wait_seconds;
    return err_set(err, ST_BUSY, "too many failed attempts from this address");
}

static enum status verify(const struct req *rq, const char *token, size_t length, struct resp *rs,
                          struct identity *ret_identity, struct err *err)
{
    struct credential credential;
    unsigned wait = 0;
    if (!credential_make(token, length, false, req_peer_key(rq), &credential)) {
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

static void write_session(struct resp *rs, enum role role, const char *name, int64_t expires_at_us)
{
    char text[TIME_TEXT_MAX];
    strbuf_puts(&rs->body, "{\"role\":");
    strbuf_json(&rs->body, role_name(role));
    strbuf_puts(&rs->body, ",\"name\":");
    strbuf_json(&rs->body, name);
    strbuf_puts(&rs->body, ",\"expires_at\":");
    if (expires_at_us == TIME_UNKNOWN)
        strbuf_puts(&rs->body, "null");
    else {
        time_format(expires_at_us, text);
        strbuf_json(&rs->body, text);
    }
    strbuf_puts(&rs->body, "}\n");
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

enum status api_session_post(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_JSON json_t *json = NULL;
    AUTO_DBLEASE struct db *db = NULL;
    struct identity identity;
    char secret[SESSION_TEXT_MAX];
    const char *token = NULL;
    size_t length = 0;
    enum status status = read_body(rq, &json, &token, &length, err);
    if (status == ST_OK)
        status = verify(rq, token, length, rs, &identity, err);
    if (status != ST_OK)
        return status;
    if (!role_allows(identity.role, ROLE_VIEWER))
        return err_set(err, ST_FORBIDDEN, "could not sign in: a token of role %s has no page",
                       role_name(identity.role));
    int64_t now = clock_wall_us();
    int64_t ends = now + rq->app->config->session_us;
    if (identity.expires_at_us != TIME_UNKNOWN && identity.expires_at_us < ends)
        ends = identity.expires_at_us;
    status = db_lease(rq->app->db, US_PER_SECOND, &db, err);
    if (status == ST_OK)
        status = store_session_create(db, identity.token_id, ends, secret, err);
    if (status != ST_OK)
        return status;
    rs->set_cookie = cookie(rq, secret, (ends - now) / US_PER_SECOND);
    sodium_memzero(secret, sizeof secret);
    write_session(rs, identity.role, identity.name, ends);
    return rs->set_cookie == NULL ? err_set(err, ST_NOMEM, "could not sign in: out of memory")
                                  : ST_OK;
}

enum status api_session_get(struct req *rq, struct resp *rs, struct err *err)
{
    if (rq->role == ROLE_NONE && req_auth_status(rq) != ST_UNAUTHORIZED)
        return err_set(err, req_auth_status(rq), "could not verify the session");
    if (rq->role == ROLE_NONE)
        return err_set(err, ST_UNAUTHORIZED, "not signed in");
    write_session(rs, rq->role, rq->principal, req_identity(rq)->expires_at_us);
    return ST_OK;
}

enum status api_session_delete(struct req *rq, struct resp *rs, struct err *err)
{
    const struct credential *credential = req_credential(rq);
    if (rq->role == ROLE_NONE && req_auth_status(rq) == ST_DB)
        return err_set(err, ST_DB, "could not sign out: database unavailable");
    if (credential != NULL && rq->by_cookie) {
        AUTO_DBLEASE struct db *db = NULL;
        enum status status = db_lease(rq->app->db, US_PER_SECOND, &db, err);
        if (status == ST_OK)
            status = store_session_delete(db, credential->hash, err);
        if (status != ST_OK)
            return status;
        auth_forget(req_auth(rq), credential->hash);
    }
    rs->code = 204;
    rs->set_cookie = cookie(rq, "", 0);
    return ST_OK;
}
