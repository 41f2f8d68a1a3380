/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/migrate.h"
#include "tests/support/pg.h"

#include <check.h>

#include <pthread.h>
#include <string.h>

Suite *migrate_suite(void);

static struct pg pg;

static void setup(void)
{
    pg_setup_empty(&pg);
}

static void teardown(void)
{
    pg_teardown(&pg);
}

static void check(enum status expected)
{
    struct db *db = NULL;
    struct err err = {0};
    ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, &err), ST_OK);
    enum status status = migrate_check(db, &err);
    db_release(db);
    ck_assert_msg(status == expected, "%d: %s", status, err.message);
    if (expected != ST_OK)
        ck_assert_msg(strlen(err.hint) > 0, "no hint");
}

START_TEST(migrate_empty_brings_everything_twice_is_nothing)
{
    AUTO_STRBUF struct strbuf report = STRBUF_INIT;
    struct err err = {0};
    check(ST_CONFLICT);
    enum status status = migrate_run(pg.url, &report, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
    ck_assert_msg(strstr(report.data, "applied 0001_base") != NULL, "%s", report.data);
    check(ST_OK);
    strbuf_clear(&report);
    ck_assert_int_eq(migrate_run(pg.url, &report, &err), ST_OK);
    ck_assert_str_eq(report.data, "the schema is up to date\n");
}
END_TEST

static void *run(void *arg)
{
    AUTO_STRBUF struct strbuf report = STRBUF_INIT;
    struct err err = {0};
    *(enum status *)arg = migrate_run(pg.url, &report, &err);
    return NULL;
}

START_TEST(migrate_two_at_once_both_succeed)
{
    pthread_t threads[3];
    enum status results[3];
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run, &results[i]), 0);
    for (size_t i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(results[i], ST_OK);
    }
    check(ST_OK);
    size_t files = 0;
    while (embedded_sql[files].path != NULL)
        files++;
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM schema_migration"), (int64_t)files);
}
END_TEST

#define FILE_ROW(path, text)                                                                       \
    {                                                                                              \
        path, (const unsigned char *)(text), (const unsigned char *)(text) + sizeof(text) - 1      \
    }

static const struct embedded_file none[] = {{NULL, NULL, NULL}};

static void run_files(const struct embedded_file *files, const struct embedded_file *repeatable,
                      enum status expected, const char *message)
{
    AUTO_STRBUF struct strbuf report = STRBUF_INIT;
    struct err err = {0};
    enum status status = migrate_run_files(pg.url, files, repeatable, &report, &err);
    ck_assert_msg(status == expected, "%d: %s", status, err.message);
    if (message != NULL)
        ck_assert_msg(strstr(err.message, message) != NULL, "%s", err.message);
}

START_TEST(migrate_edited_or_newer_is_refused)
{
    const struct embedded_file first[] = {FILE_ROW("0001_a.sql", "CREATE TABLE a (x int);"),
                                          {NULL, NULL, NULL}};
    const struct embedded_file edited[] = {FILE_ROW("0001_a.sql", "CREATE TABLE a (y int);"),
                                           {NULL, NULL, NULL}};
    const struct embedded_file more[] = {FILE_ROW("0001_a.sql", "CREATE TABLE a (x int);"),
                                         FILE_ROW("0002_b.sql", "CREATE TABLE b (x int);"),
                                         {NULL, NULL, NULL}};
    run_files(first, none, ST_OK, NULL);
    run_files(edited, none, ST_CONFLICT, "another content");
    run_files(more, none, ST_OK, NULL);
    run_files(first, none, ST_CONFLICT, "newer than this program");
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM schema_migration"), 2);
}
END_TEST

START_TEST(migrate_failing_file_leaves_nothing_of_it)
{
    const struct embedded_file bad[] = {
        FILE_ROW("0001_a.sql", "CREATE TABLE a (x int);"),
        FILE_ROW("0002_b.sql", "CREATE TABLE b (x int); SELECT 1/0;"),
        {NULL, NULL, NULL}};
    run_files(bad, none, ST_DB, "division by zero");
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM schema_migration"), 1);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM pg_class WHERE relname = 'b'"), 0);
}
END_TEST

START_TEST(migrate_repeatable_changed_is_applied_again)
{
    const struct embedded_file one[] = {
        FILE_ROW("v.sql", "CREATE OR REPLACE VIEW v AS SELECT 1::bigint AS x;"),
        {NULL, NULL, NULL}};
    const struct embedded_file two[] = {
        FILE_ROW("v.sql", "CREATE OR REPLACE VIEW v AS SELECT 2::bigint AS x;"),
        {NULL, NULL, NULL}};
    run_files(none, one, ST_OK, NULL);
    run_files(none, two, ST_OK, NULL);
    ck_assert_int_eq(pg_number(&pg, "SELECT x FROM v"), 2);
}
END_TEST

START_TEST(migrate_schema_everything_has_a_comment)
{
    AUTO_STRBUF struct strbuf report = STRBUF_INIT;
    ck_assert_int_eq(migrate_run(pg.url, &report, NULL), ST_OK);
    ck_assert_int_eq(pg_number(&pg,
                               "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = "
                               "relnamespace WHERE nspname = 'public' AND relkind IN "
                               "('r', 'p', 'v') AND obj_description(c.oid, 'pg_class') IS NULL"),
                     0);
    ck_assert_int_eq(
        pg_number(&pg,
                  "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
                  "JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0 AND NOT "
                  "attisdropped WHERE nspname = 'public' AND relkind IN ('r', 'p') AND "
                  "col_description(c.oid, attnum) IS NULL"),
        0);
}
END_TEST

Suite *migrate_suite(void)
{
    Suite *suite = suite_create("migrate");
    TCase *tc = tcase_create("migrate");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, migrate_empty_brings_everything_twice_is_nothing);
    tcase_add_test(tc, migrate_two_at_once_both_succeed);
    tcase_add_test(tc, migrate_edited_or_newer_is_refused);
    tcase_add_test(tc, migrate_failing_file_leaves_nothing_of_it);
    tcase_add_test(tc, migrate_repeatable_changed_is_applied_again);
    tcase_add_test(tc, migrate_schema_everything_has_a_comment);
    suite_add_tcase(suite, tc);
    return suite;
}
