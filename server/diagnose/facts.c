/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts the reports side by side: of each tag and pool the newest row, of each pool its newest
 * total. Sorting makes it n log n; no row is looked at more than a few times.
 */
#include "server/diagnose/judge.h"

#include <string.h>

struct entry {
    struct weighed weighed;
    size_t report;
};

double row_bytes(const struct diagnose_row *row)
{
    return row->bytes == NUMBER_UNKNOWN || row->bytes < 0 ? 0 : (double)row->bytes;
}

double row_blocks(const struct diagnose_row *row)
{
    return row->outstanding == NUMBER_UNKNOWN || row->outstanding < 0 ? 0
                                                                      : (double)row->outstanding;
}

/* The usual pool of a tag, where the text does not print one. */
static enum pool known_pool(const struct judge *judge, const struct diagnose_row *row)
{
    const struct tagdict_entry *entry = NULL;
    enum pool pool = POOL_UNKNOWN;
    if (row->pool != POOL_UNKNOWN)
        return row->pool;
    if (judge->dict != NULL)
        entry = tagdict_find(judge->dict, row->tag);
    if (entry == NULL || entry->pool == NULL || !pool_parse(entry->pool, &pool))
        return POOL_UNKNOWN;
    return pool;
}

static int by_tag(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    if (x->weighed.pool != y->weighed.pool)
        return x->weighed.pool < y->weighed.pool ? -1 : 1;
    if (x->weighed.row->tag != y->weighed.row->tag)
        return x->weighed.row->tag < y->weighed.row->tag ? -1 : 1;
    if (x->report != y->report)
        return x->report < y->report ? -1 : 1;
    double left = row_bytes(x->weighed.row);
    double right = row_bytes(y->weighed.row);
    return left < right ? -1 : left > right;
}

static int by_bytes(const void *a, const void *b)
{
    const struct weighed *x = a;
    const struct weighed *y = b;
    double left = row_bytes(x->row);
    double right = row_bytes(y->row);
    if (left < right || left > right)
        return left > right ? -1 : 1;
    left = row_blocks(x->row);
    right = row_blocks(y->row);
    return left > right ? -1 : left < right;
}

static struct entry *all_entries(struct judge *judge, size_t *ret_count)
{
    const struct parse *parse = judge->parse;
    size_t room = 0;
    for (size_t i = 0; i < parse->report_count; i++)
        room += parse->reports[i].blocks ? 0 : parse->reports[i].out.row_count;
    struct entry *entries = arena_alloc(parse->arena, room + 1, sizeof *entries);
    size_t count = 0;
    for (size_t i = 0; entries != NULL && i < parse->report_count; i++) {
        const struct report *report = &parse->reports[i];
        for (size_t k = 0; !report->blocks && k < report->out.row_count; k++) {
            const struct diagnose_row *row = &report->out.rows[k];
            enum pool pool = known_pool(judge, row);
            if (pool != POOL_UNKNOWN)
                entries[count++] = (struct entry){{row, pool, report}, i};
        }
    }
    judge->parse->failed = judge->parse->failed || entries == NULL;
    *ret_count = count;
    return entries;
}

/* The tag that grew most between two screens, by its share or by a megabyte at least. */
static void note_growth(struct judge *judge, const struct entry *first, const struct entry *last)
{
    double before = row_bytes(first->weighed.row);
    double after = row_bytes(last->weighed.row);
    double blocks = row_blocks(last->weighed.row) - row_blocks(first->weighed.row);
    if (first->report == last->report || after <= before || blocks <= 0)
        return;
    if (after - before > judge->grown_bytes) {
        judge->grown_bytes = after - before;
        judge->grown = last->weighed;
    }
}

static void gather_rows(struct judge *judge)
{
    size_t count = 0;
    struct entry *entries = all_entries(judge, &count);
    if (entries == NULL)
        return;
    qsort(entries, count, sizeof *entries, by_tag);
    struct weighed *kept = arena_alloc(judge->parse->arena, count + 1, sizeof *kept);
    if (kept == NULL) {
        judge->parse->failed = true;
        return;
    }
    size_t used = 0;
    for (int pool = 0, at = 0; pool < POOL_COUNT; pool++) {
        struct pool_facts *facts = &judge->facts.pool[pool];
        facts->rows = kept + used;
        while ((size_t)at < count && (int)entries[at].weighed.pool == pool) {
            size_t first = (size_t)at;
            while ((size_t)at < count && (int)entries[at].weighed.pool == pool &&
                   entries[at].weighed.row->tag == entries[first].weighed.row->tag)
                at++;
            note_growth(judge, &entries[first], &entries[at - 1]);
            kept[used++] = entries[at - 1].weighed;
            facts->listed_bytes += row_bytes(entries[at - 1].weighed.row);
            facts->listed_blocks += row_blocks(entries[at - 1].weighed.row);
            facts->row_count++;
        }
        qsort(facts->rows, facts->row_count, sizeof *facts->rows, by_bytes);
    }
}

/* ---- figures --------------------------------------------------------------------------------- */

static int64_t newest(const struct parse *parse, const char *name)
{
    for (size_t i = parse->report_count; i-- > 0;) {
        int64_t value = report_figure(&parse->reports[i], name);
        if (value != NUMBER_UNKNOWN)
            return value;
    }
    return NUMBER_UNKNOWN;
}

/* The first of the names that is known, in kB; names in _bytes or _used are bytes. */
static int64_t first_known(const struct parse *parse, const char *const names[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t value = newest(parse, names[i]);
        if (value == NUMBER_UNKNOWN)
            continue;
        size_t length = strlen(names[i]);
        return length > 3 && strcmp(names[i] + length - 3, "_kb") == 0 ? value : value / 1024;
    }
    return NUMBER_UNKNOWN;
}
#define FIRST_KNOWN(parse, ...)                                                                    \
    first_known(parse, (const char *const[]){__VA_ARGS__},                                         \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void gather_figures(struct judge *judge)
{
    const struct parse *parse = judge->parse;
    struct facts *facts = &judge->facts;
    struct pool_facts *nonpaged = &facts->pool[POOL_NONPAGED];
    struct pool_facts *paged = &facts->pool[POOL_PAGED];
    nonpaged->used_kb = FIRST_KNOWN(parse, "nonpaged_usage_kb", "pool_n_kb", "nonpaged_used");
    int64_t nx = newest(parse, "nonpagednx_usage_kb");
    if (nx != NUMBER_UNKNOWN && nx < INT64_MAX / 2) {
        int64_t rest = newest(parse, "nonpaged_usage_kb");
        nonpaged->used_kb = rest != NUMBER_UNKNOWN && rest < INT64_MAX / 2 ? rest + nx : nx;
    }
    paged->used_kb = FIRST_KNOWN(parse, "paged_usage_kb", "pool_p_kb", "paged_used");
    nonpaged->max_kb = FIRST_KNOWN(parse, "nonpaged_max_kb", "nonpaged_limit_bytes");
    paged->max_kb = FIRST_KNOWN(parse, "paged_max_kb", "paged_limit_bytes");
    facts->ram_kb = FIRST_KNOWN(parse, "physical_kb", "memory_kb", "physical_bytes");
    facts->available_kb = FIRST_KNOWN(parse, "available_kb", "avail_kb", "available_bytes");
    facts->commit_kb = FIRST_KNOWN(parse, "commit_kb", "commit_bytes");
    facts->commit_limit_kb =
        FIRST_KNOWN(parse, "commit_limit_kb", "limit_kb", "commit_limit_bytes");
    facts->failures = newest(parse, "alloc_failures");
    facts->session_max_kb = newest(parse, "session_paged_max_kb");
}

static void gather_sessions(struct facts *facts, const struct diagnose_report *report)
{
    for (size_t i = 0; i < report->session_count; i++) {
        const struct diagnose_session *session = &report->sessions[i];
        facts->sessions++;
        if (session->failures != NUMBER_UNKNOWN && session->failures > facts->session_failures)
            facts->session_failures = session->failures;
        if (session->paged_kb != NUMBER_UNKNOWN &&
            (facts->worst_session == NULL || session->paged_kb > facts->worst_session->paged_kb))
            facts->worst_session = session;
    }
}

/* Whether the rows of a pool stand by size, largest first, in the order they were printed. */
static bool falls(const struct report *report, enum pool pool, size_t *ret_rows)
{
    double last = 0;
    size_t rows = 0;
    for (size_t i = 0; i < report->out.row_count; i++) {
        const struct diagnose_row *row = &report->out.rows[i];
        if (row->pool != pool)
            continue;
        if (rows++ > 0 && row_bytes(row) > last)
            return false;
        last = row_bytes(row);
    }
    *ret_rows = rows;
    return rows >= 5 && last > 0;
}

static void gather_reports(struct judge *judge)
{
    struct facts *facts = &judge->facts;
    const struct parse *parse = judge->parse;
    for (size_t i = 0; i < parse->report_count; i++) {
        const struct report *report = &parse->reports[i];
        size_t rows = 0;
        facts->blocks = facts->blocks || report->blocks;
        facts->verifier = facts->verifier || report->verifier;
        facts->verifier_left = facts->verifier_left || report->verifier_left;
        facts->screens += !report->blocks && report->out.row_count > 0;
        gather_sessions(facts, &report->out);
        for (int pool = 0; pool < POOL_COUNT; pool++) {
            struct pool_facts *of = &facts->pool[pool];
            of->excessive = of->excessive || report->out.excessive[pool];
            of->by_size = of->by_size || (report->sorted == (enum pool)pool && !report->blocks) ||
                          (!report->blocks && falls(report, (enum pool)pool, &rows));
        }
    }
}

void facts_gather(struct judge *judge)
{
    gather_reports(judge);
    gather_figures(judge);
    gather_rows(judge);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct pool_facts *facts = &judge->facts.pool[pool];
        double used = facts->used_kb == NUMBER_UNKNOWN ? 0 : (double)facts->used_kb * KIB;
        /* the TOTAL of a listing of one tag is that tag again, not the pool */
        if (facts->row_count == 1 && used > 0 && used <= facts->listed_bytes + KIB)
            used = 0;
        facts->whole_known = used > 0;
        facts->whole_bytes = used > facts->listed_bytes ? used : facts->listed_bytes;
        facts->explained = !facts->whole_known || facts->listed_bytes >= used / 2;
    }
}
