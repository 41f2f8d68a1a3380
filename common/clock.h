/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time. One unit inside the programs: microseconds, int64_t. Wall time counts from 1970-01-01 UTC;
 * TIME_UNKNOWN stands for an absent time. Text is RFC 3339 in UTC. clock_fake_set() replaces both
 * clocks for tests (process-wide, atomic).
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIME_UNKNOWN  INT64_MIN
#define US_PER_MS     1000ll
#define US_PER_SECOND 1000000ll
#define US_PER_MINUTE (60ll * US_PER_SECOND)
#define US_PER_HOUR   (60ll * US_PER_MINUTE)
#define US_PER_DAY    (24ll * US_PER_HOUR)

#define TIME_TEXT_MAX 32

int64_t clock_wall_us(void);
int64_t clock_mono_us(void);          /* never goes back; no relation to wall time */
void clock_fake_set(int64_t wall_us); /* TIME_UNKNOWN: back to the real clocks */

/* "2026-11-21T02:00:00Z", with .mmm or .uuuuuu only where not zero. Years 0001..9999. */
void time_format(int64_t us, char ret_text[TIME_TEXT_MAX]);
/* Strict RFC 3339: date, T or t or blank, time, optional fraction (cut to microseconds), Z or
 * +hh:mm. Real dates only; second 60 is read as the next second. */
bool time_parse(const char *text, size_t length, int64_t *ret_us);

#endif
