/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writing half of snapshot_json.h and snapshot_cbor.h: one description of the document for both
 * (doc_out.h), straight into a strbuf, without a JSON library, so that an agent can write documents
 * and link none.
 */
#include "common/doc_out.h"
#include "common/snapshot_cbor.h"
#include "common/snapshot_json.h"

static void put_tags(struct doc *doc, const char *name, const uint32_t *tags, size_t count)
{
    doc_key(doc, name);
    doc_list(doc, count);
    for (size_t i = 0; i < count; i++)
        doc_tag(doc, tags[i]);
    doc_list_end(doc);
}

static void put_known_text(struct doc *doc, const char *name, const char *text)
{
    if (text != NULL)
        doc_put_text(doc, name, text);
}

static void put_known_number(struct doc *doc, const char *name, int64_t value)
{
    if (value >= 0)
        doc_put_uint(doc, name, (uint64_t)value);
}

static void put_time(struct doc *doc, const char *name, int64_t us)
{
    doc_key(doc, name);
    doc_time(doc, us);
}

/* ---- host ------------------------------------------------------------------------------------ */

static void put_driver(struct doc *doc, const struct snapshot_driver *driver)
{
    doc_map(doc);
    doc_put_text(doc, "name", driver->name);
    put_known_text(doc, "version", driver->version);
    put_known_text(doc, "company", driver->company);
    put_known_text(doc, "product", driver->product);
    put_known_text(doc, "sha256", driver->sha256);
    put_known_text(doc, "symbols", driver->symbols);
    if (driver->has_tags || driver->tag_count > 0)
        put_tags(doc, "tags", driver->tags, driver->tag_count);
    doc_map_end(doc);
}

static void put_host(struct doc *doc, const struct snapshot *s)
{
    doc_key(doc, "host");
    doc_map(doc);
    put_known_text(doc, "id", s->host_id);
    put_known_text(doc, "name", s->host_name);
    if (s->has_attributes) {
        doc_key(doc, "attributes");
        doc_map(doc);
        for (size_t i = 0; i < s->attribute_count; i++)
            doc_put_text(doc, s->attributes[i].name, s->attributes[i].value);
        doc_map_end(doc);
    }
    if (s->has_drivers) {
        doc_key(doc, "drivers");
        doc_list(doc, s->driver_count);
        for (size_t i = 0; i < s->driver_count; i++)
            put_driver(doc, &s->drivers[i]);
        doc_list_end(doc);
    }
    doc_map_end(doc);
}

/* ---- tables ---------------------------------------------------------------------------------- */

/* A packed document is smaller when rows stand as people sort tags: neighbours then begin with the
 * same letters. `key` has the tag's bytes as text above and the row below. */
static int by_text(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t *make_order(const struct snapshot_table *table)
{
    uint64_t *keys = table->count > UINT32_MAX ? NULL : malloc((table->count + 1) * sizeof *keys);
    for (size_t i = 0; keys != NULL && i < table->count; i++)
        keys[i] = (uint64_t)__builtin_bswap32(table->tag[i]) << 32 | i;
    if (keys != NULL)
        qsort(keys, table->count, sizeof *keys, by_text);
    return keys;
}

/* The i-th row to be written; no order: as they are. */
static size_t row_at(const uint64_t *order, size_t i)
{
    return order == NULL ? i : (size_t)(order[i] & UINT32_MAX);
}

static void put_counters(struct doc *doc, const char *name, const uint32_t *values, size_t count,
                         const uint64_t *order)
{
    if (values == NULL)
        return;
    doc_key(doc, name);
    doc_list(doc, count);
    for (size_t i = 0; i < count; i++)
        doc_uint(doc, values[row_at(order, i)]);
    doc_list_end(doc);
}

static void put_table(struct doc *doc, const char *name, const struct snapshot_table *table)
{
    /* Without memory for it the document is only larger. */
    AUTO_FREE uint64_t *order = doc->form == DOC_CBOR ? make_order(table) : NULL;
    doc_key(doc, name);
    doc_map(doc);
    doc_key(doc, "tag");
    doc_list(doc, table->count);
    for (size_t i = 0; i < table->count; i++)
        doc_tag(doc, table->tag[row_at(order, i)]);
    doc_list_end(doc);
    put_counters(doc, "allocs", table->allocs, table->count, order);
    put_counters(doc, "frees", table->frees, table->count, order);
    if (table->bytes != NULL) {
        doc_key(doc, "bytes");
        doc_list(doc, table->count);
        for (size_t i = 0; i < table->count; i++)
            doc_uint(doc, table->bytes[row_at(order, i)]);
        doc_list_end(doc);
    }
    doc_map_end(doc);
}

static void put_totals(struct doc *doc, const struct snapshot_totals *totals)
{
    doc_key(doc, "totals");
    doc_map(doc);
    for (unsigned i = 0; i < TOTAL_COUNT; i++) {
        if (totals_has(totals, (enum total)i))
            doc_put_uint(doc, total_name((enum total)i), totals->value[i]);
    }
    doc_map_end(doc);
}

/* ---- the lists beside the tables ------------------------------------------------------------- */

/* A column of object counts; left out unless every one is known, since absent is unknown. */
static void put_object_counts(struct doc *doc, const struct snapshot *s, const char *name,
                              size_t offset)
{
    for (size_t i = 0; i < s->object_count; i++) {
        if (*(const int64_t *)((const char *)&s->objects[i] + offset) < 0)
            return;
    }
    doc_key(doc, name);
    doc_list(doc, s->object_count);
    for (size_t i = 0; i < s->object_count; i++)
        doc_uint(doc, *(const uint64_t *)((const char *)&s->objects[i] + offset));
    doc_list_end(doc);
}

static void put_objects(struct doc *doc, const struct snapshot *s)
{
    doc_key(doc, "objects");
    doc_map(doc);
    doc_key(doc, "type");
    doc_list(doc, s->object_count);
    for (size_t i = 0; i < s->object_count; i++)
        doc_text(doc, s->objects[i].type);
    doc_list_end(doc);
    put_object_counts(doc, s, "objects", offsetof(struct snapshot_object, objects));
    put_object_counts(doc, s, "handles", offsetof(struct snapshot_object, handles));
    doc_map_end(doc);
}

static void put_process(struct doc *doc, const struct snapshot *s, size_t i)
{
    doc_put_uint(doc, "pid", (uint64_t)s->processes[i].pid);
    doc_put_text(doc, "image", s->processes[i].image);
    put_known_number(doc, "handles", s->processes[i].handles);
}

static void put_session(struct doc *doc, const struct snapshot *s, size_t i)
{
    doc_put_uint(doc, "id", (uint64_t)s->sessions[i].id);
    put_known_number(doc, "paged_bytes", s->sessions[i].paged_bytes);
    put_known_number(doc, "failures", s->sessions[i].failures);
}

static void put_event(struct doc *doc, const struct snapshot *s, size_t i)
{
    put_time(doc, "at", s->events[i].at_us);
    doc_put_text(doc, "provider", s->events[i].provider);
    doc_put_uint(doc, "id", (uint64_t)s->events[i].id);
}

static void put_sizes(struct doc *doc, const char *name, const uint64_t *values, size_t count)
{
    doc_key(doc, name);
    doc_list(doc, count);
    for (size_t i = 0; i < count; i++)
        doc_uint(doc, values[i]);
    doc_list_end(doc);
}

static void put_blocks(struct doc *doc, const struct snapshot *s, size_t i)
{
    const struct snapshot_blocks *blocks = &s->blocks[i];
    doc_key(doc, "tag");
    doc_tag(doc, blocks->tag);
    put_sizes(doc, "bytes", blocks->bytes, blocks->count);
    put_sizes(doc, "blocks", blocks->blocks, blocks->count);
}

/* A list of objects; nothing of it is said when there is nothing in it. */
static void put_list(struct doc *doc, const char *name, const struct snapshot *s, size_t count,
                     void (*put)(struct doc *doc, const struct snapshot *s, size_t i))
{
    if (count == 0)
        return;
    doc_key(doc, name);
    doc_list(doc, count);
    for (size_t i = 0; i < count; i++) {
        doc_map(doc);
        put(doc, s, i);
        doc_map_end(doc);
    }
    doc_list_end(doc);
}

static void put_agent(struct doc *doc, const struct snapshot_agent *agent)
{
    doc_key(doc, "agent");
    doc_map(doc);
    put_known_text(doc, "version", agent->version);
    if (agent->simulated)
        doc_put_bool(doc, "simulated", true);
    put_known_number(doc, "waiting", agent->waiting);
    put_known_number(doc, "dropped", agent->dropped);
    doc_map_end(doc);
}

/* ---- the document ---------------------------------------------------------------------------- */

static void put_document(struct doc *doc, const struct snapshot *s)
{
    doc_map(doc);
    doc_put_uint(doc, "format", SNAPSHOT_FORMAT);
    put_host(doc, s);
    if (s->boot_at_us != TIME_UNKNOWN)
        put_time(doc, "boot_at", s->boot_at_us);
    put_time(doc, "taken_at", s->taken_at_us);
    put_known_number(doc, "sequence", s->sequence);
    put_known_number(doc, "base", s->base);
    if (s->totals.known != 0)
        put_totals(doc, &s->totals);
    for (unsigned pool = 0; pool < POOL_COUNT; pool++) {
        if (s->table[pool].present)
            put_table(doc, pool_name((enum pool)pool), &s->table[pool]);
    }
    if (s->object_count > 0)
        put_objects(doc, s);
    put_list(doc, "processes", s, s->process_count, put_process);
    put_list(doc, "sessions", s, s->session_count, put_session);
    put_list(doc, "events", s, s->event_count, put_event);
    put_list(doc, "big_blocks", s, s->block_count, put_blocks);
    if (s->agent.present)
        put_agent(doc, &s->agent);
    doc_map_end(doc);
}

void snapshot_json_encode(const struct snapshot *snapshot, struct strbuf *out)
{
    struct doc doc;
    doc_init(&doc, DOC_JSON, out);
    put_document(&doc, snapshot);
}

void snapshot_cbor_encode(const struct snapshot *snapshot, struct strbuf *out)
{
    struct doc doc;
    doc_init(&doc, DOC_CBOR, out);
    put_document(&doc, snapshot);
}
