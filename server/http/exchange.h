/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request and its reply, from the first line to the last byte. Private to http/.
 *
 *   NEW -> ASKING (suspended: a worker verifies the token) -> BODY -> RUNNING -> READY -> SENT
 *       \-> REFUSED (what little body there is gets read and dropped) -----------^
 *
 * The exchange belongs to its network thread, except between suspension and resumption, when it
 * belongs to the worker (or whoever http_defer() handed it to). Handing over passes through a lock
 * of microhttpd or of the workers, so plain fields suffice.
 */
#ifndef SERVER_HTTP_EXCHANGE_H
#define SERVER_HTTP_EXCHANGE_H

#include "server/http/assets.h"
#include "server/http/auth.h"
#include "server/http/daemon.h"
#include "server/http/head.h"
#include "server/http/intake.h"
#include "server/http/route.h"
#include "server/http/stats.h"
#include "server/http/workers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

struct MHD_Connection;
struct conn;

enum exchange_state {
    EXCHANGE_NEW,
    EXCHANGE_ASKING,
    EXCHANGE_BODY,
    EXCHANGE_RUNNING,
    EXCHANGE_REFUSED,
    EXCHANGE_READY,
    EXCHANGE_SENT
};

/* Of a refused body we read so much before we answer, since closing with unread bytes would make
 * the client's kernel throw our answer away. */
#define DISCARD_STRANGER (64u << 10)
#define DISCARD_KNOWN    (16u << 20)

struct exchange {
    struct http *http;
    struct MHD_Connection *connection;
    struct conn *conn;
    enum exchange_state state;
    char *target; /* raw */
    struct head head;
    struct route_hit hit;
    struct query query;
    struct credential credential;
    struct identity identity;
    struct intake intake;
    size_t body_charged; /* bytes counted in http->body_bytes */
    uint64_t declared;   /* body length; UINT64_MAX: chunked */
    uint64_t discarded;
    struct req req;
    struct resp resp;
    struct reply reply;
    bool is_head;
    bool is_asset;
    bool is_unframed;       /* nobody knows where this request ends */
    bool runs_inline;       /* the handler is on the network thread now */
    bool *deferred;         /* of the frame that runs the handler */
    route_handler slow;     /* what http_slow was given */
    enum status ask_status; /* of the token's verification */
    struct err ask_err;
    struct work work;
    int64_t started_us;
    struct sockaddr_storage peer;
    char peer_text[64]; /* numeric IPv6 with scope is at most 62 */
    char request_id[REQUEST_ID_MAX + 1];
};

struct http {
    struct MHD_Daemon *daemon;
    struct app *app;
    struct auth *auth;
    struct assets *assets;
    struct workers *workers;
    struct workers *slow; /* for http_slow */
    struct proxy proxy;
    struct deadlines *deadlines;
    struct stats *stats;
    struct tls *tls;   /* NULL: plain HTTP */
    size_t body_limit; /* of all bodies together */
    _Atomic size_t body_bytes;
    _Atomic int64_t tls_expires_at_us;
    _Atomic uint64_t refused[ST_COUNT_]; /* requests, by cause */
    _Atomic bool stopping;
    pthread_mutex_t running_lock;
    pthread_cond_t none_running;
    uint64_t running; /* exchanges with a worker, a handler or a deferred reply */
    int64_t head_us;
    int64_t body_us;
    int64_t idle_us;
    unsigned port;
    char address[128];
};

struct exchange *exchange_new(struct http *http, struct MHD_Connection *connection,
                              const char *target); /* NULL when memory is out */
void exchange_free(struct exchange *ex);

/* Everything that can be decided from the head. Afterwards the state is BODY, REFUSED (reply is
 * ready), or ASKING: then exchange_ask_start() is due. */
void exchange_begin(struct exchange *ex, const char *method, const char *version);
/* After the head: the reply must go out now, since the body is not to be read. */
bool exchange_answers_now(struct exchange *ex);
/* Queues the verification; without room the state becomes REFUSED and false is returned. */
bool exchange_ask_start(struct exchange *ex);
/* After ASKING: role, length, type. BODY or REFUSED. */
void exchange_admit(struct exchange *ex);
/* A piece of the body. False: too much of it; close. */
bool exchange_take(struct exchange *ex, const void *data, size_t length);
/* The body is complete: RUNNING, then exchange_run() is due, or REFUSED. */
void exchange_body_end(struct exchange *ex);
/* True: the reply is ready. False: it comes later, from another thread. */
bool exchange_run(struct exchange *ex);
void exchange_refuse(struct exchange *ex, unsigned code, const char *name, const char *title,
                     enum status status, const struct err *err);
/* Counts and logs, once the reply is known to go out. */
void exchange_note(struct exchange *ex);

/* One more that runs; false: the server is stopping, and the state is REFUSED. */
bool exchange_enter(struct exchange *ex);
void exchange_leave(struct http *http);

/* In http.c, where microhttpd is known. Resuming leaves, and gives ex back to its thread. */
void exchange_suspend(struct exchange *ex);
void exchange_resume(struct exchange *ex);
const char *exchange_header(const struct exchange *ex, const char *name);

/* For api_session.c and api_meta.c: the parts of the server behind a request. */
struct auth *req_auth(const struct req *rq);
struct http *req_http(const struct req *rq);
struct limiter_key req_peer_key(const struct req *rq);
const struct identity *req_identity(const struct req *rq);
/* How the credential of a ROLE_NONE route was judged: ST_OK, ST_UNAUTHORIZED, ST_DB, ... */
enum status req_auth_status(const struct req *rq);
const struct credential *req_credential(const struct req *rq); /* NULL: none was sent */

#endif
