/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the spool to the server: the oldest first, several at once. A snapshot leaves the spool only
 * when the server's answer, read in full, does not name it; whatever else happens it stays and is
 * sent again, and the server knows repeats by boot and sequence.
 */
#include "agent/core/agent_inside.h"
#include "agent/core/gzip.h"

#define BATCH_DOCUMENTS 64u
#define BATCH_BYTES     ((size_t)1 << 20) /* before gzip; one document may be larger */

struct batch {
    size_t count;
    struct spool_entry entries[BATCH_DOCUMENTS];
    bool stray; /* the last one is the agent's stray */
};

/* What becomes of one document of a batch. */
enum fate { FATE_HELD, FATE_BASE_GONE, FATE_REFUSED, FATE_LATER };

/* ---- making a batch */

/* Appends the document of entries[index]. ST_TOO_LARGE: it does not fit any more. ST_MALFORMED: it
 * was torn, and is gone: the next one has its index. ST_IO: it cannot be read now. */
static enum status add_document(struct agent *agent, struct batch *batch, size_t index,
                                struct strbuf *packed, struct strbuf *body, struct err *err)
{
    size_t before = body->length;
    struct spool_entry entry = agent->spool.entries[index];
    strbuf_clear(packed);
    enum status st = spool_read(&agent->spool, index, packed, err);
    if (st != ST_OK)
        return st;
    st = gzip_unpack(packed->data, packed->length, LIMIT_BODY_BYTES, body, err);
    if (st == ST_MALFORMED || st == ST_TOO_LARGE) {
        /* Its checksum holds and yet it is not ours to read: never sent, so it is lost. */
        agent->spool.losses[SPOOL_LOSS_TORN]++;
        spool_lost(&agent->spool, 1);
        (void)!spool_remove(&agent->spool, entry.number, NULL);
        return ST_MALFORMED;
    }
    if (st == ST_OK && batch->count > 0 && body->length > BATCH_BYTES) {
        body->length = before;
        return ST_TOO_LARGE;
    }
    if (st == ST_OK)
        batch->entries[batch->count++] = entry;
    return st;
}

static enum status add_stray(struct agent *agent, struct batch *batch, struct strbuf *body,
                             struct err *err)
{
    size_t before = body->length;
    enum status st =
        gzip_unpack(agent->stray.data.data, agent->stray.data.length, LIMIT_BODY_BYTES, body, err);
    if (st != ST_OK)
        return st;
    if (batch->count > 0 && body->length > BATCH_BYTES) {
        body->length = before;
        return ST_OK;
    }
    batch->entries[batch->count++] = agent->stray.entry;
    batch->stray = true;
    return ST_OK;
}

/* An unreadable file is passed over, so that it does not keep the others back. */
static void fill_batch(struct agent *agent, struct batch *batch, struct strbuf *body)
{
    AUTO_STRBUF struct strbuf packed = STRBUF_INIT;
    size_t most = agent->one_by_one > 0 ? 1 : BATCH_DOCUMENTS;
    struct err err = {0};
    size_t index = 0;
    while (batch->count < most && index < agent->spool.count) {
        enum status st = add_document(agent, batch, index, &packed, body, &err);
        if (st == ST_TOO_LARGE || st == ST_NOMEM)
            return;
        if (st != ST_OK && st != ST_MALFORMED)
            report_disk(agent, err.message);
        if (st != ST_MALFORMED)
            index++;
    }
    if (batch->count < most && agent->stray.held)
        (void)!add_stray(agent, batch, body, &err);
}

/* ---- what the answer means for each document */

static void forget_document(struct agent *agent, const struct batch *batch, size_t index)
{
    struct err err = {0};
    if (batch->stray && index == batch->count - 1)
        agent->stray.held = false;
    else if (spool_remove(&agent->spool, batch->entries[index].number, &err) != ST_OK)
        report_disk(agent, err.message);
}

static void document_held(struct agent *agent, const struct spool_entry *entry)
{
    struct changes_base *newest = &agent->newest;
    if (!newest->held || newest->boot_at_us != entry->boot_at_us ||
        newest->sequence != entry->sequence)
        return;
    changes_forget(&agent->base);
    agent->base = *newest;
    *newest = (struct changes_base){0};
}

static void document_refused(struct agent *agent, const struct spool_entry *entry, const char *why)
{
    char taken[TIME_TEXT_MAX];
    time_format(entry->taken_at_us, taken);
    if (agent->losses[LOSS_REFUSED] == 0 || strcmp(agent->refused_text, why) != 0)
        report(agent, AGENT_EVENT_REFUSED, "the server refuses the snapshot of %s: %s", taken, why);
    snprintf(agent->refused_text, sizeof agent->refused_text, "%s", why);
    report_lost(agent, LOSS_REFUSED, 1);
}

static void document_base_gone(struct agent *agent, const struct spool_entry *entry,
                               const char *why)
{
    changes_forget(&agent->base);
    agent->wishes.full = true;
    if (entry->base == SEQUENCE_UNKNOWN)
        document_refused(agent, entry, why); /* it is complete: cannot be about a base */
    else
        report_lost(agent, LOSS_BASE, 1);
}

/* Counts first, removes then: a cut in between sends and counts a refused one again, which is
 * better than a loss no one hears of. */
static void settle(struct agent *agent, const struct batch *batch, const enum fate *fates,
                   const char *const *why)
{
    bool lost = false;
    for (size_t i = 0; i < batch->count; i++) {
        const struct spool_entry *entry = &batch->entries[i];
        if (fates[i] == FATE_HELD)
            document_held(agent, entry);
        else if (fates[i] == FATE_BASE_GONE)
            document_base_gone(agent, entry, why[i]);
        else if (fates[i] == FATE_REFUSED)
            document_refused(agent, entry, why[i]);
        lost |= fates[i] == FATE_BASE_GONE || fates[i] == FATE_REFUSED;
    }
    if (lost)
        agent_save_state(agent);
    for (size_t i = 0; i < batch->count; i++) {
        if (fates[i] != FATE_LATER)
            forget_document(agent, batch, i);
    }
}

/* Types of refusals that are the server's trouble, not the document's. */
static enum fate fate_of(const char *type)
{
    static const char *const later[] = {"busy",      "timeout",  "retry", "database",
                                        "no_memory", "internal", "io"};
    if (strcmp(type, "conflict") == 0)
        return FATE_BASE_GONE;
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
        if (strcmp(type, later[i]) == 0)
            return FATE_LATER;
    }
    return FATE_REFUSED;
}

/* ---- answers to the whole */

static void next_at_once(struct agent *agent, size_t settled, int64_t now_us)
{
    agent->next_send_us = now_us;
    agent->one_by_one -= settled < agent->one_by_one ? settled : agent->one_by_one;
}

static void take_want(struct agent *agent, const struct reply_want *want)
{
    struct reply_want *mine = &agent->wishes.want;
    mine->full |= want->full;
    mine->drivers |= want->drivers;
    mine->processes |= want->processes;
    if (want->block_count > 0) {
        mine->block_count = want->block_count;
        memcpy(mine->blocks, want->blocks, sizeof mine->blocks);
    }
    if (want->scan_count > 0) {
        mine->scan_count = want->scan_count;
        memcpy(mine->scan, want->scan, sizeof mine->scan);
    }
}

/* Nothing is believed of an answer that does not account for every document. */
static bool accounts_for(const struct reply_snapshots *reply, size_t count)
{
    for (size_t i = 0; i < reply->rejected_count; i++) {
        if (reply->rejected[i].index >= count)
            return false;
    }
    return reply->rejected_count <= count && reply->accepted <= count &&
           reply->duplicates <= count &&
           reply->accepted + reply->duplicates + reply->rejected_count >= count;
}

static void taken(struct agent *agent, const struct batch *batch,
                  const struct transport_reply *answer, int64_t now_us)
{
    struct reply_snapshots *reply CLEANUP(cleanup_free) = calloc(1, sizeof *reply);
    const char *why[BATCH_DOCUMENTS] = {0};
    enum fate fates[BATCH_DOCUMENTS] = {FATE_HELD};
    struct err err = {0};
    size_t later = 0;
    enum status st = ST_NOMEM;
    if (reply != NULL)
        st = reply_snapshots_read(answer->body.data, answer->body.length, reply, &err);
    if (st == ST_OK && !accounts_for(reply, batch->count))
        st = err_set(&err, ST_INVALID, "it does not account for every snapshot");
    if (st != ST_OK) {
        char text[256];
        snprintf(text, sizeof text, "could not understand the server's answer: %.180s",
                 err.message);
        report_away(agent, -(int)st, text, BACKOFF_NO_RETRY_AFTER, now_us);
        return;
    }
    for (size_t i = 0; i < reply->rejected_count; i++) {
        fates[reply->rejected[i].index] = fate_of(reply->rejected[i].type);
        why[reply->rejected[i].index] = reply->rejected[i].detail;
    }
    for (size_t i = 0; i < batch->count; i++)
        later += fates[i] == FATE_LATER;
    settle(agent, batch, fates, why);
    agent_take_config(agent, &reply->config, now_us);
    take_want(agent, &reply->want);
    if (later == batch->count) {
        report_away(agent, 503, "the server could not store the snapshots now",
                    answer->retry_after_us, now_us);
        return;
    }
    agent->state.acknowledged_us = clock_wall_us();
    report_back(agent);
    next_at_once(agent, batch->count, now_us);
}

/* One bad document must not keep the others back. */
static void refused(struct agent *agent, const struct batch *batch, int code, const char *why,
                    int64_t now_us)
{
    if (batch->count > 1) {
        agent->one_by_one = batch->count;
        agent->next_send_us = now_us;
        return;
    }
    enum fate fate = code == 409 ? FATE_BASE_GONE : FATE_REFUSED;
    settle(agent, batch, &fate, &why);
    next_at_once(agent, 1, now_us);
}

static void answered(struct agent *agent, const struct batch *batch,
                     const struct transport_reply *answer, int64_t now_us)
{
    struct reply_problem problem = {0};
    char text[256];
    int code = answer->code;
    if (code >= 200 && code <= 299) {
        taken(agent, batch, answer, now_us);
        return;
    }
    reply_problem_read(answer->body.data, answer->body.length, &problem);
    snprintf(text, sizeof text, "the server answered %d%s%.180s", code,
             problem.detail[0] != '\0' ? ": " : "", problem.detail);
    if (code >= 400 && code <= 499 && strcmp(problem.type, "identity_cloned") == 0) {
        enroll_forget(agent, "the server saw this identity on two machines");
        agent->next_send_us = now_us;
        return;
    }
    if (code == 400 || code == 409 || code == 413 || code == 422) {
        refused(agent, batch, code, problem.detail[0] != '\0' ? problem.detail : text, now_us);
        return;
    }
    agent->enroll_again = code == 401 || code == 403;
    report_away(agent, code, text, answer->retry_after_us, now_us);
}

int64_t send_due_us(const struct agent *agent)
{
    bool waits = agent->spool.count > 0 || agent->stray.held || enroll_due(agent);
    if (agent->parts.transport == NULL || !waits)
        return NEVER;
    return agent->next_send_us;
}

void send_step(struct agent *agent, int64_t now_us)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    AUTO_STRBUF struct strbuf packed = STRBUF_INIT;
    struct batch *batch CLEANUP(cleanup_free) = calloc(1, sizeof *batch);
    struct transport_reply answer = {.retry_after_us = BACKOFF_NO_RETRY_AFTER};
    struct err err = {0};
    if (batch == NULL)
        return;
    fill_batch(agent, batch, &body);
    if (batch->count == 0 || gzip_pack(body.data, body.length, &packed, &err) != ST_OK) {
        /* Nothing that can be read just now, or no memory: later. */
        if (agent->spool.count > 0 || agent->stray.held)
            agent->next_send_us = now_us + US_PER_MINUTE;
        return;
    }
    strbuf_done(&body);
    struct transport_request request = {
        .path = "/api/v1/agent/snapshots",
        .content_type = "application/cbor-seq",
        .content_encoding = "gzip",
        .accept = "application/cbor",
        .bearer = agent->identity.token,
        .data = packed.data,
        .length = packed.length,
    };
    enum status st =
        agent->parts.transport->post(agent->parts.transport->arg, &request, &answer, &err);
    now_us = clock_mono_us();
    if (st == ST_OK)
        answered(agent, batch, &answer, now_us);
    else
        report_away(agent, -(int)st, err.message, BACKOFF_NO_RETRY_AFTER, now_us);
    strbuf_done(&answer.body);
}
