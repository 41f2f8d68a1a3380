/* SPDX-License-Identifier: Apache-2.0 */
#include "server/state/known_view.h"

#include <pthread.h>
#include <stdatomic.h>

struct known_view {
    atomic_size_t references;
    struct store_known_stamp stamp;
    struct known_list list;
};

struct known_cache {
    pthread_mutex_t lock;
    struct known_view *view; /* holds one reference; NULL: none read yet */
};

struct known_cache *known_cache_new(void)
{
    struct known_cache *cache = calloc(1, sizeof *cache);

    if (cache != NULL)
        pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

void known_cache_free(struct known_cache *cache)
{
    if (cache == NULL)
        return;
    known_view_release(cache->view);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

void known_view_release(struct known_view *view)
{
    if (view == NULL || atomic_fetch_sub(&view->references, 1) != 1)
        return;
    known_list_done(&view->list);
    free(view);
}

const struct known_list *known_view_list(const struct known_view *view)
{
    return &view->list;
}

int64_t known_view_revision(const struct known_view *view)
{
    return view->stamp.rows + view->stamp.revisions;
}

static struct known_view *current(struct known_cache *cache, const struct store_known_stamp *stamp)
{
    struct known_view *view = NULL;

    pthread_mutex_lock(&cache->lock);
    if (cache->view != NULL && cache->view->stamp.rows == stamp->rows &&
        cache->view->stamp.revisions == stamp->revisions) {
        view = cache->view;
        atomic_fetch_add(&view->references, 1);
    }
    pthread_mutex_unlock(&cache->lock);
    return view;
}

/* Two threads may read the same rows at once: the later one wins, and both are right. */
static void keep(struct known_cache *cache, struct known_view *view)
{
    atomic_fetch_add(&view->references, 1);
    pthread_mutex_lock(&cache->lock);
    struct known_view *old = cache->view;
    cache->view = view;
    pthread_mutex_unlock(&cache->lock);
    known_view_release(old);
}

enum status known_view_get(struct known_cache *cache, struct db *db, struct known_view **ret_view,
                           struct err *err)
{
    struct store_known_stamp stamp;
    enum status status = store_known_stamp(db, &stamp, err);

    if (status != ST_OK)
        return status;
    struct known_view *view = current(cache, &stamp);
    if (view == NULL) {
        view = calloc(1, sizeof *view);
        if (view == NULL)
            return err_set(err, ST_NOMEM, "could not read the known leaks: out of memory");
        atomic_init(&view->references, 1);
        /* The stamp was read first: rows that came since are read again the next time. */
        view->stamp = stamp;
        status = store_known_load(db, &view->list, err);
        if (status != ST_OK) {
            known_view_release(view);
            return status;
        }
        keep(cache, view);
    }
    *ret_view = view;
    return ST_OK;
}
