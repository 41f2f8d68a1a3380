/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/mute.h"

#include <check.h>
#include <math.h>
#include <string.h>

Suite *mute_suite(void);

#define NOW (1000 * US_PER_DAY)

static uint32_t tags[] = {0x61616161, 0x62626262};
static struct finding_host hosts[] = {{.id = "h1"}, {.id = "h2"}, {.id = "h3"}};
static struct finding_cause causes[] = {{.attribute = "driver/X.sys", .value = "1.2"},
                                        {.attribute = "driver/z.sys", .value = "9"}};

static const char *const h1[] = {"h1"};
static const char *const h23[] = {"h2", "h3"};
static const char *const all[] = {"h1", "h2", "h3"};

static struct finding make(void)
{
    return (struct finding){.id = "f-1",
                            .tags = tags,
                            .tag_count = 2,
                            .hosts = hosts,
                            .host_count = 3,
                            .causes = causes,
                            .cause_count = 2,
                            .owner_driver = "a.sys or b.sys or 2 more"};
}

#define STANDS .until_us = TIME_UNKNOWN, .ended_at_us = TIME_UNKNOWN

static const struct {
    const char *what;
    struct mute mutes[3];
    size_t count;
    bool whole;
    size_t hosts;
    int64_t by;
} covers[] = {
    {"no mute covers nothing", {{0}}, 0, false, 0, 0},
    {"this finding", {{.id = 1, .finding_id = "f-1", STANDS}}, 1, true, 3, 1},
    {"another finding", {{.id = 1, .finding_id = "f-2", STANDS}}, 1, false, 0, 0},
    {"both tags", {{.id = 1, .tags = tags, .tag_count = 2, STANDS}}, 1, true, 3, 1},
    {"one tag of two", {{.id = 1, .tags = tags, .tag_count = 1, STANDS}}, 1, false, 0, 0},
    {"a tag each",
     {{.id = 1, .tags = tags, .tag_count = 1, STANDS},
      {.id = 2, .tags = tags + 1, .tag_count = 1, STANDS}},
     2,
     true,
     3,
     1},
    {"one host", {{.id = 1, .hosts = h1, .host_count = 1, STANDS}}, 1, false, 1, 0},
    {"hosts by two mutes",
     {{.id = 1, .hosts = h1, .host_count = 1, STANDS},
      {.id = 2, .hosts = h23, .host_count = 2, STANDS}},
     2,
     true,
     3,
     1},
    {"a tag on one host is no whole host",
     {{.id = 1, .hosts = h1, .host_count = 1, .tags = tags, .tag_count = 1, STANDS}},
     1,
     false,
     0,
     0},
    {"its owner", {{.id = 1, .driver = "B.SYS", STANDS}}, 1, true, 3, 1},
    {"its first cause", {{.id = 1, .driver = "x.sys", STANDS}}, 1, true, 3, 1},
    {"its second cause is not its driver", {{.id = 1, .driver = "z.sys", STANDS}}, 1, false, 0, 0},
    {"part of an owner's name", {{.id = 1, .driver = "b.sy", STANDS}}, 1, false, 0, 0},
    {"a version nobody has",
     {{.id = 1, .driver = "x.sys", .driver_version = "1", STANDS}},
     1,
     false,
     0,
     0},
    {"a version two have",
     {{.id = 1,
       .driver = "x.sys",
       .driver_version = "1",
       .version_hosts = h23,
       .version_host_count = 2,
       STANDS}},
     1,
     false,
     2,
     0},
    {"a version all have",
     {{.id = 1,
       .driver = "x.sys",
       .driver_version = "1",
       .version_hosts = all,
       .version_host_count = 3,
       STANDS}},
     1,
     true,
     3,
     1},
    {"driver and host together",
     {{.id = 1, .driver = "x.sys", .hosts = h1, .host_count = 1, STANDS}},
     1,
     false,
     1,
     0},
    {"its time has come",
     {{.id = 1, .finding_id = "f-1", .until_us = NOW, .ended_at_us = TIME_UNKNOWN}},
     1,
     false,
     0,
     0},
    {"it was ended",
     {{.id = 1, .finding_id = "f-1", .until_us = TIME_UNKNOWN, .ended_at_us = NOW - 1}},
     1,
     false,
     0,
     0},
    {"the cell's longest counts",
     {{.id = 1, .finding_id = "f-1", .until_us = NOW + 5, .ended_at_us = TIME_UNKNOWN},
      {.id = 2, .tags = tags, .tag_count = 2, STANDS}},
     2,
     true,
     3,
     2},
    {"the first end of those needed counts",
     {{.id = 1, .tags = tags, .tag_count = 1, STANDS},
      {.id = 2,
       .tags = tags + 1,
       .tag_count = 1,
       .until_us = NOW + 9,
       .ended_at_us = TIME_UNKNOWN}},
     2,
     true,
     3,
     2},
};

START_TEST(mute_cover_is_every_cell)
{
    struct finding finding = make();
    AUTO_MUTE_COVER struct mute_cover cover = {0};

    ck_assert_int_eq(mute_cover(covers[_i].mutes, covers[_i].count, &finding, NOW, &cover), ST_OK);
    ck_assert_msg(cover.whole == covers[_i].whole, "%s: whole %d", covers[_i].what, cover.whole);
    ck_assert_msg(cover.hosts == covers[_i].hosts, "%s: %zu hosts", covers[_i].what, cover.hosts);
    ck_assert_msg(cover.by == covers[_i].by, "%s: by %d", covers[_i].what, (int)cover.by);
}
END_TEST

START_TEST(mute_cover_tells_the_end_and_the_hosts)
{
    const struct mute mutes[] = {
        {.id = 7, .hosts = h1, .host_count = 1, .until_us = NOW + 3, .ended_at_us = TIME_UNKNOWN},
        {.id = 8, .hosts = h23, .host_count = 2, .until_us = NOW + 2, .ended_at_us = TIME_UNKNOWN}};
    struct finding finding = make();
    AUTO_MUTE_COVER struct mute_cover cover = {0};

    ck_assert_int_eq(mute_cover(mutes, 2, &finding, NOW, &cover), ST_OK);
    ck_assert_int_eq(cover.until_us, NOW + 2);
    ck_assert_int_eq(cover.by, 8);
    ck_assert_int_eq(cover.hosts_by[0], 7);
    ck_assert_int_eq(cover.hosts_by[2], 8);
}
END_TEST

Suite *mute_suite(void)
{
    Suite *suite = suite_create("mute");
    TCase *tc = tcase_create("mute");

    tcase_add_loop_test(tc, mute_cover_is_every_cell, 0, sizeof covers / sizeof covers[0]);
    tcase_add_test(tc, mute_cover_tells_the_end_and_the_hosts);
    suite_add_tcase(suite, tc);
    return suite;
}
