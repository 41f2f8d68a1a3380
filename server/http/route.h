/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matching a raw request target with the route table. Pure: no I/O, no global state but the table
 * handed in. Paths are split at '/' before percent-decoding, so a decoded argument may hold any
 * character but NUL, a slash included; '+' stands for itself.
 */
#ifndef SERVER_HTTP_ROUTE_H
#define SERVER_HTTP_ROUTE_H

#include "server/http/http.h"

#define ROUTE_SEGMENTS_MAX 12   /* the deepest pattern has 7 */
#define ROUTE_PATH_MAX     2048 /* raw bytes; longer is 404 */

enum route_match {
    ROUTE_FOUND,
    ROUTE_NO_PATH,   /* 404 */
    ROUTE_NO_METHOD, /* 405 */
    ROUTE_BAD_PATH   /* 400: bad percent-encoding, NUL or not UTF-8 */
};

struct route_hit {
    const struct route *route; /* ROUTE_FOUND */
    const char *pattern;       /* ROUTE_FOUND and ROUTE_NO_METHOD */
    size_t arg_count;
    const char *args[REQ_ARGS_MAX]; /* point into `text` */
    char text[ROUTE_PATH_MAX + 1];  /* decoded segments, each NUL-terminated */
};

/* `path` is raw and without query. A literal segment wins over an argument, earlier ones first. */
enum route_match route_find(const struct route *table, size_t count, const char *path,
                            size_t length, const char *method, struct route_hit *ret_hit);
/* "GET, HEAD, POST, OPTIONS": what the table has for this pattern. */
void route_allow(const struct route *table, size_t count, const char *pattern, struct strbuf *out);
/* The program's own table as a JSON array, for the verb `routes` and the tests. */
void routes_print_json(struct strbuf *out);

/* Where a raw target's path begins and ends: an absolute form loses scheme and authority, '?' ends
 * it. False for what is neither ("*", "host:443"). */
bool target_split(const char *target, const char **ret_path, size_t *ret_path_length,
                  const char **ret_query);

/* Strict percent-decoding in place of a copy: out needs length + 1 bytes, NUL-terminated. False
 * for a bad escape, an encoded NUL, or what is not UTF-8 after decoding. */
bool percent_decode(const char *text, size_t length, bool plus_is_blank, char *out,
                    size_t *ret_length);

#define QUERY_PARAMS_MAX 32

/* The parameters of a query string, decoded, in their order. */
struct query {
    size_t count;
    struct query_param {
        const char *name;
        const char *value;
    } params[QUERY_PARAMS_MAX];
    char *text; /* owns names and values */
};

/* NULL text is empty. ST_MALFORMED for bad encoding or more than QUERY_PARAMS_MAX; ST_NOMEM. */
enum status query_parse(const char *text, struct query *ret_query, struct err *err) MUST_CHECK;
void query_done(struct query *query);
const char *query_get(const struct query *query, const char *name);

#endif
