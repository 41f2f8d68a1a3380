/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person is told. The event log of a thousand hosts is read by no one if each says the same
 * thing each five minutes: a fault is told when it begins and when its cause changes.
 */
#include "agent/core/agent_inside.h"

#include <stdarg.h>

/* Chosen: while the spool overflows, once a day says enough; the count is in each. */
#define LOSS_REPORT_US US_PER_DAY
#define WAIT_MIN_US    US_PER_SECOND /* full jitter may draw 0: never a busy loop */

static const char *const loss_texts[LOSS_COUNT] = {
    [LOSS_BYTES] = "the spool was full",
    [LOSS_AGE] = "they waited too long for the server",
    [LOSS_TORN] = "their files were torn",
    [LOSS_BASE] = "the server lost the snapshot they build on",
    [LOSS_REFUSED] = "the server refused them",
    [LOSS_DISK] = "the disk did not take them",
};

void report(struct agent *agent, enum agent_event event, const char *format, ...)
{
    char text[512]; /* longer texts are cut */
    va_list args;
    if (agent->parts.event == NULL)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    agent->parts.event(agent->parts.event_arg, event, text);
}

void report_away(struct agent *agent, int code, const char *text, int64_t retry_after_us,
                 int64_t now_us)
{
    int64_t wait_us = backoff_next(&agent->backoff, retry_after_us);
    agent->next_send_us = now_us + (wait_us > WAIT_MIN_US ? wait_us : WAIT_MIN_US);
    snprintf(agent->state.fault, sizeof agent->state.fault, "%s", text);
    if (agent->away && agent->away_code == code)
        return;
    agent->away = true;
    agent->away_code = code;
    report(agent, AGENT_EVENT_SERVER_AWAY, "%s; snapshots are kept and sent later", text);
}

void report_back(struct agent *agent)
{
    backoff_reset(&agent->backoff);
    agent->state.fault[0] = '\0';
    if (agent->away)
        report(agent, AGENT_EVENT_SERVER_BACK, "the server takes snapshots again; %u waiting",
               (unsigned)agent->spool.count);
    agent->away = false;
    agent->away_code = 0;
}

void report_disk(struct agent *agent, const char *text)
{
    if (!agent->disk_told)
        report(agent, AGENT_EVENT_DISK, "%s", text);
    agent->disk_told = true;
}

void report_lost(struct agent *agent, enum loss why, uint64_t count)
{
    spool_lost(&agent->spool, count);
    agent->losses[why] += count;
    agent->wishes.drivers = true; /* what was lost may have told of them */
}

void report_losses(struct agent *agent, int64_t now_us)
{
    for (int why = 0; why < LOSS_COUNT; why++) {
        uint64_t lost = why < SPOOL_LOSS_COUNT ? agent->spool.losses[why] : agent->losses[why];
        int64_t told_us = agent->losses_told_us[why];
        if (lost == agent->losses_told[why])
            continue;
        agent->wishes.drivers = true;
        if (told_us != TIME_UNKNOWN && now_us - told_us < LOSS_REPORT_US)
            continue;
        report(agent, AGENT_EVENT_LOST, "%llu snapshots were lost because %s; %llu in all",
               (unsigned long long)(lost - agent->losses_told[why]), loss_texts[why],
               (unsigned long long)agent->spool.dropped);
        agent->losses_told[why] = lost;
        agent->losses_told_us[why] = now_us;
    }
}
