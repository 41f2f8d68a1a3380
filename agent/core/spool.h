/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits for the server, on disk: one file per encoded snapshot, oldest first, bounded in
 * bytes and age. A record that was accepted (append returned ST_OK) stays through a power cut; one
 * that was torn is told by its checksum, removed and counted. Past a bound the oldest go, counted.
 * Records do not depend on each other: each is complete or names a base the server holds.
 *
 * Files are named "spool-" and the number of the record as 16 hex digits; every other file of the
 * folder is left alone. The count of what was lost travels in the records' own headers, together
 * with the number below which everything is already counted, so that a cut between "count" and
 * "remove" neither forgets a loss nor counts it twice. One thread.
 */
#ifndef AGENT_CORE_SPOOL_H
#define AGENT_CORE_SPOOL_H

#include "agent/core/files.h"
#include "common/limits.h"

#include <stdbool.h>
#include <stdint.h>

#define SPOOL_HEADER_BYTES 80u
#define SPOOL_RECORD_MAX   (LIMIT_BODY_BYTES + SPOOL_HEADER_BYTES)

struct spool_limits {
    uint64_t bytes;
    int64_t age_us;
};

struct spool_entry {
    uint64_t number;     /* rises with each append, over restarts; the file's name */
    int64_t taken_at_us; /* of the snapshot */
    int64_t boot_at_us;
    int64_t sequence;
    int64_t base;  /* SEQUENCE_UNKNOWN: complete */
    size_t length; /* of the payload */
};

/* Why records were lost, each kind counted since it was opened. */
enum spool_loss { SPOOL_LOSS_BYTES, SPOOL_LOSS_AGE, SPOOL_LOSS_TORN, SPOOL_LOSS_COUNT };

struct spool {
    const struct files *files;
    struct spool_limits limits;
    struct spool_entry *entries; /* oldest first; owned */
    size_t count;
    size_t capacity;
    uint64_t bytes;       /* of the files, headers included */
    uint64_t next_number; /* keep it over restarts: a number is never used twice */
    uint64_t dropped;     /* ever: too old, over the bound, torn, and what the caller counted */
    uint64_t losses[SPOOL_LOSS_COUNT];
    uint64_t unreadable; /* files that could not be read when opened; they stay for the next time */
};

/* Reads what is there; removes and counts what is torn. next_number and dropped are what the caller
 * remembers (1 and 0: nothing); what the records say wins where it is more. ST_IO, ST_NOMEM. */
enum status spool_open(struct spool *ret_spool, const struct files *files,
                       const struct spool_limits *limits, uint64_t next_number, uint64_t dropped,
                       struct err *err) MUST_CHECK;
void spool_done(struct spool *spool);
/* ST_OK: durable; entry's number and length are set by the spool. Old records make room (and once
 * more when the disk is full), counted. ST_IO, ST_TOO_LARGE: the disk does not take it; the
 * caller still has it, and counts it with spool_lost() if it gives it up. */
enum status spool_append(struct spool *spool, const struct spool_entry *entry, const void *data,
                         size_t length, int64_t now_us, struct err *err) MUST_CHECK;
/* The payload of entries[index], appended to `out`. ST_MALFORMED: torn; it has been removed and
 * counted (the entries behind have moved up). ST_IO: cannot be read now; it stays. */
enum status spool_read(struct spool *spool, size_t index, struct strbuf *out,
                       struct err *err) MUST_CHECK;
/* This record is delivered or given up: forgotten, its file removed. ST_IO: the file is still there
 * (it comes back when the spool is opened again). ST_OK if there is no such record. */
enum status spool_remove(struct spool *spool, uint64_t number, struct err *err) MUST_CHECK;
/* `count` snapshots were lost in another way. */
void spool_lost(struct spool *spool, uint64_t count);

#endif
