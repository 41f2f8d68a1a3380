/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mute: what people do not want to hear of until a time. All conditions given must hold: this
 * finding, one of these tags, one of these hosts, findings of this driver (its tag's owner, or what
 * explains it best), hosts that have this version of it loaded.
 *
 * A finding is a table of hosts by tags. It is muted when every cell is covered by some mute, be it
 * by several together; a single cell outside keeps it open. Pure.
 */
#ifndef SERVER_STORE_MUTE_H
#define SERVER_STORE_MUTE_H

#include "common/status.h"
#include "server/analyze/finding.h"

#include <stdlib.h>

struct mute {
    int64_t id;
    const char *finding_id; /* NULL: any finding */
    const uint32_t *tags;   /* none: any tag */
    size_t tag_count;
    const char *const *hosts; /* ids, sorted by strcmp; none: any host */
    size_t host_count;
    const char *driver;               /* NULL: any */
    const char *driver_version;       /* NULL: any; goes with driver */
    const char *const *version_hosts; /* ids of the hosts that have it loaded, sorted */
    size_t version_host_count;
    int64_t until_us; /* TIME_UNKNOWN: until somebody ends it */
    const char *reason;
    const char *created_by;
    int64_t created_at_us;
    int64_t ended_at_us;  /* TIME_UNKNOWN: it stands */
    const char *ended_by; /* NULL: it stands */
    int64_t version;      /* counts changes by people */
    int64_t findings;     /* muted findings that it helps to hold, now */
    int64_t host_total;   /* hosts of findings that it covers, now */
};

bool mute_stands(const struct mute *mute, int64_t now_us);
/* Whether the finding is this driver's, letters folded. */
bool mute_driver_of(const struct finding *finding, const char *driver);

struct mute_cover {
    bool whole;        /* every tag on every host */
    int64_t by;        /* the mute that ends first of those it takes; 0: not whole */
    int64_t until_us;  /* its end; TIME_UNKNOWN: none of them has one */
    size_t hosts;      /* hosts all of whose tags are covered */
    int64_t *hosts_by; /* for each host such a mute, or 0; owned by caller, free() */
};
/* A finding without hosts is covered by mutes that ask for none. ST_NOMEM. */
enum status mute_cover(const struct mute *mutes, size_t count, const struct finding *finding,
                       int64_t now_us, struct mute_cover *ret_cover) MUST_CHECK;
static inline void mute_cover_done(struct mute_cover *cover)
{
    free(cover->hosts_by);
    cover->hosts_by = NULL;
}
#define AUTO_MUTE_COVER CLEANUP(mute_cover_done)

#endif
