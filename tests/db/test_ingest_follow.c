/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of hosts that follow their snapshots (server/ingest/group.c). Host "a" goes through crashes
 * and several servers, its twin "b" gets the same documents from one server that never stops: in
 * the end both must be the same. A crash between a snapshot and the row that follows it is a server
 * whose followers are not carried out (a trigger drops them), and that is then forgotten.
 */
#include "server/ingest/ingest.h"
#include "server/store/store_hosts.h"
#include "server/store/store_ingest.h"
#include "server/store/store_snapshots.h"
#include "tests/support/fleetgen.h"
#include "tests/support/pg.h"

#include <check.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

Suite *ingest_follow_suite(void);

#define T0    (1700000000ll * US_PER_SECOND)
#define STEP  (5 * US_PER_MINUTE)
#define ROWS  12
#define STEPS 120

struct server {
    struct fleet *fleet;
    struct ingest *ingest;
};

static struct pg pg;
static struct server first, second, steady;

static void server_start(struct server *server)
{
    struct ingest_options options = {.queue_bytes = 64u << 20, .keyframe_us = US_PER_HOUR};
    struct err err = {0};
    struct db *db = NULL;
    server->fleet = fleet_new();
    ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, NULL), ST_OK);
    ck_assert_msg(fleet_load(db, server->fleet, &err) == ST_OK, "%s", err.message);
    db_release(db);
    ck_assert_msg(ingest_start(pg.pool, server->fleet, &options, &server->ingest, &err) == ST_OK,
                  "%s", err.message);
}

static void server_end(struct server *server)
{
    ingest_stop(server->ingest);
    fleet_free(server->fleet);
    *server = (struct server){0};
}

static void setup(void)
{
    pg_setup(&pg);
    server_start(&first);
    server_start(&second);
    server_start(&steady);
}

static void teardown(void)
{
    server_end(&first);
    server_end(&second);
    server_end(&steady);
    pg_teardown(&pg);
}

/* A process that forks has no threads yet: in the child their locks would stay held for ever. */
static void setup_alone(void)
{
    pg_setup(&pg);
}

static void teardown_alone(void)
{
    server_end(&first);
    pg_teardown(&pg);
}

/* Followers of host "a" come to nothing from now on, as if the server died before each. */
static void drop_followers(void)
{
    pg_sql(&pg,
           "CREATE FUNCTION dropped() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
           " IF NEW.id = 'a' AND current_query() LIKE '%RETURNING g.place%' THEN RETURN NULL;"
           " END IF; RETURN NEW; END $$;"
           "CREATE TRIGGER dropped BEFORE UPDATE ON host FOR EACH ROW EXECUTE FUNCTION dropped()");
}

static void allow_followers(void)
{
    pg_sql(&pg, "DROP TRIGGER IF EXISTS dropped ON host");
}

/* ---- the course of a host ------------------------------------------------------------------ */

enum what { CHANGED, WHOLE, REPEAT, LATE, REBOOT, RENAME, FACTS, CRASH };

/* Where a host is; the twins share it, so that they get the same documents. */
struct course {
    struct rng rng;
    int64_t boot_us, taken_us, sequence;
    unsigned names, roles;
    bool has_version;
};

static struct snapshot *document(const struct course *at, const char *host, enum what what)
{
    bool whole = what != CHANGED && what != RENAME;
    struct snapshot *s = gen_snapshot(host, at->boot_us, at->taken_us, at->sequence,
                                      whole ? SEQUENCE_UNKNOWN : at->sequence - 2);
    struct snapshot_table *table = &s->table[POOL_PAGED];
    /* Rows 0.. of the same tags always; a changed document tells every third. */
    struct rng fixed = {99}, now = {(uint64_t)at->taken_us};
    if (what == LATE) {
        s->taken_at_us -= STEP / 2;
        s->sequence--;
    }
    gen_table(&fixed, &s->arena, table, ROWS, COLUMN_ALL);
    size_t kept = 0;
    for (size_t i = 0; i < table->count; i++) {
        if (!whole && i % 3 != 0)
            continue;
        table->tag[kept] = table->tag[i];
        table->allocs[kept] = (uint32_t)rng_below(&now, 100000);
        table->frees[kept] = (uint32_t)rng_below(&now, 100000);
        table->bytes[kept] = rng_below(&now, 1000000);
        kept++;
    }
    table->count = kept;
    totals_set(&s->totals, TOTAL_PAGED_BYTES, rng_below(&now, 1u << 30));
    char name[32];
    snprintf(name, sizeof name, "HOST-%u", at->names);
    s->host_name = arena_strdup(&s->arena, name);
    if (at->has_version) {
        s->agent = (struct snapshot_agent){.present = true, .waiting = -1, .dropped = -1};
        s->agent.version = arena_strdup(&s->arena, "1.0");
    }
    if (what == FACTS || what == REBOOT) {
        char role[32];
        snprintf(role, sizeof role, "role-%u", at->roles);
        s->has_attributes = true;
        s->attribute_count = 1;
        s->attributes = arena_alloc(&s->arena, 1, sizeof *s->attributes);
        s->attributes[0].name = "role";
        s->attributes[0].value = arena_strdup(&s->arena, role);
    }
    return s;
}

static enum ingest_outcome post(struct server *server, const struct course *at, const char *host,
                                enum what what, bool of_host)
{
    struct outcome outcome = {0};
    struct snapshot *s = document(at, host, what);
    ck_assert_int_eq(gen_send(server->ingest, &s, 1, of_host ? host : NULL, &outcome), ST_OK);
    ck_assert_msg(outcome.outcome != INGEST_REJECTED, "%s: %s", outcome.err.field,
                  outcome.err.message);
    return outcome.outcome;
}

static enum what choose(struct rng *rng)
{
    static const unsigned weight[] = {[CHANGED] = 60, [WHOLE] = 6,  [REPEAT] = 12, [LATE] = 6,
                                      [REBOOT] = 4,   [RENAME] = 3, [FACTS] = 3,   [CRASH] = 6};
    uint64_t at = rng_below(rng, 100);
    unsigned what = 0;
    while (at >= weight[what])
        at -= weight[what++];
    return (enum what)what;
}

/* Moves on to the next document; what it is may change with it. */
static void step(struct course *at, enum what what)
{
    if (what == REPEAT || what == LATE)
        return;
    at->taken_us += STEP;
    at->sequence += 2;
    at->names += what == RENAME;
    at->roles += what == FACTS;
    if (what == REBOOT) {
        at->boot_us = at->taken_us - STEP * 2 / 3;
        at->sequence = 2;
    }
}

static int64_t rows_apart(void)
{
    return pg_number(
        &pg, "SELECT count(*) FROM host a JOIN host b ON b.id = 'b' WHERE a.id = 'a' AND"
             " (a.name, a.first_seen_at, a.last_seen_at, a.boot_at, a.sequence, a.sequence_max,"
             " a.keyframe_at, a.chain, a.attributes_at, a.attributes_digest, a.live_boot_at,"
             " a.live_taken_at, a.agent_version, a.agent_simulated) IS DISTINCT FROM"
             " (b.name, b.first_seen_at, b.last_seen_at, b.boot_at, b.sequence, b.sequence_max,"
             " b.keyframe_at, b.chain, b.attributes_at, b.attributes_digest, b.live_boot_at,"
             " b.live_taken_at, b.agent_version, b.agent_simulated)");
}

static int64_t snapshots_apart(void)
{
#define OF(host)                                                                                   \
    "SELECT taken_at, boot_at, sequence, base, keyframe, keyframe_at, chain, row_count,"           \
    " paged_bytes, block FROM snapshot WHERE host_id = (SELECT h.host_id FROM host h"              \
    " WHERE h.id = '" host "')"
    return pg_number(&pg, "SELECT count(*) FROM ((" OF("a") " EXCEPT ALL " OF(
                              "b") ") UNION ALL"
                                   " (" OF("b") " EXCEPT ALL " OF("a") ")) AS apart");
#undef OF
}

static void check_state(const struct server *mine, const struct server *theirs)
{
    struct arena arena = {0};
    struct snapshot_table x[POOL_COUNT], y[POOL_COUNT];
    const struct host_state *a = fleet_get(mine->fleet, "a"), *b = fleet_get(theirs->fleet, "b");
    ck_assert_int_eq(a->taken_at_us, b->taken_at_us);
    ck_assert_int_eq(a->sequence, b->sequence);
    ck_assert_int_eq(a->boot_at_us, b->boot_at_us);
    ck_assert_str_eq(a->name, b->name);
    ck_assert_pstr_eq(host_state_attribute(a, "role"), host_state_attribute(b, "role"));
    ck_assert_int_eq(host_state_tables(a, &arena, x), ST_OK);
    ck_assert_int_eq(host_state_tables(b, &arena, y), ST_OK);
    ck_assert(gen_same_tables(x, y));
    arena_done(&arena);
    host_state_release(a);
    host_state_release(b);
}

static void check_twins(void)
{
    ck_assert_int_eq(snapshots_apart(), 0);
    ck_assert_int_eq(rows_apart(), 0);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM (SELECT host_id, boot_at, sequence FROM"
                                    " snapshot GROUP BY 1, 2, 3 HAVING count(*) > 1) AS twice"),
                     0);
    struct server after = {0};
    server_start(&after);
    check_state(&after, &steady);
    server_end(&after);
}

static void begin(struct course *at, uint64_t seed, bool of_host)
{
    *at = (struct course){.rng = {seed},
                          .boot_us = T0 - US_PER_HOUR,
                          .taken_us = T0,
                          .sequence = 2,
                          .has_version = seed % 2 == 0};
    ck_assert_int_eq(post(&first, at, "a", WHOLE, of_host), INGEST_ACCEPTED);
    ck_assert_int_eq(post(&steady, at, "b", WHOLE, of_host), INGEST_ACCEPTED);
}

/* ---- tests --------------------------------------------------------------------------------- */

START_TEST(follow_settled_rows_say_the_newest_snapshot)
{
    struct course at;
    begin(&at, 1, false);
    for (int i = 0; i < 5; i++) {
        step(&at, CHANGED);
        ck_assert_int_eq(post(&first, &at, "a", CHANGED, false), INGEST_ACCEPTED);
    }
    ingest_settle(first.ingest);
    ck_assert_int_eq(pg_number(&pg, "SELECT sequence FROM host WHERE id = 'a'"), at.sequence);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM host h WHERE id = 'a' AND last_seen_at ="
                                    " (SELECT max(taken_at) FROM snapshot s WHERE s.host_id ="
                                    " h.host_id) AND sequence_max = sequence"),
                     1);
}
END_TEST

START_TEST(follow_document_in_order_touches_no_host_row)
{
    struct course at;
    begin(&at, 1, false);
    ingest_settle(first.ingest);
    ingest_settle(steady.ingest);
    drop_followers();
    int64_t sequence = at.sequence;
    step(&at, CHANGED);
    ck_assert_int_eq(post(&first, &at, "a", CHANGED, false), INGEST_ACCEPTED);
    ck_assert_int_eq(pg_number(&pg, "SELECT sequence FROM host WHERE id = 'a'"), sequence);
    ck_assert_int_eq(pg_number(&pg, "SELECT max(sequence) FROM snapshot"), at.sequence);
    allow_followers();
}
END_TEST

START_TEST(follow_late_document_meets_a_row_that_is_up_to_date)
{
    struct course at;
    begin(&at, 1, false);
    drop_followers();
    for (int i = 0; i < 3; i++) {
        step(&at, CHANGED);
        ck_assert_int_eq(post(&first, &at, "a", CHANGED, false), INGEST_ACCEPTED);
    }
    ck_assert_int_eq(post(&first, &at, "a", LATE, false), INGEST_ACCEPTED);
    ck_assert_int_eq(pg_number(&pg, "SELECT sequence FROM host WHERE id = 'a'"), at.sequence);
    ck_assert_int_eq(pg_number(&pg, "SELECT sequence_max FROM host WHERE id = 'a'"), at.sequence);
    allow_followers();
}
END_TEST

START_TEST(follow_after_crashes_all_is_as_without)
{
    bool of_host = _i % 2 == 1;
    struct course at;
    unsigned crashes = 0;
    begin(&at, (uint64_t)_i + 1, of_host);
    drop_followers();
    for (int i = 0; i < STEPS; i++) {
        enum what what = choose(&at.rng);
        if (what == CRASH) {
            server_end(&first);
            server_start(&first);
            crashes++;
            continue;
        }
        step(&at, what);
        ck_assert_int_eq(post(&first, &at, "a", what == REPEAT ? CHANGED : what, of_host),
                         post(&steady, &at, "b", what == REPEAT ? CHANGED : what, of_host));
    }
    server_end(&first);
    allow_followers();
    server_start(&first);
    ingest_settle(steady.ingest);
    ck_assert_uint_gt(crashes, 0);
    check_twins();
}
END_TEST

START_TEST(follow_two_servers_are_as_one)
{
    bool of_host = _i % 2 == 1;
    struct course at;
    begin(&at, (uint64_t)_i + 50, of_host);
    for (int i = 0; i < STEPS; i++) {
        enum what what = choose(&at.rng);
        /* Mostly the same one: else nothing would ever be in order. */
        struct server *server = rng_below(&at.rng, 5) == 0 ? &second : &first;
        if (what == CRASH) {
            ingest_settle(server->ingest);
            continue;
        }
        step(&at, what);
        ck_assert_int_eq(post(server, &at, "a", what == REPEAT ? CHANGED : what, of_host),
                         post(&steady, &at, "b", what == REPEAT ? CHANGED : what, of_host));
    }
    ingest_settle(first.ingest);
    ingest_settle(second.ingest);
    ingest_settle(steady.ingest);
    check_twins();
}
END_TEST

START_TEST(follow_row_of_another_boot_makes_the_server_look_again)
{
    struct course at, other;
    begin(&at, 1, true);
    step(&at, CHANGED);
    ck_assert_int_eq(post(&first, &at, "a", CHANGED, true), INGEST_ACCEPTED);
    other = at; /* the other server hears of a reboot that this one does not */
    step(&other, REBOOT);
    ck_assert_int_eq(post(&second, &other, "a", REBOOT, true), INGEST_ACCEPTED);
    step(&at, CHANGED);
    at.taken_us = other.taken_us + STEP;
    ck_assert_int_eq(post(&first, &at, "a", CHANGED, true), INGEST_ACCEPTED);
    ingest_settle(first.ingest);
    /* The row is not its own any more: the next one is taken with the row, not with memory. */
    step(&at, CHANGED);
    ck_assert_int_eq(post(&first, &at, "a", CHANGED, true), INGEST_ACCEPTED);
    ck_assert_int_eq(pg_number(&pg, "SELECT sequence FROM host WHERE id = 'a'"), at.sequence);
}
END_TEST

/* A process that takes documents until it is killed, and says of each that it was acknowledged. */
static void serve_until_killed(int out)
{
    struct course at;
    struct server server = {0};
    struct db_options options = {.url = pg.url, .connections = 2, .application_name = "killed"};
    /* Connections are not shared over fork: the parent's pool is left alone. */
    if (db_pool_new(&options, &pg.pool, NULL) != ST_OK)
        _exit(3);
    server_start(&server);
    at = (struct course){.boot_us = T0 - US_PER_HOUR, .taken_us = T0, .sequence = 2};
    for (enum what what = WHOLE;; what = CHANGED) {
        post(&server, &at, "a", what, false);
        if (write(out, &at.sequence, sizeof at.sequence) < 0)
            _exit(4);
        step(&at, CHANGED);
    }
}

START_TEST(follow_killed_process_has_all_it_acknowledged_once)
{
    int ends[2];
    int64_t acknowledged = 0, wanted = 2 + 40 * (_i + 1);
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0)
        serve_until_killed(ends[1]);
    close(ends[1]);
    while (acknowledged < wanted &&
           read(ends[0], &acknowledged, sizeof acknowledged) == (ssize_t)sizeof acknowledged)
        continue;
    kill(child, SIGKILL);
    while (read(ends[0], &acknowledged, sizeof acknowledged) == (ssize_t)sizeof acknowledged)
        continue;
    close(ends[0]);
    waitpid(child, NULL, 0);
    ck_assert_int_ge(acknowledged, wanted);
    server_start(&first);
    /* One more may have been stored whose answer was cut off. */
    int64_t count = pg_number(&pg, "SELECT count(*) FROM snapshot");
    ck_assert_int_ge(count, acknowledged / 2);
    ck_assert_int_le(count, acknowledged / 2 + 1);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(DISTINCT sequence) FROM snapshot"), count);
    ck_assert_int_eq(pg_number(&pg, "SELECT sequence FROM host"), 2 * count);
    const struct host_state *state = fleet_get(first.fleet, "a");
    ck_assert_int_eq(state->sequence, 2 * count);
    host_state_release(state);
    struct course at = {
        .boot_us = T0 - US_PER_HOUR, .taken_us = T0 + count * STEP, .sequence = 2 * count + 2};
    ck_assert_int_eq(post(&first, &at, "a", CHANGED, false), INGEST_ACCEPTED);
    ck_assert_int_eq(post(&first, &at, "a", CHANGED, false), INGEST_DUPLICATE);
}
END_TEST

Suite *ingest_follow_suite(void)
{
    Suite *suite = suite_create("ingest_follow");
    TCase *tc = tcase_create("follow");
    tcase_set_timeout(tc, 300);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, follow_settled_rows_say_the_newest_snapshot);
    tcase_add_test(tc, follow_document_in_order_touches_no_host_row);
    tcase_add_test(tc, follow_late_document_meets_a_row_that_is_up_to_date);
    tcase_add_loop_test(tc, follow_after_crashes_all_is_as_without, 0, 8);
    tcase_add_loop_test(tc, follow_two_servers_are_as_one, 0, 8);
    tcase_add_test(tc, follow_row_of_another_boot_makes_the_server_look_again);
    suite_add_tcase(suite, tc);
    TCase *alone = tcase_create("killed");
    tcase_set_timeout(alone, 300);
    tcase_add_checked_fixture(alone, setup_alone, teardown_alone);
    tcase_add_loop_test(alone, follow_killed_process_has_all_it_acknowledged_once, 0, 3);
    suite_add_tcase(suite, alone);
    return suite;
}
