/* SPDX-License-Identifier: Apache-2.0 */
#include "common/limits.h"
#include "common/snapshot.h"

#include <check.h>
#include <string.h>

Suite *snapshot_suite(void);

static void make_table(struct arena *arena, struct snapshot_table *ret_table, size_t count,
                       const uint32_t rows[][4])
{
    ck_assert_int_eq(snapshot_table_alloc(arena, ret_table, count, COLUMN_ALL), ST_OK);
    for (size_t i = 0; i < count; i++) {
        ret_table->tag[i] = rows[i][0];
        ret_table->allocs[i] = rows[i][1];
        ret_table->frees[i] = rows[i][2];
        ret_table->bytes[i] = rows[i][3];
    }
}

static void assert_same(const struct snapshot_table *a, const struct snapshot_table *b)
{
    ck_assert_int_eq(a->present, b->present);
    ck_assert_uint_eq(a->count, b->count);
    ck_assert_uint_eq(snapshot_table_columns(a), snapshot_table_columns(b));
    for (size_t i = 0; i < a->count; i++) {
        ck_assert_uint_eq(a->tag[i], b->tag[i]);
        ck_assert_uint_eq(a->allocs[i], b->allocs[i]);
        ck_assert_uint_eq(a->frees[i], b->frees[i]);
        ck_assert_uint_eq(a->bytes[i], b->bytes[i]);
    }
}

START_TEST(sort_unordered_rows_keeps_columns_together)
{
    AUTO_ARENA struct arena arena = {0};
    struct snapshot_table table;
    static const uint32_t rows[][4] = {{9, 90, 91, 92}, {3, 30, 31, 32}, {7, 70, 71, 72}};
    static const uint32_t sorted[][4] = {{3, 30, 31, 32}, {7, 70, 71, 72}, {9, 90, 91, 92}};
    struct snapshot_table wanted;
    make_table(&arena, &table, 3, rows);
    make_table(&arena, &wanted, 3, sorted);
    ck_assert_int_eq(snapshot_table_sort(&table, NULL), ST_OK);
    assert_same(&table, &wanted);
    ck_assert_uint_eq(snapshot_table_find(&table, 7), 1);
    ck_assert_uint_eq(snapshot_table_find(&table, 8), SIZE_MAX);
}
END_TEST

START_TEST(sort_tag_twice_names_the_second_place)
{
    AUTO_ARENA struct arena arena = {0};
    struct snapshot_table table;
    struct err err = {0};
    static const uint32_t rows[][4] = {{9}, {3}, {9}};
    make_table(&arena, &table, 3, rows);
    ck_assert_int_eq(snapshot_table_sort(&table, &err), ST_INVALID);
    ck_assert_str_eq(err.field, "tag[2]");
}
END_TEST

START_TEST(merge_changed_rows_replace_and_add)
{
    AUTO_ARENA struct arena arena = {0};
    struct snapshot_table base, changed, merged, wanted;
    static const uint32_t base_rows[][4] = {{2, 1, 1, 1}, {4, 2, 2, 2}, {6, 3, 3, 3}};
    static const uint32_t changed_rows[][4] = {{1, 9, 9, 9}, {4, 8, 8, 8}, {8, 7, 7, 7}};
    static const uint32_t wanted_rows[][4] = {
        {1, 9, 9, 9}, {2, 1, 1, 1}, {4, 8, 8, 8}, {6, 3, 3, 3}, {8, 7, 7, 7}};
    make_table(&arena, &base, 3, base_rows);
    make_table(&arena, &changed, 3, changed_rows);
    make_table(&arena, &wanted, 5, wanted_rows);
    ck_assert_int_eq(snapshot_table_merge(&arena, &base, &changed, &merged, NULL), ST_OK);
    assert_same(&merged, &wanted);
}
END_TEST

START_TEST(merge_other_columns_is_invalid)
{
    AUTO_ARENA struct arena arena = {0};
    struct snapshot_table base, changed, merged;
    ck_assert_int_eq(snapshot_table_alloc(&arena, &base, 1, COLUMN_ALL), ST_OK);
    ck_assert_int_eq(snapshot_table_alloc(&arena, &changed, 1, COLUMN_BYTES), ST_OK);
    ck_assert_int_eq(snapshot_table_merge(&arena, &base, &changed, &merged, NULL), ST_INVALID);
}
END_TEST

START_TEST(merge_absent_tables_stay_absent)
{
    AUTO_ARENA struct arena arena = {0};
    struct snapshot_table none = {0};
    struct snapshot_table merged = {.present = true};
    ck_assert_int_eq(snapshot_table_merge(&arena, &none, &none, &merged, NULL), ST_OK);
    ck_assert(!merged.present);
}
END_TEST

/* A small generator of our own, so that a failing seed can be named. */
static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

START_TEST(changed_then_merge_gives_the_newer_table)
{
    uint64_t seed = (uint64_t)_i + 1;
    AUTO_ARENA struct arena arena = {0};
    struct snapshot_table base, now, changed, merged;
    size_t rows = next_random(&seed) % 200;
    ck_assert_int_eq(snapshot_table_alloc(&arena, &base, rows, COLUMN_ALL), ST_OK);
    ck_assert_int_eq(snapshot_table_alloc(&arena, &now, rows + 20, COLUMN_ALL), ST_OK);
    for (size_t i = 0; i < rows + 20; i++) {
        /* the newer table has the base's tags and some new ones between and behind them */
        now.tag[i] = (uint32_t)i * 3;
        now.allocs[i] = next_random(&seed) * 5; /* wraps */
        now.frees[i] = next_random(&seed) * 5;
        now.bytes[i] = (uint64_t)next_random(&seed) << (next_random(&seed) % 20);
    }
    size_t b = 0;
    for (size_t i = 0; i < rows + 20 && b < rows; i++) {
        if (next_random(&seed) % 10 == 0)
            continue;
        base.tag[b] = now.tag[i];
        bool same = next_random(&seed) % 2 == 0;
        base.allocs[b] = same ? now.allocs[i] : next_random(&seed);
        base.frees[b] = same ? now.frees[i] : next_random(&seed);
        base.bytes[b] = same ? now.bytes[i] : next_random(&seed);
        b++;
    }
    base.count = b;
    ck_assert_int_eq(snapshot_table_changed(&arena, &base, &now, &changed), ST_OK);
    ck_assert_uint_le(changed.count, now.count);
    ck_assert_int_eq(snapshot_table_merge(&arena, &base, &changed, &merged, NULL), ST_OK);
    assert_same(&merged, &now);
}
END_TEST

START_TEST(changed_same_table_is_empty)
{
    AUTO_ARENA struct arena arena = {0};
    struct snapshot_table table, changed;
    static const uint32_t rows[][4] = {{2, 1, 1, 1}, {4, 2, 2, 2}};
    make_table(&arena, &table, 2, rows);
    ck_assert_int_eq(snapshot_table_changed(&arena, &table, &table, &changed), ST_OK);
    ck_assert(changed.present);
    ck_assert_uint_eq(changed.count, 0);
}
END_TEST

Suite *snapshot_suite(void)
{
    Suite *suite = suite_create("snapshot");
    TCase *tables = tcase_create("tables");
    tcase_add_test(tables, sort_unordered_rows_keeps_columns_together);
    tcase_add_test(tables, sort_tag_twice_names_the_second_place);
    tcase_add_test(tables, merge_changed_rows_replace_and_add);
    tcase_add_test(tables, merge_other_columns_is_invalid);
    tcase_add_test(tables, merge_absent_tables_stay_absent);
    tcase_add_test(tables, changed_same_table_is_empty);
    tcase_add_loop_test(tables, changed_then_merge_gives_the_newer_table, 0, 40);
    suite_add_tcase(suite, tables);
    return suite;
}
