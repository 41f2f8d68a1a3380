/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The known leaks in memory: built-in and imported. Looked at before each use whether the table
 * changed (one small query), so that what one server or the command line writes, all servers use.
 * A view is immutable and counted; all functions are thread-safe.
 */
#ifndef SERVER_STATE_KNOWN_VIEW_H
#define SERVER_STATE_KNOWN_VIEW_H

#include "server/store/store_known.h"

struct known_cache;
struct known_view;

struct known_cache *known_cache_new(void); /* NULL when memory is out */
void known_cache_free(struct known_cache *cache);

enum status known_view_get(struct known_cache *cache, struct db *db, struct known_view **ret_view,
                           struct err *err) MUST_CHECK;
void known_view_release(struct known_view *view); /* NULL allowed */
const struct known_list *known_view_list(const struct known_view *view);
/* Another number whenever the imported entries changed; for an ETag. */
int64_t known_view_revision(const struct known_view *view);

static inline void cleanup_known_view(struct known_view **view)
{
    known_view_release(*view);
}
#define AUTO_KNOWN_VIEW CLEANUP(cleanup_known_view)

#endif
