/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Working hours of a leak. What grows by day and sleeps at night and at weekends is straight over
 * its own hours only: learned from the course, used to draw it on. Hours are relative to the newest
 * point. Pure, thread-safe.
 */
#ifndef SERVER_ANALYZE_PACE_H
#define SERVER_ANALYZE_PACE_H

#include "common/clock.h"

#include <stdbool.h>
#include <stddef.h>

#define PACE_PARTS 4 /* of a day: the history behind the newest day has a point in six hours */

struct pace {
    bool cycles; /* else own hours are hours */
    int64_t now_us;
    double weight[2][PACE_PARTS]; /* working days, weekends; own hours in an hour */
};

void pace_learn(const double *hours, const double *bytes, size_t count, int64_t now_us,
                struct pace *ret_pace);
/* Own hours from `hour` to now, negative for the past. */
double pace_own(const struct pace *pace, double hour);
/* Hours from now until `own` own hours have gone by; `most` when they do not before. */
double pace_hours(const struct pace *pace, double own, double most);

#endif
