/* SPDX-License-Identifier: Apache-2.0 */
#include "server/state/view.h"

#include "server/analyze/robust.h"
#include "server/state/view_build.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static uint64_t key_of(enum pool pool, uint32_t tag)
{
    return (uint64_t)pool << 32 | tag;
}

static void view_free(struct fleet_view *view)
{
    if (view == NULL)
        return;
    for (size_t i = 0; i < view->cohort_count; i++)
        free(view->cohorts[i].peers);
    free(view->cohorts);
    free(view->host_cohort);
    free(view->host_worst);
    free(view->tags);
    fleet_list_done(&view->list);
    free(view);
}

enum status fleet_view_new(struct fleet_list *list_take, struct fleet_view **ret_view,
                           struct err *err)
{
    struct fleet_view *view = calloc(1, sizeof *view);

    if (view == NULL) {
        fleet_list_done(list_take);
        return err_set(err, ST_NOMEM, "could not build fleet statistics: out of memory");
    }
    view->references = 1;
    view->list = *list_take;
    *list_take = (struct fleet_list){0};
    view->as_of_us = TIME_UNKNOWN;
    for (size_t i = 0; i < view->list.count; i++)
        if (view->list.items[i]->taken_at_us > view->as_of_us)
            view->as_of_us = view->list.items[i]->taken_at_us;

    enum status status = view_build(view);
    if (status != ST_OK) {
        view_free(view);
        return err_set(err, status, "could not build fleet statistics: %s", status_title(status));
    }
    *ret_view = view;
    return ST_OK;
}

void fleet_view_release(struct fleet_view *view)
{
    if (view != NULL && __atomic_sub_fetch(&view->references, 1, __ATOMIC_ACQ_REL) == 0)
        view_free(view);
}

/* ---- reading ---------------------------------------------------------------- */

size_t fleet_view_tag(const struct fleet_view *view, enum pool pool, uint32_t tag)
{
    uint64_t key = key_of(pool, tag);
    size_t low = 0, high = view->tag_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint64_t here = key_of(view->tags[middle].pool, view->tags[middle].tag);
        if (here == key)
            return middle;
        if (here < key)
            low = middle + 1;
        else
            high = middle;
    }
    return VIEW_NONE;
}

size_t fleet_view_host(const struct fleet_view *view, const char *id)
{
    size_t low = 0, high = view->list.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(view->list.items[middle]->id, id);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return VIEW_NONE;
}

const struct view_cohort *fleet_view_cohort(const struct fleet_view *view, size_t host)
{
    if (host >= view->list.count || view->host_cohort[host] == VIEW_NONE)
        return NULL;
    return &view->cohorts[view->host_cohort[host]];
}

const struct view_peer *fleet_view_peer(const struct fleet_view *view, size_t host, enum pool pool,
                                        uint32_t tag)
{
    const struct view_cohort *cohort = fleet_view_cohort(view, host);
    size_t place = fleet_view_tag(view, pool, tag);

    if (cohort == NULL || place == VIEW_NONE || cohort->peers[place].hosts == 0)
        return NULL;
    return &cohort->peers[place];
}

double view_peer_score(const struct view_peer *peer, uint64_t bytes)
{
    /* Fewer values than a cohort needs hosts: a median of three is no yardstick. */
    if (peer == NULL || peer->hosts <= COHORT_PEERS_MIN)
        return NAN;
    return robust_score((double)bytes, peer->median, peer->mad);
}

/* ---- the cache -------------------------------------------------------------- */

struct fleet_view_cache {
    struct fleet *fleet;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* built, wanted or stopping */
    pthread_t thread;
    struct fleet_view *view; /* one reference; NULL before the first */
    int64_t built_at_us;     /* monotonic, end of the last build */
    int64_t cost_us;         /* of the last build */
    int64_t wanted_at_us;    /* last reader */
    bool building;
    bool stopping;
};

/* Look for changes this often while somebody reads; a reader is gone after two minutes. */
#define CACHE_TICK_US (250 * US_PER_MS)
#define CACHE_IDLE_US (2 * US_PER_MINUTE)
/* Without readers new views are still made, so that the next one need not wait. */
#define CACHE_IDLE_PAUSE_US (20 * US_PER_SECOND)
#define CACHE_SHARE         20

static bool cache_is_current(const struct fleet_view_cache *cache)
{
    return cache->view != NULL && cache->view->list.generation == fleet_generation(cache->fleet);
}

/* Builds and swaps. Called and returns with the lock held; only while `building` is ours. */
static enum status cache_build(struct fleet_view_cache *cache, struct err *err)
{
    struct fleet_list list = {0};
    struct fleet_view *view = NULL;

    cache->building = true;
    pthread_mutex_unlock(&cache->lock);
    int64_t start = clock_mono_us();
    enum status status = fleet_list(cache->fleet, &list);
    if (status != ST_OK)
        status = err_set(err, status, "could not list the hosts: %s", status_title(status));
    else
        status = fleet_view_new(&list, &view, err);
    int64_t end = clock_mono_us();
    pthread_mutex_lock(&cache->lock);
    if (status == ST_OK) {
        struct fleet_view *old = cache->view;
        cache->view = view;
        cache->built_at_us = end;
        cache->cost_us = end - start;
        fleet_view_release(old);
    }
    cache->building = false;
    pthread_cond_broadcast(&cache->changed);
    return status;
}

static void cache_wait(struct fleet_view_cache *cache, int64_t us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + us % US_PER_SECOND * 1000;
    until.tv_sec += us / US_PER_SECOND + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_cond_timedwait(&cache->changed, &cache->lock, &until);
}

static void *cache_main(void *arg)
{
    struct fleet_view_cache *cache = arg;

    pthread_mutex_lock(&cache->lock);
    while (!cache->stopping) {
        int64_t now = clock_mono_us();
        int64_t pause = cache->cost_us * CACHE_SHARE;
        if (now - cache->wanted_at_us > CACHE_IDLE_US && pause < CACHE_IDLE_PAUSE_US)
            pause = CACHE_IDLE_PAUSE_US;
        bool due = cache->view == NULL || now - cache->built_at_us >= pause;
        if (cache->building || !due || cache_is_current(cache)) {
            cache_wait(cache, CACHE_TICK_US);
        } else if (cache_build(cache, NULL) != ST_OK) {
            cache_wait(cache, CACHE_TICK_US); /* the next reader past the age limit is told */
        }
    }
    pthread_mutex_unlock(&cache->lock);
    return NULL;
}

enum status fleet_view_cache_new(struct fleet *fleet, struct fleet_view_cache **ret_cache,
                                 struct err *err)
{
    struct fleet_view_cache *cache = calloc(1, sizeof *cache);
    pthread_condattr_t attributes;

    if (cache == NULL)
        return err_set(err, ST_NOMEM, "could not start fleet statistics: out of memory");
    cache->fleet = fleet;
    pthread_mutex_init(&cache->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&cache->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&cache->thread, NULL, cache_main, cache) != 0) {
        pthread_cond_destroy(&cache->changed);
        pthread_mutex_destroy(&cache->lock);
        free(cache);
        return err_set(err, ST_NOMEM, "could not start fleet statistics: no thread");
    }
    *ret_cache = cache;
    return ST_OK;
}

void fleet_view_cache_free(struct fleet_view_cache *cache)
{
    if (cache == NULL)
        return;
    pthread_mutex_lock(&cache->lock);
    cache->stopping = true;
    pthread_cond_broadcast(&cache->changed);
    pthread_mutex_unlock(&cache->lock);
    pthread_join(cache->thread, NULL);
    fleet_view_release(cache->view);
    pthread_cond_destroy(&cache->changed);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

/* Whether a reader must wait for a build rather than take what there is. */
static bool cache_must_build(const struct fleet_view_cache *cache, int64_t now)
{
    if (cache->view == NULL)
        return true;
    int64_t age_max = cache->cost_us * CACHE_SHARE * 2;
    if (age_max < VIEW_AGE_MAX_US)
        age_max = VIEW_AGE_MAX_US;
    return !cache_is_current(cache) &&
           (cache->cost_us <= VIEW_SYNC_US || now - cache->built_at_us > age_max);
}

enum status fleet_view_get(struct fleet_view_cache *cache, struct fleet_view **ret_view,
                           struct err *err)
{
    enum status status = ST_OK;
    bool built = false; /* our own build is new enough, whatever has arrived since */

    pthread_mutex_lock(&cache->lock);
    cache->wanted_at_us = clock_mono_us();
    while (status == ST_OK && !built && cache_must_build(cache, clock_mono_us())) {
        if (cache->building) {
            pthread_cond_wait(&cache->changed, &cache->lock);
            continue;
        }
        status = cache_build(cache, err);
        built = true;
    }
    if (status == ST_OK) {
        __atomic_add_fetch(&cache->view->references, 1, __ATOMIC_ACQ_REL);
        *ret_view = cache->view;
    }
    if (!cache_is_current(cache))
        pthread_cond_broadcast(&cache->changed);
    pthread_mutex_unlock(&cache->lock);
    return status;
}
