/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer to documents sent in, for every route that takes them:
 *
 *   {"accepted": n, "duplicates": n, "rejected": [{"index", "type", "detail", "field"}], ...}
 *
 * as JSON, or as CBOR where rq->accept is MEDIA_CBOR. A route adds members of its own before it
 * closes the map:
 *
 *   struct ingest_refusals refusals = {0};
 *   status = ingest_decode(rq->body, rq->body_length, ingest_form_of(rq->body_media), now,
 * &options, batch, ingest_refusals_note, &refusals, err);
 *   ... when the batch is done:
 *   struct doc doc;
 *   doc_init(&doc, doc_form_of(rq->accept), &rs->body);
 *   doc_map(&doc);
 *   ingest_reply_members(&doc, &refusals, batch);
 *   doc_put_uint(&doc, "acked_sequence", sequence);
 *   doc_map_end(&doc);
 *   doc_finish(&doc);
 *
 * resp.media is the request's accept already. Not shared between threads.
 */
#ifndef SERVER_API_INGEST_REPLY_H
#define SERVER_API_INGEST_REPLY_H

#include "common/doc_out.h"
#include "server/http/http.h"
#include "server/ingest/ingest.h"

struct ingest_refusal {
    size_t index;
    struct err err;
};

/* Documents that could not be decoded, by rising index. Zeroes are empty. */
struct ingest_refusals {
    struct ingest_refusal *items;
    size_t count;
    size_t capacity;
    bool failed; /* memory ran out while noting one: answer ST_NOMEM */
};

void ingest_refusals_note(void *refusals, size_t index, const struct err *err); /* ingest_refuse */
void ingest_refusals_done(struct ingest_refusals *refusals);
#define AUTO_INGEST_REFUSALS CLEANUP(ingest_refusals_done)

/* For bodies and replies; what is not CBOR is JSON. */
enum ingest_form ingest_form_of(enum media media);
enum doc_form doc_form_of(enum media accept);

/* Adds what the reply will refuse to the app's counters, by cause. */
void ingest_refusals_count(struct app *app, const struct ingest_refusals *refusals,
                           const struct ingest_batch *batch);
/* The three members into the open map of doc. batch NULL: no document was left to store. Items of
 * the batch are by rising index; both lists of refusals come out as one, in the body's order. */
void ingest_reply_members(struct doc *doc, const struct ingest_refusals *refusals,
                          const struct ingest_batch *batch);

#endif
