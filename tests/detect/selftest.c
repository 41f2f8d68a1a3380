/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/detect/selftest.h"
#include "tests/detect/score.h"
#include "tests/detect/tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t passed, failed;

static void check(bool holds, const char *what)
{
    if (holds)
        passed++;
    else {
        failed++;
        printf("failed: %s\n", what);
    }
}

/* ---- generator -------------------------------------------------------------- */

static uint64_t print_bytes(uint64_t print, const void *bytes, size_t count)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < count; i++)
        print = (print ^ byte[i]) * 0x100000001B3u;
    return print;
}

/* All that the analysis would see, as one number. */
static uint64_t print_world(const struct world *world)
{
    uint64_t print = 0xCBF29CE484222325u;
    for (size_t i = 0; i < world->host_count; i++) {
        struct world_view view;
        world_view_make(world, i, world->now, &view);
        print = print_bytes(print, view.host.id, strlen(view.host.id));
        for (size_t k = 0; k < view.host.point_count; k++) {
            const struct analyze_point *point = &view.host.points[k];
            print = print_bytes(print, &point->taken_at_us, sizeof point->taken_at_us);
            print = print_bytes(print, &point->boot_at_us, sizeof point->boot_at_us);
            print = print_bytes(print, point->totals, sizeof *point->totals);
            for (size_t p = 0; p < POOL_COUNT; p++) {
                const struct snapshot_table *table = &point->table[p];
                print = print_bytes(print, table->tag, table->count * sizeof *table->tag);
                print = print_bytes(print, table->allocs, table->count * sizeof *table->allocs);
                print = print_bytes(print, table->frees, table->count * sizeof *table->frees);
                print = print_bytes(print, table->bytes, table->count * sizeof *table->bytes);
            }
        }
        for (size_t k = 0; k < view.host.fact_count; k++) {
            print = print_bytes(print, view.host.facts[k].name, strlen(view.host.facts[k].name));
            print = print_bytes(print, view.host.facts[k].value, strlen(view.host.facts[k].value));
        }
        world_view_done(&view);
    }
    return print;
}

static void check_same_bytes(const struct tagdict *dict)
{
    bool same = true;
    uint64_t before = 0;
    bool differ = true;
    for (uint64_t seed = 100; seed < 106; seed++) {
        struct world *a = world_new(seed, dict, true);
        struct world *b = world_new(seed, dict, true);
        uint64_t print = print_world(a);
        same = same && print == print_world(b);
        differ = differ && print != before;
        before = print;
        world_free(a);
        world_free(b);
    }
    check(same, "the same seed gives the same bytes");
    check(differ, "another seed gives others");
}

static bool rows_valid(const struct analyze_point *point)
{
    for (size_t p = 0; p < POOL_COUNT; p++) {
        const struct snapshot_table *table = &point->table[p];
        for (size_t i = 1; i < table->count; i++)
            if (table->tag[i] <= table->tag[i - 1])
                return false;
    }
    return true;
}

/* Rules of the interface, on every point of a few fleets. */
static void check_interface(const struct tagdict *dict)
{
    bool rising = true, sorted = true, facts = true, past = true;
    for (uint64_t seed = 1; seed < 60; seed++) {
        struct world *world = world_new(seed, dict, true);
        for (size_t i = 0; i < world->host_count && i < 12; i++) {
            struct world_view view;
            world_view_make(world, i, world->now, &view);
            for (size_t k = 0; k < view.host.point_count; k++) {
                const struct analyze_point *point = &view.host.points[k];
                rising = rising && (k == 0 || point[0].taken_at_us > point[-1].taken_at_us);
                sorted = sorted && rows_valid(point);
                past = past && point->taken_at_us <= world_us(world, world->now);
            }
            for (size_t k = 0; k < view.host.fact_count; k++)
                facts =
                    facts && (view.host.facts[k].valid_to_us == TIME_UNKNOWN ||
                              view.host.facts[k].valid_to_us > view.host.facts[k].valid_from_us);
            world_view_done(&view);
        }
        world_free(world);
    }
    check(rising, "times rise strictly");
    check(sorted, "rows are sorted and unique");
    check(past, "nothing is newer than the moment of the analysis");
    check(facts, "facts end after they begin");
}

/* In a fleet with wraps some counter goes back within a boot, and its outstanding blocks do not
 * go with it. */
static void check_wraps(const struct tagdict *dict)
{
    size_t wraps = 0, checked = 0;
    bool modular = true;
    for (uint64_t seed = 1; seed < 400 && checked < 4; seed++) {
        struct world *world = world_new(seed, dict, true);
        bool has = (world->confounders >> CONF_WRAPS & 1) != 0 &&
                   !(world->confounders & (1u << CONF_CLOCK | 1u << CONF_HIDDEN_BOOTS));
        for (size_t i = 0; has && i < 3 && !world->hosts[i].nonsense; i++) {
            struct world_view view;
            world_view_make(world, i, world->now, &view);
            for (size_t k = 1; k < view.host.point_count; k++) {
                const struct analyze_point *now = &view.host.points[k];
                const struct snapshot_table *a = &now[-1].table[0], *b = &now->table[0];
                for (size_t r = 0;
                     now->boot_at_us == now[-1].boot_at_us && a->count == b->count && r < b->count;
                     r++) {
                    wraps += b->allocs[r] < a->allocs[r];
                    uint32_t held = counter_delta(b->allocs[r], b->frees[r]);
                    modular = modular && (held == 0) == (b->bytes[r] == 0);
                }
            }
            world_view_done(&view);
        }
        checked += has;
        world_free(world);
    }
    check(checked > 0 && wraps > 10, "counters wrap within a boot");
    check(modular, "outstanding blocks are right across a wrap");
}

/* Hosts of a cause have it from the onset on; labels need growth that can be seen. */
static void check_labels(const struct tagdict *dict)
{
    bool carried = true, seen = true, short_of_limit = true, none = true;
    size_t scored = 0, incidents = 0;
    for (uint64_t seed = 1; seed < 200; seed++) {
        struct world *world = world_new(seed, dict, true);
        if (strcmp(world->kind, "silent") == 0)
            none = none && world->incident_count == 0;
        for (size_t k = 0; k < world->incident_count; k++) {
            const struct world_incident *incident = &world->incidents[k];
            bool any = false;
            incidents++;
            for (size_t i = 0; i < world->host_count; i++) {
                enum world_involved is = world_involvement(world, incident, i, world->now);
                double path;
                if (is != INVOLVED_YES)
                    continue;
                any = true;
                const char *value =
                    incident->cause_name == NULL
                        ? NULL
                        : world_fact_at(&world->hosts[i], incident->cause_name, world->now);
                carried =
                    carried && (incident->cause_name == NULL ||
                                (value != NULL && (strcmp(value, incident->cause_value) == 0 ||
                                                   (incident->cause_also != NULL &&
                                                    strcmp(value, incident->cause_also) == 0))));
                seen = seen && world_growth_bytes(world, incident, i, world->now) > WORLD_MIB;
                double ends = world_exhaustion(world, incident, i, world->now, &path);
                short_of_limit = short_of_limit && ends > world->now;
            }
            scored += any;
        }
        world_free(world);
    }
    check(none, "silent fleets have no incident");
    check(carried, "affected hosts have the value that is the cause");
    check(seen, "what must be found has grown");
    check(short_of_limit, "no labelled host is past its limit");
    check(scored * 10 > incidents * 6, "most incidents can be asked for");
}

/* Growth never goes back within a boot, whatever the shape. */
static void check_growth(const struct tagdict *dict)
{
    bool monotone = true, finite = true;
    for (uint64_t seed = 1; seed < 200; seed++) {
        struct world *world = world_new(seed, dict, true);
        for (size_t k = 0; k < world->incident_count; k++)
            for (size_t i = 0; i < world->host_count && i < 40; i++) {
                double boot = world_boot_at(&world->hosts[i], world->now);
                double before = -1;
                for (double at = fmax(boot, world->now - 300) + 0.01; at < world->now; at += 0.7) {
                    double held = world_growth(world, &world->incidents[k], i, at);
                    monotone = monotone && held >= before - 1e-6 * held - 1e-9;
                    finite = finite && isfinite(held);
                    before = held;
                }
            }
        world_free(world);
    }
    check(monotone, "growth does not go back within a boot");
    check(finite, "growth is a number");
}

/* Points are as the live server thins them: at most one in 10 minutes, an hour, six hours. */
static void check_density(const struct tagdict *dict)
{
    struct world *world = world_new(8, dict, true);
    bool dense = true;
    double seen[WORLD_POINTS];
    size_t count = world_visible(world, 0, world->now, seen);
    for (size_t i = 2; i < count; i++) {
        double back = world->now - seen[i];
        double least = back > 30 ? 5.5 : back > 4 ? 0.9 : 0.15;
        dense = dense && seen[i] - seen[i - 2] > least;
    }
    check(count > 20 && count <= WORLD_POINTS && dense, "points are thinned");
    world_free(world);
}

/* ---- scorer: a fleet of eight, four of them leaking "Leak" since ten hours -- */

static struct world *small_world(void)
{
    struct world_size size = {.hosts = 8, .rows = 10};
    struct world *world = calloc(1, sizeof *world);
    if (world == NULL)
        abort();
    world->seed = world->rng.state = 42;
    world->now = WORLD_EPOCH_HOURS;
    world->kind = "incident";
    world_make(world, NULL, &size);
    for (size_t i = 0; i < 8; i++) {
        world->hosts[i].boot_count = 1;
        world->hosts[i].boots[0] = world->now - 500;
        world->hosts[i].interval = 0.25;
        world->hosts[i].loss = 0;
        world->hosts[i].ram = 16 * WORLD_GIB;
        world_set_fact(world, &world->hosts[i], "driver/x.sys", i < 4 ? "2" : "1", -WORLD_NEVER);
    }
    struct world_incident *incident = world_new_incident(world);
    incident->tag_count = 2;
    incident->tags[0] = world_tag("Leak");
    incident->tags[1] = world_tag("Wake");
    incident->block[0] = incident->block[1] = 4096;
    incident->ratio[0] = incident->ratio[1] = 1;
    incident->path_hours = 100;
    incident->start = START_EVENT;
    incident->kinds = 1u << FINDING_LEAK;
    incident->story = "linear";
    incident->cause_name = "driver/x.sys";
    incident->cause_value = "2";
    for (size_t i = 0; i < 4; i++) {
        incident->onset[i] = world->now - 10;
        incident->rate[i] = 20000;
    }
    world_bind_incident(world, incident);
    world_sort_rows(world);
    world_fit_pools(world);
    return world;
}

static enum verdict verdict_of(const struct world *world, enum finding_kind kind, const char *tag,
                               enum pool pool, size_t from, size_t count, bool *ret_found)
{
    CLEANUP(claims_done) struct claims claims = {0};
    CLEANUP(outcome_done) struct outcome outcome = {0};
    uint32_t tags[1] = {world_tag(tag)};
    size_t hosts[8];
    for (size_t i = 0; i < count; i++)
        hosts[i] = from + i;
    struct claim *claim = claims_add(&claims);
    claim->kind = kind;
    claim->severity = kind == FINDING_SHIFT ? SEVERITY_INFO : SEVERITY_WARNING;
    claim->pool = pool;
    claim->tags = tags;
    claim->tag_count = 1;
    claim->hosts = hosts;
    claim->host_count = count;
    score(world, &claims, world->now, &outcome);
    *ret_found = outcome.incident[0].scored && outcome.incident[0].best == 0;
    return outcome.verdict[0];
}

static void check_scorer(void)
{
    static const struct {
        enum finding_kind kind;
        const char tag[5];
        enum pool pool;
        size_t from, count;
        enum verdict verdict;
        bool found;
        const char *what;
    } cases[] = {
        {FINDING_LEAK, "Leak", 0, 0, 4, VERDICT_TRUE, true, "the incident itself is true"},
        {FINDING_LEAK, "Wake", 0, 0, 4, VERDICT_TRUE, true, "a tag of its group is enough"},
        {FINDING_LEAK, "Leak", 1, 0, 4, VERDICT_FALSE, false, "another pool is not it"},
        {FINDING_LEAK, "Lake", 0, 0, 4, VERDICT_FALSE, false, "another tag is not it"},
        {FINDING_LEAK, "Leak", 0, 0, 2, VERDICT_TRUE, true, "half of the hosts is Jaccard 0.5"},
        {FINDING_LEAK, "Leak", 0, 0, 1, VERDICT_FALSE, false, "a quarter is too few"},
        {FINDING_LEAK, "Leak", 0, 0, 8, VERDICT_TRUE, true, "all eight is Jaccard 0.5 too"},
        {FINDING_LEAK, "Leak", 0, 3, 5, VERDICT_FALSE, false, "one right, four wrong is not"},
        {FINDING_EXHAUSTION, "Leak", 0, 0, 1, VERDICT_NEUTRAL, false,
         "one that runs out is part of it"},
        {FINDING_SHIFT, "Leak", 0, 0, 4, VERDICT_NEUTRAL, false, "a leak is not a shift"},
    };
    struct world *world = small_world();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool found;
        enum verdict verdict = verdict_of(world, cases[i].kind, cases[i].tag, cases[i].pool,
                                          cases[i].from, cases[i].count, &found);
        check(verdict == cases[i].verdict && found == cases[i].found, cases[i].what);
    }
    world->hosts[6].nonsense = true;
    bool found;
    check(verdict_of(world, FINDING_LEAK, "Oops", 0, 6, 1, &found) == VERDICT_NEUTRAL,
          "a host that posts nonsense may be named");
    check(verdict_of(world, FINDING_LEAK, "Oops", 0, 5, 2, &found) == VERDICT_FALSE,
          "but not with another");
    world_free(world);
}

static void check_causes(void)
{
    static const struct {
        const char *value;
        double confidence;
        size_t count;
        enum cause_verdict verdict;
        bool wrong;
        const char *what;
    } cases[] = {{"2", 0.9, 1, CAUSE_UNDECIDABLE, false, "four against four decides nothing"},
                 {"1", 0.9, 1, CAUSE_UNDECIDABLE, true, "the contrary with confidence is wrong"},
                 {"1", 0.5, 1, CAUSE_UNDECIDABLE, false, "without confidence it is not"},
                 {"", 0.9, 0, CAUSE_UNDECIDABLE, false, "no cause is never wrong"}};
    struct world *world = small_world();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CLEANUP(claims_done) struct claims claims = {0};
        CLEANUP(outcome_done) struct outcome outcome = {0};
        uint32_t tags[1] = {world_tag("Leak")};
        size_t hosts[4] = {0, 1, 2, 3};
        struct finding_cause cause = {.attribute = "driver/x.sys", .value = cases[i].value};
        struct finding finding = {
            .confidence = cases[i].confidence, .causes = &cause, .cause_count = cases[i].count};
        *claims_add(&claims) = (struct claim){.kind = FINDING_LEAK,
                                              .tags = tags,
                                              .tag_count = 1,
                                              .hosts = hosts,
                                              .host_count = 4,
                                              .finding = &finding};
        score(world, &claims, world->now, &outcome);
        check(outcome.incident[0].cause == cases[i].verdict &&
                  outcome.incident[0].confident_wrong == cases[i].wrong,
              cases[i].what);
    }
    world_free(world);
}

static void check_numbers(void)
{
    struct world_incident incident = {.tag_count = 3, .tags = {1, 2, 3}};
    uint32_t tags[3] = {3, 1, 9};
    struct claim claim = {.tags = tags, .tag_count = 3};
    struct pair_counts pairs = score_pairs(&incident, &claim);
    check(pairs.both == 1 && pairs.said == 3 && pairs.true_pairs == 3, "pairs of tags are counted");
    double low, high;
    score_wilson(8, 10, &low, &high);
    check(fabs(low - 0.4902) < 0.0005 && fabs(high - 0.9433) < 0.0005,
          "Wilson's interval of 8 in 10");
    struct numbers numbers = {0};
    for (int i = 5; i > 0; i--)
        numbers_add(&numbers, i);
    check(fabs(numbers_quantile(&numbers, 0.5) - 3) < 1e-9, "the median of 1 to 5 is 3");
    free(numbers.items);
}

/* When it ends, the pool is at its limit: all rows, what is in no row, and the leak. */
static void check_exhaustion(void)
{
    struct world *world = small_world();
    const struct world_host *host = &world->hosts[0];
    double seen;
    double ends = world_exhaustion(world, &world->incidents[0], 0, world->now, &seen);
    double used =
        world_rest(host, POOL_NONPAGED) + world_growth_bytes(world, &world->incidents[0], 0, ends);
    for (size_t i = 0; i < world->row_count; i++)
        if (world->rows[i].pool == POOL_NONPAGED)
            used += world_healthy(world, i, 0, world->now);
    check(fabs(used / (host->ram * host->np_limit) - 1) < 0.005, "at its end the pool is full");
    check(seen > 0.05 && seen < 0.95, "part of the path was seen");
    check(world_exhaustion(world, &world->incidents[0], 7, world->now, &seen) >= WORLD_NEVER,
          "a healthy host does not run out");
    world_free(world);
}

bool selftest_run(const struct tagdict *dict)
{
    check_same_bytes(dict);
    check_interface(dict);
    check_wraps(dict);
    check_labels(dict);
    check_growth(dict);
    check_density(dict);
    check_scorer();
    check_causes();
    check_numbers();
    check_exhaustion();
    printf("%zu passed, %zu failed\n", passed, failed);
    return failed == 0;
}
