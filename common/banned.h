/* SPDX-License-Identifier: Apache-2.0 */
/* Unsafe functions become compile errors; force-included by the build. A short list on purpose:
 * each has a drop-in we use instead (snprintf, strbuf, clock.h's own time functions). */
#ifndef COMMON_BANNED_H
#define COMMON_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat sprintf vsprintf gets strncpy strncat strtok atoi atol gmtime
#pragma GCC poison localtime ctime asctime

#endif
