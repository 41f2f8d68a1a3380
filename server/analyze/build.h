/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an incident to a finding: its hosts with rates and forecasts, causes, owner, severity,
 * confidence, texts and id. Internal to server/analyze. Not shared between threads.
 */
#ifndef SERVER_ANALYZE_BUILD_H
#define SERVER_ANALYZE_BUILD_H

#include "server/analyze/explain.h"
#include "server/analyze/group.h"

/* Below this nothing is said. */
#define BUILD_CONFIDENCE_MIN 0.5

struct build {
    const struct fleet *fleet;
    struct peer_cache *cache;
    const struct tagdict *dict; /* NULL: no owners */
    int64_t now_us;
    struct arena *arena;                /* of the finding list */
    const struct analyze_owner *owners; /* by tag, see analyze.h */
    size_t owner_count;
};

/* ret_said false: not sure enough, ret_finding is not written. ST_NOMEM. */
enum status build_finding(const struct build *build, const struct incident *incident,
                          struct finding *ret_finding, bool *ret_said) MUST_CHECK;

/* Parts that other kinds of finding need as well. */
/* `more` tells groups of the same tag apart; "" for the first. */
void build_id(const char *family, enum pool pool, uint32_t tag, const char *more,
              char ret_id[FINDING_ID_MAX]);
void build_owner(const struct build *build, struct finding *finding);
/* The drivers whose code allocates with the tag; *ret_count may be 0. */
const struct analyze_owner *build_scanned(const struct build *build, uint32_t tag,
                                          size_t *ret_count);
/* The driver that the lists name for a tag, else the one of most hosts by scan; NULL: unknown. */
const char *build_driver_of(const struct build *build, uint32_t tag);
enum status build_summary(const struct build *build, struct finding *finding) MUST_CHECK;
/* One row of a host, without rate and forecast. */
enum status build_host(const struct build *build, uint32_t host, enum pool pool, uint32_t tag,
                       struct finding_host *ret_host) MUST_CHECK;
/* Worst first, ties by id. */
void build_sort_hosts(struct finding *finding);

#endif
