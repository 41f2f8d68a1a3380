/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two values that explain together what neither does alone: a driver's version that leaks on one
 * build only. Internal to server/analyze. Not shared between threads.
 */
#ifndef SERVER_ANALYZE_CONJOIN_H
#define SERVER_ANALYZE_CONJOIN_H

#include "server/analyze/explain.h"

#define CONJOIN_MOST 24 /* values that are paired; those that separate best */

/* One value that may be half of a pair. */
struct conjoin_value {
    uint32_t name;
    uint32_t value;
    double rank; /* the half that is told first is the one that ranks higher */
};

struct conjunction {
    bool found;
    size_t first; /* places among the values */
    size_t second;
    size_t with; /* affected and unaffected hosts that have both */
    size_t others;
    double p; /* Fisher's, of both together; not corrected */
};

/* count: at most CONJOIN_MOST are looked at. ST_NOMEM. */
enum status conjoin_find(const struct explain_input *input, const struct conjoin_value *values,
                         size_t count, struct conjunction *ret_conjunction) MUST_CHECK;

#endif
