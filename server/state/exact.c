/* SPDX-License-Identifier: Apache-2.0 */
#include "server/state/exact.h"

#include "server/analyze/explain.h"

#include <math.h>

static double log_choose(double n, double k)
{
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

/* explain_fisher sums with six logarithms of the gamma function a term: right for the few values
 * of one finding, too slow for thousands of values over thousands of hosts. Here each term is made
 * from the one before, and the sum ends where terms no longer count; a test compares both. */
static double tail(size_t a, size_t b, size_t c, size_t d)
{
    size_t with = a + c, side = a + b, all = a + b + c + d;
    size_t most = with < side ? with : side;
    double first =
        exp(log_choose((double)with, (double)a) + log_choose((double)(all - with), (double)b) -
            log_choose((double)all, (double)side));
    double term = first, sum = first;

    for (size_t k = a; k < most; k++) {
        double left = (double)(with - k) * (double)(side - k);
        double right = (double)(k + 1) * ((double)(all - with) - (double)(side - k) + 1);
        term *= left / right;
        sum += term;
        if (term < sum * 1e-17)
            break;
    }
    return sum > 1 ? 1 : sum;
}

double exact_p(const struct exact_table *t)
{
    double n = (double)(t->with + t->without), m = (double)(t->other_with + t->other_without);

    if (n == 0 || m == 0)
        return 1;
    bool more = (double)t->with * m >= (double)t->other_with * n;
    double p = more ? tail(t->with, t->without, t->other_with, t->other_without)
                    : tail(t->other_with, t->other_without, t->with, t->without);
    return p > 0.5 ? 1 : 2 * p;
}

double exact_least_p(const struct exact_table *t)
{
    size_t n = t->with + t->without, m = t->other_with + t->other_without;
    size_t with = t->with + t->other_with;
    size_t here = with < n ? with : n, there = with < m ? with : m;
    struct exact_table all_here = {here, n - here, with - here, m - (with - here)};
    struct exact_table all_there = {with - there, n - (with - there), there, m - there};
    double a = exact_p(&all_here), b = exact_p(&all_there);

    return a < b ? a : b;
}

/* ---- shares ----------------------------------------------------------------- */

#define FRACTION_STEPS 300
#define ROOT_STEPS     60

/* The continued fraction of the incomplete beta function (modified Lentz). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);

    d = 1 / (fabs(d) < tiny ? tiny : d);
    double value = d;
    for (int i = 1; i <= FRACTION_STEPS; i++) {
        double m = i;
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        for (int half = 0; half < 2; half++) {
            double step = half == 0 ? even : odd;
            d = 1 + step * d;
            c = 1 + step / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            value *= d * c;
        }
        if (fabs(d * c - 1) < 1e-14)
            break;
    }
    return value;
}

static double beta_part(double a, double b, double x, double log_beta)
{
    if (x <= 0 || x >= 1)
        return x <= 0 ? 0 : 1;
    double front = exp(a * log(x) + b * log1p(-x) - log_beta);
    bool near = x < (a + 1) / (a + b + 2);
    return near ? front * beta_fraction(a, b, x) / a : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

/* The x with that part of the beta distribution below it: Newton's steps, kept inside a bracket
 * that shrinks with each. */
static double beta_quantile(double a, double b, double part)
{
    double log_beta = lgamma(a) + lgamma(b) - lgamma(a + b);
    double low = 0, high = 1, x = a / (a + b);

    for (int i = 0; i < ROOT_STEPS && high - low > 1e-12; i++) {
        double miss = beta_part(a, b, x, log_beta) - part;
        double slope = exp((a - 1) * log(x) + (b - 1) * log1p(-x) - log_beta);
        *(miss > 0 ? &high : &low) = x;
        double next = slope > 0 ? x - miss / slope : -1;
        if (fabs(next - x) < 1e-10 * x)
            return next;
        x = next > low && next < high ? next : (low + high) / 2;
    }
    return x;
}

struct exact_range exact_share(size_t k, size_t n, double level)
{
    double rest = (1 - level) / 2;
    struct exact_range range = {0, 1};

    if (n == 0)
        return range;
    if (k > 0)
        range.low = beta_quantile((double)k, (double)(n - k) + 1, rest);
    if (k < n)
        range.high = beta_quantile((double)k + 1, (double)(n - k), 1 - rest);
    return range;
}

double exact_ratio(const struct exact_table *t)
{
    /* explain_risk_ratio asks for those with the value against those without; ours are the two
     * sides, so the table is turned. */
    return explain_risk_ratio(t->with, t->other_with, t->without, t->other_without);
}

struct exact_range exact_ratio_range(const struct exact_table *t, double level)
{
    double each = 1 - (1 - level) / 2;
    struct exact_range here = exact_share(t->with, t->with + t->without, each);
    struct exact_range there = exact_share(t->other_with, t->other_with + t->other_without, each);

    return (struct exact_range){here.low / there.high,
                                there.low > 0 ? here.high / there.low : (double)INFINITY};
}

int exact_median_places(size_t count, size_t *ret_low, size_t *ret_high)
{
    /* Values below the median are a coin's heads: leave out at each end as many as 2.5 % allow. */
    double sum = 0, log_half = (double)count * log(0.5);
    size_t out = 0;

    for (; out <= count / 2; out++) {
        sum += exp(log_choose((double)count, (double)out) + log_half);
        if (sum > 0.025)
            break;
    }
    if (out == 0)
        return 0;
    *ret_low = out - 1;
    *ret_high = count - out;
    return 1;
}

void exact_adjust(double *sorted_p, size_t count)
{
    explain_adjust(sorted_p, count, count);
}
