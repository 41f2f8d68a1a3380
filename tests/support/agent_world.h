/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small world around one agent: a machine with clocks, counters and a disk, a network that loses
 * what it likes, and a server that keeps its own ledger. The ledger knows each snapshot by a serial
 * number the source hides in totals.handles, so that nothing the agent says of itself is believed.
 * Time is the faked monotonic clock; the wall clock of the host is its own and may be wrong.
 */
#ifndef TESTS_SUPPORT_AGENT_WORLD_H
#define TESTS_SUPPORT_AGENT_WORLD_H

#include "agent/core/agent.h"
#include "tests/support/fake_disk.h"

#define WORLD_SERIALS 6000
#define WORLD_ROWS    24 /* per pool */
#define WORLD_EPOCH   (1764000000ll * US_PER_SECOND)

struct world_sample { /* what the source gave */
    uint64_t hash;    /* of both complete tables */
    bool durable;     /* written to the disk before anything was cut */
    unsigned stored;  /* times the server committed it under a key of its own */
    bool restored;    /* committed, then lost by the server itself */
};

struct world_document { /* what the server holds */
    int64_t boot_at_us;
    int64_t sequence;
    int64_t serial;
    struct snapshot complete;
};

struct world {
    struct fake_disk disk;
    struct agent *agent;
    struct agent_options options;
    uint64_t random;

    /* the machine */
    int64_t true_us; /* what a right clock would show */
    int64_t mono_us; /* since boot */
    int64_t wall_error_us;
    int64_t kernel_boot_us;
    uint32_t allocs[POOL_COUNT][WORLD_ROWS];
    uint32_t frees[POOL_COUNT][WORLD_ROWS];
    enum status source_status;
    bool inventory_changed;
    struct source_request asked; /* the last one */
    struct world_sample samples[WORLD_SERIALS];
    int64_t next_serial;

    /* the network, in percent; and what the next posts answer when set */
    unsigned lose_request, lose_answer, busy, garbage, late_repeat;
    bool server_down;
    int code;                     /* != 0: every post gets it */
    const char *problem;          /* type of the problem in it */
    int64_t retry_after_us;       /* of 503 */
    enum status transport_status; /* != ST_OK: every post fails so */
    const void *raw_reply;        /* != NULL: 200 with this body */
    size_t raw_length;

    /* the server */
    struct world_document *documents;
    size_t document_count;
    size_t document_capacity;
    char token[32];
    char last_bearer[64];
    unsigned enrolments;
    bool enrolled_with_previous;
    int64_t refuse_serial; /* refused as invalid whenever it is seen, with the whole body */
    bool refuse_alone;     /* ... as one rejected item instead */
    bool want_full, want_drivers, want_scan;
    int64_t config_interval_s;
    uint64_t posts, duplicates, conflicts, fulls, changed, future;
    size_t last_bytes; /* of a body, before gzip */
    size_t last_count;
    int64_t last_waiting, last_dropped; /* what the newest document says */
    bool last_had_drivers, last_had_attributes;
    char last_role[32]; /* attribute "role" of the newest that had attributes */
    struct strbuf late; /* a request that comes a second time */
    int64_t last_post_us;

    unsigned events[AGENT_EVENT_COUNT];
    char event_text[AGENT_EVENT_COUNT][512]; /* the last of each */
    uint64_t steps;
    char fault[160]; /* "": everything was as it should be */
};

void agent_world_init(struct world *world, uint64_t seed);
void agent_world_done(struct world *world);
void world_start(struct world *world); /* the agent's process */
void world_stop(struct world *world);
void world_kill(struct world *world); /* as a killed process: nothing more is written */
/* Lets time pass, stepping the agent whenever it asks for it. A dead disk ends it. */
void world_run(struct world *world, int64_t us);
/* Until the spool is empty, at most so long. */
void world_drain(struct world *world, int64_t us);
void world_reboot(struct world *world, int64_t off_us);
/* The machine stands still, and with it the agent. */
void world_sleep(struct world *world, int64_t us);
const struct vault *world_vault(void);
/* The server comes back from a backup that holds only the first `keep` documents. */
void world_restore(struct world *world, size_t keep);
uint64_t world_random(struct world *world, uint64_t below);
/* Samples given that are durable, and are not at the server nor were lost by it. */
uint64_t world_missing(const struct world *world);
/* All samples given that the server does not hold. */
uint64_t world_absent(const struct world *world);

#endif
