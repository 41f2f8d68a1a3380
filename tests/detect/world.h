/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A made-up fleet with known truth. A world is a pure function of its seed: hosts with boots, facts
 * and a collection schedule, rows with a habit each, and incidents planted into some of them.
 * Nothing here knows how the analysis works; it is fed through analyze.h alone.
 *
 * Times inside are hours after world.epoch_us (double); the edge converts to microseconds.
 */
#ifndef TESTS_DETECT_WORLD_H
#define TESTS_DETECT_WORLD_H

#include "common/arena.h"
#include "server/analyze/analyze.h"
#include "tests/detect/rng.h"

#define WORLD_EPOCH_HOURS 1440.0 /* the final "now" lies 60 days after the epoch */
#define WORLD_BOOTS_MAX   48
#define WORLD_TAGS_MAX    12
#define WORLD_NEVER       1e9
#define WORLD_MIB         1048576.0
#define WORLD_POINTS      128 /* the grid's most */
#define WORLD_LONG        256 /* the grid's, and two hours of snapshots every minute */
#define WORLD_GIB         1073741824.0

enum world_role {
    ROLE_DESKTOP,
    ROLE_LAPTOP,
    ROLE_FILE,
    ROLE_WEB,
    ROLE_SQL,
    ROLE_TERMINAL,
    ROLE_BUILD,
    ROLE_DC,
    ROLE_COUNT
};

/* How a healthy row behaves. */
enum world_habit {
    HABIT_STATIC,   /* taken at boot, small steps now and then */
    HABIT_WANDER,   /* random, returning to its mean */
    HABIT_DAILY,    /* follows the host's load */
    HABIT_CACHE,    /* fills after boot: exponential, hyperbolic or by steps */
    HABIT_WORKLOAD, /* follows the number of processes */
    HABIT_BACKUP,   /* one to three hours a night */
    HABIT_SPIKES,   /* now and then up for hours, then back */
    HABIT_SESSIONS, /* stairs up by day, down at night */
    HABIT_COUNT
};

struct world_row {
    uint32_t tag;
    enum pool pool;
    enum world_habit habit;
    double base;      /* bytes on a median host */
    double spread;    /* log sd between hosts */
    double ram_power; /* base grows with (RAM / 16 GiB)^power */
    double tau;       /* hours: filling time of a cache, period of spikes */
    double amplitude; /* relative size of the cycle */
    double noise;     /* relative */
    double block;     /* bytes of one block */
    double churn;     /* blocks allocated and freed again per hour, at load 1 */
    double share;     /* of the hosts that have it */
    double born;      /* does not exist before; 0: always */
    double role_factor[ROLE_COUNT];
    int incident; /* -1: none */
    int member;   /* place in the incident's tags */
};

struct world_fact {
    const char *name;
    const char *value;
    double from; /* hours; -WORLD_NEVER: always */
    double to;   /* WORLD_NEVER: still */
};

struct world_host {
    char id[24];
    char name[24];
    enum world_role role;
    double ram;             /* bytes */
    double zone;            /* hours added to UTC */
    double office;          /* 0: load all day, 1: office hours only */
    double processes;       /* at load 0 */
    double growth;          /* further processes per hour over the last days: more users */
    double growth_from;     /* since when */
    double working_set;     /* share of RAM that processes commit */
    double page_file;       /* share of RAM */
    double np_limit;        /* share of RAM */
    double fit[POOL_COUNT]; /* factor on healthy rows, so that no pool is large for its machine */
    double boots[WORLD_BOOTS_MAX]; /* rising; the first is before all history */
    size_t boot_count;
    double interval; /* of snapshots */
    double ramp;     /* hours that a spike or a nightly job takes to reach its height; 0: none */
    double phase;
    double loss;     /* share of snapshots that never arrive */
    double gap_from; /* none at all in between */
    double gap_to;
    double dies;       /* the agent's end; WORLD_NEVER */
    double late;       /* the newest hours have not arrived */
    double clock_from; /* the clock is wrong in between */
    double clock_to;
    double clock_by; /* hours, negative: behind */
    bool hide_boot;
    bool nonsense; /* posts rubbish */
    struct world_fact *facts;
    size_t fact_count;
    size_t fact_room;
    float *load_sum; /* hourly sum of load since the epoch; made when needed */
};

enum world_shape {
    SHAPE_LINEAR,
    SHAPE_ACCELERATING,
    SHAPE_STAIR,
    SHAPE_OFFICE,
    SHAPE_BURSTY,
    SHAPE_PLATEAU, /* flat after growth */
    SHAPE_LEVEL,   /* all of it at once after boot */
    SHAPE_STEP,    /* a version that steadily uses more: not a leak */
    SHAPE_COUNT
};
const char *world_shape_name(enum world_shape shape);

enum world_start { START_BOOT, START_EVENT, START_APP, START_COUNT };
const char *world_start_name(enum world_start start);

struct world_incident {
    enum world_shape shape;
    enum world_start start;
    enum pool pool;
    size_t tag_count;
    uint32_t tags[WORLD_TAGS_MAX]; /* first mover first */
    double ratio[WORLD_TAGS_MAX];  /* blocks per block of the first */
    double lag[WORLD_TAGS_MAX];    /* hours behind the first */
    double block[WORLD_TAGS_MAX];
    double scale;      /* hours: accelerating time, stair width, burst spacing, plateau length */
    double path_hours; /* from nothing to exhausted at the median host's rate */
    double *rate;      /* per host: blocks of the first mover per hour; 0: not affected */
    double *onset;     /* per host */
    double *off;       /* per host: cured (with a reboot); WORLD_NEVER */
    double rough;      /* 0..1: how uneven the rate is over hours and days */
    double app_delay;  /* hours from boot to the program's start */
    const char *cause_name; /* NULL: no attribute explains it */
    const char *cause_value;
    const char *cause_also;  /* a second guilty value; NULL: none */
    const char *object_type; /* objects that leak with the first tag; NULL: none */
    const char *image;       /* process that holds handles to them; NULL: the kernel holds them */
    unsigned kinds;          /* allowed: 1 << enum finding_kind */
    const char *story;       /* "linear", or the name of a replay */
};

/* What makes a fleet hard, as a bit mask; the names stand in the report. */
enum world_confounder {
    CONF_SLOW_CACHE,
    CONF_DAILY,
    CONF_WEEKLY,
    CONF_SIZES,
    CONF_ROLES,
    CONF_HIDDEN_ROLES,
    CONF_UPTIMES,
    CONF_ROLLING_REBOOTS,
    CONF_ROLLOUT,
    CONF_MISSING,
    CONF_LATE,
    CONF_CLOCK,
    CONF_WRAPS,
    CONF_DEAD_AGENTS,
    CONF_NEW_TAGS,
    CONF_WORKLOAD,
    CONF_BACKUP,
    CONF_BIG_MACHINE,
    CONF_SPIKES,
    CONF_NONSENSE,
    CONF_HIDDEN_BOOTS,
    CONF_COUNT
};
const char *world_confounder_name(enum world_confounder confounder);

struct world {
    uint64_t seed;
    struct arena arena;
    struct rng rng;
    const char *kind;     /* "incident", "silent", "shift", or the name of a replay */
    unsigned confounders; /* 1 << enum world_confounder */
    int64_t epoch_us;
    double now; /* the final as_of */
    struct world_host *hosts;
    size_t host_count;
    struct world_row *rows; /* by pool, then tag */
    size_t row_count;
    size_t row_room;
    struct world_incident *incidents;
    size_t incident_count;
};

/* ---- making (each dies when memory is out) */
struct world *world_new(uint64_t seed, const struct tagdict *dict, bool quick);
void world_free(struct world *world);

/* Parts, used by plan.c and replays.c. */
struct world_size {
    size_t hosts;
    size_t rows; /* per pool */
    unsigned confounders;
};
void world_make(struct world *world, const struct tagdict *dict, const struct world_size *size);
void world_add_confounders(struct world *world);
void *world_alloc(struct world *world, size_t count, size_t size);
const char *world_text(struct world *world, const char *format, ...) PRINTF_LIKE(2, 3);
/* The row of (pool, tag), added (healthy, small) when there is none. */
struct world_row *world_row_get(struct world *world, enum pool pool, const char *tag);
struct world_row *world_row_find(struct world *world, enum pool pool, uint32_t tag);
/* Replaces what holds from then on. */
void world_set_fact(struct world *world, struct world_host *host, const char *name,
                    const char *value, double from);
const char *world_fact_at(const struct world_host *host, const char *name, double at);
/* The host boots at `at` as well. */
void world_add_boot(struct world_host *host, double at);
uint32_t world_tag(const char *tag);
void world_sort_rows(struct world *world);
/* After all rows are there: no healthy pool may be large for its machine. */
void world_fit_pools(struct world *world);

/* A plan of one incident: zeroes stand for "choose". */
struct incident_plan {
    enum world_shape shape;
    enum world_start start;
    bool fixed_shape; /* shape and start are given */
    double path_low, path_high;
    const char *cause_name;
    const char *cause_value;
    double share; /* of the hosts */
    size_t tag_count;
};
struct world_incident *world_add_incident(struct world *world, const struct incident_plan *plan,
                                          const struct tagdict *dict);
struct world_incident *world_new_incident(struct world *world);
/* Ties the incident's tags to rows, making them where needed. */
void world_bind_incident(struct world *world, struct world_incident *incident);
/* Keeps every host of the incident short of exhaustion at `now`. */
void world_limit_growth(struct world *world, struct world_incident *incident);
void world_add_shift(struct world *world, const struct tagdict *dict);
/* Before anything that grows with load is asked for. */
void world_need_load_sums(struct world *world);
/* Makes the replay `index` (< world_replay_count()). */
size_t world_replay_count(void);
const char *world_replay_name(size_t index);
void world_make_replay(struct world *world, size_t index, const struct tagdict *dict);

/* ---- values (pure) */
double world_load(const struct world_host *host, uint64_t seed, double at);
double world_processes(const struct world *world, const struct world_host *host, double at);
/* The boot that runs at `at`. */
double world_boot_at(const struct world_host *host, double at);
/* Start of the growth that the boot running at `at` sees; WORLD_NEVER: none. */
double world_growth_start(const struct world_incident *incident, const struct world_host *host,
                          size_t index, double at);
/* Blocks of the first mover that the incident holds at `at`. */
double world_growth(const struct world *world, const struct world_incident *incident, size_t host,
                    double at);
double world_member_blocks(const struct world *world, const struct world_incident *incident,
                           size_t member, size_t host, double at);
double world_growth_bytes(const struct world *world, const struct world_incident *incident,
                          size_t host, double at);
/* Bytes the row holds without any incident. */
double world_healthy(const struct world *world, size_t row, size_t host, double at);
/* Bytes of a hosts's pool that are not in its rows. */
double world_rest(const struct world_host *host, enum pool pool);

/* ---- feeding */
struct world_view { /* one host as the analysis sees it; valid until the next call */
    struct arena arena;
    struct analyze_host host;
};
/* The points the live server would hand over at as_of (server/analyze/grid.h). */
void world_view_make(const struct world *world, size_t host, double as_of, struct world_view *view);
/* The points of `since` and every snapshot from then to as_of, as far as there is room
 * (WORLD_LONG); ret_first: the first that is new since. */
void world_view_long(const struct world *world, size_t host, double since, double as_of,
                     struct world_view *view, size_t *ret_first);
void world_view_done(struct world_view *view);
/* True times of the visible points, rising; returns how many (at most WORLD_POINTS). */
size_t world_visible(const struct world *world, size_t host, double as_of, double *ret_true);
int64_t world_us(const struct world *world, double hours);

/* ---- truth at a moment */
enum world_involved { INVOLVED_NO, INVOLVED_YES, INVOLVED_OPTIONAL };
/* How the host stands to the incident at as_of: OPTIONAL where too little can be seen yet. */
enum world_involved world_involvement(const struct world *world,
                                      const struct world_incident *incident, size_t host,
                                      double as_of);
/* When the host runs out if the path goes on; WORLD_NEVER: it does not within 400 days.
 * ret_seen: share of the path to there that was seen. */
double world_exhaustion(const struct world *world, const struct world_incident *incident,
                        size_t host, double as_of, double *ret_seen);

#endif
