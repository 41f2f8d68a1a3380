/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever form snapshots are in, they read the same: appended, sealed, both at once, after a crash
 * at any step of sealing, beside late documents and damage.
 */
#include "server/ingest/ingest.h"
#include "server/jobs/seal.h"
#include "server/store/partition.h"
#include "server/store/store_hosts.h"
#include "server/store/store_snapshots.h"
#include "tests/support/fleetgen.h"
#include "tests/support/pg.h"

#include <check.h>

#include <stdio.h>
#include <string.h>

Suite *seal_suite(void);

#define T0    (1700049600ll * US_PER_SECOND) /* 12 h: the start of a span */
#define STEP  (20 * US_PER_MINUTE)
#define DOCS  100 /* 33 hours: three spans */
#define BOOT2 60  /* first document of the second boot */

static struct pg pg;
static struct fleet *fleet;
static struct ingest *ingest;
static atomic_bool never;

static void setup(void)
{
    struct ingest_options options = {.queue_bytes = 64u << 20, .keyframe_us = 6 * US_PER_HOUR};
    pg_setup(&pg);
    fleet = fleet_new();
    ck_assert_int_eq(ingest_start(pg.pool, fleet, &options, &ingest, NULL), ST_OK);
}

static void teardown(void)
{
    ingest_stop(ingest);
    fleet_free(fleet);
    pg_teardown(&pg);
}

/* ---- a host as it should be ------------------------------------------------ */

struct world {
    struct arena arena;
    struct snapshot_table table[DOCS][POOL_COUNT];
    bool held[DOCS]; /* was accepted, and is to be read */
};

static int64_t taken(size_t i)
{
    return T0 + (int64_t)i * STEP;
}

static int64_t boot_of(size_t i)
{
    return i < BOOT2 ? T0 - US_PER_HOUR : taken(BOOT2) - US_PER_SECOND;
}

static void world_make(struct world *world, uint64_t seed)
{
    struct rng rng = {seed};
    *world = (struct world){0};
    for (size_t i = 0; i < DOCS; i++) {
        for (int pool = 0; pool < POOL_COUNT; pool++) {
            if (i % BOOT2 == 0)
                gen_table(&rng, &world->arena, &world->table[i][pool], 30, COLUMN_ALL);
            else
                gen_step(&rng, &world->arena, &world->table[i - 1][pool], &world->table[i][pool],
                         6);
        }
    }
}

/* Document i, based on document `base` (SIZE_MAX: complete), with a process in it. */
static struct snapshot *document(const struct world *world, const char *host, size_t i, size_t base)
{
    struct snapshot *s =
        gen_snapshot(host, boot_of(i), taken(i), (int64_t)i, base == SIZE_MAX ? -1 : (int64_t)base);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (base == SIZE_MAX)
            gen_copy(&s->arena, &world->table[i][pool], &s->table[pool]);
        else
            ck_assert_int_eq(snapshot_table_changed(&s->arena, &world->table[base][pool],
                                                    &world->table[i][pool], &s->table[pool]),
                             ST_OK);
    }
    totals_set(&s->totals, TOTAL_HANDLES, 1000 + i);
    s->processes = arena_alloc(&s->arena, 1, sizeof *s->processes);
    s->processes[0] = (struct snapshot_process){(int64_t)i, "a.exe", 5};
    s->process_count = 1;
    if (i % 25 == 7) {
        s->blocks = arena_alloc(&s->arena, 1, sizeof *s->blocks);
        s->blocks[0] = (struct snapshot_blocks){.tag = 0x41424344, .count = 1};
        s->blocks[0].bytes = arena_alloc(&s->arena, 1, sizeof(uint64_t));
        s->blocks[0].blocks = arena_alloc(&s->arena, 1, sizeof(uint64_t));
        s->blocks[0].bytes[0] = 65536 + i;
        s->blocks[0].blocks[0] = 3;
        s->block_count = 1;
    }
    return s;
}

static void send(struct world *world, const char *host, size_t i, size_t base)
{
    struct snapshot *s = document(world, host, i, base);
    struct outcome outcome = {0};
    ck_assert_int_eq(gen_send(ingest, &s, 1, NULL, &outcome), ST_OK);
    ck_assert_msg(outcome.outcome == INGEST_ACCEPTED, "%zu: %s", i, outcome.err.message);
    world->held[i] = true;
}

static size_t usual_base(size_t i)
{
    return i % BOOT2 == 0 ? SIZE_MAX : i - 1;
}

static void send_range(struct world *world, const char *host, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        send(world, host, i, usual_base(i));
}

static struct db *lease(void)
{
    struct db *db = NULL;
    struct err err = {0};
    enum status status = db_lease(pg.pool, 5 * US_PER_SECOND, &db, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
    return db;
}

static int64_t key_of(struct db *db, const char *host)
{
    int64_t key = 0;
    ck_assert_int_eq(store_host_key(db, host, &key, NULL), ST_OK);
    return key;
}

static void check_one(const struct world *world, const struct snapshot *s, size_t i)
{
    ck_assert_int_eq(s->taken_at_us, taken(i));
    ck_assert_int_eq(s->boot_at_us, boot_of(i));
    ck_assert_int_eq(s->sequence, (int64_t)i);
    ck_assert_msg(gen_same_tables(s->table, world->table[i]), "tables differ at %zu", i);
    ck_assert_uint_eq(s->totals.value[TOTAL_HANDLES], 1000 + i);
    ck_assert_uint_eq(s->process_count, 1);
    ck_assert_int_eq(s->processes[0].pid, (int64_t)i);
    ck_assert_uint_eq(s->block_count, i % 25 == 7 ? 1 : 0);
    if (s->block_count > 0)
        ck_assert_uint_eq(s->blocks[0].bytes[0], 65536 + i);
}

struct walk {
    const struct world *world;
    size_t next;
};

static enum status walked(const struct snapshot *s, void *arg)
{
    struct walk *walk = arg;
    while (walk->next < DOCS && !walk->world->held[walk->next])
        walk->next++;
    ck_assert_uint_lt(walk->next, DOCS);
    check_one(walk->world, s, walk->next++);
    return ST_OK;
}

static void check_series(struct db *db, const struct world *world, int64_t key, enum pool pool)
{
    uint32_t tag = world->table[0][pool].tag[1];
    struct series series;
    size_t point = 0;
    ck_assert_int_eq(store_series_read(db, key, pool, tag, taken(3), taken(DOCS), &series, NULL),
                     ST_OK);
    for (size_t i = 3; i < DOCS; i++) {
        if (!world->held[i])
            continue;
        const struct snapshot_table *table = &world->table[i][pool];
        size_t row = snapshot_table_find(table, tag);
        ck_assert_uint_lt(point, series.count);
        ck_assert_int_eq(series.t_us[point], taken(i));
        ck_assert_uint_eq(series.known[point], row == SIZE_MAX ? 0 : (unsigned)COLUMN_ALL);
        if (row != SIZE_MAX) {
            ck_assert_uint_eq(series.allocs[point], table->allocs[row]);
            ck_assert_uint_eq(series.frees[point], table->frees[row]);
            ck_assert_uint_eq(series.bytes[point], table->bytes[row]);
        }
        point++;
    }
    ck_assert_uint_eq(point, series.count);
    series_done(&series);
}

/* Every way to read gives every snapshot exactly once and as it was sent. */
static void check_all(const struct world *world, const char *host)
{
    struct db *db = lease();
    int64_t key = key_of(db, host);
    int64_t grid[DOCS / 5];
    struct walk walk = {world, 0};
    size_t held = 0;
    for (size_t i = 0; i < DOCS; i++) {
        struct snapshot s;
        struct err err = {0};
        held += world->held[i];
        if (!world->held[i] || i % 3 == 1)
            continue;
        enum status status = store_snapshot_at(db, key, taken(i), &s, &err);
        ck_assert_msg(status == ST_OK, "%zu: %s", i, err.message);
        check_one(world, &s, i);
        snapshot_done(&s);
    }
    ck_assert_int_eq(store_snapshots_sample(db, key, T0, taken(DOCS), NULL, 0, walked, &walk, NULL),
                     ST_OK);
    while (walk.next < DOCS && !world->held[walk.next])
        walk.next++;
    ck_assert_uint_eq(walk.next, DOCS);
    for (size_t i = 0; i < DOCS / 5; i++)
        grid[i] = taken(i * 5 + 4);
    struct world sparse = *world; /* what the grid picks: the newest held one of each five */
    for (size_t i = 0; i < DOCS; i++) {
        for (size_t k = i + 1; k < (i / 5 + 1) * 5; k++)
            sparse.held[i] = sparse.held[i] && !world->held[k];
    }
    walk = (struct walk){&sparse, 0};
    ck_assert_int_eq(
        store_snapshots_sample(db, key, T0, taken(DOCS), grid, DOCS / 5, walked, &walk, NULL),
        ST_OK);
    check_series(db, world, key, POOL_PAGED);
    check_series(db, world, key, POOL_NONPAGED);
    db_release(db);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM snapshot JOIN host USING (host_id)"
                                    " WHERE id = 'h1'"),
                     (int64_t)held);
}

/* ---- sealing --------------------------------------------------------------- */

/* Long enough ago for all that was received, that it is sealed and dropped. */
static struct seal_options long_ago(void)
{
    return (struct seal_options){.now_us = clock_wall_us() + US_PER_DAY,
                                 .settle_us = SEAL_SETTLE_US,
                                 .drop_us = SEAL_DROP_US};
}

static enum status try_seal(const struct seal_options *options, struct seal_counts *ret_counts,
                            struct err *err)
{
    struct db *db = lease();
    enum status status = seal_pass(db, options, &never, ret_counts, err);
    db_release(db);
    return status;
}

static struct seal_counts seal(void)
{
    struct seal_options options = long_ago();
    struct seal_counts counts = {0};
    struct err err = {0};
    enum status status = try_seal(&options, &counts, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
    return counts;
}

static int64_t count_of(const char *table)
{
    AUTO_STRBUF struct strbuf sql = STRBUF_INIT;
    strbuf_printf(&sql, "SELECT count(*) FROM %s", table);
    return pg_number(&pg, sql.data);
}

START_TEST(seal_all_forms_read_the_same)
{
    struct world world;
    world_make(&world, 1);
    send_range(&world, "h1", 0, DOCS);
    check_all(&world, "h1");
    struct seal_counts counts = seal();
    ck_assert_uint_eq(counts.snapshots, DOCS);
    ck_assert_uint_eq(counts.raw, 0);
    ck_assert_uint_eq(counts.chunks, 4); /* three spans, one of them with two boots */
    ck_assert_uint_ge(counts.partitions, 1);
    ck_assert_int_eq(count_of("snapshot_block"), 0);
    ck_assert_int_eq(count_of("snapshot_chunk"), 4);
    ck_assert_int_eq(pg_number(&pg, "SELECT sum(snapshots)::bigint FROM snapshot_chunk"), DOCS);
    ck_assert_int_eq(count_of("seal_progress"), 0);
    check_all(&world, "h1");
    counts = seal();
    ck_assert_uint_eq(counts.snapshots, 0);
    arena_done(&world.arena);
}
END_TEST

START_TEST(seal_settled_but_not_old_is_kept_in_both_forms)
{
    struct world world;
    struct seal_counts counts = {0};
    struct seal_options options = long_ago();
    world_make(&world, 2);
    send_range(&world, "h1", 0, DOCS);
    options.now_us = span_start(clock_wall_us()) + SPAN_US + SEAL_SETTLE_US - 1;
    ck_assert_int_eq(try_seal(&options, &counts, NULL), ST_OK);
    ck_assert_uint_eq(counts.snapshots, 0);
    options.now_us += 1;
    ck_assert_int_eq(try_seal(&options, &counts, NULL), ST_OK);
    ck_assert_uint_eq(counts.snapshots, DOCS);
    ck_assert_uint_eq(counts.partitions, 0);
    ck_assert_int_eq(count_of("snapshot_block"), DOCS);
    check_all(&world, "h1");
    ck_assert_int_eq(try_seal(&options, &counts, NULL), ST_OK);
    ck_assert_uint_eq(counts.snapshots, 0); /* what is noted is not done again */
    pg_sql(&pg, "DELETE FROM seal_progress");
    ck_assert_int_eq(try_seal(&options, &counts, NULL), ST_OK);
    ck_assert_uint_eq(counts.snapshots, 0); /* nor what another partition had sealed */
    options.now_us += SEAL_DROP_US;
    ck_assert_int_eq(try_seal(&options, &counts, NULL), ST_OK);
    ck_assert_int_eq(count_of("snapshot_block"), 0);
    check_all(&world, "h1");
    arena_done(&world.arena);
}
END_TEST

START_TEST(seal_later_documents_rest_on_sealed_ones)
{
    struct world world;
    world_make(&world, 3);
    send_range(&world, "h1", 0, 35);
    seal();
    send_range(&world, "h1", 35, DOCS); /* 35 is based on 34, in the same span */
    check_all(&world, "h1");
    seal();
    check_all(&world, "h1");
    ck_assert_int_eq(count_of("snapshot_chunk"), 4);
    arena_done(&world.arena);
}
END_TEST

START_TEST(seal_late_documents_join_what_is_sealed)
{
    struct world world;
    world_make(&world, 4);
    for (size_t i = 0; i < DOCS; i++) {
        if (i % 7 != 3)
            send(&world, "h1", i, i % BOOT2 == 0 ? SIZE_MAX : i % 7 == 4 ? i - 2 : i - 1);
    }
    seal();
    check_all(&world, "h1");
    for (size_t i = 3; i < DOCS; i += 7) { /* back-fill, on bases that are sealed */
        send(&world, "h1", i, i % 2 == 0 ? SIZE_MAX : i - 1);
        if (i % 4 == 0)
            check_all(&world, "h1");
    }
    check_all(&world, "h1");
    seal();
    ck_assert_int_eq(count_of("snapshot_chunk"), 4);
    ck_assert_int_eq(pg_number(&pg, "SELECT sum(snapshots)::bigint FROM snapshot_chunk"), DOCS);
    ck_assert_int_eq(count_of("snapshot_block"), 0);
    check_all(&world, "h1");
    arena_done(&world.arena);
}
END_TEST

START_TEST(seal_repeats_of_sealed_documents_are_duplicates)
{
    struct world world;
    world_make(&world, 5);
    send_range(&world, "h1", 0, 40);
    seal();
    for (size_t i = 0; i < 40; i += 9) {
        struct snapshot *s = document(&world, "h1", i, usual_base(i));
        struct outcome outcome = {0};
        ck_assert_int_eq(gen_send(ingest, &s, 1, NULL, &outcome), ST_OK);
        ck_assert_int_eq(outcome.outcome, INGEST_DUPLICATE);
    }
    ck_assert_int_eq(count_of("snapshot_block"), 0);
    check_all(&world, "h1");
    arena_done(&world.arena);
}
END_TEST

START_TEST(seal_without_boot_or_sequence_comes_back)
{
    struct rng rng = {6};
    struct snapshot_table kept[6][POOL_COUNT];
    struct arena arena = {0};
    for (int i = 0; i < 6; i++) {
        struct snapshot *s = gen_snapshot("h1", i < 3 ? TIME_UNKNOWN : T0, T0 + i * STEP, -1, -1);
        struct outcome outcome = {0};
        gen_table(&rng, &s->arena, &s->table[POOL_PAGED], 5, COLUMN_BYTES);
        gen_copy(&arena, &s->table[0], &kept[i][0]);
        gen_copy(&arena, &s->table[1], &kept[i][1]);
        ck_assert_int_eq(gen_send(ingest, &s, 1, NULL, &outcome), ST_OK);
        ck_assert_int_eq(outcome.outcome, INGEST_ACCEPTED);
    }
    ck_assert_uint_eq(seal().chunks, 2);
    seal();
    struct db *db = lease();
    for (int i = 0; i < 6; i++) {
        struct snapshot s;
        ck_assert_int_eq(store_snapshot_at(db, key_of(db, "h1"), T0 + i * STEP, &s, NULL), ST_OK);
        ck_assert(gen_same_tables(s.table, kept[i]));
        ck_assert_int_eq(s.boot_at_us, i < 3 ? TIME_UNKNOWN : T0);
        ck_assert_int_eq(s.sequence, SEQUENCE_UNKNOWN);
        snapshot_done(&s);
    }
    db_release(db);
    arena_done(&arena);
}
END_TEST

START_TEST(seal_rows_from_before_read_the_same_beside_new_ones)
{
    struct world world;
    world_make(&world, 7);
    send_range(&world, "h1", 0, 50);
    /* What a database held before 0010: block and detail in the row itself. */
    pg_sql(&pg, "UPDATE snapshot s SET block = b.block, detail = coalesce(s.detail, '{}') ||"
                " coalesce(b.detail, '{}') FROM snapshot_block b WHERE b.host_id = s.host_id"
                " AND b.taken_at = s.taken_at; TRUNCATE snapshot_block;"
                " INSERT INTO job_mark SELECT 'blocks in rows', max(taken_at) FROM snapshot");
    check_all(&world, "h1");
    send_range(&world, "h1", 50, DOCS);
    check_all(&world, "h1");
    seal();
    check_all(&world, "h1");
    arena_done(&world.arena);
}
END_TEST

START_TEST(seal_chunks_without_a_head_read_the_same_and_are_written_anew)
{
    struct world world;
    world_make(&world, 17);
    send_range(&world, "h1", 0, DOCS - 20);
    seal();
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM snapshot_chunk WHERE head IS NOT NULL"
                                    " AND group_ends IS NOT NULL"),
                     4);
    pg_sql(&pg, "UPDATE snapshot_chunk SET chunk = head || chunk, head = NULL, group_keys = NULL,"
                " group_ends = NULL");
    check_all(&world, "h1");
    send_range(&world, "h1", DOCS - 20, DOCS);
    seal();
    check_all(&world, "h1");
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM snapshot_chunk WHERE head IS NULL"), 3);
    arena_done(&world.arena);
}
END_TEST

static void file_as_chunk(const char *path)
{
    AUTO_STRBUF struct strbuf sql = STRBUF_INIT;
    AUTO_FILE FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "could not open %s (tests run in the top folder)", path);
    pg_sql(&pg,
           "SELECT partition_ensure('snapshot_chunk', ARRAY['2023-11-14 18:00+00'::timestamptz])");
    strbuf_puts(&sql, "INSERT INTO snapshot_chunk SELECT host_id, '2023-11-14 18:00+00',"
                      " '2023-07-22 04:26:40.000001+00', 0, 12, now(), '\\x");
    for (int byte; (byte = fgetc(file)) != EOF;)
        strbuf_printf(&sql, "%02x", (unsigned)byte);
    strbuf_puts(&sql, "' FROM host WHERE id = 'h1'");
    pg_sql(&pg, sql.data);
}

/* A database that had chunks before the form changed: one of tests/data/chunk. Its text says that a
 * row 179d2193 had 876939217 allocations in the first of its twelve snapshots. */
START_TEST(seal_chunks_of_the_first_version_are_read)
{
    struct world world;
    struct series series;
    bool seen = false;
    world_make(&world, 18);
    send_range(&world, "h1", 0, 2);
    file_as_chunk("tests/data/chunk/v1_small.bin");
    struct db *db = lease();
    int64_t from = 1699984800ll * US_PER_SECOND;
    ck_assert_int_eq(store_series_read(db, key_of(db, "h1"), POOL_NONPAGED, 0x179d2193, from,
                                       from + 12 * US_PER_HOUR, &series, NULL),
                     ST_OK);
    ck_assert_uint_eq(series.count, 12);
    for (size_t i = 0; i < series.count; i++) {
        ck_assert(i == 0 || series.t_us[i - 1] < series.t_us[i]);
        seen = seen || (series.t_us[i] == 1700007831094172 && series.allocs[i] == 876939217);
    }
    ck_assert(seen);
    series_done(&series);
    db_release(db);
    arena_done(&world.arena);
}
END_TEST

/* ---- crashes --------------------------------------------------------------- */

struct crash {
    int after; /* so many steps, then it crashes */
    bool kill; /* the connection goes, instead of the pass giving up */
    int seen;
};

static enum status crash(const char *step, void *arg)
{
    struct crash *c = arg;
    (void)step;
    if (c->seen++ != c->after)
        return ST_OK;
    if (!c->kill)
        return ST_IO;
    pg_kill_backends(&pg);
    return ST_OK; /* it finds out by itself */
}

START_TEST(seal_crash_at_any_step_loses_and_doubles_nothing)
{
    struct world world;
    world_make(&world, 8);
    send_range(&world, "h1", 0, DOCS);
    for (int host = 0; host < 3; host++) {
        char name[] = "other0";
        struct world other;
        name[5] = (char)('0' + host);
        world_make(&other, 80);
        send_range(&other, name, 0, 3);
        arena_done(&other.arena);
    }
    bool crashed = true;
    int steps = 0;
    for (; crashed; steps++) {
        struct crash c = {.after = steps, .kill = _i == 1};
        struct seal_options options = long_ago();
        struct seal_counts counts = {0};
        options.after = crash;
        options.after_arg = &c;
        enum status status = try_seal(&options, &counts, NULL);
        crashed = c.seen > c.after;
        ck_assert(crashed || status == ST_OK);
        check_all(&world, "h1");
        ck_assert_int_lt(steps, 40);
    }
    ck_assert_int_ge(steps, 3);
    ck_assert_int_eq(count_of("snapshot_block"), 0);
    ck_assert_int_eq(count_of("snapshot"), DOCS + 9);
    ck_assert_int_eq(pg_number(&pg, "SELECT sum(snapshots)::bigint FROM snapshot_chunk"), DOCS + 9);
    arena_done(&world.arena);
}
END_TEST

static enum status straggle(const char *step, void *arg)
{
    if (strcmp(step, "commit") != 0 || *(bool *)arg)
        return ST_OK;
    *(bool *)arg = true;
    /* A transaction that began before the partition settled commits only now. */
    pg_sql(&pg,
           "INSERT INTO snapshot SELECT host_id, taken_at + '1 s', boot_at, 1000, base, keyframe,"
           " taken_at + '1 s', chain, received_at, row_count FROM snapshot WHERE sequence = 0;"
           " INSERT INTO snapshot_block SELECT host_id, taken_at + '1 s', boot_at, 1000,"
           " received_at, detail, block FROM snapshot_block WHERE sequence = 0");
    return ST_OK;
}

START_TEST(seal_straggler_keeps_its_partition_until_it_is_sealed)
{
    struct world world;
    struct seal_options options = long_ago();
    struct seal_counts counts = {0};
    bool done = false;
    world_make(&world, 9);
    send_range(&world, "h1", 0, 10);
    options.after = straggle;
    options.after_arg = &done;
    ck_assert_int_eq(try_seal(&options, &counts, NULL), ST_OK);
    ck_assert(done);
    ck_assert_int_eq(count_of("snapshot_block"), 11);
    counts = seal();
    ck_assert_uint_eq(counts.snapshots, 11);
    ck_assert_int_eq(count_of("snapshot_block"), 0);
    struct db *db = lease();
    struct snapshot s;
    ck_assert_int_eq(store_snapshot_at(db, key_of(db, "h1"), T0 + US_PER_SECOND, &s, NULL), ST_OK);
    ck_assert_int_eq(s.sequence, 1000);
    ck_assert(gen_same_tables(s.table, world.table[0]));
    snapshot_done(&s);
    db_release(db);
    arena_done(&world.arena);
}
END_TEST

/* ---- damage ---------------------------------------------------------------- */

#define FLIP_LAST                                                                                  \
    "UPDATE snapshot_chunk SET chunk = set_byte(chunk, length(chunk) - 1,"                         \
    " get_byte(chunk, length(chunk) - 1) # 16)"

START_TEST(seal_damaged_chunk_is_named_and_the_rest_is_served)
{
    struct world world;
    struct err err = {0};
    struct snapshot s;
    world_make(&world, 10);
    send_range(&world, "h1", 0, DOCS - 5);
    seal();
    /* The second span: 36 to 71, of which 36 to 59 belong to the first boot. The last byte is of
     * paged rows. */
    pg_sql(&pg, FLIP_LAST " WHERE boot_at = (SELECT min(boot_at) FROM snapshot)"
                          " AND span_at = (SELECT min(span_at) + '12 h' FROM snapshot_chunk)");
    struct db *db = lease();
    int64_t key = key_of(db, "h1");
    ck_assert_int_eq(store_snapshot_at(db, key, taken(40), &s, &err), ST_MALFORMED);
    ck_assert_msg(strstr(err.message, "wrong checksum") != NULL, "%s", err.message);
    ck_assert_msg(strstr(err.message, "2023-11-16T00:00:00") != NULL, "%s", err.message);
    db_release(db);
    struct world rest = world;
    for (size_t i = 36; i < BOOT2; i++)
        rest.held[i] = false;
    struct walk walk = {&rest, 0};
    db = lease();
    ck_assert_int_eq(store_snapshots_sample(db, key, T0, taken(DOCS), NULL, 0, walked, &walk, NULL),
                     ST_OK);
    ck_assert_uint_eq(walk.next, DOCS - 5);
    check_series(db, &rest, key, POOL_PAGED);
    check_series(db, &world, key, POOL_NONPAGED); /* another group: not touched by it */
    db_release(db);
    /* A late document does not write over what somebody may want to mend. */
    struct snapshot *late = document(&world, "h1", 50, SIZE_MAX);
    struct outcome outcome = {0};
    late->sequence = 2000;
    late->taken_at_us += US_PER_SECOND;
    ck_assert_int_eq(gen_send(ingest, &late, 1, NULL, &outcome), ST_OK);
    ck_assert_int_eq(outcome.outcome, INGEST_ACCEPTED);
    ck_assert_uint_eq(seal().snapshots, 1);
    ck_assert_int_eq(count_of("snapshot_chunk"), 5);
    db = lease();
    ck_assert_int_eq(store_snapshot_at(db, key, taken(50) + US_PER_SECOND, &s, NULL), ST_OK);
    ck_assert(gen_same_tables(s.table, world.table[50]));
    snapshot_done(&s);
    db_release(db);
    /* Mended, everything is there again. */
    pg_sql(&pg, FLIP_LAST " WHERE boot_at = (SELECT min(boot_at) FROM snapshot) AND part = 0"
                          " AND span_at = (SELECT min(span_at) + '12 h' FROM snapshot_chunk);"
                          " DELETE FROM snapshot_chunk WHERE part = 1;"
                          " DELETE FROM snapshot WHERE sequence = 2000");
    check_all(&world, "h1");
    arena_done(&world.arena);
}
END_TEST

START_TEST(seal_chunks_of_six_hours_are_read_and_joined_by_a_late_document)
{
    struct world world;
    world_make(&world, 13);
    send_range(&world, "h1", 0, 17);
    seal();
    /* Out of sight, so that the other half of the span is sealed alone; then as both were. */
    pg_sql(&pg, "UPDATE snapshot_chunk SET span_at = span_at - interval '12 h'");
    send(&world, "h1", 18, SIZE_MAX);
    send_range(&world, "h1", 19, 36);
    ck_assert_uint_eq(seal().snapshots, 18);
    pg_sql(&pg, "UPDATE snapshot_chunk SET span_at = span_at + interval '6 h' WHERE snapshots = 18;"
                " UPDATE snapshot_chunk SET span_at = span_at + interval '12 h'"
                " WHERE snapshots = 17");
    check_all(&world, "h1");
    send(&world, "h1", 17, SIZE_MAX);
    check_all(&world, "h1");
    ck_assert_uint_eq(seal().snapshots, 36);
    ck_assert_int_eq(count_of("snapshot_chunk"), 1);
    check_all(&world, "h1");
    arena_done(&world.arena);
}
END_TEST

START_TEST(seal_snapshot_without_its_base_is_kept_as_it_is)
{
    struct world world;
    world_make(&world, 11);
    send_range(&world, "h1", 0, 12);
    /* 5 is gone, and with it what 6 to 11 rest on; then it comes back. */
    pg_sql(&pg, "CREATE TABLE lost AS SELECT * FROM snapshot WHERE sequence = 5;"
                " CREATE TABLE lost_block AS SELECT * FROM snapshot_block WHERE sequence = 5;"
                " DELETE FROM snapshot WHERE sequence = 5;"
                " DELETE FROM snapshot_block WHERE sequence = 5");
    struct seal_counts counts = seal();
    ck_assert_uint_eq(counts.snapshots, 11);
    ck_assert_uint_eq(counts.raw, 6);
    ck_assert_int_eq(count_of("snapshot_block"), 0);
    send(&world, "h1", 5, SIZE_MAX);
    check_all(&world, "h1"); /* nothing of theirs was lost */
    counts = seal();
    ck_assert_uint_eq(counts.raw, 0);
    check_all(&world, "h1");
    arena_done(&world.arena);
}
END_TEST

START_TEST(seal_changed_block_is_kept_as_it_is)
{
    struct world world;
    struct snapshot s;
    world_make(&world, 12);
    send_range(&world, "h1", 0, 4);
    pg_sql(&pg, "UPDATE snapshot_block SET block = set_byte(block, 9, 255 - get_byte(block, 9))"
                " WHERE sequence = 1");
    struct seal_counts counts = seal();
    ck_assert_uint_eq(counts.raw, 3);
    struct db *db = lease();
    ck_assert_int_eq(store_snapshot_at(db, key_of(db, "h1"), taken(0), &s, NULL), ST_OK);
    ck_assert(gen_same_tables(s.table, world.table[0]));
    snapshot_done(&s);
    ck_assert_int_eq(store_snapshot_at(db, key_of(db, "h1"), taken(1), &s, NULL), ST_MALFORMED);
    db_release(db);
    arena_done(&world.arena);
}
END_TEST

/* ---- start and retention --------------------------------------------------- */

START_TEST(seal_silent_host_is_loaded_at_start)
{
    struct world world;
    struct arena arena = {0};
    struct snapshot_table table[POOL_COUNT];
    struct fleet *again = fleet_new();
    world_make(&world, 13);
    send_range(&world, "h1", 0, DOCS);
    seal();
    struct db *db = lease();
    ck_assert_int_eq(fleet_load(db, again, NULL), ST_OK);
    db_release(db);
    const struct host_state *state = fleet_get(again, "h1");
    ck_assert_ptr_nonnull(state);
    ck_assert_int_eq(host_state_tables(state, &arena, table), ST_OK);
    ck_assert(gen_same_tables(table, world.table[DOCS - 1]));
    host_state_release(state);
    fleet_free(again);
    arena_done(&arena);
    arena_done(&world.arena);
}
END_TEST

START_TEST(seal_retention_drops_old_days_in_every_form_and_nothing_else)
{
    struct world world;
    size_t dropped = 0;
    int64_t next_day = T0 - T0 % US_PER_DAY + US_PER_DAY;
    world_make(&world, 14);
    send_range(&world, "h1", 0, DOCS);
    seal();
    ck_assert_int_gt(taken(DOCS - 1), next_day); /* two days: the old one goes */
    struct db *db = lease();
    for (int table = 0; table < PARTITION_TAG_HOUR; table++)
        ck_assert_int_eq(partition_drop(db, (enum partition_table)table, next_day, &dropped, NULL),
                         ST_OK);
    db_release(db);
    size_t gone = 0;
    while (taken(gone) < next_day)
        world.held[gone++] = false;
    ck_assert_int_eq(count_of("snapshot"), (int64_t)(DOCS - gone));
    ck_assert_int_eq(pg_number(&pg, "SELECT sum(snapshots)::bigint FROM snapshot_chunk"),
                     (int64_t)(DOCS - gone));
    check_all(&world, "h1");
    arena_done(&world.arena);
}
END_TEST

Suite *seal_suite(void)
{
    Suite *suite = suite_create("seal");
    TCase *tc = tcase_create("seal");
    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, seal_all_forms_read_the_same);
    tcase_add_test(tc, seal_settled_but_not_old_is_kept_in_both_forms);
    tcase_add_test(tc, seal_later_documents_rest_on_sealed_ones);
    tcase_add_test(tc, seal_late_documents_join_what_is_sealed);
    tcase_add_test(tc, seal_repeats_of_sealed_documents_are_duplicates);
    tcase_add_test(tc, seal_without_boot_or_sequence_comes_back);
    tcase_add_test(tc, seal_rows_from_before_read_the_same_beside_new_ones);
    tcase_add_test(tc, seal_chunks_without_a_head_read_the_same_and_are_written_anew);
    tcase_add_test(tc, seal_chunks_of_the_first_version_are_read);
    tcase_add_loop_test(tc, seal_crash_at_any_step_loses_and_doubles_nothing, 0, 2);
    tcase_add_test(tc, seal_straggler_keeps_its_partition_until_it_is_sealed);
    tcase_add_test(tc, seal_damaged_chunk_is_named_and_the_rest_is_served);
    tcase_add_test(tc, seal_chunks_of_six_hours_are_read_and_joined_by_a_late_document);
    tcase_add_test(tc, seal_snapshot_without_its_base_is_kept_as_it_is);
    tcase_add_test(tc, seal_changed_block_is_kept_as_it_is);
    tcase_add_test(tc, seal_silent_host_is_loaded_at_start);
    tcase_add_test(tc, seal_retention_drops_old_days_in_every_form_and_nothing_else);
    suite_add_tcase(suite, tc);
    return suite;
}
