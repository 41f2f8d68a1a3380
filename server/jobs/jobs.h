/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the server does by itself, in one thread: every analyze_interval an analysis pass, then the
 * rollups of hours that snapshots have arrived for, then sealing, the long history, partitions and
 * retention. Of several
 * servers on one database only the one that holds the analyzer's advisory lock works; the others
 * ask for it again each time. A failed pass is logged and tried again at the next turn.
 */
#ifndef SERVER_JOBS_JOBS_H
#define SERVER_JOBS_JOBS_H

#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>

struct app;
struct jobs;

/* One part of a pass, as it went last. */
struct job_state {
    const char *name; /* static */
    uint64_t runs;    /* that ended well */
    uint64_t failures;
    int64_t ended_at_us;  /* of the last run, well or not; TIME_UNKNOWN: never */
    int64_t duration_us;  /* of it */
    int64_t failed_at_us; /* of the last failure; TIME_UNKNOWN: never */
    char error[256];      /* of the last failure, also when it has worked since; "": none */
};
#define JOBS_MAX 16

/* The app's config, db, fleet and tagdict outlive the jobs. The first pass begins at once. */
enum status jobs_start(struct app *app, struct jobs **ret_jobs, struct err *err) MUST_CHECK;
/* The next pass begins as soon as the present one has ended, not at its turn. */
void jobs_hurry(struct jobs *jobs);
/* What there is to do, in the order it is done; at most JOBS_MAX. ret_leader: this server holds the
 * analyzer's lock. From any thread. jobs NULL: 0. */
size_t jobs_read(struct jobs *jobs, struct job_state ret_states[JOBS_MAX], bool *ret_leader);
/* Gives the present work up between two hosts, joins the thread, frees. NULL allowed. */
void jobs_stop(struct jobs *jobs);

#endif
