/* SPDX-License-Identifier: Apache-2.0 */
/* What separates affected hosts: pairs of values, first bad and good versions, rates around a
 * change; by whole fleets, and the order of versions by itself. */
#include "server/analyze/follow.h"
#include "server/analyze/mover.h"
#include "server/analyze/valueset.h"
#include "server/analyze/version.h"
#include "tests/support/analyze_fleet.h"

#include <check.h>
#include <math.h>
#include <string.h>

Suite *analyze_causes_suite(void);

START_TEST(version_compare_orders_runs_of_digits_by_number)
{
    static const char *const rising[] = {"1.9", "1.10", "1.10.1", "1.10.2", "10.0", "10.0a"};
    for (size_t i = 0; i < sizeof rising / sizeof rising[0]; i++)
        for (size_t k = 0; k < sizeof rising / sizeof rising[0]; k++) {
            int order = version_compare(rising[i], rising[k]);
            ck_assert_msg((order > 0) - (order < 0) == (i > k) - (i < k), "%s, %s", rising[i],
                          rising[k]);
        }
    ck_assert_int_eq(version_compare("1.007", "1.7"), 0);
    ck_assert(version_is("1.2") && !version_is("12") && !version_is("v1.2") && !version_is(""));
}
END_TEST

static void add_leak(struct afleet *fleet, size_t host, double start_hours)
{
    afleet_add_row(fleet, host,
                   &(struct afleet_row){.tag = "Leaq",
                                        .pool = POOL_NONPAGED,
                                        .shape = AFLEET_LINEAR,
                                        .rate = 20e6,
                                        .start_hours = start_hours,
                                        .block = 256});
}

static size_t add_host(struct afleet *fleet, const char *build, size_t i)
{
    struct afleet_spec spec = {.role = "web",
                               .os_build = build,
                               .ram_gib = 32,
                               .uptime_hours = 200 + (double)i,
                               .history_hours = 190};
    size_t host = afleet_add_host(fleet, &spec);
    afleet_add_background(fleet, host, 1);
    return host;
}

static const struct finding_cause *best_cause(const struct finding_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].tag == afleet_tag("Leaq") && list->items[i].cause_count > 0)
            return &list->items[i].causes[0];
    }
    ck_abort_msg("no finding with a cause");
    return NULL;
}

/* One driver version and one build, each on half of the hosts; only hosts with both leak. */
START_TEST(explain_version_that_leaks_on_one_build_only_is_told_with_the_build)
{
    AUTO_FINDINGS struct finding_list list = {0};
    struct afleet *fleet = afleet_new((uint64_t)_i + 3);
    bool both = _i % 2 == 0; /* else every host with the version leaks */
    for (size_t i = 0; i < 32; i++) {
        bool bad = i % 2 == 0;
        bool build = i % 4 < 2;
        size_t host = add_host(fleet, build ? "26100.4061" : "20348.2402", i);
        afleet_add_fact(fleet, host, "driver/x.sys", bad ? "2.0" : "1.0", -1);
        if (bad && (build || !both))
            add_leak(fleet, host, 90);
    }
    ck_assert_int_eq(afleet_analyze(fleet, (uint64_t)_i, NULL, &list, NULL), ST_OK);
    const struct finding_cause *cause = best_cause(&list);
    if (both) {
        ck_assert_ptr_nonnull(cause->and_attribute);
        bool driver = strcmp(cause->attribute, "driver/x.sys") == 0;
        ck_assert_str_eq(driver ? cause->attribute : cause->and_attribute, "driver/x.sys");
        ck_assert_str_eq(driver ? cause->value : cause->and_value, "2.0");
        ck_assert_str_eq(driver ? cause->and_value : cause->value, "26100.4061");
        ck_assert_uint_eq(cause->affected_with, 8);
        ck_assert_uint_eq(cause->unaffected_with, 0);
        ck_assert(cause->q_value <= 0.05);
    } else {
        ck_assert_str_eq(cause->attribute, "driver/x.sys");
        ck_assert_ptr_null(cause->and_attribute);
    }
    afleet_free(fleet);
}
END_TEST

START_TEST(explain_versions_around_the_bad_ones_are_named)
{
    static const char *const versions[] = {"1.9", "1.10", "1.11", "1.12", "2.0"};
    AUTO_FINDINGS struct finding_list list = {0};
    struct afleet *fleet = afleet_new(11);
    for (size_t i = 0; i < 40; i++) {
        bool bad = i % 5 == 2 || i % 5 == 3;
        size_t host = add_host(fleet, "26100.4061", i);
        afleet_add_fact(fleet, host, "driver/x.sys", versions[i % 5], -1);
        if (bad)
            add_leak(fleet, host, 90);
    }
    ck_assert_int_eq(afleet_analyze(fleet, 0, NULL, &list, NULL), ST_OK);
    const struct finding_cause *cause = best_cause(&list);
    ck_assert_str_eq(cause->attribute, "driver/x.sys");
    ck_assert_str_eq(cause->first_bad, "1.11");
    ck_assert_str_eq(cause->last_good, "1.10");
    ck_assert_str_eq(cause->first_good, "2.0");
    ck_assert_uint_eq(cause->changed_hosts, 0);
    ck_assert(isnan(cause->rate_before));
    afleet_free(fleet);
}
END_TEST

/* Three hosts of a version may be well by chance; eight are not. */
START_TEST(explain_a_version_on_few_hosts_is_not_called_good)
{
    static const struct {
        const char *version;
        size_t hosts;
        bool bad;
    } versions[] = {{"1.0", 8, false}, {"1.1", 3, false}, {"2.0", 8, true}, {"2.1", 3, false}};
    AUTO_FINDINGS struct finding_list list = {0};
    struct afleet *fleet = afleet_new(13);
    for (size_t v = 0; v < sizeof versions / sizeof versions[0]; v++) {
        for (size_t i = 0; i < versions[v].hosts; i++) {
            size_t host = add_host(fleet, "26100.4061", 10 * v + i);
            afleet_add_fact(fleet, host, "driver/x.sys", versions[v].version, -1);
            if (versions[v].bad)
                add_leak(fleet, host, 90);
        }
    }
    ck_assert_int_eq(afleet_analyze(fleet, 0, NULL, &list, NULL), ST_OK);
    const struct finding_cause *cause = best_cause(&list);
    ck_assert_str_eq(cause->first_bad, "2.0");
    ck_assert_str_eq(cause->last_good, "1.0");
    ck_assert_ptr_null(cause->first_good);
    afleet_free(fleet);
}
END_TEST

/* The version came 80 hours ago, and the growth with it; the hosts were up before. */
START_TEST(explain_rates_before_and_after_a_change_are_told)
{
    AUTO_FINDINGS struct finding_list list = {0};
    struct afleet *fleet = afleet_new(12);
    for (size_t i = 0; i < 30; i++) {
        bool bad = i < 8;
        size_t host = add_host(fleet, "26100.4061", i);
        afleet_add_fact(fleet, host, "driver/x.sys", "1.0", -1);
        if (!bad)
            continue;
        afleet_add_fact(fleet, host, "driver/x.sys", "2.0", 80);
        add_leak(fleet, host, 80);
    }
    ck_assert_int_eq(afleet_analyze(fleet, 0, NULL, &list, NULL), ST_OK);
    const struct finding_cause *cause = best_cause(&list);
    ck_assert_str_eq(cause->value, "2.0");
    ck_assert_uint_eq(cause->changed_hosts, 8);
    ck_assert_double_lt(cause->rate_before, 1e6);
    ck_assert_double_gt(cause->rate_after, 18e6);
    ck_assert_double_lt(cause->rate_after, 22e6);
    ck_assert_str_eq(cause->last_good, "1.0");
    ck_assert_ptr_null(cause->first_good);
    afleet_free(fleet);
}
END_TEST

/* An application leaks from five hours after each boot. Twelve of the hosts that have it were
 * rebooted an hour or two ago. */
START_TEST(explain_hosts_that_have_just_started_do_not_speak_against_a_cause)
{
    AUTO_FINDINGS struct finding_list list = {0};
    struct afleet *fleet = afleet_new(13);
    for (size_t i = 0; i < 40; i++) {
        bool bad = i < 20;
        bool young = i >= 8 && i < 20;
        double uptime = young ? 1 + (double)i / 20 : 20 + (double)i;
        struct afleet_spec spec = {.role = "web",
                                   .os_build = "26100.4061",
                                   .ram_gib = 32,
                                   .uptime_hours = uptime,
                                   .history_hours = uptime};
        size_t host = afleet_add_host(fleet, &spec);
        afleet_add_background(fleet, host, 1);
        afleet_add_fact(fleet, host, "app.browser", bad ? "2.0" : "1.0", -1);
        if (bad && !young)
            add_leak(fleet, host, uptime - 5);
    }
    ck_assert_int_eq(afleet_analyze(fleet, 0, NULL, &list, NULL), ST_OK);
    const struct finding_cause *cause = best_cause(&list);
    ck_assert_str_eq(cause->attribute, "app.browser");
    ck_assert_str_eq(cause->value, "2.0");
    ck_assert_uint_eq(cause->affected_with, 8);
    ck_assert_uint_eq(cause->unaffected_with, 0);
    ck_assert_uint_eq(cause->unaffected, 20);
    afleet_free(fleet);
}
END_TEST

/* Two hosts leak and alone have a version. Among twelve hosts that may be chance. */
START_TEST(explain_two_hosts_of_many_name_the_version_that_they_alone_have)
{
    AUTO_FINDINGS struct finding_list list = {0};
    struct afleet *fleet = afleet_new(17);
    size_t hosts = _i == 0 ? 90 : 12;
    for (size_t i = 0; i < hosts; i++) {
        size_t host = add_host(fleet, "26100.4061", i);
        afleet_add_fact(fleet, host, "driver/vpn.sys", i < 2 ? "3.1" : "3.0", -1);
        if (i < 2)
            add_leak(fleet, host, 100);
    }
    ck_assert_int_eq(afleet_analyze(fleet, 0, NULL, &list, NULL), ST_OK);
    ck_assert_uint_eq(list.count, 1);
    ck_assert_uint_eq(list.items[0].host_count, 2);
    ck_assert_uint_eq(list.items[0].cause_count, _i == 0 ? 1 : 0);
    ck_assert_int_eq(strncmp(list.items[0].cause_note, _i == 0 ? "Only 2" : "Too few", 6), 0);
    afleet_free(fleet);
}
END_TEST

/* Both rise at once and stay: the first on each host a point before the second. All else speaks for
 * the second. */
START_TEST(mover_of_what_rises_at_once_is_the_one_that_rose_first)
{
    enum { POINTS = 20, HOSTS = 3 };
    static const uint32_t tags[2] = {0x61616161, 0x62626262};
    float hours[POINTS];
    uint32_t blocks[HOSTS][2][POINTS];
    struct curve curves[HOSTS][2];
    struct feature features[HOSTS][2];
    struct fleet_host hosts[HOSTS] = {{0}};
    struct fleet fleet = {.hosts = hosts, .count = HOSTS};
    uint32_t places[HOSTS];
    struct mover_row rows[2] = {{.pool = POOL_PAGED, .tag = tags[0], .prior = 1},
                                {.pool = POOL_PAGED, .tag = tags[1], .prior = 3}};
    memset(features, 0, sizeof features);
    for (size_t h = 0; h < HOSTS; h++) {
        places[h] = (uint32_t)h;
        hosts[h].features = features[h];
        hosts[h].feature_count = 2;
        for (size_t k = 0; k < 2; k++) {
            for (size_t i = 0; i < POINTS; i++) {
                hours[i] = (float)i - POINTS + 1;
                blocks[h][k][i] = 1000 + (i >= 6 + 3 * h + k ? 500000 : 0);
            }
            curves[h][k] = (struct curve){POINTS, hours, NULL, blocks[h][k]};
            features[h][k].tag = tags[k];
            features[h][k].pool = POOL_PAGED;
            features[h][k].shape = SHAPE_STEP;
            features[h][k].curve = &curves[h][k];
        }
    }
    ck_assert_uint_eq(mover_first(&fleet, places, HOSTS, NULL, 0, rows, 2), 0);
}
END_TEST

/* Two rows of which most points lie on one line: in step when all do, not when the others stray. */
START_TEST(follow_rows_that_share_most_points_but_not_the_course_are_not_in_step)
{
    enum { POINTS = 30 };
    float hours[POINTS];
    uint32_t first[POINTS];
    uint32_t second[POINTS];
    struct curve curves[2] = {{POINTS, hours, NULL, first}, {POINTS, hours, NULL, second}};
    struct feature a = {.shape = SHAPE_GROWING, .curve = &curves[0]};
    struct feature b = {.shape = SHAPE_GROWING, .curve = &curves[1]};
    for (uint32_t i = 0; i < POINTS; i++) {
        hours[i] = (float)i - POINTS + 1;
        first[i] = 1000 + 10000 * i;
        second[i] = 500 + 5000 * i;
        if (_i == 1 && i > 6 && i % 3 == 1)
            second[i] += i % 2 == 1 ? 25000 : -25000u;
    }
    ck_assert_int_eq(follow_alike(&a, &b), _i == 0);
}
END_TEST

START_TEST(valueset_keeps_each_pair_once_and_finds_it_before_and_after_sorting)
{
    AUTO_VALUESET struct valueset set = {0};
    struct value *value;
    ck_assert_ptr_null(valueset_find(&set, 1, 1));
    for (uint32_t i = 0; i < 6000; i++) {
        ck_assert_int_eq(valueset_add(&set, i % 1500, 7 * i % 3000, &value), ST_OK);
        value->with++;
    }
    ck_assert_uint_eq(set.count, 3000);
    for (int sorted = 0; sorted < 2; sorted++) {
        for (uint32_t i = 0; i < 6000; i++) {
            value = valueset_find(&set, i % 1500, 7 * i % 3000);
            ck_assert(value != NULL && value->name == i % 1500 && value->value == 7 * i % 3000);
            ck_assert_uint_eq(value->with, 2);
        }
        ck_assert_ptr_null(valueset_find(&set, 1, 3000));
        valueset_sort(&set);
    }
    for (size_t i = 1; i < set.count; i++)
        ck_assert(set.items[i - 1].name < set.items[i].name ||
                  (set.items[i - 1].name == set.items[i].name &&
                   set.items[i - 1].value < set.items[i].value));
}
END_TEST

Suite *analyze_causes_suite(void)
{
    Suite *suite = suite_create("analyze_causes");
    TCase *causes = tcase_create("causes");
    tcase_set_timeout(causes, 60);
    tcase_add_test(causes, version_compare_orders_runs_of_digits_by_number);
    tcase_add_loop_test(causes, explain_version_that_leaks_on_one_build_only_is_told_with_the_build,
                        0, 4);
    tcase_add_test(causes, explain_versions_around_the_bad_ones_are_named);
    tcase_add_test(causes, explain_a_version_on_few_hosts_is_not_called_good);
    tcase_add_test(causes, explain_rates_before_and_after_a_change_are_told);
    tcase_add_test(causes, explain_hosts_that_have_just_started_do_not_speak_against_a_cause);
    tcase_add_loop_test(causes, explain_two_hosts_of_many_name_the_version_that_they_alone_have, 0,
                        2);
    tcase_add_test(causes, mover_of_what_rises_at_once_is_the_one_that_rose_first);
    tcase_add_test(causes, valueset_keeps_each_pair_once_and_finds_it_before_and_after_sorting);
    tcase_add_loop_test(
        causes, follow_rows_that_share_most_points_but_not_the_course_are_not_in_step, 0, 2);
    suite_add_tcase(suite, causes);
    return suite;
}
