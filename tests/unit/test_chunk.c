/* SPDX-License-Identifier: Apache-2.0 */
#include "server/chunk/chunk.h"
#include "tests/support/fleetgen.h"

#include "common/limits.h"

#include <check.h>
#include <string.h>

Suite *chunk_suite(void);

static void round_trip(const struct snapshot_table table[POOL_COUNT])
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_ARENA struct arena arena = {0};
    struct snapshot_table back[POOL_COUNT];
    struct err err = {0};
    strbuf_puts(&out, "before"); /* it appends */
    ck_assert_int_eq(chunk_encode(table, &out, &err), ST_OK);
    enum status status = chunk_decode(out.data + 6, out.length - 6, &arena, back, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
    ck_assert(gen_same_tables(table, back));
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        for (size_t i = 0; table[pool].present && i < table[pool].count; i++) {
            uint32_t allocs, frees;
            uint64_t bytes;
            unsigned columns;
            status = chunk_find(out.data + 6, out.length - 6, (enum pool)pool, table[pool].tag[i],
                                &allocs, &frees, &bytes, &columns, &err);
            ck_assert_msg(status == ST_OK, "%s", err.message);
            ck_assert_uint_eq(columns, snapshot_table_columns(&table[pool]));
            ck_assert(table[pool].allocs == NULL || allocs == table[pool].allocs[i]);
            ck_assert(table[pool].frees == NULL || frees == table[pool].frees[i]);
            ck_assert(table[pool].bytes == NULL || bytes == table[pool].bytes[i]);
        }
    }
}

START_TEST(chunk_any_columns_and_sizes_come_back)
{
    struct rng rng = {(uint64_t)_i + 1};
    for (unsigned columns = 0; columns <= COLUMN_ALL; columns++) {
        for (unsigned present = 0; present < 4; present++) {
            AUTO_ARENA struct arena arena = {0};
            struct snapshot_table table[POOL_COUNT] = {{0}};
            for (int pool = 0; pool < POOL_COUNT; pool++) {
                if (present >> pool & 1)
                    gen_table(&rng, &arena, &table[pool], rng_below(&rng, 50), columns);
            }
            round_trip(table);
        }
    }
}
END_TEST

START_TEST(chunk_extremes_come_back)
{
    uint32_t tag[] = {0, 1, 0x7fffffff}, allocs[] = {0, UINT32_MAX, 1},
             frees[] = {1, 0, UINT32_MAX};
    uint64_t bytes[] = {0, UINT64_MAX, LIMIT_NUMBER_MAX};
    struct snapshot_table table[POOL_COUNT] = {{.present = true,
                                                .count = 3,
                                                .tag = tag,
                                                .allocs = allocs,
                                                .frees = frees,
                                                .bytes = bytes}};
    round_trip(table);
}
END_TEST

static void encode_random(struct rng *rng, size_t rows, struct strbuf *out)
{
    AUTO_ARENA struct arena arena = {0};
    struct snapshot_table table[POOL_COUNT] = {{0}};
    gen_table(rng, &arena, &table[POOL_NONPAGED], rows, COLUMN_ALL);
    gen_table(rng, &arena, &table[POOL_PAGED], rows / 2, COLUMN_BYTES);
    ck_assert_int_eq(chunk_encode(table, out, NULL), ST_OK);
}

static enum status decode(const void *data, size_t length)
{
    AUTO_ARENA struct arena arena = {0};
    struct snapshot_table back[POOL_COUNT];
    return chunk_decode(data, length, &arena, back, NULL);
}

START_TEST(chunk_cut_at_every_byte_is_malformed)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct rng rng = {1};
    encode_random(&rng, 20, &out);
    for (size_t length = 0; length < out.length; length++) {
        char *exact = malloc(length + 1); /* so that reading past the end is seen */
        memcpy(exact, out.data, length);
        char *data = realloc(exact, length == 0 ? 1 : length);
        ck_assert_int_eq(decode(data, length), ST_MALFORMED);
        free(data);
    }
}
END_TEST

START_TEST(chunk_any_flipped_bit_is_malformed)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct rng rng = {2};
    encode_random(&rng, 10, &out);
    for (size_t bit = 0; bit < out.length * 8; bit++) {
        out.data[bit / 8] = (char)(out.data[bit / 8] ^ 1 << bit % 8);
        ck_assert_int_eq(decode(out.data, out.length), ST_MALFORMED);
        out.data[bit / 8] = (char)(out.data[bit / 8] ^ 1 << bit % 8);
    }
    ck_assert_int_eq(decode(out.data, out.length), ST_OK);
}
END_TEST

START_TEST(chunk_missing_row_is_not_found)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    uint32_t tag[] = {5, 9}, allocs, frees;
    uint64_t bytes[] = {1, 2}, value;
    unsigned columns;
    struct snapshot_table table[POOL_COUNT] = {
        {.present = true, .count = 2, .tag = tag, .bytes = bytes}};
    ck_assert_int_eq(chunk_encode(table, &out, NULL), ST_OK);
    uint32_t missing[] = {0, 6, 10};
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(chunk_find(out.data, out.length, POOL_NONPAGED, missing[i], &allocs,
                                    &frees, &value, &columns, NULL),
                         ST_NOT_FOUND);
    ck_assert_int_eq(
        chunk_find(out.data, out.length, POOL_PAGED, 5, &allocs, &frees, &value, &columns, NULL),
        ST_NOT_FOUND);
}
END_TEST

START_TEST(chunk_too_many_rows_is_refused)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_ARENA struct arena arena = {0};
    struct snapshot_table table[POOL_COUNT] = {{0}};
    ck_assert_int_eq(snapshot_table_alloc(&arena, &table[0], LIMIT_TABLE_ROWS + 1, COLUMN_BYTES),
                     ST_OK);
    ck_assert_int_eq(chunk_encode(table, &out, NULL), ST_TOO_LARGE);
    ck_assert_uint_eq(out.length, 0);
}
END_TEST

Suite *chunk_suite(void)
{
    Suite *suite = suite_create("chunk");
    TCase *tc = tcase_create("chunk");
    tcase_set_timeout(tc, 30);
    tcase_add_loop_test(tc, chunk_any_columns_and_sizes_come_back, 0, 4);
    tcase_add_test(tc, chunk_extremes_come_back);
    tcase_add_test(tc, chunk_cut_at_every_byte_is_malformed);
    tcase_add_test(tc, chunk_any_flipped_bit_is_malformed);
    tcase_add_test(tc, chunk_missing_row_is_not_found);
    tcase_add_test(tc, chunk_too_many_rows_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}
