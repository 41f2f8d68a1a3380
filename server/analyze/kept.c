/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a kept host is given: everything from cold, then document by document.
 */
#include "server/analyze/fault.h"
#include "server/analyze/kept_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const enum total kept_totals[KEPT_TOTALS] = {TOTAL_PROCESSES, TOTAL_COMMIT_BYTES,
                                             TOTAL_NONPAGED_BYTES, TOTAL_PAGED_BYTES,
                                             TOTAL_ALLOC_FAILURES};

#define SMALL_ARENA                                                                                \
    {                                                                                              \
        .block_bytes = KEPT_BLOCK_BYTES                                                            \
    }

static const struct kept nothing = {.lost = true, /* nothing was read yet */
                                    .details_us = TIME_UNKNOWN,
                                    .facts_until_us = TIME_UNKNOWN,
                                    .judged_us = TIME_UNKNOWN,
                                    .fresh_most = KEPT_FRESH,
                                    .first.arena = SMALL_ARENA,
                                    .judged = SMALL_ARENA};

struct kept *kept_new(void)
{
    struct kept *kept = malloc(sizeof *kept);
    if (kept != NULL)
        *kept = nothing;
    return kept;
}

void kept_clear(struct kept *kept)
{
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        free(kept->tables[pool].levels);
        free(kept->tables[pool].rows);
        free(kept->tables[pool].calm);
        free(kept->tables[pool].packed);
    }
    for (size_t f = 0; f < KEPT_FRESH; f++)
        free(kept->fresh[f].items);
    free(kept->coming.items);
    free(kept->picks);
    free(kept->sessions);
    free(kept->events);
    free(kept->event_doc_us);
    free(kept->features);
    arena_done(&kept->first.arena);
    arena_done(&kept->newest.arena);
    free(kept->told);
    arena_done(&kept->judged);
    *kept = nothing;
}

void kept_free(struct kept *kept)
{
    if (kept == NULL)
        return;
    kept_clear(kept);
    free(kept);
}

bool kept_knows(const struct kept *kept, int64_t taken_at_us, int64_t received_us)
{
    return kept->pick_count > 0 && taken_at_us <= kept_taken_us(kept) &&
           received_us <= kept->received_us;
}

bool kept_lost(const struct kept *kept)
{
    return kept->lost;
}

bool kept_is_named(const struct kept *kept, const char *name)
{
    const char *known = kept->host.name;
    return name == NULL || known == NULL ? name == known : strcmp(name, known) == 0;
}

int64_t kept_taken_us(const struct kept *kept)
{
    return kept->pick_count == 0 ? TIME_UNKNOWN : kept->picks[kept->pick_count - 1].taken_at_us;
}

bool kept_facts_due(const struct kept *kept)
{
    return kept->pick_count > 0 && kept->facts_until_us != TIME_UNKNOWN &&
           kept_taken_us(kept) >= kept->facts_until_us;
}

size_t kept_bytes(const struct kept *kept)
{
    size_t bytes = sizeof *kept + kept->pick_room * sizeof *kept->picks +
                   kept->session_room * sizeof *kept->sessions +
                   kept->feature_room * sizeof *kept->features +
                   kept->event_count * sizeof *kept->events +
                   kept->host.fact_count * sizeof *kept->host.facts + arena_bytes(&kept->judged) +
                   arena_bytes(&kept->first.arena) + arena_bytes(&kept->newest.arena);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        const struct kept_table *table = &kept->tables[pool];
        bytes += table->level_room * sizeof *table->levels + table->row_room * sizeof *table->rows +
                 table->calm_room * sizeof *table->calm + table->packed_room;
    }
    for (size_t f = 0; f < KEPT_FRESH; f++)
        bytes += kept->fresh[f].count * sizeof *kept->fresh[f].items;
    return bytes;
}

/* ---- picks ------------------------------------------------------------------ */

static struct kept_pick pick_of(const struct analyze_point *point, unsigned has)
{
    struct kept_pick pick = {
        .taken_at_us = point->taken_at_us, .boot_at_us = point->boot_at_us, .has = (uint8_t)has};
    for (size_t t = 0; point->totals != NULL && t < KEPT_TOTALS; t++) {
        if (!totals_has(point->totals, kept_totals[t]))
            continue;
        pick.known |= (uint8_t)(1u << t);
        pick.totals[t] = point->totals->value[kept_totals[t]];
    }
    return pick;
}

static unsigned has_of(const struct snapshot_table table[POOL_COUNT])
{
    unsigned has = 0;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (!table[pool].present || table[pool].bytes == NULL)
            continue;
        has |= KEPT_HAS_POOL(pool);
        if (table[pool].allocs != NULL && table[pool].frees != NULL)
            has |= KEPT_HAS_COUNTS(pool);
    }
    return has;
}

static void merge_totals(struct kept *kept, const struct snapshot_totals *totals)
{
    kept->totals = totals == NULL ? (struct snapshot_totals){0} : *totals;
    for (int t = 0; totals != NULL && t < TOTAL_COUNT; t++) {
        if (totals_has(totals, (enum total)t))
            totals_set(&kept->merged, (enum total)t, totals->value[t]);
    }
}

enum status kept_begin(struct kept *kept, const struct reader *reader)
{
    if (!KEPT_ROOM(kept->picks, kept->pick_room, reader->count))
        return ST_NOMEM;
    for (size_t i = 0; i < reader->count; i++) {
        kept->picks[i] = pick_of(reader->points[i], has_of(reader->points[i]->table));
        kept->picks[i].boot = reader->boot[i];
        if (i >= reader->boot_first)
            merge_totals(kept, reader->points[i]->totals);
    }
    kept->pick_count = kept->packed_picks = reader->count;
    return ST_OK;
}

/* ---- what else a document tells --------------------------------------------- */

static bool add_object(struct kept_lists *lists, const struct snapshot_object *object)
{
    for (size_t i = 0; i < lists->object_count; i++) {
        if (strcmp(lists->objects[i].type, object->type) == 0)
            return true;
    }
    if (lists->object_count == lists->object_room)
        return true;
    struct snapshot_object *to = &lists->objects[lists->object_count];
    *to = *object;
    to->type = arena_strdup(&lists->arena, object->type);
    lists->object_count += to->type != NULL;
    return to->type != NULL;
}

static bool add_process(struct kept_lists *lists, const struct snapshot_process *process)
{
    for (size_t i = 0; i < lists->process_count; i++) {
        if (lists->processes[i].pid == process->pid &&
            strcmp(lists->processes[i].image, process->image) == 0)
            return true;
    }
    if (lists->process_count == lists->process_room)
        return true;
    struct snapshot_process *to = &lists->processes[lists->process_count];
    *to = *process;
    to->image = arena_strdup(&lists->arena, process->image);
    lists->process_count += to->image != NULL;
    return to->image != NULL;
}

/* Room for what the first that tells has, and `more`; beyond it nothing new is taken. */
static bool lists_room(struct kept_lists *lists, const struct analyze_point *point, size_t more)
{
    if (point->object_count > 0 && lists->objects == NULL) {
        lists->object_room = point->object_count + more;
        lists->objects = arena_alloc(&lists->arena, lists->object_room, sizeof *lists->objects);
        if (lists->objects == NULL)
            return false;
    }
    if (point->process_count > 0 && lists->processes == NULL) {
        lists->process_room = point->process_count + 2 * more;
        lists->processes =
            arena_alloc(&lists->arena, lists->process_room, sizeof *lists->processes);
        if (lists->processes == NULL)
            return false;
    }
    return true;
}

/* What is known already stays. */
static enum status add_lists(struct kept_lists *lists, const struct analyze_point *point,
                             size_t more)
{
    if (!lists_room(lists, point, more))
        return ST_NOMEM;
    for (size_t i = 0; i < point->object_count; i++) {
        bool same = i < lists->object_count && /* mostly they come in the same order */
                    strcmp(lists->objects[i].type, point->objects[i].type) == 0;
        if (!same && !add_object(lists, &point->objects[i]))
            return ST_NOMEM;
    }
    for (size_t i = 0; i < point->process_count; i++) {
        if (!add_process(lists, &point->processes[i]))
            return ST_NOMEM;
    }
    return ST_OK;
}

static bool is_failure(const struct snapshot_event *event)
{
    return (event->id == 2019 || event->id == 2020) && event->provider != NULL &&
           strcasecmp(event->provider, "srv") == 0;
}

/* The oldest give way: what counts is of the newest day. */
static bool add_event(struct kept *kept, const struct snapshot_event *event, int64_t doc_us)
{
    if (kept->events == NULL) {
        kept->events = calloc(KEPT_EVENTS, sizeof *kept->events);
        kept->event_doc_us = calloc(KEPT_EVENTS, sizeof *kept->event_doc_us);
    }
    if (kept->events == NULL || kept->event_doc_us == NULL)
        return false;
    if (kept->event_count == KEPT_EVENTS) {
        kept->event_count--;
        memmove(kept->events, kept->events + 1, kept->event_count * sizeof *kept->events);
        memmove(kept->event_doc_us, kept->event_doc_us + 1,
                kept->event_count * sizeof *kept->event_doc_us);
    }
    kept->events[kept->event_count] =
        (struct snapshot_event){.at_us = event->at_us, .provider = "srv", .id = event->id};
    kept->event_doc_us[kept->event_count++] = doc_us;
    return true;
}

static bool add_session(struct kept *kept, const struct snapshot_session *session, int64_t at_us)
{
    if (kept->session_count == KEPT_SESSIONS) {
        kept->session_count /= 2;
        memmove(kept->sessions, kept->sessions + KEPT_SESSIONS - kept->session_count,
                kept->session_count * sizeof *kept->sessions);
    }
    if (!KEPT_ROOM(kept->sessions, kept->session_room, kept->session_count + 1))
        return false;
    kept->sessions[kept->session_count++] = (struct kept_session){at_us, *session};
    return true;
}

static enum status take_logs(struct kept *kept, const struct analyze_point *point)
{
    for (size_t i = 0; i < point->session_count; i++) {
        if (!add_session(kept, &point->sessions[i], point->taken_at_us))
            return ST_NOMEM;
    }
    for (size_t i = 0; i < point->event_count; i++) {
        if (!is_failure(&point->events[i]))
            continue;
        if (!add_event(kept, &point->events[i], point->taken_at_us))
            return ST_NOMEM;
        kept->urgent = true;
    }
    return ST_OK;
}

/* Objects and processes are told apart, each by the newest document that has any. */
static enum status take_newest(struct kept *kept, const struct analyze_point *point)
{
    struct kept_lists newest = {.arena = SMALL_ARENA};
    struct analyze_point both = *point;
    if (both.object_count == 0) {
        both.objects = kept->newest.objects;
        both.object_count = kept->newest.object_count;
    }
    if (both.process_count == 0) {
        both.processes = kept->newest.processes;
        both.process_count = kept->newest.process_count;
    }
    enum status status = add_lists(&newest, &both, 0);
    if (status == ST_OK) {
        arena_done(&kept->newest.arena);
        kept->newest = newest;
    } else {
        arena_done(&newest.arena);
    }
    return status;
}

static enum status take_details(struct kept *kept, const struct analyze_point *point)
{
    enum status status = add_lists(&kept->first, point, KEPT_MORE);
    if (status == ST_OK && point->object_count + point->process_count > 0)
        status = take_newest(kept, point);
    kept->details_us = point->taken_at_us;
    kept->urgent = kept->urgent || point->session_count > 0;
    return status;
}

/* Of lists only the first and the newest are wanted. */
enum status kept_details(struct kept *kept, const struct reader *reader)
{
    struct analyze_point newest = {0};
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < reader->count; i++) {
        const struct analyze_point *point = reader->points[i];
        status = take_logs(kept, point);
        if (status != ST_OK || i < reader->boot_first)
            continue;
        status = add_lists(&kept->first, point, KEPT_MORE);
        if (point->object_count > 0) {
            newest.objects = point->objects;
            newest.object_count = point->object_count;
        }
        if (point->process_count > 0) {
            newest.processes = point->processes;
            newest.process_count = point->process_count;
        }
    }
    kept->details_us = kept_taken_us(kept);
    return status == ST_OK ? take_newest(kept, &newest) : status;
}

bool kept_wants_details(const struct kept *kept, int64_t as_of_us)
{
    if (kept->details_us == TIME_UNKNOWN || as_of_us - kept->details_us >= US_PER_HOUR)
        return true;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (kept->host.growth[pool] > 0)
            return true;
    }
    return false;
}

/* ---- one more document ------------------------------------------------------ */

static bool goes_on(const struct kept *kept, const struct kept_document *document)
{
    const struct kept_pick *last = &kept->picks[kept->pick_count - 1];
    int64_t boot = document->point.boot_at_us;
    if (boot == TIME_UNKNOWN || last->boot_at_us == TIME_UNKNOWN ||
        llabs(boot - last->boot_at_us) > SAME_BOOT_US)
        return false;
    return document->complete ||
           (document->base == kept->sequence && kept->sequence != SEQUENCE_UNKNOWN);
}

/* Rows that are not there yet get their place. */
static enum status add_levels(struct kept_table *table, const struct snapshot_table *rows)
{
    size_t more = 0;
    for (size_t i = 0, l = 0; i < rows->count; i++) {
        while (l < table->level_count && table->levels[l].tag < rows->tag[i])
            l++;
        more += l == table->level_count || table->levels[l].tag != rows->tag[i];
    }
    if (more == 0)
        return ST_OK;
    size_t to = table->level_count + more;
    if (!KEPT_ROOM(table->levels, table->level_room, to))
        return ST_NOMEM;
    size_t l = table->level_count;
    table->level_count = to;
    for (size_t i = rows->count; to > 0 && to != l;) { /* from the end, in place */
        if (l > 0 && (i == 0 || table->levels[l - 1].tag >= rows->tag[i - 1])) {
            i -= i > 0 && table->levels[l - 1].tag == rows->tag[i - 1];
            table->levels[--to] = table->levels[--l];
        } else {
            table->levels[--to] = (struct fleet_row){rows->tag[--i], 0};
        }
    }
    return ST_OK;
}

static enum status replace_levels(struct kept_table *table, const struct snapshot_table *rows)
{
    if (!KEPT_ROOM(table->levels, table->level_room, rows->count + 1))
        return ST_NOMEM;
    table->level_count = rows->count;
    for (size_t i = 0; i < rows->count; i++)
        table->levels[i] = (struct fleet_row){rows->tag[i], 0};
    return ST_OK;
}

/* The row number `r` of its table; `coming` has room for each once. */
static void row_is(struct kept *kept, enum pool pool, size_t r, const struct kept_value *now)
{
    struct kept_row *row = &kept->tables[pool].rows[r];
    struct kept_changes *coming = &kept->coming;
    float bytes = (float)(double)now->bytes;
    if (memcmp(&row->now, now, sizeof *now) != 0)
        coming->items[coming->count++] =
            (struct kept_change){.before = row->now, .place = kept_place(kept, pool, r)};
    row->now = *now;
    row->lowest = bytes < row->lowest ? bytes : row->lowest;
    row->highest = bytes > row->highest ? bytes : row->highest;
}

static struct kept_value value_of(const struct snapshot_table *rows, size_t i)
{
    bool counts = rows->allocs != NULL && rows->frees != NULL;
    return (struct kept_value){rows->bytes[i], counts ? rows->allocs[i] : 0,
                               counts ? rows->frees[i] : 0};
}

/* What a whole table does not have is gone. Tags rise in both. */
static void put_kept(struct kept *kept, enum pool pool, const struct snapshot_table *rows,
                     bool whole)
{
    static const struct kept_value gone = {0};
    struct kept_table *table = &kept->tables[pool];
    size_t i = 0;
    for (size_t r = 0; r < table->row_count; r++) {
        struct kept_row *row = &table->rows[r];
        while (i < rows->count && rows->tag[i] < row->tag)
            i++;
        bool told = i < rows->count && rows->tag[i] == row->tag;
        if (told || whole) {
            struct kept_value now = told ? value_of(rows, i) : gone;
            row_is(kept, pool, r, &now);
            row->present = told;
        }
    }
}

/* False: it may matter now. */
static bool stays_calm(struct kept_calm *calm, double bytes, double ram)
{
    calm->lowest = fminf(calm->lowest, (float)bytes);
    calm->highest = fmaxf(calm->highest, (float)bytes);
    return !rows_is_moving(ram, bytes, (double)calm->lowest, (double)calm->highest, 1);
}

/* Levels of all rows. Tags rise in all of them. False: a row matters now whose past was not kept.
 */
static bool put_levels(const struct kept *kept, struct kept_table *table,
                       const struct snapshot_table *rows)
{
    size_t level = 0, row = 0, calm = 0;
    bool known = true;
    for (size_t i = 0; i < rows->count; i++) {
        uint32_t tag = rows->tag[i];
        double bytes = (double)rows->bytes[i];
        while (table->levels[level].tag < tag)
            level++;
        table->levels[level].bytes = (float)bytes;
        while (row < table->row_count && table->rows[row].tag < tag)
            row++;
        if (row < table->row_count && table->rows[row].tag == tag)
            continue;
        while (calm < table->calm_count && table->calm[calm].tag < tag)
            calm++;
        if (calm < table->calm_count && table->calm[calm].tag == tag)
            known = known && stays_calm(&table->calm[calm], bytes, kept->ram);
        else
            known = known && bytes < ROW_FLOOR_BYTES && bytes < ROW_FLOOR_SHARE * kept->ram;
    }
    return known;
}

/* Room for what the document may change. */
static enum status begin_changes(struct kept *kept)
{
    size_t rows = kept->tables[0].row_count + kept->tables[1].row_count;
    free(kept->coming.items);
    kept->coming = (struct kept_changes){malloc((rows + 1) * sizeof *kept->coming.items), 0};
    return kept->coming.items == NULL ? ST_NOMEM : ST_OK;
}

/* What the next pick has, after the tables were put on. */
static enum status put_tables(struct kept *kept, const struct kept_document *document,
                              unsigned *ret_has)
{
    unsigned before = kept->picks[kept->pick_count - 1].has;
    unsigned has = document->complete ? 0 : before;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        const struct snapshot_table *rows = &document->point.table[pool];
        struct kept_table *table = &kept->tables[pool];
        unsigned mask = KEPT_HAS_POOL(pool) | KEPT_HAS_COUNTS(pool);
        if (!rows->present || (rows->count == 0 && !document->complete))
            continue;
        unsigned now = has_of(document->point.table) & mask;
        if (now == 0 || ((before & mask) != 0 && (before & mask) != now)) {
            kept->lost = true; /* other columns */
            continue;
        }
        has = (has & ~mask) | now;
        if ((document->complete ? replace_levels(table, rows) : add_levels(table, rows)) != ST_OK)
            return ST_NOMEM;
        put_kept(kept, (enum pool)pool, rows, document->complete);
        if (!put_levels(kept, table, rows))
            kept->lost = true;
    }
    *ret_has = has;
    return ST_OK;
}

/* As fault_of sees it; nothing is compared to the byte there. */
static const struct fault *fault_now(const struct kept *kept, const struct analyze_point *point)
{
    struct snapshot_table sums[POOL_COUNT] = {{0}};
    uint64_t bytes[POOL_COUNT];
    struct analyze_point now = *point;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        double sum = 0;
        for (size_t i = 0; i < kept->tables[pool].level_count; i++)
            sum += (double)kept->tables[pool].levels[i].bytes;
        bytes[pool] = sum < 0x1p62 ? (uint64_t)sum : UINT64_C(1) << 62;
        sums[pool] = (struct snapshot_table){.present = true, .count = 1, .bytes = &bytes[pool]};
    }
    now.table = sums;
    return fault_of(&now);
}

enum status kept_put(struct kept *kept, const struct kept_document *document)
{
    unsigned has = 0;
    if (kept->lost)
        return ST_OK;
    if (kept_knows(kept, document->point.taken_at_us, document->received_us))
        return ST_OK;
    if (document->point.taken_at_us <= kept_taken_us(kept) || !goes_on(kept, document)) {
        kept->lost = true;
        return ST_OK;
    }
    kept->received_us =
        document->received_us > kept->received_us ? document->received_us : kept->received_us;
    kept->sequence = document->sequence;
    enum status status = begin_changes(kept);
    if (status == ST_OK)
        status = put_tables(kept, document, &has);
    if (fault_now(kept, &document->point) != NULL)
        kept->lost = true; /* a bad one among good ones is left out, which takes looking again */
    if (status == ST_OK && !kept->lost) {
        struct kept_pick pick = pick_of(&document->point, has);
        pick.boot = kept->picks[kept->pick_count - 1].boot;
        merge_totals(kept, document->point.totals);
        status = kept_append(kept, &pick);
    }
    if (status == ST_OK && !kept->lost && document->details)
        status = take_details(kept, &document->point);
    if (status == ST_OK && !kept->lost)
        status = take_logs(kept, &document->point);
    kept->lost = kept->lost || status != ST_OK;
    return status;
}
