/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The totals of one host over time, thinned to the width asked for. Each kept point stands for a
 * span: its last value with the least and the most of the span beside it, so that a peak of one
 * snapshot is still seen in a picture of three months.
 */
#include "server/api/api_hosts.h"
#include "server/api/host_moment.h"
#include "server/api/json_out.h"
#include "server/api/list.h"

#include <string.h>

#define SPAN_DEFAULT_US (7 * US_PER_DAY)
#define POINTS_DEFAULT  500
#define POINTS_MAX      5000
#define READ_MAX        100000 /* more than a year at five minutes */
#define FIGURES         3      /* last, min, max */

struct totals_request {
    int64_t from_us;
    int64_t to_us;
    int64_t points;
    enum total totals[TOTAL_COUNT]; /* in the order asked for */
    size_t total_count;
};

struct span_point {
    int64_t at; /* of the last snapshot in the span */
    int64_t figure[TOTAL_COUNT][FIGURES];
};

static bool total_parse(const char *name, size_t length, enum total *ret_total)
{
    for (unsigned i = 0; i < TOTAL_COUNT; i++) {
        const char *known = total_name((enum total)i);
        if (strlen(known) == length && memcmp(known, name, length) == 0) {
            *ret_total = (enum total)i;
            return true;
        }
    }
    return false;
}

static enum status read_columns(const char *text, struct totals_request *request, struct err *err)
{
    unsigned seen = 0;

    if (text == NULL) {
        for (unsigned i = 0; i < TOTAL_COUNT; i++)
            request->totals[request->total_count++] = (enum total)i;
        return ST_OK;
    }
    for (;;) {
        size_t length = strcspn(text, ",");
        enum total total;
        if (!total_parse(text, length, &total))
            return err_field(err, ST_INVALID, "columns", "there is no total \"%.*s\"",
                             (int)(length > 64 ? 64 : length), text);
        if (seen >> total & 1)
            return err_field(err, ST_INVALID, "columns", "%s stands twice", total_name(total));
        seen |= 1u << total;
        request->totals[request->total_count++] = total;
        if (text[length] == '\0')
            return ST_OK;
        text += length + 1;
    }
}

static enum status read_params(const struct req *rq, const struct host_state *host,
                               struct totals_request *request, struct err *err)
{
    static const char *const names[] = {"from", "to", "points", "columns"};
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK)
        status = req_query_time(rq, "to", host->taken_at_us, &request->to_us, err);
    if (status == ST_OK)
        status =
            req_query_time(rq, "from", request->to_us - SPAN_DEFAULT_US, &request->from_us, err);
    if (status == ST_OK)
        status = req_query_i64(rq, "points", 2, POINTS_MAX, POINTS_DEFAULT, &request->points, err);
    if (status == ST_OK && request->from_us > request->to_us)
        return err_field(err, ST_INVALID, "from", "from must not be after to");
    return status == ST_OK ? read_columns(req_query(rq, "columns"), request, err) : status;
}

static void point_add(struct span_point *point, const struct snapshot_totals *totals, int64_t at_us)
{
    point->at = at_us;
    for (unsigned i = 0; i < TOTAL_COUNT; i++) {
        int64_t *figure = point->figure[i];
        if (!totals_has(totals, (enum total)i))
            continue;
        int64_t value = api_number(totals->value[i]);
        bool first = figure[0] == NUMBER_ABSENT;
        figure[0] = value;
        figure[1] = first || value < figure[1] ? value : figure[1];
        figure[2] = first || value > figure[2] ? value : figure[2];
    }
}

/* Spans are cut from what there is, not from what was asked for: a host of some minutes has all of
 * its snapshots in the picture of a week. */
static size_t thin(const struct totals_series *series, int64_t points, struct span_point *out)
{
    size_t count = 0;
    int64_t first = series->count == 0 ? 0 : series->t_us[0];
    int64_t last = series->count == 0 ? 0 : series->t_us[series->count - 1];
    int64_t span = (last - first) / points + 1;
    int64_t open = -1;

    for (size_t i = 0; i < series->count; i++) {
        int64_t bucket = (series->t_us[i] - first) / span;
        if (bucket != open) {
            struct span_point *point = &out[count++];
            for (unsigned k = 0; k < TOTAL_COUNT * FIGURES; k++)
                point->figure[k / FIGURES][k % FIGURES] = NUMBER_ABSENT;
            open = bucket;
        }
        point_add(&out[count - 1], &series->totals[i], series->t_us[i]);
    }
    return count;
}

static void write_boots(const struct totals_series *series, struct strbuf *out)
{
    json_key_open(out, "boots", '[');
    for (size_t i = 1; i < series->count; i++) {
        int64_t a = series->boot_at_us[i - 1], b = series->boot_at_us[i];
        if (a == b || (a != TIME_UNKNOWN && b != TIME_UNKNOWN && host_same_boot(a, b)))
            continue;
        json_comma(out);
        json_value_seconds(out, b != TIME_UNKNOWN ? b : series->t_us[i]);
    }
    json_close(out, ']');
}

static void write_document(const char *host_id, const struct totals_request *request,
                           const struct totals_series *series, const struct span_point *points,
                           size_t count, struct strbuf *out)
{
    static const char *const figures[FIGURES] = {"last", "min", "max"};

    json_open(out, '{');
    json_text(out, "host_id", host_id);
    json_time(out, "from", request->from_us);
    json_time(out, "to", request->to_us);
    json_i64(out, "snapshots", (int64_t)series->count);
    json_key_open(out, "t", '[');
    for (size_t i = 0; i < count; i++) {
        json_comma(out);
        json_value_seconds(out, points[i].at);
    }
    json_close(out, ']');
    write_boots(series, out);
    json_key_open(out, "columns", '{');
    for (size_t c = 0; c < request->total_count; c++) {
        json_key_open(out, total_name(request->totals[c]), '{');
        for (size_t f = 0; f < FIGURES; f++) {
            json_key_open(out, figures[f], '[');
            for (size_t i = 0; i < count; i++) {
                json_comma(out);
                json_value_i64(out, points[i].figure[request->totals[c]][f]);
            }
            json_close(out, ']');
        }
        json_close(out, '}');
    }
    json_close(out, '}');
    json_close(out, '}');
}

/* Rows for CSV and NDJSON: at, then NAME, NAME_min, NAME_max of each column. */
static void write_rows(const struct totals_request *request, const struct span_point *points,
                       size_t count, enum media media, struct strbuf *out)
{
    char names[TOTAL_COUNT][FIGURES][40];
    static const char *const suffixes[FIGURES] = {"", "_min", "_max"};
    struct list_column columns[1 + TOTAL_COUNT * FIGURES] = {
        {"at", LIST_TIME, offsetof(struct span_point, at), NULL}};
    struct list_spec spec = {.columns = columns, .column_count = 1};

    for (size_t c = 0; c < request->total_count; c++) {
        enum total total = request->totals[c];
        for (size_t f = 0; f < FIGURES; f++) {
            snprintf(names[c][f], sizeof names[c][f], "%s%s", total_name(total), suffixes[f]);
            columns[spec.column_count++] =
                (struct list_column){names[c][f], LIST_I64,
                                     offsetof(struct span_point, figure) +
                                         ((size_t)total * FIGURES + f) * sizeof(int64_t),
                                     NULL};
        }
    }
    if (media == MEDIA_CSV)
        list_write_csv_head(&spec, out);
    for (size_t i = 0; i < count; i++) {
        if (media == MEDIA_CSV) {
            list_write_csv(&spec, &points[i], out);
            continue;
        }
        list_write_json(&spec, &points[i], out);
        strbuf_putc(out, '\n');
    }
}

enum status api_hosts_totals(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_HOST_STATE const struct host_state *host = NULL;
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_TOTALS_SERIES struct totals_series series = {0};
    struct totals_request request = {0};
    enum status status = api_host_arg(rq, &host, err);

    if (status == ST_OK)
        status = read_params(rq, host, &request, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_totals_series(db, host->key, request.from_us, request.to_us, READ_MAX,
                                     &series, err);
    if (status != ST_OK)
        return status;
    AUTO_FREE struct span_point *points = calloc((size_t)request.points + 2, sizeof *points);
    if (points == NULL)
        return err_set(err, ST_NOMEM, "could not read totals: out of memory");
    size_t count = thin(&series, request.points, points);
    rs->media = rq->accept == MEDIA_CSV || rq->accept == MEDIA_NDJSON ? rq->accept : MEDIA_JSON;
    if (rs->media == MEDIA_JSON)
        write_document(host->id, &request, &series, points, count, &rs->body);
    else
        write_rows(&request, points, count, rs->media, &rs->body);
    return resp_etag(rs, err);
}
