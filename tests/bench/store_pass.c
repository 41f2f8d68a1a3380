/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pass of the live server costs, the database included. Processor time is what counts, of
 * this program and of PostgreSQL's processes that serve it: the clock would tell of other things
 * that run beside.
 */
#include "common/clock.h"
#include "server/jobs/analysis_live.h"
#include "server/jobs/analysis_run.h"
#include "tests/bench/store.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PASSES 12

struct cost {
    double own_seconds;
    double database_seconds;
};

static double own_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double memory_mb(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

/* Of one process: user and system time are fields 14 and 15, behind a name in parentheses. */
static double process_seconds(int64_t pid)
{
    char path[64], text[1024], *end;
    unsigned long long user = 0, kernel = 0;
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    FILE *file = fopen(path, "r");
    size_t length = file == NULL ? 0 : fread(text, 1, sizeof text - 1, file);
    if (file != NULL)
        fclose(file);
    text[length] = '\0';
    end = strrchr(text, ')');
    if (end == NULL ||
        sscanf(end, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &kernel) != 2)
        return 0;
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

/* All the backends that this program has; each lives as long as its connection in the pool. */
static double database_seconds(const struct bench *bench)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    AUTO_DBLEASE struct db *db = NULL;
    static const struct stmt stmt = STMT(
        "bench_backends",
        "SELECT pid::bigint FROM pg_stat_activity WHERE application_name = 'bench-store'", "", "i");
    struct err err = {0};
    double seconds = 0;
    bench_must(db_open_own(bench->pool, &db, &err), &err);
    bench_must(db_exec(db, &stmt, NULL, &result, &err), &err);
    for (size_t i = 0; i < db_rows(result); i++)
        seconds += process_seconds(db_i64(result, i, 0));
    return seconds;
}

static struct cost cost_now(const struct bench *bench)
{
    return (struct cost){own_seconds(), database_seconds(bench)};
}

static struct cost cost_since(const struct bench *bench, struct cost before)
{
    struct cost now = cost_now(bench);
    return (struct cost){now.own_seconds - before.own_seconds,
                         now.database_seconds - before.database_seconds};
}

/* Two minutes of five that lie between passes are looked at again; here documents come in a second.
 */
#define OVERLAP_SHARE 0.4

static struct cost pass(const struct bench *bench, struct analysis_live *live, int64_t age_us,
                        struct analysis_live_pass *ret_pass, size_t *ret_findings)
{
    static int64_t before_us;
    AUTO_FINDINGS struct finding_list list = {0};
    int64_t now_us = clock_mono_us();
    double since_us = before_us == 0 ? 0 : (double)(now_us - before_us);
    struct analysis_live_options options = {.budget_us = 3600 * US_PER_SECOND,
                                            .age_us = age_us,
                                            .overlap_us = (int64_t)(OVERLAP_SHARE * since_us)};
    struct err err = {0};
    before_us = now_us;
    struct cost before = cost_now(bench);
    bench_must(analysis_live_pass(live, bench->pool, &options, ret_pass, &list, &err), &err);
    *ret_findings = list.count;
    return cost_since(bench, before);
}

static void print_cost(const char *name, struct cost cost, const struct analysis_live_pass *pass,
                       size_t findings)
{
    printf(",\"%s\":{\"own_seconds\":%.4f,\"database_seconds\":%.2f,\"documents\":%zu,"
           "\"cold\":%zu,\"findings\":%zu}",
           name, cost.own_seconds, cost.database_seconds, pass->documents, pass->cold, findings);
}

/* What it costs to store all hosts, and to begin with them at once and some documents later. */
static void restarts(const struct bench *bench, struct bench_fleet *fleet, struct bench_sent *sent,
                     struct analysis_live *live)
{
    static const size_t behind[] = {0, 6};
    struct analysis_live_save_options options = {.budget_us = 3600 * US_PER_SECOND,
                                                 .budget_bytes = SIZE_MAX};
    struct analysis_live_saved saved;
    struct err err = {0};
    struct cost before = cost_now(bench);
    bench_must(analysis_live_save(live, bench->pool, &options, &saved, &err), &err);
    struct cost cost = cost_since(bench, before);
    printf(",\"stored\":{\"own_seconds\":%.4f,\"database_seconds\":%.2f,\"hosts\":%zu,"
           "\"bytes\":%zu,\"relation_bytes\":%lld}",
           cost.own_seconds, cost.database_seconds, saved.hosts, saved.bytes,
           (long long)bench_number(bench, "SELECT pg_total_relation_size('analysis_checkpoint')"));
    for (size_t i = 0; i < sizeof behind / sizeof *behind; i++) {
        struct analysis_live *other = analysis_live_new();
        struct analysis_live_pass told;
        size_t findings = 0;
        char name[32];
        if (other == NULL)
            bench_must(ST_NOMEM, NULL);
        if (behind[i] > 0)
            bench_fleet_send(fleet, behind[i], sent);
        snprintf(name, sizeof name, "restored_%zu_behind", behind[i]);
        cost = pass(bench, other, US_PER_HOUR, &told, &findings);
        print_cost(name, cost, &told, findings);
        analysis_live_free(other);
    }
}

/* Document by document, as a server with a pass every interval. */
static void live_passes(const struct bench *bench, struct bench_fleet *fleet,
                        struct bench_sent *sent)
{
    struct analysis_live *live = analysis_live_new();
    struct analysis_live_pass told, all = {0};
    struct cost sum = {0};
    size_t findings = 0;
    if (live == NULL)
        bench_must(ST_NOMEM, NULL);
    double before_mb = memory_mb();
    struct cost cold = pass(bench, live, US_PER_HOUR, &told, &findings);
    print_cost("cold", cold, &told, findings);
    for (size_t i = 0; i < PASSES; i++) {
        bench_fleet_send(fleet, 1, sent);
        struct cost cost = pass(bench, live, US_PER_HOUR, &told, &findings);
        sum.own_seconds += cost.own_seconds / PASSES;
        sum.database_seconds += cost.database_seconds / PASSES;
        all.documents += told.documents;
        all.cold += told.cold;
    }
    print_cost("passes", sum, &all, findings);
    bench_fleet_send(fleet, 1, sent);
    struct cost fresh = pass(bench, live, 0, &told, &findings);
    print_cost("fresh", fresh, &told, findings);
    struct cost quiet = pass(bench, live, US_PER_HOUR, &told, &findings);
    print_cost("quiet", quiet, &told, findings);
    printf(",\"kept_kb\":%.1f,\"mb\":%.1f", (double)told.bytes / 1000 / (double)told.hosts,
           memory_mb() - before_mb);
    restarts(bench, fleet, sent, live);
    analysis_live_free(live);
}

void bench_pass(const struct bench *bench)
{
    struct bench_sent sent = {0};
    size_t steps = (size_t)((int64_t)bench->days * US_PER_DAY / bench->interval_us);
    size_t newest = (size_t)(6 * US_PER_HOUR / bench->interval_us);
    struct bench_fleet *fleet = bench_fleet_open(bench);
    bench_fleet_send(fleet, steps - newest, &sent);
    bench_settle(bench);
    bench_fleet_send(fleet, newest, &sent);
    bench_sql(bench, "ANALYZE");
    printf("{\"hosts\":%zu,\"rows\":%zu,\"days\":%zu,\"documents\":%lld", bench->hosts, bench->rows,
           bench->days, (long long)sent.documents);
    live_passes(bench, fleet, &sent);
    printf("}\n");
    bench_fleet_close(fleet);
}
