/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reply ready for the wire, without microhttpd: status, headers, body; made from what a handler
 * left, from a problem, or from a file. Pure; not shared between threads.
 */
#ifndef SERVER_HTTP_REPLY_H
#define SERVER_HTTP_REPLY_H

#include "common/doc_out.h"
#include "server/http/http.h"

#define REPLY_ETAG_MAX 80
#define REPLY_GZIP_MIN 1024 /* below, the gain is less than a packet */

struct reply {
    unsigned code;
    const char *content_type; /* static; NULL: no body */
    struct strbuf body;       /* owned; used when data is NULL */
    const void *data;         /* borrowed for ever: a file inside the program */
    size_t data_length;
    const char *cache;  /* Cache-Control; static */
    const char *policy; /* Content-Security-Policy; static */
    const char *vary;   /* static or NULL */
    bool gzipped;
    bool closes;     /* Connection: close */
    bool challenges; /* WWW-Authenticate: Bearer */
    unsigned retry_after_seconds;
    struct quota quotas[2];    /* name NULL: none */
    char etag[REPLY_ETAG_MAX]; /* with quotes; "": none */
    struct strbuf allow;
    enum doc_form problem_form; /* set before reply_problem: DOC_CBOR where Accept prefers it */
    char *set_cookie;           /* owned; so is location */
    char *location;
};

/* What the request wants to know about the form of its answer. Borrowed. */
struct reply_wishes {
    const char *accept_encoding;
    const char *if_none_match;
    bool is_get; /* or HEAD */
};

void reply_init(struct reply *reply);
void reply_done(struct reply *reply);
#define AUTO_REPLY CLEANUP(reply_done)

/* Takes over what the handler left in resp, which is empty afterwards. */
void reply_from_resp(struct reply *reply, struct resp *resp_take);
/* application/problem+json, or the same members as application/cbor. `name` and `title` NULL: those
 * of the status. Inner faults (database, input and output, bugs) show no detail: that is in the log
 * under the request id. */
void reply_problem(struct reply *reply, unsigned code, const char *name, const char *title,
                   enum status status, const struct err *err, const char *request_id);
/* The values of RateLimit-Policy and RateLimit; both stay empty without a quota. */
void reply_quotas(const struct reply *reply, struct strbuf *policy, struct strbuf *now);
/* ETag and 304, gzip. */
void reply_finish(struct reply *reply, const struct reply_wishes *wishes);

/* The document itself: {"type","title","status","detail","field","hint","request_id"}. */
void problem_write(enum doc_form form, struct strbuf *out, unsigned code, const char *name,
                   const char *title, const struct err *err, const char *request_id);
/* One gzip member without a time. False when memory is out. */
bool gzip_write(struct strbuf *out, const void *data, size_t length, int level);
void resp_done(struct resp *resp);

extern const char reply_page_policy[];

#endif
