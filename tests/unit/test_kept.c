/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts that stay read against the same hosts read from cold at the same moment: after any number
 * of passes over lost, late and doubled documents, reboots and silence, what is known of a host is
 * the same to the last bit. And: what may be made later, and what a hostile host costs.
 */
#include "common/limits.h"
#include "server/analyze/fault.h"
#include "server/analyze/grid.h"
#include "server/analyze/kept_inside.h"
#include "server/analyze/kept_store.h"
#include "server/analyze/rice.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

Suite *kept_suite(void);

#define START   (20000 * US_PER_DAY + 5 * US_PER_HOUR)
#define HISTORY (15 * US_PER_DAY)
#define DOCS    8000
#define ROWS    70 /* of each pool */
#define BOOTS   8

/* ---- a small world: every value is a function of host, row and time ---------- */

struct doc {
    int64_t at_us;
    int64_t arrival_us;
    size_t boot;
};

struct world_host {
    uint64_t seed;
    char id[16];
    int64_t boots[BOOTS];
    size_t boot_count;
    struct doc docs[DOCS]; /* by time */
    size_t doc_count;
};

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ b * 0x9E3779B97F4A7C15u) + 0xD1B54A32D192ED03u;
    x = (x ^ x >> 31) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 29;
}

static double unit(uint64_t a, uint64_t b)
{
    return (double)(mix(a, b) >> 11) * 0x1p-53;
}

/* Lost, late, silent for hours, rebooted now and then. */
static void host_make(struct world_host *host, uint64_t seed, int64_t step_us, int64_t until_us)
{
    *host = (struct world_host){.seed = seed};
    snprintf(host->id, sizeof host->id, "host-%02u", (unsigned)(seed % 100));
    host->boots[host->boot_count++] = START - HISTORY - US_PER_DAY;
    int64_t silent_until = 0;
    uint64_t n = 0;
    for (int64_t at = START - HISTORY; at <= until_us; at += step_us, n++) {
        int64_t jitter = (int64_t)(unit(seed, n * 4) * 5e6);
        double luck = unit(seed, n * 4 + 1);
        bool near_end = at > START - US_PER_DAY;
        if (luck < (near_end ? 0.004 : 0.0004) && host->boot_count < BOOTS) {
            host->boots[host->boot_count++] = at - US_PER_MINUTE / 2;
        } else if (luck < (near_end ? 0.012 : 0.001)) {
            silent_until = at + (int64_t)(unit(seed, n * 4 + 2) * 3 * (double)US_PER_HOUR);
        }
        if (at < silent_until || luck > 0.95)
            continue;
        struct doc *doc = &host->docs[host->doc_count++];
        ck_assert_uint_lt(host->doc_count, DOCS);
        bool late = luck > 0.93;
        *doc = (struct doc){at + jitter, at + jitter, host->boot_count - 1};
        if (late)
            doc->arrival_us += (int64_t)(unit(seed, n * 4 + 3) * 2 * (double)US_PER_HOUR);
    }
}

static double bytes_of(const struct world_host *host, int pool, size_t row, int64_t at_us,
                       int64_t boot_us)
{
    uint64_t key = host->seed * 1000 + row * 2 + (uint64_t)pool;
    double size = 4096 * exp(9.5 * pow(unit(key, 1), 2));
    double hours = (double)(at_us - START) / (double)US_PER_HOUR;
    double up = (double)(at_us - boot_us) / (double)US_PER_HOUR;
    double habit = unit(key, 2);
    double noise = 1 + 0.01 * unit(key, (uint64_t)(at_us / US_PER_MINUTE));
    if (row == 7) /* leaks */
        return 3e6 + 4e6 * fmax(0, fmin(up, hours + 60));
    if (row == 8 && hours < -1) /* is not there before */
        return -1;
    if (row == 8)
        return 2e5 * (hours + 1.5);
    if (habit < 0.1)
        return size * (1 + 0.5 * sin(hours / 24 * 6.2832)) * noise;
    if (habit < 0.2)
        return size * (1 - exp(-up / 20)) * noise;
    if (habit < 0.25)
        return size * (unit(key, (uint64_t)(at_us / (3 * US_PER_HOUR))) < 0.2 ? 3 : 1);
    if (habit < 0.5)
        return size * noise;
    return size;
}

struct view {
    struct arena arena;
    struct analyze_point points[GRID_MAX];
    size_t count;
    int64_t sequence; /* of the newest */
};

static void table_make(const struct world_host *host, const struct doc *doc, struct arena *arena,
                       struct snapshot_table tables[POOL_COUNT])
{
    int64_t boot = host->boots[doc->boot];
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct snapshot_table *table = &tables[pool];
        ck_assert_int_eq(snapshot_table_alloc(arena, table, ROWS, COLUMN_ALL), ST_OK);
        table->count = 0;
        for (size_t row = 0; row < ROWS; row++) {
            double bytes = bytes_of(host, pool, row, doc->at_us, boot);
            if (bytes < 0)
                continue;
            size_t to = table->count++;
            table->tag[to] = (uint32_t)(0x41414141 + row * 1013);
            table->bytes[to] = (uint64_t)bytes & ~(uint64_t)15;
            table->frees[to] = (uint32_t)((double)(doc->at_us - boot) / 1e4 * (double)(row + 1));
            table->allocs[to] = table->frees[to] + (uint32_t)(table->bytes[to] / 64);
        }
    }
}

static void point_make(const struct world_host *host, const struct doc *doc, struct arena *arena,
                       struct analyze_point *point)
{
    struct snapshot_table *tables = arena_alloc(arena, POOL_COUNT, sizeof *tables);
    struct snapshot_totals *totals = arena_alloc(arena, 1, sizeof *totals);
    struct snapshot_object *objects = arena_alloc(arena, 2, sizeof *objects);
    struct snapshot_process *processes = arena_alloc(arena, 2, sizeof *processes);
    int64_t up = doc->at_us - host->boots[doc->boot];
    table_make(host, doc, arena, tables);
    totals_set(totals, TOTAL_PHYSICAL_BYTES, UINT64_C(16) << 30);
    totals_set(totals, TOTAL_PROCESSES, 100 + mix(host->seed, (uint64_t)doc->at_us) % 9);
    totals_set(totals, TOTAL_COMMIT_BYTES, 5000000000u + mix(1, (uint64_t)doc->at_us) % 1000000);
    totals_set(totals, TOTAL_NONPAGED_BYTES, 900000000u);
    totals_set(totals, TOTAL_PAGED_BYTES, 900000000u);
    objects[0] = (struct snapshot_object){"Token", up / 1000, up / 2000};
    objects[1] = (struct snapshot_object){"File", 5000, 6000};
    processes[0] = (struct snapshot_process){4, "System", up / 5000};
    processes[1] = (struct snapshot_process){80, "leaky.exe", up / 3000};
    *point = (struct analyze_point){.taken_at_us = doc->at_us,
                                    .boot_at_us = host->boots[doc->boot],
                                    .totals = totals,
                                    .table = tables,
                                    .objects = objects,
                                    .object_count = 2,
                                    .processes = processes,
                                    .process_count = 2};
}

/* The picks of what has arrived. */
static void view_make(const struct world_host *host, int64_t now, struct view *view)
{
    int64_t ends[GRID_MAX], before;
    size_t slots = grid_slots(now, ends, &before);
    *view = (struct view){0};
    size_t d = 0;
    for (size_t slot = 0; slot < slots; before = ends[slot++]) {
        size_t last = SIZE_MAX;
        for (; d < host->doc_count && host->docs[d].at_us <= ends[slot]; d++) {
            if (host->docs[d].at_us > before && host->docs[d].arrival_us <= now)
                last = d;
        }
        if (last == SIZE_MAX)
            continue;
        point_make(host, &host->docs[last], &view->arena, &view->points[view->count++]);
        view->sequence = (int64_t)last;
    }
}

static const struct analyze_fact facts[] = {
    {"os.build", "26100.1", TIME_UNKNOWN, TIME_UNKNOWN},
    {"role", "web", TIME_UNKNOWN, TIME_UNKNOWN},
    {"driver/a.sys", "1.0", START - 5 * US_PER_DAY, START + US_PER_HOUR},
    {"driver/a.sys", "1.1", START + US_PER_HOUR, TIME_UNKNOWN},
};

static struct analyze_host host_of(const struct world_host *host, const struct view *view)
{
    return (struct analyze_host){.id = host->id,
                                 .name = host->id,
                                 .facts = facts,
                                 .fact_count = sizeof facts / sizeof facts[0],
                                 .points = view->points,
                                 .point_count = view->count};
}

/* ---- the same host, kept ----------------------------------------------------- */

static void keep_cold(struct fleet *fleet, struct kept *kept, const struct world_host *host,
                      int64_t now)
{
    struct view view;
    view_make(host, now, &view);
    struct analyze_host it = host_of(host, &view);
    ck_assert_int_eq(fleet_keep(fleet, kept, &it, now), ST_OK);
    kept->sequence = view.sequence;
    kept->received_us = now;
    arena_done(&view.arena);
}

/* The document as the agent sent it: changes to the last one, or whole. */
static void put(struct kept *kept, const struct world_host *host, size_t d, int64_t base)
{
    AUTO_ARENA struct arena arena = {0};
    struct snapshot_table before[POOL_COUNT], changed[POOL_COUNT];
    struct kept_document document = {.sequence = (int64_t)d,
                                     .base = base,
                                     .received_us = host->docs[d].arrival_us,
                                     .complete = base < 0 || mix(host->seed, d) % 10 == 0,
                                     .details = true};
    point_make(host, &host->docs[d], &arena, &document.point);
    if (!document.complete) {
        table_make(host, &host->docs[base], &arena, before);
        for (int pool = 0; pool < POOL_COUNT; pool++)
            ck_assert_int_eq(snapshot_table_changed(&arena, &before[pool],
                                                    &document.point.table[pool], &changed[pool]),
                             ST_OK);
        document.point.table = changed;
    }
    ck_assert_int_eq(kept_put(kept, &document), ST_OK);
}

/* All that arrived in between, each twice, as a stream that overlaps brings them. */
static void put_new(struct kept *kept, const struct world_host *host, int64_t since, int64_t now)
{
    int64_t base = kept->sequence;
    for (size_t d = 0; d < host->doc_count; d++) {
        int64_t arrival = host->docs[d].arrival_us;
        if (arrival <= since - 2 * US_PER_MINUTE || arrival > now)
            continue;
        put(kept, host, d, base >= 0 && host->docs[base].boot == host->docs[d].boot ? base : -1);
        base = kept->sequence;
    }
}

/* ---- comparing --------------------------------------------------------------- */

static void same_curve(const struct curve *a, const struct curve *b)
{
    ck_assert((a == NULL) == (b == NULL));
    if (a == NULL)
        return;
    ck_assert_uint_eq(a->count, b->count);
    ck_assert_int_eq(memcmp(a->hours, b->hours, a->count * sizeof *a->hours), 0);
    ck_assert_int_eq(memcmp(a->bytes, b->bytes, a->count * sizeof *a->bytes), 0);
    ck_assert_int_eq(memcmp(a->blocks, b->blocks, a->count * sizeof *a->blocks), 0);
}

static void same_features(const struct fleet_host *a, const struct fleet_host *b)
{
    ck_assert_uint_eq(a->feature_count, b->feature_count);
    for (size_t i = 0; i < a->feature_count; i++) {
        struct feature x = a->features[i], y = b->features[i];
        same_curve(x.curve, y.curve);
        x.curve = y.curve = NULL;
        ck_assert_msg(memcmp(&x, &y, sizeof x) == 0, "feature %zu of tag %x differs", i, x.tag);
    }
}

static void same_host(const struct fleet_host *a, const struct fleet_host *b)
{
    ck_assert_str_eq(a->id, b->id);
    ck_assert_int_eq(memcmp(&a->totals, &b->totals, sizeof a->totals), 0);
    ck_assert_int_eq(memcmp(&a->cohort, &b->cohort, sizeof a->cohort), 0);
    ck_assert(a->ram == b->ram && a->commit_rest == b->commit_rest);
    ck_assert(a->uptime_hours == b->uptime_hours && a->longest_hours == b->longest_hours);
    ck_assert_int_eq(a->last_us, b->last_us);
    ck_assert_int_eq(a->first_us, b->first_us);
    ck_assert_int_eq(a->boot_first_us, b->boot_first_us);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        ck_assert_uint_eq(a->row_count[pool], b->row_count[pool]);
        ck_assert_int_eq(
            memcmp(a->rows[pool], b->rows[pool], a->row_count[pool] * sizeof **a->rows), 0);
        ck_assert(a->growth[pool] == b->growth[pool]);
    }
    same_features(a, b);
    ck_assert_uint_eq(a->fact_count, b->fact_count);
    ck_assert_uint_eq(a->change_count, b->change_count);
    for (size_t i = 0; i < a->fact_count; i++)
        ck_assert_int_eq(a->facts[i].from_us, b->facts[i].from_us);
    ck_assert_uint_eq(a->object_count, b->object_count);
    for (size_t i = 0; i < a->object_count; i++) {
        ck_assert_str_eq(a->objects[i].type, b->objects[i].type);
        ck_assert_int_eq(a->objects[i].objects, b->objects[i].objects);
        /* from the first snapshot of the boot, which the cold one may have lost */
        ck_assert_int_ge(a->objects[i].objects_growth, b->objects[i].objects_growth);
    }
    ck_assert_uint_eq(a->process_count, b->process_count);
    for (size_t i = 0; i < a->process_count; i++) {
        ck_assert_int_eq(a->processes[i].handles, b->processes[i].handles);
        ck_assert_int_ge(a->processes[i].growth, b->processes[i].growth);
    }
}

static void compare_cold(struct fleet *fleet, struct kept *kept, const struct world_host *host,
                         int64_t now)
{
    struct fleet cold = {0};
    struct view view;
    view_make(host, now, &view);
    struct analyze_host it = host_of(host, &view);
    ck_assert_int_eq(fleet_add_host(&cold, &it, now, NULL), ST_OK);
    fleet->count = 0;
    ck_assert_int_eq(fleet_add_kept(fleet, kept, now, 0), ST_OK);
    ck_assert_uint_eq(fleet->count, cold.count);
    if (cold.count == 1)
        same_host(&fleet->hosts[0], &cold.hosts[0]);
    arena_done(&view.arena);
    fleet_done(&cold);
}

static struct world_host world;

/* What a server stored of the host at a pass, for one that starts later. */
struct stored {
    struct strbuf bytes;
    int64_t at_us; /* 0: nothing yet */
};

static void store(struct fleet *fleet, struct kept *kept, int64_t now, struct stored *stored)
{
    strbuf_clear(&stored->bytes);
    ck_assert(kept_storable(kept));
    ck_assert_int_eq(fleet_store(fleet, kept, &stored->bytes), ST_OK);
    stored->at_us = now;
}

static struct kept *restore(struct fleet *fleet, struct kept *was, const struct stored *stored)
{
    struct kept *kept = kept_new();
    kept_free(was);
    fleet_done(fleet);
    *fleet = (struct fleet){0};
    ck_assert_int_eq(fleet_restore(fleet, kept, stored->bytes.data, stored->bytes.length), ST_OK);
    return kept;
}

/* Passes over a day and a half; a lost host is read again at once. Returns how often. With
 * `restarts` the server stores now and then, and another goes on with that some passes later. */
static size_t run(uint64_t seed, int64_t step_us, bool restarts)
{
    struct fleet fleet = {0};
    struct kept *kept = kept_new();
    struct stored stored = {.bytes = STRBUF_INIT};
    size_t cold = 0, passes = 0;
    int64_t before = START;
    host_make(&world, seed, step_us, START + 30 * US_PER_HOUR);
    keep_cold(&fleet, kept, &world, START);
    for (int64_t now = START; now < START + 30 * US_PER_HOUR; passes++) {
        int64_t next = now + US_PER_MINUTE + (int64_t)(unit(seed, passes) * 9e8);
        if (restarts && stored.at_us != 0 && unit(seed, passes + 1000) < 0.25) {
            kept = restore(&fleet, kept, &stored);
            before = stored.at_us;
        }
        put_new(kept, &world, before, now);
        if (kept_lost(kept)) {
            keep_cold(&fleet, kept, &world, now);
            cold++;
        } else if (kept_facts_due(kept)) {
            struct view none = {0};
            struct analyze_host it = host_of(&world, &none);
            ck_assert_int_eq(fleet_tell(&fleet, kept, &it), ST_OK);
        }
        ck_assert(!kept_lost(kept));
        if (passes % 3 == 0)
            compare_cold(&fleet, kept, &world, now);
        if (restarts && unit(seed, passes + 2000) < 0.25)
            store(&fleet, kept, now, &stored);
        before = now;
        now = next;
    }
    ck_assert_uint_lt(kept_bytes(kept), 200000);
    strbuf_done(&stored.bytes);
    kept_free(kept);
    fleet_done(&fleet);
    return cold * 100 / passes;
}

START_TEST(kept_host_after_many_passes_is_as_read_from_cold)
{
    static const int64_t steps[] = {3 * US_PER_MINUTE, 5 * US_PER_MINUTE, 15 * US_PER_MINUTE};
    size_t again = run((uint64_t)_i + 1, steps[_i % 3], false);
    ck_assert_uint_lt(again, 45); /* mostly it goes on */
}
END_TEST

START_TEST(kept_host_restored_at_any_pass_goes_on_as_read_from_cold)
{
    static const int64_t steps[] = {3 * US_PER_MINUTE, 5 * US_PER_MINUTE, 15 * US_PER_MINUTE};
    run((uint64_t)_i + 101, steps[_i % 3], true);
}
END_TEST

/* What a pass may leave as it was: a row that grows is told to 5 % of its growth, and no row of a
 * host with news is older than twenty minutes; levels are of now. */
START_TEST(kept_rows_that_grow_are_told_as_of_twenty_minutes_ago_at_most)
{
    struct fleet fleet = {0};
    struct kept *kept = kept_new();
    size_t same = 0, features = 0, growing = 0;
    int64_t before = START;
    host_make(&world, 2, 5 * US_PER_MINUTE, START + 6 * US_PER_HOUR);
    keep_cold(&fleet, kept, &world, START);
    for (int64_t now = START; now < START + 6 * US_PER_HOUR;
         before = now, now += 5 * US_PER_MINUTE) {
        struct fleet cold = {0};
        struct view view;
        put_new(kept, &world, before, now);
        if (kept_lost(kept))
            keep_cold(&fleet, kept, &world, now);
        bool news = kept->news;
        view_make(&world, now, &view);
        struct analyze_host it = host_of(&world, &view);
        ck_assert_int_eq(fleet_add_host(&cold, &it, now, NULL), ST_OK);
        fleet.count = 0;
        ck_assert_int_eq(fleet_add_kept(&fleet, kept, now, US_PER_HOUR), ST_OK);
        for (size_t i = 0; news && i < cold.hosts[0].feature_count; i++) {
            struct feature x = cold.hosts[0].features[i];
            const struct feature *kept_one =
                fleet_feature(&fleet.hosts[0], (enum pool)x.pool, x.tag);
            features++;
            if (kept_one == NULL)
                continue;
            struct feature y = *kept_one;
            bool grows = y.curve != NULL;
            double apart = fabs((double)x.bytes - (double)y.bytes);
            ck_assert(grows || apart <= 0);
            ck_assert(apart <= fmax(ROW_FLOOR_BYTES, 0.05 * (double)y.growth));
            if (grows && kept->judged_us == now)
                same_curve(x.curve, y.curve);
            x.curve = y.curve = NULL;
            bool equal = memcmp(&x, &y, sizeof x) == 0;
            ck_assert(equal || !grows || kept->judged_us > now - 20 * US_PER_MINUTE);
            ck_assert(equal || !grows || kept->judged_us != now);
            growing += grows;
            same += equal;
        }
        arena_done(&view.arena);
        fleet_done(&cold);
    }
    ck_assert_uint_gt(growing, 50);
    ck_assert_uint_lt(same, features); /* else nothing was spared */
    kept_free(kept);
    fleet_done(&fleet);
}
END_TEST

/* Of a document that is not taken, since it is of another base, the host's picks know nothing. */
START_TEST(kept_host_that_is_lost_keeps_the_picks_it_had)
{
    AUTO_ARENA struct arena arena = {0};
    struct fleet fleet = {0};
    struct kept *kept = kept_new();
    struct kept_value before[GRID_MAX + KEPT_FRESH], after[GRID_MAX + KEPT_FRESH];
    host_make(&world, 2, 5 * US_PER_MINUTE, START + US_PER_HOUR);
    keep_cold(&fleet, kept, &world, START);
    put_new(kept, &world, START, START + US_PER_HOUR / 2);
    ck_assert(!kept_lost(kept));
    ck_assert_uint_gt(kept->tables[POOL_PAGED].row_count, 3);
    kept_unpack(kept, POOL_PAGED, 3, before);
    struct kept_document document = {.complete = true, .received_us = START + US_PER_HOUR};
    struct doc doc = {START + US_PER_HOUR, START + US_PER_HOUR, world.boot_count - 1};
    point_make(&world, &doc, &arena, &document.point);
    struct snapshot_table *tables = (struct snapshot_table *)document.point.table;
    tables[POOL_NONPAGED].allocs = tables[POOL_NONPAGED].frees = NULL; /* other columns */
    ck_assert_int_eq(kept_put(kept, &document), ST_OK);
    ck_assert(kept_lost(kept));
    kept_unpack(kept, POOL_PAGED, 3, after);
    ck_assert_int_eq(memcmp(before, after, kept->pick_count * sizeof *before), 0);
    kept_free(kept);
    fleet_done(&fleet);
}
END_TEST

START_TEST(rice_numbers_of_any_size_come_back)
{
    uint64_t values[200];
    unsigned char room[200 * (RICE_MOST / 8 + 1) + RICE_AHEAD] = {0};
    for (size_t i = 0; i < 200; i++)
        values[i] = i < 65 ? (i == 0 ? 0 : UINT64_MAX >> (64 - i)) : mix(i, 7) >> i % 64;
    for (unsigned low = 0; low <= RICE_LOW_MAX; low++) {
        struct rice_writer to = {.at = room};
        size_t bit = 0;
        for (size_t i = 0; i < 200; i++)
            rice_put(&to, values[i], low);
        ck_assert_uint_lt((size_t)(rice_end(&to) - room), sizeof room - RICE_AHEAD);
        for (size_t i = 0; i < 200; i++)
            ck_assert_uint_eq(rice_get(room, &bit, low), values[i]);
    }
}
END_TEST

/* 16,384 rows of each pool that were never seen before, in every snapshot. */
static void hostile_point(struct arena *arena, uint64_t seed, int64_t at_us,
                          struct analyze_point *point)
{
    struct snapshot_table *tables = arena_alloc(arena, POOL_COUNT, sizeof *tables);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        ck_assert_int_eq(snapshot_table_alloc(arena, &tables[pool], LIMIT_TABLE_ROWS, COLUMN_ALL),
                         ST_OK);
        for (size_t i = 0; i < LIMIT_TABLE_ROWS; i++) {
            tables[pool].tag[i] = (uint32_t)(i * 0x20000 + mix(seed, i) % 0x20000) & 0x7FFFFFFF;
            tables[pool].bytes[i] = 270000 + mix(seed, i) % 100000;
            tables[pool].allocs[i] = (uint32_t)mix(seed, i + 1);
            tables[pool].frees[i] = (uint32_t)mix(seed, i + 2);
        }
    }
    *point = (struct analyze_point){
        .taken_at_us = at_us, .boot_at_us = START - HISTORY, .table = tables};
}

START_TEST(kept_host_with_16384_new_tags_each_time_costs_bounded_memory)
{
    AUTO_ARENA struct arena arena = {0};
    struct fleet fleet = {0};
    struct kept *kept = kept_new();
    struct analyze_point points[12];
    for (size_t i = 0; i < 12; i++)
        hostile_point(&arena, i + 1, START + (int64_t)i * 2 * US_PER_MINUTE, &points[i]);
    struct analyze_host host = {.id = "bad", .points = points, .point_count = 11};
    ck_assert_int_eq(fleet_keep(&fleet, kept, &host, points[10].taken_at_us), ST_OK);
    ck_assert(!kept_lost(kept));
    ck_assert_uint_le(kept->host.feature_count, 2 * ROWS_MOST);
    ck_assert_uint_lt(kept_bytes(kept), 4u << 20);
    struct kept_document document = {
        .point = points[11], .complete = true, .received_us = points[11].taken_at_us};
    ck_assert_int_eq(kept_put(kept, &document), ST_OK);
    ck_assert(kept_lost(kept));
    ck_assert_uint_lt(kept_bytes(kept), 4u << 20);
    kept_free(kept);
    fleet_done(&fleet);
}
END_TEST

START_TEST(kept_host_that_posts_nonsense_is_told_as_faulty)
{
    AUTO_ARENA struct arena arena = {0};
    struct fleet fleet = {0};
    struct kept *kept = kept_new();
    struct view view;
    host_make(&world, 4, 5 * US_PER_MINUTE, START);
    view_make(&world, START, &view);
    struct analyze_host host = host_of(&world, &view);
    view.points[view.count - 1].boot_at_us = START + US_PER_DAY;
    ck_assert_int_eq(fleet_keep(&fleet, kept, &host, START), ST_OK);
    ck_assert(kept_lost(kept));
    ck_assert_int_eq(fleet_add_kept(&fleet, kept, START, 0), ST_OK);
    ck_assert_uint_eq(fleet.count, 0);
    ck_assert_uint_eq(fleet.fault_count, 1);
    ck_assert_str_eq(fleet.faults[0].id, world.id);
    fleet.fault_count = 0; /* silent since: forgotten with its snapshot */
    ck_assert_int_eq(fleet_add_kept(&fleet, kept, START + 20 * US_PER_DAY, 0), ST_OK);
    ck_assert_uint_eq(fleet.fault_count, 0);
    arena_done(&view.arena);
    kept_free(kept);
    fleet_done(&fleet);
}
END_TEST

/* Facts that change all the time leave no texts behind. */
START_TEST(kept_facts_that_are_gone_are_forgotten)
{
    struct fleet fleet = {0};
    struct kept *kept = kept_new();
    struct view view;
    char value[24];
    struct analyze_fact one[] = {{"role", "web", TIME_UNKNOWN, TIME_UNKNOWN},
                                 {"counter", value, TIME_UNKNOWN, TIME_UNKNOWN}};
    host_make(&world, 5, 15 * US_PER_MINUTE, START);
    view_make(&world, START, &view);
    struct analyze_host host = host_of(&world, &view);
    host.facts = one;
    host.fact_count = 2;
    snprintf(value, sizeof value, "first");
    ck_assert_int_eq(fleet_keep(&fleet, kept, &host, START), ST_OK);
    for (int i = 0; i < 1000; i++) {
        snprintf(value, sizeof value, "value %d", i);
        ck_assert_int_eq(fleet_tell(&fleet, kept, &host), ST_OK);
    }
    ck_assert_uint_gt(fleet.text_count, 1000);
    struct kept *other = kept_new(); /* has fewer, so names get their places in another order */
    host.facts = &one[1];
    host.fact_count = 1;
    ck_assert_int_eq(fleet_keep(&fleet, other, &host, START), ST_OK);
    struct kept *both[] = {other, kept};
    ck_assert_int_eq(fleet_trim(&fleet, both, 2), ST_OK);
    kept_free(other);
    ck_assert_uint_eq(fleet.text_count, 4);
    ck_assert_int_eq(fleet_add_kept(&fleet, kept, START, 0), ST_OK);
    ck_assert_uint_eq(fleet.hosts[0].fact_count, 2);
    ck_assert_str_eq(fleet.hosts[0].cohort.role, "web");
    ck_assert_uint_lt(fleet.hosts[0].facts[0].name, fleet.hosts[0].facts[1].name);
    for (size_t i = 0; i < 2; i++) {
        const char *name = fleet.texts[fleet.hosts[0].facts[i].name];
        const char *text = fleet.texts[fleet.hosts[0].facts[i].value];
        ck_assert_str_eq(text, strcmp(name, "role") == 0 ? "web" : "value 999");
    }
    arena_done(&view.arena);
    kept_free(kept);
    fleet_done(&fleet);
}
END_TEST

Suite *kept_suite(void)
{
    Suite *suite = suite_create("kept");
    TCase *tc = tcase_create("kept");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, kept_host_after_many_passes_is_as_read_from_cold, 0, 6);
    tcase_add_loop_test(tc, kept_host_restored_at_any_pass_goes_on_as_read_from_cold, 0, 6);
    tcase_add_test(tc, kept_rows_that_grow_are_told_as_of_twenty_minutes_ago_at_most);
    tcase_add_test(tc, kept_host_that_is_lost_keeps_the_picks_it_had);
    tcase_add_test(tc, rice_numbers_of_any_size_come_back);
    tcase_add_test(tc, kept_host_with_16384_new_tags_each_time_costs_bounded_memory);
    tcase_add_test(tc, kept_facts_that_are_gone_are_forgotten);
    tcase_add_test(tc, kept_host_that_posts_nonsense_is_told_as_faulty);
    suite_add_tcase(suite, tc);
    return suite;
}
