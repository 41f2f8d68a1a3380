/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daily mail: what is open, what is new and what was resolved since the one before, which hosts
 * are silent. A day with nothing to say sends nothing; on Mondays it says that all is quiet, so
 * that silence can be told from a broken mail server.
 */
#ifndef SERVER_NOTIFY_DIGEST_H
#define SERVER_NOTIFY_DIGEST_H

#include "server/notify/send.h"
#include "server/state/fleet.h"

/* Makes the digest that was due at due_us into deliveries, unless it was made or there is nothing
 * to say; *ret_made then stays false. Several servers make one. */
enum status digest_make(struct db *db, struct fleet *fleet, const struct notify_settings *settings,
                        int64_t due_us, bool *ret_made, struct err *err) MUST_CHECK;

/* What it is made of; pure from here on. */
struct digest {
    const struct finding_records *open;     /* open and acknowledged */
    const struct finding_records *resolved; /* of any age */
    const char *const *silent;              /* names of hosts */
    size_t silent_count;
    size_t host_count;
    int64_t since_us, due_us;
};
/* Subject, text and HTML; false when there is nothing to say. */
bool digest_write(const struct digest *digest, const char *public_url, struct strbuf *subject,
                  struct strbuf *text, struct strbuf *html);

#endif
