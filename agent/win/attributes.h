/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kind of machine this is, as host attributes. Names follow OpenTelemetry where it has one.
 * What is not known is left out. One thread.
 */
#ifndef AGENT_WIN_ATTRIBUTES_H
#define AGENT_WIN_ATTRIBUTES_H

#include "agent/core/smbios.h"
#include "agent/nt/calls.h"
#include "common/limits.h"
#include "common/snapshot.h"

/* Sorted by name, in `arena`. ST_NOMEM. */
enum status attributes_take(const struct nt_calls *calls, struct arena *arena,
                            struct snapshot_attribute **ret_attributes, size_t *ret_count,
                            struct err *err) MUST_CHECK;
/* Over names and values: compared with oneself only. */
uint64_t attributes_digest(const struct snapshot_attribute *attributes, size_t count);

/* The firmware's table, read once a call. All unknown where there is none. */
void attributes_firmware(struct smbios *ret_smbios);

#endif
