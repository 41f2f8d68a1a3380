/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of kept rows over picks. A packed course has of each pick what nobody could tell from the
 * picks before it, in so many bits as that row mostly needs: a row that stands still takes three
 * bits a pick, a busy one two to three bytes.
 */
#include "common/limits.h"
#include "server/analyze/grid.h"
#include "server/analyze/kept_inside.h"
#include "server/analyze/rice.h"
#include "server/chunk/varint.h"

#include <stdlib.h>
#include <string.h>

void *kept_grow(void *data, size_t *room, size_t wanted, size_t size)
{
    size_t bytes;
    size_t more = *room == 0 ? 16 : *room;
    if (wanted <= *room)
        return data;
    while (more < wanted)
        more += (more < 256 ? more / 2 : more / 8) + 8;
    if (__builtin_mul_overflow(more, size, &bytes))
        return NULL;
    void *grown = realloc(data, bytes);
    if (grown != NULL)
        *room = more;
    return grown;
}

/* Both rise, so one walk over both: of each slot the last pick. */
size_t kept_live(const struct kept *kept, int64_t as_of_us, bool *ret_live)
{
    int64_t ends[GRID_MAX];
    int64_t after;
    size_t slots = grid_slots(as_of_us, ends, &after);
    size_t count = 0;
    for (size_t p = 0, slot = 0; p < kept->pick_count; p++) {
        int64_t at = kept->picks[p].taken_at_us;
        ret_live[p] = false;
        while (slot < slots && ends[slot] < at)
            slot++;
        if (at <= after || slot == slots)
            continue;
        bool last = p + 1 == kept->pick_count || kept->picks[p + 1].taken_at_us > ends[slot];
        ret_live[p] = last;
        count += last;
    }
    return count;
}

/* Blocks of a row mostly have one size, so that bytes follow from what is held. */
static uint64_t bytes_guess(const struct kept_value *before, uint32_t held)
{
    uint32_t had = counter_delta(before->allocs, before->frees);
    uint64_t block = had == 0 || held == 0 ? 0 : before->bytes / had;
    return before->bytes + block * (uint64_t)(int64_t)(int32_t)held;
}

/* A course on its way, the same for both sides. */
struct course {
    struct kept_value value;
    int64_t at_us;
    int64_t step_us; /* of the step before; 0: there was none */
    uint32_t frees;  /* that it brought */
};

/* What is freed mostly goes on as it did. */
static uint32_t frees_guess(const struct course *course, int64_t at_us)
{
    if (course->frees == 0)
        return 0;
    uint64_t before = (uint64_t)course->step_us / US_PER_SECOND;
    uint64_t now = before == 0 ? 0 : (uint64_t)(at_us - course->at_us) / US_PER_SECOND;
    return before == 0 ? 0 : (uint32_t)((uint64_t)course->frees * now / before);
}

static void step_done(struct course *course, const struct kept_value *now, int64_t at_us)
{
    course->step_us = course->at_us == TIME_UNKNOWN ? 0 : at_us - course->at_us;
    course->frees = counter_delta(now->frees, course->value.frees);
    course->value = *now;
    course->at_us = at_us;
}

/* What a pick brings beyond what was to be expected. */
struct step {
    uint64_t bytes; /* all three may be negative */
    uint32_t frees;
    uint32_t held; /* allocs - frees */
};

static struct step step_to(struct course *course, const struct kept_value *now, int64_t at_us)
{
    const struct kept_value *before = &course->value;
    uint32_t held = counter_delta(counter_delta(now->allocs, now->frees),
                                  counter_delta(before->allocs, before->frees));
    uint32_t frees = counter_delta(now->frees, before->frees) - frees_guess(course, at_us);
    uint64_t bytes = now->bytes - bytes_guess(before, held);
    step_done(course, now, at_us);
    return (struct step){bytes, frees, held};
}

static void step_on(struct course *course, const struct step *step, int64_t at_us)
{
    struct kept_value now = course->value;
    uint32_t holds = counter_delta(now.allocs, now.frees) + step->held;
    now.bytes = bytes_guess(&course->value, step->held) + step->bytes;
    now.frees += frees_guess(course, at_us) + step->frees;
    now.allocs = now.frees + holds;
    step_done(course, &now, at_us);
}

/* How the steps of a row are written: two bytes ahead of them. */
struct form {
    unsigned bytes; /* low bits of each, see rice.h */
    unsigned frees;
    unsigned held;
    unsigned unit; /* bytes are told in 2^unit, where all are multiples of it, as blocks are */
};
#define UNIT       4
#define FORM_BYTES 2
#define STEP_BYTES (3 * RICE_MOST / 8 + 1)
_Static_assert(KEPT_PACKED_SPARE >= STEP_BYTES + RICE_AHEAD, "a step past the end is still ours");

static uint64_t in_units(uint64_t bytes, unsigned unit)
{
    return zigzag64((uint64_t)((int64_t)bytes >> unit));
}

static struct form form_of(const struct step *steps, size_t count)
{
    size_t bytes = 0, frees = 0, held = 0;
    uint64_t any = 0;
    for (size_t i = 0; i < count; i++)
        any |= steps[i].bytes;
    unsigned unit = (any & rice_mask(UNIT)) == 0 ? UNIT : 0;
    for (size_t i = 0; i < count; i++) {
        bytes += rice_length(in_units(steps[i].bytes, unit));
        frees += rice_length(zigzag32(steps[i].frees));
        held += rice_length(zigzag32(steps[i].held));
    }
    return (struct form){rice_low(bytes, count), rice_low(frees, count), rice_low(held, count),
                         unit};
}

static unsigned char *put_steps(unsigned char *at, const struct step *steps, size_t count)
{
    struct form form = form_of(steps, count);
    struct rice_writer to = {.at = at};
    rice_bits(&to, form.bytes | form.frees << 5 | form.held << 10 | (form.unit > 0 ? 1u << 15 : 0),
              8 * FORM_BYTES);
    for (size_t i = 0; i < count; i++) {
        rice_put(&to, in_units(steps[i].bytes, form.unit), form.bytes);
        rice_put(&to, zigzag32(steps[i].frees), form.frees);
        rice_put(&to, zigzag32(steps[i].held), form.held);
    }
    return rice_end(&to);
}

/* A packed course on its way. */
struct packed {
    const unsigned char *at;
    size_t bit; /* of the next step */
    unsigned word;
};

static struct packed packed_at(const unsigned char *at)
{
    return (struct packed){at, 8 * FORM_BYTES, (unsigned)rice_word(at, 0)};
}

static void get_step(struct packed *from, struct course *course, int64_t at_us)
{
    unsigned word = from->word;
    unsigned unit = (word >> 15 & 1) != 0 ? UNIT : 0;
    struct step step;
    step.bytes = unzigzag64(rice_get(from->at, &from->bit, word & 31)) << unit;
    step.frees = unzigzag32((uint32_t)rice_get(from->at, &from->bit, word >> 5 & 31));
    step.held = unzigzag32((uint32_t)rice_get(from->at, &from->bit, word >> 10 & 31));
    step_on(course, &step, at_us);
}

static void get_course(const struct kept *kept, const unsigned char *at,
                       struct kept_value *ret_values)
{
    struct course course = {.at_us = TIME_UNKNOWN};
    struct packed from = packed_at(at);
    for (size_t p = 0; p < kept->packed_picks; p++) {
        get_step(&from, &course, kept->picks[p].taken_at_us);
        ret_values[p] = course.value;
    }
}

const unsigned char *kept_course_check(const struct kept *kept, const unsigned char *at,
                                       const unsigned char *end, struct kept_value *ret_last)
{
    struct course course = {.at_us = TIME_UNKNOWN};
    size_t bits = 8 * (size_t)(end - at);
    if (bits < 8 * FORM_BYTES)
        return NULL;
    struct packed from = packed_at(at);
    for (size_t p = 0; p < kept->packed_picks; p++) {
        get_step(&from, &course, kept->picks[p].taken_at_us);
        if (from.bit > bits || course.value.bytes > LIMIT_NUMBER_MAX)
            return NULL;
    }
    *ret_last = course.value;
    return at + (from.bit + 7) / 8;
}

/* Before a pick brought the changes. */
static void undo(const struct kept_changes *changes, uint32_t place, struct kept_value *value)
{
    size_t low = 0;
    size_t high = changes->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (changes->items[middle].place < place)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < changes->count && changes->items[low].place == place)
        *value = changes->items[low].before;
}

void kept_unpack(const struct kept *kept, enum pool pool, size_t row, struct kept_value *ret_values)
{
    const struct kept_table *table = &kept->tables[pool];
    struct kept_value value = table->rows[row].now;
    uint32_t place = kept_place(kept, pool, row);
    undo(&kept->coming, place, &value);
    for (size_t p = kept->pick_count; p > kept->packed_picks; p--) {
        ret_values[p - 1] = value;
        undo(&kept->fresh[p - 1 - kept->packed_picks], place, &value);
    }
    get_course(kept, table->packed + table->rows[row].at, ret_values);
}

/* One row's values at the live picks behind what is packed already. */
static bool pack_row(const struct kept *kept, struct kept_table *table,
                     const struct kept_value *values, const bool *live)
{
    struct course course = {.at_us = TIME_UNKNOWN};
    struct step steps[GRID_MAX];
    size_t count = 0;
    for (size_t p = 0; p < kept->pick_count && count < GRID_MAX; p++) {
        if (live[p])
            steps[count++] = step_to(&course, &values[p], kept->picks[p].taken_at_us);
    }
    if (!KEPT_ROOM(table->packed, table->packed_room,
                   table->packed_length + FORM_BYTES + count * STEP_BYTES + RICE_AHEAD))
        return false;
    unsigned char *end = put_steps(table->packed + table->packed_length, steps, count);
    table->packed_length = (size_t)(end - table->packed);
    return true;
}

static void *shrunk(void *data, size_t *room, size_t count, size_t size)
{
    void *exact = realloc(data, (count + 1) * size);
    if (exact == NULL)
        return data; /* too large is no harm */
    *room = count + 1;
    return exact;
}
#define SHRINK(array, room, count) ((array) = shrunk((array), &(room), (count), sizeof *(array)))

static bool repack_table(const struct kept *kept, enum pool pool, const bool *live,
                         struct kept_value *values, struct kept_table *ret_table, uint32_t *ret_at)
{
    const struct kept_table *table = &kept->tables[pool];
    *ret_table = (struct kept_table){0};
    for (size_t r = 0; r < table->row_count; r++) {
        kept_unpack(kept, pool, r, values);
        ret_at[r] = (uint32_t)ret_table->packed_length;
        if (!pack_row(kept, ret_table, values, live))
            return false;
    }
    SHRINK(ret_table->packed, ret_table->packed_room, ret_table->packed_length + RICE_AHEAD);
    return true;
}

enum status kept_pack(struct kept *kept, int64_t as_of_us)
{
    size_t rows[POOL_COUNT] = {kept->tables[0].row_count, kept->tables[1].row_count};
    struct kept_table packed[POOL_COUNT] = {{0}};
    AUTO_FREE bool *live = calloc(kept->pick_count + 1, sizeof *live);
    AUTO_FREE uint32_t *at = calloc(rows[0] + rows[1] + 1, sizeof *at);
    AUTO_FREE struct kept_value *values = calloc(kept->pick_count + 1, sizeof *values);
    if (live == NULL || at == NULL || values == NULL)
        return ST_NOMEM;
    kept_live(kept, as_of_us, live);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (repack_table(kept, (enum pool)pool, live, values, &packed[pool],
                         pool == 0 ? at : at + rows[0]))
            continue;
        free(packed[0].packed);
        free(packed[1].packed);
        return ST_NOMEM;
    }
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct kept_table *table = &kept->tables[pool];
        free(table->packed);
        table->packed = packed[pool].packed;
        table->packed_length = packed[pool].packed_length;
        table->packed_room = packed[pool].packed_room;
        for (size_t r = 0; r < rows[pool]; r++)
            table->rows[r].at = (pool == 0 ? at : at + rows[0])[r];
    }
    size_t count = 0;
    for (size_t p = 0; p < kept->pick_count; p++) {
        if (live[p])
            kept->picks[count++] = kept->picks[p];
    }
    for (size_t f = 0; f < KEPT_FRESH; f++) {
        free(kept->fresh[f].items);
        kept->fresh[f] = (struct kept_changes){0};
    }
    kept->pick_count = kept->packed_picks = count;
    kept->fresh_most = KEPT_FRESH;
    SHRINK(kept->picks, kept->pick_room, count + KEPT_FRESH);
    return ST_OK;
}

enum status kept_append(struct kept *kept, const struct kept_pick *pick)
{
    struct kept_changes *coming = &kept->coming;
    if (kept->pick_count - kept->packed_picks >= kept->fresh_most &&
        kept_pack(kept, pick->taken_at_us) != ST_OK)
        return ST_NOMEM;
    if (!KEPT_ROOM(kept->picks, kept->pick_room, kept->pick_count + 1))
        return ST_NOMEM;
    size_t room = coming->count;
    SHRINK(coming->items, room, coming->count);
    kept->news = true;
    kept->fresh[kept->pick_count - kept->packed_picks] = *coming;
    kept->picks[kept->pick_count++] = *pick;
    *coming = (struct kept_changes){0};
    return ST_OK;
}

void kept_fit(struct kept *kept)
{
    SHRINK(kept->picks, kept->pick_room, kept->pick_count + KEPT_FRESH);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct kept_table *t = &kept->tables[pool];
        SHRINK(t->levels, t->level_room, t->level_count);
        SHRINK(t->rows, t->row_room, t->row_count);
        SHRINK(t->calm, t->calm_room, t->calm_count);
        SHRINK(t->packed, t->packed_room, t->packed_length + RICE_AHEAD);
    }
}

/* ---- from cold -------------------------------------------------------------- */

struct fleet_row *kept_levels(struct kept *kept, enum pool pool, size_t count)
{
    struct kept_table *table = &kept->tables[pool];
    if (!KEPT_ROOM(table->levels, table->level_room, count + 1))
        return NULL;
    table->level_count = count;
    return table->levels;
}

enum status kept_watch(struct kept *kept, enum pool pool, const struct candidate *candidate)
{
    struct kept_table *table = &kept->tables[pool];
    if (!KEPT_ROOM(table->calm, table->calm_room, table->calm_count + 1))
        return ST_NOMEM;
    table->calm[table->calm_count++] = (struct kept_calm){
        candidate->tag, (float)(double)candidate->lowest, (float)(double)candidate->highest};
    return ST_OK;
}

/* Picks that do not know the pool repeat the one before: nobody reads them. */
enum status kept_course(struct kept *kept, const struct rows *rows,
                        const struct candidate *candidate, size_t course)
{
    struct kept_table *table = &kept->tables[rows->pool];
    struct kept_value values[GRID_MAX] = {{0}};
    bool live[GRID_MAX];
    size_t points = rows->series.count;
    size_t n = 0;
    float lowest = 0, highest = 0;
    if (kept->pick_count > GRID_MAX ||
        !KEPT_ROOM(table->rows, table->row_room, table->row_count + 1))
        return ST_NOMEM;
    for (size_t p = 0; p < kept->pick_count; p++) {
        live[p] = true;
        if ((kept->picks[p].has & KEPT_HAS_POOL(rows->pool)) != 0 && n < points) {
            size_t from = course * points + n++;
            values[p] = (struct kept_value){(uint64_t)rows->bytes[from], rows->allocs[from],
                                            rows->frees[from]};
            float bytes = (float)rows->bytes[from];
            bool first = n - 1 <= rows->series.boot_first;
            lowest = first || bytes < lowest ? bytes : lowest;
            highest = first || bytes > highest ? bytes : highest;
        } else if (p > 0) {
            values[p] = values[p - 1];
        }
    }
    struct kept_row *row = &table->rows[table->row_count];
    *row = (struct kept_row){.tag = candidate->tag,
                             .at = (uint32_t)table->packed_length,
                             .now = values[kept->pick_count - 1],
                             .judged_us = rows->reader->host.last_us,
                             .feature = UINT32_MAX,
                             .lowest = (float)(double)candidate->lowest,
                             .highest = (float)(double)candidate->highest,
                             .boot_lowest = lowest,
                             .boot_highest = highest,
                             .present = true};
    if (!pack_row(kept, table, values, live))
        return ST_NOMEM;
    table->row_count++;
    return ST_OK;
}

void kept_judged(struct kept *kept, enum pool pool, size_t feature)
{
    struct kept_table *table = &kept->tables[pool];
    table->rows[table->row_count - 1].feature = (uint32_t)feature;
}
