/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-detect: labelled fleets through the analysis and through what people use today.
 *
 *   bench-detect [--half tuning|reporting] [--fleets N] [--skip N] [--quick] [--json FILE]
 *   bench-detect --seed N --verbose
 *   bench-detect --self-test
 *   bench-detect --pass HOSTS ROWS
 *   bench-detect --kept HOSTS ROWS
 *   bench-detect --explain HOSTS ATTRIBUTES
 *
 * On SIGINT it ends after the fleet in hand and reports what it has. Even seeds are for tuning, odd
 * ones for reporting. Nothing is tuned on odd seeds.
 */
#include "tests/detect/pass.h"
#include "tests/detect/run.h"
#include "tests/detect/selftest.h"

#include <getopt.h>
#include <signal.h>

struct settings {
    const char *half;
    const char *json;
    uint64_t seed;
    bool one;
    size_t fleets;
    size_t skip; /* fleets of the half that are left out at its beginning */
    size_t quiet;
    size_t watched;
    bool self_test;
    struct run_options run;
};

static const char usage[] =
    "usage: bench-detect [--half tuning|reporting] [--fleets N] [--quick] [--json FILE]\n"
    "                    [--skip N] [--no-baselines] [--no-delays] [--quiet-fleets N]\n"
    "                    [--watched-fleets N] [--live]\n"
    "       bench-detect --seed N [--verbose]\n"
    "       bench-detect --self-test\n"
    "       bench-detect --pass HOSTS ROWS\n"
    "       bench-detect --kept HOSTS ROWS\n"
    "       bench-detect --explain HOSTS ATTRIBUTES\n";

static bool read_number(const char *text, uint64_t *ret)
{
    char *end;
    *ret = strtoull(text, &end, 10);
    return *text != '\0' && *end == '\0';
}

static bool read_settings(int argc, char **argv, struct settings *ret)
{
    static const struct option options[] = {{"half", required_argument, NULL, 'h'},
                                            {"fleets", required_argument, NULL, 'f'},
                                            {"skip", required_argument, NULL, 'k'},
                                            {"quick", no_argument, NULL, 'q'},
                                            {"json", required_argument, NULL, 'j'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"verbose", no_argument, NULL, 'v'},
                                            {"no-baselines", no_argument, NULL, 'b'},
                                            {"no-delays", no_argument, NULL, 'd'},
                                            {"live", no_argument, NULL, 'l'},
                                            {"self-test", no_argument, NULL, 't'},
                                            {"quiet-fleets", required_argument, NULL, 'm'},
                                            {"watched-fleets", required_argument, NULL, 'w'},
                                            {NULL, 0, NULL, 0}};
    uint64_t value;
    *ret = (struct settings){.half = "reporting",
                             .fleets = 1000,
                             .quiet = 24,
                             .watched = 4,
                             .run = {.baselines = true, .delays = true}};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'h')
            ret->half = optarg;
        else if (c == 'j')
            ret->json = optarg;
        else if (c == 'q')
            ret->run.quick = true;
        else if (c == 'v')
            ret->run.verbose = true;
        else if (c == 'b')
            ret->run.baselines = false;
        else if (c == 'd')
            ret->run.delays = false;
        else if (c == 'l') {
            ret->run.live = true;
            ret->run.baselines = false; /* they take their points from a read from cold */
        } else if (c == 't')
            ret->self_test = true;
        else if (c != '?' && read_number(optarg, &value)) {
            if (c == 'f')
                ret->fleets = value;
            else if (c == 'k')
                ret->skip = value;
            else if (c == 'm')
                ret->quiet = value;
            else if (c == 'w')
                ret->watched = value;
            else {
                ret->seed = value;
                ret->one = true;
            }
        } else
            return false;
    }
    if (ret->run.quick) {
        ret->fleets = ret->fleets == 1000 ? 120 : ret->fleets;
        ret->quiet = 2;
        ret->watched = 0;
        ret->run.delays = false;
    }
    return optind == argc &&
           (strcmp(ret->half, "tuning") == 0 || strcmp(ret->half, "reporting") == 0);
}

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

static void run_all(const struct settings *settings, struct tally *tally)
{
    uint64_t seed = strcmp(settings->half, "reporting") == 0 ? 1 : 2;
    seed += 2 * settings->skip;
    for (size_t i = 0; i < settings->fleets && !stopped; i++, seed += 2)
        run_fleet(seed, &settings->run, tally);
    for (size_t done = 0, tries = 0; done < settings->quiet && tries < 400 && !stopped;
         tries++, seed += 2)
        done += run_quiet(seed, &settings->run, tally);
    for (size_t done = 0, tries = 0; done < settings->watched && tries < 400 && !stopped;
         tries++, seed += 2)
        done += run_watched(seed, &settings->run, tally);
}

typedef bool (*cost_fn)(size_t hosts, size_t width, const struct tagdict *dict);

static bool run_explain(size_t hosts, size_t width, const struct tagdict *dict)
{
    (void)dict;
    return pass_explain(hosts, width);
}

static const struct {
    const char *option;
    cost_fn run;
} costs[] = {{"--pass", pass_run}, {"--kept", pass_kept}, {"--explain", run_explain}};

static int run_cost(char **argv, cost_fn run, const struct tagdict *dict)
{
    uint64_t hosts;
    uint64_t width;
    if (!read_number(argv[2], &hosts) || !read_number(argv[3], &width) || width > 16384) {
        fputs(usage, stderr);
        return 2;
    }
    return run(hosts, width, dict) ? 0 : 1;
}

int main(int argc, char **argv)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    struct settings settings;
    struct err err = {0};
    cost_fn cost = NULL;
    for (size_t i = 0; argc == 4 && i < sizeof costs / sizeof costs[0]; i++)
        cost = strcmp(argv[1], costs[i].option) == 0 ? costs[i].run : cost;
    if (cost == NULL && !read_settings(argc, argv, &settings)) {
        fputs(usage, stderr);
        return 2;
    }
    if (dict == NULL || tagdict_add_builtin(dict, &err) != ST_OK) {
        fprintf(stderr, "bench-detect: could not read the list of tags: %s\n", err.message);
        return 1;
    }
    if (cost != NULL)
        return run_cost(argv, cost, dict);
    settings.run.dict = dict;
    signal(SIGINT, stop);
    if (settings.self_test)
        return selftest_run(dict) ? 0 : 1;
    struct tally tally = {.half = settings.half, .quick = settings.run.quick};
    int64_t from = clock_mono_us();
    if (settings.one)
        run_fleet(settings.seed, &settings.run, &tally);
    else
        run_all(&settings, &tally);
    tally.all_seconds = (double)(clock_mono_us() - from) / 1e6;
    bool written = true;
    if (!settings.one || !settings.run.verbose)
        report_print(&tally);
    if (settings.json != NULL)
        written = report_write(&tally, settings.json);
    tally_done(&tally);
    return written ? 0 : 1;
}
