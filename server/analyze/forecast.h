/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a growing pool runs out, as an interval. Rates are bytes per hour of all growing tags
 * together, times us since 1970. Pure, thread-safe.
 */
#ifndef SERVER_ANALYZE_FORECAST_H
#define SERVER_ANALYZE_FORECAST_H

#include "common/snapshot.h"

/* Beyond this nothing is foreseen: no host's load stays the same for so long. */
#define FORECAST_HORIZON_US (365 * US_PER_DAY)

struct forecast_rate {
    double low; /* 80 % interval of the slope */
    double middle;
    double high;
};

struct forecast {
    int64_t p10_us; /* the earliest; TIME_UNKNOWN: nothing foreseen, or beyond the horizon */
    int64_t p50_us;
    int64_t p90_us;
    const char *limit; /* static text; NULL: nothing foreseen */
};

/* `rate` of each pool by itself. From `totals` at now_us on. */
void forecast_exhaustion(const struct snapshot_totals *totals, int64_t now_us,
                         const struct forecast_rate rate[POOL_COUNT],
                         struct forecast *ret_forecast);

#endif
