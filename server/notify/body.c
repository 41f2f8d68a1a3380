/* SPDX-License-Identifier: Apache-2.0 */
#include "server/notify/body.h"

#include "common/utf8.h"
#include "server/api/finding_json.h"
#include "server/api/json_out.h"

#include <math.h>
#include <string.h>

#define TEXT_MAX  600 /* of one sentence, as chats still show it */
#define TITLE_MAX 140 /* Slack refuses a header of more than 150 */

/* ---- texts ------------------------------------------------------------------ */

/* U+200B..200F, U+2028..202E, U+2066..2069, U+FEFF and the C1 controls: what is not seen but
 * changes what is. */
static bool invisible(const unsigned char *at, size_t length)
{
    if (length == 2)
        return at[0] == 0xc2 && at[1] < 0xa0;
    if (length != 3)
        return false;
    unsigned code = (at[0] & 15u) << 12 | (at[1] & 63u) << 6 | (at[2] & 63u);
    return (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

void notify_put_clean(struct strbuf *out, const char *text, size_t max)
{
    size_t left = strlen(text), used = 0;

    while (left > 0) {
        size_t length = utf8_sequence(text, left);
        if (used + (length == 0 ? 1 : length) > max) {
            strbuf_puts(out, "...");
            return;
        }
        if (length == 0)
            strbuf_putc(out, '?');
        else if ((unsigned char)text[0] < 0x20 || text[0] == 0x7f ||
                 invisible((const unsigned char *)text, length))
            strbuf_putc(out, ' ');
        else
            strbuf_add(out, text, length);
        length = length == 0 ? 1 : length;
        used += length;
        text += length;
        left -= length;
    }
}

void notify_put_html(struct strbuf *out, const char *text)
{
    AUTO_STRBUF struct strbuf clean = STRBUF_INIT;

    notify_put_clean(&clean, text, SIZE_MAX);
    for (size_t i = 0; i < clean.length; i++) {
        switch (clean.data[i]) {
        case '&':
            strbuf_puts(out, "&amp;");
            break;
        case '<':
            strbuf_puts(out, "&lt;");
            break;
        case '>':
            strbuf_puts(out, "&gt;");
            break;
        case '"':
            strbuf_puts(out, "&quot;");
            break;
        default:
            strbuf_putc(out, clean.data[i]);
        }
    }
}

static void put_bytes(struct strbuf *out, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = 0;

    while (fabs(bytes) >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1024;
        unit++;
    }
    strbuf_printf(out, unit == 0 || fabs(bytes) >= 100 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

static const char *headline_word(const struct notify_message *message)
{
    return message->event == NOTIFY_RESOLVED ? "resolved"
                                             : finding_severity_name(message->severity);
}

/* "[critical] leak of NpCD on 12 hosts". */
static void put_title(struct strbuf *out, const struct notify_message *message)
{
    char tag[TAG_TEXT_MAX];

    if (message->record == NULL) {
        strbuf_puts(out, message->event == NOTIFY_TEST ? "[test] Poolfleet can reach this target"
                                                       : message->subject);
        return;
    }
    const struct finding *finding = &message->record->finding;
    size_t hosts = message->record->host_total;
    tag_format(finding->tag, tag);
    strbuf_printf(out, "[%s] %s: tag %s (%s pool) on %s host%s", headline_word(message),
                  finding_kind_name(finding->kind), tag, pool_name(finding->pool), GROUPED(hosts),
                  hosts == 1 ? "" : "s");
    if (message->event == NOTIFY_REOPENED)
        strbuf_puts(out, ", again");
    if (message->event == NOTIFY_SEVERITY)
        strbuf_printf(out, ", was %s", finding_severity_name(message->severity_before));
}

static void put_summary(struct strbuf *out, const struct notify_message *message)
{
    if (message->record != NULL && message->record->finding.summary != NULL)
        notify_put_clean(out, message->record->finding.summary, TEXT_MAX);
    else if (message->event == NOTIFY_TEST)
        strbuf_puts(out, "This is a test: nothing is wrong.");
    else if (message->text != NULL)
        strbuf_puts(out, message->text);
}

static void put_host(struct strbuf *out, const struct finding_host *host)
{
    char when[TIME_TEXT_MAX];

    notify_put_clean(out, host->name == NULL ? host->id : host->name, 256);
    strbuf_puts(out, ": ");
    put_bytes(out, (double)host->bytes);
    if (isfinite(host->rate_bytes_per_hour) && host->rate_bytes_per_hour > 0) {
        strbuf_puts(out, ", +");
        put_bytes(out, host->rate_bytes_per_hour);
        strbuf_puts(out, " an hour");
    }
    if (host->exhausts_p50_us != TIME_UNKNOWN) {
        time_format(host->exhausts_p50_us - host->exhausts_p50_us % US_PER_MINUTE, when);
        strbuf_printf(out, ", exhausted about %s", when);
    }
    if (host->simulated)
        strbuf_puts(out, " (simulated)");
}

static size_t hosts_shown(const struct finding *finding)
{
    return finding->host_count < NOTIFY_HOSTS_MAX ? finding->host_count : NOTIFY_HOSTS_MAX;
}

static void put_cause(struct strbuf *out, const struct finding *finding)
{
    if (finding->cause_count == 0)
        return;
    const struct finding_cause *cause = &finding->causes[0];
    strbuf_puts(out, "Explained by ");
    notify_put_clean(out, cause->attribute, 128);
    strbuf_puts(out, " ");
    notify_put_clean(out, cause->value, 128);
    if (cause->and_attribute != NULL) {
        strbuf_puts(out, " together with ");
        notify_put_clean(out, cause->and_attribute, 128);
        strbuf_puts(out, " ");
        notify_put_clean(out, cause->and_value, 128);
    }
    strbuf_printf(out, ": on %s of %s affected hosts, on %s of %s others",
                  GROUPED(cause->affected_with), GROUPED(cause->affected),
                  GROUPED(cause->unaffected_with), GROUPED(cause->unaffected));
}

static void put_link(struct strbuf *out, const struct notify_message *message)
{
    if (message->public_url[0] == '\0')
        return;
    strbuf_puts(out, message->public_url);
    if (message->record != NULL)
        strbuf_printf(out, "/findings/%s", message->record->finding.id);
}

/* Member `name` with what `put` writes; left out when that is nothing. */
typedef void (*put_text)(struct strbuf *out, const struct notify_message *message);
static void member(struct strbuf *out, const char *name, put_text put,
                   const struct notify_message *message)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;

    put(&text, message);
    out->failed = out->failed || text.failed;
    if (text.length > 0)
        json_text(out, name, text.data);
}

static void put_cause_of(struct strbuf *out, const struct notify_message *message)
{
    if (message->record != NULL)
        put_cause(out, &message->record->finding);
}

static void put_owner(struct strbuf *out, const struct notify_message *message)
{
    const char *driver = message->record == NULL ? NULL : message->record->finding.owner_driver;
    if (driver != NULL)
        notify_put_clean(out, driver, 128);
}

static void put_hosts(struct strbuf *out, const struct notify_message *message)
{
    const struct finding *finding = message->record == NULL ? NULL : &message->record->finding;

    for (size_t i = 0; finding != NULL && i < hosts_shown(finding); i++) {
        if (i > 0)
            strbuf_putc(out, '\n');
        put_host(out, &finding->hosts[i]);
    }
    if (finding != NULL && message->record->host_total > hosts_shown(finding))
        strbuf_printf(out, "\nand %s more",
                      GROUPED(message->record->host_total - hosts_shown(finding)));
}

/* ---- generic ---------------------------------------------------------------- */

static void write_generic(const struct notify_message *message, struct strbuf *out)
{
    json_open(out, '{');
    json_i64(out, "format", 1);
    json_text(out, "event", notify_event_names[message->event]);
    json_text(out, "key", message->key);
    json_time(out, "at", message->at_us);
    json_text(out, "severity_before",
              message->event == NOTIFY_SEVERITY ? finding_severity_name(message->severity_before)
                                                : NULL);
    member(out, "url", put_link, message);
    if (message->record == NULL) {
        json_text(out, "finding", NULL);
    } else {
        /* As it was at the event, with the evidence of today. */
        struct finding_record record = *message->record;
        record.finding.severity = message->severity;
        bool over = record.finding.status == FINDING_RESOLVED;
        if (message->event == NOTIFY_RESOLVED) {
            record.resolved_at_us = over ? record.resolved_at_us : message->at_us;
            record.finding.status = FINDING_RESOLVED;
        } else if (over) {
            record.finding.status = FINDING_OPEN;
            record.resolved_at_us = TIME_UNKNOWN;
        }
        json_key(out, "finding");
        finding_json_write(&record.finding, &record, FINDING_JSON_HOSTS_LIST, out);
    }
    json_close(out, '}');
}

/* ---- alertmanager: the body that its own webhook receiver gets, version 4 --- */

/* A test is an alert that ends as it begins: no receiver keeps it open. */
static bool firing(const struct notify_message *message)
{
    return message->event != NOTIFY_RESOLVED && message->event != NOTIFY_TEST;
}

static void write_labels(const struct notify_message *message, struct strbuf *out)
{
    json_text(out, "alertname", "PoolfleetFinding");
    if (message->record == NULL) {
        json_text(out, "severity", "info");
        json_text(out, "finding", "test");
        return;
    }
    const struct finding *finding = &message->record->finding;
    json_text(out, "severity", finding_severity_name(message->severity));
    json_text(out, "finding", finding->id);
    json_text(out, "kind", finding_kind_name(finding->kind));
    json_text(out, "pool", pool_name(finding->pool));
    json_tag(out, "tag", finding->tag);
    member(out, "driver", put_owner, message);
}

static void write_annotations(const struct notify_message *message, struct strbuf *out)
{
    member(out, "title", put_title, message);
    member(out, "summary", put_summary, message);
    member(out, "description", put_cause_of, message);
    member(out, "hosts", put_hosts, message);
}

static void write_alert(const struct notify_message *message, struct strbuf *out)
{
    const char *id = message->record == NULL ? "f-0000000000000000" : message->record->finding.id;

    json_open(out, '{');
    json_text(out, "status", firing(message) ? "firing" : "resolved");
    json_key_open(out, "labels", '{');
    write_labels(message, out);
    json_close(out, '}');
    json_key_open(out, "annotations", '{');
    write_annotations(message, out);
    json_close(out, '}');
    json_time(out, "startsAt",
              message->record == NULL ? message->at_us : message->record->opened_at_us);
    if (firing(message))
        json_text(out, "endsAt", "0001-01-01T00:00:00Z"); /* a time without a value, as theirs */
    else
        json_time(out, "endsAt", message->at_us);
    AUTO_STRBUF struct strbuf link = STRBUF_INIT;
    put_link(&link, message);
    json_text(out, "generatorURL", link.length == 0 ? "" : link.data);
    json_text(out, "fingerprint", strlen(id) > 2 ? id + 2 : id);
    json_close(out, '}');
}

static void write_alertmanager(const struct notify_message *message, struct strbuf *out)
{
    const char *id = message->record == NULL ? "test" : message->record->finding.id;
    AUTO_STRBUF struct strbuf key = STRBUF_INIT;

    strbuf_printf(&key, "{}:{finding=\"%s\"}", id);
    json_open(out, '{');
    json_text(out, "version", "4");
    json_text(out, "groupKey", key.data);
    json_i64(out, "truncatedAlerts", 0);
    json_text(out, "status", firing(message) ? "firing" : "resolved");
    json_text(out, "receiver", message->target_name);
    json_key_open(out, "groupLabels", '{');
    json_text(out, "finding", id);
    json_close(out, '}');
    json_key_open(out, "commonLabels", '{');
    write_labels(message, out);
    json_close(out, '}');
    json_key_open(out, "commonAnnotations", '{');
    write_annotations(message, out);
    json_close(out, '}');
    json_text(out, "externalURL", message->public_url);
    json_key_open(out, "alerts", '[');
    write_alert(message, out);
    json_close(out, ']');
    json_close(out, '}');
}

/* ---- chats: plain text only, so that nothing is read as markup -------------- */

static void slack_text(const char *name, const char *text, struct strbuf *out)
{
    json_key_open(out, name, '{');
    json_text(out, "type", "plain_text");
    json_text(out, "text", text);
    json_bool(out, "emoji", false);
    json_close(out, '}');
}

static void slack_section(put_text put, const struct notify_message *message, struct strbuf *out)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;

    put(&text, message);
    out->failed = out->failed || text.failed;
    if (text.length == 0)
        return;
    json_open(out, '{');
    json_text(out, "type", "section");
    slack_text("text", text.data, out);
    json_close(out, '}');
}

/* What notifications on a phone show; there < > & are markup. */
static void slack_fallback(struct strbuf *out, const struct notify_message *message)
{
    AUTO_STRBUF struct strbuf title = STRBUF_INIT;

    put_title(&title, message);
    if (!strbuf_failed(&title) && title.data != NULL)
        notify_put_html(out, title.data);
}

static void write_slack(const struct notify_message *message, struct strbuf *out)
{
    static const put_text sections[] = {put_summary, put_cause_of, put_hosts};
    AUTO_STRBUF struct strbuf title = STRBUF_INIT, cut = STRBUF_INIT, link = STRBUF_INIT;

    put_title(&title, message);
    notify_put_clean(&cut, title.data == NULL ? "" : title.data, TITLE_MAX);
    put_link(&link, message);
    json_open(out, '{');
    member(out, "text", slack_fallback, message);
    json_key_open(out, "blocks", '[');
    json_open(out, '{');
    json_text(out, "type", "header");
    slack_text("text", cut.data == NULL ? "" : cut.data, out);
    json_close(out, '}');
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        slack_section(sections[i], message, out);
    if (link.length > 0) {
        json_open(out, '{');
        json_text(out, "type", "actions");
        json_key_open(out, "elements", '[');
        json_open(out, '{');
        json_text(out, "type", "button");
        slack_text("text", "Open in Poolfleet", out);
        json_text(out, "url", link.data);
        json_close(out, '}');
        json_close(out, ']');
        json_close(out, '}');
    }
    json_close(out, ']');
    json_close(out, '}');
}

/* A RichTextBlock, unlike a TextBlock, knows no markdown. */
static void teams_line(put_text put, const struct notify_message *message, bool title,
                       struct strbuf *out)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;

    put(&text, message);
    out->failed = out->failed || text.failed;
    if (text.length == 0)
        return;
    json_open(out, '{');
    json_text(out, "type", "RichTextBlock");
    json_key_open(out, "inlines", '[');
    json_open(out, '{');
    json_text(out, "type", "TextRun");
    json_text(out, "text", text.data);
    if (title) {
        json_text(out, "weight", "Bolder");
        json_text(out, "size", "Medium");
        json_text(out, "color",
                  !firing(message)                         ? "Good"
                  : message->severity == SEVERITY_CRITICAL ? "Attention"
                                                           : "Warning");
    }
    json_close(out, '}');
    json_close(out, ']');
    json_close(out, '}');
}

static void write_teams_card(const struct notify_message *message, struct strbuf *out)
{
    AUTO_STRBUF struct strbuf link = STRBUF_INIT;

    put_link(&link, message);
    json_text(out, "$schema", "http://adaptivecards.io/schemas/adaptive-card.json");
    json_text(out, "type", "AdaptiveCard");
    json_text(out, "version", "1.4");
    json_key_open(out, "body", '[');
    teams_line(put_title, message, true, out);
    teams_line(put_summary, message, false, out);
    teams_line(put_cause_of, message, false, out);
    teams_line(put_hosts, message, false, out);
    json_close(out, ']');
    if (link.length > 0) {
        json_key_open(out, "actions", '[');
        json_open(out, '{');
        json_text(out, "type", "Action.OpenUrl");
        json_text(out, "title", "Open in Poolfleet");
        json_text(out, "url", link.data);
        json_close(out, '}');
        json_close(out, ']');
    }
}

static void write_teams(const struct notify_message *message, struct strbuf *out)
{
    json_open(out, '{');
    json_text(out, "type", "message");
    json_key_open(out, "attachments", '[');
    json_open(out, '{');
    json_text(out, "contentType", "application/vnd.microsoft.card.adaptive");
    json_key_open(out, "content", '{');
    write_teams_card(message, out);
    json_close(out, '}');
    json_close(out, '}');
    json_close(out, ']');
    json_close(out, '}');
}

void notify_body_write(enum notify_kind kind, const struct notify_message *message,
                       struct strbuf *out)
{
    static void (*const writers[NOTIFY_KIND_COUNT])(const struct notify_message *message,
                                                    struct strbuf *out) = {
        [NOTIFY_ALERTMANAGER] = write_alertmanager,
        [NOTIFY_SLACK] = write_slack,
        [NOTIFY_TEAMS] = write_teams,
        [NOTIFY_GENERIC] = write_generic,
    };
    if (writers[kind] != NULL)
        writers[kind](message, out);
}

/* ---- mail ------------------------------------------------------------------- */

static void put_evidence(struct strbuf *out, const struct notify_message *message)
{
    const struct finding *finding = message->record == NULL ? NULL : &message->record->finding;

    for (size_t i = 0; finding != NULL && i < finding->evidence_count; i++) {
        if (i > 0)
            strbuf_putc(out, '\n');
        notify_put_clean(out, finding->evidence[i], TEXT_MAX);
    }
}

static const struct {
    const char *title; /* "": none */
    put_text put;
} mail_parts[] = {
    {"", put_summary},    {"Driver of the tag", put_owner}, {"Likely cause", put_cause_of},
    {"Hosts", put_hosts}, {"Evidence", put_evidence},       {"Open it", put_link},
};

/* Lines of text as an HTML list or paragraph; each line is escaped. */
static void html_lines(struct strbuf *out, const char *text)
{
    bool many = strchr(text, '\n') != NULL;

    strbuf_puts(out, many ? "<ul>" : "<p>");
    for (;;) {
        size_t length = strcspn(text, "\n");
        AUTO_STRBUF struct strbuf line = STRBUF_INIT;
        strbuf_add(&line, text, length);
        strbuf_puts(out, many ? "<li>" : "");
        notify_put_html(out, line.data == NULL ? "" : line.data);
        strbuf_puts(out, many ? "</li>" : "");
        if (text[length] == '\0')
            break;
        text += length + 1;
    }
    strbuf_puts(out, many ? "</ul>\n" : "</p>\n");
}

static void mail_part(size_t part, const struct notify_message *message, struct strbuf *text,
                      struct strbuf *html)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;

    mail_parts[part].put(&body, message);
    text->failed = text->failed || body.failed;
    if (body.length == 0)
        return;
    if (mail_parts[part].title[0] != '\0') {
        strbuf_printf(text, "%s:\n", mail_parts[part].title);
        strbuf_printf(html, "<h3>%s</h3>\n", mail_parts[part].title);
    }
    strbuf_printf(text, "%s\n\n", body.data);
    if (mail_parts[part].put == put_link) {
        strbuf_puts(html, "<p><a href=\"");
        notify_put_html(html, body.data);
        strbuf_puts(html, "\">");
        notify_put_html(html, body.data);
        strbuf_puts(html, "</a></p>\n");
    } else {
        html_lines(html, body.data);
    }
}

void notify_body_mail(const struct notify_message *message, struct strbuf *subject,
                      struct strbuf *text, struct strbuf *html)
{
    put_title(subject, message);
    if (message->html != NULL) {
        strbuf_puts(text, message->text);
        strbuf_puts(html, message->html);
        return;
    }
    strbuf_puts(html, "<!doctype html>\n<html><body style=\"font-family:sans-serif\">\n<h2>");
    notify_put_html(html, subject->data == NULL ? "" : subject->data);
    strbuf_puts(html, "</h2>\n");
    for (size_t i = 0; i < sizeof mail_parts / sizeof mail_parts[0]; i++)
        mail_part(i, message, text, html);
    strbuf_puts(html, "</body></html>\n");
}
