/* SPDX-License-Identifier: Apache-2.0 */
#include "server/state/contrast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEVEL      0.95
#define Q_MAX      0.05 /* as the analysis' CAUSE_Q_MAX */
#define RATIO_FAR  2.0  /* as its CAUSE_RISK_MIN */
#define MEMO_SLOTS 8192

const char *const contrast_verdict_names[CONTRAST_VERDICT_COUNT] = {"separates", "hint", "alike",
                                                                    "too_few"};

/* Figures of one table, shared by all values with the same counts. */
struct memo {
    struct exact_table table;
    bool used;
    bool has_range;
    double p;
    double least_p;
    double ratio;
    struct exact_range ratio_range, share, other_share;
};

struct work {
    const struct contrast_input *input;
    size_t pairs, names, total; /* values: pairs, then drivers as such, then extras */
    uint32_t *with[2];          /* by value, on each side */
    size_t told[2][2];
    struct memo *memos;
    struct memo spare; /* when the slots are full */
    size_t memo_count;
};

static void work_done(struct work *work)
{
    free(work->with[0]);
    free(work->with[1]);
    free(work->memos);
}

/* ---- counting --------------------------------------------------------------- */

static void count_host(struct work *work, size_t at)
{
    const struct contrast_input *input = work->input;
    const struct facts *facts = input->facts;
    const struct facts_host *host = input->hosts[at];
    unsigned side = input->sides[at] == CONTRAST_SELECTED ? 0 : 1;
    uint32_t *with = work->with[side];
    size_t extra = work->pairs + work->names;

    for (size_t i = 0; i < input->extra_count; i++) {
        if (input->extras[i].of[at] < input->extras[i].count)
            with[extra + input->extras[i].of[at]]++;
        extra += input->extras[i].count;
    }
    if (host == NULL)
        return;
    work->told[side][0] += host->attributes > 0;
    work->told[side][1] += host->count > host->attributes;
    for (size_t i = 0; i < host->count; i++) {
        uint32_t pair = facts->facts[host->facts[i]].pair;
        with[pair]++;
        with[work->pairs + facts->pairs[pair].name]++;
    }
}

/* ---- judging ---------------------------------------------------------------- */

static bool same_table(const struct exact_table *a, const struct exact_table *b)
{
    return a->with == b->with && a->without == b->without && a->other_with == b->other_with &&
           a->other_without == b->other_without;
}

static struct memo *memo_of(struct work *work, const struct exact_table *table)
{
    size_t at = (table->with * 0x9E3779B1u + table->other_with * 0x85EBCA77u +
                 table->without * 0xC2B2AE3Du) %
                MEMO_SLOTS;

    while (work->memos[at].used && !same_table(&work->memos[at].table, table))
        at = (at + 1) % MEMO_SLOTS;
    struct memo *memo = &work->memos[at];
    if (memo->used)
        return memo;
    if (work->memo_count * 2 > MEMO_SLOTS)
        memo = &work->spare;
    else
        work->memo_count++;
    *memo = (struct memo){.table = *table,
                          .used = true,
                          .p = exact_p(table),
                          .least_p = exact_least_p(table),
                          .ratio = exact_ratio(table)};
    return memo;
}

static void add_ranges(struct memo *memo)
{
    const struct exact_table *t = &memo->table;

    if (memo->has_range)
        return;
    memo->has_range = true;
    memo->share = exact_share(t->with, t->with + t->without, LEVEL);
    memo->other_share = exact_share(t->other_with, t->other_with + t->other_without, LEVEL);
    memo->ratio_range = exact_ratio_range(t, LEVEL);
}

static double share_of(size_t with, size_t all)
{
    return all == 0 ? 0 : (double)with / (double)all;
}

/* Our own bookkeeping, and what names a host rather than describes it. */
static bool is_telling(const struct fact_name *name)
{
    static const char *const skipped[] = {"host.id", "host.name", "service.instance.id"};

    if (name->driver)
        return true;
    if (strncmp(name->text, "poolfleet.", 10) == 0)
        return false;
    for (size_t i = 0; i < sizeof skipped / sizeof skipped[0]; i++)
        if (strcmp(name->text, skipped[i]) == 0)
            return false;
    return true;
}

/* What value number `id` is. False: it is none, or does not count. */
static bool describe(const struct work *work, size_t id, struct contrast_item *item)
{
    const struct facts *facts = work->input->facts;

    *item = (struct contrast_item){.id = (int64_t)id};
    if (id < work->pairs + work->names) {
        bool any = id >= work->pairs;
        const struct fact_name *name =
            &facts->names[any ? id - work->pairs : facts->pairs[id].name];
        item->name = name->text;
        item->driver = name->driver;
        item->any = any;
        item->value = any ? NULL : facts->pairs[id].value;
        return is_telling(name) && (!any || name->driver);
    }
    size_t place = id - work->pairs - work->names, i = 0;
    while (place >= work->input->extras[i].count)
        place -= work->input->extras[i++].count;
    item->extra = true;
    item->name = work->input->extras[i].name;
    item->value = work->input->extras[i].values[place];
    return true;
}

static void weigh(struct work *work, size_t selected, size_t baseline, struct contrast_item *item)
{
    size_t a = work->with[0][item->id], c = work->with[1][item->id];
    size_t n = item->extra ? selected : work->told[0][item->driver];
    size_t m = item->extra ? baseline : work->told[1][item->driver];

    item->table = (struct exact_table){a, n - a, c, m - c};
    item->separation = share_of(a, n) - share_of(c, m);
    item->p = memo_of(work, &item->table)->p;
}

static int by_p(const void *left, const void *right)
{
    double a = ((const struct contrast_item *)left)->p,
           b = ((const struct contrast_item *)right)->p;
    return (a > b) - (a < b);
}

/* "Any version" is worth a row only beside versions that say less. */
static int by_separation(const void *left, const void *right)
{
    const struct contrast_item *a = left, *b = right;
    double x = fabs(a->separation), y = fabs(b->separation);

    if (x != y)
        return x > y ? -1 : 1;
    if (a->p != b->p)
        return a->p < b->p ? -1 : 1;
    if (a->any != b->any)
        return a->any ? 1 : -1;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : (a->id > b->id) - (a->id < b->id);
}

static void judge(struct work *work, struct contrast_item *item)
{
    struct memo *memo = memo_of(work, &item->table);
    bool far;

    add_ranges(memo);
    item->ratio = memo->ratio;
    item->ratio_range = memo->ratio_range;
    item->share = memo->share;
    item->other_share = memo->other_share;
    far = item->ratio >= RATIO_FAR || item->ratio <= 1 / RATIO_FAR;
    if (memo->least_p > Q_MAX)
        item->verdict = CONTRAST_TOO_FEW;
    else if (item->p > Q_MAX)
        item->verdict = CONTRAST_ALIKE;
    else
        item->verdict = item->q <= Q_MAX && far ? CONTRAST_SEPARATES : CONTRAST_HINT;
}

static enum status judge_all(struct work *work, struct contrast *contrast)
{
    AUTO_FREE double *p = malloc((contrast->count + 1) * sizeof *p);

    if (p == NULL)
        return ST_NOMEM;
    qsort(contrast->items, contrast->count, sizeof *contrast->items, by_p);
    for (size_t i = 0; i < contrast->count; i++)
        p[i] = contrast->items[i].p;
    exact_adjust(p, contrast->count);
    for (size_t i = 0; i < contrast->count; i++)
        contrast->items[i].q = p[i];
    contrast->tested = contrast->count;
    qsort(contrast->items, contrast->count, sizeof *contrast->items, by_separation);
    if (contrast->count > CONTRAST_ITEMS_MAX)
        contrast->count = CONTRAST_ITEMS_MAX;
    for (size_t i = 0; i < contrast->count; i++)
        judge(work, &contrast->items[i]);
    return ST_OK;
}

/* ---- all of it -------------------------------------------------------------- */

void contrast_done(struct contrast *contrast)
{
    free(contrast->items);
    *contrast = (struct contrast){0};
}

static enum status work_start(const struct contrast_input *input, struct work *work)
{
    *work = (struct work){
        .input = input, .pairs = input->facts->pair_count, .names = input->facts->name_count};
    work->total = work->pairs + work->names;
    for (size_t i = 0; i < input->extra_count; i++)
        work->total += input->extras[i].count;
    work->with[0] = calloc(work->total + 1, sizeof *work->with[0]);
    work->with[1] = calloc(work->total + 1, sizeof *work->with[1]);
    work->memos = calloc(MEMO_SLOTS, sizeof *work->memos);
    return work->with[0] == NULL || work->with[1] == NULL || work->memos == NULL ? ST_NOMEM : ST_OK;
}

enum status contrast_make(const struct contrast_input *input, struct contrast *ret_contrast,
                          struct err *err)
{
    CLEANUP(work_done) struct work work = {0};
    AUTO_CONTRAST struct contrast contrast = {0};

    if (work_start(input, &work) != ST_OK ||
        (contrast.items = calloc(work.total + 1, sizeof *contrast.items)) == NULL)
        return err_set(err, ST_NOMEM, "could not compare hosts: out of memory");
    for (size_t i = 0; i < input->count; i++) {
        contrast.selected += input->sides[i] == CONTRAST_SELECTED;
        contrast.baseline += input->sides[i] == CONTRAST_BASELINE;
        if (input->sides[i] != CONTRAST_NEITHER)
            count_host(&work, i);
    }
    for (size_t id = 0; id < work.total; id++) {
        struct contrast_item *item = &contrast.items[contrast.count];
        if (work.with[0][id] + work.with[1][id] == 0 || !describe(&work, id, item))
            continue;
        weigh(&work, contrast.selected, contrast.baseline, item);
        contrast.count++;
    }
    memcpy(contrast.told, work.told, sizeof contrast.told);
    if (judge_all(&work, &contrast) != ST_OK)
        return err_set(err, ST_NOMEM, "could not compare hosts: out of memory");
    *ret_contrast = contrast;
    contrast = (struct contrast){0};
    return ST_OK;
}
