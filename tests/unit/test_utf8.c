/* SPDX-License-Identifier: Apache-2.0 */
#include "common/utf8.h"

#include <check.h>
#include <stdint.h>
#include <string.h>

Suite *utf8_suite(void);

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The encoding of RFC 3629 section 3, for any value; `size` bytes even where fewer would do. */
static void encode(uint32_t point, size_t size, char *out)
{
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = size - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    out[0] = (char)(size == 1 ? point : lead[size] | point);
}

static size_t shortest(uint32_t point)
{
    return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}

START_TEST(sequence_every_scalar_value_is_valid_once)
{
    char text[4];
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        size_t size = shortest(point);
        bool surrogate = point >= 0xd800 && point <= 0xdfff;
        encode(point, size, text);
        if (utf8_sequence(text, 4 < size ? 4 : size) != (surrogate ? 0 : size))
            ck_abort_msg("U+%04X", point);
        for (size_t longer = size + 1; longer <= 4; longer++) {
            encode(point, longer, text);
            if (utf8_sequence(text, longer) != 0)
                ck_abort_msg("U+%04X in %zu bytes", point, longer);
        }
    }
}
END_TEST

START_TEST(sequence_past_the_last_point_is_refused)
{
    char text[4];
    for (uint32_t point = 0x110000; point < 0x200000; point += 0x37) {
        encode(point, 4, text);
        ck_assert_uint_eq(utf8_sequence(text, 4), 0);
    }
}
END_TEST

START_TEST(sequence_cut_off_is_refused)
{
    static const char *const texts[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        size_t size = strlen(texts[i]);
        for (size_t length = 0; length < size; length++)
            ck_assert_uint_eq(utf8_sequence(texts[i], length), 0);
        ck_assert_uint_eq(utf8_sequence(texts[i], size), size);
        ck_assert_uint_eq(utf8_sequence(texts[i], size + 1), size);
    }
}
END_TEST

/* Only 0x00..0x7F and 0xC2..0xF4 begin anything. */
START_TEST(sequence_bad_first_byte_is_refused)
{
    for (unsigned first = 0x80; first < 0x100; first++) {
        char text[4] = {(char)first, '\x90', '\x80', '\x80'};
        if (first == 0xe0)
            text[1] = '\xa0';
        if (first == 0xf4)
            text[1] = '\x80';
        bool begins = first >= 0xc2 && first <= 0xf4;
        ck_assert_msg((utf8_sequence(text, 4) > 0) == begins, "%02x", first);
    }
}
END_TEST

static const struct {
    const char *text;
    size_t length;
    bool valid;
} texts[] = {
    {"", 0, true},
    {"ascii", 5, true},
    {"a\0b", 3, true}, /* NUL is a character; who cannot have it looks for it */
    {"gr\xc3\xbc\xc3\x9f dich \xe4\xbd\xa0\xf0\x9f\x98\x80", 19, true},
    {"a\xc3", 2, false},
    {"\x80", 1, false},
    {"ok\xc0\x80", 4, false},
    {"ok\xed\xbf\xbf", 5, false},
    {"\xef\xbf\xbf\xef\xbb\xbf", 6, true}, /* noncharacter and byte order mark */
    {"\xc3\x28", 2, false},
    {"\xe2\x82\x28", 3, false},
    {"\xf0\x9f\x98\x28", 4, false},
};

START_TEST(valid_judges_whole_text)
{
    ck_assert(utf8_valid(texts[_i].text, texts[_i].length) == texts[_i].valid);
}
END_TEST

Suite *utf8_suite(void)
{
    Suite *suite = suite_create("utf8");
    TCase *tcase = tcase_create("utf8");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, sequence_every_scalar_value_is_valid_once);
    tcase_add_test(tcase, sequence_past_the_last_point_is_refused);
    tcase_add_test(tcase, sequence_cut_off_is_refused);
    tcase_add_test(tcase, sequence_bad_first_byte_is_refused);
    tcase_add_loop_test(tcase, valid_judges_whole_text, 0, (int)COUNT(texts));
    suite_add_tcase(suite, tcase);
    return suite;
}
