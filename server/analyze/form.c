/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/form.h"

#include <math.h>

/* docs/detection.md, "Thresholds of grouping, causes and forecast": form */
#define LEAST    1e-4 /* an hour: so slowly does a fault bend at least, when it bends */
#define STEP     1.6  /* from one rate of bending to the next */
#define ALIKE    0.15 /* of what a host shows is shown by the next one as well */
#define STRAIGHT 0.7  /* of all faults do not bend */
#define SHARED   0.75 /* how surely the hosts of an incident have one form */

/* How usual each bend is where nothing is known of other hosts. */
static const struct {
    double bend;
    double usual;
} bends[FORM_BENDS] = {
    {-0.45, 0.01}, {-0.3, 0.015}, {-0.2, 0.015}, {-0.1, 0.02}, {-0.03, 0.1}, {0, 0.5},
    {0.03, 0.1},   {0.08, 0.015}, {0.14, 0.015}, {0.2, 0.02},  {0.27, 0.02}, {0.34, 0.02},
    {0.42, 0.02},  {0.5, 0.02},   {0.6, 0.02},   {0.7, 0.02},  {0.8, 0.02},  {0.9, 0.02},
    {1, 0.02},     {1.15, 0.01},  {1.3, 0.01},
};

double form_bend(size_t which)
{
    return bends[which].bend;
}

/* After k hours the rate has grown by two of what it was at the beginning; a longer course of the
 * same fault is bent more. */
static double bend_of(size_t rate, double span)
{
    double k = rate == 0 ? 0 : LEAST * pow(STEP, (double)rate - 1) * span;
    return k / (1 + k);
}

/* The two bends of the grid on either side, and how near the upper one is. */
static size_t place_of(double bend, double *ret_share)
{
    size_t i = 0;
    while (i + 2 < FORM_BENDS && bends[i + 1].bend <= bend)
        i++;
    *ret_share = (bend - bends[i].bend) / (bends[i + 1].bend - bends[i].bend);
    return i;
}

/* How likely each rate makes this course, as logarithms below the best. */
static void judge(const struct form_course *course, double ret_likely[FORM_RATES])
{
    for (size_t r = 0; r < FORM_RATES; r++) {
        double share;
        size_t i = place_of(bend_of(r, course->span), &share);
        double below = (1 - share) * log(course->left[i] / course->best) +
                       share * log(course->left[i + 1] / course->best);
        ret_likely[r] = -course->free / 2 * below;
    }
}

void form_add(const struct form_course *course, struct form *form)
{
    double likely[FORM_RATES];
    judge(course, likely);
    form->hosts++;
    for (size_t r = 0; r < FORM_RATES; r++)
        form->likely[r] += likely[r];
}

/* What the other hosts show; the course's own part of the form is taken out. Hosts that are uneven
 * in the same way count for less than one each. */
static void weigh_others(const struct form_course *course, const struct form *form,
                         double ret_weight[FORM_RATES])
{
    double own[FORM_RATES];
    double most = -INFINITY;
    double all = 0;
    double each = 1 / (1 + ((double)form->hosts - 2) * ALIKE);
    judge(course, own);
    for (size_t r = 0; r < FORM_RATES; r++) {
        double usual = r == 0 ? STRAIGHT : (1 - STRAIGHT) / (FORM_RATES - 1);
        ret_weight[r] = log(usual) + each * (form->likely[r] - own[r]);
        most = fmax(most, ret_weight[r]);
    }
    for (size_t r = 0; r < FORM_RATES; r++) {
        ret_weight[r] = exp(ret_weight[r] - most);
        all += ret_weight[r];
    }
    for (size_t r = 0; r < FORM_RATES; r++)
        ret_weight[r] /= all;
}

void form_prior(const struct form_course *course, const struct form *form,
                double ret_prior[FORM_BENDS])
{
    double weight[FORM_RATES];
    double shared = form != NULL && form->hosts > 1 ? SHARED : 0;
    for (size_t i = 0; i < FORM_BENDS; i++)
        ret_prior[i] = (1 - shared) * bends[i].usual;
    if (shared <= 0)
        return;
    weigh_others(course, form, weight);
    for (size_t r = 0; r < FORM_RATES; r++) {
        double share;
        size_t i = place_of(bend_of(r, course->span), &share);
        ret_prior[i] += shared * weight[r] * (1 - share);
        ret_prior[i + 1] += shared * weight[r] * share;
    }
}
