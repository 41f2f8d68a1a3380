/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts, their attributes and drivers with the history of every change, by taken_at. What the
 * history knows "as of" a moment comes only from documents taken up to then, so that a back-test
 * sees what the live server saw.
 */
#ifndef SERVER_STORE_STORE_HOSTS_H
#define SERVER_STORE_STORE_HOSTS_H

#include "common/snapshot.h"
#include "server/state/fleet.h"
#include "server/store/db.h"

/* The database's key of a host id. ST_NOT_FOUND. */
enum status store_host_key(struct db *db, const char *id, int64_t *ret_key,
                           struct err *err) MUST_CHECK;

/* A value that held from valid_from on; valid_to TIME_UNKNOWN: still (as of the moment). */
struct store_fact {
    const char *name;  /* the attribute's name, or "driver/NAME" */
    const char *value; /* of a driver: its version, "" when unknown */
    int64_t valid_from_us;
    int64_t valid_to_us;
};
struct store_facts {
    struct arena arena;
    struct store_fact *items; /* by name, then valid_from */
    size_t count;
};
void store_facts_done(struct store_facts *facts);
#define AUTO_STORE_FACTS CLEANUP(store_facts_done)
enum status store_host_facts(struct db *db, int64_t host_key, int64_t as_of_us,
                             struct store_facts *ret_facts, struct err *err) MUST_CHECK;

/* Drivers and attributes valid at a moment (TIME_UNKNOWN: now). Tags are in text form. */
struct store_driver {
    const char *name;
    const char *version; /* NULL: unknown; so is company */
    const char *company;
    const char *product;
    const char *symbols; /* as symbol servers name it */
    const char *sha256;  /* of the file, hex */
    bool scanned;        /* tags are what its code allocates with; else they are unknown */
    uint32_t *tags;
    size_t tag_count;
    int64_t since_us; /* valid_from */
};
struct store_drivers {
    struct arena arena;
    struct store_driver *items; /* by name */
    size_t count;
};
void store_drivers_done(struct store_drivers *drivers);
#define AUTO_STORE_DRIVERS CLEANUP(store_drivers_done)
enum status store_host_drivers(struct db *db, int64_t host_key, int64_t at_us,
                               struct store_drivers *ret_drivers, struct err *err) MUST_CHECK;

/* Changes of attributes and drivers, newest first. What the first document brought is no change. */
struct store_change {
    int64_t at_us;
    bool driver;      /* else an attribute */
    const char *name; /* without "driver/" */
    const char *from; /* NULL: was not there */
    const char *to;   /* NULL: is gone */
};
struct store_changes {
    struct arena arena;
    struct store_change *items;
    size_t count;
};
void store_changes_done(struct store_changes *changes);
#define AUTO_STORE_CHANGES CLEANUP(store_changes_done)
enum status store_host_changes(struct db *db, int64_t host_key, size_t limit,
                               struct store_changes *ret_changes, struct err *err) MUST_CHECK;

/* All hosts with a snapshot at or before as_of_us, by id. */
struct store_host_ref {
    int64_t key;
    const char *id;
    const char *name; /* NULL: unknown */
    int64_t first_seen_us;
    int64_t last_seen_us; /* of all times, not as of */
};
struct store_host_refs {
    struct arena arena;
    struct store_host_ref *items;
    size_t count;
};
void store_host_refs_done(struct store_host_refs *refs);
#define AUTO_STORE_HOST_REFS CLEANUP(store_host_refs_done)
enum status store_hosts_keys(struct db *db, int64_t as_of_us, struct store_host_refs *ret_refs,
                             struct err *err) MUST_CHECK;

/* Hosts that enrolled and have sent nothing yet, by id (at most 10,000); or just the one. */
struct store_awaiting {
    const char *id;
    const char *name; /* NULL: unknown; so are the texts below */
    const char *agent_version;
    const char *os_name;
    const char *os_build;
    const char *role;
    const char *model;
    const char *attributes; /* a JSON object */
    int64_t enrolled_at_us;
};
struct store_awaiting_list {
    struct arena arena;
    struct store_awaiting *items;
    size_t count;
};
static inline void store_awaiting_list_done(struct store_awaiting_list *list)
{
    arena_done(&list->arena);
    *list = (struct store_awaiting_list){0};
}
#define AUTO_AWAITING_LIST CLEANUP(store_awaiting_list_done)
enum status store_hosts_awaiting(struct db *db, const char *id,
                                 struct store_awaiting_list *ret_list, struct err *err) MUST_CHECK;

/* Rebuilds every host's newest state. At start, before ingest. */
enum status fleet_load(struct db *db, struct fleet *fleet, struct err *err) MUST_CHECK;
/* One host's newest state again, when another server wrote it. Owned by caller. ST_NOT_FOUND. */
enum status store_host_state(struct db *db, int64_t host_key, struct host_state **ret_host,
                             struct err *err) MUST_CHECK;

#endif
