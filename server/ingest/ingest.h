/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From decoded documents to durable. HTTP threads submit batches; one committer thread gathers
 * what has arrived, writes it as one transaction (group commit), publishes the new states to the
 * fleet and then calls each batch's `done`. Load makes groups bigger, not answers slower. The
 * queue is bounded in bytes: past it ingest_submit answers ST_BUSY at once.
 */
#ifndef SERVER_INGEST_INGEST_H
#define SERVER_INGEST_INGEST_H

#include "common/snapshot.h"
#include "common/strbuf.h"
#include "server/state/fleet.h"
#include "server/store/db.h"

struct ingest;

enum ingest_outcome {
    INGEST_ACCEPTED,
    INGEST_DUPLICATE, /* held already; changes nothing */
    INGEST_REJECTED   /* err says why: unknown base (ST_CONFLICT), ... */
};

struct ingest_item {
    struct snapshot *snapshot; /* owned by the batch (heap, snapshot_done + free) */
    size_t index;              /* place in the body */
    size_t cost_bytes;         /* of the text it came from, for the queue bound */
    enum ingest_outcome outcome;
    struct err err; /* for INGEST_REJECTED */
    /* Made by ingest_submit on the caller's thread, so that the committer only writes. */
    struct strbuf block;
    struct strbuf detail; /* empty: none */
    /* Of the drivers that an accepted document listed: builds nobody has scanned, where that had
     * to be looked up. In the snapshot's arena. */
    unsigned char (*unscanned)[32];
    size_t unscanned_count;
};

/* One request's documents. Items that failed to decode are not in here. */
struct ingest_batch {
    struct ingest_item *items;
    size_t count;
    const char *only_host; /* host tokens may write this host only; NULL: any */
    /* Of only_host, with status ST_OK: */
    bool cloned;        /* a document's boot is a clone's: the identity must be given up */
    bool lacks_drivers; /* the server holds no drivers or no attributes of it */
    enum status status; /* of the transaction: ST_OK, ST_DB, ... set before done */
    struct err err;
    void (*done)(struct ingest_batch *batch, void *arg); /* on the committer thread; frees it */
    void *arg;
    struct ingest_batch *next; /* the queue's */
};

struct ingest_batch *ingest_batch_new(size_t capacity); /* NULL when memory is out */
void ingest_batch_free(struct ingest_batch *batch);

struct ingest_options {
    size_t queue_bytes;   /* bound of what waits, as cost_bytes */
    int64_t retention_us; /* taken_at older than this is refused */
    int64_t keyframe_us;  /* a complete block at least this often per host */
};

struct ingest_stats { /* since start; read without lock */
    uint64_t accepted;
    uint64_t duplicates;
    uint64_t rejected;
    uint64_t commits;
    uint64_t failed_commits;
    uint64_t queued_bytes;
    uint64_t queued_batches;
    uint64_t rows;
};

/* Starts the committer thread with a connection of its own. db and fleet outlive it. */
enum status ingest_start(struct db_pool *pool, struct fleet *fleet,
                         const struct ingest_options *options, struct ingest **ret_ingest,
                         struct err *err) MUST_CHECK;
/* Refuses new batches, commits what waits, joins the thread, frees. NULL allowed. */
void ingest_stop(struct ingest *ingest);
/* Takes the batch over on ST_OK (done will be called once, perhaps before this returns);
 * else the caller keeps it: ST_BUSY when the queue is full, ST_DB while the database is away. */
enum status ingest_submit(struct ingest *ingest, struct ingest_batch *batch,
                          struct err *err) MUST_CHECK;
/* Waits until the rows of hosts say what the snapshots accepted before this call say (they follow
 * some time after); not while the database is away or the committer stops. */
void ingest_settle(struct ingest *ingest);
void ingest_read_stats(struct ingest *ingest, struct ingest_stats *ret_stats);

/* What a body is made of. The second of each pair holds several documents. */
enum ingest_form { INGEST_JSON, INGEST_NDJSON, INGEST_CBOR, INGEST_CBOR_SEQ };
static inline bool ingest_form_many(enum ingest_form form)
{
    return form == INGEST_NDJSON || form == INGEST_CBOR_SEQ;
}

/* Splits and decodes a body. Of several, documents that fail are reported through `refuse` with
 * their place and the others are in the batch; where CBOR itself breaks nobody knows where the next
 * document begins, so the rest of the body is one refusal. A single document that fails is the
 * result. Checks taken_at against `now_us`. The batch grows as needed. */
typedef void (*ingest_refuse)(void *arg, size_t index, const struct err *err);
enum status ingest_decode(const char *body, size_t length, enum ingest_form form, int64_t now_us,
                          const struct ingest_options *options, struct ingest_batch *batch,
                          ingest_refuse refuse, void *arg, struct err *err) MUST_CHECK;

#endif
