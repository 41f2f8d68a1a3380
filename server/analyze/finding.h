/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A finding: one thing to act on, for a group of hosts and a group of tags, with its evidence. The
 * analysis makes them, the store keeps them, the API shows them. Pure data; all memory belongs to
 * the list's arena. Sizes are bytes, times us since 1970 UTC, rates bytes per hour.
 */
#ifndef SERVER_ANALYZE_FINDING_H
#define SERVER_ANALYZE_FINDING_H

#include "common/arena.h"
#include "common/clock.h"
#include "common/tag.h"

#include <stdbool.h>

#include <stddef.h>
#include <stdint.h>

#define FINDING_ID_MAX 24 /* "f-" and 16 hex digits */

enum finding_kind {
    FINDING_LEAK,        /* growing, and not a cache */
    FINDING_LEVEL,       /* far above its cohort, not growing */
    FINDING_PLATEAU,     /* grew, never came back */
    FINDING_EXHAUSTION,  /* a pool near its limit or failing */
    FINDING_HANDLE_LEAK, /* a process holds the objects */
    FINDING_SHIFT,       /* a new version uses more, steadily */
    FINDING_KIND_COUNT
};

enum finding_severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_CRITICAL, SEVERITY_COUNT };

/* open and resolved are set by the analysis, acknowledged and muted by people. */
enum finding_status {
    FINDING_OPEN,
    FINDING_ACKNOWLEDGED,
    FINDING_MUTED,
    FINDING_RESOLVED,
    FINDING_STATUS_COUNT
};

const char *finding_kind_name(enum finding_kind kind); /* "handle_leak" */
const char *finding_severity_name(enum finding_severity severity);
const char *finding_status_name(enum finding_status status);
/* False when the name is none. */
bool finding_kind_parse(const char *name, enum finding_kind *ret_kind);
bool finding_severity_parse(const char *name, enum finding_severity *ret_severity);
bool finding_status_parse(const char *name, enum finding_status *ret_status);

/* All tags of the finding together, on this host. */
struct finding_host {
    const char *id;
    const char *name;           /* NULL: unknown */
    uint64_t bytes;             /* held now */
    uint64_t cohort_bytes;      /* median of the cohort for the same tags, now */
    size_t cohort_hosts;        /* how many peers that median rests on */
    double score;               /* robust z against the cohort; NAN: no cohort */
    double rate_bytes_per_hour; /* robust slope of this boot; NAN: unknown */
    int64_t since_us;           /* growth or level began */
    int64_t exhausts_p10_us;    /* TIME_UNKNOWN: no exhaustion foreseen */
    int64_t exhausts_p50_us;
    int64_t exhausts_p90_us;
    const char *limit;       /* what runs out: "nonpaged_limit", "paged_limit", "commit",
                                "physical"; NULL: nothing foreseen */
    const char *process;     /* image that holds the objects; NULL: not known */
    int64_t process_handles; /* -1: not known */
    bool simulated;          /* its data does not come from a kernel; set by the store */
};

/* Counter-evidence included: of `affected` hosts `affected_with` have the value, of `unaffected`
 * peers `unaffected_with` have it. */
struct finding_cause {
    const char *attribute; /* "driver/amdkmdag.sys", "os.build", "role", ... */
    const char *value;
    const char *and_attribute; /* only together with this one; NULL: by itself */
    const char *and_value;
    size_t affected;
    size_t affected_with;
    size_t unaffected;
    size_t unaffected_with;
    double risk_ratio;
    double q_value; /* Benjamini-Hochberg over all values tested */
    /* Of values that are versions, in their order; each NULL when not seen. Good ones run on hosts
     * enough, none of which is affected. */
    const char *first_bad;
    const char *last_good;  /* below first_bad */
    const char *first_good; /* above all bad ones */
    /* Affected hosts whose growth is known from before and after the value came, and their median
     * rates, bytes per hour; 0 and NAN when there are none. */
    size_t changed_hosts;
    double rate_before;
    double rate_after;
};

/* Name of the application whose version the attribute tells ("app.wsl", "app/Payroll"); NULL: it
 * tells another thing. */
const char *finding_app_of(const char *attribute);

struct finding {
    char id[FINDING_ID_MAX]; /* from kind family, pool and first tag: the same in every pass */
    enum finding_kind kind;
    enum finding_status status;
    enum finding_severity severity;
    double confidence; /* 0..1 */
    enum pool pool;
    uint32_t tag;   /* first mover */
    uint32_t *tags; /* all that grow with it, first mover first */
    size_t tag_count;
    const char *summary;        /* one sentence with its numbers */
    struct finding_host *hosts; /* worst first */
    size_t host_count;
    struct finding_cause *causes; /* best first; empty: nothing separates, or too few hosts */
    size_t cause_count;
    const char *cause_note;   /* why there is no cause, or what weakens it; NULL: nothing to add */
    const char *owner_driver; /* of the first mover's tag; NULL: unknown */
    const char *owner_description; /* NULL: unknown */
    const char *owner_source;      /* "builtin", "imported", "driver_scan"; NULL with the others */
    const char *const *evidence;   /* further plain sentences, each with its numbers */
    size_t evidence_count;
    int64_t first_seen_us; /* start of the earliest host's growth or level */
    int64_t last_seen_us;  /* newest snapshot that shows it */
};

/* A host whose data cannot be true. It has no part in any finding or comparison. */
struct finding_fault {
    const char *host_id;
    const char *host_name; /* NULL: unknown */
    const char *code;      /* for programs, see fault.h; both are kept by the program */
    const char *reason;    /* a whole sentence without its end */
};

struct finding_list {
    struct arena arena;
    struct finding *items; /* most severe first */
    size_t count;
    struct finding_fault *faults; /* by host id */
    size_t fault_count;
};

void finding_list_done(struct finding_list *list);
#define AUTO_FINDINGS CLEANUP(finding_list_done)

#endif
