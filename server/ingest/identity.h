/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two machines with one identity (a disk copied with its agent) post as one host. What gives
 * them away is the order of arrival: an agent that came back under another boot has given the old
 * boot up for good. It may still deliver what it had spooled before, and that was taken before the
 * new boot said anything. So a boot that was given up and comes back with something newer than the
 * present boot's newest is alive at the same time as that: two machines. The one that appeared
 * later, which is the present boot, must go. Only agents (host tokens) are judged; back-fill by
 * others comes in any order.
 *
 * The present boot is kept in the host's row. A usual document is of that boot and costs nothing.
 */
#ifndef SERVER_INGEST_IDENTITY_H
#define SERVER_INGEST_IDENTITY_H

#include "server/store/store_ingest.h"

enum identity_verdict {
    IDENTITY_SAME, /* of the present boot, or nothing can be said */
    IDENTITY_NEW,  /* a boot that came after the present one, which it replaces */
    IDENTITY_LATE, /* spooled under a boot that was given up */
    IDENTITY_BACK  /* a given-up boot is alive: the present one was marked as a clone */
};

/* True when the document needs identity_judge; else it is IDENTITY_SAME. */
bool identity_is_other(const struct ingest_host *host, const struct snapshot *snapshot);
/* Whether the document's boot is marked as a clone's already. */
enum status identity_is_marked(struct db *db, const struct ingest_host *host,
                               const struct snapshot *snapshot, bool *ret_marked,
                               struct err *err) MUST_CHECK;
/* For one that is not marked. Within the transaction that holds the host's row; what was taken
 * before it must be written. */
enum status identity_judge(struct db *db, const struct ingest_host *host,
                           const struct snapshot *snapshot, enum identity_verdict *ret_verdict,
                           struct err *err) MUST_CHECK;
/* After the document was accepted. */
void identity_note(struct ingest_host *host, const struct snapshot *snapshot,
                   enum identity_verdict verdict);

#endif
