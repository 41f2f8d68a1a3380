/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run: the world's hosts are dealt to lanes, one thread and one connection each. A lane takes
 * what is due, posts it as one NDJSON body with at most one snapshot per host, and goes on when it
 * is acknowledged; so memory is bounded by one body per lane, and every base is an acknowledged
 * snapshot. First the back-fill as fast as the server takes it, then live.
 */
#ifndef AGENT_SIM_RUN_H
#define AGENT_SIM_RUN_H

#include "agent/core/transport.h"
#include "agent/sim/world.h"

#include <pthread.h>
#include <stdio.h>

struct run_options {
    int64_t start_us;             /* of the back-fill */
    int64_t now_us;               /* its end, and the start of the live part */
    int64_t interval_us;          /* between two snapshots of a host */
    int64_t backfill_interval_us; /* in the back-fill, up to fine_us before now */
    int64_t fine_us;
    int64_t end_us; /* of the live part; now_us: none; INT64_MAX: until stopped */
    double speed;   /* simulated per real second in the live part */
    unsigned connections;
    int64_t backoff_us; /* first wait for a busy server, at most; doubles up to 30 s */
    int64_t give_up_us; /* how long a server may be away; then ST_TIMEOUT */
    bool progress;      /* lines on stderr */
};

struct run_totals {
    uint64_t snapshots; /* acknowledged */
    uint64_t duplicates;
    uint64_t full;     /* of them complete ones */
    uint64_t rows;     /* sent */
    uint64_t bytes;    /* of JSON sent */
    uint64_t rejected; /* refused for good, lost */
    uint64_t resent;   /* as complete ones, since the base was not held */
    uint64_t waits;    /* times a lane had to wait for the server */
};

struct run;

/* One transport per connection (the array has options->connections of them), or with `output` none:
 * NDJSON is written there by a single lane, in a fixed order. All is borrowed until run_free. */
enum status run_new(const struct run_options *options, struct world *world,
                    const struct transport *transports, FILE *output, struct run **ret_run,
                    struct err *err) MUST_CHECK;
/* Blocks until done, stopped or failed. ST_INVALID: the server refused snapshots for good. */
enum status run_all(struct run *run, struct err *err) MUST_CHECK;
/* From any thread: finish what is under way, then return from run_all. */
void run_stop(struct run *run);
struct run_totals run_totals(struct run *run);
void run_free(struct run *run);
static inline void cleanup_run(struct run **run)
{
    run_free(*run);
}
#define AUTO_RUN CLEANUP(cleanup_run)

#endif
