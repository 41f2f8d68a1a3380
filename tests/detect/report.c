/* SPDX-License-Identifier: Apache-2.0 */
/* Tables for people, JSON for the project's record. */
#include "tests/detect/tally.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

static void *must(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

void numbers_add(struct numbers *numbers, double value)
{
    if (numbers->count == numbers->room) {
        numbers->room = numbers->room * 2 + 64;
        numbers->items = must(realloc(numbers->items, numbers->room * sizeof *numbers->items));
    }
    numbers->items[numbers->count++] = value;
}

static int number_order(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

double numbers_quantile(struct numbers *numbers, double share)
{
    if (numbers->count == 0)
        return NAN;
    qsort(numbers->items, numbers->count, sizeof *numbers->items, number_order);
    return numbers->items[(size_t)(share * (double)(numbers->count - 1) + 0.5)];
}

struct part *tally_part(struct tally *tally, const char *kind, const char *key)
{
    for (size_t i = 0; i < tally->part_count; i++)
        if (strcmp(tally->parts[i].kind, kind) == 0 && strcmp(tally->parts[i].key, key) == 0)
            return &tally->parts[i];
    if (tally->part_count % 64 == 0)
        tally->parts = must(realloc(tally->parts, (tally->part_count + 64) * sizeof *tally->parts));
    struct part *part = &tally->parts[tally->part_count++];
    *part = (struct part){.kind = kind};
    snprintf(part->key, sizeof part->key, "%s", key);
    return part;
}

void tally_fault(struct tally *tally, uint64_t seed, const char *format, ...)
{
    if (tally->fault_count % 64 == 0)
        tally->faults =
            must(realloc(tally->faults, (tally->fault_count + 64) * sizeof *tally->faults));
    struct fault *fault = &tally->faults[tally->fault_count++];
    va_list args;
    fault->seed = seed;
    va_start(args, format);
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
}

void tally_done(struct tally *tally)
{
    free(tally->parts);
    free(tally->faults);
    struct numbers *lists[] = {&tally->error,        &tally->error_path, &tally->delay_fast,
                               &tally->delay_middle, &tally->delay_slow, &tally->path_used};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        free(lists[i]->items);
}

/* ---- figures ---------------------------------------------------------------- */

struct figure {
    const char *name, *unit, *goal;
    double value, low, high; /* NAN: no interval */
    size_t of;
    int holds; /* -1: no goal, or nothing measured */
};

static double ratio(size_t hits, size_t of)
{
    return of == 0 ? NAN : (double)hits / (double)of;
}

static struct figure share(const char *name, size_t hits, size_t of, double least, double most)
{
    struct figure figure = {.name = name, .unit = "share", .of = of, .value = ratio(hits, of)};
    static char goals[32][32];
    static size_t used;
    char *goal = goals[used++ % 32];
    score_wilson(hits, of, &figure.low, &figure.high);
    if (most <= 0)
        goal[0] = '\0';
    else if (least <= 0)
        snprintf(goal, sizeof goals[0], "at most %.2f", most);
    else if (most >= 1)
        snprintf(goal, sizeof goals[0], "at least %.2f", least);
    else
        snprintf(goal, sizeof goals[0], "%.2f to %.2f", least, most);
    figure.goal = goal;
    figure.holds = most <= 0 || of == 0 ? -1 : figure.value >= least && figure.value <= most;
    return figure;
}

static struct figure number(const char *name, const char *unit, double value, size_t of,
                            double most)
{
    struct figure figure = {.name = name, .unit = unit, .value = value, .of = of};
    static char goals[32][32];
    static size_t used;
    char *goal = goals[used++ % 32];
    goal[0] = '\0';
    figure.low = figure.high = NAN;
    if (most >= 0)
        snprintf(goal, sizeof goals[0], "at most %.3g", most);
    figure.goal = goal;
    figure.holds = most < 0 || isnan(value) ? -1 : value <= most;
    return figure;
}

static double lockstep_f1(const struct tally *tally)
{
    double all = (double)(tally->pairs.said + tally->pairs.true_pairs);
    return all <= 0 ? NAN : 2 * (double)tally->pairs.both / all;
}

#define FIGURES_MAX 32

static size_t make_figures(struct tally *tally, struct figure f[FIGURES_MAX])
{
    const struct method_tally *own = &tally->method[0];
    size_t n = 0;
    size_t matched = own->found;
    f[n++] = share("precision of findings", own->right, own->said, 0.97, 1);
    f[n++] = share("recall of incidents", own->found, own->asked, 0.95, 1);
    f[n++] = share("shifts told", own->shifts_found, own->shifts_asked, 0, 0);
    f[n++] = share("kind as it should be", tally->kind_allowed, matched, 0, 0);
    f[n++] = share("cause first", tally->cause_first, tally->cause_asked, 0.95, 1);
    f[n++] = share("cause in the first three", tally->cause_top3, tally->cause_asked, 0.99, 1);
    f[n++] = share("no cause given", tally->cause_none, tally->cause_asked, 0, 0);
    f[n++] = share("wrong confident causes", tally->confident_wrong, matched, 0, 0.01);
    f[n++] = number("lockstep pairs F1", "", lockstep_f1(tally), tally->pairs.true_pairs, -1);
    f[n - 1].goal = "at least 0.97";
    f[n - 1].holds = f[n - 1].value >= 0.97;
    f[n++] = share("first mover", tally->movers_right, tally->movers, 0.9, 1);
    f[n++] = share("exhaustion: forecast given", tally->given, tally->due, 0, 0);
    f[n++] = share("exhaustion: 80 % interval covers", tally->covered, tally->given, 0.76, 0.84);
    f[n++] = number("exhaustion: median error of time left", "share",
                    numbers_quantile(&tally->error, 0.5), tally->error.count, 0.1);
    f[n++] = number("exhaustion: median error of the path", "share",
                    numbers_quantile(&tally->error_path, 0.5), tally->error_path.count, -1);
    f[n++] = share("exhaustion: foreseen where none comes", tally->undue, tally->undue_of, 0, 0);
    f[n++] = number("delay, path under 1 day, median", "h",
                    numbers_quantile(&tally->delay_fast, 0.5), tally->delay_fast.count, 1 / 6.0);
    f[n++] = number("delay, path 1 to 30 days, median", "h",
                    numbers_quantile(&tally->delay_middle, 0.5), tally->delay_middle.count, -1);
    f[n++] = number("delay, path over 30 days, 20 hosts, median", "h",
                    numbers_quantile(&tally->delay_slow, 0.5), tally->delay_slow.count, 24);
    f[n++] = number("delay as share of the path, median", "share",
                    numbers_quantile(&tally->path_used, 0.5), tally->path_used.count, -1);
    f[n++] = share("delay: named within the goal for the path", tally->delay_in_time,
                   tally->path_used.count + tally->delay_never, 0, 0);
    f[n++] = number("delay: never named", "incidents", (double)tally->delay_never,
                    tally->path_used.count + tally->delay_never, -1);
    f[n++] = share("silent fleets with a false finding", own->silent_broken, own->silent, 0, 0);
    if (tally->quiet_months > 0) {
        f[n++] = number("findings per quiet month of a fleet", "findings",
                        (double)tally->quiet_findings / tally->quiet_months,
                        (size_t)tally->quiet_months, -1);
        f[n++] = number("findings per quiet quarter of 10,000 hosts", "findings",
                        (double)tally->quiet_findings / tally->quiet_host_quarters,
                        (size_t)tally->quiet_months, 1);
    }
    if (tally->live.hosts > 0)
        f[n++] =
            number("live: hosts read from cold once more", "share",
                   (double)tally->live.again / (double)tally->live.hosts, tally->live.hosts, -1);
    if (tally->watched > 0) {
        f[n++] = number("findings per watched day of 1,000 quiet hosts", "findings",
                        1000 * (double)tally->watched_findings / tally->watched_host_days,
                        tally->watched, -1);
    }
    f[n++] =
        number("analysis, microseconds a series", "us",
               tally->analysis_seconds * 1e6 / fmax((double)tally->series, 1), tally->series, -1);
    return n;
}

static void print_figures(struct tally *tally)
{
    struct figure f[FIGURES_MAX];
    size_t count = make_figures(tally, f);
    printf("\n%-46s %8s  %-17s %7s  %-14s\n", "figure", "value", "95 % interval", "of", "goal");
    for (size_t i = 0; i < count; i++) {
        char interval[40] = "";
        if (!isnan(f[i].low) && f[i].of > 0)
            snprintf(interval, sizeof interval, "%.3f to %.3f", f[i].low, f[i].high);
        printf("%-46s %8.3f  %-17s %7zu  %-14s %s\n", f[i].name, f[i].value, interval, f[i].of,
               f[i].goal,
               f[i].holds < 0 ? ""
               : f[i].holds   ? "holds"
                              : "MISSED");
    }
}

static const char *method_name(size_t method)
{
    return method == 0 ? "Poolfleet" : baseline_name((enum baseline)(method - 1));
}

static void print_methods(const struct tally *tally)
{
    printf("\n%-38s %9s %-16s %7s %-16s %8s %7s %8s\n", "method", "precision", "95 %", "recall",
           "95 %", "false", "astray", "silent");
    for (size_t m = 0; m < METHODS; m++) {
        const struct method_tally *own = &tally->method[m];
        double pl, ph, rl, rh;
        if (own->asked + own->silent == 0)
            continue; /* not run */
        score_wilson(own->right, own->said, &pl, &ph);
        score_wilson(own->found, own->asked, &rl, &rh);
        printf("%-38s %9.3f %.3f to %.3f   %7.3f %.3f to %.3f   %8zu %7zu %7.0f%%\n",
               method_name(m), ratio(own->right, own->said), pl, ph, ratio(own->found, own->asked),
               rl, rh, own->said - own->right, own->astray,
               100 * (1 - ratio(own->silent_broken, own->silent)));
    }
    printf("(false: findings that match nothing; astray: those of them that name an incident's tag "
           "on too few or "
           "wrong hosts; silent: silent fleets without a false one)\n");
}

static void print_parts(const struct tally *tally)
{
    static const char *const kinds[] = {"shape", "start", "tags",  "rate",    "affected",
                                        "cause", "mover", "pairs", "forecast"};
    static const char *const fleet_kinds[] = {"fleet", "size", "confounder"};
    printf("\n%-12s %-28s %7s %7s\n", "incidents", "", "asked", "found");
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (size_t i = 0; i < tally->part_count; i++) {
            const struct part *part = &tally->parts[i];
            /* "mover": named right; "pairs": of tags that go together, told as such; "forecast":
             * hosts whose end the interval covers */
            if (strcmp(part->kind, kinds[k]) == 0)
                printf("%-12s %-28s %7zu %7zu  %3.0f%%\n", kinds[k], part->key, part->asked,
                       part->found, 100 * ratio(part->found, part->asked));
        }
    printf("\n%-12s %-28s %7s %7s %7s %7s %7s\n", "fleets", "", "fleets", "asked", "found", "true",
           "false");
    for (size_t k = 0; k < sizeof fleet_kinds / sizeof fleet_kinds[0]; k++)
        for (size_t i = 0; i < tally->part_count; i++) {
            const struct part *part = &tally->parts[i];
            if (strcmp(part->kind, fleet_kinds[k]) == 0)
                printf("%-12s %-28s %7zu %7zu %7zu %7zu %7zu\n", fleet_kinds[k], part->key,
                       part->fleets, part->asked, part->found, part->right_claims,
                       part->wrong_claims);
        }
}

#define FAULTS_SHOWN 200

void report_print(struct tally *tally)
{
    printf("%s half: %zu fleets, %zu hosts, %zu series; analysis %.1f s, all %.1f s\n", tally->half,
           tally->fleets, tally->hosts, tally->series, tally->analysis_seconds, tally->all_seconds);
    print_figures(tally);
    print_methods(tally);
    print_parts(tally);
    printf("\nfaults (%zu; one fleet: bench-detect%s --seed N --verbose)\n", tally->fault_count,
           tally->quick ? " --quick" : "");
    for (size_t i = 0; i < tally->fault_count && i < FAULTS_SHOWN; i++)
        printf("  %6llu  %s\n", (unsigned long long)tally->faults[i].seed, tally->faults[i].text);
}

/* ---- JSON: names are ours, without quotes ----------------------------------- */

static void json_number(FILE *file, double value)
{
    if (isnan(value) || isinf(value))
        fprintf(file, "null");
    else
        fprintf(file, "%.6g", value);
}

static void write_figures(FILE *file, struct tally *tally)
{
    struct figure f[FIGURES_MAX];
    size_t count = make_figures(tally, f);
    fprintf(file, "  \"figures\": [");
    for (size_t i = 0; i < count; i++) {
        fprintf(file, "%s\n    {\"name\": \"%s\", \"value\": ", i > 0 ? "," : "", f[i].name);
        json_number(file, f[i].value);
        fprintf(file, ", \"unit\": \"%s\", \"low\": ", f[i].unit);
        json_number(file, f[i].low);
        fprintf(file, ", \"high\": ");
        json_number(file, f[i].high);
        fprintf(file, ", \"of\": %zu, \"goal\": \"%s\", \"holds\": %s}", f[i].of, f[i].goal,
                f[i].holds < 0 ? "null"
                : f[i].holds   ? "true"
                               : "false");
    }
    fprintf(file, "\n  ],\n");
}

static void write_table(FILE *file, const struct tally *tally)
{
    fprintf(file, "  \"table\": [");
    bool first = true;
    for (size_t m = 0; m < METHODS; m++) {
        const struct method_tally *own = &tally->method[m];
        if (own->asked + own->silent == 0)
            continue;
        fprintf(file, "%s\n    {\"method\": \"%s\", \"parameters\": \"%s\", \"precision\": ",
                first ? "" : ",", method_name(m),
                m == 0 ? "" : baseline_parameters((enum baseline)(m - 1)));
        json_number(file, ratio(own->right, own->said));
        fprintf(file, ", \"recall\": ");
        json_number(file, ratio(own->found, own->asked));
        fprintf(
            file,
            ", \"true\": %zu, \"false\": %zu, \"astray\": %zu, \"incidents\": %zu, \"found\": %zu, "
            "\"silent_fleets\": %zu, \"silent_fleets_broken\": %zu}",
            own->right, own->said - own->right, own->astray, own->asked, own->found, own->silent,
            own->silent_broken);
        first = false;
    }
    fprintf(file, "\n  ],\n  \"parts\": [");
    for (size_t i = 0; i < tally->part_count; i++) {
        const struct part *part = &tally->parts[i];
        fprintf(file,
                "%s\n    {\"kind\": \"%s\", \"key\": \"%s\", \"fleets\": %zu, \"asked\": %zu, "
                "\"found\": %zu, \"true\": %zu, \"false\": %zu}",
                i > 0 ? "," : "", part->kind, part->key, part->fleets, part->asked, part->found,
                part->right_claims, part->wrong_claims);
    }
    fprintf(file, "\n  ],\n  \"faults\": [");
    for (size_t i = 0; i < tally->fault_count; i++) {
        fprintf(file, "%s\n    {\"seed\": %llu, \"what\": \"", i > 0 ? "," : "",
                (unsigned long long)tally->faults[i].seed);
        for (const char *c = tally->faults[i].text; *c != '\0'; c++) /* tags may hold either */
            fprintf(file, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
        fprintf(file, "\"}");
    }
    fprintf(file, "\n  ]\n");
}

bool report_write(struct tally *tally, const char *path)
{
    AUTO_FILE FILE *file = fopen(path, "w");
    struct utsname machine;
    char at[TIME_TEXT_MAX];
    const char *commit = getenv("BENCH_COMMIT");
    if (file == NULL) {
        fprintf(stderr, "bench-detect: could not write %s\n", path);
        return false;
    }
    time_format(clock_wall_us() / US_PER_SECOND * US_PER_SECOND, at);
    bool known = uname(&machine) == 0;
    fprintf(file, "{\n  \"name\": \"detect\", \"at\": \"%s\", \"machine\": \"%s %s\", ", at,
            known ? machine.sysname : "unknown", known ? machine.machine : "");
    fprintf(file, "\"commit\": \"%s\", \"half\": \"%s\", \"fleets\": %zu,\n",
            commit == NULL ? "" : commit, tally->half, tally->fleets);
    write_figures(file, tally);
    write_table(file, tally);
    fprintf(file, "}\n");
    return ferror(file) == 0;
}
