/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which boot a snapshot belongs to. Counters restart only when the kernel session does, and the
 * server keys a boot by the exact time it is sent, so one boot must keep one name however its
 * clocks move:
 *
 *   clock set forward or back   the kernel's own boot time does not move with it: same boot
 *   sleep, hibernation          uptime and boot time go on: same boot
 *   Fast Startup                the kernel session goes on: same boot, counters go on too
 *   agent restarted             what is remembered in the state file is sent again: same boot
 *   restart of the system       another boot time, or an uptime that went back: new boot
 *   clock at boot was ahead     the boot would lie after the snapshot, which no server takes:
 *                               renamed to wall time minus uptime, and then kept
 *
 * Pure. Times are us.
 */
#ifndef AGENT_CORE_BOOT_H
#define AGENT_CORE_BOOT_H

#include "agent/core/source.h"

/* Chosen: more than clocks drift between two looks at them, less than any restart takes until the
 * next snapshot. */
#define BOOT_TOLERANCE_US (30 * US_PER_SECOND)

struct boot_memory {
    int64_t sent_us;   /* boot_at as sent, whole seconds; TIME_UNKNOWN: no boot is remembered */
    int64_t kernel_us; /* as the kernel told it last; follows slow drift */
    int64_t uptime_us; /* at that time */
};

enum boot_verdict { BOOT_SAME, BOOT_NEW, BOOT_RENAMED };

/* elapsed_us: monotonic time since the remembered reading in this process; TIME_UNKNOWN: it is from
 * an earlier one. BOOT_RENAMED: the same boot under another name; what the server holds of it
 * cannot be a base any more. */
enum boot_verdict boot_decide(const struct boot_memory *memory, const struct source_clocks *now,
                              int64_t elapsed_us, struct boot_memory *ret_memory);

/* The sequence of a snapshot taken now: seconds of uptime, above `last` (-1: none). */
int64_t boot_sequence(int64_t uptime_us, int64_t last);

#endif
