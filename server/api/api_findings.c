/* SPDX-License-Identifier: Apache-2.0 */
/* The list of findings, one finding, and PATCH. The report is api_finding_report.c. */
#include "server/api/api_findings.h"

#include "server/analyze/robust.h"
#include "server/api/api_common.h"
#include "server/api/api_mutes.h"
#include "server/api/finding_json.h"
#include "server/api/json_out.h"
#include "server/api/list.h"
#include "server/notify/notify.h"
#include "server/store/store_mutes.h"

#include <jansson.h>
#include <string.h>

/* ---- the list --------------------------------------------------------------- */

static const char *const kind_names[] = {"leak",       "level",       "plateau",
                                         "exhaustion", "handle_leak", "shift"};
static const char *const status_names[] = {"open", "acknowledged", "muted", "resolved"};

struct finding_item {
    const struct finding_record *record;
    const struct known_list *known;
    const char *id;
    int kind;
    int status;
    int severity;
    double confidence;
    int pool;
    uint32_t tag;
    int64_t host_count;
    const char *driver;
    const char *summary;
    int64_t first_seen;
    int64_t last_seen;
    int64_t opened_at;
    const char *note;
    const char *acknowledged_by;
    int64_t muted_until;
    bool born_muted;
    int64_t muted_hosts;
    int64_t reopened_at;
};

#define COLUMN(field, kind) LIST_COLUMN(struct finding_item, field, kind)
static const struct list_column columns[] = {
    COLUMN(id, LIST_TEXT),
    LIST_COLUMN_ENUM(struct finding_item, kind, kind_names),
    LIST_COLUMN_ENUM(struct finding_item, status, status_names),
    LIST_COLUMN_ENUM(struct finding_item, severity, api_severity_names),
    COLUMN(confidence, LIST_REAL),
    LIST_COLUMN_ENUM(struct finding_item, pool, api_pool_names),
    COLUMN(tag, LIST_TAG),
    COLUMN(host_count, LIST_I64),
    COLUMN(driver, LIST_TEXT),
    COLUMN(summary, LIST_TEXT),
    COLUMN(first_seen, LIST_TIME),
    COLUMN(last_seen, LIST_TIME),
    COLUMN(opened_at, LIST_TIME),
    COLUMN(note, LIST_TEXT),
    COLUMN(acknowledged_by, LIST_TEXT),
    COLUMN(muted_until, LIST_TIME),
    COLUMN(born_muted, LIST_BOOL),
    COLUMN(muted_hosts, LIST_I64),
    COLUMN(reopened_at, LIST_TIME),
};

static void item_write(const void *item, struct strbuf *out)
{
    const struct finding_item *at = item;
    finding_json_begin(&at->record->finding, at->record, FINDING_JSON_HOSTS_LIST, out);
    finding_json_known(&at->record->finding, at->known, out);
    json_close(out, '}');
}

static const struct list_spec spec = {
    .columns = columns,
    .column_count = sizeof columns / sizeof columns[0],
    .identity = COLUMN(id, LIST_TEXT),
    .default_sort = "-severity",
    .default_limit = LIST_LIMIT_DEFAULT,
    .max_limit = LIST_LIMIT_MAX,
    .write = item_write,
};

static void item_fill(const struct finding_record *record, const struct known_list *known,
                      struct finding_item *item)
{
    const struct finding *finding = &record->finding;

    *item = (struct finding_item){
        .record = record,
        .known = known,
        .id = finding->id,
        .kind = (int)finding->kind,
        .status = (int)finding->status,
        .severity = (int)finding->severity,
        .confidence = finding->confidence,
        .pool = (int)finding->pool,
        .tag = finding->tag,
        .host_count = (int64_t)record->host_total,
        .driver = finding->owner_driver,
        .summary = finding->summary,
        .first_seen = finding->first_seen_us,
        .last_seen = finding->last_seen_us,
        .opened_at = record->opened_at_us,
        .note = record->note,
        .acknowledged_by = record->acknowledged_by,
        .muted_until = record->muted_until_us,
        .born_muted = record->born_muted,
        .muted_hosts = (int64_t)record->muted_hosts,
        .reopened_at = record->reopened_at_us,
    };
}

/* "open,acknowledged" -> bits; every word must be a name. */
static enum status parse_names(const struct req *rq, const char *field, const char *const *names,
                               size_t count, unsigned fallback, unsigned *ret_bits, struct err *err)
{
    const char *at = req_query(rq, field);
    unsigned bits = 0;

    if (at == NULL) {
        *ret_bits = fallback;
        return ST_OK;
    }
    for (bool more = true; more;) {
        size_t length = strcspn(at, ","), i = 0;
        while (i < count && (strlen(names[i]) != length || memcmp(names[i], at, length) != 0))
            i++;
        if (i == count)
            return err_field(err, ST_INVALID, field, "%s \"%.*s\" is not known", field,
                             (int)(length < 40 ? length : 40), at);
        bits |= 1u << i;
        more = at[length] == ',';
        at += length + 1;
    }
    *ret_bits = bits;
    return ST_OK;
}

static enum status filter_read(const struct req *rq, struct finding_filter *filter,
                               char tag_text[TAG_TEXT_MAX], struct err *err)
{
    static const char *const names[] = {LIST_PARAMETERS, "status", "severity", "kind",
                                        "tag",           "host",   "driver"};
    const char *tag = req_query(rq, "tag");
    uint32_t value = 0;
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK)
        status =
            parse_names(rq, "status", status_names, FINDING_STATUS_COUNT,
                        1u << FINDING_OPEN | 1u << FINDING_ACKNOWLEDGED, &filter->statuses, err);
    if (status == ST_OK)
        status = parse_names(rq, "severity", api_severity_names, SEVERITY_COUNT, 0,
                             &filter->severities, err);
    if (status == ST_OK)
        status = parse_names(rq, "kind", kind_names, FINDING_KIND_COUNT, 0, &filter->kinds, err);
    if (status == ST_OK && tag != NULL) {
        status = api_tag_parse(tag, &value, err);
        tag_format(value, tag_text);
        filter->tag = tag_text;
    }
    filter->host_id = req_query(rq, "host");
    filter->driver = req_query(rq, "driver");
    filter->hosts_max = FINDING_JSON_HOSTS_LIST;
    return status;
}

enum status api_findings_list(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_LIST_QUERY struct list_query query = {0};
    AUTO_FINDING_RECORDS struct finding_records records = {0};
    AUTO_KNOWN_VIEW struct known_view *known = NULL;
    AUTO_DBLEASE struct db *db = NULL;
    struct finding_filter filter = {0};
    char tag_text[TAG_TEXT_MAX];
    enum status status = filter_read(rq, &filter, tag_text, err);

    if (status == ST_OK)
        status = list_query_read(rq, &spec, &query, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_findings_list(db, &filter, &records, err);
    if (status == ST_OK)
        status = known_view_get(rq->app->known, db, &known, err);
    if (status != ST_OK)
        return status;

    AUTO_FREE struct finding_item *items = calloc(records.count + 1, sizeof *items);
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not list findings: out of memory");
    for (size_t i = 0; i < records.count; i++)
        item_fill(&records.items[i], known_view_list(known), &items[i]);
    return list_reply(rq, rs, &spec, &query, NULL, items, sizeof *items, records.count, err);
}

/* ---- one finding ------------------------------------------------------------ */

/* The part before the dot counts changes by people: that is what If-Match is about. The rest moves
 * with every pass, so that a polling page sees new evidence. */
static enum status finding_etag(const struct finding_record *record, const struct known_view *known,
                                struct resp *rs, struct err *err)
{
    char *etag = NULL;

    if (asprintf(&etag, "\"v%lld.%llx.%llx\"", (long long)record->version,
                 (unsigned long long)record->updated_at_us,
                 (unsigned long long)known_view_revision(known)) < 0)
        return err_set(err, ST_NOMEM, "could not write a reply: out of memory");
    free((void *)(uintptr_t)rs->etag);
    rs->etag = etag;
    return ST_OK;
}

static enum status write_history(struct db *db, const char *id, struct strbuf *out, struct err *err)
{
    AUTO_ARENA struct arena arena = {0};
    struct finding_change *changes = NULL;
    size_t count = 0;
    enum status status = store_findings_history(db, id, &arena, &changes, &count, err);

    json_key_open(out, "history", '[');
    for (size_t i = 0; status == ST_OK && i < count; i++) {
        json_open(out, '{');
        json_time(out, "at", changes[i].at_us);
        json_text(out, "actor", changes[i].actor);
        json_text(out, "change", changes[i].change);
        json_text(out, "note", changes[i].note);
        json_close(out, '}');
    }
    json_close(out, ']');
    return status;
}

/* How many allocations of each tag stand for one of the first mover's: the middle over the worst
 * hosts, as their newest snapshots have them. */
#define RATIO_HOSTS 50

static size_t ratios_of(struct fleet *fleet, const struct finding *finding, size_t tag,
                        double values[RATIO_HOSTS])
{
    size_t count = 0;

    for (size_t i = 0; i < finding->host_count && i < RATIO_HOSTS; i++) {
        AUTO_HOST_STATE const struct host_state *host = fleet_get(fleet, finding->hosts[i].id);
        const unsigned both = COLUMN_ALLOCS | COLUMN_FREES;
        struct host_row first, row;
        if (host == NULL || !host_state_find(host, finding->pool, finding->tag, &first) ||
            !host_state_find(host, finding->pool, finding->tags[tag], &row) ||
            (first.columns & both) != both || (row.columns & both) != both ||
            first.allocs == first.frees)
            continue;
        values[count++] = (double)(uint32_t)(row.allocs - row.frees) /
                          (double)(uint32_t)(first.allocs - first.frees);
    }
    return count;
}

static void write_tags_detail(const struct req *rq, const struct finding *finding,
                              struct strbuf *out)
{
    json_key_open(out, "tags_detail", '[');
    for (size_t i = 0; i < finding->tag_count; i++) {
        const struct tagdict_entry *entry = tagdict_find(rq->app->tagdict, finding->tags[i]);
        double values[RATIO_HOSTS];
        size_t count = ratios_of(rq->app->fleet, finding, i, values);
        json_open(out, '{');
        json_tag(out, "tag", finding->tags[i]);
        json_text(out, "driver", entry == NULL ? NULL : entry->driver);
        json_text(out, "description", entry == NULL ? NULL : entry->description);
        json_number(out, "ratio", robust_median(values, count));
        json_i64(out, "ratio_hosts", (int64_t)count);
        json_close(out, '}');
    }
    json_close(out, ']');
}

/* The mutes that cover anything of it. */
static enum status write_mutes(struct db *db, const struct finding_record *record,
                               struct strbuf *out, struct err *err)
{
    AUTO_MUTES struct mutes mutes = {0};
    enum status status = store_mutes_list(db, &mutes, err);

    json_key_open(out, "mutes", '[');
    for (size_t i = 0; status == ST_OK && i < mutes.count; i++) {
        bool covers = mutes.items[i].id == record->muted_by;
        for (size_t j = 0; j < record->finding.host_count && !covers; j++)
            covers = record->host_lives[j].muted_by == mutes.items[i].id;
        if (covers && mute_stands(&mutes.items[i], clock_wall_us()))
            api_mute_write(&mutes.items[i], out);
    }
    json_close(out, ']');
    return status;
}

static enum status reply_finding(const struct req *rq, struct db *db, struct resp *rs,
                                 struct err *err)
{
    AUTO_FINDING_RECORDS struct finding_records records = {0};
    AUTO_KNOWN_VIEW struct known_view *known = NULL;
    enum status status = store_findings_get(db, rq->args[0], &records, err);

    if (status == ST_OK)
        status = known_view_get(rq->app->known, db, &known, err);
    if (status != ST_OK)
        return status;
    const struct finding_record *record = &records.items[0];
    finding_json_begin(&record->finding, record, SIZE_MAX, &rs->body);
    finding_json_known(&record->finding, known_view_list(known), &rs->body);
    status = write_history(db, record->finding.id, &rs->body, err);
    if (status == ST_OK)
        status = write_mutes(db, record, &rs->body, err);
    write_tags_detail(rq, &record->finding, &rs->body);
    json_close(&rs->body, '}');
    rs->media = MEDIA_JSON;
    return status == ST_OK ? finding_etag(record, known, rs, err) : status;
}

enum status api_findings_get(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    enum status status = req_query_only(rq, NULL, 0, err);

    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    return status == ST_OK ? reply_finding(rq, db, rs, err) : status;
}

/* ---- PATCH ------------------------------------------------------------------ */

#define NOTE_MAX 2000 /* bytes; chosen: a paragraph and a link */

static void cleanup_json(json_t **json)
{
    json_decref(*json);
}

static enum status patch_status(const json_t *value, struct finding_patch *patch, struct err *err)
{
    const char *text = json_string_value(value);

    if (text == NULL || !finding_status_parse(text, &patch->status))
        return err_field(err, ST_INVALID, "status",
                         "status must be open, acknowledged, muted or resolved");
    patch->has_status = true;
    return ST_OK;
}

static enum status patch_note(const json_t *value, struct finding_patch *patch, struct err *err)
{
    patch->has_note = true;
    patch->note = json_string_value(value);
    if (!json_is_null(value) && patch->note == NULL)
        return err_field(err, ST_INVALID, "note", "note must be a text or null");
    if (json_string_length(value) > NOTE_MAX)
        return err_field(err, ST_INVALID, "note", "note is longer than %d bytes", NOTE_MAX);
    return ST_OK;
}

static enum status patch_muted(const json_t *value, struct finding_patch *patch, struct err *err)
{
    const char *text = json_string_value(value);

    if (json_is_null(value))
        return ST_OK;
    if (text == NULL || !time_parse(text, strlen(text), &patch->muted_until_us))
        return err_field(err, ST_INVALID, "muted_until", "muted_until must be an RFC 3339 time");
    if (patch->muted_until_us <= patch->now_us)
        return err_field(err, ST_INVALID, "muted_until", "muted_until must lie ahead");
    return ST_OK;
}

static const struct {
    const char *name;
    enum status (*read)(const json_t *value, struct finding_patch *patch, struct err *err);
} patch_fields[] = {
    {"status", patch_status},
    {"note", patch_note},
    {"muted_until", patch_muted},
};
#define PATCH_FIELDS (sizeof patch_fields / sizeof patch_fields[0])

static enum status patch_read(json_t *json, struct finding_patch *patch, struct err *err)
{
    const char *name;
    json_t *value;

    json_object_foreach(json, name, value)
    {
        size_t i = 0;
        while (i < PATCH_FIELDS && strcmp(patch_fields[i].name, name) != 0)
            i++;
        if (i == PATCH_FIELDS)
            return err_field(err, ST_INVALID, name, "unknown field");
        enum status status = patch_fields[i].read(value, patch, err);
        if (status != ST_OK)
            return status;
    }
    if (!patch->has_status && !patch->has_note)
        return err_field(err, ST_INVALID, "", "nothing to change: give status or note");
    if (patch->muted_until_us != TIME_UNKNOWN &&
        !(patch->has_status && patch->status == FINDING_MUTED))
        return err_field(err, ST_INVALID, "muted_until", "muted_until goes with status \"muted\"");
    return ST_OK;
}

/* The note itself is in the finding's history. */
static void write_audit_detail(const struct finding_patch *patch, struct strbuf *out)
{
    json_open(out, '{');
    if (patch->has_status)
        json_text(out, "status", status_names[patch->status]);
    if (patch->muted_until_us != TIME_UNKNOWN)
        json_time(out, "muted_until", patch->muted_until_us);
    if (patch->has_note)
        json_bool(out, "note", patch->note != NULL);
    json_close(out, '}');
}

enum status api_findings_patch(struct req *rq, struct resp *rs, struct err *err)
{
    CLEANUP(cleanup_json) json_t *json = NULL;
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_STRBUF struct strbuf detail = STRBUF_INIT;
    struct audit_entry audit = api_audit(rq, "finding.change", rq->args[0]);
    struct finding_patch patch = {.actor = rq->principal,
                                  .audit = &audit,
                                  .now_us = clock_wall_us(),
                                  .version = api_if_match(rq),
                                  .muted_until_us = TIME_UNKNOWN};
    enum status status = req_query_only(rq, NULL, 0, err);

    if (status != ST_OK)
        return status;
    json = json_loadb(rq->body, rq->body_length, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(json))
        return err_set(err, ST_MALFORMED, "could not read the change: not a JSON object");
    status = patch_read(json, &patch, err);
    write_audit_detail(&patch, &detail);
    audit.detail = strbuf_failed(&detail) ? NULL : detail.data;
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_findings_patch(db, rq->args[0], &patch, err);
    if (status == ST_CONFLICT) {
        rs->code = 412;
        rs->problem = "precondition_failed";
    }
    if (status == ST_OK)
        notify_wake(rq->app->notify);
    return status == ST_OK ? reply_finding(rq, db, rs, err) : status;
}
