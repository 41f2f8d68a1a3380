/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One snapshot of this host: the kernel's tables (agent/nt), the drivers (inventory.c), what kind
 * of machine it is (attributes.c) and the event log (events.c).
 *
 * Each part may fail by itself: it is then left out, told once in the log until it works again or
 * fails in another way, and asked again after a wait that grows up to an hour. Nothing is switched
 * off for good: memory that is short today is there tomorrow. Only the pool tables themselves are
 * asked every time, and their failure is the snapshot's.
 */
#include "agent/win/source.h"
#include "agent/win/attributes.h"
#include "agent/win/events.h"
#include "agent/win/inventory.h"

#include "common/log.h"

#include "agent/win/system.h"

#define WAIT_FIRST_US (5 * US_PER_MINUTE)
#define WAIT_MOST_US  US_PER_HOUR

enum part {
    PART_TOTALS,
    PART_CLOCKS,
    PART_PROCESSES,
    PART_OBJECTS,
    PART_SESSIONS,
    PART_BLOCKS,
    PART_DRIVERS,
    PART_ATTRIBUTES,
    PART_EVENTS,
    PART_COUNT
};

static const char *const part_names[PART_COUNT] = {
    "totals",     "clocks",  "processes",  "object types", "session pool",
    "big blocks", "drivers", "attributes", "event log",
};

struct part_state {
    enum status told; /* the last failure that stands in the log; ST_OK: none */
    unsigned failures;
    int64_t again_us; /* not asked before (monotonic) */
};

struct win_source {
    const struct nt_calls *calls;
    struct nt_reader reader;
    struct nt_reader live; /* for drivers, when a recording has none */
    struct nt_reader *drivers;
    bool recorded; /* not this host's kernel */
    struct inventory inventory;
    struct events events;
    struct part_state parts[PART_COUNT];
    uint64_t attributes_told; /* digest of those of the last take() with drivers; 0: none */
    bool wants_sessions;
    volatile long stop;
    struct source source;
};

/* ---- parts that may fail */

static bool part_due(const struct win_source *source, enum part part)
{
    return clock_mono_us() >= source->parts[part].again_us;
}

static void part_ended(struct win_source *source, enum part part, enum status st,
                       const struct err *err)
{
    struct part_state *state = &source->parts[part];
    if (st == ST_OK) {
        if (state->told != ST_OK)
            log_info("can be read again", "what", part_names[part]);
        *state = (struct part_state){.told = ST_OK};
        return;
    }
    if (state->told != st)
        log_warning("left out of snapshots", "what", part_names[part], "reason", err->message);
    state->told = st;
    int64_t wait_us = WAIT_FIRST_US << (state->failures < 4 ? state->failures : 4);
    state->failures++;
    state->again_us = clock_mono_us() + (wait_us < WAIT_MOST_US ? wait_us : WAIT_MOST_US);
}

/* ---- the kernel's tables */

static void take_totals(struct win_source *source, struct snapshot *snapshot)
{
    struct err err = {0};
    if (part_due(source, PART_TOTALS)) {
        enum status st = nt_totals(&source->reader, &snapshot->totals, &err);
        part_ended(source, PART_TOTALS, st, &err);
    }
}

static void take_processes(struct win_source *source, const struct source_request *request,
                           struct snapshot *snapshot)
{
    struct err err = {0};
    size_t most = request->processes ? SIZE_MAX : request->top_processes;
    if (!part_due(source, PART_PROCESSES))
        return;
    enum status st = nt_processes(&source->reader, &snapshot->arena, most, &snapshot->totals,
                                  &snapshot->processes, &snapshot->process_count, &err);
    part_ended(source, PART_PROCESSES, st, &err);
}

static void take_objects(struct win_source *source, struct snapshot *snapshot)
{
    struct err err = {0};
    if (!part_due(source, PART_OBJECTS))
        return;
    enum status st = nt_object_types(&source->reader, &snapshot->arena, &snapshot->objects,
                                     &snapshot->object_count, &err);
    part_ended(source, PART_OBJECTS, st, &err);
}

static void take_sessions(struct win_source *source, struct snapshot *snapshot)
{
    struct err err = {0};
    if (!source->wants_sessions || !part_due(source, PART_SESSIONS))
        return;
    enum status st = nt_sessions(&source->reader, &snapshot->arena, &snapshot->sessions,
                                 &snapshot->session_count, &err);
    part_ended(source, PART_SESSIONS, st, &err);
}

static void take_blocks(struct win_source *source, const struct source_request *request,
                        struct snapshot *snapshot)
{
    struct err err = {0};
    if (request->block_count == 0 || !part_due(source, PART_BLOCKS))
        return;
    enum status st =
        nt_big_blocks(&source->reader, &snapshot->arena, request->blocks, request->block_count,
                      &snapshot->blocks, &snapshot->block_count, &err);
    part_ended(source, PART_BLOCKS, st, &err);
}

static void take_events(struct win_source *source, struct snapshot *snapshot)
{
    struct err err = {0};
    /* A recording's host has no event log here. */
    if (source->recorded || !part_due(source, PART_EVENTS))
        return;
    enum status st = events_take(&source->events, &snapshot->arena, &snapshot->events,
                                 &snapshot->event_count, &err);
    part_ended(source, PART_EVENTS, st, &err);
}

/* The system's own clocks: what class 3 says, in three calls of any Windows. */
static void clocks_without_kernel(struct source_clocks *clocks)
{
    typedef ULONGLONG(WINAPI * tick_count_fn)(void);
    tick_count_fn ticks = (tick_count_fn)win_function(L"kernel32.dll", "GetTickCount64");
    clocks->wall_us = clock_wall_us();
    clocks->uptime_us = ticks == NULL ? clock_mono_us() : (int64_t)ticks() * US_PER_MS;
    clocks->boot_at_us = clocks->wall_us - clocks->uptime_us;
}

static void take_clocks(struct win_source *source, struct source_clocks *clocks)
{
    struct err err = {0};
    struct nt_clocks kernel;
    if (!part_due(source, PART_CLOCKS)) {
        clocks_without_kernel(clocks);
        return;
    }
    enum status st = nt_clocks(&source->reader, &kernel, &err);
    if (st == ST_OK)
        *clocks = (struct source_clocks){kernel.wall_us, kernel.boot_at_us, kernel.uptime_us};
    else
        clocks_without_kernel(clocks);
    if (!source->recorded) /* a recording need not have them */
        part_ended(source, PART_CLOCKS, st, &err);
}

/* ---- drivers and attributes */

static int tag_order(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

/* Tags of both pools, sorted: what a scan may count as evidence. */
static uint32_t *live_tags(struct snapshot *snapshot, size_t *ret_count)
{
    size_t count = 0;
    size_t most = snapshot->table[POOL_NONPAGED].count + snapshot->table[POOL_PAGED].count;
    uint32_t *tags = arena_alloc(&snapshot->arena, most, sizeof *tags);
    for (int pool = 0; tags != NULL && pool < POOL_COUNT; pool++) {
        for (size_t i = 0; i < snapshot->table[pool].count; i++)
            tags[count++] = snapshot->table[pool].tag[i];
    }
    if (tags != NULL)
        qsort(tags, count, sizeof *tags, tag_order);
    *ret_count = count;
    return tags;
}

static void take_drivers(struct win_source *source, const struct source_request *request,
                         struct snapshot *snapshot)
{
    struct err err = {0};
    size_t live_count = 0;
    if (!part_due(source, PART_DRIVERS))
        return;
    uint32_t *live = request->scan_count == 0 ? NULL : live_tags(snapshot, &live_count);
    enum status st =
        inventory_take(&source->inventory, source->drivers, request, live, live_count,
                       &snapshot->arena, &snapshot->drivers, &snapshot->driver_count, &err);
    snapshot->has_drivers = st == ST_OK;
    if (st != ST_OK)
        snapshot->driver_count = 0;
    if (st == ST_BUSY) /* goes on with the next snapshot */
        log_debug("drivers come later", "reason", err.message);
    else
        part_ended(source, PART_DRIVERS, st, &err);
}

static void take_attributes(struct win_source *source, struct snapshot *snapshot)
{
    struct err err = {0};
    if (!part_due(source, PART_ATTRIBUTES))
        return;
    enum status st = attributes_take(source->calls, &snapshot->arena, &snapshot->attributes,
                                     &snapshot->attribute_count, &err);
    snapshot->has_attributes = st == ST_OK;
    if (st == ST_OK)
        source->attributes_told =
            attributes_digest(snapshot->attributes, snapshot->attribute_count);
    part_ended(source, PART_ATTRIBUTES, st, &err);
}

/* ---- struct source */

static enum status source_take(void *arg, const struct source_request *request,
                               struct snapshot *ret_snapshot, struct source_clocks *ret_clocks,
                               struct err *err)
{
    struct win_source *source = arg;
    struct snapshot snapshot AUTO_SNAPSHOT;
    struct source_clocks clocks;
    snapshot_init(&snapshot);
    take_clocks(source, &clocks);
    enum status st = nt_pool_tags(&source->reader, &snapshot.arena, snapshot.table, err);
    if (st != ST_OK)
        return st;
    snapshot.taken_at_us = clocks.wall_us;
    snapshot.agent.present = true;
    snapshot.agent.simulated = source->calls->simulated;
    take_totals(source, &snapshot);
    take_processes(source, request, &snapshot);
    take_objects(source, &snapshot);
    take_sessions(source, &snapshot);
    take_blocks(source, request, &snapshot);
    take_events(source, &snapshot);
    if (request->drivers || request->scan_count > 0) {
        take_drivers(source, request, &snapshot);
        take_attributes(source, &snapshot);
    }
    *ret_snapshot = snapshot;
    *ret_clocks = clocks;
    snapshot_init(&snapshot); /* handed over */
    return ST_OK;
}

static bool attributes_changed(struct win_source *source)
{
    struct arena arena AUTO_ARENA = {0};
    struct snapshot_attribute *attributes;
    size_t count;
    return source->attributes_told == 0 ||
           (attributes_take(source->calls, &arena, &attributes, &count, NULL) == ST_OK &&
            attributes_digest(attributes, count) != source->attributes_told);
}

static bool source_inventory_changed(void *arg)
{
    struct win_source *source = arg;
    return (part_due(source, PART_DRIVERS) &&
            inventory_changed(&source->inventory, source->drivers)) ||
           (part_due(source, PART_ATTRIBUTES) && attributes_changed(source));
}

static bool has_modules(struct nt_reader *reader)
{
    struct arena arena AUTO_ARENA = {0};
    struct nt_module *modules;
    size_t count;
    return nt_modules(reader, &arena, &modules, &count, NULL) == ST_OK;
}

enum status win_source_open(const struct nt_calls *calls, const struct settings *settings,
                            const struct files *files, struct win_source **ret_source,
                            struct err *err)
{
    struct win_source *source = calloc(1, sizeof *source);
    if (source == NULL)
        return err_set(err, ST_NOMEM, "out of memory");
    source->calls = calls;
    source->wants_sessions = settings_number(settings, SETTING_SESSION_POOL) != 0;
    source->recorded = calls != win_calls();
    nt_reader_init(&source->reader, calls);
    nt_reader_init(&source->live, win_calls());
    bool recorded_drivers = source->recorded && has_modules(&source->reader);
    source->drivers = !source->recorded || recorded_drivers ? &source->reader : &source->live;
    inventory_init(&source->inventory, files, settings_number(settings, SETTING_SCAN_DRIVERS) != 0,
                   recorded_drivers, &source->stop);
    events_init(&source->events, files);
    source->source = (struct source){
        .arg = source, .take = source_take, .inventory_changed = source_inventory_changed};
    *ret_source = source;
    return ST_OK;
}

void win_source_close(struct win_source *source)
{
    if (source == NULL)
        return;
    nt_reader_done(&source->reader);
    nt_reader_done(&source->live);
    inventory_done(&source->inventory);
    free(source);
}

const struct source *win_source_get(struct win_source *source)
{
    return &source->source;
}

void win_source_stop(struct win_source *source)
{
    InterlockedExchange(&source->stop, 1);
}
