/* SPDX-License-Identifier: Apache-2.0 */
/*
 * windows.h without its rarely used parts, some of which name functions that common/banned.h
 * forbids; and the cleanup of what Windows hands out.
 */
#ifndef AGENT_WIN_SYSTEM_H
#define AGENT_WIN_SYSTEM_H

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>

#include "common/cleanup.h"

/* NULL and INVALID_HANDLE_VALUE are both "none": the system uses both. */
static inline void cleanup_handle(HANDLE *handle)
{
    if (*handle != NULL && *handle != INVALID_HANDLE_VALUE)
        CloseHandle(*handle);
}

static inline void cleanup_key(HKEY *key)
{
    if (*key != NULL)
        RegCloseKey(*key);
}

static inline void cleanup_service(SC_HANDLE *service)
{
    if (*service != NULL)
        CloseServiceHandle(*service);
}

static inline void cleanup_local(void *pointer)
{
    if (*(void **)pointer != NULL)
        LocalFree(*(void **)pointer);
}

#define AUTO_HANDLE  CLEANUP(cleanup_handle)
#define AUTO_KEY     CLEANUP(cleanup_key)
#define AUTO_SERVICE CLEANUP(cleanup_service)
#define AUTO_LOCAL   CLEANUP(cleanup_local)

#endif
