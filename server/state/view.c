/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building: first the set of all (pool, tag), then one pass per group of hosts (the fleet, and
 * each cohort) that gathers the group's values per tag side by side and selects quantiles in
 * place. Hosts are decoded again for each pass: their compact form is small and the plain one of
 * ten thousand hosts is not.
 */
#include "server/state/view.h"

#include "server/analyze/robust.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- the set of keys ----------------------------------------------------------------------------
 */

#define KEY_EMPTY UINT64_MAX

struct key_set { /* open addressing; slots hold keys, places their index once sorted */
    uint64_t *slots;
    uint32_t *places;
    size_t mask;
    size_t count;
};

static uint64_t key_of(enum pool pool, uint32_t tag)
{
    return (uint64_t)pool << 32 | tag;
}

static void key_set_done(struct key_set *set)
{
    free(set->slots);
    free(set->places);
}

static size_t key_slot(const struct key_set *set, uint64_t key)
{
    size_t at = (size_t)(key * 0x9E3779B97F4A7C15ull >> 20) & set->mask;
    while (set->slots[at] != KEY_EMPTY && set->slots[at] != key)
        at = (at + 1) & set->mask;
    return at;
}

static enum status key_set_grow(struct key_set *set)
{
    struct key_set old = *set;
    size_t size = old.slots == NULL ? 8192 : (old.mask + 1) * 2;

    set->slots = malloc(size * sizeof *set->slots);
    set->mask = size - 1;
    if (set->slots == NULL) {
        *set = old;
        return ST_NOMEM;
    }
    memset(set->slots, 0xff, size * sizeof *set->slots);
    for (size_t i = 0; old.slots != NULL && i <= old.mask; i++)
        if (old.slots[i] != KEY_EMPTY)
            set->slots[key_slot(set, old.slots[i])] = old.slots[i];
    free(old.slots);
    return ST_OK;
}

static enum status key_set_add(struct key_set *set, uint64_t key)
{
    if ((set->slots == NULL || set->count * 2 > set->mask) && key_set_grow(set) != ST_OK)
        return ST_NOMEM;
    size_t slot = key_slot(set, key);
    if (set->slots[slot] == KEY_EMPTY) {
        set->slots[slot] = key;
        set->count++;
    }
    return ST_OK;
}

static int key_compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

/* ---- one pass over a group of hosts -------------------------------------------------------------
 */

typedef void (*row_function)(void *arg, size_t host, size_t place, enum pool pool,
                             const struct snapshot_table *table, size_t row);

static enum status each_row(const struct fleet_view *view, const struct key_set *keys, size_t host,
                            row_function function, void *arg)
{
    AUTO_ARENA struct arena arena = {0};
    struct snapshot_table table[POOL_COUNT];
    size_t place = 0;
    enum status status = host_state_tables(view->list.items[host], &arena, table);

    if (status != ST_OK)
        return status;
    for (size_t p = 0; p < POOL_COUNT; p++) {
        if (!table[p].present || table[p].bytes == NULL)
            continue;
        for (size_t row = 0; row < table[p].count; row++) {
            /* Both sides are sorted: walking along is many times cheaper than looking up. */
            uint64_t key = key_of((enum pool)p, table[p].tag[row]);
            while (keys->places != NULL &&
                   key_of(view->tags[place].pool, view->tags[place].tag) < key)
                place++;
            function(arg, host, place, (enum pool)p, &table[p], row);
        }
    }
    return ST_OK;
}

struct group {
    struct fleet_view *view;
    const struct key_set *keys;
    const size_t *hosts;
    size_t host_count;
    uint32_t *counts; /* per tag */
    size_t *offsets;  /* per tag: where its values begin */
    double *values;
    bool totals; /* also sums, maxima and outstanding into view->tags */
};

static void count_row(void *arg, size_t host, size_t place, enum pool pool,
                      const struct snapshot_table *table, size_t row)
{
    struct group *group = arg;
    (void)host, (void)pool, (void)table, (void)row;
    group->counts[place]++;
}

static void total_row(struct view_tag *tag, size_t host, const struct snapshot_table *table,
                      size_t row)
{
    uint64_t bytes = table->bytes[row];

    if (tag->hosts++ == 0 || bytes > tag->max_bytes) {
        tag->max_bytes = bytes;
        tag->max_host = host;
    }
    tag->bytes += bytes;
    if (table->allocs == NULL || table->frees == NULL)
        return;
    tag->has_outstanding = true;
    tag->outstanding += counter_delta(table->allocs[row], table->frees[row]);
}

static void value_row(void *arg, size_t host, size_t place, enum pool pool,
                      const struct snapshot_table *table, size_t row)
{
    struct group *group = arg;
    (void)pool;
    group->values[group->offsets[place] + group->counts[place]++] = (double)table->bytes[row];
    if (group->totals)
        total_row(&group->view->tags[place], host, table, row);
}

static enum status group_pass(struct group *group, row_function function)
{
    memset(group->counts, 0, (group->view->tag_count + 1) * sizeof *group->counts);
    for (size_t i = 0; i < group->host_count; i++) {
        size_t host = group->hosts == NULL ? i : group->hosts[i];
        enum status status = each_row(group->view, group->keys, host, function, group);
        if (status != ST_OK)
            return status;
    }
    return ST_OK;
}

static void group_done(struct group *group)
{
    free(group->counts);
    free(group->offsets);
    free(group->values);
}

/* Gathers the values of all tags; afterwards counts and offsets tell where they are. */
static enum status group_gather(struct group *group)
{
    size_t tags = group->view->tag_count, total = 0;

    group->counts = calloc(tags + 1, sizeof *group->counts);
    group->offsets = calloc(tags + 1, sizeof *group->offsets);
    if (group->counts == NULL || group->offsets == NULL)
        return ST_NOMEM;
    enum status status = group_pass(group, count_row);
    if (status != ST_OK)
        return status;
    for (size_t i = 0; i < tags; i++) {
        group->offsets[i] = total;
        total += group->counts[i];
    }
    group->values = malloc((total + 1) * sizeof *group->values);
    return group->values == NULL ? ST_NOMEM : group_pass(group, value_row);
}

/* ---- the fleet, and each cohort
 * ------------------------------------------------------------------ */

static void key_row(void *arg, size_t host, size_t place, enum pool pool,
                    const struct snapshot_table *table, size_t row)
{
    struct key_set *keys = arg;
    (void)host, (void)place;
    /* Out of memory shows as a set that stayed too small: build_keys() looks. */
    if (key_set_add(keys, key_of(pool, table->tag[row])) != ST_OK)
        keys->count = SIZE_MAX / 4;
}

static enum status build_keys(struct fleet_view *view, struct key_set *keys)
{
    if (key_set_grow(keys) != ST_OK)
        return ST_NOMEM;
    struct key_set blind = {0}; /* no places yet */
    for (size_t i = 0; i < view->list.count && keys->count < SIZE_MAX / 4; i++) {
        enum status status = each_row(view, &blind, i, key_row, keys);
        if (status != ST_OK)
            return status;
    }
    if (keys->count >= SIZE_MAX / 4)
        return ST_NOMEM;

    AUTO_FREE uint64_t *sorted = calloc(keys->count + 1, sizeof *sorted);
    keys->places = calloc(keys->mask + 1, sizeof *keys->places);
    view->tags = calloc(keys->count + 1, sizeof *view->tags);
    if (sorted == NULL || keys->places == NULL || view->tags == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i <= keys->mask; i++)
        if (keys->slots[i] != KEY_EMPTY)
            sorted[view->tag_count++] = keys->slots[i];
    qsort(sorted, view->tag_count, sizeof *sorted, key_compare);
    for (size_t i = 0; i < view->tag_count; i++) {
        keys->places[key_slot(keys, sorted[i])] = (uint32_t)i;
        view->tags[i].tag = (uint32_t)sorted[i];
        view->tags[i].pool = (enum pool)(sorted[i] >> 32);
        view->tags[i].max_host = VIEW_NONE;
    }
    return ST_OK;
}

static enum status build_fleet(struct fleet_view *view, const struct key_set *keys)
{
    struct group group = {
        .view = view, .keys = keys, .host_count = view->list.count, .totals = true};
    enum status status = group_gather(&group);

    for (size_t i = 0; status == ST_OK && i < view->tag_count; i++) {
        double *values = group.values + group.offsets[i];
        view->tags[i].median_bytes = (uint64_t)robust_median(values, group.counts[i]);
        view->tags[i].p99_bytes = (uint64_t)robust_quantile(values, group.counts[i], 0.99);
    }
    group_done(&group);
    return status;
}

static enum status build_cohort(struct fleet_view *view, const struct key_set *keys,
                                const size_t *hosts, size_t host_count, struct view_cohort *cohort)
{
    struct group group = {.view = view, .keys = keys, .hosts = hosts, .host_count = host_count};

    cohort->hosts = host_count;
    cohort->peers = calloc(view->tag_count + 1, sizeof *cohort->peers);
    enum status status = cohort->peers == NULL ? ST_NOMEM : group_gather(&group);
    for (size_t i = 0; status == ST_OK && i < view->tag_count; i++) {
        double *values = group.values + group.offsets[i];
        struct view_peer *peer = &cohort->peers[i];
        peer->hosts = group.counts[i];
        peer->median = robust_median(values, peer->hosts);
        peer->mad = robust_mad(values, peer->hosts, peer->median);
    }
    group_done(&group);
    return status;
}

static void host_facts(const struct host_state *host, struct cohort_facts *ret_facts)
{
    const char *ram = host_state_attribute(host, "hw.ram_bytes");
    uint64_t ram_bytes = ram != NULL ? strtoull(ram, NULL, 10) : 0;
    int64_t uptime =
        host->boot_at_us == TIME_UNKNOWN ? TIME_UNKNOWN : host->taken_at_us - host->boot_at_us;

    if (ram_bytes == 0 && totals_has(&host->totals, TOTAL_PHYSICAL_BYTES))
        ram_bytes = host->totals.value[TOTAL_PHYSICAL_BYTES];
    cohort_facts_set(host_state_attribute(host, "os.build"), host_state_attribute(host, "role"),
                     ram_bytes, uptime, ret_facts);
}

/* All hosts that share what `like` has in common with its peers at this level. */
static enum status cohort_add(struct fleet_view *view, const struct key_set *keys,
                              const struct cohort_facts *facts, size_t like,
                              enum cohort_level level)
{
    AUTO_FREE size_t *hosts = calloc(view->list.count + 1, sizeof *hosts);
    struct view_cohort *cohort = &view->cohorts[view->cohort_count];
    size_t count = 0;

    if (hosts == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < view->list.count; i++)
        if (cohort_same(&facts[like], &facts[i], level))
            hosts[count++] = i;
    cohort_name(&facts[like], level, &cohort->name);
    view->cohort_count++;
    return build_cohort(view, keys, hosts, count, cohort);
}

static size_t cohort_find(const struct fleet_view *view, const struct cohort_choice *choices,
                          size_t host)
{
    for (size_t i = 0; i < host; i++)
        if (choices[i].level == choices[host].level && choices[i].group == choices[host].group)
            return view->host_cohort[i];
    return VIEW_NONE;
}

static enum status build_cohorts(struct fleet_view *view, const struct key_set *keys)
{
    size_t count = view->list.count;
    AUTO_FREE struct cohort_facts *facts = calloc(count + 1, sizeof *facts);
    AUTO_FREE struct cohort_choice *choices = calloc(count + 1, sizeof *choices);

    view->host_cohort = calloc(count + 1, sizeof *view->host_cohort);
    view->cohorts = calloc(count + 1, sizeof *view->cohorts);
    if (facts == NULL || choices == NULL || view->host_cohort == NULL || view->cohorts == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < count; i++)
        host_facts(view->list.items[i], &facts[i]);
    enum status status = cohort_choose(facts, count, choices);
    for (size_t i = 0; status == ST_OK && i < count; i++) {
        view->host_cohort[i] = VIEW_NONE;
        if (choices[i].level == COHORT_LEVEL_COUNT)
            continue;
        view->host_cohort[i] = cohort_find(view, choices, i);
        if (view->host_cohort[i] != VIEW_NONE)
            continue;
        view->host_cohort[i] = view->cohort_count;
        status = cohort_add(view, keys, facts, i, choices[i].level);
    }
    return status;
}

static void worst_row(void *arg, size_t host, size_t place, enum pool pool,
                      const struct snapshot_table *table, size_t row)
{
    struct fleet_view *view = arg;
    const struct view_peer *peer = &view->cohorts[view->host_cohort[host]].peers[place];
    struct view_worst *worst = &view->host_worst[host];
    uint64_t bytes = table->bytes[row];

    (void)pool;
    if (!((double)bytes >= peer->median + VIEW_MATTERS_BYTES)) /* also when there is no median */
        return;
    double score = view_peer_score(peer, bytes);
    if (!isnan(score) && (isnan(worst->score) || score > worst->score))
        *worst = (struct view_worst){score, place};
}

static enum status build_worst(struct fleet_view *view, const struct key_set *keys)
{
    view->host_worst = calloc(view->list.count + 1, sizeof *view->host_worst);
    if (view->host_worst == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < view->list.count; i++) {
        view->host_worst[i] = (struct view_worst){NAN, VIEW_NONE};
        enum status status =
            view->host_cohort[i] == VIEW_NONE ? ST_OK : each_row(view, keys, i, worst_row, view);
        if (status != ST_OK)
            return status;
    }
    return ST_OK;
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
    struct key_set keys = {0};

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

    enum status status = build_keys(view, &keys);
    if (status == ST_OK)
        status = build_fleet(view, &keys);
    if (status == ST_OK)
        status = build_cohorts(view, &keys);
    if (status == ST_OK)
        status = build_worst(view, &keys);
    key_set_done(&keys);
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

/* ---- reading
 * ------------------------------------------------------------------------------------- */

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

/* ---- the cache
 * ------------------------------------------------------------------------------------ */

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
