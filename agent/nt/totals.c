/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/nt/query.h"

#define WHAT_BASIC       "the system's basic figures"
#define WHAT_PERFORMANCE "the system's memory figures"
#define PAGE_BYTES       4096u /* of every architecture the agent runs on; used when class 0 fails */

/* Class 0 wants its exact length. */
static enum status read_basic(struct nt_reader *reader, struct snapshot_totals *totals,
                              uint64_t *ret_page_bytes, struct err *err)
{
    const struct nt_layout *layout = nt_reader_layout(reader);
    unsigned char bytes[0x40];
    uint32_t told = 0;
    enum status status =
        nt_ask_fixed(reader, NT_CLASS_BASIC, WHAT_BASIC, bytes, layout->basic.length, &told, err);
    if (status == ST_INVALID || (status == ST_OK && told < layout->basic.physical_pages + 4u))
        return nt_contradiction(err, WHAT_BASIC, "its length is not that of the class");
    if (status != ST_OK)
        return status;
    uint64_t page = nt_u32(bytes + layout->basic.page_bytes);
    uint64_t pages = nt_u32(bytes + layout->basic.physical_pages);
    if (page < 512 || page > 1u << 20 || (page & (page - 1)) != 0 || pages == 0)
        return nt_contradiction(err, WHAT_BASIC, "page size or number of pages cannot be");
    totals_set(totals, TOTAL_PHYSICAL_BYTES, pages * page);
    *ret_page_bytes = page;
    return ST_OK;
}

/* Class 2 grew with each Windows, and takes less down to the oldest length; the others are tried in
 * case a version does not. */
static enum status read_performance(struct nt_reader *reader, unsigned char *bytes, struct err *err)
{
    static const uint32_t lengths[] = {NT_PERFORMANCE_BYTES, 0x148, 0x158, 0x178};
    uint32_t told = 0;
    enum status status = ST_INVALID;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths && status == ST_INVALID; i++)
        status = nt_ask_fixed(reader, NT_CLASS_PERFORMANCE, WHAT_PERFORMANCE, bytes, lengths[i],
                              &told, err);
    if (status == ST_INVALID && told > NT_PERFORMANCE_BYTES && told <= NT_PERFORMANCE_MOST)
        status =
            nt_ask_fixed(reader, NT_CLASS_PERFORMANCE, WHAT_PERFORMANCE, bytes, told, &told, err);
    if (status == ST_INVALID)
        return nt_contradiction(err, WHAT_PERFORMANCE, "it takes no length that is known");
    if (status == ST_OK && told < NT_PERFORMANCE_NONPAGED + 4)
        return nt_contradiction(err, WHAT_PERFORMANCE, "it is too short");
    return status;
}

enum status nt_totals(struct nt_reader *reader, struct snapshot_totals *totals, struct err *err)
{
    static const struct {
        enum total total;
        uint32_t offset;
    } figures[] = {
        {TOTAL_AVAILABLE_BYTES, NT_PERFORMANCE_AVAILABLE},
        {TOTAL_COMMIT_BYTES, NT_PERFORMANCE_COMMITTED},
        {TOTAL_COMMIT_LIMIT_BYTES, NT_PERFORMANCE_LIMIT},
        {TOTAL_PAGED_BYTES, NT_PERFORMANCE_PAGED},
        {TOTAL_NONPAGED_BYTES, NT_PERFORMANCE_NONPAGED},
    };
    unsigned char bytes[NT_PERFORMANCE_MOST];
    struct err second;
    uint64_t page = PAGE_BYTES;
    enum status basic = read_basic(reader, totals, &page, err);
    enum status status = read_performance(reader, bytes, basic == ST_OK ? err : &second);
    for (size_t i = 0; i < sizeof figures / sizeof *figures && status == ST_OK; i++) {
        uint64_t pages = nt_u32(bytes + figures[i].offset);
        if (pages > 0) /* no running system has none: it is not told (Wine) */
            totals_set(totals, figures[i].total, pages * page);
    }
    uint64_t nonpaged = 0;
    uint64_t paged = 0;
    nt_pool_limits(
        &reader->calls->version,
        totals_has(totals, TOTAL_PHYSICAL_BYTES) ? totals->value[TOTAL_PHYSICAL_BYTES] : 0,
        totals_has(totals, TOTAL_COMMIT_LIMIT_BYTES) ? totals->value[TOTAL_COMMIT_LIMIT_BYTES] : 0,
        &nonpaged, &paged);
    if (nonpaged > 0)
        totals_set(totals, TOTAL_NONPAGED_LIMIT_BYTES, nonpaged);
    if (paged > 0)
        totals_set(totals, TOTAL_PAGED_LIMIT_BYTES, paged);
    return basic != ST_OK ? basic : status;
}
