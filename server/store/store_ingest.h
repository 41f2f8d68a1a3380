/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The write side of snapshots, for the committer: one transaction of set-based statements. The
 * host rows are locked first (in the order of their keys), so that what was looked up still holds
 * when it is written, also with several servers on one database.
 */
#ifndef SERVER_STORE_STORE_INGEST_H
#define SERVER_STORE_STORE_INGEST_H

#include "common/snapshot.h"
#include "server/store/db.h"
#include "server/store/facts_digest.h"

/* What the host row says about the newest snapshot and facts. key 0: no such host yet. */
struct ingest_host {
    const char *id; /* borrowed */
    int64_t key;
    const char *name;      /* to be written; NULL: keep */
    int64_t first_seen_us; /* TIME_UNKNOWN: no snapshot yet; so are the other times */
    int64_t last_seen_us;
    int64_t boot_at_us;
    int64_t sequence;
    int64_t sequence_max;
    int64_t keyframe_at_us;
    int64_t chain;
    int64_t attributes_at_us;
    int64_t drivers_at_us;
    bool has_attributes_digest;
    bool has_drivers_digest;
    unsigned char attributes_digest[FACTS_DIGEST_BYTES];
    unsigned char drivers_digest[FACTS_DIGEST_BYTES];
    struct snapshot_agent agent; /* to be written; not present: keep */
    int64_t live_boot_at_us;     /* boot that the agent posts under, by arrival; see group.c */
    int64_t live_taken_at_us;    /* newest taken_at of it; TIME_UNKNOWN: none yet */
};

/* Brings rows up to the newest snapshot held, where they are behind (see store_ingest_follow). ids
 * NULL: of all hosts. */
enum status store_ingest_catch_up(struct db *db, const char *const *ids, size_t count,
                                  struct err *err) MUST_CHECK;
/* What host rows say of the newest snapshot, later than it was stored: of key, last_seen_us,
 * boot_at_us, sequence, sequence_max, keyframe_at_us, chain, live_taken_at_us and agent. A row of
 * another boot, or that says more by now, is left as it is: ret_followed[i] is false then. */
enum status store_ingest_follow(struct db *db, const struct ingest_host *hosts, size_t count,
                                int64_t now_us, bool *ret_followed, struct err *err) MUST_CHECK;
/* Locks the rows of the hosts that exist and fills them in (by id). */
enum status store_ingest_lock(struct db *db, struct ingest_host *const *hosts, size_t count,
                              struct err *err) MUST_CHECK;
/* Makes rows for new hosts (key 0), first seen at their first_seen_us; lock them afterwards. */
enum status store_ingest_add_hosts(struct db *db, struct ingest_host *const *hosts, size_t count,
                                   int64_t now_us, struct err *err) MUST_CHECK;
enum status store_ingest_update_hosts(struct db *db, struct ingest_host *const *hosts, size_t count,
                                      int64_t now_us, struct err *err) MUST_CHECK;

struct ingest_row {
    int64_t host_key;
    int64_t taken_at_us;
    int64_t boot_at_us;
    int64_t sequence;
    int64_t base;
    int64_t keyframe_at_us;
    int64_t chain; /* 0: the block is complete */
    int64_t row_count;
    struct snapshot_totals totals;
    const char *detail; /* JSON; NULL: none */
    const void *block;
    size_t block_length;
};
/* ret_added < count: some were held already and were left out; the transaction must not be
 * committed then, since all blocks were appended. The partition of arrival (now_us) is there. */
enum status store_ingest_rows(struct db *db, const struct ingest_row *rows, size_t count,
                              int64_t now_us, size_t *ret_added, struct err *err) MUST_CHECK;
/* All or, where one is held already, none: ST_CONFLICT. */
enum status store_ingest_new_rows(struct db *db, const struct ingest_row *rows, size_t count,
                                  int64_t now_us, struct err *err) MUST_CHECK;

/*
 * Facts of one document. `late`: a newer document has brought facts before. In order, the document
 * ends what it contradicts and begins what is new. Late, it can only add what was before the first
 * known value of a name: the newest validity is never touched, and what is known at that time
 * stays. newest_us: taken_at of the newest document with such facts (used when late).
 */
enum status store_ingest_attributes(struct db *db, int64_t host_key,
                                    const struct snapshot *snapshot, bool late, int64_t newest_us,
                                    struct err *err) MUST_CHECK;
/* The tags of a driver with a hash are not the host's: see store_driver_files.h. */
enum status store_ingest_drivers(struct db *db, int64_t host_key, const struct snapshot *snapshot,
                                 bool late, int64_t newest_us, struct err *err) MUST_CHECK;
/* When the server first had a snapshot of a boot (boot_at within STORE_BOOT_SLACK_US) of the host;
 * TIME_UNKNOWN: it holds none. */
#define STORE_BOOT_SLACK_US (2 * US_PER_MINUTE) /* as the analysis: the same boot */
enum status store_ingest_boot_seen(struct db *db, int64_t host_key, int64_t boot_at_us,
                                   int64_t *ret_received_at_us, struct err *err) MUST_CHECK;

#endif
