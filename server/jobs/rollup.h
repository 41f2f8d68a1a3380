/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hourly figures per (pool, tag) over the fleet. The collector is pure: hosts' tables in, rows out.
 * rollup_pass finds the hours that snapshots have arrived for and writes them again, a few hours at
 * a time so that a back-fill of weeks fits into memory.
 */
#ifndef SERVER_JOBS_ROLLUP_H
#define SERVER_JOBS_ROLLUP_H

#include "common/snapshot.h"
#include "server/store/db.h"
#include "server/store/store_rollups.h"

#include <stdatomic.h>

/* The values of one hour. */
struct rollup_hour;

struct rollup_hour *rollup_hour_new(void); /* NULL when memory is out */
void rollup_hour_free(struct rollup_hour *hour);
/* One host's complete tables; rows without bytes are left out. ST_NOMEM. */
enum status rollup_hour_add(struct rollup_hour *hour,
                            const struct snapshot_table table[POOL_COUNT]) MUST_CHECK;
/* Sorted by pool, then tag as u32. ret_rows owned by caller (free). */
enum status rollup_hour_rows(struct rollup_hour *hour, struct rollup_row **ret_rows,
                             size_t *ret_count, struct err *err) MUST_CHECK;

/* Hours before oldest_us are left alone. Ends early, with what is written so far, once *stop. */
enum status rollup_pass(struct db *db, int64_t oldest_us, const atomic_bool *stop,
                        struct err *err) MUST_CHECK;

#endif
