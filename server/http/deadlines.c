/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/deadlines.h"
#include "common/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>

#define LOOK_EVERY_SECONDS 1

struct conn {
    struct conn *next;
    struct conn **link; /* what points to us */
    int socket;
    _Atomic int64_t at_us;
};

struct deadlines {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool stopping;
    size_t count;
    uint64_t cut;
    struct conn *first;
};

static void cut_late(struct deadlines *deadlines)
{
    int64_t now = clock_mono_us();
    for (struct conn *conn = deadlines->first; conn != NULL; conn = conn->next) {
        if (atomic_load(&conn->at_us) > now)
            continue;
        /* Only shut down: microhttpd sees the end of the stream and closes it itself. */
        shutdown(conn->socket, SHUT_RDWR);
        atomic_store(&conn->at_us, DEADLINE_NEVER);
        deadlines->cut++;
    }
}

static void *run(void *arg)
{
    struct deadlines *deadlines = arg;
    struct timespec until;
    pthread_mutex_lock(&deadlines->lock);
    while (!deadlines->stopping) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += LOOK_EVERY_SECONDS;
        pthread_cond_timedwait(&deadlines->wake, &deadlines->lock, &until);
        cut_late(deadlines);
    }
    pthread_mutex_unlock(&deadlines->lock);
    return NULL;
}

enum status deadlines_new(struct deadlines **ret_deadlines, struct err *err)
{
    pthread_condattr_t attributes;
    struct deadlines *deadlines = calloc(1, sizeof *deadlines);
    if (deadlines == NULL)
        return err_set(err, ST_NOMEM, "could not start the server: out of memory");
    pthread_mutex_init(&deadlines->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&deadlines->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&deadlines->thread, NULL, run, deadlines) != 0) {
        free(deadlines);
        return err_set(err, ST_IO, "could not start the server: out of threads");
    }
    *ret_deadlines = deadlines;
    return ST_OK;
}

void deadlines_free(struct deadlines *deadlines)
{
    if (deadlines == NULL)
        return;
    pthread_mutex_lock(&deadlines->lock);
    deadlines->stopping = true;
    pthread_cond_signal(&deadlines->wake);
    pthread_mutex_unlock(&deadlines->lock);
    pthread_join(deadlines->thread, NULL);
    pthread_cond_destroy(&deadlines->wake);
    pthread_mutex_destroy(&deadlines->lock);
    free(deadlines);
}

struct conn *deadlines_add(struct deadlines *deadlines, int socket, int64_t at_us)
{
    struct conn *conn = malloc(sizeof *conn);
    if (conn == NULL)
        return NULL;
    conn->socket = socket;
    atomic_init(&conn->at_us, at_us);
    pthread_mutex_lock(&deadlines->lock);
    conn->next = deadlines->first;
    conn->link = &deadlines->first;
    if (conn->next != NULL)
        conn->next->link = &conn->next;
    deadlines->first = conn;
    deadlines->count++;
    pthread_mutex_unlock(&deadlines->lock);
    return conn;
}

void deadlines_remove(struct deadlines *deadlines, struct conn *conn)
{
    if (conn == NULL)
        return;
    pthread_mutex_lock(&deadlines->lock);
    *conn->link = conn->next;
    if (conn->next != NULL)
        conn->next->link = conn->link;
    deadlines->count--;
    pthread_mutex_unlock(&deadlines->lock);
    free(conn);
}

void deadlines_set(struct conn *conn, int64_t at_us)
{
    if (conn != NULL)
        atomic_store(&conn->at_us, at_us);
}

size_t deadlines_count(struct deadlines *deadlines)
{
    pthread_mutex_lock(&deadlines->lock);
    size_t count = deadlines->count;
    pthread_mutex_unlock(&deadlines->lock);
    return count;
}

uint64_t deadlines_cut(struct deadlines *deadlines)
{
    pthread_mutex_lock(&deadlines->lock);
    uint64_t cut = deadlines->cut;
    pthread_mutex_unlock(&deadlines->lock);
    return cut;
}
