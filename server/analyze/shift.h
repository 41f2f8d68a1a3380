/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver version that uses more than its other versions do, and steadily: worth knowing, no leak.
 * Looks only at tags that the dictionary gives to that driver, since levels differ by chance too
 * often to search all. Internal to server/analyze. Not shared between threads.
 */
#ifndef SERVER_ANALYZE_SHIFT_H
#define SERVER_ANALYZE_SHIFT_H

#include "server/analyze/build.h"

#define SHIFT_FINDINGS_MAX 16

/* Adds to list->items, which has room for SHIFT_FINDINGS_MAX more. ST_NOMEM. */
enum status shift_findings(const struct build *build, struct finding_list *list) MUST_CHECK;

#endif
