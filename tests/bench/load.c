/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load client of the benchmarks: posts snapshot documents over keep-alive connections, one thread
 * and one outstanding request each, and prints one line of JSON: rate, latencies, answers by code.
 *
 *   load --port P --token T --hosts H --rows R [--changed C] [--connections N] [--seconds S]
 *        [--gzip]
 *
 * --changed 0 posts complete documents; C > 0 posts `base` documents with C changed rows after one
 * complete document a host. Bodies are built outside the measured time as far as possible: only
 * the fixed-width fields (sequence, base, time, and the counters of changed rows) are rewritten.
 */
#include <arpa/inet.h>
#include <errno.h>
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

static unsigned port, hosts = 100, rows = 2500, changed, connections = 8, seconds = 10;
static const char *token = "";
static _Atomic uint64_t answers[600];
static _Atomic bool stop;

struct worker {
    pthread_t thread;
    unsigned first_host, host_count;
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

static int connect_to_server(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("could not connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void put_time(char *out, int64_t at)
{
    time_t seconds_at = (time_t)at;
    struct tm tm;
    gmtime_r(&seconds_at, &tm);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* Tags are distinct and printable: 64 letters to the third power are enough for any table. */
static void put_tag(char *out, unsigned i)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
    out[0] = 'T';
    out[1] = letters[i / 4096 % 64];
    out[2] = letters[i / 64 % 64];
    out[3] = letters[i % 64];
    out[4] = '\0';
}

static size_t put_column(char *out, const char *name, unsigned count,
                         uint64_t (*value)(unsigned, unsigned), unsigned moment)
{
    char *p = out + sprintf(out, ",\"%s\":[", name);
    for (unsigned i = 0; i < count; i++)
        p += sprintf(p, i == 0 ? "%llu" : ",%llu", (unsigned long long)value(i, moment));
    *p++ = ']';
    return (size_t)(p - out);
}

/* Counters are spread over the powers of two up to 2^28, as on machines some days up: a few tags
 * have hundreds of millions of allocations, most have thousands. */
static uint64_t outstanding_of(unsigned i)
{
    return 40 + i % 500;
}
static uint64_t frees_of(unsigned i, unsigned moment)
{
    return (1ull << (i * 7 % 29)) + i * 13ull + (uint64_t)moment * (i % 97 + 1);
}
static uint64_t allocs_of(unsigned i, unsigned moment)
{
    return frees_of(i, moment) + outstanding_of(i);
}
static uint64_t bytes_of(unsigned i, unsigned moment)
{
    return outstanding_of(i) * (64ull + i % 32 * 16) + (i + moment) % 7 * 16;
}

/* One document into out; returns its length. */
static size_t put_document(char *out, unsigned host, unsigned moment, int64_t start, unsigned count)
{
    char boot[32], taken[32];
    put_time(boot, start - 3600);
    put_time(taken, start + moment);
    char *p = out;
    p +=
        sprintf(p,
                "{\"format\":1,\"host\":{\"id\":\"load-%u-%05u\"%s},\"boot_at\":\"%s\",\"taken_at\":"
                "\"%s\",\"sequence\":%u",
                changed, host,
                moment == 0 ? ",\"name\":\"LOAD\",\"attributes\":{\"poolfleet.simulated\":\"true\","
                              "\"role\":\"load\",\"os.build\":\"26100.4061\"}"
                            : "",
                boot, taken, moment);
    if (count < rows)
        p += sprintf(p, ",\"base\":%u", moment - 1);
    p += sprintf(p, ",\"totals\":{\"nonpaged_bytes\":200000000,\"paged_bytes\":300000000}");
    for (unsigned pool = 0; pool < 2; pool++) {
        unsigned n = pool == 0 ? count / 2 : count - count / 2;
        p += sprintf(p, ",\"%s\":{\"tag\":[", pool == 0 ? "nonpaged" : "paged");
        for (unsigned i = 0; i < n; i++) {
            char tag[5];
            put_tag(tag, i);
            p += sprintf(p, i == 0 ? "\"%s\"" : ",\"%s\"", tag);
        }
        *p++ = ']';
        p += put_column(p, "allocs", n, allocs_of, moment);
        p += put_column(p, "frees", n, frees_of, moment);
        p += put_column(p, "bytes", n, bytes_of, moment);
        *p++ = '}';
    }
    *p++ = '}';
    return (size_t)(p - out);
}

static void send_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent <= 0)
            die("could not send");
        data += sent;
        length -= (size_t)sent;
    }
}

/* Reads one reply; returns its code. Replies here are small. */
static unsigned read_reply(int fd)
{
    char buffer[16384];
    size_t got = 0;
    for (;;) {
        ssize_t n = recv(fd, buffer + got, sizeof buffer - 1 - got, 0);
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

static void post(int fd, const char *body, size_t length)
{
    char head[512];
    int n = snprintf(head, sizeof head,
                     "POST /api/v1/snapshots HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer "
                     "%s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                     token, length);
    send_all(fd, head, (size_t)n);
    send_all(fd, body, length);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    int fd = connect_to_server();
    char *body = malloc((size_t)rows * 64 + 4096);
    static int64_t start;
    if (start == 0)
        start = (int64_t)time(NULL) - 86400;
    int64_t from = start;
    for (unsigned moment = w->setup ? 0 : 1; !atomic_load(&stop); moment++) {
        for (unsigned h = 0; h < w->host_count && !atomic_load(&stop); h++) {
            bool full = w->setup || changed == 0;
            size_t length =
                put_document(body, w->first_host + h, moment, from, full ? rows : changed);
            double before = now_s();
            post(fd, body, length);
            unsigned code = read_reply(fd);
            if (w->count < w->capacity)
                w->latency_ms[w->count++] = (float)((now_s() - before) * 1e3);
            if (code != 200 && atomic_fetch_add(&answers[code % 600], 0) < 3)
                fprintf(stderr, "load: answer %u\n", code);
            atomic_fetch_add(&answers[code % 600], 1);
        }
        if (w->setup)
            break;
    }
    free(body);
    close(fd);
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
        } options[] = {{"--port", &port},       {"--hosts", &hosts},
                       {"--rows", &rows},       {"--changed", &changed},
                       {"--seconds", &seconds}, {"--connections", &connections}};
        if (strcmp(argv[i], "--token") == 0)
            token = argv[i + 1];
        for (size_t o = 0; o < sizeof options / sizeof options[0]; o++) {
            if (strcmp(argv[i], options[o].name) == 0)
                *options[o].value = number(argv[i + 1]);
        }
    }
    if (port == 0 || hosts < connections || connections == 0) {
        fprintf(stderr, "usage: load --port P --token T --hosts H --rows R [--changed C] "
                        "[--connections N] [--seconds S]\n");
        return 2;
    }
    struct worker *workers = calloc(connections, sizeof *workers);
    for (unsigned i = 0; i < connections; i++) {
        workers[i].capacity = 1000000;
        workers[i].latency_ms = malloc(workers[i].capacity * sizeof(float));
    }
    run(workers, true);
    for (unsigned i = 0; i < 600; i++)
        answers[i] = 0;
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
