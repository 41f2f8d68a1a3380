/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/exhaust.h"

#include "server/analyze/wording.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A failing pool of one host and the tag that leads there. */
struct failure {
    uint32_t host;
    enum pool pool;
    uint32_t tag;
    bool session;
    double excess; /* of the leading tag above the peers */
    double share;  /* of the limit; NAN unknown */
};

size_t exhaust_most(const struct fleet *fleet)
{
    return POOL_COUNT * fleet->count;
}

static double share_used(const struct fleet_host *host, enum pool pool)
{
    enum total used = pool == POOL_NONPAGED ? TOTAL_NONPAGED_BYTES : TOTAL_PAGED_BYTES;
    enum total limit = pool == POOL_NONPAGED ? TOTAL_NONPAGED_LIMIT_BYTES : TOTAL_PAGED_LIMIT_BYTES;
    if (!totals_has(&host->totals, used) || !totals_has(&host->totals, limit) ||
        host->totals.value[limit] == 0)
        return NAN;
    return (double)host->totals.value[used] / (double)host->totals.value[limit];
}

static bool is_failing(const struct fleet_host *host, enum pool pool, struct failure *failure)
{
    failure->share = share_used(host, pool);
    failure->session = pool == POOL_PAGED && host->failing.session >= 0;
    if (failure->share >= EXHAUST_SHARE || host->failing.events[pool] > 0 || failure->session)
        return true;
    /* Failed allocations do not say which pool: the fuller one is taken. */
    double other = share_used(host, pool == POOL_NONPAGED ? POOL_PAGED : POOL_NONPAGED);
    return host->failing.alloc_failures > 0 && failure->share >= 0.5 && !(other > failure->share);
}

/* The tag that holds most above what its peers hold. */
static enum status find_leader(const struct build *build, struct failure *failure)
{
    const struct fleet_host *host = &build->fleet->hosts[failure->host];
    failure->excess = -INFINITY;
    for (size_t i = 0; i < host->row_count[failure->pool]; i++) {
        const struct fleet_row *row = &host->rows[failure->pool][i];
        if (row->bytes < 65536)
            continue;
        const struct peer_stats *peers =
            peer_stats_get(build->cache, failure->host, failure->pool, row->tag);
        if (peers == NULL)
            return ST_NOMEM;
        double excess = (double)row->bytes - (peers->peers > 0 ? peers->median : 0);
        if (excess > failure->excess ||
            (excess >= failure->excess && tag_compare(row->tag, failure->tag) < 0)) {
            failure->excess = excess;
            failure->tag = row->tag;
        }
    }
    return ST_OK;
}

static int failure_order(const void *a, const void *b)
{
    const struct failure *x = a;
    const struct failure *y = b;
    if (x->pool != y->pool)
        return x->pool < y->pool ? -1 : 1;
    int order = tag_compare(x->tag, y->tag);
    if (order != 0)
        return order;
    return (x->host > y->host) - (x->host < y->host);
}

static void say_signs(struct strbuf *text, const struct fleet_host *host,
                      const struct failure *failure)
{
    const char *pool = pool_name(failure->pool);
    strbuf_printf(text, "%s:", host->name != NULL ? host->name : host->id);
    if (failure->share >= 0.3)
        strbuf_printf(text, " the %s pool is at %.0f %% of its limit;", pool, 100 * failure->share);
    if (host->failing.events[failure->pool] > 0)
        strbuf_printf(text, " event %d was logged %s %s in the newest day;",
                      failure->pool == POOL_NONPAGED ? 2019 : 2020,
                      GROUPED(host->failing.events[failure->pool]),
                      host->failing.events[failure->pool] == 1 ? "time" : "times");
    if (host->failing.alloc_failures > 0)
        strbuf_printf(text, " %s allocations failed in the newest day;",
                      GROUPED(host->failing.alloc_failures));
    if (failure->session) {
        strbuf_printf(text, " session %lld failed %s times", (long long)host->failing.session,
                      GROUPED(host->failing.session_failures));
        if (host->failing.session_paged_bytes >= 0) {
            strbuf_puts(text, " at ");
            wording_bytes(text, (double)host->failing.session_paged_bytes);
        }
        strbuf_puts(text, ";");
    }
    if (!strbuf_failed(text))
        text->data[text->length - 1] = '.'; /* the last mark; each branch above ends with one */
}

static enum status summarize(const struct build *build, const struct failure *failures,
                             size_t count, struct finding *finding)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    const struct fleet_host *first = &build->fleet->hosts[failures[0].host];
    const char *name = first->name != NULL ? first->name : first->id;
    bool session = failures[0].session;
    strbuf_printf(&text, "The %s pool is near its limit or failing on ",
                  session ? "session" : pool_name(finding->pool));
    if (count == 1)
        strbuf_puts(&text, name);
    else
        strbuf_printf(&text, "%s hosts", GROUPED(count));
    strbuf_puts(&text, session ? "; of the paged tags, which include session pool, " : "; tag ");
    wording_tag(&text, finding->tag);
    strbuf_puts(&text, session ? " is furthest above its peers with " : " leads with ");
    wording_bytes(&text, (double)finding->hosts[0].bytes);
    strbuf_puts(&text, ". ");
    say_signs(&text, first, &failures[0]);
    if (strbuf_failed(&text))
        return ST_NOMEM;
    finding->summary = arena_strdup(build->arena, text.data);
    return finding->summary == NULL ? ST_NOMEM : ST_OK;
}

static enum status tell_signs(const struct build *build, const struct failure *failures,
                              size_t count, struct finding *finding)
{
    size_t most = count < 10 ? count : 10;
    const char **lines = arena_alloc(build->arena, most, sizeof *lines);
    if (lines == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < most; i++) {
        AUTO_STRBUF struct strbuf text = STRBUF_INIT;
        say_signs(&text, &build->fleet->hosts[failures[i].host], &failures[i]);
        if (strbuf_failed(&text))
            return ST_NOMEM;
        lines[i] = arena_strdup(build->arena, text.data);
        if (lines[i] == NULL)
            return ST_NOMEM;
    }
    finding->evidence = lines;
    finding->evidence_count = most;
    return ST_OK;
}

/* Hosts of the same pool that do not fail stand against those that do. */
static enum status explain(const struct build *build, const struct failure *failures, size_t count,
                           struct finding *finding)
{
    size_t n = build->fleet->count;
    AUTO_FREE uint32_t *affected = calloc(n + 1, sizeof *affected);
    AUTO_FREE uint32_t *others = calloc(n + 1, sizeof *others);
    AUTO_FREE int64_t *since = calloc(n + 1, sizeof *since);
    struct explanation why;
    size_t other_count = 0;
    if (affected == NULL || others == NULL || since == NULL)
        return ST_NOMEM;
    for (size_t h = 0, at = 0; h < n; h++) {
        struct failure failure;
        if (at < count && failures[at].host == h) {
            affected[at] = (uint32_t)h;
            since[at++] = TIME_UNKNOWN;
        } else if (!is_failing(&build->fleet->hosts[h], finding->pool, &failure)) {
            others[other_count++] = (uint32_t)h;
        }
    }
    struct explain_input input = {build->fleet,         affected, count, others, other_count, since,
                                  finding->owner_driver};
    if (explain_hosts(&input, build->arena, &why) != ST_OK)
        return ST_NOMEM;
    finding->causes = why.causes;
    finding->cause_count = why.count;
    finding->cause_note = why.note;
    return ST_OK;
}

static enum status make_finding(const struct build *build, const struct failure *failures,
                                size_t count, struct finding *ret_finding)
{
    struct finding finding = {.kind = FINDING_EXHAUSTION,
                              .status = FINDING_OPEN,
                              .severity = SEVERITY_CRITICAL,
                              .pool = failures[0].pool,
                              .tag = failures[0].tag,
                              .tag_count = 1,
                              .first_seen_us = INT64_MAX,
                              .last_seen_us = INT64_MIN};
    bool failing = false;
    finding.tags = arena_alloc(build->arena, 1, sizeof *finding.tags);
    finding.hosts = arena_alloc(build->arena, count, sizeof *finding.hosts);
    if (finding.tags == NULL || finding.hosts == NULL)
        return ST_NOMEM;
    finding.tags[0] = finding.tag;
    for (size_t i = 0; i < count; i++) {
        const struct fleet_host *host = &build->fleet->hosts[failures[i].host];
        struct finding_host *to = &finding.hosts[finding.host_count++];
        if (build_host(build, failures[i].host, finding.pool, finding.tag, to) != ST_OK)
            return ST_NOMEM;
        failing = failing || host->failing.events[finding.pool] > 0 || failures[i].session ||
                  failures[i].share >= 0.95;
        const struct feature *feature = fleet_feature(host, finding.pool, finding.tag);
        if (feature != NULL) {
            to->since_us =
                host->last_us + (int64_t)((double)feature->onset_hours * (double)US_PER_HOUR);
            to->rate_bytes_per_hour = (double)feature->rate;
        }
        if (to->since_us < finding.first_seen_us)
            finding.first_seen_us = to->since_us;
        if (host->last_us > finding.last_seen_us)
            finding.last_seen_us = host->last_us;
    }
    finding.confidence = failing ? 0.98 : 0.85;
    build_id("exhaustion", finding.pool, finding.tag, "", finding.id);
    build_owner(build, &finding);
    if (explain(build, failures, count, &finding) != ST_OK ||
        tell_signs(build, failures, count, &finding) != ST_OK)
        return ST_NOMEM;
    build_sort_hosts(&finding);
    if (summarize(build, failures, count, &finding) != ST_OK)
        return ST_NOMEM;
    *ret_finding = finding;
    return ST_OK;
}

/* A leak or level that is told for this pool of this host says it all, as long as nothing failed
 * yet; it only becomes more urgent. */
static bool is_told(const struct fleet_host *host, const struct failure *failure,
                    struct finding_list *list, size_t told)
{
    bool found = false;
    if (host->failing.events[failure->pool] > 0 || host->failing.alloc_failures > 0 ||
        failure->session)
        return false;
    for (size_t i = 0; i < told; i++) {
        struct finding *finding = &list->items[i];
        if (finding->pool != failure->pool || finding->severity == SEVERITY_INFO)
            continue;
        for (size_t k = 0; k < finding->host_count && !found; k++)
            found = strcmp(finding->hosts[k].id, host->id) == 0;
        if (found) {
            finding->severity = SEVERITY_CRITICAL;
            break;
        }
    }
    return found;
}

enum status exhaust_findings(const struct build *build, const struct analyze_options *options,
                             struct finding_list *list)
{
    const struct fleet *fleet = build->fleet;
    AUTO_FREE struct failure *failures = calloc(exhaust_most(fleet) + 1, sizeof *failures);
    size_t count = 0;
    size_t told = list->count;
    if (failures == NULL)
        return ST_NOMEM;
    for (size_t h = 0; h < fleet->count; h++) {
        /* A host that has been silent for a day says nothing about now. */
        if (fleet->hosts[h].last_us < options->as_of_us - US_PER_DAY)
            continue;
        for (int pool = 0; pool < POOL_COUNT; pool++) {
            struct failure failure = {.host = (uint32_t)h, .pool = (enum pool)pool};
            if (!is_failing(&fleet->hosts[h], failure.pool, &failure) ||
                is_told(&fleet->hosts[h], &failure, list, told))
                continue;
            if (find_leader(build, &failure) != ST_OK)
                return ST_NOMEM;
            if (failure.excess > -INFINITY)
                failures[count++] = failure;
        }
    }
    if (count > 0)
        qsort(failures, count, sizeof *failures, failure_order);
    for (size_t i = 0; i < count;) {
        size_t end = i;
        while (end < count && failures[end].pool == failures[i].pool &&
               failures[end].tag == failures[i].tag)
            end++;
        if (make_finding(build, &failures[i], end - i, &list->items[list->count]) != ST_OK)
            return ST_NOMEM;
        list->count++;
        i = end;
    }
    return ST_OK;
}
