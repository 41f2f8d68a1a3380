/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords, the trusted proxy's settings, and limits per name. */
#include "common/clock.h"
#include "server/http/head.h"
#include "server/http/limiter.h"
#include "server/password.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <sodium.h>
#include <string.h>

Suite *people_suite(void);

static const char good[] = "correct horse battery";

START_TEST(password_hash_is_verified_and_of_nobody_never)
{
    char hash[PASSWORD_HASH_MAX];
    char again[PASSWORD_HASH_MAX];
    struct err err;
    ck_assert_int_ge(sodium_init(), 0);
    ck_assert_int_eq(password_hash(good, strlen(good), hash, &err), ST_OK);
    ck_assert_int_eq(password_hash(good, strlen(good), again, &err), ST_OK);
    ck_assert_str_ne(hash, again); /* a salt each */
    ck_assert(strncmp(hash, "$argon2id$v=19$m=65536,t=3,p=1$", 31) == 0);
    ck_assert(password_verify(hash, good, strlen(good)));
    ck_assert(!password_verify(hash, good, strlen(good) - 1));
    ck_assert(!password_verify(hash, "", 0));
    ck_assert(!password_verify(NULL, good, strlen(good)));
    ck_assert(!password_verify("no hash", good, strlen(good)));
    ck_assert(!password_is_old(hash));
}
END_TEST

START_TEST(password_of_other_limits_is_verified_and_old)
{
    char hash[PASSWORD_HASH_MAX];
    ck_assert_int_ge(sodium_init(), 0);
    ck_assert_int_eq(crypto_pwhash_str(hash, good, strlen(good), 1, 8 << 20), 0);
    ck_assert(password_verify(hash, good, strlen(good)));
    ck_assert(password_is_old(hash));
}
END_TEST

/* The hash of nobody must be a real one with today's limits: were it unreadable, or cheaper, names
 * that do not exist would answer sooner. */
START_TEST(password_of_nobody_costs_what_others_cost)
{
    char hash[PASSWORD_HASH_MAX];
    struct err err;
    int64_t us[2];
    ck_assert_int_ge(sodium_init(), 0);
    ck_assert_int_eq(password_hash(good, strlen(good), hash, &err), ST_OK);
    for (int i = 0; i < 2; i++) {
        int64_t start = clock_mono_us();
        ck_assert(!password_verify(i == 0 ? hash : NULL, "wrong", 5));
        us[i] = clock_mono_us() - start;
    }
    /* Without a hash it is microseconds; a busy machine does not make a factor of 50. */
    ck_assert_int_gt(us[1], us[0] / 50);
}
END_TEST

static const struct {
    const char *name;
    const char *password;
    enum status status;
} checks[] = {
    {"ann", "0123456789", ST_OK},
    {"ann", "012345678", ST_INVALID},
    {"ann", "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", ST_INVALID}, /* 10 bytes, 5 characters */
    {"ann",
     "\xc3\xa4"
     "123456789",
     ST_OK},
    {"ann", "with \xff bad bytes", ST_INVALID},
    {"ann", "with\ta tab in it", ST_INVALID},
    {"ann of the north", "ANN of the North", ST_INVALID},
    {NULL, "ANN of the North", ST_OK},
};

START_TEST(password_check_says_what_is_taken)
{
    struct err err = {0};
    char longest[PASSWORD_MAX + 1];
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        enum status status =
            password_check(checks[i].name, checks[i].password, strlen(checks[i].password), &err);
        ck_assert_msg(status == checks[i].status, "%s", checks[i].password);
        if (status != ST_OK)
            ck_assert_str_eq(err.field, "password");
    }
    memset(longest, 'x', sizeof longest);
    ck_assert_int_eq(password_check(NULL, longest, PASSWORD_MAX, &err), ST_OK);
    ck_assert_int_eq(password_check(NULL, longest, PASSWORD_MAX + 1, &err), ST_INVALID);
}
END_TEST

static bool trusts(const struct proxy *proxy, const char *text)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return proxy_trusts(proxy, (struct sockaddr *)(void *)&four);
    ck_assert_int_eq(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    return proxy_trusts(proxy, (struct sockaddr *)(void *)&six);
}

START_TEST(proxy_trusts_its_nets_and_no_neighbour)
{
    struct proxy proxy;
    struct err err;
    ck_assert_int_eq(
        proxy_parse("127.0.0.1, 10.2.0.0/15 fd00::/8,2001:db8::1", "X-User", "", &proxy, &err),
        ST_OK);
    ck_assert(trusts(&proxy, "127.0.0.1"));
    ck_assert(trusts(&proxy, "::ffff:127.0.0.1"));
    ck_assert(!trusts(&proxy, "127.0.0.2"));
    ck_assert(!trusts(&proxy, "::1"));
    ck_assert(trusts(&proxy, "10.3.255.255"));
    ck_assert(!trusts(&proxy, "10.1.255.255"));
    ck_assert(!trusts(&proxy, "10.4.0.0"));
    ck_assert(trusts(&proxy, "fd12::1"));
    ck_assert(!trusts(&proxy, "fe80::1"));
    ck_assert(trusts(&proxy, "2001:db8::1"));
    ck_assert(!trusts(&proxy, "2001:db8::2"));
}
END_TEST

static const char *const bad_peers[] = {
    "proxy.example", "10.0.0.0/33", "10.0.0.1/8",  "10.0.0.0/", "10.0.0.0/-1",
    "fd00::/129",    "127.1",       "10.0.0.0/8x", "::1/64",    "10.0.0.0/0008"};

START_TEST(proxy_parse_refuses_what_is_no_net)
{
    struct proxy proxy;
    struct err err = {0};
    ck_assert_int_eq(proxy_parse(bad_peers[_i], "X-User", "", &proxy, &err), ST_USAGE);
    ck_assert_str_eq(err.field, "trusted_proxy");
}
END_TEST

START_TEST(head_keeps_the_proxys_lines_and_refuses_them_twice)
{
    const struct proxy proxy = {.user_header = "X-User", .role_header = "X-Role"};
    struct head head = {.proxy = &proxy};
    struct head without = {0};
    head_add(&head, "x-USER", "ann");
    head_add(&head, "X-Role", "viewer");
    ck_assert_str_eq(head.proxy_user, "ann");
    ck_assert_str_eq(head.proxy_role, "viewer");
    ck_assert_ptr_null(head.repeated);
    head_add(&head, "X-User", "root");
    ck_assert_str_eq(head.repeated, "X-User");
    head_add(&without, "X-User", "ann");
    ck_assert_ptr_null(without.proxy_user);
}
END_TEST

START_TEST(limiter_by_name_folds_and_forgives)
{
    struct limiter *limiter = limiter_new(2, US_PER_SECOND);
    struct limiter_key ann = limiter_key_name("Ann");
    int64_t now = 1000 * US_PER_SECOND;
    ck_assert_mem_eq(&ann, (struct limiter_key[]){limiter_key_name("aNN")}, sizeof ann);
    limiter_fail(limiter, ann, now);
    limiter_fail(limiter, ann, now);
    ck_assert_uint_gt(limiter_wait(limiter, ann, now), 0);
    ck_assert_uint_eq(limiter_wait(limiter, limiter_key_name("bob"), now), 0);
    limiter_forgive(limiter, ann, now);
    ck_assert_uint_eq(limiter_wait(limiter, ann, now), 0);
    limiter_forgive(limiter, limiter_key_name("nobody"), now);
    limiter_free(limiter);
}
END_TEST

Suite *people_suite(void)
{
    Suite *suite = suite_create("people");
    TCase *tc = tcase_create("people");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, password_hash_is_verified_and_of_nobody_never);
    tcase_add_test(tc, password_of_other_limits_is_verified_and_old);
    tcase_add_test(tc, password_of_nobody_costs_what_others_cost);
    tcase_add_test(tc, password_check_says_what_is_taken);
    tcase_add_test(tc, proxy_trusts_its_nets_and_no_neighbour);
    tcase_add_loop_test(tc, proxy_parse_refuses_what_is_no_net, 0,
                        (int)(sizeof bad_peers / sizeof bad_peers[0]));
    tcase_add_test(tc, head_keeps_the_proxys_lines_and_refuses_them_twice);
    tcase_add_test(tc, limiter_by_name_folds_and_forgives);
    suite_add_tcase(suite, tc);
    return suite;
}
