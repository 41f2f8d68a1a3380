/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that show every host of a big fleet, kept packed for some seconds: making and packing one
 * costs tenths of a second at tens of thousands of hosts, and their states change all the time.
 * What was cheap to make is not kept, so a small fleet's answer is always of this moment. As the
 * fleet statistics (state/view.h): at most a twentieth of the time goes into making them.
 *
 * One request makes a new one; others get the old one meanwhile. All functions are thread-safe.
 */
#ifndef SERVER_HTTP_REPLY_CACHE_H
#define SERVER_HTTP_REPLY_CACHE_H

#include "server/http/http.h"

#define REPLY_CACHE_CHEAP_US (25 * US_PER_MS)
#define REPLY_CACHE_AGE_US   (30 * US_PER_SECOND) /* none is older when asked for alone */
#define REPLY_CACHE_ENTRIES  8

struct reply_cache;

struct reply_cache *reply_cache_new(void); /* NULL when memory is out */
void reply_cache_free(struct reply_cache *cache);

/* A kept answer to the same request, into rs; false when there is none: then the caller makes one
 * and calls reply_cache_keep, or reply_cache_drop when it could not. `stamp` is any number that
 * changes when kept answers must not be used any more; accept_encoding the request's, or NULL. */
bool reply_cache_get(struct reply_cache *cache, const char *accept_encoding, const char *key,
                     uint64_t stamp, struct resp *rs);
/* Packs rs (if the caller takes gzip) and keeps a copy; rs stays a whole answer. */
void reply_cache_keep(struct reply_cache *cache, const char *accept_encoding, const char *key,
                      uint64_t stamp, int64_t began_us, struct resp *rs);
void reply_cache_drop(struct reply_cache *cache, const char *key);

#endif
