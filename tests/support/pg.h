/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database of its own for each test, copied from a migrated template. scripts/pg_private.sh
 * starts the cluster; POOLFLEET_TEST_URL is a connection string to it (any database) and
 * POOLFLEET_TEST_TEMPLATE the template's name. Call from checked fixtures only (connections must
 * not be shared over fork). Failures abort the test with a message.
 */
#ifndef TESTS_SUPPORT_PG_H
#define TESTS_SUPPORT_PG_H

#include "server/store/db.h"

struct pg {
    struct db_pool *pool; /* on the new database */
    char *url;            /* of the new database */
    char *name;
};

void pg_setup(struct pg *pg);       /* copy of the template */
void pg_setup_empty(struct pg *pg); /* nothing migrated */
void pg_teardown(struct pg *pg);    /* drops the database */

/* Runs text as it is, on a connection of its own. */
void pg_sql(const struct pg *pg, const char *sql);
/* First column of the first row as a number. The query must give a bigint. */
int64_t pg_number(const struct pg *pg, const char *sql);
/* Ends every other connection to the database, as a crash of the server's backend would. */
int64_t pg_kill_backends(const struct pg *pg);

#endif
