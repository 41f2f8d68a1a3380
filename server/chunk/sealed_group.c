/* SPDX-License-Identifier: Apache-2.0 */
#include "server/chunk/sealed_group.h"

#include "server/chunk/bits.h"
#include "server/chunk/sealed_form.h"

/* ---- what the series of a group share -------------------------------------- */

static void learned_init(struct learned *l)
{
    /* Where all begin; chosen by measuring, and soon forgotten. */
    *l = (struct learned){.prefix = sizes_of(0),
                          .letter = sizes_of(1),
                          .first = sizes_of(3),
                          .by_shift = sizes_of(0),
                          .changes = {16, sizes_of(1)},
                          .allocs_0 = {12 * 16, sizes_of(2)},
                          .frees_0 = {4 * 16, sizes_of(1)},
                          .size_0 = {4 * 16, sizes_of(1)},
                          .bytes_0 = {0, sizes_of(1)},
                          .allocs = {3 * 16, sizes_of(1)},
                          .frees = {2 * 16, sizes_of(1)},
                          .bytes = {4 * 16, sizes_of(1)},
                          .shift = 4};
}

/* ---- key ------------------------------------------------------------------- */

static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ";
#define LETTER_OTHER 63u

static unsigned letter_of(unsigned char byte)
{
    const char *at = byte == 0 ? NULL : strchr(letters, byte);
    return at == NULL ? LETTER_OTHER : (unsigned)(at - letters);
}

CODER unsigned char code_letter(const struct coder *c, unsigned char byte)
{
    unsigned letter = (unsigned)code_bits(c, c->to == NULL ? 0 : letter_of(byte), 6);
    return letter == LETTER_OTHER ? (unsigned char)code_bits(c, byte, 8)
                                  : (unsigned char)letters[letter];
}

/* Keys rise: some bytes as before, one that is larger, the rest anew. Most share two. */
CODER bool code_key(const struct coder *c, struct learned *l, size_t series, uint32_t *key)
{
    static const unsigned char rank_of[4] = {3, 2, 0, 1}, same_of[4] = {2, 3, 1, 0};
    uint32_t before = l->key;
    unsigned same = 0;
    if (series == 0) {
        *key = (uint32_t)code_bits(c, *key, 32);
        l->key = *key;
        return true;
    }
    while (c->to != NULL && same < 3 && ((*key ^ before) >> (24 - 8 * same) & 0xff) == 0)
        same++;
    same = same_of[code_sized(c, rank_of[same], &l->prefix) & 3];
    unsigned place = 24 - 8 * same;
    unsigned old = before >> place & 0xff;
    uint64_t more = code_sized(c, (*key >> place & 0xff) - old - 1, &l->letter);
    if (more > 0xff - old - 1 || old == 0xff)
        return false;
    uint32_t now =
        (uint32_t)(before & ~(UINT64_MAX >> (32 + 8 * same))) | (uint32_t)(old + 1 + more) << place;
    while (place > 0) {
        place -= 8;
        now |= (uint32_t)code_letter(c, (unsigned char)(*key >> place)) << place;
    }
    *key = l->key = now;
    return true;
}

/* ---- when ------------------------------------------------------------------ */

/* Of so many places, `count` are taken. Told are the distances of those that are fewer, taken or
 * free, or a bit for each place where that takes less. */
struct places {
    size_t room;
    size_t count;
    size_t told;
    bool free; /* the free ones are told */
    bool each;
};

static struct places places_of(size_t count, size_t room)
{
    struct places p = {.room = room, .count = count, .told = count};
    if (count * 2 > room) {
        p.free = true;
        p.told = room - count;
    }
    p.each = p.told * 3 > room;
    return p;
}

/* Bits for the distance to the next, of those that are left from `at` on. */
static unsigned distance_bits(const struct places *p, size_t at, size_t left)
{
    struct sizes sizes = {.sum = p->room - at - left, .count = (uint32_t)left + 1};
    return sizes_bits(&sizes);
}

static void put_places(struct bit_writer *to, const struct places *p, const uint32_t *places)
{
    size_t at = 0, left = p->told, next = 0;
    for (size_t place = 0; place < p->room; place++) {
        bool taken = next < p->count && places[next] == place;
        next += taken;
        if (p->each) {
            put_bits(to, taken, 1);
        } else if (taken != p->free) {
            put_rice(to, place - at, distance_bits(p, at, left--));
            at = place + 1;
        }
    }
}

static bool get_each(struct bit_reader *from, const struct places *p, uint32_t *places)
{
    size_t seen = 0;
    for (size_t at = 0; at < p->room; at += 32) {
        unsigned bits = p->room - at < 32 ? (unsigned)(p->room - at) : 32;
        for (uint64_t word = get_bits(from, bits); word != 0; word &= word - 1)
            places[seen++] = (uint32_t)at + (uint32_t)__builtin_ctzll(word);
    }
    return seen == p->count;
}

static bool get_places(struct bit_reader *from, const struct places *p, uint32_t *places)
{
    size_t at = 0, seen = 0;
    if (p->each)
        return get_each(from, p, places);
    for (size_t left = p->told; left > 0; left--) {
        uint64_t distance = get_rice(from, distance_bits(p, at, left));
        if (distance > p->room - at - left)
            return false;
        size_t place = at + (size_t)distance;
        for (; p->free && at < place; at++)
            places[seen++] = (uint32_t)at;
        if (!p->free)
            places[seen++] = (uint32_t)place;
        at = place + 1;
    }
    for (; p->free && at < p->room; at++)
        places[seen++] = (uint32_t)at;
    return true;
}

/* ---- values ---------------------------------------------------------------- */

/* What a column changes by: its mean where that tells anything, and how far off they are. */
struct drift {
    int64_t mean; /* in 256ths */
    struct sizes off;
    uint32_t seen;
};

/* The more was seen, the slower the mean follows, as shifts. */
static const unsigned char slower[8] = {0, 1, 1, 2, 2, 2, 2, 3};

CODER uint32_t drift_guess(const struct drift *drift)
{
    return (uint32_t)((drift->mean + 128) >> 8);
}

/* The change told is `mean` ? near the mean of those before : near nothing. */
CODER uint32_t code_change(const struct coder *c, uint32_t change, struct drift *drift,
                           struct lengths *first, bool mean)
{
    if (drift->seen == 0) {
        uint32_t z = (uint32_t)code_wide(c, zigzag32(change), first);
        change = unzigzag32(z);
        drift->off = sizes_of(mean ? bit_length(z) / 2 : bit_length(z) - (z > 1));
    } else {
        uint32_t guess = mean ? drift_guess(drift) : 0;
        change = guess + unzigzag32((uint32_t)code_sized(c, zigzag32(change - guess), &drift->off));
    }
    unsigned slow = slower[drift->seen < 7 ? drift->seen : 7];
    drift->mean += ((int64_t)(int32_t)change * 256 - drift->mean) >> slow;
    drift->seen++;
    return change;
}

struct state {
    uint32_t allocs;
    uint32_t frees; /* outstanding, or frees when allocs are unknown */
    uint64_t units; /* bytes >> shift */
    uint64_t size;  /* units of one, when something was outstanding last */
    unsigned shift;
    bool same_frees;  /* in every change */
    bool steady_size; /* bytes are as predicted in every change */
    bool leaning;     /* frees go on as before */
    struct drift by_allocs, by_frees, by_units;
};

static inline void learn_size(struct state *s, unsigned columns)
{
    /* Mostly it is what it was, and dividing takes longer than all the rest. */
    if (HAS_SIZE(columns) && s->units - s->size * s->frees >= s->frees && s->frees > 0)
        s->size = s->units / s->frees;
}

static uint64_t predict(const struct state *s, uint32_t frees)
{
    return s->units + s->size * (uint64_t)(int64_t)(int32_t)(frees - s->frees);
}

CODER uint32_t coded_frees(const struct group_change *at, unsigned columns)
{
    return (columns & COLUMN_ALLOCS) != 0 ? at->allocs - at->frees : at->frees;
}

CODER void tell(struct group_change *at, const struct state *s, unsigned columns)
{
    at->allocs = s->allocs;
    at->frees = (columns & COLUMN_ALLOCS) != 0 ? s->allocs - s->frees : s->frees;
    at->bytes = s->units << s->shift;
}

CODER void code_first(const struct coder *c, struct learned *l, unsigned columns,
                      struct group_change *at, struct state *s)
{
    if ((columns & COLUMN_ALLOCS) != 0)
        s->allocs = (uint32_t)code_wide(c, at->allocs, &l->allocs_0);
    if ((columns & COLUMN_FREES) != 0)
        s->frees = (uint32_t)code_wide(c, coded_frees(at, columns), &l->frees_0);
    if ((columns & COLUMN_BYTES) != 0) {
        uint32_t off = (uint32_t)code_sized(c, zigzag32(s->shift - l->shift), &l->by_shift);
        s->shift = l->shift = (l->shift + unzigzag32(off)) & SHIFT_MOST;
        uint64_t units = at->bytes >> s->shift;
        if (HAS_SIZE(columns) && s->frees > 0)
            s->size = code_wide(c, units / s->frees, &l->size_0);
        s->units = s->size * s->frees;
        s->units += code_wide(c, units - s->units, &l->bytes_0);
        learn_size(s, columns);
    }
    tell(at, s, columns);
}

CODER void code_next(const struct coder *c, struct learned *l, unsigned columns,
                     struct group_change *at, struct state *s)
{
    if ((columns & COLUMN_ALLOCS) != 0)
        s->allocs += code_change(c, at->allocs - s->allocs, &s->by_allocs, &l->allocs, true);
    uint32_t frees = s->frees;
    if ((columns & COLUMN_FREES) != 0 && !s->same_frees)
        frees +=
            code_change(c, coded_frees(at, columns) - frees, &s->by_frees, &l->frees, s->leaning);
    if ((columns & COLUMN_BYTES) != 0) {
        s->units = predict(s, frees);
        if (!s->steady_size) {
            uint64_t off = zigzag64((at->bytes >> s->shift) - s->units);
            if (s->by_units.seen++ == 0) {
                off = code_wide(c, off, &l->bytes);
                s->by_units.off = sizes_of(bit_length(off) - (off > 1));
            } else {
                off = code_sized(c, off, &s->by_units.off);
            }
            s->units += unzigzag64(off);
        }
    }
    s->frees = frees;
    learn_size(s, columns);
    tell(at, s, columns);
}

/* ---- a series -------------------------------------------------------------- */

/* So many changes are worth a bit that says something of all of them. */
#define CHANGES_SAME 3
#define CHANGES_LEAN 8

/* What a writer sees by looking at all of it first. */
static void look(const struct group_series *series, unsigned columns, struct state *s)
{
    uint64_t all = 0, near = 0, lean = 0;
    for (size_t i = 0; i < series->count; i++)
        all |= series->changes[i].gone ? 0 : series->changes[i].bytes;
    while (s->shift < SHIFT_MOST && (all & (uint64_t)1 << s->shift) == 0)
        s->shift++;
    s->same_frees = s->steady_size = true;
    struct state now = {.frees = coded_frees(&series->changes[0], columns),
                        .units = series->changes[0].bytes >> s->shift};
    struct drift drift = {0};
    learn_size(&now, columns);
    for (size_t i = 1; i < series->count; i++) {
        const struct group_change *at = &series->changes[i];
        if (at->gone)
            continue;
        uint32_t frees = coded_frees(at, columns), change = frees - now.frees;
        near += bit_length(zigzag32(change));
        lean += bit_length(zigzag32(change - drift_guess(&drift)));
        drift.mean += ((int64_t)(int32_t)change * 256 - drift.mean) >>
                      slower[drift.seen < 7 ? drift.seen : 7];
        drift.seen++;
        s->same_frees = s->same_frees && change == 0;
        s->steady_size = s->steady_size && predict(&now, frees) == at->bytes >> s->shift;
        now.frees = frees;
        now.units = at->bytes >> s->shift;
        learn_size(&now, columns);
    }
    s->leaning = lean < near;
}

CODER bool code_when(const struct coder *c, struct learned *l, const struct group_shape *shape,
                     struct group_series *series)
{
    uint32_t places[SEALED_SNAPSHOTS_MAX];
    size_t first = 0;
    if (!shape->all_first)
        first = code_sized(c, series->changes[0].at, &l->first);
    if (first >= shape->snapshots)
        return false;
    size_t room = shape->snapshots - 1 - first;
    for (size_t i = 1; c->to != NULL && i < series->count; i++)
        places[i - 1] = series->changes[i].at - 1 - (uint32_t)first;
    size_t count = code_wide(c, series->count - 1, &l->changes);
    if (count > room)
        return false;
    struct places p = places_of(count, room);
    if (c->to != NULL)
        put_places(c->to, &p, places);
    else if (!get_places(c->from, &p, places))
        return false;
    series->count = count + 1;
    series->changes[0].at = (uint32_t)first;
    series->changes[0].gone = false;
    for (size_t i = 1; i <= count; i++) {
        series->changes[i].at = places[i - 1] + 1 + (uint32_t)first;
        series->changes[i].gone = shape->any_gone && code_bits(c, series->changes[i].gone, 1) != 0;
        if (series->changes[i].gone && series->changes[i - 1].gone)
            return false; /* a row vanishes once before it comes back */
    }
    return true;
}

CODER bool code_series(const struct coder *c, struct learned *l, const struct group_shape *shape,
                       size_t place, struct group_series *series)
{
    struct state s = {0};
    size_t values = 0;
    if (c->to != NULL)
        look(series, shape->columns, &s);
    if (!code_key(c, l, place, &series->key) || !code_when(c, l, shape, series))
        return false;
    for (size_t i = 1; i < series->count; i++)
        values += !series->changes[i].gone;
    code_first(c, l, shape->columns, &series->changes[0], &s);
    s.steady_size = values > 0 && code_bits(c, s.steady_size, 1) != 0;
    s.same_frees = values >= CHANGES_SAME && code_bits(c, s.same_frees, 1) != 0;
    s.leaning = values >= CHANGES_LEAN && code_bits(c, s.leaning, 1) != 0;
    for (size_t i = 1; i < series->count; i++) {
        if (!series->changes[i].gone)
            code_next(c, l, shape->columns, &series->changes[i], &s);
    }
    return true;
}

/* ---- a group --------------------------------------------------------------- */

void group_write_begin(struct group_writer *writer, const struct group_shape *shape,
                       struct strbuf *out)
{
    *writer = (struct group_writer){.shape = *shape, .bits = {.out = out}};
    learned_init(&writer->learned);
    put_bits(&writer->bits, shape->all_first, 1);
    put_bits(&writer->bits, shape->any_gone, 1);
}

void group_write(struct group_writer *writer, struct group_series *series)
{
    struct coder c = {.to = &writer->bits};
    code_series(&c, &writer->learned, &writer->shape, writer->count++, series);
}

void group_write_end(struct group_writer *writer)
{
    put_end(&writer->bits);
}

void group_read_begin(struct group_reader *reader, const struct group_shape *shape,
                      const unsigned char *at, const unsigned char *end)
{
    *reader = (struct group_reader){.shape = *shape, .bits = {.at = at, .end = end}};
    learned_init(&reader->learned);
    reader->shape.all_first = get_bits(&reader->bits, 1) != 0;
    reader->shape.any_gone = get_bits(&reader->bits, 1) != 0;
}

uint32_t group_first_key(const unsigned char *at, const unsigned char *end)
{
    struct bit_reader bits = {.at = at, .end = end};
    get_bits(&bits, 2); /* as group_read_begin */
    return (uint32_t)get_bits(&bits, 32);
}

bool group_read(struct group_reader *reader, struct group_series *ret_series)
{
    struct coder c = {.from = &reader->bits};
    return code_series(&c, &reader->learned, &reader->shape, reader->count++, ret_series) &&
           !bits_over(&reader->bits);
}

bool group_read_end(const struct group_reader *reader)
{
    return bits_done(&reader->bits);
}
