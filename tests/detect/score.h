/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a detector said against what is true. One rule for the analysis and for every baseline; it
 * is told in docs/detection.md.
 */
#ifndef TESTS_DETECT_SCORE_H
#define TESTS_DETECT_SCORE_H

#include "tests/detect/world.h"

#define SCORE_JACCARD   0.5
#define SCORE_CONFIDENT 0.8
#define SCORE_CAUSES    3

/* One statement of any detector. Memory belongs to who made it. */
struct claim {
    enum finding_kind kind;
    enum finding_severity severity;
    double confidence;
    enum pool pool;
    uint32_t *tags; /* first mover first */
    size_t tag_count;
    size_t *hosts;
    size_t host_count;
    const struct finding *finding; /* NULL: a baseline's */
};

struct claims {
    struct arena arena;
    struct claim *items;
    size_t count;
    size_t room;
};
struct claim *claims_add(struct claims *claims);
void claims_from_findings(const struct world *world, const struct finding_list *list,
                          struct claims *ret_claims);
void claims_done(struct claims *claims);

enum verdict { VERDICT_FALSE, VERDICT_TRUE, VERDICT_NEUTRAL };

enum cause_verdict {
    CAUSE_UNDECIDABLE, /* nothing separates the hosts, or something else does as well */
    CAUSE_FIRST,
    CAUSE_TOP3,
    CAUSE_NONE, /* none given */
    CAUSE_WRONG
};

struct incident_result {
    bool scored; /* enough can be seen to ask for it */
    bool shift;  /* asked for as a shift */
    size_t best; /* claim; SIZE_MAX: missed */
    double jaccard;
    bool kind_allowed;
    enum cause_verdict cause;
    bool confident_wrong;
};

struct outcome {
    struct arena arena;
    enum verdict *verdict; /* per claim */
    bool *astray;          /* per claim: false, but of an incident's tag: too few or wrong hosts */
    struct incident_result *incident; /* per incident */
    enum world_involved **involved;   /* per incident, per host */
};
void score(const struct world *world, const struct claims *claims, double as_of,
           struct outcome *ret_outcome);
void outcome_done(struct outcome *outcome);

/* Pairs of tags said to go together against pairs that do, for matched incidents. */
struct pair_counts {
    size_t both, said, true_pairs;
};
struct pair_counts score_pairs(const struct world_incident *incident, const struct claim *claim);

/* Wilson's 95 % interval of `hits` in `of`. */
void score_wilson(size_t hits, size_t of, double *ret_low, double *ret_high);

#endif
