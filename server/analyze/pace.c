/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/pace.h"

#include <math.h>

/* docs/detection.md, "Thresholds of grouping, causes and forecast": pace */
#define DAYS_MIN   1.5  /* seen before a daily course is believed */
#define SLEEP_MAX  0.4  /* the slowest part of the day against the busiest */
#define STRENGTH   4.0  /* between parts over within them, as in an F test */
#define WEEKEND    0.15 /* of the working days, while no weekend was seen */
#define WEIGHT_MIN 0.01

static size_t part_of(double hour)
{
    double day = fmod(-hour, 24);
    size_t part = (size_t)(day / (24.0 / PACE_PARTS));
    return part < PACE_PARTS ? part : PACE_PARTS - 1;
}

static bool is_weekend(const struct pace *pace, double hour)
{
    int64_t at = pace->now_us + (int64_t)(hour * (double)US_PER_HOUR);
    int64_t day = at / US_PER_DAY; /* 1970 began on a Thursday */
    return (day + 4) % 7 == 0 || (day + 4) % 7 == 6;
}

struct part {
    double hours;
    double bytes;
    double squares; /* of rates, times hours */
    size_t count;
};

/* Growth of each stretch between two points goes to the part its middle lies in. */
static void sum_parts(const struct pace *pace, const double *hours, const double *bytes,
                      size_t count, struct part parts[2][PACE_PARTS])
{
    size_t i = 0;
    while (i + 1 < count) {
        size_t k = i + 1;
        while (k + 1 < count && hours[k] - hours[i] < 1) /* minutes are too noisy */
            k++;
        double apart = hours[k] - hours[i];
        double middle = (hours[i] + hours[k]) / 2;
        if (apart <= 8) {
            struct part *part = &parts[is_weekend(pace, middle)][part_of(middle)];
            double rate = fmax((bytes[k] - bytes[i]) / apart, 0);
            part->hours += apart;
            part->bytes += rate * apart;
            part->squares += rate * rate * apart;
            part->count++;
        }
        i = k;
    }
}

/* How far the parts of working days lie apart, against how far each strays in itself. */
static double strength(const struct part *parts)
{
    double hours = 0;
    double bytes = 0;
    double between = 0;
    double within = 0;
    size_t count = 0;
    for (size_t i = 0; i < PACE_PARTS; i++) {
        if (parts[i].hours <= 0)
            return 0;
        hours += parts[i].hours;
        bytes += parts[i].bytes;
        count += parts[i].count;
    }
    for (size_t i = 0; i < PACE_PARTS; i++) {
        double rate = parts[i].bytes / parts[i].hours;
        between += parts[i].hours * (rate - bytes / hours) * (rate - bytes / hours);
        within += parts[i].squares - parts[i].hours * rate * rate;
    }
    if (count <= PACE_PARTS)
        return 0;
    return between / (PACE_PARTS - 1) / fmax(within / (double)(count - PACE_PARTS), 1e-9);
}

void pace_learn(const double *hours, const double *bytes, size_t count, int64_t now_us,
                struct pace *ret_pace)
{
    struct part parts[2][PACE_PARTS] = {{{0, 0, 0, 0}}};
    struct pace pace = {.now_us = now_us};
    double busiest = 0;
    double slowest = INFINITY;
    double days = 0;
    double grown = 0;
    double ends_hours = 0;
    double ends = 0;
    *ret_pace = pace;
    if (count < 6 || -hours[0] < 24 * DAYS_MIN)
        return;
    sum_parts(&pace, hours, bytes, count, parts);
    for (size_t i = 0; i < PACE_PARTS; i++) {
        double rate = parts[0][i].hours > 0 ? parts[0][i].bytes / parts[0][i].hours : 0;
        busiest = fmax(busiest, rate);
        slowest = fmin(slowest, rate);
        days += parts[0][i].hours;
        grown += parts[0][i].bytes;
        ends_hours += parts[1][i].hours;
        ends += parts[1][i].bytes;
    }
    if (slowest > SLEEP_MAX * busiest || strength(parts[0]) < STRENGTH)
        return;
    double mean = grown / days;
    double end = ends_hours >= 20 ? fmin(ends / ends_hours / mean, 1) : WEEKEND;
    for (size_t i = 0; i < PACE_PARTS; i++) {
        double weight = parts[0][i].bytes / parts[0][i].hours / mean;
        pace.weight[0][i] = fmax(weight, WEIGHT_MIN);
        pace.weight[1][i] = fmax(weight * end, WEIGHT_MIN);
    }
    pace.cycles = true;
    *ret_pace = pace;
}

static double weight_at(const struct pace *pace, double hour)
{
    return pace
        ->weight[is_weekend(pace, hour)][hour > 0 ? part_of(fmod(hour, 24) - 24) : part_of(hour)];
}

double pace_own(const struct pace *pace, double hour)
{
    double own = 0;
    if (!pace->cycles)
        return hour;
    double from = hour;
    while (from < 0) {
        double to = fmin(floor(from + 1), 0);
        own += (to - from) * weight_at(pace, (from + to) / 2);
        from = to;
    }
    return -own;
}

double pace_hours(const struct pace *pace, double own, double most)
{
    if (!pace->cycles)
        return fmin(own, most);
    double hour = 0;
    for (double left = own; left > 0 && hour < most; hour++) {
        double weight = weight_at(pace, hour + 0.5);
        if (weight >= left)
            return hour + left / weight;
        left -= weight;
    }
    return fmin(hour, most);
}
