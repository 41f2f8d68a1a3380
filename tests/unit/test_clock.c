/* SPDX-License-Identifier: Apache-2.0 */
#include "common/clock.h"

#include <check.h>
#include <string.h>

Suite *clock_suite(void);

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Text and seconds of `date -u -d TEXT +%s`, so that the calendar has a second witness. */
static const struct {
    const char *text;
    int64_t seconds;
} instants[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"1969-12-31T23:59:59Z", -1},
    {"1900-02-28T23:59:59Z", -2203891201},
    {"1900-03-01T00:00:00Z", -2203891200},
    {"2000-02-29T12:00:00Z", 951825600},
    {"2024-02-29T00:00:00Z", 1709164800},
    {"2026-11-21T02:00:00Z", 1795226400},
    {"2038-01-19T03:14:08Z", 2147483648},
    {"2099-12-31T23:59:59Z", 4102444799},
    {"2100-03-01T00:00:00Z", 4107542400},
    {"0001-01-01T00:00:00Z", -62135596800},
    {"0004-02-29T00:00:00Z", -62035891200},
    {"9999-12-31T23:59:59Z", 253402300799},
};

START_TEST(time_known_instant_reads_and_writes)
{
    int64_t us = 1;
    char text[TIME_TEXT_MAX];
    ck_assert(time_parse(instants[_i].text, strlen(instants[_i].text), &us));
    ck_assert_int_eq(us, instants[_i].seconds * US_PER_SECOND);
    time_format(us, text);
    ck_assert_str_eq(text, instants[_i].text);
}
END_TEST

/* Every day of 800 years: one day on is the next date, so no leap day is lost or invented. */
START_TEST(time_days_follow_each_other)
{
    static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year = 1600, month = 1, day = 1;
    int64_t us;
    ck_assert(time_parse("1600-01-01T00:00:00Z", 20, &us));
    while (year < 2400) {
        char want[32];
        char got[TIME_TEXT_MAX];
        int64_t back;
        snprintf(want, sizeof want, "%04u-%02u-%02uT00:00:00Z", year, month, day);
        time_format(us, got);
        ck_assert_str_eq(got, want);
        ck_assert(time_parse(got, strlen(got), &back));
        ck_assert_int_eq(back, us);
        bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        if (++day > lengths[month - 1] + (month == 2 && leap ? 1u : 0u)) {
            day = 1;
            month = month % 12 + 1;
            year += month == 1;
        }
        us += US_PER_DAY;
    }
}
END_TEST

static const struct {
    int64_t us;
    const char *text;
} fractions[] = {
    {1000, "1970-01-01T00:00:00.001Z"},     {250000, "1970-01-01T00:00:00.250Z"},
    {1, "1970-01-01T00:00:00.000001Z"},     {999999, "1970-01-01T00:00:00.999999Z"},
    {-1, "1969-12-31T23:59:59.999999Z"},    {-1000000, "1969-12-31T23:59:59Z"},
    {-1500000, "1969-12-31T23:59:58.500Z"},
};

START_TEST(time_fraction_round_trips)
{
    char text[TIME_TEXT_MAX];
    int64_t us = 7;
    time_format(fractions[_i].us, text);
    ck_assert_str_eq(text, fractions[_i].text);
    ck_assert(time_parse(text, strlen(text), &us));
    ck_assert_int_eq(us, fractions[_i].us);
}
END_TEST

static const struct {
    const char *text;
    const char *same; /* the instant in our own form */
} variants[] = {
    {"2026-11-21t02:00:00z", "2026-11-21T02:00:00Z"},
    {"2026-11-21 02:00:00Z", "2026-11-21T02:00:00Z"},
    {"2026-11-21T02:00:00+00:00", "2026-11-21T02:00:00Z"},
    {"2026-11-21T02:00:00-00:00", "2026-11-21T02:00:00Z"},
    {"2026-11-21T02:00:00+05:30", "2026-11-20T20:30:00Z"},
    {"2026-11-21T02:00:00-23:59", "2026-11-22T01:59:00Z"},
    {"2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00Z"},
    {"2026-11-21T02:00:00.2Z", "2026-11-21T02:00:00.200Z"},
    {"2026-11-21T02:00:00.1234567Z", "2026-11-21T02:00:00.123456Z"},
    {"2026-11-21T02:00:00.9999999999999999999999999999999Z", "2026-11-21T02:00:00.999999Z"},
    {"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"},
};

START_TEST(time_other_spelling_is_the_same_instant)
{
    int64_t us = 7;
    char text[TIME_TEXT_MAX];
    ck_assert_msg(time_parse(variants[_i].text, strlen(variants[_i].text), &us), "%s",
                  variants[_i].text);
    time_format(us, text);
    ck_assert_str_eq(text, variants[_i].same);
}
END_TEST

static const char *const refused[] = {
    "",
    "2026",
    "2026-11-21",
    "2026-11-21T02:00Z",
    "2026-11-21T02:00:00",
    "2026-11-21T02:00:00 Z",
    "2026-11-21T02:00:00Zx",
    " 2026-11-21T02:00:00Z",
    "2026-11-21X02:00:00Z",
    "2026-11-21T2:00:00Z",
    "2026-1-21T02:00:00Z",
    "26-11-21T02:00:00Z",
    "+026-11-21T02:00:00Z",
    "-026-11-21T02:00:00Z",
    "12026-11-21T02:00:00Z",
    "0000-01-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-11-00T00:00:00Z",
    "2026-11-31T00:00:00Z",
    "2026-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z",
    "2024-02-30T00:00:00Z",
    "2026-11-21T24:00:00Z",
    "2026-11-21T02:60:00Z",
    "2026-11-21T02:00:61Z",
    "2026-11-21T02:00:00.Z",
    "2026-11-21T02:00:00,5Z",
    "2026-11-21T02:00:00+0530",
    "2026-11-21T02:00:00+05",
    "2026-11-21T02:00:00+24:00",
    "2026-11-21T02:00:00+05:60",
    "2026-11-21T02:00:00*05:00",
    "2026/11/21T02:00:00Z",
    "2026-11-21T02.00.00Z",
    "20 6-11-21T02:00:00Z",
    "now",
};

START_TEST(time_not_rfc3339_is_refused)
{
    int64_t us = 7;
    ck_assert_msg(!time_parse(refused[_i], strlen(refused[_i]), &us), "\"%s\"", refused[_i]);
    ck_assert_int_eq(us, 7);
}
END_TEST

START_TEST(time_cut_text_is_refused)
{
    static const char text[] = "2026-11-21T02:00:00.250+05:30";
    int64_t us;
    for (size_t length = 0; length < sizeof text - 1; length++)
        ck_assert_msg(!time_parse(text, length, &us), "length %zu", length);
    ck_assert(time_parse(text, sizeof text - 1, &us));
    ck_assert(!time_parse("2026-11-21T02:00:00Z\0", 21, &us));
}
END_TEST

START_TEST(time_outside_four_digit_years_is_clamped)
{
    static const int64_t early[] = {TIME_UNKNOWN, -62135596800ll * 1000000 - 1};
    static const int64_t late[] = {INT64_MAX, 253402300800ll * 1000000};
    char text[TIME_TEXT_MAX];
    for (size_t i = 0; i < 2; i++) {
        time_format(early[i], text);
        ck_assert_str_eq(text, "0001-01-01T00:00:00Z");
        time_format(late[i], text);
        ck_assert_str_eq(text, "9999-12-31T23:59:59Z");
    }
}
END_TEST

START_TEST(clock_fake_replaces_both)
{
    clock_fake_set(123456789);
    ck_assert_int_eq(clock_wall_us(), 123456789);
    ck_assert_int_eq(clock_mono_us(), 123456789);
    clock_fake_set(TIME_UNKNOWN);
    ck_assert_int_gt(clock_wall_us(), 1700000000ll * US_PER_SECOND);
    int64_t before = clock_mono_us();
    ck_assert_int_ge(clock_mono_us(), before);
}
END_TEST

Suite *clock_suite(void)
{
    Suite *suite = suite_create("clock");
    TCase *tcase = tcase_create("clock");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, time_known_instant_reads_and_writes, 0, (int)COUNT(instants));
    tcase_add_test(tcase, time_days_follow_each_other);
    tcase_add_loop_test(tcase, time_fraction_round_trips, 0, (int)COUNT(fractions));
    tcase_add_loop_test(tcase, time_other_spelling_is_the_same_instant, 0, (int)COUNT(variants));
    tcase_add_loop_test(tcase, time_not_rfc3339_is_refused, 0, (int)COUNT(refused));
    tcase_add_test(tcase, time_cut_text_is_refused);
    tcase_add_test(tcase, time_outside_four_digit_years_is_clamped);
    tcase_add_test(tcase, clock_fake_replaces_both);
    suite_add_tcase(suite, tcase);
    return suite;
}
