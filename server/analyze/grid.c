/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/grid.h"

#include "common/clock.h"

/* From oldest to newest: how far back at least, and how often. */
static const struct {
    int64_t span_us;
    int64_t width_us;
} parts[] = {
    {14 * US_PER_DAY, 6 * US_PER_HOUR},
    {US_PER_DAY, US_PER_HOUR},
    {3 * US_PER_HOUR, 10 * US_PER_MINUTE},
    {20 * US_PER_MINUTE, 2 * US_PER_MINUTE}, /* what kills in hours is named in ten minutes */
};
#define PARTS (sizeof parts / sizeof parts[0])

static int64_t floor_to(int64_t at_us, int64_t width_us)
{
    int64_t rest = at_us % width_us;
    return at_us - rest - (rest < 0 ? width_us : 0);
}

/* A part begins where a slot of the wider part before it ends. */
size_t grid_slots(int64_t as_of_us, int64_t ret_ends[GRID_MAX], int64_t *ret_after_us)
{
    size_t count = 0;
    int64_t end = floor_to(as_of_us - parts[0].span_us, parts[0].width_us);
    *ret_after_us = end;
    for (size_t i = 0; i < PARTS; i++) {
        int64_t until =
            i + 1 < PARTS ? floor_to(as_of_us - parts[i + 1].span_us, parts[i].width_us) : as_of_us;
        while (end < until && count < GRID_MAX) {
            end = end + parts[i].width_us < until ? end + parts[i].width_us : until;
            ret_ends[count++] = end;
        }
    }
    return count;
}
