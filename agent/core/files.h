/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few file operations the core needs, all inside one folder of the agent's own, so that a test
 * can cut the power in the middle of each. Names are plain: letters, digits, '.', '-' and '_'; no
 * separator, so that nothing can be written outside the folder. One thread.
 */
#ifndef AGENT_CORE_FILES_H
#define AGENT_CORE_FILES_H

#include "common/status.h"
#include "common/strbuf.h"

struct files {
    void *arg;
    /* The whole file, atomically replaced: after a power cut the name holds the old content, the
     * new content, or (on disks that lie about flushing) something torn that a checksum must
     * tell. ST_IO: nothing changed; ST_TOO_LARGE: the disk is full. */
    enum status (*write)(void *arg, const char *name, const void *data, size_t length,
                         struct err *err);
    /* Replaces what is in `out`. ST_NOT_FOUND; ST_TOO_LARGE: over `max`; ST_IO. */
    enum status (*read)(void *arg, const char *name, size_t max, struct strbuf *out,
                        struct err *err);
    enum status (*remove)(void *arg, const char *name, struct err *err); /* ST_OK if not there */
    /* Each file in any order, with its length, until each() returns false. */
    enum status (*list)(void *arg, bool (*each)(void *context, const char *name, uint64_t length),
                        void *context, struct err *err);
};

#endif
