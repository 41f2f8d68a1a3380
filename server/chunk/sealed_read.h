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

struct group {
    struct span bits; /* at NULL: it was not read */
    size_t series;
    size_t length;
    uint32_t crc;
    uint32_t key; /* of its first series, when it was read */
};

struct part {
    bool present;
    unsigned columns;
    size_t series;
    struct span streams[STREAM_COUNT]; /* version 1 */
    const struct group *groups;        /* version 2 */
    size_t group_count;
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

struct sealed_form;

struct sealed {
    struct arena arena;
    const struct sealed_form *form;
    unsigned char *plain; /* version 1: unpacked; else the body */
    size_t body_length;
    unsigned char *texts; /* version 2: unpacked; NULL: none */
    int64_t boot_at_us;
    size_t count;
    struct sealed_snapshot *snapshots;
    size_t *whole; /* place among those with tables; SIZE_MAX: raw */
    size_t run_count;
    struct run *runs;
    struct group *groups; /* of all parts, in their order */
    size_t group_count;
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

static inline uint32_t crc_at(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline enum status sealed_malformed(struct err *err, const char *why)
{
    return err_set(err, ST_MALFORMED, "could not read a chunk: %s", why);
}

static inline enum status sealed_no_memory(struct err *err)
{
    return err_set(err, ST_NOMEM, "could not read a chunk: out of memory");
}

/* Called for what happens to a series, with the snapshot of the run it happens at, rising. */
typedef bool (*event_fn)(size_t at, const struct event *event, void *arg);

static inline bool take_crc(struct span *from, uint32_t *ret_crc)
{
    if (left(from) < SEALED_CRC_BYTES)
        return false;
    *ret_crc = crc_at(from->at);
    from->at += SEALED_CRC_BYTES;
    return true;
}

/* ---- what both versions have (sealed_read.c) ------------------------------- */

/* Memory for so many snapshots; ret_flags are of each. */
enum status sealed_begin(struct sealed *sealed, uint64_t boot, uint64_t count,
                         unsigned char **ret_flags, struct err *err) MUST_CHECK;
/* Which snapshots have tables. False: unknown flags. */
bool sealed_count_whole(struct sealed *sealed, const unsigned char *flags, size_t *ret_whole);
bool sealed_read_texts(struct span details, struct span raws, const unsigned char *flags,
                       struct sealed *sealed);
/* One frame of exactly so many bytes, of which it makes what is owned by the caller. */
enum status sealed_unpack(struct span packed, uint64_t plain, unsigned char **ret_plain,
                          struct err *err) MUST_CHECK;

/* ---- a version's own ------------------------------------------------------- */

/* What is borrowed to open it. */
struct sealed_input {
    struct span head; /* empty: all is in the body */
    struct span body;
    size_t only; /* the body is this group alone; SIZE_MAX: all of it */
};

/* How a table of a run is read. False: it is malformed. */
struct sealed_form {
    enum status (*open)(struct sealed *sealed, const struct sealed_input *input, struct err *err);
    /* All of it, series by series, in an order of its own. tags: room for part->series. */
    bool (*walk)(const struct run *run, const struct part *part, uint32_t *tags, event_fn fn,
                 void *arg);
    /* One tag; fn is not called when there is no such series. */
    bool (*series)(const struct run *run, const struct part *part, uint32_t tag, event_fn fn,
                   void *arg);
};
extern const struct sealed_form sealed_form_1, sealed_form_2;

#endif
