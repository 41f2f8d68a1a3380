/* SPDX-License-Identifier: Apache-2.0 */
/* What a row of a host holds at a moment: pure functions of the world. */
#include "tests/detect/values.h"

#include <math.h>

#define DAY 24.0

int64_t world_us(const struct world *world, double hours)
{
    return world->epoch_us + (int64_t)llround(hours * (double)US_PER_HOUR);
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

static double smooth(double x) /* 0 below 0, 1 above 1 */
{
    x = clamp(x, 0, 1);
    return x * x * (3 - 2 * x);
}

double world_load(const struct world_host *host, uint64_t seed, double at)
{
    double local = at + host->zone;
    double day = floor(local / DAY);
    double of = local - day * DAY;
    /* The epoch is a Sunday, 00:00 UTC (see world_new). */
    int of_week = (int)fmod(day, 7);
    double work = smooth((of - 6.5) / 2.5) * (1 - smooth((of - 16) / 3.5));
    double lunch = 1 - 0.35 * smooth((of - 11.5) / 0.7) * (1 - smooth((of - 12.8) / 0.7));
    double busy = 0.75 + 0.5 * rng_to_unit(rng_hash(seed ^ 0xDA7, (uint64_t)(int64_t)day));
    double office = work * lunch * busy * (of_week == 0 || of_week == 6 ? 0.08 : 1);
    return host->office * office + (1 - host->office) * (0.6 + 0.4 * office);
}

double world_processes(const struct world *world, const struct world_host *host, double at)
{
    double load = world_load(host, world->seed, at);
    double grown = at > host->growth_from ? host->growth * (at - host->growth_from) : 0;
    return host->processes * (1 + 0.25 * load) + grown;
}

double world_boot_at(const struct world_host *host, double at)
{
    double boot = host->boots[0];
    for (size_t i = 1; i < host->boot_count && host->boots[i] <= at; i++)
        boot = host->boots[i];
    return boot;
}

struct values_moment values_moment(const struct world *world, size_t index, double at)
{
    const struct world_host *host = &world->hosts[index];
    return (struct values_moment){at, world_load(host, world->seed, at),
                                  world_processes(world, host, at), world_boot_at(host, at)};
}

struct values_series values_series(const struct world *world, size_t index, size_t host_index)
{
    const struct world_row *row = &world->rows[index];
    const struct world_host *host = &world->hosts[host_index];
    uint64_t key =
        rng_hash(rng_hash(world->seed, row->tag + ((uint64_t)row->pool << 40)), host_index);
    struct values_series series = {.key = key};
    series.has = rng_to_unit(rng_hash(key, 1)) < row->share;
    series.level = row->base * row->role_factor[host->role] *
                   pow(host->ram / (16 * WORLD_GIB), row->ram_power) *
                   exp(row->spread * rng_hash_normal(rng_hash(key, 2))) * host->fit[row->pool];
    series.tau = row->tau * (0.6 + 0.8 * rng_to_unit(rng_hash(key, 3)));
    series.phase = rng_to_unit(rng_hash(key, 4));
    series.form = (int)(row->tag % 3);
    return series;
}

#define HEALTHY_NONPAGED 0.12 /* of RAM, at the busiest */
#define HEALTHY_PAGED    0.2

void world_fit_pools(struct world *world)
{
    for (size_t i = 0; i < world->host_count; i++) {
        struct world_host *host = &world->hosts[i];
        double most[POOL_COUNT] = {1, 1};
        host->fit[POOL_NONPAGED] = host->fit[POOL_PAGED] = 1;
        for (size_t r = 0; r < world->row_count; r++) {
            const struct world_row *row = &world->rows[r];
            struct values_series series = values_series(world, r, i);
            double swing =
                row->habit == HABIT_WORKLOAD ? host->processes / 80 : 1 + 2 * row->amplitude;
            most[row->pool] += series.has ? series.level * swing : 0;
        }
        host->fit[POOL_NONPAGED] = fmin(1, HEALTHY_NONPAGED * host->ram / most[POOL_NONPAGED]);
        host->fit[POOL_PAGED] = fmin(1, HEALTHY_PAGED * host->ram / most[POOL_PAGED]);
    }
}

static double filled(const struct values_series *series, double uptime)
{
    double x = uptime / series->tau;
    switch (series->form) {
    case 0:
        return 1 - exp(-x);
    case 1:
        return x / (x + 0.6);
    default: /* by steps */
        return 1 - exp(-floor(x * 6) / 6);
    }
}

/* Small steps at random moments, as things are opened and closed. */
static double steps(const struct values_series *series, double at)
{
    double cell = floor(at / 30 + series->phase);
    return rng_hash_normal(rng_hash(series->key, (uint64_t)(int64_t)cell + 1000));
}

static double risen(const struct world_host *host, double since)
{
    return host->ramp > 0 ? fmin(since / host->ramp, 1) : 1;
}

static double nightly(const struct values_series *series, const struct world_host *host,
                      const struct values_moment *moment)
{
    double of = fmod(moment->at + host->zone, DAY);
    double from = 0.5 + 4 * series->phase;
    return of >= from && of < from + 1 + series->tau ? risen(host, of - from) : 0;
}

static double spike(const struct values_series *series, const struct world_host *host, double at)
{
    double period = series->tau * 4;
    double cell = floor(at / period);
    uint64_t key = rng_hash(series->key, (uint64_t)(int64_t)cell + 5000);
    double from = rng_to_unit(key) * 0.7;
    double length = 0.02 + 0.2 * rng_to_unit(rng_scramble(key));
    double x = at / period - cell;
    if (x < from || x >= from + length)
        return 0;
    return (0.3 + rng_to_unit(rng_scramble(key + 1))) * risen(host, (x - from) * period);
}

double values_healthy(const struct world_row *row, const struct values_series *series,
                      const struct world_host *host, const struct values_moment *moment)
{
    if (!series->has || moment->at < row->born)
        return 0;
    double uptime = moment->at - moment->boot;
    double value = series->level;
    if (row->noise > 0)
        value *= 1 + row->noise * (0.7 * rng_wander(series->key, moment->at / 5) +
                                   0.3 * rng_wander(series->key + 1, moment->at * 3));
    switch (row->habit) {
    case HABIT_STATIC:
        value *= 1 + 0.3 * row->amplitude * steps(series, moment->at);
        break;
    case HABIT_WANDER:
        value *= exp(row->amplitude * 0.6 * rng_wander(series->key + 2, moment->at / 17));
        break;
    case HABIT_DAILY:
        value *= 1 + row->amplitude * moment->load;
        break;
    case HABIT_CACHE:
        value *= filled(series, uptime) *
                 (1 + 0.15 * row->amplitude * rng_wander(series->key + 3, moment->at / 11));
        break;
    case HABIT_WORKLOAD:
        value *= moment->processes / 120;
        break;
    case HABIT_BACKUP:
        value *= 1 + 10 * row->amplitude * nightly(series, host, moment);
        break;
    case HABIT_SPIKES:
        value *= 1 + 6 * row->amplitude * spike(series, host, moment->at);
        break;
    case HABIT_SESSIONS:
        value *= 1 + row->amplitude * floor(8 * moment->load) / 4;
        break;
    case HABIT_COUNT:
        break;
    }
    return value > 0 ? value : 0;
}

double world_healthy(const struct world *world, size_t row, size_t host, double at)
{
    struct values_moment moment = values_moment(world, host, at);
    struct values_series series = values_series(world, row, host);
    return values_healthy(&world->rows[row], &series, &world->hosts[host], &moment);
}

double world_rest(const struct world_host *host, enum pool pool)
{
    return host->ram * (pool == POOL_NONPAGED ? 0.004 : 0.006) + 30 * WORLD_MIB;
}

/* ---- growth ----------------------------------------------------------------- */

double world_growth_start(const struct world_incident *incident, const struct world_host *host,
                          size_t index, double at)
{
    if (incident->rate[index] <= 0)
        return WORLD_NEVER;
    double boot = world_boot_at(host, at);
    double onset = incident->onset[index];
    double start = onset;
    if (boot > onset)
        start = boot + (incident->start == START_APP ? incident->app_delay : 0.05);
    if (at < start || boot >= incident->off[index])
        return WORLD_NEVER;
    return start;
}

static double load_between(const struct world_host *host, double from, double to)
{
    double last = 2000;
    double low = clamp(from, 0, last);
    double high = clamp(to, 0, last);
    size_t i = (size_t)low;
    size_t k = (size_t)high;
    double a = (double)host->load_sum[i] +
               (low - (double)i) * (double)(host->load_sum[i + 1] - host->load_sum[i]);
    double b = (double)host->load_sum[k] +
               (high - (double)k) * (double)(host->load_sum[k + 1] - host->load_sum[k]);
    double mean = (double)host->load_sum[1344] / 1344;
    double outside = (to > last ? to - fmax(from, last) : 0) + (from < 0 ? fmin(to, 0) - from : 0);
    return (b - a) / mean + outside;
}

/* One burst in each stretch of `spacing`, at a random moment and of random size, mean 1. */
static double bursts(uint64_t key, double elapsed, double spacing)
{
    double sum = 0;
    for (double cell = 0; cell * spacing < elapsed; cell++) {
        uint64_t of = rng_hash(key, (uint64_t)cell);
        double from = (cell + 0.8 * rng_to_unit(of)) * spacing;
        double size = -log(1 - rng_to_unit(rng_scramble(of)) * 0.98) / 0.92;
        sum += size * smooth((elapsed - from) / (0.1 * spacing));
    }
    return sum * spacing;
}

/* Work is uneven: time runs faster and slower for the leak, but never back. The factors keep the
 * slope above 0 (a wander's own slope is below 5.2 in its unit). */
static double uneven(const struct world *world, const struct world_incident *incident, size_t index,
                     double start, double elapsed)
{
    uint64_t key = rng_hash(world->seed ^ 0x0FF, index);
    double fast = fmin(7, 0.1 * incident->path_hours);
    double slow = clamp(0.2 * incident->path_hours, fast, 60);
    double from = start < 0 ? 0 : start;
    double by =
        0.1 * fast * (rng_wander(key, (from + elapsed) / fast) - rng_wander(key, from / fast)) +
        0.08 * slow *
            (rng_wander(key + 1, (from + elapsed) / slow) - rng_wander(key + 1, from / slow));
    return fmax(elapsed + incident->rough * by, 0);
}

/* Hours' worth of growth at the mean rate. */
static double shape_hours(const struct world *world, const struct world_incident *incident,
                          size_t index, double start, double elapsed)
{
    double scale = incident->scale;
    if (incident->shape == SHAPE_LINEAR || incident->shape == SHAPE_ACCELERATING ||
        incident->shape == SHAPE_STAIR)
        elapsed = uneven(world, incident, index, start, elapsed);
    switch (incident->shape) {
    case SHAPE_LINEAR:
        return elapsed;
    case SHAPE_ACCELERATING:
        return elapsed + elapsed * elapsed / (2 * scale);
    case SHAPE_STAIR:
        return floor(elapsed / scale) * scale;
    case SHAPE_OFFICE:
        return load_between(&world->hosts[index], start, start + elapsed);
    case SHAPE_BURSTY:
        return bursts(rng_hash(world->seed ^ 0xB5, index), elapsed, scale);
    case SHAPE_PLATEAU:
        return fmin(elapsed, scale);
    case SHAPE_LEVEL:
    case SHAPE_STEP:
        return scale * smooth(elapsed / 0.3);
    case SHAPE_COUNT:
        break;
    }
    return 0;
}

double world_growth(const struct world *world, const struct world_incident *incident, size_t index,
                    double at)
{
    double start = world_growth_start(incident, &world->hosts[index], index, at);
    if (start >= WORLD_NEVER || at <= start)
        return 0;
    return incident->rate[index] * shape_hours(world, incident, index, start, at - start);
}

/* The lag is in hours of the first tag's own growth: a follower holds what the first held then. */
double world_member_blocks(const struct world *world, const struct world_incident *incident,
                           size_t member, size_t index, double at)
{
    double start = world_growth_start(incident, &world->hosts[index], index, at);
    double then = at - incident->lag[member];
    if (start >= WORLD_NEVER || then <= start)
        return 0;
    return floor(incident->ratio[member] * incident->rate[index] *
                 shape_hours(world, incident, index, start, then - start));
}

double world_growth_bytes(const struct world *world, const struct world_incident *incident,
                          size_t host, double at)
{
    double sum = 0;
    for (size_t i = 0; i < incident->tag_count; i++)
        sum += incident->block[i] * world_member_blocks(world, incident, i, host, at);
    return sum;
}
