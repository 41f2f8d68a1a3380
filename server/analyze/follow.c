/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/follow.h"

#include "server/analyze/mover.h"

#include <math.h>
#include <stdlib.h>

/* docs/detection.md, "Thresholds of grouping, causes and forecast": follow */
#define APART_MAX       0.02  /* see mover_pair.apart */
#define APART_FIT       0.05  /* the same where the fit is good: noise, but not another course */
#define FIT_MIN         0.985 /* see mover_pair.fit */
#define FIT_LEAST       0.95  /* the same where one grows steadily: both do, or it is chance */
#define SHAPE_APART_MAX 26.0  /* mean difference of two signatures, of 255 */
#define LEVEL_BYTES_MIN (1024.0 * 1024)
#define LEVEL_TIMES     3.0  /* as much as nearly all hosts without the leak hold */
#define LEVEL_ALONE     10.0 /* the same where one or two hosts have it */
#define LEVEL_LITTLE    0.1  /* of the hosts may hold little yet: they have just booted */
#define RATIO_SPREAD    0.35 /* of log ratios over the hosts, as a standard deviation */
#define USUAL_MOST      1.25 /* of what the middle one of the other hosts holds */
#define HOSTS_MOST      48

/* The blocks of one are a constant times those of the other, or, where these are not known, both
 * had the same course. */
bool follow_alike(const struct feature *a, const struct feature *b)
{
    struct mover_pair pair;
    bool both_jump = a->shape == SHAPE_BURSTY && b->shape == SHAPE_BURSTY;
    if (mover_compare(a, b, NAN, NAN, &pair))
        return (pair.apart <= APART_MAX && (both_jump || pair.fit >= FIT_LEAST)) ||
               (pair.apart <= APART_FIT && pair.fit >= FIT_MIN) || mover_is_moved(a, b, pair.ratio);
    double apart = 0;
    for (size_t i = 0; i < FEATURE_SIGNATURE; i++)
        apart += abs((int)a->signature[i] - (int)b->signature[i]);
    double span = fmax((double)a->span_hours, (double)b->span_hours);
    return apart / FEATURE_SIGNATURE <= SHAPE_APART_MAX &&
           fabs((double)a->onset_hours - (double)b->onset_hours) <= fmax(1, 0.3 * span);
}

bool follow_has_row(const struct incident *incident, enum pool pool, uint32_t tag)
{
    for (size_t i = 0; i < incident->row_count; i++) {
        if (incident->rows[i].pool == pool && incident->rows[i].tag == tag)
            return true;
    }
    return false;
}

/* Bytes of a row over some hosts, evenly taken; returns how many. */
static size_t sample(const struct fleet *fleet, const uint32_t *hosts, size_t count, enum pool pool,
                     uint32_t tag, double values[HOSTS_MOST])
{
    size_t found = 0;
    size_t stride = count / HOSTS_MOST + 1;
    for (size_t i = 0; i < count && found < HOSTS_MOST; i += stride)
        values[found++] = fleet_bytes(&fleet->hosts[hosts[i]], pool, tag);
    return found;
}

/* Grows since the boot on most of the hosts, and is no more than what others hold: it fills as it
 * does after every boot. A leak that kills within hours restarts its hosts, so that there all
 * caches fill while the leak grows. */
static bool is_usual(const struct fleet *fleet, const struct pair *pairs, size_t count,
                     const struct incident *incident, enum pool pool, uint32_t tag)
{
    double others[HOSTS_MOST];
    size_t known =
        sample(fleet, incident->unaffected, incident->unaffected_count, pool, tag, others);
    double usual = known < 3 ? 0 : robust_median(others, known);
    size_t fills = 0;
    for (size_t i = 0; i < count; i++) {
        const struct feature *feature = fleet_feature(&fleet->hosts[pairs[i].host], pool, tag);
        fills += feature != NULL && (feature->flags & FEATURE_FROM_BOOT) != 0 &&
                 (double)feature->bytes <= USUAL_MOST * usual;
    }
    return fills * 2 > count;
}

/* Small tags that go along do not pass the tests by themselves, but may have begun it all. */
void follow_growth(const struct fleet *fleet, const struct pair *pairs, size_t count,
                   struct incident *incident)
{
    const struct pair *model = &pairs[0];
    for (size_t i = 1; i < count; i++) {
        if (pairs[i].feature->growth > model->feature->growth)
            model = &pairs[i];
    }
    const struct fleet_host *first = &fleet->hosts[model->host];
    for (size_t f = 0; f < first->feature_count && incident->row_count < INCIDENT_TAGS_MAX; f++) {
        const struct feature *feature = &first->features[f];
        bool grows = feature->shape == SHAPE_GROWING || feature->shape == SHAPE_BURSTY;
        /* What also happened to fill in the other pool, a cache above all, is no part of it. */
        if (!grows || (enum pool)feature->pool != pairs[0].pool ||
            follow_has_row(incident, (enum pool)feature->pool, feature->tag) ||
            !follow_alike(feature, model->feature))
            continue;
        size_t like = 0;
        for (size_t i = 0; i < count; i++) {
            const struct feature *other =
                fleet_feature(&fleet->hosts[pairs[i].host], (enum pool)feature->pool, feature->tag);
            like += other != NULL && other->newness > 0.3f && follow_alike(other, pairs[i].feature);
        }
        /* On other hosts it must be still, or it only happens to grow here too. */
        size_t elsewhere = 0;
        for (size_t i = 0; i < incident->unaffected_count; i++) {
            const struct feature *other = fleet_feature(&fleet->hosts[incident->unaffected[i]],
                                                        (enum pool)feature->pool, feature->tag);
            elsewhere += other != NULL && other->rate_24h > 0.3f * feature->rate_24h;
        }
        if ((double)like >= 0.8 * (double)count && elsewhere * 10 <= incident->unaffected_count &&
            !is_usual(fleet, pairs, count, incident, (enum pool)feature->pool, feature->tag))
            incident->rows[incident->row_count++] = (struct incident_row){
                .pool = (enum pool)feature->pool, .tag = feature->tag, .followed = true};
    }
}

/* Held on nearly all hosts of the incident, always as many times what the leading row holds, and
 * far more than elsewhere. */
static bool stands_with(const struct fleet *fleet, const struct incident *incident,
                        const double *lead, size_t hosts, enum pool pool, uint32_t tag)
{
    double held[HOSTS_MOST];
    double others[HOSTS_MOST];
    double ratios[HOSTS_MOST];
    size_t full = 0;
    sample(fleet, incident->hosts, incident->host_count, pool, tag, held);
    for (size_t i = 0; i < hosts; i++) {
        if (held[i] < LEVEL_BYTES_MIN)
            continue;
        ratios[full] = log(held[i] / fmax(lead[i], 1));
        held[full++] = held[i];
    }
    if ((double)(hosts - full) > LEVEL_LITTLE * (double)hosts)
        return false;
    size_t count =
        sample(fleet, incident->unaffected, incident->unaffected_count, pool, tag, others);
    double usual = count < 3 ? INFINITY : robust_quantile(others, count, 0.9);
    double least = robust_quantile(held, full, 0.1);
    if (least < (hosts < 3 ? LEVEL_ALONE : LEVEL_TIMES) * fmax(usual, LEVEL_BYTES_MIN / 4))
        return false;
    double middle = robust_median(ratios, full);
    return hosts < 3 || robust_mad(ratios, full, middle) / 0.6745 <= RATIO_SPREAD;
}

/* The host that holds most of the leading row, as a share of its memory: all the others are there.
 */
static uint32_t fullest(const struct fleet *fleet, const struct pair *pairs, size_t count)
{
    size_t best = 0;
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        double share = (double)pairs[i].feature->bytes / fleet->hosts[pairs[i].host].ram;
        best = share > most ? i : best;
        most = fmax(most, share);
    }
    return pairs[best].host;
}

void follow_level(const struct fleet *fleet, const struct pair *pairs, size_t count,
                  struct incident *incident)
{
    double lead[HOSTS_MOST];
    enum pool pool = pairs[0].pool;
    const struct fleet_host *first = &fleet->hosts[fullest(fleet, pairs, count)];
    size_t hosts = sample(fleet, incident->hosts, incident->host_count, pool, pairs[0].tag, lead);
    for (size_t i = 0; i < first->row_count[pool] && incident->row_count < INCIDENT_TAGS_MAX; i++) {
        const struct fleet_row *row = &first->rows[pool][i];
        if ((double)row->bytes >= LEVEL_BYTES_MIN && !follow_has_row(incident, pool, row->tag) &&
            stands_with(fleet, incident, lead, hosts, pool, row->tag))
            incident->rows[incident->row_count++] =
                (struct incident_row){.pool = pool, .tag = row->tag};
    }
}
