/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/detect/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what, const struct err *err)
{
    fprintf(stderr, "bench-detect: could not %s: %s\n", what, err->message);
    abort();
}

void run_analysis(const struct world *world, double as_of, const struct tagdict *dict,
                  struct series_store *store, struct finding_list *ret_list, double *seconds)
{
    AUTO_ANALYSIS struct analysis *analysis = NULL;
    struct analyze_options options = {.as_of_us = world_us(world, as_of), .tagdict = dict};
    struct err err = {0};
    if (analysis_new(&options, &analysis, &err) != ST_OK)
        die("start the analysis", &err);
    int64_t spent = 0;
    for (size_t i = 0; i < world->host_count; i++) {
        struct world_view view;
        world_view_make(world, i, as_of, &view);
        int64_t from = clock_mono_us();
        if (view.host.point_count > 0 && analysis_add_host(analysis, &view.host, &err) != ST_OK)
            die("add a host", &err);
        spent += clock_mono_us() - from;
        if (store != NULL)
            series_store_add(store, i, &view.host);
        world_view_done(&view);
    }
    int64_t from = clock_mono_us();
    if (analysis_finish(analysis, ret_list, &err) != ST_OK)
        die("finish the analysis", &err);
    spent += clock_mono_us() - from;
    *seconds += (double)spent / 1e6;
}

/* ---- one method's sums ------------------------------------------------------ */

static void add_method(struct method_tally *tally, const struct world *world,
                       const struct claims *claims, const struct outcome *outcome)
{
    size_t wrong = 0;
    for (size_t i = 0; i < claims->count; i++) {
        tally->right += outcome->verdict[i] == VERDICT_TRUE;
        tally->neutral += outcome->verdict[i] == VERDICT_NEUTRAL;
        wrong += outcome->verdict[i] == VERDICT_FALSE;
        tally->astray += outcome->astray[i];
        tally->said += outcome->verdict[i] != VERDICT_NEUTRAL;
    }
    for (size_t k = 0; k < world->incident_count; k++) {
        const struct incident_result *result = &outcome->incident[k];
        if (!result->scored)
            continue;
        if (result->shift) {
            tally->shifts_asked++;
            tally->shifts_found += result->best != SIZE_MAX;
        } else {
            tally->asked++;
            tally->found += result->best != SIZE_MAX;
        }
    }
    if (world->incident_count == 0) {
        tally->silent++;
        tally->silent_broken += wrong > 0;
    }
}

/* ---- the analysis in detail ------------------------------------------------- */

static void tag_text(uint32_t tag, char text[TAG_TEXT_MAX])
{
    tag_format(tag, text);
}

static const char *size_band(size_t hosts)
{
    return hosts < 10    ? "5 to 9 hosts"
           : hosts < 30  ? "10 to 29"
           : hosts < 100 ? "30 to 99"
           : hosts < 300 ? "100 to 299"
                         : "300 and more";
}

static const char *rate_band(double path_hours)
{
    return path_hours < 24         ? "path under 1 day"
           : path_hours < 7 * 24   ? "path 1 to 7 days"
           : path_hours < 30 * 24  ? "path 7 to 30 days"
           : path_hours <= 90 * 24 ? "path 30 to 90 days"
                                   : "path over 90 days";
}

static void add_incident_parts(struct tally *tally, const struct world *world,
                               const struct world_incident *incident,
                               const struct incident_result *result, size_t labelled)
{
    char tags[24];
    snprintf(tags, sizeof tags, "%s",
             incident->tag_count == 1  ? "1 tag"
             : incident->tag_count < 4 ? "2 to 3 tags"
                                       : "4 to 12 tags");
    const struct {
        const char *kind, *key;
    } parts[] = {{"shape", incident->story},
                 {"start", world_start_name(incident->start)},
                 {"tags", tags},
                 {"rate", rate_band(incident->path_hours)},
                 {"affected", labelled == 1   ? "1 host"
                              : labelled < 4  ? "2 to 3 hosts"
                              : labelled < 20 ? "4 to 19 hosts"
                                              : "20 and more"},
                 {"cause", incident->cause_name == NULL                       ? "none"
                           : strncmp(incident->cause_name, "driver/", 7) == 0 ? "driver"
                           : strncmp(incident->cause_name, "app/", 4) == 0    ? "app"
                                                                              : "build or model"}};
    (void)world;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        struct part *part = tally_part(tally, parts[i].kind, parts[i].key);
        part->asked++;
        part->found += result->best != SIZE_MAX;
    }
}

/* What holds for the whole fleet: its size and what makes it hard. */
static void add_fleet_parts(struct tally *tally, const struct world *world,
                            const struct claims *claims, const struct outcome *outcome)
{
    struct part *parts[CONF_COUNT + 3];
    size_t count = 0;
    /* tally_part may move the list: find all first, then fill by a second look-up. */
    for (int pass = 0; pass < 2; pass++) {
        count = 0;
        parts[count++] = tally_part(tally, "fleet", world->kind);
        parts[count++] = tally_part(tally, "size", size_band(world->host_count));
        for (size_t i = 0; i < CONF_COUNT; i++)
            if (world->confounders >> i & 1)
                parts[count++] = tally_part(tally, "confounder",
                                            world_confounder_name((enum world_confounder)i));
        if (world->confounders == 0)
            parts[count++] = tally_part(tally, "confounder", "(none)");
    }
    for (size_t n = 0; n < count; n++) {
        parts[n]->fleets++;
        for (size_t i = 0; i < claims->count; i++) {
            parts[n]->wrong_claims += outcome->verdict[i] == VERDICT_FALSE;
            parts[n]->right_claims += outcome->verdict[i] == VERDICT_TRUE;
        }
        for (size_t k = 0; k < world->incident_count; k++) {
            parts[n]->asked += outcome->incident[k].scored;
            parts[n]->found += outcome->incident[k].scored && outcome->incident[k].best != SIZE_MAX;
        }
    }
}

/* Where two leak into one pool, whose end is it? */
static bool has_another(const struct world *world, const struct world_incident *incident,
                        size_t host)
{
    for (size_t k = 0; k < world->incident_count; k++)
        if (&world->incidents[k] != incident && world->incidents[k].rate[host] > 0)
            return true;
    return false;
}

static void add_forecasts(struct tally *tally, const struct world *world,
                          const struct world_incident *incident, const struct claim *claim,
                          const enum world_involved *involved)
{
    for (size_t i = 0; i < claim->host_count; i++) {
        const struct finding_host *host = &claim->finding->hosts[i];
        double seen;
        if (involved[claim->hosts[i]] != INVOLVED_YES ||
            has_another(world, incident, claim->hosts[i]))
            continue;
        double truth = world_exhaustion(world, incident, claim->hosts[i], world->now, &seen);
        bool given = host->exhausts_p50_us != TIME_UNKNOWN;
        if (truth >= WORLD_NEVER) {
            tally->undue_of++;
            tally->undue += given && host->exhausts_p50_us < world_us(world, world->now + 400 * 24);
            continue;
        }
        if (seen < 0.25)
            continue;
        tally->due++;
        if (!given)
            continue;
        tally->given++;
        int64_t at = world_us(world, truth);
        bool covered = host->exhausts_p10_us <= at && at <= host->exhausts_p90_us;
        struct part *part = tally_part(tally, "forecast", incident->story);
        part->asked++;
        part->found += covered;
        tally->covered += covered;
        tally->early += host->exhausts_p90_us < at;
        tally->late += host->exhausts_p10_us > at;
        double off = fabs((double)(host->exhausts_p50_us - at)) / (double)US_PER_HOUR;
        double left = truth - world->now;
        numbers_add(&tally->error, off / fmax(left, 0.1));
        numbers_add(&tally->error_path, off / fmax(left / (1 - fmin(seen, 0.99)), 0.1));
    }
}

static void add_match(struct tally *tally, const struct world *world,
                      const struct world_incident *incident, const struct claim *claim,
                      const struct incident_result *result, const enum world_involved *involved)
{
    struct pair_counts pairs = score_pairs(incident, claim);
    tally->kind_allowed += result->kind_allowed;
    tally->pairs.both += pairs.both;
    tally->pairs.said += pairs.said;
    tally->pairs.true_pairs += pairs.true_pairs;
    if (incident->tag_count > 1) {
        tally->movers++;
        tally->movers_right += claim->tags[0] == incident->tags[0];
        struct part *part = tally_part(tally, "mover", incident->story);
        part->asked++;
        part->found += claim->tags[0] == incident->tags[0];
    }
    if (pairs.said + pairs.true_pairs > 0) {
        struct part *part = tally_part(tally, "pairs", incident->story);
        part->asked += pairs.true_pairs;
        part->found += pairs.both;
        part->wrong_claims += pairs.said - pairs.both;
    }
    tally->cause_undecidable += result->cause == CAUSE_UNDECIDABLE;
    tally->cause_asked += result->cause != CAUSE_UNDECIDABLE;
    tally->cause_first += result->cause == CAUSE_FIRST;
    tally->cause_top3 += result->cause == CAUSE_FIRST || result->cause == CAUSE_TOP3;
    tally->cause_none += result->cause == CAUSE_NONE;
    tally->confident +=
        claim->finding->confidence >= SCORE_CONFIDENT && claim->finding->cause_count > 0;
    tally->confident_wrong += result->confident_wrong;
    add_forecasts(tally, world, incident, claim, involved);
}

/* What is wrong about the rows of an incident that was found. */
static void add_row_faults(struct tally *tally, uint64_t seed,
                           const struct world_incident *incident, const struct claim *claim)
{
    char first[TAG_TEXT_MAX];
    char named[TAG_TEXT_MAX];
    size_t both = 0;
    for (size_t i = 0; i < incident->tag_count; i++)
        for (size_t k = 0; k < claim->tag_count; k++)
            both += incident->tags[i] == claim->tags[k];
    tag_text(incident->tags[0], first);
    tag_text(claim->tags[0], named);
    if (incident->tag_count > 1 && claim->tags[0] != incident->tags[0])
        tally_fault(tally, seed, "first mover %s, named %s: %s, %s, %zu hosts", first, named,
                    incident->story, world_start_name(incident->start), claim->host_count);
    if (both != incident->tag_count || both != claim->tag_count)
        tally_fault(tally, seed, "tags: %zu of %zu and %zu others: %s, %s, %zu hosts", both,
                    incident->tag_count, claim->tag_count - both, incident->story,
                    world_start_name(incident->start), claim->host_count);
}

static void add_faults(struct tally *tally, uint64_t seed, const struct world *world,
                       const struct claims *claims, const struct outcome *outcome)
{
    char tag[TAG_TEXT_MAX];
    for (size_t k = 0; k < world->incident_count; k++) {
        const struct world_incident *incident = &world->incidents[k];
        const struct incident_result *result = &outcome->incident[k];
        tag_text(incident->tags[0], tag);
        if (result->scored && result->best == SIZE_MAX)
            tally_fault(tally, seed, "%s: %s, %s, %s, %zu tags, path %.0f h, %zu hosts in all",
                        result->shift ? "shift not told" : "missed", tag, incident->story,
                        world_start_name(incident->start), incident->tag_count,
                        incident->path_hours, world->host_count);
        if (result->best != SIZE_MAX && result->cause != CAUSE_UNDECIDABLE &&
            result->cause != CAUSE_FIRST) {
            const struct finding *f = claims->items[result->best].finding;
            tally_fault(tally, seed, "cause %s %s: %s, given %s %s", incident->cause_name,
                        incident->cause_value,
                        result->cause == CAUSE_TOP3   ? "not first"
                        : result->cause == CAUSE_NONE ? "not given"
                                                      : "wrong",
                        f->cause_count > 0 ? f->causes[0].attribute : "nothing",
                        f->cause_count > 0 ? f->causes[0].value : "");
        }
        if (result->confident_wrong)
            tally_fault(tally, seed, "confident and wrong cause for %s: %s %s", tag,
                        claims->items[result->best].finding->causes[0].attribute,
                        claims->items[result->best].finding->causes[0].value);
        if (result->scored && result->best != SIZE_MAX && !result->shift)
            add_row_faults(tally, seed, incident, &claims->items[result->best]);
    }
    for (size_t i = 0; i < claims->count; i++) {
        const struct claim *claim = &claims->items[i];
        if (outcome->verdict[i] != VERDICT_FALSE)
            continue;
        tag_text(claim->tags[0], tag);
        tally_fault(tally, seed, "%s: %s %s %s over %zu of %zu hosts (%s)",
                    outcome->astray[i] ? "false (hosts of an incident)" : "false",
                    finding_kind_name(claim->kind), finding_severity_name(claim->severity), tag,
                    claim->host_count, world->host_count, world->kind);
    }
}

static void print_claims(const struct world *world, const struct claims *claims,
                         const struct outcome *outcome)
{
    static const char *const verdicts[] = {"FALSE", "true", "neutral"};
    char tag[TAG_TEXT_MAX];
    for (size_t i = 0; i < claims->count; i++) {
        const struct finding *finding = claims->items[i].finding;
        printf("  %-7s %s, %s, confidence %.2f: %s\n", verdicts[outcome->verdict[i]],
               finding_kind_name(finding->kind), finding_severity_name(finding->severity),
               finding->confidence, finding->summary);
        printf("          tags");
        for (size_t k = 0; k < finding->tag_count; k++) {
            tag_text(finding->tags[k], tag);
            printf(" [%s]", tag);
        }
        printf("\n          hosts");
        for (size_t k = 0; k < finding->host_count && k < 8; k++)
            printf(" %s%c", finding->hosts[k].id,
                   world->hosts[claims->items[i].hosts[k]].nonsense ? '*' : ' ');
        printf("%s\n", finding->host_count > 8 ? "..." : "");
        for (size_t k = 0; k < finding->cause_count && k < 3; k++)
            printf("          cause %s %s: %zu of %zu, %zu of %zu others\n",
                   finding->causes[k].attribute, finding->causes[k].value,
                   finding->causes[k].affected_with, finding->causes[k].affected,
                   finding->causes[k].unaffected_with, finding->causes[k].unaffected);
        if (finding->cause_note != NULL)
            printf("          note: %s\n", finding->cause_note);
        for (size_t k = 0; k < finding->evidence_count; k++)
            printf("          - %s\n", finding->evidence[k]);
    }
}

static double hours_left(const struct world *world, int64_t at)
{
    return (double)(at - world_us(world, world->now)) / (double)US_PER_HOUR;
}

static void print_forecasts(const struct world *world, const struct claims *claims,
                            const struct outcome *outcome)
{
    for (size_t k = 0; k < world->incident_count; k++) {
        if (outcome->incident[k].best == SIZE_MAX || outcome->incident[k].shift)
            continue;
        const struct claim *claim = &claims->items[outcome->incident[k].best];
        printf("  forecasts of incident %zu, hours left:\n", k);
        for (size_t i = 0; i < claim->host_count && i < 8; i++) {
            const struct finding_host *host = &claim->finding->hosts[i];
            double seen;
            double truth =
                world_exhaustion(world, &world->incidents[k], claim->hosts[i], world->now, &seen);
            printf("    %s truth %.1f, %.0f %% of the path seen; said ", host->id,
                   truth >= WORLD_NEVER ? INFINITY : truth - world->now, 100 * seen);
            if (host->exhausts_p50_us == TIME_UNKNOWN)
                printf("nothing\n");
            else
                printf("%.1f (%.1f to %.1f), %s\n", hours_left(world, host->exhausts_p50_us),
                       hours_left(world, host->exhausts_p10_us),
                       hours_left(world, host->exhausts_p90_us),
                       host->limit == NULL ? "no limit named" : host->limit);
        }
    }
}

static void print_world(const struct world *world, const struct outcome *outcome)
{
    char tag[TAG_TEXT_MAX];
    printf("fleet \"%s\": %zu hosts, %zu rows;", world->kind, world->host_count, world->row_count);
    for (size_t i = 0; i < CONF_COUNT; i++)
        if (world->confounders >> i & 1)
            printf(" %s,", world_confounder_name((enum world_confounder)i));
    printf("\n");
    for (size_t k = 0; k < world->incident_count; k++) {
        const struct world_incident *incident = &world->incidents[k];
        printf("  incident %s, %s, %s, path %.0f h, cause %s %s, tags", incident->story,
               pool_name(incident->pool), world_start_name(incident->start), incident->path_hours,
               incident->cause_name == NULL ? "none" : incident->cause_name,
               incident->cause_name == NULL ? "" : incident->cause_value);
        for (size_t i = 0; i < incident->tag_count; i++) {
            tag_text(incident->tags[i], tag);
            printf(" [%s] x%.4g of %.0f B", tag, incident->ratio[i], incident->block[i]);
        }
        printf("\n    %s\n", outcome->incident[k].scored
                                 ? outcome->incident[k].best == SIZE_MAX ? "MISSED" : "found"
                                 : "too little to see: not scored");
        for (size_t i = 0, n = 0; i < world->host_count && n < 12; i++) {
            const struct world_host *host = &world->hosts[i];
            if (incident->rate[i] <= 0)
                continue;
            n++;
            double start = world_growth_start(incident, host, i, world->now);
            printf(
                "    %s %s: %.1f MiB since %.1f h, boot %.1f h ago, RAM %.0f GiB, every %.0f min\n",
                host->id,
                outcome->involved[k][i] == INVOLVED_YES        ? "affected"
                : outcome->involved[k][i] == INVOLVED_OPTIONAL ? "optional"
                                                               : "not",
                world_growth_bytes(world, incident, i, world->now) / WORLD_MIB,
                start >= WORLD_NEVER ? 0 : world->now - start,
                world->now - world_boot_at(host, world->now), host->ram / WORLD_GIB,
                host->interval * 60);
        }
    }
}

/* ---- delay ------------------------------------------------------------------ */

/* It grows there: not on hosts that were given a good version before. */
static bool reached(const struct world *world, const struct world_incident *incident, size_t host,
                    double as_of)
{
    return incident->rate[host] > 0 && incident->onset[host] < as_of &&
           world_growth_start(incident, &world->hosts[host], host, as_of) < WORLD_NEVER;
}

static bool named(const struct world *world, const struct world_incident *incident,
                  const struct claims *claims, double as_of)
{
    size_t labelled = 0;
    for (size_t i = 0; i < world->host_count; i++)
        labelled += reached(world, incident, i, as_of) && world->hosts[i].dies > as_of;
    for (size_t c = 0; c < claims->count; c++) {
        const struct claim *claim = &claims->items[c];
        bool meets = false;
        size_t yes = 0;
        size_t no = 0;
        if (claim->pool != incident->pool || claim->kind == FINDING_SHIFT)
            continue;
        for (size_t i = 0; i < incident->tag_count; i++)
            for (size_t k = 0; k < claim->tag_count; k++)
                meets = meets || incident->tags[i] == claim->tags[k];
        for (size_t i = 0; i < claim->host_count; i++) {
            bool is = reached(world, incident, claim->hosts[i], as_of);
            yes += is;
            no += !is;
        }
        if (meets && 2 * yes >= labelled + no && yes > 0)
            return true;
    }
    return false;
}

/* Larger fleets would only cost time; slow leaks need many hosts. */
#define DELAY_HOSTS      120
#define DELAY_HOSTS_SLOW 400

/* Ten minutes for a path of three hours, as much of a longer one, at most a day. */
static double delay_goal(double path_hours)
{
    return fmin(fmax(10.0 / 180 * path_hours, 1 / 6.0), 24);
}

static void measure_delay(const struct world *world, uint64_t seed,
                          const struct run_options *options, struct tally *tally)
{
    static const double after[] = {1 / 6.0, 1 / 3.0, 0.5, 1, 2, 4, 8, 16, 24, 36, 48, 72, 120, 240};
    const struct world_incident *incident = &world->incidents[0];
    double first = WORLD_NEVER;
    size_t affected = 0;
    for (size_t i = 0; i < world->host_count; i++) {
        if (!reached(world, incident, i, incident->onset[i] + 0.01))
            continue;
        affected++;
        first = incident->onset[i] < first ? incident->onset[i] : first;
    }
    bool slow = incident->path_hours >= 30 * 24;
    if (first < world->now - 13.5 * 24 || first >= world->now ||
        world->host_count > (slow ? DELAY_HOSTS_SLOW : DELAY_HOSTS))
        return;
    if (slow && affected < 20)
        return; /* the goal speaks of twenty hosts */
    struct numbers *into = incident->path_hours < 24 ? &tally->delay_fast
                           : slow                    ? &tally->delay_slow
                                                     : &tally->delay_middle;
    for (size_t i = 0; i < sizeof after / sizeof after[0]; i++) {
        double as_of = first + after[i];
        if (as_of > world->now)
            break;
        AUTO_FINDINGS struct finding_list list = {0};
        CLEANUP(claims_done) struct claims claims = {0};
        double ignored = 0;
        run_analysis(world, as_of, options->dict, NULL, &list, &ignored);
        claims_from_findings(world, &list, &claims);
        if (options->verbose) {
            CLEANUP(outcome_done) struct outcome outcome = {0};
            score(world, &claims, as_of, &outcome);
            printf("after %.2f h:\n", after[i]);
            print_claims(world, &claims, &outcome);
        }
        if (named(world, incident, &claims, as_of)) {
            numbers_add(into, after[i]);
            numbers_add(&tally->path_used, after[i] / incident->path_hours);
            tally->delay_in_time += after[i] <= delay_goal(incident->path_hours);
            if (after[i] > delay_goal(incident->path_hours))
                tally_fault(tally, seed, "named after %.2f h: %s, %s, %zu tags, path %.1f h",
                            after[i], incident->story, world_start_name(incident->start),
                            incident->tag_count, incident->path_hours);
            return;
        }
    }
    tally->delay_never++;
    tally_fault(tally, seed, "never named: %s, %s, path %.1f h", incident->story,
                world_start_name(incident->start), incident->path_hours);
}

/* ---- a fleet ---------------------------------------------------------------- */

static void add_analysis(struct tally *tally, uint64_t seed, const struct world *world,
                         const struct claims *claims, const struct outcome *outcome)
{
    add_method(&tally->method[0], world, claims, outcome);
    add_fleet_parts(tally, world, claims, outcome);
    add_faults(tally, seed, world, claims, outcome);
    for (size_t k = 0; k < world->incident_count; k++) {
        const struct incident_result *result = &outcome->incident[k];
        size_t labelled = 0;
        for (size_t i = 0; i < world->host_count; i++)
            labelled += outcome->involved[k][i] == INVOLVED_YES;
        if (!result->scored)
            continue;
        add_incident_parts(tally, world, &world->incidents[k], result, labelled);
        if (result->best != SIZE_MAX && !result->shift)
            add_match(tally, world, &world->incidents[k], &claims->items[result->best], result,
                      outcome->involved[k]);
    }
}

static void add_baselines(struct tally *tally, const struct world *world,
                          const struct series_store *store)
{
    for (int b = 0; b < BASELINE_COUNT; b++) {
        CLEANUP(claims_done) struct claims claims = {0};
        CLEANUP(outcome_done) struct outcome outcome = {0};
        baseline_run(store, (enum baseline)b, &claims);
        score(world, &claims, world->now, &outcome);
        add_method(&tally->method[1 + b], world, &claims, &outcome);
    }
}

void run_tally(uint64_t seed, const struct world *world, const struct finding_list *list,
               struct tally *tally)
{
    CLEANUP(claims_done) struct claims claims = {0};
    CLEANUP(outcome_done) struct outcome outcome = {0};
    claims_from_findings(world, list, &claims);
    score(world, &claims, world->now, &outcome);
    add_analysis(tally, seed, world, &claims, &outcome);
}

void run_fleet(uint64_t seed, const struct run_options *options, struct tally *tally)
{
    struct world *world = world_new(seed, options->dict, options->quick);
    struct series_store *store = options->baselines ? series_store_new(world) : NULL;
    AUTO_FINDINGS struct finding_list list = {0};
    CLEANUP(claims_done) struct claims claims = {0};
    CLEANUP(outcome_done) struct outcome outcome = {0};
    if (options->live)
        live_run(world, world->now, options->dict, &list, &tally->live);
    else
        run_analysis(world, world->now, options->dict, store, &list, &tally->analysis_seconds);
    claims_from_findings(world, &list, &claims);
    score(world, &claims, world->now, &outcome);
    tally->fleets++;
    tally->hosts += world->host_count;
    tally->series += world->host_count * world->row_count;
    add_analysis(tally, seed, world, &claims, &outcome);
    if (options->verbose) {
        print_world(world, &outcome);
        print_claims(world, &claims, &outcome);
        print_forecasts(world, &claims, &outcome);
    }
    if (store != NULL)
        add_baselines(tally, world, store);
    series_store_free(store);
    if (options->delays && world->incident_count == 1 && outcome.incident[0].scored &&
        world->incidents[0].shape <= SHAPE_BURSTY)
        measure_delay(world, seed, options, tally);
    world_free(world);
}

/* The identities of warnings so far; what is said of the host that posts nonsense is none. */
struct warnings {
    char seen[64][FINDING_ID_MAX];
    size_t count;
};

static void add_warnings(const struct world *world, double as_of, const struct tagdict *dict,
                         uint64_t seed, struct tally *tally, struct warnings *warnings)
{
    AUTO_FINDINGS struct finding_list list = {0};
    CLEANUP(claims_done) struct claims claims = {0};
    double ignored = 0;
    run_analysis(world, as_of, dict, NULL, &list, &ignored);
    claims_from_findings(world, &list, &claims);
    for (size_t i = 0; i < list.count && warnings->count < 64; i++) {
        const struct finding *finding = &list.items[i];
        char tag[TAG_TEXT_MAX];
        size_t k = 0;
        while (k < warnings->count && strcmp(warnings->seen[k], finding->id) != 0)
            k++;
        if (finding->severity < SEVERITY_WARNING || k < warnings->count ||
            (finding->host_count == 1 && world->hosts[claims.items[i].hosts[0]].nonsense))
            continue;
        memcpy(warnings->seen[warnings->count++], finding->id, FINDING_ID_MAX);
        tag_text(finding->tag, tag);
        tally_fault(tally, seed, "quiet: %s %s %s over %zu of %zu hosts, %.1f h before the end",
                    finding_kind_name(finding->kind), finding_severity_name(finding->severity), tag,
                    finding->host_count, world->host_count, world->now - as_of);
    }
}

static bool is_silent(const struct world *world)
{
    return strcmp(world->kind, "silent") == 0 && world->host_count <= 150;
}

bool run_quiet(uint64_t seed, const struct run_options *options, struct tally *tally)
{
    struct world *world = world_new(seed, options->dict, options->quick);
    struct warnings warnings = {.count = 0};
    bool serves = is_silent(world);
    for (double back = 28; serves && back >= 0; back -= 2)
        add_warnings(world, world->now - back * 24, options->dict, seed, tally, &warnings);
    if (serves) {
        tally->quiet_months += 1;
        tally->quiet_findings += warnings.count;
        tally->quiet_host_quarters += (double)world->host_count / 10000 / 3;
    }
    world_free(world);
    return serves;
}

/* The grid's fine points go back so far. */
#define WATCH_HOURS (1 / 3.0)

bool run_watched(uint64_t seed, const struct run_options *options, struct tally *tally)
{
    struct world *world = world_new(seed, options->dict, options->quick);
    struct warnings warnings = {.count = 0};
    bool serves = is_silent(world);
    for (size_t i = 0; serves && i < world->host_count; i++) {
        world->hosts[i].interval = 1 / 60.0;
        world->hosts[i].ramp = 0.1 + 0.9 * rng_to_unit(rng_hash(seed, i));
    }
    for (double back = 24; serves && back >= 0; back -= WATCH_HOURS)
        add_warnings(world, world->now - back, options->dict, seed, tally, &warnings);
    if (serves) {
        tally->watched_host_days += (double)world->host_count;
        tally->watched_findings += warnings.count;
        tally->watched++;
    }
    world_free(world);
    return serves;
}
