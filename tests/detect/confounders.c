/* SPDX-License-Identifier: Apache-2.0 */
/* What makes a healthy fleet look ill, and data look better or worse than they are. */
#include "tests/detect/world.h"

#include <string.h>

static const char *const names[CONF_COUNT] = {
    [CONF_SLOW_CACHE] = "slow caches",
    [CONF_DAILY] = "daily cycles",
    [CONF_WEEKLY] = "weekly cycles",
    [CONF_SIZES] = "machine sizes",
    [CONF_ROLES] = "role mix",
    [CONF_HIDDEN_ROLES] = "roles not set",
    [CONF_UPTIMES] = "uptimes",
    [CONF_ROLLING_REBOOTS] = "rolling reboots",
    [CONF_ROLLOUT] = "innocent roll-out",
    [CONF_MISSING] = "missing data",
    [CONF_LATE] = "late data",
    [CONF_CLOCK] = "clock faults",
    [CONF_WRAPS] = "counter wraps",
    [CONF_DEAD_AGENTS] = "agents that die",
    [CONF_NEW_TAGS] = "new flat tags",
    [CONF_WORKLOAD] = "growing workload",
    [CONF_BACKUP] = "backup nights",
    [CONF_BIG_MACHINE] = "a big machine",
    [CONF_SPIKES] = "bursts that return",
    [CONF_NONSENSE] = "a nonsense host",
    [CONF_HIDDEN_BOOTS] = "boot times unknown",
};

const char *world_confounder_name(enum world_confounder confounder)
{
    return names[confounder];
}

/* Gives a share of the ordinary rows, the larger the likelier, another habit. */
static void change_rows(struct world *world, double share, double floor_bytes,
                        struct world_row like)
{
    for (size_t i = 0; i < world->row_count; i++) {
        struct world_row *row = &world->rows[i];
        if (row->incident >= 0 || !rng_chance(&world->rng, share))
            continue;
        row->habit = like.habit;
        row->base = fmax(row->base, floor_bytes * rng_log_range(&world->rng, 0.3, 4));
        row->tau = like.tau * rng_range(&world->rng, 0.6, 1.6);
        row->amplitude = like.amplitude * rng_range(&world->rng, 0.5, 1.5);
        row->noise = fmax(row->noise, like.noise);
        row->churn = row->base / row->block * rng_log_range(&world->rng, 1, 100);
    }
}

static void slow_cache(struct world *world)
{
    change_rows(
        world, 0.03, 20e6,
        (struct world_row){.habit = HABIT_CACHE, .tau = 60, .amplitude = 0.3, .noise = 0.01});
}

static void daily(struct world *world)
{
    change_rows(
        world, 0.08, 5e6,
        (struct world_row){.habit = HABIT_DAILY, .tau = 1, .amplitude = 2.5, .noise = 0.04});
}

/* Full load on work days, and this one quiet at weekends. */
static void weekly(struct world *world)
{
    for (size_t i = 0; i < world->host_count; i++)
        world->hosts[i].office = 1;
    change_rows(
        world, 0.05, 6e6,
        (struct world_row){.habit = HABIT_SESSIONS, .tau = 1, .amplitude = 1.5, .noise = 0.04});
}

static void machine_sizes(struct world *world)
{
    for (size_t i = 0; i < world->row_count; i++)
        if (world->rows[i].incident < 0 && rng_chance(&world->rng, 0.3))
            world->rows[i].ram_power = rng_range(&world->rng, 0.7, 1.1);
}

static void role_mix(struct world *world)
{
    for (size_t i = 0; i < world->row_count; i++)
        if (world->rows[i].incident < 0 && rng_chance(&world->rng, 0.15))
            for (size_t r = 0; r < ROLE_COUNT; r++)
                world->rows[i].role_factor[r] = exp(1.5 * rng_normal(&world->rng));
}

static void rolling_reboots(struct world *world)
{
    double from = world->now - rng_range(&world->rng, 4, 60);
    for (size_t i = 0; i < world->host_count; i++) {
        double at = from + 0.3 * (double)(i % 150) + rng_range(&world->rng, 0, 0.2);
        if (at < world->now - 0.1)
            world_add_boot(&world->hosts[i], at);
    }
}

/* A driver of many hosts gets a version that does nothing wrong. */
static void rollout(struct world *world)
{
    static const char *const drivers[] = {"driver/mpfilter.sys", "driver/csagent.sys",
                                          "driver/tcpip.sys", "app/office"};
    const char *name = drivers[rng_pick(&world->rng, 4)];
    const char *version = world_text(world, "88.%zu.1", rng_pick(&world->rng, 99));
    double share = rng_range(&world->rng, 0.1, 0.9);
    double from = world->now - rng_range(&world->rng, 5, 300);
    bool boots = rng_chance(&world->rng, 0.6);
    for (size_t i = 0; i < world->host_count; i++) {
        struct world_host *host = &world->hosts[i];
        double at = from + rng_range(&world->rng, 0, 24);
        if (at >= world->now || !rng_chance(&world->rng, share))
            continue;
        /* The cause of an incident is not overwritten by an innocent. */
        bool guilty = false;
        for (size_t k = 0; k < world->incident_count; k++)
            guilty = guilty || (world->incidents[k].cause_name != NULL &&
                                strcmp(world->incidents[k].cause_name, name) == 0);
        if (guilty)
            return;
        world_set_fact(world, host, name, version, at);
        if (boots)
            world_add_boot(host, at);
    }
}

static void missing(struct world *world)
{
    for (size_t i = 0; i < world->host_count; i++) {
        struct world_host *host = &world->hosts[i];
        if (rng_chance(&world->rng, 0.6))
            host->loss = rng_range(&world->rng, 0.05, 0.6);
        if (rng_chance(&world->rng, 0.4)) {
            host->gap_from = world->now - rng_log_range(&world->rng, 4, 320);
            host->gap_to = host->gap_from + rng_log_range(&world->rng, 2, 72);
        }
    }
}

static void late(struct world *world)
{
    for (size_t i = 0; i < world->host_count; i++)
        if (rng_chance(&world->rng, 0.25))
            world->hosts[i].late = rng_log_range(&world->rng, 0.5, 30);
}

static void clocks(struct world *world)
{
    for (size_t i = 0; i < world->host_count; i++) {
        struct world_host *host = &world->hosts[i];
        if (!rng_chance(&world->rng, 0.15))
            continue;
        host->clock_from = world->now - rng_log_range(&world->rng, 6, 300);
        host->clock_to = host->clock_from + rng_log_range(&world->rng, 0.5, 48);
        host->clock_by =
            rng_chance(&world->rng, 0.3) ? 0.12 : -rng_log_range(&world->rng, 0.05, 40);
    }
}

/* 2^32 in half a day to four days. */
static void wraps(struct world *world)
{
    for (size_t i = 0; i < world->row_count; i++)
        if (rng_chance(&world->rng, 0.06))
            world->rows[i].churn = 4294967296.0 / rng_log_range(&world->rng, 12, 100);
}

static void dead_agents(struct world *world)
{
    for (size_t i = 0; i < world->host_count; i++)
        if (rng_chance(&world->rng, 0.1))
            world->hosts[i].dies = world->now - rng_log_range(&world->rng, 2, 330);
}

static void new_tags(struct world *world)
{
    size_t count = 2 + rng_pick(&world->rng, 8);
    double from = world->now - rng_log_range(&world->rng, 2, 250);
    for (size_t i = 0; i < count; i++) {
        char text[5] = "Nw00";
        text[2] = (char)('a' + (int)rng_pick(&world->rng, 26));
        text[3] = (char)('a' + (int)rng_pick(&world->rng, 26));
        struct world_row *row =
            world_row_get(world, rng_chance(&world->rng, 0.5) ? POOL_PAGED : POOL_NONPAGED, text);
        row->born = from + rng_range(&world->rng, 0, 5);
        row->base = rng_log_range(&world->rng, 1e5, 60e6);
        row->share = rng_range(&world->rng, 0.3, 1);
        row->spread = 0.15;
    }
}

/* More users on part of the hosts: processes grow for days and what they need with them. */
static void workload(struct world *world)
{
    double from = world->now - rng_range(&world->rng, 30, 200);
    for (size_t i = 0; i < world->host_count; i++) {
        if (!rng_chance(&world->rng, 0.3))
            continue;
        world->hosts[i].growth = world->hosts[i].processes * rng_range(&world->rng, 0.002, 0.008);
        world->hosts[i].growth_from = from;
    }
    change_rows(
        world, 0.06, 4e6,
        (struct world_row){.habit = HABIT_WORKLOAD, .tau = 1, .amplitude = 0.2, .noise = 0.03});
}

static void backup(struct world *world)
{
    change_rows(
        world, 0.04, 4e6,
        (struct world_row){.habit = HABIT_BACKUP, .tau = 1.2, .amplitude = 1, .noise = 0.02});
}

static void big_machine(struct world *world)
{
    if (world->host_count < 8)
        return;
    struct world_host *host = &world->hosts[rng_pick(&world->rng, world->host_count)];
    host->ram = 2048 * WORLD_GIB;
    host->processes *= 6;
    world_set_fact(world, host, "hw.ram_bytes", world_text(world, "%.0f", host->ram), -WORLD_NEVER);
    machine_sizes(world);
}

static void spikes(struct world *world)
{
    change_rows(
        world, 0.05, 4e6,
        (struct world_row){.habit = HABIT_SPIKES, .tau = 5, .amplitude = 1.2, .noise = 0.02});
}

static void nonsense(struct world *world)
{
    if (world->host_count < 8)
        return;
    size_t place = rng_pick(&world->rng, world->host_count);
    for (size_t k = 0; k < world->incident_count; k++)
        if (world->incidents[k].rate[place] > 0)
            return;
    world->hosts[place].nonsense = true;
}

static void hidden_boots(struct world *world)
{
    for (size_t i = 0; i < world->host_count; i++)
        world->hosts[i].hide_boot = rng_chance(&world->rng, 0.5);
}

/* Sizes, roles and uptimes are chosen as hosts are made (world.c); what is left is done here. */
static void (*const apply[CONF_COUNT])(struct world *world) = {
    [CONF_SLOW_CACHE] = slow_cache,
    [CONF_DAILY] = daily,
    [CONF_WEEKLY] = weekly,
    [CONF_SIZES] = machine_sizes,
    [CONF_ROLES] = role_mix,
    [CONF_ROLLING_REBOOTS] = rolling_reboots,
    [CONF_ROLLOUT] = rollout,
    [CONF_MISSING] = missing,
    [CONF_LATE] = late,
    [CONF_CLOCK] = clocks,
    [CONF_WRAPS] = wraps,
    [CONF_DEAD_AGENTS] = dead_agents,
    [CONF_NEW_TAGS] = new_tags,
    [CONF_WORKLOAD] = workload,
    [CONF_BACKUP] = backup,
    [CONF_BIG_MACHINE] = big_machine,
    [CONF_SPIKES] = spikes,
    [CONF_NONSENSE] = nonsense,
    [CONF_HIDDEN_BOOTS] = hidden_boots,
};

void world_add_confounders(struct world *world)
{
    for (size_t i = 0; i < CONF_COUNT; i++)
        if ((world->confounders >> i & 1) != 0 && apply[i] != NULL)
            apply[i](world);
}
