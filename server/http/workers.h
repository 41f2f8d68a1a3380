/* SPDX-License-Identifier: Apache-2.0 */
/* A fixed number of threads with one bounded queue, for work that may wait. */
#ifndef SERVER_HTTP_WORKERS_H
#define SERVER_HTTP_WORKERS_H

#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>

struct work { /* embedded in what it is about; borrowed while queued */
    void (*run)(struct work *work);
    struct work *next;
};

struct workers;

enum status workers_new(unsigned threads, size_t queue_max, struct workers **ret_workers,
                        struct err *err) MUST_CHECK;
/* Runs what is queued, then joins all threads. NULL allowed. */
void workers_free(struct workers *workers);
/* False: the queue is full. From any thread. */
bool workers_add(struct workers *workers, struct work *work);
size_t workers_queued(struct workers *workers);

#endif
