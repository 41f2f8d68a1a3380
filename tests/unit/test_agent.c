/* SPDX-License-Identifier: Apache-2.0 */
/* agent/core: the life of an agent in a world that loses, refuses, lies and goes dark. */
#include "agent/core/state.h"
#include "tests/support/agent_world.h"

#include <check.h>

Suite *agent_suite(void);

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

/* An agent that has enrolled and sent its first snapshots. */
static void start_settled(void)
{
    world_start(world);
    world_run(world, 20 * MINUTES);
    no_fault();
    ck_assert(agent_enrolled(world->agent));
    ck_assert_uint_gt(world->changed, 0);
}

/* ---- the plain life */

START_TEST(fresh_agent_enrols_sends_a_complete_then_changed_rows)
{
    start_settled();
    ck_assert_uint_eq(world->enrolments, 1);
    ck_assert(!world->enrolled_with_previous);
    ck_assert_uint_eq(world->events[AGENT_EVENT_ENROLLED], 1);
    ck_assert_uint_eq(world->events[AGENT_EVENT_SERVER_AWAY], 0);
    ck_assert_uint_eq(world->duplicates, 0);
    ck_assert_uint_eq(world_absent(world), 0);
    /* One before enrolment and perhaps one before its acknowledgement. */
    ck_assert_uint_le(world->fulls, 2);
    ck_assert_str_eq(world->last_role, "file-server"); /* the setting over the source */
    ck_assert(agent_idle(world->agent));
    world_run(world, 10 * HOURS);
    no_fault();
    ck_assert_uint_le(world->fulls, 2);
    ck_assert_uint_eq(world_absent(world), 0);
    /* 5 minutes each, none skipped or made up. */
    ck_assert_int_ge(world->next_serial, 120 + 2);
    ck_assert_int_le(world->next_serial, 124 + 2);
}
END_TEST

START_TEST(no_sample_before_its_uptime)
{
    world->mono_us = 20 * S;
    world_start(world);
    world_run(world, 3 * MINUTES - 21 * S);
    ck_assert_int_eq(world->next_serial, 0);
    world_run(world, 2 * S);
    ck_assert_int_eq(world->next_serial, 1);
}
END_TEST

START_TEST(sleeping_host_skips_missed_slots)
{
    start_settled();
    int64_t before = world->next_serial;
    world_sleep(world, 26 * HOURS + 150 * S);
    world_run(world, 1 * S);
    ck_assert_int_eq(world->next_serial - before, 0); /* not at once: so would the whole fleet */
    world_run(world, 11 * MINUTES);
    ck_assert_int_ge(world->next_serial - before, 2);
    ck_assert_int_le(world->next_serial - before, 3);
    no_fault();
}
END_TEST

START_TEST(set_clock_neither_bursts_nor_starves)
{
    static const int64_t errors[] = {30 * US_PER_DAY, -300 * US_PER_DAY, 0, 5 * MINUTES};
    start_settled();
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        int64_t before = world->next_serial;
        world->wall_error_us = errors[i];
        world_run(world, 2 * HOURS);
        no_fault();
        ck_assert_int_ge(world->next_serial - before, 23);
        ck_assert_int_le(world->next_serial - before, 25);
    }
    /* Those of the future are refused by the server and counted; the others all arrive. */
    ck_assert_uint_gt(world->future, 0);
    ck_assert_uint_eq(world_absent(world), world->future);
    ck_assert_int_eq(world->last_dropped, (int64_t)world->future);
    ck_assert_uint_ge(world->events[AGENT_EVENT_REFUSED], 1);
}
END_TEST

START_TEST(drivers_are_sent_when_changed_wanted_and_daily)
{
    start_settled();
    world_run(world, HOURS);
    ck_assert(!world->last_had_drivers);
    world->inventory_changed = true;
    world_run(world, 5 * MINUTES + 4 * S);
    ck_assert(world->last_had_drivers && world->last_had_attributes);
    world_run(world, HOURS);
    ck_assert(!world->last_had_drivers);
    world->want_drivers = true; /* told in the next answer, done in the sample after it */
    world_run(world, 10 * MINUTES + 4 * S);
    ck_assert(world->last_had_drivers);
    unsigned seen = 0;
    for (int i = 0; i < 26 * 12; i++) {
        world_run(world, 5 * MINUTES);
        seen += world->last_had_drivers;
    }
    ck_assert_uint_ge(seen, 1);
    ck_assert_uint_le(seen, 3);
}
END_TEST

START_TEST(wishes_of_the_server_reach_the_source_once)
{
    start_settled();
    uint64_t fulls = world->fulls;
    world->want_full = world->want_scan = true;
    world_run(world, 5 * MINUTES + 4 * S);
    world_run(world, 5 * MINUTES + 4 * S);
    ck_assert_uint_eq(world->fulls, fulls + 1);
    world_run(world, 15 * MINUTES);
    ck_assert_uint_eq(world->fulls, fulls + 1);
    ck_assert_uint_eq(world->asked.scan_count, 0);
    world->config_interval_s = 60;
    world_run(world, 6 * MINUTES);
    int64_t before = world->next_serial;
    world_run(world, 10 * MINUTES);
    ck_assert_int_ge(world->next_serial - before, 9);
    ck_assert_int_le(world->next_serial - before, 11);
    /* It is remembered over a restart. */
    world_stop(world);
    world->config_interval_s = 0;
    world_start(world);
    before = world->next_serial;
    world_run(world, 10 * MINUTES);
    ck_assert_int_ge(world->next_serial - before, 9);
    no_fault();
}
END_TEST

START_TEST(setting_of_the_interval_wins_over_the_server)
{
    world->options.interval_us = 30 * S;
    world->config_interval_s = 3600;
    start_settled();
    ck_assert_int_ge(world->next_serial, 38);
}
END_TEST

START_TEST(restart_keeps_identity_boot_and_sequence_and_sends_complete_once)
{
    start_settled();
    uint64_t fulls = world->fulls;
    int64_t boot = world->documents[0].boot_at_us;
    for (int i = 0; i < 3; i++) {
        i == 1 ? world_kill(world) : world_stop(world);
        world_start(world);
        agent_sample_now(world->agent);
        world_run(world, 11 * MINUTES);
    }
    no_fault();
    ck_assert_uint_eq(world->enrolments, 1);
    ck_assert_uint_eq(world->fulls, fulls + 3);
    ck_assert_uint_eq(world_absent(world), 0);
    for (size_t i = 0; i < world->document_count; i++)
        ck_assert_int_eq(world->documents[i].boot_at_us, boot);
}
END_TEST

START_TEST(samples_in_one_second_have_rising_sequences)
{
    start_settled();
    for (int i = 0; i < 20; i++) {
        agent_sample_now(world->agent);
        world_run(world, 1000);
        if (i % 5 == 4) {
            world_kill(world);
            world_start(world);
        }
    }
    world_drain(world, MINUTES);
    no_fault();
    ck_assert_uint_eq(world_absent(world), 0);
    ck_assert_uint_eq(world->duplicates, 0);
}
END_TEST

/* ---- outages */

START_TEST(outage_is_told_once_and_everything_arrives_in_batches)
{
    start_settled();
    world->server_down = true;
    uint64_t posts = world->posts;
    world_run(world, 12 * HOURS);
    ck_assert_uint_eq(world->events[AGENT_EVENT_SERVER_AWAY], 1);
    ck_assert_uint_lt(world->posts - posts, 60); /* backoff, not one per snapshot */
    struct agent_summary s = summary();
    ck_assert_uint_ge(s.spooled, 143);
    ck_assert_str_ne(s.last_fault, "");
    ck_assert_uint_eq(s.dropped, 0);
    world->server_down = false;
    posts = world->posts;
    world_run(world, 2 * HOURS);
    no_fault();
    ck_assert(agent_idle(world->agent));
    ck_assert_uint_eq(world->events[AGENT_EVENT_SERVER_BACK], 1);
    ck_assert_uint_eq(world_absent(world), 0);
    ck_assert_uint_eq(world->conflicts, 0);
    ck_assert_uint_lt(world->posts - posts, 35);
    ck_assert_str_eq(summary().last_fault, "");
}
END_TEST

START_TEST(retry_after_is_kept)
{
    start_settled();
    world->code = 503;
    world->retry_after_us = 40 * MINUTES;
    agent_sample_now(world->agent);
    world_run(world, 1 * S);
    uint64_t posts = world->posts;
    int64_t asked_us = world->last_post_us;
    world_run(world, 39 * MINUTES);
    ck_assert_uint_eq(world->posts, posts);
    world->code = 0;
    world_run(world, 2 * HOURS);
    ck_assert_uint_gt(world->posts, posts);
    ck_assert_int_gt(world->last_post_us, asked_us + 40 * MINUTES);
    ck_assert_uint_eq(world_absent(world), 0);
}
END_TEST

START_TEST(lost_answers_give_duplicates_and_nothing_twice)
{
    start_settled();
    world->lose_answer = 60;
    world_run(world, 24 * HOURS);
    world->lose_answer = 0;
    world_run(world, 3 * HOURS);
    no_fault();
    ck_assert_uint_gt(world->duplicates, 10);
    ck_assert_uint_eq(world_absent(world), 0);
    for (int64_t i = 0; i < world->next_serial; i++)
        ck_assert_uint_eq(world->samples[i].stored, 1);
}
END_TEST

START_TEST(overflowing_spool_drops_the_oldest_and_tells_the_server)
{
    world->options.spool_bytes = 20000;
    start_settled();
    world->server_down = true;
    world_run(world, 48 * HOURS);
    ck_assert_uint_ge(world->events[AGENT_EVENT_LOST], 1);
    ck_assert_uint_le(world->events[AGENT_EVENT_LOST], 3); /* not one each time */
    world->server_down = false;
    world_run(world, 3 * HOURS);
    no_fault();
    ck_assert_uint_gt(world_absent(world), 10);
    ck_assert_int_eq(world->last_dropped, (int64_t)world_absent(world));
    /* Over a restart too. */
    world_stop(world);
    world_start(world);
    world_run(world, 10 * MINUTES);
    ck_assert_int_eq(world->last_dropped, (int64_t)world_absent(world));
    ck_assert_uint_eq(summary().dropped, world_absent(world));
}
END_TEST

START_TEST(server_from_a_backup_gets_a_complete_one_after_409)
{
    start_settled();
    world_run(world, 5 * HOURS);
    world_restore(world, 3);
    uint64_t fulls = world->fulls;
    world_run(world, HOURS);
    no_fault();
    ck_assert_uint_eq(world->conflicts, 1);
    ck_assert_uint_eq(world->fulls, fulls + 1);
    ck_assert_uint_eq(world_missing(world), 1); /* the one that was refused */
    ck_assert_int_eq(world->last_dropped, 1);
    ck_assert_ptr_nonnull(strstr(world->event_text[AGENT_EVENT_LOST], "the server lost"));
}
END_TEST

static void bad_document_in_the_middle(bool alone)
{
    start_settled();
    world->server_down = true;
    world_run(world, 3 * HOURS);
    world->refuse_serial = world->next_serial - 10;
    world->refuse_alone = alone;
    world->server_down = false;
    world_run(world, 3 * HOURS);
    no_fault();
    ck_assert_uint_eq(world_absent(world), 1);
    ck_assert_uint_eq(world->events[AGENT_EVENT_REFUSED], 1);
    ck_assert_ptr_nonnull(
        strstr(world->event_text[AGENT_EVENT_REFUSED], "because the test says so"));
    ck_assert_int_eq(world->last_dropped, 1);
    ck_assert(agent_idle(world->agent));
}

START_TEST(refused_whole_batch_loses_only_the_bad_document)
{
    bad_document_in_the_middle(false);
}
END_TEST

START_TEST(refused_item_of_a_batch_loses_only_itself)
{
    bad_document_in_the_middle(true);
}
END_TEST

/* ---- hostile and wrong servers */

static const struct {
    const char *name;
    int code;
    const char *reply;
    size_t length;
    enum status transport;
} servers[] = {
    {"not found", 404, NULL, 0, ST_OK},
    {"method not allowed", 405, NULL, 0, ST_OK},
    {"redirect", 302, NULL, 0, ST_OK},
    {"unknown media type", 415, NULL, 0, ST_OK},
    {"internal error", 500, NULL, 0, ST_OK},
    {"informational as final", 102, NULL, 0, ST_OK},
    {"code of nonsense", -7, NULL, 0, ST_OK},
    {"empty answer", 0, "", 0, ST_OK},
    {"page of a portal", 0, "<html>please sign in</html>", 27, ST_OK},
    {"empty map", 0, "\xa0", 1, ST_OK},
    {"accepted more than was sent", 0,
     "\xa3\x68"
     "accepted\x19\x03\xe8\x6a"
     "duplicates\x00\x68"
     "rejected\x80",
     35, ST_OK},
    {"accepted none, rejected none", 0,
     "\xa3\x68"
     "accepted\x00\x6a"
     "duplicates\x00\x68"
     "rejected\x80",
     33, ST_OK},
    {"certificate fault", 0, NULL, 0, ST_INVALID},
    {"reply too large", 0, NULL, 0, ST_TOO_LARGE},
};

START_TEST(wrong_server_costs_nothing_but_waiting)
{
    start_settled();
    world->code = servers[_i].code;
    world->raw_reply = servers[_i].reply;
    world->raw_length = servers[_i].length;
    world->transport_status = servers[_i].transport;
    uint64_t posts = world->posts;
    world_run(world, 12 * HOURS);
    ck_assert_msg(world->posts - posts < 60, "%s: %u posts", servers[_i].name,
                  (unsigned)(world->posts - posts));
    ck_assert_msg(world->events[AGENT_EVENT_SERVER_AWAY] == 1, "%s", servers[_i].name);
    ck_assert_uint_ge(summary().spooled, 143);
    world->code = 0;
    world->raw_reply = NULL;
    world->transport_status = ST_OK;
    world_run(world, 3 * HOURS);
    no_fault();
    ck_assert_uint_eq(world_absent(world), 0);
    ck_assert_uint_eq(world->enrolments, 1);
}
END_TEST

START_TEST(cut_and_flipped_answers_lose_nothing)
{
    start_settled();
    world->garbage = 70;
    world_run(world, 30 * HOURS);
    world->garbage = 0;
    world_run(world, 3 * HOURS);
    no_fault();
    ck_assert_uint_eq(world_absent(world), 0);
}
END_TEST

/* ---- identity */

START_TEST(unknown_token_enrols_again_with_the_previous_identity)
{
    start_settled();
    snprintf(world->token, sizeof world->token, "another");
    world_restore(world, 0); /* a new database */
    world_run(world, 2 * HOURS);
    no_fault();
    ck_assert_uint_eq(world->enrolments, 2);
    ck_assert(world->enrolled_with_previous);
    ck_assert_uint_eq(world->events[AGENT_EVENT_CLONED], 0);
    ck_assert_uint_le(world->conflicts, 2);
    ck_assert_uint_le(world_missing(world), 2);
    ck_assert_int_eq(world->last_dropped, (int64_t)world_missing(world));
}
END_TEST

START_TEST(unknown_token_and_wrong_secret_keep_the_spool_and_wait)
{
    start_settled();
    char token[32];
    snprintf(token, sizeof token, "%s", world->token);
    snprintf(world->token, sizeof world->token, "another");
    world_stop(world);
    world->options.enroll_secret = "revoked";
    world_start(world);
    uint64_t posts = world->posts;
    world_run(world, 12 * HOURS);
    ck_assert_uint_lt(world->posts - posts, 60);
    ck_assert_uint_eq(world->events[AGENT_EVENT_ENROLL_REFUSED], 1);
    ck_assert_uint_eq(world->enrolments, 1);
    ck_assert_uint_ge(summary().spooled, 143);
    /* The server knows the old token again. */
    snprintf(world->token, sizeof world->token, "%s", token);
    world_run(world, 4 * HOURS);
    no_fault();
    ck_assert_uint_eq(world_absent(world), 0);
}
END_TEST

START_TEST(cloned_identity_is_given_up_and_the_spool_kept)
{
    start_settled();
    world->server_down = true;
    world_run(world, HOURS);
    world->server_down = false;
    world->code = 403;
    world->problem = "identity_cloned";
    world->options.enroll_secret = "the secret";
    while (world->events[AGENT_EVENT_CLONED] == 0)
        world_run(world, S);
    world->code = 0;
    world_run(world, 2 * HOURS);
    no_fault();
    ck_assert_uint_eq(world->events[AGENT_EVENT_CLONED], 1);
    ck_assert_uint_eq(world->enrolments, 2);
    ck_assert(!world->enrolled_with_previous);
    ck_assert_uint_eq(world_absent(world), 0);
    ck_assert_str_eq(world->last_bearer, world->token);
}
END_TEST

START_TEST(disk_copied_to_other_hardware_enrols_anew)
{
    start_settled();
    world_stop(world);
    world_start(world);
    ck_assert_uint_eq(world->events[AGENT_EVENT_CLONED], 0);
    world_stop(world);
    world->options.machine_id = ""; /* not told: no reason to give up */
    world_start(world);
    ck_assert_uint_eq(world->events[AGENT_EVENT_CLONED], 0);
    world_stop(world);
    world->options.machine_id = "00cd";
    world_start(world);
    ck_assert_uint_eq(world->events[AGENT_EVENT_CLONED], 1);
    ck_assert(!agent_enrolled(world->agent));
    world_run(world, 10 * MINUTES);
    no_fault();
    ck_assert_uint_eq(world->enrolments, 2);
    ck_assert(!world->enrolled_with_previous);
}
END_TEST

START_TEST(no_secret_is_told_once_and_spools)
{
    world->options.enroll_secret = NULL;
    world_start(world);
    world_run(world, 12 * HOURS);
    no_fault();
    ck_assert_uint_eq(world->posts, 0);
    ck_assert_uint_eq(world->events[AGENT_EVENT_ENROLL_REFUSED], 1);
    ck_assert_uint_ge(summary().spooled, 143);
    ck_assert(!summary().enrolled);
    world_stop(world);
    world->options.enroll_secret = "the secret";
    world_start(world);
    world_run(world, HOURS);
    no_fault();
    ck_assert_uint_eq(world_absent(world), 0);
}
END_TEST

/* ---- source and disk */

START_TEST(failing_source_is_told_once_and_recovers)
{
    world->source_status = ST_UNSUPPORTED;
    world_start(world);
    world_run(world, 5 * HOURS);
    ck_assert_uint_eq(world->events[AGENT_EVENT_NO_POOL_TAGS], 1);
    ck_assert_uint_eq(world->enrolments, 1); /* the host shows up all the same */
    world->source_status = ST_IO;
    world_run(world, 5 * HOURS);
    ck_assert_uint_eq(world->events[AGENT_EVENT_SOURCE_FAILED], 1);
    world->source_status = ST_OK;
    world_run(world, HOURS);
    no_fault();
    ck_assert_uint_gt(world->document_count, 10);
    ck_assert_uint_eq(world_absent(world), 0);
}
END_TEST

START_TEST(full_disk_still_sends_from_memory)
{
    start_settled();
    world->disk.max_bytes = 1;
    world_run(world, 3 * HOURS);
    no_fault();
    ck_assert_uint_eq(world->events[AGENT_EVENT_DISK], 1);
    ck_assert_uint_eq(world_absent(world), 0);
    /* Server away as well: the newest stays in memory, the others are counted. */
    world->server_down = true;
    world_run(world, 3 * HOURS);
    world->server_down = false;
    world->disk.max_bytes = 0;
    world_run(world, 2 * HOURS);
    no_fault();
    ck_assert_uint_gt(world_absent(world), 20);
    ck_assert_int_eq(world->last_dropped, (int64_t)world_absent(world));
    ck_assert_uint_ge(world->events[AGENT_EVENT_LOST], 1);
}
END_TEST

START_TEST(unreadable_or_unremovable_files_do_not_block_or_spin)
{
    start_settled();
    world->server_down = true;
    world_run(world, HOURS);
    char name[64];
    snprintf(name, sizeof name, "spool-%016llx", (unsigned long long)world->next_serial - 5);
    world->disk.no_read = name;
    world->server_down = false;
    world_run(world, 3 * HOURS);
    ck_assert_uint_eq(world_absent(world), 1);
    world->disk.no_read = NULL;
    world->disk.no_removes = true;
    uint64_t posts = world->posts;
    world_run(world, 10 * HOURS);
    ck_assert_uint_lt(world->posts - posts, 130);
    no_fault();
    ck_assert_uint_eq(world_absent(world), 0);
}
END_TEST

START_TEST(corrupt_files_are_set_aside_with_an_event)
{
    static const char *const names[] = {"state", "identity"};
    start_settled();
    world_run(world, HOURS);
    for (size_t i = 0; i < 2; i++) {
        AUTO_STRBUF struct strbuf content = STRBUF_INIT;
        char bad[32];
        world_stop(world);
        const struct strbuf *file = fake_disk_find(&world->disk, names[i]);
        ck_assert_ptr_nonnull(file);
        strbuf_add(&content, file->data, file->length);
        content.data[content.length / 2] = (char)(content.data[content.length / 2] ^ 1);
        fake_disk_put(&world->disk, names[i], content.data, content.length);
        unsigned events = world->events[AGENT_EVENT_DISK];
        world_start(world);
        ck_assert_uint_eq(world->events[AGENT_EVENT_DISK], events + 1);
        snprintf(bad, sizeof bad, "%s.bad", names[i]);
        ck_assert_ptr_nonnull(fake_disk_find(&world->disk, bad));
        world_run(world, HOURS);
        no_fault();
    }
    ck_assert_uint_eq(world->enrolments, 2);
    ck_assert_uint_eq(world_absent(world), 0);
    ck_assert_uint_eq(world->duplicates, 0);
    /* No byte of either file may be flipped or cut unseen, nor crash. */
    world_stop(world);
    for (size_t n = 0; n < 2; n++) {
        AUTO_STRBUF struct strbuf whole = STRBUF_INIT;
        const struct strbuf *file = fake_disk_find(&world->disk, names[n]);
        strbuf_add(&whole, file->data, file->length);
        for (size_t i = 0; i < whole.length; i++) {
            struct state state;
            fake_disk_put(&world->disk, "state", whole.data, i);
            if (state_load(&world->disk.files, &state, NULL) == ST_OK)
                ck_abort_msg("a state of %u bytes was read", (unsigned)i);
        }
    }
}
END_TEST

START_TEST(state_round_trips_with_every_member)
{
    struct fake_disk disk;
    struct state a, b;
    struct err err = {0};
    fake_disk_init(&disk, 1);
    state_init(&a);
    ck_assert_int_eq(state_save(&disk.files, &a, &err), ST_OK);
    ck_assert_int_eq(state_load(&disk.files, &b, &err), ST_OK);
    ck_assert_int_eq(b.boot.sent_us, TIME_UNKNOWN);
    ck_assert_int_eq(b.sequence, -1);
    ck_assert_int_eq(b.config.top_processes, -1);
    ck_assert_int_eq(b.sampled_us, TIME_UNKNOWN);
    a = (struct state){.boot = {1, 2, 3},
                       .sequence = 4,
                       .next_number = 5,
                       .dropped = 6,
                       .config = {7, 8},
                       .sampled_us = 9,
                       .acknowledged_us = 10,
                       .fault = "x"};
    ck_assert_int_eq(state_save(&disk.files, &a, &err), ST_OK);
    ck_assert_int_eq(state_load(&disk.files, &b, &err), ST_OK);
    ck_assert_mem_eq(&a, &b, sizeof a);
    fake_disk_done(&disk);
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

Suite *agent_suite(void)
{
    Suite *suite = suite_create("agent");
    TCase *life = world_case(suite, "life");
    tcase_add_test(life, fresh_agent_enrols_sends_a_complete_then_changed_rows);
    tcase_add_test(life, no_sample_before_its_uptime);
    tcase_add_test(life, sleeping_host_skips_missed_slots);
    tcase_add_test(life, set_clock_neither_bursts_nor_starves);
    tcase_add_test(life, drivers_are_sent_when_changed_wanted_and_daily);
    tcase_add_test(life, wishes_of_the_server_reach_the_source_once);
    tcase_add_test(life, setting_of_the_interval_wins_over_the_server);
    tcase_add_test(life, restart_keeps_identity_boot_and_sequence_and_sends_complete_once);
    tcase_add_test(life, samples_in_one_second_have_rising_sequences);
    TCase *outage = world_case(suite, "outage");
    tcase_add_test(outage, outage_is_told_once_and_everything_arrives_in_batches);
    tcase_add_test(outage, retry_after_is_kept);
    tcase_add_test(outage, lost_answers_give_duplicates_and_nothing_twice);
    tcase_add_test(outage, overflowing_spool_drops_the_oldest_and_tells_the_server);
    tcase_add_test(outage, server_from_a_backup_gets_a_complete_one_after_409);
    tcase_add_test(outage, refused_whole_batch_loses_only_the_bad_document);
    tcase_add_test(outage, refused_item_of_a_batch_loses_only_itself);
    tcase_add_loop_test(outage, wrong_server_costs_nothing_but_waiting, 0,
                        sizeof servers / sizeof servers[0]);
    tcase_add_test(outage, cut_and_flipped_answers_lose_nothing);
    TCase *identity = world_case(suite, "identity");
    tcase_add_test(identity, unknown_token_enrols_again_with_the_previous_identity);
    tcase_add_test(identity, unknown_token_and_wrong_secret_keep_the_spool_and_wait);
    tcase_add_test(identity, cloned_identity_is_given_up_and_the_spool_kept);
    tcase_add_test(identity, disk_copied_to_other_hardware_enrols_anew);
    tcase_add_test(identity, no_secret_is_told_once_and_spools);
    TCase *machine = world_case(suite, "machine");
    tcase_add_test(machine, failing_source_is_told_once_and_recovers);
    tcase_add_test(machine, full_disk_still_sends_from_memory);
    tcase_add_test(machine, unreadable_or_unremovable_files_do_not_block_or_spin);
    tcase_add_test(machine, corrupt_files_are_set_aside_with_an_event);
    tcase_add_test(machine, state_round_trips_with_every_member);
    return suite;
}
