/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Session pool, off by default: the layout is known from one header alone, one report contradicts
 * it, and Windows is giving session space up. So nothing is believed that does not fit together.
 */
#include "agent/nt/query.h"
#include "common/limits.h"

#define WHAT "the session pools"
#define SESSION_ID_MAX                                                                             \
    0xffffu /* ids count up from 0 by logon; a machine is restarted long before */
#define ROWS_MAX LIMIT_TABLE_ROWS

static const struct nt_question ask_sessions = {
    .information_class = NT_CLASS_SESSIONS,
    .what = WHAT,
    .start_bytes = 256u << 10,
    .most_bytes = 16u << 20,
    .version = 502,
};

struct session_walk {
    const struct nt_layout *layout;
    const unsigned char *data;
    size_t length;
    size_t offset;
};

/* Bytes of the entry at offset: up to the next one, or to the end. 0: does not fit. */
static size_t entry_bytes(const struct session_walk *walk)
{
    size_t left = walk->length - walk->offset;
    if (left < walk->layout->sessions.first)
        return 0;
    uint64_t step = nt_word(walk->layout, walk->data + walk->offset);
    if (step == 0)
        return left;
    return step >= walk->layout->sessions.first && step < left ? (size_t)step : 0;
}

static enum status read_session(const struct session_walk *walk, size_t bytes,
                                struct snapshot_session *ret_session, struct err *err)
{
    const struct nt_layout *layout = walk->layout;
    const struct nt_tags_layout *row = &layout->tags;
    const unsigned char *at = walk->data + walk->offset;
    uint32_t id = nt_u32(at + layout->sessions.id);
    size_t count = nt_u32(at + layout->sessions.count);
    if (id > SESSION_ID_MAX || count > ROWS_MAX ||
        count > (bytes - layout->sessions.first) / row->stride)
        return nt_contradiction(err, WHAT, "a session's id or number of rows cannot be");
    struct snapshot_session session = {.id = id, .failures = -1};
    uint64_t paged = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t used =
            nt_word(layout, at + layout->sessions.first + i * row->stride + row->used[POOL_PAGED]);
        if (used >> (8 * layout->pointer_bytes - 1) == 0)
            paged += used < LIMIT_NUMBER_MAX ? used : LIMIT_NUMBER_MAX;
        if (paged > LIMIT_NUMBER_MAX)
            return nt_contradiction(err, WHAT, "a session's bytes cannot be");
    }
    session.paged_bytes = (int64_t)paged;
    *ret_session = session;
    return ST_OK;
}

/* How many entries, each fitting in the answer; SIZE_MAX: they do not. */
static size_t count_sessions(struct session_walk walk)
{
    size_t count = 0;
    while (walk.offset < walk.length) {
        size_t bytes = entry_bytes(&walk);
        if (bytes == 0)
            return SIZE_MAX;
        walk.offset += bytes;
        count++;
    }
    return count;
}

enum status nt_sessions(struct nt_reader *reader, struct arena *arena,
                        struct snapshot_session **ret_sessions, size_t *ret_count, struct err *err)
{
    struct session_walk walk = {.layout = nt_reader_layout(reader)};
    enum status status = nt_ask(reader, &reader->buffer, &ask_sessions, &walk.length, err);
    if (status != ST_OK)
        return status;
    walk.data = reader->buffer.data;
    size_t count = count_sessions(walk);
    if (count > LIMIT_SESSIONS)
        return nt_contradiction(err, WHAT, "its entries do not follow each other");
    struct snapshot_session *sessions = arena_alloc(arena, count, sizeof *sessions);
    if (sessions == NULL)
        return nt_out_of_memory(err, WHAT);
    for (size_t i = 0; i < count; i++) {
        size_t bytes = entry_bytes(&walk);
        status = read_session(&walk, bytes, &sessions[i], err);
        if (status != ST_OK)
            return status;
        for (size_t j = 0; j < i; j++) {
            if (sessions[j].id == sessions[i].id)
                return nt_contradiction(err, WHAT, "a session stands twice");
        }
        walk.offset += bytes;
    }
    *ret_sessions = sessions;
    *ret_count = count;
    return ST_OK;
}
