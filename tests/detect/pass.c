/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A few histories are made once and handed over again and again under other names, so that what is
 * measured is the analysis alone. Rows are as real tables have them: most are small and still, some
 * move with the day, a few fill after the boot; on one host in 20 one row leaks.
 */
#include "tests/detect/pass.h"

#include "server/analyze/analyze.h"
#include "server/analyze/explain.h"
#include "server/analyze/kept.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define KINDS     20 /* histories that differ; one of them leaks */
#define FACTS     500
#define POINTS    104
#define UP_HOURS  400.0
#define START_US  (20000 * US_PER_DAY)
#define TEXT_ROOM 24
#define HOST_ID   32

struct history {
    struct analyze_point points[POINTS];
    struct snapshot_table tables[POINTS][POOL_COUNT];
    struct snapshot_totals totals[POINTS];
    struct analyze_fact facts[FACTS];
    char texts[FACTS][2][TEXT_ROOM];
};

static double hash01(size_t a, size_t b, size_t c)
{
    uint64_t x = (a * 0x9E3779B97F4A7C15u) ^ (b * 0xC2B2AE3D27D4EB4Fu) ^ (c * 0x165667B19E3779F9u);
    x = (x ^ (x >> 31)) * 0xD6E8FEB86659FD93u;
    return (double)((x ^ (x >> 32)) >> 11) * 0x1p-53;
}

static double hour_of(size_t point) /* before now */
{
    size_t back = POINTS - 1 - point;
    return back < 10   ? (double)back / 30
           : back < 26 ? 1.0 / 3 + (double)(back - 10) / 6
           : back < 47 ? 3 + (double)(back - 26)
                       : 24 + 6 * (double)(back - 47);
}

/* `hours` before now. */
static uint64_t bytes_at(size_t kind, size_t row, size_t point, double hours)
{
    double size = 4096 * exp(10 * pow(hash01(1, row, 0), 3)); /* 4 KiB to 90 MB, few large */
    double kinds = 0.8 + 0.4 * hash01(kind, row, 1);
    double habit = hash01(2, row, 0);
    double course = 1;
    if (habit < 0.05)
        course = 1 - exp((hours - UP_HOURS) / 60);
    else if (habit < 0.15)
        course = 1 + 0.3 * sin(hours / 24 * 6.2832);
    if (kind == 0 && row == 7)
        return (uint64_t)(20e6 * fmax(100 - hours, 0)) & ~(uint64_t)15;
    return (uint64_t)(size * kinds * course * (1 + 0.01 * hash01(kind, row, point))) &
           ~(uint64_t)15;
}

static uint64_t bytes_of(size_t kind, size_t row, size_t point)
{
    return bytes_at(kind, row, point, hour_of(point));
}

/* Column memory is never freed: the program ends with it. */
static void *room(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);
    if (memory == NULL)
        abort();
    return memory;
}

static void fill_table(size_t kind, size_t first, size_t count, size_t point,
                       struct snapshot_table *table)
{
    uint32_t *tags = room(count, sizeof *tags);
    uint32_t *allocs = room(count, sizeof *allocs);
    uint32_t *frees = room(count, sizeof *frees);
    uint64_t *bytes = room(count, sizeof *bytes);
    for (size_t i = 0; i < count; i++) {
        tags[i] = (uint32_t)(0x30303030 + 977 * i);
        bytes[i] = bytes_of(kind, first + i, point);
        frees[i] = (uint32_t)((UP_HOURS - hour_of(point)) * 100);
        allocs[i] = frees[i] + (uint32_t)(bytes[i] / 64);
    }
    *table = (struct snapshot_table){.present = true,
                                     .count = count,
                                     .tag = tags,
                                     .allocs = allocs,
                                     .frees = frees,
                                     .bytes = bytes};
}

static void fill_history(size_t kind, size_t rows, struct history *history)
{
    for (size_t p = 0; p < POINTS; p++) {
        struct analyze_point *point = &history->points[p];
        point->taken_at_us = START_US - (int64_t)(hour_of(p) * (double)US_PER_HOUR);
        point->boot_at_us = START_US - (int64_t)(UP_HOURS * (double)US_PER_HOUR);
        point->totals = &history->totals[p];
        point->table = history->tables[p];
        fill_table(kind, 0, rows / 2, p, &history->tables[p][POOL_NONPAGED]);
        fill_table(kind, rows / 2, rows - rows / 2, p, &history->tables[p][POOL_PAGED]);
        totals_set(&history->totals[p], TOTAL_PHYSICAL_BYTES, UINT64_C(64) << 30);
        totals_set(&history->totals[p], TOTAL_NONPAGED_LIMIT_BYTES, UINT64_C(48) << 30);
        totals_set(&history->totals[p], TOTAL_NONPAGED_BYTES, UINT64_C(4) << 30);
    }
    for (size_t i = 0; i < FACTS; i++) {
        snprintf(history->texts[i][0], TEXT_ROOM, "driver/d%03zu.sys", i);
        snprintf(history->texts[i][1], TEXT_ROOM, "1.%d", (int)(4 * hash01(kind, i, 9)));
        history->facts[i] = (struct analyze_fact){history->texts[i][0], history->texts[i][1],
                                                  TIME_UNKNOWN, TIME_UNKNOWN};
    }
}

/* Host number `i`; `id` is the caller's room for its name. */
static struct analyze_host host_of(struct history *histories, size_t i, char id[HOST_ID])
{
    struct history *history = &histories[i % KINDS];
    snprintf(id, HOST_ID, "host-%06zu", i);
    return (struct analyze_host){.id = id,
                                 .facts = history->facts,
                                 .fact_count = FACTS,
                                 .points = history->points,
                                 .point_count = POINTS};
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double peak_mb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

bool pass_run(size_t hosts, size_t rows, const struct tagdict *dict)
{
    AUTO_ANALYSIS struct analysis *analysis = NULL;
    AUTO_FINDINGS struct finding_list list = {0};
    struct analyze_options options = {.as_of_us = START_US, .tagdict = dict};
    struct err err = {0};
    struct history *histories = room(KINDS, sizeof *histories);
    for (size_t k = 0; k < KINDS; k++)
        fill_history(k, rows, &histories[k]);
    double before = peak_mb();
    double from = seconds();
    enum status status = analysis_new(&options, &analysis, &err);
    for (size_t i = 0; status == ST_OK && i < hosts; i++) {
        char id[HOST_ID];
        struct analyze_host host = host_of(histories, i, id);
        status = analysis_add_host(analysis, &host, &err);
    }
    double read = seconds();
    if (status == ST_OK)
        status = analysis_finish(analysis, &list, &err);
    double end = seconds();
    free(histories);
    if (status != ST_OK) {
        fprintf(stderr, "bench-detect: could not run a pass: %s\n", err.message);
        return false;
    }
    printf("a pass over %zu hosts x %zu rows x %d points, %d facts: reading %.2f s, comparing %.2f "
           "s of processor time, %.0f MB, %zu findings\n",
           hosts, rows, POINTS, FACTS, read - from, end - read, peak_mb() - before, list.count);
    return true;
}

/* ---- hosts that stay read ------------------------------------------------------------------- */

#define STEPS      16
#define STEP_HOURS (1.0 / 12)
#define CHANGED    0.16 /* of all rows, in a snapshot; docs/storage.md */

/* The next document of a kind: some rows have the value of now, the others that of before. */
static void next_table(size_t kind, size_t first, size_t step, struct snapshot_table *whole,
                       struct snapshot_table *changed)
{
    size_t point = POINTS + step;
    size_t count = 0;
    for (size_t i = 0; i < whole->count; i++) {
        double habit = hash01(2, first + i, 0);
        bool moves = habit < 0.15 || (kind == 0 && first + i == 7);
        if (!moves && hash01(kind * 1000 + point, first + i, 3) >= CHANGED)
            continue;
        whole->bytes[i] = bytes_at(kind, first + i, point, -(double)(step + 1) * STEP_HOURS);
        whole->frees[i] += 10;
        whole->allocs[i] = whole->frees[i] + (uint32_t)(whole->bytes[i] / 64);
        changed->tag[count] = whole->tag[i];
        changed->bytes[count] = whole->bytes[i];
        changed->allocs[count] = whole->allocs[i];
        changed->frees[count++] = whole->frees[i];
    }
    changed->count = count;
}

struct kept_fleet {
    struct analysis *analysis;
    struct history *histories;
    struct kept **hosts;
    size_t count;
    size_t rows;
    double put_seconds, judge_seconds, finish_seconds; /* of the last pass */
    size_t findings;
};

static enum status keep_hosts(struct kept_fleet *fleet, struct err *err)
{
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < fleet->count; i++) {
        char id[HOST_ID];
        struct analyze_host host = host_of(fleet->histories, i, id);
        fleet->hosts[i] = kept_new();
        if (fleet->hosts[i] == NULL)
            return ST_NOMEM;
        status = analysis_keep(fleet->analysis, fleet->hosts[i], &host, 0, START_US, err);
    }
    return status;
}

static enum status next_documents(struct kept_fleet *fleet, size_t step)
{
    struct history *histories = fleet->histories;
    enum status status = ST_OK;
    for (size_t k = 0; k < KINDS && status == ST_OK; k++) {
        static struct snapshot_table changed[POOL_COUNT];
        struct analyze_point *last = &histories[k].points[POINTS - 1];
        for (size_t p = 0; p < POOL_COUNT; p++) {
            struct snapshot_table *whole = &histories[k].tables[POINTS - 1][p];
            changed[p] = (struct snapshot_table){.present = true,
                                                 .tag = room(whole->count, sizeof *whole->tag),
                                                 .allocs = room(whole->count, 4),
                                                 .frees = room(whole->count, 4),
                                                 .bytes = room(whole->count, 8)};
            next_table(k, p == 0 ? 0 : fleet->rows / 2, step, whole, &changed[p]);
        }
        struct kept_document document = {
            .point = *last, .sequence = (int64_t)step + 1, .base = (int64_t)step, .details = true};
        document.point.taken_at_us =
            START_US + (int64_t)((double)(step + 1) * STEP_HOURS * (double)US_PER_HOUR);
        document.received_us = document.point.taken_at_us;
        document.point.table = changed;
        for (size_t i = k; status == ST_OK && i < fleet->count; i += KINDS)
            status = kept_put(fleet->hosts[i], &document);
        for (size_t p = 0; p < POOL_COUNT; p++) {
            free(changed[p].tag);
            free(changed[p].allocs);
            free(changed[p].frees);
            free(changed[p].bytes);
        }
    }
    return status;
}

static enum status kept_pass(struct kept_fleet *fleet, size_t step, const struct tagdict *dict,
                             struct err *err)
{
    AUTO_FINDINGS struct finding_list list = {0};
    struct analyze_options options = {
        .as_of_us = START_US + (int64_t)((double)(step + 1) * STEP_HOURS * (double)US_PER_HOUR),
        .tagdict = dict};
    double from = seconds();
    enum status status = next_documents(fleet, step);
    double put = seconds();
    analysis_again(fleet->analysis, &options);
    for (size_t i = 0; status == ST_OK && i < fleet->count; i++)
        status = analysis_add_kept(fleet->analysis, fleet->hosts[i], US_PER_HOUR, err);
    double judged = seconds();
    if (status == ST_OK)
        status = analysis_finish(fleet->analysis, &list, err);
    fleet->put_seconds = put - from;
    fleet->judge_seconds = judged - put;
    fleet->finish_seconds = seconds() - judged;
    fleet->findings = list.count;
    return status;
}

bool pass_kept(size_t hosts, size_t rows, const struct tagdict *dict)
{
    struct kept_fleet fleet = {.count = hosts, .rows = rows};
    struct analyze_options options = {.as_of_us = START_US, .tagdict = dict};
    struct err err = {0};
    size_t bytes = 0, lost = 0;
    fleet.histories = room(KINDS, sizeof *fleet.histories);
    fleet.hosts = room(hosts, sizeof(struct kept *));
    for (size_t k = 0; k < KINDS; k++)
        fill_history(k, rows, &fleet.histories[k]);
    double before = peak_mb();
    double from = seconds();
    enum status status = analysis_new(&options, &fleet.analysis, &err);
    if (status == ST_OK)
        status = keep_hosts(&fleet, &err);
    double read = seconds() - from;
    for (size_t step = 0; status == ST_OK && step < STEPS; step++) {
        status = kept_pass(&fleet, step, dict, &err);
        if (status == ST_OK)
            printf("a pass over %zu kept hosts x %zu rows: %zu documents put on in %.2f s, rows "
                   "judged in %.2f s, compared in %.2f s of processor time, %zu findings\n",
                   hosts, rows, hosts, fleet.put_seconds, fleet.judge_seconds, fleet.finish_seconds,
                   fleet.findings);
    }
    for (size_t i = 0; i < hosts && fleet.hosts[i] != NULL; i++) {
        bytes += kept_bytes(fleet.hosts[i]);
        lost += kept_lost(fleet.hosts[i]);
        kept_free(fleet.hosts[i]);
    }
    analysis_free(fleet.analysis);
    free(fleet.hosts);
    free(fleet.histories);
    if (status != ST_OK)
        fprintf(stderr, "bench-detect: could not run a pass: %s\n", err.message);
    else
        printf("read from cold in %.2f s; %.0f MB at most, %.0f kB a host by its own count; %zu of "
               "%zu would have to be read again\n",
               read, peak_mb() - before, (double)bytes / 1000 / (double)hosts, lost, hosts);
    return status == ST_OK;
}

/* ---- one explanation -------------------------------------------------------- */

#define AFFECTED_SHARE 0.3 /* of the hosts have the bad value; the same for each half of a pair */

/* Place of the value that a host has of an attribute. The first two are what may be bad; of the
 * others some are the same nearly everywhere, some differ from host to host. */
static size_t value_of(size_t host, size_t attribute)
{
    if (attribute < 2)
        return hash01(host, attribute, 20) < AFFECTED_SHARE ? 0 : 1 + host % 3;
    double many = exp(4 * hash01(attribute, 0, 21)); /* 1 to 54 values */
    return (size_t)(many * pow(hash01(host, attribute, 22), 2));
}

static void name_of(size_t attribute, char text[TEXT_ROOM])
{
    if (attribute == 1)
        snprintf(text, TEXT_ROOM, "os.build");
    else
        snprintf(text, TEXT_ROOM, attribute % 4 == 3 ? "app.a%04zu" : "driver/d%04zu.sys",
                 attribute % 10000);
}

static int fact_order(const void *a, const void *b)
{
    const struct fleet_fact *x = a;
    const struct fleet_fact *y = b;
    return (x->name > y->name) - (x->name < y->name);
}

static bool fill_facts(struct fleet *fleet, size_t count, size_t attributes)
{
    bool lost = false;
    fleet->hosts = room(count, sizeof *fleet->hosts);
    for (size_t h = 0; h < count && !lost; h++) {
        struct fleet_host *host = &fleet->hosts[fleet->count++];
        *host = (struct fleet_host){
            .cohort = {.role = "desktop"}, .last_us = START_US, .first_us = START_US - US_PER_DAY};
        host->facts = room(attributes, sizeof *host->facts);
        host->fact_count = attributes;
        for (size_t i = 0; i < attributes && !lost; i++) {
            char name[TEXT_ROOM];
            char value[TEXT_ROOM];
            name_of(i, name);
            snprintf(value, sizeof value, "10.%zu.0", value_of(h, i));
            host->facts[i].from_us = TIME_UNKNOWN;
            lost = fleet_intern(fleet, name, &host->facts[i].name) != ST_OK ||
                   fleet_intern(fleet, value, &host->facts[i].value) != ST_OK;
        }
        qsort(host->facts, attributes, sizeof *host->facts, fact_order);
    }
    return !lost;
}

static bool explain_once(const struct fleet *fleet, bool pair)
{
    struct arena arena = {0};
    struct explanation why;
    uint32_t *affected = room(fleet->count, sizeof *affected);
    uint32_t *others = room(fleet->count, sizeof *others);
    int64_t *since = room(fleet->count, sizeof *since);
    struct explain_input input = {
        .fleet = fleet, .affected = affected, .unaffected = others, .since_us = since};
    for (size_t h = 0; h < fleet->count; h++) {
        bool bad = value_of(h, 0) == 0 && (!pair || value_of(h, 1) == 0);
        if (bad)
            affected[input.affected_count++] = (uint32_t)h;
        else
            others[input.unaffected_count++] = (uint32_t)h;
        since[h] = TIME_UNKNOWN;
    }
    double from = seconds();
    enum status status = explain_hosts(&input, &arena, &why);
    double took = seconds() - from;
    bool found = status == ST_OK && why.count > 0 && strcmp(why.causes[0].value, "10.0.0") == 0 &&
                 (why.causes[0].and_attribute != NULL) == pair;
    printf("explaining %s over %zu of %zu hosts x %zu attributes, %zu values tested: %.3f s of "
           "processor time%s\n",
           pair ? "by two values together" : "by one value", input.affected_count, fleet->count,
           fleet->hosts[0].fact_count, status == ST_OK ? why.tested : 0, took,
           found ? "" : ", the cause NOT found");
    free(affected);
    free(others);
    free(since);
    arena_done(&arena);
    return found;
}

bool pass_explain(size_t hosts, size_t attributes)
{
    struct fleet fleet = {0};
    if (hosts < 100 || attributes < 2 || !fill_facts(&fleet, hosts, attributes)) {
        fprintf(stderr, "bench-detect: could not make a fleet of %zu hosts x %zu attributes\n",
                hosts, attributes);
        return false;
    }
    bool single = explain_once(&fleet, false);
    bool pair = explain_once(&fleet, true);
    fleet_done(&fleet);
    return single && pair;
}
