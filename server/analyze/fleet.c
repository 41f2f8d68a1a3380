/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/fleet.h"

#include <stdlib.h>
#include <string.h>

void fleet_done(struct fleet *fleet)
{
    arena_done(&fleet->arena);
    reader_free(fleet->reader);
    free(fleet->hosts);
    free(fleet->faults);
    free(fleet->texts);
    free(fleet->text_slots);
    *fleet = (struct fleet){0};
}

uint64_t fleet_hash(const char *text)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return hash ^ hash >> 29;
}

static bool grow_slots(struct fleet *fleet)
{
    size_t wanted = fleet->slot_count == 0 ? 1024 : fleet->slot_count * 2;
    uint32_t *slots = calloc(wanted, sizeof *slots);
    const char **texts = realloc(fleet->texts, wanted / 2 * sizeof *texts);
    if (texts != NULL)
        fleet->texts = texts;
    if (slots == NULL || texts == NULL) {
        free(slots);
        return false;
    }
    for (size_t i = 0; i < fleet->text_count; i++) {
        size_t slot = fleet_hash(texts[i]) & (wanted - 1);
        while (slots[slot] != 0)
            slot = (slot + 1) & (wanted - 1);
        slots[slot] = (uint32_t)i + 1;
    }
    free(fleet->text_slots);
    fleet->text_slots = slots;
    fleet->slot_count = wanted;
    fleet->text_capacity = wanted / 2;
    return true;
}

enum status fleet_intern(struct fleet *fleet, const char *text, uint32_t *ret_place)
{
    if (fleet->text_count == fleet->text_capacity && !grow_slots(fleet))
        return ST_NOMEM;
    size_t slot = fleet_hash(text) & (fleet->slot_count - 1);
    while (fleet->text_slots[slot] != 0) {
        uint32_t place = fleet->text_slots[slot] - 1;
        if (strcmp(fleet->texts[place], text) == 0) {
            *ret_place = place;
            return ST_OK;
        }
        slot = (slot + 1) & (fleet->slot_count - 1);
    }
    const char *copy = arena_strdup(&fleet->arena, text);
    if (copy == NULL)
        return ST_NOMEM;
    fleet->texts[fleet->text_count] = copy;
    fleet->text_slots[slot] = (uint32_t)fleet->text_count + 1;
    *ret_place = (uint32_t)fleet->text_count++;
    return ST_OK;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct fleet_host *)a)->id, ((const struct fleet_host *)b)->id);
}

static int fault_by_id(const void *a, const void *b)
{
    return strcmp(((const struct fleet_fault *)a)->id, ((const struct fleet_fault *)b)->id);
}

enum status fleet_seal(struct fleet *fleet, struct err *err)
{
    if (fleet->fault_count > 0)
        qsort(fleet->faults, fleet->fault_count, sizeof *fleet->faults, fault_by_id);
    if (fleet->count == 0)
        return ST_OK;
    qsort(fleet->hosts, fleet->count, sizeof *fleet->hosts, by_id);
    AUTO_FREE struct cohort_facts *facts = calloc(fleet->count, sizeof *facts);
    AUTO_FREE struct cohort_choice *choices = calloc(fleet->count, sizeof *choices);
    if (facts == NULL || choices == NULL)
        return err_set(err, ST_NOMEM, "could not compare hosts: out of memory");
    for (size_t i = 0; i < fleet->count; i++)
        facts[i] = fleet->hosts[i].cohort;
    enum status status = cohort_choose(facts, fleet->count, choices);
    if (status != ST_OK)
        return err_set(err, status, "could not compare hosts: out of memory");
    for (size_t i = 0; i < fleet->count; i++)
        fleet->hosts[i].choice = choices[i];
    for (size_t i = 0; i < fleet->count; i++) {
        uint32_t role;
        if (fleet_intern(fleet, fleet->hosts[i].cohort.role, &role) != ST_OK)
            return err_set(err, ST_NOMEM, "could not compare hosts: out of memory");
        fleet->hosts[i].role = role;
    }
    return ST_OK;
}

static const struct fleet_row *find_row(const struct fleet_host *host, enum pool pool, uint32_t tag)
{
    const struct fleet_row *rows = host->rows[pool];
    size_t low = 0;
    size_t high = host->row_count[pool];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rows[middle].tag < tag)
            low = middle + 1;
        else
            high = middle;
    }
    return low < host->row_count[pool] && rows[low].tag == tag ? &rows[low] : NULL;
}

double fleet_bytes(const struct fleet_host *host, enum pool pool, uint32_t tag)
{
    const struct fleet_row *row = find_row(host, pool, tag);
    return row == NULL ? 0 : (double)row->bytes;
}

bool fleet_has(const struct fleet_host *host, enum pool pool, uint32_t tag)
{
    return find_row(host, pool, tag) != NULL;
}

const struct feature *fleet_feature(const struct fleet_host *host, enum pool pool, uint32_t tag)
{
    uint64_t wanted = (uint64_t)pool << 32 | tag;
    size_t low = 0;
    size_t high = host->feature_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct feature *at = &host->features[middle];
        if (((uint64_t)at->pool << 32 | at->tag) < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == host->feature_count)
        return NULL;
    const struct feature *at = &host->features[low];
    return at->tag == tag && at->pool == (uint8_t)pool ? at : NULL;
}

uint32_t fleet_fact(const struct fleet_host *host, uint32_t name)
{
    size_t low = 0;
    size_t high = host->fact_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (host->facts[middle].name < name)
            low = middle + 1;
        else
            high = middle;
    }
    return low < host->fact_count && host->facts[low].name == name ? host->facts[low].value
                                                                   : UINT32_MAX;
}
