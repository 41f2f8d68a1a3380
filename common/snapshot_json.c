/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding walks jansson's tree by small tables: one row per field of an object (name, function,
 * required). Every reader reports the path of the fault; the path is put together on the way out
 * (err_prefix_field), so the happy path builds no strings.
 */
#include "common/snapshot_json.h"
#include "common/limits.h"

#include <jansson.h>
#include <string.h>

static inline void cleanup_json(json_t **json)
{
    json_decref(*json);
}
#define AUTO_JSON CLEANUP(cleanup_json)

/* ---- readers of single values ------------------------------------------------------------- */

static enum status out_of_memory(struct err *err)
{
    return err_set(err, ST_NOMEM, "could not decode a snapshot: out of memory");
}

static enum status read_u64(const json_t *json, uint64_t max, uint64_t *ret_value, struct err *err)
{
    if (!json_is_integer(json))
        return err_set(err, ST_INVALID, "an integer is wanted");
    json_int_t value = json_integer_value(json);
    if (value < 0 || (uint64_t)value > max)
        return err_set(err, ST_INVALID, "%lld is out of range 0..%llu", (long long)value,
                       (unsigned long long)max);
    *ret_value = (uint64_t)value;
    return ST_OK;
}

static enum status read_i64(const json_t *json, int64_t *ret_value, struct err *err)
{
    uint64_t value = 0;
    enum status status = read_u64(json, LIMIT_NUMBER_MAX, &value, err);
    if (status == ST_OK)
        *ret_value = (int64_t)value;
    return status;
}

static enum status read_text(struct snapshot *s, const json_t *json, size_t max_bytes,
                             const char **ret_text, struct err *err)
{
    if (!json_is_string(json))
        return err_set(err, ST_INVALID, "a text is wanted");
    size_t length = json_string_length(json);
    if (length > max_bytes)
        return err_set(err, ST_TOO_LARGE, "text of %zu bytes is over the limit of %zu", length,
                       max_bytes);
    char *copy = arena_strndup(&s->arena, json_string_value(json), length);
    if (copy == NULL)
        return out_of_memory(err);
    *ret_text = copy;
    return ST_OK;
}

static enum status read_short_text(struct snapshot *s, const json_t *json, const char **ret_text,
                                   struct err *err)
{
    return read_text(s, json, LIMIT_TEXT_BYTES, ret_text, err);
}

static enum status read_name(struct snapshot *s, const json_t *json, const char **ret_text,
                             struct err *err)
{
    if (json_is_string(json) && json_string_length(json) == 0)
        return err_set(err, ST_INVALID, "a name must not be empty");
    return read_short_text(s, json, ret_text, err);
}

static enum status read_time(const json_t *json, int64_t *ret_us, struct err *err)
{
    if (!json_is_string(json))
        return err_set(err, ST_INVALID, "a time as text is wanted");
    if (!time_parse(json_string_value(json), json_string_length(json), ret_us))
        return err_set(err, ST_INVALID, "not a time of RFC 3339 such as 2026-11-21T02:00:00Z");
    return ST_OK;
}

static enum status read_tag(const json_t *json, uint32_t *ret_tag, struct err *err)
{
    if (!json_is_string(json))
        return err_set(err, ST_INVALID, "a tag as text is wanted");
    if (!tag_parse(json_string_value(json), json_string_length(json), ret_tag))
        return err_set(err, ST_INVALID, "not the text form of a tag's four bytes");
    return ST_OK;
}

/* ---- objects and lists --------------------------------------------------------------------- */

/* One field of an object; `target` is what the object is decoded into. */
struct field {
    const char *name;
    enum status (*read)(struct snapshot *s, const json_t *json, void *target, struct err *err);
    bool required;
};

static enum status at_index(enum status status, size_t index, struct err *err)
{
    char prefix[32];
    snprintf(prefix, sizeof prefix, "[%zu]", index);
    err_prefix_field(err, prefix);
    return status;
}

static enum status at_field(enum status status, const char *name, struct err *err)
{
    err_prefix_field(err, name);
    return status;
}

static const struct field *find_field(const struct field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    }
    return NULL;
}

static enum status read_object(struct snapshot *s, const json_t *json, const struct field *fields,
                               size_t count, void *target, struct err *err)
{
    const char *name;
    json_t *value;
    if (!json_is_object(json))
        return err_set(err, ST_INVALID, "an object is wanted");
    json_object_foreach((json_t *)json, name, value)
    {
        const struct field *field = find_field(fields, count, name);
        if (field == NULL)
            return err_field(err, ST_INVALID, name, "unknown field");
        enum status status = field->read(s, value, target, err);
        if (status != ST_OK)
            return at_field(status, name, err);
    }
    for (size_t i = 0; i < count; i++) {
        if (fields[i].required && json_object_get(json, fields[i].name) == NULL)
            return err_field(err, ST_INVALID, fields[i].name, "required field is missing");
    }
    return ST_OK;
}

static enum status check_list(const json_t *json, size_t max, struct err *err)
{
    if (!json_is_array(json))
        return err_set(err, ST_INVALID, "a list is wanted");
    if (json_array_size(json) > max)
        return err_set(err, ST_TOO_LARGE, "list of %zu is over the limit of %zu",
                       json_array_size(json), max);
    return ST_OK;
}

#define FIELDS(fields) fields, sizeof fields / sizeof fields[0]

/* A list of objects of `size` bytes each. `preset` is copied into each before it is read. */
static enum status read_objects(struct snapshot *s, const json_t *json, size_t max,
                                const struct field *fields, size_t field_count, const void *preset,
                                size_t size, void *ret_items, size_t *ret_count, struct err *err)
{
    enum status status = check_list(json, max, err);
    if (status != ST_OK)
        return status;
    size_t count = json_array_size(json);
    unsigned char *items = arena_alloc(&s->arena, count, size);
    if (items == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < count; i++) {
        void *item = memcpy(items + i * size, preset, size);
        status = read_object(s, json_array_get(json, i), fields, field_count, item, err);
        if (status != ST_OK)
            return at_index(status, i, err);
    }
    *(void **)ret_items = items;
    *ret_count = count;
    return ST_OK;
}

/* Readers of one member: READER(driver_version, struct snapshot_driver, version, read_short_text)
 */
#define TEXT_READER(function, type, member, reader)                                                \
    static enum status function(struct snapshot *s, const json_t *json, void *target,              \
                                struct err *err)                                                   \
    {                                                                                              \
        return reader(s, json, &((type *)target)->member, err);                                    \
    }
#define PLAIN_READER(function, type, member, reader)                                               \
    static enum status function(struct snapshot *s, const json_t *json, void *target,              \
                                struct err *err)                                                   \
    {                                                                                              \
        (void)s;                                                                                   \
        return reader(json, &((type *)target)->member, err);                                       \
    }

/* ---- host ---------------------------------------------------------------------------------- */

static enum status read_host_id(struct snapshot *s, const json_t *json, void *target,
                                struct err *err)
{
    (void)target;
    enum status status = read_text(s, json, LIMIT_HOST_ID_BYTES, &s->host_id, err);
    if (status != ST_OK)
        return status;
    if (!snapshot_host_id_valid(s->host_id))
        return err_set(err, ST_INVALID, "a host id has 1 to %u letters, digits and ._:@-",
                       LIMIT_HOST_ID_BYTES);
    return ST_OK;
}

TEXT_READER(read_host_name, struct snapshot, host_name, read_short_text)
TEXT_READER(read_driver_name, struct snapshot_driver, name, read_name)
TEXT_READER(read_driver_version, struct snapshot_driver, version, read_short_text)
TEXT_READER(read_driver_company, struct snapshot_driver, company, read_short_text)

static int by_attribute_name(const void *a, const void *b)
{
    return strcmp(((const struct snapshot_attribute *)a)->name,
                  ((const struct snapshot_attribute *)b)->name);
}

static int by_driver_name(const void *a, const void *b)
{
    return strcmp(((const struct snapshot_driver *)a)->name,
                  ((const struct snapshot_driver *)b)->name);
}

static enum status read_attributes(struct snapshot *s, const json_t *json, void *target,
                                   struct err *err)
{
    (void)target;
    const char *name;
    json_t *value;
    size_t at = 0;
    if (!json_is_object(json))
        return err_set(err, ST_INVALID, "an object is wanted");
    size_t count = json_object_size(json);
    if (count > LIMIT_ATTRIBUTES)
        return err_set(err, ST_TOO_LARGE, "%zu attributes are over the limit of %u", count,
                       LIMIT_ATTRIBUTES);
    s->attributes = arena_alloc(&s->arena, count, sizeof *s->attributes);
    if (s->attributes == NULL)
        return out_of_memory(err);
    json_object_foreach((json_t *)json, name, value)
    {
        size_t length = strlen(name);
        if (length == 0 || length > LIMIT_TEXT_BYTES)
            return err_set(err, ST_INVALID, "an attribute's name has 1 to %u bytes",
                           LIMIT_TEXT_BYTES);
        enum status status = read_short_text(s, value, &s->attributes[at].value, err);
        if (status != ST_OK)
            return at_field(status, name, err);
        s->attributes[at].name = arena_strndup(&s->arena, name, length);
        if (s->attributes[at].name == NULL)
            return out_of_memory(err);
        at++;
    }
    qsort(s->attributes, count, sizeof *s->attributes, by_attribute_name);
    s->attribute_count = count;
    s->has_attributes = true;
    return ST_OK;
}

static enum status read_driver_tags(struct snapshot *s, const json_t *json, void *target,
                                    struct err *err)
{
    struct snapshot_driver *driver = target;
    enum status status = check_list(json, LIMIT_TAGS_PER_DRIVER, err);
    if (status != ST_OK)
        return status;
    size_t count = json_array_size(json);
    driver->tags = arena_alloc(&s->arena, count, sizeof *driver->tags);
    if (driver->tags == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < count; i++) {
        status = read_tag(json_array_get(json, i), &driver->tags[i], err);
        if (status != ST_OK)
            return at_index(status, i, err);
    }
    driver->tag_count = count;
    return ST_OK;
}

static const struct field driver_fields[] = {
    {"name", read_driver_name, true},
    {"version", read_driver_version, false},
    {"company", read_driver_company, false},
    {"tags", read_driver_tags, false},
};

static enum status read_drivers(struct snapshot *s, const json_t *json, void *target,
                                struct err *err)
{
    static const struct snapshot_driver preset = {0};
    (void)target;
    enum status status = read_objects(s, json, LIMIT_DRIVERS, FIELDS(driver_fields), &preset,
                                      sizeof preset, &s->drivers, &s->driver_count, err);
    if (status != ST_OK)
        return status;
    qsort(s->drivers, s->driver_count, sizeof *s->drivers, by_driver_name);
    for (size_t i = 1; i < s->driver_count; i++) {
        if (strcmp(s->drivers[i - 1].name, s->drivers[i].name) == 0)
            return err_set(err, ST_INVALID, "driver \"%s\" stands twice", s->drivers[i].name);
    }
    s->has_drivers = true;
    return ST_OK;
}

static const struct field host_fields[] = {
    {"id", read_host_id, false},
    {"name", read_host_name, false},
    {"attributes", read_attributes, false},
    {"drivers", read_drivers, false},
};

static enum status read_host(struct snapshot *s, const json_t *json, void *target, struct err *err)
{
    return read_object(s, json, FIELDS(host_fields), target, err);
}

/* ---- tables --------------------------------------------------------------------------------- */

static enum status check_column(const json_t *column, size_t rows, struct err *err)
{
    enum status status = check_list(column, LIMIT_TABLE_ROWS, err);
    if (status == ST_OK && json_array_size(column) != rows)
        return err_set(err, ST_INVALID, "column of %zu values, but the table has %zu tags",
                       json_array_size(column), rows);
    return status;
}

static enum status read_u32_column(const json_t *column, size_t rows, uint32_t *values,
                                   struct err *err)
{
    uint64_t value = 0;
    enum status status = check_column(column, rows, err);
    for (size_t i = 0; status == ST_OK && i < rows; i++) {
        status = read_u64(json_array_get(column, i), UINT32_MAX, &value, err);
        if (status != ST_OK)
            return at_index(status, i, err);
        values[i] = (uint32_t)value;
    }
    return status;
}

static enum status read_bytes_column(const json_t *column, size_t rows, uint64_t *values,
                                     struct err *err)
{
    enum status status = check_column(column, rows, err);
    for (size_t i = 0; status == ST_OK && i < rows; i++) {
        status = read_u64(json_array_get(column, i), LIMIT_NUMBER_MAX, &values[i], err);
        if (status != ST_OK)
            return at_index(status, i, err);
    }
    return status;
}

static enum status read_tag_column(const json_t *column, size_t rows, uint32_t *values,
                                   struct err *err)
{
    for (size_t i = 0; i < rows; i++) {
        enum status status = read_tag(json_array_get(column, i), &values[i], err);
        if (status != ST_OK)
            return at_index(status, i, err);
    }
    return ST_OK;
}

static enum status check_table_fields(const json_t *json, unsigned *ret_columns, struct err *err)
{
    static const struct {
        const char *name;
        unsigned column;
    } known[] = {
        {"tag", 0}, {"allocs", COLUMN_ALLOCS}, {"frees", COLUMN_FREES}, {"bytes", COLUMN_BYTES}};
    const char *name;
    json_t *value;
    unsigned columns = 0;
    if (!json_is_object(json))
        return err_set(err, ST_INVALID, "an object of columns is wanted");
    json_object_foreach((json_t *)json, name, value)
    {
        size_t i = 0;
        while (i < sizeof known / sizeof known[0] && strcmp(known[i].name, name) != 0)
            i++;
        if (i == sizeof known / sizeof known[0])
            return err_field(err, ST_INVALID, name, "unknown field");
        columns |= known[i].column;
    }
    if (json_object_get(json, "tag") == NULL)
        return err_field(err, ST_INVALID, "tag", "required field is missing");
    if (columns == 0)
        return err_set(err, ST_INVALID, "a table needs allocs, frees or bytes beside its tags");
    *ret_columns = columns;
    return ST_OK;
}

static enum status read_table(struct snapshot *s, const json_t *json, struct snapshot_table *table,
                              struct err *err)
{
    unsigned columns = 0;
    enum status status = check_table_fields(json, &columns, err);
    if (status != ST_OK)
        return status;
    const json_t *tags = json_object_get(json, "tag");
    status = check_list(tags, LIMIT_TABLE_ROWS, err);
    if (status != ST_OK)
        return at_field(status, "tag", err);
    size_t rows = json_array_size(tags);
    if (snapshot_table_alloc(&s->arena, table, rows, columns) != ST_OK)
        return out_of_memory(err);
    if ((status = read_tag_column(tags, rows, table->tag, err)) != ST_OK)
        return at_field(status, "tag", err);
    if ((columns & COLUMN_ALLOCS) != 0 &&
        (status = read_u32_column(json_object_get(json, "allocs"), rows, table->allocs, err)) !=
            ST_OK)
        return at_field(status, "allocs", err);
    if ((columns & COLUMN_FREES) != 0 &&
        (status = read_u32_column(json_object_get(json, "frees"), rows, table->frees, err)) !=
            ST_OK)
        return at_field(status, "frees", err);
    if ((columns & COLUMN_BYTES) != 0 &&
        (status = read_bytes_column(json_object_get(json, "bytes"), rows, table->bytes, err)) !=
            ST_OK)
        return at_field(status, "bytes", err);
    return snapshot_table_sort(table, err);
}

static enum status read_nonpaged(struct snapshot *s, const json_t *json, void *target,
                                 struct err *err)
{
    (void)target;
    return read_table(s, json, &s->table[POOL_NONPAGED], err);
}

static enum status read_paged(struct snapshot *s, const json_t *json, void *target, struct err *err)
{
    (void)target;
    return read_table(s, json, &s->table[POOL_PAGED], err);
}

static enum status read_totals(struct snapshot *s, const json_t *json, void *target,
                               struct err *err)
{
    (void)target;
    const char *name;
    json_t *json_value;
    if (!json_is_object(json))
        return err_set(err, ST_INVALID, "an object is wanted");
    json_object_foreach((json_t *)json, name, json_value)
    {
        uint64_t value;
        unsigned which = 0;
        while (which < TOTAL_COUNT && strcmp(total_name((enum total)which), name) != 0)
            which++;
        if (which == TOTAL_COUNT)
            return err_field(err, ST_INVALID, name, "unknown field");
        enum status status = read_u64(json_value, LIMIT_NUMBER_MAX, &value, err);
        if (status != ST_OK)
            return at_field(status, name, err);
        totals_set(&s->totals, (enum total)which, value);
    }
    return ST_OK;
}

/* ---- the lists beside the tables ------------------------------------------------------------ */

static enum status read_objects_column(const json_t *json, const char *name, size_t rows,
                                       struct snapshot_object *objects, size_t offset,
                                       struct err *err)
{
    const json_t *column = json_object_get(json, name);
    if (column == NULL)
        return ST_OK;
    enum status status = check_column(column, rows, err);
    for (size_t i = 0; status == ST_OK && i < rows; i++) {
        int64_t *value = (int64_t *)((char *)&objects[i] + offset);
        status = read_i64(json_array_get(column, i), value, err);
        if (status != ST_OK)
            at_index(status, i, err);
    }
    return status == ST_OK ? ST_OK : at_field(status, name, err);
}

static enum status read_object_types(struct snapshot *s, const json_t *json, void *target,
                                     struct err *err)
{
    (void)target;
    const char *name;
    json_t *value;
    if (!json_is_object(json))
        return err_set(err, ST_INVALID, "an object of columns is wanted");
    json_object_foreach((json_t *)json, name, value)
    {
        if (strcmp(name, "type") != 0 && strcmp(name, "objects") != 0 &&
            strcmp(name, "handles") != 0)
            return err_field(err, ST_INVALID, name, "unknown field");
    }
    const json_t *types = json_object_get(json, "type");
    if (types == NULL)
        return err_field(err, ST_INVALID, "type", "required field is missing");
    enum status status = check_list(types, LIMIT_OBJECT_TYPES, err);
    if (status != ST_OK)
        return at_field(status, "type", err);
    size_t rows = json_array_size(types);
    s->objects = arena_alloc(&s->arena, rows, sizeof *s->objects);
    if (s->objects == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < rows; i++) {
        s->objects[i].objects = -1;
        s->objects[i].handles = -1;
        status = read_name(s, json_array_get(types, i), &s->objects[i].type, err);
        if (status != ST_OK) {
            at_index(status, i, err);
            return at_field(status, "type", err);
        }
    }
    status = read_objects_column(json, "objects", rows, s->objects,
                                 offsetof(struct snapshot_object, objects), err);
    if (status == ST_OK)
        status = read_objects_column(json, "handles", rows, s->objects,
                                     offsetof(struct snapshot_object, handles), err);
    s->object_count = status == ST_OK ? rows : 0;
    return status;
}

PLAIN_READER(read_process_pid, struct snapshot_process, pid, read_i64)
PLAIN_READER(read_process_handles, struct snapshot_process, handles, read_i64)
TEXT_READER(read_process_image, struct snapshot_process, image, read_short_text)
PLAIN_READER(read_session_id, struct snapshot_session, id, read_i64)
PLAIN_READER(read_session_paged, struct snapshot_session, paged_bytes, read_i64)
PLAIN_READER(read_session_failures, struct snapshot_session, failures, read_i64)
PLAIN_READER(read_event_at, struct snapshot_event, at_us, read_time)
TEXT_READER(read_event_provider, struct snapshot_event, provider, read_short_text)
PLAIN_READER(read_event_id, struct snapshot_event, id, read_i64)

static const struct field process_fields[] = {
    {"pid", read_process_pid, true},
    {"image", read_process_image, true},
    {"handles", read_process_handles, false},
};
static const struct field session_fields[] = {
    {"id", read_session_id, true},
    {"paged_bytes", read_session_paged, false},
    {"failures", read_session_failures, false},
};
static const struct field event_fields[] = {
    {"at", read_event_at, true},
    {"provider", read_event_provider, true},
    {"id", read_event_id, true},
};

static enum status read_processes(struct snapshot *s, const json_t *json, void *target,
                                  struct err *err)
{
    static const struct snapshot_process preset = {.handles = -1};
    (void)target;
    return read_objects(s, json, LIMIT_PROCESSES, FIELDS(process_fields), &preset, sizeof preset,
                        &s->processes, &s->process_count, err);
}

static enum status read_sessions(struct snapshot *s, const json_t *json, void *target,
                                 struct err *err)
{
    static const struct snapshot_session preset = {.paged_bytes = -1, .failures = -1};
    (void)target;
    return read_objects(s, json, LIMIT_SESSIONS, FIELDS(session_fields), &preset, sizeof preset,
                        &s->sessions, &s->session_count, err);
}

static enum status read_events(struct snapshot *s, const json_t *json, void *target,
                               struct err *err)
{
    static const struct snapshot_event preset = {.at_us = TIME_UNKNOWN};
    (void)target;
    return read_objects(s, json, LIMIT_EVENTS, FIELDS(event_fields), &preset, sizeof preset,
                        &s->events, &s->event_count, err);
}

/* ---- the document ---------------------------------------------------------------------------- */

static enum status read_format(struct snapshot *s, const json_t *json, void *target,
                               struct err *err)
{
    (void)s;
    (void)target;
    if (!json_is_integer(json) || json_integer_value(json) != SNAPSHOT_FORMAT)
        return err_set(err, ST_INVALID, "only format %d is known", SNAPSHOT_FORMAT);
    return ST_OK;
}

PLAIN_READER(read_boot_at, struct snapshot, boot_at_us, read_time)
PLAIN_READER(read_taken_at, struct snapshot, taken_at_us, read_time)
PLAIN_READER(read_sequence, struct snapshot, sequence, read_i64)
PLAIN_READER(read_base, struct snapshot, base, read_i64)

static const struct field document_fields[] = {
    {"format", read_format, true},        {"host", read_host, false},
    {"boot_at", read_boot_at, false},     {"taken_at", read_taken_at, true},
    {"sequence", read_sequence, false},   {"base", read_base, false},
    {"totals", read_totals, false},       {"nonpaged", read_nonpaged, false},
    {"paged", read_paged, false},         {"objects", read_object_types, false},
    {"processes", read_processes, false}, {"sessions", read_sessions, false},
    {"events", read_events, false},
};

/* What no single field can say. */
static enum status check_document(const struct snapshot *s, struct err *err)
{
    if (!s->table[POOL_NONPAGED].present && !s->table[POOL_PAGED].present)
        return err_field(err, ST_INVALID, "nonpaged",
                         "at least one of nonpaged and paged is wanted");
    if (s->base != SEQUENCE_UNKNOWN && s->sequence == SEQUENCE_UNKNOWN)
        return err_field(err, ST_INVALID, "sequence", "a document with a base needs a sequence");
    if (s->base != SEQUENCE_UNKNOWN && s->base >= s->sequence)
        return err_field(err, ST_INVALID, "base", "the base must come before the sequence");
    if (s->boot_at_us != TIME_UNKNOWN && s->boot_at_us > s->taken_at_us)
        return err_field(err, ST_INVALID, "boot_at", "the boot must not be after taken_at");
    return ST_OK;
}

/* jansson builds the tree before we can look at it, and recurses: bound the nesting first. */
static bool too_deep(const char *text, size_t length)
{
    unsigned depth = 0;
    bool in_text = false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (in_text) {
            i += c == '\\';
            in_text = c != '"';
        } else if (c == '"') {
            in_text = true;
        } else if (c == '{' || c == '[') {
            if (++depth > LIMIT_JSON_DEPTH)
                return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

static enum status parse_failed(const json_error_t *error, struct err *err)
{
    if (json_error_code(error) == json_error_out_of_memory)
        return out_of_memory(err);
    return err_set(err, ST_MALFORMED, "not valid JSON at line %d, column %d: %s", error->line,
                   error->column, error->text);
}

enum status snapshot_json_decode(const char *text, size_t length, struct snapshot *ret_snapshot,
                                 struct err *err)
{
    AUTO_SNAPSHOT struct snapshot s;
    json_error_t error;
    snapshot_init(&s);
    if (length > LIMIT_BODY_BYTES)
        return err_set(err, ST_TOO_LARGE, "document of %zu bytes is over the limit of %u", length,
                       LIMIT_BODY_BYTES);
    if (too_deep(text, length))
        return err_set(err, ST_MALFORMED, "nested deeper than %u levels", LIMIT_JSON_DEPTH);
    AUTO_JSON json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL)
        return parse_failed(&error, err);
    struct err fault = {0};
    enum status status = read_object(&s, json, FIELDS(document_fields), &s, &fault);
    if (status == ST_OK)
        status = check_document(&s, &fault);
    if (status != ST_OK) {
        if (err != NULL)
            *err = fault;
        return status;
    }
    *ret_snapshot = s;
    snapshot_init(&s); /* the memory went with the copy */
    return ST_OK;
}
