/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newest state of hosts from the database, a hundred hosts at a time: four queries a batch,
 * however many hosts there are.
 */
#include "server/store/chain.h"
#include "server/store/registry.h"
#include "server/store/snapshot_columns.h"
#include "server/store/store_hosts.h"
#include "server/store/store_ingest.h"
#include "server/store/store_snapshots.h"

#include <string.h>

#define BATCH 100
/* As many moments as a host's usual interval rests on, see state/fleet.c. */
#define RECENT 9

enum { HOSTS_AFTER, HOST_ONE, BLOCKS, NEWEST, ATTRIBUTES, MOMENTS };
#define HOST_COLUMNS                                                                               \
    "host_id, id, name, last_seen_at, boot_at, sequence, keyframe_at, chain, agent_version, "      \
    "agent_waiting, agent_dropped, agent_simulated, sequence_max, live_boot_at, live_taken_at, "   \
    "attributes_at IS NOT NULL AND drivers_at IS NOT NULL"
#define HOST_TYPES "ittzzizdtiibizzb"
static const struct stmt statements[] = {
    [HOSTS_AFTER] = STMT("load_hosts_after",
                         "SELECT " HOST_COLUMNS " FROM host WHERE keyframe_at IS NOT NULL"
                         " AND host_id > $1 ORDER BY host_id LIMIT 100",
                         "i", HOST_TYPES),
    [HOST_ONE] = STMT("load_host_one",
                      "SELECT " HOST_COLUMNS " FROM host WHERE keyframe_at IS NOT NULL"
                      " AND host_id = $1",
                      "i", HOST_TYPES),
    [BLOCKS] = STMT("load_blocks",
                    "SELECT g.place, s.taken_at, s.boot_at, s.sequence, s.base, s.keyframe,"
                    " coalesce(s.block, b.block) FROM unnest($1::bigint[], $2::timestamptz[], "
                    "$3::timestamptz[])"
                    " WITH ORDINALITY AS g (host_id, from_at, to_at, place) CROSS JOIN LATERAL"
                    " (SELECT * FROM snapshot WHERE snapshot.host_id = g.host_id"
                    " AND taken_at BETWEEN g.from_at AND g.to_at) AS s"
                    " LEFT JOIN snapshot_block b ON b.host_id = s.host_id"
                    " AND b.taken_at = s.taken_at AND b.boot_at IS NOT DISTINCT FROM s.boot_at"
                    " AND b.sequence IS NOT DISTINCT FROM s.sequence"
                    " AND b.received_at = s.received_at"
                    " ORDER BY g.place, s.taken_at, s.sequence",
                    "IZZ", "izziibx"),
    [NEWEST] = STMT("load_newest",
                    "SELECT g.place, nonpaged_bytes, paged_bytes, nonpaged_limit_bytes,"
                    " paged_limit_bytes, commit_bytes, commit_limit_bytes, physical_bytes,"
                    " available_bytes, handles, processes, threads, alloc_failures"
                    " FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::bigint[])"
                    " WITH ORDINALITY AS g (host_id, taken_at, boot_at, sequence, place)"
                    " JOIN snapshot s ON s.host_id = g.host_id AND s.taken_at = g.taken_at"
                    " AND s.boot_at IS NOT DISTINCT FROM g.boot_at"
                    " AND s.sequence IS NOT DISTINCT FROM g.sequence ORDER BY g.place",
                    "IZZI", "iiiiiiiiiiiii"),
    [ATTRIBUTES] = STMT("load_attributes",
                        "SELECT g.place, a.name, a.value FROM unnest($1::bigint[])"
                        " WITH ORDINALITY AS g (host_id, place) JOIN host_attribute a"
                        " ON a.host_id = g.host_id AND a.valid_to IS NULL"
                        " ORDER BY g.place, a.name COLLATE \"C\"",
                        "I", "itt"),
    [MOMENTS] = STMT("load_moments",
                     "SELECT g.place, s.taken_at FROM unnest($1::bigint[], $2::timestamptz[])"
                     " WITH ORDINALITY AS g (host_id, last_at, place) CROSS JOIN LATERAL"
                     " (SELECT taken_at FROM snapshot WHERE snapshot.host_id = g.host_id"
                     " AND taken_at <= g.last_at ORDER BY taken_at DESC LIMIT 9) AS s"
                     " ORDER BY g.place, s.taken_at",
                     "IZ", "iz"),
};
const struct stmt_table store_load_statements = {statements,
                                                 sizeof statements / sizeof *statements};

/* One batch: results side by side, each ordered by the host's place (from 1). */
struct batch {
    struct db *db;
    size_t count;
    struct db_result *hosts, *blocks, *newest, *attributes, *moments;
    size_t block_at, newest_at, attribute_at, moment_at; /* first row not yet used */
};

static void batch_done(struct batch *batch)
{
    db_result_free(batch->hosts);
    db_result_free(batch->blocks);
    db_result_free(batch->newest);
    db_result_free(batch->attributes);
    db_result_free(batch->moments);
}

static enum status batch_read(struct batch *batch, struct err *err)
{
    int64_t key[BATCH], last[BATCH], boot[BATCH], sequence[BATCH], from[BATCH], to[BATCH];
    const struct db_result *hosts = batch->hosts;
    batch->count = db_rows(hosts);
    for (size_t i = 0; i < batch->count; i++) {
        key[i] = db_i64(hosts, i, 0);
        last[i] = db_time(hosts, i, 3);
        boot[i] = db_time(hosts, i, 4);
        sequence[i] = db_null(hosts, i, 5) ? INT64_MIN : db_i64(hosts, i, 5);
        int64_t keyframe = db_time(hosts, i, 6);
        from[i] = keyframe < last[i] ? keyframe : last[i];
        to[i] = keyframe < last[i] ? last[i] : keyframe;
    }
    struct db_params blocks = {0}, newest = {0}, attributes = {0}, moments = {0};
    db_p_i64_array(&blocks, key, batch->count);
    db_p_time_array(&blocks, from, batch->count);
    db_p_time_array(&blocks, to, batch->count);
    db_p_i64_array(&newest, key, batch->count);
    db_p_time_array(&newest, last, batch->count);
    db_p_time_array(&newest, boot, batch->count);
    db_p_i64_array(&newest, sequence, batch->count);
    db_p_i64_array(&attributes, key, batch->count);
    db_p_i64_array(&moments, key, batch->count);
    db_p_time_array(&moments, last, batch->count);
    struct db *db = batch->db;
    enum status status = db_exec(db, &statements[BLOCKS], &blocks, &batch->blocks, err);
    if (status == ST_OK)
        status = db_exec(db, &statements[NEWEST], &newest, &batch->newest, err);
    if (status == ST_OK)
        status = db_exec(db, &statements[ATTRIBUTES], &attributes, &batch->attributes, err);
    if (status == ST_OK)
        status = db_exec(db, &statements[MOMENTS], &moments, &batch->moments, err);
    return status;
}

static bool of_place(const struct db_result *result, size_t row, size_t place)
{
    return row < db_rows(result) && db_i64(result, row, 0) == (int64_t)place;
}

static struct chain_row block_row(const struct db_result *result, size_t row)
{
    struct chain_row out = column_chain_row(result, row, 1);
    out.block = db_bytes(result, row, 6, &out.block_length);
    return out;
}

/* Walks the host's blocks; ST_NOT_FOUND when that does not lead to its newest snapshot, as for a
 * host that is silent since its snapshots were sealed. */
static enum status host_tables(struct batch *batch, size_t place, const struct snapshot *newest,
                               struct chain *chain, struct err *err)
{
    enum status status = ST_NOT_FOUND;
    for (; of_place(batch->blocks, batch->block_at, place); batch->block_at++) {
        struct chain_row row = block_row(batch->blocks, batch->block_at);
        if (row.block == NULL || !chain_fits(chain, &row))
            continue;
        enum status put = chain_put(chain, &row, err);
        if (put != ST_OK)
            return put;
        if (row.taken_at_us == newest->taken_at_us && row.boot_at_us == newest->boot_at_us &&
            row.sequence == newest->sequence)
            status = ST_OK;
        else
            status = ST_NOT_FOUND;
    }
    return status;
}

static enum status host_attributes(struct batch *batch, size_t place, struct snapshot *snapshot)
{
    size_t first = batch->attribute_at, count = 0;
    while (of_place(batch->attributes, first + count, place))
        count++;
    batch->attribute_at += count;
    snapshot->has_attributes = true;
    snapshot->attributes = arena_alloc(&snapshot->arena, count, sizeof *snapshot->attributes);
    if (snapshot->attributes == NULL)
        return ST_NOMEM;
    snapshot->attribute_count = count;
    for (size_t i = 0; i < count; i++) {
        /* Borrowed from the result, which outlives the state's making. */
        snapshot->attributes[i].name = db_text(batch->attributes, first + i, 1);
        snapshot->attributes[i].value = db_text(batch->attributes, first + i, 2);
    }
    return ST_OK;
}

static bool host_totals(struct batch *batch, size_t place, struct snapshot *snapshot)
{
    if (!of_place(batch->newest, batch->newest_at, place))
        return false;
    column_totals(batch->newest, batch->newest_at, 1, &snapshot->totals);
    while (of_place(batch->newest, batch->newest_at, place))
        batch->newest_at++;
    return true;
}

static size_t host_moments(struct batch *batch, size_t place, int64_t ret_moments[RECENT])
{
    size_t count = 0;
    for (; of_place(batch->moments, batch->moment_at, place); batch->moment_at++) {
        int64_t moment = db_time(batch->moments, batch->moment_at, 1);
        if (count < RECENT && (count == 0 || ret_moments[count - 1] < moment))
            ret_moments[count++] = moment;
    }
    return count;
}

/* The state of one host of the batch. Always moves behind the host's rows. ST_NOT_FOUND: its
 * newest snapshot fell to retention. */
static enum status host_load(struct batch *batch, size_t i, struct host_state **ret_host,
                             struct err *err)
{
    AUTO_CHAIN struct chain chain = {0};
    AUTO_SNAPSHOT struct snapshot snapshot;
    int64_t moments[RECENT];
    snapshot_init(&snapshot);
    snapshot.host_id = db_text(batch->hosts, i, 1);
    snapshot.host_name = db_text(batch->hosts, i, 2);
    snapshot.taken_at_us = db_time(batch->hosts, i, 3);
    snapshot.boot_at_us = db_time(batch->hosts, i, 4);
    snapshot.sequence = column_sequence(batch->hosts, i, 5);
    snapshot.agent = (struct snapshot_agent){
        .present = !db_null(batch->hosts, i, 11), /* never NULL when it told anything */
        .version = db_text(batch->hosts, i, 8),
        .waiting = db_null(batch->hosts, i, 9) ? -1 : db_i64(batch->hosts, i, 9),
        .dropped = db_null(batch->hosts, i, 10) ? -1 : db_i64(batch->hosts, i, 10),
        .simulated = !db_null(batch->hosts, i, 11) && db_bool(batch->hosts, i, 11),
    };
    enum status status = host_tables(batch, i + 1, &snapshot, &chain, err);
    bool held = host_totals(batch, i + 1, &snapshot);
    size_t moment_count = host_moments(batch, i + 1, moments);
    if (host_attributes(batch, i + 1, &snapshot) != ST_OK)
        return err_set(err, ST_NOMEM, "could not load hosts: out of memory");
    if (!held)
        return err_set(err, ST_NOT_FOUND, "the newest snapshot of the host is gone");
    AUTO_SNAPSHOT struct snapshot built;
    snapshot_init(&built);
    if (status == ST_NOT_FOUND) {
        struct stored_key key = {snapshot.taken_at_us, snapshot.boot_at_us, snapshot.sequence,
                                 db_time(batch->hosts, i, 6), (int32_t)db_i64(batch->hosts, i, 7)};
        status = store_snapshot_build(batch->db, db_i64(batch->hosts, i, 0), &key, &built, err);
        memcpy(snapshot.table, built.table, sizeof snapshot.table);
    } else if (status == ST_OK) {
        memcpy(snapshot.table, chain.table, sizeof snapshot.table);
    }
    if (status != ST_OK)
        return status;
    struct host_state *host = NULL;
    status = host_state_new(db_i64(batch->hosts, i, 0), &snapshot, NULL, &host, err);
    if (status != ST_OK)
        return status;
    host_state_set_recent(host, moments, moment_count);
    host->mark = (struct ingest_mark){.known = true,
                                      .has_facts = db_bool(batch->hosts, i, 15),
                                      .chain = (int32_t)db_i64(batch->hosts, i, 7),
                                      .keyframe_at_us = db_time(batch->hosts, i, 6),
                                      .sequence_max = column_sequence(batch->hosts, i, 12),
                                      .live_boot_at_us = db_time(batch->hosts, i, 13),
                                      .live_taken_at_us = db_time(batch->hosts, i, 14)};
    *ret_host = host;
    return ST_OK;
}

enum status fleet_load(struct db *db, struct fleet *fleet, struct err *err)
{
    int64_t after = 0;
    /* A server that was killed may have left rows of hosts behind their snapshots. */
    enum status caught_up = store_ingest_catch_up(db, NULL, 0, err);
    if (caught_up != ST_OK)
        return caught_up;
    for (;;) {
        CLEANUP(batch_done) struct batch batch = {.db = db};
        struct db_params params = {0};
        db_p_i64(&params, after);
        enum status status = db_exec(db, &statements[HOSTS_AFTER], &params, &batch.hosts, err);
        if (status != ST_OK || db_rows(batch.hosts) == 0)
            return status;
        status = batch_read(&batch, err);
        for (size_t i = 0; status == ST_OK && i < batch.count; i++) {
            struct host_state *host = NULL;
            after = db_i64(batch.hosts, i, 0);
            status = host_load(&batch, i, &host, err);
            if (status == ST_OK)
                fleet_publish(fleet, host);
            else if (status == ST_NOT_FOUND)
                status = ST_OK;
        }
        if (status != ST_OK)
            return status;
    }
}

enum status store_host_state(struct db *db, int64_t host_key, struct host_state **ret_host,
                             struct err *err)
{
    CLEANUP(batch_done) struct batch batch = {.db = db};
    struct db_params params = {0};
    db_p_i64(&params, host_key);
    enum status status = db_exec(db, &statements[HOST_ONE], &params, &batch.hosts, err);
    if (status != ST_OK)
        return status;
    if (db_rows(batch.hosts) == 0)
        return err_set(err, ST_NOT_FOUND, "there is no such host");
    status = batch_read(&batch, err);
    return status == ST_OK ? host_load(&batch, 0, ret_host, err) : status;
}
