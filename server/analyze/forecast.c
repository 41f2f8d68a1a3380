/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The course is fitted by a parabola whose curvature is held small unless the points insist on it,
 * over the leak's own hours (pace.h). What is left over is taken as noise that comes back to the
 * fit after a while; how many such whiles were seen tells how far the fit itself may be off. Bursts
 * do not come back: they are summed as chance.
 */
#include "server/analyze/forecast.h"

#include "server/analyze/pace.h"

#include <math.h>
#include <string.h>

/* docs/detection.md, "Thresholds of grouping, causes and forecast": forecast */
#define BINS         12   /* stretches of equal length, to see how the rest behaves */
#define STRAIGHT     0.02 /* expected gain in rate over the time seen, while it looks straight */
#define CURVATURE    1.0  /* the same once the curvature is certain */
#define EVIDENCE     7.0  /* standard errors that make it so */
#define Z_80         1.2816
#define WIDTH_STEADY 1.15  /* of the spread that the course itself shows */
#define DOUBT        0.02  /* of what lies ahead: no course says what comes */
#define DOUBT_BENT   0.05  /* the same of a parabola */
#define LIMIT_BLUR   0.004 /* of the limit: other rows move too */
#define SLOWEST      0.25  /* a parabola that bends down goes on at this share of the mean rate */
#define STILL_SHARE  0.12  /* of the time seen, without growth at its end: it has stopped */
#define REACH        10.0  /* times as far ahead as was seen */

static const double horizon = (double)FORECAST_HORIZON_US / (double)US_PER_HOUR;

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

/* x: own hours, 0 now; u: 0 at the first point, 1 now. */
struct fit {
    size_t count;
    double span;
    double beta[3];
    double cov[3][3];
    double var;    /* of the rest around the fit */
    double whiles; /* how many independent pieces the rest has */
    double rest;   /* now */
    double mean;   /* growth over the span */
    double walk;   /* variance of the growth in one bin; bursts only */
    double doubt;  /* share of what is gained ahead */
    bool bursts;
};

/* In place, symmetric and positive definite by its making. */
static void invert(double a[3][3])
{
    double b[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
    for (int i = 0; i < 3; i++) {
        double pivot = a[i][i];
        for (int k = 0; k < 3; k++) {
            a[i][k] /= pivot;
            b[i][k] /= pivot;
        }
        for (int r = 0; r < 3; r++) {
            double times = a[r][i];
            for (int k = 0; r != i && k < 3; k++) {
                a[r][k] -= times * a[i][k];
                b[r][k] -= times * b[i][k];
            }
        }
    }
    memcpy(a, b, sizeof b);
}

struct points {
    size_t count;
    double u[FORECAST_POINTS];
    double y[FORECAST_POINTS];
    double weight[FORECAST_POINTS]; /* time it stands for, sum 1 */
};

/* Weighted least squares; `hold` is how strongly the curvature is held at 0. */
static void solve(const struct points *points, double hold, struct fit *fit)
{
    double moment[5] = {0};
    double right[3] = {0};
    double matrix[3][3];
    for (size_t i = 0; i < points->count; i++) {
        double power = points->weight[i];
        for (int k = 0; k < 5; k++) {
            moment[k] += power;
            if (k < 3)
                right[k] += power * points->y[i];
            power *= points->u[i];
        }
    }
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            matrix[i][k] = moment[i + k] + (i == k ? 1e-9 : 0);
    matrix[2][2] += hold;
    invert(matrix);
    memcpy(fit->cov, matrix, sizeof matrix);
    for (int i = 0; i < 3; i++) {
        fit->beta[i] = 0;
        for (int k = 0; k < 3; k++)
            fit->beta[i] += matrix[i][k] * right[k];
    }
}

static double parabola(const struct fit *fit, double u)
{
    return fit->beta[0] + u * (fit->beta[1] + u * fit->beta[2]);
}

/* Variance of the rest, and its changes of sign over stretches of equal length. */
static void measure_rest(const struct points *points, struct fit *fit)
{
    double sum[BINS] = {0};
    double weight[BINS] = {0};
    double squares = 0;
    size_t changes = 0;
    double last = 0;
    for (size_t i = 0; i < points->count; i++) {
        double rest = points->y[i] - parabola(fit, points->u[i]);
        size_t bin = (size_t)(points->u[i] * BINS);
        bin = bin < BINS ? bin : BINS - 1;
        sum[bin] += points->weight[i] * rest;
        weight[bin] += points->weight[i];
        squares += points->weight[i] * rest * rest;
    }
    for (size_t i = 0; i < BINS; i++) {
        if (weight[i] <= 0)
            continue;
        changes += sum[i] * last < 0;
        last = sum[i];
    }
    fit->whiles = (double)changes + 1;
    /* A parabola takes three pieces of freedom. */
    fit->var = squares * fmax(fit->whiles / fmax(fit->whiles - 2, 1), 1);
    fit->rest = points->y[points->count - 1] - parabola(fit, 1);
}

static void measure_walk(const struct points *points, struct fit *fit)
{
    double at[BINS + 1];
    for (size_t b = 0, i = 0; b <= BINS; b++) {
        double u = (double)b / BINS;
        while (i + 1 < points->count && points->u[i + 1] < u)
            i++;
        size_t k = i + 1 < points->count ? i + 1 : i;
        double apart = points->u[k] - points->u[i];
        double share = apart > 0 ? fmin((u - points->u[i]) / apart, 1) : 0;
        at[b] = points->y[i] + share * (points->y[k] - points->y[i]);
    }
    double mean = (at[BINS] - at[0]) / BINS;
    double squares = 0;
    for (size_t b = 0; b < BINS; b++)
        squares += (at[b + 1] - at[b] - mean) * (at[b + 1] - at[b] - mean);
    fit->walk = squares / (BINS - 1);
    fit->mean = at[BINS] - at[0];
}

static bool fit_course(const struct points *points, double span, bool bursts, struct fit *ret_fit)
{
    struct fit fit = {.count = points->count, .span = span, .bursts = bursts};
    measure_walk(points, &fit);
    if (!(fit.mean > 0))
        return false;
    solve(points, 1e-6, &fit);
    measure_rest(points, &fit);
    double bend = fit.beta[2] / sqrt(fit.cov[2][2] * fit.var / fit.whiles);
    bool bent = fabs(bend) >= EVIDENCE;
    double expected = (bent ? CURVATURE : STRAIGHT) * fit.mean;
    fit.doubt = bent ? DOUBT_BENT : DOUBT;
    solve(points, fit.var / fit.whiles / (expected * expected) + 1e-9, &fit);
    measure_rest(points, &fit);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            fit.cov[i][k] *= fit.var / fit.whiles;
    *ret_fit = fit;
    return true;
}

/* Bytes above now at u >= 1, and how sure. */
static double gain_at(const struct fit *fit, double u, double *ret_spread)
{
    double ahead = u - 1;
    if (fit->bursts) {
        double bins = ahead * BINS;
        *ret_spread = sqrt(fit->walk * bins * (1 + bins / BINS));
        return fit->mean * ahead;
    }
    double turn = u; /* from where a parabola that bends down goes on as a line */
    double slowest = SLOWEST * fit->mean;
    if (fit->beta[2] < 0)
        turn = fmax(fmin(u, (slowest - fit->beta[1]) / (2 * fit->beta[2])), 1);
    double kept = exp(-ahead * fit->whiles); /* of what is left over now */
    double gain = parabola(fit, turn) - parabola(fit, 1) + slowest * (u - turn);
    double d[3] = {0, u - 1, u * u - 1};
    double var = fit->var * (1 - kept * kept) * (1 + 1 / fit->whiles);
    for (int i = 1; i < 3; i++)
        for (int k = 1; k < 3; k++)
            var += d[i] * fit->cov[i][k] * d[k];
    gain -= fit->rest * (1 - kept);
    var = WIDTH_STEADY * WIDTH_STEADY * var + fit->doubt * fit->doubt * gain * gain;
    *ret_spread = sqrt(fmax(var, 0));
    return gain;
}

/* Own hours until room is filled, at z spreads above or below the middle. */
static double hours_to_fill(const struct fit *fit, double room, double blur, double z)
{
    double spread;
    double low = 0;
    double high = 1.0 / 60;
    while (gain_at(fit, 1 + high / fit->span, &spread) + z * hypot(spread, blur) < room) {
        low = high;
        high *= 1.1;
        if (high > 4 * horizon)
            return INFINITY;
    }
    for (size_t i = 0; i < 24; i++) {
        double hours = (low + high) / 2;
        if (gain_at(fit, 1 + hours / fit->span, &spread) + z * hypot(spread, blur) < room)
            low = hours;
        else
            high = hours;
    }
    return high;
}

/* It has stopped, or it levels off. */
static bool is_over(const struct points *points)
{
    size_t last = points->count - 1;
    double grown = points->y[last] - points->y[0];
    size_t i = last;
    double pause = 0; /* the longest before */
    double since = 0;
    while (i > 0 && points->y[last] - points->y[i - 1] < 0.01 * grown)
        i--;
    double still = points->u[last] - points->u[i];
    double top = points->y[0];
    for (size_t k = 1; k <= i; k++) {
        if (points->y[k] - top >= 0.01 * grown) {
            pause = fmax(pause, points->u[k] - since);
            since = points->u[k];
            top = points->y[k];
        }
    }
    return still > STILL_SHARE && still > 1.5 * pause;
}

static bool take_points(const struct forecast_course *course, const struct pace *pace,
                        const bool pools[POOL_COUNT], struct points *points, double *ret_span)
{
    double own[FORECAST_POINTS];
    size_t n = course->count;
    for (size_t i = 0; i < n; i++) {
        own[i] = pace_own(pace, course->hours[i]);
        points->y[i] = 0;
        for (int pool = 0; pool < POOL_COUNT; pool++)
            points->y[i] += pools[pool] ? course->bytes[pool][i] : 0;
    }
    double span = -own[0];
    if (n < 4 || !(span > 0.05))
        return false;
    for (size_t i = 0; i < n; i++) {
        points->u[i] = 1 + own[i] / span;
        double before = i == 0 ? own[0] : own[i - 1];
        double after = i + 1 == n ? 0 : own[i + 1];
        points->weight[i] = fmax((after - before) / 2 / span, 1e-4);
    }
    points->count = n;
    *ret_span = span;
    return true;
}

static int64_t moment(const struct forecast_input *input, const struct pace *pace, double own)
{
    double hours = isinf(own) ? horizon : pace_hours(pace, own, horizon);
    return input->now_us + (int64_t)(hours * (double)US_PER_HOUR);
}

static double room_of(const struct forecast_input *input, size_t which)
{
    const struct snapshot_totals *totals = input->totals;
    double used = (double)totals->value[limits[which].used];
    if (limits[which].used == TOTAL_COMMIT_BYTES && !isnan(input->commit_rest) &&
        totals_has(totals, TOTAL_NONPAGED_BYTES) && totals_has(totals, TOTAL_PAGED_BYTES))
        used = input->commit_rest + (double)totals->value[TOTAL_NONPAGED_BYTES] +
               (double)totals->value[TOTAL_PAGED_BYTES];
    return limits[which].share * (double)totals->value[limits[which].limit] - used;
}

static void foresee(const struct forecast_input *input, size_t which, struct forecast *best)
{
    struct points points;
    struct pace pace;
    struct fit fit;
    double span;
    double total[FORECAST_POINTS];
    const struct forecast_course *course = input->course;
    for (size_t i = 0; i < course->count; i++)
        total[i] = course->bytes[POOL_NONPAGED][i] + course->bytes[POOL_PAGED][i];
    pace_learn(course->hours, total, course->count, input->now_us, &pace);
    if (!take_points(course, &pace, limits[which].pool, &points, &span) || is_over(&points) ||
        !fit_course(&points, span, course->bursts, &fit))
        return;
    double room = fmax(room_of(input, which), 0);
    double blur = LIMIT_BLUR * (double)input->totals->value[limits[which].limit];
    double middle = room > 0 ? hours_to_fill(&fit, room, 0, 0) : 0;
    if (middle > REACH * span || pace_hours(&pace, middle, horizon) >= horizon)
        return;
    double early = room > 0 ? hours_to_fill(&fit, room, blur, Z_80) : 0;
    double late = room > 0 ? hours_to_fill(&fit, room, blur, -Z_80) : 0;
    int64_t p10 = moment(input, &pace, fmin(early, middle));
    int64_t p50 = moment(input, &pace, middle);
    int64_t p90 = moment(input, &pace, fmax(late, middle));
    bool first = best->limit == NULL;
    if (first || p50 < best->p50_us) {
        best->limit = limits[which].name;
        best->p50_us = p50;
    }
    best->p10_us = first || p10 < best->p10_us ? p10 : best->p10_us;
    best->p90_us = first || p90 < best->p90_us ? p90 : best->p90_us;
}

void forecast_exhaustion(const struct forecast_input *input, struct forecast *ret_forecast)
{
    struct forecast best = {TIME_UNKNOWN, TIME_UNKNOWN, TIME_UNKNOWN, NULL};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (totals_has(input->totals, limits[i].used) && totals_has(input->totals, limits[i].limit))
            foresee(input, i, &best);
    }
    *ret_forecast = best;
}
