/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/analyze.h"

#include "server/analyze/build.h"
#include "server/analyze/exhaust.h"
#include "server/analyze/fault.h"
#include "server/analyze/kept_inside.h"
#include "server/analyze/kept_store.h"
#include "server/analyze/shift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct analysis {
    struct analyze_options options;
    struct fleet fleet;
    bool finished;
};

enum status analysis_new(const struct analyze_options *options, struct analysis **ret_analysis,
                         struct err *err)
{
    struct analysis *analysis = calloc(1, sizeof *analysis);
    if (analysis == NULL)
        return err_set(err, ST_NOMEM, "could not begin the analysis: out of memory");
    analysis->options = *options;
    *ret_analysis = analysis;
    return ST_OK;
}

void analysis_free(struct analysis *analysis)
{
    if (analysis == NULL)
        return;
    fleet_done(&analysis->fleet);
    free(analysis);
}

enum status analysis_add_host(struct analysis *analysis, const struct analyze_host *host,
                              struct err *err)
{
    if (analysis->finished)
        return err_set(err, ST_BUG, "could not add a host: the analysis is finished");
    if (host->id == NULL)
        return err_set(err, ST_INVALID, "could not add a host: it has no id");
    return fleet_add_host(&analysis->fleet, host, analysis->options.as_of_us, err);
}

/* ---- hosts that stay read ---------------------------------------------------- */

void analysis_again(struct analysis *analysis, const struct analyze_options *options)
{
    analysis->options = *options;
    analysis->finished = false;
    analysis->fleet.count = analysis->fleet.fault_count = 0;
}

static enum status told(enum status status, const char *id, struct err *err)
{
    return status == ST_OK ? ST_OK
                           : err_set(err, status, "could not read host \"%.64s\": out of memory",
                                     id == NULL ? "" : id);
}

enum status analysis_keep(struct analysis *analysis, struct kept *kept,
                          const struct analyze_host *host, int64_t sequence, int64_t received_us,
                          struct err *err)
{
    enum status status = fleet_keep(&analysis->fleet, kept, host, analysis->options.as_of_us);
    if (status == ST_OK) {
        kept->sequence = sequence;
        kept->received_us = received_us;
    }
    return told(status, host->id, err);
}

enum status analysis_tell(struct analysis *analysis, struct kept *kept,
                          const struct analyze_host *host, struct err *err)
{
    return kept->pick_count == 0 ? ST_OK
                                 : told(fleet_tell(&analysis->fleet, kept, host), host->id, err);
}

#define TEXTS_SPARE 65536 /* chosen: some megabytes */

enum status analysis_trim(struct analysis *analysis, struct kept *const *kept, size_t count,
                          struct err *err)
{
    struct fleet *fleet = &analysis->fleet;
    if (fleet->text_count <= 2 * fleet->texts_kept + TEXTS_SPARE)
        return ST_OK;
    fleet->count = fleet->fault_count = 0;
    return fleet_trim(fleet, kept, count) == ST_OK
               ? ST_OK
               : err_set(err, ST_NOMEM, "could not analyze: out of memory");
}

enum status analysis_add_kept(struct analysis *analysis, struct kept *kept, int64_t age_us,
                              struct err *err)
{
    return told(fleet_add_kept(&analysis->fleet, kept, analysis->options.as_of_us, age_us),
                kept->host.id, err);
}

enum status analysis_store(struct analysis *analysis, struct kept *kept, struct strbuf *out)
{
    return fleet_store(&analysis->fleet, kept, out);
}

enum status analysis_restore(struct analysis *analysis, struct kept *kept, const void *data,
                             size_t length)
{
    return fleet_restore(&analysis->fleet, kept, data, length);
}

static int finding_order(const void *a, const void *b)
{
    const struct finding *x = a;
    const struct finding *y = b;
    if (x->severity != y->severity)
        return x->severity > y->severity ? -1 : 1;
    if (x->confidence < y->confidence || x->confidence > y->confidence)
        return x->confidence > y->confidence ? -1 : 1;
    if (x->host_count != y->host_count)
        return x->host_count > y->host_count ? -1 : 1;
    return strcmp(x->id, y->id);
}

static const char *smallest_host(const struct finding *finding)
{
    const char *smallest = finding->hosts[0].id;
    for (size_t i = 1; i < finding->host_count; i++) {
        if (strcmp(finding->hosts[i].id, smallest) < 0)
            smallest = finding->hosts[i].id;
    }
    return smallest;
}

static bool is_taken(const struct finding_list *list, size_t which)
{
    for (size_t i = 0; i < list->count; i++) {
        if (i != which && strcmp(list->items[i].id, list->items[which].id) == 0)
            return true;
    }
    return false;
}

static void rename_finding(struct finding *finding, const char *more)
{
    bool grows = finding->kind == FINDING_LEAK || finding->kind == FINDING_HANDLE_LEAK;
    build_id(grows ? "growth" : "level", finding->pool, finding->tag, more, finding->id);
}

/* Two groups of hosts may leak the same tag first. The one seen earliest keeps the plain id; the
 * others' also tell their best cause, or their first host where none is known or it is shared. */
static void part_ids(struct finding_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct finding *finding = &list->items[i];
        bool earliest = true;
        for (size_t k = 0; k < list->count; k++) {
            const struct finding *other = &list->items[k];
            if (k != i && strcmp(other->id, finding->id) == 0)
                earliest = earliest && (finding->first_seen_us < other->first_seen_us ||
                                        (finding->first_seen_us == other->first_seen_us && i < k));
        }
        if (earliest)
            continue;
        if (finding->cause_count > 0)
            rename_finding(finding, finding->causes[0].value);
        if (finding->cause_count == 0 || is_taken(list, i))
            rename_finding(finding, smallest_host(finding));
    }
}

/* A pool that fails because of a tag need not be told a second time that the tag is high. */
static void drop_told(struct finding_list *list, size_t incidents)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        bool told = false;
        for (size_t k = incidents; i < incidents && k < list->count; k++)
            told = told || (list->items[i].kind == FINDING_LEVEL &&
                            list->items[k].kind == FINDING_EXHAUSTION &&
                            list->items[k].pool == list->items[i].pool &&
                            list->items[k].tag == list->items[i].tag &&
                            list->items[k].host_count >= list->items[i].host_count);
        if (!told)
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

static bool grows_there(const struct incident *growing, const struct incident *high, uint32_t host)
{
    bool tag = false;
    for (size_t r = 0; r < growing->row_count; r++)
        tag = tag || (growing->rows[r].tag == high->rows[0].tag &&
                      growing->rows[r].pool == high->rows[0].pool);
    for (size_t i = 0; tag && i < growing->host_count; i++) {
        if (growing->hosts[i] == host)
            return true;
    }
    return false;
}

/* What a leak that was told explains is not told again as a level. */
static void leave_out_told(const struct incident_list *incidents, const bool *said, size_t which)
{
    struct incident *high = &incidents->items[which];
    size_t kept = 0;
    for (size_t i = 0; i < high->host_count; i++) {
        bool told = false;
        for (size_t k = 0; k < which && !told; k++)
            told = said[k] && incidents->items[k].verdict == VERDICT_GROWS &&
                   grows_there(&incidents->items[k], high, high->hosts[i]);
        if (told)
            continue;
        high->hosts[kept] = high->hosts[i];
        high->belief[kept] = high->belief[i];
        high->own_belief[kept] = high->own_belief[i];
        high->score[kept++] = high->score[i];
    }
    high->host_count = kept;
}

/* All rows of an incident together, on the host that shows them most.
 * docs/detection.md, "Thresholds and where they come from": matters */
#define GROWTH_BYTES (8.0 * 1024 * 1024)
#define GROWTH_SHARE 0.0005 /* of RAM */
#define HIGH_BYTES   (48.0 * 1024 * 1024)
#define HIGH_SHARE   0.004

static bool matters(const struct fleet *fleet, const struct incident *incident)
{
    bool grows = incident->verdict == VERDICT_GROWS;
    for (size_t i = 0; i < incident->host_count; i++) {
        const struct fleet_host *host = &fleet->hosts[incident->hosts[i]];
        double sum = 0;
        for (size_t r = 0; r < incident->row_count; r++) {
            const struct incident_row *row = &incident->rows[r];
            const struct feature *feature = fleet_feature(host, row->pool, row->tag);
            if (feature != NULL)
                sum += (double)(grows ? feature->growth : feature->bytes);
        }
        if (sum >= fmax(grows ? GROWTH_BYTES : HIGH_BYTES,
                        (grows ? GROWTH_SHARE : HIGH_SHARE) * host->ram))
            return true;
    }
    return false;
}

static enum status add_incidents(struct analysis *analysis, struct build *build,
                                 const struct incident_list *incidents, struct finding_list *list)
{
    AUTO_FREE bool *said = calloc(incidents->count + 1, sizeof *said);
    if (said == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < incidents->count; i++) {
        struct finding finding;
        if (incidents->items[i].verdict == VERDICT_HIGH)
            leave_out_told(incidents, said, i);
        if (!matters(&analysis->fleet, &incidents->items[i]))
            continue;
        if (build_finding(build, &incidents->items[i], &finding, &said[i]) != ST_OK)
            return ST_NOMEM;
        if (said[i])
            list->items[list->count++] = finding;
    }
    if (shift_findings(build, list) != ST_OK)
        return ST_NOMEM;
    part_ids(list);
    size_t told = list->count;
    if (exhaust_findings(build, &analysis->options, list) != ST_OK)
        return ST_NOMEM;
    drop_told(list, told);
    return ST_OK;
}

static enum status tell_faults(const struct fleet *fleet, struct finding_list *list)
{
    list->faults = arena_alloc(&list->arena, fleet->fault_count + 1, sizeof *list->faults);
    if (list->faults == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < fleet->fault_count; i++) {
        const struct fleet_fault *from = &fleet->faults[i];
        struct finding_fault *to = &list->faults[list->fault_count++];
        *to = (struct finding_fault){arena_strdup(&list->arena, from->id),
                                     from->name == NULL ? NULL
                                                        : arena_strdup(&list->arena, from->name),
                                     from->fault->code, from->fault->reason};
        if (to->host_id == NULL || (from->name != NULL && to->host_name == NULL))
            return ST_NOMEM;
    }
    return ST_OK;
}

enum status analysis_finish(struct analysis *analysis, struct finding_list *ret_list,
                            struct err *err)
{
    AUTO_FINDINGS struct finding_list list = {0};
    AUTO_INCIDENTS struct incident_list incidents = {0};
    AUTO_FREE struct pair *pairs = NULL;
    size_t pair_count;
    analysis->finished = true;
    if (fleet_seal(&analysis->fleet, err) != ST_OK)
        return ST_NOMEM;
    AUTO_PEER_CACHE struct peer_cache *cache = peer_cache_new(&analysis->fleet);
    if (cache == NULL || detect_pairs(&analysis->fleet, &pairs, &pair_count) != ST_OK ||
        group_pairs(&analysis->fleet, pairs, pair_count, analysis->options.tagdict, &incidents) !=
            ST_OK)
        return err_set(err, ST_NOMEM, "could not compare hosts: out of memory");
    struct build build = {&analysis->fleet,
                          cache,
                          analysis->options.tagdict,
                          analysis->options.as_of_us,
                          &list.arena,
                          analysis->options.owners,
                          analysis->options.owner_count};
    list.items = arena_alloc(
        &list.arena, incidents.count + SHIFT_FINDINGS_MAX + exhaust_most(&analysis->fleet) + 1,
        sizeof *list.items);
    if (list.items == NULL || add_incidents(analysis, &build, &incidents, &list) != ST_OK)
        return err_set(err, ST_NOMEM, "could not make findings: out of memory");
    if (tell_faults(&analysis->fleet, &list) != ST_OK)
        return err_set(err, ST_NOMEM, "could not make findings: out of memory");
    if (list.count > 0)
        qsort(list.items, list.count, sizeof *list.items, finding_order);
    *ret_list = list;
    list = (struct finding_list){0};
    return ST_OK;
}
