/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the agent, shared by its files and by no one else: agent.c (life, step), sample.c
 * (source to spool), send.c (spool to server), enroll.c (identity), report.c (faults and events).
 */
#ifndef AGENT_CORE_AGENT_INSIDE_H
#define AGENT_CORE_AGENT_INSIDE_H

#include "agent/core/agent.h"
#include "agent/core/changes.h"
#include "agent/core/reply.h"
#include "agent/core/spool.h"
#include "agent/core/state.h"

#define NEVER INT64_MAX

/* Why snapshots were lost, for a person. The first ones are the spool's. */
enum loss {
    LOSS_BYTES = SPOOL_LOSS_BYTES,
    LOSS_AGE = SPOOL_LOSS_AGE,
    LOSS_TORN = SPOOL_LOSS_TORN,
    LOSS_BASE,
    LOSS_REFUSED,
    LOSS_DISK,
    LOSS_COUNT
};

/* The newest snapshot, when the disk does not take it: sent from memory. */
struct stray {
    bool held;
    struct spool_entry entry;
    struct strbuf data;
};

/* What must be asked of the source, until a sample has been taken for it. */
struct wishes {
    bool full;
    bool drivers;
    struct reply_want want;
};

struct agent {
    struct agent_parts parts;
    struct agent_options options;
    struct identity identity; /* host_id "": not enrolled */
    struct state state;
    struct spool spool;
    struct stray stray;
    struct changes_base base;   /* acknowledged */
    struct changes_base newest; /* the last sample, complete; becomes the base when acknowledged */
    struct wishes wishes;
    struct backoff backoff;
    uint64_t random;

    int64_t next_sample_us;    /* monotonic; so are the following */
    int64_t inventory_us;      /* when drivers and attributes were last asked for */
    int64_t boot_read_us;      /* when state.boot was read in this process; TIME_UNKNOWN: not yet */
    int64_t next_send_us;      /* not before */
    bool sample_asked;         /* by agent_sample_now */
    bool sample_tried;         /* in this process: the source has had its chance to tell the boot */
    bool enroll_again;         /* the server does not know our token */
    size_t one_by_one;         /* documents still to be sent alone, since together they failed */
    enum status source_status; /* of the last sample; tells what was already reported */
    bool disk_told;
    bool away;                          /* the server, since the last success */
    int away_code;                      /* of the fault that was reported */
    int refused_code;                   /* of the enrolment refusal that was reported */
    char refused_text[160];             /* of the document refusal that was reported */
    uint64_t losses_told[LOSS_COUNT];   /* reported so far, of losses[] */
    uint64_t losses[LOSS_COUNT];        /* the spool's are in the spool */
    int64_t losses_told_us[LOSS_COUNT]; /* monotonic; TIME_UNKNOWN: never */
};

/* ---- agent.c */
int64_t agent_interval_us(const struct agent *agent);
/* The next slot after now_us by the schedule of this host. */
void agent_schedule(struct agent *agent, int64_t now_us);
void agent_take_config(struct agent *agent, const struct reply_config *config, int64_t now_us);
/* Once a sample, and when the server refuses documents: what is lost is counted before it goes. */
void agent_save_state(struct agent *agent);

/* ---- sample.c */
void sample_step(struct agent *agent, int64_t now_us);

/* ---- send.c */
/* When send_step has something to do; NEVER: nothing waits. */
int64_t send_due_us(const struct agent *agent);
void send_step(struct agent *agent, int64_t now_us);

/* ---- enroll.c */
bool enroll_due(const struct agent *agent);
void enroll_step(struct agent *agent, int64_t now_us);
/* Gives the identity up (clone): enrols anew, what waits in the spool stays. */
void enroll_forget(struct agent *agent, const char *why);

/* ---- report.c: events, each once per cause */
void report(struct agent *agent, enum agent_event event, const char *format, ...) PRINTF_LIKE(3, 4);
/* The server cannot be used: `code` is what tells one cause from another (HTTP code, or minus a
 * status). Remembers the text for `status`; waits. */
void report_away(struct agent *agent, int code, const char *text, int64_t retry_after_us,
                 int64_t now_us);
void report_back(struct agent *agent);
void report_disk(struct agent *agent, const char *text);
void report_lost(struct agent *agent, enum loss why, uint64_t count);
void report_losses(struct agent *agent, int64_t now_us);

#endif
