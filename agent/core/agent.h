/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's life as one state machine without threads, files or clocks of its own: agent_step()
 * does what is due and says when to come back. What it touches comes in as tables, so a test can
 * run years of outages, power cuts and clock faults in a second.
 *
 *   sample slot -> source.take -> boot and sequence -> changed rows -> CBOR, gzip -> spool
 *   spool not empty, no backoff -> batch of the oldest -> POST -> acknowledged: removed, base moves
 *
 * Every snapshot goes through the spool, also while the server answers: what was taken is on disk
 * before it is sent, so a crash in between loses nothing. One thread calls agent_step: a POST is
 * bounded in time by the transport, samples missed meanwhile are skipped, never made up.
 *
 * The sequence number of a snapshot is the whole seconds of kernel uptime when it was taken (made
 * to rise by at least one): it needs no storage, so a power cut cannot make it be used twice.
 */
#ifndef AGENT_CORE_AGENT_H
#define AGENT_CORE_AGENT_H

#include "agent/core/files.h"
#include "agent/core/source.h"
#include "agent/core/transport.h"
#include "common/limits.h"

/* Keeps secrets: DPAPI on Windows. Both replace what is in `out`. */
struct vault {
    void *arg;
    enum status (*protect)(void *arg, const void *data, size_t length, struct strbuf *out,
                           struct err *err);
    enum status (*unprotect)(void *arg, const void *data, size_t length, struct strbuf *out,
                             struct err *err);
};

/* Things a person should read in the event log: few, each once per cause until it changes. */
enum agent_event {
    AGENT_EVENT_STARTED,
    AGENT_EVENT_STOPPED,
    AGENT_EVENT_ENROLLED,
    AGENT_EVENT_ENROLL_REFUSED, /* secret wrong, revoked, cooldown */
    AGENT_EVENT_SERVER_AWAY,    /* first failure of an outage, with its reason */
    AGENT_EVENT_SERVER_BACK,
    AGENT_EVENT_REFUSED,      /* the server refuses a document: with its reason */
    AGENT_EVENT_LOST,         /* snapshots were dropped: how many and why */
    AGENT_EVENT_NO_POOL_TAGS, /* the kernel does not tell */
    AGENT_EVENT_SOURCE_FAILED,
    AGENT_EVENT_CLONED, /* identity given up: another machine has it too */
    AGENT_EVENT_CONFIG, /* a setting is wrong */
    AGENT_EVENT_DISK,   /* data folder: full, unreadable, corrupt */
    AGENT_EVENT_COUNT
};

struct agent_parts { /* all borrowed, must outlive the agent */
    const struct files *files;
    const struct source *source;
    const struct transport *transport; /* NULL: never sends, only spools */
    const struct vault *vault;
    void *event_arg;
    void (*event)(void *arg, enum agent_event event, const char *text);
};

struct agent_options {       /* texts are borrowed and must outlive the agent */
    const char *version;     /* "0.1.0" */
    int64_t interval_us;     /* 0: the server decides; until it has, 5 minutes */
    int64_t first_sample_us; /* uptime before which no sample is taken (3 minutes after boot) */
    unsigned top_processes;
    bool top_processes_fixed;  /* chosen on this host: the server does not change it */
    uint64_t spool_bytes;      /* 0: 64 MiB */
    int64_t spool_age_us;      /* 0: 14 days */
    bool simulated;            /* the source says: pool data does not come from a kernel */
    const char *enroll_secret; /* used when there is no identity yet; may be NULL */
    const char *host_name;
    const char *tags;       /* of SETTING_TAGS: become attributes; may be NULL */
    const char *machine_id; /* hash of hardware ids, to tell a clone; may be "" */
    uint64_t seed;          /* of jitter */
};

struct agent;

/* Reads identity, state and spool from files; a corrupt one is set aside with an event, never a
 * failure. An identity that belongs to another machine (a disk image on other hardware) is given
 * up, with an event. ST_NOMEM, ST_IO: the folder cannot be used. */
enum status agent_open(const struct agent_parts *parts, const struct agent_options *options,
                       struct agent **ret_agent, struct err *err) MUST_CHECK;
void agent_close(struct agent *agent); /* saves the state; NULL: nothing */
/* Does at most one sample and one POST. Returns the monotonic time (clock_mono_us) at which to call
 * again, always later than now. Never fails: faults become events and backoff. */
int64_t agent_step(struct agent *agent);
/* Asks for a sample at the next step, whatever the schedule says; and ends a wait for the server.
 */
void agent_sample_now(struct agent *agent);
/* True when the spool is empty and nothing is under way (tests; `run --once`). */
bool agent_idle(const struct agent *agent);
bool agent_enrolled(const struct agent *agent);

/* For `status`, also of an agent that runs in another process: what lies in the folder. Changes
 * nothing there. */
struct agent_summary {
    bool enrolled;
    char host_id[LIMIT_HOST_ID_BYTES + 1];
    size_t spooled;
    uint64_t spooled_bytes;
    int64_t oldest_us;      /* TIME_UNKNOWN: none */
    uint64_t dropped;       /* as of the last snapshot */
    int64_t last_sample_us; /* TIME_UNKNOWN: never; so with the next */
    int64_t last_acknowledged_us;
    char last_fault[256]; /* "": none since the last success */
};
enum status agent_summarize(const struct files *files, const struct vault *vault,
                            struct agent_summary *ret_summary, struct err *err) MUST_CHECK;

#endif
