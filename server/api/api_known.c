/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_known.h"

#include "common/log.h"
#include "server/api/api_common.h"
#include "server/api/json_out.h"
#include "server/api/list.h"
#include "server/known/known_finding.h"
#include "server/store/store_findings.h"

#include <string.h>

/* ---- the list --------------------------------------------------------------- */

struct item {
    const struct known_leak *leak;
    const char *id;
    const char *title;
    const char *driver;
    const char *tags; /* JSON */
    const char *confidence;
    const char *origin;
    const char *advice;
    const char *source;
};

#define COLUMN(field, kind) LIST_COLUMN(struct item, field, kind)
static const struct list_column columns[] = {
    COLUMN(id, LIST_TEXT),     COLUMN(title, LIST_TEXT),      COLUMN(driver, LIST_TEXT),
    COLUMN(tags, LIST_JSON),   COLUMN(confidence, LIST_TEXT), COLUMN(origin, LIST_TEXT),
    COLUMN(advice, LIST_TEXT), COLUMN(source, LIST_TEXT),
};

/* The entry as it was given, with one member more. */
static void leak_write(const struct known_leak *leak, struct strbuf *out)
{
    json_open(out, '{');
    json_text(out, "origin", leak->imported ? "imported" : "builtin");
    strbuf_putc(out, ',');
    strbuf_puts(out, leak->json + 1); /* without its opening brace */
}

static void item_write(const void *item, struct strbuf *out)
{
    leak_write(((const struct item *)item)->leak, out);
}

static const struct list_spec spec = {
    .columns = columns,
    .column_count = sizeof columns / sizeof columns[0],
    .identity = COLUMN(id, LIST_TEXT),
    .default_sort = "id",
    .default_limit = LIST_LIMIT_DEFAULT,
    .max_limit = LIST_LIMIT_MAX,
    .write = item_write,
};

static const char *tags_text(const struct known_leak *leak, struct arena *arena)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;

    json_open(&text, '[');
    for (size_t i = 0; i < leak->tag_count; i++) {
        json_comma(&text);
        json_value_tag(&text, leak->tags[i]);
    }
    json_close(&text, ']');
    return strbuf_failed(&text) ? NULL : arena_strdup(arena, text.data);
}

static bool wanted(const struct known_leak *leak, const char *q, const uint32_t *tag)
{
    bool has = tag == NULL;

    for (size_t i = 0; i < leak->tag_count && !has; i++)
        has = leak->tags[i] == *tag;
    return has && (api_text_has(leak->id, q) || api_text_has(leak->title, q) ||
                   api_text_has(leak->driver, q) || api_text_has(leak->source, q));
}

static enum status reply_list(const struct req *rq, struct resp *rs, const struct list_query *query,
                              const struct known_list *list, const uint32_t *tag, struct err *err)
{
    AUTO_ARENA struct arena arena = {0};
    AUTO_FREE struct item *items = calloc(list->count + 1, sizeof *items);
    size_t count = 0;

    for (size_t i = 0; items != NULL && i < list->count; i++) {
        const struct known_leak *leak = &list->items[i];
        if (!wanted(leak, req_query(rq, "q"), tag))
            continue;
        items[count] = (struct item){.leak = leak,
                                     .id = leak->id,
                                     .title = leak->title,
                                     .driver = leak->driver,
                                     .tags = tags_text(leak, &arena),
                                     .confidence = leak->confidence,
                                     .origin = leak->imported ? "imported" : "builtin",
                                     .advice = leak->advice,
                                     .source = leak->source};
        if (items[count++].tags == NULL)
            return err_set(err, ST_NOMEM, "could not list known leaks: out of memory");
    }
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not list known leaks: out of memory");
    return list_reply(rq, rs, &spec, query, NULL, items, sizeof *items, count, err);
}

enum status api_known_list(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {LIST_PARAMETERS, "q", "tag"};
    AUTO_LIST_QUERY struct list_query query = {0};
    AUTO_KNOWN_VIEW struct known_view *known = NULL;
    AUTO_DBLEASE struct db *db = NULL;
    const char *text = req_query(rq, "tag");
    uint32_t tag = 0;
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK && text != NULL)
        status = api_tag_parse(text, &tag, err);
    if (status == ST_OK)
        status = list_query_read(rq, &spec, &query, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = known_view_get(rq->app->known, db, &known, err);
    if (status != ST_OK)
        return status;
    return reply_list(rq, rs, &query, known_view_list(known), text == NULL ? NULL : &tag, err);
}

/* ---- changes ---------------------------------------------------------------- */

/* What an entry would replace. */
static const char *place_of(const struct known_list *present, const char *id)
{
    const struct known_leak *old = known_find(present, id);
    return old == NULL ? "new" : old->imported ? "replaces_imported" : "replaces_builtin";
}

/* The findings that stand open and what this entry would say of each. */
static void write_matches(const struct known_leak *leak, const struct finding_records *records,
                          struct strbuf *out)
{
    struct known_list alone = {.items = (struct known_leak *)(uintptr_t)leak, .count = 1};

    json_key_open(out, "matches", '[');
    for (size_t i = 0; i < records->count; i++) {
        struct known_match match;
        const struct finding *finding = &records->items[i].finding;
        if (known_match_finding(&alone, finding, 1, &match) == 0)
            continue;
        json_open(out, '{');
        json_text(out, "finding_id", finding->id);
        json_text(out, "summary", finding->summary);
        json_text(out, "fit", known_fit_text(match.fit));
        json_text(out, "says", match.says[0] == '\0' ? NULL : match.says);
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void write_import(const struct known_list *list, const struct known_list *present,
                         const struct finding_records *records, bool stored, struct strbuf *out)
{
    json_open(out, '{');
    json_bool(out, "stored", stored);
    json_key_open(out, "entries", '[');
    for (size_t i = 0; i < list->count; i++) {
        json_open(out, '{');
        json_text(out, "id", list->items[i].id);
        json_text(out, "title", list->items[i].title);
        json_text(out, "change", place_of(present, list->items[i].id));
        write_matches(&list->items[i], records, out);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_close(out, '}');
}

enum status api_known_import(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {"preview"};
    static const struct finding_filter open = {.statuses =
                                                   1u << FINDING_OPEN | 1u << FINDING_ACKNOWLEDGED};
    AUTO_KNOWN struct known_list list = {0};
    AUTO_KNOWN_VIEW struct known_view *known = NULL;
    AUTO_FINDING_RECORDS struct finding_records records = {0};
    AUTO_DBLEASE struct db *db = NULL;
    struct audit_entry audit = api_audit(rq, "known_leak.import", "file");
    int preview = -1;
    enum status status = req_query_only(rq, names, 1, err);

    if (status == ST_OK)
        status = api_query_flag(rq, "preview", &preview, err);
    if (status == ST_OK)
        status = known_add_file(&list, rq->body, rq->body_length, true, err);
    if (status == ST_OK && list.count == 0)
        status = err_field(err, ST_INVALID, "leaks", "the file holds no known leak");
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = known_view_get(rq->app->known, db, &known, err);
    if (status == ST_OK)
        status = store_findings_list(db, &open, &records, err);
    if (status == ST_OK && list.count == 1)
        audit.object = list.items[0].id;
    if (status == ST_OK && preview != 1)
        status = store_known_put(db, &list, &audit, err);
    if (status != ST_OK)
        return status;
    if (preview != 1)
        log_info("known leaks imported", "by", rq->principal, "from", rq->peer);
    write_import(&list, known_view_list(known), &records, preview != 1, &rs->body);
    rs->media = MEDIA_JSON;
    rs->code = preview == 1 ? 200 : 201;
    return ST_OK;
}

enum status api_known_put(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_KNOWN struct known_list list = {0};
    AUTO_DBLEASE struct db *db = NULL;
    struct audit_entry audit = api_audit(rq, "known_leak.put", rq->args[0]);
    enum status status = req_query_only(rq, NULL, 0, err);

    if (status == ST_OK && !known_id_valid(rq->args[0]))
        status = err_field(err, ST_INVALID, "known_id",
                           "an id is at most %u small letters, digits, \".\", \"-\" and \"_\"",
                           KNOWN_ID_MAX);
    if (status == ST_OK)
        status = known_add_entry(&list, rq->body, rq->body_length, rq->args[0], true, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_known_put(db, &list, &audit, err);
    if (status != ST_OK)
        return status;
    log_info("known leak written", "id", list.items[0].id, "by", rq->principal, "from", rq->peer);
    leak_write(&list.items[0], &rs->body);
    return api_reply_json(rs, err);
}

enum status api_known_delete(struct req *rq, struct resp *rs, struct err *err)
{
    struct audit_entry audit = api_audit(rq, "known_leak.delete", rq->args[0]);
    AUTO_DBLEASE struct db *db = NULL;
    enum status status = req_query_only(rq, NULL, 0, err);

    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_known_remove(db, rq->args[0], &audit, err);
    if (status != ST_OK)
        return status;
    log_info("known leak removed", "id", rq->args[0], "by", rq->principal, "from", rq->peer);
    rs->code = 204;
    return ST_OK;
}
