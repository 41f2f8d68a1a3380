/* SPDX-License-Identifier: Apache-2.0 */
/* Two machines under one identity, seen by ingest; and everything that looks alike and is none. */
#include "server/ingest/ingest.h"
#include "tests/support/fleetgen.h"
#include "tests/support/pg.h"

#include <check.h>

#include <string.h>

Suite *identity_suite(void);

#define T0 (1700000000ll * US_PER_SECOND)

static struct pg pg;
static struct fleet *fleet;
static struct ingest *ingest;

static void setup(void)
{
    struct ingest_options options = {.queue_bytes = 64u << 20, .keyframe_us = US_PER_HOUR};
    struct err err = {0};
    pg_setup(&pg);
    fleet = fleet_new();
    pg_sql(&pg, "INSERT INTO host (id, first_seen_at, last_seen_at, received_at)"
                " VALUES ('h1', now(), now(), now())");
    ck_assert_msg(ingest_start(pg.pool, fleet, &options, &ingest, &err) == ST_OK, "%s",
                  err.message);
}

static void teardown(void)
{
    ingest_stop(ingest);
    fleet_free(fleet);
    pg_teardown(&pg);
}

/* Boots by letter, an hour apart from 'A' on; all times in minutes after T0. */
static int64_t boot_us(char boot)
{
    return T0 + (boot - 'A') * US_PER_HOUR;
}

static struct snapshot *document(char boot, int64_t minute)
{
    struct rng rng = {(uint64_t)minute + 17};
    int64_t taken = T0 + minute * US_PER_MINUTE;
    int64_t sequence = (taken - boot_us(boot)) / US_PER_SECOND;
    struct snapshot *s =
        gen_snapshot("h1", boot_us(boot), taken, sequence < 0 ? minute : sequence, -1);
    gen_table(&rng, &s->arena, &s->table[POOL_PAGED], 3, COLUMN_ALL);
    return s;
}

/* What comes of a row of posts, one letter each: accepted, duplicate, clone, other. */
static void posts(const char *boots, const int64_t *minutes, const char *expected, const char *role)
{
    char got[64] = "";
    for (size_t i = 0; boots[i] != '\0'; i++) {
        struct snapshot *s = document(boots[i], minutes[i]);
        struct outcome outcome = {0};
        ck_assert_int_eq(gen_send(ingest, &s, 1, role, &outcome), ST_OK);
        got[i] = outcome.outcome == INGEST_ACCEPTED    ? 'a'
                 : outcome.outcome == INGEST_DUPLICATE ? 'd'
                 : outcome.err.code == ST_UNAUTHORIZED ? 'c'
                                                       : 'x';
    }
    ck_assert_str_eq(got, expected);
}

static int64_t marked(char boot)
{
    char sql[160];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM host_clone WHERE boot_at = to_timestamp(%lld)",
             (long long)(boot_us(boot) / US_PER_SECOND));
    return pg_number(&pg, sql);
}

static void check_newest(char boot, int64_t minute)
{
    const struct host_state *state = fleet_get(fleet, "h1");
    ck_assert_ptr_nonnull(state);
    ck_assert_int_eq(state->boot_at_us, boot_us(boot));
    ck_assert_int_eq(state->taken_at_us, T0 + minute * US_PER_MINUTE);
    host_state_release(state);
}

static const struct {
    const char *what;
    const char *boots;
    int64_t minutes[12];
    const char *expected;
    const char *marked; /* boots; the others are not */
    char newest;
    int64_t newest_minute;
} rows[] = {
    {"alternating", "ABABAB", {100, 101, 105, 106, 110, 111}, "aaacac", "B", 'A', 110},
    {"copy with a slow clock", "ABABA", {100, 80, 105, 85, 110}, "aaaca", "B", 'A', 110},
    {"copy of an older boot", "BABAB", {100, 101, 105, 106, 110}, "aaaca", "A", 'B', 110},
    {"three in turn", "ABCABCA", {100, 125, 130, 131, 132, 133, 136}, "aaaaaca", "BC", 'A', 136},
    {"next copy after one was marked",
     "ABABCAC",
     {100, 101, 105, 106, 121, 125, 126},
     "aaacaac",
     "BC",
     'A',
     125},
    {"reboot", "AAB", {10, 20, 61}, "aaa", "", 'B', 61},
    {"reboot, then what was spooled", "ABAAB", {10, 61, 50, 59, 65}, "aaaaa", "", 'B', 65},
    {"two reboots, then what was spooled", "ACABC", {10, 125, 50, 100, 130}, "aaaaa", "", 'C', 130},
    {"clock set back in one boot", "AAAA", {10, 50, 20, 55}, "aaaa", "", 'A', 55},
    {"clock set back over a reboot", "CBBB", {150, 80, 85, 160}, "aaaa", "", 'B', 160},
    {"clock set back, then a reboot", "CBBDD", {150, 80, 130, 181, 190}, "aaaaa", "", 'D', 190},
    {"copy of an older boot with a slow clock",
     "BABABAB",
     {100, 50, 105, 61, 110, 65, 111},
     "aaaaaca",
     "A",
     'B',
     111},
    {"sent again after a reboot", "AABAA", {10, 20, 61, 10, 20}, "aaadd", "", 'B', 61},
    {"marked boot sends again what is held", "ABAB", {100, 101, 105, 101}, "aaac", "B", 'A', 105},
};

START_TEST(posts_of_boots_tell_copies_from_reboots)
{
    posts(rows[_i].boots, rows[_i].minutes, rows[_i].expected, "h1");
    for (char boot = 'A'; boot <= 'D'; boot++)
        ck_assert_msg(marked(boot) == (strchr(rows[_i].marked, boot) != NULL), "%s: %c",
                      rows[_i].what, boot);
    check_newest(rows[_i].newest, rows[_i].newest_minute);
}
END_TEST

START_TEST(back_fill_by_others_is_never_a_copy)
{
    posts("ABABA", (const int64_t[]){100, 101, 105, 106, 110}, "aaaaa", NULL);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM host_clone"), 0);
}
END_TEST

START_TEST(copies_in_one_group_are_told_apart_too)
{
    const char boots[] = "ABAB";
    const int64_t minutes[] = {100, 101, 105, 106};
    struct snapshot *all[4];
    struct outcome outcomes[4] = {{0}};
    for (size_t i = 0; i < 4; i++)
        all[i] = document(boots[i], minutes[i]);
    ck_assert_int_eq(gen_send(ingest, all, 4, "h1", outcomes), ST_OK);
    ck_assert_int_eq(outcomes[2].outcome, INGEST_ACCEPTED);
    ck_assert_int_eq(outcomes[3].outcome, INGEST_REJECTED);
    ck_assert_int_eq(marked('B'), 1);
    check_newest('A', 105);
}
END_TEST

START_TEST(copy_stays_refused_by_another_server)
{
    struct ingest_options options = {.queue_bytes = 1u << 20, .keyframe_us = US_PER_HOUR};
    struct fleet *other_fleet = fleet_new();
    struct ingest *other = NULL;
    posts("ABA", (const int64_t[]){100, 101, 105}, "aaa", "h1");
    ck_assert_int_eq(ingest_start(pg.pool, other_fleet, &options, &other, NULL), ST_OK);
    struct snapshot *s = document('B', 106);
    struct outcome outcome = {0};
    ck_assert_int_eq(gen_send(other, &s, 1, "h1", &outcome), ST_OK);
    ck_assert_int_eq(outcome.err.code, ST_UNAUTHORIZED);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM snapshot"), 3);
    ingest_stop(other);
    fleet_free(other_fleet);
}
END_TEST

Suite *identity_suite(void)
{
    Suite *suite = suite_create("identity");
    TCase *tc = tcase_create("identity");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, posts_of_boots_tell_copies_from_reboots, 0,
                        (int)(sizeof rows / sizeof rows[0]));
    tcase_add_test(tc, back_fill_by_others_is_never_a_copy);
    tcase_add_test(tc, copies_in_one_group_are_told_apart_too);
    tcase_add_test(tc, copy_stays_refused_by_another_server);
    suite_add_tcase(suite, tc);
    return suite;
}
