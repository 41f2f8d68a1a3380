/* SPDX-License-Identifier: Apache-2.0 */
/* The growth rule against every known manner of a kernel towards a buffer that is too small. */
#include "agent/nt/query.h"
#include "tests/support/fake_kernel.h"
#include "tests/support/nt_blobs.h"

#include <check.h>

Suite *nt_query_suite(void);

static struct fake_kernel kernel;
static struct nt_reader reader;

static void setup(void)
{
    fake_kernel_init(&kernel, NT_X64, 10, 0, 26100);
    nt_reader_init(&reader, &kernel.calls);
}

static void teardown(void)
{
    nt_reader_done(&reader);
    fake_kernel_done(&kernel);
}

static const struct nt_question question = {
    .information_class = 22, .what = "things", .start_bytes = 16384, .most_bytes = 1u << 20};

static struct fake_answer *answer_of(size_t bytes)
{
    struct strbuf *out = fake_kernel_answer(&kernel, 22);
    for (size_t i = 0; i < bytes; i++)
        strbuf_putc(out, (char)i);
    ck_assert(!strbuf_failed(out));
    return &kernel.answers[22];
}

static enum status ask(size_t *length, struct err *err)
{
    return nt_ask(&reader, &reader.buffer, &question, length, err);
}

START_TEST(every_tiny_manner_small_and_large_answers_are_read_whole)
{
    static const size_t sizes[] = {1, 48, 16383, 16384, 16385, 60000, 300000, (1u << 20) - 5000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct err err = {0};
        size_t length = 0;
        nt_reader_done(&reader);
        nt_reader_init(&reader, &kernel.calls);
        struct fake_answer *answer = answer_of(sizes[i]);
        answer->tiny = (enum fake_tiny)_i;
        ck_assert_msg(ask(&length, &err) == ST_OK, "%zu: %s", sizes[i], err.message);
        ck_assert_uint_eq(length, sizes[i]);
        ck_assert_mem_eq(reader.buffer.data, answer->bytes.data, length);
        ck_assert_uint_le(answer->calls, answer->tiny == FAKE_REAL ? 2 : 8);
        ck_assert_uint_le(answer->largest, question.most_bytes);
    }
}
END_TEST

START_TEST(second_question_one_call_and_the_same_memory)
{
    struct err err;
    size_t length;
    struct fake_answer *answer = answer_of(200000);
    answer->tiny = FAKE_ZERO;
    ck_assert_int_eq(ask(&length, &err), ST_OK);
    unsigned calls = answer->calls;
    const unsigned char *data = reader.buffer.data;
    ck_assert_uint_gt(calls, 1);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_int_eq(ask(&length, &err), ST_OK);
    ck_assert_uint_eq(answer->calls, calls + 10);
    ck_assert_ptr_eq(reader.buffer.data, data);
}
END_TEST

START_TEST(table_that_grows_for_ever_ends_with_io_naming_it)
{
    struct err err = {0};
    size_t length = 77;
    struct fake_answer *answer = answer_of(100);
    answer->tiny = FAKE_REAL;
    answer->grows = 1;
    ck_assert_int_eq(ask(&length, &err), ST_IO);
    ck_assert_ptr_nonnull(strstr(err.message, "things"));
    ck_assert_uint_le(answer->calls, 8);
    ck_assert_uint_le(answer->largest, question.most_bytes);
    ck_assert_uint_eq(length, 77);
}
END_TEST

START_TEST(need_above_the_cap_is_io_and_never_asked_for)
{
    struct err err = {0};
    size_t length;
    struct fake_answer *answer = answer_of((1u << 20) + 1);
    for (unsigned manner = 0; manner < FAKE_TINY_COUNT; manner++) {
        answer->tiny = (enum fake_tiny)manner;
        answer->calls = 0;
        ck_assert_int_eq(ask(&length, &err), ST_IO);
        ck_assert_uint_le(answer->calls, 7); /* the largest buffer is tried once */
        ck_assert_uint_le(answer->largest, question.most_bytes);
    }
}
END_TEST

START_TEST(success_longer_than_the_buffer_is_malformed)
{
    struct err err = {0};
    size_t length = 5;
    struct fake_answer *answer = answer_of(100);
    answer->told = 16385;
    ck_assert_int_eq(ask(&length, &err), ST_MALFORMED);
    answer->told = UINT32_MAX;
    ck_assert_int_eq(ask(&length, &err), ST_MALFORMED);
    ck_assert_uint_eq(length, 5);
}
END_TEST

static const struct {
    int32_t nt;
    enum status status;
    const char *text;
} refusals[] = {
    {NT_INVALID_INFO_CLASS, ST_UNSUPPORTED, "c0000003"},
    {NT_NOT_IMPLEMENTED, ST_UNSUPPORTED, "c0000002"},
    {NT_NOT_SUPPORTED, ST_UNSUPPORTED, "c00000bb"},
    {NT_ACCESS_DENIED, ST_FORBIDDEN, "access denied"},
    {NT_PRIVILEGE_NOT_HELD, ST_FORBIDDEN, "privilege"},
    {NT_INSUFFICIENT_RESOURCES, ST_NOMEM, "short of memory"},
    {NT_NO_MEMORY, ST_NOMEM, "short of memory"},
    {(int32_t)0xc0000005, ST_IO, "c0000005"},
    {(int32_t)0x80000002, ST_IO, "80000002"},
};

START_TEST(refusal_status_and_text)
{
    struct err err = {0};
    size_t length;
    answer_of(10)->status = refusals[_i].nt;
    ck_assert_int_eq(ask(&length, &err), refusals[_i].status);
    ck_assert_msg(strstr(err.message, refusals[_i].text) != NULL, "%s", err.message);
    ck_assert_msg(strncmp(err.message, "could not read things: ", 23) == 0, "%s", err.message);
    /* Only a class that does not exist is never asked again. */
    bool again = refusals[_i].nt != NT_INVALID_INFO_CLASS;
    ck_assert_int_eq(ask(&length, &err), refusals[_i].status);
    ck_assert_uint_eq(kernel.answers[22].calls, again ? 2 : 1);
}
END_TEST

START_TEST(class_of_a_later_version_is_not_asked)
{
    static const struct nt_question later = {.information_class = 22,
                                             .what = "things",
                                             .start_bytes = 4096,
                                             .most_bytes = 8192,
                                             .version = 1000,
                                             .build = 28000};
    struct err err;
    size_t length;
    answer_of(10);
    ck_assert_int_eq(nt_ask(&reader, &reader.buffer, &later, &length, &err), ST_UNSUPPORTED);
    kernel.calls.version.build = 28000;
    ck_assert_int_eq(nt_ask(&reader, &reader.buffer, &later, &length, &err), ST_OK);
    kernel.calls.version.major = 6;
    ck_assert_int_eq(nt_ask(&reader, &reader.buffer, &later, &length, &err), ST_UNSUPPORTED);
    ck_assert_uint_eq(kernel.answers[22].calls, 1);
}
END_TEST

Suite *nt_query_suite(void)
{
    Suite *suite = suite_create("nt_query");
    TCase *tcase = tcase_create("growth");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, every_tiny_manner_small_and_large_answers_are_read_whole, 0,
                        FAKE_TINY_COUNT);
    tcase_add_test(tcase, second_question_one_call_and_the_same_memory);
    tcase_add_test(tcase, table_that_grows_for_ever_ends_with_io_naming_it);
    tcase_add_test(tcase, need_above_the_cap_is_io_and_never_asked_for);
    tcase_add_test(tcase, success_longer_than_the_buffer_is_malformed);
    tcase_add_loop_test(tcase, refusal_status_and_text, 0,
                        (int)(sizeof refusals / sizeof *refusals));
    tcase_add_test(tcase, class_of_a_later_version_is_not_asked);
    suite_add_tcase(suite, tcase);
    return suite;
}
