/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_explain.h"

#include "server/api/api_common.h"
#include "server/api/explain_select.h"
#include "server/api/json_out.h"
#include "server/api/list.h"

#include <math.h>
#include <string.h>

/* ---- what kind of fact ------------------------------------------------------ */

enum kind { KIND_DRIVER, KIND_OS, KIND_HARDWARE, KIND_APP, KIND_STATE, KIND_OTHER, KIND_COUNT };
static const char *const kind_texts[KIND_COUNT] = {"driver", "os",    "hardware",
                                                   "app",    "state", "other"};
static const struct {
    const char *prefix;
    enum kind kind;
} kinds[] = {{"os.", KIND_OS},   {"hw.", KIND_HARDWARE}, {"app.", KIND_APP},
             {"app/", KIND_APP}, {"service.", KIND_APP}, {"agent.", KIND_STATE}};

static enum kind kind_of(const struct contrast_item *item)
{
    if (item->driver || item->extra)
        return item->driver ? KIND_DRIVER : KIND_STATE;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strncmp(item->name, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
            return kinds[i].kind;
    return KIND_OTHER;
}

/* "driver,os": a set of kinds; all when absent. */
static enum status query_kinds(const struct req *rq, unsigned *ret_kinds, struct err *err)
{
    const char *at = req_query(rq, "kinds");

    *ret_kinds = at == NULL ? ~0u : 0;
    while (at != NULL) {
        size_t length = strcspn(at, ","), i = 0;
        while (i < KIND_COUNT &&
               (strlen(kind_texts[i]) != length || strncmp(kind_texts[i], at, length) != 0))
            i++;
        if (i == KIND_COUNT)
            return err_field(err, ST_INVALID, "kinds",
                             "kinds takes driver, os, hardware, app, state, other");
        *ret_kinds |= 1u << i;
        at = at[length] == ',' ? at + length + 1 : NULL;
    }
    return ST_OK;
}

/* ---- the ranked list -------------------------------------------------------- */

struct item {
    int64_t id;
    const char *attribute; /* "driver/x.sys" */
    const char *value;
    bool any_version;
    int kind;
    int64_t selected_with, selected, baseline_with, baseline;
    double selected_low, selected_high, baseline_low, baseline_high;
    double separation; /* size, for sorting; the direction is in the shares */
    double risk_ratio, risk_low, risk_high;
    double p_value, q_value;
    int verdict;
};

#define COLUMN(field, kind) LIST_COLUMN(struct item, field, kind)
static const struct list_column columns[] = {
    COLUMN(attribute, LIST_TEXT),
    COLUMN(value, LIST_TEXT),
    COLUMN(any_version, LIST_BOOL),
    LIST_COLUMN_ENUM(struct item, kind, kind_texts),
    COLUMN(selected_with, LIST_I64),
    COLUMN(selected, LIST_I64),
    COLUMN(baseline_with, LIST_I64),
    COLUMN(baseline, LIST_I64),
    COLUMN(selected_low, LIST_REAL),
    COLUMN(selected_high, LIST_REAL),
    COLUMN(baseline_low, LIST_REAL),
    COLUMN(baseline_high, LIST_REAL),
    COLUMN(separation, LIST_REAL),
    COLUMN(risk_ratio, LIST_REAL),
    COLUMN(risk_low, LIST_REAL),
    COLUMN(risk_high, LIST_REAL),
    COLUMN(p_value, LIST_REAL),
    COLUMN(q_value, LIST_REAL),
    LIST_COLUMN_ENUM(struct item, verdict, contrast_verdict_names),
};
static const struct list_spec spec = {
    .columns = columns,
    .column_count = sizeof columns / sizeof columns[0],
    .identity = COLUMN(id, LIST_I64),
    .default_sort = "-separation",
    .default_limit = LIST_LIMIT_DEFAULT,
    .max_limit = LIST_LIMIT_MAX,
};

static bool item_fill(const struct contrast_item *from, struct arena *arena, struct item *item)
{
    const struct exact_table *t = &from->table;
    size_t length = strlen(from->name);
    char *name = arena_alloc(arena, length + sizeof "driver/", 1);

    if (name == NULL)
        return false;
    memcpy(name, "driver/", 7);
    memcpy(name + (from->driver ? 7 : 0), from->name, length + 1);
    *item = (struct item){
        .id = from->id,
        .attribute = name,
        .value = from->value,
        .any_version = from->any,
        .kind = (int)kind_of(from),
        .selected_with = (int64_t)t->with,
        .selected = (int64_t)(t->with + t->without),
        .baseline_with = (int64_t)t->other_with,
        .baseline = (int64_t)(t->other_with + t->other_without),
        .selected_low = from->share.low,
        .selected_high = from->share.high,
        .baseline_low = from->other_share.low,
        .baseline_high = from->other_share.high,
        .separation = fabs(from->separation),
        .risk_ratio = from->ratio,
        .risk_low = from->ratio_range.low,
        .risk_high = isinf(from->ratio_range.high) ? (double)NAN : from->ratio_range.high,
        .p_value = from->p,
        .q_value = from->q,
        .verdict = (int)from->verdict,
    };
    return true;
}

static bool item_fits(const struct item *item, unsigned kinds_wanted, const char *q)
{
    return (kinds_wanted >> item->kind & 1) != 0 &&
           (q == NULL || api_text_has(item->attribute, q) || api_text_has(item->value, q));
}

/* How long each host has been up, whatever its attributes say: the oldest confounder. */
static void bands_of(const struct explain_selection *s, uint8_t *ret_bands)
{
    for (size_t i = 0; i < s->view->list.count; i++)
        ret_bands[i] = (uint8_t)measure_band(s->view->list.items[i]);
}

static enum status compare(const struct explain_selection *s, struct contrast *ret_contrast,
                           struct err *err)
{
    AUTO_FREE uint8_t *bands = calloc(s->view->list.count + 1, 1);

    if (bands == NULL)
        return err_set(err, ST_NOMEM, "could not compare hosts: out of memory");
    bands_of(s, bands);
    const struct contrast_extra uptime = {"uptime", measure_band_names, COHORT_BANDS, bands};
    const struct contrast_input input = {.facts = s->facts,
                                         .hosts = s->known,
                                         .sides = s->sides,
                                         .count = s->view->list.count,
                                         .extras = &uptime,
                                         .extra_count = 1};
    return contrast_make(&input, ret_contrast, err);
}

static void note_of(struct strbuf *note, size_t some, size_t all, const char *who)
{
    strbuf_grouped(note, some);
    strbuf_puts(note, " of ");
    strbuf_grouped(note, all);
    strbuf_puts(note, who);
}

/* What weakens every line below, once. */
static void write_note(const struct contrast *contrast, struct strbuf *out)
{
    AUTO_STRBUF struct strbuf note = STRBUF_INIT;
    size_t few = 0;

    for (size_t i = 0; i < contrast->count; i++)
        few += contrast->items[i].verdict == CONTRAST_TOO_FEW;
    if (contrast->tested == 0)
        strbuf_puts(&note, "No attributes or drivers of these hosts are known.");
    else if (few == contrast->count)
        strbuf_printf(&note,
                      "Too few hosts to tell: %zu selected and %zu others could not show any "
                      "difference for certain.",
                      contrast->selected, contrast->baseline);
    else if (contrast->told[0][1] < contrast->selected ||
             contrast->told[1][1] < contrast->baseline) {
        note_of(&note, contrast->told[0][1], contrast->selected, " selected and ");
        note_of(&note, contrast->told[1][1], contrast->baseline,
                " others told their drivers; only these count for drivers.");
    }
    json_text(out, "note", note.length > 0 ? note.data : NULL);
}

static void write_head(const struct explain_selection *s, const struct contrast *contrast,
                       struct strbuf *out)
{
    explain_write_selection(s, out);
    json_i64(out, "tested", (int64_t)contrast->tested);
    json_bool(out, "cut", contrast->tested > contrast->count);
    write_note(contrast, out);
}

enum status api_explain(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {LIST_PARAMETERS, EXPLAIN_PARAMETERS, "kinds", "q"};
    AUTO_LIST_QUERY struct list_query query = {0};
    AUTO_EXPLAIN_SELECTION struct explain_selection s = {0};
    AUTO_CONTRAST struct contrast contrast = {0};
    AUTO_ARENA struct arena arena = {0};
    AUTO_STRBUF struct strbuf head = STRBUF_INIT;
    unsigned kinds_wanted = 0;
    size_t count = 0;
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK)
        status = list_query_read(rq, &spec, &query, err);
    if (status == ST_OK)
        status = query_kinds(rq, &kinds_wanted, err);
    if (status == ST_OK)
        status = explain_select(rq, &s, err);
    if (status == ST_OK)
        status = compare(&s, &contrast, err);
    if (status != ST_OK)
        return status;
    AUTO_FREE struct item *items = calloc(contrast.count + 1, sizeof *items);
    for (size_t i = 0; i < contrast.count; i++) {
        if (items == NULL || !item_fill(&contrast.items[i], &arena, &items[count]))
            return err_set(err, ST_NOMEM, "could not list attributes: out of memory");
        count += item_fits(&items[count], kinds_wanted, req_query(rq, "q"));
    }
    write_head(&s, &contrast, &head);
    if (items == NULL || strbuf_failed(&head))
        return err_set(err, ST_NOMEM, "could not list attributes: out of memory");
    return list_reply(rq, rs, &spec, &query, head.data, items, sizeof *items, count, err);
}

/* ---- the hosts behind a line ------------------------------------------------ */

static const char *const side_names[] = {"neither", "selected", "baseline"};

struct host_item {
    const char *host_id;
    const char *name;
    int side;
    bool has;
    const char *value; /* the host's own of the fact asked for */
    double measured;
    int64_t uptime_seconds;
    const char *role;
    const char *os_build;
    bool simulated;
};

#define HOST_COLUMN(field, kind) LIST_COLUMN(struct host_item, field, kind)
static const struct list_column host_columns[] = {
    HOST_COLUMN(host_id, LIST_TEXT),
    HOST_COLUMN(name, LIST_TEXT),
    LIST_COLUMN_ENUM(struct host_item, side, side_names),
    HOST_COLUMN(has, LIST_BOOL),
    HOST_COLUMN(value, LIST_TEXT),
    HOST_COLUMN(measured, LIST_REAL),
    HOST_COLUMN(uptime_seconds, LIST_I64),
    HOST_COLUMN(role, LIST_TEXT),
    HOST_COLUMN(os_build, LIST_TEXT),
    HOST_COLUMN(simulated, LIST_BOOL),
};
static const struct list_spec host_spec = {
    .columns = host_columns,
    .column_count = sizeof host_columns / sizeof host_columns[0],
    .identity = HOST_COLUMN(host_id, LIST_TEXT),
    .default_sort = "-measured",
    .default_limit = LIST_LIMIT_DEFAULT,
    .max_limit = LIST_LIMIT_MAX,
};

static void host_fill(const struct explain_selection *s, size_t at, const struct explain_fact *fact,
                      const char *band, struct host_item *item)
{
    const struct host_state *host = s->view->list.items[at];
    const struct facts_host *known = s->known[at];
    const char *own = measure_band_names[measure_band(host)];
    uint32_t have = known == NULL || fact->name == FACT_NONE
                        ? FACT_NONE
                        : facts_of(s->facts, known, fact->name, NULL);

    *item = (struct host_item){
        .host_id = host->id,
        .name = host->name,
        .side = s->sides[at],
        .has = band != NULL ? strcmp(band, own) == 0 : explain_fact_held(s->facts, known, fact),
        .value = band != NULL        ? own
                 : have == FACT_NONE ? NULL
                                     : s->facts->pairs[s->facts->facts[have].pair].value,
        .measured = s->values[at],
        .uptime_seconds = api_host_uptime_seconds(host),
        .role = host->shown[HOST_ROLE],
        .os_build = host->shown[HOST_OS_BUILD],
        .simulated = api_host_simulated(host),
    };
}

static enum status query_side(const struct req *rq, int *ret_side, struct err *err)
{
    const char *text = req_query(rq, "side");

    *ret_side = text == NULL ? -1 : strcmp(text, "selected") == 0 ? 1 : 2;
    if (text != NULL && strcmp(text, "selected") != 0 && strcmp(text, "baseline") != 0)
        return err_field(err, ST_INVALID, "side", "side must be selected or baseline");
    return ST_OK;
}

enum status api_explain_hosts(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {LIST_PARAMETERS, EXPLAIN_PARAMETERS, "fact", "side", "has"};
    AUTO_LIST_QUERY struct list_query query = {0};
    AUTO_EXPLAIN_SELECTION struct explain_selection s = {0};
    AUTO_ARENA struct arena arena = {0};
    AUTO_STRBUF struct strbuf head = STRBUF_INIT;
    struct explain_fact fact = {FACT_NONE, true, NULL};
    const char *text = req_query(rq, "fact");
    const char *band = text != NULL && strncmp(text, "uptime=", 7) == 0 ? text + 7 : NULL;
    int side = -1, has = -1;
    size_t count = 0;
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK)
        status = list_query_read(rq, &host_spec, &query, err);
    if (status == ST_OK)
        status = query_side(rq, &side, err);
    if (status == ST_OK)
        status = api_query_flag(rq, "has", &has, err);
    if (status == ST_OK)
        status = explain_select(rq, &s, err);
    if (status != ST_OK)
        return status;
    if (text != NULL && band == NULL)
        explain_fact_parse(s.facts, text, &arena, &fact);
    AUTO_FREE struct host_item *items = calloc(s.view->list.count + 1, sizeof *items);
    for (size_t i = 0; items != NULL && i < s.view->list.count; i++) {
        if (s.sides[i] == CONTRAST_NEITHER || (side >= 0 && s.sides[i] != side))
            continue;
        host_fill(&s, i, &fact, band, &items[count]);
        count += has < 0 || items[count].has == (has == 1);
    }
    explain_write_selection(&s, &head);
    if (items == NULL || strbuf_failed(&head))
        return err_set(err, ST_NOMEM, "could not list hosts: out of memory");
    return list_reply(rq, rs, &host_spec, &query, head.data, items, sizeof *items, count, err);
}
