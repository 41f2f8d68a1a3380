/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_driver_files.h"

#include "server/store/registry.h"

#include <stdlib.h>
#include <string.h>

/* Hosts of one unscanned build that may be asked in turn, and builds of one look. Chosen: a fleet
 * of one Windows version runs a few thousand builds, and most are scanned on the first day. */
#define NEED_HOSTS  "16"
#define NEED_BUILDS "20000"

enum { LEARN, UNSCANNED, NEEDS, TAG_DRIVERS, FILES_OF };
static const struct stmt statements[] = {
    /* In the order of their hashes, so that two servers do not wait for each other. A file that
     * stands twice under two names is one row. */
    [LEARN] = STMT(
        "driver_files_learn",
        "INSERT INTO driver_file AS f (sha256, name, version, company, product, symbols, tags,"
        " scanned_at, scanned_by, first_seen_at) SELECT DISTINCT ON (hash) hash, name, version,"
        " company, product, symbols,"
        " CASE WHEN told THEN CASE WHEN tags = '' THEN '{}'::text[]"
        " ELSE string_to_array(tags, E'\\n') END END,"
        " CASE WHEN told THEN $2::timestamptz END, CASE WHEN told THEN $1::bigint END,"
        " $2::timestamptz FROM (SELECT decode(sha256, 'hex') AS hash, g.* FROM"
        " unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],"
        " $9::boolean[], $10::text[]) AS g (sha256, name, version, company, product, symbols,"
        " told, tags)) AS g ORDER BY hash, told DESC"
        " ON CONFLICT (sha256) DO UPDATE SET tags = coalesce(f.tags, excluded.tags),"
        " scanned_at = coalesce(f.scanned_at, excluded.scanned_at),"
        " scanned_by = CASE WHEN f.tags IS NULL THEN excluded.scanned_by ELSE f.scanned_by END,"
        " company = coalesce(f.company, excluded.company),"
        " version = coalesce(f.version, excluded.version),"
        " product = coalesce(f.product, excluded.product),"
        " symbols = coalesce(f.symbols, excluded.symbols)"
        " WHERE (f.tags IS NULL AND excluded.tags IS NOT NULL)"
        " OR (f.product IS NULL AND excluded.product IS NOT NULL)"
        " OR (f.symbols IS NULL AND excluded.symbols IS NOT NULL)",
        "izTTTTTTBT", ""),
    [UNSCANNED] = STMT("driver_files_unscanned",
                       "SELECT sha256 FROM driver_file WHERE tags IS NULL AND sha256 = ANY ("
                       "SELECT decode(g, 'hex') FROM unnest($1::text[]) AS g)",
                       "T", "x"),
    [NEEDS] = STMT("driver_files_needs",
                   "SELECT h.id, f.sha256 FROM (SELECT sha256 FROM driver_file"
                   " WHERE tags IS NULL ORDER BY first_seen_at LIMIT " NEED_BUILDS ") AS f"
                   " CROSS JOIN LATERAL (SELECT host.id FROM host_driver d"
                   " JOIN host USING (host_id) WHERE d.sha256 = f.sha256 AND d.valid_to IS NULL"
                   " AND host.received_at >= $1 LIMIT " NEED_HOSTS ") AS h",
                   "z", "tx"),
    [TAG_DRIVERS] =
        STMT("driver_files_tag_drivers",
             "SELECT tag, name, max(company), count(DISTINCT host_id) FROM ("
             "SELECT unnest(CASE WHEN d.tags = '{}' AND f.scanned_at <= $1 THEN f.tags ELSE d.tags"
             " END) AS tag, d.name, d.company, d.host_id FROM host_driver d"
             " LEFT JOIN driver_file f USING (sha256) WHERE d.valid_from <= $1"
             " AND (d.valid_to IS NULL OR d.valid_to > $1)) AS t"
             " GROUP BY tag, name ORDER BY tag COLLATE \"C\", 4 DESC, name COLLATE \"C\"",
             "z", "ttti"),
    [FILES_OF] = STMT(
        "driver_files_of",
        "SELECT d.sha256, d.version, f.product, f.symbols, f.tags IS NOT NULL,"
        " coalesce(f.tags, '{}'), count(*) FILTER (WHERE d.valid_to IS NULL), min(d.valid_from),"
        " f.scanned_at FROM host_driver d JOIN driver_file f USING (sha256) WHERE d.name = $1"
        " GROUP BY d.sha256, d.version, f.product, f.symbols, f.tags, f.scanned_at"
        " ORDER BY 7 DESC, 8 DESC, 1",
        "t", "xtttbTizz"),
};
const struct stmt_table store_driver_files_statements = {statements,
                                                         sizeof statements / sizeof *statements};

/* ---- hashes ---------------------------------------------------------------- */

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool driver_file_hash_parse(const char *text, unsigned char ret_hash[DRIVER_FILE_HASH_BYTES])
{
    for (size_t i = 0; i < DRIVER_FILE_HASH_BYTES; i++) {
        int high = digit(text[2 * i]), low = high < 0 ? -1 : digit(text[2 * i + 1]);
        if (low < 0)
            return false;
        ret_hash[i] = (unsigned char)(high << 4 | low);
    }
    return text[2 * DRIVER_FILE_HASH_BYTES] == '\0';
}

void driver_file_hash_format(const unsigned char hash[DRIVER_FILE_HASH_BYTES], char ret_text[65])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < DRIVER_FILE_HASH_BYTES; i++) {
        ret_text[2 * i] = digits[hash[i] >> 4];
        ret_text[2 * i + 1] = digits[hash[i] & 15];
    }
    ret_text[2 * DRIVER_FILE_HASH_BYTES] = '\0';
}

static bool hash_read(const struct db_result *result, size_t row, size_t column,
                      unsigned char ret_hash[DRIVER_FILE_HASH_BYTES])
{
    size_t length = 0;
    const void *bytes = db_bytes(result, row, column, &length);
    if (bytes == NULL || length != DRIVER_FILE_HASH_BYTES)
        return false;
    memcpy(ret_hash, bytes, length);
    return true;
}

/* ---- learning -------------------------------------------------------------- */

const char *store_driver_tags_text(struct arena *arena, const struct snapshot_driver *driver)
{
    char *text = arena_alloc(arena, driver->tag_count + 1, TAG_TEXT_MAX);
    size_t at = 0;
    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < driver->tag_count; i++) {
        if (i > 0)
            text[at++] = '\n';
        tag_format(driver->tags[i], text + at);
        at += strlen(text + at);
    }
    text[at] = '\0';
    return text;
}

enum { HASH, NAME, VERSION, COMPANY, PRODUCT, SYMBOLS, TAGS, TEXTS };

static enum status read_unscanned(struct db *db, const char *const *hashes, size_t count,
                                  struct arena *arena, struct driver_files *ret_unscanned,
                                  struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_text_array(&params, hashes, count);
    enum status status = db_exec(db, &statements[UNSCANNED], &params, &result, err);
    if (status != ST_OK)
        return status;
    struct driver_files files = {arena_alloc(arena, db_rows(result), sizeof *files.hashes), 0};
    if (files.hashes == NULL)
        return err_set(err, ST_NOMEM, "could not add driver files: out of memory");
    for (size_t row = 0; row < db_rows(result); row++)
        files.count += hash_read(result, row, 0, files.hashes[files.count]);
    *ret_unscanned = files;
    return ST_OK;
}

enum status store_driver_files_learn(struct db *db, int64_t host_key,
                                     const struct snapshot *snapshot, struct arena *arena,
                                     struct driver_files *ret_unscanned, struct err *err)
{
    AUTO_ARENA struct arena own = {0};
    const char **text[TEXTS];
    bool room = true;
    size_t count = 0;
    *ret_unscanned = (struct driver_files){0};
    for (int i = 0; i < TEXTS; i++)
        room = (text[i] = arena_alloc(&own, snapshot->driver_count, sizeof **text)) != NULL && room;
    bool *told = arena_alloc(&own, snapshot->driver_count, sizeof *told);
    room = room && told != NULL;
    for (size_t i = 0; room && i < snapshot->driver_count; i++) {
        const struct snapshot_driver *driver = &snapshot->drivers[i];
        if (driver->sha256 == NULL)
            continue;
        text[HASH][count] = driver->sha256;
        text[NAME][count] = driver->name;
        text[VERSION][count] = driver->version;
        text[COMPANY][count] = driver->company;
        text[PRODUCT][count] = driver->product;
        text[SYMBOLS][count] = driver->symbols;
        told[count] = driver->has_tags;
        room = (text[TAGS][count++] = store_driver_tags_text(&own, driver)) != NULL;
    }
    if (!room)
        return err_set(err, ST_NOMEM, "could not add driver files: out of memory");
    if (count == 0)
        return ST_OK;
    struct db_params params = {0};
    db_p_i64(&params, host_key);
    db_p_time(&params, snapshot->taken_at_us);
    for (int i = HASH; i <= SYMBOLS; i++)
        db_p_text_array(&params, text[i], count);
    db_p_bool_array(&params, told, count);
    db_p_text_array(&params, text[TAGS], count);
    enum status status = db_exec(db, &statements[LEARN], &params, NULL, err);
    return status == ST_OK ? read_unscanned(db, text[HASH], count, arena, ret_unscanned, err)
                           : status;
}

/* ---- reading --------------------------------------------------------------- */

enum status store_driver_files_needs(struct db *db, int64_t seen_since_us, driver_file_need_fn fn,
                                     void *arg, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_time(&params, seen_since_us);
    enum status status = db_exec(db, &statements[NEEDS], &params, &result, err);
    for (size_t row = 0; status == ST_OK && row < db_rows(result); row++) {
        unsigned char hash[DRIVER_FILE_HASH_BYTES];
        if (!hash_read(result, row, 1, hash))
            continue;
        status = fn(arg, db_text(result, row, 0), hash);
        if (status != ST_OK)
            err_set(err, status, "could not look for drivers to scan: out of memory");
    }
    return status;
}

static const char *keep(struct arena *arena, const char *text, bool *failed)
{
    if (text == NULL)
        return NULL;
    const char *copy = arena_strdup(arena, text);
    *failed = *failed || copy == NULL;
    return copy;
}

static int by_tag(const void *a, const void *b)
{
    const struct tag_driver *x = a, *y = b;
    if (x->tag != y->tag)
        return x->tag < y->tag ? -1 : 1;
    if (x->hosts != y->hosts)
        return x->hosts > y->hosts ? -1 : 1;
    return strcmp(x->driver, y->driver);
}

enum status store_tag_drivers(struct db *db, int64_t as_of_us, struct tag_drivers *ret_drivers,
                              struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    struct tag_drivers drivers = {0};
    db_p_time(&params, as_of_us);
    enum status status = db_exec(db, &statements[TAG_DRIVERS], &params, &result, err);
    if (status != ST_OK)
        return status;
    drivers.items = arena_alloc(&drivers.arena, db_rows(result), sizeof *drivers.items);
    bool failed = drivers.items == NULL;
    for (size_t row = 0; !failed && row < db_rows(result); row++) {
        struct tag_driver *item = &drivers.items[drivers.count];
        const char *tag = db_text(result, row, 0);
        if (tag == NULL || !tag_parse(tag, strlen(tag), &item->tag))
            continue;
        item->driver = keep(&drivers.arena, db_text(result, row, 1), &failed);
        item->company = keep(&drivers.arena, db_text(result, row, 2), &failed);
        item->hosts = db_i64(result, row, 3);
        drivers.count++;
    }
    if (failed) {
        tag_drivers_done(&drivers);
        return err_set(err, ST_NOMEM, "could not read the drivers of tags: out of memory");
    }
    qsort(drivers.items, drivers.count, sizeof *drivers.items, by_tag);
    *ret_drivers = drivers;
    return ST_OK;
}

static void file_read(const struct db_result *result, size_t row, struct arena *arena,
                      struct driver_file_item *item, bool *failed)
{
    *failed = *failed || !hash_read(result, row, 0, item->hash);
    item->version = keep(arena, db_text(result, row, 1), failed);
    item->product = keep(arena, db_text(result, row, 2), failed);
    item->symbols = keep(arena, db_text(result, row, 3), failed);
    item->scanned = db_bool(result, row, 4);
    item->tag_count = db_array_count(result, row, 5);
    item->hosts = db_i64(result, row, 6);
    item->first_seen_us = db_time(result, row, 7);
    item->scanned_at_us = db_time(result, row, 8);
    item->tags = arena_alloc(arena, item->tag_count, sizeof *item->tags);
    *failed = *failed || item->tags == NULL;
    for (size_t i = 0; !*failed && i < item->tag_count; i++) {
        size_t length = 0;
        const char *text = db_array_text(result, row, 5, i, &length);
        item->tags[i] = arena_strndup(arena, text == NULL ? "" : text, length);
        *failed = item->tags[i] == NULL;
    }
}

enum status store_driver_files_of(struct db *db, const char *name,
                                  struct driver_file_items *ret_items, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    struct driver_file_items items = {0};
    db_p_text(&params, name);
    enum status status = db_exec(db, &statements[FILES_OF], &params, &result, err);
    if (status != ST_OK)
        return status;
    items.items = arena_alloc(&items.arena, db_rows(result), sizeof *items.items);
    bool failed = items.items == NULL;
    for (size_t row = 0; !failed && row < db_rows(result); row++)
        file_read(result, row, &items.arena, &items.items[items.count++], &failed);
    if (failed) {
        driver_file_items_done(&items);
        return err_set(err, ST_NOMEM, "could not read a driver's files: out of memory");
    }
    *ret_items = items;
    return ST_OK;
}
