/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing: appended blocks become chunks (server/chunk/sealed.h), twelve hours of a host and boot
 * in one, and the two partitions they were appended to are dropped whole.
 *
 * A partition is taken when its span has settled: nothing arrives in it any more. Each step is one
 * transaction over some hosts. It reads a host's span in whatever form it is (so a late document
 * joins what is sealed), writes the chunk, reads it back and compares, and notes how many rows of
 * the partition it covered. From its commit on a snapshot is in both forms, until the partition is
 * dropped because the notes add up to its rows: a crash at any point leaves every snapshot readable
 * and in the table of snapshots exactly once.
 *
 * Only the server that holds the analyzer's lock seals; db is the connection that holds it.
 */
#ifndef SERVER_JOBS_SEAL_H
#define SERVER_JOBS_SEAL_H

#include "server/store/db.h"

#include <stdatomic.h>

/* After the end of its span, before a partition is sealed: requests that were in flight are long
 * done. */
#define SEAL_SETTLE_US (30 * US_PER_MINUTE)
/* After that end, before it is dropped. Until then the newest snapshots of every host are at hand
 * as blocks from their keyframe on (ingest makes one every 24 snapshots), which keeps a start of
 * the server fast. */
#define SEAL_DROP_US (3 * US_PER_HOUR)

struct seal_options {
    int64_t now_us;
    int64_t settle_us;
    int64_t drop_us;
    int64_t budget_us; /* a pass begins no further step after that; 0: it goes on to the end */
    /* For tests: called after each step of the work; anything but ST_OK ends the pass there, as a
     * crash would. NULL: nothing. */
    enum status (*after)(const char *step, void *arg);
    void *after_arg;
};

struct seal_counts {
    size_t snapshots; /* written into chunks */
    size_t chunks;
    size_t raw;        /* of the snapshots: kept as blocks, since their base is gone */
    size_t partitions; /* dropped */
};

enum status seal_pass(struct db *db, const struct seal_options *options, const atomic_bool *stop,
                      struct seal_counts *ret_counts, struct err *err) MUST_CHECK;

#endif
