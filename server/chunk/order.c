/* SPDX-License-Identifier: Apache-2.0 */
#include "server/chunk/order.h"

#include "common/cleanup.h"

/* Byte by byte of the key, from the last one on: four passes, whatever is in it, and an even number
 * of them, so that the items end where they were. */
bool order_by_high(uint64_t *items, size_t count)
{
    AUTO_FREE uint64_t *room = calloc(count + 1, sizeof *room);
    uint64_t *from = items, *to = room;
    if (room == NULL)
        return false;
    for (unsigned shift = 32; shift < 64; shift += 8) {
        size_t starts[257] = {0};
        for (size_t i = 0; i < count; i++)
            starts[(from[i] >> shift & 0xff) + 1]++;
        for (size_t i = 1; i < 257; i++)
            starts[i] += starts[i - 1];
        for (size_t i = 0; i < count; i++)
            to[starts[from[i] >> shift & 0xff]++] = from[i];
        uint64_t *done = to;
        to = from;
        from = done;
    }
    return true;
}
