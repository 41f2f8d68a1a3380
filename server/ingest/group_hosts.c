/* SPDX-License-Identifier: Apache-2.0 */
/* The hosts of a group commit: which they are, what memory knows of them, and their rows. */
#include "server/ingest/group_inside.h"

#include <stdlib.h>
#include <string.h>

const char *group_item_host(const struct ingest_batch *batch, const struct ingest_item *item)
{
    return item->snapshot->host_id != NULL ? item->snapshot->host_id : batch->only_host;
}

enum status group_check_host(const struct ingest_batch *batch, const struct ingest_item *item,
                             struct err *err)
{
    const char *id = group_item_host(batch, item);
    if (id == NULL)
        return err_field(err, ST_INVALID, "host.id", "required field is missing");
    /* The decoder checks ids too; but what reaches the database must not depend on who called. */
    if (!snapshot_host_id_valid(id))
        return err_field(err, ST_INVALID, "host.id", "host id has a bad length or character");
    if (batch->only_host != NULL && strcmp(id, batch->only_host) != 0)
        return err_field(err, ST_FORBIDDEN, "host.id", "the token may write another host only");
    return ST_OK;
}

struct work *group_work(struct group *group, const char *id)
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

struct ingest_host group_row_of(const struct host_state *state)
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

enum status group_find_in_order(struct group *group, struct err *err)
{
    AUTO_FREE struct snapshot *last = calloc(group->work_count + 1, sizeof *last);
    if (last == NULL)
        return group_no_memory(err);
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
            struct work *work = group_check_host(batch, &batch->items[i], NULL) == ST_OK
                                    ? group_work(group, group_item_host(batch, &batch->items[i]))
                                    : NULL;
            if (work == NULL || !work->in_order)
                continue;
            struct snapshot *newest = &last[work - group->works];
            struct ingest_host row = group_row_of(work->published);
            work->in_order = is_in_order(batch, s, &row, work->published, newest);
            newest->sequence = s->sequence;
            newest->taken_at_us = s->taken_at_us;
        }
    }
    group->in_order = true;
    for (size_t i = 0; i < group->work_count; i++) {
        struct work *work = &group->works[i];
        if (work->in_order)
            work->row = group_row_of(work->published);
        else
            group->in_order = false;
    }
    return ST_OK;
}

void group_collect(struct group *group)
{
    struct work *works = group->works;
    size_t count = 0;
    for (size_t b = 0; b < group->batch_count; b++) {
        const struct ingest_batch *batch = group->batches[b];
        for (size_t i = 0; i < batch->count; i++) {
            const struct ingest_item *item = &batch->items[i];
            if (group_check_host(batch, item, NULL) != ST_OK)
                continue;
            works[count++] = (struct work){.row = {.id = group_item_host(batch, item),
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

enum status group_lock_hosts(struct group *group, struct err *err)
{
    AUTO_FREE struct ingest_host **hosts = calloc(group->work_count + 1, sizeof *hosts);
    AUTO_FREE const char **ids = calloc(group->work_count + 1, sizeof *ids);
    if (hosts == NULL || ids == NULL)
        return group_no_memory(err);
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

enum status group_load_newest(struct group *group, struct work *work, struct err *err)
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
