/* SPDX-License-Identifier: Apache-2.0 */
#include "server/ingest/ingest.h"
#include "server/store/store_hosts.h"
#include "server/store/store_snapshots.h"
#include "tests/support/fleetgen.h"
#include "tests/support/pg.h"

#include <check.h>

#include <pthread.h>
#include <string.h>

Suite *ingest_suite(void);

#define T0   (1700000000ll * US_PER_SECOND)
#define BOOT (T0 - US_PER_HOUR)
#define STEP (5 * US_PER_MINUTE)

static struct pg pg;
static struct fleet *fleet;
static struct ingest *ingest;

static void start(void)
{
    struct ingest_options options = {.queue_bytes = 64u << 20, .keyframe_us = US_PER_HOUR};
    struct err err = {0};
    enum status status = ingest_start(pg.pool, fleet, &options, &ingest, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
}

static void setup(void)
{
    pg_setup(&pg);
    fleet = fleet_new();
    start();
}

static void teardown(void)
{
    ingest_stop(ingest);
    fleet_free(fleet);
    pg_teardown(&pg);
}

/* ---- a host's history as it should be --------------------------------------- */

#define MODEL_MAX 200

struct model {
    struct arena arena;
    size_t count;
    struct snapshot_table table[MODEL_MAX][POOL_COUNT];
    int64_t taken[MODEL_MAX];
};

static struct snapshot *model_document(struct model *model, size_t i, const char *host, bool whole)
{
    bool based = i > 0 && !whole;
    struct snapshot *s =
        gen_snapshot(host, BOOT, model->taken[i], (int64_t)i, based ? (int64_t)i - 1 : -1);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (based)
            ck_assert_int_eq(snapshot_table_changed(&s->arena, &model->table[i - 1][pool],
                                                    &model->table[i][pool], &s->table[pool]),
                             ST_OK);
        else
            gen_copy(&s->arena, &model->table[i][pool], &s->table[pool]);
    }
    totals_set(&s->totals, TOTAL_NONPAGED_BYTES, 1000 + i);
    return s;
}

static void model_make(struct model *model, struct rng *rng, size_t count, size_t rows)
{
    *model = (struct model){.count = count};
    unsigned columns = rng_below(rng, 4) == 0 ? COLUMN_BYTES : COLUMN_ALL;
    for (size_t i = 0; i < count; i++) {
        model->taken[i] = T0 + (int64_t)i * STEP;
        for (int pool = 0; pool < POOL_COUNT; pool++) {
            if (i == 0)
                gen_table(rng, &model->arena, &model->table[0][pool], rows, columns);
            else
                gen_step(rng, &model->arena, &model->table[i - 1][pool], &model->table[i][pool], 6);
        }
    }
}

static int64_t host_key(const char *id)
{
    struct db *db = NULL;
    int64_t key = 0;
    ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, NULL), ST_OK);
    ck_assert_int_eq(store_host_key(db, id, &key, NULL), ST_OK);
    db_release(db);
    return key;
}

static void check_reads(const struct model *model, const char *host)
{
    struct db *db = NULL;
    int64_t key = host_key(host);
    ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, NULL), ST_OK);
    for (size_t i = 0; i < model->count; i++) {
        struct snapshot s;
        struct err err = {0};
        enum status status = store_snapshot_at(db, key, model->taken[i] + 1, &s, &err);
        ck_assert_msg(status == ST_OK, "%zu: %s", i, err.message);
        ck_assert_int_eq(s.taken_at_us, model->taken[i]);
        ck_assert_msg(gen_same_tables(s.table, model->table[i]), "tables differ at %zu", i);
        ck_assert_uint_eq(s.totals.value[TOTAL_NONPAGED_BYTES], 1000 + i);
        snapshot_done(&s);
    }
    db_release(db);
}

struct walk {
    const struct model *model;
    size_t next;
    size_t step;
};

static enum status walked(const struct snapshot *s, void *arg)
{
    struct walk *walk = arg;
    ck_assert_uint_lt(walk->next, walk->model->count);
    ck_assert_int_eq(s->taken_at_us, walk->model->taken[walk->next]);
    ck_assert_msg(gen_same_tables(s->table, walk->model->table[walk->next]), "at %zu", walk->next);
    walk->next += walk->step;
    return ST_OK;
}

struct picked {
    const struct model *model;
    size_t wanted[MODEL_MAX];
    size_t count;
    size_t next;
};

static enum status picked_next(const struct snapshot *s, void *arg)
{
    struct picked *picked = arg;
    ck_assert_uint_lt(picked->next, picked->count);
    size_t i = picked->wanted[picked->next++];
    ck_assert_int_eq(s->taken_at_us, picked->model->taken[i]);
    ck_assert_msg(gen_same_tables(s->table, picked->model->table[i]), "at %zu", i);
    return ST_OK;
}

/* The newest of each span that the grid makes, found by looking at all. */
static void check_grid(struct db *db, int64_t key, const struct model *model, int64_t from_us,
                       int64_t to_us, const int64_t *grid, size_t grid_count)
{
    struct picked picked = {.model = model};
    size_t cell = SIZE_MAX;
    for (size_t i = 0; i < model->count; i++) {
        size_t g = 0;
        while (g < grid_count && grid[g] < model->taken[i])
            g++;
        if (model->taken[i] < from_us || model->taken[i] > to_us || g == grid_count)
            continue;
        picked.count += g != cell;
        picked.wanted[picked.count - 1] = i;
        cell = g;
    }
    ck_assert_int_eq(store_snapshots_sample(db, key, from_us, to_us, grid, grid_count, picked_next,
                                            &picked, NULL),
                     ST_OK);
    ck_assert_uint_eq(picked.next, picked.count);
}

static void check_edges(struct db *db, int64_t key, const struct model *model)
{
    int64_t grid[MODEL_MAX];
    int64_t first = model->taken[0];
    int64_t last = model->taken[model->count - 1];
    int64_t third = model->taken[2];
    for (int64_t beside = -1; beside <= 1; beside++) { /* just before, at and after snapshots */
        size_t count = 0;
        for (size_t i = 1; i < model->count; i += 3)
            grid[count++] = model->taken[i] + beside;
        check_grid(db, key, model, first, last, grid, count);
        check_grid(db, key, model, third, last - STEP, grid, count); /* spans before and beyond */
        check_grid(db, key, model, third + 1, last + STEP, grid, count);
        check_grid(db, key, model, last + 1, last + STEP, grid, count); /* nothing */
    }
}

static void check_walks(const struct model *model, const char *host)
{
    struct db *db = NULL;
    int64_t key = host_key(host);
    int64_t last = model->taken[model->count - 1];
    int64_t grid[MODEL_MAX];
    struct walk all = {model, 0, 1}, seventh = {model, 6, 7};
    size_t grid_count = 0;
    ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, NULL), ST_OK);
    ck_assert_int_eq(store_snapshots_sample(db, key, T0, last, NULL, 0, walked, &all, NULL), ST_OK);
    ck_assert_uint_eq(all.next, model->count);
    for (size_t i = 6; i < model->count; i += 7)
        grid[grid_count++] = model->taken[i] + STEP / 2;
    ck_assert_int_eq(
        store_snapshots_sample(db, key, T0, last, grid, grid_count, walked, &seventh, NULL), ST_OK);
    ck_assert_uint_eq(seventh.next, 6 + 7 * grid_count);
    check_edges(db, key, model);
    /* A tag of the first table, over time. */
    uint32_t tag = model->table[0][POOL_PAGED].tag[0];
    struct series series;
    size_t from = model->count / 3;
    ck_assert_int_eq(
        store_series_read(db, key, POOL_PAGED, tag, model->taken[from], last, &series, NULL),
        ST_OK);
    ck_assert_uint_eq(series.count, model->count - from);
    for (size_t i = 0; i < series.count; i++) {
        const struct snapshot_table *table = &model->table[from + i][POOL_PAGED];
        size_t row = snapshot_table_find(table, tag);
        ck_assert_uint_eq(series.known[i], snapshot_table_columns(table));
        ck_assert_uint_eq(series.bytes[i], table->bytes[row]);
        if (table->allocs != NULL)
            ck_assert_uint_eq(series.allocs[i], table->allocs[row]);
    }
    series_done(&series);
    db_release(db);
}

static void check_state(struct fleet *of, const struct model *model, const char *host)
{
    struct arena arena = {0};
    struct snapshot_table table[POOL_COUNT];
    const struct host_state *state = fleet_get(of, host);
    ck_assert_ptr_nonnull(state);
    ck_assert_int_eq(state->taken_at_us, model->taken[model->count - 1]);
    ck_assert_int_eq(state->sequence, (int64_t)model->count - 1);
    ck_assert_int_eq(host_state_tables(state, &arena, table), ST_OK);
    ck_assert(gen_same_tables(table, model->table[model->count - 1]));
    arena_done(&arena);
    host_state_release(state);
}

static void check_reload(const char *host)
{
    struct fleet *again = fleet_new();
    struct db *db = NULL;
    struct err err = {0};
    ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, NULL), ST_OK);
    enum status status = fleet_load(db, again, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
    db_release(db);
    ck_assert_uint_eq(fleet_count(again), fleet_count(fleet));
    const struct host_state *a = fleet_get(fleet, host), *b = fleet_get(again, host);
    struct arena arena = {0};
    struct snapshot_table x[POOL_COUNT], y[POOL_COUNT];
    ck_assert_int_eq(host_state_tables(a, &arena, x), ST_OK);
    ck_assert_int_eq(host_state_tables(b, &arena, y), ST_OK);
    ck_assert(gen_same_tables(x, y));
    ck_assert_int_eq(a->key, b->key);
    ck_assert_int_eq(a->boot_at_us, b->boot_at_us);
    ck_assert_int_eq(a->taken_at_us, b->taken_at_us);
    ck_assert_int_eq(a->sequence, b->sequence);
    /* Late documents count once loaded, but not when they come. */
    if (a->usual_interval_us != TIME_UNKNOWN)
        ck_assert_int_eq(a->usual_interval_us, b->usual_interval_us);
    ck_assert_uint_eq(a->totals.known, b->totals.known);
    ck_assert_uint_eq(a->attribute_count, b->attribute_count);
    for (size_t i = 0; i < a->attribute_count; i++) {
        ck_assert_str_eq(a->attributes[i].name, b->attributes[i].name);
        ck_assert_str_eq(a->attributes[i].value, b->attributes[i].value);
    }
    ck_assert_pstr_eq(a->name, b->name);
    arena_done(&arena);
    host_state_release(a);
    host_state_release(b);
    fleet_free(again);
}

static void send_one(struct snapshot *s, enum ingest_outcome expected)
{
    struct outcome outcome = {0};
    ck_assert_int_eq(gen_send(ingest, &s, 1, NULL, &outcome), ST_OK);
    ck_assert_msg(outcome.outcome == expected, "%d %s: %s", outcome.outcome, outcome.err.field,
                  outcome.err.message);
}

/* ---- tests ------------------------------------------------------------------ */

START_TEST(ingest_random_chains_read_back_exactly)
{
    struct rng rng = {(uint64_t)_i + 1};
    struct model model;
    model_make(&model, &rng, 60, 40);
    for (size_t i = 0; i < model.count;) {
        struct snapshot *batch[8];
        struct outcome outcomes[8] = {{0}};
        size_t n = 0, want = 1 + rng_below(&rng, 8);
        for (; n < want && i < model.count; n++, i++)
            batch[n] = model_document(&model, i, "h1", rng_below(&rng, 9) == 0);
        ck_assert_int_eq(gen_send(ingest, batch, n, NULL, outcomes), ST_OK);
        for (size_t k = 0; k < n; k++)
            ck_assert_msg(outcomes[k].outcome == INGEST_ACCEPTED, "%s", outcomes[k].err.message);
    }
    check_reads(&model, "h1");
    check_walks(&model, "h1");
    check_state(fleet, &model, "h1");
    check_reload("h1");
    /* An hour is twelve steps, so keyframes come at least that often; not everything is one. */
    int64_t keyframes = pg_number(&pg, "SELECT count(*) FROM snapshot WHERE keyframe");
    ck_assert_int_ge(keyframes, 5);
    ck_assert_int_lt(keyframes, 40);
    ck_assert_int_le(pg_number(&pg, "SELECT max(chain)::bigint FROM snapshot"), 24);
    arena_done(&model.arena);
}
END_TEST

START_TEST(ingest_every_repeat_is_a_duplicate_and_changes_nothing)
{
    struct rng rng = {7};
    struct model model;
    struct snapshot *all[20];
    struct outcome outcomes[20] = {{0}};
    model_make(&model, &rng, 20, 10);
    for (size_t i = 0; i < 20; i++)
        all[i] = model_document(&model, i, "h1", false);
    ck_assert_int_eq(gen_send(ingest, all, 20, NULL, outcomes), ST_OK);
    int64_t digest =
        pg_number(&pg, "SELECT hashtextextended(string_agg(snapshot::text, '' ORDER BY "
                       "taken_at), 0) FROM snapshot");
    for (size_t i = 0; i < 20; i++) {
        all[i] = model_document(&model, i, "h1", i % 2 == 0);
        if (i % 3 == 0) /* the same sequence, taken at another time */
            all[i]->taken_at_us += US_PER_SECOND;
    }
    ck_assert_int_eq(gen_send(ingest, all, 20, NULL, outcomes), ST_OK);
    for (size_t i = 0; i < 20; i++)
        ck_assert_int_eq(outcomes[i].outcome, INGEST_DUPLICATE);
    ck_assert_int_eq(pg_number(&pg,
                               "SELECT hashtextextended(string_agg(snapshot::text, '' ORDER BY "
                               "taken_at), 0) FROM snapshot"),
                     digest);
    check_state(fleet, &model, "h1");
    arena_done(&model.arena);
}
END_TEST

START_TEST(ingest_same_document_twice_in_one_body_is_one)
{
    struct rng rng = {8};
    struct model model;
    struct outcome outcomes[4] = {{0}};
    model_make(&model, &rng, 2, 10);
    struct snapshot *all[4] = {
        model_document(&model, 0, "h1", true), model_document(&model, 0, "h1", true),
        model_document(&model, 1, "h1", false), model_document(&model, 1, "h1", false)};
    ck_assert_int_eq(gen_send(ingest, all, 4, NULL, outcomes), ST_OK);
    ck_assert_int_eq(outcomes[0].outcome, INGEST_ACCEPTED);
    ck_assert_int_eq(outcomes[1].outcome, INGEST_DUPLICATE);
    ck_assert_int_eq(outcomes[2].outcome, INGEST_ACCEPTED);
    ck_assert_int_eq(outcomes[3].outcome, INGEST_DUPLICATE);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM snapshot"), 2);
    arena_done(&model.arena);
}
END_TEST

START_TEST(ingest_without_sequence_taken_at_is_the_key)
{
    struct rng rng = {9};
    for (int boot = 0; boot < 2; boot++) {
        int64_t boot_at = boot == 0 ? TIME_UNKNOWN : BOOT;
        for (int i = 0; i < 4; i++) {
            struct snapshot *s = gen_snapshot("h1", boot_at, T0 + (i / 2) * STEP + boot, -1, -1);
            gen_table(&rng, &s->arena, &s->table[POOL_PAGED], 5, COLUMN_BYTES);
            send_one(s, i % 2 == 0 ? INGEST_ACCEPTED : INGEST_DUPLICATE);
        }
    }
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM snapshot"), 4);
}
END_TEST

START_TEST(ingest_unknown_base_is_a_conflict_and_others_go_on)
{
    struct rng rng = {10};
    struct model model;
    struct outcome outcomes[4] = {{0}};
    model_make(&model, &rng, 6, 10);
    struct snapshot *all[4] = {
        model_document(&model, 0, "h1", true), model_document(&model, 4, "h1", false),
        model_document(&model, 1, "h2", false), model_document(&model, 1, "h1", false)};
    ck_assert_int_eq(gen_send(ingest, all, 4, NULL, outcomes), ST_OK);
    ck_assert_int_eq(outcomes[0].outcome, INGEST_ACCEPTED);
    for (int i = 1; i < 3; i++) {
        ck_assert_int_eq(outcomes[i].outcome, INGEST_REJECTED);
        ck_assert_int_eq(outcomes[i].err.code, ST_CONFLICT);
        ck_assert_str_eq(outcomes[i].err.field, "base");
    }
    ck_assert_int_eq(outcomes[3].outcome, INGEST_ACCEPTED);
    /* A host that never had an accepted document is not there. */
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM host"), 1);
    arena_done(&model.arena);
}
END_TEST

START_TEST(ingest_columns_unlike_the_base_are_refused)
{
    struct rng rng = {11};
    struct snapshot *first = gen_snapshot("h1", BOOT, T0, 1, -1);
    gen_table(&rng, &first->arena, &first->table[POOL_PAGED], 5, COLUMN_ALL);
    send_one(first, INGEST_ACCEPTED);
    struct snapshot *bytes_only = gen_snapshot("h1", BOOT, T0 + STEP, 2, 1);
    gen_table(&rng, &bytes_only->arena, &bytes_only->table[POOL_PAGED], 2, COLUMN_BYTES);
    struct snapshot *other_pool = gen_snapshot("h1", BOOT, T0 + STEP, 2, 1);
    gen_table(&rng, &other_pool->arena, &other_pool->table[POOL_NONPAGED], 2, COLUMN_ALL);
    struct snapshot *all[2] = {bytes_only, other_pool};
    struct outcome outcomes[2] = {{0}};
    ck_assert_int_eq(gen_send(ingest, all, 2, NULL, outcomes), ST_OK);
    ck_assert_int_eq(outcomes[0].err.code, ST_INVALID);
    ck_assert_str_eq(outcomes[0].err.field, "paged");
    ck_assert_int_eq(outcomes[1].err.code, ST_INVALID);
    ck_assert_str_eq(outcomes[1].err.field, "nonpaged");
}
END_TEST

START_TEST(ingest_other_host_than_the_tokens_is_forbidden)
{
    struct rng rng = {12};
    struct snapshot *all[3] = {gen_snapshot("h2", BOOT, T0, 1, -1),
                               gen_snapshot(NULL, BOOT, T0, 1, -1),
                               gen_snapshot("h1", BOOT, T0, 2, -1)};
    struct outcome outcomes[3] = {{0}};
    for (int i = 0; i < 3; i++)
        gen_table(&rng, &all[i]->arena, &all[i]->table[POOL_PAGED], 5, COLUMN_ALL);
    ck_assert_int_eq(gen_send(ingest, all, 3, "h1", outcomes), ST_OK);
    ck_assert_int_eq(outcomes[0].err.code, ST_FORBIDDEN);
    ck_assert_int_eq(outcomes[1].outcome, INGEST_ACCEPTED);
    ck_assert_int_eq(outcomes[2].outcome, INGEST_ACCEPTED);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM snapshot"), 2);
}
END_TEST

START_TEST(ingest_older_documents_are_kept_and_newest_stays)
{
    struct rng rng = {13};
    struct model model;
    model_make(&model, &rng, 30, 20);
    send_one(model_document(&model, 29, "h1", true), INGEST_ACCEPTED);
    for (size_t i = 0; i < 29; i += 5) { /* back-fill in bodies of five */
        struct snapshot *batch[5];
        struct outcome outcomes[5] = {{0}};
        size_t n = 0;
        for (; n < 5 && i + n < 29; n++)
            batch[n] = model_document(&model, i + n, "h1", i + n == 0);
        ck_assert_int_eq(gen_send(ingest, batch, n, NULL, outcomes), ST_OK);
        for (size_t k = 0; k < n; k++)
            ck_assert_msg(outcomes[k].outcome == INGEST_ACCEPTED, "%s", outcomes[k].err.message);
    }
    check_reads(&model, "h1");
    check_walks(&model, "h1");
    check_state(fleet, &model, "h1");
    ck_assert_int_eq(pg_number(&pg, "SELECT (extract(epoch FROM first_seen_at) * 1000000)::bigint "
                                    "FROM host"),
                     T0);
    arena_done(&model.arena);
}
END_TEST

START_TEST(ingest_other_server_wrote_meanwhile)
{
    struct rng rng = {14};
    struct model model;
    struct fleet *other_fleet = fleet_new();
    struct ingest *other = NULL, *mine = ingest;
    struct ingest_options options = {.queue_bytes = 1u << 20, .keyframe_us = US_PER_HOUR};
    ck_assert_int_eq(ingest_start(pg.pool, other_fleet, &options, &other, NULL), ST_OK);
    model_make(&model, &rng, 20, 20);
    for (size_t i = 0; i < model.count; i++) {
        struct snapshot *s = model_document(&model, i, "h1", i == 0);
        struct outcome outcome = {0};
        ck_assert_int_eq(gen_send(i % 3 == 0 ? other : mine, &s, 1, NULL, &outcome), ST_OK);
        ck_assert_msg(outcome.outcome == INGEST_ACCEPTED, "%s", outcome.err.message);
        s = model_document(&model, i, "h1", i == 0); /* and a repeat at the other one */
        ck_assert_int_eq(gen_send(i % 3 == 0 ? mine : other, &s, 1, NULL, &outcome), ST_OK);
        ck_assert_int_eq(outcome.outcome, INGEST_DUPLICATE);
    }
    check_reads(&model, "h1");
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM snapshot"), 20);
    ingest_stop(other);
    fleet_free(other_fleet);
    arena_done(&model.arena);
}
END_TEST

START_TEST(ingest_lost_backend_is_exactly_once)
{
    struct rng rng = {15};
    struct model model;
    model_make(&model, &rng, 40, 20);
    for (size_t i = 0; i < model.count; i++) {
        struct outcome outcome = {0};
        if (i % 4 == 1)
            pg_kill_backends(&pg);
        /* One new connection is tried before anybody is told. */
        struct snapshot *s = model_document(&model, i, "h1", i == 0);
        ck_assert_int_eq(gen_send(ingest, &s, 1, NULL, &outcome), ST_OK);
        ck_assert_msg(outcome.outcome != INGEST_REJECTED, "%s", outcome.err.message);
    }
    check_reads(&model, "h1");
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM snapshot"), 40);
    arena_done(&model.arena);
}
END_TEST

START_TEST(ingest_failed_transaction_publishes_nothing)
{
    struct rng rng = {16};
    struct model model;
    struct outcome outcome = {0};
    model_make(&model, &rng, 3, 20);
    send_one(model_document(&model, 0, "h1", true), INGEST_ACCEPTED);
    pg_sql(&pg, "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
                "'disk full' USING ERRCODE = '53100'; END $$;"
                "CREATE TRIGGER no BEFORE INSERT ON snapshot FOR EACH ROW EXECUTE FUNCTION no();"
                "CREATE TRIGGER no BEFORE UPDATE ON host FOR EACH ROW EXECUTE FUNCTION no()");
    for (int whole = 0; whole < 2; whole++) { /* changed rows: one statement; else a transaction */
        struct snapshot *s = model_document(&model, 1, "h1", whole == 1);
        ck_assert_int_eq(gen_send(ingest, &s, 1, NULL, &outcome), ST_DB);
        const struct host_state *state = fleet_get(fleet, "h1");
        ck_assert_int_eq(state->sequence, 0);
        host_state_release(state);
        ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM snapshot"), 1);
        pg_sql(&pg, "DROP TRIGGER IF EXISTS no ON snapshot"); /* now the host's row alone fails */
    }
    pg_sql(&pg, "DROP TRIGGER no ON host");
    send_one(model_document(&model, 1, "h1", false), INGEST_ACCEPTED);
    arena_done(&model.arena);
}
END_TEST

static struct snapshot *with_role(int64_t sequence, const char *role, const char *version)
{
    struct rng rng = {17};
    struct snapshot *s = gen_snapshot("h1", BOOT, T0 + sequence * STEP, sequence, -1);
    gen_table(&rng, &s->arena, &s->table[POOL_PAGED], 3, COLUMN_ALL);
    if (role != NULL) {
        s->has_attributes = true;
        s->attribute_count = 1;
        s->attributes = arena_alloc(&s->arena, 1, sizeof *s->attributes);
        s->attributes[0].name = "role";
        s->attributes[0].value = arena_strdup(&s->arena, role);
    }
    if (version != NULL) {
        s->has_drivers = true;
        s->driver_count = 1;
        s->drivers = arena_alloc(&s->arena, 1, sizeof *s->drivers);
        s->drivers[0].name = "a.sys";
        s->drivers[0].version = arena_strdup(&s->arena, version);
        s->drivers[0].tags = arena_alloc(&s->arena, 2, sizeof *s->drivers->tags);
        s->drivers[0].tag_count = 2;
        s->drivers[0].tags[0] = tag_from_bytes((const unsigned char *)"Ddk ");
        s->drivers[0].tags[1] = tag_from_bytes((const unsigned char *)"\1\"\\,");
    }
    return s;
}

static void check_facts(int64_t as_of, const char *expected)
{
    struct db *db = NULL;
    struct store_facts facts;
    struct strbuf text = STRBUF_INIT;
    int64_t key = host_key("h1");
    ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, NULL), ST_OK);
    ck_assert_int_eq(store_host_facts(db, key, T0 + as_of * STEP, &facts, NULL), ST_OK);
    for (size_t i = 0; i < facts.count; i++) {
        const struct store_fact *f = &facts.items[i];
        strbuf_printf(&text, "%s=%s %lld", f->name, f->value,
                      (long long)((f->valid_from_us - T0) / STEP));
        if (f->valid_to_us != TIME_UNKNOWN)
            strbuf_printf(&text, "-%lld", (long long)((f->valid_to_us - T0) / STEP));
        strbuf_puts(&text, "; ");
    }
    strbuf_puts(&text, "");
    ck_assert_str_eq(text.data, expected);
    strbuf_done(&text);
    store_facts_done(&facts);
    db_release(db);
}

START_TEST(ingest_facts_keep_their_history)
{
    send_one(with_role(10, "web", "1.0"), INGEST_ACCEPTED);
    send_one(with_role(11, "web", "1.0"), INGEST_ACCEPTED);
    send_one(with_role(12, "sql", "1.1"), INGEST_ACCEPTED);
    send_one(with_role(13, NULL, NULL), INGEST_ACCEPTED);
    check_facts(20, "driver/a.sys=1.0 10-12; driver/a.sys=1.1 12; role=web 10-12; role=sql 12; ");
    check_facts(11, "driver/a.sys=1.0 10; role=web 10; ");
    /* Late: what was before the first known value is added, the rest stays. */
    send_one(with_role(5, "web", "0.9"), INGEST_ACCEPTED);
    check_facts(20, "driver/a.sys=0.9 5-10; driver/a.sys=1.0 10-12; driver/a.sys=1.1 12; "
                    "role=web 5-12; role=sql 12; ");
    send_one(with_role(8, "web", "0.9"), INGEST_ACCEPTED);
    send_one(with_role(9, "odd", "0.1"), INGEST_ACCEPTED);
    check_facts(20, "driver/a.sys=0.9 5-10; driver/a.sys=1.0 10-12; driver/a.sys=1.1 12; "
                    "role=web 5-12; role=sql 12; ");
    const struct host_state *state = fleet_get(fleet, "h1");
    ck_assert_str_eq(host_state_attribute(state, "role"), "sql");
    host_state_release(state);
    check_reload("h1");
    struct db *db = NULL;
    struct store_drivers drivers;
    struct store_changes changes;
    ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, NULL), ST_OK);
    int64_t key = 0;
    ck_assert_int_eq(store_host_key(db, "h1", &key, NULL), ST_OK);
    ck_assert_int_eq(store_host_drivers(db, key, TIME_UNKNOWN, &drivers, NULL), ST_OK);
    ck_assert_uint_eq(drivers.count, 1);
    ck_assert_str_eq(drivers.items[0].version, "1.1");
    ck_assert_uint_eq(drivers.items[0].tag_count, 2);
    ck_assert_uint_eq(drivers.items[0].tags[1], tag_from_bytes((const unsigned char *)"\1\"\\,"));
    store_drivers_done(&drivers);
    ck_assert_int_eq(store_host_drivers(db, key, T0 + 11 * STEP, &drivers, NULL), ST_OK);
    ck_assert_str_eq(drivers.items[0].version, "1.0");
    store_drivers_done(&drivers);
    ck_assert_int_eq(store_host_changes(db, key, 100, &changes, NULL), ST_OK);
    ck_assert_uint_eq(changes.count, 3);
    ck_assert(changes.items[0].at_us == T0 + 12 * STEP && !changes.items[0].driver);
    ck_assert_str_eq(changes.items[0].from, "web");
    ck_assert_str_eq(changes.items[0].to, "sql");
    store_changes_done(&changes);
    db_release(db);
}
END_TEST

/* A fleet is rolled out over a database whose statistics still say that its tables are tiny. */
START_TEST(ingest_many_new_hosts_do_not_read_all_the_others)
{
    const size_t hosts = 400;
    struct db *db = NULL;
    send_one(with_role(1, "web", "1.0"), INGEST_ACCEPTED);
    ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, NULL), ST_OK);
    ck_assert_int_eq(db_script(db, "ANALYZE host, host_attribute, host_driver", NULL), ST_OK);
    db_release(db);
    ingest_stop(ingest); /* the next plans follow the statistics */
    start();
    for (size_t i = 0; i < hosts; i++) {
        char id[24];
        struct snapshot *s = with_role(1, "web", "1.0");
        snprintf(id, sizeof id, "new-%zu", i);
        s->host_id = arena_strdup(&s->arena, id);
        send_one(s, INGEST_ACCEPTED);
    }
    ingest_stop(ingest); /* its counts are told when it goes */
    int64_t read = pg_number(&pg, "SELECT sum(seq_tup_read)::bigint FROM pg_stat_user_tables"
                                  " WHERE relname IN ('host', 'host_attribute', 'host_driver')");
    start();
    ck_assert_int_lt(read, (int64_t)hosts * 10);
}
END_TEST

START_TEST(ingest_late_first_attributes_reach_the_newest_state)
{
    send_one(with_role(10, NULL, NULL), INGEST_ACCEPTED);
    send_one(with_role(5, "web", NULL), INGEST_ACCEPTED);
    const struct host_state *state = fleet_get(fleet, "h1");
    ck_assert_int_eq(state->sequence, 10);
    ck_assert_pstr_eq(host_state_attribute(state, "role"), "web");
    host_state_release(state);
    check_reload("h1");
}
END_TEST

static const struct {
    int64_t keyframe_us;
    int64_t keyframes; /* of 60 based documents, five minutes apart */
    int64_t longest;
} keyframe_rules[] = {
    {US_PER_HOUR, 5, 11}, /* every twelfth: an hour */
    {US_PER_DAY, 3, 24},  /* every 25th: the chain's own limit */
    {STEP, 60, 0},        /* each */
};

START_TEST(ingest_keyframes_come_by_time_and_by_chain)
{
    struct rng rng = {21};
    struct model model;
    struct ingest_options options = {.queue_bytes = 1u << 20,
                                     .keyframe_us = keyframe_rules[_i].keyframe_us};
    ingest_stop(ingest);
    ck_assert_int_eq(ingest_start(pg.pool, fleet, &options, &ingest, NULL), ST_OK);
    model_make(&model, &rng, 60, 20);
    for (size_t i = 0; i < model.count; i++)
        send_one(model_document(&model, i, "h1", i == 0), INGEST_ACCEPTED);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM snapshot WHERE keyframe"),
                     keyframe_rules[_i].keyframes);
    ck_assert_int_eq(pg_number(&pg, "SELECT max(chain)::bigint FROM snapshot"),
                     keyframe_rules[_i].longest);
    /* A keyframe remembers the base it was sent with. */
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM snapshot WHERE base = sequence - 1"), 59);
    check_reads(&model, "h1");
    check_walks(&model, "h1");
    check_reload("h1");
    arena_done(&model.arena);
}
END_TEST

START_TEST(ingest_other_server_changed_attributes)
{
    struct fleet *other_fleet = fleet_new();
    struct ingest *other = NULL;
    struct ingest_options options = {.queue_bytes = 1u << 20, .keyframe_us = US_PER_HOUR};
    struct outcome outcome = {0};
    ck_assert_int_eq(ingest_start(pg.pool, other_fleet, &options, &other, NULL), ST_OK);
    send_one(with_role(1, "web", NULL), INGEST_ACCEPTED);
    struct snapshot *s = with_role(2, "sql", NULL);
    ck_assert_int_eq(gen_send(other, &s, 1, NULL, &outcome), ST_OK);
    send_one(with_role(3, NULL, NULL), INGEST_ACCEPTED);
    const struct host_state *state = fleet_get(fleet, "h1");
    ck_assert_str_eq(host_state_attribute(state, "role"), "sql");
    host_state_release(state);
    ingest_stop(other);
    fleet_free(other_fleet);
}
END_TEST

static void allow_connections(bool allow)
{
    struct pg server = {.url = getenv("POOLFLEET_TEST_URL")};
    AUTO_STRBUF struct strbuf sql = STRBUF_INIT;
    strbuf_printf(&sql, "ALTER DATABASE %s ALLOW_CONNECTIONS %s", pg.name,
                  allow ? "true" : "false");
    pg_sql(&server, sql.data);
    if (allow)
        return;
    strbuf_clear(&sql);
    strbuf_printf(&sql,
                  "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname "
                  "= '%s'",
                  pg.name);
    pg_sql(&server, sql.data);
}

START_TEST(ingest_database_away_is_told_at_once_and_comes_back)
{
    struct rng rng = {22};
    struct model model;
    struct outcome outcome = {0};
    model_make(&model, &rng, 3, 10);
    send_one(model_document(&model, 0, "h1", true), INGEST_ACCEPTED);
    allow_connections(false);
    for (int i = 0; i < 20; i++) {
        int64_t start_us = clock_mono_us();
        struct snapshot *s = model_document(&model, 1, "h1", false);
        ck_assert_int_eq(gen_send(ingest, &s, 1, NULL, &outcome), ST_DB);
        ck_assert_int_lt(clock_mono_us() - start_us, 2 * US_PER_SECOND);
    }
    allow_connections(true);
    int64_t deadline_us = clock_mono_us() + 20 * US_PER_SECOND;
    enum status status = ST_DB;
    while (status == ST_DB && clock_mono_us() < deadline_us) {
        struct snapshot *s = model_document(&model, 1, "h1", false);
        status = gen_send(ingest, &s, 1, NULL, &outcome);
    }
    ck_assert_int_eq(status, ST_OK);
    ck_assert_int_eq(outcome.outcome, INGEST_ACCEPTED);
    send_one(model_document(&model, 2, "h1", false), INGEST_ACCEPTED);
    check_reads(&model, "h1");
    arena_done(&model.arena);
}
END_TEST

START_TEST(ingest_detail_comes_back)
{
    struct rng rng = {18};
    struct snapshot *s = gen_snapshot("h1", BOOT, T0, 1, -1), back;
    struct db *db = NULL;
    gen_table(&rng, &s->arena, &s->table[POOL_PAGED], 3, COLUMN_ALL);
    s->processes = arena_alloc(&s->arena, 2, sizeof *s->processes);
    s->process_count = 2;
    s->processes[0] = (struct snapshot_process){4820, "Test\"App.exe", 1907884};
    s->processes[1] = (struct snapshot_process){1, "x", -1};
    s->objects = arena_alloc(&s->arena, 1, sizeof *s->objects);
    s->object_count = 1;
    s->objects[0] = (struct snapshot_object){"Thread", 5, 6};
    s->events = arena_alloc(&s->arena, 1, sizeof *s->events);
    s->event_count = 1;
    s->events[0] = (struct snapshot_event){T0 - US_PER_SECOND, "Srv", 2019};
    send_one(s, INGEST_ACCEPTED);
    ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, NULL), ST_OK);
    struct err err = {0};
    enum status status = store_snapshot_at(db, host_key("h1"), T0, &back, &err);
    ck_assert_msg(status == ST_OK, "%s %s", err.field, err.message);
    db_release(db);
    ck_assert_uint_eq(back.process_count, 2);
    ck_assert_str_eq(back.processes[0].image, "Test\"App.exe");
    ck_assert_int_eq(back.processes[1].handles, -1);
    ck_assert_str_eq(back.objects[0].type, "Thread");
    ck_assert_int_eq(back.objects[0].handles, 6);
    ck_assert_int_eq(back.events[0].at_us, T0 - US_PER_SECOND);
    snapshot_done(&back);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM jsonb_object_keys((SELECT detail FROM "
                                    "snapshot_block))"),
                     2);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM snapshot WHERE detail ? 'events'"), 1);
}
END_TEST

struct sender {
    pthread_t thread;
    int number;
    size_t failed;
};

static void *send_many(void *arg)
{
    struct sender *sender = arg;
    struct rng rng = {(uint64_t)sender->number + 100};
    struct model *model = malloc(sizeof *model);
    char host[16];
    model_make(model, &rng, 30, 20);
    snprintf(host, sizeof host, "host-%d", sender->number);
    for (size_t i = 0; i < model->count; i++) {
        struct snapshot *s = model_document(model, i, host, i == 0);
        struct outcome outcome = {0};
        enum status status = gen_send(ingest, &s, 1, NULL, &outcome);
        sender->failed += status != ST_OK || outcome.outcome != INGEST_ACCEPTED;
    }
    arena_done(&model->arena);
    free(model);
    return NULL;
}

START_TEST(ingest_many_threads_and_readers_at_once)
{
    struct sender senders[8] = {{0}};
    for (int i = 0; i < 8; i++) {
        senders[i].number = i;
        ck_assert_int_eq(pthread_create(&senders[i].thread, NULL, send_many, &senders[i]), 0);
    }
    struct ingest_stats stats;
    do { /* readers must never see a half-made list */
        struct fleet_list list;
        ck_assert_int_eq(fleet_list(fleet, &list), ST_OK);
        for (size_t i = 1; i < list.count; i++)
            ck_assert_int_lt(strcmp(list.items[i - 1]->id, list.items[i]->id), 0);
        fleet_list_done(&list);
        ingest_read_stats(ingest, &stats);
    } while (stats.accepted < 8 * 30 && stats.rejected + stats.failed_commits == 0);
    for (int i = 0; i < 8; i++) {
        pthread_join(senders[i].thread, NULL);
        ck_assert_uint_eq(senders[i].failed, 0);
    }
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM snapshot"), 240);
    ck_assert_uint_le(stats.commits, 240);
    check_reload("host-3");
}
END_TEST

START_TEST(ingest_full_queue_is_busy_at_once)
{
    struct ingest_options options = {.queue_bytes = 1500, .keyframe_us = US_PER_HOUR};
    struct ingest *small = NULL;
    ck_assert_int_eq(ingest_start(pg.pool, fleet, &options, &small, NULL), ST_OK);
    /* The host's row is locked from outside, so the committer stays in its transaction. */
    struct rng rng = {19};
    struct snapshot *s = gen_snapshot("h1", BOOT, T0, 1, -1);
    gen_table(&rng, &s->arena, &s->table[POOL_PAGED], 3, COLUMN_ALL);
    send_one(s, INGEST_ACCEPTED);
    struct db *db = NULL;
    ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, NULL), ST_OK);
    ck_assert_int_eq(db_script(db, "BEGIN; LOCK TABLE host IN EXCLUSIVE MODE", NULL), ST_OK);
    struct sender sender = {.number = 1};
    struct ingest *kept = ingest;
    ingest = small;
    ck_assert_int_eq(pthread_create(&sender.thread, NULL, send_many, &sender), 0);
    struct ingest_stats stats;
    do
        ingest_read_stats(small, &stats);
    while (stats.queued_batches == 0);
    s = gen_snapshot("h2", BOOT, T0, 1, -1);
    gen_table(&rng, &s->arena, &s->table[POOL_PAGED], 3, COLUMN_ALL);
    struct outcome outcome;
    ck_assert_int_eq(gen_send(small, &s, 1, NULL, &outcome), ST_BUSY);
    ck_assert_int_eq(db_script(db, "ROLLBACK", NULL), ST_OK);
    db_release(db);
    pthread_join(sender.thread, NULL);
    ck_assert_uint_eq(sender.failed, 0);
    ingest = kept;
    ingest_stop(small);
}
END_TEST

START_TEST(ingest_retention_drops_days_and_reads_go_on)
{
    struct rng rng = {20};
    struct model model;
    struct db *db = NULL;
    model_make(&model, &rng, 30, 20);
    for (size_t i = 0; i < 30; i++) {
        model.taken[i] = T0 + (int64_t)i * 2 * US_PER_HOUR;
        send_one(model_document(&model, i, "h1", i == 0), INGEST_ACCEPTED);
    }
    ck_assert_int_eq(pg_number(&pg, "SELECT partition_drop('snapshot', '2023-11-16')::bigint"), 2);
    int64_t left = pg_number(&pg, "SELECT count(*) FROM snapshot");
    ck_assert(left > 0 && left < 30);
    struct walk walk = {&model, 30 - (size_t)left, 1};
    ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, NULL), ST_OK);
    ck_assert_int_eq(store_snapshots_sample(db, host_key("h1"), T0, T0 + 30 * US_PER_DAY, NULL, 0,
                                            walked, &walk, NULL),
                     ST_OK);
    ck_assert_uint_eq(walk.next, 30);
    db_release(db);
    /* A document for a dropped day makes its partition again, though it was known. */
    struct snapshot *s = gen_snapshot("h2", BOOT, T0, 1, -1);
    gen_table(&rng, &s->arena, &s->table[POOL_PAGED], 3, COLUMN_ALL);
    send_one(s, INGEST_ACCEPTED);
    arena_done(&model.arena);
}
END_TEST

Suite *ingest_suite(void)
{
    Suite *suite = suite_create("ingest");
    TCase *tc = tcase_create("ingest");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, ingest_random_chains_read_back_exactly, 0, 6);
    tcase_add_test(tc, ingest_every_repeat_is_a_duplicate_and_changes_nothing);
    tcase_add_test(tc, ingest_same_document_twice_in_one_body_is_one);
    tcase_add_test(tc, ingest_without_sequence_taken_at_is_the_key);
    tcase_add_test(tc, ingest_unknown_base_is_a_conflict_and_others_go_on);
    tcase_add_test(tc, ingest_columns_unlike_the_base_are_refused);
    tcase_add_test(tc, ingest_other_host_than_the_tokens_is_forbidden);
    tcase_add_test(tc, ingest_older_documents_are_kept_and_newest_stays);
    tcase_add_test(tc, ingest_other_server_wrote_meanwhile);
    tcase_add_test(tc, ingest_lost_backend_is_exactly_once);
    tcase_add_test(tc, ingest_failed_transaction_publishes_nothing);
    tcase_add_test(tc, ingest_facts_keep_their_history);
    tcase_add_test(tc, ingest_many_new_hosts_do_not_read_all_the_others);
    tcase_add_test(tc, ingest_late_first_attributes_reach_the_newest_state);
    tcase_add_loop_test(tc, ingest_keyframes_come_by_time_and_by_chain, 0,
                        sizeof keyframe_rules / sizeof *keyframe_rules);
    tcase_add_test(tc, ingest_other_server_changed_attributes);
    tcase_add_test(tc, ingest_database_away_is_told_at_once_and_comes_back);
    tcase_add_test(tc, ingest_detail_comes_back);
    tcase_add_test(tc, ingest_many_threads_and_readers_at_once);
    tcase_add_test(tc, ingest_full_queue_is_busy_at_once);
    tcase_add_test(tc, ingest_retention_drops_days_and_reads_go_on);
    suite_add_tcase(suite, tc);
    return suite;
}
