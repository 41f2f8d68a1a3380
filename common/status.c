/* SPDX-License-Identifier: Apache-2.0 */
#include "common/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    const char *title;
    unsigned http;
    int exit_code;
} table[ST_COUNT_] = {
    [ST_OK] = {"ok", "OK", 200, 0},
    [ST_NOT_FOUND] = {"not_found", "Not found", 404, 1},
    [ST_CONFLICT] = {"conflict", "Conflict", 409, 1},
    [ST_INVALID] = {"invalid", "Invalid value", 422, 1},
    [ST_MALFORMED] = {"malformed", "Malformed input", 400, 1},
    [ST_TOO_LARGE] = {"too_large", "Too large", 413, 1},
    [ST_UNAUTHORIZED] = {"unauthorized", "No or bad token", 401, 1},
    [ST_FORBIDDEN] = {"forbidden", "Role too low", 403, 1},
    [ST_UNSUPPORTED] = {"unsupported", "Unsupported media type", 415, 1},
    [ST_BUSY] = {"busy", "Too much at once", 503, 1},
    [ST_TIMEOUT] = {"timeout", "Timed out", 503, 1},
    [ST_RETRY] = {"retry", "Transaction conflict", 503, 1},
    [ST_DB] = {"database", "Database unavailable", 503, 3},
    [ST_IO] = {"io", "Input or output failed", 500, 1},
    [ST_NOMEM] = {"no_memory", "Out of memory", 503, 1},
    [ST_USAGE] = {"usage", "Wrong usage", 500, 2},
    [ST_BUG] = {"internal", "Internal error", 500, 1},
};

static enum status fill(struct err *err, enum status code, const char *field, const char *format,
                        va_list args)
{
    if (err == NULL)
        return code;
    err->code = code;
    err->hint[0] = '\0';
    err->sqlstate[0] = '\0';
    vsnprintf(err->message, sizeof err->message, format, args);
    snprintf(err->field, sizeof err->field, "%s", field == NULL ? "" : field);
    return code;
}

enum status err_set(struct err *err, enum status code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, code, NULL, format, args);
    va_end(args);
    return code;
}

enum status err_field(struct err *err, enum status code, const char *field, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, code, field, format, args);
    va_end(args);
    return code;
}

void err_prefix_field(struct err *err, const char *prefix)
{
    char old[sizeof err->field];
    if (err == NULL)
        return;
    memcpy(old, err->field, sizeof old);
    const char *dot = old[0] == '\0' || old[0] == '[' ? "" : ".";
    /* A path deeper than the array is cut at its end: the front is what a person needs. */
    int n = snprintf(err->field, sizeof err->field, "%s%s", prefix, dot);
    if (n > 0 && (size_t)n < sizeof err->field)
        memcpy(err->field + n, old, strnlen(old, sizeof err->field - (size_t)n - 1) + 1);
    err->field[sizeof err->field - 1] = '\0';
}

static enum status known(enum status code)
{
    return code >= ST_OK && code < ST_COUNT_ ? code : ST_BUG;
}

const char *status_name(enum status code)
{
    return table[known(code)].name;
}

const char *status_title(enum status code)
{
    return table[known(code)].title;
}

unsigned status_http(enum status code)
{
    return table[known(code)].http;
}

int status_exit(enum status code)
{
    return table[known(code)].exit_code;
}
