/* SPDX-License-Identifier: Apache-2.0 */
/* Invented snapshots for tests: a seeded random table that changes step by step. */
#ifndef TESTS_SUPPORT_FLEETGEN_H
#define TESTS_SUPPORT_FLEETGEN_H

#include "server/ingest/ingest.h"

struct rng {
    uint64_t state;
};
uint64_t rng_next(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t bound);

/* A heap snapshot of that host with empty tables, nothing else known. Aborts when memory is out. */
struct snapshot *gen_snapshot(const char *host_id, int64_t boot_at_us, int64_t taken_at_us,
                              int64_t sequence, int64_t base);
/* A random complete table of `rows` rows with these columns, into the snapshot's arena. */
void gen_table(struct rng *rng, struct arena *arena, struct snapshot_table *ret_table, size_t rows,
               unsigned columns);
/* `table` with about one in `one_in` rows changed and a few new ones; counters wrap. */
void gen_step(struct rng *rng, struct arena *arena, const struct snapshot_table *table,
              struct snapshot_table *ret_table, uint64_t one_in);
void gen_copy(struct arena *arena, const struct snapshot_table *table,
              struct snapshot_table *ret_table);
void gen_free(struct snapshot *snapshot);
bool gen_same_tables(const struct snapshot_table a[POOL_COUNT],
                     const struct snapshot_table b[POOL_COUNT]);

/* Submits and waits. The batch is freed; outcomes and errors are copied out. */
struct outcome {
    enum ingest_outcome outcome;
    struct err err;
};
enum status gen_send(struct ingest *ingest, struct snapshot *const *snapshots, size_t count,
                     const char *only_host, struct outcome *ret_outcomes);

#endif
