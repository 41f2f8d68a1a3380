/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/nt/query.h"

#define WHAT "the kernel's clocks"

/* Kernel time counts 100 ns from 1601; ours microseconds from 1970. */
#define EPOCH_US  11644473600000000ll
#define WALL_MOST 253402300799000000ll /* end of the year 9999: what a time text can show */

/* BootTime moves when somebody sets the clock, and BootTimeBias by the same: their difference
 * stays through a boot. */
enum status nt_clocks(struct nt_reader *reader, struct nt_clocks *ret_clocks, struct err *err)
{
    unsigned char bytes[NT_TIME_BYTES];
    uint32_t told = 0;
    enum status status =
        nt_ask_fixed(reader, NT_CLASS_TIME, WHAT, bytes, NT_TIME_BYTES, &told, err);
    if (status == ST_INVALID || (status == ST_OK && told < NT_TIME_BOOT_BIAS + 8))
        return nt_contradiction(err, WHAT, "its length is not that of the class");
    if (status != ST_OK)
        return status;
    int64_t boot = (int64_t)nt_u64(bytes + NT_TIME_BOOT);
    int64_t now = (int64_t)nt_u64(bytes + NT_TIME_CURRENT);
    int64_t bias = (int64_t)nt_u64(bytes + NT_TIME_BOOT_BIAS);
    int64_t start = 0;
    if (boot <= 0 || now < boot || __builtin_sub_overflow(boot, bias, &start))
        return nt_contradiction(err, WHAT, "it started after it was asked");
    struct nt_clocks clocks = {now / 10 - EPOCH_US, start / 10 - EPOCH_US, (now - boot) / 10};
    if (clocks.wall_us < 0 || clocks.wall_us > WALL_MOST || clocks.boot_at_us < 0 ||
        clocks.boot_at_us > WALL_MOST)
        return nt_contradiction(err, WHAT, "a time before 1970 or after 9999");
    *ret_clocks = clocks;
    return ST_OK;
}
