/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel tells: each reader asks one information class with the growth rule of query.c,
 * checks every offset and count against what was written, and gives columns or plain structs.
 * Layouts by architecture are tables (layout.h), both compiled in, so both are tested natively.
 * Sources of each layout: WINDOWS facts in the comments of layout.h. Nothing here logs; nothing
 * here returns a kernel address. One thread; the reader owns one buffer that it reuses.
 */
#ifndef AGENT_NT_NT_H
#define AGENT_NT_NT_H

#include "agent/nt/calls.h"
#include "common/snapshot.h"

struct nt_buffer {
    unsigned char *data; /* owned */
    size_t capacity;
};

struct nt_reader {
    const struct nt_calls *calls;
    struct nt_buffer buffer;  /* answers of what every snapshot asks; grows, never shrinks */
    struct nt_buffer scratch; /* for sorting rows, and small answers */
    bool tags2_refused;  /* class 255 was wrong or missing once: not asked again in this process */
    uint32_t missing[9]; /* bit per class: the kernel does not have it; not asked again */
};
void nt_reader_init(struct nt_reader *reader, const struct nt_calls *calls);
void nt_reader_done(struct nt_reader *reader);

/* Class 22 (and 255 on builds that have it, cross-checked with 22, silently dropped when it does
 * not agree) into two sorted tables in `arena`, one row per pool with allocs, frees, bytes. A row
 * that is all zero in one pool is left out of that pool. ST_UNSUPPORTED: no such class, or tagging
 * off (zero rows; the hint says how to switch it on); ST_TOO_LARGE: more than LIMIT_TABLE_ROWS rows
 * in a pool; and what every reader returns: ST_FORBIDDEN: access denied; ST_MALFORMED: an answer
 * that contradicts itself; ST_NOMEM: the agent or the kernel is short of memory; ST_IO: else, with
 * the status in hex. */
enum status nt_pool_tags(struct nt_reader *reader, struct arena *arena,
                         struct snapshot_table ret_table[POOL_COUNT], struct err *err) MUST_CHECK;

/* Classes 0 and 2 (class 182 not needed): what is known of totals, pages turned into bytes. Sets
 * limits by version and architecture (limits.c) where the kernel does not tell. When one class
 * fails the other's figures are set all the same, and the first failure is returned. */
enum status nt_totals(struct nt_reader *reader, struct snapshot_totals *totals,
                      struct err *err) MUST_CHECK;

struct nt_clocks {
    int64_t wall_us;
    int64_t boot_at_us; /* BootTime - BootTimeBias */
    int64_t uptime_us;  /* CurrentTime - BootTime */
};
enum status nt_clocks(struct nt_reader *reader, struct nt_clocks *ret_clocks,
                      struct err *err) MUST_CHECK; /* class 3 */

/* Class 5: the `most` processes with most handles, or all (most = SIZE_MAX; at most
 * LIMIT_PROCESSES), most handles first; adds handles, processes and threads to totals. */
enum status nt_processes(struct nt_reader *reader, struct arena *arena, size_t most,
                         struct snapshot_totals *totals, struct snapshot_process **ret_processes,
                         size_t *ret_count, struct err *err) MUST_CHECK;

/* ObjectTypesInformation: objects and handles per type. */
enum status nt_object_types(struct nt_reader *reader, struct arena *arena,
                            struct snapshot_object **ret_objects, size_t *ret_count,
                            struct err *err) MUST_CHECK;

/* Names of the object types by type index, as class 64 uses it; NULL where there is none. */
enum status nt_type_names(struct nt_reader *reader, struct arena *arena, const char ***ret_names,
                          size_t *ret_count, struct err *err) MUST_CHECK;

/* Class 64, on demand: handles per object type index of one process (0: all processes). */
struct nt_handle_count {
    uint16_t type_index;
    uint64_t handles;
};
enum status nt_handles(struct nt_reader *reader, struct arena *arena, uint64_t pid,
                       struct nt_handle_count **ret_counts, size_t *ret_count,
                       struct err *err) MUST_CHECK;

/* Class 77, else 11: what is loaded. Never an address: 24H2 gives none without SeDebug. */
struct nt_module {
    const char *path; /* as the kernel tells it: "\\SystemRoot\\System32\\drivers\\a.sys" (UTF-8) */
    const char *name; /* last part of path */
    uint32_t image_bytes;
    bool has_stamp; /* class 77 */
    uint32_t stamp; /* TimeDateStamp; a hash for reproducible builds */
    uint32_t checksum;
};
enum status nt_modules(struct nt_reader *reader, struct arena *arena,
                       struct nt_module **ret_modules, size_t *ret_count,
                       struct err *err) MUST_CHECK;

/* Class 66, on demand: sizes of the big blocks of `tag_count` tags (at most LIMIT_BLOCK_TAGS),
 * sorted by tag; a tag without any has count 0. ST_UNSUPPORTED below 5.2, where the class is
 * another. */
enum status nt_big_blocks(struct nt_reader *reader, struct arena *arena, const uint32_t *tags,
                          size_t tag_count, struct snapshot_blocks **ret_blocks, size_t *ret_count,
                          struct err *err) MUST_CHECK;

/* Class 67, off by default: session pool in use per session. */
enum status nt_sessions(struct nt_reader *reader, struct arena *arena,
                        struct snapshot_session **ret_sessions, size_t *ret_count,
                        struct err *err) MUST_CHECK;

/* Most the pools can grow to, by version and architecture; 0: not known. */
void nt_pool_limits(const struct nt_version *version, uint64_t physical_bytes,
                    uint64_t commit_limit_bytes, uint64_t *ret_nonpaged, uint64_t *ret_paged);

/* Recorded answers instead of a kernel, for demonstration and tests: a folder of files
 * "<class>-<n>.bin" ("22-0.bin", "22-1.bin", ... one per answer given, the last one repeats;
 * "types-0.bin" for object types) and "version.txt" ("10.0.26100.4061 server x64"). Always
 * `simulated`. Answers are given as the real kernel does, buffers that are too small included; a
 * class without a file is one the kernel does not have. Without "3-0.bin" (clocks) the caller uses
 * its own clock. Pointers inside recorded answers count from NT_REPLAY_BASE. */
#define NT_REPLAY_BASE 0x20000000u /* chosen: fits a pointer of either architecture */
struct nt_replay;
enum status nt_replay_open(const char *folder, struct nt_replay **ret_replay,
                           struct err *err) MUST_CHECK;
void nt_replay_close(struct nt_replay *replay);
const struct nt_calls *nt_replay_calls(struct nt_replay *replay);

#endif
