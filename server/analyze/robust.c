/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/robust.h"

#include <math.h>

static void swap(double *a, double *b)
{
    double kept = *a;
    *a = *b;
    *b = kept;
}

/* Moves the k-th smallest to place k, smaller ones before it (Hoare's find, middle pivot: equal
 * and sorted inputs stay linear). */
static void select_nth(double *values, size_t count, size_t k)
{
    size_t left = 0;
    size_t right = count - 1;
    while (left < right) {
        double pivot = values[left + (right - left) / 2];
        size_t i = left;
        size_t j = right;
        for (;;) {
            while (values[i] < pivot)
                i++;
            while (pivot < values[j])
                j--;
            if (i >= j)
                break;
            swap(&values[i], &values[j]);
            i++;
            j--;
        }
        /* values[left..j] <= pivot <= values[j+1..right], give or take the middle itself */
        size_t split = values[j] <= pivot ? j : j - 1;
        if (k <= split)
            right = split == right ? right - 1 : split;
        else
            left = split + 1;
    }
}

double robust_quantile(double *values, size_t count, double q)
{
    if (count == 0)
        return NAN;
    double place = q * (double)(count - 1);
    size_t low = (size_t)place;
    if (low >= count - 1)
        low = count - 1;
    select_nth(values, count, low);
    double at = values[low];
    double rest = place - (double)low;
    if (rest <= 0 || low + 1 >= count)
        return at;
    double next = values[low + 1];
    for (size_t i = low + 2; i < count; i++) {
        if (values[i] < next)
            next = values[i];
    }
    return at + rest * (next - at);
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

bool robust_theil_sen(const double *t, const double *y, size_t count,
                      struct robust_scratch *scratch, struct robust_trend *ret_trend)
{
    if (count < 3)
        return false;
    size_t n = thin(t, y, count, scratch);
    size_t pairs = 0;
    for (size_t i = 0; i + 1 < n; i++) {
        for (size_t j = i + 1; j < n; j++) {
            double apart = scratch->t[j] - scratch->t[i];
            if (apart > 0)
                scratch->pair[pairs++] = (scratch->y[j] - scratch->y[i]) / apart;
        }
    }
    if (pairs == 0)
        return false;
    /* Kendall's variance of the number of concordant pairs; 1.2816 is the normal 90 % point. */
    double m = (double)n;
    double reach = 1.2816 * sqrt(m * (m - 1) * (2 * m + 5) / 18) / (2 * (double)pairs);
    struct robust_trend trend;
    trend.slope = robust_median(scratch->pair, pairs);
    trend.slope_low = robust_quantile(scratch->pair, pairs, fmax(0.5 - reach, 0));
    trend.slope_high = robust_quantile(scratch->pair, pairs, fmin(0.5 + reach, 1));
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
