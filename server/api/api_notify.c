/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_notify.h"

#include "common/log.h"
#include "server/api/api_common.h"
#include "server/api/json_out.h"
#include "server/api/list.h"
#include "server/notify/notify.h"
#include "server/store/store_tokens.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

static void cleanup_json(json_t **json)
{
    json_decref(*json);
}
#define AUTO_JSON CLEANUP(cleanup_json)

/* ---- out -------------------------------------------------------------------- */

struct target_item {
    const struct notify_target *target;
    int64_t id;
    const char *name;
    int kind;
    const char *address;
    int min_severity;
    bool enabled;
    int64_t waiting;
    int64_t given_up;
    int64_t last_sent_at;
    const char *last_error;
};

static void write_members(const struct notify_target *target, struct strbuf *out)
{
    json_i64(out, "id", target->target_id);
    json_text(out, "name", target->name);
    json_text(out, "kind", notify_kind_names[target->kind]);
    json_text(out, "address", target->address);
    json_bool(out, "has_secret", target->secret != NULL);
    json_text(out, "min_severity", finding_severity_name(target->min_severity));
    if (target->kinds == 0) {
        json_text(out, "kinds", NULL);
    } else {
        json_key_open(out, "kinds", '[');
        for (unsigned i = 0; i < FINDING_KIND_COUNT; i++) {
            if ((target->kinds >> i & 1) == 0)
                continue;
            json_comma(out);
            json_value_text(out, finding_kind_name((enum finding_kind)i));
        }
        json_close(out, ']');
    }
    json_text(out, "attribute", target->attribute);
    json_text(out, "attribute_value", target->attribute_value);
    json_bool(out, "enabled", target->enabled);
    json_time(out, "created_at", target->created_at_us);
    json_time(out, "updated_at", target->updated_at_us);
    json_i64(out, "waiting", target->waiting);
    json_i64(out, "given_up", target->given_up);
    json_time(out, "last_sent_at", target->last_sent_at_us);
    json_text(out, "last_error", target->last_error);
}

static void item_write(const void *item, struct strbuf *out)
{
    json_open(out, '{');
    write_members(((const struct target_item *)item)->target, out);
    json_close(out, '}');
}

#define COLUMN(field, kind) LIST_COLUMN(struct target_item, field, kind)
static const struct list_column columns[] = {
    COLUMN(id, LIST_I64),
    COLUMN(name, LIST_TEXT),
    LIST_COLUMN_ENUM(struct target_item, kind, notify_kind_names),
    COLUMN(address, LIST_TEXT),
    LIST_COLUMN_ENUM(struct target_item, min_severity, api_severity_names),
    COLUMN(enabled, LIST_BOOL),
    COLUMN(waiting, LIST_I64),
    COLUMN(given_up, LIST_I64),
    COLUMN(last_sent_at, LIST_TIME),
    COLUMN(last_error, LIST_TEXT),
};
static const struct list_spec spec = {
    .columns = columns,
    .column_count = sizeof columns / sizeof columns[0],
    .identity = COLUMN(id, LIST_I64),
    .default_sort = "name",
    .default_limit = LIST_LIMIT_DEFAULT,
    .max_limit = LIST_LIMIT_MAX,
    .write = item_write,
};

enum status api_notify_list(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {LIST_PARAMETERS};
    AUTO_LIST_QUERY struct list_query query = {0};
    AUTO_NOTIFY_TARGETS struct notify_targets targets = {0};
    AUTO_DBLEASE struct db *db = NULL;
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK)
        status = list_query_read(rq, &spec, &query, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_notify_list(db, &targets, err);
    if (status != ST_OK)
        return status;
    AUTO_FREE struct target_item *items = calloc(targets.count + 1, sizeof *items);
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not list targets: out of memory");
    for (size_t i = 0; i < targets.count; i++) {
        const struct notify_target *target = &targets.items[i];
        items[i] = (struct target_item){
            .target = target,
            .id = target->target_id,
            .name = target->name,
            .kind = (int)target->kind,
            .address = target->address,
            .min_severity = (int)target->min_severity,
            .enabled = target->enabled,
            .waiting = target->waiting,
            .given_up = target->given_up,
            .last_sent_at = target->last_sent_at_us,
            .last_error = target->last_error,
        };
    }
    return list_reply(rq, rs, &spec, &query, NULL, items, sizeof *items, targets.count, err);
}

static enum status write_deliveries(struct db *db, int64_t target_id, struct strbuf *out,
                                    struct err *err)
{
    AUTO_ARENA struct arena arena = {0};
    struct notify_delivery *items = NULL;
    size_t count = 0;
    enum status status = store_notify_deliveries(db, target_id, &arena, &items, &count, err);

    json_key_open(out, "deliveries", '[');
    for (size_t i = 0; status == ST_OK && i < count; i++) {
        json_open(out, '{');
        json_i64(out, "id", items[i].delivery_id);
        json_text(out, "event", items[i].event);
        json_text(out, "finding_id", items[i].finding_id);
        json_text(out, "state", items[i].state);
        json_i64(out, "attempts", items[i].attempts);
        json_time(out, "created_at", items[i].created_at_us);
        json_time(out, "next_at",
                  items[i].done_at_us == TIME_UNKNOWN ? items[i].next_at_us : TIME_UNKNOWN);
        json_time(out, "done_at", items[i].done_at_us);
        json_text(out, "last_error", items[i].last_error);
        json_close(out, '}');
    }
    json_close(out, ']');
    return status;
}

/* made: the secret that was made just now, shown this once; NULL: none. */
static enum status reply_target(struct db *db, int64_t target_id, const char *made, struct resp *rs,
                                struct err *err)
{
    AUTO_NOTIFY_TARGETS struct notify_targets targets = {0};
    char *etag = NULL;
    enum status status = store_notify_get(db, target_id, NULL, &targets, err);

    if (status != ST_OK)
        return status;
    json_open(&rs->body, '{');
    write_members(&targets.items[0], &rs->body);
    if (made != NULL)
        json_text(&rs->body, "secret", made);
    status = write_deliveries(db, target_id, &rs->body, err);
    json_close(&rs->body, '}');
    rs->media = MEDIA_JSON;
    if (status != ST_OK || made != NULL)
        return status;
    /* The part before the dot counts changes by people: that is what If-Match is about. */
    if (asprintf(&etag, "\"v%lld.%llx\"", (long long)targets.items[0].version,
                 (unsigned long long)rs->body.length) < 0)
        return err_set(err, ST_NOMEM, "could not write a reply: out of memory");
    free((void *)(uintptr_t)rs->etag);
    rs->etag = etag;
    return ST_OK;
}

static enum status target_arg(const struct req *rq, int64_t *ret_id, struct err *err)
{
    const char *text = rq->args[0];

    errno = 0;
    long long id = strtoll(text, NULL, 10);
    if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text) || errno != 0)
        return err_set(err, ST_NOT_FOUND, "notification target \"%.60s\" is not known", text);
    *ret_id = id;
    return ST_OK;
}

enum status api_notify_get(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    int64_t id = 0;
    enum status status = req_query_only(rq, NULL, 0, err);

    if (status == ST_OK)
        status = target_arg(rq, &id, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    return status == ST_OK ? reply_target(db, id, NULL, rs, err) : status;
}

/* ---- in --------------------------------------------------------------------- */

/* A text, or NULL for null. */
static enum status read_text(const json_t *value, const char *field, const char **ret_text,
                             struct err *err)
{
    if (!json_is_string(value) && !json_is_null(value))
        return err_field(err, ST_INVALID, field, "text is wanted");
    *ret_text = json_string_value(value);
    return ST_OK;
}

static enum status read_needed(const json_t *value, const char *field, const char **ret_text,
                               struct err *err)
{
    if (!json_is_string(value))
        return err_field(err, ST_INVALID, field, "text is wanted");
    *ret_text = json_string_value(value);
    return ST_OK;
}

static enum status read_name(const json_t *value, struct notify_target *target, struct err *err)
{
    return read_needed(value, "name", &target->name, err);
}
static enum status read_address(const json_t *value, struct notify_target *target, struct err *err)
{
    return read_needed(value, "address", &target->address, err);
}
static enum status read_secret(const json_t *value, struct notify_target *target, struct err *err)
{
    return read_text(value, "secret", &target->secret, err);
}
static enum status read_attribute(const json_t *value, struct notify_target *target,
                                  struct err *err)
{
    return read_text(value, "attribute", &target->attribute, err);
}
static enum status read_attribute_value(const json_t *value, struct notify_target *target,
                                        struct err *err)
{
    return read_text(value, "attribute_value", &target->attribute_value, err);
}

static enum status read_kind(const json_t *value, struct notify_target *target, struct err *err)
{
    const char *text = json_string_value(value);

    if (text == NULL || !notify_kind_parse(text, &target->kind))
        return err_field(err, ST_INVALID, "kind",
                         "kind must be alertmanager, slack, teams, generic or email");
    return ST_OK;
}

static enum status read_severity(const json_t *value, struct notify_target *target, struct err *err)
{
    const char *text = json_string_value(value);

    if (text == NULL || !finding_severity_parse(text, &target->min_severity))
        return err_field(err, ST_INVALID, "min_severity",
                         "min_severity must be info, warning or critical");
    return ST_OK;
}

static enum status read_kinds(const json_t *value, struct notify_target *target, struct err *err)
{
    target->kinds = 0;
    if (json_is_null(value))
        return ST_OK;
    if (!json_is_array(value) || json_array_size(value) == 0)
        return err_field(err, ST_INVALID, "kinds", "kinds must be a list of kinds, or null");
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *text = json_string_value(json_array_get(value, i));
        enum finding_kind kind;
        if (text == NULL || !finding_kind_parse(text, &kind))
            return err_field(err, ST_INVALID, "kinds", "item %zu is no kind of finding", i);
        target->kinds |= 1u << kind;
    }
    return ST_OK;
}

static enum status read_enabled(const json_t *value, struct notify_target *target, struct err *err)
{
    if (!json_is_boolean(value))
        return err_field(err, ST_INVALID, "enabled", "true or false is wanted");
    target->enabled = json_is_true(value);
    return ST_OK;
}

static const struct {
    const char *name;
    enum status (*read)(const json_t *value, struct notify_target *target, struct err *err);
} fields[] = {
    {"name", read_name},
    {"kind", read_kind},
    {"address", read_address},
    {"secret", read_secret},
    {"min_severity", read_severity},
    {"kinds", read_kinds},
    {"attribute", read_attribute},
    {"attribute_value", read_attribute_value},
    {"enabled", read_enabled},
};
#define FIELDS (sizeof fields / sizeof fields[0])

/* Texts of target are borrowed from *ret_json. */
static enum status read_body(const struct req *rq, struct notify_target *target, json_t **ret_json,
                             struct err *err)
{
    const char *name;
    json_t *value;
    json_t *json = *ret_json = json_loadb(rq->body, rq->body_length, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(json))
        return err_set(err, ST_MALFORMED, "could not read the body: not a JSON object");
    json_object_foreach(json, name, value)
    {
        size_t i = 0;
        while (i < FIELDS && strcmp(fields[i].name, name) != 0)
            i++;
        if (i == FIELDS)
            return err_field(err, ST_INVALID, name, "unknown field");
        enum status status = fields[i].read(value, target, err);
        if (status != ST_OK)
            return status;
    }
    return ST_OK;
}

/* For people: a URL often is a secret itself, so only the name. */
static void log_change(const struct req *rq, const char *what, const char *name)
{
    log_info(what, "target", name, "by", rq->principal, "peer", rq->peer, "request",
             rq->request_id);
}

/* Within the transaction that logs the change. */
struct change {
    const struct notify_target *target;
    int64_t *id;
};

static enum status create_tx(struct db *db, void *arg, struct err *err)
{
    const struct change *change = arg;
    return store_notify_create(db, change->target, change->id, err);
}

static enum status update_tx(struct db *db, void *arg, struct err *err)
{
    const struct change *change = arg;
    return store_notify_update(db, change->target, err);
}

static enum status remove_tx(struct db *db, void *arg, struct err *err)
{
    const struct change *change = arg;
    return store_notify_remove(db, *change->id, err);
}

enum status api_notify_post(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_JSON json_t *json = NULL;
    AUTO_DBLEASE struct db *db = NULL;
    struct notify_target target = {.enabled = true};
    char made[TOKEN_TEXT_MAX] = "";
    int64_t id = 0;
    enum status status = req_query_only(rq, NULL, 0, err);

    if (status == ST_OK)
        status = read_body(rq, &target, &json, err);
    for (size_t i = 0; status == ST_OK && i < 3; i++) /* name, kind, address */
        if (json_object_get(json, fields[i].name) == NULL)
            status = err_field(err, ST_INVALID, fields[i].name, "required field is missing");
    if (status == ST_OK && target.kind == NOTIFY_GENERIC && target.secret == NULL) {
        status = secret_new("pfn_", sizeof made, made, err);
        target.secret = made;
    }
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    struct change change = {&target, &id};
    struct audit_entry audit = api_audit(rq, "notify_target.create", target.name);
    if (status == ST_OK)
        status = store_audited(db, &audit, create_tx, &change, err);
    if (status != ST_OK)
        return status;
    log_change(rq, "notification target made", target.name);
    rs->code = 201;
    return reply_target(db, id, made[0] != '\0' ? made : NULL, rs, err);
}

enum status api_notify_patch(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_JSON json_t *json = NULL;
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_NOTIFY_TARGETS struct notify_targets targets = {0};
    int64_t id = 0, version = api_if_match(rq);
    enum status status = req_query_only(rq, NULL, 0, err);

    if (status == ST_OK)
        status = target_arg(rq, &id, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_notify_get(db, id, NULL, &targets, err);
    if (status != ST_OK)
        return status;
    struct notify_target *target = &targets.items[0];
    const char *secret = target->secret;
    char *address = strdup(target->address);
    CLEANUP(cleanup_free) char *before = address;
    if (before == NULL)
        return err_set(err, ST_NOMEM, "could not change a target: out of memory");
    status = read_body(rq, target, &json, err);
    /* A secret goes where it was meant to: with a new address it has to be given anew. */
    if (status == ST_OK && secret != NULL && target->secret == secret &&
        strcmp(before, target->address) != 0)
        status = err_field(err, ST_INVALID, "secret", "a new address needs the secret again");
    if (status == ST_OK && version >= 0)
        target->version = version;
    struct change change = {target, &id};
    struct audit_entry audit = api_audit(rq, "notify_target.change", target->name);
    if (status == ST_OK)
        status = store_audited(db, &audit, update_tx, &change, err);
    if (status == ST_CONFLICT && err != NULL && strcmp(err->field, "If-Match") == 0) {
        rs->code = 412;
        rs->problem = "precondition_failed";
    }
    if (status != ST_OK)
        return status;
    log_change(rq, "notification target changed", target->name);
    notify_wake(rq->app->notify);
    return reply_target(db, id, NULL, rs, err);
}

enum status api_notify_delete(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_NOTIFY_TARGETS struct notify_targets targets = {0};
    AUTO_DBLEASE struct db *db = NULL;
    int64_t id = 0;
    enum status status = req_query_only(rq, NULL, 0, err);

    if (status == ST_OK)
        status = target_arg(rq, &id, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_notify_get(db, id, NULL, &targets, err);
    struct change change = {NULL, &id};
    struct audit_entry audit = api_audit(rq, "notify_target.delete",
                                         status == ST_OK ? targets.items[0].name : rq->args[0]);
    if (status == ST_OK)
        status = store_audited(db, &audit, remove_tx, &change, err);
    if (status != ST_OK)
        return status;
    log_change(rq, "notification target removed", rq->args[0]);
    rs->code = 204;
    return ST_OK;
}

/* ---- the test button -------------------------------------------------------- */

static void on_tested(void *arg, const struct notify_outcome *outcome)
{
    struct req *rq = arg;
    struct resp *rs = http_resp(rq);

    json_open(&rs->body, '{');
    json_bool(&rs->body, "sent", outcome->sent);
    json_text(&rs->body, "error", outcome->sent ? NULL : outcome->error);
    json_close(&rs->body, '}');
    http_complete(rq, strbuf_failed(&rs->body) ? ST_NOMEM : ST_OK, NULL);
}

enum status api_notify_test(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_NOTIFY_TARGETS struct notify_targets targets = {0};
    int64_t id = 0;
    enum status status = req_query_only(rq, NULL, 0, err);
    (void)rs;

    if (status == ST_OK)
        status = target_arg(rq, &id, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_notify_get(db, id, NULL, &targets, err);
    if (status != ST_OK)
        return status;
    struct audit_entry audit = api_audit(rq, "notify_target.test", targets.items[0].name);
    status = store_audit_add(db, &audit, err);
    if (status != ST_OK)
        return status;
    log_change(rq, "notification target tested", targets.items[0].name);
    struct notify *notify = rq->app->notify;
    http_defer(rq); /* before handing over: on_tested may run at once, and then rq is gone */
    status = notify_test(notify, &targets.items[0], on_tested, rq, err);
    if (status != ST_OK)
        http_complete(rq, status, err);
    return ST_OK;
}
