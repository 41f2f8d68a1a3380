/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to take the next snapshot: a fixed grid per interval, moved by an offset that depends on the
 * host's id alone, so that a fleet spreads itself evenly and stays there over restarts. Missed
 * slots are skipped, never made up. Pure. Times are us.
 */
#ifndef AGENT_CORE_SCHEDULE_H
#define AGENT_CORE_SCHEDULE_H

#include <stdint.h>

/* 0..interval_us-1. interval_us must be above 0. */
int64_t schedule_offset_us(const char *host_id, int64_t interval_us);
/* The first slot of the host strictly after now_us. */
int64_t schedule_next_us(int64_t now_us, int64_t interval_us, int64_t offset_us);

#endif
