/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/feature.h"

#include <math.h>
#include <string.h>

/* docs/detection.md, "Thresholds and where they come from": feature */
#define WARM_UP_HOURS       1.0  /* drivers and services settle in the first hour of a boot */
#define ONSET_SHARE         0.08 /* growth counts from the last time it stood this near the floor */
#define SATURATED_BELOW     0.42 /* late half grows under this share of the early half */
#define DRAWDOWN_MAX        0.40
#define NEWNESS_MIN         0.50
#define STEP_SHARE          0.70 /* one step of this share of the growth is a jump */
#define BURST_SHARE         0.25
#define RISE_POINTS         4
#define RISE_HOURS          6.0
#define RISE_SHARE          0.50 /* of the peak: went up from little */
#define SLOWED_BELOW        0.50 /* the late half of that boot under this share of its early half */
#define SLOWER_HOURS        12.0 /* of an earlier boot that began high and went on more slowly */
#define SLOWER_LEVEL        0.70 /* of what is held now */
#define BEGINNING_HOURS     6.0  /* a boot seen from so early on was seen from its beginning */
#define WORKLOAD_R          0.85
#define WORKLOAD_ELASTICITY 2.5

/* fmin and fmax are calls into the library, for the sake of NAN; bytes are never that. */
static inline double lesser(double a, double b)
{
    return b < a ? b : a;
}

static inline double greater(double a, double b)
{
    return b > a ? b : a;
}

/* The part of the series that is judged: the current boot without its warm-up. */
struct view {
    const double *hours;
    const double *bytes;
    size_t first; /* index into the series */
    size_t count;
};

static struct view current_boot(const struct series *series)
{
    size_t first = series->boot_first;
    size_t last = series->count - 1;
    while (first < last && last - first >= 4 &&
           series->uptime_hours + series->hours[first] < WARM_UP_HOURS)
        first++;
    return (struct view){series->hours + first, series->bytes + first, first,
                         series->count - first};
}

/* Mean slope over the newest `window` hours, 0 when there is nothing to measure. */
static double plain_rate(const struct view *view, double window)
{
    size_t last = view->count - 1;
    size_t from = last;
    while (from > 0 && view->hours[from - 1] >= -window * 1.05)
        from--;
    double apart = view->hours[last] - view->hours[from];
    return apart > 0.05 ? (view->bytes[last] - view->bytes[from]) / apart : 0;
}

static size_t find_onset(const struct view *view, double *ret_lowest)
{
    double lowest = view->bytes[0];
    for (size_t i = 1; i < view->count; i++)
        lowest = lesser(lowest, view->bytes[i]);
    double limit = lowest + ONSET_SHARE * (view->bytes[view->count - 1] - lowest);
    size_t onset = 0;
    for (size_t i = 0; i < view->count; i++) {
        if (view->bytes[i] <= limit)
            onset = i;
    }
    *ret_lowest = lowest;
    return onset;
}

static double value_at(const struct view *view, double hour)
{
    size_t i = 0;
    while (i + 1 < view->count && view->hours[i + 1] <= hour)
        i++;
    if (i + 1 >= view->count || view->hours[i] >= hour)
        return view->bytes[i];
    double share = (hour - view->hours[i]) / (view->hours[i + 1] - view->hours[i]);
    return view->bytes[i] + share * (view->bytes[i + 1] - view->bytes[i]);
}

/* Late over early growth. From two days on both halves are whole days, so that a leak that sleeps
 * at night is not taken for a cache that fills. */
static double linearity(const struct view *view, size_t onset)
{
    double begin = view->hours[onset];
    double span = -begin;
    double half = span >= 48 ? 24 * floor(span / 48) : span / 2;
    if (half <= 0)
        return 0;
    double now = view->bytes[view->count - 1];
    double late = (now - value_at(view, -half)) / half;
    double early = (value_at(view, begin + half) - view->bytes[onset]) / half;
    if (early <= 0)
        return late > 0 ? 10 : 0;
    return fmin(late / early, 10);
}

static double deepest_fall(const struct view *view, size_t onset)
{
    double top = view->bytes[onset];
    double fall = 0;
    for (size_t i = onset; i < view->count; i++) {
        top = greater(top, view->bytes[i]);
        fall = greater(fall, top - view->bytes[i]);
    }
    return fall;
}

struct steps {
    double biggest;     /* share of the growth */
    double median_rate; /* over the mean rate */
    size_t rises;       /* steps that carry at least 4 % of the growth */
};

static struct steps measure_steps(const struct view *view, size_t onset, double growth,
                                  struct feature_scratch *scratch)
{
    struct steps steps = {0};
    double span = view->hours[view->count - 1] - view->hours[onset];
    double *rates = scratch->trend.pair;
    size_t count = 0;
    for (size_t i = onset; i + 1 < view->count && count < ROBUST_TREND_PAIRS; i++) {
        double apart = view->hours[i + 1] - view->hours[i];
        double rise = view->bytes[i + 1] - view->bytes[i];
        /* What the mean rate would have given in that time is no jump. */
        double excess = rise - growth * apart / span;
        steps.biggest = fmax(steps.biggest, excess / growth);
        steps.rises += rise >= 0.04 * growth;
        rates[count++] = rise / apart;
    }
    steps.median_rate = robust_median(rates, count) / (growth / span);
    return steps;
}

static bool follows_processes(const struct series *series, const struct view *view, size_t onset)
{
    size_t from = view->first + onset;
    size_t last = series->count - 1;
    for (size_t i = view->first; i <= last; i++) {
        if (isnan(series->processes[i]))
            return false;
    }
    double more = series->processes[last] / fmax(series->processes[from], 1);
    if (more < 1.25)
        return false;
    double times = series->bytes[last] / fmax(series->bytes[from], 1);
    double r = robust_correlation(series->bytes + view->first, series->processes + view->first,
                                  view->count);
    return r >= WORKLOAD_R && log(times) <= WORKLOAD_ELASTICITY * log(more);
}

static void sign(const struct series *series, const struct view *view, struct feature *feature)
{
    /* Places in the boot, as shares of its length before now: denser towards now. */
    static const double places[FEATURE_SIGNATURE] = {1,    0.75, 0.55, 0.4,  0.28, 0.2,
                                                     0.14, 0.09, 0.06, 0.04, 0.02, 0};
    struct view of = *view;
    if (!isnan(series->outstanding[series->count - 1]))
        of.bytes = series->outstanding + view->first;
    double low = INFINITY;
    double high = -INFINITY;
    double at[FEATURE_SIGNATURE];
    for (size_t i = 0; i < FEATURE_SIGNATURE; i++) {
        double value = value_at(&of, of.hours[0] * places[i]);
        at[i] = isnan(value) ? 0 : value;
        low = fmin(low, at[i]);
        high = fmax(high, at[i]);
    }
    for (size_t i = 0; i < FEATURE_SIGNATURE; i++)
        feature->signature[i] =
            high > low ? (uint8_t)lround(255 * (at[i] - low) / (high - low)) : 0;
}

static void measure_counts(const struct series *series, size_t from, struct feature *feature)
{
    size_t last = series->count - 1;
    feature->outstanding = (float)series->outstanding[last];
    feature->count_growth = (float)(series->outstanding[last] - series->outstanding[from]);
    double allocs = series->alloc_total[last] - series->alloc_total[from];
    double frees = series->free_total[last] - series->free_total[from];
    feature->free_share = allocs > 0 ? (float)(frees / allocs) : NAN;
    feature->boot_frees = (float)(series->free_total[last] / fmax(series->alloc_total[last], 1));
    if (allocs > 0 && frees <= 0.01 * allocs)
        feature->flags |= FEATURE_ZERO_FREES;
    double blocks = series->outstanding[from];
    if (feature->count_growth > 0 && feature->growth > 0 &&
        (blocks <= 0 ||
         feature->count_growth > 0.3 * blocks * feature->growth / fmax(series->bytes[from], 1)))
        feature->flags |= FEATURE_COUNT_AGREES;
}

/* Does a boot say that the row fills up? Only one that was seen from its beginning can. */
static uint8_t judge_rise(const struct series *series, size_t begin, size_t end)
{
    struct view view = {series->hours + begin, series->bytes + begin, begin, end - begin + 1};
    size_t last = view.count - 1;
    double span = view.hours[last] - view.hours[0];
    double rise = view.bytes[last] - view.bytes[0];
    double peak = 0;
    for (size_t i = 0; i <= last; i++)
        peak = fmax(peak, view.bytes[i]);
    if (view.count < RISE_POINTS || span < RISE_HOURS || rise <= RISE_SHARE * peak)
        return 0;
    double half = span >= 48 ? 24 * floor(span / 48) : span / 2;
    double early = value_at(&view, view.hours[0] + half) - view.bytes[0];
    double late = view.bytes[last] - value_at(&view, view.hours[last] - half);
    return late < SLOWED_BELOW * early ? FEATURE_ROSE | FEATURE_SLOWED : FEATURE_ROSE;
}

/* An earlier boot held as much as now, and went on more slowly from there. */
static bool went_on_slower(const struct view *view, const struct feature *feature)
{
    double span = view->hours[view->count - 1] - view->hours[0];
    double lowest = view->bytes[0];
    for (size_t i = 1; i < view->count; i++)
        lowest = fmin(lowest, view->bytes[i]);
    return (feature->flags & FEATURE_FROM_BOOT) != 0 && view->count >= RISE_POINTS &&
           span >= SLOWER_HOURS && (double)feature->growth > RISE_SHARE * (double)feature->bytes &&
           lowest >= SLOWER_LEVEL * (double)feature->bytes &&
           (view->bytes[view->count - 1] - view->bytes[0]) / span <
               SLOWED_BELOW * (double)feature->growth / fmax((double)feature->span_hours, 0.1);
}

/* Peak and late behaviour of each earlier boot. */
static void judge_prior_boots(const struct series *series, double ram, struct feature *feature)
{
    size_t begin = 0;
    while (begin < series->boot_first) {
        size_t end = begin;
        double peak = series->bytes[begin];
        while (end + 1 < series->boot_first && series->boot[end + 1] == series->boot[begin]) {
            end++;
            peak = fmax(peak, series->bytes[end]);
        }
        double span = series->hours[end] - series->hours[begin];
        double growth = series->bytes[end] - series->bytes[begin];
        struct view view = {series->hours + begin, series->bytes + begin, begin, end - begin + 1};
        double middle = value_at(&view, (series->hours[begin] + series->hours[end]) / 2);
        double late = series->bytes[end] - middle;
        double early = middle - series->bytes[begin];
        bool leaky = end - begin >= 3 && span >= 6 && growth > 0.3 * peak && growth > 0 &&
                     late > 0.6 * early && late > 0.25 * growth &&
                     peak - series->bytes[end] < 0.1 * growth;
        /* A level is known only if that boot had stopped growing there, and not at a limit. */
        double rate =
            feature->span_hours > 0 ? (double)feature->growth / (double)feature->span_hours : 0;
        bool settled =
            span >= 6 && peak < 0.25 * ram && fmin(late / (span / 2), growth / span) < 0.3 * rate;
        if (begin > 0)
            feature->flags |= judge_rise(series, begin, end);
        if (went_on_slower(&view, feature))
            feature->flags |= FEATURE_ROSE | FEATURE_SLOWED;
        feature->prior_peak = fmaxf(feature->prior_peak, (float)peak);
        feature->prior_rate = span >= 6 ? (float)(growth / span) : feature->prior_rate;
        if (leaky)
            feature->flags |= FEATURE_PRIOR_LEAK;
        else if (settled && peak >= 0.9 * (double)feature->bytes)
            feature->flags |= FEATURE_PRIOR_SEEN;
        begin = end + 1;
    }
}

/* How far the row moves by itself, and how high it has been: what is usual is taken from this. */
static void measure_range(const struct series *series, struct feature *feature)
{
    double low = INFINITY;
    double high = -INFINITY;
    double peak = 0;
    double swing = 0;
    double began = series->hours[0];
    for (size_t i = 0; i < series->count; i++) {
        bool current = i >= series->boot_first;
        if (i == 0 || series->boot[i] != series->boot[i - 1]) {
            low = INFINITY;
            high = -INFINITY;
            began = series->hours[i];
        }
        double age = current ? series->uptime_hours + series->hours[i] : series->hours[i] - began;
        peak = greater(peak, series->bytes[i]);
        if (age < WARM_UP_HOURS)
            continue;
        low = lesser(low, series->bytes[i]);
        high = greater(high, series->bytes[i]);
        swing = greater(swing, high - low);
    }
    feature->peak = (float)peak;
    feature->swing = (float)swing;
}

static void vote_windows(const struct view *view, struct feature *feature)
{
    static const double windows[] = {3, 24, 72, 24 * 14};
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        double rate = plain_rate(view, fmin(windows[i], (double)feature->span_hours));
        /* Windows that reach far behind the onset have no say in the rate. */
        if (i > 0 && (double)feature->span_hours * 1.2 < windows[i])
            break;
        feature->windows_seen++;
        if (rate > 0.4 * (double)feature->rate && rate < 2.5 * (double)feature->rate)
            feature->windows++;
    }
    if (plain_rate(view, fmax(3, 0.1 * (double)feature->span_hours)) > 0.2 * (double)feature->rate)
        feature->flags |= FEATURE_RISING_NOW;
}

static enum feature_shape name_shape(const struct series *series, const struct view *view,
                                     size_t onset, const struct feature *feature,
                                     const struct steps *steps)
{
    bool bursts = steps->rises >= 3 && (steps->biggest >= BURST_SHARE || steps->median_rate < 0.25);
    if (follows_processes(series, view, onset))
        return SHAPE_WORKLOAD;
    if (feature->newness < (float)NEWNESS_MIN || feature->drawdown > (float)DRAWDOWN_MAX)
        return SHAPE_CYCLE;
    if (steps->biggest >= STEP_SHARE)
        return SHAPE_STEP;
    if (feature->linear < (float)SATURATED_BELOW && !(bursts && feature->linear > 0.2f))
        return SHAPE_SATURATING;
    if ((feature->flags & FEATURE_PRIOR_SEEN) != 0 && (feature->flags & FEATURE_PRIOR_LEAK) == 0)
        return SHAPE_CYCLE;
    return bursts ? SHAPE_BURSTY : SHAPE_GROWING;
}

/* The line through the growth, and how well the rest of the growth lies on it. */
static void fit(const struct view *view, size_t onset, struct feature_scratch *scratch,
                struct feature *feature)
{
    struct robust_trend trend;
    double span = view->hours[view->count - 1] - view->hours[onset];
    double mean = (double)feature->growth / span;
    feature->rate = feature->rate_low = feature->rate_high = (float)mean;
    if (!robust_theil_sen(view->hours + onset, view->bytes + onset, view->count - onset,
                          &scratch->trend, &trend))
        return;
    /* A stair of few big steps has a median slope that says little; its mean says more. */
    bool usable = trend.slope > 0.5 * mean && trend.slope < 2 * mean;
    feature->rate = (float)(usable ? trend.slope : mean);
    feature->rate_low = (float)fmin(trend.slope_low, (double)feature->rate);
    feature->rate_high = (float)fmax(trend.slope_high, (double)feature->rate);
    feature->snr = (float)fmin((double)feature->growth / fmax(trend.noise, 1), 1e6);
}

void feature_extract(const struct series *series, double ram, struct feature_scratch *scratch,
                     struct feature *ret_feature)
{
    struct view view = current_boot(series);
    size_t last = view.count - 1;
    double lowest;
    size_t onset = find_onset(&view, &lowest);
    struct feature feature = {0};
    feature.bytes = (float)view.bytes[last];
    feature.lowest = (float)lowest;
    feature.points = (uint16_t)(last - onset + 1);
    feature.span_hours = (float)(view.hours[last] - view.hours[onset]);
    feature.onset_hours = (float)view.hours[onset];
    feature.growth = (float)(view.bytes[last] - view.bytes[onset]);
    feature.rate_3h = (float)plain_rate(&view, 3);
    feature.rate_24h = (float)plain_rate(&view, 24);
    if (view.hours[onset] - view.hours[0] <= fmax(2, -0.15 * view.hours[0]))
        feature.flags |= FEATURE_FROM_BOOT;
    size_t i = last;
    while (i > 0 && fabs(view.bytes[i - 1] - view.bytes[last]) <= 0.05 * view.bytes[last])
        i--;
    feature.flat_hours = (float)(view.hours[last] - view.hours[i]);
    measure_counts(series, view.first + onset, &feature);
    judge_prior_boots(series, ram, &feature);
    if (series->boot_first > 0 || series->uptime_hours + series->hours[0] < BEGINNING_HOURS)
        feature.flags |= judge_rise(series, series->boot_first, series->count - 1);
    measure_range(series, &feature);
    double processes = series->processes[series->count - 1];
    double before_growth = series->processes[view.first + onset];
    bool counted = processes > 0 && before_growth > 0; /* false for NAN */
    feature.work = counted ? (float)(processes / before_growth) : 1;
    double significant = fmax(256 * 1024, 1e-5 * ram);
    if (feature.points >= 3 && feature.span_hours > 0.05f && feature.growth >= (float)significant) {
        double before = lowest;
        for (size_t k = 0; k < onset; k++)
            before = fmax(before, view.bytes[k]);
        feature.newness = (float)((view.bytes[last] - before) / (double)feature.growth);
        feature.drawdown = (float)(deepest_fall(&view, onset) / (double)feature.growth);
        feature.linear = (float)linearity(&view, onset);
        struct steps steps = measure_steps(&view, onset, (double)feature.growth, scratch);
        fit(&view, onset, scratch, &feature);
        vote_windows(&view, &feature);
        feature.shape = (uint8_t)name_shape(series, &view, onset, &feature, &steps);
        sign(series, &view, &feature);
    }
    *ret_feature = feature;
}
