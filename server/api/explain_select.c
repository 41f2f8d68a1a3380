/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/explain_select.h"

#include "server/api/api_common.h"
#include "server/api/json_out.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static const char *const kind_names[] = {"region", "finding", "hosts", "having"};
static const char *const kind_fields[] = {"low", "finding", "hosts", "having"};
static const char *const baseline_names[BASELINE_COUNT] = {"fleet", "rest", "peers"};

void explain_selection_done(struct explain_selection *selection)
{
    finding_records_done(&selection->records);
    fleet_view_release(selection->view);
    facts_release(selection->facts);
    free(selection->sides);
    free(selection->values);
    free(selection->known);
    *selection = (struct explain_selection){0};
}

/* ---- parameters ------------------------------------------------------------- */

static enum status query_number(const struct req *rq, const char *name, double fallback,
                                double *ret_value, struct err *err)
{
    const char *text = req_query(rq, name);
    char *end = NULL;

    *ret_value = fallback;
    if (text == NULL)
        return ST_OK;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value) || value < 0)
        return err_field(err, ST_INVALID, name, "%s must be a number, 0 or more", name);
    *ret_value = value;
    return ST_OK;
}

static enum status query_kind(const struct req *rq, struct explain_selection *s, struct err *err)
{
    bool given[] = {req_query(rq, "low") != NULL || req_query(rq, "high") != NULL,
                    req_query(rq, "finding") != NULL, req_query(rq, "hosts") != NULL,
                    req_query(rq, "having") != NULL};
    size_t count = 0;

    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        if (!given[i])
            continue;
        s->kind = (enum explain_kind)i;
        count++;
    }
    if (count == 0)
        return err_field(err, ST_INVALID, "low",
                         "nothing is selected: give low or high of a tag, a finding, hosts, or "
                         "having");
    if (count > 1)
        return err_field(err, ST_INVALID, kind_fields[s->kind],
                         "one selection at a time: a region (low, high), finding, hosts or having");
    if (s->kind == EXPLAIN_REGION && req_query(rq, "tag") == NULL)
        return err_field(err, ST_INVALID, "tag", "a region (low, high) needs its tag");
    return ST_OK;
}

static enum status query_baseline(const struct req *rq, enum explain_baseline *ret_baseline,
                                  struct err *err)
{
    const char *text = req_query(rq, "baseline");

    *ret_baseline = BASELINE_FLEET;
    for (int i = 0; text != NULL && i < BASELINE_COUNT; i++)
        if (strcmp(text, baseline_names[i]) == 0) {
            *ret_baseline = (enum explain_baseline)i;
            return ST_OK;
        }
    return text == NULL
               ? ST_OK
               : err_field(err, ST_INVALID, "baseline", "baseline must be fleet, rest or peers");
}

static enum status query_parameters(const struct req *rq, struct explain_selection *s,
                                    struct err *err)
{
    const char *tag = req_query(rq, "tag");
    enum status status = query_kind(rq, s, err);

    s->having = req_query(rq, "having");
    s->within = req_query(rq, "within");
    if (status == ST_OK)
        status = query_baseline(rq, &s->baseline, err);
    if (status == ST_OK)
        status = measure_query(rq, &s->measure, err);
    if (status == ST_OK)
        status = query_number(rq, "low", 0, &s->low, err);
    if (status == ST_OK)
        status = query_number(rq, "high", INFINITY, &s->high, err);
    if (status == ST_OK && s->low > s->high)
        status = err_field(err, ST_INVALID, "low", "low must not be over high");
    if (status == ST_OK && tag != NULL) {
        s->has_tag = true;
        status = api_tag_parse(tag, &s->tag, err);
    }
    return status;
}

/* ---- facts as text ---------------------------------------------------------- */

#define DRIVER_PREFIX "driver/"

void explain_fact_parse(const struct facts *facts, const char *text, struct arena *arena,
                        struct explain_fact *ret_fact)
{
    bool driver = strncmp(text, DRIVER_PREFIX, strlen(DRIVER_PREFIX)) == 0;
    const char *name = driver ? text + strlen(DRIVER_PREFIX) : text;
    const char *mark = strchr(name, '=');
    char *copy = arena_strndup(arena, name, mark == NULL ? strlen(name) : (size_t)(mark - name));

    *ret_fact = (struct explain_fact){FACT_NONE, mark == NULL, mark == NULL ? NULL : mark + 1};
    if (copy != NULL)
        ret_fact->name = facts_name(facts, copy, driver);
}

bool explain_fact_held(const struct facts *facts, const struct facts_host *host,
                       const struct explain_fact *fact)
{
    if (host == NULL || fact->name == FACT_NONE)
        return false;
    uint32_t have = facts_of(facts, host, fact->name, NULL);
    if (have == FACT_NONE || fact->any)
        return have != FACT_NONE;
    const char *value = facts->pairs[facts->facts[have].pair].value;
    return value == NULL ? fact->value[0] == '\0' : strcmp(value, fact->value) == 0;
}

/* ---- sides ------------------------------------------------------------------ */

static void read_values(struct explain_selection *s)
{
    for (size_t i = 0; i < s->view->list.count; i++) {
        const struct host_state *host = s->view->list.items[i];
        struct host_row row;
        s->known[i] = facts_host(s->facts, host->key);
        s->values[i] = (double)NAN;
        if (s->has_tag && host_state_find(host, s->pool, s->tag, &row))
            s->values[i] = measure_of(host, &row, s->measure);
    }
}

static void select_ids(struct explain_selection *s, const char *const *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = fleet_view_host(s->view, ids[i]);
        if (at != VIEW_NONE)
            s->sides[at] = CONTRAST_SELECTED;
    }
}

static enum status select_hosts(const struct req *rq, struct explain_selection *s, struct err *err)
{
    AUTO_ARENA struct arena arena = {0};
    const char *ids[EXPLAIN_HOSTS_MAX];
    size_t count = 0;

    for (const char *at = req_query(rq, "hosts"); at != NULL && *at != '\0';) {
        size_t length = strcspn(at, ",");
        if (count == EXPLAIN_HOSTS_MAX)
            return err_field(err, ST_INVALID, "hosts", "hosts takes at most %d ids",
                             EXPLAIN_HOSTS_MAX);
        ids[count] = arena_strndup(&arena, at, length);
        if (ids[count] == NULL)
            return err_set(err, ST_NOMEM, "could not select hosts: out of memory");
        if (fleet_view_host(s->view, ids[count]) == VIEW_NONE)
            return err_field(err, ST_INVALID, "hosts", "host \"%s\" is not known", ids[count]);
        count++;
        at += length + (at[length] == ',');
    }
    select_ids(s, ids, count);
    return ST_OK;
}

static enum status select_having(struct explain_selection *s, struct err *err)
{
    AUTO_ARENA struct arena arena = {0};
    struct explain_fact fact;

    explain_fact_parse(s->facts, s->having, &arena, &fact);
    if (fact.name == FACT_NONE)
        return err_field(err, ST_INVALID, "having", "no host has told of \"%s\"", s->having);
    for (size_t i = 0; i < s->view->list.count; i++)
        if (explain_fact_held(s->facts, s->known[i], &fact))
            s->sides[i] = CONTRAST_SELECTED;
    return ST_OK;
}

static enum status select_side(const struct req *rq, struct explain_selection *s, struct err *err)
{
    if (s->kind == EXPLAIN_HOSTS)
        return select_hosts(rq, s, err);
    if (s->kind == EXPLAIN_HAVING)
        return select_having(s, err);
    if (s->kind == EXPLAIN_FINDING) {
        const struct finding *finding = &s->records.items[0].finding;
        for (size_t i = 0; i < finding->host_count; i++)
            select_ids(s, &finding->hosts[i].id, 1);
        return ST_OK;
    }
    for (size_t i = 0; i < s->view->list.count; i++)
        if (s->values[i] >= s->low && s->values[i] <= s->high)
            s->sides[i] = CONTRAST_SELECTED;
    return ST_OK;
}

/* Everything not selected, as far as the baseline goes; `within` cuts both sides. */
static enum status select_baseline(struct explain_selection *s, struct err *err)
{
    AUTO_ARENA struct arena arena = {0};
    struct explain_fact within = {FACT_NONE, true, NULL};
    size_t cohorts = s->view->cohort_count;
    AUTO_FREE bool *peers = calloc(cohorts + 1, sizeof *peers);

    if (peers == NULL)
        return err_set(err, ST_NOMEM, "could not select hosts: out of memory");
    if (s->within != NULL)
        explain_fact_parse(s->facts, s->within, &arena, &within);
    if (s->within != NULL && within.name == FACT_NONE)
        return err_field(err, ST_INVALID, "within", "no host has told of \"%s\"", s->within);
    for (size_t i = 0; i < s->view->list.count; i++)
        if (s->sides[i] == CONTRAST_SELECTED && s->view->host_cohort[i] < cohorts)
            peers[s->view->host_cohort[i]] = true;
    for (size_t i = 0; i < s->view->list.count; i++) {
        bool inside = s->within == NULL || explain_fact_held(s->facts, s->known[i], &within);
        size_t cohort = s->view->host_cohort[i];
        bool fits = s->baseline == BASELINE_FLEET ||
                    (s->baseline == BASELINE_REST && !isnan(s->values[i])) ||
                    (s->baseline == BASELINE_PEERS && cohort < cohorts && peers[cohort]);
        if (!inside)
            s->sides[i] = CONTRAST_NEITHER;
        else if (s->sides[i] != CONTRAST_SELECTED && fits)
            s->sides[i] = CONTRAST_BASELINE;
        s->selected += s->sides[i] == CONTRAST_SELECTED;
        s->compared += s->sides[i] == CONTRAST_BASELINE;
    }
    return ST_OK;
}

/* Says what the selection is, so that the next one can be right. */
static enum status refuse_empty(const struct explain_selection *s, struct err *err)
{
    const char *field = kind_fields[s->kind];
    double least = INFINITY, most = -INFINITY;
    size_t hosts = 0;

    for (size_t i = 0; i < s->view->list.count; i++)
        if (!isnan(s->values[i])) {
            least = fmin(least, s->values[i]);
            most = fmax(most, s->values[i]);
            hosts++;
        }
    if (s->selected == 0 && s->kind == EXPLAIN_REGION && hosts == 0)
        return err_field(err, ST_INVALID, "tag",
                         "the selection is empty: of no host is the %s of this tag known",
                         measure_names[s->measure]);
    if (s->selected == 0 && s->kind == EXPLAIN_REGION)
        return err_field(err, ST_INVALID, field,
                         "the selection is empty: the %s of %zu hosts lie between %.0f and %.0f",
                         measure_names[s->measure], hosts, floor(least), ceil(most));
    if (s->selected == 0)
        return err_field(err, ST_INVALID, field, "the selection is empty: no host is in it");
    return err_field(err, ST_INVALID, s->baseline != BASELINE_FLEET ? "baseline" : field,
                     "the selection holds all %zu hosts%s: none is left to compare with",
                     s->selected,
                     s->baseline == BASELINE_REST    ? " that have the tag"
                     : s->baseline == BASELINE_PEERS ? " of their cohorts"
                     : s->within != NULL             ? " within the filter"
                                                     : "");
}

static enum status read_finding(const struct req *rq, struct db *db, struct explain_selection *s,
                                struct err *err)
{
    enum status status = store_findings_get(db, req_query(rq, "finding"), &s->records, err);

    if (status == ST_NOT_FOUND)
        return err_field(err, ST_INVALID, "finding", "finding \"%s\" is not known",
                         req_query(rq, "finding"));
    if (status == ST_OK && !s->has_tag) {
        s->has_tag = true;
        s->tag = s->records.items[0].finding.tag;
    }
    return status;
}

static enum status read_sources(const struct req *rq, struct explain_selection *s, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    enum status status = api_view(rq, &s->view, err);

    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK && s->kind == EXPLAIN_FINDING)
        status = read_finding(rq, db, s, err);
    if (status == ST_OK && s->kind == EXPLAIN_FINDING && req_query(rq, "pool") == NULL)
        s->pool = s->records.items[0].finding.pool;
    else if (status == ST_OK && s->has_tag)
        status = measure_pool(rq, s->view, s->tag, &s->pool, err);
    if (status == ST_NOT_FOUND)
        status = err_field(err, ST_INVALID, "tag", "no host has this tag");
    if (status == ST_OK)
        status = facts_get(rq->app->facts, db, &s->facts, err);
    return status;
}

static enum status sort_hosts(const struct req *rq, struct explain_selection *s, struct err *err)
{
    size_t count = s->view->list.count;
    enum status status;

    s->sides = calloc(count + 1, sizeof *s->sides);
    s->values = calloc(count + 1, sizeof *s->values);
    s->known = calloc(count + 1, sizeof *s->known);
    if (s->sides == NULL || s->values == NULL || s->known == NULL)
        return err_set(err, ST_NOMEM, "could not select hosts: out of memory");
    read_values(s);
    status = select_side(rq, s, err);
    if (status == ST_OK)
        status = select_baseline(s, err);
    if (status == ST_OK && (s->selected == 0 || s->compared == 0))
        status = refuse_empty(s, err);
    return status;
}

enum status explain_select(const struct req *rq, struct explain_selection *ret_selection,
                           struct err *err)
{
    AUTO_EXPLAIN_SELECTION struct explain_selection s = {.pool = POOL_NONPAGED};
    enum status status = query_parameters(rq, &s, err);

    if (status == ST_OK)
        status = read_sources(rq, &s, err);
    if (status == ST_OK)
        status = sort_hosts(rq, &s, err);
    if (status != ST_OK)
        return status;
    *ret_selection = s;
    s = (struct explain_selection){0};
    return ST_OK;
}

void explain_write_selection(const struct explain_selection *s, struct strbuf *out)
{
    bool region = s->kind == EXPLAIN_REGION;

    json_key(out, "tag");
    if (s->has_tag)
        json_value_tag(out, s->tag);
    else
        strbuf_puts(out, "null");
    json_text(out, "pool", s->has_tag ? pool_name(s->pool) : NULL);
    json_text(out, "measure", measure_names[s->measure]);
    json_time(out, "as_of", s->view->as_of_us);
    json_key_open(out, "selection", '{');
    json_text(out, "kind", kind_names[s->kind]);
    json_number(out, "low", region ? s->low : (double)NAN);
    json_number(out, "high", region && isfinite(s->high) ? s->high : (double)NAN);
    json_text(out, "finding_id",
              s->kind == EXPLAIN_FINDING ? s->records.items[0].finding.id : NULL);
    json_text(out, "having", s->having);
    json_i64(out, "hosts", (int64_t)s->selected);
    json_close(out, '}');
    json_key_open(out, "baseline", '{');
    json_text(out, "kind", baseline_names[s->baseline]);
    json_text(out, "within", s->within);
    json_i64(out, "hosts", (int64_t)s->compared);
    json_close(out, '}');
}
