/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the database says of itself, for the admin's screens: size, connections, who holds the
 * analyzer's lock, what lies in which partition, and the disk where it can be seen from here. Reads
 * PostgreSQL's catalogs alone, so it knows every table of ours without being told. A lease belongs
 * to one thread.
 */
#ifndef SERVER_STORE_STORE_SERVER_H
#define SERVER_STORE_STORE_SERVER_H

#include "common/arena.h"
#include "common/limits.h"
#include "server/store/db.h"

struct store_database {
    char version[64];
    int64_t size_bytes;
    int64_t connections; /* of everybody, to this database */
    int64_t connections_max;
    bool analyzer_held; /* somebody holds the lock; the rest is about that one */
    int64_t analyzer_pid;
    char analyzer_name[64];    /* application name */
    char analyzer_address[64]; /* "": by Unix socket */
    int64_t analyzer_since_us; /* of its connection */
};
enum status store_database_read(struct db *db, struct store_database *ret_database,
                                struct err *err) MUST_CHECK;

/* A table, or one partition of it. Texts in the list's arena. */
struct store_part {
    const char *table;
    const char *name;
    int64_t from_us; /* TIME_UNKNOWN: no partition */
    int64_t to_us;
    int64_t bytes; /* with indexes and TOAST */
    int64_t rows;  /* as last estimated by autovacuum; -1: never */
};
struct store_parts {
    struct arena arena;
    struct store_part *items; /* by table, then time */
    size_t count;
};
void store_parts_done(struct store_parts *parts);
#define AUTO_STORE_PARTS CLEANUP(store_parts_done)
enum status store_parts_read(struct db *db, struct store_parts *ret_parts,
                             struct err *err) MUST_CHECK;

/* Bytes a day that a partitioned table grows by, from the partitions that reach into the week
 * before now_us; NAN: too little to tell. Pure. */
double store_parts_growth(const struct store_parts *parts, const char *table, int64_t now_us);

/* The folder of the data, when the database runs on this machine and this role may know it; else
 * "". */
enum status store_data_folder(struct db *db, char *ret_path, size_t size,
                              struct err *err) MUST_CHECK;

/* The host's own id by its key; "": there is none. */
enum status store_host_id_of(struct db *db, int64_t host_key,
                             char ret_id[LIMIT_HOST_ID_BYTES + 1], struct err *err) MUST_CHECK;

extern const struct stmt_table store_server_statements;

#endif
