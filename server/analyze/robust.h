/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Robust statistics on doubles: a few wild values must not move them. Pure; no allocation, callers
 * give the scratch space. Values must be finite unless said otherwise. Thread-safe.
 */
#ifndef SERVER_ANALYZE_ROBUST_H
#define SERVER_ANALYZE_ROBUST_H

#include <stdbool.h>
#include <stddef.h>

/* Most points a trend looks at; longer series are thinned evenly, ends kept. 64 points are 2,016
 * pairs, enough for an interval and cheap enough for thousands of series. */
#define ROBUST_TREND_POINTS 64
#define ROBUST_TREND_PAIRS  (ROBUST_TREND_POINTS * (ROBUST_TREND_POINTS - 1) / 2)

/* All three reorder `values`. NAN when count is 0. */
double robust_median(double *values, size_t count);
/* The q-quantile, 0..1, with linear interpolation. */
double robust_quantile(double *values, size_t count, double q);
/* Median absolute deviation from `center`; `values` holds the deviations afterwards. */
double robust_mad(double *values, size_t count, double center);

/* Robust z: 0.6745 * (value - median) / mad. A spread below 2 % of the median counts as 2 %, so
 * that peers which agree to the byte do not make a hair's breadth an outlier. Cut at +-1000. NAN
 * when an input is NAN. */
double robust_score(double value, double median, double mad);

/* A line through points: y per unit of t. The interval is Kendall's distribution-free one. */
struct robust_trend {
    double slope;
    double slope_low; /* 10 % and 90 % points of the slope */
    double slope_high;
    double intercept; /* at t = 0 */
    double noise;     /* spread of the residuals, as a standard deviation */
};

struct robust_scratch {
    double pair[ROBUST_TREND_PAIRS + 1]; /* written one ahead, as the next is */
    double near[ROBUST_TREND_PAIRS];
    double t[ROBUST_TREND_POINTS];
    double y[ROBUST_TREND_POINTS];
};

/* Theil-Sen. t strictly rising. False with fewer than 3 points. */
bool robust_theil_sen(const double *t, const double *y, size_t count,
                      struct robust_scratch *scratch, struct robust_trend *ret_trend);

/* Pearson's r, NAN when one side does not vary. */
double robust_correlation(const double *x, const double *y, size_t count);

#endif
