/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_diagnose.h"

#include "server/analyze/wording.h"
#include "server/api/api_common.h"
#include "server/api/json_out.h"
#include "server/diagnose/diagnose.h"
#include "server/store/store_findings.h"

#include <string.h>

#define COMPARED_MAX 20 /* suspects first, then the biggest rows */

struct compared {
    uint32_t tag;
    enum pool pool;
    int64_t bytes; /* NUMBER_UNKNOWN: the capture does not say */
};

struct comparison {
    struct compared items[COMPARED_MAX];
    size_t count;
};

/* Bytes of a (tag, pool) in any report; the largest where several print it. */
static int64_t bytes_of(const struct diagnosis *diagnosis, uint32_t tag, enum pool pool)
{
    int64_t most = NUMBER_UNKNOWN;

    for (size_t i = 0; i < diagnosis->report_count; i++) {
        const struct diagnose_report *report = &diagnosis->reports[i];
        for (size_t j = 0; j < report->row_count; j++) {
            const struct diagnose_row *row = &report->rows[j];
            if (row->tag == tag && row->pool == pool && row->bytes > most)
                most = row->bytes;
        }
    }
    return most;
}

static bool has(const struct comparison *comparison, uint32_t tag, enum pool pool)
{
    for (size_t i = 0; i < comparison->count; i++)
        if (comparison->items[i].tag == tag && comparison->items[i].pool == pool)
            return true;
    return false;
}

static void add(struct comparison *comparison, uint32_t tag, enum pool pool, int64_t bytes)
{
    if (pool != POOL_UNKNOWN && comparison->count < COMPARED_MAX && !has(comparison, tag, pool))
        comparison->items[comparison->count++] = (struct compared){tag, pool, bytes};
}

static const struct diagnose_row *biggest_left(const struct diagnosis *diagnosis,
                                               const struct comparison *comparison)
{
    const struct diagnose_row *best = NULL;

    for (size_t i = 0; i < diagnosis->report_count; i++) {
        const struct diagnose_report *report = &diagnosis->reports[i];
        for (size_t j = 0; j < report->row_count; j++) {
            const struct diagnose_row *row = &report->rows[j];
            if (row->pool != POOL_UNKNOWN && row->bytes != NUMBER_UNKNOWN &&
                (best == NULL || row->bytes > best->bytes) && !has(comparison, row->tag, row->pool))
                best = row;
        }
    }
    return best;
}

static void choose(const struct diagnosis *diagnosis, struct comparison *comparison)
{
    const struct diagnose_row *row;

    for (size_t i = 0; i < diagnosis->suspect_count; i++) {
        const struct diagnose_suspect *suspect = &diagnosis->suspects[i];
        add(comparison, suspect->tag, suspect->pool,
            bytes_of(diagnosis, suspect->tag, suspect->pool));
    }
    while (comparison->count < COMPARED_MAX && (row = biggest_left(diagnosis, comparison)) != NULL)
        add(comparison, row->tag, row->pool, row->bytes);
}

/* ---- against the fleet ------------------------------------------------------ */

static size_t hosts_below(const struct fleet_view *view, const struct compared *item)
{
    size_t below = 0;

    for (size_t i = 0; i < view->list.count; i++) {
        struct host_row row;
        if (host_state_find(view->list.items[i], item->pool, item->tag, &row) &&
            (row.columns & COLUMN_BYTES) != 0 && row.bytes <= (uint64_t)item->bytes)
            below++;
    }
    return below;
}

static void write_sentence(const struct fleet_view *view, const struct compared *item,
                           const struct view_tag *tag, struct strbuf *out)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    char name[TAG_TEXT_MAX];

    tag_format(item->tag, name);
    if (tag == NULL) {
        strbuf_printf(&text, "no host of the fleet has \"%s\" in its %s pool", name,
                      pool_name(item->pool));
    } else if (item->bytes == NUMBER_UNKNOWN) {
        strbuf_grouped(&text, tag->hosts);
        strbuf_printf(&text, " hosts have \"%s\"; their median is ", name);
        wording_bytes(&text, (double)tag->median_bytes);
    } else {
        wording_bytes(&text, (double)item->bytes);
        strbuf_printf(&text, " of \"%s\": ", name);
        strbuf_grouped(&text, hosts_below(view, item));
        strbuf_puts(&text, " of ");
        strbuf_grouped(&text, tag->hosts);
        strbuf_puts(&text, " hosts hold as much or less; their median is ");
        wording_bytes(&text, (double)tag->median_bytes);
        strbuf_puts(&text, ", the most is ");
        wording_bytes(&text, (double)tag->max_bytes);
    }
    json_text(out, "sentence", text.data);
}

static bool finding_has(const struct finding *finding, const struct compared *item)
{
    if (finding->pool != item->pool)
        return false;
    for (size_t i = 0; i < finding->tag_count; i++)
        if (finding->tags[i] == item->tag)
            return true;
    return false;
}

static void write_item(const struct fleet_view *view, const struct compared *item,
                       const struct finding_records *records, struct strbuf *out)
{
    size_t place = fleet_view_tag(view, item->pool, item->tag);
    const struct view_tag *tag = place == VIEW_NONE ? NULL : &view->tags[place];

    json_open(out, '{');
    json_tag(out, "tag", item->tag);
    json_text(out, "pool", pool_name(item->pool));
    json_i64(out, "bytes", item->bytes);
    json_i64(out, "fleet_hosts", tag == NULL ? 0 : (int64_t)tag->hosts);
    json_i64(out, "fleet_median_bytes",
             tag == NULL ? NUMBER_ABSENT : api_number(tag->median_bytes));
    json_i64(out, "fleet_p99_bytes", tag == NULL ? NUMBER_ABSENT : api_number(tag->p99_bytes));
    json_i64(out, "fleet_max_bytes", tag == NULL ? NUMBER_ABSENT : api_number(tag->max_bytes));
    json_key_open(out, "finding_ids", '[');
    for (size_t i = 0; i < records->count; i++) {
        if (!finding_has(&records->items[i].finding, item))
            continue;
        json_comma(out);
        json_value_text(out, records->items[i].finding.id);
    }
    json_close(out, ']');
    write_sentence(view, item, tag, out);
    json_close(out, '}');
}

static enum status open_findings(const struct req *rq, struct finding_records *ret_records,
                                 struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    struct finding_filter filter = {.statuses = 1u << FINDING_OPEN | 1u << FINDING_ACKNOWLEDGED};
    enum status status = api_lease(rq, &db, err);
    return status == ST_OK ? store_findings_list(db, &filter, ret_records, err) : status;
}

/* Left empty (null in the document) without a fleet or without anything to compare. */
static enum status compare(const struct req *rq, const struct diagnosis *diagnosis,
                           struct strbuf *out, struct err *err)
{
    AUTO_FLEET_VIEW struct fleet_view *view = NULL;
    AUTO_FINDING_RECORDS struct finding_records records = {0};
    struct comparison comparison = {.count = 0};

    choose(diagnosis, &comparison);
    if (comparison.count == 0 || fleet_count(rq->app->fleet) == 0)
        return ST_OK;
    enum status status = open_findings(rq, &records, err);
    if (status == ST_OK)
        status = api_view(rq, &view, err);
    if (status != ST_OK)
        return status;
    json_open(out, '[');
    for (size_t i = 0; i < comparison.count; i++)
        write_item(view, &comparison.items[i], &records, out);
    json_close(out, ']');
    return strbuf_failed(out) ? err_set(err, ST_NOMEM, "could not compare: out of memory") : ST_OK;
}

/* A capture is read without a database too; then no known leak is named. */
static void name_known(const struct req *rq, struct diagnosis *diagnosis,
                       struct known_view **ret_view)
{
    AUTO_DBLEASE struct db *db = NULL;
    struct err unused;

    if (diagnosis->suspect_count == 0 || api_lease(rq, &db, &unused) != ST_OK ||
        known_view_get(rq->app->known, db, ret_view, &unused) != ST_OK)
        return;
    diagnose_add_known(diagnosis, known_view_list(*ret_view));
}

enum status api_diagnose_post(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_DIAGNOSIS struct diagnosis diagnosis = {0};
    AUTO_KNOWN_VIEW struct known_view *known = NULL;
    AUTO_STRBUF struct strbuf comparison = STRBUF_INIT;
    enum status status = req_query_only(rq, NULL, 0, err);

    if (status == ST_OK)
        status = diagnose_text(rq->body, rq->body_length, rq->app->tagdict, &diagnosis, err);
    if (status == ST_OK)
        status = compare(rq, &diagnosis, &comparison, err);
    if (status != ST_OK)
        return status;
    name_known(rq, &diagnosis, &known);
    /* The page's form always has the member: null says that there was nothing to compare with. */
    diagnose_json(&diagnosis, comparison.length == 0 ? "null" : comparison.data, &rs->body);
    rs->media = MEDIA_JSON;
    return ST_OK;
}
