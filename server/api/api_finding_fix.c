/* SPDX-License-Identifier: Apache-2.0 */
/* GET /findings/{id}/fix: a list of hosts with the verdict before it, so that CSV comes for free.
 */
#include "server/api/api_common.h"
#include "server/api/api_findings.h"
#include "server/api/finding_fix.h"
#include "server/api/json_out.h"
#include "server/api/list.h"

#include <math.h>
#include <string.h>

struct item {
    const char *id;
    const char *name;
    bool moved;
    const char *from;
    const char *to;
    int64_t changed_at;
    double before_bytes_per_hour;
    double before_low;
    double before_high;
    double after_bytes_per_hour;
    double after_low;
    double after_high;
    double after_hours;
    int growth;
    bool simulated;
};

#define COLUMN(field, kind) LIST_COLUMN(struct item, field, kind)
static const struct list_column columns[] = {
    COLUMN(id, LIST_TEXT),
    COLUMN(name, LIST_TEXT),
    COLUMN(moved, LIST_BOOL),
    COLUMN(from, LIST_TEXT),
    COLUMN(to, LIST_TEXT),
    COLUMN(changed_at, LIST_TIME),
    COLUMN(before_bytes_per_hour, LIST_REAL),
    COLUMN(before_low, LIST_REAL),
    COLUMN(before_high, LIST_REAL),
    COLUMN(after_bytes_per_hour, LIST_REAL),
    COLUMN(after_low, LIST_REAL),
    COLUMN(after_high, LIST_REAL),
    COLUMN(after_hours, LIST_REAL),
    LIST_COLUMN_ENUM(struct item, growth, fix_growth_names),
    COLUMN(simulated, LIST_BOOL),
};

static const struct list_spec spec = {
    .columns = columns,
    .column_count = sizeof columns / sizeof columns[0],
    .identity = COLUMN(id, LIST_TEXT),
    .default_sort = "-changed_at",
    .default_limit = FIX_MOVED_MAX + FIX_STAYS_MAX,
    .max_limit = LIST_LIMIT_MAX,
};

static void write_group(struct strbuf *out, const char *name, const struct fix_group *group,
                        size_t total)
{
    json_key(out, name);
    json_open(out, '{');
    json_i64(out, "hosts", (int64_t)total);
    json_i64(out, "read", (int64_t)group->hosts);
    json_i64(out, "measured", (int64_t)group->measured);
    json_i64(out, "growing", (int64_t)group->growing);
    json_number(out, "low", group->low);
    json_number(out, "high", group->high);
    json_i64(out, "too_early", (int64_t)group->early);
    json_i64(out, "unmeasured", (int64_t)group->unmeasured);
    json_number(out, "median_before", group->median_before);
    json_number(out, "median_after", group->median_after);
    json_close(out, '}');
}

/* To which versions hosts went, and how those fare. */
static void write_versions(const struct fix_check *check, struct strbuf *out)
{
    json_key_open(out, "versions", '[');
    for (size_t i = 0; i < check->count; i++) {
        const struct fix_host *host = &check->hosts[i];
        struct fix_group group = {0};
        bool seen = !host->moved;
        for (size_t j = 0; j < check->count; j++) {
            const struct fix_host *other = &check->hosts[j];
            bool same = other->moved && (other->to == NULL) == (host->to == NULL) &&
                        (host->to == NULL || strcmp(other->to, host->to) == 0);
            seen = seen || (same && j < i);
            group.hosts += same;
            group.growing += same && other->growth == FIX_GROWING;
            group.measured +=
                same && (other->growth == FIX_GROWING || other->growth == FIX_STOPPED);
        }
        if (seen)
            continue;
        fix_interval(group.growing, group.measured, &group.low, &group.high);
        json_open(out, '{');
        json_text(out, "version", host->to);
        json_i64(out, "hosts", (int64_t)group.hosts);
        json_i64(out, "measured", (int64_t)group.measured);
        json_i64(out, "growing", (int64_t)group.growing);
        json_number(out, "low", group.low);
        json_number(out, "high", group.high);
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void write_head(const struct finding *finding, const struct fix_check *check,
                       struct strbuf *out)
{
    AUTO_STRBUF struct strbuf sentence = STRBUF_INIT;
    bool some = check->cause != NULL;

    if (some)
        fix_sentence(&check->result, check->what, check->cause->value, &sentence);
    else
        strbuf_puts(&sentence, "No version explains this finding, so there is no fix to check.");
    json_text(out, "finding", finding->id);
    json_text(out, "attribute", some ? check->cause->attribute : NULL);
    json_text(out, "value", some ? check->cause->value : NULL);
    json_text(out, "pool", pool_name(finding->pool));
    json_tag(out, "tag", finding->tag);
    json_text(out, "verdict", some ? fix_verdict_names[check->result.verdict] : "no_version");
    json_text(out, "sentence", sentence.data);
    write_group(out, "moved", &check->result.moved, check->moved_total);
    write_group(out, "stays", &check->result.stays, check->stays_total);
    json_i64(out, "other_hosts", (int64_t)check->other_total);
    json_number(out, "p_value", some ? check->result.p_value : NAN);
    write_versions(check, out);
}

static void item_fill(const struct fix_check *check, size_t index, struct item *item)
{
    const struct fix_host *host = &check->hosts[index];

    *item = (struct item){.id = host->id,
                          .name = host->name,
                          .moved = host->moved,
                          .from = host->from,
                          .to = host->to,
                          .changed_at = host->changed_us,
                          .before_bytes_per_hour = host->before.rate,
                          .before_low = host->before.low,
                          .before_high = host->before.high,
                          .after_bytes_per_hour = host->after.rate,
                          .after_low = host->after.low,
                          .after_high = host->after.high,
                          .after_hours = host->moved ? host->after.hours : NAN,
                          .growth = (int)host->growth,
                          .simulated = check->simulated[index]};
}

static enum status read_check(const struct req *rq, struct finding_records *records,
                              struct fix_check *check, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    const char *attribute = req_query(rq, "attribute");
    enum status status = api_lease(rq, &db, err);

    if (status == ST_OK)
        status = store_findings_get(db, rq->args[0], records, err);
    if (status != ST_OK)
        return status;
    const struct finding *finding = &records->items[0].finding;
    const struct finding_cause *cause = fix_cause_of(finding, attribute);
    if (attribute != NULL && cause == NULL)
        return err_field(err, ST_INVALID, "attribute", "\"%.80s\" does not explain this finding",
                         attribute);
    return fix_check_read(db, finding, cause, check, err);
}

enum status api_findings_fix(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {LIST_PARAMETERS, "attribute"};
    AUTO_LIST_QUERY struct list_query query = {0};
    AUTO_FINDING_RECORDS struct finding_records records = {0};
    AUTO_FIX_CHECK struct fix_check check = {0};
    AUTO_STRBUF struct strbuf head = STRBUF_INIT;
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK)
        status = list_query_read(rq, &spec, &query, err);
    if (status == ST_OK)
        status = read_check(rq, &records, &check, err);
    if (status != ST_OK)
        return status;
    AUTO_FREE struct item *items = calloc(check.count + 1, sizeof *items);
    write_head(&records.items[0].finding, &check, &head);
    if (items == NULL || strbuf_failed(&head))
        return err_set(err, ST_NOMEM, "could not check a fix: out of memory");
    for (size_t i = 0; i < check.count; i++)
        item_fill(&check, i, &items[i]);
    return list_reply(rq, rs, &spec, &query, head.data, items, sizeof *items, check.count, err);
}
