/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks of version 1, which nothing writes any more: one frame, columns of all series as streams.
 * A single series is found by skipping over the streams.
 */
#include "server/chunk/sealed_read.h"

#include <string.h>
#include <zlib.h>

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

static enum status read_keys(const struct span sections[SECTION_COUNT], struct sealed *sealed,
                             struct err *err)
{
    struct span keys = sections[SECTION_KEYS];
    unsigned char *flags;
    uint64_t boot, count;
    size_t whole;
    if (!take(&keys, &boot) || !take(&keys, &count) || count > left(&keys))
        return sealed_malformed(err, "bad keys");
    enum status status = sealed_begin(sealed, boot, count, &flags, err);
    if (status != ST_OK)
        return status;
    if (count > 0)
        memcpy(flags, keys.at, count);
    keys.at += count;
    if (!sealed_count_whole(sealed, flags, &whole))
        return sealed_malformed(err, "unknown flags");
    if (!read_times(&keys, sealed) || !read_sequences(&keys, flags, sealed) ||
        !read_totals(&keys, flags, sealed))
        return sealed_malformed(err, "bad keys");
    if (!sealed_read_texts(sections[SECTION_DETAILS], sections[SECTION_RAWS], flags, sealed))
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

/* ---- one series ------------------------------------------------------------ */

static bool bit_at(const struct span *bits, size_t bit)
{
    return (bits->at[bit / 8] >> bit % 8 & 1) != 0;
}

static bool read_first(struct span streams[STREAM_COUNT], unsigned columns,
                       struct series_state *ret_state)
{
    struct series_state state = {0};
    if ((columns & COLUMN_ALLOCS) != 0 && !take_u32(&streams[STREAM_ALLOCS_0], &state.allocs))
        return false;
    if ((columns & COLUMN_FREES) != 0 && !take_u32(&streams[STREAM_FREES_0], &state.frees))
        return false;
    if (HAS_SIZE(columns) && !take(&streams[STREAM_SIZE_0], &state.size))
        return false;
    if ((columns & COLUMN_BYTES) != 0 && !take(&streams[STREAM_BYTES_0], &state.bytes))
        return false;
    state.bytes += state.size * state.frees;
    if (HAS_SIZE(columns))
        series_learn(&state);
    *ret_state = state;
    return true;
}

static bool read_change(struct span streams[STREAM_COUNT], unsigned columns, bool second,
                        struct series_state *state)
{
    uint32_t allocs = 0, frees = 0;
    uint64_t bytes = 0;
    if ((columns & COLUMN_ALLOCS) != 0) {
        if (!take_u32(&streams[STREAM_ALLOCS], &allocs))
            return false;
        state->increase = second ? state->increase + unzigzag32(allocs) : allocs;
        state->allocs += state->increase;
    }
    if ((columns & COLUMN_FREES) != 0 && !take_u32(&streams[STREAM_FREES], &frees))
        return false;
    frees = state->frees + unzigzag32(frees);
    uint64_t predicted = HAS_SIZE(columns) ? series_predict(state, frees) : state->bytes;
    state->frees = frees;
    if ((columns & COLUMN_BYTES) != 0) {
        if (!take(&streams[STREAM_BYTES], &bytes))
            return false;
        state->bytes = predicted + unzigzag64(bytes);
        if (HAS_SIZE(columns))
            series_learn(state);
    }
    return true;
}

static struct event event_of(const struct series_state *state, unsigned columns, uint32_t series)
{
    return (struct event){
        .series = series,
        .allocs = state->allocs,
        .frees = (columns & COLUMN_ALLOCS) != 0 ? state->allocs - state->frees : state->frees,
        .bytes = state->bytes,
    };
}

struct cursor {
    struct span streams[STREAM_COUNT]; /* what is left of them */
    uint64_t gone_series;              /* of the pair that comes next */
    uint64_t gone_at;
    bool gone; /* there is one */
};

static bool next_gone(struct cursor *cursor, uint64_t before)
{
    cursor->gone = cursor->streams[STREAM_GONE].at < cursor->streams[STREAM_GONE].end;
    if (!cursor->gone)
        return true;
    uint64_t step;
    if (!take(&cursor->streams[STREAM_GONE], &step) || step > UINT32_MAX ||
        !take(&cursor->streams[STREAM_GONE], &cursor->gone_at))
        return false;
    cursor->gone_series = before + step;
    return true;
}

static bool cursor_init(struct cursor *cursor, const struct part *part)
{
    memcpy(cursor->streams, part->streams, sizeof cursor->streams);
    return next_gone(cursor, 0);
}

/* Everything of one series; the cursor stands at it and then behind it. */
static bool read_series(struct cursor *cursor, const struct run *run, const struct part *part,
                        size_t series, event_fn fn, void *arg)
{
    struct series_state state;
    uint32_t first;
    bool there = true; /* a row vanishes once before it comes back */
    if (!take_u32(&cursor->streams[STREAM_FIRST], &first) || first >= run->count ||
        !read_first(cursor->streams, part->columns, &state))
        return false;
    struct event event = event_of(&state, part->columns, (uint32_t)series);
    if (!fn(first, &event, arg))
        return false;
    bool second = bit_at(&part->streams[STREAM_MODES], series);
    size_t bits = series * (run->count - 1);
    for (size_t at = 1; at < run->count; at++) {
        bool changed = bit_at(&part->streams[STREAM_CHANGED], bits + at - 1);
        bool gone = cursor->gone && cursor->gone_series == series && cursor->gone_at == at;
        if (!changed && !gone)
            continue;
        if ((changed && gone) || at <= first || (gone && !there))
            return false;
        if (gone) {
            event = (struct event){.series = (uint32_t)series, .gone = true};
            if (!next_gone(cursor, series))
                return false;
        } else {
            if (!read_change(cursor->streams, part->columns, second, &state))
                return false;
            event = event_of(&state, part->columns, (uint32_t)series);
        }
        there = !gone;
        if (!fn(at, &event, arg))
            return false;
    }
    /* A pair that was not met: out of order, or beyond the run. */
    return !cursor->gone || cursor->gone_series > series;
}

static bool read_tags(const struct part *part, uint32_t *tags)
{
    struct span stream = part->streams[STREAM_TAGS];
    uint32_t tag = 0, step;
    for (size_t i = 0; i < part->series; i++) {
        if (!take_u32(&stream, &step) || (i > 0 && step == 0) || step > UINT32_MAX - tag)
            return false;
        tag += step;
        if ((tag & TAG_PROTECTED) != 0)
            return false;
        tags[i] = tag;
    }
    return stream.at == stream.end;
}

/* How many events there are at most: a first one for each series, the bits, the pairs. */
static size_t count_events(const struct part *part)
{
    size_t count = part->series + left(&part->streams[STREAM_GONE]) / 2;
    const struct span *bits = &part->streams[STREAM_CHANGED];
    for (const unsigned char *at = bits->at; at < bits->end; at++)
        count += (size_t)__builtin_popcount(*at);
    return count;
}

/* The least bytes that so many events take; keeps hostile counts from taking memory. */
static bool events_fit(const struct part *part, size_t events)
{
    size_t bytes = 0;
    for (int i = 0; i < STREAM_COUNT; i++)
        bytes += left(&part->streams[i]);
    return events <= bytes + 1;
}

/* ---- one of them ----------------------------------------------------------- */

/* Place of the tag; SIZE_MAX: the run has no such series. False when the stream is bad. */
static bool find_series(const struct part *part, uint32_t tag, size_t *ret_series)
{
    struct span stream = part->streams[STREAM_TAGS];
    uint64_t now = 0;
    *ret_series = SIZE_MAX;
    for (size_t i = 0; i < part->series && now <= tag; i++) {
        uint32_t step;
        if (!take_u32(&stream, &step))
            return false;
        now += step;
        if (now == tag) {
            *ret_series = i;
            return true;
        }
    }
    return true;
}

static bool skip(struct span *stream, size_t count)
{
    stream->at = skip_varints(stream->at, stream->end, count);
    return stream->at != NULL;
}

static size_t count_bits(const struct span *bits, size_t until)
{
    size_t count = 0, i = 0;
    for (; i + 8 <= until / 8; i += 8) {
        uint64_t word;
        memcpy(&word, bits->at + i, sizeof word);
        count += (size_t)__builtin_popcountll(word);
    }
    for (; i < until / 8; i++)
        count += (size_t)__builtin_popcount(bits->at[i]);
    if (until % 8 != 0)
        count += (size_t)__builtin_popcount(bits->at[until / 8] & ((1u << until % 8) - 1));
    return count;
}

/* Moves to a series: over what all before it have in each stream. */
static bool cursor_seek(struct cursor *cursor, const struct run *run, const struct part *part,
                        size_t series)
{
    struct span *streams = cursor->streams;
    size_t changes = count_bits(&part->streams[STREAM_CHANGED], series * (run->count - 1));
    unsigned columns = part->columns;
    bool ok = skip(&streams[STREAM_FIRST], series);
    if ((columns & COLUMN_ALLOCS) != 0)
        ok =
            ok && skip(&streams[STREAM_ALLOCS_0], series) && skip(&streams[STREAM_ALLOCS], changes);
    if ((columns & COLUMN_FREES) != 0)
        ok = ok && skip(&streams[STREAM_FREES_0], series) && skip(&streams[STREAM_FREES], changes);
    if (HAS_SIZE(columns))
        ok = ok && skip(&streams[STREAM_SIZE_0], series);
    if ((columns & COLUMN_BYTES) != 0)
        ok = ok && skip(&streams[STREAM_BYTES_0], series) && skip(&streams[STREAM_BYTES], changes);
    while (ok && cursor->gone && cursor->gone_series < series)
        ok = next_gone(cursor, cursor->gone_series);
    return ok;
}

/* ---- the form -------------------------------------------------------------- */

/* Checks everything around the payload and unpacks it. */
static enum status unpack(const struct span *data, unsigned char **ret_plain, size_t *ret_length,
                          struct err *err)
{
    struct span rest = {data->at + 4, data->end - SEALED_CRC_BYTES};
    uint64_t plain;
    if (crc32_z(0, data->at, left(data) - SEALED_CRC_BYTES) != crc_at(rest.end))
        return sealed_malformed(err, "wrong checksum");
    if (!take(&rest, &plain))
        return sealed_malformed(err, "bad header");
    *ret_length = (size_t)plain;
    return sealed_unpack(rest, plain, ret_plain, err);
}

static enum status v1_open(struct sealed *sealed, const struct sealed_input *input, struct err *err)
{
    size_t plain = 0;
    if (left(&input->head) > 0)
        return sealed_malformed(err, "a head of version 1");
    enum status status = unpack(&input->body, &sealed->plain, &plain, err);
    if (status != ST_OK)
        return status;
    struct span payload = {sealed->plain, sealed->plain + plain};
    struct span sections[SECTION_COUNT];
    for (int i = 0; i < SECTION_COUNT; i++) {
        if (!take_span(&payload, &sections[i]))
            return sealed_malformed(err, "bad sections");
    }
    status = read_keys(sections, sealed, err);
    return status != ST_OK ? status : read_runs(sections[SECTION_RUNS], &payload, sealed, err);
}

static bool v1_walk(const struct run *run, const struct part *part, uint32_t *tags, event_fn fn,
                    void *arg)
{
    struct cursor cursor;
    if (!events_fit(part, count_events(part)) || !cursor_init(&cursor, part) ||
        !read_tags(part, tags))
        return false;
    for (size_t i = 0; i < part->series; i++) {
        if (!read_series(&cursor, run, part, i, fn, arg))
            return false;
    }
    for (int i = 0; i < STREAM_COUNT; i++) {
        if (i != STREAM_TAGS && i != STREAM_MODES && i != STREAM_CHANGED &&
            cursor.streams[i].at != cursor.streams[i].end)
            return false; /* left over */
    }
    return true;
}

static bool v1_series(const struct run *run, const struct part *part, uint32_t tag, event_fn fn,
                      void *arg)
{
    struct cursor cursor;
    size_t series = SIZE_MAX;
    if (!find_series(part, tag, &series))
        return false;
    return series == SIZE_MAX ||
           (cursor_init(&cursor, part) && cursor_seek(&cursor, run, part, series) &&
            read_series(&cursor, run, part, series, fn, arg));
}

const struct sealed_form sealed_form_1 = {v1_open, v1_walk, v1_series};
