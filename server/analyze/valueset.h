/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values of all attributes that affected hosts have, each once. Ten thousand hosts with five
 * hundred attributes look up five million of them, so that a search by halves would take longer
 * than all else of an explanation. Internal to server/analyze. Not shared between threads.
 */
#ifndef SERVER_ANALYZE_VALUESET_H
#define SERVER_ANALYZE_VALUESET_H

#include "common/cleanup.h"
#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One (name, value) found on an affected host. */
struct value {
    uint32_t name; /* places in the fleet's texts */
    uint32_t value;
    size_t with;   /* affected hosts that have it */
    size_t others; /* unaffected ones */
    size_t before; /* affected hosts where it came shortly before the growth */
    size_t after;  /* ... where it came only after the growth had begun */
    size_t moved;  /* unaffected hosts that gave it up */
    double p;
    double q;
    double rank;        /* of its attribute, larger is better */
    size_t role_others; /* unaffected hosts of the same roles that have it */
    bool guilty;        /* part of what its attribute explains */
    bool versions;
    double attribute_p;
};

struct valueset {
    struct value *items;
    size_t count;
    size_t capacity;
    uint32_t *slots; /* open addressing, place + 1 */
    size_t slot_count;
};

void valueset_done(struct valueset *set);
#define AUTO_VALUESET CLEANUP(valueset_done)

/* The value, added when new; good until the next call. ST_NOMEM. */
enum status valueset_add(struct valueset *set, uint32_t name, uint32_t value,
                         struct value **ret_value) MUST_CHECK;
/* NULL: no affected host has it. */
struct value *valueset_find(const struct valueset *set, uint32_t name, uint32_t value);
/* Orders the items by name, then by value. */
void valueset_sort(struct valueset *set);

#endif
