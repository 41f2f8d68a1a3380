/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_tokens.h"

#include "server/api/api_common.h"
#include "server/api/json_in.h"
#include "server/api/json_out.h"
#include "server/api/list.h"
#include "server/http/exchange.h"
#include "server/store/store_enroll.h"

#include <sodium.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const role_texts[] = {"host", "ingest", "viewer", "operator", "admin"};
static const char *const state_texts[] = {"active", "expired", "used up", "revoked"};

static int index_of(const char *const *texts, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(texts[i], text) == 0)
            return (int)i;
    }
    return -1;
}

/* A parameter that is one of some words; -1: absent. */
static enum status query_word(const struct req *rq, const char *name, const char *const *texts,
                              size_t count, int *ret_index, struct err *err)
{
    const char *text = req_query(rq, name);
    *ret_index = text == NULL ? -1 : index_of(texts, count, text);
    if (text != NULL && *ret_index < 0)
        return err_field(err, ST_INVALID, name, "%s \"%.40s\" is not known", name, text);
    return ST_OK;
}

static enum status check_ahead(int64_t at_us, struct err *err)
{
    if (at_us != TIME_UNKNOWN && at_us <= clock_wall_us())
        return err_field(err, ST_INVALID, "expires_at", "expires_at must lie ahead");
    return ST_OK;
}

/* ---- lists ------------------------------------------------------------------ */

struct token_item {
    int64_t id;
    const char *name;
    int role;
    const char *host_id;
    int state;
    int64_t created_at;
    int64_t last_used_at;
    int64_t expires_at;
    int64_t revoked_at;
};

#define TOKEN_COLUMN(field, kind) LIST_COLUMN(struct token_item, field, kind)
static const struct list_column token_columns[] = {
    TOKEN_COLUMN(id, LIST_I64),
    TOKEN_COLUMN(name, LIST_TEXT),
    LIST_COLUMN_ENUM(struct token_item, role, role_texts),
    TOKEN_COLUMN(host_id, LIST_TEXT),
    LIST_COLUMN_ENUM(struct token_item, state, state_texts),
    TOKEN_COLUMN(created_at, LIST_TIME),
    TOKEN_COLUMN(last_used_at, LIST_TIME),
    TOKEN_COLUMN(expires_at, LIST_TIME),
    TOKEN_COLUMN(revoked_at, LIST_TIME),
};
static const struct list_spec token_spec = {
    .columns = token_columns,
    .column_count = COUNT(token_columns),
    .identity = TOKEN_COLUMN(id, LIST_I64),
    .default_sort = "-created_at",
    .default_limit = LIST_LIMIT_DEFAULT,
    .max_limit = LIST_LIMIT_MAX,
};

static void token_fill(const struct store_token *token, int64_t now_us, struct token_item *item)
{
    const char *state = token->revoked_at_us != TIME_UNKNOWN ? "revoked"
                        : token->expires_at_us != TIME_UNKNOWN && token->expires_at_us <= now_us
                            ? "expired"
                            : "active";
    *item = (struct token_item){
        .id = token->token_id,
        .name = token->name,
        .role = index_of(role_texts, COUNT(role_texts), token->role),
        .host_id = token->host_id[0] == '\0' ? NULL : token->host_id,
        .state = index_of(state_texts, COUNT(state_texts), state),
        .created_at = token->created_at_us,
        .last_used_at = token->last_used_at_us,
        .expires_at = token->expires_at_us,
        .revoked_at = token->revoked_at_us,
    };
}

static enum status reply_tokens(const struct req *rq, struct resp *rs,
                                const struct list_query *query,
                                const struct store_token_list *tokens, int role, int state,
                                struct err *err)
{
    AUTO_FREE struct token_item *items = calloc(tokens->count + 1, sizeof *items);
    int64_t now = clock_wall_us();
    size_t count = 0;
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not list tokens: out of memory");
    for (size_t i = 0; i < tokens->count; i++) {
        struct token_item *item = &items[count];
        token_fill(&tokens->items[i], now, item);
        count += (role < 0 || role == item->role) && (state < 0 || state == item->state) &&
                 api_text_has(item->name, req_query(rq, "q"));
    }
    return list_reply(rq, rs, &token_spec, query, NULL, items, sizeof *items, count, err);
}

enum status api_tokens_list(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {LIST_PARAMETERS, "q", "role", "state"};
    AUTO_LIST_QUERY struct list_query query = {0};
    AUTO_TOKEN_LIST struct store_token_list tokens = {0};
    AUTO_DBLEASE struct db *db = NULL;
    int role = -1;
    int state = -1;
    enum status status = req_query_only(rq, names, COUNT(names), err);
    if (status == ST_OK)
        status = query_word(rq, "role", role_texts, COUNT(role_texts), &role, err);
    if (status == ST_OK)
        status = query_word(rq, "state", state_texts, COUNT(state_texts), &state, err);
    if (status == ST_OK)
        status = list_query_read(rq, &token_spec, &query, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_token_list(db, &tokens, err);
    return status == ST_OK ? reply_tokens(rq, rs, &query, &tokens, role, state, err) : status;
}

struct secret_item {
    int64_t id;
    const char *name;
    int state;
    int64_t uses;
    int64_t max_uses;
    int64_t created_at;
    int64_t last_used_at;
    int64_t expires_at;
    int64_t revoked_at;
};

#define SECRET_COLUMN(field, kind) LIST_COLUMN(struct secret_item, field, kind)
static const struct list_column secret_columns[] = {
    SECRET_COLUMN(id, LIST_I64),
    SECRET_COLUMN(name, LIST_TEXT),
    LIST_COLUMN_ENUM(struct secret_item, state, state_texts),
    SECRET_COLUMN(uses, LIST_I64),
    SECRET_COLUMN(max_uses, LIST_I64),
    SECRET_COLUMN(created_at, LIST_TIME),
    SECRET_COLUMN(last_used_at, LIST_TIME),
    SECRET_COLUMN(expires_at, LIST_TIME),
    SECRET_COLUMN(revoked_at, LIST_TIME),
};
static const struct list_spec secret_spec = {
    .columns = secret_columns,
    .column_count = COUNT(secret_columns),
    .identity = SECRET_COLUMN(id, LIST_I64),
    .default_sort = "-created_at",
    .default_limit = LIST_LIMIT_DEFAULT,
    .max_limit = LIST_LIMIT_MAX,
};

static void secret_fill(const struct store_enroll_secret *secret, int64_t now_us,
                        struct secret_item *item)
{
    *item = (struct secret_item){
        .id = secret->secret_id,
        .name = secret->name,
        .state =
            index_of(state_texts, COUNT(state_texts), store_enroll_secret_state(secret, now_us)),
        .uses = secret->uses,
        .max_uses = secret->max_uses < 0 ? NUMBER_ABSENT : secret->max_uses,
        .created_at = secret->created_at_us,
        .last_used_at = secret->last_used_at_us,
        .expires_at = secret->expires_at_us,
        .revoked_at = secret->revoked_at_us,
    };
}

enum status api_enroll_secrets_list(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {LIST_PARAMETERS, "q", "state"};
    AUTO_LIST_QUERY struct list_query query = {0};
    AUTO_ENROLL_SECRETS struct store_enroll_secrets secrets = {0};
    AUTO_DBLEASE struct db *db = NULL;
    int64_t now = clock_wall_us();
    size_t count = 0;
    int state = -1;
    enum status status = req_query_only(rq, names, COUNT(names), err);
    if (status == ST_OK)
        status = query_word(rq, "state", state_texts, COUNT(state_texts), &state, err);
    if (status == ST_OK)
        status = list_query_read(rq, &secret_spec, &query, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_enroll_secret_list(db, &secrets, err);
    if (status != ST_OK)
        return status;
    AUTO_FREE struct secret_item *items = calloc(secrets.count + 1, sizeof *items);
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not list enroll secrets: out of memory");
    for (size_t i = 0; i < secrets.count; i++) {
        struct secret_item *item = &items[count];
        secret_fill(&secrets.items[i], now, item);
        count +=
            (state < 0 || state == item->state) && api_text_has(item->name, req_query(rq, "q"));
    }
    return list_reply(rq, rs, &secret_spec, &query, NULL, items, sizeof *items, count, err);
}

/* ---- making ----------------------------------------------------------------- */

struct making {
    const char *name;
    const char *role;
    const char *host_id;
    int64_t expires_at_us;
    int64_t max_uses;
    int64_t id;
    char secret[TOKEN_TEXT_MAX];
    struct audit_entry entry;
    struct strbuf detail;
};
_Static_assert(TOKEN_TEXT_MAX >= ENROLL_TEXT_MAX, "one buffer holds either");

static void making_done(struct making *making)
{
    strbuf_done(&making->detail);
    sodium_memzero(making->secret, sizeof making->secret);
}
#define AUTO_MAKING CLEANUP(making_done)

/* Known once the row is made, so within the transaction; a retry writes it anew. */
static void write_detail(struct making *making, bool is_token)
{
    strbuf_clear(&making->detail);
    json_open(&making->detail, '{');
    json_i64(&making->detail, "id", making->id);
    if (is_token)
        json_text(&making->detail, "role", making->role);
    if (making->host_id != NULL)
        json_text(&making->detail, "host_id", making->host_id);
    if (!is_token)
        json_i64(&making->detail, "max_uses",
                 making->max_uses < 0 ? NUMBER_ABSENT : making->max_uses);
    json_time(&making->detail, "expires_at", making->expires_at_us);
    json_close(&making->detail, '}');
    making->entry.detail = strbuf_failed(&making->detail) ? NULL : making->detail.data;
}

static enum status token_tx(struct db *db, void *arg, struct err *err)
{
    struct making *making = arg;
    enum status status =
        store_token_create(db, making->name, making->role, making->host_id, making->expires_at_us,
                           making->secret, &making->id, err);
    write_detail(making, true);
    return status;
}

static enum status secret_tx(struct db *db, void *arg, struct err *err)
{
    struct making *making = arg;
    enum status status =
        store_enroll_secret_create(db, making->name, making->expires_at_us, making->max_uses,
                                   making->secret, &making->id, err);
    write_detail(making, false);
    return status;
}

static enum status make(struct req *rq, struct resp *rs, struct making *making,
                        enum status (*tx)(struct db *db, void *arg, struct err *err),
                        struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    bool is_token = tx == token_tx;
    enum status status = check_ahead(making->expires_at_us, err);
    making->entry = api_audit(rq, is_token ? "token.create" : "enroll_secret.create", making->name);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_audited(db, &making->entry, tx, making, err);
    if (status == ST_NOT_FOUND) /* the host of the body, not of the path */
        return err_field(err, ST_INVALID, "host_id", "no host with id \"%.64s\"", making->host_id);
    if (status != ST_OK)
        return status;
    json_open(&rs->body, '{');
    json_i64(&rs->body, "id", making->id);
    json_text(&rs->body, "name", making->name);
    if (is_token)
        json_text(&rs->body, "role", making->role);
    json_time(&rs->body, "expires_at", making->expires_at_us);
    json_text(&rs->body, is_token ? "token" : "secret", making->secret);
    json_close(&rs->body, '}');
    rs->media = MEDIA_JSON;
    rs->code = 201;
    return ST_OK;
}

enum status api_tokens_post(struct req *rq, struct resp *rs, struct err *err)
{
    static const struct json_in members[] = {
        {"name", JSON_IN_TEXT, offsetof(struct making, name), true},
        {"role", JSON_IN_TEXT, offsetof(struct making, role), true},
        {"host_id", JSON_IN_TEXT, offsetof(struct making, host_id), false},
        {"expires_at", JSON_IN_TIME, offsetof(struct making, expires_at_us), false},
    };
    AUTO_JSON json_t *json = NULL;
    AUTO_MAKING struct making making = {
        .name = "", .role = "", .expires_at_us = TIME_UNKNOWN, .max_uses = -1};
    enum status status = json_in_read(rq, members, COUNT(members), &making, &json, err);
    return status == ST_OK ? make(rq, rs, &making, token_tx, err) : status;
}

enum status api_enroll_secrets_post(struct req *rq, struct resp *rs, struct err *err)
{
    static const struct json_in members[] = {
        {"name", JSON_IN_TEXT, offsetof(struct making, name), true},
        {"expires_at", JSON_IN_TIME, offsetof(struct making, expires_at_us), false},
        {"max_uses", JSON_IN_I64, offsetof(struct making, max_uses), false},
    };
    AUTO_JSON json_t *json = NULL;
    AUTO_MAKING struct making making = {
        .name = "", .role = "", .expires_at_us = TIME_UNKNOWN, .max_uses = -1};
    enum status status = json_in_read(rq, members, COUNT(members), &making, &json, err);
    return status == ST_OK ? make(rq, rs, &making, secret_tx, err) : status;
}

/* ---- revoking --------------------------------------------------------------- */

static enum status revoke_token_tx(struct db *db, void *arg, struct err *err)
{
    return store_token_revoke(db, *(const int64_t *)arg, err);
}

static enum status revoke_secret_tx(struct db *db, void *arg, struct err *err)
{
    return store_enroll_secret_revoke(db, *(const int64_t *)arg, err);
}

static enum status revoke(struct req *rq, struct resp *rs, const char *what, const char *action,
                          enum status (*tx)(struct db *db, void *arg, struct err *err),
                          int64_t *ret_id, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    struct audit_entry entry = api_audit(rq, action, rq->args[0]);
    enum status status = req_query_only(rq, NULL, 0, err);
    if (status == ST_OK)
        status = api_key_arg(rq, what, ret_id, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_audited(db, &entry, tx, ret_id, err);
    rs->code = 204;
    return status;
}

enum status api_tokens_delete(struct req *rq, struct resp *rs, struct err *err)
{
    int64_t id = 0;
    enum status status = revoke(rq, rs, "token", "token.revoke", revoke_token_tx, &id, err);
    if (status == ST_OK)
        auth_forget_all(req_auth(rq), 0, id);
    return status;
}

enum status api_enroll_secrets_delete(struct req *rq, struct resp *rs, struct err *err)
{
    int64_t id = 0;
    return revoke(rq, rs, "enroll secret", "enroll_secret.revoke", revoke_secret_tx, &id, err);
}
