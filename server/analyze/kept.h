/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host that stays read from pass to pass, so that a pass costs what is new. Once all its picked
 * snapshots were read, it keeps the level of every row, the whole course of the rows that matter
 * (and of those that may soon), and what else a pass asks for; each newer document is put on it,
 * and picks that the grid drops are left out. The findings are those of a host that is read from
 * cold at the same time, see kept_age for what may differ.
 *
 *   analysis_keep (from cold) -> [kept_put for each newer document -> analysis_add_kept]...
 *
 * A document that does not simply go on (late, another boot, another base than the last one, other
 * columns) or a row that matters now and whose past was not kept makes the host `lost`: it keeps
 * what it has and must be read from cold again. Not shared between threads.
 */
#ifndef SERVER_ANALYZE_KEPT_H
#define SERVER_ANALYZE_KEPT_H

#include "server/analyze/analyze.h"

struct kept;

struct kept *kept_new(void); /* NULL: out of memory */
void kept_free(struct kept *kept);

/* One document as it was stored. */
struct kept_document {
    struct analyze_point point; /* tables: the rows of the document; details only when `details` */
    int64_t sequence;
    int64_t base;
    int64_t received_us;
    bool complete; /* its tables are whole; else changes to `base` */
    bool details;  /* objects and processes are told; else only what the point has of the others */
};
/* In the order of taken_at. ST_NOMEM, the host is lost then. */
enum status kept_put(struct kept *kept, const struct kept_document *document) MUST_CHECK;

/* The document is in what was read or put on. */
bool kept_knows(const struct kept *kept, int64_t taken_at_us, int64_t received_us);

bool kept_lost(const struct kept *kept);
bool kept_is_named(const struct kept *kept, const char *name); /* NULL: unknown */
/* Facts of another time than those read would hold: they must be told anew (analysis_tell). */
bool kept_facts_due(const struct kept *kept);
/* Whether the details of its next document matter now: they cost more than its rows. */
bool kept_wants_details(const struct kept *kept, int64_t as_of_us);
/* Of the newest document read or put on; TIME_UNKNOWN: none. */
int64_t kept_taken_us(const struct kept *kept);
size_t kept_bytes(const struct kept *kept); /* of memory, about */

/* Reads the host from all its picks, up to the analysis' as_of. `sequence` is that of the newest;
 * what was received up to received_us is in it. ST_NOMEM: the host has nothing then. */
enum status analysis_keep(struct analysis *analysis, struct kept *kept,
                          const struct analyze_host *host, int64_t sequence, int64_t received_us,
                          struct err *err) MUST_CHECK;
/* Name and facts of the host anew; points are not looked at. */
enum status analysis_tell(struct analysis *analysis, struct kept *kept,
                          const struct analyze_host *host, struct err *err) MUST_CHECK;
/* Adds the host to the pass as of the analysis' as_of. Features of rows that stay within what this
 * boot has shown are made again only when they are older than age_us; 0: all are, and the findings
 * are exactly those of a host read from cold. Two things a kept host knows better: objects, handles
 * and failures are counted from the first snapshot of the boot it has seen, also when that is
 * dropped by now, and events are known from all its documents. */
enum status analysis_add_kept(struct analysis *analysis, struct kept *kept, int64_t age_us,
                              struct err *err) MUST_CHECK;
/* Forgets texts that no fact of these hosts, which are all there are, has any more, when there may
 * be many: an attribute may have another value in every document. */
enum status analysis_trim(struct analysis *analysis, struct kept *const *kept, size_t count,
                          struct err *err) MUST_CHECK;
/* The next pass: hosts are added anew. What kept hosts have stays valid. */
void analysis_again(struct analysis *analysis, const struct analyze_options *options);

#endif
