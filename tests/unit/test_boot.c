/* SPDX-License-Identifier: Apache-2.0 */
/* agent/core/boot: what the clocks show, and which boot is made of it. */
#include "agent/core/boot.h"

#include <check.h>

Suite *boot_suite(void);

#define B0 (1764000000ll * US_PER_SECOND)
#define S  US_PER_SECOND

struct boot_case {
    const char *name;
    struct boot_memory memory;
    struct source_clocks now;
    int64_t elapsed_us;
    enum boot_verdict verdict;
    int64_t sent_us;
};
#define NOTHING                                                                                    \
    {                                                                                              \
        TIME_UNKNOWN, 0, 0                                                                         \
    }

static const struct boot_case boot_cases[] = {
    {"first snapshot ever",
     NOTHING,
     {B0 + 200 * S, B0 + 400000, 200 * S},
     TIME_UNKNOWN,
     BOOT_NEW,
     B0},
    {"next snapshot",
     {B0, B0 + 400000, 200 * S},
     {B0 + 500 * S, B0 + 400000, 500 * S},
     300 * S,
     BOOT_SAME,
     B0},
    {"agent restarted in the same boot",
     {B0, B0 + 400000, 200 * S},
     {B0 + 900 * S, B0 + 400000, 900 * S},
     TIME_UNKNOWN,
     BOOT_SAME,
     B0},
    {"boot time drifts by seconds",
     {B0, B0, 200 * S},
     {B0 + 900 * S, B0 + 9 * S, 900 * S},
     TIME_UNKNOWN,
     BOOT_SAME,
     B0},
    {"system restarted",
     {B0, B0, 90000 * S},
     {B0 + 100000 * S, B0 + 99800 * S, 200 * S},
     TIME_UNKNOWN,
     BOOT_NEW,
     B0 + 99800 * S},
    {"system restarted with a longer uptime than before",
     {B0, B0, 200 * S},
     {B0 + 900 * S, B0 + 600 * S, 300 * S},
     TIME_UNKNOWN,
     BOOT_NEW,
     B0 + 600 * S},
    {"Fast Startup: the kernel session goes on",
     {B0, B0, 30000 * S},
     {B0 + 90000 * S, B0, 90000 * S},
     TIME_UNKNOWN,
     BOOT_SAME,
     B0},
    {"sleep: uptime goes on, the monotonic clock stood still",
     {B0, B0, 1000 * S},
     {B0 + 30000 * S, B0, 30000 * S},
     10 * S,
     BOOT_SAME,
     B0},
    {"clock set forward a year, kernel keeps its boot time",
     {B0, B0, 1000 * S},
     {B0 + 365 * US_PER_DAY, B0, 1300 * S},
     300 * S,
     BOOT_SAME,
     B0},
    {"clock set back, still after the boot",
     {B0, B0, 5000 * S},
     {B0 + 100 * S, B0, 5300 * S},
     300 * S,
     BOOT_SAME,
     B0},
    {"clock set back before the boot: the server takes no boot after the snapshot",
     {B0, B0, 5000 * S},
     {B0 - 1000 * S, B0, 5300 * S},
     300 * S,
     BOOT_RENAMED,
     B0 - 6300 * S},
    {"after that: the new name stays",
     {B0 - 6300 * S, B0, 5300 * S},
     {B0 - 700 * S, B0, 5600 * S},
     300 * S,
     BOOT_SAME,
     B0 - 6300 * S},
    {"and stays when the clock is right again",
     {B0 - 6300 * S, B0, 5300 * S},
     {B0 + 9000 * S, B0, 5600 * S},
     300 * S,
     BOOT_SAME,
     B0 - 6300 * S},
    {"first snapshot with a clock that was ahead at boot",
     NOTHING,
     {B0, B0 + 90 * US_PER_DAY, 400 * S},
     TIME_UNKNOWN,
     BOOT_NEW,
     B0 - 400 * S},
    {"kernel moves its boot time when the clock is set",
     {B0, B0, 1000 * S},
     {B0 + 90000 * S, B0 + 88700 * S, 1300 * S},
     300 * S,
     BOOT_SAME,
     B0},
    {"clock went back over a restart to the same boot time",
     {B0, B0, 90000 * S},
     {B0 + 300 * S, B0 + 5 * S - 5 * S, 300 * S},
     TIME_UNKNOWN,
     BOOT_NEW,
     B0 - S},
    {"uptime went back within a process",
     {B0, B0, 5000 * S},
     {B0 + 5300 * S, B0, 20 * S},
     300 * S,
     BOOT_NEW,
     B0 - S},
    {"kernel that tells no boot time",
     NOTHING,
     {B0 + 400 * S, TIME_UNKNOWN, 300 * S},
     TIME_UNKNOWN,
     BOOT_NEW,
     B0 + 100 * S},
    {"kernel that answers nonsense",
     NOTHING,
     {B0, INT64_MAX, INT64_MIN},
     TIME_UNKNOWN,
     BOOT_NEW,
     B0},
};

START_TEST(boot_case_gives_its_verdict)
{
    const struct boot_case *c = &boot_cases[_i];
    struct boot_memory after;
    enum boot_verdict verdict = boot_decide(&c->memory, &c->now, c->elapsed_us, &after);
    ck_assert_msg(verdict == c->verdict && after.sent_us == c->sent_us,
                  "%s: verdict %d, boot %lld s after B0", c->name, verdict,
                  (long long)((after.sent_us - B0) / S));
    ck_assert_int_le(after.sent_us, c->now.wall_us);
    ck_assert_int_eq(after.sent_us % S, 0);
}
END_TEST

START_TEST(boot_slow_drift_over_months_stays_one_boot)
{
    struct boot_memory memory = {B0, B0, 200 * S};
    for (int day = 1; day < 300; day++) {
        struct source_clocks now = {B0 + day * US_PER_DAY, B0 + day * 2 * S, day * US_PER_DAY};
        ck_assert_int_eq(boot_decide(&memory, &now, TIME_UNKNOWN, &memory), BOOT_SAME);
        ck_assert_int_eq(memory.sent_us, B0);
    }
}
END_TEST

START_TEST(sequence_is_uptime_and_always_rises)
{
    ck_assert_int_eq(boot_sequence(200 * S + 999999, -1), 200);
    ck_assert_int_eq(boot_sequence(200 * S + 999999, 199), 200);
    ck_assert_int_eq(boot_sequence(200 * S + 999999, 200), 201);
    ck_assert_int_eq(boot_sequence(200 * S, 5000), 5001);
    ck_assert_int_eq(boot_sequence(-5, -1), 0);
}
END_TEST

Suite *boot_suite(void)
{
    Suite *suite = suite_create("boot");
    TCase *boot = tcase_create("boot");
    tcase_add_loop_test(boot, boot_case_gives_its_verdict, 0,
                        sizeof boot_cases / sizeof boot_cases[0]);
    tcase_add_test(boot, boot_slow_drift_over_months_stays_one_boot);
    tcase_add_test(boot, sequence_is_uptime_and_always_rises);
    suite_add_tcase(suite, boot);
    return suite;
}
