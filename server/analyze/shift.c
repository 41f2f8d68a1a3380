/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/shift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* docs/detection.md, "Thresholds of grouping, causes and forecast": shift */
#define HOSTS_MIN       3    /* on each side */
#define HOSTS_SEEN      2    /* with the version, where each was seen to rise with it */
#define MOVING_SHARE    0.25 /* of the hosts that have settled may move as caches do */
#define MOVING_UP       3.0  /* hours: before that a host may still be on its way up */
#define SHIFT_MIN_BYTES (8.0 * 1024 * 1024)
#define SHIFT_RATIO     1.3
#define SHIFT_APART     1.1 /* nearly all of the one side above nearly all of the other */
#define SHIFT_SHARE_MAX 0.1 /* of RAM: more than that is no mere cost */

/* A row whose owner is known and which is of some size somewhere. */
struct owned {
    enum pool pool;
    uint32_t tag;
    uint32_t driver; /* place of "driver/NAME" in the texts */
};

static uint32_t find_driver(const struct fleet *fleet, const char *driver)
{
    for (size_t i = 0; i < fleet->text_count; i++) {
        if (strncmp(fleet->texts[i], "driver/", 7) == 0 &&
            strcasecmp(fleet->texts[i] + 7, driver) == 0)
            return (uint32_t)i;
    }
    return UINT32_MAX;
}

static int owned_order(const void *a, const void *b)
{
    const struct owned *x = a;
    const struct owned *y = b;
    if (x->pool != y->pool)
        return x->pool < y->pool ? -1 : 1;
    return tag_compare(x->tag, y->tag);
}

/* Rows of a pool that are large on some host. */
struct large {
    uint32_t *tags; /* rising */
    size_t count;
    size_t room;
};

static bool insert_tag(struct large *large, size_t at, uint32_t tag)
{
    if (large->count == large->room) {
        size_t room = large->room == 0 ? 256 : 2 * large->room;
        uint32_t *tags = realloc(large->tags, room * sizeof *tags);
        if (tags == NULL)
            return false;
        large->tags = tags;
        large->room = room;
    }
    memmove(&large->tags[at + 1], &large->tags[at], (large->count - at) * sizeof *large->tags);
    large->tags[at] = tag;
    large->count++;
    return true;
}

/* Most hosts have nothing that those before them did not have. */
static enum status list_large(const struct fleet *fleet, enum pool pool, struct large *large)
{
    for (size_t h = 0; h < fleet->count; h++) {
        const struct fleet_host *host = &fleet->hosts[h];
        for (size_t i = 0, at = 0; i < host->row_count[pool]; i++) {
            const struct fleet_row *row = &host->rows[pool][i];
            if ((double)row->bytes < SHIFT_MIN_BYTES)
                continue;
            while (at < large->count && large->tags[at] < row->tag)
                at++;
            if ((at == large->count || large->tags[at] != row->tag) &&
                !insert_tag(large, at, row->tag))
                return ST_NOMEM;
        }
    }
    return ST_OK;
}

/* Those of which the driver is known and on some host. */
static enum status list_owned(const struct build *build, struct owned **ret_owned,
                              size_t *ret_count)
{
    AUTO_FREE struct owned *owned = NULL;
    size_t count = 0;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct large large = {0};
        AUTO_FREE uint32_t *tags = NULL;
        enum status status = list_large(build->fleet, (enum pool)pool, &large);
        tags = large.tags;
        struct owned *more = realloc(owned, (count + large.count + 1) * sizeof *owned);
        if (more != NULL)
            owned = more;
        if (more == NULL || status != ST_OK)
            return ST_NOMEM;
        for (size_t i = 0; i < large.count; i++) {
            const char *name = build_driver_of(build, tags[i]);
            uint32_t driver = name == NULL ? UINT32_MAX : find_driver(build->fleet, name);
            if (driver != UINT32_MAX)
                owned[count++] = (struct owned){(enum pool)pool, tags[i], driver};
        }
    }
    if (count > 0)
        qsort(owned, count, sizeof *owned, owned_order);
    *ret_owned = TAKE(owned);
    *ret_count = count;
    return ST_OK;
}

static bool is_told(const struct finding_list *list, const struct owned *owned)
{
    for (size_t i = 0; i < list->count; i++) {
        for (size_t k = 0; k < list->items[i].tag_count; k++) {
            if (list->items[i].tags[k] == owned->tag)
                return true;
        }
    }
    return false;
}

struct sides {
    uint32_t *kind; /* of each host: the same where role and build are the same */
    bool *has_kind; /* hosts of this kind have the version */
    uint32_t *with;
    double *bytes_with;
    double *bytes_others;
    size_t with_count;
    size_t other_count;
    size_t settled; /* of the first side, up for some hours */
    size_t moving;  /* of these, not flat */
    size_t rose;    /* of the first side, since the version came: earlier boots held less */
    double share;   /* of RAM, the largest */
};

static void sides_done(struct sides *sides)
{
    free(sides->kind);
    free(sides->has_kind);
    free(sides->with);
    free(sides->bytes_with);
    free(sides->bytes_others);
}

static int kind_order(const void *a, const void *b, void *arg)
{
    const struct fleet_host *hosts = arg;
    const struct cohort_facts *x = &hosts[*(const uint32_t *)a].cohort;
    const struct cohort_facts *y = &hosts[*(const uint32_t *)b].cohort;
    int order = strcmp(x->role, y->role);
    return order != 0 ? order : strcmp(x->os, y->os);
}

static bool sides_new(const struct fleet *fleet, struct sides *sides)
{
    size_t n = fleet->count + 1;
    AUTO_FREE uint32_t *order = calloc(n, sizeof *order);
    sides->kind = calloc(n, sizeof *sides->kind);
    sides->has_kind = calloc(n, sizeof *sides->has_kind);
    sides->with = calloc(n, sizeof *sides->with);
    sides->bytes_with = calloc(n, sizeof *sides->bytes_with);
    sides->bytes_others = calloc(n, sizeof *sides->bytes_others);
    if (order == NULL || sides->kind == NULL || sides->has_kind == NULL || sides->with == NULL ||
        sides->bytes_with == NULL || sides->bytes_others == NULL)
        return false;
    for (size_t h = 0; h < fleet->count; h++)
        order[h] = (uint32_t)h;
    if (fleet->count > 0)
        qsort_r(order, fleet->count, sizeof *order, kind_order, fleet->hosts);
    for (size_t i = 1; i < fleet->count; i++)
        sides->kind[order[i]] =
            sides->kind[order[i - 1]] + (kind_order(&order[i - 1], &order[i], fleet->hosts) != 0);
    return true;
}

/* What comes with a role or with the system itself is no shift: hosts without the version count
 * where others of their kind have it. */
static void mark_kinds(const struct fleet *fleet, const struct owned *owned, uint32_t version,
                       struct sides *sides)
{
    memset(sides->has_kind, 0, fleet->count * sizeof *sides->has_kind);
    for (size_t h = 0; h < fleet->count; h++) {
        if (fleet_fact(&fleet->hosts[h], owned->driver) == version)
            sides->has_kind[sides->kind[h]] = true;
    }
}

/* The version came within the history, and the boots before it held less. */
static bool rose_with(const struct fleet_host *host, const struct owned *owned,
                      const struct feature *feature, double bytes)
{
    for (size_t i = 0; i < host->fact_count; i++)
        if (host->facts[i].name == owned->driver)
            return host->facts[i].from_us != TIME_UNKNOWN &&
                   host->facts[i].from_us > host->first_us && feature != NULL &&
                   feature->prior_peak > 0 && bytes >= SHIFT_RATIO * (double)feature->prior_peak;
    return false;
}

static void split(const struct fleet *fleet, const struct owned *owned, uint32_t version,
                  struct sides *sides)
{
    sides->with_count = sides->other_count = 0;
    sides->settled = sides->moving = sides->rose = 0;
    sides->share = 0;
    mark_kinds(fleet, owned, version, sides);
    for (size_t h = 0; h < fleet->count; h++) {
        const struct fleet_host *host = &fleet->hosts[h];
        const struct feature *feature = fleet_feature(host, owned->pool, owned->tag);
        uint32_t has = fleet_fact(host, owned->driver);
        double bytes = fleet_bytes(host, owned->pool, owned->tag);
        if (has == UINT32_MAX || host->uptime_hours < 1)
            continue;
        if (has != version) {
            if (sides->has_kind[sides->kind[h]])
                sides->bytes_others[sides->other_count++] = bytes;
            continue;
        }
        sides->bytes_with[sides->with_count] = bytes;
        sides->with[sides->with_count++] = (uint32_t)h;
        sides->share = fmax(sides->share, bytes / host->ram);
        sides->rose += rose_with(host, owned, feature, bytes);
        sides->settled += host->uptime_hours >= MOVING_UP;
        sides->moving +=
            host->uptime_hours >= MOVING_UP && feature != NULL && feature->flat_hours < 1;
    }
}

static bool is_shift(struct sides *sides)
{
    bool seen = sides->with_count >= HOSTS_SEEN && sides->rose == sides->with_count;
    if ((sides->with_count < HOSTS_MIN && !seen) || sides->other_count < HOSTS_MIN ||
        sides->settled == 0 || sides->share > SHIFT_SHARE_MAX ||
        (double)sides->moving > MOVING_SHARE * (double)sides->settled)
        return false;
    double more = robust_median(sides->bytes_with, sides->with_count);
    double usual = robust_median(sides->bytes_others, sides->other_count);
    double low = robust_quantile(sides->bytes_with, sides->with_count, 0.1);
    double high = robust_quantile(sides->bytes_others, sides->other_count, 0.9);
    return more - usual >= SHIFT_MIN_BYTES && more >= SHIFT_RATIO * usual &&
           low >= SHIFT_APART * high;
}

/* The one version that was asked about: nothing else was tested, so p needs no correction. */
static enum status name_cause(const struct build *build, const struct owned *owned,
                              const struct sides *sides, struct finding *finding)
{
    const char *const *texts = build->fleet->texts;
    uint32_t version = fleet_fact(&build->fleet->hosts[sides->with[0]], owned->driver);
    struct finding_cause *cause = arena_alloc(build->arena, 1, sizeof *cause);
    if (cause == NULL)
        return ST_NOMEM;
    *cause = (struct finding_cause){
        .attribute = arena_strdup(build->arena, texts[owned->driver]),
        .value = arena_strdup(build->arena, texts[version]),
        .affected = sides->with_count,
        .affected_with = sides->with_count,
        .unaffected = sides->other_count,
        .risk_ratio = explain_risk_ratio(sides->with_count, 0, 0, sides->other_count),
        .q_value = explain_fisher(sides->with_count, 0, 0, sides->other_count),
        .rate_before = NAN,
        .rate_after = NAN};
    finding->causes = cause;
    finding->cause_count = 1;
    finding->cause_note = "Compared with hosts of the same role and build that run other versions.";
    return cause->attribute == NULL || cause->value == NULL ? ST_NOMEM : ST_OK;
}

static enum status make_finding(const struct build *build, const struct owned *owned,
                                const struct sides *sides, struct finding *ret_finding)
{
    struct finding finding = {.kind = FINDING_SHIFT,
                              .status = FINDING_OPEN,
                              .severity = SEVERITY_INFO,
                              .pool = owned->pool,
                              .tag = owned->tag,
                              .tag_count = 1,
                              .first_seen_us = INT64_MAX,
                              .last_seen_us = INT64_MIN};
    build_owner(build, &finding);
    finding.tags = arena_alloc(build->arena, 1, sizeof *finding.tags);
    finding.hosts = arena_alloc(build->arena, sides->with_count, sizeof *finding.hosts);
    if (finding.tags == NULL || finding.hosts == NULL ||
        name_cause(build, owned, sides, &finding) != ST_OK)
        return ST_NOMEM;
    finding.tags[0] = owned->tag;
    finding.confidence = sides->with_count >= 5 && sides->other_count >= 5 ? 0.9 : 0.8;
    double *others = sides->bytes_others;
    uint64_t usual = (uint64_t)robust_median(others, sides->other_count);
    for (size_t i = 0; i < sides->with_count; i++) {
        const struct fleet_host *host = &build->fleet->hosts[sides->with[i]];
        struct finding_host *to = &finding.hosts[finding.host_count++];
        if (build_host(build, sides->with[i], owned->pool, owned->tag, to) != ST_OK)
            return ST_NOMEM;
        to->cohort_bytes = usual; /* here the peers are the hosts with other versions */
        to->cohort_hosts = sides->other_count;
        finding.first_seen_us =
            to->since_us < finding.first_seen_us ? to->since_us : finding.first_seen_us;
        finding.last_seen_us =
            host->last_us > finding.last_seen_us ? host->last_us : finding.last_seen_us;
    }
    build_sort_hosts(&finding);
    build_id("level", finding.pool, finding.tag, "", finding.id);
    if (build_summary(build, &finding) != ST_OK)
        return ST_NOMEM;
    *ret_finding = finding;
    return ST_OK;
}

/* Versions of the driver, each tried once: those of the first hosts that have them. */
static enum status try_tag(const struct build *build, const struct owned *owned,
                           struct sides *sides, struct finding_list *list)
{
    const struct fleet *fleet = build->fleet;
    uint32_t tried[8]; /* more versions than that are no roll-out */
    size_t count = 0;
    for (size_t h = 0; h < fleet->count; h++) {
        uint32_t version = fleet_fact(&fleet->hosts[h], owned->driver);
        size_t k = 0;
        while (k < count && tried[k] != version)
            k++;
        if (version == UINT32_MAX || k < count ||
            strncmp(fleet->texts[version], "10.0.", 5) == 0) /* comes with Windows itself */
            continue;
        if (count == sizeof tried / sizeof tried[0])
            return ST_OK;
        tried[count++] = version;
        split(fleet, owned, version, sides);
        if (!is_shift(sides))
            continue;
        if (make_finding(build, owned, sides, &list->items[list->count]) != ST_OK)
            return ST_NOMEM;
        list->count++;
        return ST_OK;
    }
    return ST_OK;
}

enum status shift_findings(const struct build *build, struct finding_list *list)
{
    AUTO_FREE struct owned *owned = NULL;
    CLEANUP(sides_done) struct sides sides = {0};
    size_t count = 0;
    size_t added = 0;
    if (build->dict == NULL)
        return ST_OK;
    if (!sides_new(build->fleet, &sides) || list_owned(build, &owned, &count) != ST_OK)
        return ST_NOMEM;
    for (size_t i = 0; i < count && added < SHIFT_FINDINGS_MAX; i++) {
        size_t before = list->count;
        if (is_told(list, &owned[i]))
            continue;
        if (try_tag(build, &owned[i], &sides, list) != ST_OK)
            return ST_NOMEM;
        added += list->count - before;
    }
    return ST_OK;
}
