/* SPDX-License-Identifier: Apache-2.0 */
#include "server/report/report.h"

#include <check.h>
#include <math.h>
#include <string.h>

Suite *report_suite(void);

static uint32_t tags[] = {0x61616161};
static const struct report_tag tag_rows[] = {{0x61616161, "x|y.sys", "<script>alert(1)</script>"}};
static struct finding_host hosts[] = {
    {.id = "id-1",
     .name = "FS01",
     .bytes = 3u << 20,
     .cohort_bytes = 1u << 20,
     .cohort_hosts = 9,
     .score = 12.5,
     .rate_bytes_per_hour = 2048,
     .since_us = 0,
     .exhausts_p10_us = TIME_UNKNOWN,
     .exhausts_p50_us = US_PER_DAY,
     .exhausts_p90_us = TIME_UNKNOWN,
     .process = "Secret App.exe",
     .process_handles = 70000},
    {.id = "id-2",
     .name = "FS0",
     .bytes = 1,
     .score = NAN,
     .rate_bytes_per_hour = NAN,
     .since_us = TIME_UNKNOWN,
     .exhausts_p10_us = TIME_UNKNOWN,
     .exhausts_p50_us = TIME_UNKNOWN,
     .exhausts_p90_us = TIME_UNKNOWN,
     .process_handles = -1},
};
static const struct report_host facts[] = {
    {"Windows", "26100.1", "file<server>", "Model", 1ll << 34, 86400, "1.2.3", "0.1.0"},
    {.ram_bytes = INT64_MIN, .uptime_seconds = INT64_MIN},
};
static struct finding_cause causes[] = {{.attribute = "driver/x.sys",
                                         .value = "1.2",
                                         .affected = 19,
                                         .affected_with = 18,
                                         .unaffected = 480,
                                         .unaffected_with = 2,
                                         .risk_ratio = 231.0,
                                         .q_value = 0.001},
                                        {.attribute = "app.Payroll",
                                         .value = "7",
                                         .affected = 19,
                                         .affected_with = 19,
                                         .unaffected = 480,
                                         .unaffected_with = 20,
                                         .risk_ratio = 20.0,
                                         .q_value = 0.01}};
static const char *const evidence[] = {
    "fs01 grew; id-2 too; FS012 and XFS011 are others; secret app.exe holds 70000 handles",
    "Payroll \xe2\x80\xae 7\x07"};
static const struct finding_host_life lives[] = {{0, 4}, {0, 2}};
static const struct report_version versions[] = {{"1.2", 19, 18, 3 * 1048576.0},
                                                 {"1.3<", 200, 0, NAN}};
static const struct report_count counts[] = {{"Build", "26100.1", 2, 9}};
static const int64_t times[] = {0, US_PER_HOUR, 2 * US_PER_HOUR};
static const uint64_t values[] = {0, 1u << 20, 2u << 20};
static const struct report_series series[] = {{0, 3, times, values}};
static const struct report_series peers = {0, 3, times, values};

static struct finding_record record(void)
{
    return (struct finding_record){.finding = {.id = "f-1",
                                               .kind = FINDING_LEAK,
                                               .severity = SEVERITY_WARNING,
                                               .confidence = 0.9,
                                               .pool = POOL_PAGED,
                                               .tag = tags[0],
                                               .tags = tags,
                                               .tag_count = 1,
                                               .summary = "FS01 leaks *much*\n# not a heading",
                                               .hosts = hosts,
                                               .host_count = 2,
                                               .causes = causes,
                                               .cause_count = 2,
                                               .evidence = evidence,
                                               .evidence_count = 2,
                                               .first_seen_us = 0,
                                               .last_seen_us = 0},
                                   .host_total = 2,
                                   .host_lives = (struct finding_host_life *)(uintptr_t)lives,
                                   .reopened_at_us = TIME_UNKNOWN};
}

static void make(void (*write)(const struct report_input *, struct strbuf *), bool names,
                 struct strbuf *out)
{
    struct finding_record finding = record();
    struct report_input input = {.record = &finding,
                                 .hosts = facts,
                                 .tags = tag_rows,
                                 .series = series,
                                 .series_count = 1,
                                 .peers = &peers,
                                 .peer_hosts = 15,
                                 .version_of = "x.sys",
                                 .versions = versions,
                                 .version_count = 2,
                                 .counts = counts,
                                 .count_count = 1,
                                 .fix = "The fix works: FS01 stopped.",
                                 .show_names = names,
                                 .made_at_us = US_PER_DAY};
    write(&input, out);
    ck_assert(!strbuf_failed(out));
}

#define HAS(out, part)     ck_assert_msg(strstr((out).data, part) != NULL, "%.1500s", (out).data)
#define HAS_NOT(out, part) ck_assert_msg(strstr((out).data, part) == NULL, "%.1500s", (out).data)

START_TEST(report_names_are_redacted_in_every_sentence)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;

    make(_i == 0 ? report_markdown : report_html, false, &out);
    HAS_NOT(out, "FS01 ");
    HAS_NOT(out, "fs01");
    HAS_NOT(out, "id-2");
    HAS_NOT(out, "id-1");
    HAS(out, "host 4 leaks");
    HAS(out, "host 4 grew; host 2 too; FS012 and XFS011 are others; process 1 holds");
    HAS(out, "The fix works: host 4 stopped.");
    HAS(out, "app.app 1");
    HAS_NOT(out, "Payroll");
    HAS_NOT(out, "ecret");
}
END_TEST

START_TEST(report_names_are_shown_when_asked_for)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;

    make(_i == 0 ? report_markdown : report_html, true, &out);
    HAS(out, "FS01 leaks");
    HAS(out, "fs01 grew; id-2 too");
    HAS(out, "Secret App.exe");
    HAS(out, "app.Payroll");
    HAS_NOT(out, "host 4");
}
END_TEST

START_TEST(report_markdown_escapes_what_means_something)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;

    make(report_markdown, false, &out);
    HAS(out, "# Kernel pool report: tag \"aaaa\"\n");
    HAS(out, "leaks \\*much\\* \\# not a heading\n");
    HAS(out, "| x\\|y.sys |");
    HAS(out, "&lt;script\\>");
    HAS_NOT(out, "<script");
    HAS(out, "| host 4 | 3.00 MiB | 1.00 MiB | 9 | 12.5 | 2.00 KiB per hour |");
    HAS(out, "| host 2 | 1 bytes | unknown | 0 | unknown | unknown | unknown | not foreseen | not "
             "known |");
    HAS(out, "| Build | 26100.1 | 2 | 9 |");
    HAS(out, "| 1.2 | 19 | 18 | 3.00 MiB per hour |");
    HAS(out, "| 1.3&lt; | 200 | 0 | none is affected |");
    HAS(out, "Last row: the median of 15 unaffected hosts.");
    HAS(out, "app 1 {u202e} 7{07}");
    HAS(out, "## Limits of this claim");
    HAS(out, "| driver/x.sys | 1.2 | 18 of 19 | 2 of 480 | 231.0 | 0.001 |");
    HAS(out, "16.00 GiB, up 1.0 days");
    HAS(out, "## How it was measured");
}
END_TEST

START_TEST(report_html_is_whole_and_escaped)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;

    make(report_html, false, &out);
    ck_assert(strncmp(out.data, "<!doctype html>", 15) == 0);
    HAS(out, "</html>\n");
    HAS(out, "&lt;script&gt;alert(1)&lt;/script&gt;");
    HAS_NOT(out, "<script");
    HAS(out, "file&lt;server&gt;");
    HAS(out, "<polyline fill=\"none\" stroke=\"#1f5fbf\" stroke-width=\"1.5\" "
             "points=\"70.0,230.0 395.0,120.0 720.0,10.0\"/>");
    HAS(out, "stroke-dasharray=\"6 4\" points=");
    HAS(out, ">1.3&lt;</text>");
    HAS(out, "3.0 MiB per hour, 18 of 19 hosts</text>");
    HAS(out, "role=\"region\" aria-label=\"Hosts, peers and rates\"");
    HAS(out, "app 1 {u202e} 7{07}");
    HAS_NOT(out, " src=");
    HAS_NOT(out, "http://www.example");
}
END_TEST

START_TEST(report_causes_tell_pairs_versions_and_rates)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct finding_cause plain[2] = {causes[0], causes[1]};

    causes[0].and_attribute = "app/Payroll";
    causes[0].and_value = "7";
    causes[0].first_bad = "1.2";
    causes[0].last_good = "1.1";
    causes[1].first_good = "8<";
    causes[1].changed_hosts = 6;
    causes[1].rate_before = 2.0 * 1048576;
    causes[1].rate_after = 171.5 * 1048576;
    make(_i == 0 ? report_markdown : report_html, false, &out);
    HAS(out, "1.2 together with app/app 1 7");
    HAS(out, "driver/x.sys: first bad version 1.2, last good version before it 1.1.");
    HAS(out, "app.app 1: good again from version 8&lt;; 6 affected hosts are known from before and "
             "after it came, growing by 2.00 MiB per hour before and 171.50 MiB per hour after "
             "(medians).");
    memcpy(causes, plain, sizeof causes);
    strbuf_done(&out);
    make(report_markdown, false, &out);
    HAS_NOT(out, "first bad");
    HAS_NOT(out, "known from before");
}
END_TEST

START_TEST(report_without_series_has_no_plot)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct finding_record finding = record();
    struct report_input input = {.record = &finding, .hosts = facts, .tags = tag_rows};

    hosts[0].simulated = true;

    finding.finding.cause_count = 0;
    report_html(&input, &out);
    HAS_NOT(out, "<svg");
    HAS(out, "Nothing that was recorded separates them.");
    HAS(out, "Simulated: the data of 1 of 2 affected hosts do not come from a Windows kernel.");
    HAS_NOT(out, "After an update");
    hosts[0].simulated = false;
}
END_TEST

Suite *report_suite(void)
{
    Suite *suite = suite_create("report");
    TCase *tc = tcase_create("report");

    tcase_add_loop_test(tc, report_names_are_redacted_in_every_sentence, 0, 2);
    tcase_add_loop_test(tc, report_names_are_shown_when_asked_for, 0, 2);
    tcase_add_test(tc, report_markdown_escapes_what_means_something);
    tcase_add_test(tc, report_html_is_whole_and_escaped);
    tcase_add_loop_test(tc, report_causes_tell_pairs_versions_and_rates, 0, 2);
    tcase_add_test(tc, report_without_series_has_no_plot);
    suite_add_tcase(suite, tc);
    return suite;
}
