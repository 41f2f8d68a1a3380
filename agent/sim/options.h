/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of poolfleet-sim: one table of flags, which also prints the help. */
#ifndef AGENT_SIM_OPTIONS_H
#define AGENT_SIM_OPTIONS_H

#include "common/status.h"
#include "common/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTIONS_SCENARIOS_MAX 64

struct sim_options {
    const char *scenarios[OPTIONS_SCENARIOS_MAX]; /* borrowed from argv, as all texts */
    size_t scenario_count;
    uint64_t hosts;
    uint64_t tags;
    int64_t backfill_us;
    int64_t backfill_interval_us;
    int64_t fine_us;
    int64_t interval_us;
    double speed;
    int64_t duration_us; /* INT64_MAX: until stopped */
    bool duration_given;
    const char *server; /* NULL: not given */
    const char *token_file;
    uint64_t seed;
    int64_t now_us; /* TIME_UNKNOWN: the clock */
    const char *output;
    const char *expect;
    uint64_t connections;
    int64_t give_up_us;
    bool list;
    bool progress;
    bool gzip;
    bool no_gzip;
    bool help;
    bool version;
};

/* ST_USAGE names the flag and what is wrong with it. */
enum status options_parse(int argc, char *const argv[], struct sim_options *ret_options,
                          struct err *err) MUST_CHECK;
void options_help(struct strbuf *out);

#endif
