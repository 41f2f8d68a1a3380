/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows belong to one leak, and which of them was first: where growth comes in jumps, where it
 * was over within the first hour of a boot, and where caches fill or another leak grows beside it.
 */
#include "server/analyze/follow.h"
#include "server/analyze/mover.h"
#include "server/analyze/unite.h"
#include "tests/support/analyze_fleet.h"

#include <check.h>
#include <math.h>
#include <string.h>

Suite *analyze_groups_suite(void);

#define FIRST  0x61616161u
#define SECOND 0x62626262u

/* Blocks of a stair: a step of `step` each `period` points, from `from` on. */
static uint32_t stair(size_t at, size_t from, size_t period, uint32_t step)
{
    return at < from ? 0 : (uint32_t)((at - from) / period + 1) * step;
}

/* Both rise by steps and the second is three points behind: in step when the steps are as far
 * apart, not when its steps come at another pace. */
START_TEST(follow_stairs_moved_in_time_are_in_step_unless_their_pace_differs)
{
    enum { POINTS = 60 };
    float hours[POINTS];
    uint32_t first[POINTS];
    uint32_t second[POINTS];
    struct curve curves[2] = {{POINTS, hours, NULL, first}, {POINTS, hours, NULL, second}};
    struct feature a = {.shape = SHAPE_BURSTY, .curve = &curves[0]};
    struct feature b = {.shape = SHAPE_BURSTY, .curve = &curves[1]};
    for (size_t i = 0; i < POINTS; i++) {
        hours[i] = 0.5f * (float)i - 0.5f * (POINTS - 1);
        first[i] = 700 + stair(i, 10, 8, 1000);
        second[i] = 90 + (_i == 0 ? stair(i, 13, 8, 3000) : stair(i, 13, 21, 7000));
    }
    ck_assert_int_eq(follow_alike(&a, &b), _i == 0);
    ck_assert_int_eq(follow_alike(&b, &a), _i == 0);
}
END_TEST

/* Bursts of two rows on one host, of which the history shows no beginning; what the second held
 * before is not known either. All else speaks for the second. */
START_TEST(mover_of_bursts_without_a_beginning_is_the_one_that_jumps_first)
{
    enum { POINTS = 24 };
    float hours[POINTS];
    uint32_t blocks[2][POINTS];
    struct curve curves[2] = {{POINTS, hours, NULL, blocks[0]}, {POINTS, hours, NULL, blocks[1]}};
    struct feature features[2];
    struct fleet_host host = {.features = features, .feature_count = 2};
    struct fleet fleet = {.hosts = &host, .count = 1};
    uint32_t place = 0;
    struct mover_row rows[2] = {{.pool = POOL_PAGED, .tag = FIRST, .prior = 1},
                                {.pool = POOL_PAGED, .tag = SECOND, .prior = 3}};
    memset(features, 0, sizeof features);
    for (size_t i = 0; i < POINTS; i++) {
        hours[i] = (float)i - POINTS + 1;
        blocks[0][i] = 2000 + stair(i + 5, 5, 5, 2000);
        blocks[1][i] = 9000 + stair(i + 4, 5, 5, 4000);
    }
    for (size_t k = 0; k < 2; k++)
        features[k] = (struct feature){.tag = k == 0 ? FIRST : SECOND,
                                       .pool = POOL_PAGED,
                                       .shape = SHAPE_BURSTY,
                                       .curve = &curves[k]};
    ck_assert_uint_eq(mover_first(&fleet, &place, 1, NULL, 0, rows, 2), 0);
}
END_TEST

/* Twelve of forty hosts rise to a level within the first hour of the boot, the second row half an
 * hour after the first. The first frees and allocates much, the second never. */
START_TEST(analyze_level_reached_in_the_first_hour_names_the_row_that_rose_first)
{
    AUTO_FINDINGS struct finding_list list = {0};
    struct afleet *fleet = afleet_new(31);
    for (size_t i = 0; i < 40; i++) {
        double uptime = 14 + 0.13 * (double)(i * 7 % 40);
        struct afleet_spec spec = {.role = "web",
                                   .os_build = "26100.4061",
                                   .ram_gib = 16,
                                   .uptime_hours = uptime,
                                   .history_hours = 60,
                                   .boot_every_hours = 300};
        size_t host = afleet_add_host(fleet, &spec);
        afleet_add_background(fleet, host, 1);
        for (size_t k = 0; k < 2; k++)
            afleet_add_row(fleet, host,
                           &(struct afleet_row){.tag = k == 0 ? "Firs" : "Seco",
                                                .pool = POOL_NONPAGED,
                                                .shape = i < 12 ? AFLEET_STEP : AFLEET_STEADY,
                                                .base = 2e5,
                                                .limit = 1e9,
                                                .start_hours = uptime - 0.2 - 0.6 * (double)k,
                                                .block = 256,
                                                .churn = k == 0 ? 1e6 : 0});
    }
    ck_assert_int_eq(afleet_analyze(fleet, 0, NULL, &list, NULL), ST_OK);
    ck_assert_uint_eq(list.count, 1);
    ck_assert_uint_eq(list.items[0].tag_count, 2);
    ck_assert_uint_eq(list.items[0].tags[0], afleet_tag("Firs"));
    afleet_free(fleet);
}
END_TEST

/* Two hosts restart every few hours since they leak; a second row grows there by the same curve.
 * The other hosts hold as much of it (_i 0), or little (_i 1). */
START_TEST(follow_row_that_others_hold_as_much_of_goes_along_no_more)
{
    enum { POINTS = 20, HOSTS = 8, AFFECTED = 2 };
    float hours[POINTS];
    uint32_t blocks[2][POINTS];
    struct curve curves[2] = {{POINTS, hours, NULL, blocks[0]}, {POINTS, hours, NULL, blocks[1]}};
    struct feature features[2];
    struct fleet_row row = {SECOND, _i == 0 ? 2e8f : 1e6f};
    struct fleet_host hosts[HOSTS] = {{0}};
    struct fleet fleet = {.hosts = hosts, .count = HOSTS};
    struct pair pairs[AFFECTED] = {{0}};
    uint32_t others[HOSTS];
    struct incident_row rows[INCIDENT_TAGS_MAX] = {{.pool = POOL_PAGED, .tag = FIRST}};
    struct incident incident = {.rows = rows, .row_count = 1, .unaffected = others};
    for (size_t i = 0; i < POINTS; i++) {
        hours[i] = 0.1f * (float)i - 0.1f * (POINTS - 1);
        blocks[0][i] = (uint32_t)(50000 * i);
        blocks[1][i] = (uint32_t)(5000 * i);
    }
    for (size_t k = 0; k < 2; k++)
        features[k] = (struct feature){.tag = k == 0 ? FIRST : SECOND,
                                       .pool = POOL_PAGED,
                                       .shape = SHAPE_GROWING,
                                       .flags = FEATURE_FROM_BOOT,
                                       .bytes = k == 0 ? 1e9f : 1e8f,
                                       .growth = k == 0 ? 1e9f : 1e8f,
                                       .newness = 1,
                                       .rate_24h = 1e8f,
                                       .curve = &curves[k]};
    for (size_t h = 0; h < HOSTS; h++) {
        if (h < AFFECTED) {
            hosts[h].features = features;
            hosts[h].feature_count = 2;
            pairs[h] = (struct pair){
                .host = (uint32_t)h, .feature = &features[0], .pool = POOL_PAGED, .tag = FIRST};
            continue;
        }
        hosts[h].rows[POOL_PAGED] = &row;
        hosts[h].row_count[POOL_PAGED] = 1;
        others[incident.unaffected_count++] = (uint32_t)h;
    }
    follow_growth(&fleet, pairs, AFFECTED, &incident);
    ck_assert_uint_eq(incident.row_count, _i == 0 ? 1 : 2);
}
END_TEST

/* A leak on two hosts that have a wider one as well, of which a row bends alike: it stays with the
 * wider one (_i 0), unless that one does not tell of it by itself (_i 1). */
START_TEST(unite_row_that_another_leak_tells_of_on_these_hosts_is_told_there)
{
    uint32_t hosts[] = {0, 1, 2, 3, 4, 5, 6, 7};
    double belief[8] = {0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9};
    struct incident_row few[3] = {{.tag = FIRST}, {.tag = SECOND, .followed = true}};
    struct incident_row many[3] = {{.tag = 3}, {.tag = SECOND, .followed = _i == 1}};
    struct incident incidents[] = {{.verdict = VERDICT_GROWS,
                                    .rows = few,
                                    .row_count = 2,
                                    .hosts = hosts,
                                    .host_count = 2,
                                    .belief = belief},
                                   {.verdict = VERDICT_GROWS,
                                    .rows = many,
                                    .row_count = 2,
                                    .hosts = hosts,
                                    .host_count = 8,
                                    .belief = belief}};
    struct incident_list list = {.items = incidents, .count = 2};
    unite_incidents(&list);
    ck_assert_uint_eq(list.count, 2);
    ck_assert_uint_eq(incidents[0].row_count, _i == 0 ? 1 : 2);
    ck_assert_uint_eq(incidents[1].row_count, 2);
}
END_TEST

Suite *analyze_groups_suite(void)
{
    Suite *suite = suite_create("analyze_groups");
    TCase *groups = tcase_create("groups");
    tcase_set_timeout(groups, 60);
    tcase_add_loop_test(groups, follow_stairs_moved_in_time_are_in_step_unless_their_pace_differs,
                        0, 2);
    tcase_add_test(groups, mover_of_bursts_without_a_beginning_is_the_one_that_jumps_first);
    tcase_add_test(groups, analyze_level_reached_in_the_first_hour_names_the_row_that_rose_first);
    tcase_add_loop_test(groups, follow_row_that_others_hold_as_much_of_goes_along_no_more, 0, 2);
    tcase_add_loop_test(groups, unite_row_that_another_leak_tells_of_on_these_hosts_is_told_there,
                        0, 2);
    suite_add_tcase(suite, groups);
    return suite;
}
