/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Columns of `snapshot` and of what refers to it, as several statements of the store read them:
 * numbers that may be unknown, totals, and what says how a row rests on others. Whole rows and
 * tables are read in blocks.c.
 */
#ifndef SERVER_STORE_SNAPSHOT_COLUMNS_H
#define SERVER_STORE_SNAPSHOT_COLUMNS_H

#include "server/store/chain.h"
#include "server/store/db.h"

/* SEQUENCE_UNKNOWN for NULL. */
int64_t column_sequence(const struct db_result *result, size_t row, size_t column);
/* TOTAL_COUNT columns from `first` on, in the order of enum total; NULL: not told. */
void column_totals(const struct db_result *result, size_t row, size_t first,
                   struct snapshot_totals *ret_totals);
/* taken_at, boot_at, sequence, base, keyframe from `first` on; nothing else is set. */
struct chain_row column_chain_row(const struct db_result *result, size_t row, size_t first);

#endif
