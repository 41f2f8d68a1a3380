/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/overview_fleet.h"

#include "server/api/api_common.h"
#include "server/api/json_out.h"
#include "server/api/text_dict.h"

#include <stdlib.h>

#define MAP_GROUPS    10 /* more do not fit a small picture; the rest is one group */
#define CHANGES_SHOWN 20

/* Each host stands one way: its worst finding, else that its data cannot be true (so that it could
 * have none), else silent, else well. */
enum standing {
    STANDS_CRITICAL,
    STANDS_WARNING,
    STANDS_INFO,
    STANDS_FAULTY,
    STANDS_SILENT,
    STANDS_AWAITING,
    STANDS_OK,
    STANDINGS
};
static const char *const standing_names[STANDINGS] = {"critical", "warning",  "info", "faulty",
                                                      "silent",   "awaiting", "ok"};
static const enum standing standing_of[SEVERITY_COUNT] = {
    [SEVERITY_INFO] = STANDS_INFO,
    [SEVERITY_WARNING] = STANDS_WARNING,
    [SEVERITY_CRITICAL] = STANDS_CRITICAL,
};

struct group {
    const char *role;
    bool known;   /* a role of that name; else hosts without one, or the rest */
    size_t roles; /* how many roles are in it */
    int64_t hosts;
    int64_t count[STANDINGS];
};

struct groups {
    struct group *items;
    struct text_dict roles;
    struct group all;
};

static enum status group_add(struct groups *groups, const char *role, enum standing standing)
{
    int64_t at = text_dict_add(&groups->roles, role == NULL ? "" : role);
    if (at < 0)
        return ST_NOMEM;
    struct group *group = &groups->items[at];
    group->role = role;
    group->known = role != NULL;
    group->roles = 1;
    group->hosts++;
    group->count[standing]++;
    groups->all.hosts++;
    groups->all.count[standing]++;
    return ST_OK;
}

static int bigger_first(const void *left, const void *right)
{
    const struct group *a = left, *b = right;
    if (a->hosts != b->hosts)
        return a->hosts > b->hosts ? -1 : 1;
    return strcmp(a->role == NULL ? "" : a->role, b->role == NULL ? "" : b->role);
}

/* What does not fit the picture becomes one group; returns how many there are then. */
static size_t groups_merge(struct groups *groups)
{
    size_t count = groups->roles.count;

    qsort(groups->items, count, sizeof *groups->items, bigger_first);
    if (count <= MAP_GROUPS)
        return count;
    struct group *rest = &groups->items[MAP_GROUPS - 1];
    rest->known = false;
    rest->role = NULL;
    for (size_t i = MAP_GROUPS; i < count; i++) {
        rest->roles += groups->items[i].roles;
        rest->hosts += groups->items[i].hosts;
        for (size_t s = 0; s < STANDINGS; s++)
            rest->count[s] += groups->items[i].count[s];
    }
    return MAP_GROUPS;
}

static void write_standings(const struct group *group, struct strbuf *out)
{
    for (size_t s = 0; s < STANDINGS; s++)
        json_i64(out, standing_names[s], group->count[s]);
}

static void write_groups(const struct groups *groups, size_t count, struct strbuf *out)
{
    json_key_open(out, "map", '{');
    json_text(out, "by", "role");
    json_key_open(out, "groups", '[');
    for (size_t i = 0; i < count; i++) {
        json_open(out, '{');
        json_text(out, "label", groups->items[i].role);
        json_i64(out, "groups", (int64_t)groups->items[i].roles);
        json_i64(out, "hosts", groups->items[i].hosts);
        write_standings(&groups->items[i], out);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_close(out, '}');
}

static const struct store_fleet_host *told_next(const struct store_fleet_hosts *told,
                                                const char *host_id, size_t *place)
{
    int order = 1;

    while (*place < told->count && (order = strcmp(told->items[*place].count.host_id, host_id)) < 0)
        (*place)++;
    return order == 0 ? &told->items[*place] : NULL;
}

enum status overview_fleet_write(const struct overview_fleet *fleet, int64_t in_findings,
                                 struct strbuf *out)
{
    AUTO_FREE struct group *items =
        calloc(fleet->list->count + fleet->awaiting->count + 1, sizeof *items);
    struct groups groups = {.items = items};
    enum status status = items == NULL ? ST_NOMEM : ST_OK;
    int64_t silent = 0;
    size_t place = 0; /* both lists are sorted by id */

    for (size_t i = 0; status == ST_OK && i < fleet->list->count; i++) {
        const struct host_state *host = fleet->list->items[i];
        const struct store_fleet_host *told = told_next(fleet->told, host->id, &place);
        bool quiet = api_host_silent(host, fleet->now_us);
        silent += quiet;
        status = group_add(&groups, host->shown[HOST_ROLE],
                           told != NULL ? standing_of[told->count.worst]
                           : store_fault_of(fleet->faults, host->id) != NULL ? STANDS_FAULTY
                           : quiet                                           ? STANDS_SILENT
                                                                             : STANDS_OK);
    }
    for (size_t i = 0; status == ST_OK && i < fleet->awaiting->count; i++)
        status = group_add(&groups, fleet->awaiting->items[i].role, STANDS_AWAITING);
    if (status == ST_OK) {
        int64_t total = (int64_t)fleet->list->count;
        json_key_open(out, "hosts", '{');
        json_i64(out, "total", total);
        json_i64(out, "reporting", total - silent);
        json_i64(out, "silent", silent);
        json_i64(out, "faulty", (int64_t)fleet->faults->count);
        json_i64(out, "in_findings", in_findings);
        json_i64(out, "awaiting", (int64_t)fleet->awaiting->count);
        json_key_open(out, "standing", '{');
        write_standings(&groups.all, out);
        json_close(out, '}');
        json_close(out, '}');
        write_groups(&groups, groups_merge(&groups), out);
    }
    text_dict_done(&groups.roles);
    return status;
}

void overview_checked_write(const struct fleet_view *view, const struct fleet_list *list,
                            int64_t since_us, struct strbuf *out)
{
    int64_t rows = 0;

    for (size_t i = 0; i < list->count; i++)
        for (int pool = 0; pool < POOL_COUNT; pool++)
            rows += (int64_t)host_state_rows(list->items[i], (enum pool)pool);
    json_key_open(out, "checked", '{');
    json_i64(out, "hosts", (int64_t)list->count);
    json_i64(out, "tags", (int64_t)view->tag_count);
    json_i64(out, "rows", rows);
    json_i64(out, "cohorts", (int64_t)view->cohort_count);
    json_time(out, "since", since_us);
    json_close(out, '}');
}

static void write_first(const struct store_fleet_first *first, struct strbuf *out)
{
    if (first->host_id == NULL) {
        json_raw(out, "first_to_run_out", NULL);
        return;
    }
    json_key_open(out, "first_to_run_out", '{');
    json_text(out, "host_id", first->host_id);
    json_text(out, "name", first->name);
    json_text(out, "finding_id", first->finding_id);
    json_text(out, "limit", first->limit);
    json_key_open(out, "exhausts_at", '{');
    json_time(out, "p10", first->p10_us);
    json_time(out, "p50", first->p50_us);
    json_time(out, "p90", first->p90_us);
    json_close(out, '}');
    json_close(out, '}');
}

void overview_news_write(const struct store_fleet_news *news, struct strbuf *out)
{
    static const char *const names[FLEET_CHANGE_COUNT] = {"new", "worsened", "resolved"};
    int64_t count[FLEET_CHANGE_COUNT] = {0};

    for (size_t i = 0; i < news->change_count; i++)
        count[news->changes[i].change]++;
    json_key_open(out, "changes", '{');
    for (size_t i = 0; i < FLEET_CHANGE_COUNT; i++)
        json_i64(out, names[i], count[i]);
    json_key_open(out, "items", '[');
    for (size_t i = 0; i < news->change_count && i < CHANGES_SHOWN; i++) {
        const struct store_fleet_change *change = &news->changes[i];
        json_open(out, '{');
        json_text(out, "finding_id", change->finding_id);
        json_text(out, "change", names[change->change]);
        json_time(out, "at", change->at_us);
        json_text(out, "kind", change->kind);
        json_text(out, "severity", change->severity);
        json_text(out, "summary", change->summary);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_close(out, '}');
    write_first(&news->first, out);
}
