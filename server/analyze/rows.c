/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of a host's tables, in three stages, each over fewer rows: what is large enough now; of
 * these, what moved (its lowest and highest bytes over the history); of these, the whole course.
 * Tables are gone through point by point, in the order they lie in memory, and never searched: a
 * full host is a hundred tables of some thousand rows, more than a cache holds, and going through
 * all of them for one row after the other was most of what a pass cost.
 */
#include "server/analyze/reader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* docs/detection.md, "Thresholds and where they come from": rows */
#define ROW_FLOOR_BYTES                                                                            \
    (256.0 * 1024) /* below it, and below 0.001 % of RAM, a row has no features */
#define SETTLED_HOURS   24.0
#define LARGE_ROW_BYTES (32.0 * 1024 * 1024)
/* Courses gathered in one go through the tables: 64 of 104 points are 130 kB. Chosen. */
#define COURSES_AT_ONCE 64

/* A row of the newest table that is looked at further. */
struct candidate {
    uint32_t tag;
    uint32_t row;
    uint64_t lowest;
    uint64_t highest;
};

struct rows {
    struct reader *reader;
    enum pool pool;
    const struct snapshot_table **tables; /* of the points that know the pool */
    size_t *at;                           /* place in each, of the candidate before */
    size_t at_row;                        /* and that candidate's row */
    struct candidate *candidates;
    size_t candidate_count;
    struct series series; /* what all rows share, and room for one row's counts */
    double *hours;
    double *processes;
    uint16_t *boot;
    double *outstanding;
    double *alloc_total;
    double *free_total;
    double *bytes;    /* COURSES_AT_ONCE courses of series.count points */
    uint32_t *allocs; /* likewise */
    uint32_t *frees;
    float *curve_hours; /* of this boot; NULL until a row needs them */
};

static bool rows_alloc(struct rows *rows, size_t points, size_t candidates)
{
    struct reader *reader = rows->reader;
    size_t room = ROOM_OF_ROWS;
    size_t course = COURSES_AT_ONCE * points;
    rows->tables = reader_room(reader, room++, points, sizeof *rows->tables);
    rows->at = reader_room(reader, room++, points, sizeof *rows->at);
    rows->boot = reader_room(reader, room++, points, sizeof *rows->boot);
    rows->hours = reader_room(reader, room++, points, 5 * sizeof *rows->hours);
    rows->candidates = reader_room(reader, room++, candidates, sizeof *rows->candidates);
    rows->bytes = reader_room(reader, room++, course, sizeof *rows->bytes);
    rows->allocs = reader_room(reader, room++, course, sizeof *rows->allocs);
    rows->frees = reader_room(reader, room++, course, sizeof *rows->frees);
    if (rows->tables == NULL || rows->at == NULL || rows->boot == NULL || rows->hours == NULL ||
        rows->candidates == NULL || rows->bytes == NULL || rows->allocs == NULL ||
        rows->frees == NULL)
        return false;
    memset(rows->at, 0, points * sizeof *rows->at);
    rows->processes = rows->hours + points;
    rows->outstanding = rows->hours + 2 * points;
    rows->alloc_total = rows->hours + 3 * points;
    rows->free_total = rows->hours + 4 * points;
    return true;
}

/* What all rows of a pool share: times, boots, processes. A pool that the newest points did not
 * know is judged as of the last that did. */
static void open_pool(struct rows *rows)
{
    const struct reader *reader = rows->reader;
    struct series series = {.hours = rows->hours,
                            .outstanding = rows->outstanding,
                            .alloc_total = rows->alloc_total,
                            .free_total = rows->free_total,
                            .processes = rows->processes,
                            .boot = rows->boot,
                            .uptime_hours = reader->host.uptime_hours};
    size_t n = 0;
    for (size_t i = 0; i < reader->count; i++) {
        const struct analyze_point *point = reader->points[i];
        const struct snapshot_table *table = &point->table[rows->pool];
        if (!table->present || table->bytes == NULL)
            continue;
        bool continues = n > 0 && rows->boot[n - 1] == reader->boot[i];
        if (i >= reader->boot_first && !continues)
            series.boot_first = n;
        rows->hours[n] = (double)(point->taken_at_us - reader->host.last_us) / (double)US_PER_HOUR;
        rows->processes[n] = reader_total(point, TOTAL_PROCESSES);
        rows->boot[n] = reader->boot[i];
        rows->tables[n++] = table;
    }
    series.count = n;
    double last = n > 0 ? rows->hours[n - 1] : 0;
    for (size_t k = 0; k < n && last < 0; k++)
        rows->hours[k] -= last;
    series.uptime_hours += last;
    rows->series = series;
}

/* Goes on to a tag that lies `ahead` rows further in the newest table. Tables of one host mostly
 * have the same rows, so that is where it is looked for first. SIZE_MAX: there is none. */
static inline size_t find_row(const struct snapshot_table *table, uint32_t tag, size_t ahead,
                              size_t *at)
{
    size_t place = *at + ahead;
    if (place >= table->count || table->tag[place] != tag) {
        place = *at;
        while (place < table->count && table->tag[place] < tag)
            place++;
    }
    *at = place;
    return place < table->count && table->tag[place] == tag ? place : SIZE_MAX;
}

/* What is small long after the boot is small; before, an earlier boot may tell otherwise. */
static void choose_large(struct rows *rows, const struct snapshot_table *newest)
{
    const struct reader *reader = rows->reader;
    bool settled = reader->boot_first == 0 || reader->host.uptime_hours > SETTLED_HOURS;
    for (size_t i = 0; i < newest->count; i++) {
        double bytes = (double)newest->bytes[i];
        if (!settled || bytes >= ROW_FLOOR_BYTES || bytes >= 1e-5 * reader->host.ram)
            rows->candidates[rows->candidate_count++] =
                (struct candidate){newest->tag[i], (uint32_t)i, UINT64_MAX, 0};
    }
}

static void measure_ranges(struct rows *rows)
{
    struct candidate *candidates = rows->candidates;
    for (size_t n = 0; n < rows->series.count; n++) {
        const struct snapshot_table *table = rows->tables[n];
        size_t at = 0;
        size_t row = 0;
        for (size_t c = 0; c < rows->candidate_count; c++) {
            size_t place = find_row(table, candidates[c].tag, candidates[c].row - row, &at);
            uint64_t bytes = place == SIZE_MAX ? 0 : table->bytes[place];
            row = candidates[c].row;
            candidates[c].lowest = bytes < candidates[c].lowest ? bytes : candidates[c].lowest;
            candidates[c].highest = bytes > candidates[c].highest ? bytes : candidates[c].highest;
        }
    }
}

static void choose_moving(struct rows *rows, const struct snapshot_table *newest)
{
    double ram = rows->reader->host.ram;
    double least = fmax(ROW_FLOOR_BYTES, 1e-5 * ram);
    size_t kept = 0;
    for (size_t c = 0; c < rows->candidate_count; c++) {
        struct candidate candidate = rows->candidates[c];
        double now = (double)newest->bytes[candidate.row];
        if ((double)candidate.highest - (double)candidate.lowest >= least ||
            now >= LARGE_ROW_BYTES || now >= 0.002 * ram)
            rows->candidates[kept++] = candidate;
    }
    rows->candidate_count = kept;
}

/* Few rows of large tables: each is a wait for memory unless it was asked for before. */
static void prefetch(const struct snapshot_table *table, const struct candidate *candidates,
                     size_t count)
{
    for (size_t c = 0; c < count; c++) {
        size_t row = candidates[c].row;
        if (row >= table->count)
            break;
        __builtin_prefetch(&table->tag[row]);
        __builtin_prefetch(&table->bytes[row]);
        if (table->allocs != NULL)
            __builtin_prefetch(&table->allocs[row]);
        if (table->frees != NULL)
            __builtin_prefetch(&table->frees[row]);
    }
}

/* The courses of some candidates. */
static void gather(struct rows *rows, const struct candidate *candidates, size_t count)
{
    size_t points = rows->series.count;
    for (size_t n = 0; n < points; n++) {
        const struct snapshot_table *table = rows->tables[n];
        bool counts = table->allocs != NULL && table->frees != NULL;
        size_t row = rows->at_row;
        if (n + 1 < points)
            prefetch(rows->tables[n + 1], candidates, count);
        for (size_t c = 0; c < count; c++) {
            size_t place =
                find_row(table, candidates[c].tag, candidates[c].row - row, &rows->at[n]);
            size_t to = c * points + n;
            row = candidates[c].row;
            rows->bytes[to] = place == SIZE_MAX ? 0 : (double)table->bytes[place];
            rows->allocs[to] = place != SIZE_MAX && counts ? table->allocs[place] : 0;
            rows->frees[to] = place != SIZE_MAX && counts ? table->frees[place] : 0;
        }
    }
    rows->at_row = candidates[count - 1].row;
}

/* The counts of one course, unwrapped within each boot. */
static void unwrap(struct rows *rows, const uint32_t *allocs, const uint32_t *frees)
{
    for (size_t n = 0; n < rows->series.count; n++) {
        if (rows->tables[n]->allocs == NULL || rows->tables[n]->frees == NULL) {
            rows->outstanding[n] = rows->alloc_total[n] = rows->free_total[n] = NAN;
            continue;
        }
        bool continues = n > 0 && rows->boot[n - 1] == rows->boot[n];
        rows->outstanding[n] = (double)counter_delta(allocs[n], frees[n]);
        rows->alloc_total[n] =
            continues ? rows->alloc_total[n - 1] + counter_delta(allocs[n], allocs[n - 1])
                      : allocs[n];
        rows->free_total[n] =
            continues ? rows->free_total[n - 1] + counter_delta(frees[n], frees[n - 1]) : frees[n];
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

/* Growth and what may become one, and what rose in this boot: below 1 MiB the order of two rows
 * says nothing anyway. */
static bool worth_curve(const struct feature *feature, const struct series *series)
{
    double began = series->bytes[series->boot_first];
    bool rose = (double)feature->bytes >= CURVE_CAME_BYTES &&
                began < CURVE_CAME_SHARE * (double)feature->bytes;
    return rose ||
           (feature->growth >= 1024 * 1024 && feature->newness > 0.2f && feature->points >= 3);
}

static enum status keep_curve(struct rows *rows, struct feature *feature)
{
    const struct series *series = &rows->series;
    struct arena *arena = &rows->reader->fleet->arena;
    size_t first = series->boot_first;
    size_t count = series->count - first;
    bool counts = !isnan(series->outstanding[series->count - 1]);
    if (rows->curve_hours == NULL) {
        rows->curve_hours = arena_alloc(arena, count, sizeof *rows->curve_hours);
        if (rows->curve_hours == NULL)
            return ST_NOMEM;
        for (size_t i = 0; i < count; i++)
            rows->curve_hours[i] = (float)series->hours[first + i];
    }
    struct curve *curve = curve_new(arena, rows->curve_hours, count, counts);
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

static enum status judge(struct rows *rows, uint32_t tag, size_t course)
{
    struct reader *reader = rows->reader;
    struct fleet_host *host = &reader->host;
    size_t from = course * rows->series.count;
    struct feature feature;
    rows->series.bytes = rows->bytes + from;
    unwrap(rows, rows->allocs + from, rows->frees + from);
    feature_extract(&rows->series, host->ram, &reader->scratch, &feature);
    feature.tag = tag;
    feature.pool = (uint8_t)rows->pool;
    if (worth_curve(&feature, &rows->series) && keep_curve(rows, &feature) != ST_OK)
        return ST_NOMEM;
    if (feature.shape == SHAPE_GROWING)
        host->growth[rows->pool] += (double)feature.rate;
    return add_feature(reader, &feature);
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

static enum status keep_levels(struct reader *reader, enum pool pool,
                               const struct snapshot_table *newest)
{
    struct fleet_row *rows = arena_alloc(&reader->fleet->arena, newest->count, sizeof *rows);
    if (rows == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < newest->count; i++)
        rows[i] = (struct fleet_row){newest->tag[i], (float)(double)newest->bytes[i]};
    reader->host.rows[pool] = rows;
    reader->host.row_count[pool] = newest->count;
    return ST_OK;
}

enum status reader_rows(struct reader *reader, enum pool pool)
{
    const struct snapshot_table *newest = newest_table(reader, pool);
    struct rows rows = {.reader = reader, .pool = pool};
    if (newest == NULL || newest->count == 0)
        return ST_OK;
    if (keep_levels(reader, pool, newest) != ST_OK ||
        !rows_alloc(&rows, reader->count, newest->count))
        return ST_NOMEM;
    open_pool(&rows);
    choose_large(&rows, newest);
    measure_ranges(&rows);
    choose_moving(&rows, newest);
    for (size_t c = 0; c < rows.candidate_count; c += COURSES_AT_ONCE) {
        size_t rest = rows.candidate_count - c;
        size_t count = rest < COURSES_AT_ONCE ? rest : COURSES_AT_ONCE;
        gather(&rows, rows.candidates + c, count);
        for (size_t i = 0; i < count; i++) {
            if (judge(&rows, rows.candidates[c + i].tag, i) != ST_OK)
                return ST_NOMEM;
        }
    }
    return ST_OK;
}
