/* SPDX-License-Identifier: Apache-2.0 */
/* One document through both forms: known JSON text, known CBOR bytes. */
#include "common/clock.h"
#include "common/doc_out.h"

#include <check.h>
#include <string.h>

Suite *doc_out_suite(void);

static void write_sample(struct doc *doc)
{
    doc_map(doc);
    doc_put_uint(doc, "n", 300);
    doc_put_bool(doc, "yes", true);
    doc_put_text(doc, "text", "a\"b");
    doc_put_text(doc, "none", NULL);
    doc_key(doc, "list");
    doc_list(doc, 3);
    doc_uint(doc, 1);
    doc_map(doc);
    doc_map_end(doc);
    doc_list(doc, 2);
    doc_tag(doc, 0x206b6444); /* "Ddk " */
    doc_null(doc);
    doc_list_end(doc);
    doc_list_end(doc);
    doc_key(doc, "at");
    doc_time(doc, 1700000000 * US_PER_SECOND);
    doc_map_end(doc);
    doc_finish(doc);
}

START_TEST(doc_as_json_gives_known_text)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct doc doc;
    doc_init(&doc, DOC_JSON, &out);
    write_sample(&doc);
    ck_assert_str_eq(out.data,
                     "{\"n\":300,\"yes\":true,\"text\":\"a\\\"b\",\"none\":null,"
                     "\"list\":[1,{},[\"Ddk \",null]],\"at\":\"2023-11-14T22:13:20Z\"}\n");
}
END_TEST

START_TEST(doc_as_cbor_gives_known_bytes)
{
    static const char expected[] = "\xbf\x61n\x19\x01\x2c\x63yes\xf5\x64text\x63"
                                   "a\"b\x64none\xf6\x64list\x83\x01\xbf\xff\x82\x64"
                                   "Ddk \xf6\x62"
                                   "at\x74"
                                   "2023-11-14T22:13:20Z\xff";
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct doc doc;
    doc_init(&doc, DOC_CBOR, &out);
    write_sample(&doc);
    ck_assert_uint_eq(out.length, sizeof expected - 1);
    ck_assert_mem_eq(out.data, expected, out.length);
}
END_TEST

START_TEST(doc_text_that_is_not_utf8_is_repaired_in_both)
{
    AUTO_STRBUF struct strbuf json = STRBUF_INIT;
    AUTO_STRBUF struct strbuf cbor = STRBUF_INIT;
    struct doc doc;
    doc_init(&doc, DOC_JSON, &json);
    doc_text(&doc, "a\xff\xc3\xa9");
    ck_assert_str_eq(json.data, "\"a\\ufffd\xc3\xa9\"");
    doc_init(&doc, DOC_CBOR, &cbor);
    doc_text(&doc, "a\xff\xc3\xa9");
    ck_assert_str_eq(cbor.data, "\x66"
                                "a\xef\xbf\xbd\xc3\xa9");
}
END_TEST

Suite *doc_out_suite(void)
{
    Suite *suite = suite_create("doc_out");
    TCase *tcase = tcase_create("doc_out");
    tcase_add_test(tcase, doc_as_json_gives_known_text);
    tcase_add_test(tcase, doc_as_cbor_gives_known_bytes);
    tcase_add_test(tcase, doc_text_that_is_not_utf8_is_repaired_in_both);
    suite_add_tcase(suite, tcase);
    return suite;
}
