/* SPDX-License-Identifier: Apache-2.0 */
#include "server/jobs/analysis_run.h"

#include "server/analyze/analyze.h"
#include "server/analyze/grid.h"
#include "server/store/store_driver_files.h"
#include "server/store/store_hosts.h"
#include "server/store/store_rollups.h"
#include "server/store/store_snapshots.h"

#include <stdlib.h>
#include <string.h>

#define LEASE_WAIT_US (30 * US_PER_SECOND)

/* ---- one host's history, copied out of the walk ----------------------------- */

struct history {
    struct arena arena;
    struct analyze_point *points;
    size_t count;
    size_t capacity;
    int64_t sequence; /* of the newest */
};

static void *copy(struct arena *arena, const void *from, size_t count, size_t size, bool *failed)
{
    if (from == NULL)
        return NULL;
    void *to = arena_alloc(arena, count, size);
    if (to == NULL)
        *failed = true;
    else if (count > 0)
        memcpy(to, from, count * size);
    return to;
}

static const char *copy_text(struct arena *arena, const char *text, bool *failed)
{
    const char *to = text == NULL ? NULL : arena_strdup(arena, text);
    *failed = *failed || (text != NULL && to == NULL);
    return to;
}

static struct snapshot_table *copy_tables(struct arena *arena, const struct snapshot *snapshot,
                                          bool *failed)
{
    struct snapshot_table *tables =
        copy(arena, snapshot->table, POOL_COUNT, sizeof *tables, failed);

    for (size_t p = 0; tables != NULL && p < POOL_COUNT; p++) {
        struct snapshot_table *table = &tables[p];
        table->tag = copy(arena, table->tag, table->count, sizeof *table->tag, failed);
        table->allocs = copy(arena, table->allocs, table->count, sizeof *table->allocs, failed);
        table->frees = copy(arena, table->frees, table->count, sizeof *table->frees, failed);
        table->bytes = copy(arena, table->bytes, table->count, sizeof *table->bytes, failed);
    }
    return tables;
}

static void copy_lists(struct arena *arena, const struct snapshot *from, struct analyze_point *to,
                       bool *failed)
{
    struct snapshot_object *objects =
        copy(arena, from->objects, from->object_count, sizeof *objects, failed);
    struct snapshot_process *processes =
        copy(arena, from->processes, from->process_count, sizeof *processes, failed);
    struct snapshot_event *events =
        copy(arena, from->events, from->event_count, sizeof *events, failed);

    for (size_t i = 0; objects != NULL && i < from->object_count; i++)
        objects[i].type = copy_text(arena, objects[i].type, failed);
    for (size_t i = 0; processes != NULL && i < from->process_count; i++)
        processes[i].image = copy_text(arena, processes[i].image, failed);
    for (size_t i = 0; events != NULL && i < from->event_count; i++)
        events[i].provider = copy_text(arena, events[i].provider, failed);
    to->objects = objects;
    to->object_count = from->object_count;
    to->processes = processes;
    to->process_count = from->process_count;
    to->events = events;
    to->event_count = from->event_count;
    to->sessions = copy(arena, from->sessions, from->session_count, sizeof *from->sessions, failed);
    to->session_count = from->session_count;
}

static enum status keep_point(const struct snapshot *snapshot, void *arg)
{
    struct history *history = arg;
    bool failed = false;

    if (history->count == history->capacity)
        return ST_OK; /* one a grid time: cannot be more */
    /* Documents of one moment may differ in their boot: the analysis wants strictly rising times.
     */
    if (history->count > 0 &&
        snapshot->taken_at_us <= history->points[history->count - 1].taken_at_us)
        return ST_OK;
    struct analyze_point *point = &history->points[history->count];
    point->taken_at_us = snapshot->taken_at_us;
    point->boot_at_us = snapshot->boot_at_us;
    point->totals = copy(&history->arena, &snapshot->totals, 1, sizeof snapshot->totals, &failed);
    point->table = copy_tables(&history->arena, snapshot, &failed);
    copy_lists(&history->arena, snapshot, point, &failed);
    if (failed)
        return ST_NOMEM;
    history->count++;
    history->sequence = snapshot->sequence;
    return ST_OK;
}

enum status analysis_read_facts(struct db *db, int64_t key, int64_t as_of_us,
                                struct store_facts *ret_facts, struct analyze_fact **ret_list,
                                struct err *err)
{
    enum status status = store_host_facts(db, key, as_of_us, ret_facts, err);

    if (status != ST_OK)
        return status;
    struct analyze_fact *to = arena_alloc(&ret_facts->arena, ret_facts->count, sizeof *to);
    if (to == NULL)
        return err_set(err, ST_NOMEM, "could not analyze: out of memory");
    for (size_t i = 0; i < ret_facts->count; i++) {
        const struct store_fact *fact = &ret_facts->items[i];
        to[i] =
            (struct analyze_fact){fact->name, fact->value, fact->valid_from_us, fact->valid_to_us};
    }
    *ret_list = to;
    return ST_OK;
}

enum status analysis_read_host(struct db *db, struct analysis *analysis,
                               const struct store_host_ref *ref, int64_t as_of_us,
                               struct kept *kept, struct err *err)
{
    AUTO_STORE_FACTS struct store_facts facts = {0};
    struct history history = {.capacity = GRID_MAX, .sequence = SEQUENCE_UNKNOWN};
    struct analyze_fact *list = NULL;
    int64_t grid[GRID_MAX];
    int64_t after_us;
    size_t grid_count = grid_slots(as_of_us, grid, &after_us);
    enum status status = ST_OK;

    history.points = arena_alloc(&history.arena, history.capacity, sizeof *history.points);
    if (history.points == NULL)
        status = err_set(err, ST_NOMEM, "could not analyze: out of memory");
    if (status == ST_OK)
        status = analysis_read_facts(db, ref->key, as_of_us, &facts, &list, err);
    if (status == ST_OK)
        status = store_snapshots_sample(db, ref->key, after_us + 1, as_of_us, grid, grid_count,
                                        keep_point, &history, err);
    if (status == ST_OK && history.count > 0) {
        struct analyze_host host = {.id = ref->id,
                                    .name = ref->name,
                                    .facts = list,
                                    .fact_count = facts.count,
                                    .points = history.points,
                                    .point_count = history.count};
        status = kept == NULL
                     ? analysis_add_host(analysis, &host, err)
                     : analysis_keep(analysis, kept, &host, history.sequence, clock_wall_us(), err);
    }
    arena_done(&history.arena);
    return status;
}

/* Both lists are by tag, the driver of most hosts first. */
enum status analysis_read_owners(struct db *db, int64_t as_of_us, struct tag_drivers *drivers,
                                 struct analyze_options *options, struct err *err)
{
    enum status status = store_tag_drivers(db, as_of_us, drivers, err);

    if (status != ST_OK)
        return status;
    struct analyze_owner *owners = arena_alloc(&drivers->arena, drivers->count, sizeof *owners);
    if (owners == NULL)
        return err_set(err, ST_NOMEM, "could not analyze: out of memory");
    for (size_t i = 0; i < drivers->count; i++)
        owners[i] = (struct analyze_owner){drivers->items[i].tag, drivers->items[i].driver};
    options->owners = owners;
    options->owner_count = drivers->count;
    return ST_OK;
}

enum status analysis_run(struct db_pool *pool, const struct tagdict *dict, int64_t as_of_us,
                         struct finding_list *ret_list, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_STORE_HOST_REFS struct store_host_refs refs = {0};
    AUTO_ANALYSIS struct analysis *analysis = NULL;
    AUTO_TAG_DRIVERS struct tag_drivers drivers = {0};
    struct analyze_options options = {.as_of_us = as_of_us, .tagdict = dict};
    enum status status = db_lease(pool, LEASE_WAIT_US, &db, err);

    if (status == ST_OK)
        status = analysis_read_owners(db, as_of_us, &drivers, &options, err);
    if (status == ST_OK)
        status = store_hosts_keys(db, as_of_us, &refs, err);
    if (status == ST_OK)
        status = analysis_new(&options, &analysis, err);
    for (size_t i = 0; status == ST_OK && i < refs.count; i++)
        status = analysis_read_host(db, analysis, &refs.items[i], as_of_us, NULL, err);
    return status == ST_OK ? analysis_finish(analysis, ret_list, err) : status;
}

enum status analysis_newest(struct db *db, int64_t *ret_as_of_us, struct err *err)
{
    return store_newest_taken_at(db, ret_as_of_us, err);
}
