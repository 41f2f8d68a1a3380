/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the server holds of this host, so that a snapshot need carry only the rows that changed.
 *
 *   changes_reduce -> encode and send -> changes_acknowledge with the complete snapshot
 *
 * The base is the last snapshot the server has acknowledged as durable; a snapshot that was sent
 * but not acknowledged is never a base. A base of zeroes holds nothing and is valid. One thread.
 */
#ifndef AGENT_CORE_CHANGES_H
#define AGENT_CORE_CHANGES_H

#include "common/snapshot.h"

struct changes_base {
    bool held;
    int64_t boot_at_us;
    int64_t sequence;
    struct arena arena;
    struct snapshot_table table[POOL_COUNT];
};

/* Makes a complete snapshot into one that tells only what changed since `base`, in place: its
 * tables then hold the changed rows and its `base` is set. Leaves it complete (base unknown) when
 * that cannot be said with changed rows: no base, another boot, no sequence, a table that came or
 * went, other columns, or a tag that vanished. The tables it had stay valid until snapshot_done.
 * ST_NOMEM. */
enum status changes_reduce(const struct changes_base *base, struct snapshot *snapshot) MUST_CHECK;

/* The server has this complete snapshot: its tables, which the caller kept from before
 * changes_reduce, become the base. They are copied. On ST_NOMEM the base is forgotten, so that the
 * next snapshot is complete. */
enum status changes_acknowledge(struct changes_base *base, int64_t boot_at_us, int64_t sequence,
                                const struct snapshot_table table[POOL_COUNT]) MUST_CHECK;

/* The server does not hold it (409): the next snapshot will be complete. Frees the memory. */
void changes_forget(struct changes_base *base);

#endif
