/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/reply_cache.h"

#include "common/clock.h"
#include "server/http/head.h"
#include "server/http/reply.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    char *key; /* NULL: free */
    uint64_t stamp;
    int64_t made_us;
    int64_t cost_us;
    int64_t used_us;
    bool making; /* a request is making the next one */
    bool packed;
    enum media media;
    char *etag;
    struct strbuf body; /* empty: never made */
};

struct reply_cache {
    pthread_mutex_t lock;
    struct entry entries[REPLY_CACHE_ENTRIES];
};

struct reply_cache *reply_cache_new(void)
{
    struct reply_cache *cache = calloc(1, sizeof *cache);
    if (cache != NULL)
        pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

static void entry_done(struct entry *entry)
{
    free(entry->key);
    free(entry->etag);
    strbuf_done(&entry->body);
    *entry = (struct entry){0};
}

void reply_cache_free(struct reply_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < REPLY_CACHE_ENTRIES; i++)
        entry_done(&cache->entries[i]);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

/* Under the lock; so are the next two. */
static struct entry *find(struct reply_cache *cache, const char *key)
{
    for (size_t i = 0; i < REPLY_CACHE_ENTRIES; i++)
        if (cache->entries[i].key != NULL && strcmp(cache->entries[i].key, key) == 0)
            return &cache->entries[i];
    return NULL;
}

/* A free place, else the one not used for longest that nobody works on. */
static struct entry *place(struct reply_cache *cache, const char *key)
{
    struct entry *best = NULL;
    for (size_t i = 0; i < REPLY_CACHE_ENTRIES; i++) {
        struct entry *entry = &cache->entries[i];
        if (entry->making)
            continue;
        if (best == NULL || (entry->key == NULL && best->key != NULL) ||
            (best->key != NULL && entry->used_us < best->used_us))
            best = entry;
    }
    if (best != NULL) {
        entry_done(best);
        best->key = strdup(key);
    }
    return best == NULL || best->key == NULL ? NULL : best;
}

static bool copy_out(const struct entry *entry, struct resp *rs)
{
    char *etag = entry->etag == NULL ? NULL : strdup(entry->etag);

    strbuf_clear(&rs->body);
    strbuf_add(&rs->body, entry->body.data, entry->body.length);
    if (strbuf_failed(&rs->body) || (entry->etag != NULL && etag == NULL)) {
        free(etag);
        strbuf_done(&rs->body);
        return false;
    }
    free((char *)(uintptr_t)rs->etag);
    rs->etag = etag;
    rs->media = entry->media;
    rs->gzipped = entry->packed;
    return true;
}

bool reply_cache_get(struct reply_cache *cache, const char *accept_encoding, const char *key,
                     uint64_t stamp, struct resp *rs)
{
    int64_t now = clock_mono_us();
    bool got = false;

    pthread_mutex_lock(&cache->lock);
    struct entry *entry = find(cache, key);
    if (entry == NULL && (entry = place(cache, key)) == NULL) {
        pthread_mutex_unlock(&cache->lock);
        return false;
    }
    int64_t age_max = entry->cost_us * 20;
    if (age_max > REPLY_CACHE_AGE_US)
        age_max = REPLY_CACHE_AGE_US;
    bool fresh = entry->stamp == stamp && now - entry->made_us < age_max;
    bool takes = !entry->packed || head_accepts_gzip(accept_encoding);
    entry->used_us = now;
    if (entry->body.length > 0 && takes && (fresh || (entry->making && entry->stamp == stamp)))
        got = copy_out(entry, rs);
    if (!got)
        entry->making = true;
    pthread_mutex_unlock(&cache->lock);
    return got;
}

void reply_cache_drop(struct reply_cache *cache, const char *key)
{
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = find(cache, key);
    if (entry != NULL)
        entry_done(entry);
    pthread_mutex_unlock(&cache->lock);
}

void reply_cache_keep(struct reply_cache *cache, const char *accept_encoding, const char *key,
                      uint64_t stamp, int64_t began_us, struct resp *rs)
{
    int64_t now = clock_mono_us();

    if (now - began_us < REPLY_CACHE_CHEAP_US) {
        reply_cache_drop(cache, key);
        return;
    }
    if (head_accepts_gzip(accept_encoding)) {
        AUTO_STRBUF struct strbuf packed = STRBUF_INIT;
        if (gzip_write(&packed, rs->body.data, rs->body.length, 4)) {
            struct strbuf plain = rs->body;
            rs->body = packed;
            packed = plain;
            rs->gzipped = true;
        }
    }
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = find(cache, key);
    if (entry != NULL) {
        strbuf_clear(&entry->body);
        strbuf_add(&entry->body, rs->body.data, rs->body.length);
        free(entry->etag);
        entry->etag = rs->etag == NULL ? NULL : strdup(rs->etag);
        entry->stamp = stamp;
        entry->made_us = clock_mono_us();
        entry->cost_us = entry->made_us - began_us;
        entry->making = false;
        entry->packed = rs->gzipped;
        entry->media = rs->media;
        if (strbuf_failed(&entry->body) || (rs->etag != NULL && entry->etag == NULL))
            entry_done(entry);
    }
    pthread_mutex_unlock(&cache->lock);
}
