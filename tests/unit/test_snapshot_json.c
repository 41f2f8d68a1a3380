/* SPDX-License-Identifier: Apache-2.0 */
#include "common/limits.h"
#include "common/snapshot_json.h"

#include <check.h>
#include <string.h>

Suite *snapshot_json_suite(void);

/* A document with every part of the contract; tags out of order on purpose. */
static const char everything[] =
    "{\"format\":1,\"host\":{\"id\":\"6f1c2b\",\"name\":\"FS01\",\"attributes\":{\"role\":"
    "\"file-server\",\"os.build\":\"26100.4061\"},\"drivers\":[{\"name\":\"b.sys\",\"version\":"
    "\"1.2\",\"company\":\"C\",\"tags\":[\"Ddk \",\"\\\\x01abc\"]},{\"name\":\"a.sys\"}]},"
    "\"boot_at\":\"2026-11-20T06:12:09Z\",\"taken_at\":\"2026-11-21T02:00:00.250Z\","
    "\"sequence\":118,\"base\":117,\"totals\":{\"nonpaged_bytes\":5,\"alloc_failures\":0},"
    "\"nonpaged\":{\"tag\":[\"EtwB\",\"Aaaa\"],\"allocs\":[304,4294967295],\"frees\":[134,0],"
    "\"bytes\":[6550080,9007199254740991]},\"paged\":{\"tag\":[],\"bytes\":[]},"
    "\"objects\":{\"type\":[\"Thread\"],\"objects\":[7],\"handles\":[9]},"
    "\"processes\":[{\"pid\":4,\"image\":\"System\",\"handles\":12}],"
    "\"sessions\":[{\"id\":9,\"paged_bytes\":33,\"failures\":2}],"
    "\"events\":[{\"at\":\"2026-11-21T01:58:11Z\",\"provider\":\"Srv\",\"id\":2019}]}";

START_TEST(decode_everything_reads_each_part)
{
    AUTO_SNAPSHOT struct snapshot s;
    struct err err = {0};
    snapshot_init(&s);
    ck_assert_msg(snapshot_json_decode(everything, strlen(everything), &s, &err) == ST_OK, "%s: %s",
                  err.field, err.message);
    ck_assert_str_eq(s.host_id, "6f1c2b");
    ck_assert_uint_eq(s.attribute_count, 2);
    ck_assert_str_eq(s.attributes[0].name, "os.build");
    ck_assert_str_eq(s.drivers[0].name, "a.sys");
    ck_assert_ptr_null(s.drivers[0].version);
    ck_assert_uint_eq(s.drivers[1].tag_count, 2);
    ck_assert_uint_eq(s.drivers[1].tags[1], 0x63626101u);
    ck_assert_int_eq(s.sequence, 118);
    ck_assert_int_eq(s.base, 117);
    ck_assert(totals_has(&s.totals, TOTAL_ALLOC_FAILURES));
    ck_assert(!totals_has(&s.totals, TOTAL_HANDLES));
    ck_assert_uint_eq(s.table[POOL_NONPAGED].count, 2);
    ck_assert_uint_eq(s.table[POOL_NONPAGED].tag[1], 0x61616141u);
    ck_assert_uint_eq(s.table[POOL_NONPAGED].allocs[1], UINT32_MAX);
    ck_assert_uint_eq(s.table[POOL_NONPAGED].bytes[1], LIMIT_NUMBER_MAX);
    ck_assert(s.table[POOL_PAGED].present);
    ck_assert_ptr_null(s.table[POOL_PAGED].allocs);
    ck_assert_int_eq(s.events[0].id, 2019);
}
END_TEST

START_TEST(encode_then_decode_gives_the_same_document)
{
    AUTO_SNAPSHOT struct snapshot first;
    AUTO_SNAPSHOT struct snapshot second;
    AUTO_STRBUF struct strbuf once = STRBUF_INIT;
    AUTO_STRBUF struct strbuf twice = STRBUF_INIT;
    snapshot_init(&first);
    snapshot_init(&second);
    ck_assert_int_eq(snapshot_json_decode(everything, strlen(everything), &first, NULL), ST_OK);
    snapshot_json_encode(&first, &once);
    ck_assert_ptr_null(memchr(once.data, '\n', once.length));
    ck_assert_int_eq(snapshot_json_decode(once.data, once.length, &second, NULL), ST_OK);
    snapshot_json_encode(&second, &twice);
    ck_assert_str_eq(once.data, twice.data);
    ck_assert_ptr_nonnull(strstr(once.data, "\"taken_at\":\"2026-11-21T02:00:00.250Z\""));
    ck_assert_ptr_nonnull(strstr(once.data, "\"processes\":[{\"pid\":4,"));
}
END_TEST

START_TEST(decode_cut_off_anywhere_is_refused)
{
    struct snapshot s;
    for (size_t length = 0; length < strlen(everything); length++) {
        struct err err = {0};
        ck_assert_int_eq(snapshot_json_decode(everything, length, &s, &err), ST_MALFORMED);
    }
}
END_TEST

#define DOC(rest) "{\"format\":1,\"taken_at\":\"2026-11-21T02:00:00Z\"," rest "}"
#define ROWS      "\"nonpaged\":{\"tag\":[\"Aaaa\"],\"bytes\":[1]}"

static const struct {
    const char *text;
    enum status status;
    const char *field;
} refused[] = {
    {"[]", ST_INVALID, ""},
    {"{\"format\":2}", ST_INVALID, "format"},
    {DOC(ROWS ",\"fromat\":1"), ST_INVALID, "fromat"},
    {DOC(ROWS ",\"sequence\":-1"), ST_INVALID, "sequence"},
    {DOC(ROWS ",\"sequence\":1.0"), ST_INVALID, "sequence"},
    {DOC(ROWS ",\"sequence\":\"1\""), ST_INVALID, "sequence"},
    {DOC(ROWS ",\"sequence\":9007199254740992"), ST_INVALID, "sequence"},
    {DOC(ROWS ",\"sequence\":5,\"base\":5"), ST_INVALID, "base"},
    {DOC(ROWS ",\"base\":5"), ST_INVALID, "sequence"},
    {DOC(ROWS ",\"boot_at\":\"2026-11-22T02:00:00Z\""), ST_INVALID, "boot_at"},
    {DOC("\"totals\":{}"), ST_INVALID, "nonpaged"},
    {DOC(ROWS ",\"totals\":{\"handles\":null}"), ST_INVALID, "totals.handles"},
    {DOC(ROWS ",\"totals\":{\"handels\":1}"), ST_INVALID, "totals.handels"},
    {DOC("\"nonpaged\":{\"tag\":[\"Aaa\"],\"bytes\":[1]}"), ST_INVALID, "nonpaged.tag[0]"},
    {DOC("\"nonpaged\":{\"tag\":[\"\\\\x41aaa\"],\"bytes\":[1]}"), ST_INVALID, "nonpaged.tag[0]"},
    {DOC("\"paged\":{\"tag\":[\"Aaaa\",\"Bbbb\"],\"bytes\":[1]}"), ST_INVALID, "paged.bytes"},
    {DOC("\"paged\":{\"tag\":[\"Aaaa\",\"Aaaa\"],\"bytes\":[1,1]}"), ST_INVALID, "paged.tag[1]"},
    {DOC("\"paged\":{\"tag\":[\"Aaaa\"],\"allocs\":[4294967296]}"), ST_INVALID, "paged.allocs[0]"},
    {DOC("\"paged\":{\"tag\":[\"Aaaa\"]}"), ST_INVALID, "paged"},
    {DOC("\"paged\":{\"bytes\":[1]}"), ST_INVALID, "paged.tag"},
    {DOC(ROWS ",\"host\":{\"id\":\"a b\"}"), ST_INVALID, "host.id"},
    {DOC(ROWS ",\"host\":{\"attributes\":{\"os.build\":1}}"), ST_INVALID,
     "host.attributes.os.build"},
    {DOC(ROWS ",\"host\":{\"drivers\":[{\"version\":\"1\"}]}"), ST_INVALID, "host.drivers[0].name"},
    {DOC(ROWS ",\"host\":{\"drivers\":[{\"name\":\"a\"},{\"name\":\"a\"}]}"), ST_INVALID,
     "host.drivers"},
    {DOC(ROWS ",\"events\":[{\"at\":\"yesterday\",\"provider\":\"a\",\"id\":1}]"), ST_INVALID,
     "events[0].at"},
    {DOC(ROWS ",\"objects\":{\"type\":[\"A\"],\"handles\":[1,2]}"), ST_INVALID, "objects.handles"},
    {DOC(ROWS ",\"format\":1"), ST_MALFORMED, ""},
    {DOC(ROWS ",\"host\":{\"name\":\"\xff\"}"), ST_MALFORMED, ""},
    {DOC(ROWS ",\"host\":{\"name\":\"a\\u0000b\"}"), ST_MALFORMED, ""},
    {DOC(ROWS ",\"x\":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]"), ST_MALFORMED, ""},
    {DOC(ROWS) " x", ST_MALFORMED, ""},
};

START_TEST(decode_broken_contract_names_the_field)
{
    struct snapshot s;
    struct err err = {0};
    enum status status = snapshot_json_decode(refused[_i].text, strlen(refused[_i].text), &s, &err);
    ck_assert_msg(status == refused[_i].status, "%s: got %s: %s", refused[_i].text,
                  status_name(status), err.message);
    ck_assert_str_eq(err.field, refused[_i].field);
    ck_assert_str_ne(err.message, "");
}
END_TEST

/* `prefix`, then `item` count times with commas, then `suffix`. */
static void repeat(struct strbuf *out, const char *prefix, const char *item, size_t count,
                   const char *suffix)
{
    strbuf_puts(out, prefix);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            strbuf_putc(out, ',');
        strbuf_puts(out, item);
    }
    strbuf_puts(out, suffix);
}

START_TEST(decode_over_a_limit_is_too_large)
{
    static const struct {
        const char *prefix, *item, *suffix;
        size_t count;
    } cases[] = {
        {"{\"format\":1,\"nonpaged\":{\"tag\":[", "\"Aaaa\"", "]}}", LIMIT_TABLE_ROWS + 1},
        {"{\"format\":1,\"host\":{\"drivers\":[", "{}", "]}}", LIMIT_DRIVERS + 1},
        {"{\"format\":1,\"events\":[", "{}", "]}", LIMIT_EVENTS + 1},
        {"{\"format\":1,\"processes\":[", "{}", "]}", LIMIT_PROCESSES + 1},
    };
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    struct snapshot s;
    struct err err = {0};
    /* bytes is missing from the first, so that only the row count can be what is refused */
    repeat(&text, cases[_i].prefix, cases[_i].item, cases[_i].count, cases[_i].suffix);
    if (_i == 0) {
        strbuf_clear(&text);
        repeat(&text, "{\"format\":1,\"nonpaged\":{\"bytes\":[],\"tag\":[", "\"Aaaa\"",
               LIMIT_TABLE_ROWS + 1, "]}}");
    }
    ck_assert_int_eq(snapshot_json_decode(text.data, text.length, &s, &err), ST_TOO_LARGE);
}
END_TEST

Suite *snapshot_json_suite(void)
{
    Suite *suite = suite_create("snapshot_json");
    TCase *decode = tcase_create("decode");
    tcase_add_test(decode, decode_everything_reads_each_part);
    tcase_add_test(decode, encode_then_decode_gives_the_same_document);
    tcase_add_test(decode, decode_cut_off_anywhere_is_refused);
    tcase_add_loop_test(decode, decode_broken_contract_names_the_field, 0,
                        sizeof refused / sizeof refused[0]);
    tcase_add_loop_test(decode, decode_over_a_limit_is_too_large, 0, 4);
    suite_add_tcase(suite, decode);
    return suite;
}
