/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/exchange.h"
#include "common/clock.h"
#include "common/log.h"

#include <netinet/in.h>
#include <sodium.h>

struct exchange *exchange_new(struct http *http, struct MHD_Connection *connection,
                              const char *target)
{
    struct exchange *ex = calloc(1, sizeof *ex);
    if (ex == NULL)
        return NULL;
    ex->target = strdup(target);
    if (ex->target == NULL) {
        free(ex);
        return NULL;
    }
    ex->http = http;
    ex->connection = connection;
    ex->started_us = clock_mono_us();
    ex->head.proxy = &http->proxy;
    ex->resp = (struct resp){.code = 200, .media = MEDIA_JSON};
    reply_init(&ex->reply);
    return ex;
}

void exchange_free(struct exchange *ex)
{
    if (ex == NULL)
        return;
    atomic_fetch_sub(&ex->http->body_bytes, ex->body_charged);
    intake_done(&ex->intake);
    query_done(&ex->query);
    resp_done(&ex->resp);
    reply_done(&ex->reply);
    free(ex->target);
    free(ex);
}

static struct reply_wishes wishes_of(const struct exchange *ex)
{
    return (struct reply_wishes){ex->head.accept_encoding, ex->head.if_none_match,
                                 ex->hit.route == NULL || ex->hit.route->method == METHOD_GET};
}

/* Who failed to say who they are, or asks where a password is judged, learns what is left to try.
 */
static void tell_quota(struct exchange *ex)
{
    unsigned code = ex->reply.code;
    bool judges = ex->hit.route != NULL && ex->hit.route->is_limited;
    ex->reply.quotas[1] = ex->resp.quota;
    if (!judges && (ex->hit.route == NULL || (code != 401 && code != 429)))
        return;
    ex->reply.quotas[0] =
        auth_quota(ex->http->auth, limiter_key((const struct sockaddr *)&ex->peer), NULL);
}

void exchange_refuse(struct exchange *ex, unsigned code, const char *name, const char *title,
                     enum status status, const struct err *err)
{
    struct reply_wishes wishes = wishes_of(ex);
    if (head_accept(ex->head.accept, MEDIA_JSON | MEDIA_CBOR) == MEDIA_CBOR)
        ex->reply.problem_form = DOC_CBOR;
    reply_problem(&ex->reply, code, name, title, status, err, ex->request_id);
    reply_finish(&ex->reply, &wishes);
    tell_quota(ex);
    atomic_fetch_add_explicit(&ex->http->refused[(unsigned)status < ST_COUNT_ ? status : ST_BUG], 1,
                              memory_order_relaxed);
    ex->state = EXCHANGE_REFUSED;
    if (code >= 500)
        log_warning("request failed", "status", status_name(status), "reason",
                    err == NULL ? "" : err->message, "path", ex->target, "request", ex->request_id,
                    "sqlstate", err == NULL ? "" : err->sqlstate);
    else if (ex->identity.role != ROLE_NONE)
        log_info("request refused", "status", name == NULL ? status_name(status) : name, "reason",
                 err == NULL ? "" : err->message, "path", ex->target, "request", ex->request_id,
                 "principal", ex->identity.name);
    else
        log_debug("request refused", "status", name == NULL ? status_name(status) : name, "reason",
                  err == NULL ? "" : err->message, "path", ex->target, "request", ex->request_id,
                  "peer", ex->peer_text);
}

static void refuse_status(struct exchange *ex, enum status status, const struct err *err)
{
    exchange_refuse(ex, status_http(status), NULL, NULL, status, err);
}

static void refuse_too_many(struct exchange *ex, unsigned wait_seconds)
{
    struct err err;
    err_set(&err, ST_BUSY, "too many failed attempts from this address");
    ex->reply.retry_after_seconds = wait_seconds;
    exchange_refuse(ex, 429, "too_many_attempts", "Too many failed attempts", ST_BUSY, &err);
}

static void set_request_id(struct exchange *ex)
{
    unsigned char bytes[12];
    if (head_request_id_ok(ex->head.request_id)) {
        memcpy(ex->request_id, ex->head.request_id, strlen(ex->head.request_id) + 1);
        return;
    }
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2hex(ex->request_id, sizeof ex->request_id, bytes, sizeof bytes);
}

static bool is_loopback(const struct sockaddr_storage *peer)
{
    if (peer->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)peer;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)peer;
    return peer->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in->sin6_addr);
}

static void fill_req(struct exchange *ex)
{
    struct req *rq = &ex->req;
    rq->app = ex->http->app;
    rq->route = ex->hit.route;
    rq->request_id = ex->request_id;
    rq->arg_count = ex->hit.arg_count;
    memcpy(rq->args, ex->hit.args, sizeof rq->args);
    rq->role = ex->identity.role;
    rq->principal = ex->identity.name;
    rq->token_id = ex->identity.token_id;
    rq->user_id = ex->identity.user_id;
    rq->actor_kind = ex->credential.kind == CREDENTIAL_PROXY ? "proxy"
                     : ex->identity.user_id != 0             ? "user"
                                                             : "token";
    rq->token_host_id = ex->identity.host_id[0] == '\0' ? NULL : ex->identity.host_id;
    rq->body_media = head_content_media(ex->head.content_type);
    rq->body = "";
    rq->accept = head_accept(ex->head.accept, ex->hit.route->reply_media);
    /* Believing this header can only make the sender's own cookie stricter. */
    rq->plain_http = ex->http->tls == NULL && (ex->head.forwarded_proto == NULL ||
                                               strcmp(ex->head.forwarded_proto, "https") != 0);
    rq->peer_local = is_loopback(&ex->peer) && ex->head.forwarded == NULL;
    rq->peer = ex->peer_text;
    rq->impl = ex;
    ex->resp.media = rq->accept;
}

/* ---- the head --------------------------------------------------------------- */

static void answer_options(struct exchange *ex, bool is_asset)
{
    ex->reply.code = 204;
    ex->reply.content_type = NULL;
    if (is_asset)
        strbuf_puts(&ex->reply.allow, "GET, HEAD, OPTIONS");
    else
        route_allow(routes, route_count, ex->hit.pattern, &ex->reply.allow);
    ex->state = EXCHANGE_REFUSED;
}

static void begin_asset(struct exchange *ex, const char *path, size_t length, const char *method)
{
    struct err err = {0};
    bool is_api = length >= 4 && memcmp(path, "/api", 4) == 0 && (length == 4 || path[4] == '/');
    bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    if (is_api) {
        refuse_status(ex, ST_NOT_FOUND, &err);
        return;
    }
    ex->is_asset = true;
    if (strcmp(method, "OPTIONS") == 0) {
        answer_options(ex, true);
        return;
    }
    struct reply_wishes wishes = wishes_of(ex);
    enum status status = reads ? assets_get(ex->http->assets, path, length, ex->head.accept,
                                            &wishes, &ex->reply, &err)
                               : ST_NOT_FOUND;
    if (status != ST_OK) {
        ex->is_asset = false;
        refuse_status(ex, status, &err);
        return;
    }
    reply_finish(&ex->reply, &wishes);
    ex->state = EXCHANGE_REFUSED;
}

static bool begin_route(struct exchange *ex, const char *method)
{
    const char *path;
    const char *query;
    size_t length;
    struct err err = {0};
    if (strcmp(ex->target, "*") == 0 && strcmp(method, "OPTIONS") == 0) {
        answer_options(ex, true);
        return false;
    }
    if (!target_split(ex->target, &path, &length, &query)) {
        err_set(&err, ST_MALFORMED, "could not read the request target");
        refuse_status(ex, ST_MALFORMED, &err);
        return false;
    }
    enum route_match match = route_find(routes, route_count, path, length, method, &ex->hit);
    if (match == ROUTE_NO_PATH)
        begin_asset(ex, path, length, method);
    else if (match == ROUTE_BAD_PATH) {
        err_set(&err, ST_MALFORMED, "could not read the path: bad percent-encoding or not UTF-8");
        refuse_status(ex, ST_MALFORMED, &err);
    } else if (match == ROUTE_NO_METHOD && strcmp(method, "OPTIONS") == 0)
        answer_options(ex, false);
    else if (match == ROUTE_NO_METHOD) {
        err_set(&err, ST_UNSUPPORTED, "this path does not take that method");
        route_allow(routes, route_count, ex->hit.pattern, &ex->reply.allow);
        exchange_refuse(ex, 405, "method_not_allowed", "Method not allowed", ST_UNSUPPORTED, &err);
    } else {
        enum status status = query_parse(query, &ex->query, &err);
        if (status == ST_OK)
            return true;
        refuse_status(ex, status, &err);
    }
    return false;
}

/* Somebody goes around the proxy, or the proxy passes on what clients send. */
static void refuse_proxy_header(struct exchange *ex)
{
    struct err err;
    log_warning("a proxy's header from another peer refused", "peer", ex->peer_text, "request",
                ex->request_id);
    err_set(&err, ST_FORBIDDEN, "the proxy's header is not taken from this address");
    exchange_refuse(ex, 403, "proxy_header_refused", "Header refused", ST_FORBIDDEN, &err);
}

static void look(struct exchange *ex, unsigned *ret_wait)
{
    ex->ask_status = auth_look(ex->http->auth, &ex->credential, &ex->identity, ret_wait);
    if (ex->ask_status == ST_NOT_FOUND)
        ex->state = EXCHANGE_ASKING;
}

/* Whom the proxy names; false: nobody, a token or cookie is looked for. A bearer token goes first,
 * since agents and scripts may come by the same proxy. */
static bool begin_proxy(struct exchange *ex)
{
    const struct proxy *proxy = &ex->http->proxy;
    unsigned wait = 0;
    if (ex->head.proxy_user == NULL && ex->head.proxy_role == NULL)
        return false;
    if (!proxy_trusts(proxy, (const struct sockaddr *)&ex->peer)) {
        refuse_proxy_header(ex);
        return true;
    }
    if (ex->head.proxy_user == NULL ||
        (ex->head.authorization != NULL && !head_bearer_malformed(&ex->head)))
        return false;
    ex->state = EXCHANGE_BODY;
    ex->req.by_cookie = true; /* the browser sends it unasked, as it does a cookie */
    ex->ask_status = credential_make_proxy(ex->head.proxy_user,
                                           proxy->role_header == NULL    ? NULL
                                           : ex->head.proxy_role == NULL ? ""
                                                                         : ex->head.proxy_role,
                                           limiter_key((const struct sockaddr *)&ex->peer),
                                           &ex->credential, &ex->ask_err);
    if (ex->ask_status == ST_OK)
        look(ex, &wait);
    return true;
}

/* The token, as far as memory knows it. ASKING when the database must be asked. */
static void begin_auth(struct exchange *ex)
{
    if (begin_proxy(ex))
        return;
    size_t length;
    unsigned wait = 0;
    struct limiter_key key = limiter_key((const struct sockaddr *)&ex->peer);
    const char *secret = head_credential(&ex->head, &length, &ex->req.by_cookie);
    bool optional = ex->hit.route->role == ROLE_NONE;
    ex->ask_status = ST_UNAUTHORIZED;
    err_set(&ex->ask_err, ST_UNAUTHORIZED, "this needs a token");
    ex->state = EXCHANGE_BODY;
    if (secret == NULL && !head_bearer_malformed(&ex->head)) {
        ex->req.by_cookie = false;
        return;
    }
    if (secret == NULL ||
        !credential_make(secret, length, ex->req.by_cookie, key, &ex->credential)) {
        err_set(&ex->ask_err, ST_UNAUTHORIZED, "the credential is no token of ours");
        wait = optional ? 0 : auth_fail(ex->http->auth, key);
    } else {
        look(ex, &wait);
    }
    if (wait > 0 && !optional)
        refuse_too_many(ex, wait);
}

static void ask_run(struct work *work)
{
    struct exchange *ex =
        (struct exchange *)(void *)((char *)work - offsetof(struct exchange, work));
    ex->ask_status = auth_verify(ex->http->auth, &ex->credential, &ex->identity, &ex->ask_err);
    exchange_resume(ex);
}

bool exchange_ask_start(struct exchange *ex)
{
    struct err err;
    ex->work.run = ask_run;
    if (workers_add(ex->http->workers, &ex->work))
        return true;
    err_set(&err, ST_BUSY, "could not verify the token: too many requests wait");
    refuse_status(ex, ST_BUSY, &err);
    return false;
}

static enum status check_body(struct exchange *ex, struct err *err)
{
    const struct route *route = ex->hit.route;
    enum coding coding = head_content_coding(ex->head.content_encoding);
    if (ex->declared == 0)
        return intake_init(&ex->intake, CODING_IDENTITY, 0, err);
    if (route->body_limit == 0)
        return err_set(err, ST_TOO_LARGE, "this takes no body");
    if (ex->declared != UINT64_MAX && ex->declared > route->body_limit)
        return err_set(err, ST_TOO_LARGE, "the body has %llu bytes, the limit is %zu",
                       (unsigned long long)ex->declared, route->body_limit);
    if ((head_content_media(ex->head.content_type) & route->body_media) == 0)
        return err_field(err, ST_UNSUPPORTED, "Content-Type", "this does not take that type");
    if (coding == CODING_UNKNOWN)
        return err_field(err, ST_UNSUPPORTED, "Content-Encoding",
                         "only gzip, zstd and identity are known");
    return intake_init(&ex->intake, coding, route->body_limit, err);
}

/* Why a secret is no good is for the log: who tries secrets learns nothing from the answer. */
static void refuse_enrolment(struct exchange *ex)
{
    struct err err;
    log_warning("enrolment refused", "reason", ex->ask_err.message, "peer", ex->peer_text,
                "request", ex->request_id);
    err_set(&err, ST_UNAUTHORIZED, "the enroll secret is not valid");
    exchange_refuse(ex, 401, "enroll_refused", "Enrolment refused", ST_UNAUTHORIZED, &err);
}

void exchange_admit(struct exchange *ex)
{
    const struct route *route = ex->hit.route;
    struct err err = {0};
    ex->state = EXCHANGE_BODY;
    if (ex->ask_status != ST_OK)
        ex->identity.role = ROLE_NONE;
    if (route->role == ROLE_ENROLL && ex->ask_status == ST_UNAUTHORIZED &&
        ex->head.authorization != NULL) {
        refuse_enrolment(ex);
        return;
    }
    if (route->role != ROLE_NONE && ex->ask_status != ST_OK) {
        refuse_status(ex, ex->ask_status, &ex->ask_err);
        return;
    }
    if (!role_allows(ex->identity.role, route->role)) {
        err_set(&err, ST_FORBIDDEN, "this needs role %s", role_name(route->role));
        refuse_status(ex, ST_FORBIDDEN, &err);
        return;
    }
    if (ex->req.by_cookie && ex->identity.role != ROLE_NONE && route->method != METHOD_GET &&
        (ex->head.csrf == NULL || strcmp(ex->head.csrf, "1") != 0)) {
        err_field(&err, ST_FORBIDDEN, "X-Poolfleet", "a change by cookie needs X-Poolfleet: 1");
        exchange_refuse(ex, 403, "csrf", "Header missing", ST_FORBIDDEN, &err);
        return;
    }
    enum status status = check_body(ex, &err);
    if (status != ST_OK)
        refuse_status(ex, status, &err);
    else
        fill_req(ex);
}

bool exchange_answers_now(struct exchange *ex)
{
    size_t bound = ex->identity.role == ROLE_NONE ? DISCARD_STRANGER : DISCARD_KNOWN;
    if (ex->state != EXCHANGE_REFUSED || (ex->declared == 0 && !ex->is_unframed))
        return false;
    if (!ex->is_unframed && ex->head.expect == NULL &&
        (ex->declared == UINT64_MAX || ex->declared <= bound))
        return false;
    ex->reply.closes = true;
    return true;
}

void exchange_begin(struct exchange *ex, const char *method, const char *version)
{
    struct err err = {0};
    ex->is_head = strcmp(method, "HEAD") == 0;
    ex->identity.expires_at_us = TIME_UNKNOWN;
    set_request_id(ex);
    enum status status = head_framing(&ex->head, version, &ex->declared, &err);
    if (status != ST_OK) {
        ex->is_unframed = true;
        refuse_status(ex, status, &err);
        return;
    }
    if (atomic_load(&ex->http->stopping)) {
        err_set(&err, ST_BUSY, "the server is stopping");
        refuse_status(ex, ST_BUSY, &err);
        ex->reply.closes = true;
    } else if (begin_route(ex, method)) {
        begin_auth(ex);
        if (ex->state == EXCHANGE_BODY)
            exchange_admit(ex);
    }
}

/* ---- the body --------------------------------------------------------------- */

static enum status charge_body(struct exchange *ex, struct err *err)
{
    size_t capacity = ex->intake.body.capacity;
    if (capacity <= ex->body_charged)
        return ST_OK;
    size_t more = capacity - ex->body_charged;
    size_t before = atomic_fetch_add(&ex->http->body_bytes, more);
    ex->body_charged = capacity;
    if (before + more > ex->http->body_limit)
        return err_set(err, ST_BUSY, "could not read the body: too many bodies at once");
    return ST_OK;
}

bool exchange_take(struct exchange *ex, const void *data, size_t length)
{
    struct err err;
    if (ex->state == EXCHANGE_BODY) {
        enum status status = intake_add(&ex->intake, data, length, &err);
        if (status == ST_OK)
            status = charge_body(ex, &err);
        if (status != ST_OK) {
            refuse_status(ex, status, &err);
            ex->reply.closes = true;
            intake_done(&ex->intake);
        }
        return true;
    }
    size_t bound = ex->identity.role == ROLE_NONE ? DISCARD_STRANGER : DISCARD_KNOWN;
    ex->discarded += length;
    return ex->discarded <= bound;
}

void exchange_body_end(struct exchange *ex)
{
    struct err err;
    if (ex->state != EXCHANGE_BODY)
        return;
    enum status status = intake_end(&ex->intake, &err);
    if (status != ST_OK) {
        refuse_status(ex, status, &err);
        return;
    }
    ex->req.body = ex->intake.body.data;
    ex->req.body_length = ex->intake.body.length;
    ex->state = EXCHANGE_RUNNING;
}

bool exchange_enter(struct exchange *ex)
{
    struct http *http = ex->http;
    struct err err;
    pthread_mutex_lock(&http->running_lock);
    bool stopping = atomic_load(&http->stopping);
    if (!stopping)
        http->running++;
    pthread_mutex_unlock(&http->running_lock);
    if (stopping) {
        err_set(&err, ST_BUSY, "the server is stopping");
        refuse_status(ex, ST_BUSY, &err);
        ex->reply.closes = true;
    }
    return !stopping;
}

void exchange_leave(struct http *http)
{
    pthread_mutex_lock(&http->running_lock);
    if (--http->running == 0)
        pthread_cond_signal(&http->none_running);
    pthread_mutex_unlock(&http->running_lock);
}

/* ---- the handler ------------------------------------------------------------ */

static void finish(struct exchange *ex, enum status status, const struct err *err)
{
    if (status != ST_OK) {
        unsigned code = ex->resp.code >= 400 ? ex->resp.code : status_http(status);
        ex->reply.retry_after_seconds = ex->resp.retry_after_seconds;
        exchange_refuse(ex, code, ex->resp.problem, NULL, status, err);
    } else if (strbuf_failed(&ex->resp.body)) {
        struct err nomem;
        err_set(&nomem, ST_NOMEM, "could not make the reply: out of memory");
        refuse_status(ex, ST_NOMEM, &nomem);
    } else {
        struct reply_wishes wishes = wishes_of(ex);
        struct quota own = ex->resp.quota;
        reply_from_resp(&ex->reply, &ex->resp);
        ex->resp.quota = own;
        tell_quota(ex);
        reply_finish(&ex->reply, &wishes);
    }
    ex->state = EXCHANGE_READY;
}

static bool call_handler(struct exchange *ex, enum status *ret_status, struct err *err)
{
    bool deferred = false;
    ex->deferred = &deferred;
    log_context_set(ex->request_id);
    *ret_status = ex->hit.route->handler(&ex->req, &ex->resp, err);
    log_context_set(NULL);
    return deferred; /* then ex may be gone already */
}

static void run_in_worker(struct work *work)
{
    struct exchange *ex =
        (struct exchange *)(void *)((char *)work - offsetof(struct exchange, work));
    struct err err = {0};
    enum status status;
    if (call_handler(ex, &status, &err))
        return;
    finish(ex, status, &err);
    exchange_resume(ex);
}

bool exchange_run(struct exchange *ex)
{
    struct http *http = ex->http;
    struct err err = {0};
    enum status status;
    if (!ex->hit.route->runs_inline) {
        exchange_suspend(ex);
        ex->work.run = run_in_worker;
        if (!workers_add(http->workers, &ex->work)) {
            err_set(&err, ST_BUSY, "too many requests wait");
            finish(ex, ST_BUSY, &err);
            exchange_resume(ex);
        }
        return false;
    }
    ex->runs_inline = true;
    if (call_handler(ex, &status, &err))
        return false;
    finish(ex, status, &err);
    exchange_leave(http);
    return true;
}

static void run_slow(struct work *work)
{
    struct exchange *ex =
        (struct exchange *)(void *)((char *)work - offsetof(struct exchange, work));
    struct err err = {0};
    log_context_set(ex->request_id);
    enum status status = ex->slow(&ex->req, &ex->resp, &err);
    log_context_set(NULL);
    finish(ex, status, &err);
    exchange_resume(ex);
}

enum status http_slow(struct req *rq, route_handler then, struct err *err)
{
    struct exchange *ex = rq->impl;
    ex->slow = then;
    ex->work.run = run_slow;
    *ex->deferred = true; /* before the other thread may end the exchange */
    if (workers_add(ex->http->slow, &ex->work))
        return ST_OK;
    *ex->deferred = false;
    ex->resp.code = 429;
    ex->resp.problem = "too_many_attempts";
    ex->resp.retry_after_seconds = 2;
    return err_set(err, ST_BUSY, "too many passwords wait to be checked");
}

void http_defer(struct req *rq)
{
    struct exchange *ex = rq->impl;
    *ex->deferred = true;
    if (ex->runs_inline)
        exchange_suspend(ex);
}

struct resp *http_resp(struct req *rq)
{
    return &((struct exchange *)rq->impl)->resp;
}

void http_complete(struct req *rq, enum status status, const struct err *err)
{
    struct exchange *ex = rq->impl;
    finish(ex, status, err);
    exchange_resume(ex);
}

void exchange_note(struct exchange *ex)
{
    int64_t duration = clock_mono_us() - ex->started_us;
    stats_add(ex->http->stats, ex->hit.route, ex->is_asset, ex->reply.code, duration);
}
