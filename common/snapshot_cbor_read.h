/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What snapshot_cbor.c is made of: readers of single values, objects by tables of members, lists
 * and columns. Every reader reports the path of the fault; the path is put together on the way out
 * (err_prefix_field), so the happy path builds no strings. Private to the decoder; prefix in_.
 *
 * Sizes are shown as unsigned: a body is at most 8 MiB, and old C libraries of Windows have no %zu.
 */
#ifndef COMMON_SNAPSHOT_CBOR_READ_H
#define COMMON_SNAPSHOT_CBOR_READ_H

#include "common/cbor.h"
#include "common/snapshot.h"

struct reading {
    struct cbor_reader cbor;
    struct snapshot *s;
};

/* Reads one value into *ret_value, whose type the reader knows. */
typedef enum status (*value_reader)(struct reading *in, void *ret_value, struct err *err);

/* One member of an object; `offset` is its place in what the object is decoded into. */
struct member {
    const char *name;
    value_reader read;
    size_t offset;
    bool required;
};
#define MEMBERS(members)    members, sizeof members / sizeof members[0]
#define WANTED(type, field) offsetof(struct type, field), true
#define MAY(type, field)    offsetof(struct type, field), false

struct u32_column {
    uint32_t *values; /* NULL: absent */
    size_t count;
};
struct u64_column {
    uint64_t *values;
    size_t count;
};
struct text_column {
    const char **values;
    size_t count;
};

/* Values. */
enum status in_number(struct reading *in, void *ret_i64, struct err *err); /* an amount */
enum status in_flag(struct reading *in, void *ret_bool, struct err *err);
enum status in_text(struct reading *in, void *ret_text, struct err *err); /* may be empty */
enum status in_name(struct reading *in, void *ret_text, struct err *err); /* may not */
enum status in_sha256(struct reading *in, void *ret_text, struct err *err);
enum status in_moment(struct reading *in, void *ret_us, struct err *err);
enum status in_tag(struct reading *in, void *ret_tag, struct err *err);
enum status in_uint(struct reading *in, uint64_t max, uint64_t *ret_value, struct err *err);
enum status in_text_max(struct reading *in, size_t max_bytes, const char **ret_text,
                        struct err *err);

/* Objects and lists. A key is valid UTF-8 without NUL, borrowed from the input. */
enum status in_open_object(struct reading *in, size_t *ret_count, struct err *err);
enum status in_key(struct reading *in, const char **ret_key, size_t *ret_length, struct err *err);
enum status in_members(struct reading *in, const struct member *members, size_t count, void *target,
                       struct err *err);
/* Opens a list of at most `max` items; the count is known also of an indefinite one. After reading
 * them all, close_container. */
enum status in_open_list(struct reading *in, size_t max, size_t *ret_count, struct err *err);
enum status in_close(struct reading *in, struct err *err);
/* A list of objects of `size` bytes each. `preset` is copied into each before it is read. */
enum status in_objects(struct reading *in, size_t max, const struct member *members,
                       size_t member_count, const void *preset, size_t size, void *ret_items,
                       size_t *ret_count, struct err *err);

/* Columns: lists straight into arrays of the arena. */
enum status in_tags(struct reading *in, size_t max, struct u32_column *ret_column, struct err *err);
enum status in_counters(struct reading *in, size_t max, struct u32_column *ret_column,
                        struct err *err);
enum status in_amounts(struct reading *in, size_t max, struct u64_column *ret_column,
                       struct err *err);
enum status in_names(struct reading *in, size_t max, struct text_column *ret_column,
                     struct err *err);

/* Faults. */
enum status in_out_of_memory(struct err *err);
enum status in_broken(const struct reading *in, struct err *err); /* the CBOR itself */
enum status in_at_index(enum status status, size_t index, struct err *err);
enum status in_at_member(enum status status, const char *name, size_t length, struct err *err);
enum status in_twice(const char *name, size_t length, struct err *err);

#endif
