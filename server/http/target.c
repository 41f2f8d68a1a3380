/* SPDX-License-Identifier: Apache-2.0 */
/* The raw request target: its parts, percent-decoding and the query. microhttpd's own decoding is
 * not used: it is lenient about bad escapes and gives no way to tell "%2F" from "/". */
#include "common/utf8.h"
#include "server/http/route.h"

#include <strings.h>

bool target_split(const char *target, const char **ret_path, size_t *ret_path_length,
                  const char **ret_query)
{
    const char *path = target;
    if (strncasecmp(target, "http://", 7) == 0 || strncasecmp(target, "https://", 8) == 0) {
        path = strstr(target, "//") + 2;
        path += strcspn(path, "/?");
    } else if (target[0] != '/')
        return false;
    size_t length = strcspn(path, "?#");
    *ret_query = path[length] == '?' ? path + length + 1 : NULL;
    *ret_path = length == 0 ? "/" : path; /* "http://host" and "http://host?x" mean its root */
    *ret_path_length = length == 0 ? 1 : length;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool percent_decode(const char *text, size_t length, bool plus_is_blank, char *out,
                    size_t *ret_length)
{
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '%') {
            int high = length - i > 2 ? hex_digit(text[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
            if (low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_blank)
            c = ' ';
        if (c == '\0')
            return false;
        out[used++] = c;
    }
    out[used] = '\0';
    *ret_length = used;
    return utf8_valid(out, used);
}

/* Decodes one "name=value" into out, which it moves forward. */
static bool parse_param(const char *text, size_t length, char **out, struct query_param *ret_param)
{
    const char *equals = memchr(text, '=', length);
    size_t name_length = equals == NULL ? length : (size_t)(equals - text);
    size_t used;
    ret_param->name = *out;
    if (!percent_decode(text, name_length, true, *out, &used))
        return false;
    *out += used + 1;
    ret_param->value = *out;
    if (equals == NULL) {
        **out = '\0';
        used = 0;
    } else if (!percent_decode(equals + 1, length - name_length - 1, true, *out, &used))
        return false;
    *out += used + 1;
    return true;
}

enum status query_parse(const char *text, struct query *ret_query, struct err *err)
{
    struct query query = {0, {{NULL, NULL}}, NULL};
    size_t length = text == NULL ? 0 : strcspn(text, "#");
    if (length == 0) {
        *ret_query = query;
        return ST_OK;
    }
    /* A parameter of n bytes becomes at most n + 1 ('=' is one of them), and '&' is one more. */
    query.text = malloc(length + 2 * (size_t)QUERY_PARAMS_MAX + 2);
    if (query.text == NULL)
        return err_set(err, ST_NOMEM, "could not read the query: out of memory");
    char *out = query.text;
    for (size_t at = 0; at < length;) {
        size_t part = strcspn(text + at, "&#");
        if (part > 0 && (query.count == QUERY_PARAMS_MAX ||
                         !parse_param(text + at, part, &out, &query.params[query.count]))) {
            bool many = query.count == QUERY_PARAMS_MAX;
            query_done(&query);
            return err_set(err, ST_MALFORMED, "could not read the query: %s",
                           many ? "more than 32 parameters" : "bad percent-encoding or not UTF-8");
        }
        query.count += part > 0;
        at += part + 1;
    }
    *ret_query = query;
    return ST_OK;
}

void query_done(struct query *query)
{
    free(query->text);
    *query = (struct query){0, {{NULL, NULL}}, NULL};
}

const char *query_get(const struct query *query, const char *name)
{
    for (size_t i = 0; i < query->count; i++) {
        if (strcmp(query->params[i].name, name) == 0)
            return query->params[i].value;
    }
    return NULL;
}
