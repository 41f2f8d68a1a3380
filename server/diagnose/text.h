/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pasted bytes -> plain lines. Decodes UTF-16 and byte order marks, turns typographic quotes,
 * dashes and blanks into ASCII, HTML tables into tab-separated lines, and takes away what mail and
 * Markdown put in front of a line. Columns survive where the page kept them: every character that
 * is replaced becomes exactly one byte. Linear in the input. Not shared between threads.
 */
#ifndef SERVER_DIAGNOSE_TEXT_H
#define SERVER_DIAGNOSE_TEXT_H

#include "common/cleanup.h"
#include "common/status.h"

#include <stddef.h>

struct text {
    char *data;   /* all lines, each ended by NUL */
    char **lines; /* into data; never NULL entries */
    size_t count;
};

void text_done(struct text *text);
#define AUTO_TEXT CLEANUP(text_done)

/* ST_NOMEM. ret owned by caller (text_done). */
enum status text_split(const char *bytes, size_t length, struct text *ret_text) MUST_CHECK;

#endif
