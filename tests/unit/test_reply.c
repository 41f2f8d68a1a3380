/* SPDX-License-Identifier: Apache-2.0 */
/* The server's replies as the agent reads them: from a friendly server and from a hostile one. */
#include "agent/core/reply.h"
#include "common/cbor.h"

#include <check.h>
#include <string.h>

Suite *reply_suite(void);

#define COUNT(array)      (sizeof(array) / sizeof *(array))
#define BYTES_OF(literal) literal, sizeof(literal) - 1
#define SHA               "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct reply_snapshots snapshots; /* too large for a stack frame of a test */

static void put_rejected(struct strbuf *out, uint64_t index, const char *type, const char *detail)
{
    cbor_put_map(out, 4);
    cbor_put_text(out, "index");
    cbor_put_uint(out, index);
    cbor_put_text(out, "type");
    cbor_put_text(out, type);
    cbor_put_text(out, "detail");
    cbor_put_text(out, detail);
    cbor_put_text(out, "field");
    cbor_put_null(out);
}

/* What the server sends after a post in which everything happened. */
static void put_everything(struct strbuf *out)
{
    cbor_put_map_open(out);
    cbor_put_text(out, "accepted");
    cbor_put_uint(out, 3);
    cbor_put_text(out, "duplicates");
    cbor_put_uint(out, 1);
    cbor_put_text(out, "rejected");
    cbor_put_array(out, 2);
    put_rejected(out, 1, "urn:poolfleet:problem:conflict", "unknown base");
    put_rejected(out, 4, "something else", "two\r\nlines\x7f");
    cbor_put_text(out, "acked_sequence");
    cbor_put_uint(out, 118);
    cbor_put_text(out, "from_the_future");
    cbor_put_map(out, 1);
    cbor_put_text(out, "x");
    cbor_put_array(out, 0);
    cbor_put_text(out, "config");
    cbor_put_map(out, 3);
    cbor_put_text(out, "interval_seconds");
    cbor_put_uint(out, 60);
    cbor_put_text(out, "top_processes");
    cbor_put_uint(out, 0);
    cbor_put_text(out, "newer");
    cbor_put_null(out);
    cbor_put_text(out, "want");
    cbor_put_map(out, 5);
    cbor_put_text(out, "full");
    cbor_put_bool(out, true);
    cbor_put_text(out, "drivers");
    cbor_put_bool(out, false);
    cbor_put_text(out, "processes");
    cbor_put_bool(out, true);
    cbor_put_text(out, "scan");
    cbor_put_array(out, 1);
    cbor_put_text(out, SHA);
    cbor_put_text(out, "blocks");
    cbor_put_array(out, 2);
    cbor_put_text(out, "Ddk ");
    cbor_put_text(out, "\\x01abc");
    cbor_put_break(out);
}

START_TEST(snapshots_reply_with_everything_is_read)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct err err = {0};
    put_everything(&out);
    ck_assert_msg(reply_snapshots_read(out.data, out.length, &snapshots, &err) == ST_OK, "%s: %s",
                  err.field, err.message);
    ck_assert_uint_eq(snapshots.accepted, 3);
    ck_assert_uint_eq(snapshots.duplicates, 1);
    ck_assert_uint_eq(snapshots.rejected_count, 2);
    ck_assert_uint_eq(snapshots.rejected[0].index, 1);
    ck_assert_str_eq(snapshots.rejected[0].type, "conflict");
    ck_assert_str_eq(snapshots.rejected[0].detail, "unknown base");
    ck_assert_str_eq(snapshots.rejected[1].type, "something else");
    ck_assert_str_eq(snapshots.rejected[1].detail, "two??lines?");
    ck_assert_int_eq(snapshots.config.interval_us, 60 * US_PER_SECOND);
    ck_assert_int_eq(snapshots.config.top_processes, 0);
    ck_assert(snapshots.want.full && !snapshots.want.drivers && snapshots.want.processes);
    ck_assert_uint_eq(snapshots.want.scan_count, 1);
    ck_assert_str_eq(snapshots.want.scan[0], SHA);
    ck_assert_uint_eq(snapshots.want.block_count, 2);
    ck_assert_uint_eq(snapshots.want.blocks[1], 0x63626101u);
}
END_TEST

static void nothing_said(void)
{
    static const struct reply_want none = {0};
    ck_assert_uint_eq(snapshots.accepted + snapshots.duplicates + snapshots.rejected_count, 0);
    ck_assert_int_eq(snapshots.config.interval_us, 0);
    ck_assert_int_eq(snapshots.config.top_processes, -1);
    ck_assert_mem_eq(&snapshots.want, &none, sizeof none);
}

START_TEST(snapshots_reply_cut_off_anywhere_is_malformed_and_says_nothing)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    put_everything(&out);
    for (size_t length = 0; length < out.length; length++) {
        struct err err = {0};
        AUTO_FREE char *exact = malloc(length + (length == 0));
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, out.data, length);
        ck_assert_int_eq(reply_snapshots_read(exact, length, &snapshots, &err), ST_MALFORMED);
        nothing_said();
    }
}
END_TEST

START_TEST(snapshots_reply_with_any_bit_flipped_stays_bounded)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    put_everything(&out);
    for (size_t bit = 0; bit < out.length * 8; bit++) {
        struct err err = {0};
        out.data[bit / 8] ^= (char)(1 << bit % 8);
        if (reply_snapshots_read(out.data, out.length, &snapshots, &err) != ST_OK) {
            nothing_said();
            ck_assert_str_ne(err.message, "");
        }
        out.data[bit / 8] ^= (char)(1 << bit % 8);
    }
}
END_TEST

/* Behind accepted, duplicates and rejected, all of them right. */
static const struct {
    const char *name;
    const char *bytes;
    size_t length;
    enum status status;
    const char *field;
} members[] = {
    {"nothing", BYTES_OF(""), ST_OK, ""},
    {"accepted twice",
     BYTES_OF("\x68"
              "accepted\x01"),
     ST_INVALID, "accepted"},
    {"config null",
     BYTES_OF("\x66"
              "config\xf6"),
     ST_INVALID, "config"},
    {"interval 9",
     BYTES_OF("\x66"
              "config\xa1\x70interval_seconds\x09"),
     ST_INVALID, "config.interval_seconds"},
    {"interval 10",
     BYTES_OF("\x66"
              "config\xa1\x70interval_seconds\x0a"),
     ST_OK, ""},
    {"interval a day",
     BYTES_OF("\x66"
              "config\xa1\x70interval_seconds\x1a\x00\x01\x51\x80"),
     ST_OK, ""},
    {"interval over a day",
     BYTES_OF("\x66"
              "config\xa1\x70interval_seconds\x1a\x00\x01\x51\x81"),
     ST_INVALID, "config.interval_seconds"},
    {"interval below 0",
     BYTES_OF("\x66"
              "config\xa1\x70interval_seconds\x2a"),
     ST_INVALID, "config.interval_seconds"},
    {"interval as text",
     BYTES_OF("\x66"
              "config\xa1\x70interval_seconds\x62"
              "60"),
     ST_INVALID, "config.interval_seconds"},
    {"interval as float",
     BYTES_OF("\x66"
              "config\xa1\x70interval_seconds\xf9\x54\x00"),
     ST_INVALID, "config.interval_seconds"},
    {"top 4097",
     BYTES_OF("\x66"
              "config\xa1\x6dtop_processes\x19\x10\x01"),
     ST_INVALID, "config.top_processes"},
    {"want a list", BYTES_OF("\x64want\x80"), ST_INVALID, "want"},
    {"full as number",
     BYTES_OF("\x64want\xa1\x64"
              "full\x01"),
     ST_INVALID, "want.full"},
    {"scan short",
     BYTES_OF("\x64want\xa1\x64scan\x81\x62"
              "00"),
     ST_INVALID, "want.scan"},
    {"scan not hex",
     BYTES_OF("\x64want\xa1\x64scan\x81\x78\x40"
              "..\\..\\..\\..\\..\\..\\..\\..\\..\\..\\..\\..\\..\\..\\..\\..\\..\\"
              "..\\..\\..\\..\\"
              "a"),
     ST_INVALID, "want.scan"},
    {"blocks no tag",
     BYTES_OF("\x64want\xa1\x66"
              "blocks\x81\x63"
              "abc"),
     ST_INVALID, "want.blocks"},
    {"blocks as number",
     BYTES_OF("\x64want\xa1\x66"
              "blocks\x81\x01"),
     ST_INVALID, "want.blocks"},
    {"name as number", BYTES_OF("\x01\x01"), ST_INVALID, ""},
    {"unknown floats and tags", BYTES_OF("\x61x\xfb\0\0\0\0\0\0\0\0\x61y\xc1\x00\x61z\x5f\xff"),
     ST_OK, ""},
    {"unknown seventeen deep",
     BYTES_OF("\x61x\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x80"),
     ST_MALFORMED, ""},
    {"unknown text of 2^64-1", BYTES_OF("\x61x\x7b\xff\xff\xff\xff\xff\xff\xff\xff"), ST_MALFORMED,
     ""},
};

START_TEST(snapshots_reply_member_is_judged)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct err err = {0};
    strbuf_add(&out, BYTES_OF("\xbf\x68"
                              "accepted\x01\x6a"
                              "duplicates\x00\x68rejected\x80"));
    strbuf_add(&out, members[_i].bytes, members[_i].length);
    cbor_put_break(&out);
    enum status status = reply_snapshots_read(out.data, out.length, &snapshots, &err);
    ck_assert_msg(status == members[_i].status, "%s: got %s: %s", members[_i].name,
                  status_name(status), err.message);
    ck_assert_str_eq(err.field, members[_i].field);
    if (status != ST_OK)
        nothing_said();
}
END_TEST

static const struct {
    const char *name;
    const char *bytes;
    size_t length;
    enum status status;
    const char *field;
} whole[] = {
    {"a list", BYTES_OF("\x80"), ST_INVALID, ""},
    {"nothing at all", BYTES_OF(""), ST_MALFORMED, ""},
    {"JSON", BYTES_OF("{\"accepted\":1}"), ST_MALFORMED, ""},
    {"a page", BYTES_OF("<html>"), ST_MALFORMED, ""},
    {"empty map", BYTES_OF("\xa0"), ST_INVALID, "accepted"},
    {"rejected missing",
     BYTES_OF("\xa2\x68"
              "accepted\x01\x6a"
              "duplicates\x00"),
     ST_INVALID, "rejected"},
    {"something behind",
     BYTES_OF("\xa3\x68"
              "accepted\x01\x6a"
              "duplicates\x00\x68rejected\x80\x00"),
     ST_MALFORMED, ""},
    {"rejected without index",
     BYTES_OF("\xa3\x68"
              "accepted\x01\x6a"
              "duplicates\x00\x68rejected\x81\xa0"),
     ST_INVALID, "rejected.index"},
};

START_TEST(snapshots_reply_of_another_shape_is_refused)
{
    struct err err = {0};
    enum status status = reply_snapshots_read(whole[_i].bytes, whole[_i].length, &snapshots, &err);
    ck_assert_msg(status == whole[_i].status, "%s: got %s: %s", whole[_i].name, status_name(status),
                  err.message);
    ck_assert_str_eq(err.field, whole[_i].field);
}
END_TEST

START_TEST(snapshots_reply_with_more_than_fits)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_STRBUF struct strbuf longer = STRBUF_INIT;
    struct err err = {0};
    bool over = _i == 1;
    size_t count = REPLY_REJECTED_MAX + (over ? 1 : 0);
    for (unsigned i = 0; i < 200; i++)
        strbuf_puts(&longer, "\xc3\xa9");
    cbor_put_map(&out, 4);
    cbor_put_text(&out, "accepted");
    cbor_put_uint(&out, 0);
    cbor_put_text(&out, "duplicates");
    cbor_put_uint(&out, 0);
    cbor_put_text(&out, "rejected");
    cbor_put_array(&out, count);
    for (size_t i = 0; i < count; i++)
        put_rejected(&out, i, longer.data, longer.data);
    cbor_put_text(&out, "want");
    cbor_put_map(&out, 2);
    cbor_put_text(&out, "scan");
    cbor_put_array(&out, SOURCE_SCAN_FILES + 5);
    for (size_t i = 0; i < SOURCE_SCAN_FILES + 5; i++)
        cbor_put_text(&out, SHA);
    cbor_put_text(&out, "blocks");
    cbor_put_array(&out, SOURCE_BLOCK_TAGS + 5);
    for (size_t i = 0; i < SOURCE_BLOCK_TAGS + 5; i++)
        cbor_put_text(&out, "Abcd");
    enum status status = reply_snapshots_read(out.data, out.length, &snapshots, &err);
    ck_assert_int_eq(status, over ? ST_INVALID : ST_OK);
    if (over) {
        ck_assert_str_eq(err.field, "rejected");
        return;
    }
    ck_assert_uint_eq(snapshots.rejected_count, REPLY_REJECTED_MAX);
    ck_assert_uint_eq(strlen(snapshots.rejected[255].type), 62);    /* no half letter at the end */
    ck_assert_uint_eq(strlen(snapshots.rejected[255].detail), 158); /* likewise */
    ck_assert_uint_eq(snapshots.want.scan_count, SOURCE_SCAN_FILES);
    ck_assert_uint_eq(snapshots.want.block_count, SOURCE_BLOCK_TAGS);
}
END_TEST

/* ---- enroll ----------------------------------------------------------------- */

static const struct {
    const char *host_id, *token;
    const char *field; /* NULL: accepted */
} enrolls[] = {
    {"6f1c0f52-0000-4000-8000-000000000001", "pf_host_AbC-123", NULL},
    {"a b", "token", "host_id"},
    {"", "token", "host_id"},
    {"0123456789012345678901234567890123456789012345678901234567890123", "t", NULL},
    {"01234567890123456789012345678901234567890123456789012345678901234", "t", "host_id"},
    {"h", "", "token"},
    {"h", "two words", "token"},
    {"h", "token\r\nX-Evil: 1", "token"},
    {"h", "t\xc3\xa9", "token"},
    {"h",
     "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
     "1234567890123456789012345678901234567",
     "token"},
    {"h",
     "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
     "0123456789012345678901234567890123456",
     NULL},
};

START_TEST(enroll_reply_is_read_or_names_the_member)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct reply_enroll reply;
    struct err err = {0};
    cbor_put_map(&out, 3);
    cbor_put_text(&out, "token");
    cbor_put_text(&out, enrolls[_i].token);
    cbor_put_text(&out, "host_id");
    cbor_put_text(&out, enrolls[_i].host_id);
    cbor_put_text(&out, "config");
    cbor_put_map(&out, 1);
    cbor_put_text(&out, "interval_seconds");
    cbor_put_uint(&out, 300);
    enum status status = reply_enroll_read(out.data, out.length, &reply, &err);
    if (enrolls[_i].field == NULL) {
        ck_assert_msg(status == ST_OK, "%s: %s", err.field, err.message);
        ck_assert_str_eq(reply.host_id, enrolls[_i].host_id);
        ck_assert_str_eq(reply.token, enrolls[_i].token);
        ck_assert_int_eq(reply.config.interval_us, 300 * US_PER_SECOND);
    } else {
        ck_assert_int_eq(status, ST_INVALID);
        ck_assert_str_eq(err.field, enrolls[_i].field);
        ck_assert_str_eq(reply.token, "");
        ck_assert_ptr_null(strstr(err.message, "Evil"));
    }
}
END_TEST

/* ---- problems --------------------------------------------------------------- */

static const struct {
    const char *name;
    const char *bytes;
    size_t length;
    const char *type, *detail;
} problems[] = {
    {"as the server writes it",
     BYTES_OF("\xbf\x64type\x78\x25urn:poolfleet:problem:identity_cloned\x65title\x61T\x66status"
              "\x19\x01\x99\x66"
              "detail\x63two\x65"
              "field\xf6\xff"),
     "identity_cloned", "two"},
    {"detail alone, definite",
     BYTES_OF("\xa1\x66"
              "detail\x63two"),
     "", "two"},
    {"another type",
     BYTES_OF("\xa1\x64type\x6b"
              "about:blank"),
     "about:blank", ""},
    {"types wrong",
     BYTES_OF("\xa2\x64type\x01\x66"
              "detail\x80"),
     "", ""},
    {"broken behind the detail",
     BYTES_OF("\xbf\x66"
              "detail\x63two\x64type\x7b"),
     "", "two"},
    {"a page", BYTES_OF("<html>"), "", ""},
    {"nothing", BYTES_OF(""), "", ""},
    {"not UTF-8",
     BYTES_OF("\xa1\x66"
              "detail\x62\xc3\x28"),
     "", ""},
};

START_TEST(problem_gives_what_can_be_read)
{
    struct reply_problem problem;
    reply_problem_read(problems[_i].bytes, problems[_i].length, &problem);
    ck_assert_str_eq(problem.type, problems[_i].type);
    ck_assert_str_eq(problem.detail, problems[_i].detail);
}
END_TEST

Suite *reply_suite(void)
{
    Suite *suite = suite_create("reply");
    TCase *tc = tcase_create("reply");
    tcase_add_test(tc, snapshots_reply_with_everything_is_read);
    tcase_add_test(tc, snapshots_reply_cut_off_anywhere_is_malformed_and_says_nothing);
    tcase_add_test(tc, snapshots_reply_with_any_bit_flipped_stays_bounded);
    tcase_add_loop_test(tc, snapshots_reply_member_is_judged, 0, (int)COUNT(members));
    tcase_add_loop_test(tc, snapshots_reply_of_another_shape_is_refused, 0, (int)COUNT(whole));
    tcase_add_loop_test(tc, snapshots_reply_with_more_than_fits, 0, 2);
    tcase_add_loop_test(tc, enroll_reply_is_read_or_names_the_member, 0, (int)COUNT(enrolls));
    tcase_add_loop_test(tc, problem_gives_what_can_be_read, 0, (int)COUNT(problems));
    suite_add_tcase(suite, tc);
    return suite;
}
