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

struct bench_sent {
    int64_t documents;
    int64_t values; /* three counters of each row of the table, changed or not */
    int64_t rows;   /* that changed */
    int64_t cbor_bytes;
    int64_t gzip_bytes;
};

/* Hosts that post a snapshot each `interval` from day0 on, through ingest. */
struct bench_fleet;
struct bench_fleet *bench_fleet_open(const struct bench *bench);
void bench_fleet_send(struct bench_fleet *fleet, size_t steps, struct bench_sent *sent);
void bench_fleet_close(struct bench_fleet *fleet);
/* Rolls up, seals and keeps as the server's jobs do, half a day later. */
void bench_settle(const struct bench *bench);

/* The fleet through ingest as changed-row documents, then everything a server does about it. Prints
 * a JSON object of sizes. */
void bench_storage(const struct bench *bench);
/* The same fleet as lines on standard output; needs no database. */
void bench_lines(const struct bench *bench);
/* The fleet written as sealed chunks at once, then read: a JSON object of times. */
void bench_query(const struct bench *bench);
/* The analysis over such a fleet, sealed but for its newest six hours: from cold and again after
 * every interval. A JSON object of processor time, the program's and PostgreSQL's, and of memory.
 */
void bench_pass(const struct bench *bench);

#endif
