/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/robust.h"

#include <math.h>

static void sort_few(double *values, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        double value = values[i];
        size_t at = i;
        for (; at > 0 && value < values[at - 1]; at--)
            values[at] = values[at - 1];
        values[at] = value;
    }
}

static double middle_of(double a, double b, double c)
{
    double low = a < b ? a : b;
    double high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}

/* Moves the values below the pivot to the front and returns how many they are. Which way a
 * comparison goes is not to be foreseen, so nothing branches on it. */
static size_t part(double *values, size_t count, double pivot)
{
    size_t below = 0;
    for (size_t i = 0; i < count; i++) {
        double value = values[i];
        values[i] = values[below];
        values[below] = value;
        below += value < pivot;
    }
    return below;
}

/* Moves the k-th smallest to place k, smaller ones before it (Hoare's find). */
static void select_nth(double *values, size_t count, size_t k)
{
    size_t few = 16;
    while (count > few) {
        double pivot = middle_of(values[0], values[count / 2], values[count - 1]);
        size_t below = part(values, count, pivot);
        if (k < below) {
            count = below;
            continue;
        }
        if (below == 0) { /* none is smaller: those that are equal are in their place */
            for (size_t i = 0; i < count; i++) {
                double value = values[i];
                values[i] = values[below];
                values[below] = value;
                below += value <= pivot;
            }
            if (k < below)
                return;
        }
        values += below;
        count -= below;
        k -= below;
    }
    sort_few(values, count);
}

/* A place between two ranks. */
struct rank {
    size_t low;
    double rest;
};

static struct rank rank_of(size_t count, double q)
{
    double place = q * (double)(count - 1);
    size_t low = (size_t)place;
    if (low >= count - 1)
        low = count - 1;
    return (struct rank){low, place - (double)low};
}

/* The quantile, when values[from..to) hold just the ranks from..to-1 and values[to] is in its
 * place. */
static double value_of(double *values, size_t count, size_t from, size_t to, struct rank rank)
{
    size_t low = rank.low;
    if (low >= from && low < to)
        select_nth(values + from, to - from, low - from);
    double at = values[low];
    if (rank.rest <= 0 || low + 1 >= count)
        return at;
    size_t end = low < to && to < count ? to + 1 : count;
    double next = values[low + 1];
    for (size_t i = low + 2; i < end; i++)
        next = values[i] < next ? values[i] : next;
    return at + rank.rest * (next - at);
}

double robust_quantile(double *values, size_t count, double q)
{
    return count == 0 ? NAN : value_of(values, count, 0, count, rank_of(count, q));
}

double robust_median(double *values, size_t count)
{
    return robust_quantile(values, count, 0.5);
}

double robust_mad(double *values, size_t count, double center)
{
    for (size_t i = 0; i < count; i++)
        values[i] = fabs(values[i] - center);
    return robust_median(values, count);
}

double robust_score(double value, double median, double mad)
{
    if (isnan(value) || isnan(median) || isnan(mad))
        return NAN;
    double spread = fmax(mad / 0.6745, 0.02 * fabs(median));
    double distance = value - median;
    if (distance == 0)
        return 0;
    if (spread <= 0)
        return distance > 0 ? 1000 : -1000;
    return fmin(fmax(distance / spread, -1000), 1000);
}

/* Copies the points, evenly thinned to what the pairs have room for; returns how many. */
static size_t thin(const double *t, const double *y, size_t count, struct robust_scratch *scratch)
{
    size_t kept = count < ROBUST_TREND_POINTS ? count : ROBUST_TREND_POINTS;
    for (size_t i = 0; i < kept; i++) {
        size_t from = kept == count ? i : i * (count - 1) / (kept - 1);
        scratch->t[i] = t[from];
        scratch->y[i] = y[from];
    }
    return kept;
}

/* All slopes between two points, in no order. */
static size_t fill_pairs(const struct robust_scratch *scratch, size_t n, double *pair)
{
    size_t pairs = 0;
    for (size_t i = 0; i + 1 < n; i++) {
        double t = scratch->t[i];
        double y = scratch->y[i];
        for (size_t j = i + 1; j < n; j++) {
            double apart = scratch->t[j] - t;
            pair[pairs] = (scratch->y[j] - y) / apart;
            pairs += apart > 0;
        }
    }
    return pairs;
}

/* Copies what lies around the ranks first to last into `near`, going by a sample: one pass without
 * branches is cheaper than the first rounds of a selection, and the ranks of a slope's interval lie
 * close together. Returns how many; *ret_below of the others are smaller than those. */
static size_t keep_near(const double *values, size_t count, size_t first, size_t last, double *near,
                        size_t *ret_below)
{
    enum { SAMPLE = 128, MARGIN = 12 }; /* two standard deviations of a rank in the sample */
    double sample[SAMPLE];
    for (size_t i = 0; i < SAMPLE; i++)
        sample[i] = values[i * count / SAMPLE];
    size_t low = first * SAMPLE / count;
    size_t high = last * SAMPLE / count + 1 + MARGIN;
    size_t from = low < MARGIN ? 0 : low - MARGIN;
    select_nth(sample, SAMPLE, from);
    double lowest = low < MARGIN ? -INFINITY : sample[from];
    if (high < SAMPLE)
        select_nth(sample + from, SAMPLE - from, high - from);
    double highest = high >= SAMPLE ? INFINITY : sample[high];
    size_t below = 0;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        double value = values[i];
        below += value < lowest;
        near[kept] = value;
        kept += (size_t)(value >= lowest) & (size_t)(value <= highest);
    }
    if (below <= first && last < below + kept) {
        *ret_below = below;
        return kept;
    }
    for (size_t i = 0; i < count; i++) /* the sample was not like the rest */
        near[i] = values[i];
    *ret_below = 0;
    return count;
}

/* Median and a quantile on either side of it: what robust_quantile says of each, for the price of
 * one. */
static void slope_interval(struct robust_scratch *scratch, size_t pairs, double low_q,
                           double high_q, struct robust_trend *trend)
{
    struct rank middle = rank_of(pairs, 0.5);
    struct rank low = rank_of(pairs, low_q);
    struct rank high = rank_of(pairs, high_q);
    double *values = scratch->pair;
    size_t count = pairs;
    if (pairs > 256) {
        size_t last = high.low + 1 < pairs ? high.low + 1 : high.low;
        size_t below;
        count = keep_near(scratch->pair, pairs, low.low, last, scratch->near, &below);
        values = scratch->near;
        middle.low -= below;
        low.low -= below;
        high.low -= below;
    }
    trend->slope = value_of(values, count, 0, count, middle);
    trend->slope_low = value_of(values, count, 0, middle.low, low);
    trend->slope_high = value_of(values, count, middle.low + 1, count, high);
}

bool robust_theil_sen(const double *t, const double *y, size_t count,
                      struct robust_scratch *scratch, struct robust_trend *ret_trend)
{
    if (count < 3)
        return false;
    size_t n = thin(t, y, count, scratch);
    size_t pairs = fill_pairs(scratch, n, scratch->pair);
    if (pairs == 0)
        return false;
    /* Kendall's variance of the number of concordant pairs; 1.2816 is the normal 90 % point. */
    double m = (double)n;
    double reach = 1.2816 * sqrt(m * (m - 1) * (2 * m + 5) / 18) / (2 * (double)pairs);
    struct robust_trend trend;
    slope_interval(scratch, pairs, fmax(0.5 - reach, 0), fmin(0.5 + reach, 1), &trend);
    for (size_t i = 0; i < n; i++)
        scratch->pair[i] = scratch->y[i] - trend.slope * scratch->t[i];
    trend.intercept = robust_median(scratch->pair, n);
    trend.noise = 1.4826 * robust_mad(scratch->pair, n, trend.intercept);
    *ret_trend = trend;
    return true;
}

double robust_correlation(const double *x, const double *y, size_t count)
{
    double mean_x = 0;
    double mean_y = 0;
    for (size_t i = 0; i < count; i++) {
        mean_x += x[i] / (double)count;
        mean_y += y[i] / (double)count;
    }
    double xx = 0;
    double yy = 0;
    double xy = 0;
    for (size_t i = 0; i < count; i++) {
        xx += (x[i] - mean_x) * (x[i] - mean_x);
        yy += (y[i] - mean_y) * (y[i] - mean_y);
        xy += (x[i] - mean_x) * (y[i] - mean_y);
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}
