/* SPDX-License-Identifier: Apache-2.0 */
/* Where a webhook may lead, what it says, when it is tried again, and how a mail looks. */
#include "server/notify/body.h"
#include "server/notify/digest.h"
#include "server/notify/mail.h"
#include "server/notify/notify.h"

#include <arpa/inet.h>
#include <check.h>
#include <math.h>
#include <string.h>

Suite *notify_suite(void);

static struct sockaddr_storage parse(const char *text)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;

    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        address.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
        address.ss_family = AF_INET6;
    else
        ck_abort_msg("no address: %s", text);
    return address;
}

static const struct {
    const char *address;
    const char *allow;
    const char *reason; /* NULL: it may be connected to */
} addresses[] = {
    {"8.8.8.8", "", NULL},
    {"1.0.0.0", "", NULL},
    {"9.255.255.255", "", NULL},
    {"10.0.0.0", "", "private"},
    {"10.255.255.255", "", "private"},
    {"11.0.0.0", "", NULL},
    {"100.63.255.255", "", NULL},
    {"100.64.0.1", "", "private"},
    {"100.100.100.200", "", "metadata"},
    {"100.128.0.0", "", NULL},
    {"127.0.0.1", "", "loopback"},
    {"127.255.255.254", "", "loopback"},
    {"0.0.0.0", "", "reserved"},
    {"169.254.169.254", "", "metadata"},
    {"169.254.1.1", "", "link-local"},
    {"168.63.129.16", "", "metadata"},
    {"172.15.255.255", "", NULL},
    {"172.16.0.1", "", "private"},
    {"172.31.255.255", "", "private"},
    {"172.32.0.0", "", NULL},
    {"192.168.0.1", "", "private"},
    {"192.0.2.1", "", "reserved"},
    {"198.18.0.1", "", "private"},
    {"224.0.0.1", "", "multicast"},
    {"255.255.255.255", "", "reserved"},
    {"::1", "", "loopback"},
    {"::", "", "reserved"},
    {"::ffff:127.0.0.1", "", "loopback"},
    {"::ffff:169.254.169.254", "", "metadata"},
    {"::ffff:8.8.8.8", "", NULL},
    {"::127.0.0.1", "", "reserved"},
    {"64:ff9b::7f00:1", "", "loopback"},
    {"64:ff9b::808:808", "", NULL},
    {"fe80::1", "", "link-local"},
    {"fd00::1", "", "private"},
    {"fd00:ec2::254", "", "metadata"},
    {"fc00::1", "", "private"},
    {"ff02::1", "", "multicast"},
    {"2606:4700::1", "", NULL},
    {"2001:db8::1", "", "reserved"},
    {"2001::1", "", "reserved"},
    {"2002:7f00:1::", "", "reserved"},
    {"4000::1", "", "reserved"},
    {"10.1.2.3", "10.1.0.0/16", NULL},
    {"10.2.2.3", "10.1.0.0/16", "private"},
    {"10.1.2.3", "fd00::/8, 10.1.2.3", NULL},
    {"10.1.2.4", "fd00::/8, 10.1.2.3", "private"},
    {"::ffff:10.1.2.3", "10.0.0.0/8", NULL},
    {"fd00::7", "fd00::/8", NULL},
    {"127.0.0.1", "127.0.0.0/8", NULL},
    {"127.0.0.1", "::1", "loopback"},
    {"169.254.169.254", "10.0.0.0/8", "metadata"},
    {"169.254.169.254", "169.254.0.0/16", NULL},
    {"224.0.0.1", "0.0.0.0/0", "multicast"},
    {"0.0.0.0", "0.0.0.0/0", "reserved"},
};

START_TEST(address_of_each_kind_is_judged)
{
    struct notify_allow allow;
    struct sockaddr_storage address = parse(addresses[_i].address);

    ck_assert_int_eq(notify_allow_parse(addresses[_i].allow, &allow, NULL), ST_OK);
    const char *reason = notify_address_refusal((const struct sockaddr *)&address, &allow);
    ck_assert_pstr_eq(reason, addresses[_i].reason);
}
END_TEST

START_TEST(allow_list_with_a_fault_is_refused)
{
    static const char *const wrong[] = {
        "ten",        "10.0.0.0/33", "10.0.0.0/",          "10.0.0/8",
        "fd00::/129", "10.0.0.0/-1", "10.0.0.0/8;1.1.1.1", "/8"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct notify_allow allow;
        struct err err = {0};
        ck_assert_msg(notify_allow_parse(wrong[i], &allow, &err) == ST_USAGE, "%s", wrong[i]);
        ck_assert_str_eq(err.field, "notify_allow_private");
    }
}
END_TEST

/* ---- a URL */

struct fake_names {
    const char *answers[4]; /* the n-th call's addresses, with blanks between */
    size_t calls;
};

static enum status fake_resolve(void *arg, const char *host, struct sockaddr_storage *ret_addresses,
                                size_t max, size_t *ret_count, struct err *err)
{
    struct fake_names *names = arg;
    char text[256];
    char *rest = NULL;
    (void)host, (void)err;

    snprintf(text, sizeof text, "%s", names->answers[names->calls++]);
    *ret_count = 0;
    for (char *one = strtok_r(text, " ", &rest); one != NULL && *ret_count < max;
         one = strtok_r(NULL, " ", &rest))
        ret_addresses[(*ret_count)++] = parse(one);
    return ST_OK;
}

static enum status check_url(const char *url, const char *answer, struct notify_pin *pin,
                             struct err *err)
{
    struct fake_names names = {.answers = {answer}};
    struct notify_guard guard = {.resolve = fake_resolve, .resolve_arg = &names};
    return notify_guard_check(&guard, url, pin, err);
}

START_TEST(host_with_one_private_address_is_refused_whole)
{
    struct notify_pin pin;
    struct err err = {0};

    ck_assert_int_eq(check_url("https://a.example/x", "8.8.8.8 10.0.0.1", &pin, &err),
                     ST_FORBIDDEN);
    ck_assert_ptr_nonnull(strstr(err.message, "private"));
    ck_assert_int_eq(check_url("https://a.example/x", "8.8.8.8 ::1", &pin, &err), ST_FORBIDDEN);
    ck_assert_int_eq(check_url("https://a.example/x", "8.8.8.8 2606:4700::1", &pin, &err), ST_OK);
    ck_assert_uint_eq(pin.count, 2);
    ck_assert_int_eq(check_url("https://a.example/x", "", &pin, &err), ST_IO);
}
END_TEST

START_TEST(name_that_changes_its_address_is_pinned_to_the_checked_one)
{
    struct fake_names names = {.answers = {"8.8.8.8", "127.0.0.1"}};
    struct notify_guard guard = {.resolve = fake_resolve, .resolve_arg = &names};
    AUTO_STRBUF struct strbuf line = STRBUF_INIT;
    struct notify_pin pin;
    struct sockaddr_storage before = parse("8.8.8.8"), later = parse("127.0.0.1");

    ck_assert_int_eq(notify_guard_check(&guard, "https://rebind.example/x", &pin, NULL), ST_OK);
    ck_assert_uint_eq(names.calls, 1);
    notify_pin_write(&pin, &line);
    ck_assert_str_eq(line.data, "rebind.example:443:8.8.8.8");
    ck_assert(notify_pin_has(&pin, (const struct sockaddr *)&before));
    ck_assert(!notify_pin_has(&pin, (const struct sockaddr *)&later));
    ck_assert_int_eq(notify_guard_check(&guard, "https://rebind.example/x", &pin, NULL),
                     ST_FORBIDDEN);
}
END_TEST

START_TEST(hosts_written_as_numbers_are_what_they_mean)
{
    static const char *const hosts[] = {"2130706433", "0x7f000001", "0177.0.0.1",     "127.1",
                                        "0x7f.1",     "[::1]",      "[::ffff:7f00:1]"};
    struct notify_guard guard = {.resolve = notify_resolve_system};

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct notify_pin pin;
        struct err err = {0};
        char url[64];
        snprintf(url, sizeof url, "https://%s/x", hosts[i]);
        ck_assert_msg(notify_guard_check(&guard, url, &pin, &err) == ST_FORBIDDEN, "%s: %s", url,
                      err.message);
        ck_assert_msg(strstr(err.message, "loopback") != NULL, "%s: %s", url, err.message);
    }
}
END_TEST

START_TEST(url_with_another_scheme_or_a_user_is_refused)
{
    struct notify_pin pin;

    ck_assert_int_eq(check_url("ftp://a.example/", "8.8.8.8", &pin, NULL), ST_INVALID);
    ck_assert_int_eq(check_url("file:///etc/passwd", "8.8.8.8", &pin, NULL), ST_INVALID);
    ck_assert_int_eq(check_url("https://u:p@a.example/", "8.8.8.8", &pin, NULL), ST_INVALID);
    ck_assert_int_eq(check_url("https://", "8.8.8.8", &pin, NULL), ST_INVALID);
    ck_assert_int_eq(check_url("http://a.example/", "8.8.8.8", &pin, NULL), ST_FORBIDDEN);
    ck_assert_int_eq(check_url("https://a.example:8443/", "8.8.8.8", &pin, NULL), ST_OK);
    ck_assert_str_eq(pin.port, "8443");
}
END_TEST

/* ---- when */

START_TEST(waits_grow_to_an_hour_and_honour_the_receiver)
{
    ck_assert_int_eq(notify_backoff_us(10 * US_PER_SECOND, 1, 0, 0), 0);
    ck_assert_int_eq(notify_backoff_us(10 * US_PER_SECOND, 1, 1u << 31, 0), 5 * US_PER_SECOND);
    ck_assert_int_eq(notify_backoff_us(10 * US_PER_SECOND, 3, 1u << 31, 0), 20 * US_PER_SECOND);
    ck_assert_int_eq(notify_backoff_us(10 * US_PER_SECOND, 1000, 1u << 31, 0), US_PER_HOUR / 2);
    ck_assert_int_eq(notify_backoff_us(10 * US_PER_SECOND, 1, 0, US_PER_MINUTE), US_PER_MINUTE);
}
END_TEST

START_TEST(digest_is_due_at_its_minute)
{
    int64_t day = 20500 * US_PER_DAY, at = 7 * US_PER_HOUR + 30 * US_PER_MINUTE;

    ck_assert_int_eq(notify_digest_due(450, day + at), day + at);
    ck_assert_int_eq(notify_digest_due(450, day + at - 1), day + at - US_PER_DAY);
    ck_assert_int_eq(notify_digest_due(0, day), day);
}
END_TEST

static bool quiet_digest_on(int64_t day, size_t silent, struct strbuf *subject)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT, html = STRBUF_INIT;
    struct finding_records none = {0};
    static const char *const names[] = {"<b>&"};
    struct digest digest = {.open = &none,
                            .resolved = &none,
                            .silent = names,
                            .silent_count = silent,
                            .host_count = 9,
                            .due_us = day * US_PER_DAY};
    bool some = digest_write(&digest, "", subject, &text, &html);
    ck_assert_ptr_null(strstr(html.data, "<b>"));
    return some;
}

START_TEST(quiet_day_says_nothing_but_on_monday)
{
    AUTO_STRBUF struct strbuf subject = STRBUF_INIT;

    for (int64_t day = 20500; day < 20507; day++) /* Monday, 2026-02-16, to Sunday */
        ck_assert_int_eq(quiet_digest_on(day, 0, &subject), day == 20500);
    ck_assert_str_eq(subject.data, "[digest] all quiet");
    strbuf_clear(&subject);
    ck_assert(quiet_digest_on(20501, 1, &subject));
    ck_assert_str_eq(subject.data, "[digest] 0 open, 0 new, 0 resolved, 1 silent");
}
END_TEST

/* ---- what */

START_TEST(signature_of_a_known_body_is_the_known_one)
{
    char text[NOTIFY_SIGNATURE_MAX];

    /* printf '1700000000.{}' | openssl dgst -sha256 -hmac key */
    notify_sign("key", 1700000000 * US_PER_SECOND, "{}", 2, text);
    ck_assert_str_eq(
        text, "t=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae");
}
END_TEST

START_TEST(hostile_text_loses_what_is_not_seen)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;

    notify_put_clean(&out,
                     "a\nb\x1b[1m\u202e\u200b\u2066\ufeff\xc2\x85"
                     "c\xff"
                     "\u00e4",
                     100);
    ck_assert_str_eq(out.data, "a b [1m     c?\u00e4");
    strbuf_clear(&out);
    notify_put_clean(&out, "aaaa\u00e4\u00e4", 5);
    ck_assert_str_eq(out.data, "aaaa...");
    strbuf_clear(&out);
    notify_put_html(&out, "<a href=\"x\">&\r");
    ck_assert_str_eq(out.data, "&lt;a href=&quot;x&quot;&gt;&amp; ");
}
END_TEST

START_TEST(mail_header_cannot_be_broken_out_of)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct mail mail = {.from = "a@example.com",
                        .to = "b@example.com",
                        .subject = "x\r\nBcc: c@example.com",
                        .text = ".\r\n.\r\n",
                        .html = "<p>",
                        .key = "k",
                        .date_us = 20500 * US_PER_DAY};

    mail_write(&mail, &out);
    ck_assert_ptr_nonnull(strstr(out.data, "Subject: x  Bcc: c@example.com\r\n"));
    ck_assert_ptr_null(strstr(out.data, "\nBcc"));
    ck_assert_ptr_null(strstr(out.data, "\n.\r\n"));
    ck_assert_ptr_nonnull(strstr(out.data, "Date: Mon, 16 Feb 2026 00:00:00 +0000\r\n"));
    strbuf_clear(&out);
    mail.subject = "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4"
                   "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4x\u00e4\u00e4\u00e4";
    mail_write(&mail, &out);
    const char *word = strstr(out.data, "Subject: =?UTF-8?B?");
    ck_assert_ptr_nonnull(word);
    ck_assert_ptr_nonnull(strstr(word, "?=\r\n =?UTF-8?B?"));
    ck_assert(mail_address_ok("a.b+c@example.com"));
    ck_assert(!mail_address_ok("a@b@c") && !mail_address_ok("a b@c") && !mail_address_ok("@c") &&
              !mail_address_ok("a@b\r\nRCPT") && !mail_address_ok("a@") &&
              !mail_address_ok("<a@b>"));
}
END_TEST

Suite *notify_suite(void)
{
    Suite *suite = suite_create("notify");
    TCase *tcase = tcase_create("all");

    tcase_add_loop_test(tcase, address_of_each_kind_is_judged, 0,
                        (int)(sizeof addresses / sizeof addresses[0]));
    tcase_add_test(tcase, allow_list_with_a_fault_is_refused);
    tcase_add_test(tcase, host_with_one_private_address_is_refused_whole);
    tcase_add_test(tcase, name_that_changes_its_address_is_pinned_to_the_checked_one);
    tcase_add_test(tcase, hosts_written_as_numbers_are_what_they_mean);
    tcase_add_test(tcase, url_with_another_scheme_or_a_user_is_refused);
    tcase_add_test(tcase, waits_grow_to_an_hour_and_honour_the_receiver);
    tcase_add_test(tcase, digest_is_due_at_its_minute);
    tcase_add_test(tcase, quiet_day_says_nothing_but_on_monday);
    tcase_add_test(tcase, signature_of_a_known_body_is_the_known_one);
    tcase_add_test(tcase, hostile_text_loses_what_is_not_seen);
    tcase_add_test(tcase, mail_header_cannot_be_broken_out_of);
    suite_add_tcase(suite, tcase);
    return suite;
}
