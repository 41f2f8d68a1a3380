/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_ingest.h"

#include "common/arena.h"
#include "common/strbuf.h"
#include "server/store/registry.h"
#include "server/store/snapshot_columns.h"
#include "server/store/store_driver_files.h"

#include <string.h>

enum {
    LOCK_HOSTS,
    ADD_HOSTS,
    UPDATE_HOSTS,
    ADD_ROWS,
    ADD_NEW_ROWS,
    CATCH_UP,
    CATCH_UP_SOME,
    FOLLOW,
    ATTRIBUTES_FORGET,
    ATTRIBUTES_END,
    ATTRIBUTES_BEGIN,
    ATTRIBUTES_EXTEND,
    ATTRIBUTES_BEFORE,
    DRIVERS_FORGET,
    DRIVERS_END,
    DRIVERS_BEGIN,
    DRIVERS_EXTEND,
    DRIVERS_BEFORE,
    DRIVERS_NAME_FILES,
    BOOT_SEEN
};

#define GIVEN_ATTRIBUTES                                                                           \
    "given AS (SELECT * FROM unnest($3::text[], $4::text[]) AS g (name, value)) "
#define GIVEN_DRIVERS                                                                              \
    "given AS (SELECT name, version, company,"                                                     \
    " CASE WHEN tags = '' THEN '{}'::text[] ELSE string_to_array(tags, E'\\n') END AS tags,"       \
    " decode(sha256, 'hex') AS sha256"                                                             \
    " FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[])"                     \
    " AS g (name, version, company, tags, sha256)) "
#define FIRST_OF(table, values)                                                                    \
    "first AS (SELECT DISTINCT ON (name) name, " values ", valid_from FROM " table                 \
    " WHERE host_id = $1 ORDER BY name, valid_from), "
/* A hash that is not told is no other file; the tags of a file with a hash are not the host's. */
#define SAME_DRIVER(a, b)                                                                          \
    "((" a ".version, " a ".company) IS NOT DISTINCT FROM (" b ".version, " b ".company) AND "     \
    "CASE WHEN coalesce(" a ".sha256, " b ".sha256) IS NULL THEN " a ".tags = " b ".tags "         \
    "ELSE coalesce(" a ".sha256 = " b ".sha256, true) END)"

/* What a snapshot is kept as: a row in snapshot and its block in snapshot_block, by one statement.
 * big_blocks and events stay in the row: they are rare, and asked for by themselves. */
#define INSERT_BLOCKS                                                                              \
    "blocks AS (INSERT INTO snapshot_block (host_id, taken_at, boot_at, sequence, received_at,"    \
    " detail, block) SELECT b.host_id, b.taken_at, b.boot_at, b.sequence, $23,"                    \
    " nullif(b.detail::jsonb - '{format,host,taken_at,big_blocks,events}'::text[], '{}'), b.block" \
    " FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::bigint[], $21::text[],"  \
    " $22::bytea[]) AS b (host_id, taken_at, boot_at, sequence, detail, block))"
#define INSERT_ROWS                                                                                \
    "INSERT INTO snapshot (host_id, taken_at, boot_at, sequence, base,"                            \
    " keyframe, keyframe_at, chain, received_at, row_count, nonpaged_bytes, paged_bytes,"          \
    " nonpaged_limit_bytes, paged_limit_bytes, commit_bytes, commit_limit_bytes,"                  \
    " physical_bytes, available_bytes, handles, processes, threads, alloc_failures,"               \
    " detail) SELECT g.host_id, g.taken_at, g.boot_at, g.sequence, g.base,"                        \
    " g.chain = 0, g.keyframe_at, g.chain::integer, $23, g.row_count::integer,"                    \
    " g.t0, g.t1, g.t2, g.t3, g.t4, g.t5, g.t6, g.t7, g.t8, g.t9, g.t10, g.t11,"                   \
    " CASE WHEN g.detail LIKE '%\"big_blocks\"%' OR g.detail LIKE '%\"events\"%' THEN"             \
    " (SELECT jsonb_object_agg(m.key, m.value) FROM jsonb_each(g.detail::jsonb) AS m"              \
    " WHERE m.key IN ('big_blocks', 'events')) END FROM unnest("                                   \
    "$1::bigint[], $2::timestamptz[],"                                                             \
    " $3::timestamptz[], $4::bigint[], $5::bigint[], $6::timestamptz[], $7::bigint[],"             \
    " $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],"                    \
    " $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[],"                  \
    " $18::bigint[], $19::bigint[], $20::bigint[], $21::text[])"                                   \
    " AS g (host_id, taken_at, boot_at, sequence, base, keyframe_at, chain, row_count,"            \
    " t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, detail)"
#define INSERT_ROW_TYPES "IZZIIZIIIIIIIIIIIIIITXz"
/* Only documents in order, of the boot the row names, come before their host's row: see group.h. */
#define CATCH_UP_HOSTS                                                                             \
    "UPDATE host h SET last_seen_at = n.taken_at, received_at = n.received_at,"                    \
    " sequence = n.sequence, sequence_max = greatest(h.sequence_max, n.sequence),"                 \
    " keyframe_at = n.keyframe_at, chain = n.chain,"                                               \
    " live_taken_at = CASE WHEN h.live_boot_at = h.boot_at"                                        \
    " THEN greatest(h.live_taken_at, n.taken_at) ELSE h.live_taken_at END"                         \
    " FROM host o CROSS JOIN LATERAL (SELECT s.taken_at, s.received_at, s.sequence,"               \
    " s.keyframe_at, s.chain FROM snapshot s WHERE s.host_id = o.host_id"                          \
    " AND s.taken_at > o.last_seen_at AND s.boot_at = o.boot_at"                                   \
    " ORDER BY s.taken_at DESC LIMIT 1) AS n"                                                      \
    " WHERE h.host_id = o.host_id AND h.keyframe_at IS NOT NULL AND h.last_seen_at < n.taken_at"

static const struct stmt statements[] = {
    [LOCK_HOSTS] =
        STMT("ingest_lock_hosts",
             "SELECT host_id, id, first_seen_at, last_seen_at, boot_at, sequence, sequence_max,"
             " keyframe_at, chain, attributes_at, attributes_digest, drivers_at, drivers_digest,"
             " live_boot_at, live_taken_at FROM host WHERE id = ANY ($1) ORDER BY host_id FOR NO "
             "KEY UPDATE",
             "T", "itzzziizdzxzxzz"),
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
             " drivers_digest = g.drivers_digest, live_boot_at = g.live_boot_at,"
             " live_taken_at = g.live_taken_at,"
             " agent_version = CASE WHEN g.told THEN g.agent_version ELSE h.agent_version END,"
             " agent_waiting = CASE WHEN g.told THEN g.agent_waiting ELSE h.agent_waiting END,"
             " agent_dropped = CASE WHEN g.told THEN g.agent_dropped ELSE h.agent_dropped END,"
             " agent_simulated = CASE WHEN g.told THEN g.agent_simulated"
             " ELSE h.agent_simulated END FROM unnest($1::bigint[], $2::text[],"
             " $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::bigint[], $7::bigint[],"
             " $8::timestamptz[], $9::bigint[], $10::timestamptz[], $11::bytea[],"
             " $12::timestamptz[], $13::bytea[], $15::timestamptz[], $16::timestamptz[],"
             " $17::boolean[], $18::text[], $19::bigint[], $20::bigint[], $21::boolean[])"
             " AS g (host_id, name, first_seen_at, last_seen_at,"
             " boot_at, sequence, sequence_max, keyframe_at, chain, attributes_at,"
             " attributes_digest, drivers_at, drivers_digest, live_boot_at, live_taken_at, told,"
             " agent_version, agent_waiting, agent_dropped, agent_simulated)"
             " WHERE h.host_id = g.host_id",
             "ITZZZIIZIZXZXzZZBTIIB", ""),
    [ADD_ROWS] = STMT("ingest_add_rows",
                      "WITH " INSERT_BLOCKS ", added AS (" INSERT_ROWS
                      " ON CONFLICT DO NOTHING RETURNING 1) SELECT count(*) FROM added",
                      INSERT_ROW_TYPES, "i"),
    [ADD_NEW_ROWS] =
        STMT("ingest_add_new_rows", "WITH " INSERT_BLOCKS " " INSERT_ROWS, INSERT_ROW_TYPES, ""),
    [CATCH_UP] = STMT("ingest_catch_up", CATCH_UP_HOSTS, "", ""),
    [CATCH_UP_SOME] = STMT("ingest_catch_up_some", CATCH_UP_HOSTS " AND h.id = ANY ($1)", "T", ""),
    [FOLLOW] =
        STMT("ingest_follow",
             "UPDATE host h SET last_seen_at = g.last_seen_at, received_at = $9,"
             " sequence = g.sequence, sequence_max = g.sequence_max,"
             " keyframe_at = g.keyframe_at, chain = g.chain::integer,"
             " live_taken_at = greatest(h.live_taken_at, g.live_taken_at),"
             " agent_version = CASE WHEN g.told THEN g.agent_version ELSE h.agent_version END,"
             " agent_waiting = CASE WHEN g.told THEN g.agent_waiting ELSE h.agent_waiting END,"
             " agent_dropped = CASE WHEN g.told THEN g.agent_dropped ELSE h.agent_dropped END,"
             " agent_simulated = CASE WHEN g.told THEN g.agent_simulated"
             " ELSE h.agent_simulated END FROM unnest($1::bigint[], $2::timestamptz[],"
             " $3::timestamptz[], $4::bigint[], $5::bigint[], $6::timestamptz[], $7::bigint[],"
             " $8::timestamptz[], $10::boolean[], $11::text[], $12::bigint[], $13::bigint[],"
             " $14::boolean[]) WITH ORDINALITY AS g (host_id, last_seen_at, boot_at, sequence,"
             " sequence_max, keyframe_at, chain, live_taken_at, told, agent_version,"
             " agent_waiting, agent_dropped, agent_simulated, place)"
             " WHERE h.host_id = g.host_id AND h.boot_at = g.boot_at"
             " AND h.last_seen_at <= g.last_seen_at RETURNING g.place",
             "IZZIIZIZzBTIIB", "i"),

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
             "izTTTTT", ""),
    [DRIVERS_END] =
        STMT("ingest_drivers_end",
             "WITH " GIVEN_DRIVERS "UPDATE host_driver a SET valid_to = $2 WHERE host_id = $1"
             " AND valid_to IS NULL AND NOT EXISTS (SELECT FROM given g"
             " WHERE g.name = a.name AND " SAME_DRIVER("g", "a") ")",
             "izTTTTT", ""),
    [DRIVERS_BEGIN] =
        STMT("ingest_drivers_begin",
             "WITH " GIVEN_DRIVERS "INSERT INTO host_driver (host_id, name, version, company, tags,"
             " sha256, valid_from) SELECT $1, g.name, g.version, g.company, g.tags, g.sha256, $2"
             " FROM given g"
             " WHERE NOT EXISTS (SELECT FROM host_driver a WHERE a.host_id = $1"
             " AND a.name = g.name AND a.valid_to IS NULL)",
             "izTTTTT", ""),
    [DRIVERS_EXTEND] =
        STMT("ingest_drivers_extend",
             "WITH " FIRST_OF("host_driver", "version, company, tags, sha256") GIVEN_DRIVERS
             "UPDATE host_driver a SET valid_from = $2, sha256 = coalesce(a.sha256, g.sha256) FROM "
             "first f JOIN given g USING (name)"
             " WHERE a.host_id = $1 AND a.name = f.name AND a.valid_from = f.valid_from"
             " AND f.valid_from > $2 AND " SAME_DRIVER("f", "g"),
             "izTTTTT", ""),
    [DRIVERS_BEFORE] =
        STMT("ingest_drivers_before",
             "WITH " FIRST_OF("host_driver", "version, company, tags") GIVEN_DRIVERS
             "INSERT INTO host_driver (host_id, name, version, company, tags, sha256, valid_from,"
             " valid_to)"
             " SELECT $1, g.name, g.version, g.company, g.tags, g.sha256, $2,"
             " coalesce(f.valid_from,"
             " (SELECT min(valid_from) FROM first WHERE valid_from > $2), $8) FROM given g"
             " LEFT JOIN first f USING (name) WHERE f.name IS NULL OR f.valid_from > $2",
             "izTTTTTz", ""),
    /* The hash of a driver that was listed without one before: the same row goes on. */
    [DRIVERS_NAME_FILES] =
        STMT("ingest_drivers_name_files",
             "WITH " GIVEN_DRIVERS "UPDATE host_driver a SET sha256 = g.sha256 FROM given g"
             " WHERE a.host_id = $1 AND a.valid_to IS NULL AND a.valid_from <= $2"
             " AND a.name = g.name AND a.sha256 IS NULL AND g.sha256 IS NOT NULL",
             "izTTTTT", ""),
    [BOOT_SEEN] = STMT("ingest_boot_seen",
                       "SELECT min(received_at) FROM snapshot WHERE host_id = $1"
                       " AND boot_at BETWEEN $2::timestamptz AND $3::timestamptz",
                       "izz", "z"),
};
const struct stmt_table store_ingest_statements = {statements,
                                                   sizeof statements / sizeof *statements};

/* ---- hosts ----------------------------------------------------------------- */

static void host_read(const struct db_result *result, size_t row, struct ingest_host *host)
{
    host->key = db_i64(result, row, 0);
    host->boot_at_us = db_time(result, row, 4);
    host->sequence = column_sequence(result, row, 5);
    host->sequence_max = column_sequence(result, row, 6);
    host->keyframe_at_us = db_time(result, row, 7);
    host->chain = db_i64(result, row, 8);
    host->attributes_at_us = db_time(result, row, 9);
    host->has_attributes_digest = facts_digest_read(result, row, 10, host->attributes_digest);
    host->drivers_at_us = db_time(result, row, 11);
    host->has_drivers_digest = facts_digest_read(result, row, 12, host->drivers_digest);
    host->live_boot_at_us = db_time(result, row, 13);
    host->live_taken_at_us = db_time(result, row, 14);
    /* A row without keyframe has just been made, or its agent has enrolled: no snapshot yet. */
    bool none = host->keyframe_at_us == TIME_UNKNOWN;
    host->first_seen_us = none ? TIME_UNKNOWN : db_time(result, row, 2);
    host->last_seen_us = none ? TIME_UNKNOWN : db_time(result, row, 3);
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

/* Columns of host rows to be written. */
enum {
    HOST_KEY,
    HOST_FIRST,
    HOST_LAST,
    HOST_BOOT,
    HOST_SEQUENCE,
    HOST_SEQUENCE_MAX,
    HOST_KEYFRAME,
    HOST_CHAIN,
    HOST_ATTRIBUTES,
    HOST_DRIVERS,
    HOST_LIVE_BOOT,
    HOST_LIVE_TAKEN,
    HOST_AGENT_WAITING,
    HOST_AGENT_DROPPED,
    HOST_NUMBERS
};
struct host_columns {
    int64_t *number[HOST_NUMBERS];
    const char **name;
    const char **version; /* of the agent */
    const void **attributes;
    const void **drivers;
    size_t *lengths; /* of both digests */
    bool *told;      /* the agent said something of itself */
    bool *simulated;
};

static bool host_columns_alloc(struct arena *arena, size_t count, struct host_columns *columns)
{
    bool room = true;
    for (int i = 0; i < HOST_NUMBERS; i++) {
        columns->number[i] = arena_alloc(arena, count, sizeof **columns->number);
        room = room && columns->number[i] != NULL;
    }
    columns->name = arena_alloc(arena, count, sizeof *columns->name);
    columns->version = arena_alloc(arena, count, sizeof *columns->version);
    columns->attributes = arena_alloc(arena, count, sizeof *columns->attributes);
    columns->drivers = arena_alloc(arena, count, sizeof *columns->drivers);
    columns->lengths = arena_alloc(arena, count, sizeof *columns->lengths);
    columns->told = arena_alloc(arena, count, sizeof *columns->told);
    columns->simulated = arena_alloc(arena, count, sizeof *columns->simulated);
    return room && columns->name != NULL && columns->version != NULL &&
           columns->attributes != NULL && columns->drivers != NULL && columns->lengths != NULL &&
           columns->told != NULL && columns->simulated != NULL;
}

static void host_columns_put(struct host_columns *columns, size_t i, const struct ingest_host *host)
{
    const int64_t numbers[HOST_NUMBERS] = {
        [HOST_KEY] = host->key,
        [HOST_FIRST] = host->first_seen_us,
        [HOST_LAST] = host->last_seen_us,
        [HOST_BOOT] = host->boot_at_us,
        [HOST_SEQUENCE] = sql_number(host->sequence),
        [HOST_SEQUENCE_MAX] = sql_number(host->sequence_max),
        [HOST_KEYFRAME] = host->keyframe_at_us,
        [HOST_CHAIN] = host->chain,
        [HOST_ATTRIBUTES] = host->attributes_at_us,
        [HOST_DRIVERS] = host->drivers_at_us,
        [HOST_LIVE_BOOT] = host->live_boot_at_us,
        [HOST_LIVE_TAKEN] = host->live_taken_at_us,
        [HOST_AGENT_WAITING] = sql_number(host->agent.waiting),
        [HOST_AGENT_DROPPED] = sql_number(host->agent.dropped),
    };
    for (int n = 0; n < HOST_NUMBERS; n++)
        columns->number[n][i] = numbers[n];
    columns->name[i] = host->name;
    columns->version[i] = host->agent.version;
    columns->attributes[i] = host->has_attributes_digest ? host->attributes_digest : NULL;
    columns->drivers[i] = host->has_drivers_digest ? host->drivers_digest : NULL;
    columns->lengths[i] = FACTS_DIGEST_BYTES;
    columns->told[i] = host->agent.present;
    columns->simulated[i] = host->agent.simulated;
}

enum status store_ingest_update_hosts(struct db *db, struct ingest_host *const *hosts, size_t count,
                                      int64_t now_us, struct err *err)
{
    AUTO_ARENA struct arena arena = {0};
    struct host_columns columns;
    struct db_params params = {0};
    if (!host_columns_alloc(&arena, count, &columns))
        return err_set(err, ST_NOMEM, "could not update hosts: out of memory");
    for (size_t i = 0; i < count; i++)
        host_columns_put(&columns, i, hosts[i]);
    int64_t *const *number = columns.number;
    db_p_i64_array(&params, number[HOST_KEY], count);
    db_p_text_array(&params, columns.name, count);
    db_p_time_array(&params, number[HOST_FIRST], count);
    db_p_time_array(&params, number[HOST_LAST], count);
    db_p_time_array(&params, number[HOST_BOOT], count);
    db_p_i64_array(&params, number[HOST_SEQUENCE], count);
    db_p_i64_array(&params, number[HOST_SEQUENCE_MAX], count);
    db_p_time_array(&params, number[HOST_KEYFRAME], count);
    db_p_i64_array(&params, number[HOST_CHAIN], count);
    db_p_time_array(&params, number[HOST_ATTRIBUTES], count);
    db_p_bytes_array(&params, columns.attributes, columns.lengths, count);
    db_p_time_array(&params, number[HOST_DRIVERS], count);
    db_p_bytes_array(&params, columns.drivers, columns.lengths, count);
    db_p_time(&params, now_us);
    db_p_time_array(&params, number[HOST_LIVE_BOOT], count);
    db_p_time_array(&params, number[HOST_LIVE_TAKEN], count);
    db_p_bool_array(&params, columns.told, count);
    db_p_text_array(&params, columns.version, count);
    db_p_i64_array(&params, number[HOST_AGENT_WAITING], count);
    db_p_i64_array(&params, number[HOST_AGENT_DROPPED], count);
    db_p_bool_array(&params, columns.simulated, count);
    return db_exec(db, &statements[UPDATE_HOSTS], &params, NULL, err);
}

enum status store_ingest_catch_up(struct db *db, const char *const *ids, size_t count,
                                  struct err *err)
{
    struct db_params params = {0};
    if (ids == NULL)
        return db_exec(db, &statements[CATCH_UP], NULL, NULL, err);
    db_p_text_array(&params, ids, count);
    return db_exec(db, &statements[CATCH_UP_SOME], &params, NULL, err);
}

enum status store_ingest_follow(struct db *db, const struct ingest_host *hosts, size_t count,
                                int64_t now_us, bool *ret_followed, struct err *err)
{
    AUTO_ARENA struct arena arena = {0};
    AUTO_DBRESULT struct db_result *result = NULL;
    struct host_columns columns;
    struct db_params params = {0};
    if (!host_columns_alloc(&arena, count, &columns))
        return err_set(err, ST_NOMEM, "could not update hosts: out of memory");
    for (size_t i = 0; i < count; i++)
        host_columns_put(&columns, i, &hosts[i]);
    int64_t *const *number = columns.number;
    db_p_i64_array(&params, number[HOST_KEY], count);
    db_p_time_array(&params, number[HOST_LAST], count);
    db_p_time_array(&params, number[HOST_BOOT], count);
    db_p_i64_array(&params, number[HOST_SEQUENCE], count);
    db_p_i64_array(&params, number[HOST_SEQUENCE_MAX], count);
    db_p_time_array(&params, number[HOST_KEYFRAME], count);
    db_p_i64_array(&params, number[HOST_CHAIN], count);
    db_p_time_array(&params, number[HOST_LIVE_TAKEN], count);
    db_p_time(&params, now_us);
    db_p_bool_array(&params, columns.told, count);
    db_p_text_array(&params, columns.version, count);
    db_p_i64_array(&params, number[HOST_AGENT_WAITING], count);
    db_p_i64_array(&params, number[HOST_AGENT_DROPPED], count);
    db_p_bool_array(&params, columns.simulated, count);
    enum status status = db_exec(db, &statements[FOLLOW], &params, &result, err);
    if (status != ST_OK)
        return status;
    memset(ret_followed, 0, count * sizeof *ret_followed);
    for (size_t row = 0; row < db_rows(result); row++)
        ret_followed[db_i64(result, row, 0) - 1] = true;
    return ST_OK;
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

static enum status row_params(struct arena *arena, const struct ingest_row *rows, size_t count,
                              int64_t now_us, struct db_params *ret_params, struct err *err)
{
    int64_t *number[ROW_NUMBERS];
    bool room = true;
    for (int i = 0; i < ROW_NUMBERS; i++)
        room = (number[i] = arena_alloc(arena, count, sizeof **number)) != NULL && room;
    const char **detail = arena_alloc(arena, count, sizeof *detail);
    const void **block = arena_alloc(arena, count, sizeof *block);
    size_t *lengths = arena_alloc(arena, count, sizeof *lengths);
    if (!room || detail == NULL || block == NULL || lengths == NULL)
        return err_set(err, ST_NOMEM, "could not add snapshots: out of memory");
    for (size_t i = 0; i < count; i++) {
        row_numbers(&rows[i], i, number);
        detail[i] = rows[i].detail;
        block[i] = rows[i].block;
        lengths[i] = rows[i].block_length;
    }
    for (int i = 0; i < ROW_NUMBERS; i++) {
        if (i == TAKEN || i == BOOT || i == KEYFRAME)
            db_p_time_array(ret_params, number[i], count);
        else
            db_p_i64_array(ret_params, number[i], count);
    }
    db_p_text_array(ret_params, detail, count);
    db_p_bytes_array(ret_params, block, lengths, count);
    db_p_time(ret_params, now_us);
    return ST_OK;
}

enum status store_ingest_rows(struct db *db, const struct ingest_row *rows, size_t count,
                              int64_t now_us, size_t *ret_added, struct err *err)
{
    AUTO_ARENA struct arena arena = {0};
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    enum status status = row_params(&arena, rows, count, now_us, &params, err);
    if (status == ST_OK)
        status = db_exec(db, &statements[ADD_ROWS], &params, &result, err);
    if (status == ST_OK)
        *ret_added = (size_t)db_i64(result, 0, 0);
    return status;
}

enum status store_ingest_new_rows(struct db *db, const struct ingest_row *rows, size_t count,
                                  int64_t now_us, struct err *err)
{
    AUTO_ARENA struct arena arena = {0};
    struct db_params params = {0};
    enum status status = row_params(&arena, rows, count, now_us, &params, err);
    return status == ST_OK ? db_exec(db, &statements[ADD_NEW_ROWS], &params, NULL, err) : status;
}

/* ---- facts ----------------------------------------------------------------- */

/* The columns of one kind of fact, ready to be added behind host and time. */
struct fact_columns {
    size_t columns;
    size_t count;
    const char **text[5];
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

enum status store_ingest_drivers(struct db *db, int64_t host_key, const struct snapshot *snapshot,
                                 bool late, int64_t newest_us, struct err *err)
{
    AUTO_ARENA struct arena arena = {0};
    struct fact_columns facts = {.columns = 5, .count = snapshot->driver_count};
    bool room = columns_alloc(&arena, &facts);
    for (size_t i = 0; room && i < facts.count; i++) {
        const struct snapshot_driver *driver = &snapshot->drivers[i];
        facts.text[0][i] = driver->name;
        facts.text[1][i] = driver->version;
        facts.text[2][i] = driver->company;
        facts.text[3][i] = driver->sha256 != NULL ? "" : store_driver_tags_text(&arena, driver);
        facts.text[4][i] = driver->sha256;
        room = facts.text[3][i] != NULL;
    }
    if (!room)
        return err_set(err, ST_NOMEM, "could not add drivers: out of memory");
    enum status status = facts_write(db, DRIVERS_FORGET, host_key, snapshot->taken_at_us, &facts,
                                     late, newest_us, err);
    if (status != ST_OK || late)
        return status;
    struct db_params params = {0};
    db_p_i64(&params, host_key);
    db_p_time(&params, snapshot->taken_at_us);
    for (size_t c = 0; c < facts.columns; c++)
        db_p_text_array(&params, facts.text[c], facts.count);
    return db_exec(db, &statements[DRIVERS_NAME_FILES], &params, NULL, err);
}

enum status store_ingest_boot_seen(struct db *db, int64_t host_key, int64_t boot_at_us,
                                   int64_t *ret_received_at_us, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_i64(&params, host_key);
    db_p_time(&params, boot_at_us - STORE_BOOT_SLACK_US);
    db_p_time(&params, boot_at_us + STORE_BOOT_SLACK_US);
    enum status status = db_exec(db, &statements[BOOT_SEEN], &params, &result, err);
    if (status == ST_OK)
        *ret_received_at_us = db_time(result, 0, 0);
    return status;
}
