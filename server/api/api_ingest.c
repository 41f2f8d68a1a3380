/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_ingest.h"
#include "common/clock.h"
#include "common/log.h"
#include "server/api/ingest_reply.h"
#include "server/app.h"

/* One request while the committer has its documents. */
struct ticket {
    struct req *rq;
    bool many;        /* several documents: refusals are listed, not answered with */
    ingest_more more; /* NULL: nothing to add */
    struct ingest_refusals refusals;
};

static void cleanup_ticket(struct ticket **ticket)
{
    if (*ticket != NULL)
        ingest_refusals_done(&(*ticket)->refusals);
    free(*ticket);
}

static void cleanup_batch(struct ingest_batch **batch)
{
    if (*batch != NULL)
        ingest_batch_free(*batch);
}

/* batch NULL: nothing was left of it. */
static void write_outcome(const struct ticket *ticket, const struct ingest_batch *batch,
                          struct resp *rs)
{
    struct doc doc;
    doc_init(&doc, doc_form_of(ticket->rq->accept), &rs->body);
    doc_map(&doc);
    ingest_refusals_count(ticket->rq->app, &ticket->refusals, batch);
    ingest_reply_members(&doc, &ticket->refusals, batch);
    if (ticket->more != NULL)
        ticket->more(ticket->rq, batch, &doc);
    doc_map_end(&doc);
    doc_finish(&doc);
}

/* Nothing of a copied identity is taken: its agent enrolls anew and is heard under its own. */
static enum status refuse_clone(struct req *rq, struct err *err)
{
    log_warning("two machines post as one host; the later one must enroll anew", "host",
                rq->token_host_id, "peer", rq->peer, "request", rq->request_id);
    struct resp *rs = http_resp(rq);
    rs->code = 401;
    rs->problem = "identity_cloned";
    return err_set(err, ST_UNAUTHORIZED,
                   "another machine posts under this identity: give it up and enroll anew");
}

/* On the committer's thread. */
static void on_done(struct ingest_batch *batch, void *arg)
{
    CLEANUP(cleanup_ticket) struct ticket *ticket = arg;
    struct req *rq = ticket->rq;
    struct err err = batch->err;
    enum status status = batch->status;
    if (status == ST_OK && batch->cloned)
        status = refuse_clone(rq, &err);
    else if (status == ST_OK && !ticket->many && batch->items[0].outcome == INGEST_REJECTED) {
        err = batch->items[0].err;
        status = err.code == ST_OK ? ST_CONFLICT : err.code;
    }
    if (status == ST_OK)
        write_outcome(ticket, batch, http_resp(rq));
    ingest_batch_free(batch);
    http_complete(rq, status, &err);
}

enum status api_ingest_post(struct req *rq, struct resp *rs, struct err *err)
{
    return api_ingest_take(rq, rs, NULL, err);
}

enum status api_ingest_take(struct req *rq, struct resp *rs, ingest_more more, struct err *err)
{
    CLEANUP(cleanup_ticket) struct ticket *ticket = calloc(1, sizeof *ticket);
    CLEANUP(cleanup_batch) struct ingest_batch *batch = ingest_batch_new(1);
    const struct config *config = rq->app->config;
    const struct ingest_options options = {(size_t)config->queue_bytes, config->retention_us,
                                           config->keyframe_us};
    enum ingest_form form = ingest_form_of(rq->body_media);
    if (rq->body_length == 0)
        return err_set(err, ST_MALFORMED, "could not read the body: it is empty");
    if (ticket == NULL || batch == NULL)
        return err_set(err, ST_NOMEM, "could not read the body: out of memory");
    ticket->rq = rq;
    ticket->more = more;
    ticket->many = ingest_form_many(form);
    enum status status = ingest_decode(rq->body, rq->body_length, form, clock_wall_us(), &options,
                                       batch, ingest_refusals_note, &ticket->refusals, err);
    if (status == ST_OK && ticket->refusals.failed)
        status = err_set(err, ST_NOMEM, "could not read the body: out of memory");
    if (status != ST_OK)
        return status;
    if (batch->count == 0) {
        write_outcome(ticket, NULL, rs);
        return ST_OK;
    }
    batch->only_host = rq->token_host_id;
    batch->done = on_done;
    batch->arg = ticket;
    /* Before handing over: on_done may run before ingest_submit returns, and then rq is gone. */
    http_defer(rq);
    struct ingest *ingest = rq->app->ingest;
    status = ingest_submit(ingest, batch, err);
    if (status != ST_OK) {
        http_complete(rq, status, err);
        return ST_OK;
    }
    (void)TAKE(batch);
    (void)TAKE(ticket);
    return ST_OK;
}
