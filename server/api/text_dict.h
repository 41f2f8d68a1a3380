/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers for texts that repeat: 0 for the first text seen, 1 for the next new one, and so on.
 * Texts are borrowed. A struct of zeroes is empty and valid. Not shared between threads.
 */
#ifndef SERVER_API_TEXT_DICT_H
#define SERVER_API_TEXT_DICT_H

#include "common/cleanup.h"

#include <stddef.h>
#include <stdint.h>

struct text_dict {
    const char **texts; /* by number */
    size_t count;
    size_t *slots; /* number + 1; 0: free */
    size_t mask;
};

/* Its number; -1 when memory is out. */
int64_t text_dict_add(struct text_dict *dict, const char *text);
void text_dict_done(struct text_dict *dict);
#define AUTO_TEXT_DICT CLEANUP(text_dict_done)

#endif
