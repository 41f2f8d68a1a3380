/* SPDX-License-Identifier: Apache-2.0 */
/* One tag for each allocator and for each way a compiler brings a tag to it. */
#include "kernel.h"

KEEP;

/* The tag is a parameter here: found at the callers. */
NOINLINE static PVOID helper(SIZE_T bytes, ULONG tag)
{
    return ExAllocatePoolWithTag(NonPagedPool, bytes + 16, tag);
}

/* A helper of a helper, as an operator new in C++ is. */
NOINLINE static PVOID outer(ULONG tag, SIZE_T bytes)
{
    PVOID memory = helper(bytes, tag);
    if (memory != NULL)
        *(SIZE_T *)memory = bytes;
    return memory;
}

NOINLINE static PVOID either(int large)
{
    ULONG tag = large ? TAG('E', 'i', 't', '1') : TAG('E', 'i', 't', '2');
    return ExAllocatePoolWithTag(PagedPool, 64, tag);
}

NOINLINE static void loop(int count)
{
    for (int i = 0; i < count; i++) {
        kept[i & 7] = ExAllocatePoolWithTag(NonPagedPool, (SIZE_T)i * 8, TAG('L', 'o', 'o', 'p'));
        if (kept[i & 7] == NULL)
            break;
    }
}

/* The same allocator several times: the compiler keeps its address in a register. */
NOINLINE static void several(SIZE_T bytes)
{
    kept[0] = ExAllocatePoolWithTag(PagedPool, bytes, TAG('S', 'e', 'v', '1'));
    kept[1] = ExAllocatePoolWithTag(PagedPool, bytes * 2, TAG('S', 'e', 'v', '2'));
    DbgPrint("%p\n", kept[1]);
    kept[2] = ExAllocatePoolWithTag(PagedPool, bytes * 3, TAG('S', 'e', 'v', '3'));
    kept[3] = ExAllocatePoolWithTag(PagedPool, bytes * 4, TAG('S', 'e', 'v', '3'));
}

NOINLINE static PVOID at_the_end(SIZE_T bytes)
{
    return ExAllocatePoolWithQuotaTag(PagedPool, bytes, TAG('T', 'a', 'i', 'l'));
}

NOINLINE static PVOID held(SIZE_T bytes)
{
    ULONG tag = TAG('H', 'e', 'l', 'd');
    if (bytes == 0)
        bytes = 1;
    PVOID memory = ExAllocatePoolWithTag(PagedPool, bytes, tag);
    if (memory != NULL)
        ExFreePoolWithTag(memory, tag);
    return memory;
}

NOINLINE static void release(PVOID memory)
{
    ExFreePoolWithTag(memory, TAG('F', 'r', 'e', 'e'));
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    kept[4] = ExAllocatePoolWithTag(NonPagedPool, path->Length, TAG('W', 't', 'a', 'g'));
    kept[5] = ExAllocatePool2(0x40, path->Length, TAG('P', 'o', 'o', '2'));
    kept[6] = ExAllocatePool3(0x100, path->Length, TAG('P', 'o', 'o', '3'), NULL, 0);
    kept[7] = ExAllocatePoolWithTagPriority(PagedPool, path->Length, TAG('P', 'r', 'i', 'o'),
                                            NormalPoolPriority);
    kept[8] = either(path->Length > 100);
    loop(path->Length);
    several(path->Length);
    kept[9] = at_the_end(path->Length);
    kept[10] = held(path->Length);
    kept[11] = helper(path->Length, TAG('H', 'l', 'p', '1'));
    kept[12] = outer(TAG('H', 'l', 'p', '2'), path->Length);
    kept[13] = ExAllocatePoolWithTag(NonPagedPool, 32, TAG('P', 'r', 't', 'd') | 0x80000000u);
    release(kept[5]);
    return driver == NULL;
}
