/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scenario: a small group of simulated hosts with one story, and what the analysis should say
 * about it. Read from JSON (docs/simulator.md). Times are us relative to "now", the end of the
 * back-fill, and so not above 0. All memory belongs to the scenario's arena. Immutable after
 * reading, so shared between threads.
 */
#ifndef AGENT_SIM_SCENARIO_H
#define AGENT_SIM_SCENARIO_H

#include "common/arena.h"
#include "common/clock.h"
#include "common/status.h"
#include "common/tag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AT_BOOT INT64_MIN /* a start that is each boot of the host */

enum shape {
    SHAPE_LINEAR,       /* rate_per_hour, all the time */
    SHAPE_ACCELERATING, /* rate grows by growth_per_day of itself */
    SHAPE_STAIR,        /* what a period gains comes at its end, at once */
    SHAPE_BURSTY,       /* all of it within burst_us of every period_us */
    SHAPE_PLATEAU,      /* linear up to limit_blocks, then not one block more */
    SHAPE_DAILY,        /* up to limit_blocks at noon, gone at night */
    SHAPE_WORKLOAD,     /* limit_blocks times a load that comes and goes */
    SHAPE_LOCKSTEP,     /* ratio times what the leading row holds */
    SHAPE_CACHE,        /* fills towards limit_blocks, two thirds within period_us, and breathes */
    SHAPE_LEVEL,        /* limit_blocks from the start on */
    SHAPE_CHURN,        /* traffic only: nothing stays */
    SHAPE_COUNT
};

enum scenario_on { ON_AFFECTED, ON_UNAFFECTED, ON_ALL, ON_COUNT };

struct scenario_row {
    uint32_t tag;
    enum pool pool;
    enum shape shape;
    enum scenario_on on;
    uint32_t block_bytes;
    double rate_per_hour;   /* blocks that stay */
    double allocs_per_hour; /* traffic that is freed again */
    double limit_blocks;
    double growth_per_day;
    double counter_start; /* allocations (and frees) before the back-fill: near a wrap */
    double ratio;
    uint32_t leader_tag;
    size_t leader; /* row of leader_tag, before this one */
    int64_t period_us;
    int64_t burst_us;
    int64_t start_us; /* or AT_BOOT */
    int64_t end_us;   /* 0: still going on */
    bool zero_frees;
    const char *while_attribute; /* NULL: always. "driver/NAME" or an attribute name */
    const char *while_value;
};

struct scenario_driver {
    const char *name;
    const char *version;
    const char *company; /* NULL: unknown */
    uint32_t *tags;
    size_t tag_count;
};

struct scenario_pair {
    const char *name;
    const char *value;
};

struct scenario_change {
    int64_t at_us;
    const char *driver; /* either a driver gets a version */
    const char *version;
    const char *attribute; /* or an attribute a value */
    const char *value;
    bool reboot;
};

struct scenario_group {
    const char *name; /* of its hosts: name + two digits */
    double count;
    bool unaffected;
    const char *role;
    const char *os_build;
    const char *model; /* NULL: one that fits the role */
    double ram_gib;
    int64_t uptime_us;
    struct scenario_pair *attributes;
    size_t attribute_count;
    struct scenario_driver *drivers;
    size_t driver_count;
    struct scenario_change *changes; /* oldest first */
    size_t change_count;
};

struct scenario_object {
    const char *type;
    uint32_t tag;
    bool handles; /* the objects are held by handles, not by the kernel */
};

struct scenario_process {
    const char *image;
    uint32_t tag; /* holds a handle to each block of this tag that stays */
    double pid;
};

struct scenario_session {
    double id;
    double limit_bytes;
    double bytes_per_hour;
    double failures_per_hour; /* once at the limit */
    int64_t start_us;
};

struct scenario_event {
    int64_t at_us;
    const char *provider;
    double id;
};

struct scenario_expect {
    const char **kinds; /* any of these */
    size_t kind_count;
    enum pool pool; /* POOL_UNKNOWN: not said */
    uint32_t *tags; /* all of these; the first one moved first when first_mover */
    size_t tag_count;
    bool first_mover;
    const char *group;           /* whose hosts */
    const char *also;            /* and of this group; NULL: of no other */
    const char *cause_attribute; /* NULL: no cause can be told */
    const char *cause_value;
};

struct scenario {
    struct arena arena;
    const char *name;
    const char *story;
    const char *source;
    struct scenario_group *groups;
    size_t group_count;
    struct scenario_row *rows;
    size_t row_count;
    struct scenario_object *objects;
    size_t object_count;
    struct scenario_process *processes;
    size_t process_count;
    struct scenario_session *sessions;
    size_t session_count;
    struct scenario_event *events;
    size_t event_count;
    struct scenario_expect *expects; /* none: silence */
    size_t expect_count;
};

/* Strict: unknown or missing fields, wrong types, numbers out of range and rows that lead nowhere
 * are refused with the path of the fault. ret is owned by caller (scenario_done). */
enum status scenario_parse(const char *text, size_t length, struct scenario *ret_scenario,
                           struct err *err) MUST_CHECK;
enum status scenario_read_file(const char *path, struct scenario *ret_scenario,
                               struct err *err) MUST_CHECK;
void scenario_done(struct scenario *scenario);

struct scenario_list {
    struct scenario *items;
    size_t count;
};

/* Adds a file, or every *.json of a folder in order of name. */
enum status scenario_list_add(struct scenario_list *list, const char *path,
                              struct err *err) MUST_CHECK;
void scenario_list_done(struct scenario_list *list);

/* "90s", "30m", "12h", "7d", "1d12h", "0": us. Not negative, at most ten years. */
bool duration_parse(const char *text, int64_t *ret_us);

#endif
