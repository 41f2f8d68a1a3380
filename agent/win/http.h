/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the transport: http.c (one POST at a time over WinHTTP), http_session.c (server, proxy,
 * TLS), http_trust.c (which server key is the right one) and http_error.c (what an admin should do
 * about a failure). Other parts see win.h.
 */
#ifndef AGENT_WIN_HTTP_H
#define AGENT_WIN_HTTP_H

#include "agent/core/settings.h"
#include "agent/win/win.h"

#include "agent/win/system.h"

#include <wincrypt.h>
#include <winhttp.h>

/* ---- http.c */
#define HTTP_PLACE_MAX 160

struct http_trust;

struct win_http_limits {
    unsigned deadline_ms; /* of one whole request, from the name's look-up to the last byte */
    size_t reply_bytes;   /* a body beyond this is an error, not memory */
};
/* win_http_open with bounds of the caller's own, for tests. */
enum status win_http_open_limited(const struct settings *settings,
                                  const struct win_http_limits *limits, struct win_http **ret_http,
                                  struct err *err) MUST_CHECK;

struct win_http {
    HINTERNET session, connect;
    struct http_trust *trust;
    struct win_http_limits limits;
    bool secure;
    bool proven; /* the server has passed the check since the last fault */
    wchar_t host[256];
    char where[HTTP_PLACE_MAX]; /* "\"https://pool.example.com:443\"", for messages */
    HANDLE abort;               /* manual: set for good */
    CRITICAL_SECTION lock;      /* of the two below */
    HANDLE idle;                /* manual: no exchange is left with WinHTTP */
    unsigned exchanges;
    struct transport transport;
};

/* What may stand in a header line: printable ASCII. */
bool http_header_fits(const char *value);
void CALLBACK http_on_status(HINTERNET handle, DWORD_PTR context, DWORD status, LPVOID info,
                             DWORD info_length);

/* ---- http_session.c */
/* Fills in what win_http_open needs; what was made stays in `http` for win_http_close, also after a
 * failure. ST_INVALID: a setting is wrong, with its name. */
enum status http_prepare(struct win_http *http, const struct settings *settings,
                         struct err *err) MUST_CHECK;

/* ---- http_trust.c: CaFile and Pin */
/* Reads CaFile and Pin. ST_INVALID: a pin is not "sha256/<base64>", the file holds no certificate;
 * ST_NOT_FOUND, ST_FORBIDDEN, ST_IO: it cannot be read. *ret_trust is NULL when neither is set:
 * then the system's authorities decide. */
enum status http_trust_open(const struct settings *settings, struct http_trust **ret_trust,
                            struct err *err) MUST_CHECK;
void http_trust_close(struct http_trust *trust);
/* The server's certificate against all that is set: the key is pinned, the chain ends at one of
 * CaFile's authorities, the name and the dates are right. ST_FORBIDDEN with the reason. Any thread.
 */
enum status http_trust_check(const struct http_trust *trust, PCCERT_CONTEXT certificate,
                             const wchar_t *host, struct err *err) MUST_CHECK;

/* ---- http_error.c */
/* "could not reach <where>: <why> (<error>)" with a hint, always ST_IO: whatever it is, the
 * data is kept and tried again. secure: flags of WINHTTP_CALLBACK_STATUS_SECURE_FAILURE, or 0. */
enum status http_error(struct err *err, const char *where, DWORD error, DWORD secure);

#endif
