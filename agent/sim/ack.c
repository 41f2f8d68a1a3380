/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sim/ack.h"

#include <jansson.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

/* The type is "conflict" or an address that ends so. */
static bool is_conflict(const char *type)
{
    static const char name[] = "conflict";
    size_t length = strlen(type);
    size_t wanted = sizeof name - 1;
    return length >= wanted && strcmp(type + length - wanted, name) == 0;
}

static enum status refused(int code, const json_t *json, struct err *err)
{
    const char *detail = text_of(json, "detail");
    if (*detail == '\0')
        detail = text_of(json, "title");
    enum status st = code == 401   ? ST_UNAUTHORIZED
                     : code == 403 ? ST_FORBIDDEN
                     : code == 404 ? ST_NOT_FOUND
                     : code == 413 ? ST_TOO_LARGE
                     : code == 415 ? ST_UNSUPPORTED
                                   : ST_INVALID;
    return err_field(err, st, text_of(json, "field"), "the server answered %d: %.160s", code,
                     *detail != '\0' ? detail : "no reason given");
}

static enum status read_rejected(const json_t *rejected, size_t count, struct ack *ack,
                                 struct err *err)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)rejected, i, item)
    {
        json_int_t index = json_integer_value(json_object_get(item, "index"));
        if (!json_is_integer(json_object_get(item, "index")) || index < 0 ||
            (uint64_t)index >= count)
            return err_set(err, ST_INVALID,
                           "the server's answer names a snapshot that was not sent");
        bool conflict = is_conflict(text_of(item, "type"));
        ack->states[index] = conflict ? ACK_CONFLICT : ACK_REFUSED;
        if (!conflict && ack->first.message[0] == '\0')
            err_field(&ack->first, ST_INVALID, text_of(item, "field"), "%.160s: %.64s",
                      text_of(item, "detail"), text_of(item, "field"));
    }
    return ST_OK;
}

enum status ack_parse(int code, const char *body, size_t length, size_t count, struct ack *ack,
                      struct err *err)
{
    for (size_t i = 0; i < count; i++)
        ack->states[i] = code == 409 ? ACK_CONFLICT : ACK_HELD;
    if (code == 409)
        return ST_OK;
    json_t *json = length > 0 ? json_loadb(body, length, 0, NULL) : NULL;
    enum status st = ST_OK;
    if (code < 200 || code > 299) {
        st = refused(code, json, err);
    } else if (!json_is_object(json)) {
        st = err_set(err, ST_INVALID, "the server's answer is not JSON");
    } else {
        ack->accepted = (uint64_t)json_integer_value(json_object_get(json, "accepted"));
        ack->duplicates = (uint64_t)json_integer_value(json_object_get(json, "duplicates"));
        st = read_rejected(json_object_get(json, "rejected"), count, ack, err);
    }
    json_decref(json);
    return st;
}
