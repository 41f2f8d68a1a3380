/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of a host's tables, in three stages, each over fewer rows: what is large enough now; of
 * these, what moved (its lowest and highest bytes over the history); of these, the whole course.
 * Tables are gone through point by point, in the order they lie in memory, and never searched: a
 * full host is a hundred tables of some thousand rows, more than a cache holds, and going through
 * all of them for one row after the other was most of what a pass cost.
 */
#include "server/analyze/rows.h"

#include "server/analyze/kept_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool rows_alloc(struct rows *rows, size_t points, size_t candidates)
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
void rows_open(struct rows *rows)
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

bool rows_is_large(const struct reader *reader, double bytes, double share)
{
    bool settled = reader->boot_first == 0 || reader->host.uptime_hours > SETTLED_HOURS;
    return !settled || bytes >= share * ROW_FLOOR_BYTES ||
           bytes >= share * ROW_FLOOR_SHARE * reader->host.ram;
}

static void choose_large(struct rows *rows, const struct snapshot_table *newest, double share)
{
    for (size_t i = 0; i < newest->count; i++) {
        if (rows_is_large(rows->reader, (double)newest->bytes[i], share))
            rows->candidates[rows->candidate_count++] =
                (struct candidate){newest->tag[i], (uint32_t)i, UINT64_MAX, 0, false};
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

bool rows_is_moving(double ram, double bytes, double lowest, double highest, double share)
{
    return highest - lowest >= share * fmax(ROW_FLOOR_BYTES, ROW_FLOOR_SHARE * ram) ||
           bytes >= share * LARGE_ROW_BYTES || bytes >= share * LARGE_ROW_SHARE * ram;
}

static int by_move(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x > y ? -1 : x < y;
}

size_t rows_limit(struct candidate *candidates, size_t count)
{
    if (count <= ROWS_MOST)
        return count;
    AUTO_FREE uint64_t *moves = calloc(count, sizeof *moves);
    for (size_t c = 0; moves != NULL && c < count; c++)
        moves[c] = candidates[c].highest - candidates[c].lowest;
    if (moves != NULL)
        qsort(moves, count, sizeof *moves, by_move);
    uint64_t least = moves == NULL ? 0 : moves[ROWS_MOST - 1];
    size_t kept = 0;
    for (size_t c = 0; c < count && kept < ROWS_MOST; c++) {
        if (candidates[c].highest - candidates[c].lowest >= least)
            candidates[kept++] = candidates[c];
    }
    return kept;
}

/* Of those that have features, and beside them those that may soon have. */
static enum status choose_moving(struct rows *rows, const struct snapshot_table *newest,
                                 double share)
{
    const struct reader *reader = rows->reader;
    double ram = reader->host.ram;
    size_t kept = 0;
    for (size_t c = 0; c < rows->candidate_count; c++) {
        struct candidate candidate = rows->candidates[c];
        double now = (double)newest->bytes[candidate.row];
        double lowest = (double)candidate.lowest;
        double highest = (double)candidate.highest;
        candidate.judged =
            rows_is_large(reader, now, 1) && rows_is_moving(ram, now, lowest, highest, 1);
        if (rows_is_moving(ram, now, lowest, highest, share))
            rows->candidates[kept++] = candidate;
        else if (reader->kept != NULL && kept_watch(reader->kept, rows->pool, &candidate) != ST_OK)
            return ST_NOMEM;
    }
    rows->candidate_count = rows_limit(rows->candidates, kept);
    return ST_OK;
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

enum status rows_add(struct rows *rows, const struct feature *feature)
{
    struct reader *reader = rows->reader;
    if (reader->host.feature_count == reader->feature_room) {
        size_t room = reader->feature_room == 0 ? 128 : reader->feature_room * 2;
        struct feature *features = realloc(reader->features, room * sizeof *features);
        if (features == NULL)
            return ST_NOMEM;
        reader->features = features;
        reader->feature_room = room;
    }
    reader->features[reader->host.feature_count++] = *feature;
    if (feature->shape == SHAPE_GROWING)
        reader->host.growth[rows->pool] += (double)feature->rate;
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
    struct arena *arena = rows->reader->arena;
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

enum status rows_judge(struct rows *rows, uint32_t tag, size_t course)
{
    struct reader *reader = rows->reader;
    size_t from = course * rows->series.count;
    struct feature feature;
    rows->series.bytes = rows->bytes + from;
    unwrap(rows, rows->allocs + from, rows->frees + from);
    feature_extract(&rows->series, reader->host.ram, &reader->scratch, &feature);
    feature.tag = tag;
    feature.pool = (uint8_t)rows->pool;
    if (worth_curve(&feature, &rows->series) && keep_curve(rows, &feature) != ST_OK)
        return ST_NOMEM;
    return rows_add(rows, &feature);
}

const struct snapshot_table *rows_newest(const struct reader *reader, enum pool pool)
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
    struct fleet_row *rows = reader->kept != NULL
                                 ? kept_levels(reader->kept, pool, newest->count)
                                 : arena_alloc(reader->arena, newest->count, sizeof *rows);
    if (rows == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < newest->count; i++)
        rows[i] = (struct fleet_row){newest->tag[i], (float)(double)newest->bytes[i]};
    reader->host.rows[pool] = rows;
    reader->host.row_count[pool] = newest->count;
    return ST_OK;
}

static enum status judge_some(struct rows *rows, const struct candidate *candidates, size_t count)
{
    struct kept *kept = rows->reader->kept;
    gather(rows, candidates, count);
    for (size_t i = 0; i < count; i++) {
        if (kept != NULL && kept_course(kept, rows, &candidates[i], i) != ST_OK)
            return ST_NOMEM;
        if (!candidates[i].judged)
            continue;
        if (rows_judge(rows, candidates[i].tag, i) != ST_OK)
            return ST_NOMEM;
        if (kept != NULL)
            kept_judged(kept, rows->pool, rows->reader->host.feature_count - 1);
    }
    return ST_OK;
}

enum status reader_rows(struct reader *reader, enum pool pool)
{
    const struct snapshot_table *newest = rows_newest(reader, pool);
    struct rows rows = {.reader = reader, .pool = pool};
    double share = reader->kept != NULL ? KEPT_SHARE : 1;
    if (newest == NULL || newest->count == 0)
        return ST_OK;
    if (keep_levels(reader, pool, newest) != ST_OK ||
        !rows_alloc(&rows, reader->count, newest->count))
        return ST_NOMEM;
    rows_open(&rows);
    choose_large(&rows, newest, share);
    measure_ranges(&rows);
    if (choose_moving(&rows, newest, share) != ST_OK)
        return ST_NOMEM;
    for (size_t c = 0; c < rows.candidate_count; c += COURSES_AT_ONCE) {
        size_t rest = rows.candidate_count - c;
        if (judge_some(&rows, rows.candidates + c,
                       rest < COURSES_AT_ONCE ? rest : COURSES_AT_ONCE) != ST_OK)
            return ST_NOMEM;
    }
    return ST_OK;
}
