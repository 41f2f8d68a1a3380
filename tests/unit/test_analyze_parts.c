/* SPDX-License-Identifier: Apache-2.0 */
/* The pieces of the analysis by themselves: statistics, cohorts, causes, forecast, names. */
#include "server/analyze/cohort.h"
#include "server/analyze/columns.h"
#include "server/analyze/explain.h"
#include "server/analyze/feature.h"
#include "server/analyze/forecast.h"
#include "server/analyze/group.h"
#include "server/analyze/wording.h"
#include "tests/support/analyze_fleet.h"

#include <check.h>
#include <math.h>
#include <string.h>

Suite *analyze_parts_suite(void);

static bool near(double a, double b, double share)
{
    return fabs(a - b) <= share * fmax(fabs(b), 1e-9);
}

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

START_TEST(robust_quantile_equals_that_of_sorted_values)
{
    uint64_t state = (uint64_t)_i + 1;
    double values[60];
    double sorted[60];
    size_t count = 1 + afleet_random(&state) % 60;
    for (size_t i = 0; i < count; i++) {
        values[i] = (double)(afleet_random(&state) % (_i % 2 ? 5 : 1000)); /* with ties */
        sorted[i] = values[i];
    }
    qsort(sorted, count, sizeof *sorted, rising);
    double q = afleet_uniform(&state);
    double place = q * (double)(count - 1);
    size_t low = (size_t)place;
    double expected = sorted[low];
    if (low + 1 < count)
        expected += (place - (double)low) * (sorted[low + 1] - sorted[low]);
    ck_assert(fabs(robust_quantile(values, count, q) - expected) < 1e-9);
    ck_assert(fabs(robust_quantile(values, count, 1) - sorted[count - 1]) < 1e-9);
    ck_assert(fabs(robust_quantile(values, count, 0) - sorted[0]) < 1e-9);
}
END_TEST

START_TEST(robust_median_of_nothing_is_unknown)
{
    double none[1] = {0};
    ck_assert(isnan(robust_median(none, 0)));
    ck_assert(isnan(robust_score(NAN, 1, 1)));
    ck_assert(robust_score(5, 5, 0) == 0);
    ck_assert(robust_score(1, 0, 0) == 1000);
    ck_assert(near(robust_score(103.5, 100, 0.6745 * 2), 1.75, 1e-9));
    ck_assert(near(robust_score(104, 100, 0), 2, 1e-9)); /* a spread of 2 % at least */
}
END_TEST

START_TEST(robust_theil_sen_finds_slope_despite_wild_values)
{
    struct robust_scratch scratch;
    struct robust_trend trend;
    double t[100];
    double y[100];
    uint64_t state = (uint64_t)_i * 17 + 3;
    double slope = (double)(_i - 10) * 3 + 0.5;
    double at = 0;
    for (size_t i = 0; i < 100; i++) {
        at += 0.1 + afleet_uniform(&state) * (i < 50 ? 6 : 0.5); /* irregular */
        t[i] = at;
        y[i] = 40 + slope * at + (afleet_uniform(&state) - 0.5);
        if (i % 7 == 0)
            y[i] += 1e4 * afleet_uniform(&state);
    }
    ck_assert(robust_theil_sen(t, y, 100, &scratch, &trend));
    ck_assert_msg(fabs(trend.slope - slope) < 0.05 * fabs(slope) + 0.05, "%f for %f", trend.slope,
                  slope);
    ck_assert(trend.slope_low <= trend.slope && trend.slope <= trend.slope_high);
    ck_assert(!robust_theil_sen(t, y, 2, &scratch, &trend));
}
END_TEST

/* The 80 % interval must hold the truth about four times in five. */
START_TEST(robust_theil_sen_interval_covers)
{
    struct robust_scratch scratch;
    struct robust_trend trend;
    size_t held = 0;
    uint64_t state = 99;
    for (size_t run = 0; run < 600; run++) {
        double t[25];
        double y[25];
        for (size_t i = 0; i < 25; i++) {
            t[i] = (double)i;
            y[i] = 2 * t[i];
            for (int k = 0; k < 6; k++)
                y[i] += 4 * (afleet_uniform(&state) - 0.5);
        }
        ck_assert(robust_theil_sen(t, y, 25, &scratch, &trend));
        held += trend.slope_low <= 2 && trend.slope_high >= 2;
    }
    ck_assert_msg(held > 600 * 0.74 && held < 600 * 0.88, "%zu of 600", held);
}
END_TEST

START_TEST(cohort_band_follows_uptime)
{
    static const struct {
        double hours;
        unsigned band;
    } rows[] = {{0, 0},  {0.99, 0}, {1, 1},   {7.9, 1}, {8, 2},
                {71, 2}, {72, 3},   {335, 3}, {336, 4}, {1e6, 4}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_uint_eq(cohort_band((int64_t)(rows[i].hours * (double)US_PER_HOUR)),
                          rows[i].band);
    ck_assert_uint_eq(cohort_band(TIME_UNKNOWN), COHORT_BAND_UNKNOWN);
}
END_TEST

START_TEST(cohort_key_names_build_role_ram_and_band)
{
    struct cohort cohort;
    cohort_key("26100.4061", "file-server", 34100000000ull, 100 * US_PER_HOUR, &cohort);
    ck_assert_str_eq(cohort.key, "26100/file-server/32g/3-14d");
    ck_assert_str_eq(cohort.label, "build 26100, role file-server, 32 GB, up 3 to 14 days");
    cohort_key("10.0.20348.1", "a/b", 1ull << 29, 0, &cohort);
    ck_assert_str_eq(cohort.key, "20348/a_b/0.5g/0-1h");
    cohort_key(NULL, NULL, 0, TIME_UNKNOWN, &cohort);
    ck_assert_str_eq(cohort.key, "*/*/*/?");
}
END_TEST

START_TEST(cohort_key_cuts_long_texts_at_characters)
{
    struct cohort cohort;
    char role[301];
    for (size_t i = 0; i + 2 <= 300; i += 2)
        memcpy(role + i, "\xC3\xA4", 2);
    role[300] = '\0';
    cohort_key(role, role, UINT64_MAX, INT64_MAX, &cohort);
    for (const char *at = cohort.key; *at != '\0'; at++) /* pairs stay whole */
        if ((unsigned char)*at == 0xC3)
            ck_assert_uint_eq((unsigned char)at[1], 0xA4);
    ck_assert(strlen(cohort.key) < COHORT_KEY_MAX - 1);
}
END_TEST

START_TEST(cohort_with_few_peers_becomes_coarser)
{
    struct cohort_facts facts[16];
    struct cohort_choice choices[16];
    for (size_t i = 0; i < 16; i++)
        cohort_facts_set(i < 8 ? "1.1" : "2.1", i < 14 ? "web" : "lone",
                         i < 4 ? 1u << 30 : 4u << 30, 100 * US_PER_HOUR, &facts[i]);
    ck_assert(cohort_choose(facts, 16, choices) == ST_OK);
    ck_assert_int_eq(choices[0].level, COHORT_ANY_RAM); /* 8 of build 1, 4 of each size */
    ck_assert_int_eq(choices[9].level, COHORT_FULL);    /* 6 alike */
    ck_assert_int_eq(choices[15].level, COHORT_ANY_ROLE);
    ck_assert(cohort_choose(facts, 4, choices) == ST_OK);
    ck_assert_int_eq(choices[0].level, COHORT_LEVEL_COUNT);
}
END_TEST

START_TEST(explain_fisher_matches_known_values)
{
    ck_assert(near(explain_fisher(3, 1, 1, 3), 17.0 / 70, 1e-9)); /* the tea taster */
    ck_assert(near(explain_fisher(4, 0, 0, 4), 1.0 / 70, 1e-9));
    ck_assert(near(explain_fisher(0, 4, 4, 0), 1, 1e-9));
    ck_assert(near(explain_fisher(5, 0, 5, 0), 1, 1e-9));
    ck_assert(explain_fisher(19, 1, 2, 478) < 1e-25);
    ck_assert(near(explain_risk_ratio(19, 0, 2, 478), (19.5 / 22) / (0.5 / 479), 1e-9));
}
END_TEST

START_TEST(explain_adjust_is_benjamini_hochberg)
{
    double p[] = {0.001, 0.008, 0.039, 0.041, 0.6};
    static const double q[] = {0.005, 0.02, 0.05125, 0.05125, 0.6};
    explain_adjust(p, 5, 5);
    for (size_t i = 0; i < 5; i++)
        ck_assert(near(p[i], q[i], 1e-9));
}
END_TEST

static void set_total(struct snapshot_totals *totals, enum total which, double gib)
{
    totals_set(totals, which, (uint64_t)(gib * AFLEET_GIB));
}

/* A straight course of `rate` GiB an hour in nonpaged pool over 24 hours. */
static void draw_course(struct forecast_course *course, double rate)
{
    *course = (struct forecast_course){.count = 49};
    for (size_t i = 0; i < course->count; i++) {
        course->hours[i] = -24 + 0.5 * (double)i;
        course->bytes[POOL_NONPAGED][i] = (26 + course->hours[i]) * rate * AFLEET_GIB;
    }
}

static struct forecast foresee(const struct snapshot_totals *totals, int64_t now_us, double rate)
{
    struct forecast_course course;
    struct forecast forecast;
    struct forecast_input input = {totals, NAN, now_us, &course, NULL};
    draw_course(&course, rate);
    forecast_exhaustion(&input, &forecast);
    return forecast;
}

START_TEST(forecast_names_the_limit_that_comes_first)
{
    struct snapshot_totals totals = {0};
    struct forecast forecast = foresee(&totals, 0, 1);
    ck_assert(forecast.limit == NULL && forecast.p50_us == TIME_UNKNOWN);
    set_total(&totals, TOTAL_NONPAGED_BYTES, 26);
    set_total(&totals, TOTAL_NONPAGED_LIMIT_BYTES, 36);
    set_total(&totals, TOTAL_COMMIT_BYTES, 30);
    set_total(&totals, TOTAL_COMMIT_LIMIT_BYTES, 60);
    forecast = foresee(&totals, 0, 1);
    ck_assert_str_eq(forecast.limit, "nonpaged_limit");
    ck_assert(llabs(forecast.p50_us - 10 * US_PER_HOUR) < US_PER_HOUR);
    ck_assert(forecast.p10_us <= forecast.p50_us && forecast.p50_us <= forecast.p90_us);
    set_total(&totals, TOTAL_COMMIT_BYTES, 58);
    ck_assert_str_eq(foresee(&totals, 0, 1).limit, "commit");
    set_total(&totals, TOTAL_COMMIT_BYTES, 70); /* over it already */
    ck_assert(foresee(&totals, 5, 1).p50_us == 5);
    totals.known &= ~(1u << TOTAL_COMMIT_BYTES);
    ck_assert(foresee(&totals, 0, 1e-6).limit == NULL); /* years away */
}
END_TEST

START_TEST(finding_names_are_read_back)
{
    for (int i = 0; i < FINDING_KIND_COUNT; i++) {
        enum finding_kind kind;
        ck_assert(finding_kind_parse(finding_kind_name((enum finding_kind)i), &kind));
        ck_assert_int_eq(kind, i);
    }
    enum finding_severity severity;
    enum finding_status status;
    ck_assert(finding_severity_parse("critical", &severity) && severity == SEVERITY_CRITICAL);
    ck_assert(finding_status_parse("muted", &status) && status == FINDING_MUTED);
    ck_assert(!finding_status_parse("Muted", &status));
    ck_assert(!finding_severity_parse("", &severity));
    ck_assert(finding_kind_name(FINDING_KIND_COUNT) == NULL);
    ck_assert_str_eq(finding_kind_name(FINDING_HANDLE_LEAK), "handle_leak");
}
END_TEST

/* The sentence is stored and read later: a near end is a time of the day, not a span from now. */
START_TEST(wording_summary_near_end_is_told_by_its_time)
{
    static const struct {
        double hours;
        const char *says;
    } cases[] = {{0.15, "; about 2023-11-14 22:22 UTC the nonpaged pool is full"},
                 {30, "; about 2023-11-16 04:13 UTC the nonpaged pool is full"},
                 {-1, "; by now the nonpaged pool is full"},
                 {15 * 24, "; in 15 days the nonpaged pool is full"}};
    int64_t now = 1700000000ll * US_PER_SECOND; /* 2023-11-14 22:13:20 */
    uint32_t tags[] = {1};
    struct finding_host host = {.name = "A",
                                .rate_bytes_per_hour = NAN,
                                .limit = "nonpaged_limit",
                                .exhausts_p50_us =
                                    now + (int64_t)(cases[_i].hours * 3600) * US_PER_SECOND};
    struct finding finding = {.kind = FINDING_LEAK,
                              .tag = 1,
                              .tags = tags,
                              .tag_count = 1,
                              .hosts = &host,
                              .host_count = 1};
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    wording_summary(&text, &finding, 5, now);
    ck_assert_msg(strstr(text.data, cases[_i].says) != NULL, "%s", text.data);
}
END_TEST

START_TEST(wording_says_sizes_and_times)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    wording_bytes(&text, 512);
    strbuf_putc(&text, ' ');
    wording_bytes(&text, 21.4 * AFLEET_GIB);
    strbuf_putc(&text, ' ');
    wording_hours(&text, 0.5);
    strbuf_putc(&text, ' ');
    wording_hours(&text, 300);
    strbuf_putc(&text, ' ');
    wording_tag(&text, afleet_tag("\x01"
                                  "a\"b"));
    ck_assert_str_eq(text.data, "512 bytes 21.4 GB 30 minutes 12 days \"\\x01a\"b\"");
}
END_TEST

/* One row's shape from invented values. */
static enum feature_shape shape_of(double (*value)(double hours, uint64_t *state), uint64_t seed,
                                   double span, struct feature *ret_feature)
{
    static struct feature_scratch scratch;
    double hours[64];
    double bytes[64];
    double unknown[64];
    uint16_t boot[64] = {0};
    size_t count = 60;
    uint64_t state = seed;
    for (size_t i = 0; i < count; i++) {
        hours[i] = -span * (double)(count - 1 - i) / (double)(count - 1);
        bytes[i] = value(hours[i], &state);
        unknown[i] = NAN;
    }
    struct series series = {count, 0, hours, bytes, unknown, unknown, unknown, unknown, boot, 500};
    feature_extract(&series, 32e9, &scratch, ret_feature);
    return (enum feature_shape)ret_feature->shape;
}

static double leak(double hours, uint64_t *state)
{
    return 20e6 + 5e6 * (hours + 100) + 3e6 * afleet_uniform(state);
}

static double cache(double hours, uint64_t *state)
{
    return 900e6 * (1 - exp(-(hours + 100) / 25)) + 5e6 * afleet_uniform(state);
}

static double cycle(double hours, uint64_t *state)
{
    return 200e6 + 150e6 * sin(hours / 24 * 2 * 3.14159265) + 5e6 * afleet_uniform(state);
}

static double jump(double hours, uint64_t *state)
{
    return (hours < -40 ? 50e6 : 400e6) + 1e6 * afleet_uniform(state);
}

static double still(double hours, uint64_t *state)
{
    (void)hours;
    return 300e6 + 100 * afleet_uniform(state);
}

START_TEST(feature_shape_is_told_from_the_course)
{
    static const struct {
        double (*value)(double hours, uint64_t *state);
        enum feature_shape shape;
    } rows[] = {{leak, SHAPE_GROWING},
                {cache, SHAPE_SATURATING},
                {cycle, SHAPE_CYCLE},
                {jump, SHAPE_STEP},
                {still, SHAPE_FLAT}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct feature feature;
        enum feature_shape shape = shape_of(rows[i].value, (uint64_t)_i + 1, 100, &feature);
        ck_assert_msg(shape == rows[i].shape, "row %zu seed %d: shape %d", i, _i, (int)shape);
        if (rows[i].shape == SHAPE_GROWING)
            ck_assert(near((double)feature.rate, 5e6, 0.05));
    }
}
END_TEST

/* An earlier boot of `hours` hours up to an hour ago, and one point of this one. */
static uint8_t flags_after_boot(double (*value)(double age), double hours)
{
    static struct feature_scratch scratch;
    double at[32];
    double bytes[32];
    double unknown[32];
    uint16_t boot[32] = {0};
    struct feature feature;
    size_t count = 30;
    for (size_t i = 0; i < count; i++) {
        double age = hours * (double)i / (double)(count - 2);
        at[i] = age - hours - 1;
        bytes[i] = value(age);
        unknown[i] = NAN;
    }
    at[count - 1] = 0;
    bytes[count - 1] = value(0);
    boot[count - 1] = 1;
    /* A boot before it, so that its beginning was seen. */
    boot[0] = 2;
    struct series series = {count,   count - 1, at,      bytes, unknown,
                            unknown, unknown,   unknown, boot,  0.5};
    feature_extract(&series, 32e9, &scratch, &feature);
    return feature.flags & (FEATURE_ROSE | FEATURE_SLOWED);
}

static double fills(double age)
{
    return 1e6 + 200e6 * age / (age + 20);
}

static double leaks(double age)
{
    return 1e6 + 5e6 * age;
}

static double holds(double age)
{
    return 100e6 + 0.1e6 * age;
}

START_TEST(feature_boot_that_filled_up_is_told_from_one_that_leaked)
{
    ck_assert_uint_eq(flags_after_boot(fills, 60), FEATURE_ROSE | FEATURE_SLOWED);
    ck_assert_uint_eq(flags_after_boot(leaks, 60), FEATURE_ROSE);
    ck_assert_uint_eq(flags_after_boot(holds, 60), 0);
    ck_assert_uint_eq(flags_after_boot(fills, 4), 0); /* too short to tell */
}
END_TEST

START_TEST(group_object_type_knows_object_tags)
{
    ck_assert_str_eq(group_object_type(afleet_tag("Thre")), "Thread");
    ck_assert_str_eq(group_object_type(afleet_tag("Key ")), "Key");
    ck_assert(group_object_type(afleet_tag("thre")) == NULL);
}
END_TEST

static bool is_large(const struct fleet_host *host, const struct feature *feature)
{
    return (double)feature->bytes > host->ram;
}

/* Ten thousand rows, so that the index grows; every third tag is large on one host. */
START_TEST(columns_have_wanted_rows_in_order_with_all_their_features)
{
    enum { HOSTS = 3, ROWS = 10000 };
    static struct feature features[HOSTS][ROWS];
    struct fleet_host hosts[HOSTS];
    struct fleet fleet = {.hosts = hosts, .count = HOSTS};
    AUTO_COLUMNS struct columns columns = {0};
    for (size_t h = 0; h < HOSTS; h++) {
        hosts[h] = (struct fleet_host){.ram = 5, .features = features[h], .feature_count = ROWS};
        for (size_t i = 0; i < ROWS; i++)
            features[h][i] = (struct feature){.tag = (uint32_t)(i % 5000 * 70001),
                                              .pool = (uint8_t)(i / 5000),
                                              .bytes = i % 3 == 0 && h == 1 ? 6 : 4};
    }
    ck_assert_int_eq(columns_make(&fleet, is_large, &columns), ST_OK);
    ck_assert_uint_eq(columns.count, 3334);
    for (size_t c = 0; c < columns.count; c++) {
        const struct column *column = &columns.items[c];
        const struct column *before = c == 0 ? NULL : column - 1;
        ck_assert_uint_eq(column->count, HOSTS);
        ck_assert_uint_eq(column->first, c * HOSTS);
        ck_assert(before == NULL || before->pool < column->pool ||
                  (before->pool == column->pool && tag_compare(before->tag, column->tag) < 0));
        for (size_t h = 0; h < HOSTS; h++) {
            const struct feature *feature = columns.features[column->first + h];
            ck_assert_uint_eq(columns.hosts[column->first + h], h);
            ck_assert(feature >= features[h] && feature < features[h] + ROWS);
            ck_assert(feature->tag == column->tag && feature->pool == (uint8_t)column->pool);
        }
    }
}
END_TEST

Suite *analyze_parts_suite(void)
{
    Suite *suite = suite_create("analyze_parts");
    TCase *parts = tcase_create("parts");
    tcase_set_timeout(parts, 30);
    tcase_add_loop_test(parts, robust_quantile_equals_that_of_sorted_values, 0, 40);
    tcase_add_test(parts, robust_median_of_nothing_is_unknown);
    tcase_add_test(parts, columns_have_wanted_rows_in_order_with_all_their_features);
    tcase_add_loop_test(parts, robust_theil_sen_finds_slope_despite_wild_values, 0, 20);
    tcase_add_test(parts, robust_theil_sen_interval_covers);
    tcase_add_test(parts, cohort_band_follows_uptime);
    tcase_add_test(parts, cohort_key_names_build_role_ram_and_band);
    tcase_add_test(parts, cohort_key_cuts_long_texts_at_characters);
    tcase_add_test(parts, cohort_with_few_peers_becomes_coarser);
    tcase_add_test(parts, explain_fisher_matches_known_values);
    tcase_add_test(parts, explain_adjust_is_benjamini_hochberg);
    tcase_add_test(parts, forecast_names_the_limit_that_comes_first);
    tcase_add_test(parts, finding_names_are_read_back);
    tcase_add_test(parts, wording_says_sizes_and_times);
    tcase_add_loop_test(parts, wording_summary_near_end_is_told_by_its_time, 0, 4);
    tcase_add_loop_test(parts, feature_shape_is_told_from_the_course, 0, 20);
    tcase_add_test(parts, feature_boot_that_filled_up_is_told_from_one_that_leaked);
    tcase_add_test(parts, group_object_type_knows_object_tags);
    suite_add_tcase(suite, parts);
    return suite;
}
