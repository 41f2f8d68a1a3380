/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of the snapshots in a sealed chunk's head, as bits. */
#ifndef SERVER_CHUNK_SEALED_KEYS_H
#define SERVER_CHUNK_SEALED_KEYS_H

#include "common/strbuf.h"
#include "server/chunk/sealed.h"

/* KEY_* of sealed_form.h. */
unsigned sealed_key_flags(const struct sealed_snapshot *snapshot);
/* Of the snapshots, each key is set to what it is. */
void sealed_keys_write(struct sealed_snapshot *snapshots, size_t count, struct strbuf *out);
/* flags: of each snapshot, so that the caller knows which texts to expect. False: not keys. */
bool sealed_keys_read(const unsigned char *at, const unsigned char *end,
                      struct sealed_snapshot *snapshots, unsigned char *flags, size_t count);

#endif
