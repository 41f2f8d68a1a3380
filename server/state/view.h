/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics over the newest state of the whole fleet: per (tag, pool) totals and spread, and per
 * cohort the median and its deviation. An immutable object made from one fleet_list, which it
 * holds, so that rows and statistics of one reply belong together. Sizes are bytes.
 *
 * The cache answers from memory: small fleets get a new view whenever any host changed, large ones
 * (a build over VIEW_SYNC_US) get the last one while a thread builds the next, at most a twentieth
 * of the time. All functions are thread-safe; a view is read without locks.
 */
#ifndef SERVER_STATE_VIEW_H
#define SERVER_STATE_VIEW_H

#include "server/analyze/cohort.h"
#include "server/state/fleet.h"

#define VIEW_SYNC_US    (25 * US_PER_MS) /* half of what a read may take */
#define VIEW_AGE_MAX_US US_PER_MINUTE    /* an older one is waited for, if the fleet is not huge */
#define VIEW_NONE       SIZE_MAX

struct view_tag {
    uint32_t tag;
    enum pool pool;
    size_t hosts;   /* that have the row with known bytes */
    uint64_t bytes; /* sum over them */
    uint64_t median_bytes;
    uint64_t p99_bytes;
    uint64_t max_bytes;
    size_t max_host;      /* index into list.items */
    bool has_outstanding; /* any host reports allocs and frees */
    uint64_t outstanding; /* sum over those that do */
};

struct view_peer {
    double median; /* NAN: no host of the cohort has the row */
    double mad;
    size_t hosts; /* of the cohort that have the row */
};

struct view_cohort {
    struct cohort name;
    size_t hosts;
    struct view_peer *peers; /* by index of the tag in `tags` */
};

/* The row that stands out most on a host: highest score of those that hold so much more than the
 * peers' median. A thousandth of 16 GiB: in a simulated fleet of 500 a third of the healthy hosts
 * has some row of 1 to 11 MiB that is far out and does not matter. */
#define VIEW_MATTERS_BYTES (16 * 1024 * 1024)
struct view_worst {
    double score; /* NAN: no peers, or nothing above them */
    size_t tag;   /* index into tags; VIEW_NONE */
};

struct fleet_view {
    size_t references;
    struct fleet_list list;
    int64_t as_of_us;      /* newest taken_at; TIME_UNKNOWN without hosts */
    struct view_tag *tags; /* sorted by pool, then tag as u32 */
    size_t tag_count;
    struct view_cohort *cohorts;
    size_t cohort_count;
    size_t *host_cohort;           /* per host: index into cohorts, or VIEW_NONE: too few peers */
    struct view_worst *host_worst; /* per host */
};

/* Takes the list over, also on failure. The view starts with one reference. */
enum status fleet_view_new(struct fleet_list *list_take, struct fleet_view **ret_view,
                           struct err *err) MUST_CHECK;

struct fleet_view_cache;
/* Starts the thread. fleet outlives the cache; views may outlive both. */
enum status fleet_view_cache_new(struct fleet *fleet, struct fleet_view_cache **ret_cache,
                                 struct err *err) MUST_CHECK;
void fleet_view_cache_free(struct fleet_view_cache *cache); /* joins the thread; NULL allowed */

/* A reference; give back with fleet_view_release. */
enum status fleet_view_get(struct fleet_view_cache *cache, struct fleet_view **ret_view,
                           struct err *err) MUST_CHECK;
void fleet_view_release(struct fleet_view *view); /* NULL allowed */
static inline void cleanup_fleet_view(struct fleet_view **view)
{
    fleet_view_release(*view);
}
#define AUTO_FLEET_VIEW CLEANUP(cleanup_fleet_view)

/* Index into tags, or VIEW_NONE. */
size_t fleet_view_tag(const struct fleet_view *view, enum pool pool, uint32_t tag);
/* Index into list.items, or VIEW_NONE. */
size_t fleet_view_host(const struct fleet_view *view, const char *id);
/* The cohort of a host, or NULL. */
const struct view_cohort *fleet_view_cohort(const struct fleet_view *view, size_t host);
/* The peers' figures for one row, or NULL: no cohort, or nobody in it has the row. */
const struct view_peer *fleet_view_peer(const struct fleet_view *view, size_t host, enum pool pool,
                                        uint32_t tag);
/* Robust z of a value against them; NAN when there is nothing to compare with. */
double view_peer_score(const struct view_peer *peer, uint64_t bytes);

#endif
