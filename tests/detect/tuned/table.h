/* SPDX-License-Identifier: Apache-2.0 */
/* The thresholds of an analysis that was built by tests/detect/tuned/sources.awk. */
#ifndef TESTS_DETECT_TUNED_TABLE_H
#define TESTS_DETECT_TUNED_TABLE_H

#include <stddef.h>

extern const size_t tuned_count;
extern const char *const tuned_names[]; /* "file: NAME" */
extern double tuned_scale[];            /* 1: as in the sources */

#endif
