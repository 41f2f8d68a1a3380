/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/group.h"

#include "server/analyze/follow.h"
#include "server/analyze/mover.h"
#include "server/analyze/outlook.h"
#include "server/analyze/unite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* docs/detection.md, "Thresholds of grouping, causes and forecast": group */
#define SEED_BELIEF   0.3  /* a row nobody believes in starts no incident by itself */
#define OVERLAP_MIN   0.75 /* of the smaller host set */
#define OVERLAP_OTHER 0.3  /* of the larger one */
#define RATE_GAP      12.0 /* neighbouring rates this far apart are two leaks */
#define RATE_SPAN     0.1  /* of the longest growth: rates over less are not compared */

static const struct {
    char tag[5];
    const char *type;
} object_tags[] = {
    {"Thre", "Thread"},        {"Proc", "Process"},         {"Toke", "Token"},
    {"File", "File"},          {"Even", "Event"},           {"Muta", "Mutant"},
    {"Sema", "Semaphore"},     {"Sect", "Section"},         {"Key ", "Key"},
    {"Time", "Timer"},         {"Dire", "Directory"},       {"Symb", "SymbolicLink"},
    {"Job ", "Job"},           {"IoCo", "IoCompletion"},    {"AlPo", "ALPC Port"},
    {"ALPC", "ALPC Port"},     {"EtwR", "EtwRegistration"}, {"Desk", "Desktop"},
    {"Wind", "WindowStation"},
};

const char *group_object_type(uint32_t tag)
{
    for (size_t i = 0; i < sizeof object_tags / sizeof object_tags[0]; i++) {
        if (tag_from_bytes((const unsigned char *)object_tags[i].tag) == tag)
            return object_tags[i].type;
    }
    return NULL;
}

void incident_list_done(struct incident_list *list)
{
    arena_done(&list->arena);
    *list = (struct incident_list){0};
}

/* All pairs of one (pool, tag, verdict), and the hosts they are on. */
struct strand {
    struct pair *pairs;
    size_t count;
    const struct pair *all; /* of the tag, other strands of it included */
    size_t all_count;
    enum verdict verdict;
    size_t parent; /* union-find */
    double belief; /* summed */
    bool seed;
};

static size_t root_of(struct strand *strands, size_t i)
{
    while (strands[i].parent != i)
        i = strands[i].parent = strands[strands[i].parent].parent;
    return i;
}

/* Same hosts, and on them the same course. Pairs are sorted by host. */
static bool in_step(const struct strand *a, const struct strand *b)
{
    size_t common = 0;
    size_t like = 0;
    for (size_t i = 0, k = 0; i < a->count && k < b->count;) {
        if (a->pairs[i].host != b->pairs[k].host) {
            if (a->pairs[i].host < b->pairs[k].host)
                i++;
            else
                k++;
            continue;
        }
        common++;
        like +=
            a->verdict == VERDICT_HIGH || follow_alike(a->pairs[i].feature, b->pairs[k].feature);
        i++;
        k++;
    }
    size_t smaller = a->count < b->count ? a->count : b->count;
    size_t larger = a->count < b->count ? b->count : a->count;
    return common > 0 && (double)common >= OVERLAP_MIN * (double)smaller &&
           (double)common >= OVERLAP_OTHER * (double)larger && (double)like >= 0.7 * (double)common;
}

static void weigh(struct strand *strand)
{
    strand->belief = 0;
    strand->seed = false;
    for (size_t k = 0; k < strand->count; k++) {
        const struct pair *pair = &strand->pairs[k];
        strand->belief += pair->belief;
        strand->seed = strand->seed || pair->belief >= SEED_BELIEF || pair->own_belief >= 0.6;
    }
}

static size_t make_strands(struct pair *pairs, size_t count, struct strand *strands)
{
    size_t made = 0;
    for (size_t i = 0; i < count;) {
        size_t end = i;
        while (end < count && pairs[end].pool == pairs[i].pool && pairs[end].tag == pairs[i].tag)
            end++;
        struct strand *strand = &strands[made];
        *strand = (struct strand){.pairs = &pairs[i],
                                  .count = end - i,
                                  .all = &pairs[i],
                                  .all_count = end - i,
                                  .verdict = pairs[i].verdict,
                                  .parent = made};
        weigh(strand);
        made++;
        i = end;
    }
    return made;
}

/* Parts a strand in two: pairs where keep[] is set stay, the others become a strand of their own.
 * Both stay sorted by host. work: room for the pairs. */
static size_t part(struct strand *strands, size_t made, size_t which, const bool *keep,
                   struct pair *work)
{
    struct strand *strand = &strands[which];
    size_t kept = 0;
    size_t gone = 0;
    for (size_t i = 0; i < strand->count; i++) {
        if (keep[i])
            strand->pairs[kept++] = strand->pairs[i];
        else
            work[gone++] = strand->pairs[i];
    }
    if (gone == 0 || kept == 0)
        return made;
    memcpy(&strand->pairs[kept], work, gone * sizeof *work);
    strands[made] = *strand;
    strands[made].pairs = &strand->pairs[kept];
    strands[made].count = gone;
    strands[made].parent = made;
    strand->count = kept;
    weigh(strand);
    weigh(&strands[made]);
    return made + 1;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The rate above the widest gap between neighbours, or 0 where none is wide. rates: sorted here. */
static double find_gap(double *rates, size_t count)
{
    double cut = 0;
    double widest = RATE_GAP;
    qsort(rates, count, sizeof *rates, by_value);
    for (size_t i = 0; i + 1 < count; i++) {
        double gap = rates[i + 1] / fmax(rates[i], 1);
        if (gap > widest) {
            widest = gap;
            cut = rates[i + 1];
        }
    }
    return cut;
}

/* A host that only holds what it got has no rate to compare, nor has one that began to grow when
 * others had long been at it: one step of a stair makes any rate. */
static bool has_rate(const struct pair *pair, double longest)
{
    return pair->own_belief > 0 && (double)pair->feature->span_hours >= RATE_SPAN * longest;
}

/* Two leaks may share a tag. Rates of one leak differ with the load and with the machine's size,
 * but not by a wide gap in both bytes and share of RAM. */
static size_t part_by_rate(const struct fleet *fleet, struct strand *strands, size_t made,
                           bool *keep, struct pair *work, double *rates)
{
    for (size_t s = 0; s < made; s++) {
        struct strand *strand = &strands[s];
        double low = 0; /* the largest share below the gap */
        double high = INFINITY;
        if (strand->verdict != VERDICT_GROWS || strand->count < 2)
            continue;
        size_t growing = 0;
        double longest = 0;
        for (size_t i = 0; i < strand->count; i++)
            longest = fmax(longest, (double)strand->pairs[i].feature->span_hours);
        for (size_t i = 0; i < strand->count; i++)
            if (has_rate(&strand->pairs[i], longest))
                rates[growing++] = (double)strand->pairs[i].feature->rate;
        double cut = find_gap(rates, growing);
        for (size_t i = 0; i < strand->count && cut > 0; i++) {
            double rate = (double)strand->pairs[i].feature->rate;
            double share = rate / fleet->hosts[strand->pairs[i].host].ram;
            bool rated = has_rate(&strand->pairs[i], longest);
            keep[i] = rate >= cut || !rated;
            if (!rated)
                continue;
            if (keep[i])
                high = fmin(high, share);
            else
                low = fmax(low, share);
        }
        if (cut > 0 && high > RATE_GAP * low)
            made = part(strands, made, s, keep, work);
    }
    return made;
}

static const struct pair *pair_of(const struct strand *strand, uint32_t host)
{
    size_t low = 0;
    size_t high = strand->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strand->pairs[middle].host < host)
            low = middle + 1;
        else
            high = middle;
    }
    return low < strand->count && strand->pairs[low].host == host ? &strand->pairs[low] : NULL;
}

/* b's hosts beyond those of a: do they lack a's growth altogether? Then they are another story. */
static bool parts_cleanly(const struct fleet *fleet, const struct strand *a, const struct strand *b,
                          bool *keep)
{
    size_t common = 0;
    size_t beyond = 0;
    size_t show = 0;
    size_t like = 0;
    for (size_t i = 0; i < b->count; i++) {
        const struct pair *pair = pair_of(a, b->pairs[i].host);
        const struct feature *feature =
            fleet_feature(&fleet->hosts[b->pairs[i].host], a->pairs[0].pool, a->pairs[0].tag);
        keep[i] = pair != NULL;
        common += keep[i];
        like += pair != NULL && follow_alike(pair->feature, b->pairs[i].feature);
        beyond += !keep[i];
        show += !keep[i] && feature != NULL && feature->growth > 0 && feature->newness > 0.3f;
    }
    return beyond > 0 && common >= 2 && common == a->count && like == common && show == 0;
}

static size_t part_by_company(const struct fleet *fleet, struct strand *strands, size_t made,
                              bool *keep, struct pair *work)
{
    size_t before = made;
    for (size_t b = 0; b < before; b++) {
        for (size_t a = 0; a < before; a++) {
            if (a != b && strands[b].verdict == VERDICT_GROWS && strands[a].seed &&
                strands[a].count < strands[b].count &&
                parts_cleanly(fleet, &strands[a], &strands[b], keep)) {
                made = part(strands, made, b, keep, work);
                break;
            }
        }
    }
    return made;
}

static void join_strands(struct strand *strands, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = i + 1; k < count; k++) {
            size_t a = root_of(strands, i);
            size_t b = root_of(strands, k);
            if (a == b || strands[i].verdict != strands[k].verdict || !strands[i].seed ||
                !strands[k].seed || !in_step(&strands[i], &strands[k]))
                continue;
            strands[a > b ? a : b].parent = a > b ? b : a;
        }
    }
}

/* The strand that says most about which hosts are affected. */
static const struct strand *leading(struct strand *strands, size_t count, size_t root)
{
    const struct strand *best = NULL;
    for (size_t i = 0; i < count; i++) {
        if (root_of(strands, i) == root && strands[i].seed &&
            (best == NULL || strands[i].belief > best->belief + 1e-9))
            best = &strands[i];
    }
    return best;
}

/* Peers bear it out, or there are none to ask. */
static bool is_supported(const struct pair *pair)
{
    return pair->belief >= SEED_BELIEF;
}

/* Of the hosts that are sure, or of all where none is. */
static double median_rate(const struct strand *strand, bool supported, double *work)
{
    size_t count = 0;
    for (size_t i = 0; i < strand->count; i++) {
        if (!supported || is_supported(&strand->pairs[i]))
            work[count++] = (double)strand->pairs[i].feature->rate;
    }
    return robust_median(work, count);
}

/* Where peers bear some hosts out, the others of the strand have to fit to those. */
static enum membership judge_member(const struct fleet *fleet, const struct strand *lead,
                                    const struct pair *pair, size_t host, bool supported,
                                    double rate)
{
    enum pool pool = lead->pairs[0].pool;
    uint32_t tag = lead->pairs[0].tag;
    for (size_t i = 0; pair == NULL && i < lead->all_count; i++) {
        if (lead->all[i].host == host)
            return MEMBER_UNCLEAR; /* has another leak of the same tag */
    }
    if (pair != NULL && (!supported || is_supported(pair)))
        return pair->filling ? MEMBER_UNCLEAR : MEMBER_YES;
    enum membership is = detect_growth_member(&fleet->hosts[host], pool, tag, rate);
    const struct feature *feature = fleet_feature(&fleet->hosts[host], pool, tag);
    if (is == MEMBER_YES && feature != NULL && detect_is_filling(fleet, host, feature))
        return MEMBER_UNCLEAR;
    return is;
}

/* Hosts of the leading strand, and those that show the same growth less clearly. */
static enum status complete_hosts(const struct fleet *fleet, const struct strand *lead,
                                  struct arena *arena, struct incident *incident, double *work)
{
    size_t n = fleet->count;
    incident->hosts = arena_alloc(arena, n, sizeof *incident->hosts);
    incident->unaffected = arena_alloc(arena, n, sizeof *incident->unaffected);
    incident->belief = arena_alloc(arena, n, sizeof *incident->belief);
    incident->own_belief = arena_alloc(arena, n, sizeof *incident->own_belief);
    incident->score = arena_alloc(arena, n, sizeof *incident->score);
    if (incident->hosts == NULL || incident->unaffected == NULL || incident->belief == NULL ||
        incident->own_belief == NULL || incident->score == NULL)
        return ST_NOMEM;
    bool supported = false;
    for (size_t i = 0; i < lead->count; i++)
        supported = supported || is_supported(&lead->pairs[i]);
    double rate = median_rate(lead, supported, work);
    double least = INFINITY; /* of the high ones */
    for (size_t i = 0; i < lead->count; i++)
        least = fmin(least, (double)lead->pairs[i].feature->bytes);
    for (size_t h = 0, at = 0; h < n; h++) {
        const struct pair *pair = NULL;
        if (at < lead->count && lead->pairs[at].host == h)
            pair = &lead->pairs[at++];
        enum membership is = MEMBER_YES;
        if (lead->verdict == VERDICT_GROWS)
            is = judge_member(fleet, lead, pair, h, supported, rate);
        else if (pair == NULL)
            is =
                fleet_bytes(&fleet->hosts[h], lead->pairs[0].pool, lead->pairs[0].tag) < 0.5 * least
                    ? MEMBER_NO
                    : MEMBER_UNCLEAR;
        if (is == MEMBER_NO)
            incident->unaffected[incident->unaffected_count++] = (uint32_t)h;
        if (is != MEMBER_YES)
            continue;
        size_t k = incident->host_count++;
        incident->hosts[k] = (uint32_t)h;
        incident->belief[k] = pair == NULL ? 0 : pair->belief;
        incident->own_belief[k] = pair == NULL ? 0 : pair->own_belief;
        incident->score[k] = pair == NULL ? NAN : pair->score;
    }
    return ST_OK;
}

static double median_of(const struct fleet *fleet, const struct incident *incident, enum pool pool,
                        uint32_t tag, size_t offset, double *work)
{
    size_t count = 0;
    for (size_t i = 0; i < incident->host_count; i++) {
        const struct feature *feature = fleet_feature(&fleet->hosts[incident->hosts[i]], pool, tag);
        if (feature == NULL)
            continue;
        float value;
        memcpy(&value, (const char *)feature + offset, sizeof value);
        if (!isnan(value))
            work[count++] = (double)value;
    }
    return robust_median(work, count);
}

static void measure_row(const struct fleet *fleet, const struct incident *incident,
                        struct incident_row *row, double *work)
{
    row->count_growth = median_of(fleet, incident, row->pool, row->tag,
                                  offsetof(struct feature, count_growth), work);
    row->free_share =
        median_of(fleet, incident, row->pool, row->tag, offsetof(struct feature, free_share), work);
    row->boot_frees =
        median_of(fleet, incident, row->pool, row->tag, offsetof(struct feature, boot_frees), work);
    row->bytes =
        median_of(fleet, incident, row->pool, row->tag, offsetof(struct feature, bytes), work);
    row->onset = median_of(fleet, incident, row->pool, row->tag,
                           offsetof(struct feature, onset_hours), work);
}

/* Parts of the system that hold memory for whoever uses them: seldom the first cause. */
static bool is_generic(const struct tagdict *dict, uint32_t tag)
{
    static const char *const drivers[] = {"nt!",        "nt",       "ntoskrnl", "ntfs.sys",
                                          "fltmgr.sys", "refs.sys", "win32k"};
    const struct tagdict_entry *entry = dict == NULL ? NULL : tagdict_find(dict, tag);
    for (size_t i = 0;
         entry != NULL && entry->driver != NULL && i < sizeof drivers / sizeof drivers[0]; i++) {
        if (strncasecmp(entry->driver, drivers[i], strlen(drivers[i])) == 0)
            return true;
    }
    return false;
}

static int row_order(const void *a, const void *b)
{
    const struct incident_row *x = a;
    const struct incident_row *y = b;
    if (fabs(x->bytes - y->bytes) > 0)
        return x->bytes > y->bytes ? -1 : 1;
    return x->pool != y->pool ? (int)x->pool - (int)y->pool : tag_compare(x->tag, y->tag);
}

/* What else than its lead speaks for a first mover: it frees nothing, has few and small blocks, and
 * belongs to a driver rather than to the system. */
static void judge_prior(const struct tagdict *dict, struct incident *incident)
{
    double least = INFINITY;
    double smallest = INFINITY;
    for (size_t i = 0; i < incident->row_count; i++) {
        const struct incident_row *row = &incident->rows[i];
        if (row->count_growth > 0)
            least = fmin(least, row->count_growth);
        smallest = fmin(smallest, row->bytes);
    }
    for (size_t i = 0; i < incident->row_count; i++) {
        struct incident_row *row = &incident->rows[i];
        double score = 0;
        bool level = incident->verdict == VERDICT_HIGH || isnan(row->free_share);
        double frees = level ? row->boot_frees : row->free_share;
        if (!isnan(frees))
            score += 2 * (1 - fmin(fmax(frees, 0), 1));
        if (row->count_growth > 0)
            score += least / row->count_growth;
        score += 1 / (1 + log2(fmax(row->bytes / fmax(smallest, 1), 1)) / 3);
        score -= is_generic(dict, row->tag) ? 1.5 : 0;
        row->first_score = score;
    }
}

static void name_first_mover(const struct fleet *fleet, const struct tagdict *dict,
                             struct incident *incident)
{
    struct mover_row rows[INCIDENT_TAGS_MAX];
    judge_prior(dict, incident);
    qsort(incident->rows, incident->row_count, sizeof *incident->rows, row_order);
    for (size_t i = 0; i < incident->row_count; i++)
        rows[i] = (struct mover_row){.pool = incident->rows[i].pool,
                                     .tag = incident->rows[i].tag,
                                     .prior = incident->rows[i].first_score};
    size_t first = mover_first(fleet, incident->hosts, incident->host_count, incident->unaffected,
                               incident->unaffected_count, rows, incident->row_count);
    for (size_t i = 0; i < incident->row_count; i++) {
        incident->rows[i].ratio = rows[i].ratio;
        incident->rows[i].lag = rows[i].lag;
    }
    struct incident_row mover = incident->rows[first];
    memmove(&incident->rows[1], &incident->rows[0], first * sizeof mover);
    incident->rows[0] = mover;
}

static enum status make_incident(const struct fleet *fleet, struct strand *strands, size_t count,
                                 size_t root, struct arena *arena, double *work,
                                 struct incident *ret_incident)
{
    struct incident incident = {0};
    const struct strand *lead = leading(strands, count, root);
    incident.verdict = lead->verdict;
    incident.rows = arena_alloc(arena, INCIDENT_TAGS_MAX, sizeof *incident.rows);
    if (incident.rows == NULL || complete_hosts(fleet, lead, arena, &incident, work) != ST_OK)
        return ST_NOMEM;
    incident.rows[incident.row_count++] =
        (struct incident_row){.pool = lead->pairs[0].pool, .tag = lead->pairs[0].tag};
    for (size_t i = 0; i < count && incident.row_count < INCIDENT_TAGS_MAX; i++) {
        if (root_of(strands, i) == root && strands[i].seed && &strands[i] != lead)
            incident.rows[incident.row_count++] = (struct incident_row){
                .pool = strands[i].pairs[0].pool, .tag = strands[i].pairs[0].tag};
    }
    if (incident.verdict == VERDICT_GROWS)
        follow_growth(fleet, lead->pairs, lead->count, &incident);
    else
        follow_level(fleet, lead->pairs, lead->count, &incident);
    *ret_incident = incident;
    return ST_OK;
}

/* A verdict at a time, since a tag may grow on some hosts and be high on others. */
static enum status group_verdict(const struct fleet *fleet, struct pair *pairs, size_t count,
                                 struct incident_list *list)
{
    AUTO_FREE struct strand *strands = calloc(count + 1, sizeof *strands);
    AUTO_FREE double *work = calloc(fleet->count + 1, sizeof *work);
    AUTO_FREE struct pair *moved = calloc(fleet->count + 1, sizeof *moved);
    AUTO_FREE bool *keep = calloc(fleet->count + 1, sizeof *keep);
    if (strands == NULL || work == NULL || moved == NULL || keep == NULL)
        return ST_NOMEM;
    size_t made = make_strands(pairs, count, strands);
    made = part_by_rate(fleet, strands, made, keep, moved, work);
    made = part_by_company(fleet, strands, made, keep, moved);
    join_strands(strands, made);
    for (size_t i = 0; i < made; i++) {
        if (root_of(strands, i) != i || leading(strands, made, i) == NULL)
            continue;
        if (make_incident(fleet, strands, made, i, &list->arena, work, &list->items[list->count]) !=
            ST_OK)
            return ST_NOMEM;
        list->count++;
    }
    return ST_OK;
}

static enum status name_movers(const struct fleet *fleet, const struct tagdict *dict,
                               struct incident_list *list)
{
    AUTO_FREE double *work = calloc(fleet->count + 1, sizeof *work);
    if (work == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < list->count; i++) {
        struct incident *incident = &list->items[i];
        for (size_t r = 0; r < incident->row_count; r++)
            measure_row(fleet, incident, &incident->rows[r], work);
        name_first_mover(fleet, dict, incident);
        if (incident->verdict == VERDICT_GROWS)
            outlook_form(fleet, incident, &incident->form);
    }
    return ST_OK;
}

enum status group_pairs(const struct fleet *fleet, const struct pair *pairs, size_t pair_count,
                        const struct tagdict *dict, struct incident_list *ret_list)
{
    AUTO_INCIDENTS struct incident_list list = {0};
    AUTO_FREE struct pair *some = calloc(pair_count + 1, sizeof *some);
    list.items = arena_alloc(&list.arena, pair_count + 1, sizeof *list.items);
    if (some == NULL || list.items == NULL)
        return ST_NOMEM;
    for (int verdict = VERDICT_GROWS; verdict <= VERDICT_HIGH; verdict++) {
        size_t count = 0;
        for (size_t i = 0; i < pair_count; i++) {
            if (pairs[i].verdict == (enum verdict)verdict)
                some[count++] = pairs[i];
        }
        if (group_verdict(fleet, some, count, &list) != ST_OK)
            return ST_NOMEM;
    }
    unite_incidents(&list);
    if (name_movers(fleet, dict, &list) != ST_OK)
        return ST_NOMEM;
    *ret_list = list;
    list = (struct incident_list){0};
    return ST_OK;
}
