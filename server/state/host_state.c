/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One allocation per host: the public struct, its texts and its tables. A row takes 14 bytes: tag,
 * allocs and bytes in 32 bits each, since nearly every tag holds less than 4 GiB, and instead of
 * frees the outstanding count in 16. What does not fit stands in short lists beside the columns, by
 * row. Columns that a table does not have take no room.
 *
 * The usual document changes some rows that are there already: its state is a copy of the one
 * before with these rows written over (host_state_patch), which costs two copies of memory instead
 * of taking 2,500 rows apart and together again.
 */
#include "server/state/host_cell.h"

#include <string.h>

/* ---- one host -------------------------------------------------------------- */

size_t host_state_rows(const struct host_state *host, enum pool pool)
{
    return host->table[pool] == NULL ? 0 : host->table[pool]->count;
}

/* Both kinds of entries lie by row. NULL: the row has none. */
static const struct big_bytes *big_place(const struct compact_table *table, uint32_t row)
{
    size_t low = 0, high = table->big_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (table->big[middle].row < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low < table->big_count && table->big[low].row == row ? &table->big[low] : NULL;
}

static const struct big_held *held_place(const struct compact_table *table, uint32_t row)
{
    size_t low = 0, high = table->big_held_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (table->big_held[middle].row < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low < table->big_held_count && table->big_held[low].row == row ? &table->big_held[low]
                                                                          : NULL;
}

static uint64_t bytes_at(const struct compact_table *table, uint32_t row)
{
    const struct big_bytes *big = table->bytes[row] == UINT32_MAX ? big_place(table, row) : NULL;
    return big == NULL ? table->bytes[row] : big->bytes;
}

static uint32_t held_at(const struct compact_table *table, uint32_t row)
{
    const struct big_held *big = table->held[row] == UINT16_MAX ? held_place(table, row) : NULL;
    return big == NULL ? table->held[row] : big->held;
}

struct host_row host_state_row(const struct host_state *host, enum pool pool, size_t index)
{
    const struct compact_table *table = host->table[pool];
    struct host_row row = {.tag = table->tag[index], .columns = table->columns};
    if (table->allocs != NULL)
        row.allocs = table->allocs[index];
    if (table->frees != NULL)
        row.frees = table->frees[index];
    if (table->held != NULL)
        row.frees = row.allocs - held_at(table, (uint32_t)index);
    if (table->bytes != NULL)
        row.bytes = bytes_at(table, (uint32_t)index);
    return row;
}

bool host_state_find(const struct host_state *host, enum pool pool, uint32_t tag,
                     struct host_row *ret_row)
{
    size_t low = 0, high = host_state_rows(host, pool);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (host->table[pool]->tag[middle] < tag)
            low = middle + 1;
        else
            high = middle;
    }
    if (low >= host_state_rows(host, pool) || host->table[pool]->tag[low] != tag)
        return false;
    *ret_row = host_state_row(host, pool, low);
    return true;
}

const char *host_state_attribute(const struct host_state *host, const char *name)
{
    size_t low = 0, high = host->attribute_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(host->attributes[middle].name, name);
        if (order == 0)
            return host->attributes[middle].value;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

enum status host_state_tables(const struct host_state *host, struct arena *arena,
                              struct snapshot_table ret_table[POOL_COUNT])
{
    struct snapshot_table out[POOL_COUNT] = {{0}};
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        const struct compact_table *table = host->table[pool];
        if (table == NULL)
            continue;
        size_t size = table->count * sizeof(uint32_t);
        enum status status = snapshot_table_alloc(arena, &out[pool], table->count, table->columns);
        if (status != ST_OK)
            return status;
        if (size == 0)
            continue;
        memcpy(out[pool].tag, table->tag, size);
        if (table->allocs != NULL)
            memcpy(out[pool].allocs, table->allocs, size);
        if (table->frees != NULL)
            memcpy(out[pool].frees, table->frees, size);
        for (size_t i = 0; table->held != NULL && i < table->count; i++)
            out[pool].frees[i] = table->allocs[i] - table->held[i];
        for (size_t i = 0; i < table->big_held_count; i++) {
            uint32_t row = table->big_held[i].row;
            if (table->held[row] == UINT16_MAX) /* else it was big once */
                out[pool].frees[row] = table->allocs[row] - table->big_held[i].held;
        }
        for (size_t i = 0; table->bytes != NULL && i < table->count; i++)
            out[pool].bytes[i] = table->bytes[i];
        for (size_t i = 0; i < table->big_count; i++) {
            if (table->bytes[table->big[i].row] == UINT32_MAX)
                out[pool].bytes[table->big[i].row] = table->big[i].bytes;
        }
    }
    memcpy(ret_table, out, sizeof out);
    return ST_OK;
}

/* ---- making one ------------------------------------------------------------ */

static size_t big_count(const struct snapshot_table *table)
{
    size_t count = 0;
    for (size_t i = 0; table->bytes != NULL && i < table->count; i++)
        count += table->bytes[i] >= UINT32_MAX;
    return count;
}

static bool has_held(const struct snapshot_table *table)
{
    return table->allocs != NULL && table->frees != NULL;
}

static size_t big_held_count(const struct snapshot_table *table)
{
    size_t count = 0;
    for (size_t i = 0; has_held(table) && i < table->count; i++)
        count += counter_delta(table->allocs[i], table->frees[i]) >= UINT16_MAX;
    return count;
}

static size_t text_size(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

static size_t table_size(const struct snapshot_table *table)
{
    size_t wide = 1;
    wide += table->allocs != NULL;
    wide += table->bytes != NULL;
    wide += table->frees != NULL && !has_held(table);
    return big_count(table) * sizeof(struct big_bytes) +
           big_held_count(table) * sizeof(struct big_held) +
           table->count * (wide * sizeof(uint32_t) + (has_held(table) ? sizeof(uint16_t) : 0));
}

static const char *text_put(char **at, const char *text)
{
    size_t size = text_size(text);
    if (size == 0)
        return NULL;
    memcpy(*at, text, size);
    *at += size;
    return *at - size;
}

static const uint32_t *column_put(char **at, const uint32_t *column, size_t count)
{
    if (column == NULL)
        return NULL;
    void *place = *at;
    if (count > 0)
        memcpy(place, column, count * sizeof *column);
    *at += count * sizeof *column;
    return place;
}

static void big_put(char **at, const struct snapshot_table *from, struct compact_table *to)
{
    struct big_bytes *big = (void *)*at;
    for (size_t i = 0; from->bytes != NULL && i < from->count; i++) {
        if (from->bytes[i] >= UINT32_MAX)
            big[to->big_count++] = (struct big_bytes){from->bytes[i], (uint32_t)i};
    }
    *at += to->big_count * sizeof *big;
    struct big_held *big_held = (void *)*at;
    for (size_t i = 0; has_held(from) && i < from->count; i++) {
        uint32_t held = counter_delta(from->allocs[i], from->frees[i]);
        if (held >= UINT16_MAX)
            big_held[to->big_held_count++] = (struct big_held){(uint32_t)i, held};
    }
    *at += to->big_held_count * sizeof *big_held;
    to->big = big;
    to->big_held = big_held;
}

/* Widest first, so that everything is aligned when `at` is to 8. */
static void table_put(char **at, const struct snapshot_table *from, struct compact_table *to)
{
    to->count = (uint32_t)from->count;
    to->columns = snapshot_table_columns(from);
    big_put(at, from, to);
    to->tag = column_put(at, from->tag, from->count);
    to->allocs = column_put(at, from->allocs, from->count);
    if (!has_held(from))
        to->frees = column_put(at, from->frees, from->count);
    if (from->bytes != NULL) {
        uint32_t *bytes = (void *)*at;
        for (size_t i = 0; i < from->count; i++)
            bytes[i] = from->bytes[i] >= UINT32_MAX ? UINT32_MAX : (uint32_t)from->bytes[i];
        to->bytes = bytes;
        *at += from->count * sizeof *bytes;
    }
    if (!has_held(from))
        return;
    uint16_t *held = (void *)*at;
    for (size_t i = 0; i < from->count; i++) {
        uint32_t value = counter_delta(from->allocs[i], from->frees[i]);
        held[i] = value >= UINT16_MAX ? UINT16_MAX : (uint16_t)value;
    }
    to->held = held;
    *at += from->count * sizeof *held;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void usual_interval(struct cell *cell)
{
    int64_t gaps[RECENT_MAX];
    size_t count = 0;
    for (size_t i = 1; i < cell->recent_count; i++) {
        int64_t gap = cell->recent_us[i] - cell->recent_us[i - 1];
        if (gap > 0)
            gaps[count++] = gap;
    }
    qsort(gaps, count, sizeof *gaps, by_number);
    cell->host.usual_interval_us = count == 0 ? TIME_UNKNOWN : gaps[count / 2];
}

void host_state_set_recent(struct host_state *host, const int64_t *taken_at_us, size_t count)
{
    struct cell *cell = cell_of(host);
    size_t skip = count > RECENT_MAX + 1 ? count - (RECENT_MAX + 1) : 0;
    cell->recent_count = count - skip;
    if (cell->recent_count > 0)
        memcpy(cell->recent_us, taken_at_us + skip, cell->recent_count * sizeof *taken_at_us);
    usual_interval(cell);
}

/* The previous moments and this one, if it is newer. */
static void recent_carry(struct cell *cell, const struct host_state *previous)
{
    int64_t recent[RECENT_MAX + 2];
    size_t count = 0;
    if (previous != NULL) {
        const struct cell *before = cell_of(previous);
        count = before->recent_count;
        memcpy(recent, before->recent_us, count * sizeof *recent);
    }
    if (count == 0 || recent[count - 1] < cell->host.taken_at_us)
        recent[count++] = cell->host.taken_at_us;
    host_state_set_recent(&cell->host, recent, count);
}

static const char *const shown_names[HOST_ATTRIBUTES] = {
    [HOST_ROLE] = "role",        [HOST_OS_BUILD] = "os.build",
    [HOST_OS_NAME] = "os.name",  [HOST_MODEL] = "hw.model",
    [HOST_RAM] = "hw.ram_bytes", [HOST_SIMULATED] = "poolfleet.simulated",
};

enum status host_state_new(int64_t key, const struct snapshot *snapshot,
                           const struct host_state *previous, struct host_state **ret_host,
                           struct err *err)
{
    bool keep = !snapshot->has_attributes && previous != NULL;
    const struct snapshot_attribute *attributes =
        keep ? previous->attributes : snapshot->attributes;
    size_t attribute_count = keep ? previous->attribute_count : snapshot->attribute_count;
    const struct snapshot_agent none = {.waiting = -1, .dropped = -1};
    const struct snapshot_agent *agent = snapshot->agent.present ? &snapshot->agent
                                         : previous != NULL      ? &previous->agent
                                                                 : &none;
    const char *id =
        snapshot->host_id == NULL && previous != NULL ? previous->id : snapshot->host_id;
    const char *name =
        snapshot->host_name == NULL && previous != NULL ? previous->name : snapshot->host_name;
    if (id == NULL)
        return err_set(err, ST_BUG, "a host state needs an id");
    /* The attributes and the texts, which most readers of all hosts want and nothing else: in the
     * same page of memory. Then the tables, each aligned to 8. */
    size_t size = sizeof(struct cell) + attribute_count * sizeof *attributes;
    for (int pool = 0; pool < POOL_COUNT; pool++)
        size += snapshot->table[pool].present ? table_size(&snapshot->table[pool]) + 8 : 0;
    size += text_size(id) + text_size(name) + text_size(agent->version);
    for (size_t i = 0; i < attribute_count; i++)
        size += text_size(attributes[i].name) + text_size(attributes[i].value);
    struct cell *cell = malloc(size);
    if (cell == NULL)
        return err_set(err, ST_NOMEM, "could not keep a host's state: out of memory");
    *cell = (struct cell){.memory_bytes = size};
    atomic_init(&cell->references, 1);
    char *at = (char *)(cell + 1);
    struct snapshot_attribute *copy = (void *)at;
    at += attribute_count * sizeof *copy;
    for (size_t i = 0; i < attribute_count; i++) {
        copy[i].name = text_put(&at, attributes[i].name);
        copy[i].value = text_put(&at, attributes[i].value);
    }
    cell->host.key = key;
    cell->host.id = text_put(&at, id);
    cell->host.name = text_put(&at, name);
    cell->host.boot_at_us = snapshot->boot_at_us;
    cell->host.taken_at_us = snapshot->taken_at_us;
    cell->host.sequence = snapshot->sequence;
    cell->host.totals = snapshot->totals;
    cell->host.attributes = copy;
    cell->host.attribute_count = attribute_count;
    for (size_t i = 0; i < HOST_ATTRIBUTES; i++)
        cell->host.shown[i] = host_state_attribute(&cell->host, shown_names[i]);
    cell->host.agent = *agent;
    cell->host.agent.version = text_put(&at, agent->version);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (!snapshot->table[pool].present)
            continue;
        at += (size_t)(-(uintptr_t)at & 7); /* the list of big ones holds 64-bit numbers */
        table_put(&at, &snapshot->table[pool], &cell->table[pool]);
        cell->host.table[pool] = &cell->table[pool];
    }
    recent_carry(cell, previous);
    *ret_host = &cell->host;
    return ST_OK;
}

/* ---- one that changes rows of another --------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Only rows of `previous` and what has a fixed place. */
static bool is_patch(const struct host_state *previous, const struct snapshot *snapshot)
{
    if (snapshot->has_attributes)
        return false;
    if (snapshot->host_name != NULL && !same_text(snapshot->host_name, previous->name))
        return false;
    return !snapshot->agent.present || same_text(snapshot->agent.version, previous->agent.version);
}

/* An entry of a row that is no longer big stays: its column says that it does not count. */
static bool put_bytes(struct compact_table *table, uint32_t row, uint64_t bytes)
{
    uint32_t *column = (uint32_t *)(uintptr_t)table->bytes;
    if (bytes < UINT32_MAX) {
        column[row] = (uint32_t)bytes;
        return true;
    }
    struct big_bytes *big = (struct big_bytes *)(uintptr_t)big_place(table, row);
    if (big == NULL)
        return false;
    big->bytes = bytes;
    column[row] = UINT32_MAX;
    return true;
}

static bool put_held(struct compact_table *table, uint32_t row, uint32_t held)
{
    uint16_t *column = (uint16_t *)(uintptr_t)table->held;
    if (held < UINT16_MAX) {
        column[row] = (uint16_t)held;
        return true;
    }
    struct big_held *big = (struct big_held *)(uintptr_t)held_place(table, row);
    if (big == NULL)
        return false;
    big->held = held;
    column[row] = UINT16_MAX;
    return true;
}

/* Both are sorted by tag. False: a row is new, or has no place for its size. */
static bool table_patch(struct compact_table *table, const struct snapshot_table *changed)
{
    uint32_t row = 0;
    for (size_t i = 0; i < changed->count; i++, row++) {
        while (row < table->count && table->tag[row] < changed->tag[i])
            row++;
        if (row == table->count || table->tag[row] != changed->tag[i])
            return false;
        if (table->allocs != NULL)
            ((uint32_t *)(uintptr_t)table->allocs)[row] = changed->allocs[i];
        if (table->frees != NULL)
            ((uint32_t *)(uintptr_t)table->frees)[row] = changed->frees[i];
        if (table->held != NULL &&
            !put_held(table, row, counter_delta(changed->allocs[i], changed->frees[i])))
            return false;
        if (table->bytes != NULL && !put_bytes(table, row, changed->bytes[i]))
            return false;
    }
    return true;
}

/* The same place within the copy. */
static const void *moved(const struct cell *copy, const struct cell *from, const void *place)
{
    return place == NULL ? NULL : (const char *)copy + ((const char *)place - (const char *)from);
}

static struct cell *cell_copy(const struct cell *from)
{
    struct cell *copy = malloc(from->memory_bytes);
    if (copy == NULL)
        return NULL;
    memcpy(copy, from, from->memory_bytes);
    atomic_init(&copy->references, 1);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct compact_table *table = &copy->table[pool];
        if (copy->host.table[pool] == NULL)
            continue;
        copy->host.table[pool] = table;
        table->tag = moved(copy, from, table->tag);
        table->allocs = moved(copy, from, table->allocs);
        table->frees = moved(copy, from, table->frees);
        table->held = moved(copy, from, table->held);
        table->bytes = moved(copy, from, table->bytes);
        table->big = moved(copy, from, table->big);
        table->big_held = moved(copy, from, table->big_held);
    }
    struct snapshot_attribute *attributes =
        (struct snapshot_attribute *)(uintptr_t)moved(copy, from, copy->host.attributes);
    for (size_t i = 0; i < copy->host.attribute_count; i++) {
        attributes[i].name = moved(copy, from, attributes[i].name);
        attributes[i].value = moved(copy, from, attributes[i].value);
    }
    copy->host.attributes = attributes;
    for (size_t i = 0; i < HOST_ATTRIBUTES; i++)
        copy->host.shown[i] = moved(copy, from, copy->host.shown[i]);
    copy->host.id = moved(copy, from, copy->host.id);
    copy->host.name = moved(copy, from, copy->host.name);
    copy->host.agent.version = moved(copy, from, copy->host.agent.version);
    return copy;
}

static bool tables_fit(const struct host_state *previous, const struct snapshot *snapshot)
{
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        const struct snapshot_table *changed = &snapshot->table[pool];
        if (changed->count > 0 &&
            (previous->table[pool] == NULL ||
             previous->table[pool]->columns != snapshot_table_columns(changed)))
            return false;
    }
    return true;
}

enum status host_state_patch(const struct host_state *previous, const struct snapshot *snapshot,
                             struct host_state **ret_host, struct err *err)
{
    *ret_host = NULL;
    if (!is_patch(previous, snapshot) || !tables_fit(previous, snapshot))
        return ST_OK;
    struct cell *cell = cell_copy(cell_of(previous));
    if (cell == NULL)
        return err_set(err, ST_NOMEM, "could not keep a host's state: out of memory");
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (snapshot->table[pool].count > 0 &&
            !table_patch(&cell->table[pool], &snapshot->table[pool])) {
            free(cell);
            return ST_OK;
        }
    }
    const char *version = cell->host.agent.version;
    cell->host.boot_at_us = snapshot->boot_at_us;
    cell->host.taken_at_us = snapshot->taken_at_us;
    cell->host.sequence = snapshot->sequence;
    cell->host.totals = snapshot->totals;
    if (snapshot->agent.present)
        cell->host.agent = snapshot->agent;
    cell->host.agent.version = version;
    recent_carry(cell, previous);
    *ret_host = &cell->host;
    return ST_OK;
}

/* ---- life ------------------------------------------------------------------- */

const struct host_state *host_state_ref(const struct host_state *host)
{
    atomic_fetch_add_explicit(&cell_of(host)->references, 1, memory_order_relaxed);
    return host;
}

void host_state_release(const struct host_state *host)
{
    if (host != NULL &&
        atomic_fetch_sub_explicit(&cell_of(host)->references, 1, memory_order_acq_rel) == 1)
        free(cell_of(host));
}
