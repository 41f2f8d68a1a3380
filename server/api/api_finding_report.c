/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers what the report needs beyond the finding itself: the fleet's facts, series, the fix. */
#include "server/analyze/robust.h"
#include "server/api/api_common.h"
#include "server/api/api_findings.h"
#include "server/api/finding_fix.h"
#include "server/api/finding_series.h"
#include "server/api/json_out.h"
#include "server/known/known_finding.h"
#include "server/report/report.h"
#include "server/store/store_drivers.h"
#include "server/store/store_hosts.h"

#include <math.h>
#include <string.h>

#define SERIES_HOSTS   5   /* lines of the plot */
#define SERIES_POINTS  200 /* the plot is 650 units wide */
#define COUNTS_MAX     60  /* lines of the environment table */
#define COUNTS_OF_EACH 12  /* values of one attribute; the rest is rare */
#define VERSIONS_MAX   12

struct gathered {
    struct arena arena;
    struct finding_records records;
    struct finding_lines lines;
    struct fix_check check;
    struct strbuf fix;
    struct report_host *hosts;
    struct report_tag *tags;
    struct report_series series[SERIES_HOSTS];
    size_t series_count;
    struct report_series peers;
    const char *version_of;
    struct report_version versions[VERSIONS_MAX];
    size_t version_count;
    struct report_count counts[COUNTS_MAX];
    size_t count_count;
    struct known_view *known;
    struct known_match matches[KNOWN_MATCHES_MAX];
    size_t match_count;
};

static void gathered_done(struct gathered *gathered)
{
    fix_check_done(&gathered->check);
    finding_lines_done(&gathered->lines);
    finding_records_done(&gathered->records);
    known_view_release(gathered->known);
    strbuf_done(&gathered->fix);
    arena_done(&gathered->arena);
}

static const char *keep(struct arena *arena, const char *text)
{
    return text == NULL ? NULL : arena_strdup(arena, text);
}

static bool same_text(const char *a, const char *b)
{
    return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

/* ---- hosts ------------------------------------------------------------------ */

/* The driver whose versions count: the first among the causes, else the owner. Several owners are
 * not one driver. */
static const char *version_of(const struct finding *finding)
{
    static const char prefix[] = "driver/";

    for (size_t i = 0; i < finding->cause_count; i++)
        if (strncmp(finding->causes[i].attribute, prefix, sizeof prefix - 1) == 0)
            return finding->causes[i].attribute + sizeof prefix - 1;
    const char *owner = finding->owner_driver;
    return owner == NULL || strstr(owner, " or ") != NULL ? NULL : owner;
}

static const char *driver_version(struct db *db, int64_t key, const char *driver,
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
    report->os_name = keep(&to->arena, host->shown[HOST_OS_NAME]);
    report->os_build = keep(&to->arena, host->shown[HOST_OS_BUILD]);
    report->role = keep(&to->arena, host->shown[HOST_ROLE]);
    report->model = keep(&to->arena, host->shown[HOST_MODEL]);
    report->agent_version = keep(&to->arena, host->agent.version);
    report->ram_bytes = api_host_ram(host);
    report->uptime_seconds = api_host_uptime_seconds(host);
    report->driver_version = driver_version(db, host->key, to->version_of, &to->arena);
}

/* ---- counts over the fleet -------------------------------------------------- */

static bool in_finding(const struct finding *finding, const char *const *ids, const char *id)
{
    for (size_t low = 0, high = finding->host_count; low < high;) {
        size_t middle = (low + high) / 2;
        int order = strcmp(ids[middle], id);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static void count_value(struct gathered *to, size_t from, const char *what, const char *value,
                        bool affected)
{
    size_t i = from;

    while (i < to->count_count && !same_text(to->counts[i].value, value))
        i++;
    if (i == to->count_count) {
        if (i == COUNTS_MAX || i - from == COUNTS_OF_EACH)
            return;
        to->counts[to->count_count++] = (struct report_count){what, keep(&to->arena, value), 0, 0};
    }
    if (affected)
        to->counts[i].affected++;
    else
        to->counts[i].others++;
}

static const char *agent_version(const struct host_state *host)
{
    return host->agent.version;
}
static const char *os_build(const struct host_state *host)
{
    return host->shown[HOST_OS_BUILD];
}
static const char *model(const struct host_state *host)
{
    return host->shown[HOST_MODEL];
}

static const struct {
    const char *what;
    const char *(*value)(const struct host_state *host);
} counted[] = {{"Build", os_build}, {"Model", model}, {"Agent", agent_version}};

static int compare_id(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Affected hosts first, so that their values have a line whatever the others have. */
static enum status gather_counts(struct fleet *fleet, const struct finding *finding,
                                 struct gathered *to, struct err *err)
{
    AUTO_FLEET_LIST struct fleet_list all = {0};
    AUTO_FREE const char **ids = calloc(finding->host_count + 1, sizeof *ids);

    if (ids == NULL || fleet_list(fleet, &all) != ST_OK)
        return err_set(err, ST_NOMEM, "could not make a report: out of memory");
    for (size_t i = 0; i < finding->host_count; i++)
        ids[i] = finding->hosts[i].id;
    qsort(ids, finding->host_count, sizeof *ids, compare_id);
    for (size_t k = 0; k < sizeof counted / sizeof counted[0]; k++) {
        size_t from = to->count_count;
        for (int affected = 1; affected >= 0; affected--)
            for (size_t i = 0; i < all.count; i++)
                if (in_finding(finding, ids, all.items[i]->id) == (affected == 1))
                    count_value(to, from, counted[k].what, counted[k].value(all.items[i]),
                                affected == 1);
    }
    return ST_OK;
}

/* ---- versions --------------------------------------------------------------- */

static void version_rates(const struct finding *finding, const struct gathered *to,
                          struct report_version *version)
{
    double rates[REPORT_HOSTS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < finding->host_count && i < REPORT_HOSTS_MAX; i++) {
        if (!same_text(to->hosts[i].driver_version, version->version))
            continue;
        version->affected++;
        if (isfinite(finding->hosts[i].rate_bytes_per_hour))
            rates[count++] = finding->hosts[i].rate_bytes_per_hour;
    }
    version->bytes_per_hour = robust_median(rates, count);
}

static enum status gather_versions(struct db *db, const struct finding *finding,
                                   struct gathered *to, struct err *err)
{
    AUTO_DRIVER_HISTORY struct driver_history history = {0};
    int64_t now = finding->last_seen_us;

    if (to->version_of == NULL)
        return ST_OK;
    enum status status = store_driver_history(db, to->version_of, now, now, &history, err);
    if (status != ST_OK) /* a name in other letters, or a driver that is gone */
        return status == ST_NOT_FOUND ? ST_OK : status;
    for (size_t i = 0; i < history.version_count && to->version_count < VERSIONS_MAX; i++) {
        if (history.versions[i].hosts == 0)
            continue;
        struct report_version *version = &to->versions[to->version_count++];
        *version = (struct report_version){.version = keep(&to->arena, history.versions[i].version),
                                           .hosts = (size_t)history.versions[i].hosts};
        version_rates(finding, to, version);
        if (to->count_count < COUNTS_MAX)
            to->counts[to->count_count++] = (struct report_count){
                to->version_of, version->version, version->affected,
                version->hosts > version->affected ? version->hosts - version->affected : 0};
    }
    return ST_OK;
}

/* ---- series ----------------------------------------------------------------- */

static bool take_line(struct gathered *to, const double *line, size_t host,
                      struct report_series *series)
{
    int64_t *t = arena_alloc(&to->arena, to->lines.points, sizeof *t);
    uint64_t *bytes = arena_alloc(&to->arena, to->lines.points, sizeof *bytes);
    size_t count = 0;

    if (t == NULL || bytes == NULL)
        return false;
    for (size_t i = 0; i < to->lines.points; i++)
        if (!isnan(line[i])) {
            t[count] = to->lines.t_us[i];
            bytes[count++] = (uint64_t)line[i];
        }
    *series = (struct report_series){host, count, t, bytes};
    return count > 0;
}

static enum status gather_series(struct db *db, struct fleet *fleet, const struct finding *finding,
                                 struct gathered *to, struct err *err)
{
    enum status status =
        finding_lines_read(db, fleet, finding, SERIES_HOSTS, SERIES_POINTS, &to->lines, err);
    if (status != ST_OK)
        return status;
    for (size_t i = 0; i < to->lines.host_count; i++)
        to->series_count +=
            take_line(to, to->lines.hosts[i], i, &to->series[to->series_count]) ? 1 : 0;
    if (!take_line(to, to->lines.median, 0, &to->peers))
        to->peers.count = 0;
    return ST_OK;
}

static enum status gather_fix(struct db *db, const struct finding *finding, struct gathered *to,
                              struct err *err)
{
    enum status status = fix_check_read(db, finding, fix_cause_of(finding, NULL), &to->check, err);

    if (status == ST_OK && to->check.cause != NULL && to->check.moved_total > 0)
        fix_sentence(&to->check.result, to->check.what, to->check.cause->value, &to->fix);
    return status;
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
    to->version_of = version_of(finding);
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
    status = gather_counts(rq->app->fleet, finding, to, err);
    if (status == ST_OK)
        status = gather_versions(db, finding, to, err);
    if (status == ST_OK)
        status = gather_series(db, rq->app->fleet, finding, to, err);
    return status == ST_OK ? gather_fix(db, finding, to, err) : status;
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
    if (show != NULL && strcmp(show, "yes") != 0 && strcmp(show, "no") != 0)
        return err_field(err, ST_INVALID, "names", "names must be yes or no");
    *ret_names = show != NULL && strcmp(show, "yes") == 0;
    if (*ret_names && !role_allows(rq->role, ROLE_OPERATOR))
        return err_set(err, ST_FORBIDDEN, "a report with names needs role operator");
    const char *accept = req_header(rq, "Accept");
    bool wanted = accept != NULL && strstr(accept, "text/html") != NULL; /* not just anything */
    *ret_html = format != NULL ? strcmp(format, "html") == 0 : wanted && rq->accept == MEDIA_HTML;
    return ST_OK;
}

enum status api_findings_report(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    CLEANUP(gathered_done) struct gathered gathered = {.series_count = 0};
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
                                 .peers = gathered.peers.count > 1 ? &gathered.peers : NULL,
                                 .peer_hosts = gathered.lines.peers,
                                 .peers_alike = gathered.lines.peers_alike,
                                 .version_of = gathered.version_of,
                                 .versions = gathered.versions,
                                 .version_count = gathered.version_count,
                                 .counts = gathered.counts,
                                 .count_count = gathered.count_count,
                                 .fix = gathered.fix.data,
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
