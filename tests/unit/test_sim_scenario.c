/* SPDX-License-Identifier: Apache-2.0 */
/* The readers of scenario files and of the command line. */
#include "agent/sim/options.h"
#include "agent/sim/scenario.h"

#include <check.h>

Suite *sim_scenario_suite(void);

#define GROUP                                                                                      \
    "{\"name\": \"A\", \"count\": 2, \"role\": \"web\", \"os_build\": \"26100.1\","                \
    " \"ram_gib\": 8, \"uptime\": \"2d\"}"
#define HEAD   "{\"name\": \"n\", \"story\": \"s\", \"source\": \"x\", \"groups\": [" GROUP "]"
#define ROW    "\"tag\": \"Leak\", \"pool\": \"nonpaged\", \"block_bytes\": 64"
#define LINEAR "{" ROW ", \"shape\": \"linear\", \"rate_per_hour\": 5}"

static const struct {
    const char *text;
    enum status status;
    const char *field;
} cases[] = {
    {HEAD ", \"expect\": []}", ST_OK, ""},
    {HEAD ", \"rows\": [" LINEAR "], \"expect\": [{\"kinds\": [\"leak\"], \"group\": \"A\","
          " \"cause\": null}]}",
     ST_OK, ""},
    {"{", ST_MALFORMED, ""},
    {"[]", ST_INVALID, ""},
    {"{\"name\": \"n\", \"name\": \"m\"}", ST_MALFORMED, ""},
    {HEAD "}", ST_INVALID, "expect"},
    {HEAD ", \"expect\": [], \"colour\": 1}", ST_INVALID, "colour"},
    {HEAD ", \"expect\": {}}", ST_INVALID, "expect"},
    {"{\"name\": \"n\", \"story\": \"s\", \"expect\": []}", ST_INVALID, "source"},
    {"{\"name\": \"n\", \"story\": \"s\", \"source\": \"x\", \"expect\": []}", ST_INVALID,
     "groups"},
    {"{\"name\": \"\", \"story\": \"s\", \"source\": \"x\", \"expect\": []}", ST_INVALID, "name"},
    {HEAD ", \"rows\": [{" ROW ", \"shape\": \"linear\"}], \"expect\": []}", ST_INVALID,
     "rows[0].rate_per_hour"},
    {HEAD ", \"rows\": [" LINEAR ", {" ROW ", \"shape\": \"curved\"}], \"expect\": []}", ST_INVALID,
     "rows[1].shape"},
    {HEAD ", \"rows\": [{\"tag\": \"Lea\", \"pool\": \"paged\", \"block_bytes\": 16,"
          " \"shape\": \"churn\"}], \"expect\": []}",
     ST_INVALID, "rows[0].tag"},
    {HEAD ", \"rows\": [{" ROW ", \"shape\": \"plateau\", \"rate_per_hour\": 5}],"
          " \"expect\": []}",
     ST_INVALID, "rows[0].limit_blocks"},
    {HEAD ", \"rows\": [{" ROW ", \"shape\": \"stair\", \"rate_per_hour\": 5}],"
          " \"expect\": []}",
     ST_INVALID, "rows[0].period"},
    {HEAD ", \"rows\": [{" ROW ", \"shape\": \"bursty\", \"rate_per_hour\": 5,"
          " \"period\": \"1m\", \"burst\": \"2m\"}], \"expect\": []}",
     ST_INVALID, "rows[0].burst"},
    {HEAD ", \"rows\": [{" ROW ", \"shape\": \"lockstep\", \"leader\": \"Nope\", \"ratio\": 1}],"
          " \"expect\": []}",
     ST_INVALID, "rows[0].leader"},
    {HEAD ", \"rows\": [{" ROW ", \"shape\": \"linear\", \"rate_per_hour\": -1}],"
          " \"expect\": []}",
     ST_INVALID, "rows[0].rate_per_hour"},
    {HEAD ", \"rows\": [{" ROW ", \"shape\": \"linear\", \"rate_per_hour\": 1,"
          " \"start\": \"2h\"}], \"expect\": []}",
     ST_INVALID, "rows[0].start"},
    {HEAD ", \"rows\": [{" ROW ", \"shape\": \"linear\", \"rate_per_hour\": 1,"
          " \"while\": {\"attribute\": \"a\"}}], \"expect\": []}",
     ST_INVALID, "rows[0].value"},
    {HEAD ", \"objects\": [{\"type\": \"T\", \"tag\": \"Nope\", \"handles\": true}],"
          " \"expect\": []}",
     ST_INVALID, "objects[0].tag"},
    {HEAD ", \"expect\": [{\"kinds\": [\"leek\"], \"group\": \"A\"}]}", ST_INVALID,
     "expect[0].kinds[0]"},
    {HEAD ", \"expect\": [{\"kinds\": [\"leak\"], \"group\": \"B\"}]}", ST_INVALID,
     "expect[0].group"},
    {HEAD ", \"expect\": [{\"kinds\": [], \"group\": \"A\"}]}", ST_INVALID, "expect[0].kinds"},
    {HEAD ", \"expect\": [{\"kinds\": [\"leak\"], \"group\": \"A\", \"also\": \"B\"}]}", ST_INVALID,
     "expect[0].also"},
};

START_TEST(scenario_fault_is_told_with_its_path)
{
    struct scenario scenario = {0};
    struct err err = {0};
    enum status st = scenario_parse(cases[_i].text, strlen(cases[_i].text), &scenario, &err);
    ck_assert_msg(st == cases[_i].status, "case %d: %d \"%s\" at \"%s\"", _i, (int)st, err.message,
                  err.field);
    ck_assert_str_eq(err.field, cases[_i].field);
    if (st != ST_OK) {
        ck_assert(err.message[0] != '\0');
        ck_assert_ptr_null(scenario.name);
    }
    scenario_done(&scenario);
}
END_TEST

START_TEST(scenario_lockstep_follows_a_row_of_the_same_hosts)
{
    const char *text = HEAD
        ", \"rows\": [{" ROW ", \"shape\": \"linear\", \"rate_per_hour\": 1},"
        "{" ROW ", \"shape\": \"linear\", \"rate_per_hour\": 1, \"on\": \"unaffected\"},"
        "{\"tag\": \"Foll\", \"pool\": \"paged\", \"block_bytes\": 16, \"shape\": \"lockstep\","
        " \"on\": \"unaffected\", \"leader\": \"Leak\", \"ratio\": 2}], \"expect\": []}";
    struct scenario scenario = {0};
    struct err err = {0};
    ck_assert_msg(scenario_parse(text, strlen(text), &scenario, &err) == ST_OK, "%s %s", err.field,
                  err.message);
    ck_assert_uint_eq(scenario.rows[2].leader, 1);
    scenario_done(&scenario);
}
END_TEST

START_TEST(scenario_files_all_read)
{
    struct scenario_list list = {0};
    struct err err = {0};
    ck_assert_msg(scenario_list_add(&list, "agent/sim/scenarios", &err) == ST_OK, "%s",
                  err.message);
    ck_assert_uint_ge(list.count, 15);
    size_t hosts = 0, silent = 0;
    for (size_t i = 0; i < list.count; i++) {
        silent += list.items[i].expect_count == 0;
        for (size_t g = 0; g < list.items[i].group_count; g++)
            hosts += (size_t)list.items[i].groups[g].count;
    }
    ck_assert_uint_ge(silent, 3);
    ck_assert_uint_le(hosts, 120);
    ck_assert_int_eq(scenario_list_add(&list, "agent/sim/scenarios", &err), ST_USAGE); /* twice */
    ck_assert_int_eq(scenario_list_add(&list, "agent/sim/no-such-folder", &err), ST_USAGE);
    scenario_list_done(&list);
}
END_TEST

START_TEST(duration_reads_units_and_refuses_the_rest)
{
    const struct {
        const char *text;
        bool ok;
        int64_t us;
    } durations[] = {
        {"0", true, 0},
        {"90s", true, 90 * US_PER_SECOND},
        {"1d12h", true, 36 * US_PER_HOUR},
        {"7d", true, 7 * US_PER_DAY},
        {"4m3s", true, 243 * US_PER_SECOND},
        {"", false, 0},
        {"5", false, 0},
        {"h", false, 0},
        {"-1h", false, 0},
        {"1.5h", false, 0},
        {"1w", false, 0},
        {"1h ", false, 0},
        {"99999d", false, 0},
        {"99999999999999999999s", false, 0},
        {"3660d3660d", false, 0},
    };
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        int64_t us = -1;
        ck_assert_msg(duration_parse(durations[i].text, &us) == durations[i].ok, "\"%s\"",
                      durations[i].text);
        ck_assert_int_eq(us, durations[i].ok ? durations[i].us : -1);
    }
}
END_TEST

static enum status parse(struct sim_options *options, struct err *err, const char *a, const char *b,
                         const char *c, const char *d)
{
    char *argv[] = {(char *)(uintptr_t) "poolfleet-sim", (char *)(uintptr_t)a, (char *)(uintptr_t)b,
                    (char *)(uintptr_t)c, (char *)(uintptr_t)d};
    int argc = 1;
    while (argc < 5 && argv[argc] != NULL)
        argc++;
    return options_parse(argc, argv, options, err);
}

START_TEST(options_read_values_and_name_the_wrong_flag)
{
    struct sim_options o;
    struct err err = {0};
    ck_assert_int_eq(parse(&o, &err, "--backfill", "7d", "--seed=9", NULL), ST_OK);
    ck_assert_int_eq(o.backfill_us, 7 * US_PER_DAY);
    ck_assert_uint_eq(o.seed, 9);
    ck_assert_int_eq(o.duration_us, INT64_MAX);
    ck_assert_int_eq(parse(&o, &err, "--output=-", NULL, NULL, NULL), ST_OK);
    ck_assert_int_eq(o.duration_us, 0);
    ck_assert_int_eq(parse(&o, &err, "--now", "2026-11-21T02:00:00Z", NULL, NULL), ST_OK);
    const struct {
        const char *a, *b, *said;
    } wrong[] = {
        {"--hosts", "many", "--hosts"},     {"--hosts", "-1", "--hosts"},
        {"--tags", "1", "--tags"},          {"--tags", "99999", "--tags"},
        {"--interval", "0", "--interval"},  {"--interval", "5", "--interval"},
        {"--now", "yesterday", "--now"},    {"--speed", "nan", "--speed"},
        {"--speed", "10", "--speed"},       {"--progress=yes", NULL, "--progress"},
        {"--scenario", NULL, "--scenario"}, {"--colour", "red", "--colour"},
        {"fleet", NULL, "fleet"},           {"--seed", "1x", "--seed"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        memset(&err, 0, sizeof err);
        ck_assert_msg(parse(&o, &err, wrong[i].a, wrong[i].b, NULL, NULL) == ST_USAGE, "case %zu",
                      i);
        ck_assert_msg(strstr(err.message, wrong[i].said) != NULL, "%s", err.message);
    }
}
END_TEST

START_TEST(options_help_tells_every_flag)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    options_help(&text);
    static const char *const flags[] = {"--scenario", "--hosts",    "--tags",    "--backfill ",
                                        "--interval", "--speed",    "--server",  "--token-file",
                                        "--seed",     "--now",      "--output",  "--list",
                                        "--expect",   "--duration", "--progress"};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        ck_assert_msg(strstr(text.data, flags[i]) != NULL, "%s", flags[i]);
}
END_TEST

Suite *sim_scenario_suite(void)
{
    Suite *suite = suite_create("sim_scenario");
    TCase *reader = tcase_create("reader");
    tcase_add_loop_test(reader, scenario_fault_is_told_with_its_path, 0,
                        (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(reader, scenario_lockstep_follows_a_row_of_the_same_hosts);
    tcase_add_test(reader, scenario_files_all_read);
    suite_add_tcase(suite, reader);
    TCase *command = tcase_create("command line");
    tcase_add_test(command, duration_reads_units_and_refuses_the_rest);
    tcase_add_test(command, options_read_values_and_name_the_wrong_flag);
    tcase_add_test(command, options_help_tells_every_flag);
    suite_add_tcase(suite, command);
    return suite;
}
