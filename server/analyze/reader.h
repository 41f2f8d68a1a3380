/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reads hosts into a fleet, one after the other: which points of the present one are used,
 * where each boot begins, and what has been found so far. Internal to collect.c, rows.c and
 * signs.c. Memory of the result is the fleet's arena; the reader's own is used again.
 */
#ifndef SERVER_ANALYZE_READER_H
#define SERVER_ANALYZE_READER_H

#include "server/analyze/fleet.h"

/* Memory that only grows: to free and fault in a megabyte for every host took a tenth of a pass. */
struct room {
    void *data;
    size_t size;
};

struct reader {
    struct fleet *fleet;
    struct fleet_host host;
    const struct analyze_point **points; /* usable ones */
    size_t count;
    uint16_t *boot;            /* boot number of each */
    size_t boot_first;         /* where the current boot begins */
    const struct fault *fault; /* of the newest point; NULL: none */
    struct feature *features;
    size_t feature_room;
    struct feature_scratch scratch;
    struct room rooms[10]; /* points, boot; the others are those of rows.c */
};

enum { ROOM_POINTS, ROOM_BOOT, ROOM_OF_ROWS };
/* Not cleared; NULL: out of memory. Valid until that room is asked for again. */
void *reader_room(struct reader *reader, size_t which, size_t count, size_t size);

/* NAN: unknown. */
double reader_total(const struct analyze_point *point, enum total which);

/* Levels of all rows of a pool, features of those that matter (rows.c). ST_NOMEM. */
enum status reader_rows(struct reader *reader, enum pool pool) MUST_CHECK;

/* What else a host tells (signs.c), after its header is known: attributes and drivers, objects,
 * the processes that hold most, failing allocations. ST_NOMEM. */
enum status reader_facts(struct reader *reader, const struct analyze_host *host) MUST_CHECK;
enum status reader_signs(struct reader *reader) MUST_CHECK;
/* The value that holds at that time; NULL: none. Borrowed from the host. */
const char *reader_fact(const struct analyze_host *host, const char *name, int64_t at_us);

#endif
