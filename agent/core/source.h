/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where snapshots come from: the Windows kernel (agent/win/source.c), or a test. The source reads;
 * what is a boot, what is sent and when is decided by the core.
 */
#ifndef AGENT_CORE_SOURCE_H
#define AGENT_CORE_SOURCE_H

#include "common/snapshot.h"

#define SOURCE_BLOCK_TAGS 16u /* tags of one request whose big blocks are measured */
#define SOURCE_SCAN_FILES 16u /* driver files of one request to be scanned for tags */
#define SHA256_TEXT_MAX   65  /* 64 lower-case hex digits, NUL */

/* What one snapshot should hold beside totals, both pools, object types, the processes with most
 * handles, and events. */
struct source_request {
    bool drivers;   /* host.attributes and host.drivers: changed since last given, or asked for */
    bool processes; /* every process instead of the largest */
    unsigned top_processes;
    size_t block_count;
    uint32_t blocks[SOURCE_BLOCK_TAGS];
    size_t scan_count;
    char scan[SOURCE_SCAN_FILES][SHA256_TEXT_MAX]; /* files of these hashes are to be scanned */
};

/* The kernel's own clocks, read together with the snapshot. */
struct source_clocks {
    int64_t wall_us;    /* UTC */
    int64_t boot_at_us; /* start of the kernel session, without later corrections of the clock */
    int64_t uptime_us;  /* since then, time asleep included; never goes back within a boot */
};

struct source {
    void *arg;
    /* Makes ret_snapshot (tables sorted, host_id NULL, sequence and base unknown, taken_at_us =
     * wall_us, boot_at_us left TIME_UNKNOWN). What cannot be read is left out; the reason of the
     * first thing left out is logged once by the source. ST_UNSUPPORTED: this system has no pool
     * tags (tagging off, no such class); ST_NOMEM, ST_IO: this time it failed. */
    enum status (*take)(void *arg, const struct source_request *request,
                        struct snapshot *ret_snapshot, struct source_clocks *ret_clocks,
                        struct err *err);
    /* True when drivers or attributes are not what the last take() with `drivers` gave. Cheap:
     * looked at before every snapshot. */
    bool (*inventory_changed)(void *arg);
};

#endif
