/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/finding_json.h"
#include "server/store/finding_doc.h"

#include <check.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

Suite *finding_json_suite(void);

static uint32_t tags[] = {0x63534357, 0x01626102};
static struct finding_host hosts[] = {
    {.id = "h-1",
     .name = "FS\"01",
     .bytes = 5000,
     .cohort_bytes = 100,
     .cohort_hosts = 9,
     .score = 12.5,
     .rate_bytes_per_hour = 40.25,
     .since_us = 0,
     .exhausts_p10_us = US_PER_DAY,
     .exhausts_p50_us = 2 * US_PER_DAY,
     .exhausts_p90_us = 3 * US_PER_DAY,
     .limit = "nonpaged_limit",
     .process = "a.exe",
     .process_handles = 7},
    {.id = "h-2",
     .name = NULL,
     .bytes = 1,
     .cohort_hosts = 0,
     .score = NAN,
     .rate_bytes_per_hour = NAN,
     .since_us = TIME_UNKNOWN,
     .exhausts_p10_us = TIME_UNKNOWN,
     .exhausts_p50_us = TIME_UNKNOWN,
     .exhausts_p90_us = TIME_UNKNOWN,
     .process_handles = -1},
};
static struct finding_cause causes[] = {
    {.attribute = "driver/x.sys",
     .value = "1.2",
     .and_attribute = "os.build",
     .and_value = "26100.1",
     .affected = 19,
     .affected_with = 19,
     .unaffected = 480,
     .unaffected_with = 2,
     .risk_ratio = 231.5,
     .q_value = 0.001,
     .first_bad = "1.2",
     .last_good = "1.1",
     .first_good = "1.10",
     .changed_hosts = 4,
     .rate_before = 0,
     .rate_after = 5e6},
    {.attribute = "role",
     .value = "a\nb",
     .affected = 19,
     .affected_with = 18,
     .unaffected = 480,
     .risk_ratio = INFINITY,
     .q_value = NAN,
     .rate_before = NAN,
     .rate_after = NAN},
};
static const char *const evidence[] = {"first", "second \\ \"quoted\""};

static struct finding make(void)
{
    return (struct finding){.id = "f-0011223344556677",
                            .kind = FINDING_HANDLE_LEAK,
                            .status = FINDING_OPEN,
                            .severity = SEVERITY_CRITICAL,
                            .confidence = 0.97,
                            .pool = POOL_NONPAGED,
                            .tag = tags[0],
                            .tags = tags,
                            .tag_count = 2,
                            .summary = "a <b> \"c\"",
                            .hosts = hosts,
                            .host_count = 2,
                            .causes = causes,
                            .cause_count = 2,
                            .owner_driver = "wcifs.sys",
                            .owner_source = "builtin",
                            .evidence = evidence,
                            .evidence_count = 2,
                            .first_seen_us = 0,
                            .last_seen_us = US_PER_HOUR};
}

static const json_t *get(const json_t *json, const char *name)
{
    const json_t *value = json_object_get(json, name);
    ck_assert_msg(value != NULL, "%s is missing", name);
    return value;
}

static const char *text(const json_t *json, const char *name)
{
    return json_string_value(get(json, name));
}

START_TEST(finding_json_object_is_the_contracts)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct finding finding = make();

    finding_json_write(&finding, NULL, 20, &out);
    json_t *json = json_loads(out.data, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(json);
    ck_assert_str_eq(text(json, "id"), "f-0011223344556677");
    ck_assert_str_eq(text(json, "kind"), "handle_leak");
    ck_assert_str_eq(text(json, "status"), "open");
    ck_assert_str_eq(text(json, "severity"), "critical");
    ck_assert_str_eq(text(json, "tag"), "WCSc");
    ck_assert_str_eq(json_string_value(json_array_get(get(json, "tags"), 1)), "\\x02ab\\x01");
    ck_assert_int_eq(json_integer_value(get(json, "host_count")), 2);
    const json_t *host = json_array_get(get(json, "hosts"), 0);
    ck_assert_str_eq(text(host, "name"), "FS\"01");
    ck_assert_str_eq(text(get(host, "exhausts_at"), "p50"), "1970-01-03T00:00:00Z");
    ck_assert_double_eq(json_real_value(get(host, "rate_bytes_per_hour")), 40.25);
    const json_t *cause = json_array_get(get(json, "explained_by"), 0);
    ck_assert_int_eq(json_integer_value(get(cause, "unaffected_with")), 2);
    ck_assert_str_eq(text(cause, "and_attribute"), "os.build");
    ck_assert_str_eq(text(cause, "and_value"), "26100.1");
    ck_assert_str_eq(text(cause, "first_bad"), "1.2");
    ck_assert_str_eq(text(cause, "last_good"), "1.1");
    ck_assert_str_eq(text(cause, "first_good"), "1.10");
    ck_assert_int_eq(json_integer_value(get(cause, "changed_hosts")), 4);
    ck_assert_double_eq(json_number_value(get(cause, "rate_before")), 0);
    ck_assert_double_eq(json_number_value(get(cause, "rate_after")), 5e6);
    ck_assert_str_eq(text(get(json, "owner"), "driver"), "wcifs.sys");
    ck_assert(json_is_null(get(get(json, "owner"), "description")));
    ck_assert_str_eq(text(json, "first_seen"), "1970-01-01T00:00:00Z");
    json_decref(json);
}
END_TEST

START_TEST(finding_json_unknown_is_null_never_zero)
{
    static const char *const names[] = {
        "name",        "cohort_bytes", "score",   "rate_bytes_per_hour", "since",
        "exhausts_at", "limit",        "process", "process_handles"};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct finding finding = make();

    finding.owner_driver = finding.owner_source = NULL;
    finding_json_write(&finding, NULL, 20, &out);
    json_t *json = json_loads(out.data, 0, NULL);
    const json_t *host = json_array_get(get(json, "hosts"), 1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        ck_assert_msg(json_is_null(get(host, names[i])), "%s", names[i]);
    ck_assert(json_is_null(get(json, "owner")));
    ck_assert(json_is_null(get(json, "note")));
    ck_assert(json_is_null(get(json, "muted_until")));
    const json_t *cause = json_array_get(get(json, "explained_by"), 1);
    ck_assert(json_is_null(get(cause, "risk_ratio")));
    ck_assert(json_is_null(get(cause, "q_value")));
    static const char *const more[] = {"and_attribute", "and_value",   "first_bad", "last_good",
                                       "first_good",    "rate_before", "rate_after"};
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        ck_assert_msg(json_is_null(get(cause, more[i])), "%s", more[i]);
    ck_assert_int_eq(json_integer_value(get(cause, "changed_hosts")), 0);
    json_decref(json);
}
END_TEST

START_TEST(finding_json_list_cuts_hosts_and_tells_all)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct finding_record record = {.finding = make(),
                                    .host_total = 700,
                                    .note = "n",
                                    .acknowledged_by = "ann",
                                    .muted_until_us = US_PER_DAY,
                                    .opened_at_us = 0,
                                    .resolved_at_us = TIME_UNKNOWN};

    finding_json_write(&record.finding, &record, 1, &out);
    json_t *json = json_loads(out.data, 0, NULL);
    ck_assert_uint_eq(json_array_size(get(json, "hosts")), 1);
    ck_assert_int_eq(json_integer_value(get(json, "host_count")), 700);
    ck_assert_str_eq(text(json, "note"), "n");
    ck_assert_str_eq(text(json, "acknowledged_by"), "ann");
    ck_assert_str_eq(text(json, "muted_until"), "1970-01-02T00:00:00Z");
    ck_assert(json_is_null(get(json, "resolved_at")));
    json_decref(json);
}
END_TEST

START_TEST(finding_json_document_has_as_of_and_findings)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct finding items[] = {make(), make()};
    struct finding_list list = {.items = items, .count = 2};

    findings_json_document(&list, NULL, US_PER_DAY, &out);
    json_t *json = json_loads(out.data, 0, NULL);
    ck_assert_str_eq(text(json, "as_of"), "1970-01-02T00:00:00Z");
    ck_assert_uint_eq(json_array_size(get(json, "findings")), 2);
    json_decref(json);
    strbuf_clear(&out);
    list.count = 0;
    findings_json_document(&list, NULL, US_PER_DAY, &out);
    ck_assert_str_eq(out.data,
                     "{\"as_of\":\"1970-01-02T00:00:00Z\",\"findings\":[],\"faulty_hosts\":[]}");
}
END_TEST

START_TEST(finding_doc_reads_what_it_wrote)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_ARENA struct arena arena = {0};
    struct finding finding = make(), back = {0};

    finding.cause_note = "few hosts";
    finding_doc_write(&finding, &out);
    ck_assert_int_eq(finding_doc_read(out.data, &arena, &back, NULL), ST_OK);
    ck_assert_str_eq(back.owner_driver, "wcifs.sys");
    ck_assert_ptr_null(back.owner_description);
    ck_assert_str_eq(back.cause_note, "few hosts");
    ck_assert_uint_eq(back.cause_count, 2);
    ck_assert_str_eq(back.causes[1].value, "a\nb");
    ck_assert_uint_eq(back.causes[0].unaffected, 480);
    ck_assert_double_eq(back.causes[0].risk_ratio, 231.5);
    ck_assert(isnan(back.causes[1].q_value));
    ck_assert_str_eq(back.causes[0].and_attribute, "os.build");
    ck_assert_str_eq(back.causes[0].and_value, "26100.1");
    ck_assert_str_eq(back.causes[0].first_bad, "1.2");
    ck_assert_str_eq(back.causes[0].last_good, "1.1");
    ck_assert_str_eq(back.causes[0].first_good, "1.10");
    ck_assert_uint_eq(back.causes[0].changed_hosts, 4);
    ck_assert_double_eq(back.causes[0].rate_before, 0);
    ck_assert_double_eq(back.causes[0].rate_after, 5e6);
    ck_assert_ptr_null(back.causes[1].and_attribute);
    ck_assert_uint_eq(back.causes[1].changed_hosts, 0);
    ck_assert(isnan(back.causes[1].rate_before));
    ck_assert_uint_eq(back.evidence_count, 2);
    ck_assert_str_eq(back.evidence[1], evidence[1]);
    ck_assert_int_eq(finding_doc_read("[]", &arena, &back, NULL), ST_BUG);
}
END_TEST

START_TEST(finding_json_names_known_leaks_with_fit_and_null_where_nothing_is_said)
{
    AUTO_KNOWN struct known_list known = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct finding finding = make();
    struct err err;
    static const char entry[] =
        "{\"id\":\"w\",\"title\":\"a \\\"b\\\"\",\"driver\":\"x.sys\",\"tags\":[\"WCSc\"],"
        "\"advice\":\"Do.\",\"source\":\"KB1\",\"confidence\":\"reported\"}";
    ck_assert_int_eq(known_add_entry(&known, entry, strlen(entry), NULL, true, &err), ST_OK);
    finding_json_begin(&finding, NULL, 20, &out);
    finding_json_known(&finding, &known, &out);
    strbuf_putc(&out, '}');
    json_t *json = json_loadb(out.data, out.length, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(json);
    const json_t *first = json_array_get(get(json, "known_leaks"), 0);
    ck_assert_str_eq(text(first, "id"), "w");
    ck_assert_str_eq(text(first, "title"), "a \"b\"");
    ck_assert_str_eq(text(first, "fit"), "tags only");
    ck_assert(json_is_null(get(first, "says")));
    ck_assert_uint_eq(json_array_size(get(json, "known_leaks")), 1);
    json_decref(json);
}
END_TEST

Suite *finding_json_suite(void)
{
    Suite *suite = suite_create("finding_json");
    TCase *tc = tcase_create("finding_json");

    tcase_add_test(tc, finding_json_names_known_leaks_with_fit_and_null_where_nothing_is_said);
    tcase_add_test(tc, finding_json_object_is_the_contracts);
    tcase_add_test(tc, finding_json_unknown_is_null_never_zero);
    tcase_add_test(tc, finding_json_list_cuts_hosts_and_tells_all);
    tcase_add_test(tc, finding_json_document_has_as_of_and_findings);
    tcase_add_test(tc, finding_doc_reads_what_it_wrote);
    suite_add_tcase(suite, tc);
    return suite;
}
