/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_ingest.h"

#include "common/arena.h"
#include "common/strbuf.h"
#include "server/store/registry.h"

#include <sodium.h>
#include <string.h>

enum {
    LOCK_HOSTS,
    ADD_HOSTS,
    UPDATE_HOSTS,
    ADD_ROWS,
    ATTRIBUTES_FORGET,
    ATTRIBUTES_END,
    ATTRIBUTES_BEGIN,
    ATTRIBUTES_EXTEND,
    ATTRIBUTES_BEFORE,
    DRIVERS_FORGET,
    DRIVERS_END,
    DRIVERS_BEGIN,
    DRIVERS_EXTEND,
    DRIVERS_BEFORE
};

#define GIVEN_ATTRIBUTES                                                                           \
    "given AS (SELECT * FROM unnest($3::text[], $4::text[]) AS g (name, value)) "
#define GIVEN_DRIVERS                                                                              \
    "given AS (SELECT name, version, company,"                                                     \
    " CASE WHEN tags = '' THEN '{}'::text[] ELSE string_to_array(tags, E'\\n') END AS tags"        \
    " FROM unnest($3::text[], $4::text[], $5::text[], $6::text[])"                                 \
    " AS g (name, version, company, tags)) "
#define FIRST_OF(table, values)                                                                    \
    "first AS (SELECT DISTINCT ON (name) name, " values ", valid_from FROM " table                 \
    " WHERE host_id = $1 ORDER BY name, valid_from), "
#define SAME_DRIVER(a, b)                                                                          \
    "(" a ".version, " a ".company, " a ".tags) IS NOT DISTINCT FROM (" b ".version, " b           \
    ".company, " b ".tags)"

static const struct stmt statements[] = {
    [LOCK_HOSTS] =
        STMT("ingest_lock_hosts",
             "SELECT host_id, id, first_seen_at, last_seen_at, boot_at, sequence, sequence_max,"
             " keyframe_at, chain, attributes_at, attributes_digest, drivers_at, drivers_digest"
             " FROM host WHERE id = ANY ($1) ORDER BY host_id FOR NO KEY UPDATE",
             "T", "itzzziizdzxzx"),
    [ADD_HOSTS] = STMT("ingest_add_hosts",
                       "INSERT INTO host (id, first_seen_at, last_seen_at, received_at)"
                       " SELECT id, seen, seen, $3 FROM unnest($1::text[], $2::timestamptz[])"
                       " AS g (id, seen) ORDER BY id ON CONFLICT (id) DO NOTHING",
                       "TZz", ""),
    [UPDATE_HOSTS] =
        STMT("ingest_update_hosts",
             "UPDATE host h SET name = coalesce(g.name, h.name), first_seen_at = g.first_seen_at,"
             " last_seen_at = g.last_seen_at, received_at = $14, boot_at = g.boot_at,"
             " sequence = g.sequence, sequence_max = g.sequence_max, keyframe_at = g.keyframe_at,"
             " chain = g.chain::integer, attributes_at = g.attributes_at,"
             " attributes_digest = g.attributes_digest, drivers_at = g.drivers_at,"
             " drivers_digest = g.drivers_digest FROM unnest($1::bigint[], $2::text[],"
             " $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::bigint[], $7::bigint[],"
             " $8::timestamptz[], $9::bigint[], $10::timestamptz[], $11::bytea[],"
             " $12::timestamptz[], $13::bytea[]) AS g (host_id, name, first_seen_at, last_seen_at,"
             " boot_at, sequence, sequence_max, keyframe_at, chain, attributes_at,"
             " attributes_digest, drivers_at, drivers_digest) WHERE h.host_id = g.host_id",
             "ITZZZIIZIZXZXz", ""),
    [ADD_ROWS] = STMT(
        "ingest_add_rows",
        "WITH added AS (INSERT INTO snapshot (host_id, taken_at, boot_at, sequence, base,"
        " keyframe, keyframe_at, chain, received_at, row_count, nonpaged_bytes, paged_bytes,"
        " nonpaged_limit_bytes, paged_limit_bytes, commit_bytes, commit_limit_bytes,"
        " physical_bytes, available_bytes, handles, processes, threads, alloc_failures,"
        " detail, block) SELECT g.host_id, g.taken_at, g.boot_at, g.sequence, g.base,"
        " g.chain = 0, g.keyframe_at, g.chain::integer, $23, g.row_count::integer,"
        " g.t0, g.t1, g.t2, g.t3, g.t4, g.t5, g.t6, g.t7, g.t8, g.t9, g.t10, g.t11,"
        " g.detail::jsonb - '{format,host,taken_at}'::text[], g.block FROM unnest($1::bigint[],"
        " $2::timestamptz[],"
        " $3::timestamptz[], $4::bigint[], $5::bigint[], $6::timestamptz[], $7::bigint[],"
        " $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],"
        " $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[],"
        " $18::bigint[], $19::bigint[], $20::bigint[], $21::text[], $22::bytea[])"
        " AS g (host_id, taken_at, boot_at, sequence, base, keyframe_at, chain, row_count,"
        " t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, detail, block)"
        " ON CONFLICT DO NOTHING RETURNING 1) SELECT count(*) FROM added",
        "IZZIIZIIIIIIIIIIIIIITXz", "i"),

    /* A value that began at this very moment and is contradicted now never held. */
    [ATTRIBUTES_FORGET] =
        STMT("ingest_attributes_forget",
             "WITH " GIVEN_ATTRIBUTES "DELETE FROM host_attribute a WHERE host_id = $1"
             " AND valid_to IS NULL AND valid_from = $2 AND NOT EXISTS (SELECT FROM given g"
             " WHERE g.name = a.name AND g.value = a.value)",
             "izTT", ""),
    [ATTRIBUTES_END] =
        STMT("ingest_attributes_end",
             "WITH " GIVEN_ATTRIBUTES "UPDATE host_attribute a SET valid_to = $2 WHERE host_id = $1"
             " AND valid_to IS NULL AND NOT EXISTS (SELECT FROM given g"
             " WHERE g.name = a.name AND g.value = a.value)",
             "izTT", ""),
    [ATTRIBUTES_BEGIN] = STMT(
        "ingest_attributes_begin",
        "WITH " GIVEN_ATTRIBUTES "INSERT INTO host_attribute (host_id, name, value, valid_from)"
        " SELECT $1, g.name, g.value, $2 FROM given g WHERE NOT EXISTS (SELECT FROM"
        " host_attribute a WHERE a.host_id = $1 AND a.name = g.name AND a.valid_to IS NULL)",
        "izTT", ""),
    [ATTRIBUTES_EXTEND] =
        STMT("ingest_attributes_extend",
             "WITH " FIRST_OF("host_attribute", "value") GIVEN_ATTRIBUTES
             "UPDATE host_attribute a SET valid_from = $2 FROM first f JOIN given g USING (name)"
             " WHERE a.host_id = $1 AND a.name = f.name AND a.valid_from = f.valid_from"
             " AND f.valid_from > $2 AND f.value = g.value",
             "izTT", ""),
    [ATTRIBUTES_BEFORE] =
        STMT("ingest_attributes_before",
             "WITH " FIRST_OF("host_attribute", "value") GIVEN_ATTRIBUTES
             "INSERT INTO host_attribute (host_id, name, value, valid_from, valid_to)"
             " SELECT $1, g.name, g.value, $2, coalesce(f.valid_from, (SELECT min(valid_from) FROM"
             " first WHERE valid_from > $2), $5) FROM given g LEFT JOIN first f USING (name)"
             " WHERE f.name IS NULL OR f.valid_from > $2",
             "izTTz", ""),
    [DRIVERS_FORGET] =
        STMT("ingest_drivers_forget",
             "WITH " GIVEN_DRIVERS "DELETE FROM host_driver a WHERE host_id = $1"
             " AND valid_to IS NULL AND valid_from = $2 AND NOT EXISTS (SELECT FROM given g"
             " WHERE g.name = a.name AND " SAME_DRIVER("g", "a") ")",
             "izTTTT", ""),
    [DRIVERS_END] =
        STMT("ingest_drivers_end",
             "WITH " GIVEN_DRIVERS "UPDATE host_driver a SET valid_to = $2 WHERE host_id = $1"
             " AND valid_to IS NULL AND NOT EXISTS (SELECT FROM given g"
             " WHERE g.name = a.name AND " SAME_DRIVER("g", "a") ")",
             "izTTTT", ""),
    [DRIVERS_BEGIN] =
        STMT("ingest_drivers_begin",
             "WITH " GIVEN_DRIVERS "INSERT INTO host_driver (host_id, name, version, company, tags,"
             " valid_from) SELECT $1, g.name, g.version, g.company, g.tags, $2 FROM given g"
             " WHERE NOT EXISTS (SELECT FROM host_driver a WHERE a.host_id = $1"
             " AND a.name = g.name AND a.valid_to IS NULL)",
             "izTTTT", ""),
    [DRIVERS_EXTEND] =
        STMT("ingest_drivers_extend",
             "WITH " FIRST_OF("host_driver", "version, company, tags") GIVEN_DRIVERS
             "UPDATE host_driver a SET valid_from = $2 FROM first f JOIN given g USING (name)"
             " WHERE a.host_id = $1 AND a.name = f.name AND a.valid_from = f.valid_from"
             " AND f.valid_from > $2 AND " SAME_DRIVER("f", "g"),
             "izTTTT", ""),
    [DRIVERS_BEFORE] =
        STMT("ingest_drivers_before",
             "WITH " FIRST_OF("host_driver", "version, company, tags") GIVEN_DRIVERS
             "INSERT INTO host_driver (host_id, name, version, company, tags, valid_from, valid_to)"
             " SELECT $1, g.name, g.version, g.company, g.tags, $2, coalesce(f.valid_from,"
             " (SELECT min(valid_from) FROM first WHERE valid_from > $2), $7) FROM given g"
             " LEFT JOIN first f USING (name) WHERE f.name IS NULL OR f.valid_from > $2",
             "izTTTTz", ""),
};
const struct stmt_table store_ingest_statements = {statements,
                                                   sizeof statements / sizeof *statements};

/* ---- hosts ----------------------------------------------------------------- */

static int64_t number_or_unknown(const struct db_result *result, size_t row, size_t column)
{
    return db_null(result, row, column) ? SEQUENCE_UNKNOWN : db_i64(result, row, column);
}

static bool digest_read(const struct db_result *result, size_t row, size_t column,
                        unsigned char ret_digest[STORE_DIGEST_BYTES])
{
    size_t length;
    const void *digest = db_bytes(result, row, column, &length);
    if (digest == NULL || length != STORE_DIGEST_BYTES)
        return false;
    memcpy(ret_digest, digest, length);
    return true;
}

static void host_read(const struct db_result *result, size_t row, struct ingest_host *host)
{
    host->key = db_i64(result, row, 0);
    host->first_seen_us = db_time(result, row, 2);
    host->boot_at_us = db_time(result, row, 4);
    host->sequence = number_or_unknown(result, row, 5);
    host->sequence_max = number_or_unknown(result, row, 6);
    host->keyframe_at_us = db_time(result, row, 7);
    host->chain = db_i64(result, row, 8);
    host->attributes_at_us = db_time(result, row, 9);
    host->has_attributes_digest = digest_read(result, row, 10, host->attributes_digest);
    host->drivers_at_us = db_time(result, row, 11);
    host->has_drivers_digest = digest_read(result, row, 12, host->drivers_digest);
    /* A row without keyframe has just been made: it has no snapshot yet. */
    host->last_seen_us =
        host->keyframe_at_us == TIME_UNKNOWN ? TIME_UNKNOWN : db_time(result, row, 3);
}

enum status store_ingest_lock(struct db *db, struct ingest_host *const *hosts, size_t count,
                              struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    AUTO_FREE const char **ids = calloc(count + 1, sizeof *ids);
    if (ids == NULL)
        return err_set(err, ST_NOMEM, "could not lock hosts: out of memory");
    for (size_t i = 0; i < count; i++)
        ids[i] = hosts[i]->id;
    struct db_params params = {0};
    db_p_text_array(&params, ids, count);
    enum status status = db_exec(db, &statements[LOCK_HOSTS], &params, &result, err);
    for (size_t row = 0; status == ST_OK && row < db_rows(result); row++) {
        const char *id = db_text(result, row, 1);
        /* Both lists are as long as one group of documents has hosts; sorted by the caller. */
        size_t low = 0, high = count;
        while (low < high) {
            size_t middle = (low + high) / 2;
            if (strcmp(hosts[middle]->id, id) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        if (low < count && strcmp(hosts[low]->id, id) == 0)
            host_read(result, row, hosts[low]);
    }
    return status;
}

enum status store_ingest_add_hosts(struct db *db, struct ingest_host *const *hosts, size_t count,
                                   int64_t now_us, struct err *err)
{
    AUTO_FREE const char **ids = calloc(count + 1, sizeof *ids);
    AUTO_FREE int64_t *seen = calloc(count + 1, sizeof *seen);
    if (ids == NULL || seen == NULL)
        return err_set(err, ST_NOMEM, "could not add hosts: out of memory");
    for (size_t i = 0; i < count; i++) {
        ids[i] = hosts[i]->id;
        seen[i] = hosts[i]->first_seen_us;
    }
    struct db_params params = {0};
    db_p_text_array(&params, ids, count);
    db_p_time_array(&params, seen, count);
    db_p_time(&params, now_us);
    return db_exec(db, &statements[ADD_HOSTS], &params, NULL, err);
}

/* SEQUENCE_UNKNOWN as an SQL NULL. */
static int64_t sql_number(int64_t sequence)
{
    return sequence == SEQUENCE_UNKNOWN ? INT64_MIN : sequence;
}

enum status store_ingest_update_hosts(struct db *db, struct ingest_host *const *hosts, size_t count,
                                      int64_t now_us, struct err *err)
{
    enum {
        KEY,
        FIRST,
        LAST,
        BOOT,
        SEQUENCE,
        SEQUENCE_MAX,
        KEYFRAME,
        CHAIN,
        ATTRIBUTES,
        DRIVERS,
        NUMBERS
    };
    AUTO_ARENA struct arena arena = {0};
    int64_t *number[NUMBERS];
    bool room = true;
    for (int i = 0; i < NUMBERS; i++)
        room = (number[i] = arena_alloc(&arena, count, sizeof **number)) != NULL && room;
    const char **name = arena_alloc(&arena, count, sizeof *name);
    const void **attributes = arena_alloc(&arena, count, sizeof *attributes);
    const void **drivers = arena_alloc(&arena, count, sizeof *drivers);
    size_t *lengths = arena_alloc(&arena, count, sizeof *lengths);
    if (!room || name == NULL || attributes == NULL || drivers == NULL || lengths == NULL)
        return err_set(err, ST_NOMEM, "could not update hosts: out of memory");
    for (size_t i = 0; i < count; i++) {
        const struct ingest_host *host = hosts[i];
        number[KEY][i] = host->key;
        name[i] = host->name;
        number[FIRST][i] = host->first_seen_us;
        number[LAST][i] = host->last_seen_us;
        number[BOOT][i] = host->boot_at_us;
        number[SEQUENCE][i] = sql_number(host->sequence);
        number[SEQUENCE_MAX][i] = sql_number(host->sequence_max);
        number[KEYFRAME][i] = host->keyframe_at_us;
        number[CHAIN][i] = host->chain;
        number[ATTRIBUTES][i] = host->attributes_at_us;
        attributes[i] = host->has_attributes_digest ? host->attributes_digest : NULL;
        number[DRIVERS][i] = host->drivers_at_us;
        drivers[i] = host->has_drivers_digest ? host->drivers_digest : NULL;
        lengths[i] = STORE_DIGEST_BYTES;
    }
    struct db_params params = {0};
    db_p_i64_array(&params, number[KEY], count);
    db_p_text_array(&params, name, count);
    db_p_time_array(&params, number[FIRST], count);
    db_p_time_array(&params, number[LAST], count);
    db_p_time_array(&params, number[BOOT], count);
    db_p_i64_array(&params, number[SEQUENCE], count);
    db_p_i64_array(&params, number[SEQUENCE_MAX], count);
    db_p_time_array(&params, number[KEYFRAME], count);
    db_p_i64_array(&params, number[CHAIN], count);
    db_p_time_array(&params, number[ATTRIBUTES], count);
    db_p_bytes_array(&params, attributes, lengths, count);
    db_p_time_array(&params, number[DRIVERS], count);
    db_p_bytes_array(&params, drivers, lengths, count);
    db_p_time(&params, now_us);
    return db_exec(db, &statements[UPDATE_HOSTS], &params, NULL, err);
}

/* ---- rows ------------------------------------------------------------------ */

enum {
    HOST,
    TAKEN,
    BOOT,
    SEQUENCE,
    BASE,
    KEYFRAME,
    CHAIN,
    ROW_COUNT,
    TOTALS,
    ROW_NUMBERS = TOTALS + TOTAL_COUNT
};

static void row_numbers(const struct ingest_row *row, size_t i, int64_t *const number[ROW_NUMBERS])
{
    number[HOST][i] = row->host_key;
    number[TAKEN][i] = row->taken_at_us;
    number[BOOT][i] = row->boot_at_us;
    number[SEQUENCE][i] = sql_number(row->sequence);
    number[BASE][i] = sql_number(row->base);
    number[KEYFRAME][i] = row->keyframe_at_us;
    number[CHAIN][i] = row->chain;
    number[ROW_COUNT][i] = row->row_count;
    for (int total = 0; total < TOTAL_COUNT; total++)
        number[TOTALS + total][i] = totals_has(&row->totals, (enum total)total)
                                        ? (int64_t)row->totals.value[total]
                                        : INT64_MIN;
}

enum status store_ingest_rows(struct db *db, const struct ingest_row *rows, size_t count,
                              int64_t now_us, size_t *ret_added, struct err *err)
{
    AUTO_ARENA struct arena arena = {0};
    AUTO_DBRESULT struct db_result *result = NULL;
    int64_t *number[ROW_NUMBERS];
    bool room = true;
    for (int i = 0; i < ROW_NUMBERS; i++)
        room = (number[i] = arena_alloc(&arena, count, sizeof **number)) != NULL && room;
    const char **detail = arena_alloc(&arena, count, sizeof *detail);
    const void **block = arena_alloc(&arena, count, sizeof *block);
    size_t *lengths = arena_alloc(&arena, count, sizeof *lengths);
    if (!room || detail == NULL || block == NULL || lengths == NULL)
        return err_set(err, ST_NOMEM, "could not add snapshots: out of memory");
    for (size_t i = 0; i < count; i++) {
        row_numbers(&rows[i], i, number);
        detail[i] = rows[i].detail;
        block[i] = rows[i].block;
        lengths[i] = rows[i].block_length;
    }
    struct db_params params = {0};
    for (int i = 0; i < ROW_NUMBERS; i++) {
        if (i == TAKEN || i == BOOT || i == KEYFRAME)
            db_p_time_array(&params, number[i], count);
        else
            db_p_i64_array(&params, number[i], count);
    }
    db_p_text_array(&params, detail, count);
    db_p_bytes_array(&params, block, lengths, count);
    db_p_time(&params, now_us);
    enum status status = db_exec(db, &statements[ADD_ROWS], &params, &result, err);
    if (status == ST_OK)
        *ret_added = (size_t)db_i64(result, 0, 0);
    return status;
}

/* ---- facts ----------------------------------------------------------------- */

/* The columns of one kind of fact, ready to be added behind host and time. */
struct fact_columns {
    size_t columns;
    size_t count;
    const char **text[4];
};

static enum status facts_write(struct db *db, int first, int64_t host_key, int64_t taken_at_us,
                               const struct fact_columns *facts, bool late, int64_t newest_us,
                               struct err *err)
{
    /* In order: forget, end, begin. Late: before, which needs the old first values, then extend
     * would see what was just put in: so extend comes first and takes its names out. */
    const int in_order[] = {0, 1, 2}, before[] = {3, 4};
    size_t steps = late ? 2 : 3;
    for (size_t i = 0; i < steps; i++) {
        int which = first + (late ? before[i] : in_order[i]);
        struct db_params params = {0};
        db_p_i64(&params, host_key);
        db_p_time(&params, taken_at_us);
        for (size_t c = 0; c < facts->columns; c++)
            db_p_text_array(&params, facts->text[c], facts->count);
        if (late && i == 1)
            db_p_time(&params, newest_us);
        enum status status = db_exec(db, &statements[which], &params, NULL, err);
        if (status != ST_OK)
            return status;
    }
    return ST_OK;
}

static bool columns_alloc(struct arena *arena, struct fact_columns *facts)
{
    for (size_t c = 0; c < facts->columns; c++) {
        facts->text[c] = arena_alloc(arena, facts->count, sizeof **facts->text);
        if (facts->text[c] == NULL)
            return false;
    }
    return true;
}

enum status store_ingest_attributes(struct db *db, int64_t host_key,
                                    const struct snapshot *snapshot, bool late, int64_t newest_us,
                                    struct err *err)
{
    AUTO_ARENA struct arena arena = {0};
    struct fact_columns facts = {.columns = 2, .count = snapshot->attribute_count};
    if (!columns_alloc(&arena, &facts))
        return err_set(err, ST_NOMEM, "could not add attributes: out of memory");
    for (size_t i = 0; i < facts.count; i++) {
        facts.text[0][i] = snapshot->attributes[i].name;
        facts.text[1][i] = snapshot->attributes[i].value;
    }
    return facts_write(db, ATTRIBUTES_FORGET, host_key, snapshot->taken_at_us, &facts, late,
                       newest_us, err);
}

/* Tags in text form, one a line: no text form holds a line end. */
static const char *tags_text(struct arena *arena, const struct snapshot_driver *driver)
{
    char *text = arena_alloc(arena, driver->tag_count + 1, TAG_TEXT_MAX);
    size_t at = 0;
    for (size_t i = 0; text != NULL && i < driver->tag_count; i++) {
        if (i > 0)
            text[at++] = '\n';
        tag_format(driver->tags[i], text + at);
        at += strlen(text + at);
    }
    return text;
}

enum status store_ingest_drivers(struct db *db, int64_t host_key, const struct snapshot *snapshot,
                                 bool late, int64_t newest_us, struct err *err)
{
    AUTO_ARENA struct arena arena = {0};
    struct fact_columns facts = {.columns = 4, .count = snapshot->driver_count};
    bool room = columns_alloc(&arena, &facts);
    for (size_t i = 0; room && i < facts.count; i++) {
        const struct snapshot_driver *driver = &snapshot->drivers[i];
        facts.text[0][i] = driver->name;
        facts.text[1][i] = driver->version;
        facts.text[2][i] = driver->company;
        facts.text[3][i] = tags_text(&arena, driver);
        room = facts.text[3][i] != NULL;
    }
    if (!room)
        return err_set(err, ST_NOMEM, "could not add drivers: out of memory");
    return facts_write(db, DRIVERS_FORGET, host_key, snapshot->taken_at_us, &facts, late, newest_us,
                       err);
}

/* A text with its end, or a byte that no text has for NULL. */
static void digest_text(crypto_generichash_state *state, const char *text)
{
    if (text == NULL)
        crypto_generichash_update(state, (const unsigned char *)"\xff", 1);
    else
        crypto_generichash_update(state, (const unsigned char *)text, strlen(text) + 1);
}

void store_attributes_digest(const struct snapshot *snapshot,
                             unsigned char ret_digest[STORE_DIGEST_BYTES])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, STORE_DIGEST_BYTES);
    for (size_t i = 0; i < snapshot->attribute_count; i++) {
        digest_text(&state, snapshot->attributes[i].name);
        digest_text(&state, snapshot->attributes[i].value);
    }
    crypto_generichash_final(&state, ret_digest, STORE_DIGEST_BYTES);
}

void store_drivers_digest(const struct snapshot *snapshot,
                          unsigned char ret_digest[STORE_DIGEST_BYTES])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, STORE_DIGEST_BYTES);
    for (size_t i = 0; i < snapshot->driver_count; i++) {
        const struct snapshot_driver *driver = &snapshot->drivers[i];
        digest_text(&state, driver->name);
        digest_text(&state, driver->version);
        digest_text(&state, driver->company);
        uint64_t count = driver->tag_count;
        crypto_generichash_update(&state, (const unsigned char *)&count, sizeof count);
        if (count > 0)
            crypto_generichash_update(&state, (const unsigned char *)driver->tags,
                                      driver->tag_count * sizeof *driver->tags);
    }
    crypto_generichash_final(&state, ret_digest, STORE_DIGEST_BYTES);
}
