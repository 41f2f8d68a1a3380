/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/json_in.h"
#include "common/clock.h"

#include <string.h>

static enum status read_time(const json_t *value, int64_t *ret_us)
{
    const char *text = json_string_value(value);
    return text != NULL && time_parse(text, strlen(text), ret_us) ? ST_OK : ST_INVALID;
}

static enum status read_value(const json_t *value, const struct json_in *member, void *target,
                              struct err *err)
{
    static const char *const wanted[] = {
        [JSON_IN_TEXT] = "a text",
        [JSON_IN_FLAG] = "true or false",
        [JSON_IN_I64] = "a whole number from 1 on",
        [JSON_IN_TIME] = "an RFC 3339 time",
    };
    void *slot = (char *)target + member->offset;
    bool ok = false;
    switch (member->kind) {
    case JSON_IN_TEXT:
        ok = json_is_string(value);
        if (ok)
            *(const char **)slot = json_string_value(value);
        break;
    case JSON_IN_FLAG:
        ok = json_is_boolean(value);
        if (ok)
            *(int *)slot = json_is_true(value);
        break;
    case JSON_IN_I64:
        ok = json_is_integer(value) && json_integer_value(value) >= 1;
        if (ok)
            *(int64_t *)slot = json_integer_value(value);
        break;
    case JSON_IN_TIME:
        ok = read_time(value, slot) == ST_OK;
        break;
    }
    return ok ? ST_OK
              : err_field(err, ST_INVALID, member->name, "%s must be %s", member->name,
                          wanted[member->kind]);
}

enum status json_in_read(const struct req *rq, const struct json_in *members, size_t count,
                         void *target, json_t **ret_json, struct err *err)
{
    AUTO_JSON json_t *json = json_loadb(rq->body, rq->body_length, JSON_REJECT_DUPLICATES, NULL);
    const char *name;
    json_t *value;
    if (!json_is_object(json))
        return err_set(err, ST_MALFORMED, "could not read the body: not a JSON object");
    json_object_foreach(json, name, value)
    {
        size_t i = 0;
        while (i < count && strcmp(members[i].name, name) != 0)
            i++;
        if (i == count)
            return err_field(err, ST_INVALID, name, "unknown field \"%.64s\"", name);
        enum status status =
            json_is_null(value) ? ST_OK : read_value(value, &members[i], target, err);
        if (status != ST_OK)
            return status;
    }
    for (size_t i = 0; i < count; i++) {
        if (members[i].required && json_object_get(json, members[i].name) == NULL)
            return err_field(err, ST_INVALID, members[i].name, "%s is missing", members[i].name);
    }
    *ret_json = TAKE(json);
    return ST_OK;
}
