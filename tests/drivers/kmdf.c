/* SPDX-License-Identifier: Apache-2.0 */
/* A framework driver: allocates through a table of functions, so its own tag is only medium
 * evidence; the default tag is its service's name. */
#include "kernel.h"

KEEP;
typedef NTSTATUS(NTAPI *memory_create)(PVOID globals, PVOID attributes, int pool, ULONG tag,
                                       SIZE_T bytes, PVOID *memory, PVOID *buffer);
static memory_create *functions;
static PVOID globals;

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    PVOID memory, buffer;
    NTSTATUS status = WdfVersionBind(driver, path, &functions, &globals);
    if (status < 0)
        return status;
    status =
        functions[3](globals, NULL, 1, TAG('W', 'd', 'f', 'M'), path->Length, &memory, &buffer);
    kept[0] = memory;
    return status;
}
