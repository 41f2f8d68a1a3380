/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the analysis keeps of every host until it can compare them: all levels, features of the rows
 * that matter, facts, and signs of failing. Internal to server/analyze. All memory belongs to the
 * fleet's arena. Not shared between threads.
 */
#ifndef SERVER_ANALYZE_FLEET_H
#define SERVER_ANALYZE_FLEET_H

#include "common/snapshot.h"
#include "server/analyze/analyze.h"
#include "server/analyze/cohort.h"
#include "server/analyze/feature.h"

struct fleet_row {
    uint32_t tag;
    float bytes;
};

struct fleet_fact {
    uint32_t name; /* places in the fleet's texts */
    uint32_t value;
    int64_t from_us; /* of this value; TIME_UNKNOWN possible */
};

/* A value that was given up within the history. */
struct fleet_change {
    uint32_t name;
    uint32_t old_value;
    int64_t until_us;
};

/* Growth is since the first point of the boot that told it; -1 where unknown. */
struct fleet_object {
    const char *type;
    int64_t objects;
    int64_t handles;
    int64_t objects_growth;
    int64_t handles_growth;
};

struct fleet_process {
    const char *image;
    int64_t pid;
    int64_t handles;
    int64_t growth;
};

/* Signs that a pool fails, of the newest day. */
struct fleet_failing {
    size_t events[POOL_COUNT]; /* 2019 nonpaged, 2020 paged */
    int64_t event_us[POOL_COUNT];
    uint64_t alloc_failures;  /* more than a day before */
    int64_t session;          /* the session with most new failures; -1 none */
    int64_t session_failures; /* new ones */
    int64_t session_paged_bytes;
    size_t sessions; /* that have new failures */
};

struct fleet_host {
    const char *id;
    const char *name;
    struct cohort_facts cohort;
    struct cohort_choice choice;
    double ram; /* never 0: 8 GB assumed for thresholds when unknown */
    int64_t last_us;
    int64_t first_us;      /* of the history */
    int64_t boot_first_us; /* first point of this boot */
    double uptime_hours;
    double longest_hours; /* the longest boot known */
    size_t role;          /* hosts of equal role have the same number; given by fleet_seal */
    struct snapshot_totals totals;
    double commit_rest; /* committed beside the pools, median of the newest day; NAN unknown */
    struct fleet_row *rows[POOL_COUNT]; /* by tag */
    size_t row_count[POOL_COUNT];
    struct feature *features; /* by pool, then tag */
    size_t feature_count;
    double growth[POOL_COUNT]; /* bytes per hour of all rows that seem to leak, together */
    struct fleet_fact *facts;  /* by name, one value each */
    size_t fact_count;
    struct fleet_change *changes;
    size_t change_count;
    struct fleet_object *objects;
    size_t object_count;
    struct fleet_process *processes; /* most handles first, a few */
    size_t process_count;
    struct fleet_failing failing;
};

struct fault;

/* A host whose newest snapshot cannot be true; nothing else of it is kept. */
struct fleet_fault {
    const char *id;
    const char *name; /* NULL: unknown */
    const struct fault *fault;
};

struct reader;

struct fleet {
    struct arena arena;
    struct reader *reader;      /* of hosts; NULL until the first */
    struct fleet_fault *faults; /* sorted by id with the hosts */
    size_t fault_count;
    size_t fault_capacity;
    struct fleet_host *hosts;
    size_t count;
    size_t capacity;
    const char **texts; /* interned */
    size_t text_count;
    size_t text_capacity;
    size_t texts_kept;    /* of them when they were last trimmed */
    uint32_t *text_slots; /* open addressing, place + 1 */
    size_t slot_count;
};

void fleet_done(struct fleet *fleet);
void reader_free(struct reader *reader); /* NULL allowed */
uint64_t fleet_hash(const char *text);
/* Place of the text, added when new. ST_NOMEM. */
enum status fleet_intern(struct fleet *fleet, const char *text, uint32_t *ret_place) MUST_CHECK;
/* Reads one host up to as_of_us. A host without a usable point is kept out; one whose newest point
 * cannot be true goes to the faults. ST_NOMEM. */
enum status fleet_add_host(struct fleet *fleet, const struct analyze_host *host, int64_t as_of_us,
                           struct err *err) MUST_CHECK;
/* A host that is faulty; id and name stay the caller's. ST_NOMEM. */
struct fault;
enum status fleet_add_fault(struct fleet *fleet, const char *id, const char *name,
                            const struct fault *fault) MUST_CHECK;
/* Sorts hosts by id and gives each its cohort. Call once, after the last host. */
enum status fleet_seal(struct fleet *fleet, struct err *err) MUST_CHECK;

/* Bytes now, 0 when the host has no such row. */
double fleet_bytes(const struct fleet_host *host, enum pool pool, uint32_t tag);
bool fleet_has(const struct fleet_host *host, enum pool pool, uint32_t tag);
/* NULL when nothing is worth knowing about the row. */
const struct feature *fleet_feature(const struct fleet_host *host, enum pool pool, uint32_t tag);
/* The host's value of a fact, or UINT32_MAX. */
uint32_t fleet_fact(const struct fleet_host *host, uint32_t name);

#endif
