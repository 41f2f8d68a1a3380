/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verdicts on single (host, tag, pool) pairs: a feature set against the peers of its host. What
 * comes out is a list of pairs that grow or stand out, each with how sure that is. Internal to
 * server/analyze. Not shared between threads.
 */
#ifndef SERVER_ANALYZE_DETECT_H
#define SERVER_ANALYZE_DETECT_H

#include "server/analyze/fleet.h"

/* What the peers of a host say about one row; the host itself is among them. */
struct peer_stats {
    size_t peers;      /* 0: no cohort */
    bool weak;         /* other roles had to be taken in */
    double median;     /* bytes now */
    double p60;        /* bytes now; not higher, since other incidents may be among the peers */
    double share_p60;  /* bytes as a share of RAM */
    double log_median; /* log2 of bytes now + 64 KiB, and its spread */
    double log_mad;
    double share_median; /* log2 of bytes / RAM: for cohorts of mixed RAM */
    double share_mad;
    double rate_3h; /* median growth, bytes per hour */
    double rate_3h_mad;
    double rate_24h;
    double rate_24h_mad;
    double calm_3h; /* median and spread of the calmer half: where half of the peers leak, the
                       others still tell what is usual */
    double calm_3h_mad;
    double calm_24h;
    double calm_24h_mad;
};

struct peer_cache;
struct peer_cache *peer_cache_new(const struct fleet *fleet); /* NULL: out of memory */
void peer_cache_free(struct peer_cache *cache);
static inline void cleanup_peer_cache(struct peer_cache **cache)
{
    peer_cache_free(*cache);
}
#define AUTO_PEER_CACHE CLEANUP(cleanup_peer_cache)
/* Borrowed from the cache until the next call. NULL: out of memory. */
const struct peer_stats *peer_stats_get(struct peer_cache *cache, size_t host, enum pool pool,
                                        uint32_t tag);

enum verdict {
    VERDICT_NONE,
    VERDICT_GROWS, /* a leak's shape */
    VERDICT_HIGH   /* far above its peers, and stays there */
};

struct pair {
    uint32_t tag;
    enum pool pool;
    uint32_t host;
    enum verdict verdict;
    double belief;     /* 0..1 by this host alone, peers included */
    double own_belief; /* 0..1 by its history alone */
    double score;      /* robust z against the peers; NAN no cohort */
    double excess;     /* bytes above the peers' median */
    bool filling;      /* no more than older peers hold: it may just be filling up */
    const struct feature *feature;
};

/* True when hosts of the same role that are up as long or longer hold as much: what grows after a
 * boot towards a usual level is no leak yet. False too when there are no such hosts. */
bool detect_is_filling(const struct fleet *fleet, size_t host, const struct feature *feature);

/* ret_pairs owned by caller (free): sorted by pool, tag, host. ST_NOMEM. */
enum status detect_pairs(const struct fleet *fleet, struct pair **ret_pairs,
                         size_t *ret_count) MUST_CHECK;

/* Bytes that may still come before `which` pool fails on its own limits; INFINITY unknown. */
double detect_headroom(const struct fleet_host *host, enum pool pool);

/* Once a tag is known to leak at `rate`: does this host leak it too, or might it? Used to complete
 * the hosts of a finding, and to keep doubtful ones out of the unaffected. */
enum membership {
    MEMBER_NO,
    MEMBER_UNCLEAR, /* too young, or in between */
    MEMBER_YES
};
enum membership detect_growth_member(const struct fleet_host *host, enum pool pool, uint32_t tag,
                                     double rate);

#endif
