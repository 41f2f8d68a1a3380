/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building: first the set of all (pool, tag), then slice by slice of a few hundred tags. A slice
 * gathers the values of its tags side by side, host after host, straight from the compact tables
 * (sorted, so a host's place in the next slice is where it stopped), and selects quantiles. Hosts
 * stand in the order of their kind (equal facts), so that the values of a cohort, which is a set of
 * kinds, are a few runs of them. What a build takes for a while is one slice, however many tags
 * there are.
 */
#include "server/state/view_build.h"

#include "server/analyze/robust.h"
#include "server/state/host_cell.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Values of a slice: 32 MB, and no fewer tags than make the walk over all hosts worth it. */
#define SLICE_VALUES   ((size_t)4 << 20)
#define SLICE_TAGS_MIN 16
#define SLICE_TAGS_MAX 1024

/* ---- the set of tags ------------------------------------------------------- */

struct tag_set { /* sorted; new ones wait until merging them is worth it */
    uint32_t *tags;
    size_t count;
    uint32_t *waiting;
    size_t waiting_count;
    size_t room; /* of waiting */
};

static void tag_set_done(struct tag_set *set)
{
    free(set->tags);
    free(set->waiting);
}

static int by_tag(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

static enum status tag_set_merge(struct tag_set *set)
{
    uint32_t *all = reallocarray(set->tags, set->count + set->waiting_count + 1, sizeof *all);
    if (all == NULL)
        return ST_NOMEM;
    set->tags = all;
    if (set->waiting_count > 0)
        memcpy(all + set->count, set->waiting, set->waiting_count * sizeof *all);
    size_t total = set->count + set->waiting_count, kept = 0;
    qsort(all, total, sizeof *all, by_tag);
    for (size_t i = 0; i < total; i++) {
        if (kept == 0 || all[kept - 1] != all[i])
            all[kept++] = all[i];
    }
    set->count = kept;
    set->waiting_count = 0;
    return ST_OK;
}

static enum status tag_set_add(struct tag_set *set, const struct compact_table *table)
{
    for (size_t row = 0, at = 0; row < table->count; row++) {
        while (at < set->count && set->tags[at] < table->tag[row])
            at++;
        if (at < set->count && set->tags[at] == table->tag[row])
            continue;
        if (set->waiting_count == set->room) {
            size_t room = set->room == 0 ? 4096 : set->room * 2;
            uint32_t *waiting = reallocarray(set->waiting, room, sizeof *waiting);
            if (waiting == NULL)
                return ST_NOMEM;
            set->waiting = waiting;
            set->room = room;
        }
        set->waiting[set->waiting_count++] = table->tag[row];
    }
    /* The first host's tags are most of all; later ones come one by one. */
    return set->waiting_count > set->count / 4 ? tag_set_merge(set) : ST_OK;
}

static const struct compact_table *sized_table(const struct host_state *host, enum pool pool)
{
    const struct compact_table *table = host->table[pool];
    return table == NULL || table->bytes == NULL ? NULL : table;
}

static enum status find_tags(struct fleet_view *view, enum pool pool, struct tag_set *set)
{
    for (size_t i = 0; i < view->list.count; i++) {
        const struct compact_table *table = sized_table(view->list.items[i], pool);
        enum status status = table == NULL ? ST_OK : tag_set_add(set, table);
        if (status != ST_OK)
            return status;
    }
    return tag_set_merge(set);
}

static enum status build_tags(struct fleet_view *view)
{
    struct tag_set set[POOL_COUNT] = {{0}};
    enum status status = ST_OK;
    size_t total = 0;

    for (size_t p = 0; status == ST_OK && p < POOL_COUNT; p++) {
        status = find_tags(view, (enum pool)p, &set[p]);
        total += set[p].count;
    }
    if (status == ST_OK && (view->tags = calloc(total + 1, sizeof *view->tags)) == NULL)
        status = ST_NOMEM;
    for (size_t p = 0; status == ST_OK && p < POOL_COUNT; p++) {
        for (size_t i = 0; i < set[p].count; i++)
            view->tags[view->tag_count++] = (struct view_tag){
                .tag = set[p].tags[i], .pool = (enum pool)p, .max_host = VIEW_NONE};
    }
    for (size_t p = 0; p < POOL_COUNT; p++)
        tag_set_done(&set[p]);
    return status;
}

/* ---- kinds of hosts, and cohorts as sets of kinds --------------------------- */

struct members {
    size_t *kinds;
    size_t count;
};

struct kinds {
    size_t count;
    struct cohort_facts *facts; /* per kind */
    enum cohort_level *level;   /* per kind: what its hosts are compared at */
    size_t *end;                /* per kind: where its hosts end in order */
    size_t *order;              /* hosts, kind by kind */
    struct members *members;    /* per cohort of the view */
};

static void kinds_done(const struct fleet_view *view, struct kinds *kinds)
{
    for (size_t i = 0; kinds->members != NULL && i < view->cohort_count; i++)
        free(kinds->members[i].kinds);
    free(kinds->members);
    free(kinds->facts);
    free(kinds->level);
    free(kinds->end);
    free(kinds->order);
}

static void host_facts(const struct host_state *host, struct cohort_facts *ret_facts)
{
    const char *ram = host->shown[HOST_RAM];
    uint64_t ram_bytes = ram != NULL ? strtoull(ram, NULL, 10) : 0;
    int64_t uptime =
        host->boot_at_us == TIME_UNKNOWN ? TIME_UNKNOWN : host->taken_at_us - host->boot_at_us;

    if (ram_bytes == 0 && totals_has(&host->totals, TOTAL_PHYSICAL_BYTES))
        ram_bytes = host->totals.value[TOTAL_PHYSICAL_BYTES];
    cohort_facts_set(host->shown[HOST_OS_BUILD], host->shown[HOST_ROLE], ram_bytes, uptime,
                     ret_facts);
}

/* Hosts of one group of cohort_choose have equal facts; groups count from 0. */
static enum status find_kinds(const struct fleet_view *view, struct kinds *kinds)
{
    size_t count = view->list.count;
    AUTO_FREE struct cohort_facts *facts = calloc(count + 1, sizeof *facts);
    AUTO_FREE struct cohort_choice *choices = calloc(count + 1, sizeof *choices);

    kinds->facts = calloc(count + 1, sizeof *kinds->facts);
    kinds->level = calloc(count + 1, sizeof *kinds->level);
    kinds->end = calloc(count + 1, sizeof *kinds->end);
    kinds->order = calloc(count + 1, sizeof *kinds->order);
    if (facts == NULL || choices == NULL || kinds->facts == NULL || kinds->level == NULL ||
        kinds->end == NULL || kinds->order == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < count; i++)
        host_facts(view->list.items[i], &facts[i]);
    enum status status = cohort_choose(facts, count, choices);
    if (status != ST_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        size_t kind = choices[i].group;
        if (kinds->end[kind]++ == 0) {
            kinds->facts[kind] = facts[i];
            kinds->level[kind] = choices[i].level;
        }
        if (kind >= kinds->count)
            kinds->count = kind + 1;
    }
    for (size_t kind = 0, begin = 0; kind < kinds->count; kind++) {
        size_t hosts = kinds->end[kind];
        kinds->end[kind] = begin; /* moves on to its end below */
        begin += hosts;
    }
    for (size_t i = 0; i < count; i++)
        kinds->order[kinds->end[choices[i].group]++] = i;
    return ST_OK;
}

static size_t kind_begin(const struct kinds *kinds, size_t kind)
{
    return kind == 0 ? 0 : kinds->end[kind - 1];
}

/* Kinds that have the same peers at this level. cohort_same alone does not say so: bands one apart
 * are peers, but have not the same ones. */
static bool same_peers(const struct kinds *kinds, size_t a, size_t b, enum cohort_level level)
{
    return cohort_same(&kinds->facts[a], &kinds->facts[b], level) &&
           (level != COHORT_ANY_BAND || kinds->facts[a].band == kinds->facts[b].band);
}

static enum status cohort_add(struct fleet_view *view, struct kinds *kinds, size_t kind)
{
    struct view_cohort *cohort = &view->cohorts[view->cohort_count];
    struct members *members = &kinds->members[view->cohort_count];
    enum cohort_level level = kinds->level[kind];

    view->cohort_count++; /* now its parts are freed with the view's */
    cohort->peers = calloc(view->tag_count + 1, sizeof *cohort->peers);
    members->kinds = calloc(kinds->count, sizeof *members->kinds);
    if (cohort->peers == NULL || members->kinds == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < kinds->count; i++) {
        if (!cohort_same(&kinds->facts[kind], &kinds->facts[i], level))
            continue;
        members->kinds[members->count++] = i;
        cohort->hosts += kinds->end[i] - kind_begin(kinds, i);
    }
    cohort_name(&kinds->facts[kind], level, &cohort->name);
    return ST_OK;
}

static enum status build_cohorts(struct fleet_view *view, struct kinds *kinds)
{
    AUTO_FREE size_t *cohort_of = calloc(kinds->count + 1, sizeof *cohort_of);

    view->host_cohort = calloc(view->list.count + 1, sizeof *view->host_cohort);
    view->cohorts = calloc(kinds->count + 1, sizeof *view->cohorts);
    kinds->members = calloc(kinds->count + 1, sizeof *kinds->members);
    if (cohort_of == NULL || view->host_cohort == NULL || view->cohorts == NULL ||
        kinds->members == NULL)
        return ST_NOMEM;
    for (size_t kind = 0; kind < kinds->count; kind++) {
        enum cohort_level level = kinds->level[kind];
        size_t like = 0;
        while (like < kind &&
               (kinds->level[like] != level || !same_peers(kinds, like, kind, level)))
            like++;
        cohort_of[kind] = level == COHORT_LEVEL_COUNT ? VIEW_NONE
                          : like < kind               ? cohort_of[like]
                                                      : view->cohort_count;
        if (cohort_of[kind] == view->cohort_count) {
            enum status status = cohort_add(view, kinds, kind);
            if (status != ST_OK)
                return status;
        }
        for (size_t i = kind_begin(kinds, kind); i < kinds->end[kind]; i++)
            view->host_cohort[kinds->order[i]] = cohort_of[kind];
    }
    return ST_OK;
}

/* ---- a slice ---------------------------------------------------------------- */

struct slice {
    struct fleet_view *view;
    const struct kinds *kinds;
    enum pool pool;
    size_t first; /* its tags: index into view->tags */
    size_t count;
    size_t room;      /* most tags of a slice */
    uint32_t *tags;   /* their values, side by side */
    uint32_t *found;  /* per tag: hosts that have it */
    uint32_t *ends;   /* per kind and tag: found after the kind's last host */
    double *values;   /* per tag, room for each host */
    double *scratch;  /* a cohort's values of one tag */
    uint32_t *cursor; /* per host: its first row of this slice, and of the next one */
    uint32_t *next;
};

static void slice_done(struct slice *slice)
{
    free(slice->tags);
    free(slice->found);
    free(slice->ends);
    free(slice->values);
    free(slice->scratch);
    free(slice->cursor);
    free(slice->next);
}

static enum status slice_new(struct fleet_view *view, const struct kinds *kinds,
                             struct slice *slice)
{
    size_t hosts = view->list.count + 1;
    size_t room = SLICE_VALUES / hosts;

    room = room < SLICE_TAGS_MIN ? SLICE_TAGS_MIN : room > SLICE_TAGS_MAX ? SLICE_TAGS_MAX : room;
    *slice = (struct slice){.view = view, .kinds = kinds, .room = room};
    slice->tags = calloc(room, sizeof *slice->tags);
    slice->found = calloc(room, sizeof *slice->found);
    slice->ends = calloc((kinds->count + 1) * room, sizeof *slice->ends);
    slice->values = calloc(hosts * room, sizeof *slice->values);
    slice->scratch = calloc(hosts, sizeof *slice->scratch);
    slice->cursor = calloc(hosts, sizeof *slice->cursor);
    slice->next = calloc(hosts, sizeof *slice->next);
    return slice->tags == NULL || slice->found == NULL || slice->ends == NULL ||
                   slice->values == NULL || slice->scratch == NULL || slice->cursor == NULL ||
                   slice->next == NULL
               ? ST_NOMEM
               : ST_OK;
}

struct walk { /* over a host's rows of a slice */
    const struct host_state *host;
    const struct compact_table *table;
    uint32_t row;
    size_t at; /* index into the slice's tags */
};

static struct walk walk_begin(const struct slice *slice, size_t host)
{
    const struct host_state *state = slice->view->list.items[host];
    return (struct walk){state, sized_table(state, slice->pool), slice->cursor[host], 0};
}

static inline bool walk_on(const struct slice *slice, struct walk *walk)
{
    if (walk->table == NULL || walk->row >= walk->table->count)
        return false;
    uint32_t tag = walk->table->tag[walk->row];
    while (walk->at < slice->count && slice->tags[walk->at] < tag)
        walk->at++;
    return walk->at < slice->count;
}

static inline uint64_t walk_bytes(const struct walk *walk, const struct slice *slice)
{
    uint32_t bytes = walk->table->bytes[walk->row];
    return bytes != UINT32_MAX ? bytes : host_state_row(walk->host, slice->pool, walk->row).bytes;
}

static inline uint32_t walk_outstanding(const struct walk *walk, const struct slice *slice)
{
    uint16_t held = walk->table->held[walk->row];
    if (held != UINT16_MAX)
        return held;
    struct host_row row = host_state_row(walk->host, slice->pool, walk->row);
    return counter_delta(row.allocs, row.frees);
}

static void slice_host(struct slice *slice, size_t host)
{
    struct walk walk = walk_begin(slice, host);
    size_t hosts = slice->view->list.count;

    for (; walk_on(slice, &walk); walk.row++) {
        struct view_tag *tag = &slice->view->tags[slice->first + walk.at];
        uint64_t bytes = walk_bytes(&walk, slice);
        slice->values[walk.at * hosts + slice->found[walk.at]++] = (double)bytes;
        tag->bytes += bytes;
        if (tag->max_host == VIEW_NONE || bytes > tag->max_bytes ||
            (bytes == tag->max_bytes && host < tag->max_host)) {
            tag->max_bytes = bytes;
            tag->max_host = host;
        }
        if (walk.table->held != NULL) {
            tag->has_outstanding = true;
            tag->outstanding += walk_outstanding(&walk, slice);
        }
    }
    slice->next[host] = walk.row;
}

static void slice_gather(struct slice *slice)
{
    const struct kinds *kinds = slice->kinds;

    for (size_t i = 0; i < slice->count; i++) {
        slice->tags[i] = slice->view->tags[slice->first + i].tag;
        slice->found[i] = 0;
    }
    for (size_t kind = 0; kind < kinds->count; kind++) {
        for (size_t i = kind_begin(kinds, kind); i < kinds->end[kind]; i++)
            slice_host(slice, kinds->order[i]);
        memcpy(slice->ends + kind * slice->room, slice->found, slice->count * sizeof(uint32_t));
    }
}

/* Copies the cohort's values of one tag to scratch. */
static size_t slice_collect(struct slice *slice, const struct members *members, size_t at)
{
    const double *values = slice->values + at * slice->view->list.count;
    size_t count = 0;

    for (size_t i = 0; i < members->count; i++) {
        size_t kind = members->kinds[i];
        size_t from = kind == 0 ? 0 : slice->ends[(kind - 1) * slice->room + at];
        size_t n = slice->ends[kind * slice->room + at] - from;
        memcpy(slice->scratch + count, values + from, n * sizeof *values);
        count += n;
    }
    return count;
}

static void slice_peers(struct slice *slice)
{
    for (size_t c = 0; c < slice->view->cohort_count; c++) {
        for (size_t at = 0; at < slice->count; at++) {
            struct view_peer *peer = &slice->view->cohorts[c].peers[slice->first + at];
            peer->hosts = slice_collect(slice, &slice->kinds->members[c], at);
            peer->median = robust_median(slice->scratch, peer->hosts);
            peer->mad = robust_mad(slice->scratch, peer->hosts, peer->median);
        }
    }
}

/* Last: it reorders the values. */
static void slice_fleet(struct slice *slice)
{
    for (size_t at = 0; at < slice->count; at++) {
        struct view_tag *tag = &slice->view->tags[slice->first + at];
        double *values = slice->values + at * slice->view->list.count;
        tag->hosts = slice->found[at];
        tag->median_bytes = (uint64_t)robust_median(values, tag->hosts);
        tag->p99_bytes = (uint64_t)robust_quantile(values, tag->hosts, 0.99);
    }
}

static void slice_worst(struct slice *slice)
{
    struct fleet_view *view = slice->view;

    for (size_t host = 0; host < view->list.count; host++) {
        struct view_worst *worst = &view->host_worst[host];
        struct walk walk = walk_begin(slice, host);
        if (view->host_cohort[host] == VIEW_NONE)
            continue;
        const struct view_peer *peers = view->cohorts[view->host_cohort[host]].peers + slice->first;
        for (; walk_on(slice, &walk); walk.row++) {
            uint64_t bytes = walk_bytes(&walk, slice);
            /* false also when there is no median */
            if (!((double)bytes >= peers[walk.at].median + VIEW_MATTERS_BYTES))
                continue;
            double score = view_peer_score(&peers[walk.at], bytes);
            if (!isnan(score) && (isnan(worst->score) || score > worst->score))
                *worst = (struct view_worst){score, slice->first + walk.at};
        }
    }
}

static void slice_do(struct slice *slice)
{
    slice_gather(slice);
    slice_peers(slice);
    slice_worst(slice);
    slice_fleet(slice);
    uint32_t *next = slice->next;
    slice->next = slice->cursor;
    slice->cursor = next;
}

static enum status build_statistics(struct fleet_view *view, const struct kinds *kinds)
{
    struct slice slice;
    enum status status = slice_new(view, kinds, &slice);

    view->host_worst = calloc(view->list.count + 1, sizeof *view->host_worst);
    if (view->host_worst == NULL)
        status = ST_NOMEM;
    for (size_t i = 0; status == ST_OK && i < view->list.count; i++)
        view->host_worst[i] = (struct view_worst){NAN, VIEW_NONE};
    while (status == ST_OK && slice.first < view->tag_count) {
        enum pool pool = view->tags[slice.first].pool;
        if (slice.first == 0 || pool != slice.pool)
            memset(slice.cursor, 0, view->list.count * sizeof *slice.cursor);
        slice.pool = pool;
        slice.count = 0;
        while (slice.count < slice.room && slice.first + slice.count < view->tag_count &&
               view->tags[slice.first + slice.count].pool == pool)
            slice.count++;
        slice_do(&slice);
        slice.first += slice.count;
    }
    slice_done(&slice);
    return status;
}

enum status view_build(struct fleet_view *view)
{
    struct kinds kinds = {0};
    enum status status = build_tags(view);

    if (status == ST_OK)
        status = find_kinds(view, &kinds);
    if (status == ST_OK)
        status = build_cohorts(view, &kinds);
    if (status == ST_OK)
        status = build_statistics(view, &kinds);
    kinds_done(view, &kinds);
    return status;
}
