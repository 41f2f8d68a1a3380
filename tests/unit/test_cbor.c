/* SPDX-License-Identifier: Apache-2.0 */
/* The pull reader on well-formed, broken and hostile input; the writer's shortest forms. */
#include "common/cbor.h"

#include <check.h>
#include <string.h>

Suite *cbor_suite(void);

#define COUNT(array) (sizeof(array) / sizeof *(array))
/* A literal with NULs in it, and its length. */
#define BYTES_OF(literal) literal, sizeof(literal) - 1

struct sample {
    const char *name;
    const char *bytes;
    size_t length;
};

/* ---- whole items ----------------------------------------------------------------------------- */

static const struct sample well_formed[] = {
    {"0", BYTES_OF("\x00")},
    {"23", BYTES_OF("\x17")},
    {"24 in one byte", BYTES_OF("\x18\x18")},
    {"0 in eight bytes", BYTES_OF("\x1b\0\0\0\0\0\0\0\0")},
    {"2^64-1", BYTES_OF("\x1b\xff\xff\xff\xff\xff\xff\xff\xff")},
    {"-2^64", BYTES_OF("\x3b\xff\xff\xff\xff\xff\xff\xff\xff")},
    {"half float", BYTES_OF("\xf9\x3c\0")},
    {"double", BYTES_OF("\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a")},
    {"false", BYTES_OF("\xf4")},
    {"undefined", BYTES_OF("\xf7")},
    {"simple 255", BYTES_OF("\xf8\xff")},
    {"simple 32", BYTES_OF("\xf8\x20")},
    {"tagged text", BYTES_OF("\xc0\x61g")},
    {"tag in a tag", BYTES_OF("\xd8\x20\xc1\x01")},
    {"bignum", BYTES_OF("\xc2\x49\x01\0\0\0\0\0\0\0\0")},
    {"empty bytes", BYTES_OF("\x40")},
    {"bytes", BYTES_OF("\x44\1\2\3\4")},
    {"bytes in pieces", BYTES_OF("\x5f\x42\1\2\x41\3\xff")},
    {"text in no pieces", BYTES_OF("\x7f\xff")},
    {"text in pieces", BYTES_OF("\x7f\x61x\x62yz\xff")},
    {"list in lists", BYTES_OF("\x83\x01\x82\x02\x03\x82\x04\x05")},
    {"indefinite lists", BYTES_OF("\x9f\x01\x82\x02\x03\x9f\x04\x05\xff\xff")},
    {"tagged item of a list", BYTES_OF("\x82\xc1\x01\xc1\x80")},
    {"map", BYTES_OF("\xa2\x61\x61\x01\x02\x03")},
    {"indefinite map", BYTES_OF("\xbf\x61\x61\x01\x61\x62\x9f\x02\xff\xff")},
    {"map of maps", BYTES_OF("\xa1\xa1\x01\x02\xbf\xff")},
    {"sixteen deep", BYTES_OF("\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x80")},
};

START_TEST(skip_well_formed_takes_just_the_item)
{
    struct cbor_reader reader;
    char bytes[64];
    memcpy(bytes, well_formed[_i].bytes, well_formed[_i].length);
    bytes[well_formed[_i].length] = '\x05';
    cbor_read_init(&reader, bytes, well_formed[_i].length + 1);
    ck_assert_msg(cbor_skip(&reader), "%s: %s", well_formed[_i].name, reader.fault);
    ck_assert_uint_eq(cbor_offset(&reader), well_formed[_i].length);
    ck_assert_uint_eq(reader.depth, 0);
    ck_assert(cbor_skip(&reader));
    ck_assert_int_eq(cbor_peek(&reader), CBOR_END);
}
END_TEST

START_TEST(skip_cut_off_anywhere_fails)
{
    for (size_t length = 0; length < well_formed[_i].length; length++) {
        struct cbor_reader reader;
        /* Memory of just that size: a byte read beyond it is found. */
        AUTO_FREE char *bytes = malloc(length + (length == 0));
        ck_assert_ptr_nonnull(bytes);
        memcpy(bytes, well_formed[_i].bytes, length);
        cbor_read_init(&reader, bytes, length);
        ck_assert_msg(!cbor_skip(&reader), "%s: %zu", well_formed[_i].name, length);
        ck_assert_str_eq(reader.fault, "cut off");
        ck_assert_int_eq(cbor_peek(&reader), CBOR_BAD);
    }
}
END_TEST

static const struct sample malformed[] = {
    {"reserved 28", BYTES_OF("\x1c")},
    {"reserved 29 of text", BYTES_OF("\x7d")},
    {"reserved 30 of a list", BYTES_OF("\x9e\x01")},
    {"reserved 30 of simple", BYTES_OF("\xfe")},
    {"indefinite integer", BYTES_OF("\x1f")},
    {"indefinite negative", BYTES_OF("\x3f")},
    {"indefinite tag", BYTES_OF("\xdf\x01")},
    {"break alone", BYTES_OF("\xff")},
    {"break in a definite list", BYTES_OF("\x81\xff")},
    {"break for a map's value", BYTES_OF("\xbf\x01\xff")},
    {"break for a definite map's value", BYTES_OF("\xa1\x01\xff")},
    {"break behind a tag", BYTES_OF("\x9f\xc1\xff")},
    {"nothing behind a tag", BYTES_OF("\xc1")},
    {"tag as a map's last", BYTES_OF("\xa1\x01\xc1")},
    {"simple 31 in two bytes", BYTES_OF("\xf8\x1f")},
    {"false in two bytes", BYTES_OF("\xf8\x14")},
    {"text in pieces of bytes", BYTES_OF("\x7f\x41x\xff")},
    {"pieces in pieces", BYTES_OF("\x7f\x7f\x61x\xff\xff")},
    {"integer as a piece", BYTES_OF("\x5f\x01\xff")},
    {"reserved length of a piece", BYTES_OF("\x5f\x5c\xff")},
    {"text of 2^64-1 bytes", BYTES_OF("\x7b\xff\xff\xff\xff\xff\xff\xff\xffxx")},
    {"bytes of 2^63 bytes", BYTES_OF("\x5b\x80\0\0\0\0\0\0\0xx")},
    {"list of 2^64-1 items", BYTES_OF("\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
    {"list of 2^64-2 items", BYTES_OF("\x9b\xff\xff\xff\xff\xff\xff\xff\xfe\x01")},
    {"list of 2^32 items", BYTES_OF("\x9b\0\0\0\1\0\0\0\0\x01")},
    {"map of 2^63 pairs", BYTES_OF("\xbb\x80\0\0\0\0\0\0\0\x01\x01")},
    {"map of one pair more than bytes", BYTES_OF("\xa2\x01\x01\x01")},
    {"seventeen deep",
     BYTES_OF("\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x80")},
    {"seventeen deep, indefinite",
     BYTES_OF("\x9f\x9f\x9f\x9f\x9f\x9f\x9f\x9f\x9f\x9f\x9f\x9f\x9f\x9f\x9f\x9f\x9f")},
};

START_TEST(skip_malformed_fails_and_stays_failed)
{
    struct cbor_reader reader;
    uint64_t value;
    bool flag;
    const char *text;
    size_t length;
    cbor_read_init(&reader, malformed[_i].bytes, malformed[_i].length);
    ck_assert_msg(!cbor_skip(&reader), "%s", malformed[_i].name);
    ck_assert(reader.failed);
    ck_assert_ptr_nonnull(reader.fault);
    const char *fault = reader.fault;
    ck_assert(!cbor_skip(&reader) && !cbor_more(&reader));
    ck_assert(!cbor_read_uint(&reader, &value) && !cbor_read_bool(&reader, &flag));
    ck_assert(!cbor_read_null(&reader) && !cbor_read_text(&reader, &text, &length));
    ck_assert(!cbor_read_array(&reader, &length) && !cbor_read_map(&reader, &length));
    ck_assert_ptr_eq(reader.fault, fault);
}
END_TEST

/* Whatever the bytes: the reader ends, and inside them. */
START_TEST(skip_random_bytes_stays_inside)
{
    uint64_t random = 12345;
    for (unsigned round = 0; round < 20000; round++) {
        unsigned char bytes[24];
        struct cbor_reader reader;
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t length = (size_t)(random >> 33) % sizeof bytes;
        for (size_t i = 0; i < length; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            bytes[i] = (unsigned char)(random >> 56);
        }
        cbor_read_init(&reader, bytes, length);
        while (cbor_skip(&reader)) {
        }
        ck_assert_uint_le(cbor_offset(&reader), length);
    }
}
END_TEST

/* ---- typed reading --------------------------------------------------------------------------- */

START_TEST(read_walks_definite_and_indefinite_alike)
{
    static const struct sample both[] = {
        {"definite", BYTES_OF("\xa2\x61"
                              "a\x83\x01\x19\x01\x00\x1a\x00\x01\x00\x00\x61"
                              "b\x82\xf5\xf6")},
        {"indefinite", BYTES_OF("\xbf\x61"
                                "a\x9f\x01\x19\x01\x00\x1a\x00\x01\x00\x00\xff\x61"
                                "b\x9f\xf5\xf6\xff\xff")},
    };
    static const uint64_t expected[] = {1, 256, 65536};
    struct cbor_reader reader;
    const char *text;
    size_t length, count;
    uint64_t value;
    bool flag = false;
    cbor_read_init(&reader, both[_i].bytes, both[_i].length);
    ck_assert_int_eq(cbor_peek(&reader), CBOR_MAP);
    ck_assert(cbor_read_map(&reader, &count));
    ck_assert_uint_eq(count, _i == 0 ? 2 : SIZE_MAX);
    ck_assert(cbor_more(&reader));
    ck_assert(cbor_read_text(&reader, &text, &length));
    ck_assert(length == 1 && text[0] == 'a');
    ck_assert(cbor_read_array(&reader, &count));
    ck_assert_uint_eq(count, _i == 0 ? 3 : SIZE_MAX);
    for (size_t i = 0; i < COUNT(expected); i++) {
        ck_assert(cbor_more(&reader) && cbor_read_uint(&reader, &value));
        ck_assert_uint_eq(value, expected[i]);
    }
    ck_assert_int_eq(cbor_peek(&reader), CBOR_BREAK);
    ck_assert(!cbor_more(&reader) && !reader.failed);
    ck_assert(cbor_more(&reader));
    ck_assert(cbor_read_text(&reader, &text, &length) && cbor_read_array(&reader, &count));
    ck_assert(cbor_read_bool(&reader, &flag) && flag);
    ck_assert_int_eq(cbor_peek(&reader), CBOR_NULL);
    ck_assert(cbor_read_null(&reader));
    ck_assert(!cbor_more(&reader) && !cbor_more(&reader));
    ck_assert_int_eq(cbor_peek(&reader), CBOR_END);
}
END_TEST

static const struct {
    const char *name;
    const char *bytes;
    size_t length;
    enum cbor_kind kind;
} kinds[] = {
    {"integer", BYTES_OF("\x01"), CBOR_UINT},
    {"negative", BYTES_OF("\x20"), CBOR_NEGATIVE},
    {"bytes", BYTES_OF("\x40"), CBOR_BYTES},
    {"text", BYTES_OF("\x60"), CBOR_TEXT},
    {"text in pieces", BYTES_OF("\x7f\xff"), CBOR_OTHER},
    {"list", BYTES_OF("\x80"), CBOR_ARRAY},
    {"indefinite map", BYTES_OF("\xbf\xff"), CBOR_MAP},
    {"true", BYTES_OF("\xf5"), CBOR_BOOL},
    {"null", BYTES_OF("\xf6"), CBOR_NULL},
    {"undefined", BYTES_OF("\xf7"), CBOR_OTHER},
    {"float", BYTES_OF("\xf9\0\0"), CBOR_OTHER},
    {"tag", BYTES_OF("\xc1\x01"), CBOR_OTHER},
    {"nothing", BYTES_OF(""), CBOR_END},
};

START_TEST(read_of_another_type_fails)
{
    struct cbor_reader reader;
    uint64_t value;
    const char *text;
    size_t length;
    bool flag;
    const bool read[] = {
        (cbor_read_init(&reader, kinds[_i].bytes, kinds[_i].length),
         cbor_read_uint(&reader, &value)),
        (cbor_read_init(&reader, kinds[_i].bytes, kinds[_i].length),
         cbor_read_text(&reader, &text, &length)),
        (cbor_read_init(&reader, kinds[_i].bytes, kinds[_i].length),
         cbor_read_array(&reader, &length)),
        (cbor_read_init(&reader, kinds[_i].bytes, kinds[_i].length),
         cbor_read_map(&reader, &length)),
        (cbor_read_init(&reader, kinds[_i].bytes, kinds[_i].length),
         cbor_read_bool(&reader, &flag)),
        (cbor_read_init(&reader, kinds[_i].bytes, kinds[_i].length), cbor_read_null(&reader)),
    };
    static const enum cbor_kind wanted[] = {CBOR_UINT, CBOR_TEXT, CBOR_ARRAY,
                                            CBOR_MAP,  CBOR_BOOL, CBOR_NULL};
    cbor_read_init(&reader, kinds[_i].bytes, kinds[_i].length);
    ck_assert_int_eq(cbor_peek(&reader), kinds[_i].kind);
    for (size_t i = 0; i < COUNT(wanted); i++)
        ck_assert_msg(read[i] == (wanted[i] == kinds[_i].kind), "%s as %zu", kinds[_i].name, i);
}
END_TEST

START_TEST(read_past_the_end_of_a_list_fails)
{
    struct cbor_reader reader;
    size_t count;
    uint64_t value;
    cbor_read_init(&reader, "\x81\x01\x02", 3);
    ck_assert(cbor_read_array(&reader, &count) && cbor_read_uint(&reader, &value));
    ck_assert(!cbor_read_uint(&reader, &value));
    ck_assert_uint_eq(value, 1);
}
END_TEST

/* Takes the open list's integers in runs, and one by one where a run stops; how many came. */
static size_t take_column(struct cbor_reader *reader, bool narrow, uint64_t max, uint64_t *ret,
                          size_t room)
{
    size_t count = 0;
    uint32_t few[64];
    while (count < room) {
        size_t run = narrow ? cbor_read_u32s(reader, few, room - count < 64 ? room - count : 64)
                            : cbor_read_u64s(reader, max, ret + count, room - count);
        for (size_t i = 0; narrow && i < run; i++)
            ret[count + i] = few[i];
        count += run;
        if (count == room || cbor_peek(reader) != CBOR_UINT || !cbor_read_uint(reader, ret + count))
            return count;
        count++;
    }
    return count;
}

/* Lists of integers of every width, some longer than they need be; whole and cut off anywhere. */
START_TEST(read_in_runs_is_as_one_by_one)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    uint64_t state = (uint64_t)_i + 1, wanted[40], got[40];
    bool open = _i % 3 == 0;
    strbuf_puts(&out, open ? "\x9f" : "\x98\x28");
    for (unsigned i = 0; i < 40; i++) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t value = state >> (state >> 58);
        if (state % 7 == 0) {
            value &= 7;
            strbuf_add(&out, "\x1a\0\0\0", 4);
            strbuf_add(&out, &(char){(char)value}, 1);
        } else {
            cbor_put_uint(&out, value);
        }
        wanted[i] = value;
    }
    if (open)
        cbor_put_break(&out);
    for (size_t length = open ? 1 : 2; length <= out.length; length++) {
        AUTO_FREE char *exact = malloc(length); /* so that a sanitizer sees a step too far */
        struct cbor_reader reader, single;
        size_t told, count;
        memcpy(exact, out.data, length);
        cbor_read_init(&reader, exact, length);
        cbor_read_init(&single, exact, length);
        if (!cbor_read_array(&reader, &told)) { /* as it is one by one */
            ck_assert(!cbor_read_array(&single, &told));
            continue;
        }
        ck_assert(cbor_read_array(&single, &told));
        for (count = 0; count < 40; count++) {
            uint64_t value;
            if (cbor_peek(&single) != CBOR_UINT || !cbor_read_uint(&single, &value))
                break;
            ck_assert_uint_eq(value, wanted[count]);
        }
        ck_assert_uint_eq(take_column(&reader, _i % 2 == 0, UINT64_MAX, got, 40), count);
        ck_assert_mem_eq(got, wanted, count * sizeof *got);
        ck_assert_uint_eq(cbor_offset(&reader), cbor_offset(&single));
        ck_assert(reader.failed == single.failed);
        if (length == out.length) /* the list knows how many were taken */
            ck_assert(!cbor_more(&reader) && !reader.failed);
    }
}
END_TEST

START_TEST(read_in_runs_stops_before_what_is_no_such_integer)
{
    static const struct sample lists[] = {
        {"too large", BYTES_OF("\x83\x01\x19\x01\x00\x02\x03\x04\x05")},
        {"negative", BYTES_OF("\x83\x01\x20\x02\x03\x04\x05")},
        {"text", BYTES_OF("\x83\x01\x61z\x02\x03\x04\x05")},
        {"reserved length", BYTES_OF("\x83\x01\x1c\x02\x03\x04\x05")},
        {"the next item behind the list", BYTES_OF("\x81\x01\x02\x03\x04\x05\x06")},
    };
    uint64_t values[8];
    size_t told;
    struct cbor_reader reader;
    cbor_read_init(&reader, lists[_i].bytes, lists[_i].length);
    ck_assert(cbor_read_array(&reader, &told));
    ck_assert_uint_eq(cbor_read_u64s(&reader, 255, values, 8), 1);
    ck_assert_uint_eq(values[0], 1);
    ck_assert(!reader.failed);
    ck_assert_uint_eq(cbor_offset(&reader), 2);
}
END_TEST

/* ---- writing --------------------------------------------------------------------------------- */

static const struct {
    uint64_t value;
    const char *bytes;
    size_t length;
} shortest[] = {
    {0, BYTES_OF("\x00")},
    {23, BYTES_OF("\x17")},
    {24, BYTES_OF("\x18\x18")},
    {255, BYTES_OF("\x18\xff")},
    {256, BYTES_OF("\x19\x01\x00")},
    {65535, BYTES_OF("\x19\xff\xff")},
    {65536, BYTES_OF("\x1a\x00\x01\x00\x00")},
    {UINT32_MAX, BYTES_OF("\x1a\xff\xff\xff\xff")},
    {1ull << 32, BYTES_OF("\x1b\0\0\0\1\0\0\0\0")},
    {UINT64_MAX, BYTES_OF("\x1b\xff\xff\xff\xff\xff\xff\xff\xff")},
};

START_TEST(put_uint_is_shortest_and_reads_back)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct cbor_reader reader;
    uint64_t value = 1;
    cbor_put_uint(&out, shortest[_i].value);
    ck_assert_uint_eq(out.length, shortest[_i].length);
    ck_assert_mem_eq(out.data, shortest[_i].bytes, out.length);
    cbor_read_init(&reader, out.data, out.length);
    ck_assert(cbor_read_uint(&reader, &value));
    ck_assert_uint_eq(value, shortest[_i].value);
}
END_TEST

START_TEST(put_everything_gives_known_bytes)
{
    static const char expected[] = "\xa1\x61k\x86\xf5\xf4\xf6\x20\x39\x01\xf3\x62hi\xbf\xff";
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct cbor_reader reader;
    cbor_put_map(&out, 1);
    cbor_put_text(&out, "k");
    cbor_put_array(&out, 6);
    cbor_put_bool(&out, true);
    cbor_put_bool(&out, false);
    cbor_put_null(&out);
    cbor_put_int(&out, -1);
    cbor_put_int(&out, -500);
    cbor_put_text_n(&out, "high", 2);
    cbor_put_map_open(&out);
    cbor_put_break(&out);
    ck_assert_uint_eq(out.length, sizeof expected - 1);
    ck_assert_mem_eq(out.data, expected, out.length);
    cbor_read_init(&reader, out.data, out.length);
    ck_assert(cbor_skip(&reader)); /* the map and its list */
    ck_assert(cbor_skip(&reader)); /* the map behind it */
    ck_assert_int_eq(cbor_peek(&reader), CBOR_END);
}
END_TEST

Suite *cbor_suite(void)
{
    Suite *suite = suite_create("cbor");
    TCase *read = tcase_create("read");
    TCase *put = tcase_create("put");
    tcase_add_loop_test(read, skip_well_formed_takes_just_the_item, 0, (int)COUNT(well_formed));
    tcase_add_loop_test(read, skip_cut_off_anywhere_fails, 0, (int)COUNT(well_formed));
    tcase_add_loop_test(read, skip_malformed_fails_and_stays_failed, 0, (int)COUNT(malformed));
    tcase_add_test(read, skip_random_bytes_stays_inside);
    tcase_add_loop_test(read, read_walks_definite_and_indefinite_alike, 0, 2);
    tcase_add_loop_test(read, read_of_another_type_fails, 0, (int)COUNT(kinds));
    tcase_add_test(read, read_past_the_end_of_a_list_fails);
    tcase_add_loop_test(read, read_in_runs_is_as_one_by_one, 0, 60);
    tcase_add_loop_test(read, read_in_runs_stops_before_what_is_no_such_integer, 0, 5);
    tcase_add_loop_test(put, put_uint_is_shortest_and_reads_back, 0, (int)COUNT(shortest));
    tcase_add_test(put, put_everything_gives_known_bytes);
    suite_add_tcase(suite, read);
    suite_add_tcase(suite, put);
    return suite;
}
