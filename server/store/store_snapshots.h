/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading snapshots back. A snapshot is kept as every tag row (a keyframe), as the rows that
 * changed since its base, or sealed with others (blocks.h); the functions here hide that, so
 * callers only ever see complete tables. Times are us since 1970, ranges include both ends. A lease
 * is used by one thread.
 *
 * Snapshots whose chain can no longer be followed (its first part fell to retention) are left out,
 * and so are damaged ones, with a warning in the log; asked for by itself, one is ST_MALFORMED.
 */
#ifndef SERVER_STORE_STORE_SNAPSHOTS_H
#define SERVER_STORE_STORE_SNAPSHOTS_H

#include "common/snapshot.h"
#include "common/strbuf.h"
#include "server/store/db.h"

/* The newest snapshot at or before at_us: complete tables, totals, objects, processes, sessions,
 * events as its document had them. No attributes and drivers (see store_hosts.h), host_id NULL.
 * ST_NOT_FOUND. ret_snapshot owned by caller (snapshot_done). */
enum status store_snapshot_at(struct db *db, int64_t host_key, int64_t at_us,
                              struct snapshot *ret_snapshot, struct err *err) MUST_CHECK;

/* Borrowed until it returns. Anything but ST_OK ends the walk with that status. */
typedef enum status (*store_snapshot_fn)(const struct snapshot *snapshot, void *arg);

/* For each grid time (strictly rising) the newest snapshot at or before it, after the grid time
 * before it and not before from_us; each at most once, oldest first. Nothing beyond to_us. Reads
 * a day at a time. With grid_count 0: every snapshot of the range. */
enum status store_snapshots_sample(struct db *db, int64_t host_key, int64_t from_us, int64_t to_us,
                                   const int64_t *grid, size_t grid_count, store_snapshot_fn fn,
                                   void *arg, struct err *err) MUST_CHECK;

/* One tag of one host over time, a point for each snapshot. known: COLUMN_* or'ed; 0 where the
 * snapshot's (complete) table has no such tag or the pool is unknown. */
struct series {
    struct arena arena;
    size_t count;
    int64_t *t_us;
    int64_t *boot_at_us; /* TIME_UNKNOWN allowed */
    unsigned *known;
    uint32_t *allocs;
    uint32_t *frees;
    uint64_t *bytes;
};
void series_done(struct series *series);
#define AUTO_SERIES CLEANUP(series_done)
enum status store_series_read(struct db *db, int64_t host_key, enum pool pool, uint32_t tag,
                              int64_t from_us, int64_t to_us, struct series *ret_series,
                              struct err *err) MUST_CHECK;

/* Totals of the snapshots in the range, at most max_points (the newest of each of max_points equal
 * spans of time). */
struct totals_series {
    struct arena arena;
    size_t count;
    int64_t *t_us;
    int64_t *boot_at_us;
    struct snapshot_totals *totals;
};
void totals_series_done(struct totals_series *series);
#define AUTO_TOTALS_SERIES CLEANUP(totals_series_done)
enum status store_totals_series(struct db *db, int64_t host_key, int64_t from_us, int64_t to_us,
                                size_t max_points, struct totals_series *ret_series,
                                struct err *err) MUST_CHECK;

struct store_boot {
    int64_t boot_at_us; /* TIME_UNKNOWN: documents without boot_at */
    int64_t first_seen_us;
    int64_t last_seen_us;
    int64_t snapshots;
};
struct store_boots {
    struct store_boot *items; /* newest first */
    size_t count;
};
void store_boots_done(struct store_boots *boots);
#define AUTO_STORE_BOOTS CLEANUP(store_boots_done)
enum status store_boots(struct db *db, int64_t host_key, struct store_boots *ret_boots,
                        struct err *err) MUST_CHECK;

/* How many snapshots were taken in the last hour and day, over all hosts. */
struct store_recent {
    int64_t hour;
    int64_t day;
};
enum status store_snapshots_recent(struct db *db, int64_t now_us, struct store_recent *ret_recent,
                                   struct err *err) MUST_CHECK;

/* The sizes of big blocks as the newest snapshot since from_us has them that has any; else nothing
 * but an initialized snapshot. Only taken_at_us and blocks are filled in. Owned by caller. */
enum status store_big_blocks(struct db *db, int64_t host_key, int64_t from_us,
                             struct snapshot *ret_snapshot, struct err *err) MUST_CHECK;

/* ---- for ingest and the load at start -------------------------------------- */

/* The part of a stored row that says what it rests on. */
struct stored_key {
    int64_t taken_at_us;
    int64_t boot_at_us;
    int64_t sequence;
    int64_t keyframe_at_us;
    int32_t chain;
};
/* By (host, boot, sequence); ST_NOT_FOUND. */
enum status store_snapshot_by_sequence(struct db *db, int64_t host_key, int64_t boot_at_us,
                                       int64_t sequence, struct stored_key *ret_key,
                                       struct err *err) MUST_CHECK;
/* By (host, boot, taken_at, no sequence); ST_NOT_FOUND. */
enum status store_snapshot_by_time(struct db *db, int64_t host_key, int64_t boot_at_us,
                                   int64_t taken_at_us, struct stored_key *ret_key,
                                   struct err *err) MUST_CHECK;
struct blocks;
struct chain;
/* The complete tables of row `i` of a range into chain, following bases also out of the range.
 * ST_NOT_FOUND: a base is gone; ST_MALFORMED: damaged. For sealing. */
enum status store_chain_row(struct db *db, int64_t host_key, const struct blocks *range, size_t i,
                            struct chain *chain, struct err *err) MUST_CHECK;
/* The complete snapshot of that key. */
enum status store_snapshot_build(struct db *db, int64_t host_key, const struct stored_key *key,
                                 struct snapshot *ret_snapshot, struct err *err) MUST_CHECK;

/* objects, processes, sessions and events as JSON; nothing is added when there are none. */
void store_detail_encode(const struct snapshot *snapshot, struct strbuf *out);
/* The inverse; NULL and an object without members: nothing but an initialized snapshot. Owned by
 * caller. */
enum status store_detail_decode(const char *json, struct snapshot *ret_snapshot,
                                struct err *err) MUST_CHECK;
/* One object of two, each NULL or a JSON object; nothing is added when both are empty. */
void store_detail_join(const char *one, const char *other, struct strbuf *out);

#endif
