/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts as the analysis keeps them read (analyze/kept_store.h), over a restart of the server. A
 * cache in an unlogged table: whatever is missing is read from cold. A lease belongs to one thread.
 */
#ifndef SERVER_STORE_STORE_CHECKPOINT_H
#define SERVER_STORE_STORE_CHECKPOINT_H

#include "server/store/db.h"
#include "server/store/facts_digest.h"

struct store_checkpoint {
    int64_t key;
    const char *host_id; /* only told when read */
    int64_t received_us; /* what was received up to then is in it */
    unsigned char attributes[FACTS_DIGEST_BYTES];
    unsigned char drivers[FACTS_DIGEST_BYTES];
    const void *kept;
    size_t length;
};

/* Adds or replaces, in one transaction: everything is in memory twice for so long. */
enum status store_checkpoints_put(struct db *db, const struct store_checkpoint *items, size_t count,
                                  struct err *err) MUST_CHECK;
/* Nothing has come for these since: theirs hold up to a later moment, where they are still those of
 * `were_us`. */
enum status store_checkpoints_extend(struct db *db, const int64_t *keys, const int64_t *were_us,
                                     size_t count, int64_t received_us, size_t *ret_extended,
                                     struct err *err) MUST_CHECK;

/* Borrowed until it returns. Anything but ST_OK ends the walk with that status. */
typedef enum status (*store_checkpoint_fn)(const struct store_checkpoint *checkpoint, void *arg);
/* All there are, by key, some at a time. */
enum status store_checkpoints_read(struct db *db, store_checkpoint_fn fn, void *arg,
                                   struct err *err) MUST_CHECK;

extern const struct stmt_table store_checkpoint_statements;

#endif
