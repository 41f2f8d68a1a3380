/* SPDX-License-Identifier: Apache-2.0 */
/* Every host a finding was ever seen on, with the history of one attribute on it. */
#ifndef SERVER_STORE_STORE_FIX_H
#define SERVER_STORE_STORE_FIX_H

#include "common/arena.h"
#include "server/fix/fix.h"
#include "server/store/db.h"

struct store_fix_host {
    int64_t key;
    const char *id;
    const char *name;    /* NULL: unknown */
    int64_t affected_us; /* the pass that first saw it there */
    int64_t number;      /* its pseudonym in reports */
    bool simulated;
    struct fix_fact *facts; /* by valid_from */
    size_t fact_count;
};
struct store_fix_hosts {
    struct arena arena; /* owns everything */
    struct store_fix_host *items;
    size_t count;
};
static inline void store_fix_hosts_done(struct store_fix_hosts *hosts)
{
    arena_done(&hosts->arena);
    *hosts = (struct store_fix_hosts){0};
}
#define AUTO_FIX_HOSTS CLEANUP(store_fix_hosts_done)

/* attribute: "driver/NAME" or the name of an attribute; letters of a driver's name are folded. */
enum status store_fix_hosts(struct db *db, const char *finding_id, const char *attribute,
                            struct store_fix_hosts *ret_hosts, struct err *err) MUST_CHECK;

extern const struct stmt_table store_fix_statements;

#endif
