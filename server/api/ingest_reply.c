/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/ingest_reply.h"
#include "server/app.h"

void ingest_refusals_note(void *refusals, size_t index, const struct err *err)
{
    struct ingest_refusals *list = refusals;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 4 : list->capacity * 2;
        struct ingest_refusal *grown = realloc(list->items, capacity * sizeof *grown);
        if (grown == NULL) {
            list->failed = true;
            return;
        }
        list->items = grown;
        list->capacity = capacity;
    }
    list->items[list->count++] = (struct ingest_refusal){index, *err};
}

void ingest_refusals_done(struct ingest_refusals *refusals)
{
    free(refusals->items);
    *refusals = (struct ingest_refusals){0};
}

enum ingest_form ingest_form_of(enum media media)
{
    switch (media) {
    case MEDIA_CBOR:
        return INGEST_CBOR;
    case MEDIA_CBOR_SEQ:
        return INGEST_CBOR_SEQ;
    case MEDIA_NDJSON:
        return INGEST_NDJSON;
    default:
        return INGEST_JSON;
    }
}

enum doc_form doc_form_of(enum media accept)
{
    return accept == MEDIA_CBOR ? DOC_CBOR : DOC_JSON;
}

static void count_one(struct app *app, enum status code)
{
    atomic_fetch_add_explicit(&app->refused[(unsigned)code < ST_COUNT_ ? code : ST_BUG], 1,
                              memory_order_relaxed);
}

void ingest_refusals_count(struct app *app, const struct ingest_refusals *refusals,
                           const struct ingest_batch *batch)
{
    for (size_t i = 0; i < refusals->count; i++)
        count_one(app, refusals->items[i].err.code);
    for (size_t i = 0; batch != NULL && i < batch->count; i++)
        if (batch->items[i].outcome == INGEST_REJECTED)
            count_one(app, batch->items[i].err.code);
}

static void put_refusal(struct doc *doc, size_t index, const struct err *err)
{
    char type[64]; /* names of statuses have at most 12 letters */
    snprintf(type, sizeof type, "urn:poolfleet:problem:%s", status_name(err->code));
    doc_map(doc);
    doc_put_uint(doc, "index", index);
    doc_put_text(doc, "type", type);
    doc_put_text(doc, "detail", err->message);
    doc_put_text(doc, "field", err->field[0] == '\0' ? NULL : err->field);
    doc_map_end(doc);
}

void ingest_reply_members(struct doc *doc, const struct ingest_refusals *refusals,
                          const struct ingest_batch *batch)
{
    uint64_t counts[INGEST_REJECTED + 1] = {0};
    size_t count = batch == NULL ? 0 : batch->count;
    size_t noted = 0;
    for (size_t i = 0; i < count; i++)
        counts[batch->items[i].outcome]++;
    doc_put_uint(doc, "accepted", counts[INGEST_ACCEPTED]);
    doc_put_uint(doc, "duplicates", counts[INGEST_DUPLICATE]);
    doc_key(doc, "rejected");
    doc_list(doc, refusals->count + counts[INGEST_REJECTED]);
    for (size_t i = 0; i <= count; i++) {
        for (; noted < refusals->count &&
               (i == count || refusals->items[noted].index < batch->items[i].index);
             noted++)
            put_refusal(doc, refusals->items[noted].index, &refusals->items[noted].err);
        if (i < count && batch->items[i].outcome == INGEST_REJECTED)
            put_refusal(doc, batch->items[i].index, &batch->items[i].err);
    }
    doc_list_end(doc);
}
