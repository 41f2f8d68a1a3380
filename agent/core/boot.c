/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/boot.h"

/* Years 1970 to 9999: what a document can say. Outside, the kernel talks nonsense. */
#define TIME_MAX_US (253402300799ll * US_PER_SECOND)

static bool sane(int64_t us)
{
    return us >= 0 && us <= TIME_MAX_US;
}

static int64_t whole_seconds(int64_t us)
{
    int64_t rest = us % US_PER_SECOND;
    return us - (rest < 0 ? rest + US_PER_SECOND : rest);
}

static bool near(int64_t a, int64_t b)
{
    return a - b <= BOOT_TOLERANCE_US && b - a <= BOOT_TOLERANCE_US;
}

static bool same_boot(const struct boot_memory *memory, int64_t kernel_us, int64_t uptime_us,
                      int64_t elapsed_us)
{
    if (memory->sent_us == TIME_UNKNOWN || uptime_us < memory->uptime_us)
        return false;
    if (near(kernel_us, memory->kernel_us))
        return true;
    /* Kernels that move their boot time when the clock is set: uptime went on with our own
     * monotonic clock, so nothing restarted. */
    return elapsed_us != TIME_UNKNOWN && sane(elapsed_us) &&
           near(uptime_us - memory->uptime_us, elapsed_us);
}

enum boot_verdict boot_decide(const struct boot_memory *memory, const struct source_clocks *now,
                              int64_t elapsed_us, struct boot_memory *ret_memory)
{
    int64_t wall_us = sane(now->wall_us) ? now->wall_us : 0;
    int64_t uptime_us = sane(now->uptime_us) ? now->uptime_us : 0;
    int64_t kernel_us = sane(now->boot_at_us) ? now->boot_at_us : wall_us - uptime_us;
    bool same = same_boot(memory, kernel_us, uptime_us, elapsed_us);
    struct boot_memory next = {
        .sent_us = same ? memory->sent_us : whole_seconds(kernel_us),
        .kernel_us = kernel_us,
        .uptime_us = uptime_us,
    };
    bool ahead = next.sent_us > wall_us;
    if (ahead)
        next.sent_us = whole_seconds(wall_us - uptime_us);
    /* The clock went back over a restart: two boots must not share a name. */
    if (!same && next.sent_us == memory->sent_us)
        next.sent_us -= US_PER_SECOND;
    *ret_memory = next;
    if (!same)
        return BOOT_NEW;
    return ahead ? BOOT_RENAMED : BOOT_SAME;
}

int64_t boot_sequence(int64_t uptime_us, int64_t last)
{
    int64_t sequence = sane(uptime_us) ? uptime_us / US_PER_SECOND : 0;
    return sequence > last ? sequence : last + 1;
}
