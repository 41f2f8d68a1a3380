/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limit probe of the ingest benchmark: what this machine can do at most for a body that is made
 * durable before it is answered. The same HTTP library in the same mode, requests suspended until
 * the commit, one committer with group commit, but nothing is read or checked: the body goes into a
 * table without index as it is. Our rate over this one is what our own work costs.
 *
 *   probe DATABASE-URL commit|empty     prints the port, then serves until it gets SIGTERM
 *
 * With `empty` it answers at once and stores nothing: what the HTTP library alone does.
 */
#include <arpa/inet.h>
#include <libpq-fe.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX  ((size_t)8 << 20)
#define GROUP_MAX 1024

struct request {
    struct MHD_Connection *connection;
    struct request *next;
    char *body;
    size_t length, room;
    bool done;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct request *first, *last;
    bool stopping;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static bool commits;
static PGconn *db;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "probe: %s: %s\n", what, why);
    exit(1);
}

/* ---- the committer ------------------------------------------------------------ */

static void put_u16(char **at, unsigned value)
{
    *(*at)++ = (char)(value >> 8);
    *(*at)++ = (char)value;
}

static void put_u32(char **at, uint32_t value)
{
    put_u16(at, value >> 16);
    put_u16(at, value & 0xffff);
}

/* COPY in binary form: one bytea a row. */
static void commit(struct request *const *group, size_t count)
{
    static const char head[19] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
    PGresult *result = PQexec(db, "COPY probe (body) FROM STDIN (FORMAT binary)");
    if (PQresultStatus(result) != PGRES_COPY_IN)
        die("could not copy", PQerrorMessage(db));
    PQclear(result);
    PQputCopyData(db, head, sizeof head);
    for (size_t i = 0; i < count; i++) {
        char row[6], *at = row;
        put_u16(&at, 1);
        put_u32(&at, (uint32_t)group[i]->length);
        PQputCopyData(db, row, sizeof row);
        PQputCopyData(db, group[i]->body, (int)group[i]->length);
    }
    PQputCopyData(db, "\377\377", 2);
    PQputCopyEnd(db, NULL);
    while ((result = PQgetResult(db)) != NULL) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            die("could not commit", PQerrorMessage(db));
        PQclear(result);
    }
}

static void *committer(void *arg)
{
    static struct request *group[GROUP_MAX];
    (void)arg;
    for (;;) {
        size_t count = 0;
        pthread_mutex_lock(&queue.lock);
        while (queue.first == NULL && !queue.stopping)
            pthread_cond_wait(&queue.changed, &queue.lock);
        while (queue.first != NULL && count < GROUP_MAX) {
            group[count++] = queue.first;
            queue.first = queue.first->next;
        }
        if (queue.first == NULL)
            queue.last = NULL;
        pthread_mutex_unlock(&queue.lock);
        if (count == 0)
            return NULL;
        commit(group, count);
        for (size_t i = 0; i < count; i++)
            MHD_resume_connection(group[i]->connection);
    }
}

static void enqueue(struct request *request)
{
    MHD_suspend_connection(request->connection);
    pthread_mutex_lock(&queue.lock);
    request->next = NULL;
    if (queue.last == NULL)
        queue.first = request;
    else
        queue.last->next = request;
    queue.last = request;
    pthread_cond_signal(&queue.changed);
    pthread_mutex_unlock(&queue.lock);
}

/* ---- HTTP --------------------------------------------------------------------- */

static enum MHD_Result reply(struct MHD_Connection *connection)
{
    static const char text[] = "{\"accepted\":1,\"duplicates\":0,\"rejected\":[]}";
    struct MHD_Response *response = MHD_create_response_from_buffer(
        sizeof text - 1, (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(response, "Content-Type", "application/json");
    enum MHD_Result result = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *length, void **context)
{
    struct request *request = *context;
    (void)cls, (void)url, (void)method, (void)version;
    if (request == NULL) {
        request = calloc(1, sizeof *request);
        if (request == NULL)
            return MHD_NO;
        request->connection = connection;
        *context = request;
        return MHD_YES;
    }
    if (*length > 0) {
        if (request->length + *length > BODY_MAX)
            return MHD_NO;
        if (request->length + *length > request->room) {
            request->room = (request->length + *length) * 2;
            request->body = realloc(request->body, request->room);
            if (request->body == NULL)
                return MHD_NO;
        }
        memcpy(request->body + request->length, data, *length);
        request->length += *length;
        *length = 0;
        return MHD_YES;
    }
    if (commits && !request->done) {
        request->done = true;
        enqueue(request);
        return MHD_YES;
    }
    return reply(connection);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct request *request = *context;
    (void)cls, (void)connection, (void)code;
    if (request != NULL)
        free(request->body);
    free(request);
    *context = NULL;
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 65536);
    if (file == NULL || text == NULL || fread(text, 1, 65535, file) == 0)
        die("could not read", path);
    fclose(file);
    return text;
}

static struct MHD_Daemon *serve(const char *certificate, const char *key)
{
    static struct sockaddr_in address = {.sin_family = AF_INET};
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                     (certificate != NULL ? MHD_USE_TLS : 0u);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, certificate == NULL ? NULL : read_file(certificate)},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, key == NULL ? NULL : read_file(key)},
        {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, NULL, MHD_OPTION_SOCK_ADDR, &address,
                            MHD_OPTION_THREAD_POOL_SIZE, 2u, MHD_OPTION_CONNECTION_LIMIT, 2000u,
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_ARRAY,
                            certificate != NULL ? tls : none, MHD_OPTION_END);
}

int main(int argc, char **argv)
{
    sigset_t wanted;
    pthread_t thread;
    int got;
    if (argc < 3 || argc == 4) {
        fprintf(stderr, "usage: probe DATABASE-URL commit|empty [CERTIFICATE KEY]\n");
        return 2;
    }
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    pthread_sigmask(SIG_BLOCK, &wanted, NULL);
    commits = strcmp(argv[2], "commit") == 0;
    db = PQconnectdb(argv[1]);
    /* As our own blocks: PostgreSQL is not to try to pack the body. */
    PQclear(PQexec(db, "SET client_min_messages = warning;"
                       "CREATE TABLE IF NOT EXISTS probe (body bytea NOT NULL);"
                       "ALTER TABLE probe ALTER COLUMN body SET STORAGE EXTERNAL"));
    if (PQstatus(db) != CONNECTION_OK)
        die("could not connect", PQerrorMessage(db));
    if (pthread_create(&thread, NULL, committer, NULL) != 0)
        die("could not start a thread", "");
    struct MHD_Daemon *daemon = serve(argc > 4 ? argv[3] : NULL, argc > 4 ? argv[4] : NULL);
    if (daemon == NULL)
        die("could not serve", "");
    printf("%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    sigwait(&wanted, &got);
    pthread_mutex_lock(&queue.lock);
    queue.stopping = true;
    pthread_cond_signal(&queue.changed);
    pthread_mutex_unlock(&queue.lock);
    pthread_join(thread, NULL);
    MHD_stop_daemon(daemon);
    PQfinish(db);
    return 0;
}
