/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/fault.h"

#include <math.h>

/* docs/detection.md, "Thresholds and where they come from": fault */
#define MOST_BYTES  0x1p48 /* 256 TB: more than any machine has */
#define FAULT_TIMES 1.1    /* rows and totals are not read in the same moment */

/* Sums of a whole pool; nothing a machine can hold comes near the end of the range. */
static double pool_sum(const struct snapshot_table *table)
{
    uint64_t sum = 0;
    uint64_t any = 0;
    double wide = 0;
    if (!table->present || table->bytes == NULL)
        return 0;
    size_t i = 0;
    for (; i + 4 <= table->count; i += 4) {
        const uint64_t *bytes = table->bytes + i;
        sum += (bytes[0] + bytes[1]) + (bytes[2] + bytes[3]);
        any |= (bytes[0] | bytes[1]) | (bytes[2] | bytes[3]);
    }
    for (; i < table->count; i++) {
        sum += table->bytes[i];
        any |= table->bytes[i];
    }
    if (any < UINT64_C(1) << 48 && table->count <= 1 << 15)
        return (double)sum;
    for (i = 0; i < table->count; i++) /* the sum may have gone round */
        wide += (double)table->bytes[i];
    return wide;
}

static const struct fault faults[] = {
    {"boot_after_snapshot", "its newest snapshot tells a boot that is later than the snapshot"},
    {"nonpaged_beyond_memory", "its nonpaged rows hold more together than the machine has memory"},
    {"paged_beyond_commit", "its paged rows hold more together than the machine can commit"},
};

const struct fault *fault_of(const struct analyze_point *point)
{
    const struct snapshot_totals *totals = point->totals;
    double ram = totals != NULL && totals_has(totals, TOTAL_PHYSICAL_BYTES)
                     ? (double)totals->value[TOTAL_PHYSICAL_BYTES]
                     : 0;
    double commit = totals != NULL && totals_has(totals, TOTAL_COMMIT_LIMIT_BYTES)
                        ? (double)totals->value[TOTAL_COMMIT_LIMIT_BYTES]
                        : 0;
    if (point->boot_at_us != TIME_UNKNOWN && point->boot_at_us > point->taken_at_us + US_PER_HOUR)
        return &faults[0];
    ram = ram >= 1e6 && ram < MOST_BYTES ? ram : MOST_BYTES;
    if (pool_sum(&point->table[POOL_NONPAGED]) > FAULT_TIMES * ram)
        return &faults[1];
    commit = commit >= 1e6 && commit < MOST_BYTES ? fmax(commit, ram) : MOST_BYTES;
    if (pool_sum(&point->table[POOL_PAGED]) > FAULT_TIMES * commit)
        return &faults[2];
    return NULL;
}
