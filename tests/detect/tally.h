/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over fleets, and how they are printed. */
#ifndef TESTS_DETECT_TALLY_H
#define TESTS_DETECT_TALLY_H

#include "tests/detect/baselines.h"
#include "tests/detect/live.h"
#include "tests/detect/score.h"

#define METHODS (1 + BASELINE_COUNT) /* the analysis first */

struct method_tally {
    size_t asked, found;          /* incidents */
    size_t said, right;           /* claims that are true or false; true */
    size_t neutral;               /* neither */
    size_t astray;                /* false, but of an incident's tag */
    size_t silent, silent_broken; /* fleets without any incident; with a false claim */
    size_t shifts_asked, shifts_found;
};

/* One line of a break-down. */
struct part {
    const char *kind; /* "shape", "confounder", ... */
    char key[40];
    size_t fleets, asked, found, wrong_claims, right_claims;
};

struct numbers { /* a list of measured values */
    double *items;
    size_t count, room;
};
void numbers_add(struct numbers *numbers, double value);
double numbers_quantile(struct numbers *numbers, double share); /* sorts; NAN when empty */

struct fault { /* for the list of the worst */
    uint64_t seed;
    char text[200];
};

struct tally {
    const char *half;
    bool quick;
    uint64_t first_seed;
    size_t fleets, hosts, series;
    double analysis_seconds, all_seconds;
    struct method_tally method[METHODS];
    struct part *parts;
    size_t part_count;
    struct fault *faults;
    size_t fault_count;
    size_t kind_allowed;
    size_t cause_asked, cause_first, cause_top3, cause_none, cause_undecidable;
    size_t confident, confident_wrong;
    struct pair_counts pairs;
    size_t movers, movers_right;
    size_t due, given, covered, early, late, undue, undue_of;
    struct numbers error;                                /* |p50 - truth| / time left */
    struct numbers error_path;                           /* the same over the whole path */
    struct numbers delay_fast, delay_middle, delay_slow; /* hours */
    struct numbers path_used; /* share of the path gone when first named */
    size_t delay_in_time;     /* named within the goal for their path */
    size_t delay_never;
    double quiet_months;
    size_t quiet_findings;
    double quiet_host_quarters;
    size_t watched, watched_findings; /* fleets over a day of snapshots every minute */
    double watched_host_days;
    struct live_count live;
};

struct part *tally_part(struct tally *tally, const char *kind, const char *key);
void tally_fault(struct tally *tally, uint64_t seed, const char *format, ...) PRINTF_LIKE(3, 4);
void tally_done(struct tally *tally);

void report_print(struct tally *tally);
/* DESIGN 5: figures and table. False with a message on stderr. */
bool report_write(struct tally *tally, const char *path);

#endif
