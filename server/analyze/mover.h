/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which tag of a leak moves first, and which move with it at all. In step means that on one host
 * the blocks of one row are a constant times those of another, at every point. The first mover is
 * ahead: others hold what it held some minutes ago times their ratio, so that behind the ratio
 * stands a constant that exact counts show long after. Internal to server/analyze. Thread-safe.
 */
#ifndef SERVER_ANALYZE_MOVER_H
#define SERVER_ANALYZE_MOVER_H

#include "server/analyze/fleet.h"

/* Two rows on one host. */
struct mover_pair {
    double ratio; /* blocks of the second per block of the first */
    double lag;   /* hours the second is behind; negative: ahead */
    double fit;   /* share of the second's movement that the first explains, 0..1 */
    double apart; /* median distance from that, as a share of the second's growth */
};

/* base_first, base_second: blocks the rows hold without the leak, where the boot itself does not
 * show it; NAN unknown. False when too few points know both. */
bool mover_compare(const struct feature *first, const struct feature *second, double base_first,
                   double base_second, struct mover_pair *ret_pair);

/* True when both grow in jumps, and the second is the first times `ratio`, moved in time by one and
 * the same span. */
bool mover_is_moved(const struct feature *first, const struct feature *second, double ratio);

struct mover_row {
    enum pool pool;
    uint32_t tag;
    double prior; /* what else speaks for it; decides between rows that move at once */
    double ratio; /* out: blocks per block of the winner, median over hosts; NAN unknown */
    double lag;   /* out: hours behind the winner; NAN unknown */
};

/* The place of the first mover; fills ratio and lag of all. `hosts` are affected, `others` not. */
size_t mover_first(const struct fleet *fleet, const uint32_t *hosts, size_t host_count,
                   const uint32_t *others, size_t other_count, struct mover_row *rows,
                   size_t row_count);

#endif
