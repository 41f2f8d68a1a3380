/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the overview that look at every host: how they stand, what was checked, what is new. */
#ifndef SERVER_API_OVERVIEW_FLEET_H
#define SERVER_API_OVERVIEW_FLEET_H

#include "common/strbuf.h"
#include "server/state/view.h"
#include "server/store/store_faults.h"
#include "server/store/store_fleet.h"
#include "server/store/store_hosts.h"

struct overview_fleet { /* all borrowed */
    const struct fleet_list *list;
    const struct store_fleet_hosts *told;
    const struct store_awaiting_list *awaiting;
    const struct store_faults *faults;
    int64_t now_us;
};

/* "hosts" and "map": a small picture of the fleet needs no row per host, only how many of each
 * group stand how. ST_NOMEM. */
enum status overview_fleet_write(const struct overview_fleet *fleet, int64_t in_findings,
                                 struct strbuf *out) MUST_CHECK;
/* "checked": what the statistics rest on. */
void overview_checked_write(const struct fleet_view *view, const struct fleet_list *list,
                            int64_t since_us, struct strbuf *out);
/* "changes" and "first_to_run_out". */
void overview_news_write(const struct store_fleet_news *news, struct strbuf *out);

#endif
