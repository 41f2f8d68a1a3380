/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots that cannot be true. Pure. */
#ifndef SERVER_ANALYZE_FAULT_H
#define SERVER_ANALYZE_FAULT_H

#include "server/analyze/analyze.h"

/* Why this snapshot cannot be true, in words that live as long as the program; NULL: it may be.
 * Nonpaged pool lies in RAM, paged pool in what can be committed. Clocks may be wrong, but a boot
 * is never after the snapshot of the same clock. */
const char *fault_of(const struct analyze_point *point);

#endif
