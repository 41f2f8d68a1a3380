/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kept hosts as bytes: everything comes back, hosts that cannot go on are not stored, and bytes
 * that are not exactly what was written are refused. That a restored host is one read from cold is
 * shown in test_kept.c.
 */
#include "server/analyze/kept_inside.h"
#include "server/analyze/kept_store.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

Suite *kept_store_suite(void);

#define START  (20000 * US_PER_DAY)
#define POINTS 12
#define ROWS   40

static const struct analyze_fact facts[] = {
    {"role", "web", TIME_UNKNOWN, TIME_UNKNOWN},
    {"driver/a.sys", "1.0", START - US_PER_DAY, START + US_PER_HOUR},
    {"driver/a.sys", "1.1", START + US_PER_HOUR, TIME_UNKNOWN},
    {"agent.name", "", START, TIME_UNKNOWN},
};
static struct snapshot_object objects[] = {{"Token", 100, 200}, {"File", -1, 7}};
static struct snapshot_process processes[] = {{4, "System", 900}, {80, "", -1}};
static struct snapshot_session sessions[] = {{1, 5000, 3}, {2, -1, -1}};
static struct snapshot_event events[] = {{START, "Srv", 2019}};

static struct fleet fleet;
static struct kept *kept;
static struct strbuf bytes;
static int64_t last_us;

/* A row that leaks, many that stand still, one larger than a float can tell. */
static void tables_make(struct arena *arena, size_t point, struct snapshot_table *tables)
{
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct snapshot_table *table = &tables[pool];
        ck_assert_int_eq(snapshot_table_alloc(arena, table, ROWS, COLUMN_ALL), ST_OK);
        for (size_t r = 0; r < ROWS; r++) {
            table->tag[r] = (uint32_t)(r * 0x01010101 + (unsigned)pool);
            table->bytes[r] = r == 5   ? (uint64_t)point << 22
                              : r == 6 ? UINT64_C(1) << 43
                                       : UINT64_C(17) << r % 20;
            table->allocs[r] = (uint32_t)(r * 1000 + point);
            table->frees[r] = (uint32_t)(r == 5 ? 0 : r * 999);
        }
    }
}

static void point_make(struct arena *arena, size_t i, struct analyze_point *ret_point)
{
    struct snapshot_table *tables = arena_alloc(arena, POOL_COUNT, sizeof *tables);
    struct snapshot_totals *totals = arena_alloc(arena, 1, sizeof *totals);
    *totals = (struct snapshot_totals){0};
    totals_set(totals, TOTAL_PROCESSES, 100 + i);
    tables_make(arena, i, tables);
    *ret_point = (struct analyze_point){.taken_at_us = START + (int64_t)i * US_PER_HOUR,
                                        .boot_at_us = START - US_PER_HOUR,
                                        .totals = totals,
                                        .table = tables,
                                        .objects = objects,
                                        .object_count = 2,
                                        .processes = processes,
                                        .process_count = 2,
                                        .sessions = sessions,
                                        .session_count = 2,
                                        .events = events,
                                        .event_count = 1};
}

static void setup(void)
{
    AUTO_ARENA struct arena arena = {0};
    struct analyze_point points[POINTS];
    for (size_t i = 0; i < POINTS; i++)
        point_make(&arena, i, &points[i]);
    last_us = points[POINTS - 1].taken_at_us;
    struct analyze_host host = {.id = "host-1",
                                .name = "ONE",
                                .facts = facts,
                                .fact_count = sizeof facts / sizeof *facts,
                                .points = points,
                                .point_count = POINTS};
    fleet = (struct fleet){0};
    kept = kept_new();
    ck_assert_int_eq(fleet_keep(&fleet, kept, &host, last_us), ST_OK);
    kept->sequence = 77;
    kept->received_us = last_us + US_PER_SECOND;
    bytes = (struct strbuf)STRBUF_INIT;
    ck_assert_int_eq(fleet_store(&fleet, kept, &bytes), ST_OK);
}

static void teardown(void)
{
    kept_free(kept);
    fleet_done(&fleet);
    strbuf_done(&bytes);
}

static enum status restore(const void *data, size_t length, struct kept **ret_kept)
{
    *ret_kept = kept_new();
    return fleet_restore(&fleet, *ret_kept, data, length);
}

START_TEST(kept_store_restored_host_gives_the_same_bytes_again)
{
    struct fleet other = {0};
    struct kept *back = kept_new();
    AUTO_STRBUF struct strbuf again = STRBUF_INIT;
    ck_assert_int_eq(fleet_restore(&other, back, bytes.data, bytes.length), ST_OK);
    ck_assert_str_eq(kept_id(back), "host-1");
    ck_assert(kept_is_named(back, "ONE"));
    ck_assert(!kept_lost(back));
    ck_assert_int_eq(kept_taken_us(back), last_us);
    ck_assert(kept_knows(back, last_us, last_us));
    ck_assert(!kept_knows(back, last_us, last_us + 2 * US_PER_SECOND));
    ck_assert(kept_wants_details(back, last_us) == kept_wants_details(kept, last_us));
    ck_assert_int_eq(back->sequence, 77);
    ck_assert_uint_eq(back->session_count, kept->session_count);
    ck_assert_uint_eq(back->event_count, POINTS);
    ck_assert_str_eq(back->events[0].provider, "srv");
    ck_assert_uint_eq(back->host.change_count, 1);
    ck_assert_int_eq(fleet_store(&other, back, &again), ST_OK);
    ck_assert_uint_eq(again.length, bytes.length);
    ck_assert_int_eq(memcmp(again.data, bytes.data, bytes.length), 0);
    kept_free(back);
    fleet_done(&other);
}
END_TEST

START_TEST(kept_store_lost_and_empty_hosts_are_not_storable)
{
    struct kept *empty = kept_new();
    ck_assert(!kept_storable(empty));
    kept_free(empty);
    ck_assert(kept_storable(kept));
    kept->lost = true;
    ck_assert(!kept_storable(kept));
}
END_TEST

START_TEST(kept_store_host_of_too_many_rows_is_refused_whole)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct kept_table *table = &kept->tables[POOL_PAGED];
    size_t many = KEPT_STORED_MAX / 2;
    ck_assert(KEPT_ROOM(table->levels, table->level_room, many));
    table->level_count = many;
    for (size_t i = 0; i < many; i++)
        table->levels[i] = (struct fleet_row){(uint32_t)i * 300, (float)(i % 1000) * 3};
    strbuf_puts(&out, "before");
    ck_assert_int_eq(fleet_store(&fleet, kept, &out), ST_TOO_LARGE);
    ck_assert_uint_eq(out.length, 6);
}
END_TEST

START_TEST(kept_store_any_flipped_bit_is_refused)
{
    for (size_t bit = 0; bit < bytes.length * 8; bit++) {
        struct kept *back;
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ 1 << bit % 8);
        ck_assert_int_eq(restore(bytes.data, bytes.length, &back), ST_MALFORMED);
        ck_assert_uint_eq(back->pick_count, 0);
        ck_assert(kept_lost(back));
        kept_free(back);
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ 1 << bit % 8);
    }
}
END_TEST

START_TEST(kept_store_any_shorter_length_is_refused)
{
    for (size_t length = 0; length < bytes.length; length++) {
        AUTO_FREE char *cut = malloc(length + 1); /* so that a read past it is seen */
        struct kept *back;
        memcpy(cut, bytes.data, length);
        cut = realloc(cut, length == 0 ? 1 : length);
        ck_assert_int_eq(restore(cut, length, &back), ST_MALFORMED);
        kept_free(back);
    }
}
END_TEST

Suite *kept_store_suite(void)
{
    Suite *suite = suite_create("kept_store");
    TCase *tc = tcase_create("kept_store");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, kept_store_restored_host_gives_the_same_bytes_again);
    tcase_add_test(tc, kept_store_lost_and_empty_hosts_are_not_storable);
    tcase_add_test(tc, kept_store_host_of_too_many_rows_is_refused_whole);
    tcase_add_test(tc, kept_store_any_flipped_bit_is_refused);
    tcase_add_test(tc, kept_store_any_shorter_length_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}
