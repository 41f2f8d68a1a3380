/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tag over time and among others: the hosts per size, hour by hour (a heatmap), and the tags that
 * move with it from host to host.
 */
#include "server/api/api_common.h"
#include "server/api/api_tags.h"
#include "server/api/json_out.h"
#include "server/api/measure.h"
#include "server/store/store_findings.h"
#include "server/store/store_rollups.h"
#include "server/store/store_tag_hours.h"

#include <math.h>
#include <string.h>

#define SPAN_US     (7 * US_PER_DAY)
#define POINTS      168
#define POINTS_MOST 1000

/* ---- the heatmap ------------------------------------------------------------ */

static void write_buckets(const struct tag_hours_buckets *buckets, struct strbuf *out)
{
    size_t most = 0;

    json_key_open(out, "t", '[');
    for (size_t i = 0; i < buckets->count; i++) {
        json_comma(out);
        json_value_seconds(out, buckets->hours[i].hour_us);
        most = buckets->hours[i].count > most ? buckets->hours[i].count : most;
    }
    json_close(out, ']');
    json_key_open(out, "low", '[');
    for (size_t b = 0; b < most; b++) {
        json_comma(out);
        json_value_real(out, b == 0 ? 0 : ldexp(1, (int)b - 1));
    }
    json_close(out, ']');
    json_key_open(out, "hosts", '[');
    for (size_t i = 0; i < buckets->count; i++) {
        json_comma(out);
        strbuf_putc(out, '[');
        for (size_t b = 0; b < buckets->hours[i].count; b++) {
            json_comma(out);
            json_value_i64(out, buckets->hours[i].hosts[b]);
        }
        json_close(out, ']');
    }
    json_close(out, ']');
}

/* The smallest whole number of hours that keeps the points within bounds. */
static int64_t step_of(int64_t from_us, int64_t to_us, int64_t points)
{
    int64_t hours = (to_us - from_us) / US_PER_HOUR + 1;
    return ((hours + points - 1) / points) * US_PER_HOUR;
}

static int64_t hour_of(int64_t us)
{
    return us - us % US_PER_HOUR;
}

enum status api_tags_buckets(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {"pool", "from", "to", "points"};
    AUTO_FLEET_VIEW struct fleet_view *view = NULL;
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_TAG_HOURS_BUCKETS struct tag_hours_buckets buckets = {0};
    enum pool pool = POOL_UNKNOWN;
    uint32_t tag = 0;
    int64_t from = 0, to = 0, points = 0, newest = TIME_UNKNOWN;
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK)
        status = api_tag_parse(rq->args[0], &tag, err);
    if (status == ST_OK)
        status = req_query_i64(rq, "points", 1, POINTS_MOST, POINTS, &points, err);
    if (status == ST_OK)
        status = api_view(rq, &view, err);
    if (status == ST_OK)
        status = measure_pool(rq, view, tag, &pool, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_rollup_newest(db, &newest, err);
    if (status == ST_OK)
        status =
            req_query_time(rq, "to", newest == TIME_UNKNOWN ? clock_wall_us() : newest, &to, err);
    if (status == ST_OK)
        status = req_query_time(rq, "from", to - SPAN_US, &from, err);
    if (status == ST_OK && from > to)
        status = err_field(err, ST_INVALID, "from", "from must not be after to");
    if (status != ST_OK)
        return status;
    to = hour_of(newest != TIME_UNKNOWN && to > newest ? newest : to);
    int64_t step = step_of(from, to < from ? from : to, points);
    status = store_tag_buckets(db, pool, tag, from, to, step, &buckets, err);
    if (status != ST_OK)
        return status;
    json_open(&rs->body, '{');
    json_tag(&rs->body, "tag", tag);
    json_text(&rs->body, "pool", pool_name(pool));
    json_i64(&rs->body, "step_seconds", step / US_PER_SECOND);
    json_time(&rs->body, "newest", newest);
    write_buckets(&buckets, &rs->body);
    json_close(&rs->body, '}');
    return api_reply_json(rs, err);
}

/* ---- what moves with it ----------------------------------------------------- */

/* Chosen: the hosts with the most of the tag show how a leak's blocks go together; as many of the
 * others, evenly taken, keep what merely is on every host from looking alike. */
#define SAMPLE_TOP   100
#define SAMPLE_OTHER 100
#define SHOWN        12
#define HOSTS_MIN    5
/* Blocks of one object come in whole numbers: a middle half of ratios within a tenth is one
 * mechanism, seen on hosts that differ. */
#define RATIO_TIGHT 0.1
#define CORRELATION 0.9

struct sampled {
    size_t host;
    double blocks;
};

struct partner {
    enum pool pool;
    uint32_t tag;
    size_t hosts;
    struct spread ratio;
    double correlation;
    bool in_finding;
};

static int by_blocks_down(const void *left, const void *right)
{
    double a = ((const struct sampled *)left)->blocks, b = ((const struct sampled *)right)->blocks;
    return (a < b) - (a > b);
}

static size_t take_sample(const struct fleet_view *view, enum pool pool, uint32_t tag,
                          struct sampled *sample)
{
    size_t count = 0;

    for (size_t i = 0; i < view->list.count; i++) {
        struct host_row row;
        if (!host_state_find(view->list.items[i], pool, tag, &row))
            continue;
        double blocks = measure_of(view->list.items[i], &row, MEASURE_OUTSTANDING);
        if (!isnan(blocks) && blocks > 0)
            sample[count++] = (struct sampled){i, blocks};
    }
    qsort(sample, count, sizeof *sample, by_blocks_down);
    if (count <= SAMPLE_TOP + SAMPLE_OTHER)
        return count;
    for (size_t i = 0; i < SAMPLE_OTHER; i++)
        sample[SAMPLE_TOP + i] = sample[SAMPLE_TOP + i * (count - SAMPLE_TOP) / SAMPLE_OTHER];
    return SAMPLE_TOP + SAMPLE_OTHER;
}

/* Outstanding of every tag on every sampled host, as a matrix by place of the tag in the view:
 * each host's table is decoded once. 0: does not have it. */
static void read_rows(const struct fleet_view *view, enum pool pool,
                      const struct snapshot_table *table, size_t column, size_t count,
                      float *matrix)
{
    size_t place = 0;

    if (!table->present || table->allocs == NULL || table->frees == NULL)
        return;
    /* Both sides are sorted by pool and tag: walk along. */
    for (size_t i = 0; i < table->count; i++) {
        while (place < view->tag_count &&
               (view->tags[place].pool < pool ||
                (view->tags[place].pool == pool && view->tags[place].tag < table->tag[i])))
            place++;
        if (place < view->tag_count && view->tags[place].pool == pool &&
            view->tags[place].tag == table->tag[i])
            matrix[place * count + column] =
                (float)counter_delta(table->allocs[i], table->frees[i]);
    }
}

static enum status read_matrix(const struct fleet_view *view, const struct sampled *sample,
                               size_t count, float *matrix)
{
    for (size_t s = 0; s < count; s++) {
        AUTO_ARENA struct arena arena = {0};
        struct snapshot_table table[POOL_COUNT];
        if (host_state_tables(view->list.items[sample[s].host], &arena, table) != ST_OK)
            return ST_NOMEM;
        for (unsigned p = 0; p < POOL_COUNT; p++)
            read_rows(view, (enum pool)p, &table[p], s, count, matrix);
    }
    return ST_OK;
}

/* Of the logarithms, so that the biggest host does not decide alone. */
static double correlate(const double *x, const double *y, size_t count)
{
    double sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0, n = (double)count;

    for (size_t i = 0; i < count; i++) {
        sx += x[i];
        sy += y[i];
        sxx += x[i] * x[i];
        syy += y[i] * y[i];
        sxy += x[i] * y[i];
    }
    double vx = sxx - sx * sx / n, vy = syy - sy * sy / n;
    return vx <= 1e-9 * n || vy <= 1e-9 * n ? 0 : (sxy - sx * sy / n) / sqrt(vx * vy);
}

static bool judge(const struct sampled *sample, const float *row, size_t count, double *scratch,
                  struct partner *ret_partner)
{
    double *x = scratch, *y = scratch + count, *ratio = scratch + 2 * count;
    size_t both = 0;

    for (size_t s = 0; s < count; s++) {
        if (row[s] <= 0)
            continue;
        x[both] = log2(sample[s].blocks);
        y[both] = log2((double)row[s]);
        ratio[both++] = (double)row[s] / sample[s].blocks;
    }
    if (both < HOSTS_MIN || both * 2 < count)
        return false;
    ret_partner->hosts = both;
    ret_partner->correlation = correlate(x, y, both);
    spread_of(ratio, both, &ret_partner->ratio);
    return ret_partner->correlation >= CORRELATION &&
           ret_partner->ratio.q3 - ret_partner->ratio.q1 <= RATIO_TIGHT * ret_partner->ratio.median;
}

static int by_tightness(const void *left, const void *right)
{
    const struct partner *a = left, *b = right;
    if (a->in_finding != b->in_finding)
        return a->in_finding ? -1 : 1;
    double x = (a->ratio.q3 - a->ratio.q1) / a->ratio.median;
    double y = (b->ratio.q3 - b->ratio.q1) / b->ratio.median;
    return x != y ? (x > y) - (x < y) : (a->tag > b->tag) - (a->tag < b->tag);
}

static bool shares_finding(const struct finding_records *records, enum pool pool, uint32_t tag)
{
    for (size_t i = 0; i < records->count; i++) {
        const struct finding *finding = &records->items[i].finding;
        for (size_t k = 0; finding->pool == pool && k < finding->tag_count; k++)
            if (finding->tags[k] == tag)
                return true;
    }
    return false;
}

static void write_partner(const struct partner *partner, const struct tagdict *dict,
                          struct strbuf *out)
{
    const struct tagdict_entry *entry = tagdict_find(dict, partner->tag);

    json_open(out, '{');
    json_tag(out, "tag", partner->tag);
    json_text(out, "pool", pool_name(partner->pool));
    json_number(out, "ratio", partner->ratio.median);
    json_number(out, "ratio_low", partner->ratio.q1);
    json_number(out, "ratio_high", partner->ratio.q3);
    json_number(out, "correlation", partner->correlation);
    json_i64(out, "hosts", (int64_t)partner->hosts);
    json_bool(out, "in_finding", partner->in_finding);
    json_text(out, "driver", entry == NULL ? NULL : entry->driver);
    json_text(out, "description", entry == NULL ? NULL : entry->description);
    json_close(out, '}');
}

struct lockstep {
    struct sampled *sample;
    size_t count;
    struct partner *partners;
    size_t partner_count;
};

static void lockstep_done(struct lockstep *lockstep)
{
    free(lockstep->sample);
    free(lockstep->partners);
}

static enum status find_partners(const struct fleet_view *view, enum pool pool, uint32_t tag,
                                 const struct finding_records *records, struct lockstep *lockstep)
{
    size_t count;

    lockstep->sample = calloc(view->list.count + 1, sizeof *lockstep->sample);
    lockstep->partners = calloc(view->tag_count + 1, sizeof *lockstep->partners);
    if (lockstep->sample == NULL || lockstep->partners == NULL)
        return ST_NOMEM;
    lockstep->count = count = take_sample(view, pool, tag, lockstep->sample);
    if (count < HOSTS_MIN)
        return ST_OK;
    AUTO_FREE float *matrix = calloc(view->tag_count * count + 1, sizeof *matrix);
    AUTO_FREE double *scratch = calloc(3 * count + 1, sizeof *scratch);
    if (matrix == NULL || scratch == NULL ||
        read_matrix(view, lockstep->sample, count, matrix) != ST_OK)
        return ST_NOMEM;
    for (size_t i = 0; i < view->tag_count; i++) {
        struct partner *partner = &lockstep->partners[lockstep->partner_count];
        if (view->tags[i].pool == pool && view->tags[i].tag == tag)
            continue;
        *partner = (struct partner){.pool = view->tags[i].pool, .tag = view->tags[i].tag};
        partner->in_finding = shares_finding(records, partner->pool, partner->tag);
        bool tight = judge(lockstep->sample, matrix + i * count, count, scratch, partner);
        lockstep->partner_count += tight || (partner->in_finding && partner->hosts > 0);
    }
    qsort(lockstep->partners, lockstep->partner_count, sizeof *lockstep->partners, by_tightness);
    return ST_OK;
}

static enum status read_findings(const struct req *rq, uint32_t tag,
                                 struct finding_records *ret_records, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    char text[TAG_TEXT_MAX];
    struct finding_filter filter = {.statuses = 1u << FINDING_OPEN | 1u << FINDING_ACKNOWLEDGED,
                                    .tag = text};
    enum status status = api_lease(rq, &db, err);

    tag_format(tag, text);
    return status == ST_OK ? store_findings_list(db, &filter, ret_records, err) : status;
}

enum status api_tags_lockstep(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {"pool"};
    AUTO_FLEET_VIEW struct fleet_view *view = NULL;
    AUTO_FINDING_RECORDS struct finding_records records = {0};
    CLEANUP(lockstep_done) struct lockstep lockstep = {0};
    struct strbuf *out = &rs->body;
    enum pool pool = POOL_UNKNOWN;
    uint32_t tag = 0;
    enum status status = req_query_only(rq, names, 1, err);

    if (status == ST_OK)
        status = api_tag_parse(rq->args[0], &tag, err);
    if (status == ST_OK)
        status = api_view(rq, &view, err);
    if (status == ST_OK)
        status = measure_pool(rq, view, tag, &pool, err);
    if (status == ST_OK)
        status = read_findings(rq, tag, &records, err);
    if (status == ST_OK && find_partners(view, pool, tag, &records, &lockstep) != ST_OK)
        status = err_set(err, ST_NOMEM, "could not compare tags: out of memory");
    if (status != ST_OK)
        return status;
    json_open(out, '{');
    json_tag(out, "tag", tag);
    json_text(out, "pool", pool_name(pool));
    json_i64(out, "hosts", (int64_t)lockstep.count);
    json_text(out, "note",
              lockstep.count < HOSTS_MIN
                  ? "too few hosts count this tag's blocks to tell which tags move with it"
                  : NULL);
    json_key_open(out, "items", '[');
    for (size_t i = 0; i < lockstep.partner_count && i < SHOWN; i++)
        write_partner(&lockstep.partners[i], rq->app->tagdict, out);
    json_close(out, ']');
    json_close(out, '}');
    return api_reply_json(rs, err);
}
