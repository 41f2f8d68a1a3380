/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a growing pool runs out, as an interval that holds the truth in 8 of 10 cases. The course of
 * all growing tags together is fitted and drawn on; how far it strayed from its own fit, and how
 * little of it was seen, make the interval. Bytes, hours relative to the newest point, times us
 * since 1970. Pure, thread-safe.
 */
#ifndef SERVER_ANALYZE_FORECAST_H
#define SERVER_ANALYZE_FORECAST_H

#include "common/snapshot.h"
#include "server/analyze/form.h"

#include <stdbool.h>

/* Beyond this nothing is foreseen: no host's load stays the same for so long. */
#define FORECAST_HORIZON_US (365 * US_PER_DAY)

/* Points a course may have; the caller thins. */
#define FORECAST_POINTS 160

struct forecast_course {
    size_t count;
    double hours[FORECAST_POINTS]; /* rising, the last is 0 */
    double bytes[POOL_COUNT][FORECAST_POINTS];
    bool bursts; /* it comes in bursts of chance size */
};

struct forecast_input {
    const struct snapshot_totals *totals;
    double commit_rest; /* committed beside the pools, usually; NAN: what totals say */
    int64_t now_us;     /* of the newest point */
    const struct forecast_course *course;
    const struct form *form; /* of all hosts of the incident, this one included; NULL: not known */
};

struct forecast {
    int64_t p10_us; /* the earliest; TIME_UNKNOWN: nothing foreseen */
    int64_t p50_us;
    int64_t p90_us;    /* the end of the horizon: perhaps later */
    const char *limit; /* static text; NULL: nothing foreseen */
};

/* Adds what the course shows of its fault's form. */
void forecast_form(const struct forecast_input *input, struct form *form);
/* Nothing is foreseen for what has stopped, saturates, or has been seen at less than four points.
 */
void forecast_exhaustion(const struct forecast_input *input, struct forecast *ret_forecast);

#endif
