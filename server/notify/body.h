/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said to each kind of target, as the body of one request or mail. Every text that a host
 * could have chosen (names of hosts, drivers, processes, tags) is put where no receiver reads
 * markup in it, and loses control characters and marks that turn the direction of writing. Pure.
 */
#ifndef SERVER_NOTIFY_BODY_H
#define SERVER_NOTIFY_BODY_H

#include "common/strbuf.h"
#include "server/store/store_findings.h"
#include "server/store/store_notify.h"

/* One thing to tell. finding: as it is now, with the worst hosts; NULL for a digest and a test. */
struct notify_message {
    enum notify_event event;
    const char *key; /* the idempotency key: the same in every attempt */
    int64_t at_us;
    enum finding_severity severity;        /* at the event */
    enum finding_severity severity_before; /* with NOTIFY_SEVERITY */
    const struct finding_record *record;
    const char *subject, *text, *html; /* of a digest */
    const char *target_name;
    const char *public_url; /* the page's address without a slash at its end; "": no links */
};

#define NOTIFY_HOSTS_MAX 10 /* shown in chats and mails; the generic body has 20 */

/* The JSON of a webhook. Kind email has none: see notify_body_mail. */
void notify_body_write(enum notify_kind kind, const struct notify_message *message,
                       struct strbuf *out);
/* Subject, plain text and HTML of a mail. */
void notify_body_mail(const struct notify_message *message, struct strbuf *subject,
                      struct strbuf *text, struct strbuf *html);

/* Appends text without control characters and direction marks, blanks instead; not UTF-8: '?'. At
 * most `max` bytes, then "...". */
void notify_put_clean(struct strbuf *out, const char *text, size_t max);
void notify_put_html(struct strbuf *out, const char *text);

#endif
