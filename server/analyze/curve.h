/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The course of one growing row over its host's current boot: blocks and bytes at every point the
 * analysis was given. Features say how much and how fast; the order in which tags of one leak move,
 * and how uneven a rate is, can only be read from the points themselves. Kept for the few rows that
 * grow, so memory stays per row and not per value. Pure; all memory is the arena's.
 */
#ifndef SERVER_ANALYZE_CURVE_H
#define SERVER_ANALYZE_CURVE_H

#include "common/arena.h"

#include <stddef.h>
#include <stdint.h>

/* docs/detection.md, "Thresholds and where they come from": rows. A row of this size has a curve if
 * it held less than this share of it at the first point of the boot. */
#define CURVE_CAME_BYTES (1024.0 * 1024)
#define CURVE_CAME_SHARE 0.5

/* Parallel arrays, hours rising, relative to the host's newest point. `hours` is shared by all rows
 * of a pool of one host, so two of its curves always have the same points. */
struct curve {
    size_t count;
    const float *hours;
    float *bytes;
    uint32_t *blocks; /* outstanding; NULL: not known */
};

/* A curve of `count` points of which times are borrowed; bytes all 0. NULL: out of memory. */
struct curve *curve_new(struct arena *arena, const float *hours, size_t count, int with_blocks);
/* The first point not before `hour`; `count` when there is none. */
size_t curve_from(const struct curve *curve, double hour);
/* `values` (of the curve's points) at `hour`, on the line between neighbours; the ends go on. */
double curve_at(const struct curve *curve, const double *values, double hour);

#endif
