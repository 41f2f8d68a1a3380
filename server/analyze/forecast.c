/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/forecast.h"

#include <math.h>

/* What fills which limit. Physical memory is full when nothing is left to trim: a twentieth is
 * taken as out of reach. */
static const struct {
    const char *name;
    enum total used;
    enum total limit;
    double share;
    bool pool[POOL_COUNT];
} limits[] = {
    {"nonpaged_limit", TOTAL_NONPAGED_BYTES, TOTAL_NONPAGED_LIMIT_BYTES, 1, {true, false}},
    {"paged_limit", TOTAL_PAGED_BYTES, TOTAL_PAGED_LIMIT_BYTES, 1, {false, true}},
    {"commit", TOTAL_COMMIT_BYTES, TOTAL_COMMIT_LIMIT_BYTES, 1, {true, true}},
    {"physical", TOTAL_NONPAGED_BYTES, TOTAL_PHYSICAL_BYTES, 0.95, {true, false}},
};

static int64_t after(int64_t now_us, double room, double rate)
{
    if (!(rate > 0))
        return TIME_UNKNOWN;
    double us = fmax(room, 0) / rate * (double)US_PER_HOUR;
    return us <= (double)FORECAST_HORIZON_US ? now_us + (int64_t)us : TIME_UNKNOWN;
}

void forecast_exhaustion(const struct snapshot_totals *totals, int64_t now_us,
                         const struct forecast_rate rate[POOL_COUNT], struct forecast *ret_forecast)
{
    struct forecast best = {TIME_UNKNOWN, TIME_UNKNOWN, TIME_UNKNOWN, NULL};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (!totals_has(totals, limits[i].used) || !totals_has(totals, limits[i].limit))
            continue;
        double room = limits[i].share * (double)totals->value[limits[i].limit] -
                      (double)totals->value[limits[i].used];
        struct forecast_rate sum = {0, 0, 0};
        for (int pool = 0; pool < POOL_COUNT; pool++) {
            if (!limits[i].pool[pool])
                continue;
            sum.low += rate[pool].low;
            sum.middle += rate[pool].middle;
            sum.high += rate[pool].high;
        }
        int64_t p50 = after(now_us, room, sum.middle);
        if (p50 == TIME_UNKNOWN || (best.limit != NULL && p50 >= best.p50_us))
            continue;
        best.limit = limits[i].name;
        best.p50_us = p50;
        best.p10_us = after(now_us, room, fmax(sum.high, sum.middle));
        best.p90_us = after(now_us, room, fmin(sum.low, sum.middle));
    }
    *ret_forecast = best;
}
