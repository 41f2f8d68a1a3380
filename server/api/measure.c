/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/measure.h"

#include "server/api/api_common.h"
#include "server/api/json_out.h"
#include "server/state/exact.h"

#include <math.h>
#include <string.h>

const char *const measure_names[MEASURE_COUNT] = {"bytes", "outstanding", "rate"};
const char *const measure_band_names[COHORT_BANDS + 1] = {"0-1 h",  "1-8 h",     "8-72 h",
                                                          "3-14 d", "over 14 d", "unknown"};

enum status measure_query(const struct req *rq, enum measure *ret_measure, struct err *err)
{
    const char *text = req_query(rq, "measure");

    *ret_measure = MEASURE_BYTES;
    for (int i = 0; text != NULL && i < MEASURE_COUNT; i++) {
        if (strcmp(text, measure_names[i]) == 0) {
            *ret_measure = (enum measure)i;
            return ST_OK;
        }
    }
    return text == NULL ? ST_OK
                        : err_field(err, ST_INVALID, "measure",
                                    "measure must be bytes, outstanding or rate");
}

static int64_t uptime_us(const struct host_state *host)
{
    if (host->boot_at_us == TIME_UNKNOWN || host->boot_at_us > host->taken_at_us)
        return TIME_UNKNOWN;
    return host->taken_at_us - host->boot_at_us;
}

double measure_of(const struct host_state *host, const struct host_row *row, enum measure measure)
{
    const unsigned counts = COLUMN_ALLOCS | COLUMN_FREES;
    int64_t up = uptime_us(host);

    if (measure == MEASURE_OUTSTANDING)
        return (row->columns & counts) == counts ? counter_delta(row->allocs, row->frees)
                                                 : (double)NAN;
    if ((row->columns & COLUMN_BYTES) == 0)
        return (double)NAN;
    if (measure == MEASURE_BYTES)
        return (double)row->bytes;
    /* In the first minutes everything grows from nothing. */
    return up == TIME_UNKNOWN || up < 10 * US_PER_MINUTE
               ? (double)NAN
               : (double)row->bytes / ((double)up / US_PER_HOUR);
}

static enum pool bigger_pool(const struct fleet_view *view, uint32_t tag)
{
    size_t nonpaged = fleet_view_tag(view, POOL_NONPAGED, tag);
    size_t paged = fleet_view_tag(view, POOL_PAGED, tag);
    bool is_paged = paged != VIEW_NONE &&
                    (nonpaged == VIEW_NONE || view->tags[paged].bytes > view->tags[nonpaged].bytes);
    return is_paged ? POOL_PAGED : POOL_NONPAGED;
}

enum status measure_pool(const struct req *rq, const struct fleet_view *view, uint32_t tag,
                         enum pool *ret_pool, struct err *err)
{
    enum pool pool = POOL_UNKNOWN;
    enum status status = api_query_pool(rq, &pool, err);

    if (status == ST_OK && fleet_view_tag(view, POOL_NONPAGED, tag) == VIEW_NONE &&
        fleet_view_tag(view, POOL_PAGED, tag) == VIEW_NONE)
        status = err_set(err, ST_NOT_FOUND, "no host has this tag");
    if (status == ST_OK)
        *ret_pool = pool == POOL_UNKNOWN ? bigger_pool(view, tag) : pool;
    return status;
}

unsigned measure_band(const struct host_state *host)
{
    return cohort_band(uptime_us(host));
}

/* ---- spread ----------------------------------------------------------------- */

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Nearest rank: always a value that some host has. */
static double at(const double *values, size_t count, double part)
{
    size_t place = (size_t)ceil(part * (double)count);
    return values[place == 0 ? 0 : place - 1];
}

void spread_of(double *values, size_t count, struct spread *ret_spread)
{
    size_t low, high;

    *ret_spread = (struct spread){count, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    if (count == 0)
        return;
    qsort(values, count, sizeof *values, by_value);
    ret_spread->least = values[0];
    ret_spread->q1 = at(values, count, 0.25);
    ret_spread->median = at(values, count, 0.5);
    ret_spread->q3 = at(values, count, 0.75);
    ret_spread->most = values[count - 1];
    if (exact_median_places(count, &low, &high)) {
        ret_spread->median_low = values[low];
        ret_spread->median_high = values[high];
    }
}

void spread_write(const struct spread *spread, struct strbuf *out)
{
    json_i64(out, "hosts", (int64_t)spread->count);
    json_number(out, "min", spread->least);
    json_number(out, "q1", spread->q1);
    json_number(out, "median", spread->median);
    json_number(out, "q3", spread->q3);
    json_number(out, "max", spread->most);
    json_number(out, "median_low", spread->median_low);
    json_number(out, "median_high", spread->median_high);
}
