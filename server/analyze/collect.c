/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fleet_add_host: which of a host's points are used, where its boots begin, and what holds for the
 * host as a whole. Rows are read in rows.c, what else it tells in signs.c.
 */
#include "server/analyze/fault.h"
#include "server/analyze/reader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* docs/detection.md, "Thresholds and where they come from": collect */
#define ASSUMED_RAM (8.0 * (double)(1ull << 30))

void *reader_room(struct reader *reader, size_t which, size_t count, size_t size)
{
    struct room *room = &reader->rooms[which];
    size_t wanted = 0;
    if (__builtin_mul_overflow(count + 1, size, &wanted))
        return NULL;
    if (wanted > room->size) {
        free(room->data);
        room->data = malloc(wanted);
        room->size = room->data == NULL ? 0 : wanted;
    }
    return room->data;
}

void reader_free(struct reader *reader)
{
    if (reader == NULL)
        return;
    for (size_t i = 0; i < sizeof reader->rooms / sizeof *reader->rooms; i++)
        free(reader->rooms[i].data);
    free(reader->features);
    free(reader);
}

struct reader *reader_open(struct fleet *fleet)
{
    if (fleet->reader == NULL)
        fleet->reader = calloc(1, sizeof *fleet->reader);
    struct reader *reader = fleet->reader;
    if (reader == NULL)
        return NULL;
    reader->fleet = fleet;
    reader->arena = &fleet->arena;
    reader->kept = NULL;
    reader->host = (struct fleet_host){0};
    reader->count = reader->boot_first = 0;
    reader->fault = NULL;
    return reader;
}

double reader_total(const struct analyze_point *point, enum total which)
{
    return point->totals != NULL && totals_has(point->totals, which)
               ? (double)point->totals->value[which]
               : NAN;
}

/* Did the counters go on from one point to the next? Counts tags whose allocs went back. */
static void compare_counters(const struct analyze_point *a, const struct analyze_point *b,
                             size_t *ret_common, size_t *ret_back)
{
    *ret_common = *ret_back = 0;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        const struct snapshot_table *x = &a->table[pool];
        const struct snapshot_table *y = &b->table[pool];
        if (!x->present || !y->present || x->allocs == NULL || y->allocs == NULL)
            continue;
        for (size_t i = 0, k = 0; i < x->count && k < y->count;) {
            if (x->tag[i] != y->tag[k]) {
                if (x->tag[i] < y->tag[k])
                    i++;
                else
                    k++;
                continue;
            }
            (*ret_common)++;
            *ret_back += (int32_t)counter_delta(y->allocs[k], x->allocs[i]) < 0;
            i++;
            k++;
        }
    }
}

/* The boot time decides where both tell it; a boot time that moved with a corrected clock, or is
 * unknown, is settled by the counters: after a real reboot many are lower than before. */
static bool same_boot(const struct analyze_point *a, const struct analyze_point *b)
{
    size_t common;
    size_t back;
    bool known = a->boot_at_us != TIME_UNKNOWN && b->boot_at_us != TIME_UNKNOWN;
    if (known && llabs(a->boot_at_us - b->boot_at_us) <= SAME_BOOT_US)
        return true;
    compare_counters(a, b, &common, &back);
    if (known)
        return common >= 20 && back == 0;
    return common == 0 || back * 20 <= common;
}

static bool usable(const struct analyze_point *point, int64_t after_us, int64_t as_of_us)
{
    return point->taken_at_us > after_us && point->taken_at_us <= as_of_us &&
           point->table != NULL &&
           (point->table[POOL_NONPAGED].present || point->table[POOL_PAGED].present);
}

enum status reader_pick(struct reader *reader, const struct analyze_host *host, int64_t as_of_us)
{
    int64_t after_us = INT64_MIN;
    reader->points = reader_room(reader, ROOM_POINTS, host->point_count, sizeof *reader->points);
    reader->boot = reader_room(reader, ROOM_BOOT, host->point_count, sizeof *reader->boot);
    if (reader->points == NULL || reader->boot == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < host->point_count; i++) {
        const struct analyze_point *point = &host->points[i];
        if (!usable(point, after_us, as_of_us))
            continue;
        after_us = point->taken_at_us;
        reader->fault = fault_of(point);
        if (reader->fault != NULL)
            continue; /* one bad snapshot among good ones is left out */
        size_t at = reader->count++;
        reader->points[at] = point;
        reader->boot[at] = 0;
        if (at == 0)
            continue;
        bool same = same_boot(reader->points[at - 1], point);
        reader->boot[at] = (uint16_t)(reader->boot[at - 1] + (same ? 0 : 1));
        if (!same)
            reader->boot_first = at;
    }
    return ST_OK;
}

/* What is committed beside the pools goes up and down with the day: its middle counts. */
static enum status commit_beside_pools(const struct reader *reader, double *ret_beside)
{
    AUTO_FREE double *values = calloc(reader->count, sizeof *values);
    size_t count = 0;
    if (values == NULL)
        return ST_NOMEM;
    for (size_t i = reader->boot_first; i < reader->count; i++) {
        const struct analyze_point *point = reader->points[i];
        double beside = reader_total(point, TOTAL_COMMIT_BYTES) -
                        reader_total(point, TOTAL_NONPAGED_BYTES) -
                        reader_total(point, TOTAL_PAGED_BYTES);
        if (point->taken_at_us > reader->host.last_us - US_PER_DAY && !isnan(beside))
            values[count++] = beside;
    }
    *ret_beside = robust_median(values, count);
    return ST_OK;
}

/* Hours that the host has been seen or known to be up at once: what had the time to fill. */
static double longest_boot(const struct reader *reader)
{
    double longest = reader->host.uptime_hours;
    size_t from = 0;
    for (size_t i = 1; i < reader->boot_first; i++) {
        if (reader->boot[i] != reader->boot[i - 1])
            from = i;
        longest = fmax(
            longest, (double)(reader->points[i]->taken_at_us - reader->points[from]->taken_at_us) /
                         (double)US_PER_HOUR);
    }
    return longest;
}

enum status reader_header(struct reader *reader, const struct analyze_host *host)
{
    struct fleet_host *to = &reader->host;
    const struct analyze_point *now = reader->points[reader->count - 1];
    const struct analyze_point *boot = reader->points[reader->boot_first];
    to->last_us = now->taken_at_us;
    to->first_us = reader->points[0]->taken_at_us;
    to->boot_first_us = boot->taken_at_us;
    for (size_t i = reader->boot_first; i < reader->count; i++) {
        const struct snapshot_totals *totals = reader->points[i]->totals;
        for (int t = 0; totals != NULL && t < TOTAL_COUNT; t++) {
            if (totals_has(totals, (enum total)t))
                totals_set(&to->totals, (enum total)t, totals->value[t]);
        }
    }
    if (commit_beside_pools(reader, &to->commit_rest) != ST_OK)
        return ST_NOMEM;
    const char *ram_text = reader_fact(host, "hw.ram_bytes", to->last_us);
    double ram = ram_text == NULL ? 0 : strtod(ram_text, NULL);
    if (totals_has(&to->totals, TOTAL_PHYSICAL_BYTES))
        ram = (double)to->totals.value[TOTAL_PHYSICAL_BYTES];
    bool known = ram >= 1e6 && ram < 1e16; /* else nonsense, or NaN */
    to->ram = known ? ram : ASSUMED_RAM;
    int64_t uptime = -1;
    if (now->boot_at_us != TIME_UNKNOWN && now->boot_at_us <= now->taken_at_us)
        uptime = now->taken_at_us - now->boot_at_us;
    to->uptime_hours = uptime >= 0
                           ? (double)uptime / (double)US_PER_HOUR
                           : (double)(to->last_us - to->boot_first_us) / (double)US_PER_HOUR;
    cohort_facts_set(reader_fact(host, "os.build", to->last_us),
                     reader_fact(host, "role", to->last_us), known ? (uint64_t)ram : 0,
                     uptime >= 0 ? uptime : to->last_us - to->boot_first_us, &to->cohort);
    to->longest_hours = longest_boot(reader);
    return ST_OK;
}

static enum status read_host(struct reader *reader, const struct analyze_host *host,
                             int64_t as_of_us)
{
    struct arena *arena = reader->arena;
    if (reader_pick(reader, host, as_of_us) != ST_OK)
        return ST_NOMEM;
    if (reader->count == 0 || reader->fault != NULL)
        return ST_OK;
    if (reader_header(reader, host) != ST_OK)
        return ST_NOMEM;
    reader->host.id = arena_strdup(arena, host->id);
    reader->host.name = host->name == NULL ? NULL : arena_strdup(arena, host->name);
    if (reader->host.id == NULL || (host->name != NULL && reader->host.name == NULL) ||
        reader_facts(reader, host) != ST_OK || reader_rows(reader, POOL_NONPAGED) != ST_OK ||
        reader_rows(reader, POOL_PAGED) != ST_OK || reader_signs(reader) != ST_OK)
        return ST_NOMEM;
    reader->host.features =
        arena_alloc(arena, reader->host.feature_count, sizeof *reader->host.features);
    if (reader->host.features == NULL)
        return ST_NOMEM;
    if (reader->host.feature_count > 0)
        memcpy(reader->host.features, reader->features,
               reader->host.feature_count * sizeof *reader->host.features);
    return ST_OK;
}

enum status fleet_add_fault(struct fleet *fleet, const char *id, const char *name,
                            const struct fault *fault)
{
    if (fleet->fault_count == fleet->fault_capacity) {
        size_t capacity = fleet->fault_capacity == 0 ? 8 : fleet->fault_capacity * 2;
        struct fleet_fault *faults = realloc(fleet->faults, capacity * sizeof *faults);
        if (faults == NULL)
            return ST_NOMEM;
        fleet->faults = faults;
        fleet->fault_capacity = capacity;
    }
    fleet->faults[fleet->fault_count++] = (struct fleet_fault){id, name, fault};
    return ST_OK;
}

static enum status add_fault(struct fleet *fleet, const struct analyze_host *host,
                             const struct fault *fault)
{
    const char *id = arena_strdup(&fleet->arena, host->id);
    const char *name = host->name == NULL ? NULL : arena_strdup(&fleet->arena, host->name);
    if (id == NULL || (host->name != NULL && name == NULL))
        return ST_NOMEM;
    return fleet_add_fault(fleet, id, name, fault);
}

bool reader_make_room(struct fleet *fleet)
{
    if (fleet->count < fleet->capacity)
        return true;
    size_t capacity = fleet->capacity == 0 ? 64 : fleet->capacity * 2;
    struct fleet_host *hosts = realloc(fleet->hosts, capacity * sizeof *hosts);
    if (hosts == NULL)
        return false;
    fleet->hosts = hosts;
    fleet->capacity = capacity;
    return true;
}

enum status fleet_add_host(struct fleet *fleet, const struct analyze_host *host, int64_t as_of_us,
                           struct err *err)
{
    struct reader *reader = reader_open(fleet);
    enum status status = ST_NOMEM;
    if (reader != NULL && reader_make_room(fleet)) {
        status = read_host(reader, host, as_of_us);
        if (status == ST_OK && reader->fault != NULL)
            status = add_fault(fleet, host, reader->fault);
        else if (status == ST_OK && reader->count > 0)
            fleet->hosts[fleet->count++] = reader->host;
    }
    return status == ST_OK
               ? ST_OK
               : err_set(err, status, "could not read host \"%.64s\": out of memory", host->id);
}
