/* SPDX-License-Identifier: Apache-2.0 */
/* One document of a group commit: is it held already, what does it rest on, what comes of it? */
#include "server/ingest/group_inside.h"

#include "common/limits.h"
#include "server/chunk/chunk.h"
#include "server/ingest/identity.h"
#include "server/store/store_driver_files.h"
#include "server/store/store_snapshots.h"

#include <stdlib.h>
#include <string.h>

/* A snapshot is built from at most this many blocks. Chosen: two hours of 5-minute snapshots, when
 * options.keyframe_us asks for less often. */
#define CHAIN_LIMIT 24

/* ---- is it held already? ---------------------------------------------------- */

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

/* ---- what does it rest on? -------------------------------------------------- */

static bool base_is(const struct base *base, const struct snapshot *s)
{
    return base->state != NULL && base->state->boot_at_us == s->boot_at_us &&
           base->state->sequence == s->base;
}

enum status group_flush(struct group *group, struct err *err)
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
    enum status status = group_flush(group, err); /* it may be one of this group */
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
        return group_no_memory(err);
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

/* ---- facts ------------------------------------------------------------------ */

static enum status take_attributes(struct group *group, struct work *work, const struct snapshot *s,
                                   bool *ret_current, struct err *err)
{
    struct ingest_host *row = &work->row;
    unsigned char digest[FACTS_DIGEST_BYTES];
    bool late = row->attributes_at_us != TIME_UNKNOWN && s->taken_at_us < row->attributes_at_us;
    facts_attributes_digest(s, digest);
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
    unsigned char digest[FACTS_DIGEST_BYTES];
    bool late = row->drivers_at_us != TIME_UNKNOWN && s->taken_at_us < row->drivers_at_us;
    facts_drivers_digest(s, digest);
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
        return group_no_memory(err);
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

/* ---- one document ----------------------------------------------------------- */

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
        return !due || host_state_tables(*ret_state, arena, ret_table) == ST_OK
                   ? ST_OK
                   : group_no_memory(err);
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
        status = group_flush(group, err); /* a boot may have come with this very group */
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

enum status group_take_item(struct group *group, struct ingest_batch *batch,
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
    if (group_check_host(batch, item, &item->err) != ST_OK)
        return ST_OK;
    struct work *work = group_work(group, group_item_host(batch, item));
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
