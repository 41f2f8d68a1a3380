/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_users.h"

#include "server/api/api_common.h"
#include "server/api/json_in.h"
#include "server/api/json_out.h"
#include "server/api/list.h"
#include "server/http/exchange.h"
#include "server/store/store_users.h"

#include <sodium.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const role_texts[] = {"viewer", "operator", "admin"};

struct user_item {
    int64_t id;
    const char *name;
    int role;
    bool has_password;
    bool disabled;
    int64_t sessions;
    int64_t created_at;
    int64_t last_sign_in_at;
    int64_t password_changed_at;
    int64_t disabled_at;
    int64_t version;
};

#define COLUMN(field, kind) LIST_COLUMN(struct user_item, field, kind)
static const struct list_column columns[] = {
    COLUMN(id, LIST_I64),
    COLUMN(name, LIST_TEXT),
    LIST_COLUMN_ENUM(struct user_item, role, role_texts),
    COLUMN(has_password, LIST_BOOL),
    COLUMN(disabled, LIST_BOOL),
    COLUMN(sessions, LIST_I64),
    COLUMN(created_at, LIST_TIME),
    COLUMN(last_sign_in_at, LIST_TIME),
    COLUMN(password_changed_at, LIST_TIME),
    COLUMN(disabled_at, LIST_TIME),
    COLUMN(version, LIST_I64),
};
static const struct list_spec spec = {
    .columns = columns,
    .column_count = COUNT(columns),
    .identity = COLUMN(id, LIST_I64),
    .default_sort = "name",
    .default_limit = LIST_LIMIT_DEFAULT,
    .max_limit = LIST_LIMIT_MAX,
};

static void item_fill(const struct store_user *user, struct user_item *item)
{
    *item = (struct user_item){
        .id = user->user_id,
        .name = user->name,
        .role = -1,
        .has_password = user->has_password,
        .disabled = user->disabled_at_us != TIME_UNKNOWN,
        .sessions = user->sessions,
        .created_at = user->created_at_us,
        .last_sign_in_at = user->last_sign_in_at_us,
        .password_changed_at = user->password_changed_at_us,
        .disabled_at = user->disabled_at_us,
        .version = user->version,
    };
    for (size_t i = 0; i < COUNT(role_texts); i++) {
        if (strcmp(role_texts[i], user->role) == 0)
            item->role = (int)i;
    }
}

enum status api_users_list(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {LIST_PARAMETERS, "q"};
    AUTO_LIST_QUERY struct list_query query = {0};
    AUTO_USERS struct store_users users = {0};
    AUTO_DBLEASE struct db *db = NULL;
    size_t count = 0;
    enum status status = req_query_only(rq, names, COUNT(names), err);
    if (status == ST_OK)
        status = list_query_read(rq, &spec, &query, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_user_list(db, &users, err);
    if (status != ST_OK)
        return status;
    AUTO_FREE struct user_item *items = calloc(users.count + 1, sizeof *items);
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not list users: out of memory");
    for (size_t i = 0; i < users.count; i++) {
        if (api_text_has(users.items[i].name, req_query(rq, "q")))
            item_fill(&users.items[i], &items[count++]);
    }
    return list_reply(rq, rs, &spec, &query, NULL, items, sizeof *items, count, err);
}

/* The ETag counts what admins change; sign-ins do not move it. */
static enum status reply_user(struct db *db, int64_t user_id, struct resp *rs, struct err *err)
{
    struct store_user user;
    struct user_item item;
    char *etag = NULL;
    enum status status = store_user_get(db, user_id, &user, err);
    if (status != ST_OK)
        return status;
    item_fill(&user, &item);
    list_write_json(&spec, &item, &rs->body);
    rs->media = MEDIA_JSON;
    if (asprintf(&etag, "\"v%lld\"", (long long)user.version) < 0)
        return err_set(err, ST_NOMEM, "could not write a reply: out of memory");
    rs->etag = etag;
    return ST_OK;
}

enum status api_users_get(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    int64_t user_id = 0;
    enum status status = req_query_only(rq, NULL, 0, err);
    if (status == ST_OK)
        status = api_key_arg(rq, "user", &user_id, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    return status == ST_OK ? reply_user(db, user_id, rs, err) : status;
}

/* ---- changes ---------------------------------------------------------------- */

struct fields {
    const char *name;
    const char *role;
    const char *password;
    int disabled;
};

/* One change, and what its transaction needs. */
struct call {
    struct audit_entry entry;
    struct fields fields;
    struct user_change change;
    char hash[PASSWORD_HASH_MAX];
    int64_t user_id;
    char name[LIMIT_TEXT_BYTES + 1];
    struct strbuf detail;
};

static void call_done(struct call *call)
{
    strbuf_done(&call->detail);
    sodium_memzero(call->hash, sizeof call->hash);
}
#define AUTO_CALL CLEANUP(call_done)

static enum status hash_password(const char *name, struct call *call, struct err *err)
{
    size_t length = strlen(call->fields.password);
    enum status status = password_check(name, call->fields.password, length, err);
    return status == ST_OK ? password_hash(call->fields.password, length, call->hash, err) : status;
}

static void write_detail(struct call *call)
{
    json_open(&call->detail, '{');
    if (call->fields.role != NULL)
        json_text(&call->detail, "role", call->fields.role);
    if (call->fields.password != NULL)
        json_text(&call->detail, "password", "set");
    if (call->fields.disabled >= 0)
        json_bool(&call->detail, "disabled", call->fields.disabled == 1);
    json_close(&call->detail, '}');
    call->entry.detail = strbuf_failed(&call->detail) ? NULL : call->detail.data;
}

static enum status create_tx(struct db *db, void *arg, struct err *err)
{
    struct call *call = arg;
    return store_user_create(db, call->fields.name, call->fields.role,
                             call->fields.password == NULL ? NULL : call->hash, &call->user_id,
                             err);
}

static enum status create(struct req *rq, struct resp *rs, struct err *err)
{
    static const struct json_in members[] = {
        {"name", JSON_IN_TEXT, offsetof(struct fields, name), true},
        {"role", JSON_IN_TEXT, offsetof(struct fields, role), true},
        {"password", JSON_IN_TEXT, offsetof(struct fields, password), false},
    };
    AUTO_JSON json_t *json = NULL;
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_CALL struct call call = {.fields = {"", "", NULL, -1}};
    enum status status = json_in_read(rq, members, COUNT(members), &call.fields, &json, err);
    if (status == ST_OK && call.fields.password != NULL)
        status = hash_password(call.fields.name, &call, err);
    if (status != ST_OK)
        return status;
    call.entry = api_audit(rq, "user.create", call.fields.name);
    write_detail(&call);
    status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_audited(db, &call.entry, create_tx, &call, err);
    if (status == ST_OK)
        status = reply_user(db, call.user_id, rs, err);
    if (status != ST_OK)
        return status;
    rs->code = 201;
    char *location = NULL;
    if (asprintf(&location, "/api/v1/users/%lld", (long long)call.user_id) >= 0)
        rs->location = location;
    return ST_OK;
}

enum status api_users_post(struct req *rq, struct resp *rs, struct err *err)
{
    (void)rs;
    return http_slow(rq, create, err);
}

/* "v3" of our own ETags; anything else matches nothing. */
static int64_t match_version(const char *header)
{
    char *end = NULL;
    if (header == NULL || strcmp(header, "*") == 0)
        return USER_VERSION_ANY;
    if (strncmp(header, "\"v", 2) != 0 || header[2] < '1' || header[2] > '9')
        return 0; /* versions begin with 1 */
    long long version = strtoll(header + 2, &end, 10);
    return strcmp(end, "\"") == 0 ? version : 0;
}

/* The name as it was, for the log; its account may be gone afterwards. */
static enum status read_name(struct db *db, struct call *call, struct err *err)
{
    struct store_user user;
    enum status status = store_user_get(db, call->user_id, &user, err);
    if (status == ST_OK)
        memcpy(call->name, user.name, sizeof call->name);
    return status;
}

static enum status change_tx(struct db *db, void *arg, struct err *err)
{
    struct call *call = arg;
    enum status status = store_user_change(db, call->user_id, &call->change, err);
    return status == ST_OK ? read_name(db, call, err) : status;
}

static void refused(enum status status, const struct err *err, struct resp *rs)
{
    if (status != ST_CONFLICT)
        return;
    bool version = err != NULL && strcmp(err->field, "If-Match") == 0;
    rs->code = version ? 412 : 409;
    rs->problem = version ? "precondition_failed" : "last_admin";
}

static enum status change(struct req *rq, struct resp *rs, struct err *err)
{
    static const struct json_in members[] = {
        {"role", JSON_IN_TEXT, offsetof(struct fields, role), false},
        {"disabled", JSON_IN_FLAG, offsetof(struct fields, disabled), false},
        {"password", JSON_IN_TEXT, offsetof(struct fields, password), false},
    };
    AUTO_JSON json_t *json = NULL;
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_CALL struct call call = {.fields = {NULL, NULL, NULL, -1}};
    enum status status = api_key_arg(rq, "user", &call.user_id, err);
    if (status == ST_OK)
        status = json_in_read(rq, members, COUNT(members), &call.fields, &json, err);
    if (status == ST_OK && call.fields.role == NULL && call.fields.password == NULL &&
        call.fields.disabled < 0)
        status = err_set(err, ST_INVALID, "nothing to change: give role, disabled or password");
    if (status == ST_OK && call.fields.password != NULL)
        status = hash_password(NULL, &call, err);
    if (status != ST_OK)
        return status;
    call.change = (struct user_change){
        .version = match_version(req_header(rq, "If-Match")),
        .role = call.fields.role,
        .password_hash = call.fields.password == NULL ? NULL : call.hash,
        .disabled = call.fields.disabled,
        .keep_admin = true,
    };
    call.entry = api_audit(rq, "user.change", call.name);
    write_detail(&call);
    status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_audited(db, &call.entry, change_tx, &call, err);
    refused(status, err, rs);
    if (status != ST_OK)
        return status;
    auth_forget_all(req_auth(rq), call.user_id, 0);
    return reply_user(db, call.user_id, rs, err);
}

enum status api_users_patch(struct req *rq, struct resp *rs, struct err *err)
{
    (void)rs;
    enum status status = req_query_only(rq, NULL, 0, err);
    return status == ST_OK ? http_slow(rq, change, err) : status;
}

static enum status delete_tx(struct db *db, void *arg, struct err *err)
{
    struct call *call = arg;
    enum status status = read_name(db, call, err);
    return status == ST_OK ? store_user_delete(db, call->user_id, true, err) : status;
}

enum status api_users_delete(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_CALL struct call call = {.fields = {NULL, NULL, NULL, -1}};
    enum status status = req_query_only(rq, NULL, 0, err);
    call.entry = api_audit(rq, "user.delete", call.name);
    if (status == ST_OK)
        status = api_key_arg(rq, "user", &call.user_id, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_audited(db, &call.entry, delete_tx, &call, err);
    refused(status, err, rs);
    if (status != ST_OK)
        return status;
    auth_forget_all(req_auth(rq), call.user_id, 0);
    rs->code = 204;
    return ST_OK;
}
