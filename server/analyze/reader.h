/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reads hosts into a fleet, one after the other: which points of the present one are used,
 * where each boot begins, and what has been found so far. Internal to collect.c, rows.c, signs.c
 * and kept*.c. The reader's own memory is used again for the next host.
 */
#ifndef SERVER_ANALYZE_READER_H
#define SERVER_ANALYZE_READER_H

#include "server/analyze/fleet.h"

/* Memory that only grows: to free and fault in a megabyte for every host took a tenth of a pass. */
struct room {
    void *data;
    size_t size;
};

struct kept;

struct reader {
    struct fleet *fleet;
    struct arena *arena; /* of what the host is given: the fleet's, or the kept host's own */
    struct kept *kept;   /* is given the courses of the rows that matter; NULL: nobody */
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

/* For the next host; NULL: out of memory. */
struct reader *reader_open(struct fleet *fleet);
/* Which of the host's points are used, where boots begin, and whether the newest cannot be true.
 * ST_NOMEM. */
enum status reader_pick(struct reader *reader, const struct analyze_host *host,
                        int64_t as_of_us) MUST_CHECK;
/* What holds for the host as a whole, from points and boots; sets the newest time first. ST_NOMEM.
 */
enum status reader_header(struct reader *reader, const struct analyze_host *host) MUST_CHECK;
/* Another host of the fleet; a room for it must be made first. */
bool reader_make_room(struct fleet *fleet);

/* NAN: unknown. */
double reader_total(const struct analyze_point *point, enum total which);

/* Boot times this near are those of one boot. */
#define SAME_BOOT_US (2 * US_PER_MINUTE)

/* Levels of all rows of a pool, features of those that matter (rows.c). ST_NOMEM. */
enum status reader_rows(struct reader *reader, enum pool pool) MUST_CHECK;

/* What else a host tells (signs.c), after its header is known: attributes and drivers, objects,
 * the processes that hold most, failing allocations. ST_NOMEM. */
enum status reader_facts(struct reader *reader, const struct analyze_host *host) MUST_CHECK;
enum status reader_signs(struct reader *reader) MUST_CHECK;
/* The value that holds at that time; NULL: none. Borrowed from the host. */
const char *reader_fact(const struct analyze_host *host, const char *name, int64_t at_us);

#endif
