/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/migrate.h"

#include "common/clock.h"
#include "server/store/registry.h"

#include <sodium.h>
#include <string.h>

#define SLUG_MAX     80
#define HINT_MIGRATE "run \"poolfleetd migrate\""

static const char bootstrap[] =
    "CREATE TABLE IF NOT EXISTS schema_migration ("
    " number integer NOT NULL, slug text NOT NULL, sha256 bytea NOT NULL,"
    " applied_at timestamptz NOT NULL, duration interval NOT NULL,"
    " CONSTRAINT schema_migration_pkey PRIMARY KEY (number));"
    "COMMENT ON TABLE schema_migration IS 'Migrations that were applied';"
    "COMMENT ON COLUMN schema_migration.number IS 'NNNN of NNNN_slug.sql';"
    "COMMENT ON COLUMN schema_migration.slug IS 'What it is about';"
    "COMMENT ON COLUMN schema_migration.sha256 IS 'Of the file as applied';"
    "COMMENT ON COLUMN schema_migration.applied_at IS 'When it was applied';"
    "COMMENT ON COLUMN schema_migration.duration IS 'How long it took';"
    "CREATE TABLE IF NOT EXISTS repeatable_migration ("
    " slug text NOT NULL, sha256 bytea NOT NULL, applied_at timestamptz NOT NULL,"
    " CONSTRAINT repeatable_migration_pkey PRIMARY KEY (slug));"
    "COMMENT ON TABLE repeatable_migration IS 'Files of views and functions as last applied';"
    "COMMENT ON COLUMN repeatable_migration.slug IS 'Name of the file without its ending';"
    "COMMENT ON COLUMN repeatable_migration.sha256 IS 'Of the file as applied';"
    "COMMENT ON COLUMN repeatable_migration.applied_at IS 'When it was applied';";

enum { LOCK, UNLOCK, HAS_TABLES, LIST, ADD, REPEATABLE_LIST, REPEATABLE_PUT };
static const struct stmt statements[] = {
    [LOCK] =
        STMT("migrate_lock",
             "SELECT pg_advisory_lock(hashtextextended('poolfleet migrate', 0)) IS NULL", "", "b"),
    [UNLOCK] = STMT("migrate_unlock",
                    "SELECT pg_advisory_unlock(hashtextextended('poolfleet migrate', 0))", "", "b"),
    [HAS_TABLES] = STMT("migrate_has_tables",
                        "SELECT to_regclass('public.schema_migration') IS NOT NULL"
                        " AND to_regclass('public.repeatable_migration') IS NOT NULL",
                        "", "b"),
    [LIST] = STMT("migrate_list", "SELECT number, slug, sha256 FROM schema_migration ORDER BY 1",
                  "", "dtx"),
    [ADD] = STMT("migrate_add",
                 "INSERT INTO schema_migration (number, slug, sha256, applied_at, duration)"
                 " VALUES ($1, $2, $3, now(), clock_timestamp() - now())",
                 "dtx", ""),
    [REPEATABLE_LIST] = STMT("migrate_repeatable_list",
                             "SELECT slug, sha256 FROM repeatable_migration ORDER BY 1", "", "tx"),
    [REPEATABLE_PUT] =
        STMT("migrate_repeatable_put",
             "INSERT INTO repeatable_migration (slug, sha256, applied_at) VALUES ($1, $2, now())"
             " ON CONFLICT (slug) DO UPDATE SET sha256 = excluded.sha256, applied_at = now()",
             "tx", ""),
};
const struct stmt_table migrate_statements = {statements, sizeof statements / sizeof *statements};

struct file {
    int32_t number; /* 0 for a repeatable file */
    char slug[SLUG_MAX];
    const char *sql;
    unsigned char sha256[crypto_hash_sha256_BYTES];
    bool alone; /* first line "-- no transaction": a concurrent index cannot be in one */
};

static enum status file_read(const struct embedded_file *embedded, bool numbered,
                             struct file *ret_file, struct err *err)
{
    const char *path = embedded->path;
    size_t length = strlen(path);
    char *end = NULL;
    *ret_file = (struct file){.sql = (const char *)embedded->data};
    long number = numbered ? strtol(path, &end, 10) : 0;
    const char *slug = numbered ? end + 1 : path;
    bool well = length > 4 && strcmp(path + length - 4, ".sql") == 0 &&
                (!numbered || (end == path + 4 && *end == '_' && number > 0));
    if (!well || strlen(slug) - 4 >= SLUG_MAX)
        return err_set(err, ST_BUG, "migration \"%s\" is not named NNNN_slug.sql", path);
    ret_file->number = (int32_t)number;
    memcpy(ret_file->slug, slug, strlen(slug) - 4);
    crypto_hash_sha256(ret_file->sha256, embedded->data, embedded_size(embedded));
    ret_file->alone = strncmp(ret_file->sql, "-- no transaction\n", 18) == 0;
    return ST_OK;
}

/* ---- what is applied ------------------------------------------------------- */

static bool same_hash(const struct db_result *result, size_t row, size_t column,
                      const struct file *file)
{
    size_t length;
    const void *held = db_bytes(result, row, column, &length);
    return length == sizeof file->sha256 && memcmp(held, file->sha256, length) == 0;
}

/* The first applied count numbers must be ours, in order and unedited. */
static enum status compare_applied(const struct db_result *applied,
                                   const struct embedded_file *numbered, struct err *err)
{
    for (size_t i = 0; i < db_rows(applied); i++, numbered++) {
        int64_t number = db_i64(applied, i, 0);
        struct file file;
        if (numbered->path == NULL) {
            enum status status =
                err_set(err, ST_CONFLICT,
                        "the database is newer than this program: it has migration %lld (%s)",
                        (long long)number, db_text(applied, i, 1));
            if (err != NULL)
                snprintf(err->hint, sizeof err->hint, "use a newer program");
            return status;
        }
        enum status status = file_read(numbered, true, &file, err);
        if (status != ST_OK)
            return status;
        if (file.number != number || !same_hash(applied, i, 2, &file)) {
            status =
                err_set(err, ST_CONFLICT, "migration %lld (%s) was applied with another content",
                        (long long)number, db_text(applied, i, 1));
            if (err != NULL)
                snprintf(err->hint, sizeof err->hint,
                         "an applied migration is never edited: add a new one instead");
            return status;
        }
    }
    return ST_OK;
}

static bool repeatable_is_applied(const struct db_result *held, const struct file *file)
{
    for (size_t i = 0; i < db_rows(held); i++) {
        if (strcmp(db_text(held, i, 0), file->slug) == 0)
            return same_hash(held, i, 1, file);
    }
    return false;
}

/* ---- apply ----------------------------------------------------------------- */

static enum status apply(struct db *db, void *arg, struct err *err)
{
    const struct file *file = arg;
    struct db_params params = {0};
    enum status status = db_script(db, file->sql, err);
    if (status != ST_OK)
        return status;
    if (file->number > 0)
        db_p_i32(&params, file->number);
    db_p_text(&params, file->slug);
    db_p_bytes(&params, file->sha256, sizeof file->sha256);
    return db_exec(db, &statements[file->number > 0 ? ADD : REPEATABLE_PUT], &params, NULL, err);
}

static enum status apply_one(struct db *db, struct file *file, struct strbuf *report,
                             struct err *err)
{
    int64_t start = clock_mono_us();
    struct err inner = {0};
    enum status status =
        file->alone ? apply(db, file, &inner) : db_tx(db, "apply a migration", apply, file, &inner);
    if (status != ST_OK) {
        err_set(err, status, "could not apply migration \"%s\": %s", file->slug, inner.message);
        if (err != NULL)
            memcpy(err->sqlstate, inner.sqlstate, sizeof err->sqlstate);
        return status;
    }
    if (file->number > 0)
        strbuf_printf(report, "applied %04d_%s", (int)file->number, file->slug);
    else
        strbuf_printf(report, "applied %s", file->slug);
    strbuf_printf(report, " (%lld ms)\n", (long long)((clock_mono_us() - start) / US_PER_MS));
    return ST_OK;
}

static enum status apply_numbered(struct db *db, const struct embedded_file *numbered,
                                  struct strbuf *report, struct err *err)
{
    AUTO_DBRESULT struct db_result *applied = NULL;
    enum status status = db_exec(db, &statements[LIST], NULL, &applied, err);
    if (status == ST_OK)
        status = compare_applied(applied, numbered, err);
    if (status != ST_OK)
        return status;
    for (numbered += db_rows(applied); numbered->path != NULL; numbered++) {
        struct file file;
        status = file_read(numbered, true, &file, err);
        if (status == ST_OK)
            status = apply_one(db, &file, report, err);
        if (status != ST_OK)
            return status;
    }
    return ST_OK;
}

static enum status apply_repeatable(struct db *db, const struct embedded_file *repeatable,
                                    struct strbuf *report, struct err *err)
{
    AUTO_DBRESULT struct db_result *held = NULL;
    enum status status = db_exec(db, &statements[REPEATABLE_LIST], NULL, &held, err);
    for (; status == ST_OK && repeatable->path != NULL; repeatable++) {
        struct file file;
        status = file_read(repeatable, false, &file, err);
        if (status == ST_OK && !repeatable_is_applied(held, &file))
            status = apply_one(db, &file, report, err);
    }
    return status;
}

static enum status run_locked(struct db *db, const struct embedded_file *numbered,
                              const struct embedded_file *repeatable, struct strbuf *report,
                              struct err *err)
{
    /* Another run may take long: wait for it. Later locks do not wait for ever. */
    enum status status =
        db_script(db, "SET lock_timeout = 0; SET client_min_messages = warning", err);
    if (status == ST_OK)
        status = db_exec(db, &statements[LOCK], NULL, NULL, err);
    if (status == ST_OK)
        status = db_script(db, "SET lock_timeout = '60s'", err);
    if (status == ST_OK)
        status = db_script(db, bootstrap, err);
    if (status == ST_OK)
        status = apply_numbered(db, numbered, report, err);
    if (status == ST_OK)
        status = apply_repeatable(db, repeatable, report, err);
    return status;
}

enum status migrate_run_files(const char *database_url, const struct embedded_file *numbered,
                              const struct embedded_file *repeatable, struct strbuf *report,
                              struct err *err)
{
    struct db_options options = {
        .url = database_url, .connections = 1, .application_name = "poolfleet migrate"};
    struct db_pool *pool = NULL;
    enum status status = db_pool_new(&options, &pool, err);
    if (status != ST_OK)
        return status;
    struct db *db = NULL;
    size_t before = report->length;
    status = db_open_own(pool, &db, err);
    if (status == ST_OK)
        status = run_locked(db, numbered, repeatable, report, err);
    db_release(db); /* closes the connection, and with it the advisory lock */
    db_pool_free(pool);
    if (status == ST_OK && report->length == before)
        strbuf_puts(report, "the schema is up to date\n");
    return status;
}

enum status migrate_run(const char *database_url, struct strbuf *report, struct err *err)
{
    return migrate_run_files(database_url, embedded_sql, embedded_repeatable, report, err);
}

/* ---- check ----------------------------------------------------------------- */

static enum status behind(struct err *err, const char *what, const char *slug)
{
    enum status status = err_set(
        err, ST_CONFLICT, "the database schema is older than this program: %s \"%s\"", what, slug);
    if (err != NULL)
        snprintf(err->hint, sizeof err->hint, HINT_MIGRATE);
    return status;
}

static enum status check_repeatable(struct db *db, struct err *err)
{
    AUTO_DBRESULT struct db_result *held = NULL;
    enum status status = db_exec(db, &statements[REPEATABLE_LIST], NULL, &held, err);
    for (const struct embedded_file *at = embedded_repeatable; status == ST_OK && at->path != NULL;
         at++) {
        struct file file;
        status = file_read(at, false, &file, err);
        if (status == ST_OK && !repeatable_is_applied(held, &file))
            status = behind(err, "it lacks the present", file.slug);
    }
    return status;
}

enum status migrate_check(struct db *db, struct err *err)
{
    AUTO_DBRESULT struct db_result *tables = NULL;
    AUTO_DBRESULT struct db_result *applied = NULL;
    enum status status = db_exec(db, &statements[HAS_TABLES], NULL, &tables, err);
    if (status != ST_OK)
        return status;
    if (!db_bool(tables, 0, 0)) {
        status = err_set(err, ST_CONFLICT, "the database has no schema yet");
        if (err != NULL)
            snprintf(err->hint, sizeof err->hint, HINT_MIGRATE);
        return status;
    }
    status = db_exec(db, &statements[LIST], NULL, &applied, err);
    if (status == ST_OK)
        status = compare_applied(applied, embedded_sql, err);
    if (status != ST_OK)
        return status;
    const struct embedded_file *next = embedded_sql;
    for (size_t i = 0; i < db_rows(applied); i++)
        next++;
    if (next->path != NULL)
        return behind(err, "it lacks", next->path);
    return check_repeatable(db, err);
}
