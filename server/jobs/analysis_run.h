/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One analysis over what is stored, up to a moment of event time: the running server and the verb
 * `analyze --as-of` call the same function, so a back-test gives what the live server gave.
 */
#ifndef SERVER_JOBS_ANALYSIS_RUN_H
#define SERVER_JOBS_ANALYSIS_RUN_H

#include "server/analyze/kept.h"
#include "server/store/db.h"
#include "server/store/store_hosts.h"
#include "server/tagdict/tagdict.h"


/* ret_list owned by caller (finding_list_done). */
enum status analysis_run(struct db_pool *pool, const struct tagdict *dict, int64_t as_of_us,
                         struct finding_list *ret_list, struct err *err) MUST_CHECK;

/* One host's picks up to as_of into the analysis; with `kept` not NULL, the host stays read in it
 * and is not added. Nothing is done for a host without picks. */
enum status analysis_read_host(struct db *db, struct analysis *analysis,
                               const struct store_host_ref *ref, int64_t as_of_us,
                               struct kept *kept, struct err *err) MUST_CHECK;
/* Facts of a host as of a moment; both belong to ret_facts. */
enum status analysis_read_facts(struct db *db, int64_t key, int64_t as_of_us,
                                struct store_facts *ret_facts, struct analyze_fact **ret_list,
                                struct err *err) MUST_CHECK;
/* Who allocates with a tag, for the options; the list belongs to `drivers`. */
struct tag_drivers;
enum status analysis_read_owners(struct db *db, int64_t as_of_us, struct tag_drivers *drivers,
                                 struct analyze_options *options, struct err *err) MUST_CHECK;

/* "Now" of a live pass: the newest taken_at stored. TIME_UNKNOWN when nothing
 * is. */
enum status analysis_newest(struct db *db, int64_t *ret_as_of_us, struct err *err) MUST_CHECK;

#endif
