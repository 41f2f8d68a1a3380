/* SPDX-License-Identifier: Apache-2.0 */
/* schema/snapshot.cddl is for people and other programs; here it is held against our headers. */
#include "common/limits.h"
#include "common/snapshot.h"

#include <check.h>

Suite *cddl_suite(void);

#define COUNT(array) (sizeof(array) / sizeof *(array))

static char text[32768];

static void read_file(void)
{
    AUTO_FILE FILE *file = fopen("schema/snapshot.cddl", "rb");
    ck_assert_ptr_nonnull(file);
    size_t length = fread(text, 1, sizeof text - 1, file);
    ck_assert_uint_lt(length, sizeof text - 1);
    text[length] = '\0';
}

/* A limit as the file has it: what stands before its name. */
static const struct {
    const char *name;
    unsigned long long value;
} limits[] = {
    {"LIMIT_TABLE_ROWS", LIMIT_TABLE_ROWS},
    {"LIMIT_DRIVERS", LIMIT_DRIVERS},
    {"LIMIT_ATTRIBUTES", LIMIT_ATTRIBUTES},
    {"LIMIT_TAGS_PER_DRIVER", LIMIT_TAGS_PER_DRIVER},
    {"LIMIT_OBJECT_TYPES", LIMIT_OBJECT_TYPES},
    {"LIMIT_PROCESSES", LIMIT_PROCESSES},
    {"LIMIT_SESSIONS", LIMIT_SESSIONS},
    {"LIMIT_EVENTS", LIMIT_EVENTS},
    {"LIMIT_BLOCK_TAGS", LIMIT_BLOCK_TAGS},
    {"LIMIT_BLOCK_SIZES", LIMIT_BLOCK_SIZES},
    {"LIMIT_JSON_DEPTH", LIMIT_JSON_DEPTH},
    {"LIMIT_FUTURE_SECONDS", LIMIT_FUTURE_SECONDS},
    {"LIMIT_NDJSON_DOCUMENTS", LIMIT_NDJSON_DOCUMENTS},
    {"LIMIT_TEXT_BYTES", LIMIT_TEXT_BYTES},
    {"LIMIT_HOST_ID_BYTES", LIMIT_HOST_ID_BYTES},
    {"LIMIT_NUMBER_MAX", LIMIT_NUMBER_MAX},
    {"LIMIT_BODY_BYTES", LIMIT_BODY_BYTES >> 20},
};

START_TEST(cddl_names_each_limit_with_its_number)
{
    char number[32];
    const char *name = strstr(text, limits[_i].name);
    ck_assert_msg(name != NULL, "%s", limits[_i].name);
    /* The number stands in the same line, before the name. */
    const char *line = name;
    while (line > text && line[-1] != '\n')
        line--;
    int n = snprintf(number, sizeof number, "%llu", limits[_i].value);
    bool found = false;
    for (const char *at = line; (at = strstr(at, number)) != NULL && at < name; at++)
        found = found || ((at[-1] < '0' || at[-1] > '9') && (at[n] < '0' || at[n] > '9'));
    ck_assert_msg(found, "%s is %s", limits[_i].name, number);
}
END_TEST

START_TEST(cddl_lists_each_total)
{
    for (unsigned i = 0; i < TOTAL_COUNT; i++) {
        char member[64];
        snprintf(member, sizeof member, "\n  ? %s: amount,", total_name((enum total)i));
        ck_assert_msg(strstr(text, member) != NULL, "%s", member);
    }
}
END_TEST

START_TEST(cddl_has_each_member_of_the_document)
{
    static const char *const members[] = {
        "\n  format: 1,",
        "\n  ? host: ",
        "\n  ? boot_at: ",
        "\n  taken_at: ",
        "\n  ? sequence: ",
        "\n  ? base: ",
        "\n  ? totals: ",
        "nonpaged: table",
        "paged: table",
        "\n  ? objects: ",
        "\n  ? processes: ",
        "\n  ? sessions: ",
        "\n  ? events: ",
        "\n  ? id: ",
        "\n  ? name: ",
        "\n  ? attributes: ",
        "\n  ? drivers: ",
        "\n  ? version: ",
        "\n  ? company: ",
        "\n  ? tags: ",
        "\n  tag: [* tag],",
        "\n  ? allocs: ",
        "\n  ? frees: ",
        "\n  ? bytes: ",
        "\n  type: [* name]",
        "\n  ? handles: ",
        "\n  pid: ",
        "\n  image: ",
        "\n  ? paged_bytes:",
        "\n  ? failures: ",
        "\n  at: ",
        "\n  provider: ",
        "\n  ? product: ",
        "\n  ? sha256: ",
        "\n  ? symbols: ",
        "\n  ? big_blocks: ",
        "\n  ? agent: ",
        "\n  blocks: [* amount]",
        "\n  ? simulated: bool",
        "\n  ? waiting: ",
        "\n  ? dropped: ",
    };
    for (size_t i = 0; i < COUNT(members); i++)
        ck_assert_msg(strstr(text, members[i]) != NULL, "%s", members[i]);
}
END_TEST

Suite *cddl_suite(void)
{
    Suite *suite = suite_create("cddl");
    TCase *tcase = tcase_create("cddl");
    tcase_add_checked_fixture(tcase, read_file, NULL);
    tcase_add_loop_test(tcase, cddl_names_each_limit_with_its_number, 0, (int)COUNT(limits));
    tcase_add_test(tcase, cddl_lists_each_total);
    tcase_add_test(tcase, cddl_has_each_member_of_the_document);
    suite_add_tcase(suite, tcase);
    return suite;
}
