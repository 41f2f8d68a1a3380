/* SPDX-License-Identifier: Apache-2.0 */
#include "common/status.h"

#include <check.h>
#include <ctype.h>
#include <string.h>

Suite *status_suite(void);

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The outward face of each code, written here a second time on purpose: other programs rely on it.
 */
static const struct {
    enum status code;
    const char *name;
    unsigned http;
    int exit_code;
} faces[] = {
    {ST_OK, "ok", 200, 0},
    {ST_NOT_FOUND, "not_found", 404, 1},
    {ST_CONFLICT, "conflict", 409, 1},
    {ST_INVALID, "invalid", 422, 1},
    {ST_MALFORMED, "malformed", 400, 1},
    {ST_TOO_LARGE, "too_large", 413, 1},
    {ST_UNAUTHORIZED, "unauthorized", 401, 1},
    {ST_FORBIDDEN, "forbidden", 403, 1},
    {ST_UNSUPPORTED, "unsupported", 415, 1},
    {ST_BUSY, "busy", 503, 1},
    {ST_TIMEOUT, "timeout", 503, 1},
    {ST_RETRY, "retry", 503, 1},
    {ST_DB, "database", 503, 3},
    {ST_IO, "io", 500, 1},
    {ST_NOMEM, "no_memory", 503, 1},
    {ST_USAGE, "usage", 500, 2},
    {ST_BUG, "internal", 500, 1},
};

START_TEST(code_has_its_face)
{
    ck_assert_str_eq(status_name(faces[_i].code), faces[_i].name);
    ck_assert_uint_eq(status_http(faces[_i].code), faces[_i].http);
    ck_assert_int_eq(status_exit(faces[_i].code), faces[_i].exit_code);
    ck_assert_ptr_nonnull(status_title(faces[_i].code));
    ck_assert(isupper((unsigned char)status_title(faces[_i].code)[0]));
}
END_TEST

START_TEST(codes_are_all_listed_and_differ)
{
    ck_assert_uint_eq(COUNT(faces), ST_COUNT_);
    for (int a = 0; a < ST_COUNT_; a++) {
        for (int b = a + 1; b < ST_COUNT_; b++)
            ck_assert_str_ne(status_name((enum status)a), status_name((enum status)b));
    }
}
END_TEST

START_TEST(unknown_code_is_an_internal_error)
{
    static const int codes[] = {-1, ST_COUNT_, 1000};
    for (size_t i = 0; i < COUNT(codes); i++) {
        ck_assert_str_eq(status_name((enum status)codes[i]), "internal");
        ck_assert_uint_eq(status_http((enum status)codes[i]), 500);
    }
}
END_TEST

START_TEST(set_fills_and_clears_the_rest)
{
    struct err err;
    memset(&err, 'x', sizeof err);
    ck_assert_int_eq(err_set(&err, ST_IO, "could not read \"%s\": %d", "file", 5), ST_IO);
    ck_assert_int_eq(err.code, ST_IO);
    ck_assert_str_eq(err.message, "could not read \"file\": 5");
    ck_assert_str_eq(err.hint, "");
    ck_assert_str_eq(err.field, "");
    ck_assert_str_eq(err.sqlstate, "");
}
END_TEST

START_TEST(set_without_err_returns_code)
{
    ck_assert_int_eq(err_set(NULL, ST_BUSY, "x"), ST_BUSY);
    ck_assert_int_eq(err_field(NULL, ST_INVALID, "a", "x"), ST_INVALID);
    err_prefix_field(NULL, "a");
}
END_TEST

START_TEST(set_long_message_is_cut)
{
    struct err err;
    char longer[1000];
    memset(longer, 'm', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    err_field(&err, ST_INVALID, longer, "%s", longer);
    ck_assert_uint_eq(strlen(err.message), sizeof err.message - 1);
    ck_assert_uint_eq(strlen(err.field), sizeof err.field - 1);
}
END_TEST

static const struct {
    const char *field;
    const char *prefix;
    const char *want;
} prefixes[] = {
    {"tag", "[3]", "[3].tag"},
    {"[3]", "tag", "tag[3]"},
    {"bytes[3]", "nonpaged", "nonpaged.bytes[3]"},
    {"", "host", "host"},
    {"id", "", ".id"},
    {"[0].tag", "[1]", "[1][0].tag"},
};

START_TEST(prefix_joins_paths)
{
    struct err err;
    err_field(&err, ST_INVALID, prefixes[_i].field, "x");
    err_prefix_field(&err, prefixes[_i].prefix);
    ck_assert_str_eq(err.field, prefixes[_i].want);
    ck_assert_str_eq(err.message, "x");
}
END_TEST

START_TEST(prefix_null_field_is_empty)
{
    struct err err;
    err_field(&err, ST_INVALID, NULL, "x");
    err_prefix_field(&err, "host");
    ck_assert_str_eq(err.field, "host");
}
END_TEST

/* Whatever the lengths, the front of the path stays and the array is never left open. */
START_TEST(prefix_too_long_is_cut_at_its_end)
{
    char field[200];
    char prefix[200];
    for (size_t i = 0; i < 190; i++) {
        for (size_t k = 0; k < 190; k += 7) {
            struct err err;
            memset(&err, 'x', sizeof err);
            memset(field, 'f', sizeof field);
            memset(prefix, 'p', sizeof prefix);
            field[i] = '\0';
            prefix[k] = '\0';
            err_field(&err, ST_INVALID, field, "m");
            err_prefix_field(&err, prefix);
            ck_assert_ptr_nonnull(memchr(err.field, '\0', sizeof err.field));
            size_t old = i < sizeof err.field - 1 ? i : sizeof err.field - 1;
            size_t whole = k + (i > 0 ? 1 : 0) + old;
            size_t want = whole < sizeof err.field - 1 ? whole : sizeof err.field - 1;
            ck_assert_uint_eq(strlen(err.field), want);
            ck_assert_mem_eq(err.field, prefix, k < want ? k : want);
        }
    }
}
END_TEST

Suite *status_suite(void)
{
    Suite *suite = suite_create("status");
    TCase *tcase = tcase_create("status");
    tcase_add_loop_test(tcase, code_has_its_face, 0, (int)COUNT(faces));
    tcase_add_test(tcase, codes_are_all_listed_and_differ);
    tcase_add_test(tcase, unknown_code_is_an_internal_error);
    tcase_add_test(tcase, set_fills_and_clears_the_rest);
    tcase_add_test(tcase, set_without_err_returns_code);
    tcase_add_test(tcase, set_long_message_is_cut);
    tcase_add_loop_test(tcase, prefix_joins_paths, 0, (int)COUNT(prefixes));
    tcase_add_test(tcase, prefix_null_field_is_empty);
    tcase_add_test(tcase, prefix_too_long_is_cut_at_its_end);
    suite_add_tcase(suite, tcase);
    return suite;
}
