/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of one pool of one host on their way to features: what all rows share, and the courses
 * of some of them at a time. Where courses come from is the caller's: from tables (rows.c), or kept
 * from pass to pass (kept_judge.c). Internal to these two.
 */
#ifndef SERVER_ANALYZE_ROWS_H
#define SERVER_ANALYZE_ROWS_H

#include "server/analyze/reader.h"

/* docs/detection.md, "Thresholds and where they come from": rows */
#define ROW_FLOOR_BYTES                                                                            \
    (256.0 * 1024) /* below it, and below 0.001 % of RAM, a row has no features */
#define ROW_FLOOR_SHARE 1e-5
#define LARGE_ROW_SHARE 0.002
#define SETTLED_HOURS   24.0
#define LARGE_ROW_BYTES (32.0 * 1024 * 1024)
/* Courses gathered in one go through the tables: 64 of 104 points are 130 kB. Chosen. */
#define COURSES_AT_ONCE 64

/* A row of the newest table that is looked at further. */
struct candidate {
    uint32_t tag;
    uint32_t row;
    uint64_t lowest;
    uint64_t highest;
    bool judged; /* else only kept */
};

struct rows {
    struct reader *reader;
    enum pool pool;
    const struct snapshot_table **tables; /* of the points that know the pool */
    size_t *at;                           /* place in each, of the candidate before */
    size_t at_row;                        /* and that candidate's row */
    struct candidate *candidates;
    size_t candidate_count;
    struct series series; /* what all rows share, and room for one row's counts */
    double *hours;
    double *processes;
    uint16_t *boot;
    double *outstanding;
    double *alloc_total;
    double *free_total;
    double *bytes;    /* COURSES_AT_ONCE courses of series.count points */
    uint32_t *allocs; /* likewise */
    uint32_t *frees;
    float *curve_hours; /* of this boot; NULL until a row needs them */
};

/* At most so many rows of a pool have features: those that moved most. A host with more than this
 * posts what no kernel has. Chosen. */
#define ROWS_MOST 2048

/* Room for so many points and candidates; false: out of memory. */
bool rows_alloc(struct rows *rows, size_t points, size_t candidates);
/* Times, boots and processes, from the reader's points. */
void rows_open(struct rows *rows);
/* A feature from course number `course` of bytes, allocs and frees. ST_NOMEM. */
enum status rows_judge(struct rows *rows, uint32_t tag, size_t course) MUST_CHECK;
/* One that is there already. ST_NOMEM. */
enum status rows_add(struct rows *rows, const struct feature *feature) MUST_CHECK;
/* The newest table of this boot that knew the pool; NULL: none. */
const struct snapshot_table *rows_newest(const struct reader *reader, enum pool pool);
/* By the size it has now. `share` of the thresholds; what is small long after the boot is small,
 * before, an earlier boot may tell otherwise. */
bool rows_is_large(const struct reader *reader, double bytes, double share);
/* By how far it moved. */
bool rows_is_moving(double ram, double bytes, double lowest, double highest, double share);
/* Cuts a list down to the ROWS_MOST that moved most; order is kept. */
size_t rows_limit(struct candidate *candidates, size_t count);

#endif
