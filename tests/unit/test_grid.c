/* SPDX-License-Identifier: Apache-2.0 */
/* The analysis' grid: dense towards now, and still, so that what was picked once need not be picked
 * anew. */
#include "common/clock.h"
#include "server/analyze/grid.h"

#include <check.h>

#include <stdbool.h>
#include <string.h>

Suite *grid_suite(void);

#define NOW (20000 * US_PER_DAY + 17)

START_TEST(grid_is_dense_towards_now_and_reaches_back_14_days)
{
    int64_t ends[GRID_MAX], after;
    for (int64_t now = NOW; now < NOW + 7 * US_PER_HOUR; now += 37 * US_PER_SECOND) {
        size_t count = grid_slots(now, ends, &after);
        int64_t before = after;
        ck_assert_uint_gt(count, 90);
        ck_assert_uint_lt(count, GRID_MAX);
        ck_assert_int_eq(ends[count - 1], now);
        ck_assert(after <= now - 14 * US_PER_DAY && after > now - 15 * US_PER_DAY);
        for (size_t i = 0; i < count; before = ends[i++]) {
            int64_t back = now - ends[i];
            int64_t width = ends[i] - before;
            ck_assert_int_gt(width, 0);
            ck_assert_int_le(width, 6 * US_PER_HOUR);
            ck_assert(back >= US_PER_DAY || width <= US_PER_HOUR);
            ck_assert(back >= 3 * US_PER_HOUR || width <= 10 * US_PER_MINUTE);
            ck_assert(back >= 20 * US_PER_MINUTE || width <= 2 * US_PER_MINUTE);
        }
    }
}
END_TEST

#define SNAPSHOTS 3000

static void pick(int64_t now, int64_t first, int64_t step, bool ret_picked[SNAPSHOTS])
{
    int64_t ends[GRID_MAX], before;
    size_t count = grid_slots(now, ends, &before);
    memset(ret_picked, 0, SNAPSHOTS * sizeof *ret_picked);
    for (size_t i = 0; i < count; before = ends[i++]) {
        int64_t last = ends[i] < first ? -1 : (ends[i] - first) / step;
        if (last >= 0 && last < SNAPSHOTS && first + last * step > before)
            ret_picked[last] = true;
    }
}

/* Of snapshots every `step`, one that has given way to others never comes back. */
START_TEST(grid_picks_stay_or_are_dropped)
{
    static const int64_t steps[] = {US_PER_MINUTE, 5 * US_PER_MINUTE, 7 * US_PER_MINUTE,
                                    25 * US_PER_MINUTE};
    int64_t step = steps[_i];
    int64_t first = NOW - 2 * US_PER_DAY;
    bool was[SNAPSHOTS] = {false}, is[SNAPSHOTS];
    int64_t until = -1; /* the newest that has been looked at */
    for (int64_t now = NOW - US_PER_DAY; now < NOW; now += 3 * US_PER_MINUTE + 1) {
        int64_t newest = (now - first) / step;
        pick(now, first, step, is);
        ck_assert(is[newest]);
        size_t back = 0;
        for (int64_t i = 0; i <= until; i++)
            back += is[i] && !was[i];
        ck_assert_uint_eq(back, 0);
        until = newest;
        memcpy(was, is, sizeof was);
    }
}
END_TEST

START_TEST(grid_of_moments_before_1970_rises_too)
{
    int64_t ends[GRID_MAX], after;
    size_t count = grid_slots(-5 * US_PER_DAY - 1, ends, &after);
    ck_assert_int_lt(after, ends[0]);
    for (size_t i = 1; i < count; i++)
        ck_assert_int_lt(ends[i - 1], ends[i]);
    ck_assert_int_eq(ends[count - 1], -5 * US_PER_DAY - 1);
}
END_TEST

Suite *grid_suite(void)
{
    Suite *suite = suite_create("grid");
    TCase *tc = tcase_create("grid");
    tcase_add_test(tc, grid_is_dense_towards_now_and_reaches_back_14_days);
    tcase_add_loop_test(tc, grid_picks_stay_or_are_dropped, 0, 4);
    tcase_add_test(tc, grid_of_moments_before_1970_rises_too);
    suite_add_tcase(suite, tc);
    return suite;
}
