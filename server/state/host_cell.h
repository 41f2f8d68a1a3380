/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a host's state lies in memory. Internal to server/state.
 */
#ifndef SERVER_STATE_HOST_CELL_H
#define SERVER_STATE_HOST_CELL_H

#include "server/state/fleet.h"

#include <stdatomic.h>

/* Gaps between snapshots that the usual interval is the median of. */
#define RECENT_MAX 8

struct big_bytes {
    uint64_t bytes;
    uint32_t row;
};

struct big_held {
    uint32_t row;
    uint32_t held;
};

struct compact_table {
    uint32_t count;
    unsigned columns;
    uint32_t big_count;
    uint32_t big_held_count;
    const uint32_t *tag;
    const uint32_t *allocs;      /* NULL: unknown; so are the others */
    const uint32_t *frees;       /* only without allocs */
    const uint16_t *held;        /* allocs - frees; UINT16_MAX: look among the big ones */
    const uint32_t *bytes;       /* UINT32_MAX: look among the big ones */
    const struct big_bytes *big; /* by row; so are the held */
    const struct big_held *big_held;
};

/* What a reader sees, and around it what only server/state knows. Who asks for all hosts takes a
 * reference first and then looks at the first members: they lie together. */
struct cell {
    atomic_uint references;
    size_t memory_bytes;
    struct host_state host;
    int64_t recent_us[RECENT_MAX + 1]; /* taken_at of the newest snapshots, oldest first */
    size_t recent_count;
    struct compact_table table[POOL_COUNT];
};

static inline struct cell *cell_of(const struct host_state *host)
{
    return (struct cell *)((uintptr_t)host - offsetof(struct cell, host));
}

/* Hosts lie far apart, and a count is taken one after the other: so many ahead are fetched. */
#define EXPECT_HOSTS 16
static inline void expect_host(const struct host_state *host)
{
    __builtin_prefetch(cell_of(host), 1);
}

#endif
