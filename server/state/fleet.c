/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One allocation per host: the public struct, its texts and its tables. A row takes 14 bytes: tag,
 * allocs and bytes in 32 bits each, since nearly every tag holds less than 4 GiB, and instead of
 * frees the outstanding count in 16. What does not fit stands in short lists beside the columns, by
 * row. Columns that a table does not have take no room.
 */
#include "server/state/fleet.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* Gaps between snapshots that the usual interval is the median of. */
#define RECENT_MAX 8

struct big_bytes {
    uint64_t bytes;
    uint32_t row;
};

struct big_held {
    uint32_t row;
    uint32_t held;
};

struct compact_table {
    uint32_t count;
    unsigned columns;
    uint32_t big_count;
    uint32_t big_held_count;
    const uint32_t *tag;
    const uint32_t *allocs;      /* NULL: unknown; so are the others */
    const uint32_t *frees;       /* only without allocs */
    const uint16_t *held;        /* allocs - frees; UINT16_MAX: look among the big ones */
    const uint32_t *bytes;       /* UINT32_MAX: look among the big ones */
    const struct big_bytes *big; /* by row; so are the held */
    const struct big_held *big_held;
};

/* What a reader sees, and behind it what only this file knows. */
struct cell {
    struct host_state host; /* first: a host_state is a cell */
    atomic_uint references;
    size_t memory_bytes;
    int64_t recent_us[RECENT_MAX + 1]; /* taken_at of the newest snapshots, oldest first */
    size_t recent_count;
    struct compact_table table[POOL_COUNT];
};

struct fleet {
    pthread_mutex_t lock;
    struct host_state **hosts; /* by id */
    size_t count;
    size_t capacity;
    size_t memory_bytes;
    uint64_t generation;
};

static struct cell *cell_of(const struct host_state *host)
{
    return (struct cell *)(uintptr_t)host;
}

/* ---- one host -------------------------------------------------------------- */

size_t host_state_rows(const struct host_state *host, enum pool pool)
{
    return host->table[pool] == NULL ? 0 : host->table[pool]->count;
}

static uint64_t big_find(const struct compact_table *table, uint32_t row)
{
    size_t low = 0, high = table->big_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (table->big[middle].row < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low < table->big_count && table->big[low].row == row ? table->big[low].bytes
                                                                : UINT32_MAX;
}

static uint32_t held_find(const struct compact_table *table, uint32_t row)
{
    size_t low = 0, high = table->big_held_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (table->big_held[middle].row < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low < table->big_held_count && table->big_held[low].row == row
               ? table->big_held[low].held
               : UINT16_MAX;
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
        row.frees =
            row.allocs - (table->held[index] == UINT16_MAX ? held_find(table, (uint32_t)index)
                                                           : table->held[index]);
    if (table->bytes != NULL)
        row.bytes = table->bytes[index] == UINT32_MAX ? big_find(table, (uint32_t)index)
                                                      : table->bytes[index];
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
            out[pool].frees[row] = table->allocs[row] - table->big_held[i].held;
        }
        for (size_t i = 0; table->bytes != NULL && i < table->count; i++)
            out[pool].bytes[i] = table->bytes[i];
        for (size_t i = 0; i < table->big_count; i++)
            out[pool].bytes[table->big[i].row] = table->big[i].bytes;
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
    /* The attributes, then the tables, each aligned to 8, then the texts. */
    size_t size = sizeof(struct cell) + attribute_count * sizeof *attributes;
    for (int pool = 0; pool < POOL_COUNT; pool++)
        size += snapshot->table[pool].present ? table_size(&snapshot->table[pool]) + 8 : 0;
    size += text_size(id) + text_size(name) + text_size(agent->version);
    for (size_t i = 0; i < attribute_count; i++)
        size += text_size(attributes[i].name) + text_size(attributes[i].value);
    struct cell *cell = calloc(1, size);
    if (cell == NULL)
        return err_set(err, ST_NOMEM, "could not keep a host's state: out of memory");
    cell->memory_bytes = size;
    atomic_init(&cell->references, 1);
    char *at = (char *)(cell + 1);
    struct snapshot_attribute *copy = (void *)at;
    at += attribute_count * sizeof *copy;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (!snapshot->table[pool].present)
            continue;
        at += (size_t)(-(uintptr_t)at & 7); /* the list of big ones holds 64-bit numbers */
        table_put(&at, &snapshot->table[pool], &cell->table[pool]);
        cell->host.table[pool] = &cell->table[pool];
    }
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
    cell->host.agent = *agent;
    cell->host.agent.version = text_put(&at, agent->version);
    recent_carry(cell, previous);
    *ret_host = &cell->host;
    return ST_OK;
}

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

/* ---- all hosts ------------------------------------------------------------- */

struct fleet *fleet_new(void)
{
    struct fleet *fleet = calloc(1, sizeof *fleet);
    if (fleet != NULL)
        pthread_mutex_init(&fleet->lock, NULL);
    return fleet;
}

void fleet_free(struct fleet *fleet)
{
    if (fleet == NULL)
        return;
    for (size_t i = 0; i < fleet->count; i++)
        host_state_release(fleet->hosts[i]);
    free(fleet->hosts);
    pthread_mutex_destroy(&fleet->lock);
    free(fleet);
}

/* Place of the id, or where it would stand. Under the lock. */
static bool place_of(const struct fleet *fleet, const char *id, size_t *ret_place)
{
    size_t low = 0, high = fleet->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(fleet->hosts[middle]->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_place = low;
    return low < fleet->count && strcmp(fleet->hosts[low]->id, id) == 0;
}

const struct host_state *fleet_get(struct fleet *fleet, const char *id)
{
    const struct host_state *host = NULL;
    size_t place;
    pthread_mutex_lock(&fleet->lock);
    if (place_of(fleet, id, &place))
        host = host_state_ref(fleet->hosts[place]);
    pthread_mutex_unlock(&fleet->lock);
    return host;
}

enum status fleet_list(struct fleet *fleet, struct fleet_list *ret_list)
{
    for (;;) {
        /* Memory is got outside the lock; hosts may join meanwhile, then it is tried again. */
        size_t room = fleet_count(fleet) + 16;
        const struct host_state **items = calloc(room, sizeof *items);
        if (items == NULL)
            return ST_NOMEM;
        pthread_mutex_lock(&fleet->lock);
        size_t count = fleet->count;
        for (size_t i = 0; count <= room && i < count; i++)
            items[i] = host_state_ref(fleet->hosts[i]);
        uint64_t generation = fleet->generation;
        pthread_mutex_unlock(&fleet->lock);
        if (count <= room) {
            *ret_list = (struct fleet_list){items, count, generation};
            return ST_OK;
        }
        free(items);
    }
}

void fleet_list_done(struct fleet_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        host_state_release(list->items[i]);
    free(list->items);
    *list = (struct fleet_list){0};
}

uint64_t fleet_generation(struct fleet *fleet)
{
    pthread_mutex_lock(&fleet->lock);
    uint64_t generation = fleet->generation;
    pthread_mutex_unlock(&fleet->lock);
    return generation;
}

size_t fleet_count(struct fleet *fleet)
{
    pthread_mutex_lock(&fleet->lock);
    size_t count = fleet->count;
    pthread_mutex_unlock(&fleet->lock);
    return count;
}

size_t fleet_memory_bytes(struct fleet *fleet)
{
    pthread_mutex_lock(&fleet->lock);
    size_t bytes = fleet->memory_bytes + fleet->capacity * sizeof *fleet->hosts;
    pthread_mutex_unlock(&fleet->lock);
    return bytes;
}

/* Under the lock. False when memory is out: the host is then missing until its next snapshot. */
static bool insert_at(struct fleet *fleet, size_t place, struct host_state *host)
{
    if (fleet->count == fleet->capacity) {
        size_t capacity = fleet->capacity == 0 ? 64 : fleet->capacity * 2;
        struct host_state **hosts = reallocarray(fleet->hosts, capacity, sizeof *fleet->hosts);
        if (hosts == NULL)
            return false;
        fleet->hosts = hosts;
        fleet->capacity = capacity;
    }
    memmove(fleet->hosts + place + 1, fleet->hosts + place,
            (fleet->count - place) * sizeof *fleet->hosts);
    fleet->hosts[place] = host;
    fleet->count++;
    return true;
}

void fleet_publish(struct fleet *fleet, struct host_state *host_take)
{
    struct host_state *old = host_take; /* what is released in the end */
    size_t place;
    if (host_take == NULL)
        return;
    pthread_mutex_lock(&fleet->lock);
    bool known = place_of(fleet, host_take->id, &place);
    if (known && fleet->hosts[place]->taken_at_us <= host_take->taken_at_us) {
        old = fleet->hosts[place];
        fleet->hosts[place] = host_take;
        fleet->memory_bytes -= cell_of(old)->memory_bytes;
        fleet->memory_bytes += cell_of(host_take)->memory_bytes;
        fleet->generation++;
    } else if (!known && insert_at(fleet, place, host_take)) {
        old = NULL;
        fleet->memory_bytes += cell_of(host_take)->memory_bytes;
        fleet->generation++;
    }
    pthread_mutex_unlock(&fleet->lock);
    host_state_release(old);
}
