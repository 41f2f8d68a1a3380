/* SPDX-License-Identifier: Apache-2.0 */
/* Classes 22 and 255 for both architectures: rows, merging, wraps, hostile counts, cross-check. */
#include "agent/nt/nt.h"
#include "common/limits.h"
#include "tests/support/fake_kernel.h"
#include "tests/support/nt_blobs.h"

#include <check.h>

Suite *nt_pool_suite(void);

static struct fake_kernel kernel;
static struct nt_reader reader;
static struct arena arena;
static struct snapshot_table table[POOL_COUNT];
static struct err err;

#define LEAK 0x6b61654cu /* "Leak" */
#define NTFC 0x4346744eu /* "NtFC" */
#define IO   0x20206f49u /* "Io  " */

static void start(enum nt_arch arch, unsigned major, unsigned minor, unsigned build)
{
    fake_kernel_init(&kernel, arch, major, minor, build);
    nt_reader_init(&reader, &kernel.calls);
    arena = (struct arena){0};
    err = (struct err){0};
}

static void finish(void)
{
    arena_done(&arena);
    nt_reader_done(&reader);
    fake_kernel_done(&kernel);
}

static void give(uint32_t information_class, const struct blob_tag *tags, size_t count)
{
    struct strbuf *out = fake_kernel_answer(&kernel, information_class);
    enum nt_arch arch = kernel.calls.version.arch;
    if (information_class == 255)
        blob_tags2(out, arch, tags, count);
    else
        blob_tags(out, arch, tags, count);
    ck_assert(!strbuf_failed(out));
}

static enum status read_tags(void)
{
    return nt_pool_tags(&reader, &arena, table, &err);
}

static void check_row(enum pool pool, uint32_t tag, uint32_t allocs, uint32_t frees, uint64_t bytes)
{
    size_t at = snapshot_table_find(&table[pool], tag);
    ck_assert_msg(at != SIZE_MAX, "tag %08x", tag);
    ck_assert_uint_eq(table[pool].allocs[at], allocs);
    ck_assert_uint_eq(table[pool].frees[at], frees);
    ck_assert_uint_eq(table[pool].bytes[at], bytes);
}

/* _i: enum nt_arch */
START_TEST(rows_of_both_pools_sorted_and_zero_rows_left_out)
{
    static const struct blob_tag tags[] = {
        {NTFC, {7, 0xfffffff0u}, {3, 0x10}, {512, 0x7fffffff}},
        {LEAK, {100, 0}, {1, 0}, {6400, 0}},
        {IO, {0, 5}, {0, 5}, {0, 0}}, /* freed again: counters, no bytes */
        {0x41414141, {0, 0}, {0, 0}, {0, 0}},
    };
    start((enum nt_arch)_i, 10, 0, 26100);
    give(22, tags, 4);
    ck_assert_msg(read_tags() == ST_OK, "%s", err.message);
    ck_assert_uint_eq(table[POOL_NONPAGED].count, 2);
    ck_assert_uint_eq(table[POOL_PAGED].count, 2);
    check_row(POOL_NONPAGED, NTFC, 7, 3, 512);
    check_row(POOL_PAGED, NTFC, 0xfffffff0u, 0x10, 0x7fffffff);
    check_row(POOL_NONPAGED, LEAK, 100, 1, 6400);
    check_row(POOL_PAGED, IO, 5, 5, 0);
    ck_assert_uint_lt(table[POOL_NONPAGED].tag[0], table[POOL_NONPAGED].tag[1]);
    ck_assert(table[POOL_NONPAGED].present && table[POOL_PAGED].present);
    finish();
}
END_TEST

START_TEST(protected_bit_masked_and_equal_tags_merged_modulo)
{
    static const struct blob_tag tags[] = {
        {LEAK | 0x80000000u, {0xffffffffu, 1}, {5, 0}, {1000, 16}},
        {NTFC, {1, 0}, {0, 0}, {64, 0}},
        {LEAK, {2, 0}, {0xfffffffeu, 0}, {24, 0}},
    };
    start((enum nt_arch)_i, 10, 0, 26100);
    give(22, tags, 3);
    ck_assert_int_eq(read_tags(), ST_OK);
    ck_assert_uint_eq(table[POOL_NONPAGED].count, 2);
    check_row(POOL_NONPAGED, LEAK, 1, 3, 1024);
    check_row(POOL_PAGED, LEAK, 1, 0, 16);
    finish();
}
END_TEST

START_TEST(used_below_nothing_is_0_and_beyond_53_bits_is_cut)
{
    static const struct blob_tag tags[] = {
        {LEAK, {1, 1}, {1, 0}, {0xffffffffffffffc0u, 0x80000000u}},
        {NTFC, {1, 1}, {0, 0}, {1ull << 60, 4000000000u}},
    };
    start(NT_X64, 10, 0, 26100);
    give(22, tags, 2);
    ck_assert_int_eq(read_tags(), ST_OK);
    check_row(POOL_NONPAGED, LEAK, 1, 1, 0);
    check_row(POOL_PAGED, LEAK, 1, 0, 0x80000000u); /* 2 GB is a size on x64 */
    check_row(POOL_NONPAGED, NTFC, 1, 0, LIMIT_NUMBER_MAX);
    check_row(POOL_PAGED, NTFC, 1, 0, 4000000000u);
    finish();
    start(NT_X86, 6, 1, 7601);
    give(22, tags, 2);
    ck_assert_int_eq(read_tags(), ST_OK);
    check_row(POOL_NONPAGED, LEAK, 1, 1, 0);
    check_row(POOL_PAGED, LEAK, 1, 0, 0); /* a 32-bit kernel has no pool of 2 GB */
    finish();
}
END_TEST

START_TEST(answer_cut_at_every_byte_is_refused_and_never_read_past)
{
    static const struct blob_tag tags[] = {{LEAK, {1, 1}, {1, 0}, {16, 16}},
                                           {NTFC, {1, 1}, {0, 0}, {16, 16}}};
    start((enum nt_arch)_i, 10, 0, 26100);
    give(22, tags, 2);
    size_t whole = kernel.answers[22].bytes.length;
    for (size_t length = 0; length < whole; length++) {
        kernel.answers[22].bytes.length = length;
        ck_assert_msg(read_tags() == ST_MALFORMED, "%zu bytes", length);
        ck_assert_ptr_nonnull(strstr(err.message, "could not read the pool tags: "));
    }
    kernel.answers[22].bytes.length = whole;
    ck_assert_int_eq(read_tags(), ST_OK);
    finish();
}
END_TEST

START_TEST(absurd_counts_are_malformed)
{
    static const uint32_t counts[] = {3, 1000, 0x7fffffff, 0x80000000u, 0xffffffffu, 0x6666667u};
    static const struct blob_tag tags[] = {{LEAK, {1, 1}, {1, 0}, {16, 16}},
                                           {NTFC, {1, 1}, {0, 0}, {16, 16}}};
    start((enum nt_arch)_i, 10, 0, 26100);
    give(22, tags, 2);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        memcpy(kernel.answers[22].bytes.data, &counts[i], 4);
        ck_assert_msg(read_tags() == ST_MALFORMED, "%u", counts[i]);
    }
    finish();
}
END_TEST

START_TEST(more_rows_than_a_document_holds_are_too_large)
{
    start(NT_X64, 10, 0, 26100);
    size_t count = LIMIT_TABLE_ROWS + 1;
    struct blob_tag *tags = calloc(4 * count, sizeof *tags);
    ck_assert_ptr_nonnull(tags);
    for (size_t i = 0; i < 4 * count; i++)
        tags[i] = (struct blob_tag){(uint32_t)i + 1, {1, 0}, {0, 0}, {16, 0}};
    give(22, tags, count);
    ck_assert_int_eq(read_tags(), ST_TOO_LARGE);
    give(22, tags, count - 1);
    ck_assert_int_eq(read_tags(), ST_OK);
    give(22, tags, 4 * count);
    ck_assert_int_eq(read_tags(), ST_MALFORMED);
    free(tags);
    finish();
}
END_TEST

START_TEST(no_rows_or_an_old_kernel_without_tagging_says_what_to_do)
{
    start(NT_X86, 5, 1, 2600);
    fake_kernel_answer(&kernel, 22);
    kernel.answers[22].status = NT_NOT_IMPLEMENTED;
    ck_assert_int_eq(read_tags(), ST_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "tagging is off"));
    ck_assert_ptr_nonnull(strstr(err.hint, "gflags /r +ptg"));
    finish();
    static const struct blob_tag zero = {LEAK, {0, 0}, {0, 0}, {0, 0}};
    for (size_t rows = 0; rows < 2; rows++) {
        start(NT_X86, 5, 1, 2600);
        give(22, &zero, rows);
        ck_assert_int_eq(read_tags(), ST_UNSUPPORTED);
        ck_assert_ptr_nonnull(strstr(err.hint, "gflags"));
        finish();
    }
    start(NT_X64, 10, 0, 19045); /* such as Wine */
    ck_assert_int_eq(read_tags(), ST_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "no such information class"));
    finish();
}
END_TEST

/* ---- class 255 */

#define ROWS 300

static struct blob_tag older[ROWS];
static struct blob_tag newer[ROWS];

static void make_pair(void)
{
    for (size_t i = 0; i < ROWS; i++) {
        older[i] = (struct blob_tag){
            LEAK + (uint32_t)i * 977, {1000 + i, 50 * i}, {i, i}, {1000 * 64, 4096 * i}};
        newer[i] = older[i];
        newer[i].allocs[0] += 3 + ((uint64_t)7 << 32); /* 64-bit counters: taken modulo 2^32 */
    }
    older[1].allocs[0] = 0xfffffffeu; /* wraps between the two */
    newer[1].allocs[0] = 0x100000001ull;
}

static void start_pair(unsigned build)
{
    start(NT_X64, 10, 0, build);
    make_pair();
    give(22, older, ROWS);
    give(255, newer, ROWS);
}

START_TEST(class_255_that_agrees_is_used_and_checked_again_each_time)
{
    start_pair(28000);
    ck_assert_int_eq(read_tags(), ST_OK);
    check_row(POOL_NONPAGED, LEAK, 1003, 0, 64000);
    check_row(POOL_NONPAGED, LEAK + 977, 1, 1, 64000);
    ck_assert_int_eq(read_tags(), ST_OK);
    ck_assert_uint_eq(kernel.answers[255].calls, 2);
    newer[5].frees[1] = 3; /* went back */
    give(255, newer, ROWS);
    ck_assert_int_eq(read_tags(), ST_OK);
    check_row(POOL_NONPAGED, LEAK, 1000, 0, 64000);
    ck_assert_int_eq(read_tags(), ST_OK);
    ck_assert_uint_eq(kernel.answers[255].calls, 1); /* not asked again */
    finish();
}
END_TEST

START_TEST(class_255_is_not_asked_before_its_build)
{
    start_pair(27999);
    ck_assert_int_eq(read_tags(), ST_OK);
    check_row(POOL_NONPAGED, LEAK, 1000, 0, 64000);
    ck_assert_uint_eq(kernel.answers[255].calls, 0);
    finish();
}
END_TEST

/* How class 255 goes wrong; each must leave class 22 in force, silently. */
static void swap_pools(void)
{
    for (size_t i = 0; i < ROWS; i++)
        newer[i].allocs[0] = newer[i].used[1] + 9;
}
static void other_tags(void)
{
    for (size_t i = 0; i < ROWS / 4; i++)
        newer[i].tag += 1;
}
static void gigantic(void)
{
    newer[0].used[0] = 1ull << 45;
}
static void lower(void)
{
    newer[9].allocs[0] = older[9].allocs[0] - 1;
}
static void nothing(void)
{
    memset(newer, 0, sizeof newer);
}
static void (*const wrongs[])(void) = {swap_pools, other_tags, gigantic, lower, nothing};

START_TEST(class_255_that_contradicts_is_dropped_silently)
{
    start_pair(28000);
    wrongs[_i]();
    give(255, newer, ROWS);
    ck_assert_int_eq(read_tags(), ST_OK);
    check_row(POOL_NONPAGED, LEAK, 1000, 0, 64000);
    ck_assert(reader.tags2_refused);
    ck_assert_str_eq(err.message, "");
    finish();
}
END_TEST

START_TEST(class_255_with_class_22_layout_or_cut_is_dropped)
{
    start_pair(28000);
    blob_tags(fake_kernel_answer(&kernel, 255), NT_X64, older, ROWS);
    ck_assert_int_eq(read_tags(), ST_OK);
    ck_assert(reader.tags2_refused);
    check_row(POOL_NONPAGED, LEAK, 1000, 0, 64000);
    reader.tags2_refused = false;
    give(255, newer, ROWS);
    kernel.answers[255].bytes.length -= 1;
    ck_assert_int_eq(read_tags(), ST_OK);
    ck_assert(reader.tags2_refused);
    finish();
}
END_TEST

START_TEST(class_255_with_many_tags_more_or_fewer_is_dropped)
{
    start_pair(28000);
    for (size_t i = 0; i < ROWS; i++) /* the rows alone tell: bytes hardly differ */
        older[i].used[1] = newer[i].used[1] = 64;
    give(22, older, ROWS);
    give(255, newer, ROWS);
    give(_i == 0 ? 22 : 255, _i == 0 ? older : newer, ROWS / 2);
    ck_assert_int_eq(read_tags(), ST_OK);
    ck_assert(reader.tags2_refused);
    check_row(POOL_NONPAGED, LEAK, 1000, 0, 64000);
    finish();
}
END_TEST

START_TEST(class_255_short_of_memory_is_asked_again)
{
    start_pair(28000);
    kernel.answers[255].status = NT_NO_MEMORY;
    ck_assert_int_eq(read_tags(), ST_OK);
    check_row(POOL_NONPAGED, LEAK, 1000, 0, 64000);
    ck_assert(!reader.tags2_refused);
    kernel.answers[255].status = 0;
    ck_assert_int_eq(read_tags(), ST_OK);
    check_row(POOL_NONPAGED, LEAK, 1003, 0, 64000);
    finish();
}
END_TEST

START_TEST(class_255_with_a_few_new_tags_is_used)
{
    start_pair(28000);
    give(22, older, ROWS - 4);
    ck_assert_int_eq(read_tags(), ST_OK);
    check_row(POOL_NONPAGED, LEAK, 1003, 0, 64000);
    ck_assert_uint_eq(table[POOL_NONPAGED].count, ROWS);
    finish();
}
END_TEST

START_TEST(four_thousand_rows_in_any_order_come_out_sorted_and_whole)
{
    start((enum nt_arch)_i, 10, 0, 26100);
    fake_kernel_fill(&kernel, 4000);
    ck_assert_int_eq(read_tags(), ST_OK);
    size_t sum = 0;
    for (unsigned pool = 0; pool < POOL_COUNT; pool++) {
        for (size_t i = 1; i < table[pool].count; i++)
            ck_assert_uint_lt(table[pool].tag[i - 1], table[pool].tag[i]);
        sum += table[pool].count;
    }
    ck_assert_uint_eq(sum, 4000 + 400);
    /* A second pass takes no memory of the reader's. */
    const unsigned char *data = reader.buffer.data;
    const unsigned char *scratch = reader.scratch.data;
    ck_assert_int_eq(read_tags(), ST_OK);
    ck_assert_ptr_eq(reader.buffer.data, data);
    ck_assert_ptr_eq(reader.scratch.data, scratch);
    ck_assert_uint_eq(kernel.answers[22].calls, 2);
    ck_assert_uint_eq(reader.buffer.capacity, 256u << 10);
    finish();
}
END_TEST

Suite *nt_pool_suite(void)
{
    Suite *suite = suite_create("nt_pool");
    TCase *tcase = tcase_create("class 22");
    tcase_add_loop_test(tcase, rows_of_both_pools_sorted_and_zero_rows_left_out, 0, 2);
    tcase_add_loop_test(tcase, protected_bit_masked_and_equal_tags_merged_modulo, 0, 2);
    tcase_add_test(tcase, used_below_nothing_is_0_and_beyond_53_bits_is_cut);
    tcase_add_loop_test(tcase, answer_cut_at_every_byte_is_refused_and_never_read_past, 0, 2);
    tcase_add_loop_test(tcase, absurd_counts_are_malformed, 0, 2);
    tcase_add_test(tcase, more_rows_than_a_document_holds_are_too_large);
    tcase_add_test(tcase, no_rows_or_an_old_kernel_without_tagging_says_what_to_do);
    tcase_add_loop_test(tcase, four_thousand_rows_in_any_order_come_out_sorted_and_whole, 0, 2);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("class 255");
    tcase_add_test(tcase, class_255_that_agrees_is_used_and_checked_again_each_time);
    tcase_add_test(tcase, class_255_is_not_asked_before_its_build);
    tcase_add_loop_test(tcase, class_255_that_contradicts_is_dropped_silently, 0,
                        (int)(sizeof wrongs / sizeof *wrongs));
    tcase_add_test(tcase, class_255_with_class_22_layout_or_cut_is_dropped);
    tcase_add_loop_test(tcase, class_255_with_many_tags_more_or_fewer_is_dropped, 0, 2);
    tcase_add_test(tcase, class_255_short_of_memory_is_asked_again);
    tcase_add_test(tcase, class_255_with_a_few_new_tags_is_used);
    suite_add_tcase(suite, tcase);
    return suite;
}
