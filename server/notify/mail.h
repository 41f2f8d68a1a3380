/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One mail as bytes (RFC 5322, MIME): plain text and HTML beside each other, both base64, so that
 * no line is too long and no line of a body is a dot. Header values are cleaned of line ends and
 * encoded when they are not plain ASCII: nothing a host or tag is called becomes a header. Pure.
 */
#ifndef SERVER_NOTIFY_MAIL_H
#define SERVER_NOTIFY_MAIL_H

#include "common/strbuf.h"

#include <stdint.h>

struct mail {
    const char *from; /* an address, checked */
    const char *to;
    const char *subject;
    const char *text;
    const char *html;
    const char *key;    /* unique: becomes the Message-ID */
    const char *thread; /* mails of one thread share it; NULL: none */
    int64_t date_us;
};
void mail_write(const struct mail *mail, struct strbuf *out);

/* What a mail address or header may not hold. */
bool mail_address_ok(const char *text);

#endif
