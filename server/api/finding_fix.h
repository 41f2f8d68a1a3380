/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what the check of a fix rests on; for its own route and for the report. */
#ifndef SERVER_API_FINDING_FIX_H
#define SERVER_API_FINDING_FIX_H

#include "server/store/store_findings.h"
#include "server/store/store_fix.h"

#define FIX_MOVED_MAX 80 /* series read: the newest moves; a series of three weeks is a few ms */
#define FIX_STAYS_MAX 40 /* and those that stay, from the worst on */

struct fix_check {
    struct store_fix_hosts stored;
    const struct finding_cause *cause; /* of the finding; NULL: no version explains it */
    const char *what;                  /* the attribute as people say it: "x.sys" */
    struct fix_host *hosts;            /* those that were read; owned by stored.arena */
    int64_t *numbers;                  /* pseudonyms of each */
    bool *simulated;
    size_t count;
    size_t moved_total; /* of all, read or not */
    size_t stays_total;
    size_t other_total; /* affected with another version: in neither group */
    struct fix_result result;
};
static inline void fix_check_done(struct fix_check *check)
{
    store_fix_hosts_done(&check->stored);
}
#define AUTO_FIX_CHECK CLEANUP(fix_check_done)

/* The cause that is a version: of this attribute, or the first that can change on a host (a driver,
 * an application, the build). NULL: none. */
const struct finding_cause *fix_cause_of(const struct finding *finding, const char *attribute);
/* cause may be NULL: nothing is read then. */
enum status fix_check_read(struct db *db, const struct finding *finding,
                           const struct finding_cause *cause, struct fix_check *ret_check,
                           struct err *err) MUST_CHECK;

#endif
