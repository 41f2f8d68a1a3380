/* SPDX-License-Identifier: Apache-2.0 */
/* One moment of one host, whole: the newest from memory, older ones from the store. */
#ifndef SERVER_API_HOST_MOMENT_H
#define SERVER_API_HOST_MOMENT_H

#include "server/api/api_common.h"
#include "server/store/store_snapshots.h"

struct host_moment {
    struct arena arena;
    struct snapshot snapshot;
    bool stored; /* snapshot owns the tables, and has objects, processes, sessions and events */
    int64_t taken_at_us;
    int64_t boot_at_us;
    const struct snapshot_totals *totals; /* borrowed from the host's state or from snapshot */
    struct snapshot_table table[POOL_COUNT];
};
void host_moment_done(struct host_moment *moment);
#define AUTO_HOST_MOMENT CLEANUP(host_moment_done)

/* TIME_UNKNOWN is the newest. */
bool host_moment_is_newest(const struct host_state *host, int64_t at_us);
/* From memory when it is the newest (db may be NULL then), else from the store. ST_NOT_FOUND with
 * `field` when the host has no snapshot at or before that. `moment` is zeroed by the caller. */
enum status host_moment_read(struct db *db, const struct host_state *host, int64_t at_us,
                             const char *field, struct host_moment *moment,
                             struct err *err) MUST_CHECK;
enum status host_moment_stored(struct db *db, const struct host_state *host, int64_t at_us,
                               const char *field, struct host_moment *moment,
                               struct err *err) MUST_CHECK;

/* Boot times are computed from uptimes and wander a little: close ones are the same boot. */
bool host_same_boot(int64_t a, int64_t b);
/* store_boots with entries of the same boot made one, newest first; the newest name of it stays. */
enum status host_boots(struct db *db, const struct host_state *host, struct store_boots *ret_boots,
                       struct err *err) MUST_CHECK;
/* Seconds, NUMBER_ABSENT when the boot is unknown. */
int64_t host_moment_uptime(const struct host_moment *moment);
/* The member "totals"; unknown ones are null. */
void host_moment_write_totals(const struct snapshot_totals *totals, struct strbuf *out);

#endif
