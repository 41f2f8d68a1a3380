/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a host's rows: what fleet_add_host makes of random tables against a plain reading that
 * looks every row up in every table. */
#include "server/analyze/fleet.h"
#include "tests/support/analyze_fleet.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define POINTS    40
#define ROWS      400
#define RAM_BYTES (UINT64_C(16) << 30)

struct history {
    struct analyze_point points[POINTS];
    struct snapshot_table tables[POINTS][POOL_COUNT];
    struct snapshot_totals totals[POINTS];
    uint32_t tag[POINTS][ROWS];
    uint32_t allocs[POINTS][ROWS];
    uint32_t frees[POINTS][ROWS];
    uint64_t bytes[POINTS][ROWS];
};

/* Rows come and go, some tables are empty or have no counts, and the machine is rebooted. */
static void fill(struct history *history, uint64_t seed, size_t boot_from)
{
    uint64_t state = seed;
    uint32_t many = 20 + (uint32_t)(afleet_random(&state) % (ROWS - 20));
    uint64_t lost = afleet_random(&state) % 4; /* of ten rows */
    for (size_t p = 0; p < POINTS; p++) {
        struct snapshot_table *table = &history->tables[p][POOL_PAGED];
        size_t n = 0;
        for (uint32_t i = 0; i < many && afleet_random(&state) % 50 != 0; i++) {
            if (afleet_random(&state) % 10 < lost && p != POINTS - 1)
                continue;
            double up = (double)(p < boot_from ? p : p - boot_from);
            history->tag[p][n] = 0x41000000 + i * 7;
            history->bytes[p][n] = (uint64_t)(16384.0 * i * (1 + up * (i % 5 == 0) / 20));
            history->allocs[p][n] = UINT32_MAX - 500 + (uint32_t)up * i;
            history->frees[p][n] = UINT32_MAX - 600 + (uint32_t)up * (i % 3);
            n++;
        }
        *table = (struct snapshot_table){.present = afleet_random(&state) % 20 != 0,
                                         .count = n,
                                         .tag = history->tag[p],
                                         .allocs = history->allocs[p],
                                         .frees = history->frees[p],
                                         .bytes = history->bytes[p]};
        if (afleet_random(&state) % 15 == 0)
            table->allocs = table->frees = NULL;
        history->tables[p][POOL_NONPAGED] =
            (struct snapshot_table){.present = true, .bytes = history->bytes[p]};
        totals_set(&history->totals[p], TOTAL_PHYSICAL_BYTES, RAM_BYTES);
        totals_set(&history->totals[p], TOTAL_PROCESSES, 100 + p);
        history->points[p] = (struct analyze_point){
            .taken_at_us = (int64_t)(p + 1) * US_PER_HOUR,
            .boot_at_us = (int64_t)(p < boot_from ? 0 : boot_from) * US_PER_HOUR,
            .totals = &history->totals[p],
            .table = history->tables[p]};
    }
}

/* One row, looked up. */
struct plain {
    double hours[POINTS];
    double bytes[POINTS];
    double outstanding[POINTS];
    double allocs[POINTS];
    double frees[POINTS];
    double processes[POINTS];
    uint16_t boot[POINTS];
    struct series series;
};

static void look_up(const struct history *history, size_t boot_from, uint32_t tag,
                    struct plain *plain)
{
    struct series *series = &plain->series;
    uint32_t before[2] = {0, 0};
    *series = (struct series){.hours = plain->hours,
                              .bytes = plain->bytes,
                              .outstanding = plain->outstanding,
                              .alloc_total = plain->allocs,
                              .free_total = plain->frees,
                              .processes = plain->processes,
                              .boot = plain->boot};
    for (size_t p = 0; p < POINTS; p++) {
        const struct snapshot_table *table = &history->tables[p][POOL_PAGED];
        size_t n = series->count;
        size_t at = 0;
        if (!table->present)
            continue;
        while (at < table->count && table->tag[at] != tag)
            at++;
        bool has = at < table->count;
        bool counts = table->allocs != NULL;
        uint32_t now[2] = {has && counts ? table->allocs[at] : 0,
                           has && counts ? table->frees[at] : 0};
        plain->boot[n] = p >= boot_from;
        bool first = n == 0 || plain->boot[n - 1] != plain->boot[n];
        if (first)
            series->boot_first = n;
        plain->hours[n] = (double)p;
        plain->processes[n] = 100 + (double)p;
        plain->bytes[n] = has ? (double)table->bytes[at] : 0;
        plain->outstanding[n] = counts ? (double)(now[0] - now[1]) : NAN;
        plain->allocs[n] = !counts ? NAN : now[0] + (first ? 0 : plain->allocs[n - 1] - before[0]);
        plain->frees[n] = !counts ? NAN : now[1] + (first ? 0 : plain->frees[n - 1] - before[1]);
        if (!first && counts) { /* modulo 2^32 */
            plain->allocs[n] = plain->allocs[n - 1] + (double)(uint32_t)(now[0] - before[0]);
            plain->frees[n] = plain->frees[n - 1] + (double)(uint32_t)(now[1] - before[1]);
        }
        before[0] = now[0];
        before[1] = now[1];
        series->count++;
    }
    double last = plain->hours[series->count - 1];
    for (size_t n = 0; n < series->count; n++)
        plain->hours[n] -= last;
    series->uptime_hours = last + 1 - (double)boot_from;
}

static bool worth_a_look(const struct plain *plain)
{
    double low = INFINITY;
    double high = 0;
    for (size_t n = 0; n < plain->series.count; n++) {
        low = fmin(low, plain->bytes[n]);
        high = fmax(high, plain->bytes[n]);
    }
    double now = plain->bytes[plain->series.count - 1];
    double ram = (double)RAM_BYTES;
    bool settled = plain->series.boot_first == 0 || plain->series.uptime_hours > 24;
    if (settled && now < 256 * 1024 && now < 1e-5 * ram)
        return false;
    return high - low >= 256 * 1024 || now >= 32 * 1024 * 1024 || now >= 0.002 * ram;
}

static struct history history;

START_TEST(rows_of_random_tables_have_the_features_of_a_plain_reading)
{
    static struct feature_scratch scratch;
    struct fleet fleet = {0};
    struct err err = {0};
    size_t boot_from = _i % 3 == 0 ? 0 : (size_t)_i % POINTS;
    size_t seen = 0;
    fill(&history, (uint64_t)_i + 5, boot_from);
    /* twice: what the reader keeps of the host before must not show */
    struct analyze_host host = {.id = "a", .points = history.points, .point_count = POINTS / 2};
    ck_assert_int_eq(fleet_add_host(&fleet, &host, INT64_MAX, &err), ST_OK);
    host.point_count = POINTS;
    ck_assert_int_eq(fleet_add_host(&fleet, &host, INT64_MAX, &err), ST_OK);
    const struct fleet_host *of = &fleet.hosts[fleet.count - 1];
    const struct snapshot_table *newest = NULL;
    for (size_t p = boot_from; p < POINTS; p++)
        newest = history.tables[p][POOL_PAGED].present ? &history.tables[p][POOL_PAGED] : newest;
    for (size_t i = 0; newest != NULL && i < newest->count; i++) {
        static struct plain plain;
        struct feature expected;
        look_up(&history, boot_from, newest->tag[i], &plain);
        const struct feature *found = fleet_feature(of, POOL_PAGED, newest->tag[i]);
        ck_assert(fleet_has(of, POOL_PAGED, newest->tag[i]));
        ck_assert_msg(worth_a_look(&plain) == (found != NULL), "row %zu", i);
        if (found == NULL)
            continue;
        feature_extract(&plain.series, (double)RAM_BYTES, &scratch, &expected);
        expected.tag = newest->tag[i];
        expected.pool = POOL_PAGED;
        expected.curve = found->curve;
        ck_assert_msg(memcmp(&expected, found, sizeof expected) == 0, "row %zu", i);
        seen++;
    }
    ck_assert_uint_eq(seen, of->feature_count);
    fleet_done(&fleet);
}
END_TEST

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, size_t count, double q)
{
    double place = q * (double)(count - 1);
    size_t low = (size_t)place;
    return low + 1 < count ? sorted[low] + (place - (double)low) * (sorted[low + 1] - sorted[low])
                           : sorted[count - 1];
}

START_TEST(theil_sen_slope_and_interval_are_those_of_all_sorted_pairs)
{
    static struct robust_scratch scratch;
    static double pair[ROBUST_TREND_PAIRS];
    uint64_t state = (uint64_t)_i + 1;
    double t[ROBUST_TREND_POINTS];
    double y[ROBUST_TREND_POINTS];
    size_t count = 3 + afleet_random(&state) % (ROBUST_TREND_POINTS - 2);
    size_t pairs = 0;
    struct robust_trend trend;
    for (size_t i = 0; i < count; i++) { /* ties, steps, or two lines of very different slope */
        t[i] = (double)i + (_i % 4 == 0 ? 0 : afleet_uniform(&state) / 2);
        y[i] = _i % 4 == 1   ? 0
               : _i % 4 == 2 ? (i > count / 2 ? 1e6 * t[i] : -t[i])
                             : (double)(afleet_random(&state) % 7);
    }
    for (size_t i = 0; i + 1 < count; i++) {
        for (size_t j = i + 1; j < count; j++)
            pair[pairs++] = (y[j] - y[i]) / (t[j] - t[i]);
    }
    qsort(pair, pairs, sizeof *pair, rising);
    double m = (double)count;
    double reach = 1.2816 * sqrt(m * (m - 1) * (2 * m + 5) / 18) / (2 * (double)pairs);
    ck_assert(robust_theil_sen(t, y, count, &scratch, &trend));
    ck_assert(fabs(trend.slope - quantile(pair, pairs, 0.5)) == 0);
    ck_assert(fabs(trend.slope_low - quantile(pair, pairs, fmax(0.5 - reach, 0))) == 0);
    ck_assert(fabs(trend.slope_high - quantile(pair, pairs, fmin(0.5 + reach, 1))) == 0);
}
END_TEST

Suite *analyze_rows_suite(void);
Suite *analyze_rows_suite(void)
{
    Suite *suite = suite_create("analyze_rows");
    TCase *rows = tcase_create("rows");
    tcase_add_loop_test(rows, rows_of_random_tables_have_the_features_of_a_plain_reading, 0, 60);
    tcase_add_loop_test(rows, theil_sen_slope_and_interval_are_those_of_all_sorted_pairs, 0, 80);
    suite_add_tcase(suite, rows);
    return suite;
}
