/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-tuned SEED...: what each threshold does, on fleets of the tuning half. Every fleet is made
 * once, and goes through the analysis as it is and with each threshold alone halved and doubled
 * (sources.awk). Prints a table for docs/detection.md; "the same" is every count the same.
 */
#include "tests/detect/run.h"
#include "tests/detect/tuned/table.h"

#include <stdlib.h>
#include <string.h>

static void die(const char *what)
{
    fprintf(stderr, "bench-tuned: could not %s\n", what);
    exit(1);
}

static void analyze(const struct world *world, const struct world_view *views,
                    const struct tagdict *dict, uint64_t seed, struct tally *tally)
{
    AUTO_ANALYSIS struct analysis *analysis = NULL;
    AUTO_FINDINGS struct finding_list list = {0};
    struct analyze_options options = {.as_of_us = world_us(world, world->now), .tagdict = dict};
    struct err err = {0};
    enum status status = analysis_new(&options, &analysis, &err);
    for (size_t i = 0; status == ST_OK && i < world->host_count; i++)
        if (views[i].host.point_count > 0)
            status = analysis_add_host(analysis, &views[i].host, &err);
    if (status == ST_OK)
        status = analysis_finish(analysis, &list, &err);
    if (status != ST_OK)
        die(err.message);
    run_tally(seed, world, &list, tally);
}

static void run_seed(uint64_t seed, const struct tagdict *dict, struct tally *tallies)
{
    struct world *world = world_new(seed, dict, false);
    struct world_view *views = calloc(world->host_count + 1, sizeof *views);
    if (views == NULL)
        die("keep a fleet: out of memory");
    for (size_t i = 0; i < world->host_count; i++)
        world_view_make(world, i, world->now, &views[i]);
    analyze(world, views, dict, seed, &tallies[0]);
    for (size_t t = 0; t < tuned_count; t++) {
        for (int twice = 0; twice < 2; twice++) {
            tuned_scale[t] = twice ? 2 : 0.5;
            analyze(world, views, dict, seed, &tallies[1 + 2 * t + (size_t)twice]);
        }
        tuned_scale[t] = 1;
    }
    for (size_t i = 0; i < world->host_count; i++)
        world_view_done(&views[i]);
    free(views);
    world_free(world);
}

/* What is counted, and said where it changes. */
static const char *const count_names[] = {"findings judged",    "true ones",
                                          "incidents found",    "shifts found",
                                          "kinds right",        "causes first",
                                          "in the first three", "confident causes",
                                          "wrong ones",         "pairs right",
                                          "pairs told",         "movers right",
                                          "intervals given",    "intervals that cover",
                                          "undue ends"};
#define COUNTS (sizeof count_names / sizeof *count_names)

static void counts_of(const struct tally *tally, size_t ret[COUNTS])
{
    const struct method_tally *own = &tally->method[0];
    const size_t counts[COUNTS] = {own->said,         own->right,          own->found,
                                   own->shifts_found, tally->kind_allowed, tally->cause_first,
                                   tally->cause_top3, tally->confident,    tally->confident_wrong,
                                   tally->pairs.both, tally->pairs.said,   tally->movers_right,
                                   tally->given,      tally->covered,      tally->undue};
    memcpy(ret, counts, sizeof counts);
}

static void print_base(const struct tally *tally)
{
    const struct method_tally *own = &tally->method[0];
    size_t is[COUNTS];
    counts_of(tally, is);
    printf("asked: %zu incidents, %zu shifts, %zu pairs, %zu movers\n", own->asked,
           own->shifts_asked, tally->pairs.true_pairs, tally->movers);
    for (size_t i = 0; i < COUNTS; i++)
        printf("%s%s %zu", i > 0 ? ", " : "as it is: ", count_names[i], is[i]);
    printf("\n");
}

static void print_change(const struct tally *base, const struct tally *tally)
{
    size_t was[COUNTS], is[COUNTS];
    bool first = true;
    counts_of(base, was);
    counts_of(tally, is);
    for (size_t i = 0; i < COUNTS; i++) {
        if (was[i] == is[i])
            continue;
        printf("%s%s %zu to %zu", first ? "" : ", ", count_names[i], was[i], is[i]);
        first = false;
    }
    printf("%s |", first ? "the same" : "");
}

int main(int argc, char **argv)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    struct tally *tallies = calloc(1 + 2 * tuned_count, sizeof *tallies);
    struct err err = {0};
    if (argc < 2 || tallies == NULL || dict == NULL || tagdict_add_builtin(dict, &err) != ST_OK) {
        fputs("usage: bench-tuned SEED...\n", stderr);
        return 2;
    }
    for (int i = 1; i < argc; i++)
        run_seed(strtoull(argv[i], NULL, 10), dict, tallies);
    print_base(&tallies[0]);
    printf("\n| name | halved | doubled |\n|---|---|---|\n");
    for (size_t t = 0; t < tuned_count; t++) {
        const char *name = strchr(tuned_names[t], ' ') + 1;
        printf("| %.*s`%s` | ", (int)(name - tuned_names[t]), tuned_names[t], name);
        print_change(&tallies[0], &tallies[1 + 2 * t]);
        printf(" ");
        print_change(&tallies[0], &tallies[2 + 2 * t]);
        printf("\n");
    }
    for (size_t i = 0; i <= 2 * tuned_count; i++)
        tally_done(&tallies[i]);
    free(tallies);
    return 0;
}
