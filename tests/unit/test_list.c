/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/json_out.h"
#include "server/api/list.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Suite *list_suite(void);

struct thing {
    int64_t id;
    const char *name;
    int64_t bytes;
    double score;
    int64_t at;
    uint32_t tag;
    int level;
    bool on;
    const char *json;
};

static const char *const levels[] = {"low", "high"};

#define COLUMN(field, kind) LIST_COLUMN(struct thing, field, kind)
static const struct list_column columns[] = {
    COLUMN(id, LIST_I64),
    COLUMN(name, LIST_TEXT),
    COLUMN(bytes, LIST_I64),
    COLUMN(score, LIST_REAL),
    COLUMN(at, LIST_TIME),
    COLUMN(tag, LIST_TAG),
    LIST_COLUMN_ENUM(struct thing, level, levels),
    COLUMN(on, LIST_BOOL),
    COLUMN(json, LIST_JSON),
};
static const struct list_spec spec = {.columns = columns,
                                      .column_count = sizeof columns / sizeof columns[0],
                                      .identity = COLUMN(id, LIST_I64),
                                      .default_sort = "-bytes",
                                      .default_limit = 3,
                                      .max_limit = 10};

static const struct thing things[] = {
    {1, "beta", 10, 0.5, 0, 0x206b6444, 0, true, "[1]"},
    {2, "Alpha", NUMBER_ABSENT, NAN, TIME_UNKNOWN, 0x61616161, -1, false, NULL},
    {3, NULL, 10, -2.25, US_PER_SECOND, 0x62626262, 1, true, "[]"},
    {4, "alpha", 30, 1e9, US_PER_DAY, 0x63636363, 1, false, "{}"},
    {5, "a\nb:c", 20, 0, US_PER_HOUR, 0x64646464, 0, true, "null"},
    {6, "", -5, 7, 5, 0x65656565, 0, true, "1"},
};
#define THINGS (sizeof things / sizeof things[0])

static void ids_of_page(struct list_query *query, char *ret_ids, bool *ret_more, char **ret_cursor)
{
    AUTO_FREE const void **page = NULL;
    AUTO_STRBUF struct strbuf cursor = STRBUF_INIT;
    size_t count = 0;

    ck_assert_int_eq(
        list_page(&spec, query, things, sizeof things[0], THINGS, &page, &count, ret_more, NULL),
        ST_OK);
    for (size_t i = 0; i < count; i++)
        ret_ids[i] = (char)('0' + ((const struct thing *)page[i])->id);
    ret_ids[count] = '\0';
    if (*ret_more) {
        list_cursor(&spec, query, page[count - 1], &cursor);
        *ret_cursor = strbuf_take(&cursor);
    }
}

/* All pages of one thing each, joined, and everything at once: the same order. */
static const struct {
    const char *sort;
    const char *order;
} orders[] = {
    {"id", "123456"},     {"-id", "654321"},   {"bytes", "613542"}, {"-bytes", "451362"},
    {"name", "652413"},   {"-name", "142563"}, {"score", "351642"}, {"-score", "461532"},
    {"at", "163542"},     {"-at", "453612"},   {"tag", "123456"},   {"level", "156342"},
    {"-level", "341562"}, {"on", "241356"},
};

START_TEST(list_numbers_read_as_printf_writes_them)
{
    static const double some[] = {0.5,           -0.25,   0.1,       1e-3,        9.999e-4,
                                  0.0123,        1.0 / 3, -2.0 / 3,  99.99999999, 0.99999999999,
                                  9.99999999996, 1e8 / 3, 1e9 - 0.5, 1e9 + 0.5,   1e15 / 7,
                                  1e17,          -1e-9};
    for (size_t i = 0; i < 4000; i++) {
        AUTO_STRBUF struct strbuf out = STRBUF_INIT;
        bool listed = i < sizeof some / sizeof *some;
        double value =
            listed ? some[i]
                   : (i % 2 == 0 ? 1 : -1) *
                         ldexp((double)(i * 2654435761u % 99991 + 1) / 7, (int)(i % 60) - 30);
        char expected[40];
        snprintf(expected, sizeof expected, "%.10g", value);
        if (value == floor(value))
            continue; /* these are written whole */
        json_value_real(&out, value);
        ck_assert_str_eq(out.data, expected);
    }
}
END_TEST

START_TEST(list_pages_of_one_give_the_whole_order)
{
    char *cursor = NULL;
    char joined[16] = "", ids[16], whole[16];
    bool more = true;

    struct list_query query;
    ck_assert_int_eq(list_query_parse(&spec, NULL, orders[_i].sort, NULL, true, &query, NULL),
                     ST_OK);
    ids_of_page(&query, whole, &more, &cursor);
    ck_assert(!more);
    list_query_done(&query);
    ck_assert_str_eq(whole, orders[_i].order);
    for (size_t i = 0; i < THINGS; i++) {
        ck_assert_int_eq(list_query_parse(&spec, "1", orders[_i].sort, cursor, false, &query, NULL),
                         ST_OK);
        free(cursor);
        cursor = NULL;
        ids_of_page(&query, ids, &more, &cursor);
        memcpy(joined + i, ids, 2);
        ck_assert_int_eq(more, i + 1 < THINGS);
        list_query_done(&query);
    }
    ck_assert_str_eq(joined, orders[_i].order);
}
END_TEST

/* Sizes in no order, many of them the same: every length of a page is the head of the full order.
 */
START_TEST(list_page_of_any_length_is_the_head_of_the_whole)
{
    enum { MANY = 61 };
    struct thing many[MANY] = {0};
    for (int i = 0; i < MANY; i++) {
        many[i].id = i + 1;
        many[i].bytes = i % 9 == 0 ? NUMBER_ABSENT : i * 37 % 23;
    }
    for (int way = 0; way < 2; way++) {
        AUTO_FREE const void **whole = NULL;
        struct list_query query = {0};
        size_t count = 0;
        bool more = false;
        ck_assert_int_eq(
            list_query_parse(&spec, NULL, way == 0 ? "bytes" : "-bytes", NULL, true, &query, NULL),
            ST_OK);
        ck_assert_int_eq(
            list_page(&spec, &query, many, sizeof many[0], MANY, &whole, &count, &more, NULL),
            ST_OK);
        ck_assert_uint_eq(count, MANY);
        for (query.limit = 1; query.limit < MANY; query.limit++) {
            AUTO_FREE const void **page = NULL;
            ck_assert_int_eq(
                list_page(&spec, &query, many, sizeof many[0], MANY, &page, &count, &more, NULL),
                ST_OK);
            ck_assert_uint_eq(count, query.limit);
            ck_assert(more);
            for (size_t i = 0; i < count; i++)
                ck_assert_ptr_eq(page[i], whole[i]);
        }
        list_query_done(&query);
    }
}
END_TEST

START_TEST(list_cursor_survives_items_that_come_and_go)
{
    struct list_query query;
    char ids[16];
    char *cursor = NULL;
    bool more = false;

    ck_assert_int_eq(list_query_parse(&spec, "2", "-bytes", NULL, false, &query, NULL), ST_OK);
    ids_of_page(&query, ids, &more, &cursor);
    ck_assert_str_eq(ids, "45");
    list_query_done(&query);

    /* 5, the last of the page, is gone, and a bigger one has come: neither repeats nor skips. */
    struct thing later[] = {things[0], things[2], {9, "new", 1000, 0, 0, 0, 0, true, NULL}};
    AUTO_FREE const void **page = NULL;
    size_t count = 0;
    ck_assert_int_eq(list_query_parse(&spec, "9", "-bytes", cursor, false, &query, NULL), ST_OK);
    ck_assert_int_eq(
        list_page(&spec, &query, later, sizeof later[0], 3, &page, &count, &more, NULL), ST_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(((const struct thing *)page[0])->id, 1);
    ck_assert_int_eq(((const struct thing *)page[1])->id, 3);
    list_query_done(&query);
    free(cursor);
}
END_TEST

static const struct {
    const char *limit;
    const char *sort;
    const char *cursor;
    const char *field;
} refused[] = {
    {"0", NULL, NULL, "limit"},
    {"11", NULL, NULL, "limit"},
    {"", NULL, NULL, "limit"},
    {"-1", NULL, NULL, "limit"},
    {"1x", NULL, NULL, "limit"},
    {"99999999999999999999999", NULL, NULL, "limit"},
    {NULL, "nothing", NULL, "sort"},
    {NULL, "json", NULL, "sort"},
    {NULL, "--id", NULL, "sort"},
    {NULL, "", NULL, "sort"},
    {NULL, NULL, "", "cursor"},
    {NULL, NULL, "AAAA", "cursor"},
    {NULL, NULL, "not base64!", "cursor"},
    {NULL, NULL, "aWQKdjE6MTE6MQ", "cursor"},  /* "id\nv1:11:1": another sort */
    {NULL, "id", "aWQKdjk6MTE6MQ", "cursor"},  /* "id\nv9:11:1": longer than it is */
    {NULL, "id", "aWQKdi0xOjExOjE", "cursor"}, /* "id\nv-1:11:1" */
    {NULL, "id", "aWQKdjE6eDE6MQ", "cursor"},  /* "id\nv1:x1:1": no number */
    {NULL, "id", "aWQKdjE6MTE6MXg", "cursor"}, /* something after the end */
};

START_TEST(list_query_bad_parameters_are_refused_by_name)
{
    struct list_query query;
    struct err err = {0};

    ck_assert_int_eq(list_query_parse(&spec, refused[_i].limit, refused[_i].sort,
                                      refused[_i].cursor, false, &query, &err),
                     ST_INVALID);
    ck_assert_str_eq(err.field, refused[_i].field);
}
END_TEST

START_TEST(list_query_good_cursor_is_taken)
{
    struct list_query query;
    ck_assert_int_eq(list_query_parse(&spec, NULL, "id", "aWQKdjE6MTE6MQ", false, &query, NULL),
                     ST_OK);
    ck_assert(query.after.present);
    ck_assert_int_eq(query.after.number, 1);
    ck_assert_int_eq(query.after.id_number, 1);
    ck_assert_uint_eq(query.limit, 3);
    list_query_done(&query);
}
END_TEST

static const struct {
    const char *text;
    const char *cell;
} cells[] = {
    {"plain", "plain"},
    {"", ""},
    {"a,b", "\"a,b\""},
    {"say \"x\"", "\"say \"\"x\"\"\""},
    {"two\nlines", "\"two\nlines\""},
    {"=1+1", "\"'=1+1\""},
    {"+x", "\"'+x\""},
    {"-x", "\"'-x\""},
    {"@sum", "\"'@sum\""},
    {"\tx", "\"'\tx\""},
    {"\rx", "\"'\rx\""},
    {"x=1", "x=1"},
    {" x", "\" x\""},
};

START_TEST(list_csv_cells_are_quoted_and_no_formula)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_STRBUF struct strbuf want = STRBUF_INIT;
    struct thing thing = things[0];

    thing.name = cells[_i].text;
    list_write_csv(&spec, &thing, &out);
    strbuf_printf(&want, "1,%s,10,0.5,1970-01-01T00:00:00Z,Ddk ,low,true,[1]\r\n", cells[_i].cell);
    ck_assert_str_eq(out.data, want.data);
}
END_TEST

START_TEST(list_csv_numbers_keep_their_sign_and_nulls_are_empty)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct thing thing = things[1];

    thing.bytes = -7;
    thing.name = NULL;
    list_write_csv_head(&spec, &out);
    list_write_csv(&spec, &thing, &out);
    ck_assert_str_eq(out.data, "id,name,bytes,score,at,tag,level,on,json\r\n"
                               "2,,-7,,,aaaa,,false,\r\n");
}
END_TEST

START_TEST(list_json_item_has_nulls_for_what_is_unknown)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;

    list_write_json(&spec, &things[1], &out);
    ck_assert_str_eq(out.data, "{\"id\":2,\"name\":\"Alpha\",\"bytes\":null,\"score\":null,"
                               "\"at\":null,\"tag\":\"aaaa\",\"level\":null,\"on\":false,"
                               "\"json\":null}");
}
END_TEST

static struct req request(enum media accept)
{
    return (struct req){.accept = accept};
}

static void reply(enum media accept, size_t limit, struct resp *rs)
{
    struct req rq = request(accept);
    struct list_query query;

    ck_assert_int_eq(list_query_parse(&spec, NULL, NULL, NULL, false, &query, NULL), ST_OK);
    query.limit = limit;
    ck_assert_int_eq(
        list_reply(&rq, rs, &spec, &query, "\"at\":1", things, sizeof things[0], THINGS, NULL),
        ST_OK);
    list_query_done(&query);
}

static void resp_done(struct resp *rs)
{
    strbuf_done(&rs->body);
    free((void *)(uintptr_t)rs->etag);
}

START_TEST(list_reply_document_has_head_items_cursor_and_total)
{
    struct resp rs = {0}, same = {0}, other = {0};

    reply(MEDIA_JSON, 2, &rs);
    ck_assert_int_eq(rs.media, MEDIA_JSON);
    ck_assert(strncmp(rs.body.data, "{\"at\":1,\"items\":[{\"id\":4,", 25) == 0);
    ck_assert_ptr_nonnull(strstr(rs.body.data, "],\"next_cursor\":\"LWJ5dGVzC"));
    ck_assert_ptr_nonnull(strstr(rs.body.data, "\"total\":6}"));
    reply(MEDIA_JSON, 2, &same);
    reply(MEDIA_JSON, 3, &other);
    ck_assert_str_eq(rs.etag, same.etag);
    ck_assert_str_ne(rs.etag, other.etag);
    ck_assert_uint_eq(strlen(rs.etag), 34);
    resp_done(&rs);
    resp_done(&same);
    resp_done(&other);
}
END_TEST

START_TEST(list_reply_ndjson_is_a_line_an_item)
{
    struct resp rs = {0};
    size_t lines = 0;

    reply(MEDIA_NDJSON, 10, &rs);
    for (const char *at = rs.body.data; *at != '\0'; at++)
        lines += *at == '\n';
    ck_assert_uint_eq(lines, THINGS);
    ck_assert(strncmp(rs.body.data, "{\"id\":4,", 8) == 0);
    ck_assert_ptr_nonnull(strstr(rs.body.data, "}\n{\"id\":5,"));
    resp_done(&rs);
}
END_TEST

Suite *list_suite(void)
{
    Suite *suite = suite_create("list");
    TCase *tc = tcase_create("list");

    tcase_add_test(tc, list_numbers_read_as_printf_writes_them);
    tcase_add_test(tc, list_page_of_any_length_is_the_head_of_the_whole);
    tcase_add_loop_test(tc, list_pages_of_one_give_the_whole_order, 0,
                        sizeof orders / sizeof orders[0]);
    tcase_add_test(tc, list_cursor_survives_items_that_come_and_go);
    tcase_add_loop_test(tc, list_query_bad_parameters_are_refused_by_name, 0,
                        sizeof refused / sizeof refused[0]);
    tcase_add_test(tc, list_query_good_cursor_is_taken);
    tcase_add_loop_test(tc, list_csv_cells_are_quoted_and_no_formula, 0,
                        sizeof cells / sizeof cells[0]);
    tcase_add_test(tc, list_csv_numbers_keep_their_sign_and_nulls_are_empty);
    tcase_add_test(tc, list_json_item_has_nulls_for_what_is_unknown);
    tcase_add_test(tc, list_reply_document_has_head_items_cursor_and_total);
    tcase_add_test(tc, list_reply_ndjson_is_a_line_an_item);
    suite_add_tcase(suite, tc);
    return suite;
}
