/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One host as the lists show it, and the filters that the list of hosts and the fleet map share:
 * what an address of the page filters by, the API filters by the same names.
 */
#ifndef SERVER_API_HOST_ITEM_H
#define SERVER_API_HOST_ITEM_H

#include "common/arena.h"
#include "server/analyze/cohort.h"
#include "server/http/http.h"
#include "server/state/fleet.h"
#include "server/store/store_faults.h"
#include "server/store/store_findings.h"
#include "server/store/store_hosts.h"

struct host_item {
    const char *id;
    const char *name;
    const char *os_name;
    const char *os_build;
    const char *role;
    const char *model;
    int64_t ram_bytes;
    int64_t boot_at;
    int64_t uptime_seconds;
    int64_t last_seen;
    int64_t nonpaged_bytes;
    int64_t paged_bytes;
    int64_t nonpaged_limit_bytes;
    int64_t findings;
    int worst_severity;
    bool simulated;
    bool silent;
    int64_t faulty_since; /* its data cannot be true; TIME_UNKNOWN: nothing is known against it */
    const char *faulty_reason;    /* a code of server/analyze/fault.h; NULL likewise */
    bool awaiting_first_snapshot; /* enrolled, nothing sent yet */
    int64_t enrolled_at;          /* of those only */
    unsigned band;                /* uptime band, see analyze/cohort.h */
    const char *agent;            /* JSON; NULL: unknown, or not asked for */
    const char *agent_version;
};

/* Texts are borrowed from the host and the fault, or in arena. count NULL: no finding touches it;
 * fault NULL: nothing is wrong with its data. arena NULL: without `agent`. */
void host_item_fill(const struct host_state *host, const struct finding_host_count *count,
                    const struct store_fault *fault, int64_t now_us, struct arena *arena,
                    struct host_item *ret_item);
void host_item_fill_awaiting(const struct store_awaiting *awaiting, struct arena *arena,
                             struct host_item *ret_item);
/* NULL when none touches the host. */
const struct finding_host_count *host_item_count(const struct finding_host_counts *counts,
                                                 const char *host_id);

#define HOST_FILTER_PARAMETERS                                                                     \
    "q", "os.build", "role", "model", "severity", "band", "finding", "silent", "faulty"
#define HOST_FILTER_ANY (-2)

struct host_filter { /* texts NULL, flags -1: any */
    const char *q;
    const char *os_build;
    const char *role;
    const char *model;
    int severity; /* of the worst finding; -1: none; HOST_FILTER_ANY */
    int band;     /* or HOST_FILTER_ANY */
    int finding;
    int silent;
    int faulty;
};
/* ST_INVALID with the parameter's name as field. Texts are borrowed from rq. */
enum status host_filter_read(const struct req *rq, struct host_filter *ret_filter,
                             struct err *err) MUST_CHECK;
bool host_filter_takes(const struct host_filter *filter, const struct host_item *item);

/* "0-1h" to ">14d", then "?" for an unknown uptime. */
extern const char *const host_band_names[];

#endif
