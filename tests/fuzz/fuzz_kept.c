/* SPDX-License-Identifier: Apache-2.0 */
/* A stored host from a hostile disk: it is refused, or a host that a pass, one more document and
 * storing it again can live with. The input stands for what lies behind checksum and compression,
 * and also for the whole. */
#include "server/analyze/kept_inside.h"
#include "server/analyze/kept_store.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* A pass, as of a little later than the newest pick. */
static void add(struct fleet *fleet, struct kept *kept)
{
    fleet->count = fleet->fault_count = 0;
    must(fleet_add_kept(fleet, kept, kept_taken_us(kept) + US_PER_MINUTE, 0) == ST_OK);
}

static void put(struct kept *kept)
{
    uint32_t tags[] = {0x41414141, 0x42424242}, counts[] = {7, 8};
    uint64_t bytes[] = {1u << 20, UINT64_C(1) << 40};
    struct snapshot_table tables[POOL_COUNT] = {{.present = true,
                                                 .count = 2,
                                                 .tag = tags,
                                                 .allocs = counts,
                                                 .frees = counts,
                                                 .bytes = bytes}};
    struct kept_document document = {
        .point = {.taken_at_us = kept_taken_us(kept) + US_PER_MINUTE,
                  .boot_at_us = kept->picks[kept->pick_count - 1].boot_at_us,
                  .table = tables},
        .sequence = 1,
        .base = kept->sequence,
        .received_us = kept_taken_us(kept) + US_PER_HOUR,
        .details = true};
    must(kept_put(kept, &document) == ST_OK);
}

static void use(struct fleet *fleet, struct kept *kept)
{
    AUTO_STRBUF struct strbuf first = STRBUF_INIT;
    AUTO_STRBUF struct strbuf second = STRBUF_INIT;
    struct kept *back = kept_new();
    must(back != NULL && kept_storable(kept) && kept_bytes(kept) > 0);
    if (fleet_store(fleet, kept, &first) == ST_OK) {
        must(fleet_restore(fleet, back, first.data, first.length) == ST_OK);
        must(fleet_store(fleet, back, &second) == ST_OK);
        must(first.length == second.length && memcmp(first.data, second.data, first.length) == 0);
    }
    kept_free(back);
    add(fleet, kept);
    put(kept);
    add(fleet, kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fleet fleet = {0};
    struct kept *kept = kept_new();
    must(kept != NULL);
    if (kept_read(&fleet, kept, data, size) == ST_OK)
        use(&fleet, kept);
    if (fleet_restore(&fleet, kept, data, size) == ST_OK)
        use(&fleet, kept);
    kept_free(kept);
    fleet_done(&fleet);
    return 0;
}
