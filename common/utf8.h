/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 validity (RFC 3629: no surrogates, no overlong forms, up to U+10FFFF). Pure. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the sequence at text (1 to 4), or 0 when it is not valid or cut off. */
size_t utf8_sequence(const char *text, size_t length);
bool utf8_valid(const char *text, size_t length);

#endif
