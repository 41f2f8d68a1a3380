/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sim/world.h"
#include "agent/core/schedule.h"
#include "agent/sim/rng.h"
#include "common/limits.h"

#include <math.h>
#include <stdarg.h>

#define GIB         1073741824.0
#define FACTS_MAX   144 /* 16 of our own and at most 128 of a scenario */
#define OWN_CHANGES 8   /* reboots and updates of a host's own life: at most three */

static const char *format(struct arena *arena, const char *form, ...) PRINTF_LIKE(2, 3);
static const char *format(struct arena *arena, const char *form, ...)
{
    va_list args;
    AUTO_FREE char *text = NULL;
    va_start(args, form);
    int n = vasprintf(&text, form, args);
    va_end(args);
    if (n < 0) {
        text = NULL;
        return NULL;
    }
    return arena_strdup(arena, text);
}

static void add_fact(struct sim_host *host, const char *name, const char *value)
{
    for (size_t i = 0; i < host->fact_count; i++) {
        if (strcmp(host->facts[i].name, name) == 0) {
            host->facts[i].value = value;
            return;
        }
    }
    if (host->fact_count < FACTS_MAX && value != NULL)
        host->facts[host->fact_count++] = (struct sim_fact){name, value};
}

static void add_change(struct sim_host *host, struct sim_change change)
{
    size_t at = host->change_count++;
    for (; at > 0 && host->changes[at - 1].at_us > change.at_us; at--)
        host->changes[at] = host->changes[at - 1];
    host->changes[at] = change;
}

static enum status give_id(struct sim_host *host, const char *name, uint64_t seed)
{
    host->name = arena_strdup(&host->arena, name);
    if (host->name == NULL)
        return ST_NOMEM;
    host->seed = rng_hash_text(seed, name);
    host->rng = rng_hash(host->seed, 1);
    uint64_t a = rng_hash(host->seed, 2), b = rng_hash(host->seed, 3);
    snprintf(host->id, sizeof host->id, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32),
             (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff),
             (unsigned)(0x8000 | (b >> 48 & 0x3fff)), (unsigned long long)(b & 0xffffffffffffu));
    host->facts = arena_alloc(&host->arena, FACTS_MAX, sizeof *host->facts);
    host->changes = arena_alloc(&host->arena,
                                (host->group != NULL ? host->group->change_count : 0) + OWN_CHANGES,
                                sizeof *host->changes);
    return host->facts != NULL && host->changes != NULL ? ST_OK : ST_NOMEM;
}

static void give_facts(struct sim_host *host, const char *build, const char *model)
{
    static const char *const sites[] = {"ams", "fra", "iad"};
    add_fact(host, "os.build", build);
    add_fact(host, "os.name", catalog_os_name(build, host->role->server));
    add_fact(host, "os.arch", "x64");
    add_fact(host, "hw.ram_bytes", format(&host->arena, "%.0f", host->ram_bytes));
    add_fact(host, "hw.model", model);
    add_fact(host, "role", host->role->name);
    add_fact(host, "site", sites[rng_hash(host->seed, 5) % 3]);
    add_fact(host, "poolfleet.simulated", "true");
}

static void add_driver(struct sim_host *host, struct sim_driver driver)
{
    for (size_t i = 0; i < host->driver_count; i++) {
        if (strcmp(host->drivers[i].name, driver.name) == 0) {
            host->drivers[i] = driver;
            return;
        }
    }
    host->drivers[host->driver_count++] = driver;
}

static enum status give_drivers(struct sim_host *host, const char *build)
{
    size_t extra = host->group != NULL ? host->group->driver_count : 0;
    host->drivers = arena_alloc(&host->arena, catalog_driver_count + extra, sizeof *host->drivers);
    const char *system = format(&host->arena, "10.0.%s", build);
    if (host->drivers == NULL || system == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < catalog_driver_count; i++) {
        const struct catalog_driver *from = &catalog_drivers[i];
        uint64_t draw = rng_hash(host->seed, 0x64000000u + i);
        if (rng_unit_of(draw) >= from->prevalence)
            continue;
        unsigned pick = (unsigned)(draw & 0xff);
        const char *version = from->versions[pick < 140 ? 0 : pick < 210 ? 1 : 2];
        struct sim_driver driver = {.name = from->name,
                                    .version = version != NULL ? version : system,
                                    .company = from->company};
        for (const char *tag = from->tags; tag != NULL && *tag != '\0'; tag += 4) {
            unsigned char bytes[4];
            memcpy(bytes, tag, sizeof bytes);
            driver.tags[driver.tag_count++] = tag_from_bytes(bytes);
        }
        add_driver(host, driver);
    }
    for (size_t i = 0; i < extra; i++) {
        const struct scenario_driver *from = &host->group->drivers[i];
        struct sim_driver driver = {
            .name = from->name, .version = from->version, .company = from->company};
        for (size_t t = 0; t < from->tag_count && t < 16; t++)
            driver.tags[driver.tag_count++] = from->tags[t];
        add_driver(host, driver);
    }
    return ST_OK;
}

static bool row_applies(const struct sim_host *host, const struct scenario_row *spec)
{
    return spec->on == ON_ALL || (spec->on == ON_UNAFFECTED) == host->group->unaffected;
}

static int row_order(const void *a, const void *b)
{
    uint32_t x = ((const struct sim_row *)a)->tag, y = ((const struct sim_row *)b)->tag;
    return x == y ? 0 : x < y ? -1 : 1;
}

static struct sim_row make_row(struct sim_host *host, const struct catalog_tag *tag)
{
    uint64_t state = rng_hash(host->seed, tag->tag * 2ull + (uint64_t)tag->pool);
    bool cache = tag->kind == ROW_CACHE;
    double level = tag->level * exp(tag->spread * rng_gauss(&state)) *
                   pow(host->ram_bytes / (16 * GIB), tag->ram_power) *
                   (cache ? host->role->cache : 1);
    double rate = tag->rate * host->traffic * exp(0.25 * rng_gauss(&state));
    return (struct sim_row){
        .tag = tag->tag,
        .block_bytes = tag->block_bytes,
        .level = (float)rint(level),
        .rate = (float)rate,
        .breathe = tag->breathe,
        .kind = (uint8_t)tag->kind,
        .load = (uint8_t)tag->load,
        .leak = -1,
    };
}

/* Rows of the catalogue this host has, and those its scenario needs. */
static enum status give_rows(struct sim_host *host, const struct catalog *catalog)
{
    const struct scenario *scenario = host->scenario;
    size_t specs = scenario != NULL ? scenario->row_count : 0;
    host->rows = calloc(catalog->count + specs + 1, sizeof *host->rows);
    if (host->rows == NULL)
        return ST_NOMEM;
    size_t at = 0;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        size_t first = host->row_count;
        for (; at < catalog->count && catalog->tags[at].pool == (enum pool)pool; at++) {
            const struct catalog_tag *tag = &catalog->tags[at];
            if (rng_unit_of(rng_hash(host->seed ^ 0x70726576u, tag->tag)) < tag->prevalence)
                host->rows[host->row_count++] = make_row(host, tag);
        }
        size_t common = host->row_count - first;
        for (size_t i = 0; i < specs; i++) {
            const struct scenario_row *spec = &scenario->rows[i];
            struct sim_row wanted = {
                .tag = spec->tag, .block_bytes = spec->block_bytes, .kind = ROW_STATIC, .leak = -1};
            if (spec->pool != (enum pool)pool || !row_applies(host, spec) ||
                bsearch(&wanted, host->rows + first, common, sizeof wanted, row_order) != NULL)
                continue;
            bool given = false;
            for (size_t r = first + common; r < host->row_count; r++)
                given = given || host->rows[r].tag == spec->tag;
            if (!given)
                host->rows[host->row_count++] = wanted;
        }
        host->pool_rows[pool] = host->row_count - first;
        qsort(host->rows + first, host->pool_rows[pool], sizeof *host->rows, row_order);
    }
    return ST_OK;
}

static enum status give_leaks(struct sim_host *host)
{
    const struct scenario *scenario = host->scenario;
    if (scenario == NULL || scenario->row_count == 0)
        return ST_OK;
    host->leaks = calloc(scenario->row_count, sizeof *host->leaks);
    size_t *place = arena_alloc(&host->arena, scenario->row_count, sizeof *place);
    if (host->leaks == NULL || place == NULL)
        return ST_NOMEM;
    uint64_t state = rng_hash(host->seed, 9);
    double factor = exp(0.06 * rng_gauss(&state));
    uint64_t phase = rng_next(&state) % (uint64_t)US_PER_DAY;
    for (size_t i = 0; i < scenario->row_count; i++) {
        const struct scenario_row *spec = &scenario->rows[i];
        if (!row_applies(host, spec))
            continue;
        size_t at = host_row_find(host, spec->pool, spec->tag);
        if (at == SIZE_MAX || host->rows[at].leak >= 0)
            continue; /* two rows of a scenario for one tag on the same hosts: the first counts */
        struct sim_row *row = &host->rows[at];
        row->level *= (float)row->block_bytes / (float)spec->block_bytes;
        row->block_bytes = spec->block_bytes;
        row->keeps = spec->zero_frees;
        if (spec->zero_frees) {
            row->kind = ROW_STATIC;
            row->rate = 0;
        }
        row->leak = (int16_t)host->leak_count;
        place[i] = host->leak_count;
        host->leaks[host->leak_count++] = (struct sim_leak){
            .spec = spec,
            .row = at,
            .leader = spec->shape == SHAPE_LOCKSTEP ? place[spec->leader] : 0,
            .factor = factor,
            .phase = phase,
        };
    }
    return ST_OK;
}

/* The second Tuesday of the month of `us`, 00:00 UTC. */
static int64_t patch_tuesday_us(int64_t us)
{
    char text[TIME_TEXT_MAX];
    time_format(us, text);
    memcpy(text + 8, "01T00:00:00Z", sizeof "01T00:00:00Z");
    int64_t first = us;
    if (!time_parse(text, strlen(text), &first))
        return us;
    int64_t weekday = (first / US_PER_DAY + 4) % 7; /* 0: Sunday */
    return first + ((2 - weekday + 7) % 7 + 7) * US_PER_DAY;
}

/* The same build after a monthly update. */
static const char *updated_build(struct arena *arena, const char *build)
{
    const char *dot = strchr(build, '.');
    if (dot == NULL)
        return build;
    return format(arena, "%.*s.%ld", (int)(dot - build), build, strtol(dot + 1, NULL, 10) + 141);
}

static void healthy_life(struct sim_host *host, const struct world_options *o)
{
    uint64_t state = rng_hash(host->seed, 11);
    int64_t span = o->now_us - o->start_us;
    host->boot_us = o->start_us - (int64_t)((0.2 + 18 * rng_unit(&state)) * (double)US_PER_DAY);
    int64_t patch = patch_tuesday_us(o->now_us) + 25 * US_PER_HOUR +
                    (int64_t)(rng_unit(&state) * 40 * (double)US_PER_HOUR);
    if (patch > o->start_us && patch < o->now_us - 2 * US_PER_HOUR)
        add_change(host, (struct sim_change){
                             .at_us = patch,
                             .reboot = true,
                             .attribute = "os.build",
                             .value = updated_build(&host->arena, host_fact(host, "os.build"))});
    else if (span > 0 && rng_unit(&state) < 0.25)
        add_change(host, (struct sim_change){.at_us = o->start_us +
                                                      (int64_t)(rng_unit(&state) * (double)span),
                                             .reboot = true});
    if (rng_unit(&state) < 0.04)
        add_change(host,
                   (struct sim_change){.at_us = o->now_us - (10 + (int64_t)rng_below(&state, 50)) *
                                                                US_PER_MINUTE,
                                       .reboot = true});
    if (rng_unit(&state) < 0.10 && span > US_PER_DAY) {
        host->gap_from_us =
            o->start_us + (int64_t)(rng_unit(&state) * (double)(span - 20 * US_PER_HOUR));
        host->gap_to_us = host->gap_from_us + (2 + (int64_t)rng_below(&state, 8)) * US_PER_HOUR;
    }
}

static void scenario_life(struct sim_host *host, const struct world_options *o)
{
    const struct scenario_group *group = host->group;
    uint64_t jitter = rng_hash(host->seed, 12) % (uint64_t)(40 * US_PER_MINUTE);
    int64_t boot = o->now_us - group->uptime_us - (int64_t)jitter;
    if (boot > o->start_us) {
        add_change(host, (struct sim_change){.at_us = boot, .reboot = true});
        boot = o->start_us - 3 * US_PER_DAY;
    }
    host->boot_us = boot;
    for (size_t i = 0; i < group->change_count; i++) {
        const struct scenario_change *from = &group->changes[i];
        struct sim_change change = {
            .at_us = o->now_us + from->at_us + (int64_t)(jitter / 4),
            .reboot = from->reboot,
            .driver = from->driver,
            .version = from->version,
            .attribute = from->attribute,
            .value = from->value,
        };
        if (change.at_us > o->start_us)
            add_change(host, change);
        else
            add_change(host, (struct sim_change){.at_us = o->start_us - 1,
                                                 .driver = change.driver,
                                                 .version = change.version,
                                                 .attribute = change.attribute,
                                                 .value = change.value});
    }
}

static enum status finish_host(struct sim_host *host, const struct world *world,
                               const struct world_options *o, const char *build, const char *model)
{
    uint64_t state = rng_hash(host->seed, 4);
    host->now_us = o->now_us;
    host->day_shift_h = (rng_unit(&state) - 0.5) * 1.5;
    host->traffic = host->role->traffic * exp(0.2 * rng_gauss(&state));
    host->last_us = TIME_UNKNOWN;
    host->sequence = SEQUENCE_UNKNOWN;
    host->facts_changed = true;
    give_facts(host, build, model);
    if (host->group != NULL) {
        for (size_t i = 0; i < host->group->attribute_count; i++)
            add_fact(host, host->group->attributes[i].name, host->group->attributes[i].value);
    }
    enum status st = give_drivers(host, build);
    if (st == ST_OK)
        st = give_rows(host, &world->catalog);
    if (st == ST_OK)
        st = give_leaks(host);
    if (st != ST_OK)
        return st;
    if (host->group != NULL)
        scenario_life(host, o);
    else
        healthy_life(host, o);
    return ST_OK;
}

static enum status add_scenario(struct world *world, const struct world_options *o,
                                const struct scenario *scenario, struct err *err)
{
    for (size_t g = 0; g < scenario->group_count; g++) {
        const struct scenario_group *group = &scenario->groups[g];
        const struct catalog_role *role = catalog_role_find(group->role);
        if (role == NULL)
            return err_set(err, ST_USAGE, "scenario \"%s\": role \"%s\" is not known",
                           scenario->name, group->role);
        for (unsigned i = 0; i < (unsigned)group->count; i++) {
            struct sim_host *host = &world->hosts[world->count++];
            char name[LIMIT_TEXT_BYTES + 8];
            snprintf(name, sizeof name, "%s-%02u", group->name, i + 1);
            host->scenario = scenario;
            host->group = group;
            host->role = role;
            host->ram_bytes = group->ram_gib * GIB;
            enum status st = give_id(host, name, o->seed);
            if (st == ST_OK)
                st = finish_host(host, world, o, group->os_build,
                                 group->model != NULL ? group->model : role->models[0]);
            if (st != ST_OK)
                return err_set(err, st, "out of memory");
        }
    }
    return ST_OK;
}

static const struct catalog_role *healthy_role(size_t index)
{
    double at = (double)index * 0.6180339887;
    at = (at - floor(at)) * 100;
    size_t role = 0;
    for (double sum = catalog_roles[0].weight; at >= sum && role + 1 < catalog_role_count;)
        sum += catalog_roles[++role].weight;
    return &catalog_roles[role];
}

static enum status add_healthy(struct world *world, const struct world_options *o, size_t index,
                               struct err *err)
{
    struct sim_host *host = &world->hosts[world->count++];
    host->role = healthy_role(index);
    char name[64]; /* a prefix of ours and a number */
    snprintf(name, sizeof name, "%s%03zu", host->role->prefix, index + 1);
    uint64_t draw = rng_hash_text(o->seed ^ 0x6865616cu, name);
    host->ram_bytes = (double)host->role->ram_gib[draw % 3] * GIB;
    enum status st = give_id(host, name, o->seed);
    if (st == ST_OK)
        st = finish_host(host, world, o, host->role->builds[draw / 3 % 3],
                         host->role->models[draw / 9 % 3]);
    return st == ST_OK ? ST_OK : err_set(err, st, "out of memory");
}

enum status world_make(const struct world_options *options, struct world *ret_world,
                       struct err *err)
{
    struct world world = {0};
    enum status st = catalog_make(options->rows, options->seed, &world.catalog, err);
    if (st != ST_OK)
        return st;
    size_t count = options->healthy_hosts;
    for (size_t i = 0; i < options->scenarios->count; i++) {
        for (size_t g = 0; g < options->scenarios->items[i].group_count; g++)
            count += (size_t)options->scenarios->items[i].groups[g].count;
    }
    world.hosts = calloc(count + 1, sizeof *world.hosts);
    if (world.hosts == NULL)
        st = err_set(err, ST_NOMEM, "out of memory");
    for (size_t i = 0; st == ST_OK && i < options->scenarios->count; i++)
        st = add_scenario(&world, options, &options->scenarios->items[i], err);
    for (size_t i = 0; st == ST_OK && i < options->healthy_hosts; i++)
        st = add_healthy(&world, options, i, err);
    if (st != ST_OK) {
        world_done(&world);
        return st;
    }
    *ret_world = world;
    return ST_OK;
}

void world_done(struct world *world)
{
    for (size_t i = 0; world->hosts != NULL && i < world->count; i++)
        host_done(&world->hosts[i]);
    free(world->hosts);
    catalog_done(&world->catalog);
    *world = (struct world){0};
}
