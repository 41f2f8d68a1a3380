/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables and series of an opened chunk. Tables are read a run at a time when they are asked for:
 * all series are decoded into events, sorted by snapshot, and applied one snapshot after the other.
 * A single series is found by skipping over the streams.
 */
#include "server/chunk/sealed_read.h"

#include "common/limits.h"

#include <string.h>

/* ---- one series ------------------------------------------------------------ */

static bool bit_at(const struct span *bits, size_t bit)
{
    return (bits->at[bit / 8] >> bit % 8 & 1) != 0;
}

#define HAS_SIZE(columns) ((columns) == COLUMN_ALL)

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

/* Called for what happens to a series, with the snapshot of the run it happens at, rising. */
typedef bool (*event_fn)(size_t at, const struct event *event, void *arg);

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

/* ---- tables ---------------------------------------------------------------- */

struct collect {
    struct event *events;
    uint32_t *at; /* of each event */
    size_t count;
    size_t most;
};

static bool collect(size_t at, const struct event *event, void *arg)
{
    struct collect *to = arg;
    if (to->count == to->most)
        return false;
    to->at[to->count] = (uint32_t)at;
    to->events[to->count++] = *event;
    return true;
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

static bool by_snapshot(const struct collect *from, size_t snapshots, struct arena *arena,
                        struct walk *walk)
{
    walk->events = arena_alloc(arena, from->count, sizeof *walk->events);
    walk->starts = arena_alloc(arena, snapshots + 2, sizeof *walk->starts);
    if (walk->events == NULL || walk->starts == NULL)
        return false;
    /* Counted two places on, so that after placing, each start has moved to its own place. */
    for (size_t i = 0; i < from->count; i++)
        walk->starts[from->at[i] + 2]++;
    for (size_t i = 2; i < snapshots + 2; i++)
        walk->starts[i] += walk->starts[i - 1];
    for (size_t i = 0; i < from->count; i++)
        walk->events[walk->starts[from->at[i] + 1]++] = from->events[i];
    return true;
}

static enum status walk_load(const struct run *run, const struct part *part, struct arena *arena,
                             struct walk *walk, struct err *err)
{
    AUTO_FREE struct event *events = NULL;
    AUTO_FREE uint32_t *at = NULL;
    size_t most = count_events(part);
    struct cursor cursor;
    if (!events_fit(part, most) || !cursor_init(&cursor, part))
        return sealed_malformed(err, "bad streams");
    walk->tag = arena_alloc(arena, part->series, sizeof *walk->tag);
    walk->now = arena_alloc(arena, part->series, sizeof *walk->now);
    events = malloc((most + 1) * sizeof *events);
    at = malloc((most + 1) * sizeof *at);
    if (walk->tag == NULL || walk->now == NULL || events == NULL || at == NULL)
        return sealed_no_memory(err);
    if (!read_tags(part, walk->tag))
        return sealed_malformed(err, "bad tags");
    struct collect to = {.events = events, .at = at, .most = most};
    for (size_t i = 0; i < part->series; i++) {
        walk->now[i].gone = true;
        if (!read_series(&cursor, run, part, i, collect, &to))
            return sealed_malformed(err, "bad series");
    }
    for (int i = 0; i < STREAM_COUNT; i++) {
        if (i != STREAM_TAGS && i != STREAM_MODES && i != STREAM_CHANGED &&
            cursor.streams[i].at != cursor.streams[i].end)
            return sealed_malformed(err, "bytes left over");
    }
    return by_snapshot(&to, run->count, arena, walk) ? ST_OK : sealed_no_memory(err);
}

static enum status run_load(struct sealed *sealed, size_t index, struct err *err)
{
    const struct run *run = &sealed->runs[index];
    enum status status = ST_OK;
    arena_done(&sealed->walk_arena);
    memset(sealed->walks, 0, sizeof sealed->walks);
    sealed->walked_run = SIZE_MAX;
    for (int pool = 0; status == ST_OK && pool < POOL_COUNT; pool++) {
        if (run->parts[pool].present)
            status =
                walk_load(run, &run->parts[pool], &sealed->walk_arena, &sealed->walks[pool], err);
    }
    if (status == ST_OK) {
        sealed->walked_run = index;
        sealed->walked_next = 0;
    }
    return status;
}

static void apply(struct walk *walk, size_t snapshot)
{
    for (size_t i = walk->starts[snapshot]; i < walk->starts[snapshot + 1]; i++)
        walk->now[walk->events[i].series] = walk->events[i];
}

static enum status build(const struct part *part, const struct walk *walk, struct arena *arena,
                         struct snapshot_table *ret_table, struct err *err)
{
    size_t rows = 0, row = 0;
    *ret_table = (struct snapshot_table){0};
    if (!part->present)
        return ST_OK;
    for (size_t i = 0; i < part->series; i++)
        rows += !walk->now[i].gone;
    if (rows > LIMIT_TABLE_ROWS)
        return sealed_malformed(err, "too many rows");
    if (snapshot_table_alloc(arena, ret_table, rows, part->columns) != ST_OK)
        return sealed_no_memory(err);
    for (size_t i = 0; i < part->series; i++) {
        const struct event *now = &walk->now[i];
        if (now->gone)
            continue;
        ret_table->tag[row] = walk->tag[i];
        if (ret_table->allocs != NULL)
            ret_table->allocs[row] = now->allocs;
        if (ret_table->frees != NULL)
            ret_table->frees[row] = now->frees;
        if (ret_table->bytes != NULL)
            ret_table->bytes[row] = now->bytes;
        row++;
    }
    return ST_OK;
}

static size_t run_of(const struct sealed *sealed, size_t whole)
{
    size_t run = 0;
    while (whole >= sealed->runs[run].first + sealed->runs[run].count)
        run++;
    return run;
}

enum status sealed_tables(struct sealed *sealed, size_t index, struct arena *arena,
                          struct snapshot_table ret_table[POOL_COUNT], struct err *err)
{
    size_t whole = index < sealed->count ? sealed->whole[index] : SIZE_MAX;
    if (whole == SIZE_MAX)
        return err_set(err, ST_NOT_FOUND, "the chunk has no tables of that snapshot");
    size_t r = run_of(sealed, whole);
    const struct run *run = &sealed->runs[r];
    size_t at = whole - run->first;
    enum status status = ST_OK;
    if (sealed->walked_run != r || sealed->walked_next > at + 1)
        status = run_load(sealed, r, err);
    for (; status == ST_OK && sealed->walked_next <= at; sealed->walked_next++) {
        for (int pool = 0; pool < POOL_COUNT; pool++) {
            if (run->parts[pool].present)
                apply(&sealed->walks[pool], sealed->walked_next);
        }
    }
    struct snapshot_table table[POOL_COUNT];
    for (int pool = 0; status == ST_OK && pool < POOL_COUNT; pool++)
        status = build(&run->parts[pool], &sealed->walks[pool], arena, &table[pool], err);
    if (status == ST_OK)
        memcpy(ret_table, table, sizeof table);
    return status;
}

/* ---- one row over time ----------------------------------------------------- */

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

struct track {
    struct sealed_value *values; /* one per snapshot of the run */
    size_t next;
    unsigned columns;
    struct sealed_value now;
};

static void track_until(struct track *track, size_t at)
{
    while (track->next < at)
        track->values[track->next++] = track->now;
}

static bool track_event(size_t at, const struct event *event, void *arg)
{
    struct track *track = arg;
    track_until(track, at);
    track->now = event->gone ? (struct sealed_value){0}
                             : (struct sealed_value){.known = track->columns,
                                                     .allocs = event->allocs,
                                                     .frees = event->frees,
                                                     .bytes = event->bytes};
    if ((track->columns & COLUMN_ALLOCS) == 0)
        track->now.allocs = 0;
    if ((track->columns & COLUMN_FREES) == 0)
        track->now.frees = 0;
    return true;
}

static enum status run_series(const struct run *run, enum pool pool, uint32_t tag,
                              struct sealed_value *values, struct err *err)
{
    const struct part *part = &run->parts[pool];
    struct track track = {.values = values, .columns = part->columns};
    struct cursor cursor;
    size_t series = SIZE_MAX;
    if (part->present && !find_series(part, tag, &series))
        return sealed_malformed(err, "bad tags");
    if (series != SIZE_MAX &&
        (!cursor_init(&cursor, part) || !cursor_seek(&cursor, run, part, series) ||
         !read_series(&cursor, run, part, series, track_event, &track)))
        return sealed_malformed(err, "bad series");
    track_until(&track, run->count);
    return ST_OK;
}

enum status sealed_series(const struct sealed *sealed, enum pool pool, uint32_t tag,
                          struct sealed_value *ret_values, struct err *err)
{
    AUTO_FREE struct sealed_value *whole = calloc(sealed->count + 1, sizeof *whole);
    enum status status = ST_OK;
    if (whole == NULL)
        return sealed_no_memory(err);
    if ((unsigned)pool >= POOL_COUNT)
        return err_set(err, ST_BUG, "there is no such pool");
    for (size_t i = 0; status == ST_OK && i < sealed->run_count; i++)
        status = run_series(&sealed->runs[i], pool, tag, whole + sealed->runs[i].first, err);
    for (size_t i = 0; status == ST_OK && i < sealed->count; i++)
        ret_values[i] =
            sealed->whole[i] == SIZE_MAX ? (struct sealed_value){0} : whole[sealed->whole[i]];
    return status;
}
