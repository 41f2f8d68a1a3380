/* SPDX-License-Identifier: Apache-2.0 */
/* One tag over all hosts that have it, each against its cohort. */
#include "server/api/api_common.h"
#include "server/api/api_tags.h"
#include "server/api/json_out.h"
#include "server/api/list.h"
#include "server/store/store_findings.h"

#include <math.h>
#include <string.h>

struct holder_item {
    const char *host_id;
    const char *name;
    int pool;
    int64_t bytes;
    int64_t outstanding;
    int64_t allocs;
    int64_t frees;
    const char *cohort_key;
    const char *cohort_label;
    double cohort_bytes;
    double score;
    const char *os_build;
    const char *role;
    int64_t uptime_seconds;
    const char *finding_id;
};

#define COLUMN(field, kind) LIST_COLUMN(struct holder_item, field, kind)
static const struct list_column columns[] = {
    COLUMN(host_id, LIST_TEXT),
    COLUMN(name, LIST_TEXT),
    LIST_COLUMN_ENUM(struct holder_item, pool, api_pool_names),
    COLUMN(bytes, LIST_I64),
    COLUMN(outstanding, LIST_I64),
    COLUMN(allocs, LIST_I64),
    COLUMN(frees, LIST_I64),
    COLUMN(cohort_key, LIST_TEXT),
    COLUMN(cohort_label, LIST_TEXT),
    COLUMN(cohort_bytes, LIST_REAL),
    COLUMN(score, LIST_REAL),
    COLUMN(os_build, LIST_TEXT),
    COLUMN(role, LIST_TEXT),
    COLUMN(uptime_seconds, LIST_I64),
    COLUMN(finding_id, LIST_TEXT),
};

static const struct list_spec spec = {
    .columns = columns,
    .column_count = sizeof columns / sizeof columns[0],
    .identity = COLUMN(host_id, LIST_TEXT),
    .default_sort = "-bytes",
    .default_limit = LIST_LIMIT_DEFAULT,
    .max_limit = LIST_LIMIT_MAX,
};

/* The open finding that holds this host for this tag. */
static const char *finding_of(const struct finding_records *records, const char *host_id,
                              enum pool pool)
{
    for (size_t i = 0; i < records->count; i++) {
        const struct finding *finding = &records->items[i].finding;
        if (finding->pool != pool)
            continue;
        for (size_t j = 0; j < finding->host_count; j++)
            if (strcmp(finding->hosts[j].id, host_id) == 0)
                return finding->id;
    }
    return NULL;
}

static void item_fill(const struct fleet_view *view, size_t index, enum pool pool,
                      const struct host_row *row, const struct finding_records *records,
                      struct holder_item *item)
{
    const struct host_state *host = view->list.items[index];
    const struct view_cohort *cohort = fleet_view_cohort(view, index);
    const struct view_peer *peer = fleet_view_peer(view, index, pool, row->tag);
    bool counted =
        (row->columns & (COLUMN_ALLOCS | COLUMN_FREES)) == (COLUMN_ALLOCS | COLUMN_FREES);
    bool sized = (row->columns & COLUMN_BYTES) != 0;

    *item = (struct holder_item){
        .host_id = host->id,
        .name = host->name,
        .pool = (int)pool,
        .bytes = sized ? api_number(row->bytes) : NUMBER_ABSENT,
        .outstanding = counted ? counter_delta(row->allocs, row->frees) : NUMBER_ABSENT,
        .allocs = (row->columns & COLUMN_ALLOCS) != 0 ? row->allocs : NUMBER_ABSENT,
        .frees = (row->columns & COLUMN_FREES) != 0 ? row->frees : NUMBER_ABSENT,
        .cohort_key = cohort == NULL ? NULL : cohort->name.key,
        .cohort_label = cohort == NULL ? NULL : cohort->name.label,
        .cohort_bytes = peer == NULL ? NAN : peer->median,
        .score = sized ? view_peer_score(peer, row->bytes) : NAN,
        .os_build = host->shown[HOST_OS_BUILD],
        .role = host->shown[HOST_ROLE],
        .uptime_seconds = api_host_uptime_seconds(host),
        .finding_id = finding_of(records, host->id, pool),
    };
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

static enum pool bigger_pool(const struct fleet_view *view, uint32_t tag)
{
    size_t nonpaged = fleet_view_tag(view, POOL_NONPAGED, tag);
    size_t paged = fleet_view_tag(view, POOL_PAGED, tag);
    bool is_paged = paged != VIEW_NONE &&
                    (nonpaged == VIEW_NONE || view->tags[paged].bytes > view->tags[nonpaged].bytes);
    return is_paged ? POOL_PAGED : POOL_NONPAGED;
}

static void write_head(const struct fleet_view *view, enum pool pool, uint32_t tag,
                       struct strbuf *out)
{
    json_tag(out, "tag", tag);
    json_text(out, "pool", pool_name(pool));
    json_time(out, "as_of", view->as_of_us);
}

enum status api_tags_hosts(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {LIST_PARAMETERS, "pool", "q"};
    AUTO_LIST_QUERY struct list_query query = {0};
    AUTO_FLEET_VIEW struct fleet_view *view = NULL;
    AUTO_FINDING_RECORDS struct finding_records records = {0};
    AUTO_STRBUF struct strbuf head = STRBUF_INIT;
    enum pool pool = POOL_UNKNOWN;
    uint32_t tag = 0;
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK)
        status = api_tag_parse(rq->args[0], &tag, err);
    if (status == ST_OK)
        status = list_query_read(rq, &spec, &query, err);
    if (status == ST_OK)
        status = api_query_pool(rq, &pool, err);
    if (status == ST_OK)
        status = read_findings(rq, tag, &records, err);
    if (status == ST_OK)
        status = api_view(rq, &view, err);
    if (status != ST_OK)
        return status;
    pool = pool == POOL_UNKNOWN ? bigger_pool(view, tag) : pool;
    if (fleet_view_tag(view, POOL_NONPAGED, tag) == VIEW_NONE &&
        fleet_view_tag(view, POOL_PAGED, tag) == VIEW_NONE)
        return err_set(err, ST_NOT_FOUND, "no host has this tag");

    AUTO_FREE struct holder_item *items = calloc(view->list.count + 1, sizeof *items);
    size_t count = 0;
    const char *q = req_query(rq, "q");
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not list hosts: out of memory");
    for (size_t i = 0; i < view->list.count; i++) {
        struct host_row row;
        if (!host_state_find(view->list.items[i], pool, tag, &row))
            continue;
        item_fill(view, i, pool, &row, &records, &items[count]);
        count += q == NULL || api_text_has(items[count].name, q) ||
                 api_text_has(items[count].host_id, q);
    }
    write_head(view, pool, tag, &head);
    if (strbuf_failed(&head))
        return err_set(err, ST_NOMEM, "could not list hosts: out of memory");
    return list_reply(rq, rs, &spec, &query, head.data, items, sizeof *items, count, err);
}
