/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one decoder of the snapshot document: small tables, one row per member of an object (name,
 * reader, place, wanted or not). JSON is brought into CBOR before it gets here (snapshot_json.c),
 * so that both encodings have the same rules, the same statuses and the same paths.
 */
#include "common/snapshot_cbor.h"
#include "common/limits.h"
#include "common/snapshot_cbor_read.h"

#include <string.h>

_Static_assert(CBOR_DEPTH_MAX == LIMIT_JSON_DEPTH, "both encodings nest equally deep");

/* ---- host ------------------------------------------------------------------------------------ */

static enum status read_host_id(struct reading *in, void *ret_text, struct err *err)
{
    const char *id = NULL;
    enum status status = in_text_max(in, LIMIT_HOST_ID_BYTES, &id, err);
    if (status == ST_OK && !snapshot_host_id_valid(id))
        return err_set(err, ST_INVALID, "a host id has 1 to %u letters, digits and ._:@-",
                       LIMIT_HOST_ID_BYTES);
    if (status == ST_OK)
        *(const char **)ret_text = id;
    return status;
}

static int by_attribute_name(const void *a, const void *b)
{
    return strcmp(((const struct snapshot_attribute *)a)->name,
                  ((const struct snapshot_attribute *)b)->name);
}

static enum status read_attribute(struct reading *in, struct snapshot_attribute *ret_attribute,
                                  struct err *err)
{
    const char *name = NULL;
    size_t length = 0;
    enum status status = in_key(in, &name, &length, err);
    if (status != ST_OK)
        return status;
    if (length == 0 || length > LIMIT_TEXT_BYTES)
        return err_set(err, ST_INVALID, "an attribute's name has 1 to %u bytes", LIMIT_TEXT_BYTES);
    status = in_text(in, &ret_attribute->value, err);
    if (status != ST_OK)
        return in_at_member(status, name, length, err);
    ret_attribute->name = arena_strndup(&in->s->arena, name, length);
    return ret_attribute->name == NULL ? in_out_of_memory(err) : ST_OK;
}

/* Pairs of the map just opened; no more than LIMIT_ATTRIBUTES + 1 are looked at. */
static bool count_pairs(const struct reading *in, size_t *ret_count)
{
    struct cbor_reader ahead = in->cbor;
    size_t count = 0;
    while (count <= LIMIT_ATTRIBUTES && cbor_more(&ahead)) {
        if (!cbor_skip(&ahead) || !cbor_skip(&ahead))
            return false;
        count++;
    }
    *ret_count = count;
    return !ahead.failed;
}

static enum status read_attributes(struct reading *in, void *target, struct err *err)
{
    struct snapshot *s = in->s;
    size_t count = 0;
    (void)target;
    enum status status = in_open_object(in, &count, err);
    if (status != ST_OK)
        return status;
    if (count == SIZE_MAX && !count_pairs(in, &count))
        return in_broken(in, err);
    if (count > LIMIT_ATTRIBUTES)
        return err_set(err, ST_TOO_LARGE, "%u attributes are over the limit of %u", (unsigned)count,
                       LIMIT_ATTRIBUTES);
    s->attributes = arena_alloc(&s->arena, count, sizeof *s->attributes);
    if (s->attributes == NULL)
        return in_out_of_memory(err);
    for (size_t i = 0; i < count; i++) {
        if ((status = read_attribute(in, &s->attributes[i], err)) != ST_OK)
            return status;
    }
    qsort(s->attributes, count, sizeof *s->attributes, by_attribute_name);
    for (size_t i = 1; i < count; i++) {
        const char *name = s->attributes[i].name;
        if (strcmp(s->attributes[i - 1].name, name) == 0)
            return in_twice(name, strlen(name), err);
    }
    s->attribute_count = count;
    s->has_attributes = true;
    return in_close(in, err);
}

/* The tags of a driver; the target is the driver. */
static enum status read_driver_tags(struct reading *in, void *target, struct err *err)
{
    struct snapshot_driver *driver = target;
    struct u32_column tags = {0};
    enum status status = in_tags(in, LIMIT_TAGS_PER_DRIVER, &tags, err);
    if (status != ST_OK)
        return status;
    driver->has_tags = true;
    driver->tags = tags.values;
    driver->tag_count = tags.count;
    return ST_OK;
}

static const struct member driver_members[] = {
    {"name", in_name, WANTED(snapshot_driver, name)},
    {"version", in_text, MAY(snapshot_driver, version)},
    {"company", in_text, MAY(snapshot_driver, company)},
    {"product", in_text, MAY(snapshot_driver, product)},
    {"sha256", in_sha256, MAY(snapshot_driver, sha256)},
    {"symbols", in_text, MAY(snapshot_driver, symbols)},
    {"tags", read_driver_tags, 0, false},
};

static int by_driver_name(const void *a, const void *b)
{
    return strcmp(((const struct snapshot_driver *)a)->name,
                  ((const struct snapshot_driver *)b)->name);
}

static enum status read_drivers(struct reading *in, void *target, struct err *err)
{
    static const struct snapshot_driver preset = {0};
    struct snapshot *s = in->s;
    (void)target;
    enum status status = in_objects(in, LIMIT_DRIVERS, MEMBERS(driver_members), &preset,
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

static const struct member host_members[] = {
    {"id", read_host_id, MAY(snapshot, host_id)},
    {"name", in_text, MAY(snapshot, host_name)},
    {"attributes", read_attributes, 0, false},
    {"drivers", read_drivers, 0, false},
};

static enum status read_host(struct reading *in, void *target, struct err *err)
{
    (void)target;
    return in_members(in, MEMBERS(host_members), in->s, err);
}

/* ---- tables ---------------------------------------------------------------------------------- */

struct table_columns {
    struct u32_column tag;
    struct u32_column allocs;
    struct u32_column frees;
    struct u64_column bytes;
};

static enum status read_tag_column(struct reading *in, void *ret_column, struct err *err)
{
    return in_tags(in, LIMIT_TABLE_ROWS, ret_column, err);
}

static enum status read_counter_column(struct reading *in, void *ret_column, struct err *err)
{
    return in_counters(in, LIMIT_TABLE_ROWS, ret_column, err);
}

static enum status read_bytes_column(struct reading *in, void *ret_column, struct err *err)
{
    return in_amounts(in, LIMIT_TABLE_ROWS, ret_column, err);
}

static const struct member table_members[] = {
    {"tag", read_tag_column, WANTED(table_columns, tag)},
    {"allocs", read_counter_column, MAY(table_columns, allocs)},
    {"frees", read_counter_column, MAY(table_columns, frees)},
    {"bytes", read_bytes_column, MAY(table_columns, bytes)},
};

/* `values` NULL: the column is absent, and then of any length. */
static enum status check_length(const void *values, size_t count, size_t rows, const char *name,
                                struct err *err)
{
    if (values == NULL || count == rows)
        return ST_OK;
    return err_field(err, ST_INVALID, name, "column of %u values, but the table has %u rows",
                     (unsigned)count, (unsigned)rows);
}

static enum status read_table(struct reading *in, void *ret_table, struct err *err)
{
    struct table_columns columns = {0};
    enum status status = in_members(in, MEMBERS(table_members), &columns, err);
    size_t rows = columns.tag.count;
    if (status != ST_OK)
        return status;
    struct snapshot_table table = {
        .present = true,
        .count = rows,
        .tag = columns.tag.values,
        .allocs = columns.allocs.values,
        .frees = columns.frees.values,
        .bytes = columns.bytes.values,
    };
    if (snapshot_table_columns(&table) == 0)
        return err_set(err, ST_INVALID, "a table needs allocs, frees or bytes beside its tags");
    status = check_length(table.allocs, columns.allocs.count, rows, "allocs", err);
    if (status == ST_OK)
        status = check_length(table.frees, columns.frees.count, rows, "frees", err);
    if (status == ST_OK)
        status = check_length(table.bytes, columns.bytes.count, rows, "bytes", err);
    if (status == ST_OK)
        status = snapshot_table_sort(&table, err);
    if (status == ST_OK)
        *(struct snapshot_table *)ret_table = table;
    return status;
}

static enum status read_totals(struct reading *in, void *ret_totals, struct err *err)
{
    struct snapshot_totals totals = {0};
    size_t pairs = 0;
    enum status status = in_open_object(in, &pairs, err);
    while (status == ST_OK && cbor_more(&in->cbor)) {
        const char *name = NULL;
        size_t length = 0;
        uint64_t value = 0;
        unsigned which = 0;
        if ((status = in_key(in, &name, &length, err)) != ST_OK)
            return status;
        while (which < TOTAL_COUNT && (strlen(total_name((enum total)which)) != length ||
                                       memcmp(total_name((enum total)which), name, length) != 0))
            which++;
        if (which == TOTAL_COUNT)
            return in_at_member(err_set(err, ST_INVALID, "unknown field"), name, length, err);
        if (totals_has(&totals, (enum total)which))
            return in_twice(name, length, err);
        status = in_uint(in, LIMIT_NUMBER_MAX, &value, err);
        if (status != ST_OK)
            return in_at_member(status, name, length, err);
        totals_set(&totals, (enum total)which, value);
    }
    if (status == ST_OK)
        *(struct snapshot_totals *)ret_totals = totals;
    return status == ST_OK && in->cbor.failed ? in_broken(in, err) : status;
}

/* ---- the lists beside the tables ------------------------------------------------------------- */

struct object_columns {
    struct text_column type;
    struct u64_column objects;
    struct u64_column handles;
};

static enum status read_type_column(struct reading *in, void *ret_column, struct err *err)
{
    return in_names(in, LIMIT_OBJECT_TYPES, ret_column, err);
}

static enum status read_count_column(struct reading *in, void *ret_column, struct err *err)
{
    return in_amounts(in, LIMIT_OBJECT_TYPES, ret_column, err);
}

static const struct member object_members[] = {
    {"type", read_type_column, WANTED(object_columns, type)},
    {"objects", read_count_column, MAY(object_columns, objects)},
    {"handles", read_count_column, MAY(object_columns, handles)},
};

static enum status read_object_types(struct reading *in, void *target, struct err *err)
{
    struct object_columns columns = {0};
    struct snapshot *s = in->s;
    (void)target;
    enum status status = in_members(in, MEMBERS(object_members), &columns, err);
    size_t rows = columns.type.count;
    if (status == ST_OK)
        status = check_length(columns.objects.values, columns.objects.count, rows, "objects", err);
    if (status == ST_OK)
        status = check_length(columns.handles.values, columns.handles.count, rows, "handles", err);
    if (status != ST_OK)
        return status;
    s->objects = arena_alloc(&s->arena, rows, sizeof *s->objects);
    if (s->objects == NULL)
        return in_out_of_memory(err);
    for (size_t i = 0; i < rows; i++) {
        s->objects[i] = (struct snapshot_object){
            .type = columns.type.values[i],
            .objects = columns.objects.values == NULL ? -1 : (int64_t)columns.objects.values[i],
            .handles = columns.handles.values == NULL ? -1 : (int64_t)columns.handles.values[i],
        };
    }
    s->object_count = rows;
    return ST_OK;
}

static const struct member process_members[] = {
    {"pid", in_number, WANTED(snapshot_process, pid)},
    {"image", in_text, WANTED(snapshot_process, image)},
    {"handles", in_number, MAY(snapshot_process, handles)},
};
static const struct member session_members[] = {
    {"id", in_number, WANTED(snapshot_session, id)},
    {"paged_bytes", in_number, MAY(snapshot_session, paged_bytes)},
    {"failures", in_number, MAY(snapshot_session, failures)},
};
static const struct member event_members[] = {
    {"at", in_moment, WANTED(snapshot_event, at_us)},
    {"provider", in_text, WANTED(snapshot_event, provider)},
    {"id", in_number, WANTED(snapshot_event, id)},
};

static enum status read_processes(struct reading *in, void *target, struct err *err)
{
    static const struct snapshot_process preset = {.handles = -1};
    (void)target;
    return in_objects(in, LIMIT_PROCESSES, MEMBERS(process_members), &preset, sizeof preset,
                      &in->s->processes, &in->s->process_count, err);
}

static enum status read_sessions(struct reading *in, void *target, struct err *err)
{
    static const struct snapshot_session preset = {.paged_bytes = -1, .failures = -1};
    (void)target;
    return in_objects(in, LIMIT_SESSIONS, MEMBERS(session_members), &preset, sizeof preset,
                      &in->s->sessions, &in->s->session_count, err);
}

static enum status read_events(struct reading *in, void *target, struct err *err)
{
    static const struct snapshot_event preset = {.at_us = TIME_UNKNOWN};
    (void)target;
    return in_objects(in, LIMIT_EVENTS, MEMBERS(event_members), &preset, sizeof preset,
                      &in->s->events, &in->s->event_count, err);
}

struct block_columns {
    uint32_t tag;
    struct u64_column bytes;
    struct u64_column blocks;
};

static enum status read_size_column(struct reading *in, void *ret_column, struct err *err)
{
    return in_amounts(in, LIMIT_BLOCK_SIZES, ret_column, err);
}

static const struct member block_members[] = {
    {"tag", in_tag, WANTED(block_columns, tag)},
    {"bytes", read_size_column, WANTED(block_columns, bytes)},
    {"blocks", read_size_column, WANTED(block_columns, blocks)},
};

static int by_block_tag(const void *a, const void *b)
{
    uint32_t x = ((const struct snapshot_blocks *)a)->tag;
    uint32_t y = ((const struct snapshot_blocks *)b)->tag;
    return x < y ? -1 : x > y;
}

static enum status read_big_blocks(struct reading *in, void *target, struct err *err)
{
    static const struct block_columns preset = {0};
    struct block_columns *columns = NULL;
    struct snapshot *s = in->s;
    size_t count = 0;
    (void)target;
    enum status status = in_objects(in, LIMIT_BLOCK_TAGS, MEMBERS(block_members), &preset,
                                    sizeof preset, &columns, &count, err);
    if (status != ST_OK)
        return status;
    s->blocks = arena_alloc(&s->arena, count, sizeof *s->blocks);
    if (s->blocks == NULL)
        return in_out_of_memory(err);
    for (size_t i = 0; i < count; i++) {
        size_t sizes = columns[i].bytes.count;
        status =
            check_length(columns[i].blocks.values, columns[i].blocks.count, sizes, "blocks", err);
        if (status != ST_OK)
            return in_at_index(status, i, err);
        s->blocks[i] = (struct snapshot_blocks){columns[i].tag, sizes, columns[i].bytes.values,
                                                columns[i].blocks.values};
    }
    qsort(s->blocks, count, sizeof *s->blocks, by_block_tag);
    for (size_t i = 1; i < count; i++) {
        if (s->blocks[i - 1].tag == s->blocks[i].tag)
            return err_set(err, ST_INVALID, "a tag stands twice in big_blocks");
    }
    s->block_count = count;
    return ST_OK;
}

static const struct member agent_members[] = {
    {"version", in_text, MAY(snapshot_agent, version)},
    {"simulated", in_flag, MAY(snapshot_agent, simulated)},
    {"waiting", in_number, MAY(snapshot_agent, waiting)},
    {"dropped", in_number, MAY(snapshot_agent, dropped)},
};

static enum status read_agent(struct reading *in, void *ret_agent, struct err *err)
{
    struct snapshot_agent *agent = ret_agent;
    agent->present = true;
    return in_members(in, MEMBERS(agent_members), agent, err);
}

/* ---- the document ---------------------------------------------------------------------------- */

static enum status read_format(struct reading *in, void *target, struct err *err)
{
    uint64_t format = 0;
    (void)target;
    if (!cbor_read_uint(&in->cbor, &format) || format != SNAPSHOT_FORMAT)
        return err_set(err, ST_INVALID, "only format %d is known", SNAPSHOT_FORMAT);
    return ST_OK;
}

static const struct member document_members[] = {
    {"format", read_format, 0, true},
    {"host", read_host, 0, false},
    {"boot_at", in_moment, MAY(snapshot, boot_at_us)},
    {"taken_at", in_moment, WANTED(snapshot, taken_at_us)},
    {"sequence", in_number, MAY(snapshot, sequence)},
    {"base", in_number, MAY(snapshot, base)},
    {"totals", read_totals, MAY(snapshot, totals)},
    {"nonpaged", read_table, MAY(snapshot, table[POOL_NONPAGED])},
    {"paged", read_table, MAY(snapshot, table[POOL_PAGED])},
    {"objects", read_object_types, 0, false},
    {"processes", read_processes, 0, false},
    {"sessions", read_sessions, 0, false},
    {"events", read_events, 0, false},
    {"big_blocks", read_big_blocks, 0, false},
    {"agent", read_agent, MAY(snapshot, agent)},
};

/* What no single member can say. */
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

enum status snapshot_cbor_span(const void *data, size_t length, size_t *ret_length, struct err *err)
{
    struct reading in = {0};
    cbor_read_init(&in.cbor, data, length);
    if (!cbor_skip(&in.cbor))
        return in_broken(&in, err);
    *ret_length = cbor_offset(&in.cbor);
    return ST_OK;
}

static enum status read_document(const void *data, size_t length, struct snapshot *s,
                                 struct err *err)
{
    struct reading in = {.s = s};
    cbor_read_init(&in.cbor, data, length);
    enum status status = in_members(&in, MEMBERS(document_members), s, err);
    if (status == ST_OK && cbor_peek(&in.cbor) != CBOR_END)
        return err_set(err, ST_MALFORMED, "something follows the document at byte %u",
                       (unsigned)cbor_offset(&in.cbor));
    return status == ST_OK ? check_document(s, err) : status;
}

/* Well-formed comes before right: a document that is cut off says so, whatever else is wrong in it.
 * Asked only of documents that are refused, so that the others are read once. */
static enum status judge(enum status status, const void *data, size_t length, struct err *err)
{
    size_t span = 0;
    struct err why = {0};
    if (status == ST_NOMEM)
        return status;
    if (snapshot_cbor_span(data, length, &span, &why) == ST_OK && span == length)
        return status;
    if (why.code == ST_OK)
        err_set(&why, ST_MALFORMED, "something follows the document at byte %u", (unsigned)span);
    *err = why;
    return ST_MALFORMED;
}

enum status snapshot_cbor_read(const void *data, size_t length, struct snapshot *ret_snapshot,
                               struct err *err)
{
    AUTO_SNAPSHOT struct snapshot s;
    struct err fault = {0};
    snapshot_init(&s);
    enum status status = read_document(data, length, &s, &fault);
    if (status != ST_OK) {
        status = judge(status, data, length, &fault);
        if (err != NULL)
            *err = fault;
        return status;
    }
    *ret_snapshot = s;
    snapshot_init(&s); /* the memory went with the copy */
    return ST_OK;
}

enum status snapshot_cbor_decode(const void *data, size_t length, struct snapshot *ret_snapshot,
                                 struct err *err)
{
    if (length > LIMIT_BODY_BYTES)
        return err_set(err, ST_TOO_LARGE, "document of %u bytes is over the limit of %u",
                       (unsigned)length, LIMIT_BODY_BYTES);
    return snapshot_cbor_read(data, length, ret_snapshot, err);
}
