/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where things stand in the kernel's answers, as offsets by architecture, so that one parser reads
 * both and both are tested on any machine. Every structure here is undocumented or marked as
 * changeable: the source of each is named in layout.c. "Word" is a pointer-sized number.
 */
#ifndef AGENT_NT_LAYOUT_H
#define AGENT_NT_LAYOUT_H

#include "agent/nt/calls.h"

/* Rows of pool tags: classes 22, 255 and, inside a session, 67. */
struct nt_tags_layout {
    uint16_t count; /* u32 */
    uint16_t first; /* first row */
    uint16_t stride;
    uint16_t tag;                 /* u32 */
    uint16_t allocs[2], frees[2]; /* u32, or the low half of a word; by enum pool */
    uint16_t used[2];             /* word, bytes */
};

struct nt_layout {
    unsigned pointer_bytes;
    struct nt_tags_layout tags;  /* class 22 */
    struct nt_tags_layout tags2; /* class 255 */
    struct {
        uint16_t length, page_bytes, physical_pages;
    } basic; /* class 0 */
    struct {
        uint16_t entry, threads, name, pid, handles, thread_stride;
    } processes; /* class 5 */
    struct {
        uint16_t first, stride, image_bytes, path;         /* class 11 */
        uint16_t ex_base, ex_bytes, ex_checksum, ex_stamp; /* class 77 */
    } modules;
    struct {
        uint16_t first, stride, pid, type_index;
    } handles; /* class 64 */
    struct {
        uint16_t first, stride, bytes, tag;
    } big; /* class 66 */
    struct {
        uint16_t id, count, first;
    } sessions; /* class 67 */
    struct {
        uint16_t first, entry, objects, handles, type_index;
    } types;                /* ObjectTypesInformation */
    uint16_t string_buffer; /* UNICODE_STRING: Length u16 0, MaximumLength u16 2, Buffer word */
};

extern const struct nt_layout nt_layouts[2]; /* by enum nt_arch */

/* Classes 2 and 3 are the same on both. */
#define NT_PERFORMANCE_BYTES     0x138u /* least length, taken by every version */
#define NT_PERFORMANCE_MOST      0x400u
#define NT_PERFORMANCE_AVAILABLE 0x2cu
#define NT_PERFORMANCE_COMMITTED 0x30u
#define NT_PERFORMANCE_LIMIT     0x34u
#define NT_PERFORMANCE_PAGED     0x70u
#define NT_PERFORMANCE_NONPAGED  0x74u
#define NT_TIME_BYTES            0x30u /* a larger buffer is refused */
#define NT_TIME_BOOT             0x00u
#define NT_TIME_CURRENT          0x08u
#define NT_TIME_BOOT_BIAS        0x20u

/* Little-endian reads at any alignment. */
static inline uint16_t nt_u16(const unsigned char *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t nt_u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t nt_u64(const unsigned char *at)
{
    return (uint64_t)nt_u32(at) | (uint64_t)nt_u32(at + 4) << 32;
}

static inline uint64_t nt_word(const struct nt_layout *layout, const unsigned char *at)
{
    return layout->pointer_bytes == 8 ? nt_u64(at) : nt_u32(at);
}

#endif
