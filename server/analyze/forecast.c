/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A grid of parabolas from bent down to bent up is fitted over the leak's own hours (pace.h), each
 * weighed by how usual it is (form.h) and by how much it leaves over; what runs out when is read
 * from all of them together. So a course of which little was seen keeps both ends open, and one
 * that insists on its bend is drawn on with it. What is left over is taken as noise that comes back
 * to the fit after a while; how many such whiles were seen tells how far the fit itself may be off.
 * Bursts do not come back: they are summed as chance.
 */
#include "server/analyze/forecast.h"

#include "server/analyze/pace.h"

#include <math.h>
#include <string.h>

/* docs/detection.md, "Thresholds of grouping, causes and forecast": forecast */
#define BINS         12    /* stretches of equal length, to see how the rest behaves */
#define WIDTH_STEADY 1.6   /* of the spread that the course itself shows */
#define WIDTH_BURSTS 1.2   /* the same of bursts */
#define FAR          3     /* bins; growth over so many tells a walk from steps that are even */
#define WALK_LEAST   0.3   /* of what is gained in a bin beyond the mean: adds up at least */
#define WALK_MOST    1.3   /* and at most */
#define DAY_APART    0.15  /* days of work differ by so much, as a standard deviation */
#define DOUBT        0.035 /* of what lies ahead: no course says what comes */
#define REST_FLOOR   0.003 /* of the growth: no course is told more closely */
#define LEAST_WEIGHT 0.004 /* a course less likely is left out */
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

/* One course that the points allow: base + mean * course_at(bend, u). */
struct fit {
    double bend;
    double weight; /* how likely; 1 in all */
    double base;
    double mean;    /* growth over the span */
    double certain; /* how far the points lie apart on the course: 0 says nothing about the mean */
    double rest;    /* of the newest point */
};

/* All courses that the points allow. u: own hours, 0 at the first point, 1 now. */
struct fits {
    double span;   /* own hours */
    double var;    /* of the rest around the fit */
    double whiles; /* how many independent pieces the rest has */
    double mean;   /* growth over the span, as it was */
    double walk;   /* variance of the growth in one bin; bursts only */
    double steps;  /* the part of it that does not add up */
    double days;   /* seen, where the pace is that of a day's work; else 0 */
    bool bursts;
    size_t count; /* 1 for bursts */
    struct fit fit[FORM_BENDS];
};

struct points {
    size_t count;
    double u[FORECAST_POINTS];
    double y[FORECAST_POINTS];
    double weight[FORECAST_POINTS]; /* time it stands for, sum 1 */
};

static double course_at(double bend, double u)
{
    return u * (1 - bend + bend * u);
}

static double rest_of(const struct points *points, const struct fit *fit, size_t i)
{
    return points->y[i] - fit->base - fit->mean * course_at(fit->bend, points->u[i]);
}

/* Weighted least squares; returns the mean square of what is left over. */
static double solve(const struct points *points, struct fit *fit)
{
    double x = 0;
    double y = 0;
    double xx = 0;
    double xy = 0;
    double left = 0;
    double all = 0;
    for (size_t i = 0; i < points->count; i++) {
        all += points->weight[i];
        x += points->weight[i] * course_at(fit->bend, points->u[i]);
        y += points->weight[i] * points->y[i];
    }
    x /= all;
    y /= all;
    for (size_t i = 0; i < points->count; i++) {
        double dx = course_at(fit->bend, points->u[i]) - x;
        xx += points->weight[i] * dx * dx;
        xy += points->weight[i] * dx * (points->y[i] - y);
    }
    fit->mean = xy / fmax(xx, 1e-9);
    fit->base = y - fit->mean * x;
    fit->certain = fmax(xx, 1e-9);
    for (size_t i = 0; i < points->count; i++) {
        double rest = rest_of(points, fit, i);
        left += points->weight[i] * rest * rest;
    }
    fit->rest = points->y[points->count - 1] - fit->base - fit->mean;
    return left / all;
}

/* Changes of sign of the rest over stretches of equal length. */
static double count_whiles(const struct points *points, const struct fit *fit)
{
    double sum[BINS] = {0};
    double weight[BINS] = {0};
    size_t changes = 0;
    double last = 0;
    for (size_t i = 0; i < points->count; i++) {
        double rest = rest_of(points, fit, i);
        size_t bin = (size_t)(points->u[i] * BINS);
        bin = bin < BINS ? bin : BINS - 1;
        sum[bin] += points->weight[i] * rest;
        weight[bin] += points->weight[i];
    }
    for (size_t i = 0; i < BINS; i++) {
        if (weight[i] <= 0)
            continue;
        changes += sum[i] * last < 0;
        last = sum[i];
    }
    return (double)changes + 1;
}

/* Mean square of what was gained over `apart` bins beyond the mean. */
static double stray(const double at[BINS + 1], size_t apart)
{
    double mean = (at[BINS] - at[0]) / BINS * (double)apart;
    double squares = 0;
    for (size_t b = 0; b + apart <= BINS; b++)
        squares += (at[b + apart] - at[b] - mean) * (at[b + apart] - at[b] - mean);
    return squares / (double)(BINS + 1 - apart);
}

static void measure_walk(const struct points *points, struct fits *fits)
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
    double near = stray(at, 1);
    /* With its ends held, a walk strays by L (1 - L / BINS) over L bins; even steps do not. */
    double walk = (stray(at, FAR) - near) / (FAR - 1 - (FAR * FAR - 1.0) / BINS);
    fits->walk = fmax(fmin(walk, near * WALK_MOST), near * WALK_LEAST);
    fits->steps = fmax(near - fits->walk, 0);
    fits->mean = at[BINS] - at[0];
}

/* Tries all bends. False when none grows. */
static bool try_bends(const struct points *points, struct fits *fits,
                      struct form_course *ret_course)
{
    double floor = REST_FLOOR * REST_FLOOR * fits->mean * fits->mean;
    size_t which = FORM_BENDS;
    ret_course->best = INFINITY;
    for (size_t i = 0; i < FORM_BENDS; i++) {
        struct fit *fit = &fits->fit[i];
        *fit = (struct fit){.bend = form_bend(i)};
        ret_course->left[i] = solve(points, fit) + floor;
        if (fit->mean > 0 && ret_course->left[i] < ret_course->best) {
            ret_course->best = ret_course->left[i];
            which = i;
        }
    }
    if (which == FORM_BENDS)
        return false;
    fits->whiles = count_whiles(points, &fits->fit[which]);
    ret_course->span = fits->span;
    ret_course->free = fmax(fits->whiles - 2, 1); /* a parabola takes the others */
    return true;
}

/* Keeps the courses that are likely enough. */
static void weigh(const struct form_course *course, const struct form *form, struct fits *fits)
{
    double prior[FORM_BENDS];
    double all = 0;
    double kept = 0;
    form_prior(course, form, prior);
    for (size_t i = 0; i < FORM_BENDS; i++) {
        struct fit *fit = &fits->fit[i];
        double likely = pow(course->left[i] / course->best, -course->free / 2);
        fit->weight = fit->mean > 0 ? prior[i] * likely : 0;
        all += fit->weight;
    }
    for (size_t i = 0; i < FORM_BENDS; i++) {
        struct fit fit = fits->fit[i];
        if (fit.weight < LEAST_WEIGHT * all)
            continue;
        kept += fit.weight;
        fits->var += fit.weight * course->left[i];
        fits->fit[fits->count++] = fit;
    }
    for (size_t i = 0; i < fits->count; i++)
        fits->fit[i].weight /= kept;
    fits->var *= fmax(fits->whiles / fmax(fits->whiles - 2, 1), 1) / kept;
}

static bool fit_course(const struct points *points, const struct forecast_input *input,
                       struct fits *fits)
{
    struct form_course course;
    measure_walk(points, fits);
    if (!(fits->mean > 0))
        return false;
    fits->bursts = input->course->bursts;
    if (fits->bursts) {
        fits->count = 1;
        fits->fit[0] = (struct fit){.weight = 1, .mean = fits->mean};
        return true;
    }
    if (!try_bends(points, fits, &course))
        return false;
    weigh(&course, input->form, fits);
    return true;
}

/* Bytes above now at u >= 1, and how sure. */
static double gain_at(const struct fits *fits, const struct fit *fit, double u, double *ret_spread)
{
    double ahead = u - 1;
    if (fits->bursts) {
        double bins = ahead * BINS;
        double var = fits->walk * bins * (1 + ahead) + fits->steps * (1 + ahead * ahead);
        *ret_spread = WIDTH_BURSTS * sqrt(var);
        return fit->mean * ahead;
    }
    double turn = u; /* from where a parabola that bends down goes on as a line */
    if (fit->bend < 0)
        turn = fmax(fmin(u, (SLOWEST - 1 + fit->bend) / (2 * fit->bend)), 1);
    double course = course_at(fit->bend, turn) - 1 + SLOWEST * (u - turn);
    double kept = exp(-ahead * fits->whiles); /* of what is left over now */
    double gain = fit->mean * course - fit->rest * (1 - kept);
    double var = fits->var * ((1 - kept * kept) * (1 + 1 / fits->whiles) +
                              course * course / fit->certain / fits->whiles);
    if (fits->days > 0) {
        double days = ahead * fits->days;
        double apart = DAY_APART * fit->mean / fits->days;
        var += apart * apart * days * (1 + ahead);
    }
    *ret_spread = sqrt(WIDTH_STEADY * WIDTH_STEADY * var + DOUBT * DOUBT * gain * gain);
    return gain;
}

/* How likely room is filled after so many own hours. */
static double likely(const struct fits *fits, double room, double blur, double hours)
{
    double sum = 0;
    for (size_t i = 0; i < fits->count; i++) {
        double spread;
        double gain = gain_at(fits, &fits->fit[i], 1 + hours / fits->span, &spread);
        double z = (gain - room) / fmax(hypot(spread, blur), 1);
        sum += fits->fit[i].weight * erfc(-z * M_SQRT1_2) / 2;
    }
    return sum;
}

/* Own hours until room is filled as likely as wanted. */
static double hours_to_fill(const struct fits *fits, double room, double blur, double wanted)
{
    double low = 0;
    double high = 1.0 / 60;
    if (room <= 0)
        return 0;
    while (likely(fits, room, blur, high) < wanted) {
        low = high;
        high *= 1.15;
        if (high > 4 * horizon)
            return INFINITY;
    }
    for (size_t i = 0; i < 20; i++) {
        double hours = (low + high) / 2;
        if (likely(fits, room, blur, hours) < wanted)
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

/* False when there is too little of it, or it is over. */
static bool take_points(const struct forecast_input *input, const bool pools[POOL_COUNT],
                        struct pace *pace, struct points *points, double *ret_span)
{
    const struct forecast_course *course = input->course;
    double total[FORECAST_POINTS];
    double own[FORECAST_POINTS];
    size_t n = course->count;
    if (n < 4)
        return false;
    for (size_t i = 0; i < n; i++)
        total[i] = course->bytes[POOL_NONPAGED][i] + course->bytes[POOL_PAGED][i];
    pace_learn(course->hours, total, n, input->now_us, pace);
    for (size_t i = 0; i < n; i++) {
        own[i] = pace_own(pace, course->hours[i]);
        points->y[i] = 0;
        for (int pool = 0; pool < POOL_COUNT; pool++)
            points->y[i] += pools[pool] ? course->bytes[pool][i] : 0;
    }
    double span = -own[0];
    if (!(span > 0.05))
        return false;
    for (size_t i = 0; i < n; i++) {
        points->u[i] = 1 + own[i] / span;
        double before = i == 0 ? own[0] : own[i - 1];
        double after = i + 1 == n ? 0 : own[i + 1];
        points->weight[i] = fmax((after - before) / 2 / span, 1e-4);
    }
    points->count = n;
    *ret_span = span;
    return !is_over(points);
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
    struct fits fits = {0};
    if (!take_points(input, limits[which].pool, &pace, &points, &fits.span) ||
        !fit_course(&points, input, &fits))
        return;
    fits.days = pace.cycles ? fits.span / 24 : 0;
    double room = room_of(input, which);
    double blur = LIMIT_BLUR * (double)input->totals->value[limits[which].limit];
    double middle = hours_to_fill(&fits, room, blur, 0.5);
    if (middle > REACH * fits.span || pace_hours(&pace, middle, horizon) >= horizon)
        return;
    int64_t p10 = moment(input, &pace, hours_to_fill(&fits, room, blur, 0.1));
    int64_t p50 = moment(input, &pace, middle);
    int64_t p90 = moment(input, &pace, hours_to_fill(&fits, room, blur, 0.9));
    bool first = best->limit == NULL;
    if (first || p50 < best->p50_us) {
        best->limit = limits[which].name;
        best->p50_us = p50;
    }
    best->p10_us = first || p10 < best->p10_us ? p10 : best->p10_us;
    best->p90_us = first || p90 < best->p90_us ? p90 : best->p90_us;
}

void forecast_form(const struct forecast_input *input, struct form *form)
{
    static const bool both[POOL_COUNT] = {true, true};
    struct points points;
    struct pace pace;
    struct form_course course;
    struct fits fits = {0};
    if (input->course->bursts || !take_points(input, both, &pace, &points, &fits.span))
        return;
    measure_walk(&points, &fits);
    if (fits.mean > 0 && try_bends(&points, &fits, &course))
        form_add(&course, form);
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
