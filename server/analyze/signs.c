/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a host tells beside its rows: what it is and which drivers it has, what holds objects and
 * handles, and whether allocations fail. Growth is since the first point of this boot that told.
 */
#include "server/analyze/reader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PROCESSES_KEPT 8

static int fact_order(const void *a, const void *b)
{
    const struct fleet_fact *x = a;
    const struct fleet_fact *y = b;
    if (x->name != y->name)
        return x->name < y->name ? -1 : 1;
    if (x->from_us != y->from_us)
        return x->from_us < y->from_us ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

enum status reader_facts(struct reader *reader, const struct analyze_host *host)
{
    struct fleet_host *to = &reader->host;
    struct arena *arena = reader->arena;
    struct fleet_fact *facts = arena_alloc(arena, host->fact_count, sizeof *facts);
    size_t ended = 0;
    for (size_t i = 0; i < host->fact_count; i++)
        ended += host->facts[i].valid_to_us != TIME_UNKNOWN;
    struct fleet_change *changes = arena_alloc(arena, ended, sizeof *changes);
    if (facts == NULL || changes == NULL)
        return ST_NOMEM;
    size_t count = 0;
    for (size_t i = 0; i < host->fact_count; i++) {
        const struct analyze_fact *fact = &host->facts[i];
        uint32_t name;
        uint32_t value;
        bool begun = fact->valid_from_us == TIME_UNKNOWN || fact->valid_from_us <= to->last_us;
        if (!begun || fact->name == NULL || fact->value == NULL)
            continue;
        if (fleet_intern(reader->fleet, fact->name, &name) != ST_OK ||
            fleet_intern(reader->fleet, fact->value, &value) != ST_OK)
            return ST_NOMEM;
        if (fact->valid_to_us != TIME_UNKNOWN && fact->valid_to_us <= to->last_us)
            changes[to->change_count++] = (struct fleet_change){name, value, fact->valid_to_us};
        else
            facts[count++] = (struct fleet_fact){name, value, fact->valid_from_us};
    }
    bool sorted = true; /* names of hosts that are alike were seen in the same order */
    for (size_t i = 1; i < count && sorted; i++)
        sorted = fact_order(&facts[i - 1], &facts[i]) <= 0;
    if (!sorted)
        qsort(facts, count, sizeof *facts, fact_order);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) { /* two values at once: the newer holds */
        if (kept > 0 && facts[kept - 1].name == facts[i].name)
            kept--;
        facts[kept++] = facts[i];
    }
    to->facts = facts;
    to->fact_count = kept;
    to->changes = changes;
    return ST_OK;
}

const char *reader_fact(const struct analyze_host *host, const char *name, int64_t at_us)
{
    const char *value = NULL;
    for (size_t i = 0; i < host->fact_count; i++) {
        const struct analyze_fact *fact = &host->facts[i];
        if (fact->name != NULL && strcmp(fact->name, name) == 0 &&
            (fact->valid_from_us == TIME_UNKNOWN || fact->valid_from_us <= at_us) &&
            (fact->valid_to_us == TIME_UNKNOWN || fact->valid_to_us > at_us))
            value = fact->value;
    }
    return value;
}

static const struct snapshot_object *find_object(const struct analyze_point *point,
                                                 const char *type)
{
    for (size_t i = 0; i < point->object_count; i++) {
        if (strcmp(point->objects[i].type, type) == 0)
            return &point->objects[i];
    }
    return NULL;
}

static int64_t growth_of(int64_t now, int64_t before)
{
    return now < 0 || before < 0 ? -1 : now > before ? now - before : 0;
}

static const struct analyze_point *newest_with(const struct reader *reader, bool objects)
{
    for (size_t i = reader->count; i > reader->boot_first; i--) {
        const struct analyze_point *point = reader->points[i - 1];
        if ((objects ? point->object_count : point->process_count) > 0)
            return point;
    }
    return NULL;
}

static enum status read_objects(struct reader *reader)
{
    const struct analyze_point *now = newest_with(reader, true);
    struct fleet_host *host = &reader->host;
    if (now == NULL)
        return ST_OK;
    host->objects = arena_alloc(reader->arena, now->object_count, sizeof *host->objects);
    if (host->objects == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < now->object_count; i++) {
        const struct snapshot_object *object = &now->objects[i];
        const struct snapshot_object *before = NULL;
        for (size_t k = reader->boot_first; k < reader->count && before == NULL; k++)
            before = find_object(reader->points[k], object->type);
        const char *type = arena_strdup(reader->arena, object->type);
        if (type == NULL)
            return ST_NOMEM;
        host->objects[host->object_count++] = (struct fleet_object){
            type, object->objects, object->handles,
            growth_of(object->objects, before == NULL ? -1 : before->objects),
            growth_of(object->handles, before == NULL ? -1 : before->handles)};
    }
    return ST_OK;
}

static int64_t first_handles(const struct reader *reader, const struct snapshot_process *process)
{
    for (size_t k = reader->boot_first; k < reader->count; k++) {
        const struct analyze_point *point = reader->points[k];
        for (size_t i = 0; i < point->process_count; i++) {
            if (point->processes[i].pid == process->pid &&
                strcmp(point->processes[i].image, process->image) == 0)
                return point->processes[i].handles;
        }
    }
    return -1;
}

static bool holds_more(const struct snapshot_process *a, const struct fleet_process *b)
{
    if (a->handles != b->handles)
        return a->handles > b->handles;
    int order = strcmp(a->image, b->image);
    return order != 0 ? order < 0 : a->pid < b->pid;
}

static enum status read_processes(struct reader *reader)
{
    const struct analyze_point *now = newest_with(reader, false);
    struct fleet_host *host = &reader->host;
    if (now == NULL)
        return ST_OK;
    struct fleet_process *kept = arena_alloc(reader->arena, PROCESSES_KEPT + 1, sizeof *kept);
    if (kept == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < now->process_count; i++) {
        const struct snapshot_process *process = &now->processes[i];
        size_t at = host->process_count;
        while (at > 0 && holds_more(process, &kept[at - 1]))
            at--;
        if (process->handles < 0 || at == PROCESSES_KEPT)
            continue;
        memmove(&kept[at + 1], &kept[at], (host->process_count - at) * sizeof *kept);
        kept[at] =
            (struct fleet_process){process->image, process->pid, process->handles,
                                   growth_of(process->handles, first_handles(reader, process))};
        if (host->process_count < PROCESSES_KEPT)
            host->process_count++;
    }
    for (size_t i = 0; i < host->process_count; i++) {
        kept[i].image = arena_strdup(reader->arena, kept[i].image);
        if (kept[i].image == NULL)
            return ST_NOMEM;
    }
    host->processes = kept;
    return ST_OK;
}

static bool same_text(const char *a, const char *b)
{
    return a != NULL && strcasecmp(a, b) == 0;
}

static void read_events(struct reader *reader)
{
    struct fleet_failing *failing = &reader->host.failing;
    int64_t newest[POOL_COUNT] = {TIME_UNKNOWN, TIME_UNKNOWN};
    for (size_t i = 0; i < reader->count; i++) {
        const struct analyze_point *point = reader->points[i];
        for (size_t k = 0; k < point->event_count; k++) {
            const struct snapshot_event *event = &point->events[k];
            if ((event->id != 2019 && event->id != 2020) || !same_text(event->provider, "srv") ||
                event->at_us <= reader->host.last_us - US_PER_DAY ||
                event->at_us < reader->points[reader->boot_first]->taken_at_us -
                                   (int64_t)(reader->host.uptime_hours * (double)US_PER_HOUR))
                continue;
            enum pool pool = event->id == 2019 ? POOL_NONPAGED : POOL_PAGED;
            if (event->at_us <= newest[pool])
                continue; /* told by an earlier snapshot as well */
            newest[pool] = event->at_us;
            failing->events[pool]++;
        }
    }
    failing->event_us[POOL_NONPAGED] = newest[POOL_NONPAGED];
    failing->event_us[POOL_PAGED] = newest[POOL_PAGED];
}

static int64_t failures_before(const struct reader *reader, int64_t id)
{
    int64_t before = -1;
    for (size_t k = reader->boot_first; k < reader->count; k++) {
        const struct analyze_point *point = reader->points[k];
        if (before >= 0 && point->taken_at_us > reader->host.last_us - US_PER_DAY)
            break;
        for (size_t i = 0; i < point->session_count; i++) {
            if (point->sessions[i].id == id && point->sessions[i].failures >= 0)
                before = point->sessions[i].failures;
        }
    }
    return before;
}

/* A counter that only ever showed one value may be old; failures must have grown in the newest day,
 * or the session must be new in it. */
static void read_failures(struct reader *reader)
{
    struct fleet_failing *failing = &reader->host.failing;
    const struct analyze_point *now = reader->points[reader->count - 1];
    failing->session = -1;
    for (size_t i = 0; i < now->session_count; i++) {
        const struct snapshot_session *session = &now->sessions[i];
        int64_t before = failures_before(reader, session->id);
        int64_t more = growth_of(session->failures, before);
        if (reader->count - reader->boot_first < 2)
            more = session->failures;
        if (more <= 0)
            continue;
        failing->sessions++;
        if (more > failing->session_failures) {
            failing->session = session->id;
            failing->session_failures = more;
            failing->session_paged_bytes = session->paged_bytes;
        }
    }
    double after = reader_total(now, TOTAL_ALLOC_FAILURES);
    for (size_t k = reader->boot_first; k < reader->count; k++) {
        double before = reader_total(reader->points[k], TOTAL_ALLOC_FAILURES);
        bool newest_day = reader->points[k]->taken_at_us > reader->host.last_us - US_PER_DAY;
        if (isnan(before) || isnan(after))
            continue;
        failing->alloc_failures = after > before ? (uint64_t)(after - before) : 0;
        if (newest_day)
            break;
    }
}

enum status reader_signs(struct reader *reader)
{
    if (read_objects(reader) != ST_OK || read_processes(reader) != ST_OK)
        return ST_NOMEM;
    read_events(reader);
    read_failures(reader);
    return ST_OK;
}
