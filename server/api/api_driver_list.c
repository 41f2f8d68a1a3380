/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of drivers, counted from the facts in memory: the database would join every row of every
 * host's drivers for it (65 ms at 200,000 rows).
 */
#include "server/api/api_common.h"
#include "server/api/api_drivers.h"
#include "server/api/driver_names.h"
#include "server/api/json_out.h"
#include "server/api/list.h"
#include "server/store/store_findings.h"

#include <math.h>
#include <string.h>

#define LATELY_US (7 * US_PER_DAY)
/* What a host tells in its first hour was there before we looked. */
#define FIRST_US     US_PER_HOUR
#define HOSTS_LOOKED 200 /* of each finding, the worst, for the fastest growth */

struct item {
    const char *name;
    const char *company;
    int64_t versions;
    int64_t hosts;
    const char *tags; /* JSON */
    int64_t findings;
    const char *product;
    int64_t files;
    int64_t files_scanned;
    const char *top_version; /* the one most hosts run */
    int64_t top_hosts;
    int64_t hosts_changed; /* in the last week */
    int64_t findings_cause;
    int64_t findings_owner;
    double worst_rate; /* bytes per hour of a host in these; NAN: none */
};

#define COLUMN(field, kind) LIST_COLUMN(struct item, field, kind)
static const struct list_column columns[] = {
    COLUMN(name, LIST_TEXT),          COLUMN(company, LIST_TEXT),
    COLUMN(versions, LIST_I64),       COLUMN(hosts, LIST_I64),
    COLUMN(tags, LIST_JSON),          COLUMN(findings, LIST_I64),
    COLUMN(product, LIST_TEXT),       COLUMN(files, LIST_I64),
    COLUMN(files_scanned, LIST_I64),  COLUMN(top_version, LIST_TEXT),
    COLUMN(top_hosts, LIST_I64),      COLUMN(hosts_changed, LIST_I64),
    COLUMN(findings_cause, LIST_I64), COLUMN(findings_owner, LIST_I64),
    COLUMN(worst_rate, LIST_REAL),
};

static const struct list_spec spec = {
    .columns = columns,
    .column_count = sizeof columns / sizeof columns[0],
    .identity = COLUMN(name, LIST_TEXT),
    .default_sort = "name",
    .default_limit = LIST_LIMIT_DEFAULT,
    .max_limit = LIST_LIMIT_MAX,
};

/* ---- counting --------------------------------------------------------------- */

struct counts {
    uint32_t *of_fact; /* hosts that have it now */
    uint32_t *of_pair;
    uint32_t *changed; /* by name */
};

static void counts_done(struct counts *counts)
{
    free(counts->of_fact);
    free(counts->of_pair);
    free(counts->changed);
}

static enum status count_facts(const struct facts *facts, int64_t now_us, struct counts *counts)
{
    counts->of_fact = calloc(facts->fact_count + 1, sizeof *counts->of_fact);
    counts->of_pair = calloc(facts->pair_count + 1, sizeof *counts->of_pair);
    counts->changed = calloc(facts->name_count + 1, sizeof *counts->changed);
    if (counts->of_fact == NULL || counts->of_pair == NULL || counts->changed == NULL)
        return ST_NOMEM;
    for (size_t h = 0; h < facts->host_count; h++) {
        const struct facts_host *host = &facts->hosts[h];
        int64_t first = host->first_seen_us + FIRST_US, lately = now_us - LATELY_US;
        uint32_t since = (uint32_t)((first > lately ? first : lately) / US_PER_SECOND);
        for (size_t i = host->attributes; i < host->count; i++) {
            counts->of_fact[host->facts[i]]++;
            if (host->since[i] > since)
                counts->changed[facts->pairs[facts->facts[host->facts[i]].pair].name]++;
        }
    }
    for (size_t i = 0; i < facts->fact_count; i++)
        counts->of_pair[facts->facts[i].pair] += counts->of_fact[i];
    return ST_OK;
}

static void take_later(const char **text, const char *other)
{
    if (other != NULL && (*text == NULL || strcmp(other, *text) > 0))
        *text = other;
}

static void fill_versions(const struct facts *facts, const struct counts *counts,
                          struct item *items)
{
    for (size_t i = 0; i < facts->pair_count; i++) {
        struct item *item = &items[facts->pairs[i].name];
        uint32_t hosts = counts->of_pair[i];
        if (hosts == 0 || !facts->names[facts->pairs[i].name].driver)
            continue;
        item->hosts += hosts;
        item->versions++;
        if (hosts > item->top_hosts ||
            (hosts == item->top_hosts &&
             driver_version_order(facts->pairs[i].value, item->top_version) > 0)) {
            item->top_hosts = hosts;
            item->top_version = facts->pairs[i].value;
        }
    }
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

struct builds { /* of one driver */
    const char **tags;
    size_t tag_count, tag_room;
};

static bool add_tags(struct builds *builds, const char *const *tags, size_t count)
{
    if (builds->tag_count + count > builds->tag_room) {
        size_t room = (builds->tag_count + count) * 2;
        const char **more = realloc(builds->tags, room * sizeof *more);
        if (more == NULL)
            return false;
        builds->tags = more;
        builds->tag_room = room;
    }
    for (size_t i = 0; i < count; i++)
        builds->tags[builds->tag_count++] = tags[i];
    return true;
}

/* Each in order and once. */
static void tidy_tags(struct builds *builds)
{
    size_t kept = 0;

    if (builds->tag_count > 1)
        qsort(builds->tags, builds->tag_count, sizeof *builds->tags, by_text);
    for (size_t i = 0; i < builds->tag_count; i++)
        if (kept == 0 || strcmp(builds->tags[kept - 1], builds->tags[i]) != 0)
            builds->tags[kept++] = builds->tags[i];
    builds->tag_count = kept;
}

/* Which builds belong to a driver: places of facts, sorted by name. */
struct build {
    uint32_t name, fact;
};
static int by_name(const void *left, const void *right)
{
    const struct build *a = left, *b = right;
    return a->name != b->name ? (a->name < b->name ? -1 : 1)
                              : (a->fact > b->fact) - (a->fact < b->fact);
}

static bool file_is_new(const struct facts *facts, const struct build *builds, size_t at)
{
    const unsigned char *sha256 = facts->facts[builds[at].fact].sha256;

    for (size_t i = at; i > 0 && builds[i - 1].name == builds[at].name; i--) {
        const unsigned char *other = facts->facts[builds[i - 1].fact].sha256;
        if (other != NULL && memcmp(other, sha256, 32) == 0)
            return false;
    }
    return true;
}

static bool fill_build(const struct facts *facts, const struct build *builds, size_t at,
                       struct builds *tags, struct item *item)
{
    const struct fact *fact = &facts->facts[builds[at].fact];
    const struct fact_file *file = facts_file(facts, fact);
    size_t count = 0;
    const char *const *told = facts_tags(facts, fact, &count);

    take_later(&item->company, fact->company);
    take_later(&item->product, file == NULL ? NULL : file->product);
    if (file != NULL && file_is_new(facts, builds, at)) {
        item->files++;
        item->files_scanned += file->scanned;
    }
    return add_tags(tags, told, count);
}

static bool write_tag_list(const struct builds *builds, struct arena *arena, struct item *item)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;

    json_open(&text, '[');
    for (size_t i = 0; i < builds->tag_count; i++) {
        json_comma(&text);
        json_value_text(&text, builds->tags[i]);
    }
    json_close(&text, ']');
    item->tags = strbuf_failed(&text) ? NULL : arena_strdup(arena, text.data);
    return item->tags != NULL;
}

/* ---- findings --------------------------------------------------------------- */

static double worst_of(const struct finding *finding)
{
    double worst = (double)NAN;

    for (size_t i = 0; i < finding->host_count; i++)
        if (!(finding->hosts[i].rate_bytes_per_hour <= worst))
            worst = finding->hosts[i].rate_bytes_per_hour;
    return worst;
}

static bool is_cause(const struct finding *finding, const char *driver)
{
    for (size_t i = 0; i < finding->cause_count; i++)
        if (strncmp(finding->causes[i].attribute, "driver/", 7) == 0 &&
            strcmp(finding->causes[i].attribute + 7, driver) == 0)
            return true;
    return false;
}

static void fill_findings(const struct finding_records *records, const struct builds *builds,
                          struct item *item)
{
    for (size_t i = 0; i < records->count; i++) {
        const struct finding *finding = &records->items[i].finding;
        char text[TAG_TEXT_MAX];
        const char *tag = text;
        tag_format(finding->tag, text);
        bool cause = is_cause(finding, item->name);
        bool owner =
            finding->owner_driver != NULL && driver_named(finding->owner_driver, item->name);
        bool holds = builds->tag_count > 0 && bsearch(&tag, builds->tags, builds->tag_count,
                                                      sizeof *builds->tags, by_text) != NULL;
        item->findings += cause || owner || holds;
        item->findings_cause += cause;
        item->findings_owner += owner;
        double worst = cause || owner ? worst_of(finding) : (double)NAN;
        if (!isnan(worst) && !(item->worst_rate >= worst))
            item->worst_rate = worst;
    }
}

/* ---- the list --------------------------------------------------------------- */

static bool fill_one(const struct facts *facts, const struct build *builds, size_t from, size_t to,
                     const struct finding_records *records, struct arena *arena, struct item *item)
{
    struct builds tags = {0};
    bool ok = true;

    for (size_t i = from; ok && i < to; i++)
        ok = fill_build(facts, builds, i, &tags, item);
    tidy_tags(&tags);
    if (ok) {
        fill_findings(records, &tags, item);
        ok = write_tag_list(&tags, arena, item);
    }
    free(tags.tags);
    return ok;
}

/* Items by place of the name; those without hosts stay empty. */
static enum status fill_items(const struct facts *facts, const struct counts *counts,
                              const struct finding_records *records, struct arena *arena,
                              struct item *items)
{
    AUTO_FREE struct build *builds = calloc(facts->fact_count + 1, sizeof *builds);
    size_t count = 0;

    if (builds == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < facts->name_count; i++)
        items[i] = (struct item){.name = facts->names[i].text,
                                 .hosts_changed = counts->changed[i],
                                 .worst_rate = (double)NAN};
    for (size_t i = 0; i < facts->fact_count; i++)
        if (counts->of_fact[i] > 0)
            builds[count++] = (struct build){facts->pairs[facts->facts[i].pair].name, (uint32_t)i};
    if (count > 1)
        qsort(builds, count, sizeof *builds, by_name);
    fill_versions(facts, counts, items);
    for (size_t i = 0; i < count;) {
        size_t end = i;
        while (end < count && builds[end].name == builds[i].name)
            end++;
        if (!fill_one(facts, builds, i, end, records, arena, &items[builds[i].name]))
            return ST_NOMEM;
        i = end;
    }
    return ST_OK;
}

static enum status read_sources(const struct req *rq, const struct facts **ret_facts,
                                struct finding_records *ret_records, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    struct finding_filter filter = {.statuses = 1u << FINDING_OPEN | 1u << FINDING_ACKNOWLEDGED,
                                    .hosts_max = HOSTS_LOOKED};
    enum status status = api_lease(rq, &db, err);

    if (status == ST_OK)
        status = store_findings_list(db, &filter, ret_records, err);
    return status == ST_OK ? facts_get(rq->app->facts, db, ret_facts, err) : status;
}

static bool matches(const struct item *item, const char *q)
{
    return q == NULL || api_text_has(item->name, q) || api_text_has(item->company, q) ||
           api_text_has(item->tags, q);
}

enum status api_drivers_list(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {LIST_PARAMETERS, "q"};
    AUTO_LIST_QUERY struct list_query query = {0};
    AUTO_FINDING_RECORDS struct finding_records records = {0};
    AUTO_FACTS const struct facts *facts = NULL;
    CLEANUP(counts_done) struct counts counts = {0};
    AUTO_ARENA struct arena arena = {0};
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK)
        status = list_query_read(rq, &spec, &query, err);
    if (status == ST_OK)
        status = read_sources(rq, &facts, &records, err);
    if (status != ST_OK)
        return status;
    AUTO_FREE struct item *items = calloc(facts->name_count + 1, sizeof *items);
    if (items == NULL || count_facts(facts, clock_wall_us(), &counts) != ST_OK ||
        fill_items(facts, &counts, &records, &arena, items) != ST_OK)
        return err_set(err, ST_NOMEM, "could not list drivers: out of memory");
    size_t count = 0;
    for (size_t i = 0; i < facts->name_count; i++)
        if (facts->names[i].driver && items[i].hosts > 0 && matches(&items[i], req_query(rq, "q")))
            items[count++] = items[i];
    return list_reply(rq, rs, &spec, &query, NULL, items, sizeof *items, count, err);
}
