/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/snapshot_columns.h"

int64_t column_sequence(const struct db_result *result, size_t row, size_t column)
{
    return db_null(result, row, column) ? SEQUENCE_UNKNOWN : db_i64(result, row, column);
}

void column_totals(const struct db_result *result, size_t row, size_t first,
                   struct snapshot_totals *ret_totals)
{
    *ret_totals = (struct snapshot_totals){0};
    for (size_t t = 0; t < TOTAL_COUNT; t++) {
        if (!db_null(result, row, first + t))
            totals_set(ret_totals, (enum total)t, (uint64_t)db_i64(result, row, first + t));
    }
}

struct chain_row column_chain_row(const struct db_result *result, size_t row, size_t first)
{
    return (struct chain_row){
        .taken_at_us = db_time(result, row, first),
        .boot_at_us = db_time(result, row, first + 1),
        .sequence = column_sequence(result, row, first + 2),
        .base = column_sequence(result, row, first + 3),
        .keyframe = db_bool(result, row, first + 4),
    };
}
