/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/analyze_fleet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX   128
#define FACTS_MAX  96
#define POINTS_MAX 160

struct object_link {
    char type[32];
    uint32_t tag;
    char image[64];
};

struct ahost {
    char id[24];
    char name[24];
    struct afleet_spec spec;
    struct afleet_row rows[ROWS_MAX];
    size_t row_count;
    struct analyze_fact facts[FACTS_MAX];
    size_t fact_count;
    struct object_link objects[4];
    size_t object_count;
    double session_failures;
    int64_t event_id;
    double event_hours;
    double nonpaged_limit;
    double lost_share;
    double gap_from;
    double gap_to;
    bool hide_boots;
};

struct afleet {
    uint64_t seed;
    struct arena arena;
    struct ahost **hosts;
    size_t count;
};

uint64_t afleet_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

double afleet_uniform(uint64_t *state)
{
    return (double)(afleet_random(state) >> 11) / 9007199254740992.0;
}

static double normal(uint64_t *state)
{
    double u = afleet_uniform(state) + 1e-12;
    return sqrt(-2 * log(u)) * cos(2 * 3.14159265358979 * afleet_uniform(state));
}

static void *must(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

struct afleet *afleet_new(uint64_t seed)
{
    struct afleet *fleet = must(calloc(1, sizeof *fleet));
    fleet->seed = seed;
    return fleet;
}

void afleet_free(struct afleet *fleet)
{
    if (fleet == NULL)
        return;
    for (size_t i = 0; i < fleet->count; i++)
        free(fleet->hosts[i]);
    free(fleet->hosts);
    arena_done(&fleet->arena);
    free(fleet);
}

uint32_t afleet_tag(const char *tag)
{
    return tag_from_bytes((const unsigned char *)tag);
}

const char *afleet_host_id(const struct afleet *fleet, size_t host)
{
    return fleet->hosts[host]->id;
}

size_t afleet_add_host(struct afleet *fleet, const struct afleet_spec *spec)
{
    fleet->hosts = must(realloc(fleet->hosts, (fleet->count + 1) * sizeof *fleet->hosts));
    struct ahost *host = must(calloc(1, sizeof *host));
    fleet->hosts[fleet->count] = host;
    snprintf(host->id, sizeof host->id, "host-%04zu", fleet->count);
    snprintf(host->name, sizeof host->name, "HOST%04zu", fleet->count);
    host->spec = *spec;
    if (host->spec.history_hours <= 0)
        host->spec.history_hours = 336;
    afleet_add_fact(fleet, fleet->count, "role", spec->role, -1);
    afleet_add_fact(fleet, fleet->count, "os.build", spec->os_build, -1);
    return fleet->count++;
}

void afleet_add_fact(struct afleet *fleet, size_t index, const char *name, const char *value,
                     double from_hours)
{
    struct ahost *host = fleet->hosts[index];
    int64_t from =
        from_hours < 0 ? TIME_UNKNOWN : AFLEET_NOW_US - (int64_t)(from_hours * (double)US_PER_HOUR);
    for (size_t i = 0; i < host->fact_count; i++) {
        if (strcmp(host->facts[i].name, name) == 0 && host->facts[i].valid_to_us == TIME_UNKNOWN)
            host->facts[i].valid_to_us = from;
    }
    if (host->fact_count == FACTS_MAX)
        abort();
    host->facts[host->fact_count++] =
        (struct analyze_fact){must(arena_strdup(&fleet->arena, name)),
                              must(arena_strdup(&fleet->arena, value)), from, TIME_UNKNOWN};
}

static int row_order(const void *a, const void *b)
{
    const struct afleet_row *x = a;
    const struct afleet_row *y = b;
    uint32_t tx = afleet_tag(x->tag);
    uint32_t ty = afleet_tag(y->tag);
    if (x->pool != y->pool)
        return x->pool < y->pool ? -1 : 1;
    return (tx > ty) - (tx < ty);
}

/* A row of the same tag and pool is replaced. */
void afleet_add_row(struct afleet *fleet, size_t index, const struct afleet_row *row)
{
    struct ahost *host = fleet->hosts[index];
    for (size_t i = 0; i < host->row_count; i++) {
        if (row_order(&host->rows[i], row) == 0) {
            host->rows[i] = *row;
            return;
        }
    }
    if (host->row_count == ROWS_MAX)
        abort();
    host->rows[host->row_count++] = *row;
    qsort(host->rows, host->row_count, sizeof *host->rows, row_order);
}

void afleet_add_objects(struct afleet *fleet, size_t index, const char *type, const char *tag,
                        const char *image)
{
    struct object_link *link = &fleet->hosts[index]->objects[fleet->hosts[index]->object_count++];
    snprintf(link->type, sizeof link->type, "%s", type);
    snprintf(link->image, sizeof link->image, "%s", image == NULL ? "" : image);
    link->tag = afleet_tag(tag);
}

void afleet_add_session(struct afleet *fleet, size_t host, double failures_per_hour)
{
    fleet->hosts[host]->session_failures = failures_per_hour;
}

void afleet_add_event(struct afleet *fleet, size_t host, int64_t id, double hours_ago)
{
    fleet->hosts[host]->event_id = id;
    fleet->hosts[host]->event_hours = hours_ago;
}

void afleet_set_limits(struct afleet *fleet, size_t host, double nonpaged_limit_bytes)
{
    fleet->hosts[host]->nonpaged_limit = nonpaged_limit_bytes;
}

void afleet_damage(struct afleet *fleet, double lost_share, double gap_from_hours,
                   double gap_to_hours, bool hide_boots)
{
    for (size_t i = 0; i < fleet->count; i++) {
        fleet->hosts[i]->lost_share = lost_share;
        fleet->hosts[i]->gap_from = gap_from_hours;
        fleet->hosts[i]->gap_to = gap_to_hours;
        fleet->hosts[i]->hide_boots = hide_boots;
    }
}

/* ---- values ----------------------------------------------------------------- */

/* When the boot that runs at `hours` before now began, in hours before now. */
static double boot_at(const struct ahost *host, double hours)
{
    double boot = host->spec.uptime_hours;
    if (host->spec.boot_every_hours <= 0) /* one earlier boot, long ago */
        return hours > boot ? boot + 1000 : boot;
    while (hours > boot)
        boot += host->spec.boot_every_hours;
    return boot;
}

static double hour_of_day(double hours)
{
    double of = fmod(14 - hours, 24);
    return of < 0 ? of + 24 : of;
}

/* 1 in the early afternoon, 0 at night. */
static double day_load(double hours)
{
    double of = hour_of_day(hours);
    return of < 6 || of > 22 ? 0 : sin((of - 6) / 16 * 3.14159265358979);
}

static bool is_weekend(double hours)
{
    /* Day 20000 after 1970-01-01 (a Thursday) is a Thursday + 1. */
    int64_t day = 20000 + (int64_t)floor((14 - hours) / 24);
    int64_t of_week = (day + 4) % 7; /* 0 Sunday */
    return of_week == 0 || of_week == 6;
}

static double processes_at(const struct ahost *host, double hours)
{
    double grown = host->spec.process_growth * fmax(120 - hours, 0);
    return 100 + grown + 20 * day_load(hours);
}

static double noise_of(const struct afleet *fleet, const struct ahost *host,
                       const struct afleet_row *row, double hours)
{
    uint64_t state = fleet->seed ^ afleet_tag(row->tag) * 0x9E3779B97F4A7C15u;
    for (const char *c = host->id; *c != '\0'; c++)
        state = state * 31 + (unsigned char)*c;
    state += (uint64_t)(int64_t)(hours * 1000);
    afleet_random(&state);
    return normal(&state);
}

static double value_of(const struct afleet *fleet, const struct ahost *host,
                       const struct afleet_row *row, double hours)
{
    double boot = boot_at(host, hours);
    double since_boot = boot - hours;
    double start = row->start_hours >= AFLEET_FROM_BOOT ? boot : fmin(row->start_hours, boot);
    double age = fmax(start - hours, 0);
    double value = row->base * (1 + row->noise * noise_of(fleet, host, row, hours));
    double of_day = hour_of_day(hours);
    switch (row->shape) {
    case AFLEET_STEADY:
        break;
    case AFLEET_LINEAR:
        value += row->rate * age;
        break;
    case AFLEET_BURSTY:
        value += row->rate * row->period * floor(age / row->period);
        break;
    case AFLEET_CACHE:
        value *= 1 - exp(-since_boot / row->period);
        break;
    case AFLEET_DAILY:
        value *= 1 + row->rate * day_load(hours);
        break;
    case AFLEET_WEEKLY:
        value *= 1 + (is_weekend(hours) ? 0 : row->rate * (0.4 + 0.6 * day_load(hours)));
        break;
    case AFLEET_BACKUP:
        value += of_day >= 2 && of_day < 3 ? row->rate : 0;
        break;
    case AFLEET_PLATEAU:
        value += fmin(row->rate * age, row->limit);
        break;
    case AFLEET_STEP:
        value += age > 0 ? row->limit : 0;
        break;
    case AFLEET_WORKLOAD:
        value += row->rate * (processes_at(host, hours) - 100);
        break;
    }
    return fmax(value, 0);
}

double afleet_bytes_now(struct afleet *fleet, size_t host, const char *tag)
{
    double sum = 0;
    for (size_t i = 0; i < fleet->hosts[host]->row_count; i++) {
        const struct afleet_row *row = &fleet->hosts[host]->rows[i];
        if (afleet_tag(row->tag) == afleet_tag(tag))
            sum += value_of(fleet, fleet->hosts[host], row, 0);
    }
    return sum;
}

/* ---- points ----------------------------------------------------------------- */

static size_t schedule(const struct afleet *fleet, const struct ahost *host, double *hours)
{
    size_t count = 0;
    uint64_t state = fleet->seed ^ (uint64_t)(host->spec.uptime_hours * 977);
    double jitter = afleet_uniform(&state) * 0.1;
    for (double at = host->spec.history_hours; at >= 0;) {
        bool gap = at <= host->gap_from && at >= host->gap_to;
        bool lost = afleet_uniform(&state) < host->lost_share && at > 0.2;
        if (!gap && !lost && count < POINTS_MAX)
            hours[count++] = at + jitter;
        bool newest = host->spec.every_minute && at < 0.34;
        double step = at > 48 ? 6 : at > 3 ? 1 : newest ? 1.0 / 30 : 1.0 / 6;
        at = round((at - step) * 30) / 30;
    }
    return count;
}

static void fill_table(const struct afleet *fleet, const struct ahost *host, double hours,
                       struct arena *arena, struct snapshot_table *tables, double *totals)
{
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct snapshot_table *table = &tables[pool];
        if (snapshot_table_alloc(arena, table, host->row_count, COLUMN_ALL) != ST_OK)
            abort();
        table->present = true;
        table->count = 0;
        for (size_t i = 0; i < host->row_count; i++) {
            const struct afleet_row *row = &host->rows[i];
            if (row->pool != (enum pool)pool)
                continue;
            double block = row->block > 0 ? row->block : 64;
            double blocks = floor(value_of(fleet, host, row, hours) / block);
            /* Allocations never go back, whatever the noise; a row without either frees nothing. */
            bool frees = row->churn > 0 || row->noise > 0;
            double allocs = floor(row->churn * (boot_at(host, hours) - hours)) +
                            (frees ? floor(1.5 * row->base / block) : blocks) + row->count_base;
            if (frees && (row->shape == AFLEET_LINEAR || row->shape == AFLEET_BURSTY))
                allocs += blocks;
            size_t at = table->count++;
            table->tag[at] = afleet_tag(row->tag);
            table->allocs[at] = (uint32_t)(uint64_t)allocs;
            table->frees[at] = (uint32_t)(uint64_t)allocs - (uint32_t)(uint64_t)blocks;
            table->bytes[at] = (uint64_t)(blocks * block);
            totals[pool] += blocks * block;
        }
    }
}

static void fill_objects(const struct afleet *fleet, const struct ahost *host, double hours,
                         struct arena *arena, struct analyze_point *point)
{
    struct snapshot_object *objects = must(arena_alloc(arena, 4, sizeof *objects));
    struct snapshot_process *processes = must(arena_alloc(arena, 8, sizeof *processes));
    processes[point->process_count++] = (struct snapshot_process){4, "System", 5200};
    processes[point->process_count++] = (struct snapshot_process){980, "svchost.exe", 2400};
    for (size_t i = 0; i < host->object_count; i++) {
        const struct object_link *link = &host->objects[i];
        double blocks = 0;
        for (size_t k = 0; k < host->row_count; k++) {
            if (afleet_tag(host->rows[k].tag) == link->tag)
                blocks += value_of(fleet, host, &host->rows[k], hours) /
                          (host->rows[k].block > 0 ? host->rows[k].block : 64);
        }
        bool held = link->image[0] != '\0';
        objects[point->object_count++] = (struct snapshot_object){
            link->type, (int64_t)blocks, held ? (int64_t)blocks + 800 : 900};
        if (held)
            processes[point->process_count++] =
                (struct snapshot_process){4820, link->image, (int64_t)blocks + 60};
    }
    point->objects = objects;
    point->processes = processes;
}

static void fill_totals(const struct ahost *host, double hours, const double *used,
                        struct snapshot_totals *totals)
{
    double ram = host->spec.ram_gib * AFLEET_GIB;
    double limit = host->nonpaged_limit > 0 ? host->nonpaged_limit : ram * 0.75;
    totals_set(totals, TOTAL_NONPAGED_BYTES, (uint64_t)used[POOL_NONPAGED]);
    totals_set(totals, TOTAL_PAGED_BYTES, (uint64_t)used[POOL_PAGED]);
    totals_set(totals, TOTAL_NONPAGED_LIMIT_BYTES, (uint64_t)limit);
    totals_set(totals, TOTAL_PAGED_LIMIT_BYTES, (uint64_t)(ram * 16));
    totals_set(totals, TOTAL_PHYSICAL_BYTES, (uint64_t)ram);
    totals_set(totals, TOTAL_COMMIT_LIMIT_BYTES, (uint64_t)(ram * 1.5));
    totals_set(totals, TOTAL_COMMIT_BYTES, (uint64_t)(ram * 0.4 + used[0] + used[1]));
    totals_set(totals, TOTAL_PROCESSES, (uint64_t)processes_at(host, hours));
}

static void fill_point(const struct afleet *fleet, const struct ahost *host, double hours,
                       struct arena *arena, struct analyze_point *point)
{
    struct snapshot_totals *totals = must(arena_alloc(arena, 1, sizeof *totals));
    struct snapshot_table *tables = must(arena_alloc(arena, POOL_COUNT, sizeof *tables));
    double used[POOL_COUNT] = {0, 0};
    double boot = boot_at(host, hours);
    point->taken_at_us = AFLEET_NOW_US - (int64_t)(hours * (double)US_PER_HOUR);
    point->boot_at_us =
        host->hide_boots ? TIME_UNKNOWN : AFLEET_NOW_US - (int64_t)(boot * (double)US_PER_HOUR);
    fill_table(fleet, host, hours, arena, tables, used);
    fill_totals(host, hours, used, totals);
    fill_objects(fleet, host, hours, arena, point);
    point->table = tables;
    point->totals = totals;
    if (host->session_failures > 0) {
        struct snapshot_session *session = must(arena_alloc(arena, 1, sizeof *session));
        *session = (struct snapshot_session){
            9, 33333248, (int64_t)(host->session_failures * fmax(30 - hours, 0))};
        point->sessions = session;
        point->session_count = 1;
    }
    if (host->event_id != 0 && hours <= host->event_hours) {
        struct snapshot_event *event = must(arena_alloc(arena, 1, sizeof *event));
        *event = (struct snapshot_event){AFLEET_NOW_US -
                                             (int64_t)(host->event_hours * (double)US_PER_HOUR),
                                         "Srv", host->event_id};
        point->events = event;
        point->event_count = 1;
    }
}

static enum status analyze_host(const struct afleet *fleet, const struct ahost *host,
                                struct analysis *analysis, struct err *err)
{
    AUTO_ARENA struct arena arena = {0};
    double hours[POINTS_MAX];
    size_t count = schedule(fleet, host, hours);
    struct analyze_point *points = must(arena_alloc(&arena, count + 1, sizeof *points));
    for (size_t i = 0; i < count; i++)
        fill_point(fleet, host, hours[i], &arena, &points[i]);
    struct analyze_host view = {host->id, host->name, host->facts, host->fact_count, points, count};
    return analysis_add_host(analysis, &view, err);
}

enum status afleet_analyze(struct afleet *fleet, uint64_t order, const struct tagdict *dict,
                           struct finding_list *ret_list, struct err *err)
{
    AUTO_ANALYSIS struct analysis *analysis = NULL;
    AUTO_FREE size_t *places = must(calloc(fleet->count + 1, sizeof *places));
    struct analyze_options options = {.as_of_us = AFLEET_NOW_US + US_PER_HOUR, .tagdict = dict};
    for (size_t i = 0; i < fleet->count; i++)
        places[i] = i;
    uint64_t state = order;
    for (size_t i = fleet->count; order != 0 && i > 1; i--) {
        size_t other = afleet_random(&state) % i;
        size_t kept = places[i - 1];
        places[i - 1] = places[other];
        places[other] = kept;
    }
    enum status status = analysis_new(&options, &analysis, err);
    for (size_t i = 0; i < fleet->count && status == ST_OK; i++)
        status = analyze_host(fleet, fleet->hosts[places[i]], analysis, err);
    return status == ST_OK ? analysis_finish(analysis, ret_list, err) : status;
}

/* ---- a healthy fleet -------------------------------------------------------- */

static const struct afleet_row background[] = {
    {.tag = "MmSt",
     .pool = POOL_PAGED,
     .shape = AFLEET_CACHE,
     .base = 300e6,
     .period = 20,
     .noise = 0.02,
     .churn = 20000,
     .block = 4096},
    {.tag = "NtfF",
     .pool = POOL_PAGED,
     .shape = AFLEET_CACHE,
     .base = 90e6,
     .period = 8,
     .noise = 0.03,
     .churn = 50000,
     .block = 1600},
    {.tag = "FMfn",
     .pool = POOL_PAGED,
     .shape = AFLEET_CACHE,
     .base = 60e6,
     .period = 30,
     .noise = 0.03,
     .churn = 90000,
     .block = 320},
    {.tag = "Ntfx",
     .pool = POOL_NONPAGED,
     .shape = AFLEET_CACHE,
     .base = 40e6,
     .period = 12,
     .noise = 0.02,
     .churn = 40000,
     .block = 400},
    {.tag = "CM31",
     .pool = POOL_PAGED,
     .shape = AFLEET_CACHE,
     .base = 70e6,
     .period = 50,
     .noise = 0.005,
     .block = 4096},
    {.tag = "File",
     .pool = POOL_NONPAGED,
     .shape = AFLEET_DAILY,
     .base = 12e6,
     .rate = 0.8,
     .noise = 0.03,
     .churn = 600000,
     .block = 432},
    {.tag = "Thre",
     .pool = POOL_NONPAGED,
     .shape = AFLEET_DAILY,
     .base = 8e6,
     .rate = 0.5,
     .noise = 0.02,
     .churn = 30000,
     .block = 2304},
    {.tag = "Proc",
     .pool = POOL_NONPAGED,
     .shape = AFLEET_DAILY,
     .base = 1e6,
     .rate = 0.4,
     .noise = 0.02,
     .churn = 3000,
     .block = 2560},
    {.tag = "Toke",
     .pool = POOL_PAGED,
     .shape = AFLEET_DAILY,
     .base = 9e6,
     .rate = 0.7,
     .noise = 0.04,
     .churn = 200000,
     .block = 2048},
    {.tag = "Even",
     .pool = POOL_NONPAGED,
     .shape = AFLEET_DAILY,
     .base = 6e6,
     .rate = 0.3,
     .noise = 0.03,
     .churn = 800000,
     .block = 128},
    {.tag = "EtwB",
     .pool = POOL_NONPAGED,
     .shape = AFLEET_STEADY,
     .base = 30e6,
     .block = 65536,
     .noise = 0.01},
    {.tag = "ConT",
     .pool = POOL_NONPAGED,
     .shape = AFLEET_STEADY,
     .base = 18e6,
     .block = 4096,
     .noise = 0.004},
    {.tag = "Pool", .pool = POOL_NONPAGED, .shape = AFLEET_STEADY, .base = 9e6, .noise = 0.001},
    {.tag = "Ndpp",
     .pool = POOL_NONPAGED,
     .shape = AFLEET_WEEKLY,
     .base = 10e6,
     .rate = 0.9,
     .noise = 0.05,
     .churn = 100000},
    {.tag = "AfdC",
     .pool = POOL_NONPAGED,
     .shape = AFLEET_WEEKLY,
     .base = 6e6,
     .rate = 1.5,
     .noise = 0.08,
     .churn = 300000},
    {.tag = "TcpE",
     .pool = POOL_NONPAGED,
     .shape = AFLEET_WEEKLY,
     .base = 4e6,
     .rate = 2,
     .noise = 0.08,
     .churn = 300000},
    {.tag = "LSwi", .pool = POOL_PAGED, .shape = AFLEET_STEADY, .base = 5e6, .noise = 0.02},
    {.tag = "VsBk",
     .pool = POOL_NONPAGED,
     .shape = AFLEET_BACKUP,
     .base = 2e6,
     .rate = 150e6,
     .noise = 0.02},
    {.tag = "WfpF", .pool = POOL_NONPAGED, .shape = AFLEET_STEADY, .base = 3e6, .noise = 0.1},
    {.tag = "Vad ",
     .pool = POOL_NONPAGED,
     .shape = AFLEET_WORKLOAD,
     .base = 4e6,
     .rate = 20e3,
     .noise = 0.02,
     .churn = 500000},
    {.tag = "Usfr",
     .pool = POOL_PAGED,
     .shape = AFLEET_DAILY,
     .base = 3e6,
     .rate = 2,
     .noise = 0.2},
    {.tag = "Gh05",
     .pool = POOL_PAGED,
     .shape = AFLEET_DAILY,
     .base = 10e6,
     .rate = 1,
     .noise = 0.1},
    {.tag = "PsSe", .pool = POOL_PAGED, .shape = AFLEET_STEADY, .base = 0.3e6, .noise = 0.3},
    {.tag = "SmMs", .pool = POOL_PAGED, .shape = AFLEET_STEADY, .base = 0.1e6, .noise = 0.2},
};

static const struct {
    const char *role;
    const char *build;
    double ram_gib;
    double cache; /* factor on caches */
} kinds[] = {
    {"desktop", "26100.4061", 16, 1},   {"desktop", "22631.4317", 16, 1},
    {"desktop", "26100.4061", 32, 1.2}, {"file-server", "20348.2402", 64, 14},
    {"web", "20348.2402", 32, 2},       {"build-agent", "26100.4061", 64, 3},
};

static void add_background(struct afleet *fleet, size_t host, double cache, uint64_t *state)
{
    double size = 0.8 + 0.4 * afleet_uniform(state);
    for (size_t i = 0; i < sizeof background / sizeof background[0]; i++) {
        struct afleet_row row = background[i];
        row.base *= size * exp(0.15 * normal(state));
        if (row.shape == AFLEET_CACHE) {
            row.base *= cache * exp(0.3 * normal(state));
            row.period *= 0.7 + 0.6 * afleet_uniform(state);
        }
        afleet_add_row(fleet, host, &row);
    }
}

void afleet_add_background(struct afleet *fleet, size_t host, double cache)
{
    uint64_t state = fleet->seed * 104729 + host;
    add_background(fleet, host, cache, &state);
}

void afleet_add_healthy(struct afleet *fleet, size_t count)
{
    static const char *const nic[] = {"12.19.2.45", "12.19.2.53", "14.0.1.2"};
    static const char *const av[] = {"4.18.24090.11", "4.18.24100.2"};
    uint64_t state = fleet->seed * 7919 + fleet->count;
    for (size_t i = 0; i < count; i++) {
        size_t kind = afleet_random(&state) % 100;
        kind = kind < 40 ? 0 : kind < 55 ? 1 : kind < 65 ? 2 : kind < 75 ? 3 : kind < 90 ? 4 : 5;
        double uptime = exp(log(2) + afleet_uniform(&state) * log(300));
        struct afleet_spec spec = {.role = kinds[kind].role,
                                   .os_build = kinds[kind].build,
                                   .ram_gib = kinds[kind].ram_gib,
                                   .uptime_hours = uptime,
                                   .boot_every_hours = 24 + afleet_uniform(&state) * 200};
        size_t host = afleet_add_host(fleet, &spec);
        add_background(fleet, host, kinds[kind].cache, &state);
        afleet_add_fact(fleet, host, "driver/e1d.sys", nic[afleet_random(&state) % 3], -1);
        afleet_add_fact(fleet, host, "driver/wdfilter.sys", av[afleet_random(&state) % 2], -1);
        afleet_add_fact(fleet, host, "driver/ntfs.sys", kinds[kind].build, -1);
        afleet_add_fact(fleet, host, "hw.model", kind < 3 ? "Latitude 5590" : "ProLiant DL360", -1);
    }
}
