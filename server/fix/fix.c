/* SPDX-License-Identifier: Apache-2.0 */
#include "server/fix/fix.h"

#include "server/analyze/explain.h"
#include "server/analyze/robust.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WARM_UP_US    US_PER_HOUR /* caches fill after a boot: chosen */
#define POINTS_MIN    4           /* of a boot: fewer have no interval worth the name */
#define BEFORE_MIN_H  2.0         /* chosen: the pass that found it had seen as much */
#define AFTER_MIN_H   6.0         /* chosen: the time most leaks of the scenarios need to show */
#define STILL_GROWING 0.25        /* share of the former growth: chosen; a fix stops a leak */
#define HOSTS_MIN     3           /* fewer are anecdotes */
#define WORKS_SHARE   0.2
#define FAILS_SHARE   0.8
#define P_MAX         0.05

const char *const fix_growth_names[] = {"stopped", "growing", "too_early", "unmeasured"};
const char *const fix_verdict_names[] = {"nobody_moved", "too_early", "too_few",
                                         "works",        "fails",     "unclear"};

/* ---- who moved -------------------------------------------------------------- */

enum fix_move fix_move_of(const struct fix_fact *facts, size_t count, const char *bad,
                          int64_t affected_us, const char **ret_to, int64_t *ret_changed_us)
{
    const struct fix_fact *last_bad = NULL, *now = NULL;
    bool was = false;

    for (size_t i = 0; i < count; i++) {
        bool is_bad = strcmp(facts[i].value, bad) == 0;
        if (facts[i].valid_to_us == TIME_UNKNOWN)
            now = &facts[i];
        if (!is_bad)
            continue;
        last_bad = &facts[i];
        was = was || (facts[i].valid_from_us <= affected_us &&
                      (facts[i].valid_to_us == TIME_UNKNOWN || facts[i].valid_to_us > affected_us));
    }
    if (!was)
        return FIX_OTHER;
    if (last_bad->valid_to_us == TIME_UNKNOWN)
        return FIX_STAYS;
    *ret_to = now == NULL ? NULL : now->value;
    *ret_changed_us = last_bad->valid_to_us;
    return FIX_MOVED;
}

/* ---- how fast --------------------------------------------------------------- */

static const struct fix_rate unknown_rate = {NAN, NAN, NAN, 0};

/* A boot's time is the clock's less the uptime, so it wavers a little. */
static bool same_boot(int64_t a, int64_t b)
{
    if (a == TIME_UNKNOWN || b == TIME_UNKNOWN)
        return a == b;
    return (a > b ? a - b : b - a) < 2 * US_PER_MINUTE;
}

/* The points of one boot that lie in the range, from *at on; *at is behind them after. */
static size_t take_boot(const struct fix_series *series, int64_t from_us, int64_t to_us, size_t *at,
                        double *t, double *y)
{
    int64_t boot = series->boot_at_us[*at], start = from_us;
    size_t count = 0;

    if (boot != TIME_UNKNOWN && boot + WARM_UP_US > start)
        start = boot + WARM_UP_US;
    for (; *at < series->count && same_boot(series->boot_at_us[*at], boot); (*at)++) {
        int64_t when = series->t_us[*at];
        if (when < start || when >= to_us ||
            (count > 0 && (double)when / US_PER_HOUR <= t[count - 1]))
            continue;
        t[count] = (double)when / US_PER_HOUR;
        y[count++] = series->bytes[*at];
    }
    return count;
}

struct fix_rate fix_measure(const struct fix_series *series, int64_t from_us, int64_t to_us)
{
    AUTO_FREE double *t = calloc(series->count + 1, sizeof *t);
    AUTO_FREE double *y = calloc(series->count + 1, sizeof *y);
    AUTO_FREE struct robust_scratch *scratch = malloc(sizeof *scratch);
    struct fix_rate sum = {0};

    if (t == NULL || y == NULL || scratch == NULL)
        return unknown_rate;
    for (size_t at = 0; at < series->count;) {
        struct robust_trend trend;
        size_t count = take_boot(series, from_us, to_us, &at, t, y);
        if (count < POINTS_MIN || !robust_theil_sen(t, y, count, scratch, &trend))
            continue;
        double hours = t[count - 1] - t[0];
        sum.rate += trend.slope * hours;
        sum.low += trend.slope_low * hours;
        sum.high += trend.slope_high * hours;
        sum.hours += hours;
    }
    if (!(sum.hours > 0))
        return unknown_rate;
    return (struct fix_rate){sum.rate / sum.hours, sum.low / sum.hours, sum.high / sum.hours,
                             sum.hours};
}

static enum fix_growth growth_of(const struct fix_rate *before, const struct fix_rate *after)
{
    double still = before->rate * STILL_GROWING;

    if (!(before->low > 0) || before->hours < BEFORE_MIN_H)
        return FIX_UNMEASURED;
    if (isnan(after->rate) || after->hours < AFTER_MIN_H)
        return FIX_EARLY;
    if (after->low >= still)
        return FIX_GROWING;
    return after->high < still ? FIX_STOPPED : FIX_EARLY;
}

void fix_judge_host(struct fix_host *host, const struct fix_series *series)
{
    int64_t last = series->count == 0 ? 0 : series->t_us[series->count - 1];

    host->after = unknown_rate;
    if (host->moved) {
        host->before = fix_measure(series, host->changed_us - FIX_BEFORE_US, host->changed_us);
        host->after = fix_measure(series, host->changed_us, host->changed_us + FIX_AFTER_US);
        host->growth = growth_of(&host->before, &host->after);
        return;
    }
    host->before = fix_measure(series, last - FIX_BEFORE_US, last + 1);
    host->growth = isnan(host->before.rate) || host->before.hours < BEFORE_MIN_H ? FIX_UNMEASURED
                   : host->before.low > 0                                        ? FIX_GROWING
                                                                                 : FIX_STOPPED;
}

/* ---- exact figures ---------------------------------------------------------- */

static double log_choose(double n, double k)
{
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

/* P(X <= k) of n with chance p. */
static double binomial_cdf(size_t k, size_t n, double p)
{
    double sum = 0;

    for (size_t i = 0; i <= k; i++)
        sum += exp(log_choose((double)n, (double)i) + (double)i * log(p) +
                   (double)(n - i) * log1p(-p));
    return sum > 1 ? 1 : sum;
}

/* Where P(X <= k) falls through `level`; it falls with p. */
static double solve(size_t k, size_t n, double level)
{
    double low = 0, high = 1;

    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (binomial_cdf(k, n, middle) > level)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

void fix_interval(size_t k, size_t n, double *ret_low, double *ret_high)
{
    *ret_low = n == 0 ? NAN : k == 0 ? 0 : solve(k - 1, n, 0.975);
    *ret_high = n == 0 ? NAN : k == n ? 1 : solve(k, n, 0.025);
}

/* ---- the verdict ------------------------------------------------------------ */

static void add_host(struct fix_group *group, const struct fix_host *host, double *before,
                     double *after)
{
    group->hosts++;
    group->early += host->growth == FIX_EARLY;
    group->unmeasured += host->growth == FIX_UNMEASURED;
    if (host->growth != FIX_STOPPED && host->growth != FIX_GROWING)
        return;
    before[group->measured] = host->before.rate;
    after[group->measured] = host->after.rate;
    group->measured++;
    group->growing += host->growth == FIX_GROWING;
}

static enum status judge_group(const struct fix_host *hosts, size_t count, bool moved,
                               struct fix_group *ret_group)
{
    AUTO_FREE double *before = calloc(count + 1, sizeof *before);
    AUTO_FREE double *after = calloc(count + 1, sizeof *after);
    struct fix_group group = {0};

    if (before == NULL || after == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < count; i++)
        if (hosts[i].moved == moved)
            add_host(&group, &hosts[i], before, after);
    fix_interval(group.growing, group.measured, &group.low, &group.high);
    group.median_before = robust_median(before, group.measured);
    group.median_after = moved ? robust_median(after, group.measured) : NAN;
    *ret_group = group;
    return ST_OK;
}

/* That those who stay grow this much more often by chance. */
static double p_value_of(const struct fix_group *moved, const struct fix_group *stays)
{
    if (moved->measured == 0 || stays->measured == 0)
        return NAN;
    return explain_fisher(stays->growing, stays->measured - stays->growing, moved->growing,
                          moved->measured - moved->growing);
}

static enum fix_verdict verdict_of(const struct fix_result *result)
{
    const struct fix_group *moved = &result->moved;
    double share = moved->measured == 0 ? NAN : (double)moved->growing / (double)moved->measured;

    if (moved->hosts == 0)
        return FIX_NOBODY;
    if (moved->measured < HOSTS_MIN)
        return moved->measured + moved->early >= HOSTS_MIN ? FIX_TOO_EARLY : FIX_TOO_FEW;
    if (share <= WORKS_SHARE && (moved->high < 0.5 || result->p_value < P_MAX))
        return FIX_WORKS;
    return share >= FAILS_SHARE ? FIX_FAILS : FIX_UNCLEAR;
}

enum status fix_judge(const struct fix_host *hosts, size_t count, struct fix_result *ret_result)
{
    struct fix_result result = {0};
    enum status status = judge_group(hosts, count, true, &result.moved);

    if (status == ST_OK)
        status = judge_group(hosts, count, false, &result.stays);
    if (status != ST_OK)
        return status;
    result.p_value = p_value_of(&result.moved, &result.stays);
    result.verdict = verdict_of(&result);
    *ret_result = result;
    return ST_OK;
}

static const char *plural(size_t count)
{
    return count == 1 ? "host" : "hosts";
}

void fix_sentence(const struct fix_result *result, const char *what, const char *bad,
                  struct strbuf *out)
{
    static const char *const heads[] = {[FIX_NOBODY] = "Nobody has moved yet",
                                        [FIX_TOO_EARLY] = "It is too early to tell",
                                        [FIX_TOO_FEW] = "Too few hosts have moved to tell",
                                        [FIX_WORKS] = "The fix works",
                                        [FIX_FAILS] = "The fix does not work",
                                        [FIX_UNCLEAR] = "It is not clear that the fix works"};
    const struct fix_group *moved = &result->moved, *stays = &result->stays;

    strbuf_puts(out, heads[result->verdict]);
    if (moved->hosts == 0) {
        strbuf_printf(out, ": all %s affected %s still have %s %s.", GROUPED(stays->hosts),
                      plural(stays->hosts), what, bad);
        return;
    }
    strbuf_printf(out, ": of %s %s that left %s %s, ", GROUPED(moved->hosts), plural(moved->hosts),
                  what, bad);
    if (moved->measured == 0)
        strbuf_puts(out, "none can be measured yet");
    else
        strbuf_printf(out, "%s of %s measured still grow (%.0f to %.0f %%)",
                      GROUPED(moved->growing), GROUPED(moved->measured), moved->low * 100,
                      moved->high * 100);
    if (moved->early > 0)
        strbuf_printf(out, ", %s too early to tell", GROUPED(moved->early));
    if (moved->unmeasured > 0)
        strbuf_printf(out, ", %s without growth before", GROUPED(moved->unmeasured));
    if (stays->measured > 0)
        strbuf_printf(out, "; of those that stay on it %s of %s grow", GROUPED(stays->growing),
                      GROUPED(stays->measured));
    strbuf_puts(out, ".");
}
