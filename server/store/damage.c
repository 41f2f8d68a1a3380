/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/damage.h"

#include <pthread.h>
#include <string.h>

/* One database is read by one process, wherever in it: like the log, there is one of these. */
static struct {
    pthread_mutex_t lock;
    struct damage items[DAMAGE_MAX];
    size_t count;
    uint64_t meetings;
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool same(const struct damage *a, const struct damage *b)
{
    return a->host_key == b->host_key && a->span_us == b->span_us &&
           a->boot_at_us == b->boot_at_us && a->part == b->part;
}

bool damage_note(const struct damage *damage)
{
    bool fresh = true;
    pthread_mutex_lock(&known.lock);
    known.meetings++;
    for (size_t i = 0; fresh && i < known.count; i++)
        fresh = !same(&known.items[i], damage);
    fresh = fresh && known.count < DAMAGE_MAX;
    if (fresh) {
        known.items[known.count] = *damage;
        known.items[known.count++].found_at_us = clock_wall_us();
    }
    pthread_mutex_unlock(&known.lock);
    return fresh;
}

size_t damage_read(struct damage ret_items[DAMAGE_MAX])
{
    pthread_mutex_lock(&known.lock);
    size_t count = known.count;
    if (ret_items != NULL)
        memcpy(ret_items, known.items, count * sizeof *ret_items);
    pthread_mutex_unlock(&known.lock);
    return count;
}

uint64_t damage_meetings(void)
{
    pthread_mutex_lock(&known.lock);
    uint64_t meetings = known.meetings;
    pthread_mutex_unlock(&known.lock);
    return meetings;
}
