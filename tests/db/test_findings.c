/* SPDX-License-Identifier: Apache-2.0 */
/* The life of findings over several passes, and what people do in between. */
#include "server/store/store_findings.h"
#include "tests/support/pg.h"

#include <check.h>
#include <math.h>
#include <string.h>

Suite *findings_suite(void);

static struct pg pg;
static struct db *db;

static void setup(void)
{
    pg_setup(&pg);
    pg_sql(&pg, "INSERT INTO host (id, name, first_seen_at, last_seen_at, received_at)"
                " VALUES ('h1', 'ONE', '2026-01-01', '2026-01-02', '2026-01-02'),"
                " ('h2', NULL, '2026-01-01', '2026-01-02', '2026-01-02')");
    ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, NULL), ST_OK);
}

static void teardown(void)
{
    db_release(db);
    pg_teardown(&pg);
}

#define T0 (20500 * US_PER_DAY) /* 2026-02-16 */

static uint32_t tags[] = {0x61616161, 0x62626262};
static struct finding_host hosts[] = {
    {.id = "h1",
     .bytes = 500,
     .cohort_bytes = 5,
     .cohort_hosts = 7,
     .score = 12,
     .rate_bytes_per_hour = 2.5,
     .since_us = T0,
     .exhausts_p10_us = T0,
     .exhausts_p50_us = T0 + 1,
     .exhausts_p90_us = T0 + 2,
     .limit = "commit",
     .process = "a.exe",
     .process_handles = 9},
    {.id = "h2",
     .bytes = 3,
     .score = NAN,
     .rate_bytes_per_hour = NAN,
     .since_us = TIME_UNKNOWN,
     .exhausts_p10_us = TIME_UNKNOWN,
     .exhausts_p50_us = TIME_UNKNOWN,
     .exhausts_p90_us = TIME_UNKNOWN,
     .process_handles = -1},
};

static struct finding make(const char *id, enum finding_severity severity)
{
    struct finding finding = {.kind = FINDING_LEAK,
                              .severity = severity,
                              .confidence = 0.5,
                              .pool = POOL_PAGED,
                              .tag = tags[0],
                              .tags = tags,
                              .tag_count = 2,
                              .summary = "it's \"s\"",
                              .hosts = hosts,
                              .host_count = 2,
                              .first_seen_us = T0,
                              .last_seen_us = T0 + US_PER_HOUR};
    snprintf(finding.id, sizeof finding.id, "%s", id);
    return finding;
}

static void apply(int64_t as_of, struct finding *items, size_t count)
{
    struct finding_list list = {.items = items, .count = count};
    struct err err = {0};
    ck_assert_msg(store_findings_apply(db, &list, as_of, &err) == ST_OK, "%s", err.message);
}

static void patch(const char *id, enum finding_status status)
{
    struct finding_patch change = {.actor = "ann",
                                   .now_us = T0,
                                   .version = FINDING_VERSION_ANY,
                                   .has_status = true,
                                   .status = status,
                                   .muted_until_us = TIME_UNKNOWN};
    ck_assert_int_eq(store_findings_patch(db, id, &change, NULL), ST_OK);
}

static enum finding_status status_of(const char *id)
{
    AUTO_FINDING_RECORDS struct finding_records records = {0};
    ck_assert_int_eq(store_findings_get(db, id, &records, NULL), ST_OK);
    return records.items[0].finding.status;
}

static size_t history(const char *id, const char *ret_last)
{
    AUTO_ARENA struct arena arena = {0};
    struct finding_change *changes = NULL;
    size_t count = 0;

    ck_assert_int_eq(store_findings_history(db, id, &arena, &changes, &count, NULL), ST_OK);
    ck_assert_uint_gt(count, 0);
    ck_assert_str_eq(changes[count - 1].change, ret_last);
    return count;
}

START_TEST(findings_pass_is_read_back_whole)
{
    AUTO_FINDING_RECORDS struct finding_records records = {0};
    struct finding items[] = {make("f-1", SEVERITY_WARNING)};

    apply(T0 + US_PER_DAY, items, 1);
    ck_assert_int_eq(store_findings_get(db, "f-1", &records, NULL), ST_OK);
    const struct finding_record *record = &records.items[0];
    const struct finding *finding = &record->finding;
    ck_assert_int_eq(finding->status, FINDING_OPEN);
    ck_assert_int_eq(finding->severity, SEVERITY_WARNING);
    ck_assert_str_eq(finding->summary, "it's \"s\"");
    ck_assert_uint_eq(finding->tag_count, 2);
    ck_assert_uint_eq(finding->tags[1], tags[1]);
    ck_assert_uint_eq(record->host_total, 2);
    ck_assert_uint_eq(finding->host_count, 2);
    ck_assert_str_eq(finding->hosts[0].id, "h1");
    ck_assert_str_eq(finding->hosts[0].name, "ONE");
    ck_assert_uint_eq(finding->hosts[0].bytes, 500);
    ck_assert_double_eq(finding->hosts[0].rate_bytes_per_hour, 2.5);
    ck_assert_int_eq(finding->hosts[0].exhausts_p90_us, T0 + 2);
    ck_assert_str_eq(finding->hosts[0].limit, "commit");
    ck_assert_int_eq(finding->hosts[0].process_handles, 9);
    ck_assert_ptr_null(finding->hosts[1].name);
    ck_assert(isnan(finding->hosts[1].score));
    ck_assert(finding->hosts[1].since_us == TIME_UNKNOWN);
    ck_assert_int_eq(finding->hosts[1].process_handles, -1);
    ck_assert_int_eq(record->opened_at_us, T0 + US_PER_DAY);
    ck_assert_int_eq(record->version, 1);
    ck_assert_uint_eq(history("f-1", "opened"), 1);
}
END_TEST

START_TEST(findings_life_cycle_over_passes)
{
    struct finding one[] = {make("f-1", SEVERITY_WARNING)};
    int64_t at = T0;

    apply(at += US_PER_HOUR, one, 1);
    apply(at += US_PER_HOUR, one, 1);
    ck_assert_uint_eq(history("f-1", "opened"), 1); /* seen again: no news */
    one[0].severity = SEVERITY_CRITICAL;
    apply(at += US_PER_HOUR, one, 1);
    ck_assert_uint_eq(history("f-1", "severity"), 2);
    patch("f-1", FINDING_ACKNOWLEDGED);
    apply(at += US_PER_HOUR, one, 1);
    ck_assert_int_eq(status_of("f-1"), FINDING_ACKNOWLEDGED);
    apply(at += US_PER_HOUR, NULL, 0);
    ck_assert_int_eq(status_of("f-1"), FINDING_RESOLVED);
    history("f-1", "resolved");
    apply(at += US_PER_HOUR, one, 1);
    ck_assert_int_eq(status_of("f-1"), FINDING_OPEN);
    history("f-1", "reopened");
}
END_TEST

START_TEST(findings_muted_stay_muted_until_their_time)
{
    struct finding one[] = {make("f-1", SEVERITY_WARNING)};
    struct finding_patch change = {.actor = "ann",
                                   .now_us = T0,
                                   .version = FINDING_VERSION_ANY,
                                   .has_status = true,
                                   .status = FINDING_MUTED,
                                   .muted_until_us = clock_wall_us() + US_PER_DAY};

    apply(T0, one, 1);
    ck_assert_int_eq(store_findings_patch(db, "f-1", &change, NULL), ST_OK);
    apply(T0 + US_PER_HOUR, one, 1);
    ck_assert_int_eq(status_of("f-1"), FINDING_MUTED);
    apply(T0 + 2 * US_PER_HOUR, NULL, 0);
    ck_assert_int_eq(status_of("f-1"), FINDING_MUTED);
    change.muted_until_us = clock_wall_us() - US_PER_SECOND;
    ck_assert_int_eq(store_findings_patch(db, "f-1", &change, NULL), ST_OK);
    apply(T0 + 3 * US_PER_HOUR, one, 1);
    ck_assert_int_eq(status_of("f-1"), FINDING_OPEN);
    history("f-1", "unmuted");
}
END_TEST

START_TEST(findings_resolved_by_a_person_hold_for_a_day)
{
    struct finding one[] = {make("f-1", SEVERITY_WARNING)};

    apply(T0 - US_PER_HOUR, one, 1);
    patch("f-1", FINDING_RESOLVED); /* at T0 */
    apply(T0 + US_PER_HOUR, one, 1);
    ck_assert_int_eq(status_of("f-1"), FINDING_RESOLVED);
    apply(T0 + US_PER_DAY, one, 1);
    ck_assert_int_eq(status_of("f-1"), FINDING_OPEN);
}
END_TEST

START_TEST(findings_patch_of_an_old_version_is_a_conflict)
{
    struct finding one[] = {make("f-1", SEVERITY_WARNING)};
    struct finding_patch change = {.actor = "ann",
                                   .now_us = T0,
                                   .version = 1,
                                   .has_note = true,
                                   .note = "n",
                                   .muted_until_us = TIME_UNKNOWN};
    AUTO_FINDING_RECORDS struct finding_records records = {0};

    apply(T0, one, 1);
    apply(T0 + 1, one, 1); /* a pass is no change by a person */
    ck_assert_int_eq(store_findings_patch(db, "f-1", &change, NULL), ST_OK);
    ck_assert_int_eq(store_findings_patch(db, "f-1", &change, NULL), ST_CONFLICT);
    ck_assert_int_eq(store_findings_patch(db, "f-2", &change, NULL), ST_NOT_FOUND);
    ck_assert_int_eq(store_findings_get(db, "f-1", &records, NULL), ST_OK);
    ck_assert_str_eq(records.items[0].note, "n");
    ck_assert_int_eq(records.items[0].version, 2);
}
END_TEST

static const struct {
    struct finding_filter filter;
    size_t count;
} filters[] = {
    {{0}, 2},
    {{.statuses = 1u << FINDING_OPEN}, 1},
    {{.statuses = 1u << FINDING_OPEN | 1u << FINDING_ACKNOWLEDGED}, 2},
    {{.statuses = 1u << FINDING_MUTED}, 0},
    {{.severities = 1u << SEVERITY_CRITICAL}, 1},
    {{.kinds = 1u << FINDING_SHIFT}, 0},
    {{.tag = "bbbb"}, 2},
    {{.tag = "cccc"}, 0},
    {{.host_id = "h2"}, 2},
    {{.host_id = "h3"}, 0},
};

START_TEST(findings_list_filters)
{
    struct finding two[] = {make("f-1", SEVERITY_WARNING), make("f-2", SEVERITY_CRITICAL)};
    AUTO_FINDING_RECORDS struct finding_records records = {0};
    struct finding_filter filter = filters[_i].filter;

    apply(T0, two, 2);
    patch("f-2", FINDING_ACKNOWLEDGED);
    filter.hosts_max = 1;
    ck_assert_int_eq(store_findings_list(db, &filter, &records, NULL), ST_OK);
    ck_assert_uint_eq(records.count, filters[_i].count);
    for (size_t i = 0; i < records.count; i++) {
        ck_assert_uint_eq(records.items[i].finding.host_count, 1);
        ck_assert_uint_eq(records.items[i].host_total, 2);
    }
}
END_TEST

START_TEST(findings_counts_per_host_and_over_all)
{
    struct finding two[] = {make("f-1", SEVERITY_WARNING), make("f-2", SEVERITY_CRITICAL)};
    AUTO_FINDING_HOST_COUNTS struct finding_host_counts counts = {0};
    struct finding_summary summary;

    two[1].host_count = 1;
    apply(T0, two, 2);
    ck_assert_int_eq(store_findings_hosts(db, &counts, NULL), ST_OK);
    ck_assert_uint_eq(counts.count, 2);
    ck_assert_str_eq(counts.items[0].host_id, "h1");
    ck_assert_int_eq(counts.items[0].findings, 2);
    ck_assert_int_eq(counts.items[0].worst, SEVERITY_CRITICAL);
    ck_assert_int_eq(counts.items[1].findings, 1);
    ck_assert_int_eq(counts.items[1].worst, SEVERITY_WARNING);
    ck_assert_int_eq(store_findings_summary(db, T0, &summary, NULL), ST_OK);
    ck_assert_int_eq(summary.open, 2);
    ck_assert_int_eq(summary.by_severity[SEVERITY_CRITICAL], 1);
    ck_assert_int_eq(summary.new_since, 2);
    ck_assert_int_eq(summary.hosts, 2);
}
END_TEST

/* What stands in the outbox for the target of this name: events in order, with blanks. */
static int deliveries(const char *target, const char *events)
{
    char sql[512];
    snprintf(sql, sizeof sql,
             "SELECT 1 / (coalesce((SELECT string_agg(event, ' ' ORDER BY delivery_id) FROM"
             " notify_delivery JOIN notification USING (notification_id) JOIN notify_target t"
             " USING (target_id) WHERE t.name = '%s'), '') = '%s')::integer",
             target, events);
    pg_sql(&pg, sql); /* aborts when it divides by zero */
    return 1;
}

static void add_target(const char *name, const char *severity, const char *more)
{
    char sql[512];
    snprintf(sql, sizeof sql,
             "INSERT INTO notify_target (name, kind, address, min_severity, kinds, attribute,"
             " attribute_value, enabled, created_at, updated_at) VALUES ('%s', 'slack',"
             " 'https://x/', '%s', %s, now(), now())",
             name, severity, more);
    pg_sql(&pg, sql);
}

START_TEST(findings_changes_stand_in_the_outbox)
{
    struct finding low[] = {make("f-1", SEVERITY_WARNING)};
    struct finding high[] = {make("f-1", SEVERITY_CRITICAL)};

    add_target("all", "info", "NULL, NULL, NULL, true");
    add_target("critical", "critical", "NULL, NULL, NULL, true");
    add_target("shift", "info", "'{shift}', NULL, NULL, true");
    add_target("role", "info", "NULL, 'role', 'fs', true");
    add_target("other role", "info", "NULL, 'role', 'web', true");
    add_target("off", "info", "NULL, NULL, NULL, false");
    pg_sql(&pg, "INSERT INTO host_attribute (host_id, name, value, valid_from) SELECT host_id,"
                " 'role', 'fs', '2026-01-01' FROM host WHERE id = 'h2'");
    apply(T0, low, 1);
    apply(T0 + 1, low, 1); /* nothing new */
    ck_assert(deliveries("all", "opened") && deliveries("critical", ""));
    apply(T0 + 2, high, 1);
    ck_assert(deliveries("all", "opened severity") && deliveries("critical", "severity"));
    apply(T0 + 3, low, 1); /* who was told that it is critical hears that it is not any more */
    ck_assert(deliveries("critical", "severity severity"));
    apply(T0 + 4, NULL, 0);
    apply(T0 + 5, NULL, 0);
    ck_assert(deliveries("all", "opened severity severity resolved"));
    ck_assert(deliveries("critical", "severity severity resolved"));
    apply(T0 + 6, low, 1);
    ck_assert(deliveries("all", "opened severity severity resolved reopened"));
    ck_assert(deliveries("critical", "severity severity resolved"));
    ck_assert(deliveries("role", "opened severity severity resolved reopened"));
    ck_assert(deliveries("shift", "") && deliveries("other role", "") && deliveries("off", ""));
}
END_TEST

START_TEST(findings_muted_are_quiet_until_somebody_takes_it_back)
{
    struct finding low[] = {make("f-1", SEVERITY_WARNING)};
    struct finding high[] = {make("f-1", SEVERITY_CRITICAL)};

    add_target("all", "info", "NULL, NULL, NULL, true");
    apply(T0, low, 1);
    patch("f-1", FINDING_MUTED);
    apply(T0 + 1, high, 1);
    ck_assert(deliveries("all", "opened"));
    patch("f-1", FINDING_OPEN);
    patch("f-1", FINDING_ACKNOWLEDGED);
    patch("f-1", FINDING_OPEN);
    ck_assert(deliveries("all", "opened reopened"));
    patch("f-1", FINDING_RESOLVED);
    patch("f-1", FINDING_RESOLVED);
    ck_assert(deliveries("all", "opened reopened resolved"));
}
END_TEST

START_TEST(findings_change_that_is_taken_back_tells_nobody)
{
    struct finding bad[] = {make("f-1", SEVERITY_WARNING), make("f-2", SEVERITY_WARNING)};

    add_target("all", "info", "NULL, NULL, NULL, true");
    bad[1].confidence = 7; /* breaks a CHECK of the second row */
    struct finding_list list = {.items = bad, .count = 2};
    ck_assert_int_ne(store_findings_apply(db, &list, T0, NULL), ST_OK);
    ck_assert(deliveries("all", ""));
}
END_TEST

Suite *findings_suite(void)
{
    Suite *suite = suite_create("findings");
    TCase *tc = tcase_create("findings");

    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, findings_pass_is_read_back_whole);
    tcase_add_test(tc, findings_life_cycle_over_passes);
    tcase_add_test(tc, findings_muted_stay_muted_until_their_time);
    tcase_add_test(tc, findings_resolved_by_a_person_hold_for_a_day);
    tcase_add_test(tc, findings_patch_of_an_old_version_is_a_conflict);
    tcase_add_loop_test(tc, findings_list_filters, 0, sizeof filters / sizeof filters[0]);
    tcase_add_test(tc, findings_counts_per_host_and_over_all);
    tcase_add_test(tc, findings_changes_stand_in_the_outbox);
    tcase_add_test(tc, findings_muted_are_quiet_until_somebody_takes_it_back);
    tcase_add_test(tc, findings_change_that_is_taken_back_tells_nobody);
    suite_add_tcase(suite, tc);
    return suite;
}
