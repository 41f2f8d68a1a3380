/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends what the outbox (store/store_notify.h) holds. A few threads each take the next delivery
 * that is due and tell its target; one of them looks at a time, the others wait for it, so an idle
 * server asks the database once in some seconds. A target is told in order: its oldest delivery
 * first, and while that fails the later ones wait. Failures come back with growing random waits
 * until they are given up and shown. Of several servers on one database each sends its share.
 */
#ifndef SERVER_NOTIFY_NOTIFY_H
#define SERVER_NOTIFY_NOTIFY_H

#include "server/notify/send.h"

struct app;
struct notify;

/* Borrows the app's config, db and fleet until notify_stop, app until notify_free. ST_USAGE for bad
 * settings. */
enum status notify_start(struct app *app, struct notify **ret_notify, struct err *err) MUST_CHECK;
/* Something was written: look now. NULL allowed. */
void notify_wake(struct notify *notify);
/* Ends attempts under way (they count as not made), joins the threads, answers the tests that wait.
 * What comes after finds nobody. NULL allowed. */
void notify_stop(struct notify *notify);
void notify_free(struct notify *notify); /* after notify_stop; NULL allowed */

/* One attempt at a target beside the queue, from one of the threads: done() gets the outcome. The
 * target is copied. ST_BUSY when too many tests wait. done() is called also when the server stops.
 */
typedef void (*notify_tested)(void *arg, const struct notify_outcome *outcome);
enum status notify_test(struct notify *notify, const struct notify_target *target,
                        notify_tested done, void *arg, struct err *err) MUST_CHECK;
/* The same, here and now, for the verb. */
void notify_test_now(const struct notify_settings *settings, const struct notify_target *target,
                     struct notify_outcome *ret_outcome);

struct notify_stats {
    uint64_t sent;
    uint64_t failed; /* attempts */
    uint64_t given_up;
    uint64_t digests;
    int64_t waiting; /* when last looked */
};
void notify_read_stats(struct notify *notify, struct notify_stats *ret_stats);

/* How long to wait after `attempts` failures: up to base_us doubled each time, at most an hour, at
 * random all of it (`random` is 32 random bits), never before the receiver's own wish. Pure. */
int64_t notify_backoff_us(int64_t base_us, int64_t attempts, uint32_t random,
                          int64_t retry_after_us);
/* The newest moment not after now_us when the clock showed minute (of the day, UTC). Pure. */
int64_t notify_digest_due(int minute, int64_t now_us);

#endif
