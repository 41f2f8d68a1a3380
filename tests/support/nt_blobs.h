/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel answers made from plain descriptions, for x64 and x86. The structures are written here as
 * C a second time and not taken from agent/nt/layout.c, so that a wrong offset in either shows. All
 * functions append one whole answer to `out` (check strbuf_failed). Pointers inside an answer count
 * from `base`; every field that would hold a kernel address holds blob_address.
 */
#ifndef TESTS_SUPPORT_NT_BLOBS_H
#define TESTS_SUPPORT_NT_BLOBS_H

#include "agent/nt/calls.h"
#include "common/strbuf.h"

/* What stands where a kernel would write an address: its bytes must never come out. */
#define BLOB_ADDRESS_64 0xfffff8a5c3d2e1b7ull
#define BLOB_ADDRESS_32 0xc3d2e1b7u

struct blob_tag {
    uint32_t tag;                          /* raw: bit 31 may be set */
    uint64_t allocs[2], frees[2], used[2]; /* by enum pool; cut to the field's width */
};
struct blob_process {
    uint64_t pid;
    const char *image; /* ASCII; NULL: none */
    uint32_t handles;
    uint32_t threads;
};
struct blob_type {
    const char *name; /* ASCII */
    uint32_t objects, handles;
    unsigned index;
};
struct blob_module {
    const char *path; /* bytes, up to 255 */
    uint32_t image_bytes, stamp, checksum;
};
struct blob_handle {
    uint64_t pid;
    uint16_t type_index;
};
struct blob_big {
    uint32_t tag; /* raw */
    uint64_t bytes;
};
struct blob_session {
    uint32_t id;
    const struct blob_tag *tags;
    size_t count;
};
struct blob_performance { /* pages */
    uint32_t available, committed, commit_limit, paged, nonpaged;
};

void blob_tags(struct strbuf *out, enum nt_arch arch, const struct blob_tag *tags, size_t count);
void blob_tags2(struct strbuf *out, enum nt_arch arch, const struct blob_tag *tags, size_t count);
void blob_basic(struct strbuf *out, enum nt_arch arch, uint32_t page_bytes, uint32_t pages);
void blob_performance(struct strbuf *out, const struct blob_performance *figures, size_t length);
/* 100 ns since 1601. */
void blob_time(struct strbuf *out, int64_t boot, int64_t now, int64_t boot_bias);
void blob_processes(struct strbuf *out, enum nt_arch arch, uint64_t base,
                    const struct blob_process *processes, size_t count);
void blob_types(struct strbuf *out, enum nt_arch arch, uint64_t base, const struct blob_type *types,
                size_t count);
void blob_modules(struct strbuf *out, enum nt_arch arch, const struct blob_module *modules,
                  size_t count); /* class 11 */
void blob_modules_ex(struct strbuf *out, enum nt_arch arch, const struct blob_module *modules,
                     size_t count); /* class 77 */
void blob_handles(struct strbuf *out, enum nt_arch arch, const struct blob_handle *handles,
                  size_t count);
void blob_big(struct strbuf *out, enum nt_arch arch, const struct blob_big *blocks, size_t count);
void blob_sessions(struct strbuf *out, enum nt_arch arch, const struct blob_session *sessions,
                   size_t count);

#endif
