/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which pool tags a driver allocates with, from its code. A tag counts as proven when a constant
 * reaches the tag argument of an imported allocator's call (x86 stack words; x64 and ARM64
 * registers and stack words), through registers, stack slots, forward branches and helper
 * functions; four bytes that happen to stand near a call do not. The code is decoded from front to
 * back, at most three times, so the time is linear in its size. Pure; no allocation (about 60 KB of
 * stack).
 */
#ifndef AGENT_PE_TAG_SCAN_H
#define AGENT_PE_TAG_SCAN_H

#include "agent/pe/pe.h"

enum tag_evidence {
    TAG_BYTES,   /* the four bytes stand somewhere: weak */
    TAG_CODE,    /* an argument-like immediate in code: medium */
    TAG_CALL,    /* a constant that reaches the tag argument of an imported allocator: strong */
    TAG_SERVICE, /* KMDF default tag from the service's name: strong */
};
const char *tag_evidence_name(enum tag_evidence evidence); /* "call", "code", ... */

struct tag_hit {
    uint32_t tag;
    enum tag_evidence evidence; /* the strongest seen */
    uint32_t address;           /* virtual address of the strongest; 0 for TAG_SERVICE */
    uint32_t count;             /* places */
    char api[48];               /* "ExAllocatePoolWithTag" for TAG_CALL where known, else "" */
    bool frees;                 /* api only frees with the tag: it may be another driver's */
};

#define TAG_SCAN_HITS_MAX LIMIT_TAGS_PER_DRIVER

struct tag_scan {
    size_t count;
    struct tag_hit hits[TAG_SCAN_HITS_MAX]; /* strongest first, then by places */
    bool more;                              /* there were more than fit */
    bool allocates;                         /* imports an allocator (or the KMDF loader) at all */
    bool packed; /* code of high entropy, or not in the file: nothing can be said */
};

/* wanted: only these tags (sorted), with TAG_BYTES hits too; NULL: every tag with evidence TAG_CALL
 * or stronger, and TAG_CODE when `live` (sorted; may be NULL) holds it. service: the driver's
 * service name for the KMDF rule, or NULL. */
void tag_scan(const struct pe *pe, const uint32_t *wanted, size_t wanted_count,
              const uint32_t *live, size_t live_count, const char *service,
              struct tag_scan *ret_scan);

#endif
