/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last week of every tag in a few points, for the list of tags: fleet sums every six hours,
 * from the hourly figures. Read again when a rollup has run, at most once a minute; an immutable
 * object, counted. All functions are thread-safe.
 */
#ifndef SERVER_STATE_TRENDS_H
#define SERVER_STATE_TRENDS_H

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/tag.h"
#include "server/store/db.h"

#define TREND_POINTS  29 /* seven days and the hour they began with */
#define TREND_STEP_US (6 * US_PER_HOUR)
#define TREND_DAY     4 /* steps in a day */

struct trend {
    uint64_t key;              /* pool << 32 | tag */
    int64_t sum[TREND_POINTS]; /* bytes, oldest first; INT64_MIN: nobody had it, or not known */
};
struct trends {
    size_t references;
    int64_t newest_us;   /* hour of the last point; TIME_UNKNOWN: nothing is rolled up yet */
    struct trend *items; /* by key */
    size_t count;
};

struct trends_cache;
struct trends_cache *trends_cache_new(void);        /* NULL when memory is out */
void trends_cache_free(struct trends_cache *cache); /* NULL allowed */
/* A reference; give back with trends_release. */
enum status trends_get(struct trends_cache *cache, struct db *db, struct trends **ret_trends,
                       struct err *err) MUST_CHECK;
void trends_release(struct trends *trends); /* NULL allowed */
static inline void cleanup_trends(struct trends **trends)
{
    trends_release(*trends);
}
#define AUTO_TRENDS CLEANUP(cleanup_trends)

/* NULL when nothing is known of the tag. */
const struct trend *trends_find(const struct trends *trends, enum pool pool, uint32_t tag);
/* Change of the fleet's sum over the last day; INT64_MIN when either end is not known. */
int64_t trend_day(const struct trend *trend);

#endif
