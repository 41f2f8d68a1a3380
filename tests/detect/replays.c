/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public threads as fleets (ANCHORS 2.3): their tags, ratios, sizes and rates where the thread says
 * them, in a fleet that is made up. Tags of a thread that names none are invented.
 */
#include "tests/detect/world.h"

#include <string.h>

#define KIND(k) (1u << FINDING_##k)

struct story {
    enum world_shape shape;
    enum world_start start;
    enum pool pool;
    size_t tag_count;
    struct {
        const char tag[5];
        double block, ratio, lag;
    } tags[10];
    double rate;    /* blocks of the first tag per hour */
    double scale;   /* see struct world_incident */
    double elapsed; /* hours since it began, where it did not begin with the boot */
    double churn;   /* blocks of the first tag per hour that come and go */
    double ram_gib; /* of the hosts that have it; 0: as they are */
    const char *cause_name, *bad, *bad_also, *good[5];
    const char *object_type, *image;
    unsigned kinds;
};

static const struct story stories[] = {
    /* Process objects stay: 39,511 against 284 live; the display driver's version explains it. */
    {.shape = SHAPE_OFFICE,
     .start = START_BOOT,
     .pool = POOL_NONPAGED,
     .tag_count = 1,
     .tags = {{"Proc", 3072, 1, 0}},
     .rate = 390,
     .cause_name = "driver/amdkmdag.sys",
     .bad = "32.0.11002.41",
     .good = {"32.0.21045.1000", "32.0.21030.2001"},
     .object_type = "Process",
     .kinds = KIND(LEAK) | KIND(HANDLE_LEAK) | KIND(EXHAUSTION)},
    /* 1.76 and 1.77 leak, 1.71 to 1.75 and 1.78 do not. */
    {.shape = SHAPE_LINEAR,
     .start = START_BOOT,
     .pool = POOL_NONPAGED,
     .tag_count = 2,
     .tags = {{"NpcA", 1536, 1, 0}, {"NpcN", 160, 1, 0.1}},
     .rate = 12000,
     .cause_name = "driver/npcap.sys",
     .bad = "1.77",
     .bad_also = "1.76",
     .good = {"1.71", "1.73", "1.75", "1.78"},
     .kinds = KIND(LEAK) | KIND(EXHAUSTION)},
    /* Seven tags with the first in lockstep, ratios 1.000 to 1.022, IoFE 1.999; 22 GB an hour. */
    {.shape = SHAPE_LINEAR,
     .start = START_APP,
     .pool = POOL_NONPAGED,
     .tag_count = 8,
     .tags = {{"WCsc", 192, 1, 0},
              {"NtfC", 1536, 1.022, 0.15},
              {"IoFE", 128, 1.999, 0.15},
              {"FMsl", 368, 1.001, 0.15},
              {"NtFC", 240, 1.004, 0.15},
              {"Ntfc", 112, 1.0, 0.15},
              {"FOCX", 208, 1.0, 0.15},
              {"File", 416, 1.013, 0.15}},
     .rate = 6.3e6,
     .elapsed = 1.7,
     .ram_gib = 64,
     .cause_name = "app/wsl",
     .bad = "2.7.1",
     .good = {"2.5.10", "2.6.1"},
     .kinds = KIND(LEAK) | KIND(HANDLE_LEAK) | KIND(EXHAUSTION)},
    /* 21.35 GB that stay to the byte: rose within hours, flat since. */
    {.shape = SHAPE_PLATEAU,
     .start = START_APP,
     .pool = POOL_NONPAGED,
     .tag_count = 3,
     .tags = {{"WCfb", 256, 1, 0}, {"NtfC", 1536, 1, 0.15}, {"IoFE", 128, 2, 0.15}},
     .rate = 2.2e6,
     .scale = 5,
     .elapsed = 70,
     .ram_gib = 64,
     .cause_name = "app/wsl",
     .bad = "2.7.3",
     .good = {"2.5.10", "2.6.1"},
     .kinds = KIND(PLATEAU) | KIND(LEVEL) | KIND(LEAK) | KIND(EXHAUSTION)},
    /* Tokens in bursts: nothing over 3 s, 15 a second over a minute, 3.7 a second since boot. */
    {.shape = SHAPE_BURSTY,
     .start = START_BOOT,
     .pool = POOL_PAGED,
     .tag_count = 1,
     .tags = {{"Toke", 1600, 1, 0}},
     .rate = 13320,
     .scale = 3,
     .cause_name = "app/codeagent",
     .bad = "2.1.9",
     .good = {"2.0.4", "2.0.7"},
     .object_type = "Token",
     .kinds = KIND(LEAK) | KIND(HANDLE_LEAK) | KIND(EXHAUSTION)},
    /* 1.6 thousand million allocations of one tag in one boot; here the counters wrap. */
    {.shape = SHAPE_LINEAR,
     .start = START_BOOT,
     .pool = POOL_PAGED,
     .tag_count = 1,
     .tags = {{"Cdx1", 512, 1, 0}},
     .rate = 20000,
     .churn = 9e7,
     .cause_name = "app/codex",
     .bad = "0.98",
     .good = {"0.91", "0.95"},
     .kinds = KIND(LEAK) | KIND(EXHAUSTION)},
};

enum { SILENT_SANDBOXES = sizeof stories / sizeof stories[0], SILENT_FILE_SERVER, REPLAY_COUNT };

static const char *const names[REPLAY_COUNT] = {
    "Dev-Performance#137", "npcap#688",   "WSL#40804",     "WSL#41644",
    "melodic#3715",        "codex#31212", "Sandboxie#444", "file server, large MmSt",
};

size_t world_replay_count(void)
{
    return REPLAY_COUNT;
}

const char *world_replay_name(size_t index)
{
    return names[index];
}

/* Versions over the fleet: a fifth has a bad one; a tenth of all moved from the bad to a good one.
 */
static void give_versions(struct world *world, struct world_incident *incident,
                          const struct story *story)
{
    struct rng *rng = &world->rng;
    size_t good = 0;
    while (good < 5 && story->good[good] != NULL)
        good++;
    for (size_t i = 0; i < world->host_count; i++) {
        struct world_host *host = &world->hosts[i];
        double lot = rng_unit(rng);
        bool second = story->bad_also != NULL && rng_chance(rng, 0.5);
        const char *bad = second ? story->bad_also : story->bad;
        if (lot < 0.2 || i < 2) {
            world_set_fact(world, host, story->cause_name, bad, -WORLD_NEVER);
        } else if (lot < 0.3) {
            double at = world->now - rng_range(rng, 30, 300);
            world_set_fact(world, host, story->cause_name, bad, -WORLD_NEVER);
            world_set_fact(world, host, story->cause_name, story->good[0], at);
            incident->off[i] = at;
            world_add_boot(host, at);
        } else {
            if (lot < 0.9)
                world_set_fact(world, host, story->cause_name, story->good[rng_pick(rng, good)],
                               -WORLD_NEVER);
            continue;
        }
        incident->rate[i] = story->rate * exp(0.2 * rng_normal(rng));
        incident->onset[i] = story->elapsed > 0
                                 ? world->now - story->elapsed * rng_range(rng, 0.6, 1.1)
                                 : -WORLD_NEVER;
        if (story->ram_gib > 0) {
            host->ram = story->ram_gib * WORLD_GIB;
            world_set_fact(world, host, "hw.ram_bytes", world_text(world, "%.0f", host->ram),
                           -WORLD_NEVER);
        }
    }
}

/* Hosts that were cured in time are not part of it any more. */
static void keep_alive(struct world *world, struct world_incident *incident)
{
    for (size_t i = 0; i < world->host_count; i++) {
        struct world_host *host = &world->hosts[i];
        if (incident->rate[i] <= 0)
            continue;
        /* Days of uptime so that there is something to see, but not more than it can carry. */
        double held = world_growth_bytes(world, incident, i, world->now);
        double bearable = host->ram * 0.6;
        for (int n = 0; held > bearable && n < 20; n++) {
            incident->rate[i] *= 0.9 * bearable / held;
            held = world_growth_bytes(world, incident, i, world->now);
        }
    }
}

static void tell(struct world *world, const struct story *story)
{
    struct world_incident *incident = world_new_incident(world);
    incident->shape = story->shape;
    incident->start = story->start;
    incident->pool = story->pool;
    incident->tag_count = story->tag_count;
    incident->story = world->kind;
    incident->kinds = story->kinds;
    incident->cause_name = story->cause_name;
    incident->cause_value = story->bad;
    incident->cause_also = story->bad_also;
    incident->object_type = story->object_type;
    incident->image = story->image;
    incident->scale = story->scale;
    incident->app_delay = 1;
    incident->rough = 0.5;
    for (size_t i = 0; i < story->tag_count; i++) {
        incident->tags[i] = world_tag(story->tags[i].tag);
        incident->block[i] = story->tags[i].block;
        incident->ratio[i] = story->tags[i].ratio;
        incident->lag[i] = story->tags[i].lag;
    }
    double unit = 0;
    for (size_t i = 0; i < story->tag_count; i++)
        unit += incident->block[i] * incident->ratio[i];
    double ram = story->ram_gib > 0 ? story->ram_gib : 32;
    incident->path_hours = 0.6 * ram * WORLD_GIB / (story->rate * unit);
    give_versions(world, incident, story);
    for (size_t i = 0; incident->path_hours < 24 && i < world->host_count; i++)
        if (incident->rate[i] > 0) /* what kills in hours is watched closely */
            world->hosts[i].interval = 1 / 60.0;
    world_need_load_sums(world);
    world_bind_incident(world, incident);
    if (story->churn > 0)
        world_row_find(world, story->pool, incident->tags[0])->churn = story->churn;
    keep_alive(world, incident);
}

/* Boxes are opened over days on some hosts: more processes, and more of all they need. */
static void sandboxes(struct world *world)
{
    static const char *const tags[] = {"SbDr", "SbPr", "SbTk", "SbFi"};
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        struct world_row *row =
            world_row_get(world, i % 2 == 0 ? POOL_PAGED : POOL_NONPAGED, tags[i]);
        row->habit = HABIT_WORKLOAD;
        row->base = rng_log_range(&world->rng, 10e6, 90e6);
        row->noise = 0.01;
    }
    for (size_t i = 0; i < world->host_count; i++) {
        struct world_host *host = &world->hosts[i];
        world_set_fact(world, host, "driver/sbiedrv.sys", "5.55.0", -WORLD_NEVER);
        if (i >= 2 && !rng_chance(&world->rng, 0.25))
            continue;
        host->growth = rng_range(&world->rng, 0.6, 2.5);
        host->growth_from = world->now - rng_range(&world->rng, 50, 160);
    }
}

static void file_server(struct world *world)
{
    struct world_row *row = world_row_get(world, POOL_PAGED, "MmSt");
    size_t servers = 1 + rng_pick(&world->rng, 4);
    row->tau = rng_range(&world->rng, 20, 60);
    row->role_factor[ROLE_FILE] = rng_range(&world->rng, 8, 20);
    for (size_t i = 0; i < servers && i < world->host_count; i++) {
        struct world_host *host = &world->hosts[i];
        host->role = ROLE_FILE;
        host->ram = 128 * WORLD_GIB;
        world_set_fact(world, host, "role", "file-server", -WORLD_NEVER);
        world_set_fact(world, host, "hw.ram_bytes", world_text(world, "%.0f", host->ram),
                       -WORLD_NEVER);
        world_set_fact(world, host, "os.name", "Windows Server", -WORLD_NEVER);
    }
}

void world_make_replay(struct world *world, size_t index, const struct tagdict *dict)
{
    struct world_size size = {.hosts = 30 + rng_pick(&world->rng, 90),
                              .rows = 60 + rng_pick(&world->rng, 100),
                              .confounders = rng_chance(&world->rng, 0.5) ? 1u << CONF_DAILY : 0};
    world->kind = names[index];
    world_make(world, dict, &size);
    if (index < SILENT_SANDBOXES)
        tell(world, &stories[index]);
    else if (index == SILENT_SANDBOXES)
        sandboxes(world);
    else
        file_server(world);
    world_add_confounders(world);
}
