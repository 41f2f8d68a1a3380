/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went into a chunk comes out of it, whatever it was: generated hosts with wraps, gaps, rows
 * that come and go, columns that change, snapshots without tables. Golden files keep every version
 * that was ever written readable: see tests/data/chunk/README.md.
 */
#include "server/chunk/chunk.h"
#include "server/chunk/sealed.h"
#include "tests/support/fleetgen.h"
#include "tests/support/sealed_model.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

Suite *chunk_sealed_suite(void);

static void cleanup_sealed(struct sealed **sealed)
{
    sealed_free(*sealed);
}
#define AUTO_SEALED CLEANUP(cleanup_sealed)

static struct sealed *open_chunk(const struct strbuf *chunk)
{
    struct sealed *sealed = NULL;
    struct err err = {0};
    enum status status = sealed_open(chunk->data, chunk->length, &sealed, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
    return sealed;
}

static void check_tables(struct sealed *sealed, const struct sealed_model *model, size_t i)
{
    AUTO_ARENA struct arena arena = {0};
    struct snapshot_table table[POOL_COUNT];
    struct err err = {0};
    enum status status = sealed_tables(sealed, i, &arena, table, &err);
    if (model->snapshots[i].raw != NULL) {
        ck_assert_int_eq(status, ST_NOT_FOUND);
        return;
    }
    ck_assert_msg(status == ST_OK, "%zu: %s", i, err.message);
    ck_assert_msg(gen_same_tables(table, model->tables[i]), "tables differ at %zu", i);
}

static void check_key(const struct sealed_snapshot *got, const struct sealed_snapshot *want)
{
    ck_assert_int_eq(got->taken_at_us, want->taken_at_us);
    ck_assert_int_eq(got->sequence, want->sequence);
    ck_assert_int_eq(got->base, want->base);
    ck_assert_uint_eq(got->totals.known, want->totals.known);
    for (int t = 0; t < TOTAL_COUNT; t++) {
        if (totals_has(&want->totals, (enum total)t))
            ck_assert_uint_eq(got->totals.value[t], want->totals.value[t]);
    }
    ck_assert_pstr_eq(got->detail, want->detail);
    ck_assert((got->raw == NULL) == (want->raw == NULL));
    ck_assert_uint_eq(got->raw_length, want->raw_length);
    if (want->raw != NULL)
        ck_assert_mem_eq(got->raw, want->raw, want->raw_length);
}

static void check_series(const struct sealed *sealed, const struct sealed_model *model,
                         enum pool pool, uint32_t tag)
{
    struct sealed_value values[MODEL_SNAPSHOTS];
    struct err err = {0};
    enum status status = sealed_series(sealed, pool, tag, values, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
    for (size_t i = 0; i < model->count; i++) {
        const struct snapshot_table *table = &model->tables[i][pool];
        size_t row = model->snapshots[i].raw == NULL && table->present
                         ? snapshot_table_find(table, tag)
                         : SIZE_MAX;
        if (row == SIZE_MAX) {
            ck_assert_uint_eq(values[i].known, 0);
            continue;
        }
        ck_assert_uint_eq(values[i].known, snapshot_table_columns(table));
        ck_assert(table->allocs == NULL || values[i].allocs == table->allocs[row]);
        ck_assert(table->frees == NULL || values[i].frees == table->frees[row]);
        ck_assert(table->bytes == NULL || values[i].bytes == table->bytes[row]);
    }
}

static void check_round_trip(struct rng *rng, const struct sealed_model *model)
{
    AUTO_STRBUF struct strbuf chunk = STRBUF_INIT;
    sealed_model_write(model, &chunk);
    AUTO_SEALED struct sealed *sealed = open_chunk(&chunk);
    ck_assert_uint_eq(sealed_count(sealed), model->count);
    ck_assert_int_eq(sealed_boot_at_us(sealed), model->boot_at_us);
    for (size_t i = 0; i < model->count; i++) {
        check_key(sealed_at(sealed, i), &model->snapshots[i]);
        check_tables(sealed, model, i);
    }
    for (int i = 0; i < 30 && model->count > 0; i++) /* back and forth */
        check_tables(sealed, model, rng_below(rng, model->count));
    for (int i = 0; i < 60 && model->count > 0; i++) {
        const struct snapshot_table *table =
            &model->tables[rng_below(rng, model->count)][rng_below(rng, POOL_COUNT)];
        uint32_t tag = table->count == 0 ? 77 : table->tag[rng_below(rng, table->count)];
        check_series(sealed, model, i % 2 == 0 ? POOL_PAGED : POOL_NONPAGED, tag);
        check_series(sealed, model, POOL_NONPAGED, tag + 1);
    }
}

START_TEST(chunk_sealed_whatever_went_in_comes_out)
{
    struct rng rng = {(uint64_t)_i * 7919 + 1};
    for (int turn = 0; turn < 12; turn++) {
        struct sealed_model model;
        sealed_model_random(&model, &rng, rng_below(&rng, MODEL_SNAPSHOTS + 1),
                            rng_below(&rng, 60));
        check_round_trip(&rng, &model);
        sealed_model_done(&model);
    }
}
END_TEST

START_TEST(chunk_sealed_nothing_and_one_come_back)
{
    struct rng rng = {5};
    for (size_t count = 0; count < 2; count++) {
        for (size_t rows = 0; rows < 2; rows++) {
            struct sealed_model model;
            sealed_model_random(&model, &rng, count, rows);
            check_round_trip(&rng, &model);
            sealed_model_done(&model);
        }
    }
}
END_TEST

START_TEST(chunk_sealed_counters_at_every_edge_come_back)
{
    static const uint32_t edge32[] = {0, 1, UINT32_MAX, UINT32_MAX - 1, 0x80000000u, 0x7fffffff};
    static const uint64_t edge64[] = {0, UINT64_MAX, 1, (uint64_t)1 << 63, (1ull << 53) - 1};
    struct sealed_model model = {.boot_at_us = TIME_UNKNOWN};
    struct rng rng = {6};
    for (size_t i = 0; i < MODEL_SNAPSHOTS; i++) {
        struct snapshot_table *table = &model.tables[i][POOL_PAGED];
        ck_assert_int_eq(snapshot_table_alloc(&model.arena, table, 40, COLUMN_ALL), ST_OK);
        for (size_t row = 0; row < 40; row++) {
            table->tag[row] = row == 39 ? 0x7fffffff : (uint32_t)row;
            table->allocs[row] = edge32[rng_below(&rng, 6)];
            table->frees[row] = edge32[rng_below(&rng, 6)];
            table->bytes[row] = edge64[rng_below(&rng, 5)];
        }
        model.snapshots[model.count++] = (struct sealed_snapshot){
            .taken_at_us = rng_below(&rng, 2) == 0 ? INT64_MAX : (int64_t)rng_next(&rng),
            .sequence = rng_below(&rng, 2) == 0 ? INT64_MAX : 0,
            .base = rng_below(&rng, 2) == 0 ? INT64_MAX : SEQUENCE_UNKNOWN,
        };
    }
    check_round_trip(&rng, &model);
    sealed_model_done(&model);
}
END_TEST

START_TEST(chunk_sealed_any_flipped_bit_is_named)
{
    AUTO_STRBUF struct strbuf chunk = STRBUF_INIT;
    struct rng rng = {9};
    struct sealed_model model;
    sealed_model_random(&model, &rng, 6, 12);
    sealed_model_write(&model, &chunk);
    for (size_t bit = 0; bit < chunk.length * 8; bit++) {
        struct sealed *sealed = NULL;
        struct err err = {0};
        chunk.data[bit / 8] = (char)(chunk.data[bit / 8] ^ 1 << bit % 8);
        ck_assert_int_eq(sealed_open(chunk.data, chunk.length, &sealed, &err), ST_MALFORMED);
        ck_assert_ptr_null(sealed);
        ck_assert_msg(strncmp(err.message, "could not read a chunk: ", 24) == 0, "%s", err.message);
        chunk.data[bit / 8] = (char)(chunk.data[bit / 8] ^ 1 << bit % 8);
    }
    sealed_free(open_chunk(&chunk));
    sealed_model_done(&model);
}
END_TEST

/* ---- a part of it ---------------------------------------------------------- */

/* One run of so many rows, all there from the first snapshot on, without texts. */
static void model_of_rows(struct sealed_model *model, struct rng *rng, size_t rows)
{
    *model = (struct sealed_model){.boot_at_us = 5};
    for (size_t i = 0; i < MODEL_SNAPSHOTS; i++) {
        for (int pool = 0; pool < POOL_COUNT; pool++) {
            if (i == 0)
                gen_table(rng, &model->arena, &model->tables[i][pool], rows, COLUMN_ALL);
            else
                gen_step(rng, &model->arena, &model->tables[i - 1][pool], &model->tables[i][pool],
                         4);
        }
        model->snapshots[model->count++] = (struct sealed_snapshot){
            .taken_at_us = (int64_t)i * 300000000, .sequence = (int64_t)i, .base = -1};
    }
}

/* The group that can hold a row, and where it lies; false: no group can. */
static bool slice_of(const struct sealed_slices *slices, enum pool pool, uint32_t tag,
                     size_t *ret_group)
{
    bool found = false;
    for (size_t g = 0; g < slices->count && slices->keys[g] <= sealed_slice_key(pool, tag); g++) {
        *ret_group = g;
        found = true;
    }
    return found;
}

static enum status open_slice(const struct strbuf *chunk, const struct sealed_slices *slices,
                              size_t group, struct sealed **ret_sealed, struct err *err)
{
    return sealed_open_group(chunk->data, slices->head_length, group,
                             chunk->data + slices->head_length + slices->ends[group],
                             (size_t)(slices->ends[group + 1] - slices->ends[group]), ret_sealed,
                             err);
}

START_TEST(chunk_sealed_each_row_is_in_its_group_alone)
{
    AUTO_STRBUF struct strbuf chunk = STRBUF_INIT;
    struct rng rng = {21};
    struct sealed_model model;
    struct sealed_slices slices;
    model_of_rows(&model, &rng, 400);
    sealed_model_write(&model, &chunk);
    ck_assert_int_eq(sealed_slices(chunk.data, chunk.length, &slices, NULL), ST_OK);
    ck_assert_uint_gt(slices.count, 6);
    ck_assert_uint_eq(slices.head_length + (size_t)slices.ends[slices.count], chunk.length);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        const struct snapshot_table *table = &model.tables[MODEL_SNAPSHOTS - 1][pool];
        for (size_t row = 0; row < table->count; row++) {
            size_t group = SIZE_MAX;
            ck_assert(slice_of(&slices, (enum pool)pool, table->tag[row], &group));
            AUTO_SEALED struct sealed *sealed = NULL;
            ck_assert_int_eq(open_slice(&chunk, &slices, group, &sealed, NULL), ST_OK);
            check_series(sealed, &model, (enum pool)pool, table->tag[row]);
            check_series(sealed, &model, (enum pool)pool, table->tag[row] ^ 1);
            check_key(sealed_at(sealed, row % model.count), &model.snapshots[row % model.count]);
        }
    }
    sealed_slices_done(&slices);
    sealed_model_done(&model);
}
END_TEST

START_TEST(chunk_sealed_damage_of_one_group_leaves_the_others)
{
    AUTO_STRBUF struct strbuf chunk = STRBUF_INIT;
    struct rng rng = {22};
    struct sealed_model model;
    struct sealed_slices slices;
    model_of_rows(&model, &rng, 200);
    sealed_model_write(&model, &chunk);
    ck_assert_int_eq(sealed_slices(chunk.data, chunk.length, &slices, NULL), ST_OK);
    ck_assert_uint_ge(slices.count, 3);
    size_t body = slices.head_length, of = 1;
    for (size_t bit = 0; bit < chunk.length * 8; bit += bit < body * 8 ? 1 : 7) {
        bool in_it = bit / 8 >= body + (size_t)slices.ends[of] &&
                     bit / 8 < body + (size_t)slices.ends[of + 1];
        chunk.data[bit / 8] = (char)(chunk.data[bit / 8] ^ 1 << bit % 8);
        for (size_t g = 0; g < 3; g++) {
            struct sealed *sealed = NULL;
            struct err err = {0};
            bool bad = bit / 8 < body || (bit / 8 >= body + (size_t)slices.ends[g] &&
                                          bit / 8 < body + (size_t)slices.ends[g + 1]);
            ck_assert_int_eq(open_slice(&chunk, &slices, g, &sealed, &err),
                             bad ? ST_MALFORMED : ST_OK);
            ck_assert(!bad || strncmp(err.message, "could not read a chunk: ", 24) == 0);
            ck_assert(g != of || bit / 8 < body || bad == in_it);
            sealed_free(sealed);
        }
        chunk.data[bit / 8] = (char)(chunk.data[bit / 8] ^ 1 << bit % 8);
    }
    sealed_slices_done(&slices);
    sealed_model_done(&model);
}
END_TEST

START_TEST(chunk_sealed_group_in_the_place_of_another_is_malformed)
{
    AUTO_STRBUF struct strbuf chunk = STRBUF_INIT;
    struct rng rng = {23};
    struct sealed_model model;
    struct sealed_slices slices;
    struct sealed *sealed = NULL;
    model_of_rows(&model, &rng, 200);
    sealed_model_write(&model, &chunk);
    ck_assert_int_eq(sealed_slices(chunk.data, chunk.length, &slices, NULL), ST_OK);
    const char *first = chunk.data + slices.head_length + slices.ends[0];
    size_t length = (size_t)(slices.ends[1] - slices.ends[0]);
    ck_assert_int_eq(
        sealed_open_group(chunk.data, slices.head_length, 1, first, length, &sealed, NULL),
        ST_MALFORMED);
    ck_assert_int_eq(sealed_open_group(chunk.data, slices.head_length, slices.count, first, length,
                                       &sealed, NULL),
                     ST_MALFORMED);
    ck_assert_int_eq(
        sealed_open_group(chunk.data, slices.head_length, 0, first, length, &sealed, NULL), ST_OK);
    sealed_free(sealed);
    /* No group at all: the keys, and no row. */
    ck_assert_int_eq(
        sealed_open_group(chunk.data, slices.head_length, SEALED_NO_GROUP, NULL, 0, &sealed, NULL),
        ST_OK);
    check_series(sealed, &model, POOL_NONPAGED, 1);
    sealed_free(sealed);
    sealed_slices_done(&slices);
    sealed_model_done(&model);
}
END_TEST

START_TEST(chunk_sealed_of_two_runs_is_read_only_whole)
{
    AUTO_STRBUF struct strbuf chunk = STRBUF_INIT;
    struct rng rng = {25};
    struct sealed_model model;
    struct sealed_slices slices;
    model_of_rows(&model, &rng, 20);
    for (size_t i = 10; i < model.count; i++)
        model.tables[i][POOL_PAGED].bytes = NULL;
    sealed_model_write(&model, &chunk);
    ck_assert_int_eq(sealed_slices(chunk.data, chunk.length, &slices, NULL), ST_OK);
    ck_assert_uint_eq(slices.count, 0);
    check_round_trip(&rng, &model);
    sealed_model_done(&model);
}
END_TEST

START_TEST(chunk_sealed_in_two_pieces_is_the_same)
{
    AUTO_STRBUF struct strbuf chunk = STRBUF_INIT;
    AUTO_STRBUF struct strbuf got = STRBUF_INIT;
    AUTO_STRBUF struct strbuf want = STRBUF_INIT;
    struct rng rng = {24};
    struct sealed_model model;
    struct sealed_slices slices;
    struct sealed *pieces = NULL;
    sealed_model_random(&model, &rng, MODEL_SNAPSHOTS, 50);
    sealed_model_write(&model, &chunk);
    AUTO_SEALED struct sealed *sealed = open_chunk(&chunk);
    ck_assert_int_eq(sealed_slices(chunk.data, chunk.length, &slices, NULL), ST_OK);
    ck_assert_uint_eq(slices.count, 0); /* many runs: only whole */
    size_t head = slices.head_length;
    ck_assert_int_eq(
        sealed_open_parts(chunk.data, head, chunk.data + head, chunk.length - head, &pieces, NULL),
        ST_OK);
    sealed_model_dump(pieces, &got);
    sealed_model_dump(sealed, &want);
    ck_assert_str_eq(got.data, want.data);
    sealed_free(pieces);
    ck_assert_int_eq(sealed_open_parts(chunk.data, head, chunk.data + head, chunk.length - head - 1,
                                       &pieces, NULL),
                     ST_MALFORMED);
    ck_assert_int_eq(sealed_open_parts(NULL, 0, chunk.data, chunk.length, &pieces, NULL), ST_OK);
    sealed_free(pieces);
    sealed_model_done(&model);
}
END_TEST

START_TEST(chunk_sealed_cut_at_every_byte_is_malformed)
{
    AUTO_STRBUF struct strbuf chunk = STRBUF_INIT;
    struct rng rng = {10};
    struct sealed_model model;
    sealed_model_random(&model, &rng, 5, 10);
    sealed_model_write(&model, &chunk);
    for (size_t length = 0; length < chunk.length; length++) {
        struct sealed *sealed = NULL;
        char *exact = malloc(length + 1); /* so that reading past the end is seen */
        memcpy(exact, chunk.data, length);
        char *data = realloc(exact, length == 0 ? 1 : length);
        ck_assert_int_eq(sealed_open(data, length, &sealed, NULL), ST_MALFORMED);
        free(data);
    }
    sealed_model_done(&model);
}
END_TEST

START_TEST(chunk_sealed_newer_version_is_named)
{
    AUTO_STRBUF struct strbuf chunk = STRBUF_INIT;
    struct rng rng = {11};
    struct sealed_model model;
    struct sealed *sealed = NULL;
    struct err err = {0};
    sealed_model_random(&model, &rng, 2, 3);
    sealed_model_write(&model, &chunk);
    chunk.data[3] = 9;
    ck_assert_int_eq(sealed_open(chunk.data, chunk.length, &sealed, &err), ST_MALFORMED);
    ck_assert_str_eq(err.message, "could not read a chunk: version 9 is unknown");
    sealed_model_done(&model);
}
END_TEST

/* A host that invents new tags with every snapshot fills a builder long before its bit matrix does
 * not fit a chunk any more. */
START_TEST(chunk_sealed_new_tags_every_time_fill_it_early_and_come_back)
{
    enum { ROWS = 8000 };
    AUTO_STRBUF struct strbuf chunk = STRBUF_INIT;
    AUTO_ARENA struct arena arena = {0};
    struct sealed_builder *builder = sealed_builder_new(TIME_UNKNOWN);
    struct snapshot_table table[POOL_COUNT] = {{0}};
    size_t count = 0;
    ck_assert_int_eq(snapshot_table_alloc(&arena, &table[1], ROWS, COLUMN_BYTES), ST_OK);
    while (!sealed_builder_full(builder)) {
        for (size_t i = 0; i < ROWS; i++)
            table[1].tag[i] = (uint32_t)(count * ROWS + i);
        struct sealed_snapshot s = {.taken_at_us = (int64_t)count++, .sequence = -1, .base = -1};
        ck_assert_int_eq(sealed_add(builder, &s, table, NULL), ST_OK);
    }
    ck_assert_uint_lt(count, SEALED_SNAPSHOTS_MAX);
    ck_assert_int_eq(sealed_finish(builder, &chunk, NULL), ST_OK);
    sealed_builder_free(builder);
    AUTO_SEALED struct sealed *sealed = open_chunk(&chunk);
    struct snapshot_table back[POOL_COUNT];
    ck_assert_int_eq(sealed_tables(sealed, count - 1, &arena, back, NULL), ST_OK);
    ck_assert(gen_same_tables(table, back));
}
END_TEST

START_TEST(chunk_sealed_too_many_rows_are_refused_and_nothing_is_added)
{
    AUTO_ARENA struct arena arena = {0};
    struct sealed_builder *builder = sealed_builder_new(TIME_UNKNOWN);
    struct snapshot_table table[POOL_COUNT] = {{0}};
    struct sealed_snapshot s = {.sequence = -1, .base = -1};
    ck_assert_int_eq(snapshot_table_alloc(&arena, &table[1], 16385, COLUMN_BYTES), ST_OK);
    ck_assert_int_eq(sealed_add(builder, &s, table, NULL), ST_TOO_LARGE);
    ck_assert_uint_eq(sealed_builder_count(builder), 0);
    sealed_builder_free(builder);
}
END_TEST

/* ---- golden files ---------------------------------------------------------- */

#define GOLDEN "tests/data/chunk/"

static void read_all(const char *name, struct strbuf *out)
{
    char path[512];
    snprintf(path, sizeof path, GOLDEN "%s", name);
    AUTO_FILE FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "could not open %s (tests run in the top folder)", path);
    char piece[4096];
    for (size_t n; (n = fread(piece, 1, sizeof piece, file)) > 0;)
        strbuf_add(out, piece, n);
}

static void check_golden(const char *name)
{
    AUTO_STRBUF struct strbuf chunk = STRBUF_INIT;
    AUTO_STRBUF struct strbuf want = STRBUF_INIT;
    AUTO_STRBUF struct strbuf got = STRBUF_INIT;
    char text[256];
    snprintf(text, sizeof text, "%.*s.txt", (int)(strlen(name) - 4), name);
    read_all(name, &chunk);
    read_all(text, &want);
    AUTO_SEALED struct sealed *sealed = open_chunk(&chunk);
    sealed_model_dump(sealed, &got);
    ck_assert_msg(got.length == want.length && memcmp(got.data, want.data, got.length) == 0,
                  "%s reads differently", name);
}

START_TEST(chunk_sealed_every_golden_file_reads_as_written)
{
    DIR *folder = opendir(GOLDEN);
    size_t count = 0;
    ck_assert_msg(folder != NULL, "could not open " GOLDEN);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 4, ".bin") != 0)
            continue;
        check_golden(entry->d_name);
        count++;
    }
    closedir(folder);
    ck_assert_uint_ge(count, 8);
}
END_TEST

START_TEST(chunk_sealed_any_flipped_bit_of_the_first_version_is_malformed)
{
    AUTO_STRBUF struct strbuf chunk = STRBUF_INIT;
    struct sealed *sealed = NULL;
    read_all("v1_small.bin", &chunk);
    for (size_t bit = 0; bit < chunk.length * 8; bit++) {
        chunk.data[bit / 8] = (char)(chunk.data[bit / 8] ^ 1 << bit % 8);
        ck_assert_int_eq(sealed_open(chunk.data, chunk.length, &sealed, NULL), ST_MALFORMED);
        chunk.data[bit / 8] = (char)(chunk.data[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t length = 0; length < chunk.length; length++)
        ck_assert_int_eq(sealed_open(chunk.data, length, &sealed, NULL), ST_MALFORMED);
}
END_TEST

/* Not a test of the code: writes new golden files where POOLFLEET_GOLDEN says so. */
static void write_golden(const char *name, uint64_t seed, size_t count, size_t rows)
{
    AUTO_STRBUF struct strbuf chunk = STRBUF_INIT;
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    struct rng rng = {seed};
    struct sealed_model model;
    char path[512];
    sealed_model_random(&model, &rng, count, rows);
    sealed_model_write(&model, &chunk);
    AUTO_SEALED struct sealed *sealed = open_chunk(&chunk);
    sealed_model_dump(sealed, &text);
    const struct strbuf *const files[] = {&chunk, &text};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s.%s", getenv("POOLFLEET_GOLDEN"), name,
                 i == 0 ? "bin" : "txt");
        AUTO_FILE FILE *file = fopen(path, "wb");
        ck_assert(file != NULL && (files[i]->length == 0 ||
                                   fwrite(files[i]->data, files[i]->length, 1, file) == 1));
    }
    sealed_model_done(&model);
}

START_TEST(chunk_sealed_golden_files_are_written_on_demand)
{
    if (getenv("POOLFLEET_GOLDEN") == NULL)
        return;
    write_golden("v2_empty", 1, 0, 0);
    write_golden("v2_one", 2, 1, 5);
    write_golden("v2_small", 3, 12, 8);
    write_golden("v2_mixed", 4, 30, 12);
}
END_TEST

Suite *chunk_sealed_suite(void)
{
    Suite *suite = suite_create("chunk_sealed");
    TCase *tc = tcase_create("chunk_sealed");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, chunk_sealed_whatever_went_in_comes_out, 0, 6);
    tcase_add_test(tc, chunk_sealed_nothing_and_one_come_back);
    tcase_add_test(tc, chunk_sealed_counters_at_every_edge_come_back);
    tcase_add_test(tc, chunk_sealed_any_flipped_bit_is_named);
    tcase_add_test(tc, chunk_sealed_each_row_is_in_its_group_alone);
    tcase_add_test(tc, chunk_sealed_damage_of_one_group_leaves_the_others);
    tcase_add_test(tc, chunk_sealed_group_in_the_place_of_another_is_malformed);
    tcase_add_test(tc, chunk_sealed_of_two_runs_is_read_only_whole);
    tcase_add_test(tc, chunk_sealed_in_two_pieces_is_the_same);
    tcase_add_test(tc, chunk_sealed_any_flipped_bit_of_the_first_version_is_malformed);
    tcase_add_test(tc, chunk_sealed_cut_at_every_byte_is_malformed);
    tcase_add_test(tc, chunk_sealed_newer_version_is_named);
    tcase_add_test(tc, chunk_sealed_new_tags_every_time_fill_it_early_and_come_back);
    tcase_add_test(tc, chunk_sealed_too_many_rows_are_refused_and_nothing_is_added);
    tcase_add_test(tc, chunk_sealed_every_golden_file_reads_as_written);
    tcase_add_test(tc, chunk_sealed_golden_files_are_written_on_demand);
    suite_add_tcase(suite, tc);
    return suite;
}
