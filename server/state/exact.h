/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exact statistics of counts on two sides: how likely a difference is by chance, and how well a
 * share, a ratio or a median is known. The analysis' own tests are used through here (this is the
 * one file that includes analyze/explain.h beside it), so that a change there is a change here.
 * Pure, thread-safe.
 */
#ifndef SERVER_STATE_EXACT_H
#define SERVER_STATE_EXACT_H

#include <stddef.h>

/* A table of two: of the selected hosts `with` have it and `without` have not; likewise others. */
struct exact_table {
    size_t with, without;
    size_t other_with, other_without;
};

struct exact_range {
    double low, high;
};

/* Fisher's exact test, two-sided by doubling the tail on the side that is seen. 0..1. */
double exact_p(const struct exact_table *table);
/* The smallest p that any outcome could give with these hosts: over 0.05, nothing could be told. */
double exact_least_p(const struct exact_table *table);

/* Clopper and Pearson's interval of a share of n: holds with at least `level` (0.95). n 0: 0..1. */
struct exact_range exact_share(size_t k, size_t n, double level);
/* Share of the selected that have it over the share of the others, half a host added to each
 * cell. */
double exact_ratio(const struct exact_table *table);
/* Holds with at least `level`: both shares' exact intervals of half the error, the worst corners
 * of which bound the ratio. Conservative: never narrower than it should be. high may be INFINITY.
 */
struct exact_range exact_ratio_range(const struct exact_table *table, double level);

/* Places (from 0) in `count` sorted values between which the median lies with at least 95 %.
 * False: too few values (under six) for any such statement. */
int exact_median_places(size_t count, size_t *ret_low, size_t *ret_high);

/* Benjamini and Hochberg: rising p values become q values. */
void exact_adjust(double *sorted_p, size_t count);

#endif
