/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/reply_cache.h"

#include "common/clock.h"
#include "server/http/reply.h"

#include <check.h>
#include <string.h>

Suite *reply_cache_suite(void);

#define T0   (1000 * US_PER_SECOND)
#define COST (200 * US_PER_MS)

/* As a handler does that took so long: a body of 3,000 letters, made at T0 + at. */
static void make(struct reply_cache *cache, const char *encoding, const char *key, char letter,
                 int64_t at_us, int64_t cost_us, struct resp *rs)
{
    strbuf_clear(&rs->body);
    for (int i = 0; i < 3000; i++)
        strbuf_putc(&rs->body, letter);
    clock_fake_set(T0 + at_us);
    int64_t began = clock_mono_us() - cost_us;
    reply_cache_keep(cache, encoding, key, 7, began, rs);
}

START_TEST(cheapAnswer_isNotKept)
{
    struct reply_cache *cache = reply_cache_new();
    struct resp rs = {0};

    ck_assert(!reply_cache_get(cache, "gzip", "a", 7, &rs));
    make(cache, "gzip", "a", 'x', 0, REPLY_CACHE_CHEAP_US - 1, &rs);
    ck_assert(!rs.gzipped);
    ck_assert(!reply_cache_get(cache, "gzip", "a", 7, &rs));
    resp_done(&rs);
    reply_cache_free(cache);
}
END_TEST

START_TEST(dearAnswer_isKeptPackedForTwentyTimesItsCost)
{
    struct reply_cache *cache = reply_cache_new();
    struct resp rs = {0};

    clock_fake_set(T0);
    ck_assert(!reply_cache_get(cache, "gzip", "a", 7, &rs));
    make(cache, "gzip", "a", 'x', 0, COST, &rs);
    ck_assert(rs.gzipped);
    ck_assert_uint_lt(rs.body.length, 200);
    clock_fake_set(T0 + 19 * COST);
    ck_assert(reply_cache_get(cache, "gzip, br", "a", 7, &rs));
    ck_assert(rs.gzipped);
    ck_assert_msg(!reply_cache_get(cache, NULL, "a", 7, &rs), "a caller without gzip");
    resp_done(&rs);
    reply_cache_free(cache);
}
END_TEST

START_TEST(oldOrOutdatedAnswer_isMadeAgainByOne_othersGetTheOldOne)
{
    struct reply_cache *cache = reply_cache_new();
    struct resp rs = {0};

    clock_fake_set(T0);
    ck_assert(!reply_cache_get(cache, "gzip", "a", 7, &rs));
    make(cache, "gzip", "a", 'x', 0, COST, &rs);
    clock_fake_set(T0 + 21 * COST);
    ck_assert_msg(!reply_cache_get(cache, "gzip", "a", 7, &rs), "too old: the first makes it");
    ck_assert_msg(reply_cache_get(cache, "gzip", "a", 7, &rs), "the second does not wait");
    make(cache, "gzip", "a", 'y', 22 * COST, COST, &rs);
    ck_assert(reply_cache_get(cache, "gzip", "a", 7, &rs));
    ck_assert_msg(!reply_cache_get(cache, "gzip", "a", 8, &rs), "a new analysis");
    ck_assert_msg(!reply_cache_get(cache, "gzip", "b", 7, &rs), "another request");
    reply_cache_drop(cache, "a");
    ck_assert(!reply_cache_get(cache, "gzip", "a", 7, &rs));
    resp_done(&rs);
    reply_cache_free(cache);
}
END_TEST

START_TEST(manyRequests_theOneNotUsedForLongestGoes)
{
    struct reply_cache *cache = reply_cache_new();
    struct resp rs = {0};
    char key[] = "k?";

    for (int i = 0; i <= REPLY_CACHE_ENTRIES; i++) {
        key[1] = (char)('0' + i);
        clock_fake_set(T0 + i);
        ck_assert(!reply_cache_get(cache, "gzip", key, 7, &rs));
        make(cache, "gzip", key, 'x', i, COST, &rs);
    }
    ck_assert_msg(reply_cache_get(cache, "gzip", "k8", 7, &rs), "the newest");
    ck_assert_msg(reply_cache_get(cache, "gzip", "k1", 7, &rs), "the second");
    ck_assert_msg(!reply_cache_get(cache, "gzip", "k0", 7, &rs), "the oldest is gone");
    resp_done(&rs);
    reply_cache_free(cache);
}
END_TEST

Suite *reply_cache_suite(void)
{
    Suite *suite = suite_create("reply_cache");
    TCase *all = tcase_create("reply_cache");
    tcase_add_test(all, cheapAnswer_isNotKept);
    tcase_add_test(all, dearAnswer_isKeptPackedForTwentyTimesItsCost);
    tcase_add_test(all, oldOrOutdatedAnswer_isMadeAgainByOne_othersGetTheOldOne);
    tcase_add_test(all, manyRequests_theOneNotUsedForLongestGoes);
    suite_add_tcase(suite, all);
    return suite;
}
