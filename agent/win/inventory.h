/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loaded drivers with the facts of their files. A file is read once and remembered by path,
 * size and time (core/driver_cache.h); its code is scanned for tags only when the server asks, so
 * that each build of a driver is scanned once in a fleet. A driver that left is simply not in the
 * list any more: the server keeps the history.
 */
#ifndef AGENT_WIN_INVENTORY_H
#define AGENT_WIN_INVENTORY_H

#include "agent/win/drivers.h"

struct inventory {
    const struct files *files;
    struct driver_cache cache;
    bool scans;       /* SETTING_SCAN_DRIVERS */
    bool recorded;    /* a recording's drivers are not this host's files */
    bool loaded;      /* the cache has been read */
    bool incomplete;  /* files are left to be read: more next time */
    uint64_t modules; /* digest of what the last complete list was made from */
    char system_root[SYSTEM_FOLDER_MAX];
    volatile long *stop; /* set by another thread: no further file is begun */
};

void inventory_init(struct inventory *inventory, const struct files *files, bool scans,
                    bool recorded, volatile long *stop);
void inventory_done(struct inventory *inventory);

/* The drivers, sorted by name, each name once, in `arena`. wanted: hashes of files to scan now,
 * with the tags in use (sorted). ST_BUSY: more files are left than one call may read; what was read
 * is kept, ask again. ST_UNSUPPORTED, ST_IO, ST_NOMEM. */
enum status inventory_take(struct inventory *inventory, struct nt_reader *reader,
                           const struct source_request *request, const uint32_t *live,
                           size_t live_count, struct arena *arena,
                           struct snapshot_driver **ret_drivers, size_t *ret_count,
                           struct err *err) MUST_CHECK;
/* True when other drivers are loaded than in the last complete list, or there was none. */
bool inventory_changed(struct inventory *inventory, struct nt_reader *reader);

#endif
