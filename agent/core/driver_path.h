/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a loaded driver's file lies, from the many ways in which the kernel and the registry write
 * it. Pure; UTF-8.
 */
#ifndef AGENT_CORE_DRIVER_PATH_H
#define AGENT_CORE_DRIVER_PATH_H

#include "common/strbuf.h"

#include <stdbool.h>

/* "\SystemRoot\System32\drivers\a.sys", "\??\C:\Program Files\b.sys", "\Windows\c.sys",
 * "system32\drivers\d.sys", "e.sys", "\Device\HarddiskVolume3\f.sys" -> a path to open, in `out`
 * (replaced). system_root: "C:\Windows". False: not a local file (a network path, empty, odd). */
bool driver_path(const char *raw, const char *system_root, struct strbuf *out);
/* The last part of a path, borrowed from it. */
const char *driver_file_name(const char *path);

#endif
