/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers what the report needs beyond the finding itself: the hosts' facts and some series. */
#include "server/api/api_common.h"
#include "server/api/api_findings.h"
#include "server/api/json_out.h"
#include "server/known/known_finding.h"
#include "server/report/report.h"
#include "server/store/store_hosts.h"
#include "server/store/store_snapshots.h"

#include <string.h>

#define SERIES_HOSTS   5 /* lines of the plot */
#define SERIES_SPAN_US (7 * US_PER_DAY)

struct gathered {
    struct arena arena;
    struct finding_records records;
    struct report_host *hosts;
    struct report_tag *tags;
    struct report_series series[SERIES_HOSTS];
    size_t series_count;
    struct known_view *known;
    struct known_match matches[KNOWN_MATCHES_MAX];
    size_t match_count;
};

static void gathered_done(struct gathered *gathered)
{
    finding_records_done(&gathered->records);
    known_view_release(gathered->known);
    arena_done(&gathered->arena);
}

static const char *keep(struct arena *arena, const char *text)
{
    return text == NULL ? NULL : arena_strdup(arena, text);
}

static const char *owner_version(struct db *db, int64_t key, const char *driver,
                                 struct arena *arena)
{
    AUTO_STORE_DRIVERS struct store_drivers drivers = {0};

    if (driver == NULL || store_host_drivers(db, key, TIME_UNKNOWN, &drivers, NULL) != ST_OK)
        return NULL;
    for (size_t i = 0; i < drivers.count; i++)
        if (strcasecmp(drivers.items[i].name, driver) == 0)
            return keep(arena, drivers.items[i].version);
    return NULL;
}

/* A host that is gone since stays in the report, with its environment unknown. */
static void gather_host(struct db *db, struct fleet *fleet, const struct finding *finding,
                        size_t index, struct gathered *to)
{
    AUTO_HOST_STATE const struct host_state *host = fleet_get(fleet, finding->hosts[index].id);
    struct report_host *report = &to->hosts[index];

    *report = (struct report_host){.ram_bytes = NUMBER_ABSENT, .uptime_seconds = NUMBER_ABSENT};
    if (host == NULL || index >= REPORT_HOSTS_MAX)
        return;
    report->os_name = keep(&to->arena, host_state_attribute(host, "os.name"));
    report->os_build = keep(&to->arena, host_state_attribute(host, "os.build"));
    report->role = keep(&to->arena, host_state_attribute(host, "role"));
    report->model = keep(&to->arena, host_state_attribute(host, "hw.model"));
    report->ram_bytes = api_host_ram(host);
    report->uptime_seconds = api_host_uptime_seconds(host);
    report->driver_version = owner_version(db, host->key, finding->owner_driver, &to->arena);
}

static enum status gather_series(struct db *db, struct fleet *fleet, const struct finding *finding,
                                 size_t index, struct gathered *to, struct err *err)
{
    AUTO_HOST_STATE const struct host_state *host = fleet_get(fleet, finding->hosts[index].id);
    AUTO_SERIES struct series series = {0};

    if (host == NULL)
        return ST_OK;
    enum status status = store_series_read(db, host->key, finding->pool, finding->tag,
                                           finding->last_seen_us - SERIES_SPAN_US,
                                           finding->last_seen_us, &series, err);
    if (status != ST_OK)
        return status;
    int64_t *t = arena_alloc(&to->arena, series.count, sizeof *t);
    uint64_t *bytes = arena_alloc(&to->arena, series.count, sizeof *bytes);
    size_t count = 0;
    if (t == NULL || bytes == NULL)
        return err_set(err, ST_NOMEM, "could not make a report: out of memory");
    /* At most about 400 points a line: the plot is 650 units wide. */
    size_t step = series.count / 400 + 1;
    for (size_t i = 0; i < series.count; i++) {
        if ((series.known[i] & COLUMN_BYTES) == 0 || (i % step != 0 && i + 1 != series.count))
            continue;
        t[count] = series.t_us[i];
        bytes[count++] = series.bytes[i];
    }
    if (count > 0)
        to->series[to->series_count++] = (struct report_series){index, count, t, bytes};
    return ST_OK;
}

static enum status gather(const struct req *rq, struct db *db, struct gathered *to, struct err *err)
{
    enum status status = store_findings_get(db, rq->args[0], &to->records, err);

    if (status == ST_OK)
        status = known_view_get(rq->app->known, db, &to->known, err);
    if (status != ST_OK)
        return status;
    const struct finding *finding = &to->records.items[0].finding;
    to->match_count =
        known_match_finding(known_view_list(to->known), finding, KNOWN_MATCHES_MAX, to->matches);
    to->hosts = arena_alloc(&to->arena, finding->host_count, sizeof *to->hosts);
    to->tags = arena_alloc(&to->arena, finding->tag_count, sizeof *to->tags);
    if (to->hosts == NULL || to->tags == NULL)
        return err_set(err, ST_NOMEM, "could not make a report: out of memory");
    for (size_t i = 0; i < finding->tag_count; i++) {
        const struct tagdict_entry *entry = tagdict_find(rq->app->tagdict, finding->tags[i]);
        to->tags[i] = (struct report_tag){finding->tags[i], entry == NULL ? NULL : entry->driver,
                                          entry == NULL ? NULL : entry->description};
    }
    for (size_t i = 0; i < finding->host_count; i++)
        gather_host(db, rq->app->fleet, finding, i, to);
    for (size_t i = 0; status == ST_OK && i < finding->host_count && i < SERIES_HOSTS; i++)
        status = gather_series(db, rq->app->fleet, finding, i, to, err);
    return status;
}

static enum status read_params(const struct req *rq, bool *ret_html, bool *ret_names,
                               struct err *err)
{
    static const char *const names[] = {"format", "names"};
    const char *format = req_query(rq, "format");
    const char *show = req_query(rq, "names");
    enum status status = req_query_only(rq, names, 2, err);

    if (status != ST_OK)
        return status;
    if (format != NULL && strcmp(format, "html") != 0 && strcmp(format, "md") != 0)
        return err_field(err, ST_INVALID, "format", "format must be html or md");
    if (show != NULL && strcmp(show, "show") != 0 && strcmp(show, "hide") != 0)
        return err_field(err, ST_INVALID, "names", "names must be show or hide");
    const char *accept = req_header(rq, "Accept");
    bool wanted = accept != NULL && strstr(accept, "text/html") != NULL; /* not just anything */
    *ret_html = format != NULL ? strcmp(format, "html") == 0 : wanted && rq->accept == MEDIA_HTML;
    *ret_names = show != NULL && strcmp(show, "show") == 0;
    return ST_OK;
}

enum status api_findings_report(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    CLEANUP(gathered_done) struct gathered gathered = {0};
    bool html = false, names = false;
    enum status status = read_params(rq, &html, &names, err);

    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = gather(rq, db, &gathered, err);
    if (status != ST_OK)
        return status;
    struct report_input input = {.record = &gathered.records.items[0],
                                 .hosts = gathered.hosts,
                                 .tags = gathered.tags,
                                 .series = gathered.series,
                                 .series_count = gathered.series_count,
                                 .known = gathered.matches,
                                 .known_count = gathered.match_count,
                                 .show_names = names,
                                 .made_at_us = clock_wall_us()};
    rs->media = html ? MEDIA_HTML : MEDIA_MARKDOWN;
    if (html)
        report_html(&input, &rs->body);
    else
        report_markdown(&input, &rs->body);
    return ST_OK;
}
