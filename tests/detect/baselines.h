/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people use today, on the same points as the analysis and judged by the same rule. Each is
 * what its users run, with the parameters of one table (baseline_parameters); none is tuned to this
 * benchmark beyond what the table says.
 */
#ifndef TESTS_DETECT_BASELINES_H
#define TESTS_DETECT_BASELINES_H

#include "tests/detect/score.h"

enum baseline {
    BASELINE_POOL_4GB,
    BASELINE_POOL_10PCT,
    BASELINE_POOL_60PCT,
    BASELINE_POOL_400MB,
    BASELINE_TOKENS,
    BASELINE_TOP10,
    BASELINE_MAD,
    BASELINE_DBSCAN,
    BASELINE_MANN_KENDALL,
    BASELINE_CUSUM,
    BASELINE_COUNT
};
const char *baseline_name(enum baseline baseline);
const char *baseline_parameters(enum baseline baseline);

/* All series of a fleet at one as_of: bytes[row][host][point]. */
struct series_store;
struct series_store *series_store_new(const struct world *world);
void series_store_add(struct series_store *store, size_t host, const struct analyze_host *view);
void series_store_free(struct series_store *store);

void baseline_run(const struct series_store *store, enum baseline baseline,
                  struct claims *ret_claims);

#endif
