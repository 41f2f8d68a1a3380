/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/pg.h"

#include "common/strbuf.h"

#include <check.h>

#include <string.h>
#include <unistd.h>

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    ck_assert_msg(value != NULL, "%s is not set; use scripts/check.sh db", name);
    return value;
}

/* The URL with another database: postgresql:///NAME?... */
static char *url_of(const char *database)
{
    const char *base = environment("POOLFLEET_TEST_URL");
    const char *slash = strstr(base, "://");
    slash = slash == NULL ? NULL : strchr(slash + 3, '/');
    ck_assert_msg(slash != NULL, "POOLFLEET_TEST_URL is no URL with a database");
    struct strbuf url = STRBUF_INIT;
    strbuf_add(&url, base, (size_t)(slash + 1 - base));
    strbuf_puts(&url, database);
    const char *query = strchr(slash, '?');
    if (query != NULL)
        strbuf_puts(&url, query);
    return strbuf_take(&url);
}

static struct db_pool *pool_of(const char *url, unsigned connections)
{
    struct db_options options = {.url = url,
                                 .connections = connections,
                                 .statement_timeout_us = 30 * US_PER_SECOND,
                                 .application_name = "poolfleet test"};
    struct db_pool *pool = NULL;
    struct err err = {0};
    enum status status = db_pool_new(&options, &pool, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
    return pool;
}

static void script(const char *url, const char *sql)
{
    struct db_pool *pool = pool_of(url, 1);
    struct db *db = NULL;
    struct err err = {0};
    enum status status = db_lease(pool, US_PER_SECOND, &db, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
    status = db_script(db, sql, &err);
    ck_assert_msg(status == ST_OK, "%s: %s", sql, err.message);
    db_release(db);
    db_pool_free(pool);
}

static void create(struct pg *pg, const char *template)
{
    static int count;
    struct strbuf text = STRBUF_INIT;
    strbuf_printf(&text, "t_%ld_%lld_%d", (long)getpid(), (long long)clock_mono_us(), ++count);
    pg->name = strbuf_take(&text);
    strbuf_printf(&text, "CREATE DATABASE %s TEMPLATE %s", pg->name, template);
    script(environment("POOLFLEET_TEST_URL"), text.data);
    strbuf_done(&text);
    pg->url = url_of(pg->name);
    pg->pool = pool_of(pg->url, 6);
}

void pg_setup(struct pg *pg)
{
    create(pg, environment("POOLFLEET_TEST_TEMPLATE"));
}

void pg_setup_empty(struct pg *pg)
{
    create(pg, "template0");
}

void pg_teardown(struct pg *pg)
{
    struct strbuf text = STRBUF_INIT;
    db_pool_free(pg->pool);
    strbuf_printf(&text, "DROP DATABASE IF EXISTS %s WITH (FORCE)", pg->name);
    script(environment("POOLFLEET_TEST_URL"), text.data);
    strbuf_done(&text);
    free(pg->url);
    free(pg->name);
    *pg = (struct pg){0};
}

void pg_sql(const struct pg *pg, const char *sql)
{
    script(pg->url, sql);
}

int64_t pg_number(const struct pg *pg, const char *sql)
{
    struct db_pool *pool = pool_of(pg->url, 1);
    struct db *db = NULL;
    struct db_result *result = NULL;
    struct err err = {0};
    const struct stmt stmt = STMT("test_number", sql, "", "i");
    enum status status = db_lease(pool, US_PER_SECOND, &db, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
    status = db_exec(db, &stmt, NULL, &result, &err);
    ck_assert_msg(status == ST_OK, "%s: %s", sql, err.message);
    ck_assert_msg(db_rows(result) > 0, "%s: no row", sql);
    int64_t value = db_i64(result, 0, 0);
    db_result_free(result);
    db_release(db);
    db_pool_free(pool);
    return value;
}

int64_t pg_kill_backends(const struct pg *pg)
{
    return pg_number(pg, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                         " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                         " AND backend_type = 'client backend'");
}
