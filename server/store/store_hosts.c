/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_hosts.h"

#include "server/store/registry.h"

/* Texts are ordered as bytes, as strcmp does, whatever the database's collation. */
enum { KEY, FACTS, DRIVERS, CHANGES, KEYS, AWAITING, AWAITING_ONE };
#define AWAITING_COLUMNS                                                                           \
    "h.id, coalesce(h.name, i.name), coalesce(i.enrolled_at, h.received_at), i.agent_version, "    \
    "i.attributes ->> 'os.name', i.attributes ->> 'os.build', i.attributes ->> 'role', "           \
    "i.attributes ->> 'hw.model', i.attributes FROM host h LEFT JOIN host_identity i "             \
    "USING (host_id) WHERE h.keyframe_at IS NULL"
#define AWAITING_TYPES "ttztttttj"
static const struct stmt statements[] = {
    [KEY] = STMT("hosts_key", "SELECT host_id FROM host WHERE id = $1", "t", "i"),
    [FACTS] = STMT("hosts_facts",
                   "SELECT name, value, valid_from, CASE WHEN valid_to <= $2 THEN valid_to END FROM"
                   " (SELECT name, value, valid_from, valid_to FROM host_attribute WHERE"
                   " host_id = $1 AND valid_from <= $2 UNION ALL SELECT 'driver/' || name,"
                   " coalesce(version, ''), valid_from, valid_to FROM host_driver WHERE"
                   " host_id = $1 AND valid_from <= $2) AS f ORDER BY name COLLATE \"C\", 3",
                   "iz", "ttzz"),
    [DRIVERS] =
        STMT("hosts_drivers",
             "SELECT d.name, d.version, d.company, CASE WHEN d.tags = '{}'"
             " THEN coalesce(f.tags, '{}') ELSE d.tags END, d.valid_from, f.product, f.symbols,"
             " encode(d.sha256, 'hex'), d.tags <> '{}' OR f.tags IS NOT NULL"
             " FROM host_driver d LEFT JOIN driver_file f USING (sha256) WHERE host_id = $1"
             " AND valid_from <= coalesce($2, 'infinity') AND (valid_to IS NULL OR valid_to > $2)"
             " ORDER BY d.name COLLATE \"C\"",
             "iz", "tttTztttb"),
    /* A row that begins is a change from the row that ended then; a row that ends with no
     * successor is a change to nothing. What began with the very first document is none. */
    [CHANGES] = STMT(
        "hosts_changes",
        "WITH f AS (SELECT false AS driver, name, value, valid_from, valid_to FROM host_attribute"
        " WHERE host_id = $1 UNION ALL SELECT true, name, coalesce(version, '?'), valid_from,"
        " valid_to FROM host_driver WHERE host_id = $1),"
        " start AS (SELECT driver, min(valid_from) AS at FROM f GROUP BY driver)"
        " SELECT at, driver, name, was, now FROM ("
        "SELECT f.valid_from AS at, f.driver, f.name, p.value AS was, f.value AS now FROM f"
        " JOIN start s ON s.driver = f.driver AND f.valid_from > s.at LEFT JOIN f p"
        " ON p.driver = f.driver AND p.name = f.name AND p.valid_to = f.valid_from"
        " UNION ALL SELECT f.valid_to, f.driver, f.name, f.value, NULL FROM f"
        " WHERE f.valid_to IS NOT NULL AND NOT EXISTS (SELECT FROM f n WHERE n.driver = f.driver"
        " AND n.name = f.name AND n.valid_from = f.valid_to)) AS c"
        " WHERE was IS DISTINCT FROM now ORDER BY at DESC, driver, name COLLATE \"C\" LIMIT $2",
        "ii", "zbttt"),
    [KEYS] =
        STMT("hosts_keys",
             "SELECT host_id, id, name, first_seen_at, last_seen_at FROM host"
             " WHERE keyframe_at IS NOT NULL AND first_seen_at <= $1 ORDER BY id COLLATE \"C\"",
             "z", "ittzz"),
    [AWAITING] = STMT("hosts_awaiting",
                      "SELECT " AWAITING_COLUMNS " ORDER BY h.id COLLATE \"C\" LIMIT 10000", "",
                      AWAITING_TYPES),
    [AWAITING_ONE] = STMT("hosts_awaiting_one", "SELECT " AWAITING_COLUMNS " AND h.id = $1", "t",
                          AWAITING_TYPES),
};
const struct stmt_table store_hosts_statements = {statements,
                                                  sizeof statements / sizeof *statements};

/* Text of a result into an arena; NULL stays NULL. */
static bool keep(struct arena *arena, const char *text, const char **ret_text)
{
    *ret_text = text == NULL ? NULL : arena_strdup(arena, text);
    return text == NULL || *ret_text != NULL;
}

static enum status no_memory(struct err *err)
{
    return err_set(err, ST_NOMEM, "could not read hosts: out of memory");
}

enum status store_host_key(struct db *db, const char *id, int64_t *ret_key, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_text(&params, id);
    enum status status = db_exec(db, &statements[KEY], &params, &result, err);
    if (status != ST_OK)
        return status;
    if (db_rows(result) == 0)
        return err_set(err, ST_NOT_FOUND, "there is no such host");
    *ret_key = db_i64(result, 0, 0);
    return ST_OK;
}

void store_facts_done(struct store_facts *facts)
{
    arena_done(&facts->arena);
    *facts = (struct store_facts){0};
}

enum status store_host_facts(struct db *db, int64_t host_key, int64_t as_of_us,
                             struct store_facts *ret_facts, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_i64(&params, host_key);
    db_p_time(&params, as_of_us);
    enum status status = db_exec(db, &statements[FACTS], &params, &result, err);
    if (status != ST_OK)
        return status;
    struct store_facts facts = {.count = db_rows(result)};
    facts.items = arena_alloc(&facts.arena, facts.count, sizeof *facts.items);
    bool room = facts.items != NULL;
    for (size_t i = 0; room && i < facts.count; i++) {
        struct store_fact *fact = &facts.items[i];
        fact->valid_from_us = db_time(result, i, 2);
        fact->valid_to_us = db_time(result, i, 3);
        room = keep(&facts.arena, db_text(result, i, 0), &fact->name) &&
               keep(&facts.arena, db_text(result, i, 1), &fact->value);
    }
    if (!room) {
        store_facts_done(&facts);
        return no_memory(err);
    }
    *ret_facts = facts;
    return ST_OK;
}

void store_drivers_done(struct store_drivers *drivers)
{
    arena_done(&drivers->arena);
    *drivers = (struct store_drivers){0};
}

static bool driver_read(const struct db_result *result, size_t row, struct arena *arena,
                        struct store_driver *driver)
{
    size_t count = db_array_count(result, row, 3);
    driver->tags = arena_alloc(arena, count, sizeof *driver->tags);
    driver->since_us = db_time(result, row, 4);
    driver->scanned = db_bool(result, row, 8);
    for (size_t i = 0; driver->tags != NULL && i < count; i++) {
        size_t length;
        const char *text = db_array_text(result, row, 3, i, &length);
        if (text != NULL && tag_parse(text, length, &driver->tags[driver->tag_count]))
            driver->tag_count++;
    }
    return driver->tags != NULL && keep(arena, db_text(result, row, 0), &driver->name) &&
           keep(arena, db_text(result, row, 1), &driver->version) &&
           keep(arena, db_text(result, row, 2), &driver->company) &&
           keep(arena, db_text(result, row, 5), &driver->product) &&
           keep(arena, db_text(result, row, 6), &driver->symbols) &&
           keep(arena, db_text(result, row, 7), &driver->sha256);
}

enum status store_host_drivers(struct db *db, int64_t host_key, int64_t at_us,
                               struct store_drivers *ret_drivers, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_i64(&params, host_key);
    db_p_time(&params, at_us);
    enum status status = db_exec(db, &statements[DRIVERS], &params, &result, err);
    if (status != ST_OK)
        return status;
    struct store_drivers drivers = {.count = db_rows(result)};
    drivers.items = arena_alloc(&drivers.arena, drivers.count, sizeof *drivers.items);
    bool room = drivers.items != NULL;
    for (size_t i = 0; room && i < drivers.count; i++)
        room = driver_read(result, i, &drivers.arena, &drivers.items[i]);
    if (!room) {
        store_drivers_done(&drivers);
        return no_memory(err);
    }
    *ret_drivers = drivers;
    return ST_OK;
}

void store_changes_done(struct store_changes *changes)
{
    arena_done(&changes->arena);
    *changes = (struct store_changes){0};
}

enum status store_host_changes(struct db *db, int64_t host_key, size_t limit,
                               struct store_changes *ret_changes, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_i64(&params, host_key);
    db_p_i64(&params, (int64_t)limit);
    enum status status = db_exec(db, &statements[CHANGES], &params, &result, err);
    if (status != ST_OK)
        return status;
    struct store_changes changes = {.count = db_rows(result)};
    changes.items = arena_alloc(&changes.arena, changes.count, sizeof *changes.items);
    bool room = changes.items != NULL;
    for (size_t i = 0; room && i < changes.count; i++) {
        struct store_change *change = &changes.items[i];
        change->at_us = db_time(result, i, 0);
        change->driver = db_bool(result, i, 1);
        room = keep(&changes.arena, db_text(result, i, 2), &change->name) &&
               keep(&changes.arena, db_text(result, i, 3), &change->from) &&
               keep(&changes.arena, db_text(result, i, 4), &change->to);
    }
    if (!room) {
        store_changes_done(&changes);
        return no_memory(err);
    }
    *ret_changes = changes;
    return ST_OK;
}

void store_host_refs_done(struct store_host_refs *refs)
{
    arena_done(&refs->arena);
    *refs = (struct store_host_refs){0};
}

enum status store_hosts_keys(struct db *db, int64_t as_of_us, struct store_host_refs *ret_refs,
                             struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    db_p_time(&params, as_of_us);
    enum status status = db_exec(db, &statements[KEYS], &params, &result, err);
    if (status != ST_OK)
        return status;
    struct store_host_refs refs = {.count = db_rows(result)};
    refs.items = arena_alloc(&refs.arena, refs.count, sizeof *refs.items);
    bool room = refs.items != NULL;
    for (size_t i = 0; room && i < refs.count; i++) {
        struct store_host_ref *ref = &refs.items[i];
        ref->key = db_i64(result, i, 0);
        ref->first_seen_us = db_time(result, i, 3);
        ref->last_seen_us = db_time(result, i, 4);
        room = keep(&refs.arena, db_text(result, i, 1), &ref->id) &&
               keep(&refs.arena, db_text(result, i, 2), &ref->name);
    }
    if (!room) {
        store_host_refs_done(&refs);
        return no_memory(err);
    }
    *ret_refs = refs;
    return ST_OK;
}

enum status store_hosts_awaiting(struct db *db, const char *id,
                                 struct store_awaiting_list *ret_list, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    if (id != NULL)
        db_p_text(&params, id);
    enum status status =
        db_exec(db, &statements[id == NULL ? AWAITING : AWAITING_ONE], &params, &result, err);
    if (status != ST_OK)
        return status;
    struct store_awaiting_list list = {.count = db_rows(result)};
    list.items = arena_alloc(&list.arena, list.count, sizeof *list.items);
    bool room = list.items != NULL;
    for (size_t i = 0; room && i < list.count; i++) {
        struct store_awaiting *item = &list.items[i];
        const char **texts[] = {&item->agent_version, &item->os_name, &item->os_build,
                                &item->role,          &item->model,   &item->attributes};
        item->enrolled_at_us = db_time(result, i, 2);
        room = keep(&list.arena, db_text(result, i, 0), &item->id) &&
               keep(&list.arena, db_text(result, i, 1), &item->name);
        for (size_t t = 0; room && t < sizeof texts / sizeof *texts; t++)
            room = keep(&list.arena, db_text(result, i, 3 + t), texts[t]);
    }
    if (!room) {
        store_awaiting_list_done(&list);
        return no_memory(err);
    }
    *ret_list = list;
    return ST_OK;
}
