/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks of version 2, as they are written now: a head, and groups of series that are read alone.
 */
#include "server/chunk/sealed_group.h"
#include "server/chunk/sealed_keys.h"
#include "server/chunk/sealed_read.h"

#include <string.h>
#include <zlib.h>

/* ---- head ------------------------------------------------------------------ */

/* The payload of a head, and what stands behind it. */
static enum status take_head(struct span *from, struct span *ret_payload, struct err *err)
{
    const unsigned char *start = from->at;
    from->at += 4;
    if (!take_span(from, ret_payload) || left(from) < SEALED_CRC_BYTES)
        return sealed_malformed(err, "bad header");
    if (crc32_z(0, start, (size_t)(from->at - start)) != crc_at(from->at))
        return sealed_malformed(err, "wrong checksum");
    from->at += SEALED_CRC_BYTES;
    return ST_OK;
}

struct texts {
    uint64_t plain, packed;
    uint32_t crc;
};

static enum status read_keys(struct span *head, struct sealed *sealed, unsigned char **ret_flags,
                             struct texts *ret_texts, size_t *ret_whole, struct err *err)
{
    struct span keys;
    uint64_t boot, count;
    if (!take(head, &boot) || !take(head, &count) || !take_span(head, &keys))
        return sealed_malformed(err, "bad keys");
    enum status status = sealed_begin(sealed, boot, count, ret_flags, err);
    if (status != ST_OK)
        return status;
    if (!sealed_keys_read(keys.at, keys.end, sealed->snapshots, *ret_flags, sealed->count) ||
        !sealed_count_whole(sealed, *ret_flags, ret_whole) || !take(head, &ret_texts->plain) ||
        !take(head, &ret_texts->packed) || !take_crc(head, &ret_texts->crc))
        return sealed_malformed(err, "bad keys");
    return ST_OK;
}

/* A group is told in six bytes at least. */
#define GROUP_LEAST 6u

static bool read_part(struct span *head, struct sealed *sealed, struct part *part)
{
    uint64_t what, count, series, length;
    if (!take(head, &what) || what > PART_ALL)
        return false;
    part->present = (what & PART_PRESENT) != 0;
    part->columns = (unsigned)what >> PART_COLUMNS;
    if (!part->present)
        return part->columns == 0;
    if (!take(head, &count) || count > left(head) / GROUP_LEAST)
        return false;
    part->groups = sealed->groups + sealed->group_count;
    part->group_count = (size_t)count;
    for (size_t i = 0; i < part->group_count; i++) {
        struct group *group = &sealed->groups[sealed->group_count++];
        /* A series takes some bits. */
        if (!take(head, &series) || !take(head, &length) || !take_crc(head, &group->crc) ||
            length > SEALED_PLAIN_MAX || series == 0 || series > length * 8)
            return false;
        group->series = (size_t)series;
        group->length = (size_t)length;
        part->series += group->series;
        if (part->series > SEALED_SERIES_MAX)
            return false;
    }
    return true;
}

static enum status read_runs(struct span *head, size_t whole, struct sealed *sealed,
                             struct err *err)
{
    size_t seen = 0;
    uint64_t count, snapshots;
    if (!take(head, &count) || count > whole)
        return sealed_malformed(err, "bad runs");
    sealed->run_count = (size_t)count;
    sealed->runs = arena_alloc(&sealed->arena, sealed->run_count, sizeof *sealed->runs);
    sealed->groups =
        arena_alloc(&sealed->arena, left(head) / GROUP_LEAST + 1, sizeof *sealed->groups);
    if (sealed->runs == NULL || sealed->groups == NULL)
        return sealed_no_memory(err);
    for (size_t i = 0; i < sealed->run_count; i++) {
        struct run *run = &sealed->runs[i];
        if (!take(head, &snapshots) || snapshots == 0 || snapshots > whole - seen)
            return sealed_malformed(err, "bad runs");
        run->first = seen;
        run->count = (size_t)snapshots;
        seen += run->count;
        if (!read_part(head, sealed, &run->parts[0]) || !read_part(head, sealed, &run->parts[1]))
            return sealed_malformed(err, "bad runs");
    }
    return seen == whole && head->at == head->end ? ST_OK : sealed_malformed(err, "bad runs");
}

/* ---- body ------------------------------------------------------------------ */

static enum status take_checked(struct span *body, uint64_t length, uint32_t crc,
                                struct span *ret_span, struct err *err)
{
    if (length > left(body))
        return sealed_malformed(err, "cut off");
    if (crc32_z(0, body->at, (size_t)length) != crc)
        return sealed_malformed(err, "wrong checksum");
    *ret_span = (struct span){body->at, body->at + length};
    body->at += length;
    return ST_OK;
}

static enum status read_texts(struct span *body, const struct texts *texts,
                              const unsigned char *flags, struct sealed *sealed, struct err *err)
{
    struct span packed, plain = {NULL, NULL}, details = {NULL, NULL}, raws = {NULL, NULL};
    enum status status = take_checked(body, texts->packed, texts->crc, &packed, err);
    if (status == ST_OK && texts->plain > 0)
        status = sealed_unpack(packed, texts->plain, &sealed->texts, err);
    if (status != ST_OK)
        return status;
    if (texts->plain > 0)
        plain = (struct span){sealed->texts, sealed->texts + texts->plain};
    else if (texts->packed > 0)
        return sealed_malformed(err, "bad details");
    if (texts->plain > 0 &&
        (!take_span(&plain, &details) || !take_span(&plain, &raws) || plain.at != plain.end))
        return sealed_malformed(err, "bad details");
    return sealed_read_texts(details, raws, flags, sealed) ? ST_OK
                                                           : sealed_malformed(err, "bad details");
}

static enum status read_group(struct span *body, struct group *group, struct err *err)
{
    enum status status = take_checked(body, group->length, group->crc, &group->bits, err);
    if (status == ST_OK)
        group->key = group_first_key(group->bits.at, group->bits.end);
    return status;
}

/* Every group, or only one, of a copy of the body. */
static enum status read_groups(struct span *body, size_t only, struct sealed *sealed,
                               struct err *err)
{
    enum status status = ST_OK;
    if (only == SEALED_NO_GROUP && body->at == body->end)
        return ST_OK;
    if (only != SIZE_MAX && only >= sealed->group_count)
        return sealed_malformed(err, "no such group");
    for (size_t i = only == SIZE_MAX ? 0 : only; status == ST_OK && i < sealed->group_count; i++) {
        status = read_group(body, &sealed->groups[i], err);
        if (i == only)
            break;
    }
    if (status == ST_OK && body->at != body->end)
        status = sealed_malformed(err, "bytes left over");
    return status;
}

static enum status v2_open(struct sealed *sealed, const struct sealed_input *input, struct err *err)
{
    struct span from = left(&input->head) > 0 ? input->head : input->body;
    struct span head, body = input->body;
    struct texts texts = {0};
    unsigned char *flags = NULL;
    size_t whole = 0;
    enum status status = take_head(&from, &head, err);
    if (status == ST_OK)
        status = read_keys(&head, sealed, &flags, &texts, &whole, err);
    if (status == ST_OK)
        status = read_runs(&head, whole, sealed, err);
    if (status != ST_OK)
        return status;
    if (left(&input->head) == 0)
        body = from;
    else if (left(&from) > 0)
        return sealed_malformed(err, "bytes left over");
    sealed->plain = malloc(left(&body) + 1);
    if (sealed->plain == NULL)
        return sealed_no_memory(err);
    sealed->body_length = left(&body);
    if (left(&body) > 0)
        memcpy(sealed->plain, body.at, left(&body));
    body = (struct span){sealed->plain, sealed->plain + left(&body)};
    if (input->only == SIZE_MAX)
        status = read_texts(&body, &texts, flags, sealed, err);
    return status == ST_OK ? read_groups(&body, input->only, sealed, err) : status;
}

/* ---- series ---------------------------------------------------------------- */

static bool tell_series(const struct group_series *from, uint32_t series, event_fn fn, void *arg)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct group_change *change = &from->changes[i];
        struct event event = {.series = series, .gone = change->gone};
        if (!change->gone) {
            event.allocs = change->allocs;
            event.frees = change->frees;
            event.bytes = change->bytes;
        }
        if (!fn(change->at, &event, arg))
            return false;
    }
    return true;
}

static struct group_shape shape_of(const struct run *run, const struct part *part)
{
    return (struct group_shape){.snapshots = run->count, .columns = part->columns};
}

static bool v2_walk(const struct run *run, const struct part *part, uint32_t *tags, event_fn fn,
                    void *arg)
{
    struct group_shape shape = shape_of(run, part);
    AUTO_FREE struct group_series *series = calloc(1, sizeof *series);
    size_t place = 0;
    uint32_t last = 0;
    if (series == NULL)
        return false;
    for (size_t g = 0; g < part->group_count; g++) {
        const struct group *group = &part->groups[g];
        struct group_reader reader;
        if (group->bits.at == NULL)
            return false;
        group_read_begin(&reader, &shape, group->bits.at, group->bits.end);
        for (size_t i = 0; i < group->series; i++) {
            if (!group_read(&reader, series) || (group_tag(series->key) & TAG_PROTECTED) != 0 ||
                (place > 0 && series->key <= last))
                return false;
            last = series->key;
            tags[place] = group_tag(series->key);
            if (!tell_series(series, (uint32_t)place++, fn, arg))
                return false;
        }
        if (!group_read_end(&reader))
            return false;
    }
    return true;
}

static bool v2_series(const struct run *run, const struct part *part, uint32_t tag, event_fn fn,
                      void *arg)
{
    struct group_shape shape = shape_of(run, part);
    const struct group *group = NULL;
    struct group_reader reader;
    uint32_t key = group_key(tag);
    for (size_t g = 0; g < part->group_count; g++) {
        if (part->groups[g].bits.at != NULL && part->groups[g].key <= key)
            group = &part->groups[g];
    }
    if (group == NULL)
        return true;
    AUTO_FREE struct group_series *series = calloc(1, sizeof *series);
    if (series == NULL)
        return false;
    group_read_begin(&reader, &shape, group->bits.at, group->bits.end);
    for (size_t i = 0; i < group->series; i++) {
        if (!group_read(&reader, series))
            return false;
        if (series->key >= key)
            return series->key > key || tell_series(series, 0, fn, arg);
    }
    return true;
}

const struct sealed_form sealed_form_2 = {v2_open, v2_walk, v2_series};

/* ---- slices ---------------------------------------------------------------- */

void sealed_slices_done(struct sealed_slices *slices)
{
    free(slices->keys);
    free(slices->ends);
    *slices = (struct sealed_slices){0};
}

/* One number of a pool and key, in the order of groups: what bit 7 of a key would be is clear in
 * every tag, so that both fit 32 bits. */
int32_t sealed_slice_key(enum pool pool, uint32_t tag)
{
    uint32_t key = group_key(tag);
    uint32_t small = (key >> 8) << 7 | (key & 0x7f);
    return pool == POOL_NONPAGED ? (int32_t)(small ^ 0x80000000u) : (int32_t)small;
}

/* The one run's groups can be found by their keys; what was kept raw is read from its own bytes. */
static bool has_slices(const struct sealed *sealed)
{
    for (size_t i = 0; i < sealed->count; i++) {
        if (sealed->whole[i] == SIZE_MAX)
            return false;
    }
    return sealed->run_count == 1 && sealed->group_count > 0;
}

static void fill_slices(const struct sealed *sealed, struct sealed_slices *slices)
{
    const struct run *run = &sealed->runs[0];
    size_t end = slices->first;
    slices->ends[0] = (int64_t)end;
    for (size_t i = 0; i < sealed->group_count; i++) {
        const struct part *nonpaged = &run->parts[POOL_NONPAGED];
        slices->keys[i] = sealed_slice_key(i < nonpaged->group_count ? POOL_NONPAGED : POOL_PAGED,
                                           group_tag(sealed->groups[i].key));
        end += sealed->groups[i].length;
        slices->ends[i + 1] = (int64_t)end;
    }
    slices->count = sealed->group_count;
}

enum status sealed_slices(const void *data, size_t length, struct sealed_slices *ret_slices,
                          struct err *err)
{
    struct sealed_slices slices = {0};
    struct sealed *sealed = NULL;
    enum status status = sealed_open(data, length, &sealed, err);
    if (status != ST_OK)
        return status;
    if (sealed->form == &sealed_form_2) {
        slices.head_length = length - sealed->body_length;
        slices.first = sealed->body_length;
        for (size_t i = 0; i < sealed->group_count; i++)
            slices.first -= sealed->groups[i].length;
        if (has_slices(sealed)) {
            slices.keys = calloc(sealed->group_count, sizeof *slices.keys);
            slices.ends = calloc(sealed->group_count + 1, sizeof *slices.ends);
            if (slices.keys == NULL || slices.ends == NULL)
                status = sealed_no_memory(err);
            else
                fill_slices(sealed, &slices);
        }
    }
    sealed_free(sealed);
    if (status == ST_OK)
        *ret_slices = slices;
    else
        sealed_slices_done(&slices);
    return status;
}
