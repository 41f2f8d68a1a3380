/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/agent_inside.h"
#include "agent/core/schedule.h"

#define INTERVAL_US  (5 * US_PER_MINUTE) /* until a setting or the server says otherwise */
#define JITTER_US    (3 * US_PER_SECOND) /* on top of the host's own offset */
#define LATE_US      US_PER_MINUTE       /* a slot missed by more is skipped */
#define SPOOL_BYTES  (64ull << 20)
#define SPOOL_AGE_US (14 * US_PER_DAY)
/* A fleet that lost its server: first tries within seconds, so that a restart of the server is
 * hardly seen; later at most once an hour, which is no load for it even from 50,000 hosts. */
#define BACKOFF_BASE_US (5 * US_PER_SECOND)
#define BACKOFF_CAP_US  US_PER_HOUR

int64_t agent_interval_us(const struct agent *agent)
{
    if (agent->options.interval_us > 0)
        return agent->options.interval_us;
    return agent->state.config.interval_us > 0 ? agent->state.config.interval_us : INTERVAL_US;
}

/* Before enrolment the machine's own name spreads the fleet. */
static const char *schedule_name(const struct agent *agent)
{
    if (agent->identity.host_id[0] != '\0')
        return agent->identity.host_id;
    return agent->options.host_name != NULL ? agent->options.host_name : "";
}

static int64_t jitter(struct agent *agent, int64_t bound_us)
{
    struct backoff draw;
    backoff_init(&draw, bound_us, bound_us, agent->random);
    int64_t drawn = backoff_next(&draw, BACKOFF_NO_RETRY_AFTER);
    agent->random = draw.random;
    return drawn;
}

void agent_schedule(struct agent *agent, int64_t now_us)
{
    int64_t interval_us = agent_interval_us(agent);
    int64_t offset_us = schedule_offset_us(schedule_name(agent), interval_us);
    int64_t bound_us = interval_us / 4 < JITTER_US ? interval_us / 4 : JITTER_US;
    if (now_us < agent->options.first_sample_us)
        now_us = agent->options.first_sample_us;
    agent->next_sample_us =
        schedule_next_us(now_us, interval_us, offset_us) + jitter(agent, bound_us);
}

void agent_take_config(struct agent *agent, const struct reply_config *config, int64_t now_us)
{
    int64_t before = agent_interval_us(agent);
    if (config->interval_us > 0)
        agent->state.config.interval_us = config->interval_us;
    if (config->top_processes >= 0)
        agent->state.config.top_processes = config->top_processes;
    if (agent_interval_us(agent) != before)
        agent_schedule(agent, now_us);
}

void agent_save_state(struct agent *agent)
{
    struct err err = {0};
    agent->state.next_number = agent->spool.next_number;
    agent->state.dropped = agent->spool.dropped;
    if (state_save(agent->parts.files, &agent->state, &err) != ST_OK)
        report_disk(agent, err.message);
}

/* ---- opening */

static enum status open_identity(struct agent *agent, struct err *err)
{
    struct err why = {0};
    enum status st = identity_load(agent->parts.files, agent->parts.vault, &agent->identity, &why);
    if (st == ST_MALFORMED)
        report(agent, AGENT_EVENT_DISK, "%s", why.message);
    else if (st != ST_OK && st != ST_NOT_FOUND)
        return err_set(err, st, "could not read the identity: %.200s", why.message);
    const char *machine = agent->options.machine_id;
    /* Hardware that does not tell says nothing against the identity. */
    if (st == ST_OK && machine != NULL && machine[0] != '\0' &&
        agent->identity.machine_id[0] != '\0' && strcmp(machine, agent->identity.machine_id) != 0)
        enroll_forget(agent, "this disk was copied from another machine");
    return ST_OK;
}

static void open_state(struct agent *agent)
{
    struct err why = {0};
    enum status st = state_load(agent->parts.files, &agent->state, &why);
    if (st != ST_OK && st != ST_NOT_FOUND)
        report(agent, AGENT_EVENT_DISK, "%s", why.message);
}

static enum status open_spool(struct agent *agent, struct err *err)
{
    struct spool_limits limits = {
        .bytes = agent->options.spool_bytes > 0 ? agent->options.spool_bytes : SPOOL_BYTES,
        .age_us = agent->options.spool_age_us > 0 ? agent->options.spool_age_us : SPOOL_AGE_US,
    };
    enum status st = spool_open(&agent->spool, agent->parts.files, &limits,
                                agent->state.next_number, agent->state.dropped, err);
    if (st != ST_OK)
        return st;
    if (agent->spool.unreadable > 0)
        report(agent, AGENT_EVENT_DISK,
               "could not read %u spooled snapshots; they are tried again at the next start",
               (unsigned)agent->spool.unreadable);
    if (agent->spool.count == 0)
        return ST_OK;
    /* A power cut may have come between a snapshot and the state that tells of it. */
    const struct spool_entry *last = &agent->spool.entries[agent->spool.count - 1];
    if (agent->state.boot.sent_us == TIME_UNKNOWN)
        agent->state.boot = (struct boot_memory){
            .sent_us = last->boot_at_us,
            .kernel_us = last->boot_at_us,
        };
    if (last->boot_at_us == agent->state.boot.sent_us && last->sequence > agent->state.sequence)
        agent->state.sequence = last->sequence;
    return ST_OK;
}

enum status agent_open(const struct agent_parts *parts, const struct agent_options *options,
                       struct agent **ret_agent, struct err *err)
{
    struct agent *agent = calloc(1, sizeof *agent);
    if (agent == NULL)
        return err_set(err, ST_NOMEM, "could not start the agent: out of memory");
    agent->parts = *parts;
    agent->options = *options;
    agent->random = options->seed;
    agent->boot_read_us = TIME_UNKNOWN;
    agent->wishes = (struct wishes){.full = true, .drivers = true};
    for (int why = 0; why < LOSS_COUNT; why++)
        agent->losses_told_us[why] = TIME_UNKNOWN;
    backoff_init(&agent->backoff, BACKOFF_BASE_US, BACKOFF_CAP_US, options->seed ^ 0x9e3779b9u);
    state_init(&agent->state);
    open_state(agent);
    enum status st = open_identity(agent, err);
    if (st == ST_OK)
        st = open_spool(agent, err);
    if (st != ST_OK) {
        free(agent);
        return st;
    }
    int64_t now_us = clock_mono_us();
    agent_schedule(agent, now_us);
    /* A new host shows itself at once; the schedule spreads the fleet from its second on. */
    if (!agent_enrolled(agent) && parts->transport != NULL)
        agent->next_sample_us =
            now_us > options->first_sample_us ? now_us : options->first_sample_us;
    report_losses(agent, now_us);
    *ret_agent = agent;
    return ST_OK;
}

void agent_close(struct agent *agent)
{
    if (agent == NULL)
        return;
    agent_save_state(agent);
    changes_forget(&agent->base);
    changes_forget(&agent->newest);
    strbuf_done(&agent->stray.data);
    spool_done(&agent->spool);
    memset(&agent->identity, 0, sizeof agent->identity);
    free(agent);
}

/* ---- the step */

static bool late(const struct agent *agent, int64_t now_us)
{
    int64_t half_us = agent_interval_us(agent) / 2;
    return now_us - agent->next_sample_us > (half_us < LATE_US ? half_us : LATE_US);
}

static bool sample_due(struct agent *agent, int64_t now_us)
{
    if (agent->sample_asked)
        return true;
    if (now_us < agent->next_sample_us)
        return false;
    /* Asleep, or blocked: a fleet that wakes together must not send together. */
    if (agent->sample_tried && late(agent, now_us)) {
        agent_schedule(agent, now_us);
        return false;
    }
    return true;
}

int64_t agent_step(struct agent *agent)
{
    int64_t now_us = clock_mono_us();
    if (sample_due(agent, now_us)) {
        agent->sample_asked = false;
        agent_schedule(agent, now_us);
        sample_step(agent, now_us);
    }
    if (agent->parts.transport != NULL && now_us >= agent->next_send_us) {
        if (enroll_due(agent))
            enroll_step(agent, now_us);
        else if (send_due_us(agent) != NEVER)
            send_step(agent, now_us);
    }
    report_losses(agent, now_us);
    int64_t next_us = agent->sample_asked ? now_us : agent->next_sample_us;
    int64_t send_us = send_due_us(agent);
    if (send_us < next_us)
        next_us = send_us;
    int64_t after_us = clock_mono_us();
    return next_us > after_us ? next_us : after_us + 1;
}

void agent_sample_now(struct agent *agent)
{
    agent->sample_asked = true;
    agent->next_send_us = 0;
}

bool agent_idle(const struct agent *agent)
{
    return agent->spool.count == 0 && !agent->stray.held && !agent->sample_asked;
}

bool agent_enrolled(const struct agent *agent)
{
    return agent->identity.host_id[0] != '\0';
}

/* ---- summary */

static enum status leave_it(void *arg, const char *name, struct err *err)
{
    (void)arg;
    (void)name;
    (void)err;
    return ST_OK;
}

static enum status write_nothing(void *arg, const char *name, const void *data, size_t length,
                                 struct err *err)
{
    (void)data;
    (void)length;
    return leave_it(arg, name, err);
}

enum status agent_summarize(const struct files *files, const struct vault *vault,
                            struct agent_summary *ret_summary, struct err *err)
{
    /* The agent may be running on the same folder: look, and touch nothing. */
    struct files looking = *files;
    struct spool_limits limits = {.bytes = SPOOL_BYTES, .age_us = SPOOL_AGE_US};
    struct identity identity = {0};
    struct state state;
    struct spool spool;
    looking.remove = leave_it;
    looking.write = write_nothing;
    state_init(&state);
    (void)!state_load(&looking, &state, NULL);
    (void)!identity_load(&looking, vault, &identity, NULL);
    enum status st = spool_open(&spool, &looking, &limits, state.next_number, state.dropped, err);
    if (st != ST_OK)
        return st;
    struct agent_summary summary = {
        .enrolled = identity.host_id[0] != '\0',
        .spooled = spool.count,
        .spooled_bytes = spool.bytes,
        .oldest_us = spool.count > 0 ? spool.entries[0].taken_at_us : TIME_UNKNOWN,
        .dropped = spool.dropped,
        .last_sample_us = state.sampled_us,
        .last_acknowledged_us = state.acknowledged_us,
    };
    memcpy(summary.host_id, identity.host_id, sizeof summary.host_id);
    memcpy(summary.last_fault, state.fault, sizeof summary.last_fault);
    spool_done(&spool);
    memset(&identity, 0, sizeof identity);
    *ret_summary = summary;
    return ST_OK;
}
