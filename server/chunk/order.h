/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting by a 32-bit key, which is what both sides of a sealed chunk spend on order. */
#ifndef SERVER_CHUNK_ORDER_H
#define SERVER_CHUNK_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* By the upper half of each, those of one key in their order. False: out of memory. */
bool order_by_high(uint64_t *items, size_t count);

#endif
