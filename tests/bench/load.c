/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load client of the benchmarks: posts snapshot documents over keep-alive connections, one thread
 * and one outstanding request each, and prints one line of JSON: rate, latencies, answers by code.
 *
 *   load --port P --token T --hosts H --rows R [--changed C] [--connections N] [--seconds S]
 *        [--cbor 1] [--series N: its hosts are others than those of other series]
 *        [--tls 1] [--reconnect 1: a new connection for each document]
 *        [--fill 0: all hosts are known already] [--post 0: only makes them known]
 *        [--rate N: no more than N documents a second; prints "posting" once all hosts are known]
 *
 * --changed 0 posts complete documents; C > 0 posts `base` documents with C changed rows after one
 * complete document a host. Bodies are built outside the measured time as far as possible: only
 * the fixed-width fields (sequence, base, time, and the counters of changed rows) are rewritten.
 */
#include "common/cbor.h"
#include "common/strbuf.h"
#include "tests/bench/generate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static unsigned port, hosts = 100, rows = 2500, changed, connections = 8, seconds = 10, cbor,
                      series, tls, reconnect, rate, fill = 1, post_more = 1;
static const char *token = "";
static _Atomic uint64_t answers[600];
static _Atomic bool stop;

struct worker {
    pthread_t thread;
    unsigned number, first_host, host_count;
    float *latency_ms;
    size_t count, capacity;
    bool setup;
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- the connection ----------------------------------------------------------- */

struct link {
    int fd;
    gnutls_session_t session; /* NULL: plain */
};

static gnutls_certificate_credentials_t anyone; /* the certificate is the benchmark's own */

static void start_tls(struct link *link)
{
    gnutls_init(&link->session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
    gnutls_set_default_priority(link->session);
    gnutls_credentials_set(link->session, GNUTLS_CRD_CERTIFICATE, anyone);
    gnutls_transport_set_int(link->session, link->fd);
    int result;
    do
        result = gnutls_handshake(link->session);
    while (result < 0 && gnutls_error_is_fatal(result) == 0);
    if (result < 0)
        die(gnutls_strerror(result));
}

static struct link connect_to_server(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1;
    struct link link = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (link.fd < 0 || connect(link.fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("could not connect");
    setsockopt(link.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (tls != 0)
        start_tls(&link);
    return link;
}

static void disconnect(struct link *link)
{
    if (link->session != NULL) {
        gnutls_bye(link->session, GNUTLS_SHUT_WR);
        gnutls_deinit(link->session);
    }
    close(link->fd);
}

static void send_all(struct link *link, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t sent = link->session != NULL ? gnutls_record_send(link->session, data, length)
                                             : send(link->fd, data, length, MSG_NOSIGNAL);
        if (sent <= 0)
            die("could not send");
        data += sent;
        length -= (size_t)sent;
    }
}

/* Reads one reply; returns its code. Replies here are small. */
static unsigned read_reply(struct link *link)
{
    char buffer[16384];
    size_t got = 0;
    for (;;) {
        size_t room = sizeof buffer - 1 - got;
        ssize_t n = link->session != NULL ? gnutls_record_recv(link->session, buffer + got, room)
                                          : recv(link->fd, buffer + got, room, 0);
        if (n == GNUTLS_E_AGAIN && link->session != NULL) /* a ticket came, no data yet */
            continue;
        if (n <= 0)
            die("the server closed the connection");
        got += (size_t)n;
        buffer[got] = '\0';
        char *end = strstr(buffer, "\r\n\r\n");
        if (end == NULL)
            continue;
        char *length = strcasestr(buffer, "content-length:");
        size_t body = length == NULL ? 0 : (size_t)strtoul(length + 15, NULL, 10);
        if (got >= (size_t)(end - buffer) + 4 + body)
            return (unsigned)strtoul(buffer + 9, NULL, 10);
    }
}

/* `request` begins with HEAD_ROOM free bytes, so that head and body go out in one piece. */
#define HEAD_ROOM 512

static void post(struct link *link, struct strbuf *request)
{
    char head[HEAD_ROOM];
    size_t length = request->length - HEAD_ROOM;
    int n = snprintf(head, sizeof head,
                     "POST /api/v1/snapshots HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer "
                     "%s\r\nContent-Type: application/%s\r\nContent-Length: %zu\r\n\r\n",
                     token, cbor != 0 ? "cbor" : "json", length);
    char *start = request->data + HEAD_ROOM - n;
    memcpy(start, head, (size_t)n);
    send_all(link, start, (size_t)n + length);
}

/* ---- documents ---------------------------------------------------------------- */

static void put_time(char *out, int64_t at)
{
    time_t seconds_at = (time_t)at;
    struct tm tm;
    gmtime_r(&seconds_at, &tm);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* The same document in both encodings: a table of what differs. */
struct writer {
    struct strbuf *out;
    bool cbor;
};

static void put_name(struct writer *w, const char *name, bool first)
{
    if (w->cbor)
        cbor_put_text(w->out, name);
    else
        strbuf_printf(w->out, first ? "\"%s\":" : ",\"%s\":", name);
}

static void put_text(struct writer *w, const char *text)
{
    if (w->cbor)
        cbor_put_text(w->out, text);
    else
        strbuf_printf(w->out, "\"%s\"", text);
}

static void put_number(struct writer *w, uint64_t value)
{
    if (w->cbor)
        cbor_put_uint(w->out, value);
    else
        strbuf_u64(w->out, value);
}

static void open_map(struct writer *w)
{
    if (w->cbor)
        cbor_put_map_open(w->out);
    else
        strbuf_add(w->out, "{", 1);
}

static void close_map(struct writer *w)
{
    if (w->cbor)
        cbor_put_break(w->out);
    else
        strbuf_add(w->out, "}", 1);
}

static void put_column(struct writer *w, const char *name, const unsigned *row, unsigned count,
                       uint64_t (*value)(unsigned, unsigned), unsigned moment)
{
    put_name(w, name, false);
    if (w->cbor)
        cbor_put_array(w->out, count);
    else
        strbuf_add(w->out, "[", 1);
    for (unsigned i = 0; i < count; i++) {
        if (i > 0 && !w->cbor)
            strbuf_add(w->out, ",", 1);
        put_number(w, value(row[i], moment));
    }
    if (!w->cbor)
        strbuf_add(w->out, "]", 1);
}

static void put_table(struct writer *w, const char *pool, unsigned all, unsigned count,
                      unsigned moment)
{
    unsigned *row = malloc((all + 1) * sizeof *row);
    unsigned n = pick_rows(row, all, count, moment);
    put_name(w, pool, false);
    open_map(w);
    put_name(w, "tag", true);
    if (w->cbor)
        cbor_put_array(w->out, n);
    else
        strbuf_add(w->out, "[", 1);
    for (unsigned i = 0; i < n; i++) {
        char tag[5];
        put_tag(tag, row[i]);
        if (i > 0 && !w->cbor)
            strbuf_add(w->out, ",", 1);
        put_text(w, tag);
    }
    if (!w->cbor)
        strbuf_add(w->out, "]", 1);
    put_column(w, "allocs", row, n, allocs_of, moment);
    put_column(w, "frees", row, n, frees_of, moment);
    put_column(w, "bytes", row, n, bytes_of, moment);
    close_map(w);
    free(row);
}

static void put_document(struct strbuf *out, unsigned host, unsigned moment, int64_t start,
                         unsigned count)
{
    char boot[32], taken[32], id[64];
    struct writer w = {out, cbor != 0};
    strbuf_clear(out);
    strbuf_reserve(out, HEAD_ROOM);
    out->length = HEAD_ROOM; /* see post() */
    put_time(boot, start - 3600);
    put_time(taken, start + moment);
    snprintf(id, sizeof id, "load-%u-%u-%u-%05u", series, cbor, changed, host);
    open_map(&w);
    put_name(&w, "format", true);
    put_number(&w, 1);
    put_name(&w, "host", false);
    open_map(&w);
    put_name(&w, "id", true);
    put_text(&w, id);
    if (moment == 0) {
        put_name(&w, "name", false);
        put_text(&w, "LOAD");
        put_name(&w, "attributes", false);
        open_map(&w);
        put_name(&w, "poolfleet.simulated", true);
        put_text(&w, "true");
        put_name(&w, "role", false);
        put_text(&w, "load");
        put_name(&w, "os.build", false);
        put_text(&w, "26100.4061");
        close_map(&w);
    }
    close_map(&w);
    put_name(&w, "boot_at", false);
    put_text(&w, boot);
    put_name(&w, "taken_at", false);
    put_text(&w, taken);
    put_name(&w, "sequence", false);
    put_number(&w, moment);
    if (count < rows) {
        put_name(&w, "base", false);
        put_number(&w, moment - 1);
    }
    put_name(&w, "totals", false);
    open_map(&w);
    put_name(&w, "nonpaged_bytes", true);
    put_number(&w, 200000000);
    put_name(&w, "paged_bytes", false);
    put_number(&w, 300000000);
    close_map(&w);
    put_table(&w, "nonpaged", rows / 2, count / 2, moment);
    put_table(&w, "paged", rows - rows / 2, count - count / 2, moment);
    close_map(&w);
}

/* Waits until the worker's nth document is due at the rate asked for. */
static void keep_rate(const struct worker *w, double began, size_t nth)
{
    double wait = began + ((double)nth * connections + w->number) / rate - now_s();
    if (wait > 0)
        nanosleep(&(struct timespec){(time_t)wait, (long)((wait - (double)(time_t)wait) * 1e9)},
                  NULL);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    double began = now_s();
    struct link link = connect_to_server();
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    static int64_t start;
    if (start == 0)
        start = (int64_t)time(NULL) / 86400 * 86400 - 86400; /* the same for --fill and --post */
    int64_t from = start;
    for (unsigned moment = w->setup ? 0 : 1; !atomic_load(&stop); moment++) {
        for (unsigned h = 0; h < w->host_count && !atomic_load(&stop); h++) {
            bool full = w->setup || changed == 0;
            put_document(&body, w->first_host + h, moment, from, full ? rows : changed);
            if (rate > 0 && !w->setup)
                keep_rate(w, began, w->count);
            double before = now_s();
            post(&link, &body);
            unsigned code = read_reply(&link);
            if (reconnect != 0) {
                disconnect(&link);
                link = connect_to_server();
            }
            if (w->count < w->capacity)
                w->latency_ms[w->count++] = (float)((now_s() - before) * 1e3);
            if (code != 200 && atomic_fetch_add(&answers[code % 600], 0) < 3)
                fprintf(stderr, "load: answer %u\n", code);
            atomic_fetch_add(&answers[code % 600], 1);
        }
        if (w->setup)
            break;
    }
    disconnect(&link);
    return NULL;
}

static int compare_float(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static unsigned number(const char *text)
{
    return (unsigned)strtoul(text, NULL, 10);
}

static void run(struct worker *workers, bool setup)
{
    for (unsigned i = 0; i < connections; i++) {
        struct worker *w = &workers[i];
        w->setup = setup;
        w->number = i;
        w->count = 0;
        w->first_host = i * hosts / connections;
        w->host_count = (i + 1) * hosts / connections - w->first_host;
        if (pthread_create(&w->thread, NULL, work, w) != 0)
            die("could not start a thread");
    }
    if (!setup) {
        sleep(seconds); /* the measured time, not a wait for something */
        atomic_store(&stop, true);
    }
    for (unsigned i = 0; i < connections; i++)
        pthread_join(workers[i].thread, NULL);
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        static const struct {
            const char *name;
            unsigned *value;
        } options[] = {
            {"--port", &port},           {"--hosts", &hosts},     {"--rows", &rows},
            {"--changed", &changed},     {"--seconds", &seconds}, {"--connections", &connections},
            {"--cbor", &cbor},           {"--series", &series},   {"--tls", &tls},
            {"--reconnect", &reconnect}, {"--rate", &rate},       {"--fill", &fill},
            {"--post", &post_more}};
        if (strcmp(argv[i], "--token") == 0)
            token = argv[i + 1];
        for (size_t o = 0; o < sizeof options / sizeof options[0]; o++) {
            if (strcmp(argv[i], options[o].name) == 0)
                *options[o].value = number(argv[i + 1]);
        }
    }
    if (port == 0 || hosts < connections || connections == 0) {
        fprintf(stderr, "usage: load --port P --token T --hosts H --rows R [--changed C] "
                        "[--connections N] [--seconds S] [--cbor 1] [--series N] "
                        "[--tls 1] [--reconnect 1] [--rate N] [--fill 0] [--post 0]\n");
        return 2;
    }
    gnutls_certificate_allocate_credentials(&anyone);
    struct worker *workers = calloc(connections, sizeof *workers);
    for (unsigned i = 0; i < connections; i++) {
        workers[i].capacity = 1000000;
        workers[i].latency_ms = malloc(workers[i].capacity * sizeof(float));
    }
    if (fill != 0)
        run(workers, true);
    if (post_more == 0)
        return answers[200] == hosts ? 0 : 1;
    for (unsigned i = 0; i < 600; i++)
        answers[i] = 0;
    if (rate > 0) {
        puts("posting");
        fflush(stdout);
    }
    double before = now_s();
    run(workers, false);
    double took = now_s() - before;
    size_t total = 0;
    for (unsigned i = 0; i < connections; i++)
        total += workers[i].count;
    float *all = malloc((total + 1) * sizeof *all);
    size_t at = 0;
    for (unsigned i = 0; i < connections; i++) {
        memcpy(all + at, workers[i].latency_ms, workers[i].count * sizeof *all);
        at += workers[i].count;
    }
    qsort(all, total, sizeof *all, compare_float);
    printf("{\"documents\":%llu,\"seconds\":%.3f,\"rate\":%.1f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,"
           "\"refused\":%llu}\n",
           (unsigned long long)answers[200], took, (double)answers[200] / took,
           total > 0 ? (double)all[total / 2] : 0, total > 0 ? (double)all[total * 99 / 100] : 0,
           (unsigned long long)(total - answers[200]));
    return answers[200] == total ? 0 : 1;
}
