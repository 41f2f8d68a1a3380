/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a host has of a tag, as one number: bytes, blocks, or how fast it has grown. The rate is the
 * mean since boot, since pools begin empty there: it needs no second snapshot, so it is known of
 * every host at once; a cache that has filled shows a rate that falls with uptime.
 */
#ifndef SERVER_API_MEASURE_H
#define SERVER_API_MEASURE_H

#include "server/http/http.h"
#include "server/state/view.h"

enum measure { MEASURE_BYTES, MEASURE_OUTSTANDING, MEASURE_RATE, MEASURE_COUNT };
extern const char *const measure_names[MEASURE_COUNT]; /* "bytes", "outstanding", "rate" */

/* Parameter "measure"; bytes when absent. ST_INVALID. */
enum status measure_query(const struct req *rq, enum measure *ret_measure,
                          struct err *err) MUST_CHECK;
/* NAN when unknown: bytes, blocks, or bytes per hour of uptime. */
double measure_of(const struct host_state *host, const struct host_row *row, enum measure measure);
/* The pool to show of a tag: the parameter's, else where the fleet holds most of it. */
enum status measure_pool(const struct req *rq, const struct fleet_view *view, uint32_t tag,
                         enum pool *ret_pool, struct err *err) MUST_CHECK;

/* "0-1 h", ...: texts of cohort_band's numbers; COHORT_BANDS of them, then "unknown". */
extern const char *const measure_band_names[];
unsigned measure_band(const struct host_state *host);

/* Order statistics of values, which get sorted. Counts and numbers; NAN where there are none. */
struct spread {
    size_t count;
    double least, q1, median, q3, most;
    double median_low, median_high; /* holds the median of all such hosts with 95 %; NAN: too few */
};
void spread_of(double *values, size_t count, struct spread *ret_spread);
/* Members hosts, min, q1, median, q3, max, median_low, median_high of an open object. */
void spread_write(const struct spread *spread, struct strbuf *out);

#endif
