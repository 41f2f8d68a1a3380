/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text of debugger and poolmon captures -> reports and a verdict, without an agent. Reads formats,
 * mangled as people paste them; what the text does not say stays unknown. Pure: no I/O, no clock.
 * Input is hostile: bounded by LIMIT_DIAGNOSE_BYTES, any bytes allowed.
 *
 * Also holds what people paste beside it, as evidence: lm, !locks, !process, !handle, module
 * searches and findstr.
 */
#ifndef SERVER_DIAGNOSE_DIAGNOSE_H
#define SERVER_DIAGNOSE_DIAGNOSE_H

#include "common/arena.h"
#include "common/clock.h"
#include "common/status.h"
#include "common/strbuf.h"
#include "common/tag.h"
#include "server/known/known.h"
#include "server/tagdict/tagdict.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUMBER_UNKNOWN INT64_MIN

enum verdict {
    VERDICT_NONPAGED_EXHAUSTED,
    VERDICT_PAGED_EXHAUSTED,
    VERDICT_SESSION_POOL_EXHAUSTED,
    VERDICT_NONPAGED_LEAK_SUSPECT,
    VERDICT_PAGED_LEAK_SUSPECT,
    VERDICT_NOTHING_WRONG,
    VERDICT_INSUFFICIENT_DATA,
    VERDICT_COUNT
};
const char *verdict_name(enum verdict verdict);

/* Every number is NUMBER_UNKNOWN when the text does not print it (and it does not follow). */
struct diagnose_row {
    uint32_t tag;
    enum pool pool; /* POOL_UNKNOWN: the block does not say */
    int64_t allocs;
    int64_t frees;
    int64_t outstanding;
    int64_t bytes;
    const char *description; /* as printed, cleaned; NULL: none */
};

struct diagnose_figure {
    const char *name; /* "nonpaged_usage_kb", "commit_limit_kb", ...: see samples' names */
    int64_t value;
};

struct diagnose_session {
    int64_t id;
    int64_t paged_kb;
    int64_t failures;
};

struct diagnose_report {
    const char *tool; /* "poolused", "vm", "poolmon", "memsnap", "poolfind", "csv", ... */
    struct diagnose_row *rows;
    size_t row_count;
    struct diagnose_figure *totals;
    size_t total_count;
    struct diagnose_figure *vm;
    size_t vm_count;
    struct diagnose_session *sessions;
    size_t session_count;
    bool excessive[POOL_COUNT]; /* flagged by the tool itself */
};

#define DIAGNOSE_KNOWN_MAX 2 /* known leaks told with one suspect */

struct diagnose_suspect {
    uint32_t tag;
    enum pool pool;
    const char *driver; /* NULL: nobody named one */
    const char *why;    /* plain words with the numbers */
    bool framework;     /* the driver is known by its name only: the tag is how it begins */
    const struct known_leak *known[DIAGNOSE_KNOWN_MAX]; /* of the list given, best first */
    size_t known_count;
};

struct diagnosis {
    struct arena arena;
    struct diagnose_report *reports;
    size_t report_count;
    enum verdict verdict;
    const char *verdict_why; /* one sentence for a person, with its numbers */
    struct diagnose_suspect *suspects;
    size_t suspect_count;
    const char **hints; /* plain words: exhausted, failing, handle leak, reloaded driver, ... */
    size_t hint_count;
    const char **next_steps; /* the exact commands to run, each with its purpose */
    size_t next_step_count;
};

void diagnosis_done(struct diagnosis *diagnosis);
#define AUTO_DIAGNOSIS CLEANUP(diagnosis_done)

/* ST_TOO_LARGE, ST_NOMEM; text that holds nothing known is a diagnosis without reports. dict may
 * be NULL (no owners named). ret owned by caller (diagnosis_done); copies what it keeps. */
enum status diagnose_text(const char *text, size_t length, const struct tagdict *dict,
                          struct diagnosis *ret_diagnosis, struct err *err) MUST_CHECK;
/* Names the known leaks that fit each suspect. They are borrowed from the list, which must live as
 * long as the diagnosis. */
void diagnose_add_known(struct diagnosis *diagnosis, const struct known_list *known);
/* The contract's JSON document. `comparison` is the JSON text of the fleet's part, or NULL. */
void diagnose_json(const struct diagnosis *diagnosis, const char *comparison, struct strbuf *out);
/* The same for a terminal: verdict first, then suspects, hints, next steps, figures. */
void diagnose_print(const struct diagnosis *diagnosis, struct strbuf *out);

#endif
