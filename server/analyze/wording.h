/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers as people say them, and the sentences of a finding. Texts are for reading; nothing else
 * is worked out here. Not shared between threads.
 */
#ifndef SERVER_ANALYZE_WORDING_H
#define SERVER_ANALYZE_WORDING_H

#include "common/strbuf.h"
#include "server/analyze/finding.h"

void wording_bytes(struct strbuf *to, double bytes);  /* "21.4 GB", 1024-based as Windows says */
void wording_hours(struct strbuf *to, double hours);  /* "40 minutes", "3.2 hours", "12 days" */
void wording_tag(struct strbuf *to, uint32_t tag);    /* in its text form, in double quotes */
const char *wording_attribute(const char *attribute); /* of a driver its file alone */
void wording_limit(struct strbuf *to, const char *limit); /* "the nonpaged pool's limit" */

/* The one sentence of a finding whose other members are filled. `fleet_hosts`: all compared. */
void wording_summary(struct strbuf *to, const struct finding *finding, size_t fleet_hosts,
                     int64_t now_us);

#endif
