/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first mover on the hosts of a finding over time, beside the middle of hosts that are not
 * affected, all on one grid of times: for the sparklines, the big picture and the report.
 */
#ifndef SERVER_API_FINDING_SERIES_H
#define SERVER_API_FINDING_SERIES_H

#include "server/state/fleet.h"
#include "server/store/db.h"
#include "server/store/store_findings.h"

#define FINDING_SERIES_HOSTS_MAX  50
#define FINDING_SERIES_POINTS_MAX 400
#define FINDING_SERIES_PEERS      15 /* a median of so many is steady; each costs a read */
#define FINDING_SERIES_PEERS_MIN  3
#define FINDING_SERIES_SPAN_US    (7 * US_PER_DAY)

struct finding_lines {
    struct arena arena; /* owns everything */
    size_t points;
    int64_t *t_us;
    size_t host_count; /* hosts[i] is the finding's i-th host */
    double **hosts;    /* bytes at each time; NAN: unknown */
    size_t peers;      /* read; same build and role as the worst host where there are enough */
    bool peers_alike;  /* they are */
    double *median;    /* of the peers; NAN: fewer than FINDING_SERIES_PEERS_MIN know */
};
static inline void finding_lines_done(struct finding_lines *lines)
{
    arena_done(&lines->arena);
    *lines = (struct finding_lines){0};
}
#define AUTO_FINDING_LINES CLEANUP(finding_lines_done)

/* The last days up to last_seen. hosts_max 0: peers alone. */
enum status finding_lines_read(struct db *db, struct fleet *fleet, const struct finding *finding,
                               size_t hosts_max, size_t points, struct finding_lines *ret_lines,
                               struct err *err) MUST_CHECK;

#endif
