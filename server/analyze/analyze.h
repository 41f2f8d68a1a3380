/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The analysis: hosts with their history in, findings out. Pure: no SQL, no HTTP, no clock, no
 * randomness; the same input in any host order gives the same findings. Event time only.
 *
 *   analysis_new -> analysis_add_host for each host -> analysis_finish -> analysis_free
 *
 * add_host reads one host's history and keeps only features, so memory is per (host, tag), not per
 * value. Not shared between threads.
 */
#ifndef SERVER_ANALYZE_ANALYZE_H
#define SERVER_ANALYZE_ANALYZE_H

#include "common/snapshot.h"
#include "server/analyze/finding.h"
#include "server/tagdict/tagdict.h"

/* A host at one moment: complete tables (bases already merged). Borrowed during add_host. */
struct analyze_point {
    int64_t taken_at_us;
    int64_t boot_at_us; /* TIME_UNKNOWN allowed; boots within two minutes are the same boot */
    const struct snapshot_totals *totals;
    const struct snapshot_table *table; /* POOL_COUNT of them */
    const struct snapshot_object *objects;
    size_t object_count;
    const struct snapshot_process *processes;
    size_t process_count;
    const struct snapshot_session *sessions;
    size_t session_count;
    const struct snapshot_event *events;
    size_t event_count;
};

/* A value that held from valid_from on (until valid_to; TIME_UNKNOWN: still). `name` is the
 * attribute's name, or "driver/NAME" with the version as value. */
struct analyze_fact {
    const char *name;
    const char *value;
    int64_t valid_from_us;
    int64_t valid_to_us;
};

struct analyze_host {
    const char *id;
    const char *name; /* NULL: unknown */
    const struct analyze_fact *facts;
    size_t fact_count;
    const struct analyze_point *points; /* oldest first, strictly rising taken_at */
    size_t point_count;
};

/* A driver whose code allocates with a tag, found by reading its file. */
struct analyze_owner {
    uint32_t tag;
    const char *driver;
};

struct analyze_options {
    int64_t as_of_us;              /* "now" of the analysis */
    const struct tagdict *tagdict; /* owners; NULL: no owners named. Borrowed until finish. */
    /* Where the lists name no driver: by tag (u32), the driver of most hosts first. Borrowed
     * likewise. */
    const struct analyze_owner *owners;
    size_t owner_count;
};

struct analysis;

enum status analysis_new(const struct analyze_options *options, struct analysis **ret_analysis,
                         struct err *err) MUST_CHECK;
enum status analysis_add_host(struct analysis *analysis, const struct analyze_host *host,
                              struct err *err) MUST_CHECK;
/* ret_list owned by caller (finding_list_done). */
enum status analysis_finish(struct analysis *analysis, struct finding_list *ret_list,
                            struct err *err) MUST_CHECK;
void analysis_free(struct analysis *analysis);
static inline void cleanup_analysis(struct analysis **analysis)
{
    analysis_free(*analysis);
}
#define AUTO_ANALYSIS CLEANUP(cleanup_analysis)

#endif
