/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/core with everything going wrong at once: lost, doubled and cut requests, power cuts at
 * every step of the disk, restarts, reboots, sleep and wrong clocks. The server's ledger tells
 * whether every snapshot is there once, whole, or counted as lost.
 */
#include "tests/support/agent_world.h"

#include <check.h>

Suite *agent_faults_suite(void);

#define S       US_PER_SECOND
#define MINUTES US_PER_MINUTE
#define HOURS   US_PER_HOUR

static struct world *world;

static void setup(void)
{
    world = malloc(sizeof *world);
    agent_world_init(world, 1);
}

static void teardown(void)
{
    agent_world_done(world);
    free(world);
}

static struct agent_summary summary(void)
{
    struct agent_summary s = {0};
    struct err err = {0};
    ck_assert_int_eq(agent_summarize(&world->disk.files, world_vault(), &s, &err), ST_OK);
    return s;
}

static void no_fault(void)
{
    ck_assert_msg(world->fault[0] == '\0', "%s", world->fault);
}

static void check_ledger(bool exact)
{
    no_fault();
    for (int64_t i = 0; i < world->next_serial; i++)
        ck_assert_uint_le(world->samples[i].stored, world->samples[i].restored ? 2 : 1);
    uint64_t missing = world_missing(world);
    uint64_t dropped = summary().dropped;
    ck_assert_msg(missing <= dropped, "%u promised snapshots are missing, %u are counted",
                  (unsigned)missing, (unsigned)dropped);
    if (exact)
        ck_assert_uint_eq(missing, dropped);
}

static void random_faults(bool cuts)
{
    static const unsigned levels[] = {0, 0, 5, 30, 80};
    world->lose_request = levels[world_random(world, 5)];
    world->lose_answer = levels[world_random(world, 5)];
    world->busy = levels[world_random(world, 5)];
    world->garbage = levels[world_random(world, 3)];
    world->late_repeat = levels[world_random(world, 4)];
    world->server_down = world_random(world, 4) == 0;
    if (world_random(world, 6) == 0)
        world->wall_error_us = ((int64_t)world_random(world, 40) - 20) * US_PER_DAY / 7;
    if (!cuts && world_random(world, 20) == 0)
        world_restore(world, world->document_count * 2 / 3);
    if (world_random(world, 8) == 0)
        world->want_full = world->want_drivers = true;
}

static void random_turn(bool cuts)
{
    uint64_t which = world_random(world, 12);
    if (cuts && which < 6) {
        world->disk.cut_at = world->disk.step + 1 + world_random(world, 400);
    } else if (which == 7 || which == 8) {
        which == 7 ? world_stop(world) : world_kill(world);
        if (!world->disk.dead)
            world_start(world);
    } else if (which == 9) {
        world_reboot(world, (int64_t)world_random(world, 600) * S);
        world_start(world);
    } else if (which == 10) {
        agent_sample_now(world->agent);
    } else {
        world_sleep(world, (int64_t)world_random(world, 3) * HOURS);
    }
    if (world->agent != NULL)
        world_run(world, (int64_t)world_random(world, 180) * MINUTES);
    if (world->disk.dead || world->agent == NULL) {
        world_reboot(world, 100 * S);
        world_start(world);
    }
}

static void random_life(uint64_t seed, bool cuts, bool small)
{
    agent_world_done(world);
    agent_world_init(world, seed);
    if (small)
        world->options.spool_bytes = 30000;
    world_start(world);
    for (int turn = 0; turn < 40 && world->fault[0] == '\0'; turn++) {
        random_faults(cuts);
        random_turn(cuts);
    }
    world->lose_request = world->lose_answer = world->busy = world->garbage = 0;
    world->late_repeat = 0;
    world->server_down = false;
    world->wall_error_us = 0;
    world->disk.cut_at = 0;
    agent_sample_now(world->agent);
    world_drain(world, 10 * HOURS);
    agent_sample_now(world->agent);
    world_drain(world, 10 * HOURS);
    ck_assert_msg(world->fault[0] == '\0', "seed %u: %s", (unsigned)seed, world->fault);
    ck_assert_msg(agent_idle(world->agent), "seed %u: not drained", (unsigned)seed);
    ck_assert_int_gt(world->next_serial, 200);
    world_stop(world);
}

START_TEST(random_life_without_power_cuts_accounts_for_every_snapshot)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        random_life(100 * (uint64_t)_i + seed, false, _i % 2 == 1);
        check_ledger(false);
    }
}
END_TEST

START_TEST(random_life_with_power_cuts_loses_and_doubles_nothing)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        random_life(9000 + 100 * (uint64_t)_i + seed, true, _i % 2 == 1);
        no_fault();
        for (int64_t i = 0; i < world->next_serial; i++)
            ck_assert_uint_le(world->samples[i].stored, 1);
        uint64_t dropped = summary().dropped;
        ck_assert_uint_le(world_missing(world), dropped);
    }
}
END_TEST

/* One day with an outage, an overflow and a restart of the server, cut at each step of the disk. */
static void script(void)
{
    world->options.spool_bytes = 9000;
    world->options.interval_us = 300 * S;
    world_start(world);
    world_run(world, 20 * MINUTES);
    world->server_down = true;
    world_run(world, 90 * MINUTES);
    world->server_down = false;
    world->lose_answer = 50;
    world_run(world, 60 * MINUTES);
    world->lose_answer = 0;
}

START_TEST(power_cut_at_every_step_of_a_day_loses_and_doubles_nothing)
{
    script();
    uint64_t steps = world->disk.step;
    ck_assert_uint_gt(steps, 300);
    ck_assert_uint_gt(summary().dropped, 0);
    for (uint64_t k = 1 + (uint64_t)_i; k <= steps; k += 4) {
        agent_world_done(world);
        agent_world_init(world, 7);
        world->disk.cut_at = k;
        world->disk.random = k;
        script();
        if (!world->disk.dead)
            ck_abort_msg("no cut at step %u", (unsigned)k);
        world_reboot(world, 60 * S);
        world_start(world);
        world_run(world, 30 * MINUTES);
        world_drain(world, 5 * HOURS);
        ck_assert_msg(world->fault[0] == '\0', "cut at %u: %s", (unsigned)k, world->fault);
        for (int64_t i = 0; i < world->next_serial; i++) {
            if (world->samples[i].stored > 1)
                ck_abort_msg("cut at %u: doubled", (unsigned)k);
        }
        uint64_t dropped = summary().dropped;
        if (world_missing(world) > dropped)
            ck_abort_msg("cut at %u: %u missing, %u counted", (unsigned)k,
                         (unsigned)world_missing(world), (unsigned)dropped);
        if (dropped > world_absent(world) + world->disk.returned)
            ck_abort_msg("cut at %u: %u counted, %u absent", (unsigned)k, (unsigned)dropped,
                         (unsigned)world_absent(world));
        if (world->enrolments > 2)
            ck_abort_msg("cut at %u: %u enrolments", (unsigned)k, world->enrolments);
    }
}
END_TEST

static TCase *world_case(Suite *suite, const char *name)
{
    TCase *tc = tcase_create(name);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    suite_add_tcase(suite, tc);
    return tc;
}

Suite *agent_faults_suite(void)
{
    Suite *suite = suite_create("agent_faults");
    TCase *all = world_case(suite, "everything");
    tcase_add_loop_test(all, random_life_without_power_cuts_accounts_for_every_snapshot, 0, 4);
    tcase_add_loop_test(all, random_life_with_power_cuts_loses_and_doubles_nothing, 0, 4);
    tcase_add_loop_test(all, power_cut_at_every_step_of_a_day_loses_and_doubles_nothing, 0, 4);
    return suite;
}
