/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the growth of one fault bends. A single host seldom tells a straight course from one that
 * accelerates, since work is uneven; but one fault has one form on all its hosts, so that each host
 * is foreseen with what the others show. Internal to server/analyze. Pure, thread-safe.
 */
#ifndef SERVER_ANALYZE_FORM_H
#define SERVER_ANALYZE_FORM_H

#include <stddef.h>

#define FORM_BENDS 21 /* of the grid */
#define FORM_RATES 28 /* how fast a fault bends, from not at all */

/* The bends that are tried on a course, rising: 0 is a line, 1 a rate that rose from nothing, below
 * 0 it slows down. */
double form_bend(size_t which);

/* What a host's course leaves over with each bend. */
struct form_course {
    double span; /* hours */
    double free; /* pieces that tell one bend from another */
    double best; /* mean square of what the best bend leaves over, > 0 */
    double left[FORM_BENDS];
};

/* Zeros to begin with. */
struct form {
    size_t hosts;
    double likely[FORM_RATES]; /* logarithms, summed over the hosts */
};

void form_add(const struct form_course *course, struct form *form);
/* How usual each bend is, sum 1, by what the others of the form's hosts show; `course` is of one
 * of them. form: NULL when there are no others. */
void form_prior(const struct form_course *course, const struct form *form,
                double ret_prior[FORM_BENDS]);

#endif
