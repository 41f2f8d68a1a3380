/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_fix.h"

#include <string.h>

#define HOST_COLUMNS                                                                               \
    "h.host_id, h.id, h.name, e.first_at, e.number::bigint,"                                       \
    " coalesce(h.agent_simulated, false) OR EXISTS (SELECT FROM host_attribute s"                  \
    "   WHERE s.host_id = h.host_id AND s.name = 'poolfleet.simulated' AND s.value = 'true'"       \
    "   AND s.valid_to IS NULL),"
#define TYPES "ittzibtzz"

enum { BY_DRIVER, BY_ATTRIBUTE };

static const struct stmt statements[] = {
    [BY_DRIVER] = STMT("fix_by_driver",
                       "SELECT " HOST_COLUMNS " coalesce(d.version, ''), d.valid_from, d.valid_to"
                       " FROM finding_host_ever e JOIN host h USING (host_id)"
                       " LEFT JOIN host_driver d ON d.host_id = e.host_id"
                       "   AND lower(d.name) = lower($2)"
                       " WHERE e.finding_id = $1 ORDER BY h.host_id, d.valid_from",
                       "tt", TYPES),
    [BY_ATTRIBUTE] = STMT("fix_by_attribute",
                          "SELECT " HOST_COLUMNS " coalesce(a.value, ''), a.valid_from, a.valid_to"
                          " FROM finding_host_ever e JOIN host h USING (host_id)"
                          " LEFT JOIN host_attribute a ON a.host_id = e.host_id AND a.name = $2"
                          " WHERE e.finding_id = $1 ORDER BY h.host_id, a.valid_from",
                          "tt", TYPES),
};

const struct stmt_table store_fix_statements = {statements,
                                                sizeof statements / sizeof statements[0]};

static const char *keep(struct arena *arena, const char *text, bool *failed)
{
    const char *copy = text == NULL ? NULL : arena_strdup(arena, text);
    *failed = *failed || (text != NULL && copy == NULL);
    return copy;
}

/* A row is a host with one fact; the rows of a host follow each other. */
static void read_row(const struct db_result *result, size_t row, struct fix_fact *facts,
                     struct store_fix_hosts *hosts, bool *failed)
{
    struct store_fix_host *host = hosts->count == 0 ? NULL : &hosts->items[hosts->count - 1];

    if (host == NULL || host->key != db_i64(result, row, 0)) {
        host = &hosts->items[hosts->count++];
        *host = (struct store_fix_host){
            .key = db_i64(result, row, 0),
            .id = keep(&hosts->arena, db_text(result, row, 1), failed),
            .name = keep(&hosts->arena, db_text(result, row, 2), failed),
            .affected_us = db_time(result, row, 3),
            .number = db_i64(result, row, 4),
            .simulated = db_bool(result, row, 5),
            .facts = &facts[row],
        };
    }
    if (db_null(result, row, 7))
        return; /* never had it */
    host->facts[host->fact_count++] =
        (struct fix_fact){.value = keep(&hosts->arena, db_text(result, row, 6), failed),
                          .valid_from_us = db_time(result, row, 7),
                          .valid_to_us = db_time(result, row, 8)};
}

enum status store_fix_hosts(struct db *db, const char *finding_id, const char *attribute,
                            struct store_fix_hosts *ret_hosts, struct err *err)
{
    static const char prefix[] = "driver/";
    AUTO_DBRESULT struct db_result *result = NULL;
    struct store_fix_hosts hosts = {0};
    struct db_params params = {0};
    bool driver = strncmp(attribute, prefix, sizeof prefix - 1) == 0;

    db_p_text(&params, finding_id);
    db_p_text(&params, driver ? attribute + sizeof prefix - 1 : attribute);
    enum status status =
        db_exec(db, &statements[driver ? BY_DRIVER : BY_ATTRIBUTE], &params, &result, err);
    if (status != ST_OK)
        return status;
    size_t rows = db_rows(result);
    struct fix_fact *facts = arena_alloc(&hosts.arena, rows, sizeof *facts);
    hosts.items = arena_alloc(&hosts.arena, rows, sizeof *hosts.items);
    bool failed = facts == NULL || hosts.items == NULL;
    for (size_t row = 0; !failed && row < rows; row++)
        read_row(result, row, facts, &hosts, &failed);
    if (failed) {
        store_fix_hosts_done(&hosts);
        return err_set(err, ST_NOMEM, "could not read a finding's hosts: out of memory");
    }
    *ret_hosts = hosts;
    return ST_OK;
}
