/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the readers share: the lines, the reports made so far, the evidence. Each reader of a format
 * is one row of a table: it says whether a block begins at a line, and reads it. A failed
 * allocation is remembered in `failed`; readers need not check it before they go on.
 */
#ifndef SERVER_DIAGNOSE_PARSE_H
#define SERVER_DIAGNOSE_PARSE_H

#include "server/diagnose/diagnose.h"
#include "server/diagnose/text.h"

/* One figure over time, as it is read. */
struct series {
    enum pool pool; /* POOL_COUNT: memory that is available */
    size_t points;
    size_t rising; /* steps that did not fall */
    double first;
    double last;
    double peak;
};

#define REPORT_SERIES 8

struct report {
    struct diagnose_report out;
    size_t row_room;
    size_t total_room;
    size_t vm_room;
    size_t session_room;
    enum pool sorted; /* the pool it is sorted by, largest first */
    bool blocks;      /* rows are single blocks, not sums */
    bool counts;      /* "allocs" are blocks outstanding (!poolused without Frees) */
    bool session;     /* of session pools only */
    bool bounded;     /* a filter or a cut: other tags exist */
    bool verifier;    /* counters of one driver under Driver Verifier */
    bool verifier_left;
    struct series series[REPORT_SERIES];
    size_t series_count;
};

struct module {
    const char *name;
    const char *version;
    const char *stamp;
    uint64_t start; /* start and end are 0 where the list does not tell */
    uint64_t end;
    size_t unloaded; /* times in the list of unloaded modules */
    bool loaded;
};

struct hit { /* of a memory search */
    uint32_t tag;
    uint64_t address;
};

struct candidate {
    uint32_t tag;
    const char *driver;
};

struct handle_type {
    const char *type;
    int64_t count;
};

struct process {
    const char *name;
    int64_t id;
    int64_t handles;
    int64_t paged;
    int64_t nonpaged;
};

struct failure { /* "N system PTE allocations have failed": not the pool's */
    const char *what;
    int64_t count;
};

struct evidence {
    struct module *modules;
    size_t module_count, module_room;
    struct candidate *candidates;
    size_t candidate_count, candidate_room;
    struct handle_type *handles;
    size_t handle_count, handle_room;
    struct process *processes;
    size_t process_count, process_room;
    struct failure *failures;
    size_t failure_count, failure_room;
    struct hit *hits;
    size_t hit_count, hit_room;
    const char *lock; /* the most contended resource; NULL: none */
    int64_t lock_contention;
    int64_t lock_waiters;
    bool empty[POOL_COUNT]; /* events 2019 and 2020: the system found the pool empty */
    int64_t free_ptes;      /* system page table entries; NUMBER_UNKNOWN: not printed */
};

struct parse {
    struct arena *arena;
    char *const *lines;
    size_t count;
    struct report *reports;
    size_t report_count, report_room;
    struct evidence evidence;
    const char *command; /* the last debugger command, or NULL */
    bool failed;
};

/* ---- readers --------------------------------------------------------------------------------- */

struct reader {
    const char *name;
    bool (*starts)(const struct parse *parse, size_t at);
    /* Reads from `at` on; the first line not taken, always more than `at`. */
    size_t (*read)(struct parse *parse, size_t at);
};

extern const struct reader reader_poolused;
extern const struct reader reader_vm;
extern const struct reader reader_page_map;
extern const struct reader reader_poolmon;
extern const struct reader reader_table;
extern const struct reader reader_record;
extern const struct reader reader_figures;
extern const struct reader reader_blocks;
extern const struct reader reader_verifier;
extern const struct reader reader_verifier_blocks;
extern const struct reader reader_trace;
extern const struct reader reader_memsnap;
extern const struct reader reader_summary;
extern const struct reader reader_modules;
extern const struct reader reader_unloaded;
extern const struct reader reader_locks;
extern const struct reader reader_process;
extern const struct reader reader_handles;
extern const struct reader reader_search;
extern const struct reader reader_findstr;
extern const struct reader reader_empty;

/* Names the drivers of search hits, once all modules are known. */
void evidence_resolve(struct parse *parse);

/* Reads all lines into reports and evidence. */
void parse_all(struct parse *parse);
/* Whether another reader than `own` begins here, or a debugger command stands here. */
bool parse_other_starts(const struct parse *parse, size_t at, const struct reader *own);
bool parse_is_blank(const struct parse *parse, size_t at);
/* The text behind "0: kd> " on a line, or NULL when the line has no prompt. */
const char *parse_prompt(const char *line);

/* ---- reports --------------------------------------------------------------------------------- */

/* A new report; never NULL (a shared one to throw away when memory is out). Valid until the next.
 */
struct report *report_new(struct parse *parse, const char *tool);
/* A row of unknown numbers; never NULL. Valid until the next. */
struct diagnose_row *report_row(struct parse *parse, struct report *report, uint32_t tag,
                                enum pool pool);
void report_total(struct parse *parse, struct report *report, const char *name, int64_t value);
void report_vm(struct parse *parse, struct report *report, const char *name, int64_t value);
struct diagnose_session *report_session(struct parse *parse, struct report *report, int64_t id);
void report_point(struct report *report, enum pool pool, double value);
/* A figure of totals or vm; NUMBER_UNKNOWN when it is not there. */
int64_t report_figure(const struct report *report, const char *name);
/* A copy of text with outer blanks and doubled blanks taken away; NULL when nothing is left. */
const char *parse_text(struct parse *parse, const char *text, size_t length);
/* Room for one more item; NULL when memory is out. */
void *parse_more(struct parse *parse, void *items, size_t *count, size_t *room, size_t size);

#endif
