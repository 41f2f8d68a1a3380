/* SPDX-License-Identifier: Apache-2.0 */
/* How many snapshots were taken of late: counted for each reader while they are few, else told as
 * they were last counted. */
#include "server/state/recent.h"
#include "server/store/partition.h"
#include "tests/support/pg.h"

#include "common/clock.h"

#include <check.h>

Suite *recent_suite(void);

static struct pg pg;
static struct recent *recent;

static void setup(void)
{
    AUTO_DBLEASE struct db *db = NULL;
    int64_t days[] = {clock_wall_us() - US_PER_DAY, clock_wall_us(), clock_wall_us() + US_PER_DAY};

    pg_setup(&pg);
    recent = recent_new();
    ck_assert_ptr_nonnull(recent);
    ck_assert_int_eq(db_lease(pg.pool, US_PER_MINUTE, &db, NULL), ST_OK);
    ck_assert_int_eq(partition_ensure(db, PARTITION_SNAPSHOT, days, 3, NULL), ST_OK);
    pg_sql(&pg, "INSERT INTO host (host_id, id, first_seen_at, last_seen_at, received_at) "
                "OVERRIDING SYSTEM VALUE VALUES"
                " (1, '00000000-0000-4000-8000-000000000001', now(), now(), now())");
}

static void teardown(void)
{
    recent_free(recent);
    pg_teardown(&pg);
}

/* Snapshots from..to, 0.8 seconds apart, the first taken two minutes ago. */
static void take(int from, int to)
{
    char sql[512];
    snprintf(
        sql, sizeof sql,
        "INSERT INTO snapshot (host_id, taken_at, boot_at, sequence, keyframe, keyframe_at,"
        " chain, received_at, row_count) SELECT 1, at, NULL, i, true, at, 0, at, 0 FROM (SELECT"
        " i, now() - '2 min'::interval - i * '0.8 s'::interval AS at FROM"
        " generate_series(%d, %d) i) taken",
        from, to);
    pg_sql(&pg, sql);
}

static struct store_recent get(void)
{
    AUTO_DBLEASE struct db *db = NULL;
    struct store_recent told = {-1, -1};
    ck_assert_int_eq(db_lease(pg.pool, US_PER_MINUTE, &db, NULL), ST_OK);
    ck_assert_int_eq(recent_get(recent, db, &told, NULL), ST_OK);
    return told;
}

static void refresh(void)
{
    AUTO_DBLEASE struct db *db = NULL;
    ck_assert_int_eq(db_lease(pg.pool, US_PER_MINUTE, &db, NULL), ST_OK);
    ck_assert_int_eq(recent_refresh(recent, db, NULL), ST_OK);
}

START_TEST(recent_few_are_counted_for_each_reader)
{
    ck_assert_int_eq(get().day, 0);
    take(1, 10);
    ck_assert_int_eq(get().hour, 10);
    ck_assert_int_eq(get().day, 10);
    take(10000, 10000); /* more than two hours ago */
    refresh();
    ck_assert_int_eq(get().hour, 10);
    ck_assert_int_eq(get().day, 11);
}
END_TEST

START_TEST(recent_many_are_told_until_they_are_counted_again)
{
    take(1, RECENT_SMALL);
    ck_assert_int_eq(get().day, RECENT_SMALL);
    take(RECENT_SMALL + 1, RECENT_SMALL + 1);
    ck_assert_int_eq(get().day, RECENT_SMALL);
    refresh();
    ck_assert_int_eq(get().day, RECENT_SMALL + 1);
}
END_TEST

START_TEST(recent_many_are_told_for_ten_minutes_at_most)
{
    int64_t now = clock_wall_us();
    clock_fake_set(now);
    take(1, RECENT_SMALL);
    ck_assert_int_eq(get().day, RECENT_SMALL);
    take(RECENT_SMALL + 1, RECENT_SMALL + 1);
    clock_fake_set(now + RECENT_AGE_MAX_US);
    ck_assert_int_eq(get().day, RECENT_SMALL);
    clock_fake_set(now + RECENT_AGE_MAX_US + 1);
    ck_assert_int_eq(get().day, RECENT_SMALL + 1);
    clock_fake_set(TIME_UNKNOWN);
}
END_TEST

Suite *recent_suite(void)
{
    Suite *suite = suite_create("recent");
    TCase *tc = tcase_create("recent");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, recent_few_are_counted_for_each_reader);
    tcase_add_test(tc, recent_many_are_told_until_they_are_counted_again);
    tcase_add_test(tc, recent_many_are_told_for_ten_minutes_at_most);
    suite_add_tcase(suite, tc);
    return suite;
}
