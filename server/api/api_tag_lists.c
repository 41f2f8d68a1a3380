/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_tag_lists.h"

#include "common/log.h"
#include "common/utf8.h"
#include "server/api/api_common.h"
#include "server/api/json_out.h"
#include "server/api/list.h"
#include "server/store/store_tags.h"
#include "server/tagdict/pattern.h"

#include <string.h>

#define NAME_MAX_BYTES 128 /* chosen: a file's name */
#define REFUSED_SHOWN  50
#define CHANGES_SHOWN  500

/* ---- the list --------------------------------------------------------------- */

struct item {
    const char *name;
    int64_t imported_at;
    int64_t lines;
    int64_t entries;
    int64_t refused;
};

#define COLUMN(field, kind) LIST_COLUMN(struct item, field, kind)
static const struct list_column columns[] = {
    COLUMN(name, LIST_TEXT),   COLUMN(imported_at, LIST_TIME), COLUMN(lines, LIST_I64),
    COLUMN(entries, LIST_I64), COLUMN(refused, LIST_I64),
};
static const struct list_spec spec = {
    .columns = columns,
    .column_count = sizeof columns / sizeof columns[0],
    .identity = COLUMN(name, LIST_TEXT),
    .default_sort = "-imported_at",
    .default_limit = LIST_LIMIT_DEFAULT,
    .max_limit = LIST_LIMIT_MAX,
};

enum status api_tag_lists_list(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {LIST_PARAMETERS, "q"};
    AUTO_LIST_QUERY struct list_query query = {0};
    AUTO_DBRESULT struct db_result *result = NULL;
    AUTO_DBLEASE struct db *db = NULL;
    size_t count = 0;
    enum status status = req_query_only(rq, names, sizeof names / sizeof names[0], err);

    if (status == ST_OK)
        status = list_query_read(rq, &spec, &query, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_tags_lists(db, &result, err);
    if (status != ST_OK)
        return status;
    AUTO_FREE struct item *items = calloc(db_rows(result) + 1, sizeof *items);
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not list tag lists: out of memory");
    for (size_t i = 0; i < db_rows(result); i++) {
        struct store_tag_list list = store_tags_list_at(result, i);
        if (api_text_has(list.name, req_query(rq, "q")))
            items[count++] = (struct item){list.name, list.imported_at_us, list.lines, list.entries,
                                           list.refused};
    }
    return list_reply(rq, rs, &spec, &query, NULL, items, sizeof *items, count, err);
}

/* ---- reading what was sent -------------------------------------------------- */

struct upload {
    const char *name;
    bool preview;
    struct tagdict *list;   /* the upload alone */
    struct tagdict *before; /* what is in use */
    struct tagdict *after;  /* what would be, or is now */
    struct tagdict_import counts;
    struct strbuf refused; /* JSON elements */
    size_t refused_shown;
};

static void upload_done(struct upload *upload)
{
    tagdict_free(upload->list);
    tagdict_free(upload->before);
    tagdict_free(upload->after);
    strbuf_done(&upload->refused);
}

static enum status name_check(const char *name, struct err *err)
{
    size_t length = name == NULL ? 0 : strlen(name);
    bool ok = length > 0 && length <= NAME_MAX_BYTES && utf8_valid(name, length);

    for (size_t i = 0; ok && i < length; i++)
        ok = (unsigned char)name[i] >= 0x20 && name[i] != 0x7f && name[i] != '/';
    return ok ? ST_OK
              : err_field(err, ST_INVALID, "name",
                          "the list's name must be 1 to %d bytes without control characters and /",
                          NAME_MAX_BYTES);
}

/* Lists are in whatever code page their author had: what is no UTF-8 is shown as bytes. */
static void complain(void *arg, size_t line, const char *text, size_t length, const char *reason)
{
    struct upload *upload = arg;
    AUTO_STRBUF struct strbuf shown = STRBUF_INIT;

    if (upload->refused_shown++ >= REFUSED_SHOWN)
        return;
    for (size_t i = 0; i < length && i < 120; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c < 0x7f)
            strbuf_putc(&shown, (char)c);
        else
            strbuf_printf(&shown, "\\x%02x", c);
    }
    json_open(&upload->refused, '{');
    json_i64(&upload->refused, "line", (int64_t)line);
    json_text(&upload->refused, "text", strbuf_failed(&shown) ? "" : shown.data);
    json_text(&upload->refused, "reason", reason);
    json_close(&upload->refused, '}');
}

static enum status read_list(const struct req *rq, struct upload *upload, struct err *err)
{
    bool tabs = tagdict_is_tsv(rq->body, rq->body_length);

    upload->list = tagdict_new();
    if (upload->list == NULL)
        return err_set(err, ST_NOMEM, "could not read the tag list: out of memory");
    enum status status = (tabs ? tagdict_import_tsv : tagdict_import)(
        upload->list, rq->body, rq->body_length, complain, upload, &upload->counts, err);
    if (status == ST_OK && upload->counts.entries == 0)
        status = err_field(err, ST_INVALID, "body",
                           "the list holds no tag that could be read, in %zu lines",
                           upload->counts.lines);
    return status;
}

/* ---- what changes ----------------------------------------------------------- */

/* The dictionary with the lists of the database, but for the one of that name; NULL: all. */
static enum status load(struct db *db, const char *without, struct tagdict **ret_dict,
                        struct err *err)
{
    *ret_dict = tagdict_new();
    if (*ret_dict == NULL)
        return err_set(err, ST_NOMEM, "could not read the tag lists: out of memory");
    enum status status = tagdict_add_builtin(*ret_dict, err);
    if (status == ST_OK)
        status = without == NULL ? store_tags_load(db, *ret_dict, err)
                                 : store_tags_load_others(db, without, *ret_dict, err);
    return status;
}

static enum status compare(struct db *db, struct upload *upload, struct err *err)
{
    enum status status = load(db, NULL, &upload->before, err);

    if (status == ST_OK)
        status = load(db, upload->name, &upload->after, err);
    for (size_t i = 0; status == ST_OK && i < tagdict_count(upload->list); i++)
        status = tagdict_add(upload->after, tagdict_at(upload->list, i), err);
    return status;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void write_owner(const char *name, const struct tagdict_entry *entry, struct strbuf *out)
{
    if (entry == NULL) {
        json_text(out, name, NULL);
        return;
    }
    json_key_open(out, name, '{');
    json_text(out, "driver", entry->driver);
    json_text(out, "description", entry->description);
    json_text(out, "source", entry->source);
    json_close(out, '}');
}

struct change_counts {
    int64_t added, changed, same, patterns, shown;
};

/* One entry of the upload: what a tag of it is called before and after. A pattern stands for tags
 * that nobody can list, so it is only counted. */
static void write_change(const struct upload *upload, const struct tagdict_entry *entry,
                         struct change_counts *counts, struct strbuf *out)
{
    const struct tagdict_entry *before = tagdict_find(upload->before, entry->tag);
    const struct tagdict_entry *after = tagdict_find(upload->after, entry->tag);
    bool same = before != NULL && after != NULL && same_text(before->driver, after->driver) &&
                same_text(before->description, after->description);

    if (entry->any != 0)
        counts->patterns++;
    else if (same)
        counts->same++;
    else if (before == NULL)
        counts->added++;
    else
        counts->changed++;
    if (entry->any != 0 || same || counts->shown++ >= CHANGES_SHOWN)
        return;
    json_open(out, '{');
    json_text(out, "tag", entry->pattern);
    write_owner("before", before, out);
    write_owner("after", after, out);
    json_close(out, '}');
}

static void write_reply(const struct upload *upload, struct strbuf *out)
{
    struct change_counts counts = {0};

    json_open(out, '{');
    json_text(out, "name", upload->name);
    json_bool(out, "stored", !upload->preview);
    json_i64(out, "lines", (int64_t)upload->counts.lines);
    json_i64(out, "entries", (int64_t)upload->counts.entries);
    json_i64(out, "comments", (int64_t)upload->counts.comments);
    json_i64(out, "refused", (int64_t)upload->counts.refused);
    json_key_open(out, "refused_lines", '[');
    strbuf_puts(out, upload->refused.length > 0 ? upload->refused.data : "");
    json_close(out, ']');
    json_key_open(out, "changes", '[');
    for (size_t i = 0; i < tagdict_count(upload->list); i++)
        write_change(upload, tagdict_at(upload->list, i), &counts, out);
    json_close(out, ']');
    json_i64(out, "tags_added", counts.added);
    json_i64(out, "tags_changed", counts.changed);
    json_i64(out, "tags_same", counts.same);
    json_i64(out, "patterns", counts.patterns);
    json_close(out, '}');
}

/* ---- changes ---------------------------------------------------------------- */

static enum status keep(const struct req *rq, struct db *db, const struct upload *upload,
                        struct err *err)
{
    struct audit_entry audit = api_audit(rq, "tags.import", upload->name);
    enum status status =
        store_tags_replace(db, upload->name, upload->list, &upload->counts, &audit, err);

    if (status == ST_OK)
        status = tag_lists_refresh(rq->app->tag_lists, db, &rq->app->tagdict, err);
    if (status == ST_OK)
        log_info("tag list imported", "name", upload->name, "by", rq->principal, "from", rq->peer);
    return status;
}

enum status api_tag_lists_post(struct req *rq, struct resp *rs, struct err *err)
{
    static const char *const names[] = {"name", "preview"};
    AUTO_DBLEASE struct db *db = NULL;
    CLEANUP(upload_done) struct upload upload = {.name = req_query(rq, "name")};
    int preview = -1;
    enum status status = req_query_only(rq, names, 2, err);

    if (status == ST_OK)
        status = api_query_flag(rq, "preview", &preview, err);
    if (status == ST_OK)
        status = name_check(upload.name, err);
    if (status == ST_OK)
        status = read_list(rq, &upload, err);
    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = compare(db, &upload, err);
    upload.preview = preview == 1;
    if (status == ST_OK && !upload.preview)
        status = keep(rq, db, &upload, err);
    if (status != ST_OK)
        return status;
    rs->code = upload.preview ? 200 : 201;
    write_reply(&upload, &rs->body);
    rs->media = MEDIA_JSON;
    return ST_OK;
}

enum status api_tag_lists_delete(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    struct audit_entry audit = api_audit(rq, "tags.delete", rq->args[0]);
    enum status status = req_query_only(rq, NULL, 0, err);

    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_tags_remove(db, rq->args[0], &audit, err);
    if (status == ST_OK)
        status = tag_lists_refresh(rq->app->tag_lists, db, &rq->app->tagdict, err);
    if (status != ST_OK)
        return status;
    log_info("tag list removed", "name", rq->args[0], "by", rq->principal, "from", rq->peer);
    rs->code = 204;
    return ST_OK;
}
