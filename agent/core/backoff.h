/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long to wait before the next try: exponential with full jitter, so that a fleet that lost its
 * server does not come back in step; and never less than the server's Retry-After. Times are us.
 * Deterministic for a given seed. One thread.
 */
#ifndef AGENT_CORE_BACKOFF_H
#define AGENT_CORE_BACKOFF_H

#include <stdint.h>

#define BACKOFF_NO_RETRY_AFTER (-1)
/* Chosen: an agent that asks once in five minutes is no load, and back soon enough. */
#define BACKOFF_RETRY_AFTER_MAX_US (3600ll * 1000000ll)

struct backoff {
    int64_t base_us; /* mean of the first wait is half of this */
    int64_t cap_us;  /* ceiling of the jitter */
    unsigned failures;
    uint64_t random; /* state of the generator */
};

void backoff_init(struct backoff *backoff, int64_t base_us, int64_t cap_us, uint64_t seed);
void backoff_reset(struct backoff *backoff); /* after a success */
/* The wait after one more failure: uniform in 0..min(cap, base * 2^failures), on top of
 * retry_after_us when the server gave one (BACKOFF_NO_RETRY_AFTER: it did not). A server's wish
 * beyond BACKOFF_RETRY_AFTER_MAX_US is cut to it. */
int64_t backoff_next(struct backoff *backoff, int64_t retry_after_us);

#endif
