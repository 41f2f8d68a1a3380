/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server as main.c sees it. http_start opens the port and serves until http_stop; all
 * functions may be called from any thread, http_start and http_stop once each.
 */
#ifndef SERVER_HTTP_DAEMON_H
#define SERVER_HTTP_DAEMON_H

#include "common/status.h"
#include "common/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct app;
struct http;

/* Zero means the default given. Texts are borrowed until http_start returns. */
struct http_options {
    const char *listen;        /* "127.0.0.1:8080", "[::1]:0"; port 0: any free one */
    bool insecure_http;        /* allow plain HTTP on other addresses than loopback */
    const char *tls_cert;      /* PEM file, with the chain; NULL or "": plain HTTP */
    const char *tls_key;       /* PEM file; both or neither */
    const char *trusted_proxy; /* three texts as in the settings: see proxy.h; "": off */
    const char *proxy_user_header;
    const char *proxy_role_header;
    const char *web_root;  /* serve the page from this folder; NULL or "": embedded */
    unsigned threads;      /* network threads; 2 */
    unsigned workers;      /* threads that run blocking handlers; 8 */
    unsigned connections;  /* at once; 1024 */
    size_t body_bytes;     /* of all bodies in memory at once; 256 MiB */
    unsigned idle_seconds; /* no byte for so long: closed; 30 */
    unsigned head_seconds; /* a request's head must be complete by then; 20 */
    unsigned body_seconds; /* a request's body must be complete by then; 120 */
};

/* ST_USAGE: `listen` is no address, or not loopback without TLS or insecure_http, or certificate
 * and key are not what they should be; ST_IO: port taken, out of threads. The app is borrowed until
 * http_stop. */
enum status http_start(const struct http_options *options, struct app *app, struct http **ret_http,
                       struct err *err) MUST_CHECK;
/* Accepts no more, answers what runs (ingest must still be running for that), joins all threads.
 * NULL allowed. */
void http_stop(struct http *http);
unsigned http_port(const struct http *http);
/* "127.0.0.1:8080" with the real port, for the ready file. Borrowed until http_stop. */
const char *http_address(const struct http *http);
/* Reads the files of the certificate and its key again. Connections that are open keep what they
 * began with; new ones get the new pair. On failure everything stays as it was. ST_NOT_FOUND: the
 * server speaks plain HTTP. */
enum status http_reload_tls(struct http *http, struct err *err) MUST_CHECK;
/* Counters since the start, and what goes on now. */
struct http_health {
    bool tls;
    int64_t tls_expires_at_us; /* with tls: of the certificate in use */
    uint64_t connections;
    uint64_t running;            /* requests whose handler runs */
    uint64_t waiting;            /* requests that wait for a worker */
    uint64_t by_class[4];        /* answers 2xx to 5xx */
    double seconds;              /* spent on all of them, from head to reply */
    uint64_t refused[ST_COUNT_]; /* requests, by cause */
};
void http_read_health(struct http *http, struct http_health *ret_health);
/* Counters in Prometheus' text format. */
void http_write_metrics(struct http *http, struct strbuf *out);

#endif
