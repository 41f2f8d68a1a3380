/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newest state of every host, in memory, compact. Nothing is only here: it is rebuilt from the
 * database at start and changed only after a commit.
 *
 * Each host's state is an immutable object with a reference count; the committer swaps it for a
 * newer one. Readers take references under a short lock and then read without any lock, so a slow
 * reader never stops ingest. All functions are thread-safe.
 */
#ifndef SERVER_STATE_FLEET_H
#define SERVER_STATE_FLEET_H

#include "common/snapshot.h"

struct fleet;

/* What ingest has to know of the newest snapshot to take the next one without asking the database.
 * The committer's own, also once published: nobody else reads it. */
struct ingest_mark {
    bool known;      /* else: ask the database */
    bool row_behind; /* the host's row says less than this state; see group.h */
    bool has_facts;  /* the database holds attributes and drivers of the host */
    int32_t chain;
    int64_t keyframe_at_us;
    int64_t sequence_max; /* of this boot */
    int64_t live_boot_at_us;
    int64_t live_taken_at_us;
    int64_t published_us; /* monotonic */
};

/* Attributes that lists of all hosts show: found once, since a search in each of ten thousand hosts
 * costs more than all else that such a list does. */
enum host_attribute {
    HOST_ROLE,
    HOST_OS_BUILD,
    HOST_OS_NAME,
    HOST_MODEL,
    HOST_RAM,
    HOST_SIMULATED,
    HOST_ATTRIBUTES
};

/* Rows are kept compact (see host_state.c); read them through host_state_row and host_state_find.
 */
struct host_state {
    int64_t key;      /* host.host_id in the database */
    const char *id;   /* the agent's own identity */
    const char *name; /* NULL: unknown */
    int64_t boot_at_us;
    int64_t taken_at_us;
    int64_t sequence;
    int64_t usual_interval_us; /* median gap of the last snapshots; TIME_UNKNOWN: not yet known */
    struct snapshot_totals totals;
    const struct snapshot_attribute *attributes; /* sorted by name */
    size_t attribute_count;
    const char *shown[HOST_ATTRIBUTES];            /* values of some of them; NULL: not told */
    struct snapshot_agent agent;                   /* not present: its agent never told */
    const struct compact_table *table[POOL_COUNT]; /* NULL: unknown */
    struct ingest_mark mark;                       /* set by who publishes */
};

struct host_row {
    uint32_t tag;
    unsigned columns; /* COLUMN_*: which of the following are known */
    uint32_t allocs;
    uint32_t frees;
    uint64_t bytes;
};

struct fleet *fleet_new(void); /* NULL when memory is out */
void fleet_free(struct fleet *fleet);

size_t host_state_rows(const struct host_state *host, enum pool pool);
struct host_row host_state_row(const struct host_state *host, enum pool pool, size_t index);
bool host_state_find(const struct host_state *host, enum pool pool, uint32_t tag,
                     struct host_row *ret_row);
/* NULL when the host has no such attribute. Those in `shown` need no search. */
const char *host_state_attribute(const struct host_state *host, const char *name);
/* The tables as plain columns, into arena. */
enum status host_state_tables(const struct host_state *host, struct arena *arena,
                              struct snapshot_table ret_table[POOL_COUNT]) MUST_CHECK;

/* A reference to one host by id; NULL when unknown. Give back with host_state_release. */
const struct host_state *fleet_get(struct fleet *fleet, const char *id);
void host_state_release(const struct host_state *host);
static inline void cleanup_host_state(const struct host_state **host)
{
    host_state_release(*host);
}
#define AUTO_HOST_STATE CLEANUP(cleanup_host_state)

/* References to all hosts, sorted by id. */
struct fleet_list {
    const struct host_state **items;
    size_t count;
    uint64_t generation; /* changes whenever any host's state does: for ETags and caches */
};
enum status fleet_list(struct fleet *fleet, struct fleet_list *ret_list) MUST_CHECK;
void fleet_list_done(struct fleet_list *list);
#define AUTO_FLEET_LIST CLEANUP(fleet_list_done)

uint64_t fleet_generation(struct fleet *fleet);
size_t fleet_count(struct fleet *fleet);
size_t fleet_memory_bytes(struct fleet *fleet); /* for /metrics and the memory benchmark */

/* For ingest only (and the load at start). A new state from a complete snapshot (bases merged);
 * attributes NULL: keep those of `previous`. Owned by caller until published. */
enum status host_state_new(int64_t key, const struct snapshot *snapshot,
                           const struct host_state *previous, struct host_state **ret_host,
                           struct err *err) MUST_CHECK;
/* The same for a document that only changes rows `previous` has. *ret_host NULL with ST_OK: it does
 * more than that (a new row, another name, attributes, a size beyond its place); merge the tables
 * and use host_state_new. */
enum status host_state_patch(const struct host_state *previous, const struct snapshot *snapshot,
                             struct host_state **ret_host, struct err *err) MUST_CHECK;
/* Sets what usual_interval_us rests on: taken_at of the newest snapshots, oldest first (the load at
 * start; ingest carries it on from `previous`). Before publishing only. */
void host_state_set_recent(struct host_state *host, const int64_t *taken_at_us, size_t count);
/* One more reference to a state that the caller holds one of. */
const struct host_state *host_state_ref(const struct host_state *host);
/* Takes over the reference. An older taken_at than the present state's changes nothing. */
void fleet_publish(struct fleet *fleet, struct host_state *host_take);

#endif
