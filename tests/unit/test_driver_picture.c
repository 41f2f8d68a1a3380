/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/driver_names.h"
#include "server/api/driver_picture.h"

#include <check.h>
#include <math.h>

START_TEST(driver_version_order_compares_parts_as_numbers)
{
    ck_assert_int_lt(driver_version_order("10.0.9", "10.0.10"), 0);
    ck_assert_int_gt(driver_version_order("1.9.3", "1.9"), 0);
    ck_assert_int_lt(driver_version_order("1.9", "1.9.3"), 0);
    ck_assert_int_eq(driver_version_order("2.0", "2.0"), 0);
    ck_assert_int_gt(driver_version_order(NULL, "2.0"), 0);
    ck_assert_int_eq(driver_version_order(NULL, NULL), 0);
    ck_assert_int_ne(driver_version_order("abc", "abd"), 0);
}
END_TEST

START_TEST(driver_named_finds_each_owner_whole)
{
    ck_assert(driver_named("a.sys or B.sys or 2 more", "b.sys"));
    ck_assert(driver_named("a.sys", "a.sys"));
    ck_assert(!driver_named("ab.sys", "b.sys"));
    ck_assert(!driver_named(NULL, "b.sys"));
}
END_TEST

START_TEST(driver_judge_bad_good_few)
{
    const size_t hosts[] = {40, 20, 3, 0, 50};
    const size_t blamed[] = {0, 19, 0, 0, 2};
    struct driver_judged judged[5] = {0};
    driver_judge(5, hosts, blamed, judged);
    ck_assert_int_eq(judged[0].verdict, DRIVER_GOOD);
    ck_assert_int_eq(judged[1].verdict, DRIVER_BAD);
    ck_assert_int_eq(judged[2].verdict, DRIVER_FEW);
    ck_assert_int_eq(judged[3].verdict, DRIVER_UNUSED);
    ck_assert_int_eq(judged[4].verdict, DRIVER_MIXED);
}
END_TEST

START_TEST(driver_judge_without_a_bad_version_calls_none_good)
{
    const size_t hosts[] = {400, 2};
    const size_t blamed[] = {0, 2};
    struct driver_judged judged[2] = {0};
    driver_judge(2, hosts, blamed, judged);
    ck_assert_int_eq(judged[0].verdict, DRIVER_FEW);
    ck_assert_int_eq(judged[1].verdict, DRIVER_FEW);
}
END_TEST

START_TEST(spread_of_values_has_ranks_and_an_interval_from_six_on)
{
    double values[] = {5, 1, 4, 2, 3, 6};
    struct spread spread;
    spread_of(values, 6, &spread);
    ck_assert(spread.least == 1 && spread.median == 3 && spread.most == 6);
    ck_assert(spread.q1 == 2 && spread.q3 == 5);
    ck_assert(spread.median_low == 1 && spread.median_high == 6);
    spread_of(values, 5, &spread);
    ck_assert(isnan(spread.median_low));
    spread_of(NULL, 0, &spread);
    ck_assert(isnan(spread.median));
}
END_TEST

Suite *driver_picture_suite(void);
Suite *driver_picture_suite(void)
{
    Suite *suite = suite_create("driver_picture");
    TCase *tc = tcase_create("driver_picture");

    tcase_add_test(tc, driver_version_order_compares_parts_as_numbers);
    tcase_add_test(tc, driver_named_finds_each_owner_whole);
    tcase_add_test(tc, driver_judge_bad_good_few);
    tcase_add_test(tc, driver_judge_without_a_bad_version_calls_none_good);
    tcase_add_test(tc, spread_of_values_has_ranks_and_an_interval_from_six_on);
    suite_add_tcase(suite, tc);
    return suite;
}
