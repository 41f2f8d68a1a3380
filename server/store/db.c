/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection is used by one thread at a time, under a lease. Parameters and results are binary,
 * converted here and nowhere else. A connection that broke is closed when it is given back, and the
 * next lease opens a new one.
 */
#include "server/store/db.h"

#include "common/strbuf.h"
#include "server/store/db_wire.h"

#include <libpq-fe.h>

#include <endian.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#define TX_TRIES     5
#define PREPARED_MAX 512 /* power of two; more than the program has statements */

struct db {
    struct db_pool *pool;
    PGconn *conn;
    bool own; /* outside the pool's bound; closed at release */
    bool leased;
    bool in_tx;
    bool broken;
    const struct stmt *prepared[PREPARED_MAX]; /* open addressing by address */
    size_t prepared_count;
};

struct db_pool {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    char *url;
    char *application_name;
    int64_t statement_timeout_us;
    unsigned count;
    struct db *slots;
};

struct db_result {
    PGresult *pg;
    const struct stmt *stmt;
    char (*uuids)[37]; /* text of the uuid cells, row by row; NULL: the statement has none */
};

static _Noreturn void bug(const char *what, const struct stmt *stmt)
{
    fprintf(stderr, "bug: %s in statement \"%s\"\n", what, stmt == NULL ? "?" : stmt->name);
    abort();
}

/* ---- errors ---------------------------------------------------------------- */

/* libpq's messages end in a line end and may have several lines; the first says what happened. */
static void first_line(const char *text, char *ret_line, size_t size)
{
    size_t length = strcspn(text, "\n");
    snprintf(ret_line, size, "%.*s", (int)(length < size ? length : size - 1), text);
}

static enum status conn_failed(PGconn *conn, struct err *err, const char *what)
{
    char line[200]; /* cut is fine: it goes into err->message, which is not longer */
    first_line(conn == NULL ? "out of memory" : PQerrorMessage(conn), line, sizeof line);
    return err_set(err, ST_DB, "could not %s: %s", what,
                   line[0] == '\0' ? "connection lost" : line);
}

static enum status result_failed(struct db *db, const PGresult *result, const char *what,
                                 struct err *err)
{
    const char *state = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary =
        result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    /* No SQLSTATE means that libpq, not the server, reports: the connection is lost. Class 57P
     * is a server that goes away. */
    if (PQstatus(db->conn) != CONNECTION_OK || state == NULL || strncmp(state, "57P", 3) == 0)
        db->broken = true;
    if (state == NULL || primary == NULL)
        return conn_failed(db->conn, err, what);
    enum status code = ST_DB;
    if (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0)
        code = db->in_tx ? ST_RETRY : ST_DB;
    else if (strcmp(state, "23505") == 0)
        code = ST_CONFLICT;
    else if (strcmp(state, "57014") == 0)
        code = ST_TIMEOUT;
    char line[200];
    first_line(primary, line, sizeof line);
    err_set(err, code, "could not %s: %s", what, line);
    if (err != NULL)
        snprintf(err->sqlstate, sizeof err->sqlstate, "%.5s", state);
    return code;
}

/* ---- connections ----------------------------------------------------------- */

enum status db_pool_new(const struct db_options *options, struct db_pool **ret_pool,
                        struct err *err)
{
    unsigned count = options->connections == 0 ? 1 : options->connections;
    struct db_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return err_set(err, ST_NOMEM, "could not make a connection pool: out of memory");
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->freed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&pool->lock, NULL);
    pool->url = strdup(options->url);
    pool->application_name =
        strdup(options->application_name == NULL ? "poolfleet" : options->application_name);
    pool->slots = calloc(count, sizeof *pool->slots);
    pool->count = count;
    pool->statement_timeout_us = options->statement_timeout_us;
    if (pool->url == NULL || pool->application_name == NULL || pool->slots == NULL) {
        db_pool_free(pool);
        return err_set(err, ST_NOMEM, "could not make a connection pool: out of memory");
    }
    for (unsigned i = 0; i < count; i++)
        pool->slots[i].pool = pool;
    *ret_pool = pool;
    return ST_OK;
}

static void conn_close(struct db *db)
{
    if (db->conn != NULL)
        PQfinish(db->conn);
    db->conn = NULL;
    db->broken = false;
    db->in_tx = false;
    memset(db->prepared, 0, sizeof db->prepared);
    db->prepared_count = 0;
}

void db_pool_free(struct db_pool *pool)
{
    if (pool == NULL)
        return;
    for (unsigned i = 0; pool->slots != NULL && i < pool->count; i++) {
        if (pool->slots[i].leased)
            bug("a lease outlives its pool", NULL);
        conn_close(&pool->slots[i]);
    }
    pthread_cond_destroy(&pool->freed);
    pthread_mutex_destroy(&pool->lock);
    free(pool->slots);
    free(pool->url);
    free(pool->application_name);
    free(pool);
}

/* Settings of the session. Text in the statement is static; the values are parameters. */
static enum status conn_settings(struct db *db, struct err *err)
{
    char timeout[32]; /* an int64 has at most 20 characters */
    snprintf(timeout, sizeof timeout, "%lld",
             (long long)(db->pool->statement_timeout_us / US_PER_MS));
    const char *values[] = {timeout};
    PGresult *result =
        PQexecParams(db->conn,
                     "SELECT set_config('statement_timeout', $1, false), "
                     "set_config('lock_timeout', '10s', false), "
                     "set_config('idle_in_transaction_session_timeout', '60s', false), "
                     "set_config('search_path', 'public', false), "
                     "set_config('timezone', 'UTC', false)",
                     1, NULL, values, NULL, NULL, 0);
    enum status status = ST_OK;
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        status = result_failed(db, result, "set up the database session", err);
    PQclear(result);
    return status;
}

static enum status conn_open(struct db *db, struct err *err)
{
    /* Before "dbname", so that the URL may say otherwise; the encoding stands behind it: ours. */
    const char *keys[] = {"connect_timeout",  "keepalives_idle",  "keepalives_interval",
                          "keepalives_count", "tcp_user_timeout", "fallback_application_name",
                          "dbname",           "client_encoding",  NULL};
    /* tcp_user_timeout, ms: a host that vanishes with a statement under way. The system's own
     * patience is a quarter of an hour, and requests wait for it. */
    const char *values[] = {"5",           "30",   "10", "3", "20000", db->pool->application_name,
                            db->pool->url, "UTF8", NULL};
    conn_close(db);
    db->conn = PQconnectdbParams(keys, values, 1);
    enum status status = ST_OK;
    if (db->conn == NULL || PQstatus(db->conn) != CONNECTION_OK)
        status = conn_failed(db->conn, err, "connect to the database");
    else
        status = conn_settings(db, err);
    if (status != ST_OK)
        conn_close(db);
    return status;
}

static bool cond_wait_until(struct db_pool *pool, const struct timespec *deadline)
{
    return pthread_cond_timedwait(&pool->freed, &pool->lock, deadline) != ETIMEDOUT;
}

/* A connected one before an empty one, so that few connections serve a light load. */
static struct db *slot_take(struct db_pool *pool)
{
    struct db *best = NULL;
    for (unsigned i = 0; i < pool->count; i++) {
        struct db *slot = &pool->slots[i];
        if (!slot->leased && (best == NULL || (best->conn == NULL && slot->conn != NULL)))
            best = slot;
    }
    if (best != NULL)
        best->leased = true;
    return best;
}

/* A session that is idle has nothing to say, except that the server ended it: libpq notices that
 * only with the next statement, which would fail although the database is there. */
static bool conn_is_usable(const struct db *db)
{
    if (db->conn == NULL || PQstatus(db->conn) != CONNECTION_OK)
        return false;
    struct pollfd socket = {.fd = PQsocket(db->conn), .events = POLLIN};
    return poll(&socket, 1, 0) == 0;
}

enum status db_lease(struct db_pool *pool, int64_t wait_us, struct db **ret_db, struct err *err)
{
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    if (wait_us < 0)
        wait_us = 0;
    deadline.tv_sec += wait_us / US_PER_SECOND;
    deadline.tv_nsec += wait_us % US_PER_SECOND * 1000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&pool->lock);
    struct db *db;
    while ((db = slot_take(pool)) == NULL) {
        if (!cond_wait_until(pool, &deadline)) {
            db = slot_take(pool);
            break;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    if (db == NULL)
        return err_set(err, ST_BUSY, "could not get a database connection: all %u are in use",
                       pool->count);
    if (!conn_is_usable(db)) {
        enum status status = conn_open(db, err);
        if (status != ST_OK) {
            db_release(db);
            return status;
        }
    }
    *ret_db = db;
    return ST_OK;
}

enum status db_open_own(struct db_pool *pool, struct db **ret_db, struct err *err)
{
    struct db *db = calloc(1, sizeof *db);
    if (db == NULL)
        return err_set(err, ST_NOMEM, "could not connect to the database: out of memory");
    db->pool = pool;
    db->own = true;
    enum status status = conn_open(db, err);
    if (status != ST_OK) {
        free(db);
        return status;
    }
    *ret_db = db;
    return ST_OK;
}

void db_release(struct db *db)
{
    if (db == NULL)
        return;
    if (db->in_tx) /* given back inside a transaction: nobody may inherit it */
        db->broken = true;
    if (db->own) {
        conn_close(db);
        free(db);
        return;
    }
    struct db_pool *pool = db->pool;
    if (db->broken || (db->conn != NULL && PQstatus(db->conn) != CONNECTION_OK))
        conn_close(db);
    pthread_mutex_lock(&pool->lock);
    db->leased = false;
    pthread_cond_signal(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
}

bool db_broken(const struct db *db)
{
    return db->broken;
}

/* ---- execution ------------------------------------------------------------- */

static bool prepared_has(struct db *db, const struct stmt *stmt, size_t *ret_slot)
{
    size_t slot = ((uintptr_t)stmt >> 4) * 0x9E3779B97F4A7C15ull >> 55 & (PREPARED_MAX - 1);
    while (db->prepared[slot] != NULL && db->prepared[slot] != stmt)
        slot = (slot + 1) & (PREPARED_MAX - 1);
    *ret_slot = slot;
    return db->prepared[slot] == stmt;
}

static enum status prepare(struct db *db, const struct stmt *stmt, struct err *err)
{
    size_t slot;
    if (prepared_has(db, stmt, &slot))
        return ST_OK;
    Oid oids[DB_PARAMS_MAX];
    size_t count = strlen(stmt->params);
    if (count > DB_PARAMS_MAX || db->prepared_count >= PREPARED_MAX / 2)
        return err_set(err, ST_BUG, "could not prepare statement \"%s\": too many", stmt->name);
    for (size_t i = 0; i < count; i++)
        oids[i] = db_type_oid(stmt->params[i]);
    PGresult *result = PQprepare(db->conn, stmt->name, stmt->sql, (int)count, oids);
    enum status status = ST_OK;
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        status = result_failed(db, result, stmt->name, err);
    else {
        db->prepared[slot] = stmt;
        db->prepared_count++;
    }
    PQclear(result);
    return status;
}

static void uuid_format(const unsigned char *bytes, char ret_text[37])
{
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            ret_text[at++] = '-';
        ret_text[at++] = hex[bytes[i] >> 4];
        ret_text[at++] = hex[bytes[i] & 15];
    }
    ret_text[at] = '\0';
}

static size_t uuid_index(const struct db_result *result, size_t row, size_t column)
{
    return row * strlen(result->stmt->columns) + column;
}

static bool format_uuids(struct db_result *result)
{
    const char *columns = result->stmt->columns;
    size_t width = strlen(columns);
    size_t rows = (size_t)PQntuples(result->pg);
    if (strchr(columns, 'u') == NULL || rows == 0)
        return true;
    result->uuids = calloc(rows * width, sizeof *result->uuids);
    if (result->uuids == NULL)
        return false;
    for (size_t row = 0; row < rows; row++) {
        for (size_t column = 0; column < width; column++) {
            if (columns[column] == 'u' && PQgetlength(result->pg, (int)row, (int)column) == 16)
                uuid_format((const unsigned char *)PQgetvalue(result->pg, (int)row, (int)column),
                            result->uuids[uuid_index(result, row, column)]);
        }
    }
    return true;
}

static enum status result_take(const struct stmt *stmt, PGresult **pg_take,
                               struct db_result **ret_result, struct err *err)
{
    struct db_result *result = calloc(1, sizeof *result);
    if (result == NULL)
        return err_set(err, ST_NOMEM, "could not run statement \"%s\": out of memory", stmt->name);
    result->stmt = stmt;
    result->pg = TAKE(*pg_take);
    size_t width = (size_t)PQnfields(result->pg);
    if (width != strlen(stmt->columns)) {
        db_result_free(result);
        return err_set(err, ST_BUG, "statement \"%s\" gives %zu columns, declared are %zu",
                       stmt->name, width, strlen(stmt->columns));
    }
    if (!format_uuids(result)) {
        db_result_free(result);
        return err_set(err, ST_NOMEM, "could not run statement \"%s\": out of memory", stmt->name);
    }
    *ret_result = result;
    return ST_OK;
}

static void cleanup_pgresult(PGresult **result)
{
    PQclear(*result);
}
#define AUTO_PGRESULT CLEANUP(cleanup_pgresult)

enum status db_exec(struct db *db, const struct stmt *stmt, const struct db_params *params,
                    struct db_result **ret_result, struct err *err)
{
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    struct db_wire wire;
    if (db->broken)
        return err_set(err, ST_DB, "could not run statement \"%s\": connection lost", stmt->name);
    enum status status = db_wire_params(stmt, params, &buf, &wire, err);
    if (status == ST_OK)
        status = prepare(db, stmt, err);
    if (status != ST_OK)
        return status;
    AUTO_PGRESULT PGresult *pg =
        PQexecPrepared(db->conn, stmt->name, params == NULL ? 0 : (int)params->count, wire.values,
                       wire.lengths, wire.formats, 1);
    ExecStatusType outcome = PQresultStatus(pg);
    if (outcome != PGRES_TUPLES_OK && outcome != PGRES_COMMAND_OK) {
        char what[96]; /* names of statements are short; cut is harmless */
        snprintf(what, sizeof what, "run statement \"%s\"", stmt->name);
        return result_failed(db, pg, what, err);
    }
    return ret_result == NULL ? ST_OK : result_take(stmt, &pg, ret_result, err);
}

void db_result_free(struct db_result *result)
{
    if (result == NULL)
        return;
    PQclear(result->pg);
    free(result->uuids);
    free(result);
}

static enum status command(struct db *db, const char *sql, const char *what, struct err *err)
{
    AUTO_PGRESULT PGresult *pg = PQexec(db->conn, sql);
    ExecStatusType outcome = PQresultStatus(pg);
    if (outcome != PGRES_TUPLES_OK && outcome != PGRES_COMMAND_OK)
        return result_failed(db, pg, what, err);
    /* COMMIT of a failed transaction answers ROLLBACK, without an error. */
    if (strcmp(sql, "COMMIT") == 0 && strcmp(PQcmdStatus(pg), "COMMIT") != 0)
        return err_set(err, ST_DB, "could not commit: the transaction had failed");
    return ST_OK;
}

enum status db_script(struct db *db, const char *sql, struct err *err)
{
    if (db->broken)
        return err_set(err, ST_DB, "could not run a script: connection lost");
    return command(db, sql, "run a script", err);
}

static enum status tx_once(struct db *db, const char *name,
                           enum status (*fn)(struct db *db, void *arg, struct err *err), void *arg,
                           struct err *err)
{
    enum status status = command(db, "BEGIN", name, err);
    if (status != ST_OK)
        return status;
    db->in_tx = true;
    status = fn(db, arg, err);
    if (status == ST_OK && !db->broken)
        status = command(db, "COMMIT", name, err);
    else if (status == ST_OK)
        status = err_set(err, ST_DB, "could not %s: connection lost", name);
    if (status != ST_OK && !db->broken) {
        struct err ignored;
        if (command(db, "ROLLBACK", name, &ignored) != ST_OK)
            db->broken = true;
    }
    db->in_tx = false;
    return status;
}

enum status db_tx(struct db *db, const char *name,
                  enum status (*fn)(struct db *db, void *arg, struct err *err), void *arg,
                  struct err *err)
{
    if (db->in_tx)
        return err_set(err, ST_BUG, "could not %s: transactions do not nest", name);
    if (db->broken)
        return err_set(err, ST_DB, "could not %s: connection lost", name);
    enum status status = ST_RETRY;
    for (int try = 0; status == ST_RETRY && try < TX_TRIES; try++) {
        if (try > 0) {
            /* Two transactions that met once meet again unless they wait unlike times. */
            uint32_t random = 0;
            if (getrandom(&random, sizeof random, 0) != sizeof random)
                random = (uint32_t)clock_mono_us();
            long wait_us = (long)(random % (2000u << try));
            nanosleep(&(struct timespec){0, wait_us * 1000}, NULL);
        }
        status = tx_once(db, name, fn, arg, err);
    }
    if (status == ST_RETRY) {
        status = ST_DB;
        if (err != NULL)
            err->code = ST_DB;
    }
    return status;
}

void db_pool_read(struct db_pool *pool, unsigned *ret_most, unsigned *ret_leased)
{
    unsigned leased = 0;
    pthread_mutex_lock(&pool->lock);
    for (unsigned i = 0; i < pool->count; i++)
        leased += pool->slots[i].leased;
    *ret_most = pool->count;
    *ret_leased = leased;
    pthread_mutex_unlock(&pool->lock);
}

/* ---- results --------------------------------------------------------------- */

size_t db_rows(const struct db_result *result)
{
    return (size_t)PQntuples(result->pg);
}

int64_t db_affected(const struct db_result *result)
{
    return strtoll(PQcmdTuples(result->pg), NULL, 10);
}

/* The cell's bytes, after checking that the statement declares one of `allowed` there. */
static const char *cell(const struct db_result *result, size_t row, size_t column,
                        const char *allowed)
{
    const char *columns = result->stmt->columns;
    if (column >= strlen(columns) || strchr(allowed, columns[column]) == NULL)
        bug("column read with another type than declared", result->stmt);
    if (row >= db_rows(result))
        bug("row beyond the result", result->stmt);
    if (PQgetisnull(result->pg, (int)row, (int)column))
        return NULL;
    return PQgetvalue(result->pg, (int)row, (int)column);
}

static uint32_t get_u32(const char *data)
{
    uint32_t value;
    memcpy(&value, data, 4);
    return be32toh(value);
}

static uint64_t get_u64(const char *data)
{
    uint64_t value;
    memcpy(&value, data, 8);
    return be64toh(value);
}

bool db_null(const struct db_result *result, size_t row, size_t column)
{
    return cell(result, row, column, "idfbtxzjuITXZFBD") == NULL;
}

int64_t db_i64(const struct db_result *result, size_t row, size_t column)
{
    const char *data = cell(result, row, column, "id");
    if (data == NULL)
        return 0;
    return result->stmt->columns[column] == 'd' ? (int32_t)get_u32(data) : (int64_t)get_u64(data);
}

double db_f64(const struct db_result *result, size_t row, size_t column)
{
    const char *data = cell(result, row, column, "f");
    if (data == NULL)
        return NAN;
    uint64_t bits = get_u64(data);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

bool db_bool(const struct db_result *result, size_t row, size_t column)
{
    const char *data = cell(result, row, column, "b");
    return data != NULL && *data != 0;
}

const char *db_text(const struct db_result *result, size_t row, size_t column)
{
    const char *data = cell(result, row, column, "tju");
    if (data == NULL)
        return NULL;
    char letter = result->stmt->columns[column];
    if (letter == 'u')
        return result->uuids[uuid_index(result, row, column)];
    return letter == 'j' ? data + 1 : data; /* jsonb: behind the version byte */
}

const void *db_bytes(const struct db_result *result, size_t row, size_t column, size_t *ret_length)
{
    const char *data = cell(result, row, column, "x");
    *ret_length = data == NULL ? 0 : (size_t)PQgetlength(result->pg, (int)row, (int)column);
    return data;
}

int64_t db_time(const struct db_result *result, size_t row, size_t column)
{
    const char *data = cell(result, row, column, "z");
    if (data == NULL)
        return TIME_UNKNOWN;
    int64_t value = (int64_t)get_u64(data);
    /* The infinities stay at the ends of the range. */
    return value == INT64_MAX || value == INT64_MIN ? value : value + DB_EPOCH_US;
}

size_t db_array_count(const struct db_result *result, size_t row, size_t column)
{
    const char *data = cell(result, row, column, "ITXZFBD");
    if (data == NULL || get_u32(data) == 0)
        return 0;
    if (get_u32(data) != 1)
        bug("array with several dimensions", result->stmt);
    return get_u32(data + 12);
}

/* Element `index`; NULL for SQL NULL. Walks from the start: arrays here are short. */
static const char *element(const struct db_result *result, size_t row, size_t column, size_t index,
                           size_t *ret_length)
{
    if (index >= db_array_count(result, row, column))
        bug("element beyond the array", result->stmt);
    const char *at = PQgetvalue(result->pg, (int)row, (int)column) + 20;
    for (;; index--) {
        uint32_t length = get_u32(at);
        bool null = length == UINT32_MAX;
        if (index == 0) {
            *ret_length = null ? 0 : length;
            return null ? NULL : at + 4;
        }
        at += 4 + (null ? 0 : length);
    }
}

const char *db_array_text(const struct db_result *result, size_t row, size_t column, size_t index,
                          size_t *ret_length)
{
    return element(result, row, column, index, ret_length);
}

int64_t db_array_i64(const struct db_result *result, size_t row, size_t column, size_t index)
{
    size_t length;
    const char *data = element(result, row, column, index, &length);
    if (data == NULL)
        return 0;
    if (length == 4)
        return (int32_t)get_u32(data);
    if (length != 8)
        bug("array element is no integer", result->stmt);
    return (int64_t)get_u64(data) + (result->stmt->columns[column] == 'Z' ? DB_EPOCH_US : 0);
}

/* ---- for the test of all statements ------------------------------------------ */

enum status db_describe(struct db *db, const struct stmt *stmt, struct err *err)
{
    enum status status = prepare(db, stmt, err);
    if (status != ST_OK)
        return status;
    AUTO_PGRESULT PGresult *pg = PQdescribePrepared(db->conn, stmt->name);
    if (PQresultStatus(pg) != PGRES_COMMAND_OK)
        return result_failed(db, pg, stmt->name, err);
    size_t width = (size_t)PQnfields(pg);
    if (width != strlen(stmt->columns))
        return err_set(err, ST_BUG, "statement \"%s\" gives %zu columns, declared are %zu",
                       stmt->name, width, strlen(stmt->columns));
    for (size_t i = 0; i < width; i++) {
        if (PQftype(pg, (int)i) != db_type_oid(stmt->columns[i]))
            return err_set(err, ST_BUG, "column %zu (%s) of statement \"%s\" has type %u, not %c",
                           i + 1, PQfname(pg, (int)i), stmt->name, PQftype(pg, (int)i),
                           stmt->columns[i]);
    }
    return ST_OK;
}
