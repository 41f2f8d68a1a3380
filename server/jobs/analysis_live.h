/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The analysis of the running server: hosts stay read from pass to pass (analyze/kept.h), and a
 * pass takes in what has arrived since the one before. What it knows came from the database,
 * whoever wrote it there, so any server may take over; it begins with the hosts as they were stored
 * last, reads every other from cold, some seconds at a time, and until it has all it finds nothing,
 * so that nothing it has not seen yet counts as resolved. A host that does not go on in order is
 * read again, those that wait longest first. Used by one thread.
 */
#ifndef SERVER_JOBS_ANALYSIS_LIVE_H
#define SERVER_JOBS_ANALYSIS_LIVE_H

#include "server/analyze/finding.h"
#include "server/store/db.h"
#include "server/tagdict/tagdict.h"

#include <stdatomic.h>

struct analysis_live;

struct analysis_live *analysis_live_new(void); /* NULL: out of memory */
void analysis_live_free(struct analysis_live *live);

struct analysis_live_options {
    const struct tagdict *tagdict;
    const atomic_bool *stop; /* NULL: never */
    int64_t budget_us;       /* for reading hosts from cold, at least one a pass */
    int64_t age_us;          /* of features, see analysis_add_kept */
    int64_t overlap_us;      /* of arrival, before the last pass, looked at again; 0: two minutes */
};
struct analysis_live_pass {
    int64_t as_of_us; /* TIME_UNKNOWN: no host has reported yet */
    bool complete;    /* all hosts were read once: the list says what is found */
    size_t hosts;
    size_t documents; /* taken in */
    size_t cold;      /* hosts read from cold */
    size_t restored;  /* hosts as they were stored */
    size_t refused;   /* stored, and of no use: read from cold */
    size_t waiting;   /* still to be read, or read again */
    size_t bytes;     /* of memory that hosts take, about */
};
/* ret_list owned by caller (finding_list_done). ST_TIMEOUT once *stop is true. After a failure the
 * next pass goes on where this one was. */
enum status analysis_live_pass(struct analysis_live *live, struct db_pool *pool,
                               const struct analysis_live_options *options,
                               struct analysis_live_pass *ret_pass, struct finding_list *ret_list,
                               struct err *err) MUST_CHECK;

/* Stores hosts as they are known, for the next start: those that never were, then those with news
 * that were stored longest ago, as long as a budget lasts. After a pass. */
struct analysis_live_save_options {
    const atomic_bool *stop; /* NULL: never */
    int64_t every_us;        /* no host more often; by time of arrival */
    int64_t budget_us;
    size_t budget_bytes;
};
struct analysis_live_saved {
    size_t hosts;
    size_t bytes;
    size_t extended; /* without news: theirs hold for longer */
};
enum status analysis_live_save(struct analysis_live *live, struct db_pool *pool,
                               const struct analysis_live_save_options *options,
                               struct analysis_live_saved *ret_saved, struct err *err) MUST_CHECK;

#endif
