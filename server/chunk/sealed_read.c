/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a sealed chunk: checks, unpacks and reads the keys; sealed_walk.c reads the tables. Every
 * count is bounded by the bytes it is read from before memory is taken for it.
 */
#include "server/chunk/sealed_read.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* ---- keys ------------------------------------------------------------------ */

static bool read_times(struct span *keys, struct sealed *sealed)
{
    uint64_t before = 0, step = 0, value;
    for (size_t i = 0; i < sealed->count; i++) {
        if (!take(keys, &value))
            return false;
        uint64_t next = unzigzag64(value) + (i < 2 ? 0 : step);
        before += next;
        step = next;
        sealed->snapshots[i].taken_at_us = (int64_t)before;
    }
    return true;
}

static bool read_sequences(struct span *keys, const unsigned char *flags, struct sealed *sealed)
{
    uint64_t before = 0, value;
    for (size_t i = 0; i < sealed->count; i++) {
        sealed->snapshots[i].sequence = SEQUENCE_UNKNOWN;
        if ((flags[i] & KEY_SEQUENCE) == 0)
            continue;
        if (!take(keys, &value))
            return false;
        before += unzigzag64(value);
        sealed->snapshots[i].sequence = (int64_t)before;
    }
    for (size_t i = 0; i < sealed->count; i++) {
        sealed->snapshots[i].base = SEQUENCE_UNKNOWN;
        if ((flags[i] & KEY_BASE) == 0)
            continue;
        if (!take(keys, &value))
            return false;
        sealed->snapshots[i].base =
            (int64_t)((uint64_t)sealed->snapshots[i].sequence - unzigzag64(value));
    }
    return true;
}

static bool read_totals(struct span *keys, const unsigned char *flags, struct sealed *sealed)
{
    for (size_t i = 0; i < sealed->count; i++) {
        if ((flags[i] & KEY_TOTALS) == 0)
            continue;
        uint64_t known;
        if (!take(keys, &known) || known >= 1u << TOTAL_COUNT)
            return false;
        sealed->snapshots[i].totals.known = (uint32_t)known;
    }
    for (int total = 0; total < TOTAL_COUNT; total++) {
        uint64_t before = 0, value;
        for (size_t i = 0; i < sealed->count; i++) {
            struct snapshot_totals *totals = &sealed->snapshots[i].totals;
            if (!totals_has(totals, (enum total)total))
                continue;
            if (!take(keys, &value))
                return false;
            before += unzigzag64(value);
            totals->value[total] = before;
        }
    }
    return keys->at == keys->end;
}

static bool read_texts(struct span details, struct span raws, const unsigned char *flags,
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
            sealed->snapshots[i].raw = text.at; /* of the plain payload, which stays */
            sealed->snapshots[i].raw_length = left(&text);
        }
    }
    return details.at == details.end && raws.at == raws.end;
}

static enum status read_keys(const struct span sections[SECTION_COUNT], struct sealed *sealed,
                             struct err *err)
{
    struct span keys = sections[SECTION_KEYS];
    uint64_t boot, count;
    if (!take(&keys, &boot) || !take(&keys, &count) || count > SEALED_SNAPSHOTS_MAX ||
        count > left(&keys))
        return sealed_malformed(err, "bad keys");
    sealed->boot_at_us = (int64_t)unzigzag64(boot);
    sealed->count = (size_t)count;
    sealed->snapshots = arena_alloc(&sealed->arena, sealed->count, sizeof *sealed->snapshots);
    sealed->whole = arena_alloc(&sealed->arena, sealed->count, sizeof *sealed->whole);
    if (sealed->snapshots == NULL || sealed->whole == NULL)
        return sealed_no_memory(err);
    const unsigned char *flags = keys.at;
    keys.at += count;
    size_t whole = 0;
    for (size_t i = 0; i < sealed->count; i++) {
        if (flags[i] > KEY_ALL)
            return sealed_malformed(err, "unknown flags");
        sealed->whole[i] = (flags[i] & KEY_RAW) != 0 ? SIZE_MAX : whole++;
    }
    if (!read_times(&keys, sealed) || !read_sequences(&keys, flags, sealed) ||
        !read_totals(&keys, flags, sealed))
        return sealed_malformed(err, "bad keys");
    if (!read_texts(sections[SECTION_DETAILS], sections[SECTION_RAWS], flags, sealed))
        return sealed_malformed(err, "bad details");
    return ST_OK;
}

/* ---- runs ------------------------------------------------------------------ */

static bool read_part(struct span *runs, struct part *part)
{
    uint64_t what, series = 0;
    if (!take(runs, &what) || what > PART_ALL)
        return false;
    part->present = (what & PART_PRESENT) != 0;
    part->columns = (unsigned)what >> PART_COLUMNS;
    if (!part->present)
        return part->columns == 0;
    if (!take(runs, &series) || series > SEALED_SERIES_MAX)
        return false;
    part->series = (size_t)series;
    return true;
}

/* Its streams, and that each of them can hold what it must at least. */
static bool read_streams(struct span *payload, const struct run *run, struct part *part)
{
    for (int i = 0; i < STREAM_COUNT; i++) {
        if (!take_span(payload, &part->streams[i]))
            return false;
    }
    const struct span *streams = part->streams;
    return left(&streams[STREAM_TAGS]) >= part->series &&
           left(&streams[STREAM_MODES]) == (part->series + 7) / 8 &&
           left(&streams[STREAM_CHANGED]) == (part->series * (run->count - 1) + 7) / 8;
}

static enum status read_runs(struct span runs, struct span *payload, struct sealed *sealed,
                             struct err *err)
{
    size_t whole = 0, seen = 0;
    uint64_t count, snapshots;
    for (size_t i = 0; i < sealed->count; i++)
        whole += sealed->whole[i] != SIZE_MAX;
    if (!take(&runs, &count) || count > whole)
        return sealed_malformed(err, "bad runs");
    sealed->runs = arena_alloc(&sealed->arena, (size_t)count, sizeof *sealed->runs);
    if (sealed->runs == NULL)
        return sealed_no_memory(err);
    sealed->run_count = (size_t)count;
    for (size_t i = 0; i < sealed->run_count; i++) {
        struct run *run = &sealed->runs[i];
        if (!take(&runs, &snapshots) || snapshots == 0 || snapshots > whole - seen)
            return sealed_malformed(err, "bad runs");
        run->first = seen;
        run->count = (size_t)snapshots;
        seen += run->count;
        if (!read_part(&runs, &run->parts[0]) || !read_part(&runs, &run->parts[1]))
            return sealed_malformed(err, "bad runs");
    }
    if (seen != whole || runs.at != runs.end)
        return sealed_malformed(err, "bad runs");
    for (size_t i = 0; i < sealed->run_count; i++) {
        for (int pool = 0; pool < POOL_COUNT; pool++) {
            struct part *part = &sealed->runs[i].parts[pool];
            if (part->present && !read_streams(payload, &sealed->runs[i], part))
                return sealed_malformed(err, "bad streams");
        }
    }
    return payload->at == payload->end ? ST_OK : sealed_malformed(err, "bytes left over");
}

/* ---- open ------------------------------------------------------------------ */

void sealed_free(struct sealed *sealed)
{
    if (sealed == NULL)
        return;
    free(sealed->plain);
    arena_done(&sealed->arena);
    arena_done(&sealed->walk_arena);
    free(sealed);
}

static void cleanup_sealed(struct sealed **sealed)
{
    sealed_free(*sealed);
}

/* Checks everything around the payload and unpacks it. */
static enum status unpack(const unsigned char *data, size_t length, unsigned char **ret_plain,
                          size_t *ret_length, struct err *err)
{
    if (length < SEALED_HEADER_LEAST + SEALED_CRC_BYTES || memcmp(data, SEALED_MAGIC, 3) != 0)
        return sealed_malformed(err, "not a chunk");
    if (data[3] != SEALED_MAGIC[3])
        return err_set(err, ST_MALFORMED, "could not read a chunk: version %u is unknown", data[3]);
    const unsigned char *end = data + length - SEALED_CRC_BYTES;
    uint32_t crc =
        (uint32_t)end[0] | (uint32_t)end[1] << 8 | (uint32_t)end[2] << 16 | (uint32_t)end[3] << 24;
    if (crc32(0, data, (uInt)(length - SEALED_CRC_BYTES)) != crc)
        return sealed_malformed(err, "wrong checksum");
    uint64_t plain;
    const unsigned char *at = get_varint(data + 4, end, &plain);
    if (at == NULL || plain > SEALED_PLAIN_MAX)
        return sealed_malformed(err, "bad header");
    unsigned char *out = malloc((size_t)plain + 1);
    if (out == NULL)
        return sealed_no_memory(err);
    size_t got = ZSTD_decompress(out, (size_t)plain, at, (size_t)(end - at));
    if (ZSTD_isError(got) || got != plain) {
        free(out);
        return sealed_malformed(err, "bad compression");
    }
    *ret_plain = out;
    *ret_length = got;
    return ST_OK;
}

enum status sealed_open(const void *data, size_t length, struct sealed **ret_sealed,
                        struct err *err)
{
    CLEANUP(cleanup_sealed) struct sealed *sealed = calloc(1, sizeof *sealed);
    size_t plain = 0;
    if (sealed == NULL)
        return sealed_no_memory(err);
    sealed->walked_run = SIZE_MAX;
    enum status status = unpack(data, length, &sealed->plain, &plain, err);
    if (status != ST_OK)
        return status;
    struct span payload = {sealed->plain, sealed->plain + plain};
    struct span sections[SECTION_COUNT];
    for (int i = 0; i < SECTION_COUNT; i++) {
        if (!take_span(&payload, &sections[i]))
            return sealed_malformed(err, "bad sections");
    }
    status = read_keys(sections, sealed, err);
    if (status == ST_OK)
        status = read_runs(sections[SECTION_RUNS], &payload, sealed, err);
    if (status == ST_OK)
        *ret_sealed = TAKE(sealed);
    return status;
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
