/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is read over time: one tag of a host, its totals, its boots. A series never builds tables:
 * of a block one row is looked up, of a sealed chunk one series.
 */
#include "server/chunk/chunk.h"
#include "server/store/blocks.h"
#include "server/store/registry.h"
#include "server/store/store_snapshots.h"

/* Rows are read so many days at a time: about 2,300, and a few megabytes of chunks, for a host. */
#define WINDOW_US (8 * US_PER_DAY)

#define TOTAL_COLUMNS                                                                              \
    "nonpaged_bytes, paged_bytes, nonpaged_limit_bytes, paged_limit_bytes, commit_bytes,"          \
    " commit_limit_bytes, physical_bytes, available_bytes, handles, processes, threads,"           \
    " alloc_failures"

enum { KEYFRAME_AT, TOTALS, BOOTS, COUNT_SINCE };
static const struct stmt statements[] = {
    [KEYFRAME_AT] = STMT("series_keyframe_at",
                         "SELECT keyframe_at FROM snapshot WHERE host_id = $1 AND taken_at <= $2"
                         " ORDER BY taken_at DESC, sequence DESC NULLS LAST LIMIT 1",
                         "iz", "z"),
    [TOTALS] = STMT("snapshot_totals",
                    "SELECT DISTINCT ON (bucket) taken_at, boot_at, " TOTAL_COLUMNS
                    " FROM (SELECT width_bucket(extract(epoch FROM taken_at)::float8,"
                    " extract(epoch FROM $2::timestamptz)::float8,"
                    " extract(epoch FROM $3::timestamptz)::float8 + 1, $4::integer) AS bucket,"
                    " taken_at, boot_at, sequence, " TOTAL_COLUMNS
                    " FROM snapshot WHERE host_id = $1 AND taken_at BETWEEN $2 AND $3) AS s"
                    " ORDER BY bucket, taken_at DESC, sequence DESC NULLS LAST",
                    "izzd", "zziiiiiiiiiiii"),
    [BOOTS] = STMT("snapshot_boots",
                   "SELECT boot_at, min(taken_at), max(taken_at), count(*) FROM snapshot"
                   " WHERE host_id = $1 GROUP BY boot_at ORDER BY max(taken_at) DESC",
                   "i", "zzzi"),
    [COUNT_SINCE] = STMT("snapshot_count_since",
                         "SELECT count(*) FROM snapshot WHERE taken_at >= $1", "z", "i"),
};
const struct stmt_table store_series_statements = {statements,
                                                   sizeof statements / sizeof *statements};

/* ---- one tag --------------------------------------------------------------- */

void series_done(struct series *series)
{
    arena_done(&series->arena);
    *series = (struct series){0};
}

struct point {
    int64_t t_us;
    int64_t boot_at_us;
    int64_t sequence;
    unsigned known;
    uint32_t allocs;
    uint32_t frees;
    uint64_t bytes;
};

struct points {
    struct point *items;
    size_t count;
    size_t capacity;
};

static void points_done(struct points *points)
{
    free(points->items);
}

static enum status points_add(struct points *points, const struct point *point, struct err *err)
{
    if (points->count == points->capacity) {
        size_t capacity = points->capacity == 0 ? 256 : points->capacity * 2;
        struct point *items = reallocarray(points->items, capacity, sizeof *items);
        if (items == NULL)
            return err_set(err, ST_NOMEM, "could not read a series: out of memory");
        points->items = items;
        points->capacity = capacity;
    }
    points->items[points->count++] = *point;
    return ST_OK;
}

/* The value of a block's row: from the block, else (only changes are in it) from its base, which
 * mostly is the point before. */
static enum status point_read(const struct chain_row *row, enum pool pool, uint32_t tag,
                              const struct points *points, struct point *ret_point, struct err *err)
{
    struct point point = {
        .t_us = row->taken_at_us, .boot_at_us = row->boot_at_us, .sequence = row->sequence};
    enum status status = chunk_find(row->block, row->block_length, pool, tag, &point.allocs,
                                    &point.frees, &point.bytes, &point.known, err);
    if (status != ST_OK && status != ST_NOT_FOUND)
        return status;
    for (size_t i = points->count; status == ST_NOT_FOUND && !row->keyframe && i-- > 0;) {
        const struct point *base = &points->items[i];
        if (base->boot_at_us != row->boot_at_us || base->sequence != row->base)
            continue;
        point.known = base->known;
        point.allocs = base->allocs;
        point.frees = base->frees;
        point.bytes = base->bytes;
        break;
    }
    *ret_point = point;
    return ST_OK;
}

static enum status series_fill(const struct points *points, int64_t from_us,
                               struct series *ret_series, struct err *err)
{
    struct series series = {0};
    struct arena *arena = &series.arena;
    size_t n = points->count;
    series.t_us = arena_alloc(arena, n, sizeof *series.t_us);
    series.boot_at_us = arena_alloc(arena, n, sizeof *series.boot_at_us);
    series.known = arena_alloc(arena, n, sizeof *series.known);
    series.allocs = arena_alloc(arena, n, sizeof *series.allocs);
    series.frees = arena_alloc(arena, n, sizeof *series.frees);
    series.bytes = arena_alloc(arena, n, sizeof *series.bytes);
    if (series.t_us == NULL || series.boot_at_us == NULL || series.known == NULL ||
        series.allocs == NULL || series.frees == NULL || series.bytes == NULL) {
        series_done(&series);
        return err_set(err, ST_NOMEM, "could not read a series: out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        const struct point *point = &points->items[i];
        if (point->t_us < from_us) /* read only for what rests on it */
            continue;
        size_t k = series.count++;
        series.t_us[k] = point->t_us;
        series.boot_at_us[k] = point->boot_at_us;
        series.known[k] = point->known;
        series.allocs[k] = point->allocs;
        series.frees[k] = point->frees;
        series.bytes[k] = point->bytes;
    }
    *ret_series = series;
    return ST_OK;
}

/* The first snapshot of the range may rest on earlier ones: its keyframe. */
static enum status series_start(struct db *db, int64_t host_key, int64_t from_us,
                                int64_t *ret_start_us, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_i64(&params, host_key);
    db_p_time(&params, from_us);
    enum status status = db_exec(db, &statements[KEYFRAME_AT], &params, &result, err);
    *ret_start_us = from_us;
    if (status == ST_OK && db_rows(result) > 0 && db_time(result, 0, 0) < from_us)
        *ret_start_us = db_time(result, 0, 0);
    return status;
}

/* The tag's values in each chunk of a range, read once a chunk. */
struct sealed_values {
    const struct blocks *blocks;
    struct sealed_value **values; /* of blocks->chunks[i]; NULL: not read yet */
};

static void sealed_values_done(struct sealed_values *of)
{
    for (size_t i = 0; of->values != NULL && i < of->blocks->chunk_count; i++)
        free(of->values[i]);
    free(of->values);
}

static enum status sealed_values_read(struct sealed_values *of, const struct sealed *sealed,
                                      enum pool pool, uint32_t tag,
                                      const struct sealed_value **ret_values, struct err *err)
{
    size_t c = 0;
    while (of->blocks->chunks[c].sealed != sealed)
        c++;
    if (of->values == NULL)
        of->values = calloc(of->blocks->chunk_count, sizeof *of->values);
    if (of->values != NULL && of->values[c] == NULL) {
        struct sealed_value *values = calloc(sealed_count(sealed) + 1, sizeof *values);
        enum status status =
            values == NULL ? ST_NOMEM : sealed_series(sealed, pool, tag, values, err);
        if (status != ST_OK) {
            free(values);
            return status == ST_NOMEM
                       ? err_set(err, status, "could not read a series: out of memory")
                       : status;
        }
        of->values[c] = values;
    }
    if (of->values == NULL)
        return err_set(err, ST_NOMEM, "could not read a series: out of memory");
    *ret_values = of->values[c];
    return ST_OK;
}

static enum status row_point(const struct chain_row *row, struct sealed_values *sealed,
                             enum pool pool, uint32_t tag, const struct points *points,
                             struct point *ret_point, struct err *err)
{
    const struct sealed_value *values = NULL;
    if (row->block != NULL)
        return point_read(row, pool, tag, points, ret_point, err);
    enum status status = sealed_values_read(sealed, row->sealed, pool, tag, &values, err);
    if (status != ST_OK)
        return status;
    const struct sealed_value *value = &values[row->sealed_index];
    *ret_point = (struct point){
        .t_us = row->taken_at_us,
        .boot_at_us = row->boot_at_us,
        .sequence = row->sequence,
        .known = value->known,
        .allocs = value->allocs,
        .frees = value->frees,
        .bytes = value->bytes,
    };
    return ST_OK;
}

/* The points of one window. Damaged rows are left out, and damaged blocks: the rest is shown. */
static enum status window_points(const struct blocks *blocks, enum pool pool, uint32_t tag,
                                 struct points *points, struct err *err)
{
    CLEANUP(sealed_values_done) struct sealed_values sealed = {.blocks = blocks};
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < blocks->count; i++) {
        struct point point;
        if (blocks->rows[i].damaged)
            continue;
        status = row_point(&blocks->rows[i], &sealed, pool, tag, points, &point, err);
        if (status == ST_OK)
            status = points_add(points, &point, err);
        else if (status == ST_MALFORMED)
            status = ST_OK;
    }
    return status;
}

enum status store_series_read(struct db *db, int64_t host_key, enum pool pool, uint32_t tag,
                              int64_t from_us, int64_t to_us, struct series *ret_series,
                              struct err *err)
{
    CLEANUP(points_done) struct points points = {0};
    int64_t start_us = from_us;
    enum status status = series_start(db, host_key, from_us, &start_us, err);
    for (; status == ST_OK && start_us <= to_us; start_us += WINDOW_US) {
        AUTO_BLOCKS struct blocks blocks = {0};
        int64_t end_us = start_us + WINDOW_US - 1 < to_us ? start_us + WINDOW_US - 1 : to_us;
        status = blocks_read_tables(db, host_key, start_us, end_us, &blocks, err);
        if (status == ST_OK)
            status = window_points(&blocks, pool, tag, &points, err);
    }
    return status == ST_OK ? series_fill(&points, from_us, ret_series, err) : status;
}

/* ---- totals and boots
 * ---------------------------------------------------------------------------- */

void totals_series_done(struct totals_series *series)
{
    arena_done(&series->arena);
    *series = (struct totals_series){0};
}

static void totals_read(const struct db_result *result, size_t row, size_t first,
                        struct snapshot_totals *ret_totals)
{
    *ret_totals = (struct snapshot_totals){0};
    for (size_t i = 0; i < TOTAL_COUNT; i++) {
        if (!db_null(result, row, first + i))
            totals_set(ret_totals, (enum total)i, (uint64_t)db_i64(result, row, first + i));
    }
}

enum status store_totals_series(struct db *db, int64_t host_key, int64_t from_us, int64_t to_us,
                                size_t max_points, struct totals_series *ret_series,
                                struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_i64(&params, host_key);
    db_p_time(&params, from_us);
    db_p_time(&params, to_us);
    db_p_i32(&params, max_points == 0 ? 1 : max_points > 100000 ? 100000 : (int32_t)max_points);
    enum status status = db_exec(db, &statements[TOTALS], &params, &result, err);
    if (status != ST_OK)
        return status;
    struct totals_series series = {.count = db_rows(result)};
    series.t_us = arena_alloc(&series.arena, series.count, sizeof *series.t_us);
    series.boot_at_us = arena_alloc(&series.arena, series.count, sizeof *series.boot_at_us);
    series.totals = arena_alloc(&series.arena, series.count, sizeof *series.totals);
    if (series.t_us == NULL || series.boot_at_us == NULL || series.totals == NULL) {
        totals_series_done(&series);
        return err_set(err, ST_NOMEM, "could not read totals: out of memory");
    }
    for (size_t i = 0; i < series.count; i++) {
        series.t_us[i] = db_time(result, i, 0);
        series.boot_at_us[i] = db_time(result, i, 1);
        totals_read(result, i, 2, &series.totals[i]);
    }
    *ret_series = series;
    return ST_OK;
}

void store_boots_done(struct store_boots *boots)
{
    free(boots->items);
    *boots = (struct store_boots){0};
}

enum status store_boots(struct db *db, int64_t host_key, struct store_boots *ret_boots,
                        struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_i64(&params, host_key);
    enum status status = db_exec(db, &statements[BOOTS], &params, &result, err);
    if (status != ST_OK)
        return status;
    size_t count = db_rows(result);
    struct store_boot *items = calloc(count + 1, sizeof *items);
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not read boots: out of memory");
    for (size_t i = 0; i < count; i++)
        items[i] = (struct store_boot){db_time(result, i, 0), db_time(result, i, 1),
                                       db_time(result, i, 2), db_i64(result, i, 3)};
    *ret_boots = (struct store_boots){items, count};
    return ST_OK;
}

enum status store_snapshots_count(struct db *db, int64_t since_us, int64_t *ret_count,
                                  struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_time(&params, since_us);
    enum status status = db_exec(db, &statements[COUNT_SINCE], &params, &result, err);
    if (status == ST_OK)
        *ret_count = db_i64(result, 0, 0);
    return status;
}
