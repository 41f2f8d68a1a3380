/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/db.h"
#include "tests/support/pg.h"

#include <check.h>

#include <math.h>

Suite *db_suite(void);

static struct pg pg;
static struct db *db;

static void setup(void)
{
    struct err err = {0};
    pg_setup_empty(&pg);
    ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, &err), ST_OK);
}

static void teardown(void)
{
    db_release(db);
    db = NULL;
    pg_teardown(&pg);
}

START_TEST(db_every_type_comes_back_as_it_went)
{
    static const struct stmt stmt =
        STMT("all", "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15",
             "idfbtxzjuITXZFB", "idfbtxzjuITXZFB");
    const char *texts[] = {"a", NULL, "\xc3\xa4"};
    const void *blobs[] = {"\0\1", NULL};
    struct db_params p = {0};
    db_p_i64(&p, INT64_MIN + 1);
    db_p_i32(&p, -7);
    db_p_f64(&p, 1.5);
    db_p_bool(&p, true);
    db_p_text(&p, "it's");
    db_p_bytes(&p, "\0x\xff", 3);
    db_p_time(&p, 1234567);
    db_p_json(&p, "{\"a\": 1}");
    db_p_text(&p, "6F1C0000-1111-2222-3333-444455556666");
    db_p_i64_array(&p, (int64_t[]){1, INT64_MIN, -3}, 3);
    db_p_text_array(&p, texts, 3);
    db_p_bytes_array(&p, blobs, (size_t[]){2, 0}, 2);
    db_p_time_array(&p, (int64_t[]){5}, 1);
    db_p_f64_array(&p, (double[]){2.5, NAN}, 2);
    db_p_bool_array(&p, (bool[]){true, false}, 2);
    AUTO_DBRESULT struct db_result *r = NULL;
    struct err err = {0};
    enum status status = db_exec(db, &stmt, &p, &r, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
    size_t length;
    ck_assert_int_eq(db_i64(r, 0, 0), INT64_MIN + 1);
    ck_assert_int_eq(db_i64(r, 0, 1), -7);
    ck_assert_double_eq(db_f64(r, 0, 2), 1.5);
    ck_assert(db_bool(r, 0, 3));
    ck_assert_str_eq(db_text(r, 0, 4), "it's");
    ck_assert_mem_eq(db_bytes(r, 0, 5, &length), "\0x\xff", 3);
    ck_assert_uint_eq(length, 3);
    ck_assert_int_eq(db_time(r, 0, 6), 1234567);
    ck_assert_str_eq(db_text(r, 0, 7), "{\"a\": 1}");
    ck_assert_str_eq(db_text(r, 0, 8), "6f1c0000-1111-2222-3333-444455556666");
    ck_assert_uint_eq(db_array_count(r, 0, 9), 3);
    ck_assert_int_eq(db_array_i64(r, 0, 9, 2), -3);
    ck_assert_ptr_null(db_array_text(r, 0, 10, 1, &length));
    ck_assert_mem_eq(db_array_text(r, 0, 10, 2, &length), "\xc3\xa4", 2);
    ck_assert_mem_eq(db_array_text(r, 0, 11, 0, &length), "\0\1", 2);
    ck_assert_int_eq(db_array_i64(r, 0, 12, 0), 5);
    ck_assert_uint_eq(db_array_count(r, 0, 13), 2);
}
END_TEST

START_TEST(db_nulls_are_null)
{
    static const struct stmt stmt =
        STMT("nulls", "SELECT $1, $2, $3, $4, $5, $6, $7", "ifbtxzj", "ifbtxzj");
    struct db_params p = {0};
    db_p_null(&p, 'i');
    db_p_f64(&p, NAN);
    db_p_null(&p, 'b');
    db_p_text(&p, NULL);
    db_p_bytes(&p, NULL, 0);
    db_p_time(&p, TIME_UNKNOWN);
    db_p_json(&p, NULL);
    AUTO_DBRESULT struct db_result *r = NULL;
    ck_assert_int_eq(db_exec(db, &stmt, &p, &r, NULL), ST_OK);
    for (size_t i = 0; i < 7; i++)
        ck_assert(db_null(r, 0, i));
    ck_assert_int_eq(db_time(r, 0, 5), TIME_UNKNOWN);
}
END_TEST

START_TEST(db_errors_have_their_status)
{
    static const struct stmt divide = STMT("divide", "SELECT 1 / $1", "d", "d");
    static const struct stmt slow = STMT("slow", "SELECT pg_sleep(30)::text", "", "t");
    static const struct stmt twice = STMT("twice", "INSERT INTO one VALUES (1), (1)", "", "");
    struct db_params p = {0};
    struct err err = {0};
    db_p_i32(&p, 0);
    ck_assert_int_eq(db_exec(db, &divide, &p, NULL, &err), ST_DB);
    ck_assert_str_eq(err.sqlstate, "22012");
    ck_assert_int_eq(db_exec(db, &divide, NULL, NULL, &err), ST_BUG);
    ck_assert_int_eq(db_script(db, "CREATE TABLE one (x int PRIMARY KEY)", &err), ST_OK);
    ck_assert_int_eq(db_exec(db, &twice, NULL, NULL, &err), ST_CONFLICT);
    ck_assert_int_eq(db_script(db, "SET statement_timeout = '20ms'", &err), ST_OK);
    ck_assert_int_eq(db_exec(db, &slow, NULL, NULL, &err), ST_TIMEOUT);
}
END_TEST

static enum status retry_twice(struct db *lease, void *arg, struct err *err)
{
    static const struct stmt raise = STMT("raise", "SELECT set_config('x.y', '1', true)", "", "t");
    int *calls = arg;
    if (++*calls < 3)
        return db_script(
            lease, "DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$", err);
    return db_exec(lease, &raise, NULL, NULL, err);
}

static enum status retry_ever(struct db *lease, void *arg, struct err *err)
{
    ++*(int *)arg;
    return db_script(lease, "DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40P01'; END $$",
                     err);
}

START_TEST(db_tx_retries_serialization_failures_at_most_five_times)
{
    int calls = 0;
    struct err err = {0};
    ck_assert_int_eq(db_tx(db, "try", retry_twice, &calls, &err), ST_OK);
    ck_assert_int_eq(calls, 3);
    calls = 0;
    ck_assert_int_eq(db_tx(db, "try", retry_ever, &calls, &err), ST_DB);
    ck_assert_int_eq(calls, 5);
}
END_TEST

static enum status insert_then_fail(struct db *lease, void *arg, struct err *err)
{
    (void)arg;
    enum status status = db_script(lease, "INSERT INTO one VALUES (1)", err);
    return status == ST_OK ? err_set(err, ST_INVALID, "no") : status;
}

START_TEST(db_tx_failure_is_undone)
{
    ck_assert_int_eq(db_script(db, "CREATE TABLE one (x int PRIMARY KEY)", NULL), ST_OK);
    ck_assert_int_eq(db_tx(db, "try", insert_then_fail, NULL, NULL), ST_INVALID);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM one"), 0);
}
END_TEST

START_TEST(db_lost_connection_is_replaced_at_next_lease)
{
    static const struct stmt one = STMT("one", "SELECT 1", "", "d");
    struct err err = {0};
    ck_assert_int_eq(db_exec(db, &one, NULL, NULL, &err), ST_OK);
    pg_kill_backends(&pg);
    ck_assert_int_eq(db_exec(db, &one, NULL, NULL, &err), ST_DB);
    ck_assert(db_broken(db));
    ck_assert_int_eq(db_exec(db, &one, NULL, NULL, &err), ST_DB);
    db_release(db);
    ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, &err), ST_OK);
    ck_assert_int_eq(db_exec(db, &one, NULL, NULL, &err), ST_OK);
}
END_TEST

START_TEST(db_lease_is_bounded_and_waits_no_longer_than_told)
{
    struct db_options options = {.url = pg.url, .connections = 2};
    struct db_pool *pool = NULL;
    struct db *a = NULL, *b = NULL, *c = NULL;
    struct err err = {0};
    ck_assert_int_eq(db_pool_new(&options, &pool, &err), ST_OK);
    ck_assert_int_eq(db_lease(pool, 0, &a, &err), ST_OK);
    ck_assert_int_eq(db_lease(pool, 0, &b, &err), ST_OK);
    ck_assert_int_eq(db_lease(pool, 20 * US_PER_MS, &c, &err), ST_BUSY);
    db_release(a);
    ck_assert_int_eq(db_lease(pool, 0, &c, &err), ST_OK);
    db_release(b);
    db_release(c);
    db_pool_free(pool);
}
END_TEST

START_TEST(db_server_away_is_told)
{
    struct db_options options = {.url = "postgresql:///x?host=/nonexistent/folder",
                                 .connections = 1};
    struct db_pool *pool = NULL;
    struct db *lease = NULL;
    struct err err = {0};
    ck_assert_int_eq(db_pool_new(&options, &pool, &err), ST_OK);
    ck_assert_int_eq(db_lease(pool, 0, &lease, &err), ST_DB);
    ck_assert_msg(strncmp(err.message, "could not connect to the database: ", 35) == 0, "%s",
                  err.message);
    db_pool_free(pool);
}
END_TEST

Suite *db_suite(void)
{
    Suite *suite = suite_create("db");
    TCase *tc = tcase_create("db");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, db_every_type_comes_back_as_it_went);
    tcase_add_test(tc, db_nulls_are_null);
    tcase_add_test(tc, db_errors_have_their_status);
    tcase_add_test(tc, db_tx_retries_serialization_failures_at_most_five_times);
    tcase_add_test(tc, db_tx_failure_is_undone);
    tcase_add_test(tc, db_lost_connection_is_replaced_at_next_lease);
    tcase_add_test(tc, db_lease_is_bounded_and_waits_no_longer_than_told);
    tcase_add_test(tc, db_server_away_is_told);
    suite_add_tcase(suite, tc);
    return suite;
}
