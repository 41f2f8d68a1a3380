/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/detect/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

struct claim *claims_add(struct claims *claims)
{
    if (claims->count == claims->room) {
        claims->room = claims->room * 2 + 16;
        claims->items = must(realloc(claims->items, claims->room * sizeof *claims->items));
    }
    struct claim *claim = &claims->items[claims->count++];
    *claim = (struct claim){.severity = SEVERITY_WARNING};
    return claim;
}

void claims_done(struct claims *claims)
{
    free(claims->items);
    arena_done(&claims->arena);
    *claims = (struct claims){0};
}

static size_t host_of(const struct world *world, const char *id)
{
    /* The place is the lower half of the id (world.c). */
    size_t place = strtoul(id + 2, NULL, 16) & 0xFFF;
    if (place >= world->host_count || strcmp(world->hosts[place].id, id) != 0)
        abort();
    return place;
}

void claims_from_findings(const struct world *world, const struct finding_list *list,
                          struct claims *ret_claims)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct finding *finding = &list->items[i];
        struct claim *claim = claims_add(ret_claims);
        claim->kind = finding->kind;
        claim->severity = finding->severity;
        claim->confidence = finding->confidence;
        claim->pool = finding->pool;
        claim->tags = finding->tags;
        claim->tag_count = finding->tag_count;
        claim->finding = finding;
        claim->host_count = finding->host_count;
        claim->hosts =
            must(arena_alloc(&ret_claims->arena, finding->host_count + 1, sizeof *claim->hosts));
        for (size_t k = 0; k < finding->host_count; k++)
            claim->hosts[k] = host_of(world, finding->hosts[k].id);
    }
}

/* ---- matching --------------------------------------------------------------- */

static bool tags_meet(const struct world_incident *incident, const struct claim *claim)
{
    if (incident->pool != claim->pool)
        return false;
    for (size_t i = 0; i < incident->tag_count; i++)
        for (size_t k = 0; k < claim->tag_count; k++)
            if (incident->tags[i] == claim->tags[k])
                return true;
    return false;
}

struct overlap {
    size_t yes, optional, no; /* hosts of the claim */
    size_t labelled;
    double jaccard; /* hosts that are optional do not count on either side */
};

static struct overlap overlap_of(const struct world *world, const enum world_involved *involved,
                                 const struct claim *claim)
{
    struct overlap overlap = {0};
    for (size_t i = 0; i < world->host_count; i++)
        overlap.labelled += involved[i] == INVOLVED_YES;
    for (size_t i = 0; i < claim->host_count; i++) {
        overlap.yes += involved[claim->hosts[i]] == INVOLVED_YES;
        overlap.optional += involved[claim->hosts[i]] == INVOLVED_OPTIONAL;
        overlap.no += involved[claim->hosts[i]] == INVOLVED_NO;
    }
    size_t together = overlap.labelled + overlap.no;
    overlap.jaccard = together == 0 ? 0 : (double)overlap.yes / (double)together;
    return overlap;
}

static bool is_nonsense(const struct world *world, const struct claim *claim)
{
    for (size_t i = 0; i < claim->host_count; i++)
        if (!world->hosts[claim->hosts[i]].nonsense)
            return false;
    return claim->host_count > 0;
}

/* A claim against one incident: TRUE, or NEUTRAL where it says less than the incident but nothing
 * wrong, else FALSE. */
static enum verdict against(const struct world *world, const struct world_incident *incident,
                            const enum world_involved *involved, const struct claim *claim,
                            double *ret_jaccard)
{
    bool shift = incident->shape == SHAPE_STEP;
    *ret_jaccard = 0;
    if (shift != (claim->kind == FINDING_SHIFT) || !tags_meet(incident, claim))
        return VERDICT_FALSE;
    struct overlap overlap = overlap_of(world, involved, claim);
    *ret_jaccard = overlap.jaccard;
    if (overlap.yes > 0 && overlap.jaccard >= SCORE_JACCARD)
        return VERDICT_TRUE;
    if (overlap.no > 0)
        return VERDICT_FALSE;
    /* Only hosts of which nothing is asked, or those of many that run out soon. */
    return overlap.yes == 0 || claim->kind == FINDING_EXHAUSTION ? VERDICT_NEUTRAL : VERDICT_FALSE;
}

/* ---- causes ----------------------------------------------------------------- */

static bool has_value(const struct world_host *host, const char *name, const char *value,
                      const char *also, double at)
{
    const char *has = world_fact_at(host, name, at);
    return has != NULL && (strcmp(has, value) == 0 || (also != NULL && strcmp(has, also) == 0));
}

struct split {
    size_t yes, yes_with, no, no_with;
    uint64_t print; /* of the set of hosts that have it */
};

static struct split split_by(const struct world *world, const enum world_involved *involved,
                             const char *name, const char *value, const char *also, double at)
{
    struct split split = {0};
    for (size_t i = 0; i < world->host_count; i++) {
        if (involved[i] == INVOLVED_OPTIONAL)
            continue;
        bool has = has_value(&world->hosts[i], name, value, also, at);
        bool yes = involved[i] == INVOLVED_YES;
        split.yes += yes;
        split.no += !yes;
        split.yes_with += yes && has;
        split.no_with += !yes && has;
        split.print += has ? rng_hash(i, 11) : 0;
    }
    return split;
}

/* Youden's: share among the affected less share among the others. */
static double separation(const struct split *split)
{
    if (split->yes == 0 || split->no == 0)
        return 0;
    return (double)split->yes_with / (double)split->yes -
           (double)split->no_with / (double)split->no;
}

static double log_choose(double n, double k)
{
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

/* Fisher's exact test, one side. */
static double fisher(const struct split *split)
{
    double all = (double)(split->yes + split->no);
    double with = (double)(split->yes_with + split->no_with);
    double p = 0;
    for (double k = (double)split->yes_with; k <= fmin(with, (double)split->yes); k++)
        p += exp(log_choose((double)split->yes, k) + log_choose((double)split->no, with - k) -
                 log_choose(all, with));
    return p;
}

static bool rivalled(const struct world *world, const struct world_incident *incident,
                     const enum world_involved *involved, const struct split *truth, double at)
{
    for (size_t i = 0; i < world->host_count; i++) {
        const struct world_host *host = &world->hosts[i];
        if (involved[i] != INVOLVED_YES)
            continue;
        for (size_t k = 0; k < host->fact_count; k++) {
            const struct world_fact *fact = &host->facts[k];
            if (fact->from > at || fact->to <= at || strcmp(fact->name, incident->cause_name) == 0)
                continue;
            struct split other = split_by(world, involved, fact->name, fact->value, NULL, at);
            if (other.print != truth->print && separation(&other) >= separation(truth))
                return true;
        }
        break; /* what separates all must be on the first of them, nearly always */
    }
    return false;
}

static bool accepted(const struct world *world, const struct world_incident *incident,
                     const enum world_involved *involved, const struct split *truth,
                     const struct finding_cause *cause, double at)
{
    if (strcmp(cause->attribute, incident->cause_name) == 0 &&
        (strcmp(cause->value, incident->cause_value) == 0 ||
         (incident->cause_also != NULL && strcmp(cause->value, incident->cause_also) == 0)))
        return true;
    /* On the same hosts exactly: no data could tell them apart. */
    struct split other = split_by(world, involved, cause->attribute, cause->value, NULL, at);
    return other.print == truth->print;
}

static void judge_cause(const struct world *world, const struct world_incident *incident,
                        const enum world_involved *involved, const struct claim *claim, double at,
                        struct incident_result *result)
{
    const struct finding *finding = claim->finding;
    size_t given = finding == NULL ? 0 : finding->cause_count;
    struct split truth = {0};
    double best = 0.9; /* with no true cause, one that separates nearly all is no wrong answer */
    result->cause = CAUSE_UNDECIDABLE;
    if (incident->cause_name != NULL) {
        truth = split_by(world, involved, incident->cause_name, incident->cause_value,
                         incident->cause_also, at);
        best = separation(&truth);
        if (best >= 0.6 && fisher(&truth) < 1e-4 &&
            !rivalled(world, incident, involved, &truth, at))
            result->cause = given == 0 ? CAUSE_NONE : CAUSE_WRONG;
        for (size_t i = given < SCORE_CAUSES ? given : SCORE_CAUSES; i-- > 0;)
            if (result->cause != CAUSE_UNDECIDABLE &&
                accepted(world, incident, involved, &truth, &finding->causes[i], at))
                result->cause = i == 0 ? CAUSE_FIRST : CAUSE_TOP3;
    }
    if (given == 0 || finding->confidence < SCORE_CONFIDENT)
        return;
    if (incident->cause_name != NULL &&
        accepted(world, incident, involved, &truth, &finding->causes[0], at))
        return;
    struct split first =
        split_by(world, involved, finding->causes[0].attribute, finding->causes[0].value, NULL, at);
    result->confident_wrong = separation(&first) < best - 0.05;
}

/* ---- all of it -------------------------------------------------------------- */

static void judge_claim(const struct world *world, const struct claims *claims, size_t index,
                        struct outcome *outcome)
{
    const struct claim *claim = &claims->items[index];
    enum verdict verdict = VERDICT_FALSE;
    for (size_t k = 0; k < world->incident_count; k++) {
        struct incident_result *result = &outcome->incident[k];
        double jaccard;
        enum verdict one =
            against(world, &world->incidents[k], outcome->involved[k], claim, &jaccard);
        if (one == VERDICT_TRUE && (result->best == SIZE_MAX || jaccard > result->jaccard)) {
            result->best = index;
            result->jaccard = jaccard;
        }
        if (one == VERDICT_TRUE || (one == VERDICT_NEUTRAL && verdict == VERDICT_FALSE))
            verdict = one;
    }
    if (verdict == VERDICT_FALSE && is_nonsense(world, claim))
        verdict = VERDICT_NEUTRAL; /* that host may be named; the others may not */
    if (verdict == VERDICT_FALSE && claim->kind == FINDING_SHIFT &&
        claim->severity == SEVERITY_INFO)
        verdict = VERDICT_NEUTRAL; /* an innocent roll-out may be told as what it is */
    outcome->verdict[index] = verdict;
    for (size_t k = 0; k < world->incident_count && verdict == VERDICT_FALSE; k++)
        if (tags_meet(&world->incidents[k], claim))
            outcome->astray[index] = true;
}

void score(const struct world *world, const struct claims *claims, double as_of,
           struct outcome *ret_outcome)
{
    struct outcome *outcome = ret_outcome;
    *outcome = (struct outcome){0};
    outcome->verdict = must(arena_alloc(&outcome->arena, claims->count + 1, sizeof(enum verdict)));
    outcome->astray = must(arena_alloc(&outcome->arena, claims->count + 1, sizeof(bool)));
    outcome->incident =
        must(arena_alloc(&outcome->arena, world->incident_count + 1, sizeof *outcome->incident));
    outcome->involved =
        must(arena_alloc(&outcome->arena, world->incident_count + 1, sizeof *outcome->involved));
    for (size_t k = 0; k < world->incident_count; k++) {
        outcome->involved[k] =
            must(arena_alloc(&outcome->arena, world->host_count + 1, sizeof(enum world_involved)));
        outcome->incident[k].best = SIZE_MAX;
        outcome->incident[k].shift = world->incidents[k].shape == SHAPE_STEP;
        for (size_t i = 0; i < world->host_count; i++) {
            outcome->involved[k][i] = world_involvement(world, &world->incidents[k], i, as_of);
            if (outcome->involved[k][i] == INVOLVED_YES)
                outcome->incident[k].scored = true;
        }
    }
    for (size_t i = 0; i < claims->count; i++)
        judge_claim(world, claims, i, outcome);
    for (size_t k = 0; k < world->incident_count; k++) {
        struct incident_result *result = &outcome->incident[k];
        if (result->best == SIZE_MAX)
            continue;
        const struct claim *claim = &claims->items[result->best];
        result->kind_allowed = (world->incidents[k].kinds >> claim->kind & 1) != 0;
        judge_cause(world, &world->incidents[k], outcome->involved[k], claim, as_of, result);
    }
}

void outcome_done(struct outcome *outcome)
{
    arena_done(&outcome->arena);
}

struct pair_counts score_pairs(const struct world_incident *incident, const struct claim *claim)
{
    size_t common = 0;
    for (size_t i = 0; i < incident->tag_count; i++)
        for (size_t k = 0; k < claim->tag_count; k++)
            common += incident->tags[i] == claim->tags[k];
    return (struct pair_counts){common * (common - 1) / 2,
                                claim->tag_count * (claim->tag_count - 1) / 2,
                                incident->tag_count * (incident->tag_count - 1) / 2};
}

void score_wilson(size_t hits, size_t of, double *ret_low, double *ret_high)
{
    const double z = 1.959964;
    *ret_low = 0;
    *ret_high = 1;
    if (of == 0)
        return;
    double n = (double)of;
    double p = (double)hits / n;
    double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
    double half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    *ret_low = fmax(middle - half, 0);
    *ret_high = fmin(middle + half, 1);
}
