/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_agent.h"

#include "server/api/api_ingest.h"
#include "server/app.h"
#include "server/store/store_driver_files.h"

/* What the documents told of driver builds, and which builds they brought that nobody knows. */
static void note_drivers(struct wants *wants, const char *host_id, const struct ingest_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct ingest_item *item = &batch->items[i];
        const struct snapshot *snapshot = item->snapshot;
        unsigned char hash[DRIVER_FILE_HASH_BYTES];
        if (item->outcome != INGEST_ACCEPTED || !snapshot->has_drivers)
            continue;
        for (size_t d = 0; d < snapshot->driver_count; d++) {
            const struct snapshot_driver *driver = &snapshot->drivers[d];
            if (driver->has_tags && driver->sha256 != NULL &&
                driver_file_hash_parse(driver->sha256, hash))
                wants_scanned(wants, hash);
        }
        for (size_t u = 0; u < item->unscanned_count; u++)
            if (wants_offer(wants, host_id, item->unscanned[u]) != ST_OK)
                return; /* they come with the next table */
    }
}

static void put_want(struct doc *doc, const struct want *want, bool drivers)
{
    doc_key(doc, "want");
    doc_map(doc);
    if (drivers)
        doc_put_bool(doc, "drivers", true);
    if (want->processes)
        doc_put_bool(doc, "processes", true);
    if (want->scan_count > 0) {
        doc_key(doc, "scan");
        doc_list(doc, want->scan_count);
        for (size_t i = 0; i < want->scan_count; i++) {
            char text[2 * DRIVER_FILE_HASH_BYTES + 1];
            driver_file_hash_format(want->scan[i], text);
            doc_text(doc, text);
        }
        doc_list_end(doc);
    }
    if (want->block_count > 0) {
        doc_key(doc, "blocks");
        doc_list(doc, want->block_count);
        for (size_t i = 0; i < want->block_count; i++)
            doc_tag(doc, want->blocks[i]);
        doc_list_end(doc);
    }
    doc_map_end(doc);
}

static int64_t acked_sequence(const struct ingest_batch *batch)
{
    int64_t acked = SEQUENCE_UNKNOWN;
    for (size_t i = 0; i < batch->count; i++)
        if (batch->items[i].outcome != INGEST_REJECTED &&
            batch->items[i].snapshot->sequence > acked)
            acked = batch->items[i].snapshot->sequence;
    return acked;
}

/* On the committer's thread, or on the network thread when no document was left. */
static void put_members(const struct req *rq, const struct ingest_batch *batch, struct doc *doc)
{
    struct wants *wants = rq->app->wants;
    struct want want = {0};
    int64_t acked = batch == NULL ? SEQUENCE_UNKNOWN : acked_sequence(batch);
    if (acked != SEQUENCE_UNKNOWN)
        doc_put_uint(doc, "acked_sequence", (uint64_t)acked);
    doc_key(doc, "config");
    doc_map(doc);
    doc_put_uint(doc, "interval_seconds",
                 (uint64_t)(rq->app->config->agent_interval_us / US_PER_SECOND));
    doc_map_end(doc);
    if (batch != NULL && rq->token_host_id != NULL) {
        note_drivers(wants, rq->token_host_id, batch);
        wants_take(wants, rq->token_host_id, clock_mono_us(), &want);
    }
    put_want(doc, &want, batch != NULL && batch->lacks_drivers);
}

enum status api_agent_post(struct req *rq, struct resp *rs, struct err *err)
{
    return api_ingest_take(rq, rs, put_members, err);
}
