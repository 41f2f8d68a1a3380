/* SPDX-License-Identifier: Apache-2.0 */
/* Allocators of other kernel modules than ntoskrnl. */
#include "kernel.h"

KEEP;

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    PVOID memory = NULL;
    kept[0] = NdisAllocateMemoryWithTagPriority(driver, path->Length, TAG('N', 'd', 'p', 'r'), 0);
    NdisAllocateMemoryWithTag(&memory, path->Length, TAG('N', 'd', 't', 'g'));
    kept[1] = memory;
    StorPortExtendedFunction(0, driver, (ULONG)path->Length, TAG('S', 't', 'o', 'r'), &memory);
    kept[2] = memory;
    /* another of its many functions: not an allocation */
    StorPortExtendedFunction(7, driver, (ULONG)path->Length, TAG('N', 'o', 't', 'a'), &memory);
    kept[3] = FltAllocatePoolAlignedWithTag(driver, 1, path->Length, TAG('F', 'l', 't', 'A'));
    return 0;
}
