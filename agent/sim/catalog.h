/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a healthy Windows fleet is made of: tags with their usual size and traffic, roles, systems,
 * drivers. Constant data; the fleet-wide tag list is made once per run and shared read-only.
 */
#ifndef AGENT_SIM_CATALOG_H
#define AGENT_SIM_CATALOG_H

#include "common/status.h"
#include "common/tag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a healthy row behaves. */
enum row_kind {
    ROW_STATIC,  /* taken at boot, kept */
    ROW_TRICKLE, /* a few blocks now and then */
    ROW_CHURN,   /* steady traffic around a level */
    ROW_CACHE    /* traffic around a level that fills over hours */
};

/* Which curve its traffic and level follow. */
enum load { LOAD_FLAT, LOAD_DAY, LOAD_NIGHT, LOAD_WEEK, LOAD_COUNT };

struct catalog_tag {
    uint32_t tag;
    enum pool pool;
    enum row_kind kind;
    enum load load;
    uint32_t block_bytes;
    float level;      /* blocks outstanding on a machine of 16 GiB */
    float rate;       /* allocations per hour */
    float ram_power;  /* level grows with (RAM / 16 GiB) to this power */
    float prevalence; /* share of hosts that have it */
    float spread;     /* deviation of the level between hosts, as a share */
    float breathe;    /* how far the level follows the load, 0..1 */
};

struct catalog {
    struct catalog_tag *tags; /* by pool, then tag; unique */
    size_t count;
};

/* `rows`: how many rows a host of average prevalence will have. Real tags first, then made ones.
 * The same rows and seed give the same list. Owned by caller (catalog_done). */
enum status catalog_make(size_t rows, uint64_t seed, struct catalog *ret_catalog,
                         struct err *err) MUST_CHECK;
void catalog_done(struct catalog *catalog);

struct catalog_role {
    const char *name;
    const char *prefix; /* of host names */
    unsigned weight;    /* share of the healthy fleet */
    bool server;
    uint64_t ram_gib[3];
    const char *builds[3];
    const char *models[3];
    double day;     /* how strong the daily cycle is, 0..1 */
    double night;   /* how strong nightly backups are */
    double traffic; /* of everything, relative to a desktop */
    double cache;   /* of file caches */
};

extern const struct catalog_role catalog_roles[];
extern const size_t catalog_role_count;
/* NULL when there is no such role. */
const struct catalog_role *catalog_role_find(const char *name);

/* "Windows Server 2025" for "26100.4061" and a server, "Windows 11" for a client. */
const char *catalog_os_name(const char *build, bool server);

struct catalog_driver {
    const char *name;
    const char *company;
    const char *versions[3]; /* NULL first: the version of the system; some hosts have older ones */
    double prevalence;
    const char *tags; /* four bytes each, one after the other; NULL: none known */
};
extern const struct catalog_driver catalog_drivers[];
extern const size_t catalog_driver_count;

#endif
