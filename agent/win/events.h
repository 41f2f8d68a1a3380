/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Windows itself says of exhausted memory, from the System log: Srv 2017 to 2020 (pool) and
 * Resource-Exhaustion-Detector 2004 (commit). Asked for with each snapshot from where the last one
 * ended (the last event's number and time, in the data folder's "bookmark"); no thread, no
 * subscription. Silence proves
 * nothing: only file servers log the former. One thread.
 *
 * Needs wevtapi.dll (Vista and later); on Server 2003 there are no events.
 */
#ifndef AGENT_WIN_EVENTS_H
#define AGENT_WIN_EVENTS_H

#include "agent/core/files.h"
#include "common/snapshot.h"

#define EVENTS_MAX 64u /* of one snapshot; the rest comes with the next */

struct events {
    const struct files *files;
    bool loaded;     /* the bookmark's file has been read */
    uint64_t record; /* of the last event seen; 0: none yet */
    int64_t at_us;
};

void events_init(struct events *events, const struct files *files);
/* New events, oldest first, in `arena`. ST_UNSUPPORTED: this system has no such log; ST_IO. */
enum status events_take(struct events *events, struct arena *arena,
                        struct snapshot_event **ret_events, size_t *ret_count,
                        struct err *err) MUST_CHECK;

#endif
