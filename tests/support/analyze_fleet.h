/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invented fleets for the tests of the analysis: hosts with a healthy background of a few dozen
 * rows (caches that fill, daily and weekly load, noise) and rows that a test adds to them. A value
 * is a pure function of seed, host, row and time, so fleets are the same in every run.
 */
#ifndef TESTS_SUPPORT_ANALYZE_FLEET_H
#define TESTS_SUPPORT_ANALYZE_FLEET_H

#include "server/analyze/analyze.h"

#define AFLEET_NOW_US    (20000ll * US_PER_DAY + 14 * US_PER_HOUR) /* a weekday, 14:00 UTC */
#define AFLEET_GIB       (1024.0 * 1024 * 1024)
#define AFLEET_MIB       (1024.0 * 1024)
#define AFLEET_FROM_BOOT 1e9 /* start_hours: with each boot */

enum afleet_shape {
    AFLEET_STEADY,  /* base, with noise */
    AFLEET_LINEAR,  /* base + rate per hour since start */
    AFLEET_BURSTY,  /* the same, but each period's gain comes at once */
    AFLEET_CACHE,   /* fills towards base with time constant `period` after each boot */
    AFLEET_DAILY,   /* base * (1 + rate at 14:00 UTC), base at night */
    AFLEET_WEEKLY,  /* the same on working days only */
    AFLEET_BACKUP,  /* base, and `rate` more for an hour at 02:00 UTC */
    AFLEET_PLATEAU, /* base + rate per hour since start until `limit` was added */
    AFLEET_STEP,    /* base, and `limit` more since start */
    AFLEET_WORKLOAD /* base + rate for each process beyond 100 */
};

struct afleet_row {
    const char *tag; /* four bytes */
    enum pool pool;
    enum afleet_shape shape;
    double base; /* bytes */
    double rate;
    double period;       /* hours */
    double limit;        /* bytes */
    double start_hours;  /* before now; AFLEET_FROM_BOOT */
    double block;        /* bytes of one block; 0: 64 */
    double churn;        /* blocks allocated and freed again per hour */
    double noise;        /* relative, of the base */
    uint32_t count_base; /* allocations and frees before the first point */
};

struct afleet_spec {
    const char *role;
    const char *os_build;
    double ram_gib;
    double uptime_hours;
    double boot_every_hours; /* earlier boots; 0: none in the history */
    double history_hours;    /* 0: 14 days */
    bool every_minute;       /* snapshots, of which the newest 20 minutes are handed over by twos */
    double process_growth;   /* processes gained per hour over the last 5 days */
};

struct afleet;

struct afleet *afleet_new(uint64_t seed);
void afleet_free(struct afleet *fleet);
/* Returns the place of the host; its id is "host-NNNN". Dies when memory is out. */
size_t afleet_add_host(struct afleet *fleet, const struct afleet_spec *spec);
/* from_hours before now; a later call for the same name ends the earlier value. Negative: always.
 */
void afleet_add_fact(struct afleet *fleet, size_t host, const char *name, const char *value,
                     double from_hours);
void afleet_add_row(struct afleet *fleet, size_t host, const struct afleet_row *row);
/* Objects of a type held by handles of one process, following the row `tag`. NULL image: the
 * kernel holds them. */
void afleet_add_objects(struct afleet *fleet, size_t host, const char *type, const char *tag,
                        const char *image);
void afleet_add_session(struct afleet *fleet, size_t host, double failures_per_hour);
void afleet_add_event(struct afleet *fleet, size_t host, int64_t id, double hours_ago);
void afleet_set_limits(struct afleet *fleet, size_t host, double nonpaged_limit_bytes);
/* Faults of collection, in all hosts added so far: share of points lost, an empty stretch, and
 * boot times unknown. */
void afleet_damage(struct afleet *fleet, double lost_share, double gap_from_hours,
                   double gap_to_hours, bool hide_boots);

/* The usual rows of a healthy host; `cache` scales what its caches hold. */
void afleet_add_background(struct afleet *fleet, size_t host, double cache);
/* A healthy fleet: `count` hosts over a few roles, builds and uptimes, with usual drivers. */
void afleet_add_healthy(struct afleet *fleet, size_t count);

/* Runs the analysis; order 0 in order of making, else shuffled by it. */
enum status afleet_analyze(struct afleet *fleet, uint64_t order, const struct tagdict *dict,
                           struct finding_list *ret_list, struct err *err);
/* What the row held at the newest point. */
double afleet_bytes_now(struct afleet *fleet, size_t host, const char *tag);
const char *afleet_host_id(const struct afleet *fleet, size_t host);
uint32_t afleet_tag(const char *tag);

/* A small generator for tests (splitmix64). */
uint64_t afleet_random(uint64_t *state);
double afleet_uniform(uint64_t *state); /* 0..1 */

#endif
