/* SPDX-License-Identifier: Apache-2.0 */
/* fleet_add_host: one pass over a host's points with a cursor per table, so that a row costs its
 * points and no search. Rows too small to matter keep their level only. */
#include "server/analyze/fleet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* docs/detection.md, "Thresholds and where they come from": collect */
#define ASSUMED_RAM    (8.0 * (double)(1ull << 30))
#define SAME_BOOT_US   (2 * US_PER_MINUTE)
#define PROCESSES_KEPT 8
#define MOST_BYTES     0x1p48 /* 256 TB: more than any machine has */
#define FAULT_TIMES    1.1    /* rows and totals are not read in the same moment */
#define ROW_FLOOR_BYTES                                                                            \
    (256.0 * 1024) /* below it, and below 0.001 % of RAM, a row has no features */
#define SETTLED_HOURS   24.0
#define LARGE_ROW_BYTES (32.0 * 1024 * 1024)

/* Everything of one add_host call. */
struct reader {
    struct fleet *fleet;
    struct fleet_host host;
    const struct analyze_point **points; /* usable ones */
    size_t count;
    uint16_t *boot; /* boot number of each */
    size_t boot_first;
    size_t *cursor;
    double *columns; /* room for the six columns of a series */
    struct feature *features;
    size_t feature_room;
    struct feature_scratch scratch;
    uint16_t *series_boot;
    size_t *known;      /* points that know the pool being read */
    size_t cell_row;    /* of the newest table, that the cursors stand at */
    const char *fault;  /* of the newest point; NULL: none */
    float *curve_hours; /* of the pool being read, of this boot; NULL until a row needs them */
};

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

/* Sums of a whole pool; nothing a machine can hold comes near the end of the range. */
static double pool_sum(const struct snapshot_table *table)
{
    uint64_t sum = 0;
    uint64_t any = 0;
    double wide = 0;
    if (!table->present || table->bytes == NULL)
        return 0;
    for (size_t i = 0; i < table->count; i++) {
        sum += table->bytes[i];
        any |= table->bytes[i];
    }
    if (any < UINT64_C(1) << 48 && table->count <= 1 << 15)
        return (double)sum;
    for (size_t i = 0; i < table->count; i++) /* the sum may have gone round */
        wide += (double)table->bytes[i];
    return wide;
}

/* Why a snapshot cannot be true; NULL: it may be. Nonpaged pool lies in RAM, paged pool in what can
 * be committed. Clocks may be wrong, but a boot is never after the snapshot of the same clock. */
static const char *find_fault(const struct analyze_point *point)
{
    const struct snapshot_totals *totals = point->totals;
    double ram = totals != NULL && totals_has(totals, TOTAL_PHYSICAL_BYTES)
                     ? (double)totals->value[TOTAL_PHYSICAL_BYTES]
                     : 0;
    double commit = totals != NULL && totals_has(totals, TOTAL_COMMIT_LIMIT_BYTES)
                        ? (double)totals->value[TOTAL_COMMIT_LIMIT_BYTES]
                        : 0;
    if (point->boot_at_us != TIME_UNKNOWN && point->boot_at_us > point->taken_at_us + US_PER_HOUR)
        return "its newest snapshot tells a boot that is later than the snapshot";
    ram = ram >= 1e6 && ram < MOST_BYTES ? ram : MOST_BYTES;
    if (pool_sum(&point->table[POOL_NONPAGED]) > FAULT_TIMES * ram)
        return "its nonpaged rows hold more together than the machine has memory";
    commit = commit >= 1e6 && commit < MOST_BYTES ? fmax(commit, ram) : MOST_BYTES;
    if (pool_sum(&point->table[POOL_PAGED]) > FAULT_TIMES * commit)
        return "its paged rows hold more together than the machine can commit";
    return NULL;
}

static bool usable(const struct analyze_point *point, int64_t after_us, int64_t as_of_us)
{
    return point->taken_at_us > after_us && point->taken_at_us <= as_of_us &&
           point->table != NULL &&
           (point->table[POOL_NONPAGED].present || point->table[POOL_PAGED].present);
}

static enum status pick_points(struct reader *reader, const struct analyze_host *host,
                               int64_t as_of_us)
{
    int64_t after_us = INT64_MIN;
    reader->points = calloc(host->point_count + 1, sizeof *reader->points);
    reader->boot = calloc(host->point_count + 1, sizeof *reader->boot);
    reader->series_boot = calloc(host->point_count + 1, sizeof *reader->series_boot);
    reader->cursor = calloc(host->point_count + 1, sizeof *reader->cursor);
    reader->known = calloc(host->point_count + 1, sizeof *reader->known);
    reader->columns = calloc((host->point_count + 1) * 6, sizeof *reader->columns);
    if (reader->points == NULL || reader->boot == NULL || reader->cursor == NULL ||
        reader->columns == NULL || reader->series_boot == NULL || reader->known == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < host->point_count; i++) {
        const struct analyze_point *point = &host->points[i];
        if (!usable(point, after_us, as_of_us))
            continue;
        after_us = point->taken_at_us;
        reader->fault = find_fault(point);
        if (reader->fault != NULL)
            continue; /* one bad snapshot among good ones is left out */
        size_t at = reader->count++;
        reader->points[at] = point;
        if (at == 0)
            continue;
        bool same = same_boot(reader->points[at - 1], point);
        reader->boot[at] = (uint16_t)(reader->boot[at - 1] + (same ? 0 : 1));
        if (!same)
            reader->boot_first = at;
    }
    return ST_OK;
}

static double total_of(const struct analyze_point *point, enum total which)
{
    return point->totals != NULL && totals_has(point->totals, which)
               ? (double)point->totals->value[which]
               : NAN;
}

/* What all rows of a pool share: times, boots, processes. A pool that the newest points did not
 * know is judged as of the last that did. */
static void open_pool(struct reader *reader, enum pool pool, struct series *ret_series)
{
    size_t room = reader->count;
    double *hours = reader->columns;
    double *processes = hours + 5 * room;
    struct series series = {.hours = hours,
                            .bytes = hours + room,
                            .outstanding = hours + 2 * room,
                            .alloc_total = hours + 3 * room,
                            .free_total = hours + 4 * room,
                            .processes = processes,
                            .boot = reader->series_boot,
                            .uptime_hours = reader->host.uptime_hours};
    size_t n = 0;
    for (size_t i = 0; i < reader->count; i++) {
        const struct snapshot_table *table = &reader->points[i]->table[pool];
        if (!table->present || table->bytes == NULL)
            continue;
        bool continues = n > 0 && reader->series_boot[n - 1] == reader->boot[i];
        if (i >= reader->boot_first && !continues)
            series.boot_first = n;
        hours[n] =
            (double)(reader->points[i]->taken_at_us - reader->host.last_us) / (double)US_PER_HOUR;
        processes[n] = total_of(reader->points[i], TOTAL_PROCESSES);
        reader->series_boot[n] = reader->boot[i];
        reader->known[n++] = i;
    }
    series.count = n;
    double last = n > 0 ? hours[n - 1] : 0;
    for (size_t k = 0; k < n && last < 0; k++)
        hours[k] -= last;
    series.uptime_hours += last;
    memset(reader->cursor, 0, reader->count * sizeof *reader->cursor);
    reader->cell_row = 0;
    *ret_series = series;
}

/* First stage, for every row that is not small now: its bytes alone. Tables of one host mostly have
 * the same rows, so the place is guessed from how many rows of the newest table were passed over.
 * False when the row is not worth a second look. */
static bool gather_bytes(struct reader *reader, enum pool pool, size_t row, uint32_t tag,
                         const struct series *series)
{
    double *bytes = reader->columns + reader->count;
    double lowest = INFINITY;
    double highest = 0;
    for (size_t n = 0; n < series->count; n++) {
        const struct snapshot_table *table = &reader->points[reader->known[n]]->table[pool];
        size_t at = reader->cursor[n];
        size_t guess = at + (row - reader->cell_row);
        if (guess < table->count && table->tag[guess] == tag)
            at = guess;
        while (at < table->count && table->tag[at] < tag)
            at++;
        reader->cursor[n] = at;
        bool has = at < table->count && table->tag[at] == tag;
        bytes[n] = has ? (double)table->bytes[at] : 0;
        lowest = bytes[n] < lowest ? bytes[n] : lowest;
        highest = bytes[n] > highest ? bytes[n] : highest;
    }
    reader->cell_row = row;
    double ram = reader->host.ram;
    double now = bytes[series->count - 1];
    return highest - lowest >= fmax(ROW_FLOOR_BYTES, 1e-5 * ram) || now >= LARGE_ROW_BYTES ||
           now >= 0.002 * ram;
}

/* Second stage: the counts as well, unwrapped within each boot. The cursors stand at the row. */
static void gather_counts(struct reader *reader, enum pool pool, uint32_t tag,
                          const struct series *series)
{
    size_t room = reader->count;
    double *outstanding = reader->columns + 2 * room;
    double *allocs = reader->columns + 3 * room;
    double *frees = reader->columns + 4 * room;
    uint32_t last_allocs = 0;
    uint32_t last_frees = 0;
    for (size_t n = 0; n < series->count; n++) {
        const struct snapshot_table *table = &reader->points[reader->known[n]]->table[pool];
        size_t at = reader->cursor[n];
        bool has = at < table->count && table->tag[at] == tag;
        bool counts = table->allocs != NULL && table->frees != NULL;
        uint32_t a = has && counts ? table->allocs[at] : 0;
        uint32_t f = has && counts ? table->frees[at] : 0;
        bool continues = n > 0 && reader->series_boot[n - 1] == reader->series_boot[n];
        outstanding[n] = counts ? (double)counter_delta(a, f) : NAN;
        allocs[n] = !counts ? NAN : continues ? allocs[n - 1] + counter_delta(a, last_allocs) : a;
        frees[n] = !counts ? NAN : continues ? frees[n - 1] + counter_delta(f, last_frees) : f;
        last_allocs = a;
        last_frees = f;
    }
}

static enum status add_feature(struct reader *reader, const struct feature *feature)
{
    if (reader->host.feature_count == reader->feature_room) {
        size_t room = reader->feature_room == 0 ? 128 : reader->feature_room * 2;
        struct feature *features = realloc(reader->features, room * sizeof *features);
        if (features == NULL)
            return ST_NOMEM;
        reader->features = features;
        reader->feature_room = room;
    }
    reader->features[reader->host.feature_count++] = *feature;
    return ST_OK;
}

/* Growth and what may become one: below 1 MiB the order of two rows says nothing anyway. */
static bool worth_curve(const struct feature *feature)
{
    return feature->growth >= 1024 * 1024 && feature->newness > 0.2f && feature->points >= 3;
}

static enum status keep_curve(struct reader *reader, const struct series *series,
                              struct feature *feature)
{
    struct arena *arena = &reader->fleet->arena;
    size_t first = series->boot_first;
    size_t count = series->count - first;
    bool counts = !isnan(series->outstanding[series->count - 1]);
    if (reader->curve_hours == NULL) {
        reader->curve_hours = arena_alloc(arena, count, sizeof *reader->curve_hours);
        if (reader->curve_hours == NULL)
            return ST_NOMEM;
        for (size_t i = 0; i < count; i++)
            reader->curve_hours[i] = (float)series->hours[first + i];
    }
    struct curve *curve = curve_new(arena, reader->curve_hours, count, counts);
    if (curve == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < count; i++) {
        curve->bytes[i] = (float)series->bytes[first + i];
        if (counts && !isnan(series->outstanding[first + i]))
            curve->blocks[i] = (uint32_t)series->outstanding[first + i];
    }
    feature->curve = curve;
    return ST_OK;
}

/* The newest point that knew the pool gives the levels. It must be of this boot. */
static const struct snapshot_table *newest_table(const struct reader *reader, enum pool pool)
{
    for (size_t i = reader->count; i > reader->boot_first; i--) {
        const struct snapshot_table *table = &reader->points[i - 1]->table[pool];
        if (table->present)
            return table->bytes != NULL ? table : NULL;
    }
    return NULL;
}

static enum status read_pool(struct reader *reader, enum pool pool)
{
    const struct snapshot_table *table = newest_table(reader, pool);
    if (table == NULL || table->count == 0)
        return ST_OK;
    struct fleet_host *host = &reader->host;
    struct fleet_row *rows = arena_alloc(&reader->fleet->arena, table->count, sizeof *rows);
    if (rows == NULL)
        return ST_NOMEM;
    struct series series;
    open_pool(reader, pool, &series);
    /* What is small long after the boot is small; before, an earlier boot may tell otherwise. */
    bool settled = reader->boot_first == 0 || host->uptime_hours > SETTLED_HOURS;
    reader->curve_hours = NULL;
    for (size_t i = 0; i < table->count; i++) {
        double bytes = (double)table->bytes[i];
        rows[i] = (struct fleet_row){table->tag[i], (float)bytes};
        if (settled && bytes < ROW_FLOOR_BYTES && bytes < 1e-5 * host->ram)
            continue;
        struct feature feature;
        if (!gather_bytes(reader, pool, i, table->tag[i], &series))
            continue;
        gather_counts(reader, pool, table->tag[i], &series);
        feature_extract(&series, host->ram, &reader->scratch, &feature);
        feature.tag = table->tag[i];
        feature.pool = (uint8_t)pool;
        if (worth_curve(&feature) && keep_curve(reader, &series, &feature) != ST_OK)
            return ST_NOMEM;
        if (feature.shape == SHAPE_GROWING)
            host->growth[pool] += (double)feature.rate;
        if (add_feature(reader, &feature) != ST_OK)
            return ST_NOMEM;
    }
    host->rows[pool] = rows;
    host->row_count[pool] = table->count;
    return ST_OK;
}

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

static enum status read_facts(struct reader *reader, const struct analyze_host *host)
{
    struct fleet_host *to = &reader->host;
    struct arena *arena = &reader->fleet->arena;
    struct fleet_fact *facts = arena_alloc(arena, host->fact_count, sizeof *facts);
    struct fleet_change *changes = arena_alloc(arena, host->fact_count, sizeof *changes);
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

static const char *fact_text(const struct analyze_host *host, const char *name, int64_t at_us)
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
    host->objects = arena_alloc(&reader->fleet->arena, now->object_count, sizeof *host->objects);
    if (host->objects == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < now->object_count; i++) {
        const struct snapshot_object *object = &now->objects[i];
        const struct snapshot_object *before = NULL;
        for (size_t k = reader->boot_first; k < reader->count && before == NULL; k++)
            before = find_object(reader->points[k], object->type);
        const char *type = arena_strdup(&reader->fleet->arena, object->type);
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
    struct fleet_process *kept =
        arena_alloc(&reader->fleet->arena, PROCESSES_KEPT + 1, sizeof *kept);
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
        kept[i].image = arena_strdup(&reader->fleet->arena, kept[i].image);
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
    double after = total_of(now, TOTAL_ALLOC_FAILURES);
    for (size_t k = reader->boot_first; k < reader->count; k++) {
        double before = total_of(reader->points[k], TOTAL_ALLOC_FAILURES);
        bool newest_day = reader->points[k]->taken_at_us > reader->host.last_us - US_PER_DAY;
        if (isnan(before) || isnan(after))
            continue;
        failing->alloc_failures = after > before ? (uint64_t)(after - before) : 0;
        if (newest_day)
            break;
    }
}

/* What is committed beside the pools goes up and down with the day: its middle counts. */
static double commit_beside_pools(struct reader *reader)
{
    size_t count = 0;
    for (size_t i = reader->boot_first; i < reader->count; i++) {
        const struct analyze_point *point = reader->points[i];
        double beside = total_of(point, TOTAL_COMMIT_BYTES) -
                        total_of(point, TOTAL_NONPAGED_BYTES) - total_of(point, TOTAL_PAGED_BYTES);
        if (point->taken_at_us > reader->host.last_us - US_PER_DAY && !isnan(beside))
            reader->columns[count++] = beside;
    }
    return robust_median(reader->columns, count);
}

static void read_header(struct reader *reader, const struct analyze_host *host)
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
    to->commit_rest = commit_beside_pools(reader);
    const char *ram_text = fact_text(host, "hw.ram_bytes", to->last_us);
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
    cohort_facts_set(fact_text(host, "os.build", to->last_us), fact_text(host, "role", to->last_us),
                     known ? (uint64_t)ram : 0,
                     uptime >= 0 ? uptime : to->last_us - to->boot_first_us, &to->cohort);
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

static enum status read_host(struct reader *reader, const struct analyze_host *host,
                             int64_t as_of_us)
{
    struct arena *arena = &reader->fleet->arena;
    if (pick_points(reader, host, as_of_us) != ST_OK)
        return ST_NOMEM;
    if (reader->count == 0 || reader->fault != NULL)
        return ST_OK;
    read_header(reader, host);
    reader->host.longest_hours = longest_boot(reader);
    reader->host.id = arena_strdup(arena, host->id);
    reader->host.name = host->name == NULL ? NULL : arena_strdup(arena, host->name);
    if (reader->host.id == NULL || (host->name != NULL && reader->host.name == NULL) ||
        read_facts(reader, host) != ST_OK || read_pool(reader, POOL_NONPAGED) != ST_OK ||
        read_pool(reader, POOL_PAGED) != ST_OK || read_objects(reader) != ST_OK ||
        read_processes(reader) != ST_OK)
        return ST_NOMEM;
    read_events(reader);
    read_failures(reader);
    reader->host.features =
        arena_alloc(arena, reader->host.feature_count, sizeof *reader->host.features);
    if (reader->host.features == NULL)
        return ST_NOMEM;
    if (reader->host.feature_count > 0)
        memcpy(reader->host.features, reader->features,
               reader->host.feature_count * sizeof *reader->host.features);
    return ST_OK;
}

static enum status add_fault(struct fleet *fleet, const struct analyze_host *host,
                             const char *reason)
{
    if (fleet->fault_count == fleet->fault_capacity) {
        size_t capacity = fleet->fault_capacity == 0 ? 8 : fleet->fault_capacity * 2;
        struct fleet_fault *faults = realloc(fleet->faults, capacity * sizeof *faults);
        if (faults == NULL)
            return ST_NOMEM;
        fleet->faults = faults;
        fleet->fault_capacity = capacity;
    }
    struct fleet_fault fault = {arena_strdup(&fleet->arena, host->id),
                                host->name == NULL ? NULL : arena_strdup(&fleet->arena, host->name),
                                reason};
    if (fault.id == NULL || (host->name != NULL && fault.name == NULL))
        return ST_NOMEM;
    fleet->faults[fleet->fault_count++] = fault;
    return ST_OK;
}

static bool make_room(struct fleet *fleet)
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
    struct reader *reader = calloc(1, sizeof *reader); /* the scratch is too big for the stack */
    enum status status = ST_NOMEM;
    if (reader != NULL && make_room(fleet)) {
        reader->fleet = fleet;
        status = read_host(reader, host, as_of_us);
        if (status == ST_OK && reader->fault != NULL)
            status = add_fault(fleet, host, reader->fault);
        else if (status == ST_OK && reader->count > 0)
            fleet->hosts[fleet->count++] = reader->host;
    }
    if (reader != NULL) {
        free(reader->points);
        free(reader->boot);
        free(reader->series_boot);
        free(reader->cursor);
        free(reader->known);
        free(reader->columns);
        free(reader->features);
        free(reader);
    }
    return status == ST_OK
               ? ST_OK
               : err_set(err, status, "could not read host \"%.64s\": out of memory", host->id);
}
