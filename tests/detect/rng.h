/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The benchmark's own random numbers (splitmix64), so that a seed gives the same fleet on every
 * machine with the same libm. Two uses: a stream (struct rng) while a fleet is made up, and a pure
 * hash of keys while its values are computed, so that a value does not depend on what was asked
 * before.
 */
#ifndef TESTS_DETECT_RNG_H
#define TESTS_DETECT_RNG_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline uint64_t rng_scramble(uint64_t z)
{
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static inline uint64_t rng_next(struct rng *rng)
{
    rng->state += 0x9E3779B97F4A7C15u;
    return rng_scramble(rng->state);
}

static inline uint64_t rng_hash(uint64_t a, uint64_t b)
{
    return rng_scramble(rng_scramble(a + 0x9E3779B97F4A7C15u) ^ (b * 0xD1342543DE82EF95u + 1));
}

static inline double rng_to_unit(uint64_t bits) /* 0 <= x < 1 */
{
    return (double)(bits >> 11) / 9007199254740992.0;
}

static inline double rng_unit(struct rng *rng)
{
    return rng_to_unit(rng_next(rng));
}

static inline double rng_range(struct rng *rng, double low, double high)
{
    return low + (high - low) * rng_unit(rng);
}

/* Even on a log scale. */
static inline double rng_log_range(struct rng *rng, double low, double high)
{
    return exp(rng_range(rng, log(low), log(high)));
}

static inline size_t rng_pick(struct rng *rng, size_t count)
{
    return (size_t)(rng_next(rng) % count);
}

static inline int rng_chance(struct rng *rng, double probability)
{
    return rng_unit(rng) < probability;
}

static inline double rng_hash_normal(uint64_t key)
{
    double u = rng_to_unit(rng_scramble(key)) + 1e-12;
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * rng_to_unit(rng_scramble(key + 77)));
}

static inline double rng_normal(struct rng *rng)
{
    return rng_hash_normal(rng_next(rng));
}

/* Smooth noise of unit size (about -1.7 to 1.7) that depends on x only: a curve through hashed
 * lattice values. */
static inline double rng_wander(uint64_t key, double x)
{
    double cell = floor(x);
    double f = x - cell;
    double a = rng_to_unit(rng_hash(key, (uint64_t)(int64_t)cell)) * 2 - 1;
    double b = rng_to_unit(rng_hash(key, (uint64_t)(int64_t)cell + 1)) * 2 - 1;
    return 1.7 * (a + (b - a) * f * f * (3 - 2 * f));
}

#endif
