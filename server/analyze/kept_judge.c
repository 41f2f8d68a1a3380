/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kept host on its way into a pass. What it has is laid out as points again, without their rows,
 * so that the host as a whole is read by the same code as one from cold; rows go from their courses
 * to features by the same code too.
 */
#include "server/analyze/grid.h"
#include "server/analyze/kept_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Facts that decide what the host is compared with. */
static const char *const header_facts[] = {"os.build", "role", "hw.ram_bytes"};
#define HEADER_FACTS (sizeof header_facts / sizeof header_facts[0])

/* The points of one pass. */
struct layout {
    const struct kept *kept;
    bool *live;
    struct analyze_point *points;
    struct snapshot_totals *totals;
    struct snapshot_table (*tables)[POOL_COUNT];
    struct snapshot_session *sessions;
};

static bool layout_alloc(struct layout *layout, const struct kept *kept)
{
    size_t picks = kept->pick_count + 1;
    layout->kept = kept;
    layout->live = calloc(picks, sizeof *layout->live);
    layout->points = calloc(picks, sizeof *layout->points);
    layout->totals = calloc(picks, sizeof *layout->totals);
    layout->tables = calloc(picks, sizeof *layout->tables);
    layout->sessions = calloc(kept->session_count + 1, sizeof *layout->sessions);
    for (size_t i = 0; layout->sessions != NULL && i < kept->session_count; i++)
        layout->sessions[i] = kept->sessions[i].session;
    return layout->live != NULL && layout->points != NULL && layout->totals != NULL &&
           layout->tables != NULL && layout->sessions != NULL;
}

static void layout_done(struct layout *layout)
{
    free(layout->live);
    free(layout->points);
    free(layout->totals);
    free(layout->tables);
    free(layout->sessions);
}

/* Of tables a reader of points asks only what they have. */
static void lay_tables(const struct kept_pick *pick, struct snapshot_table tables[POOL_COUNT])
{
    static uint64_t some_bytes;
    static uint32_t some_counts;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        bool present = (pick->has & KEPT_HAS_POOL(pool)) != 0;
        bool counts = (pick->has & KEPT_HAS_COUNTS(pool)) != 0;
        tables[pool] = (struct snapshot_table){.present = present,
                                               .bytes = present ? &some_bytes : NULL,
                                               .allocs = counts ? &some_counts : NULL,
                                               .frees = counts ? &some_counts : NULL};
    }
}

static void lay_point(struct layout *layout, size_t p, size_t to)
{
    const struct kept_pick *pick = &layout->kept->picks[p];
    struct analyze_point *point = &layout->points[to];
    struct snapshot_totals *totals = &layout->totals[to];
    for (size_t t = 0; t < KEPT_TOTALS; t++) {
        if ((pick->known & 1u << t) != 0)
            totals_set(totals, kept_totals[t], pick->totals[t]);
    }
    lay_tables(pick, layout->tables[to]);
    *point = (struct analyze_point){.taken_at_us = pick->taken_at_us,
                                    .boot_at_us = pick->boot_at_us,
                                    .totals = totals,
                                    .table = layout->tables[to]};
}

/* Sessions belong to their pick, events to the first live pick that is not older. */
static void lay_logs(struct layout *layout, size_t count)
{
    const struct kept *kept = layout->kept;
    size_t s = 0, e = 0;
    for (size_t i = 0; i < count; i++) {
        struct analyze_point *point = &layout->points[i];
        while (s < kept->session_count && kept->sessions[s].at_us < point->taken_at_us)
            s++;
        point->sessions = &layout->sessions[s];
        for (; s < kept->session_count && kept->sessions[s].at_us == point->taken_at_us; s++)
            point->session_count++;
        point->events = kept->events == NULL ? NULL : kept->events + e;
        for (; e < kept->event_count && kept->event_doc_us[e] <= point->taken_at_us; e++)
            point->event_count++;
    }
}

/* What only the first and the newest point of the boot tell. */
static void lay_ends(struct layout *layout, size_t first, size_t last)
{
    const struct kept *kept = layout->kept;
    struct analyze_point *begin = &layout->points[first];
    struct analyze_point *end = &layout->points[last];
    for (int t = 0; t < TOTAL_COUNT; t++) {
        if (totals_has(&kept->merged, (enum total)t) &&
            !totals_has(&layout->totals[first], (enum total)t) && first != last)
            totals_set(&layout->totals[first], (enum total)t, kept->merged.value[t]);
    }
    layout->totals[last] = kept->totals;
    begin->objects = kept->first.objects;
    begin->object_count = kept->first.object_count;
    begin->processes = kept->first.processes;
    begin->process_count = kept->first.process_count;
    end->objects = kept->newest.objects;
    end->object_count = kept->newest.object_count;
    end->processes = kept->newest.processes;
    end->process_count = kept->newest.process_count;
}

/* ST_NOT_FOUND: the grid has none of its picks any more. */
static enum status lay_out(struct layout *layout, struct reader *reader, int64_t as_of_us)
{
    const struct kept *kept = layout->kept;
    size_t count = kept_live(kept, as_of_us, layout->live);
    size_t to = 0;
    if (count == 0)
        return ST_NOT_FOUND;
    reader->points = reader_room(reader, ROOM_POINTS, count, sizeof *reader->points);
    reader->boot = reader_room(reader, ROOM_BOOT, count, sizeof *reader->boot);
    if (reader->points == NULL || reader->boot == NULL)
        return ST_NOMEM;
    for (size_t p = 0; p < kept->pick_count; p++) {
        if (!layout->live[p])
            continue;
        lay_point(layout, p, to);
        reader->points[to] = &layout->points[to];
        reader->boot[to] = kept->picks[p].boot;
        if (to > 0 && reader->boot[to] != reader->boot[to - 1])
            reader->boot_first = to;
        to++;
    }
    reader->count = count;
    lay_ends(layout, reader->boot_first, count - 1);
    lay_logs(layout, count);
    return ST_OK;
}

/* ---- rows ------------------------------------------------------------------- */

/* Features are made again by this. */
struct judging {
    struct kept *kept;
    struct reader *reader;
    const bool *live;
    const struct feature *features; /* as they were */
    int64_t as_of_us;
    int64_t age_us;
    double least;              /* that a row must move to matter */
    struct kept_value *values; /* of one row, at all picks */
};

/* Does the row stay within what this boot has shown, and is that known of late? One that grows is
 * as it was until it has gone a little further. */
static bool stays(const struct judging *judging, const struct kept_row *row)
{
    const struct feature *feature;
    double now = (double)row->now.bytes;
    double least = judging->least;
    if (judging->age_us == 0 || judging->as_of_us - row->judged_us >= judging->age_us)
        return false;
    if (row->feature == UINT32_MAX)
        return !rows_is_moving(judging->reader->host.ram, now, (double)row->lowest,
                               (double)row->highest, 1);
    feature = &judging->features[row->feature];
    if (feature->curve != NULL)
        return fabs(now - (double)feature->bytes) <=
               fmax(least, KEPT_GONE_SHARE * (double)feature->growth);
    return now <= (double)row->boot_highest + least && now >= (double)row->boot_lowest - least;
}

/* The course of one row into the first place of `rows`; false: it does not matter. */
static bool load_course(const struct judging *judging, struct rows *rows, size_t place)
{
    const struct kept *kept = judging->kept;
    struct kept_row *row = &judging->kept->tables[rows->pool].rows[place];
    double lowest = INFINITY, highest = -INFINITY, boot_lowest = INFINITY, boot_highest = -INFINITY;
    size_t n = 0;
    kept_unpack(kept, rows->pool, place, judging->values);
    for (size_t p = 0; p < kept->pick_count; p++) {
        const struct kept_value *value = &judging->values[p];
        if (!judging->live[p] || (kept->picks[p].has & KEPT_HAS_POOL(rows->pool)) == 0)
            continue;
        double bytes = (double)value->bytes;
        rows->bytes[n] = bytes;
        rows->allocs[n] = value->allocs;
        rows->frees[n] = value->frees;
        lowest = fmin(lowest, bytes);
        highest = fmax(highest, bytes);
        if (n++ < rows->series.boot_first)
            continue;
        boot_lowest = fmin(boot_lowest, bytes);
        boot_highest = fmax(boot_highest, bytes);
    }
    row->lowest = (float)lowest;
    row->highest = (float)highest;
    row->boot_lowest = (float)boot_lowest;
    row->boot_highest = (float)boot_highest;
    row->judged_us = judging->as_of_us;
    double now = (double)row->now.bytes;
    return row->present && rows_is_large(judging->reader, now, 1) &&
           rows_is_moving(judging->reader->host.ram, now, lowest, highest, 1);
}

static enum status judge_pool(struct judging *judging, enum pool pool)
{
    struct reader *reader = judging->reader;
    struct kept_table *table = &judging->kept->tables[pool];
    struct rows rows = {.reader = reader, .pool = pool};
    if (rows_newest(reader, pool) == NULL)
        return ST_OK;
    reader->host.rows[pool] = table->levels;
    reader->host.row_count[pool] = table->level_count;
    if (!rows_alloc(&rows, reader->count, 0))
        return ST_NOMEM;
    rows_open(&rows);
    for (size_t r = 0; r < table->row_count; r++) {
        struct kept_row *row = &table->rows[r];
        uint32_t had = row->feature;
        enum status status = ST_OK;
        uint32_t place = (uint32_t)reader->host.feature_count;
        bool curve = had != UINT32_MAX && judging->features[had].curve != NULL;
        if (!curve && stays(judging, row)) { /* curves of a host are of one moment */
            if (had == UINT32_MAX)
                continue;
            struct feature feature = judging->features[had];
            feature.bytes = (float)(double)row->now.bytes;
            status = rows_add(&rows, &feature);
        } else if (load_course(judging, &rows, r)) {
            status = rows_judge(&rows, row->tag, 0);
        } else {
            place = UINT32_MAX;
        }
        if (status != ST_OK)
            return status;
        row->feature = place;
    }
    return ST_OK;
}

/* ---- from cold -------------------------------------------------------------- */

#define FEATURES_SPARE 16 /* chosen: 2 kB */

static enum status keep_features(struct kept *kept, const struct reader *reader)
{
    size_t count = reader->host.feature_count;
    if (count > kept->feature_room || count + FEATURES_SPARE < kept->feature_room) {
        struct feature *features = malloc((count + 1) * sizeof *features);
        if (features == NULL)
            return ST_NOMEM;
        free(kept->features);
        kept->features = features;
        kept->feature_room = count;
    }
    if (count > 0)
        memcpy(kept->features, reader->features, count * sizeof *kept->features);
    kept->host = reader->host;
    kept->host.features = kept->features;
    return ST_OK;
}

/* In one piece: an arena's blocks would be half empty. */
enum status kept_told(struct kept *kept, struct fleet_host *host)
{
    size_t facts = host->fact_count * sizeof *host->facts;
    size_t changes = host->change_count * sizeof *host->changes;
    size_t id = strlen(host->id) + 1;
    size_t name = host->name == NULL ? 0 : strlen(host->name) + 1;
    char *told = malloc(facts + changes + id + name);
    if (told == NULL)
        return ST_NOMEM;
    if (facts > 0)
        memcpy(told, host->facts, facts);
    if (changes > 0)
        memcpy(told + facts, host->changes, changes);
    memcpy(told + facts + changes, host->id, id);
    if (name > 0)
        memcpy(told + facts + changes + id, host->name, name);
    host->facts = (struct fleet_fact *)told;
    host->changes = (struct fleet_change *)(told + facts);
    host->id = told + facts + changes;
    host->name = name == 0 ? NULL : told + facts + changes + id;
    free(kept->told);
    kept->told = told;
    return ST_OK;
}

/* Id, name and facts; the reader's host has its newest time. */
static enum status tell(struct kept *kept, struct reader *reader, const struct analyze_host *host)
{
    AUTO_ARENA struct arena told = {0};
    reader->arena = &told;
    reader->host.id = host->id;
    reader->host.name = host->name;
    enum status status = reader_facts(reader, host);
    if (status == ST_OK)
        status = kept_told(kept, &reader->host);
    if (status != ST_OK)
        return status;
    kept->facts_until_us = TIME_UNKNOWN;
    for (size_t i = 0; i < host->fact_count; i++) {
        const int64_t ends[] = {host->facts[i].valid_from_us, host->facts[i].valid_to_us};
        for (size_t k = 0; k < 2; k++) {
            if (ends[k] != TIME_UNKNOWN && ends[k] > reader->host.last_us &&
                (kept->facts_until_us == TIME_UNKNOWN || ends[k] < kept->facts_until_us))
                kept->facts_until_us = ends[k];
        }
    }
    return ST_OK;
}

/* Hosts that were read at once do not all come due at once. */
#define PHASES          16
#define PHASE_SPREAD_US (20 * US_PER_MINUTE)

static int64_t phase_of(const struct kept *kept)
{
    if (kept->host.id == NULL)
        return 0;
    /* names that differ in their last digits have hashes that do not differ everywhere */
    return (int64_t)(fleet_hash(kept->host.id) * 0x9E3779B97F4A7C15u >> 32) % PHASES;
}

static int64_t phase_us(const struct kept *kept)
{
    return phase_of(kept) * (PHASE_SPREAD_US / PHASES);
}

static enum status keep_fault(struct kept *kept, const struct reader *reader,
                              const struct analyze_host *host)
{
    kept->fault = reader->fault;
    kept->fault_us = host->points[host->point_count - 1].taken_at_us;
    kept->host.id = host->id;
    kept->host.name = host->name;
    return kept_told(kept, &kept->host);
}

static enum status keep_all(struct kept *kept, struct reader *reader,
                            const struct analyze_host *host, int64_t as_of_us)
{
    enum status status = reader_pick(reader, host, as_of_us);
    if (status == ST_OK && reader->fault != NULL)
        return keep_fault(kept, reader, host);
    if (status != ST_OK || reader->count == 0)
        return status;
    status = reader_header(reader, host);
    if (status == ST_OK)
        status = tell(kept, reader, host);
    if (status == ST_OK)
        status = kept_begin(kept, reader);
    reader->arena = &kept->judged;
    for (int pool = 0; status == ST_OK && pool < POOL_COUNT; pool++)
        status = reader_rows(reader, (enum pool)pool);
    if (status == ST_OK)
        status = reader_signs(reader);
    if (status == ST_OK)
        status = kept_details(kept, reader);
    kept->ram = reader->host.ram;
    kept->host.id = reader->host.id;
    kept->lost = kept->urgent = kept->news = false;
    kept->judged_us = as_of_us - phase_us(kept);
    for (int pool = 0; pool < POOL_COUNT; pool++) { /* nor do all rows of a host */
        struct kept_table *table = &kept->tables[pool];
        for (size_t r = 0; r < table->row_count; r++)
            table->rows[r].judged_us =
                kept->judged_us - (int64_t)(r % KEPT_NEWS_SHARE) * PHASE_SPREAD_US;
    }
    kept->fresh_most = (size_t)(1 + phase_of(kept) % KEPT_FRESH);
    kept_fit(kept);
    return status;
}

enum status fleet_keep(struct fleet *fleet, struct kept *kept, const struct analyze_host *host,
                       int64_t as_of_us)
{
    struct reader *reader = reader_open(fleet);
    if (reader == NULL)
        return ST_NOMEM;
    kept_clear(kept);
    reader->kept = kept;
    enum status status = keep_all(kept, reader, host, as_of_us);
    reader->kept = NULL;
    if (status == ST_OK && kept->pick_count > 0)
        status = keep_features(kept, reader);
    if (status != ST_OK)
        kept_clear(kept);
    return status;
}

enum status fleet_tell(struct fleet *fleet, struct kept *kept, const struct analyze_host *host)
{
    struct reader *reader = reader_open(fleet);
    if (reader == NULL)
        return ST_NOMEM;
    reader->host = kept->host;
    reader->host.last_us = kept_taken_us(kept);
    reader->host.change_count = 0;
    enum status status = tell(kept, reader, host);
    if (status == ST_OK)
        kept->host = reader->host;
    kept->urgent = true;
    return status;
}

/* ---- texts ------------------------------------------------------------------ */

static enum status move_text(const struct fleet *from, struct fleet *to, uint32_t *places,
                             uint32_t place)
{
    return places[place] != UINT32_MAX ? ST_OK
                                       : fleet_intern(to, from->texts[place], &places[place]);
}

static enum status move_texts(const struct fleet *from, struct fleet *to, uint32_t *places,
                              const struct fleet_host *host)
{
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < host->fact_count; i++) {
        status = move_text(from, to, places, host->facts[i].name);
        if (status == ST_OK)
            status = move_text(from, to, places, host->facts[i].value);
    }
    for (size_t i = 0; status == ST_OK && i < host->change_count; i++) {
        status = move_text(from, to, places, host->changes[i].name);
        if (status == ST_OK)
            status = move_text(from, to, places, host->changes[i].old_value);
    }
    return status;
}

static int by_name(const void *a, const void *b)
{
    uint32_t x = ((const struct fleet_fact *)a)->name;
    uint32_t y = ((const struct fleet_fact *)b)->name;
    return (x > y) - (x < y);
}

void kept_sort_facts(struct fleet_host *host)
{
    if (host->fact_count > 0)
        qsort(host->facts, host->fact_count, sizeof *host->facts, by_name);
}

static void set_places(struct fleet_host *host, const uint32_t *places)
{
    for (size_t i = 0; i < host->fact_count; i++) {
        host->facts[i].name = places[host->facts[i].name];
        host->facts[i].value = places[host->facts[i].value];
    }
    kept_sort_facts(host);
    for (size_t i = 0; i < host->change_count; i++) {
        host->changes[i].name = places[host->changes[i].name];
        host->changes[i].old_value = places[host->changes[i].old_value];
    }
}

enum status fleet_trim(struct fleet *fleet, struct kept *const *kept, size_t count)
{
    struct fleet fresh = {0};
    AUTO_FREE uint32_t *places = malloc((fleet->text_count + 1) * sizeof *places);
    enum status status = places == NULL ? ST_NOMEM : ST_OK;
    if (places != NULL)
        memset(places, 0xff, (fleet->text_count + 1) * sizeof *places);
    for (size_t i = 0; status == ST_OK && i < count; i++)
        status = move_texts(fleet, &fresh, places, &kept[i]->host);
    if (status != ST_OK) {
        fleet_done(&fresh);
        return status;
    }
    for (size_t i = 0; i < count; i++)
        set_places(&kept[i]->host, places);
    fresh.texts_kept = fresh.text_count;
    fleet_done(fleet);
    *fleet = fresh;
    return ST_OK;
}

/* ---- a pass ----------------------------------------------------------------- */

/* What of the facts decides the header, as facts again. */
static struct analyze_host header_of(const struct fleet *fleet, const struct kept *kept,
                                     struct analyze_fact facts[HEADER_FACTS])
{
    struct analyze_host host = {.id = kept->host.id, .name = kept->host.name, .facts = facts};
    for (size_t i = 0; i < kept->host.fact_count; i++) {
        const struct fleet_fact *fact = &kept->host.facts[i];
        for (size_t k = 0; k < HEADER_FACTS; k++) {
            if (strcmp(fleet->texts[fact->name], header_facts[k]) == 0)
                facts[host.fact_count++] = (struct analyze_fact){
                    header_facts[k], fleet->texts[fact->value], TIME_UNKNOWN, TIME_UNKNOWN};
        }
    }
    return host;
}

static void open_host(struct reader *reader, const struct kept *kept)
{
    const struct fleet_host *was = &kept->host;
    reader->host = (struct fleet_host){.id = was->id,
                                       .name = was->name,
                                       .facts = was->facts,
                                       .fact_count = was->fact_count,
                                       .changes = was->changes,
                                       .change_count = was->change_count};
}

static double least_of(const struct kept *kept)
{
    return fmax(ROW_FLOOR_BYTES, ROW_FLOOR_SHARE * kept->ram);
}

static enum status judge(struct fleet *fleet, struct reader *reader, struct kept *kept,
                         struct layout *layout, int64_t as_of_us, int64_t age_us)
{
    struct analyze_fact facts[HEADER_FACTS];
    struct analyze_host host = header_of(fleet, kept, facts);
    AUTO_FREE struct kept_value *values = calloc(kept->pick_count + 1, sizeof *values);
    struct judging judging = {.kept = kept,
                              .reader = reader,
                              .live = layout->live,
                              .features = kept->features,
                              .as_of_us = as_of_us,
                              .age_us = age_us,
                              .least = least_of(kept),
                              .values = values};
    enum status status = values == NULL ? ST_NOMEM : reader_header(reader, &host);
    if (reader->host.ram < kept->ram || reader->host.ram > kept->ram)
        kept->lost = true; /* rows were chosen by another size of the machine */
    arena_done(&kept->judged);
    kept->judged.block_bytes = KEPT_BLOCK_BYTES;
    reader->arena = &kept->judged;
    for (int pool = 0; status == ST_OK && pool < POOL_COUNT; pool++)
        status = judge_pool(&judging, (enum pool)pool);
    if (status == ST_OK)
        status = reader_signs(reader);
    return status == ST_OK ? keep_features(kept, reader) : status;
}

/* Without news a host may stay as it was for age_us; with news but no row that left what was known
 * of it, for a third of that. */
static bool may_stay(struct reader *reader, struct kept *kept, int64_t as_of_us, int64_t age_us)
{
    struct judging judging = {.kept = kept,
                              .reader = reader,
                              .features = kept->features,
                              .as_of_us = as_of_us,
                              .age_us = age_us,
                              .least = least_of(kept)};
    if (age_us == 0 || kept->urgent || kept->judged_us == TIME_UNKNOWN ||
        as_of_us - kept->judged_us >= (kept->news ? age_us / KEPT_NEWS_SHARE : age_us))
        return false;
    reader->host.ram = kept->ram;
    for (int pool = 0; kept->news && pool < POOL_COUNT; pool++) {
        for (size_t r = 0; r < kept->tables[pool].row_count; r++) {
            if (!stays(&judging, &kept->tables[pool].rows[r]))
                return false;
        }
    }
    return true;
}

/* What costs nothing is of now. */
static void stay(struct kept *kept)
{
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        const struct kept_table *table = &kept->tables[pool];
        if (kept->host.rows[pool] != NULL) {
            kept->host.rows[pool] = table->levels;
            kept->host.row_count[pool] = table->level_count;
        }
        for (size_t r = 0; r < table->row_count; r++) {
            struct feature *feature = table->rows[r].feature == UINT32_MAX
                                          ? NULL
                                          : &kept->features[table->rows[r].feature];
            if (feature != NULL && feature->curve == NULL)
                feature->bytes = (float)(double)table->rows[r].now.bytes;
        }
    }
    kept->host.totals = kept->merged;
}

static bool fault_is_seen(const struct kept *kept, int64_t as_of_us)
{
    int64_t ends[GRID_MAX], after;
    grid_slots(as_of_us, ends, &after);
    return kept->fault_us > after;
}

enum status fleet_add_kept(struct fleet *fleet, struct kept *kept, int64_t as_of_us, int64_t age_us)
{
    CLEANUP(layout_done) struct layout layout = {0};
    struct reader *reader = reader_open(fleet);
    if (kept->fault != NULL)
        return fault_is_seen(kept, as_of_us)
                   ? fleet_add_fault(fleet, kept->host.id, kept->host.name, kept->fault)
                   : ST_OK;
    if (kept->pick_count == 0)
        return ST_OK;
    if (reader == NULL || !reader_make_room(fleet) || !layout_alloc(&layout, kept))
        return ST_NOMEM;
    if (may_stay(reader, kept, as_of_us, age_us)) {
        stay(kept);
        fleet->hosts[fleet->count++] = kept->host;
        return ST_OK;
    }
    open_host(reader, kept);
    enum status status = lay_out(&layout, reader, as_of_us);
    if (status != ST_OK)
        return status == ST_NOT_FOUND ? ST_OK : status;
    bool restored = kept->judged_us == TIME_UNKNOWN;
    status = judge(fleet, reader, kept, &layout, as_of_us, age_us);
    kept->judged_us = as_of_us - (restored ? phase_us(kept) : 0);
    kept->news = kept->urgent = false;
    if (status == ST_OK)
        fleet->hosts[fleet->count++] = kept->host;
    else
        kept_clear(kept); /* its features may be half made */
    return status;
}
