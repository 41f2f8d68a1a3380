/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a sealed chunk of any version, and what they have in common. Every count is bounded by
 * the bytes it is read from before memory is taken for it.
 */
#include "server/chunk/sealed_read.h"

#include <string.h>
#include <zstd.h>

enum status sealed_begin(struct sealed *sealed, uint64_t boot, uint64_t count,
                         unsigned char **ret_flags, struct err *err)
{
    if (count > SEALED_SNAPSHOTS_MAX)
        return sealed_malformed(err, "bad keys");
    sealed->boot_at_us = (int64_t)unzigzag64(boot);
    sealed->count = (size_t)count;
    sealed->snapshots = arena_alloc(&sealed->arena, sealed->count, sizeof *sealed->snapshots);
    sealed->whole = arena_alloc(&sealed->arena, sealed->count, sizeof *sealed->whole);
    *ret_flags = arena_alloc(&sealed->arena, sealed->count, 1);
    if (sealed->snapshots == NULL || sealed->whole == NULL || *ret_flags == NULL)
        return sealed_no_memory(err);
    return ST_OK;
}

bool sealed_count_whole(struct sealed *sealed, const unsigned char *flags, size_t *ret_whole)
{
    size_t whole = 0;
    for (size_t i = 0; i < sealed->count; i++) {
        if (flags[i] > KEY_ALL)
            return false;
        sealed->whole[i] = (flags[i] & KEY_RAW) != 0 ? SIZE_MAX : whole++;
    }
    *ret_whole = whole;
    return true;
}

bool sealed_read_texts(struct span details, struct span raws, const unsigned char *flags,
                       struct sealed *sealed)
{
    for (size_t i = 0; i < sealed->count; i++) {
        struct span text;
        if ((flags[i] & KEY_DETAIL) != 0) {
            if (!take_span(&details, &text) || memchr(text.at, 0, left(&text)) != NULL)
                return false;
            sealed->snapshots[i].detail =
                arena_strndup(&sealed->arena, (const char *)text.at, left(&text));
            if (sealed->snapshots[i].detail == NULL)
                return false;
        }
        if ((flags[i] & KEY_RAW) != 0) {
            if (!take_span(&raws, &text))
                return false;
            sealed->snapshots[i].raw = text.at; /* of what was unpacked, which stays */
            sealed->snapshots[i].raw_length = left(&text);
        }
    }
    return details.at == details.end && raws.at == raws.end;
}

enum status sealed_unpack(struct span packed, uint64_t plain, unsigned char **ret_plain,
                          struct err *err)
{
    if (plain > SEALED_PLAIN_MAX)
        return sealed_malformed(err, "bad header");
    unsigned char *out = malloc((size_t)plain + 1);
    if (out == NULL)
        return sealed_no_memory(err);
    size_t got = ZSTD_decompress(out, (size_t)plain, packed.at, left(&packed));
    if (ZSTD_isError(got) || got != plain) {
        free(out);
        return sealed_malformed(err, "bad compression");
    }
    *ret_plain = out;
    return ST_OK;
}

/* ---- open ------------------------------------------------------------------ */

void sealed_free(struct sealed *sealed)
{
    if (sealed == NULL)
        return;
    free(sealed->plain);
    free(sealed->texts);
    arena_done(&sealed->arena);
    arena_done(&sealed->walk_arena);
    free(sealed);
}

static void cleanup_sealed(struct sealed **sealed)
{
    sealed_free(*sealed);
}

static enum status open_input(const struct sealed_input *input, struct sealed **ret_sealed,
                              struct err *err)
{
    static const struct sealed_form *const forms[] = {NULL, &sealed_form_1, &sealed_form_2};
    CLEANUP(cleanup_sealed) struct sealed *sealed = calloc(1, sizeof *sealed);
    const struct span *start = left(&input->head) > 0 ? &input->head : &input->body;
    if (sealed == NULL)
        return sealed_no_memory(err);
    if (left(start) < SEALED_HEADER_LEAST + SEALED_CRC_BYTES ||
        memcmp(start->at, SEALED_MAGIC, 3) != 0)
        return sealed_malformed(err, "not a chunk");
    unsigned version = start->at[3];
    if (version == 0 || version >= sizeof forms / sizeof *forms)
        return err_set(err, ST_MALFORMED, "could not read a chunk: version %u is unknown", version);
    sealed->walked_run = SIZE_MAX;
    sealed->form = forms[version];
    enum status status = sealed->form->open(sealed, input, err);
    if (status == ST_OK)
        *ret_sealed = TAKE(sealed);
    return status;
}

static struct span span_of(const void *data, size_t length)
{
    return (struct span){data, (const unsigned char *)data + length};
}

enum status sealed_open(const void *data, size_t length, struct sealed **ret_sealed,
                        struct err *err)
{
    struct sealed_input input = {.body = span_of(data, length), .only = SIZE_MAX};
    return open_input(&input, ret_sealed, err);
}

enum status sealed_open_parts(const void *head, size_t head_length, const void *body,
                              size_t body_length, struct sealed **ret_sealed, struct err *err)
{
    struct sealed_input input = {span_of(head, head_length), span_of(body, body_length), SIZE_MAX};
    return open_input(&input, ret_sealed, err);
}

enum status sealed_open_group(const void *head, size_t head_length, size_t group, const void *data,
                              size_t length, struct sealed **ret_sealed, struct err *err)
{
    struct sealed_input input = {span_of(head, head_length), span_of(data, length), group};
    if (head_length == 0 || group == SIZE_MAX)
        return sealed_malformed(err, "no head");
    return open_input(&input, ret_sealed, err);
}

int64_t sealed_boot_at_us(const struct sealed *sealed)
{
    return sealed->boot_at_us;
}

size_t sealed_count(const struct sealed *sealed)
{
    return sealed->count;
}

const struct sealed_snapshot *sealed_at(const struct sealed *sealed, size_t index)
{
    return &sealed->snapshots[index];
}
