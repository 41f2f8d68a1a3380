/* SPDX-License-Identifier: Apache-2.0 */
/* Making a healthy fleet: its rows, hosts, boots and facts. */
#include "tests/detect/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

void *world_alloc(struct world *world, size_t count, size_t size)
{
    return must(arena_alloc(&world->arena, count, size));
}

const char *world_text(struct world *world, const char *format, ...)
{
    char text[160];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return must(arena_strdup(&world->arena, text));
}

uint32_t world_tag(const char *tag)
{
    return tag_from_bytes((const unsigned char *)tag);
}

/* ---- rows ------------------------------------------------------------------- */

static int row_order(const void *a, const void *b)
{
    const struct world_row *x = a;
    const struct world_row *y = b;
    if (x->pool != y->pool)
        return x->pool < y->pool ? -1 : 1;
    return (x->tag > y->tag) - (x->tag < y->tag);
}

void world_sort_rows(struct world *world)
{
    qsort(world->rows, world->row_count, sizeof *world->rows, row_order);
}

struct world_row *world_row_find(struct world *world, enum pool pool, uint32_t tag)
{
    for (size_t i = 0; i < world->row_count; i++)
        if (world->rows[i].pool == pool && world->rows[i].tag == tag)
            return &world->rows[i];
    return NULL;
}

static struct world_row *add_row(struct world *world, enum pool pool, uint32_t tag)
{
    if (world->row_count == world->row_room) {
        world->row_room = world->row_room * 2 + 64;
        world->rows = must(realloc(world->rows, world->row_room * sizeof *world->rows));
    }
    struct world_row *row = &world->rows[world->row_count++];
    *row = (struct world_row){.tag = tag,
                              .pool = pool,
                              .base = 40e3,
                              .spread = 0.2,
                              .tau = 5,
                              .block = 128,
                              .share = 1,
                              .incident = -1};
    for (size_t i = 0; i < ROLE_COUNT; i++)
        row->role_factor[i] = 1;
    return row;
}

struct world_row *world_row_get(struct world *world, enum pool pool, const char *tag)
{
    struct world_row *row = world_row_find(world, pool, world_tag(tag));
    return row != NULL ? row : add_row(world, pool, world_tag(tag));
}

/* Weights out of 100 of the habits of an ordinary row. */
static const unsigned char habit_weight[HABIT_COUNT] = {
    [HABIT_STATIC] = 56,  [HABIT_WANDER] = 13, [HABIT_DAILY] = 9,  [HABIT_CACHE] = 7,
    [HABIT_WORKLOAD] = 6, [HABIT_BACKUP] = 1,  [HABIT_SPIKES] = 2, [HABIT_SESSIONS] = 6,
};

static enum world_habit pick_habit(struct rng *rng)
{
    size_t at = rng_pick(rng, 100);
    for (size_t i = 0; i < HABIT_COUNT; i++) {
        if (at < habit_weight[i])
            return (enum world_habit)i;
        at -= habit_weight[i];
    }
    return HABIT_STATIC;
}

/* Sizes have a heavy tail: of a few hundred rows a handful hold most of the pool. */
static void dress_row(struct world *world, struct world_row *row)
{
    static const double blocks[] = {32, 48, 64, 96, 128, 208, 320, 512, 1024, 1600, 4096};
    struct rng *rng = &world->rng;
    row->habit = pick_habit(rng);
    row->base = fmin(22e3 * exp(2.1 * rng_normal(rng)), 180e6);
    row->spread = rng_chance(rng, 0.15) ? rng_range(rng, 0.5, 1.1) : rng_range(rng, 0.03, 0.4);
    row->ram_power = rng_chance(rng, 0.25) ? rng_range(rng, 0.3, 1) : 0;
    row->tau = row->habit == HABIT_CACHE ? rng_log_range(rng, 0.5, 30) : rng_range(rng, 0.3, 3);
    row->amplitude = rng_log_range(rng, 0.1, 1.2);
    row->noise = row->habit == HABIT_STATIC ? 0 : rng_log_range(rng, 0.005, 0.15);
    row->block = blocks[rng_pick(rng, sizeof blocks / sizeof blocks[0])];
    row->churn = row->habit == HABIT_STATIC && rng_chance(rng, 0.6)
                     ? 0
                     : row->base / row->block * rng_log_range(rng, 0.05, 400);
    row->share = rng_chance(rng, 0.2) ? rng_range(rng, 0.2, 1) : 1;
    if (rng_chance(rng, 0.3))
        for (size_t i = 0; i < ROLE_COUNT; i++)
            row->role_factor[i] = exp(0.7 * rng_normal(rng));
}

static void vendor_tag(struct rng *rng, unsigned char bytes[4])
{
    static const char letters[] = "ABCDEFGHIKLMNPRSTVWXabcdefghiklmnoprstuvwxz0123456789";
    for (size_t i = 0; i < 4; i++)
        bytes[i] = (unsigned char)letters[rng_pick(rng, sizeof letters - 1)];
}

static void fill_pool(struct world *world, const struct tagdict *dict, enum pool pool, size_t rows)
{
    size_t listed = dict == NULL ? 0 : tagdict_count(dict);
    for (size_t have = 0, tries = 0; have < rows && tries < rows * 20; tries++) {
        uint32_t tag;
        const struct tagdict_entry *entry =
            listed > 0 ? tagdict_at(dict, rng_pick(&world->rng, listed)) : NULL;
        bool fits = entry != NULL && entry->any == 0 &&
                    (entry->pool == NULL || strcmp(entry->pool, "both") == 0 ||
                     strcmp(entry->pool, pool_name(pool)) == 0);
        if (fits && rng_chance(&world->rng, 0.8)) {
            tag = entry->tag;
        } else if (rng_chance(&world->rng, rows > 300 ? 0.9 : 0.15)) {
            unsigned char bytes[4];
            vendor_tag(&world->rng, bytes);
            tag = tag_from_bytes(bytes);
        } else {
            continue;
        }
        /* A tag of two pools is common in reality, but rare here: it doubles no story. */
        if (world_row_find(world, pool, tag) != NULL)
            continue;
        dress_row(world, add_row(world, pool, tag));
        have++;
    }
}

/* The rows people know to be large, with the habits they are known for. */
static void add_known_rows(struct world *world)
{
    static const struct {
        const char tag[5];
        enum pool pool;
        enum world_habit habit;
        double base, tau, block, power, churn;
    } known[] = {
        {"MmSt", POOL_PAGED, HABIT_CACHE, 220e6, 18, 4096, 0.9, 2e4},
        {"NtfF", POOL_PAGED, HABIT_CACHE, 70e6, 8, 1600, 0.7, 5e4},
        {"FMfn", POOL_PAGED, HABIT_CACHE, 60e6, 10, 512, 0.7, 2e5},
        {"CM31", POOL_PAGED, HABIT_STATIC, 90e6, 1, 4096, 0, 0},
        {"File", POOL_NONPAGED, HABIT_WORKLOAD, 30e6, 1, 416, 0, 9e6},
        {"EtwB", POOL_NONPAGED, HABIT_STATIC, 12e6, 1, 4096, 0.2, 0},
        {"Thre", POOL_NONPAGED, HABIT_WORKLOAD, 9e6, 1, 2304, 0, 3e5},
        {"Proc", POOL_NONPAGED, HABIT_WORKLOAD, 0.6e6, 1, 3072, 0, 2e4},
        {"Toke", POOL_PAGED, HABIT_SESSIONS, 6e6, 1, 1600, 0, 4e6},
        {"Irp ", POOL_NONPAGED, HABIT_DAILY, 8e6, 1, 512, 0, 4e7},
        {"Even", POOL_NONPAGED, HABIT_WORKLOAD, 7e6, 1, 128, 0, 6e6},
        {"Pool", POOL_NONPAGED, HABIT_STATIC, 20e6, 1, 4096, 0.6, 0},
        {"ConT", POOL_NONPAGED, HABIT_STATIC, 16e6, 1, 4096, 0, 0},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct world_row *row = world_row_get(world, known[i].pool, known[i].tag);
        *row = (struct world_row){.tag = row->tag,
                                  .pool = row->pool,
                                  .habit = known[i].habit,
                                  .base = known[i].base,
                                  .spread = rng_range(&world->rng, 0.08, 0.35),
                                  .ram_power = known[i].power,
                                  .tau = known[i].tau,
                                  .amplitude = rng_range(&world->rng, 0.1, 0.5),
                                  .noise = known[i].habit == HABIT_STATIC ? 0 : 0.02,
                                  .block = known[i].block,
                                  .churn = known[i].churn,
                                  .share = 1,
                                  .incident = -1};
        for (size_t r = 0; r < ROLE_COUNT; r++)
            row->role_factor[r] = exp(0.25 * rng_normal(&world->rng));
        if (known[i].habit == HABIT_CACHE) /* file servers keep large caches */
            row->role_factor[ROLE_FILE] = rng_range(&world->rng, 4, 14);
    }
}

/* ---- facts ------------------------------------------------------------------ */

static void add_fact(struct world *world, struct world_host *host, const char *name,
                     const char *value, double from)
{
    (void)world;
    if (host->fact_count == host->fact_room) {
        host->fact_room = host->fact_room * 2 + 32;
        host->facts = must(realloc(host->facts, host->fact_room * sizeof *host->facts));
    }
    host->facts[host->fact_count++] = (struct world_fact){name, value, from, WORLD_NEVER};
}

void world_set_fact(struct world *world, struct world_host *host, const char *name,
                    const char *value, double from)
{
    size_t kept = 0;
    for (size_t i = 0; i < host->fact_count; i++) {
        struct world_fact *fact = &host->facts[i];
        if (strcmp(fact->name, name) == 0 && fact->to >= WORLD_NEVER) {
            if (fact->from >= from)
                continue; /* replaced as a whole */
            fact->to = from;
        }
        host->facts[kept++] = *fact;
    }
    host->fact_count = kept;
    add_fact(world, host, name, value, from);
}

const char *world_fact_at(const struct world_host *host, const char *name, double at)
{
    for (size_t i = 0; i < host->fact_count; i++)
        if (host->facts[i].from <= at && at < host->facts[i].to &&
            strcmp(host->facts[i].name, name) == 0)
            return host->facts[i].value;
    return NULL;
}

static const char *const driver_names[] = {
    "e1d68x64.sys", "netwtw10.sys", "rtux64w10.sys", "nvlddmkm.sys", "igdkmd64.sys", "amdkmdag.sys",
    "storahci.sys", "iastorvd.sys", "vmbus.sys",     "netkvm.sys",   "vioscsi.sys",  "mpfilter.sys",
    "csagent.sys",  "npcap.sys",    "fltvss.sys",    "wcifs.sys",    "bindflt.sys",  "cldflt.sys",
    "luafv.sys",    "http.sys",     "srv2.sys",      "tcpip.sys",    "ntfs.sys",     "usbxhci.sys",
    "hidusb.sys",   "ksthunk.sys",  "backupflt.sys", "vpnlwf.sys",   "dlpmon.sys",   "printmon.sys",
};
static const char *const app_names[] = {"app/office",    "app/browser", "app/teams", "app/backup",
                                        "app/inventory", "app/vpn",     "app/erp",   "app/ide"};

static const struct {
    const char *name;
    bool server;
    double ram_low, ram_high, office, processes, uptime;
} roles[ROLE_COUNT] = {
    {"desktop", false, 8, 32, 1, 160, 60},        {"laptop", false, 8, 32, 1, 150, 20},
    {"file-server", true, 32, 128, 0.3, 80, 500}, {"web", true, 8, 32, 0.4, 90, 400},
    {"sql", true, 64, 256, 0.5, 90, 900},         {"terminal-server", true, 64, 256, 1, 600, 150},
    {"build-agent", true, 32, 64, 0.6, 140, 100}, {"dc", true, 16, 32, 0.4, 85, 700},
};

/* Zipf-like: the first value is the commonest. */
static size_t pick_version(struct rng *rng, size_t count)
{
    double u = rng_unit(rng);
    size_t i = 0;
    for (double rest = 0.6; i + 1 < count && u > rest; i++)
        rest += (1 - rest) * 0.6;
    return i;
}

static void add_facts(struct world *world, struct world_host *host, uint64_t fleet_key)
{
    static const char *const client[] = {"26100.4061", "22631.4317", "19045.5011"};
    static const char *const server[] = {"20348.2402", "17763.6414", "26100.4061"};
    static const char *const desk[] = {"OptiPlex 7090", "EliteDesk 800", "ThinkCentre M70"};
    static const char *const lap[] = {"Latitude 5540", "EliteBook 840", "ThinkPad T14"};
    static const char *const rack[] = {"PowerEdge R650", "ProLiant DL360", "VMware20,1"};
    struct rng *rng = &world->rng;
    bool is_server = roles[host->role].server;
    size_t model = rng_pick(rng, 3);
    const char *build = (is_server ? server : client)[pick_version(rng, 3)];
    if (!(world->confounders >> CONF_HIDDEN_ROLES & 1))
        add_fact(world, host, "role", roles[host->role].name, -WORLD_NEVER);
    add_fact(world, host, "os.build", build, -WORLD_NEVER);
    add_fact(world, host, "os.name", is_server ? "Windows Server" : "Windows", -WORLD_NEVER);
    add_fact(world, host, "hw.model",
             (host->role == ROLE_LAPTOP ? lap
              : is_server               ? rack
                                        : desk)[model],
             -WORLD_NEVER);
    add_fact(world, host, "hw.ram_bytes", world_text(world, "%.0f", host->ram), -WORLD_NEVER);
    add_fact(world, host, "hw.bios", world_text(world, "1.%zu.0", model * 10 + rng_pick(rng, 3)),
             -WORLD_NEVER);
    add_fact(world, host, "site", world_text(world, "site-%zu", rng_pick(rng, 6)), -WORLD_NEVER);
    for (size_t i = 0; i < sizeof driver_names / sizeof driver_names[0]; i++) {
        uint64_t key = rng_hash(fleet_key, i);
        /* Some drivers go with the model, some with the kind of system, some are anywhere. */
        bool has = key % 3 == 0   ? model == key / 3 % 3
                   : key % 3 == 1 ? rng_chance(rng, 0.9)
                                  : is_server == (key / 3 % 2 == 0);
        if (has)
            add_fact(world, host, world_text(world, "driver/%s", driver_names[i]),
                     world_text(world, "%zu.%zu.%zu.%zu", (size_t)(key >> 8) % 30 + 1,
                                (size_t)(key >> 16) % 20,
                                (size_t)(key >> 24) % 900 + 10 * pick_version(rng, 4),
                                (size_t)(key >> 36) % 50),
                     -WORLD_NEVER);
    }
    for (size_t i = 0; i < sizeof app_names / sizeof app_names[0]; i++)
        if (rng_chance(rng, rng_to_unit(rng_hash(fleet_key, i + 100))))
            add_fact(world, host, app_names[i],
                     world_text(world, "%zu.%zu", i + 10, pick_version(rng, 3)), -WORLD_NEVER);
}

/* ---- hosts ------------------------------------------------------------------ */

void world_add_boot(struct world_host *host, double at)
{
    if (host->boot_count == WORLD_BOOTS_MAX) /* forget the one after the first */
        memmove(host->boots + 1, host->boots + 2, (--host->boot_count - 1) * sizeof *host->boots);
    size_t i = host->boot_count++;
    for (; i > 0 && host->boots[i - 1] > at; i--)
        host->boots[i] = host->boots[i - 1];
    host->boots[i] = at;
}

static void add_boots(struct world *world, struct world_host *host)
{
    struct rng *rng = &world->rng;
    double mean = roles[host->role].uptime;
    if (world->confounders >> CONF_UPTIMES & 1)
        mean = rng_log_range(rng, 10, 1500);
    host->boots[host->boot_count++] = -rng_log_range(rng, 20, 3000);
    for (double at = mean * rng_unit(rng); at < world->now && host->boot_count < WORLD_BOOTS_MAX;
         at += fmax(mean * rng_range(rng, 0.4, 1.6), 4))
        host->boots[host->boot_count++] = at;
    if (world->confounders >> CONF_UPTIMES & 1)
        world_add_boot(host, world->now - rng_log_range(rng, 0.3, 400));
}

static const double ram_sizes[] = {4, 8, 16, 32, 64, 128, 256, 512, 1024};

static double pick_ram(struct world *world, enum world_role role)
{
    double want = rng_log_range(&world->rng, roles[role].ram_low, roles[role].ram_high);
    if (world->confounders >> CONF_SIZES & 1)
        want = rng_log_range(&world->rng, 4, roles[role].server ? 1024 : 64);
    double best = ram_sizes[0];
    for (size_t i = 0; i < sizeof ram_sizes / sizeof ram_sizes[0]; i++)
        if (fabs(log(ram_sizes[i] / want)) < fabs(log(best / want)))
            best = ram_sizes[i];
    return best * WORLD_GIB;
}

static void make_host(struct world *world, size_t index, enum world_role role, double interval,
                      uint64_t fleet_key)
{
    struct world_host *host = &world->hosts[index];
    struct rng *rng = &world->rng;
    snprintf(host->id, sizeof host->id, "h-%06zx", (size_t)(rng_next(rng) % 0xFFF) << 12 | index);
    snprintf(host->name, sizeof host->name, "%c%c-%04zu", roles[role].name[0] - 32,
             roles[role].name[1] - 32, index);
    host->role = role;
    host->ram = pick_ram(world, role);
    host->zone = 1;
    host->office = roles[role].office;
    host->processes = roles[role].processes * exp(0.15 * rng_normal(rng));
    host->growth_from = WORLD_NEVER;
    host->working_set = rng_range(rng, 0.2, 0.4);
    host->page_file = rng_range(rng, 0.3, 1);
    host->np_limit = 0.75;
    host->fit[POOL_NONPAGED] = host->fit[POOL_PAGED] = 1;
    host->interval = interval;
    host->phase = rng_unit(rng) * interval;
    host->loss = 0.002;
    host->dies = WORLD_NEVER;
    add_boots(world, host);
    add_facts(world, host, fleet_key);
}

void world_make(struct world *world, const struct tagdict *dict, const struct world_size *size)
{
    static const double intervals[] = {1 / 12.0, 1 / 12.0, 1 / 6.0, 0.25, 0.5, 1};
    struct rng *rng = &world->rng;
    enum world_role mix[4];
    world->confounders = size->confounders;
    bool many = size->confounders >> CONF_ROLES & 1 && size->hosts >= 16;
    size_t kinds = many ? 4 : size->hosts >= 16 && rng_chance(rng, 0.6) ? 2 : 1;
    for (size_t i = 0; i < kinds; i++)
        mix[i] = (enum world_role)rng_pick(rng, ROLE_COUNT);
    fill_pool(world, dict, POOL_NONPAGED, size->rows);
    fill_pool(world, dict, POOL_PAGED, size->rows);
    add_known_rows(world);
    world->hosts = must(calloc(size->hosts, sizeof *world->hosts));
    world->host_count = size->hosts;
    double interval = intervals[rng_pick(rng, sizeof intervals / sizeof intervals[0])];
    double zone = rng_range(rng, -8, 9);
    uint64_t fleet_key = rng_next(rng);
    for (size_t i = 0; i < size->hosts; i++) {
        /* At least a quarter of the fleet is of the first kind; none stands alone. */
        size_t kind = i < 3 * kinds ? i % kinds : rng_pick(rng, kinds);
        make_host(world, i, mix[kind], interval, fleet_key);
        world->hosts[i].zone = zone + (rng_chance(rng, 0.1) ? rng_range(rng, -6, 6) : 0);
    }
}

void world_free(struct world *world)
{
    if (world == NULL)
        return;
    for (size_t i = 0; i < world->host_count; i++) {
        free(world->hosts[i].facts);
        free(world->hosts[i].load_sum);
    }
    free(world->hosts);
    free(world->rows);
    arena_done(&world->arena);
    free(world);
}
