/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection is used by one thread at a time, under a lease. A connection that broke is closed
 * when it is given back, and the next lease opens a new one. Parameters and results are binary,
 * converted in db_wire.c and db_result.c and nowhere else.
 *
 * libpq's own calls wait for an answer without end. So statements are sent, and their answers
 * waited for, here: with a deadline behind the one that the server keeps itself.
 */
#include "server/store/db.h"

#include "common/strbuf.h"
#include "server/store/db_result.h"
#include "server/store/db_wire.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

#define TX_TRIES 5
/* An answer may come so much later than the statement's own timeout. */
#define GRACE_US     US_PER_SECOND
#define LOCK_WAIT_US (10 * US_PER_SECOND)
/* One lease tries a database that did not answer so often. */
#define AWAY_US            US_PER_SECOND
#define CONNECT_TIMEOUT_US (5 * US_PER_SECOND) /* as conn_open says it to libpq */
/* A failed connection that took less was refused, not unanswered. */
#define REFUSED_US   (500 * US_PER_MS)
#define PREPARED_MAX 512 /* power of two; more than the program has statements */

struct db {
    struct db_pool *pool;
    PGconn *conn;
    bool own; /* outside the pool's bound; closed at release */
    bool leased;
    bool in_tx;
    bool broken;
    bool silent;         /* broken, since no answer came */
    int64_t timeout_us;  /* the session's statement timeout; 0: none */
    int64_t patience_us; /* without an answer; INT64_MAX: for ever */
    bool asks_only;      /* db_patience was called: silence says nothing for others */
    const struct stmt *prepared[PREPARED_MAX]; /* open addressing by address */
    size_t prepared_count;
};

struct db_pool {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    char *url;
    char *application_name;
    int64_t statement_timeout_us;
    _Atomic int64_t away_until_us; /* monotonic; 0: the database answers, as far as is known */
    unsigned count;
    struct db *slots;
};

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
    if (db->silent)
        return err_set(err, ST_DB, "could not %s: no answer from the database in %lld ms", what,
                       (long long)(db->patience_us / US_PER_MS));
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

/* ---- sending and waiting ---------------------------------------------------- */

/* False: the time is over. */
static bool socket_wait(const struct db *db, short events, int64_t deadline_us)
{
    struct pollfd socket = {.fd = PQsocket(db->conn), .events = events};
    for (;;) {
        int64_t left_us = deadline_us - clock_mono_us();
        int timeout_ms = -1;
        if (deadline_us != INT64_MAX)
            timeout_ms = left_us <= 0 ? 0 : (int)(left_us / US_PER_MS) + 1;
        int ready = poll(&socket, 1, timeout_ms);
        if (ready != 0 && (ready > 0 || errno != EINTR))
            return true; /* an error is libpq's to find and to tell */
        if (ready == 0)
            return false;
    }
}

/* True when all is sent, or libpq has given up. What comes meanwhile is taken in, or both sides
 * might wait for the other to read. */
static bool flush_all(struct db *db, int64_t deadline_us)
{
    while (PQflush(db->conn) == 1) {
        if (!socket_wait(db, POLLIN | POLLOUT, deadline_us))
            return false;
        if (PQconsumeInput(db->conn) == 0)
            return true;
    }
    return true;
}

static bool wait_result(struct db *db, int64_t deadline_us)
{
    while (PQisBusy(db->conn)) {
        if (!socket_wait(db, POLLIN, deadline_us))
            return false;
        if (PQconsumeInput(db->conn) == 0)
            return true;
    }
    return true;
}

/* The last result of what was sent, as PQexec would give it; NULL: it could not be sent, or no
 * answer came in time, and the connection is given up. `sent` is what libpq's send function said.
 */
static PGresult *answer(struct db *db, int sent)
{
    int64_t deadline_us =
        db->patience_us == INT64_MAX ? INT64_MAX : clock_mono_us() + db->patience_us;
    PGresult *last = NULL;
    if (sent == 0)
        return NULL;
    bool in_time = flush_all(db, deadline_us);
    while (in_time && (in_time = wait_result(db, deadline_us))) {
        PGresult *next = PQgetResult(db->conn);
        if (next == NULL)
            return last;
        PQclear(last);
        last = next;
    }
    PQclear(last);
    db->broken = true;
    db->silent = true;
    if (!db->asks_only)
        atomic_store(&db->pool->away_until_us, clock_mono_us() + AWAY_US);
    return NULL;
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
    db->silent = false;
    db->in_tx = false;
    memset(db->prepared, 0, sizeof db->prepared);
    db->prepared_count = 0;
}

void db_pool_free(struct db_pool *pool)
{
    if (pool == NULL)
        return;
    for (unsigned i = 0; pool->slots != NULL && i < pool->count; i++) {
        if (pool->slots[i].leased) {
            fputs("bug: a lease outlives its pool\n", stderr);
            abort();
        }
        conn_close(&pool->slots[i]);
    }
    pthread_cond_destroy(&pool->freed);
    pthread_mutex_destroy(&pool->lock);
    free(pool->slots);
    free(pool->url);
    free(pool->application_name);
    free(pool);
}

static void set_timeout(struct db *db, int64_t timeout_us)
{
    db->timeout_us = timeout_us;
    db->patience_us = timeout_us == 0 ? INT64_MAX : timeout_us + GRACE_US;
}

/* Settings of the session. Text in the statement is static; the values are parameters. */
static enum status conn_settings(struct db *db, int64_t timeout_us, struct err *err)
{
    char timeout[32]; /* an int64 has at most 20 characters */
    char lock_timeout[32];
    bool shorter = timeout_us > 0 && timeout_us / 2 < LOCK_WAIT_US;
    snprintf(timeout, sizeof timeout, "%lld", (long long)(timeout_us / US_PER_MS));
    snprintf(lock_timeout, sizeof lock_timeout, "%lld",
             (long long)((shorter ? timeout_us / 2 : LOCK_WAIT_US) / US_PER_MS));
    const char *values[] = {timeout, lock_timeout};
    set_timeout(db, timeout_us);
    PGresult *result =
        answer(db, PQsendQueryParams(db->conn,
                                     "SELECT set_config('statement_timeout', $1, false), "
                                     "set_config('lock_timeout', $2, false), "
                                     "set_config('idle_in_transaction_session_timeout', "
                                     "'60s', false), "
                                     "set_config('search_path', 'public', false), "
                                     "set_config('timezone', 'UTC', false)",
                                     2, NULL, values, NULL, NULL, 0));
    enum status status = ST_OK;
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        status = result_failed(db, result, "set up the database session", err);
    PQclear(result);
    return status;
}

enum status db_hurry(struct db *db, int64_t statement_timeout_us, struct err *err)
{
    if (db->timeout_us != 0 && db->timeout_us <= statement_timeout_us)
        return ST_OK;
    return conn_settings(db, statement_timeout_us, err);
}

void db_patience(struct db *db, int64_t patience_us)
{
    if (patience_us < db->patience_us) {
        db->patience_us = patience_us;
        db->asks_only = true;
    }
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
    int64_t began_us = clock_mono_us();
    conn_close(db);
    db->conn = PQconnectdbParams(keys, values, 1);
    enum status status = ST_OK;
    if (db->conn == NULL || PQstatus(db->conn) != CONNECTION_OK ||
        PQsetnonblocking(db->conn, 1) != 0)
        status = conn_failed(db->conn, err, "connect to the database");
    else
        status = conn_settings(db, db->pool->statement_timeout_us, err);
    if (status == ST_OK) {
        atomic_store(&db->pool->away_until_us, 0);
        return ST_OK;
    }
    conn_close(db);
    int64_t now_us = clock_mono_us();
    if (now_us - began_us > REFUSED_US)
        atomic_store(&db->pool->away_until_us, now_us + AWAY_US);
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

/* While the database does not answer: this lease tries it with a new connection, or has none. */
static enum status ask_way(struct db_pool *pool, bool *ret_tries, struct err *err)
{
    int64_t away_until_us = atomic_load(&pool->away_until_us), now_us = clock_mono_us();
    *ret_tries = false;
    if (away_until_us == 0)
        return ST_OK;
    /* Who comes while this one connects finds a time that is not over. */
    *ret_tries = now_us >= away_until_us &&
                 atomic_compare_exchange_strong(&pool->away_until_us, &away_until_us,
                                                now_us + CONNECT_TIMEOUT_US);
    return *ret_tries ? ST_OK
                      : err_set(err, ST_DB, "could not use the database: it does not answer");
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
    bool tries = false;
    enum status status = ask_way(pool, &tries, err);
    if (status == ST_OK && (tries || !conn_is_usable(db)))
        status = conn_open(db, err);
    if (status != ST_OK) {
        db_release(db);
        return status;
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
    if (db->asks_only) {
        set_timeout(db, db->timeout_us);
        db->asks_only = false;
    }
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

bool db_silent(const struct db *db)
{
    return db->silent;
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
    PGresult *result = answer(db, PQsendPrepare(db->conn, stmt->name, stmt->sql, (int)count, oids));
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
    AUTO_PGRESULT PGresult *pg = answer(
        db, PQsendQueryPrepared(db->conn, stmt->name, params == NULL ? 0 : (int)params->count,
                                wire.values, wire.lengths, wire.formats, 1));
    ExecStatusType outcome = PQresultStatus(pg);
    if (outcome != PGRES_TUPLES_OK && outcome != PGRES_COMMAND_OK) {
        char what[96]; /* names of statements are short; cut is harmless */
        snprintf(what, sizeof what, "run statement \"%s\"", stmt->name);
        return result_failed(db, pg, what, err);
    }
    return ret_result == NULL ? ST_OK : db_result_take(stmt, &pg, ret_result, err);
}

static enum status command(struct db *db, const char *sql, const char *what, struct err *err)
{
    AUTO_PGRESULT PGresult *pg = answer(db, PQsendQuery(db->conn, sql));
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
    int64_t began_us = clock_mono_us();
    for (int try = 0; status == ST_RETRY && try < TX_TRIES; try++) {
        if (try > 0 && db->timeout_us > 0 && clock_mono_us() - began_us > db->timeout_us)
            break; /* each deadlock costs a second to find */
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
