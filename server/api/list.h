/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every list of the API answers through here: limit, cursor, sort, and the three encodings (JSON
 * document, NDJSON, CSV), all from one table of columns per resource. Handlers collect flat items
 * in memory and filter them; this module orders, cuts and writes them.
 *
 * A cursor holds the sort, the sort value and the identity of the last item of a page, so that
 * pages stay right while items come and go between two calls. It is opaque to callers and refused
 * when it was made for another sort.
 *
 * Exports (CSV, NDJSON) are whole when no limit is given: their encodings have no place for
 * next_cursor.
 *
 * CSV follows RFC 4180 (CRLF, quotes doubled). Cells that a spreadsheet would take for a formula
 * get a ' in front; numbers do not. Pure but for list_query_read and list_reply.
 */
#ifndef SERVER_API_LIST_H
#define SERVER_API_LIST_H

#include "common/status.h"
#include "common/strbuf.h"
#include "server/http/http.h"

#include <stddef.h>
#include <stdint.h>

enum list_kind {
    LIST_TEXT, /* const char *; NULL is null */
    LIST_I64,  /* int64_t; INT64_MIN is null */
    LIST_REAL, /* double; NAN is null */
    LIST_TIME, /* int64_t us; TIME_UNKNOWN is null */
    LIST_BOOL, /* bool */
    LIST_TAG,  /* uint32_t */
    LIST_ENUM, /* int into `names`; negative is null. Sorts by number. */
    LIST_JSON  /* const char *, JSON already; not sortable */
};

struct list_column {
    const char *name;
    enum list_kind kind;
    size_t offset;
    const char *const *names; /* LIST_ENUM only */
};
#define LIST_COLUMN(type, field, kind)                                                             \
    {                                                                                              \
#field, kind, offsetof(type, field), NULL                                                  \
    }
#define LIST_COLUMN_ENUM(type, field, names)                                                       \
    {                                                                                              \
#field, LIST_ENUM, offsetof(type, field), names                                            \
    }

struct list_spec {
    const struct list_column *columns;
    size_t column_count;
    struct list_column identity; /* LIST_TEXT or LIST_I64; unique, breaks ties */
    const char *default_sort;    /* "name" or "-bytes" */
    int64_t default_limit;
    int64_t max_limit;
    /* Writes one item as JSON; NULL: an object of the columns. */
    void (*write)(const void *item, struct strbuf *out);
};

#define LIST_LIMIT_DEFAULT 100
#define LIST_LIMIT_MAX     1000
#define LIST_CURSOR_MAX    1024 /* a sort name, a value and an id of 256 bytes each, in base64 */

/* The query parameters every list knows; for req_query_only, with the route's own after them. */
#define LIST_PARAMETERS "limit", "cursor", "sort"

struct list_position { /* where the page before ended */
    bool present;
    bool is_null;
    int64_t number;
    double real;
    char *text; /* owned */
    int64_t id_number;
    char *id_text; /* owned */
};

struct list_query {
    size_t limit;
    const struct list_column *sort;
    bool descending;
    struct list_position after;
};

void list_query_done(struct list_query *query);
#define AUTO_LIST_QUERY CLEANUP(list_query_done)

/* Texts as received, NULL when absent. ST_INVALID with field "limit", "sort" or "cursor". */
enum status list_query_parse(const struct list_spec *spec, const char *limit, const char *sort,
                             const char *cursor, bool whole, struct list_query *ret_query,
                             struct err *err) MUST_CHECK;
enum status list_query_read(const struct req *rq, const struct list_spec *spec,
                            struct list_query *ret_query, struct err *err) MUST_CHECK;

/* The items in order: pointers into `items`, from the cursor on, at most limit; the page's length
 * in ret_count. ret_order is owned by caller (free). */
enum status list_page(const struct list_spec *spec, const struct list_query *query,
                      const void *items, size_t item_size, size_t count, const void ***ret_order,
                      size_t *ret_count, bool *ret_more, struct err *err) MUST_CHECK;
/* The cursor after `last`, appended to out. */
void list_cursor(const struct list_spec *spec, const struct list_query *query, const void *last,
                 struct strbuf *out);

void list_write_json(const struct list_spec *spec, const void *item, struct strbuf *out);
void list_write_csv_head(const struct list_spec *spec, struct strbuf *out);
void list_write_csv(const struct list_spec *spec, const void *item, struct strbuf *out);

/* Orders, cuts and writes the items into rs as rq asked for, with an ETag. `head` is JSON members
 * without a comma at the end, to stand before "items"; or NULL. total is the number of items given.
 */
enum status list_reply(const struct req *rq, struct resp *rs, const struct list_spec *spec,
                       const struct list_query *query, const char *head, const void *items,
                       size_t item_size, size_t count, struct err *err) MUST_CHECK;

/* An ETag of the body as it is now; parts that tick (server_time) are added after. ST_NOMEM. */
enum status resp_etag(struct resp *rs, struct err *err) MUST_CHECK;

#endif
