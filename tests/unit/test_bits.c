/* SPDX-License-Identifier: Apache-2.0 */
#include "server/chunk/bits.h"
#include "tests/support/fleetgen.h"

#include <check.h>

Suite *bits_suite(void);

#define NUMBERS 4000

static uint64_t number(struct rng *rng)
{
    static const uint64_t edges[] = {0,          1,          2,          19,         20,        21,
                                     UINT32_MAX, 1ull << 55, 1ull << 56, 1ull << 63, UINT64_MAX};
    return rng_below(rng, 4) == 0 ? edges[rng_below(rng, sizeof edges / sizeof *edges)]
                                  : rng_next(rng) >> rng_below(rng, 64);
}

/* The same steps for both sides; `i` decides which kind a number is. */
static uint64_t code(const struct coder *c, size_t i, uint64_t value, struct sizes *sizes,
                     struct lengths *lengths)
{
    unsigned bits = (unsigned)(i * 7 % 65);
    if (i % 4 == 0)
        return code_bits(c, low_bits(value, bits), bits);
    if (i % 4 == 1)
        return code_rice(c, value, bits < 64 ? bits : 63);
    return i % 4 == 2 ? code_sized(c, value, sizes) : code_wide(c, value, lengths);
}

START_TEST(bits_any_numbers_in_any_form_come_back)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct bit_writer to = {.out = &out};
    struct coder write = {.to = &to};
    struct sizes sizes = sizes_of(3);
    struct lengths lengths = {16, sizes_of(1)};
    struct rng rng = {(uint64_t)_i + 1};
    for (size_t i = 0; i < NUMBERS; i++)
        code(&write, i, number(&rng), &sizes, &lengths);
    put_end(&to);
    struct bit_reader from = {.at = (unsigned char *)out.data,
                              .end = (unsigned char *)out.data + out.length};
    struct coder read = {.from = &from};
    sizes = sizes_of(3);
    lengths = (struct lengths){16, sizes_of(1)};
    rng = (struct rng){(uint64_t)_i + 1};
    for (size_t i = 0; i < NUMBERS; i++) {
        uint64_t want = number(&rng), bits = i * 7 % 65;
        ck_assert_uint_eq(code(&read, i, 0, &sizes, &lengths),
                          i % 4 == 0 ? low_bits(want, (unsigned)bits) : want);
    }
    ck_assert(bits_done(&from));
}
END_TEST

START_TEST(bits_past_the_end_are_zeros_and_said)
{
    unsigned char byte = 0xff;
    struct bit_reader from = {.at = &byte, .end = &byte + 1};
    ck_assert_uint_eq(get_bits(&from, 8), 0xff);
    ck_assert(bits_done(&from));
    ck_assert(!bits_over(&from));
    ck_assert_uint_eq(get_bits(&from, 1), 0);
    ck_assert(bits_over(&from));
    ck_assert(!bits_done(&from));
    from = (struct bit_reader){.at = &byte, .end = &byte + 1};
    ck_assert(!bits_done(&from)); /* nothing was read */
}
END_TEST

START_TEST(bits_small_numbers_take_few_bits_after_some)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct bit_writer to = {.out = &out};
    struct coder c = {.to = &to};
    struct sizes sizes = sizes_of(20);
    for (int i = 0; i < 8000; i++)
        code_sized(&c, i % 2 == 0 ? 0 : 1, &sizes);
    put_end(&to);
    ck_assert_uint_lt(out.length, 8000 * 2 / 8);
}
END_TEST

Suite *bits_suite(void)
{
    Suite *suite = suite_create("bits");
    TCase *tc = tcase_create("bits");
    tcase_add_loop_test(tc, bits_any_numbers_in_any_form_come_back, 0, 8);
    tcase_add_test(tc, bits_past_the_end_are_zeros_and_said);
    tcase_add_test(tc, bits_small_numbers_take_few_bits_after_some);
    suite_add_tcase(suite, tc);
    return suite;
}
