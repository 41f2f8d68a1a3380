/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tag.h"

#include <check.h>
#include <string.h>

Suite *tag_suite(void);

#define COUNT(array) (sizeof(array) / sizeof *(array))

START_TEST(pool_names_round_trip)
{
    enum pool pool = POOL_UNKNOWN;
    ck_assert(pool_parse("nonpaged", &pool));
    ck_assert_int_eq(pool, POOL_NONPAGED);
    ck_assert(pool_parse("paged", &pool));
    ck_assert_int_eq(pool, POOL_PAGED);
    ck_assert_str_eq(pool_name(POOL_NONPAGED), "nonpaged");
    ck_assert_str_eq(pool_name(POOL_PAGED), "paged");
    ck_assert_ptr_null(pool_name(POOL_UNKNOWN));
}
END_TEST

START_TEST(pool_other_word_is_refused)
{
    static const char *const words[] = {"", "Paged", "NONPAGED", "nonp", "paged ", "unknown"};
    for (size_t i = 0; i < COUNT(words); i++) {
        enum pool pool = POOL_UNKNOWN;
        ck_assert_msg(!pool_parse(words[i], &pool), "%s", words[i]);
        ck_assert_int_eq(pool, POOL_UNKNOWN);
    }
}
END_TEST

static const struct {
    uint32_t tag;
    const char *text;
} texts[] = {
    {0x6b61654c, "Leak"},
    {0x206b6444, "Ddk "},
    {0x50504d20, " MPP"},
    {0x63626101, "\\x01abc"},
    {0x20202020, "    "},
    {0x00000000, "\\x00\\x00\\x00\\x00"},
    {0x7fffffff, "\\xff\\xff\\xff\\x7f"},
    {0x5c403343, "C3@\\x5c"},
    {0x7e7d7c7b, "{|}~"},
    {0x22275b5d, "]['\""},
    {0x6e5c785c, "\\x5cx\\x5cn"},
};

START_TEST(format_known_tag_gives_contract_text)
{
    char text[TAG_TEXT_MAX];
    uint32_t tag = 0xdeadbeef;
    tag_format(texts[_i].tag, text);
    ck_assert_str_eq(text, texts[_i].text);
    ck_assert(tag_parse(text, strlen(text), &tag));
    ck_assert_uint_eq(tag, texts[_i].tag);
}
END_TEST

/* Every byte value at every place: what is written reads back as the same tag. */
START_TEST(format_every_byte_round_trips)
{
    for (unsigned place = 0; place < 4; place++) {
        for (unsigned value = 0; value < 256; value++) {
            unsigned char bytes[4] = {'a', ' ', '\\', 'Z'};
            unsigned char back[4];
            char text[TAG_TEXT_MAX];
            uint32_t again = 0xdeadbeef;
            bytes[place] = (unsigned char)value;
            uint32_t tag = tag_from_bytes(bytes);
            ck_assert_uint_eq(tag & TAG_PROTECTED, 0);
            tag_to_bytes(tag, back);
            bytes[3] &= 0x7f;
            ck_assert_mem_eq(back, bytes, 4);
            memset(text, '#', sizeof text);
            tag_format(tag, text);
            ck_assert_ptr_nonnull(memchr(text, '\0', sizeof text));
            ck_assert(tag_parse(text, strlen(text), &again));
            ck_assert_uint_eq(again, tag);
            for (const char *p = text; *p != '\0'; p++)
                ck_assert(*p >= 0x20 && *p <= 0x7e);
        }
    }
}
END_TEST

static const char *const refused[] = {
    "",           "Lea",      "Leakx",    "Lea\\x6B", "Lea\\x6b", /* k need not be escaped */
    "\\x0Aabc",   "\\x0",     "\\x",      "\\",       "abc\\",      "\\n\\x01a",
    "\\u0001abc", "abc\\x1",  "abc\\x1g", "ab\tc",    "ab\xc3\xa9", "\\x20abc",
    "\\x7eabc",   "\\X01abc", "\\x5Cabc", "abc\x7f",  "\\x01abcd",
};

START_TEST(parse_other_form_is_refused)
{
    uint32_t tag = 0xdeadbeef;
    ck_assert_msg(!tag_parse(refused[_i], strlen(refused[_i]), &tag), "\"%s\"", refused[_i]);
    ck_assert_uint_eq(tag, 0xdeadbeef);
}
END_TEST

START_TEST(parse_stops_at_length)
{
    uint32_t tag = 0;
    ck_assert(tag_parse("Leakage", 4, &tag));
    ck_assert_uint_eq(tag, 0x6b61654c);
    ck_assert(!tag_parse("Leak", 3, &tag));
    ck_assert(!tag_parse("abc\\x01", 6, &tag));
    ck_assert(!tag_parse("Lea\0", 4, &tag));
}
END_TEST

START_TEST(parse_padded_fills_with_blanks)
{
    static const struct {
        const char *text;
        const char *tag;
    } pairs[] = {{"Io", "Io  "},  {"Ddk", "Ddk "},       {"A", "A   "}, {"Leak", "Leak"},
                 {" MP", " MP "}, {"\\x01", "\\x01   "}, {" ", "    "}};
    for (size_t i = 0; i < COUNT(pairs); i++) {
        uint32_t tag;
        char text[TAG_TEXT_MAX];
        ck_assert(tag_parse_padded(pairs[i].text, strlen(pairs[i].text), &tag));
        tag_format(tag, text);
        ck_assert_str_eq(text, pairs[i].tag);
    }
    uint32_t tag = 7;
    ck_assert(!tag_parse_padded("", 0, &tag));
    ck_assert(!tag_parse_padded("toolong", 7, &tag));
    ck_assert(!tag_parse_padded("a\\", 2, &tag));
    ck_assert_uint_eq(tag, 7);
}
END_TEST

START_TEST(protected_bit_is_cleared)
{
    static const unsigned char bytes[4] = {'L', 'e', 'a', 'k' | 0x80};
    ck_assert_uint_eq(tag_from_bytes(bytes), 0x6b61654c);
}
END_TEST

/* Sorted as the text sorts, first byte first, and as unsigned bytes. */
START_TEST(compare_orders_by_bytes)
{
    static const unsigned char order[][4] = {
        {0, 0, 0, 0},         {0, 0, 0, 1},
        {' ', 'M', 'P', 'P'}, {'A', 'B', 'C', 'D'},
        {'A', 'a', 'A', 'A'}, {'a', 'A', 'A', 'A'},
        {'b', ' ', ' ', ' '}, {0x80, 0, 0, 0},
        {0xff, 0, 0, 0},      {0xff, 0xff, 0xff, 0x7f},
    };
    for (size_t i = 0; i < COUNT(order); i++) {
        for (size_t j = 0; j < COUNT(order); j++) {
            int got = tag_compare(tag_from_bytes(order[i]), tag_from_bytes(order[j]));
            int want = i < j ? -1 : i > j;
            ck_assert_int_eq((got > 0) - (got < 0), want);
        }
    }
}
END_TEST

START_TEST(counter_delta_wraps)
{
    ck_assert_uint_eq(counter_delta(5, 3), 2);
    ck_assert_uint_eq(counter_delta(3, 3), 0);
    ck_assert_uint_eq(counter_delta(0, UINT32_MAX), 1);
    ck_assert_uint_eq(counter_delta(2, 4294967290u), 8);
    ck_assert_uint_eq(counter_delta(0, 1), UINT32_MAX);
}
END_TEST

Suite *tag_suite(void)
{
    Suite *suite = suite_create("tag");
    TCase *tcase = tcase_create("tag");
    tcase_add_test(tcase, pool_names_round_trip);
    tcase_add_test(tcase, pool_other_word_is_refused);
    tcase_add_loop_test(tcase, format_known_tag_gives_contract_text, 0, (int)COUNT(texts));
    tcase_add_test(tcase, format_every_byte_round_trips);
    tcase_add_loop_test(tcase, parse_other_form_is_refused, 0, (int)COUNT(refused));
    tcase_add_test(tcase, parse_stops_at_length);
    tcase_add_test(tcase, parse_padded_fills_with_blanks);
    tcase_add_test(tcase, protected_bit_is_cleared);
    tcase_add_test(tcase, compare_orders_by_bytes);
    tcase_add_test(tcase, counter_delta_wraps);
    suite_add_tcase(suite, tcase);
    return suite;
}
