/* SPDX-License-Identifier: Apache-2.0 */
#include "server/jobs/jobs.h"

#include "common/background.h"
#include "common/log.h"
#include "server/app.h"
#include "server/jobs/analysis_live.h"
#include "server/jobs/history.h"
#include "server/jobs/rollup.h"
#include "server/jobs/seal.h"
#include "server/jobs/wants_refresh.h"
#include "server/notify/notify.h"
#include "server/store/partition.h"
#include "server/store/store_audit.h"
#include "server/store/store_faults.h"
#include "server/store/store_findings.h"
#include "server/store/store_mutes.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* With analyze_interval 0 the upkeep still runs, this often. */
#define UPKEEP_INTERVAL_US (5 * US_PER_MINUTE)
/* After a failure or without the lock: soon again, another server may have gone. */
#define RETRY_INTERVAL_US (30 * US_PER_SECOND)
/* While hosts wait to be read. */
#define BEHIND_INTERVAL_US (5 * US_PER_SECOND)
#define LEASE_WAIT_US      (10 * US_PER_SECOND)
/* Of one pass: sealing the twelve hours of a large fleet must not hold the analysis up. */
#define SEAL_BUDGET_US    (20 * US_PER_SECOND)
#define HISTORY_BUDGET_US (10 * US_PER_SECOND)
/* Reading hosts from cold: the other parts have their turn in between. */
#define COLD_BUDGET_US (20 * US_PER_SECOND)
/* Hosts as they are known, for the next start: at a start what arrived since is put on each, about
 * 0.3 ms a document, and writing one costs as much as some of them (docs/detection.md, "What a pass
 * costs"). */
#define CHECKPOINT_EVERY_US  US_PER_HOUR
#define CHECKPOINT_BUDGET_US (10 * US_PER_SECOND)
#define CHECKPOINT_BYTES     (64u << 20)
/* An orderly stop stores what it can of the rest. */
#define CHECKPOINT_STOP_US (2 * US_PER_SECOND)
/* Of rows that stay within what they have shown; they are the most, and a leak is none of them. */
#define FEATURE_AGE_US US_PER_HOUR

struct jobs {
    struct app *app;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_bool stop;
    bool hurry;                        /* a pass is wanted now; under lock */
    struct db *db;                     /* the thread's: holds the advisory lock; NULL: not held */
    bool leader;                       /* db is there; under lock, for others to read */
    struct job_state states[JOBS_MAX]; /* of parts[]; under lock */
    struct analysis_live *live;        /* the thread's: hosts that stay read; NULL: none yet */
    bool behind;                       /* the thread's: hosts wait to be read */
};

/* ---- the lock --------------------------------------------------------------- */

static void note_leader(struct jobs *jobs, bool leader)
{
    pthread_mutex_lock(&jobs->lock);
    jobs->leader = leader;
    pthread_mutex_unlock(&jobs->lock);
}

static void drop_lock(struct jobs *jobs)
{
    note_leader(jobs, false);
    db_release(jobs->db);
    jobs->db = NULL;
}

/* Session locks end with their connection: after any failure we ask anew on another one. */
static enum status take_lock(struct jobs *jobs, bool *ret_locked, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;

    *ret_locked = jobs->db != NULL;
    if (*ret_locked)
        return ST_OK;
    enum status status = db_lease(jobs->app->db, LEASE_WAIT_US, &db, err);
    if (status == ST_OK)
        status = store_analyzer_lock(db, ret_locked, err);
    if (status == ST_OK && *ret_locked)
        jobs->db = TAKE(db);
    note_leader(jobs, jobs->db != NULL);
    return status;
}

static void give_lock(struct jobs *jobs)
{
    if (jobs->db != NULL && store_analyzer_unlock(jobs->db, NULL) != ST_OK)
        log_debug("the analyzer's lock goes with its connection");
    drop_lock(jobs);
}

/* ---- the parts of a pass ---------------------------------------------------- */

#define FAULTS_LOGGED 10 /* a pass; the command line tells all of them */

static void log_faults(const struct finding_list *list)
{
    for (size_t i = 0; i < list->fault_count && i < FAULTS_LOGGED; i++)
        log_warning("a host is left out of the analysis, its data cannot be true", "host",
                    list->faults[i].host_id, "reason", list->faults[i].reason);
}

static void note_reads(struct app *app, const struct analysis_live_pass *pass)
{
    char restored[24], refused[24];

    atomic_fetch_add(&app->analysis_cold_reads, pass->cold);
    atomic_fetch_add(&app->analysis_restored, pass->restored);
    if (pass->restored + pass->refused == 0)
        return;
    snprintf(restored, sizeof restored, "%zu", pass->restored);
    snprintf(refused, sizeof refused, "%zu", pass->refused);
    log_info("hosts of the analysis were read from their checkpoints", "hosts", restored,
             "of no use", refused);
}

/* Until every host was read once, findings stay as the pass before this server's first left them.
 */
static enum status analyze(struct jobs *jobs, struct err *err)
{
    struct app *app = jobs->app;
    AUTO_FINDINGS struct finding_list list = {0};
    struct analysis_live_options options = {.tagdict = app->tagdict,
                                            .stop = &jobs->stop,
                                            .budget_us = COLD_BUDGET_US,
                                            .age_us = FEATURE_AGE_US};
    struct analysis_live_pass pass = {0};
    int64_t start = clock_mono_us();

    if (app->config->analyze_interval_us == 0)
        return ST_OK;
    if (jobs->live == NULL)
        jobs->live = analysis_live_new();
    if (jobs->live == NULL)
        return err_set(err, ST_NOMEM, "could not analyze: out of memory");
    enum status status = analysis_live_pass(jobs->live, app->db, &options, &pass, &list, err);
    note_reads(app, &pass);
    jobs->behind = status == ST_OK && pass.waiting > 0;
    if (status == ST_OK && !pass.complete)
        return ST_OK; /* hosts are being read, or none has reported yet */
    if (status == ST_OK)
        status = store_findings_apply(jobs->db, &list, pass.as_of_us, err);
    if (status == ST_OK)
        status = store_faults_apply(jobs->db, &list, pass.as_of_us, err);
    if (status != ST_OK)
        return status;
    log_faults(&list);
    notify_wake(app->notify);
    atomic_store(&app->analysis_duration_us, clock_mono_us() - start);
    atomic_store(&app->analyzed_at_us, clock_wall_us());
    atomic_store(&app->analyzed_as_of_us, pass.as_of_us);
    atomic_fetch_add(&app->analysis_passes, 1);
    return ST_OK;
}

static enum status store_hosts(struct jobs *jobs, int64_t every_us, int64_t budget_us,
                               const atomic_bool *stop, struct err *err)
{
    struct analysis_live_save_options options = {.stop = stop,
                                                 .every_us = every_us,
                                                 .budget_us = budget_us,
                                                 .budget_bytes = CHECKPOINT_BYTES};
    struct analysis_live_saved saved = {0};
    return jobs->live == NULL
               ? ST_OK
               : analysis_live_save(jobs->live, jobs->app->db, &options, &saved, err);
}

static enum status keep_checkpoints(struct jobs *jobs, struct err *err)
{
    return store_hosts(jobs, CHECKPOINT_EVERY_US, CHECKPOINT_BUDGET_US, &jobs->stop, err);
}

static enum status roll_up(struct jobs *jobs, struct err *err)
{
    int64_t oldest = clock_wall_us() - jobs->app->config->rollup_retention_us;
    return rollup_pass(jobs->db, oldest, &jobs->stop, err);
}

static enum status seal(struct jobs *jobs, struct err *err)
{
    struct seal_options options = {.now_us = clock_wall_us(),
                                   .settle_us = SEAL_SETTLE_US,
                                   .drop_us = SEAL_DROP_US,
                                   .budget_us = SEAL_BUDGET_US};
    struct seal_counts counts = {0};
    return seal_pass(jobs->db, &options, &jobs->stop, &counts, err);
}

static enum status keep_history(struct jobs *jobs, struct err *err)
{
    int64_t now = clock_wall_us();
    struct history_options options = {.now_us = now,
                                      .oldest_us = now - jobs->app->config->rollup_retention_us,
                                      .whole_us = now - jobs->app->config->retention_us,
                                      .budget_us = HISTORY_BUDGET_US};
    return history_pass(jobs->db, &options, &jobs->stop, err);
}

static enum status keep_partitions(struct jobs *jobs, struct err *err)
{
    const struct config *config = jobs->app->config;
    int64_t now = clock_wall_us();
    const int64_t soon[] = {now, now + US_PER_DAY}; /* no first snapshot of a day has to wait */
    const int64_t arrivals[] = {now, now + ARRIVAL_US};
    size_t dropped = 0;
    enum status status = partition_ensure(jobs->db, PARTITION_SNAPSHOT, soon, 2, err);

    if (status == ST_OK)
        status = partition_ensure(jobs->db, PARTITION_SNAPSHOT_BLOCK, arrivals, 2, err);
    if (status == ST_OK)
        status = partition_ensure(jobs->db, PARTITION_TAG_HOUR, soon, 2, err);
    /* The rows first: what they point at goes after them. Blocks are dropped when they are sealed;
     * here only what could not be sealed for as long as snapshots are kept. */
    for (int table = 0; status == ST_OK && config->retention_us > 0 && table < PARTITION_TAG_HOUR;
         table++)
        status = partition_drop(jobs->db, (enum partition_table)table, now - config->retention_us,
                                &dropped, err);
    for (int table = PARTITION_TAG_HOUR;
         status == ST_OK && config->rollup_retention_us > 0 && table < PARTITION_TABLE_COUNT;
         table++)
        status = partition_drop(jobs->db, (enum partition_table)table,
                                now - config->rollup_retention_us, &dropped, err);
    return status;
}

static enum status forget_changes(struct jobs *jobs, struct err *err)
{
    int64_t kept = jobs->app->config->rollup_retention_us;
    return kept > 0 ? store_audit_forget(jobs->db, clock_wall_us() - kept, err) : ST_OK;
}

static enum status end_mutes(struct jobs *jobs, struct err *err)
{
    enum status status = store_mutes_expire(jobs->db, clock_wall_us(), err);

    if (status == ST_OK)
        notify_wake(jobs->app->notify);
    return status;
}

static const struct {
    const char *name;
    const char *failure;
    enum status (*run)(struct jobs *jobs, struct err *err);
} parts[] = {
    {"mutes", "mutes could not be ended",
     end_mutes}, /* first: a pass says less of why it opens one */
    {"analysis", "the analysis pass failed", analyze},
    {"checkpoints", "the hosts of the analysis could not be stored", keep_checkpoints},
    {"rollups", "the rollup failed", roll_up},
    {"sealing", "the sealing of snapshots failed", seal},
    {"long history", "the long history could not be written", keep_history},
    {"partitions", "the upkeep of partitions failed", keep_partitions},
    {"log of changes", "the log of changes could not be shortened", forget_changes},
};
#define PARTS (sizeof parts / sizeof parts[0])
_Static_assert(PARTS <= JOBS_MAX, "a state for each part");

static enum status run_part(struct jobs *jobs, size_t part, struct err *err)
{
    int64_t start = clock_mono_us();
    enum status status = parts[part].run(jobs, err);
    struct job_state *state = &jobs->states[part];

    if (atomic_load(&jobs->stop))
        return status; /* given up, which is neither */
    pthread_mutex_lock(&jobs->lock);
    state->ended_at_us = clock_wall_us();
    state->duration_us = clock_mono_us() - start;
    if (status == ST_OK) {
        state->runs++;
    } else {
        state->failures++;
        state->failed_at_us = state->ended_at_us;
        memcpy(state->error, err->message, sizeof state->error);
    }
    pthread_mutex_unlock(&jobs->lock);
    return status;
}

size_t jobs_read(struct jobs *jobs, struct job_state ret_states[JOBS_MAX], bool *ret_leader)
{
    *ret_leader = false;
    if (jobs == NULL)
        return 0;
    pthread_mutex_lock(&jobs->lock);
    memcpy(ret_states, jobs->states, sizeof jobs->states);
    *ret_leader = jobs->leader;
    pthread_mutex_unlock(&jobs->lock);
    return PARTS;
}

/* One part's failure does not stop the others, unless the connection is gone. */
static bool pass(struct jobs *jobs)
{
    bool locked = false, ok = true;
    struct err err = {0};
    enum status status = take_lock(jobs, &locked, &err);

    if (status != ST_OK)
        log_err("the background jobs have no database", &err);
    if (status != ST_OK || !locked)
        return false;
    for (size_t i = 0; i < PARTS && !atomic_load(&jobs->stop); i++) {
        err = (struct err){0};
        status = run_part(jobs, i, &err);
        if (status == ST_OK || atomic_load(&jobs->stop))
            continue;
        log_err(parts[i].failure, &err);
        ok = false;
        if (status == ST_DB) {
            drop_lock(jobs);
            return false;
        }
    }
    return ok;
}

/* Without the lock too: what other servers and the command line wrote (see wants_refresh.h). */
static void refresh(struct jobs *jobs)
{
    AUTO_DBLEASE struct db *db = NULL;
    struct err err = {0};

    if (atomic_load(&jobs->stop))
        return;
    enum status status = db_lease(jobs->app->db, LEASE_WAIT_US, &db, &err);
    if (status == ST_OK)
        status = wants_refresh(db, jobs->app->wants, &err);
    if (status != ST_OK)
        log_err("agents are asked for what was known before", &err);
    if (db == NULL)
        return;
    err = (struct err){0};
    if (tag_lists_refresh(jobs->app->tag_lists, db, &jobs->app->tagdict, &err) != ST_OK)
        log_err("the tag lists in use stay as they were", &err);
    err = (struct err){0};
    if (recent_refresh(jobs->app->recent, db, &err) != ST_OK)
        log_err("the number of recent snapshots stays as it was", &err);
}

/* ---- the thread ------------------------------------------------------------- */

static void wait_us(struct jobs *jobs, int64_t us)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += us / US_PER_SECOND;
    until.tv_nsec += us % US_PER_SECOND * 1000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&jobs->lock);
    while (!atomic_load(&jobs->stop) && !jobs->hurry &&
           pthread_cond_timedwait(&jobs->wake, &jobs->lock, &until) == 0)
        continue;
    jobs->hurry = false;
    pthread_mutex_unlock(&jobs->lock);
}

static void *jobs_main(void *arg)
{
    struct jobs *jobs = arg;
    int64_t interval = jobs->app->config->analyze_interval_us;

    interval = interval > 0 ? interval : UPKEEP_INTERVAL_US;
    background_thread();
    refresh(jobs);
    while (!atomic_load(&jobs->stop)) {
        int64_t start = clock_mono_us();
        ingest_settle(jobs->app->ingest);
        bool ok = pass(jobs);
        refresh(jobs);
        int64_t spent = clock_mono_us() - start;
        int64_t turn = ok || interval < RETRY_INTERVAL_US ? interval : RETRY_INTERVAL_US;
        if (jobs->behind && turn > BEHIND_INTERVAL_US)
            turn = BEHIND_INTERVAL_US;
        /* A pass longer than its interval leaves the database some air. */
        wait_us(jobs, turn > spent + US_PER_SECOND ? turn - spent : US_PER_SECOND);
    }
    struct err err = {0};
    if (jobs->db != NULL && store_hosts(jobs, 0, CHECKPOINT_STOP_US, NULL, &err) != ST_OK)
        log_err("hosts of the analysis are read from cold at the next start", &err);
    give_lock(jobs);
    return NULL;
}

enum status jobs_start(struct app *app, struct jobs **ret_jobs, struct err *err)
{
    struct jobs *jobs = calloc(1, sizeof *jobs);
    pthread_condattr_t attributes;

    if (jobs == NULL)
        return err_set(err, ST_NOMEM, "could not start the background jobs: out of memory");
    jobs->app = app;
    for (size_t i = 0; i < PARTS; i++)
        jobs->states[i] = (struct job_state){
            .name = parts[i].name, .ended_at_us = TIME_UNKNOWN, .failed_at_us = TIME_UNKNOWN};
    atomic_init(&jobs->stop, false);
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&jobs->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&jobs->thread, NULL, jobs_main, jobs) != 0) {
        pthread_cond_destroy(&jobs->wake);
        pthread_mutex_destroy(&jobs->lock);
        free(jobs);
        return err_set(err, ST_NOMEM, "could not start the background jobs: no thread");
    }
    *ret_jobs = jobs;
    return ST_OK;
}

void jobs_hurry(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    jobs->hurry = true;
    pthread_cond_broadcast(&jobs->wake);
    pthread_mutex_unlock(&jobs->lock);
}

void jobs_stop(struct jobs *jobs)
{
    if (jobs == NULL)
        return;
    pthread_mutex_lock(&jobs->lock);
    atomic_store(&jobs->stop, true);
    pthread_cond_broadcast(&jobs->wake);
    pthread_mutex_unlock(&jobs->lock);
    pthread_join(jobs->thread, NULL);
    analysis_live_free(jobs->live);
    pthread_cond_destroy(&jobs->wake);
    pthread_mutex_destroy(&jobs->lock);
    free(jobs);
}
