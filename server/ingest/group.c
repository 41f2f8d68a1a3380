/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The usual document is in order: of the boot that memory knows, based on the newest snapshot,
 * newer than it, without facts. Everything about it is known from memory, and should another server
 * have stored the same document meanwhile, the key of the snapshot table says so. Such a document
 * costs one row; the row of its host follows later (group_follow), a hundred documents at a time.
 *
 * For all others the order of a transaction is: bring the host rows up to date and lock them,
 * compare each with the state in memory (another server may have written since: then it is read
 * again), take the documents one by one, write all rows in one statement, update the host rows. A
 * host's row is locked from the first look to the commit, so nothing that was looked up can change.
 */
#include "server/ingest/group.h"

#include "common/limits.h"
#include "server/chunk/chunk.h"
#include "server/ingest/identity.h"
#include "server/store/partition.h"
#include "server/store/store_driver_files.h"
#include "server/store/store_hosts.h"
#include "server/store/store_ingest.h"
#include "server/store/store_snapshots.h"

#include <string.h>

/* A snapshot is built from at most this many blocks. Chosen: two hours of 5-minute snapshots, when
 * options.keyframe_us asks for less often. */
#define CHAIN_LIMIT 24

/* Host rows a statement: bounds how long their locks are held. Chosen. */
#define FOLLOW_HOSTS 500

/* A stored or pending snapshot that others can be based on, with its complete tables. */
struct base {
    struct host_state *state; /* owned; NULL: none */
    int64_t keyframe_at_us;
    int64_t chain;
};

/* One host of the group. */
struct work {
    struct ingest_host row;
    const struct host_state *published; /* what the fleet has; reference */
    struct base newest; /* the newest snapshot of the host, when this group made or read it */
    struct base tail;   /* the last accepted one, when it is not the newest: for back-fill */
    bool in_order;      /* memory is enough for all its documents; the row follows later */
    bool wanted;        /* has a complete document: a new host gets its row */
    bool changed;
    bool state_new; /* newest.state differs from what the fleet has */
    int64_t first_taken_us;
};

struct group {
    struct db *db;
    struct fleet *fleet;
    const struct ingest_options *options;
    struct ingest_batch *const *batches;
    size_t batch_count;
    int64_t now_us;
    bool careful;  /* look everything up, since memory was found to be wrong */
    bool in_order; /* every host of the group is */
    bool locks;    /* in a transaction, which a group that is not all in order needs */

    struct work *works; /* by host id */
    size_t work_count;
    struct ingest_row *rows;
    struct strbuf *keyframes; /* block of rows[i], when it was made here */
    size_t row_count;
    size_t row_flushed;
    size_t item_count;
    struct group_result result;
};

/* ---- life ------------------------------------------------------------------ */

static void work_clear(struct work *work)
{
    host_state_release(work->published);
    host_state_release(work->newest.state);
    host_state_release(work->tail.state);
    *work = (struct work){0};
}

static void group_clear(struct group *group)
{
    for (size_t i = 0; i < group->work_count; i++)
        work_clear(&group->works[i]);
    for (size_t i = 0; i < group->row_count; i++)
        strbuf_done(&group->keyframes[i]);
    group->work_count = 0;
    group->row_count = 0;
    group->row_flushed = 0;
    group->result = (struct group_result){0};
}

static void group_done(struct group *group)
{
    group_clear(group);
    free(group->works);
    free(group->rows);
    free(group->keyframes);
}

static enum status no_memory(struct err *err)
{
    return err_set(err, ST_NOMEM, "could not store snapshots: out of memory");
}

/* ---- hosts ----------------------------------------------------------------- */

static const char *item_host(const struct ingest_batch *batch, const struct ingest_item *item)
{
    return item->snapshot->host_id != NULL ? item->snapshot->host_id : batch->only_host;
}

static enum status check_host(const struct ingest_batch *batch, const struct ingest_item *item,
                              struct err *err)
{
    const char *id = item_host(batch, item);
    if (id == NULL)
        return err_field(err, ST_INVALID, "host.id", "required field is missing");
    /* The decoder checks ids too; but what reaches the database must not depend on who called. */
    if (!snapshot_host_id_valid(id))
        return err_field(err, ST_INVALID, "host.id", "host id has a bad length or character");
    if (batch->only_host != NULL && strcmp(id, batch->only_host) != 0)
        return err_field(err, ST_FORBIDDEN, "host.id", "the token may write another host only");
    return ST_OK;
}

static struct work *work_find(struct group *group, const char *id)
{
    size_t low = 0, high = group->work_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(group->works[middle].row.id, id);
        if (order == 0)
            return &group->works[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct work *)a)->row.id, ((const struct work *)b)->row.id);
}

/* What the row of a host says, from memory. first_seen_us is older than all that comes in order. */
static struct ingest_host row_of(const struct host_state *state)
{
    int64_t facts_at_us = state->mark.has_facts ? state->taken_at_us : TIME_UNKNOWN;
    return (struct ingest_host){.id = state->id,
                                .key = state->key,
                                .first_seen_us = state->taken_at_us,
                                .last_seen_us = state->taken_at_us,
                                .boot_at_us = state->boot_at_us,
                                .sequence = state->sequence,
                                .sequence_max = state->mark.sequence_max,
                                .keyframe_at_us = state->mark.keyframe_at_us,
                                .chain = state->mark.chain,
                                .attributes_at_us = facts_at_us,
                                .drivers_at_us = facts_at_us,
                                .live_boot_at_us = state->mark.live_boot_at_us,
                                .live_taken_at_us = state->mark.live_taken_at_us,
                                .agent = state->agent};
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Names of host and agent stand in the host's row alone, so they must not follow later. What the
 * agent last said of its queue may: its next document says it again. */
static bool has_news(const struct snapshot *s, const struct host_state *state)
{
    const struct snapshot_agent *agent = &s->agent, *known = &state->agent;
    return s->has_attributes || s->has_drivers ||
           (s->host_name != NULL && !same_text(s->host_name, state->name)) ||
           (agent->present && (!known->present || agent->simulated != known->simulated ||
                               !same_text(agent->version, known->version)));
}

/* `last` is what the host's documents of this group have come to so far. */
static bool is_in_order(const struct ingest_batch *batch, const struct snapshot *s,
                        const struct ingest_host *row, const struct host_state *state,
                        const struct snapshot *last)
{
    return s->boot_at_us != TIME_UNKNOWN && s->boot_at_us == row->boot_at_us &&
           s->base != SEQUENCE_UNKNOWN && s->base == last->sequence &&
           s->sequence > last->sequence && s->sequence > row->sequence_max &&
           s->taken_at_us > last->taken_at_us && !has_news(s, state) &&
           (batch->only_host == NULL || row->live_boot_at_us == s->boot_at_us);
}

/* Looks at all documents of all hosts once, in the order in which they will be taken. */
static enum status find_in_order(struct group *group, struct err *err)
{
    AUTO_FREE struct snapshot *last = calloc(group->work_count + 1, sizeof *last);
    if (last == NULL)
        return no_memory(err);
    for (size_t i = 0; i < group->work_count; i++) {
        struct work *work = &group->works[i];
        work->published = fleet_get(group->fleet, work->row.id);
        work->in_order = !group->careful && work->published != NULL && work->published->mark.known;
        if (!work->in_order)
            continue;
        last[i].sequence = work->published->sequence;
        last[i].taken_at_us = work->published->taken_at_us;
    }
    for (size_t b = 0; b < group->batch_count; b++) {
        const struct ingest_batch *batch = group->batches[b];
        for (size_t i = 0; i < batch->count; i++) {
            const struct snapshot *s = batch->items[i].snapshot;
            struct work *work = check_host(batch, &batch->items[i], NULL) == ST_OK
                                    ? work_find(group, item_host(batch, &batch->items[i]))
                                    : NULL;
            if (work == NULL || !work->in_order)
                continue;
            struct snapshot *newest = &last[work - group->works];
            struct ingest_host row = row_of(work->published);
            work->in_order = is_in_order(batch, s, &row, work->published, newest);
            newest->sequence = s->sequence;
            newest->taken_at_us = s->taken_at_us;
        }
    }
    group->in_order = true;
    for (size_t i = 0; i < group->work_count; i++) {
        struct work *work = &group->works[i];
        if (work->in_order)
            work->row = row_of(work->published);
        else
            group->in_order = false;
    }
    return ST_OK;
}

/* One work per host, sorted; also says which hosts have a complete document. */
static void collect_works(struct group *group)
{
    struct work *works = group->works;
    size_t count = 0;
    for (size_t b = 0; b < group->batch_count; b++) {
        const struct ingest_batch *batch = group->batches[b];
        for (size_t i = 0; i < batch->count; i++) {
            const struct ingest_item *item = &batch->items[i];
            if (check_host(batch, item, NULL) != ST_OK)
                continue;
            works[count++] = (struct work){.row = {.id = item_host(batch, item),
                                                   .first_seen_us = TIME_UNKNOWN,
                                                   .last_seen_us = TIME_UNKNOWN,
                                                   .boot_at_us = TIME_UNKNOWN,
                                                   .sequence = SEQUENCE_UNKNOWN,
                                                   .sequence_max = SEQUENCE_UNKNOWN,
                                                   .keyframe_at_us = TIME_UNKNOWN,
                                                   .attributes_at_us = TIME_UNKNOWN,
                                                   .drivers_at_us = TIME_UNKNOWN,
                                                   .live_boot_at_us = TIME_UNKNOWN,
                                                   .live_taken_at_us = TIME_UNKNOWN},
                                           .wanted = item->snapshot->base == SEQUENCE_UNKNOWN,
                                           .first_taken_us = item->snapshot->taken_at_us};
        }
    }
    qsort(works, count, sizeof *works, by_id);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && strcmp(works[kept - 1].row.id, works[i].row.id) == 0) {
            works[kept - 1].wanted |= works[i].wanted;
            if (works[i].first_taken_us < works[kept - 1].first_taken_us)
                works[kept - 1].first_taken_us = works[i].first_taken_us;
        } else {
            works[kept++] = works[i];
        }
    }
    group->work_count = kept;
}

/* Locks what exists, makes what is new and has a document that can stand alone, locks that too. */
static enum status lock_hosts(struct group *group, struct err *err)
{
    AUTO_FREE struct ingest_host **hosts = calloc(group->work_count + 1, sizeof *hosts);
    AUTO_FREE const char **ids = calloc(group->work_count + 1, sizeof *ids);
    if (hosts == NULL || ids == NULL)
        return no_memory(err);
    size_t count = 0;
    for (size_t i = 0; i < group->work_count; i++) {
        if (!group->works[i].in_order) {
            hosts[count] = &group->works[i].row;
            ids[count++] = group->works[i].row.id;
        }
    }
    if (count == 0)
        return ST_OK;
    enum status status = store_ingest_catch_up(group->db, ids, count, err);
    if (status == ST_OK)
        status = store_ingest_lock(group->db, hosts, count, err);
    size_t missing = 0;
    for (size_t i = 0; i < group->work_count; i++) {
        struct work *work = &group->works[i];
        if (!work->in_order && work->row.key == 0 && work->wanted) {
            work->row.first_seen_us = work->first_taken_us;
            hosts[missing++] = &work->row;
        }
    }
    if (status == ST_OK && missing > 0)
        status = store_ingest_add_hosts(group->db, hosts, missing, group->now_us, err);
    if (status == ST_OK && missing > 0)
        status = store_ingest_lock(group->db, hosts, missing, err);
    return status;
}

static bool state_is_newest(const struct host_state *state, const struct ingest_host *row)
{
    return state != NULL && state->taken_at_us == row->last_seen_us &&
           state->boot_at_us == row->boot_at_us && state->sequence == row->sequence &&
           state->key == row->key;
}

/* The fleet's state when it is what the row says, else from the database. */
static enum status load_newest(struct group *group, struct work *work, struct err *err)
{
    if (work->row.last_seen_us == TIME_UNKNOWN)
        return ST_OK;
    work->newest.keyframe_at_us = work->row.keyframe_at_us;
    work->newest.chain = work->row.chain;
    if (state_is_newest(work->published, &work->row)) {
        /* Constness is ours to drop: a reference is only read and released. */
        work->newest.state = (struct host_state *)(uintptr_t)host_state_ref(work->published);
        return ST_OK;
    }
    enum status status = store_host_state(group->db, work->row.key, &work->newest.state, err);
    work->state_new = status == ST_OK;
    /* Its snapshot fell to retention: the host goes on with a complete document. */
    return status == ST_NOT_FOUND ? ST_OK : status;
}

/* ---- is it held already?
 * ------------------------------------------------------------------------- */

static bool is_newer(const struct ingest_host *row, const struct snapshot *s)
{
    if (row->last_seen_us == TIME_UNKNOWN || s->taken_at_us > row->last_seen_us)
        return true;
    return s->taken_at_us == row->last_seen_us && s->boot_at_us == row->boot_at_us &&
           s->sequence > row->sequence;
}

static bool same_key(const struct ingest_row *row, int64_t key, const struct snapshot *s)
{
    return row->host_key == key && row->boot_at_us == s->boot_at_us &&
           row->sequence == s->sequence &&
           (s->sequence != SEQUENCE_UNKNOWN || row->taken_at_us == s->taken_at_us);
}

static enum status is_held(struct group *group, const struct work *work, const struct snapshot *s,
                           bool *ret_held, struct err *err)
{
    const struct ingest_host *row = &work->row;
    *ret_held = false;
    if (row->last_seen_us == TIME_UNKNOWN)
        return ST_OK;
    bool same_boot = s->boot_at_us == row->boot_at_us;
    bool beyond = s->sequence == SEQUENCE_UNKNOWN || s->sequence > row->sequence_max;
    if (!group->careful && same_boot && s->taken_at_us > row->last_seen_us && beyond)
        return ST_OK;
    for (size_t i = group->row_flushed; i < group->row_count; i++) {
        if (same_key(&group->rows[i], row->key, s)) {
            *ret_held = true;
            return ST_OK;
        }
    }
    struct stored_key key;
    struct err ignored;
    enum status status = s->sequence == SEQUENCE_UNKNOWN
                             ? store_snapshot_by_time(group->db, row->key, s->boot_at_us,
                                                      s->taken_at_us, &key, &ignored)
                             : store_snapshot_by_sequence(group->db, row->key, s->boot_at_us,
                                                          s->sequence, &key, &ignored);
    if (status != ST_OK && status != ST_NOT_FOUND) {
        if (err != NULL)
            *err = ignored;
        return status;
    }
    *ret_held = status == ST_OK;
    return ST_OK;
}

/* ---- what does it rest on?
 * ----------------------------------------------------------------------- */

static bool base_is(const struct base *base, const struct snapshot *s)
{
    return base->state != NULL && base->state->boot_at_us == s->boot_at_us &&
           base->state->sequence == s->base;
}

static enum status flush(struct group *group, struct err *err)
{
    size_t count = group->row_count - group->row_flushed, added = 0;
    if (count == 0)
        return ST_OK;
    const struct ingest_row *rows = group->rows + group->row_flushed;
    if (group->in_order) { /* outside of a transaction: all or none */
        group->row_flushed = group->row_count;
        return store_ingest_new_rows(group->db, rows, count, group->now_us, err);
    }
    enum status status = store_ingest_rows(group->db, rows, count, group->now_us, &added, err);
    if (status != ST_OK)
        return status;
    group->row_flushed = group->row_count;
    if (added != count) /* only the quick check can be wrong; see group_commit */
        return err_set(err, group->careful ? ST_BUG : ST_CONFLICT,
                       "could not store snapshots: %zu of %zu were held", count - added, count);
    return ST_OK;
}

/* The base from the database. Borrowed tables are copied into a state, which `ret_base` owns. */
static enum status base_read(struct group *group, struct work *work, const struct snapshot *s,
                             struct base *ret_base, struct err *err)
{
    struct stored_key key;
    enum status status = flush(group, err); /* it may be one of this group */
    if (status == ST_OK)
        status =
            store_snapshot_by_sequence(group->db, work->row.key, s->boot_at_us, s->base, &key, err);
    if (status != ST_OK)
        return status;
    AUTO_SNAPSHOT struct snapshot snapshot;
    snapshot_init(&snapshot);
    status = store_snapshot_build(group->db, work->row.key, &key, &snapshot, err);
    if (status != ST_OK)
        return status;
    snapshot.host_id = work->row.id;
    status = host_state_new(work->row.key, &snapshot, NULL, &ret_base->state, err);
    if (status == ST_OK) {
        ret_base->keyframe_at_us = key.keyframe_at_us;
        ret_base->chain = key.chain;
    }
    return status;
}

static enum status find_base(struct group *group, struct work *work, const struct snapshot *s,
                             const struct base **ret_base, struct err *err)
{
    if (base_is(&work->newest, s)) {
        *ret_base = &work->newest;
        return ST_OK;
    }
    if (!base_is(&work->tail, s)) {
        struct base base = {0};
        enum status status =
            work->row.key == 0 ? ST_NOT_FOUND : base_read(group, work, s, &base, err);
        if (status == ST_NOT_FOUND)
            return err_field(err, ST_CONFLICT, "base", "snapshot %lld of this boot is not held",
                             (long long)s->base);
        if (status != ST_OK)
            return status;
        host_state_release(work->tail.state);
        work->tail = base;
    }
    *ret_base = &work->tail;
    return ST_OK;
}

static enum status check_columns(const struct snapshot_table *base,
                                 const struct snapshot_table *changed, enum pool pool,
                                 struct err *err)
{
    if (!changed->present || changed->count == 0)
        return ST_OK;
    if (!base->present)
        return err_field(err, ST_INVALID, pool_name(pool), "the base has no such table");
    if (snapshot_table_columns(base) != snapshot_table_columns(changed))
        return err_field(err, ST_INVALID, pool_name(pool), "columns differ from the base's");
    return ST_OK;
}

/* The document's complete tables, into arena. */
static enum status complete_tables(const struct base *base, const struct snapshot *s,
                                   struct arena *arena, struct snapshot_table ret_table[POOL_COUNT],
                                   struct err *err)
{
    if (base == NULL) {
        memcpy(ret_table, s->table, sizeof s->table);
        return ST_OK;
    }
    struct snapshot_table table[POOL_COUNT];
    if (host_state_tables(base->state, arena, table) != ST_OK)
        return no_memory(err);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct snapshot_table changed = s->table[pool];
        enum status status = check_columns(&table[pool], &changed, (enum pool)pool, err);
        if (status != ST_OK)
            return status;
        if (changed.count == 0)
            changed = (struct snapshot_table){0};
        status = snapshot_table_merge(arena, &table[pool], &changed, &ret_table[pool], err);
        if (status != ST_OK)
            return status;
        if (ret_table[pool].count > LIMIT_TABLE_ROWS)
            return err_field(err, ST_TOO_LARGE, pool_name(pool), "over %u rows with its base",
                             LIMIT_TABLE_ROWS);
    }
    return ST_OK;
}

/* ---- facts
 * --------------------------------------------------------------------------------------- */

static enum status take_attributes(struct group *group, struct work *work, const struct snapshot *s,
                                   bool *ret_current, struct err *err)
{
    struct ingest_host *row = &work->row;
    unsigned char digest[STORE_DIGEST_BYTES];
    bool late = row->attributes_at_us != TIME_UNKNOWN && s->taken_at_us < row->attributes_at_us;
    store_attributes_digest(s, digest);
    bool same =
        row->has_attributes_digest && memcmp(row->attributes_digest, digest, sizeof digest) == 0;
    *ret_current = !late;
    enum status status = ST_OK;
    if (late || !same)
        status = store_ingest_attributes(group->db, row->key, s, late, row->attributes_at_us, err);
    if (status == ST_OK && !late) {
        row->attributes_at_us = s->taken_at_us;
        row->has_attributes_digest = true;
        memcpy(row->attributes_digest, digest, sizeof digest);
    }
    return status;
}

static enum status take_drivers(struct group *group, struct work *work, struct ingest_item *item,
                                struct err *err)
{
    const struct snapshot *s = item->snapshot;
    struct ingest_host *row = &work->row;
    unsigned char digest[STORE_DIGEST_BYTES];
    bool late = row->drivers_at_us != TIME_UNKNOWN && s->taken_at_us < row->drivers_at_us;
    store_drivers_digest(s, digest);
    bool same = row->has_drivers_digest && memcmp(row->drivers_digest, digest, sizeof digest) == 0;
    enum status status = ST_OK;
    struct driver_files unscanned = {0};
    if (late || !same)
        status = store_ingest_drivers(group->db, row->key, s, late, row->drivers_at_us, err);
    if (status == ST_OK && (late || !same))
        status = store_driver_files_learn(group->db, row->key, s, &item->snapshot->arena,
                                          &unscanned, err);
    item->unscanned = unscanned.hashes;
    item->unscanned_count = unscanned.count;
    if (status == ST_OK && !late) {
        row->drivers_at_us = s->taken_at_us;
        row->has_drivers_digest = true;
        memcpy(row->drivers_digest, digest, sizeof digest);
    }
    return status;
}

/* An older document brought the first attributes: the newest state shows them too. */
static enum status restate_attributes(struct work *work, const struct snapshot *s, struct err *err)
{
    AUTO_ARENA struct arena arena = {0};
    struct host_state *old = work->newest.state, *state = NULL;
    if (old == NULL)
        return ST_OK;
    struct snapshot newest = *s;
    newest.host_id = old->id;
    newest.host_name = old->name;
    newest.boot_at_us = old->boot_at_us;
    newest.taken_at_us = old->taken_at_us;
    newest.sequence = old->sequence;
    newest.totals = old->totals;
    newest.agent = old->agent;
    if (host_state_tables(old, &arena, newest.table) != ST_OK)
        return no_memory(err);
    enum status status = host_state_new(work->row.key, &newest, old, &state, err);
    if (status != ST_OK)
        return status;
    host_state_release(old);
    work->newest.state = state;
    work->state_new = true;
    return ST_OK;
}

static enum status take_facts(struct group *group, struct work *work, struct ingest_item *item,
                              bool newer, struct err *err)
{
    const struct snapshot *s = item->snapshot;
    enum status status = ST_OK;
    bool current = false;
    if (s->has_attributes)
        status = take_attributes(group, work, s, &current, err);
    if (status == ST_OK && s->has_drivers)
        status = take_drivers(group, work, item, err);
    if (status == ST_OK && current && !newer)
        status = restate_attributes(work, s, err);
    return status;
}

/* ---- one document
 * -------------------------------------------------------------------------------- */

static bool keyframe_due(const struct group *group, const struct base *base,
                         const struct snapshot *s)
{
    return base == NULL || base->chain + 1 > CHAIN_LIMIT ||
           s->taken_at_us - base->keyframe_at_us >= group->options->keyframe_us ||
           s->taken_at_us < base->keyframe_at_us;
}

/* `table`: the complete tables when `due`. */
static enum status add_row(struct group *group, const struct work *work,
                           const struct ingest_item *item, const struct base *base, bool due,
                           const struct snapshot_table table[POOL_COUNT],
                           struct ingest_row **ret_row, struct err *err)
{
    const struct snapshot *s = item->snapshot;
    struct ingest_row *row = &group->rows[group->row_count];
    struct strbuf *keyframe = &group->keyframes[group->row_count];
    *keyframe = (struct strbuf)STRBUF_INIT;
    *row = (struct ingest_row){
        .host_key = work->row.key,
        .taken_at_us = s->taken_at_us,
        .boot_at_us = s->boot_at_us,
        .sequence = s->sequence,
        .base = s->base,
        .keyframe_at_us = due ? s->taken_at_us : base->keyframe_at_us,
        .chain = due ? 0 : base->chain + 1,
        .totals = s->totals,
        .detail = item->detail.length == 0 ? NULL : item->detail.data,
        .block = item->block.data,
        .block_length = item->block.length,
    };
    bool whole = due && base != NULL;
    if (whole) {
        enum status status = chunk_encode(table, keyframe, err);
        if (status != ST_OK) {
            strbuf_done(keyframe);
            return status;
        }
        row->block = keyframe->data;
        row->block_length = keyframe->length;
    }
    for (int pool = 0; pool < POOL_COUNT; pool++)
        row->row_count += (int64_t)(whole ? table[pool].count : s->table[pool].count);
    group->row_count++;
    *ret_row = row;
    return ST_OK;
}

static void host_row_take(struct ingest_host *host, const struct ingest_row *row,
                          const struct snapshot *s, bool newer)
{
    if (host->first_seen_us == TIME_UNKNOWN || s->taken_at_us < host->first_seen_us)
        host->first_seen_us = s->taken_at_us;
    bool same_boot = host->boot_at_us == s->boot_at_us && host->last_seen_us != TIME_UNKNOWN;
    if (same_boot && s->sequence > host->sequence_max)
        host->sequence_max = s->sequence;
    if (!newer)
        return;
    if (!same_boot)
        host->sequence_max = s->sequence;
    host->last_seen_us = s->taken_at_us;
    host->boot_at_us = s->boot_at_us;
    host->sequence = s->sequence;
    host->keyframe_at_us = row->keyframe_at_us;
    host->chain = row->chain;
    if (s->host_name != NULL)
        host->name = s->host_name;
    if (s->agent.present)
        host->agent = s->agent;
}

/* The state after the document, and its complete tables where a complete block is due. The usual
 * one only changes rows of its base: then the tables are not taken apart. */
static enum status next_state(struct work *work, const struct base *base, const struct snapshot *s,
                              bool newer, bool due, struct arena *arena,
                              struct snapshot_table ret_table[POOL_COUNT],
                              struct host_state **ret_state, struct err *err)
{
    const struct host_state *previous = newer ? work->newest.state : NULL;
    *ret_state = NULL;
    if (base != NULL && base->state == previous) {
        enum status status = host_state_patch(previous, s, ret_state, err);
        if (status != ST_OK)
            return status;
    }
    if (*ret_state != NULL)
        return !due || host_state_tables(*ret_state, arena, ret_table) == ST_OK ? ST_OK
                                                                                : no_memory(err);
    struct snapshot whole = *s; /* arena stays the document's: never freed here */
    enum status status = complete_tables(base, s, arena, whole.table, err);
    if (status != ST_OK)
        return status;
    whole.host_id = work->row.id;
    memcpy(ret_table, whole.table, sizeof whole.table);
    return host_state_new(work->row.key, &whole, previous, ret_state, err);
}

static enum status accept(struct group *group, struct work *work, struct ingest_item *item,
                          const struct base *base, struct err *err)
{
    AUTO_ARENA struct arena arena = {0};
    const struct snapshot *s = item->snapshot;
    struct snapshot_table table[POOL_COUNT] = {{0}};
    struct ingest_row *row = NULL;
    struct base next = {0};
    bool newer = is_newer(&work->row, s);
    bool due = keyframe_due(group, base, s);
    enum status status = next_state(work, base, s, newer, due, &arena, table, &next.state, err);
    if (status == ST_OK)
        status = add_row(group, work, item, base, due, table, &row, err);
    if (status != ST_OK) {
        host_state_release(next.state);
        return status;
    }
    next.keyframe_at_us = row->keyframe_at_us;
    next.chain = row->chain;
    struct base *place = newer ? &work->newest : &work->tail;
    host_state_release(place->state);
    *place = next;
    work->changed = true;
    work->state_new |= newer;
    host_row_take(&work->row, row, s, newer);
    return take_facts(group, work, item, newer, err);
}

/* Whether the document comes from the machine that the host is; see identity.h. A batch that holds
 * one of a clone is refused from there on: its agent must enroll anew before it is heard again. */
static enum status check_identity(struct group *group, struct ingest_batch *batch,
                                  const struct work *work, const struct snapshot *s, bool held,
                                  enum identity_verdict *ret_verdict, struct err *err)
{
    bool marked = false;
    *ret_verdict = IDENTITY_SAME;
    if (batch->only_host == NULL || !identity_is_other(&work->row, s))
        return ST_OK;
    enum status status = identity_is_marked(group->db, &work->row, s, &marked, err);
    if (status == ST_OK && !marked && !held) {
        status = flush(group, err); /* a boot may have come with this very group */
        if (status == ST_OK)
            status = identity_judge(group->db, &work->row, s, ret_verdict, err);
    }
    batch->cloned = status == ST_OK && marked;
    return status;
}

static enum status reject_clone(struct ingest_item *item)
{
    item->outcome = INGEST_REJECTED;
    err_field(&item->err, ST_UNAUTHORIZED, "boot_at", "another machine has this identity too");
    return ST_OK;
}

/* ST_OK with the item's outcome set, or why the whole transaction fails. */
static enum status take_item(struct group *group, struct ingest_batch *batch,
                             struct ingest_item *item, struct err *err)
{
    const struct snapshot *s = item->snapshot;
    const struct base *base = NULL;
    enum identity_verdict verdict = IDENTITY_SAME;
    bool held = false;
    item->outcome = INGEST_REJECTED;
    item->unscanned_count = 0;
    if (batch->cloned)
        return reject_clone(item);
    if (check_host(batch, item, &item->err) != ST_OK)
        return ST_OK;
    struct work *work = work_find(group, item_host(batch, item));
    if (work == NULL)
        return err_set(err, ST_BUG, "a document's host was not collected");
    enum status status = is_held(group, work, s, &held, err);
    if (status != ST_OK)
        return status;
    status = check_identity(group, batch, work, s, held, &verdict, err);
    if (status != ST_OK)
        return status;
    if (batch->cloned)
        return reject_clone(item);
    if (held) {
        item->outcome = INGEST_DUPLICATE;
        return ST_OK;
    }
    struct err why = {0};
    if (s->base != SEQUENCE_UNKNOWN)
        status = find_base(group, work, s, &base, &why);
    if (status == ST_OK)
        status = accept(group, work, item, base, &why);
    if (status == ST_OK) {
        item->outcome = INGEST_ACCEPTED;
        if (batch->only_host != NULL)
            identity_note(&work->row, s, verdict);
        return ST_OK;
    }
    /* A fault of the document names its field; anything else fails the transaction. */
    bool document = why.field[0] != '\0' &&
                    (status == ST_CONFLICT || status == ST_INVALID || status == ST_TOO_LARGE);
    if (document)
        item->err = why;
    else if (err != NULL)
        *err = why;
    return document ? ST_OK : status;
}

/* ---- the transaction
 * ----------------------------------------------------------------------------- */

static enum status update_hosts(struct group *group, struct err *err)
{
    AUTO_FREE struct ingest_host **hosts = calloc(group->work_count + 1, sizeof *hosts);
    if (hosts == NULL)
        return no_memory(err);
    size_t count = 0;
    for (size_t i = 0; i < group->work_count; i++) {
        if (group->works[i].changed && !group->works[i].in_order)
            hosts[count++] = &group->works[i].row;
    }
    return count == 0 ? ST_OK
                      : store_ingest_update_hosts(group->db, hosts, count, group->now_us, err);
}

/* One batch's documents, and what its agent is to be asked for. */
static enum status take_batch(struct group *group, struct ingest_batch *batch, struct err *err)
{
    enum status status = ST_OK;
    batch->cloned = false;
    for (size_t i = 0; status == ST_OK && i < batch->count; i++)
        status = take_item(group, batch, &batch->items[i], err);
    const struct work *work = batch->only_host == NULL ? NULL : work_find(group, batch->only_host);
    batch->lacks_drivers = work != NULL && (work->row.attributes_at_us == TIME_UNKNOWN ||
                                            work->row.drivers_at_us == TIME_UNKNOWN);
    return status;
}

static enum status transaction(struct db *db, void *arg, struct err *err)
{
    struct group *group = arg;
    group_clear(group);
    group->db = db;
    collect_works(group);
    enum status status = find_in_order(group, err);
    if (status == ST_OK && !group->in_order && !group->locks)
        return ST_OK; /* the caller begins a transaction */
    if (status == ST_OK)
        status = lock_hosts(group, err);
    for (size_t i = 0; status == ST_OK && i < group->work_count; i++)
        status = load_newest(group, &group->works[i], err);
    for (size_t b = 0; status == ST_OK && b < group->batch_count; b++)
        status = take_batch(group, group->batches[b], err);
    if (status == ST_OK)
        status = flush(group, err);
    if (status == ST_OK)
        status = update_hosts(group, err);
    return status;
}

/* ---- partitions
 * ---------------------------------------------------------------------------------- */

static bool day_is_known(const struct known_days *days, int64_t day)
{
    for (size_t i = 0; i < days->count; i++) {
        if (days->day[i] == day)
            return true;
    }
    return false;
}

/* In transactions of their own, before the group's, so that their locks are short. */
static enum status make_partitions(struct group *group, struct known_days *days, struct err *err)
{
    int64_t arrival = span_start(group->now_us);
    if (days->arrival_us != arrival || group->careful) {
        enum status status =
            partition_ensure(group->db, PARTITION_SNAPSHOT_BLOCK, &arrival, 1, err);
        if (status != ST_OK)
            return status;
        days->arrival_us = arrival;
    }
    for (size_t b = 0; b < group->batch_count; b++) {
        for (size_t i = 0; i < group->batches[b]->count; i++) {
            int64_t taken_at_us = group->batches[b]->items[i].snapshot->taken_at_us;
            int64_t day = taken_at_us / US_PER_DAY - (taken_at_us % US_PER_DAY < 0);
            if (day_is_known(days, day))
                continue;
            enum status status =
                partition_ensure(group->db, PARTITION_SNAPSHOT, &taken_at_us, 1, err);
            if (status != ST_OK)
                return status;
            if (days->count == GROUP_DAYS_MAX) /* a long back-fill: begin anew */
                days->count = 0;
            days->day[days->count++] = day;
        }
    }
    return ST_OK;
}

/* ---- commit
 * -------------------------------------------------------------------------------------- */

static struct ingest_mark mark_of(const struct work *work)
{
    const struct ingest_host *row = &work->row;
    return (struct ingest_mark){.known = true,
                                .row_behind = work->in_order,
                                .has_facts = row->attributes_at_us != TIME_UNKNOWN &&
                                             row->drivers_at_us != TIME_UNKNOWN,
                                .chain = (int32_t)row->chain,
                                .keyframe_at_us = row->keyframe_at_us,
                                .sequence_max = row->sequence_max,
                                .live_boot_at_us = row->live_boot_at_us,
                                .live_taken_at_us = row->live_taken_at_us,
                                .published_us = clock_mono_us()};
}

static void publish(struct group *group)
{
    for (size_t i = 0; i < group->work_count; i++) {
        struct work *work = &group->works[i];
        if (work->state_new) {
            work->newest.state->mark = mark_of(work);
            fleet_publish(group->fleet, TAKE(work->newest.state));
        }
    }
    for (size_t i = 0; i < group->row_count; i++)
        group->result.rows += (uint64_t)group->rows[i].row_count;
    for (size_t b = 0; b < group->batch_count; b++) {
        for (size_t i = 0; i < group->batches[b]->count; i++) {
            enum ingest_outcome outcome = group->batches[b]->items[i].outcome;
            group->result.accepted += outcome == INGEST_ACCEPTED;
            group->result.duplicates += outcome == INGEST_DUPLICATE;
            group->result.rejected += outcome == INGEST_REJECTED;
        }
    }
}

enum status group_commit(struct db *db, struct fleet *fleet, const struct ingest_options *options,
                         struct known_days *days, struct ingest_batch *const *batches, size_t count,
                         struct group_result *ret_result, struct err *err)
{
    CLEANUP(group_done)
    struct group group = {.db = db,
                          .fleet = fleet,
                          .options = options,
                          .batches = batches,
                          .batch_count = count,
                          .now_us = clock_wall_us()};
    for (size_t b = 0; b < count; b++)
        group.item_count += batches[b]->count;
    group.works = calloc(group.item_count + 1, sizeof *group.works);
    group.rows = calloc(group.item_count + 1, sizeof *group.rows);
    group.keyframes = calloc(group.item_count + 1, sizeof *group.keyframes);
    if (group.works == NULL || group.rows == NULL || group.keyframes == NULL)
        return no_memory(err);
    enum status status = ST_CONFLICT;
    struct err why = {0};
    /* Twice at most: a conflict means that the quick check was wrong, a missing partition (23514)
     * that retention dropped one that was known. The second time nothing is taken on trust. */
    for (int try = 0; try < 2; try++) {
        status = make_partitions(&group, days, &why);
        group.locks = false;
        if (status == ST_OK)
            status = transaction(db, &group, &why);
        group.locks = status == ST_OK && !group.in_order;
        if (group.locks)
            status = db_tx(db, "store snapshots", transaction, &group, &why);
        bool again = status == ST_CONFLICT || strcmp(why.sqlstate, "23514") == 0;
        if (status == ST_OK || !again || db_broken(db))
            break;
        group.careful = true;
        days->count = 0;
        why.sqlstate[0] = '\0';
    }
    if (status == ST_OK) {
        publish(&group);
        *ret_result = group.result;
    } else if (err != NULL) {
        *err = why;
    }
    return status;
}

/* ---- the rows of hosts follow ------------------------------------------------------------------
 */

/* A row that says other than memory was written by another server: the next document of that host
 * asks the database, as it would have without rows that follow. Marks are the committer's own. */
static enum status follow_some(struct db *db, const struct host_state *const *states, size_t count,
                               struct err *err)
{
    struct ingest_host hosts[FOLLOW_HOSTS];
    bool followed[FOLLOW_HOSTS];
    for (size_t i = 0; i < count; i++)
        hosts[i] = row_of(states[i]);
    enum status status = store_ingest_follow(db, hosts, count, clock_wall_us(), followed, err);
    for (size_t i = 0; status == ST_OK && i < count; i++) {
        struct host_state *state = (struct host_state *)(uintptr_t)states[i];
        state->mark.known = state->mark.known && followed[i];
    }
    return status;
}

enum status group_follow(struct db *db, struct fleet *fleet, int64_t *since_us, struct err *err)
{
    AUTO_FLEET_LIST struct fleet_list list = {0};
    int64_t now_us = clock_mono_us();
    if (fleet_list(fleet, &list) != ST_OK)
        return no_memory(err);
    const struct host_state *some[FOLLOW_HOSTS];
    size_t count = 0;
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < list.count; i++) {
        const struct host_state *state = list.items[i];
        if (state->mark.row_behind && state->mark.published_us >= *since_us)
            some[count++] = state;
        if (count == FOLLOW_HOSTS || (i + 1 == list.count && count > 0)) {
            status = follow_some(db, some, count, err);
            count = 0;
        }
    }
    if (status == ST_OK)
        *since_us = now_us;
    return status;
}
