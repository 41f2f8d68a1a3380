/* SPDX-License-Identifier: Apache-2.0 */
#include "server/state/recent.h"

#include "common/clock.h"

#include <pthread.h>
#include <stdlib.h>

struct recent {
    pthread_mutex_t lock;
    struct store_recent counted;
    int64_t counted_at_us; /* TIME_UNKNOWN: never */
};

struct recent *recent_new(void)
{
    struct recent *recent = calloc(1, sizeof *recent);

    if (recent == NULL)
        return NULL;
    pthread_mutex_init(&recent->lock, NULL);
    recent->counted_at_us = TIME_UNKNOWN;
    return recent;
}

void recent_free(struct recent *recent)
{
    if (recent == NULL)
        return;
    pthread_mutex_destroy(&recent->lock);
    free(recent);
}

/* Many, and counted not too long ago. */
static bool told(struct recent *recent, int64_t age_max_us, struct store_recent *ret_recent)
{
    pthread_mutex_lock(&recent->lock);
    bool holds = recent->counted_at_us != TIME_UNKNOWN && recent->counted.day >= RECENT_SMALL &&
                 clock_mono_us() - recent->counted_at_us <= age_max_us;
    *ret_recent = recent->counted;
    pthread_mutex_unlock(&recent->lock);
    return holds;
}

static enum status count_anew(struct recent *recent, struct db *db, struct store_recent *ret_recent,
                              struct err *err)
{
    enum status status = store_snapshots_recent(db, clock_wall_us(), ret_recent, err);

    if (status != ST_OK)
        return status;
    pthread_mutex_lock(&recent->lock);
    recent->counted = *ret_recent;
    recent->counted_at_us = clock_mono_us();
    pthread_mutex_unlock(&recent->lock);
    return ST_OK;
}

enum status recent_get(struct recent *recent, struct db *db, struct store_recent *ret_recent,
                       struct err *err)
{
    return told(recent, RECENT_AGE_MAX_US, ret_recent) ? ST_OK
                                                       : count_anew(recent, db, ret_recent, err);
}

enum status recent_refresh(struct recent *recent, struct db *db, struct err *err)
{
    struct store_recent counted;

    pthread_mutex_lock(&recent->lock);
    bool few = recent->counted_at_us != TIME_UNKNOWN && recent->counted.day < RECENT_SMALL;
    pthread_mutex_unlock(&recent->lock);
    return few ? ST_OK : count_anew(recent, db, &counted, err);
}
