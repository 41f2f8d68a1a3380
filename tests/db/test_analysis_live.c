/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passes of the running server against analyses from cold of the same database at the same moment:
 * while documents come in order, late, on another base, with a reboot and with other facts; from
 * another server; after sealing; while hosts are still being read; and after a restart that goes on
 * with hosts as they were stored.
 */
#include "server/ingest/ingest.h"
#include "server/jobs/analysis_live.h"
#include "server/jobs/analysis_run.h"
#include "server/jobs/seal.h"
#include "server/store/finding_doc.h"
#include "server/store/store_hosts.h"
#include "tests/support/fleetgen.h"
#include "tests/support/pg.h"

#include <check.h>

#include <stdio.h>
#include <string.h>

Suite *analysis_live_suite(void);

#define HOSTS 9
#define ROWS  24
#define STEP  (10 * US_PER_MINUTE)
#define BEGUN 120 /* documents of each host before the first pass: 20 hours */

static struct pg pg;
static struct fleet *fleet;
static struct ingest *ingest;
static struct analysis_live *live;
static int64_t t0;

struct teller {
    int64_t boot_us;
    int64_t sequence;
    int64_t base; /* -1: the next one is whole */
    struct arena arena;
    struct snapshot_table told[POOL_COUNT]; /* of the base */
    const char *driver;
};
static struct teller tellers[HOSTS];

static void setup(void)
{
    struct ingest_options options = {.queue_bytes = 64u << 20, .keyframe_us = 3 * US_PER_HOUR};
    pg_setup(&pg);
    fleet = fleet_new();
    ck_assert_int_eq(ingest_start(pg.pool, fleet, &options, &ingest, NULL), ST_OK);
    live = analysis_live_new();
    t0 = clock_wall_us() / STEP * STEP - 30 * US_PER_HOUR;
    for (size_t h = 0; h < HOSTS; h++)
        tellers[h] = (struct teller){.boot_us = t0 - US_PER_HOUR, .base = -1, .driver = "1.0"};
}

static void teardown(void)
{
    analysis_live_free(live);
    ingest_stop(ingest);
    fleet_free(fleet);
    for (size_t h = 0; h < HOSTS; h++)
        arena_done(&tellers[h].arena);
    pg_teardown(&pg);
}

/* Three hosts leak in two rows, since the boot. */
static void fill(const struct teller *teller, size_t h, int64_t at_us, struct arena *arena,
                 struct snapshot_table tables[POOL_COUNT])
{
    double hours = (double)(at_us - teller->boot_us) / (double)US_PER_HOUR;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct snapshot_table *table = &tables[pool];
        ck_assert_int_eq(snapshot_table_alloc(arena, table, ROWS, COLUMN_ALL), ST_OK);
        for (size_t r = 0; r < ROWS; r++) {
            struct rng rng = {h * 1000 + r + (uint64_t)at_us / (r % 3 == 0 ? STEP : US_PER_DAY)};
            uint64_t blocks = 1000 * (r + 1) + rng_below(&rng, 500);
            if (h < 3 && r < 2 && pool == POOL_NONPAGED)
                blocks += (uint64_t)(hours * (r == 0 ? 80000 : 40000));
            table->tag[r] = (uint32_t)(0x41414141 + r * 257);
            table->frees[r] = (uint32_t)(hours * 100);
            table->allocs[r] = table->frees[r] + (uint32_t)blocks;
            table->bytes[r] = blocks * 128;
        }
    }
}

static void send(size_t h, int64_t at_us, bool keep_base)
{
    struct teller *teller = &tellers[h];
    char id[16], name[16];
    snprintf(id, sizeof id, "live-%zu", h);
    snprintf(name, sizeof name, "LIVE%zu", h);
    struct snapshot *s = gen_snapshot(id, teller->boot_us, at_us, teller->sequence++, teller->base);
    struct snapshot_table whole[POOL_COUNT];
    struct outcome outcome = {0};
    s->host_name = arena_strdup(&s->arena, name);
    fill(teller, h, at_us, &s->arena, whole);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (teller->base < 0)
            gen_copy(&s->arena, &whole[pool], &s->table[pool]);
        else
            ck_assert_int_eq(snapshot_table_changed(&s->arena, &teller->told[pool], &whole[pool],
                                                    &s->table[pool]),
                             ST_OK);
    }
    totals_set(&s->totals, TOTAL_PHYSICAL_BYTES, UINT64_C(16) << 30);
    totals_set(&s->totals, TOTAL_NONPAGED_LIMIT_BYTES, UINT64_C(12) << 30);
    s->has_drivers = true;
    s->driver_count = 1;
    s->drivers = arena_alloc(&s->arena, 1, sizeof *s->drivers);
    s->drivers[0].name = "leaky.sys";
    s->drivers[0].version = h < 3 ? "6.6" : teller->driver;
    s->objects = arena_alloc(&s->arena, 1, sizeof *s->objects);
    s->objects[0] = (struct snapshot_object){"Token", 100, 100};
    s->object_count = 1;
    int64_t sequence = s->sequence;
    ck_assert_int_eq(gen_send(ingest, &s, 1, NULL, &outcome), ST_OK);
    ck_assert_msg(outcome.outcome == INGEST_ACCEPTED, "host %zu: %s", h, outcome.err.message);
    if (keep_base)
        return;
    struct arena arena = {0};
    fill(teller, h, at_us, &arena, teller->told);
    arena_done(&teller->arena);
    teller->arena = arena;
    teller->base = sequence;
}

static int64_t moment(size_t i)
{
    return t0 + (int64_t)i * STEP;
}

static void send_all(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        for (size_t h = 0; h < HOSTS; h++)
            send(h, moment(i) + (int64_t)h * US_PER_SECOND, false);
    }
}

static void begin(void)
{
    send_all(0, BEGUN);
}

static struct analysis_live_pass pass_with(struct analysis_live *of, int64_t budget_us,
                                           struct finding_list *ret_list)
{
    struct analysis_live_options options = {.budget_us = budget_us};
    struct analysis_live_pass pass = {0};
    struct err err = {0};
    enum status status = analysis_live_pass(of, pg.pool, &options, &pass, ret_list, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
    return pass;
}

static char *text_of(const struct finding_list *list)
{
    struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < list->count; i++) {
        strbuf_printf(&text, "%s %d %.17g %s\n", list->items[i].id, (int)list->items[i].severity,
                      (double)list->items[i].confidence, list->items[i].summary);
        finding_doc_write(&list->items[i], &text);
        strbuf_putc(&text, '\n');
    }
    for (size_t i = 0; i < list->fault_count; i++)
        strbuf_printf(&text, "fault %s\n", list->faults[i].host_id);
    return strbuf_take(&text);
}

/* A pass, and that it says what an analysis from cold says. */
static struct analysis_live_pass check_pass(struct analysis_live *of)
{
    AUTO_FINDINGS struct finding_list warm = {0};
    AUTO_FINDINGS struct finding_list cold = {0};
    struct analysis_live_pass pass = pass_with(of, US_PER_DAY, &warm);
    ck_assert(pass.complete);
    ck_assert_int_eq(analysis_run(pg.pool, NULL, pass.as_of_us, &cold, NULL), ST_OK);
    char *a = text_of(&warm), *b = text_of(&cold);
    ck_assert_uint_gt(cold.count, 0);
    ck_assert_str_eq(a, b);
    free(a);
    free(b);
    return pass;
}

START_TEST(live_passes_in_order_read_nothing_again)
{
    begin();
    struct analysis_live_pass pass = check_pass(live);
    ck_assert_uint_eq(pass.cold, HOSTS);
    for (size_t i = BEGUN; i < BEGUN + 16; i += 2) {
        send_all(i, i + 2);
        pass = check_pass(live);
        ck_assert_uint_eq(pass.cold, 0);
        ck_assert_uint_eq(pass.documents, 2 * HOSTS);
        pass = check_pass(live); /* what the overlap brings again is known */
        ck_assert_uint_eq(pass.documents, 0);
        ck_assert_uint_eq(pass.cold, 0);
    }
}
END_TEST

START_TEST(live_host_out_of_order_is_read_again_alone)
{
    begin();
    check_pass(live);
    send_all(BEGUN, BEGUN + 1);
    tellers[0].boot_us = moment(BEGUN) + US_PER_MINUTE; /* rebooted */
    tellers[0].base = -1;
    send(0, moment(BEGUN + 1), false);
    tellers[1].base = -1; /* late, and whole */
    send(1, moment(BEGUN) - 5 * US_PER_MINUTE, true);
    send(2, moment(BEGUN + 1), true); /* two on one base */
    send(2, moment(BEGUN + 2), true);
    tellers[4].driver = "2.0";
    send(4, moment(BEGUN + 1), false);
    struct analysis_live_pass pass = check_pass(live);
    ck_assert_uint_eq(pass.cold, 3);
    ck_assert_uint_eq(pass.waiting, 0);
    pass = check_pass(live);
    ck_assert_uint_eq(pass.cold, 0);
}
END_TEST

START_TEST(live_pass_with_a_small_budget_finds_nothing_until_all_are_read)
{
    AUTO_FINDINGS struct finding_list list = {0};
    begin();
    for (size_t i = 0; i + 1 < HOSTS; i++) {
        struct analysis_live_pass pass = pass_with(live, 0, &list);
        ck_assert(!pass.complete);
        ck_assert_uint_eq(pass.cold, 1);
        ck_assert_uint_eq(pass.waiting, HOSTS - 1 - i);
        ck_assert_uint_eq(list.count, 0);
        send_all(BEGUN + i, BEGUN + i + 1);
    }
    struct analysis_live_pass pass = pass_with(live, 0, &list);
    ck_assert(pass.complete);
    ck_assert_uint_gt(list.count, 0);
    check_pass(live);
}
END_TEST

START_TEST(live_takeover_by_another_server_finds_the_same)
{
    struct seal_options seal = {.now_us = clock_wall_us() + US_PER_DAY / 2,
                                .settle_us = SEAL_SETTLE_US,
                                .drop_us = SEAL_DROP_US};
    struct seal_counts counts = {0};
    atomic_bool never = false;
    begin();
    check_pass(live);
    send_all(BEGUN, BEGUN + 2);
    struct db *db = NULL;
    ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, NULL), ST_OK);
    ck_assert_int_eq(seal_pass(db, &seal, &never, &counts, NULL), ST_OK);
    db_release(db);
    ck_assert_uint_gt(counts.partitions, 0);
    struct analysis_live *other = analysis_live_new();
    struct analysis_live_pass pass = check_pass(other);
    ck_assert_uint_eq(pass.cold, HOSTS);
    /* The blocks that came since are sealed and gone: this one has to read again, too. */
    pass = check_pass(live);
    ck_assert_uint_eq(pass.cold, HOSTS);
    analysis_live_free(other);
}
END_TEST

/* ---- over a restart ------------------------------------------------------------ */

static struct analysis_live_saved save(int64_t every_us, size_t budget_bytes)
{
    struct analysis_live_save_options options = {
        .every_us = every_us, .budget_us = US_PER_DAY, .budget_bytes = budget_bytes};
    struct analysis_live_saved saved = {0};
    struct err err = {0};
    enum status status = analysis_live_save(live, pg.pool, &options, &saved, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
    return saved;
}

/* Another server, or this one started again. */
static struct analysis_live_pass restart(void)
{
    analysis_live_free(live);
    live = analysis_live_new();
    return check_pass(live);
}

static void begin_stored(void)
{
    begin();
    check_pass(live);
    struct analysis_live_saved saved = save(US_PER_HOUR, SIZE_MAX);
    ck_assert_uint_eq(saved.hosts, HOSTS);
    ck_assert_uint_gt(saved.bytes, 0);
}

START_TEST(live_restart_goes_on_with_stored_hosts)
{
    begin_stored();
    send_all(BEGUN, BEGUN + 2);
    tellers[4].driver = "2.0";
    send_all(BEGUN + 2, BEGUN + 3);
    for (int i = 0; i < 2; i++) { /* what is stored is not used up */
        struct analysis_live_pass pass = restart();
        ck_assert_uint_eq(pass.restored, HOSTS);
        ck_assert_uint_eq(pass.refused, 0);
        ck_assert_uint_eq(pass.cold, 0);
        ck_assert_uint_eq(pass.waiting, 0);
        ck_assert_uint_eq(pass.documents, 3 * HOSTS);
    }
    send_all(BEGUN + 3, BEGUN + 6);
    struct analysis_live_pass pass = check_pass(live);
    ck_assert_uint_eq(pass.cold + pass.restored, 0);
    ck_assert_uint_eq(pass.documents, 3 * HOSTS);
}
END_TEST

START_TEST(live_restart_after_a_stop_takes_nothing_in_twice)
{
    begin_stored();
    send_all(BEGUN, BEGUN + 2);
    check_pass(live);
    ck_assert_uint_eq(save(0, SIZE_MAX).hosts, HOSTS);
    struct analysis_live_pass pass = restart();
    ck_assert_uint_eq(pass.restored, HOSTS);
    ck_assert_uint_eq(pass.documents, 0);
}
END_TEST

START_TEST(live_restart_reads_hosts_that_did_not_go_on_from_cold)
{
    begin_stored();
    send_all(BEGUN, BEGUN + 1);
    tellers[0].boot_us = moment(BEGUN) + US_PER_MINUTE; /* rebooted */
    tellers[0].base = -1;
    send(0, moment(BEGUN + 1), false);
    tellers[1].base = -1; /* late, and whole */
    send(1, moment(BEGUN) - 5 * US_PER_MINUTE, true);
    struct analysis_live_pass pass = restart();
    ck_assert_uint_eq(pass.restored, HOSTS);
    ck_assert_uint_eq(pass.cold, 2);
    ck_assert_uint_eq(pass.waiting, 0);
}
END_TEST

/* One each: damaged, of another format, another host's, of no time at all, gone. */
START_TEST(live_restart_refuses_rows_that_do_not_fit)
{
    begin_stored();
    pg_sql(&pg, "CREATE TABLE o AS SELECT c.*, row_number() OVER (ORDER BY host_id) AS n"
                " FROM analysis_checkpoint c");
    pg_sql(&pg, "UPDATE analysis_checkpoint c SET"
                " kept = CASE n WHEN 1 THEN set_byte(c.kept, 100, get_byte(c.kept, 100) # 4)"
                " WHEN 2 THEN set_byte(c.kept, 3, 0)"
                " WHEN 3 THEN (SELECT kept FROM o AS p WHERE p.n = 4) ELSE c.kept END,"
                " received_at = CASE n WHEN 5 THEN now() + interval '1 hour'"
                " WHEN 6 THEN '2020-01-01' ELSE c.received_at END"
                " FROM o WHERE o.host_id = c.host_id");
    pg_sql(&pg, "DELETE FROM analysis_checkpoint c USING o WHERE o.host_id = c.host_id AND n = 7");
    struct analysis_live_pass pass = restart();
    ck_assert_uint_eq(pass.restored, HOSTS - 6);
    ck_assert_uint_eq(pass.refused, 5);
    ck_assert_uint_eq(pass.cold, 6);
    ck_assert_uint_eq(save(US_PER_DAY, SIZE_MAX).hosts, 6); /* they have none that is good */
    ck_assert_uint_eq(restart().restored, HOSTS);
}
END_TEST

START_TEST(live_restart_when_blocks_since_are_gone_reads_from_cold)
{
    begin_stored();
    pg_sql(&pg, "UPDATE analysis_checkpoint SET received_at = received_at - interval '1 day'");
    struct analysis_live_pass pass = restart();
    ck_assert_uint_eq(pass.refused, HOSTS);
    ck_assert_uint_eq(pass.cold, HOSTS);
}
END_TEST

START_TEST(live_stored_hosts_without_news_are_moved_on_unless_the_row_is_another)
{
    begin_stored();
    ck_assert_uint_eq(save(US_PER_HOUR, SIZE_MAX).hosts, 0); /* not that often */
    send(3, moment(BEGUN), false);
    check_pass(live);
    struct analysis_live_saved saved = save(0, SIZE_MAX);
    ck_assert_uint_eq(saved.hosts, 1);
    ck_assert_uint_eq(saved.extended, HOSTS - 1);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(DISTINCT received_at) FROM analysis_checkpoint"),
                     1);
    pg_sql(&pg, "DELETE FROM analysis_checkpoint"); /* as a crash of PostgreSQL does */
    check_pass(live);
    saved = save(0, SIZE_MAX);
    ck_assert_uint_eq(saved.extended, 0);
    saved = save(0, SIZE_MAX);
    ck_assert_uint_eq(saved.hosts, HOSTS);
    ck_assert_uint_eq(restart().restored, HOSTS);
}
END_TEST

START_TEST(live_stores_some_hosts_of_each_turn_when_the_budget_is_small)
{
    begin();
    check_pass(live);
    for (size_t i = 0; i < HOSTS; i++)
        ck_assert_uint_eq(save(US_PER_HOUR, 1).hosts, 1);
    ck_assert_uint_eq(save(US_PER_HOUR, 1).hosts, 0);
    ck_assert_uint_eq(restart().restored, HOSTS);
}
END_TEST

START_TEST(live_pass_without_hosts_finds_nothing)
{
    AUTO_FINDINGS struct finding_list list = {0};
    struct analysis_live_pass pass = pass_with(live, US_PER_DAY, &list);
    ck_assert(!pass.complete);
    ck_assert_int_eq(pass.as_of_us, TIME_UNKNOWN);
    begin();
    check_pass(live);
}
END_TEST

Suite *analysis_live_suite(void)
{
    Suite *suite = suite_create("analysis_live");
    TCase *tc = tcase_create("analysis_live");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, live_passes_in_order_read_nothing_again);
    tcase_add_test(tc, live_host_out_of_order_is_read_again_alone);
    tcase_add_test(tc, live_pass_with_a_small_budget_finds_nothing_until_all_are_read);
    tcase_add_test(tc, live_takeover_by_another_server_finds_the_same);
    tcase_add_test(tc, live_restart_goes_on_with_stored_hosts);
    tcase_add_test(tc, live_restart_after_a_stop_takes_nothing_in_twice);
    tcase_add_test(tc, live_restart_reads_hosts_that_did_not_go_on_from_cold);
    tcase_add_test(tc, live_restart_refuses_rows_that_do_not_fit);
    tcase_add_test(tc, live_restart_when_blocks_since_are_gone_reads_from_cold);
    tcase_add_test(tc, live_stored_hosts_without_news_are_moved_on_unless_the_row_is_another);
    tcase_add_test(tc, live_stores_some_hosts_of_each_turn_when_the_budget_is_small);
    tcase_add_test(tc, live_pass_without_hosts_finds_nothing);
    suite_add_tcase(suite, tc);
    return suite;
}
