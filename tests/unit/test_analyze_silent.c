/* SPDX-License-Identifier: Apache-2.0 */
/* What the analysis must not raise: healthy change of every kind, over many seeds. Info is allowed
 * only for a shift. Also: order, damage and lost points do not matter. */
#include "tests/support/analyze_fleet.h"

#include <check.h>
#include <math.h>
#include <string.h>

Suite *analyze_silent_suite(void);

static size_t add_host(struct afleet *fleet, const char *role, double ram_gib, double uptime,
                       double cache)
{
    struct afleet_spec spec = {.role = role,
                               .os_build = "20348.2402",
                               .ram_gib = ram_gib,
                               .uptime_hours = uptime,
                               .boot_every_hours = 168};
    size_t host = afleet_add_host(fleet, &spec);
    afleet_add_background(fleet, host, cache);
    return host;
}

/* One file server with a cache of 26 GB among desktops: nobody to compare it with. */
static void make_lone_file_server(struct afleet *fleet, uint64_t seed)
{
    size_t host = add_host(fleet, "file-server-big", 64, 20 + 30 * (double)(seed % 9), 3);
    afleet_add_row(fleet, host,
                   &(struct afleet_row){.tag = "MmSt",
                                        .pool = POOL_PAGED,
                                        .shape = AFLEET_CACHE,
                                        .base = 10e9,
                                        .period = 12 + (double)(seed % 5) * 6,
                                        .noise = 0.02,
                                        .churn = 90000,
                                        .block = 4096});
}

static void make_file_servers(struct afleet *fleet, uint64_t seed)
{
    for (size_t i = 0; i < 8; i++) {
        size_t host = add_host(fleet, "files", 64, 10 + 35 * (double)i + (double)(seed % 20), 10);
        afleet_add_row(fleet, host,
                       &(struct afleet_row){.tag = "MmSt",
                                            .pool = POOL_PAGED,
                                            .shape = AFLEET_CACHE,
                                            .base = 4e9 + 2e9 * (double)((seed + i) % 5),
                                            .period = 30,
                                            .noise = 0.02,
                                            .churn = 90000,
                                            .block = 4096});
    }
}

static void make_big_machines(struct afleet *fleet, uint64_t seed)
{
    for (size_t i = 0; i < 9; i++) {
        bool big = i < 1 + seed % 3;
        size_t host = add_host(fleet, "compute", big ? 512 : 32, 100 + 20 * (double)i, 1);
        for (size_t k = 0; k < 3; k++) {
            static const char *const tags[] = {"EtwB", "ConT", "MmSt"};
            afleet_add_row(fleet, host,
                           &(struct afleet_row){.tag = tags[k],
                                                .pool = k < 2 ? POOL_NONPAGED : POOL_PAGED,
                                                .shape = k < 2 ? AFLEET_STEADY : AFLEET_CACHE,
                                                .base = (big ? 16 : 1) * 250e6,
                                                .period = 10,
                                                .noise = 0.01,
                                                .block = 4096});
        }
    }
}

static void make_fresh_boots(struct afleet *fleet, uint64_t seed)
{
    for (size_t i = 0; i < 12; i++)
        add_host(fleet, "desktop", 16, 0.2 + 0.6 * (double)i + 0.01 * (double)seed, 1.5);
}

/* Every host restarts in turn, an hour apart. */
static void make_rolling_reboots(struct afleet *fleet, uint64_t seed)
{
    for (size_t i = 0; i < 20; i++) {
        struct afleet_spec spec = {.role = "farm",
                                   .os_build = "20348.2402",
                                   .ram_gib = 64,
                                   .uptime_hours = 0.5 + (double)i + 0.1 * (double)(seed % 10),
                                   .boot_every_hours = 24};
        afleet_add_background(fleet, afleet_add_host(fleet, &spec), 4);
    }
}

static void make_backups(struct afleet *fleet, uint64_t seed)
{
    for (size_t i = 0; i < 6; i++) {
        size_t host = add_host(fleet, "sql", 128, 300 + (double)i, 3);
        afleet_add_row(fleet, host,
                       &(struct afleet_row){.tag = "VsBk",
                                            .pool = POOL_NONPAGED,
                                            .shape = AFLEET_BACKUP,
                                            .base = 5e6,
                                            .rate = 2e9 + 1e8 * (double)(seed % 7)});
    }
}

/* A tag nobody else has, flat and small. */
static void make_new_tag(struct afleet *fleet, uint64_t seed)
{
    for (size_t i = 0; i < 4; i++)
        afleet_add_row(fleet, i,
                       &(struct afleet_row){.tag = "NewT",
                                            .pool = POOL_NONPAGED,
                                            .shape = AFLEET_STEP,
                                            .limit = 3e6 + 1e6 * (double)(seed % 5),
                                            .start_hours = 30,
                                            .noise = 0});
}

static void make_workload(struct afleet *fleet, uint64_t seed)
{
    for (size_t i = 0; i < 3; i++) {
        struct afleet_spec spec = {.role = "desktop",
                                   .os_build = "26100.4061",
                                   .ram_gib = 32,
                                   .uptime_hours = 150,
                                   .process_growth = 2 + (double)(seed % 4)};
        size_t host = afleet_add_host(fleet, &spec);
        afleet_add_background(fleet, host, 1);
        afleet_add_row(fleet, host,
                       &(struct afleet_row){.tag = "Strg",
                                            .pool = POOL_PAGED,
                                            .shape = AFLEET_WORKLOAD,
                                            .base = 40e6,
                                            .rate = 0.6e6,
                                            .churn = 1e5});
    }
}

static void make_counters(struct afleet *fleet, uint64_t seed)
{
    for (size_t i = 0; i < 8; i++) {
        size_t host = add_host(fleet, "relay", 32, 160 + (double)i, 1);
        afleet_add_row(fleet, host,
                       &(struct afleet_row){.tag = "AfdB",
                                            .pool = POOL_NONPAGED,
                                            .shape = AFLEET_DAILY,
                                            .base = 30e6,
                                            .rate = 0.6,
                                            .churn = 2e7 + 1e6 * (double)seed,
                                            .noise = 0.05,
                                            .count_base = 4000000000u});
    }
}

static void make_cycles(struct afleet *fleet, uint64_t seed)
{
    for (size_t i = 0; i < 5; i++) {
        size_t host = add_host(fleet, "office", 16, 40 + 60 * (double)i, 1);
        afleet_add_row(fleet, host,
                       &(struct afleet_row){.tag = "Wrk1",
                                            .pool = POOL_NONPAGED,
                                            .shape = i % 2 ? AFLEET_WEEKLY : AFLEET_DAILY,
                                            .base = 50e6,
                                            .rate = 2 + (double)(seed % 5),
                                            .noise = 0.05,
                                            .churn = 1e5});
    }
}

/* A cache of one role alone, restarted before it is full: nobody is old enough to say where it
 * ends, but those that are further go slower. */
static void make_young_caches(struct afleet *fleet, uint64_t seed)
{
    for (size_t i = 0; i < 7; i++) {
        struct afleet_spec spec = {.role = "render",
                                   .os_build = "20348.2402",
                                   .ram_gib = 16,
                                   .uptime_hours = 75 + 4 * (double)i + (double)(seed % 5),
                                   .boot_every_hours = 300,
                                   .history_hours = 700};
        size_t host = afleet_add_host(fleet, &spec);
        afleet_add_background(fleet, host, 1);
        afleet_add_row(fleet, host,
                       &(struct afleet_row){.tag = "RnCa",
                                            .pool = POOL_PAGED,
                                            .shape = AFLEET_CACHE,
                                            .base = 150e6 + 30e6 * (double)((seed + i) % 4),
                                            .period = 150,
                                            .noise = 0.01,
                                            .block = 4096});
    }
}

/* Few hosts that hold very different amounts for good, of which the oldest are alike by chance. */
static void make_uneven(struct afleet *fleet, uint64_t seed)
{
    static const double held[] = {17e6, 18e6, 17.5e6, 92e6, 5e6, 45e6, 294e6};
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++)
        afleet_add_row(fleet,
                       add_host(fleet, "branch", 16,
                                i < 3   ? 600
                                : i < 6 ? 90
                                        : 400,
                                1),
                       &(struct afleet_row){.tag = "UnEv",
                                            .pool = POOL_PAGED,
                                            .shape = AFLEET_STEADY,
                                            .base = held[i] * (1 + 0.01 * (double)(seed % 4)),
                                            .noise = 0.01});
}

static void make_nothing(struct afleet *fleet, uint64_t seed)
{
    (void)fleet;
    (void)seed;
}

static const struct calm {
    const char *name;
    void (*make)(struct afleet *fleet, uint64_t seed);
    size_t healthy;
} calms[] = {
    {"healthy, one host", make_nothing, 1},
    {"healthy, 4 hosts", make_nothing, 4},
    {"healthy, 9 hosts", make_nothing, 9},
    {"healthy, 25 hosts", make_nothing, 25},
    {"healthy, 80 hosts", make_nothing, 80},
    {"lone file server", make_lone_file_server, 20},
    {"file servers", make_file_servers, 15},
    {"big machines", make_big_machines, 10},
    {"fresh boots", make_fresh_boots, 12},
    {"rolling reboots", make_rolling_reboots, 10},
    {"backups", make_backups, 15},
    {"new tag", make_new_tag, 15},
    {"workload", make_workload, 15},
    {"counters", make_counters, 10},
    {"cycles", make_cycles, 10},
    {"young caches", make_young_caches, 20},
    {"uneven", make_uneven, 1},
};
#define CALMS (sizeof calms / sizeof calms[0])
/* Sanitizers look for faults of memory, which two seeds show as well as eight. */
#ifdef __SANITIZE_ADDRESS__
#define SEEDS 2
#else
#define SEEDS 8
#endif

static void check_silence(const char *name, uint64_t seed, const struct finding_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        ck_assert_msg(list->items[i].kind == FINDING_SHIFT, "%s, seed %llu: %s (%.2f)", name,
                      (unsigned long long)seed, list->items[i].summary, list->items[i].confidence);
}

static uint64_t seeds_wanted(uint64_t usual)
{
    const char *text = getenv("ANALYZE_SEEDS");
    return text == NULL ? usual : strtoull(text, NULL, 10);
}

START_TEST(analyze_healthy_fleet_is_silent)
{
    const struct calm *calm = &calms[_i];
    uint64_t seeds = seeds_wanted(SEEDS);
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        AUTO_FINDINGS struct finding_list list = {0};
        struct err err = {0};
        struct afleet *fleet = afleet_new(seed * 31 + (uint64_t)_i);
        afleet_add_healthy(fleet, calm->healthy);
        calm->make(fleet, seed);
        ck_assert(afleet_analyze(fleet, 0, NULL, &list, &err) == ST_OK);
        check_silence(calm->name, seed, &list);
        afleet_free(fleet);
    }
}
END_TEST

static void add_leak(struct afleet *fleet, size_t from, size_t count)
{
    for (size_t i = from; i < from + count; i++)
        afleet_add_row(fleet, i,
                       &(struct afleet_row){.tag = "Leaq",
                                            .pool = POOL_NONPAGED,
                                            .shape = AFLEET_LINEAR,
                                            .rate = 20e6,
                                            .start_hours = 60,
                                            .block = 256});
}

static void check_same(const struct finding *a, const struct finding *b)
{
    ck_assert_str_eq(a->id, b->id);
    ck_assert_str_eq(a->summary, b->summary);
    ck_assert(a->host_count == b->host_count);
    ck_assert(!(a->confidence < b->confidence) && !(a->confidence > b->confidence));
    for (size_t i = 0; i < a->host_count; i++)
        ck_assert_str_eq(a->hosts[i].id, b->hosts[i].id);
}

START_TEST(analyze_host_order_does_not_matter)
{
    AUTO_FINDINGS struct finding_list plain = {0};
    AUTO_FINDINGS struct finding_list mixed = {0};
    struct afleet *fleet = afleet_new((uint64_t)_i + 5);
    afleet_add_healthy(fleet, 25);
    add_leak(fleet, 3, 5);
    ck_assert(afleet_analyze(fleet, 0, NULL, &plain, NULL) == ST_OK);
    ck_assert(afleet_analyze(fleet, (uint64_t)_i + 77, NULL, &mixed, NULL) == ST_OK);
    ck_assert(plain.count == mixed.count && plain.count > 0);
    for (size_t i = 0; i < plain.count; i++)
        check_same(&plain.items[i], &mixed.items[i]);
    afleet_free(fleet);
}
END_TEST

static const struct damage {
    double lost;
    double gap_from;
    double gap_to;
    bool hide_boots;
} damages[] = {
    {0.3, 0, 0, false}, {0.6, 0, 0, false},  {0, 100, 20, false},
    {0, 0, 0, true},    {0.3, 40, 10, true},
};

/* Only the six leaky hosts are named, and at least four of them: one that is up for an hour may not
 * show it yet. Without boot times a host may be told as high instead of growing. */
static void check_leaq(const struct finding_list *list)
{
    size_t named = 0;
    ck_assert(list->count >= 1 && list->count <= 2);
    ck_assert(list->items[0].kind == FINDING_LEAK ||
              list->items[list->count - 1].kind == FINDING_LEAK);
    for (size_t i = 0; i < list->count; i++) {
        ck_assert(list->items[i].tag == afleet_tag("Leaq"));
        for (size_t k = 0; k < list->items[i].host_count; k++)
            ck_assert(strcmp(list->items[i].hosts[k].id, "host-0005") <= 0);
        named += list->items[i].host_count;
    }
    ck_assert(named >= 4 && named <= 6);
}

/* Losses neither make findings nor unmake them, nor change who is affected. */
START_TEST(analyze_damaged_history_gives_the_same_hosts)
{
    const struct damage *damage = &damages[_i];
    for (uint64_t seed = 1; seed <= 6; seed++) {
        AUTO_FINDINGS struct finding_list list = {0};
        AUTO_FINDINGS struct finding_list calm = {0};
        struct afleet *fleet = afleet_new(seed);
        afleet_add_healthy(fleet, 30);
        afleet_damage(fleet, damage->lost, damage->gap_from, damage->gap_to, damage->hide_boots);
        ck_assert(afleet_analyze(fleet, 0, NULL, &calm, NULL) == ST_OK);
        check_silence("damaged", seed, &calm);
        add_leak(fleet, 0, 6);
        ck_assert(afleet_analyze(fleet, 0, NULL, &list, NULL) == ST_OK);
        check_leaq(&list);
        afleet_free(fleet);
    }
}
END_TEST

START_TEST(analyze_version_that_uses_more_is_a_shift)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    AUTO_FINDINGS struct finding_list list = {0};
    struct tagdict_entry entry = {
        .tag = afleet_tag("GpuX"), .pattern = "GpuX", .driver = "gpux.sys", .source = "imported"};
    struct afleet *fleet = afleet_new((uint64_t)_i + 1);
    ck_assert(tagdict_add(dict, &entry, NULL) == ST_OK);
    afleet_add_healthy(fleet, 20);
    for (size_t i = 0; i < 12; i++) {
        size_t host = add_host(fleet, "cad", 64, 80 + (double)i, 1);
        afleet_add_fact(fleet, host, "driver/gpux.sys", i < 5 ? "32.2" : "32.1", -1);
        afleet_add_row(fleet, host,
                       &(struct afleet_row){.tag = "GpuX",
                                            .pool = POOL_NONPAGED,
                                            .shape = AFLEET_STEADY,
                                            .base = i < 5 ? 88e6 : 44e6,
                                            .noise = 0.01,
                                            .block = 4096});
    }
    ck_assert(afleet_analyze(fleet, 0, dict, &list, NULL) == ST_OK);
    ck_assert(list.count == 1);
    ck_assert_int_eq(list.items[0].kind, FINDING_SHIFT);
    ck_assert_int_eq(list.items[0].severity, SEVERITY_INFO);
    ck_assert_uint_eq(list.items[0].host_count, 5);
    ck_assert_str_eq(list.items[0].causes[0].value, "32.2");
    ck_assert_str_eq(list.items[0].owner_driver, "gpux.sys");
    afleet_free(fleet);
}
END_TEST

/* A version that came with the boot, on `count` of twelve hosts; the first of them moves by itself.
 */
static void run_shift(size_t count, bool seen, size_t expected)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    AUTO_FINDINGS struct finding_list list = {0};
    struct tagdict_entry entry = {
        .tag = afleet_tag("GpuX"), .pattern = "GpuX", .driver = "gpux.sys", .source = "imported"};
    struct afleet *fleet = afleet_new(7);
    ck_assert(tagdict_add(dict, &entry, NULL) == ST_OK);
    for (size_t i = 0; i < 12; i++) {
        bool has = i < count;
        double uptime = 80 + (double)i;
        struct afleet_spec spec = {.role = "cad",
                                   .os_build = "26100.4061",
                                   .ram_gib = 64,
                                   .uptime_hours = uptime,
                                   .boot_every_hours = 90};
        size_t host = afleet_add_host(fleet, &spec);
        afleet_add_background(fleet, host, 1);
        afleet_add_fact(fleet, host, "driver/gpux.sys", "32.1", -1);
        if (has)
            afleet_add_fact(fleet, host, "driver/gpux.sys", "32.2", uptime);
        afleet_add_row(fleet, host,
                       &(struct afleet_row){.tag = "GpuX",
                                            .pool = POOL_NONPAGED,
                                            .shape = has && seen ? AFLEET_STEP : AFLEET_STEADY,
                                            .base = has && !seen ? 88e6 : 44e6,
                                            .limit = 44e6,
                                            .start_hours = uptime,
                                            .noise = i == 0 && !seen ? 0.1 : 0.01,
                                            .block = 4096});
    }
    ck_assert(afleet_analyze(fleet, 0, dict, &list, NULL) == ST_OK);
    ck_assert_uint_eq(list.count, expected);
    for (size_t i = 0; i < list.count; i++)
        ck_assert_int_eq(list.items[i].kind, FINDING_SHIFT);
    afleet_free(fleet);
}

START_TEST(analyze_shift_is_told_though_one_of_its_hosts_moves)
{
    run_shift(5, false, 1);
}
END_TEST

START_TEST(analyze_shift_of_two_hosts_is_told_when_both_were_seen_to_rise)
{
    run_shift(2, _i == 0, _i == 0 ? 1 : 0);
}
END_TEST

START_TEST(analyze_no_hosts_gives_no_findings)
{
    AUTO_FINDINGS struct finding_list list = {0};
    struct afleet *fleet = afleet_new(1);
    ck_assert(afleet_analyze(fleet, 0, NULL, &list, NULL) == ST_OK);
    ck_assert(list.count == 0);
    afleet_free(fleet);
}
END_TEST

/* Points that make no sense: none, one, equal times, a later time than the analysis, no tables. */
START_TEST(analyze_odd_points_are_passed_over)
{
    AUTO_ANALYSIS struct analysis *analysis = NULL;
    AUTO_FINDINGS struct finding_list list = {0};
    struct analyze_options options = {.as_of_us = AFLEET_NOW_US, .tagdict = NULL};
    uint32_t tag = afleet_tag("Odd ");
    uint64_t bytes = 1ull << 40;
    struct snapshot_table tables[POOL_COUNT] = {
        {.present = true, .count = 1, .tag = &tag, .bytes = &bytes}, {.present = false}};
    struct analyze_point points[] = {
        {.taken_at_us = AFLEET_NOW_US - 5, .boot_at_us = TIME_UNKNOWN, .table = tables},
        {.taken_at_us = AFLEET_NOW_US - 5, .boot_at_us = AFLEET_NOW_US, .table = tables},
        {.taken_at_us = AFLEET_NOW_US - 9, .boot_at_us = AFLEET_NOW_US + 5, .table = tables},
        {.taken_at_us = AFLEET_NOW_US - 4, .boot_at_us = AFLEET_NOW_US + 5, .table = NULL},
        {.taken_at_us = AFLEET_NOW_US + 4, .boot_at_us = 0, .table = tables},
    };
    ck_assert(analysis_new(&options, &analysis, NULL) == ST_OK);
    for (size_t n = 0; n <= 5; n++) {
        char id[8];
        snprintf(id, sizeof id, "h%zu", n);
        struct analyze_host host = {id, NULL, NULL, 0, points, n};
        ck_assert(analysis_add_host(analysis, &host, NULL) == ST_OK);
    }
    struct analyze_host nameless = {0};
    ck_assert(analysis_add_host(analysis, &nameless, NULL) == ST_INVALID);
    ck_assert(analysis_finish(analysis, &list, NULL) == ST_OK);
    ck_assert(list.count == 0);
}
END_TEST

static bool same_hosts(const struct finding *a, const struct finding *b)
{
    bool same = a->host_count == b->host_count;
    for (size_t i = 0; same && i < a->host_count; i++)
        same = strcmp(a->hosts[i].id, b->hosts[i].id) == 0;
    return same;
}

/* Rows of 8 PB on a machine of 16 GB: told as faulty, and nothing else changes. */
START_TEST(analyze_host_with_impossible_rows_is_faulty_and_changes_nothing)
{
    AUTO_FINDINGS struct finding_list plain = {0};
    AUTO_FINDINGS struct finding_list with = {0};
    struct afleet *fleet = afleet_new(3);
    afleet_add_healthy(fleet, 25);
    add_leak(fleet, 3, 5);
    ck_assert(afleet_analyze(fleet, 0, NULL, &plain, NULL) == ST_OK);
    struct afleet_spec spec = {
        .role = "desktop", .os_build = "26100.4061", .ram_gib = 16, .uptime_hours = 70};
    size_t host = afleet_add_host(fleet, &spec);
    afleet_add_row(fleet, host,
                   &(struct afleet_row){.tag = "Leaq",
                                        .pool = _i == 0 ? POOL_NONPAGED : POOL_PAGED,
                                        .shape = AFLEET_STEADY,
                                        .base = 8e15,
                                        .block = 4096});
    ck_assert(afleet_analyze(fleet, 0, NULL, &with, NULL) == ST_OK);
    ck_assert(plain.fault_count == 0 && plain.count > 0);
    ck_assert(with.fault_count == 1);
    ck_assert_str_eq(with.faults[0].host_id, afleet_host_id(fleet, host));
    ck_assert(strstr(with.faults[0].reason, _i == 0 ? "nonpaged" : "paged") != NULL);
    ck_assert(with.count == plain.count);
    for (size_t i = 0; i < plain.count; i++) {
        ck_assert_str_eq(with.items[i].summary, plain.items[i].summary);
        ck_assert(same_hosts(&with.items[i], &plain.items[i]));
    }
    afleet_free(fleet);
}
END_TEST

/* The project's own goal: a leak that fills 16 GB in three hours, ten minutes after it began. */
START_TEST(analyze_leak_of_three_hours_is_named_after_ten_minutes)
{
    AUTO_FINDINGS struct finding_list list = {0};
    struct afleet *fleet = afleet_new((uint64_t)_i + 40);
    for (size_t i = 0; i < 12; i++) {
        struct afleet_spec spec = {.role = "desktop",
                                   .os_build = "26100.4061",
                                   .ram_gib = 16,
                                   .uptime_hours = 40 + 5 * (double)i,
                                   .every_minute = true};
        afleet_add_background(fleet, afleet_add_host(fleet, &spec), 1);
    }
    afleet_add_row(fleet, 4,
                   &(struct afleet_row){.tag = "Fast",
                                        .pool = POOL_NONPAGED,
                                        .shape = AFLEET_LINEAR,
                                        .rate = 4e9,
                                        .start_hours = 1.0 / 6 + 0.1, /* see schedule: jitter */
                                        .block = 1024});
    ck_assert(afleet_analyze(fleet, 0, NULL, &list, NULL) == ST_OK);
    ck_assert(list.count == 1);
    ck_assert(list.items[0].tag == afleet_tag("Fast"));
    ck_assert_uint_eq(list.items[0].host_count, 1);
    afleet_free(fleet);
}
END_TEST

/* A tag that alone would take 35 hours to fill 64 GB, ten minutes after it began: named, unless the
 * other hosts get a tenth as far every night. */
START_TEST(analyze_steep_growth_is_named_after_ten_minutes_unless_seen_elsewhere)
{
    AUTO_FINDINGS struct finding_list list = {0};
    struct afleet *fleet = afleet_new((uint64_t)_i + 50);
    for (size_t i = 0; i < 12; i++) {
        struct afleet_spec spec = {.role = "desktop",
                                   .os_build = "26100.4061",
                                   .ram_gib = 64,
                                   .uptime_hours = 40 + 5 * (double)i,
                                   .every_minute = true};
        struct afleet_row row = {.tag = "Step",
                                 .pool = POOL_NONPAGED,
                                 .shape = _i == 0 ? AFLEET_STEADY : AFLEET_BACKUP,
                                 .base = 1e6,
                                 .rate = 3e7,
                                 .block = 192};
        struct afleet_row steep = row;
        steep.shape = AFLEET_LINEAR;
        steep.rate = 1.2e9;
        steep.start_hours = 1.0 / 6 + 0.1; /* see schedule: jitter */
        afleet_add_background(fleet, afleet_add_host(fleet, &spec), 1);
        afleet_add_row(fleet, i, i == 4 ? &steep : &row);
    }
    ck_assert(afleet_analyze(fleet, 0, NULL, &list, NULL) == ST_OK);
    ck_assert_uint_eq(list.count, _i == 0 ? 1 : 0);
    ck_assert(_i > 0 || list.items[0].tag == afleet_tag("Step"));
    afleet_free(fleet);
}
END_TEST

Suite *analyze_silent_suite(void)
{
    Suite *suite = suite_create("analyze_silent");
    TCase *calm = tcase_create("silent");
    TCase *same = tcase_create("same");
    tcase_set_timeout(calm, 600);
    tcase_set_timeout(same, 120);
    tcase_add_loop_test(calm, analyze_healthy_fleet_is_silent, 0, (int)CALMS);
    tcase_add_loop_test(same, analyze_host_order_does_not_matter, 0, 4);
    tcase_add_loop_test(same, analyze_damaged_history_gives_the_same_hosts, 0,
                        (int)(sizeof damages / sizeof damages[0]));
    tcase_add_loop_test(same, analyze_version_that_uses_more_is_a_shift, 0, 4);
    tcase_add_test(same, analyze_shift_is_told_though_one_of_its_hosts_moves);
    tcase_add_loop_test(same, analyze_shift_of_two_hosts_is_told_when_both_were_seen_to_rise, 0, 2);
    tcase_add_loop_test(same, analyze_host_with_impossible_rows_is_faulty_and_changes_nothing, 0,
                        2);
    tcase_add_loop_test(same, analyze_leak_of_three_hours_is_named_after_ten_minutes, 0, 4);
    tcase_add_loop_test(same, analyze_steep_growth_is_named_after_ten_minutes_unless_seen_elsewhere,
                        0, 2);
    tcase_add_test(same, analyze_no_hosts_gives_no_findings);
    tcase_add_test(same, analyze_odd_points_are_passed_over);
    suite_add_tcase(suite, calm);
    suite_add_tcase(suite, same);
    return suite;
}
