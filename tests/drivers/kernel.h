/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the test drivers call that the DDK headers at hand do not declare. Tags are written with
 * TAG('a','b','c','d'), in the order poolmon shows them.
 */
#ifndef TESTS_DRIVERS_KERNEL_H
#define TESTS_DRIVERS_KERNEL_H

#ifdef THUNKS /* calls go through the import library's stubs */
#define _NTOSKRNL_
#define IMPORTED
#else
#define IMPORTED __declspec(dllimport)
#endif

#ifdef __aarch64__
#include "kernel_arm64.h"
#else
#include <ntddk.h>
#endif

#define TAG(a, b, c, d) ((ULONG)(a) | (ULONG)(b) << 8 | (ULONG)(c) << 16 | (ULONG)(d) << 24)

IMPORTED PVOID NTAPI ExAllocatePool2(ULONG64 flags, SIZE_T bytes, ULONG tag);
IMPORTED PVOID NTAPI ExAllocatePool3(ULONG64 flags, SIZE_T bytes, ULONG tag, PVOID more,
                                     ULONG count);
IMPORTED PVOID NTAPI NdisAllocateMemoryWithTagPriority(PVOID handle, ULONG bytes, ULONG tag,
                                                       int priority);
IMPORTED int NTAPI NdisAllocateMemoryWithTag(PVOID *memory, ULONG bytes, ULONG tag);
IMPORTED ULONG __cdecl StorPortExtendedFunction(int code, PVOID extension, ...);
IMPORTED PVOID NTAPI FltAllocatePoolAlignedWithTag(PVOID instance, int pool, SIZE_T bytes,
                                                   ULONG tag);
IMPORTED NTSTATUS NTAPI WdfVersionBind(PDRIVER_OBJECT driver, PUNICODE_STRING path, PVOID info,
                                       PVOID *globals);

#define NOINLINE __attribute__((noinline))
#define USED     __attribute__((used))

/* Keeps what was allocated alive for the optimizer. */
extern volatile PVOID kept[16];
#define KEEP                                                                                       \
    volatile PVOID kept[16];                                                                       \
    int _fltused = 1

#endif
