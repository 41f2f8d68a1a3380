/* SPDX-License-Identifier: Apache-2.0 */
/* The writing half of snapshot_json.h: straight into a strbuf, without a JSON library, so that an
 * agent can write documents and link none. Reading is snapshot_json.c. */
#include "common/snapshot_json.h"

static void put_key(struct strbuf *out, const char *name, bool *first)
{
    strbuf_putc(out, *first ? '{' : ',');
    *first = false;
    strbuf_json(out, name);
    strbuf_putc(out, ':');
}

static void put_time(struct strbuf *out, int64_t us)
{
    char text[TIME_TEXT_MAX];
    time_format(us, text);
    strbuf_putc(out, '"');
    strbuf_puts(out, text);
    strbuf_putc(out, '"');
}

static void put_tags(struct strbuf *out, const uint32_t *tags, size_t count)
{
    strbuf_putc(out, '[');
    for (size_t i = 0; i < count; i++) {
        char text[TAG_TEXT_MAX];
        tag_format(tags[i], text);
        if (i > 0)
            strbuf_putc(out, ',');
        strbuf_json(out, text);
    }
    strbuf_putc(out, ']');
}

static void put_u32_column(struct strbuf *out, const char *name, const uint32_t *values,
                           size_t count)
{
    if (values == NULL)
        return;
    strbuf_printf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            strbuf_putc(out, ',');
        strbuf_u64(out, values[i]);
    }
    strbuf_putc(out, ']');
}

static void put_table(struct strbuf *out, const struct snapshot_table *table)
{
    strbuf_puts(out, "{\"tag\":");
    put_tags(out, table->tag, table->count);
    put_u32_column(out, "allocs", table->allocs, table->count);
    put_u32_column(out, "frees", table->frees, table->count);
    if (table->bytes != NULL) {
        strbuf_puts(out, ",\"bytes\":[");
        for (size_t i = 0; i < table->count; i++) {
            if (i > 0)
                strbuf_putc(out, ',');
            strbuf_u64(out, table->bytes[i]);
        }
        strbuf_putc(out, ']');
    }
    strbuf_putc(out, '}');
}

static void put_driver(struct strbuf *out, const struct snapshot_driver *driver)
{
    bool first = true;
    put_key(out, "name", &first);
    strbuf_json(out, driver->name);
    if (driver->version != NULL) {
        put_key(out, "version", &first);
        strbuf_json(out, driver->version);
    }
    if (driver->company != NULL) {
        put_key(out, "company", &first);
        strbuf_json(out, driver->company);
    }
    if (driver->tags != NULL) {
        put_key(out, "tags", &first);
        put_tags(out, driver->tags, driver->tag_count);
    }
    strbuf_putc(out, '}');
}

static void put_attributes(struct strbuf *out, const struct snapshot *s)
{
    strbuf_putc(out, '{');
    for (size_t i = 0; i < s->attribute_count; i++) {
        if (i > 0)
            strbuf_putc(out, ',');
        strbuf_json(out, s->attributes[i].name);
        strbuf_putc(out, ':');
        strbuf_json(out, s->attributes[i].value);
    }
    strbuf_putc(out, '}');
}

static void put_host(struct strbuf *out, const struct snapshot *s)
{
    bool first = true;
    if (s->host_id != NULL) {
        put_key(out, "id", &first);
        strbuf_json(out, s->host_id);
    }
    if (s->host_name != NULL) {
        put_key(out, "name", &first);
        strbuf_json(out, s->host_name);
    }
    if (s->has_attributes) {
        put_key(out, "attributes", &first);
        put_attributes(out, s);
    }
    if (s->has_drivers) {
        put_key(out, "drivers", &first);
        strbuf_putc(out, '[');
        for (size_t i = 0; i < s->driver_count; i++) {
            if (i > 0)
                strbuf_putc(out, ',');
            put_driver(out, &s->drivers[i]);
        }
        strbuf_putc(out, ']');
    }
    if (first)
        strbuf_putc(out, '{');
    strbuf_putc(out, '}');
}

static void put_totals(struct strbuf *out, const struct snapshot_totals *totals)
{
    bool first = true;
    for (unsigned i = 0; i < TOTAL_COUNT; i++) {
        if (!totals_has(totals, (enum total)i))
            continue;
        put_key(out, total_name((enum total)i), &first);
        strbuf_u64(out, totals->value[i]);
    }
    strbuf_putc(out, '}');
}

/* A column of object counts; left out unless every one is known, since absent is unknown. */
static void put_object_counts(struct strbuf *out, const struct snapshot *s, const char *name,
                              size_t offset)
{
    for (size_t i = 0; i < s->object_count; i++) {
        if (*(const int64_t *)((const char *)&s->objects[i] + offset) < 0)
            return;
    }
    strbuf_printf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < s->object_count; i++) {
        if (i > 0)
            strbuf_putc(out, ',');
        strbuf_i64(out, *(const int64_t *)((const char *)&s->objects[i] + offset));
    }
    strbuf_putc(out, ']');
}

static void put_objects(struct strbuf *out, const struct snapshot *s)
{
    strbuf_puts(out, "{\"type\":[");
    for (size_t i = 0; i < s->object_count; i++) {
        if (i > 0)
            strbuf_putc(out, ',');
        strbuf_json(out, s->objects[i].type);
    }
    strbuf_putc(out, ']');
    put_object_counts(out, s, "objects", offsetof(struct snapshot_object, objects));
    put_object_counts(out, s, "handles", offsetof(struct snapshot_object, handles));
    strbuf_putc(out, '}');
}

static void put_optional_number(struct strbuf *out, const char *name, int64_t value)
{
    if (value >= 0)
        strbuf_printf(out, ",\"%s\":%lld", name, (long long)value);
}

static void put_lists(struct strbuf *out, const struct snapshot *s, bool *first)
{
    if (s->object_count > 0) {
        put_key(out, "objects", first);
        put_objects(out, s);
    }
    for (size_t i = 0; i < s->process_count; i++) {
        if (i == 0)
            put_key(out, "processes", first);
        strbuf_printf(out, "%c{\"pid\":%lld,\"image\":", i == 0 ? '[' : ',',
                      (long long)s->processes[i].pid);
        strbuf_json(out, s->processes[i].image);
        put_optional_number(out, "handles", s->processes[i].handles);
        strbuf_puts(out, i + 1 == s->process_count ? "}]" : "}");
    }
    for (size_t i = 0; i < s->session_count; i++) {
        if (i == 0)
            put_key(out, "sessions", first);
        strbuf_printf(out, "%c{\"id\":%lld", i == 0 ? '[' : ',', (long long)s->sessions[i].id);
        put_optional_number(out, "paged_bytes", s->sessions[i].paged_bytes);
        put_optional_number(out, "failures", s->sessions[i].failures);
        strbuf_puts(out, i + 1 == s->session_count ? "}]" : "}");
    }
    for (size_t i = 0; i < s->event_count; i++) {
        if (i == 0)
            put_key(out, "events", first);
        strbuf_puts(out, i == 0 ? "[{\"at\":" : ",{\"at\":");
        put_time(out, s->events[i].at_us);
        strbuf_puts(out, ",\"provider\":");
        strbuf_json(out, s->events[i].provider);
        strbuf_printf(out, ",\"id\":%lld", (long long)s->events[i].id);
        strbuf_puts(out, i + 1 == s->event_count ? "}]" : "}");
    }
}

void snapshot_json_encode(const struct snapshot *s, struct strbuf *out)
{
    bool first = true;
    put_key(out, "format", &first);
    strbuf_u64(out, SNAPSHOT_FORMAT);
    put_key(out, "host", &first);
    put_host(out, s);
    if (s->boot_at_us != TIME_UNKNOWN) {
        put_key(out, "boot_at", &first);
        put_time(out, s->boot_at_us);
    }
    put_key(out, "taken_at", &first);
    put_time(out, s->taken_at_us);
    if (s->sequence != SEQUENCE_UNKNOWN) {
        put_key(out, "sequence", &first);
        strbuf_i64(out, s->sequence);
    }
    if (s->base != SEQUENCE_UNKNOWN) {
        put_key(out, "base", &first);
        strbuf_i64(out, s->base);
    }
    if (s->totals.known != 0) {
        put_key(out, "totals", &first);
        put_totals(out, &s->totals);
    }
    for (unsigned pool = 0; pool < POOL_COUNT; pool++) {
        if (!s->table[pool].present)
            continue;
        put_key(out, pool_name((enum pool)pool), &first);
        put_table(out, &s->table[pool]);
    }
    put_lists(out, s, &first);
    strbuf_putc(out, '}');
}
