/* SPDX-License-Identifier: Apache-2.0 */
#include "server/state/fleet.h"
#include "tests/support/fleetgen.h"

#include <check.h>

#include <pthread.h>
#include <string.h>

Suite *fleet_suite(void);

#define T0 (1700000000ll * US_PER_SECOND)

static struct host_state *state_of(const struct snapshot *s, const struct host_state *previous)
{
    struct host_state *host = NULL;
    struct err err = {0};
    enum status status = host_state_new(7, s, previous, &host, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
    return host;
}

START_TEST(fleet_tables_come_back_for_any_columns)
{
    struct rng rng = {(uint64_t)_i + 1};
    for (unsigned columns = 0; columns <= COLUMN_ALL; columns++) {
        struct snapshot *s = gen_snapshot("h", T0, T0, 1, -1);
        AUTO_ARENA struct arena arena = {0};
        struct snapshot_table back[POOL_COUNT];
        gen_table(&rng, &s->arena, &s->table[columns % 2], 60, columns);
        if (columns > 3)
            gen_table(&rng, &s->arena, &s->table[!(columns % 2)], 7, COLUMN_ALL);
        struct host_state *host = state_of(s, NULL);
        ck_assert_int_eq(host_state_tables(host, &arena, back), ST_OK);
        ck_assert(gen_same_tables(back, s->table));
        const struct snapshot_table *table = &s->table[columns % 2];
        ck_assert_uint_eq(host_state_rows(host, (enum pool)(columns % 2)), table->count);
        for (size_t i = 0; i < table->count; i++) {
            struct host_row row;
            ck_assert(host_state_find(host, (enum pool)(columns % 2), table->tag[i], &row));
            ck_assert_uint_eq(row.tag, table->tag[i]);
            ck_assert_uint_eq(row.columns, columns);
            ck_assert_uint_eq(row.bytes, table->bytes == NULL ? 0 : table->bytes[i]);
            ck_assert_uint_eq(row.allocs, table->allocs == NULL ? 0 : table->allocs[i]);
            ck_assert_uint_eq(row.frees, table->frees == NULL ? 0 : table->frees[i]);
        }
        host_state_release(host);
        gen_free(s);
    }
}
END_TEST

START_TEST(fleet_bytes_around_32_bits_are_exact)
{
    uint64_t values[] = {0, UINT32_MAX - 1ull, UINT32_MAX, UINT32_MAX + 1ull, UINT64_MAX};
    uint32_t tags[] = {1, 2, 3, 4, 5};
    struct snapshot *s = gen_snapshot("h", T0, T0, 1, -1);
    s->table[POOL_PAGED] =
        (struct snapshot_table){.present = true, .count = 5, .tag = tags, .bytes = values};
    struct host_state *host = state_of(s, NULL);
    for (size_t i = 0; i < 5; i++)
        ck_assert_uint_eq(host_state_row(host, POOL_PAGED, i).bytes, values[i]);
    host_state_release(host);
    gen_free(s);
}
END_TEST

START_TEST(fleet_missing_parts_come_from_the_previous_state)
{
    struct snapshot *first = gen_snapshot("h", T0, T0, 1, -1);
    struct snapshot_attribute attributes[] = {{"a", "1"}, {"os.build", "26100"}, {"role", "web"}};
    first->host_name = "FS01";
    first->has_attributes = true;
    first->attributes = attributes;
    first->attribute_count = 3;
    struct host_state *one = state_of(first, NULL);
    struct snapshot *second = gen_snapshot(NULL, T0, T0 + US_PER_MINUTE, 2, -1);
    struct host_state *two = state_of(second, one);
    ck_assert_str_eq(two->id, "h");
    ck_assert_str_eq(two->name, "FS01");
    ck_assert_str_eq(host_state_attribute(two, "os.build"), "26100");
    ck_assert_ptr_null(host_state_attribute(two, "os"));
    ck_assert_int_eq(one->usual_interval_us, TIME_UNKNOWN);
    ck_assert_int_eq(two->usual_interval_us, US_PER_MINUTE);
    second->has_attributes = true; /* present and empty: nothing is known any more */
    struct host_state *three = state_of(second, two);
    ck_assert_uint_eq(three->attribute_count, 0);
    host_state_release(one);
    ck_assert_str_eq(two->name, "FS01");
    host_state_release(two);
    host_state_release(three);
    gen_free(first);
    gen_free(second);
}
END_TEST

START_TEST(fleet_usual_interval_is_a_median)
{
    const int64_t gaps[] = {300, 300, 300, 90000, 300, 300, 300, 300, 300, 60, 300};
    struct host_state *host = NULL;
    int64_t now = T0;
    for (size_t i = 0; i <= sizeof gaps / sizeof *gaps; i++) {
        struct snapshot *s = gen_snapshot("h", T0, now, (int64_t)i, -1);
        struct host_state *next = state_of(s, host);
        host_state_release(host);
        host = next;
        gen_free(s);
        if (i < sizeof gaps / sizeof *gaps)
            now += gaps[i] * US_PER_SECOND;
    }
    ck_assert_int_eq(host->usual_interval_us, 300 * US_PER_SECOND);
    host_state_release(host);
}
END_TEST

static void put_row(struct rng *rng, struct snapshot_table *table, uint32_t tag)
{
    static const uint64_t sizes[] = {0, 16, UINT32_MAX - 1ull, UINT32_MAX, UINT64_MAX >> 11};
    static const uint32_t held[] = {0, 40, UINT16_MAX - 1u, UINT16_MAX, 1u << 31};
    unsigned kinds = rng_below(rng, 40) == 0 ? 5 : 3; /* what needs a list is rare */
    size_t i = table->count++;
    table->tag[i] = tag;
    if (table->allocs != NULL)
        table->allocs[i] = (uint32_t)rng_next(rng);
    if (table->frees != NULL)
        table->frees[i] =
            (table->allocs == NULL ? 0 : table->allocs[i]) - held[rng_below(rng, kinds)];
    if (table->bytes != NULL)
        table->bytes[i] = sizes[rng_below(rng, kinds)];
}

/* Some rows of `base` with other numbers; with `strange` also a tag that base does not have. */
static void change_rows(struct rng *rng, struct arena *arena, const struct snapshot_table *base,
                        bool strange, struct snapshot_table *ret_table)
{
    struct snapshot_table table;
    uint32_t tag;
    ck_assert_int_eq(
        snapshot_table_alloc(arena, &table, base->count + 1, snapshot_table_columns(base)), ST_OK);
    table.count = 0;
    for (size_t i = 0; i < base->count; i++) {
        if (rng_below(rng, 3) == 0)
            put_row(rng, &table, base->tag[i]);
    }
    do
        tag = (uint32_t)rng_next(rng);
    while (snapshot_table_find(base, tag) != SIZE_MAX);
    if (strange)
        put_row(rng, &table, tag);
    ck_assert_int_eq(snapshot_table_sort(&table, NULL), ST_OK);
    *ret_table = table;
}

static void check_rows(const struct host_state *host, const struct snapshot_table table[POOL_COUNT])
{
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        ck_assert_uint_eq(host_state_rows(host, pool), table[pool].count);
        for (size_t i = 0; i < table[pool].count; i++) {
            struct host_row row = host_state_row(host, pool, i);
            ck_assert_uint_eq(row.tag, table[pool].tag[i]);
            ck_assert(table[pool].frees == NULL || row.frees == table[pool].frees[i]);
            ck_assert(table[pool].bytes == NULL || row.bytes == table[pool].bytes[i]);
        }
    }
}

/* One step from `before`: by patch where that is possible, and always by merging. */
static bool step(struct rng *rng, const struct host_state *before, bool strange,
                 struct host_state **ret_after)
{
    AUTO_ARENA struct arena arena = {0};
    struct snapshot *changed = gen_snapshot(NULL, T0, before->taken_at_us + US_PER_MINUTE, 2, 1);
    struct snapshot_table base[POOL_COUNT], one[POOL_COUNT], two[POOL_COUNT];
    struct snapshot whole = *changed;
    struct host_state *patched = NULL;
    ck_assert_int_eq(host_state_tables(before, &arena, base), ST_OK);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        change_rows(rng, &changed->arena, &base[pool], strange, &changed->table[pool]);
        ck_assert_int_eq(snapshot_table_merge(&arena, &base[pool], &changed->table[pool],
                                              &whole.table[pool], NULL),
                         ST_OK);
    }
    struct host_state *merged = state_of(&whole, before);
    ck_assert_int_eq(host_state_patch(before, changed, &patched, NULL), ST_OK);
    if (patched != NULL) {
        ck_assert_int_eq(host_state_tables(patched, &arena, one), ST_OK);
        ck_assert_int_eq(host_state_tables(merged, &arena, two), ST_OK);
        ck_assert(gen_same_tables(one, two));
        check_rows(patched, one);
        ck_assert_int_eq(patched->key, merged->key);
        ck_assert_str_eq(patched->id, merged->id);
        ck_assert_str_eq(patched->name, merged->name);
        ck_assert_int_eq(patched->taken_at_us, merged->taken_at_us);
        ck_assert_int_eq(patched->sequence, merged->sequence);
        ck_assert_int_eq(patched->usual_interval_us, merged->usual_interval_us);
        ck_assert_str_eq(host_state_attribute(patched, "role"), "web");
    }
    bool was_patched = patched != NULL;
    ck_assert(!strange || !was_patched);
    host_state_release(was_patched ? merged : NULL);
    *ret_after = was_patched ? patched : merged;
    gen_free(changed);
    return was_patched;
}

START_TEST(fleet_patched_state_equals_the_merged_one)
{
    struct rng rng = {(uint64_t)_i + 77};
    size_t patched = 0, merged = 0;
    for (unsigned round = 0; round < 40; round++) {
        struct snapshot *s = gen_snapshot("h", T0, T0, 1, -1);
        struct snapshot_attribute attributes[] = {{"os.build", "26100"}, {"role", "web"}};
        s->host_name = "FS01";
        s->has_attributes = true;
        s->attributes = attributes;
        s->attribute_count = 2;
        gen_table(&rng, &s->arena, &s->table[0], 50, 1 + round % COLUMN_ALL);
        gen_table(&rng, &s->arena, &s->table[1], 20, COLUMN_ALL);
        struct host_state *state = state_of(s, NULL);
        for (unsigned i = 0; i < 12; i++) {
            struct host_state *after;
            bool was = step(&rng, state, i % 5 == 4, &after);
            patched += was;
            merged += !was;
            host_state_release(state); /* the copy must not point into it */
            state = after;
            ck_assert_str_eq(state->shown[HOST_ROLE], "web");
            ck_assert_str_eq(state->shown[HOST_OS_BUILD], "26100");
            ck_assert_ptr_null(state->shown[HOST_RAM]);
        }
        host_state_release(state);
        gen_free(s);
    }
    ck_assert_uint_gt(patched, 40);
    ck_assert_uint_gt(merged, 40);
}
END_TEST

START_TEST(fleet_patch_leaves_other_facts_to_the_merge)
{
    struct snapshot *s = gen_snapshot("h", T0, T0, 1, -1);
    s->host_name = "FS01";
    s->agent = (struct snapshot_agent){.present = true, .version = "1.0", .waiting = 3};
    struct host_state *state = state_of(s, NULL), *next;
    struct snapshot *changed = gen_snapshot(NULL, T0, T0 + US_PER_MINUTE, 2, 1);
    changed->agent = (struct snapshot_agent){.present = true, .version = "1.0", .waiting = 9};
    changed->host_name = "FS01";
    ck_assert_int_eq(host_state_patch(state, changed, &next, NULL), ST_OK);
    ck_assert_ptr_nonnull(next);
    ck_assert_int_eq(next->agent.waiting, 9);
    ck_assert_ptr_ne(next->agent.version, changed->agent.version);
    host_state_release(next);
    changed->agent.version = "1.1";
    ck_assert_int_eq(host_state_patch(state, changed, &next, NULL), ST_OK);
    ck_assert_ptr_null(next);
    changed->agent.version = "1.0";
    changed->host_name = "FS02";
    ck_assert_int_eq(host_state_patch(state, changed, &next, NULL), ST_OK);
    ck_assert_ptr_null(next);
    changed->host_name = NULL;
    changed->has_attributes = true;
    ck_assert_int_eq(host_state_patch(state, changed, &next, NULL), ST_OK);
    ck_assert_ptr_null(next);
    host_state_release(state);
    gen_free(changed);
    gen_free(s);
}
END_TEST

static void publish(struct fleet *fleet, const char *id, int64_t taken_at_us, int64_t sequence)
{
    struct snapshot *s = gen_snapshot(id, T0, taken_at_us, sequence, -1);
    fleet_publish(fleet, state_of(s, NULL));
    gen_free(s);
}

START_TEST(fleet_older_state_changes_nothing)
{
    struct fleet *fleet = fleet_new();
    publish(fleet, "b", T0, 5);
    uint64_t generation = fleet_generation(fleet);
    publish(fleet, "b", T0 - 1, 6);
    ck_assert_uint_eq(fleet_generation(fleet), generation);
    const struct host_state *host = fleet_get(fleet, "b");
    ck_assert_int_eq(host->sequence, 5);
    publish(fleet, "b", T0 + 1, 7);
    ck_assert_uint_ne(fleet_generation(fleet), generation);
    ck_assert_int_eq(host->sequence, 5); /* our reference is what it was */
    host_state_release(host);
    ck_assert_ptr_null(fleet_get(fleet, "c"));
    fleet_free(fleet);
}
END_TEST

START_TEST(fleet_list_is_sorted_and_outlives_changes)
{
    struct fleet *fleet = fleet_new();
    struct rng rng = {3};
    char id[24];
    for (int i = 0; i < 500; i++) {
        snprintf(id, sizeof id, "h%llu", (unsigned long long)rng_below(&rng, 300));
        publish(fleet, id, T0 + i, i);
    }
    struct fleet_list list;
    ck_assert_int_eq(fleet_list(fleet, &list), ST_OK);
    ck_assert_uint_eq(list.count, fleet_count(fleet));
    ck_assert_uint_eq(list.generation, fleet_generation(fleet));
    fleet_free(fleet);
    for (size_t i = 1; i < list.count; i++)
        ck_assert_int_lt(strcmp(list.items[i - 1]->id, list.items[i]->id), 0);
    fleet_list_done(&list);
}
END_TEST

START_TEST(fleet_host_of_2500_rows_fits_in_40_kilobytes)
{
    static char names[20][24], values[20][40];
    struct snapshot_attribute attributes[20];
    struct rng rng = {4};
    struct fleet *fleet = fleet_new();
    struct snapshot *s = gen_snapshot("6f1c0000-1111-2222-3333-444455556666", T0, T0, 1, -1);
    for (size_t i = 0; i < 20; i++) {
        snprintf(names[i], sizeof names[i], "attribute.%02zu", i);
        snprintf(values[i], sizeof values[i], "some value of usual length %zu", i);
        attributes[i] = (struct snapshot_attribute){names[i], values[i]};
    }
    s->has_attributes = true;
    s->attributes = attributes;
    s->attribute_count = 20;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct snapshot_table *table = &s->table[pool];
        gen_table(&rng, &s->arena, table, 1250, COLUMN_ALL);
        for (size_t i = 0; i < table->count; i++) { /* as real tables are */
            table->bytes[i] = i < 3 ? 5ull << 30 : rng_below(&rng, 1u << 26);
            table->frees[i] =
                table->allocs[i] - (uint32_t)rng_below(&rng, i % 50 == 0 ? 1u << 20 : 20000);
        }
    }
    fleet_publish(fleet, state_of(s, NULL));
    size_t empty = 64 * sizeof(void *); /* room for more hosts */
    ck_assert_uint_le(fleet_memory_bytes(fleet) - empty, 40u << 10);
    fleet_free(fleet);
    gen_free(s);
}
END_TEST

static void *churn(void *arg)
{
    struct fleet *fleet = arg;
    char id[24];
    for (int i = 0; i < 400; i++) {
        snprintf(id, sizeof id, "h%d", i % 20);
        publish(fleet, id, T0 + i, i);
        const struct host_state *host = fleet_get(fleet, id);
        ck_assert_ptr_nonnull(host);
        host_state_release(host);
    }
    return NULL;
}

START_TEST(fleet_readers_and_writers_at_once)
{
    struct fleet *fleet = fleet_new();
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, churn, fleet), 0);
    for (int i = 0; i < 200; i++) {
        struct fleet_list list;
        ck_assert_int_eq(fleet_list(fleet, &list), ST_OK);
        for (size_t k = 0; k < list.count; k++)
            ck_assert_int_ge(list.items[k]->taken_at_us, T0);
        fleet_list_done(&list);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(fleet_count(fleet), 20);
    fleet_free(fleet);
}
END_TEST

Suite *fleet_suite(void)
{
    Suite *suite = suite_create("fleet");
    TCase *tc = tcase_create("fleet");
    tcase_set_timeout(tc, 30);
    tcase_add_loop_test(tc, fleet_tables_come_back_for_any_columns, 0, 4);
    tcase_add_test(tc, fleet_bytes_around_32_bits_are_exact);
    tcase_add_test(tc, fleet_missing_parts_come_from_the_previous_state);
    tcase_add_loop_test(tc, fleet_patched_state_equals_the_merged_one, 0, 4);
    tcase_add_test(tc, fleet_patch_leaves_other_facts_to_the_merge);
    tcase_add_test(tc, fleet_usual_interval_is_a_median);
    tcase_add_test(tc, fleet_older_state_changes_nothing);
    tcase_add_test(tc, fleet_list_is_sorted_and_outlives_changes);
    tcase_add_test(tc, fleet_host_of_2500_rows_fits_in_40_kilobytes);
    tcase_add_test(tc, fleet_readers_and_writers_at_once);
    suite_add_tcase(suite, tc);
    return suite;
}
