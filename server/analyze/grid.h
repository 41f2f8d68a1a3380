/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of a host's snapshots the analysis looks at: of each slot of time the last one. Slots stand
 * still, at whole multiples of their width, and each width divides the next: as time goes on a pick
 * stays or is dropped, and never gives way to another old snapshot. So what was read of a host once
 * can be kept. Only the newest slot still grows, up to "now". Pure.
 */
#ifndef SERVER_ANALYZE_GRID_H
#define SERVER_ANALYZE_GRID_H

#include <stddef.h>
#include <stdint.h>

/* At most 15 slots of 2 minutes (at least the newest 20 minutes), 24 of 10 minutes (3 hours), 27 of
 * an hour (a day), 53 of six hours (14 days). */
#define GRID_MAX 128

/* The last moment of each slot, rising; the last is as_of_us. The first slot begins behind
 * *ret_after_us. Returns how many there are. */
size_t grid_slots(int64_t as_of_us, int64_t ret_ends[GRID_MAX], int64_t *ret_after_us);

#endif
