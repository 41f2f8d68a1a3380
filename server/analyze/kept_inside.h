/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a kept host has. Values of rows are kept at picks: of now as they are, of the newest few
 * picks as what their documents changed, and of the older ones packed row by row (kept_pack.c). Is
 * there a number of newest ones they are packed too; picks the grid has dropped stay in the packed
 * part until then, and are passed over. Internal to kept*.c and rows.c.
 */
#ifndef SERVER_ANALYZE_KEPT_INSIDE_H
#define SERVER_ANALYZE_KEPT_INSIDE_H

#include "server/analyze/kept.h"
#include "server/analyze/rows.h"

/* Rows that reach this share of the thresholds are kept, so that a row seldom matters before its
 * past is known. Chosen. */
#define KEPT_SHARE 0.5
/* Picks that are kept as changes: 1 kB each where 50 rows change, and packing costs as much as ten
 * features. Chosen. */
#define KEPT_FRESH 16
/* Curves and lists of a host are few kB. Chosen. */
#define KEPT_BLOCK_BYTES 2048
/* A row that grows is judged again when it has gone so much further, of its growth; and each row of
 * a host with news after a part of the age that its features may reach. Chosen: twenty minutes of
 * an hour. A leak that kills in hours goes further than that between two passes. */
#define KEPT_GONE_SHARE 0.05
#define KEPT_NEWS_SHARE 3
/* Bounds against hosts that tell endlessly. Chosen: a terminal server has some hundred sessions. */
#define KEPT_SESSIONS 4096u
#define KEPT_EVENTS   256u
#define KEPT_MORE     32u /* types, and half the processes, that come later in a boot */

struct kept_value {
    uint64_t bytes;
    uint32_t allocs;
    uint32_t frees;
};

/* What a row of both pools (kept_place) had before a document changed it. */
struct kept_change {
    struct kept_value before;
    uint32_t place;
};

struct kept_changes { /* by place */
    struct kept_change *items;
    size_t count;
};

struct kept_row {
    uint32_t tag;
    uint32_t at; /* of its packed course */
    struct kept_value now;
    int64_t judged_us; /* as of when its feature was made */
    uint32_t feature;  /* place among the host's features; UINT32_MAX: none */
    float lowest;      /* of the picks when it was judged, and since */
    float highest;
    float boot_lowest; /* of this boot, when it was judged */
    float boot_highest;
    bool present; /* in the newest table */
};

/* A row that is large enough to matter if it moved more. */
struct kept_calm {
    uint32_t tag;
    float lowest;
    float highest;
};

struct kept_table {
    struct fleet_row *levels; /* of all rows, by tag */
    size_t level_count;
    size_t level_room;
    struct kept_row *rows; /* by tag */
    size_t row_count;
    size_t row_room;
    struct kept_calm *calm; /* by tag */
    size_t calm_count;
    size_t calm_room;
    unsigned char *packed;
    size_t packed_length;
    size_t packed_room;
};

enum { KEPT_TOTALS = 5 };
#define KEPT_HAS_POOL(pool)   (1u << (pool))
#define KEPT_HAS_COUNTS(pool) (4u << (pool))

struct kept_pick {
    int64_t taken_at_us;
    int64_t boot_at_us;
    uint64_t totals[KEPT_TOTALS]; /* see kept_totals */
    uint8_t known;                /* of them, as bits */
    uint8_t has;                  /* KEPT_HAS_* */
    uint16_t boot;
};
extern const enum total kept_totals[KEPT_TOTALS];

struct kept_session {
    int64_t at_us; /* of its pick */
    struct snapshot_session session;
};

/* Lists of the newest document that told them, and of the first of this boot that did. */
struct kept_lists {
    struct arena arena;
    struct snapshot_object *objects;
    size_t object_count;
    size_t object_room;
    struct snapshot_process *processes;
    size_t process_count;
    size_t process_room;
};

/* A copy of a host must hold everything but what the next pass makes again when judged_us is
 * TIME_UNKNOWN, here and (as 0) in its rows: what follows `derived`, `host` beyond what `told` has,
 * and of rows what judging sets (feature, lowest to boot_highest). `coming` is empty in a host that
 * is not lost; a lost one need not be copied. */
struct kept {
    struct kept_table tables[POOL_COUNT];
    struct kept_pick *picks; /* oldest first */
    size_t pick_count;
    size_t pick_room;
    size_t packed_picks;                   /* so many of them are packed */
    size_t fresh_most;                     /* that may follow until they are packed too */
    struct kept_changes fresh[KEPT_FRESH]; /* that each pick after them brought */
    struct kept_changes coming;            /* that of a document, before its pick is there */
    int64_t sequence;
    int64_t received_us;
    double ram; /* as the rows were chosen by */
    bool lost;
    bool news;                     /* since it was judged */
    bool urgent;                   /* and such that it must be judged at once */
    int64_t judged_us;             /* as of; TIME_UNKNOWN: never */
    const struct fault *fault;     /* of the newest snapshot */
    int64_t fault_us;              /* when that was taken */
    struct snapshot_totals totals; /* of the newest pick */
    struct snapshot_totals merged; /* the newest known of each, of this boot */
    struct kept_lists first;
    struct kept_lists newest;
    int64_t details_us;            /* when lists were told; TIME_UNKNOWN: never */
    struct kept_session *sessions; /* by pick */
    size_t session_count;
    size_t session_room;
    struct snapshot_event *events; /* of failing pools; provider is static */
    int64_t *event_doc_us;
    size_t event_count;
    void *told;             /* id, name, facts: one piece */
    int64_t facts_until_us; /* facts hold up to this moment */
    /* derived */
    struct arena judged; /* curves and lists of the host */
    struct feature *features;
    size_t feature_room;
    struct fleet_host host; /* as it was added last */
};

/* ---- from rows.c, while the host is read from cold: ST_NOMEM, NULL ---------- */

struct fleet_row *kept_levels(struct kept *kept, enum pool pool, size_t count);
enum status kept_course(struct kept *kept, const struct rows *rows,
                        const struct candidate *candidate, size_t course) MUST_CHECK;
/* The course kept last has the feature at that place. */
void kept_judged(struct kept *kept, enum pool pool, size_t feature);
enum status kept_watch(struct kept *kept, enum pool pool,
                       const struct candidate *candidate) MUST_CHECK;

/* ---- between kept.c (what it is given), kept_pack.c and kept_judge.c -------- */

void kept_clear(struct kept *kept);
/* A row's number among those of both pools. */
static inline uint32_t kept_place(const struct kept *kept, enum pool pool, size_t row)
{
    return (uint32_t)(row + (pool == POOL_PAGED ? kept->tables[POOL_NONPAGED].row_count : 0));
}
/* Picks from the reader's points. */
enum status kept_begin(struct kept *kept, const struct reader *reader) MUST_CHECK;
/* What the reader's points tell beside rows. */
enum status kept_details(struct kept *kept, const struct reader *reader) MUST_CHECK;
/* An array of at least so many, moved when it must grow; NULL: out of memory, nothing is changed.
 */
void *kept_grow(void *data, size_t *room, size_t wanted, size_t size);
/* The same for an array and its room in place; false: out of memory. */
#define KEPT_ROOM(array, room, wanted)                                                             \
    ({                                                                                             \
        void *grown_ = kept_grow((array), &(room), (wanted), sizeof *(array));                     \
        if (grown_ != NULL)                                                                        \
            (array) = grown_;                                                                      \
        grown_ != NULL;                                                                            \
    })

/* Gives back what arrays have beyond what they hold. */
void kept_fit(struct kept *kept);
/* Which picks the grid has as of a moment; returns how many. */
size_t kept_live(const struct kept *kept, int64_t as_of_us, bool *ret_live);
/* Values of one row at all picks. */
void kept_unpack(const struct kept *kept, enum pool pool, size_t row,
                 struct kept_value *ret_values);
/* Where a course ends that may not be one of ours, and its last values; NULL: it is none. There is
 * to be KEPT_PACKED_SPARE behind `end`. */
#define KEPT_PACKED_SPARE 40
const unsigned char *kept_course_check(const struct kept *kept, const unsigned char *at,
                                       const unsigned char *end, struct kept_value *ret_last);
/* Packs the fresh picks and leaves out what is not live. ST_NOMEM: nothing is changed. */
enum status kept_pack(struct kept *kept, int64_t as_of_us) MUST_CHECK;
/* The values of now as one more pick. */
enum status kept_append(struct kept *kept, const struct kept_pick *pick) MUST_CHECK;

/* Copies id, name and facts of the host into the kept host's own memory. ST_NOMEM. */
enum status kept_told(struct kept *kept, struct fleet_host *host) MUST_CHECK;
/* Facts are found by their names' places. */
void kept_sort_facts(struct fleet_host *host);

/* See analyze.h and kept.h for what these do. ST_NOMEM. */
enum status fleet_keep(struct fleet *fleet, struct kept *kept, const struct analyze_host *host,
                       int64_t as_of_us) MUST_CHECK;
enum status fleet_tell(struct fleet *fleet, struct kept *kept,
                       const struct analyze_host *host) MUST_CHECK;
enum status fleet_trim(struct fleet *fleet, struct kept *const *kept, size_t count) MUST_CHECK;
enum status fleet_add_kept(struct fleet *fleet, struct kept *kept, int64_t as_of_us,
                           int64_t age_us) MUST_CHECK;

#endif
