/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/backoff.h"

/* splitmix64: small, seedable, passes the tests that matter for jitter. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void backoff_init(struct backoff *backoff, int64_t base_us, int64_t cap_us, uint64_t seed)
{
    *backoff = (struct backoff){.base_us = base_us, .cap_us = cap_us, .random = seed};
}

void backoff_reset(struct backoff *backoff)
{
    backoff->failures = 0;
}

int64_t backoff_next(struct backoff *backoff, int64_t retry_after_us)
{
    int64_t ceiling = backoff->base_us;
    for (unsigned i = 0; i < backoff->failures && ceiling < backoff->cap_us; i++)
        ceiling = ceiling > backoff->cap_us / 2 ? backoff->cap_us : ceiling * 2;
    if (ceiling > backoff->cap_us)
        ceiling = backoff->cap_us;
    if (backoff->failures < 64)
        backoff->failures++;
    int64_t wait = 0;
    if (ceiling > 0)
        wait = (int64_t)(next_random(&backoff->random) % ((uint64_t)ceiling + 1));
    if (retry_after_us > BACKOFF_RETRY_AFTER_MAX_US)
        retry_after_us = BACKOFF_RETRY_AFTER_MAX_US;
    return retry_after_us > 0 ? retry_after_us + wait : wait;
}
