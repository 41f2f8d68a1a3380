/* SPDX-License-Identifier: Apache-2.0 */
/* Planting trouble: which hosts, which tags, how it grows, and what explains it. */
#include "tests/detect/world.h"

#include <stdlib.h>
#include <string.h>

#define KIND(k) (1u << FINDING_##k)
/* Exhaustion may be said of anything that grows near a limit. */
#define KINDS_GROWING (KIND(LEAK) | KIND(EXHAUSTION))

static const struct {
    const char *name;
    unsigned kinds;
} shapes[SHAPE_COUNT] = {
    [SHAPE_LINEAR] = {"linear", KINDS_GROWING},
    [SHAPE_ACCELERATING] = {"accelerating", KINDS_GROWING},
    [SHAPE_STAIR] = {"stair", KINDS_GROWING},
    [SHAPE_OFFICE] = {"office hours", KINDS_GROWING},
    [SHAPE_BURSTY] = {"bursty", KINDS_GROWING},
    [SHAPE_PLATEAU] = {"flat after growth",
                       KINDS_GROWING | KIND(PLATEAU) | KIND(LEVEL) | KIND(HANDLE_LEAK)},
    [SHAPE_LEVEL] = {"level", KIND(LEVEL) | KIND(PLATEAU) | KIND(EXHAUSTION)},
    [SHAPE_STEP] = {"shift", KIND(SHIFT)},
};

const char *world_shape_name(enum world_shape shape)
{
    return shapes[shape].name;
}

const char *world_start_name(enum world_start start)
{
    static const char *const names[START_COUNT] = {"from boot", "event", "app start"};
    return names[start];
}

struct world_incident *world_new_incident(struct world *world)
{
    struct world_incident *list = world_alloc(world, world->incident_count + 1, sizeof *list);
    if (world->incident_count > 0)
        memcpy(list, world->incidents, world->incident_count * sizeof *list);
    world->incidents = list;
    struct world_incident *incident = &list[world->incident_count++];
    incident->rate = world_alloc(world, world->host_count, sizeof *incident->rate);
    incident->onset = world_alloc(world, world->host_count, sizeof *incident->onset);
    incident->off = world_alloc(world, world->host_count, sizeof *incident->off);
    for (size_t i = 0; i < world->host_count; i++) {
        incident->onset[i] = WORLD_NEVER;
        incident->off[i] = WORLD_NEVER;
    }
    return incident;
}

void world_bind_incident(struct world *world, struct world_incident *incident)
{
    int place = (int)(incident - world->incidents);
    for (size_t i = 0; i < incident->tag_count; i++) {
        unsigned char bytes[5] = {0};
        tag_to_bytes(incident->tags[i], bytes);
        struct world_row *row = world_row_get(world, incident->pool, (const char *)bytes);
        row->incident = place;
        row->member = (int)i;
        row->block = incident->block[i];
        row->share = 1;
        bool frees = rng_chance(&world->rng, i == 0 ? 0.3 : 0.8);
        if (incident->tag_count > 1)
            row->churn = frees ? rng_log_range(&world->rng, 100, 1e6) : 0;
    }
}

/* ---- who -------------------------------------------------------------------- */

static size_t count_with(const struct world *world, const char *name, const char *value)
{
    size_t count = 0;
    for (size_t i = 0; i < world->host_count; i++) {
        const char *has = world_fact_at(&world->hosts[i], name, world->now);
        count += has != NULL && strcmp(has, value) == 0;
    }
    return count;
}

/* One version cannot be the cause of two: the second would replace the first. */
static bool blamed(const struct world *world, const struct world_incident *incident,
                   const char *name)
{
    for (size_t i = 0; i < world->incident_count; i++)
        if (&world->incidents[i] != incident && world->incidents[i].cause_name != NULL &&
            strcmp(world->incidents[i].cause_name, name) == 0)
            return true;
    return false;
}

/* An attribute that some hosts have already, or a new version given to a share of them. */
static void choose_cause(struct world *world, struct world_incident *incident, double share,
                         double from)
{
    static const char *const drivers[] = {"amdkmdag.sys",  "npcap.sys",  "vpnlwf.sys", "dlpmon.sys",
                                          "backupflt.sys", "fltvss.sys", "netkvm.sys"};
    struct rng *rng = &world->rng;
    double what = rng_unit(rng);
    size_t count = world->host_count;
    if (what < 0.14 &&
        incident->shape != SHAPE_STEP) { /* something that is there anyway: a build or a model */
        const char *name = rng_chance(rng, 0.6) ? "os.build" : "hw.model";
        const char *value = world_fact_at(&world->hosts[rng_pick(rng, count)], name, world->now);
        size_t with = count_with(world, name, value);
        if (with >= 2 && with * 10 <= count * 7 && incident->start == START_BOOT) {
            incident->cause_name = name;
            incident->cause_value = value;
            return;
        }
    }
    const char *name;
    do {
        name = rng_chance(rng, 0.7)
                   ? world_text(world, "driver/%s",
                                drivers[rng_pick(rng, sizeof drivers / sizeof drivers[0])])
               : rng_chance(rng, 0.5) ? "app/browser"
                                      : "app/inventory";
    } while (blamed(world, incident, name));
    incident->cause_name = name;
    incident->cause_value = world_text(world, "%zu.%zu.%zu", 31 + rng_pick(rng, 9),
                                       rng_pick(rng, 9), rng_pick(rng, 99));
    /* Usually it is spread over the fleet; sometimes it went to one kind of machine only. */
    enum world_role only = world->hosts[rng_pick(rng, count)].role;
    bool narrow = rng_chance(rng, 0.3);
    size_t given = 0;
    for (size_t i = 0; i < count; i++) {
        struct world_host *host = &world->hosts[i];
        bool takes = rng_chance(rng, share) && (!narrow || host->role == only);
        /* Every fleet needs someone: the last hosts fill up. */
        if (!takes && given == 0 && i + 1 == count)
            takes = true;
        if (!takes)
            continue;
        given++;
        double at = from <= -WORLD_NEVER ? from : from + rng_range(rng, 0, 6);
        world_set_fact(world, host, incident->cause_name, incident->cause_value, at);
    }
}

static double fact_since(const struct world_host *host, const struct world_incident *incident)
{
    for (size_t i = 0; i < host->fact_count; i++)
        if (host->facts[i].to >= WORLD_NEVER &&
            strcmp(host->facts[i].name, incident->cause_name) == 0 &&
            strcmp(host->facts[i].value, incident->cause_value) == 0)
            return host->facts[i].from;
    return WORLD_NEVER;
}

static void afflict(struct world *world, struct world_incident *incident, size_t index,
                    double since, double spread)
{
    struct world_host *host = &world->hosts[index];
    incident->onset[index] = since;
    incident->rate[index] = exp(spread * rng_normal(&world->rng));
    /* A driver that came with a restart; an app starts without one. */
    if (since > -WORLD_NEVER && incident->start == START_BOOT)
        world_add_boot(host, since);
}

static void choose_hosts(struct world *world, struct world_incident *incident, double from)
{
    struct rng *rng = &world->rng;
    double penetrance = rng_chance(rng, 0.7) ? 1 : rng_range(rng, 0.8, 1);
    double spread = rng_range(rng, 0, 0.5);
    size_t count = 0;
    for (size_t i = 0; i < world->host_count; i++) {
        double since = incident->cause_name == NULL ? from : fact_since(&world->hosts[i], incident);
        if (since >= WORLD_NEVER || !rng_chance(rng, penetrance))
            continue;
        if (incident->cause_name == NULL)
            continue;
        afflict(world, incident, i, since, spread);
        count++;
    }
    if (incident->cause_name != NULL && count > 0)
        return;
    incident->cause_name = NULL; /* no attribute knows: one to three hosts */
    size_t some = world->host_count < 10 ? 1 : 1 + rng_pick(rng, 3);
    for (size_t k = 0; k < some; k++)
        afflict(world, incident, rng_pick(rng, world->host_count), from, spread);
}

/* ---- what ------------------------------------------------------------------- */

static bool tag_taken(const struct world *world, const struct world_incident *incident,
                      uint32_t tag, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (incident->tags[i] == tag)
            return true;
    for (size_t i = 0; i < world->row_count; i++)
        if (world->rows[i].tag == tag && world->rows[i].pool == incident->pool &&
            (world->rows[i].incident >= 0 || world->rows[i].base > 2e6))
            return true;
    return false;
}

static uint32_t choose_tag(struct world *world, const struct world_incident *incident,
                           const struct tagdict *dict, size_t count)
{
    struct rng *rng = &world->rng;
    for (;;) {
        uint32_t tag = 0;
        double how = rng_unit(rng);
        if (how < 0.5) { /* a row that is there */
            const struct world_row *row = &world->rows[rng_pick(rng, world->row_count)];
            tag = row->pool == incident->pool && row->habit != HABIT_CACHE ? row->tag : 0;
        } else if (how < 0.7 && dict != NULL) {
            const struct tagdict_entry *entry =
                tagdict_at(dict, rng_pick(rng, tagdict_count(dict)));
            tag = entry->any == 0 ? entry->tag : 0;
        } else {
            char text[5] = "Zx00";
            text[0] = (char)('A' + (int)rng_pick(rng, 26));
            text[1] = (char)('a' + (int)rng_pick(rng, 26));
            text[2] = (char)('a' + (int)rng_pick(rng, 26));
            text[3] = (char)('0' + (int)rng_pick(rng, 10));
            tag = world_tag(text);
        }
        if (tag != 0 && !tag_taken(world, incident, tag, count))
            return tag;
    }
}

/* The first mover is seldom the biggest: followers have larger blocks or more of them. What tells
 * it is that it is ahead by minutes to hours and, mostly, that it frees nothing (bind). */
static void choose_tags(struct world *world, struct world_incident *incident,
                        const struct tagdict *dict, size_t wanted)
{
    static const double blocks[] = {48, 64, 112, 160, 256, 400, 768, 1536, 4096};
    static const double ratios[] = {1, 1, 1, 1.0001, 1.022, 1.999, 2, 0.5, 3};
    struct rng *rng = &world->rng;
    double longest = fmin(fmax(0.02 * incident->path_hours, 0.11), 3);
    incident->tag_count = wanted;
    for (size_t i = 0; i < wanted; i++) {
        incident->tags[i] = choose_tag(world, incident, dict, i);
        incident->block[i] = blocks[rng_pick(rng, 9)];
        incident->ratio[i] = i == 0 ? 1 : ratios[rng_pick(rng, 9)];
        incident->lag[i] = i == 0 ? 0 : rng_log_range(rng, 0.1, longest);
    }
    if (wanted > 1 && incident->block[0] > incident->block[1])
        incident->block[1] = incident->block[0] * 2;
    if (wanted == 1 && incident->block[0] < 64)
        incident->block[0] = 64;
}

static double unit_bytes(const struct world_incident *incident)
{
    double sum = 0;
    for (size_t i = 0; i < incident->tag_count; i++)
        sum += incident->ratio[i] * incident->block[i];
    return sum;
}

/* Room from healthy use to the limit that comes first. */
static double headroom(const struct world_host *host, enum pool pool)
{
    double commit = host->ram * (1 + host->page_file - host->working_set - 0.08);
    double limit =
        pool == POOL_NONPAGED ? fmin(host->ram * (host->np_limit - 0.05), commit) : commit;
    return limit;
}

/* Who runs out restarts; a fast leak has killed the host a few times already. */
static void restart_in_time(struct world *world, struct world_host *host, double onset, double path)
{
    double from = fmax(onset, world->now - 20 * 24);
    double at = world->now;
    for (size_t n = 0; at > from && n < 40; n++) {
        double since = fmax(world_boot_at(host, at), onset);
        if (at - since > 0.9 * path) {
            since = at - path * rng_range(&world->rng, n == 0 ? 0.1 : 0.5, 0.85);
            world_add_boot(host, since);
        }
        at = since - 0.001;
    }
}

/* Rates were relative so far; now blocks an hour, and no host past its limit at the end. */
void world_limit_growth(struct world *world, struct world_incident *incident)
{
    double unit = unit_bytes(incident);
    for (size_t i = 0; i < world->host_count; i++) {
        struct world_host *host = &world->hosts[i];
        if (incident->rate[i] <= 0)
            continue;
        double room = headroom(host, incident->pool);
        double path = incident->path_hours / incident->rate[i];
        incident->rate[i] = room / path / unit;
        if (incident->shape < SHAPE_PLATEAU)
            restart_in_time(world, host, incident->onset[i], path);
        double held = world_growth_bytes(world, incident, i, world->now);
        if (held > 0.92 * room)
            incident->rate[i] *= 0.92 * room / held;
    }
}

void world_need_load_sums(struct world *world)
{
    for (size_t i = 0; i < world->host_count; i++) {
        struct world_host *host = &world->hosts[i];
        if (host->load_sum != NULL)
            continue;
        host->load_sum = calloc(2003, sizeof *host->load_sum);
        if (host->load_sum == NULL)
            abort();
        for (size_t h = 0; h < 2002; h++)
            host->load_sum[h + 1] =
                host->load_sum[h] + (float)world_load(host, world->seed, (double)h + 0.5);
    }
}

static void choose_scale(struct world *world, struct world_incident *incident, double elapsed)
{
    struct rng *rng = &world->rng;
    double scale = 1;
    if (incident->shape == SHAPE_ACCELERATING)
        scale = incident->path_hours / 3;
    else if (incident->shape == SHAPE_STAIR)
        scale = fmax(rng_range(rng, 0.04, 0.2) * elapsed, 0.25);
    else if (incident->shape == SHAPE_BURSTY)
        scale = fmax(rng_range(rng, 0.03, 0.15) * elapsed, 0.2);
    else if (incident->shape == SHAPE_PLATEAU)
        scale = elapsed * rng_range(rng, 0.2, 0.6);
    else if (incident->shape >= SHAPE_LEVEL)
        scale = incident->path_hours * rng_range(rng, 0.05, 0.4);
    incident->scale = scale;
}

static void choose_objects(struct world *world, struct world_incident *incident)
{
    static const struct {
        const char tag[5];
        enum pool pool;
        const char *type;
        double block;
    } kinds[] = {
        {"Toke", POOL_PAGED, "Token", 1600},       {"Even", POOL_NONPAGED, "Event", 128},
        {"Thre", POOL_NONPAGED, "Thread", 2304},   {"File", POOL_NONPAGED, "File", 416},
        {"Sema", POOL_NONPAGED, "Semaphore", 128}, {"Key ", POOL_PAGED, "Key", 240},
        {"Proc", POOL_NONPAGED, "Process", 3072},
    };
    static const char *const images[] = {"agentsvc.exe", "updater.exe", "monitor.exe",
                                         "TestApp.exe"};
    struct rng *rng = &world->rng;
    size_t which = rng_pick(rng, sizeof kinds / sizeof kinds[0]);
    for (size_t i = 0; i < world->row_count; i++)
        if (world->rows[i].tag == world_tag(kinds[which].tag) && world->rows[i].incident >= 0)
            return;
    incident->pool = kinds[which].pool;
    incident->tags[0] = world_tag(kinds[which].tag);
    incident->block[0] = kinds[which].block;
    incident->ratio[0] = 1;
    incident->tag_count = 1;
    incident->object_type = kinds[which].type;
    incident->image = images[rng_pick(rng, 4)];
}

static enum world_shape pick_shape(struct rng *rng)
{
    static const unsigned char weight[SHAPE_LEVEL + 1] = {30, 14, 13, 13, 12, 11, 7};
    size_t at = rng_pick(rng, 100);
    for (size_t i = 0; i <= SHAPE_LEVEL; i++) {
        if (at < weight[i])
            return (enum world_shape)i;
        at -= weight[i];
    }
    return SHAPE_LINEAR;
}

struct world_incident *world_add_incident(struct world *world, const struct incident_plan *plan,
                                          const struct tagdict *dict)
{
    static const unsigned char counts[] = {1, 1, 1, 1, 1, 2, 2, 3, 4, 6, 8, 12};
    struct rng *rng = &world->rng;
    struct world_incident *incident = world_new_incident(world);
    incident->shape = plan->fixed_shape ? plan->shape : pick_shape(rng);
    incident->start =
        plan->fixed_shape ? plan->start : (enum world_start)rng_pick(rng, START_COUNT);
    if (incident->shape == SHAPE_LEVEL || incident->shape == SHAPE_STEP)
        incident->start = START_BOOT;
    incident->pool = rng_chance(rng, 0.65) ? POOL_NONPAGED : POOL_PAGED;
    incident->kinds = shapes[incident->shape].kinds;
    incident->story = shapes[incident->shape].name;
    incident->app_delay = rng_range(rng, 0.5, 6);
    incident->rough = rng_unit(rng);
    incident->path_hours = rng_log_range(rng, plan->path_low, plan->path_high);
    if (incident->shape == SHAPE_LEVEL) /* only says how large: see choose_scale */
        incident->path_hours = fmax(incident->path_hours, 100);
    if (incident->shape < SHAPE_PLATEAU && rng_chance(rng, 0.15))
        choose_objects(world, incident);
    if (incident->tag_count == 0)
        choose_tags(world, incident, dict,
                    plan->tag_count > 0 ? plan->tag_count : counts[rng_pick(rng, sizeof counts)]);
    if (incident->object_type != NULL)
        incident->kinds |= KIND(HANDLE_LEAK);
    double longest = fmin(13 * 24, 0.85 * incident->path_hours);
    double elapsed =
        rng_log_range(rng, fmax(2, 0.03 * incident->path_hours) * 0.999, fmax(longest, 2.5));
    double from = world->now - elapsed;
    if (incident->start == START_BOOT && incident->shape != SHAPE_STEP && rng_chance(rng, 0.5))
        from = -WORLD_NEVER; /* since ever: begins with each boot */
    incident->cause_name = "none";
    if (rng_chance(rng, plan->share > 0 ? 1 : 0.88))
        choose_cause(world, incident, plan->share > 0 ? plan->share : rng_log_range(rng, 0.02, 0.6),
                     from);
    else
        incident->cause_name = NULL;
    choose_hosts(world, incident, from);
    choose_scale(world, incident, elapsed);
    if (incident->shape == SHAPE_OFFICE)
        world_need_load_sums(world);
    world_bind_incident(world, incident);
    world_limit_growth(world, incident);
    return incident;
}

/* Usually a driver's new version shows in the driver's own tag. */
static void own_tag(struct world *world, struct world_incident *incident,
                    const struct tagdict *dict)
{
    struct rng *rng = &world->rng;
    const struct tagdict_entry *entry = NULL;
    for (size_t n = 0; n < 2000; n++) {
        entry = tagdict_at(dict, rng_pick(rng, tagdict_count(dict)));
        if (entry->any == 0 && entry->driver != NULL && strstr(entry->driver, ".sys") != NULL &&
            strchr(entry->driver, ' ') == NULL && !tag_taken(world, incident, entry->tag, 0))
            break;
        entry = NULL;
    }
    if (entry == NULL)
        return;
    incident->tags[0] = entry->tag;
    incident->cause_name = world_text(world, "driver/%s", entry->driver);
    for (size_t i = 0; i < world->host_count; i++) {
        double since = incident->onset[i];
        world_set_fact(world, &world->hosts[i], incident->cause_name, "4.1.20.3", -WORLD_NEVER);
        if (incident->rate[i] > 0)
            world_set_fact(world, &world->hosts[i], incident->cause_name, incident->cause_value,
                           since);
    }
}

void world_add_shift(struct world *world, const struct tagdict *dict)
{
    struct incident_plan plan = {.shape = SHAPE_STEP,
                                 .start = START_BOOT,
                                 .fixed_shape = true,
                                 .path_low = 300,
                                 .path_high = 3000,
                                 .share = rng_range(&world->rng, 0.15, 0.6),
                                 .tag_count = 1};
    struct world_incident *incident = world_add_incident(world, &plan, dict);
    if (rng_chance(&world->rng, 0.7) && incident->cause_name != NULL) {
        world_row_find(world, incident->pool, incident->tags[0])->incident = -1;
        own_tag(world, incident, dict);
        world_bind_incident(world, incident);
    }
    /* A steady need of 8 to 200 MiB, with a base of the old version. */
    double need = rng_log_range(&world->rng, 8, 200) * WORLD_MIB;
    struct world_row *row = world_row_find(world, incident->pool, incident->tags[0]);
    row->base = need * rng_range(&world->rng, 0.2, 0.8);
    row->spread = 0.1;
    row->ram_power = 0;
    row->habit = HABIT_WANDER;
    row->amplitude = 0.05;
    row->noise = 0.02;
    for (size_t i = 0; i < ROLE_COUNT; i++)
        row->role_factor[i] = 1;
    for (size_t i = 0; i < world->host_count; i++) {
        if (incident->rate[i] <= 0)
            continue;
        incident->rate[i] =
            need * exp(0.1 * rng_normal(&world->rng)) / incident->scale / incident->block[0];
    }
}
