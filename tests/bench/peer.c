/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fleet of generate.h written to what people use instead, one thread and one outstanding
 * request a connection, as much in one request as the peer's own guide advises. Every row of every
 * moment is written, for that is what lets them answer the same questions. Prints one line of JSON.
 *
 *   peer lines  --port P --path /write?...    InfluxDB's line protocol: a line a row, three fields
 *   peer remote --port P --path /api/...      Prometheus' remote write: a series a counter
 *   peer copy   --url DATABASE-URL            PostgreSQL: a row a row, binary COPY, one commit each
 *   all: [--hosts H] [--rows R] [--changed C] [--connections N] [--seconds S]
 */
#include "common/strbuf.h"
#include "tests/bench/generate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libpq-fe.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static unsigned port, hosts = 20, rows = 2500, changed = 300, connections = 4, seconds = 5;
static const char *path = "/", *url = "";
static _Atomic uint64_t documents, refused;
static _Atomic bool stop;
static int64_t start_s;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "peer: %s: %s\n", what, why);
    exit(1);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct row {
    const char *pool;
    char tag[5];
    uint64_t value[3]; /* allocs, frees, bytes */
};

/* Row i of `rows` at a moment; the first half are of the nonpaged pool. */
static struct row row_at(unsigned i, unsigned moment)
{
    unsigned half = rows / 2, all = i < half ? half : rows - half, place = i < half ? i : i - half;
    struct movement m = movement_of(all, changed / 2);
    unsigned at = moved_at(&m, place, moment);
    struct row row = {.pool = i < half ? "nonpaged" : "paged",
                      .value = {allocs_of(place, at), frees_of(place, at), bytes_of(place, at)}};
    put_tag(row.tag, place);
    return row;
}

/* ---- line protocol ---------------------------------------------------------- */

static void put_lines(struct strbuf *out, unsigned host, unsigned moment)
{
    char at[24], head[64];
    snprintf(at, sizeof at, "i %lld000000000\n", (long long)(start_s + moment));
    snprintf(head, sizeof head, "pool,host=load-%05u,pool=", host);
    for (unsigned i = 0; i < rows; i++) {
        struct row row = row_at(i, moment);
        strbuf_puts(out, head);
        strbuf_puts(out, row.pool);
        strbuf_puts(out, ",tag=");
        strbuf_puts(out, row.tag);
        strbuf_puts(out, " allocs=");
        strbuf_u64(out, row.value[0]);
        strbuf_puts(out, "i,frees=");
        strbuf_u64(out, row.value[1]);
        strbuf_puts(out, "i,bytes=");
        strbuf_u64(out, row.value[2]);
        strbuf_puts(out, at);
    }
}

/* ---- remote write ----------------------------------------------------------- */

static void put_varint(struct strbuf *out, uint64_t value)
{
    char bytes[10];
    size_t n = 0;
    for (; value >= 128; value >>= 7)
        bytes[n++] = (char)(value | 128);
    bytes[n++] = (char)value;
    strbuf_add(out, bytes, n);
}

/* Field `number` of protobuf's length-delimited kind. */
static void put_field(struct strbuf *out, unsigned number, const char *data, size_t length)
{
    put_varint(out, number << 3 | 2);
    put_varint(out, length);
    strbuf_add(out, data, length);
}

static void put_label(struct strbuf *series, const char *name, const char *value)
{
    AUTO_STRBUF struct strbuf label = STRBUF_INIT;
    put_field(&label, 1, name, strlen(name));
    put_field(&label, 2, value, strlen(value));
    put_field(series, 1, label.data, label.length);
}

static void put_sample(struct strbuf *series, uint64_t counter, int64_t at_ms)
{
    AUTO_STRBUF struct strbuf sample = STRBUF_INIT;
    double value = (double)counter;
    put_varint(&sample, 1 << 3 | 1);
    strbuf_add(&sample, (const char *)&value, sizeof value); /* little-endian, as here */
    put_varint(&sample, 2 << 3);
    put_varint(&sample, (uint64_t)at_ms);
    put_field(series, 2, sample.data, sample.length);
}

static void put_remote(struct strbuf *out, unsigned host, unsigned moment)
{
    static const char *const names[3] = {"pool_allocs", "pool_frees", "pool_bytes"};
    AUTO_STRBUF struct strbuf series = STRBUF_INIT;
    char id[32];
    snprintf(id, sizeof id, "load-%05u", host);
    for (unsigned i = 0; i < rows; i++) {
        struct row row = row_at(i, moment);
        for (unsigned v = 0; v < 3; v++) {
            strbuf_clear(&series);
            put_label(&series, "__name__", names[v]);
            put_label(&series, "host", id);
            put_label(&series, "pool", row.pool);
            put_label(&series, "tag", row.tag);
            put_sample(&series, row.value[v], (start_s + moment) * 1000);
            put_field(out, 1, series.data, series.length);
        }
    }
}

/* Snappy's block format with literals alone: valid, and free of the client's time. */
static void snappy(const struct strbuf *in, struct strbuf *out)
{
    put_varint(out, in->length);
    for (size_t at = 0; at < in->length;) {
        size_t n = in->length - at < 65536 ? in->length - at : 65536;
        const char head[3] = {(char)(61 << 2), (char)(n - 1), (char)((n - 1) >> 8)};
        strbuf_add(out, head, sizeof head);
        strbuf_add(out, in->data + at, n);
        at += n;
    }
}

/* ---- HTTP ------------------------------------------------------------------- */

static int connect_to_peer(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("could not connect", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void send_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent <= 0)
            die("could not send", strerror(errno));
        data += sent;
        length -= (size_t)sent;
    }
}

static unsigned read_code(int fd)
{
    char buffer[16384];
    size_t got = 0;
    for (;;) {
        ssize_t n = recv(fd, buffer + got, sizeof buffer - 1 - got, 0);
        if (n <= 0)
            die("could not receive", "the peer closed the connection");
        got += (size_t)n;
        buffer[got] = '\0';
        char *end = strstr(buffer, "\r\n\r\n");
        if (end == NULL)
            continue;
        char *length = strcasestr(buffer, "content-length:");
        size_t body = length == NULL ? 0 : (size_t)strtoul(length + 15, NULL, 10);
        if (got >= (size_t)(end - buffer) + 4 + body) {
            unsigned code = (unsigned)strtoul(buffer + 9, NULL, 10);
            if (code >= 300 && atomic_load(&refused) < 3)
                fprintf(stderr, "peer: answer %u: %.200s\n", code, end + 4);
            return code;
        }
    }
}

static bool post(int fd, const struct strbuf *body, bool remote)
{
    char head[512];
    int n = snprintf(head, sizeof head,
                     "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%sContent-Length: %zu\r\n\r\n", path,
                     remote ? "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n"
                              "X-Prometheus-Remote-Write-Version: 0.1.0\r\n"
                            : "",
                     body->length);
    send_all(fd, head, (size_t)n);
    send_all(fd, body->data, body->length);
    return read_code(fd) < 300;
}

/* ---- COPY ------------------------------------------------------------------- */

static void put_be(struct strbuf *out, uint64_t value, unsigned bytes)
{
    char text[8];
    for (unsigned i = 0; i < bytes; i++)
        text[i] = (char)(value >> (8 * (bytes - 1 - i)));
    strbuf_add(out, text, bytes);
}

static void put_copy(struct strbuf *out, unsigned host, unsigned moment)
{
    int64_t at_us = (start_s + moment - 946684800) * 1000000;
    for (unsigned i = 0; i < rows; i++) {
        struct row row = row_at(i, moment);
        put_be(out, 7, 2);
        put_be(out, 4, 4), put_be(out, host, 4);
        put_be(out, 8, 4), put_be(out, (uint64_t)at_us, 8);
        put_be(out, 1, 4), put_be(out, row.pool[0] == 'n', 1);
        put_be(out, 4, 4), strbuf_add(out, row.tag, 4);
        for (unsigned v = 0; v < 3; v++)
            put_be(out, 8, 4), put_be(out, row.value[v], 8);
    }
}

static void run_sql(PGconn *db, const char *sql, ExecStatusType wanted)
{
    PGresult *result = PQexec(db, sql);
    if (PQresultStatus(result) != wanted)
        die(sql, PQerrorMessage(db));
    PQclear(result);
}

static bool copy(PGconn *db, const struct strbuf *body)
{
    static const char head[19] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
    PGresult *result;
    run_sql(db, "COPY row FROM STDIN (FORMAT binary)", PGRES_COPY_IN);
    PQputCopyData(db, head, sizeof head);
    PQputCopyData(db, body->data, (int)body->length);
    PQputCopyData(db, "\377\377", 2);
    PQputCopyEnd(db, NULL);
    bool fine = true;
    while ((result = PQgetResult(db)) != NULL) {
        fine = fine && PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
    }
    return fine;
}

static PGconn *connect_to_database(void)
{
    PGconn *db = PQconnectdb(url);
    if (PQstatus(db) != CONNECTION_OK)
        die("could not connect", PQerrorMessage(db));
    return db;
}

/* ---- the run ---------------------------------------------------------------- */

enum kind { LINES, REMOTE, COPY };
static enum kind kind;

struct worker {
    pthread_t thread;
    unsigned first_host, host_count;
    bool setup; /* the first moment of each host, which makes its series */
};

static bool write_document(int fd, PGconn *db, struct strbuf *body, struct strbuf *packed,
                           unsigned host, unsigned moment)
{
    strbuf_clear(body);
    if (kind == COPY) {
        put_copy(body, host, moment);
        return copy(db, body);
    }
    if (kind == LINES) {
        put_lines(body, host, moment);
        return post(fd, body, false);
    }
    put_remote(body, host, moment);
    strbuf_clear(packed);
    snappy(body, packed);
    return post(fd, packed, true);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    AUTO_STRBUF struct strbuf body = STRBUF_INIT, packed = STRBUF_INIT;
    int fd = kind == COPY ? -1 : connect_to_peer();
    PGconn *db = kind == COPY ? connect_to_database() : NULL;
    for (unsigned moment = w->setup ? 0 : 1; !atomic_load(&stop); moment++) {
        for (unsigned h = 0; h < w->host_count && !atomic_load(&stop); h++) {
            bool fine = write_document(fd, db, &body, &packed, w->first_host + h, moment);
            atomic_fetch_add(fine ? &documents : &refused, 1);
        }
        if (w->setup)
            break;
    }
    if (fd >= 0)
        close(fd);
    PQfinish(db);
    return NULL;
}

static double run(struct worker *workers, bool setup)
{
    double before = now_s();
    for (unsigned i = 0; i < connections; i++) {
        struct worker *w = &workers[i];
        w->setup = setup;
        w->first_host = i * hosts / connections;
        w->host_count = (i + 1) * hosts / connections - w->first_host;
        if (pthread_create(&w->thread, NULL, work, w) != 0)
            die("could not start a thread", "");
    }
    if (!setup) {
        sleep(seconds); /* the measured time, not a wait for something */
        atomic_store(&stop, true);
    }
    for (unsigned i = 0; i < connections; i++)
        pthread_join(workers[i].thread, NULL);
    return now_s() - before;
}

static void read_options(int argc, char **argv)
{
    static const struct {
        const char *name;
        unsigned *number;
        const char **text;
    } options[] = {{"--port", &port, NULL},       {"--path", NULL, &path},
                   {"--url", NULL, &url},         {"--hosts", &hosts, NULL},
                   {"--rows", &rows, NULL},       {"--changed", &changed, NULL},
                   {"--seconds", &seconds, NULL}, {"--connections", &connections, NULL}};
    for (int i = 2; i + 1 < argc; i += 2) {
        for (size_t o = 0; o < sizeof options / sizeof options[0]; o++) {
            if (strcmp(argv[i], options[o].name) != 0)
                continue;
            if (options[o].number != NULL)
                *options[o].number = (unsigned)strtoul(argv[i + 1], NULL, 10);
            else
                *options[o].text = argv[i + 1];
        }
    }
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"lines", "remote", "copy"};
    unsigned found = 0;
    while (argc > 1 && found < 3 && strcmp(argv[1], kinds[found]) != 0)
        found++;
    read_options(argc, argv);
    if (argc < 2 || found == 3 || connections == 0 || hosts < connections || changed < 6) {
        fprintf(stderr, "usage: peer lines|remote|copy --port P --path PATH | --url URL ...\n");
        return 2;
    }
    kind = (enum kind)found;
    start_s = (int64_t)time(NULL) - 3600; /* Prometheus takes no older ones than its head */
    if (kind == COPY) {
        PGconn *db = connect_to_database();
        run_sql(db,
                "CREATE TABLE row (host integer, at timestamptz, nonpaged boolean, tag bytea,"
                " allocs bigint, frees bigint, bytes bigint)",
                PGRES_COMMAND_OK);
        PQfinish(db);
    }
    struct worker *workers = calloc(connections, sizeof *workers);
    if (workers == NULL)
        die("could not start", "out of memory");
    double new_series_s = run(workers, true);
    double first = (double)atomic_exchange(&documents, 0) * rows * 3;
    double took = run(workers, false);
    double written = (double)atomic_load(&documents);
    printf("{\"documents\":%.0f,\"seconds\":%.3f,\"rate\":%.1f,\"values_rate\":%.0f,"
           "\"new_series_values_rate\":%.0f,\"refused\":%llu}\n",
           written, took, written / took, written * rows * 3 / took, first / new_series_s,
           (unsigned long long)atomic_load(&refused));
    free(workers);
    return atomic_load(&refused) == 0 ? 0 : 1;
}
