/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One walk over the fields writes them, and reads them back in the same order: what one side knows
 * the other does too. Whatever is read is bounded before it is used, and a number out of its bounds
 * spoils all that follows, so the walk itself need not look.
 */
#include "server/analyze/kept_store.h"

#include "common/limits.h"
#include "server/analyze/grid.h"
#include "server/analyze/kept_inside.h"
#include "server/chunk/varint.h"

#include <endian.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* Another order or meaning of fields; also another choice of rows that no constant below tells. */
#define FORMAT     "pfk\1"
#define HEAD_BYTES 12u
#define CRC_BYTES  4u
/* Level 3 is 2 % smaller for twice the time: docs/detection.md, "What a pass costs". */
#define ZSTD_LEVEL 1

/* What shapes a kept host beside the format: rows that were left out cannot be found again. */
static uint32_t shape(void)
{
    const double chosen[] = {KEPT_SHARE,    ROW_FLOOR_BYTES, ROW_FLOOR_SHARE, LARGE_ROW_SHARE,
                             SETTLED_HOURS, LARGE_ROW_BYTES, ROWS_MOST,       SAME_BOOT_US,
                             KEPT_EVENTS,   KEPT_SESSIONS,   KEPT_MORE,       POOL_COUNT,
                             TOTAL_COUNT,   KEPT_TOTALS};
    int64_t ends[GRID_MAX], after;
    size_t slots = grid_slots(20000 * US_PER_DAY + US_PER_HOUR / 7, ends, &after);
    uLong crc = crc32_z(0, (const unsigned char *)chosen, sizeof chosen);
    return (uint32_t)crc32_z(crc, (const unsigned char *)ends, slots * sizeof *ends);
}

/* ---- a walk ------------------------------------------------------------------ */

struct tape {
    struct fleet *fleet;      /* whose texts facts are */
    struct strbuf *out;       /* NULL: reads */
    const unsigned char *at;  /* of what is read */
    const unsigned char *end; /* becomes `at` once something is wrong */
    bool no_memory;
};

static bool reads(const struct tape *tape)
{
    return tape->out == NULL;
}

static void spoil(struct tape *tape)
{
    tape->at = NULL;
    tape->end = NULL;
}

static bool spoilt(const struct tape *tape)
{
    return tape->no_memory || (reads(tape) && tape->at == NULL);
}

static uint64_t number(struct tape *tape, uint64_t value, uint64_t most)
{
    if (!reads(tape)) {
        unsigned char bytes[VARINT_MAX];
        strbuf_add(tape->out, bytes, (size_t)(put_varint(bytes, value) - bytes));
        return value;
    }
    value = 0;
    if (tape->at == NULL)
        return 0;
    tape->at = get_varint(tape->at, tape->end, &value);
    if (tape->at != NULL && value <= most)
        return value;
    spoil(tape);
    return 0;
}

/* How far it is from a number before. */
static uint64_t step(struct tape *tape, uint64_t value, uint64_t before)
{
    return before + unzigzag64(number(tape, zigzag64(value - before), UINT64_MAX));
}

/* Of documents, or -1. */
static int64_t figure(struct tape *tape, int64_t value)
{
    return (int64_t)number(tape, (uint64_t)(value + 1), LIMIT_NUMBER_MAX + 1) - 1;
}

/* Some ten thousand years to both sides, so that differences fit; one more is TIME_UNKNOWN. */
#define TIME_MOST (INT64_C(1) << 60)

static uint64_t told_time(int64_t us)
{
    return us == TIME_UNKNOWN ? (uint64_t)TIME_MOST + 1 : (uint64_t)us;
}

static int64_t moment(struct tape *tape, int64_t us, int64_t before)
{
    int64_t told = (int64_t)step(tape, told_time(us), told_time(before));
    if (!reads(tape))
        return us;
    if (told >= -TIME_MOST && told <= TIME_MOST)
        return told;
    if (told != TIME_MOST + 1)
        spoil(tape);
    return TIME_UNKNOWN;
}

static void raw(struct tape *tape, void *data, size_t length)
{
    if (!reads(tape)) {
        strbuf_add(tape->out, data, length);
        return;
    }
    if ((size_t)(tape->end - tape->at) < length) {
        spoil(tape);
        memset(data, 0, length);
        return;
    }
    memcpy(data, tape->at, length);
    tape->at += length;
}

static double real(struct tape *tape, double value)
{
    raw(tape, &value, sizeof value);
    if (isfinite(value))
        return value;
    spoil(tape);
    return 0;
}

/* Bytes of a row: mostly so many blocks of 16. */
static float level(struct tape *tape, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t blocks = value >= 0 && value < 0x1p40F ? (uint64_t)value / 16 : 0;
    bool whole = !reads(tape) && !signbit(value) && (float)(blocks * 16) == value;
    uint64_t told = number(tape, whole ? blocks << 1 : (uint64_t)bits << 1 | 1, UINT64_C(1) << 37);
    if ((told & 1) == 0)
        return (float)((told >> 1) * 16);
    bits = (uint32_t)(told >> 1);
    memcpy(&value, &bits, sizeof value);
    if (value >= 0 && value < INFINITY)
        return value;
    spoil(tape);
    return 0;
}

/* Rising: each comes after `before`, but for the first. */
static uint32_t tag(struct tape *tape, uint32_t value, uint32_t before, bool first)
{
    uint64_t least = first ? 0 : (uint64_t)before + 1;
    uint64_t told = least + number(tape, value - least, UINT32_MAX);
    if (told <= UINT32_MAX)
        return (uint32_t)told;
    spoil(tape);
    return 0;
}

/* Each element takes a byte at least, so what is left bounds what is allocated. */
static size_t count(struct tape *tape, size_t value, size_t most)
{
    size_t told = (size_t)number(tape, value, most);
    if (!reads(tape) || (tape->at != NULL && told <= (size_t)(tape->end - tape->at)))
        return told;
    spoil(tape);
    return 0;
}

static void *array(struct tape *tape, size_t elements, size_t size)
{
    void *made = calloc(elements + 1, size);
    tape->no_memory = tape->no_memory || made == NULL;
    return made;
}

/* How many there are and, when they are read, memory for them and no more; 0 after any fault. */
#define ARRAY(tape, items, room, items_count, most)                                                \
    do {                                                                                           \
        (items_count) = count((tape), (items_count), (most));                                      \
        if (reads(tape)) {                                                                         \
            (items) = array((tape), (items_count), sizeof *(items));                               \
            (items_count) = (items) == NULL ? 0 : (items_count);                                   \
            (room) = (items) == NULL ? 0 : (items_count) + 1;                                      \
        }                                                                                          \
    } while (0)

static const char *text(struct tape *tape, struct arena *arena, const char *value)
{
    size_t length = count(tape, value == NULL ? 0 : strlen(value), SIZE_MAX);
    if (!reads(tape)) {
        strbuf_add(tape->out, value, length);
        return value;
    }
    if (tape->at != NULL && memchr(tape->at, '\0', length) != NULL)
        spoil(tape);
    if (tape->at == NULL)
        return "";
    const char *copy = arena_strndup(arena, (const char *)tape->at, length);
    tape->no_memory = tape->no_memory || copy == NULL;
    tape->at += length;
    return copy;
}

/* ---- tables and picks -------------------------------------------------------- */

static void walk_totals(struct tape *tape, struct snapshot_totals *totals)
{
    totals->known = (uint32_t)number(tape, totals->known, (1u << TOTAL_COUNT) - 1);
    for (int t = 0; t < TOTAL_COUNT; t++)
        totals->value[t] = number(tape, totals->value[t], UINT64_MAX);
}

static void walk_pick(struct tape *tape, struct kept_pick *pick, const struct kept_pick *before)
{
    pick->taken_at_us = moment(tape, pick->taken_at_us, before->taken_at_us);
    pick->boot_at_us = moment(tape, pick->boot_at_us, before->boot_at_us);
    pick->known = (uint8_t)number(tape, pick->known, (1u << KEPT_TOTALS) - 1);
    pick->has =
        (uint8_t)number(tape, pick->has, KEPT_HAS_POOL(POOL_COUNT) * KEPT_HAS_COUNTS(0) - 1);
    pick->boot = (uint16_t)number(tape, pick->boot, UINT16_MAX);
    for (size_t t = 0; t < KEPT_TOTALS; t++)
        pick->totals[t] = step(tape, pick->totals[t], before->totals[t]);
    bool rises = pick->taken_at_us > before->taken_at_us && pick->boot >= before->boot;
    if (reads(tape) && !rises)
        spoil(tape);
}

static void walk_picks(struct tape *tape, struct kept *kept)
{
    struct kept_pick before = {0};
    ARRAY(tape, kept->picks, kept->pick_room, kept->pick_count, GRID_MAX);
    for (size_t p = 0; p < kept->pick_count; p++) {
        walk_pick(tape, &kept->picks[p], &before);
        before = kept->picks[p];
    }
    kept->packed_picks = kept->pick_count;
    if (reads(tape) && kept->pick_count == 0)
        spoil(tape);
}

static void walk_levels(struct tape *tape, struct kept_table *table)
{
    uint32_t before = 0;
    ARRAY(tape, table->levels, table->level_room, table->level_count, SIZE_MAX);
    for (size_t i = 0; i < table->level_count; i++)
        before = table->levels[i].tag = tag(tape, table->levels[i].tag, before, i == 0);
    for (size_t i = 0; i < table->level_count; i++)
        table->levels[i].bytes = level(tape, table->levels[i].bytes);
}

static void walk_calm(struct tape *tape, struct kept_table *table)
{
    uint32_t before = 0;
    ARRAY(tape, table->calm, table->calm_room, table->calm_count, SIZE_MAX);
    for (size_t i = 0; i < table->calm_count; i++) {
        struct kept_calm *calm = &table->calm[i];
        before = calm->tag = tag(tape, calm->tag, before, i == 0);
        calm->lowest = level(tape, calm->lowest);
        calm->highest = level(tape, calm->highest);
    }
}

/* Where each course begins and what the row has now follows from the courses. */
static void place_courses(struct tape *tape, const struct kept *kept, struct kept_table *table)
{
    const unsigned char *at = table->packed;
    const unsigned char *end = at + table->packed_length;
    for (size_t r = 0; r < table->row_count && at != NULL; r++) {
        struct kept_row *row = &table->rows[r];
        row->at = (uint32_t)(at - table->packed);
        row->feature = UINT32_MAX;
        at = kept_course_check(kept, at, end, &row->now);
    }
    if (at != end)
        spoil(tape);
}

static void walk_rows(struct tape *tape, const struct kept *kept, struct kept_table *table)
{
    uint32_t before = 0;
    ARRAY(tape, table->rows, table->row_room, table->row_count, LIMIT_TABLE_ROWS);
    for (size_t r = 0; r < table->row_count; r++) {
        struct kept_row *row = &table->rows[r];
        before = row->tag = tag(tape, row->tag, before, r == 0);
        row->present = number(tape, row->present, 1) != 0;
    }
    table->packed_length = count(tape, table->packed_length, UINT32_MAX);
    if (reads(tape)) {
        table->packed = array(tape, table->packed_length + KEPT_PACKED_SPARE, 1);
        table->packed_room = table->packed_length + KEPT_PACKED_SPARE;
    }
    if (table->packed_length > 0 && !spoilt(tape))
        raw(tape, table->packed, table->packed_length);
    if (reads(tape) && !spoilt(tape))
        place_courses(tape, kept, table);
}

/* ---- what else it knows ------------------------------------------------------ */

/* For as many as there may come; NULL stands for none told yet. */
static bool lists_alloc(struct tape *tape, struct kept_lists *lists)
{
    struct arena *arena = &lists->arena;
    size_t objects = spoilt(tape) ? 0 : lists->object_room;
    size_t processes = spoilt(tape) ? 0 : lists->process_room;
    if (objects > 0)
        lists->objects = arena_alloc(arena, objects, sizeof *lists->objects);
    if (processes > 0)
        lists->processes = arena_alloc(arena, processes, sizeof *lists->processes);
    tape->no_memory = tape->no_memory || (objects > 0 && lists->objects == NULL) ||
                      (processes > 0 && lists->processes == NULL);
    return !spoilt(tape);
}

static void walk_lists(struct tape *tape, struct kept_lists *lists)
{
    struct arena *arena = &lists->arena;
    lists->object_count = count(tape, lists->object_count, LIMIT_OBJECT_TYPES + KEPT_MORE);
    lists->process_count = count(tape, lists->process_count, LIMIT_PROCESSES + 2 * KEPT_MORE);
    lists->object_room = (size_t)number(tape, lists->object_room, LIMIT_OBJECT_TYPES + KEPT_MORE);
    lists->process_room =
        (size_t)number(tape, lists->process_room, LIMIT_PROCESSES + 2 * KEPT_MORE);
    if (lists->object_count > lists->object_room || lists->process_count > lists->process_room)
        spoil(tape);
    if (reads(tape) && !lists_alloc(tape, lists))
        return;
    for (size_t i = 0; i < lists->object_count; i++) {
        struct snapshot_object *object = &lists->objects[i];
        object->type = text(tape, arena, object->type);
        object->objects = figure(tape, object->objects);
        object->handles = figure(tape, object->handles);
    }
    for (size_t i = 0; i < lists->process_count; i++) {
        struct snapshot_process *process = &lists->processes[i];
        process->pid = figure(tape, process->pid);
        process->image = text(tape, arena, process->image);
        process->handles = figure(tape, process->handles);
    }
}

static void walk_sessions(struct tape *tape, struct kept *kept)
{
    int64_t before = 0;
    ARRAY(tape, kept->sessions, kept->session_room, kept->session_count, KEPT_SESSIONS);
    for (size_t i = 0; i < kept->session_count; i++) {
        struct kept_session *to = &kept->sessions[i];
        before = to->at_us = moment(tape, to->at_us, before);
        to->session.id = figure(tape, to->session.id);
        to->session.paged_bytes = figure(tape, to->session.paged_bytes);
        to->session.failures = figure(tape, to->session.failures);
    }
}

static void walk_events(struct tape *tape, struct kept *kept)
{
    int64_t before = 0;
    kept->event_count = count(tape, kept->event_count, KEPT_EVENTS);
    if (reads(tape) && kept->event_count > 0) { /* always for as many as there may be */
        kept->events = array(tape, KEPT_EVENTS, sizeof *kept->events);
        kept->event_doc_us = array(tape, KEPT_EVENTS, sizeof *kept->event_doc_us);
        kept->event_count = tape->no_memory ? 0 : kept->event_count;
    }
    for (size_t i = 0; i < kept->event_count; i++) {
        struct snapshot_event *event = &kept->events[i];
        before = kept->event_doc_us[i] = moment(tape, kept->event_doc_us[i], before);
        event->at_us = moment(tape, event->at_us, before);
        event->id = figure(tape, event->id);
        event->provider = "srv";
    }
}

/* A text of the fleet's. */
static uint32_t fleet_text(struct tape *tape, uint32_t place)
{
    AUTO_ARENA struct arena arena = {0};
    const char *value = text(tape, &arena, reads(tape) ? NULL : tape->fleet->texts[place]);
    if (reads(tape) && !spoilt(tape) && fleet_intern(tape->fleet, value, &place) != ST_OK)
        tape->no_memory = true;
    return place;
}

/* Id, name and facts, which the host keeps in one piece of their own. */
static void walk_told(struct tape *tape, struct kept *kept)
{
    AUTO_ARENA struct arena arena = {0};
    struct fleet_host *host = &kept->host;
    AUTO_FREE struct fleet_fact *facts = NULL;
    AUTO_FREE struct fleet_change *changes = NULL;
    size_t room;
    host->id = text(tape, &arena, host->id);
    bool named = number(tape, host->name != NULL, 1) != 0;
    host->name = named ? text(tape, &arena, host->name) : NULL;
    ARRAY(tape, facts, room, host->fact_count, SIZE_MAX);
    ARRAY(tape, changes, room, host->change_count, SIZE_MAX);
    (void)room;
    if (reads(tape)) {
        host->facts = facts;
        host->changes = changes;
    }
    for (size_t i = 0; i < host->fact_count && !spoilt(tape); i++) {
        struct fleet_fact *fact = &host->facts[i];
        fact->name = fleet_text(tape, fact->name);
        fact->value = fleet_text(tape, fact->value);
        fact->from_us = moment(tape, fact->from_us, 0);
    }
    for (size_t i = 0; i < host->change_count && !spoilt(tape); i++) {
        struct fleet_change *change = &host->changes[i];
        change->name = fleet_text(tape, change->name);
        change->old_value = fleet_text(tape, change->old_value);
        change->until_us = moment(tape, change->until_us, 0);
    }
    if (!reads(tape))
        return;
    if (!spoilt(tape)) {
        kept_sort_facts(host);
        tape->no_memory = kept_told(kept, host) != ST_OK;
    }
    if (spoilt(tape))
        *host = (struct fleet_host){0};
}

static void walk(struct tape *tape, struct kept *kept)
{
    kept->sequence = figure(tape, kept->sequence);
    kept->received_us = moment(tape, kept->received_us, 0);
    kept->details_us = moment(tape, kept->details_us, kept->received_us);
    kept->facts_until_us = moment(tape, kept->facts_until_us, kept->received_us);
    kept->ram = real(tape, kept->ram);
    walk_totals(tape, &kept->totals);
    walk_totals(tape, &kept->merged);
    walk_picks(tape, kept);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        kept->host.growth[pool] = real(tape, kept->host.growth[pool]);
        walk_levels(tape, &kept->tables[pool]);
        walk_calm(tape, &kept->tables[pool]);
        walk_rows(tape, kept, &kept->tables[pool]);
    }
    walk_lists(tape, &kept->first);
    walk_lists(tape, &kept->newest);
    walk_sessions(tape, kept);
    walk_events(tape, kept);
    walk_told(tape, kept);
}

/* ---- both ways --------------------------------------------------------------- */

bool kept_storable(const struct kept *kept)
{
    return !kept->lost && kept->fault == NULL && kept->pick_count > 0 && kept->host.id != NULL;
}

const char *kept_id(const struct kept *kept)
{
    return kept->host.id;
}

static void put_u32(struct strbuf *out, uint32_t value)
{
    value = htole32(value);
    strbuf_add(out, &value, sizeof value);
}

static uint32_t u32_at(const unsigned char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

static void seal(const struct strbuf *plain, struct strbuf *out)
{
    size_t start = out->length;
    size_t bound = ZSTD_compressBound(plain->length);
    strbuf_add(out, FORMAT, 4);
    put_u32(out, shape());
    put_u32(out, (uint32_t)plain->length);
    if (!strbuf_reserve(out, bound + CRC_BYTES))
        return;
    size_t packed =
        ZSTD_compress(out->data + out->length, bound, plain->data, plain->length, ZSTD_LEVEL);
    out->failed = out->failed || ZSTD_isError(packed);
    if (out->failed)
        return;
    out->length += packed;
    put_u32(out,
            (uint32_t)crc32_z(0, (const unsigned char *)out->data + start, out->length - start));
}

enum status fleet_store(struct fleet *fleet, struct kept *kept, struct strbuf *out)
{
    AUTO_STRBUF struct strbuf plain = STRBUF_INIT;
    struct tape tape = {.fleet = fleet, .out = &plain};
    size_t start = out->length;
    if (kept_pack(kept, kept_taken_us(kept)) != ST_OK)
        return ST_NOMEM;
    walk(&tape, kept);
    if (strbuf_failed(&plain))
        return ST_NOMEM;
    if (plain.length > KEPT_STORED_MAX)
        return ST_TOO_LARGE;
    seal(&plain, out);
    if (!strbuf_failed(out))
        return ST_OK;
    out->length = start;
    return ST_NOMEM;
}

/* The header is judged at the next pass, before anybody looks at it. */
enum status kept_read(struct fleet *fleet, struct kept *kept, const void *plain, size_t length)
{
    struct tape tape = {.fleet = fleet, .at = plain, .end = (const unsigned char *)plain + length};
    kept_clear(kept);
    kept->newest.arena.block_bytes = KEPT_BLOCK_BYTES;
    walk(&tape, kept);
    if (spoilt(&tape) || tape.at != tape.end) {
        kept_clear(kept);
        return tape.no_memory ? ST_NOMEM : ST_MALFORMED;
    }
    kept->judged_us = TIME_UNKNOWN;
    kept->news = true;
    kept->lost = false;
    return ST_OK;
}

enum status fleet_restore(struct fleet *fleet, struct kept *kept, const void *data, size_t length)
{
    const unsigned char *at = data;
    kept_clear(kept);
    if (length < HEAD_BYTES + CRC_BYTES || memcmp(at, FORMAT, 4) != 0 || u32_at(at + 4) != shape())
        return ST_MALFORMED;
    size_t body = length - CRC_BYTES;
    size_t room = u32_at(at + 8);
    if (u32_at(at + body) != crc32_z(0, at, body) || room > KEPT_STORED_MAX)
        return ST_MALFORMED;
    AUTO_FREE unsigned char *plain = malloc(room + 1);
    if (plain == NULL)
        return ST_NOMEM;
    size_t got = ZSTD_decompress(plain, room, at + HEAD_BYTES, body - HEAD_BYTES);
    if (ZSTD_isError(got) || got != room)
        return ST_MALFORMED;
    return kept_read(fleet, kept, plain, room);
}
