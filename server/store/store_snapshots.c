/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_snapshots.h"

#include "common/snapshot_json.h"
#include "server/store/blocks.h"
#include "server/store/chain.h"
#include "server/store/registry.h"
#include "server/store/snapshot_columns.h"

#include <string.h>

/* Rows are read a day at a time: about 300, and a megabyte, for a host. */
#define WINDOW_US US_PER_DAY
/* Rows that no pick rests on are read along when they are fewer than this between two picks: less
 * than it costs to ask once more. */
#define NEAR_US US_PER_HOUR
/* Longer than any chain ingest makes; ends a walk over damaged bases. */
#define CHAIN_MAX 1000

#define KEY_COLUMNS "taken_at, boot_at, sequence, keyframe_at, chain"

enum { AT, BY_SEQUENCE, BY_SEQUENCE_NO_BOOT, BY_TIME, BY_TIME_NO_BOOT, PLAN, PICKS, BIG_BLOCKS };
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
    [PLAN] = STMT("snapshot_plan",
                  "SELECT " KEY_COLUMNS ", base FROM snapshot WHERE host_id = $1"
                  " AND taken_at BETWEEN $2 AND $3 ORDER BY taken_at, sequence",
                  "izz", "zzizdi"),
    /* A look into the index for each: a host has thousands of rows where the analysis wants a
     * hundred. Of one moment the last as PLAN has them. */
    [PICKS] = STMT("snapshot_picks",
                   "SELECT k.taken_at, k.boot_at, k.sequence, k.keyframe_at, k.chain"
                   " FROM unnest($2::timestamptz[], $3::timestamptz[]) WITH ORDINALITY"
                   " AS g (after_at, until_at, place) CROSS JOIN LATERAL (SELECT " KEY_COLUMNS
                   " FROM snapshot WHERE host_id = $1 AND taken_at > g.after_at"
                   " AND taken_at <= g.until_at ORDER BY taken_at DESC, sequence DESC LIMIT 1) AS k"
                   " ORDER BY g.place",
                   "iZZ", "zzizd"),
    [BIG_BLOCKS] = STMT("snapshot_big_blocks",
                        "SELECT taken_at, detail -> 'big_blocks' FROM snapshot WHERE host_id = $1"
                        " AND taken_at >= $2 AND detail ? 'big_blocks'"
                        " ORDER BY taken_at DESC LIMIT 1",
                        "iz", "zj"),
};
const struct stmt_table store_snapshots_statements = {statements,
                                                      sizeof statements / sizeof *statements};

/* ---- keys ------------------------------------------------------------------ */

static struct stored_key key_read(const struct db_result *result, size_t row)
{
    return (struct stored_key){
        .taken_at_us = db_time(result, row, 0),
        .boot_at_us = db_time(result, row, 1),
        .sequence = column_sequence(result, row, 2),
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

/* ---- following bases ------------------------------------------------------- */

/* The rows from a complete one to the wanted one. Most come from one range; a base outside of it
 * (the host's clock was set) is fetched by its sequence. */
struct path {
    struct db *db;
    int64_t host_key;
    const struct blocks *range;
    struct blocks **extra; /* owned */
    size_t extra_count;
    struct chain_row *rows; /* newest first */
    size_t count;
};

static void path_done(struct path *path)
{
    for (size_t i = 0; i < path->extra_count; i++) {
        blocks_done(path->extra[i]);
        free(path->extra[i]);
    }
    free(path->extra);
    free(path->rows);
}

static bool path_find(const struct path *path, int64_t boot_at_us, int64_t sequence,
                      struct chain_row *ret_row)
{
    for (size_t i = path->range->count; i-- > 0;) {
        const struct chain_row *row = &path->range->rows[i];
        if (row->boot_at_us == boot_at_us && row->sequence == sequence) {
            *ret_row = *row;
            return true;
        }
    }
    return false;
}

static enum status path_fetch(struct path *path, int64_t boot_at_us, int64_t sequence,
                              struct chain_row *ret_row, struct err *err)
{
    struct stored_key key;
    enum status status =
        store_snapshot_by_sequence(path->db, path->host_key, boot_at_us, sequence, &key, err);
    if (status != ST_OK)
        return status == ST_NOT_FOUND ? err_set(err, status, "the base of a snapshot is gone")
                                      : status;
    struct blocks **extra = reallocarray(path->extra, path->extra_count + 1, sizeof *path->extra);
    if (extra == NULL)
        return err_set(err, ST_NOMEM, "could not read snapshots: out of memory");
    path->extra = extra;
    struct blocks *blocks = calloc(1, sizeof *blocks);
    if (blocks == NULL)
        return err_set(err, ST_NOMEM, "could not read snapshots: out of memory");
    path->extra[path->extra_count++] = blocks;
    status =
        blocks_read_tables(path->db, path->host_key, key.taken_at_us, key.taken_at_us, blocks, err);
    if (status != ST_OK)
        return status;
    size_t i = blocks_find(blocks, key.taken_at_us, boot_at_us, sequence);
    if (i == SIZE_MAX)
        return err_set(err, ST_NOT_FOUND, "the base of a snapshot is gone");
    *ret_row = blocks->rows[i];
    if (ret_row->damaged && blocks->damage.code != ST_OK)
        return err_set(err, ST_MALFORMED, "%s", blocks->damage.message);
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
        if (row.damaged && path->range->damage.code != ST_OK)
            return err_set(err, ST_MALFORMED, "%s", path->range->damage.message);
        if (row.damaged)
            return err_set(err, ST_NOT_FOUND, "the tables of a snapshot are gone");
        if (row.keyframe)
            return ST_OK;
        if (path->count > CHAIN_MAX)
            return err_set(err, ST_BUG, "the bases of a snapshot do not end");
        struct chain_row base = {0};
        if (!path_find(path, row.boot_at_us, row.base, &base)) {
            enum status status = path_fetch(path, row.boot_at_us, row.base, &base, err);
            if (status != ST_OK)
                return status;
        }
        row = base;
    }
}

enum status store_chain_row(struct db *db, int64_t host_key, const struct blocks *range, size_t i,
                            struct chain *chain, struct err *err)
{
    CLEANUP(path_done) struct path path = {.db = db, .host_key = host_key, .range = range};
    enum status status = path_walk(&path, range->rows[i], err);
    for (size_t k = path.count; status == ST_OK && k-- > 0;)
        status = chain_put(chain, &path.rows[k], err);
    return status;
}

/* The rows that the snapshot with that key usually rests on, itself among them. */
static enum status range_read(struct db *db, int64_t host_key, const struct stored_key *key,
                              struct blocks *ret_blocks, size_t *ret_index, struct err *err)
{
    bool ordered = key->keyframe_at_us <= key->taken_at_us;
    enum status status =
        blocks_read(db, host_key, ordered ? key->keyframe_at_us : key->taken_at_us,
                    ordered ? key->taken_at_us : key->keyframe_at_us, ret_blocks, err);
    if (status != ST_OK)
        return status;
    *ret_index = blocks_find(ret_blocks, key->taken_at_us, key->boot_at_us, key->sequence);
    return *ret_index == SIZE_MAX ? err_set(err, ST_NOT_FOUND, "there is no such snapshot") : ST_OK;
}

/* ---- a whole snapshot ------------------------------------------------------- */

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

static bool has_members(const char *json)
{
    return json != NULL && json[0] == '{' && json[1] != '}';
}

void store_detail_join(const char *one, const char *other, struct strbuf *out)
{
    if (!has_members(one) || !has_members(other)) {
        if (has_members(one) || has_members(other))
            strbuf_puts(out, has_members(one) ? one : other);
        return;
    }
    strbuf_add(out, one, strlen(one) - 1); /* one object of both */
    strbuf_putc(out, ',');
    strbuf_puts(out, other + 1);
}

/* The inverse: the stored members inside the smallest document the strict decoder takes. */
enum status store_detail_decode(const char *json, struct snapshot *ret_snapshot, struct err *err)
{
    if (!has_members(json)) {
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

/* Row `i` with these tables, copied. */
static enum status snapshot_fill(const struct blocks *blocks, size_t i,
                                 const struct snapshot_table table[POOL_COUNT],
                                 struct snapshot *ret_snapshot, struct err *err)
{
    AUTO_STRBUF struct strbuf detail = STRBUF_INIT;
    const struct chain_row *row = &blocks->rows[i];
    struct snapshot snapshot;
    blocks_detail(blocks, i, &detail);
    if (strbuf_failed(&detail))
        return err_set(err, ST_NOMEM, "could not read a snapshot: out of memory");
    enum status status = store_detail_decode(detail.data, &snapshot, err);
    if (status != ST_OK)
        return status;
    snapshot.boot_at_us = row->boot_at_us;
    snapshot.taken_at_us = row->taken_at_us;
    snapshot.sequence = row->sequence;
    blocks_totals(blocks, i, &snapshot.totals);
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
    AUTO_BLOCKS struct blocks blocks = {0};
    size_t i = 0;
    enum status status = range_read(db, host_key, key, &blocks, &i, err);
    if (status == ST_OK)
        status = store_chain_row(db, host_key, &blocks, i, &chain, err);
    return status == ST_OK ? snapshot_fill(&blocks, i, chain.table, ret_snapshot, err) : status;
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

/* ---- a range, sampled ------------------------------------------------------- */

/* Which snapshots of the range the grid picks: the newest in each (previous, grid] span. */
struct picks {
    struct stored_key *keys;
    size_t count;
};

static void picks_done(struct picks *picks)
{
    free(picks->keys);
}

/* The spans that the grid parts the range into, as (after, until]; returns how many there are. */
static size_t spans_of(int64_t from_us, int64_t to_us, const int64_t *grid, size_t grid_count,
                       int64_t *after, int64_t *until)
{
    size_t count = 0;
    int64_t before = from_us - 1;
    for (size_t g = 0; g < grid_count && before < to_us; g++) {
        int64_t end = grid[g] < to_us ? grid[g] : to_us;
        if (end <= before)
            continue;
        after[count] = before;
        until[count++] = before = end;
    }
    return count;
}

static enum status picks_query(struct db *db, int64_t host_key, int64_t from_us, int64_t to_us,
                               const int64_t *grid, size_t grid_count, struct db_result **ret_rows,
                               struct err *err)
{
    struct db_params params = {0};
    db_p_i64(&params, host_key);
    if (grid_count == 0) {
        db_p_time(&params, from_us);
        db_p_time(&params, to_us);
        return db_exec(db, &statements[PLAN], &params, ret_rows, err);
    }
    AUTO_FREE int64_t *spans = calloc(grid_count, 2 * sizeof *spans);
    if (spans == NULL)
        return err_set(err, ST_NOMEM, "could not sample snapshots: out of memory");
    size_t count = spans_of(from_us, to_us, grid, grid_count, spans, spans + grid_count);
    db_p_time_array(&params, spans, count);
    db_p_time_array(&params, spans + grid_count, count);
    return db_exec(db, &statements[PICKS], &params, ret_rows, err);
}

static enum status picks_choose(struct db *db, int64_t host_key, int64_t from_us, int64_t to_us,
                                const int64_t *grid, size_t grid_count, struct picks *ret_picks,
                                struct err *err)
{
    AUTO_DBRESULT struct db_result *rows = NULL;
    enum status status = picks_query(db, host_key, from_us, to_us, grid, grid_count, &rows, err);
    if (status != ST_OK)
        return status;
    size_t count = db_rows(rows);
    struct stored_key *keys = calloc(count + 1, sizeof *keys);
    if (keys == NULL)
        return err_set(err, ST_NOMEM, "could not sample snapshots: out of memory");
    for (size_t i = 0; i < count; i++)
        keys[i] = key_read(rows, i);
    *ret_picks = (struct picks){keys, count};
    return ST_OK;
}

/* A pick that cannot be built (its base fell to retention, its chunk is damaged) is left out. */
static bool pick_missing(enum status status)
{
    return status == ST_NOT_FOUND || status == ST_MALFORMED;
}

/* The chain's way through a window: rows before `next` are passed. */
struct window {
    struct db *db;
    int64_t host_key;
    struct blocks blocks;
    size_t next;
};

static void window_done(struct window *window)
{
    blocks_done(&window->blocks);
}

/* Puts the rows up to the pick on the chain; false: that did not lead to it. */
static bool window_reach(struct window *window, const struct stored_key *key, struct chain *chain,
                         size_t *ret_index)
{
    for (; window->next < window->blocks.count; window->next++) {
        const struct chain_row *row = &window->blocks.rows[window->next];
        if (row->taken_at_us > key->taken_at_us)
            return false;
        bool wanted = row->taken_at_us == key->taken_at_us && row->sequence == key->sequence &&
                      row->boot_at_us == key->boot_at_us;
        /* What lies before the pick's complete row needs no merging; what is sealed only when the
         * row after it may rest on it. */
        bool last_sealed = window->next + 1 < window->blocks.count && row[1].block != NULL;
        if (!wanted &&
            (row->taken_at_us < key->keyframe_at_us || (row->block == NULL && !last_sealed)))
            continue;
        bool put = chain_fits(chain, row) && chain_put(chain, row, NULL) == ST_OK;
        if (wanted) {
            *ret_index = window->next++;
            return put;
        }
    }
    return false;
}

static enum status window_pick(struct window *window, const struct stored_key *key,
                               struct chain *chain, store_snapshot_fn fn, void *arg,
                               struct err *err)
{
    AUTO_CHAIN struct chain other = {0};
    struct snapshot snapshot;
    size_t i = SIZE_MAX;
    bool reached = window_reach(window, key, chain, &i);
    enum status status = ST_OK;
    if (!reached) {
        i = blocks_find(&window->blocks, key->taken_at_us, key->boot_at_us, key->sequence);
        status = i == SIZE_MAX ? ST_NOT_FOUND
                               : store_chain_row(window->db, window->host_key, &window->blocks, i,
                                                 &other, err);
    }
    if (status == ST_OK)
        status =
            snapshot_fill(&window->blocks, i, reached ? chain->table : other.table, &snapshot, err);
    if (status != ST_OK)
        return pick_missing(status) ? ST_OK : status;
    status = fn(&snapshot, arg);
    snapshot_done(&snapshot);
    return status;
}

/* One window's picks: what they rest on is read once, the chain walks through it in time order. */
static enum status window_walk(struct db *db, int64_t host_key, const struct stored_key *keys,
                               size_t count, struct chain *chain, store_snapshot_fn fn, void *arg,
                               struct err *err)
{
    CLEANUP(window_done) struct window window = {.db = db, .host_key = host_key};
    int64_t from_us = INT64_MAX;
    for (size_t i = 0; i < count; i++)
        from_us = keys[i].keyframe_at_us < from_us ? keys[i].keyframe_at_us : from_us;
    if (keys[0].taken_at_us < from_us) /* the clock was set back */
        from_us = keys[0].taken_at_us;
    enum status status =
        blocks_read(db, host_key, from_us, keys[count - 1].taken_at_us, &window.blocks, err);
    for (size_t i = 0; status == ST_OK && i < count; i++)
        status = window_pick(&window, &keys[i], chain, fn, arg, err);
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
               picks.keys[end].taken_at_us - picks.keys[i].taken_at_us < WINDOW_US &&
               picks.keys[end].keyframe_at_us - picks.keys[end - 1].taken_at_us <= NEAR_US)
            end++;
        /* Far apart, each pick is built from its own keyframe; else the window is walked. */
        status = window_walk(db, host_key, picks.keys + i, end - i, &chain, fn, arg, err);
        i = end;
    }
    return status;
}

/* ---- big blocks ------------------------------------------------------------ */

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
    status = store_detail_decode(json.data, ret_snapshot, err);
    if (status == ST_OK)
        ret_snapshot->taken_at_us = db_time(result, 0, 0);
    return status;
}
