/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The poolmon table of one host at any moment. The newest one is read from memory and compared
 * with the host's cohort as it is now; older ones come from the store and stand alone, since
 * today's peers say nothing about then. As a list with pages, orders and search, or whole as
 * columns, a sixth of the size.
 */
#include "server/api/api_common.h"
#include "server/api/api_hosts.h"
#include "server/api/host_moment.h"
#include "server/api/json_out.h"
#include "server/api/list.h"
#include "server/api/text_dict.h"
#include "server/store/store_snapshots.h"

#include <math.h>

struct row_item {
    int64_t id;
    uint32_t tag;
    int pool;
    int64_t allocs;
    int64_t frees;
    int64_t outstanding;
    int64_t bytes;
    double bytes_per_alloc;
    int64_t delta_allocs;
    int64_t delta_frees;
    int64_t delta_bytes;
    double cohort_bytes;
    int64_t cohort_hosts;
    double score;
    const char *driver;
    const char *description;
};

#define COLUMN(field, kind) LIST_COLUMN(struct row_item, field, kind)
static const struct list_column columns[] = {
    COLUMN(tag, LIST_TAG),
    LIST_COLUMN_ENUM(struct row_item, pool, api_pool_names),
    COLUMN(allocs, LIST_I64),
    COLUMN(frees, LIST_I64),
    COLUMN(outstanding, LIST_I64),
    COLUMN(bytes, LIST_I64),
    COLUMN(bytes_per_alloc, LIST_REAL),
    COLUMN(delta_allocs, LIST_I64),
    COLUMN(delta_frees, LIST_I64),
    COLUMN(delta_bytes, LIST_I64),
    COLUMN(cohort_bytes, LIST_REAL),
    COLUMN(cohort_hosts, LIST_I64),
    COLUMN(score, LIST_REAL),
    COLUMN(driver, LIST_TEXT),
    COLUMN(description, LIST_TEXT),
};

static const struct list_spec spec = {
    .columns = columns,
    .column_count = sizeof columns / sizeof columns[0],
    .identity = COLUMN(id, LIST_I64),
    .default_sort = "-bytes",
    .default_limit = LIMIT_TABLE_ROWS,
    .max_limit = LIMIT_TABLE_ROWS,
};

/* What the rows are made of. */
struct table_request {
    const struct host_state *host;
    const struct fleet_view *view; /* NULL: an older moment */
    const struct tagdict *dict;
    size_t view_host;
    int64_t at_us;
    int64_t since_us;
    enum pool pool;
    const char *q;
    bool has_since;
    bool rebooted;
    bool boots_known;
    struct host_moment now;
    struct host_moment before;
};

static void request_done(struct table_request *request)
{
    host_moment_done(&request->now);
    host_moment_done(&request->before);
}

/* ---- rows ------------------------------------------------------------------- */

/* Complete tables: a tag that was not there had no allocations yet. */
static void row_deltas(const struct table_request *request, const struct snapshot_table *now,
                       size_t row, struct row_item *item)
{
    const struct snapshot_table *before = &request->before.table[item->pool];

    if (!request->has_since || request->rebooted || !before->present)
        return;
    size_t at = snapshot_table_find(before, item->tag);
    bool absent = at == SIZE_MAX;
    if (now->bytes != NULL && before->bytes != NULL)
        item->delta_bytes =
            api_number(now->bytes[row]) - (absent ? 0 : api_number(before->bytes[at]));
    if (!request->boots_known)
        return;
    if (now->allocs != NULL && before->allocs != NULL)
        item->delta_allocs = counter_delta(now->allocs[row], absent ? 0 : before->allocs[at]);
    if (now->frees != NULL && before->frees != NULL)
        item->delta_frees = counter_delta(now->frees[row], absent ? 0 : before->frees[at]);
}

static void row_cohort(const struct table_request *request, struct row_item *item)
{
    if (request->view == NULL || item->bytes == NUMBER_ABSENT)
        return;
    const struct view_peer *peer =
        fleet_view_peer(request->view, request->view_host, (enum pool)item->pool, item->tag);
    if (peer == NULL)
        return;
    item->cohort_bytes = peer->median;
    item->cohort_hosts = (int64_t)peer->hosts;
    item->score = view_peer_score(peer, (uint64_t)item->bytes);
}

static void row_fill(const struct table_request *request, enum pool pool,
                     const struct snapshot_table *table, size_t row, struct row_item *item)
{
    const struct tagdict_entry *entry = tagdict_find(request->dict, table->tag[row]);

    *item = (struct row_item){
        .id = (int64_t)((uint64_t)table->tag[row] << 1 | pool),
        .tag = table->tag[row],
        .pool = (int)pool,
        .allocs = table->allocs == NULL ? NUMBER_ABSENT : table->allocs[row],
        .frees = table->frees == NULL ? NUMBER_ABSENT : table->frees[row],
        .outstanding = NUMBER_ABSENT,
        .bytes = table->bytes == NULL ? NUMBER_ABSENT : api_number(table->bytes[row]),
        .bytes_per_alloc = NAN,
        .delta_allocs = NUMBER_ABSENT,
        .delta_frees = NUMBER_ABSENT,
        .delta_bytes = NUMBER_ABSENT,
        .cohort_bytes = NAN,
        .score = NAN,
        .driver = entry == NULL ? NULL : entry->driver,
        .description = entry == NULL ? NULL : entry->description,
    };
    if (table->allocs != NULL && table->frees != NULL)
        item->outstanding = counter_delta(table->allocs[row], table->frees[row]);
    if (item->outstanding > 0 && item->bytes != NUMBER_ABSENT)
        item->bytes_per_alloc = (double)item->bytes / (double)item->outstanding;
    row_deltas(request, table, row, item);
    row_cohort(request, item);
}

static bool row_matches(const struct row_item *item, const char *q)
{
    char text[TAG_TEXT_MAX];

    if (q == NULL)
        return true;
    tag_format(item->tag, text);
    return api_text_has(text, q) || api_text_has(item->driver, q) ||
           api_text_has(item->description, q);
}

static size_t rows_total(const struct table_request *request)
{
    size_t total = 0;

    for (unsigned p = 0; p < POOL_COUNT; p++)
        total += request->now.table[p].present ? request->now.table[p].count : 0;
    return total;
}

static size_t rows_fill(const struct table_request *request, struct row_item *items)
{
    size_t count = 0;

    for (unsigned p = 0; p < POOL_COUNT; p++) {
        const struct snapshot_table *table = &request->now.table[p];
        if (!table->present || (request->pool != POOL_UNKNOWN && request->pool != (enum pool)p))
            continue;
        for (size_t row = 0; row < table->count; row++) {
            row_fill(request, (enum pool)p, table, row, &items[count]);
            count += row_matches(&items[count], request->q);
        }
    }
    return count;
}

/* ---- the reply -------------------------------------------------------------- */

static void write_head(const struct table_request *request, struct strbuf *out)
{
    const struct view_cohort *cohort =
        request->view == NULL ? NULL : fleet_view_cohort(request->view, request->view_host);

    json_text(out, "host_id", request->host->id);
    json_time(out, "at", request->now.taken_at_us);
    json_time(out, "since", request->has_since ? request->before.taken_at_us : TIME_UNKNOWN);
    json_bool(out, "rebooted", request->rebooted);
    json_time(out, "boot_at", request->now.boot_at_us);
    json_i64(out, "rows_total", (int64_t)rows_total(request));
    host_moment_write_totals(request->now.totals, out);
    json_key(out, "cohort");
    if (cohort == NULL) {
        json_value_text(out, NULL);
        return;
    }
    json_open(out, '{');
    json_text(out, "key", cohort->name.key);
    json_text(out, "label", cohort->name.label);
    json_i64(out, "hosts", (int64_t)cohort->hosts);
    json_close(out, '}');
}

static enum status read_times(const struct req *rq, struct table_request *request, struct err *err)
{
    enum status status = req_query_time(rq, "at", TIME_UNKNOWN, &request->at_us, err);

    if (status == ST_OK)
        status = req_query_time(rq, "since", TIME_UNKNOWN, &request->since_us, err);
    return status;
}

static enum status read_params(const struct req *rq, struct table_request *request, struct err *err)
{
    static const char *const names[] = {LIST_PARAMETERS, "at", "since", "pool", "q"};
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    request->q = req_query(rq, "q");
    if (status == ST_OK)
        status = api_query_pool(rq, &request->pool, err);
    return status == ST_OK ? read_times(rq, request, err) : status;
}

static enum status read_moments(const struct req *rq, struct table_request *request,
                                struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    enum status status = ST_OK;

    request->has_since = request->since_us != TIME_UNKNOWN;
    if (!host_moment_is_newest(request->host, request->at_us) || request->has_since)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = host_moment_read(db, request->host, request->at_us, "at", &request->now, err);
    if (status != ST_OK || !request->has_since)
        return status;
    if (request->since_us > request->now.taken_at_us)
        return err_field(err, ST_INVALID, "since", "since must not be after the snapshot shown");
    status =
        host_moment_stored(db, request->host, request->since_us, "since", &request->before, err);
    if (status != ST_OK)
        return status;
    request->boots_known =
        request->now.boot_at_us != TIME_UNKNOWN && request->before.boot_at_us != TIME_UNKNOWN;
    request->rebooted = request->boots_known &&
                        !host_same_boot(request->now.boot_at_us, request->before.boot_at_us);
    return ST_OK;
}

static enum status reply_table(const struct req *rq, struct resp *rs,
                               const struct table_request *request, struct err *err)
{
    AUTO_LIST_QUERY struct list_query query = {0};
    AUTO_STRBUF struct strbuf head = STRBUF_INIT;
    AUTO_FREE struct row_item *items = calloc(rows_total(request) + 1, sizeof *items);
    enum status status = list_query_read(rq, &spec, &query, err);

    if (status != ST_OK)
        return status;
    write_head(request, &head);
    if (items == NULL || strbuf_failed(&head))
        return err_set(err, ST_NOMEM, "could not list tags: out of memory");
    size_t count = rows_fill(request, items);
    return list_reply(rq, rs, &spec, &query, head.data, items, sizeof *items, count, err);
}

/* ---- as columns ------------------------------------------------------------- */

/* What follows from other columns (outstanding, bytes of one allocation) is left to the reader. */
struct table_column {
    const char *name;
    enum { TABLE_TAG, TABLE_NUMBER, TABLE_COUNT, TABLE_REAL, TABLE_SCORE, TABLE_DICTIONARY } kind;
    size_t offset; /* in row_item */
};

#define TABLE(field, kind)                                                                         \
    {                                                                                              \
#field, kind, offsetof(struct row_item, field)                                             \
    }
static const struct table_column table_columns[] = {
    TABLE(tag, TABLE_TAG),
    TABLE(allocs, TABLE_NUMBER),
    TABLE(frees, TABLE_NUMBER),
    TABLE(bytes, TABLE_NUMBER),
    TABLE(delta_allocs, TABLE_NUMBER),
    TABLE(delta_frees, TABLE_NUMBER),
    TABLE(delta_bytes, TABLE_NUMBER),
    TABLE(cohort_bytes, TABLE_REAL),
    TABLE(cohort_hosts, TABLE_COUNT),
    TABLE(score, TABLE_SCORE),
    TABLE(driver, TABLE_DICTIONARY),
    TABLE(description, TABLE_DICTIONARY),
};

static const void *column_cell(const struct table_column *column, const struct row_item *item)
{
    return (const char *)item + column->offset;
}

static bool cell_known(const struct table_column *column, const struct row_item *item)
{
    const void *cell = column_cell(column, item);

    switch (column->kind) {
    case TABLE_NUMBER:
        return *(const int64_t *)cell != NUMBER_ABSENT;
    case TABLE_COUNT:
        return *(const int64_t *)cell != 0;
    case TABLE_REAL:
    case TABLE_SCORE:
        return !isnan(*(const double *)cell);
    case TABLE_DICTIONARY:
        return *(const char *const *)cell != NULL;
    case TABLE_TAG:
        break;
    }
    return true;
}

static enum status write_cell(const struct table_column *column, const struct row_item *item,
                              struct text_dict *dict, struct strbuf *out)
{
    const void *cell = column_cell(column, item);
    int64_t index = NUMBER_ABSENT;

    switch (column->kind) {
    case TABLE_TAG:
        json_value_tag(out, *(const uint32_t *)cell);
        break;
    case TABLE_NUMBER:
    case TABLE_COUNT:
        json_value_i64(out, *(const int64_t *)cell);
        break;
    case TABLE_REAL:
        json_value_real(out, *(const double *)cell);
        break;
    case TABLE_SCORE:
        json_value_tenths(out, *(const double *)cell);
        break;
    case TABLE_DICTIONARY:
        if (*(const char *const *)cell != NULL &&
            (index = text_dict_add(dict, *(const char *const *)cell)) < 0)
            return ST_NOMEM;
        json_value_i64(out, index);
        break;
    }
    return ST_OK;
}

/* Null instead of a column of which no cell is known. */
static enum status write_column(const struct table_column *column, const struct row_item *items,
                                size_t count, struct text_dict *dict, struct strbuf *out)
{
    enum status status = ST_OK;
    size_t known = 0;

    json_key(out, column->name);
    while (known < count && !cell_known(column, &items[known]))
        known++;
    if (known == count && column->kind != TABLE_TAG) {
        json_value_text(out, NULL);
        return ST_OK;
    }
    strbuf_putc(out, '[');
    for (size_t i = 0; i < count && status == ST_OK; i++) {
        if (i > 0)
            strbuf_putc(out, ',');
        status = write_cell(column, &items[i], dict, out);
    }
    strbuf_putc(out, ']');
    return status;
}

static void write_dictionary(const char *name, const struct text_dict *dict, struct strbuf *out)
{
    json_key_open(out, name, '[');
    for (size_t i = 0; i < dict->count; i++) {
        json_comma(out);
        json_value_text(out, dict->texts[i]);
    }
    json_close(out, ']');
}

static enum status write_columns(const struct table_request *request, const struct row_item *items,
                                 size_t count, struct strbuf *out)
{
    AUTO_STRBUF struct strbuf dictionaries = STRBUF_INIT;
    enum status status = ST_OK;
    size_t nonpaged = 0;

    json_open(out, '{');
    write_head(request, out);
    while (nonpaged < count && items[nonpaged].pool == POOL_NONPAGED)
        nonpaged++;
    json_i64(out, "nonpaged_rows", (int64_t)nonpaged);
    json_open(&dictionaries, '{');
    json_key_open(out, "columns", '{');
    for (size_t i = 0; i < sizeof table_columns / sizeof *table_columns && status == ST_OK; i++) {
        AUTO_TEXT_DICT struct text_dict dict = {0};
        status = write_column(&table_columns[i], items, count, &dict, out);
        if (table_columns[i].kind == TABLE_DICTIONARY)
            write_dictionary(table_columns[i].name, &dict, &dictionaries);
    }
    json_close(out, '}');
    json_close(&dictionaries, '}');
    json_raw(out, "dictionaries", strbuf_failed(&dictionaries) ? NULL : dictionaries.data);
    json_close(out, '}');
    return strbuf_failed(&dictionaries) ? ST_NOMEM : status;
}

static enum status reply_columns(const struct req *rq, struct resp *rs,
                                 const struct table_request *request, struct err *err)
{
    AUTO_FREE struct row_item *items = calloc(rows_total(request) + 1, sizeof *items);

    (void)rq;
    if (items == NULL ||
        write_columns(request, items, rows_fill(request, items), &rs->body) != ST_OK)
        return err_set(err, ST_NOMEM, "could not write a table of tags: out of memory");
    return api_reply_json(rs, err);
}

/* ---- the calls -------------------------------------------------------------- */

typedef enum status (*reply_fn)(const struct req *rq, struct resp *rs,
                                const struct table_request *request, struct err *err);

static enum status answer(struct req *rq, struct resp *rs, struct table_request *request,
                          reply_fn reply, struct err *err)
{
    AUTO_HOST_STATE const struct host_state *host = NULL;
    AUTO_FLEET_VIEW struct fleet_view *view = NULL;
    enum status status = api_host_arg(rq, &host, err);

    request->host = host;
    request->dict = rq->app->tagdict;
    if (status == ST_OK)
        status = read_moments(rq, request, err);
    if (status == ST_OK && !request->now.stored)
        status = api_view(rq, &view, err);
    if (view != NULL) {
        request->view = view;
        request->view_host = fleet_view_host(view, host->id);
    }
    if (status == ST_OK)
        status = reply(rq, rs, request, err);
    request_done(request);
    return status;
}

enum status api_hosts_tags(struct req *rq, struct resp *rs, struct err *err)
{
    struct table_request request = {0};
    enum status status = read_params(rq, &request, err);

    return status == ST_OK ? answer(rq, rs, &request, reply_table, err) : status;
}

enum status api_hosts_tag_table(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {"at", "since"};
    struct table_request request = {.pool = POOL_UNKNOWN};
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK)
        status = read_times(rq, &request, err);
    return status == ST_OK ? answer(rq, rs, &request, reply_columns, err) : status;
}
