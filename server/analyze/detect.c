/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/detect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Chosen, and checked by the silent and incident tests. */
#define GROWTH_MIN_BYTES (4.0 * 1024 * 1024)
#define GROWTH_MIN_SHARE 0.0003 /* of RAM */
#define Z_SURE           8.0
#define Z_LIKELY         5.0
#define Z_HIGH           6.0
#define HIGH_RATIO       4.0
#define HIGH_P60_RATIO   3.0
#define HIGH_MIN_SHARE   0.015 /* of RAM, above the peers */
#define HIGH_WEAK_SHARE  0.25  /* the same where the peers have other roles */
#define HIGH_MIN_BYTES   (128.0 * 1024 * 1024)
#define LOG_FLOOR        (64.0 * 1024)
#define LOG_MAD_MIN      0.1 /* peers that agree to the byte: 7 % */

double detect_headroom(const struct fleet_host *host, enum pool pool)
{
    enum total used = pool == POOL_NONPAGED ? TOTAL_NONPAGED_BYTES : TOTAL_PAGED_BYTES;
    enum total limit = pool == POOL_NONPAGED ? TOTAL_NONPAGED_LIMIT_BYTES : TOTAL_PAGED_LIMIT_BYTES;
    const struct snapshot_totals *totals = &host->totals;
    double room = INFINITY;
    if (totals_has(totals, used) && totals_has(totals, limit))
        room = (double)totals->value[limit] - (double)totals->value[used];
    if (totals_has(totals, TOTAL_COMMIT_BYTES) && totals_has(totals, TOTAL_COMMIT_LIMIT_BYTES))
        room = fmin(room, (double)totals->value[TOTAL_COMMIT_LIMIT_BYTES] -
                              (double)totals->value[TOTAL_COMMIT_BYTES]);
    if (room == INFINITY)
        room = host->ram * 0.75;
    return fmax(room, 0);
}

/* How long growth must have been seen: a leak that kills in three hours is named within minutes,
 * a slow one has to outlast a day's cycle. */
static double needed_hours(const struct fleet_host *host, const struct feature *feature)
{
    /* Tags that grow together fill the pool together. */
    double together = host->growth[feature->pool];
    double rate = fmax((double)feature->rate, 1);
    if (rate >= 0.01 * together)
        rate = fmax(rate, together);
    double left = detect_headroom(host, (enum pool)feature->pool) / rate;
    /* A tag that came from nothing and grows like a ruler, freeing nothing, need not wait a day.
     * The point before the first block may be an hour older than the growth, which makes a straight
     * line look steeper at its end: so the upper bound is wide, and the fit's noise decides. */
    bool ruler = (feature->flags & FEATURE_ZERO_FREES) != 0 && feature->snr >= 50 &&
                 feature->linear > 0.8f && feature->linear < 2.5f && feature->points >= 8 &&
                 feature->lowest < 0.05f * feature->bytes &&
                 (feature->flags & FEATURE_FROM_BOOT) == 0 &&
                 (double)feature->growth >= 0.004 * host->ram;
    return fmin(fmax(0.12 * left, 0.3), ruler ? 2 : 24);
}

static double own_belief(const struct fleet_host *host, const struct feature *feature)
{
    double needed = needed_hours(host, feature);
    double belief = 0.35;
    if ((double)feature->growth < fmax(GROWTH_MIN_BYTES, GROWTH_MIN_SHARE * host->ram))
        return 0;
    if ((double)feature->span_hours < needed)
        return 0;
    belief += feature->points >= 8 ? 0.15 : feature->points >= 5 ? 0.05 : 0;
    belief += 0.15 * fmin((double)feature->span_hours / needed / 2, 1);
    if (feature->windows == feature->windows_seen && (feature->windows >= 2 || feature->snr >= 30))
        belief += 0.1;
    if (feature->linear >= 0.7f)
        belief += 0.1;
    if ((feature->flags & (FEATURE_ZERO_FREES | FEATURE_COUNT_AGREES)) != 0)
        belief += 0.1;
    if ((feature->flags & FEATURE_PRIOR_LEAK) != 0)
        belief += 0.1;
    if (feature->shape == SHAPE_BURSTY)
        belief -= 0.05;
    else if (feature->snr < 6)
        belief -= 0.2;
    if ((feature->flags & FEATURE_RISING_NOW) == 0)
        belief -= 0.15;
    return fmin(fmax(belief, 0), 0.95);
}

static double rate_score(const struct fleet_host *host, double rate, double median, double mad)
{
    /* Under 0.0001 % of RAM an hour (0.02 % a week) nothing stands out. */
    double spread = fmax(fmax(mad / 0.6745, 0.1 * fabs(median)), 1e-6 * host->ram);
    return fmin(fmax((rate - median) / spread, -1000), 1000);
}

/* Against the growth of the peers, over a window that fits the age of the growth. */
static void growth_score(const struct fleet_host *host, const struct feature *feature,
                         const struct peer_stats *peers, double *ret_score, double *ret_calm)
{
    bool young = feature->span_hours < 8;
    *ret_score = *ret_calm = NAN;
    if (peers->peers == 0)
        return;
    double rate = (double)(young ? feature->rate_3h : feature->rate_24h);
    *ret_score = rate_score(host, rate, young ? peers->rate_3h : peers->rate_24h,
                            young ? peers->rate_3h_mad : peers->rate_24h_mad);
    *ret_calm = rate_score(host, rate, young ? peers->calm_3h : peers->calm_24h,
                           young ? peers->calm_3h_mad : peers->calm_24h_mad);
}

#define ELDERS_MAX 128 /* looked at, evenly spread */
#define ELDERS_MIN 3

bool detect_is_filling(const struct fleet *fleet, size_t index, const struct feature *feature)
{
    const struct fleet_host *host = &fleet->hosts[index];
    double held[ELDERS_MAX];
    size_t count = 0;
    size_t stride = fleet->count / ELDERS_MAX / 4 + 1;
    for (size_t i = index % stride; i < fleet->count && count < ELDERS_MAX; i += stride) {
        const struct fleet_host *elder = &fleet->hosts[i];
        if (i == index || elder->uptime_hours < 0.9 * host->uptime_hours ||
            strcmp(elder->cohort.role, host->cohort.role) != 0)
            continue;
        const struct feature *other = fleet_feature(elder, (enum pool)feature->pool, feature->tag);
        if (other != NULL && (other->shape == SHAPE_GROWING || other->shape == SHAPE_BURSTY))
            continue; /* perhaps a leak too: no measure of what is usual */
        /* A bigger machine holds more: its level is scaled down, never up. */
        double scale = fmin(host->ram / elder->ram, 1);
        held[count++] = scale * fleet_bytes(elder, (enum pool)feature->pool, feature->tag);
    }
    if (count < ELDERS_MIN)
        return false;
    double median = robust_median(held, count);
    double p75 = robust_quantile(held, count, 0.75);
    bool from_boot = (feature->flags & FEATURE_FROM_BOOT) != 0;
    double usual = from_boot ? fmax(1.5 * median, 1.1 * p75) : 1.1 * median;
    return (double)feature->bytes <= usual;
}

static void judge_growth(const struct fleet *fleet, const struct peer_stats *peers,
                         struct pair *pair)
{
    const struct fleet_host *host = &fleet->hosts[pair->host];
    const struct feature *feature = pair->feature;
    if (feature->shape != SHAPE_GROWING && feature->shape != SHAPE_BURSTY)
        return;
    double own = own_belief(host, feature);
    if (own <= 0)
        return;
    pair->verdict = VERDICT_GROWS;
    pair->own_belief = own;
    double calm;
    growth_score(host, feature, peers, &pair->score, &calm);
    /* Without peers of its kind, growth that began with the boot may be a cache: days decide. */
    bool maybe_cache = (feature->flags & FEATURE_FROM_BOOT) != 0 &&
                       (feature->span_hours < 72 || feature->linear < 0.7f) &&
                       needed_hours(host, feature) > 3;
    if (isnan(pair->score))
        pair->belief = own * (maybe_cache ? 0.4 : 0.75);
    else if (pair->score < Z_LIKELY && calm >= Z_SURE && !maybe_cache && !peers->weak)
        pair->belief = own * 0.75;
    else if (pair->score < Z_LIKELY)
        pair->belief = own * 0.3;
    else if (peers->weak)
        pair->belief = own * (maybe_cache ? 0.4 : 0.8);
    else
        pair->belief = pair->score >= 5 * Z_SURE ? fmin(own + 0.1, 0.95)
                       : pair->score >= Z_SURE   ? own
                                                 : own * 0.85;
    pair->filling = detect_is_filling(fleet, pair->host, feature);
    if (pair->filling)
        pair->belief = own * 0.25;
}

static double log_score(double bytes_log, double median, double mad)
{
    return (bytes_log - median) / (fmax(mad, LOG_MAD_MIN) / 0.6745);
}

/* Without peers only the plainest case counts: much of the machine, taken in this boot, and not
 * given back in a day. */
static void judge_level_alone(const struct fleet_host *host, struct pair *pair)
{
    const struct feature *feature = pair->feature;
    if (feature->lowest > 0.4f * feature->bytes || feature->flat_hours < 24 ||
        (double)feature->bytes < HIGH_WEAK_SHARE * host->ram || pair->pool != POOL_NONPAGED)
        return;
    pair->verdict = VERDICT_HIGH;
    pair->belief = 0.65;
}

static void judge_level(const struct fleet_host *host, const struct peer_stats *peers,
                        struct pair *pair)
{
    const struct feature *feature = pair->feature;
    double bytes = (double)feature->bytes;
    if (peers->peers == 0) {
        judge_level_alone(host, pair);
        return;
    }
    if (feature->lowest < 0.4f * feature->bytes && feature->flat_hours < 3)
        return; /* it was low lately, so it must have stayed up a while */
    double floor =
        fmax(HIGH_MIN_BYTES, (peers->weak ? HIGH_WEAK_SHARE : HIGH_MIN_SHARE) * host->ram);
    double by_bytes = log_score(log2(bytes + LOG_FLOOR), peers->log_median, peers->log_mad);
    double by_share =
        log_score(log2((bytes + LOG_FLOOR) / host->ram), peers->share_median, peers->share_mad);
    double score = fmin(by_bytes, by_share);
    if (score < Z_HIGH || bytes - peers->median < floor || bytes < HIGH_RATIO * peers->median ||
        bytes < HIGH_P60_RATIO * peers->p60 ||
        bytes / host->ram < HIGH_RATIO * peers->share_p60 / 2)
        return;
    pair->verdict = VERDICT_HIGH;
    pair->score = fmin(score, 1000);
    pair->own_belief = 0;
    pair->belief = fmin(0.45 + 0.05 * (score - Z_HIGH), 0.8) * (peers->weak ? 0.8 : 1);
}

static int pair_order(const void *a, const void *b)
{
    const struct pair *x = a;
    const struct pair *y = b;
    if (x->pool != y->pool)
        return x->pool < y->pool ? -1 : 1;
    int order = tag_compare(x->tag, y->tag);
    if (order != 0)
        return order;
    return (x->host > y->host) - (x->host < y->host);
}

enum status detect_pairs(const struct fleet *fleet, struct peer_cache *cache,
                         struct pair **ret_pairs, size_t *ret_count)
{
    AUTO_FREE struct pair *pairs = NULL;
    size_t count = 0;
    size_t room = 0;
    for (size_t h = 0; h < fleet->count; h++) {
        const struct fleet_host *host = &fleet->hosts[h];
        for (size_t i = 0; i < host->feature_count; i++) {
            const struct feature *feature = &host->features[i];
            const struct peer_stats *peers =
                peer_stats_get(cache, h, (enum pool)feature->pool, feature->tag);
            if (peers == NULL)
                return ST_NOMEM;
            struct pair pair = {.tag = feature->tag,
                                .pool = (enum pool)feature->pool,
                                .host = (uint32_t)h,
                                .feature = feature,
                                .score = NAN};
            pair.excess = (double)feature->bytes - (peers->peers > 0 ? peers->median : 0);
            judge_growth(fleet, peers, &pair);
            if (pair.verdict == VERDICT_NONE)
                judge_level(host, peers, &pair);
            if (pair.verdict == VERDICT_NONE)
                continue;
            if (count == room) {
                room = room == 0 ? 64 : room * 2;
                struct pair *more = realloc(pairs, room * sizeof *more);
                if (more == NULL)
                    return ST_NOMEM;
                pairs = more;
            }
            pairs[count++] = pair;
        }
    }
    if (count > 0)
        qsort(pairs, count, sizeof *pairs, pair_order);
    *ret_pairs = TAKE(pairs);
    *ret_count = count;
    return ST_OK;
}

enum membership detect_growth_member(const struct fleet_host *host, enum pool pool, uint32_t tag,
                                     double rate)
{
    const struct feature *feature = fleet_feature(host, pool, tag);
    /* Would the leak have shown by now? */
    double expected = rate * host->uptime_hours;
    if (feature == NULL || feature->growth <= 0)
        return expected < 8e6 ? MEMBER_UNCLEAR : MEMBER_NO;
    bool seen = (double)feature->growth >= fmax(1e6, 5e-5 * host->ram);
    if (!seen || (double)feature->rate < 0.12 * rate)
        return expected < 16e6 ? MEMBER_UNCLEAR : MEMBER_NO;
    /* Every pool fills in the first hour after boot; only the leak's own pace tells them apart. */
    if ((feature->flags & FEATURE_FROM_BOOT) != 0 && host->uptime_hours < 1 &&
        (double)feature->rate < 0.5 * rate)
        return MEMBER_UNCLEAR;
    bool shaped = feature->shape == SHAPE_GROWING || feature->shape == SHAPE_BURSTY;
    double recent = fmax((double)feature->rate_3h, (double)feature->rate_24h);
    if (shaped && (double)feature->rate >= 0.2 * rate && recent >= 0.1 * rate)
        return MEMBER_YES;
    bool passable = feature->newness >= 0.3f && feature->drawdown <= 0.6f &&
                    feature->linear >= 0.25f && feature->shape != SHAPE_WORKLOAD &&
                    feature->shape != SHAPE_STEP;
    return passable && (double)feature->rate >= 0.25 * rate ? MEMBER_YES : MEMBER_UNCLEAR;
}
