/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/host_item.h"

#include "server/analyze/cohort.h"
#include "server/api/api_common.h"
#include "server/api/json_out.h"

#include <stdlib.h>
#include <string.h>

/* The bands of analyze/cohort.c, finest words first; one more for "not known". */
const char *const host_band_names[] = {"0-1h", "1-8h", "8-72h", "3-14d", ">14d", "?"};
_Static_assert(sizeof host_band_names / sizeof host_band_names[0] == COHORT_BANDS + 1,
               "a name for every uptime band");

static int count_compare(const void *key, const void *item)
{
    return strcmp(key, ((const struct finding_host_count *)item)->host_id);
}

const struct finding_host_count *host_item_count(const struct finding_host_counts *counts,
                                                 const char *host_id)
{
    return counts->count == 0 ? NULL
                              : bsearch(host_id, counts->items, counts->count,
                                        sizeof *counts->items, count_compare);
}

/* NULL where nothing is known of the agent, or when memory is out. */
static const char *agent_text(const struct snapshot_agent *agent, struct arena *arena)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;

    if (!agent->present)
        return NULL;
    json_open(&text, '{');
    json_text(&text, "version", agent->version);
    json_i64(&text, "waiting", agent->waiting < 0 ? NUMBER_ABSENT : agent->waiting);
    json_i64(&text, "dropped", agent->dropped < 0 ? NUMBER_ABSENT : agent->dropped);
    json_bool(&text, "simulated", agent->simulated);
    json_close(&text, '}');
    return strbuf_failed(&text) ? NULL : arena_strdup(arena, text.data);
}

void host_item_fill(const struct host_state *host, const struct finding_host_count *count,
                    const struct store_fault *fault, int64_t now, struct arena *arena,
                    struct host_item *item)
{
    int64_t uptime =
        host->boot_at_us == TIME_UNKNOWN ? TIME_UNKNOWN : host->taken_at_us - host->boot_at_us;

    *item = (struct host_item){
        .id = host->id,
        .name = host->name,
        .os_name = host->shown[HOST_OS_NAME],
        .os_build = host->shown[HOST_OS_BUILD],
        .role = host->shown[HOST_ROLE],
        .model = host->shown[HOST_MODEL],
        .ram_bytes = api_host_ram(host),
        .boot_at = host->boot_at_us,
        .uptime_seconds = api_host_uptime_seconds(host),
        .last_seen = host->taken_at_us,
        .nonpaged_bytes = api_host_total(host, TOTAL_NONPAGED_BYTES),
        .paged_bytes = api_host_total(host, TOTAL_PAGED_BYTES),
        .nonpaged_limit_bytes = api_host_total(host, TOTAL_NONPAGED_LIMIT_BYTES),
        .findings = count == NULL ? 0 : count->findings,
        .worst_severity = count == NULL ? -1 : (int)count->worst,
        .simulated = api_host_simulated(host),
        .silent = api_host_silent(host, now),
        .faulty_since = fault == NULL ? TIME_UNKNOWN : fault->since_us,
        .faulty_reason = fault == NULL ? NULL : fault->code,
        .enrolled_at = TIME_UNKNOWN,
        .band = cohort_band(uptime),
        .agent = arena == NULL ? NULL : agent_text(&host->agent, arena),
        .agent_version = host->agent.present ? host->agent.version : NULL,
    };
}

void host_item_fill_awaiting(const struct store_awaiting *awaiting, struct arena *arena,
                             struct host_item *item)
{
    const struct snapshot_agent agent = {.present = awaiting->agent_version != NULL,
                                         .version = awaiting->agent_version,
                                         .waiting = -1,
                                         .dropped = -1};

    *item = (struct host_item){
        .id = awaiting->id,
        .name = awaiting->name,
        .os_name = awaiting->os_name,
        .os_build = awaiting->os_build,
        .role = awaiting->role,
        .model = awaiting->model,
        .ram_bytes = NUMBER_ABSENT,
        .boot_at = TIME_UNKNOWN,
        .uptime_seconds = NUMBER_ABSENT,
        .last_seen = TIME_UNKNOWN,
        .nonpaged_bytes = NUMBER_ABSENT,
        .paged_bytes = NUMBER_ABSENT,
        .nonpaged_limit_bytes = NUMBER_ABSENT,
        .worst_severity = -1,
        .faulty_since = TIME_UNKNOWN,
        .awaiting_first_snapshot = true,
        .enrolled_at = awaiting->enrolled_at_us,
        .band = COHORT_BAND_UNKNOWN,
        .agent = arena == NULL ? NULL : agent_text(&agent, arena),
        .agent_version = awaiting->agent_version,
    };
}

/* ---- filters ------------------------------------------------------------------------------- */

/* Place of the parameter's text among the names; -1 for `none`; HOST_FILTER_ANY when absent. */
static enum status choice_read(const struct req *rq, const char *parameter,
                               const char *const *names, size_t count, const char *none,
                               int *ret_choice, struct err *err)
{
    const char *text = req_query(rq, parameter);

    if (text == NULL) {
        *ret_choice = HOST_FILTER_ANY;
        return ST_OK;
    }
    if (none != NULL && strcmp(text, none) == 0) {
        *ret_choice = -1;
        return ST_OK;
    }
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, names[i]) == 0) {
            *ret_choice = (int)i;
            return ST_OK;
        }
    return err_field(err, ST_INVALID, parameter, "%s is no known value of %s", text, parameter);
}

enum status host_filter_read(const struct req *rq, struct host_filter *ret_filter, struct err *err)
{
    struct host_filter filter = {.q = req_query(rq, "q"),
                                 .os_build = req_query(rq, "os.build"),
                                 .role = req_query(rq, "role"),
                                 .model = req_query(rq, "model")};
    enum status status = api_query_flag(rq, "finding", &filter.finding, err);

    if (status == ST_OK)
        status = api_query_flag(rq, "silent", &filter.silent, err);
    if (status == ST_OK)
        status = api_query_flag(rq, "faulty", &filter.faulty, err);
    if (status == ST_OK)
        status = choice_read(rq, "severity", api_severity_names, SEVERITY_COUNT, "none",
                             &filter.severity, err);
    if (status == ST_OK)
        status =
            choice_read(rq, "band", host_band_names, COHORT_BANDS + 1, NULL, &filter.band, err);
    if (status == ST_OK)
        *ret_filter = filter;
    return status;
}

static bool same_text(const char *have, const char *want)
{
    return want == NULL || (have != NULL && strcmp(have, want) == 0);
}

bool host_filter_takes(const struct host_filter *filter, const struct host_item *item)
{
    if (!same_text(item->os_build, filter->os_build) || !same_text(item->role, filter->role) ||
        !same_text(item->model, filter->model))
        return false;
    if (filter->finding >= 0 && (item->findings > 0) != filter->finding)
        return false;
    if (filter->silent >= 0 && item->silent != filter->silent)
        return false;
    if (filter->faulty >= 0 && (item->faulty_reason != NULL) != filter->faulty)
        return false;
    if (filter->severity != HOST_FILTER_ANY && item->worst_severity != filter->severity)
        return false;
    if (filter->band != HOST_FILTER_ANY && (int)item->band != filter->band)
        return false;
    return filter->q == NULL || api_text_has(item->name, filter->q) ||
           api_text_has(item->id, filter->q) || api_text_has(item->os_name, filter->q) ||
           api_text_has(item->os_build, filter->q) || api_text_has(item->role, filter->q) ||
           api_text_has(item->model, filter->q);
}
