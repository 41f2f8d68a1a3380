/* SPDX-License-Identifier: Apache-2.0 */
/* What a pass of the analysis costs: processor time and memory for many hosts with full tables; and
 * what the explanation of one finding costs. */
#ifndef TESTS_DETECT_PASS_H
#define TESTS_DETECT_PASS_H

#include "server/tagdict/tagdict.h"

#include <stdbool.h>
#include <stddef.h>

/* Prints one line; false when the analysis failed. */
bool pass_run(size_t hosts, size_t rows, const struct tagdict *dict);
/* The same for hosts that stay read: passes that each take in one more document of every host.
 * Prints a line a pass, and one of memory. */
bool pass_kept(size_t hosts, size_t rows, const struct tagdict *dict);
/* One finding over many hosts, once with one value as its cause, once with two together. Prints a
 * line for each; false when the cause was not found. */
bool pass_explain(size_t hosts, size_t attributes);

#endif
