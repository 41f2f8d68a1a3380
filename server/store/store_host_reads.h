/* SPDX-License-Identifier: Apache-2.0 */
/* What the page of one host reads beside snapshots: the events of a stretch of time. */
#ifndef SERVER_STORE_STORE_HOST_READS_H
#define SERVER_STORE_STORE_HOST_READS_H

#include "common/arena.h"
#include "server/store/db.h"

struct store_event {
    int64_t at_us; /* when it happened; of the document when that was not told */
    const char *provider;
    int64_t id;
};
struct store_events {
    struct arena arena;
    struct store_event *items; /* newest first */
    size_t count;
};
void store_events_done(struct store_events *events);
#define AUTO_STORE_EVENTS CLEANUP(store_events_done)

/* The newest `limit` events that documents of the range carried, each once. */
enum status store_host_events(struct db *db, int64_t host_key, int64_t from_us, int64_t to_us,
                              size_t limit, struct store_events *ret_events,
                              struct err *err) MUST_CHECK;

extern const struct stmt_table store_host_reads_statements;

#endif
