/* SPDX-License-Identifier: Apache-2.0 */
#include "server/ingest/ingest.h"

#include "common/cbor.h"
#include "common/limits.h"
#include "common/snapshot_cbor.h"

#include <check.h>

Suite *ingest_decode_suite(void);

#define NOW (1700000000ll * US_PER_SECOND)

static const struct ingest_options options = {.retention_us = 30 * US_PER_DAY};

struct refusals {
    size_t count;
    size_t index[16];
    struct err err[16];
};

static void refuse(void *arg, size_t index, const struct err *err)
{
    struct refusals *refusals = arg;
    ck_assert_uint_lt(refusals->count, 16);
    refusals->index[refusals->count] = index;
    refusals->err[refusals->count++] = *err;
}

static void add_document(struct strbuf *out, int64_t taken_at_us)
{
    char time[TIME_TEXT_MAX];
    time_format(taken_at_us, time);
    strbuf_printf(out,
                  "{\"format\":1,\"host\":{\"id\":\"h\"},\"taken_at\":\"%s\","
                  "\"paged\":{\"tag\":[\"CM31\"],\"bytes\":[5]}}",
                  time);
}

static const struct {
    const char *name;
    int64_t taken_at_us;
    enum status status;
} times[] = {
    {"now", NOW, ST_OK},
    {"ten minutes ahead", NOW + 600 * US_PER_SECOND, ST_OK},
    {"more than ten minutes ahead", NOW + 600 * US_PER_SECOND + 1, ST_INVALID},
    {"as old as retention", NOW - 30 * US_PER_DAY, ST_OK},
    {"older than retention", NOW - 30 * US_PER_DAY - 1, ST_INVALID},
};

START_TEST(ingest_decode_taken_at_is_bounded)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    struct ingest_batch *batch = ingest_batch_new(1);
    struct refusals refusals = {0};
    struct err err = {0};
    add_document(&body, times[_i].taken_at_us);
    enum status status = ingest_decode(body.data, body.length, INGEST_JSON, NOW, &options, batch,
                                       refuse, &refusals, &err);
    ck_assert_msg(status == times[_i].status, "%s: %s", times[_i].name, err.message);
    ck_assert_uint_eq(batch->count, status == ST_OK);
    ck_assert_uint_eq(refusals.count, 0);
    if (status != ST_OK)
        ck_assert_str_eq(err.field, "taken_at");
    ingest_batch_free(batch);
}
END_TEST

START_TEST(ingest_decode_ndjson_keeps_the_good_and_names_the_bad)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    struct ingest_batch *batch = ingest_batch_new(1);
    struct refusals refusals = {0};
    add_document(&body, NOW);
    strbuf_puts(&body, "\r\n\n  \n{\"format\":1}\n");
    add_document(&body, NOW + US_PER_HOUR);
    strbuf_puts(&body, "\nnot json\n");
    add_document(&body, NOW - US_PER_HOUR); /* without a line end */
    ck_assert_int_eq(ingest_decode(body.data, body.length, INGEST_NDJSON, NOW, &options, batch,
                                   refuse, &refusals, NULL),
                     ST_OK);
    ck_assert_uint_eq(batch->count, 2);
    ck_assert_uint_eq(batch->items[0].index, 0);
    ck_assert_uint_eq(batch->items[1].index, 4);
    ck_assert_uint_gt(batch->items[1].cost_bytes, 50);
    ck_assert_uint_eq(refusals.count, 3);
    ck_assert_uint_eq(refusals.index[0], 1);
    ck_assert_uint_eq(refusals.index[1], 2);
    ck_assert_str_eq(refusals.err[1].field, "taken_at");
    ck_assert_uint_eq(refusals.index[2], 3);
    ck_assert_int_eq(refusals.err[2].code, ST_MALFORMED);
    ingest_batch_free(batch);
}
END_TEST

START_TEST(ingest_decode_one_bad_document_is_the_answer)
{
    struct ingest_batch *batch = ingest_batch_new(1);
    struct refusals refusals = {0};
    struct err err = {0};
    ck_assert_int_eq(
        ingest_decode("[]", 2, INGEST_JSON, NOW, &options, batch, refuse, &refusals, &err),
        ST_INVALID);
    ck_assert_int_eq(
        ingest_decode("{", 1, INGEST_JSON, NOW, &options, batch, refuse, &refusals, &err),
        ST_MALFORMED);
    ck_assert_int_eq(
        ingest_decode("", 0, INGEST_JSON, NOW, &options, batch, refuse, &refusals, &err),
        ST_MALFORMED);
    ck_assert_uint_eq(refusals.count, 0);
    ck_assert_uint_eq(batch->count, 0);
    ingest_batch_free(batch);
}
END_TEST

START_TEST(ingest_decode_too_many_documents_is_too_large)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    struct ingest_batch *batch = ingest_batch_new(1);
    struct refusals refusals = {0};
    for (unsigned i = 0; i <= LIMIT_NDJSON_DOCUMENTS; i++)
        strbuf_puts(&body, "{}\n");
    ck_assert_int_eq(ingest_decode(body.data, body.length, INGEST_NDJSON, NOW, &options, batch,
                                   refuse, &refusals, NULL),
                     ST_TOO_LARGE);
    ck_assert_uint_eq(refusals.count, 0);
    ingest_batch_free(batch);
}
END_TEST

/* ---- CBOR ------------------------------------------------------------------------------------ */

static void add_cbor(struct strbuf *out, int64_t taken_at_us)
{
    uint32_t tag = 0x31334d43;
    uint64_t bytes = 5;
    struct snapshot s;
    snapshot_init(&s);
    s.host_id = "h";
    s.taken_at_us = taken_at_us;
    s.table[POOL_PAGED] =
        (struct snapshot_table){.present = true, .count = 1, .tag = &tag, .bytes = &bytes};
    snapshot_cbor_encode(&s, out);
}

START_TEST(ingest_decode_cbor_taken_at_is_bounded)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    struct ingest_batch *batch = ingest_batch_new(1);
    struct refusals refusals = {0};
    struct err err = {0};
    add_cbor(&body, times[_i].taken_at_us);
    enum status status = ingest_decode(body.data, body.length, INGEST_CBOR, NOW, &options, batch,
                                       refuse, &refusals, &err);
    ck_assert_msg(status == times[_i].status, "%s: %s", times[_i].name, err.message);
    ck_assert_uint_eq(batch->count, status == ST_OK);
    ck_assert_uint_eq(refusals.count, 0);
    if (status == ST_OK)
        ck_assert_uint_eq(batch->items[0].cost_bytes, body.length);
    else
        ck_assert_str_eq(err.field, "taken_at");
    ingest_batch_free(batch);
}
END_TEST

START_TEST(ingest_decode_sequence_keeps_the_good_and_names_the_bad)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    struct ingest_batch *batch = ingest_batch_new(1);
    struct refusals refusals = {0};
    add_cbor(&body, NOW);
    cbor_put_map(&body, 0); /* well-formed, but no document */
    add_cbor(&body, NOW + US_PER_HOUR);
    cbor_put_text(&body, "no document either");
    add_cbor(&body, NOW - US_PER_HOUR);
    ck_assert_int_eq(ingest_decode(body.data, body.length, INGEST_CBOR_SEQ, NOW, &options, batch,
                                   refuse, &refusals, NULL),
                     ST_OK);
    ck_assert_uint_eq(batch->count, 2);
    ck_assert_uint_eq(batch->items[0].index, 0);
    ck_assert_uint_eq(batch->items[1].index, 4);
    ck_assert_uint_eq(refusals.count, 3);
    ck_assert_uint_eq(refusals.index[0], 1);
    ck_assert_str_eq(refusals.err[0].field, "format");
    ck_assert_uint_eq(refusals.index[1], 2);
    ck_assert_str_eq(refusals.err[1].field, "taken_at");
    ck_assert_uint_eq(refusals.index[2], 3);
    ck_assert_int_eq(refusals.err[2].code, ST_INVALID);
    ingest_batch_free(batch);
}
END_TEST

START_TEST(ingest_decode_sequence_where_cbor_breaks_refuses_the_rest_once)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    struct ingest_batch *batch = ingest_batch_new(1);
    struct refusals refusals = {0};
    add_cbor(&body, NOW);
    size_t first = body.length;
    add_cbor(&body, NOW - US_PER_HOUR);
    /* Cut at every byte of the second; and with a reserved byte in front of a third. */
    for (size_t length = first + 1; length < body.length; length++) {
        struct ingest_batch *cut = ingest_batch_new(1);
        struct refusals one = {0};
        ck_assert_int_eq(ingest_decode(body.data, length, INGEST_CBOR_SEQ, NOW, &options, cut,
                                       refuse, &one, NULL),
                         ST_OK);
        ck_assert_uint_eq(cut->count, 1);
        ck_assert_uint_eq(one.count, 1);
        ck_assert_uint_eq(one.index[0], 1);
        ck_assert_int_eq(one.err[0].code, ST_MALFORMED);
        ingest_batch_free(cut);
    }
    strbuf_putc(&body, (char)0xfe);
    add_cbor(&body, NOW);
    add_cbor(&body, NOW);
    ck_assert_int_eq(ingest_decode(body.data, body.length, INGEST_CBOR_SEQ, NOW, &options, batch,
                                   refuse, &refusals, NULL),
                     ST_OK);
    ck_assert_uint_eq(batch->count, 2);
    ck_assert_uint_eq(refusals.count, 1);
    ck_assert_uint_eq(refusals.index[0], 2);
    ck_assert_int_eq(refusals.err[0].code, ST_MALFORMED);
    ingest_batch_free(batch);
}
END_TEST

START_TEST(ingest_decode_two_documents_as_one_cbor_is_malformed)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    struct ingest_batch *batch = ingest_batch_new(1);
    struct refusals refusals = {0};
    add_cbor(&body, NOW);
    add_cbor(&body, NOW);
    ck_assert_int_eq(ingest_decode(body.data, body.length, INGEST_CBOR, NOW, &options, batch,
                                   refuse, &refusals, NULL),
                     ST_MALFORMED);
    ck_assert_uint_eq(batch->count, 0);
    ingest_batch_free(batch);
}
END_TEST

START_TEST(ingest_decode_too_many_in_a_sequence_is_too_large)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    struct ingest_batch *batch = ingest_batch_new(1);
    struct refusals refusals = {0};
    for (unsigned i = 0; i <= LIMIT_NDJSON_DOCUMENTS; i++)
        cbor_put_null(&body);
    ck_assert_int_eq(ingest_decode(body.data, body.length, INGEST_CBOR_SEQ, NOW, &options, batch,
                                   refuse, &refusals, NULL),
                     ST_TOO_LARGE);
    ck_assert_uint_eq(refusals.count, 0);
    ingest_batch_free(batch);
}
END_TEST

Suite *ingest_decode_suite(void)
{
    Suite *suite = suite_create("ingest_decode");
    TCase *tc = tcase_create("ingest_decode");
    tcase_add_loop_test(tc, ingest_decode_taken_at_is_bounded, 0, sizeof times / sizeof *times);
    tcase_add_test(tc, ingest_decode_ndjson_keeps_the_good_and_names_the_bad);
    tcase_add_test(tc, ingest_decode_one_bad_document_is_the_answer);
    tcase_add_test(tc, ingest_decode_too_many_documents_is_too_large);
    tcase_add_loop_test(tc, ingest_decode_cbor_taken_at_is_bounded, 0,
                        sizeof times / sizeof *times);
    tcase_add_test(tc, ingest_decode_sequence_keeps_the_good_and_names_the_bad);
    tcase_add_test(tc, ingest_decode_sequence_where_cbor_breaks_refuses_the_rest_once);
    tcase_add_test(tc, ingest_decode_two_documents_as_one_cbor_is_malformed);
    tcase_add_test(tc, ingest_decode_too_many_in_a_sequence_is_too_large);
    suite_add_tcase(suite, tc);
    return suite;
}
