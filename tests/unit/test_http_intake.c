/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/intake.h"
#include "server/http/reply.h"

#include <check.h>
#include <zstd.h>

Suite *http_intake_suite(void);

#define LIMIT 100000u

static void pack(enum coding coding, const struct strbuf *plain, struct strbuf *out)
{
    if (coding == CODING_IDENTITY)
        strbuf_add(out, plain->data, plain->length);
    else if (coding == CODING_GZIP)
        ck_assert(gzip_write(out, plain->data, plain->length, 6));
    else {
        ck_assert(strbuf_reserve(out, ZSTD_compressBound(plain->length)));
        size_t n = ZSTD_compress(out->data, ZSTD_compressBound(plain->length), plain->data,
                                 plain->length, 3);
        ck_assert(!ZSTD_isError(n));
        out->length = n;
    }
}

static void make_text(struct strbuf *out, size_t length)
{
    for (size_t i = 0; out->length < length; i++)
        strbuf_printf(out, "%zx,", i * 2654435761u);
    out->length = length;
}

/* Feeds pieces of `step` bytes; the first failure, or that of the end. */
static enum status feed(struct intake *intake, enum coding coding, size_t limit, const char *data,
                        size_t length, size_t step)
{
    struct err err;
    ck_assert_int_eq(intake_init(intake, coding, limit, &err), ST_OK);
    for (size_t at = 0; at < length; at += step) {
        size_t n = length - at < step ? length - at : step;
        enum status status = intake_add(intake, data + at, n, &err);
        if (status != ST_OK)
            return status;
    }
    return intake_end(intake, &err);
}

static const enum coding codings[] = {CODING_IDENTITY, CODING_GZIP, CODING_ZSTD};
static const size_t steps[] = {1, 7, 4096, 1u << 20};

/* Every coding with every size of piece. */
START_TEST(intake_any_pieces_give_the_same_body)
{
    AUTO_STRBUF struct strbuf plain = STRBUF_INIT;
    AUTO_STRBUF struct strbuf packed = STRBUF_INIT;
    struct intake intake;
    enum coding coding = codings[_i / 4];
    make_text(&plain, LIMIT);
    pack(coding, &plain, &packed);
    ck_assert_int_eq(feed(&intake, coding, LIMIT, packed.data, packed.length, steps[_i % 4]),
                     ST_OK);
    ck_assert_uint_eq(intake.body.length, plain.length);
    ck_assert_mem_eq(intake.body.data, plain.data, plain.length);
    ck_assert_int_eq(intake.body.data[plain.length], '\0');
    intake_done(&intake);
}
END_TEST

START_TEST(intake_one_byte_over_the_limit_is_too_large)
{
    AUTO_STRBUF struct strbuf plain = STRBUF_INIT;
    AUTO_STRBUF struct strbuf packed = STRBUF_INIT;
    struct intake intake;
    enum coding coding = codings[_i / 4];
    make_text(&plain, LIMIT + 1);
    pack(coding, &plain, &packed);
    ck_assert_int_eq(feed(&intake, coding, LIMIT, packed.data, packed.length, steps[_i % 4]),
                     ST_TOO_LARGE);
    intake_done(&intake);
}
END_TEST

START_TEST(intake_bomb_stays_small)
{
    AUTO_STRBUF struct strbuf plain = STRBUF_INIT;
    AUTO_STRBUF struct strbuf packed = STRBUF_INIT;
    struct intake intake;
    ck_assert(strbuf_reserve(&plain, 32u << 20));
    memset(plain.data, ' ', 32u << 20);
    plain.length = 32u << 20;
    pack(codings[_i], &plain, &packed);
    ck_assert_uint_lt(packed.length, LIMIT);
    ck_assert_int_eq(feed(&intake, codings[_i], LIMIT, packed.data, packed.length, 1u << 20),
                     ST_TOO_LARGE);
    ck_assert_uint_le(intake.body.capacity, 4 * LIMIT);
    intake_done(&intake);
}
END_TEST

/* A stream cut anywhere is malformed; the whole one is not. */
START_TEST(intake_cut_stream_is_malformed)
{
    AUTO_STRBUF struct strbuf plain = STRBUF_INIT;
    AUTO_STRBUF struct strbuf packed = STRBUF_INIT;
    struct intake intake;
    make_text(&plain, 300);
    pack(codings[_i], &plain, &packed);
    for (size_t n = 0; n < packed.length; n++) {
        ck_assert_int_eq(feed(&intake, codings[_i], LIMIT, packed.data, n, 64), ST_MALFORMED);
        intake_done(&intake);
    }
    ck_assert_int_eq(feed(&intake, codings[_i], LIMIT, packed.data, packed.length, 64), ST_OK);
    intake_done(&intake);
}
END_TEST

START_TEST(intake_spoiled_stream_is_malformed)
{
    AUTO_STRBUF struct strbuf plain = STRBUF_INIT;
    AUTO_STRBUF struct strbuf packed = STRBUF_INIT;
    struct intake intake;
    make_text(&plain, 300);
    pack(codings[_i], &plain, &packed);
    packed.data[0] = (char)(packed.data[0] ^ 0x55);
    ck_assert_int_eq(feed(&intake, codings[_i], LIMIT, packed.data, packed.length, 64),
                     ST_MALFORMED);
    intake_done(&intake);
    packed.data[0] = (char)(packed.data[0] ^ 0x55);
    strbuf_puts(&packed, "tail");
    ck_assert_int_eq(feed(&intake, codings[_i], LIMIT, packed.data, packed.length, 64),
                     ST_MALFORMED);
    intake_done(&intake);
}
END_TEST

START_TEST(intake_two_members_are_one_body)
{
    AUTO_STRBUF struct strbuf plain = STRBUF_INIT;
    AUTO_STRBUF struct strbuf packed = STRBUF_INIT;
    struct intake intake;
    make_text(&plain, 300);
    pack(codings[_i], &plain, &packed);
    pack(codings[_i], &plain, &packed);
    if (codings[_i] == CODING_ZSTD) /* pack() writes it at the start */
        strbuf_add(&packed, packed.data, packed.length);
    ck_assert_int_eq(feed(&intake, codings[_i], LIMIT, packed.data, packed.length, 5), ST_OK);
    ck_assert_uint_eq(intake.body.length, 600);
    intake_done(&intake);
}
END_TEST

START_TEST(intake_empty_identity_is_an_empty_text)
{
    struct intake intake;
    ck_assert_int_eq(feed(&intake, CODING_IDENTITY, 0, "", 0, 1), ST_OK);
    ck_assert_str_eq(intake.body.data, "");
    intake_done(&intake);
    intake_done(&intake);
}
END_TEST

Suite *http_intake_suite(void)
{
    Suite *suite = suite_create("http_intake");
    TCase *tc = tcase_create("intake");
    tcase_add_loop_test(tc, intake_any_pieces_give_the_same_body, 0, 12);
    tcase_add_loop_test(tc, intake_one_byte_over_the_limit_is_too_large, 0, 12);
    tcase_add_loop_test(tc, intake_bomb_stays_small, 1, 3);
    tcase_add_loop_test(tc, intake_cut_stream_is_malformed, 1, 3);
    tcase_add_loop_test(tc, intake_spoiled_stream_is_malformed, 1, 3);
    tcase_add_loop_test(tc, intake_two_members_are_one_body, 1, 3);
    tcase_add_test(tc, intake_empty_identity_is_an_empty_text);
    suite_add_tcase(suite, tc);
    return suite;
}
