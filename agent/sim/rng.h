/* SPDX-License-Identifier: Apache-2.0 */
/* Seeded randomness of the simulator: splitmix64, one state per host, so that the same seed gives
 * the same fleet on any number of threads. Not for secrets. */
#ifndef AGENT_SIM_RNG_H
#define AGENT_SIM_RNG_H

#include <stdint.h>

static inline uint64_t rng_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline uint64_t rng_next(uint64_t *state)
{
    return rng_mix(*state += 0x9e3779b97f4a7c15u);
}

/* A fixed number for a pair; for what must not depend on order. */
static inline uint64_t rng_hash(uint64_t a, uint64_t b)
{
    return rng_mix(rng_mix(a + 0x9e3779b97f4a7c15u) ^ (b * 0xd1342543de82ef95u + 1));
}

static inline uint64_t rng_hash_text(uint64_t seed, const char *text)
{
    uint64_t hash = rng_mix(seed + 0x9e3779b97f4a7c15u);
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return rng_mix(hash);
}

/* 0 <= x < 1 */
static inline double rng_unit_of(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}

static inline double rng_unit(uint64_t *state)
{
    return rng_unit_of(rng_next(state));
}

static inline uint64_t rng_below(uint64_t *state, uint64_t bound)
{
    return rng_next(state) % bound;
}

/* Mean 0, deviation 1, within +-3.5: the sum of four 16-bit numbers out of one draw. */
static inline double rng_gauss(uint64_t *state)
{
    uint64_t z = rng_next(state);
    uint64_t sum = (z & 0xffff) + (z >> 16 & 0xffff) + (z >> 32 & 0xffff) + (z >> 48);
    return ((double)sum / 65536.0 - 2.0) * 1.7320508;
}

#endif
