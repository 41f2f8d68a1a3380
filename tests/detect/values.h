/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the world's values: what feed.c needs to compute many of them cheaply. */
#ifndef TESTS_DETECT_VALUES_H
#define TESTS_DETECT_VALUES_H

#include "tests/detect/world.h"

/* What all rows of a host share at one moment. */
struct values_moment {
    double at;
    double load;
    double processes;
    double boot;
};

/* What all moments of a row on a host share. */
struct values_series {
    bool has;
    double level; /* bytes */
    double tau;
    double phase; /* 0..1 */
    int form;     /* of a cache's filling */
    uint64_t key;
};

struct values_moment values_moment(const struct world *world, size_t host, double at);
struct values_series values_series(const struct world *world, size_t row, size_t host);
double values_healthy(const struct world_row *row, const struct values_series *series,
                      const struct world_host *host, const struct values_moment *moment);

#endif
