/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sim/host.h"
#include "agent/sim/rng.h"

/* Above this share of its limit the nonpaged pool refuses what a leak asks for. */
#define FULL_SHARE 0.95

struct object_type {
    const char *type;
    char tag[5];
    enum pool pool;
    double handles; /* a healthy object has so many */
};
static const struct object_type object_types[] = {
    {"ALPC Port", "ALPC", POOL_NONPAGED, 0.95}, {"Event", "Even", POOL_NONPAGED, 1.02},
    {"File", "File", POOL_NONPAGED, 0.45},      {"IoCompletion", "IoCo", POOL_NONPAGED, 1.0},
    {"Key", "Key ", POOL_PAGED, 1.0},           {"Mutant", "Muta", POOL_NONPAGED, 1.1},
    {"Process", "Proc", POOL_NONPAGED, 2.4},    {"Section", "Sect", POOL_PAGED, 0.5},
    {"Semaphore", "Sema", POOL_NONPAGED, 1.03}, {"Thread", "Thre", POOL_NONPAGED, 0.85},
    {"Token", "Toke", POOL_PAGED, 0.7},
};
#define OBJECT_TYPES (sizeof object_types / sizeof object_types[0])

static uint32_t tag_of(const char *text)
{
    unsigned char bytes[4];
    memcpy(bytes, text, sizeof bytes);
    return tag_from_bytes(bytes);
}

size_t host_row_find(const struct sim_host *host, enum pool pool, uint32_t tag)
{
    size_t low = pool == POOL_NONPAGED ? 0 : host->pool_rows[POOL_NONPAGED];
    size_t high = low + host->pool_rows[pool];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (host->rows[middle].tag == tag)
            return middle;
        if (host->rows[middle].tag < tag)
            low = middle + 1;
        else
            high = middle;
    }
    return SIZE_MAX;
}

const char *host_fact(const struct sim_host *host, const char *name)
{
    if (strncmp(name, "driver/", 7) == 0) {
        for (size_t i = 0; i < host->driver_count; i++) {
            if (strcmp(host->drivers[i].name, name + 7) == 0)
                return host->drivers[i].version;
        }
        return NULL;
    }
    for (size_t i = 0; i < host->fact_count; i++) {
        if (strcmp(host->facts[i].name, name) == 0)
            return host->facts[i].value;
    }
    return NULL;
}

/* A new build of the system brings new versions of all its own drivers. */
static void follow_build(struct sim_host *host, const char *before, const char *after)
{
    char *version = arena_alloc(&host->arena, strlen(after) + 6, 1);
    if (version == NULL)
        return;
    memcpy(version, "10.0.", 5);
    memcpy(version + 5, after, strlen(after) + 1);
    for (size_t i = 0; i < host->driver_count; i++) {
        const char *old = host->drivers[i].version;
        if (strncmp(old, "10.0.", 5) == 0 && strcmp(old + 5, before) == 0)
            host->drivers[i].version = version;
    }
}

static void apply_change(struct sim_host *host, const struct sim_change *change)
{
    for (size_t i = 0; change->driver != NULL && i < host->driver_count; i++) {
        if (strcmp(host->drivers[i].name, change->driver) == 0)
            host->drivers[i].version = change->version;
    }
    for (size_t i = 0; change->attribute != NULL && i < host->fact_count; i++) {
        if (strcmp(host->facts[i].name, change->attribute) != 0)
            continue;
        if (strcmp(change->attribute, "os.build") == 0)
            follow_build(host, host->facts[i].value, change->value);
        host->facts[i].value = change->value;
    }
    host->facts_changed = true;
    if (change->reboot) {
        host->boot_us = change->at_us;
        host->last_us = TIME_UNKNOWN;
        host->sequence = SEQUENCE_UNKNOWN;
    }
}

static enum status put_tables(struct sim_host *host, struct snapshot *s, double ret_sum[POOL_COUNT])
{
    size_t at = 0;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct snapshot_table *table = &s->table[pool];
        enum status st = snapshot_table_alloc(&s->arena, table, host->pool_rows[pool], COLUMN_ALL);
        if (st != ST_OK)
            return st;
        uint64_t sum = 0;
        for (size_t i = 0; i < table->count; i++, at++) {
            const struct sim_row *row = &host->rows[at];
            table->tag[i] = row->tag;
            table->allocs[i] = row->allocs;
            table->frees[i] = row->frees;
            table->bytes[i] = (uint64_t)host_row_blocks(row) * row->block_bytes;
            sum += table->bytes[i];
        }
        ret_sum[pool] = (double)sum;
    }
    return ST_OK;
}

static double object_blocks(const struct sim_host *host, const struct object_type *type,
                            double *ret_healthy, bool *ret_held)
{
    size_t row = host_row_find(host, type->pool, tag_of(type->tag));
    *ret_healthy = 0;
    *ret_held = false;
    if (row == SIZE_MAX)
        return 0;
    *ret_healthy = host->rows[row].base_blocks;
    for (size_t i = 0; host->scenario != NULL && i < host->scenario->object_count; i++) {
        if (host->scenario->objects[i].tag == host->rows[row].tag)
            *ret_held = host->scenario->objects[i].handles;
    }
    return host_row_blocks(&host->rows[row]);
}

static enum status put_objects(struct sim_host *host, struct snapshot *s, double *ret_handles)
{
    s->objects = arena_alloc(&s->arena, OBJECT_TYPES, sizeof *s->objects);
    if (s->objects == NULL)
        return ST_NOMEM;
    *ret_handles = 0;
    for (size_t i = 0; i < OBJECT_TYPES; i++) {
        double healthy;
        bool held;
        double objects = object_blocks(host, &object_types[i], &healthy, &held);
        double handles = healthy * object_types[i].handles + (held ? objects - healthy : 0);
        s->objects[s->object_count++] =
            (struct snapshot_object){object_types[i].type, (int64_t)objects, (int64_t)handles};
        *ret_handles += handles;
    }
    return ST_OK;
}

static enum status put_processes(struct sim_host *host, struct snapshot *s, double handles)
{
    static const struct {
        int64_t pid;
        const char *image;
        double share;
    } usual[] = {{4, "System", 0.06},          {908, "lsass.exe", 0.02},
                 {1244, "svchost.exe", 0.05},  {2312, "svchost.exe", 0.03},
                 {3508, "MsMpEng.exe", 0.015}, {5120, "explorer.exe", 0.04}};
    size_t room = sizeof usual / sizeof usual[0];
    const struct scenario *scenario = host->scenario;
    if (scenario != NULL)
        room += scenario->process_count;
    s->processes = arena_alloc(&s->arena, room, sizeof *s->processes);
    if (s->processes == NULL)
        return ST_NOMEM;
    double healthy = handles;
    for (size_t i = 0; scenario != NULL && i < scenario->process_count; i++) {
        for (size_t l = 0; l < host->leak_count; l++) {
            if (host->leaks[l].spec->tag != scenario->processes[i].tag)
                continue;
            double held = host->leaks[l].blocks;
            healthy -= held < healthy ? held : 0;
            s->processes[s->process_count++] =
                (struct snapshot_process){(int64_t)scenario->processes[i].pid,
                                          scenario->processes[i].image, (int64_t)held + 210};
            break;
        }
    }
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        s->processes[s->process_count++] = (struct snapshot_process){
            usual[i].pid, usual[i].image, (int64_t)(healthy * usual[i].share)};
    return ST_OK;
}

static void step_sessions(struct sim_host *host, const struct host_env *env)
{
    const struct scenario *scenario = host->scenario;
    if (scenario == NULL || host->group->unaffected)
        return;
    for (size_t i = 0; i < scenario->session_count && i < 4; i++) {
        const struct scenario_session *spec = &scenario->sessions[i];
        int64_t from = spec->start_us == AT_BOOT ? host->boot_us : host->now_us + spec->start_us;
        if (from < env->from_us)
            from = env->from_us;
        double hours = env->to_us > from ? (double)(env->to_us - from) / (double)US_PER_HOUR : 0;
        double room = spec->limit_bytes - host->session_bytes[i];
        double until_full = spec->bytes_per_hour > 0 ? room / spec->bytes_per_hour : hours;
        double growing = hours < until_full ? hours : until_full;
        host->session_bytes[i] += growing * spec->bytes_per_hour;
        host->session_failures[i] += (hours - growing) * spec->failures_per_hour;
    }
}

static enum status put_sessions(struct sim_host *host, struct snapshot *s)
{
    if (strcmp(host->role->name, "terminal-server") != 0)
        return ST_OK;
    const struct scenario *scenario = host->scenario;
    size_t extra = scenario != NULL && !host->group->unaffected ? scenario->session_count : 0;
    s->sessions = arena_alloc(&s->arena, 4 + extra, sizeof *s->sessions);
    if (s->sessions == NULL)
        return ST_NOMEM;
    for (int64_t id = 0; id < 4; id++) {
        uint64_t draw = rng_hash(host->seed, (uint64_t)id + 77);
        s->sessions[s->session_count++] =
            (struct snapshot_session){id, (int64_t)(1200000 + draw % 9000000) / 4096 * 4096, 0};
    }
    for (size_t i = 0; i < extra && i < 4; i++)
        s->sessions[s->session_count++] = (struct snapshot_session){
            (int64_t)scenario->sessions[i].id, (int64_t)host->session_bytes[i] / 4096 * 4096,
            (int64_t)host->session_failures[i]};
    return ST_OK;
}

static enum status put_events(struct sim_host *host, struct snapshot *s, int64_t from_us)
{
    const struct scenario *scenario = host->scenario;
    if (scenario == NULL || host->group->unaffected || scenario->event_count == 0)
        return ST_OK;
    s->events = arena_alloc(&s->arena, scenario->event_count, sizeof *s->events);
    if (s->events == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < scenario->event_count; i++) {
        int64_t at = host->now_us + scenario->events[i].at_us;
        if (at > from_us && at <= s->taken_at_us)
            s->events[s->event_count++] = (struct snapshot_event){at, scenario->events[i].provider,
                                                                  (int64_t)scenario->events[i].id};
    }
    return ST_OK;
}

static void put_totals(struct sim_host *host, struct snapshot *s, const struct host_env *env,
                       const double sum[POOL_COUNT], double handles)
{
    double load = env->load[LOAD_DAY];
    double processes, threads;
    bool held;
    /* What no tag accounts for: pool pages partly used, and the tables themselves. */
    double nonpaged = sum[POOL_NONPAGED] * 1.055 + 24e6;
    double paged = sum[POOL_PAGED] * 1.045 + 16e6;
    double used = host->ram_bytes * (0.22 + 0.10 * (load > 2 ? 2 : load));
    double commit = used * 1.2 + nonpaged + paged;
    double commit_limit = host->ram_bytes * 1.25;
    double available = host->ram_bytes - used - nonpaged - paged * 0.8;
    object_blocks(host, &object_types[6], &processes, &held);
    object_blocks(host, &object_types[9], &threads, &held);
    double limit = host->ram_bytes * 0.75;
    host->full = nonpaged >= limit * FULL_SHARE;
    if (host->full && nonpaged > limit)
        limit = nonpaged;
    const double values[TOTAL_COUNT] = {
        [TOTAL_NONPAGED_BYTES] = nonpaged,
        [TOTAL_PAGED_BYTES] = paged,
        [TOTAL_NONPAGED_LIMIT_BYTES] = limit,
        [TOTAL_PAGED_LIMIT_BYTES] = 17592186044416.0, /* 16 TiB of address space */
        [TOTAL_COMMIT_BYTES] = commit < commit_limit ? commit : commit_limit,
        [TOTAL_COMMIT_LIMIT_BYTES] = commit_limit,
        [TOTAL_PHYSICAL_BYTES] = host->ram_bytes,
        [TOTAL_AVAILABLE_BYTES] = available > 64e6 ? available : 64e6,
        [TOTAL_HANDLES] = handles,
        [TOTAL_PROCESSES] = processes,
        [TOTAL_THREADS] = threads,
        [TOTAL_ALLOC_FAILURES] = host->alloc_failures,
    };
    for (unsigned i = 0; i < TOTAL_COUNT; i++) {
        bool pages = i != TOTAL_HANDLES && i != TOTAL_PROCESSES && i != TOTAL_THREADS &&
                     i != TOTAL_ALLOC_FAILURES;
        uint64_t value = (uint64_t)values[i];
        /* Counted from the objects' rows: a host without those rows knows no number, not zero. */
        if ((i == TOTAL_PROCESSES || i == TOTAL_THREADS || i == TOTAL_HANDLES) && value == 0)
            continue;
        totals_set(&s->totals, (enum total)i, pages ? value / 4096 * 4096 : value);
    }
}

static int fact_order(const void *a, const void *b)
{
    return strcmp(((const struct snapshot_attribute *)a)->name,
                  ((const struct snapshot_attribute *)b)->name);
}

static int driver_order(const void *a, const void *b)
{
    return strcmp(((const struct snapshot_driver *)a)->name,
                  ((const struct snapshot_driver *)b)->name);
}

enum status host_put_facts(struct sim_host *host, struct snapshot *s)
{
    if (s->has_attributes)
        return ST_OK;
    s->attributes = arena_alloc(&s->arena, host->fact_count, sizeof *s->attributes);
    s->drivers = arena_alloc(&s->arena, host->driver_count, sizeof *s->drivers);
    if (s->attributes == NULL || s->drivers == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < host->fact_count; i++)
        s->attributes[i] = (struct snapshot_attribute){host->facts[i].name, host->facts[i].value};
    for (size_t i = 0; i < host->driver_count; i++) {
        struct sim_driver *driver = &host->drivers[i];
        s->drivers[i] = (struct snapshot_driver){.name = driver->name,
                                                 .version = driver->version,
                                                 .company = driver->company,
                                                 .has_tags = true,
                                                 .tags = driver->tags,
                                                 .tag_count = driver->tag_count};
    }
    s->attribute_count = host->fact_count;
    s->driver_count = host->driver_count;
    qsort(s->attributes, s->attribute_count, sizeof *s->attributes, fact_order);
    qsort(s->drivers, s->driver_count, sizeof *s->drivers, driver_order);
    s->has_attributes = s->has_drivers = true;
    return ST_OK;
}

enum status host_snapshot(struct sim_host *host, int64_t at_us, struct snapshot *ret_snapshot)
{
    while (host->change_next < host->change_count && host->changes[host->change_next].at_us < at_us)
        apply_change(host, &host->changes[host->change_next++]);
    bool first = host->last_us == TIME_UNKNOWN;
    int64_t from_us = first ? host->boot_us : host->last_us;
    if (first)
        host_rows_boot(host);
    struct host_env env;
    host_env_make(host, from_us, at_us, &env);
    host_rows_step(host, &env);
    step_sessions(host, &env);
    host->last_us = at_us;
    host->sequence++; /* from SEQUENCE_UNKNOWN, -1, to 0 at the first of a boot */

    AUTO_SNAPSHOT struct snapshot s;
    snapshot_init(&s);
    s.host_id = host->id;
    s.host_name = host->name;
    s.boot_at_us = host->boot_us;
    s.taken_at_us = at_us;
    s.sequence = host->sequence;
    double sum[POOL_COUNT];
    double handles = 0;
    enum status st = put_tables(host, &s, sum);
    if (st == ST_OK)
        st = put_objects(host, &s, &handles);
    if (st == ST_OK)
        st = put_processes(host, &s, handles);
    if (st == ST_OK)
        st = put_sessions(host, &s);
    if (st == ST_OK)
        st = put_events(host, &s, from_us);
    if (st == ST_OK && (host->facts_changed || !host->base.held))
        st = host_put_facts(host, &s);
    if (st != ST_OK)
        return st;
    put_totals(host, &s, &env, sum, handles);
    *ret_snapshot = s;
    snapshot_init(&s);
    return ST_OK;
}

void host_done(struct sim_host *host)
{
    free(host->rows);
    free(host->leaks);
    changes_forget(&host->base);
    arena_done(&host->arena);
    *host = (struct sim_host){0};
}
