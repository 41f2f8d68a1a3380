/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/workers.h"

#include <pthread.h>

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct work *first;
    struct work **last;
    size_t queued;
    size_t queue_max;
    bool stopping;
    unsigned count;
    pthread_t threads[];
};

static void *run(void *arg)
{
    struct workers *workers = arg;
    pthread_mutex_lock(&workers->lock);
    for (;;) {
        while (workers->first == NULL && !workers->stopping)
            pthread_cond_wait(&workers->wake, &workers->lock);
        struct work *work = workers->first;
        if (work == NULL)
            break;
        workers->first = work->next;
        if (workers->first == NULL)
            workers->last = &workers->first;
        workers->queued--;
        pthread_mutex_unlock(&workers->lock);
        work->run(work);
        pthread_mutex_lock(&workers->lock);
    }
    pthread_mutex_unlock(&workers->lock);
    return NULL;
}

enum status workers_new(unsigned threads, size_t queue_max, struct workers **ret_workers,
                        struct err *err)
{
    struct workers *workers = calloc(1, sizeof *workers + threads * sizeof(pthread_t));
    if (workers == NULL)
        return err_set(err, ST_NOMEM, "could not start threads: out of memory");
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->wake, NULL);
    workers->last = &workers->first;
    workers->queue_max = queue_max;
    for (; workers->count < threads; workers->count++) {
        if (pthread_create(&workers->threads[workers->count], NULL, run, workers) != 0) {
            workers_free(workers);
            return err_set(err, ST_IO, "could not start threads: out of threads");
        }
    }
    *ret_workers = workers;
    return ST_OK;
}

void workers_free(struct workers *workers)
{
    if (workers == NULL)
        return;
    pthread_mutex_lock(&workers->lock);
    workers->stopping = true;
    pthread_cond_broadcast(&workers->wake);
    pthread_mutex_unlock(&workers->lock);
    for (unsigned i = 0; i < workers->count; i++)
        pthread_join(workers->threads[i], NULL);
    pthread_cond_destroy(&workers->wake);
    pthread_mutex_destroy(&workers->lock);
    free(workers);
}

bool workers_add(struct workers *workers, struct work *work)
{
    pthread_mutex_lock(&workers->lock);
    bool fits = workers->queued < workers->queue_max && !workers->stopping;
    if (fits) {
        work->next = NULL;
        *workers->last = work;
        workers->last = &work->next;
        workers->queued++;
        pthread_cond_signal(&workers->wake);
    }
    pthread_mutex_unlock(&workers->lock);
    return fits;
}

size_t workers_queued(struct workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    size_t queued = workers->queued;
    pthread_mutex_unlock(&workers->lock);
    return queued;
}
