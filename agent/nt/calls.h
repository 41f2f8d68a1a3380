/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls the readers of agent/nt use, as a table, so that the same parsers run on a live
 * kernel (agent/win/calls.c), on recorded blobs (replay.c) and under a test's fake kernel. Words
 * are NT's: information classes by number, NTSTATUS as int32_t.
 */
#ifndef AGENT_NT_CALLS_H
#define AGENT_NT_CALLS_H

#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NT_SUCCESS_STATUS         0
#define NT_BUFFER_OVERFLOW        ((int32_t)0x80000005)
#define NT_NOT_IMPLEMENTED        ((int32_t)0xC0000002)
#define NT_INVALID_INFO_CLASS     ((int32_t)0xC0000003)
#define NT_INFO_LENGTH_MISMATCH   ((int32_t)0xC0000004)
#define NT_ACCESS_DENIED          ((int32_t)0xC0000022)
#define NT_BUFFER_TOO_SMALL       ((int32_t)0xC0000023)
#define NT_PRIVILEGE_NOT_HELD     ((int32_t)0xC0000061)
#define NT_INSUFFICIENT_RESOURCES ((int32_t)0xC000009A)
#define NT_NO_MEMORY              ((int32_t)0xC0000017)
#define NT_NOT_SUPPORTED          ((int32_t)0xC00000BB)

enum nt_arch { NT_X86, NT_X64 }; /* width of the kernel's structures; ARM64 has those of x64 */

struct nt_version {
    unsigned major, minor, build, revision; /* 10, 0, 26100, 4061; revision 0: unknown */
    bool server;
    enum nt_arch arch;
    bool arm64;
};

struct nt_calls {
    void *arg;
    struct nt_version version;
    bool simulated; /* not a live kernel; every snapshot made from it says so */
    /* NtQuerySystemInformation. */
    int32_t (*query_system)(void *arg, uint32_t information_class, void *buffer, uint32_t length,
                            uint32_t *ret_length);
    /* NtQueryObject(NULL, ObjectTypesInformation = 3). */
    int32_t (*query_object_types)(void *arg, void *buffer, uint32_t length, uint32_t *ret_length);
    /* Where the buffer stands in the kernel's answer's own address space: pointers inside an answer
     * (UNICODE_STRING.Buffer) minus this are offsets. The buffer's address when live. */
    uint64_t (*buffer_address)(void *arg, const void *buffer);
};

#endif
