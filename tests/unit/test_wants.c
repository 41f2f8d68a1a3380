/* SPDX-License-Identifier: Apache-2.0 */
#include "server/state/wants.h"

#include <check.h>

#include <stdio.h>
#include <string.h>

Suite *wants_suite(void);

static struct wants *wants;
static struct want want;

static void setup(void)
{
    wants = wants_new();
    ck_assert_ptr_nonnull(wants);
}

static void teardown(void)
{
    wants_free(wants);
}

static const unsigned char *hash_of(unsigned number)
{
    static unsigned char hash[WANTS_HASH_BYTES];
    memset(hash, 0, sizeof hash);
    memcpy(hash, &number, sizeof number);
    return hash;
}

static size_t take(const char *host, int64_t now_us)
{
    wants_take(wants, host, now_us, &want);
    return want.scan_count;
}

static void offer(const char *host, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++)
        ck_assert_int_eq(wants_offer(wants, host, hash_of(i)), ST_OK);
}

START_TEST(unknown_host_is_asked_nothing)
{
    ck_assert_uint_eq(take("h1", 0), 0);
    offer("h1", 1, 1);
    ck_assert_uint_eq(take("h2", 0), 0);
    ck_assert(!want.processes && want.block_count == 0);
}
END_TEST

START_TEST(one_build_on_two_hosts_is_asked_of_one_until_its_claim_ends)
{
    offer("h1", 1, 1);
    offer("h2", 1, 1);
    ck_assert_uint_eq(take("h1", 0), 1);
    ck_assert_mem_eq(want.scan[0], hash_of(1), WANTS_HASH_BYTES);
    ck_assert_uint_eq(take("h2", WANTS_CLAIM_US - 1), 0);
    ck_assert_uint_eq(take("h1", WANTS_CLAIM_US - 1), 0);
    ck_assert_uint_eq(take("h2", WANTS_CLAIM_US), 1);
}
END_TEST

START_TEST(scanned_build_is_never_asked_for_again)
{
    offer("h1", 1, 2);
    wants_scanned(wants, hash_of(1));
    wants_scanned(wants, hash_of(77)); /* of no matter here */
    ck_assert_uint_eq(take("h1", 0), 1);
    ck_assert_mem_eq(want.scan[0], hash_of(2), WANTS_HASH_BYTES);
    wants_scanned(wants, hash_of(2));
    ck_assert_uint_eq(take("h1", 10 * WANTS_CLAIM_US), 0);
}
END_TEST

START_TEST(many_builds_come_four_at_a_time_as_the_answers_do)
{
    offer("h1", 1, 9);
    ck_assert_uint_eq(take("h1", 0), WANTS_SCAN_MAX);
    ck_assert_uint_eq(take("h1", 1), 0);
    wants_scanned(wants, hash_of(1));
    wants_scanned(wants, hash_of(2));
    ck_assert_uint_eq(take("h1", 2), 2);
    ck_assert_uint_eq(take("h1", WANTS_CLAIM_US), 2); /* the two that were not answered end first */
}
END_TEST

START_TEST(build_that_nobody_can_scan_is_given_up)
{
    unsigned asked = 0;
    offer("h1", 1, 1);
    for (int64_t turn = 0; turn < 50; turn++)
        asked += (unsigned)take("h1", turn * WANTS_CLAIM_US);
    ck_assert_uint_eq(asked, WANTS_TRIES_MAX);
}
END_TEST

static struct wants_table *table_with(const char *host, unsigned build)
{
    struct wants_table *table = wants_table_new();
    ck_assert_ptr_nonnull(table);
    ck_assert_int_eq(wants_table_add_scan(table, "another", hash_of(99)), ST_OK);
    ck_assert_int_eq(wants_table_add_scan(table, host, hash_of(build)), ST_OK);
    return table;
}

START_TEST(new_table_keeps_claims_and_what_was_scanned)
{
    offer("h1", 1, 2);
    ck_assert_uint_eq(take("h1", 0), 2);
    wants_scanned(wants, hash_of(2));
    wants_replace(wants, table_with("h2", 1));
    ck_assert_uint_eq(take("h2", 1), 0);
    wants_replace(wants, table_with("h2", 2)); /* read before it was told */
    ck_assert_uint_eq(take("h2", 1), 1);       /* but by now forgotten: asked twice is harmless */
    wants_replace(wants, table_with("h2", 3));
    ck_assert_uint_eq(take("h1", WANTS_CLAIM_US), 0);
}
END_TEST

START_TEST(finding_is_asked_for_once_a_day_also_over_new_tables)
{
    const uint32_t tags[] = {1, 2}, more[] = {2, 3};
    for (int64_t turn = 0; turn < 3; turn++) {
        struct wants_table *table = wants_table_new();
        ck_assert_int_eq(wants_table_add_finding(table, "h1", "f-1", tags, 2), ST_OK);
        ck_assert_int_eq(wants_table_add_finding(table, "h1", "f-2", more, 2), ST_OK);
        wants_replace(wants, table);
        wants_take(wants, "h1", turn * US_PER_HOUR, &want);
        ck_assert(want.processes == (turn == 0));
        ck_assert_uint_eq(want.block_count, turn == 0 ? 3 : 0);
    }
    wants_take(wants, "h1", WANTS_ASK_AGAIN_US, &want);
    ck_assert_uint_eq(want.block_count, 3);
}
END_TEST

START_TEST(lists_of_a_host_are_bounded)
{
    struct wants_table *table = wants_table_new();
    uint32_t tags[100];
    char id[16];
    for (uint32_t i = 0; i < 100; i++)
        tags[i] = i + 1;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "f-%u", i);
        ck_assert_int_eq(wants_table_add_finding(table, "h1", id, tags, 100), ST_OK);
    }
    wants_replace(wants, table);
    wants_take(wants, "h1", 0, &want);
    ck_assert_uint_eq(want.block_count, WANTS_BLOCK_TAGS);
    unsigned asked = 0;
    offer("h2", 1, 1000);
    for (int64_t turn = 0; turn < 100; turn++)
        asked += (unsigned)take("h2", turn * WANTS_CLAIM_US);
    ck_assert_uint_le(asked, WANTS_HOST_BUILDS * WANTS_TRIES_MAX);
    ck_assert_uint_gt(asked, WANTS_HOST_BUILDS);
}
END_TEST

START_TEST(thousands_of_hosts_and_builds_are_found_again)
{
    char id[24];
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(id, sizeof id, "host-%u", i);
        offer(id, i, 1);
    }
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(id, sizeof id, "host-%u", i);
        ck_assert_uint_eq(take(id, 0), 1);
        ck_assert_mem_eq(want.scan[0], hash_of(i), WANTS_HASH_BYTES);
    }
}
END_TEST

Suite *wants_suite(void)
{
    Suite *suite = suite_create("wants");
    TCase *tc = tcase_create("wants");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, unknown_host_is_asked_nothing);
    tcase_add_test(tc, one_build_on_two_hosts_is_asked_of_one_until_its_claim_ends);
    tcase_add_test(tc, scanned_build_is_never_asked_for_again);
    tcase_add_test(tc, many_builds_come_four_at_a_time_as_the_answers_do);
    tcase_add_test(tc, build_that_nobody_can_scan_is_given_up);
    tcase_add_test(tc, new_table_keeps_claims_and_what_was_scanned);
    tcase_add_test(tc, finding_is_asked_for_once_a_day_also_over_new_tables);
    tcase_add_test(tc, lists_of_a_host_are_bounded);
    tcase_add_test(tc, thousands_of_hosts_and_builds_are_found_again);
    suite_add_tcase(suite, tc);
    return suite;
}
