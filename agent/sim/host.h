/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One simulated host: who it is, its boots, its table of rows, and how they move. A host steps
 * through time only forwards; each step gives one complete snapshot as a real agent would read it.
 * Everything it does follows from its seed, so the order in which hosts step does not matter.
 * A host is used by one thread at a time; scenario and catalogue are borrowed for its life.
 */
#ifndef AGENT_SIM_HOST_H
#define AGENT_SIM_HOST_H

#include "agent/core/changes.h"
#include "agent/sim/catalog.h"
#include "agent/sim/scenario.h"
#include "common/snapshot.h"

struct sim_row {
    uint32_t tag;
    uint32_t block_bytes;
    uint32_t allocs;
    uint32_t frees;
    uint32_t base_blocks; /* healthy part of what is outstanding */
    float level;
    float rate;
    float breathe;
    uint8_t kind; /* enum row_kind */
    uint8_t load; /* enum load */
    bool keeps;   /* never frees */
    int16_t leak; /* index of its leak, or -1 */
};

struct sim_leak {
    const struct scenario_row *spec;
    size_t row;
    size_t leader;  /* leak it follows */
    double blocks;  /* held now */
    double pending; /* of a stair: gained, not yet seen */
    double factor;  /* hosts differ */
    uint64_t phase; /* us, of bursts and workloads */
};

struct sim_fact {
    const char *name;
    const char *value;
};

struct sim_driver {
    const char *name;
    const char *version;
    const char *company;
    uint32_t tags[16];
    size_t tag_count;
};

/* Something that happens to the host at a time: a reboot, a new version, a new value. */
struct sim_change {
    int64_t at_us;
    bool reboot;
    const char *driver;
    const char *version;
    const char *attribute;
    const char *value;
};

struct sim_host {
    char id[37];
    const char *name;
    const struct catalog_role *role;
    const struct scenario *scenario; /* NULL: healthy background */
    const struct scenario_group *group;
    uint64_t seed;
    uint64_t rng;
    double ram_bytes;
    double day_shift_h; /* where its day lies */
    double traffic;
    int64_t now_us; /* "now" of the scenario's relative times */
    int64_t boot_us;
    int64_t last_us;     /* of the last step; TIME_UNKNOWN: none since boot */
    int64_t next_us;     /* when its next snapshot is due */
    int64_t gap_from_us; /* no snapshots in this time: the agent was off */
    int64_t gap_to_us;
    int64_t sequence;
    struct arena arena; /* names and lists below */
    struct sim_fact *facts;
    size_t fact_count;
    struct sim_driver *drivers;
    size_t driver_count;
    struct sim_change *changes; /* by time */
    size_t change_count;
    size_t change_next;
    bool facts_changed;
    struct sim_row *rows; /* nonpaged ones first, each pool by tag */
    size_t pool_rows[POOL_COUNT];
    size_t row_count;
    struct sim_leak *leaks;
    size_t leak_count;
    double session_bytes[4]; /* by the scenario's sessions */
    double session_failures[4];
    double alloc_failures;
    bool full; /* nonpaged pool at its limit at the last step */
    size_t events_sent;
    struct changes_base base; /* what the server has acknowledged */
};

/* Moves the host to at_us (boots, changes and rows) and takes a complete snapshot of it. Texts are
 * borrowed from the host. ret is owned by caller (snapshot_done). */
enum status host_snapshot(struct sim_host *host, int64_t at_us,
                          struct snapshot *ret_snapshot) MUST_CHECK;
/* Adds attributes and drivers to a snapshot that went without. ST_NOMEM. */
enum status host_put_facts(struct sim_host *host, struct snapshot *snapshot) MUST_CHECK;
/* The value of "driver/NAME" or an attribute now; NULL: has none. */
const char *host_fact(const struct sim_host *host, const char *name);
size_t host_row_find(const struct sim_host *host, enum pool pool, uint32_t tag); /* or SIZE_MAX */
void host_done(struct sim_host *host);

/* host_rows.c: the rows alone. env is made once per step. */
struct host_env {
    double hours; /* since the last step, of this boot */
    double uptime_h;
    double load[LOAD_COUNT];
    double warm;  /* what was taken at boot, 0.6..1 */
    double cache; /* how full caches are, 0..1 */
    int64_t from_us;
    int64_t to_us;
};
void host_env_make(const struct sim_host *host, int64_t from_us, int64_t to_us,
                   struct host_env *ret_env);
/* Rows and leaks as they are at a boot. */
void host_rows_boot(struct sim_host *host);
void host_rows_step(struct sim_host *host, const struct host_env *env);
/* Blocks outstanding of a row. */
uint32_t host_row_blocks(const struct sim_row *row);

#endif
