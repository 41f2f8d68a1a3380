/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of a row over the peers of a host, worked out once per (peer group, pool, tag). */
#include "server/analyze/detect.h"

#include <math.h>
#include <stdlib.h>

#define LOG_FLOOR (64.0 * 1024)

struct entry {
    uint64_t key; /* group, pool, tag; 0 with used == false */
    bool used;
    struct peer_stats stats;
};

/* Hosts of one kind share their peers. */
struct group {
    uint32_t *hosts; /* NULL: not listed yet */
    size_t count;
};

struct peer_cache {
    const struct fleet *fleet;
    struct group *groups;
    struct entry *entries;
    size_t room; /* power of two */
    size_t count;
    double *bytes; /* scratch, one per host */
    double *work;
};

struct peer_cache *peer_cache_new(const struct fleet *fleet)
{
    struct peer_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL)
        return NULL;
    cache->fleet = fleet;
    cache->room = 1024;
    cache->groups = calloc(fleet->count + 1, sizeof *cache->groups);
    cache->entries = calloc(cache->room, sizeof *cache->entries);
    cache->bytes = calloc(fleet->count + 1, sizeof *cache->bytes);
    cache->work = calloc(fleet->count + 1, sizeof *cache->work);
    if (cache->groups == NULL || cache->entries == NULL || cache->bytes == NULL ||
        cache->work == NULL) {
        peer_cache_free(cache);
        return NULL;
    }
    return cache;
}

void peer_cache_free(struct peer_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; cache->groups != NULL && i < cache->fleet->count; i++)
        free(cache->groups[i].hosts);
    free(cache->groups);
    free(cache->entries);
    free(cache->bytes);
    free(cache->work);
    free(cache);
}

static bool list_group(struct peer_cache *cache, size_t host)
{
    const struct fleet *fleet = cache->fleet;
    const struct fleet_host *self = &fleet->hosts[host];
    struct group *group = &cache->groups[self->choice.group];
    if (group->hosts != NULL)
        return true;
    group->hosts = calloc(fleet->count, sizeof *group->hosts);
    if (group->hosts == NULL)
        return false;
    for (size_t i = 0; i < fleet->count; i++) {
        if (cohort_same(&self->cohort, &fleet->hosts[i].cohort, self->choice.level))
            group->hosts[group->count++] = (uint32_t)i;
    }
    return true;
}

static size_t find_slot(const struct entry *entries, size_t room, uint64_t key)
{
    uint64_t hash = key * 0x9E3779B97F4A7C15u;
    size_t slot = (hash >> 32) & (room - 1);
    while (entries[slot].used && entries[slot].key != key)
        slot = (slot + 1) & (room - 1);
    return slot;
}

static bool grow(struct peer_cache *cache)
{
    size_t room = cache->room * 2;
    struct entry *entries = calloc(room, sizeof *entries);
    if (entries == NULL)
        return false;
    for (size_t i = 0; i < cache->room; i++) {
        if (cache->entries[i].used)
            entries[find_slot(entries, room, cache->entries[i].key)] = cache->entries[i];
    }
    free(cache->entries);
    cache->entries = entries;
    cache->room = room;
    return true;
}

enum measure { MEASURE_LOG, MEASURE_SHARE, MEASURE_3H, MEASURE_24H };

/* Sorts the lower half of cache->work to the front. */
static size_t calmer_half(struct peer_cache *cache, size_t count)
{
    double median = robust_median(cache->work, count);
    size_t half = 0;
    for (size_t i = 0; i < count && half < (count + 1) / 2; i++) {
        if (cache->work[i] <= median)
            cache->work[half++] = cache->work[i];
    }
    return half;
}

static void center_calm(struct peer_cache *cache, const struct group *group, enum pool pool,
                        uint32_t tag, bool day, double *ret_median, double *ret_mad)
{
    for (size_t i = 0; i < group->count; i++) {
        const struct feature *feature =
            fleet_feature(&cache->fleet->hosts[group->hosts[i]], pool, tag);
        cache->work[i] = feature == NULL ? 0 : (double)(day ? feature->rate_24h : feature->rate_3h);
    }
    size_t half = calmer_half(cache, group->count);
    *ret_median = robust_median(cache->work, half);
    *ret_mad = robust_mad(cache->work, half, *ret_median);
}

static void center(struct peer_cache *cache, const struct group *group, enum pool pool,
                   uint32_t tag, enum measure measure, double *ret_median, double *ret_mad)
{
    for (size_t i = 0; i < group->count; i++) {
        const struct fleet_host *host = &cache->fleet->hosts[group->hosts[i]];
        const struct feature *feature =
            measure < MEASURE_3H ? NULL : fleet_feature(host, pool, tag);
        double value = 0;
        if (measure == MEASURE_LOG)
            value = log2(cache->bytes[i] + LOG_FLOOR);
        else if (measure == MEASURE_SHARE)
            value = log2((cache->bytes[i] + LOG_FLOOR) / host->ram);
        else if (feature != NULL)
            value = (double)(measure == MEASURE_3H ? feature->rate_3h : feature->rate_24h);
        cache->work[i] = value;
    }
    *ret_median = robust_median(cache->work, group->count);
    *ret_mad = robust_mad(cache->work, group->count, *ret_median);
}

static void measure_peers(struct peer_cache *cache, const struct group *group, enum pool pool,
                          uint32_t tag, struct peer_stats *stats)
{
    for (size_t i = 0; i < group->count; i++)
        cache->bytes[i] = fleet_bytes(&cache->fleet->hosts[group->hosts[i]], pool, tag);
    for (size_t i = 0; i < group->count; i++)
        cache->work[i] = cache->bytes[i];
    stats->median = robust_median(cache->work, group->count);
    stats->p60 = robust_quantile(cache->work, group->count, 0.6);
    for (size_t i = 0; i < group->count; i++)
        cache->work[i] = cache->bytes[i] / cache->fleet->hosts[group->hosts[i]].ram;
    stats->share_p60 = robust_quantile(cache->work, group->count, 0.6);
    center(cache, group, pool, tag, MEASURE_LOG, &stats->log_median, &stats->log_mad);
    center(cache, group, pool, tag, MEASURE_SHARE, &stats->share_median, &stats->share_mad);
    center(cache, group, pool, tag, MEASURE_3H, &stats->rate_3h, &stats->rate_3h_mad);
    center(cache, group, pool, tag, MEASURE_24H, &stats->rate_24h, &stats->rate_24h_mad);
    center_calm(cache, group, pool, tag, false, &stats->calm_3h, &stats->calm_3h_mad);
    center_calm(cache, group, pool, tag, true, &stats->calm_24h, &stats->calm_24h_mad);
}

const struct peer_stats *peer_stats_get(struct peer_cache *cache, size_t host, enum pool pool,
                                        uint32_t tag)
{
    static const struct peer_stats none = {0};
    const struct cohort_choice *choice = &cache->fleet->hosts[host].choice;
    if (choice->level == COHORT_LEVEL_COUNT)
        return &none;
    uint64_t key = (uint64_t)choice->group << 33 | (uint64_t)pool << 32 | tag;
    size_t slot = find_slot(cache->entries, cache->room, key);
    if (cache->entries[slot].used)
        return &cache->entries[slot].stats;
    if (!list_group(cache, host) || (cache->count * 2 >= cache->room && !grow(cache)))
        return NULL;
    const struct group *group = &cache->groups[choice->group];
    slot = find_slot(cache->entries, cache->room, key);
    struct entry *entry = &cache->entries[slot];
    entry->used = true;
    entry->key = key;
    entry->stats.peers = group->count;
    entry->stats.weak = choice->level == COHORT_ANY_ROLE;
    measure_peers(cache, group, pool, tag, &entry->stats);
    cache->count++;
    return &entry->stats;
}
