/* SPDX-License-Identifier: Apache-2.0 */
/* From the source into the spool: one snapshot, complete or as changed rows. */
#include "agent/core/agent_inside.h"
#include "agent/core/gzip.h"
#include "agent/core/settings.h"
#include "common/snapshot_cbor.h"

#define INVENTORY_US                                                                               \
    US_PER_DAY /* drivers and attributes at least this often: mends what was lost */

/* ---- what is asked */

static void make_request(struct agent *agent, int64_t now_us, struct source_request *ret_request)
{
    const struct source *source = agent->parts.source;
    const struct reply_want *want = &agent->wishes.want;
    struct source_request request = {
        .drivers = agent->wishes.drivers || want->drivers ||
                   now_us - agent->inventory_us >= INVENTORY_US ||
                   (source->inventory_changed != NULL && source->inventory_changed(source->arg)),
        .top_processes = agent->options.top_processes,
        .block_count = want->block_count,
        .scan_count = want->scan_count,
    };
    if (!agent->options.top_processes_fixed && agent->state.config.top_processes >= 0)
        request.top_processes = (unsigned)agent->state.config.top_processes;
    request.processes = want->processes && request.top_processes > 0;
    memcpy(request.blocks, want->blocks, sizeof request.blocks);
    memcpy(request.scan, want->scan, sizeof request.scan);
    *ret_request = request;
}

static void source_failed(struct agent *agent, enum status st, const struct err *why)
{
    bool told = agent->source_status == st;
    agent->source_status = st;
    if (told)
        return;
    report(agent, st == ST_UNSUPPORTED ? AGENT_EVENT_NO_POOL_TAGS : AGENT_EVENT_SOURCE_FAILED, "%s",
           why->message[0] != '\0' ? why->message : "could not read the kernel's pool tags");
}

/* ---- boot and sequence */

static void settle_boot(struct agent *agent, const struct source_clocks *clocks, int64_t now_us)
{
    struct boot_memory boot;
    int64_t elapsed_us =
        agent->boot_read_us != TIME_UNKNOWN ? now_us - agent->boot_read_us : TIME_UNKNOWN;
    enum boot_verdict verdict = boot_decide(&agent->state.boot, clocks, elapsed_us, &boot);
    agent->state.boot = boot;
    agent->boot_read_us = now_us;
    if (verdict == BOOT_NEW)
        agent->state.sequence = -1;
    if (verdict != BOOT_SAME) {
        changes_forget(&agent->base);
        changes_forget(&agent->newest);
    }
    agent->state.sequence = boot_sequence(clocks->uptime_us, agent->state.sequence);
}

/* ---- attributes */

static int compare_attributes(const void *a, const void *b)
{
    const struct snapshot_attribute *x = a;
    const struct snapshot_attribute *y = b;
    return strcmp(x->name, y->name);
}

static void set_attribute(struct snapshot *snapshot, const char *name, const char *value)
{
    for (size_t i = 0; i < snapshot->attribute_count; i++) {
        if (strcmp(snapshot->attributes[i].name, name) == 0) {
            snapshot->attributes[i].value = value;
            return;
        }
    }
    if (snapshot->attribute_count < LIMIT_ATTRIBUTES)
        snapshot->attributes[snapshot->attribute_count++] =
            (struct snapshot_attribute){name, value};
}

/* The host's own facts, with those of the settings over them. */
static enum status add_attributes(const struct agent *agent, struct snapshot *snapshot)
{
    struct snapshot_attribute *attributes =
        arena_alloc(&snapshot->arena, LIMIT_ATTRIBUTES, sizeof *attributes);
    if (attributes == NULL)
        return ST_NOMEM;
    if (snapshot->attribute_count > LIMIT_ATTRIBUTES)
        snapshot->attribute_count = LIMIT_ATTRIBUTES;
    if (snapshot->attribute_count > 0)
        memcpy(attributes, snapshot->attributes, snapshot->attribute_count * sizeof *attributes);
    snapshot->attributes = attributes;
    struct settings_tag tag;
    const char *text = agent->options.tags != NULL ? agent->options.tags : "";
    while (settings_next_tag(&text, &tag)) {
        const char *name = arena_strndup(&snapshot->arena, tag.name, tag.name_length);
        const char *value = arena_strndup(&snapshot->arena, tag.value, tag.value_length);
        if (name == NULL || value == NULL)
            return ST_NOMEM;
        set_attribute(snapshot, name, value);
    }
    if (agent->options.simulated)
        set_attribute(snapshot, "poolfleet.simulated", "true");
    qsort(attributes, snapshot->attribute_count, sizeof *attributes, compare_attributes);
    return ST_OK;
}

static enum status complete_document(struct agent *agent, struct snapshot *snapshot)
{
    snapshot->host_id = NULL;
    if (snapshot->host_name == NULL)
        snapshot->host_name = agent->options.host_name;
    snapshot->boot_at_us = agent->state.boot.sent_us;
    snapshot->sequence = agent->state.sequence;
    snapshot->base = SEQUENCE_UNKNOWN;
    snapshot->agent = (struct snapshot_agent){
        .present = true,
        .simulated = agent->options.simulated || snapshot->agent.simulated,
        .version = agent->options.version,
        .waiting = (int64_t)agent->spool.count + (agent->stray.held ? 1 : 0),
        .dropped = (int64_t)(agent->spool.dropped & INT64_MAX),
    };
    return snapshot->has_attributes ? add_attributes(agent, snapshot) : ST_OK;
}

/* ---- into the spool */

/* Tries once more to put what the disk did not take beside the others. */
static void save_stray(struct agent *agent, int64_t wall_us)
{
    struct stray *stray = &agent->stray;
    if (stray->held && spool_append(&agent->spool, &stray->entry, stray->data.data,
                                    stray->data.length, wall_us, NULL) == ST_OK)
        stray->held = false;
}

static void keep_stray(struct agent *agent, const struct spool_entry *entry,
                       const struct strbuf *packed)
{
    struct stray *stray = &agent->stray;
    if (stray->held)
        report_lost(agent, LOSS_DISK, 1);
    strbuf_clear(&stray->data);
    strbuf_add(&stray->data, packed->data, packed->length);
    stray->held = !strbuf_failed(&stray->data);
    stray->entry = *entry;
    stray->entry.length = packed->length;
    if (!stray->held)
        report_lost(agent, LOSS_DISK, 1);
}

static enum status spool_snapshot(struct agent *agent, const struct snapshot *snapshot)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    AUTO_STRBUF struct strbuf packed = STRBUF_INIT;
    struct err err = {0};
    snapshot_cbor_encode(snapshot, &text);
    if (strbuf_failed(&text))
        return ST_NOMEM;
    enum status st = gzip_pack(text.data, text.length, &packed, &err);
    if (st != ST_OK)
        return st;
    struct spool_entry entry = {
        .taken_at_us = snapshot->taken_at_us,
        .boot_at_us = snapshot->boot_at_us,
        .sequence = snapshot->sequence,
        .base = snapshot->base,
    };
    save_stray(agent, snapshot->taken_at_us);
    st = spool_append(&agent->spool, &entry, packed.data, packed.length, snapshot->taken_at_us,
                      &err);
    if (st == ST_OK) {
        agent->disk_told = false;
        return ST_OK;
    }
    report_disk(agent, err.message);
    keep_stray(agent, &entry, &packed);
    return ST_OK;
}

static enum status store(struct agent *agent, struct snapshot *snapshot,
                         const struct source_request *request)
{
    struct snapshot_table complete[POOL_COUNT];
    enum status st = complete_document(agent, snapshot);
    if (st != ST_OK)
        return st;
    memcpy(complete, snapshot->table, sizeof complete);
    if (!agent->wishes.full && !agent->wishes.want.full)
        st = changes_reduce(&agent->base, snapshot);
    if (st == ST_OK)
        st =
            changes_acknowledge(&agent->newest, snapshot->boot_at_us, snapshot->sequence, complete);
    if (st != ST_OK)
        return st;
    struct wishes before = agent->wishes;
    agent->wishes = (struct wishes){.drivers = before.drivers && !request->drivers};
    st = spool_snapshot(agent, snapshot);
    if (st != ST_OK)
        agent->wishes = before;
    return st;
}

void sample_step(struct agent *agent, int64_t now_us)
{
    AUTO_SNAPSHOT struct snapshot snapshot;
    struct source_request request;
    struct source_clocks clocks;
    struct err err = {0};
    snapshot_init(&snapshot);
    agent->sample_tried = true;
    make_request(agent, now_us, &request);
    enum status st =
        agent->parts.source->take(agent->parts.source->arg, &request, &snapshot, &clocks, &err);
    if (st == ST_OK && !snapshot.table[POOL_NONPAGED].present &&
        !snapshot.table[POOL_PAGED].present)
        st = err_set(&err, ST_UNSUPPORTED, "the kernel told no pool tags");
    if (st != ST_OK) {
        source_failed(agent, st, &err);
        return;
    }
    settle_boot(agent, &clocks, now_us);
    if (request.drivers)
        agent->inventory_us = now_us;
    st = store(agent, &snapshot, &request);
    if (st != ST_OK) {
        err_set(&err, st, "could not keep a snapshot: out of memory");
        source_failed(agent, st, &err);
        return;
    }
    agent->source_status = ST_OK;
    agent->state.sampled_us = snapshot.taken_at_us;
    agent_save_state(agent);
}
