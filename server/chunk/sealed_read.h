/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the reader of sealed chunks: what opening leaves for those who walk it.
 */
#ifndef SERVER_CHUNK_SEALED_READ_H
#define SERVER_CHUNK_SEALED_READ_H

#include "server/chunk/sealed.h"
#include "server/chunk/sealed_form.h"
#include "server/chunk/varint.h"

struct span {
    const unsigned char *at;
    const unsigned char *end;
};

struct part {
    bool present;
    unsigned columns;
    size_t series;
    struct span streams[STREAM_COUNT];
};

struct run {
    size_t first; /* place among the snapshots with tables */
    size_t count;
    struct part parts[POOL_COUNT];
};

/* Something that happens to a series at a snapshot. */
struct event {
    uint64_t bytes;
    uint32_t series;
    uint32_t allocs;
    uint32_t frees;
    bool gone;
};

/* A table on its way through its run. */
struct walk {
    uint32_t *tag;
    struct event *now; /* of each series; gone: not there */
    struct event *events;
    size_t *starts; /* of each snapshot's events; one more at the end */
};

struct sealed {
    struct arena arena;
    unsigned char *plain;
    int64_t boot_at_us;
    size_t count;
    struct sealed_snapshot *snapshots;
    size_t *whole; /* place among those with tables; SIZE_MAX: raw */
    size_t run_count;
    struct run *runs;
    size_t walked_run;  /* SIZE_MAX: none */
    size_t walked_next; /* snapshot of the run whose events come next */
    struct arena walk_arena;
    struct walk walks[POOL_COUNT];
};

static inline bool take(struct span *span, uint64_t *ret_value)
{
    const unsigned char *at = get_varint(span->at, span->end, ret_value);
    if (at == NULL)
        return false;
    span->at = at;
    return true;
}

static inline bool take_u32(struct span *span, uint32_t *ret_value)
{
    const unsigned char *at = get_u32(span->at, span->end, ret_value);
    if (at == NULL)
        return false;
    span->at = at;
    return true;
}

/* A length and that many bytes. */
static inline bool take_span(struct span *from, struct span *ret_span)
{
    uint64_t length;
    if (!take(from, &length) || length > (uint64_t)(from->end - from->at))
        return false;
    *ret_span = (struct span){from->at, from->at + length};
    from->at += length;
    return true;
}

static inline size_t left(const struct span *span)
{
    return (size_t)(span->end - span->at);
}

static inline enum status sealed_malformed(struct err *err, const char *why)
{
    return err_set(err, ST_MALFORMED, "could not read a chunk: %s", why);
}

static inline enum status sealed_no_memory(struct err *err)
{
    return err_set(err, ST_NOMEM, "could not read a chunk: out of memory");
}

#endif
