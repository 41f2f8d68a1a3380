/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools that are near their limit or already fail, whatever brought them there: share of the limit,
 * the file server's events 2019 and 2020, failed allocations, session pools. Internal to
 * server/analyze. Not shared between threads.
 */
#ifndef SERVER_ANALYZE_EXHAUST_H
#define SERVER_ANALYZE_EXHAUST_H

#include "server/analyze/build.h"

/* docs/detection.md, "Thresholds and where they come from": exhaust */
#define EXHAUST_SHARE 0.85 /* of a pool's limit */

/* How many findings exhaust_findings may add. */
size_t exhaust_most(const struct fleet *fleet);
/* Adds to list->items, which has room. ST_NOMEM. */
enum status exhaust_findings(const struct build *build, const struct analyze_options *options,
                             struct finding_list *list) MUST_CHECK;

#endif
