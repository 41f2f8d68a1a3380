/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_host_reads.h"

#include "server/store/registry.h"

enum { EVENTS };
static const struct stmt statements[] = {
    [EVENTS] = STMT("host_events",
                    "SELECT DISTINCT coalesce((e.value ->> 'at')::timestamptz, s.taken_at) AS at,"
                    " e.value ->> 'provider' AS provider, (e.value ->> 'id')::bigint AS id"
                    " FROM snapshot s, jsonb_array_elements(s.detail -> 'events') e"
                    " WHERE s.host_id = $1 AND s.taken_at BETWEEN $2 AND $3"
                    " AND s.detail ? 'events' ORDER BY at DESC, provider, id LIMIT $4",
                    "izzd", "zti"),
};
const struct stmt_table store_host_reads_statements = {statements,
                                                       sizeof statements / sizeof *statements};

void store_events_done(struct store_events *events)
{
    arena_done(&events->arena);
    *events = (struct store_events){0};
}

enum status store_host_events(struct db *db, int64_t host_key, int64_t from_us, int64_t to_us,
                              size_t limit, struct store_events *ret_events, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};

    db_p_i64(&params, host_key);
    db_p_time(&params, from_us);
    db_p_time(&params, to_us);
    db_p_i32(&params, (int32_t)limit);
    enum status status = db_exec(db, &statements[EVENTS], &params, &result, err);
    if (status != ST_OK)
        return status;
    struct store_events events = {.count = db_rows(result)};
    events.items = arena_alloc(&events.arena, events.count, sizeof *events.items);
    bool room = events.items != NULL;
    for (size_t i = 0; room && i < events.count; i++) {
        const char *provider = db_text(result, i, 1);
        events.items[i] =
            (struct store_event){.at_us = db_time(result, i, 0), .id = db_i64(result, i, 2)};
        if (provider != NULL) {
            events.items[i].provider = arena_strdup(&events.arena, provider);
            room = events.items[i].provider != NULL;
        }
    }
    if (!room) {
        store_events_done(&events);
        return err_set(err, ST_NOMEM, "could not read events: out of memory");
    }
    *ret_events = events;
    return ST_OK;
}
