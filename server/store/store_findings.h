/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Findings and what people said about them. An analysis pass replaces the evidence of what it
 * found again, opens what is new and resolves what is gone; status acknowledged and muted, notes
 * and the history survive. Times are us since 1970. A lease belongs to one thread.
 */
#ifndef SERVER_STORE_STORE_FINDINGS_H
#define SERVER_STORE_STORE_FINDINGS_H

#include "server/analyze/finding.h"
#include "server/store/db.h"
#include "server/store/store_audit.h"

/* What a host of a finding has beyond what the analysis says. */
struct finding_host_life {
    int64_t muted_by; /* a mute that covers all of the finding's tags on it; 0: none */
    int64_t number;   /* pseudonym in reports, from 1, for good; 0: none yet */
};

/* A finding as stored: what the analysis says, and what people did. */
struct finding_record {
    struct finding finding; /* hosts: all, or the worst of them (see host_total) */
    size_t host_total;
    struct finding_host_life *host_lives; /* as many as finding.hosts */
    size_t muted_hosts;                   /* of host_total, covered by mutes */
    const char *note;                     /* NULL: none */
    const char *acknowledged_by;          /* NULL: nobody */
    int64_t muted_until_us;               /* TIME_UNKNOWN: not muted, or for good */
    int64_t muted_by;                     /* the mute that ends first; 0: not muted */
    bool born_muted;                      /* muted since it appeared: nobody was told of it */
    int64_t reopened_at_us;               /* TIME_UNKNOWN: never came back after it was resolved */
    int64_t reopened_count;
    int64_t opened_at_us;
    int64_t resolved_at_us; /* TIME_UNKNOWN: it is not */
    int64_t updated_at_us;
    int64_t version; /* counts changes by people */
};

struct finding_records {
    struct arena arena; /* owns everything */
    struct finding_record *items;
    size_t count;
};
void finding_records_done(struct finding_records *records);
#define AUTO_FINDING_RECORDS CLEANUP(finding_records_done)

/* What a list wants; a zeroed filter is everything. Bits are 1 << the enum's value. */
struct finding_filter {
    unsigned statuses;   /* 0: any */
    unsigned severities; /* 0: any */
    unsigned kinds;      /* 0: any */
    const char *tag;     /* among its tags, text form; NULL: any */
    const char *host_id; /* NULL: any */
    const char *driver;  /* owns its tag or is among its causes, letters folded; NULL: any */
    size_t hosts_max;    /* of each finding: the worst so many; 0: none */
};
#define FINDINGS_LIST_MAX 5000 /* newest first beyond: resolved ones of years */

enum status store_findings_list(struct db *db, const struct finding_filter *filter,
                                struct finding_records *ret_records, struct err *err) MUST_CHECK;
/* One with all its hosts; ST_NOT_FOUND. ret_records holds exactly one. */
enum status store_findings_get(struct db *db, const char *id, struct finding_records *ret_records,
                               struct err *err) MUST_CHECK;

struct finding_change {
    int64_t at_us;
    const char *actor;
    const char *change;
    const char *note; /* NULL: none */
};
/* Oldest first, the newest 500; texts in arena. */
enum status store_findings_history(struct db *db, const char *id, struct arena *arena,
                                   struct finding_change **ret_changes, size_t *ret_count,
                                   struct err *err) MUST_CHECK;

#define FINDING_VERSION_ANY (-1)
struct finding_patch {
    const char *actor;
    const struct audit_entry *audit; /* who, for the log of changes; NULL: not logged */
    int64_t now_us;
    int64_t version; /* the one the caller has seen, or FINDING_VERSION_ANY */
    bool has_status;
    enum finding_status status;
    bool has_note;
    const char *note;       /* NULL: take it away */
    int64_t muted_until_us; /* for status muted; TIME_UNKNOWN: for good */
};
/* Whether a person may change the status so; the same again is allowed and changes nothing, but for
 * muted, which gets another end. */
bool finding_may_step(enum finding_status from, enum finding_status to);
/* ST_NOT_FOUND; ST_CONFLICT when another changed it since `version`; ST_INVALID with field "status"
 * when the step is not allowed or a wider mute still covers what is to be opened. */
enum status store_findings_patch(struct db *db, const char *id, const struct finding_patch *patch,
                                 struct err *err) MUST_CHECK;

/* The result of one pass, in one transaction. A finding that a person resolved opens again only
 * when it is still seen a day later. */
enum status store_findings_apply(struct db *db, const struct finding_list *list, int64_t as_of_us,
                                 struct err *err) MUST_CHECK;

/* How many findings in state open or acknowledged touch a host, and the worst. */
struct finding_host_count {
    const char *host_id;
    int64_t findings;
    enum finding_severity worst;
};
struct finding_host_counts {
    struct arena arena;
    struct finding_host_count *items; /* sorted by host_id */
    size_t count;
};
static inline void finding_host_counts_done(struct finding_host_counts *counts)
{
    arena_done(&counts->arena);
}
#define AUTO_FINDING_HOST_COUNTS CLEANUP(finding_host_counts_done)
enum status store_findings_hosts(struct db *db, struct finding_host_counts *ret_counts,
                                 struct err *err) MUST_CHECK;

struct finding_summary {
    int64_t open; /* and acknowledged */
    int64_t by_severity[SEVERITY_COUNT];
    int64_t new_since;
    int64_t hosts; /* touched by any of them */
};
enum status store_findings_summary(struct db *db, int64_t since_us,
                                   struct finding_summary *ret_summary, struct err *err) MUST_CHECK;

extern const struct stmt_table store_findings_statements;
extern const struct stmt_table store_findings_apply_statements;
extern const struct stmt_table store_findings_patch_statements;

#endif
