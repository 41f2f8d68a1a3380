/* SPDX-License-Identifier: Apache-2.0 */
#include "server/notify/digest.h"

#include "server/api/api_common.h"
#include "server/api/json_out.h"

#include <string.h>

#define LINES_MAX 20 /* of one list; the rest is counted */

/* ---- pure ------------------------------------------------------------------- */

struct pages {
    struct strbuf *text, *html;
    const char *public_url;
};

static void heading(const struct pages *pages, const char *title, size_t count)
{
    strbuf_printf(pages->text, "%s: %zu\n", title, count);
    strbuf_printf(pages->html, "<h3>%s: %zu</h3>\n<ul>\n", title, count);
}

static void heading_end(const struct pages *pages, size_t count)
{
    if (count > LINES_MAX) {
        strbuf_printf(pages->text, "  and %zu more\n", count - LINES_MAX);
        strbuf_printf(pages->html, "<li>and %zu more</li>\n", count - LINES_MAX);
    }
    strbuf_puts(pages->text, "\n");
    strbuf_puts(pages->html, "</ul>\n");
}

static void finding_line(const struct pages *pages, const struct finding_record *record)
{
    const struct finding *finding = &record->finding;
    const char *summary = finding->summary == NULL ? "" : finding->summary;

    strbuf_printf(pages->text, "  [%s] ", finding_severity_name(finding->severity));
    notify_put_clean(pages->text, summary, 600);
    strbuf_putc(pages->text, '\n');
    strbuf_printf(pages->html, "<li>[%s] ", finding_severity_name(finding->severity));
    notify_put_html(pages->html, summary);
    if (pages->public_url[0] != '\0') {
        strbuf_printf(pages->text, "    %s/findings/%s\n", pages->public_url, finding->id);
        strbuf_puts(pages->html, " <a href=\"");
        notify_put_html(pages->html, pages->public_url);
        strbuf_printf(pages->html, "/findings/%s\">open</a>", finding->id);
    }
    strbuf_puts(pages->html, "</li>\n");
}

static bool opened_since(const struct finding_record *record, int64_t since_us)
{
    return record->opened_at_us >= since_us;
}
static bool resolved_since(const struct finding_record *record, int64_t since_us)
{
    return record->resolved_at_us != TIME_UNKNOWN && record->resolved_at_us >= since_us;
}
static bool older_than(const struct finding_record *record, int64_t since_us)
{
    return record->opened_at_us < since_us;
}

static size_t list_findings(const struct pages *pages, const char *title,
                            const struct finding_records *records,
                            bool (*wanted)(const struct finding_record *record, int64_t since_us),
                            int64_t since_us)
{
    size_t count = 0, shown = 0;

    for (size_t i = 0; i < records->count; i++)
        count += wanted(&records->items[i], since_us);
    if (count == 0)
        return 0;
    heading(pages, title, count);
    for (size_t i = 0; i < records->count && shown < LINES_MAX; i++) {
        if (!wanted(&records->items[i], since_us))
            continue;
        finding_line(pages, &records->items[i]);
        shown++;
    }
    heading_end(pages, count);
    return count;
}

static void list_silent(const struct pages *pages, const struct digest *digest)
{
    if (digest->silent_count == 0)
        return;
    heading(pages, "Silent hosts", digest->silent_count);
    for (size_t i = 0; i < digest->silent_count && i < LINES_MAX; i++) {
        strbuf_puts(pages->text, "  ");
        notify_put_clean(pages->text, digest->silent[i], 256);
        strbuf_putc(pages->text, '\n');
        strbuf_puts(pages->html, "<li>");
        notify_put_html(pages->html, digest->silent[i]);
        strbuf_puts(pages->html, "</li>\n");
    }
    heading_end(pages, digest->silent_count);
}

bool digest_write(const struct digest *digest, const char *public_url, struct strbuf *subject,
                  struct strbuf *text, struct strbuf *html)
{
    const struct pages pages = {text, html, public_url};
    bool monday = (digest->due_us / US_PER_DAY + 4) % 7 == 1; /* day 0 was a Thursday */

    strbuf_puts(html, "<!doctype html>\n<html><body style=\"font-family:sans-serif\">\n");
    size_t fresh =
        list_findings(&pages, "New findings", digest->open, opened_since, digest->since_us);
    size_t old = list_findings(&pages, "Still open", digest->open, older_than, digest->since_us);
    size_t ended =
        list_findings(&pages, "Resolved", digest->resolved, resolved_since, digest->since_us);
    list_silent(&pages, digest);
    bool some = fresh + old + ended + digest->silent_count > 0;
    if (some) {
        strbuf_printf(subject, "[digest] %zu open, %zu new, %zu resolved, %zu silent", fresh + old,
                      fresh, ended, digest->silent_count);
    } else if (monday) {
        strbuf_puts(subject, "[digest] all quiet");
        strbuf_printf(text, "Nothing is open, and all %zu hosts report.\n", digest->host_count);
        strbuf_printf(html, "<p>Nothing is open, and all %zu hosts report.</p>\n",
                      digest->host_count);
    }
    strbuf_puts(html, "</body></html>\n");
    return some || monday;
}

/* ---- from what is stored ---------------------------------------------------- */

struct making {
    struct fleet *fleet;
    const struct notify_settings *settings;
    int64_t due_us;
    bool made;
};

static enum status silent_hosts(const struct fleet_list *list, const char ***ret_names,
                                size_t *ret_count, struct err *err)
{
    const char **names = calloc(list->count + 1, sizeof *names);
    int64_t now = clock_wall_us();
    size_t count = 0;

    if (names == NULL)
        return err_set(err, ST_NOMEM, "could not make the digest: out of memory");
    for (size_t i = 0; i < list->count; i++)
        if (api_host_silent(list->items[i], now))
            names[count++] =
                list->items[i]->name != NULL ? list->items[i]->name : list->items[i]->id;
    *ret_names = names;
    *ret_count = count;
    return ST_OK;
}

static enum status add(struct db *db, struct digest *digest, struct making *making, struct err *err)
{
    AUTO_STRBUF struct strbuf subject = STRBUF_INIT, text = STRBUF_INIT, html = STRBUF_INIT;
    AUTO_STRBUF struct strbuf doc = STRBUF_INIT;

    if (!digest_write(digest, making->settings->public_url, &subject, &text, &html))
        return ST_OK;
    json_open(&doc, '{');
    json_text(&doc, "subject", subject.data);
    json_text(&doc, "text", text.data == NULL ? "" : text.data);
    json_text(&doc, "html", html.data == NULL ? "" : html.data);
    json_close(&doc, '}');
    if (strbuf_failed(&doc) || strbuf_failed(&text) || strbuf_failed(&html))
        return err_set(err, ST_NOMEM, "could not make the digest: out of memory");
    making->made = true;
    return store_notify_digest_add(db, clock_wall_us(), doc.data, err);
}

static enum status make_tx(struct db *db, void *arg, struct err *err)
{
    struct making *making = arg;
    AUTO_FINDING_RECORDS struct finding_records open = {0}, resolved = {0};
    AUTO_FLEET_LIST struct fleet_list list = {0};
    AUTO_FREE const char **silent = NULL;
    struct digest digest = {.open = &open, .resolved = &resolved, .due_us = making->due_us};
    const struct finding_filter standing = {.statuses =
                                                1u << FINDING_OPEN | 1u << FINDING_ACKNOWLEDGED};
    const struct finding_filter ended = {.statuses = 1u << FINDING_RESOLVED};
    bool turn = false;

    making->made = false;
    enum status status = store_notify_digest_turn(db, making->due_us, &turn, &digest.since_us, err);
    if (status != ST_OK || !turn)
        return status;
    status = store_findings_list(db, &standing, &open, err);
    if (status == ST_OK)
        status = store_findings_list(db, &ended, &resolved, err);
    if (status == ST_OK && fleet_list(making->fleet, &list) != ST_OK)
        status = err_set(err, ST_NOMEM, "could not make the digest: out of memory");
    if (status == ST_OK)
        status = silent_hosts(&list, &silent, &digest.silent_count, err);
    if (status != ST_OK)
        return status;
    digest.silent = silent;
    digest.host_count = list.count;
    return add(db, &digest, making, err);
}

enum status digest_make(struct db *db, struct fleet *fleet, const struct notify_settings *settings,
                        int64_t due_us, bool *ret_made, struct err *err)
{
    struct making making = {fleet, settings, due_us, false};
    enum status status = db_tx(db, "digest", make_tx, &making, err);

    *ret_made = status == ST_OK && making.made;
    return status;
}
