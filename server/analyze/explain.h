/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What separates affected hosts from the others: every attribute and driver version is counted on
 * both sides, with its counter-evidence. The owner of a tag gets no privilege beyond breaking ties,
 * since it is often not the culprit. Pure but for the arena. Not shared between threads.
 */
#ifndef SERVER_ANALYZE_EXPLAIN_H
#define SERVER_ANALYZE_EXPLAIN_H

#include "server/analyze/finding.h"
#include "server/analyze/fleet.h"

#define EXPLAIN_CAUSES_MAX 5
#define EXPLAIN_HOSTS_MIN  3 /* fewer affected hosts name no cause */
#define EXPLAIN_HOSTS_FEW  2 /* but for what these alone have, of many hosts */

struct explain_input {
    const struct fleet *fleet;
    const uint32_t *affected; /* places in the fleet, rising */
    size_t affected_count;
    const uint32_t *unaffected; /* those up for too short a time are left out (exposed.h) */
    size_t unaffected_count;
    const int64_t *since_us; /* of each affected host; TIME_UNKNOWN allowed */
    const char *owner;       /* driver of the tag, to break ties; NULL unknown */
};

struct explanation {
    struct finding_cause *causes; /* best first */
    size_t count;
    size_t tested;      /* values looked at */
    bool versions;      /* the best cause is one of several versions of a driver that others run */
    double best_p;      /* of the best attribute with all its guilty values, among hosts of the same
                           roles as the affected; 1: none */
    size_t moved_away;  /* unaffected hosts that had the best cause's value before */
    size_t came_before; /* affected hosts where the value came, within the history, just before */
    const char *note;   /* NULL: nothing to add */
};

/* All texts in ret_explanation live in `arena` or in the fleet. ST_NOMEM. */
enum status explain_hosts(const struct explain_input *input, struct arena *arena,
                          struct explanation *ret_explanation) MUST_CHECK;

/* Fisher's exact test, one-sided: chance of at least `a` of the `a + b` affected having a value
 * that `c` of `c + d` unaffected have. 0..1. */
double explain_fisher(size_t a, size_t b, size_t c, size_t d);
/* Risk of those with the value over risk of those without, half a host added to each cell. */
double explain_risk_ratio(size_t a, size_t b, size_t c, size_t d);
/* Benjamini-Hochberg: p values in, q values out, in place of them and in their order. Rising p. */
void explain_adjust(double *sorted_p, size_t count, size_t tested);

#endif
