/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cleanup attributes: a local declared AUTO_* is released when its scope ends, so early return is
 * safe everywhere. TAKE(p) hands ownership over and nulls the local. Modules with their own types
 * add their AUTO_* beside the type.
 */
#ifndef COMMON_CLEANUP_H
#define COMMON_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

#define TAKE(pointer)                                                                              \
    __extension__({                                                                                \
        __typeof__(pointer) taken_ = (pointer);                                                    \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    })

static inline void cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_file(FILE **file)
{
    if (*file != NULL)
        fclose(*file);
}

#define AUTO_FREE CLEANUP(cleanup_free)
#define AUTO_FILE CLEANUP(cleanup_file)

#endif
