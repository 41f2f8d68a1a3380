/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_enroll.h"
#include "common/cbor.h"
#include "common/doc_out.h"
#include "common/log.h"
#include "common/snapshot.h"
#include "common/utf8.h"
#include "server/api/api_common.h"
#include "server/http/exchange.h"
#include "server/store/store_enroll.h"

#include <jansson.h>

static void cleanup_json(json_t **json)
{
    json_decref(*json);
}
#define AUTO_JSON CLEANUP(cleanup_json)

/* ---- CBOR into the tree that JSON gives too --------------------------------- */

static bool read_map(struct cbor_reader *reader, json_t **ret_json);

/* Nothing but texts and maps means anything here. What is neither becomes a null, which is of the
 * wrong type wherever it stands. The reader bounds how deep this goes. */
static bool read_item(struct cbor_reader *reader, json_t **ret_json)
{
    const char *text;
    size_t length;
    enum cbor_kind kind = cbor_peek(reader);
    if (kind == CBOR_MAP)
        return read_map(reader, ret_json);
    if (kind != CBOR_TEXT) {
        if (!cbor_skip(reader))
            return false;
        *ret_json = json_null();
        return true;
    }
    if (!cbor_read_text(reader, &text, &length))
        return false;
    /* NULL for what is not UTF-8, too. */
    *ret_json = json_stringn(text, length);
    return *ret_json != NULL || cbor_fail(reader, "not UTF-8");
}

static bool read_member(struct cbor_reader *reader, json_t *map)
{
    const char *key;
    size_t length;
    char name[LIMIT_TEXT_BYTES + 1];
    json_t *value = NULL;
    if (!cbor_read_text(reader, &key, &length))
        return false;
    if (length > LIMIT_TEXT_BYTES || memchr(key, '\0', length) != NULL || !utf8_valid(key, length))
        return cbor_fail(reader, "a name is too long or not UTF-8");
    memcpy(name, key, length);
    name[length] = '\0';
    if (json_object_get(map, name) != NULL)
        return cbor_fail(reader, "a name stands twice");
    if (!read_item(reader, &value))
        return false;
    return json_object_set_new(map, name, value) == 0 || cbor_fail(reader, "out of memory");
}

static bool read_map(struct cbor_reader *reader, json_t **ret_json)
{
    size_t count;
    AUTO_JSON json_t *map = json_object();
    if (map == NULL)
        return cbor_fail(reader, "out of memory");
    if (!cbor_read_map(reader, &count))
        return false;
    while (cbor_more(reader)) {
        if (!read_member(reader, map))
            return false;
    }
    if (reader->failed)
        return false;
    *ret_json = TAKE(map);
    return true;
}

static enum status parse_body(const struct req *rq, json_t **ret_json, struct err *err)
{
    if (rq->body_media != MEDIA_CBOR) {
        json_error_t fault;
        *ret_json = json_loadb(rq->body, rq->body_length, JSON_REJECT_DUPLICATES, &fault);
        return *ret_json == NULL ? err_set(err, ST_MALFORMED, "could not read the body: not JSON")
                                 : ST_OK;
    }
    struct cbor_reader reader;
    cbor_read_init(&reader, rq->body, rq->body_length);
    bool ok = read_item(&reader, ret_json);
    if (ok && cbor_peek(&reader) != CBOR_END) {
        json_decref(TAKE(*ret_json));
        ok = cbor_fail(&reader, "something follows");
    }
    return ok ? ST_OK
              : err_set(err, ST_MALFORMED, "could not read the body: no CBOR map: %s",
                        reader.fault == NULL ? "malformed" : reader.fault);
}

/* ---- what the body says ----------------------------------------------------- */

struct fields {
    const char *host_name;
    const char *machine_id;
    const char *boot_at;
    const char *agent_version;
    const char *previous_host_id;
    const char *previous_token;
    const json_t *host;
    const json_t *attributes;
    const json_t *agent;
};

struct field {
    const char *name;
    const char *path;
    size_t offset; /* of a text, or of a json_t for a map */
    bool is_map;
};
#define TEXT(name, path, member)                                                                   \
    {                                                                                              \
        name, path, offsetof(struct fields, member), false                                         \
    }
#define MAP(name, path, member)                                                                    \
    {                                                                                              \
        name, path, offsetof(struct fields, member), true                                          \
    }
static const struct field body_fields[] = {
    MAP("host", "host", host),
    MAP("agent", "agent", agent),
    TEXT("machine_id", "machine_id", machine_id),
    TEXT("boot_at", "boot_at", boot_at),
    TEXT("previous_host_id", "previous_host_id", previous_host_id),
    TEXT("previous_token", "previous_token", previous_token),
};
static const struct field host_fields[] = {
    TEXT("name", "host.name", host_name),
    MAP("attributes", "host.attributes", attributes),
};
static const struct field agent_fields[] = {
    TEXT("version", "agent.version", agent_version),
};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static enum status check_text(const json_t *json, const char *path, struct err *err)
{
    const char *text = json_string_value(json);
    size_t length = json_string_length(json);
    if (text == NULL)
        return err_field(err, ST_INVALID, path, "text is wanted");
    if (length > LIMIT_TEXT_BYTES)
        return err_field(err, ST_TOO_LARGE, path, "over %u bytes", LIMIT_TEXT_BYTES);
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return err_field(err, ST_INVALID, path, "control character");
    }
    return ST_OK;
}

static enum status read_field(const struct field *field, const json_t *json, struct fields *fields,
                              struct err *err)
{
    void *target = (char *)fields + field->offset;
    if (field->is_map) {
        if (!json_is_object(json))
            return err_field(err, ST_INVALID, field->path, "a map is wanted");
        *(const json_t **)target = json;
        return ST_OK;
    }
    enum status status = check_text(json, field->path, err);
    if (status == ST_OK && json_string_length(json) > 0)
        *(const char **)target = json_string_value(json);
    return status;
}

static enum status read_fields(const json_t *map, const char *path, const struct field *table,
                               size_t count, struct fields *fields, struct err *err)
{
    const char *name;
    json_t *value;
    /* Iteration does not change it; jansson's macro has no const form. */
    json_object_foreach((json_t *)(uintptr_t)map, name, value)
    {
        size_t i = 0;
        while (i < count && strcmp(table[i].name, name) != 0)
            i++;
        if (i == count)
            return err_field(err, ST_INVALID, path[0] == '\0' ? name : path,
                             "unknown field \"%.64s\"", name);
        enum status status = read_field(&table[i], value, fields, err);
        if (status != ST_OK)
            return status;
    }
    return ST_OK;
}

static enum status check_attributes(const json_t *attributes, struct err *err)
{
    const char *name;
    json_t *value;
    if (json_object_size(attributes) > LIMIT_ATTRIBUTES)
        return err_field(err, ST_TOO_LARGE, "host.attributes", "over %u attributes",
                         LIMIT_ATTRIBUTES);
    json_object_foreach((json_t *)(uintptr_t)attributes, name, value)
    {
        AUTO_JSON json_t *key = json_string(name);
        enum status status = key == NULL || name[0] == '\0'
                                 ? err_field(err, ST_INVALID, "host.attributes", "empty name")
                                 : check_text(key, "host.attributes", err);
        if (status == ST_OK)
            status = check_text(value, "host.attributes", err);
        if (status != ST_OK)
            return status;
    }
    return ST_OK;
}

static enum status read_body(const json_t *json, struct fields *fields, struct err *err)
{
    if (!json_is_object(json))
        return err_set(err, ST_INVALID, "the body must be a map");
    enum status status = read_fields(json, "", body_fields, COUNT(body_fields), fields, err);
    if (status != ST_OK)
        return status;
    if (fields->host == NULL)
        return err_field(err, ST_INVALID, "host", "required field is missing");
    status = read_fields(fields->host, "host", host_fields, COUNT(host_fields), fields, err);
    if (status == ST_OK && fields->agent != NULL)
        status =
            read_fields(fields->agent, "agent", agent_fields, COUNT(agent_fields), fields, err);
    if (status == ST_OK && fields->attributes != NULL)
        status = check_attributes(fields->attributes, err);
    return status;
}

static enum status fill_request(const struct req *rq, const struct fields *fields,
                                struct enroll_request *ret_request, struct err *err)
{
    *ret_request = (struct enroll_request){
        .secret_id = rq->token_id,
        .host_name = fields->host_name,
        .machine_id = fields->machine_id,
        .address = rq->peer,
        .agent_version = fields->agent_version,
        .boot_at_us = TIME_UNKNOWN,
        .previous_host_id = fields->previous_host_id,
        .previous_token = fields->previous_token,
        .cooldown_us = rq->app->config->enroll_cooldown_us,
    };
    if (fields->boot_at != NULL &&
        !time_parse(fields->boot_at, strlen(fields->boot_at), &ret_request->boot_at_us))
        return err_field(err, ST_INVALID, "boot_at",
                         "a time such as 2026-11-21T02:00:00Z is wanted");
    if (fields->previous_host_id != NULL && !snapshot_host_id_valid(fields->previous_host_id))
        return err_field(err, ST_INVALID, "previous_host_id",
                         "host id has a bad length or character");
    return ST_OK;
}

/* ---- the answer ------------------------------------------------------------- */

static void write_reply(const struct req *rq, const struct enroll_result *result,
                        struct strbuf *out)
{
    struct doc doc;
    doc_init(&doc, rq->accept == MEDIA_CBOR ? DOC_CBOR : DOC_JSON, out);
    doc_map(&doc);
    doc_put_text(&doc, "host_id", result->host_id);
    doc_put_text(&doc, "token", result->token);
    doc_key(&doc, "config");
    doc_map(&doc);
    doc_put_uint(&doc, "interval_seconds",
                 (uint64_t)(rq->app->config->agent_interval_us / US_PER_SECOND));
    doc_map_end(&doc);
    doc_map_end(&doc);
    doc_finish(&doc);
}

/* ST_BUSY of the cooldown and ST_UNAUTHORIZED of a secret that ended a moment ago get the names
 * that the agent knows; the lease's ST_BUSY stays what it is. */
static enum status refuse(const struct req *rq, struct resp *rs, enum status status,
                          unsigned wait_seconds, struct err *err)
{
    if (status == ST_BUSY) {
        rs->code = 429;
        rs->problem = "enroll_cooldown";
        rs->retry_after_seconds = wait_seconds;
        rs->quota = (struct quota){
            .name = "enroll-machine",
            .most = 1,
            .window_seconds = (unsigned)(rq->app->config->enroll_cooldown_us / US_PER_SECOND),
            .left = 0,
            .seconds = wait_seconds};
    } else if (status == ST_UNAUTHORIZED) {
        log_warning("enrolment refused", "reason", err->message, "secret", rq->principal, "peer",
                    rq->peer, "request", rq->request_id);
        auth_forget(req_auth(rq), req_credential(rq)->hash);
        rs->code = 401;
        rs->problem = "enroll_refused";
        err_set(err, ST_UNAUTHORIZED, "the enroll secret is not valid");
    }
    return status;
}

enum status api_enroll_post(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_JSON json_t *json = NULL;
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_FREE char *attributes = NULL;
    struct fields fields = {0};
    struct enroll_request request;
    struct enroll_result result;
    unsigned wait_seconds = 0;
    enum status status = parse_body(rq, &json, err);
    if (status == ST_OK)
        status = read_body(json, &fields, err);
    if (status == ST_OK)
        status = fill_request(rq, &fields, &request, err);
    if (status == ST_OK && fields.attributes != NULL) {
        request.attributes = attributes = json_dumps(fields.attributes, JSON_COMPACT);
        if (attributes == NULL)
            status = err_set(err, ST_NOMEM, "could not enroll: out of memory");
    }
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status != ST_OK)
        return status;
    status = store_enroll_host(db, &request, &result, &wait_seconds, err);
    if (status != ST_OK)
        return refuse(rq, rs, status, wait_seconds, err);
    write_reply(rq, &result, &rs->body);
    log_info("host enrolled", "host", result.host_id, "name",
             request.host_name == NULL ? "" : request.host_name, "secret", rq->principal, "again",
             result.same_host ? "yes" : "no", "peer", rq->peer, "request", rq->request_id);
    return ST_OK;
}
