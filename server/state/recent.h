/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many snapshots were taken of late. A large fleet's day is millions of rows, and counting them
 * for every reader would cost more than all else that is read: there the background thread counts,
 * and readers are told what it found. A small fleet is counted for each reader. Thread-safe.
 */
#ifndef SERVER_STATE_RECENT_H
#define SERVER_STATE_RECENT_H

#include "server/store/store_snapshots.h"

/* A day of so many is counted in a few milliseconds. */
#define RECENT_SMALL 20000
/* What the background thread found holds so long; without it readers count themselves. */
#define RECENT_AGE_MAX_US (10 * US_PER_MINUTE)

struct recent;

struct recent *recent_new(void); /* NULL when memory is out */
void recent_free(struct recent *recent);

enum status recent_get(struct recent *recent, struct db *db, struct store_recent *ret_recent,
                       struct err *err) MUST_CHECK;
/* Counts anew; for the background thread. Does nothing while a day is few. */
enum status recent_refresh(struct recent *recent, struct db *db, struct err *err) MUST_CHECK;

#endif
