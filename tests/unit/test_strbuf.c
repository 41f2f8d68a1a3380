/* SPDX-License-Identifier: Apache-2.0 */
#include "common/strbuf.h"

#include <check.h>
#include <inttypes.h>
#include <stdint.h>

Suite *strbuf_suite(void);

#define COUNT(array) (sizeof(array) / sizeof *(array))

START_TEST(add_grows_and_stays_terminated)
{
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    for (size_t i = 0; i < 5000; i++) {
        strbuf_putc(&buf, (char)('a' + i % 26));
        ck_assert_uint_eq(buf.length, i + 1);
        ck_assert_uint_lt(buf.length, buf.capacity);
        ck_assert_int_eq(buf.data[buf.length], '\0');
    }
    for (size_t i = 0; i < 5000; i++)
        ck_assert_int_eq(buf.data[i], (char)('a' + i % 26));
    ck_assert(!strbuf_failed(&buf));
}
END_TEST

START_TEST(add_keeps_nul_bytes)
{
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    strbuf_add(&buf, "a\0b", 3);
    strbuf_add(&buf, NULL, 0);
    strbuf_puts(&buf, "");
    ck_assert_uint_eq(buf.length, 3);
    ck_assert_mem_eq(buf.data, "a\0b", 4);
}
END_TEST

START_TEST(clear_keeps_memory_and_forgets_text)
{
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    strbuf_clear(&buf); /* nothing there yet */
    strbuf_puts(&buf, "some text");
    const char *data = buf.data;
    strbuf_clear(&buf);
    ck_assert_ptr_eq(buf.data, data);
    ck_assert_uint_eq(buf.length, 0);
    ck_assert_str_eq(buf.data, "");
}
END_TEST

START_TEST(done_leaves_a_usable_buffer)
{
    struct strbuf buf = STRBUF_INIT;
    strbuf_puts(&buf, "x");
    strbuf_done(&buf);
    ck_assert_ptr_null(buf.data);
    strbuf_done(&buf);
    strbuf_puts(&buf, "y");
    ck_assert_str_eq(buf.data, "y");
    strbuf_done(&buf);
}
END_TEST

START_TEST(reserve_gives_room_without_moving_later)
{
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    ck_assert(strbuf_reserve(&buf, 1000));
    const char *data = buf.data;
    for (unsigned i = 0; i < 1000; i++)
        strbuf_putc(&buf, 'x');
    ck_assert_ptr_eq(buf.data, data);
    ck_assert(strbuf_reserve(&buf, 0));
}
END_TEST

/* Sizes that cannot be had must neither wrap nor write. */
START_TEST(reserve_impossible_size_fails_and_sticks)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 3, SIZE_MAX / 2 + 1,
                                   SIZE_MAX / 2};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
        strbuf_puts(&buf, "abc");
        ck_assert(!strbuf_reserve(&buf, sizes[i]));
        ck_assert(strbuf_failed(&buf));
        strbuf_puts(&buf, "more");
        strbuf_u64(&buf, 7);
        strbuf_printf(&buf, "%d", 7);
        strbuf_json(&buf, "x");
        ck_assert_uint_eq(buf.length, 3);
        ck_assert_str_eq(buf.data, "abc");
        ck_assert(!strbuf_reserve(&buf, 1));
        strbuf_clear(&buf);
        strbuf_puts(&buf, "again");
        ck_assert(!strbuf_failed(&buf));
        ck_assert_str_eq(buf.data, "again");
    }
}
END_TEST

START_TEST(take_failed_gives_null)
{
    struct strbuf buf = STRBUF_INIT;
    strbuf_puts(&buf, "abc");
    ck_assert(!strbuf_reserve(&buf, SIZE_MAX));
    ck_assert_ptr_null(strbuf_take(&buf));
    ck_assert_ptr_null(buf.data);
    ck_assert(!strbuf_failed(&buf));
}
END_TEST

START_TEST(take_empty_gives_empty_text)
{
    struct strbuf buf = STRBUF_INIT;
    AUTO_FREE char *text = strbuf_take(&buf);
    ck_assert_str_eq(text, "");
    strbuf_puts(&buf, "abc");
    AUTO_FREE char *more = strbuf_take(&buf);
    ck_assert_str_eq(more, "abc");
    ck_assert_uint_eq(buf.length, 0);
}
END_TEST

START_TEST(numbers_equal_printf)
{
    static const uint64_t values[] = {
        0, 1, 9, 10, 99, 4294967295, 4294967296, (1ull << 53), INT64_MAX, (1ull << 63), UINT64_MAX};
    for (size_t i = 0; i < COUNT(values); i++) {
        AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
        char want[64];
        strbuf_u64(&buf, values[i]);
        strbuf_putc(&buf, ' ');
        strbuf_i64(&buf, (int64_t)values[i]);
        snprintf(want, sizeof want, "%" PRIu64 " %" PRId64, values[i], (int64_t)values[i]);
        ck_assert_str_eq(buf.data, want);
    }
}
END_TEST

START_TEST(grouped_numbers_have_a_comma_every_three_digits)
{
    static const struct {
        uint64_t value;
        const char *text;
    } cases[] = {
        {0, "0"},          {999, "999"},           {1000, "1,000"},
        {10144, "10,144"}, {1000007, "1,000,007"}, {UINT64_MAX, "18,446,744,073,709,551,615"}};
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    for (size_t i = 0; i < COUNT(cases); i++) {
        strbuf_clear(&buf);
        strbuf_grouped(&buf, cases[i].value);
        ck_assert_str_eq(buf.data, cases[i].text);
    }
}
END_TEST

START_TEST(printf_longer_than_capacity_is_whole)
{
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    for (int width = 1; width < 600; width += 97) {
        strbuf_clear(&buf);
        strbuf_printf(&buf, "<%*d>", width, 7);
        ck_assert_uint_eq(buf.length, (size_t)width + 2);
        ck_assert_int_eq(buf.data[buf.length - 1], '>');
        ck_assert_int_eq(buf.data[buf.length - 2], '7');
    }
    strbuf_printf(&buf, "%s", "");
    ck_assert(!strbuf_failed(&buf));
}
END_TEST

#define BAD "\\ufffd"
static const struct {
    const char *text;
    size_t length;
    const char *json;
} json[] = {
    {"", 0, "\"\""},
    {"plain text/", 11, "\"plain text/\""},
    {"a\"b\\c", 5, "\"a\\\"b\\\\c\""},
    {"\n\t\r\b\f", 5, "\"\\n\\t\\u000d\\u0008\\u000c\""},
    {"\0\x1f\x7f", 3, "\"\\u0000\\u001f\\u007f\""},
    {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
    {"a\xff\xfe"
     "b",
     4, "\"a" BAD BAD "b\""},
    {"\xc0\xaf", 2, "\"" BAD BAD "\""},                 /* overlong slash */
    {"\xed\xa0\x80", 3, "\"" BAD BAD BAD "\""},         /* surrogate */
    {"\xf4\x90\x80\x80", 4, "\"" BAD BAD BAD BAD "\""}, /* past U+10FFFF */
    {"ab\xc3", 3, "\"ab" BAD "\""},                     /* cut off */
    {"\xe2\x82", 2, "\"" BAD BAD "\""},
    {"\xe2\x82\xac", 2, "\"" BAD BAD "\""}, /* the length cuts it, not the text */
    {"</script>", 9, "\"</script>\""},
};

START_TEST(json_text_is_escaped)
{
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    strbuf_json_n(&buf, json[_i].text, json[_i].length);
    ck_assert_str_eq(buf.data, json[_i].json);
}
END_TEST

START_TEST(json_whole_text_ends_at_nul)
{
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    strbuf_json(&buf, "ab\0cd");
    ck_assert_str_eq(buf.data, "\"ab\"");
}
END_TEST

Suite *strbuf_suite(void)
{
    Suite *suite = suite_create("strbuf");
    TCase *tcase = tcase_create("strbuf");
    tcase_add_test(tcase, add_grows_and_stays_terminated);
    tcase_add_test(tcase, add_keeps_nul_bytes);
    tcase_add_test(tcase, clear_keeps_memory_and_forgets_text);
    tcase_add_test(tcase, done_leaves_a_usable_buffer);
    tcase_add_test(tcase, reserve_gives_room_without_moving_later);
    tcase_add_test(tcase, reserve_impossible_size_fails_and_sticks);
    tcase_add_test(tcase, take_failed_gives_null);
    tcase_add_test(tcase, take_empty_gives_empty_text);
    tcase_add_test(tcase, numbers_equal_printf);
    tcase_add_test(tcase, grouped_numbers_have_a_comma_every_three_digits);
    tcase_add_test(tcase, printf_longer_than_capacity_is_whole);
    tcase_add_loop_test(tcase, json_text_is_escaped, 0, (int)COUNT(json));
    tcase_add_test(tcase, json_whole_text_ends_at_nul);
    suite_add_tcase(suite, tcase);
    return suite;
}
