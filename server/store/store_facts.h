/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every host is: attributes and drivers valid now, read for many hosts at once, and by which
 * a reader sees whose have changed since. For the facts in memory (state/facts.h). A lease belongs
 * to one thread.
 */
#ifndef SERVER_STORE_STORE_FACTS_H
#define SERVER_STORE_STORE_FACTS_H

#include "common/arena.h"
#include "server/store/db.h"
#include "server/store/facts_digest.h"

/* One row per host that has sent a snapshot, by key. All zeroes where nothing was told. */
struct store_facts_mark {
    int64_t key;
    int64_t first_seen_us;
    unsigned char attributes[FACTS_DIGEST_BYTES];
    unsigned char drivers[FACTS_DIGEST_BYTES];
};
/* ret_marks is owned by caller (free). */
enum status store_facts_marks(struct db *db, struct store_facts_mark **ret_marks, size_t *ret_count,
                              struct err *err) MUST_CHECK;

/* Rows of a batch of hosts, each by the host's place in `keys` (from 1), then name. Columns of
 * attributes: place, name, value, valid_from. Of drivers: place, name, version, company, tags,
 * sha256, valid_from. Read them with db.h; owned by caller. */
#define STORE_FACTS_BATCH 200
enum status store_facts_rows(struct db *db, const int64_t *keys, size_t count,
                             struct db_result **ret_attributes, struct db_result **ret_drivers,
                             struct err *err) MUST_CHECK;

/* Whether the known files of drivers moved: any other number. */
struct store_files_stamp {
    int64_t files;
    int64_t scanned;
    int64_t newest_us;
};
enum status store_files_stamp(struct db *db, struct store_files_stamp *ret_stamp,
                              struct err *err) MUST_CHECK;
/* Columns sha256, tags (NULL: not scanned), product; by sha256. */
enum status store_files_rows(struct db *db, struct db_result **ret_rows,
                             struct err *err) MUST_CHECK;

extern const struct stmt_table store_facts_statements;

#endif
