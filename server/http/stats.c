/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/stats.h"

#include <stdatomic.h>

#define CLASSES 4 /* 2xx to 5xx */

struct counter {
    _Atomic uint64_t by_class[CLASSES];
    _Atomic uint64_t duration_us;
};

struct stats {
    const struct route *table;
    size_t count; /* of routes; two more counters follow: "page" and "none" */
    struct counter counters[];
};

struct stats *stats_new(const struct route *table, size_t count)
{
    struct stats *stats = calloc(1, sizeof *stats + (count + 2) * sizeof stats->counters[0]);
    if (stats == NULL)
        return NULL;
    stats->table = table;
    stats->count = count;
    return stats;
}

void stats_free(struct stats *stats)
{
    free(stats);
}

void stats_add(struct stats *stats, const struct route *route, bool is_asset, unsigned code,
               int64_t duration_us)
{
    size_t at = route != NULL ? (size_t)(route - stats->table) : stats->count + (is_asset ? 0 : 1);
    unsigned class = code / 100;
    if (class < 2 || class > 5)
        class = 5;
    struct counter *counter = &stats->counters[at];
    atomic_fetch_add_explicit(&counter->by_class[class - 2], 1, memory_order_relaxed);
    if (duration_us > 0)
        atomic_fetch_add_explicit(&counter->duration_us, (uint64_t)duration_us,
                                  memory_order_relaxed);
}

static const char *name_of(const struct stats *stats, size_t at)
{
    if (at < stats->count)
        return stats->table[at].operation;
    return at == stats->count ? "page" : "none";
}

void stats_sum(const struct stats *stats, uint64_t ret_by_class[4], double *ret_seconds)
{
    uint64_t us = 0;
    for (unsigned c = 0; c < CLASSES; c++)
        ret_by_class[c] = 0;
    for (size_t i = 0; i < stats->count + 2; i++) {
        for (unsigned c = 0; c < CLASSES; c++)
            ret_by_class[c] +=
                atomic_load_explicit(&stats->counters[i].by_class[c], memory_order_relaxed);
        us += atomic_load_explicit(&stats->counters[i].duration_us, memory_order_relaxed);
    }
    *ret_seconds = (double)us / 1e6;
}

void stats_write(const struct stats *stats, struct strbuf *out)
{
    strbuf_puts(out, "# HELP poolfleet_http_requests_total Requests answered.\n"
                     "# TYPE poolfleet_http_requests_total counter\n");
    for (size_t i = 0; i < stats->count + 2; i++) {
        for (unsigned c = 0; c < CLASSES; c++) {
            uint64_t n =
                atomic_load_explicit(&stats->counters[i].by_class[c], memory_order_relaxed);
            if (n > 0)
                strbuf_printf(out,
                              "poolfleet_http_requests_total{route=\"%s\",code=\"%uxx\"} %llu\n",
                              name_of(stats, i), c + 2, (unsigned long long)n);
        }
    }
    strbuf_puts(out, "# HELP poolfleet_http_request_seconds_total Time from head to reply.\n"
                     "# TYPE poolfleet_http_request_seconds_total counter\n");
    for (size_t i = 0; i < stats->count + 2; i++) {
        uint64_t us = atomic_load_explicit(&stats->counters[i].duration_us, memory_order_relaxed);
        if (us > 0)
            strbuf_printf(out, "poolfleet_http_request_seconds_total{route=\"%s\"} %.6f\n",
                          name_of(stats, i), (double)us / 1e6);
    }
}
