/* SPDX-License-Identifier: Apache-2.0 */
#include "common/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static _Atomic int64_t fake_us = TIME_UNKNOWN;

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    int64_t fake = atomic_load(&fake_us);
    if (fake != TIME_UNKNOWN)
        return fake;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_mono_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

void clock_fake_set(int64_t wall_us)
{
    atomic_store(&fake_us, wall_us);
}

/* Days since 1970-01-01 of a proleptic Gregorian date, by counting from March so that the leap day
 * is the last of its year. */
static int64_t days_from_date(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned of_era = (unsigned)(year - era * 400);
    unsigned of_year = (153 * (month + (month > 2 ? 0u - 3u : 9u)) + 2) / 5 + day - 1;
    unsigned day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    return era * 146097 + (int64_t)day_of_era - 719468;
}

static void date_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    unsigned day_of_era = (unsigned)(days - era * 146097);
    unsigned of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned of_year = day_of_era - (365 * of_era + of_era / 4 - of_era / 100);
    unsigned month = (5 * of_year + 2) / 153;
    *ret_day = of_year - (153 * month + 2) / 5 + 1;
    *ret_month = month < 10 ? month + 3 : month - 9;
    *ret_year = (int64_t)of_era + era * 400 + (*ret_month <= 2);
}

void time_format(int64_t us, char ret_text[TIME_TEXT_MAX])
{
    int64_t seconds = us / US_PER_SECOND;
    int64_t fraction = us % US_PER_SECOND;
    if (fraction < 0) {
        fraction += US_PER_SECOND;
        seconds--;
    }
    int64_t days = seconds / 86400;
    int64_t of_day = seconds % 86400;
    if (of_day < 0) {
        of_day += 86400;
        days--;
    }
    int64_t year;
    unsigned month;
    unsigned day;
    date_from_days(days, &year, &month, &day);
    if (year < 1 || year > 9999) { /* outside RFC 3339; a reader must not see a fifth digit */
        snprintf(ret_text, TIME_TEXT_MAX, "%s",
                 year < 1 ? "0001-01-01T00:00:00Z" : "9999-12-31T23:59:59Z");
        return;
    }
    int n = snprintf(ret_text, TIME_TEXT_MAX, "%04d-%02u-%02uT%02d:%02d:%02d", (int)year, month,
                     day, (int)(of_day / 3600), (int)(of_day / 60 % 60), (int)(of_day % 60));
    char *rest = ret_text + n;
    size_t room = TIME_TEXT_MAX - (size_t)n;
    if (fraction == 0)
        snprintf(rest, room, "Z");
    else if (fraction % 1000 == 0)
        snprintf(rest, room, ".%03dZ", (int)(fraction / 1000));
    else
        snprintf(rest, room, ".%06dZ", (int)fraction);
}

/* Exactly `count` digits. */
static bool read_digits(const char **at, const char *end, unsigned count, unsigned *ret_value)
{
    unsigned value = 0;
    if ((size_t)(end - *at) < count)
        return false;
    for (unsigned i = 0; i < count; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (unsigned)(c - '0');
    }
    *at += count;
    *ret_value = value;
    return true;
}

static bool read_char(const char **at, const char *end, const char *allowed)
{
    if (*at == end)
        return false;
    for (const char *p = allowed; *p != '\0'; p++) {
        if (**at == *p) {
            (*at)++;
            return true;
        }
    }
    return false;
}

static bool date_exists(unsigned year, unsigned month, unsigned day)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (year < 1 || month < 1 || month > 12 || day < 1)
        return false;
    return day <= days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

static bool read_offset(const char **at, const char *end, int64_t *ret_seconds)
{
    unsigned hours;
    unsigned minutes;
    if (read_char(at, end, "Zz")) {
        *ret_seconds = 0;
        return true;
    }
    if (*at == end)
        return false;
    int sign = **at == '-' ? -1 : 1;
    if (!read_char(at, end, "+-") || !read_digits(at, end, 2, &hours) || hours > 23 ||
        !read_char(at, end, ":") || !read_digits(at, end, 2, &minutes) || minutes > 59)
        return false;
    *ret_seconds = sign * (int64_t)(hours * 3600 + minutes * 60);
    return true;
}

bool time_parse(const char *text, size_t length, int64_t *ret_us)
{
    const char *at = text;
    const char *end = text + length;
    unsigned year, month, day, hour, minute, second;
    int64_t fraction = 0;
    int64_t offset;
    if (!read_digits(&at, end, 4, &year) || !read_char(&at, end, "-") ||
        !read_digits(&at, end, 2, &month) || !read_char(&at, end, "-") ||
        !read_digits(&at, end, 2, &day) || !date_exists(year, month, day) ||
        !read_char(&at, end, "Tt ") || !read_digits(&at, end, 2, &hour) || hour > 23 ||
        !read_char(&at, end, ":") || !read_digits(&at, end, 2, &minute) || minute > 59 ||
        !read_char(&at, end, ":") || !read_digits(&at, end, 2, &second) || second > 60)
        return false;
    if (read_char(&at, end, ".")) {
        unsigned digit;
        int64_t unit = 100000;
        if (!read_digits(&at, end, 1, &digit))
            return false;
        do {
            fraction += digit * unit;
            unit /= 10;
        } while (read_digits(&at, end, 1, &digit));
    }
    if (!read_offset(&at, end, &offset) || at != end)
        return false;
    int64_t seconds = days_from_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    *ret_us = (seconds - offset) * US_PER_SECOND + fraction;
    return true;
}
