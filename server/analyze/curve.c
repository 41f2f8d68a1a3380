/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/curve.h"

struct curve *curve_new(struct arena *arena, const float *hours, size_t count, int with_blocks)
{
    struct curve *curve = arena_alloc(arena, 1, sizeof *curve);
    float *bytes = arena_alloc(arena, count, sizeof *bytes);
    uint32_t *blocks = with_blocks ? arena_alloc(arena, count, sizeof *blocks) : NULL;
    if (curve == NULL || bytes == NULL || (with_blocks && blocks == NULL))
        return NULL;
    *curve = (struct curve){count, hours, bytes, blocks};
    return curve;
}

size_t curve_from(const struct curve *curve, double hour)
{
    size_t i = 0;
    while (i < curve->count && (double)curve->hours[i] < hour)
        i++;
    return i;
}

double curve_at(const struct curve *curve, const double *values, double hour)
{
    size_t i = curve_from(curve, hour);
    if (i == 0)
        return values[0];
    if (i == curve->count)
        return values[i - 1];
    double before = (double)curve->hours[i - 1];
    double apart = (double)curve->hours[i] - before;
    return values[i - 1] + (values[i] - values[i - 1]) * (hour - before) / apart;
}
