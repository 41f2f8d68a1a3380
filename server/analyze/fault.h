/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots that cannot be true. Pure. */
#ifndef SERVER_ANALYZE_FAULT_H
#define SERVER_ANALYZE_FAULT_H

#include "server/analyze/analyze.h"

struct fault {
    const char *code;   /* for programs */
    const char *reason; /* for people: a sentence without its end */
};

/* Why this snapshot cannot be true; NULL: it may be. Kept by the program. Nonpaged pool lies in
 * RAM, paged pool in what can be committed. Clocks may be wrong, but a boot is never after the
 * snapshot of the same clock. */
const struct fault *fault_of(const struct analyze_point *point);

#endif
