/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads entries from JSON, strictly: an unknown member, a wrong type, a value out of bounds is a
 * fault with its path, so that a typing error in a hand-written list is not silence. One table says
 * which members an entry has and who reads each.
 */
#include "server/known/known.h"

#include "common/limits.h"
#include "common/strbuf.h"

#include <jansson.h>
#include <string.h>

#define FILE_FORMAT 1

struct reader {
    struct known_list *list;
    struct known_leak *leak;
    struct err *err;
};

static void cleanup_json(json_t **json)
{
    json_decref(*json);
}
#define AUTO_JSON CLEANUP(cleanup_json)

static enum status no_memory(struct err *err)
{
    return err_set(err, ST_NOMEM, "could not read the known leaks: out of memory");
}

/* ---- texts and ranges ------------------------------------------------------- */

/* One line of text, not empty; a control character could fake a line in a log or a report. */
static enum status read_text(struct reader *rd, const json_t *value, const char *field, size_t max,
                             const char **ret_text)
{
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);

    if (text == NULL || length == 0)
        return err_field(rd->err, ST_INVALID, field, "must be a text that is not empty");
    if (length > max)
        return err_field(rd->err, ST_INVALID, field, "is longer than %zu bytes", max);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return err_field(rd->err, ST_INVALID, field, "holds a control character");
    char *kept = arena_strndup(&rd->list->arena, text, length);
    if (kept == NULL)
        return no_memory(rd->err);
    *ret_text = kept;
    return ST_OK;
}

static enum status unknown_member(struct reader *rd, const char *name)
{
    return err_field(rd->err, ST_INVALID, name, "unknown member");
}

static enum status read_version(struct reader *rd, const json_t *value, const char *field,
                                const char **ret_version)
{
    enum status status = read_text(rd, value, field, 64, ret_version);

    if (status == ST_OK && !known_version_valid(*ret_version))
        return err_field(rd->err, ST_INVALID, field,
                         "must be numbers parted by dots, such as 1.76 or 32.0.11002.41");
    return status;
}

static enum status read_range(struct reader *rd, const json_t *json, struct known_range *ret_range)
{
    struct known_range range = {0};
    const char *name;
    json_t *value;
    int order = 0;

    if (!json_is_object(json))
        return err_field(rd->err, ST_INVALID, "", "must be an object with from and to");
    json_object_foreach((json_t *)(uintptr_t)json, name, value)
    {
        enum status status = ST_OK;
        if (strcmp(name, "from") == 0)
            status = read_version(rd, value, name, &range.from);
        else if (strcmp(name, "to") == 0)
            status = read_version(rd, value, name, &range.to);
        else
            status = unknown_member(rd, name);
        if (status != ST_OK)
            return status;
    }
    if (range.from == NULL && range.to == NULL)
        return err_field(rd->err, ST_INVALID, "", "needs from or to");
    if (range.from != NULL && range.to != NULL &&
        known_version_compare(range.from, range.to, &order) && order > 0)
        return err_field(rd->err, ST_INVALID, "to", "lies before from");
    *ret_range = range;
    return ST_OK;
}

/* "[3]" or "name[3]" in front of the path of a fault. */
static enum status at_index(struct reader *rd, enum status status, const char *name, size_t index)
{
    char prefix[96];

    if (status != ST_OK && rd->err != NULL) {
        snprintf(prefix, sizeof prefix, "%.60s[%zu]", name, index);
        err_prefix_field(rd->err, prefix);
    }
    return status;
}

static enum status read_ranges(struct reader *rd, const json_t *json, const char *field,
                               struct known_ranges *ret_ranges)
{
    size_t count = json_array_size(json);

    if (!json_is_array(json) || count == 0 || count > KNOWN_RANGES_MAX)
        return err_field(rd->err, ST_INVALID, field, "must be a list of 1 to %u ranges",
                         KNOWN_RANGES_MAX);
    struct known_range *ranges = arena_alloc(&rd->list->arena, count, sizeof *ranges);
    if (ranges == NULL)
        return no_memory(rd->err);
    for (size_t i = 0; i < count; i++) {
        enum status status = read_range(rd, json_array_get(json, i), &ranges[i]);
        if (status != ST_OK)
            return at_index(rd, status, field, i);
    }
    *ret_ranges = (struct known_ranges){ranges, count};
    return ST_OK;
}

/* ---- members ---------------------------------------------------------------- */

static enum status member_id(struct reader *rd, const json_t *value)
{
    enum status status = read_text(rd, value, "id", KNOWN_ID_MAX, &rd->leak->id);

    if (status == ST_OK && !known_id_valid(rd->leak->id))
        return err_field(rd->err, ST_INVALID, "id",
                         "must be small letters, digits, \".\", \"-\" and \"_\"");
    return status;
}

static enum status member_title(struct reader *rd, const json_t *value)
{
    return read_text(rd, value, "title", KNOWN_TITLE_MAX, &rd->leak->title);
}

static enum status member_driver(struct reader *rd, const json_t *value)
{
    if (json_is_null(value))
        return ST_OK;
    return read_text(rd, value, "driver", LIMIT_TEXT_BYTES, &rd->leak->driver);
}

static enum status member_pool(struct reader *rd, const json_t *value)
{
    const char *text = json_string_value(value);

    if (text == NULL || !pool_parse(text, &rd->leak->pool))
        return err_field(rd->err, ST_INVALID, "pool",
                         "must be nonpaged or paged; leave it out for both");
    return ST_OK;
}

static enum status member_tags(struct reader *rd, const json_t *json)
{
    size_t count = json_array_size(json);

    if (!json_is_array(json) || count == 0 || count > KNOWN_TAGS_MAX)
        return err_field(rd->err, ST_INVALID, "tags", "must be a list of 1 to %u tags",
                         KNOWN_TAGS_MAX);
    uint32_t *tags = arena_alloc(&rd->list->arena, count, sizeof *tags);
    if (tags == NULL)
        return no_memory(rd->err);
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(json, i);
        const char *text = json_string_value(value);
        if (text == NULL || !tag_parse(text, json_string_length(value), &tags[i]))
            return at_index(rd,
                            err_field(rd->err, ST_INVALID, "",
                                      "must be a tag: all four bytes, blanks included, other than "
                                      "printable ASCII as \\xNN"),
                            "tags", i);
        for (size_t j = 0; j < i; j++)
            if (tags[j] == tags[i])
                return at_index(rd, err_field(rd->err, ST_INVALID, "", "stands twice"), "tags", i);
    }
    rd->leak->tags = tags;
    rd->leak->tag_count = count;
    return ST_OK;
}

static enum status member_bad(struct reader *rd, const json_t *value)
{
    return read_ranges(rd, value, "bad_versions", &rd->leak->bad);
}

static enum status member_good(struct reader *rd, const json_t *value)
{
    return read_ranges(rd, value, "good_versions", &rd->leak->good);
}

static enum status member_attributes(struct reader *rd, const json_t *json)
{
    size_t count = json_object_size(json);
    const char *name;
    json_t *value;
    size_t i = 0;

    if (!json_is_object(json) || count == 0 || count > KNOWN_ATTRS_MAX)
        return err_field(rd->err, ST_INVALID, "attributes",
                         "must be an object of 1 to %u attributes", KNOWN_ATTRS_MAX);
    struct known_attribute *attributes = arena_alloc(&rd->list->arena, count, sizeof *attributes);
    if (attributes == NULL)
        return no_memory(rd->err);
    json_object_foreach((json_t *)(uintptr_t)json, name, value)
    {
        AUTO_JSON json_t *text = json_string(name);
        enum status status =
            read_text(rd, text, "attributes", LIMIT_TEXT_BYTES, &attributes[i].name);
        if (status == ST_OK) {
            status = read_ranges(rd, value, name, &attributes[i].bad);
            if (status != ST_OK && rd->err != NULL)
                err_prefix_field(rd->err, "attributes");
        }
        if (status != ST_OK)
            return status;
        i++;
    }
    rd->leak->attributes = attributes;
    rd->leak->attribute_count = count;
    return ST_OK;
}

static enum status member_behaviour(struct reader *rd, const json_t *json)
{
    const char *name;
    const char *unused;
    json_t *value;

    if (!json_is_object(json))
        return err_field(rd->err, ST_INVALID, "behaviour", "must be an object");
    json_object_foreach((json_t *)(uintptr_t)json, name, value)
    {
        enum status status = ST_OK;
        if (strcmp(name, "growth") == 0)
            status = read_text(rd, value, name, LIMIT_TEXT_BYTES, &rd->leak->growth);
        else if (strcmp(name, "rate") == 0)
            status = read_text(rd, value, name, LIMIT_TEXT_BYTES, &unused);
        else if (strcmp(name, "zero_frees") != 0 && strcmp(name, "flat") != 0)
            status = unknown_member(rd, name);
        else if (!json_is_boolean(value))
            status = err_field(rd->err, ST_INVALID, name, "must be true or false");
        if (status != ST_OK) {
            if (rd->err != NULL)
                err_prefix_field(rd->err, "behaviour");
            return status;
        }
    }
    return ST_OK;
}

static enum status member_advice(struct reader *rd, const json_t *value)
{
    return read_text(rd, value, "advice", KNOWN_ADVICE_MAX, &rd->leak->advice);
}

static enum status member_source(struct reader *rd, const json_t *value)
{
    return read_text(rd, value, "source", KNOWN_SOURCE_MAX, &rd->leak->source);
}

static enum status member_confidence(struct reader *rd, const json_t *value)
{
    static const char *const words[] = {"reported", "confirmed by vendor"};
    const char *text = json_string_value(value);

    for (size_t i = 0; text != NULL && i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0) {
            rd->leak->confidence = words[i];
            return ST_OK;
        }
    }
    return err_field(rd->err, ST_INVALID, "confidence",
                     "must be \"reported\" or \"confirmed by vendor\"");
}

static const struct {
    const char *name;
    bool required;
    enum status (*read)(struct reader *rd, const json_t *value);
} members[] = {
    {"id", true, member_id},
    {"title", true, member_title},
    {"driver", true, member_driver},
    {"pool", false, member_pool},
    {"tags", true, member_tags},
    {"bad_versions", false, member_bad},
    {"good_versions", false, member_good},
    {"attributes", false, member_attributes},
    {"behaviour", false, member_behaviour},
    {"advice", true, member_advice},
    {"source", true, member_source},
    {"confidence", true, member_confidence},
};
#define MEMBERS (sizeof members / sizeof members[0])

/* ---- entries ---------------------------------------------------------------- */

static enum status read_members(struct reader *rd, const json_t *json)
{
    const char *name;
    json_t *value;

    if (!json_is_object(json))
        return err_field(rd->err, ST_INVALID, "", "must be an object");
    json_object_foreach((json_t *)(uintptr_t)json, name, value)
    {
        size_t i = 0;
        while (i < MEMBERS && strcmp(members[i].name, name) != 0)
            i++;
        if (i == MEMBERS)
            return unknown_member(rd, name);
        enum status status = members[i].read(rd, value);
        if (status != ST_OK)
            return status;
    }
    for (size_t i = 0; i < MEMBERS; i++)
        if (members[i].required && json_object_get(json, members[i].name) == NULL)
            return err_field(rd->err, ST_INVALID, members[i].name, "is missing");
    if (rd->leak->driver == NULL && (rd->leak->bad.count > 0 || rd->leak->good.count > 0))
        return err_field(rd->err, ST_INVALID, "driver", "is needed where versions are named");
    return ST_OK;
}

static enum status keep_json(struct reader *rd, const json_t *json)
{
    AUTO_FREE char *text = json_dumps(json, JSON_COMPACT);

    if (text == NULL)
        return no_memory(rd->err);
    if (strlen(text) > KNOWN_ENTRY_BYTES)
        return err_field(rd->err, ST_TOO_LARGE, "", "is over the limit of %u bytes",
                         KNOWN_ENTRY_BYTES);
    rd->leak->json = arena_strdup(&rd->list->arena, text);
    return rd->leak->json == NULL ? no_memory(rd->err) : ST_OK;
}

static enum status append(struct reader *rd)
{
    struct known_list *list = rd->list;

    if (list->count == KNOWN_ENTRIES_MAX)
        return err_field(rd->err, ST_TOO_LARGE, "", "more than %u known leaks", KNOWN_ENTRIES_MAX);
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
        struct known_leak *items = reallocarray(list->items, capacity, sizeof *items);
        if (items == NULL)
            return no_memory(rd->err);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = *rd->leak;
    return ST_OK;
}

static enum status add_entry(struct known_list *list, const json_t *json, const char *id,
                             bool imported, struct err *err)
{
    struct known_leak leak = {.pool = POOL_UNKNOWN, .imported = imported};
    struct reader rd = {list, &leak, err};
    enum status status = read_members(&rd, json);

    if (status == ST_OK && id != NULL && strcmp(leak.id, id) != 0)
        status = err_field(err, ST_INVALID, "id", "is not \"%s\"", id);
    if (status != ST_OK)
        return status;
    const struct known_leak *same = known_find(list, leak.id);
    if (same != NULL && same->imported && !imported)
        return ST_OK; /* replaced */
    if (same != NULL)
        return err_field(err, ST_INVALID, "id", "\"%s\" stands twice", leak.id);
    status = keep_json(&rd, json);
    return status == ST_OK ? append(&rd) : status;
}

static enum status parse(const char *text, size_t length, json_t **ret_json, struct err *err)
{
    json_error_t fault;

    if (length > LIMIT_BODY_BYTES)
        return err_set(err, ST_TOO_LARGE, "the list is over the limit of %u bytes",
                       LIMIT_BODY_BYTES);
    *ret_json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &fault);
    if (*ret_json == NULL)
        return err_set(err, ST_MALFORMED, "could not read the known leaks: line %d: %s", fault.line,
                       fault.text);
    return ST_OK;
}

enum status known_add_entry(struct known_list *list, const char *text, size_t length,
                            const char *id, bool imported, struct err *err)
{
    AUTO_JSON json_t *json = NULL;
    enum status status = parse(text, length, &json, err);

    return status == ST_OK ? add_entry(list, json, id, imported, err) : status;
}

static enum status check_file(const json_t *json, struct err *err)
{
    const char *name;
    json_t *value;

    if (!json_is_object(json))
        return err_set(err, ST_INVALID, "a list of known leaks is an object with format and leaks");
    json_object_foreach((json_t *)(uintptr_t)json, name, value)
    {
        if (strcmp(name, "format") != 0 && strcmp(name, "leaks") != 0)
            return err_field(err, ST_INVALID, name, "unknown member");
    }
    if (json_integer_value(json_object_get(json, "format")) != FILE_FORMAT)
        return err_field(err, ST_INVALID, "format", "must be %d", FILE_FORMAT);
    if (!json_is_array(json_object_get(json, "leaks")))
        return err_field(err, ST_INVALID, "leaks", "must be a list");
    return ST_OK;
}

enum status known_add_file(struct known_list *list, const char *text, size_t length, bool imported,
                           struct err *err)
{
    AUTO_JSON json_t *json = NULL;
    struct reader rd = {.list = list, .err = err};
    enum status status = parse(text, length, &json, err);

    if (status == ST_OK)
        status = check_file(json, err);
    if (status != ST_OK)
        return status;
    const json_t *leaks = json_object_get(json, "leaks");
    for (size_t i = 0; i < json_array_size(leaks); i++) {
        status = add_entry(list, json_array_get(leaks, i), NULL, imported, err);
        if (status != ST_OK)
            return at_index(&rd, status, "leaks", i);
    }
    return ST_OK;
}
