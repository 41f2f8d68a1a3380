/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is read over time: one tag of a host, its totals, its boots. A series never builds tables:
 * of a sealed chunk its head and the group with the tag are fetched, of a block one row is looked
 * up.
 *
 * Rows of snapshot are not read for what is sealed: a chunk says all of its snapshots, and rows of
 * one host lie far apart. Blocks are read before chunks, as in blocks.h.
 */
#include "server/chunk/chunk.h"
#include "server/chunk/sealed.h"
#include "server/store/chain.h"
#include "server/store/damage.h"
#include "server/store/partition.h"
#include "server/store/registry.h"
#include "server/store/snapshot_columns.h"
#include "server/store/store_rollups.h"
#include "server/store/store_snapshots.h"

/* Chunks are read so many days at a time: some 400 KB of a host's groups, 11 MB of the old ones. */
#define WINDOW_US (32 * US_PER_DAY)
/* Rows up to there may have blocks of their own: see 0012. None: no such mark. */
#define OLD_ROWS_MARK "blocks in rows"

#define TOTAL_COLUMNS                                                                              \
    "nonpaged_bytes, paged_bytes, nonpaged_limit_bytes, paged_limit_bytes, commit_bytes,"          \
    " commit_limit_bytes, physical_bytes, available_bytes, handles, processes, threads,"           \
    " alloc_failures"

#define OF_HOST " WHERE host_id = $1 AND taken_at BETWEEN $2 AND $3"
#define BY_TIME " ORDER BY taken_at, sequence"

enum { KEYFRAME_AT, CHUNKS, APPENDED, APPENDED_KEYS, OLD_ROWS, TOTALS, BOOTS, COUNT_SINCE };
static const struct stmt statements[] = {
    [KEYFRAME_AT] = STMT("series_keyframe_at",
                         "SELECT keyframe_at FROM snapshot WHERE host_id = $1 AND taken_at <= $2"
                         " ORDER BY taken_at DESC, sequence DESC NULLS LAST LIMIT 1",
                         "iz", "z"),
    /* Which group, from 1; 0 and nothing of it: the tag is before the first one. NULL: all of it.
     */
    [CHUNKS] =
        STMT("series_chunks",
             "SELECT span_at, boot_at, part, head, w.place, CASE WHEN w.place IS NULL"
             " THEN chunk ELSE substring(chunk FROM group_ends[w.place] + 1"
             " FOR group_ends[w.place + 1] - group_ends[w.place]) END"
             " FROM snapshot_chunk, LATERAL (SELECT width_bucket($4, group_keys)) AS w (place)"
             " WHERE host_id = $1 AND span_at BETWEEN $2 AND $3"
             " ORDER BY span_at, boot_at, part",
             "izzd", "zzdxdx"),
    [APPENDED] =
        STMT("series_appended",
             "SELECT taken_at, boot_at, sequence, block FROM snapshot_block" OF_HOST BY_TIME, "izz",
             "zzix"),
    [APPENDED_KEYS] =
        STMT("series_appended_keys",
             "SELECT taken_at, boot_at, sequence, base, keyframe FROM snapshot" OF_HOST BY_TIME,
             "izz", "zziib"),
    [OLD_ROWS] =
        STMT("series_old_rows",
             "SELECT taken_at, boot_at, sequence, base, keyframe, block FROM snapshot" OF_HOST
             " AND block IS NOT NULL" BY_TIME,
             "izz", "zziibx"),
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
                         "SELECT count(*) FILTER (WHERE taken_at >= $2), count(*) FROM snapshot"
                         " WHERE taken_at >= $1",
                         "zz", "ii"),
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

/* Unknown ones come last, as they do from the database. */
static int newer(int64_t a, int64_t b)
{
    return (uint64_t)a < (uint64_t)b ? -1 : (uint64_t)a > (uint64_t)b;
}

static int by_time(const void *left, const void *right)
{
    const struct point *a = left, *b = right;
    if (a->t_us != b->t_us)
        return a->t_us < b->t_us ? -1 : 1;
    return newer(a->sequence, b->sequence);
}

/* They mostly are: chunks and blocks follow each other. */
static void points_sort(struct points *points)
{
    for (size_t i = 1; i < points->count; i++) {
        if (by_time(&points->items[i - 1], &points->items[i]) > 0) {
            qsort(points->items, points->count, sizeof *points->items, by_time);
            return;
        }
    }
}

/* ---- of blocks ------------------------------------------------------------- */

/* What a series is made of that is in blocks: appended ones, those of old rows, and what a chunk
 * kept as its block because its base was missing. */
struct sources {
    struct db_result *appended;
    struct db_result *keys; /* of what is appended, and others */
    struct db_result *old;
    struct arena arena; /* blocks out of chunks */
    struct chain_row *rows;
    size_t count;
    size_t capacity;
};

static void sources_done(struct sources *sources)
{
    free(sources->rows);
    arena_done(&sources->arena);
    db_result_free(sources->appended);
    db_result_free(sources->keys);
    db_result_free(sources->old);
}

static enum status sources_add(struct sources *sources, const struct chain_row *row,
                               struct err *err)
{
    if (sources->count == sources->capacity) {
        size_t capacity = sources->capacity == 0 ? 128 : sources->capacity * 2;
        struct chain_row *rows = reallocarray(sources->rows, capacity, sizeof *rows);
        if (rows == NULL)
            return err_set(err, ST_NOMEM, "could not read a series: out of memory");
        sources->rows = rows;
        sources->capacity = capacity;
    }
    sources->rows[sources->count++] = *row;
    return ST_OK;
}

static struct db_params range_of(int64_t host_key, int64_t from_us, int64_t to_us)
{
    struct db_params params = {0};
    db_p_i64(&params, host_key);
    db_p_time(&params, from_us);
    db_p_time(&params, to_us);
    return params;
}

/* A row of snapshot for each block: both are in the order of time and sequence. */
static enum status add_appended(struct sources *sources, struct err *err)
{
    size_t keys = db_rows(sources->keys), from = 0;
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < db_rows(sources->appended); i++) {
        int64_t at = db_time(sources->appended, i, 0);
        while (from < keys && db_time(sources->keys, from, 0) < at)
            from++;
        for (size_t k = from; k < keys && db_time(sources->keys, k, 0) == at; k++) {
            struct chain_row row = column_chain_row(sources->keys, k, 0);
            if (row.boot_at_us != db_time(sources->appended, i, 1) ||
                row.sequence != column_sequence(sources->appended, i, 2))
                continue;
            row.block = db_bytes(sources->appended, i, 3, &row.block_length);
            status = sources_add(sources, &row, err);
            break;
        }
    }
    return status;
}

static enum status appended_read(struct db *db, int64_t host_key, int64_t from_us, int64_t to_us,
                                 struct sources *sources, struct err *err)
{
    struct db_params params = range_of(host_key, from_us, to_us);
    enum status status = db_exec(db, &statements[APPENDED], &params, &sources->appended, err);
    size_t count = status == ST_OK ? db_rows(sources->appended) : 0;
    if (count == 0)
        return status;
    params = range_of(host_key, db_time(sources->appended, 0, 0),
                      db_time(sources->appended, count - 1, 0));
    return db_exec(db, &statements[APPENDED_KEYS], &params, &sources->keys, err);
}

static enum status old_rows_read(struct db *db, int64_t host_key, int64_t from_us, int64_t to_us,
                                 struct sources *sources, struct err *err)
{
    int64_t until_us = 0;
    enum status status = store_mark_get(db, OLD_ROWS_MARK, &until_us, err);
    if (status == ST_OK && (until_us == TIME_UNKNOWN || until_us < from_us))
        return ST_OK;
    struct db_params params = range_of(host_key, from_us, until_us < to_us ? until_us : to_us);
    return status != ST_OK ? status
                           : db_exec(db, &statements[OLD_ROWS], &params, &sources->old, err);
}

static int rows_by_time(const void *left, const void *right)
{
    const struct chain_row *a = left, *b = right;
    if (a->taken_at_us != b->taken_at_us)
        return a->taken_at_us < b->taken_at_us ? -1 : 1;
    return newer(a->sequence, b->sequence);
}

static enum status sources_read(struct db *db, int64_t host_key, int64_t from_us, int64_t to_us,
                                struct sources *sources, struct err *err)
{
    enum status status = appended_read(db, host_key, from_us, to_us, sources, err);
    if (status == ST_OK)
        status = old_rows_read(db, host_key, from_us, to_us, sources, err);
    if (status != ST_OK)
        return status;
    for (size_t i = 0; status == ST_OK && sources->old != NULL && i < db_rows(sources->old); i++) {
        struct chain_row row = column_chain_row(sources->old, i, 0);
        row.block = db_bytes(sources->old, i, 5, &row.block_length);
        status = sources_add(sources, &row, err);
    }
    return status == ST_OK && sources->keys != NULL ? add_appended(sources, err) : status;
}

static const struct point *find_base(const struct points *points, const struct chain_row *row)
{
    for (size_t i = points->count; i-- > 0;) {
        const struct point *base = &points->items[i];
        if (base->boot_at_us == row->boot_at_us && base->sequence == row->base)
            return base;
    }
    return NULL;
}

/* The value of a block's row: from the block, else (only changes are in it) from its base, which
 * mostly is the point before. What is damaged is left out: the rest is shown. */
static enum status block_point(const struct chain_row *row, enum pool pool, uint32_t tag,
                               const struct points *sealed, struct points *points, struct err *err)
{
    const struct point *base = NULL;
    struct err why = {0};
    struct point point = {
        .t_us = row->taken_at_us, .boot_at_us = row->boot_at_us, .sequence = row->sequence};
    enum status status = chunk_find(row->block, row->block_length, pool, tag, &point.allocs,
                                    &point.frees, &point.bytes, &point.known, &why);
    if (status == ST_MALFORMED)
        return ST_OK;
    if (status != ST_OK && status != ST_NOT_FOUND)
        return err_set(err, status, "%s", why.message);
    if (status == ST_NOT_FOUND && !row->keyframe)
        base = find_base(points, row);
    if (status == ST_NOT_FOUND && !row->keyframe && base == NULL)
        base = find_base(sealed, row);
    if (base != NULL) {
        point.known = base->known;
        point.allocs = base->allocs;
        point.frees = base->frees;
        point.bytes = base->bytes;
    }
    return points_add(points, &point, err);
}

/* Whether a chunk has told it: a partition of blocks is kept for some time after it was sealed. */
static bool is_sealed(const struct points *sealed, const struct chain_row *row)
{
    size_t low = 0, high = sealed->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (sealed->items[middle].t_us < row->taken_at_us)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < sealed->count && sealed->items[low].t_us == row->taken_at_us; low++) {
        if (sealed->items[low].boot_at_us == row->boot_at_us &&
            sealed->items[low].sequence == row->sequence)
            return true;
    }
    return false;
}

static enum status block_points(struct sources *sources, enum pool pool, uint32_t tag,
                                struct points *sealed, struct err *err)
{
    CLEANUP(points_done) struct points points = {0};
    const struct chain_row *rows = sources->rows;
    enum status status = ST_OK;
    if (sources->count > 1)
        qsort(sources->rows, sources->count, sizeof *sources->rows, rows_by_time);
    for (size_t i = 0; status == ST_OK && i < sources->count; i++) {
        bool twice = i > 0 && rows_by_time(&rows[i - 1], &rows[i]) == 0 &&
                     rows[i - 1].boot_at_us == rows[i].boot_at_us;
        if (!twice && !is_sealed(sealed, &rows[i]))
            status = block_point(&rows[i], pool, tag, sealed, &points, err);
    }
    for (size_t i = 0; status == ST_OK && i < points.count; i++)
        status = points_add(sealed, &points.items[i], err);
    return status;
}

/* ---- of chunks ------------------------------------------------------------- */

struct wanted {
    int64_t host_key;
    enum pool pool;
    uint32_t tag;
};

static enum status keep_raw(struct sources *sources, const struct sealed_snapshot *s,
                            int64_t boot_at_us, struct err *err)
{
    struct chain_row row = {.taken_at_us = s->taken_at_us,
                            .boot_at_us = boot_at_us,
                            .sequence = s->sequence,
                            .base = s->base,
                            .block = arena_strndup(&sources->arena, s->raw, s->raw_length),
                            .block_length = s->raw_length};
    if (row.block == NULL)
        return err_set(err, ST_NOMEM, "could not read a series: out of memory");
    return sources_add(sources, &row, err);
}

static enum status sealed_points(const struct sealed *sealed, int64_t boot_at_us,
                                 const struct wanted *wanted, struct points *points,
                                 struct sources *sources, struct err *err)
{
    struct sealed_value values[SEALED_SNAPSHOTS_MAX];
    enum status status = sealed_series(sealed, wanted->pool, wanted->tag, values, err);
    for (size_t i = 0; status == ST_OK && i < sealed_count(sealed); i++) {
        const struct sealed_snapshot *s = sealed_at(sealed, i);
        struct point point = {
            .t_us = s->taken_at_us,
            .boot_at_us = boot_at_us,
            .sequence = s->sequence,
            .known = values[i].known,
            .allocs = values[i].allocs,
            .frees = values[i].frees,
            .bytes = values[i].bytes,
        };
        status = s->raw != NULL ? keep_raw(sources, s, boot_at_us, err)
                                : points_add(points, &point, err);
    }
    return status;
}

static void cleanup_sealed(struct sealed **sealed)
{
    sealed_free(*sealed);
}

static enum status chunk_points(const struct db_result *rows, size_t i, const struct wanted *wanted,
                                struct points *points, struct sources *sources, struct err *err)
{
    CLEANUP(cleanup_sealed) struct sealed *sealed = NULL;
    size_t head_length, length;
    const void *head = db_bytes(rows, i, 3, &head_length);
    const void *data = db_bytes(rows, i, 5, &length);
    enum status status = ST_OK;
    if (db_null(rows, i, 4)) {
        status = sealed_open_parts(head, head_length, data, length, &sealed, err);
    } else {
        size_t place = (size_t)db_i64(rows, i, 4);
        status = sealed_open_group(head, head_length, place == 0 ? SEALED_NO_GROUP : place - 1,
                                   data, length, &sealed, err);
    }
    return status == ST_OK
               ? sealed_points(sealed, db_time(rows, i, 1), wanted, points, sources, err)
               : status;
}

/* The points of a window of spans. Damaged chunks are left out, and told. */
static enum status window_points(struct db *db, const struct wanted *wanted, int64_t from_us,
                                 int64_t to_us, struct points *points, struct sources *sources,
                                 struct err *err)
{
    AUTO_DBRESULT struct db_result *rows = NULL;
    struct db_params params = range_of(wanted->host_key, from_us, to_us);
    db_p_i32(&params, sealed_slice_key(wanted->pool, wanted->tag));
    enum status status = db_exec(db, &statements[CHUNKS], &params, &rows, err);
    size_t count = status == ST_OK ? db_rows(rows) : 0;
    for (size_t i = 0; status == ST_OK && i < count; i++) {
        struct err why = {0};
        status = chunk_points(rows, i, wanted, points, sources, &why);
        if (status == ST_MALFORMED) {
            damage_tell(wanted->host_key, db_time(rows, i, 0), db_time(rows, i, 1),
                        (int32_t)db_i64(rows, i, 2), why.message);
            status = ST_OK;
        } else if (status != ST_OK) {
            return err_set(err, status, "%s", why.message);
        }
    }
    return status;
}

/* ---- all of it ------------------------------------------------------------- */

static enum status series_fill(const struct points *points, int64_t from_us, int64_t to_us,
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
        /* The rest was read for what rests on it, or because its chunk was. */
        if (point->t_us < from_us || point->t_us > to_us)
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

enum status store_series_read(struct db *db, int64_t host_key, enum pool pool, uint32_t tag,
                              int64_t from_us, int64_t to_us, struct series *ret_series,
                              struct err *err)
{
    CLEANUP(points_done) struct points points = {0};
    CLEANUP(sources_done) struct sources sources = {0};
    struct wanted wanted = {host_key, pool, tag};
    int64_t start_us = from_us;
    enum status status = series_start(db, host_key, from_us, &start_us, err);
    if (status == ST_OK)
        status = sources_read(db, host_key, start_us, to_us, &sources, err);
    for (int64_t at = span_start(start_us); status == ST_OK && at <= to_us; at += WINDOW_US) {
        int64_t end_us = at + WINDOW_US - 1 < to_us ? at + WINDOW_US - 1 : to_us;
        status = window_points(db, &wanted, at, end_us, &points, &sources, err);
    }
    points_sort(&points);
    if (status == ST_OK && sources.count > 0) {
        status = block_points(&sources, pool, tag, &points, err);
        points_sort(&points);
    }
    return status == ST_OK ? series_fill(&points, from_us, to_us, ret_series, err) : status;
}

/* ---- totals and boots ------------------------------------------------------ */

void totals_series_done(struct totals_series *series)
{
    arena_done(&series->arena);
    *series = (struct totals_series){0};
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
        column_totals(result, i, 2, &series.totals[i]);
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

enum status store_snapshots_recent(struct db *db, int64_t now_us, struct store_recent *ret_recent,
                                   struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_time(&params, now_us - US_PER_DAY);
    db_p_time(&params, now_us - US_PER_HOUR);
    enum status status = db_exec(db, &statements[COUNT_SINCE], &params, &result, err);
    if (status == ST_OK)
        *ret_recent = (struct store_recent){db_i64(result, 0, 0), db_i64(result, 0, 1)};
    return status;
}
