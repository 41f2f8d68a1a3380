/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_mutes.h"

#include "server/api/api_common.h"
#include "server/api/json_in.h"
#include "server/api/json_out.h"
#include "server/api/list.h"
#include "server/notify/notify.h"
#include "server/store/store_mutes.h"

#include <string.h>

/* ---- out -------------------------------------------------------------------- */

enum state { STATE_STANDING, STATE_ENDED };
static const char *const state_names[] = {"standing", "ended"};

static enum state state_of(const struct mute *mute)
{
    return mute_stands(mute, clock_wall_us()) ? STATE_STANDING : STATE_ENDED;
}

static void write_tags(const struct mute *mute, struct strbuf *out)
{
    json_open(out, '[');
    for (size_t i = 0; i < mute->tag_count; i++) {
        json_comma(out);
        json_value_tag(out, mute->tags[i]);
    }
    json_close(out, ']');
}

static void write_hosts(const struct mute *mute, struct strbuf *out)
{
    json_open(out, '[');
    for (size_t i = 0; i < mute->host_count; i++) {
        json_comma(out);
        json_value_text(out, mute->hosts[i]);
    }
    json_close(out, ']');
}

void api_mute_write(const struct mute *mute, struct strbuf *out)
{
    enum state state = state_of(mute);
    bool timed_out = state == STATE_ENDED && mute->ended_at_us == TIME_UNKNOWN;

    json_open(out, '{');
    json_i64(out, "id", mute->id);
    json_text(out, "state", state_names[state]);
    json_text(out, "finding", mute->finding_id);
    json_key(out, "tags");
    write_tags(mute, out);
    json_key(out, "hosts");
    write_hosts(mute, out);
    json_text(out, "driver", mute->driver);
    json_text(out, "driver_version", mute->driver_version);
    json_time(out, "until", mute->until_us);
    json_text(out, "reason", mute->reason);
    json_text(out, "created_by", mute->created_by);
    json_time(out, "created_at", mute->created_at_us);
    json_time(out, "ended_at", timed_out ? mute->until_us : mute->ended_at_us);
    json_text(out, "ended_by", timed_out ? "its time" : mute->ended_by);
    json_i64(out, "findings", mute->findings);
    json_i64(out, "host_count", mute->host_total);
    json_i64(out, "version", mute->version);
    json_close(out, '}');
}

static enum status mute_etag(const struct mute *mute, struct resp *rs, struct err *err)
{
    char *etag = NULL;

    if (asprintf(&etag, "\"v%lld.%d.%llx\"", (long long)mute->version, (int)state_of(mute),
                 (unsigned long long)(mute->findings << 32 | mute->host_total)) < 0)
        return err_set(err, ST_NOMEM, "could not write a reply: out of memory");
    free((void *)(uintptr_t)rs->etag);
    rs->etag = etag;
    return ST_OK;
}

static enum status reply_mute(struct db *db, int64_t id, struct resp *rs, struct err *err)
{
    AUTO_MUTES struct mutes mutes = {0};
    enum status status = store_mutes_get(db, id, &mutes, err);

    if (status != ST_OK)
        return status;
    api_mute_write(&mutes.items[0], &rs->body);
    rs->media = MEDIA_JSON;
    return mute_etag(&mutes.items[0], rs, err);
}

/* ---- the list --------------------------------------------------------------- */

struct item {
    const struct mute *mute;
    int64_t id;
    int state;
    const char *finding;
    const char *tags;  /* JSON */
    const char *hosts; /* JSON */
    const char *driver;
    const char *driver_version;
    int64_t until;
    const char *reason;
    const char *created_by;
    int64_t created_at;
    int64_t ended_at;
    const char *ended_by;
    int64_t findings;
    int64_t host_count;
};

#define COLUMN(field, kind) LIST_COLUMN(struct item, field, kind)
static const struct list_column columns[] = {
    COLUMN(id, LIST_I64),
    LIST_COLUMN_ENUM(struct item, state, state_names),
    COLUMN(finding, LIST_TEXT),
    COLUMN(tags, LIST_JSON),
    COLUMN(hosts, LIST_JSON),
    COLUMN(driver, LIST_TEXT),
    COLUMN(driver_version, LIST_TEXT),
    COLUMN(until, LIST_TIME),
    COLUMN(reason, LIST_TEXT),
    COLUMN(created_by, LIST_TEXT),
    COLUMN(created_at, LIST_TIME),
    COLUMN(ended_at, LIST_TIME),
    COLUMN(ended_by, LIST_TEXT),
    COLUMN(findings, LIST_I64),
    COLUMN(host_count, LIST_I64),
};

static void item_write(const void *item, struct strbuf *out)
{
    api_mute_write(((const struct item *)item)->mute, out);
}

static const struct list_spec spec = {
    .columns = columns,
    .column_count = sizeof columns / sizeof columns[0],
    .identity = COLUMN(id, LIST_I64),
    .default_sort = "-id",
    .default_limit = LIST_LIMIT_DEFAULT,
    .max_limit = LIST_LIMIT_MAX,
    .write = item_write,
};

static const char *as_text(const struct mute *mute, struct arena *arena,
                           void (*write)(const struct mute *mute, struct strbuf *out))
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;

    write(mute, &text);
    return strbuf_failed(&text) ? NULL : arena_strdup(arena, text.data);
}

static bool item_fill(const struct mute *mute, struct arena *arena, struct item *item)
{
    *item = (struct item){.mute = mute,
                          .id = mute->id,
                          .state = (int)state_of(mute),
                          .finding = mute->finding_id,
                          .tags = as_text(mute, arena, write_tags),
                          .hosts = as_text(mute, arena, write_hosts),
                          .driver = mute->driver,
                          .driver_version = mute->driver_version,
                          .until = mute->until_us,
                          .reason = mute->reason,
                          .created_by = mute->created_by,
                          .created_at = mute->created_at_us,
                          .ended_at = mute->ended_at_us,
                          .ended_by = mute->ended_by,
                          .findings = mute->findings,
                          .host_count = mute->host_total};
    return item->tags != NULL && item->hosts != NULL;
}

enum status api_mutes_list(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {LIST_PARAMETERS, "state"};
    AUTO_LIST_QUERY struct list_query query = {0};
    AUTO_MUTES struct mutes mutes = {0};
    AUTO_DBLEASE struct db *db = NULL;
    const char *state = req_query(rq, "state");
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK && state != NULL && strcmp(state, "standing") != 0 &&
        strcmp(state, "ended") != 0)
        status = err_field(err, ST_INVALID, "state", "state must be standing or ended");
    if (status == ST_OK)
        status = list_query_read(rq, &spec, &query, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_mutes_list(db, &mutes, err);
    if (status != ST_OK)
        return status;
    AUTO_FREE struct item *items = calloc(mutes.count + 1, sizeof *items);
    size_t count = 0;
    for (size_t i = 0; items != NULL && i < mutes.count; i++) {
        if (state != NULL && strcmp(state_names[state_of(&mutes.items[i])], state) != 0)
            continue;
        if (!item_fill(&mutes.items[i], &mutes.arena, &items[count++]))
            return err_set(err, ST_NOMEM, "could not list mutes: out of memory");
    }
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not list mutes: out of memory");
    return list_reply(rq, rs, &spec, &query, NULL, items, sizeof *items, count, err);
}

enum status api_mutes_get(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    int64_t id = 0;
    enum status status = req_query_only(rq, NULL, 0, err);

    if (status == ST_OK)
        status = api_key_arg(rq, "mute", &id, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    return status == ST_OK ? reply_mute(db, id, rs, err) : status;
}

/* ---- in --------------------------------------------------------------------- */

struct body {
    struct arena arena;
    struct mute mute; /* texts borrowed from the document, arrays from the arena */
    bool has_until;
    int64_t now_us;
};

static void body_done(struct body *body)
{
    arena_done(&body->arena);
}

static enum status read_text(const json_t *value, const char *field, const char **ret_text,
                             struct err *err)
{
    const char *text = json_string_value(value);

    if (json_is_null(value))
        return ST_OK;
    if (text == NULL || *text == '\0' || strlen(text) > 256)
        return err_field(err, ST_INVALID, field, "%s must be a text of 1 to 256 bytes", field);
    *ret_text = text;
    return ST_OK;
}

static enum status read_finding(const json_t *value, struct body *body, struct err *err)
{
    return read_text(value, "finding", &body->mute.finding_id, err);
}

static enum status read_driver(const json_t *value, struct body *body, struct err *err)
{
    return read_text(value, "driver", &body->mute.driver, err);
}

static enum status read_version(const json_t *value, struct body *body, struct err *err)
{
    return read_text(value, "driver_version", &body->mute.driver_version, err);
}

static enum status read_tags(const json_t *value, struct body *body, struct err *err)
{
    size_t count = json_array_size(value);
    uint32_t *tags = arena_alloc(&body->arena, count, sizeof *tags);

    if (json_is_null(value))
        return ST_OK;
    if (!json_is_array(value) || count > API_MUTES_TAGS_MAX)
        return err_field(err, ST_INVALID, "tags", "tags must be a list of at most %d tags",
                         API_MUTES_TAGS_MAX);
    if (tags == NULL)
        return err_set(err, ST_NOMEM, "could not read a mute: out of memory");
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(value, i));
        if (text == NULL || api_tag_parse(text, &tags[i], NULL) != ST_OK)
            return err_field(err, ST_INVALID, "tags",
                             "a tag is four bytes, other than printable ASCII as \\xNN");
    }
    body->mute.tags = tags;
    body->mute.tag_count = count;
    return ST_OK;
}

static enum status read_hosts(const json_t *value, struct body *body, struct err *err)
{
    size_t count = json_array_size(value);
    const char **hosts = arena_alloc(&body->arena, count, sizeof *hosts);

    if (json_is_null(value))
        return ST_OK;
    if (!json_is_array(value) || count > API_MUTES_HOSTS_MAX)
        return err_field(err, ST_INVALID, "hosts", "hosts must be a list of at most %d ids",
                         API_MUTES_HOSTS_MAX);
    if (hosts == NULL)
        return err_set(err, ST_NOMEM, "could not read a mute: out of memory");
    for (size_t i = 0; i < count; i++) {
        enum status status = read_text(json_array_get(value, i), "hosts", &hosts[i], err);
        if (status != ST_OK || json_is_null(json_array_get(value, i)))
            return err_field(err, ST_INVALID, "hosts", "hosts must be ids of 1 to 256 bytes");
    }
    body->mute.hosts = hosts;
    body->mute.host_count = count;
    return ST_OK;
}

static enum status read_until(const json_t *value, struct body *body, struct err *err)
{
    const char *text = json_string_value(value);

    body->has_until = true;
    body->mute.until_us = TIME_UNKNOWN;
    if (json_is_null(value))
        return ST_OK;
    if (text == NULL || !time_parse(text, strlen(text), &body->mute.until_us))
        return err_field(err, ST_INVALID, "until", "until must be an RFC 3339 time or null");
    if (body->mute.until_us <= body->now_us)
        return err_field(err, ST_INVALID, "until", "until must lie ahead");
    return ST_OK;
}

static enum status read_reason(const json_t *value, struct body *body, struct err *err)
{
    const char *text = json_string_value(value);

    if (text == NULL || strspn(text, " \t\r\n") == strlen(text) ||
        strlen(text) > API_MUTES_TEXT_MAX)
        return err_field(err, ST_INVALID, "reason", "reason must be a text of 1 to %d bytes",
                         API_MUTES_TEXT_MAX);
    body->mute.reason = text;
    return ST_OK;
}

/* The first two are what a standing mute may change; its scope is what others agreed to. */
static const struct {
    const char *name;
    enum status (*read)(const json_t *value, struct body *body, struct err *err);
} fields[] = {
    {"until", read_until},
    {"reason", read_reason},
    {"finding", read_finding},
    {"tags", read_tags},
    {"hosts", read_hosts},
    {"driver", read_driver},
    {"driver_version", read_version},
};
#define FIELDS        (sizeof fields / sizeof fields[0])
#define FIELDS_CHANGE 2

static enum status read_body(const struct req *rq, size_t count, struct body *body,
                             json_t **ret_json, struct err *err)
{
    const char *name;
    json_t *value;
    json_t *json = *ret_json = json_loadb(rq->body, rq->body_length, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(json))
        return err_set(err, ST_MALFORMED, "could not read the body: not a JSON object");
    json_object_foreach(json, name, value)
    {
        size_t i = 0;
        while (i < count && strcmp(fields[i].name, name) != 0)
            i++;
        if (i == count)
            return err_field(err, ST_INVALID, name, "unknown field");
        enum status status = fields[i].read(value, body, err);
        if (status != ST_OK)
            return status;
    }
    return ST_OK;
}

static enum status check_new(const struct mute *mute, struct err *err)
{
    if (mute->finding_id == NULL && mute->tag_count == 0 && mute->host_count == 0 &&
        mute->driver == NULL)
        return err_field(err, ST_INVALID, "", "a mute needs finding, tags, hosts or driver");
    if (mute->driver_version != NULL && mute->driver == NULL)
        return err_field(err, ST_INVALID, "driver_version", "driver_version goes with driver");
    if (mute->reason == NULL)
        return err_field(err, ST_INVALID, "reason", "reason is missing");
    return ST_OK;
}

static void write_audit(const struct mute *mute, bool has_until, struct strbuf *out)
{
    json_open(out, '{');
    json_text(out, "finding", mute->finding_id);
    json_key(out, "tags");
    write_tags(mute, out);
    json_i64(out, "hosts", (int64_t)mute->host_count);
    json_text(out, "driver", mute->driver);
    json_text(out, "driver_version", mute->driver_version);
    if (has_until)
        json_time(out, "until", mute->until_us);
    json_close(out, '}');
}

enum status api_mutes_post(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_JSON json_t *json = NULL;
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_STRBUF struct strbuf detail = STRBUF_INIT;
    CLEANUP(body_done)
    struct body body = {
        .now_us = clock_wall_us(), .mute.until_us = TIME_UNKNOWN, .mute.created_by = rq->principal};
    struct audit_entry audit = api_audit(rq, "mute.create", NULL);
    int64_t id = 0;
    enum status status = req_query_only(rq, NULL, 0, err);

    if (status == ST_OK)
        status = read_body(rq, FIELDS, &body, &json, err);
    if (status == ST_OK)
        status = check_new(&body.mute, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status != ST_OK)
        return status;
    write_audit(&body.mute, true, &detail);
    audit.detail = strbuf_failed(&detail) ? NULL : detail.data;
    status = store_mutes_create(db, &body.mute, &audit, body.now_us, &id, err);
    if (status != ST_OK)
        return status;
    notify_wake(rq->app->notify);
    rs->code = 201;
    char *location = NULL;
    if (asprintf(&location, "/api/v1/mutes/%lld", (long long)id) < 0)
        return err_set(err, ST_NOMEM, "could not write a reply: out of memory");
    rs->location = location;
    return reply_mute(db, id, rs, err);
}

static enum status change(struct req *rq, struct resp *rs, struct mute_change *change,
                          struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    enum status status = api_key_arg(rq, "mute", &change->id, err);

    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_mutes_change(db, change, err);
    if (status == ST_CONFLICT) {
        rs->code = 412;
        rs->problem = "precondition_failed";
    }
    if (status != ST_OK)
        return status;
    notify_wake(rq->app->notify);
    return reply_mute(db, change->id, rs, err);
}

enum status api_mutes_patch(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_JSON json_t *json = NULL;
    AUTO_STRBUF struct strbuf detail = STRBUF_INIT;
    CLEANUP(body_done) struct body body = {.now_us = clock_wall_us()};
    struct audit_entry audit = api_audit(rq, "mute.change", rq->args[0]);
    enum status status = req_query_only(rq, NULL, 0, err);

    if (status == ST_OK)
        status = read_body(rq, FIELDS_CHANGE, &body, &json, err);
    if (status == ST_OK && !body.has_until && body.mute.reason == NULL)
        status = err_field(err, ST_INVALID, "", "nothing to change: give until or reason");
    if (status != ST_OK)
        return status;
    json_open(&detail, '{');
    if (body.has_until)
        json_time(&detail, "until", body.mute.until_us);
    json_bool(&detail, "reason", body.mute.reason != NULL);
    json_close(&detail, '}');
    audit.detail = strbuf_failed(&detail) ? NULL : detail.data;
    struct mute_change asked = {.version = api_if_match(rq),
                                .now_us = body.now_us,
                                .actor = rq->principal,
                                .audit = &audit,
                                .has_until = body.has_until,
                                .until_us = body.mute.until_us,
                                .reason = body.mute.reason};
    return change(rq, rs, &asked, err);
}

enum status api_mutes_delete(struct req *rq, struct resp *rs, struct err *err)
{
    struct audit_entry audit = api_audit(rq, "mute.end", rq->args[0]);
    struct mute_change asked = {.version = api_if_match(rq),
                                .now_us = clock_wall_us(),
                                .actor = rq->principal,
                                .audit = &audit,
                                .until_us = TIME_UNKNOWN,
                                .ends = true};
    enum status status = req_query_only(rq, NULL, 0, err);
    return status == ST_OK ? change(rq, rs, &asked, err) : status;
}
