/* SPDX-License-Identifier: Apache-2.0 */
/* Tags that stand in a driver without being allocated with, and one that is. */
#include "kernel.h"

KEEP;

NTSYSAPI VOID NTAPI ObDereferenceObjectDeferDeleteWithTag(PVOID object, ULONG tag);

USED const char text[] = "a line of text with Strg in it";
USED static const ULONG table[] = {TAG('D', 'a', 't', '1'), TAG('D', 'a', 't', '2')};
volatile ULONG signature = TAG('S', 'i', 'g', 'n');

/* Comparisons and a switch: checks, not allocations. */
NOINLINE static int checks(ULONG tag)
{
    if (tag == TAG('C', 'm', 'p', '1'))
        return 1;
    if (signature != TAG('C', 'm', 'p', '2'))
        return 2;
    switch (tag) {
    case TAG('S', 'w', 'i', '1'):
        return 3;
    case TAG('S', 'w', 'i', '2'):
        return 4;
    case TAG('S', 'w', 'i', '3'):
        return 5;
    default:
        return 6;
    }
}

/* An immediate stored into an object, a tag for an object reference, and one before the call of a
 * function that allocates nothing. */
NOINLINE static void stores(ULONG *object)
{
    object[1] = TAG('F', 'i', 'e', 'l');
    ObDereferenceObjectDeferDeleteWithTag(object, TAG('R', 'e', 'f', 's'));
    DbgPrint("%x %x\n", 1, TAG('P', 'r', 'n', 't'));
}

/* Right in front of an allocator's call, in another argument. */
NOINLINE static PVOID near_by(void)
{
    return ExAllocatePoolWithTag(PagedPool, TAG('S', 'i', 'z', 'e'), TAG('R', 'e', 'a', 'l'));
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    kept[0] = near_by();
    stores((ULONG *)driver);
    kept[1] = (PVOID)(ULONG_PTR)table[path->Length & 1];
    kept[2] = (PVOID)(text + path->Length);
    return checks(path->Length);
}
