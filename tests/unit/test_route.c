/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/route.h"

#include <check.h>

Suite *route_suite(void);

static enum status handler(struct req *rq, struct resp *rs, struct err *err)
{
    (void)rq;
    (void)rs;
    (void)err;
    return ST_OK;
}

static const struct route table[] = {
    ROUTE(METHOD_GET, "/api/v1/hosts", ROLE_VIEWER, 0, 0, MEDIA_JSON, handler, "a"),
    ROUTE(METHOD_GET, "/api/v1/hosts/{id}", ROLE_VIEWER, 0, 0, MEDIA_JSON, handler, "b"),
    ROUTE(METHOD_GET, "/api/v1/hosts/{id}/tags/{tag}/series", ROLE_VIEWER, 0, 0, MEDIA_JSON,
          handler, "c"),
    ROUTE(METHOD_PATCH, "/api/v1/findings/{id}", ROLE_OPERATOR, 9, MEDIA_JSON, MEDIA_JSON, handler,
          "d"),
    ROUTE(METHOD_GET, "/api/v1/findings/{id}", ROLE_VIEWER, 0, 0, MEDIA_JSON, handler, "e"),
    ROUTE(METHOD_GET, "/api/v1/{what}/new", ROLE_VIEWER, 0, 0, MEDIA_JSON, handler, "f"),
    ROUTE(METHOD_GET, "/api/v1/hosts/new", ROLE_VIEWER, 0, 0, MEDIA_JSON, handler, "g"),
    ROUTE(METHOD_GET, "/x/{a}/new", ROLE_VIEWER, 0, 0, MEDIA_JSON, handler, "i"),
    ROUTE(METHOD_GET, "/x/old/{b}", ROLE_VIEWER, 0, 0, MEDIA_JSON, handler, "j"),
    ROUTE(METHOD_GET, "/healthz", ROLE_NONE, 0, 0, MEDIA_TEXT, handler, "h"),
};
#define COUNT (sizeof table / sizeof table[0])

static const struct {
    const char *method;
    const char *path;
    enum route_match match;
    const char *operation;
    const char *args[2];
} cases[] = {
    {"GET", "/api/v1/hosts", ROUTE_FOUND, "a", {NULL}},
    {"HEAD", "/api/v1/hosts", ROUTE_FOUND, "a", {NULL}},
    {"GET", "/api/v1/hosts/", ROUTE_NO_PATH, NULL, {NULL}},
    {"GET", "//api/v1/hosts", ROUTE_NO_PATH, NULL, {NULL}},
    {"GET", "/API/v1/hosts", ROUTE_NO_PATH, NULL, {NULL}},
    {"GET", "/api/v1/./hosts", ROUTE_NO_PATH, NULL, {NULL}},
    {"GET", "/api/v1/hosts/abc", ROUTE_FOUND, "b", {"abc"}},
    {"GET", "/api/v1/hosts/..", ROUTE_FOUND, "b", {".."}},
    {"GET", "/api/v1/hosts/a%2Fb", ROUTE_FOUND, "b", {"a/b"}},
    {"GET", "/api/v1/hosts/x/tags/Ddk%20/series", ROUTE_FOUND, "c", {"x", "Ddk "}},
    {"GET", "/api/v1/hosts/x/tags/a+b%20/series", ROUTE_FOUND, "c", {"x", "a+b "}},
    {"GET", "/api/v1/hosts/x/tags/%5Cx01abc/series", ROUTE_FOUND, "c", {"x", "\\x01abc"}},
    {"GET", "/api/v1/hosts/x/tags/%C3%A9/series", ROUTE_FOUND, "c", {"x", "\xc3\xa9"}},
    {"GET", "/api/v1/hosts/x/tags//series", ROUTE_NO_PATH, NULL, {NULL}},
    {"GET", "/api/v1/hosts/%", ROUTE_BAD_PATH, NULL, {NULL}},
    {"GET", "/api/v1/hosts/%4", ROUTE_BAD_PATH, NULL, {NULL}},
    {"GET", "/api/v1/hosts/%4g", ROUTE_BAD_PATH, NULL, {NULL}},
    {"GET", "/api/v1/hosts/%00", ROUTE_BAD_PATH, NULL, {NULL}},
    {"GET", "/api/v1/hosts/%ff", ROUTE_BAD_PATH, NULL, {NULL}},
    {"GET", "/api/v1/hosts/%c0%af", ROUTE_BAD_PATH, NULL, {NULL}},
    {"GET", "/api/v1/hosts/new", ROUTE_FOUND, "g", {NULL}},
    {"GET", "/api/v1/tags/new", ROUTE_FOUND, "f", {"tags"}},
    {"GET", "/x/old/new", ROUTE_FOUND, "j", {"new"}},
    {"GET", "/x/any/new", ROUTE_FOUND, "i", {"any"}},
    {"PATCH", "/api/v1/findings/1", ROUTE_FOUND, "d", {"1"}},
    {"GET", "/api/v1/findings/1", ROUTE_FOUND, "e", {"1"}},
    {"POST", "/api/v1/findings/1", ROUTE_NO_METHOD, NULL, {NULL}},
    {"BREW", "/api/v1/findings/1", ROUTE_NO_METHOD, NULL, {NULL}},
    {"get", "/healthz", ROUTE_NO_METHOD, NULL, {NULL}},
    {"GET", "/healthz", ROUTE_FOUND, "h", {NULL}},
    {"GET", "/", ROUTE_NO_PATH, NULL, {NULL}},
    {"GET", "", ROUTE_NO_PATH, NULL, {NULL}},
    {"GET", "healthz", ROUTE_NO_PATH, NULL, {NULL}},
    {"GET", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n", ROUTE_NO_PATH, NULL, {NULL}},
};

START_TEST(route_find_decides_path_method_and_arguments)
{
    struct route_hit hit;
    const char *path = cases[_i].path;
    ck_assert_int_eq(route_find(table, COUNT, path, strlen(path), cases[_i].method, &hit),
                     cases[_i].match);
    if (cases[_i].match != ROUTE_FOUND) {
        if (cases[_i].match == ROUTE_NO_METHOD)
            ck_assert_ptr_null(hit.route);
        return;
    }
    ck_assert_str_eq(hit.route->operation, cases[_i].operation);
    for (size_t i = 0; i < 2; i++) {
        if (cases[_i].args[i] == NULL)
            ck_assert_uint_le(hit.arg_count, i);
        else
            ck_assert_str_eq(hit.args[i], cases[_i].args[i]);
    }
}
END_TEST

START_TEST(route_find_long_path_is_not_found)
{
    struct route_hit hit;
    char path[ROUTE_PATH_MAX + 2];
    memset(path, 'a', sizeof path);
    memcpy(path, "/api/v1/hosts/", 14);
    ck_assert_int_eq(route_find(table, COUNT, path, ROUTE_PATH_MAX, "GET", &hit), ROUTE_FOUND);
    ck_assert_uint_eq(strlen(hit.args[0]), ROUTE_PATH_MAX - 14);
    ck_assert_int_eq(route_find(table, COUNT, path, ROUTE_PATH_MAX + 1, "GET", &hit),
                     ROUTE_NO_PATH);
}
END_TEST

START_TEST(route_allow_lists_the_methods_of_one_pattern)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    route_allow(table, COUNT, "/api/v1/findings/{id}", &out);
    ck_assert_str_eq(out.data, "PATCH, GET, HEAD, OPTIONS");
}
END_TEST

static const struct {
    const char *target;
    bool ok;
    const char *path;
    const char *query;
} targets[] = {
    {"/a?b=c", true, "/a", "b=c"},
    {"/a", true, "/a", NULL},
    {"/a?", true, "/a", ""},
    {"/a#x?y", true, "/a", NULL},
    {"http://host:80/a/b?q", true, "/a/b", "q"},
    {"HTTPS://host", true, "/", NULL},
    {"http://host?q", true, "/", "q"},
    {"*", false, NULL, NULL},
    {"host:443", false, NULL, NULL},
    {"", false, NULL, NULL},
};

START_TEST(target_split_finds_path_and_query)
{
    const char *path;
    const char *query;
    size_t length;
    ck_assert_int_eq(target_split(targets[_i].target, &path, &length, &query), targets[_i].ok);
    if (!targets[_i].ok)
        return;
    ck_assert_uint_eq(length, strlen(targets[_i].path));
    ck_assert_mem_eq(path, targets[_i].path, length);
    if (targets[_i].query == NULL)
        ck_assert_ptr_null(query);
    else
        ck_assert_str_eq(query, targets[_i].query);
}
END_TEST

static const struct {
    const char *text;
    const char *name;
    const char *value; /* NULL: absent */
} queries[] = {
    {"a=1&b=2", "b", "2"},
    {"a=1&a=2", "a", "1"},
    {"q=Ddk%20", "q", "Ddk "},
    {"q=Ddk+", "q", "Ddk "},
    {"q=a%2Bb+", "q", "a+b "},
    {"q=%5Cx01abc", "q", "\\x01abc"},
    {"a", "a", ""},
    {"a=", "a", ""},
    {"=x", "", "x"},
    {"&&a=1&&", "a", "1"},
    {"a=b=c", "a", "b=c"},
    {"%61=1", "a", "1"},
    {"a=1#b=2", "b", NULL},
    {"", "a", NULL},
    {"A=1", "a", NULL},
    {"os.build=26100.4061", "os.build", "26100.4061"},
};

START_TEST(query_parse_decodes_names_and_values)
{
    struct query query;
    struct err err;
    ck_assert_int_eq(query_parse(queries[_i].text, &query, &err), ST_OK);
    const char *value = query_get(&query, queries[_i].name);
    if (queries[_i].value == NULL)
        ck_assert_ptr_null(value);
    else
        ck_assert_str_eq(value, queries[_i].value);
    query_done(&query);
}
END_TEST

static const char *const bad_queries[] = {"a=%", "a=%1", "%zz=1", "a=%00", "a=%ff", "a=%ed%a0%80"};

START_TEST(query_parse_bad_encoding_is_malformed)
{
    struct query query;
    struct err err;
    ck_assert_int_eq(query_parse(bad_queries[_i], &query, &err), ST_MALFORMED);
}
END_TEST

START_TEST(query_parse_counts_parameters)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    struct query query;
    struct err err;
    for (int i = 0; i < QUERY_PARAMS_MAX; i++)
        strbuf_printf(&text, "p%d&", i);
    ck_assert_int_eq(query_parse(text.data, &query, &err), ST_OK);
    ck_assert_uint_eq(query.count, QUERY_PARAMS_MAX);
    query_done(&query);
    strbuf_puts(&text, "more");
    ck_assert_int_eq(query_parse(text.data, &query, &err), ST_MALFORMED);
}
END_TEST

/* Rows: who asks, in the order of enum role; columns: what the route needs. */
static const char *const allowed[ROLE_COUNT] = {
    [ROLE_NONE] = "1000000",   [ROLE_HOST] = "1100000",     [ROLE_INGEST] = "1010000",
    [ROLE_VIEWER] = "1001000", [ROLE_OPERATOR] = "1001100", [ROLE_ADMIN] = "1111110",
    [ROLE_ENROLL] = "1000001",
};

START_TEST(role_allows_follows_the_matrix)
{
    enum role parsed;
    for (int needed = 0; needed < ROLE_COUNT; needed++)
        ck_assert_int_eq(role_allows((enum role)_i, (enum role)needed), allowed[_i][needed] == '1');
    ck_assert(!role_allows((enum role)ROLE_COUNT, ROLE_NONE));
    ck_assert(role_parse(role_name((enum role)_i), &parsed));
    ck_assert_int_eq(parsed, _i);
    ck_assert(!role_parse("Admin", &parsed));
}
END_TEST

Suite *route_suite(void)
{
    Suite *suite = suite_create("route");
    TCase *tc = tcase_create("route");
    tcase_add_loop_test(tc, route_find_decides_path_method_and_arguments, 0,
                        sizeof cases / sizeof cases[0]);
    tcase_add_test(tc, route_find_long_path_is_not_found);
    tcase_add_test(tc, route_allow_lists_the_methods_of_one_pattern);
    tcase_add_loop_test(tc, target_split_finds_path_and_query, 0,
                        sizeof targets / sizeof targets[0]);
    tcase_add_loop_test(tc, query_parse_decodes_names_and_values, 0,
                        sizeof queries / sizeof queries[0]);
    tcase_add_loop_test(tc, query_parse_bad_encoding_is_malformed, 0,
                        sizeof bad_queries / sizeof bad_queries[0]);
    tcase_add_test(tc, query_parse_counts_parameters);
    tcase_add_loop_test(tc, role_allows_follows_the_matrix, 0, ROLE_COUNT);
    suite_add_tcase(suite, tc);
    return suite;
}
