/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sim/run.h"
#include "agent/core/schedule.h"
#include "agent/sim/ack.h"
#include "agent/sim/rng.h"
#include "common/snapshot_json.h"

#include <errno.h>
#include <unistd.h>

#define BATCH_DOCUMENTS      128u              /* chosen: 13 MB of open snapshots at 2,500 rows */
#define BATCH_BYTES          ((size_t)2 << 20) /* a quarter of what the server takes in one body */
#define BACKOFF_CAP_US       (30 * US_PER_SECOND)
#define PROGRESS_TERMINAL_US US_PER_SECOND
#define PROGRESS_PLAIN_US    (10 * US_PER_SECOND)

struct entry {
    struct sim_host *host;
    struct snapshot snapshot;
    struct snapshot_table complete[POOL_COUNT]; /* memory of the snapshot */
};

struct lane {
    struct run *run;
    unsigned index;
    pthread_t thread;
    bool started;
    struct transport transport;
    struct backoff backoff;
    struct strbuf body;
    struct transport_reply reply;
    int64_t away_since_us; /* mono; -1: the server answers */
    struct entry entries[BATCH_DOCUMENTS];
    size_t count;
};

struct run {
    const struct run_options *options;
    struct world *world;
    FILE *output;
    int64_t real_start_us; /* mono: when simulated time was now_us */
    unsigned lane_count;
    struct lane *lanes;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    bool stop;
    unsigned active;
    int64_t reached_us;
    enum status status;
    struct err err;
    struct run_totals totals;
};

static bool stopped(struct run *run)
{
    pthread_mutex_lock(&run->lock);
    bool stop = run->stop;
    pthread_mutex_unlock(&run->lock);
    return stop;
}

void run_stop(struct run *run)
{
    pthread_mutex_lock(&run->lock);
    run->stop = true;
    pthread_cond_broadcast(&run->changed);
    pthread_mutex_unlock(&run->lock);
}

/* The first failure is the one that is told; it ends all lanes. */
static void fail(struct run *run, enum status st, const struct err *err)
{
    pthread_mutex_lock(&run->lock);
    if (run->status == ST_OK) {
        run->status = st;
        run->err = *err;
    }
    run->stop = true;
    pthread_cond_broadcast(&run->changed);
    pthread_mutex_unlock(&run->lock);
}

/* Until the monotonic time, or a stop (then false). */
static bool wait_until(struct run *run, int64_t mono_us)
{
    struct timespec at = {.tv_sec = mono_us / US_PER_SECOND,
                          .tv_nsec = (mono_us % US_PER_SECOND) * 1000};
    pthread_mutex_lock(&run->lock);
    int result = 0;
    while (!run->stop && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&run->changed, &run->lock, &at);
    bool go_on = !run->stop;
    pthread_mutex_unlock(&run->lock);
    return go_on;
}

static bool wait_for_server(void *arg, int64_t wait_us, const struct err *reason)
{
    struct lane *lane = arg;
    (void)reason;
    int64_t now = clock_mono_us();
    if (lane->away_since_us < 0)
        lane->away_since_us = now;
    if (now - lane->away_since_us > lane->run->options->give_up_us)
        return false;
    pthread_mutex_lock(&lane->run->lock);
    lane->run->totals.waits++;
    pthread_mutex_unlock(&lane->run->lock);
    return wait_until(lane->run, now + wait_us);
}

static enum status post(struct lane *lane, struct err *err)
{
    if (lane->run->output != NULL) {
        if (fwrite(lane->body.data, 1, lane->body.length, lane->run->output) != lane->body.length)
            return err_set(err, ST_IO, "could not write the output: %s", strerror(errno));
        lane->reply.code = 0;
        return ST_OK;
    }
    struct transport_request request = {
        .path = "/api/v1/snapshots",
        .content_type = "application/x-ndjson",
        .data = lane->body.data,
        .length = lane->body.length,
    };
    struct deliver_wait wait = {.arg = lane, .wait = wait_for_server};
    enum status st = deliver(&lane->transport, &request, &lane->backoff, &wait, &lane->reply, err);
    lane->away_since_us = -1;
    return st;
}

static void count_up(struct run *run, const struct run_totals *more, int64_t reached_us)
{
    pthread_mutex_lock(&run->lock);
    uint64_t *to = (uint64_t *)&run->totals;
    const uint64_t *from = (const uint64_t *)more;
    for (size_t i = 0; i < sizeof *more / sizeof *from; i++)
        to[i] += from[i];
    if (reached_us > run->reached_us)
        run->reached_us = reached_us;
    pthread_mutex_unlock(&run->lock);
}

static void encode(struct lane *lane, const struct entry *entry, struct run_totals *totals)
{
    size_t before = lane->body.length;
    snapshot_json_encode(&entry->snapshot, &lane->body);
    strbuf_putc(&lane->body, '\n');
    totals->bytes += lane->body.length - before;
    totals->rows += entry->snapshot.table[0].count + entry->snapshot.table[1].count;
    totals->full += entry->snapshot.base == SEQUENCE_UNKNOWN;
}

/* What the server now holds becomes the base; what it lacks the base of is kept for another try. */
static enum status settle(struct lane *lane, const struct ack *ack, struct run_totals *totals,
                          struct err *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < lane->count; i++) {
        struct entry *entry = &lane->entries[i];
        struct sim_host *host = entry->host;
        bool complete = entry->snapshot.base == SEQUENCE_UNKNOWN;
        enum status st = ST_OK;
        if (ack->states[i] == ACK_HELD) {
            totals->snapshots++;
            host->facts_changed = false;
            st = changes_acknowledge(&host->base, host->boot_us, host->sequence, entry->complete);
        } else if (ack->states[i] == ACK_CONFLICT && !complete) {
            changes_forget(&host->base);
            memcpy(entry->snapshot.table, entry->complete, sizeof entry->complete);
            entry->snapshot.base = SEQUENCE_UNKNOWN;
            st = host_put_facts(host, &entry->snapshot);
            totals->resent++;
            if (kept != i) {
                lane->entries[kept] = *entry;
                snapshot_init(&entry->snapshot);
            }
            kept++;
            if (st == ST_OK)
                continue;
        } else {
            totals->rejected++;
            changes_forget(&host->base);
        }
        if (st != ST_OK)
            return err_set(err, st, "out of memory");
        snapshot_done(&entry->snapshot);
    }
    lane->count = kept;
    return ST_OK;
}

static enum status flush(struct lane *lane, int64_t reached_us, struct err *err)
{
    enum ack_state states[BATCH_DOCUMENTS];
    while (lane->count > 0) {
        struct run_totals totals = {0};
        struct ack ack = {.states = states};
        strbuf_clear(&lane->body);
        for (size_t i = 0; i < lane->count; i++)
            encode(lane, &lane->entries[i], &totals);
        if (strbuf_failed(&lane->body))
            return err_set(err, ST_NOMEM, "out of memory");
        enum status st = post(lane, err);
        for (size_t i = 0; i < lane->count; i++)
            states[i] = ACK_HELD;
        if (st == ST_OK && lane->run->output == NULL)
            st = ack_parse(lane->reply.code, lane->reply.body.data, lane->reply.body.length,
                           lane->count, &ack, err);
        if (st == ST_OK)
            st = settle(lane, &ack, &totals, err);
        if (st != ST_OK)
            return st;
        totals.duplicates = ack.duplicates;
        count_up(lane->run, &totals, reached_us);
        if (totals.rejected > 0) { /* told, but no reason to stop the others */
            pthread_mutex_lock(&lane->run->lock);
            if (lane->run->err.message[0] == '\0')
                lane->run->err = ack.first;
            pthread_mutex_unlock(&lane->run->lock);
        }
    }
    return ST_OK;
}

static void schedule(const struct run_options *o, struct sim_host *host, int64_t after_us)
{
    int64_t interval = after_us < o->now_us - o->fine_us ? o->backfill_interval_us : o->interval_us;
    int64_t offset = schedule_offset_us(host->id, interval) / US_PER_MS * US_PER_MS;
    host->next_us = schedule_next_us(after_us, interval, offset);
    if (host->next_us >= host->gap_from_us && host->next_us < host->gap_to_us)
        host->next_us = schedule_next_us(host->gap_to_us, interval, offset);
}

static enum status take(struct lane *lane, struct sim_host *host, struct err *err)
{
    struct entry *entry = &lane->entries[lane->count];
    enum status st = host_snapshot(host, host->next_us, &entry->snapshot);
    if (st != ST_OK)
        return err_set(err, st, "out of memory");
    lane->count++;
    entry->host = host;
    memcpy(entry->complete, entry->snapshot.table, sizeof entry->complete);
    st = changes_reduce(&host->base, &entry->snapshot);
    if (st != ST_OK)
        return err_set(err, st, "out of memory");
    schedule(lane->run->options, host, host->next_us);
    return ST_OK;
}

/* Simulated time at this real moment, in the live part. */
static int64_t simulated_now(const struct run *run)
{
    double real = (double)(clock_mono_us() - run->real_start_us);
    return run->options->now_us + (int64_t)(real * run->options->speed);
}

/* The time up to which this lane may take snapshots now; waits for it in the live part. */
static bool horizon(struct lane *lane, int64_t due_us, int64_t *ret_us)
{
    struct run *run = lane->run;
    const struct run_options *o = run->options;
    if (due_us <= o->now_us) {
        int64_t step = due_us < o->now_us - o->fine_us ? o->backfill_interval_us : o->interval_us;
        *ret_us = due_us + step - 1 < o->now_us ? due_us + step - 1 : o->now_us;
        return !stopped(run);
    }
    double ahead = (double)(due_us - o->now_us) / o->speed;
    if (!wait_until(run, run->real_start_us + (int64_t)ahead + 1000))
        return false;
    *ret_us = simulated_now(run);
    if (*ret_us < due_us)
        *ret_us = due_us;
    return true;
}

static size_t row_bytes(const struct lane *lane)
{
    size_t rows = 0;
    for (size_t i = 0; i < lane->count; i++)
        rows += lane->entries[i].snapshot.table[0].count + lane->entries[i].snapshot.table[1].count;
    return rows * 40 + lane->count * 1500; /* a row of JSON has about 32 bytes */
}

static enum status lane_run(struct lane *lane, struct err *err)
{
    struct run *run = lane->run;
    struct world *world = run->world;
    const struct run_options *o = run->options;
    for (;;) {
        int64_t due = INT64_MAX;
        for (size_t i = lane->index; i < world->count; i += run->lane_count)
            due = world->hosts[i].next_us < due ? world->hosts[i].next_us : due;
        int64_t until;
        if (due > o->end_us || due == INT64_MAX || !horizon(lane, due, &until))
            return ST_OK;
        until = until < o->end_us ? until : o->end_us;
        for (size_t i = lane->index; i < world->count; i += run->lane_count) {
            struct sim_host *host = &world->hosts[i];
            if (host->next_us > until)
                continue;
            enum status st = take(lane, host, err);
            if (st == ST_OK && (lane->count == BATCH_DOCUMENTS || row_bytes(lane) > BATCH_BYTES))
                st = flush(lane, due, err);
            if (st != ST_OK)
                return st;
        }
        enum status st = flush(lane, due, err);
        if (st != ST_OK)
            return st;
    }
}

static void *lane_main(void *arg)
{
    struct lane *lane = arg;
    struct err err = {0};
    enum status st = lane_run(lane, &err);
    if (st != ST_OK && !(stopped(lane->run) && st == ST_TIMEOUT))
        fail(lane->run, st, &err);
    pthread_mutex_lock(&lane->run->lock);
    lane->run->active--;
    pthread_cond_broadcast(&lane->run->changed);
    pthread_mutex_unlock(&lane->run->lock);
    return NULL;
}

static void print_progress(struct run *run, int64_t since_us, bool terminal)
{
    struct run_totals t = run->totals;
    double seconds = (double)(clock_mono_us() - since_us) / 1e6;
    char at[TIME_TEXT_MAX];
    time_format(run->reached_us / US_PER_SECOND * US_PER_SECOND, at);
    fprintf(stderr, "%s%s  %llu snapshots  %.0f/s  %llu rows  %.1f MB%s", terminal ? "\r" : "", at,
            (unsigned long long)t.snapshots, seconds > 0 ? (double)t.snapshots / seconds : 0,
            (unsigned long long)t.rows, (double)t.bytes / 1e6, terminal ? "   " : "\n");
}

/* Called with the lock held; returns with it held, when all lanes are done. */
static void watch(struct run *run)
{
    bool terminal = isatty(STDERR_FILENO) == 1;
    int64_t since = clock_mono_us();
    int64_t step = terminal ? PROGRESS_TERMINAL_US : PROGRESS_PLAIN_US;
    int64_t next = since + step;
    while (run->active > 0) {
        struct timespec at = {.tv_sec = next / US_PER_SECOND,
                              .tv_nsec = (next % US_PER_SECOND) * 1000};
        if (!run->options->progress)
            pthread_cond_wait(&run->changed, &run->lock);
        else if (pthread_cond_timedwait(&run->changed, &run->lock, &at) == ETIMEDOUT) {
            print_progress(run, since, terminal);
            next += step;
        }
    }
    if (run->options->progress) {
        print_progress(run, since, terminal);
        if (terminal)
            fputc('\n', stderr);
    }
}

enum status run_new(const struct run_options *options, struct world *world,
                    const struct transport *transports, FILE *output, struct run **ret_run,
                    struct err *err)
{
    AUTO_RUN struct run *run = calloc(1, sizeof *run);
    unsigned lanes = output != NULL ? 1 : options->connections;
    if (run != NULL)
        run->lanes = calloc(lanes, sizeof *run->lanes);
    if (run == NULL || run->lanes == NULL)
        return err_set(err, ST_NOMEM, "out of memory");
    run->options = options;
    run->world = world;
    run->output = output;
    run->lane_count = lanes;
    run->reached_us = options->start_us;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&run->lock, NULL);
    pthread_cond_init(&run->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    for (unsigned i = 0; i < lanes; i++) {
        struct lane *lane = &run->lanes[i];
        lane->run = run;
        lane->index = i;
        lane->away_since_us = -1;
        if (output == NULL)
            lane->transport = transports[i];
        backoff_init(&lane->backoff, options->backoff_us, BACKOFF_CAP_US,
                     rng_hash((uint64_t)getpid(), i));
    }
    for (size_t i = 0; i < world->count; i++)
        schedule(options, &world->hosts[i], options->start_us);
    *ret_run = TAKE(run);
    return ST_OK;
}

enum status run_all(struct run *run, struct err *err)
{
    pthread_mutex_lock(&run->lock);
    run->real_start_us = clock_mono_us();
    for (unsigned i = 0; i < run->lane_count; i++) {
        struct lane *lane = &run->lanes[i];
        run->active++;
        lane->started = pthread_create(&lane->thread, NULL, lane_main, lane) == 0;
        if (!lane->started) {
            run->active--;
            run->stop = true;
            run->status =
                err_set(&run->err, ST_IO, "could not start a thread: %s", strerror(errno));
        }
    }
    watch(run);
    pthread_mutex_unlock(&run->lock);
    for (unsigned i = 0; i < run->lane_count; i++) {
        if (run->lanes[i].started)
            pthread_join(run->lanes[i].thread, NULL);
        run->lanes[i].started = false;
    }
    if (run->output != NULL && run->status == ST_OK && fflush(run->output) != 0)
        return err_set(err, ST_IO, "could not write the output: %s", strerror(errno));
    if (run->status == ST_OK && run->totals.rejected > 0)
        return err_field(err, ST_INVALID, run->err.field,
                         "the server refused %llu snapshots, the first one for: %.160s",
                         (unsigned long long)run->totals.rejected, run->err.message);
    if (run->status != ST_OK && err != NULL)
        *err = run->err;
    return run->status;
}

struct run_totals run_totals(struct run *run)
{
    pthread_mutex_lock(&run->lock);
    struct run_totals totals = run->totals;
    pthread_mutex_unlock(&run->lock);
    return totals;
}

void run_free(struct run *run)
{
    if (run == NULL)
        return;
    for (unsigned i = 0; run->lanes != NULL && i < run->lane_count; i++) {
        struct lane *lane = &run->lanes[i];
        for (size_t e = 0; e < lane->count; e++)
            snapshot_done(&lane->entries[e].snapshot);
        strbuf_done(&lane->body);
        strbuf_done(&lane->reply.body);
    }
    if (run->lane_count > 0) {
        pthread_cond_destroy(&run->changed);
        pthread_mutex_destroy(&run->lock);
    }
    free(run->lanes);
    free(run);
}
