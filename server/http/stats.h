/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of requests per route and class of code. Plain atomics, read without lock. */
#ifndef SERVER_HTTP_STATS_H
#define SERVER_HTTP_STATS_H

#include "common/strbuf.h"
#include "server/http/http.h"

struct stats;

struct stats *stats_new(const struct route *table, size_t count); /* NULL when memory is out */
void stats_free(struct stats *stats);
/* route NULL: the page's files, or no route at all. code 200 to 599, others count as 500. */
void stats_add(struct stats *stats, const struct route *route, bool is_asset, unsigned code,
               int64_t duration_us);
/* Over all routes: answers by class 2xx to 5xx, and the time they took. */
void stats_sum(const struct stats *stats, uint64_t ret_by_class[4], double *ret_seconds);
void stats_write(const struct stats *stats, struct strbuf *out);

#endif
