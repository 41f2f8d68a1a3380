/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All hosts, sorted by id. The lock is held for a search, a pointer swap or taking references.
 */
#include "server/state/host_cell.h"

#include <pthread.h>
#include <string.h>

struct fleet {
    pthread_mutex_t lock;
    struct host_state **hosts; /* by id */
    size_t count;
    size_t capacity;
    size_t memory_bytes;
    uint64_t generation;
};

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
        for (size_t i = 0; count <= room && i < count; i++) {
            if (i + EXPECT_HOSTS < count)
                expect_host(fleet->hosts[i + EXPECT_HOSTS]);
            items[i] = host_state_ref(fleet->hosts[i]);
        }
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
    for (size_t i = 0; i < list->count; i++) {
        if (i + EXPECT_HOSTS < list->count)
            expect_host(list->items[i + EXPECT_HOSTS]);
        host_state_release(list->items[i]);
    }
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
