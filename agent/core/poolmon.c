/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/poolmon.h"

#include <inttypes.h>
#include <string.h>

/* Columns are as wide as poolmon's, wider where a number needs it, so that a table stays straight.
 */
enum column {
    COLUMN_TAG_TEXT,
    COLUMN_ALLOC,
    COLUMN_ALLOC_CHANGE,
    COLUMN_FREE,
    COLUMN_FREE_CHANGE,
    COLUMN_DIFF,
    COLUMN_USED,
    COLUMN_USED_CHANGE,
    COLUMN_PER_ALLOC,
    COLUMN_COUNT
};
static const int least_width[COLUMN_COUNT] = {4, 10, 4, 9, 4, 7, 10, 6, 7};

struct row {
    uint32_t tag;
    enum pool pool;
    bool known; /* all three counters */
    uint32_t allocs, frees, diff;
    uint64_t bytes, per_alloc;
    uint32_t allocs_change, frees_change;
    int32_t diff_change;
    int64_t bytes_change, per_alloc_change;
};

struct view {
    const struct poolmon_options *options;
    bool changes; /* there is an earlier snapshot */
    struct row *rows;
    size_t count;
    int width[COLUMN_COUNT];
};

/* ---- filters ---------------------------------------------------------------- */

/* Where one piece of a pattern ends: an escape is one byte, all else one character. */
static size_t pattern_piece(const char *pattern, unsigned char *ret_byte)
{
    size_t used = tag_read_escape(pattern, strlen(pattern), ret_byte);
    if (used == 0) {
        *ret_byte = (unsigned char)pattern[0];
        used = 1;
    }
    return used;
}

static bool only_blanks(const unsigned char *bytes, size_t count)
{
    while (count > 0 && bytes[count - 1] == ' ')
        count--;
    return count == 0;
}

/* Four bytes at most, so that going back at each '*' is cheap. */
static bool matches(const char *pattern, const unsigned char *bytes, size_t count)
{
    unsigned char byte = 0;
    if (*pattern == '\0')
        return only_blanks(bytes, count);
    if (*pattern == '*') {
        while (*pattern == '*')
            pattern++;
        if (*pattern == '\0')
            return true;
        for (size_t skip = 0; skip <= count; skip++) {
            if (matches(pattern, bytes + skip, count - skip))
                return true;
        }
        return false;
    }
    if (count == 0)
        return false;
    bool any = *pattern == '?';
    size_t used = pattern_piece(pattern, &byte);
    return (any || byte == *bytes) && matches(pattern + used, bytes + 1, count - 1);
}

static bool matches_one(const char *const *patterns, size_t count, uint32_t tag)
{
    unsigned char bytes[4];
    tag_to_bytes(tag, bytes);
    for (size_t i = 0; i < count; i++) {
        if (matches(patterns[i], bytes, sizeof bytes))
            return true;
    }
    return false;
}

static bool is_shown(const struct poolmon_options *options, uint32_t tag)
{
    if (options->include_count > 0 && !matches_one(options->include, options->include_count, tag))
        return false;
    return !matches_one(options->exclude, options->exclude_count, tag);
}

static bool pool_shown(const struct poolmon_options *options, enum pool pool)
{
    if (!options->nonpaged && !options->paged)
        return true;
    return pool == POOL_NONPAGED ? options->nonpaged : options->paged;
}

/* ---- rows ------------------------------------------------------------------- */

static uint64_t per_alloc(uint64_t bytes, uint32_t diff)
{
    return diff > 0 ? bytes / diff : 0;
}

/* A tag that is not in the earlier table had nothing then: rows of zeroes are left out. */
static void set_changes(struct row *row, const struct snapshot_table *before)
{
    size_t at = before->count > 0 ? snapshot_table_find(before, row->tag) : SIZE_MAX;
    bool known = at != SIZE_MAX && snapshot_table_columns(before) == COLUMN_ALL;
    uint32_t allocs = known ? before->allocs[at] : 0;
    uint32_t frees = known ? before->frees[at] : 0;
    uint64_t bytes = known ? before->bytes[at] : 0;
    row->allocs_change = counter_delta(row->allocs, allocs);
    row->frees_change = counter_delta(row->frees, frees);
    row->diff_change = (int32_t)counter_delta(row->diff, counter_delta(allocs, frees));
    row->bytes_change = (int64_t)(row->bytes - bytes);
    row->per_alloc_change =
        (int64_t)(row->per_alloc - per_alloc(bytes, counter_delta(allocs, frees)));
}

static struct row make_row(const struct snapshot_table *table, size_t at, enum pool pool)
{
    struct row row = {.tag = table->tag[at], .pool = pool};
    row.known = snapshot_table_columns(table) == COLUMN_ALL;
    if (row.known) {
        row.allocs = table->allocs[at];
        row.frees = table->frees[at];
        row.diff = counter_delta(row.allocs, row.frees);
        row.bytes = table->bytes[at];
        row.per_alloc = per_alloc(row.bytes, row.diff);
    }
    return row;
}

#define ORDER(a, b) ((a) > (b) ? -1 : (a) < (b)) /* largest first */

static int compare_values(const struct row *a, const struct row *b, enum poolmon_sort sort)
{
    switch (sort) {
    case POOLMON_BY_ALLOCS:
        return ORDER(a->allocs, b->allocs);
    case POOLMON_BY_FREES:
        return ORDER(a->frees, b->frees);
    case POOLMON_BY_DIFF:
        return ORDER(a->diff, b->diff);
    case POOLMON_BY_BYTES:
        return ORDER(a->bytes, b->bytes);
    case POOLMON_BY_PER_ALLOC:
        return ORDER(a->per_alloc, b->per_alloc);
    case POOLMON_BY_TAG:
        break;
    }
    return 0;
}

static int compare_changes(const struct row *a, const struct row *b, enum poolmon_sort sort)
{
    switch (sort) {
    case POOLMON_BY_ALLOCS:
        return ORDER(a->allocs_change, b->allocs_change);
    case POOLMON_BY_FREES:
        return ORDER(a->frees_change, b->frees_change);
    case POOLMON_BY_DIFF:
        return ORDER(a->diff_change, b->diff_change);
    case POOLMON_BY_PER_ALLOC:
        return ORDER(a->per_alloc_change, b->per_alloc_change);
    case POOLMON_BY_TAG:
    case POOLMON_BY_BYTES:
        break;
    }
    return ORDER(a->bytes_change, b->bytes_change);
}

static bool stands_before(const struct view *view, const struct row *a, const struct row *b)
{
    enum poolmon_sort sort = view->options->sort;
    int order = view->options->by_change && view->changes ? compare_changes(a, b, sort)
                                                          : compare_values(a, b, sort);
    if (order == 0)
        order = tag_compare(a->tag, b->tag);
    return order != 0 ? order < 0 : a->pool < b->pool;
}

/* Heap sort: qsort has no argument for the options, and this has no worst case. */
static void sort_rows(struct view *view)
{
    struct row *rows = view->rows;
    size_t count = view->count;
    size_t start = count / 2;
    while (count > 1) {
        struct row row;
        if (start > 0) {
            row = rows[--start];
        } else {
            row = rows[--count];
            rows[count] = rows[0];
        }
        size_t at = start;
        for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
            if (child + 1 < count && stands_before(view, &rows[child], &rows[child + 1]))
                child++;
            if (!stands_before(view, &row, &rows[child]))
                break;
            rows[at] = rows[child];
            at = child;
        }
        rows[at] = row;
    }
}

/* False when memory is out. */
static bool gather(struct view *view, struct arena *arena, const struct snapshot *now,
                   const struct snapshot *before)
{
    size_t most = now->table[POOL_NONPAGED].count + now->table[POOL_PAGED].count;
    view->changes = before != NULL;
    view->rows = arena_alloc(arena, most, sizeof *view->rows);
    if (view->rows == NULL)
        return false;
    for (unsigned pool = 0; pool < POOL_COUNT; pool++) {
        const struct snapshot_table *table = &now->table[pool];
        for (size_t i = 0; i < table->count && pool_shown(view->options, (enum pool)pool); i++) {
            if (!is_shown(view->options, table->tag[i]))
                continue;
            struct row *row = &view->rows[view->count++];
            *row = make_row(table, i, (enum pool)pool);
            if (before != NULL)
                set_changes(row, &before->table[pool]);
        }
    }
    sort_rows(view);
    return true;
}

static size_t rows_shown(const struct view *view)
{
    size_t most = view->options->rows;
    return most > 0 && most < view->count ? most : view->count;
}

/* ---- text ------------------------------------------------------------------- */

static int digits(uint64_t value)
{
    int count = 1;
    for (; value >= 10; value /= 10)
        count++;
    return count;
}

static int signed_digits(int64_t value)
{
    return value < 0 ? 1 + digits(0 - (uint64_t)value) : digits((uint64_t)value);
}

static void widen(struct view *view, enum column column, int width)
{
    if (width > view->width[column])
        view->width[column] = width;
}

static void measure(struct view *view)
{
    memcpy(view->width, least_width, sizeof view->width);
    for (size_t i = 0; i < rows_shown(view); i++) {
        const struct row *row = &view->rows[i];
        char text[TAG_TEXT_MAX];
        tag_format(row->tag, text);
        widen(view, COLUMN_TAG_TEXT, (int)strlen(text));
        widen(view, COLUMN_ALLOC, digits(row->allocs));
        widen(view, COLUMN_ALLOC_CHANGE, digits(row->allocs_change));
        widen(view, COLUMN_FREE, digits(row->frees));
        widen(view, COLUMN_FREE_CHANGE, digits(row->frees_change));
        widen(view, COLUMN_DIFF, digits(row->diff));
        widen(view, COLUMN_USED, digits(row->bytes));
        widen(view, COLUMN_USED_CHANGE, signed_digits(row->bytes_change));
        widen(view, COLUMN_PER_ALLOC, digits(row->per_alloc));
    }
}

static uint64_t total_kb(const struct snapshot *snapshot, enum total total)
{
    return snapshot->totals.value[total] / 1024;
}

static bool has_totals(const struct snapshot *snapshot, enum total a, enum total b)
{
    return totals_has(&snapshot->totals, a) && totals_has(&snapshot->totals, b);
}

/* poolmon's two lines of memory, as far as they are known. */
static void print_memory(const struct snapshot *now, struct strbuf *out)
{
    if (has_totals(now, TOTAL_PHYSICAL_BYTES, TOTAL_AVAILABLE_BYTES))
        strbuf_printf(out, " Memory:%8" PRIu64 "K Avail:%8" PRIu64 "K\n",
                      total_kb(now, TOTAL_PHYSICAL_BYTES), total_kb(now, TOTAL_AVAILABLE_BYTES));
    if (has_totals(now, TOTAL_COMMIT_BYTES, TOTAL_COMMIT_LIMIT_BYTES)) {
        strbuf_printf(out, " Commit:%8" PRIu64 "K Limit:%8" PRIu64 "K",
                      total_kb(now, TOTAL_COMMIT_BYTES), total_kb(now, TOTAL_COMMIT_LIMIT_BYTES));
        if (has_totals(now, TOTAL_NONPAGED_BYTES, TOTAL_PAGED_BYTES))
            strbuf_printf(out, "            Pool N:%8" PRIu64 "K P:%8" PRIu64 "K",
                          total_kb(now, TOTAL_NONPAGED_BYTES), total_kb(now, TOTAL_PAGED_BYTES));
        strbuf_putc(out, '\n');
    }
}

/* A title over the number that stands at the right of its column, and its change behind it. */
static void print_titles(const struct view *view, struct strbuf *out)
{
    const int *width = view->width;
    bool changes = view->changes;
    strbuf_printf(out, " %-*s Type  %*s", width[COLUMN_TAG_TEXT], "Tag", width[COLUMN_ALLOC],
                  "Allocs");
    strbuf_printf(out, "%*s %*s", changes ? width[COLUMN_ALLOC_CHANGE] + 3 : 0, "",
                  width[COLUMN_FREE], "Frees");
    strbuf_printf(out, "%*s %*s", changes ? width[COLUMN_FREE_CHANGE] + 3 : 0, "",
                  width[COLUMN_DIFF], "Diff");
    strbuf_printf(out, " %*s", width[COLUMN_USED], "Bytes");
    strbuf_printf(out, "%*s %*s  Mapped_Driver\n\n", changes ? width[COLUMN_USED_CHANGE] + 3 : 0,
                  "", width[COLUMN_PER_ALLOC] > 9 ? width[COLUMN_PER_ALLOC] : 9, "Per Alloc");
}

static void print_change(const struct view *view, enum column column, int64_t change,
                         struct strbuf *out)
{
    if (view->changes)
        strbuf_printf(out, " (%*" PRId64 ")", view->width[column], change);
}

/* Tags are set to the right, so that their four columns stand in front of the type in every row,
 * also beside an escaped one. */
static void print_row(const struct view *view, const struct row *row, struct strbuf *out)
{
    const int *width = view->width;
    char tag[TAG_TEXT_MAX];
    tag_format(row->tag, tag);
    strbuf_printf(out, " %*s %-5s ", width[COLUMN_TAG_TEXT], tag,
                  row->pool == POOL_NONPAGED ? "Nonp" : "Paged");
    if (!row->known) { /* absent is not 0 */
        strbuf_puts(out, "counters not known");
        return;
    }
    strbuf_printf(out, "%*" PRIu32, width[COLUMN_ALLOC], row->allocs);
    print_change(view, COLUMN_ALLOC_CHANGE, row->allocs_change, out);
    strbuf_printf(out, " %*" PRIu32, width[COLUMN_FREE], row->frees);
    print_change(view, COLUMN_FREE_CHANGE, row->frees_change, out);
    strbuf_printf(out, " %*" PRIu32 " %*" PRIu64, width[COLUMN_DIFF], row->diff, width[COLUMN_USED],
                  row->bytes);
    print_change(view, COLUMN_USED_CHANGE, row->bytes_change, out);
    strbuf_printf(out, " %*" PRIu64, width[COLUMN_PER_ALLOC] > 9 ? width[COLUMN_PER_ALLOC] : 9,
                  row->per_alloc);
}

/* "TOTAL" has five letters, so no reader takes it for a tag. */
static void print_totals(const struct view *view, struct strbuf *out)
{
    for (unsigned pool = 0; pool < POOL_COUNT; pool++) {
        uint64_t rows = 0;
        uint64_t diff = 0;
        uint64_t bytes = 0;
        if (!pool_shown(view->options, (enum pool)pool))
            continue;
        for (size_t i = 0; i < view->count; i++) {
            if (view->rows[i].pool != (enum pool)pool)
                continue;
            rows++;
            diff += view->rows[i].diff;
            bytes += view->rows[i].bytes;
        }
        strbuf_printf(out,
                      "%sTOTAL %-5s %" PRIu64 " tags, %" PRIu64 " blocks outstanding, %" PRIu64
                      " bytes\n",
                      pool == 0 || view->options->paged ? "\n" : "",
                      pool == POOL_NONPAGED ? "Nonp" : "Paged", rows, diff, bytes);
    }
}

void poolmon_print(const struct snapshot *now, const struct snapshot *before,
                   const struct poolmon_options *options,
                   const char *(*owner)(void *arg, uint32_t tag), void *arg, struct strbuf *out)
{
    AUTO_ARENA struct arena arena = {0};
    struct view view = {.options = options};
    if (!gather(&view, &arena, now, before)) {
        out->failed = true;
        return;
    }
    measure(&view);
    if (options->simulated != NULL) {
        strbuf_puts(out, options->simulated);
        strbuf_putc(out, '\n');
    }
    print_memory(now, out);
    strbuf_puts(out, " System pool information\n");
    print_titles(&view, out);
    for (size_t i = 0; i < rows_shown(&view); i++) {
        const char *driver = owner != NULL ? owner(arg, view.rows[i].tag) : NULL;
        print_row(&view, &view.rows[i], out);
        if (driver != NULL) {
            strbuf_puts(out, " [");
            strbuf_puts(out, driver);
            strbuf_putc(out, ']');
        }
        strbuf_putc(out, '\n');
    }
    if (options->totals)
        print_totals(&view, out);
}

/* ---- CSV -------------------------------------------------------------------- */

static void csv_row(const struct row *row, bool simulated, struct strbuf *out)
{
    char tag[TAG_TEXT_MAX];
    tag_format(row->tag, tag);
    strbuf_putc(out, '"');
    for (const char *c = tag; *c != '\0'; c++) {
        if (*c == '"')
            strbuf_putc(out, '"');
        strbuf_putc(out, *c);
    }
    strbuf_printf(out, "\",%s,", pool_name(row->pool));
    if (row->known)
        strbuf_printf(out, "%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu64, row->allocs, row->frees,
                      row->diff, row->bytes);
    else
        strbuf_puts(out, ",,,"); /* absent is not 0 */
    strbuf_puts(out, simulated ? ",yes\r\n" : "\r\n");
}

void poolmon_print_csv(const struct snapshot *now, const struct poolmon_options *options,
                       struct strbuf *out)
{
    AUTO_ARENA struct arena arena = {0};
    struct view view = {.options = options};
    bool simulated = options->simulated != NULL;
    if (!gather(&view, &arena, now, NULL)) {
        out->failed = true;
        return;
    }
    strbuf_puts(out, "tag,pool,allocs,frees,outstanding,bytes");
    strbuf_puts(out, simulated ? ",simulated\r\n" : "\r\n");
    for (size_t i = 0; i < rows_shown(&view); i++)
        csv_row(&view.rows[i], simulated, out);
}
