/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/outlook.h"

#include <math.h>
#include <string.h>

/* docs/detection.md, "Thresholds of grouping, causes and forecast": outlook */
#define GROWING_SHARE 0.6 /* of the growth must be in rows that grow on */
#define HOSTS_MOST    200 /* looked at for the form they share */
#define COURSE_MIN    4   /* points left, before the one ahead of the growth may go */

static bool goes_on(const struct feature *feature)
{
    return feature->shape == SHAPE_GROWING || feature->shape == SHAPE_BURSTY;
}

static const struct feature *row_of(const struct fleet_host *host, const struct incident_row *row)
{
    const struct feature *feature = fleet_feature(host, row->pool, row->tag);
    return feature != NULL && feature->curve != NULL ? feature : NULL;
}

/* The row with the most growth gives the times and the onset. */
static const struct feature *leading_row(const struct fleet_host *host,
                                         const struct incident *incident, bool *ret_bursts)
{
    const struct feature *best = NULL;
    double going = 0;
    double all = 0;
    for (size_t r = 0; r < incident->row_count; r++) {
        const struct feature *feature = row_of(host, &incident->rows[r]);
        if (feature == NULL || feature->growth <= 0)
            continue;
        all += (double)feature->growth;
        going += goes_on(feature) ? (double)feature->growth : 0;
        if (best == NULL || feature->growth > best->growth)
            best = feature;
    }
    *ret_bursts = best != NULL && best->shape == SHAPE_BURSTY;
    return going >= GROWING_SHARE * all ? best : NULL;
}

static double bytes_at(const struct curve *curve, double hour)
{
    size_t i = curve_from(curve, hour - 1e-4);
    if (i == 0 || i == curve->count)
        return (double)curve->bytes[i == 0 ? 0 : i - 1];
    double apart = (double)curve->hours[i] - (double)curve->hours[i - 1];
    double share = (hour - (double)curve->hours[i - 1]) / apart;
    return (double)curve->bytes[i - 1] +
           fmin(share, 1) * ((double)curve->bytes[i] - (double)curve->bytes[i - 1]);
}

/* The onset is the last point near the floor: when nothing of the growth had come yet it began
 * somewhere in the stretch behind it, whose mean rate would say too little. */
static size_t first_of(const struct feature *lead)
{
    const struct curve *of = lead->curve;
    size_t onset = curve_from(of, (double)lead->onset_hours - 1e-4);
    return of->count - onset > COURSE_MIN ? onset + 1 : onset;
}

void outlook_course(const struct fleet_host *host, const struct incident *incident,
                    struct forecast_course *ret_course)
{
    struct forecast_course *course = ret_course;
    const struct feature *lead = leading_row(host, incident, &course->bursts);
    course->count = 0;
    if (lead == NULL)
        return;
    const struct curve *of = lead->curve;
    size_t first = first_of(lead);
    size_t stride = (of->count - first) / FORECAST_POINTS + 1;
    for (size_t i = first + (of->count - 1 - first) % stride; i < of->count; i += stride) {
        size_t k = course->count++;
        course->hours[k] = (double)of->hours[i];
        course->bytes[POOL_NONPAGED][k] = course->bytes[POOL_PAGED][k] = 0;
        for (size_t r = 0; r < incident->row_count; r++) {
            const struct feature *feature = row_of(host, &incident->rows[r]);
            if (feature != NULL)
                course->bytes[incident->rows[r].pool][k] +=
                    bytes_at(feature->curve, (double)of->hours[i]);
        }
    }
}

void outlook_form(const struct fleet *fleet, const struct incident *incident, struct form *ret_form)
{
    size_t stride = incident->host_count / HOSTS_MOST + 1;
    *ret_form = (struct form){0};
    for (size_t i = 0; i < incident->host_count; i += stride) {
        const struct fleet_host *host = &fleet->hosts[incident->hosts[i]];
        struct forecast_course course;
        struct forecast_input input = {&host->totals, host->commit_rest, host->last_us, &course,
                                       NULL};
        outlook_course(host, incident, &course);
        if (course.count > 0)
            forecast_form(&input, ret_form);
    }
}

void outlook_host(const struct fleet_host *host, const struct incident *incident,
                  struct forecast *ret_forecast)
{
    struct forecast_course course;
    struct forecast_input input = {&host->totals, host->commit_rest, host->last_us, &course,
                                   &incident->form};
    *ret_forecast = (struct forecast){TIME_UNKNOWN, TIME_UNKNOWN, TIME_UNKNOWN, NULL};
    outlook_course(host, incident, &course);
    if (course.count > 0)
        forecast_exhaustion(&input, ret_forecast);
}
