/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits for the server, on disk: one file per encoded snapshot, oldest first, bounded in
 * bytes and age. A record that was accepted (append returned ST_OK) stays through a power cut; one
 * that was torn is told by its checksum, removed and counted. Past a bound the oldest go, counted.
 * Records do not depend on each other: each is complete or names a base the server holds.
 */
#ifndef AGENT_CORE_SPOOL_H
#define AGENT_CORE_SPOOL_H

#include "agent/core/files.h"

#include <stdbool.h>
#include <stdint.h>

struct spool_limits {
    uint64_t bytes;
    int64_t age_us;
};

struct spool_entry {
    uint64_t number;     /* rises with each append, over restarts; the file's name */
    int64_t taken_at_us; /* of the snapshot */
    int64_t boot_at_us;
    int64_t sequence;
    int64_t base; /* SEQUENCE_UNKNOWN: complete */
    size_t length;
};

struct spool {
    const struct files *files;
    struct spool_limits limits;
    struct spool_entry *entries; /* oldest first; owned */
    size_t count;
    size_t capacity;
    uint64_t bytes;
    uint64_t next_number;
    uint64_t dropped; /* since opened: too old, over the bound, torn */
};

/* Reads what is there; removes and counts what is torn or foreign. ST_IO. */
enum status spool_open(struct spool *ret_spool, const struct files *files,
                       const struct spool_limits *limits, struct err *err) MUST_CHECK;
void spool_done(struct spool *spool);
/* ST_OK: durable. Makes room first (and once more when the disk is full). ST_IO, ST_TOO_LARGE: the
 * disk has no room even so; the record is lost and counted in dropped. */
enum status spool_append(struct spool *spool, const struct spool_entry *entry, const void *data,
                         size_t length, int64_t now_us, struct err *err) MUST_CHECK;
/* The payload of entries[index], appended to `out`. ST_MALFORMED: torn; it has been removed and
 * counted (the entries behind have moved up). */
enum status spool_read(struct spool *spool, size_t index, struct strbuf *out,
                       struct err *err) MUST_CHECK;
/* The oldest `count` are delivered (or given up): removed. */
enum status spool_remove(struct spool *spool, size_t count, struct err *err) MUST_CHECK;

#endif
