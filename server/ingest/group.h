/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One group commit: the documents of several batches in one transaction. Decides for each document
 * whether it is new, held already or must be refused, and what it rests on; keeps the newest states
 * aside until the commit. Used by the committer thread only.
 */
#ifndef SERVER_INGEST_GROUP_H
#define SERVER_INGEST_GROUP_H

#include "server/ingest/ingest.h"

#define GROUP_DAYS_MAX 64

/* Days whose partitions are known to be there. */
struct known_days {
    int64_t day[GROUP_DAYS_MAX]; /* taken_at / US_PER_DAY */
    size_t count;
    int64_t arrival_us; /* start of the partition of appended blocks that is known to be there */
};

struct group_result {
    uint64_t accepted;
    uint64_t duplicates;
    uint64_t rejected;
    uint64_t rows;
};

/* Writes the `count` batches in one transaction. ST_OK: committed, every item has its outcome and
 * the fleet its new states. Else nothing is changed, neither in the database nor in the fleet. */
enum status group_commit(struct db *db, struct fleet *fleet, const struct ingest_options *options,
                         struct known_days *days, struct ingest_batch *const *batches, size_t count,
                         struct group_result *ret_result, struct err *err) MUST_CHECK;

/* Brings the rows of hosts up to the states published since *since_us (monotonic), which moves on.
 * A row that stays behind loses nothing: the snapshot table says the same, and who needs the row to
 * be right brings it up first (store_ingest_catch_up). */
enum status group_follow(struct db *db, struct fleet *fleet, int64_t *since_us,
                         struct err *err) MUST_CHECK;

#endif
