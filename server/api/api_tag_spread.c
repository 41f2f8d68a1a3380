/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a tag spreads over the hosts now: as counts on a log scale with uptime bands apart and every
 * host (or, of many, the outliers) by itself, and by the versions of the drivers that own it.
 */
#include "server/api/api_common.h"
#include "server/api/api_tags.h"
#include "server/api/driver_names.h"
#include "server/api/json_out.h"
#include "server/api/list.h"
#include "server/api/measure.h"
#include "server/store/store_findings.h"

#include <math.h>
#include <string.h>

#define PER_OCTAVE 4   /* bins in a doubling */
#define BINS       256 /* 2^64 */
#define DOTS_ALL   400 /* up to so many hosts each is told: more cannot be told apart by eye */
#define DOTS_FAR   60  /* of more hosts, the highest */

struct dot {
    size_t host; /* place in the view */
    double value;
};

struct distribution {
    uint32_t counts[COHORT_BANDS + 1][BINS];
    size_t zero;
    struct dot *dots;
    double *values;
    size_t count;
};

static void distribution_done(struct distribution *d)
{
    free(d->dots);
    free(d->values);
}

static size_t bin_of(double value)
{
    double bin = floor(log2(value < 1 ? 1 : value) * PER_OCTAVE);
    return bin >= BINS ? BINS - 1 : (size_t)bin;
}

static int by_value_down(const void *left, const void *right)
{
    double a = ((const struct dot *)left)->value, b = ((const struct dot *)right)->value;
    return (a < b) - (a > b);
}

static enum status collect(const struct fleet_view *view, enum pool pool, uint32_t tag,
                           enum measure measure, struct distribution *d)
{
    d->dots = calloc(view->list.count + 1, sizeof *d->dots);
    d->values = calloc(view->list.count + 1, sizeof *d->values);
    if (d->dots == NULL || d->values == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < view->list.count; i++) {
        const struct host_state *host = view->list.items[i];
        struct host_row row;
        if (!host_state_find(host, pool, tag, &row))
            continue;
        double value = measure_of(host, &row, measure);
        if (isnan(value))
            continue;
        d->dots[d->count] = (struct dot){i, value};
        d->values[d->count++] = value;
        d->zero += value < 1;
        d->counts[measure_band(host)][bin_of(value)]++;
    }
    qsort(d->dots, d->count, sizeof *d->dots, by_value_down);
    return ST_OK;
}

static void write_bins(const struct distribution *d, struct strbuf *out)
{
    size_t first = BINS, last = 0;

    for (size_t band = 0; band <= COHORT_BANDS; band++)
        for (size_t i = 0; i < BINS; i++)
            if (d->counts[band][i] > 0) {
                first = i < first ? i : first;
                last = i > last ? i : last;
            }
    json_i64(out, "bins_per_octave", PER_OCTAVE);
    json_i64(out, "first_bin", first == BINS ? 0 : (int64_t)first);
    json_key_open(out, "bands", '[');
    for (size_t band = 0; band <= COHORT_BANDS; band++) {
        size_t hosts = 0;
        for (size_t i = 0; i < BINS; i++)
            hosts += d->counts[band][i];
        if (hosts == 0)
            continue;
        json_open(out, '{');
        json_text(out, "band", measure_band_names[band]);
        json_i64(out, "hosts", (int64_t)hosts);
        json_key_open(out, "counts", '[');
        for (size_t i = first; i <= last; i++) {
            json_comma(out);
            json_value_i64(out, d->counts[band][i]);
        }
        json_close(out, ']');
        json_close(out, '}');
    }
    json_close(out, ']');
}

static const char *finding_with(const struct finding_records *records, enum pool pool,
                                const char *host_id)
{
    for (size_t i = 0; i < records->count; i++) {
        const struct finding *finding = &records->items[i].finding;
        for (size_t k = 0; finding->pool == pool && k < finding->host_count; k++)
            if (strcmp(finding->hosts[k].id, host_id) == 0)
                return finding->id;
    }
    return NULL;
}

static void write_dots(const struct fleet_view *view, enum pool pool, uint32_t tag,
                       const struct distribution *d, const struct finding_records *records,
                       struct strbuf *out)
{
    size_t shown = d->count <= DOTS_ALL ? d->count : DOTS_FAR;

    json_bool(out, "dots_complete", shown == d->count);
    json_key_open(out, "dots", '[');
    for (size_t i = 0; i < shown; i++) {
        size_t at = d->dots[i].host;
        const struct host_state *host = view->list.items[at];
        const struct view_peer *peer = fleet_view_peer(view, at, pool, tag);
        struct host_row row;
        bool sized = host_state_find(host, pool, tag, &row) && (row.columns & COLUMN_BYTES) != 0;
        json_open(out, '{');
        json_text(out, "host_id", host->id);
        json_text(out, "name", host->name);
        json_number(out, "value", d->dots[i].value);
        json_text(out, "band", measure_band_names[measure_band(host)]);
        json_number(out, "score", sized ? view_peer_score(peer, row.bytes) : (double)NAN);
        json_text(out, "finding_id", finding_with(records, pool, host->id));
        json_bool(out, "simulated", api_host_simulated(host));
        json_close(out, '}');
    }
    json_close(out, ']');
}

static enum status read_findings(const struct req *rq, uint32_t tag,
                                 struct finding_records *ret_records, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    char text[TAG_TEXT_MAX];
    struct finding_filter filter = {.statuses = 1u << FINDING_OPEN | 1u << FINDING_ACKNOWLEDGED,
                                    .tag = text,
                                    .hosts_max = INT32_MAX};
    enum status status = api_lease(rq, &db, err);

    tag_format(tag, text);
    return status == ST_OK ? store_findings_list(db, &filter, ret_records, err) : status;
}

static void write_head(const struct fleet_view *view, enum pool pool, uint32_t tag,
                       enum measure measure, struct strbuf *out)
{
    json_open(out, '{');
    json_tag(out, "tag", tag);
    json_text(out, "pool", pool_name(pool));
    json_text(out, "measure", measure_names[measure]);
    json_time(out, "as_of", view->as_of_us);
}

/* Tag, measure, view and pool: what both calls begin with. */
static enum status begin(const struct req *rq, uint32_t *ret_tag, enum measure *ret_measure,
                         struct fleet_view **ret_view, enum pool *ret_pool, struct err *err)
{
    static const char *const names[] = {"pool", "measure"};
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK)
        status = api_tag_parse(rq->args[0], ret_tag, err);
    if (status == ST_OK)
        status = measure_query(rq, ret_measure, err);
    if (status == ST_OK)
        status = api_view(rq, ret_view, err);
    return status == ST_OK ? measure_pool(rq, *ret_view, *ret_tag, ret_pool, err) : status;
}

enum status api_tags_distribution(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_FLEET_VIEW struct fleet_view *view = NULL;
    AUTO_FINDING_RECORDS struct finding_records records = {0};
    AUTO_FREE struct distribution *d = calloc(1, sizeof *d);
    enum pool pool;
    enum measure measure;
    uint32_t tag = 0;
    enum status status = begin(rq, &tag, &measure, &view, &pool, err);

    if (status == ST_OK)
        status = read_findings(rq, tag, &records, err);
    if (status != ST_OK)
        return status;
    if (d == NULL || collect(view, pool, tag, measure, d) != ST_OK)
        status = err_set(err, ST_NOMEM, "could not count hosts: out of memory");
    if (status == ST_OK) {
        struct spread spread;
        struct strbuf *out = &rs->body;
        spread_of(d->values, d->count, &spread);
        write_head(view, pool, tag, measure, out);
        spread_write(&spread, out);
        json_i64(out, "under_one", (int64_t)d->zero);
        write_bins(d, out);
        write_dots(view, pool, tag, d, &records, out);
        json_close(out, '}');
    }
    if (d != NULL)
        distribution_done(d);
    return status == ST_OK ? api_reply_json(rs, err) : status;
}

/* ---- by version of the owning drivers --------------------------------------- */

#define OWNERS_MAX 12 /* chosen: a scan that finds a tag in more drivers tells of shared code */

struct owner_hosts {
    const struct facts *facts;
    const struct fleet_view *view;
    enum pool pool;
    uint32_t tag;
    enum measure measure;
};

static enum status write_owner(const struct owner_hosts *of, uint32_t name, struct strbuf *out,
                               struct err *err)
{
    AUTO_DRIVER_VALUES struct driver_values values = {0};
    const struct driver_tag tag = {of->pool, of->tag};
    enum status status =
        driver_values_collect(of->facts, of->view, name, &tag, 1, of->measure, &values, err);

    if (status != ST_OK)
        return status;
    json_open(out, '{');
    json_text(out, "name", of->facts->names[name].text);
    json_key_open(out, "versions", '[');
    for (size_t i = 0; i < values.count; i++) {
        struct spread spread;
        json_open(out, '{');
        json_text(out, "version", values.items[i].version);
        json_i64(out, "loaded", (int64_t)values.items[i].loaded);
        spread_of(values.items[i].values, values.items[i].count, &spread);
        spread_write(&spread, out);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_close(out, '}');
    return ST_OK;
}

enum status api_tags_versions(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_FLEET_VIEW struct fleet_view *view = NULL;
    AUTO_FACTS const struct facts *facts = NULL;
    uint32_t owners[OWNERS_MAX];
    enum pool pool;
    enum measure measure;
    uint32_t tag = 0;
    enum status status = begin(rq, &tag, &measure, &view, &pool, err);

    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = facts_get(rq->app->facts, db, &facts, err);
    if (status != ST_OK)
        return status;
    struct owner_hosts of = {facts, view, pool, tag, measure};
    size_t count = driver_owners(facts, rq->app->tagdict, tag, OWNERS_MAX, owners);
    write_head(view, pool, tag, measure, &rs->body);
    json_key_open(&rs->body, "drivers", '[');
    for (size_t i = 0; status == ST_OK && i < count; i++)
        status = write_owner(&of, owners[i], &rs->body, err);
    json_close(&rs->body, ']');
    json_close(&rs->body, '}');
    return status == ST_OK ? api_reply_json(rs, err) : status;
}
