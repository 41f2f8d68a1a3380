/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/columns.h"

#include <stdlib.h>
#include <string.h>

void columns_done(struct columns *columns)
{
    free(columns->items);
    free(columns->features);
    free(columns->hosts);
    *columns = (struct columns){0};
}

/* Which row a feature belongs to: open addressing, place + 1. */
struct index {
    struct column *items;
    size_t count;
    uint32_t *slots;
    size_t slot_count; /* power of two, at least twice the items */
};

static void index_done(struct index *index)
{
    free(index->items);
    free(index->slots);
}

static size_t slot_of(const struct index *index, enum pool pool, uint32_t tag)
{
    uint64_t hash = ((uint64_t)pool << 32 | tag) * 0x9E3779B97F4A7C15u;
    size_t slot = (hash >> 32) & (index->slot_count - 1);
    for (; index->slots[slot] != 0; slot = (slot + 1) & (index->slot_count - 1)) {
        const struct column *at = &index->items[index->slots[slot] - 1];
        if (at->tag == tag && at->pool == pool)
            break;
    }
    return slot;
}

static bool index_grow(struct index *index)
{
    size_t wanted = index->slot_count == 0 ? 4096 : 2 * index->slot_count;
    uint32_t *slots = calloc(wanted, sizeof *slots);
    struct column *items = realloc(index->items, wanted / 2 * sizeof *items);
    if (items != NULL)
        index->items = items;
    if (items == NULL || slots == NULL) {
        free(slots);
        return false;
    }
    free(index->slots);
    index->slots = slots;
    index->slot_count = wanted;
    for (size_t i = 0; i < index->count; i++)
        slots[slot_of(index, items[i].pool, items[i].tag)] = (uint32_t)i + 1;
    return true;
}

/* The row, added when new; NULL: out of memory. */
static struct column *index_add(struct index *index, enum pool pool, uint32_t tag)
{
    if (2 * index->count == index->slot_count && !index_grow(index))
        return NULL;
    size_t slot = slot_of(index, pool, tag);
    if (index->slots[slot] == 0) {
        index->items[index->count] = (struct column){.tag = tag, .pool = pool};
        index->slots[slot] = (uint32_t)++index->count;
    }
    return &index->items[index->slots[slot] - 1];
}

static enum status count_features(const struct fleet *fleet,
                                  bool (*is_wanted)(const struct fleet_host *,
                                                    const struct feature *),
                                  struct index *index)
{
    for (size_t h = 0; h < fleet->count; h++) {
        const struct fleet_host *host = &fleet->hosts[h];
        for (size_t i = 0; i < host->feature_count; i++) {
            const struct feature *feature = &host->features[i];
            struct column *column = index_add(index, (enum pool)feature->pool, feature->tag);
            if (column == NULL)
                return ST_NOMEM;
            column->count++;
            column->wanted = column->wanted || is_wanted(host, feature);
        }
    }
    return ST_OK;
}

static int column_order(const void *a, const void *b)
{
    const struct column *x = a;
    const struct column *y = b;
    if (x->pool != y->pool)
        return x->pool < y->pool ? -1 : 1;
    return tag_compare(x->tag, y->tag);
}

/* Leaves out what is not wanted; returns how many features are left. */
static size_t order_columns(struct index *index)
{
    size_t kept = 0;
    size_t features = 0;
    for (size_t i = 0; i < index->count; i++) {
        if (index->items[i].wanted)
            index->items[kept++] = index->items[i];
    }
    index->count = kept;
    if (kept > 0)
        qsort(index->items, kept, sizeof *index->items, column_order);
    if (index->slot_count > 0)
        memset(index->slots, 0, index->slot_count * sizeof *index->slots);
    for (size_t i = 0; i < kept; i++) {
        struct column *column = &index->items[i];
        index->slots[slot_of(index, column->pool, column->tag)] = (uint32_t)i + 1;
        column->first = features;
        features += column->count;
        column->count = 0;
    }
    return features;
}

static void place_features(const struct fleet *fleet, const struct index *index,
                           struct columns *columns)
{
    for (size_t h = 0; h < fleet->count && index->count > 0; h++) {
        const struct fleet_host *host = &fleet->hosts[h];
        for (size_t i = 0; i < host->feature_count; i++) {
            const struct feature *feature = &host->features[i];
            size_t slot = slot_of(index, (enum pool)feature->pool, feature->tag);
            if (index->slots[slot] == 0)
                continue;
            struct column *column = &index->items[index->slots[slot] - 1];
            size_t to = column->first + column->count++;
            columns->features[to] = feature;
            columns->hosts[to] = (uint32_t)h;
        }
    }
}

enum status columns_make(const struct fleet *fleet,
                         bool (*is_wanted)(const struct fleet_host *, const struct feature *),
                         struct columns *ret_columns)
{
    CLEANUP(index_done) struct index index = {0};
    AUTO_COLUMNS struct columns columns = {0};
    if (count_features(fleet, is_wanted, &index) != ST_OK)
        return ST_NOMEM;
    size_t features = order_columns(&index);
    columns.features = calloc(features + 1, sizeof *columns.features);
    columns.hosts = calloc(features + 1, sizeof *columns.hosts);
    if (columns.features == NULL || columns.hosts == NULL)
        return ST_NOMEM;
    place_features(fleet, &index, &columns);
    columns.items = TAKE(index.items);
    columns.count = index.count;
    *ret_columns = columns;
    columns = (struct columns){0};
    return ST_OK;
}
