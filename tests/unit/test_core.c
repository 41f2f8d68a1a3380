/* SPDX-License-Identifier: Apache-2.0 */
/* agent/core: changed rows against an acknowledged base, backoff, schedule, delivery. */
#include "agent/core/backoff.h"
#include "agent/core/changes.h"
#include "agent/core/gzip.h"
#include "agent/core/schedule.h"
#include "agent/core/transport.h"
#include "common/snapshot_json.h"

#include <check.h>

Suite *core_suite(void);

/* ---- changed rows ----------------------------------------------------------- */

struct row {
    uint32_t tag, allocs, frees;
    uint64_t bytes;
};

static void make(struct snapshot *s, int64_t boot, int64_t sequence, const struct row *rows,
                 size_t count)
{
    struct err err = {0};
    snapshot_init(s);
    s->host_id = "h";
    s->boot_at_us = boot;
    s->taken_at_us = boot + (sequence + 1) * US_PER_MINUTE;
    s->sequence = sequence;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct snapshot_table *t = &s->table[pool];
        ck_assert_int_eq(snapshot_table_alloc(&s->arena, t, count, COLUMN_ALL), ST_OK);
        for (size_t i = 0; i < count; i++) {
            t->tag[i] = rows[i].tag;
            t->allocs[i] = rows[i].allocs + (uint32_t)pool;
            t->frees[i] = rows[i].frees;
            t->bytes[i] = rows[i].bytes;
        }
        ck_assert_int_eq(snapshot_table_sort(t, &err), ST_OK);
    }
}

static void acknowledge(struct changes_base *base, const struct snapshot *s)
{
    ck_assert_int_eq(changes_acknowledge(base, s->boot_at_us, s->sequence, s->table), ST_OK);
}

static void same_table(const struct snapshot_table *a, const struct snapshot_table *b)
{
    ck_assert_uint_eq(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        ck_assert_uint_eq(a->tag[i], b->tag[i]);
        ck_assert_uint_eq(a->allocs[i], b->allocs[i]);
        ck_assert_uint_eq(a->frees[i], b->frees[i]);
        ck_assert_uint_eq(a->bytes[i], b->bytes[i]);
    }
}

/* Reduces `now`, sends it through the document's text, merges it onto the base: must give `now`. */
static size_t round_trip(const struct changes_base *base, struct snapshot *now)
{
    struct snapshot_table complete[POOL_COUNT];
    memcpy(complete, now->table, sizeof complete);
    ck_assert_int_eq(changes_reduce(base, now), ST_OK);
    ck_assert_int_eq(now->base, base->sequence);
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    snapshot_json_encode(now, &text);
    ck_assert(!strbuf_failed(&text));
    AUTO_SNAPSHOT struct snapshot read;
    struct err err = {0};
    snapshot_init(&read);
    ck_assert_msg(snapshot_json_decode(text.data, text.length, &read, &err) == ST_OK, "%s %s",
                  err.field, err.message);
    ck_assert_int_eq(read.base, base->sequence);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct snapshot_table merged;
        ck_assert_int_eq(
            snapshot_table_merge(&read.arena, &base->table[pool], &read.table[pool], &merged, &err),
            ST_OK);
        same_table(&merged, &complete[pool]);
    }
    return now->table[0].count;
}

START_TEST(changes_wrap_and_new_tag_round_trip)
{
    const struct row before[] = {{0x61616161, 4294967290u, 4294967000u, 290 * 16},
                                 {0x62626262, 5, 5, 0},
                                 {0x64646464, 7, 1, 96}};
    const struct row after[] = {{0x61616161, 10, 4294967200u, 106 * 16}, /* allocs wrapped */
                                {0x62626262, 5, 5, 0},
                                {0x63636363, 1, 0, 64},   /* new */
                                {0x64646464, 7, 1, 112}}; /* only bytes changed */
    struct changes_base base = {0};
    AUTO_SNAPSHOT struct snapshot first;
    AUTO_SNAPSHOT struct snapshot second;
    make(&first, US_PER_HOUR, 3, before, 3);
    make(&second, US_PER_HOUR, 4, after, 4);
    acknowledge(&base, &first);
    ck_assert_uint_eq(round_trip(&base, &second), 3);
    changes_forget(&base);
}
END_TEST

START_TEST(changes_random_tables_round_trip)
{
    uint64_t random = 42;
    struct row rows[64];
    struct changes_base base = {0};
    size_t count = 8;
    for (uint32_t i = 0; i < 64; i++)
        rows[i] = (struct row){0x20202020u + i * 3, 4294967000u + i, 17, i};
    for (int64_t step = 0; step < 300; step++) {
        for (size_t i = 0; i < count; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            if ((random >> 60) != 0)
                continue;
            rows[i].allocs += (uint32_t)(random >> 20);
            rows[i].frees += (uint32_t)(random >> 30);
            rows[i].bytes = random >> 12;
        }
        if (step % 7 == 0 && count < 64)
            count++;
        AUTO_SNAPSHOT struct snapshot now;
        make(&now, US_PER_DAY, step, rows, count);
        struct snapshot_table complete[POOL_COUNT];
        memcpy(complete, now.table, sizeof complete);
        if (base.held)
            ck_assert_uint_le(round_trip(&base, &now), count);
        ck_assert_int_eq(changes_acknowledge(&base, US_PER_DAY, step, complete), ST_OK);
    }
    changes_forget(&base);
}
END_TEST

START_TEST(changes_without_fitting_base_stay_complete)
{
    const struct row rows[] = {{0x61616161, 1, 0, 16}, {0x62626262, 2, 0, 32}};
    struct changes_base base = {0};
    AUTO_SNAPSHOT struct snapshot first;
    make(&first, US_PER_HOUR, 5, rows, 2);
    AUTO_SNAPSHOT struct snapshot none;
    make(&none, US_PER_HOUR, 6, rows, 2);
    ck_assert_int_eq(changes_reduce(&base, &none), ST_OK); /* nothing acknowledged yet */
    ck_assert_int_eq(none.base, SEQUENCE_UNKNOWN);
    ck_assert_uint_eq(none.table[0].count, 2);
    acknowledge(&base, &first);
    const struct {
        int64_t boot, sequence;
        size_t count;
    } cases[] = {
        {US_PER_HOUR + 1, 6, 2}, /* another boot */
        {US_PER_HOUR, 5, 2},     /* not after the base */
        {US_PER_HOUR, SEQUENCE_UNKNOWN, 2},
        {US_PER_HOUR, 6, 1}, /* a tag vanished */
        {TIME_UNKNOWN, 6, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO_SNAPSHOT struct snapshot s;
        make(&s, US_PER_HOUR, 6, rows, cases[i].count);
        s.boot_at_us = cases[i].boot;
        s.sequence = cases[i].sequence;
        ck_assert_int_eq(changes_reduce(&base, &s), ST_OK);
        ck_assert_msg(s.base == SEQUENCE_UNKNOWN, "case %zu", i);
        ck_assert_uint_eq(s.table[0].count, cases[i].count);
    }
    AUTO_SNAPSHOT struct snapshot fits;
    make(&fits, US_PER_HOUR, 6, rows, 2);
    ck_assert_int_eq(changes_reduce(&base, &fits), ST_OK);
    ck_assert_int_eq(fits.base, 5);
    ck_assert_uint_eq(fits.table[0].count, 0);
    ck_assert(fits.table[0].present);
    changes_forget(&base);
}
END_TEST

/* ---- backoff and schedule --------------------------------------------------- */

START_TEST(backoff_waits_stay_within_doubling_bounds)
{
    struct backoff b;
    for (uint64_t seed = 0; seed < 200; seed++) {
        backoff_init(&b, 1000, 60000, seed);
        int64_t ceiling = 1000;
        for (int i = 0; i < 100; i++) {
            int64_t wait = backoff_next(&b, BACKOFF_NO_RETRY_AFTER);
            ck_assert_int_ge(wait, 0);
            ck_assert_int_le(wait, ceiling);
            ceiling = ceiling * 2 < 60000 ? ceiling * 2 : 60000;
        }
        backoff_reset(&b);
        ck_assert_int_le(backoff_next(&b, BACKOFF_NO_RETRY_AFTER), 1000);
    }
}
END_TEST

START_TEST(backoff_jitter_is_full)
{
    struct backoff b;
    int64_t low = INT64_MAX, high = 0, sum = 0;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        backoff_init(&b, 1000000, 1000000, seed);
        int64_t wait = backoff_next(&b, BACKOFF_NO_RETRY_AFTER);
        low = wait < low ? wait : low;
        high = wait > high ? wait : high;
        sum += wait;
    }
    ck_assert_int_lt(low, 10000);
    ck_assert_int_gt(high, 990000);
    ck_assert_int_gt(sum / 2000, 470000);
    ck_assert_int_lt(sum / 2000, 530000);
}
END_TEST

START_TEST(backoff_never_waits_less_than_retry_after)
{
    struct backoff b;
    for (uint64_t seed = 0; seed < 200; seed++) {
        backoff_init(&b, 1000, 8000, seed);
        int64_t wait = backoff_next(&b, 5000000);
        ck_assert_int_ge(wait, 5000000);
        ck_assert_int_le(wait, 5001000);
        ck_assert_int_le(backoff_next(&b, INT64_MAX), BACKOFF_RETRY_AFTER_MAX_US + 8000);
    }
}
END_TEST

START_TEST(schedule_offsets_spread_and_slots_are_skipped)
{
    unsigned bucket[10] = {0};
    for (unsigned i = 0; i < 1000; i++) {
        char id[32];
        snprintf(id, sizeof id, "00000000-%04u", i);
        int64_t offset = schedule_offset_us(id, 300 * US_PER_SECOND);
        ck_assert_int_ge(offset, 0);
        ck_assert_int_lt(offset, 300 * US_PER_SECOND);
        ck_assert_int_eq(offset, schedule_offset_us(id, 300 * US_PER_SECOND));
        bucket[offset / (30 * US_PER_SECOND)]++;
    }
    for (unsigned i = 0; i < 10; i++)
        ck_assert_msg(bucket[i] > 60 && bucket[i] < 140, "bucket %u has %u", i, bucket[i]);
    const struct {
        int64_t now, interval, offset, next;
    } cases[] = {{0, 100, 0, 100},   {99, 100, 0, 100},     {100, 100, 0, 200}, {5, 100, 30, 30},
                 {30, 100, 30, 130}, {1234, 100, 30, 1330}, {-5, 100, 0, 0},    {-100, 100, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_int_eq(schedule_next_us(cases[i].now, cases[i].interval, cases[i].offset),
                         cases[i].next);
}
END_TEST

/* ---- delivery --------------------------------------------------------------- */

START_TEST(retry_after_reads_seconds_and_dates)
{
    int64_t now, us;
    ck_assert(time_parse("2026-11-21T02:00:00Z", 20, &now));
    const struct {
        const char *text;
        bool ok;
        int64_t us;
    } cases[] = {
        {"0", true, 0},
        {"120", true, 120 * US_PER_SECOND},
        {" 7", true, 7 * US_PER_SECOND},
        {"Sat, 21 Nov 2026 02:00:30 GMT", true, 30 * US_PER_SECOND},
        {"Sat, 21 Nov 2026 01:00:00 GMT", true, 0},
        {"Sat, 21 Nov 2026 02:00:30", false, 0},
        {"Sat, 21 Nov 2026 02:00:30 CET", false, 0},
        {"Sat, 32 Nov 2026 02:00:30 GMT", false, 0},
        {"Sat, 21 Now 2026 02:00:30 GMT", false, 0},
        {"-1", false, 0},
        {"1.5", false, 0},
        {"soon", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(retry_after_parse(cases[i].text, now, &us) == cases[i].ok, "\"%s\"",
                      cases[i].text);
        if (cases[i].ok)
            ck_assert_int_eq(us, cases[i].us);
    }
    ck_assert(retry_after_parse("99999999999999999999", now, &us)); /* no overflow */
}
END_TEST

struct fake {
    const int *codes; /* 0: no reply */
    size_t at;
    int64_t retry_after_us;
    int64_t waited_us;
    unsigned waits;
    unsigned patience;
};

static enum status fake_post(void *arg, const struct transport_request *request,
                             struct transport_reply *reply, struct err *err)
{
    struct fake *fake = arg;
    (void)request;
    int code = fake->codes[fake->at++];
    if (code == 0)
        return err_set(err, ST_IO, "no server");
    if (code < 0)
        return err_set(err, ST_NOMEM, "out of memory");
    reply->code = code;
    if (code == 503)
        reply->retry_after_us = fake->retry_after_us;
    return ST_OK;
}

static bool fake_wait(void *arg, int64_t wait_us, const struct err *reason)
{
    struct fake *fake = arg;
    (void)reason;
    fake->waited_us += wait_us;
    return ++fake->waits <= fake->patience;
}

START_TEST(deliver_retries_what_may_work_later)
{
    static const int away[] = {0, 503, 429, 502, 408, 200};
    static const int refused[] = {400, 200};
    static const int never[] = {0, 0, 0, 0, 0, 0};
    static const int broken[] = {-1, 200};
    static const int unknown[] = {501, 200};
    const struct {
        const int *codes;
        unsigned patience;
        enum status status;
        int code;
        unsigned waits;
    } cases[] = {{away, 10, ST_OK, 200, 5},
                 {refused, 10, ST_OK, 400, 0},
                 {never, 3, ST_TIMEOUT, 0, 4},
                 {broken, 10, ST_NOMEM, 0, 0},
                 {unknown, 10, ST_OK, 501, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fake fake = {.codes = cases[i].codes,
                            .retry_after_us = 3 * US_PER_SECOND,
                            .patience = cases[i].patience};
        struct transport transport = {&fake, fake_post};
        struct deliver_wait wait = {&fake, fake_wait};
        struct transport_request request = {
            .path = "/x", .content_type = "text/plain", .data = "", .length = 0};
        struct transport_reply reply = {.body = STRBUF_INIT};
        struct backoff backoff;
        struct err err = {0};
        backoff_init(&backoff, 1000, 5000, 7);
        ck_assert_int_eq(deliver(&transport, &request, &backoff, &wait, &reply, &err),
                         cases[i].status);
        if (cases[i].status == ST_OK)
            ck_assert_int_eq(reply.code, cases[i].code);
        else
            ck_assert(err.message[0] != '\0');
        ck_assert_uint_eq(fake.waits, cases[i].waits);
        if (i == 0)
            ck_assert_int_ge(fake.waited_us, 3 * US_PER_SECOND);
        strbuf_done(&reply.body);
    }
}
END_TEST

/* ---- gzip */

START_TEST(gzip_round_trips_and_refuses_every_cut)
{
    AUTO_STRBUF struct strbuf plain = STRBUF_INIT;
    AUTO_STRBUF struct strbuf packed = STRBUF_INIT;
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct err err = {0};
    for (int i = 0; i < 30000; i++)
        strbuf_u64(&plain, (uint64_t)i * 2654435761u % 1000003u);
    strbuf_puts(&packed, "before");
    strbuf_puts(&out, "kept");
    ck_assert_int_eq(gzip_pack(plain.data, plain.length, &packed, &err), ST_OK);
    ck_assert_uint_lt(packed.length, plain.length * 2 / 3);
    const char *member = packed.data + 6;
    size_t length = packed.length - 6;
    ck_assert_int_eq(gzip_unpack(member, length, plain.length, &out, &err), ST_OK);
    ck_assert_uint_eq(out.length, plain.length + 4);
    ck_assert_mem_eq(out.data + 4, plain.data, plain.length);
    ck_assert_int_eq(gzip_unpack(member, length, plain.length - 1, &out, &err), ST_TOO_LARGE);
    ck_assert_uint_eq(out.length, plain.length + 4);
    for (size_t cut = 0; cut < length; cut += cut < 64 || cut + 64 > length ? 1 : 997) {
        if (gzip_unpack(member, cut, plain.length, &out, &err) != ST_MALFORMED ||
            out.length != plain.length + 4)
            ck_abort_msg("cut at %u was taken", (unsigned)cut);
    }
    strbuf_puts(&packed, "x");
    member = packed.data + 6;
    ck_assert_int_eq(gzip_unpack(member, length + 1, plain.length, &out, &err), ST_MALFORMED);
}
END_TEST

START_TEST(gzip_of_nothing_round_trips)
{
    AUTO_STRBUF struct strbuf packed = STRBUF_INIT;
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    ck_assert_int_eq(gzip_pack("", 0, &packed, NULL), ST_OK);
    ck_assert_int_eq(gzip_unpack(packed.data, packed.length, 0, &out, NULL), ST_OK);
    ck_assert_uint_eq(out.length, 0);
}
END_TEST

Suite *core_suite(void)
{
    Suite *suite = suite_create("core");
    TCase *changes = tcase_create("changes");
    tcase_add_test(changes, changes_wrap_and_new_tag_round_trip);
    tcase_add_test(changes, changes_random_tables_round_trip);
    tcase_add_test(changes, changes_without_fitting_base_stay_complete);
    suite_add_tcase(suite, changes);
    TCase *time = tcase_create("time");
    tcase_add_test(time, backoff_waits_stay_within_doubling_bounds);
    tcase_add_test(time, backoff_jitter_is_full);
    tcase_add_test(time, backoff_never_waits_less_than_retry_after);
    tcase_add_test(time, schedule_offsets_spread_and_slots_are_skipped);
    suite_add_tcase(suite, time);
    TCase *delivery = tcase_create("delivery");
    tcase_add_test(delivery, retry_after_reads_seconds_and_dates);
    tcase_add_test(delivery, deliver_retries_what_may_work_later);
    suite_add_tcase(suite, delivery);
    TCase *gzip = tcase_create("gzip");
    tcase_add_test(gzip, gzip_round_trips_and_refuses_every_cut);
    tcase_add_test(gzip, gzip_of_nothing_round_trips);
    suite_add_tcase(suite, gzip);
    return suite;
}
