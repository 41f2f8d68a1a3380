/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies around a cause: the first bad and the good versions of an attribute, and how hosts grew
 * before and after the value came. Internal to server/analyze. Not shared between threads.
 */
#ifndef SERVER_ANALYZE_BOUNDS_H
#define SERVER_ANALYZE_BOUNDS_H

#include "server/analyze/explain.h"

#define BOUNDS_GUILTY_MOST 32 /* bad versions that are looked at */

/* A version of which `well` hosts have it and none is affected, beside bad ones of whose `bad_hosts`
 * `bad` are: it is good when its share of affected hosts lies, with 95 %, under half of theirs. One
 * rule for findings and for drivers. */
bool bounds_is_good(size_t well, size_t bad, size_t bad_hosts);

/* `guilty`: places of the attribute's values that are to blame. Texts live in the arena. */
enum status bounds_versions(const struct explain_input *input, uint32_t name,
                            const uint32_t *guilty, size_t guilty_count, struct arena *arena,
                            struct finding_cause *cause) MUST_CHECK;

struct bounds_row {
    enum pool pool;
    uint32_t tag;
};
/* Rates of the rows together; fills changed_hosts, rate_before and rate_after. */
void bounds_rates(const struct fleet *fleet, const uint32_t *hosts, size_t host_count,
                  const struct bounds_row *rows, size_t row_count, struct finding_cause *cause);

#endif
