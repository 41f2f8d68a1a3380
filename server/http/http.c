/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only file that knows microhttpd: its callbacks move an exchange through its states and hand
 * the finished reply over. Decisions are in exchange.c.
 *
 * Network threads only read, parse and write; whatever may wait runs on a worker while the
 * connection is suspended. So one slow query, or a database that does not answer, holds up nobody
 * else.
 */
#include "common/clock.h"
#include "common/log.h"
#include "server/app.h"
#include "server/http/deadlines.h"
#include "server/http/exchange.h"
#include "server/http/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/abstract.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <stdarg.h>
#include <unistd.h>

#define CONNECTION_MEMORY (32u << 10) /* head and one piece of the body: larger heads get 431 */
#define QUEUE_MAX         1024        /* requests that wait for a worker */
#define REPLY_US          (300 * US_PER_SECOND) /* 8 MiB at 28 KB/s; slower readers are cut */
#define DRAIN_SECONDS     30
/* Password hashes at a time, each 64 MiB and a core; and how many may wait: about a second. */
#define SLOW_THREADS   2
#define SLOW_QUEUE_MAX 16
/* Browsers ignore it for addresses and untrusted certificates, so a trial locks nobody out. */
#define STRICT_TRANSPORT "max-age=31536000"

/* What we keep of a connection, from its first byte to its last. */
struct link {
    struct conn *conn;     /* NULL: without deadline */
    struct tls_pair *pair; /* what its TLS session rests on; NULL: plain HTTP */
};

void exchange_suspend(struct exchange *ex)
{
    deadlines_set(ex->conn, DEADLINE_NEVER);
    MHD_suspend_connection(ex->connection);
}

void exchange_resume(struct exchange *ex)
{
    struct http *http = ex->http;
    struct MHD_Connection *connection = ex->connection;
    /* From the resumption on, the network thread may free ex. */
    MHD_resume_connection(connection);
    exchange_leave(http);
}

const char *exchange_header(const struct exchange *ex, const char *name)
{
    return MHD_lookup_connection_value(ex->connection, MHD_HEADER_KIND, name);
}

/* ---- the reply -------------------------------------------------------------- */

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    if (value != NULL && MHD_add_response_header(response, name, value) != MHD_YES)
        log_debug("could not set header", "name", name);
}

static void add_headers(struct MHD_Response *response, const struct exchange *ex)
{
    const struct reply *reply = &ex->reply;
    char number[16]; /* 10 digits and NUL */
    add_header(response, "Content-Type", reply->content_type);
    add_header(response, "Content-Encoding", reply->gzipped ? "gzip" : NULL);
    add_header(response, "Cache-Control", reply->cache);
    add_header(response, "Vary", reply->vary);
    add_header(response, "ETag", reply->etag[0] == '\0' ? NULL : reply->etag);
    add_header(response, "Set-Cookie", reply->set_cookie);
    add_header(response, "Location", reply->location);
    add_header(response, "Allow", reply->allow.data);
    add_header(response, "WWW-Authenticate", reply->challenges ? "Bearer" : NULL);
    if (reply->retry_after_seconds > 0) {
        snprintf(number, sizeof number, "%u", reply->retry_after_seconds);
        add_header(response, "Retry-After", number);
    }
    AUTO_STRBUF struct strbuf policy = STRBUF_INIT;
    AUTO_STRBUF struct strbuf left = STRBUF_INIT;
    reply_quotas(reply, &policy, &left);
    if (left.length > 0 && !strbuf_failed(&policy) && !strbuf_failed(&left)) {
        add_header(response, "RateLimit-Policy", policy.data);
        add_header(response, "RateLimit", left.data);
    }
    add_header(response, "X-Request-Id", ex->request_id);
    add_header(response, "Content-Security-Policy", reply->policy);
    add_header(response, "X-Content-Type-Options", "nosniff");
    add_header(response, "Referrer-Policy", "no-referrer");
    add_header(response, "Cross-Origin-Opener-Policy", "same-origin");
    add_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    add_header(response, "Strict-Transport-Security",
               ex->http->tls == NULL ? NULL : STRICT_TRANSPORT);
    add_header(response, "Connection", reply->closes ? "close" : NULL);
}

static enum MHD_Result send_reply(struct exchange *ex)
{
    struct reply *reply = &ex->reply;
    struct MHD_Response *response;
    if (reply->data != NULL)
        response = MHD_create_response_from_buffer(
            reply->data_length, (void *)(uintptr_t)reply->data, MHD_RESPMEM_PERSISTENT);
    else {
        size_t length = reply->body.length;
        char *body = strbuf_take(&reply->body);
        if (body == NULL)
            return MHD_NO;
        response = MHD_create_response_from_buffer_with_free_callback(length, body, free);
        if (response == NULL)
            free(body);
    }
    if (response == NULL)
        return MHD_NO;
    add_headers(response, ex);
    exchange_note(ex);
    ex->state = EXCHANGE_SENT;
    deadlines_set(ex->conn, clock_mono_us() + REPLY_US);
    enum MHD_Result result = MHD_queue_response(ex->connection, reply->code, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- microhttpd's callbacks ------------------------------------------------- */

static enum MHD_Result read_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    (void)kind;
    head_add(cls, name, value);
    return MHD_YES;
}

static void read_peer(struct exchange *ex)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(ex->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info == NULL || info->client_addr == NULL)
        return;
    socklen_t length = info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                : sizeof(struct sockaddr_in);
    memcpy(&ex->peer, info->client_addr, length);
    if (getnameinfo(info->client_addr, length, ex->peer_text, sizeof ex->peer_text, NULL, 0,
                    NI_NUMERICHOST) != 0)
        ex->peer_text[0] = '\0';
}

static void *on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
    return exchange_new(cls, connection, target);
}

static enum MHD_Result begin(struct exchange *ex, const char *method, const char *version)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(ex->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    const struct link *link = info == NULL ? NULL : info->socket_context;
    ex->conn = link == NULL ? NULL : link->conn;
    deadlines_set(ex->conn, ex->started_us + ex->http->body_us);
    MHD_get_connection_values(ex->connection, MHD_HEADER_KIND, read_header, &ex->head);
    read_peer(ex);
    exchange_begin(ex, method, version);
    if (ex->state == EXCHANGE_ASKING && exchange_enter(ex)) {
        exchange_suspend(ex);
        if (!exchange_ask_start(ex))
            exchange_resume(ex);
        return MHD_YES;
    }
    return exchange_answers_now(ex) ? send_reply(ex) : MHD_YES;
}

/* The body is complete. */
static enum MHD_Result end(struct exchange *ex)
{
    exchange_body_end(ex);
    if (ex->state == EXCHANGE_RUNNING && exchange_enter(ex) && !exchange_run(ex))
        return MHD_YES;
    return send_reply(ex);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_length, void **request)
{
    struct exchange *ex = *request;
    (void)cls;
    (void)connection;
    (void)url;
    if (ex == NULL || ex->state == EXCHANGE_SENT)
        return MHD_NO;
    if (ex->state == EXCHANGE_NEW)
        return begin(ex, method, version);
    if (ex->state == EXCHANGE_ASKING) {
        exchange_admit(ex);
        /* After a suspension in the first call, microhttpd makes that call again: still no byte of
         * the body was read, and this is not its end. */
        if (*data_length == 0)
            return exchange_answers_now(ex) ? send_reply(ex) : MHD_YES;
    }
    if (*data_length > 0) {
        size_t length = *data_length;
        *data_length = 0;
        return exchange_take(ex, data, length) ? MHD_YES : MHD_NO;
    }
    return end(ex);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code)
{
    struct http *http = cls;
    struct exchange *ex = *request;
    (void)connection;
    if (ex == NULL)
        return;
    *request = NULL;
    if (code != MHD_REQUEST_TERMINATED_COMPLETED_OK && ex->state != EXCHANGE_NEW)
        log_debug("connection lost", "request", ex->request_id, "peer", ex->peer_text);
    deadlines_set(ex->conn, clock_mono_us() + http->idle_us + http->head_us);
    exchange_free(ex);
}

/* NULL when memory is out: a plain connection is then without deadline, one with TLS fails. */
static struct link *open_link(struct http *http, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info;
    struct link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return NULL;
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info != NULL)
        link->conn =
            deadlines_add(http->deadlines, info->connect_fd, clock_mono_us() + http->head_us);
    info = http->tls == NULL
               ? NULL
               : MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info != NULL)
        link->pair = tls_attach(http->tls, info->tls_session);
    return link;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = cls;
    struct link *link = *context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = open_link(http, connection);
        return;
    }
    *context = NULL;
    if (link == NULL)
        return;
    deadlines_remove(http->deadlines, link->conn);
    tls_release(link->pair); /* the session is gone by now */
    free(link);
}

/* The daemon's own credentials are empty: a session that got no pair when its connection opened
 * has nothing to show, and fails. */
static int no_certificate(gnutls_session_t session, const gnutls_datum_t *requested, int count,
                          const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                          gnutls_pcert_st **ret_chain, unsigned *ret_length,
                          gnutls_privkey_t *ret_key)
{
    (void)session;
    (void)requested;
    (void)count;
    (void)algorithms;
    (void)algorithm_count;
    *ret_chain = NULL;
    *ret_length = 0;
    *ret_key = NULL;
    return -1;
}

__attribute__((format(printf, 2, 0))) static void on_log(void *cls, const char *format,
                                                         va_list args)
{
    char text[256]; /* cut is harmless */
    (void)cls;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\r\n")] = '\0';
    log_debug("http", "message", text);
}

/* No decoding: we read the raw target ourselves. */
static size_t keep_escapes(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

/* ---- start and stop --------------------------------------------------------- */

/* "127.0.0.1:8080", "[::1]:0". Numeric only: a name would make the port depend on a resolver. */
static enum status parse_listen(const char *text, struct sockaddr_storage *ret_address,
                                bool *ret_loopback, struct err *err)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    size_t length = colon == NULL ? 0 : (size_t)(colon - text);
    bool bracketed = length > 2 && text[0] == '[' && text[length - 1] == ']';
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    bool ok = length > 0 && length < sizeof host && colon[1] != '\0';
    if (ok) {
        size_t n = bracketed ? length - 2 : length;
        memcpy(host, text + bracketed, n);
        host[n] = '\0';
        ok = getaddrinfo(host, colon + 1, &hints, &found) == 0;
    }
    if (!ok)
        return err_field(err, ST_USAGE, "listen",
                         "could not listen on \"%s\": not ADDRESS:PORT with a numeric address",
                         text);
    memcpy(ret_address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    if (ret_address->ss_family == AF_INET6)
        *ret_loopback =
            IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)(void *)ret_address)->sin6_addr);
    else
        *ret_loopback =
            ntohl(((struct sockaddr_in *)(void *)ret_address)->sin_addr.s_addr) >> 24 == 127;
    return ST_OK;
}

static enum status open_socket(const char *listen_text, const struct sockaddr_storage *address,
                               struct http *http, int *ret_socket, struct err *err)
{
    int on = 1;
    struct sockaddr_storage bound;
    socklen_t length =
        address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    char host[64];
    char port[8];
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (address->ss_family == AF_INET6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int));
    }
    if (fd < 0 || bind(fd, (const struct sockaddr *)address, length) != 0 ||
        listen(fd, 1024) != 0 || getsockname(fd, (struct sockaddr *)&bound, &length) != 0 ||
        getnameinfo((struct sockaddr *)&bound, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        enum status status =
            err_set(err, ST_IO, "could not listen on \"%s\": %s", listen_text, strerror(errno));
        if (fd >= 0)
            close(fd);
        return status;
    }
    snprintf(http->address, sizeof http->address, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host,
             port);
    http->port = (unsigned)strtoul(port, NULL, 10);
    *ret_socket = fd;
    return ST_OK;
}

static enum status start_daemon(struct http *http, const struct http_options *options, int fd,
                                struct err *err)
{
    unsigned threads = options->threads == 0 ? 2 : options->threads;
    unsigned connections = options->connections == 0 ? 1024 : options->connections;
    unsigned flags =
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_ITC;
    if (connections < threads)
        connections = threads;
    struct MHD_OptionItem pool[] = {{MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)threads, NULL},
                                    {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)no_certificate},
        {MHD_OPTION_END, 0, NULL}};
    flags |= http->tls != NULL ? (unsigned)MHD_USE_TLS : 0;
    http->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK, on_target, http,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        http, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_LIMIT, connections,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(http->idle_us / US_PER_SECOND),
        MHD_OPTION_STRICT_FOR_CLIENT, 1,
        /* One thread must not be a pool: microhttpd refuses a pool of one. */
        MHD_OPTION_ARRAY, threads > 1 ? pool : pool + 1, MHD_OPTION_ARRAY,
        http->tls != NULL ? tls : tls + 2, MHD_OPTION_END);
    return http->daemon == NULL ? err_set(err, ST_IO, "could not start the HTTP server") : ST_OK;
}

static int64_t seconds_or(unsigned seconds, unsigned fallback)
{
    return (seconds == 0 ? fallback : seconds) * US_PER_SECOND;
}

static enum status make_parts(struct http *http, const struct http_options *options,
                              struct err *err)
{
    http->idle_us = seconds_or(options->idle_seconds, 30);
    http->head_us = seconds_or(options->head_seconds, 20);
    http->body_us = seconds_or(options->body_seconds, 120);
    http->body_limit = options->body_bytes == 0 ? (size_t)256 << 20 : options->body_bytes;
    http->auth = auth_new(http->app->db);
    http->stats = stats_new(routes, route_count);
    if (http->auth == NULL || http->stats == NULL)
        return err_set(err, ST_NOMEM, "could not start the server: out of memory");
    enum status status = assets_new(embedded_web, options->web_root, &http->assets, err);
    if (status == ST_OK)
        status = workers_new(options->workers == 0 ? 8 : options->workers, QUEUE_MAX,
                             &http->workers, err);
    if (status == ST_OK)
        status = workers_new(SLOW_THREADS, SLOW_QUEUE_MAX, &http->slow, err);
    return status == ST_OK ? deadlines_new(&http->deadlines, err) : status;
}

static void make_lock(struct http *http)
{
    pthread_condattr_t attributes;
    pthread_mutex_init(&http->running_lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&http->none_running, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void http_free(struct http *http)
{
    workers_free(http->workers);
    workers_free(http->slow);
    deadlines_free(http->deadlines);
    assets_free(http->assets);
    auth_free(http->auth);
    stats_free(http->stats);
    tls_free(http->tls);
    pthread_cond_destroy(&http->none_running);
    pthread_mutex_destroy(&http->running_lock);
    free(http);
}

/* What the certificate's owner should see to, though it works. */
static void log_tls(const struct tls_facts *facts)
{
    char expires[TIME_TEXT_MAX];
    time_format(facts->expires_at_us, expires);
    log_info("certificate read", "expires", expires);
    if (facts->expired)
        log_warning("the certificate is expired or not valid yet: agents and browsers will refuse",
                    "expires", expires);
    if (facts->key_exposed)
        log_warning("the file of tls_key can be read or written by everybody; chmod o-rw it");
}

static enum status start_tls(struct http *http, const struct http_options *options, struct err *err)
{
    struct tls_facts facts;
    enum status status = tls_new(options->tls_cert, options->tls_key, &http->tls, &facts, err);
    if (status != ST_OK)
        return status;
    log_tls(&facts);
    atomic_store(&http->tls_expires_at_us, facts.expires_at_us);
    return status;
}

enum status http_reload_tls(struct http *http, struct err *err)
{
    struct tls_facts facts;
    if (http->tls == NULL)
        return err_set(err, ST_NOT_FOUND, "the server speaks plain HTTP");
    enum status status = tls_reload(http->tls, &facts, err);
    if (status != ST_OK)
        return status;
    log_tls(&facts);
    atomic_store(&http->tls_expires_at_us, facts.expires_at_us);
    return status;
}

enum status http_start(const struct http_options *options, struct app *app, struct http **ret_http,
                       struct err *err)
{
    struct sockaddr_storage address;
    bool loopback = false;
    int fd = -1;
    enum status status = parse_listen(options->listen, &address, &loopback, err);
    if (status != ST_OK)
        return status;
    if (!loopback && !options->insecure_http && !tls_wanted(options->tls_cert, options->tls_key)) {
        err_field(err, ST_USAGE, "listen",
                  "could not listen on \"%s\": plain HTTP is allowed on loopback only",
                  options->listen);
        snprintf(err->hint, sizeof err->hint,
                 "set tls_cert and tls_key, put a proxy with TLS in front, or set insecure_http");
        return ST_USAGE;
    }
    struct http *http = sodium_init() < 0 ? NULL : calloc(1, sizeof *http);
    if (http == NULL)
        return err_set(err, ST_NOMEM, "could not start the server: out of memory");
    http->app = app;
    make_lock(http);
    status = proxy_parse(options->trusted_proxy, options->proxy_user_header,
                         options->proxy_role_header, &http->proxy, err);
    if (status == ST_OK)
        status = make_parts(http, options, err);
    if (status == ST_OK && tls_wanted(options->tls_cert, options->tls_key))
        status = start_tls(http, options, err);
    if (status == ST_OK)
        status = open_socket(options->listen, &address, http, &fd, err);
    if (status == ST_OK)
        status = start_daemon(http, options, fd, err);
    if (status != ST_OK) {
        http_free(http);
        return status;
    }
    *ret_http = http;
    return ST_OK;
}

/* New requests are refused from here on; those that run get their time. */
static bool drain(struct http *http)
{
    struct timespec until;
    int waited = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += DRAIN_SECONDS;
    pthread_mutex_lock(&http->running_lock);
    atomic_store(&http->stopping, true);
    while (http->running > 0 && waited == 0)
        waited = pthread_cond_timedwait(&http->none_running, &http->running_lock, &until);
    bool empty = http->running == 0;
    pthread_mutex_unlock(&http->running_lock);
    return empty;
}

void http_stop(struct http *http)
{
    if (http == NULL)
        return;
    int fd = MHD_quiesce_daemon(http->daemon);
    if (!drain(http)) {
        /* microhttpd aborts when stopped with suspended connections; the process ends anyway. */
        log_error("could not stop the HTTP server: requests still run");
        return;
    }
    MHD_stop_daemon(http->daemon);
    if (fd >= 0)
        close(fd);
    http_free(http);
}

unsigned http_port(const struct http *http)
{
    return http->port;
}

const char *http_address(const struct http *http)
{
    return http->address;
}

static void gauge(struct strbuf *out, const char *name, const char *help, uint64_t value)
{
    strbuf_printf(out, "# HELP %s %s\n# TYPE %s gauge\n%s ", name, help, name, name);
    strbuf_u64(out, value);
    strbuf_putc(out, '\n');
}

void http_read_health(struct http *http, struct http_health *ret_health)
{
    struct http_health health = {.tls = http->tls != NULL,
                                 .tls_expires_at_us = atomic_load(&http->tls_expires_at_us),
                                 .connections = deadlines_count(http->deadlines),
                                 .waiting = workers_queued(http->workers)};
    pthread_mutex_lock(&http->running_lock);
    health.running = http->running;
    pthread_mutex_unlock(&http->running_lock);
    stats_sum(http->stats, health.by_class, &health.seconds);
    for (size_t i = 0; i < ST_COUNT_; i++)
        health.refused[i] = atomic_load_explicit(&http->refused[i], memory_order_relaxed);
    *ret_health = health;
}

void http_write_metrics(struct http *http, struct strbuf *out)
{
    pthread_mutex_lock(&http->running_lock);
    uint64_t running = http->running;
    pthread_mutex_unlock(&http->running_lock);
    stats_write(http->stats, out);
    gauge(out, "poolfleet_http_connections", "Connections open now.",
          deadlines_count(http->deadlines));
    gauge(out, "poolfleet_http_connections_cut", "Connections cut for being too slow.",
          deadlines_cut(http->deadlines));
    gauge(out, "poolfleet_http_running", "Requests whose handler runs now.", running);
    gauge(out, "poolfleet_http_waiting", "Requests that wait for a worker.",
          workers_queued(http->workers));
    gauge(out, "poolfleet_http_passwords_waiting", "Sign-ins that wait for their turn.",
          workers_queued(http->slow));
    gauge(out, "poolfleet_http_body_bytes", "Request bodies in memory.",
          atomic_load(&http->body_bytes));
}
