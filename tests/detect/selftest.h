/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the generator and of the scorer, without the analysis. */
#ifndef TESTS_DETECT_SELFTEST_H
#define TESTS_DETECT_SELFTEST_H

#include "server/tagdict/tagdict.h"

#include <stdbool.h>

/* Prints each check that fails, and at last "N passed, N failed". */
bool selftest_run(const struct tagdict *dict);

#endif
