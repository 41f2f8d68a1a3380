/* SPDX-License-Identifier: Apache-2.0 */
#include "server/ingest/ingest.h"
#include "server/jobs/analysis_run.h"
#include "server/jobs/wants_refresh.h"
#include "server/store/store_driver_files.h"
#include "server/store/store_drivers.h"
#include "server/store/store_hosts.h"
#include "server/store/store_snapshots.h"
#include "tests/support/fleetgen.h"
#include "tests/support/pg.h"

#include <check.h>

#include <string.h>

Suite *driver_files_suite(void);

#define STEP (5 * US_PER_MINUTE)
#define A    "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
#define B    "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfa0a1a2a3a4a5a6a7a8a9aaabacadaeaf"

static struct pg pg;
static struct fleet *fleet;
static struct ingest *ingest;
static struct db *db;
static int64_t t0; /* near now: what is asked of agents goes by when they posted */
static int64_t sequence;

static void setup(void)
{
    struct ingest_options options = {.queue_bytes = 64u << 20, .keyframe_us = US_PER_HOUR};
    struct err err = {0};
    pg_setup(&pg);
    fleet = fleet_new();
    t0 = (clock_wall_us() - 3 * US_PER_HOUR) / US_PER_SECOND * US_PER_SECOND;
    sequence = 0;
    ck_assert_msg(ingest_start(pg.pool, fleet, &options, &ingest, &err) == ST_OK, "%s",
                  err.message);
    ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, NULL), ST_OK);
}

static void teardown(void)
{
    db_release(db);
    ingest_stop(ingest);
    fleet_free(fleet);
    pg_teardown(&pg);
}

/* A driver as a document lists it. tags: "Aaaa Bbbb", "" for scanned without any, NULL: not told.
 */
struct given {
    const char *name;
    const char *version;
    const char *sha256;
    const char *tags;
};

static void give(struct snapshot *s, const struct given *given, size_t count)
{
    s->has_drivers = true;
    s->driver_count = count;
    s->drivers = arena_alloc(&s->arena, count, sizeof *s->drivers);
    for (size_t i = 0; i < count; i++) {
        struct snapshot_driver *driver = &s->drivers[i];
        *driver = (struct snapshot_driver){.name = given[i].name,
                                           .version = given[i].version,
                                           .company = "Example",
                                           .product = given[i].sha256 == NULL ? NULL : "Product",
                                           .sha256 = given[i].sha256,
                                           .symbols = given[i].sha256 == NULL ? NULL : "x.pdb/1",
                                           .has_tags = given[i].tags != NULL};
        size_t tags = given[i].tags == NULL ? 0 : (strlen(given[i].tags) + 1) / 5;
        driver->tags = arena_alloc(&s->arena, tags, sizeof *driver->tags);
        driver->tag_count = tags;
        for (size_t t = 0; t < tags; t++)
            driver->tags[t] = tag_from_bytes((const unsigned char *)given[i].tags + 5 * t);
    }
}

static struct snapshot *document(const char *host, int64_t step)
{
    struct rng rng = {(uint64_t)step + 17};
    struct snapshot *s = gen_snapshot(host, t0 - US_PER_HOUR, t0 + step * STEP, ++sequence, -1);
    gen_table(&rng, &s->arena, &s->table[POOL_PAGED], 3, COLUMN_ALL);
    return s;
}

static void send_as(struct snapshot *s, const char *only_host, enum ingest_outcome expected)
{
    struct outcome outcome = {0};
    ck_assert_int_eq(gen_send(ingest, &s, 1, only_host, &outcome), ST_OK);
    ck_assert_msg(outcome.outcome == expected, "%d %s: %s", outcome.outcome, outcome.err.field,
                  outcome.err.message);
}

static void list_drivers(const char *host, int64_t step, const struct given *given, size_t count)
{
    struct snapshot *s = document(host, step);
    give(s, given, count);
    send_as(s, NULL, INGEST_ACCEPTED);
}

static void read_drivers(const char *host, struct store_drivers *ret_drivers)
{
    int64_t key = 0;
    ck_assert_int_eq(store_host_key(db, host, &key, NULL), ST_OK);
    ck_assert_int_eq(store_host_drivers(db, key, TIME_UNKNOWN, ret_drivers, NULL), ST_OK);
}

static uint32_t tag(const char *text)
{
    return tag_from_bytes((const unsigned char *)text);
}

START_TEST(tags_told_by_one_host_show_on_every_host_with_the_same_file)
{
    AUTO_STORE_DRIVERS struct store_drivers early = {0}, late = {0}, other = {0};
    const struct given untold = {"a.sys", "1.0", A, NULL}, told = {"a.sys", "1.0", A, "Aaaa Bbbb"};
    const struct given same_version = {"a.sys", "1.0", B, NULL};
    list_drivers("h1", 1, &untold, 1);
    list_drivers("h3", 1, &same_version, 1);
    list_drivers("h2", 2, &told, 1);
    list_drivers("h4", 3, &untold, 1);
    read_drivers("h1", &early);
    ck_assert_uint_eq(early.items[0].tag_count, 2);
    ck_assert(early.items[0].scanned);
    ck_assert_str_eq(early.items[0].sha256, A);
    ck_assert_str_eq(early.items[0].product, "Product");
    ck_assert_str_eq(early.items[0].symbols, "x.pdb/1");
    read_drivers("h4", &late);
    ck_assert_uint_eq(late.items[0].tags[1], tag("Bbbb"));
    /* Another file of the same name and version is another build. */
    read_drivers("h3", &other);
    ck_assert_uint_eq(other.items[0].tag_count, 0);
    ck_assert(!other.items[0].scanned);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM driver_file WHERE scanned_by = (SELECT "
                                    "host_id FROM host WHERE id = 'h2')"),
                     1);
}
END_TEST

START_TEST(tags_told_later_do_not_begin_a_new_row_of_history)
{
    AUTO_STORE_DRIVERS struct store_drivers drivers = {0};
    const struct given bare = {"a.sys", "1.0", NULL, NULL}, hashed = {"a.sys", "1.0", A, NULL};
    const struct given told = {"a.sys", "1.0", A, "Aaaa"}, update = {"a.sys", "1.0", B, NULL};
    list_drivers("h1", 1, &bare, 1);
    list_drivers("h1", 2, &hashed, 1);
    list_drivers("h1", 3, &told, 1);
    list_drivers("h1", 4, &bare, 1);
    read_drivers("h1", &drivers);
    ck_assert_int_eq(drivers.items[0].since_us, t0 + STEP);
    ck_assert_str_eq(drivers.items[0].sha256, A);
    ck_assert_uint_eq(drivers.items[0].tag_count, 1);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM host_driver"), 1);
    /* The file changes under the same version: that is a new row. */
    list_drivers("h1", 5, &update, 1);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM host_driver"), 2);
}
END_TEST

START_TEST(second_host_with_other_tags_of_the_same_file_changes_nothing)
{
    AUTO_STORE_DRIVERS struct store_drivers drivers = {0};
    const struct given told = {"a.sys", "1.0", A, "Aaaa"}, lie = {"a.sys", "1.0", A, "Evil Lies"};
    const struct given none = {"b.sys", "1.0", B, ""};
    list_drivers("h1", 1, &told, 1);
    list_drivers("h2", 2, &lie, 1);
    read_drivers("h2", &drivers);
    ck_assert_uint_eq(drivers.items[0].tag_count, 1);
    ck_assert_uint_eq(drivers.items[0].tags[0], tag("Aaaa"));
    /* Scanned without a find is known, not unknown. */
    store_drivers_done(&drivers);
    list_drivers("h3", 3, &none, 1);
    read_drivers("h3", &drivers);
    ck_assert(drivers.items[0].scanned);
    ck_assert_uint_eq(drivers.items[0].tag_count, 0);
}
END_TEST

START_TEST(one_file_under_two_names_in_one_document_is_one_build)
{
    const struct given given[] = {{"a.sys", "1.0", A, NULL}, {"copy.sys", "1.0", A, "Aaaa"}};
    AUTO_STORE_DRIVERS struct store_drivers drivers = {0};
    list_drivers("h1", 1, given, 2);
    read_drivers("h1", &drivers);
    ck_assert_uint_eq(drivers.count, 2);
    ck_assert_uint_eq(drivers.items[0].tag_count, 1);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM driver_file"), 1);
}
END_TEST

START_TEST(driver_lists_count_builds_and_which_are_scanned)
{
    AUTO_DRIVER_ITEMS struct driver_items items = {0}, of_tag = {0};
    AUTO_DRIVER_FILE_ITEMS struct driver_file_items files = {0};
    const struct given first = {"a.sys", "1.0", A, "Aaaa"}, second = {"a.sys", "1.0", B, NULL};
    const struct given plain = {"b.sys", "2.0", NULL, "Aaaa"};
    list_drivers("h1", 1, &first, 1);
    list_drivers("h2", 1, &second, 1);
    list_drivers("h3", 1, &plain, 1);
    ck_assert_int_eq(store_drivers_list(db, NULL, NULL, &items, NULL), ST_OK);
    ck_assert_uint_eq(items.count, 2);
    ck_assert_int_eq(items.items[0].files, 2);
    ck_assert_int_eq(items.items[0].files_scanned, 1);
    ck_assert_int_eq(items.items[0].versions, 1);
    ck_assert_str_eq(items.items[0].product, "Product");
    ck_assert_uint_eq(items.items[0].tag_count, 1);
    ck_assert_int_eq(items.items[1].files, 0);
    ck_assert_int_eq(store_drivers_list(db, NULL, "Aaaa", &of_tag, NULL), ST_OK);
    ck_assert_uint_eq(of_tag.count, 2);
    ck_assert_int_eq(of_tag.items[0].hosts, 1); /* h2 runs the other build */
    ck_assert_int_eq(store_driver_files_of(db, "a.sys", &files, NULL), ST_OK);
    ck_assert_uint_eq(files.count, 2);
    ck_assert(files.items[0].scanned != files.items[1].scanned);
}
END_TEST

START_TEST(scanned_tags_name_their_drivers_as_of_the_time_they_were_known)
{
    AUTO_TAG_DRIVERS struct tag_drivers now = {0}, before = {0};
    const struct given untold = {"a.sys", "1.0", A, NULL}, told = {"a.sys", "1.0", A, "Aaaa Bbbb"};
    const struct given other = {"b.sys", "1.0", B, "Aaaa"};
    list_drivers("h1", 1, &untold, 1);
    list_drivers("h2", 2, &told, 1);
    list_drivers("h3", 2, &other, 1);
    ck_assert_int_eq(store_tag_drivers(db, t0 + STEP, &before, NULL), ST_OK);
    ck_assert_uint_eq(before.count, 0);
    ck_assert_int_eq(store_tag_drivers(db, t0 + 9 * STEP, &now, NULL), ST_OK);
    ck_assert_uint_eq(now.count, 3);
    size_t first = now.items[0].tag == tag("Aaaa") ? 0 : 1;
    ck_assert_uint_eq(now.items[first].tag, tag("Aaaa"));
    ck_assert_str_eq(now.items[first].driver, "a.sys"); /* two hosts run it, one the other */
    ck_assert_int_eq(now.items[first].hosts, 2);
    ck_assert_str_eq(now.items[first + 1].driver, "b.sys");
}
END_TEST

static size_t wanted_of(struct wants *wants, const char *host)
{
    struct want want;
    wants_take(wants, host, clock_mono_us(), &want);
    return want.scan_count;
}

START_TEST(unscanned_build_is_wanted_from_one_host_until_it_is_told)
{
    struct wants *wants = wants_new();
    struct err err = {0};
    const struct given untold = {"a.sys", "1.0", A, NULL}, told = {"a.sys", "1.0", A, ""};
    list_drivers("h1", 1, &untold, 1);
    list_drivers("h2", 1, &untold, 1);
    ck_assert_msg(wants_refresh(db, wants, &err) == ST_OK, "%s", err.message);
    ck_assert_uint_eq(wanted_of(wants, "h1"), 1);
    ck_assert_uint_eq(wanted_of(wants, "h2"), 0);
    ck_assert_int_eq(wants_refresh(db, wants, NULL), ST_OK); /* the claim goes on */
    ck_assert_uint_eq(wanted_of(wants, "h2"), 0);
    list_drivers("h1", 2, &told, 1);
    wants_free(wants);
    wants = wants_new();
    ck_assert_int_eq(wants_refresh(db, wants, NULL), ST_OK);
    ck_assert_uint_eq(wanted_of(wants, "h1") + wanted_of(wants, "h2"), 0);
    wants_free(wants);
}
END_TEST

START_TEST(hosts_in_open_findings_are_asked_for_processes_and_blocks)
{
    struct wants *wants = wants_new();
    struct want want;
    send_as(document("h1", 1), NULL, INGEST_ACCEPTED);
    send_as(document("h2", 1), NULL, INGEST_ACCEPTED);
    pg_sql(&pg,
           "INSERT INTO finding (finding_id, kind, status, severity, confidence, pool, tag,"
           " tags, summary, first_seen_at, last_seen_at, opened_at, doc, updated_at) SELECT id,"
           " kind, status, 'info', 1, 'paged', 'Aaaa', '{Aaaa,Bbbb}', 's', now(), now(), now(),"
           " '{}', now() FROM (VALUES ('f-1', 'leak', 'open'), ('f-2', 'handle_leak', 'open'),"
           " ('f-3', 'leak', 'resolved')) AS v (id, kind, status)");
    pg_sql(&pg, "INSERT INTO finding_host (finding_id, host_id, position, bytes, cohort_hosts)"
                " SELECT f, host_id, 0, 1, 0 FROM host JOIN (VALUES ('f-1', 'h1'), ('f-2', 'h2'),"
                " ('f-3', 'h2')) AS v (f, h) ON h = id");
    ck_assert_int_eq(wants_refresh(db, wants, NULL), ST_OK);
    wants_take(wants, "h1", 0, &want);
    ck_assert(want.processes && want.block_count == 2);
    ck_assert_uint_eq(want.blocks[1], tag("Bbbb"));
    wants_take(wants, "h2", 0, &want);
    ck_assert(want.processes && want.block_count == 0);
    wants_take(wants, "h1", US_PER_HOUR, &want); /* once a day */
    ck_assert(!want.processes && want.block_count == 0);
    wants_take(wants, "h1", US_PER_DAY, &want);
    ck_assert(want.processes);
    wants_free(wants);
}
END_TEST

/* ---- what the agent says of itself --------------------------------------------------------- */

START_TEST(agent_facts_of_the_newest_document_are_kept_and_survive_a_restart)
{
    struct fleet *again = fleet_new();
    struct snapshot *s = document("h1", 5);
    s->agent = (struct snapshot_agent){true, true, "0.1.0", 7, 2};
    send_as(s, NULL, INGEST_ACCEPTED);
    s = document("h1", 4); /* older: changes nothing */
    s->agent = (struct snapshot_agent){true, false, "0.0.9", 1, 1};
    send_as(s, NULL, INGEST_ACCEPTED);
    send_as(document("h1", 6), NULL, INGEST_ACCEPTED); /* says nothing of it */
    ck_assert_int_eq(fleet_load(db, again, NULL), ST_OK);
    struct fleet *fleets[] = {fleet, again};
    for (size_t i = 0; i < 2; i++) {
        const struct host_state *state = fleet_get(fleets[i], "h1");
        ck_assert_ptr_nonnull(state);
        ck_assert(state->agent.present && state->agent.simulated);
        ck_assert_str_eq(state->agent.version, "0.1.0");
        ck_assert_int_eq(state->agent.waiting, 7);
        ck_assert_int_eq(state->agent.dropped, 2);
        host_state_release(state);
    }
    fleet_free(again);
}
END_TEST

START_TEST(big_blocks_are_read_back_from_the_newest_document_that_has_them)
{
    AUTO_SNAPSHOT struct snapshot read;
    int64_t key = 0;
    struct snapshot *s = document("h1", 1);
    uint64_t bytes[] = {65536, 4096}, blocks[] = {3, 900};
    struct snapshot_blocks list = {tag("Leak"), 2, bytes, blocks};
    s->blocks = &list;
    s->block_count = 1;
    send_as(s, NULL, INGEST_ACCEPTED);
    send_as(document("h1", 2), NULL, INGEST_ACCEPTED);
    ck_assert_int_eq(store_host_key(db, "h1", &key, NULL), ST_OK);
    ck_assert_int_eq(store_big_blocks(db, key, t0, &read, NULL), ST_OK);
    ck_assert_uint_eq(read.block_count, 1);
    ck_assert_int_eq(read.taken_at_us, t0 + STEP);
    ck_assert_uint_eq(read.blocks[0].tag, tag("Leak"));
    ck_assert_uint_eq(read.blocks[0].count, 2);
    ck_assert_uint_eq(read.blocks[0].blocks[1], 900);
}
END_TEST

START_TEST(host_that_only_enrolled_awaits_its_first_snapshot)
{
    AUTO_AWAITING_LIST struct store_awaiting_list list = {0}, one = {0}, none = {0};
    pg_sql(&pg, "INSERT INTO host (id, name, first_seen_at, last_seen_at, received_at)"
                " VALUES ('new', 'NEW01', now(), now(), now())");
    send_as(document("h1", 1), NULL, INGEST_ACCEPTED);
    ck_assert_int_eq(store_hosts_awaiting(db, NULL, &list, NULL), ST_OK);
    ck_assert_uint_eq(list.count, 1);
    ck_assert_str_eq(list.items[0].name, "NEW01");
    ck_assert_int_eq(store_hosts_awaiting(db, "new", &one, NULL), ST_OK);
    ck_assert_uint_eq(one.count, 1);
    send_as(document("new", 1), "new", INGEST_ACCEPTED);
    ck_assert_int_eq(store_hosts_awaiting(db, "new", &none, NULL), ST_OK);
    ck_assert_uint_eq(none.count, 0);
    /* Its first snapshot is older than its enrolment: it was spooled before. */
    ck_assert_int_eq(pg_number(&pg, "SELECT extract(epoch FROM first_seen_at)::bigint FROM host"
                                    " WHERE id = 'new'"),
                     (t0 + STEP) / US_PER_SECOND);
}
END_TEST

Suite *driver_files_suite(void)
{
    Suite *suite = suite_create("driver_files");
    TCase *tc = tcase_create("driver_files");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, tags_told_by_one_host_show_on_every_host_with_the_same_file);
    tcase_add_test(tc, tags_told_later_do_not_begin_a_new_row_of_history);
    tcase_add_test(tc, second_host_with_other_tags_of_the_same_file_changes_nothing);
    tcase_add_test(tc, one_file_under_two_names_in_one_document_is_one_build);
    tcase_add_test(tc, driver_lists_count_builds_and_which_are_scanned);
    tcase_add_test(tc, scanned_tags_name_their_drivers_as_of_the_time_they_were_known);
    tcase_add_test(tc, unscanned_build_is_wanted_from_one_host_until_it_is_told);
    tcase_add_test(tc, hosts_in_open_findings_are_asked_for_processes_and_blocks);
    tcase_add_test(tc, agent_facts_of_the_newest_document_are_kept_and_survive_a_restart);
    tcase_add_test(tc, big_blocks_are_read_back_from_the_newest_document_that_has_them);
    tcase_add_test(tc, host_that_only_enrolled_awaits_its_first_snapshot);
    suite_add_tcase(suite, tc);
    return suite;
}
