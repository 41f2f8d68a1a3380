/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of kept rows over picks. Of a packed course each pick is a byte that says what changed
 * since the pick before, and the changes: a row that stands still takes a byte a pick, a busy one
 * about seven.
 */
#include "server/analyze/grid.h"
#include "server/analyze/kept_inside.h"
#include "server/chunk/varint.h"

#include <stdlib.h>
#include <string.h>

#define CHANGED_BYTES 1u
#define CHANGED_FREES 2u
#define CHANGED_HELD  4u /* allocs - frees */
#define STEP_MAX      (1 + 3 * VARINT_MAX)

void *kept_grow(void *data, size_t *room, size_t wanted, size_t size)
{
    size_t bytes;
    size_t more = *room == 0 ? 16 : *room;
    if (wanted <= *room)
        return data;
    while (more < wanted)
        more += more / 2 + 8;
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
    uint64_t block = had == 0 ? 0 : before->bytes / had;
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

static unsigned char *put_step(unsigned char *at, struct course *course,
                               const struct kept_value *now, int64_t at_us)
{
    const struct kept_value *before = &course->value;
    uint32_t held = counter_delta(counter_delta(now->allocs, now->frees),
                                  counter_delta(before->allocs, before->frees));
    uint32_t frees = counter_delta(now->frees, before->frees) - frees_guess(course, at_us);
    uint64_t bytes = now->bytes - bytes_guess(before, held);
    unsigned char *what = at++;
    *what = 0;
    if (bytes != 0) {
        *what |= CHANGED_BYTES;
        at = put_varint(at, zigzag64(bytes));
    }
    if (frees != 0) {
        *what |= CHANGED_FREES;
        at = put_varint(at, zigzag32(frees));
    }
    if (held != 0) {
        *what |= CHANGED_HELD;
        at = put_varint(at, zigzag32(held));
    }
    step_done(course, now, at_us);
    return at;
}

/* Our own bytes: not checked. */
static const unsigned char *get_step(const unsigned char *at, struct course *course, int64_t at_us)
{
    const unsigned char *end = at + STEP_MAX;
    unsigned what = *at++;
    uint64_t bytes = 0, frees = 0, held = 0;
    struct kept_value now = course->value;
    if ((what & CHANGED_BYTES) != 0)
        at = get_varint(at, end, &bytes);
    if ((what & CHANGED_FREES) != 0)
        at = get_varint(at, end, &frees);
    if ((what & CHANGED_HELD) != 0)
        at = get_varint(at, end, &held);
    uint32_t more = unzigzag32((uint32_t)held);
    uint32_t holds = counter_delta(now.allocs, now.frees) + more;
    now.bytes = bytes_guess(&course->value, more) + unzigzag64(bytes);
    now.frees += frees_guess(course, at_us) + unzigzag32((uint32_t)frees);
    now.allocs = now.frees + holds;
    step_done(course, &now, at_us);
    return at;
}

void kept_unpack(const struct kept *kept, enum pool pool, size_t row, struct kept_value *ret_values)
{
    const struct kept_table *table = &kept->tables[pool];
    const unsigned char *at = table->packed + table->rows[row].at;
    size_t place = row + (pool == POOL_PAGED ? kept->tables[POOL_NONPAGED].row_count : 0);
    struct course course = {.at_us = TIME_UNKNOWN};
    for (size_t p = 0; p < kept->packed_picks; p++) {
        at = get_step(at, &course, kept->picks[p].taken_at_us);
        ret_values[p] = course.value;
    }
    for (size_t p = kept->packed_picks; p < kept->pick_count; p++)
        ret_values[p] = kept->fresh[p - kept->packed_picks][place];
}

/* One row's values at the live picks behind what is packed already. */
static bool pack_row(const struct kept *kept, struct kept_table *table,
                     const struct kept_value *values, const bool *live)
{
    struct course course = {.at_us = TIME_UNKNOWN};
    size_t count = kept->pick_count;
    if (!KEPT_ROOM(table->packed, table->packed_room, table->packed_length + count * STEP_MAX))
        return false;
    unsigned char *at = table->packed + table->packed_length;
    for (size_t p = 0; p < count; p++) {
        if (!live[p])
            continue;
        at = put_step(at, &course, &values[p], kept->picks[p].taken_at_us);
    }
    table->packed_length = (size_t)(at - table->packed);
    return true;
}

static void fit(struct kept_table *table)
{
    unsigned char *exact = realloc(table->packed, table->packed_length + 1);
    if (exact == NULL)
        return; /* too large is no harm */
    table->packed = exact;
    table->packed_room = table->packed_length + 1;
}

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
    fit(ret_table);
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
        free(kept->fresh[f]);
        kept->fresh[f] = NULL;
    }
    kept->pick_count = kept->packed_picks = count;
    return ST_OK;
}

enum status kept_append(struct kept *kept, const struct kept_pick *pick)
{
    size_t rows = kept->tables[0].row_count + kept->tables[1].row_count;
    if (kept->pick_count - kept->packed_picks == KEPT_FRESH &&
        kept_pack(kept, pick->taken_at_us) != ST_OK)
        return ST_NOMEM;
    struct kept_value *values = malloc((rows + 1) * sizeof *values);
    if (values == NULL || !KEPT_ROOM(kept->picks, kept->pick_room, kept->pick_count + 1)) {
        free(values);
        return ST_NOMEM;
    }
    size_t count = 0;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        for (size_t r = 0; r < kept->tables[pool].row_count; r++)
            values[count++] = kept->tables[pool].rows[r].now;
    }
    kept->news = true;
    kept->fresh[kept->pick_count - kept->packed_picks] = values;
    kept->picks[kept->pick_count++] = *pick;
    return ST_OK;
}

static void *shrunk(void *data, size_t *room, size_t count, size_t size)
{
    void *exact = realloc(data, (count + 1) * size);
    if (exact == NULL)
        return data; /* too large is no harm */
    *room = count + 1;
    return exact;
}

void kept_fit(struct kept *kept)
{
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct kept_table *t = &kept->tables[pool];
        t->levels = shrunk(t->levels, &t->level_room, t->level_count, sizeof *t->levels);
        t->rows = shrunk(t->rows, &t->row_room, t->row_count, sizeof *t->rows);
        t->calm = shrunk(t->calm, &t->calm_room, t->calm_count, sizeof *t->calm);
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
