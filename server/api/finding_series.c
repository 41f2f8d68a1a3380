/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/finding_series.h"

#include "server/analyze/robust.h"
#include "server/api/api_common.h"
#include "server/api/api_findings.h"
#include "server/api/json_out.h"
#include "server/store/store_snapshots.h"

#include <math.h>
#include <string.h>

static double *line_new(struct arena *arena, size_t points)
{
    double *line = arena_alloc(arena, points, sizeof *line);

    for (size_t i = 0; line != NULL && i < points; i++)
        line[i] = NAN;
    return line;
}

/* Of each step of the grid the newest reading. */
static enum status read_line(struct db *db, int64_t key, const struct finding *finding,
                             struct finding_lines *lines, double **ret_line, struct err *err)
{
    AUTO_SERIES struct series series = {0};
    int64_t step = lines->t_us[1] - lines->t_us[0], from = lines->t_us[0] - step;
    double *line = line_new(&lines->arena, lines->points);

    if (line == NULL)
        return err_set(err, ST_NOMEM, "could not read a finding's series: out of memory");
    enum status status = store_series_read(db, key, finding->pool, finding->tag, from + 1,
                                           lines->t_us[lines->points - 1] + 1, &series, err);
    for (size_t i = 0; status == ST_OK && i < series.count; i++) {
        int64_t at = (series.t_us[i] - from - 1) / step;
        if ((series.known[i] & COLUMN_BYTES) != 0 && at >= 0 && (size_t)at < lines->points)
            line[at] = (double)series.bytes[i];
    }
    *ret_line = line;
    return status;
}

static int compare_id(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool alike(const struct host_state *a, const struct host_state *b)
{
    static const char *const names[] = {"os.build", "role"};

    for (size_t i = 0; i < 2; i++) {
        const char *x = host_state_attribute(a, names[i]), *y = host_state_attribute(b, names[i]);
        if ((x == NULL) != (y == NULL) || (x != NULL && strcmp(x, y) != 0))
            return false;
    }
    return true;
}

/* Indices of unaffected hosts, evenly taken; those like the worst host when there are enough. */
static size_t choose_peers(struct fleet *fleet, const struct finding *finding,
                           const struct fleet_list *all, const char *const *ids, bool *ret_alike,
                           size_t chosen[FINDING_SERIES_PEERS])
{
    AUTO_HOST_STATE const struct host_state *worst =
        finding->host_count == 0 ? NULL : fleet_get(fleet, finding->hosts[0].id);
    AUTO_FREE size_t *any = calloc(all->count + 1, sizeof *any);
    AUTO_FREE size_t *same = calloc(all->count + 1, sizeof *same);
    size_t *const fits[2] = {any, same};
    size_t counts[2] = {0, 0}, taken = 0;

    for (size_t i = 0; any != NULL && same != NULL && i < all->count; i++) {
        const char *id = all->items[i]->id;
        struct host_row row;
        if (bsearch(&id, ids, finding->host_count, sizeof *ids, compare_id) != NULL ||
            !host_state_find(all->items[i], finding->pool, finding->tag, &row))
            continue;
        fits[0][counts[0]++] = i;
        if (worst != NULL && alike(worst, all->items[i]))
            fits[1][counts[1]++] = i;
    }
    size_t which = counts[1] >= FINDING_SERIES_PEERS_MIN;
    *ret_alike = which == 1;
    size_t want = counts[which] < FINDING_SERIES_PEERS ? counts[which] : FINDING_SERIES_PEERS;
    for (; taken < want; taken++)
        chosen[taken] = fits[which][taken * counts[which] / want];
    return taken;
}

static void take_median(struct finding_lines *lines, double *const *peers)
{
    for (size_t at = 0; at < lines->points; at++) {
        double values[FINDING_SERIES_PEERS];
        size_t count = 0;
        for (size_t i = 0; i < lines->peers; i++)
            if (!isnan(peers[i][at]))
                values[count++] = peers[i][at];
        if (count >= FINDING_SERIES_PEERS_MIN)
            lines->median[at] = robust_median(values, count);
    }
}

static enum status read_peers(struct db *db, struct fleet *fleet, const struct finding *finding,
                              struct finding_lines *lines, struct err *err)
{
    AUTO_FLEET_LIST struct fleet_list all = {0};
    AUTO_FREE const char **ids = calloc(finding->host_count + 1, sizeof *ids);
    double *peers[FINDING_SERIES_PEERS];
    size_t chosen[FINDING_SERIES_PEERS];
    enum status status = fleet_list(fleet, &all);

    if (status != ST_OK || ids == NULL)
        return err_set(err, ST_NOMEM, "could not read a finding's series: out of memory");
    for (size_t i = 0; i < finding->host_count; i++)
        ids[i] = finding->hosts[i].id;
    qsort(ids, finding->host_count, sizeof *ids, compare_id);
    size_t count = choose_peers(fleet, finding, &all, ids, &lines->peers_alike, chosen);
    for (size_t i = 0; status == ST_OK && i < count; i++)
        status = read_line(db, all.items[chosen[i]]->key, finding, lines, &peers[i], err);
    if (status != ST_OK)
        return status;
    lines->peers = count;
    take_median(lines, peers);
    return ST_OK;
}

static bool lay_grid(struct finding_lines *lines, size_t hosts, size_t points, int64_t last_us)
{
    int64_t step = FINDING_SERIES_SPAN_US / (int64_t)points;

    lines->points = points;
    lines->t_us = arena_alloc(&lines->arena, points, sizeof *lines->t_us);
    lines->hosts = arena_alloc(&lines->arena, hosts + 1, sizeof *lines->hosts);
    lines->median = line_new(&lines->arena, points);
    for (size_t i = 0; lines->t_us != NULL && i < points; i++)
        lines->t_us[i] = last_us - (int64_t)(points - 1 - i) * step;
    return lines->t_us != NULL && lines->hosts != NULL && lines->median != NULL;
}

enum status finding_lines_read(struct db *db, struct fleet *fleet, const struct finding *finding,
                               size_t hosts_max, size_t points, struct finding_lines *ret_lines,
                               struct err *err)
{
    struct finding_lines lines = {0};
    size_t count = finding->host_count < hosts_max ? finding->host_count : hosts_max;
    enum status status = ST_OK;

    if (!lay_grid(&lines, count, points, finding->last_seen_us))
        status = err_set(err, ST_NOMEM, "could not read a finding's series: out of memory");
    for (; status == ST_OK && lines.host_count < count; lines.host_count++) {
        double *line = line_new(&lines.arena, points);
        AUTO_HOST_STATE const struct host_state *host =
            fleet_get(fleet, finding->hosts[lines.host_count].id);
        if (host != NULL) /* else it is gone: a line without points */
            status = read_line(db, host->key, finding, &lines, &line, err);
        lines.hosts[lines.host_count] = line;
        if (status == ST_OK && line == NULL)
            status = err_set(err, ST_NOMEM, "could not read a finding's series: out of memory");
    }
    if (status == ST_OK)
        status = read_peers(db, fleet, finding, &lines, err);
    if (status != ST_OK) {
        finding_lines_done(&lines);
        return status;
    }
    *ret_lines = lines;
    return ST_OK;
}

/* ---- GET /findings/{id}/series ---------------------------------------------- */

static void write_line(struct strbuf *out, const char *name, const double *line, size_t points)
{
    json_key_open(out, name, '[');
    for (size_t i = 0; i < points; i++) {
        json_comma(out);
        if (isnan(line[i]))
            json_value_text(out, NULL);
        else
            json_value_i64(out, (int64_t)line[i]);
    }
    json_close(out, ']');
}

static void write_lines(const struct finding *finding, const struct finding_lines *lines,
                        struct strbuf *out)
{
    json_open(out, '{');
    json_text(out, "pool", pool_name(finding->pool));
    json_tag(out, "tag", finding->tag);
    json_key_open(out, "t", '[');
    for (size_t i = 0; i < lines->points; i++) {
        json_comma(out);
        json_value_seconds(out, lines->t_us[i]);
    }
    json_close(out, ']');
    json_key_open(out, "hosts", '[');
    for (size_t i = 0; i < lines->host_count; i++) {
        json_open(out, '{');
        json_text(out, "id", finding->hosts[i].id);
        json_text(out, "name", finding->hosts[i].name);
        write_line(out, "bytes", lines->hosts[i], lines->points);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_key(out, "peers");
    json_open(out, '{');
    json_i64(out, "hosts", (int64_t)lines->peers);
    json_bool(out, "alike", lines->peers_alike);
    write_line(out, "median", lines->median, lines->points);
    json_close(out, '}');
    json_close(out, '}');
}

enum status api_findings_series(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {"points", "hosts"};
    AUTO_FINDING_RECORDS struct finding_records records = {0};
    AUTO_FINDING_LINES struct finding_lines lines = {0};
    AUTO_DBLEASE struct db *db = NULL;
    int64_t points = 0, hosts = 0;
    enum status status = req_query_only(rq, names, 2, err);

    if (status == ST_OK)
        status = req_query_i64(rq, "points", 2, FINDING_SERIES_POINTS_MAX, 100, &points, err);
    if (status == ST_OK)
        status = req_query_i64(rq, "hosts", 1, FINDING_SERIES_HOSTS_MAX, 20, &hosts, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_findings_get(db, rq->args[0], &records, err);
    if (status == ST_OK)
        status = finding_lines_read(db, rq->app->fleet, &records.items[0].finding, (size_t)hosts,
                                    (size_t)points, &lines, err);
    if (status != ST_OK)
        return status;
    write_lines(&records.items[0].finding, &lines, &rs->body);
    return api_reply_json(rs, err);
}
