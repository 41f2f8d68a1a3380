/* SPDX-License-Identifier: Apache-2.0 */
/* What the benchmarks of storage share: an invented fleet, a database, figures as JSON. */
#ifndef TESTS_BENCH_STORE_H
#define TESTS_BENCH_STORE_H

#include "common/strbuf.h"
#include "server/store/db.h"
#include "tests/support/churn.h"

struct bench {
    struct db_pool *pool;
    const char *url;
    enum churn_mix mix;
    size_t hosts;
    size_t rows;
    size_t days;
    int64_t interval_us;
    size_t queries;
    int64_t day0_us; /* the first day's start; all of it is over */
};

/* Prints why and ends the program. */
void bench_must(enum status status, const struct err *err);
struct db *bench_lease(const struct bench *bench);
/* The first column of the first row, a number. */
int64_t bench_number(const struct bench *bench, const char *sql);
void bench_sql(const struct bench *bench, const char *sql);

/* The fleet through ingest as changed-row documents, then everything a server does about it. Prints
 * a JSON object of sizes. */
void bench_storage(const struct bench *bench);
/* The same fleet as lines on standard output; needs no database. */
void bench_lines(const struct bench *bench);
/* The fleet written as sealed chunks at once, then read: a JSON object of times. */
void bench_query(const struct bench *bench);

#endif
