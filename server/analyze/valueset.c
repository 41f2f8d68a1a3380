/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/valueset.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 1024 /* a power of two, as all counts of slots */

void valueset_done(struct valueset *set)
{
    free(set->items);
    free(set->slots);
    *set = (struct valueset){0};
}

static size_t slot_of(const struct valueset *set, uint32_t name, uint32_t value)
{
    uint64_t key = ((uint64_t)name << 32 | value) * 0x9E3779B97F4A7C15u;
    size_t slot = (size_t)(key >> 32) & (set->slot_count - 1);
    while (set->slots[slot] != 0) {
        const struct value *at = &set->items[set->slots[slot] - 1];
        if (at->name == name && at->value == value)
            break;
        slot = (slot + 1) & (set->slot_count - 1);
    }
    return slot;
}

static void fill_slots(struct valueset *set)
{
    memset(set->slots, 0, set->slot_count * sizeof *set->slots);
    for (size_t i = 0; i < set->count; i++)
        set->slots[slot_of(set, set->items[i].name, set->items[i].value)] = (uint32_t)i + 1;
}

/* Room for one more, slots at most half full. */
static enum status grow(struct valueset *set)
{
    if (set->count == set->capacity) {
        size_t capacity = set->capacity == 0 ? SLOTS_FIRST / 2 : 2 * set->capacity;
        struct value *items = realloc(set->items, capacity * sizeof *items);
        if (items == NULL)
            return ST_NOMEM;
        set->items = items;
        set->capacity = capacity;
    }
    if (2 * set->count >= set->slot_count) {
        size_t count = set->slot_count == 0 ? SLOTS_FIRST : 2 * set->slot_count;
        uint32_t *slots = realloc(set->slots, count * sizeof *slots);
        if (slots == NULL)
            return ST_NOMEM;
        set->slots = slots;
        set->slot_count = count;
        fill_slots(set);
    }
    return ST_OK;
}

enum status valueset_add(struct valueset *set, uint32_t name, uint32_t value,
                         struct value **ret_value)
{
    if (grow(set) != ST_OK)
        return ST_NOMEM;
    size_t slot = slot_of(set, name, value);
    if (set->slots[slot] == 0) {
        set->items[set->count] = (struct value){.name = name, .value = value};
        set->slots[slot] = (uint32_t)++set->count;
    }
    *ret_value = &set->items[set->slots[slot] - 1];
    return ST_OK;
}

struct value *valueset_find(const struct valueset *set, uint32_t name, uint32_t value)
{
    if (set->count == 0)
        return NULL;
    uint32_t place = set->slots[slot_of(set, name, value)];
    return place == 0 ? NULL : &set->items[place - 1];
}

static int by_key(const void *a, const void *b)
{
    const struct value *x = a;
    const struct value *y = b;
    if (x->name != y->name)
        return x->name < y->name ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

void valueset_sort(struct valueset *set)
{
    if (set->count == 0)
        return;
    qsort(set->items, set->count, sizeof *set->items, by_key);
    fill_slots(set);
}
