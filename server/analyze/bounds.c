/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/bounds.h"

#include "server/analyze/version.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* docs/detection.md, "Thresholds of grouping, causes and forecast": bounds */
#define GOOD_ERROR    0.05 /* of an exact interval, both sides together */
#define VERSIONS_MOST 256
#define SEEN_HOURS    1.0 /* on each side of a change within the boot */
#define HOSTS_MOST    256

bool bounds_is_good(size_t well, size_t bad, size_t bad_hosts)
{
    if (well == 0 || bad_hosts == 0)
        return false;
    /* Clopper and Pearson's upper end for none of so many. */
    return 1 - pow(GOOD_ERROR / 2, 1 / (double)well) < (double)bad / (double)bad_hosts / 2;
}

struct seen {
    uint32_t value;
    size_t affected;
    size_t others;
};

static void count_values(const struct fleet *fleet, uint32_t name, const uint32_t *hosts,
                         size_t count, bool affected, struct seen *seen, size_t *seen_count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t value = fleet_fact(&fleet->hosts[hosts[i]], name);
        size_t k = 0;
        while (k < *seen_count && seen[k].value != value)
            k++;
        if (value == UINT32_MAX || k == VERSIONS_MOST)
            continue;
        if (k == *seen_count)
            seen[(*seen_count)++] = (struct seen){.value = value};
        seen[k].affected += affected;
        seen[k].others += !affected;
    }
}

static bool is_guilty(uint32_t value, const uint32_t *guilty, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (guilty[i] == value)
            return true;
    return false;
}

static enum status keep(struct arena *arena, const char *text, const char **ret_text)
{
    *ret_text = text == NULL ? NULL : arena_strdup(arena, text);
    return text != NULL && *ret_text == NULL ? ST_NOMEM : ST_OK;
}

enum status bounds_versions(const struct explain_input *input, uint32_t name,
                            const uint32_t *guilty, size_t guilty_count, struct arena *arena,
                            struct finding_cause *cause)
{
    struct seen seen[VERSIONS_MOST];
    size_t count = 0, bad = 0, bad_hosts = 0;
    const char *const *texts = input->fleet->texts;
    const char *first = NULL;
    const char *last = NULL;
    const char *below = NULL;
    const char *above = NULL;
    for (size_t i = 0; i < guilty_count; i++) {
        const char *text = texts[guilty[i]];
        if (!version_is(text))
            return ST_OK;
        first = first == NULL || version_compare(text, first) < 0 ? text : first;
        last = last == NULL || version_compare(text, last) > 0 ? text : last;
    }
    if (first == NULL)
        return ST_OK;
    count_values(input->fleet, name, input->affected, input->affected_count, true, seen, &count);
    count_values(input->fleet, name, input->unaffected, input->unaffected_count, false, seen,
                 &count);
    for (size_t i = 0; i < count; i++) {
        bool is = is_guilty(seen[i].value, guilty, guilty_count);
        bad += is ? seen[i].affected : 0;
        bad_hosts += is ? seen[i].affected + seen[i].others : 0;
    }
    for (size_t i = 0; i < count; i++) {
        const char *text = texts[seen[i].value];
        if (seen[i].affected > 0 || !version_is(text) ||
            !bounds_is_good(seen[i].others, bad, bad_hosts))
            continue;
        if (version_compare(text, first) < 0 && (below == NULL || version_compare(text, below) > 0))
            below = text;
        if (version_compare(text, last) > 0 && (above == NULL || version_compare(text, above) < 0))
            above = text;
    }
    if (keep(arena, first, &cause->first_bad) != ST_OK ||
        keep(arena, below, &cause->last_good) != ST_OK ||
        keep(arena, above, &cause->first_good) != ST_OK)
        return ST_NOMEM;
    return ST_OK;
}

/* Place of the value among the host's facts; NULL when the host does not have it. */
static const struct fleet_fact *fact_of(const struct fleet *fleet, const struct fleet_host *host,
                                        const struct finding_cause *cause)
{
    for (size_t i = 0; i < host->fact_count; i++) {
        const struct fleet_fact *fact = &host->facts[i];
        if (strcmp(fleet->texts[fact->name], cause->attribute) == 0)
            return strcmp(fleet->texts[fact->value], cause->value) == 0 ? fact : NULL;
    }
    return NULL;
}

/* Bytes an hour from the boot's first point to the change; of the boot before when the value came
 * with this one. NAN: neither was seen. */
static double rate_before(const struct feature *feature, double change)
{
    const struct curve *curve = feature->curve;
    if (curve != NULL && change - (double)curve->hours[0] >= SEEN_HOURS) {
        size_t end = curve_from(curve, change);
        end = end < curve->count ? end : curve->count - 1;
        if (end > 0 && (double)curve->hours[end] > change + 0.1)
            end--; /* the last point before it */
        double apart = (double)curve->hours[end] - (double)curve->hours[0];
        if (apart >= SEEN_HOURS)
            return fmax((double)curve->bytes[end] - (double)curve->bytes[0], 0) / apart;
    }
    return feature->prior_peak > 0 ? fmax((double)feature->prior_rate, 0) : NAN;
}

void bounds_rates(const struct fleet *fleet, const uint32_t *hosts, size_t host_count,
                  const struct bounds_row *rows, size_t row_count, struct finding_cause *cause)
{
    double before[HOSTS_MOST];
    double after[HOSTS_MOST];
    size_t count = 0;
    size_t stride = host_count / HOSTS_MOST + 1;
    cause->rate_before = cause->rate_after = NAN;
    for (size_t i = 0; i < host_count && count < HOSTS_MOST; i += stride) {
        const struct fleet_host *host = &fleet->hosts[hosts[i]];
        const struct fleet_fact *fact = fact_of(fleet, host, cause);
        if (fact == NULL || fact->from_us == TIME_UNKNOWN || fact->from_us <= host->first_us)
            continue;
        double change = (double)(fact->from_us - host->last_us) / (double)US_PER_HOUR;
        double was = 0;
        double is = 0;
        for (size_t r = 0; r < row_count; r++) {
            const struct feature *feature = fleet_feature(host, rows[r].pool, rows[r].tag);
            if (feature == NULL)
                continue;
            was += rate_before(feature, change);
            is += (double)feature->rate;
        }
        if (isnan(was) || is <= 0)
            continue;
        before[count] = was;
        after[count++] = is;
    }
    cause->changed_hosts = count;
    if (count == 0)
        return;
    cause->rate_before = robust_median(before, count);
    cause->rate_after = robust_median(after, count);
}
