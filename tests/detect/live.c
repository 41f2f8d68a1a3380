/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The benchmark's fleets on the live path (server/analyze/kept.h). A host goes through all its
 * passes before the next one does, since nothing is compared until the last; so only one host's
 * documents are in memory at a time.
 */
#include "tests/detect/live.h"

#include "server/analyze/kept.h"

#include <math.h>
#include <stdlib.h>

#define LIVE_HOURS (2.0 - 1 / 6.0)      /* of documents; with the grid they fit into WORLD_LONG */
#define LIVE_STEP  (1 / 6.0)            /* between passes */
#define LIVE_AGE   (20 * US_PER_MINUTE) /* the server's, see analysis_live_options.age_us */
#define LIVE_WHOLE 10 /* every so many documents one is told whole, else as changes to the last */

struct live {
    const struct world *world;
    struct analysis *analysis;
    struct analyze_options options;
    struct live_count *count;
};

static void must(enum status status, const struct err *err)
{
    if (status == ST_OK)
        return;
    fprintf(stderr, "bench-detect: could not run a live pass: %s\n", err->message);
    abort();
}

static void begin(struct live *live, double as_of)
{
    live->options.as_of_us = world_us(live->world, as_of);
    analysis_again(live->analysis, &live->options);
}

/* Rows that are not as they were in the document before. Tags rise in both. */
static void keep_changes(const struct snapshot_table *before, const struct snapshot_table *now,
                         struct arena *arena, struct snapshot_table *ret_changes)
{
    struct snapshot_table *to = ret_changes;
    if (snapshot_table_alloc(arena, to, now->count + 1, COLUMN_ALL) != ST_OK)
        abort();
    to->present = true;
    to->count = 0;
    for (size_t i = 0, b = 0; i < now->count; i++) {
        while (b < before->count && before->tag[b] < now->tag[i])
            b++;
        bool same = b < before->count && before->tag[b] == now->tag[i] &&
                    before->bytes[b] == now->bytes[i] && before->allocs[b] == now->allocs[i] &&
                    before->frees[b] == now->frees[i];
        if (same)
            continue;
        to->tag[to->count] = now->tag[i];
        to->bytes[to->count] = now->bytes[i];
        to->allocs[to->count] = now->allocs[i];
        to->frees[to->count++] = now->frees[i];
    }
}

static void put(struct live *live, struct kept *kept, struct world_view *view, size_t at)
{
    const struct analyze_point *point = &view->host.points[at];
    struct snapshot_table changes[POOL_COUNT];
    struct err err = {0};
    struct kept_document document = {.point = *point,
                                     .sequence = (int64_t)at,
                                     .base = (int64_t)at - 1,
                                     .received_us = point->taken_at_us,
                                     .complete = at % LIVE_WHOLE == 0,
                                     .details = true};
    for (int pool = 0; pool < POOL_COUNT && !document.complete; pool++)
        keep_changes(&point[-1].table[pool], &point->table[pool], &view->arena, &changes[pool]);
    if (!document.complete)
        document.point.table = changes;
    must(kept_put(kept, &document), &err);
    live->count->documents++;
}

static void read_again(struct live *live, struct kept *kept, size_t host, double as_of)
{
    struct world_view view;
    struct err err = {0};
    world_view_make(live->world, host, as_of, &view);
    begin(live, as_of);
    if (view.host.point_count > 0)
        must(analysis_keep(live->analysis, kept, &view.host, 0, live->options.as_of_us, &err),
             &err);
    live->count->again++;
    world_view_done(&view);
}

static struct kept *live_host(struct live *live, size_t host, double as_of)
{
    struct kept *kept = kept_new();
    struct world_view view;
    struct err err = {0};
    double since = as_of - LIVE_HOURS;
    size_t next;
    if (kept == NULL)
        abort();
    world_view_long(live->world, host, since, as_of, &view, &next);
    size_t count = view.host.point_count;
    view.host.point_count = next;
    begin(live, since);
    if (next > 0)
        must(analysis_keep(live->analysis, kept, &view.host, (int64_t)next - 1,
                           live->options.as_of_us, &err),
             &err);
    bool lost = next == 0;
    for (double step = since; step < as_of - 1e-9 && !lost;) {
        step = fmin(step + LIVE_STEP, as_of);
        begin(live, step);
        for (; next < count && view.host.points[next].taken_at_us <= live->options.as_of_us; next++)
            put(live, kept, &view, next);
        lost = kept_lost(kept) || kept_facts_due(kept);
        if (!lost)
            must(analysis_add_kept(live->analysis, kept, LIVE_AGE, &err), &err);
    }
    if (lost)
        read_again(live, kept, host, as_of);
    world_view_done(&view);
    return kept;
}

void live_run(const struct world *world, double as_of, const struct tagdict *dict,
              struct finding_list *ret_list, struct live_count *count)
{
    AUTO_ANALYSIS struct analysis *analysis = NULL;
    struct live live = {.world = world, .options = {.tagdict = dict}, .count = count};
    struct err err = {0};
    struct kept **kept = calloc(world->host_count + 1, sizeof(struct kept *));
    must(analysis_new(&live.options, &analysis, &err), &err);
    live.analysis = analysis;
    for (size_t i = 0; i < world->host_count && kept != NULL; i++)
        kept[i] = live_host(&live, i, as_of);
    begin(&live, as_of);
    for (size_t i = 0; i < world->host_count && kept != NULL; i++)
        must(analysis_add_kept(analysis, kept[i], LIVE_AGE, &err), &err);
    must(analysis_finish(analysis, ret_list, &err), &err);
    count->hosts += world->host_count;
    for (size_t i = 0; i < world->host_count && kept != NULL; i++)
        kept_free(kept[i]);
    free(kept);
}
