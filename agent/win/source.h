/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_WIN_SOURCE_H
#define AGENT_WIN_SOURCE_H

#include "agent/win/win.h"

/* From another thread: a take() under way begins no further driver file, nor does a later one. */
void win_source_stop(struct win_source *source);

#endif
