/* SPDX-License-Identifier: Apache-2.0 */
/* What is true at a moment, and what of it can be known yet. */
#include "tests/detect/values.h"

#include <math.h>

/* Less than this must not be found: bytes, and share of RAM. */
#define RIPE_BYTES (8 * WORLD_MIB)
#define RIPE_SHARE 0.0005
/* What does not grow (any more) matters by its size only. */
#define FLAT_BYTES  (64 * WORLD_MIB)
#define FLAT_SHARE  0.005
#define RIPE_POINTS 5
/* The delays that the project allows itself: 10 minutes of a path of 3 hours, a day of 90 days. */
#define RIPE_PATH  (10.0 / 180)
#define RIPE_HOURS 24.0

/* How much the incident's own rows move without it. */
static double own_noise(const struct world *world, const struct world_incident *incident,
                        size_t host)
{
    double sum = 0;
    for (size_t i = 0; i < world->row_count; i++) {
        const struct world_row *row = &world->rows[i];
        if (row->incident < 0 || &world->incidents[row->incident] != incident)
            continue;
        struct values_series series = values_series(world, i, host);
        sum += series.level * (row->noise + row->amplitude + (row->habit == HABIT_CACHE ? 1 : 0));
    }
    return sum;
}

enum world_involved world_involvement(const struct world *world,
                                      const struct world_incident *incident, size_t index,
                                      double as_of)
{
    const struct world_host *host = &world->hosts[index];
    double seen[WORLD_POINTS];
    if (incident->rate[index] <= 0 || incident->onset[index] > as_of)
        return INVOLVED_NO;
    size_t count = world_visible(world, index, as_of, seen);
    if (count == 0)
        return INVOLVED_OPTIONAL;
    /* The newest in truth: a wrong clock may have turned the order round. */
    double last = seen[0];
    for (size_t i = 1; i < count; i++)
        last = seen[i] > last ? seen[i] : last;
    double start = world_growth_start(incident, host, index, last);
    size_t points = 0;
    for (size_t i = 0; i < count; i++)
        points += start < WORLD_NEVER && seen[i] > start;
    double grown = world_growth_bytes(world, incident, index, last);
    double young = fmin(RIPE_HOURS, RIPE_PATH * incident->path_hours);
    bool stale = last < as_of - 24; /* its agent is silent: what it was may be told or not */
    bool flat = incident->shape == SHAPE_LEVEL ||
                (incident->shape == SHAPE_PLATEAU && last - start > incident->scale);
    if (flat && (grown < FLAT_BYTES || grown < FLAT_SHARE * host->ram))
        return INVOLVED_OPTIONAL;
    if (points < RIPE_POINTS || last - start < young || grown < RIPE_BYTES ||
        grown < RIPE_SHARE * host->ram || grown < 3 * own_noise(world, incident, index) || stale ||
        host->nonsense)
        return INVOLVED_OPTIONAL;
    return INVOLVED_YES;
}

/* Bytes until a limit is met, from healthy use at as_of: the pool's own, or what can be committed.
 */
static double room(const struct world *world, const struct world_incident *incident, size_t index,
                   double as_of)
{
    const struct world_host *host = &world->hosts[index];
    double used[POOL_COUNT] = {world_rest(host, POOL_NONPAGED), world_rest(host, POOL_PAGED)};
    for (size_t i = 0; i < world->row_count; i++)
        used[world->rows[i].pool] += world_healthy(world, i, index, as_of);
    for (size_t k = 0; k < world->incident_count; k++)
        if (&world->incidents[k] != incident)
            used[world->incidents[k].pool] +=
                world_growth_bytes(world, &world->incidents[k], index, as_of);
    double commit = host->ram * (1 + host->page_file) - host->ram * host->working_set * 1.05 -
                    used[0] - used[1];
    double pool = host->ram * host->np_limit - used[POOL_NONPAGED];
    return incident->pool == POOL_NONPAGED && pool < commit ? pool : commit;
}

double world_exhaustion(const struct world *world, const struct world_incident *incident,
                        size_t index, double as_of, double *ret_seen)
{
    struct world_host *host = &world->hosts[index];
    size_t boots = host->boot_count;
    double left = room(world, incident, index, as_of);
    double now = world_growth_bytes(world, incident, index, as_of);
    *ret_seen = 0;
    if (now <= 0 || left <= 0 || world_growth_start(incident, host, index, as_of) >= WORLD_NEVER)
        return WORLD_NEVER;
    /* The path goes on: restarts after as_of are not known to anyone yet. */
    while (host->boot_count > 1 && host->boots[host->boot_count - 1] > as_of)
        host->boot_count--;
    double low = as_of;
    double high = as_of + 400 * 24;
    bool ends = world_growth_bytes(world, incident, index, high) >= left;
    for (size_t i = 0; ends && i < 40; i++) {
        double middle = (low + high) / 2;
        if (world_growth_bytes(world, incident, index, middle) >= left)
            high = middle;
        else
            low = middle;
    }
    host->boot_count = boots;
    *ret_seen = now / left;
    return ends ? high : WORLD_NEVER;
}
