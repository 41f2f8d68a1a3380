/* SPDX-License-Identifier: Apache-2.0 */
/* How db.c makes a result of libpq's. Internal to server/store/db*.c: readers are in db.h. */
#ifndef SERVER_STORE_DB_RESULT_H
#define SERVER_STORE_DB_RESULT_H

#include "server/store/db.h"

#include <libpq-fe.h>

/* Takes *pg. ST_BUG when it has other columns than the statement declares, ST_NOMEM. */
enum status db_result_take(const struct stmt *stmt, PGresult **pg_take,
                           struct db_result **ret_result, struct err *err) MUST_CHECK;

#endif
