/* SPDX-License-Identifier: Apache-2.0 */
/* One tag of one host over time, as columns. */
#include "server/api/api_common.h"
#include "server/api/api_hosts.h"
#include "server/api/json_out.h"
#include "server/store/store_snapshots.h"

#include <math.h>

#define SPAN_DEFAULT_US (7 * US_PER_DAY)
#define POINTS_DEFAULT  500
#define POINTS_MAX      5000

struct series_request {
    uint32_t tag;
    enum pool pool;
    int64_t from_us;
    int64_t to_us;
    int64_t points;
};

/* A tag lives in one pool mostly: without a parameter, the one where this host has it. */
static enum pool usual_pool(const struct host_state *host, uint32_t tag)
{
    struct host_row row;
    bool paged_only = !host_state_find(host, POOL_NONPAGED, tag, &row) &&
                      host_state_find(host, POOL_PAGED, tag, &row);
    return paged_only ? POOL_PAGED : POOL_NONPAGED;
}

static enum status read_params(const struct req *rq, const struct host_state *host,
                               struct series_request *request, struct err *err)
{
    static const char *const names[] = {"pool", "from", "to", "points"};
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK)
        status = api_tag_parse(rq->args[1], &request->tag, err);
    if (status == ST_OK)
        status = api_query_pool(rq, &request->pool, err);
    if (status == ST_OK)
        status = req_query_time(rq, "to", host->taken_at_us, &request->to_us, err);
    if (status == ST_OK)
        status =
            req_query_time(rq, "from", request->to_us - SPAN_DEFAULT_US, &request->from_us, err);
    if (status == ST_OK)
        status = req_query_i64(rq, "points", 2, POINTS_MAX, POINTS_DEFAULT, &request->points, err);
    if (status == ST_OK && request->from_us > request->to_us)
        return err_field(err, ST_INVALID, "from", "from must not be after to");
    if (status == ST_OK && request->pool == POOL_UNKNOWN)
        request->pool = usual_pool(host, request->tag);
    return status;
}

static bool same_boot(const struct series *series, size_t i)
{
    int64_t a = series->boot_at_us[i - 1], b = series->boot_at_us[i];
    if (a == TIME_UNKNOWN || b == TIME_UNKNOWN)
        return a == b;
    return (a > b ? a - b : b - a) < 2 * US_PER_MINUTE;
}

/* The newest point of each of `points` equal spans; rates count every allocation between two kept
 * points, since a 32-bit counter may wrap more than once in between. */
struct thinned {
    size_t *kept;
    double *rates;
    size_t count;
};

static void thin(const struct series *series, const struct series_request *request,
                 struct thinned *ret)
{
    int64_t first =
        series->count == 0 ? 0 : series->t_us[0]; /* an empty stretch wastes no points */
    int64_t last_at = series->count == 0 ? 0 : series->t_us[series->count - 1];
    int64_t span = (last_at - first) / request->points + 1;
    double allocs = 0;
    bool whole = false; /* every step since the kept point is known and of one boot */
    size_t last = SIZE_MAX;

    for (size_t i = 0; i < series->count; i++) {
        bool known = (series->known[i] & COLUMN_ALLOCS) != 0;
        if (i > 0) {
            bool step =
                known && (series->known[i - 1] & COLUMN_ALLOCS) != 0 && same_boot(series, i);
            whole = whole && step;
            if (step)
                allocs += counter_delta(series->allocs[i], series->allocs[i - 1]);
        }
        int64_t bucket = (series->t_us[i] - first) / span;
        bool keep = i + 1 == series->count || (series->t_us[i + 1] - first) / span != bucket;
        if (!keep)
            continue;
        double seconds =
            last == SIZE_MAX ? 0 : (double)(series->t_us[i] - series->t_us[last]) / US_PER_SECOND;
        ret->kept[ret->count] = i;
        ret->rates[ret->count++] = whole && seconds > 0 ? allocs / seconds : NAN;
        last = i;
        allocs = 0;
        whole = true;
    }
}

static void write_boots(const struct series *series, struct strbuf *out)
{
    json_key_open(out, "boots", '[');
    for (size_t i = 1; i < series->count; i++) {
        if (same_boot(series, i))
            continue;
        bool known = series->boot_at_us[i] != TIME_UNKNOWN;
        json_comma(out);
        json_value_seconds(out, known ? series->boot_at_us[i] : series->t_us[i]);
    }
    json_close(out, ']');
}

static int64_t outstanding_at(const struct series *series, size_t i)
{
    unsigned both = COLUMN_ALLOCS | COLUMN_FREES;
    if ((series->known[i] & both) != both)
        return NUMBER_ABSENT;
    return counter_delta(series->allocs[i], series->frees[i]);
}

static void write_series(const struct series *series, const struct thinned *thinned,
                         struct strbuf *out)
{
    json_key_open(out, "t", '[');
    for (size_t i = 0; i < thinned->count; i++) {
        json_comma(out);
        json_value_seconds(out, series->t_us[thinned->kept[i]]);
    }
    json_close(out, ']');
    json_key_open(out, "bytes", '[');
    for (size_t i = 0; i < thinned->count; i++) {
        size_t at = thinned->kept[i];
        bool known = (series->known[at] & COLUMN_BYTES) != 0;
        json_comma(out);
        json_value_i64(out, known ? api_number(series->bytes[at]) : NUMBER_ABSENT);
    }
    json_close(out, ']');
    json_key_open(out, "outstanding", '[');
    for (size_t i = 0; i < thinned->count; i++) {
        json_comma(out);
        json_value_i64(out, outstanding_at(series, thinned->kept[i]));
    }
    json_close(out, ']');
    json_key_open(out, "alloc_rate", '[');
    for (size_t i = 0; i < thinned->count; i++) {
        json_comma(out);
        json_value_real(out, thinned->rates[i]);
    }
    json_close(out, ']');
    write_boots(series, out);
}

static bool has_any(const struct series *series)
{
    for (size_t i = 0; i < series->count; i++)
        if (series->known[i] != 0)
            return true;
    return false;
}

static enum status reply_series(const struct host_state *host, const struct series_request *request,
                                const struct series *series, struct resp *rs, struct err *err)
{
    AUTO_FREE size_t *kept = calloc(series->count + 1, sizeof *kept);
    AUTO_FREE double *rates = calloc(series->count + 1, sizeof *rates);
    struct thinned thinned = {kept, rates, 0};

    if (kept == NULL || rates == NULL)
        return err_set(err, ST_NOMEM, "could not read a series: out of memory");
    thin(series, request, &thinned);
    json_open(&rs->body, '{');
    json_text(&rs->body, "host_id", host->id);
    json_tag(&rs->body, "tag", request->tag);
    json_text(&rs->body, "pool", pool_name(request->pool));
    write_series(series, &thinned, &rs->body);
    json_close(&rs->body, '}');
    return api_reply_json(rs, err);
}

enum status api_hosts_series(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_HOST_STATE const struct host_state *host = NULL;
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_SERIES struct series series = {0};
    struct series_request request;
    enum status status = api_host_arg(rq, &host, err);

    if (status == ST_OK)
        status = read_params(rq, host, &request, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_series_read(db, host->key, request.pool, request.tag, request.from_us,
                                   request.to_us, &series, err);
    if (status != ST_OK)
        return status;
    struct host_row row;
    if (!has_any(&series) && !host_state_find(host, request.pool, request.tag, &row))
        return err_set(err, ST_NOT_FOUND, "host \"%s\" has no such tag in this range", host->id);
    return reply_series(host, &request, &series, rs, err);
}
