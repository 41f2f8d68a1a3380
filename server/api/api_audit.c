/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_audit.h"

#include "server/api/api_common.h"
#include "server/api/list.h"
#include "server/store/store_audit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct audit_item {
    int64_t id;
    int64_t at;
    const char *actor;
    const char *actor_kind;
    const char *address;
    const char *action;
    const char *object;
    const char *detail;
};

#define COLUMN(field, kind) LIST_COLUMN(struct audit_item, field, kind)
static const struct list_column columns[] = {
    COLUMN(id, LIST_I64),          COLUMN(at, LIST_TIME),      COLUMN(actor, LIST_TEXT),
    COLUMN(actor_kind, LIST_TEXT), COLUMN(address, LIST_TEXT), COLUMN(action, LIST_TEXT),
    COLUMN(object, LIST_TEXT),     COLUMN(detail, LIST_JSON),
};
static const struct list_spec spec = {
    .columns = columns,
    .column_count = COUNT(columns),
    .identity = COLUMN(id, LIST_I64),
    .default_sort = "-id",
    .default_limit = LIST_LIMIT_DEFAULT,
    .max_limit = LIST_LIMIT_MAX,
};

enum status api_audit_list(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {LIST_PARAMETERS, "action", "actor", "from", "to"};
    AUTO_LIST_QUERY struct list_query query = {0};
    AUTO_AUDIT_LIST struct audit_list list = {0};
    AUTO_DBLEASE struct db *db = NULL;
    struct audit_filter filter = {.action = req_query(rq, "action"),
                                  .actor = req_query(rq, "actor")};
    enum status status = req_query_only(rq, names, COUNT(names), err);
    if (status == ST_OK)
        status = req_query_time(rq, "from", TIME_UNKNOWN, &filter.from_us, err);
    if (status == ST_OK)
        status = req_query_time(rq, "to", TIME_UNKNOWN, &filter.to_us, err);
    if (status == ST_OK)
        status = list_query_read(rq, &spec, &query, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_audit_list(db, &filter, &list, err);
    if (status != ST_OK)
        return status;
    AUTO_FREE struct audit_item *items = calloc(list.count + 1, sizeof *items);
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not list changes: out of memory");
    for (size_t i = 0; i < list.count; i++) {
        const struct audit_entry *entry = &list.items[i];
        items[i] = (struct audit_item){entry->audit_id,   entry->at_us,         entry->actor.name,
                                       entry->actor.kind, entry->actor.address, entry->action,
                                       entry->object,     entry->detail};
    }
    return list_reply(rq, rs, &spec, &query, NULL, items, sizeof *items, list.count, err);
}
