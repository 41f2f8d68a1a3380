/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drivers over the fleet, from the history of what each host has loaded. Only findings that are
 * open or acknowledged count. A finding is one of a driver when it names it as owner, explains it
 * by a version of it, or begins with a tag found in its file.
 */
#ifndef SERVER_STORE_STORE_DRIVERS_H
#define SERVER_STORE_STORE_DRIVERS_H

#include "common/arena.h"
#include "server/store/db.h"

struct driver_item {
    const char *name;
    const char *company; /* NULL: unknown */
    int64_t versions;
    int64_t hosts;
    const char **tags; /* text form */
    size_t tag_count;
    int64_t findings;
    const char *product;   /* NULL: unknown */
    int64_t files;         /* builds that run now, by the hash of their file; 0: none told */
    int64_t files_scanned; /* of them, whose tags are known */
};
struct driver_items {
    struct arena arena;
    struct driver_item *items;
    size_t count;
};
static inline void driver_items_done(struct driver_items *items)
{
    arena_done(&items->arena);
}
#define AUTO_DRIVER_ITEMS CLEANUP(driver_items_done)

/* By name: what is loaded now; or one driver, also when nobody has it any more (hosts 0); or the
 * drivers whose file holds a tag, text form. At most one of name and tag is given. */
enum status store_drivers_list(struct db *db, const char *name, const char *tag,
                               struct driver_items *ret_items, struct err *err) MUST_CHECK;

struct driver_version {
    const char *version;   /* NULL: unknown */
    int64_t hosts;         /* that have it now */
    int64_t first_seen_us; /* on any host */
    int64_t last_seen_us;
    int64_t hosts_in_findings;
    double leak_bytes_per_hour; /* median over these; NAN: none known */
    int64_t *days;              /* hosts that had it at the end of each day of the history */
};
struct driver_history {
    struct arena arena;
    struct driver_version *versions; /* most hosts first */
    size_t version_count;
    int64_t first_day_us; /* UTC */
    size_t day_count;
};
static inline void driver_history_done(struct driver_history *history)
{
    arena_done(&history->arena);
}
#define AUTO_DRIVER_HISTORY CLEANUP(driver_history_done)
enum status store_driver_history(struct db *db, const char *name, int64_t from_us, int64_t to_us,
                                 struct driver_history *ret_history, struct err *err) MUST_CHECK;

extern const struct stmt_table store_drivers_statements;

#endif
