/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/head.h"

#include <check.h>

Suite *http_head_suite(void);

static const struct {
    const char *version;
    const char *lines[6]; /* name, value, name, value ... */
    enum status status;
    uint64_t length;
} framings[] = {
    {"HTTP/1.1", {"Host", "a"}, ST_OK, 0},
    {"HTTP/1.1", {"host", "a", "content-length", "12"}, ST_OK, 12},
    {"HTTP/1.1", {"Host", "a", "Transfer-Encoding", "Chunked"}, ST_OK, UINT64_MAX},
    {"HTTP/1.0", {NULL}, ST_OK, 0},
    {"HTTP/1.1", {NULL}, ST_MALFORMED, 0},
    {"HTTP/1.1", {"Host", ""}, ST_MALFORMED, 0},
    {"HTTP/1.1", {"Host", "a", "Host", "a"}, ST_MALFORMED, 0},
    {"HTTP/1.1", {"Host", "a", "HOST", "a"}, ST_MALFORMED, 0},
    {"HTTP/1.1",
     {
         "Host",
         "a",
         "Content-Length",
         "1",
     },
     ST_OK,
     1},
    {"HTTP/1.0", {"Content-Length", "1", "Content-Length", "1"}, ST_MALFORMED, 0},
    {"HTTP/1.0", {"Content-Length", "1", "Transfer-Encoding", "chunked"}, ST_MALFORMED, 0},
    {"HTTP/1.0", {"Transfer-Encoding", "chunked"}, ST_MALFORMED, 0},
    {"HTTP/1.1", {"Host", "a", "Transfer-Encoding", "gzip"}, ST_MALFORMED, 0},
    {"HTTP/1.1", {"Host", "a", "Transfer-Encoding", ""}, ST_MALFORMED, 0},
    {"HTTP/1.0", {"Content-Length", ""}, ST_MALFORMED, 0},
    {"HTTP/1.0", {"Content-Length", "+1"}, ST_MALFORMED, 0},
    {"HTTP/1.0", {"Content-Length", " 1"}, ST_MALFORMED, 0},
    {"HTTP/1.0", {"Content-Length", "1,1"}, ST_MALFORMED, 0},
    {"HTTP/1.0", {"Content-Length", "18446744073709551617"}, ST_MALFORMED, 0},
    {"HTTP/1.0", {"Content-Length ", "1"}, ST_MALFORMED, 0},
    {"HTTP/1.0", {"", "1"}, ST_MALFORMED, 0},
    {"HTTP/1.0", {"Authorization", "a", "authorization", "b"}, ST_MALFORMED, 0},
    {"HTTP/1.0", {"Accept", "a", "Accept", "b"}, ST_OK, 0},
    {"HTTP/2.0", {"Host", "a"}, ST_MALFORMED, 0},
    {"HTTP/1.2", {"Host", "a"}, ST_MALFORMED, 0},
};

START_TEST(head_framing_refuses_what_is_not_clear)
{
    struct head head = {0};
    struct err err;
    uint64_t length = 77;
    for (size_t i = 0; i < 6 && framings[_i].lines[i] != NULL; i += 2)
        head_add(&head, framings[_i].lines[i], framings[_i].lines[i + 1]);
    ck_assert_int_eq(head_framing(&head, framings[_i].version, &length, &err), framings[_i].status);
    ck_assert(length == (framings[_i].status == ST_OK ? framings[_i].length : 77));
}
END_TEST

static const struct {
    const char *type;
    enum media media;
} types[] = {
    {"application/json", MEDIA_JSON},
    {"Application/JSON ; charset=UTF-8", MEDIA_JSON},
    {"application/json;charset=\"utf-8\"", MEDIA_JSON},
    {"application/json; charset=latin1", MEDIA_NONE},
    {"application/json+x", MEDIA_NONE},
    {"application/x-ndjson", MEDIA_NDJSON},
    {"text/plain", MEDIA_TEXT},
    {"text/plainx", MEDIA_NONE},
    {"", MEDIA_NONE},
    {NULL, MEDIA_NONE},
};

START_TEST(head_content_media_knows_type_and_charset)
{
    ck_assert_int_eq(head_content_media(types[_i].type), types[_i].media);
}
END_TEST

#define ALL (MEDIA_JSON | MEDIA_NDJSON | MEDIA_CSV | MEDIA_HTML | MEDIA_MARKDOWN)
static const struct {
    const char *accept;
    unsigned offered;
    enum media media;
} accepts[] = {
    {NULL, ALL, MEDIA_JSON},
    {"", ALL, MEDIA_JSON},
    {"*/*", ALL, MEDIA_JSON},
    {"*/*", MEDIA_MARKDOWN | MEDIA_HTML, MEDIA_HTML},
    {"text/csv", ALL, MEDIA_CSV},
    {"text/csv, */*", ALL, MEDIA_CSV},
    {"text/csv;q=0.1, application/json", ALL, MEDIA_JSON},
    {"application/json;q=0.1, text/csv;q=0.5", ALL, MEDIA_CSV},
    {"application/json;q=0, */*", ALL, MEDIA_NDJSON},
    {"text/html,application/xhtml+xml,*/*;q=0.8", ALL, MEDIA_HTML},
    {"text/*", MEDIA_JSON | MEDIA_CSV, MEDIA_CSV},
    {"image/png", ALL, MEDIA_JSON},
    {"text/markdown", MEDIA_MARKDOWN | MEDIA_HTML, MEDIA_MARKDOWN},
    {"application/ndjson", ALL, MEDIA_NDJSON},
    {",,;q=,", ALL, MEDIA_JSON},
};

START_TEST(head_accept_chooses_the_best_offer)
{
    ck_assert_int_eq(head_accept(accepts[_i].accept, accepts[_i].offered), accepts[_i].media);
}
END_TEST

static const struct {
    const char *text;
    bool ok;
} encodings[] = {
    {"gzip", true},      {"GZIP", true},   {"br, gzip;q=0.5", true}, {"*", true},
    {"gzip;q=0", false}, {"*;q=0", false}, {"gzip;q=0.0, *", false}, {"br", false},
    {"", false},         {NULL, false},    {"gzipped", false},       {"identity", false},
};

START_TEST(head_accepts_gzip_reads_qualities)
{
    ck_assert_int_eq(head_accepts_gzip(encodings[_i].text), encodings[_i].ok);
}
END_TEST

static const struct {
    const char *list;
    bool matches;
} etags[] = {
    {"\"abc\"", true},
    {"W/\"abc\"", true},
    {"\"x\", \"abc\"", true},
    {"*", true},
    {"\"x\",W/\"abc\"", true},
    {"\"ab\"", false},
    {"\"abcd\"", false},
    {"abc", false},
    {"\"abc", false},
    {"\"x\" \"abc\"", true},
    {"", false},
    {NULL, false},
    {"\"", false},
    {"W/", false},
    {"x, \"abc\"", true},
};

START_TEST(head_etag_matches_weakly)
{
    ck_assert_int_eq(head_etag_matches(etags[_i].list, "\"abc\""), etags[_i].matches);
}
END_TEST

static const struct {
    const char *authorization;
    const char *cookie;
    const char *secret; /* NULL: none */
    bool by_cookie;
    bool malformed;
} credentials[] = {
    {NULL, NULL, NULL, false, false},
    {"Bearer abc", NULL, "abc", false, false},
    {"bearer  abc", NULL, "abc", false, false},
    {"Bearer", NULL, NULL, false, true},
    {"Basic abc", NULL, NULL, false, true},
    {"", "poolfleet_session=abc", NULL, false, true},
    {"Bearer abc", "poolfleet_session=xyz", "abc", false, false},
    {NULL, "poolfleet_session=xyz", "xyz", true, false},
    {NULL, "a=b; poolfleet_session=xyz ; c=d", "xyz", true, false},
    {NULL, "xpoolfleet_session=xyz", NULL, true, false},
    {NULL, "poolfleet_session", NULL, true, false},
    {NULL, ";;;", NULL, true, false},
};

START_TEST(head_credential_takes_the_header_first)
{
    struct head head = {.authorization = credentials[_i].authorization,
                        .cookie = credentials[_i].cookie};
    size_t length = 0;
    bool by_cookie;
    const char *secret = head_credential(&head, &length, &by_cookie);
    ck_assert_int_eq(head_bearer_malformed(&head), credentials[_i].malformed);
    if (credentials[_i].secret == NULL) {
        ck_assert_ptr_null(secret);
        return;
    }
    ck_assert_int_eq(by_cookie, credentials[_i].by_cookie);
    ck_assert_uint_eq(length, strlen(credentials[_i].secret));
    ck_assert_mem_eq(secret, credentials[_i].secret, length);
}
END_TEST

START_TEST(head_request_id_allows_only_harmless_text)
{
    char text[66];
    memset(text, 'a', 65);
    text[65] = '\0';
    ck_assert(!head_request_id_ok(text));
    ck_assert(head_request_id_ok(text + 1));
    ck_assert(head_request_id_ok("A-9"));
    ck_assert(!head_request_id_ok(""));
    ck_assert(!head_request_id_ok(NULL));
    ck_assert(!head_request_id_ok("a b"));
    ck_assert(!head_request_id_ok("a\xc3\xa9"));
}
END_TEST

START_TEST(head_content_coding_knows_three)
{
    ck_assert_int_eq(head_content_coding(NULL), CODING_IDENTITY);
    ck_assert_int_eq(head_content_coding("identity"), CODING_IDENTITY);
    ck_assert_int_eq(head_content_coding("GZip"), CODING_GZIP);
    ck_assert_int_eq(head_content_coding("zstd"), CODING_ZSTD);
    ck_assert_int_eq(head_content_coding("gzip, gzip"), CODING_UNKNOWN);
    ck_assert_int_eq(head_content_coding("deflate"), CODING_UNKNOWN);
}
END_TEST

#define LOOP(test, array) tcase_add_loop_test(tc, test, 0, sizeof array / sizeof array[0])

Suite *http_head_suite(void)
{
    Suite *suite = suite_create("http_head");
    TCase *tc = tcase_create("head");
    LOOP(head_framing_refuses_what_is_not_clear, framings);
    LOOP(head_content_media_knows_type_and_charset, types);
    LOOP(head_accept_chooses_the_best_offer, accepts);
    LOOP(head_accepts_gzip_reads_qualities, encodings);
    LOOP(head_etag_matches_weakly, etags);
    LOOP(head_credential_takes_the_header_first, credentials);
    tcase_add_test(tc, head_request_id_allows_only_harmless_text);
    tcase_add_test(tc, head_content_coding_knows_three);
    suite_add_tcase(suite, tc);
    return suite;
}
