/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the first screens need of the database beside the states in memory: what open findings say
 * of each host, which version of a driver each host runs, and what changed lately. Times are us
 * since 1970. A lease belongs to one thread.
 */
#ifndef SERVER_STORE_STORE_FLEET_H
#define SERVER_STORE_STORE_FLEET_H

#include "server/store/store_findings.h"

/* A host that findings in state open or acknowledged touch. */
struct store_fleet_host {
    struct finding_host_count count; /* host_id, how many, the worst */
    const char *finding_id;          /* the worst; of equals the surest */
    double rate_bytes_per_hour;      /* the fastest; NAN: none grows */
    int64_t exhausts_us;             /* the first median; TIME_UNKNOWN: nothing foreseen */
};
struct store_fleet_hosts {
    struct arena arena;             /* owns everything */
    struct store_fleet_host *items; /* sorted by host id */
    size_t count;
};
static inline void store_fleet_hosts_done(struct store_fleet_hosts *hosts)
{
    arena_done(&hosts->arena);
}
#define AUTO_FLEET_HOSTS CLEANUP(store_fleet_hosts_done)
enum status store_fleet_hosts(struct db *db, struct store_fleet_hosts *ret_hosts,
                              struct err *err) MUST_CHECK;
/* NULL when no finding touches the host. */
const struct store_fleet_host *store_fleet_host(const struct store_fleet_hosts *hosts,
                                                const char *host_id);

/* The version of one driver on each host that has it now. */
struct store_fleet_version {
    const char *host_id;
    const char *version; /* NULL: unknown */
};
struct store_fleet_versions {
    struct arena arena;
    struct store_fleet_version *items; /* sorted by host id */
    size_t count;
};
static inline void store_fleet_versions_done(struct store_fleet_versions *versions)
{
    arena_done(&versions->arena);
}
#define AUTO_FLEET_VERSIONS CLEANUP(store_fleet_versions_done)
enum status store_fleet_versions(struct db *db, const char *driver,
                                 struct store_fleet_versions *ret_versions,
                                 struct err *err) MUST_CHECK;

/* What became of findings since a moment: each finding once, muted ones left out. */
enum store_fleet_change_kind { FLEET_NEW, FLEET_WORSENED, FLEET_RESOLVED, FLEET_CHANGE_COUNT };
struct store_fleet_change {
    const char *finding_id;
    const char *kind; /* of the finding */
    const char *severity;
    const char *summary;
    enum store_fleet_change_kind change;
    int64_t at_us;
};
#define STORE_FLEET_CHANGES_MAX 1000

/* The host that runs out first. */
struct store_fleet_first {
    const char *host_id; /* NULL: nothing foreseen; so are the others then */
    const char *name;
    const char *finding_id;
    const char *limit;
    int64_t p10_us, p50_us, p90_us;
};

struct store_fleet_news {
    struct arena arena;
    struct store_fleet_change *changes; /* worst first, then newest */
    size_t change_count;
    struct store_fleet_first first;
    int64_t since_us; /* oldest snapshot of any host; TIME_UNKNOWN: none */
};
static inline void store_fleet_news_done(struct store_fleet_news *news)
{
    arena_done(&news->arena);
}
enum status store_fleet_news(struct db *db, int64_t since_us, struct store_fleet_news *ret_news,
                             struct err *err) MUST_CHECK;

extern const struct stmt_table store_fleet_statements;

#endif
