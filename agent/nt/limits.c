/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far the pools can grow, as the vendor's table of memory limits prints it by version. What
 * depends on a boot option or a registry value the kernel does not tell is given as the most it can
 * be. On 64-bit Windows since 8.1 the real bounds are RAM (nonpaged) and the commit limit (paged).
 */
#include "agent/nt/nt.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define TIB (1ull << 40)

enum bound { BOUND_FIXED, BOUND_RAM, BOUND_RAM_75, BOUND_RAM_40, BOUND_COMMIT };

struct limit {
    uint64_t most;
    enum bound bound; /* BOUND_FIXED: `most` alone */
};

enum edition { EDITION_CLIENT = 1, EDITION_SERVER = 2, EDITION_BOTH = 3 };

/* The first row whose version is not above the host's holds. The x86 kernel has 2 GB of addresses
 * (1 GB with /3GB, which is not told). */
static const struct {
    unsigned version; /* major * 100 + minor */
    enum edition edition;
    struct limit paged[2], nonpaged[2]; /* by enum nt_arch: x86, x64 */
} rows[] = {
    {603,
     EDITION_BOTH,
     {{2 * GIB, BOUND_FIXED}, {31 * TIB / 2, BOUND_COMMIT}},
     {{2 * GIB, BOUND_RAM}, {16 * TIB, BOUND_RAM}}},
    {602,
     EDITION_BOTH,
     {{2 * GIB, BOUND_FIXED}, {384 * GIB, BOUND_COMMIT}},
     {{2 * GIB, BOUND_RAM_75}, {128 * GIB, BOUND_RAM}}},
    {601,
     EDITION_BOTH,
     {{2 * GIB, BOUND_FIXED}, {128 * GIB, BOUND_COMMIT}},
     {{2 * GIB, BOUND_RAM_75}, {128 * GIB, BOUND_RAM_75}}},
    {600,
     EDITION_SERVER,
     {{2 * GIB, BOUND_FIXED}, {128 * GIB, BOUND_COMMIT}},
     {{2 * GIB, BOUND_RAM_75}, {128 * GIB, BOUND_RAM_75}}},
    {600,
     EDITION_CLIENT,
     {{2 * GIB, BOUND_FIXED}, {128 * GIB, BOUND_COMMIT}},
     {{2 * GIB, BOUND_RAM}, {128 * GIB, BOUND_RAM_40}}},
    /* x64 of 5.2 is both Server 2003 and XP x64: "up to 128 GB", never more than there is. */
    {502,
     EDITION_BOTH,
     {{530 * MIB, BOUND_FIXED}, {128 * GIB, BOUND_COMMIT}},
     {{256 * MIB, BOUND_FIXED}, {128 * GIB, BOUND_RAM}}},
    {501, EDITION_BOTH, {{490 * MIB, BOUND_FIXED}, {0}}, {{256 * MIB, BOUND_FIXED}, {0}}},
};

/* 0: not known, for what it depends on is not. */
static uint64_t limit_bytes(const struct limit *limit, uint64_t physical, uint64_t commit)
{
    uint64_t bound = limit->most;
    switch (limit->bound) {
    case BOUND_FIXED:
        break;
    case BOUND_RAM:
        bound = physical;
        break;
    case BOUND_RAM_75:
        bound = physical / 4 * 3;
        break;
    case BOUND_RAM_40:
        bound = physical / 5 * 2;
        break;
    case BOUND_COMMIT:
        bound = commit;
        break;
    }
    return bound < limit->most ? bound : limit->most;
}

void nt_pool_limits(const struct nt_version *version, uint64_t physical_bytes,
                    uint64_t commit_limit_bytes, uint64_t *ret_nonpaged, uint64_t *ret_paged)
{
    enum edition edition = version->server ? EDITION_SERVER : EDITION_CLIENT;
    *ret_nonpaged = 0;
    *ret_paged = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (version->major * 100 + version->minor < rows[i].version ||
            (rows[i].edition & edition) == 0)
            continue;
        *ret_nonpaged =
            limit_bytes(&rows[i].nonpaged[version->arch], physical_bytes, commit_limit_bytes);
        *ret_paged = limit_bytes(&rows[i].paged[version->arch], physical_bytes, commit_limit_bytes);
        return;
    }
}
