/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue and its one committer thread. The queue's lock is held for list operations only. While
 * the database is away, submitting fails at once and the committer tries to connect with growing
 * pauses; nothing waits for it.
 */
#include "server/ingest/ingest.h"

#include "common/log.h"
#include "server/chunk/chunk.h"
#include "server/ingest/group.h"
#include "server/store/store_snapshots.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* Bounds of one transaction: larger ones gain nothing more and delay the first answer. Chosen. */
#define GROUP_BYTES   ((size_t)8 << 20)
#define GROUP_BATCHES 1024
/* Agents wait half a minute for their answer: no statement of a group may take as long. */
#define COMMIT_TIMEOUT_US (10 * US_PER_SECOND)
/* Host rows follow their snapshots after so long at most, and so soon when nothing more comes. */
#define FOLLOW_LATE_US (10 * US_PER_SECOND)
#define FOLLOW_IDLE_US (200 * US_PER_MS)
#define BACKOFF_MIN_US (100 * US_PER_MS)
#define BACKOFF_MAX_US (5 * US_PER_SECOND)

struct ingest {
    struct db_pool *pool;
    struct fleet *fleet;
    struct ingest_options options;
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_cond_t settled;
    struct ingest_batch *first, *last;
    size_t queued_bytes; /* also what is being committed */
    size_t queued_batches;
    bool stopping;
    bool down;                          /* could not connect at the last try */
    bool behind;                        /* rows of hosts have to follow */
    uint64_t follow_asked, follow_done; /* see ingest_settle */

    /* the committer's own */
    struct db *db; /* NULL: not connected */
    struct known_days days;
    int64_t follow_since_us; /* states published from here on; monotonic */
    int64_t followed_us;     /* when that was last tried */
    int64_t backoff_us;
    int64_t next_try_us; /* monotonic */

    _Atomic uint64_t accepted, duplicates, rejected, commits, failed_commits, rows;
};

/* ---- submit ---------------------------------------------------------------- */

/* The costly part of writing, on the caller's thread. */
static enum status prepare(struct ingest_batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct ingest_item *item = &batch->items[i];
        if (item->block.length > 0) /* submitted before, and refused */
            continue;
        enum status status = chunk_encode(item->snapshot->table, &item->block, err);
        if (status != ST_OK)
            return status;
        store_detail_encode(item->snapshot, &item->detail);
        if (strbuf_failed(&item->block) || strbuf_failed(&item->detail))
            return err_set(err, ST_NOMEM, "could not store snapshots: out of memory");
    }
    return ST_OK;
}

static size_t batch_bytes(const struct ingest_batch *batch)
{
    size_t bytes = sizeof *batch;
    for (size_t i = 0; i < batch->count; i++)
        bytes += batch->items[i].cost_bytes;
    return bytes;
}

/* Under the lock. */
static enum status enqueue(struct ingest *ingest, struct ingest_batch *batch, size_t bytes,
                           struct err *err)
{
    if (ingest->stopping)
        return err_set(err, ST_BUSY, "could not take snapshots: the server is stopping");
    if (ingest->down)
        return err_set(err, ST_DB, "could not take snapshots: the database is away");
    /* A batch larger than the whole queue may still come alone. */
    if (ingest->queued_batches > 0 && ingest->queued_bytes + bytes > ingest->options.queue_bytes)
        return err_set(err, ST_BUSY, "could not take snapshots: %zu bytes wait already",
                       ingest->queued_bytes);
    batch->next = NULL;
    if (ingest->last == NULL)
        ingest->first = batch;
    else
        ingest->last->next = batch;
    ingest->last = batch;
    ingest->queued_bytes += bytes;
    ingest->queued_batches++;
    pthread_cond_signal(&ingest->changed);
    return ST_OK;
}

enum status ingest_submit(struct ingest *ingest, struct ingest_batch *batch, struct err *err)
{
    enum status status = prepare(batch, err);
    if (status != ST_OK)
        return status;
    size_t bytes = batch_bytes(batch);
    pthread_mutex_lock(&ingest->lock);
    status = enqueue(ingest, batch, bytes, err);
    pthread_mutex_unlock(&ingest->lock);
    return status;
}

/* ---- commit ---------------------------------------------------------------- */

static void answer(struct ingest *ingest, struct ingest_batch *batch, enum status status,
                   const struct err *err)
{
    size_t bytes = batch_bytes(batch);
    batch->status = status;
    if (status != ST_OK)
        batch->err = *err;
    pthread_mutex_lock(&ingest->lock);
    ingest->queued_bytes -= bytes;
    ingest->queued_batches--;
    pthread_mutex_unlock(&ingest->lock);
    batch->done(batch, batch->arg);
}

static void count_result(struct ingest *ingest, const struct group_result *result)
{
    atomic_fetch_add(&ingest->accepted, result->accepted);
    atomic_fetch_add(&ingest->duplicates, result->duplicates);
    atomic_fetch_add(&ingest->rejected, result->rejected);
    atomic_fetch_add(&ingest->rows, result->rows);
    atomic_fetch_add(&ingest->commits, 1);
}

static void set_down(struct ingest *ingest, bool down)
{
    pthread_mutex_lock(&ingest->lock);
    ingest->down = down;
    pthread_cond_broadcast(&ingest->settled);
    pthread_mutex_unlock(&ingest->lock);
}

/* Nothing is taken until a connection is there again. */
static void go_down(struct ingest *ingest)
{
    db_release(ingest->db);
    ingest->db = NULL;
    ingest->next_try_us = clock_mono_us() + ingest->backoff_us;
    ingest->backoff_us *= 2;
    if (ingest->backoff_us > BACKOFF_MAX_US)
        ingest->backoff_us = BACKOFF_MAX_US;
    set_down(ingest, true);
}

/* All the committer's statements go by a key. Plans are made once, and those of a young database say
 * that reading all of such a small table is cheaper; when thousands of agents then come at once,
 * each of them would have all others' rows read, until the next ANALYZE. */
static enum status open_connection(struct ingest *ingest, struct err *err)
{
    enum status status = db_open_own(ingest->pool, &ingest->db, err);
    if (status == ST_OK)
        status = db_hurry(ingest->db, COMMIT_TIMEOUT_US, err);
    return status == ST_OK ? db_script(ingest->db, "SET enable_seqscan = off", err) : status;
}

static enum status connect_again(struct ingest *ingest, struct err *err)
{
    db_release(ingest->db);
    ingest->db = NULL;
    enum status status = open_connection(ingest, err);
    if (status == ST_OK) {
        ingest->backoff_us = BACKOFF_MIN_US;
        set_down(ingest, false);
        return ST_OK;
    }
    go_down(ingest);
    return status;
}

/* One try with the connection there is. */
static enum status commit_once(struct ingest *ingest, struct ingest_batch *const *batches,
                               size_t count, struct err *err)
{
    struct group_result result;
    if (ingest->db == NULL) {
        enum status status = connect_again(ingest, err);
        if (status != ST_OK)
            return status;
    }
    enum status status = group_commit(ingest->db, ingest->fleet, &ingest->options, &ingest->days,
                                      batches, count, &result, err);
    if (status == ST_OK)
        count_result(ingest, &result);
    else
        atomic_fetch_add(&ingest->failed_commits, 1);
    if (db_silent(ingest->db)) {
        go_down(ingest);
    } else if (db_broken(ingest->db)) {
        db_release(ingest->db);
        ingest->db = NULL;
        status = status == ST_OK ? ST_OK : ST_DB;
    }
    return status;
}

/* PostgreSQL may have been restarted while nothing came: a lost connection gets one more try, but
 * not one that was silent, for whose answer the requests have waited long enough. That is safe even
 * if the lost answer was that of a commit, since a repeat changes nothing. */
static enum status commit(struct ingest *ingest, struct ingest_batch *const *batches, size_t count,
                          struct err *err)
{
    bool connected = ingest->db != NULL;
    enum status status = commit_once(ingest, batches, count, err);
    if (status != ST_OK && connected && ingest->db == NULL && !ingest->down)
        status = commit_once(ingest, batches, count, err);
    return status;
}

/* Only what a document can cause is worth trying each batch for itself. A lock, a full disk, a
 * server that is too slow would fail them all, one timeout after the other, while others wait. */
static bool may_be_a_document(const struct err *err)
{
    static const char *const classes[] = {"21", "22", "23", "54"};
    if (err->sqlstate[0] == '\0')
        return err->code != ST_DB && err->code != ST_TIMEOUT && err->code != ST_BUSY;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (strncmp(err->sqlstate, classes[i], 2) == 0)
            return true;
    }
    return false;
}

/* The database is away: what waits gets the same answer now instead of waiting for its own try. */
static void answer_waiting(struct ingest *ingest, enum status status, const struct err *err)
{
    pthread_mutex_lock(&ingest->lock);
    struct ingest_batch *batch = ingest->first;
    ingest->first = ingest->last = NULL;
    pthread_mutex_unlock(&ingest->lock);
    while (batch != NULL) {
        struct ingest_batch *next = batch->next;
        answer(ingest, batch, status, err);
        batch = next;
    }
}

static void commit_group(struct ingest *ingest, struct ingest_batch **batches, size_t count)
{
    struct err err = {0};
    enum status status = commit(ingest, batches, count, &err);
    /* The database is there but did not take the group: let one batch not stop the others. */
    bool apart = status != ST_OK && ingest->db != NULL && count > 1 && may_be_a_document(&err);
    for (size_t i = 0; i < count; i++) {
        if (apart)
            status = commit(ingest, &batches[i], 1, &err);
        answer(ingest, batches[i], status, &err);
    }
    if (status != ST_OK && ingest->db == NULL)
        answer_waiting(ingest, status, &err);
}

/* ---- the thread ------------------------------------------------------------ */

/* Under the lock: takes what forms the next group out of the queue. */
static size_t take_group(struct ingest *ingest, struct ingest_batch *ret_batches[GROUP_BATCHES])
{
    size_t count = 0, bytes = 0;
    while (ingest->first != NULL && count < GROUP_BATCHES) {
        size_t more = batch_bytes(ingest->first);
        if (count > 0 && bytes + more > GROUP_BYTES)
            break;
        bytes += more;
        ret_batches[count++] = ingest->first;
        ingest->first = ingest->first->next;
    }
    if (ingest->first == NULL)
        ingest->last = NULL;
    return count;
}

/* Under the lock: until something changes or left_us are over. */
static void wait_at_most(struct ingest *ingest, int64_t left_us)
{
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += left_us / US_PER_SECOND;
    deadline.tv_nsec += left_us % US_PER_SECOND * 1000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&ingest->changed, &ingest->lock, &deadline);
}

static bool follow_is_due(const struct ingest *ingest, int64_t *ret_left_us)
{
    int64_t idle_us = ingest->first == NULL ? FOLLOW_IDLE_US : FOLLOW_LATE_US;
    int64_t left_us = ingest->followed_us + idle_us - clock_mono_us();
    *ret_left_us = left_us;
    bool asked = ingest->follow_asked != ingest->follow_done || ingest->stopping;
    return !ingest->down && ((ingest->behind && left_us <= 0) || asked);
}

/* Under the lock: waits for batches, for the end, or for the time to connect again or to let host
 * rows follow. */
static void wait_for_work(struct ingest *ingest)
{
    while (ingest->first == NULL && !ingest->stopping) {
        int64_t left_us;
        if (follow_is_due(ingest, &left_us))
            return;
        if (ingest->down)
            left_us = ingest->next_try_us - clock_mono_us();
        else if (!ingest->behind) {
            pthread_cond_wait(&ingest->changed, &ingest->lock);
            continue;
        }
        if (left_us <= 0)
            return;
        wait_at_most(ingest, left_us);
    }
}

/* Under the lock, which is given up meanwhile. A failure is tried again: the connection is looked
 * at when the next group comes. */
static void follow(struct ingest *ingest)
{
    struct err err = {0};
    uint64_t asked = ingest->follow_asked;
    ingest->behind = false;
    pthread_mutex_unlock(&ingest->lock);
    bool connected = ingest->db != NULL || connect_again(ingest, NULL) == ST_OK;
    enum status status = ST_OK;
    if (connected)
        status = group_follow(ingest->db, ingest->fleet, &ingest->follow_since_us, &err);
    if (status != ST_OK)
        log_warning("could not bring host rows up to date", "error", err.message);
    if (connected && db_silent(ingest->db)) {
        go_down(ingest);
        answer_waiting(ingest, status, &err);
    } else if (connected && db_broken(ingest->db)) {
        db_release(ingest->db);
        ingest->db = NULL;
    }
    ingest->followed_us = clock_mono_us();
    pthread_mutex_lock(&ingest->lock);
    ingest->behind |= status != ST_OK || !connected;
    ingest->follow_done = asked;
    pthread_cond_broadcast(&ingest->settled);
}

static void *run(void *arg)
{
    struct ingest *ingest = arg;
    _Static_assert(GROUP_BATCHES <= 4096, "the list is on the stack");
    struct ingest_batch *batches[GROUP_BATCHES];
    pthread_mutex_lock(&ingest->lock);
    for (;;) {
        wait_for_work(ingest);
        size_t count = take_group(ingest, batches);
        bool over = ingest->stopping && count == 0;
        bool down = ingest->down;
        ingest->behind |= count > 0;
        pthread_mutex_unlock(&ingest->lock);
        if (count > 0)
            commit_group(ingest, batches, count);
        else if (!over && down && connect_again(ingest, NULL) == ST_OK)
            ingest->days.count = 0; /* it may be another database now: a restore */
        pthread_mutex_lock(&ingest->lock);
        int64_t left_us;
        if (follow_is_due(ingest, &left_us))
            follow(ingest);
        if (over) {
            pthread_mutex_unlock(&ingest->lock);
            return NULL;
        }
    }
}

/* ---- life ------------------------------------------------------------------ */

static void ingest_free(struct ingest *ingest)
{
    db_release(ingest->db);
    pthread_cond_destroy(&ingest->changed);
    pthread_cond_destroy(&ingest->settled);
    pthread_mutex_destroy(&ingest->lock);
    free(ingest);
}

enum status ingest_start(struct db_pool *pool, struct fleet *fleet,
                         const struct ingest_options *options, struct ingest **ret_ingest,
                         struct err *err)
{
    struct ingest *ingest = calloc(1, sizeof *ingest);
    if (ingest == NULL)
        return err_set(err, ST_NOMEM, "could not start the committer: out of memory");
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&ingest->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_cond_init(&ingest->settled, NULL);
    pthread_mutex_init(&ingest->lock, NULL);
    ingest->pool = pool;
    ingest->fleet = fleet;
    ingest->options = *options;
    ingest->backoff_us = BACKOFF_MIN_US;
    enum status status = open_connection(ingest, err);
    if (status != ST_OK) {
        ingest_free(ingest);
        return status;
    }
    int error = pthread_create(&ingest->thread, NULL, run, ingest);
    if (error != 0) {
        ingest_free(ingest);
        return err_set(err, ST_IO, "could not start the committer: %s", strerror(error));
    }
    *ret_ingest = ingest;
    return ST_OK;
}

void ingest_stop(struct ingest *ingest)
{
    if (ingest == NULL)
        return;
    pthread_mutex_lock(&ingest->lock);
    ingest->stopping = true;
    pthread_cond_broadcast(&ingest->changed);
    pthread_cond_broadcast(&ingest->settled);
    pthread_mutex_unlock(&ingest->lock);
    pthread_join(ingest->thread, NULL);
    ingest_free(ingest);
}

void ingest_settle(struct ingest *ingest)
{
    pthread_mutex_lock(&ingest->lock);
    uint64_t asked = ++ingest->follow_asked;
    pthread_cond_signal(&ingest->changed);
    while (ingest->follow_done < asked && !ingest->down && !ingest->stopping)
        pthread_cond_wait(&ingest->settled, &ingest->lock);
    pthread_mutex_unlock(&ingest->lock);
}

void ingest_read_stats(struct ingest *ingest, struct ingest_stats *ret_stats)
{
    pthread_mutex_lock(&ingest->lock);
    uint64_t bytes = ingest->queued_bytes, batches = ingest->queued_batches;
    pthread_mutex_unlock(&ingest->lock);
    *ret_stats = (struct ingest_stats){
        .accepted = atomic_load(&ingest->accepted),
        .duplicates = atomic_load(&ingest->duplicates),
        .rejected = atomic_load(&ingest->rejected),
        .commits = atomic_load(&ingest->commits),
        .failed_commits = atomic_load(&ingest->failed_commits),
        .rows = atomic_load(&ingest->rows),
        .queued_bytes = bytes,
        .queued_batches = batches,
    };
}
