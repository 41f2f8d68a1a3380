/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON is parsed by jansson, written over into CBOR and decoded there: one decoder knows the
 * document (snapshot_cbor.c). The detour costs a copy of a few hundred kilobytes at most per
 * document in practice, and a fraction of what parsing the text takes. Writing is
 * snapshot_encode.c, which needs no JSON library.
 */
#include "common/snapshot_json.h"
#include "common/cbor.h"
#include "common/limits.h"
#include "common/snapshot_cbor.h"

#include <jansson.h>
#include <string.h>

static inline void cleanup_json(json_t **json)
{
    json_decref(*json);
}
#define AUTO_JSON CLEANUP(cleanup_json)

/* jansson builds the tree before we can look at it, and recurses: bound the nesting first. */
static bool too_deep(const char *text, size_t length)
{
    unsigned depth = 0;
    bool in_text = false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (in_text) {
            i += c == '\\';
            in_text = c != '"';
        } else if (c == '"') {
            in_text = true;
        } else if (c == '{' || c == '[') {
            if (++depth > LIMIT_JSON_DEPTH)
                return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

/* As deep as too_deep() allows. */
static void write_over(const json_t *json, struct strbuf *out)
{
    const char *name;
    json_t *value;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        cbor_put_map(out, json_object_size(json));
        json_object_foreach((json_t *)json, name, value)
        {
            cbor_put_text(out, name);
            write_over(value, out);
        }
        break;
    case JSON_ARRAY:
        cbor_put_array(out, json_array_size(json));
        for (size_t i = 0; i < json_array_size(json); i++)
            write_over(json_array_get(json, i), out);
        break;
    case JSON_STRING:
        cbor_put_text_n(out, json_string_value(json), json_string_length(json));
        break;
    case JSON_INTEGER:
        cbor_put_int(out, json_integer_value(json));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        cbor_put_bool(out, json_typeof(json) == JSON_TRUE);
        break;
    case JSON_REAL: /* no member is one: what is refused need not keep its value */
    case JSON_NULL:
        cbor_put_null(out);
        break;
    }
}

static enum status parse_failed(const json_error_t *error, struct err *err)
{
    if (json_error_code(error) == json_error_out_of_memory)
        return err_set(err, ST_NOMEM, "could not decode a snapshot: out of memory");
    return err_set(err, ST_MALFORMED, "not valid JSON at line %d, column %d: %s", error->line,
                   error->column, error->text);
}

enum status snapshot_json_decode(const char *text, size_t length, struct snapshot *ret_snapshot,
                                 struct err *err)
{
    AUTO_STRBUF struct strbuf cbor = STRBUF_INIT;
    json_error_t error;
    if (length > LIMIT_BODY_BYTES)
        return err_set(err, ST_TOO_LARGE, "document of %zu bytes is over the limit of %u", length,
                       LIMIT_BODY_BYTES);
    if (too_deep(text, length))
        return err_set(err, ST_MALFORMED, "nested deeper than %u levels", LIMIT_JSON_DEPTH);
    AUTO_JSON json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL)
        return parse_failed(&error, err);
    write_over(json, &cbor);
    if (strbuf_failed(&cbor))
        return err_set(err, ST_NOMEM, "could not decode a snapshot: out of memory");
    return snapshot_cbor_read(cbor.data, cbor.length, ret_snapshot, err);
}
