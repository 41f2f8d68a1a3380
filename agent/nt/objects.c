/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Object types with their counts. The answer's told length leaves out some padding on systems that
 * sum unaligned parts, so it is read up to the end of a buffer that was zeroed before: an entry
 * that was not written has no name and is refused. The scratch buffer is the small one to zero.
 */
#include "agent/nt/query.h"
#include "common/limits.h"

#include <string.h>

#define WHAT "the object types"

static const struct nt_question ask_types = {
    .information_class = NT_CLASS_TYPES,
    .what = WHAT,
    .start_bytes = 32u << 10, /* 70 types take 10 KB */
    .most_bytes = 1u << 20,
    .loose_length = true,
};

struct type {
    const char *name;
    uint32_t objects;
    uint32_t handles;
    unsigned index; /* as handle lists use it */
};

struct walk {
    const struct nt_reader *reader;
    const struct nt_layout *layout;
    size_t length;
    size_t offset;
    size_t left;  /* entries to come */
    size_t place; /* of the next entry */
};

static enum status start(struct nt_reader *reader, struct walk *ret_walk, struct err *err)
{
    struct walk walk = {.reader = reader, .layout = nt_reader_layout(reader)};
    enum status status = nt_ask(reader, &reader->scratch, &ask_types, &walk.length, err);
    if (status != ST_OK)
        return status;
    walk.offset = walk.layout->types.first;
    walk.left = nt_u32(reader->scratch.data);
    if (walk.left > LIMIT_OBJECT_TYPES)
        return nt_contradiction(err, WHAT, "more types than a kernel has");
    *ret_walk = walk;
    return ST_OK;
}

/* Type lists carry the index from 8.1 on; before it is the place in the list, from 2. */
static unsigned type_index(const struct walk *walk, const unsigned char *at)
{
    const struct nt_version *version = &walk->reader->calls->version;
    bool told = version->major * 100 + version->minor >= 603;
    return told ? at[walk->layout->types.type_index] : (unsigned)walk->place + 2;
}

static enum status next(struct walk *walk, struct arena *arena, struct type *ret_type,
                        struct err *err)
{
    const size_t entry = walk->layout->types.entry;
    const struct nt_buffer *buffer = &walk->reader->scratch;
    if (walk->offset > walk->length || walk->length - walk->offset < entry)
        return nt_contradiction(err, WHAT, "an entry reaches past its end");
    const unsigned char *at = buffer->data + walk->offset;
    struct type type = {.objects = nt_u32(at + walk->layout->types.objects),
                        .handles = nt_u32(at + walk->layout->types.handles),
                        .index = type_index(walk, at)};
    enum status status =
        nt_string(walk->reader, buffer, walk->length, walk->offset, arena, &type.name);
    if (status == ST_NOMEM)
        return nt_out_of_memory(err, WHAT);
    if (status != ST_OK)
        return nt_contradiction(err, WHAT, "a name stands outside of it");
    size_t mask = walk->layout->pointer_bytes - 1;
    walk->offset += entry + (((size_t)nt_u16(at + 2) + mask) & ~mask); /* MaximumLength */
    walk->left--;
    walk->place++;
    *ret_type = type;
    return ST_OK;
}

enum status nt_object_types(struct nt_reader *reader, struct arena *arena,
                            struct snapshot_object **ret_objects, size_t *ret_count,
                            struct err *err)
{
    struct walk walk = {0};
    struct type type = {.name = ""};
    enum status status = start(reader, &walk, err);
    if (status != ST_OK)
        return status;
    struct snapshot_object *objects = arena_alloc(arena, walk.left, sizeof *objects);
    if (objects == NULL)
        return nt_out_of_memory(err, WHAT);
    size_t count = 0;
    while (walk.left > 0) {
        status = next(&walk, arena, &type, err);
        if (status != ST_OK)
            return status;
        size_t same = 0;
        while (same < count && strcmp(objects[same].type, type.name) != 0)
            same++;
        if (same == count) /* a type stands once */
            objects[count++] = (struct snapshot_object){type.name, type.objects, type.handles};
    }
    *ret_objects = objects;
    *ret_count = count;
    return ST_OK;
}

enum status nt_type_names(struct nt_reader *reader, struct arena *arena, const char ***ret_names,
                          size_t *ret_count, struct err *err)
{
    struct walk walk = {0};
    struct type type = {.name = ""};
    enum status status = start(reader, &walk, err);
    if (status != ST_OK)
        return status;
    size_t room = 256 + LIMIT_OBJECT_TYPES; /* an index told is a byte; a place at most the limit */
    const char **names = arena_alloc(arena, room, sizeof *names);
    if (names == NULL)
        return nt_out_of_memory(err, WHAT);
    size_t count = 0;
    while (walk.left > 0) {
        status = next(&walk, arena, &type, err);
        if (status != ST_OK)
            return status;
        names[type.index] = type.name;
        if (type.index >= count)
            count = type.index + 1;
    }
    *ret_names = names;
    *ret_count = count;
    return ST_OK;
}
