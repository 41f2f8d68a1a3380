/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which pool tags a driver allocates with, from its code. A tag counts when it stands as an
 * immediate where compilers put the tag argument of an allocator (x86 push and stack stores, x64
 * register moves and stack stores, ARM64 MOVZ/MOVK pairs), near a call, in a file that imports an
 * allocator; four bytes that happen to be there do not. Pure; one pass over the code.
 */
#ifndef AGENT_PE_TAG_SCAN_H
#define AGENT_PE_TAG_SCAN_H

#include "agent/pe/pe.h"

enum tag_evidence {
    TAG_BYTES,   /* the four bytes stand somewhere: weak */
    TAG_CODE,    /* an argument-like immediate in code: medium */
    TAG_CALL,    /* that, right before a call of an imported allocator: strong */
    TAG_SERVICE, /* KMDF default tag from the service's name: strong */
};
const char *tag_evidence_name(enum tag_evidence evidence); /* "call", "code", ... */

struct tag_hit {
    uint32_t tag;
    enum tag_evidence evidence; /* the strongest seen */
    uint32_t address;           /* virtual address of the strongest; 0 for TAG_SERVICE */
    uint32_t count;             /* places */
    char api[48];               /* "ExAllocatePoolWithTag" for TAG_CALL where known, else "" */
};

#define TAG_SCAN_HITS_MAX LIMIT_TAGS_PER_DRIVER

struct tag_scan {
    size_t count;
    struct tag_hit hits[TAG_SCAN_HITS_MAX]; /* strongest first, then by places */
    bool more;                              /* there were more than fit */
    bool allocates;                         /* imports an allocator (or the KMDF loader) at all */
    bool packed;                            /* little code, high entropy: nothing can be said */
};

/* wanted: only these tags (sorted), with TAG_BYTES hits too; NULL: every tag with evidence TAG_CALL
 * or stronger, and TAG_CODE when `live` (sorted; may be NULL) holds it. service: the driver's
 * service name for the KMDF rule, or NULL. */
void tag_scan(const struct pe *pe, const uint32_t *wanted, size_t wanted_count,
              const uint32_t *live, size_t live_count, const char *service,
              struct tag_scan *ret_scan);

#endif
