/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fleet whose tag tables change the way real ones do, for benchmarks of storage: most tags stand
 * still, some change now and then, some all the time, and a few (File, Toke, NtFC) thousands of
 * times a second. Tags have one block size or several. Seeded: the same every time.
 *
 * Which shares of rows change follows the brief of the measurements: calm 5 to 20 % of rows a
 * snapshot, stormy 25 to 40 %.
 */
#ifndef TESTS_SUPPORT_CHURN_H
#define TESTS_SUPPORT_CHURN_H

#include "common/snapshot.h"
#include "tests/support/fleetgen.h"

enum churn_mix { CHURN_CALM, CHURN_STORMY, CHURN_MIXES };
const char *churn_mix_name(enum churn_mix mix);

struct churn_host;

/* Host `index` of a fleet with that many rows a host, in both pools together. */
struct churn_host *churn_host_new(enum churn_mix mix, size_t index, size_t rows);
void churn_host_free(struct churn_host *host);
/* Lets `seconds` pass. */
void churn_host_step(struct churn_host *host, double seconds);
/* The complete tables as they are now, borrowed until the next step. */
const struct snapshot_table *churn_host_tables(const struct churn_host *host);
void churn_host_totals(const struct churn_host *host, struct snapshot_totals *ret_totals);

#endif
