/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two tables side by side: the host at a moment against another moment, another boot, or another
 * host. Rows are the tags of either; a tag that one complete table lacks counts as 0 there.
 *
 * Another boot is taken at the same uptime as far as it lived that long. With scale=uptime the
 * other side is multiplied by the ratio of both uptimes: what it would hold had it grown at its
 * own mean rate for as long as this side.
 */
#include "server/api/api_hosts.h"
#include "server/api/host_moment.h"
#include "server/api/json_out.h"
#include "server/api/list.h"

#include <math.h>
#include <string.h>

#define BACK_DEFAULT_US US_PER_DAY

struct pair_item {
    int64_t id;
    uint32_t tag;
    int pool;
    int64_t bytes;
    int64_t against_bytes;
    int64_t difference_bytes;
    int64_t outstanding;
    int64_t against_outstanding;
    int64_t difference_outstanding;
    int64_t allocs;
    int64_t against_allocs;
    int64_t frees;
    int64_t against_frees;
    const char *driver;
    const char *description;
};
#define COLUMN(field, kind) LIST_COLUMN(struct pair_item, field, kind)
static const struct list_column columns[] = {
    COLUMN(tag, LIST_TAG),
    LIST_COLUMN_ENUM(struct pair_item, pool, api_pool_names),
    COLUMN(bytes, LIST_I64),
    COLUMN(against_bytes, LIST_I64),
    COLUMN(difference_bytes, LIST_I64),
    COLUMN(outstanding, LIST_I64),
    COLUMN(against_outstanding, LIST_I64),
    COLUMN(difference_outstanding, LIST_I64),
    COLUMN(allocs, LIST_I64),
    COLUMN(against_allocs, LIST_I64),
    COLUMN(frees, LIST_I64),
    COLUMN(against_frees, LIST_I64),
    COLUMN(driver, LIST_TEXT),
    COLUMN(description, LIST_TEXT),
};
static const struct list_spec spec = {
    .columns = columns,
    .column_count = sizeof columns / sizeof *columns,
    .identity = COLUMN(id, LIST_I64),
    .default_sort = "-difference_bytes",
    .default_limit = 2 * LIMIT_TABLE_ROWS,
    .max_limit = 2 * LIMIT_TABLE_ROWS,
};

struct comparison {
    const struct host_state *host;
    const struct host_state *other;
    const struct tagdict *dict;
    int64_t at_us;
    int64_t against_at_us;
    int64_t against_boot_us;
    enum pool pool;
    bool scaled;
    double factor; /* of the other side */
    struct host_moment now;
    struct host_moment then;
};

static void comparison_done(struct comparison *comparison)
{
    host_moment_done(&comparison->now);
    host_moment_done(&comparison->then);
    if (comparison->other != comparison->host)
        host_state_release(comparison->other);
}

/* ---- rows ------------------------------------------------------------------ */

struct side {
    int64_t bytes, outstanding, allocs, frees;
};

static struct side side_of(const struct snapshot_table *table, size_t row, double factor)
{
    struct side side = {NUMBER_ABSENT, NUMBER_ABSENT, NUMBER_ABSENT, NUMBER_ABSENT};
    bool absent = row == SIZE_MAX;

    if (!table->present)
        return side;
    if (table->bytes != NULL)
        side.bytes = absent ? 0 : api_number(table->bytes[row]);
    if (table->allocs != NULL)
        side.allocs = absent ? 0 : table->allocs[row];
    if (table->frees != NULL)
        side.frees = absent ? 0 : table->frees[row];
    if (table->allocs != NULL && table->frees != NULL)
        side.outstanding = absent ? 0 : counter_delta(table->allocs[row], table->frees[row]);
    int64_t *const all[] = {&side.bytes, &side.outstanding, &side.allocs, &side.frees};
    for (size_t i = 0; factor != 1 && i < sizeof all / sizeof *all; i++) {
        double scaled = *all[i] == NUMBER_ABSENT ? NAN : round((double)*all[i] * factor);
        if (!isnan(scaled))
            *all[i] = scaled >= 0x1p63 ? INT64_MAX : (int64_t)scaled;
    }
    return side;
}

static int64_t difference(int64_t a, int64_t b)
{
    return a == NUMBER_ABSENT || b == NUMBER_ABSENT ? NUMBER_ABSENT : a - b;
}

static struct pair_item pair(const struct comparison *comparison, enum pool pool, uint32_t tag,
                             size_t row, size_t other_row)
{
    const struct tagdict_entry *entry = tagdict_find(comparison->dict, tag);
    struct side a = side_of(&comparison->now.table[pool], row, 1);
    struct side b = side_of(&comparison->then.table[pool], other_row, comparison->factor);

    return (struct pair_item){
        .id = (int64_t)((uint64_t)tag << 1 | pool),
        .tag = tag,
        .pool = (int)pool,
        .bytes = a.bytes,
        .against_bytes = b.bytes,
        .difference_bytes = difference(a.bytes, b.bytes),
        .outstanding = a.outstanding,
        .against_outstanding = b.outstanding,
        .difference_outstanding = difference(a.outstanding, b.outstanding),
        .allocs = a.allocs,
        .against_allocs = b.allocs,
        .frees = a.frees,
        .against_frees = b.frees,
        .driver = entry == NULL ? NULL : entry->driver,
        .description = entry == NULL ? NULL : entry->description,
    };
}

static size_t rows_fill(const struct comparison *comparison, struct pair_item *items)
{
    size_t count = 0;

    for (unsigned p = 0; p < POOL_COUNT; p++) {
        const struct snapshot_table *now = &comparison->now.table[p];
        const struct snapshot_table *then = &comparison->then.table[p];
        if (comparison->pool != POOL_UNKNOWN && comparison->pool != (enum pool)p)
            continue;
        for (size_t i = 0; now->present && i < now->count; i++)
            items[count++] =
                pair(comparison, (enum pool)p, now->tag[i], i,
                     then->present ? snapshot_table_find(then, now->tag[i]) : SIZE_MAX);
        for (size_t i = 0; then->present && i < then->count; i++)
            if (!now->present || snapshot_table_find(now, then->tag[i]) == SIZE_MAX)
                items[count++] = pair(comparison, (enum pool)p, then->tag[i], SIZE_MAX, i);
    }
    return count;
}

/* ---- the two moments ------------------------------------------------------- */

static enum status read_params(const struct req *rq, struct comparison *comparison, struct err *err)
{
    static const char *const names[] = {LIST_PARAMETERS, "at",           "pool", "against",
                                        "against_at",    "against_boot", "scale"};
    const char *scale = req_query(rq, "scale");
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK)
        status = api_query_pool(rq, &comparison->pool, err);
    if (status == ST_OK)
        status = req_query_time(rq, "at", TIME_UNKNOWN, &comparison->at_us, err);
    if (status == ST_OK)
        status = req_query_time(rq, "against_at", TIME_UNKNOWN, &comparison->against_at_us, err);
    if (status == ST_OK)
        status =
            req_query_time(rq, "against_boot", TIME_UNKNOWN, &comparison->against_boot_us, err);
    if (status != ST_OK)
        return status;
    if (comparison->against_at_us != TIME_UNKNOWN && comparison->against_boot_us != TIME_UNKNOWN)
        return err_field(err, ST_INVALID, "against_boot",
                         "against_at and against_boot exclude each other");
    if (scale != NULL && strcmp(scale, "none") != 0 && strcmp(scale, "uptime") != 0)
        return err_field(err, ST_INVALID, "scale", "scale must be none or uptime");
    comparison->scaled = scale != NULL && scale[0] == 'u';
    return ST_OK;
}

/* The snapshot of that boot nearest below this side's uptime. */
static enum status boot_moment(struct db *db, const struct comparison *comparison, int64_t *ret_us,
                               struct err *err)
{
    AUTO_STORE_BOOTS struct store_boots boots = {0};
    enum status status = host_boots(db, comparison->other, &boots, err);
    int64_t uptime = host_moment_uptime(&comparison->now);

    if (status != ST_OK)
        return status;
    for (size_t i = 0; i < boots.count; i++) {
        const struct store_boot *boot = &boots.items[i];
        if (boot->boot_at_us == TIME_UNKNOWN ||
            !host_same_boot(boot->boot_at_us, comparison->against_boot_us))
            continue;
        int64_t at = uptime == NUMBER_ABSENT ? boot->last_seen_us
                                             : boot->boot_at_us + uptime * US_PER_SECOND;
        at = at < boot->first_seen_us ? boot->first_seen_us : at;
        *ret_us = at > boot->last_seen_us ? boot->last_seen_us : at;
        return ST_OK;
    }
    return err_field(err, ST_NOT_FOUND, "against_boot", "host \"%s\" has no such boot",
                     comparison->other->id);
}

/* A day before, or the first snapshot of a host that is younger. */
static enum status day_before(struct db *db, const struct comparison *comparison, int64_t *ret_us,
                              struct err *err)
{
    AUTO_STORE_BOOTS struct store_boots boots = {0};
    enum status status = host_boots(db, comparison->other, &boots, err);
    int64_t at = comparison->now.taken_at_us - BACK_DEFAULT_US;
    int64_t first = comparison->now.taken_at_us;

    for (size_t i = 0; status == ST_OK && i < boots.count; i++)
        first = boots.items[i].first_seen_us < first ? boots.items[i].first_seen_us : first;
    *ret_us = at < first ? first : at;
    return status;
}

static enum status against_moment(struct db *db, const struct comparison *comparison,
                                  int64_t *ret_us, struct err *err)
{
    if (comparison->against_boot_us != TIME_UNKNOWN)
        return boot_moment(db, comparison, ret_us, err);
    *ret_us = comparison->against_at_us;
    if (*ret_us != TIME_UNKNOWN)
        return ST_OK;
    if (comparison->other == comparison->host)
        return day_before(db, comparison, ret_us, err);
    *ret_us = comparison->at_us; /* the other host at the same time */
    return ST_OK;
}

static enum status read_moments(const struct req *rq, struct comparison *comparison,
                                struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    const char *against = req_query(rq, "against");
    int64_t against_us = TIME_UNKNOWN;
    enum status status = ST_OK;

    comparison->other = comparison->host;
    if (against != NULL && strcmp(against, comparison->host->id) != 0) {
        comparison->other = fleet_get(rq->app->fleet, against);
        if (comparison->other == NULL) {
            comparison->other = comparison->host;
            return err_field(err, ST_NOT_FOUND, "against", "host \"%s\" is not known", against);
        }
    }
    status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status =
            host_moment_read(db, comparison->host, comparison->at_us, "at", &comparison->now, err);
    if (status == ST_OK)
        status = against_moment(db, comparison, &against_us, err);
    if (status == ST_OK)
        status = host_moment_read(db, comparison->other, against_us,
                                  comparison->against_boot_us != TIME_UNKNOWN ? "against_boot"
                                                                              : "against_at",
                                  &comparison->then, err);
    if (status != ST_OK)
        return status;
    int64_t a = host_moment_uptime(&comparison->now), b = host_moment_uptime(&comparison->then);
    comparison->factor = 1;
    if (!comparison->scaled)
        return ST_OK;
    if (a == NUMBER_ABSENT || b == NUMBER_ABSENT || b == 0)
        return err_field(err, ST_INVALID, "scale",
                         "could not scale by uptime: the uptime of one side is not known");
    comparison->factor = (double)a / (double)b;
    return ST_OK;
}

/* ---- the reply ------------------------------------------------------------- */

static void write_side(const struct host_state *host, const struct host_moment *moment,
                       struct strbuf *out)
{
    json_text(out, "host_id", host->id);
    json_text(out, "name", host->name);
    json_time(out, "at", moment->taken_at_us);
    json_time(out, "boot_at", moment->boot_at_us);
    json_i64(out, "uptime_seconds", host_moment_uptime(moment));
    host_moment_write_totals(moment->totals, out);
}

static enum status reply(const struct req *rq, struct resp *rs, const struct comparison *comparison,
                         const struct list_query *query, struct err *err)
{
    AUTO_STRBUF struct strbuf head = STRBUF_INIT;
    size_t room = 1;

    for (unsigned p = 0; p < POOL_COUNT; p++)
        room += comparison->now.table[p].count + comparison->then.table[p].count;
    AUTO_FREE struct pair_item *items = calloc(room, sizeof *items);
    write_side(comparison->host, &comparison->now, &head);
    json_number(&head, "factor", comparison->factor);
    json_key_open(&head, "against", '{');
    write_side(comparison->other, &comparison->then, &head);
    json_close(&head, '}');
    if (items == NULL || strbuf_failed(&head))
        return err_set(err, ST_NOMEM, "could not compare hosts: out of memory");
    size_t count = rows_fill(comparison, items);
    return list_reply(rq, rs, &spec, query, head.data, items, sizeof *items, count, err);
}

enum status api_hosts_compare(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_HOST_STATE const struct host_state *host = NULL;
    AUTO_LIST_QUERY struct list_query query = {0};
    CLEANUP(comparison_done) struct comparison comparison = {.dict = rq->app->tagdict};
    enum status status = read_params(rq, &comparison, err);

    if (status == ST_OK)
        status = list_query_read(rq, &spec, &query, err);
    if (status == ST_OK)
        status = api_host_arg(rq, &host, err);
    comparison.host = comparison.other = host;
    if (status == ST_OK)
        status = read_moments(rq, &comparison, err);
    return status == ST_OK ? reply(rq, rs, &comparison, &query, err) : status;
}
