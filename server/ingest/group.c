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
#include "server/ingest/group_inside.h"

#include "server/store/partition.h"

#include <stdlib.h>
#include <string.h>

/* Host rows a statement: bounds how long their locks are held. Chosen. */
#define FOLLOW_HOSTS 500

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

/* ---- the transaction -------------------------------------------------------- */

static enum status update_hosts(struct group *group, struct err *err)
{
    AUTO_FREE struct ingest_host **hosts = calloc(group->work_count + 1, sizeof *hosts);
    if (hosts == NULL)
        return group_no_memory(err);
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
        status = group_take_item(group, batch, &batch->items[i], err);
    const struct work *work = batch->only_host == NULL ? NULL : group_work(group, batch->only_host);
    batch->lacks_drivers = work != NULL && (work->row.attributes_at_us == TIME_UNKNOWN ||
                                            work->row.drivers_at_us == TIME_UNKNOWN);
    return status;
}

static enum status transaction(struct db *db, void *arg, struct err *err)
{
    struct group *group = arg;
    group_clear(group);
    group->db = db;
    group_collect(group);
    enum status status = group_find_in_order(group, err);
    if (status == ST_OK && !group->in_order && !group->locks)
        return ST_OK; /* the caller begins a transaction */
    if (status == ST_OK)
        status = group_lock_hosts(group, err);
    for (size_t i = 0; status == ST_OK && i < group->work_count; i++)
        status = group_load_newest(group, &group->works[i], err);
    for (size_t b = 0; status == ST_OK && b < group->batch_count; b++)
        status = take_batch(group, group->batches[b], err);
    if (status == ST_OK)
        status = group_flush(group, err);
    if (status == ST_OK)
        status = update_hosts(group, err);
    return status;
}

/* ---- partitions ------------------------------------------------------------- */

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
    int64_t arrival = arrival_start(group->now_us);
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

/* ---- commit ----------------------------------------------------------------- */

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
        return group_no_memory(err);
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

/* ---- the rows of hosts follow ----------------------------------------------- */

/* A row that says other than memory was written by another server: the next document of that host
 * asks the database, as it would have without rows that follow. Marks are the committer's own. */
static enum status follow_some(struct db *db, const struct host_state *const *states, size_t count,
                               struct err *err)
{
    struct ingest_host hosts[FOLLOW_HOSTS];
    bool followed[FOLLOW_HOSTS];
    for (size_t i = 0; i < count; i++)
        hosts[i] = group_row_of(states[i]);
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
        return group_no_memory(err);
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
