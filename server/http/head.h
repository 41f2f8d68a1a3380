/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request's head says, decided before any body byte is read. Pure: header lines are handed
 * in one by one (head_add), then asked. All pointers are borrowed from the caller.
 */
#ifndef SERVER_HTTP_HEAD_H
#define SERVER_HTTP_HEAD_H

#include "server/http/http.h"
#include "server/http/proxy.h"

#define REQUEST_ID_MAX 64
#define SESSION_COOKIE "poolfleet_session"

enum coding { CODING_IDENTITY, CODING_GZIP, CODING_ZSTD, CODING_UNKNOWN };

struct head {
    const char *content_length;
    const char *transfer_encoding;
    const char *host;
    const char *content_type;
    const char *content_encoding;
    const char *authorization;
    const char *accept;
    const char *accept_encoding;
    const char *cookie;
    const char *expect;
    const char *forwarded_proto;
    const char *forwarded; /* any header that a proxy adds */
    const char *if_none_match;
    const char *request_id;
    const char *csrf;          /* X-Poolfleet */
    const struct proxy *proxy; /* whose header names to look for; NULL: none */
    const char *proxy_user;
    const char *proxy_role;
    const char *repeated; /* name of a line that must not stand twice, but does */
    bool bad_name;        /* a name that is no token: whitespace before the colon and the like */
};

/* Lines with the names in head->proxy are kept too, and must not be repeated. */
void head_add(struct head *head, const char *name, const char *value);
/* ST_MALFORMED when it is not clear where the body ends or which host is meant: the connection
 * must be closed. ret_length: UINT64_MAX for a chunked body. */
enum status head_framing(const struct head *head, const char *version, uint64_t *ret_length,
                         struct err *err) MUST_CHECK;

/* MEDIA_NONE for a type we do not know or a charset that is not UTF-8. */
enum media head_content_media(const char *content_type);
enum coding head_content_coding(const char *content_encoding);
/* Best of `offered` for an Accept value (NULL: anything); the first choice when nothing fits. */
enum media head_accept(const char *accept, unsigned offered);
bool head_accepts_gzip(const char *accept_encoding);
/* Weak comparison of an If-None-Match list with our tag (with its quotes). */
bool head_etag_matches(const char *if_none_match, const char *etag);
/* Letters, digits and '-', 1 to 64 of them: safe to repeat in a reply and a log. */
bool head_request_id_ok(const char *request_id);
/* The credential, or NULL. By header first; then the cookie. */
const char *head_credential(const struct head *head, size_t *ret_length, bool *ret_by_cookie);
/* Authorization is there, but is no "Bearer TOKEN". */
bool head_bearer_malformed(const struct head *head);

#endif
