/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/finding_fix.h"
#include "server/fix/fix.h"

#include <check.h>
#include <math.h>
#include <string.h>

Suite *fix_suite(void);

#define T0    (20500 * US_PER_DAY)
#define MB    (1024.0 * 1024.0)
#define STEPS 400

/* Readings every half hour from T0 - 100 h; a change (and a restart) at T0. */
struct made {
    int64_t t[STEPS], boot[STEPS];
    double bytes[STEPS];
    struct fix_series series;
};

static void make(struct made *made, double before, double after, size_t after_count)
{
    size_t count = 200 + after_count;

    for (size_t i = 0; i < count; i++) {
        bool later = i >= 200;
        made->t[i] = T0 + ((int64_t)i - 200) * US_PER_HOUR / 2;
        made->boot[i] = later ? T0 : T0 - 100 * US_PER_HOUR;
        double hours = (double)(made->t[i] - made->boot[i]) / US_PER_HOUR;
        made->bytes[i] = 50 * MB + (later ? after : before) * hours + (i % 2 ? 0.1 * MB : 0);
    }
    made->series = (struct fix_series){count, made->t, made->boot, made->bytes};
}

static struct fix_host moved(double before, double after, size_t after_count)
{
    static struct made made;
    struct fix_host host = {.moved = true, .changed_us = T0};

    make(&made, before, after, after_count);
    fix_judge_host(&host, &made.series);
    return host;
}

static struct fix_host stays(double rate)
{
    static struct made made;
    struct fix_host host = {.changed_us = TIME_UNKNOWN};

    make(&made, rate, rate, 100);
    fix_judge_host(&host, &made.series);
    return host;
}

static const struct {
    const char *what;
    double before, after; /* MB per hour */
    size_t after_count;   /* half hours */
    enum fix_growth growth;
} host_cases[] = {
    {"grew and stopped", 10, 0, 100, FIX_STOPPED},
    {"grew and grows as before", 10, 10, 100, FIX_GROWING},
    {"grew and grows a third as fast", 10, 3.4, 100, FIX_GROWING},
    {"grew and grows a tenth as fast", 10, 1, 100, FIX_STOPPED},
    {"just restarted", 10, 0, 8, FIX_EARLY},
    {"nothing after", 10, 0, 0, FIX_EARLY},
    {"never grew", 0, 0, 100, FIX_UNMEASURED},
    {"shrank before", -5, 0, 100, FIX_UNMEASURED},
};

START_TEST(fix_host_is_judged_by_its_own_growth_before)
{
    struct fix_host host =
        moved(host_cases[_i].before * MB, host_cases[_i].after * MB, host_cases[_i].after_count);
    ck_assert_msg(host.growth == host_cases[_i].growth, "%s: %s", host_cases[_i].what,
                  fix_growth_names[host.growth]);
}
END_TEST

START_TEST(fix_measure_reads_the_slope_within_boots)
{
    static struct made made;

    make(&made, 10 * MB, 10 * MB, 100);
    struct fix_rate rate = fix_measure(&made.series, T0 - 50 * US_PER_HOUR, T0 + 50 * US_PER_HOUR);
    ck_assert_double_eq_tol(rate.rate / MB, 10, 0.1); /* the fall at the restart is no growth */
    ck_assert(rate.low <= rate.rate && rate.rate <= rate.high);
    ck_assert_double_eq_tol(rate.hours, 98, 1.1); /* without the hour after the restart */
    rate = fix_measure(&made.series, T0 + US_PER_DAY * 30, T0 + US_PER_DAY * 31);
    ck_assert(isnan(rate.rate) && rate.hours == 0);
}
END_TEST

START_TEST(fix_measure_without_boot_times_takes_all_as_one)
{
    static struct made made;

    make(&made, 10 * MB, 10 * MB, 0);
    for (size_t i = 0; i < made.series.count; i++)
        made.boot[i] = TIME_UNKNOWN;
    ck_assert_double_eq_tol(fix_measure(&made.series, T0 - US_PER_DAY, T0).rate / MB, 10, 0.2);
}
END_TEST

#define D US_PER_DAY
static const struct {
    const char *what;
    struct fix_fact facts[3];
    size_t count;
    enum fix_move move;
    const char *to;
    int64_t changed_us;
} moves[] = {
    {"has it still", {{"1", 0, TIME_UNKNOWN}}, 1, FIX_STAYS, NULL, 0},
    {"left for 2", {{"1", 0, 20 * D}, {"2", 20 * D, TIME_UNKNOWN}}, 2, FIX_MOVED, "2", 20 * D},
    {"over 2 to 3",
     {{"1", 0, 20 * D}, {"2", 20 * D, 30 * D}, {"3", 30 * D, TIME_UNKNOWN}},
     3,
     FIX_MOVED,
     "3",
     20 * D},
    {"went back",
     {{"1", 0, 20 * D}, {"2", 20 * D, 30 * D}, {"1", 30 * D, TIME_UNKNOWN}},
     3,
     FIX_STAYS,
     NULL,
     0},
    {"removed", {{"1", 0, 20 * D}}, 1, FIX_MOVED, NULL, 20 * D},
    {"had another when affected",
     {{"0", 0, 15 * D}, {"1", 15 * D, TIME_UNKNOWN}},
     2,
     FIX_OTHER,
     NULL,
     0},
    {"never had it", {{"2", 0, TIME_UNKNOWN}}, 1, FIX_OTHER, NULL, 0},
    {"no facts", {{0}}, 0, FIX_OTHER, NULL, 0},
};

START_TEST(fix_move_is_read_from_the_history)
{
    const char *to = NULL;
    int64_t changed = 0;
    enum fix_move move = fix_move_of(moves[_i].facts, moves[_i].count, "1", 10 * D, &to, &changed);

    ck_assert_msg(move == moves[_i].move, "%s: %d", moves[_i].what, move);
    ck_assert_int_eq(changed, moves[_i].changed_us);
    ck_assert((to == NULL) == (moves[_i].to == NULL));
    ck_assert(to == NULL || strcmp(to, moves[_i].to) == 0);
}
END_TEST

/* R: binom.test(k, n)$conf.int */
static const struct {
    size_t k, n;
    double low, high;
} intervals[] = {
    {0, 10, 0, 0.3084971}, {10, 10, 0.6915029, 1},      {3, 10, 0.06673951, 0.6524529},
    {1, 1, 0.025, 1},      {19, 500, 0.02303, 0.05870},
};

START_TEST(fix_interval_is_exact)
{
    double low, high;

    fix_interval(intervals[_i].k, intervals[_i].n, &low, &high);
    ck_assert_double_eq_tol(low, intervals[_i].low, 2e-5);
    ck_assert_double_eq_tol(high, intervals[_i].high, 2e-5);
}
END_TEST

static const struct {
    size_t stopped, growing, early, staying;
    enum fix_verdict verdict;
    const char *says;
} verdicts[] = {
    {0, 0, 0, 5, FIX_NOBODY, "Nobody has moved yet: all 5 affected hosts still have x.sys 1."},
    {0, 0, 5, 5, FIX_TOO_EARLY,
     "It is too early to tell: of 5 hosts that left x.sys 1, none can be measured yet, 5 too early "
     "to tell; of those that stay on it 5 of 5 grow."},
    {1, 0, 0, 5, FIX_TOO_FEW, "Too few hosts have moved to tell: of 1 host that left"},
    {2, 1, 0, 5, FIX_UNCLEAR, "It is not clear that the fix works: of 3"},
    {3, 0, 0, 10, FIX_WORKS,
     "The fix works: of 3 hosts that left x.sys 1, 0 of 3 measured still grow (0 to 71 %); of "
     "those "
     "that stay on it 10 of 10 grow."},
    {3, 0, 0, 0, FIX_UNCLEAR, "It is not clear"},
    {6, 0, 0, 0, FIX_WORKS, "The fix works"},
    {0, 4, 0, 3, FIX_FAILS, "The fix does not work: of 4 hosts that left x.sys 1, 4 of 4"},
};

START_TEST(fix_verdict_and_sentence)
{
    struct fix_host hosts[32];
    struct fix_result result;
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    size_t count = 0;

    for (size_t i = 0; i < verdicts[_i].stopped; i++)
        hosts[count++] = moved(10 * MB, 0, 100);
    for (size_t i = 0; i < verdicts[_i].growing; i++)
        hosts[count++] = moved(10 * MB, 9 * MB, 100);
    for (size_t i = 0; i < verdicts[_i].early; i++)
        hosts[count++] = moved(10 * MB, 0, 4);
    for (size_t i = 0; i < verdicts[_i].staying; i++)
        hosts[count++] = stays(10 * MB);
    ck_assert_int_eq(fix_judge(hosts, count, &result), ST_OK);
    if (verdicts[_i].stopped == 3 && verdicts[_i].staying == 10)
        ck_assert_double_eq_tol(result.p_value, 1.0 / 286, 1e-9);
    ck_assert_str_eq(fix_verdict_names[result.verdict], fix_verdict_names[verdicts[_i].verdict]);
    fix_sentence(&result, "x.sys", "1", &out);
    ck_assert_msg(strstr(out.data, verdicts[_i].says) == out.data, "%s", out.data);
}
END_TEST

/* Which of a finding's causes is checked, by their order. */
static const struct {
    const char *causes[3];
    const char *asked;
    int checked; /* -1: none */
} cause_cases[] = {
    {{"app.wsl", "driver/cldflt.sys", "os.build"}, NULL, 0},
    {{"app/Payroll", "driver/cldflt.sys", "os.build"}, NULL, 0},
    {{"role", "os.build", "driver/x.sys"}, NULL, 1},
    {{"role", "hw.model", "application"}, NULL, -1},
    {{"role", "hw.model", "driver/x.sys"}, "hw.model", 1},
};

START_TEST(fix_is_checked_of_the_first_cause_that_can_be_updated)
{
    struct finding_cause causes[3] = {{0}};
    struct finding finding = {.causes = causes, .cause_count = 3};

    for (size_t i = 0; i < 3; i++)
        causes[i].attribute = cause_cases[_i].causes[i];
    const struct finding_cause *checked = fix_cause_of(&finding, cause_cases[_i].asked);
    int which = checked == NULL ? -1 : (int)(checked - causes);
    ck_assert_int_eq(which, cause_cases[_i].checked);
}
END_TEST

Suite *fix_suite(void)
{
    Suite *suite = suite_create("fix");
    TCase *tc = tcase_create("fix");

    tcase_add_loop_test(tc, fix_host_is_judged_by_its_own_growth_before, 0,
                        sizeof host_cases / sizeof host_cases[0]);
    tcase_add_test(tc, fix_measure_reads_the_slope_within_boots);
    tcase_add_test(tc, fix_measure_without_boot_times_takes_all_as_one);
    tcase_add_loop_test(tc, fix_move_is_read_from_the_history, 0, sizeof moves / sizeof moves[0]);
    tcase_add_loop_test(tc, fix_interval_is_exact, 0, sizeof intervals / sizeof intervals[0]);
    tcase_add_loop_test(tc, fix_verdict_and_sentence, 0, sizeof verdicts / sizeof verdicts[0]);
    tcase_add_loop_test(tc, fix_is_checked_of_the_first_cause_that_can_be_updated, 0,
                        sizeof cause_cases / sizeof cause_cases[0]);
    suite_add_tcase(suite, tc);
    return suite;
}
