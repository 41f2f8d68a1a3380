/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PostgreSQL behind one small interface: a bounded pool of connections, typed statements,
 * transactions with retry. Only db.c includes libpq-fe.h; only files in server/store hold SQL.
 *
 * A lease belongs to one thread until released. Statements are prepared per connection on first
 * use. Parameters and results travel in binary, so nothing is ever put into SQL text.
 */
#ifndef SERVER_STORE_DB_H
#define SERVER_STORE_DB_H

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db_pool;
struct db; /* a leased connection */
struct db_result;

struct db_options {
    const char *url;      /* libpq connection string or URI; borrowed during open */
    unsigned connections; /* upper bound of the pool */
    int64_t statement_timeout_us;
    const char *application_name;
};

/* Opens no connection yet. Owned by caller, free with db_pool_free. */
enum status db_pool_new(const struct db_options *options, struct db_pool **ret_pool,
                        struct err *err) MUST_CHECK;
void db_pool_free(struct db_pool *pool); /* all leases must be back; NULL allowed */

/* Waits at most wait_us for a free connection. ST_BUSY: none free; ST_DB: could not connect.
 * A broken connection is replaced here, so a restart of PostgreSQL needs no restart of ours. */
enum status db_lease(struct db_pool *pool, int64_t wait_us, struct db **ret_db,
                     struct err *err) MUST_CHECK;
/* A connection beside the bounded ones, with the same settings, for a thread that keeps it: the
 * committer, a job. db_release closes it. */
enum status db_open_own(struct db_pool *pool, struct db **ret_db, struct err *err) MUST_CHECK;
void db_release(struct db *db); /* NULL allowed */
/* The server went away: every further call on this lease is ST_DB. Release it and lease again. */
bool db_broken(const struct db *db);
static inline void cleanup_db_lease(struct db **db)
{
    db_release(*db);
}
#define AUTO_DBLEASE CLEANUP(cleanup_db_lease)

/* How many connections there may be, and how many of them are leased now. */
void db_pool_read(struct db_pool *pool, unsigned *ret_most, unsigned *ret_leased);

/* One statement: `params` and `columns` are one letter each, checked against the schema by a test:
 * i int8, d int4, f float8, b bool, t text, x bytea, z timestamptz (us since 1970), j jsonb (as
 * text), u uuid (as text); upper case is the array of it (I, T, X, Z, F, B, D); "" is none. */
struct stmt {
    const char *name; /* unique in the program, "hosts_list" */
    const char *sql;
    const char *params;
    const char *columns;
};
#define STMT(name, sql, params, columns)                                                           \
    {                                                                                              \
        name, sql, params, columns                                                                 \
    }

/* Every statement of the program, for the test that prepares them all: each store_*.c offers its
 * table with this, and store/registry.c lists the tables. */
struct stmt_table {
    const struct stmt *rows;
    size_t count;
};

#define DB_PARAMS_MAX 48

/* Parameters of one execution, borrowed until db_exec returns. A NULL text, NULL bytes or
 * TIME_UNKNOWN is SQL NULL. Adding more than DB_PARAMS_MAX is ST_BUG at exec. */
struct db_params {
    size_t count;
    struct db_param {
        char type;
        bool is_null;
        int64_t number;
        double real;
        const void *data;      /* text, bytes, or the array */
        size_t length;         /* bytes of a bytea; elements of an array */
        const size_t *lengths; /* of each element of a bytea array */
    } at[DB_PARAMS_MAX];
};

void db_p_i64(struct db_params *params, int64_t value);
void db_p_i32(struct db_params *params, int32_t value);
void db_p_f64(struct db_params *params, double value); /* NAN is SQL NULL */
void db_p_bool(struct db_params *params, bool value);
void db_p_text(struct db_params *params, const char *value);
void db_p_json(struct db_params *params, const char *value);
void db_p_bytes(struct db_params *params, const void *data, size_t length);
void db_p_time(struct db_params *params, int64_t us);
void db_p_null(struct db_params *params, char type);
/* Arrays. Elements: NULL text, NULL bytes, TIME_UNKNOWN and INT64_MIN are SQL NULLs. */
void db_p_i64_array(struct db_params *params, const int64_t *values, size_t count);
void db_p_f64_array(struct db_params *params, const double *values, size_t count);
void db_p_bool_array(struct db_params *params, const bool *values, size_t count);
void db_p_time_array(struct db_params *params, const int64_t *values, size_t count);
void db_p_text_array(struct db_params *params, const char *const *values, size_t count);
void db_p_bytes_array(struct db_params *params, const void *const *data, const size_t *lengths,
                      size_t count);

/* Runs one statement. ret_result may be NULL when no rows are wanted. ST_DB (err->sqlstate set
 * where the server answered), ST_CONFLICT for unique violations, ST_RETRY inside db_tx for 40001
 * and 40P01, ST_TIMEOUT for statement_timeout. */
enum status db_exec(struct db *db, const struct stmt *stmt, const struct db_params *params,
                    struct db_result **ret_result, struct err *err) MUST_CHECK;
void db_result_free(struct db_result *result); /* NULL allowed */
static inline void cleanup_db_result(struct db_result **result)
{
    db_result_free(*result);
}
#define AUTO_DBRESULT CLEANUP(cleanup_db_result)

/* Access to a result. Borrowed until it is freed. Type mismatches against stmt->columns abort. */
size_t db_rows(const struct db_result *result);
int64_t db_affected(const struct db_result *result);
bool db_null(const struct db_result *result, size_t row, size_t column);
int64_t db_i64(const struct db_result *result, size_t row, size_t column); /* i and d; 0 if NULL */
double db_f64(const struct db_result *result, size_t row, size_t column);  /* NAN if NULL */
bool db_bool(const struct db_result *result, size_t row, size_t column);
const char *db_text(const struct db_result *result, size_t row, size_t column); /* NULL if NULL */
const void *db_bytes(const struct db_result *result, size_t row, size_t column, size_t *ret_length);
int64_t db_time(const struct db_result *result, size_t row, size_t column); /* TIME_UNKNOWN */
/* Text arrays: how many elements, and one of them (not NUL-terminated). */
size_t db_array_count(const struct db_result *result, size_t row, size_t column);
const char *db_array_text(const struct db_result *result, size_t row, size_t column, size_t index,
                          size_t *ret_length);
int64_t db_array_i64(const struct db_result *result, size_t row, size_t column, size_t index);

/* begin, fn, commit; rollback on failure. Retries only ST_RETRY, at most five times with jitter.
 * fn must be free of side effects. A lost commit answer is ST_DB: the caller must be idempotent. */
enum status db_tx(struct db *db, const char *name,
                  enum status (*fn)(struct db *db, void *arg, struct err *err), void *arg,
                  struct err *err) MUST_CHECK;

/* Runs a script of several statements without parameters, in one simple query (migrations). */
enum status db_script(struct db *db, const char *sql, struct err *err) MUST_CHECK;

/* Prepares one statement and compares its result columns with the declaration; for a test. */
enum status db_describe(struct db *db, const struct stmt *stmt, struct err *err) MUST_CHECK;

#endif
