/* SPDX-License-Identifier: Apache-2.0 */
/* Every handle of the machine, on demand: up to a million rows, so into a buffer of its own that is
 * given back at once. Of a row only process and type are read. */
#include "agent/nt/query.h"
#include "common/limits.h"

#define WHAT "the handles"

static const struct nt_question ask_handles = {
    .information_class = NT_CLASS_HANDLES,
    .what = WHAT,
    .start_bytes = 4u << 20,
    .most_bytes = 256u << 20,
    .version = 501,
};

enum status nt_handles(struct nt_reader *reader, struct arena *arena, uint64_t pid,
                       struct nt_handle_count **ret_counts, size_t *ret_count, struct err *err)
{
    AUTO_NT_BUFFER struct nt_buffer buffer = {0};
    const struct nt_layout *layout = nt_reader_layout(reader);
    uint64_t handles[LIMIT_OBJECT_TYPES] = {0};
    size_t types = 0;
    size_t length = 0;
    enum status status = nt_ask(reader, &buffer, &ask_handles, &length, err);
    if (status != ST_OK)
        return status;
    if (length < layout->handles.first)
        return nt_contradiction(err, WHAT, "it is shorter than its own head");
    uint64_t count = nt_word(layout, buffer.data);
    if (count > (length - layout->handles.first) / layout->handles.stride)
        return nt_contradiction(err, WHAT, "it holds fewer rows than it counts");
    for (size_t i = 0; i < count; i++) {
        const unsigned char *at = buffer.data + layout->handles.first + i * layout->handles.stride;
        uint16_t type = nt_u16(at + layout->handles.type_index);
        if (type >= LIMIT_OBJECT_TYPES)
            return nt_contradiction(err, WHAT, "a type index no kernel has");
        if (pid == 0 || nt_word(layout, at + layout->handles.pid) == pid)
            types += handles[type]++ == 0;
    }
    struct nt_handle_count *counts = arena_alloc(arena, types, sizeof *counts);
    if (counts == NULL)
        return nt_out_of_memory(err, WHAT);
    size_t used = 0;
    for (size_t type = 0; type < LIMIT_OBJECT_TYPES; type++) {
        if (handles[type] > 0)
            counts[used++] = (struct nt_handle_count){(uint16_t)type, handles[type]};
    }
    *ret_counts = counts;
    *ret_count = used;
    return ST_OK;
}
