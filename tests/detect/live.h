/* SPDX-License-Identifier: Apache-2.0 */
/* What the live server would say: hosts stay read, and each newer document is put on them. */
#ifndef TESTS_DETECT_LIVE_H
#define TESTS_DETECT_LIVE_H

#include "tests/detect/world.h"

struct live_count {
    size_t hosts, documents;
    size_t again; /* hosts that had to be read from cold once more */
};

/* As run_analysis: hosts read from cold two hours before as_of, the snapshots since put on one by
 * one, mostly as changes, features made again in passes every ten minutes where the server would.
 */
void live_run(const struct world *world, double as_of, const struct tagdict *dict,
              struct finding_list *ret_list, struct live_count *count);

#endif
