/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8 inside, UTF-16 at the edge; and Win32 errors as struct err. The only place where the two
 * meet.
 */
#ifndef AGENT_WIN_WIDE_H
#define AGENT_WIN_WIDE_H

#include "common/status.h"
#include "common/strbuf.h"

#include <wchar.h>

/* Owned by caller (free); NULL when memory is out. Unpaired surrogates and bad UTF-8 become
 * U+FFFD. */
wchar_t *wide_from_utf8(const char *text);
char *wide_to_utf8(const wchar_t *text);

/* "could not <what>: <the system's words> (<number>)"; keeps the number in the message, for it is
 * what people search for. code: ST_IO, or what fits better (ERROR_FILE_NOT_FOUND -> ST_NOT_FOUND,
 * ERROR_ACCESS_DENIED -> ST_FORBIDDEN, ERROR_DISK_FULL -> ST_TOO_LARGE). */
enum status wide_error(struct err *err, unsigned long error, const char *what);
enum status wide_last_error(struct err *err, const char *what); /* of GetLastError() */

#endif
