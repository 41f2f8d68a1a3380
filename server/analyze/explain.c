/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/explain.h"

#include "common/strbuf.h"
#include "server/analyze/bounds.h"
#include "server/analyze/conjoin.h"
#include "server/analyze/exposed.h"
#include "server/analyze/valueset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* docs/detection.md, "Thresholds of grouping, causes and forecast": explain */
#define CAUSE_Q_MAX    0.05
#define FEW_Q_MAX      0.01 /* where two hosts are all there are */
#define CAUSE_RISK_MIN 2.0
#define ROLES_MAX      64 /* main roles are four at most; the first 64 hold them in any real fleet */
#define CAUSE_COVER_MIN                                                                            \
    0.5 /* an attribute that explains fewer of the affected is no explanation                      \
         */
/* Share of those with the value that must be affected. A bad driver may need a certain load to
 * show; for a role or a build that many of the healthy have as well, there is no such excuse. */
#define RISK_MIN_DRIVER 0.4
#define RISK_MIN_OTHER  0.6
#define BEFORE_US       (3 * US_PER_DAY) /* a change this long before the growth may have begun it */

static double log_choose(double n, double k)
{
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

double explain_fisher(size_t a, size_t b, size_t c, size_t d)
{
    size_t with = a + c;
    size_t affected = a + b;
    size_t most = with < affected ? with : affected;
    double all = log_choose((double)(affected + c + d), (double)affected);
    double p = 0;
    for (size_t k = a; k <= most; k++) {
        if (affected - k > b + d) /* more than there are without the value */
            continue;
        p += exp(log_choose((double)with, (double)k) +
                 log_choose((double)(b + d), (double)(affected - k)) - all);
    }
    return fmin(p, 1);
}

double explain_risk_ratio(size_t a, size_t b, size_t c, size_t d)
{
    double with = ((double)a + 0.5) / ((double)(a + c) + 1);
    double without = ((double)b + 0.5) / ((double)(b + d) + 1);
    return with / without;
}

void explain_adjust(double *sorted_p, size_t count, size_t tested)
{
    double q = 1;
    for (size_t i = count; i > 0; i--) {
        q = fmin(q, sorted_p[i - 1] * (double)tested / (double)i);
        sorted_p[i - 1] = q;
    }
}

/* Our own bookkeeping attributes, and what names a host rather than describes it. */
static bool is_testable(const char *name)
{
    static const char *const skipped[] = {"host.id", "host.name", "os.name", "hw.ram_bytes",
                                          "service.instance.id"};
    if (strncmp(name, "poolfleet.", 10) == 0)
        return false;
    for (size_t i = 0; i < sizeof skipped / sizeof skipped[0]; i++) {
        if (strcmp(name, skipped[i]) == 0)
            return false;
    }
    return true;
}

static void note_time(struct value *value, const struct fleet_host *host,
                      const struct fleet_fact *fact, int64_t since_us)
{
    bool came = fact->from_us != TIME_UNKNOWN && fact->from_us > host->first_us;
    if (!came || since_us == TIME_UNKNOWN)
        return;
    if (fact->from_us > since_us + US_PER_DAY)
        value->after++;
    else if (fact->from_us >= since_us - BEFORE_US)
        value->before++;
}

static enum status list_values(const struct explain_input *input, struct valueset *values)
{
    for (size_t i = 0; i < input->affected_count; i++) {
        const struct fleet_host *host = &input->fleet->hosts[input->affected[i]];
        for (size_t k = 0; k < host->fact_count; k++) {
            const struct fleet_fact *fact = &host->facts[k];
            struct value *value;
            if (!is_testable(input->fleet->texts[fact->name]))
                continue;
            if (valueset_add(values, fact->name, fact->value, &value) != ST_OK)
                return ST_NOMEM;
            value->with++;
            note_time(value, host, fact, input->since_us[i]);
        }
    }
    valueset_sort(values);
    return ST_OK;
}

/* Hosts of a role differ from those of another in a hundred ways; within it, a difference counts.
 * Marks the unaffected hosts that have a main role of the affected; returns how many. */
static size_t mark_peers(const struct explain_input *input, bool *peer)
{
    const struct fleet_host *hosts = input->fleet->hosts;
    const char *roles[ROLES_MAX];
    size_t have[ROLES_MAX] = {0};
    size_t count = 0;
    size_t peers = 0;
    for (size_t i = 0; i < input->affected_count; i++) {
        const char *role = hosts[input->affected[i]].cohort.role;
        size_t k = 0;
        while (k < count && strcmp(roles[k], role) != 0)
            k++;
        if (k == ROLES_MAX)
            continue;
        if (k == count)
            roles[count++] = role;
        have[k]++;
    }
    for (size_t i = 0; i < input->unaffected_count; i++) {
        for (size_t k = 0; k < count && !peer[i]; k++)
            peer[i] = have[k] * 4 >= input->affected_count &&
                      strcmp(hosts[input->unaffected[i]].cohort.role, roles[k]) == 0;
        peers += peer[i];
    }
    return peers;
}

static void count_others(const struct explain_input *input, const bool *peer,
                         const struct valueset *values)
{
    for (size_t i = 0; i < input->unaffected_count; i++) {
        const struct fleet_host *host = &input->fleet->hosts[input->unaffected[i]];
        for (size_t k = 0; k < host->fact_count; k++) {
            struct value *value = valueset_find(values, host->facts[k].name, host->facts[k].value);
            if (value == NULL)
                continue;
            value->others++;
            value->role_others += peer[i];
        }
        for (size_t k = 0; k < host->change_count; k++) {
            struct value *value =
                valueset_find(values, host->changes[k].name, host->changes[k].old_value);
            if (value != NULL && fleet_fact(host, value->name) != value->value)
                value->moved++;
        }
    }
}

static bool others_run_it(const struct explain_input *input, const bool *peer, uint32_t name,
                          const struct value *values, size_t count)
{
    for (size_t i = 0; i < input->unaffected_count; i++) {
        const struct fleet_host *host = &input->fleet->hosts[input->unaffected[i]];
        uint32_t has = fleet_fact(host, name);
        bool guilty = !peer[i];
        for (size_t k = 0; k < count; k++)
            guilty = guilty || (values[k].guilty && values[k].value == has);
        if (has != UINT32_MAX && !guilty)
            return true;
    }
    return false;
}

/* Which way to lean when several attributes separate the hosts about as well. */
static double lean(const struct explain_input *input, const char *name)
{
    if (strncmp(name, "driver/", 7) == 0) {
        bool owner = input->owner != NULL && strcasecmp(name + 7, input->owner) == 0;
        return owner ? 0.9 : 0.5;
    }
    bool group = strcmp(name, "role") == 0 || strncmp(name, "hw.", 3) == 0;
    return group ? -0.5 : 0;
}

/* All guilty values of one attribute judged together: two bad versions explain what neither does
 * alone. */
static void judge_attribute(const struct explain_input *input, const bool *peer, size_t role_hosts,
                            struct value *values, size_t count)
{
    size_t n = input->affected_count;
    size_t m = input->unaffected_count;
    size_t least = n / 10 > 2 ? n / 10 : n < 4 ? 1 : 2;
    bool driver = strncmp(input->fleet->texts[values[0].name], "driver/", 7) == 0;
    double base = (double)n / (double)(n + m);
    size_t with = 0;
    size_t others = 0;
    size_t role_others = 0;
    size_t guilty = 0;
    double before = 0;
    double after = 0;
    double moved = 0;
    for (size_t i = 0; i < count; i++) {
        double risk = (double)values[i].with / (double)(values[i].with + values[i].others);
        values[i].guilty = values[i].with >= least && risk >= fmin(0.5, 3 * base) &&
                           risk >= (driver ? RISK_MIN_DRIVER : RISK_MIN_OTHER);
        if (!values[i].guilty)
            continue;
        guilty++;
        with += values[i].with;
        others += values[i].others;
        role_others += values[i].role_others;
        before += (double)values[i].before;
        after += (double)values[i].after;
        moved += (double)values[i].moved;
    }
    double p = guilty > 0 ? explain_fisher(with, n - with, others, m - others) : 1;
    double role_p =
        guilty > 0 ? explain_fisher(with, n - with, role_others, role_hosts - role_others) : 1;
    bool versions = guilty > 0 && others_run_it(input, peer, values[0].name, values, count);
    double rank = -log10(fmax(p, 1e-300)) - 1.2 * (double)(guilty > 0 ? guilty - 1 : 0) +
                  lean(input, input->fleet->texts[values[0].name]) +
                  (3 * before - 5 * after) / (double)n + (moved > 0 ? 1 : 0) + (versions ? 0.2 : 0);
    if ((double)with < CAUSE_COVER_MIN * (double)n)
        rank = -1;
    for (size_t i = 0; i < count; i++) {
        values[i].rank = rank;
        values[i].attribute_p = role_p;
        values[i].versions = versions;
    }
}

struct ranked {
    const struct fleet *fleet;
    struct value value;
};

static int by_rank(const void *a, const void *b)
{
    const struct ranked *x = a;
    const struct ranked *y = b;
    if (x->value.rank < y->value.rank - 1e-9 || x->value.rank > y->value.rank + 1e-9)
        return x->value.rank > y->value.rank ? -1 : 1;
    const char *const *texts = x->fleet->texts;
    int order = strcmp(texts[x->value.name], texts[y->value.name]);
    if (order != 0)
        return order;
    if (x->value.with != y->value.with)
        return x->value.with > y->value.with ? -1 : 1;
    return strcmp(texts[x->value.value], texts[y->value.value]);
}

static int by_p(const void *a, const void *b)
{
    double x = (*(struct value *const *)a)->p;
    double y = (*(struct value *const *)b)->p;
    return (x > y) - (x < y);
}

static enum status judge_values(const struct explain_input *input, const struct valueset *set)
{
    struct value *values = set->items;
    size_t count = set->count;
    AUTO_FREE bool *peer = calloc(input->unaffected_count + 1, sizeof *peer);
    size_t n = input->affected_count;
    size_t m = input->unaffected_count;
    AUTO_FREE struct value **order = calloc(count + 1, sizeof *order);
    AUTO_FREE double *p = calloc(count + 1, sizeof *p);
    if (order == NULL || p == NULL || peer == NULL)
        return ST_NOMEM;
    size_t peers = mark_peers(input, peer);
    count_others(input, peer, set);
    for (size_t i = 0; i < count; i++) {
        order[i] = &values[i];
        values[i].p = explain_fisher(values[i].with, n - values[i].with, values[i].others,
                                     m - values[i].others);
    }
    qsort(order, count, sizeof *order, by_p);
    for (size_t i = 0; i < count; i++)
        p[i] = order[i]->p;
    explain_adjust(p, count, count);
    for (size_t i = 0; i < count; i++)
        order[i]->q = p[i];
    for (size_t i = 0; i < count;) {
        size_t end = i;
        while (end < count && values[end].name == values[i].name)
            end++;
        judge_attribute(input, peer, peers, &values[i], end - i);
        i = end;
    }
    return ST_OK;
}

/* A small fleet cannot prove much against hundreds of values. One version of a driver that all
 * affected hosts run, and none of the others that run the driver, is told as a lead, with its q. */
static bool is_lead(const struct value *value, size_t n)
{
    return n >= EXPLAIN_HOSTS_MIN && value->versions && value->with == n && value->others == 0 &&
           value->p <= CAUSE_Q_MAX;
}

/* Two hosts share much by chance: only one of several versions that nobody else runs is told of
 * them, and only in a fleet so large that it holds against all values tested. */
static bool is_enough(const struct value *value, size_t n)
{
    return n >= EXPLAIN_HOSTS_MIN ||
           (value->versions && value->with == n && value->others == 0 && value->q <= FEW_Q_MAX);
}

static bool is_cause(const struct value *value, size_t n, size_t m)
{
    return is_enough(value, n) && value->guilty && value->rank > 0 &&
           (value->q <= CAUSE_Q_MAX || is_lead(value, n)) &&
           explain_risk_ratio(value->with, n - value->with, value->others, m - value->others) >=
               CAUSE_RISK_MIN;
}

static enum status add_cause(const struct explain_input *input, const struct value *value,
                             const struct value *also, size_t with, size_t others, double q,
                             struct arena *arena, struct explanation *explanation)
{
    const char *const *texts = input->fleet->texts;
    size_t n = input->affected_count;
    size_t m = input->unaffected_count;
    struct finding_cause *cause = &explanation->causes[explanation->count++];
    *cause = (struct finding_cause){
        .attribute = arena_strdup(arena, texts[value->name]),
        .value = arena_strdup(arena, texts[value->value]),
        .and_attribute = also == NULL ? NULL : arena_strdup(arena, texts[also->name]),
        .and_value = also == NULL ? NULL : arena_strdup(arena, texts[also->value]),
        .affected = n,
        .affected_with = with,
        .unaffected = m,
        .unaffected_with = others,
        .q_value = q,
        .risk_ratio = explain_risk_ratio(with, n - with, others, m - others),
        .rate_before = NAN,
        .rate_after = NAN};
    bool lost = also != NULL && (cause->and_attribute == NULL || cause->and_value == NULL);
    return cause->attribute == NULL || cause->value == NULL || lost ? ST_NOMEM : ST_OK;
}

/* First bad and good versions; of all guilty ones of the attribute together. */
static enum status add_bounds(const struct explain_input *input, const struct value *values,
                              size_t count, const struct value *value, struct arena *arena,
                              struct finding_cause *cause)
{
    uint32_t guilty[BOUNDS_GUILTY_MOST] = {value->value};
    size_t found = 1;
    for (size_t i = 0; i < count && found < BOUNDS_GUILTY_MOST; i++) {
        if (values[i].name == value->name && values[i].guilty && values[i].value != value->value)
            guilty[found++] = values[i].value;
    }
    return bounds_versions(input, value->name, guilty, found, arena, cause);
}

static int by_promise(const void *a, const void *b)
{
    const struct ranked *x = a;
    const struct ranked *y = b;
    const char *const *texts = x->fleet->texts;
    if (x->value.p < y->value.p || x->value.p > y->value.p)
        return x->value.p < y->value.p ? -1 : 1;
    int order = strcmp(texts[x->value.name], texts[y->value.name]);
    return order != 0 ? order : strcmp(texts[x->value.value], texts[y->value.value]);
}

/* Two values that explain more together than each alone go first. */
static enum status add_pair(const struct explain_input *input, struct value *values, size_t count,
                            struct arena *arena, struct explanation *explanation)
{
    struct conjoin_value halves[CONJOIN_MOST];
    struct conjunction pair;
    AUTO_FREE struct ranked *order = calloc(count + 1, sizeof *order);
    size_t found = 0;
    if (order == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < count; i++) {
        if (values[i].with * 5 >= input->affected_count * 4 &&
            values[i].others < input->unaffected_count)
            order[found++] = (struct ranked){input->fleet, values[i]};
    }
    qsort(order, found, sizeof *order, by_promise);
    found = found < CONJOIN_MOST ? found : CONJOIN_MOST;
    for (size_t i = 0; i < found; i++) {
        const struct value *value = &order[i].value;
        double rank =
            -log10(fmax(value->p, 1e-300)) + lean(input, input->fleet->texts[value->name]);
        halves[i] = (struct conjoin_value){value->name, value->value, rank};
    }
    if (conjoin_find(input, halves, found, &pair) != ST_OK)
        return ST_NOMEM;
    double q = pair.found ? pair.p * (double)count * (double)(count - 1) / 2 : 1;
    if (q > CAUSE_Q_MAX)
        return ST_OK;
    const struct value *first = &order[pair.first].value;
    if (add_cause(input, first, &order[pair.second].value, pair.with, pair.others, q, arena,
                  explanation) != ST_OK)
        return ST_NOMEM;
    return add_bounds(input, values, count, first, arena, &explanation->causes[0]);
}

static enum status keep_best(const struct explain_input *input, struct value *values, size_t count,
                             struct arena *arena, struct explanation *explanation)
{
    size_t n = input->affected_count;
    size_t m = input->unaffected_count;
    AUTO_FREE struct ranked *ranked = calloc(count + 1, sizeof *ranked);
    explanation->causes = arena_alloc(arena, EXPLAIN_CAUSES_MAX, sizeof *explanation->causes);
    if (ranked == NULL || explanation->causes == NULL)
        return ST_NOMEM;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_cause(&values[i], n, m))
            ranked[kept++] = (struct ranked){input->fleet, values[i]};
    }
    qsort(ranked, kept, sizeof *ranked, by_rank);
    if (n >= EXPLAIN_HOSTS_MIN && add_pair(input, values, count, arena, explanation) != ST_OK)
        return ST_NOMEM;
    for (size_t i = 0; i < kept && explanation->count < EXPLAIN_CAUSES_MAX; i++) {
        const struct value *value = &ranked[i].value;
        if (add_cause(input, value, NULL, value->with, value->others, value->q, arena,
                      explanation) != ST_OK ||
            add_bounds(input, values, count, value, arena,
                       &explanation->causes[explanation->count - 1]) != ST_OK)
            return ST_NOMEM;
    }
    if (kept > 0) {
        const struct value *best = &ranked[0].value;
        explanation->versions =
            best->versions && strncmp(input->fleet->texts[best->name], "driver/", 7) == 0;
        explanation->best_p = best->attribute_p;
        explanation->moved_away = best->moved;
        explanation->came_before = best->before;
    }
    return ST_OK;
}

enum status explain_hosts(const struct explain_input *given, struct arena *arena,
                          struct explanation *ret_explanation)
{
    struct explanation explanation = {.best_p = 1};
    struct explain_input of = *given;
    const struct explain_input *input = &of;
    AUTO_FREE uint32_t *others = calloc(given->unaffected_count + 1, sizeof *others);
    AUTO_VALUESET struct valueset values = {0};
    AUTO_STRBUF struct strbuf note = STRBUF_INIT;
    if (others == NULL || exposed_hosts(given, others, &of.unaffected_count) != ST_OK)
        return ST_NOMEM;
    of.unaffected = others;
    bool enough =
        input->affected_count >= EXPLAIN_HOSTS_FEW && input->unaffected_count >= EXPLAIN_HOSTS_MIN;
    if (enough && (list_values(input, &values) != ST_OK || judge_values(input, &values) != ST_OK ||
                   keep_best(input, values.items, values.count, arena, &explanation) != ST_OK))
        return ST_NOMEM;
    if (explanation.count == 0 && input->affected_count < EXPLAIN_HOSTS_MIN)
        enough = false;
    if (!enough)
        strbuf_printf(&note, "Too few hosts to tell: %s affected, %s unaffected.",
                      GROUPED(input->affected_count), GROUPED(input->unaffected_count));
    size_t count = values.count;
    explanation.tested = enough ? count : 0;
    if (enough && count == 0)
        strbuf_puts(&note, "No attributes or drivers of these hosts are known.");
    else if (enough && explanation.count == 0)
        strbuf_printf(&note,
                      "None of %s attribute values and driver versions separates the "
                      "affected hosts from the others.",
                      GROUPED(count));
    else if (enough && explanation.causes[0].q_value > CAUSE_Q_MAX)
        strbuf_puts(&note, "Too few hosts to tell: what separates them may do so by chance.");
    else if (enough && input->affected_count < 5)
        strbuf_printf(&note, "Only %zu affected hosts: take the cause as a first lead.",
                      input->affected_count);
    if (strbuf_failed(&note))
        return ST_NOMEM;
    if (note.length > 0) {
        explanation.note = arena_strdup(arena, note.data);
        if (explanation.note == NULL)
            return ST_NOMEM;
    }
    *ret_explanation = explanation;
    return ST_OK;
}
