/* SPDX-License-Identifier: Apache-2.0 */
/* Classes 0, 2 and 3, and the pool limits by version. */
#include "agent/nt/nt.h"
#include "tests/support/fake_kernel.h"
#include "tests/support/nt_blobs.h"

#include <check.h>

Suite *nt_totals_suite(void);

#define GIB (1ull << 30)

static struct fake_kernel kernel;
static struct nt_reader reader;
static struct snapshot_totals totals;
static struct err err;

static void start(enum nt_arch arch)
{
    fake_kernel_init(&kernel, arch, 10, 0, 26100);
    nt_reader_init(&reader, &kernel.calls);
    fake_kernel_fill(&kernel, 4);
    totals = (struct snapshot_totals){0};
    err = (struct err){0};
}

static void finish(void)
{
    nt_reader_done(&reader);
    fake_kernel_done(&kernel);
}

static void check_total(enum total which, uint64_t value)
{
    ck_assert_msg(totals_has(&totals, which), "%s", total_name(which));
    ck_assert_msg(totals.value[which] == value, "%s is %llu", total_name(which),
                  (unsigned long long)totals.value[which]);
}

START_TEST(pages_become_bytes_in_64_bits)
{
    static const struct blob_performance figures = {0xfffffff0u, 0xffffffffu, 0xfffffffeu,
                                                    0x80000001u, 0x7fffffffu};
    start((enum nt_arch)_i);
    blob_performance(fake_kernel_answer(&kernel, 2), &figures, 0x138);
    ck_assert_msg(nt_totals(&reader, &totals, &err) == ST_OK, "%s", err.message);
    check_total(TOTAL_PHYSICAL_BYTES, 8 * GIB);
    check_total(TOTAL_AVAILABLE_BYTES, 0xfffffff0ull * 4096);
    check_total(TOTAL_COMMIT_BYTES, 0xffffffffull * 4096);
    check_total(TOTAL_COMMIT_LIMIT_BYTES, 0xfffffffeull * 4096);
    check_total(TOTAL_PAGED_BYTES, 0x80000001ull * 4096);
    check_total(TOTAL_NONPAGED_BYTES, 0x7fffffffull * 4096);
    check_total(TOTAL_NONPAGED_LIMIT_BYTES, _i == NT_X64 ? 8 * GIB : 2 * GIB);
    ck_assert(!totals_has(&totals, TOTAL_HANDLES));
    finish();
}
END_TEST

/* Lengths of class 2 by version, each refusing all below its own; most take 0x138. */
START_TEST(performance_of_every_length_is_read)
{
    static const uint32_t lengths[] = {0x138, 0x148, 0x158, 0x178, 0x190};
    static const struct blob_performance figures = {1, 2, 3, 4, 5};
    for (unsigned exact = 0; exact < 2; exact++) {
        start(NT_X64);
        blob_performance(fake_kernel_answer(&kernel, 2), &figures, lengths[_i]);
        kernel.answers[2].shortest = 0x138;
        kernel.answers[2].tiny = lengths[_i] <= 0x178 ? FAKE_ZERO : FAKE_REAL; /* a later one */
        if (exact)
            kernel.answers[2].exact = lengths[_i];
        ck_assert_msg(nt_totals(&reader, &totals, &err) == ST_OK, "%s", err.message);
        check_total(TOTAL_NONPAGED_BYTES, 5 * 4096);
        finish();
    }
}
END_TEST

START_TEST(performance_that_tells_its_whole_length_for_a_part_is_read)
{
    start(NT_X64);
    kernel.answers[2].told = 0x178;
    ck_assert_msg(nt_totals(&reader, &totals, &err) == ST_OK, "%s", err.message);
    check_total(TOTAL_NONPAGED_BYTES, 90000 * 4096);
    finish();
    for (uint32_t told = 1; told < 0x78; told++) {
        start(NT_X64);
        kernel.answers[2].told = told;
        ck_assert_int_eq(nt_totals(&reader, &totals, &err), ST_MALFORMED);
        finish();
    }
}
END_TEST

START_TEST(zero_pages_are_unknown_not_zero)
{
    static const struct blob_performance wine = {100, 200, 300, 0, 0};
    start(NT_X64);
    blob_performance(fake_kernel_answer(&kernel, 2), &wine, 0x138);
    ck_assert_int_eq(nt_totals(&reader, &totals, &err), ST_OK);
    ck_assert(!totals_has(&totals, TOTAL_NONPAGED_BYTES));
    ck_assert(!totals_has(&totals, TOTAL_PAGED_BYTES));
    check_total(TOTAL_COMMIT_BYTES, 200 * 4096);
    finish();
}
END_TEST

START_TEST(one_class_failing_leaves_the_figures_of_the_other)
{
    start(NT_X64);
    kernel.answers[0].status = NT_ACCESS_DENIED;
    ck_assert_int_eq(nt_totals(&reader, &totals, &err), ST_FORBIDDEN);
    ck_assert_ptr_nonnull(strstr(err.message, "basic figures"));
    ck_assert(!totals_has(&totals, TOTAL_PHYSICAL_BYTES));
    ck_assert(!totals_has(&totals, TOTAL_NONPAGED_LIMIT_BYTES));
    check_total(TOTAL_NONPAGED_BYTES, 90000 * 4096);
    finish();
    start(NT_X64);
    kernel.answers[2].status = NT_NOT_IMPLEMENTED;
    ck_assert_int_eq(nt_totals(&reader, &totals, &err), ST_UNSUPPORTED);
    check_total(TOTAL_PHYSICAL_BYTES, 8 * GIB);
    ck_assert(!totals_has(&totals, TOTAL_NONPAGED_BYTES));
    finish();
}
END_TEST

START_TEST(nonsense_of_class_0_is_malformed)
{
    static const uint32_t pages[] = {0, 1, 4095, 4097, 0x80000000u};
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        start(NT_X64);
        blob_basic(fake_kernel_answer(&kernel, 0), NT_X64, pages[i], 1000);
        ck_assert_int_eq(nt_totals(&reader, &totals, &err), ST_MALFORMED);
        finish();
    }
    start(NT_X64);
    kernel.answers[0].exact = 0x44; /* a class of another length */
    ck_assert_int_eq(nt_totals(&reader, &totals, &err), ST_MALFORMED);
    finish();
}
END_TEST

/* ---- clocks */

#define EPOCH  116444736000000000ll /* 1970 in 100 ns from 1601 */
#define SECOND 10000000ll

START_TEST(clocks_without_the_corrections_of_the_clock)
{
    struct nt_clocks clocks;
    int64_t boot = EPOCH + 1700000000 * SECOND;
    start((enum nt_arch)_i);
    /* Booted, then somebody set the clock an hour on: both moved. */
    blob_time(fake_kernel_answer(&kernel, 3), boot + 3600 * SECOND, boot + 7200 * SECOND + 5,
              3600 * SECOND);
    kernel.answers[3].at_most = 0x30;
    ck_assert_int_eq(nt_clocks(&reader, &clocks, &err), ST_OK);
    ck_assert_int_eq(clocks.boot_at_us, 1700000000 * US_PER_SECOND);
    ck_assert_int_eq(clocks.wall_us, 1700007200 * US_PER_SECOND);
    ck_assert_int_eq(clocks.uptime_us, 3600 * US_PER_SECOND);
    ck_assert_uint_eq(kernel.answers[3].largest, 0x30);
    finish();
}
END_TEST

START_TEST(clocks_that_cannot_be_are_malformed)
{
    static const int64_t times[][3] = {
        {0, EPOCH, 0},
        {-5, EPOCH, 0},
        {EPOCH + SECOND, EPOCH, 0},
        {EPOCH + 5, EPOCH + 6, 60 * SECOND}, /* before 1970 */
        {EPOCH + 5, INT64_MAX, 0},
        {EPOCH + 5, EPOCH + 6, INT64_MIN},
        {EPOCH + 5, EPOCH + 6, INT64_MAX},
        {5, 6, 0},
    };
    struct nt_clocks clocks;
    start(NT_X64);
    blob_time(fake_kernel_answer(&kernel, 3), times[_i][0], times[_i][1], times[_i][2]);
    ck_assert_int_eq(nt_clocks(&reader, &clocks, &err), ST_MALFORMED);
    finish();
}
END_TEST

START_TEST(clocks_absent_are_unsupported)
{
    struct nt_clocks clocks;
    start(NT_X64);
    kernel.known[3] = false;
    ck_assert_int_eq(nt_clocks(&reader, &clocks, &err), ST_UNSUPPORTED);
    finish();
}
END_TEST

/* ---- limits */

static const struct {
    unsigned major, minor;
    bool server;
    enum nt_arch arch;
    uint64_t physical, commit, nonpaged, paged;
} limits[] = {
    {5, 0, true, NT_X86, 4 * GIB, 8 * GIB, 0, 0},
    {5, 1, false, NT_X86, 1 * GIB, 2 * GIB, 256ull << 20, 490ull << 20},
    {5, 2, true, NT_X86, 4 * GIB, 8 * GIB, 256ull << 20, 530ull << 20},
    {5, 2, true, NT_X64, 64 * GIB, 500 * GIB, 64 * GIB, 128 * GIB},
    {6, 0, false, NT_X64, 10 * GIB, 20 * GIB, 4 * GIB, 20 * GIB},
    {6, 0, true, NT_X64, 8 * GIB, 20 * GIB, 6 * GIB, 20 * GIB},
    {6, 0, false, NT_X86, 1 * GIB, 2 * GIB, 1 * GIB, 2 * GIB},
    {6, 1, true, NT_X64, 400 * GIB, 900 * GIB, 128 * GIB, 128 * GIB},
    {6, 1, false, NT_X86, 2 * GIB, 4 * GIB, 3 * GIB / 2, 2 * GIB},
    {6, 2, true, NT_X64, 256 * GIB, 900 * GIB, 128 * GIB, 384 * GIB},
    {6, 3, true, NT_X64, 256 * GIB, 900 * GIB, 256 * GIB, 900 * GIB},
    {10, 0, true, NT_X64, 24ull << 40, 40ull << 40, 16ull << 40, 31ull << 39},
    {10, 0, false, NT_X86, 4 * GIB, 6 * GIB, 2 * GIB, 2 * GIB},
    {10, 0, true, NT_X64, 0, 0, 0, 0},
    {10, 0, true, NT_X64, 16 * GIB, 0, 16 * GIB, 0},
};

START_TEST(limit_by_version_architecture_and_memory)
{
    struct nt_version version = {.major = limits[_i].major,
                                 .minor = limits[_i].minor,
                                 .server = limits[_i].server,
                                 .arch = limits[_i].arch};
    uint64_t nonpaged = 1;
    uint64_t paged = 1;
    nt_pool_limits(&version, limits[_i].physical, limits[_i].commit, &nonpaged, &paged);
    ck_assert_uint_eq(nonpaged, limits[_i].nonpaged);
    ck_assert_uint_eq(paged, limits[_i].paged);
}
END_TEST

Suite *nt_totals_suite(void)
{
    Suite *suite = suite_create("nt_totals");
    TCase *tcase = tcase_create("totals");
    tcase_add_loop_test(tcase, pages_become_bytes_in_64_bits, 0, 2);
    tcase_add_loop_test(tcase, performance_of_every_length_is_read, 0, 5);
    tcase_add_test(tcase, performance_that_tells_its_whole_length_for_a_part_is_read);
    tcase_add_test(tcase, zero_pages_are_unknown_not_zero);
    tcase_add_test(tcase, one_class_failing_leaves_the_figures_of_the_other);
    tcase_add_test(tcase, nonsense_of_class_0_is_malformed);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("clocks");
    tcase_add_loop_test(tcase, clocks_without_the_corrections_of_the_clock, 0, 2);
    tcase_add_loop_test(tcase, clocks_that_cannot_be_are_malformed, 0, 8);
    tcase_add_test(tcase, clocks_absent_are_unsupported);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("limits");
    tcase_add_loop_test(tcase, limit_by_version_architecture_and_memory, 0,
                        (int)(sizeof limits / sizeof *limits));
    suite_add_tcase(suite, tcase);
    return suite;
}
