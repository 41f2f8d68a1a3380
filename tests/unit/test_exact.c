/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/explain.h"
#include "server/state/exact.h"

#include <check.h>
#include <math.h>

#define NEAR(a, b, within)                                                                         \
    ck_assert_msg(fabs((double)(a) - (double)(b)) <= (within), "%.12g is not %.12g", (double)(a),  \
                  (double)(b))

START_TEST(exact_p_agrees_with_the_analysis)
{
    for (size_t a = 0; a <= 9; a++)
        for (size_t c = 0; c <= 23; c++) {
            struct exact_table t = {a, 9 - a, c, 23 - c};
            double more = explain_fisher(a, 9 - a, c, 23 - c);
            double less = explain_fisher(c, 23 - c, a, 9 - a);
            double tail = a * 23 >= c * 9 ? more : less;
            NEAR(exact_p(&t), tail > 0.5 ? 1 : 2 * tail, 1e-9);
        }
}
END_TEST

START_TEST(exact_p_of_a_perfect_split_is_one_over_all_choices_doubled)
{
    struct exact_table t = {3, 0, 0, 3};
    NEAR(exact_p(&t), 2.0 / 20, 1e-12);
    struct exact_table wide = {500, 0, 0, 9500};
    ck_assert(exact_p(&wide) < 1e-300);
}
END_TEST

START_TEST(exact_least_p_of_three_hosts_cannot_reach_five_percent)
{
    struct exact_table t = {2, 1, 1, 2};
    ck_assert(exact_least_p(&t) > 0.05);
    struct exact_table enough = {2, 8, 8, 22};
    ck_assert(exact_least_p(&enough) < 0.05);
}
END_TEST

/* Published tables of the interval by Clopper and Pearson, and its closed forms at the ends. */
START_TEST(exact_share_known_counts_known_ends)
{
    struct exact_range r = exact_share(0, 10, 0.95);
    NEAR(r.low, 0, 0);
    NEAR(r.high, 1 - pow(0.025, 0.1), 1e-9);
    r = exact_share(10, 10, 0.95);
    NEAR(r.low, pow(0.025, 0.1), 1e-9);
    NEAR(r.high, 1, 0);
    r = exact_share(5, 10, 0.95);
    NEAR(r.low, 0.187086, 1e-5);
    NEAR(r.high, 0.812914, 1e-5);
    r = exact_share(3, 10000, 0.95);
    NEAR(r.low, 0.0000619, 1e-6);
    NEAR(r.high, 0.000876, 2e-6);
    r = exact_share(0, 0, 0.95);
    NEAR(r.high - r.low, 1, 0);
}
END_TEST

START_TEST(exact_ratio_range_holds_the_ratio)
{
    struct exact_table t = {19, 0, 2, 478};
    struct exact_range r = exact_ratio_range(&t, 0.95);
    ck_assert(r.low > 20 && r.low < exact_ratio(&t) && r.high > exact_ratio(&t));
    struct exact_table none = {19, 0, 0, 480};
    ck_assert(isinf(exact_ratio_range(&none, 0.95).high));
    NEAR(exact_ratio(&none), (19.5 / 20) / (0.5 / 481), 1e-9);
}
END_TEST

START_TEST(exact_median_places_by_count)
{
    size_t low = 99, high = 99;
    ck_assert(!exact_median_places(5, &low, &high));
    ck_assert(exact_median_places(6, &low, &high));
    ck_assert_uint_eq(low, 0);
    ck_assert_uint_eq(high, 5);
    ck_assert(exact_median_places(20, &low, &high));
    ck_assert_uint_eq(low, 5);
    ck_assert_uint_eq(high, 14);
}
END_TEST

Suite *exact_suite(void);
Suite *exact_suite(void)
{
    Suite *suite = suite_create("exact");
    TCase *tc = tcase_create("exact");

    tcase_add_test(tc, exact_p_agrees_with_the_analysis);
    tcase_add_test(tc, exact_p_of_a_perfect_split_is_one_over_all_choices_doubled);
    tcase_add_test(tc, exact_least_p_of_three_hosts_cannot_reach_five_percent);
    tcase_add_test(tc, exact_share_known_counts_known_ends);
    tcase_add_test(tc, exact_ratio_range_holds_the_ratio);
    tcase_add_test(tc, exact_median_places_by_count);
    suite_add_tcase(suite, tc);
    return suite;
}
