/* SPDX-License-Identifier: Apache-2.0 */
/* Known leaks: the built-in list, what the loader refuses, versions, and the matcher. */
#include "server/known/known.h"
#include "server/known/known_finding.h"

#include "common/strbuf.h"

#include <check.h>
#include <string.h>

Suite *known_suite(void);

static uint32_t tag(const char *text)
{
    uint32_t value = 0;
    ck_assert_msg(tag_parse(text, strlen(text), &value), "\"%s\" is no tag", text);
    return value;
}

static void load(struct known_list *list, const char *text)
{
    struct err err = {0};
    enum status status = known_add_file(list, text, strlen(text), true, &err);
    ck_assert_msg(status == ST_OK, "%s: %s", err.field, err.message);
}

/* ---- the built-in list ------------------------------------------------------ */

START_TEST(known_builtin_has_forty_entries_with_source_and_advice)
{
    AUTO_KNOWN struct known_list list = {0};
    struct err err = {0};
    enum status status = known_add_builtin(&list, &err);
    ck_assert_msg(status == ST_OK, "%s: %s", err.field, err.message);
    ck_assert_uint_ge(list.count, 40);
    for (size_t i = 0; i < list.count; i++) {
        const struct known_leak *leak = &list.items[i];
        ck_assert_msg(leak->tag_count > 0 && leak->source != NULL && leak->advice != NULL,
                      "%s is not complete", leak->id);
        ck_assert_msg(leak->advice[strlen(leak->advice) - 1] == '.', "%s: advice is no sentence",
                      leak->id);
        ck_assert_msg(strstr(leak->source, "http") == NULL, "%s: an address as source", leak->id);
        ck_assert(!leak->imported);
        ck_assert_ptr_eq(known_find(&list, leak->id), leak);
    }
}
END_TEST

START_TEST(known_imported_replaces_builtin_of_same_id)
{
    AUTO_KNOWN struct known_list list = {0};
    struct err err = {0};
    load(&list,
         "{\"format\":1,\"leaks\":[{\"id\":\"npcap-1.76\",\"title\":\"ours\",\"driver\":null,"
         "\"tags\":[\"NpCD\"],\"advice\":\"Wait.\",\"source\":\"case 1\",\"confidence\":"
         "\"reported\"}]}");
    ck_assert_int_eq(known_add_builtin(&list, &err), ST_OK);
    ck_assert_uint_ge(list.count, 40);
    ck_assert_str_eq(known_find(&list, "npcap-1.76")->title, "ours");
    ck_assert(known_find(&list, "npcap-1.76")->imported);
    ck_assert_ptr_null(known_find(&list, "npcap-9"));
}
END_TEST

/* ---- what the loader refuses ------------------------------------------------ */

#define HEAD          "{\"id\":\"a\",\"title\":\"t\",\"driver\":\"x.sys\",\"advice\":\"Do.\","
#define TAIL          "\"source\":\"s\",\"confidence\":\"reported\""
#define TAGS          "\"tags\":[\"Leak\"],"
#define ENTRY         HEAD TAGS TAIL "}"
#define LIST(entries) "{\"format\":1,\"leaks\":[" entries "]}"

static const struct {
    const char *text;
    enum status status;
    const char *field;
} faults[] = {
    {"", ST_MALFORMED, ""},
    {"{", ST_MALFORMED, ""},
    {"{\"format\":1,\"format\":1,\"leaks\":[]}", ST_MALFORMED, ""},
    {"{\"format\":1,\"leaks\":[\"\xff\"]}", ST_MALFORMED, ""},
    {"[]", ST_INVALID, ""},
    {"{\"leaks\":[]}", ST_INVALID, "format"},
    {"{\"format\":2,\"leaks\":[]}", ST_INVALID, "format"},
    {"{\"format\":1}", ST_INVALID, "leaks"},
    {"{\"format\":1,\"leaks\":{}}", ST_INVALID, "leaks"},
    {"{\"format\":1,\"leaks\":[],\"more\":1}", ST_INVALID, "more"},
    {LIST("1"), ST_INVALID, "leaks[0]"},
    {LIST(ENTRY "," ENTRY), ST_INVALID, "leaks[1].id"},
    {LIST(HEAD TAIL "}"), ST_INVALID, "leaks[0].tags"},
    {LIST(HEAD TAGS "\"source\":\"s\"}"), ST_INVALID, "leaks[0].confidence"},
    {LIST(HEAD TAGS TAIL ",\"tag\":1}"), ST_INVALID, "leaks[0].tag"},
    {LIST("{\"id\":\"A b\"}"), ST_INVALID, "leaks[0].id"},
    {LIST("{\"id\":7}"), ST_INVALID, "leaks[0].id"},
    {LIST("{\"title\":\"\"}"), ST_INVALID, "leaks[0].title"},
    {LIST("{\"title\":\"a\\nb\"}"), ST_INVALID, "leaks[0].title"},
    {LIST("{\"driver\":[]}"), ST_INVALID, "leaks[0].driver"},
    {LIST("{\"pool\":\"both\"}"), ST_INVALID, "leaks[0].pool"},
    {LIST("{\"tags\":[]}"), ST_INVALID, "leaks[0].tags"},
    {LIST("{\"tags\":\"Leak\"}"), ST_INVALID, "leaks[0].tags"},
    {LIST("{\"tags\":[\"Leak\",\"Mdl\"]}"), ST_INVALID, "leaks[0].tags[1]"},
    {LIST("{\"tags\":[\"Leak\",\"Leak\"]}"), ST_INVALID, "leaks[0].tags[1]"},
    {LIST("{\"bad_versions\":[]}"), ST_INVALID, "leaks[0].bad_versions"},
    {LIST("{\"bad_versions\":[1]}"), ST_INVALID, "leaks[0].bad_versions[0]"},
    {LIST("{\"bad_versions\":[{}]}"), ST_INVALID, "leaks[0].bad_versions[0]"},
    {LIST("{\"bad_versions\":[{\"from\":\"1.x\"}]}"), ST_INVALID, "leaks[0].bad_versions[0].from"},
    {LIST("{\"bad_versions\":[{\"from\":\"2\",\"to\":\"1.9\"}]}"), ST_INVALID,
     "leaks[0].bad_versions[0].to"},
    {LIST("{\"good_versions\":[{\"since\":\"1\"}]}"), ST_INVALID,
     "leaks[0].good_versions[0].since"},
    {LIST("{\"attributes\":{}}"), ST_INVALID, "leaks[0].attributes"},
    {LIST("{\"attributes\":{\"os.build\":\"1\"}}"), ST_INVALID, "leaks[0].attributes.os.build"},
    {LIST("{\"attributes\":{\"os.build\":[{\"to\":1}]}}"), ST_INVALID,
     "leaks[0].attributes.os.build[0].to"},
    {LIST("{\"behaviour\":{\"zero_frees\":1}}"), ST_INVALID, "leaks[0].behaviour.zero_frees"},
    {LIST("{\"behaviour\":{\"slow\":true}}"), ST_INVALID, "leaks[0].behaviour.slow"},
    {LIST("{\"advice\":null}"), ST_INVALID, "leaks[0].advice"},
    {LIST("{\"source\":0}"), ST_INVALID, "leaks[0].source"},
    {LIST("{\"confidence\":\"sure\"}"), ST_INVALID, "leaks[0].confidence"},
    {LIST("{\"id\":\"a\",\"title\":\"t\",\"driver\":null," TAGS
          "\"bad_versions\":[{\"to\":\"1\"}],\"advice\":\"Do.\"," TAIL "}"),
     ST_INVALID, "leaks[0].driver"},
};

START_TEST(known_file_with_a_fault_is_refused_with_its_path)
{
    AUTO_KNOWN struct known_list list = {0};
    struct err err = {0};
    const char *text = faults[_i].text;
    enum status status = known_add_file(&list, text, strlen(text), true, &err);
    ck_assert_msg(status == faults[_i].status, "%s: %d %s", text, (int)status, err.message);
    ck_assert_msg(strcmp(err.field, faults[_i].field) == 0, "%s: field \"%s\" (%s)", text,
                  err.field, err.message);
    ck_assert_str_ne(err.message, "");
}
END_TEST

START_TEST(known_text_over_its_limit_is_refused)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    AUTO_KNOWN struct known_list list = {0};
    struct err err = {0};
    strbuf_puts(&text, "{\"title\":\"");
    for (unsigned i = 0; i <= KNOWN_TITLE_MAX; i++)
        strbuf_putc(&text, 'a');
    strbuf_puts(&text, "\"}");
    ck_assert_int_eq(known_add_entry(&list, text.data, text.length, NULL, true, &err), ST_INVALID);
    ck_assert_str_eq(err.field, "title");
}
END_TEST

START_TEST(known_entry_of_another_id_is_refused)
{
    AUTO_KNOWN struct known_list list = {0};
    struct err err = {0};
    ck_assert_int_eq(known_add_entry(&list, ENTRY, strlen(ENTRY), "b", true, &err), ST_INVALID);
    ck_assert_str_eq(err.field, "id");
    ck_assert_int_eq(known_add_entry(&list, ENTRY, strlen(ENTRY), "a", true, &err), ST_OK);
    ck_assert_str_eq(list.items[0].json, "{\"id\":\"a\",\"title\":\"t\",\"driver\":\"x.sys\","
                                         "\"advice\":\"Do.\",\"tags\":[\"Leak\"],\"source\":\"s\","
                                         "\"confidence\":\"reported\"}");
}
END_TEST

START_TEST(known_more_entries_than_allowed_are_refused)
{
    AUTO_KNOWN struct known_list list = {0};
    struct err err = {0};
    enum status status = ST_OK;
    for (unsigned i = 0; i <= KNOWN_ENTRIES_MAX; i++) {
        AUTO_STRBUF struct strbuf text = STRBUF_INIT;
        ck_assert_int_eq(status, ST_OK);
        strbuf_printf(
            &text,
            "{\"id\":\"a%u\",\"title\":\"t\",\"driver\":null,\"advice\":\"Do.\"," TAGS TAIL "}", i);
        status = known_add_entry(&list, text.data, text.length, NULL, true, &err);
    }
    ck_assert_int_eq(status, ST_TOO_LARGE);
    ck_assert_uint_eq(list.count, KNOWN_ENTRIES_MAX);
}
END_TEST

/* ---- versions --------------------------------------------------------------- */

static const struct {
    const char *version;
    const char *bound;
    bool valid;
    int order;
} versions[] = {
    {"1.77", "1.77", true, 0},
    {"1.9", "1.10", true, -1}, /* as numbers, not as text */
    {"1.10", "1.9", true, 1},
    {"7.01", "7.1", true, 0},
    {"1.77.3", "1.77", true, 0}, /* only the parts of the bound */
    {"1.77", "1.77.1", true, -1},
    {"2", "1.99.99", true, 1},
    {"32.0.21045.1000", "32.0.11002.41", true, 1},
    {"10.0.26200.8655", "26200", true, 0},
    {"26200.8655", "10.0.26200.8655", true, 0},
    {"10.0.26100.8875", "10.0.26100.8874", true, 1},
    {"10.5", "26200", true, -1}, /* that 10.5 is no Windows build */
    {"1.2-beta", "1.2", false, 0},
    {"", "1", false, 0},
    {"1..2", "1", false, 0},
    {"1.", "1", false, 0},
    {"1.2.3.4.5.6.7.8.9", "1", false, 0},
    {"99999999999999999999", "1", false, 0},
    {"1", "v1", false, 0},
};

START_TEST(known_versions_compare_as_numbers_part_by_part)
{
    int order = 7;
    bool valid = known_version_compare(versions[_i].version, versions[_i].bound, &order);
    ck_assert_msg(valid == versions[_i].valid, "\"%s\" and \"%s\"", versions[_i].version,
                  versions[_i].bound);
    ck_assert_msg(!valid || order == versions[_i].order, "\"%s\" and \"%s\": %d",
                  versions[_i].version, versions[_i].bound, order);
}
END_TEST

/* ---- the matcher ------------------------------------------------------------ */

static const char some[] =
    "{\"format\":1,\"leaks\":["
    "{\"id\":\"cap\",\"title\":\"t\",\"driver\":\"npcap.sys\",\"pool\":\"nonpaged\","
    "\"tags\":[\"NpCD\",\"NpNL\"],\"bad_versions\":[{\"from\":\"1.76\",\"to\":\"1.77\"}],"
    "\"good_versions\":[{\"from\":\"1.78\"}],\"advice\":\"Do.\",\"source\":\"s\","
    "\"confidence\":\"confirmed by vendor\"},"
    "{\"id\":\"proc\",\"title\":\"t\",\"driver\":\"amdkmdag.sys\",\"pool\":\"nonpaged\","
    "\"tags\":[\"Proc\"],\"bad_versions\":[{\"from\":\"32.0.11002.41\",\"to\":\"32.0.11002.41\"}],"
    "\"good_versions\":[{\"from\":\"32.0.21045.1000\"}],\"advice\":\"Do.\",\"source\":\"s\","
    "\"confidence\":\"reported\"},"
    "{\"id\":\"build\",\"title\":\"t\",\"driver\":null,\"tags\":[\"NtFC\"],"
    "\"attributes\":{\"os.build\":[{\"from\":\"26200\",\"to\":\"26200\"}]},\"advice\":\"Do.\","
    "\"source\":\"s\",\"confidence\":\"reported\"},"
    "{\"id\":\"five\",\"title\":\"t\",\"driver\":\"wcifs.sys\","
    "\"tags\":[\"WCsc\",\"WCfc\",\"WCri\",\"FMwi\",\"FMfc\"],\"advice\":\"Do.\",\"source\":\"s\","
    "\"confidence\":\"reported\"}]}";

#define NONE ((enum known_fit) - 1)

static const struct {
    const char *name;
    enum pool pool;
    const char *tags[8];
    struct known_cause causes[4];
    const char *owner;
    const char *id; /* of the first match; NULL: none */
    enum known_fit fit;
    const char *says; /* a part of it */
} cases[] = {
    {"tags alone", POOL_NONPAGED, {"NpCD", "NpNL"}, {{0}}, NULL, "cap", KNOWN_FIT_TAGS, NULL},
    {"bad version",
     POOL_NONPAGED,
     {"NpCD", "NpNL"},
     {{"driver/npcap.sys", "1.77", 1}},
     NULL,
     "cap",
     KNOWN_FIT_VERSION,
     "npcap.sys 1.77 is among those that leak (1.76 to 1.77)"},
    {"letters of the driver folded",
     POOL_NONPAGED,
     {"NpCD"},
     {{"driver/NPCAP.SYS", "1.76", 1}},
     NULL,
     "cap",
     KNOWN_FIT_VERSION,
     "1.76"},
    {"good version",
     POOL_NONPAGED,
     {"NpCD", "NpNL"},
     {{"driver/npcap.sys", "1.79", 1}},
     NULL,
     "cap",
     KNOWN_FIT_CONTRADICTED,
     "npcap.sys 1.79 is among those that do not leak"},
    {"version never named",
     POOL_NONPAGED,
     {"NpCD", "NpNL"},
     {{"driver/npcap.sys", "1.70", 1}},
     NULL,
     "cap",
     KNOWN_FIT_CONTRADICTED,
     "1.70 is not among those that leak (1.76 to 1.77)"},
    {"larger share decides",
     POOL_NONPAGED,
     {"NpCD", "NpNL"},
     {{"driver/npcap.sys", "1.76", 0.4},
      {"driver/npcap.sys", "1.77", 0.4},
      {"driver/npcap.sys", "1.75", 0.2}},
     NULL,
     "cap",
     KNOWN_FIT_VERSION,
     "1.76"},
    {"too few have it",
     POOL_NONPAGED,
     {"NpCD", "NpNL"},
     {{"driver/npcap.sys", "1.77", 0.3}},
     NULL,
     "cap",
     KNOWN_FIT_TAGS,
     NULL},
    {"another driver says nothing",
     POOL_NONPAGED,
     {"NpCD"},
     {{"driver/other.sys", "1.77", 1}},
     NULL,
     "cap",
     KNOWN_FIT_TAGS,
     NULL},
    {"no version at all",
     POOL_NONPAGED,
     {"NpCD"},
     {{"driver/npcap.sys", "unknown", 1}},
     NULL,
     "cap",
     KNOWN_FIT_TAGS,
     NULL},
    {"other pool", POOL_PAGED, {"NpCD", "NpNL"}, {{0}}, NULL, NULL, NONE, NULL},
    {"pool not known", POOL_UNKNOWN, {"NpCD"}, {{0}}, NULL, "cap", KNOWN_FIT_TAGS, NULL},
    {"owner innocent, cause found",
     POOL_NONPAGED,
     {"Proc"},
     {{"driver/amdkmdag.sys", "32.0.11002.41", 0.95}},
     "nt!ps",
     "proc",
     KNOWN_FIT_VERSION,
     "amdkmdag.sys 32.0.11002.41"},
    {"case of a tag counts", POOL_NONPAGED, {"Ntfc"}, {{0}}, NULL, NULL, NONE, NULL},
    {"build agrees",
     POOL_NONPAGED,
     {"NtFC"},
     {{"os.build", "10.0.26200.8655", 1}},
     NULL,
     "build",
     KNOWN_FIT_VERSION,
     "os.build 10.0.26200.8655"},
    {"build contradicts",
     POOL_NONPAGED,
     {"NtFC"},
     {{"os.build", "26100.1", 1}},
     NULL,
     "build",
     KNOWN_FIT_CONTRADICTED,
     "os.build 26100.1 is not among those that leak (26200)"},
    {"one of five tags is chance", POOL_NONPAGED, {"FMfc"}, {{0}}, NULL, NULL, NONE, NULL},
    {"three of five",
     POOL_NONPAGED,
     {"WCsc", "FMfc", "WCfc"},
     {{0}},
     "wcifs.sys",
     "five",
     KNOWN_FIT_TAGS,
     NULL},
    {"two of five, half of the group",
     POOL_NONPAGED,
     {"File", "WCsc", "FMfc", "IoFE"},
     {{0}},
     NULL,
     "five",
     KNOWN_FIT_TAGS,
     NULL},
    {"victim within a large group",
     POOL_NONPAGED,
     {"WCsc", "IoFE", "File", "FOCX", "NtFC"},
     {{0}},
     NULL,
     NULL,
     NONE,
     NULL},
    {"first mover of a large group",
     POOL_NONPAGED,
     {"NtFC", "IoFE", "File", "FOCX", "WCsc"},
     {{0}},
     NULL,
     "build",
     KNOWN_FIT_TAGS,
     NULL},
    {"version before tags",
     POOL_NONPAGED,
     {"NtFC", "NpCD", "NpNL"},
     {{"os.build", "26200.1", 1}, {"driver/npcap.sys", "1.78", 1}},
     NULL,
     "build",
     KNOWN_FIT_VERSION,
     "26200"},
};

static size_t match(size_t which, const struct known_list *list, struct known_match *matches)
{
    uint32_t tags[8];
    struct known_query query = {.pool = cases[which].pool,
                                .tags = tags,
                                .causes = cases[which].causes,
                                .owner = cases[which].owner};
    while (query.tag_count < 8 && cases[which].tags[query.tag_count] != NULL) {
        tags[query.tag_count] = tag(cases[which].tags[query.tag_count]);
        query.tag_count++;
    }
    while (query.cause_count < 4 && cases[which].causes[query.cause_count].attribute != NULL)
        query.cause_count++;
    return known_match(list, &query, KNOWN_MATCHES_MAX, matches);
}

START_TEST(known_matcher_says_how_well_and_what_contradicts)
{
    AUTO_KNOWN struct known_list list = {0};
    struct known_match matches[KNOWN_MATCHES_MAX];
    load(&list, some);
    size_t count = match((size_t)_i, &list, matches);
    const char *name = cases[_i].name;
    if (cases[_i].id == NULL) {
        ck_assert_msg(count == 0, "%s: %s", name, count > 0 ? matches[0].leak->id : "");
        return;
    }
    ck_assert_msg(count > 0, "%s: no match", name);
    ck_assert_msg(strcmp(matches[0].leak->id, cases[_i].id) == 0, "%s: %s", name,
                  matches[0].leak->id);
    ck_assert_msg(matches[0].fit == cases[_i].fit, "%s: %s", name, known_fit_text(matches[0].fit));
    if (cases[_i].says == NULL)
        ck_assert_msg(matches[0].says[0] == '\0', "%s: %s", name, matches[0].says);
    else
        ck_assert_msg(strstr(matches[0].says, cases[_i].says) != NULL, "%s: %s", name,
                      matches[0].says);
}
END_TEST

START_TEST(known_matches_are_cut_to_the_best)
{
    AUTO_KNOWN struct known_list list = {0};
    struct known_match all[64];
    struct known_match best[2];
    struct err err = {0};
    uint32_t tags[] = {tag("NtFC")};
    struct known_query query = {.pool = POOL_NONPAGED, .tags = tags, .tag_count = 1};
    ck_assert_int_eq(known_add_builtin(&list, &err), ST_OK);
    size_t count = known_match(&list, &query, 64, all);
    ck_assert_uint_ge(count, 4);
    ck_assert_uint_eq(known_match(&list, &query, 2, best), 2);
    ck_assert_ptr_eq(best[0].leak, all[0].leak);
    ck_assert_ptr_eq(best[1].leak, all[1].leak);
    ck_assert_uint_eq(known_match(&list, &query, 0, best), 0);
}
END_TEST

START_TEST(known_tag_is_listed_with_the_narrowest_first)
{
    AUTO_KNOWN struct known_list list = {0};
    struct known_match matches[4];
    load(&list, some);
    ck_assert_uint_eq(known_of_tag(&list, tag("FMfc"), 4, matches), 1);
    ck_assert_str_eq(matches[0].leak->id, "five");
    ck_assert_uint_eq(known_of_tag(&list, tag("Thre"), 4, matches), 0);
}
END_TEST

/* The two cases that the design names. */
static const struct {
    uint32_t pool;
    const char *tags[2];
    struct finding_cause cause;
    const char *id;
} famous[] = {
    {POOL_NONPAGED,
     {"NpCD", "NpNB"},
     {.attribute = "driver/npcap.sys",
      .value = "1.77",
      .affected = 20,
      .affected_with = 19,
      .unaffected = 480,
      .unaffected_with = 2,
      .risk_ratio = 200,
      .q_value = 0},
     "npcap-1.76"},
    {POOL_NONPAGED,
     {"Proc", NULL},
     {.attribute = "driver/amdkmdag.sys",
      .value = "32.0.11002.41",
      .affected = 20,
      .affected_with = 20,
      .unaffected = 480,
      .unaffected_with = 2,
      .risk_ratio = 200,
      .q_value = 0},
     "amdkmdag-32.0.11002.41"},
};

START_TEST(known_finding_of_a_famous_leak_is_named_by_version)
{
    AUTO_KNOWN struct known_list list = {0};
    struct known_match matches[KNOWN_MATCHES_MAX];
    struct err err = {0};
    uint32_t tags[2] = {tag(famous[_i].tags[0])};
    struct finding_cause cause = famous[_i].cause;
    struct finding finding = {
        .pool = famous[_i].pool, .tags = tags, .tag_count = 1, .causes = &cause, .cause_count = 1};
    if (famous[_i].tags[1] != NULL)
        tags[finding.tag_count++] = tag(famous[_i].tags[1]);
    ck_assert_int_eq(known_add_builtin(&list, &err), ST_OK);
    ck_assert_uint_ge(known_match_finding(&list, &finding, KNOWN_MATCHES_MAX, matches), 1);
    ck_assert_str_eq(matches[0].leak->id, famous[_i].id);
    ck_assert_int_eq(matches[0].fit, KNOWN_FIT_VERSION);
    ck_assert_uint_eq(known_match_finding(NULL, &finding, KNOWN_MATCHES_MAX, matches), 0);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

Suite *known_suite(void)
{
    Suite *suite = suite_create("known");
    TCase *tc = tcase_create("known");
    tcase_add_test(tc, known_builtin_has_forty_entries_with_source_and_advice);
    tcase_add_test(tc, known_imported_replaces_builtin_of_same_id);
    tcase_add_loop_test(tc, known_file_with_a_fault_is_refused_with_its_path, 0, COUNT(faults));
    tcase_add_test(tc, known_text_over_its_limit_is_refused);
    tcase_add_test(tc, known_entry_of_another_id_is_refused);
    tcase_add_test(tc, known_more_entries_than_allowed_are_refused);
    tcase_add_loop_test(tc, known_versions_compare_as_numbers_part_by_part, 0, COUNT(versions));
    tcase_add_loop_test(tc, known_matcher_says_how_well_and_what_contradicts, 0, COUNT(cases));
    tcase_add_test(tc, known_matches_are_cut_to_the_best);
    tcase_add_test(tc, known_tag_is_listed_with_the_narrowest_first);
    tcase_add_loop_test(tc, known_finding_of_a_famous_leak_is_named_by_version, 0, COUNT(famous));
    suite_add_tcase(suite, tc);
    return suite;
}
