/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/mover.h"

#include <math.h>

/* docs/detection.md, "Thresholds of grouping, causes and forecast": mover */
#define POINTS_MIN   4
#define POINTS_MOST  96
#define PAIR_APART   0.15  /* of the growth */
#define GROWN_MIN    0.05  /* of the growth: before that the bases weigh too much */
#define STILL_SHARE  0.002 /* of the growth: so near the floor nothing has begun */
#define HOSTS_MOST   48    /* looked at, evenly spread */
#define OTHERS_MOST  33
#define AROUND_SHARE 0.05 /* of the time since the growth began: a jump may come so much later */
#define AROUND_HOURS 3.0  /* at most */
#define MOVED_HOURS  3.0  /* a row is behind another by so much at most */
#define MOVED_STEP   0.05 /* hours, of the times tried */
#define MOVED_APART  0.01 /* of the growth */
#define MOVED_OFF    0.1  /* of the points may lie elsewhere */
#define MOVED_POINTS 8
#define FLAT_PACE    0.2   /* of the mean pace */
#define FLAT_SHARE   0.4   /* of the time: growth comes in jumps */
#define VOTE_APART   0.03  /* of the growth: one has jumped and the other has not */
#define VOTE_WEIGHT  3.0   /* standard errors; a single point is sure, since blocks are exact */
#define LAG_SURE     2.0   /* standard errors that make one row first */
#define LAG_ERROR    0.015 /* hours: least standard error, about a minute */

/* Points at which the second of two rows is ahead of the first, or behind it. */
struct votes {
    double ahead;
    double behind;
};

/* The boot before the growth, if it is there: three points on the floor. */
static double own_base(const struct curve *curve, size_t still)
{
    double values[64];
    size_t count = 0;
    for (size_t i = still >= 64 ? still - 63 : 0; i <= still && count < 64; i++)
        values[count++] = (double)curve->blocks[i];
    return still >= 2 ? robust_median(values, count) : NAN;
}

/* Index of the last point where the row had not begun. */
static size_t last_still(const struct curve *curve)
{
    double floor = INFINITY;
    double now = (double)curve->blocks[curve->count - 1];
    size_t still = 0;
    for (size_t i = 0; i < curve->count; i++)
        floor = fmin(floor, (double)curve->blocks[i]);
    for (size_t i = 0; i < curve->count; i++) {
        if ((double)curve->blocks[i] - floor <= STILL_SHARE * (now - floor))
            still = i;
    }
    return still;
}

static double base_of(const struct curve *curve, size_t still, double elsewhere)
{
    double base = own_base(curve, still);
    double least = (double)curve->blocks[0];
    for (size_t i = 1; i < curve->count; i++)
        least = fmin(least, (double)curve->blocks[i]);
    if (!isnan(base))
        return base;
    return isnan(elsewhere) ? 0 : fmin(elsewhere, least);
}

/* Points where both are known and the growth outweighs the bases; x: growth of the first, 1 now. */
struct points {
    size_t count;
    double hours[POINTS_MOST];
    double x[POINTS_MOST];
    double y[POINTS_MOST]; /* blocks of the second above its base */
};

static void add_point(struct points *points, double hours, double x, double y)
{
    size_t i = points->count++;
    points->hours[i] = hours;
    points->x[i] = x;
    points->y[i] = y;
}

static double mean_of(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return sum / (double)count;
}

/* Median over pairs of points that lie well apart: a few taken while the first had moved and the
 * second had not do not turn it. */
static double ratio_of(const struct points *points)
{
    double slopes[POINTS_MOST * (POINTS_MOST - 1) / 2];
    size_t count = 0;
    for (size_t i = 0; i < points->count; i++) {
        for (size_t k = 0; k < i; k++) {
            double apart = points->x[i] - points->x[k];
            if (fabs(apart) >= PAIR_APART)
                slopes[count++] = (points->y[i] - points->y[k]) / apart;
        }
    }
    return robust_median(slopes, count);
}

/* Growth of the first in an hour. */
static double pace_of(const struct points *points)
{
    double t = mean_of(points->hours, points->count);
    double x = mean_of(points->x, points->count);
    double tt = 0;
    double tx = 0;
    for (size_t i = 0; i < points->count; i++) {
        tt += (points->hours[i] - t) * (points->hours[i] - t);
        tx += (points->hours[i] - t) * (points->x[i] - x);
    }
    return tt > 0 ? tx / tt : 0;
}

/* Blocks of the second by those of the first. */
struct line {
    double base;  /* of the first */
    double grown; /* by the first since then */
    double offset;
    double slope; /* over all of `grown` */
};

static double line_at(const struct line *line, uint32_t blocks)
{
    return line->offset + line->slope * ((double)blocks - line->base) / line->grown;
}

/* How far the second lies from what the first foresees: median over the points, so that a few that
 * were taken between the two do not count, as a share of the second's growth. Where growth comes in
 * jumps, anything that the first foresees for the times around is foreseen. */
static double distance(const struct curve *a, const struct curve *b, size_t still,
                       const struct line *line, bool jumps)
{
    double apart[256];
    size_t count = 0;
    double around = fmin(AROUND_SHARE * -(double)a->hours[still], AROUND_HOURS);
    size_t low = still;
    size_t high = still;
    for (size_t i = still; i < a->count && count < 256; i++) {
        while (low + 1 < i && (double)(a->hours[i] - a->hours[low]) > around)
            low++;
        high = high < i ? i : high;
        while (high + 1 < a->count &&
               (high <= i || (double)(a->hours[high + 1] - a->hours[i]) <= around))
            high++;
        double before = line_at(line, a->blocks[jumps ? low : i]);
        double after = line_at(line, a->blocks[jumps ? high : i]);
        double is = (double)b->blocks[i];
        if ((double)a->blocks[i] - line->base >= GROWN_MIN * line->grown)
            apart[count++] = fmax(fmax(fmin(before, after) - is, is - fmax(before, after)), 0);
    }
    return robust_median(apart, count) / line->slope;
}

/* Two rows of one host from where the first of them began to grow. */
struct beside {
    const struct curve *a;
    const struct curve *b;
    size_t still; /* points before it */
    double base_a;
    double base_b;
    double grown; /* blocks of the first; not above 0: nothing */
};

/* False: they do not have the same points, or fewer than `least`. */
static bool put_beside(const struct feature *first, const struct feature *second, double base_first,
                       double base_second, size_t least, struct beside *ret_beside)
{
    const struct curve *a = first->curve;
    const struct curve *b = second->curve;
    if (a == NULL || b == NULL || a->blocks == NULL || b->blocks == NULL || a->count != b->count ||
        a->count < least)
        return false;
    size_t still = last_still(a);
    size_t other = last_still(b);
    still = other < still ? other : still;
    double base_a = base_of(a, still, base_first);
    *ret_beside = (struct beside){.a = a,
                                  .b = b,
                                  .still = still,
                                  .base_a = base_a,
                                  .base_b = base_of(b, still, base_second),
                                  .grown = (double)a->blocks[a->count - 1] - base_a};
    return true;
}

/* Where the boot does not show what a row held before the growth, the points themselves tell how
 * far the second is off: most of them were taken when neither had just jumped. ratio: blocks of the
 * second per block of the first. */
static void settle(struct beside *at, double ratio)
{
    double off[256];
    size_t count = 0;
    size_t stride = at->a->count / 256 + 1;
    if (at->still >= 2)
        return;
    for (size_t i = at->still; i < at->a->count; i += stride)
        off[count++] =
            (double)at->b->blocks[i] - at->base_b - ratio * ((double)at->a->blocks[i] - at->base_a);
    at->base_b += robust_median(off, count);
}

bool mover_compare(const struct feature *first, const struct feature *second, double base_first,
                   double base_second, struct mover_pair *ret_pair)
{
    struct beside at;
    struct points points = {0};
    if (!put_beside(first, second, base_first, base_second, POINTS_MIN, &at))
        return false;
    size_t stride = (at.a->count - at.still) / POINTS_MOST + 1;
    for (size_t i = at.still; i < at.a->count && at.grown > 0; i += stride) {
        double x = ((double)at.a->blocks[i] - at.base_a) / at.grown;
        if (x >= GROWN_MIN)
            add_point(&points, (double)at.a->hours[i], x, (double)at.b->blocks[i] - at.base_b);
    }
    if (points.count < POINTS_MIN)
        return false;
    double slope = ratio_of(&points);
    double r = robust_correlation(points.x, points.y, points.count);
    double x = mean_of(points.x, points.count);
    double behind = mean_of(points.y, points.count) - slope * x; /* below 0: the second is late */
    double pace = pace_of(&points);
    if (!(slope > 0) || !(pace > 0) || isnan(r))
        return false;
    ret_pair->ratio = slope / at.grown;
    ret_pair->lag = -behind / slope / pace;
    ret_pair->fit = r * r;
    struct line line = {at.base_a, at.grown, behind + at.base_b, slope};
    bool jumps = first->shape == SHAPE_BURSTY || second->shape == SHAPE_BURSTY;
    ret_pair->apart = distance(at.a, at.b, at.still, &line, jumps);
    return true;
}

/* Stood still for much of the time since it began to grow. */
static bool comes_in_jumps(const struct curve *curve, size_t still)
{
    size_t last = curve->count - 1;
    double grown = (double)curve->blocks[last] - (double)curve->blocks[still];
    double span = (double)(curve->hours[last] - curve->hours[still]);
    double flat = 0;
    for (size_t i = still; i < last; i++) {
        double rise = (double)curve->blocks[i + 1] - (double)curve->blocks[i];
        double apart = (double)(curve->hours[i + 1] - curve->hours[i]);
        flat += rise * span <= FLAT_PACE * grown * apart ? apart : 0;
    }
    return flat >= FLAT_SHARE * span;
}

/* Of the second's points, those that do not lie between what the first held at the two points
 * around `lag` hours before; as soon as they are too many it is said so. */
static bool fits_moved(const struct beside *at, double ratio, double lag)
{
    const struct curve *a = at->a;
    size_t near = 0; /* the last point of the first not after the time looked for */
    size_t looked = 0;
    size_t off = 0;
    double room = MOVED_APART * at->grown * ratio;
    for (size_t i = at->still; i < a->count; i++) {
        double then = (double)a->hours[i] - lag;
        while (near + 1 < a->count && (double)a->hours[near + 1] <= then)
            near++;
        if (then < (double)a->hours[0] || then > (double)a->hours[a->count - 1])
            continue;
        size_t next = near + 1 < a->count ? near + 1 : near;
        double is = (double)at->b->blocks[i] - at->base_b;
        double from = ((double)a->blocks[near] - at->base_a) * ratio;
        double to = ((double)a->blocks[next] - at->base_a) * ratio;
        looked++;
        off += is < fmin(from, to) - room || is > fmax(from, to) + room;
        if ((double)off > MOVED_OFF * (double)(a->count - at->still))
            return false;
    }
    return looked >= MOVED_POINTS && 2 * looked >= a->count - at->still;
}

bool mover_is_moved(const struct feature *first, const struct feature *second, double ratio)
{
    struct beside at;
    if (!(ratio > 0) || !put_beside(first, second, NAN, NAN, MOVED_POINTS, &at) || at.grown <= 0 ||
        !comes_in_jumps(at.a, at.still) || !comes_in_jumps(at.b, at.still))
        return false;
    settle(&at, ratio);
    double most = fmin(MOVED_HOURS, -(double)at.a->hours[at.still] / 2);
    for (double lag = 0; lag <= most; lag += MOVED_STEP) {
        if (fits_moved(&at, ratio, lag) || fits_moved(&at, ratio, -lag))
            return true;
    }
    return false;
}

/* A row of some size that has no curve was there already at the boot's first point. */
static bool was_there(const struct feature *feature, double base)
{
    return feature->curve == NULL && (double)feature->bytes >= CURVE_CAME_BYTES &&
           (isnan(base) || base < CURVE_CAME_SHARE * (double)feature->outstanding);
}

static bool came_later(const struct feature *feature)
{
    const struct curve *curve = feature->curve;
    return curve != NULL && curve->blocks != NULL &&
           (double)curve->blocks[0] < CURVE_CAME_SHARE * (double)curve->blocks[curve->count - 1];
}

/* Where growth comes in jumps, its pace says nothing of the time between two rows; but at some
 * points one has jumped already and the other has not. ratio: blocks of the second per block of the
 * first; NAN: as at the end. */
static void count_votes(const struct feature *first, const struct feature *second,
                        double base_first, double base_second, double ratio, struct votes *votes)
{
    struct beside at;
    votes->behind += was_there(first, base_first) && came_later(second);
    votes->ahead += was_there(second, base_second) && came_later(first);
    if (!put_beside(first, second, base_first, base_second, 0, &at))
        return;
    if (!isnan(ratio) && (first->shape == SHAPE_BURSTY || second->shape == SHAPE_BURSTY))
        settle(&at, ratio);
    if (isnan(ratio))
        ratio = ((double)at.b->blocks[at.b->count - 1] - at.base_b) / at.grown;
    if (!(at.grown > 0) || !(ratio > 0))
        return;
    for (size_t i = at.still; i < at.a->count; i++) {
        double x = ((double)at.a->blocks[i] - at.base_a) / at.grown;
        double y = ((double)at.b->blocks[i] - at.base_b) / ratio / at.grown;
        votes->ahead += y - x > VOTE_APART;
        votes->behind += x - y > VOTE_APART;
    }
}

/* What hosts without the leak hold, in blocks of this host's size. */
static double usual_blocks(const struct fleet *fleet, const uint32_t *others, size_t count,
                           const struct mover_row *row, const struct feature *feature)
{
    double values[OTHERS_MOST];
    size_t found = 0;
    double block = (double)feature->bytes / fmax((double)feature->outstanding, 1);
    size_t stride = count / OTHERS_MOST + 1;
    for (size_t i = 0; i < count && found < OTHERS_MOST; i += stride)
        values[found++] = fleet_bytes(&fleet->hosts[others[i]], row->pool, row->tag);
    return found < 3 || !(block > 0) ? NAN : robust_median(values, found) / block;
}

struct comparison {
    const struct fleet *fleet;
    const uint32_t *hosts;
    size_t host_count;
    const uint32_t *others;
    size_t other_count;
};

/* Of the second row behind the first, over the hosts. */
struct lag {
    double hours; /* median; NAN: not known */
    double sure;  /* standard errors, 0: not known */
    double ratio;
};

static bool jumps(const struct feature *feature)
{
    return feature->shape != SHAPE_GROWING;
}

/* What has stood still for long has one jump, which makes no line: as at the end. */
static bool rises(const struct feature *feature)
{
    return feature->shape != SHAPE_FLAT && feature->shape != SHAPE_STEP;
}

/* Two rows on one host, as far as both are known. */
struct meeting {
    const struct feature *x;
    const struct feature *y;
    double base_x;
    double base_y;
};

/* Votes of all hosts by one ratio: it is the rows' own, and the host where they fit best tells it
 * best. NAN: each host by what it holds at the end. */
static struct votes all_votes(const struct meeting *met, size_t count, double ratio)
{
    struct votes votes = {0};
    for (size_t i = 0; i < count; i++)
        count_votes(met[i].x, met[i].y, met[i].base_x, met[i].base_y, ratio, &votes);
    return votes;
}

static struct lag lag_between(const struct comparison *of, const struct mover_row *a,
                              const struct mover_row *b)
{
    struct meeting met[HOSTS_MOST];
    double lags[HOSTS_MOST];
    double ratios[HOSTS_MOST];
    double best_fit = 0.5;
    double best_ratio = NAN;
    size_t count = 0;
    size_t compared = 0;
    size_t jumping = 0;
    size_t stride = of->host_count / HOSTS_MOST + 1;
    for (size_t i = 0; i < of->host_count && compared < HOSTS_MOST; i += stride) {
        const struct fleet_host *host = &of->fleet->hosts[of->hosts[i]];
        const struct feature *x = fleet_feature(host, a->pool, a->tag);
        const struct feature *y = fleet_feature(host, b->pool, b->tag);
        struct mover_pair pair;
        if (x == NULL || y == NULL)
            continue;
        struct meeting *at = &met[compared++];
        *at = (struct meeting){x, y, usual_blocks(of->fleet, of->others, of->other_count, a, x),
                               usual_blocks(of->fleet, of->others, of->other_count, b, y)};
        jumping += jumps(x);
        if (!rises(x) || !mover_compare(x, y, at->base_x, at->base_y, &pair) || pair.fit < 0.5)
            continue;
        lags[count] = pair.lag;
        ratios[count++] = pair.ratio;
        if (pair.fit > best_fit) {
            best_fit = pair.fit;
            best_ratio = pair.ratio;
        }
    }
    struct lag lag = {NAN, 0, NAN};
    struct votes votes = all_votes(met, compared, best_ratio);
    bool one_sided = fmin(votes.behind, votes.ahead) <= 0;
    if (count > 0) {
        lag.hours = robust_median(lags, count);
        lag.ratio = robust_median(ratios, count);
        double spread = count < 3 ? 0 : robust_mad(lags, count, lag.hours) / 0.6745;
        lag.sure = lag.hours / hypot(1.25 * spread / sqrt((double)count), LAG_ERROR);
    }
    bool by_votes = 2 * jumping > compared || (fabs(lag.sure) <= LAG_SURE && one_sided);
    if (by_votes)
        lag.sure =
            VOTE_WEIGHT * (votes.behind - votes.ahead) / sqrt(fmax(votes.behind + votes.ahead, 1));
    return lag;
}

size_t mover_first(const struct fleet *fleet, const uint32_t *hosts, size_t host_count,
                   const uint32_t *others, size_t other_count, struct mover_row *rows,
                   size_t row_count)
{
    struct comparison of = {fleet, hosts, host_count, others, other_count};
    size_t first = 0;
    /* Whoever is clearly ahead of the one held for first takes its place; the lead is transitive,
     * so that once through all and back is enough. */
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < row_count; i++) {
            double by = i == first ? 0 : lag_between(&of, &rows[first], &rows[i]).sure;
            if (by < -LAG_SURE)
                first = i;
        }
    }
    size_t best = first;
    for (size_t i = 0; i < row_count; i++) {
        if (i != best && rows[i].prior > rows[best].prior + 1e-9 &&
            lag_between(&of, &rows[first], &rows[i]).sure <= LAG_SURE)
            best = i;
    }
    for (size_t i = 0; i < row_count; i++) {
        struct lag lag = lag_between(&of, &rows[best], &rows[i]);
        rows[i].lag = lag.hours;
        rows[i].ratio = lag.ratio;
    }
    return best;
}
