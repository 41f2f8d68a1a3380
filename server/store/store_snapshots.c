/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_snapshots.h"

#include "common/snapshot_json.h"
#include "server/chunk/chunk.h"
#include "server/store/chain.h"
#include "server/store/registry.h"

#include <string.h>

/* Blocks are read a day at a time: about 300 rows and a megabyte for a host. */
#define WINDOW_US US_PER_DAY
/* Longer than any chain ingest makes; ends a walk over damaged bases. */
#define CHAIN_MAX 1000

#define KEY_COLUMNS   "taken_at, boot_at, sequence, keyframe_at, chain"
#define BLOCK_COLUMNS "taken_at, boot_at, sequence, base, keyframe, block"
#define TOTAL_COLUMNS                                                                              \
    "nonpaged_bytes, paged_bytes, nonpaged_limit_bytes, paged_limit_bytes, commit_bytes,"          \
    " commit_limit_bytes, physical_bytes, available_bytes, handles, processes, threads,"           \
    " alloc_failures"

enum {
    AT,
    BY_SEQUENCE,
    BY_SEQUENCE_NO_BOOT,
    BY_TIME,
    BY_TIME_NO_BOOT,
    BLOCKS,
    BLOCK_BY_SEQUENCE,
    BLOCK_BY_SEQUENCE_NO_BOOT,
    REST,
    PLAN,
    TOTALS,
    BOOTS,
    COUNT_SINCE,
    BIG_BLOCKS
};
static const struct stmt statements[] = {
    [AT] = STMT("snapshot_at",
                "SELECT " KEY_COLUMNS " FROM snapshot WHERE host_id = $1 AND taken_at <= $2"
                " ORDER BY taken_at DESC, sequence DESC NULLS LAST LIMIT 1",
                "iz", "zzizd"),
    [BY_SEQUENCE] = STMT("snapshot_by_sequence",
                         "SELECT " KEY_COLUMNS " FROM snapshot WHERE host_id = $1 AND boot_at = $2"
                         " AND sequence = $3 ORDER BY taken_at LIMIT 1",
                         "izi", "zzizd"),
    [BY_SEQUENCE_NO_BOOT] =
        STMT("snapshot_by_sequence_no_boot",
             "SELECT " KEY_COLUMNS " FROM snapshot WHERE host_id = $1 AND boot_at IS NULL"
             " AND sequence = $2 ORDER BY taken_at LIMIT 1",
             "ii", "zzizd"),
    [BY_TIME] = STMT("snapshot_by_time",
                     "SELECT " KEY_COLUMNS " FROM snapshot WHERE host_id = $1 AND boot_at = $2"
                     " AND taken_at = $3 AND sequence IS NULL",
                     "izz", "zzizd"),
    [BY_TIME_NO_BOOT] =
        STMT("snapshot_by_time_no_boot",
             "SELECT " KEY_COLUMNS " FROM snapshot WHERE host_id = $1 AND boot_at IS NULL"
             " AND taken_at = $2 AND sequence IS NULL",
             "iz", "zzizd"),
    [BLOCKS] = STMT("snapshot_blocks",
                    "SELECT " BLOCK_COLUMNS " FROM snapshot WHERE host_id = $1"
                    " AND taken_at BETWEEN $2 AND $3 ORDER BY taken_at, sequence",
                    "izz", "zziibx"),
    [BLOCK_BY_SEQUENCE] =
        STMT("snapshot_block_by_sequence",
             "SELECT " BLOCK_COLUMNS " FROM snapshot WHERE host_id = $1 AND boot_at = $2"
             " AND sequence = $3 ORDER BY taken_at LIMIT 1",
             "izi", "zziibx"),
    [BLOCK_BY_SEQUENCE_NO_BOOT] =
        STMT("snapshot_block_by_sequence_no_boot",
             "SELECT " BLOCK_COLUMNS " FROM snapshot WHERE host_id = $1 AND boot_at IS NULL"
             " AND sequence = $2 ORDER BY taken_at LIMIT 1",
             "ii", "zziibx"),
    [REST] = STMT("snapshot_rest",
                  "SELECT " TOTAL_COLUMNS ", detail FROM snapshot WHERE host_id = $1"
                  " AND taken_at = $2 AND boot_at IS NOT DISTINCT FROM $3"
                  " AND sequence IS NOT DISTINCT FROM $4",
                  "izzi", "iiiiiiiiiiiij"),
    [PLAN] = STMT("snapshot_plan",
                  "SELECT " KEY_COLUMNS ", base FROM snapshot WHERE host_id = $1"
                  " AND taken_at BETWEEN $2 AND $3 ORDER BY taken_at, sequence",
                  "izz", "zzizdi"),
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
    [BIG_BLOCKS] = STMT("snapshot_big_blocks",
                        "SELECT taken_at, detail -> 'big_blocks' FROM snapshot WHERE host_id = $1"
                        " AND taken_at >= $2 AND detail ? 'big_blocks'"
                        " ORDER BY taken_at DESC LIMIT 1",
                        "iz", "zj"),
};
const struct stmt_table store_snapshots_statements = {statements,
                                                      sizeof statements / sizeof *statements};

/* ---- keys ------------------------------------------------------------------ */

static int64_t number_or_unknown(const struct db_result *result, size_t row, size_t column)
{
    return db_null(result, row, column) ? SEQUENCE_UNKNOWN : db_i64(result, row, column);
}

static struct stored_key key_read(const struct db_result *result, size_t row)
{
    return (struct stored_key){
        .taken_at_us = db_time(result, row, 0),
        .boot_at_us = db_time(result, row, 1),
        .sequence = number_or_unknown(result, row, 2),
        .keyframe_at_us = db_time(result, row, 3),
        .chain = (int32_t)db_i64(result, row, 4),
    };
}

static enum status key_query(struct db *db, int which, const struct db_params *params,
                             struct stored_key *ret_key, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    enum status status = db_exec(db, &statements[which], params, &result, err);
    if (status != ST_OK)
        return status;
    if (db_rows(result) == 0)
        return err_set(err, ST_NOT_FOUND, "there is no such snapshot");
    *ret_key = key_read(result, 0);
    return ST_OK;
}

enum status store_snapshot_by_sequence(struct db *db, int64_t host_key, int64_t boot_at_us,
                                       int64_t sequence, struct stored_key *ret_key,
                                       struct err *err)
{
    struct db_params params = {0};
    bool boot = boot_at_us != TIME_UNKNOWN;
    db_p_i64(&params, host_key);
    if (boot)
        db_p_time(&params, boot_at_us);
    db_p_i64(&params, sequence);
    return key_query(db, boot ? BY_SEQUENCE : BY_SEQUENCE_NO_BOOT, &params, ret_key, err);
}

enum status store_snapshot_by_time(struct db *db, int64_t host_key, int64_t boot_at_us,
                                   int64_t taken_at_us, struct stored_key *ret_key, struct err *err)
{
    struct db_params params = {0};
    bool boot = boot_at_us != TIME_UNKNOWN;
    db_p_i64(&params, host_key);
    if (boot)
        db_p_time(&params, boot_at_us);
    db_p_time(&params, taken_at_us);
    return key_query(db, boot ? BY_TIME : BY_TIME_NO_BOOT, &params, ret_key, err);
}

/* ---- rows with blocks ------------------------------------------------------ */

static struct chain_row row_read(const struct db_result *result, size_t row)
{
    struct chain_row out = {
        .taken_at_us = db_time(result, row, 0),
        .boot_at_us = db_time(result, row, 1),
        .sequence = number_or_unknown(result, row, 2),
        .base = number_or_unknown(result, row, 3),
        .keyframe = db_bool(result, row, 4),
    };
    out.block = db_bytes(result, row, 5, &out.block_length);
    return out;
}

static enum status blocks_read(struct db *db, int64_t host_key, int64_t from_us, int64_t to_us,
                               struct db_result **ret_result, struct err *err)
{
    struct db_params params = {0};
    db_p_i64(&params, host_key);
    db_p_time(&params, from_us);
    db_p_time(&params, to_us);
    return db_exec(db, &statements[BLOCKS], &params, ret_result, err);
}

static enum status block_by_sequence(struct db *db, int64_t host_key, int64_t boot_at_us,
                                     int64_t sequence, struct db_result **ret_result,
                                     struct err *err)
{
    struct db_params params = {0};
    bool boot = boot_at_us != TIME_UNKNOWN;
    db_p_i64(&params, host_key);
    if (boot)
        db_p_time(&params, boot_at_us);
    db_p_i64(&params, sequence);
    return db_exec(db, &statements[boot ? BLOCK_BY_SEQUENCE : BLOCK_BY_SEQUENCE_NO_BOOT], &params,
                   ret_result, err);
}

/* The rows from a keyframe to the wanted one. Most come from one range; a base outside of it (the
 * host's clock was set) is fetched by its sequence. */
struct path {
    struct db *db;
    int64_t host_key;
    struct db_result *range;
    struct db_result **extra;
    size_t extra_count;
    struct chain_row *rows; /* newest first */
    size_t count;
};

static void path_done(struct path *path)
{
    db_result_free(path->range);
    for (size_t i = 0; i < path->extra_count; i++)
        db_result_free(path->extra[i]);
    free(path->extra);
    free(path->rows);
}

static bool path_find(const struct path *path, int64_t boot_at_us, int64_t sequence,
                      struct chain_row *ret_row)
{
    for (size_t i = db_rows(path->range); i-- > 0;) {
        struct chain_row row = row_read(path->range, i);
        if (row.boot_at_us == boot_at_us && row.sequence == sequence) {
            *ret_row = row;
            return true;
        }
    }
    return false;
}

static enum status path_fetch(struct path *path, int64_t boot_at_us, int64_t sequence,
                              struct chain_row *ret_row, struct err *err)
{
    struct db_result **extra =
        reallocarray(path->extra, path->extra_count + 1, sizeof *path->extra);
    if (extra == NULL)
        return err_set(err, ST_NOMEM, "could not read snapshots: out of memory");
    path->extra = extra;
    struct db_result *result = NULL;
    enum status status =
        block_by_sequence(path->db, path->host_key, boot_at_us, sequence, &result, err);
    if (status != ST_OK)
        return status;
    path->extra[path->extra_count++] = result;
    if (db_rows(result) == 0)
        return err_set(err, ST_NOT_FOUND, "the base of a snapshot is gone");
    *ret_row = row_read(result, 0);
    return ST_OK;
}

static enum status path_walk(struct path *path, struct chain_row row, struct err *err)
{
    for (;;) {
        struct chain_row *rows = reallocarray(path->rows, path->count + 1, sizeof *path->rows);
        if (rows == NULL)
            return err_set(err, ST_NOMEM, "could not read snapshots: out of memory");
        path->rows = rows;
        path->rows[path->count++] = row;
        if (row.keyframe)
            return ST_OK;
        if (path->count > CHAIN_MAX)
            return err_set(err, ST_BUG, "the bases of a snapshot do not end");
        struct chain_row base;
        if (!path_find(path, row.boot_at_us, row.base, &base)) {
            enum status status = path_fetch(path, row.boot_at_us, row.base, &base, err);
            if (status != ST_OK)
                return status;
        }
        row = base;
    }
}

/* Complete tables of the snapshot with that key into chain. */
static enum status chain_build(struct db *db, int64_t host_key, const struct stored_key *key,
                               struct chain *chain, struct err *err)
{
    CLEANUP(path_done) struct path path = {.db = db, .host_key = host_key};
    bool ordered = key->keyframe_at_us <= key->taken_at_us;
    enum status status =
        blocks_read(db, host_key, ordered ? key->keyframe_at_us : key->taken_at_us,
                    ordered ? key->taken_at_us : key->keyframe_at_us, &path.range, err);
    if (status != ST_OK)
        return status;
    for (size_t i = db_rows(path.range); i-- > 0;) {
        struct chain_row row = row_read(path.range, i);
        if (row.taken_at_us != key->taken_at_us || row.boot_at_us != key->boot_at_us ||
            row.sequence != key->sequence)
            continue;
        status = path_walk(&path, row, err);
        for (size_t k = path.count; status == ST_OK && k-- > 0;)
            status = chain_put(chain, &path.rows[k], err);
        return status;
    }
    return err_set(err, ST_NOT_FOUND, "there is no such snapshot");
}

/* ---- a whole snapshot
 * ---------------------------------------------------------------------------- */

void store_detail_encode(const struct snapshot *snapshot, struct strbuf *out)
{
    if (snapshot->object_count + snapshot->process_count + snapshot->session_count +
            snapshot->event_count + snapshot->block_count ==
        0)
        return;
    /* The document's own encoder, of a document that has nothing else. */
    struct snapshot only = {
        .boot_at_us = TIME_UNKNOWN,
        .taken_at_us = snapshot->taken_at_us,
        .sequence = SEQUENCE_UNKNOWN,
        .base = SEQUENCE_UNKNOWN,
        .object_count = snapshot->object_count,
        .process_count = snapshot->process_count,
        .session_count = snapshot->session_count,
        .event_count = snapshot->event_count,
        .objects = snapshot->objects,
        .processes = snapshot->processes,
        .sessions = snapshot->sessions,
        .events = snapshot->events,
        .block_count = snapshot->block_count,
        .blocks = snapshot->blocks,
        .agent = {.waiting = -1, .dropped = -1},
    };
    snapshot_json_encode(&only, out);
}

/* The inverse: the stored members inside the smallest document the strict decoder takes. */
static enum status detail_decode(const char *json, struct snapshot *ret_snapshot, struct err *err)
{
    if (json == NULL || json[0] != '{' || json[1] == '}') {
        snapshot_init(ret_snapshot);
        return ST_OK;
    }
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    strbuf_puts(&text,
                "{\"format\":1,\"host\":{\"id\":\"x\"},\"taken_at\":\"2000-01-01T00:00:00Z\","
                "\"nonpaged\":{\"tag\":[],\"bytes\":[]},");
    strbuf_puts(&text, json + 1);
    if (strbuf_failed(&text))
        return err_set(err, ST_NOMEM, "could not read a snapshot: out of memory");
    enum status status = snapshot_json_decode(text.data, text.length, ret_snapshot, err);
    if (status == ST_OK)
        ret_snapshot->host_id = NULL;
    return status;
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

static enum status table_copy(struct arena *arena, const struct snapshot_table *from,
                              struct snapshot_table *to)
{
    struct snapshot_table copy = {0};
    if (from->present) {
        size_t count = from->count;
        enum status status =
            snapshot_table_alloc(arena, &copy, count, snapshot_table_columns(from));
        if (status != ST_OK)
            return status;
        if (count > 0)
            memcpy(copy.tag, from->tag, count * sizeof *copy.tag);
        if (count > 0 && from->allocs != NULL)
            memcpy(copy.allocs, from->allocs, count * sizeof *copy.allocs);
        if (count > 0 && from->frees != NULL)
            memcpy(copy.frees, from->frees, count * sizeof *copy.frees);
        if (count > 0 && from->bytes != NULL)
            memcpy(copy.bytes, from->bytes, count * sizeof *copy.bytes);
    }
    *to = copy;
    return ST_OK;
}

/* Everything but the tables; tables come from `table`, copied. */
static enum status snapshot_fill(struct db *db, int64_t host_key, const struct stored_key *key,
                                 const struct snapshot_table table[POOL_COUNT],
                                 struct snapshot *ret_snapshot, struct err *err)
{
    AUTO_DBRESULT struct db_result *rest = NULL;
    struct db_params params = {0};
    db_p_i64(&params, host_key);
    db_p_time(&params, key->taken_at_us);
    db_p_time(&params, key->boot_at_us);
    if (key->sequence == SEQUENCE_UNKNOWN)
        db_p_null(&params, 'i');
    else
        db_p_i64(&params, key->sequence);
    enum status status = db_exec(db, &statements[REST], &params, &rest, err);
    if (status != ST_OK)
        return status;
    if (db_rows(rest) == 0)
        return err_set(err, ST_NOT_FOUND, "there is no such snapshot");
    struct snapshot snapshot;
    status = detail_decode(db_text(rest, 0, TOTAL_COUNT), &snapshot, err);
    if (status != ST_OK)
        return status;
    snapshot.boot_at_us = key->boot_at_us;
    snapshot.taken_at_us = key->taken_at_us;
    snapshot.sequence = key->sequence;
    totals_read(rest, 0, 0, &snapshot.totals);
    for (int pool = 0; status == ST_OK && pool < POOL_COUNT; pool++)
        status = table_copy(&snapshot.arena, &table[pool], &snapshot.table[pool]);
    if (status != ST_OK) {
        snapshot_done(&snapshot);
        return err_set(err, status, "could not read a snapshot: out of memory");
    }
    *ret_snapshot = snapshot;
    return ST_OK;
}

enum status store_snapshot_build(struct db *db, int64_t host_key, const struct stored_key *key,
                                 struct snapshot *ret_snapshot, struct err *err)
{
    AUTO_CHAIN struct chain chain = {0};
    enum status status = chain_build(db, host_key, key, &chain, err);
    if (status != ST_OK)
        return status;
    return snapshot_fill(db, host_key, key, chain.table, ret_snapshot, err);
}

enum status store_snapshot_at(struct db *db, int64_t host_key, int64_t at_us,
                              struct snapshot *ret_snapshot, struct err *err)
{
    struct stored_key key;
    struct db_params params = {0};
    db_p_i64(&params, host_key);
    db_p_time(&params, at_us);
    enum status status = key_query(db, AT, &params, &key, err);
    return status == ST_OK ? store_snapshot_build(db, host_key, &key, ret_snapshot, err) : status;
}

/* ---- a range, sampled
 * ---------------------------------------------------------------------------- */

/* Which snapshots of the range the grid picks: the newest in each (previous, grid] span. */
struct picks {
    struct stored_key *keys;
    size_t count;
};

static void picks_done(struct picks *picks)
{
    free(picks->keys);
}

static enum status picks_choose(struct db *db, int64_t host_key, int64_t from_us, int64_t to_us,
                                const int64_t *grid, size_t grid_count, struct picks *ret_picks,
                                struct err *err)
{
    AUTO_DBRESULT struct db_result *plan = NULL;
    struct db_params params = {0};
    db_p_i64(&params, host_key);
    db_p_time(&params, from_us);
    db_p_time(&params, to_us);
    enum status status = db_exec(db, &statements[PLAN], &params, &plan, err);
    if (status != ST_OK)
        return status;
    size_t rows = db_rows(plan);
    struct stored_key *keys = calloc(rows + 1, sizeof *keys);
    if (keys == NULL)
        return err_set(err, ST_NOMEM, "could not sample snapshots: out of memory");
    size_t count = 0, g = 0;
    bool open = false; /* keys[count - 1] belongs to the span that ends at grid[g] */
    for (size_t i = 0; i < rows; i++) {
        struct stored_key key = key_read(plan, i);
        while (g < grid_count && grid[g] < key.taken_at_us) {
            g++;
            open = false;
        }
        if (grid_count > 0 && g == grid_count)
            break;
        if (!open || grid_count == 0)
            count++;
        keys[count - 1] = key;
        open = true;
    }
    *ret_picks = (struct picks){keys, count};
    return ST_OK;
}

/* A pick that cannot be built (its base fell to retention) is left out. */
static enum status pick_missing(enum status status)
{
    return status == ST_NOT_FOUND ? ST_OK : status;
}

/* One window's picks: blocks are read once, the chain walks through them in time order, and jumps
 * to the last keyframe before a pick when that is nearer. */
static enum status window_walk(struct db *db, int64_t host_key, const struct stored_key *keys,
                               size_t count, struct chain *chain, store_snapshot_fn fn, void *arg,
                               struct err *err)
{
    AUTO_DBRESULT struct db_result *blocks = NULL;
    int64_t from_us = INT64_MAX;
    for (size_t i = 0; i < count; i++)
        from_us = keys[i].keyframe_at_us < from_us ? keys[i].keyframe_at_us : from_us;
    enum status status =
        blocks_read(db, host_key, from_us, keys[count - 1].taken_at_us, &blocks, err);
    size_t row_count = status == ST_OK ? db_rows(blocks) : 0;
    size_t next = 0; /* first row the chain has not passed */
    for (size_t i = 0; status == ST_OK && i < count; i++) {
        const struct stored_key *key = &keys[i];
        bool reached = false;
        for (; next < row_count && !reached; next++) {
            struct chain_row row = row_read(blocks, next);
            if (row.taken_at_us > key->taken_at_us)
                break;
            /* Rows before the pick's keyframe need no merging. */
            if (row.taken_at_us < key->keyframe_at_us)
                continue;
            if (chain_fits(chain, &row) && (status = chain_put(chain, &row, err)) != ST_OK)
                return status;
            reached = row.taken_at_us == key->taken_at_us && row.sequence == key->sequence &&
                      row.boot_at_us == key->boot_at_us;
        }
        bool built = reached && chain->valid && chain->boot_at_us == key->boot_at_us &&
                     chain->sequence == key->sequence;
        CLEANUP(chain_done) struct chain other = {0};
        if (!built) {
            status = chain_build(db, host_key, key, &other, err);
            if (status != ST_OK) {
                status = pick_missing(status);
                continue;
            }
        }
        AUTO_SNAPSHOT struct snapshot snapshot;
        snapshot_init(&snapshot);
        status =
            snapshot_fill(db, host_key, key, built ? chain->table : other.table, &snapshot, err);
        if (status == ST_OK)
            status = fn(&snapshot, arg);
    }
    return status;
}

enum status store_snapshots_sample(struct db *db, int64_t host_key, int64_t from_us, int64_t to_us,
                                   const int64_t *grid, size_t grid_count, store_snapshot_fn fn,
                                   void *arg, struct err *err)
{
    CLEANUP(picks_done) struct picks picks = {0};
    AUTO_CHAIN struct chain chain = {0};
    if (grid_count > 0 && grid[grid_count - 1] < to_us)
        to_us = grid[grid_count - 1];
    if (to_us < from_us)
        return ST_OK;
    enum status status = picks_choose(db, host_key, from_us, to_us, grid, grid_count, &picks, err);
    for (size_t i = 0; status == ST_OK && i < picks.count;) {
        size_t end = i + 1;
        while (end < picks.count &&
               picks.keys[end].taken_at_us - picks.keys[i].taken_at_us < WINDOW_US)
            end++;
        /* Far apart, each pick is built from its own keyframe; else the window is walked. */
        status = window_walk(db, host_key, picks.keys + i, end - i, &chain, fn, arg, err);
        i = end;
    }
    return status;
}

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

/* The value of a row: from its block, else (only changes are in it) from its base, which mostly is
 * the point before. */
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
    struct stored_key key;
    struct db_params params = {0};
    db_p_i64(&params, host_key);
    db_p_time(&params, from_us);
    enum status status = key_query(db, AT, &params, &key, err);
    *ret_start_us = status == ST_OK && key.keyframe_at_us < from_us ? key.keyframe_at_us : from_us;
    return status == ST_NOT_FOUND ? ST_OK : status;
}

enum status store_series_read(struct db *db, int64_t host_key, enum pool pool, uint32_t tag,
                              int64_t from_us, int64_t to_us, struct series *ret_series,
                              struct err *err)
{
    CLEANUP(points_done) struct points points = {0};
    int64_t start_us = from_us;
    enum status status = series_start(db, host_key, from_us, &start_us, err);
    for (; status == ST_OK && start_us <= to_us; start_us += WINDOW_US) {
        AUTO_DBRESULT struct db_result *blocks = NULL;
        int64_t end_us = start_us + WINDOW_US - 1 < to_us ? start_us + WINDOW_US - 1 : to_us;
        status = blocks_read(db, host_key, start_us, end_us, &blocks, err);
        for (size_t i = 0; status == ST_OK && i < db_rows(blocks); i++) {
            struct chain_row row = row_read(blocks, i);
            struct point point;
            status = point_read(&row, pool, tag, &points, &point, err);
            if (status == ST_OK)
                status = points_add(&points, &point, err);
        }
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

enum status store_big_blocks(struct db *db, int64_t host_key, int64_t from_us,
                             struct snapshot *ret_snapshot, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    AUTO_STRBUF struct strbuf json = STRBUF_INIT;
    struct db_params params = {0};
    db_p_i64(&params, host_key);
    db_p_time(&params, from_us);
    snapshot_init(ret_snapshot);
    enum status status = db_exec(db, &statements[BIG_BLOCKS], &params, &result, err);
    if (status != ST_OK || db_rows(result) == 0)
        return status;
    strbuf_printf(&json, "{\"big_blocks\":%s}", db_text(result, 0, 1));
    if (strbuf_failed(&json))
        return err_set(err, ST_NOMEM, "could not read big blocks: out of memory");
    status = detail_decode(json.data, ret_snapshot, err);
    if (status == ST_OK)
        ret_snapshot->taken_at_us = db_time(result, 0, 0);
    return status;
}
