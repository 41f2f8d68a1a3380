/* SPDX-License-Identifier: Apache-2.0 */
/* One fleet through the analysis and the baselines. */
#ifndef TESTS_DETECT_RUN_H
#define TESTS_DETECT_RUN_H

#include "tests/detect/tally.h"

struct run_options {
    const struct tagdict *dict;
    bool quick;
    bool baselines;
    bool delays;
    bool live; /* through hosts that stay read */
    bool verbose;
};

/* What the analysis says of the world at as_of. Dies on an error: the input is ours. */
void run_analysis(const struct world *world, double as_of, const struct tagdict *dict,
                  struct series_store *store, struct finding_list *ret_list, double *seconds);
/* Adds what was said of the fleet at its last moment. */
void run_tally(uint64_t seed, const struct world *world, const struct finding_list *list,
               struct tally *tally);
void run_fleet(uint64_t seed, const struct run_options *options, struct tally *tally);
/* A silent fleet day by day over a month; false when the seed's fleet does not serve. */
bool run_quiet(uint64_t seed, const struct run_options *options, struct tally *tally);
/* The same over a day of snapshots every minute, analyzed every twenty, where spikes and nightly
 * jobs take up to an hour to reach their height: what may be mistaken for a leak of hours. */
bool run_watched(uint64_t seed, const struct run_options *options, struct tally *tally);

#endif
