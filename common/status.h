/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one result type. Every function that can fail in more than one way returns enum status and
 * takes an optional struct err, filled once where the fact is known. Two tables map a status
 * outward: to an HTTP code and to an exit code. Outputs (ret_*) are written only on ST_OK.
 */
#ifndef COMMON_STATUS_H
#define COMMON_STATUS_H

#include <stddef.h>

enum status {
    ST_OK = 0,
    ST_NOT_FOUND,
    ST_CONFLICT,
    ST_INVALID,      /* well-formed, but a value breaks the contract: 422 */
    ST_MALFORMED,    /* not the format at all (bad JSON, bad UTF-8, bad gzip): 400 */
    ST_TOO_LARGE,    /* 413 */
    ST_UNAUTHORIZED, /* 401 */
    ST_FORBIDDEN,    /* 403 */
    ST_UNSUPPORTED,  /* media type or encoding: 415 */
    ST_BUSY,         /* a bounded queue is full: 503 + Retry-After */
    ST_TIMEOUT,
    ST_RETRY, /* never leaves db_tx() */
    ST_DB,    /* database unreachable or refused: 503 + Retry-After, exit 3 */
    ST_IO,
    ST_NOMEM,
    ST_USAGE, /* wrong command line or config: exit 2 */
    ST_BUG,
    ST_COUNT_
};

#define MUST_CHECK __attribute__((warn_unused_result))
/* mingw's own printf is the GNU one here (_GNU_SOURCE), whatever msvcrt's is. */
#ifdef _WIN32
#define PRINTF_LIKE(f, a) __attribute__((format(gnu_printf, f, a)))
#else
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#endif

/* What went wrong, for a person: message in PostgreSQL's style ("could not X: reason"), lower
 * case, no full stop. `field` is the path of the fault in a document ("nonpaged.bytes[3]"), or "".
 * Texts longer than the arrays are cut. */
struct err {
    enum status code;
    char message[256];
    char hint[160];
    char field[128];
    char sqlstate[6];
};

/* Fill err (NULL allowed) and return code, so that `return err_set(...)` is one line. */
enum status err_set(struct err *err, enum status code, const char *format, ...) PRINTF_LIKE(3, 4);
/* The same with the path of the fault; field may be NULL. */
enum status err_field(struct err *err, enum status code, const char *field, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* Put a path in front of err->field: prefix "[3]" + "tag" -> "[3].tag". */
void err_prefix_field(struct err *err, const char *prefix);

const char *status_name(enum status code);  /* "not_found": also the last part of a problem type */
const char *status_title(enum status code); /* "Not found" */
unsigned status_http(enum status code);
int status_exit(enum status code);

#endif
