/* SPDX-License-Identifier: Apache-2.0 */
/* What the analysis must find: each story in a healthy fleet, over several seeds, with the right
 * hosts, tag, kind and cause. */
#include "tests/support/analyze_fleet.h"

#include <check.h>
#include <math.h>
#include <string.h>

/* Sanitizers look for faults of memory, which two seeds show as well as six. */
#ifdef __SANITIZE_ADDRESS__
#define SEEDS 2 /* one of each size of fleet */
#else
#define SEEDS 6
#endif

Suite *analyze_incidents_suite(void);

struct scene {
    struct afleet *fleet;
    struct finding_list list;
    size_t affected[64];
    size_t affected_count;
};

static size_t add_like(struct scene *scene, const char *role, const char *build, double ram_gib,
                       double uptime, bool affected)
{
    struct afleet_spec spec = {.role = role,
                               .os_build = build,
                               .ram_gib = ram_gib,
                               .uptime_hours = uptime,
                               .boot_every_hours = 150};
    size_t host = afleet_add_host(scene->fleet, &spec);
    if (affected)
        scene->affected[scene->affected_count++] = host;
    afleet_add_fact(scene->fleet, host, "driver/ntfs.sys", build, -1);
    afleet_add_background(scene->fleet, host, strcmp(role, "web") == 0 ? 2 : 1);
    return host;
}

/* Process objects kept by a display driver's old version; the new version is flat. */
static void make_process_objects(struct scene *scene)
{
    for (size_t i = 0; i < 20; i++) {
        size_t host = add_like(scene, "build-agent", "26100.4061", 64, 60 + (double)i * 9, i < 8);
        afleet_add_fact(scene->fleet, host, "driver/amdkmdag.sys",
                        i < 8 ? "32.0.11002.41" : "32.0.21045.1000", -1);
        if (i < 8)
            afleet_add_row(scene->fleet, host,
                           &(struct afleet_row){.tag = "Proc",
                                                .pool = POOL_NONPAGED,
                                                .shape = AFLEET_LINEAR,
                                                .base = 1e6,
                                                .rate = 1.1e6 + 1e5 * (double)i,
                                                .noise = 0.05,
                                                .start_hours = AFLEET_FROM_BOOT,
                                                .churn = 3000,
                                                .block = 2560});
    }
}

/* Two bad versions of a packet driver among five. */
static void make_packets(struct scene *scene)
{
    static const char *const versions[] = {"1.71", "1.73", "1.75", "1.76", "1.77"};
    for (size_t i = 0; i < 30; i++) {
        bool bad = i % 5 >= 3;
        size_t host = add_like(scene, "web", "20348.2402", 32, 80 + (double)i * 6, bad);
        afleet_add_fact(scene->fleet, host, "driver/npcap.sys", versions[i % 5], -1);
        afleet_add_row(scene->fleet, host,
                       &(struct afleet_row){.tag = "NPCA",
                                            .pool = POOL_NONPAGED,
                                            .shape = bad ? AFLEET_LINEAR : AFLEET_STEADY,
                                            .base = 3e6,
                                            .rate = 9e6,
                                            .noise = 0.02,
                                            .start_hours = AFLEET_FROM_BOOT,
                                            .churn = 50000,
                                            .block = 256});
    }
}

/* Seven tags in step; the biggest is a victim, the first mover small and never freed. */
static void make_lockstep(struct scene *scene)
{
    static const struct {
        const char *tag;
        double block;
        double ratio;
        double churn;
    } tags[] = {{"WCsc", 128, 1, 0},       {"NtfC", 1040, 1.004, 9e5}, {"IoFE", 160, 1.999, 4e5},
                {"FMsl", 224, 1.011, 7e5}, {"Ntf0", 352, 1.022, 8e5},  {"MmCa", 416, 1.003, 5e5}};
    for (size_t i = 0; i < 12; i++) {
        bool bad = i < 4;
        size_t host = add_like(scene, "developer", "26100.4061", 64, 30 + (double)i * 5, bad);
        afleet_add_fact(scene->fleet, host, "driver/wcifs.sys", "10.0.26100.4061", -1);
        for (size_t k = 0; k < sizeof tags / sizeof tags[0]; k++) {
            struct afleet_row row = {.tag = tags[k].tag,
                                     .pool = POOL_NONPAGED,
                                     .shape = AFLEET_STEADY,
                                     .base = 2e4 * tags[k].block,
                                     .block = tags[k].block,
                                     .churn = tags[k].churn,
                                     .noise = 0.01,
                                     .start_hours = 1.3};
            if (bad) {
                row.shape = AFLEET_LINEAR;
                row.rate = 9e6 * tags[k].ratio * tags[k].block;
            }
            afleet_add_row(scene->fleet, host, &row);
        }
    }
}

/* Taken in a day and held ever since. */
static void make_plateau(struct scene *scene)
{
    for (size_t i = 0; i < 16; i++) {
        size_t host = add_like(scene, "laptop", "26200.9457", 32, 150 + (double)i, i < 3);
        afleet_add_row(scene->fleet, host,
                       &(struct afleet_row){.tag = "NtFC",
                                            .pool = POOL_NONPAGED,
                                            .shape = i < 3 ? AFLEET_PLATEAU : AFLEET_STEADY,
                                            .base = 20e6,
                                            .rate = 1.2e9,
                                            .limit = 21.3e9,
                                            .start_hours = 130,
                                            .block = 168});
    }
}

/* Tokens in bursts. */
static void make_bursts(struct scene *scene)
{
    for (size_t i = 0; i < 14; i++) {
        bool bad = i < 4;
        size_t host = add_like(scene, "ci", "26100.4061", 32, 140 + (double)i, bad);
        if (bad)
            afleet_add_row(scene->fleet, host,
                           &(struct afleet_row){.tag = "Toke",
                                                .pool = POOL_PAGED,
                                                .shape = AFLEET_BURSTY,
                                                .base = 9e6,
                                                .rate = 8e6,
                                                .period = 9,
                                                .start_hours = 120,
                                                .churn = 200000,
                                                .block = 2048,
                                                .noise = 0.02});
    }
}

/* Threads that one program holds by handles. */
static void make_threads(struct scene *scene)
{
    for (size_t i = 0; i < 12; i++) {
        bool bad = i < 3;
        size_t host = add_like(scene, "kiosk", "22631.4317", 16, 100 + (double)i, bad);
        if (!bad)
            continue;
        afleet_add_row(scene->fleet, host,
                       &(struct afleet_row){.tag = "Thre",
                                            .pool = POOL_NONPAGED,
                                            .shape = AFLEET_LINEAR,
                                            .base = 8e6,
                                            .rate = 40e6,
                                            .start_hours = 90,
                                            .churn = 30000,
                                            .block = 2304});
        afleet_add_objects(scene->fleet, host, "Thread", "Thre", "TestApp.exe");
    }
}

/* 10 GB by one version of a storage driver. */
static void make_multipath(struct scene *scene)
{
    for (size_t i = 0; i < 14; i++) {
        bool bad = i < 5;
        size_t host = add_like(scene, "database", "17763.5820", 128, 700 + (double)i, bad);
        afleet_add_fact(scene->fleet, host, "driver/ds4dsm.sys", bad ? "4.2.1" : "4.3.0", -1);
        afleet_add_row(scene->fleet, host,
                       &(struct afleet_row){.tag = " MPP",
                                            .pool = POOL_NONPAGED,
                                            .shape = bad ? AFLEET_LINEAR : AFLEET_STEADY,
                                            .base = 2e6,
                                            .rate = 15e6,
                                            .start_hours = AFLEET_FROM_BOOT,
                                            .block = 1024});
    }
}

static void make_paged_driver(struct scene *scene)
{
    for (size_t i = 0; i < 12; i++) {
        bool bad = i < 4;
        size_t host = add_like(scene, "office", "19045.5011", 16, 90 + (double)i * 4, bad);
        if (!bad)
            continue;
        afleet_add_fact(scene->fleet, host, "driver/SIoctl.sys", "1.0", -1);
        afleet_add_row(scene->fleet, host,
                       &(struct afleet_row){.tag = "MSKK",
                                            .pool = POOL_PAGED,
                                            .shape = AFLEET_LINEAR,
                                            .base = 1e5,
                                            .rate = 12e6,
                                            .start_hours = AFLEET_FROM_BOOT,
                                            .block = 512});
    }
}

/* Minutes old and fast, on one host. */
static void make_fast(struct scene *scene)
{
    for (size_t i = 0; i < 10; i++) {
        size_t host = add_like(scene, "lab", "26100.4061", 16, 70 + (double)i, i == 0);
        if (i == 0)
            afleet_add_row(scene->fleet, host,
                           &(struct afleet_row){.tag = "Leak",
                                                .pool = POOL_NONPAGED,
                                                .shape = AFLEET_LINEAR,
                                                .rate = 3.6e9,
                                                .start_hours = 0.8,
                                                .block = 4096});
    }
}

/* Counters that wrap on the way. */
static void make_wrap(struct scene *scene)
{
    for (size_t i = 0; i < 12; i++) {
        bool bad = i < 3;
        size_t host = add_like(scene, "relay", "26100.4061", 32, 160 + (double)i, bad);
        afleet_add_row(scene->fleet, host,
                       &(struct afleet_row){.tag = "Even",
                                            .pool = POOL_NONPAGED,
                                            .shape = bad ? AFLEET_LINEAR : AFLEET_STEADY,
                                            .base = 6e6,
                                            .rate = 6e6,
                                            .start_hours = 150,
                                            .churn = 12e6,
                                            .block = 128,
                                            .noise = 0.02,
                                            .count_base = 4294000000u - (uint32_t)i * 70000000u});
    }
}

/* Near the limit, and the file server says so. */
static void make_exhaustion(struct scene *scene)
{
    for (size_t i = 0; i < 10; i++) {
        size_t host = add_like(scene, "legacy", "14393.7515", 8, 400 + (double)i, i < 2);
        if (i >= 2)
            continue;
        afleet_add_row(scene->fleet, host,
                       &(struct afleet_row){.tag = "LSwn",
                                            .pool = POOL_NONPAGED,
                                            .shape = AFLEET_STEADY,
                                            .base = 950e6,
                                            .block = 1024});
        afleet_set_limits(scene->fleet, host, 1024 * AFLEET_MIB);
        afleet_add_event(scene->fleet, host, 2019, 3);
    }
}

static void make_session(struct scene *scene)
{
    for (size_t i = 0; i < 8; i++) {
        size_t host = add_like(scene, "session-host", "20348.2402", 32, 100 + (double)i, i == 0);
        if (i == 0)
            afleet_add_session(scene->fleet, host, 300);
    }
}

static const struct story {
    const char *name;
    void (*make)(struct scene *scene);
    enum finding_kind kind;
    enum finding_kind other; /* allowed as well */
    enum pool pool;
    const char *tag;
    const char *attribute; /* of the best cause; NULL: none is asked for */
    const char *value;     /* NULL: any */
    double confidence;
    double exhausts_hours; /* of the worst host; 0: not asked for */
} stories[] = {
    {"process objects", make_process_objects, FINDING_LEAK, FINDING_LEAK, POOL_NONPAGED, "Proc",
     "driver/amdkmdag.sys", "32.0.11002.41", 0.8, 0},
    {"packets", make_packets, FINDING_LEAK, FINDING_LEAK, POOL_NONPAGED, "NPCA", "driver/npcap.sys",
     NULL, 0.8, 0},
    {"lockstep", make_lockstep, FINDING_LEAK, FINDING_LEAK, POOL_NONPAGED, "WCsc", NULL, NULL, 0.8,
     1.15},
    {"plateau", make_plateau, FINDING_PLATEAU, FINDING_LEVEL, POOL_NONPAGED, "NtFC", NULL, NULL,
     0.8, 0},
    {"bursts", make_bursts, FINDING_LEAK, FINDING_HANDLE_LEAK, POOL_PAGED, "Toke", NULL, NULL, 0.8,
     0},
    {"threads", make_threads, FINDING_HANDLE_LEAK, FINDING_HANDLE_LEAK, POOL_NONPAGED, "Thre", NULL,
     NULL, 0.8, 226},
    {"multipath", make_multipath, FINDING_LEAK, FINDING_LEAK, POOL_NONPAGED, " MPP",
     "driver/ds4dsm.sys", "4.2.1", 0.8, 0},
    {"paged driver", make_paged_driver, FINDING_LEAK, FINDING_LEAK, POOL_PAGED, "MSKK",
     "driver/SIoctl.sys", "1.0", 0.8, 0},
    {"fast", make_fast, FINDING_LEAK, FINDING_LEAK, POOL_NONPAGED, "Leak", NULL, NULL, 0.6, 2.7},
    {"wrap", make_wrap, FINDING_LEAK, FINDING_LEAK, POOL_NONPAGED, "Even", NULL, NULL, 0.8, 0},
    {"exhaustion", make_exhaustion, FINDING_EXHAUSTION, FINDING_EXHAUSTION, POOL_NONPAGED, "LSwn",
     NULL, NULL, 0.8, 0},
    {"session", make_session, FINDING_EXHAUSTION, FINDING_EXHAUSTION, POOL_PAGED, NULL, NULL, NULL,
     0.8, 0},
};
#define STORIES (sizeof stories / sizeof stories[0])

static bool is_affected(const struct scene *scene, const char *id)
{
    for (size_t i = 0; i < scene->affected_count; i++) {
        if (strcmp(afleet_host_id(scene->fleet, scene->affected[i]), id) == 0)
            return true;
    }
    return false;
}

static const struct finding *find_story(const struct scene *scene, const struct story *story)
{
    for (size_t i = 0; i < scene->list.count; i++) {
        const struct finding *finding = &scene->list.items[i];
        if ((finding->kind == story->kind || finding->kind == story->other) &&
            finding->pool == story->pool &&
            (story->tag == NULL || finding->tag == afleet_tag(story->tag)))
            return finding;
    }
    return NULL;
}

static void tell(const struct scene *scene)
{
    for (size_t i = 0; i < scene->list.count; i++) {
        const struct finding *finding = &scene->list.items[i];
        printf("    %s %.2f %s\n", finding_kind_name(finding->kind), finding->confidence,
               finding->summary);
        for (size_t k = 0; k < finding->evidence_count; k++)
            printf("      %s\n", finding->evidence[k]);
    }
}

static void check_hosts(const struct scene *scene, const struct story *story,
                        const struct finding *finding)
{
    for (size_t i = 0; i < finding->host_count; i++)
        ck_assert_msg(is_affected(scene, finding->hosts[i].id), "%s: %s is innocent", story->name,
                      finding->hosts[i].id);
    ck_assert_msg(finding->host_count == scene->affected_count, "%s: %zu hosts of %zu", story->name,
                  finding->host_count, scene->affected_count);
}

static void check_story(const struct scene *scene, const struct story *story)
{
    const struct finding *finding = find_story(scene, story);
    if (finding == NULL || getenv("ANALYZE_TELL") != NULL)
        tell(scene);
    ck_assert_msg(finding != NULL, "%s: not found", story->name);
    check_hosts(scene, story, finding);
    ck_assert_msg(finding->confidence >= story->confidence, "%s: confidence %.2f", story->name,
                  finding->confidence);
    if (story->attribute != NULL) {
        ck_assert_msg(finding->cause_count > 0, "%s: no cause", story->name);
        ck_assert_str_eq(finding->causes[0].attribute, story->attribute);
        if (story->value != NULL)
            ck_assert_str_eq(finding->causes[0].value, story->value);
        ck_assert(finding->causes[0].q_value <= 0.05);
    }
    if (story->exhausts_hours > 0) {
        int64_t p50 = finding->hosts[0].exhausts_p50_us;
        ck_assert(p50 != TIME_UNKNOWN && finding->hosts[0].limit != NULL);
        double hours = (double)(p50 - AFLEET_NOW_US) / (double)US_PER_HOUR;
        ck_assert_msg(fabs(hours / story->exhausts_hours - 1) < 0.15, "%s: in %.2f hours",
                      story->name, hours);
        ck_assert(finding->hosts[0].exhausts_p10_us <= p50);
    }
    for (size_t i = 0; i < scene->list.count; i++) /* nothing else is said about anybody */
        for (size_t k = 0; k < scene->list.items[i].host_count; k++)
            ck_assert_msg(is_affected(scene, scene->list.items[i].hosts[k].id),
                          "%s: false finding: %s", story->name, scene->list.items[i].summary);
}

static void run_story(const struct story *story, uint64_t seed, size_t healthy)
{
    struct scene scene = {.fleet = afleet_new(seed)};
    struct err err = {0};
    afleet_add_healthy(scene.fleet, healthy);
    story->make(&scene);
    ck_assert_msg(afleet_analyze(scene.fleet, seed, NULL, &scene.list, &err) == ST_OK, "%s",
                  err.message);
    check_story(&scene, story);
    finding_list_done(&scene.list);
    afleet_free(scene.fleet);
}

START_TEST(analyze_incident_in_fleet_is_named)
{
    size_t which = (size_t)_i % STORIES;
    uint64_t seed = (uint64_t)_i / STORIES + 1;
    run_story(&stories[which], seed, seed % 2 == 0 ? 40 : 15);
}
END_TEST

/* One driver takes much of the tag and rests; on other hosts another frees most and still grows. */
START_TEST(analyze_plateau_beside_leak_of_same_tag_are_two_findings)
{
    struct scene scene = {.fleet = afleet_new(3)};
    struct err err = {0};
    afleet_add_healthy(scene.fleet, 15);
    make_plateau(&scene);
    for (size_t i = 0; i < 3; i++) {
        size_t host = add_like(&scene, "laptop", "26200.9457", 32, 150, true);
        afleet_add_row(scene.fleet, host,
                       &(struct afleet_row){.tag = "NtFC",
                                            .pool = POOL_NONPAGED,
                                            .shape = AFLEET_LINEAR,
                                            .base = 20e6,
                                            .rate = 1.2e8,
                                            .start_hours = AFLEET_FROM_BOOT,
                                            .churn = 1.6e7,
                                            .block = 168});
    }
    ck_assert_int_eq(afleet_analyze(scene.fleet, 3, NULL, &scene.list, &err), ST_OK);
    ck_assert_uint_eq(scene.list.count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct finding *finding = &scene.list.items[i];
        bool leak = finding->kind == FINDING_LEAK;
        ck_assert(leak != (scene.list.items[1 - i].kind == FINDING_LEAK));
        ck_assert_uint_eq(finding->host_count, 3);
        for (size_t k = 0; k < 3; k++) {
            const char *id = afleet_host_id(scene.fleet, scene.affected[(leak ? 3 : 0) + k]);
            ck_assert(strcmp(finding->hosts[0].id, id) == 0 ||
                      strcmp(finding->hosts[1].id, id) == 0 ||
                      strcmp(finding->hosts[2].id, id) == 0);
        }
    }
    finding_list_done(&scene.list);
    afleet_free(scene.fleet);
}
END_TEST

/* From the boot on, as a cache would, but nobody else has the tag and nothing is ever freed. */
START_TEST(analyze_row_of_one_host_since_boot_is_named_when_it_took_much)
{
    for (int much = 0; much < 2; much++) {
        struct scene scene = {.fleet = afleet_new(5)};
        struct err err = {0};
        afleet_add_healthy(scene.fleet, 15);
        size_t host = add_like(&scene, "desktop", "19045.5011", 8, 48, true);
        afleet_add_row(scene.fleet, host,
                       &(struct afleet_row){.tag = "MSKK",
                                            .pool = POOL_PAGED,
                                            .shape = AFLEET_LINEAR,
                                            .rate = much ? 35e6 : 3e6,
                                            .start_hours = AFLEET_FROM_BOOT,
                                            .block = 4096});
        ck_assert_int_eq(afleet_analyze(scene.fleet, 5, NULL, &scene.list, &err), ST_OK);
        bool told = scene.list.count == 1 && scene.list.items[0].severity >= SEVERITY_WARNING;
        ck_assert_int_eq(told, much);
        finding_list_done(&scene.list);
        afleet_free(scene.fleet);
    }
}
END_TEST

/* Nothing explains it and the pool lasts for weeks: told at once, a warning once it has lasted. */
START_TEST(analyze_slow_doubtful_growth_is_a_warning_after_three_days)
{
    static const double begun[] = {40, 100};
    for (size_t k = 0; k < 2; k++) {
        struct scene scene = {.fleet = afleet_new(6)};
        struct err err = {0};
        afleet_add_healthy(scene.fleet, 9);
        size_t host = add_like(&scene, "desktop", "19045.5011", 64, 300, false);
        afleet_add_row(scene.fleet, host,
                       &(struct afleet_row){.tag = "Slow",
                                            .pool = POOL_NONPAGED,
                                            .shape = AFLEET_LINEAR,
                                            .rate = 60e6,
                                            .start_hours = begun[k],
                                            .block = 4096});
        ck_assert_int_eq(afleet_analyze(scene.fleet, 5, NULL, &scene.list, &err), ST_OK);
        ck_assert_uint_eq(scene.list.count, 1);
        ck_assert_msg(scene.list.items[0].severity == (k == 0 ? SEVERITY_INFO : SEVERITY_WARNING),
                      "%g h: %s, confidence %.2f", begun[k], scene.list.items[0].summary,
                      scene.list.items[0].confidence);
        finding_list_done(&scene.list);
        afleet_free(scene.fleet);
    }
}
END_TEST

Suite *analyze_incidents_suite(void)
{
    Suite *suite = suite_create("analyze_incidents");
    TCase *incidents = tcase_create("incidents");
    tcase_set_timeout(incidents, 60);
    tcase_add_loop_test(incidents, analyze_incident_in_fleet_is_named, 0, (int)(STORIES * SEEDS));
    tcase_add_test(incidents, analyze_plateau_beside_leak_of_same_tag_are_two_findings);
    tcase_add_test(incidents, analyze_row_of_one_host_since_boot_is_named_when_it_took_much);
    tcase_add_test(incidents, analyze_slow_doubtful_growth_is_a_warning_after_three_days);
    suite_add_tcase(suite, incidents);
    return suite;
}
