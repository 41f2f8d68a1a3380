/* SPDX-License-Identifier: Apache-2.0 */
#include "server/ingest/ingest.h"

#include "common/limits.h"
#include "common/snapshot_cbor.h"
#include "common/snapshot_json.h"

#include <string.h>

struct ingest_batch *ingest_batch_new(size_t capacity)
{
    struct ingest_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        return NULL;
    batch->items = calloc(capacity == 0 ? 1 : capacity, sizeof *batch->items);
    if (batch->items == NULL) {
        free(batch);
        return NULL;
    }
    return batch;
}

static void item_done(struct ingest_item *item)
{
    if (item->snapshot != NULL)
        snapshot_done(item->snapshot);
    free(item->snapshot);
    strbuf_done(&item->block);
    strbuf_done(&item->detail);
}

void ingest_batch_free(struct ingest_batch *batch)
{
    if (batch == NULL)
        return;
    for (size_t i = 0; i < batch->count; i++)
        item_done(&batch->items[i]);
    free(batch->items);
    free(batch);
}

/* What the server adds to the document's own rules. */
static enum status check_time(const struct snapshot *snapshot, int64_t now_us,
                              const struct ingest_options *options, struct err *err)
{
    if (snapshot->taken_at_us > now_us + LIMIT_FUTURE_SECONDS * US_PER_SECOND)
        return err_field(err, ST_INVALID, "taken_at", "more than %d minutes ahead of the server",
                         LIMIT_FUTURE_SECONDS / 60);
    if (options->retention_us > 0 && snapshot->taken_at_us < now_us - options->retention_us)
        return err_field(err, ST_INVALID, "taken_at", "older than the server keeps (%lld days)",
                         (long long)(options->retention_us / US_PER_DAY));
    return ST_OK;
}

static enum status decode_one(enum ingest_form form, const char *text, size_t length,
                              int64_t now_us, const struct ingest_options *options,
                              struct ingest_batch *batch, size_t index, struct err *err)
{
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (snapshot == NULL)
        return err_set(err, ST_NOMEM, "could not read a document: out of memory");
    enum status status = form == INGEST_CBOR || form == INGEST_CBOR_SEQ
                             ? snapshot_cbor_decode(text, length, snapshot, err)
                             : snapshot_json_decode(text, length, snapshot, err);
    if (status != ST_OK) {
        free(snapshot);
        return status;
    }
    status = check_time(snapshot, now_us, options, err);
    if (status != ST_OK) {
        snapshot_done(snapshot);
        free(snapshot);
        return status;
    }
    batch->items[batch->count++] =
        (struct ingest_item){.snapshot = snapshot, .index = index, .cost_bytes = length};
    return ST_OK;
}

/* The documents of one body, one after the other. */
struct splitter {
    const char *at;
    const char *end;
    enum ingest_form form;
};

static bool is_blank(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return false;
    }
    return true;
}

/* The next line that is not blank; false at the end. */
static bool next_line(struct splitter *body, const char **ret_line, size_t *ret_length)
{
    while (body->at < body->end) {
        const char *line = body->at;
        const char *stop = memchr(line, '\n', (size_t)(body->end - line));
        size_t length = (size_t)((stop == NULL ? body->end : stop) - line);
        body->at = stop == NULL ? body->end : stop + 1;
        if (!is_blank(line, length)) {
            *ret_line = line;
            *ret_length = length;
            return true;
        }
    }
    return false;
}

/* The next document; false at the end. Of broken CBOR everything that is left: decoding it then
 * says where it breaks. */
static bool next_document(struct splitter *body, const char **ret_text, size_t *ret_length)
{
    if (body->form == INGEST_NDJSON)
        return next_line(body, ret_text, ret_length);
    size_t left = (size_t)(body->end - body->at);
    if (left == 0)
        return false;
    *ret_text = body->at;
    if (snapshot_cbor_span(body->at, left, ret_length, NULL) != ST_OK)
        *ret_length = left;
    body->at += *ret_length;
    return true;
}

static enum status make_room(struct ingest_batch *batch, size_t more, struct err *err)
{
    struct ingest_item *items = reallocarray(batch->items, batch->count + more + 1, sizeof *items);
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not read documents: out of memory");
    batch->items = items;
    return ST_OK;
}

static enum status count_documents(struct splitter body, size_t *ret_count, struct err *err)
{
    const char *text;
    size_t length;
    size_t count = 0;
    while (next_document(&body, &text, &length))
        count++;
    if (count > LIMIT_NDJSON_DOCUMENTS)
        return err_set(err, ST_TOO_LARGE, "%zu documents are over the limit of %u a body", count,
                       LIMIT_NDJSON_DOCUMENTS);
    *ret_count = count;
    return ST_OK;
}

enum status ingest_decode(const char *body, size_t length, enum ingest_form form, int64_t now_us,
                          const struct ingest_options *options, struct ingest_batch *batch,
                          ingest_refuse refuse, void *arg, struct err *err)
{
    struct splitter rest = {body, body + length, form};
    const char *text;
    size_t text_length;
    size_t count = 1;
    enum status status = ingest_form_many(form) ? count_documents(rest, &count, err) : ST_OK;
    if (status == ST_OK)
        status = make_room(batch, count, err);
    if (status != ST_OK)
        return status;
    if (!ingest_form_many(form))
        return decode_one(form, body, length, now_us, options, batch, 0, err);
    for (size_t index = 0; next_document(&rest, &text, &text_length); index++) {
        struct err why = {0};
        status = decode_one(form, text, text_length, now_us, options, batch, index, &why);
        if (status == ST_NOMEM)
            return err_set(err, status, "%s", why.message);
        if (status != ST_OK)
            refuse(arg, index, &why);
    }
    return ST_OK;
}
