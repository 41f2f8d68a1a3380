/* SPDX-License-Identifier: Apache-2.0 */
#include "common/clock.h"
#include "server/state/view.h"

#include "common/cleanup.h"
#include "server/analyze/robust.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

Suite *view_suite(void);

#define BOOT (100 * US_PER_DAY)
#define NOW  (105 * US_PER_DAY)

struct row {
    const char *tag;
    uint64_t bytes;
};

static uint32_t tag_of(const char *text)
{
    uint32_t tag = 0;
    ck_assert(tag_parse(text, strlen(text), &tag));
    return tag;
}

/* A host with one nonpaged table; rows in the order of their u32. */
static void publish(struct fleet *fleet, int64_t key, const char *id, const char *role,
                    const struct row *rows, size_t count, bool counted)
{
    struct snapshot snapshot;
    struct snapshot_attribute attributes[] = {{"os.build", "26100.1"}, {"role", role}};
    struct host_state *host = NULL;

    snapshot_init(&snapshot);
    snapshot.host_id = id;
    snapshot.has_attributes = true;
    snapshot.attributes = attributes;
    snapshot.attribute_count = 2;
    snapshot.boot_at_us = BOOT;
    snapshot.taken_at_us = NOW + key;
    snapshot.sequence = 1;
    snapshot.base = SEQUENCE_UNKNOWN;
    ck_assert_int_eq(snapshot_table_alloc(&snapshot.arena, &snapshot.table[POOL_NONPAGED], count,
                                          counted ? COLUMN_ALL : COLUMN_BYTES),
                     ST_OK);
    for (size_t i = 0; i < count; i++) {
        struct snapshot_table *table = &snapshot.table[POOL_NONPAGED];
        table->tag[i] = tag_of(rows[i].tag);
        table->bytes[i] = rows[i].bytes;
        if (counted) {
            table->allocs[i] = 5;
            table->frees[i] = UINT32_MAX; /* wrapped: 6 are outstanding */
        }
    }
    ck_assert_int_eq(snapshot_table_sort(&snapshot.table[POOL_NONPAGED], NULL), ST_OK);
    ck_assert_int_eq(host_state_new(key, &snapshot, NULL, &host, NULL), ST_OK);
    fleet_publish(fleet, host);
    snapshot_done(&snapshot);
}

static struct fleet_view *view_of(struct fleet *fleet)
{
    struct fleet_list list = {0};
    struct fleet_view *view = NULL;

    ck_assert_int_eq(fleet_list(fleet, &list), ST_OK);
    ck_assert_int_eq(fleet_view_new(&list, &view, NULL), ST_OK);
    return view;
}

START_TEST(view_empty_fleet_has_nothing)
{
    struct fleet *fleet = fleet_new();
    struct fleet_view *view = view_of(fleet);

    ck_assert_uint_eq(view->tag_count, 0);
    ck_assert_uint_eq(view->cohort_count, 0);
    ck_assert(view->as_of_us == TIME_UNKNOWN);
    ck_assert(fleet_view_tag(view, POOL_PAGED, 1) == VIEW_NONE);
    ck_assert(fleet_view_host(view, "x") == VIEW_NONE);
    ck_assert_ptr_null(fleet_view_cohort(view, 0));
    fleet_view_release(view);
    fleet_free(fleet);
}
END_TEST

START_TEST(view_totals_and_spread_over_the_fleet)
{
    struct fleet *fleet = fleet_new();
    const struct row first[] = {{"Aaaa", 100}, {"Bbbb", 7}};
    const struct row second[] = {{"Aaaa", 300}};
    const struct row third[] = {{"Aaaa", 200}};

    publish(fleet, 1, "h1", "web", first, 2, true);
    publish(fleet, 2, "h2", "web", second, 1, true);
    publish(fleet, 3, "h3", "db", third, 1, false);
    struct fleet_view *view = view_of(fleet);
    ck_assert_uint_eq(view->tag_count, 2);
    const struct view_tag *tag = &view->tags[fleet_view_tag(view, POOL_NONPAGED, tag_of("Aaaa"))];
    ck_assert_uint_eq(tag->hosts, 3);
    ck_assert_uint_eq(tag->bytes, 600);
    ck_assert_uint_eq(tag->median_bytes, 200);
    ck_assert_uint_eq(tag->max_bytes, 300);
    ck_assert_uint_eq(tag->p99_bytes, 298);
    ck_assert_str_eq(view->list.items[tag->max_host]->id, "h2");
    ck_assert(tag->has_outstanding);
    ck_assert_uint_eq(tag->outstanding, 12); /* h3 does not say */
    ck_assert(fleet_view_tag(view, POOL_PAGED, tag_of("Aaaa")) == VIEW_NONE);
    ck_assert(view->as_of_us == NOW + 3);
    ck_assert_uint_eq(fleet_view_host(view, "h3"), 2);
    fleet_view_release(view);
    fleet_free(fleet);
}
END_TEST

START_TEST(view_hosts_are_compared_with_their_own_cohort)
{
    struct fleet *fleet = fleet_new();
    char id[16];

    for (int i = 0; i < 8; i++) {
        snprintf(id, sizeof id, "web-%d", i);
        const struct row rows[] = {{"Aaaa", i == 7 ? 100000 : 1000u + (unsigned)i}};
        publish(fleet, 1 + i, id, "web", rows, 1, true);
        snprintf(id, sizeof id, "db-%d", i);
        const struct row big[] = {{"Aaaa", 90000u + (unsigned)i}};
        publish(fleet, 20 + i, id, "db", big, 1, true);
    }
    struct fleet_view *view = view_of(fleet);
    ck_assert_uint_eq(view->cohort_count, 2);
    size_t leaky = fleet_view_host(view, "web-7"), big = fleet_view_host(view, "db-7");
    const struct view_peer *peer = fleet_view_peer(view, leaky, POOL_NONPAGED, tag_of("Aaaa"));
    ck_assert_ptr_nonnull(peer);
    ck_assert_uint_eq(peer->hosts, 8);
    ck_assert_double_eq(peer->median, 1003.5);
    ck_assert(view_peer_score(peer, 100000) > 100);
    ck_assert(fabs(view_peer_score(peer, 1003)) < 1);
    peer = fleet_view_peer(view, big, POOL_NONPAGED, tag_of("Aaaa"));
    ck_assert(fabs(view_peer_score(peer, 90007)) < 3);
    ck_assert_uint_eq(fleet_view_cohort(view, big)->hosts, 8);
    ck_assert_ptr_null(fleet_view_peer(view, big, POOL_PAGED, tag_of("Aaaa")));
    fleet_view_release(view);
    fleet_free(fleet);
}
END_TEST

START_TEST(view_few_hosts_have_no_cohort_and_no_score)
{
    struct fleet *fleet = fleet_new();
    const struct row rows[] = {{"Aaaa", 1}};

    publish(fleet, 1, "h1", "web", rows, 1, true);
    publish(fleet, 2, "h2", "web", rows, 1, true);
    struct fleet_view *view = view_of(fleet);
    ck_assert_ptr_null(fleet_view_cohort(view, 0));
    ck_assert_ptr_null(fleet_view_peer(view, 0, POOL_NONPAGED, tag_of("Aaaa")));
    ck_assert(isnan(view_peer_score(NULL, 5)));
    fleet_view_release(view);
    fleet_free(fleet);
}
END_TEST

START_TEST(view_many_tags_keep_their_places)
{
    struct fleet *fleet = fleet_new();
    size_t count = 9000; /* many slices */
    struct row *rows = calloc(count, sizeof *rows);
    char(*texts)[5] = calloc(count, sizeof *texts);

    for (size_t i = 0; i < count; i++) {
        snprintf(texts[i], sizeof texts[i], "%04zx", i);
        rows[i] = (struct row){texts[i], i + 1};
    }
    publish(fleet, 1, "h1", "web", rows, count, true);
    struct fleet_view *view = view_of(fleet);
    ck_assert_uint_eq(view->tag_count, count);
    for (size_t i = 0; i < count; i++) {
        size_t place = fleet_view_tag(view, POOL_NONPAGED, tag_of(texts[i]));
        ck_assert(place != VIEW_NONE);
        ck_assert_uint_eq(view->tags[place].bytes, i + 1);
    }
    fleet_view_release(view);
    fleet_free(fleet);
    free(rows);
    free(texts);
}
END_TEST

START_TEST(view_cache_shows_a_small_fleet_as_it_is)
{
    struct fleet *fleet = fleet_new();
    struct fleet_view_cache *cache = NULL;
    struct fleet_view *first = NULL, *again = NULL, *later = NULL;
    const struct row rows[] = {{"Aaaa", 1}};
    const struct row more[] = {{"Aaaa", 2}, {"Bbbb", 2}};

    clock_fake_set(US_PER_DAY); /* small is what takes no time, also where processors are scarce */
    ck_assert_int_eq(fleet_view_cache_new(fleet, &cache, NULL), ST_OK);
    publish(fleet, 1, "h1", "web", rows, 1, true);
    ck_assert_int_eq(fleet_view_get(cache, &first, NULL), ST_OK);
    ck_assert_uint_eq(first->tag_count, 1);
    ck_assert_int_eq(fleet_view_get(cache, &again, NULL), ST_OK);
    ck_assert_ptr_eq(first, again);
    publish(fleet, 2, "h2", "web", more, 2, true);
    ck_assert_int_eq(fleet_view_get(cache, &later, NULL), ST_OK);
    ck_assert_ptr_ne(first, later);
    ck_assert_uint_eq(later->tag_count, 2);
    ck_assert_uint_eq(first->tag_count, 1);
    fleet_view_cache_free(cache); /* views outlive it */
    ck_assert_uint_eq(first->list.count, 1);
    fleet_view_release(first);
    fleet_view_release(again);
    fleet_view_release(later);
    fleet_free(fleet);
    clock_fake_set(TIME_UNKNOWN);
}
END_TEST

START_TEST(view_worst_is_the_row_that_stands_out_and_matters)
{
    struct fleet *fleet = fleet_new();
    char id[16];

    for (int i = 0; i < 8; i++) {
        /* Tiny: far out on host 6, but a few bytes. Good: far out on host 7, and much. */
        uint64_t spread = 1000u + (unsigned)i;
        const struct row rows[] = {{"Good", spread + (i == 7 ? 2u * VIEW_MATTERS_BYTES : 0)},
                                   {"Tiny", spread + (i == 6 ? VIEW_MATTERS_BYTES / 2 : 0)}};
        snprintf(id, sizeof id, "web-%d", i);
        publish(fleet, 1 + i, id, "web", rows, 2, true);
    }
    struct fleet_view *view = view_of(fleet);
    const struct view_worst *worst = &view->host_worst[fleet_view_host(view, "web-7")];
    ck_assert_uint_eq(worst->tag, fleet_view_tag(view, POOL_NONPAGED, tag_of("Good")));
    ck_assert(worst->score > 100);
    worst = &view->host_worst[fleet_view_host(view, "web-6")];
    ck_assert_uint_eq(worst->tag, VIEW_NONE);
    ck_assert(isnan(worst->score));
    fleet_view_release(view);
    fleet_free(fleet);
}
END_TEST

/* ---- against the same figures made the plain way --------------------------- */

#define PLAIN_HOSTS 40
#define PLAIN_TAGS  2600 /* more than two slices */

static uint32_t random_next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Hosts of three roles and many uptimes, each with a third of the tags, some over 4 GiB. */
static struct fleet *random_fleet(uint32_t *state)
{
    struct fleet *fleet = fleet_new();
    static const char *const roles[] = {"web", "db", "lone"};
    size_t hosts = 1 + random_next(state) % PLAIN_HOSTS;
    struct row *rows = calloc(PLAIN_TAGS, sizeof *rows);
    static char texts[PLAIN_TAGS][5];

    for (size_t i = 0; i < PLAIN_TAGS; i++)
        snprintf(texts[i], sizeof texts[i], "%04zx", i);
    for (size_t h = 0; h < hosts; h++) {
        char id[24];
        size_t count = 0;
        for (size_t i = 0; i < PLAIN_TAGS; i++) {
            uint64_t bytes = random_next(state) % (1u << 20);
            if (random_next(state) % 3 == 0)
                rows[count++] = (struct row){texts[i], bytes % 50 == 0 ? bytes << 16 : bytes};
        }
        snprintf(id, sizeof id, "h%02u", (unsigned)h);
        int64_t uptime = (int64_t)(random_next(state) % 20) * US_PER_DAY;
        publish(fleet, (int64_t)h + 1 + uptime, id, roles[random_next(state) % 7 / 3], rows, count,
                random_next(state) % 4 != 0);
    }
    free(rows);
    return fleet;
}

static void check_tag(const struct fleet_view *view, size_t place)
{
    const struct view_tag *tag = &view->tags[place];
    double values[PLAIN_HOSTS];
    uint64_t bytes = 0, outstanding = 0, most = 0;
    size_t count = 0, most_host = VIEW_NONE;
    struct host_row row;

    for (size_t h = 0; h < view->list.count; h++) {
        if (!host_state_find(view->list.items[h], tag->pool, tag->tag, &row))
            continue;
        values[count++] = (double)row.bytes;
        bytes += row.bytes;
        outstanding += row.columns == COLUMN_ALL ? counter_delta(row.allocs, row.frees) : 0;
        if (most_host == VIEW_NONE || row.bytes > most) {
            most = row.bytes;
            most_host = h;
        }
    }
    ck_assert_uint_gt(count, 0);
    ck_assert_uint_eq(tag->hosts, count);
    ck_assert_uint_eq(tag->bytes, bytes);
    ck_assert_uint_eq(tag->outstanding, outstanding);
    ck_assert_uint_eq(tag->max_bytes, most);
    ck_assert_uint_eq(tag->max_host, most_host);
    ck_assert_uint_eq(tag->median_bytes, (uint64_t)robust_median(values, count));
    ck_assert_uint_eq(tag->p99_bytes, (uint64_t)robust_quantile(values, count, 0.99));
}

static void check_peers(const struct fleet_view *view, const struct cohort_facts *facts,
                        enum cohort_level level, size_t host)
{
    struct view_worst worst = {NAN, VIEW_NONE};
    double values[PLAIN_HOSTS];

    for (size_t place = 0; place < view->tag_count; place++) {
        const struct view_tag *tag = &view->tags[place];
        const struct view_peer *peer =
            fleet_view_peer(view, host, tag->pool, tag->tag); /* NULL: nobody has it */
        struct host_row row;
        size_t count = 0;
        for (size_t h = 0; h < view->list.count; h++) {
            if (cohort_same(&facts[host], &facts[h], level) &&
                host_state_find(view->list.items[h], tag->pool, tag->tag, &row))
                values[count++] = (double)row.bytes;
        }
        ck_assert_uint_eq(peer == NULL ? 0 : peer->hosts, count);
        if (peer == NULL)
            continue;
        ck_assert_double_eq(peer->median, robust_median(values, count));
        ck_assert_double_eq(peer->mad, robust_mad(values, count, peer->median));
        if (!host_state_find(view->list.items[host], tag->pool, tag->tag, &row) ||
            (double)row.bytes < peer->median + VIEW_MATTERS_BYTES)
            continue;
        double score = view_peer_score(peer, row.bytes);
        if (!isnan(score) && (isnan(worst.score) || score > worst.score))
            worst = (struct view_worst){score, place};
    }
    ck_assert_uint_eq(view->host_worst[host].tag, worst.tag);
}

START_TEST(view_of_any_fleet_says_what_plain_counting_says)
{
    uint32_t state = (uint32_t)_i + 1;
    struct fleet *fleet = random_fleet(&state);
    struct fleet_view *view = view_of(fleet);
    struct cohort_facts facts[PLAIN_HOSTS];
    struct cohort_choice choices[PLAIN_HOSTS];

    for (size_t h = 0; h < view->list.count; h++) {
        const struct host_state *host = view->list.items[h];
        cohort_facts_set("26100.1", host_state_attribute(host, "role"), 0,
                         host->taken_at_us - host->boot_at_us, &facts[h]);
    }
    ck_assert_int_eq(cohort_choose(facts, view->list.count, choices), ST_OK);
    for (size_t place = 0; place < view->tag_count; place++)
        check_tag(view, place);
    for (size_t h = 0; h < view->list.count; h++) {
        if (choices[h].level == COHORT_LEVEL_COUNT)
            ck_assert_ptr_null(fleet_view_cohort(view, h));
        else
            check_peers(view, facts, choices[h].level, h);
    }
    fleet_view_release(view);
    fleet_free(fleet);
}
END_TEST

Suite *view_suite(void)
{
    Suite *suite = suite_create("view");
    TCase *tc = tcase_create("view");

    tcase_add_test(tc, view_empty_fleet_has_nothing);
    tcase_add_test(tc, view_totals_and_spread_over_the_fleet);
    tcase_add_test(tc, view_hosts_are_compared_with_their_own_cohort);
    tcase_add_test(tc, view_worst_is_the_row_that_stands_out_and_matters);
    tcase_add_test(tc, view_few_hosts_have_no_cohort_and_no_score);
    tcase_add_test(tc, view_many_tags_keep_their_places);
    tcase_add_loop_test(tc, view_of_any_fleet_says_what_plain_counting_says, 0, 12);
    tcase_add_test(tc, view_cache_shows_a_small_fleet_as_it_is);
    suite_add_tcase(suite, tc);
    return suite;
}
