/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealed chunks that could not be read since this process started, each once however often it was
 * met, so that somebody hears of it: the first meeting is logged, the rest is for the API and
 * /metrics. From any thread.
 */
#ifndef SERVER_STORE_DAMAGE_H
#define SERVER_STORE_DAMAGE_H

#include "common/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Told apart at most; more are counted as one. */
#define DAMAGE_MAX 64

struct damage {
    int64_t host_key;
    int64_t span_us;
    int64_t boot_at_us; /* TIME_UNKNOWN allowed */
    int32_t part;
    int64_t found_at_us;
    char reason[256];
};

/* Whether it is new. found_at_us is set here. */
bool damage_note(const struct damage *damage);
/* The same, and in the log when it is new. */
void damage_tell(int64_t host_key, int64_t span_us, int64_t boot_at_us, int32_t part,
                 const char *reason);
/* As many as there are, oldest first; ret_items may be NULL. */
size_t damage_read(struct damage ret_items[DAMAGE_MAX]);
/* Reads that met any of them. */
uint64_t damage_meetings(void);

#endif
