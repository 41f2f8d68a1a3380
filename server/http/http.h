/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request and its reply, as the API handlers see them: no socket, no microhttpd type. The
 * dispatcher (http.c, the only file that includes microhttpd.h) has decided on path, method, role,
 * length and type before the body was read, and turns a handler's status into one problem+json.
 *
 * A handler runs on a worker thread, so it may wait for the database without holding up other
 * connections; rows made with ROUTE_INLINE run on the network thread itself and must not wait for
 * anything. Either kind may defer its reply (http_defer) and finish it from another thread with
 * http_complete; until then the connection is suspended.
 */
#ifndef SERVER_HTTP_HTTP_H
#define SERVER_HTTP_HTTP_H

#include "common/status.h"
#include "common/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct app; /* server/app.h: everything a handler may use */

/* What a token may do. Rights, not ranks: see role_allows(). */
enum role {
    ROLE_NONE,   /* no credential needed */
    ROLE_HOST,   /* one agent, its own host only */
    ROLE_INGEST, /* other collectors */
    ROLE_VIEWER,
    ROLE_OPERATOR, /* viewer and changes to findings */
    ROLE_ADMIN,    /* everything that people and hosts may do */
    ROLE_ENROLL,   /* an enroll secret, no token: may become a host and nothing else */
    ROLE_COUNT
};
const char *role_name(enum role role);
bool role_parse(const char *name, enum role *ret_role);
bool role_allows(enum role have, enum role needed);

enum method { METHOD_GET, METHOD_POST, METHOD_PATCH, METHOD_PUT, METHOD_DELETE, METHOD_COUNT };
const char *method_name(enum method method);
bool method_parse(const char *name, enum method *ret_method); /* exact; no HEAD, no OPTIONS */

/* Media types a route accepts in its body, or offers in its reply. */
enum media {
    MEDIA_NONE = 0,
    MEDIA_JSON = 1,
    MEDIA_NDJSON = 2,
    MEDIA_CSV = 4,
    MEDIA_TEXT = 8,
    MEDIA_HTML = 16,
    MEDIA_MARKDOWN = 32,
    MEDIA_PROMETHEUS = 64,
    MEDIA_CBOR = 128,
    MEDIA_CBOR_SEQ = 256, /* RFC 8742: one document after the other */
    MEDIA_LAST = MEDIA_CBOR_SEQ
};

/* "application/json", ...; for replies, with charset where it is text. */
const char *media_type(enum media media);

#define REQ_ARGS_MAX 4

struct req {
    struct app *app;
    const struct route *route;
    const char *request_id;         /* also in the reply's X-Request-Id */
    const char *args[REQ_ARGS_MAX]; /* {host_id}, {tag}, ... percent-decoded, valid UTF-8 */
    size_t arg_count;
    enum role role;
    const char *principal;     /* the token's name; "" for ROLE_NONE */
    int64_t token_id;          /* for ROLE_ENROLL: the enroll secret's */
    int64_t user_id;           /* 0: a token, or a proxy's user without account */
    const char *actor_kind;    /* "user", "token" or "proxy": how the principal is known */
    const char *token_host_id; /* for ROLE_HOST: the only host it may write; else NULL */
    bool by_cookie;
    enum media body_media;
    const char *body; /* decompressed, NUL follows; never NULL */
    size_t body_length;
    enum media accept; /* best of what the route offers */
    bool plain_http;   /* no TLS here: cookies are not marked Secure */
    bool peer_local;   /* a loopback peer that is no proxy for somebody else */
    const char *peer;  /* numeric address, for logs */
    void *impl;        /* http.c's */
};

/* A limit as the RateLimit fields of draft-ietf-httpapi-ratelimit-headers tell it. */
struct quota {
    const char *name; /* static; NULL: none */
    unsigned most;
    unsigned window_seconds; /* in which `most` come back */
    unsigned left;
    unsigned seconds; /* until more are there */
};

struct resp {
    unsigned code;    /* 200; with a failing status, 400 or more replaces the status own */
    enum media media; /* MEDIA_JSON */
    struct strbuf body;
    bool gzipped;                 /* body is packed already, and the caller takes it so */
    const char *etag;             /* quoted, owned by resp (malloc) or NULL: 304 is made of it */
    const char *set_cookie;       /* malloc or NULL */
    const char *location;         /* malloc or NULL */
    unsigned retry_after_seconds; /* 0: none */
    const char *problem; /* static: the problem's name where the status alone does not say it */
    struct quota quota;  /* of the handler's own; that of the address is told beside it */
};

typedef enum status (*route_handler)(struct req *rq, struct resp *rs, struct err *err);

/* First value of a query parameter, percent-decoded ('+' is a blank, as forms and browsers write
 * it); NULL when absent. */
const char *req_query(const struct req *rq, const char *name);
/* A request header; NULL when absent. */
const char *req_header(const struct req *rq, const char *name);
/* Typed parameters: fallback when absent; ST_INVALID with field = name when out of range. */
enum status req_query_i64(const struct req *rq, const char *name, int64_t min, int64_t max,
                          int64_t fallback, int64_t *ret_value, struct err *err) MUST_CHECK;
enum status req_query_time(const struct req *rq, const char *name, int64_t fallback_us,
                           int64_t *ret_us, struct err *err) MUST_CHECK;
/* ST_INVALID for a parameter the route does not know or that stands twice, so that a typo is not
 * silence. */
enum status req_query_only(const struct req *rq, const char *const *names, size_t count,
                           struct err *err) MUST_CHECK;

/* What hashes a password runs here: two threads of its own with a short queue, so that sign-ins
 * take no worker and no network thread, and at most twice a hash's memory. The caller returns what
 * this returns, and touches nothing after: `then` runs on such a thread as a handler does, or the
 * reply is 429 with Retry-After when too many wait. Not from a row made with ROUTE_INLINE. */
enum status http_slow(struct req *rq, route_handler then, struct err *err) MUST_CHECK;

/* Suspends the connection; the handler returns ST_OK at once and touches neither rq nor rs again,
 * unless it is the one that completes. */
void http_defer(struct req *rq);
/* Sends rs (code ST_OK) or a problem made of status and err. From any thread, once. */
void http_complete(struct req *rq, enum status status, const struct err *err);
struct resp *http_resp(struct req *rq); /* the deferred request's reply, for filling */

/* One operation. Made with ROUTE(), which demands every column, so a row without a role does not
 * compile. Pattern: "/api/v1/hosts/{host_id}/tags". */
struct route {
    enum method method;
    const char *pattern;
    enum role role;
    size_t body_limit;    /* 0: no body allowed */
    unsigned body_media;  /* enum media, or'ed */
    unsigned reply_media; /* enum media, or'ed; JSON wins when anything will do */
    route_handler handler;
    const char *operation; /* operationId in openapi.yaml */
    bool runs_inline;      /* on the network thread: see the top of this file */
    bool is_limited;       /* judges a secret: every answer tells what is left to try */
};
#define ROUTE(method, pattern, role, body_limit, body_media, reply_media, handler, operation)      \
    {                                                                                              \
        method, pattern, role, body_limit, body_media, reply_media, handler, operation, false,     \
            false                                                                                  \
    }
/* A row that judges a password or a token in its body. */
#define ROUTE_LIMITED(method, pattern, role, body_limit, body_media, reply_media, handler,         \
                      operation)                                                                   \
    {                                                                                              \
        method, pattern, role, body_limit, body_media, reply_media, handler, operation, false,     \
            true                                                                                   \
    }
#define ROUTE_INLINE(method, pattern, role, body_limit, body_media, reply_media, handler,          \
                     operation)                                                                    \
    {                                                                                              \
        method, pattern, role, body_limit, body_media, reply_media, handler, operation, true,      \
            false                                                                                  \
    }

extern const struct route routes[];
extern const size_t route_count;

#endif
