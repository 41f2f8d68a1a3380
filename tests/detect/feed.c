/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host as the analysis sees it. Snapshots are taken at the host's own interval; what is lost,
 * late or dated by a wrong clock is so here; then they are thinned as the live server thins them
 * (server/analyze/grid.h): of each slot of the grid the newest snapshot. The grid is written down
 * again here, so that a change of the server's shows as a difference and not as a silent change of
 * the benchmark.
 */
#include "tests/detect/values.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONSENSE 1500 /* rows of a host that posts rubbish */

static void *must(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

/* Slots that stand still: in hours since the epoch, which is what the server's microseconds are. */
static size_t make_grid(const struct world *world, double as_of, double grid[WORLD_POINTS],
                        double *ret_after)
{
    static const double parts[][2] = {{336, 6}, {24, 1}, {3, 1 / 6.0}, {1 / 3.0, 1 / 30.0}};
    double offset = (double)world_us(world, 0) / (double)US_PER_HOUR;
    double end = floor((as_of + offset - 336) / 6 + 1e-9) * 6 - offset;
    size_t count = 0;
    *ret_after = end;
    for (size_t i = 0; i < 4; i++) {
        double until = as_of;
        if (i < 3)
            until = floor((as_of + offset - parts[i + 1][0]) / parts[i][1] + 1e-9) * parts[i][1] -
                    offset;
        while (end < until - 1e-9)
            grid[count++] = end = fmin(end + parts[i][1], until);
    }
    return count;
}

static bool arrives(const struct world *world, const struct world_host *host, size_t index,
                    double at, double as_of)
{
    uint64_t key = rng_hash(rng_hash(world->seed ^ 0x105E, index), (uint64_t)llround(at * 3600));
    if (rng_to_unit(key) < host->loss || at > host->dies || at > as_of - host->late)
        return false;
    return !(at >= host->gap_from && at < host->gap_to);
}

/* A boot takes ten minutes in which nothing is posted. */
static bool is_up(const struct world_host *host, double at)
{
    return at - world_boot_at(host, at) > 0.1;
}

static double dated(const struct world_host *host, double at)
{
    return at >= host->clock_from && at < host->clock_to ? at + host->clock_by : at;
}

struct visible {
    double at;    /* in truth */
    double dated; /* as the document says */
};

static size_t see(const struct world *world, size_t index, double as_of,
                  struct visible seen[WORLD_POINTS])
{
    const struct world_host *host = &world->hosts[index];
    double grid[WORLD_POINTS];
    double after;
    size_t cells = make_grid(world, as_of, grid, &after);
    for (size_t i = 0; i < cells; i++)
        seen[i] = (struct visible){-1, -WORLD_NEVER};
    double first = floor((after - 50 - host->phase) / host->interval);
    for (double k = fmax(first, 0);; k++) {
        double at = host->phase + k * host->interval;
        if (at > as_of)
            break;
        double says = dated(host, at);
        if (says > as_of || says <= after || !is_up(host, at) ||
            !arrives(world, host, index, at, as_of))
            continue;
        size_t low = 0;
        for (size_t high = cells; low < high;) {
            size_t middle = (low + high) / 2;
            if (grid[middle] < says)
                low = middle + 1;
            else
                high = middle;
        }
        if (low < cells && says > seen[low].dated)
            seen[low] = (struct visible){at, says};
    }
    size_t count = 0;
    for (size_t i = 0; i < cells; i++)
        if (seen[i].at >= 0)
            seen[count++] = seen[i];
    return count;
}

size_t world_visible(const struct world *world, size_t host, double as_of, double *ret_true)
{
    struct visible seen[WORLD_POINTS];
    size_t count = see(world, host, as_of, seen);
    for (size_t i = 0; i < count; i++)
        ret_true[i] = seen[i].at;
    return count;
}

/* ---- rows ------------------------------------------------------------------- */

struct feed {
    const struct world *world;
    const struct world_host *host;
    size_t index;
    size_t count;
    struct visible seen[WORLD_LONG];
    struct values_moment moment[WORLD_LONG];
    struct analyze_point *points;
    struct arena *arena;
    double used[WORLD_LONG][POOL_COUNT];
};

static double incident_blocks(const struct feed *feed, const struct world_row *row, double at)
{
    if (row->incident < 0)
        return 0;
    return world_member_blocks(feed->world, &feed->world->incidents[row->incident],
                               (size_t)row->member, feed->index, at);
}

/* Counters begin at 0 with each boot, never go back within it, and are cut to 32 bits. What rose
 * and fell between two points is in the churn. */
static void add_series(struct feed *feed, size_t row_index)
{
    const struct world_row *row = &feed->world->rows[row_index];
    struct values_series series = values_series(feed->world, row_index, feed->index);
    double frees = 0;
    double before = 0;
    double boot = -WORLD_NEVER;
    double then = 0;
    if (!series.has)
        return;
    for (size_t i = 0; i < feed->count; i++) {
        const struct values_moment *moment = &feed->moment[i];
        double healthy = values_healthy(row, &series, feed->host, moment);
        double blocks = floor(healthy / row->block) + incident_blocks(feed, row, moment->at);
        if (moment->at < row->born)
            continue;
        if (moment->boot != boot) {
            boot = moment->boot;
            frees = 0;
            then = boot;
            before = 0;
        }
        if (moment->at > then) { /* a wrong clock can turn two points round */
            frees += floor(row->churn * (moment->at - then) * (0.3 + moment->load));
            then = moment->at;
        }
        if (blocks < before)
            frees += before - blocks;
        before = blocks;
        struct snapshot_table *table = (struct snapshot_table *)&feed->points[i].table[row->pool];
        size_t at = table->count++;
        table->tag[at] = row->tag;
        table->allocs[at] = (uint32_t)(uint64_t)(frees + blocks);
        table->frees[at] = (uint32_t)(uint64_t)frees;
        table->bytes[at] = (uint64_t)(blocks * row->block);
        feed->used[i][row->pool] += blocks * row->block;
    }
}

static void make_tables(struct feed *feed)
{
    size_t rows[POOL_COUNT] = {0, 0};
    for (size_t i = 0; i < feed->world->row_count; i++)
        rows[feed->world->rows[i].pool]++;
    for (size_t i = 0; i < feed->count; i++) {
        struct snapshot_table *tables = must(arena_alloc(feed->arena, POOL_COUNT, sizeof *tables));
        for (size_t p = 0; p < POOL_COUNT; p++) {
            if (snapshot_table_alloc(feed->arena, &tables[p], rows[p] + 1, COLUMN_ALL) != ST_OK)
                abort();
            tables[p].present = true;
            tables[p].count = 0;
        }
        feed->points[i].table = tables;
    }
    for (size_t i = 0; i < feed->world->row_count; i++)
        add_series(feed, i);
}

/* Largest numbers under tags that were never seen before, another set each time. */
static void make_nonsense(struct feed *feed)
{
    for (size_t i = 0; i < feed->count; i++) {
        struct snapshot_table *tables = must(arena_alloc(feed->arena, POOL_COUNT, sizeof *tables));
        uint64_t key = rng_hash(feed->world->seed ^ 0xBAD, i);
        for (size_t p = 0; p < POOL_COUNT; p++) {
            if (snapshot_table_alloc(feed->arena, &tables[p], NONSENSE, COLUMN_ALL) != ST_OK)
                abort();
            tables[p].present = true;
            for (size_t r = 0; r < NONSENSE; r++) {
                uint64_t h = rng_hash(key + p, r);
                tables[p].tag[r] = (uint32_t)(r * 0x150000u + h % 0x150000u) & 0x7FFFFFFFu;
                tables[p].allocs[r] = h % 3 == 0 ? UINT32_MAX : (uint32_t)(h >> 20);
                tables[p].frees[r] = (uint32_t)(h >> 30);
                tables[p].bytes[r] = h % 5 == 0 ? (1ull << 53) - 1 : h >> 12;
            }
        }
        feed->points[i].table = tables;
        feed->used[i][0] = feed->used[i][1] = 9e15;
    }
}

/* ---- the rest of a point ---------------------------------------------------- */

static void make_totals(struct feed *feed, size_t i)
{
    const struct world_host *host = feed->host;
    struct snapshot_totals *totals = must(arena_alloc(feed->arena, 1, sizeof *totals));
    double np = feed->used[i][POOL_NONPAGED] + world_rest(host, POOL_NONPAGED);
    double paged = feed->used[i][POOL_PAGED] + world_rest(host, POOL_PAGED);
    double busy = 1 + 0.1 * feed->moment[i].load;
    double programs = host->ram * host->working_set * busy;
    double commit = programs + np + paged;
    totals_set(totals, TOTAL_NONPAGED_BYTES, (uint64_t)np);
    totals_set(totals, TOTAL_PAGED_BYTES, (uint64_t)paged);
    totals_set(totals, TOTAL_NONPAGED_LIMIT_BYTES, (uint64_t)(host->ram * host->np_limit));
    totals_set(totals, TOTAL_PAGED_LIMIT_BYTES, (uint64_t)(16 * 1024 * WORLD_GIB));
    totals_set(totals, TOTAL_PHYSICAL_BYTES, (uint64_t)host->ram);
    totals_set(totals, TOTAL_COMMIT_BYTES, (uint64_t)commit);
    totals_set(totals, TOTAL_COMMIT_LIMIT_BYTES, (uint64_t)(host->ram * (1 + host->page_file)));
    /* Programs are trimmed before memory runs out, so some always stays available. */
    totals_set(totals, TOTAL_AVAILABLE_BYTES,
               (uint64_t)fmax(host->ram * 0.06, host->ram - np - 0.7 * programs - 0.5 * paged));
    totals_set(totals, TOTAL_PROCESSES, (uint64_t)feed->moment[i].processes);
    totals_set(totals, TOTAL_THREADS, (uint64_t)(12 * feed->moment[i].processes));
    totals_set(totals, TOTAL_HANDLES, (uint64_t)(450 * feed->moment[i].processes));
    feed->points[i].totals = totals;
}

static const struct {
    const char *type;
    double per_process, handles;
} types[] = {{"Process", 1, 3}, {"Thread", 12, 14}, {"Token", 5, 7},      {"Event", 110, 115},
             {"File", 40, 35},  {"Key", 30, 33},    {"Semaphore", 15, 16}};
static const struct {
    const char *image;
    double handles;
} programs[] = {{"System", 5200},    {"svchost.exe", 2400}, {"explorer.exe", 3100},
                {"lsass.exe", 1800}, {"agentsvc.exe", 600}, {"sqlservr.exe", 2200}};

static void make_objects(struct feed *feed, size_t i)
{
    size_t kinds = sizeof types / sizeof types[0];
    size_t images = sizeof programs / sizeof programs[0];
    const struct world *world = feed->world;
    double processes = feed->moment[i].processes;
    struct snapshot_object *objects = must(arena_alloc(feed->arena, kinds, sizeof *objects));
    struct snapshot_process *list =
        must(arena_alloc(feed->arena, images + world->incident_count, sizeof *list));
    for (size_t k = 0; k < kinds; k++)
        objects[k] =
            (struct snapshot_object){types[k].type, (int64_t)(types[k].per_process * processes),
                                     (int64_t)(types[k].handles * processes)};
    for (size_t k = 0; k < images; k++) {
        double wave = 1 + 0.1 * rng_wander(world->seed + k + feed->index, feed->moment[i].at / 9);
        list[k] = (struct snapshot_process){(int64_t)(k == 0 ? 4 : 600 + 44 * k), programs[k].image,
                                            (int64_t)(programs[k].handles * wave)};
    }
    size_t count = images;
    for (size_t n = 0; n < world->incident_count; n++) {
        const struct world_incident *incident = &world->incidents[n];
        if (incident->object_type == NULL)
            continue;
        int64_t held =
            (int64_t)world_member_blocks(world, incident, 0, feed->index, feed->moment[i].at);
        for (size_t k = 0; k < kinds; k++) {
            if (strcmp(objects[k].type, incident->object_type) != 0)
                continue;
            objects[k].objects += held;
            objects[k].handles += incident->image != NULL ? held : 0;
        }
        if (incident->image != NULL && incident->rate[feed->index] > 0)
            list[count++] = (struct snapshot_process){4820, incident->image, held + 260};
    }
    feed->points[i].objects = objects;
    feed->points[i].object_count = kinds;
    feed->points[i].processes = list;
    feed->points[i].process_count = count;
}

static void make_facts(struct feed *feed, double as_of, struct world_view *view)
{
    const struct world_host *host = feed->host;
    struct analyze_fact *facts = must(arena_alloc(feed->arena, host->fact_count, sizeof *facts));
    size_t count = 0;
    for (size_t i = 0; i < host->fact_count; i++) {
        const struct world_fact *fact = &host->facts[i];
        if (fact->from > as_of)
            continue;
        facts[count++] = (struct analyze_fact){
            fact->name, fact->value,
            fact->from <= -WORLD_NEVER ? TIME_UNKNOWN : world_us(feed->world, fact->from),
            fact->to > as_of ? TIME_UNKNOWN : world_us(feed->world, fact->to)};
    }
    view->host.facts = facts;
    view->host.fact_count = count;
}

/* What is posted after `since` is seen whole, in the order in which it was taken. */
static size_t see_since(const struct world *world, size_t index, double since, double as_of,
                        struct visible *seen, size_t room)
{
    const struct world_host *host = &world->hosts[index];
    size_t count = 0;
    for (double k = ceil((since - host->phase) / host->interval + 1e-9); count < room; k++) {
        double at = host->phase + k * host->interval;
        if (at > as_of)
            break;
        double says = dated(host, at);
        if (says <= as_of && is_up(host, at) && arrives(world, host, index, at, as_of))
            seen[count++] = (struct visible){at, says};
    }
    return count;
}

void world_view_make(const struct world *world, size_t index, double as_of, struct world_view *view)
{
    size_t first;
    world_view_long(world, index, as_of, as_of, view, &first);
}

void world_view_long(const struct world *world, size_t index, double since, double as_of,
                     struct world_view *view, size_t *ret_first)
{
    const struct world_host *host = &world->hosts[index];
    *view = (struct world_view){0};
    struct feed feed = {.world = world, .host = host, .index = index, .arena = &view->arena};
    feed.count = *ret_first = see(world, index, since, feed.seen);
    if (as_of > since)
        feed.count +=
            see_since(world, index, since, as_of, feed.seen + feed.count, WORLD_LONG - feed.count);
    feed.points = must(arena_alloc(&view->arena, feed.count, sizeof *feed.points));
    for (size_t i = 0; i < feed.count; i++)
        feed.moment[i] = values_moment(world, index, feed.seen[i].at);
    if (host->nonsense)
        make_nonsense(&feed);
    else
        make_tables(&feed);
    for (size_t i = 0; i < feed.count; i++) {
        double wrong = feed.seen[i].dated - feed.seen[i].at;
        feed.points[i].taken_at_us = world_us(world, feed.seen[i].dated);
        feed.points[i].boot_at_us =
            host->hide_boot ? TIME_UNKNOWN : world_us(world, feed.moment[i].boot + wrong);
        if (host->nonsense)
            feed.points[i].boot_at_us = world_us(world, as_of + 1000 * (double)(i % 3));
        make_totals(&feed, i);
        make_objects(&feed, i);
    }
    make_facts(&feed, as_of, view);
    view->host.id = host->id;
    view->host.name = host->name;
    view->host.points = feed.points;
    view->host.point_count = feed.count;
}

void world_view_done(struct world_view *view)
{
    arena_done(&view->arena);
}
