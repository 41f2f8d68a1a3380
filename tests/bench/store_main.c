/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-store storage|query|pass|lines --url URL [--mix calm|stormy] [--hosts N] [--rows N] [--days
 * N]
 *     [--interval SECONDS] [--queries N]
 *
 * The parts of bench-storage, bench-query and bench-pass that are done with the store itself and
 * not through HTTP. The database is migrated and empty (lines needs none). Prints one JSON object;
 * run.mjs makes tables of it.
 */
#include "tests/bench/store.h"

#include <stdio.h>
#include <string.h>

void bench_must(enum status status, const struct err *err)
{
    if (status == ST_OK)
        return;
    fprintf(stderr, "bench-store: %s\n", err == NULL ? status_name(status) : err->message);
    exit(1);
}

struct db *bench_lease(const struct bench *bench)
{
    struct db *db = NULL;
    struct err err = {0};
    bench_must(db_lease(bench->pool, 10 * US_PER_SECOND, &db, &err), &err);
    return db;
}

/* On connections of their own: statements are known by their address. */
int64_t bench_number(const struct bench *bench, const char *sql)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    AUTO_DBLEASE struct db *db = NULL;
    const struct stmt stmt = STMT("bench_number", sql, "", "i");
    struct err err = {0};
    bench_must(db_open_own(bench->pool, &db, &err), &err);
    bench_must(db_exec(db, &stmt, NULL, &result, &err), &err);
    return db_rows(result) == 0 || db_null(result, 0, 0) ? 0 : db_i64(result, 0, 0);
}

void bench_sql(const struct bench *bench, const char *sql)
{
    AUTO_DBLEASE struct db *db = NULL;
    struct err err = {0};
    bench_must(db_open_own(bench->pool, &db, &err), &err);
    bench_must(db_script(db, sql, &err), &err);
}

struct option {
    const char *name;
    size_t *value;
};

static void usage(void)
{
    fprintf(stderr,
            "usage: bench-store storage|query|pass|lines --url URL [--mix calm|stormy] [--hosts N]"
            " [--rows N] [--days N] [--interval SECONDS] [--queries N]\n");
    exit(2);
}

int main(int argc, char **argv)
{
    size_t seconds = 300;
    struct bench bench = {.hosts = 8, .rows = 2500, .days = 1, .queries = 100};
    const struct option options[] = {
        {"--hosts", &bench.hosts}, {"--rows", &bench.rows},       {"--days", &bench.days},
        {"--interval", &seconds},  {"--queries", &bench.queries},
    };
    if (argc < 2)
        usage();
    for (int i = 2; i + 1 < argc; i += 2) {
        bool known = false;
        if (strcmp(argv[i], "--url") == 0) {
            bench.url = argv[i + 1];
            known = true;
        } else if (strcmp(argv[i], "--mix") == 0) {
            bench.mix = strcmp(argv[i + 1], "stormy") == 0 ? CHURN_STORMY : CHURN_CALM;
            known = true;
        }
        for (size_t k = 0; k < sizeof options / sizeof options[0]; k++) {
            if (strcmp(argv[i], options[k].name) != 0)
                continue;
            *options[k].value = (size_t)strtoull(argv[i + 1], NULL, 10);
            known = *options[k].value > 0;
        }
        if (!known)
            usage();
    }
    bool lines = strcmp(argv[1], "lines") == 0;
    if ((bench.url == NULL && !lines) || argc % 2 != 0)
        usage();
    int64_t today = clock_wall_us() / US_PER_DAY * US_PER_DAY;
    bench.interval_us = (int64_t)seconds * US_PER_SECOND;
    bench.day0_us = today - (int64_t)bench.days * US_PER_DAY;
    if (lines) {
        bench_lines(&bench);
        return 0;
    }
    struct db_options db = {.url = bench.url,
                            .connections = 4,
                            .statement_timeout_us = 600 * US_PER_SECOND,
                            .application_name = "bench-store"};
    struct err err = {0};
    bench_must(db_pool_new(&db, &bench.pool, &err), &err);
    if (strcmp(argv[1], "storage") == 0)
        bench_storage(&bench);
    else if (strcmp(argv[1], "query") == 0)
        bench_query(&bench);
    else if (strcmp(argv[1], "pass") == 0)
        bench_pass(&bench);
    else
        usage();
    db_pool_free(bench.pool);
    return 0;
}
