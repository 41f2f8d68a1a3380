/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/build.h"

#include "server/analyze/bounds.h"
#include "server/analyze/outlook.h"
#include "server/analyze/severity.h"
#include "server/analyze/wording.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* docs/detection.md, "Thresholds and where they come from": build */
#define SCORE_SUPPORTS 5.0  /* peers say so */
#define EXPLAINED_P    1e-4 /* a driver's versions part the hosts this clearly */
#define HANDLES_SHARE  0.5  /* of the blocks gained must be held by handles */
#define CLEAR_NEWNESS  0.8f /* of the growth lies above all that the boot had before */
#define PLATEAU_GREW   0.6  /* it was below this share of now within the boot */
#define EVIDENCE_MAX   8
#define OWNERS_TOLD    3 /* drivers of one tag that are named; the rest is counted */

void build_id(const char *family, enum pool pool, uint32_t tag, const char *more,
              char ret_id[FINDING_ID_MAX])
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (; *family != '\0'; family++)
        hash = (hash ^ (unsigned char)*family) * 1099511628211u;
    hash = (hash ^ (0x100u | (unsigned)pool)) * 1099511628211u;
    for (unsigned i = 0; i < 4; i++)
        hash = (hash ^ (tag >> (8 * i) & 0xFF)) * 1099511628211u;
    for (; *more != '\0'; more++)
        hash = (hash ^ (unsigned char)*more) * 1099511628211u;
    hash ^= hash >> 32; /* the low bits of FNV of so short a text are poor */
    hash *= 0xD6E8FEB86659FD93u;
    hash ^= hash >> 32;
    snprintf(ret_id, FINDING_ID_MAX, "f-%016llx", (unsigned long long)hash);
}

const struct analyze_owner *build_scanned(const struct build *build, uint32_t tag,
                                          size_t *ret_count)
{
    size_t low = 0, high = build->owner_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (build->owners[middle].tag < tag)
            low = middle + 1;
        else
            high = middle;
    }
    size_t end = low;
    while (end < build->owner_count && build->owners[end].tag == tag)
        end++;
    *ret_count = end - low;
    return build->owners + low;
}

static const struct tagdict_entry *find_entry(const struct build *build, uint32_t tag)
{
    return build->dict == NULL ? NULL : tagdict_find(build->dict, tag);
}

const char *build_driver_of(const struct build *build, uint32_t tag)
{
    size_t count = 0;
    const struct tagdict_entry *entry = find_entry(build, tag);
    const struct analyze_owner *scanned = build_scanned(build, tag, &count);
    if (entry != NULL && entry->driver != NULL)
        return entry->driver;
    return count == 0 ? NULL : scanned[0].driver;
}

/* "a.sys", "a.sys or b.sys", "a.sys or b.sys or c.sys or 2 more" */
static void name_scanned(const struct analyze_owner *scanned, size_t count, struct strbuf *out)
{
    for (size_t i = 0; i < count && i < OWNERS_TOLD; i++) {
        strbuf_puts(out, i == 0 ? "" : " or ");
        strbuf_puts(out, scanned[i].driver);
    }
    if (count > OWNERS_TOLD)
        strbuf_printf(out, " or %s more", GROUPED(count - OWNERS_TOLD));
}

/* Lists first, since they are made by people who know; then what the drivers' code says. */
static bool own_by_scan(const struct build *build, struct finding *finding,
                        const struct tagdict_entry *entry)
{
    AUTO_STRBUF struct strbuf names = STRBUF_INIT;
    size_t count = 0;
    const struct analyze_owner *scanned = build_scanned(build, finding->tag, &count);
    if (count == 0 || (entry != NULL && entry->driver != NULL))
        return false;
    name_scanned(scanned, count, &names);
    if (strbuf_failed(&names))
        return false;
    const char *says = entry != NULL ? entry->description : NULL;
    if (says == NULL)
        says = count == 1 ? "its code allocates with this tag"
                          : "the code of each of these drivers allocates with this tag";
    finding->owner_driver = arena_strdup(build->arena, names.data);
    finding->owner_description = arena_strdup(build->arena, says);
    finding->owner_source = "driver_scan";
    return true;
}

void build_owner(const struct build *build, struct finding *finding)
{
    const struct tagdict_entry *entry = find_entry(build, finding->tag);
    if (own_by_scan(build, finding, entry) || entry == NULL)
        return;
    finding->owner_driver =
        entry->driver == NULL ? NULL : arena_strdup(build->arena, entry->driver);
    finding->owner_description =
        entry->description == NULL ? NULL : arena_strdup(build->arena, entry->description);
    finding->owner_source =
        entry->source == NULL ? NULL : arena_strdup(build->arena, entry->source);
}

static enum status keep_text(const struct build *build, const struct strbuf *text,
                             const char **ret_text)
{
    if (strbuf_failed(text))
        return ST_NOMEM;
    *ret_text = arena_strdup(build->arena, text->data == NULL ? "" : text->data);
    return *ret_text == NULL ? ST_NOMEM : ST_OK;
}

enum status build_summary(const struct build *build, struct finding *finding)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    wording_summary(&text, finding, build->fleet->count, build->now_us);
    return keep_text(build, &text, &finding->summary);
}

enum status build_host(const struct build *build, uint32_t index, enum pool pool, uint32_t tag,
                       struct finding_host *ret_host)
{
    const struct fleet_host *host = &build->fleet->hosts[index];
    const struct peer_stats *peers = peer_stats_get(build->cache, index, pool, tag);
    if (peers == NULL)
        return ST_NOMEM;
    struct finding_host to = {.score = NAN,
                              .rate_bytes_per_hour = NAN,
                              .exhausts_p10_us = TIME_UNKNOWN,
                              .exhausts_p50_us = TIME_UNKNOWN,
                              .exhausts_p90_us = TIME_UNKNOWN,
                              .process_handles = -1};
    to.id = arena_strdup(build->arena, host->id);
    to.name = host->name == NULL ? NULL : arena_strdup(build->arena, host->name);
    if (to.id == NULL || (host->name != NULL && to.name == NULL))
        return ST_NOMEM;
    to.bytes = (uint64_t)fleet_bytes(host, pool, tag);
    to.since_us = host->boot_first_us;
    if (peers->peers > 0) {
        to.cohort_bytes = (uint64_t)peers->median;
        to.cohort_hosts = peers->peers - 1;
        double bytes_log = log2((double)to.bytes + 65536);
        to.score = fmin(
            fmax((bytes_log - peers->log_median) / (fmax(peers->log_mad, 0.1) / 0.6745), -1000),
            1000);
    }
    *ret_host = to;
    return ST_OK;
}

static int host_order(const void *a, const void *b)
{
    const struct finding_host *x = a;
    const struct finding_host *y = b;
    int64_t x_end = x->exhausts_p50_us == TIME_UNKNOWN ? INT64_MAX : x->exhausts_p50_us;
    int64_t y_end = y->exhausts_p50_us == TIME_UNKNOWN ? INT64_MAX : y->exhausts_p50_us;
    if (x_end != y_end)
        return x_end < y_end ? -1 : 1;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return strcmp(x->id, y->id);
}

void build_sort_hosts(struct finding *finding)
{
    if (finding->host_count > 0)
        qsort(finding->hosts, finding->host_count, sizeof *finding->hosts, host_order);
}

/* The process whose handles account for the blocks, if one does. */
static const struct fleet_process *find_holder(const struct fleet_host *host,
                                               const struct feature *feature)
{
    for (size_t i = 0; i < host->process_count; i++) {
        const struct fleet_process *process = &host->processes[i];
        double held = (double)(process->growth > 0 ? process->growth : 0);
        if (process->growth < 0) /* never seen before: all it has may be new */
            held = (double)process->handles;
        if (held >= HANDLES_SHARE * (double)feature->count_growth)
            return process;
    }
    return NULL;
}

static bool handles_grow(const struct fleet_host *host, const char *type,
                         const struct feature *feature)
{
    for (size_t i = 0; i < host->object_count; i++) {
        const struct fleet_object *object = &host->objects[i];
        if (strcmp(object->type, type) == 0)
            return object->handles_growth > 0 &&
                   (double)object->handles_growth >= HANDLES_SHARE * (double)feature->count_growth;
    }
    return false;
}

/* Index of the row of objects that are held by handles on most hosts, or SIZE_MAX. */
static size_t find_handle_row(const struct fleet *fleet, const struct incident *incident)
{
    for (size_t r = 0; r < incident->row_count; r++) {
        const struct incident_row *row = &incident->rows[r];
        const char *type = group_object_type(row->tag);
        size_t held = 0;
        for (size_t i = 0; type != NULL && i < incident->host_count; i++) {
            const struct fleet_host *host = &fleet->hosts[incident->hosts[i]];
            const struct feature *feature = fleet_feature(host, row->pool, row->tag);
            held += feature != NULL && feature->count_growth >= 1000 &&
                    (handles_grow(host, type, feature) || find_holder(host, feature) != NULL);
        }
        if (held * 2 > incident->host_count)
            return r;
    }
    return SIZE_MAX;
}

/* All rows of the incident together on one host. */
static enum status add_host(const struct build *build, const struct incident *incident,
                            uint32_t index, struct finding *finding)
{
    const struct fleet_host *host = &build->fleet->hosts[index];
    struct finding_host to;
    struct forecast forecast;
    double onset = 0;
    double rate = 0;
    if (build_host(build, index, incident->rows[0].pool, incident->rows[0].tag, &to) != ST_OK)
        return ST_NOMEM;
    to.bytes = to.cohort_bytes = 0;
    for (size_t r = 0; r < incident->row_count; r++) {
        const struct incident_row *row = &incident->rows[r];
        const struct feature *feature = fleet_feature(host, row->pool, row->tag);
        const struct peer_stats *peers = peer_stats_get(build->cache, index, row->pool, row->tag);
        if (peers == NULL)
            return ST_NOMEM;
        to.bytes += (uint64_t)fleet_bytes(host, row->pool, row->tag);
        to.cohort_bytes += (uint64_t)(peers->peers > 0 ? peers->median : 0);
        if (feature == NULL)
            continue;
        onset = fmin(onset, (double)feature->onset_hours);
        rate += (double)feature->rate;
        if (finding->kind == FINDING_HANDLE_LEAK && row->tag == finding->tag) {
            const struct fleet_process *holder = find_holder(host, feature);
            to.process = holder == NULL ? NULL : arena_strdup(build->arena, holder->image);
            to.process_handles = holder == NULL ? -1 : holder->handles;
        }
    }
    to.since_us = host->last_us + (int64_t)(onset * (double)US_PER_HOUR);
    if (incident->verdict == VERDICT_GROWS) {
        to.rate_bytes_per_hour = rate;
        outlook_host(host, incident, &forecast);
        to.exhausts_p10_us = forecast.p10_us;
        to.exhausts_p50_us = forecast.p50_us;
        to.exhausts_p90_us = forecast.p90_us;
        to.limit = forecast.limit;
    }
    finding->hosts[finding->host_count++] = to;
    return ST_OK;
}

static bool has_grown(const struct fleet *fleet, const struct incident *incident)
{
    size_t grown = 0;
    for (size_t i = 0; i < incident->host_count; i++) {
        const struct feature *feature = fleet_feature(
            &fleet->hosts[incident->hosts[i]], incident->rows[0].pool, incident->rows[0].tag);
        grown += feature != NULL && (double)feature->lowest < PLATEAU_GREW * (double)feature->bytes;
    }
    return grown * 2 >= incident->host_count;
}

/* Hosts add up, but not those that share one doubt (none has peers to tell a cache from a leak): of
 * them the surest counts. */
static double combined(const struct incident *incident)
{
    double doubt = 1;
    double doubtful = 0;
    for (size_t i = 0; i < incident->host_count; i++) {
        bool shared = incident->belief[i] < 0.45 * incident->own_belief[i];
        if (shared)
            doubtful = fmax(doubtful, incident->belief[i]);
        else
            doubt *= 1 - 0.85 * incident->belief[i];
    }
    return 1 - doubt * (1 - 0.75 * doubtful);
}

/* Peers that disagree are not outvoted by numbers: where all of a kind grow alike, it takes a
 * driver's versions, or a very clear course of days, to call it a leak. */
static double judge(const struct fleet *fleet, const struct incident *incident,
                    const struct explanation *why)
{
    double confidence = combined(incident);
    size_t supported = 0;
    size_t alone = 0;
    double clear = 0;
    bool explained = why->versions && why->best_p <= EXPLAINED_P && why->count > 0;
    for (size_t i = 0; i < incident->host_count; i++) {
        const struct feature *feature = fleet_feature(
            &fleet->hosts[incident->hosts[i]], incident->rows[0].pool, incident->rows[0].tag);
        supported += !isnan(incident->score[i]) &&
                     (incident->score[i] >= SCORE_SUPPORTS || incident->belief[i] >= 0.5);
        alone += isnan(incident->score[i]) != 0;
        if (feature != NULL && feature->span_hours >= 72 && feature->linear >= 0.7f &&
            feature->newness >= CLEAR_NEWNESS)
            clear = fmax(clear, incident->own_belief[i]);
    }
    if (incident->verdict == VERDICT_GROWS && supported == 0 && alone == 0) {
        double best = 0;
        for (size_t i = 0; i < incident->host_count; i++)
            best = fmax(best, incident->belief[i]);
        confidence = best;
        if (clear >= 0.8)
            confidence = 0.55;
        if (explained)
            confidence = fmax(confidence, 0.6);
    }
    if (explained)
        confidence = 1 - (1 - confidence) * 0.4;
    return fmin(confidence, 0.99);
}

static void add_evidence(const struct build *build, struct finding *finding,
                         const struct strbuf *text, const char **lines)
{
    const char *kept;
    if (finding->evidence_count < EVIDENCE_MAX && text->length > 0 &&
        keep_text(build, text, &kept) == ST_OK)
        lines[finding->evidence_count++] = kept;
}

static void tell_counts(const struct build *build, const struct incident *incident,
                        struct finding *finding, const char **lines)
{
    const struct incident_row *first = &incident->rows[0];
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    for (size_t i = 1; i < incident->row_count && first->count_growth > 0; i++) {
        if (!(incident->rows[i].count_growth > 0))
            continue;
        strbuf_puts(&text, text.length == 0 ? "For each block of " : ", ");
        if (text.length > 0 && i == 1) {
            wording_tag(&text, first->tag);
            strbuf_puts(&text, " gained, others gained: ");
        }
        wording_tag(&text, incident->rows[i].tag);
        strbuf_printf(&text, " %.3f", incident->rows[i].count_growth / first->count_growth);
    }
    if (text.length > 0)
        strbuf_puts(&text, ".");
    add_evidence(build, finding, &text, lines);
}

static void tell_course(const struct build *build, const struct incident *incident,
                        struct finding *finding, const char **lines)
{
    const struct incident_row *first = &incident->rows[0];
    size_t windows = 0;
    size_t seen = 0;
    size_t points = 0;
    size_t prior = 0;
    double span = 0;
    for (size_t i = 0; i < incident->host_count; i++) {
        const struct feature *feature =
            fleet_feature(&build->fleet->hosts[incident->hosts[i]], first->pool, first->tag);
        if (feature == NULL)
            continue;
        windows += feature->windows;
        seen += feature->windows_seen;
        points += feature->points;
        prior += (feature->flags & FEATURE_PRIOR_LEAK) != 0;
        span = fmax(span, (double)feature->span_hours);
    }
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    strbuf_puts(&text, "Seen for up to ");
    wording_hours(&text, span);
    strbuf_printf(&text, " in %s snapshots; %s of %s time windows agree on the rate",
                  GROUPED(points), GROUPED(windows), GROUPED(seen));
    if (prior > 0)
        strbuf_printf(&text, "; an earlier boot grew the same way on %s of %s hosts",
                      GROUPED(prior), GROUPED(incident->host_count));
    strbuf_puts(&text, ".");
    add_evidence(build, finding, &text, lines);
    strbuf_clear(&text);
    if (first->free_share < 0.00005)
        strbuf_puts(&text, "Nothing of it is freed.");
    else if (first->free_share <= 0.01)
        strbuf_printf(&text, "Practically nothing is freed: %.2f frees for 100 allocations.",
                      100 * first->free_share);
    add_evidence(build, finding, &text, lines);
}

static void tell_peers(const struct build *build, struct finding *finding, const char **lines)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    const struct finding_host *host = &finding->hosts[0];
    if (host->cohort_hosts == 0) {
        strbuf_puts(&text, "Too few comparable hosts: this rests on each host's own history.");
    } else {
        strbuf_puts(&text, "The worst host holds ");
        wording_bytes(&text, (double)host->bytes);
        strbuf_printf(&text, "%s; the median of its %s peers is ",
                      finding->tag_count > 1 ? " of these tags together" : "",
                      GROUPED(host->cohort_hosts));
        wording_bytes(&text, (double)host->cohort_bytes);
        strbuf_puts(&text, ".");
    }
    add_evidence(build, finding, &text, lines);
}

static void tell_cause(const struct build *build, const struct explanation *why,
                       struct finding *finding, const char **lines)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    if (why->count == 0)
        return;
    const char *name = wording_attribute(why->causes[0].attribute);
    if (why->came_before > 0)
        strbuf_printf(&text,
                      "On %s of %s affected hosts %s %s came within three days before the "
                      "growth began. ",
                      GROUPED(why->came_before), GROUPED(why->causes[0].affected), name,
                      why->causes[0].value);
    if (why->moved_away > 0)
        strbuf_printf(&text, "%s %s had %s %s before and %s unaffected now.",
                      GROUPED(why->moved_away), why->moved_away == 1 ? "host" : "hosts", name,
                      why->causes[0].value, why->moved_away == 1 ? "is" : "are");
    add_evidence(build, finding, &text, lines);
}

/* The lists name one driver, the code of others says that they use the tag as well. */
static void tell_scan(const struct build *build, struct finding *finding, const char **lines)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    size_t count = 0;
    const struct tagdict_entry *entry = find_entry(build, finding->tag);
    const struct analyze_owner *scanned = build_scanned(build, finding->tag, &count);
    if (count == 0 || entry == NULL || entry->driver == NULL)
        return;
    if (count == 1 && strcasecmp(scanned[0].driver, entry->driver) == 0)
        return;
    strbuf_puts(&text, "By its code this fleet's ");
    name_scanned(scanned, count, &text);
    strbuf_puts(&text, " allocates with the tag.");
    add_evidence(build, finding, &text, lines);
}

static enum status tell(const struct build *build, const struct incident *incident,
                        const struct explanation *why, struct finding *finding)
{
    const char **lines = arena_alloc(build->arena, EVIDENCE_MAX, sizeof *lines);
    if (lines == NULL)
        return ST_NOMEM;
    if (incident->verdict == VERDICT_GROWS) {
        tell_counts(build, incident, finding, lines);
        tell_course(build, incident, finding, lines);
    }
    tell_peers(build, finding, lines);
    tell_cause(build, why, finding, lines);
    tell_scan(build, finding, lines);
    finding->evidence = lines;
    return build_summary(build, finding);
}

static enum finding_kind name_kind(const struct fleet *fleet, const struct incident *incident,
                                   struct incident_row *ret_first)
{
    size_t handles = SIZE_MAX;
    *ret_first = incident->rows[0];
    if (incident->verdict == VERDICT_HIGH)
        return has_grown(fleet, incident) ? FINDING_PLATEAU : FINDING_LEVEL;
    handles = find_handle_row(fleet, incident);
    if (handles == SIZE_MAX)
        return FINDING_LEAK;
    *ret_first = incident->rows[handles];
    return FINDING_HANDLE_LEAK;
}

static enum status list_tags(const struct build *build, const struct incident *incident,
                             struct finding *finding)
{
    finding->tags = arena_alloc(build->arena, incident->row_count + 1, sizeof *finding->tags);
    if (finding->tags == NULL)
        return ST_NOMEM;
    finding->tags[finding->tag_count++] = finding->tag;
    for (size_t i = 0; i < incident->row_count; i++) {
        bool known = false; /* the same tag in the other pool */
        for (size_t k = 0; k < finding->tag_count; k++)
            known = known || finding->tags[k] == incident->rows[i].tag;
        if (!known)
            finding->tags[finding->tag_count++] = incident->rows[i].tag;
    }
    return ST_OK;
}

static enum status fill_hosts(const struct build *build, const struct incident *incident,
                              struct finding *finding, int64_t *since)
{
    finding->hosts = arena_alloc(build->arena, incident->host_count, sizeof *finding->hosts);
    if (finding->hosts == NULL)
        return ST_NOMEM;
    finding->first_seen_us = INT64_MAX;
    finding->last_seen_us = INT64_MIN;
    for (size_t i = 0; i < incident->host_count; i++) {
        if (add_host(build, incident, incident->hosts[i], finding) != ST_OK)
            return ST_NOMEM;
        const struct finding_host *host = &finding->hosts[finding->host_count - 1];
        int64_t last = build->fleet->hosts[incident->hosts[i]].last_us;
        since[i] = host->since_us;
        if (host->since_us < finding->first_seen_us)
            finding->first_seen_us = host->since_us;
        if (last > finding->last_seen_us)
            finding->last_seen_us = last;
    }
    build_sort_hosts(finding);
    return ST_OK;
}

static void rate_causes(const struct fleet *fleet, const struct incident *incident,
                        const struct explanation *why)
{
    struct bounds_row rows[INCIDENT_TAGS_MAX];
    for (size_t r = 0; r < incident->row_count; r++)
        rows[r] = (struct bounds_row){incident->rows[r].pool, incident->rows[r].tag};
    for (size_t i = 0; incident->verdict == VERDICT_GROWS && i < why->count; i++)
        bounds_rates(fleet, incident->hosts, incident->host_count, rows, incident->row_count,
                     &why->causes[i]);
}

enum status build_finding(const struct build *build, const struct incident *incident,
                          struct finding *ret_finding, bool *ret_said)
{
    struct finding finding = {.status = FINDING_OPEN};
    struct incident_row first;
    struct explanation why;
    AUTO_FREE int64_t *since = calloc(incident->host_count + 1, sizeof *since);
    if (since == NULL)
        return ST_NOMEM;
    finding.kind = name_kind(build->fleet, incident, &first);
    finding.tag = first.tag;
    finding.pool = first.pool;
    build_owner(build, &finding);
    if (list_tags(build, incident, &finding) != ST_OK ||
        fill_hosts(build, incident, &finding, since) != ST_OK)
        return ST_NOMEM;
    struct explain_input input = {build->fleet,
                                  incident->hosts,
                                  incident->host_count,
                                  incident->unaffected,
                                  incident->unaffected_count,
                                  since,
                                  build_driver_of(build, finding.tag)};
    if (explain_hosts(&input, build->arena, &why) != ST_OK)
        return ST_NOMEM;
    finding.confidence = judge(build->fleet, incident, &why);
    if (finding.confidence < BUILD_CONFIDENCE_MIN) {
        *ret_said = false;
        return ST_OK;
    }
    rate_causes(build->fleet, incident, &why);
    finding.causes = why.causes;
    finding.cause_count = why.count;
    finding.cause_note = why.note;
    finding.severity = severity_of(build, &finding, incident);
    build_id(incident->verdict == VERDICT_GROWS ? "growth" : "level", finding.pool, finding.tag, "",
             finding.id);
    if (tell(build, incident, &why, &finding) != ST_OK)
        return ST_NOMEM;
    *ret_finding = finding;
    *ret_said = true;
    return ST_OK;
}
