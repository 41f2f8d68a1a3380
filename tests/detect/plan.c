/* SPDX-License-Identifier: Apache-2.0 */
/* From a seed to a fleet: which story, how large, and what makes it hard. */
#include "tests/detect/world.h"

#include <stdlib.h>

/* 12 in 100 fleets replay a thread, 4 have a shift, 30 are silent, the rest have incidents. */
enum { SHARE_REPLAY = 12, SHARE_SHIFT = 16, SHARE_SILENT = 46 };

static unsigned pick_confounders(struct rng *rng, size_t most)
{
    unsigned mask = 0;
    for (size_t n = rng_pick(rng, most + 1); n > 0; n--)
        mask |= 1u << rng_pick(rng, CONF_COUNT);
    return mask;
}

/* Most fleets are small; the largest get fewer rows, or the run would be theirs alone. */
static struct world_size pick_size(struct rng *rng, bool quick)
{
    static const struct {
        unsigned weight;
        double hosts_low, hosts_high, rows_low, rows_high;
    } sizes[] = {
        {34, 5, 20, 60, 400},   {32, 20, 100, 60, 300}, {24, 100, 300, 60, 140},
        {7, 300, 800, 60, 100}, {2, 800, 2000, 60, 80}, {1, 6, 12, 1250, 1250},
    };
    size_t at = rng_pick(rng, quick ? 66 : 100);
    size_t i = 0;
    while (at >= sizes[i].weight)
        at -= sizes[i++].weight;
    return (struct world_size){
        .hosts = (size_t)rng_log_range(rng, sizes[i].hosts_low, sizes[i].hosts_high + 0.99),
        .rows = (size_t)rng_log_range(rng, sizes[i].rows_low, sizes[i].rows_high + 0.99)};
}

static void add_incidents(struct world *world, const struct tagdict *dict)
{
    size_t count = rng_chance(&world->rng, 0.8) ? 1 : 2;
    for (size_t i = 0; i < count; i++) {
        struct incident_plan plan = {.path_low = 3, .path_high = 90 * 24};
        /* A slow drift that only many hosts together can show. */
        if (world->host_count >= 50 && rng_chance(&world->rng, 0.1))
            plan = (struct incident_plan){.path_low = 90 * 24, .path_high = 700 * 24, .share = 0.3};
        struct world_incident *incident = world_add_incident(world, &plan, dict);
        if (incident->path_hours < 24) /* what kills in hours is watched closely */
            for (size_t k = 0; k < world->host_count; k++)
                if (incident->rate[k] > 0)
                    world->hosts[k].interval = 1 / 60.0;
    }
}

struct world *world_new(uint64_t seed, const struct tagdict *dict, bool quick)
{
    struct world *world = calloc(1, sizeof *world);
    if (world == NULL)
        abort();
    world->seed = rng_hash(0xF1EE7, seed);
    world->rng.state = world->seed;
    struct rng *rng = &world->rng;
    /* A Sunday, 00:00 UTC; now is any hour of the second week after the 60 days. */
    world->epoch_us = 20002ll * US_PER_DAY;
    world->now = floor((WORLD_EPOCH_HOURS + rng_range(rng, 0, 168)) * 12) / 12;
    size_t class = rng_pick(rng, 100);
    size_t replay = rng_pick(rng, world_replay_count());
    struct world_size size = pick_size(rng, quick);
    if (class < SHARE_REPLAY) {
        world_make_replay(world, replay, dict);
    } else {
        bool silent = class >= SHARE_SHIFT && class < SHARE_SILENT;
        size.confounders = pick_confounders(rng, silent ? 6 : 4);
        world_make(world, dict, &size);
        world->kind = class < SHARE_SHIFT ? "shift" : silent ? "silent" : "incident";
        if (class < SHARE_SHIFT)
            world_add_shift(world, dict);
        else if (!silent)
            add_incidents(world, dict);
        world_add_confounders(world);
    }
    world_sort_rows(world);
    world_fit_pools(world);
    return world;
}
