/* SPDX-License-Identifier: Apache-2.0 */
#include "server/state/trends.h"

#include "server/store/store_rollups.h"
#include "server/store/store_tag_hours.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_EVERY_US US_PER_MINUTE

struct trends_cache {
    pthread_mutex_t lock;
    struct trends *trends; /* one reference; NULL: none read yet */
    int64_t mark_us;       /* of the rollup they were read after */
    int64_t looked_us;     /* monotonic */
};

struct trends_cache *trends_cache_new(void)
{
    struct trends_cache *cache = calloc(1, sizeof *cache);

    if (cache != NULL)
        pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

void trends_cache_free(struct trends_cache *cache)
{
    if (cache == NULL)
        return;
    trends_release(cache->trends);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

void trends_release(struct trends *trends)
{
    if (trends == NULL || __atomic_sub_fetch(&trends->references, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    free(trends->items);
    free(trends);
}

static int by_key(const void *left, const void *right)
{
    uint64_t a = ((const struct trend *)left)->key, b = ((const struct trend *)right)->key;
    return a < b ? -1 : a > b;
}

static uint64_t key_of(enum pool pool, uint32_t tag)
{
    return (uint64_t)pool << 32 | tag;
}

/* Rows come by pool and tag, so the rows of one tag stand together. */
static bool fill(const struct db_result *rows, struct trends *trends)
{
    trends->items = calloc(db_rows(rows) + 1, sizeof *trends->items);
    if (trends->items == NULL)
        return false;
    for (size_t i = 0; i < db_rows(rows); i++) {
        enum pool pool = POOL_UNKNOWN;
        uint32_t tag = 0;
        const char *text = db_text(rows, i, 1);
        int64_t place = db_i64(rows, i, 2);
        if (!pool_parse(db_text(rows, i, 0), &pool) || !tag_parse(text, strlen(text), &tag))
            continue;
        struct trend *trend = trends->count == 0 ? NULL : &trends->items[trends->count - 1];
        if (trend == NULL || trend->key != key_of(pool, tag)) {
            trend = &trends->items[trends->count++];
            trend->key = key_of(pool, tag);
            for (size_t k = 0; k < TREND_POINTS; k++)
                trend->sum[k] = INT64_MIN;
        }
        if (place >= 1 && place <= TREND_POINTS)
            trend->sum[place - 1] = db_i64(rows, i, 3);
    }
    qsort(trends->items, trends->count, sizeof *trends->items, by_key);
    return true;
}

static enum status build(struct db *db, struct trends **ret_trends, struct err *err)
{
    AUTO_DBRESULT struct db_result *rows = NULL;
    int64_t newest = TIME_UNKNOWN, hours[TREND_POINTS];
    enum status status = store_rollup_newest(db, &newest, err);

    if (status != ST_OK)
        return status;
    for (size_t i = 0; i < TREND_POINTS && newest != TIME_UNKNOWN; i++)
        hours[i] = newest - (int64_t)(TREND_POINTS - 1 - i) * TREND_STEP_US;
    if (newest != TIME_UNKNOWN)
        status = store_tag_sums(db, hours, TREND_POINTS, &rows, err);
    if (status != ST_OK)
        return status;
    AUTO_TRENDS struct trends *trends = calloc(1, sizeof *trends);
    if (trends == NULL)
        return err_set(err, ST_NOMEM, "could not read trends: out of memory");
    trends->references = 1;
    trends->newest_us = newest;
    if (rows != NULL && !fill(rows, trends))
        return err_set(err, ST_NOMEM, "could not read trends: out of memory");
    *ret_trends = TAKE(trends);
    return ST_OK;
}

/* With the lock: two requests that both find it old would read it twice. */
static enum status look(struct trends_cache *cache, struct db *db, struct err *err)
{
    struct trends *trends = NULL;
    int64_t mark = TIME_UNKNOWN;
    enum status status = store_mark_get(db, "rollup", &mark, err);

    if (status == ST_OK && (cache->trends == NULL || mark != cache->mark_us))
        status = build(db, &trends, err);
    if (status != ST_OK)
        return status;
    if (trends != NULL) {
        trends_release(cache->trends);
        cache->trends = trends;
        cache->mark_us = mark;
    }
    cache->looked_us = clock_mono_us();
    return ST_OK;
}

enum status trends_get(struct trends_cache *cache, struct db *db, struct trends **ret_trends,
                       struct err *err)
{
    enum status status = ST_OK;

    pthread_mutex_lock(&cache->lock);
    bool young = cache->trends != NULL && cache->trends->newest_us != TIME_UNKNOWN;
    if (!young || clock_mono_us() - cache->looked_us >= LOOK_EVERY_US)
        status = look(cache, db, err);
    if (status == ST_OK) {
        __atomic_add_fetch(&cache->trends->references, 1, __ATOMIC_ACQ_REL);
        *ret_trends = cache->trends;
    }
    pthread_mutex_unlock(&cache->lock);
    return status;
}

const struct trend *trends_find(const struct trends *trends, enum pool pool, uint32_t tag)
{
    struct trend key = {.key = key_of(pool, tag)};

    return trends->count == 0
               ? NULL
               : bsearch(&key, trends->items, trends->count, sizeof *trends->items, by_key);
}

int64_t trend_day(const struct trend *trend)
{
    if (trend == NULL)
        return INT64_MIN;
    int64_t now = trend->sum[TREND_POINTS - 1], then = trend->sum[TREND_POINTS - 1 - TREND_DAY];
    return now == INT64_MIN || then == INT64_MIN ? INT64_MIN : now - then;
}
