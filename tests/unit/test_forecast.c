/* SPDX-License-Identifier: Apache-2.0 */
/* What is foreseen of invented courses whose end is known: how often the interval holds it. */
#include "server/analyze/forecast.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

Suite *forecast_suite(void);

#define GIB    1073741824.0
#define HOSTS  120
#define POINTS 60

static uint64_t state;

static double unit(void) /* 0..1, the same in every run */
{
    state += 0x9E3779B97F4A7C15u;
    uint64_t x = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return (double)((x ^ (x >> 31)) >> 11) * 0x1p-53;
}

/* Growth in hours' worth of the first rate, by the time since it began. Work is uneven: time runs
 * faster and slower by a few hours. */
struct truth {
    double rate;  /* GiB an hour */
    double scale; /* hours until the rate has doubled; INFINITY: straight */
    double phase[3];
};

static double grown(const struct truth *truth, double hours)
{
    static const double periods[3] = {9, 23, 41};
    double at = hours;
    for (size_t i = 0; i < 3; i++)
        at +=
            periods[i] / 40 *
            (sin(6.2832 * (hours / periods[i] + truth->phase[i])) - sin(6.2832 * truth->phase[i]));
    return truth->rate * (at + at * at / (2 * truth->scale));
}

struct host {
    struct truth truth;
    struct forecast_course course;
    struct snapshot_totals totals;
    double left; /* hours until the limit is met */
};

/* A host of which `seen` of the way to its limit, 40 GiB, is over. */
static void make(struct host *host, double scale, double seen)
{
    double span = 20 + 60 * unit();
    host->truth = (struct truth){1, scale, {unit(), unit(), unit()}};
    host->truth.rate = seen * 40 / grown(&host->truth, span);
    host->course = (struct forecast_course){.count = POINTS};
    for (size_t i = 0; i < POINTS; i++) {
        double hour = span * ((double)i / (POINTS - 1) - 1);
        host->course.hours[i] = hour;
        host->course.bytes[POOL_NONPAGED][i] = (1 + grown(&host->truth, span + hour)) * GIB;
    }
    host->totals = (struct snapshot_totals){0};
    totals_set(&host->totals, TOTAL_NONPAGED_BYTES, (uint64_t)((2 + seen * 40) * GIB));
    totals_set(&host->totals, TOTAL_NONPAGED_LIMIT_BYTES, (uint64_t)(42 * GIB));
    host->left = 0;
    while (grown(&host->truth, span + host->left) < 40)
        host->left += 0.01;
}

struct score {
    double covered; /* share of the hosts */
    double width;   /* median, in terms of the time left */
    double error;
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct score foresee(const struct host *hosts, const struct form *form)
{
    double width[HOSTS];
    double error[HOSTS];
    struct score score = {0};
    for (size_t i = 0; i < HOSTS; i++) {
        const struct host *host = &hosts[i];
        struct forecast_input input = {&host->totals, NAN, 0, &host->course, form};
        struct forecast forecast;
        forecast_exhaustion(&input, &forecast);
        ck_assert_ptr_nonnull(forecast.limit);
        ck_assert(forecast.p10_us <= forecast.p50_us && forecast.p50_us <= forecast.p90_us);
        double low = (double)forecast.p10_us / (double)US_PER_HOUR;
        double high = (double)forecast.p90_us / (double)US_PER_HOUR;
        double middle = (double)forecast.p50_us / (double)US_PER_HOUR;
        score.covered += (low <= host->left && host->left <= high) / (double)HOSTS;
        width[i] = (high - low) / host->left;
        error[i] = fabs(middle - host->left) / host->left;
    }
    qsort(width, HOSTS, sizeof *width, by_value);
    qsort(error, HOSTS, sizeof *error, by_value);
    score.width = width[HOSTS / 2];
    score.error = error[HOSTS / 2];
    return score;
}

static struct host hosts[HOSTS];

static void make_all(double scale)
{
    state = 7;
    for (size_t i = 0; i < HOSTS; i++)
        make(&hosts[i], scale, 0.3 + 0.4 * unit());
}

static void learn_form(struct form *form)
{
    *form = (struct form){0};
    for (size_t i = 0; i < HOSTS; i++) {
        struct forecast_input input = {&hosts[i].totals, NAN, 0, &hosts[i].course, NULL};
        forecast_form(&input, form);
    }
}

#define SAYS(score) "covered %.3f, width %.3f, error %.3f", score.covered, score.width, score.error

START_TEST(forecast_of_uneven_lines_holds_the_end_in_most_cases_without_being_wide)
{
    make_all(INFINITY);
    struct score score = foresee(hosts, NULL);
    ck_assert_msg(score.covered >= 0.75 && score.width < 0.7 && score.error < 0.1, SAYS(score));
}
END_TEST

START_TEST(forecast_of_what_accelerates_holds_the_end_in_most_cases)
{
    make_all(40);
    struct score score = foresee(hosts, NULL);
    ck_assert_msg(score.covered >= 0.7, SAYS(score));
}
END_TEST

START_TEST(forecast_with_the_form_of_the_other_hosts_is_closer_and_narrower)
{
    struct form form;
    make_all(_i == 0 ? 40 : INFINITY);
    struct score alone = foresee(hosts, NULL);
    learn_form(&form);
    ck_assert_uint_eq(form.hosts, HOSTS);
    struct score together = foresee(hosts, &form);
    ck_assert_msg(together.width < 0.8 * alone.width, SAYS(together));
    ck_assert_msg(together.error < (_i == 0 ? 0.6 : 1.05) * alone.error, SAYS(together));
    ck_assert_msg(together.covered >= 0.75, SAYS(together));
}
END_TEST

/* Growth only in bursts, 8 in 48 hours: of even size, or of chance size. */
static double burst_width(bool even)
{
    struct host *host = &hosts[0];
    double bytes = GIB;
    state = 3;
    make(host, INFINITY, 0.5);
    host->course.bursts = true;
    for (size_t i = 0; i < POINTS; i++) {
        host->course.hours[i] = 48 * ((double)i / (POINTS - 1) - 1);
        if (i % 7 == 6)
            bytes += GIB * (even ? 2.4 : -2.4 * log(1 - unit()));
        host->course.bytes[POOL_NONPAGED][i] = bytes;
    }
    struct forecast_input input = {&host->totals, NAN, 0, &host->course, NULL};
    struct forecast forecast;
    forecast_exhaustion(&input, &forecast);
    ck_assert_ptr_nonnull(forecast.limit);
    return (double)(forecast.p90_us - forecast.p10_us) / (double)forecast.p50_us;
}

START_TEST(forecast_of_even_steps_is_narrower_than_of_bursts_of_chance_size)
{
    double even = burst_width(true);
    double chance = burst_width(false);
    ck_assert_msg(even < 0.6 && chance > 1.5 * even, "even %.3f, chance %.3f", even, chance);
}
END_TEST

Suite *forecast_suite(void)
{
    Suite *suite = suite_create("forecast");
    TCase *tc = tcase_create("forecast");
    tcase_add_test(tc, forecast_of_uneven_lines_holds_the_end_in_most_cases_without_being_wide);
    tcase_add_test(tc, forecast_of_what_accelerates_holds_the_end_in_most_cases);
    tcase_add_loop_test(tc, forecast_with_the_form_of_the_other_hosts_is_closer_and_narrower, 0, 2);
    tcase_add_test(tc, forecast_of_even_steps_is_narrower_than_of_bursts_of_chance_size);
    suite_add_tcase(suite, tc);
    return suite;
}
