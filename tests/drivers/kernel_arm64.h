/* SPDX-License-Identifier: Apache-2.0 */
/* The DDK headers at hand refuse ARM64: what the test drivers need, with the types' sizes and the
 * order of arguments as documented. */
#ifndef TESTS_DRIVERS_KERNEL_ARM64_H
#define TESTS_DRIVERS_KERNEL_ARM64_H

#include <ntdef.h>

enum { NonPagedPool = 0, PagedPool = 1, NormalPoolPriority = 16 };
typedef struct {
    ULONG64 words[42];
} DRIVER_OBJECT, *PDRIVER_OBJECT;
typedef struct {
    ULONG64 words[16];
} NPAGED_LOOKASIDE_LIST, PAGED_LOOKASIDE_LIST, LOOKASIDE_LIST_EX;

#define NTSYSAPI IMPORTED
IMPORTED PVOID NTAPI ExAllocatePoolWithTag(int pool, SIZE_T bytes, ULONG tag);
IMPORTED PVOID NTAPI ExAllocatePoolWithQuotaTag(int pool, SIZE_T bytes, ULONG tag);
IMPORTED PVOID NTAPI ExAllocatePoolWithTagPriority(int pool, SIZE_T bytes, ULONG tag, int priority);
IMPORTED VOID NTAPI ExFreePoolWithTag(PVOID memory, ULONG tag);
IMPORTED VOID NTAPI ExInitializeNPagedLookasideList(PVOID list, PVOID allocate, PVOID release,
                                                    ULONG flags, SIZE_T bytes, ULONG tag,
                                                    USHORT depth);
IMPORTED VOID NTAPI ExInitializePagedLookasideList(PVOID list, PVOID allocate, PVOID release,
                                                   ULONG flags, SIZE_T bytes, ULONG tag,
                                                   USHORT depth);
IMPORTED NTSTATUS NTAPI ExInitializeLookasideListEx(PVOID list, PVOID allocate, PVOID release,
                                                    int pool, ULONG flags, SIZE_T bytes, ULONG tag,
                                                    USHORT depth);
IMPORTED ULONG __cdecl DbgPrint(const char *format, ...);

#endif
