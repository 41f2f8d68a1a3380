/* SPDX-License-Identifier: Apache-2.0 */
#include "server/state/contrast.h"

#include "common/clock.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A fleet of its own: attribute os.build (2 values), poolfleet.simulated, driver bad.sys (2
 * versions). */
enum { BUILD_A, BUILD_B, SIMULATED, BAD_1, BAD_2, PAIRS };
static const struct fact_name names[] = {
    {"os.build", false}, {"poolfleet.simulated", false}, {"bad.sys", true}};
static const struct fact_pair pairs[PAIRS] = {
    {0, "A"}, {0, "B"}, {1, "true"}, {2, "1.0"}, {2, "2.0"}};
static const struct fact builds[PAIRS] = {
    {.pair = 0}, {.pair = 1}, {.pair = 2}, {.pair = 3}, {.pair = 4}};

struct world {
    uint32_t facts[64][3];
    struct facts_host hosts[64];
    const struct facts_host *pointers[64];
    uint8_t sides[64];
    struct facts all;
    struct contrast_input input;
};

/* `driver` PAIRS: the host told no drivers. */
static void host(struct world *w, enum contrast_side side, uint32_t build, uint32_t driver)
{
    size_t i = w->input.count++;
    w->facts[i][0] = build;
    w->facts[i][1] = SIMULATED;
    w->facts[i][2] = driver;
    w->hosts[i] = (struct facts_host){
        .key = (int64_t)i, .facts = w->facts[i], .count = driver == PAIRS ? 2 : 3, .attributes = 2};
    w->pointers[i] = &w->hosts[i];
    w->sides[i] = (uint8_t)side;
}

static void world_start(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->all = (struct facts){names, 3, pairs, PAIRS, builds, PAIRS, NULL, 0, w->hosts, 0};
    w->input = (struct contrast_input){.facts = &w->all, .hosts = w->pointers, .sides = w->sides};
}

static const struct contrast_item *find(const struct contrast *c, const char *name,
                                        const char *value)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->items[i].name, name) == 0 &&
            (value == NULL ? c->items[i].value == NULL
                           : c->items[i].value != NULL && strcmp(c->items[i].value, value) == 0))
            return &c->items[i];
    return NULL;
}

START_TEST(contrast_bad_version_comes_first_with_its_counter_evidence)
{
    static struct world w;
    AUTO_CONTRAST struct contrast c = {0};
    world_start(&w);
    for (int i = 0; i < 10; i++)
        host(&w, CONTRAST_SELECTED, i % 2 ? BUILD_A : BUILD_B, i == 9 ? BAD_1 : BAD_2);
    for (int i = 0; i < 30; i++)
        host(&w, CONTRAST_BASELINE, i % 2 ? BUILD_A : BUILD_B, i == 0 ? BAD_2 : BAD_1);
    host(&w, CONTRAST_NEITHER, BUILD_A, BAD_2);
    ck_assert_int_eq(contrast_make(&w.input, &c, NULL), ST_OK);
    ck_assert_uint_eq(c.selected, 10);
    ck_assert_uint_eq(c.baseline, 30);
    const struct contrast_item *bad = find(&c, "bad.sys", "2.0");
    ck_assert_ptr_nonnull(bad);
    ck_assert(bad == &c.items[0] || bad == &c.items[1]);
    ck_assert_uint_eq(bad->table.with, 9);
    ck_assert_uint_eq(bad->table.other_with, 1);
    ck_assert_int_eq(bad->verdict, CONTRAST_SEPARATES);
    ck_assert(bad->separation > 0.8 && bad->ratio_range.low > 1 && bad->q < 0.001);
    /* The good version says the same from the other side. */
    const struct contrast_item *good = find(&c, "bad.sys", "1.0");
    ck_assert(good->separation < -0.8 && good->ratio < 0.5);
    const struct contrast_item *build = find(&c, "os.build", "A");
    ck_assert_int_eq(build->verdict, CONTRAST_ALIKE);
    ck_assert_ptr_null(find(&c, "poolfleet.simulated", "true"));
    const struct contrast_item *any = find(&c, "bad.sys", NULL);
    ck_assert(any != NULL && any->any && any->table.with == 10 && any->table.other_with == 30);
}
END_TEST

START_TEST(contrast_few_hosts_says_too_few)
{
    static struct world w;
    AUTO_CONTRAST struct contrast c = {0};
    world_start(&w);
    host(&w, CONTRAST_SELECTED, BUILD_A, BAD_2);
    host(&w, CONTRAST_SELECTED, BUILD_A, BAD_2);
    for (int i = 0; i < 3; i++)
        host(&w, CONTRAST_BASELINE, BUILD_A, BAD_1);
    ck_assert_int_eq(contrast_make(&w.input, &c, NULL), ST_OK);
    ck_assert_int_eq(find(&c, "bad.sys", "2.0")->verdict, CONTRAST_TOO_FEW);
    ck_assert(find(&c, "bad.sys", "2.0")->ratio_range.low < 1);
}
END_TEST

START_TEST(contrast_hosts_that_told_no_drivers_do_not_count_for_drivers)
{
    static struct world w;
    AUTO_CONTRAST struct contrast c = {0};
    world_start(&w);
    for (int i = 0; i < 8; i++)
        host(&w, CONTRAST_SELECTED, BUILD_A, BAD_2);
    for (int i = 0; i < 20; i++)
        host(&w, CONTRAST_BASELINE, BUILD_A, i < 4 ? BAD_2 : PAIRS);
    w.pointers[20] = NULL; /* and one told nothing at all */
    ck_assert_int_eq(contrast_make(&w.input, &c, NULL), ST_OK);
    const struct contrast_item *bad = find(&c, "bad.sys", "2.0");
    ck_assert_uint_eq(bad->table.other_with, 4);
    ck_assert_uint_eq(bad->table.other_without, 0);
    ck_assert_uint_eq(find(&c, "os.build", "A")->table.other_with, 19);
    ck_assert_uint_eq(c.told[1][1], 4);
}
END_TEST

START_TEST(contrast_extra_counts_every_host_that_has_one)
{
    static struct world w;
    AUTO_CONTRAST struct contrast c = {0};
    static const char *const bands[] = {"young", "old"};
    uint8_t of[64];
    world_start(&w);
    for (int i = 0; i < 40; i++) {
        of[w.input.count] = i < 10 ? 1 : i < 39 ? 0 : 9;
        host(&w, i < 10 ? CONTRAST_SELECTED : CONTRAST_BASELINE, BUILD_A, BAD_1);
    }
    struct contrast_extra extra = {"uptime", bands, 2, of};
    w.input.extras = &extra;
    w.input.extra_count = 1;
    ck_assert_int_eq(contrast_make(&w.input, &c, NULL), ST_OK);
    const struct contrast_item *old = find(&c, "uptime", "old");
    ck_assert_ptr_nonnull(old);
    ck_assert_uint_eq(old->table.with, 10);
    ck_assert_uint_eq(find(&c, "uptime", "young")->table.other_with, 29);
    ck_assert_int_eq(old->verdict, CONTRAST_SEPARATES);
}
END_TEST

Suite *contrast_suite(void);
Suite *contrast_suite(void)
{
    Suite *suite = suite_create("contrast");
    TCase *tc = tcase_create("contrast");

    tcase_add_test(tc, contrast_bad_version_comes_first_with_its_counter_evidence);
    tcase_add_test(tc, contrast_few_hosts_says_too_few);
    tcase_add_test(tc, contrast_hosts_that_told_no_drivers_do_not_count_for_drivers);
    tcase_add_test(tc, contrast_extra_counts_every_host_that_has_one);
    suite_add_tcase(suite, tc);
    return suite;
}
