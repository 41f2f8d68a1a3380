/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/usual.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* docs/detection.md, "Thresholds and where they come from": usual */
#define NEARLY_ALL  0.9  /* quantile of what is usual */
#define CALM_MIN    0.35 /* of the hosts: as many are always taken for usual */
#define CALM_HOSTS  10
#define LOG_FLOOR   (64.0 * 1024)
#define RISEN_BYTES (2.0 * 1024 * 1024) /* less growth does not take a host out */
#define RISEN_SHARE 1e-4
#define GAP_RATIO   2.5  /* between two neighbouring hosts */
#define GAP_MEDIAN  4.0  /* the upper one over the middle of the lower ones */
#define GAP_LOWER   0.35 /* of the hosts must be below it */
#define GAP_BYTES   (8.0 * 1024 * 1024)
#define GAP_SHARE   0.0007
#define FEW_HOSTS   5.0 /* as if so many more had this spread, in powers of 2 */
#define FEW_SPREAD  0.6
#define ELDERS_FEW  6    /* fewer may be alike by chance: younger ones are asked as well */
#define KIND_HOSTS  24   /* looked at on either side */
#define KIND_APART  4.0  /* standard errors between the medians */
#define KIND_SHARE  0.06 /* of the rows */
#define FAR_LARGER  4.0  /* times the RAM of every other: not comparable */
#define AGES        16

enum scale { SCALE_NONE, SCALE_RAM, SCALE_COUNT };

struct measured {
    bool known;
    size_t hosts;
    size_t elders;
    enum scale scale;
    double middle[SCALE_COUNT];
    double level[SCALE_COUNT];
    double swing[SCALE_COUNT];
    double log_middle[SCALE_COUNT];
    double log_spread[SCALE_COUNT];
    double ram_most;
};

struct usual_row {
    const struct fleet *fleet;
    const struct feature **feature; /* by host */
    double *bytes;
    double *peak;
    double *swing;
    bool *apart;
    double *work;
    double *more;
    unsigned *age;       /* of the longest boot */
    size_t *group;       /* of each host, by role; 0: beyond USUAL_GROUPS_MAX */
    size_t *group_hosts; /* by group: that do not stand out and have the row */
    size_t group_count;
    size_t without;            /* hosts that do not have the row */
    struct measured *measured; /* by group (0: all hosts), age */
};

static unsigned age_of(double hours)
{
    double age = log2(fmax(hours, 0.5)) + 1; /* 0: under an hour, 10: over three weeks */
    return age < 0 ? 0 : age > 10 ? 10 : (unsigned)age;
}

static void number_groups(struct usual_row *row)
{
    size_t roles[USUAL_GROUPS_MAX];
    row->group_count = 1;
    for (size_t h = 0; h < row->fleet->count; h++) {
        size_t g = 1;
        while (g < row->group_count && roles[g] != row->fleet->hosts[h].role)
            g++;
        if (g == USUAL_GROUPS_MAX)
            g = 0;
        else if (g == row->group_count)
            roles[row->group_count++] = row->fleet->hosts[h].role;
        row->group[h] = g;
        row->age[h] = age_of(row->fleet->hosts[h].longest_hours);
    }
}

struct usual_row *usual_new(const struct fleet *fleet)
{
    struct usual_row *row = calloc(1, sizeof *row);
    size_t n = fleet->count + 1;
    if (row == NULL)
        return NULL;
    row->fleet = fleet;
    row->feature = calloc(n, sizeof *row->feature);
    row->bytes = calloc(n * 5, sizeof *row->bytes);
    row->apart = calloc(n, sizeof *row->apart);
    row->age = calloc(n, sizeof *row->age);
    row->group = calloc(n, sizeof *row->group);
    row->group_hosts = calloc(USUAL_GROUPS_MAX, sizeof *row->group_hosts);
    row->measured = calloc((size_t)USUAL_GROUPS_MAX * AGES, sizeof *row->measured);
    if (row->feature == NULL || row->bytes == NULL || row->apart == NULL || row->age == NULL ||
        row->group == NULL || row->group_hosts == NULL || row->measured == NULL) {
        usual_free(row);
        return NULL;
    }
    row->peak = row->bytes + n;
    row->swing = row->peak + n;
    row->work = row->swing + n;
    row->more = row->work + n;
    number_groups(row);
    return row;
}

void usual_free(struct usual_row *row)
{
    if (row == NULL)
        return;
    free(row->feature);
    free(row->bytes);
    free(row->apart);
    free(row->age);
    free(row->group);
    free(row->group_hosts);
    free(row->measured);
    free(row);
}

/* Risen to a new high lately, or left to rise by an earlier boot: no measure of what is usual. */
static bool stands_out(const struct fleet_host *host, const struct feature *feature)
{
    if (feature == NULL)
        return false;
    bool risen = (double)feature->growth >= fmax(RISEN_BYTES, RISEN_SHARE * host->ram) &&
                 feature->newness >= 0.5f && feature->drawdown <= 0.5f;
    return risen || (feature->flags & FEATURE_PRIOR_LEAK) != 0;
}

static void forget(struct usual_row *row)
{
    memset(row->measured, 0, (size_t)USUAL_GROUPS_MAX * AGES * sizeof *row->measured);
    memset(row->group_hosts, 0, USUAL_GROUPS_MAX * sizeof *row->group_hosts);
    for (size_t h = 0; h < row->fleet->count; h++)
        row->group_hosts[row->group[h]] += !row->apart[h] && row->peak[h] >= 0;
}

/* Where most hosts rise, the calmer ones still tell what is usual. Hosts of the same roles that do
 * not even have the row are the calmest. */
static void keep_calm(struct usual_row *row)
{
    bool has[USUAL_GROUPS_MAX] = {false};
    size_t have = 0;
    size_t calm = 0;
    for (size_t h = 0; h < row->fleet->count; h++)
        has[row->group[h]] = has[row->group[h]] || row->peak[h] >= 0;
    for (size_t h = 0; h < row->fleet->count; h++) {
        if (row->peak[h] < 0 && !has[row->group[h]])
            continue;
        row->work[have++] = row->feature[h] == NULL ? 0 : (double)row->feature[h]->growth;
        calm += !row->apart[h];
    }
    if (have < CALM_HOSTS || (double)calm >= CALM_MIN * (double)have)
        return;
    double limit = robust_quantile(row->work, have, CALM_MIN);
    for (size_t h = 0; h < row->fleet->count; h++) {
        double growth = row->feature[h] == NULL ? 0 : (double)row->feature[h]->growth;
        row->apart[h] = row->apart[h] && growth > limit;
    }
}

void usual_load(struct usual_row *row, enum pool pool, uint32_t tag,
                const struct feature *const *features, const uint32_t *hosts, size_t count)
{
    size_t at = 0;
    row->without = 0;
    for (size_t h = 0; h < row->fleet->count; h++) {
        const struct fleet_host *host = &row->fleet->hosts[h];
        const struct feature *feature = NULL;
        if (at < count && hosts[at] == h)
            feature = features[at++];
        row->feature[h] = feature;
        bool has = feature != NULL || fleet_has(host, pool, tag);
        row->bytes[h] = feature != NULL ? (double)feature->bytes : fleet_bytes(host, pool, tag);
        row->peak[h] = feature != NULL ? (double)feature->peak : has ? row->bytes[h] : -1;
        row->without += !has;
        row->swing[h] = feature != NULL ? (double)feature->swing : 0;
        row->apart[h] = stands_out(host, feature);
    }
    keep_calm(row);
    forget(row);
}

size_t usual_group(const struct usual_row *row, size_t host)
{
    return row->group[host];
}

const struct feature *usual_feature(const struct usual_row *row, size_t host)
{
    return row->feature[host];
}

double usual_bytes(const struct usual_row *row, size_t host)
{
    return row->bytes[host];
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

double usual_part(struct usual_row *row)
{
    size_t n = 0;
    double gap = INFINITY;
    double widest = GAP_RATIO;
    for (size_t h = 0; h < row->fleet->count; h++)
        if (row->peak[h] >= 0)
            row->work[n++] = row->bytes[h] + LOG_FLOOR;
    if (n < USUAL_HOSTS_MIN + 1)
        return INFINITY;
    qsort(row->work, n, sizeof *row->work, ascending);
    size_t first = (size_t)(GAP_LOWER * (double)n);
    for (size_t i = first < USUAL_HOSTS_MIN ? USUAL_HOSTS_MIN : first; i < n; i++) {
        double middle = row->work[(i - 1) / 2];
        /* The lower ones must be closer together than the gap is wide. */
        double spread = row->work[i - 1] / middle;
        double ratio = row->work[i] / row->work[i - 1];
        if (ratio >= widest && ratio >= sqrt(spread) && row->work[i] >= GAP_MEDIAN * middle &&
            row->work[i] >= GAP_BYTES) {
            widest = ratio;
            gap = sqrt(row->work[i] * row->work[i - 1]) - LOG_FLOOR;
        }
    }
    if (gap == INFINITY)
        return gap;
    bool any = false;
    for (size_t h = 0; h < row->fleet->count; h++) {
        bool above = row->bytes[h] > gap && row->bytes[h] > GAP_SHARE * row->fleet->hosts[h].ram;
        any = any || above;
        row->apart[h] = row->apart[h] || above;
    }
    forget(row);
    return any ? gap : INFINITY;
}

static double spread_of(double *values, size_t count)
{
    double low = robust_quantile(values, count, 0.25);
    double high = robust_quantile(values, count, 0.85);
    return (high + LOG_FLOOR) / (low + LOG_FLOOR);
}

/* In powers of 2, over hosts of any age: three old ones may be alike by chance. */
static double spread_of_all(struct usual_row *row, size_t group, int scale)
{
    size_t n = 0;
    for (size_t h = 0; h < row->fleet->count; h++) {
        if (row->apart[h] || row->peak[h] < 0 || (group > 0 && row->group[h] != group))
            continue;
        double by = scale == SCALE_RAM ? row->fleet->hosts[h].ram / 0x1p34 : 1;
        row->work[n++] = log2(row->peak[h] / by + LOG_FLOOR);
    }
    return robust_mad(row->work, n, robust_median(row->work, n)) / 0.6745;
}

static void measure(struct usual_row *row, size_t group, unsigned age, struct measured *to)
{
    double spread[SCALE_COUNT] = {0, 0};
    *to = (struct measured){.known = true};
    for (int scale = 0; scale < SCALE_COUNT; scale++) {
        size_t n = 0;
        size_t elders = 0;
        double *elder = row->more;
        for (size_t h = 0; h < row->fleet->count; h++) {
            if (row->apart[h] || row->peak[h] < 0 || (group > 0 && row->group[h] != group))
                continue;
            double by = scale == SCALE_RAM ? row->fleet->hosts[h].ram / 0x1p34 : 1;
            row->work[n++] = row->swing[h] / by;
            to->ram_most = fmax(to->ram_most, row->fleet->hosts[h].ram);
            if (row->age[h] >= age)
                elder[elders++] = row->peak[h] / by;
        }
        to->hosts = n;
        to->elders = elders;
        if (n == 0)
            return;
        to->swing[scale] = robust_quantile(row->work, n, NEARLY_ALL);
        if (elders < 3) { /* nobody is old enough: all, whatever their age */
            elders = 0;
            for (size_t h = 0; h < row->fleet->count; h++) {
                if (row->apart[h] || row->peak[h] < 0 || (group > 0 && row->group[h] != group))
                    continue;
                elder[elders++] =
                    row->peak[h] / (scale == SCALE_RAM ? row->fleet->hosts[h].ram / 0x1p34 : 1);
            }
        }
        to->level[scale] = robust_quantile(elder, elders, NEARLY_ALL);
        to->middle[scale] = robust_median(elder, elders);
        spread[scale] = spread_of(elder, elders);
        for (size_t i = 0; i < elders; i++)
            elder[i] = log2(elder[i] + LOG_FLOOR);
        to->log_middle[scale] = robust_median(elder, elders);
        to->log_spread[scale] = robust_mad(elder, elders, to->log_middle[scale]) / 0.6745;
        if (elders < ELDERS_FEW)
            to->log_spread[scale] = fmax(to->log_spread[scale], spread_of_all(row, group, scale));
        /* Few hosts may agree by chance. */
        to->log_spread[scale] = ((double)elders * to->log_spread[scale] + FEW_HOSTS * FEW_SPREAD) /
                                ((double)elders + FEW_HOSTS);
    }
    to->scale = spread[SCALE_RAM] < 0.9 * spread[SCALE_NONE] ? SCALE_RAM : SCALE_NONE;
}

static void take_in(struct usual_row *row, size_t host, size_t group, struct usual *usual)
{
    unsigned age = age_of(row->fleet->hosts[host].uptime_hours);
    struct measured *of = &row->measured[group * AGES + age];
    if (!of->known)
        measure(row, group, age, of);
    double ram = row->fleet->hosts[host].ram / 0x1p34;
    double by = of->scale == SCALE_RAM ? ram : 1;
    double level = of->level[of->scale] * by;
    double swing = of->swing[of->scale] * by;
    double middle = of->middle[of->scale] * by;
    /* A machine larger than all others may well hold more, whatever the others agree on. */
    if (of->scale == SCALE_NONE && row->fleet->hosts[host].ram > 1.4 * of->ram_most) {
        double more = row->fleet->hosts[host].ram / of->ram_most;
        level *= more;
        swing *= more;
        middle *= more;
    }
    double other = of->level[SCALE_RAM - of->scale] * (of->scale == SCALE_RAM ? 1 : ram);
    double log_middle = of->log_middle[of->scale] + log2(by);
    usual->level_most = fmax(usual->level_most, fmax(level, other));
    if (log_middle + 4 * of->log_spread[of->scale] >
        usual->log_middle + 4 * usual->log_spread) { /* the one that leaves more room */
        usual->log_middle = log_middle;
        usual->log_spread = of->log_spread[of->scale];
    }
    usual->foreign = usual->foreign || row->fleet->hosts[host].ram > FAR_LARGER * of->ram_most;
    usual->level = fmax(usual->level, level);
    usual->swing = fmax(usual->swing, swing);
    usual->middle = fmax(usual->middle, middle);
}

struct usual usual_of(struct usual_row *row, size_t host)
{
    struct usual usual = {0};
    unsigned age = age_of(row->fleet->hosts[host].uptime_hours);
    size_t group = row->group[host];
    take_in(row, host, 0, &usual);
    usual.hosts = row->measured[age].hosts;
    usual.elders = row->measured[age].elders;
    usual.without = row->without;
    bool known = row->group_count <= 2 || row->group_hosts[group] >= USUAL_HOSTS_MIN;
    usual.foreign = usual.foreign || !known;
    if (row->group_count > 2 && group > 0 && known)
        take_in(row, host, group, &usual);
    return usual;
}

static size_t sample(const struct usual_row *row, double gap, bool above, size_t *ret_hosts)
{
    size_t all = 0;
    size_t count = 0;
    for (size_t h = 0; h < row->fleet->count; h++)
        all += row->peak[h] >= 0 && (row->bytes[h] > gap) == above;
    size_t stride = all / KIND_HOSTS + 1;
    for (size_t h = 0, at = 0; h < row->fleet->count && count < KIND_HOSTS; h++) {
        if (row->peak[h] < 0 || (row->bytes[h] > gap) != above)
            continue;
        if (at++ % stride == 0)
            ret_hosts[count++] = h;
    }
    return count;
}

static double log_level(const struct usual_row *row, const size_t *hosts, size_t count,
                        enum pool pool, uint32_t tag, double *ret_error)
{
    double values[KIND_HOSTS];
    for (size_t i = 0; i < count; i++)
        values[i] = log2(fleet_bytes(&row->fleet->hosts[hosts[i]], pool, tag) + LOG_FLOOR);
    double middle = robust_median(values, count);
    *ret_error = 1.25 * robust_mad(values, count, middle) / 0.6745 / sqrt((double)count);
    return middle;
}

bool usual_other_kind(struct usual_row *row, double gap)
{
    size_t above[KIND_HOSTS];
    size_t below[KIND_HOSTS];
    size_t a = sample(row, gap, true, above);
    size_t b = sample(row, gap, false, below);
    size_t rows = 0;
    size_t apart = 0;
    if (a < 3 || b < 3)
        return false;
    const struct fleet_host *model = &row->fleet->hosts[above[0]];
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        for (size_t i = 0; i < model->row_count[pool]; i++) {
            double error_a;
            double error_b;
            uint32_t tag = model->rows[pool][i].tag;
            double x = log_level(row, above, a, (enum pool)pool, tag, &error_a);
            double y = log_level(row, below, b, (enum pool)pool, tag, &error_b);
            rows++;
            apart += fabs(x - y) > KIND_APART * fmax(hypot(error_a, error_b), 0.05);
        }
    }
    return (double)apart > fmax(KIND_SHARE * (double)rows, 13);
}
