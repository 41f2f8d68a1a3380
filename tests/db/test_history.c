/* SPDX-License-Identifier: Apache-2.0 */
/* The long history, and who may read it. */
#include "server/ingest/ingest.h"
#include "server/jobs/history.h"
#include "server/store/partition.h"
#include "tests/support/fleetgen.h"
#include "tests/support/pg.h"

#include <check.h>

#include <string.h>

Suite *history_suite(void);

#define DAY0    (1700006400ll * US_PER_SECOND) /* midnight UTC */
#define ROWS    100
#define GROWING 20

static struct pg pg;
static struct fleet *fleet;
static struct ingest *ingest;
static atomic_bool never;

static void setup(void)
{
    struct ingest_options options = {.queue_bytes = 64u << 20, .keyframe_us = 6 * US_PER_HOUR};
    pg_setup(&pg);
    fleet = fleet_new();
    ck_assert_int_eq(ingest_start(pg.pool, fleet, &options, &ingest, NULL), ST_OK);
}

static void teardown(void)
{
    ingest_stop(ingest);
    fleet_free(fleet);
    pg_teardown(&pg);
}

/* Tag n (its text begins with the lower digit: 5 is "50AA") holds n thousand bytes, and one more in
 * every other half hour; n below GROWING hold little and grow, the higher the more. */
static int64_t bytes_of(int n, int half)
{
    return n < GROWING ? 1 + half * (10 + n) : n * 1000 + (half % 2);
}

static void send(const char *host, int half)
{
    struct snapshot *s =
        gen_snapshot(host, DAY0 - US_PER_HOUR, DAY0 + half * 30 * US_PER_MINUTE, half, -1);
    struct outcome outcome = {0};
    struct snapshot_table *table = &s->table[POOL_PAGED];
    ck_assert_int_eq(snapshot_table_alloc(&s->arena, table, ROWS, COLUMN_BYTES), ST_OK);
    for (int n = 0; n < ROWS; n++) {
        table->tag[n] = 0x41410000u + (uint32_t)(n / 10 + '0') * 256 + (uint32_t)(n % 10 + '0');
        table->bytes[n] = (uint64_t)bytes_of(n, half);
    }
    totals_set(&s->totals, TOTAL_HANDLES, (uint64_t)half);
    ck_assert_int_eq(gen_send(ingest, &s, 1, NULL, &outcome), ST_OK);
    ck_assert_msg(outcome.outcome == INGEST_ACCEPTED, "%s", outcome.err.message);
}

static void pass_keeping(int64_t now_us, int64_t whole_us)
{
    struct history_options options = {
        .now_us = now_us, .oldest_us = DAY0 - 10 * US_PER_DAY, .whole_us = whole_us};
    struct db *db = NULL;
    struct err err = {0};
    ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, &err), ST_OK);
    enum status status = history_pass(db, &options, &never, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
    db_release(db);
}

static void pass(int64_t now_us)
{
    pass_keeping(now_us, DAY0 - 10 * US_PER_DAY);
}

START_TEST(history_day_is_written_when_it_is_over)
{
    for (int half = 0; half < 50; half++) { /* a day and an hour */
        if (half != 10 && half != 11)       /* hour 5 has none */
            send("h1", half);
    }
    pass(DAY0 + US_PER_DAY + HISTORY_SETTLE_US - 1);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM host_hour"), 0);
    pass(DAY0 + US_PER_DAY + HISTORY_SETTLE_US);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM host_hour"), 23);
    ck_assert_int_eq(pg_number(&pg, "SELECT sum(handles)::bigint FROM host_hour"),
                     47 * 24 / 2 + 12 - 11); /* 1 + 3 + ... + 47 without 11 */
    ck_assert_int_eq(pg_number(&pg, "SELECT sum(snapshots)::bigint FROM host_hour"), 46);
    /* The largest, and of those that grow the ones that grew most: 4 to 19. */
    ck_assert_int_eq(pg_number(&pg, "SELECT sum(cardinality(tags))::bigint FROM host_pool_day"),
                     HISTORY_LARGEST + HISTORY_GROWN);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(DISTINCT tag) FROM v_host_tag_hour WHERE tag LIKE"
                                    " '_0AA'"),
                     6);
    ck_assert_int_eq(pg_number(&pg, "SELECT bytes FROM v_host_tag_hour WHERE id = 'h1' AND tag ="
                                    " '99AA' AND hour_at = '2023-11-15 07:00Z'"),
                     99001);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM v_host_tag_hour WHERE tag = '99AA'"), 23);
    pass(DAY0 + US_PER_DAY + HISTORY_SETTLE_US);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM host_hour"), 23);
}
END_TEST

START_TEST(history_late_document_has_the_day_written_again)
{
    for (int half = 0; half < 48; half += 2)
        send("h1", half);
    send("h2", 0);
    pass(DAY0 + 3 * US_PER_DAY);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM host_hour"), 25);
    ck_assert_int_eq(pg_number(&pg, "SELECT handles FROM host_hour JOIN host USING (host_id) WHERE"
                                    " id = 'h1' AND hour_at = '2023-11-15 03:00Z'"),
                     6);
    send("h1", 7);
    send("h2", 3);
    pass(DAY0 + 3 * US_PER_DAY);
    ck_assert_int_eq(pg_number(&pg, "SELECT handles FROM host_hour JOIN host USING (host_id) WHERE"
                                    " id = 'h1' AND hour_at = '2023-11-15 03:00Z'"),
                     7);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM host_hour"), 26);
    ck_assert_int_eq(pg_number(&pg, "SELECT bytes FROM v_host_tag_hour WHERE id = 'h2' AND tag ="
                                    " '06AA' AND hour_at = '2023-11-15 01:00Z'"),
                     60001);
}
END_TEST

START_TEST(history_goes_on_after_the_snapshots_are_gone)
{
    size_t dropped = 0;
    struct db *db = NULL;
    for (int half = 0; half < 48; half++)
        send("h1", half);
    pass(DAY0 + 2 * US_PER_DAY);
    ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, NULL), ST_OK);
    ck_assert_int_eq(partition_drop(db, PARTITION_SNAPSHOT, DAY0 + US_PER_DAY, &dropped, NULL),
                     ST_OK);
    ck_assert_uint_eq(dropped, 1);
    db_release(db);
    send("h1", 30); /* so late that its day is gone, which must not take the history with it */
    pass_keeping(DAY0 + 3 * US_PER_DAY, DAY0 + US_PER_DAY);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM snapshot"), 1);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM v_host_totals_hour"), 24);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM v_host_tag_hour WHERE tag = '99AA'"), 24);
}
END_TEST

/* ---- what is chosen -------------------------------------------------------- */

START_TEST(history_choice_is_the_largest_and_the_most_growing_of_each_pool)
{
    struct history_day day = {0};
    for (size_t hour = 3; hour < 20; hour += 4) {
        struct arena arena = {0};
        struct snapshot_table table[POOL_COUNT];
        for (int pool = 0; pool < POOL_COUNT; pool++) {
            ck_assert_int_eq(snapshot_table_alloc(&arena, &table[pool], 200, COLUMN_BYTES), ST_OK);
            for (uint32_t i = 0; i < 200; i++) {
                table[pool].tag[i] = 1 + i * 3 + (uint32_t)(hour == 19 && i == 199);
                table[pool].bytes[i] = i == 0 ? hour : 1000 + i;
            }
        }
        ck_assert_int_eq(history_day_add(&day, hour, table), ST_OK);
        arena_done(&arena);
    }
    ck_assert_uint_eq(day.count, 2 * 201);
    history_day_choose(&day);
    ck_assert_uint_eq(day.count, 2 * (HISTORY_LARGEST + 1)); /* one grows, the rest stands still */
    ck_assert_int_eq(day.rows[0].pool, POOL_NONPAGED);
    ck_assert_int_eq(day.rows[0].bytes[3], 1199);
    ck_assert_int_eq(day.rows[0].bytes[4], -1);
    ck_assert_int_eq(day.rows[HISTORY_LARGEST].tag, 1);
    ck_assert_int_eq(day.rows[HISTORY_LARGEST].bytes[19], 19);
    ck_assert_int_eq(day.rows[HISTORY_LARGEST + 1].pool, POOL_PAGED);
    history_day_done(&day);
}
END_TEST

/* ---- a reader -------------------------------------------------------------- */

static bool may(const char *sql)
{
    AUTO_STRBUF struct strbuf script = STRBUF_INIT;
    struct db *db = NULL;
    ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, NULL), ST_OK);
    strbuf_printf(&script, "BEGIN; SET LOCAL ROLE poolfleet_reader; %s; ROLLBACK", sql);
    struct err err = {0};
    enum status status = db_script(db, script.data, &err);
    if (status != ST_OK) {
        ck_assert_msg(strcmp(err.sqlstate, "42501") == 0, "%s: %s", sql, err.message);
        ck_assert_int_eq(db_script(db, "ROLLBACK", NULL), ST_OK);
    }
    db_release(db);
    return status == ST_OK;
}

START_TEST(history_reader_role_sees_the_views_and_nothing_else)
{
    static const char *const views[] = {
        "host",           "host_totals", "host_totals_hour", "host_tag_hour", "host_driver_history",
        "driver_version", "tag_hour",    "tag_hour_bucket",  "finding",       "finding_host"};
    pg_sql(&pg, "DO $$ BEGIN CREATE ROLE poolfleet_reader NOLOGIN;"
                " EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
                " SELECT poolfleet_grant_reader()");
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
        AUTO_STRBUF struct strbuf sql = STRBUF_INIT;
        strbuf_printf(&sql, "SELECT * FROM poolfleet.%s; SELECT * FROM v_%s", views[i], views[i]);
        ck_assert_msg(may(sql.data), "%s", views[i]);
    }
    ck_assert(!may("SELECT * FROM token"));
    ck_assert(!may("SELECT * FROM host"));
    ck_assert(!may("SELECT * FROM snapshot_chunk"));
    ck_assert(!may("DELETE FROM poolfleet.finding"));
    ck_assert(!may("CREATE TABLE poolfleet.x (y integer)"));
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid ="
                                    " relnamespace WHERE nspname = 'poolfleet' AND"
                                    " obj_description(c.oid, 'pg_class') IS NULL"),
                     0);
}
END_TEST

START_TEST(history_buckets_add_up_to_the_hosts)
{
    pg_sql(&pg, "SELECT partition_ensure('tag_hour', ARRAY['2023-11-15Z'::timestamptz]);"
                " INSERT INTO tag_hour VALUES ('2023-11-15Z', 'paged', 'ABCD', 6, 1, 1, 1, 1, 1, 1,"
                " NULL, '[0:3]={1,2,0,3}')");
    static const char *const forms[] = {
        "", "UPDATE tag_hour SET buckets = '{1,2,0,3}', size_hosts = NULL"}; /* before 0014 */
    for (size_t i = 0; i < 2; i++) {
        if (i > 0)
            pg_sql(&pg, forms[i]);
        ck_assert_int_eq(pg_number(&pg, "SELECT sum(hosts)::bigint FROM v_tag_hour_bucket"), 6);
        ck_assert_int_eq(pg_number(&pg, "SELECT from_bytes FROM v_tag_hour_bucket WHERE hosts = 3"),
                         4);
        ck_assert_int_eq(pg_number(&pg, "SELECT from_bytes FROM v_tag_hour_bucket WHERE hosts = 1"),
                         0);
    }
}
END_TEST

Suite *history_suite(void)
{
    Suite *suite = suite_create("history");
    TCase *tc = tcase_create("history");
    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, history_day_is_written_when_it_is_over);
    tcase_add_test(tc, history_late_document_has_the_day_written_again);
    tcase_add_test(tc, history_goes_on_after_the_snapshots_are_gone);
    tcase_add_test(tc, history_choice_is_the_largest_and_the_most_growing_of_each_pool);
    tcase_add_test(tc, history_reader_role_sees_the_views_and_nothing_else);
    tcase_add_test(tc, history_buckets_add_up_to_the_hosts);
    suite_add_tcase(suite, tc);
    return suite;
}
