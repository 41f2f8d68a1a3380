/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated hosts: what every snapshot must hold to, healthy or not. */
#include "agent/sim/expect.h"
#include "agent/sim/world.h"

#include <check.h>
#include <jansson.h>

Suite *sim_suite(void);

#define NOW 1795240800000000ll /* 2026-11-21T06:00:00Z */

static struct scenario_list scenarios;
static struct world world;

static void make_world(size_t healthy, const char *path, size_t rows, uint64_t seed)
{
    struct err err = {0};
    if (path != NULL)
        ck_assert_msg(scenario_list_add(&scenarios, path, &err) == ST_OK, "%s", err.message);
    struct world_options options = {.scenarios = &scenarios,
                                    .healthy_hosts = healthy,
                                    .rows = rows,
                                    .seed = seed,
                                    .now_us = NOW,
                                    .start_us = NOW - 7 * US_PER_DAY};
    ck_assert_msg(world_make(&options, &world, &err) == ST_OK, "%s", err.message);
}

static void drop_world(void)
{
    world_done(&world);
    scenario_list_done(&scenarios);
}

static struct sim_host *host_named(const char *name)
{
    for (size_t i = 0; i < world.count; i++) {
        if (strcmp(world.hosts[i].name, name) == 0)
            return &world.hosts[i];
    }
    ck_abort_msg("no host %s", name);
    return NULL;
}

static double row_sum(const struct snapshot *s, enum pool pool)
{
    double sum = 0;
    for (size_t i = 0; i < s->table[pool].count; i++)
        sum += (double)s->table[pool].bytes[i];
    return sum;
}

static void check_tables(const struct snapshot *s)
{
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        const struct snapshot_table *t = &s->table[pool];
        for (size_t i = 0; i < t->count; i++) {
            ck_assert(i == 0 || t->tag[i] > t->tag[i - 1]);
            ck_assert_uint_lt(t->tag[i], TAG_PROTECTED);
            if (counter_delta(t->allocs[i], t->frees[i]) == 0)
                ck_assert_uint_eq(t->bytes[i], 0);
        }
        double total =
            (double)s->totals.value[pool == 0 ? TOTAL_NONPAGED_BYTES : TOTAL_PAGED_BYTES];
        double sum = row_sum(s, (enum pool)pool);
        ck_assert_msg(sum < total && total < sum * 1.3 + 1e8, "rows %.0f of total %.0f", sum,
                      total);
    }
}

/* Counters only go forward: what a step adds modulo 2^32 is far below a wrap. */
static void check_step(const struct snapshot_table *before, const struct snapshot_table *now)
{
    ck_assert_uint_eq(before->count, now->count);
    for (size_t i = 0; i < now->count; i++) {
        ck_assert_uint_eq(before->tag[i], now->tag[i]);
        ck_assert_uint_lt(counter_delta(now->allocs[i], before->allocs[i]), 1u << 31);
        ck_assert_uint_lt(counter_delta(now->frees[i], before->frees[i]), 1u << 31);
    }
}

START_TEST(healthy_hosts_keep_every_invariant_for_a_week)
{
    make_world(14, NULL, 500, 5);
    for (size_t h = 0; h < world.count; h++) {
        struct sim_host *host = &world.hosts[h];
        struct snapshot before;
        snapshot_init(&before);
        double limit = host->ram_bytes * 0.25;
        for (int64_t at = NOW - 7 * US_PER_DAY; at <= NOW; at += 3 * US_PER_HOUR) {
            struct snapshot now;
            ck_assert_int_eq(host_snapshot(host, at, &now), ST_OK);
            check_tables(&now);
            bool same_boot = before.boot_at_us == now.boot_at_us;
            ck_assert_int_eq(now.sequence, same_boot ? before.sequence + 1 : 0);
            ck_assert_int_lt(now.boot_at_us, at);
            for (int pool = 0; same_boot && pool < POOL_COUNT; pool++)
                check_step(&before.table[pool], &now.table[pool]);
            ck_assert_msg((double)now.totals.value[TOTAL_NONPAGED_BYTES] < limit, "%s holds %llu",
                          host->name, (unsigned long long)now.totals.value[0]);
            ck_assert_uint_eq(now.totals.value[TOTAL_ALLOC_FAILURES], 0);
            ck_assert_uint_lt(now.totals.value[TOTAL_NONPAGED_BYTES] / 2,
                              now.totals.value[TOTAL_AVAILABLE_BYTES]);
            snapshot_done(&before);
            before = now;
        }
        snapshot_done(&before);
    }
    drop_world();
}
END_TEST

START_TEST(every_host_is_labelled_and_described)
{
    static const char *const wanted[] = {"poolfleet.simulated", "os.build", "os.name", "os.arch",
                                         "hw.ram_bytes",        "hw.model", "role"};
    make_world(12, "agent/sim/scenarios", 200, 1);
    for (size_t h = 0; h < world.count; h++) {
        struct sim_host *host = &world.hosts[h];
        struct snapshot s;
        ck_assert_int_eq(host_snapshot(host, NOW - 6 * US_PER_DAY, &s), ST_OK);
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
            ck_assert_ptr_nonnull(host_fact(host, wanted[i]));
        ck_assert_str_eq(host_fact(host, "poolfleet.simulated"), "true");
        ck_assert(s.has_attributes && s.has_drivers);
        ck_assert_uint_ge(s.driver_count, 40);
        ck_assert_uint_le(s.driver_count, 120);
        ck_assert_uint_eq(strlen(s.host_id), 36);
        for (size_t other = 0; other < h; other++)
            ck_assert_str_ne(host->id, world.hosts[other].id);
        snapshot_done(&s);
    }
    drop_world();
}
END_TEST

struct reading {
    uint32_t allocs, frees, blocks;
    uint64_t bytes;
};

/* Takes a host through the week and reads one row at its end. */
static struct reading read_at(struct sim_host *host, int64_t until, enum pool pool, const char *tag)
{
    unsigned char bytes[4];
    memcpy(bytes, tag, 4);
    struct reading reading = {0};
    int64_t at = host->last_us == TIME_UNKNOWN ? NOW - 7 * US_PER_DAY : host->last_us;
    for (at += US_PER_HOUR; at <= until; at += US_PER_HOUR) {
        struct snapshot s;
        ck_assert_int_eq(host_snapshot(host, at, &s), ST_OK);
        size_t row = snapshot_table_find(&s.table[pool], tag_from_bytes(bytes));
        if (row == SIZE_MAX) { /* this host does not have it */
            snapshot_done(&s);
            continue;
        }
        reading.allocs = s.table[pool].allocs[row];
        reading.frees = s.table[pool].frees[row];
        reading.bytes = s.table[pool].bytes[row];
        reading.blocks = counter_delta(reading.allocs, reading.frees);
        snapshot_done(&s);
    }
    return reading;
}

START_TEST(scenarios_reach_the_figures_of_their_sources)
{
    const struct {
        const char *host;
        enum pool pool;
        const char *tag;
        double blocks_min, blocks_max;
    } figures[] = {
        {"BUILD-AMD-01", POOL_NONPAGED, "Proc", 33000, 48000},
        {"BUILD-FIXED-01", POOL_NONPAGED, "Proc", 100, 1500},
        {"BUILD-NEW-01", POOL_NONPAGED, "Proc", 100, 1500},
        {"LAB-N77-01", POOL_NONPAGED, "NpPD", 1.1e6, 1.9e6},
        {"LAB-N78-01", POOL_NONPAGED, "NpPD", 0, 0},
        {"LAB-N75-01", POOL_NONPAGED, "NpPD", 0, 0},
        {"DEV-WSL-01", POOL_NONPAGED, "WCsc", 3.0e7, 4.4e7},
        {"DEV-PLAIN-01", POOL_NONPAGED, "WCsc", 0, 1000},
        {"LT-PINNED-01", POOL_NONPAGED, "NtFC", 127.1e6, 127.2e6},
        {"WS-TOKEN-01", POOL_PAGED, "Toke", 7.5e5, 1.3e6},
        {"APP-THRE-01", POOL_NONPAGED, "Thre", 1.5e6, 2.4e6},
        {"DB-MPP-01", POOL_NONPAGED, " MPP", 4.0e7, 6.2e7},
        {"QA-SIOCTL-01", POOL_PAGED, "MSKK", 3.3e5, 5.2e5},
        {"LAB-FAULT-01", POOL_NONPAGED, "Leak", 85, 140},
    };
    make_world(0, "agent/sim/scenarios", 120, 1);
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        struct reading r =
            read_at(host_named(figures[i].host), NOW, figures[i].pool, figures[i].tag);
        ck_assert_msg(r.blocks >= figures[i].blocks_min && r.blocks <= figures[i].blocks_max,
                      "%s %s holds %u blocks", figures[i].host, figures[i].tag, r.blocks);
    }
    drop_world();
}
END_TEST

START_TEST(lockstep_keeps_its_ratio_and_plateau_its_bytes)
{
    make_world(0, "agent/sim/scenarios/wsl-lockstep.json", 100, 3);
    struct sim_host *host = host_named("DEV-WSL-02");
    struct reading first = read_at(host, NOW, POOL_NONPAGED, "WCsc");
    ck_assert_uint_eq(first.frees, 0);
    size_t follower = host_row_find(host, POOL_NONPAGED, 0x45466f49); /* IoFE */
    double ratio =
        (double)(host_row_blocks(&host->rows[follower]) - host->rows[follower].base_blocks) /
        first.blocks;
    ck_assert_msg(ratio > 1.99 && ratio < 2.01, "ratio %.4f", ratio);
    drop_world();
    make_world(0, "agent/sim/scenarios/ntfs-plateau.json", 100, 3);
    host = host_named("LT-PINNED-02");
    struct reading before = read_at(host, NOW - 3 * US_PER_DAY, POOL_NONPAGED, "NtFC");
    struct reading after = read_at(host, NOW, POOL_NONPAGED, "NtFC");
    ck_assert_uint_eq(before.bytes, after.bytes);
    ck_assert_uint_gt(after.bytes, 21000000000u);
    drop_world();
}
END_TEST

START_TEST(counters_wrap_while_blocks_go_on)
{
    make_world(0, "agent/sim/scenarios/counter-wrap.json", 100, 1);
    struct sim_host *host = host_named("WS-CODEX-01");
    uint32_t allocs = 0, blocks = 0;
    unsigned wraps = 0;
    for (int day = 6; day >= 0; day--) {
        struct reading r = read_at(host, NOW - day * US_PER_DAY, POOL_NONPAGED, "NtFC");
        wraps += r.allocs < allocs;
        if (day < 4 && blocks > 0)
            ck_assert_uint_gt(r.blocks, blocks);
        allocs = r.allocs;
        blocks = day <= 3 ? r.blocks : 0;
    }
    ck_assert_uint_ge(wraps, 1);
    ck_assert_uint_gt(blocks, 50000000u);
    struct reading healthy = read_at(host_named("WS-PIPE-01"), NOW, POOL_PAGED, "NpFr");
    ck_assert_uint_lt(healthy.blocks, 100000);
    drop_world();
}
END_TEST

START_TEST(reboot_starts_counters_and_sequence_again)
{
    make_world(0, "agent/sim/scenarios/amd-process-objects.json", 100, 1);
    struct sim_host *host = host_named("BUILD-FIXED-01");
    struct snapshot s;
    struct reading before = read_at(host, NOW - 73 * US_PER_HOUR, POOL_NONPAGED, "Proc");
    ck_assert_uint_gt(before.blocks, 10000);
    ck_assert_str_eq(host_fact(host, "driver/amdkmdag.sys"), "32.0.11002.41");
    ck_assert_int_eq(host_snapshot(host, NOW - 70 * US_PER_HOUR, &s), ST_OK);
    ck_assert_int_eq(s.sequence, 0);
    ck_assert_str_eq(host_fact(host, "driver/amdkmdag.sys"), "32.0.21045.1000");
    snapshot_done(&s);
    ck_assert_uint_lt(read_at(host, NOW, POOL_NONPAGED, "Proc").blocks, 1500);
    drop_world();
}
END_TEST

START_TEST(session_fills_and_then_fails)
{
    make_world(0, "agent/sim/scenarios/session-pool.json", 100, 1);
    struct sim_host *host = host_named("TS-SESSION-01");
    for (int64_t at = NOW - 7 * US_PER_DAY; at <= NOW; at += US_PER_HOUR) {
        struct snapshot s;
        ck_assert_int_eq(host_snapshot(host, at, &s), ST_OK);
        ck_assert_uint_eq(s.session_count, 5);
        ck_assert_int_le(s.sessions[4].paged_bytes, 33333248);
        if (at == NOW) {
            ck_assert_int_eq(s.sessions[4].id, 9);
            ck_assert_int_eq(s.sessions[4].paged_bytes, 33333248);
            ck_assert_int_gt(s.sessions[4].failures, 7800);
            ck_assert_int_lt(s.sessions[4].failures, 7900);
        }
        snapshot_done(&s);
    }
    drop_world();
}
END_TEST

START_TEST(expectations_name_hosts_tags_and_causes)
{
    make_world(3, "agent/sim/scenarios", 60, 1);
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    expect_json(&world, &scenarios, NOW, 1, &text);
    json_error_t fault;
    json_t *json = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, &fault);
    ck_assert_msg(json != NULL, "%s", fault.text);
    ck_assert_str_eq(json_string_value(json_object_get(json, "as_of")), "2026-11-21T06:00:00Z");
    json_t *finding;
    size_t i, named = 0;
    json_array_foreach(json_object_get(json, "findings"), i, finding)
    {
        ck_assert_uint_gt(json_array_size(json_object_get(finding, "hosts")), 0);
        ck_assert_uint_gt(json_array_size(json_object_get(finding, "kinds")), 0);
        named += json_array_size(json_object_get(finding, "hosts"));
        if (strcmp(json_string_value(json_object_get(finding, "scenario")), "multipath-mpp") == 0)
            ck_assert_str_eq(json_string_value(json_array_get(json_object_get(finding, "tags"), 0)),
                             " MPP");
    }
    ck_assert_uint_ge(i, 11);
    ck_assert_uint_eq(named + json_array_size(json_object_get(json, "silent")), world.count);
    json_decref(json);
    drop_world();
}
END_TEST

START_TEST(unknown_role_is_refused)
{
    static const char text[] =
        "{\"name\": \"n\", \"story\": \"s\", \"source\": \"x\", \"expect\": [], \"groups\": [{"
        "\"name\": \"A\", \"count\": 1, \"role\": \"toaster\", \"os_build\": \"26100.1\","
        " \"ram_gib\": 8, \"uptime\": \"2d\"}]}";
    struct err err = {0};
    scenarios.items = calloc(1, sizeof *scenarios.items);
    ck_assert_int_eq(scenario_parse(text, sizeof text - 1, &scenarios.items[0], &err), ST_OK);
    scenarios.count = 1;
    struct world_options options = {.scenarios = &scenarios, .rows = 60, .now_us = NOW};
    ck_assert_int_eq(world_make(&options, &world, &err), ST_USAGE);
    ck_assert_ptr_nonnull(strstr(err.message, "toaster"));
    drop_world();
}
END_TEST

Suite *sim_suite(void)
{
    Suite *suite = suite_create("sim");
    TCase *hosts = tcase_create("hosts");
    tcase_set_timeout(hosts, 180);
    tcase_add_test(hosts, healthy_hosts_keep_every_invariant_for_a_week);
    tcase_add_test(hosts, every_host_is_labelled_and_described);
    tcase_add_test(hosts, reboot_starts_counters_and_sequence_again);
    tcase_add_test(hosts, unknown_role_is_refused);
    suite_add_tcase(suite, hosts);
    TCase *stories = tcase_create("stories");
    tcase_set_timeout(stories, 180);
    tcase_add_test(stories, scenarios_reach_the_figures_of_their_sources);
    tcase_add_test(stories, lockstep_keeps_its_ratio_and_plateau_its_bytes);
    tcase_add_test(stories, counters_wrap_while_blocks_go_on);
    tcase_add_test(stories, session_fills_and_then_fails);
    tcase_add_test(stories, expectations_name_hosts_tags_and_causes);
    suite_add_tcase(suite, stories);
    return suite;
}
