/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The features of a fleet by row instead of by host: what is compared is one row over all hosts. A
 * million features are put in place by counting them, since sorting them took longer than all that
 * is done with them. Internal to server/analyze. Not shared between threads.
 */
#ifndef SERVER_ANALYZE_COLUMNS_H
#define SERVER_ANALYZE_COLUMNS_H

#include "server/analyze/fleet.h"

/* A row of a pool; its features and their hosts lie from `first` on. */
struct column {
    uint32_t tag;
    enum pool pool;
    bool wanted;
    size_t first;
    size_t count;
};

struct columns {
    struct column *items; /* by pool, then as tags are ordered */
    size_t count;
    const struct feature **features; /* borrowed from the fleet */
    uint32_t *hosts;                 /* of each feature; rising within a row */
};

void columns_done(struct columns *columns);
#define AUTO_COLUMNS CLEANUP(columns_done)

/* Rows that have at least one feature which is wanted, with all their features. ST_NOMEM. */
enum status columns_make(const struct fleet *fleet,
                         bool (*is_wanted)(const struct fleet_host *, const struct feature *),
                         struct columns *ret_columns) MUST_CHECK;

#endif
