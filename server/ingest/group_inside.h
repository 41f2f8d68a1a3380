/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of a group commit share: group.c (the transaction), group_hosts.c (which hosts,
 * and what is known of each) and group_item.c (one document). Internal to server/ingest/group*.c.
 */
#ifndef SERVER_INGEST_GROUP_INSIDE_H
#define SERVER_INGEST_GROUP_INSIDE_H

#include "server/ingest/group.h"
#include "server/store/store_hosts.h"
#include "server/store/store_ingest.h"

/* A stored or pending snapshot that others can be based on, with its complete tables. */
struct base {
    struct host_state *state; /* owned; NULL: none */
    int64_t keyframe_at_us;
    int64_t chain;
};

/* One host of the group. */
struct work {
    struct ingest_host row;
    const struct host_state *published; /* what the fleet has; reference */
    struct base newest; /* the newest snapshot of the host, when this group made or read it */
    struct base tail;   /* the last accepted one, when it is not the newest: for back-fill */
    bool in_order;      /* memory is enough for all its documents; the row follows later */
    bool wanted;        /* has a complete document: a new host gets its row */
    bool changed;
    bool state_new; /* newest.state differs from what the fleet has */
    int64_t first_taken_us;
};

struct group {
    struct db *db;
    struct fleet *fleet;
    const struct ingest_options *options;
    struct ingest_batch *const *batches;
    size_t batch_count;
    int64_t now_us;
    bool careful;  /* look everything up, since memory was found to be wrong */
    bool in_order; /* every host of the group is */
    bool locks;    /* in a transaction, which a group that is not all in order needs */

    struct work *works; /* by host id */
    size_t work_count;
    struct ingest_row *rows;
    struct strbuf *keyframes; /* block of rows[i], when it was made here */
    size_t row_count;
    size_t row_flushed;
    size_t item_count;
    struct group_result result;
};

static inline enum status group_no_memory(struct err *err)
{
    return err_set(err, ST_NOMEM, "could not store snapshots: out of memory");
}

/* ---- group_hosts.c ---------------------------------------------------------- */

/* NULL: neither the document nor the batch's token names one. */
const char *group_item_host(const struct ingest_batch *batch, const struct ingest_item *item);
enum status group_check_host(const struct ingest_batch *batch, const struct ingest_item *item,
                             struct err *err) MUST_CHECK;
/* NULL: the host is none of the group's. */
struct work *group_work(struct group *group, const char *id);
/* What the row of a host says, from memory. first_seen_us is older than all that comes in order. */
struct ingest_host group_row_of(const struct host_state *state);
/* One work per host, sorted; also says which hosts have a complete document. */
void group_collect(struct group *group);
/* Looks at all documents of all hosts once, in the order in which they will be taken. */
enum status group_find_in_order(struct group *group, struct err *err) MUST_CHECK;
/* Locks what exists, makes what is new and has a document that can stand alone, locks that too. */
enum status group_lock_hosts(struct group *group, struct err *err) MUST_CHECK;
/* The fleet's state when it is what the row says, else from the database. */
enum status group_load_newest(struct group *group, struct work *work, struct err *err) MUST_CHECK;

/* ---- group_item.c ----------------------------------------------------------- */

/* ST_OK with the item's outcome set, or why the whole transaction fails. */
enum status group_take_item(struct group *group, struct ingest_batch *batch,
                            struct ingest_item *item, struct err *err) MUST_CHECK;
/* Writes the rows that wait. */
enum status group_flush(struct group *group, struct err *err) MUST_CHECK;

#endif
