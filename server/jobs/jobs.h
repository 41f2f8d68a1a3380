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

struct app;
struct jobs;

/* The app's config, db, fleet and tagdict outlive the jobs. The first pass begins at once. */
enum status jobs_start(struct app *app, struct jobs **ret_jobs, struct err *err) MUST_CHECK;
/* The next pass begins as soon as the present one has ended, not at its turn. */
void jobs_hurry(struct jobs *jobs);
/* Gives the present work up between two hosts, joins the thread, frees. NULL allowed. */
void jobs_stop(struct jobs *jobs);

#endif
