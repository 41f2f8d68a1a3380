/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Versions in their natural order: runs of digits by their number, all else by its bytes. Pure,
 * thread-safe.
 */
#ifndef SERVER_ANALYZE_VERSION_H
#define SERVER_ANALYZE_VERSION_H

#include <stdbool.h>

/* Below 0, 0, above 0. "1.9" < "1.10" < "1.10.1". */
int version_compare(const char *a, const char *b);
/* Begins with a digit and has a dot: something that can be older or newer. */
bool version_is(const char *text);

#endif
