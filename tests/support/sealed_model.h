/* SPDX-License-Identifier: Apache-2.0 */
/* Invented contents of a sealed chunk, kept whole beside it, and a chunk's contents as text. */
#ifndef TESTS_SUPPORT_SEALED_MODEL_H
#define TESTS_SUPPORT_SEALED_MODEL_H

#include "server/chunk/sealed.h"
#include "tests/support/fleetgen.h"

#define MODEL_SNAPSHOTS 40

struct sealed_model {
    struct arena arena;
    int64_t boot_at_us;
    size_t count;
    struct sealed_snapshot snapshots[MODEL_SNAPSHOTS];
    struct snapshot_table tables[MODEL_SNAPSHOTS][POOL_COUNT];
};

/* Steps of one random table with rows that come and go; now and then other columns, no table, a
 * gap, a time that goes back, no sequence, details, a snapshot without tables. */
void sealed_model_random(struct sealed_model *ret_model, struct rng *rng, size_t count,
                         size_t rows);
void sealed_model_done(struct sealed_model *model);
void sealed_model_write(const struct sealed_model *model, struct strbuf *out);
/* Every value of a chunk, one row a line. */
void sealed_model_dump(struct sealed *sealed, struct strbuf *out);

#endif
