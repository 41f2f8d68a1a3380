/* SPDX-License-Identifier: Apache-2.0 */
#include "common/snapshot.h"
#include "common/limits.h"

#include <string.h>

static const char *const total_names[TOTAL_COUNT] = {
    [TOTAL_NONPAGED_BYTES] = "nonpaged_bytes",
    [TOTAL_PAGED_BYTES] = "paged_bytes",
    [TOTAL_NONPAGED_LIMIT_BYTES] = "nonpaged_limit_bytes",
    [TOTAL_PAGED_LIMIT_BYTES] = "paged_limit_bytes",
    [TOTAL_COMMIT_BYTES] = "commit_bytes",
    [TOTAL_COMMIT_LIMIT_BYTES] = "commit_limit_bytes",
    [TOTAL_PHYSICAL_BYTES] = "physical_bytes",
    [TOTAL_AVAILABLE_BYTES] = "available_bytes",
    [TOTAL_HANDLES] = "handles",
    [TOTAL_PROCESSES] = "processes",
    [TOTAL_THREADS] = "threads",
    [TOTAL_ALLOC_FAILURES] = "alloc_failures",
};

const char *total_name(enum total total)
{
    return total < TOTAL_COUNT ? total_names[total] : NULL;
}

void snapshot_init(struct snapshot *snapshot)
{
    *snapshot = (struct snapshot){
        .boot_at_us = TIME_UNKNOWN,
        .taken_at_us = TIME_UNKNOWN,
        .sequence = SEQUENCE_UNKNOWN,
        .base = SEQUENCE_UNKNOWN,
        .agent = {.waiting = -1, .dropped = -1},
    };
}

void snapshot_done(struct snapshot *snapshot)
{
    arena_done(&snapshot->arena);
    snapshot_init(snapshot);
}

bool snapshot_host_id_valid(const char *id)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@-";
    size_t length = strnlen(id, LIMIT_HOST_ID_BYTES + 1);
    return length > 0 && length <= LIMIT_HOST_ID_BYTES && strspn(id, allowed) == length;
}

enum status snapshot_table_alloc(struct arena *arena, struct snapshot_table *ret_table, size_t rows,
                                 unsigned columns)
{
    struct snapshot_table table = {.present = true, .count = rows};
    table.tag = arena_alloc(arena, rows, sizeof *table.tag);
    bool ok = table.tag != NULL;
    if (columns & COLUMN_ALLOCS)
        ok = (table.allocs = arena_alloc(arena, rows, sizeof *table.allocs)) != NULL && ok;
    if (columns & COLUMN_FREES)
        ok = (table.frees = arena_alloc(arena, rows, sizeof *table.frees)) != NULL && ok;
    if (columns & COLUMN_BYTES)
        ok = (table.bytes = arena_alloc(arena, rows, sizeof *table.bytes)) != NULL && ok;
    if (!ok)
        return ST_NOMEM;
    *ret_table = table;
    return ST_OK;
}

unsigned snapshot_table_columns(const struct snapshot_table *table)
{
    return (table->allocs != NULL ? COLUMN_ALLOCS : 0u) |
           (table->frees != NULL ? COLUMN_FREES : 0u) | (table->bytes != NULL ? COLUMN_BYTES : 0u);
}

/* Row `from` of one table to row `to` of another; both have the same columns. */
static void copy_row(struct snapshot_table *to, size_t at, const struct snapshot_table *from,
                     size_t row)
{
    to->tag[at] = from->tag[row];
    if (to->allocs != NULL)
        to->allocs[at] = from->allocs[row];
    if (to->frees != NULL)
        to->frees[at] = from->frees[row];
    if (to->bytes != NULL)
        to->bytes[at] = from->bytes[row];
}

/* Order for sorting without moving four columns at each step: tag above, place below. */
static int compare_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool is_sorted(const struct snapshot_table *table)
{
    for (size_t i = 1; i < table->count; i++) {
        if (table->tag[i - 1] >= table->tag[i])
            return false;
    }
    return true;
}

static enum status duplicate_tag(const uint64_t *keys, size_t count, struct err *err)
{
    for (size_t i = 1; i < count; i++) {
        if (keys[i - 1] >> 32 != keys[i] >> 32)
            continue;
        char field[32];
        char text[TAG_TEXT_MAX];
        tag_format((uint32_t)(keys[i] >> 32), text);
        snprintf(field, sizeof field, "tag[%u]", (unsigned)(keys[i] & 0xffffffffu));
        return err_field(err, ST_INVALID, field, "tag \"%s\" stands twice in one table", text);
    }
    return ST_OK;
}

enum status snapshot_table_sort(struct snapshot_table *table, struct err *err)
{
    AUTO_ARENA struct arena arena = {0};
    struct snapshot_table sorted;
    if (is_sorted(table))
        return ST_OK;
    uint64_t *keys = arena_alloc(&arena, table->count, sizeof *keys);
    if (keys == NULL || table->count > UINT32_MAX ||
        snapshot_table_alloc(&arena, &sorted, table->count, snapshot_table_columns(table)) != ST_OK)
        return err_set(err, ST_NOMEM, "could not sort a table: out of memory");
    for (size_t i = 0; i < table->count; i++)
        keys[i] = (uint64_t)table->tag[i] << 32 | i;
    qsort(keys, table->count, sizeof *keys, compare_keys);
    enum status status = duplicate_tag(keys, table->count, err);
    if (status != ST_OK)
        return status;
    for (size_t i = 0; i < table->count; i++)
        copy_row(&sorted, i, table, (size_t)(keys[i] & 0xffffffffu));
    for (size_t i = 0; i < table->count; i++)
        copy_row(table, i, &sorted, i);
    return ST_OK;
}

size_t snapshot_table_find(const struct snapshot_table *table, uint32_t tag)
{
    size_t low = 0;
    size_t high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->tag[middle] < tag)
            low = middle + 1;
        else
            high = middle;
    }
    return low < table->count && table->tag[low] == tag ? low : SIZE_MAX;
}

enum status snapshot_table_merge(struct arena *arena, const struct snapshot_table *base,
                                 const struct snapshot_table *changed,
                                 struct snapshot_table *ret_table, struct err *err)
{
    static const struct snapshot_table none = {0};
    struct snapshot_table merged;
    if (!base->present && !changed->present) {
        *ret_table = none;
        return ST_OK;
    }
    unsigned columns = snapshot_table_columns(changed->present ? changed : base);
    /* An empty table says nothing of its columns. */
    if (base->present && changed->present && base->count > 0) {
        if (changed->count > 0 && snapshot_table_columns(base) != columns)
            return err_set(err, ST_INVALID, "columns differ from those of the base snapshot");
        columns = snapshot_table_columns(base);
    }
    if (snapshot_table_alloc(arena, &merged, base->count + changed->count, columns) != ST_OK)
        return err_set(err, ST_NOMEM, "could not merge tables: out of memory");
    size_t b = 0;
    size_t c = 0;
    size_t out = 0;
    while (b < base->count || c < changed->count) {
        bool take_changed =
            c < changed->count && (b == base->count || changed->tag[c] <= base->tag[b]);
        if (take_changed) {
            b += b < base->count && base->tag[b] == changed->tag[c];
            copy_row(&merged, out++, changed, c++);
        } else {
            copy_row(&merged, out++, base, b++);
        }
    }
    merged.count = out;
    *ret_table = merged;
    return ST_OK;
}

static bool same_row(const struct snapshot_table *a, size_t i, const struct snapshot_table *b,
                     size_t j)
{
    return (a->allocs == NULL || a->allocs[i] == b->allocs[j]) &&
           (a->frees == NULL || a->frees[i] == b->frees[j]) &&
           (a->bytes == NULL || a->bytes[i] == b->bytes[j]);
}

enum status snapshot_table_changed(struct arena *arena, const struct snapshot_table *base,
                                   const struct snapshot_table *now,
                                   struct snapshot_table *ret_table)
{
    static const struct snapshot_table none = {0};
    struct snapshot_table changed;
    if (!now->present) {
        *ret_table = none;
        return ST_OK;
    }
    unsigned columns = snapshot_table_columns(now);
    bool comparable = base->count > 0 && snapshot_table_columns(base) == columns;
    if (snapshot_table_alloc(arena, &changed, now->count, columns) != ST_OK)
        return ST_NOMEM;
    size_t b = 0;
    size_t out = 0;
    for (size_t n = 0; n < now->count; n++) {
        while (b < base->count && base->tag[b] < now->tag[n])
            b++;
        bool same = comparable && b < base->count && base->tag[b] == now->tag[n] &&
                    same_row(base, b, now, n);
        if (!same)
            copy_row(&changed, out++, now, n);
    }
    changed.count = out;
    *ret_table = changed;
    return ST_OK;
}
