/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/damage.h"

#include "common/log.h"

#include <pthread.h>
#include <stdio.h>
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

void damage_tell(int64_t host_key, int64_t span_us, int64_t boot_at_us, int32_t part,
                 const char *reason)
{
    char span[TIME_TEXT_MAX], key[32];
    struct damage damage = {
        .host_key = host_key, .span_us = span_us, .boot_at_us = boot_at_us, .part = part};
    time_format(span_us, span);
    snprintf(key, sizeof key, "%lld", (long long)host_key);
    snprintf(damage.reason, sizeof damage.reason, "%s", reason);
    /* Here and not above: a walk goes on without these, so nobody else would hear of it. */
    if (damage_note(&damage))
        log_warning("a sealed chunk is damaged, its snapshots are left out", "host_key", key,
                    "span", span, "reason", reason);
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
