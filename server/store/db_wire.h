/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameters in PostgreSQL's binary form. For db.c only; knows nothing of connections.
 */
#ifndef SERVER_STORE_DB_WIRE_H
#define SERVER_STORE_DB_WIRE_H

#include "common/strbuf.h"
#include "server/store/db.h"

/* PostgreSQL counts from 2000-01-01. */
#define DB_EPOCH_US (946684800ll * US_PER_SECOND)

/* What PQexecPrepared takes: where each parameter lies in the buffer. */
struct db_wire {
    const char *values[DB_PARAMS_MAX];
    int lengths[DB_PARAMS_MAX];
    int formats[DB_PARAMS_MAX];
};

/* The type's OID by its letter in struct stmt; 0 when there is none. These numbers are fixed. */
unsigned db_type_oid(char letter);
/* Checks the parameters against the statement and writes them to buf; ret_wire points into it.
 * ST_BUG: count or type is not what the statement declares. */
enum status db_wire_params(const struct stmt *stmt, const struct db_params *params,
                           struct strbuf *buf, struct db_wire *ret_wire,
                           struct err *err) MUST_CHECK;

#endif
