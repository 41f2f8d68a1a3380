/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How rows move. A healthy row has a level that follows a load curve and traffic on top; what a
 * scenario adds is kept apart as blocks that stay ("leak"), so that a tag can be both busy and
 * leaking. Counters are 32 bits and wrap as the kernel's do.
 */
#include "agent/sim/host.h"
#include "agent/sim/rng.h"

#include <math.h>

#define HOUR_US 3.6e9
/* After this, what was taken at boot is settled and static rows stand still. */
#define WARM_HOURS 2.0
#define LEVEL_MAX  4.0e9

static double hours(int64_t us)
{
    return (double)us / HOUR_US;
}

/* A bump of height 1 at `center` o'clock, about `width` hours wide on each side. */
static double bump(double hour, double center, double width)
{
    double d = fabs(hour - center);
    d = d > 12 ? 24 - d : d;
    return d >= width * 2 ? 0 : 0.5 + 0.5 * cos(d / (width * 2) * 3.14159265358979);
}

void host_env_make(const struct sim_host *host, int64_t from_us, int64_t to_us,
                   struct host_env *ret_env)
{
    double day = (double)(to_us / US_PER_DAY);
    double hour = hours(to_us % US_PER_DAY) + host->day_shift_h;
    hour -= floor(hour / 24) * 24;
    int weekday = (int)((int64_t)day % 7); /* 1970-01-01 was a Thursday: 2 and 3 are the weekend */
    double week = weekday == 2 || weekday == 3 ? 0.45 : 1.2;
    double office = 0.35 + 1.6 * bump(hour, 13, 4);
    double strength = host->role->day;
    struct host_env env = {
        .hours = hours(to_us - from_us),
        .uptime_h = hours(to_us - host->boot_us),
        .from_us = from_us,
        .to_us = to_us,
    };
    env.load[LOAD_FLAT] = 1;
    env.load[LOAD_DAY] = (1 - strength) + strength * office * (week > 1 ? 1 : 0.55);
    env.load[LOAD_NIGHT] = 0.6 + 3.0 * host->role->night * bump(hour, 2, 0.8);
    env.load[LOAD_WEEK] = week;
    env.warm = 1 - 0.4 * exp(-env.uptime_h / 0.35);
    env.cache = 1 - 0.85 * exp(-env.uptime_h / 9.0);
    *ret_env = env;
}

uint32_t host_row_blocks(const struct sim_row *row)
{
    return counter_delta(row->allocs, row->frees);
}

/* To `blocks` outstanding with `traffic` allocations on the way. */
static void row_move(struct sim_row *row, double blocks, double traffic)
{
    int64_t target = blocks <= 0 ? 0 : blocks >= LEVEL_MAX ? (int64_t)LEVEL_MAX : llrint(blocks);
    int64_t gain = target - (int64_t)host_row_blocks(row);
    if (row->keeps && gain < 0)
        return;
    uint64_t allocs = traffic > 0 && !row->keeps ? (uint64_t)traffic : 0;
    if (gain > 0 && allocs < (uint64_t)gain)
        allocs = (uint64_t)gain;
    row->allocs += (uint32_t)allocs;
    row->frees += (uint32_t)((int64_t)allocs - gain);
}

/* The healthy level at this moment. Trickling rows change only now and then. */
static double healthy_level(struct sim_host *host, struct sim_row *row, const struct host_env *env,
                            double *ret_traffic)
{
    double load = env->load[row->load];
    *ret_traffic = 0;
    switch ((enum row_kind)row->kind) {
    case ROW_STATIC:
        return env->uptime_h - env->hours < WARM_HOURS ? row->level * env->warm : row->base_blocks;
    case ROW_TRICKLE: {
        double expected = row->rate * env->hours * load;
        uint64_t draw = rng_next(&host->rng);
        if (env->uptime_h - env->hours >= WARM_HOURS &&
            rng_unit_of(draw) >= expected / (1 + expected))
            return row->base_blocks;
        *ret_traffic = 1 + (double)(draw & 3) + expected;
        double drift = row->level * 0.03 * ((double)(draw >> 2 & 3) - 1.5);
        return row->level * env->warm + drift;
    }
    case ROW_CHURN:
    case ROW_CACHE:
        break;
    }
    double noise = rng_gauss(&host->rng);
    *ret_traffic = row->rate * env->hours * load * (1 + 0.08 * noise);
    double full = row->kind == ROW_CACHE ? env->cache : env->warm;
    return row->level * full * (1 + row->breathe * (load - 1) * 0.5) * (1 + 0.012 * noise);
}

/* Hours of the scenario row's time within this step. */
static double active_hours(const struct sim_host *host, const struct scenario_row *spec,
                           const struct host_env *env)
{
    int64_t from = spec->start_us == AT_BOOT ? host->boot_us : host->now_us + spec->start_us;
    if (from < env->from_us)
        from = env->from_us;
    int64_t to = env->to_us;
    if (spec->end_us != 0 && host->now_us + spec->end_us < to)
        to = host->now_us + spec->end_us;
    return to > from ? hours(to - from) : 0;
}

/* Seconds of bursts up to a moment. */
static double burst_seconds(const struct scenario_row *spec, uint64_t phase, int64_t at_us)
{
    uint64_t t = (uint64_t)at_us + phase;
    uint64_t period = (uint64_t)spec->period_us;
    uint64_t burst = (uint64_t)spec->burst_us;
    uint64_t in = t % period < burst ? t % period : burst;
    return ((double)(t / period) * (double)burst + (double)in) / 1e6;
}

static double since_start(const struct sim_host *host, const struct scenario_row *spec,
                          int64_t at_us)
{
    int64_t start = spec->start_us == AT_BOOT ? host->boot_us : host->now_us + spec->start_us;
    if (start < host->boot_us)
        start = host->boot_us;
    return at_us > start ? hours(at_us - start) : 0;
}

/* Blocks gained in this step by the shapes that only grow. */
static double leak_gain(struct sim_host *host, struct sim_leak *leak, const struct host_env *env)
{
    const struct scenario_row *spec = leak->spec;
    double active = active_hours(host, spec, env);
    double rate = spec->rate_per_hour * leak->factor;
    if (active <= 0)
        return 0;
    if (spec->shape == SHAPE_LINEAR)
        return rate * active * (1 + 0.02 * rng_gauss(&host->rng));
    if (spec->shape == SHAPE_ACCELERATING)
        return rate * active *
               (1 + spec->growth_per_day * since_start(host, spec, env->to_us) / 24);
    if (spec->shape == SHAPE_STAIR) {
        leak->pending += rate * active;
        double step = rate * hours(spec->period_us);
        double whole = floor(leak->pending / step) * step;
        leak->pending -= whole;
        return whole;
    }
    if (spec->shape == SHAPE_BURSTY) {
        int64_t from = env->to_us - (int64_t)(active * HOUR_US);
        double seconds =
            burst_seconds(spec, leak->phase, env->to_us) - burst_seconds(spec, leak->phase, from);
        return rate * ((double)spec->period_us / (double)spec->burst_us) * seconds / 3600;
    }
    double room = floor(spec->limit_blocks) - leak->blocks; /* SHAPE_PLATEAU */
    return rate * active < room ? rate * active : room;
}

/* Share of limit_blocks held now by the shapes that come and go. */
static double leak_share(struct sim_host *host, const struct scenario_row *spec,
                         const struct host_env *env)
{
    double age = since_start(host, spec, env->to_us);
    double work = env->load[LOAD_DAY] > 2 ? 2 : env->load[LOAD_DAY];
    uint64_t hour = (uint64_t)env->to_us / (uint64_t)US_PER_HOUR;
    if (spec->shape == SHAPE_DAILY)
        return work / 2;
    if (spec->shape == SHAPE_WORKLOAD)
        return work / 2 * (0.5 + 0.5 * rng_unit_of(rng_hash(host->seed, hour / 2)));
    if (spec->shape == SHAPE_CACHE)
        return (1 - exp(-age / hours(spec->period_us))) * (0.94 + 0.03 * work) *
               (1 + 0.004 * rng_gauss(&host->rng));
    return spec->shape == SHAPE_LEVEL && age > 0 ? 1 : 0;
}

static void leak_step(struct sim_host *host, struct sim_leak *leak, const struct host_env *env)
{
    const struct scenario_row *spec = leak->spec;
    if (spec->shape == SHAPE_LOCKSTEP) {
        leak->blocks = host->leaks[leak->leader].blocks * spec->ratio;
        return;
    }
    if (host->full && spec->pool == POOL_NONPAGED && spec->shape <= SHAPE_PLATEAU) {
        host->alloc_failures += spec->rate_per_hour * env->hours / 1000; /* most callers back off */
        return;
    }
    if (spec->while_attribute != NULL) {
        const char *value = host_fact(host, spec->while_attribute);
        if (value == NULL || strcmp(value, spec->while_value) != 0)
            return;
    }
    if (spec->shape <= SHAPE_PLATEAU)
        leak->blocks += leak_gain(host, leak, env);
    else
        leak->blocks = spec->limit_blocks * leak->factor * leak_share(host, spec, env);
    if (leak->blocks > LEVEL_MAX)
        leak->blocks = LEVEL_MAX;
}

void host_rows_step(struct sim_host *host, const struct host_env *env)
{
    for (size_t i = 0; i < host->leak_count; i++)
        leak_step(host, &host->leaks[i], env);
    bool warm = env->uptime_h - env->hours < WARM_HOURS;
    for (size_t i = 0; i < host->row_count; i++) {
        struct sim_row *row = &host->rows[i];
        if (row->kind == ROW_STATIC && row->leak < 0 && !warm)
            continue;
        double traffic;
        double level = healthy_level(host, row, env, &traffic);
        double extra = 0;
        if (row->leak >= 0) {
            const struct sim_leak *leak = &host->leaks[row->leak];
            extra = floor(leak->blocks);
            if (leak->spec->allocs_per_hour > 0)
                traffic +=
                    leak->spec->allocs_per_hour * env->hours * (0.5 + 0.5 * env->load[LOAD_DAY]);
        }
        level = level <= 0 ? 0 : level >= LEVEL_MAX ? LEVEL_MAX : rint(level);
        row->base_blocks = (uint32_t)level;
        if (extra + level != host_row_blocks(row) || traffic >= 1)
            row_move(row, extra + level, traffic);
    }
}

void host_rows_boot(struct sim_host *host)
{
    for (size_t i = 0; i < host->row_count; i++) {
        host->rows[i].allocs = host->rows[i].frees = 0;
        host->rows[i].base_blocks = 0;
    }
    for (size_t i = 0; i < host->leak_count; i++) {
        struct sim_leak *leak = &host->leaks[i];
        leak->blocks = leak->pending = 0;
        uint32_t start = (uint32_t)leak->spec->counter_start;
        host->rows[leak->row].allocs = host->rows[leak->row].frees = start;
    }
    host->alloc_failures = 0;
    host->full = false;
    memset(host->session_bytes, 0, sizeof host->session_bytes);
    memset(host->session_failures, 0, sizeof host->session_failures);
}
