/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts of the live analysis over a restart. Each has a row with all that is known of it; what
 * arrived later is put on it at the start as at any pass. Rows are written in turn, oldest first,
 * seldom enough that it is some percent of what the analysis costs; a host that was silent only has
 * its moment moved on.
 */
#include "server/analyze/kept_store.h"
#include "server/jobs/analysis_live_inside.h"
#include "server/store/store_checkpoint.h"

#include <stdlib.h>
#include <string.h>

#define LEASE_WAIT_US (10 * US_PER_SECOND)
/* Of one statement: what is sent is in memory twice. Chosen. */
#define BATCH_BYTES (2u << 20)
#define BATCH_HOSTS 64

/* ---- at the start -------------------------------------------------------------- */

struct load {
    struct analysis_live *live;
    struct analysis_live_pass *told;
    const atomic_bool *stop;
    int64_t since_us;
    int64_t now_us;
    size_t room;
    struct err *err;
};

/* Only reads on if blocks of everything since are there. */
static enum status restore(const struct load *load, const struct store_checkpoint *from,
                           struct kept *kept)
{
    if (from->received_us < load->since_us || from->received_us > load->now_us)
        return ST_MALFORMED;
    enum status status = analysis_restore(load->live->analysis, kept, from->kept, from->length);
    bool right = status == ST_OK && strcmp(kept_id(kept), from->host_id) == 0 &&
                 kept_taken_us(kept) <= load->told->as_of_us;
    return status == ST_OK && !right ? ST_MALFORMED : status;
}

static enum status load_one(const struct store_checkpoint *from, void *arg)
{
    struct load *load = arg;
    struct analysis_live *live = load->live;
    if (load->stop != NULL && atomic_load(load->stop))
        return err_set(load->err, ST_TIMEOUT, "the analysis was given up: the server stops");
    struct kept *kept = kept_new();
    enum status status = kept == NULL ? ST_NOMEM : restore(load, from, kept);
    if (status == ST_OK && live->count == load->room) {
        size_t room = load->room * 2 + 256;
        struct entry *grown = realloc(live->entries, room * sizeof *grown);
        status = grown == NULL ? ST_NOMEM : ST_OK;
        live->entries = grown == NULL ? live->entries : grown;
        load->room = grown == NULL ? load->room : room;
    }
    if (status != ST_OK) {
        kept_free(kept);
        load->told->refused += status == ST_MALFORMED;
        return status == ST_MALFORMED
                   ? ST_OK
                   : err_set(load->err, status, "could not read a checkpoint: out of memory");
    }
    struct entry *entry = &live->entries[live->count++];
    *entry = (struct entry){
        .key = from->key, .kept = kept, .since_us = load->now_us, .stored_us = from->received_us};
    memcpy(entry->attributes, from->attributes, sizeof entry->attributes);
    memcpy(entry->drivers, from->drivers, sizeof entry->drivers);
    if (from->received_us < live->mark_us)
        live->mark_us = from->received_us;
    load->told->restored++;
    return ST_OK;
}

enum status checkpoint_load(struct analysis_live *live, struct db *db, int64_t since_us,
                            const atomic_bool *stop, struct analysis_live_pass *told,
                            struct err *err)
{
    struct load load = {.live = live,
                        .told = told,
                        .stop = stop,
                        .since_us = since_us,
                        .now_us = live->mark_us,
                        .err = err};
    return store_checkpoints_read(db, load_one, &load, err);
}

/* ---- now and then --------------------------------------------------------------- */

struct turn {
    int64_t stored_us;
    size_t place;
};

static int by_stored(const void *a, const void *b)
{
    const struct turn *x = a, *y = b;
    if (x->stored_us != y->stored_us)
        return x->stored_us < y->stored_us ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

struct save {
    struct analysis_live *live;
    struct db *db;
    struct analysis_live_saved told;
    struct turn *turns; /* to be written */
    size_t turn_count;
    size_t *silent; /* places of those without news */
    size_t silent_count;
    struct strbuf bytes; /* of the batch */
    struct store_checkpoint items[BATCH_HOSTS];
    size_t starts[BATCH_HOSTS];
    size_t count;
};

static void save_done(struct save *save)
{
    free(save->turns);
    free(save->silent);
    strbuf_done(&save->bytes);
}

static void choose(struct save *save, int64_t every_us)
{
    const struct analysis_live *live = save->live;
    for (size_t i = 0; i < live->count; i++) {
        const struct entry *entry = &live->entries[i];
        bool never = entry->stored_us == TIME_UNKNOWN;
        if (entry->kept == NULL || entry->wanted || entry->facts || !kept_storable(entry->kept) ||
            (!never && live->mark_us - entry->stored_us < every_us))
            continue;
        if (never || entry->news)
            save->turns[save->turn_count++] = (struct turn){entry->stored_us, i};
        else
            save->silent[save->silent_count++] = i;
    }
    if (save->turn_count > 0)
        qsort(save->turns, save->turn_count, sizeof *save->turns, by_stored);
}

/* A row that is not as we left it is not moved on, but written again. */
static enum status extend(struct save *save, struct err *err)
{
    struct analysis_live *live = save->live;
    AUTO_FREE int64_t *keys = calloc(save->silent_count + 1, sizeof *keys);
    AUTO_FREE int64_t *were = calloc(save->silent_count + 1, sizeof *were);
    size_t extended = 0;
    if (keys == NULL || were == NULL)
        return err_set(err, ST_NOMEM, "could not store checkpoints: out of memory");
    for (size_t i = 0; i < save->silent_count; i++) {
        keys[i] = live->entries[save->silent[i]].key;
        were[i] = live->entries[save->silent[i]].stored_us;
    }
    enum status status = save->silent_count == 0
                             ? ST_OK
                             : store_checkpoints_extend(save->db, keys, were, save->silent_count,
                                                        live->mark_us, &extended, err);
    bool all = extended == save->silent_count;
    for (size_t i = 0; status == ST_OK && i < save->silent_count; i++)
        live->entries[save->silent[i]].stored_us = all ? live->mark_us : TIME_UNKNOWN;
    save->told.extended += extended;
    return status;
}

static enum status put_batch(struct save *save, struct err *err)
{
    for (size_t i = 0; i < save->count; i++)
        save->items[i].kept = save->bytes.data + save->starts[i];
    enum status status =
        save->count == 0 ? ST_OK : store_checkpoints_put(save->db, save->items, save->count, err);
    save->told.hosts += status == ST_OK ? save->count : 0;
    save->told.bytes += status == ST_OK ? save->bytes.length : 0;
    save->count = 0;
    strbuf_clear(&save->bytes);
    return status;
}

/* An entry counts as stored before its batch is: should that fail, its row is not as the entry
 * says, so it is never moved on but written again. */
static enum status add(struct save *save, struct entry *entry, struct err *err)
{
    size_t start = save->bytes.length;
    enum status status = analysis_store(save->live->analysis, entry->kept, &save->bytes);
    if (status == ST_NOMEM)
        return err_set(err, ST_NOMEM, "could not store checkpoints: out of memory");
    entry->stored_us = save->live->mark_us;
    entry->news = status != ST_OK;
    if (status != ST_OK)
        return ST_OK; /* too large: has no row that could be moved on */
    struct store_checkpoint *item = &save->items[save->count];
    *item = (struct store_checkpoint){
        .key = entry->key, .received_us = entry->stored_us, .length = save->bytes.length - start};
    memcpy(item->attributes, entry->attributes, sizeof item->attributes);
    memcpy(item->drivers, entry->drivers, sizeof item->drivers);
    save->starts[save->count++] = start;
    return ST_OK;
}

static enum status write_turns(struct save *save, const struct analysis_live_save_options *options,
                               struct err *err)
{
    int64_t end = clock_mono_us() + options->budget_us;
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < save->turn_count; i++) {
        if (save->told.bytes + save->bytes.length >= options->budget_bytes ||
            clock_mono_us() >= end || (options->stop != NULL && atomic_load(options->stop)))
            break;
        status = add(save, &save->live->entries[save->turns[i].place], err);
        if (status == ST_OK && (save->count == BATCH_HOSTS || save->bytes.length >= BATCH_BYTES))
            status = put_batch(save, err);
    }
    return status == ST_OK ? put_batch(save, err) : status;
}

enum status analysis_live_save(struct analysis_live *live, struct db_pool *pool,
                               const struct analysis_live_save_options *options,
                               struct analysis_live_saved *ret_saved, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    CLEANUP(save_done)
    struct save save = {.live = live,
                        .turns = calloc(live->count + 1, sizeof *save.turns),
                        .silent = calloc(live->count + 1, sizeof *save.silent),
                        .bytes = STRBUF_INIT};
    enum status status = save.turns == NULL || save.silent == NULL
                             ? err_set(err, ST_NOMEM, "could not store checkpoints: out of memory")
                             : ST_OK;
    if (status == ST_OK && live->mark_us != TIME_UNKNOWN)
        choose(&save, options->every_us);
    if (save.turn_count + save.silent_count > 0) {
        status = db_lease(pool, LEASE_WAIT_US, &save.db, err);
        db = save.db;
        if (status == ST_OK)
            status = extend(&save, err);
        if (status == ST_OK)
            status = write_turns(&save, options, err);
    }
    *ret_saved = save.told;
    return status;
}
