/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of scenario files. One table per kind of object says which fields there are, of which
 * type and range, and where they go; what a table cannot say is checked after it.
 */
#include "agent/sim/scenario.h"
#include "common/limits.h"

#include <jansson.h>

enum field_type {
    FIELD_TEXT,     /* const char * */
    FIELD_NUMBER,   /* double, min..max */
    FIELD_U32,      /* uint32_t, min..max */
    FIELD_BOOL,     /* bool */
    FIELD_DURATION, /* int64_t us */
    FIELD_PAST,     /* int64_t us, "-2h" or "boot" (AT_BOOT) */
    FIELD_TAG,      /* uint32_t */
    FIELD_POOL,     /* enum pool */
    FIELD_SHAPE,    /* enum shape */
    FIELD_ON,       /* enum scenario_on */
    FIELD_NESTED    /* read by its own function */
};

struct field {
    const char *name;
    enum field_type type;
    size_t offset;
    bool required;
    double min;
    double max;
};

static const char *const shape_names[SHAPE_COUNT] = {
    [SHAPE_LINEAR] = "linear",     [SHAPE_ACCELERATING] = "accelerating",
    [SHAPE_STAIR] = "stair",       [SHAPE_BURSTY] = "bursty",
    [SHAPE_PLATEAU] = "plateau",   [SHAPE_DAILY] = "daily",
    [SHAPE_WORKLOAD] = "workload", [SHAPE_LOCKSTEP] = "lockstep",
    [SHAPE_CACHE] = "cache",       [SHAPE_LEVEL] = "level",
    [SHAPE_CHURN] = "churn",
};
static const char *const on_names[ON_COUNT] = {
    [ON_AFFECTED] = "affected", [ON_UNAFFECTED] = "unaffected", [ON_ALL] = "all"};

#define NESTED(name)                                                                               \
    {                                                                                              \
        name, FIELD_NESTED, 0, false, 0, 0                                                         \
    }
#define AT(type, member) offsetof(struct type, member)

static const struct field row_fields[] = {
    {"tag", FIELD_TAG, AT(scenario_row, tag), true, 0, 0},
    {"pool", FIELD_POOL, AT(scenario_row, pool), true, 0, 0},
    {"shape", FIELD_SHAPE, AT(scenario_row, shape), true, 0, 0},
    {"on", FIELD_ON, AT(scenario_row, on), false, 0, 0},
    {"block_bytes", FIELD_U32, AT(scenario_row, block_bytes), true, 16, 1 << 24},
    {"rate_per_hour", FIELD_NUMBER, AT(scenario_row, rate_per_hour), false, 0, 1e10},
    {"allocs_per_hour", FIELD_NUMBER, AT(scenario_row, allocs_per_hour), false, 0, 1e10},
    {"limit_blocks", FIELD_NUMBER, AT(scenario_row, limit_blocks), false, 0, 4e9},
    {"growth_per_day", FIELD_NUMBER, AT(scenario_row, growth_per_day), false, 0, 100},
    {"counter_start", FIELD_NUMBER, AT(scenario_row, counter_start), false, 0, 4294967295.0},
    {"ratio", FIELD_NUMBER, AT(scenario_row, ratio), false, 0, 1000},
    {"leader", FIELD_TAG, AT(scenario_row, leader_tag), false, 0, 0},
    {"period", FIELD_DURATION, AT(scenario_row, period_us), false, 0, 0},
    {"burst", FIELD_DURATION, AT(scenario_row, burst_us), false, 0, 0},
    {"start", FIELD_PAST, AT(scenario_row, start_us), false, 0, 0},
    {"end", FIELD_PAST, AT(scenario_row, end_us), false, 0, 0},
    {"zero_frees", FIELD_BOOL, AT(scenario_row, zero_frees), false, 0, 0},
    NESTED("while"),
};
static const struct field pair_fields[] = {
    {"attribute", FIELD_TEXT, AT(scenario_pair, name), true, 0, 0},
    {"value", FIELD_TEXT, AT(scenario_pair, value), true, 0, 0},
};
static const struct field driver_fields[] = {
    {"name", FIELD_TEXT, AT(scenario_driver, name), true, 0, 0},
    {"version", FIELD_TEXT, AT(scenario_driver, version), true, 0, 0},
    {"company", FIELD_TEXT, AT(scenario_driver, company), false, 0, 0},
    NESTED("tags"),
};
static const struct field change_fields[] = {
    {"at", FIELD_PAST, AT(scenario_change, at_us), true, 0, 0},
    {"driver", FIELD_TEXT, AT(scenario_change, driver), false, 0, 0},
    {"version", FIELD_TEXT, AT(scenario_change, version), false, 0, 0},
    {"attribute", FIELD_TEXT, AT(scenario_change, attribute), false, 0, 0},
    {"value", FIELD_TEXT, AT(scenario_change, value), false, 0, 0},
    {"reboot", FIELD_BOOL, AT(scenario_change, reboot), false, 0, 0},
};
static const struct field group_fields[] = {
    {"name", FIELD_TEXT, AT(scenario_group, name), true, 0, 0},
    {"count", FIELD_NUMBER, AT(scenario_group, count), true, 1, 99},
    {"unaffected", FIELD_BOOL, AT(scenario_group, unaffected), false, 0, 0},
    {"role", FIELD_TEXT, AT(scenario_group, role), true, 0, 0},
    {"os_build", FIELD_TEXT, AT(scenario_group, os_build), true, 0, 0},
    {"model", FIELD_TEXT, AT(scenario_group, model), false, 0, 0},
    {"ram_gib", FIELD_NUMBER, AT(scenario_group, ram_gib), true, 1, 4096},
    {"uptime", FIELD_DURATION, AT(scenario_group, uptime_us), true, 0, 0},
    NESTED("attributes"),
    NESTED("drivers"),
    NESTED("changes"),
};
static const struct field object_fields[] = {
    {"type", FIELD_TEXT, AT(scenario_object, type), true, 0, 0},
    {"tag", FIELD_TAG, AT(scenario_object, tag), true, 0, 0},
    {"handles", FIELD_BOOL, AT(scenario_object, handles), true, 0, 0},
};
static const struct field process_fields[] = {
    {"image", FIELD_TEXT, AT(scenario_process, image), true, 0, 0},
    {"tag", FIELD_TAG, AT(scenario_process, tag), true, 0, 0},
    {"pid", FIELD_NUMBER, AT(scenario_process, pid), true, 4, 1e6},
};
static const struct field session_fields[] = {
    {"id", FIELD_NUMBER, AT(scenario_session, id), true, 0, 65535},
    {"limit_bytes", FIELD_NUMBER, AT(scenario_session, limit_bytes), true, 1, 1e12},
    {"bytes_per_hour", FIELD_NUMBER, AT(scenario_session, bytes_per_hour), true, 0, 1e12},
    {"failures_per_hour", FIELD_NUMBER, AT(scenario_session, failures_per_hour), true, 0, 1e9},
    {"start", FIELD_PAST, AT(scenario_session, start_us), true, 0, 0},
};
static const struct field event_fields[] = {
    {"at", FIELD_PAST, AT(scenario_event, at_us), true, 0, 0},
    {"provider", FIELD_TEXT, AT(scenario_event, provider), true, 0, 0},
    {"id", FIELD_NUMBER, AT(scenario_event, id), true, 0, 65535},
};
static const struct field expect_fields[] = {
    NESTED("kinds"),
    {"pool", FIELD_POOL, AT(scenario_expect, pool), false, 0, 0},
    NESTED("tags"),
    {"first_mover", FIELD_BOOL, AT(scenario_expect, first_mover), false, 0, 0},
    {"group", FIELD_TEXT, AT(scenario_expect, group), true, 0, 0},
    {"also", FIELD_TEXT, AT(scenario_expect, also), false, 0, 0},
    NESTED("cause"),
};
static const struct field scenario_fields[] = {
    {"name", FIELD_TEXT, AT(scenario, name), true, 0, 0},
    {"story", FIELD_TEXT, AT(scenario, story), true, 0, 0},
    {"source", FIELD_TEXT, AT(scenario, source), true, 0, 0},
    NESTED("groups"),
    NESTED("rows"),
    NESTED("objects"),
    NESTED("processes"),
    NESTED("sessions"),
    NESTED("events"),
    NESTED("expect"),
};
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct reader {
    struct arena *arena;
    struct err *err;
};

static enum status wrong(struct reader *r, const char *field, const char *what)
{
    return err_field(r->err, ST_INVALID, field, "%s", what);
}

static enum status read_past(struct reader *r, const char *name, const char *text, int64_t *ret_us)
{
    if (text != NULL && strcmp(text, "boot") == 0) {
        *ret_us = AT_BOOT;
        return ST_OK;
    }
    int64_t us;
    if (text == NULL || text[0] != '-' || !duration_parse(text + 1, &us))
        return wrong(r, name, "must be a time before now such as \"-2h\" or \"-3d12h\"");
    *ret_us = -us;
    return ST_OK;
}

static enum status read_name(struct reader *r, const char *field, const char *text,
                             const char *const *names, unsigned count, unsigned *ret_value)
{
    for (unsigned i = 0; text != NULL && i < count; i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret_value = i;
            return ST_OK;
        }
    }
    return err_field(r->err, ST_INVALID, field, "\"%.64s\" is not a known name",
                     text != NULL ? text : "");
}

static enum status read_number(struct reader *r, const struct field *f, const json_t *value,
                               void *to)
{
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= f->min && number <= f->max))
        return err_field(r->err, ST_INVALID, f->name, "must be a number from %g to %g", f->min,
                         f->max);
    if (f->type == FIELD_U32)
        *(uint32_t *)to = (uint32_t)number;
    else
        *(double *)to = number;
    return ST_OK;
}

static enum status read_field(struct reader *r, const struct field *f, const json_t *value,
                              void *object)
{
    void *to = (char *)object + f->offset;
    const char *text = json_string_value(value);
    unsigned which = 0;
    enum status st = ST_OK;
    switch (f->type) {
    case FIELD_NESTED:
        return ST_OK;
    case FIELD_TEXT:
        if (text == NULL || *text == '\0' || strlen(text) > LIMIT_TEXT_BYTES)
            return wrong(r, f->name, "must be a text of 1 to 256 bytes");
        *(const char **)to = arena_strdup(r->arena, text);
        return *(const char **)to != NULL ? ST_OK : ST_NOMEM;
    case FIELD_NUMBER:
    case FIELD_U32:
        return read_number(r, f, value, to);
    case FIELD_BOOL:
        if (!json_is_boolean(value))
            return wrong(r, f->name, "must be true or false");
        *(bool *)to = json_is_true(value);
        return ST_OK;
    case FIELD_DURATION:
        if (text == NULL || !duration_parse(text, to))
            return wrong(r, f->name, "must be a duration such as \"90s\" or \"1d12h\"");
        return ST_OK;
    case FIELD_PAST:
        return read_past(r, f->name, text, to);
    case FIELD_TAG:
        if (text == NULL || !tag_parse(text, strlen(text), to))
            return wrong(r, f->name, "must be a tag: four bytes, blanks included");
        return ST_OK;
    case FIELD_POOL:
        if (text == NULL || !pool_parse(text, to))
            return wrong(r, f->name, "must be \"nonpaged\" or \"paged\"");
        return ST_OK;
    case FIELD_SHAPE:
        st = read_name(r, f->name, text, shape_names, SHAPE_COUNT, &which);
        if (st == ST_OK)
            *(enum shape *)to = (enum shape)which;
        return st;
    case FIELD_ON:
        st = read_name(r, f->name, text, on_names, ON_COUNT, &which);
        if (st == ST_OK)
            *(enum scenario_on *)to = (enum scenario_on)which;
        return st;
    }
    return ST_BUG;
}

static enum status read_object(struct reader *r, const json_t *json, const struct field *fields,
                               size_t count, void *object)
{
    if (!json_is_object(json))
        return wrong(r, "", "must be an object");
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value)
    {
        size_t i = 0;
        while (i < count && strcmp(fields[i].name, key) != 0)
            i++;
        if (i == count)
            return err_field(r->err, ST_INVALID, key, "unknown field");
        enum status st = read_field(r, &fields[i], value, object);
        if (st != ST_OK)
            return st;
    }
    for (size_t i = 0; i < count; i++) {
        if (fields[i].required && json_object_get(json, fields[i].name) == NULL)
            return err_field(r->err, ST_INVALID, fields[i].name, "is missing");
    }
    return ST_OK;
}

typedef enum status (*item_reader)(struct reader *r, const json_t *json, void *item);

/* The items of an array field, each of `size` bytes, into the arena. Absent: none. */
static enum status read_items(struct reader *r, const json_t *json, const char *name, size_t size,
                              item_reader read, void *ret_items, size_t *ret_count)
{
    const json_t *array = json_object_get(json, name);
    if (array == NULL)
        return ST_OK;
    size_t count = json_array_size(array);
    if (!json_is_array(array) || count > 1024)
        return wrong(r, name, "must be an array of at most 1024 items");
    char *items = arena_alloc(r->arena, count + 1, size);
    if (items == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < count; i++) {
        enum status st = read(r, json_array_get(array, i), items + i * size);
        if (st != ST_OK) {
            char prefix[64]; /* names of fields are at most 16 bytes, an index 20 digits */
            snprintf(prefix, sizeof prefix, "%s[%zu]", name, i);
            err_prefix_field(r->err, prefix);
            return st;
        }
    }
    memcpy(ret_items, &items, sizeof items);
    *ret_count = count;
    return ST_OK;
}

static enum status read_tag(struct reader *r, const json_t *json, void *item)
{
    const char *text = json_string_value(json);
    if (text == NULL || !tag_parse(text, strlen(text), item))
        return wrong(r, "", "must be a tag: four bytes, blanks included");
    return ST_OK;
}

static enum status read_kind(struct reader *r, const json_t *json, void *item)
{
    static const char *const kinds[] = {"leak",       "level",       "plateau",
                                        "exhaustion", "handle_leak", "shift"};
    unsigned which = 0;
    enum status st =
        read_name(r, "", json_string_value(json), kinds, (unsigned)COUNT_OF(kinds), &which);
    if (st == ST_OK)
        *(const char **)item = kinds[which];
    return st;
}

static enum status read_pair(struct reader *r, const json_t *json, const char *name,
                             const char **ret_name, const char **ret_value)
{
    const json_t *object = json_object_get(json, name);
    if (object == NULL || json_is_null(object))
        return ST_OK;
    struct scenario_pair pair = {0};
    enum status st = read_object(r, object, pair_fields, COUNT_OF(pair_fields), &pair);
    if (st != ST_OK)
        return st;
    *ret_name = pair.name;
    *ret_value = pair.value;
    return ST_OK;
}

static enum status read_row(struct reader *r, const json_t *json, void *item)
{
    struct scenario_row *row = item;
    row->start_us = AT_BOOT;
    enum status st = read_object(r, json, row_fields, COUNT_OF(row_fields), row);
    if (st == ST_OK)
        st = read_pair(r, json, "while", &row->while_attribute, &row->while_value);
    if (st != ST_OK)
        return st;
    bool by_limit = row->shape == SHAPE_PLATEAU || row->shape == SHAPE_DAILY ||
                    row->shape == SHAPE_WORKLOAD || row->shape == SHAPE_CACHE ||
                    row->shape == SHAPE_LEVEL;
    bool by_rate = row->shape <= SHAPE_PLATEAU;
    bool by_period =
        row->shape == SHAPE_STAIR || row->shape == SHAPE_BURSTY || row->shape == SHAPE_CACHE;
    if (by_limit && row->limit_blocks <= 0)
        return wrong(r, "limit_blocks", "this shape needs it");
    if (by_rate && row->rate_per_hour <= 0)
        return wrong(r, "rate_per_hour", "this shape needs it");
    if (by_period && row->period_us <= 0)
        return wrong(r, "period", "this shape needs it");
    if (row->shape == SHAPE_BURSTY && (row->burst_us <= 0 || row->burst_us > row->period_us))
        return wrong(r, "burst", "must be above 0 and not longer than the period");
    if (row->shape == SHAPE_LOCKSTEP && (row->leader_tag == 0 || row->ratio <= 0))
        return wrong(r, "leader", "lockstep needs a leader and a ratio");
    if (row->end_us == AT_BOOT)
        return wrong(r, "end", "must be a time before now");
    return ST_OK;
}

static enum status read_driver(struct reader *r, const json_t *json, void *item)
{
    struct scenario_driver *driver = item;
    enum status st = read_object(r, json, driver_fields, COUNT_OF(driver_fields), driver);
    if (st == ST_OK)
        st = read_items(r, json, "tags", sizeof *driver->tags, read_tag, &driver->tags,
                        &driver->tag_count);
    return st;
}

static enum status read_change(struct reader *r, const json_t *json, void *item)
{
    struct scenario_change *change = item;
    enum status st = read_object(r, json, change_fields, COUNT_OF(change_fields), change);
    if (st != ST_OK)
        return st;
    if (change->at_us == AT_BOOT)
        return wrong(r, "at", "must be a time before now");
    if ((change->driver == NULL) != (change->version == NULL) ||
        (change->attribute == NULL) != (change->value == NULL))
        return wrong(r, "", "a driver goes with a version, an attribute with a value");
    return ST_OK;
}

static enum status read_attributes(struct reader *r, const json_t *json,
                                   struct scenario_group *group)
{
    const json_t *object = json_object_get(json, "attributes");
    if (object == NULL)
        return ST_OK;
    size_t count = json_object_size(object);
    if (!json_is_object(object) || count > LIMIT_ATTRIBUTES / 2)
        return wrong(r, "attributes", "must be an object of at most 128 texts");
    group->attributes = arena_alloc(r->arena, count + 1, sizeof *group->attributes);
    if (group->attributes == NULL)
        return ST_NOMEM;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        const char *text = json_string_value(value);
        if (text == NULL || strlen(text) > LIMIT_TEXT_BYTES || strlen(key) > LIMIT_TEXT_BYTES)
            return wrong(r, "attributes", "values must be texts of at most 256 bytes");
        struct scenario_pair *pair = &group->attributes[group->attribute_count++];
        pair->name = arena_strdup(r->arena, key);
        pair->value = arena_strdup(r->arena, text);
        if (pair->name == NULL || pair->value == NULL)
            return ST_NOMEM;
    }
    return ST_OK;
}

static enum status read_group(struct reader *r, const json_t *json, void *item)
{
    struct scenario_group *group = item;
    enum status st = read_object(r, json, group_fields, COUNT_OF(group_fields), group);
    if (st == ST_OK)
        st = read_attributes(r, json, group);
    if (st == ST_OK)
        st = read_items(r, json, "drivers", sizeof *group->drivers, read_driver, &group->drivers,
                        &group->driver_count);
    if (st == ST_OK)
        st = read_items(r, json, "changes", sizeof *group->changes, read_change, &group->changes,
                        &group->change_count);
    if (st != ST_OK)
        return st;
    if (group->count != (double)(unsigned)group->count)
        return wrong(r, "count", "must be a whole number");
    for (size_t i = 1; i < group->change_count; i++) {
        if (group->changes[i].at_us < group->changes[i - 1].at_us)
            return wrong(r, "changes", "must be in order of time");
    }
    return ST_OK;
}

static enum status read_object_type(struct reader *r, const json_t *json, void *item)
{
    return read_object(r, json, object_fields, COUNT_OF(object_fields), item);
}

static enum status read_process(struct reader *r, const json_t *json, void *item)
{
    return read_object(r, json, process_fields, COUNT_OF(process_fields), item);
}

static enum status read_session(struct reader *r, const json_t *json, void *item)
{
    return read_object(r, json, session_fields, COUNT_OF(session_fields), item);
}

static enum status read_event(struct reader *r, const json_t *json, void *item)
{
    struct scenario_event *event = item;
    enum status st = read_object(r, json, event_fields, COUNT_OF(event_fields), event);
    if (st == ST_OK && event->at_us == AT_BOOT)
        return wrong(r, "at", "must be a time before now");
    return st;
}

static enum status read_expect(struct reader *r, const json_t *json, void *item)
{
    struct scenario_expect *expect = item;
    expect->pool = POOL_UNKNOWN;
    enum status st = read_object(r, json, expect_fields, COUNT_OF(expect_fields), expect);
    if (st == ST_OK)
        st = read_items(r, json, "kinds", sizeof *expect->kinds, read_kind, &expect->kinds,
                        &expect->kind_count);
    if (st == ST_OK)
        st = read_items(r, json, "tags", sizeof *expect->tags, read_tag, &expect->tags,
                        &expect->tag_count);
    if (st == ST_OK)
        st = read_pair(r, json, "cause", &expect->cause_attribute, &expect->cause_value);
    if (st == ST_OK && expect->kind_count == 0)
        return wrong(r, "kinds", "must name at least one kind");
    return st;
}

/* What ties the parts together: leaders, tags of objects and processes, groups of expectations. */
static bool has_row(const struct scenario *s, uint32_t tag)
{
    for (size_t i = 0; i < s->row_count; i++) {
        if (s->rows[i].tag == tag)
            return true;
    }
    return false;
}

static bool has_group(const struct scenario *s, const char *name)
{
    for (size_t i = 0; i < s->group_count; i++) {
        if (strcmp(s->groups[i].name, name) == 0)
            return true;
    }
    return false;
}

static enum status wrong_at(struct reader *r, const char *list, size_t index, const char *field,
                            const char *what)
{
    char path[96]; /* list and field are at most 16 bytes, an index 20 digits */
    snprintf(path, sizeof path, "%s[%zu].%s", list, index, field);
    return wrong(r, path, what);
}

static enum status check_links(struct reader *r, struct scenario *s)
{
    for (size_t i = 0; i < s->row_count; i++) {
        struct scenario_row *row = &s->rows[i];
        if (row->shape != SHAPE_LOCKSTEP)
            continue;
        size_t after = i; /* the nearest one before, of the same hosts */
        while (after > 0 &&
               !(s->rows[after - 1].tag == row->leader_tag && s->rows[after - 1].on == row->on))
            after--;
        if (after == 0)
            return wrong_at(r, "rows", i, "leader",
                            "must be the tag of a row before this one, on the same hosts");
        row->leader = after - 1;
    }
    for (size_t i = 0; i < s->object_count; i++) {
        if (!has_row(s, s->objects[i].tag))
            return wrong_at(r, "objects", i, "tag", "must be the tag of a row");
    }
    for (size_t i = 0; i < s->process_count; i++) {
        if (!has_row(s, s->processes[i].tag))
            return wrong_at(r, "processes", i, "tag", "must be the tag of a row");
    }
    for (size_t i = 0; i < s->expect_count; i++) {
        if (!has_group(s, s->expects[i].group))
            return wrong_at(r, "expect", i, "group", "must be the name of a group");
        if (s->expects[i].also != NULL && !has_group(s, s->expects[i].also))
            return wrong_at(r, "expect", i, "also", "must be the name of a group");
    }
    return ST_OK;
}

static enum status read_scenario(struct reader *r, const json_t *json, struct scenario *s)
{
    enum status st = read_object(r, json, scenario_fields, COUNT_OF(scenario_fields), s);
#define READ(name, list, number, function)                                                         \
    if (st == ST_OK)                                                                               \
    st = read_items(r, json, name, sizeof *s->list, function, &s->list, &s->number)
    READ("groups", groups, group_count, read_group);
    READ("rows", rows, row_count, read_row);
    READ("objects", objects, object_count, read_object_type);
    READ("processes", processes, process_count, read_process);
    READ("sessions", sessions, session_count, read_session);
    READ("events", events, event_count, read_event);
    READ("expect", expects, expect_count, read_expect);
#undef READ
    if (st == ST_OK && json_object_get(json, "expect") == NULL)
        return wrong(r, "expect", "is missing (an empty array means silence)");
    if (st == ST_OK && s->group_count == 0)
        return wrong(r, "groups", "must have at least one group");
    return st == ST_OK ? check_links(r, s) : st;
}

enum status scenario_parse(const char *text, size_t length, struct scenario *ret_scenario,
                           struct err *err)
{
    struct err local = {0};
    if (err == NULL)
        err = &local;
    json_error_t fault;
    json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &fault);
    if (json == NULL)
        return err_set(err, ST_MALFORMED, "line %d: %s", fault.line, fault.text);
    struct scenario scenario = {0};
    struct reader reader = {.arena = &scenario.arena, .err = err};
    enum status st = read_scenario(&reader, json, &scenario);
    json_decref(json);
    if (st != ST_OK) {
        arena_done(&scenario.arena);
        return st == ST_NOMEM ? err_set(err, ST_NOMEM, "out of memory") : st;
    }
    *ret_scenario = scenario;
    return ST_OK;
}

void scenario_done(struct scenario *scenario)
{
    arena_done(&scenario->arena);
    *scenario = (struct scenario){0};
}
