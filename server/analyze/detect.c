/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/detect.h"

#include "server/analyze/columns.h"
#include "server/analyze/usual.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* docs/detection.md, "Thresholds and where they come from": detect */
#define GROWTH_MIN_BYTES (4.0 * 1024 * 1024)
#define GROWTH_MIN_SHARE 0.00015 /* of RAM */
#define SWING_MIN_BYTES  (256.0 * 1024)
#define SWING_MIN_SHARE  1e-5 /* of RAM */
#define SWINGS_DOUBT     2.0  /* excess over what such a row moves by itself on other hosts */
#define SWINGS_LIKELY    3.0
#define SWINGS_SURE      6.0
#define HIGH_MIN_BYTES   (8.0 * 1024 * 1024)
#define HIGH_MIN_SHARE   0.0007 /* of RAM, above what is usual: of one row */
#define HIGH_WEAK_SHARE  0.25   /* the same where no other host is of this kind */
#define HIGH_RATIO       2.0    /* over what nearly all hold */
#define TOOK_SHARE       0.05   /* of RAM: more than a cache takes that no other host has */
#define TOOK_HOURS       24.0
#define Z_HIGH           6.0
#define Z_FROM_BOOT      3.5
#define LOG_SPREAD_MIN   0.15 /* hosts that agree to the byte: 11 % */
#define STILL_HOURS      24.0
#define STILL_FREES      0.5 /* frees per alloc */
#define FILLS_HOSTS      2   /* that slowed down as they filled */
#define FILLS_SLOWED     0.3 /* of those that went up from little after a boot */
#define FILLS_ROSE       0.5 /* of those seen after a boot: a leak grows on some, a cache on all */
#define FILLS_ALL        0.8 /* the same, where a level is doubted for it */
#define FILLS_DOUBT      0.3
#define FILLS_LOWEST     0.4f /* of what is held: it came from little in this boot */
#define FILLS_STRAIGHT   0.7f
#define FILLS_SWINGS     30.0 /* excess over what such a row moves elsewhere: too far for a cache */
#define FILLS_SEEN_BYTES (256.0 * 1024)
#define FILLS_SEEN_HOURS 6.0
#define STEEP_HOURS      0.1  /* enough of what has never been seen and would end within */
#define STEEP_LEFT       48.0 /* so many hours */
#define STEEP_POINTS     5
#define STEEP_SWINGS     30.0 /* excess over what such a row moves elsewhere */
#define STEEP_NEWNESS    0.9f
#define STEEP_FALL       0.05f /* of the growth: it goes up only */
#define STEEP_EVEN       0.5f  /* late rate over early rate: it does not level off */
#define STEEP_SNR        10.0f
#define WORK_POWER       1.5 /* a row may grow so much faster than the number of processes */

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

/* Hours to the pool's end. Tags that grow together fill it together. */
static double hours_left(const struct fleet_host *host, const struct feature *feature)
{
    double together = host->growth[feature->pool];
    double rate = fmax((double)feature->rate, 1);
    if (rate >= 0.01 * together)
        rate = fmax(rate, together);
    return detect_headroom(host, (enum pool)feature->pool) / rate;
}

/* How long growth must have been seen: a leak that kills in three hours is named within minutes,
 * a slow one has to outlast a day's cycle. */
static double needed_hours(const struct fleet_host *host, const struct feature *feature)
{
    double left = hours_left(host, feature);
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

static double own_belief(const struct fleet_host *host, const struct feature *feature,
                         double needed)
{
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

/* What one row says of one host. */
struct judged {
    enum verdict verdict;
    double belief;
    double own;
    double swings; /* excess in units of what is usual; NAN: nothing is known */
    double excess; /* bytes */
    double z;      /* of the bytes held, among what others hold; in powers of 2 */
    bool filling;
    bool old_enough; /* hosts as old as this one stay far below it */
};

static bool is_known(const struct usual *usual)
{
    return usual->hosts >= USUAL_HOSTS_MIN;
}

/* Bytes above what this host had, as far as that was what others have; else above what nearly all
 * others reach. More processes may need more. */
static double excess_of(const struct feature *feature, const struct usual *usual)
{
    double own = (double)feature->lowest * pow(fmax((double)feature->work, 1), WORK_POWER);
    bool leaked = (feature->flags & FEATURE_PRIOR_LEAK) != 0;
    bool seen = (feature->flags & FEATURE_PRIOR_SEEN) != 0 && !leaked; /* and it stayed there */
    double prior = leaked ? 0 : (double)feature->prior_peak;
    bool told = is_known(usual) && usual->elders >= 3;
    double above = own;
    bool from_boot = (feature->flags & FEATURE_FROM_BOOT) != 0;
    if (is_known(usual) && (from_boot || (double)feature->lowest < 0.5 * usual->middle))
        above = fmax(above, usual->level);
    if ((double)feature->lowest < 0.5 * prior && (seen || !told || prior <= 3 * usual->level))
        above = fmax(above, prior);
    return (double)feature->bytes - above;
}

/* Straight up within minutes, in a boot that has settled, to where neither this row here nor any
 * like it elsewhere has ever been: caches after a boot, nightly work and bursts that return have
 * been seen before. */
static bool is_steep(const struct fleet_host *host, const struct feature *feature,
                     const struct judged *judged, bool new_here)
{
    bool never =
        judged->swings >= STEEP_SWINGS || (new_here && (feature->flags & FEATURE_ZERO_FREES) != 0);
    return never && (feature->flags & FEATURE_FROM_BOOT) == 0 && feature->points >= STEEP_POINTS &&
           feature->newness >= STEEP_NEWNESS && feature->drawdown <= STEEP_FALL &&
           feature->linear >= STEEP_EVEN && feature->snr >= STEEP_SNR &&
           hours_left(host, feature) <= STEEP_LEFT;
}

static void judge_growth(const struct fleet_host *host, const struct feature *feature,
                         const struct usual *usual, struct judged *judged)
{
    bool known = is_known(usual);
    bool from_boot = (feature->flags & FEATURE_FROM_BOOT) != 0;
    if (feature->shape != SHAPE_GROWING && feature->shape != SHAPE_BURSTY)
        return;
    bool new_here = !known && usual->without > USUAL_HOSTS_MIN;
    bool sure =
        judged->old_enough || ((known ? judged->swings >= SWINGS_SURE : new_here) && !from_boot);
    double needed = needed_hours(host, feature) * (sure ? 0.3 : 1);
    if (is_steep(host, feature, judged, new_here))
        needed = fmin(needed, STEEP_HOURS);
    double own = own_belief(host, feature, needed);
    if (own <= 0)
        return;
    /* Without peers of its kind, growth that began with the boot may be a cache: days decide, or
     * much of the machine taken for a day with nothing ever freed. */
    bool took = new_here && (feature->flags & FEATURE_ZERO_FREES) != 0 &&
                (double)feature->growth >= TOOK_SHARE * host->ram &&
                (double)feature->span_hours >= TOOK_HOURS && feature->linear >= 0.7f;
    bool maybe_cache = from_boot && (feature->span_hours < 72 || feature->linear < 0.7f) &&
                       needed_hours(host, feature) > 3 && !took;
    judged->verdict = VERDICT_GROWS;
    judged->own = own;
    if (new_here && !maybe_cache)
        judged->belief = fmin(own + 0.1, 0.95); /* others do not even have the row */
    else if (!known)
        judged->belief = own * (maybe_cache ? 0.4 : 0.75);
    else if (judged->swings < SWINGS_DOUBT || (from_boot && judged->z < Z_FROM_BOOT))
        judged->belief = own * 0.25;
    else if (usual->foreign || (usual->elders < 3 && maybe_cache))
        judged->belief = own * (maybe_cache ? 0.4 : 0.8);
    else if (judged->swings < SWINGS_LIKELY)
        judged->belief = own * 0.6;
    else
        judged->belief = judged->swings < SWINGS_SURE ? own * 0.9 : fmin(own + 0.1, 0.95);
    judged->filling = known && judged->swings < 1;
}

/* Much more than others hold: risen to it and kept, or always there and far from all others. */
static void judge_level(const struct fleet_host *host, const struct feature *feature,
                        const struct usual *usual, double gap, struct judged *judged)
{
    double bytes = (double)feature->bytes;
    double floor = fmax(HIGH_MIN_BYTES, HIGH_MIN_SHARE * host->ram);
    bool rose = feature->newness >= 0.5f && feature->drawdown <= 0.3f && feature->points >= 4 &&
                feature->span_hours >= 0.5f && judged->excess >= floor;
    bool lately = rose && (feature->flags & FEATURE_FROM_BOOT) == 0;
    double over = bytes - usual->level_most;
    bool apart = bytes > gap && over >= floor && bytes >= HIGH_RATIO * usual->level_most &&
                 over >= SWINGS_LIKELY * usual->swing && judged->z >= Z_HIGH &&
                 feature->shape != SHAPE_WORKLOAD;
    if (!is_known(usual)) {
        /* Only the plainest case: much of the machine, taken in this boot, kept for a day. */
        if (feature->lowest > 0.4f * feature->bytes || feature->flat_hours < 24 ||
            bytes < HIGH_WEAK_SHARE * host->ram || feature->pool != POOL_NONPAGED)
            return;
        judged->verdict = VERDICT_HIGH;
        judged->belief = 0.65;
        return;
    }
    if (usual->foreign && !lately &&
        (bytes < HIGH_WEAK_SHARE * host->ram || feature->pool != POOL_NONPAGED))
        return;
    bool clear = lately || (usual->elders >= 3 && bytes >= HIGH_RATIO * usual->level_most &&
                            judged->z >= Z_FROM_BOOT);
    if (rose && judged->swings >= SWINGS_SURE && clear)
        judged->belief = fmin(0.5 + 0.05 * judged->swings, 0.9);
    else if (apart && !usual->foreign &&
             (feature->lowest > 0.4f * feature->bytes || feature->flat_hours >= 3))
        judged->belief = fmin(0.4 + 0.05 * (judged->z - Z_HIGH), 0.9);
    else
        return;
    judged->verdict = VERDICT_HIGH;
    judged->own = 0;
}

static struct judged judge(struct usual_row *row, const struct fleet *fleet, size_t h, double gap)
{
    struct judged judged = {.swings = NAN};
    const struct fleet_host *host = &fleet->hosts[h];
    const struct feature *feature = usual_feature(row, h);
    struct usual usual = usual_of(row, h);
    judged.excess = excess_of(feature, &usual);
    judged.z = (log2((double)feature->bytes + 65536) - usual.log_middle) /
               fmax(usual.log_spread, LOG_SPREAD_MIN);
    double swing = fmax(usual.swing, fmax(SWING_MIN_BYTES, SWING_MIN_SHARE * host->ram));
    if (is_known(&usual))
        judged.swings = judged.excess / swing;
    judged.old_enough = judged.swings >= SWINGS_SURE && usual.elders >= 3;
    judge_growth(host, feature, &usual, &judged);
    if (judged.verdict == VERDICT_NONE || judged.belief < 0.3) {
        struct judged level = judged;
        level.verdict = VERDICT_NONE;
        judge_level(host, feature, &usual, gap, &level);
        if (level.verdict != VERDICT_NONE)
            judged = level;
    }
    return judged;
}

/* Hosts that show the same less clearly, once some are sure. */
static bool goes_along(const struct fleet_host *host, const struct feature *feature,
                       const struct judged *judged, enum verdict verdict)
{
    double floor = fmax(1e6, 5e-5 * host->ram);
    if (judged->verdict == verdict || !(judged->swings >= 1.5) || judged->excess < floor)
        return false;
    return feature->newness >= 0.3f && feature->drawdown <= 0.6f;
}

struct pair_list {
    struct pair *items;
    size_t count;
    size_t room;
};

static enum status add_pair(struct pair_list *list, const struct pair *pair)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 64 : list->room * 2;
        struct pair *more = realloc(list->items, room * sizeof *more);
        if (more == NULL)
            return ST_NOMEM;
        list->items = more;
        list->room = room;
    }
    list->items[list->count++] = *pair;
    return ST_OK;
}

/* How a row went after boots, over the hosts of one role. */
struct filling {
    size_t seen; /* hosts that have the row, with a boot seen from its beginning */
    size_t rose;
    size_t slowed;
};

static void count_filling(const struct fleet *fleet, enum pool pool, uint32_t tag,
                          const struct usual_row *row, struct filling ret_by_role[USUAL_GROUPS_MAX])
{
    memset(ret_by_role, 0, USUAL_GROUPS_MAX * sizeof *ret_by_role);
    for (size_t h = 0; h < fleet->count; h++) {
        const struct fleet_host *host = &fleet->hosts[h];
        const struct feature *feature = usual_feature(row, h);
        struct filling *of = &ret_by_role[usual_group(row, h)];
        double history = (double)(host->last_us - host->first_us) / (double)US_PER_HOUR;
        bool rose = feature != NULL && (feature->flags & FEATURE_ROSE) != 0;
        of->rose += rose;
        of->slowed += feature != NULL && (feature->flags & FEATURE_SLOWED) != 0;
        double bytes = feature != NULL ? (double)feature->peak : fleet_bytes(host, pool, tag);
        of->seen += rose || (bytes >= FILLS_SEEN_BYTES && host->longest_hours >= FILLS_SEEN_HOURS &&
                             history >= host->uptime_hours - FILLS_SEEN_HOURS);
    }
}

static bool fills_up(const struct filling *of, double rose)
{
    return of->slowed >= FILLS_HOSTS && (double)of->slowed >= FILLS_SLOWED * (double)of->rose &&
           (double)of->rose >= rose * (double)of->seen;
}

/* A row that fills after each boot, and slows down on hosts that are further: what grows on the
 * others since the boot is no leak yet, unless it goes on straight, or very far, where others that
 * are as old stay below. And where it fills on all, the fullest is not a level that stayed. */
static void doubt_filling(const struct fleet_host *host, const struct feature *feature,
                          const struct filling *filling, struct judged *judged)
{
    bool grows = judged->verdict == VERDICT_GROWS;
    bool took = (feature->flags & FEATURE_ZERO_FREES) != 0 &&
                (double)feature->growth >= TOOK_SHARE * host->ram;
    bool straight = feature->linear >= FILLS_STRAIGHT;
    bool far = judged->old_enough && (straight || judged->swings >= FILLS_SWINGS);
    bool came = feature->lowest < FILLS_LOWEST * feature->bytes ||
                (grows && (feature->flags & FEATURE_FROM_BOOT) != 0);
    if (judged->verdict == VERDICT_NONE || !came || far || (straight && took) ||
        !fills_up(filling, grows ? FILLS_ROSE : FILLS_ALL))
        return;
    judged->belief *= FILLS_DOUBT;
    judged->own *= FILLS_DOUBT;
}

/* First stage: is there enough of a row on one host to look at all the others? */
static bool worth_a_look(const struct fleet_host *host, const struct feature *feature)
{
    return (double)feature->growth >= fmax(GROWTH_MIN_BYTES, GROWTH_MIN_SHARE * host->ram) ||
           (double)feature->bytes >= fmax(HIGH_MIN_BYTES, HIGH_MIN_SHARE * host->ram);
}

/* Frees per alloc since the boot, over the hosts where the row grows; NAN: none knows. */
static double frees_of_growing(const struct feature *const *features, const struct judged *judged,
                               size_t count)
{
    double least = NAN;
    for (size_t i = 0; i < count; i++)
        if (judged[i].verdict == VERDICT_GROWS && judged[i].belief >= 0.3)
            least = fmin(least, (double)features[i]->boot_frees);
    return least;
}

/* A host that has held still for a day, and freed much less than any host that grows, is no part of
 * what grows: it has a story of its own. */
static bool holds_still(const struct judged *judged, const struct feature *feature, double frees)
{
    return judged->verdict == VERDICT_HIGH && judged->belief >= 0.5 &&
           (double)feature->flat_hours >= STILL_HOURS &&
           (double)feature->boot_frees < frees - STILL_FREES;
}

/* One story is told of the other hosts of a row: most of them still grow, or most only hold it. */
static enum verdict choose_story(const struct judged *judged, size_t count)
{
    double grows = 0;
    double high = 0;
    for (size_t i = 0; i < count; i++) {
        grows += judged[i].verdict == VERDICT_GROWS && judged[i].belief >= 0.3 ? 1 : 0;
        high += judged[i].verdict == VERDICT_HIGH ? 1 : 0;
    }
    return grows >= 0.5 * high ? VERDICT_GROWS : VERDICT_HIGH;
}

struct detector {
    const struct fleet *fleet;
    struct usual_row *row;
    const struct feature *const *features; /* of the row in hand */
    const uint32_t *hosts;
    struct judged *judged;
    struct filling filling[USUAL_GROUPS_MAX];
    struct pair_list list;
};

static enum status judge_row(struct detector *d, enum pool pool, uint32_t tag, size_t count)
{
    usual_load(d->row, pool, tag, d->features, d->hosts, count);
    double gap = usual_part(d->row);
    if (gap < INFINITY && usual_other_kind(d->row, gap)) {
        gap = INFINITY;
        usual_load(d->row, pool, tag, d->features, d->hosts, count);
    }
    double surest = 0;
    count_filling(d->fleet, pool, tag, d->row, d->filling);
    for (size_t i = 0; i < count; i++) {
        const struct fleet_host *host = &d->fleet->hosts[d->hosts[i]];
        d->judged[i] = judge(d->row, d->fleet, d->hosts[i], gap);
        doubt_filling(host, d->features[i], &d->filling[usual_group(d->row, d->hosts[i])],
                      &d->judged[i]);
        if (d->judged[i].verdict != VERDICT_NONE)
            surest = fmax(surest, d->judged[i].belief);
    }
    enum verdict story = choose_story(d->judged, count);
    double frees = frees_of_growing(d->features, d->judged, count);
    for (size_t i = 0; i < count; i++) {
        struct judged *of = &d->judged[i];
        bool still = holds_still(of, d->features[i], frees);
        if (!still && surest >= 0.5 &&
            goes_along(&d->fleet->hosts[d->hosts[i]], d->features[i], of, story))
            of->belief = fmax(of->belief, 0.35);
        else if (of->verdict == VERDICT_NONE ||
                 (of->belief < 0.3 && (d->features[i]->flags & FEATURE_FROM_BOOT) != 0))
            continue;
        struct pair pair = {.tag = tag,
                            .pool = pool,
                            .host = d->hosts[i],
                            .verdict = still ? VERDICT_HIGH : story,
                            .belief = of->belief,
                            .own_belief = of->own,
                            .score = of->swings,
                            .excess = of->excess,
                            .filling = of->filling,
                            .feature = d->features[i]};
        if (add_pair(&d->list, &pair) != ST_OK)
            return ST_NOMEM;
    }
    return ST_OK;
}

enum status detect_pairs(const struct fleet *fleet, struct pair **ret_pairs, size_t *ret_count)
{
    AUTO_COLUMNS struct columns columns = {0};
    AUTO_USUAL struct usual_row *row = usual_new(fleet);
    AUTO_FREE struct judged *judged = calloc(fleet->count + 1, sizeof *judged);
    if (row == NULL || judged == NULL || columns_make(fleet, worth_a_look, &columns) != ST_OK)
        return ST_NOMEM;
    struct detector detector = {.fleet = fleet, .row = row, .judged = judged};
    enum status status = ST_OK;
    for (size_t i = 0; i < columns.count && status == ST_OK; i++) {
        const struct column *column = &columns.items[i];
        detector.features = columns.features + column->first;
        detector.hosts = columns.hosts + column->first;
        status = judge_row(&detector, column->pool, column->tag, column->count);
    }
    if (status != ST_OK) {
        free(detector.list.items);
        return status;
    }
    *ret_pairs = detector.list.items;
    *ret_count = detector.list.count;
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
