/* SPDX-License-Identifier: Apache-2.0 */
/* struct files over a folder of a POSIX system, for tests that kill real processes. One thread. */
#ifndef TESTS_SUPPORT_FILES_POSIX_H
#define TESTS_SUPPORT_FILES_POSIX_H

#include "agent/core/files.h"

#include <stdbool.h>

struct files_posix {
    struct files files;
    int folder; /* descriptor */
    bool sync;  /* false: survives a killed process, not a power cut; for speed */
};

/* The folder must be there. What an earlier process left half-written is removed. ST_IO. */
enum status files_posix_open(struct files_posix *ret_files, const char *folder, bool sync,
                             struct err *err) MUST_CHECK;
void files_posix_close(struct files_posix *files);

#endif
