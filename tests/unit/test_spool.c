/* SPDX-License-Identifier: Apache-2.0 */
/* agent/core/spool: order, bounds, torn files, and the power cut at every step. */
#include "agent/core/spool.h"
#include "common/snapshot.h"
#include "tests/support/fake_disk.h"

#include <check.h>

Suite *spool_suite(void);

#define T0 (1700000000ll * US_PER_SECOND)

static const struct spool_limits wide = {.bytes = 1u << 20, .age_us = US_PER_DAY};

static void open_spool(struct spool *spool, struct fake_disk *disk,
                       const struct spool_limits *limits)
{
    struct err err = {0};
    ck_assert_msg(spool_open(spool, &disk->files, limits, 1, 0, &err) == ST_OK, "%s", err.message);
}

static enum status append(struct spool *spool, int64_t sequence, size_t length, int64_t now_us)
{
    struct err err = {0};
    char data[2048];
    struct spool_entry entry = {.taken_at_us = now_us,
                                .boot_at_us = T0 - US_PER_HOUR,
                                .sequence = sequence,
                                .base = SEQUENCE_UNKNOWN};
    memset(data, (int)('a' + sequence % 26), sizeof data);
    return spool_append(spool, &entry, data, length, now_us, &err);
}

static void remove_first(struct spool *spool)
{
    ck_assert_int_eq(spool_remove(spool, spool->entries[0].number, NULL), ST_OK);
}

START_TEST(spool_reopened_gives_the_same_records_in_order)
{
    struct fake_disk disk;
    struct spool spool;
    fake_disk_init(&disk, 1);
    open_spool(&spool, &disk, &wide);
    for (int i = 0; i < 40; i++)
        ck_assert_int_eq(append(&spool, i, 100 + (size_t)i, T0 + i), ST_OK);
    remove_first(&spool);
    uint64_t bytes = spool.bytes;
    spool_done(&spool);
    open_spool(&spool, &disk, &wide);
    ck_assert_uint_eq(spool.count, 39);
    ck_assert_uint_eq(spool.bytes, bytes);
    ck_assert_uint_eq(spool.dropped, 0);
    ck_assert_uint_eq(spool.next_number, 41);
    for (size_t i = 0; i < spool.count; i++) {
        AUTO_STRBUF struct strbuf out = STRBUF_INIT;
        struct err err = {0};
        int64_t sequence = (int64_t)i + 1;
        ck_assert_int_eq(spool.entries[i].sequence, sequence);
        ck_assert_int_eq(spool.entries[i].taken_at_us, T0 + sequence);
        ck_assert_int_eq(spool.entries[i].boot_at_us, T0 - US_PER_HOUR);
        ck_assert_int_eq(spool.entries[i].base, SEQUENCE_UNKNOWN);
        ck_assert_int_eq(spool_read(&spool, i, &out, &err), ST_OK);
        ck_assert_uint_eq(out.length, 100 + (size_t)sequence);
        ck_assert_int_eq(out.data[50], (char)('a' + sequence % 26));
    }
    spool_done(&spool);
    fake_disk_done(&disk);
}
END_TEST

START_TEST(spool_over_its_bytes_drops_the_oldest_and_counts)
{
    struct fake_disk disk;
    struct spool spool;
    const struct spool_limits limits = {.bytes = 5 * (100 + SPOOL_HEADER_BYTES),
                                        .age_us = US_PER_DAY};
    fake_disk_init(&disk, 1);
    open_spool(&spool, &disk, &limits);
    for (int i = 0; i < 9; i++)
        ck_assert_int_eq(append(&spool, i, 100, T0 + i), ST_OK);
    ck_assert_uint_eq(spool.count, 5);
    ck_assert_int_eq(spool.entries[0].sequence, 4);
    ck_assert_uint_eq(spool.dropped, 4);
    ck_assert_uint_eq(spool.losses[SPOOL_LOSS_BYTES], 4);
    ck_assert_uint_eq(spool.bytes, limits.bytes);
    ck_assert_uint_eq(fake_disk_count(&disk, "spool-"), 5);
    /* One large record pushes several out. */
    ck_assert_int_eq(append(&spool, 9, 400, T0 + 9), ST_OK);
    ck_assert_uint_eq(spool.count, 3);
    ck_assert_uint_eq(spool.dropped, 7);
    /* Larger than the bound: refused, nothing is pushed out for it. */
    ck_assert_int_eq(append(&spool, 10, 1500, T0 + 10), ST_TOO_LARGE);
    ck_assert_uint_eq(spool.count, 3);
    spool_done(&spool);
    open_spool(&spool, &disk, &limits);
    ck_assert_uint_eq(spool.dropped, 7);
    spool_done(&spool);
    fake_disk_done(&disk);
}
END_TEST

START_TEST(spool_too_old_records_go_and_future_ones_stay)
{
    struct fake_disk disk;
    struct spool spool;
    fake_disk_init(&disk, 1);
    open_spool(&spool, &disk, &wide);
    ck_assert_int_eq(append(&spool, 1, 10, T0), ST_OK);
    ck_assert_int_eq(append(&spool, 2, 10, T0 + US_PER_HOUR), ST_OK);
    ck_assert_int_eq(append(&spool, 3, 10, T0 + US_PER_DAY + US_PER_MINUTE), ST_OK);
    ck_assert_uint_eq(spool.count, 2);
    ck_assert_uint_eq(spool.losses[SPOOL_LOSS_AGE], 1);
    ck_assert_int_eq(append(&spool, 4, 10, T0 - 400 * US_PER_DAY), ST_OK); /* clock set back */
    ck_assert_uint_eq(spool.count, 3);
    ck_assert_uint_eq(spool.dropped, 1);
    spool_done(&spool);
    fake_disk_done(&disk);
}
END_TEST

/* Each byte of a record is covered: no flipped bit and no length passes. */
START_TEST(spool_torn_or_changed_record_is_removed_and_counted)
{
    struct fake_disk disk;
    struct spool spool;
    AUTO_STRBUF struct strbuf whole = STRBUF_INIT;
    const char *name = "spool-0000000000000001";
    fake_disk_init(&disk, 1);
    open_spool(&spool, &disk, &wide);
    ck_assert_int_eq(append(&spool, 1, 60, T0), ST_OK);
    const struct strbuf *file = fake_disk_find(&disk, name);
    strbuf_add(&whole, file->data, file->length);
    spool_done(&spool);
    for (size_t i = 0; i < 2 * whole.length; i++) {
        AUTO_STRBUF struct strbuf bad = STRBUF_INIT;
        strbuf_add(&bad, whole.data, i < whole.length ? whole.length : i - whole.length);
        if (i < whole.length)
            bad.data[i] = (char)(bad.data[i] ^ (1 << i % 8));
        fake_disk_put(&disk, name, bad.data, bad.length);
        open_spool(&spool, &disk, &wide);
        if (spool.count != 0 || spool.dropped != 1 || fake_disk_count(&disk, "spool-") != 0)
            ck_abort_msg("fault %zu of the record was not seen", i);
        spool_done(&spool);
    }
    /* A whole record under another name is not that record. */
    fake_disk_put(&disk, "spool-0000000000000007", whole.data, whole.length);
    open_spool(&spool, &disk, &wide);
    ck_assert_uint_eq(spool.count, 0);
    ck_assert_uint_eq(spool.next_number, 8);
    spool_done(&spool);
    fake_disk_done(&disk);
}
END_TEST

START_TEST(spool_record_torn_while_open_is_removed_on_read)
{
    struct fake_disk disk;
    struct spool spool;
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct err err = {0};
    fake_disk_init(&disk, 1);
    open_spool(&spool, &disk, &wide);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(append(&spool, i, 60, T0), ST_OK);
    fake_disk_put(&disk, "spool-0000000000000001", "x", 1);
    ck_assert_int_eq(spool_read(&spool, 0, &out, &err), ST_MALFORMED);
    ck_assert_uint_eq(spool.count, 2);
    ck_assert_uint_eq(spool.losses[SPOOL_LOSS_TORN], 1);
    ck_assert_int_eq(spool.entries[0].sequence, 1);
    /* One that cannot be read now stays. */
    disk.no_read = "spool-0000000000000002";
    ck_assert_int_eq(spool_read(&spool, 0, &out, &err), ST_IO);
    ck_assert_uint_eq(spool.count, 2);
    spool_done(&spool);
    open_spool(&spool, &disk, &wide);
    ck_assert_uint_eq(spool.count, 1);
    ck_assert_uint_eq(spool.unreadable, 1);
    disk.no_read = NULL;
    spool_done(&spool);
    open_spool(&spool, &disk, &wide);
    ck_assert_uint_eq(spool.count, 2);
    spool_done(&spool);
    fake_disk_done(&disk);
}
END_TEST

START_TEST(spool_leaves_foreign_files_alone)
{
    static const char *const names[] = {"state",
                                        "identity",
                                        "agent.log",
                                        "spool-",
                                        "spool-0000000000000001.tmp",
                                        "spool-000000000000000G",
                                        "spool-00000000000000A1",
                                        "spool-0000000000000000",
                                        "spool-ffffffffffffffff",
                                        "spool-00000000000000001"};
    struct fake_disk disk;
    struct spool spool;
    fake_disk_init(&disk, 1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        fake_disk_put(&disk, names[i], "x", 1);
    open_spool(&spool, &disk, &wide);
    ck_assert_uint_eq(spool.count, 0);
    ck_assert_uint_eq(spool.dropped, 0);
    ck_assert_uint_eq(disk.count, sizeof names / sizeof names[0]);
    spool_done(&spool);
    fake_disk_done(&disk);
}
END_TEST

START_TEST(spool_full_disk_gives_up_old_records_then_reports)
{
    struct fake_disk disk;
    struct spool spool;
    fake_disk_init(&disk, 1);
    open_spool(&spool, &disk, &wide);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(append(&spool, i, 100, T0), ST_OK);
    disk.max_bytes = spool.bytes;
    ck_assert_int_eq(append(&spool, 5, 100, T0), ST_OK);
    ck_assert_int_eq(spool.entries[spool.count - 1].sequence, 5);
    ck_assert_uint_eq(spool.dropped + spool.count, 6);
    disk.max_bytes = 1;
    ck_assert_int_eq(append(&spool, 6, 100, T0), ST_TOO_LARGE);
    disk.max_bytes = 0;
    disk.no_writes = true;
    ck_assert_int_eq(append(&spool, 7, 100, T0), ST_IO);
    disk.no_writes = false;
    ck_assert_int_eq(append(&spool, 8, 100, T0), ST_OK);
    spool_done(&spool);
    fake_disk_done(&disk);
}
END_TEST

START_TEST(spool_counts_a_loss_once_when_the_cut_comes_before_the_removal)
{
    struct fake_disk disk;
    struct spool spool;
    const struct spool_limits limits = {.bytes = 3 * (50 + SPOOL_HEADER_BYTES),
                                        .age_us = US_PER_DAY};
    fake_disk_init(&disk, 1);
    open_spool(&spool, &disk, &limits);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(append(&spool, i, 50, T0), ST_OK);
    disk.no_removes = true; /* the record is written, the oldest stays */
    ck_assert_int_eq(append(&spool, 3, 50, T0), ST_OK);
    ck_assert_uint_eq(fake_disk_count(&disk, "spool-"), 4);
    disk.no_removes = false;
    spool_done(&spool);
    for (int round = 0; round < 2; round++) {
        open_spool(&spool, &disk, &limits);
        ck_assert_uint_eq(spool.dropped, 1);
        ck_assert_uint_eq(spool.count, 3);
        ck_assert_int_eq(spool.entries[0].sequence, 1);
        spool_done(&spool);
    }
    fake_disk_done(&disk);
}
END_TEST

/* ---- power cuts: a model that knows what was promised */

#define SERIALS 200000

enum serial_state { UNKNOWN, TRIED, PROMISED, DELIVERED };

struct model {
    struct fake_disk disk;
    struct spool spool;
    struct spool_limits limits;
    bool open;
    unsigned char *states; /* enum serial_state of each serial */
    int64_t next;          /* serial, also the sequence of its record */
    uint64_t promised, delivered, doubled;
    uint64_t remembered_next, remembered_dropped; /* what the agent's state file holds */
};

static size_t payload(int64_t serial, char data[300])
{
    size_t length = 20 + (size_t)(serial * 7919 % 250);
    for (size_t i = 0; i < length; i++)
        data[i] = (char)(serial * 31 + (int64_t)i * 7);
    return length;
}

static void model_init(struct model *m, uint64_t seed, bool lying, uint64_t bytes)
{
    *m = (struct model){.limits = {.bytes = bytes, .age_us = US_PER_DAY}, .remembered_next = 1};
    fake_disk_init(&m->disk, seed);
    m->disk.lying = lying;
    m->states = calloc(SERIALS, 1);
}

static void model_done(struct model *m)
{
    if (m->open)
        spool_done(&m->spool);
    fake_disk_done(&m->disk);
    free(m->states);
}

static void model_append(struct model *m)
{
    char data[300];
    int64_t serial = m->next++;
    size_t length = payload(serial, data);
    struct spool_entry entry = {.taken_at_us = T0 + serial, .sequence = serial, .base = serial - 1};
    m->states[serial] = TRIED;
    if (spool_append(&m->spool, &entry, data, length, T0 + serial, NULL) != ST_OK)
        return;
    m->states[serial] = PROMISED;
    m->promised++;
    m->remembered_next = m->spool.next_number;
    m->remembered_dropped = m->spool.dropped;
}

/* The server takes the oldest; then its record is removed. NULL: as it should be. */
static const char *model_deliver(struct model *m)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    char data[300];
    if (m->spool.count == 0)
        return NULL;
    struct spool_entry entry = m->spool.entries[0];
    enum status st = spool_read(&m->spool, 0, &out, NULL);
    if (st != ST_OK)
        return m->disk.dead || m->disk.lying ? NULL : "a record could not be read";
    size_t length = payload(entry.sequence, data);
    if (length != out.length || memcmp(data, out.data, length) != 0)
        return "a record holds something else";
    if (m->states[entry.sequence] == DELIVERED)
        m->doubled++; /* sent twice; the server knows it by its sequence */
    else
        m->delivered++;
    m->states[entry.sequence] = DELIVERED;
    (void)!spool_remove(&m->spool, entry.number, NULL);
    return NULL;
}

/* Everything promised is there, delivered or counted; nothing is there twice or changed. */
static const char *model_reopen(struct model *m)
{
    uint64_t there = 0;
    uint64_t again = 0;
    if (m->open)
        spool_done(&m->spool);
    fake_disk_power_on(&m->disk);
    m->open = spool_open(&m->spool, &m->disk.files, &m->limits, m->remembered_next,
                         m->remembered_dropped, NULL) == ST_OK;
    if (!m->open)
        return "could not open";
    for (size_t i = 0; i < m->spool.count; i++) {
        const struct spool_entry *entry = &m->spool.entries[i];
        if (i > 0 && entry->sequence <= entry[-1].sequence)
            return "out of order or twice";
        if (m->states[entry->sequence] == UNKNOWN)
            return "a record nobody made";
        if (m->states[entry->sequence] == TRIED) { /* it came through after all */
            m->states[entry->sequence] = PROMISED;
            m->promised++;
        }
        there += m->states[entry->sequence] == PROMISED;
        again += m->states[entry->sequence] == DELIVERED;
    }
    if (again > m->disk.returned)
        return "a delivered record is back though its removal was not undone";
    uint64_t missing = m->promised - m->delivered - there;
    if (missing > m->spool.dropped && !m->disk.lying)
        return "promised, and neither there nor counted";
    if (m->spool.dropped > missing + m->disk.returned && !m->disk.lying)
        return "counted as lost, and not missing";
    return NULL;
}

static const char *model_round(struct model *m, unsigned steps)
{
    for (unsigned i = 0; i < steps && !m->disk.dead; i++) {
        const char *fault = NULL;
        if (fake_disk_random(&m->disk, 5) < 3)
            model_append(m);
        else
            fault = model_deliver(m);
        if (fault != NULL)
            return fault;
    }
    return NULL;
}

static void run_cuts(uint64_t seed, bool lying, unsigned cuts)
{
    struct model m;
    model_init(&m, seed, lying, 6000);
    const char *fault = model_reopen(&m);
    unsigned done = 0;
    for (; done < cuts && fault == NULL; done++) {
        m.disk.cut_at = m.disk.step + 1 + fake_disk_random(&m.disk, 60);
        fault = model_round(&m, 1000);
        if (fault == NULL)
            fault = model_reopen(&m);
    }
    while (fault == NULL && m.spool.count > 0)
        fault = model_deliver(&m);
    ck_assert_msg(fault == NULL, "seed %llu, cut %u: %s", (unsigned long long)seed, done, fault);
    ck_assert_uint_gt(m.promised, cuts);
    ck_assert_uint_gt(m.delivered, cuts / 4);
    ck_assert_uint_le(m.doubled, m.disk.returned);
    if (lying)
        ck_assert_uint_gt(m.disk.torn, 0);
    model_done(&m);
}

START_TEST(spool_ten_thousand_random_cuts_lose_and_double_nothing)
{
    run_cuts(1, false, 10000);
}
END_TEST

START_TEST(spool_random_cuts_on_a_lying_disk_never_give_wrong_content)
{
    run_cuts(2, true, 3000);
}
END_TEST

/* One script of appends, deliveries and overflows, cut at each of its steps in turn. */
static void run_script(struct model *m, const char **fault)
{
    static const char script[] = "aaadaaaaaaaaaaddaaddddaaaaaaaaaaaaaad";
    for (const char *c = script; *c != '\0' && *fault == NULL && !m->disk.dead; c++) {
        if (*c == 'a')
            model_append(m);
        else
            *fault = model_deliver(m);
    }
}

START_TEST(spool_cut_at_every_step_of_a_script_loses_nothing)
{
    uint64_t steps = 1;
    for (uint64_t k = 1; k <= steps; k++) {
        for (uint64_t seed = 0; seed < 8; seed++) {
            struct model m;
            model_init(&m, seed, false, 1500);
            const char *fault = model_reopen(&m);
            m.disk.cut_at = k;
            if (fault == NULL)
                run_script(&m, &fault);
            if (fault == NULL)
                fault = model_reopen(&m);
            if (fault == NULL)
                fault = model_round(&m, 30);
            if (fault == NULL)
                fault = model_reopen(&m);
            if (fault != NULL)
                ck_abort_msg("cut at step %u, seed %u: %s", (unsigned)k, (unsigned)seed, fault);
            if (k == 1 && seed == 0) { /* how many steps it has */
                struct model whole;
                model_init(&whole, 0, false, 1500);
                (void)!model_reopen(&whole);
                run_script(&whole, &fault);
                steps = whole.disk.step;
                ck_assert_uint_gt(whole.spool.dropped, 0);
                model_done(&whole);
            }
            model_done(&m);
        }
    }
    ck_assert_uint_gt(steps, 200);
}
END_TEST

Suite *spool_suite(void)
{
    Suite *suite = suite_create("spool");
    TCase *records = tcase_create("records");
    tcase_add_test(records, spool_reopened_gives_the_same_records_in_order);
    tcase_add_test(records, spool_over_its_bytes_drops_the_oldest_and_counts);
    tcase_add_test(records, spool_too_old_records_go_and_future_ones_stay);
    tcase_add_test(records, spool_torn_or_changed_record_is_removed_and_counted);
    tcase_add_test(records, spool_record_torn_while_open_is_removed_on_read);
    tcase_add_test(records, spool_leaves_foreign_files_alone);
    tcase_add_test(records, spool_full_disk_gives_up_old_records_then_reports);
    suite_add_tcase(suite, records);
    TCase *cuts = tcase_create("cuts");
    tcase_set_timeout(cuts, 120);
    tcase_add_test(cuts, spool_counts_a_loss_once_when_the_cut_comes_before_the_removal);
    tcase_add_test(cuts, spool_cut_at_every_step_of_a_script_loses_nothing);
    tcase_add_test(cuts, spool_ten_thousand_random_cuts_lose_and_double_nothing);
    tcase_add_test(cuts, spool_random_cuts_on_a_lying_disk_never_give_wrong_content);
    suite_add_tcase(suite, cuts);
    return suite;
}
