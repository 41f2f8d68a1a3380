/* SPDX-License-Identifier: Apache-2.0 */
/* Who owns a tag: the lists, then the code of the drivers. */
#include "server/analyze/build.h"

#include <check.h>

#include <string.h>

Suite *owner_suite(void);

static uint32_t tag(const char *text)
{
    return tag_from_bytes((const unsigned char *)text);
}

static const char *const drivers[] = {"a.sys", "b.sys", "c.sys", "d.sys", "e.sys"};

struct row {
    const char *what;
    const char *listed;      /* driver of the list's entry; "": an entry without one; NULL: none */
    const char *description; /* of that entry */
    size_t scanned;          /* so many of the drivers hold the tag */
    const char *driver;      /* expected; NULL: unknown */
    const char *source;
    const char *says;
    const char *cause; /* the one driver that stands for the tag */
};

static const struct row rows[] = {
    {"nobody", NULL, NULL, 0, NULL, NULL, NULL, NULL},
    {"a list alone", "x.sys", "X", 0, "x.sys", "imported", "X", "x.sys"},
    {"a list before the code", "x.sys", "X", 2, "x.sys", "imported", "X", "x.sys"},
    {"one driver's code", NULL, NULL, 1, "a.sys", "driver_scan", "its code allocates with this tag",
     "a.sys"},
    {"two drivers' code", NULL, NULL, 2, "a.sys or b.sys", "driver_scan",
     "the code of each of these drivers allocates with this tag", "a.sys"},
    {"five drivers' code", NULL, NULL, 5, "a.sys or b.sys or c.sys or 2 more", "driver_scan",
     "the code of each of these drivers allocates with this tag", "a.sys"},
    {"a list that knows what but not who", "", "packet buffers", 1, "a.sys", "driver_scan",
     "packet buffers", "a.sys"},
    {"a list that knows neither, and no code", "", "packet buffers", 0, NULL, "imported",
     "packet buffers", NULL},
};

START_TEST(owner_comes_from_the_lists_and_then_from_the_code)
{
    const struct row *row = &rows[_i];
    AUTO_ARENA struct arena arena = {0};
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    struct analyze_owner owners[8];
    struct finding finding = {.tag = tag("Mine")};
    size_t count = 0;
    /* Neighbours on both sides of the tag. */
    owners[count++] = (struct analyze_owner){tag("Mine") - 1, "before.sys"};
    for (size_t i = 0; i < row->scanned; i++)
        owners[count++] = (struct analyze_owner){tag("Mine"), drivers[i]};
    owners[count++] = (struct analyze_owner){tag("Mine") + 1, "after.sys"};
    if (row->listed != NULL) {
        const struct tagdict_entry entry = {.tag = tag("Mine"),
                                            .driver = row->listed[0] == '\0' ? NULL : row->listed,
                                            .description = row->description,
                                            .source = "imported"};
        ck_assert_int_eq(tagdict_add(dict, &entry, NULL), ST_OK);
    }
    const struct build build = {
        .dict = dict, .arena = &arena, .owners = owners, .owner_count = count};
    build_owner(&build, &finding);
    ck_assert_pstr_eq(finding.owner_driver, row->driver);
    ck_assert_pstr_eq(finding.owner_source, row->source);
    ck_assert_pstr_eq(finding.owner_description, row->says);
    ck_assert_pstr_eq(build_driver_of(&build, finding.tag), row->cause);
}
END_TEST

Suite *owner_suite(void)
{
    Suite *suite = suite_create("owner");
    TCase *tc = tcase_create("owner");
    tcase_add_loop_test(tc, owner_comes_from_the_lists_and_then_from_the_code, 0,
                        (int)(sizeof rows / sizeof rows[0]));
    suite_add_tcase(suite, tc);
    return suite;
}
