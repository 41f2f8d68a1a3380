/* SPDX-License-Identifier: Apache-2.0 */
#include "common/snapshot_cbor_read.h"
#include "common/limits.h"
#include "common/utf8.h"

#include <string.h>

/* ---- faults ---------------------------------------------------------------------------------- */

enum status in_out_of_memory(struct err *err)
{
    return err_set(err, ST_NOMEM, "could not decode a snapshot: out of memory");
}

enum status in_broken(const struct reading *in, struct err *err)
{
    return err_set(err, ST_MALFORMED, "not valid CBOR at byte %u: %s",
                   (unsigned)cbor_offset(&in->cbor),
                   in->cbor.fault == NULL ? "cut off" : in->cbor.fault);
}

enum status in_at_index(enum status status, size_t index, struct err *err)
{
    char prefix[32];
    snprintf(prefix, sizeof prefix, "[%u]", (unsigned)index);
    err_prefix_field(err, prefix);
    return status;
}

enum status in_at_member(enum status status, const char *name, size_t length, struct err *err)
{
    char prefix[sizeof err->field];
    snprintf(prefix, sizeof prefix, "%.*s", (int)(length < sizeof prefix ? length : sizeof prefix),
             name);
    err_prefix_field(err, prefix);
    return status;
}

/* As JSON's reader refuses a key that stands twice: before anything it says is looked at. */
enum status in_twice(const char *name, size_t length, struct err *err)
{
    return in_at_member(err_set(err, ST_MALFORMED, "a member stands twice"), name, length, err);
}

static enum status check_kind(struct reading *in, enum cbor_kind wanted, const char *what,
                              struct err *err)
{
    enum cbor_kind kind = cbor_peek(&in->cbor);
    if (kind == wanted)
        return ST_OK;
    if (kind == CBOR_BAD || kind == CBOR_END)
        return in_broken(in, err);
    return err_set(err, ST_INVALID, "%s is wanted", what);
}

/* ---- values ---------------------------------------------------------------------------------- */

enum status in_uint(struct reading *in, uint64_t max, uint64_t *ret_value, struct err *err)
{
    uint64_t value;
    if (!cbor_read_uint(&in->cbor, &value)) {
        /* The hot path asks once; what it was instead is only of interest now. */
        if (in->cbor.at == in->cbor.end || *in->cbor.at >> 5 > 1)
            return err_set(err, ST_INVALID, "an integer is wanted");
        return err_set(err, ST_INVALID, "a number below 0 is out of range 0..%llu",
                       (unsigned long long)max);
    }
    if (value > max)
        return err_set(err, ST_INVALID, "%llu is out of range 0..%llu", (unsigned long long)value,
                       (unsigned long long)max);
    *ret_value = value;
    return ST_OK;
}

enum status in_number(struct reading *in, void *ret_i64, struct err *err)
{
    uint64_t value = 0;
    enum status status = in_uint(in, LIMIT_NUMBER_MAX, &value, err);
    if (status == ST_OK)
        *(int64_t *)ret_i64 = (int64_t)value;
    return status;
}

enum status in_flag(struct reading *in, void *ret_bool, struct err *err)
{
    enum status status = check_kind(in, CBOR_BOOL, "true or false", err);
    if (status == ST_OK && !cbor_read_bool(&in->cbor, ret_bool))
        return in_broken(in, err);
    return status;
}

/* Both encodings take UTF-8 without NUL as what a text is, not as a rule about its value. */
static enum status check_text(const char *text, size_t length, struct err *err)
{
    if (!utf8_valid(text, length))
        return err_set(err, ST_MALFORMED, "a text is not valid UTF-8");
    if (memchr(text, '\0', length) != NULL)
        return err_set(err, ST_MALFORMED, "a text holds a NUL");
    return ST_OK;
}

static enum status borrow_text(struct reading *in, const char *what, const char **ret_text,
                               size_t *ret_length, struct err *err)
{
    enum status status = check_kind(in, CBOR_TEXT, what, err);
    if (status == ST_OK && !cbor_read_text(&in->cbor, ret_text, ret_length))
        return in_broken(in, err);
    return status;
}

enum status in_text_max(struct reading *in, size_t max_bytes, const char **ret_text,
                        struct err *err)
{
    const char *text = NULL;
    size_t length = 0;
    enum status status = borrow_text(in, "a text", &text, &length, err);
    if (status == ST_OK)
        status = check_text(text, length, err);
    if (status != ST_OK)
        return status;
    if (length > max_bytes)
        return err_set(err, ST_TOO_LARGE, "text of %u bytes is over the limit of %u",
                       (unsigned)length, (unsigned)max_bytes);
    char *copy = arena_strndup(&in->s->arena, text, length);
    if (copy == NULL)
        return in_out_of_memory(err);
    *ret_text = copy;
    return ST_OK;
}

enum status in_text(struct reading *in, void *ret_text, struct err *err)
{
    return in_text_max(in, LIMIT_TEXT_BYTES, ret_text, err);
}

enum status in_name(struct reading *in, void *ret_text, struct err *err)
{
    const char *name = NULL;
    enum status status = in_text_max(in, LIMIT_TEXT_BYTES, &name, err);
    if (status == ST_OK && name[0] == '\0')
        return err_set(err, ST_INVALID, "a name must not be empty");
    if (status == ST_OK)
        *(const char **)ret_text = name;
    return status;
}

enum status in_sha256(struct reading *in, void *ret_text, struct err *err)
{
    const char *text = NULL;
    enum status status = in_text_max(in, LIMIT_TEXT_BYTES, &text, err);
    if (status == ST_OK && (strlen(text) != 64 || strspn(text, "0123456789abcdef") != 64))
        return err_set(err, ST_INVALID, "a hash of 64 lower-case hex digits is wanted");
    if (status == ST_OK)
        *(const char **)ret_text = text;
    return status;
}

enum status in_moment(struct reading *in, void *ret_us, struct err *err)
{
    const char *text = NULL;
    size_t length = 0;
    enum status status = borrow_text(in, "a time as text", &text, &length, err);
    if (status != ST_OK || time_parse(text, length, ret_us))
        return status;
    status = check_text(text, length, err);
    return status != ST_OK
               ? status
               : err_set(err, ST_INVALID, "not a time of RFC 3339 such as 2026-11-21T02:00:00Z");
}

enum status in_tag(struct reading *in, void *ret_tag, struct err *err)
{
    const char *text = NULL;
    size_t length = 0;
    enum status status = borrow_text(in, "a tag as text", &text, &length, err);
    if (status != ST_OK || tag_parse(text, length, ret_tag))
        return status;
    status = check_text(text, length, err);
    return status != ST_OK ? status
                           : err_set(err, ST_INVALID, "not the text form of a tag's four bytes");
}

/* ---- objects and lists ----------------------------------------------------------------------- */

enum status in_open_object(struct reading *in, size_t *ret_count, struct err *err)
{
    enum status status = check_kind(in, CBOR_MAP, "an object", err);
    if (status == ST_OK && !cbor_read_map(&in->cbor, ret_count))
        return in_broken(in, err);
    return status;
}

enum status in_key(struct reading *in, const char **ret_key, size_t *ret_length, struct err *err)
{
    enum status status = borrow_text(in, "a member's name as text", ret_key, ret_length, err);
    return status == ST_OK ? check_text(*ret_key, *ret_length, err) : status;
}

enum status in_close(struct reading *in, struct err *err)
{
    if (cbor_more(&in->cbor) || in->cbor.failed)
        return in_broken(in, err);
    return ST_OK;
}

static size_t find_member(const struct member *members, size_t count, const char *name,
                          size_t length)
{
    size_t i = 0;
    while (i < count &&
           (strlen(members[i].name) != length || memcmp(members[i].name, name, length) != 0))
        i++;
    return i;
}

enum status in_members(struct reading *in, const struct member *members, size_t count, void *target,
                       struct err *err)
{
    size_t pairs;
    uint32_t seen = 0; /* no table has 32 members */
    enum status status = in_open_object(in, &pairs, err);
    if (status != ST_OK)
        return status;
    while (cbor_more(&in->cbor)) {
        const char *name = NULL;
        size_t length = 0;
        if ((status = in_key(in, &name, &length, err)) != ST_OK)
            return status;
        size_t i = find_member(members, count, name, length);
        if (i == count)
            return in_at_member(err_set(err, ST_INVALID, "unknown field"), name, length, err);
        if ((seen >> i & 1) != 0)
            return in_twice(name, length, err);
        seen |= 1u << i;
        status = members[i].read(in, (char *)target + members[i].offset, err);
        if (status != ST_OK)
            return in_at_member(status, name, length, err);
    }
    if (in->cbor.failed)
        return in_broken(in, err);
    for (size_t i = 0; i < count; i++) {
        if (members[i].required && (seen >> i & 1) == 0)
            return err_field(err, ST_INVALID, members[i].name, "required field is missing");
    }
    return ST_OK;
}

/* Items of a container just opened that does not tell; no more than max + 1 are looked at. */
static bool count_items(const struct reading *in, size_t max, size_t *ret_count)
{
    struct cbor_reader ahead = in->cbor;
    size_t count = 0;
    while (count <= max && cbor_more(&ahead)) {
        if (!cbor_skip(&ahead))
            return false;
        count++;
    }
    *ret_count = count;
    return !ahead.failed;
}

enum status in_open_list(struct reading *in, size_t max, size_t *ret_count, struct err *err)
{
    size_t count = 0;
    enum status status = check_kind(in, CBOR_ARRAY, "a list", err);
    if (status != ST_OK)
        return status;
    if (!cbor_read_array(&in->cbor, &count) || (count == SIZE_MAX && !count_items(in, max, &count)))
        return in_broken(in, err);
    if (count > max)
        return err_set(err, ST_TOO_LARGE, "list of %u is over the limit of %u", (unsigned)count,
                       (unsigned)max);
    *ret_count = count;
    return ST_OK;
}

enum status in_objects(struct reading *in, size_t max, const struct member *members,
                       size_t member_count, const void *preset, size_t size, void *ret_items,
                       size_t *ret_count, struct err *err)
{
    size_t count = 0;
    enum status status = in_open_list(in, max, &count, err);
    if (status != ST_OK)
        return status;
    unsigned char *items = arena_alloc(&in->s->arena, count, size);
    if (items == NULL)
        return in_out_of_memory(err);
    for (size_t i = 0; i < count; i++) {
        void *item = memcpy(items + i * size, preset, size);
        status = in_members(in, members, member_count, item, err);
        if (status != ST_OK)
            return in_at_index(status, i, err);
    }
    *(void **)ret_items = items;
    *ret_count = count;
    return in_close(in, err);
}

/* ---- columns --------------------------------------------------------------------------------- */

/* The four readers below differ in the type of a value alone. Many are read at once where they can
 * be (read_run), which is most of the work of a document. */
#define COLUMN_READER(function, column, read_run, read_one)                                        \
    enum status function(struct reading *in, size_t max, struct column *ret_column,                \
                         struct err *err)                                                          \
    {                                                                                              \
        struct column out = {0};                                                                   \
        enum status status = in_open_list(in, max, &out.count, err);                               \
        if (status != ST_OK)                                                                       \
            return status;                                                                         \
        out.values = arena_alloc(&in->s->arena, out.count, sizeof *out.values);                    \
        if (out.values == NULL)                                                                    \
            return in_out_of_memory(err);                                                          \
        for (size_t i = 0; i < out.count; i++) {                                                   \
            i += read_run(&in->cbor, &out.values[i], out.count - i);                               \
            if (i == out.count)                                                                    \
                break;                                                                             \
            status = read_one(in, &out.values[i], err);                                            \
            if (status != ST_OK)                                                                   \
                return in_at_index(status, i, err);                                                \
        }                                                                                          \
        *ret_column = out;                                                                         \
        return in_close(in, err);                                                                  \
    }

static enum status read_counter(struct reading *in, uint32_t *ret_value, struct err *err)
{
    uint64_t value = 0;
    enum status status = in_uint(in, UINT32_MAX, &value, err);
    if (status == ST_OK)
        *ret_value = (uint32_t)value;
    return status;
}

static enum status read_amount(struct reading *in, uint64_t *ret_value, struct err *err)
{
    return in_uint(in, LIMIT_NUMBER_MAX, ret_value, err);
}

static size_t run_of_amounts(struct cbor_reader *cbor, uint64_t *ret_values, size_t room)
{
    return cbor_read_u64s(cbor, LIMIT_NUMBER_MAX, ret_values, room);
}

#define NO_RUN(cbor, values, room) 0

COLUMN_READER(in_tags, u32_column, NO_RUN, in_tag)
COLUMN_READER(in_counters, u32_column, cbor_read_u32s, read_counter)
COLUMN_READER(in_amounts, u64_column, run_of_amounts, read_amount)
COLUMN_READER(in_names, text_column, NO_RUN, in_name)
