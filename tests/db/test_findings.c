/* SPDX-License-Identifier: Apache-2.0 */
/* The life of findings over several passes, and what people do in between. */
#include "server/store/store_faults.h"
#include "server/store/store_findings.h"
#include "server/store/store_mutes.h"
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

static struct finding_cause causes[] = {{.attribute = "driver/x.sys",
                                         .value = "1.2",
                                         .affected = 2,
                                         .affected_with = 2,
                                         .unaffected = 8,
                                         .risk_ratio = 9,
                                         .q_value = 0.01}};

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
    {{.driver = "A.sys"}, 2},
    {{.driver = "b.sys"}, 2},
    {{.driver = "x.SYS"}, 2},
    {{.driver = "y.sys"}, 0},
    {{.driver = "a.sys or b.sys"}, 0},
};

START_TEST(findings_list_filters)
{
    struct finding two[] = {make("f-1", SEVERITY_WARNING), make("f-2", SEVERITY_CRITICAL)};
    AUTO_FINDING_RECORDS struct finding_records records = {0};
    struct finding_filter filter = filters[_i].filter;

    two[0].owner_driver = two[1].owner_driver = "a.sys or b.sys";
    two[0].causes = two[1].causes = causes;
    two[0].cause_count = two[1].cause_count = 1;
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

/* ---- mutes ------------------------------------------------------------------ */

static const uint32_t both_tags[] = {0x61616161, 0x62626262};
static const char *const first_host[] = {"h1"};
static const char *const both_hosts[] = {"h2", "h1"}; /* sorted by the store */

static int64_t mute(struct mute mute)
{
    struct err err = {0};
    int64_t id = 0;

    mute.created_by = "ann";
    mute.reason = mute.reason == NULL ? "because" : mute.reason;
    mute.until_us = mute.until_us == 0 ? TIME_UNKNOWN : mute.until_us;
    ck_assert_msg(store_mutes_create(db, &mute, NULL, clock_wall_us(), &id, &err) == ST_OK, "%s",
                  err.message);
    return id;
}

static enum status end_mute(int64_t id, int64_t version)
{
    const struct mute_change change = {.id = id,
                                       .version = version,
                                       .now_us = clock_wall_us(),
                                       .actor = "bob",
                                       .until_us = TIME_UNKNOWN,
                                       .ends = true};
    return store_mutes_change(db, &change, NULL);
}

static void load(const char *id, struct finding_records *records)
{
    ck_assert_int_eq(store_findings_get(db, id, records, NULL), ST_OK);
}

START_TEST(mute_of_all_tags_silences_what_stands_and_what_comes)
{
    struct finding two[] = {make("f-1", SEVERITY_WARNING), make("f-2", SEVERITY_WARNING)};
    AUTO_FINDING_RECORDS struct finding_records records = {0};

    add_target("all", "info", "NULL, NULL, NULL, true");
    apply(T0, two, 1);
    int64_t id = mute((struct mute){.tags = both_tags, .tag_count = 2});
    ck_assert_int_eq(status_of("f-1"), FINDING_MUTED);
    ck_assert_uint_eq(history("f-1", "muted"), 2);
    apply(T0 + 1, two, 2);
    ck_assert_int_eq(status_of("f-2"), FINDING_MUTED);
    ck_assert_uint_eq(history("f-2", "born muted"), 1);
    ck_assert(deliveries("all", "opened"));
    load("f-2", &records);
    ck_assert(records.items[0].born_muted);
    ck_assert_int_eq(records.items[0].muted_by, id);
    ck_assert_int_eq(records.items[0].host_lives[1].muted_by, id);
    ck_assert_uint_eq(records.items[0].muted_hosts, 2);

    AUTO_MUTES struct mutes mutes = {0};
    ck_assert_int_eq(store_mutes_list(db, &mutes, NULL), ST_OK);
    ck_assert_uint_eq(mutes.count, 1);
    ck_assert_int_eq(mutes.items[0].findings, 2);
    ck_assert_int_eq(mutes.items[0].host_total, 2);
    ck_assert_int_eq(end_mute(id, mutes.items[0].version), ST_OK);
    ck_assert_int_eq(status_of("f-1"), FINDING_OPEN);
    ck_assert_int_eq(status_of("f-2"), FINDING_OPEN);
    history("f-2", "unmuted");
    ck_assert(deliveries("all", "opened reopened opened")); /* of f-2 for the first time */
    ck_assert_int_eq(end_mute(id, FINDING_VERSION_ANY), ST_INVALID);
}
END_TEST

START_TEST(mute_of_one_host_leaves_the_finding_open_and_names_the_host)
{
    struct finding one[] = {make("f-1", SEVERITY_WARNING)};
    AUTO_FINDING_RECORDS struct finding_records records = {0};

    int64_t id = mute((struct mute){.hosts = first_host, .host_count = 1});
    apply(T0, one, 1);
    load("f-1", &records);
    ck_assert_int_eq(records.items[0].finding.status, FINDING_OPEN);
    ck_assert(!records.items[0].born_muted);
    ck_assert_uint_eq(records.items[0].muted_hosts, 1);
    ck_assert_int_eq(records.items[0].host_lives[0].muted_by, id);
    ck_assert_int_eq(records.items[0].host_lives[1].muted_by, 0);
    one[0].host_count = 1; /* the host outside is well again */
    apply(T0 + 1, one, 1);
    ck_assert_int_eq(status_of("f-1"), FINDING_MUTED);
    one[0].host_count = 2;
    apply(T0 + 2, one, 1);
    ck_assert_int_eq(status_of("f-1"), FINDING_OPEN);
    history("f-1", "unmuted");
}
END_TEST

START_TEST(mute_by_driver_version_takes_the_hosts_that_have_it)
{
    struct finding one[] = {make("f-1", SEVERITY_WARNING)};

    one[0].owner_driver = "a.sys or x.sys";
    pg_sql(&pg, "INSERT INTO host_driver (host_id, name, version, tags, valid_from)"
                " SELECT host_id, 'X.sys', '1.2', '{}', '2026-01-01' FROM host WHERE id = 'h1'");
    apply(T0, one, 1);
    mute((struct mute){.driver = "x.sys", .driver_version = "1.2"});
    ck_assert_int_eq(status_of("f-1"), FINDING_OPEN); /* h2 has another */
    mute((struct mute){.driver = "y.sys"});
    ck_assert_int_eq(status_of("f-1"), FINDING_OPEN); /* of another driver */
    pg_sql(&pg, "INSERT INTO host_driver (host_id, name, version, tags, valid_from)"
                " SELECT host_id, 'x.sys', '1.2', '{}', '2026-01-01' FROM host WHERE id = 'h2'");
    apply(T0 + 1, one, 1);
    ck_assert_int_eq(status_of("f-1"), FINDING_MUTED);
}
END_TEST

START_TEST(mute_ends_at_its_time_and_says_so)
{
    struct finding one[] = {make("f-1", SEVERITY_WARNING)};
    AUTO_MUTES struct mutes mutes = {0};
    int64_t until = clock_wall_us() + US_PER_HOUR;

    apply(T0, one, 1);
    mute((struct mute){.hosts = both_hosts, .host_count = 2, .until_us = until});
    ck_assert_int_eq(status_of("f-1"), FINDING_MUTED);
    ck_assert_int_eq(store_mutes_expire(db, until - 1, NULL), ST_OK);
    ck_assert_int_eq(status_of("f-1"), FINDING_MUTED);
    ck_assert_int_eq(store_mutes_expire(db, until, NULL), ST_OK);
    ck_assert_int_eq(status_of("f-1"), FINDING_OPEN);
    history("f-1", "unmuted");
    ck_assert_int_eq(store_mutes_list(db, &mutes, NULL), ST_OK);
    ck_assert_int_eq(mutes.items[0].ended_at_us, until);
    ck_assert_str_eq(mutes.items[0].ended_by, "its time");
}
END_TEST

START_TEST(mute_that_another_changed_is_a_conflict)
{
    int64_t id = mute((struct mute){.driver = "x.sys"});
    struct mute_change change = {.id = id,
                                 .version = 1,
                                 .now_us = clock_wall_us(),
                                 .actor = "bob",
                                 .until_us = TIME_UNKNOWN,
                                 .reason = "other"};
    AUTO_MUTES struct mutes mutes = {0};

    ck_assert_int_eq(store_mutes_change(db, &change, NULL), ST_OK);
    ck_assert_int_eq(store_mutes_change(db, &change, NULL), ST_CONFLICT);
    ck_assert_int_eq(end_mute(id, 1), ST_CONFLICT);
    ck_assert_int_eq(end_mute(id + 1, 1), ST_NOT_FOUND);
    ck_assert_int_eq(store_mutes_get(db, id, &mutes, NULL), ST_OK);
    ck_assert_str_eq(mutes.items[0].reason, "other");
    ck_assert_int_eq(mutes.items[0].version, 2);
    ck_assert_int_eq(end_mute(id, 2), ST_OK);
}
END_TEST

START_TEST(mute_of_an_unknown_finding_is_refused)
{
    const struct mute lost = {
        .finding_id = "f-none", .until_us = TIME_UNKNOWN, .reason = "r", .created_by = "ann"};
    struct err err = {0};
    int64_t id = 0;

    ck_assert_int_eq(store_mutes_create(db, &lost, NULL, T0, &id, &err), ST_INVALID);
    ck_assert_str_eq(err.field, "finding");
}
END_TEST

START_TEST(finding_under_a_wider_mute_cannot_be_opened_by_itself)
{
    struct finding one[] = {make("f-1", SEVERITY_WARNING)};
    struct finding_patch open = {.actor = "ann",
                                 .now_us = clock_wall_us(),
                                 .version = FINDING_VERSION_ANY,
                                 .has_status = true,
                                 .status = FINDING_OPEN,
                                 .muted_until_us = TIME_UNKNOWN};
    struct err err = {0};

    apply(T0, one, 1);
    patch("f-1", FINDING_MUTED);
    int64_t wide = mute((struct mute){.tags = both_tags, .tag_count = 2});
    ck_assert_int_eq(store_findings_patch(db, "f-1", &open, &err), ST_INVALID);
    ck_assert_str_eq(err.field, "status");
    ck_assert_int_eq(status_of("f-1"), FINDING_MUTED);
    ck_assert_int_eq(end_mute(wide, FINDING_VERSION_ANY), ST_OK);
    ck_assert_int_eq(status_of("f-1"), FINDING_MUTED); /* by its own mute */
    ck_assert_int_eq(store_findings_patch(db, "f-1", &open, NULL), ST_OK);
    ck_assert_int_eq(status_of("f-1"), FINDING_OPEN);
}
END_TEST

START_TEST(muted_finding_that_goes_is_resolved_and_comes_back_muted)
{
    struct finding one[] = {make("f-1", SEVERITY_WARNING)};
    AUTO_FINDING_RECORDS struct finding_records records = {0};

    add_target("all", "info", "NULL, NULL, NULL, true");
    mute((struct mute){.tags = both_tags, .tag_count = 2});
    apply(T0, one, 1);
    apply(T0 + 1, NULL, 0);
    ck_assert_int_eq(status_of("f-1"), FINDING_RESOLVED);
    apply(T0 + 2, one, 1);
    ck_assert_int_eq(status_of("f-1"), FINDING_MUTED);
    history("f-1", "reopened, muted");
    load("f-1", &records);
    ck_assert_int_eq(records.items[0].reopened_at_us, T0 + 2);
    ck_assert_int_eq(records.items[0].reopened_count, 1);
    ck_assert(deliveries("all", ""));
}
END_TEST

START_TEST(finding_steps_are_checked)
{
    struct finding one[] = {make("f-1", SEVERITY_WARNING)};
    struct finding_patch change = {.actor = "ann",
                                   .now_us = T0,
                                   .version = FINDING_VERSION_ANY,
                                   .has_status = true,
                                   .muted_until_us = TIME_UNKNOWN};
    AUTO_FINDING_RECORDS struct finding_records records = {0};

    apply(T0, one, 1);
    patch("f-1", FINDING_RESOLVED);
    change.status = FINDING_ACKNOWLEDGED;
    ck_assert_int_eq(store_findings_patch(db, "f-1", &change, NULL), ST_INVALID);
    change.status = FINDING_MUTED;
    ck_assert_int_eq(store_findings_patch(db, "f-1", &change, NULL), ST_INVALID);
    history("f-1", "resolved");
    patch("f-1", FINDING_OPEN);
    history("f-1", "reopened");
    load("f-1", &records);
    ck_assert_int_eq(records.items[0].reopened_count, 1);
    ck_assert_int_eq(records.items[0].reopened_at_us, T0);
}
END_TEST

START_TEST(finding_remembers_every_host_with_its_number)
{
    struct finding one[] = {make("f-1", SEVERITY_WARNING)};
    AUTO_FINDING_RECORDS struct finding_records records = {0};

    one[0].hosts = hosts + 1; /* h2 first */
    one[0].host_count = 1;
    apply(T0, one, 1);
    one[0].hosts = hosts;
    one[0].host_count = 2;
    apply(T0 + 1, one, 1);
    load("f-1", &records);
    ck_assert_int_eq(records.items[0].host_lives[0].number, 2); /* h1 */
    ck_assert_int_eq(records.items[0].host_lives[1].number, 1);
    apply(T0 + 2, NULL, 0);
    pg_sql(&pg, "SELECT 1 / (count(*) = 2)::integer FROM finding_host_ever");
}
END_TEST

static void keep_faults(struct finding_fault *faults, size_t count, int64_t as_of_us,
                        struct store_faults *ret_faults)
{
    struct finding_list list = {.faults = faults, .fault_count = count};
    struct err err = {0};
    ck_assert_msg(store_faults_apply(db, &list, as_of_us, &err) == ST_OK, "%s", err.message);
    ck_assert_msg(store_faults_list(db, ret_faults, &err) == ST_OK, "%s", err.message);
}

START_TEST(faults_are_those_of_the_newest_pass_and_keep_when_they_began)
{
    struct finding_fault both[] = {{"h1", "ONE", "boot_after_snapshot", "x"},
                                   {"h2", NULL, "paged_beyond_commit", "y"}};
    struct finding_fault other = {"h2", NULL, "nonpaged_beyond_memory", "z"};
    struct finding_fault gone = {"nobody", NULL, "boot_after_snapshot", "x"};
    struct store_faults faults;
    keep_faults(both, 2, T0, &faults);
    ck_assert_uint_eq(faults.count, 2);
    ck_assert_str_eq(store_fault_of(&faults, "h1")->code, "boot_after_snapshot");
    ck_assert(store_fault_of(&faults, "h3") == NULL);
    store_faults_done(&faults);
    keep_faults(&other, 1, T0 + US_PER_HOUR, &faults); /* h1 is well again, h2 in another way */
    ck_assert_uint_eq(faults.count, 1);
    ck_assert_str_eq(faults.items[0].code, "nonpaged_beyond_memory");
    ck_assert_int_eq(faults.items[0].since_us, T0);
    store_faults_done(&faults);
    keep_faults(both, 1, T0 + 2 * US_PER_HOUR, &faults); /* begins anew */
    ck_assert_uint_eq(faults.count, 1);
    ck_assert_int_eq(faults.items[0].since_us, T0 + 2 * US_PER_HOUR);
    store_faults_done(&faults);
    keep_faults(&gone, 1, T0, &faults); /* a host that was taken away meanwhile */
    ck_assert_uint_eq(faults.count, 0);
    ck_assert(store_fault_of(&faults, "h1") == NULL);
    store_faults_done(&faults);
}
END_TEST

Suite *findings_suite(void)
{
    Suite *suite = suite_create("findings");
    TCase *tc = tcase_create("findings");

    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, faults_are_those_of_the_newest_pass_and_keep_when_they_began);
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
    tcase_add_test(tc, mute_of_all_tags_silences_what_stands_and_what_comes);
    tcase_add_test(tc, mute_of_one_host_leaves_the_finding_open_and_names_the_host);
    tcase_add_test(tc, mute_by_driver_version_takes_the_hosts_that_have_it);
    tcase_add_test(tc, mute_ends_at_its_time_and_says_so);
    tcase_add_test(tc, mute_that_another_changed_is_a_conflict);
    tcase_add_test(tc, mute_of_an_unknown_finding_is_refused);
    tcase_add_test(tc, finding_under_a_wider_mute_cannot_be_opened_by_itself);
    tcase_add_test(tc, muted_finding_that_goes_is_resolved_and_comes_back_muted);
    tcase_add_test(tc, finding_steps_are_checked);
    tcase_add_test(tc, finding_remembers_every_host_with_its_number);
    suite_add_tcase(suite, tc);
    return suite;
}
