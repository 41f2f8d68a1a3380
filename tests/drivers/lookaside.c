/* SPDX-License-Identifier: Apache-2.0 */
/* Lookaside lists: their tag is the sixth or seventh argument, on the stack but for ARM64. */
#include "kernel.h"

KEEP;
static NPAGED_LOOKASIDE_LIST first;
static PAGED_LOOKASIDE_LIST second;
static LOOKASIDE_LIST_EX third;

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    ExInitializeNPagedLookasideList(&first, NULL, NULL, 0, path->Length, TAG('L', 'k', 'n', 'p'),
                                    0);
    ExInitializePagedLookasideList(&second, NULL, NULL, 0, 128, TAG('L', 'k', 'p', 'g'), 0);
    return ExInitializeLookasideListEx(&third, NULL, NULL, PagedPool, 0, 96,
                                       TAG('L', 'k', 'e', 'x'), 0) +
           (driver == NULL);
}
