/* SPDX-License-Identifier: Apache-2.0 */
#include "server/jobs/rollup.h"

#include <check.h>
#include <stdlib.h>

Suite *rollup_suite(void);

static void add(struct rollup_hour *hour, enum pool pool, uint32_t tag, uint64_t bytes,
                bool counted)
{
    uint32_t tags[] = {tag}, allocs[] = {2}, frees[] = {UINT32_MAX};
    uint64_t values[] = {bytes};
    struct snapshot_table tables[POOL_COUNT] = {0};

    tables[pool] = (struct snapshot_table){.present = true,
                                           .count = 1,
                                           .tag = tags,
                                           .allocs = counted ? allocs : NULL,
                                           .frees = counted ? frees : NULL,
                                           .bytes = values};
    ck_assert_int_eq(rollup_hour_add(hour, tables), ST_OK);
}

START_TEST(rollup_hour_figures_over_the_hosts)
{
    struct rollup_hour *hour = rollup_hour_new();
    AUTO_FREE struct rollup_row *rows = NULL;
    size_t count = 0;

    for (uint64_t i = 100; i >= 1; i--)
        add(hour, POOL_PAGED, 7, i * 10, false);
    add(hour, POOL_NONPAGED, 9, 0, true);
    add(hour, POOL_NONPAGED, 9, 1, true);
    add(hour, POOL_NONPAGED, 9, 4096, false);
    ck_assert_int_eq(rollup_hour_rows(hour, &rows, &count, NULL), ST_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(rows[0].pool, POOL_NONPAGED);
    ck_assert_int_eq(rows[0].hosts, 3);
    ck_assert_int_eq(rows[0].sum_bytes, 4097);
    ck_assert_int_eq(rows[0].p50_bytes, 1);
    ck_assert_int_eq(rows[0].max_bytes, 4096);
    ck_assert_int_eq(rows[0].outstanding, 6); /* 2 - (2^32 - 1), twice; the third does not say */
    ck_assert_uint_eq(rows[0].buckets[0], 1);
    ck_assert_uint_eq(rows[0].buckets[1], 1);
    ck_assert_uint_eq(rows[0].buckets[13], 1);
    ck_assert_int_eq(rows[1].pool, POOL_PAGED);
    ck_assert_int_eq(rows[1].p50_bytes, 500);
    ck_assert_int_eq(rows[1].p90_bytes, 900);
    ck_assert_int_eq(rows[1].p99_bytes, 990);
    ck_assert_int_eq(rows[1].max_bytes, 1000);
    ck_assert(rows[1].outstanding == INT64_MIN);
    rollup_hour_free(hour);
}
END_TEST

START_TEST(rollup_hour_many_tags_are_sorted)
{
    struct rollup_hour *hour = rollup_hour_new();
    AUTO_FREE struct rollup_row *rows = NULL;
    size_t count = 0;

    for (uint32_t i = 0; i < 20000; i++)
        add(hour, POOL_PAGED, (i * 7919) % 20000, i, false);
    ck_assert_int_eq(rollup_hour_rows(hour, &rows, &count, NULL), ST_OK);
    ck_assert_uint_eq(count, 20000);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_uint_eq(rows[i].tag, i);
    rollup_hour_free(hour);
}
END_TEST

START_TEST(rollup_hour_extreme_values_do_not_overflow)
{
    struct rollup_hour *hour = rollup_hour_new();
    AUTO_FREE struct rollup_row *rows = NULL;
    size_t count = 0;

    add(hour, POOL_PAGED, 1, UINT64_MAX, false);
    ck_assert_int_eq(rollup_hour_rows(hour, &rows, &count, NULL), ST_OK);
    ck_assert_int_eq(rows[0].max_bytes, INT64_MAX);
    ck_assert_uint_eq(rows[0].buckets[64], 1);
    rollup_hour_free(hour);
}
END_TEST

Suite *rollup_suite(void)
{
    Suite *suite = suite_create("rollup");
    TCase *tc = tcase_create("rollup");

    tcase_add_test(tc, rollup_hour_figures_over_the_hosts);
    tcase_add_test(tc, rollup_hour_many_tags_are_sorted);
    tcase_add_test(tc, rollup_hour_extreme_values_do_not_overflow);
    suite_add_tcase(suite, tc);
    return suite;
}
