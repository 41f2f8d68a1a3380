/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_ingest.h"
#include "common/clock.h"
#include "server/app.h"

struct refusal {
    size_t index;
    struct err err;
};

/* One request while the committer has its documents. */
struct ticket {
    struct req *rq;
    bool many;                /* NDJSON: refusals are listed, not answered with */
    bool failed;              /* memory ran out while noting a refusal */
    struct refusal *refusals; /* by rising index */
    size_t refusal_count;
    size_t refusal_capacity;
};

static void ticket_free(struct ticket *ticket)
{
    if (ticket != NULL)
        free(ticket->refusals);
    free(ticket);
}

static void cleanup_ticket(struct ticket **ticket)
{
    ticket_free(*ticket);
}

static void cleanup_batch(struct ingest_batch **batch)
{
    if (*batch != NULL)
        ingest_batch_free(*batch);
}

static void note_refusal(void *arg, size_t index, const struct err *err)
{
    struct ticket *ticket = arg;
    if (ticket->refusal_count == ticket->refusal_capacity) {
        size_t capacity = ticket->refusal_capacity == 0 ? 4 : ticket->refusal_capacity * 2;
        struct refusal *grown = realloc(ticket->refusals, capacity * sizeof *grown);
        if (grown == NULL) {
            ticket->failed = true;
            return;
        }
        ticket->refusals = grown;
        ticket->refusal_capacity = capacity;
    }
    ticket->refusals[ticket->refusal_count++] = (struct refusal){index, *err};
}

static void write_refusal(struct strbuf *out, size_t index, const struct err *err, bool *first)
{
    strbuf_puts(out, *first ? "{\"index\":" : ",{\"index\":");
    strbuf_u64(out, index);
    strbuf_puts(out, ",\"type\":\"urn:poolfleet:problem:");
    strbuf_puts(out, status_name(err->code));
    strbuf_puts(out, "\",\"detail\":");
    strbuf_json(out, err->message);
    strbuf_puts(out, ",\"field\":");
    if (err->field[0] == '\0')
        strbuf_puts(out, "null");
    else
        strbuf_json(out, err->field);
    strbuf_putc(out, '}');
    *first = false;
}

/* Both lists are by rising index; the reply has them merged. batch NULL: nothing was left of it. */
static void write_outcome(struct strbuf *out, const struct ticket *ticket,
                          const struct ingest_batch *batch)
{
    uint64_t counts[INGEST_REJECTED + 1] = {0};
    size_t count = batch == NULL ? 0 : batch->count;
    size_t noted = 0;
    bool first = true;
    for (size_t i = 0; i < count; i++)
        counts[batch->items[i].outcome]++;
    strbuf_puts(out, "{\"accepted\":");
    strbuf_u64(out, counts[INGEST_ACCEPTED]);
    strbuf_puts(out, ",\"duplicates\":");
    strbuf_u64(out, counts[INGEST_DUPLICATE]);
    strbuf_puts(out, ",\"rejected\":[");
    for (size_t i = 0; i <= count; i++) {
        for (; noted < ticket->refusal_count &&
               (i == count || ticket->refusals[noted].index < batch->items[i].index);
             noted++)
            write_refusal(out, ticket->refusals[noted].index, &ticket->refusals[noted].err, &first);
        if (i < count && batch->items[i].outcome == INGEST_REJECTED)
            write_refusal(out, batch->items[i].index, &batch->items[i].err, &first);
    }
    strbuf_puts(out, "]}\n");
}

/* On the committer's thread. */
static void on_done(struct ingest_batch *batch, void *arg)
{
    struct ticket *ticket = arg;
    struct req *rq = ticket->rq;
    struct err err = batch->err;
    enum status status = batch->status;
    if (status == ST_OK && !ticket->many && batch->items[0].outcome == INGEST_REJECTED) {
        err = batch->items[0].err;
        status = err.code == ST_OK ? ST_CONFLICT : err.code;
    }
    if (status == ST_OK)
        write_outcome(&http_resp(rq)->body, ticket, batch);
    ingest_batch_free(batch);
    ticket_free(ticket);
    http_complete(rq, status, &err);
}

static size_t line_count(const char *text, size_t length)
{
    size_t count = 1;
    const char *end = text + length;
    while ((text = memchr(text, '\n', (size_t)(end - text))) != NULL) {
        count++;
        text++;
    }
    return count;
}

enum status api_ingest_post(struct req *rq, struct resp *rs, struct err *err)
{
    CLEANUP(cleanup_ticket) struct ticket *ticket = calloc(1, sizeof *ticket);
    CLEANUP(cleanup_batch) struct ingest_batch *batch = NULL;
    const struct config *config = rq->app->config;
    const struct ingest_options options = {(size_t)config->queue_bytes, config->retention_us,
                                           config->keyframe_us};
    bool many = rq->body_media == MEDIA_NDJSON;
    size_t capacity = many ? line_count(rq->body, rq->body_length) : 1;
    if (rq->body_length == 0)
        return err_set(err, ST_MALFORMED, "could not read the body: it is empty");
    batch = ingest_batch_new(capacity < LIMIT_NDJSON_DOCUMENTS ? capacity : LIMIT_NDJSON_DOCUMENTS);
    if (ticket == NULL || batch == NULL)
        return err_set(err, ST_NOMEM, "could not read the body: out of memory");
    ticket->rq = rq;
    ticket->many = many;
    enum status status = ingest_decode_json(rq->body, rq->body_length, many, clock_wall_us(),
                                            &options, batch, note_refusal, ticket, err);
    if (status == ST_OK && ticket->failed)
        status = err_set(err, ST_NOMEM, "could not read the body: out of memory");
    if (status == ST_OK && !many && ticket->refusal_count > 0) {
        *err = ticket->refusals[0].err;
        status = err->code == ST_OK ? ST_INVALID : err->code;
    }
    if (status != ST_OK)
        return status;
    if (batch->count == 0) {
        write_outcome(&rs->body, ticket, NULL);
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
