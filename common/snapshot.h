/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hub: one snapshot of one host as columns. Every reader (JSON, sim, agent) makes one, every
 * store writes one. All memory, texts included, belongs to `arena`; snapshot_done frees it all.
 * Not shared between threads.
 *
 * Invariants of a snapshot that passed a decoder or snapshot_finish():
 *  - rows of a table are sorted by tag (as u32) and unique; all texts are valid UTF-8 without NUL
 *  - absent is unknown, never 0: NULL column, TIME_UNKNOWN, SEQUENCE_UNKNOWN, unset total bit
 *  - with `base` set, the tables hold only rows whose counters changed since that snapshot of the
 *    same boot, with absolute values
 */
#ifndef COMMON_SNAPSHOT_H
#define COMMON_SNAPSHOT_H

#include "common/arena.h"
#include "common/clock.h"
#include "common/status.h"
#include "common/tag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEQUENCE_UNKNOWN (-1)
#define SNAPSHOT_FORMAT  1

/* One pool's rows. A column that is NULL is not known (and then unknown for every row). */
struct snapshot_table {
    bool present; /* the document had this table, perhaps with no rows */
    size_t count;
    uint32_t *tag;
    uint32_t *allocs; /* wraps at 2^32 */
    uint32_t *frees;  /* wraps at 2^32 */
    uint64_t *bytes;
};

enum total {
    TOTAL_NONPAGED_BYTES,
    TOTAL_PAGED_BYTES,
    TOTAL_NONPAGED_LIMIT_BYTES,
    TOTAL_PAGED_LIMIT_BYTES,
    TOTAL_COMMIT_BYTES,
    TOTAL_COMMIT_LIMIT_BYTES,
    TOTAL_PHYSICAL_BYTES,
    TOTAL_AVAILABLE_BYTES,
    TOTAL_HANDLES,
    TOTAL_PROCESSES,
    TOTAL_THREADS,
    TOTAL_ALLOC_FAILURES,
    TOTAL_COUNT
};

struct snapshot_totals {
    uint32_t known; /* bit 1 << enum total */
    uint64_t value[TOTAL_COUNT];
};

/* "nonpaged_bytes", ...: the names of the document, also the column names in SQL. */
const char *total_name(enum total total);

static inline bool totals_has(const struct snapshot_totals *totals, enum total which)
{
    return (totals->known >> which & 1) != 0;
}

static inline void totals_set(struct snapshot_totals *totals, enum total which, uint64_t value)
{
    totals->known |= 1u << which;
    totals->value[which] = value;
}

struct snapshot_attribute {
    const char *name;
    const char *value;
};

struct snapshot_driver {
    const char *name;
    const char *version; /* NULL: unknown; so are the texts below */
    const char *company;
    const char *product;
    const char *sha256;  /* of the file: 64 lower-case hex digits; which build it is */
    const char *symbols; /* "amda.pdb/<GUID and age in hex>", as symbol servers name it */
    bool has_tags;       /* its file was scanned (or its tags are known otherwise) */
    uint32_t *tags;
    size_t tag_count;
};

struct snapshot_object {
    const char *type;
    int64_t objects; /* -1: unknown; so are handles */
    int64_t handles;
};

struct snapshot_process {
    int64_t pid;
    const char *image;
    int64_t handles; /* -1: unknown */
};

struct snapshot_session {
    int64_t id;
    int64_t paged_bytes; /* -1: unknown; so are failures */
    int64_t failures;
};

struct snapshot_event {
    int64_t at_us;
    const char *provider;
    int64_t id;
};

/* Large allocations (a page or more) of one tag by size, largest total first. No addresses. */
struct snapshot_blocks {
    uint32_t tag;
    size_t count;
    uint64_t *bytes;  /* size of one block */
    uint64_t *blocks; /* how many have that size */
};

/* What the agent says of itself. -1: unknown. */
struct snapshot_agent {
    bool present;
    bool simulated;      /* pool data does not come from a kernel */
    const char *version; /* NULL: unknown */
    int64_t waiting;     /* snapshots in its spool behind this one */
    int64_t dropped;     /* snapshots it lost since it was installed */
};

struct snapshot {
    struct arena arena;
    const char *host_id;   /* NULL: the token says who it is */
    const char *host_name; /* NULL: unknown */
    bool has_attributes;   /* present, even if empty: replaces what is known */
    bool has_drivers;
    size_t attribute_count;
    size_t driver_count;
    struct snapshot_attribute *attributes; /* sorted by name, unique */
    struct snapshot_driver *drivers;       /* sorted by name, unique */
    int64_t boot_at_us;                    /* TIME_UNKNOWN allowed */
    int64_t taken_at_us;                   /* always known */
    int64_t sequence;                      /* SEQUENCE_UNKNOWN allowed */
    int64_t base;                          /* SEQUENCE_UNKNOWN: tables are complete */
    struct snapshot_totals totals;
    struct snapshot_table table[POOL_COUNT];
    size_t object_count;
    size_t process_count;
    size_t session_count;
    size_t event_count;
    struct snapshot_object *objects;
    struct snapshot_process *processes;
    struct snapshot_session *sessions;
    struct snapshot_event *events;
    size_t block_count;
    struct snapshot_blocks *blocks; /* by tag, each once */
    struct snapshot_agent agent;
};

void snapshot_init(struct snapshot *snapshot);
void snapshot_done(struct snapshot *snapshot);
#define AUTO_SNAPSHOT CLEANUP(snapshot_done)

/* The rule for host ids: 1 to LIMIT_HOST_ID_BYTES bytes of letters, digits and ._:@- so that an id
 * can stand in a URL and a log line as it is. */
bool snapshot_host_id_valid(const char *id);

/* Which columns a table has; a table's columns are one of these sets or'ed together. */
enum { COLUMN_ALLOCS = 1, COLUMN_FREES = 2, COLUMN_BYTES = 4, COLUMN_ALL = 7 };

/* Gives `table` room for `rows` rows of the columns in `columns` (tag always). ST_NOMEM. */
enum status snapshot_table_alloc(struct arena *arena, struct snapshot_table *ret_table, size_t rows,
                                 unsigned columns) MUST_CHECK;
unsigned snapshot_table_columns(const struct snapshot_table *table);
/* Sorts rows by tag, all columns together. ST_INVALID with "tag[i]" (i: a place in the given
 * order) when a tag stands twice. */
enum status snapshot_table_sort(struct snapshot_table *table, struct err *err) MUST_CHECK;
/* Row of a tag in a sorted table, or SIZE_MAX. */
size_t snapshot_table_find(const struct snapshot_table *table, uint32_t tag);
/* base with the rows of `changed` put over it, into ret_table in `arena`. Both sorted, and with
 * the same columns (ST_INVALID else). Either may be absent (present == false). */
enum status snapshot_table_merge(struct arena *arena, const struct snapshot_table *base,
                                 const struct snapshot_table *changed,
                                 struct snapshot_table *ret_table, struct err *err) MUST_CHECK;
/* The rows of `now` that differ from `base` in any column, or are new; the inverse of merge. */
enum status snapshot_table_changed(struct arena *arena, const struct snapshot_table *base,
                                   const struct snapshot_table *now,
                                   struct snapshot_table *ret_table) MUST_CHECK;

#endif
