/* SPDX-License-Identifier: Apache-2.0 */
#include "server/embedded.h"

#include <string.h>

const struct embedded_file *embedded_find(const struct embedded_file *list, const char *path)
{
    for (; list->path != NULL; list++) {
        if (strcmp(list->path, path) == 0)
            return list;
    }
    return NULL;
}
