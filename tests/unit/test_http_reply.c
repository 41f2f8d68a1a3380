/* SPDX-License-Identifier: Apache-2.0 */
#include "common/clock.h"
#include "server/http/assets.h"
#include "server/http/limiter.h"
#include "server/http/reply.h"

#include <arpa/inet.h>
#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

Suite *http_reply_suite(void);

START_TEST(problem_write_escapes_and_nulls)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct err err;
    err_field(&err, ST_INVALID, "a\"b", "could not <x>\n");
    problem_write(DOC_JSON, &out, 422, "invalid", "Invalid value", &err, "id-1");
    ck_assert_str_eq(out.data, "{\"type\":\"urn:poolfleet:problem:invalid\",\"title\":\"Invalid "
                               "value\",\"status\":422,\"detail\":\"could not <x>\\n\","
                               "\"field\":\"a\\\"b\",\"hint\":null,\"request_id\":\"id-1\"}\n");
}
END_TEST

static const struct {
    enum status status;
    unsigned code;
    bool shows; /* the message */
    unsigned retry;
} problems[] = {
    {ST_NOT_FOUND, 404, true, 0}, {ST_CONFLICT, 409, true, 0},    {ST_INVALID, 422, true, 0},
    {ST_MALFORMED, 400, true, 0}, {ST_TOO_LARGE, 413, true, 0},   {ST_UNAUTHORIZED, 401, true, 0},
    {ST_FORBIDDEN, 403, true, 0}, {ST_UNSUPPORTED, 415, true, 0}, {ST_BUSY, 503, true, 2},
    {ST_TIMEOUT, 503, true, 5},   {ST_DB, 503, false, 5},         {ST_IO, 500, false, 0},
    {ST_NOMEM, 503, true, 5},     {ST_BUG, 500, false, 0},
};

START_TEST(reply_problem_maps_status_and_hides_inner_faults)
{
    AUTO_REPLY struct reply reply;
    struct err err;
    enum status status = problems[_i].status;
    reply_init(&reply);
    err_set(&err, status, "secret-text");
    reply_problem(&reply, status_http(status), NULL, NULL, status, &err, "r");
    ck_assert_uint_eq(reply.code, problems[_i].code);
    ck_assert_int_eq(strstr(reply.body.data, "secret-text") != NULL, problems[_i].shows);
    ck_assert_uint_eq(reply.retry_after_seconds, problems[_i].retry);
    ck_assert_int_eq(reply.challenges, status == ST_UNAUTHORIZED);
    ck_assert_str_eq(reply.content_type, "application/problem+json");
}
END_TEST

static void make_reply(struct reply *reply, size_t length, const char *etag)
{
    struct resp resp = {.code = 200, .media = MEDIA_JSON};
    for (size_t i = 0; i < length; i++)
        strbuf_putc(&resp.body, "abcdefgh"[i % 8]);
    resp.etag = etag == NULL ? NULL : strdup(etag);
    reply_init(reply);
    reply_from_resp(reply, &resp);
}

START_TEST(reply_finish_same_etag_is_not_modified)
{
    AUTO_REPLY struct reply reply;
    struct reply_wishes wishes = {NULL, "\"v1\"", true};
    make_reply(&reply, 10, "\"v1\"");
    reply_finish(&reply, &wishes);
    ck_assert_uint_eq(reply.code, 304);
    ck_assert_uint_eq(reply.body.length, 0);
    ck_assert_str_eq(reply.etag, "\"v1\"");
    reply_done(&reply);
    wishes.is_get = false;
    make_reply(&reply, 10, "\"v1\"");
    reply_finish(&reply, &wishes);
    ck_assert_uint_eq(reply.code, 200);
}
END_TEST

START_TEST(reply_finish_makes_an_etag_of_the_body)
{
    AUTO_REPLY struct reply a;
    AUTO_REPLY struct reply b;
    struct reply_wishes wishes = {NULL, NULL, true};
    make_reply(&a, 10, NULL);
    make_reply(&b, 11, NULL);
    reply_finish(&a, &wishes);
    reply_finish(&b, &wishes);
    ck_assert_uint_eq(strlen(a.etag), 34);
    ck_assert_str_ne(a.etag, b.etag);
}
END_TEST

static const struct {
    size_t length;
    const char *accept;
    bool packed;
} packings[] = {
    {REPLY_GZIP_MIN - 1, "gzip", false},
    {REPLY_GZIP_MIN, "gzip", true},
    {100000, "gzip", true},
    {100000, NULL, false},
    {100000, "br", false},
};

START_TEST(reply_finish_packs_large_bodies)
{
    AUTO_REPLY struct reply reply;
    struct reply_wishes wishes = {packings[_i].accept, NULL, true};
    make_reply(&reply, packings[_i].length, NULL);
    reply_finish(&reply, &wishes);
    ck_assert_int_eq(reply.gzipped, packings[_i].packed);
    if (packings[_i].packed)
        ck_assert_uint_lt(reply.body.length, packings[_i].length);
    else
        ck_assert_uint_eq(reply.body.length, packings[_i].length);
}
END_TEST

START_TEST(reply_from_resp_drops_a_header_with_a_line_end)
{
    AUTO_REPLY struct reply reply;
    struct resp resp = {.code = 200, .media = MEDIA_JSON};
    resp.location = strdup("/a\r\nSet-Cookie: x");
    resp.set_cookie = strdup("a=b");
    reply_init(&reply);
    reply_from_resp(&reply, &resp);
    ck_assert_ptr_null(reply.location);
    ck_assert_str_eq(reply.set_cookie, "a=b");
}
END_TEST

/* ---- files ------------------------------------------------------------------ */

static const unsigned char html[] = "<!doctype html>";
static const unsigned char script[] = "export {};";
static const struct embedded_file files[] = {
    {"css/a.css", script, script + sizeof script - 1},
    {"index.html", html, html + sizeof html - 1},
    {"main.js", script, script + sizeof script - 1},
    {NULL, NULL, NULL},
};

static const struct {
    const char *path;
    const char *accept;
    enum status status;
    const char *type;
} paths[] = {
    {"/", NULL, ST_OK, "text/html; charset=utf-8"},
    {"/index.html", NULL, ST_OK, "text/html; charset=utf-8"},
    {"/main.js", NULL, ST_OK, "text/javascript; charset=utf-8"},
    {"/css/a.css", "*/*", ST_OK, "text/css; charset=utf-8"},
    {"/hosts/x", "text/html,*/*", ST_OK, "text/html; charset=utf-8"},
    {"/tags/a.bc", "text/html", ST_OK, "text/html; charset=utf-8"},
    {"/tags/%20MPP", "text/html", ST_OK, "text/html; charset=utf-8"},
    {"/hosts/x", "application/json", ST_NOT_FOUND, NULL},
    {"/hosts/x", NULL, ST_NOT_FOUND, NULL},
    {"/other.js", "text/html", ST_NOT_FOUND, NULL},
    {"/../etc/passwd", "text/html", ST_NOT_FOUND, NULL},
    {"/%2e%2e/etc/passwd", "text/html", ST_NOT_FOUND, NULL},
    {"//etc/passwd", "text/html", ST_NOT_FOUND, NULL},
    {"/.git/config", "text/html", ST_NOT_FOUND, NULL},
    {"/main.js%00.html", NULL, ST_NOT_FOUND, NULL},
    {"main.js", NULL, ST_NOT_FOUND, NULL},
    {"/secret", NULL, ST_NOT_FOUND, NULL}, /* a link out, in the folder */
    {"/css/../../outside.txt", NULL, ST_NOT_FOUND, NULL},
    {"/css%2f..%2f..%2foutside.txt", NULL, ST_NOT_FOUND, NULL},
    {"/css", NULL, ST_NOT_FOUND, NULL},
    {"/loop.js", NULL, ST_NOT_FOUND, NULL}, /* a link inside, in the folder */
};

static void check_path(struct assets *assets, size_t i)
{
    AUTO_REPLY struct reply reply;
    struct reply_wishes wishes = {NULL, NULL, true};
    struct err err;
    reply_init(&reply);
    ck_assert_int_eq(assets_get(assets, paths[i].path, strlen(paths[i].path), paths[i].accept,
                                &wishes, &reply, &err),
                     paths[i].status);
    if (paths[i].status != ST_OK)
        return;
    ck_assert_str_eq(reply.content_type, paths[i].type);
    ck_assert_uint_gt(reply.data == NULL ? reply.body.length : reply.data_length, 0);
    ck_assert_uint_eq(strlen(reply.etag), 34);
    ck_assert_ptr_nonnull(strstr(reply.cache, "must-revalidate"));
}

START_TEST(assets_embedded_serves_files_and_views_only)
{
    struct assets *assets;
    struct err err;
    ck_assert_int_eq(assets_new(files, NULL, &assets, &err), ST_OK);
    check_path(assets, (size_t)_i);
    assets_free(assets);
}
END_TEST

static void write_file(const char *root, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

START_TEST(assets_folder_serves_files_and_views_only)
{
    char base[] = "/tmp/poolfleet-test-XXXXXX";
    char root[128];
    char path[256];
    struct assets *assets;
    struct err err;
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(root, sizeof root, "%s/web", base);
    ck_assert_int_eq(mkdir(root, 0700), 0);
    snprintf(path, sizeof path, "%s/css", root);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    write_file(base, "outside.txt", "outside");
    write_file(root, "index.html", "<!doctype html>");
    write_file(root, "main.js", "export {};");
    write_file(root, "css/a.css", "a {}");
    snprintf(path, sizeof path, "%s/secret", root);
    ck_assert_int_eq(symlink("../outside.txt", path), 0);
    snprintf(path, sizeof path, "%s/loop.js", root);
    ck_assert_int_eq(symlink("main.js", path), 0);
    ck_assert_int_eq(assets_new(files, root, &assets, &err), ST_OK);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        check_path(assets, i);
    assets_free(assets);
    static const char *const made[] = {"web/loop.js", "web/secret",  "web/css/a.css",
                                       "web/css",     "web/main.js", "web/index.html",
                                       "outside.txt", "web",         ""};
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", base, made[i]);
        ck_assert_int_eq(remove(path), 0);
    }
}
END_TEST

START_TEST(assets_missing_folder_is_an_error)
{
    struct assets *assets = NULL;
    struct err err;
    ck_assert_int_eq(assets_new(files, "/nonexistent/web", &assets, &err), ST_IO);
    ck_assert_ptr_null(assets);
}
END_TEST

/* ---- failed attempts -------------------------------------------------------- */

static struct limiter_key key_of(const char *text)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET};
    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return limiter_key((struct sockaddr *)(void *)&four);
    ck_assert_int_eq(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    return limiter_key((struct sockaddr *)(void *)&six);
}

START_TEST(limiter_waits_after_the_burst_and_refills)
{
    struct limiter *limiter = limiter_new(LIMITER_BURST, LIMITER_REFILL_US);
    struct limiter_key key = key_of("192.0.2.1");
    int64_t now = 1000 * US_PER_SECOND;
    for (unsigned i = 0; i < LIMITER_BURST; i++) {
        ck_assert_uint_eq(limiter_wait(limiter, key, now), 0);
        limiter_fail(limiter, key, now);
    }
    ck_assert_uint_eq(limiter_wait(limiter, key, now), 3);
    ck_assert_uint_eq(limiter_wait(limiter, key_of("192.0.2.2"), now), 0);
    now += LIMITER_REFILL_US;
    ck_assert_uint_eq(limiter_wait(limiter, key, now), 0);
    limiter_fail(limiter, key, now);
    ck_assert_uint_gt(limiter_wait(limiter, key, now), 0);
    now += LIMITER_BURST * LIMITER_REFILL_US;
    ck_assert_uint_eq(limiter_wait(limiter, key, now), 0);
    limiter_free(limiter);
}
END_TEST

START_TEST(limiter_debt_is_bounded)
{
    struct limiter *limiter = limiter_new(LIMITER_BURST, LIMITER_REFILL_US);
    struct limiter_key key = key_of("192.0.2.1");
    for (unsigned i = 0; i < 100000; i++)
        limiter_fail(limiter, key, US_PER_SECOND);
    ck_assert_uint_le(limiter_wait(limiter, key, US_PER_SECOND), 2 * 20 * 3);
    limiter_free(limiter);
}
END_TEST

static const struct {
    const char *a;
    const char *b;
    bool same;
} keys[] = {
    {"192.0.2.1", "192.0.2.1", true},        {"192.0.2.1", "192.0.2.2", false},
    {"192.0.2.1", "::ffff:192.0.2.1", true}, {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
    {"2001:db8::1", "2001:db8::2", true},    {"2001:db8::1", "2001:db8:0:1::1", false},
};

START_TEST(limiter_key_counts_a_network_once)
{
    struct limiter_key a = key_of(keys[_i].a);
    struct limiter_key b = key_of(keys[_i].b);
    ck_assert_int_eq(memcmp(&a, &b, sizeof a) == 0, keys[_i].same);
}
END_TEST

static void setup(void)
{
    ck_assert_int_ge(sodium_init(), 0);
}

#define LOOP(test, array) tcase_add_loop_test(tc, test, 0, sizeof array / sizeof array[0])

Suite *http_reply_suite(void)
{
    Suite *suite = suite_create("http_reply");
    TCase *tc = tcase_create("reply");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, problem_write_escapes_and_nulls);
    LOOP(reply_problem_maps_status_and_hides_inner_faults, problems);
    tcase_add_test(tc, reply_finish_same_etag_is_not_modified);
    tcase_add_test(tc, reply_finish_makes_an_etag_of_the_body);
    LOOP(reply_finish_packs_large_bodies, packings);
    tcase_add_test(tc, reply_from_resp_drops_a_header_with_a_line_end);
    LOOP(assets_embedded_serves_files_and_views_only, paths);
    tcase_add_test(tc, assets_folder_serves_files_and_views_only);
    tcase_add_test(tc, assets_missing_folder_is_an_error);
    tcase_add_test(tc, limiter_waits_after_the_burst_and_refills);
    tcase_add_test(tc, limiter_debt_is_bounded);
    LOOP(limiter_key_counts_a_network_once, keys);
    suite_add_tcase(suite, tc);
    return suite;
}
