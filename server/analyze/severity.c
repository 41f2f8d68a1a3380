/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/severity.h"

#include <math.h>

/* docs/detection.md, "Thresholds and where they come from": severity */
#define DOUBT_CONFIDENCE 0.9
#define DOUBT_EXPLAINED  0.7  /* the same, where a cause is given */
#define DOUBT_HOURS      72.0 /* slow and doubtful: a warning once it has lasted so long */
#define DOUBT_LEFT_US    (14 * US_PER_DAY)

/* The budget of alerts: what is slow, and what neither a version explains nor the numbers make
 * certain, has the time to last before anybody is called. How long it has lasted is read from the
 * history, so that a pass as of an earlier moment says what the live one said. */
static bool is_doubtful(const struct build *build, const struct finding *finding,
                        const struct incident *incident, int64_t soonest)
{
    double lasted = 0;
    double certain = finding->cause_count > 0 ? DOUBT_EXPLAINED : DOUBT_CONFIDENCE;
    if (soonest < build->now_us + DOUBT_LEFT_US || finding->confidence >= certain)
        return false;
    for (size_t i = 0; i < incident->host_count; i++) {
        const struct feature *feature =
            fleet_feature(&build->fleet->hosts[incident->hosts[i]], incident->rows[0].pool,
                          incident->rows[0].tag);
        if (feature == NULL)
            continue;
        lasted = fmax(lasted, (double)(incident->verdict == VERDICT_GROWS ? feature->span_hours
                                                                          : feature->flat_hours));
    }
    return lasted < DOUBT_HOURS;
}

enum finding_severity severity_of(const struct build *build, const struct finding *finding,
                                  const struct incident *incident)
{
    double worst_share = 0;
    int64_t soonest = INT64_MAX;
    for (size_t i = 0; i < finding->host_count; i++) {
        const struct finding_host *host = &finding->hosts[i];
        if (host->exhausts_p50_us != TIME_UNKNOWN && host->exhausts_p50_us < soonest)
            soonest = host->exhausts_p50_us;
    }
    for (size_t i = 0; i < incident->host_count; i++) {
        const struct fleet_host *host = &build->fleet->hosts[incident->hosts[i]];
        double held = 0;
        for (size_t r = 0; r < incident->row_count; r++)
            held += fleet_bytes(host, incident->rows[r].pool, incident->rows[r].tag);
        worst_share = fmax(worst_share, held / host->ram);
    }
    bool sure = finding->confidence >= 0.7;
    if (sure && (soonest < build->now_us + 3 * US_PER_DAY || worst_share >= 0.4))
        return SEVERITY_CRITICAL;
    if (is_doubtful(build, finding, incident, soonest))
        return SEVERITY_INFO;
    bool matters = soonest < build->now_us + 90 * US_PER_DAY || worst_share >= 0.02 ||
                   finding->host_count >= 3;
    return matters && finding->confidence >= 0.6 ? SEVERITY_WARNING : SEVERITY_INFO;
}
